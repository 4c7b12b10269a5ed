/* SPDX-License-Identifier: GPL-2.0-only */
/* Disks: the block device of a tap. */
#ifndef _BLKTAP_DISK_H
#define _BLKTAP_DISK_H

#include "ioerror.h"

#include <linux/blk-mq.h>
#include <linux/blktap.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct blktap_session;
struct blktap_tap;
struct blktap_workers;

struct blktap_disk {
	struct blktap_tap *tap;
	struct blk_mq_tag_set tags;
	struct gendisk *gd;
	struct blktap_session __rcu *session;	/* written under the tap's lock */
	struct blktap_workers *workers;		/* NULL: no session has needed any */

	/* Written under the tap's lock. */
	u32 recovery;				/* BLKTAP_RECOVERY_* */
	bool gated;				/* requests wait in the block layer */
	bool condemned;				/* it goes, even if it is open */
	bool held_for_start;			/* held since a session did START, not before */

	/* There has been swap on it: freeing memory may wait for it. Set by submitters. */
	bool swap;
	bool swap_told;				/* that the daemon moves its bytes */

	u32 flags;				/* BLKTAP_DISK_* */
	u32 logical_block_size;
	u32 physical_block_size;
	u64 capacity;				/* bytes, written under the tap's lock */

	spinlock_t lock;
	u32 state;				/* BLKTAP_DISK_STATE_* */
	u32 openers;

	struct work_struct add_work;
	struct work_struct remove_work;
	struct work_struct resize_work;		/* its capacity has changed */
	struct work_struct close_work;		/* the last opener has gone */
	struct work_struct opened_work;		/* the gate has been opened */

	/* A request is late: with the daemon, which may be dead, or with a device below. */
	struct work_struct late_work;
	u32 late_epoch;				/* of the session then, its lower half */
	bool daemon_late;

	/* It has to go, or its requests are held, and its session lives. */
	struct delayed_work watch_work;
	unsigned long stuck_since;		/* jiffies: it has to go since then */

	struct blktap_ioerrors errors;
};

int blktap_disk_start(struct blktap_session *session, const struct blktap_start *start);
int blktap_disk_stop(struct blktap_session *session, bool force);
int blktap_disk_hold(struct blktap_session *session, bool hold);
int blktap_disk_resize(struct blktap_session *session, u64 capacity);

/*
 * Removes a disk in the background, with the tap locked. -EBUSY if it is open
 * or being added; not with @force: then its requests fail from now on.
 */
int blktap_disk_remove(struct blktap_disk *disk, bool force);

bool blktap_disk_is_adding(const struct blktap_disk *disk);

/* STOP or DEL_TAP has decided that it goes. */
bool blktap_disk_is_removing(const struct blktap_disk *disk);

/* The disk that this session serves, with the tap locked; or NULL. */
struct blktap_disk *blktap_session_disk(struct blktap_session *session);

/* The minor of a tap's disk or a partition of it; -1 if it is another's. */
int blktap_disk_minor(struct block_device *bdev);

/* Whether freeing memory may wait for this request of a tap's disk. */
bool blktap_disk_has_swap(const struct request *rq);

/* The daemon itself has written what was swapped out: it tells of the danger, once. */
void blktap_disk_tell_swap(const struct request *rq);

u32 blktap_disk_major(void);

int blktap_disk_init(void);
void blktap_disk_exit(void);

#endif /* _BLKTAP_DISK_H */

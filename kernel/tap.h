/* SPDX-License-Identifier: GPL-2.0-only */
/* Taps: the table of minors, allocation, freeing. */
#ifndef _BLKTAP_TAP_H
#define _BLKTAP_TAP_H

#include "session.h"

#include <linux/blktap.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct blktap_disk;
struct blktap_session;
struct netlink_ext_ack;

/* Fixed when the tap is allocated. */
struct blktap_config {
	u32 queues;
	u32 depth;
	u32 max_io;		/* bytes */
	u32 on_death;
	u32 hold_ms;
	u32 io_timeout_ms;
	u32 on_timeout;
	char serial[BLKTAP_MAX_SERIAL + 1];
	bool has_uuid;
	u8 uuid[BLKTAP_UUID_LEN];
};

struct blktap_tap {
	struct kref kref;
	u32 minor;
	struct blktap_config config;

	/*
	 * Protects what follows and orders the tap's events. Never held while
	 * waiting for I/O; taken with blktap_tap_lock(), so that allocations
	 * under it do not wait for I/O either.
	 */
	struct mutex lock;
	unsigned int noio;
	bool dying;			/* freed; session and disk may still be going */
	bool gone;			/* these have gone: who says so removes the tap */
	u64 epoch;			/* of the last session */
	int start_error;		/* of the last attempt to add a disk */
	struct blktap_session *session;	/* the attached one, or NULL */
	struct blktap_session *successor;	/* only with a session; or NULL */
	struct blktap_disk *disk;

	/* Recovery: sessions that may still write, or whose end is to be told. */
	struct list_head ended_sessions;
	struct delayed_work ended_work;
	struct delayed_work hold_work;
	unsigned long hold_until;	/* jiffies; while the disk's requests wait */
};

/* A tap as it is at one moment, for reports. */
struct blktap_tap_info {
	u32 minor;
	struct blktap_config config;
	u32 pid;			/* 0: no session */
	u64 epoch;
	struct blktap_counts counts;
	u32 files;
	u32 extents;
	u32 disk_state;
	u32 disk_flags;
	u32 openers;
	u64 capacity;
	u32 logical_block_size;
	u32 physical_block_size;
	u32 recovery;			/* BLKTAP_RECOVERY_* */
	u32 hold_left_ms;
};

/* For short work, and for adding and removing disks. */
extern struct workqueue_struct *blktap_wq;
extern struct workqueue_struct *blktap_disk_wq;
/* For requests that wait for nothing but this: it runs without memory. */
extern struct workqueue_struct *blktap_retry_wq;

/*
 * Allocates a tap; @minor < 0 means the lowest free one. The tap comes back with
 * a reference for the caller.
 */
struct blktap_tap *blktap_tap_new(int minor, const struct blktap_config *config,
				  struct netlink_ext_ack *extack);
/* DEL_TAP, of this tap and of whichever has the minor. */
int blktap_tap_end(struct blktap_tap *tap, bool force, struct netlink_ext_ack *extack);
int blktap_tap_del(u32 minor, bool force, struct netlink_ext_ack *extack);

/* END_SESSION; @pid 0: whoever it is. */
int blktap_tap_end_session(u32 minor, u32 pid, bool force, struct netlink_ext_ack *extack);

/* Its disk is gone, or a session: a tap that was freed may be able to go. */
void blktap_tap_try_remove(struct blktap_tap *tap);

/* With a reference, or NULL. blktap_tap_next() looks from *@minor upwards. */
struct blktap_tap *blktap_tap_find(u32 minor);
struct blktap_tap *blktap_tap_next(unsigned long *minor);
void blktap_tap_get(struct blktap_tap *tap);
void blktap_tap_put(struct blktap_tap *tap);

void blktap_tap_lock(struct blktap_tap *tap);
void blktap_tap_unlock(struct blktap_tap *tap);

/* Called with the tap locked. */
void blktap_tap_info(struct blktap_tap *tap, struct blktap_tap_info *info);

/* Changes whenever a tap comes or goes; never 0. */
u32 blktap_tap_generation(void);

int blktap_tap_init(void);
void blktap_tap_exit(void);

#endif /* _BLKTAP_TAP_H */

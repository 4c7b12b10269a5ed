/* SPDX-License-Identifier: GPL-2.0-only */
/* Disks: the block device of a tap. */
#ifndef _BLKTAP_DISK_H
#define _BLKTAP_DISK_H

#include <linux/blk-mq.h>
#include <linux/blktap.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct blktap_session;
struct blktap_tap;

struct blktap_disk {
	struct blktap_tap *tap;
	struct blk_mq_tag_set tags;
	struct gendisk *gd;
	struct blktap_session __rcu *session;	/* written under the tap's lock */

	u32 flags;				/* BLKTAP_DISK_* */
	u32 logical_block_size;
	u32 physical_block_size;
	u64 capacity;				/* bytes, written under the tap's lock */

	spinlock_t lock;
	u32 state;				/* BLKTAP_DISK_STATE_* */
	u32 openers;

	struct work_struct add_work;
	struct work_struct remove_work;
};

int blktap_disk_start(struct blktap_session *session, const struct blktap_start *start);
int blktap_disk_stop(struct blktap_session *session);
int blktap_disk_resize(struct blktap_session *session, u64 capacity);

/*
 * Removes a disk in the background, with the tap locked. -EBUSY if it is open
 * or being added.
 */
int blktap_disk_remove(struct blktap_disk *disk);

/* STOP or DEL_TAP has decided that it goes. */
bool blktap_disk_is_removing(struct blktap_disk *disk);

/* Takes the session away, with the tap locked: requests fail from now on. */
void blktap_disk_orphan(struct blktap_disk *disk, struct blktap_session *session);

u32 blktap_disk_major(void);

int blktap_disk_init(void);
void blktap_disk_exit(void);

#endif /* _BLKTAP_DISK_H */

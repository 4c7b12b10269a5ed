/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests that fail: the world is told, but not of each. */
#ifndef _BLKTAP_IOERROR_H
#define _BLKTAP_IOERROR_H

#include <linux/blk_types.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct request;

/* One that failed, and how many did. */
struct blktap_failure {
	u32 op;				/* BLKTAP_OP_* */
	u32 error;			/* errno */
	u64 offset;			/* bytes of the disk */
	u64 length;			/* bytes */
	u64 count;			/* since the last report, this one included; 0: none */
};

/* Of a disk. */
struct blktap_ioerrors {
	spinlock_t lock;
	struct blktap_failure first;	/* since the last report */
	unsigned long next;		/* jiffies: not reported before */
	struct delayed_work work;
};

void blktap_ioerrors_init(struct blktap_ioerrors *errors);
/* Before the disk goes. */
void blktap_ioerrors_stop(struct blktap_ioerrors *errors);

/* In any context. */
void blktap_ioerrors_note(struct request *rq, blk_status_t status);

#endif /* _BLKTAP_IOERROR_H */

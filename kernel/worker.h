/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Workers: start the kernel's I/O for requests whose submitter may not, since it may
 * not sleep or is in the midst of another file system's work; or whose daemon may not,
 * since it may have to wait for itself. One for each hardware queue of a disk.
 */
#ifndef _BLKTAP_WORKER_H
#define _BLKTAP_WORKER_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

struct request;

struct blktap_worker {
	struct blktap_workers *workers;
	/* Both take from the list: one that runs would draw the other to where it is. */
	struct work_struct near_work;
	struct work_struct far_work;
	spinlock_t lock;
	struct list_head requests;	/* no I/O has begun for them */
	atomic_t active;		/* requests of its that are not done */
	u32 alone;			/* the last so many came when there was no other */
};

/*
 * One request at a time is best begun where its submitter is about to sleep, which
 * wakes no other processor; with more of them, submitter and worker go side by side. So do
 * they if the submitter is of a real-time class: if he polls, nobody else runs there.
 */
#define BLKTAP_ALONE	16

struct blktap_workers {
	struct workqueue_struct *near;
	struct workqueue_struct *far;
	u32 nr;
	struct blktap_worker queues[];
};

/* For @nr queues. */
struct blktap_workers *blktap_workers_new(u32 minor, u32 nr);
/* There are no more requests; NULL is fine. */
void blktap_workers_free(struct blktap_workers *workers);

/*
 * Leaves it a request with a redirect, or a file and its offset; it is kicked, or is to be.
 * One whose session has ended, or whose disk has to go, is given back at once.
 */
void blktap_worker_add(struct blktap_worker *worker, struct request *rq, bool kick);

/*
 * Gives all requests back that no I/O has begun for, after a session's queues are dead or
 * the disk is condemned: whoever works may wait for storage, and come to no other. NULL
 * is fine.
 */
void blktap_workers_recall(struct blktap_workers *workers);

static inline void blktap_worker_kick(struct blktap_worker *worker)
{
	if (list_empty(&worker->requests))
		return;

	if (READ_ONCE(worker->alone) < BLKTAP_ALONE || current->prio < MAX_RT_PRIO)
		queue_work(worker->workers->far, &worker->far_work);
	else
		queue_work(worker->workers->near, &worker->near_work);
}

/*
 * Kicks all that have requests. Who adds one and then finds that the gate is closed kicks
 * himself; who does not is seen here. NULL is fine.
 */
void blktap_workers_kick(struct blktap_workers *workers);

/* A request that was left to one is over. */
void blktap_worker_done(struct request *rq);

#endif /* _BLKTAP_WORKER_H */

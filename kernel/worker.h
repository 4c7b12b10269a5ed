/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Workers: start the kernel's I/O for requests whose submitter may not, since it may
 * not sleep or is in the midst of another file system's work. One for each hardware
 * queue of a disk.
 */
#ifndef _BLKTAP_WORKER_H
#define _BLKTAP_WORKER_H

#include <linux/llist.h>
#include <linux/workqueue.h>

struct request;

struct blktap_worker {
	struct workqueue_struct *wq;
	struct work_struct work;
	struct llist_head requests;
};

struct blktap_workers {
	struct workqueue_struct *wq;
	struct blktap_worker queues[];
};

struct blktap_workers *blktap_workers_new(u32 minor, u32 nr);
/* There are no more requests; NULL is fine. */
void blktap_workers_free(struct blktap_workers *workers);

/* Leaves it a request with a file and its offset; then it is to be kicked. */
void blktap_worker_add(struct blktap_worker *worker, struct request *rq);

static inline void blktap_worker_kick(struct blktap_worker *worker)
{
	if (!llist_empty(&worker->requests))
		queue_work(worker->wq, &worker->work);
}

#endif /* _BLKTAP_WORKER_H */

// SPDX-License-Identifier: GPL-2.0-only
#include "worker.h"
#include "barrier.h"
#include "disk.h"
#include "file.h"
#include "kio.h"
#include "queue.h"
#include "redirect.h"
#include "request.h"
#include "session.h"
#include "tap.h"
#include "trace.h"

#include <linux/blk-cgroup.h>
#include <linux/blkdev.h>
#include <linux/kthread.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

static void blktap_worker_start(struct request *rq)
{
	struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);
	bool regular = cmd->redirect || !cmd->file->bdev;

	/* Clones of bios belong to whom the bios belong to; other I/O is ours. */
	if (regular)
		kthread_associate_blkcg(bio_blkcg_css(rq->bio));
	if (cmd->redirect)
		blktap_redirect_start(rq, cmd->redirect);
	else
		blktap_kio_start(rq, cmd->file, 0, blk_rq_bytes(rq), cmd->file_offset);
	if (regular)
		kthread_associate_blkcg(NULL);

	blktap_kio_end(rq);
}

/* What the block layer and the allocators are to know of a worker. */
#define BLKTAP_WORKER_FLAGS	(PF_LOCAL_THROTTLE | PF_MEMALLOC_NOIO)

static void blktap_worker_set_flags(unsigned int flags)
{
	/* Interrupts look at a task's flags, but only at those of them that stay. */
	data_race(current->flags = (current->flags & ~BLKTAP_WORKER_FLAGS) |
				   (flags & BLKTAP_WORKER_FLAGS));
}

/* One at a time: what it has not begun can be taken back while it waits. */
static struct request *blktap_worker_next(struct blktap_worker *worker)
{
	struct blktap_rq *cmd;

	spin_lock(&worker->lock);
	cmd = list_first_entry_or_null(&worker->requests, struct blktap_rq, waiting);
	if (cmd)
		list_del(&cmd->waiting);
	spin_unlock(&worker->lock);

	return cmd ? blk_mq_rq_from_pdu(cmd) : NULL;
}

static void blktap_worker_run(struct blktap_worker *worker)
{
	unsigned int flags = current->flags;
	struct blk_plug plug;
	struct request *rq;

	/* Whoever frees memory may be waiting for these requests. */
	blktap_worker_set_flags(BLKTAP_WORKER_FLAGS);
	blk_start_plug(&plug);
	while ((rq = blktap_worker_next(worker))) {
		blktap_worker_start(rq);
		cond_resched();
	}
	blk_finish_plug(&plug);
	blktap_worker_set_flags(flags);
}

static void blktap_worker_near(struct work_struct *work)
{
	blktap_worker_run(container_of(work, struct blktap_worker, near_work));
}

static void blktap_worker_far(struct work_struct *work)
{
	blktap_worker_run(container_of(work, struct blktap_worker, far_work));
}

struct blktap_workers *blktap_workers_new(u32 minor, u32 nr)
{
	struct blktap_workers *workers;
	u32 i;

	workers = kzalloc(struct_size(workers, queues, nr), GFP_KERNEL);
	if (!workers)
		return NULL;

	workers->nr = nr;
	/*
	 * Of each disk: on a file of another tap's disk, one waits for the other, and
	 * both must run. Not freezable: there may be swap on the disk.
	 */
	workers->near = alloc_workqueue("blktap%u_near", WQ_PERCPU | WQ_MEM_RECLAIM, nr, minor);
	workers->far = alloc_workqueue("blktap%u", WQ_UNBOUND | WQ_MEM_RECLAIM, nr, minor);
	if (!workers->near || !workers->far) {
		blktap_workers_free(workers);
		return NULL;
	}

	for (i = 0; i < nr; i++) {
		workers->queues[i].workers = workers;
		spin_lock_init(&workers->queues[i].lock);
		INIT_LIST_HEAD(&workers->queues[i].requests);
		INIT_WORK(&workers->queues[i].near_work, blktap_worker_near);
		INIT_WORK(&workers->queues[i].far_work, blktap_worker_far);
	}

	return workers;
}

void blktap_workers_free(struct blktap_workers *workers)
{
	if (!workers)
		return;

	if (workers->near)
		destroy_workqueue(workers->near);
	if (workers->far)
		destroy_workqueue(workers->far);
	kfree(workers);
}

/* Whether its session has ended or its disk has to go: then its I/O must not begin. */
static bool blktap_worker_is_late(struct request *rq)
{
	const struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);
	const struct blktap_disk *disk = rq->q->queuedata;

	return READ_ONCE(cmd->queue->dead) || READ_ONCE(disk->condemned);
}

/* It goes round again: it waits, fails or is served, as requests are by then. */
static void blktap_worker_give_back(struct request *rq)
{
	struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);
	struct blktap_barrier *barrier = cmd->kio.barrier;
	struct blktap_queue *queue = cmd->queue;

	blktap_worker_done(rq);
	if (cmd->redirect)
		blktap_redirect_drop(rq);
	else
		blktap_file_put(cmd->file);
	trace_blktap_held(queue->session->tap->minor, queue->index, rq->tag);
	blk_mq_requeue_request(rq, true);
	blktap_barrier_leave(barrier);
}

void blktap_worker_add(struct blktap_worker *worker, struct request *rq, bool kick)
{
	struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);
	bool late;

	cmd->worker = worker;
	/* A guess; that two may write it does no harm. */
	if (atomic_inc_return(&worker->active) > 1)
		WRITE_ONCE(worker->alone, 0);
	else
		WRITE_ONCE(worker->alone, READ_ONCE(worker->alone) + 1);

	/* Who recalls has made it late before: it is seen here, or found on the list there. */
	spin_lock(&worker->lock);
	late = blktap_worker_is_late(rq);
	if (!late)
		list_add_tail(&cmd->waiting, &worker->requests);
	/* Before it is taken: with the last request, worker and disk may go. */
	if (kick)
		blktap_worker_kick(worker);
	spin_unlock(&worker->lock);

	if (late)
		blktap_worker_give_back(rq);
}

void blktap_workers_kick(struct blktap_workers *workers)
{
	u32 i;

	for (i = 0; workers && i < workers->nr; i++) {
		struct blktap_worker *worker = &workers->queues[i];

		spin_lock(&worker->lock);
		blktap_worker_kick(worker);
		spin_unlock(&worker->lock);
	}
}

static void blktap_worker_recall(struct blktap_worker *worker)
{
	struct blktap_rq *cmd, *next;
	LIST_HEAD(requests);

	spin_lock(&worker->lock);
	list_splice_init(&worker->requests, &requests);
	spin_unlock(&worker->lock);

	list_for_each_entry_safe(cmd, next, &requests, waiting)
		blktap_worker_give_back(blk_mq_rq_from_pdu(cmd));
}

void blktap_workers_recall(struct blktap_workers *workers)
{
	u32 i;

	for (i = 0; workers && i < workers->nr; i++)
		blktap_worker_recall(&workers->queues[i]);
}

void blktap_worker_done(struct request *rq)
{
	struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);

	atomic_dec(&cmd->worker->active);
}

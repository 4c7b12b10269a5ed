// SPDX-License-Identifier: GPL-2.0-only
#include "worker.h"
#include "file.h"
#include "kio.h"
#include "request.h"

#include <linux/blk-cgroup.h>
#include <linux/blkdev.h>
#include <linux/kthread.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

static void blktap_worker_start(struct request *rq)
{
	struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);
	bool regular = !cmd->file->bdev;

	/* Clones of bios belong to whom the bios belong to; other I/O is ours. */
	if (regular)
		kthread_associate_blkcg(bio_blkcg_css(rq->bio));
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

static void blktap_worker_run(struct blktap_worker *worker)
{
	struct llist_node *nodes = llist_reverse_order(llist_del_all(&worker->requests));
	unsigned int flags = current->flags;
	struct blktap_rq *cmd, *next;
	struct blk_plug plug;

	/* Whoever frees memory may be waiting for these requests. */
	blktap_worker_set_flags(BLKTAP_WORKER_FLAGS);
	blk_start_plug(&plug);
	llist_for_each_entry_safe(cmd, next, nodes, node) {
		blktap_worker_start(blk_mq_rq_from_pdu(cmd));
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

struct blktap_workers *blktap_workers_new(u32 minor, u32 nr, u32 depth)
{
	struct blktap_workers *workers;
	u32 i;

	workers = kzalloc(struct_size(workers, queues, nr), GFP_KERNEL);
	if (!workers)
		return NULL;

	workers->depth = depth;
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
		init_llist_head(&workers->queues[i].requests);
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

void blktap_worker_add(struct blktap_worker *worker, struct request *rq)
{
	struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);

	cmd->counter = &worker->active;
	/* A guess; that two may write it does no harm. */
	if (atomic_inc_return(&worker->active) > 1)
		WRITE_ONCE(worker->alone, 0);
	else
		WRITE_ONCE(worker->alone, READ_ONCE(worker->alone) + 1);
	llist_add(&cmd->node, &worker->requests);
}

bool blktap_worker_spare(struct blktap_worker *worker, struct request *rq)
{
	struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);

	if (atomic_inc_return(&worker->spared) > worker->workers->depth / 2) {
		atomic_dec(&worker->spared);
		return false;
	}

	cmd->counter = &worker->spared;
	return true;
}

void blktap_worker_done(struct request *rq)
{
	struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);

	atomic_dec(cmd->counter);
}

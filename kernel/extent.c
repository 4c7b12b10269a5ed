// SPDX-License-Identifier: GPL-2.0-only
#include "extent.h"
#include "barrier.h"
#include "disk.h"
#include "file.h"
#include "kio.h"
#include "netlink.h"
#include "queue.h"
#include "request.h"
#include "session.h"
#include "tap.h"
#include "trace.h"
#include "worker.h"

#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>

/*
 * What one MAP has brought. It holds wherever on the disk it stands, so a range that
 * is cut in two goes on as two ranges of the same extent.
 */
struct blktap_extent {
	struct rcu_head rcu;
	struct list_head unused;	/* while ranges is 0 */
	struct blktap_file *file;
	u64 delta;			/* from an offset of the disk to one of the file */
	u32 flags;			/* BLKTAP_FILE_* */
	u32 ranges;
};

/*
 * Allocations of ranges are not needed, but the nodes that they bring are: of others, with
 * 15 children, kernels free a 16th that is none when a tree of some thousand ranges goes.
 */
#define BLKTAP_TREE_FLAGS	(MT_FLAGS_ALLOC_RANGE | MT_FLAGS_USE_RCU)

/* Who changes the map does not insist: a request may wait for that, and memory for the request. */
#define BLKTAP_MAP_GFP	(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN)

static void blktap_extents_failed_work(struct work_struct *work);

void blktap_extents_init(struct blktap_extents *extents)
{
	mt_init_flags(&extents->tree, BLKTAP_TREE_FLAGS);
	init_llist_head(&extents->failed);
	INIT_WORK(&extents->failed_work, blktap_extents_failed_work);
}

/* --- changing the map --------------------------------------------------------- */

/* What stands at @sector or after it, up to @last; *@first and *@end are its sectors. */
static struct blktap_extent *blktap_extents_next(struct blktap_extents *extents,
						 unsigned long sector, unsigned long last,
						 unsigned long *first, unsigned long *end)
{
	MA_STATE(mas, &extents->tree, sector, sector);
	struct blktap_extent *extent;

	/* The tap's lock keeps it as it is; the tree wants one of its own. */
	rcu_read_lock();
	extent = mas_find(&mas, last);
	*first = mas.index;
	*end = mas.last;
	rcu_read_unlock();

	return extent;
}

/* A range appears or goes; without ranges, an extent goes to the list. */
static void blktap_extent_count(struct blktap_extents *extents, struct blktap_extent *extent,
				int change, struct list_head *unused)
{
	if (!extent->ranges)
		list_del(&extent->unused);
	extent->ranges += change;
	extents->nr += change;
	if (!extent->ranges)
		list_add(&extent->unused, unused);
}

/* Counts as if all from @first to @last were (@sign 1) or were not (-1) cut out. */
static void blktap_extents_count_cut(struct blktap_extents *extents, unsigned long first,
				     unsigned long last, int sign, struct list_head *unused)
{
	unsigned long sector = first, begin, end;
	struct blktap_extent *extent;

	while ((extent = blktap_extents_next(extents, sector, last, &begin, &end))) {
		int left = (begin < first) + (end > last) - 1;

		if (left)
			blktap_extent_count(extents, extent, sign * left, unused);
		if (end >= last)
			break;
		sector = end + 1;
		cond_resched();
	}
}

static void blktap_extents_free(struct list_head *unused)
{
	struct blktap_extent *extent, *next;

	/* A submitter may be looking at them. */
	list_for_each_entry_safe(extent, next, unused, unused)
		kfree_rcu(extent, rcu);
}

/* Puts @extent, or nothing, in the place of what there is from @first to @last. */
static int blktap_extents_store(struct blktap_extents *extents, unsigned long first,
				unsigned long last, struct blktap_extent *extent)
{
	LIST_HEAD(unused);
	int err = 0;

	blktap_extents_count_cut(extents, first, last, 1, &unused);
	/* What is cut in two counts twice. */
	if (extents->nr + (extent ? 1 : 0) > BLKTAP_MAX_EXTENTS)
		err = -ENOSPC;
	if (!err)
		err = mtree_store_range(&extents->tree, first, last, extent, BLKTAP_MAP_GFP);
	if (err) {
		blktap_extents_count_cut(extents, first, last, -1, &unused);
		return err;
	}

	if (extent) {
		extent->ranges = 1;
		extents->nr++;
	}
	blktap_extents_free(&unused);
	return 0;
}

void blktap_extents_clear(struct blktap_session *session)
{
	struct blktap_extents *extents = &session->extents;
	LIST_HEAD(unused);

	if (mtree_empty(&extents->tree))
		return;

	blktap_extents_count_cut(extents, 0, ULONG_MAX, 1, &unused);
	mtree_destroy(&extents->tree);
	mt_init_flags(&extents->tree, BLKTAP_TREE_FLAGS);
	blktap_extents_free(&unused);
}

/* Neither a want of memory nor the limit is a reason to go on writing somewhere. */
static void blktap_extents_cut(struct blktap_session *session, unsigned long first,
			       unsigned long last)
{
	struct blktap_extents *extents = &session->extents;

	if (!extents->nr)
		return;
	/* An empty map costs submitters nothing. */
	if (blktap_extents_store(extents, first, last, NULL) || !extents->nr)
		blktap_extents_clear(session);
}

void blktap_extents_forget_file(struct blktap_session *session, const struct blktap_file *file)
{
	unsigned long sector = 0, first, last;
	struct blktap_extent *extent;

	while ((extent = blktap_extents_next(&session->extents, sector, ULONG_MAX, &first, &last))) {
		if (extent->file == file)
			blktap_extents_cut(session, first, last);
		if (last == ULONG_MAX)
			break;
		sector = last + 1;
		cond_resched();
	}
}

/* --- the calls ------------------------------------------------------------------ */

static int blktap_extent_check(const struct blktap_disk *disk, u64 offset, u64 length)
{
	if ((offset | length) & (disk->logical_block_size - 1))
		return -EINVAL;
	if (!length || length > disk->capacity || offset > disk->capacity - length)
		return -EINVAL;
	/* The map's sectors have a machine word. */
	if ((offset + length) >> SECTOR_SHIFT > ULONG_MAX)
		return -EINVAL;

	return 0;
}

static struct blktap_extent *blktap_extent_new(struct blktap_file *file,
					       const struct blktap_map_extent *map)
{
	struct blktap_extent *extent = kzalloc(sizeof(*extent), BLKTAP_MAP_GFP);

	if (!extent)
		return NULL;

	extent->file = file;
	extent->delta = map->file_offset - map->offset;
	extent->flags = map->flags;
	return extent;
}

static int blktap_extent_map_locked(struct blktap_session *session,
				    const struct blktap_map_extent *map)
{
	struct blktap_disk *disk = blktap_session_disk(session);
	struct blktap_extent *extent;
	struct blktap_file *file;
	int err;

	if (!disk || blktap_disk_is_removing(disk))
		return -ENODEV;
	err = blktap_extent_check(disk, map->offset, map->length);
	if (err)
		return err;
	if ((map->file_offset & (disk->logical_block_size - 1)) ||
	    map->file_offset > S64_MAX - map->length)
		return -EINVAL;

	/* The slot keeps the file, and with the slot its extents go. */
	file = blktap_file_in_slot(session, map->slot);
	if (!file || (map->flags & ~file->flags))
		return -EINVAL;

	extent = blktap_extent_new(file, map);
	if (!extent)
		return -ENOMEM;
	err = blktap_extents_store(&session->extents, map->offset >> SECTOR_SHIFT,
				   ((map->offset + map->length) >> SECTOR_SHIFT) - 1, extent);
	if (err)
		kfree(extent);
	return err;
}

int blktap_extent_map(struct blktap_session *session, const struct blktap_map_extent *map)
{
	int err;

	if (!map->flags || (map->flags & ~(BLKTAP_FILE_READ | BLKTAP_FILE_WRITE)))
		return -EINVAL;

	blktap_tap_lock(session->tap);
	err = blktap_extent_map_locked(session, map);
	blktap_tap_unlock(session->tap);

	return err;
}

static int blktap_extent_unmap_locked(struct blktap_session *session, u64 offset, u64 length)
{
	struct blktap_disk *disk = blktap_session_disk(session);
	u64 mask = (disk ? disk->logical_block_size : SECTOR_SIZE) - 1;
	unsigned long first, last = ULONG_MAX;

	if (!blktap_session_attached(session))
		return -ENODEV;
	if ((offset & mask) || offset > S64_MAX || !length)
		return -EINVAL;
	if (length != U64_MAX && ((length & mask) || length > S64_MAX - offset))
		return -EINVAL;

	if (offset >> SECTOR_SHIFT > ULONG_MAX)
		return 0;
	first = offset >> SECTOR_SHIFT;
	if (length != U64_MAX)
		last = min_t(u64, ((offset + length) >> SECTOR_SHIFT) - 1, ULONG_MAX);

	if (!first && last == ULONG_MAX)
		blktap_extents_clear(session);
	else
		blktap_extents_cut(session, first, last);
	return 0;
}

int blktap_extent_unmap(struct blktap_session *session, u64 offset, u64 length)
{
	int err;

	blktap_tap_lock(session->tap);
	err = blktap_extent_unmap_locked(session, offset, length);
	blktap_tap_unlock(session->tap);

	return err;
}

/* --- serving --------------------------------------------------------------------- */

/* The first range's extent, if that and those after it serve all the sectors. */
static struct blktap_extent *blktap_extents_find(struct blktap_extents *extents, u32 flags,
						 unsigned long first, unsigned long last)
{
	MA_STATE(mas, &extents->tree, first, first);
	struct blktap_extent *extent, *next;

	extent = mas_walk(&mas);
	if (!extent || (flags & ~extent->flags))
		return NULL;

	while (mas.last < last) {
		mas_set(&mas, mas.last + 1);
		next = mas_walk(&mas);
		if (!next || (flags & ~next->flags) || next->file != extent->file ||
		    next->delta != extent->delta)
			return NULL;
	}

	return extent;
}

/* Finds the file and offset for a request; it must be put. */
static struct blktap_file *blktap_extent_file(struct blktap_session *session, struct request *rq,
					      u64 *offset)
{
	u32 flags = req_op(rq) == REQ_OP_READ ? BLKTAP_FILE_READ : BLKTAP_FILE_WRITE;
	struct blktap_extent *extent;
	struct blktap_file *file;

	if (mtree_empty(&session->extents.tree) ||
	    blk_rq_pos(rq) + blk_rq_sectors(rq) - 1 > ULONG_MAX)
		return NULL;
	extent = blktap_extents_find(&session->extents, flags, blk_rq_pos(rq),
				     blk_rq_pos(rq) + blk_rq_sectors(rq) - 1);
	if (!extent)
		return NULL;

	/* The disk's workers were there before it was mapped. */
	smp_rmb();
	*offset = blktap_request_offset(rq) + extent->delta;
	file = extent->file;
	if ((rq->cmd_flags & REQ_FUA) && !file->durable)
		return NULL;
	if (!percpu_ref_tryget_live(&file->ref))
		return NULL;
	if (blktap_kio_suits(rq, file, 0, blk_rq_bytes(rq), *offset))
		return file;

	blktap_file_put(file);
	return NULL;
}

/* All is over; in any context. The map can be changed in a process only. */
static void blktap_extent_done(struct request *rq, int error)
{
	struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);
	struct blktap_queue *queue = cmd->queue;
	struct blktap_session *session = queue->session;
	u32 minor = session->tap->minor;

	trace_blktap_moved(minor, queue->index, rq->tag, error);
	if (cmd->worker)
		blktap_worker_done(rq);
	if (!error) {
		atomic64_inc(&queue->ios_extent);
		blktap_file_put(cmd->file);
		trace_blktap_completed(minor, queue->index, rq->tag);
		blktap_request_end(rq, BLK_STS_OK);
		return;
	}

	atomic64_inc(&queue->ios_retry);
	llist_add(&cmd->failed, &session->extents.failed);
	blktap_session_get(session);
	if (!queue_work(blktap_retry_wq, &session->extents.failed_work))
		blktap_session_put(session);
}

bool blktap_extent_take(struct blktap_session *session, struct request *rq)
{
	struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);
	struct blktap_barrier *barrier;

	if (!blktap_request_has_data(rq) || cmd->retry)
		return false;

	/* First the barrier: who waits for it has unmapped before. */
	barrier = blktap_barrier_enter(session);
	if (!barrier)
		return false;
	cmd->file = blktap_extent_file(session, rq, &cmd->file_offset);
	if (!cmd->file) {
		blktap_barrier_leave(barrier);
		return false;
	}

	cmd->queue = &session->queues[rq->mq_hctx->queue_num];
	cmd->bytes = blk_rq_bytes(rq);
	trace_blktap_queued(session->tap->minor, cmd->queue->index, rq->tag);
	trace_blktap_mapped(session->tap->minor, cmd->queue->index, rq->tag, cmd->file_offset,
			    cmd->bytes);
	blk_mq_start_request(rq);
	blktap_kio_begin(rq, barrier, blktap_extent_done);
	return true;
}

/*
 * Who finds no tag starts the requests of others before he sleeps, and they may be what
 * has the tags. A bio on his own stack is his own, so he has a tag; and the only one that he
 * submits.
 */
static bool blktap_extent_is_submitters(const struct request *rq)
{
	return object_is_on_stack(rq->bio);
}

/*
 * Within another submission, what is handed on here waits for nothing: the submitter
 * queues it, and begins it when it is back from this disk. Before that, nothing may
 * make it wait for this very request, or for one that waits for it: a bio that is
 * queued already might, as the rest of one that was split does, and so might the lack
 * of a tag.
 */
static bool blktap_extent_hand_on(struct request *rq)
{
	struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);

	if (!current->bio_list || !bio_list_empty(&current->bio_list[0]) || !cmd->file->bdev)
		return false;
	if (!blktap_extent_is_submitters(rq))
		return false;

	cmd->worker = NULL;
	return blktap_kio_try_hand_on(rq, cmd->file, cmd->file_offset);
}

void blktap_extent_start(struct request *rq, struct blktap_worker *worker, bool may_sleep)
{
	if (!may_sleep || !blktap_extent_hand_on(rq))
		blktap_worker_add(worker, rq, false);
}

/* --- failing ---------------------------------------------------------------------- */

/* Drops what a failed request was served from, unless it is there no more. */
static void blktap_extents_drop(struct blktap_session *session, struct request *rq)
{
	const struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);
	u64 delta = cmd->file_offset - blktap_request_offset(rq);
	unsigned long sector = blk_rq_pos(rq), first, last;
	unsigned long end = sector + blk_rq_sectors(rq) - 1;
	struct blktap_extent *extent;

	while (sector <= end &&
	       (extent = blktap_extents_next(&session->extents, sector, end, &first, &last))) {
		if (extent->file == cmd->file && extent->delta == delta) {
			blktap_extents_cut(session, first, last);
			blktap_netlink_event_dropped(session->tap, (u64)first << SECTOR_SHIFT,
						     ((u64)last - first + 1) << SECTOR_SHIFT,
						     -cmd->kio.error);
		}
		sector = last + 1;
	}
}

/*
 * What is in pieces that are no whole blocks some device below may not be able to cut into
 * what it can do; anybody can make such requests, and others are to keep the extent.
 */
static bool blktap_extent_is_to_blame(struct request *rq)
{
	const struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);

	return cmd->kio.error != -EINVAL || !blktap_kio_is_odd(rq, cmd->file);
}

static void blktap_extents_failed_work(struct work_struct *work)
{
	struct blktap_extents *extents = container_of(work, struct blktap_extents, failed_work);
	struct blktap_session *session = container_of(extents, struct blktap_session, extents);
	struct llist_node *nodes = llist_del_all(&extents->failed);
	struct blktap_tap *tap = session->tap;
	struct blktap_rq *cmd, *next;

	llist_for_each_entry_safe(cmd, next, nodes, failed) {
		struct request *rq = blk_mq_rq_from_pdu(cmd);

		blktap_tap_lock(tap);
		if (tap->session == session && blktap_extent_is_to_blame(rq))
			blktap_extents_drop(session, rq);
		blktap_tap_unlock(tap);

		blktap_file_put(cmd->file);
		blktap_request_fail_over(rq, cmd->kio.error);
	}
	blktap_session_put(session);
}

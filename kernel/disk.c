// SPDX-License-Identifier: GPL-2.0-only
#include "disk.h"
#include "identity.h"
#include "netlink.h"
#include "queue.h"
#include "recovery.h"
#include "request.h"
#include "session.h"
#include "tap.h"
#include "worker.h"

#include <linux/log2.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#define BLKTAP_DISK_FLAGS_KNOWN	(BLKTAP_DISK_READ_ONLY | BLKTAP_DISK_WRITE_CACHE | \
				 BLKTAP_DISK_FUA | BLKTAP_DISK_ROTATIONAL | \
				 BLKTAP_DISK_NO_SCAN | BLKTAP_DISK_DEMAND)

/* Larger claims are of no use and would overflow someone's arithmetic. */
#define BLKTAP_MAX_PHYSICAL_BLOCK	(1U << 20)
#define BLKTAP_MAX_HINT			(1U << 30)

/*
 * Where nobody has set a time-out, so often requests are looked at: whoever has them may
 * have been killed, and wait for its storage before it can release its ring.
 */
#define BLKTAP_LOOK_MS		5000

static int blktap_major;

u32 blktap_disk_major(void)
{
	return blktap_major;
}

/* --- requests ------------------------------------------------------------ */

static bool blktap_request_changes(const struct request *rq)
{
	return op_is_write(req_op(rq)) && req_op(rq) != REQ_OP_FLUSH;
}

/* Whether the block layer lets queue_rq sleep. */
static bool blktap_disk_may_sleep(const struct blktap_disk *disk)
{
	return disk->tags.flags & BLK_MQ_F_BLOCKING;
}

static void blktap_disk_kick_worker(struct blktap_disk *disk, u32 nr)
{
	/* They are there before the first request that needs them. */
	struct blktap_workers *workers = READ_ONCE(disk->workers);

	if (workers)
		blktap_worker_kick(&workers->queues[nr]);
}

/* Without a session: requests that wait are tried again when the gate opens. */
static blk_status_t blktap_disk_status(const struct blktap_disk *disk)
{
	return READ_ONCE(disk->recovery) == BLKTAP_RECOVERY_FAILED ? BLK_STS_IOERR : BLK_STS_RESOURCE;
}

static void blktap_disk_note_swap(struct blktap_disk *disk, const struct request *rq)
{
	if ((rq->cmd_flags & REQ_SWAP) && !READ_ONCE(disk->swap))
		WRITE_ONCE(disk->swap, true);
}

static blk_status_t blktap_queue_rq(struct blk_mq_hw_ctx *hctx, const struct blk_mq_queue_data *bd)
{
	struct blktap_disk *disk = hctx->queue->queuedata;
	u32 nr = hctx->queue_num;
	struct blktap_session *session;
	blk_status_t status;
	bool taken = false;

	/* The block layer only warns of writes from drivers above. */
	if ((READ_ONCE(disk->flags) & BLKTAP_DISK_READ_ONLY) && blktap_request_changes(bd->rq))
		return BLK_STS_IOERR;

	blktap_disk_note_swap(disk, bd->rq);
	blktap_request_begin(bd->rq);
	rcu_read_lock();
	session = rcu_dereference(disk->session);
	if (session)
		taken = blktap_extent_take(session, bd->rq);
	if (taken)
		status = BLK_STS_OK;
	else if (session)
		status = blktap_queue_submit(&session->queues[nr], bd->rq, bd->last);
	else
		status = blktap_disk_status(disk);
	/* Who comes after this one may not find the session, or nothing to kick for. */
	if (session && (bd->last || status || rcu_access_pointer(disk->session) != session))
		blktap_queue_kick_rest(&session->queues[nr]);
	rcu_read_unlock();

	if (taken)
		blktap_extent_start(bd->rq, &disk->workers->queues[nr], blktap_disk_may_sleep(disk));
	/* Those that were to follow may wait for the gate by now. */
	if (bd->last || READ_ONCE(disk->gated))
		blktap_disk_kick_worker(disk, nr);
	return status;
}

static void blktap_commit_rqs(struct blk_mq_hw_ctx *hctx)
{
	struct blktap_disk *disk = hctx->queue->queuedata;
	struct blktap_session *session;

	rcu_read_lock();
	session = rcu_dereference(disk->session);
	if (session)
		blktap_queue_kick(&session->queues[hctx->queue_num]);
	rcu_read_unlock();
	blktap_disk_kick_worker(disk, hctx->queue_num);
}

/* Whether the daemon has it; otherwise it is with a device below. */
static bool blktap_request_is_at_daemon(const struct blktap_session *session,
					const struct request *rq)
{
	const struct blktap_queue *queue = &session->queues[rq->mq_hctx->queue_num];
	const struct blktap_tag *tag;
	int nr = READ_ONCE(rq->tag);

	/* It may be on its way back to the scheduler, without a tag. */
	if (nr < 0)
		return false;

	tag = &queue->tags[nr];
	return READ_ONCE(tag->owner) && READ_ONCE(tag->rq) == rq;
}

/* It serves, and has done so for long enough to be late. */
static bool blktap_session_had_time(const struct blktap_session *session,
				    const struct request_queue *q)
{
	return !READ_ONCE(session->holding) &&
	       time_after_eq(jiffies, READ_ONCE(session->resumed) + q->rq_timeout);
}

/* Runs where nothing may sleep. The request is never given up here. */
static enum blk_eh_timer_return blktap_timeout(struct request *rq)
{
	struct blktap_disk *disk = rq->q->queuedata;
	struct blktap_session *session;

	rcu_read_lock();
	session = rcu_dereference(disk->session);
	if (session && blktap_process_is_exiting(session->pid)) {
		queue_work(blktap_retry_wq, &disk->late_work);
	} else if (session && disk->tap->config.io_timeout_ms &&
		   blktap_session_had_time(session, rq->q)) {
		WRITE_ONCE(disk->late_epoch, (u32)session->epoch);
		if (blktap_request_is_at_daemon(session, rq))
			WRITE_ONCE(disk->daemon_late, true);
		queue_work(blktap_retry_wq, &disk->late_work);
	}
	rcu_read_unlock();

	return BLK_EH_RESET_TIMER;
}

static const struct blk_mq_ops blktap_mq_ops = {
	.queue_rq	= blktap_queue_rq,
	.commit_rqs	= blktap_commit_rqs,
	.timeout	= blktap_timeout,
};

/* Tells of it; whether the daemon's time is over. */
static bool blktap_disk_tell_late(const struct blktap_disk *disk,
				  const struct blktap_session *session, bool at_daemon)
{
	struct blktap_tap *tap = disk->tap;
	bool end = at_daemon && tap->config.on_timeout == BLKTAP_ON_TIMEOUT_KILL;

	if (at_daemon)
		pr_warn("tapdev%u: process %d has not answered a request for %u ms%s\n",
			tap->minor, pid_nr(session->pid), tap->config.io_timeout_ms,
			end ? ": killed" : "");
	else
		pr_warn("tapdev%u: a device below has not answered a request for %u ms\n",
			tap->minor, tap->config.io_timeout_ms);
	blktap_netlink_event(tap, BLKTAP_EVENT_TIMEOUT);

	return end;
}

/* Whether it was the session that was late, and it still serves. */
static bool blktap_disk_was_late(const struct blktap_disk *disk,
				 const struct blktap_session *session)
{
	return (u32)session->epoch == READ_ONCE(disk->late_epoch) &&
	       blktap_session_had_time(session, disk->gd->queue);
}

static void blktap_disk_late_work(struct work_struct *work)
{
	struct blktap_disk *disk = container_of(work, struct blktap_disk, late_work);
	bool at_daemon = xchg(&disk->daemon_late, false);
	struct blktap_session *session;

	blktap_tap_lock(disk->tap);
	session = rcu_dereference_protected(disk->session, lockdep_is_held(&disk->tap->lock));
	/* One that is exiting has been killed already, and its session ends now. */
	if (session && (blktap_process_is_exiting(session->pid) ||
			(blktap_disk_was_late(disk, session) &&
			 blktap_disk_tell_late(disk, session, at_daemon))))
		blktap_session_kill(session);
	blktap_tap_unlock(disk->tap);
}

/* --- openers ------------------------------------------------------------- */

static int blktap_disk_open(BLKTAP_OPEN_ARGS)
{
	struct blktap_disk *disk = BLKTAP_OPEN_DISK->private_data;
	int err = 0;

	spin_lock(&disk->lock);
	if (disk->state == BLKTAP_DISK_STATE_REMOVING)
		err = -ENXIO;
	else
		disk->openers++;
	spin_unlock(&disk->lock);

	return err;
}

/* Something has become of the disk. Also a session that does not serve it yet, for the fence. */
static void blktap_disk_notify(struct blktap_disk *disk)
{
	struct blktap_session *session = disk->tap->session;

	lockdep_assert_held(&disk->tap->lock);
	if (disk->tap->disk == disk && session)
		blktap_session_notify(session);
}

static void blktap_disk_close_work(struct work_struct *work)
{
	struct blktap_disk *disk = container_of(work, struct blktap_disk, close_work);

	blktap_tap_lock(disk->tap);
	blktap_disk_notify(disk);
	blktap_tap_unlock(disk->tap);
}

static void blktap_disk_release(BLKTAP_RELEASE_ARGS)
{
	struct blktap_disk *disk = gd->private_data;
	bool last;

	spin_lock(&disk->lock);
	last = !--disk->openers;
	/* One that is being removed is told of when it has gone. */
	if (last && disk->state != BLKTAP_DISK_STATE_REMOVING)
		queue_work(blktap_retry_wq, &disk->close_work);
	spin_unlock(&disk->lock);
}

/* With the last tap the module may go, so that comes last. */
static void blktap_disk_free(struct blktap_disk *disk)
{
	struct blktap_tap *tap = disk->tap;

	kfree(disk);
	blktap_tap_put(tap);
}

static void blktap_disk_free_disk(struct gendisk *gd)
{
	blktap_disk_free(gd->private_data);
}

static const struct block_device_operations blktap_disk_ops = {
	.owner		= THIS_MODULE,
	.open		= blktap_disk_open,
	.release	= blktap_disk_release,
	.free_disk	= blktap_disk_free_disk,
};

/* --- what keeps a disk that has to go --------------------------------------- */

struct blktap_left {
	const struct blktap_session *session;
	bool at_daemon;
	bool below;
};

static bool blktap_disk_look_left(struct request *rq, void *data)
{
	struct blktap_left *left = data;

	if (blktap_request_is_at_daemon(left->session, rq))
		left->at_daemon = true;
	else
		left->below = true;
	return true;
}

/* No time-out sees what is left: the session does not serve the disk any more. */
static bool blktap_disk_is_overdue(const struct blktap_disk *disk)
{
	const struct blktap_config *config = &disk->tap->config;

	return config->io_timeout_ms && config->on_timeout == BLKTAP_ON_TIMEOUT_KILL &&
	       time_after_eq(jiffies, disk->stuck_since + disk->gd->queue->rq_timeout);
}

/*
 * What the daemon has is its own to answer, or END_SESSION's to take; what a device below
 * has, nobody can take back. I/O of a session that has ended is told of by recovery.
 * Whether the daemon's time is over.
 */
static bool blktap_disk_tell_left(struct blktap_disk *disk, const struct blktap_session *session)
{
	struct blktap_left left = { .session = session };

	blk_mq_tagset_busy_iter(&disk->tags, blktap_disk_look_left, &left);
	if (left.below)
		blktap_netlink_event(disk->tap, BLKTAP_EVENT_STUCK);
	return left.at_daemon && blktap_disk_is_overdue(disk) &&
	       blktap_disk_tell_late(disk, session, true);
}

/* Whether it has to be looked at, as no request's time-out does that. */
static bool blktap_disk_needs_watch(const struct blktap_disk *disk,
				    const struct blktap_session *session)
{
	return blktap_disk_is_removing(disk) || disk->condemned || session->holding;
}

static void blktap_disk_watch(struct blktap_disk *disk)
{
	queue_delayed_work(blktap_retry_wq, &disk->watch_work, BLKTAP_STUCK_PERIOD);
}

/*
 * A daemon that was killed may wait for storage of another disk before it can release its
 * ring: then its session ends all the same.
 */
static void blktap_disk_watch_work(struct work_struct *work)
{
	struct blktap_disk *disk =
		container_of(to_delayed_work(work), struct blktap_disk, watch_work);
	struct blktap_tap *tap = disk->tap;
	struct blktap_session *session;

	blktap_tap_lock(tap);
	session = tap->session;
	if (tap->disk == disk && session && session->started &&
	    blktap_disk_needs_watch(disk, session)) {
		blktap_disk_watch(disk);
		if (blktap_process_is_exiting(session->pid) ||
		    (!session->holding && blktap_disk_tell_left(disk, session)))
			blktap_session_kill(session);
	}
	blktap_tap_unlock(tap);
}

/* --- adding and removing, in the background ------------------------------- */

static void blktap_disk_set_state(struct blktap_disk *disk, u32 state)
{
	spin_lock(&disk->lock);
	WRITE_ONCE(disk->state, state);
	spin_unlock(&disk->lock);
}

/* Forgets the disk; its session, if any, stays attached. */
static void blktap_disk_forget(struct blktap_disk *disk)
{
	struct blktap_tap *tap = disk->tap;
	struct blktap_session *session = tap->session;

	blktap_disk_notify(disk);
	if (session && session->started) {
		blktap_extents_clear(session);
		session->started = false;
		WRITE_ONCE(session->holding, false);
	}
	RCU_INIT_POINTER(disk->session, NULL);
	tap->disk = NULL;
}

/* One that was never added: its last put does not free it. */
static void blktap_disk_discard(struct blktap_disk *disk)
{
	put_disk(disk->gd);
	blktap_workers_free(disk->workers);
	blk_mq_free_tag_set(&disk->tags);
	blktap_disk_free(disk);
}

static void blktap_disk_add_failed(struct blktap_disk *disk, int err)
{
	struct blktap_tap *tap = disk->tap;

	blktap_tap_get(tap);
	blktap_tap_lock(tap);
	pr_err("tapdev%u: cannot be added: %d\n", tap->minor, err);
	tap->start_error = err;
	blktap_disk_forget(disk);
	blktap_tap_unlock(tap);
	cancel_delayed_work_sync(&disk->watch_work);
	cancel_work_sync(&disk->opened_work);
	cancel_work_sync(&disk->close_work);
	cancel_work_sync(&disk->late_work);
	blktap_ioerrors_stop(&disk->errors);
	blktap_tap_try_remove(tap);
	blktap_disk_discard(disk);
	blktap_tap_put(tap);
}

static void blktap_disk_add_work(struct work_struct *work)
{
	struct blktap_disk *disk = container_of(work, struct blktap_disk, add_work);
	struct blktap_tap *tap = disk->tap;
	int err;

	/* Reads the partition table: the daemon must serve, or die. */
	err = device_add_disk(NULL, disk->gd, blktap_identity_groups);
	if (err) {
		blktap_disk_add_failed(disk, err);
		return;
	}

	/* Once it is live it may go, and the tap with it. */
	blktap_tap_get(tap);
	blktap_tap_lock(tap);
	blktap_disk_set_state(disk, BLKTAP_DISK_STATE_LIVE);
	blktap_netlink_event(tap, BLKTAP_EVENT_DISK_ADDED);
	blktap_disk_notify(disk);
	/* It may have been decided meanwhile that it must go. */
	if (disk->condemned)
		blktap_disk_remove(disk, true);
	blktap_tap_unlock(tap);
	blktap_tap_put(tap);
}

static void blktap_disk_remove_work(struct work_struct *work)
{
	struct blktap_disk *disk = container_of(work, struct blktap_disk, remove_work);
	struct blktap_tap *tap = disk->tap;

	/* Who has it open learns of it now, not when a write fails. */
	if (READ_ONCE(disk->condemned))
		blk_mark_disk_dead(disk->gd);
	/* Only a live disk is told of, and none that is not in sysfs. */
	cancel_work_sync(&disk->resize_work);
	del_gendisk(disk->gd);
	cancel_work_sync(&disk->close_work);
	cancel_work_sync(&disk->late_work);
	blktap_ioerrors_stop(&disk->errors);
	/* Whoever brought the last requests has left queue_rq. */
	blk_mq_quiesce_queue(disk->gd->queue);
	blk_mq_unquiesce_queue(disk->gd->queue);

	blktap_tap_get(tap);
	blktap_tap_lock(tap);
	blktap_disk_forget(disk);
	blktap_netlink_event(tap, BLKTAP_EVENT_DISK_REMOVED);
	blktap_tap_unlock(tap);
	blktap_tap_try_remove(tap);

	/* Nobody finds the disk any more, so that they are not queued again. */
	cancel_delayed_work_sync(&disk->watch_work);
	cancel_work_sync(&disk->opened_work);
	blktap_workers_free(disk->workers);
	blk_mq_free_tag_set(&disk->tags);
	put_disk(disk->gd);
	blktap_tap_put(tap);
}

/*
 * Tells user space of the disk's size. Neither with the tap's lock nor for the daemon to wait:
 * this waits for memory, and for others who do, which may come only when requests of this very
 * disk end, or somebody uses force.
 */
static void blktap_disk_resize_work(struct work_struct *work)
{
	struct blktap_disk *disk = container_of(work, struct blktap_disk, resize_work);
	char *envp[2] = { "RESIZE=1" };
	unsigned int noio = memalloc_noio_save();

	kobject_uevent_env(&disk_to_dev(disk->gd)->kobj, KOBJ_CHANGE, envp);
	memalloc_noio_restore(noio);
}

/* Nobody is served any more: with @force, not even by a session that goes on. */
static void blktap_disk_let_go(struct blktap_disk *disk, bool force)
{
	struct blktap_session *session;

	session = rcu_dereference_protected(disk->session, lockdep_is_held(&disk->tap->lock));
	if (session)
		WRITE_ONCE(session->holding, false);
	if (force)
		RCU_INIT_POINTER(disk->session, NULL);
	/* Whoever brought it requests, and was to kick with the last, finds it no more. */
	if (force && session)
		blktap_session_kick(session);
	if (force || !session)
		blktap_recovery_fail(disk);
	else
		blktap_recovery_gate(disk);
	if (force)
		blktap_workers_recall(disk->workers);
}

int blktap_disk_remove(struct blktap_disk *disk, bool force)
{
	bool again = disk->condemned;
	int err = 0;
	u32 state;

	lockdep_assert_held(&disk->tap->lock);

	if (force)
		WRITE_ONCE(disk->condemned, true);
	spin_lock(&disk->lock);
	state = disk->state;
	again |= state == BLKTAP_DISK_STATE_REMOVING;
	if (!force && (state == BLKTAP_DISK_STATE_ADDING || disk->openers))
		err = -EBUSY;
	else if (state == BLKTAP_DISK_STATE_LIVE)
		WRITE_ONCE(disk->state, BLKTAP_DISK_STATE_REMOVING);
	spin_unlock(&disk->lock);

	if (err)
		return err;

	blktap_disk_let_go(disk, force);
	/* Who insists again does not give the daemon more time. */
	if (!again)
		disk->stuck_since = jiffies;
	blktap_disk_watch(disk);
	if (state == BLKTAP_DISK_STATE_LIVE)
		queue_work(blktap_disk_wq, &disk->remove_work);
	return 0;
}

bool blktap_disk_is_adding(const struct blktap_disk *disk)
{
	return READ_ONCE(disk->state) == BLKTAP_DISK_STATE_ADDING;
}

bool blktap_disk_is_removing(const struct blktap_disk *disk)
{
	return READ_ONCE(disk->state) == BLKTAP_DISK_STATE_REMOVING;
}

/* --- starting ------------------------------------------------------------ */

static bool blktap_is_multiple(u64 value, u32 block)
{
	return !(value & (block - 1));
}

static int blktap_start_check_blocks(const struct blktap_start *start)
{
	u32 logical = start->logical_block_size;
	u32 physical = start->physical_block_size;

	if (logical != 512 && logical != 4096)
		return -EINVAL;
	if (physical && (!is_power_of_2(physical) || physical < logical ||
			 physical > BLKTAP_MAX_PHYSICAL_BLOCK))
		return -EINVAL;
	if (!start->capacity || start->capacity > S64_MAX ||
	    !blktap_is_multiple(start->capacity, logical))
		return -EINVAL;

	return 0;
}

/* Defaults for what the daemon leaves open. */
static u32 blktap_start_physical(const struct blktap_start *start)
{
	return start->physical_block_size ?: start->logical_block_size;
}

static u32 blktap_start_granularity(const struct blktap_start *start)
{
	return start->discard_granularity ?: blktap_start_physical(start);
}

static int blktap_start_check_limits(const struct blktap_start *start)
{
	u32 logical = start->logical_block_size;

	if (start->io_min > BLKTAP_MAX_HINT || start->io_opt > BLKTAP_MAX_HINT ||
	    start->discard_granularity > BLKTAP_MAX_HINT)
		return -EINVAL;
	if (!blktap_is_multiple(start->io_min, logical) ||
	    !blktap_is_multiple(start->io_opt, logical) ||
	    !blktap_is_multiple(start->discard_granularity, logical) ||
	    !blktap_is_multiple(start->max_discard, logical) ||
	    !blktap_is_multiple(start->max_write_zeroes, logical))
		return -EINVAL;
	if (start->io_opt && start->io_opt < start->io_min)
		return -EINVAL;
	if (start->max_discard && start->max_discard < blktap_start_granularity(start))
		return -EINVAL;

	return 0;
}

static int blktap_start_check(const struct blktap_session *session,
			      const struct blktap_start *start)
{
	int err;

	if (start->flags & ~BLKTAP_DISK_FLAGS_KNOWN)
		return -EINVAL;
	if ((start->flags & BLKTAP_DISK_DEMAND) &&
	    !(session->features & BLKTAP_F_DATA_ON_DEMAND))
		return -EOPNOTSUPP;
	if ((start->flags & BLKTAP_DISK_FUA) && !(start->flags & BLKTAP_DISK_WRITE_CACHE))
		return -EINVAL;

	err = blktap_start_check_blocks(start);
	if (!err)
		err = blktap_start_check_limits(start);
	return err;
}

/* A request's length has 32 bits. */
static u32 blktap_clamp_bytes(u64 bytes, u32 block)
{
	return min_t(u64, bytes, round_down(UINT_MAX, block));
}

static void blktap_start_limits(const struct blktap_start *start, u32 max_io,
				struct blktap_limits *limits)
{
	u32 physical = blktap_start_physical(start);

	limits->logical_block_size = start->logical_block_size;
	limits->physical_block_size = physical;
	limits->io_min = max(start->io_min, physical);
	limits->io_opt = start->io_opt;
	limits->max_io = round_down(max_io, start->logical_block_size);
	limits->discard_granularity = blktap_start_granularity(start);
	limits->max_discard = blktap_clamp_bytes(start->max_discard, 4096);
	limits->max_write_zeroes = blktap_clamp_bytes(start->max_write_zeroes, 4096);
	limits->write_cache = start->flags & BLKTAP_DISK_WRITE_CACHE;
	limits->fua = start->flags & BLKTAP_DISK_FUA;
	limits->rotational = start->flags & BLKTAP_DISK_ROTATIONAL;
}

static int blktap_disk_alloc_tags(struct blktap_disk *disk, u64 features)
{
	const struct blktap_config *config = &disk->tap->config;
	struct blk_mq_tag_set *tags = &disk->tags;

	tags->ops = &blktap_mq_ops;
	tags->nr_hw_queues = config->queues;
	tags->queue_depth = config->depth;
	tags->numa_node = NUMA_NO_NODE;
	tags->timeout = msecs_to_jiffies(config->io_timeout_ms ?: BLKTAP_LOOK_MS);
	tags->cmd_size = sizeof(struct blktap_rq);
	/* Stacking: a CPU that goes offline does not wait for a daemon. */
	tags->flags = BLK_MQ_F_SHOULD_MERGE | BLK_MQ_F_NO_SCHED_BY_DEFAULT | BLK_MQ_F_STACKING;
	/* I/O to a disk below can be started by whoever brings the request. */
	if (features & BLKTAP_F_EXTENTS)
		tags->flags |= BLK_MQ_F_BLOCKING;

	return blk_mq_alloc_tag_set(tags);
}

static int blktap_disk_alloc_gendisk(struct blktap_disk *disk, const struct blktap_start *start)
{
	u32 minor = disk->tap->minor;
	struct blktap_limits limits;
	struct gendisk *gd;

	blktap_start_limits(start, disk->tap->config.max_io, &limits);
	/* This session or a later one may have the kernel write these pages. */
	limits.stable_writes = true;
	gd = blktap_alloc_disk(&disk->tags, &limits, disk);
	if (IS_ERR(gd))
		return PTR_ERR(gd);

	gd->major = blktap_major;
	gd->first_minor = minor;
	gd->minors = 1;
	gd->fops = &blktap_disk_ops;
	gd->private_data = disk;
	snprintf(gd->disk_name, sizeof(gd->disk_name), BLKTAP_DISK_NAME, minor);
	set_capacity(gd, start->capacity >> SECTOR_SHIFT);
	set_disk_ro(gd, start->flags & BLKTAP_DISK_READ_ONLY);
	if (start->flags & BLKTAP_DISK_NO_SCAN)
		set_bit(GD_SUPPRESS_PART_SCAN, &gd->state);

	disk->gd = gd;
	disk->physical_block_size = limits.physical_block_size;
	return 0;
}

static struct blktap_disk *blktap_disk_alloc(struct blktap_session *session,
					     const struct blktap_start *start)
{
	struct blktap_tap *tap = session->tap;
	struct blktap_disk *disk = kzalloc(sizeof(*disk), GFP_KERNEL);
	int err;

	if (!disk)
		return ERR_PTR(-ENOMEM);

	blktap_tap_get(tap);
	disk->tap = tap;
	disk->flags = start->flags;
	disk->capacity = start->capacity;
	disk->logical_block_size = start->logical_block_size;
	disk->state = BLKTAP_DISK_STATE_ADDING;
	spin_lock_init(&disk->lock);
	INIT_WORK(&disk->add_work, blktap_disk_add_work);
	INIT_WORK(&disk->remove_work, blktap_disk_remove_work);
	INIT_WORK(&disk->resize_work, blktap_disk_resize_work);
	INIT_WORK(&disk->close_work, blktap_disk_close_work);
	INIT_WORK(&disk->opened_work, blktap_recovery_opened_work);
	INIT_WORK(&disk->late_work, blktap_disk_late_work);
	INIT_DELAYED_WORK(&disk->watch_work, blktap_disk_watch_work);
	blktap_ioerrors_init(&disk->errors);

	err = blktap_disk_alloc_tags(disk, session->features);
	if (err)
		goto err_free;

	err = blktap_disk_alloc_gendisk(disk, start);
	if (err)
		goto err_tags;

	return disk;

err_tags:
	blk_mq_free_tag_set(&disk->tags);
err_free:
	blktap_disk_free(disk);
	return ERR_PTR(err);
}

/* Whether what the block layer knows of the disk holds for the new daemon too. */
static bool blktap_disk_is_equal(const struct blktap_disk *disk, const struct blktap_start *start)
{
	u32 gained = start->flags & ~disk->flags;
	u32 missing = disk->flags & ~start->flags;

	/* A cache that is never told to flush, or FUA that is not honoured. */
	if (gained & BLKTAP_DISK_WRITE_CACHE || missing & BLKTAP_DISK_FUA)
		return false;

	return disk->capacity == start->capacity &&
	       disk->logical_block_size == start->logical_block_size &&
	       !((gained | missing) & BLKTAP_DISK_READ_ONLY);
}

static bool blktap_tap_has_workers(const struct blktap_tap *tap)
{
	return tap->disk && tap->disk->workers;
}

/* Whether this session can have a disk now. */
static int blktap_start_may(const struct blktap_session *session)
{
	const struct blktap_tap *tap = session->tap;

	if (tap->session != session && tap->successor != session)
		return -ENODEV;
	/* A successor has to wait until there is nothing under way. */
	if (tap->successor == session && (!tap->session->started || !tap->session->holding))
		return -EBUSY;

	return tap->dying ? -ENODEV : 0;
}

/* What START may need, made before it is known whether it does. */
struct blktap_kit {
	struct blktap_workers *workers;
	struct blktap_disk *disk;
};

static void blktap_kit_free(struct blktap_kit *kit)
{
	blktap_workers_free(kit->workers);
	if (kit->disk)
		blktap_disk_discard(kit->disk);
}

static int blktap_kit_fill(struct blktap_kit *kit, struct blktap_session *session,
			   const struct blktap_start *start, bool workers, bool disk)
{
	struct blktap_tap *tap = session->tap;
	unsigned int noio = memalloc_noio_save();
	int err = 0;

	if (workers) {
		kit->workers = blktap_workers_new(tap->minor, tap->config.queues);
		if (!kit->workers)
			err = -ENOMEM;
	}
	if (disk && !err) {
		kit->disk = blktap_disk_alloc(session, start);
		err = PTR_ERR_OR_ZERO(kit->disk);
		if (err)
			kit->disk = NULL;
	}
	memalloc_noio_restore(noio);

	return err;
}

/*
 * Without the tap's lock: this waits for memory, and for other threads of the kernel which may
 * be freeing some, and so may wait for requests of this very disk that wait for the lock's owner.
 */
static int blktap_kit_make(struct blktap_kit *kit, struct blktap_session *session,
			   const struct blktap_start *start)
{
	struct blktap_tap *tap = session->tap;
	bool workers, disk;
	int err;

	blktap_tap_lock(tap);
	err = blktap_start_may(session);
	/* Of sessions that register nothing no request is left to a worker. */
	workers = blktap_session_may_register(session) && !blktap_tap_has_workers(tap);
	disk = !tap->disk;
	blktap_tap_unlock(tap);
	if (err)
		return err;

	err = blktap_kit_fill(kit, session, start, workers, disk);
	if (err)
		blktap_kit_free(kit);
	return err;
}

/* Those that were made are the disk's, unless it has some. */
static void blktap_disk_give_workers(struct blktap_disk *disk, struct blktap_kit *kit)
{
	if (disk->workers)
		return;

	/* Pairs with the submitter's look: they are ready. */
	smp_store_release(&disk->workers, kit->workers);
	kit->workers = NULL;
}

/* Goes on with the disk of a session that has ended, or that this one succeeds. */
static int blktap_disk_resume(struct blktap_disk *disk, struct blktap_session *session,
			      const struct blktap_start *start, struct blktap_kit *kit)
{
	struct blktap_tap *tap = disk->tap;

	if (blktap_disk_is_removing(disk) || disk->condemned)
		return -EBUSY;
	if (session->started)
		return -EALREADY;
	if (!blktap_disk_is_equal(disk, start))
		return -EMEDIUMTYPE;

	if (tap->successor == session)
		blktap_session_supplant(tap->session);
	blktap_disk_give_workers(disk, kit);
	WRITE_ONCE(disk->flags, (disk->flags & ~BLKTAP_DISK_DEMAND) |
				(start->flags & BLKTAP_DISK_DEMAND));
	session->demand = start->flags & BLKTAP_DISK_DEMAND;
	session->started = true;
	blktap_recovery_start(tap);
	blktap_session_notify(session);
	return 0;
}

static int blktap_disk_start_new(struct blktap_session *session, const struct blktap_start *start,
				 struct blktap_kit *kit)
{
	struct blktap_tap *tap = session->tap;
	struct blktap_disk *disk = kit->disk;

	/* The one before it was going, and is gone. */
	if (!disk)
		return -EBUSY;

	kit->disk = NULL;
	blktap_disk_give_workers(disk, kit);
	tap->start_error = 0;
	tap->disk = disk;
	session->demand = start->flags & BLKTAP_DISK_DEMAND;
	session->started = true;
	blktap_recovery_start(tap);
	queue_work(blktap_disk_wq, &disk->add_work);
	return 0;
}

static int blktap_disk_start_locked(struct blktap_session *session,
				    const struct blktap_start *start, struct blktap_kit *kit)
{
	struct blktap_tap *tap = session->tap;
	int err = blktap_start_may(session);

	if (err)
		return err;

	/* The disk that had them was going, and is gone. */
	if (blktap_session_may_register(session) && !kit->workers && !blktap_tap_has_workers(tap))
		return -EBUSY;

	return tap->disk ? blktap_disk_resume(tap->disk, session, start, kit) :
			   blktap_disk_start_new(session, start, kit);
}

int blktap_disk_start(struct blktap_session *session, const struct blktap_start *start)
{
	struct blktap_kit kit = { };
	int err;

	err = blktap_start_check(session, start);
	if (!err)
		err = blktap_kit_make(&kit, session, start);
	if (err)
		return err;

	blktap_tap_lock(session->tap);
	err = blktap_disk_start_locked(session, start, &kit);
	blktap_tap_unlock(session->tap);

	blktap_kit_free(&kit);
	return err;
}

/* --- stopping and resizing ------------------------------------------------ */

struct blktap_disk *blktap_session_disk(struct blktap_session *session)
{
	struct blktap_tap *tap = session->tap;

	if (tap->session != session || !session->started)
		return NULL;
	return tap->disk;
}

int blktap_disk_stop(struct blktap_session *session, bool force)
{
	struct blktap_disk *disk;
	int err = -ENODEV;

	blktap_tap_lock(session->tap);
	disk = blktap_session_disk(session);
	if (disk)
		err = blktap_disk_remove(disk, force);
	blktap_tap_unlock(session->tap);

	return err;
}

static int blktap_disk_hold_locked(struct blktap_disk *disk, struct blktap_session *session,
				   bool hold)
{
	if (READ_ONCE(disk->state) != BLKTAP_DISK_STATE_LIVE || disk->condemned)
		return -EBUSY;
	if (session->holding == hold)
		return -EALREADY;

	WRITE_ONCE(session->holding, hold);
	WRITE_ONCE(session->resumed, jiffies);
	blktap_recovery_gate(disk);
	if (hold)
		blktap_disk_watch(disk);
	return 0;
}

int blktap_disk_hold(struct blktap_session *session, bool hold)
{
	struct blktap_disk *disk;
	int err = -ENODEV;

	blktap_tap_lock(session->tap);
	disk = blktap_session_disk(session);
	if (disk)
		err = blktap_disk_hold_locked(disk, session, hold);
	blktap_tap_unlock(session->tap);

	return err;
}

static int blktap_disk_resize_locked(struct blktap_disk *disk, u64 capacity)
{
	if (!capacity || capacity > S64_MAX ||
	    !blktap_is_multiple(capacity, disk->logical_block_size))
		return -EINVAL;
	if (READ_ONCE(disk->state) != BLKTAP_DISK_STATE_LIVE)
		return -EBUSY;

	if (disk->capacity == capacity)
		return 0;
	disk->capacity = capacity;
	set_capacity(disk->gd, capacity >> SECTOR_SHIFT);
	blktap_netlink_event(disk->tap, BLKTAP_EVENT_RESIZED);
	queue_work(blktap_disk_wq, &disk->resize_work);
	return 0;
}

int blktap_disk_resize(struct blktap_session *session, u64 capacity)
{
	struct blktap_disk *disk;
	int err = -ENODEV;

	blktap_tap_lock(session->tap);
	disk = blktap_session_disk(session);
	if (disk)
		err = blktap_disk_resize_locked(disk, capacity);
	blktap_tap_unlock(session->tap);

	return err;
}

/* --- what others need of it ------------------------------------------------ */

bool blktap_disk_has_swap(const struct request *rq)
{
	const struct blktap_disk *disk = rq->q->queuedata;

	return READ_ONCE(disk->swap);
}

void blktap_disk_tell_swap(const struct request *rq)
{
	struct blktap_disk *disk = rq->q->queuedata;

	if (!(rq->cmd_flags & REQ_SWAP) || READ_ONCE(disk->swap_told))
		return;

	WRITE_ONCE(disk->swap_told, true);
	pr_warn("tapdev%u: a process writes what is swapped to it: when memory is short, that may hang for good\n",
		disk->tap->minor);
}

int blktap_disk_minor(struct block_device *bdev)
{
	const struct blktap_disk *disk = bdev->bd_disk->private_data;

	return bdev->bd_disk->fops == &blktap_disk_ops ? (int)disk->tap->minor : -1;
}

/* --- module --------------------------------------------------------------- */

int blktap_disk_init(void)
{
	blktap_major = register_blkdev(0, "tapdev");
	return blktap_major < 0 ? blktap_major : 0;
}

void blktap_disk_exit(void)
{
	unregister_blkdev(blktap_major, "tapdev");
}

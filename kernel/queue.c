// SPDX-License-Identifier: GPL-2.0-only
#include "queue.h"
#include "disk.h"
#include "redirect.h"
#include "request.h"
#include "ring.h"
#include "session.h"
#include "tap.h"
#include "trace.h"
#include "wait.h"

#include <linux/anon_inodes.h>
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/bottom_half.h>
#include <linux/fs.h>
#include <linux/log2.h>
#include <linux/poll.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

/* Requests that end together; between batches others may run. */
#define BLKTAP_BATCH	64

/* Fragments that there are for each entry of the completion ring. */
#define BLKTAP_ENTRY_FRAGMENTS	4

void blktap_queue_layout(struct blktap_layout *layout, u32 depth, u64 features)
{
	u32 entries = roundup_pow_of_two(depth);
	u32 sqe_end = sizeof(struct blktap_sq_header) + entries * sizeof(struct blktap_sqe);

	layout->entries = entries;
	layout->sqe_offset = sizeof(struct blktap_sq_header);
	layout->desc_offset = ALIGN(sqe_end, sizeof(struct blktap_desc));
	layout->sq_bytes = PAGE_ALIGN(layout->desc_offset + depth * sizeof(struct blktap_desc));
	layout->cqe_offset = sizeof(struct blktap_cq_header);
	layout->fragment_offset = layout->cqe_offset + entries * sizeof(struct blktap_cqe);
	layout->fragments = features & BLKTAP_F_REDIRECT ?
			    max(entries * BLKTAP_ENTRY_FRAGMENTS, BLKTAP_MAX_FRAGMENTS) : 0;
	layout->cq_bytes = PAGE_ALIGN(layout->fragment_offset +
				      layout->fragments * sizeof(struct blktap_fragment));
}

/* --- submitting ---------------------------------------------------------- */

static u16 blktap_request_flags(const struct blktap_queue *queue, struct request *rq)
{
	const struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);
	u16 flags = 0;

	/* What a session before has asked for may be strange to this one. */
	if (cmd->retry && blktap_session_may_register(queue->session))
		flags |= BLKTAP_REQ_RETRY;

	if (req_op(rq) == REQ_OP_WRITE && (rq->cmd_flags & REQ_FUA))
		flags |= BLKTAP_REQ_FUA;
	if (req_op(rq) == REQ_OP_WRITE && (rq->cmd_flags & REQ_SWAP) &&
	    (queue->session->features & BLKTAP_F_SWAP))
		flags |= BLKTAP_REQ_SWAP;
	if (req_op(rq) == REQ_OP_WRITE_ZEROES && (rq->cmd_flags & REQ_NOUNMAP))
		flags |= BLKTAP_REQ_NOUNMAP;

	return flags;
}

static void blktap_queue_describe(struct blktap_queue *queue, struct request *rq, u32 generation)
{
	const struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);
	struct blktap_desc *desc = &queue->descs[rq->tag];
	bool is_flush = req_op(rq) == REQ_OP_FLUSH;

	desc->generation = generation;
	desc->op = blktap_request_op(rq);
	desc->flags = blktap_request_flags(queue, rq);
	if (queue->tags[rq->tag].demand)
		desc->flags |= BLKTAP_REQ_DEMAND;
	desc->offset = is_flush ? 0 : blktap_request_offset(rq);
	desc->length = cmd->bytes;
	desc->buffer = blktap_request_has_data(rq) ?
		       blktap_buffer_offset(&queue->buffer, cmd->slot) : 0;
}

/*
 * Whether the daemon wants to be woken for what has come since the last look.
 * sq_event is the daemon's word: if it lies, its own disk waits.
 */
static bool blktap_queue_wants_kick(struct blktap_queue *queue)
{
	u32 old = queue->sq_kicked;
	u32 event;

	WRITE_ONCE(queue->sq_kicked, queue->sq_tail);
	/* sq_tail is out before sq_event is read; the daemon does the reverse. */
	smp_mb();
	event = READ_ONCE(queue->cq->sq_event);

	return queue->sq_tail - event - 1 < queue->sq_tail - old;
}

static void blktap_queue_wake(struct blktap_queue *queue)
{
	if (wq_has_sleeper(&queue->wait))
		wake_up_interruptible_poll(&queue->wait, EPOLLIN | EPOLLRDNORM);
}

void blktap_queue_kick(struct blktap_queue *queue)
{
	bool kick;

	spin_lock(&queue->sq_lock);
	kick = blktap_queue_wants_kick(queue);
	spin_unlock(&queue->sq_lock);

	if (kick)
		blktap_queue_wake(queue);
}

static u32 blktap_queue_minor(const struct blktap_queue *queue)
{
	return queue->session->tap->minor;
}

/* With sq_lock held. */
static void blktap_queue_push(struct blktap_queue *queue, struct request *rq)
{
	struct blktap_tag *tag = &queue->tags[rq->tag];
	struct blktap_sqe *sqe = &queue->sqes[queue->sq_tail & (queue->layout.entries - 1)];

	if (!++tag->generation)
		tag->generation = 1;

	tag->bytes = ((struct blktap_rq *)blk_mq_rq_to_pdu(rq))->bytes;
	tag->block_size = queue_logical_block_size(rq->q);
	tag->op = blktap_request_op(rq);
	tag->demand = req_op(rq) == REQ_OP_WRITE && READ_ONCE(queue->session->demand);
	blktap_queue_describe(queue, rq, tag->generation);
	sqe->tag = rq->tag;
	sqe->type = BLKTAP_SQE_REQUEST;

	WRITE_ONCE(tag->rq, rq);
	trace_blktap_submitted(blktap_queue_minor(queue), queue->index, rq->tag,
			       &queue->descs[rq->tag]);
	/* From here on a completion may end it. */
	smp_store_release(&tag->owner, tag->generation);
	/* The daemon's acquire: descriptor, entry and data are there. */
	smp_store_release(&queue->sq->sq_tail, queue->sq_tail + 1);
	/* A wait that ends with this has not ended too early. */
	smp_store_release(&queue->sq_tail, queue->sq_tail + 1);
}

/* Finds room for a request's data, maybe not for all of it. */
static blk_status_t blktap_queue_take_buffer(struct blktap_queue *queue, struct request *rq)
{
	struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);
	struct blktap_grant grant;
	int err;

	err = blktap_buffer_take(&queue->buffer, rq->tag, cmd->bytes, &grant);
	if (grant.grew)
		blktap_session_trim_later(queue->session);
	if (grant.scarce)
		blktap_session_trim_now(queue->session);
	if (err)
		return BLK_STS_RESOURCE;

	cmd->slot = grant.slot;
	cmd->bytes = grant.bytes;
	if (req_op(rq) == REQ_OP_WRITE && !READ_ONCE(queue->session->demand))
		blktap_buffer_fill(&queue->buffer, cmd->slot, rq, cmd->bytes);

	return BLK_STS_OK;
}

blk_status_t blktap_queue_submit(struct blktap_queue *queue, struct request *rq, bool last)
{
	struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);
	bool has_data = blktap_request_has_data(rq);
	bool kick = false;
	blk_status_t status;
	bool dead;

	if (blktap_request_op(rq) < 0)
		return BLK_STS_NOTSUPP;

	trace_blktap_queued(blktap_queue_minor(queue), queue->index, rq->tag);
	cmd->bytes = blk_rq_bytes(rq);
	if (has_data) {
		status = blktap_queue_take_buffer(queue, rq);
		if (status)
			return status;
	}

	blk_mq_start_request(rq);

	spin_lock(&queue->sq_lock);
	dead = queue->dead;
	if (!dead) {
		blktap_queue_push(queue, rq);
		if (last)
			kick = blktap_queue_wants_kick(queue);
	}
	spin_unlock(&queue->sq_lock);

	if (kick)
		blktap_queue_wake(queue);
	if (!dead)
		return BLK_STS_OK;

	if (has_data)
		blktap_buffer_release(&queue->buffer, cmd->slot);
	/* The gate is closed by now: it is tried again when that opens. */
	return queue->requeue ? BLK_STS_RESOURCE : BLK_STS_IOERR;
}

/* --- ending -------------------------------------------------------------- */

struct request *blktap_queue_claim(struct blktap_queue *queue, u16 tag, u32 generation)
{
	if (tag >= queue->depth || !generation)
		return NULL;
	if (cmpxchg(&queue->tags[tag].owner, generation, 0) != generation)
		return NULL;

	return queue->tags[tag].rq;
}

static void blktap_batch_end(struct io_comp_batch *batch)
{
	if (!batch->complete)
		return;

	local_bh_disable();
	batch->complete(batch);
	local_bh_enable();
	batch->complete = NULL;
}

static void blktap_queue_finish(struct blktap_queue *queue, struct request *rq, s64 result,
				struct io_comp_batch *batch)
{
	struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);
	u32 bytes = cmd->bytes;
	blk_status_t status;

	trace_blktap_reaped(blktap_queue_minor(queue), queue->index, rq->tag,
			    queue->tags[rq->tag].generation, result);
	status = result == bytes ? BLK_STS_OK : blktap_errno_status(result);

	if (!status && req_op(rq) == REQ_OP_READ)
		blktap_buffer_drain(&queue->buffer, cmd->slot, 0, rq, 0, bytes);
	if (blktap_request_has_data(rq))
		blktap_buffer_release(&queue->buffer, cmd->slot);
	blktap_disk_tell_swap(rq);

	trace_blktap_completed(blktap_queue_minor(queue), queue->index, rq->tag);
	if (status)
		blktap_request_end(rq, status);
	else if (bytes < blk_rq_bytes(rq))
		blktap_request_continue(rq, bytes);
	else if (!blk_mq_add_to_batch(rq, batch, 0, blk_mq_end_request_batch))
		blktap_request_end(rq, BLK_STS_OK);
}

/* A request that was claimed after the end. */
static void blktap_queue_return(struct blktap_queue *queue, struct request *rq)
{
	struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);

	if (!queue->requeue) {
		blktap_queue_finish(queue, rq, -EIO, NULL);
		return;
	}

	if (blktap_request_has_data(rq))
		blktap_buffer_release(&queue->buffer, cmd->slot);
	trace_blktap_held(blktap_queue_minor(queue), queue->index, rq->tag);
	blk_mq_requeue_request(rq, true);
}

void blktap_queue_kill(struct blktap_queue *queue, bool requeue)
{
	u32 tag;

	spin_lock(&queue->sq_lock);
	queue->requeue = requeue;
	/* Who sees this sees what becomes of requests. */
	smp_store_release(&queue->dead, true);
	spin_unlock(&queue->sq_lock);
	smp_mb(); /* pairs with that in blktap_queue_unclaim() */

	for (tag = 0; tag < queue->depth; tag++) {
		u32 generation = READ_ONCE(queue->tags[tag].owner);
		struct request *rq = blktap_queue_claim(queue, tag, generation);

		if (rq)
			blktap_queue_return(queue, rq);
		cond_resched();
	}

	wake_up_interruptible_poll(&queue->wait, EPOLLERR | EPOLLHUP);
}

/* Gives a claimed request back to the daemon, which may have died meanwhile. */
static void blktap_queue_unclaim(struct blktap_queue *queue, u32 tag, u32 generation)
{
	struct request *rq;

	/* Who ends the session says so, then looks for requests; here it is the reverse. */
	smp_store_release(&queue->tags[tag].owner, generation);
	smp_mb(); /* pairs with that in blktap_queue_kill() */
	if (!READ_ONCE(queue->dead))
		return;

	rq = blktap_queue_claim(queue, tag, generation);
	if (rq)
		blktap_queue_return(queue, rq);
}

struct request *blktap_queue_claim_answered(struct blktap_queue *queue, u16 tag, u32 generation)
{
	struct request *rq = blktap_queue_claim(queue, tag, generation);

	if (!rq || likely(!blk_should_fake_timeout(rq->q)))
		return rq;

	blktap_queue_unclaim(queue, tag, generation);
	return NULL;
}

/* --- taking completions -------------------------------------------------- */

/* Shared memory is read once; what is checked is what is used. */
static struct blktap_cqe blktap_queue_read_cqe(const struct blktap_queue *queue, u32 index)
{
	const struct blktap_cqe *shared = &queue->cqes[index & (queue->layout.entries - 1)];
	union {
		struct blktap_cqe cqe;
		u64 words[sizeof(struct blktap_cqe) / sizeof(u64)];
	} copy;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(copy.words); i++)
		copy.words[i] = READ_ONCE(((const u64 *)shared)[i]);

	return copy.cqe;
}

static bool blktap_cqe_is_sound(const struct blktap_cqe *cqe)
{
	return cqe->type == BLKTAP_CQE_DONE && !cqe->flags && !cqe->fragment &&
	       !cqe->fragments && !cqe->reserved;
}

static bool blktap_queue_take_cqe(struct blktap_queue *queue, u32 index,
				  struct io_comp_batch *batch)
{
	struct blktap_cqe cqe = blktap_queue_read_cqe(queue, index);
	struct request *rq;

	if (cqe.type == BLKTAP_CQE_REDIRECT) {
		/* It may wait for what is below; those that have been answered do not. */
		blktap_batch_end(batch);
		return blktap_redirect_take(queue, &cqe);
	}
	if (!blktap_cqe_is_sound(&cqe))
		return false;

	rq = blktap_queue_claim_answered(queue, cqe.tag, cqe.generation);
	if (!rq)
		return false;

	blktap_queue_finish(queue, rq, cqe.result, batch);
	WRITE_ONCE(queue->ios_daemon, queue->ios_daemon + 1);
	return true;
}

/* Takes all completions there are, with queue->enter held. */
static int blktap_queue_reap(struct blktap_queue *queue, struct blktap_enter *enter)
{
	/* The daemon's release: its entries and READ data are there. */
	u32 tail = smp_load_acquire(&queue->cq->cq_tail);
	u32 head = queue->cq_head;
	DEFINE_IO_COMP_BATCH(batch);
	struct blk_plug plug;

	if (tail == head)
		return 0;
	if (tail - head > queue->layout.entries)
		return -EPROTO;

	/* Redirects next to each other may become one request below. */
	blk_start_plug(&plug);
	for (; head != tail; head++) {
		if (blktap_queue_take_cqe(queue, head, &batch))
			enter->taken++;
		else
			enter->rejected++;

		if (!((enter->taken + enter->rejected) % BLKTAP_BATCH)) {
			blktap_batch_end(&batch);
			cond_resched();
		}
	}
	blktap_batch_end(&batch);
	blk_finish_plug(&plug);

	queue->cq_head = head;
	WRITE_ONCE(queue->sq->cq_head, head);
	WRITE_ONCE(queue->rejected, queue->rejected + enter->rejected);

	return 0;
}

static int blktap_queue_enter_locked(struct blktap_queue *queue, struct blktap_enter *enter)
{
	unsigned int noio;
	int err;

	if (READ_ONCE(queue->dead))
		return -ENODEV;

	noio = memalloc_noio_save();
	err = blktap_queue_reap(queue, enter);
	if (err)
		blktap_session_end(queue->session);
	memalloc_noio_restore(noio);

	if (!err && (enter->flags & BLKTAP_ENTER_WAIT))
		err = blktap_queue_wait(queue, enter);
	return err;
}

static bool blktap_enter_is_sound(const struct blktap_enter *enter)
{
	if (enter->flags & ~(BLKTAP_ENTER_WAIT | BLKTAP_ENTER_ALSO))
		return false;
	if (enter->fd && !(enter->flags & BLKTAP_ENTER_ALSO))
		return false;

	if (enter->reserved)
		return false;

	return enter->flags & BLKTAP_ENTER_WAIT || (!enter->flags && !enter->spin);
}

static long blktap_queue_enter(struct blktap_queue *queue, void __user *arg)
{
	struct blktap_enter enter;
	u32 user_size;
	int err;

	err = blktap_copy_struct_in(&enter, sizeof(enter), arg, &user_size);
	if (err)
		return err;
	if (!blktap_enter_is_sound(&enter))
		return -EINVAL;

	if (!mutex_trylock(&queue->enter))
		return -EBUSY;
	enter.taken = 0;
	enter.rejected = 0;
	enter.ready = 0;
	enter.waited = 0;
	enter.delayed = 0;
	err = blktap_queue_enter_locked(queue, &enter);
	mutex_unlock(&queue->enter);

	if (blktap_copy_struct_out(arg, &enter, sizeof(enter), user_size))
		return -EFAULT;
	return err;
}

/* --- fetching -------------------------------------------------------------- */

static int blktap_queue_fetch_tag(struct blktap_queue *queue, u32 nr, u32 generation)
{
	struct blktap_tag *tag;
	struct blktap_rq *cmd;
	struct request *rq;
	int err = 0;

	if (nr >= queue->depth)
		return -ESTALE;
	/* While it is copied, nobody else may end it. */
	rq = blktap_queue_claim(queue, nr, generation);
	if (!rq)
		return -ESTALE;

	tag = &queue->tags[nr];
	cmd = blk_mq_rq_to_pdu(rq);
	if (tag->demand)
		blktap_buffer_fill(&queue->buffer, cmd->slot, rq, cmd->bytes);
	else
		err = -EINVAL;
	tag->demand = false;
	trace_blktap_fetched(blktap_queue_minor(queue), queue->index, nr);
	blktap_queue_unclaim(queue, nr, generation);

	return err;
}

static long blktap_queue_fetch(struct blktap_queue *queue, const void __user *arg)
{
	struct blktap_fetch fetch;
	u32 user_size;
	int err;

	err = blktap_copy_struct_in(&fetch, sizeof(fetch), arg, &user_size);
	if (err)
		return err;
	if (fetch.flags)
		return -EINVAL;
	if (!(queue->session->features & BLKTAP_F_DATA_ON_DEMAND))
		return -EOPNOTSUPP;

	if (!mutex_trylock(&queue->enter))
		return -EBUSY;
	if (READ_ONCE(queue->dead))
		err = -ENODEV;
	else
		err = blktap_queue_fetch_tag(queue, fetch.tag, fetch.generation);
	mutex_unlock(&queue->enter);

	return err;
}

/* --- the queue's descriptor ---------------------------------------------- */

static long blktap_queue_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct blktap_queue *queue = file->private_data;

	if ((cmd & ~IOCSIZE_MASK) == (BLKTAP_IOC_ENTER & ~IOCSIZE_MASK))
		return blktap_queue_enter(queue, (void __user *)arg);
	if ((cmd & ~IOCSIZE_MASK) == (BLKTAP_IOC_FETCH & ~IOCSIZE_MASK))
		return blktap_queue_fetch(queue, (void __user *)arg);
	return -ENOTTY;
}

static __poll_t blktap_queue_poll(struct file *file, poll_table *wait)
{
	struct blktap_queue *queue = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &queue->wait, wait);
	/* On the list before looking, as the submitter looks after publishing. */
	smp_mb();

	if (blktap_queue_is_ready(queue))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(queue->dead))
		mask |= EPOLLERR | EPOLLHUP;

	return mask;
}

static int blktap_queue_file_release(struct inode *inode, struct file *file)
{
	struct blktap_queue *queue = file->private_data;

	blktap_session_put(queue->session);
	return 0;
}

static const struct file_operations blktap_queue_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= blktap_queue_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.poll		= blktap_queue_poll,
	.release	= blktap_queue_file_release,
};

int blktap_queue_get_fd(struct blktap_queue *queue)
{
	int fd;

	blktap_session_get(queue->session);
	fd = anon_inode_getfd("[blktap-queue]", &blktap_queue_fops, queue, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		blktap_session_put(queue->session);
	return fd;
}

/* --- life ---------------------------------------------------------------- */

static int blktap_queue_alloc(struct blktap_queue *queue)
{
	const struct blktap_layout *layout = &queue->layout;

	queue->tags = kvcalloc(queue->depth, sizeof(*queue->tags), GFP_KERNEL);
	queue->sq_area = vmalloc_user(layout->sq_bytes);
	queue->cq_area = vmalloc_user(layout->cq_bytes);
	if (!queue->tags || !queue->sq_area || !queue->cq_area)
		return -ENOMEM;

	if (layout->fragments) {
		queue->redirect = blktap_redirect_new();
		if (!queue->redirect)
			return -ENOMEM;
	}

	queue->sq = queue->sq_area;
	queue->sqes = queue->sq_area + layout->sqe_offset;
	queue->descs = queue->sq_area + layout->desc_offset;
	queue->cq = queue->cq_area;
	queue->cqes = queue->cq_area + layout->cqe_offset;
	queue->fragments = queue->cq_area + layout->fragment_offset;
	return 0;
}

static void blktap_queue_free(struct blktap_queue *queue)
{
	blktap_redirect_free(queue->redirect);
	vfree(queue->cq_area);
	vfree(queue->sq_area);
	kvfree(queue->tags);
}

int blktap_queue_init(struct blktap_queue *queue, struct blktap_session *session, u32 index,
		      const struct blktap_config *config, u64 features)
{
	int err;

	queue->session = session;
	queue->index = index;
	queue->depth = config->depth;
	blktap_queue_layout(&queue->layout, config->depth, features);
	spin_lock_init(&queue->sq_lock);
	mutex_init(&queue->enter);
	init_waitqueue_head(&queue->wait);

	err = blktap_queue_alloc(queue);
	if (!err)
		err = blktap_buffer_init(&queue->buffer, config->depth, config->max_io);
	if (err)
		blktap_queue_free(queue);
	return err;
}

void blktap_queue_exit(struct blktap_queue *queue)
{
	blktap_buffer_exit(&queue->buffer);
	blktap_queue_free(queue);
	mutex_destroy(&queue->enter);
}

// SPDX-License-Identifier: GPL-2.0-only
#include "redirect.h"
#include "barrier.h"
#include "disk.h"
#include "file.h"
#include "queue.h"
#include "request.h"
#include "session.h"
#include "tap.h"
#include "trace.h"
#include "worker.h"

#include <linux/blktap.h>
#include <linux/slab.h>

/* The redirect that is being taken, read from shared memory once. */
struct blktap_redirect {
	u32 nr;				/* pieces whose files are kept */
	struct blktap_fragment fragments[BLKTAP_MAX_FRAGMENTS];
	struct blktap_file *files[BLKTAP_MAX_FRAGMENTS];	/* NULL: no FILE */
};

struct blktap_redirect *blktap_redirect_new(void)
{
	return kzalloc(sizeof(struct blktap_redirect), GFP_KERNEL);
}

void blktap_redirect_free(struct blktap_redirect *redirect)
{
	kfree(redirect);
}

/* --- checking ----------------------------------------------------------------- */

static void blktap_fragment_read(const struct blktap_queue *queue, u32 index,
				 struct blktap_fragment *fragment)
{
	const u64 *shared = (const u64 *)&queue->fragments[index];
	u64 *copy = (u64 *)fragment;
	u32 i;

	for (i = 0; i < sizeof(*fragment) / sizeof(u64); i++)
		copy[i] = READ_ONCE(shared[i]);
}

static bool blktap_redirect_in_bounds(const struct blktap_queue *queue,
				      const struct blktap_cqe *cqe)
{
	return cqe->fragments && cqe->fragments <= BLKTAP_MAX_FRAGMENTS &&
	       cqe->fragments <= queue->layout.fragments &&
	       cqe->fragment <= queue->layout.fragments - cqe->fragments;
}

/* Whether the range may be asked for at all; ends are no more than @end. */
static bool blktap_fragment_is_aligned(const struct blktap_fragment *fragment,
				       const struct blktap_tag *tag, u64 end)
{
	return !((fragment->offset | fragment->length) & (tag->block_size - 1)) &&
	       fragment->length && fragment->length <= tag->bytes &&
	       fragment->offset <= end - fragment->length;
}

static bool blktap_fragment_is_sound(const struct blktap_fragment *fragment,
				     const struct blktap_tag *tag)
{
	if (fragment->reserved)
		return false;

	switch (fragment->type) {
	case BLKTAP_FRAGMENT_FILE:
		return blktap_fragment_is_aligned(fragment, tag, S64_MAX);
	case BLKTAP_FRAGMENT_ZERO:
		return tag->op == BLKTAP_OP_READ && !fragment->file && !fragment->offset &&
		       blktap_fragment_is_aligned(fragment, tag, tag->bytes);
	case BLKTAP_FRAGMENT_BUFFER:
		return !fragment->file && blktap_fragment_is_aligned(fragment, tag, tag->bytes);
	default:
		return false;
	}
}

/* Reads and checks one more piece, and keeps its file. */
static bool blktap_redirect_add(struct blktap_queue *queue, const struct blktap_tag *tag,
				u32 index)
{
	struct blktap_redirect *redirect = queue->redirect;
	struct blktap_fragment *fragment = &redirect->fragments[redirect->nr];
	u32 flags = tag->op == BLKTAP_OP_READ ? BLKTAP_FILE_READ : BLKTAP_FILE_WRITE;
	struct blktap_file *file = NULL;

	blktap_fragment_read(queue, index, fragment);
	if (!blktap_fragment_is_sound(fragment, tag))
		return false;

	if (fragment->type == BLKTAP_FRAGMENT_FILE) {
		file = blktap_file_get(queue->session, fragment->file, flags);
		if (!file)
			return false;
	}
	redirect->files[redirect->nr++] = file;
	return true;
}

static void blktap_redirect_put_files(struct blktap_redirect *redirect)
{
	while (redirect->nr) {
		struct blktap_file *file = redirect->files[--redirect->nr];

		if (file)
			blktap_file_put(file);
	}
}

static bool blktap_redirect_collect(struct blktap_queue *queue, const struct blktap_cqe *cqe,
				    const struct blktap_tag *tag)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < cqe->fragments; i++) {
		if (!blktap_redirect_add(queue, tag, cqe->fragment + i))
			return false;
		sum += queue->redirect->fragments[i].length;
	}

	return sum == tag->bytes;
}

/* The request may be taken back at any moment: what is asked is the tag's copy. */
static bool blktap_redirect_read(struct blktap_queue *queue, const struct blktap_cqe *cqe)
{
	const struct blktap_tag *tag;

	if (cqe->flags || cqe->reserved || cqe->tag >= queue->depth || !cqe->generation)
		return false;

	tag = &queue->tags[cqe->tag];
	/* Pairs with the release in push: what it wrote is what is seen. */
	if (smp_load_acquire(&tag->owner) != cqe->generation)
		return false;
	if (tag->op != BLKTAP_OP_READ && tag->op != BLKTAP_OP_WRITE)
		return false;

	return cqe->result == tag->bytes && blktap_redirect_in_bounds(queue, cqe) &&
	       blktap_redirect_collect(queue, cqe, tag);
}

/* --- doing ---------------------------------------------------------------------- */

void blktap_redirect_drop(struct request *rq)
{
	struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);

	blktap_redirect_put_files(cmd->redirect);
	blktap_redirect_free(cmd->redirect);
	cmd->redirect = NULL;
}

/* All is over; in any context. */
static void blktap_redirect_done(struct request *rq, int error)
{
	struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);
	struct blktap_queue *queue = cmd->queue;
	u32 minor = queue->session->tap->minor;

	trace_blktap_moved(minor, queue->index, rq->tag, error);
	if (cmd->redirect) {
		blktap_worker_done(rq);
		blktap_redirect_drop(rq);
	}
	if (error) {
		if (!cmd->retry)
			atomic64_inc(&queue->ios_retry);
		blktap_request_fail_over(rq, error);
		return;
	}

	atomic64_inc(&queue->ios_redirect);
	trace_blktap_completed(minor, queue->index, rq->tag);
	if (cmd->bytes < blk_rq_bytes(rq))
		blktap_request_continue(rq, cmd->bytes);
	else
		blktap_request_end(rq, BLK_STS_OK);
}

/* What needs no file. */
static void blktap_redirect_move_piece(struct blktap_queue *queue, struct request *rq, u32 at,
				       const struct blktap_fragment *fragment)
{
	const struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);

	if (fragment->type == BLKTAP_FRAGMENT_ZERO)
		blktap_request_zero(rq, at, fragment->length);
	/* What a WRITE has in the buffer, the daemon has dealt with. */
	if (fragment->type == BLKTAP_FRAGMENT_BUFFER && req_op(rq) == REQ_OP_READ)
		blktap_buffer_drain(&queue->buffer, cmd->slot, fragment->offset, rq, at,
				    fragment->length);
}

static void blktap_redirect_move(struct blktap_queue *queue, struct request *rq)
{
	const struct blktap_redirect *redirect = queue->redirect;
	const struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);
	u32 i, at = 0;

	for (i = 0; i < redirect->nr; i++) {
		blktap_redirect_move_piece(queue, rq, at, &redirect->fragments[i]);
		at += redirect->fragments[i].length;
	}
	blktap_buffer_release(&queue->buffer, cmd->slot);
}

void blktap_redirect_start(struct request *rq, const struct blktap_redirect *redirect)
{
	u32 i, at = 0;

	for (i = 0; i < redirect->nr; i++) {
		const struct blktap_fragment *fragment = &redirect->fragments[i];

		if (fragment->type == BLKTAP_FRAGMENT_FILE)
			blktap_kio_start(rq, redirect->files[i], at, fragment->length,
					 fragment->offset);
		at += fragment->length;
	}
}

/* Whether another tap has to serve, maybe by the very thread that is in ENTER. */
static bool blktap_redirect_is_stacked(const struct blktap_redirect *redirect)
{
	u32 i;

	for (i = 0; i < redirect->nr; i++) {
		if (redirect->files[i] && redirect->files[i]->below >= 0)
			return true;
	}

	return false;
}

/* Who begins it may wait for a tag of the tap below, and so for its daemon. */
static void blktap_redirect_leave(struct blktap_queue *queue, struct request *rq)
{
	struct blktap_disk *disk = rq->q->queuedata;
	struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);

	cmd->redirect = kmemdup(queue->redirect, sizeof(*queue->redirect),
				GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
	if (!cmd->redirect) {
		blktap_kio_fail(rq, -ENOMEM);
		blktap_kio_end(rq);
		return;
	}

	/* The files go along. */
	queue->redirect->nr = 0;
	blktap_worker_add(&disk->workers->queues[queue->index], rq, true);
}

static void blktap_redirect_begin(struct blktap_queue *queue, struct request *rq,
				  struct blktap_barrier *barrier)
{
	struct blktap_redirect *redirect = queue->redirect;
	struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);

	trace_blktap_redirected(queue->session->tap->minor, queue->index, rq->tag, redirect->nr);
	cmd->queue = queue;
	blktap_kio_begin(rq, barrier, blktap_redirect_done);
	blktap_redirect_move(queue, rq);
	if (blktap_redirect_is_stacked(redirect)) {
		blktap_redirect_leave(queue, rq);
		return;
	}

	blktap_redirect_start(rq, redirect);
	blktap_kio_end(rq);
}

bool blktap_redirect_take(struct blktap_queue *queue, const struct blktap_cqe *cqe)
{
	struct blktap_barrier *barrier;
	struct request *rq = NULL;

	if (!queue->redirect)
		return false;
	barrier = blktap_barrier_enter(queue->session);
	if (!barrier)
		return false;

	queue->redirect->nr = 0;
	if (blktap_redirect_read(queue, cqe))
		rq = blktap_queue_claim_answered(queue, cqe->tag, cqe->generation);
	if (rq)
		blktap_redirect_begin(queue, rq, barrier);
	else
		blktap_barrier_leave(barrier);
	blktap_redirect_put_files(queue->redirect);

	return rq;
}

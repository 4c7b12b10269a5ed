// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Taking requests from a queue and posting completions, without system calls.
 */
#include <errno.h>
#include <stdatomic.h>

#include "queue.h"

/* The ABI's fields are plain integers; these are the accesses they need. */
static uint32_t load_acquire(const __u32 *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void store_release(__u32 *p, uint32_t value)
{
	__atomic_store_n(p, value, __ATOMIC_RELEASE);
}

static const struct blktap_sqe *sqe_at(const struct blktap_queue *queue, uint32_t index)
{
	size_t slot = index & (queue->sq_entries - 1);

	return (const void *)(queue->sqes + slot * queue->sqe_stride);
}

static const struct blktap_desc *desc_at(const struct blktap_queue *queue, uint16_t tag)
{
	return (const void *)(queue->descs + (size_t)tag * queue->desc_stride);
}

static struct blktap_cqe *cqe_at(const struct blktap_queue *queue, uint32_t index)
{
	size_t slot = index & (queue->cq_entries - 1);

	return (void *)(queue->cqes + slot * queue->cqe_stride);
}

/* Looks at sq_tail when what was seen of it is used up. */
static bool submissions(struct blktap_queue *queue)
{
	uint32_t ahead;

	if (queue->sq_head != queue->sq_seen)
		return true;
	if (queue->broken)
		return false;
	queue->sq_seen = load_acquire(&queue->sq->sq_tail);
	ahead = queue->sq_seen - queue->sq_head;
	if (ahead <= queue->sq_entries)
		return ahead != 0;
	queue->broken = true;
	queue->sq_seen = queue->sq_head;
	return false;
}

static bool has_data(uint8_t op)
{
	return op == BLKTAP_OP_READ || op == BLKTAP_OP_WRITE;
}

/* False if the data would lie outside of the buffer area. */
static bool find_data(const struct blktap_queue *queue, const struct blktap_desc *desc,
		      struct blktap_request *req)
{
	uint64_t buffer = desc->buffer;

	req->data = NULL;
	if (!has_data(req->op))
		return true;
	if (req->length > queue->max_io || buffer > queue->buffer_bytes ||
	    req->length > queue->buffer_bytes - buffer)
		return false;
	req->data = queue->buffer + buffer;
	return true;
}

static bool read_request(const struct blktap_queue *queue, uint16_t tag,
			 struct blktap_request *req)
{
	const struct blktap_desc *desc = desc_at(queue, tag);

	req->tag = tag;
	req->generation = desc->generation;
	req->op = desc->op;
	req->flags = desc->flags;
	req->offset = desc->offset;
	req->length = desc->length;
	return find_data(queue, desc, req);
}

bool blktap_queue_next(struct blktap_queue *queue, struct blktap_request *req)
{
	while (submissions(queue)) {
		const struct blktap_sqe *sqe = sqe_at(queue, queue->sq_head++);

		if (sqe->type != BLKTAP_SQE_REQUEST || sqe->tag >= queue->depth)
			continue;
		if (read_request(queue, sqe->tag, req))
			return true;
		blktap_queue_complete(queue, req, -EIO);
	}
	return false;
}

void blktap_queue_complete(struct blktap_queue *queue, const struct blktap_request *req,
			   int64_t result)
{
	struct blktap_cqe *cqe = cqe_at(queue, queue->cq_tail);

	*cqe = (struct blktap_cqe){
		.tag = req->tag,
		.type = BLKTAP_CQE_DONE,
		.generation = req->generation,
		.result = result,
	};
	queue->cq_tail++;
}

static uint32_t first_fragment(const struct blktap_queue *queue, const struct blktap_request *req)
{
	return req->tag * queue->tag_fragments;
}

struct blktap_fragment *blktap_queue_fragments(const struct blktap_queue *queue,
					       const struct blktap_request *req,
					       unsigned int *count)
{
	*count = queue->tag_fragments;
	return queue->tag_fragments ? queue->fragments + first_fragment(queue, req) : NULL;
}

void blktap_queue_redirect(struct blktap_queue *queue, const struct blktap_request *req,
			   unsigned int fragments)
{
	struct blktap_cqe *cqe = cqe_at(queue, queue->cq_tail);

	*cqe = (struct blktap_cqe){
		.tag = req->tag,
		.type = BLKTAP_CQE_REDIRECT,
		.generation = req->generation,
		.result = req->length,
		.fragment = first_fragment(queue, req),
		.fragments = fragments,
	};
	queue->cq_tail++;
}

unsigned int blktap_queue_posted(const struct blktap_queue *queue)
{
	return queue->cq_tail - queue->cq_entered;
}

bool blktap_queue_arm(struct blktap_queue *queue)
{
	store_release(&queue->cq->sq_head, queue->sq_head);
	store_release(&queue->cq->sq_event, queue->sq_head);
	/* The kernel stores sq_tail, then looks at sq_event: one of us sees the other. */
	atomic_thread_fence(memory_order_seq_cst);
	return !submissions(queue);
}

/*
 * Not sq_head: it would silence poll() while sq_event is an old one, and the next
 * request would wake nobody. Arming stores both.
 */
void blktap_queue_publish(struct blktap_queue *queue)
{
	store_release(&queue->cq->cq_tail, queue->cq_tail);
}

void blktap_queue_entered(struct blktap_queue *queue)
{
	queue->cq_entered = queue->cq_tail;
}

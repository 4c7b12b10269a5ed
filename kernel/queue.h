/* SPDX-License-Identifier: GPL-2.0-only */
/* Queues: the rings that a hardware queue shares with the daemon. */
#ifndef _BLKTAP_QUEUE_H
#define _BLKTAP_QUEUE_H

#include "buffer.h"

#include <linux/blk_types.h>
#include <linux/blktap.h>
#include <linux/cache.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

struct blktap_config;
struct blktap_redirect;
struct blktap_session;
struct request;

/* Where the parts of a queue's shared areas are. */
struct blktap_layout {
	u32 entries;
	u32 sqe_offset;
	u32 desc_offset;
	u32 cqe_offset;
	u32 fragment_offset;
	u32 fragments;			/* 0: without redirects */
	u32 sq_bytes;			/* whole pages */
	u32 cq_bytes;
};

/*
 * What the kernel knows of a tag; the shared memory is never asked. The request may
 * be looked at only by who has taken it back; what is needed before stands here.
 */
struct blktap_tag {
	struct request *rq;
	u32 generation;			/* of the last submission */
	u32 owner;			/* that generation while with the daemon, else 0 */
	u32 bytes;
	u32 block_size;			/* of the disk */
	u8 op;				/* BLKTAP_OP_* */
	bool demand;			/* its data has not been fetched */
};

struct blktap_queue {
	struct blktap_session *session;
	u32 index;
	u32 depth;
	struct blktap_layout layout;
	struct blktap_tag *tags;

	/* The kernel's side of shared memory. */
	void *sq_area;
	void *cq_area;
	struct blktap_sq_header *sq;
	struct blktap_sqe *sqes;
	struct blktap_desc *descs;
	struct blktap_cq_header *cq;
	struct blktap_cqe *cqes;
	struct blktap_fragment *fragments;

	/* Submitting. */
	spinlock_t sq_lock ____cacheline_aligned_in_smp;
	bool dead;
	bool requeue;			/* dead: what it had waits for the next session */
	u32 sq_tail;
	u32 sq_kicked;			/* sq_tail when wake-ups were last considered */
	wait_queue_head_t wait;

	/* Taking completions. */
	struct mutex enter ____cacheline_aligned_in_smp;
	u32 cq_head;
	u64 rejected;
	u64 ios_daemon;
	struct blktap_redirect *redirect;	/* NULL: not granted */

	/* I/O by the kernel; counted in any context. */
	atomic64_t ios_redirect ____cacheline_aligned_in_smp;
	atomic64_t ios_extent;
	atomic64_t ios_retry;

	struct blktap_buffer buffer;
};

void blktap_queue_layout(struct blktap_layout *layout, u32 depth, u64 features);

int blktap_queue_init(struct blktap_queue *queue, struct blktap_session *session, u32 index,
		      const struct blktap_config *config, u64 features);
void blktap_queue_exit(struct blktap_queue *queue);

/* Hands a request to the daemon; wakes it if @last. */
blk_status_t blktap_queue_submit(struct blktap_queue *queue, struct request *rq, bool last);
void blktap_queue_kick(struct blktap_queue *queue);

/* Wakes the daemon for what was submitted without being the last. */
static inline void blktap_queue_kick_rest(struct blktap_queue *queue)
{
	if (READ_ONCE(queue->sq_tail) != READ_ONCE(queue->sq_kicked))
		blktap_queue_kick(queue);
}

/*
 * Takes a request back from the daemon. Whoever gets it here, and nobody else,
 * ends it.
 */
struct request *blktap_queue_claim(struct blktap_queue *queue, u16 tag, u32 generation);
/* By an answer, which a test may have dropped (fail_io_timeout): then it stays the daemon's. */
struct request *blktap_queue_claim_answered(struct blktap_queue *queue, u16 tag, u32 generation);

/* No more submissions; what the daemon has fails, or waits for another (@requeue). */
void blktap_queue_kill(struct blktap_queue *queue, bool requeue);

/* Whether there is a submission that the daemon has not taken, as it says. */
static inline bool blktap_queue_is_ready(const struct blktap_queue *queue)
{
	/* The submitter's release: the daemon will see it, too. */
	return smp_load_acquire(&queue->sq_tail) != READ_ONCE(queue->cq->sq_head);
}

int blktap_queue_get_fd(struct blktap_queue *queue);

#endif /* _BLKTAP_QUEUE_H */

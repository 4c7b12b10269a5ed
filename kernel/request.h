/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests: what the driver knows of one, and the ways in which it ends. */
#ifndef _BLKTAP_REQUEST_H
#define _BLKTAP_REQUEST_H

#include "kio.h"

#include <linux/bio.h>
#include <linux/blk-mq.h>
#include <linux/bvec.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/minmax.h>

struct blktap_file;
struct blktap_queue;
struct blktap_redirect;
struct blktap_worker;

/* A request's private part. */
struct blktap_rq {
	u32 bytes;			/* with the daemon; may be less than all */
	u32 slot;			/* of the buffer; READ and WRITE */
	bool retry;			/* the kernel's own I/O for it has failed */

	/* I/O that the kernel does for it; it may outlive the session's end. */
	struct blktap_queue *queue;
	struct blktap_kio kio;
	struct blktap_file *file;	/* of the extent, kept */
	u64 file_offset;
	struct blktap_redirect *redirect;	/* that a worker has; NULL: the extent's I/O */
	union {
		struct list_head waiting;	/* for a worker */
		struct llist_node failed;	/* an extent's */
	};
	struct blktap_worker *worker;	/* that it was left to; NULL: it was begun without */
	/* For a request that is one bio, and one below: nothing is allocated. */
	struct bio bio;			/* at the end: it is not cleared */
};

static inline bool blktap_request_has_data(const struct request *rq)
{
	return req_op(rq) == REQ_OP_READ || req_op(rq) == REQ_OP_WRITE;
}

/* Byte of the disk at which it begins. */
static inline u64 blktap_request_offset(const struct request *rq)
{
	return (u64)blk_rq_pos(rq) << SECTOR_SHIFT;
}

/*
 * What @bv, which begins at byte @start of its request, has of the bytes from @at
 * to @at + @len; of length 0 if that is nothing. An iterator's own bvec is left as
 * it is: its length is what the iterator goes on by.
 */
static inline struct bio_vec blktap_bvec_clip(struct bio_vec bv, u32 start, u32 at, u32 len)
{
	u32 from = max(start, at);
	u32 to = min(start + bv.bv_len, at + len);

	if (from < to) {
		bv.bv_offset += from - start;
		bv.bv_len = to - from;
	} else {
		bv.bv_len = 0;
	}
	return bv;
}

/* The block layer hands it over, for the first time or once more. */
void blktap_request_begin(struct request *rq);

/* BLKTAP_OP_*; or -1: an operation that the disk has not advertised. */
int blktap_request_op(const struct request *rq);

/* Zeroes a range of a READ. */
void blktap_request_zero(struct request *rq, u32 at, u32 len);

/* A daemon's errno may not mean anything special to the block layer. */
blk_status_t blktap_errno_status(s64 error);

/* All may be called from any context. */
void blktap_request_end(struct request *rq, blk_status_t status);
/* The first @bytes are done; the rest goes round again. */
void blktap_request_continue(struct request *rq, u32 bytes);
/* The kernel has failed to do it: the daemon's turn, or the end. */
void blktap_request_fail_over(struct request *rq, int error);

#endif /* _BLKTAP_REQUEST_H */

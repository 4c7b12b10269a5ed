// SPDX-License-Identifier: GPL-2.0-only
#include "request.h"
#include "ioerror.h"
#include "queue.h"

#include <linux/bottom_half.h>
#include <linux/highmem.h>
#include <linux/string.h>

void blktap_request_begin(struct request *rq)
{
	if (rq->rq_flags & RQF_DONTPREP)
		return;

	memset(blk_mq_rq_to_pdu(rq), 0, offsetof(struct blktap_rq, bio));
	/* What is known of it holds for these bytes: nothing is merged to it. */
	rq->rq_flags |= RQF_DONTPREP;
}

int blktap_request_op(const struct request *rq)
{
	switch (req_op(rq)) {
	case REQ_OP_READ:
		return BLKTAP_OP_READ;
	case REQ_OP_WRITE:
		return BLKTAP_OP_WRITE;
	case REQ_OP_FLUSH:
		return BLKTAP_OP_FLUSH;
	case REQ_OP_DISCARD:
		return BLKTAP_OP_DISCARD;
	case REQ_OP_WRITE_ZEROES:
		return BLKTAP_OP_WRITE_ZEROES;
	default:
		return -1;
	}
}

void blktap_request_zero(struct request *rq, u32 at, u32 len)
{
	struct req_iterator iter;
	struct bio_vec bv;
	u32 start = 0;

	rq_for_each_segment(bv, rq, iter) {
		struct bio_vec part = blktap_bvec_clip(bv, start, at, len);

		if (part.bv_len)
			memzero_bvec(&part);
		start += bv.bv_len;
		if (start >= at + len)
			break;
	}
}

blk_status_t blktap_errno_status(s64 error)
{
	switch (error) {
	case -EOPNOTSUPP:
	case -ENOSPC:
	case -ETIMEDOUT:
	case -ENOLINK:
	case -EREMOTEIO:
	case -ENODATA:
	case -EILSEQ:
		return errno_to_blk_status(error);
	default:
		return BLK_STS_IOERR;
	}
}

/*
 * So that a file whose last user waits for the request is not put here, by a
 * daemon that may be needed for it. Interrupts put no files anyway.
 */
static bool blktap_no_task_work(void)
{
	if (!in_task() || irqs_disabled())
		return false;

	local_bh_disable();
	return true;
}

static void blktap_task_work_again(bool off)
{
	if (off)
		local_bh_enable();
}

void blktap_request_end(struct request *rq, blk_status_t status)
{
	bool off = blktap_no_task_work();

	if (status)
		blktap_ioerrors_note(rq, status);
	blk_mq_end_request(rq, status);
	blktap_task_work_again(off);
}

void blktap_request_continue(struct request *rq, u32 bytes)
{
	struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);
	bool off = blktap_no_task_work();

	cmd->retry = false;
	blk_update_request(rq, BLK_STS_OK, bytes);
	blktap_task_work_again(off);
	blk_mq_requeue_request(rq, true);
}

void blktap_request_fail_over(struct request *rq, int error)
{
	struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);

	if (cmd->retry) {
		blktap_request_end(rq, blktap_errno_status(error));
		return;
	}

	cmd->retry = true;
	blk_mq_requeue_request(rq, true);
}

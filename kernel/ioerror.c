// SPDX-License-Identifier: GPL-2.0-only
#include "ioerror.h"
#include "disk.h"
#include "netlink.h"
#include "queue.h"
#include "request.h"
#include "tap.h"

#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/jiffies.h>

/* Reports are at least so far apart. */
#define BLKTAP_REPORT_PERIOD	(10 * HZ)

static void blktap_ioerrors_work(struct work_struct *work)
{
	struct blktap_ioerrors *errors =
		container_of(to_delayed_work(work), struct blktap_ioerrors, work);
	struct blktap_disk *disk = container_of(errors, struct blktap_disk, errors);
	struct blktap_failure failure;

	spin_lock_irq(&errors->lock);
	failure = errors->first;
	errors->first.count = 0;
	errors->next = jiffies + BLKTAP_REPORT_PERIOD;
	spin_unlock_irq(&errors->lock);

	blktap_tap_lock(disk->tap);
	blktap_netlink_event_failure(disk->tap, &failure);
	blktap_tap_unlock(disk->tap);
}

void blktap_ioerrors_init(struct blktap_ioerrors *errors)
{
	spin_lock_init(&errors->lock);
	errors->next = jiffies;
	INIT_DELAYED_WORK(&errors->work, blktap_ioerrors_work);
}

void blktap_ioerrors_stop(struct blktap_ioerrors *errors)
{
	cancel_delayed_work_sync(&errors->work);
}

static unsigned long blktap_ioerrors_delay(const struct blktap_ioerrors *errors)
{
	return time_before(jiffies, errors->next) ? errors->next - jiffies : 0;
}

void blktap_ioerrors_note(struct request *rq, blk_status_t status)
{
	struct blktap_disk *disk = rq->q->queuedata;
	struct blktap_ioerrors *errors = &disk->errors;
	struct blktap_failure *first = &errors->first;
	bool is_flush = req_op(rq) == REQ_OP_FLUSH;
	unsigned long flags;

	spin_lock_irqsave(&errors->lock, flags);
	if (!first->count++) {
		first->op = blktap_request_op(rq);
		first->error = -blk_status_to_errno(status);
		first->offset = is_flush ? 0 : blktap_request_offset(rq);
		first->length = is_flush ? 0 : blk_rq_bytes(rq);
		queue_delayed_work(blktap_retry_wq, &errors->work, blktap_ioerrors_delay(errors));
	}
	spin_unlock_irqrestore(&errors->lock, flags);
}

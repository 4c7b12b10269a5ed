// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handing a disk in use over to another tapdisk.
 *
 *   LIVE > OFFERED > HANDING_OVER > HELD > DRAINING > CLOSING_IMAGE > IDLE, and gone
 *   PAUSED > OFFERED > HELD > …
 *
 * In HELD nothing here touches the image any more. Which of the two serves from then
 * on is decided by the driver: it ends this session when the other one starts, and
 * lets nobody start once requests were released here.
 */
#include <errno.h>
#include <syslog.h>

#include "image.h"
#include "vbd.h"

/* From the offer on, and from the answer on: the other one only has to start. */
#define OFFER_MS	60000
#define HELD_MS		5000

/* --------------------------------------------------------------------- offer */

int vbd_offer(struct vbd *vbd, struct blktap_error *err)
{
	if (vbd->state != VBD_LIVE && vbd->state != VBD_PAUSED)
		return blktap_error_set(err, -EBUSY, "tapdev%u is busy with another operation",
					vbd->minor);
	if (!(blktap_ring_features(vbd->ring) & BLKTAP_F_HOLD))
		return blktap_error_set(err, -EOPNOTSUPP, "tapdev%u: the module in use has no "
					"takeover", vbd->minor);
	vbd->state = VBD_OFFERED;
	vbd->unwanted = false;
	loop_timer_set(vbd->env->loop, &vbd->deadline, OFFER_MS);
	return 0;
}

/* ------------------------------------------------------------------ taking back */

static void goes_on(struct vbd *vbd, const char *why)
{
	blktap_log(LOG_WARNING, "tapdev%u: not handed over, it goes on here: %s", vbd->minor, why);
}

/* The kernel has to be told of the image once more. */
static void serve_again(struct vbd *vbd)
{
	vbd->wanted_mode = vbd->kernel_io;
	vbd->state = VBD_SWITCHING;
	vbd_change_drained(vbd);
}

static void release_and_serve(struct vbd *vbd, const char *why)
{
	struct blktap_error err;
	int ret = vbd->paused ? 0 : vbd_release(vbd, &err);

	/* Just started over there: the driver is about to hang up. */
	if (ret == -ENODEV)
		return;
	if (ret)
		blktap_log(LOG_ERR, "%s", err.text);
	goes_on(vbd, why);
	loop_timer_cancel(&vbd->deadline);
	if (vbd->paused)
		vbd_finish(vbd, VBD_PAUSED);
	else
		serve_again(vbd);
}

void vbd_take_back(struct vbd *vbd, const char *why)
{
	list_del(&vbd->offer);
	switch (vbd->state) {
	case VBD_OFFERED:
		goes_on(vbd, why);
		loop_timer_cancel(&vbd->deadline);
		vbd_finish(vbd, vbd->paused ? VBD_PAUSED : VBD_LIVE);
		break;
	case VBD_HANDING_OVER:
		goes_on(vbd, why);
		vbd->unwanted = true;
		if (vbd->job)
			vbd_answer(vbd);
		else
			vbd_go_on(vbd);
		break;
	case VBD_HELD:
		release_and_serve(vbd, why);
		break;
	default:
		break;
	}
}

void vbd_hand_over_too_slow(struct vbd *vbd)
{
	if (vbd->state == VBD_HANDING_OVER && !vbd->failure.code)
		blktap_error_set(&vbd->failure, -ETIMEDOUT, "tapdev%u still has requests with its "
				 "image; it goes on", vbd->minor);
	vbd_take_back(vbd, vbd->state == VBD_HANDING_OVER ? "its image takes too long" :
		      "the other tapdisk takes too long");
}

/* ------------------------------------------------------------------- hand over */

static int check_damage(struct vbd *vbd)
{
	if (!vbd->params.damaged && (!vbd->image || !image_damaged(vbd->image)))
		return 0;
	return blktap_error_set(&vbd->failure, -EIO, "tapdev%u: %s has lost what was written to it, "
				"and the other tapdisk would not know", vbd->minor, vbd->spec);
}

static void hold(struct vbd *vbd)
{
	if (check_damage(vbd) || vbd_hold(vbd, &vbd->failure)) {
		goes_on(vbd, vbd->failure.text);
		list_del(&vbd->offer);
		if (vbd->paused)
			vbd_finish(vbd, VBD_PAUSED);
		else
			serve_again(vbd);
		return;
	}
	vbd->state = VBD_HELD;
	vbd_answer(vbd);
	loop_timer_set(vbd->env->loop, &vbd->deadline, HELD_MS);
}

static void end_kernel_io(struct work *work)
{
	kernel_io_end(container_of(work, struct vbd_job, work)->kio);
}

static void kernel_io_ended(struct work *work)
{
	struct vbd_job *job = container_of(work, struct vbd_job, work);
	struct vbd *vbd = vbd_job_end(job);

	vbd_job_free(job);
	if (vbd->lost)
		vbd_close_image(vbd, VBD_CLOSING_IMAGE);
	else if (vbd->unwanted)
		serve_again(vbd);
	else
		hold(vbd);
}

void vbd_hand_over_drained(struct vbd *vbd)
{
	struct vbd_job *job;

	if (kernel_io_mode(vbd->kio) == BLKTAP_KERNEL_IO_OFF) {
		hold(vbd);
		return;
	}
	job = vbd_job_new(vbd, end_kernel_io, kernel_io_ended);
	if (!job) {
		blktap_error_set(&vbd->failure, -ENOMEM, "no memory for tapdev%u", vbd->minor);
		vbd_take_back(vbd, vbd->failure.text);
		return;
	}
	job->kio = vbd->kio;
	vbd_job_submit(job);
}

void vbd_hand_over(struct vbd *vbd, int timeout_ms, vbd_done done, void *data)
{
	if (vbd->state != VBD_OFFERED) {
		vbd_refuse(vbd, done, data, -EINVAL, "has not been offered, or was taken back");
		return;
	}
	loop_timer_cancel(&vbd->deadline);
	vbd_begin(vbd, done, data, timeout_ms);
	if (vbd->paused) {
		hold(vbd);
		return;
	}
	vbd->state = VBD_HANDING_OVER;
	server_drain(vbd->server);
}

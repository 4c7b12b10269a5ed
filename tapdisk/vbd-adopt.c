// SPDX-License-Identifier: GPL-2.0-only
/*
 * Taking a disk in use over from another tapdisk. The slow part comes first, while
 * that one serves:
 *
 *   IDLE > ADOPTING > ADOPTED > STARTING > LIVE
 *   IDLE > ADOPTED > PAUSED
 */
#include <errno.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "cleanup.h"
#include "offer.h"

#define NS_PER_US	1000U

/* ----------------------------------------------------------------------- adopt */

static void take_params(struct vbd *vbd, const struct vbd_offer *offer)
{
	vbd->params = (struct image_params){
		.read_only = offer->read_only,
		.no_direct = offer->no_direct,
		.minor = vbd->minor,
		.table = vbd->env->images,
	};
	vbd->paused = offer->paused;
	vbd->request_timeout_ms = offer->request_timeout_ms;
	vbd->max_spin_ns = offer->spin_us * NS_PER_US;
	vbd->restart = offer->restart;
	vbd->kernel_io = offer->kernel_io ?: BLKTAP_KERNEL_IO_AUTO;
	vbd->disk = (struct blktap_start){
		.flags = offer->disk_flags,
		.capacity = offer->capacity,
		.logical_block_size = offer->logical_block_size,
		.physical_block_size = offer->physical_block_size,
	};
}

/* What the image says of itself, but as the disk is. */
static void merge_disk(struct vbd *vbd)
{
	struct blktap_start old = vbd->disk;

	vbd_disk_params(vbd, &vbd->disk);
	vbd->disk.capacity = old.capacity;
	vbd->disk.flags &= BLKTAP_DISK_DEMAND;
	vbd->disk.flags |= old.flags & ~BLKTAP_DISK_DEMAND;
}

static int prepare(struct vbd *vbd)
{
	int ret = vbd_check_same_disk(vbd, vbd->spec);

	if (ret)
		return ret;
	merge_disk(vbd);
	return vbd_prepare(vbd, NULL);
}

void vbd_adopted(struct vbd *vbd, struct image *image, char *spec)
{
	free(spec);
	vbd->image = image;
	if (!image || prepare(vbd))
		vbd_close_image(vbd, VBD_CLOSING_IMAGE);
}

void vbd_adopt_prepared(struct vbd *vbd, bool ready)
{
	if (!ready) {
		vbd_close_image(vbd, VBD_CLOSING_IMAGE);
		return;
	}
	server_resume(vbd->server, vbd->disk.capacity);
	vbd->state = VBD_ADOPTED;
	vbd_answer(vbd);
}

static void close_all(const int *fds, unsigned int count)
{
	while (count)
		close(fds[--count]);
}

/* Takes @fds. */
static int open_image(struct vbd *vbd, const int *fds, unsigned int nr_fds)
{
	struct vbd_job *job = vbd_open_job(vbd, vbd->spec);

	if (!job) {
		close_all(fds, nr_fds);
		return vbd->failure.code;
	}
	memcpy(job->fds, fds, nr_fds * sizeof(*fds));
	job->params.adopt = true;
	job->params.nr_fds = nr_fds;
	vbd->state = VBD_ADOPTING;
	vbd_job_submit(job);
	return 0;
}

static int begin_adopting(struct vbd *vbd, const int *fds, unsigned int nr_fds)
{
	int ret = vbd->spec ? vbd_reset_stats(vbd) : -ENOMEM;

	if (!ret && !vbd->paused)
		return open_image(vbd, fds, nr_fds);
	close_all(fds, nr_fds);
	if (!ret) {
		vbd->state = VBD_ADOPTED;
		vbd_answer(vbd);
	}
	return ret;
}

void vbd_adopt(struct vbd *vbd, const struct vbd_offer *offer, const int *fds, unsigned int nr_fds,
	       int timeout_ms, vbd_done done, void *data)
{
	vbd_begin(vbd, done, data, timeout_ms);
	take_params(vbd, offer);
	vbd->foreign = true;
	vbd->spec = strdup(offer->image);
	if (!begin_adopting(vbd, fds, nr_fds))
		return;
	if (!vbd->failure.code)
		blktap_error_set(&vbd->failure, -ENOMEM, "no memory for tapdev%u", vbd->minor);
	vbd_finish(vbd, VBD_IDLE);
}

/* --------------------------------------------------------------------- take on */

/* Nobody has to be in a hurry now. */
static void paused(struct vbd *vbd)
{
	struct blktap_error err;

	if (vbd_hold(vbd, &err))
		blktap_log(LOG_WARNING, "%s", err.text);
	blktap_log(LOG_INFO, "tapdev%u: %s, paused", vbd->minor, vbd->spec);
	vbd_finish(vbd, VBD_PAUSED);
}

void vbd_take_on(struct vbd *vbd, vbd_done done, void *data)
{
	int ret;

	vbd_begin(vbd, done, data, -1);
	ret = blktap_ring_start(vbd->ring, &vbd->disk, &vbd->failure);
	vbd->foreign = ret;
	if (ret == -EBUSY)
		vbd_answer(vbd);
	else if (ret)
		vbd_drain(vbd);
	else if (vbd->paused)
		paused(vbd);
	else
		vbd_started(vbd);
}

void vbd_disown(struct vbd *vbd, vbd_done done, void *data)
{
	vbd_begin(vbd, done, data, -1);
	vbd_drain(vbd);
}

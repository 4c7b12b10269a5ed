// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changing the image below a disk in use: requests stay with the kernel while
 * the image is closed and another opened, its size is changed, or what the kernel
 * does for it.
 *
 *   LIVE > PAUSING > RELEASING > PAUSED > REOPENING > LIVE
 *   LIVE > RESIZING > LIVE
 *   LIVE > SWITCHING > LIVE
 *
 * Until RELEASING closes the image everything can be given up, and the disk goes on
 * with it. A pause that is not wanted any more after that is undone by REOPENING, if the
 * name still leads to this image.
 */
#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "cleanup.h"
#include "image.h"
#include "vbd-record.h"
#include "vbd.h"

void vbd_go_on(struct vbd *vbd)
{
	server_resume(vbd->server, vbd->disk.capacity);
	vbd_finish(vbd, VBD_LIVE);
}

/* The code with which an operation on a running disk is refused, or 0. */
static int not_live(const struct vbd *vbd)
{
	if (vbd->state == VBD_LIVE)
		return 0;
	return vbd->state == VBD_IDLE || vbd->state == VBD_PAUSED ? -EINVAL : -EBUSY;
}

static const char *why_not_live(const struct vbd *vbd)
{
	switch (vbd->state) {
	case VBD_IDLE:
		return "has no image open";
	case VBD_PAUSED:
		return "is paused";
	default:
		return "is busy with another operation";
	}
}

static bool refuse_not_live(struct vbd *vbd, vbd_done done, void *data)
{
	int code = not_live(vbd);

	if (code)
		vbd_refuse(vbd, done, data, code, why_not_live(vbd));
	return code;
}

/* --------------------------------------------------------------------- pause */

void vbd_pause(struct vbd *vbd, int timeout_ms, vbd_done done, void *data)
{
	if (vbd->state == VBD_PAUSED) {
		done(vbd, data, NULL);
		return;
	}
	if (refuse_not_live(vbd, done, data))
		return;
	vbd_begin(vbd, done, data, timeout_ms);
	vbd->unwanted = false;
	vbd->state = VBD_PAUSING;
	server_drain(vbd->server);
}

/* While the image is away, requests that wait are not late. */
void vbd_pause_drained(struct vbd *vbd)
{
	struct blktap_error err;
	int ret = vbd_hold(vbd, &err);

	if (ret && ret != -EOPNOTSUPP && ret != -ENODEV)
		blktap_log(LOG_WARNING, "%s", err.text);
	vbd_stop_serving(vbd, VBD_RELEASING);
}

static void stay_paused(struct vbd *vbd)
{
	record_write(vbd->env->records, vbd);
	vbd_finish(vbd, VBD_PAUSED);
}

static void still_paused(struct vbd *vbd)
{
	blktap_log(LOG_ERR, "tapdev%u: still paused: %s", vbd->minor, vbd->failure.text);
	vbd->unwanted = false;
	/* It could not be kept, so that the next one has to know. */
	if (vbd->image && image_damaged(vbd->image))
		vbd->params.damaged = true;
	if (vbd->image)
		vbd_close_image(vbd, VBD_RELEASING);
	else
		stay_paused(vbd);
}

static void reopen(struct vbd *vbd, const char *spec)
{
	if (vbd_open_image(vbd, spec, VBD_REOPENING))
		still_paused(vbd);
}

/* Requests came before HOLD that are still in the rings, and HOLD says that none is begun. */
static void serve_on(struct vbd *vbd)
{
	struct blktap_error err;

	if (vbd_release(vbd, &err))
		blktap_log(LOG_ERR, "%s", err.text);
	kernel_io_map(vbd->kio);
	blktap_log(LOG_INFO, "tapdev%u: goes on with %s", vbd->minor, vbd->spec);
	vbd_go_on(vbd);
}

/* It would be lost with the image that knows of it: so that one stays, and its FLUSH fails. */
static void not_written_back(struct vbd *vbd, int error)
{
	blktap_error_set(&vbd->failure, error, "tapdev%u: %s does not have all that was written to "
			 "it: %s; it is not paused", vbd->minor, vbd->spec, strerror(-error));
	blktap_log(LOG_ERR, "%s", vbd->failure.text);
	vbd->unwanted = true;
}

/* The image is open, and nothing is done with it: until here takes long what does. */
static void close_or_keep(struct vbd *vbd, int error)
{
	if (error && !vbd->lost)
		not_written_back(vbd, error);
	if (!vbd->unwanted || vbd->lost) {
		strcpy(vbd->identity, vbd->image->identity);
		vbd_close_image(vbd, VBD_RELEASING);
		return;
	}
	vbd->unwanted = false;
	if (vbd_prepare(vbd, NULL))
		still_paused(vbd);
}

void vbd_keep_prepared(struct vbd *vbd, bool ready)
{
	if (ready)
		serve_on(vbd);
	else
		still_paused(vbd);
}

static void closed(struct vbd *vbd)
{
	bool was_paused = vbd->paused;

	vbd->paused = true;
	if (vbd->unwanted && !vbd->lost) {
		reopen(vbd, vbd->spec);
		return;
	}
	if (!was_paused)
		blktap_log(LOG_INFO, "tapdev%u: paused", vbd->minor);
	stay_paused(vbd);
}

void vbd_released(struct vbd *vbd, int error)
{
	if (vbd->image)
		close_or_keep(vbd, error);
	else
		closed(vbd);
}

/* ------------------------------------------------------------------- unpause */

void vbd_unpause(struct vbd *vbd, const char *image, int timeout_ms, vbd_done done, void *data)
{
	if (vbd->state == VBD_LIVE || vbd->state == VBD_IDLE) {
		vbd_refuse(vbd, done, data, -EINVAL, "is not paused");
		return;
	}
	if (vbd->state != VBD_PAUSED) {
		vbd_refuse(vbd, done, data, -EBUSY, "is busy with another operation");
		return;
	}
	vbd_begin(vbd, done, data, timeout_ms);
	reopen(vbd, image ? image : vbd->spec);
}

int vbd_keep_size(struct vbd *vbd, struct blktap_start *params, uint64_t bytes, const char *spec,
		  const char *earlier)
{
	uint64_t has = params->capacity;
	bool same = earlier && strcmp(spec, earlier) == 0;

	if (has < bytes || (has > bytes && !same))
		return blktap_error_set(&vbd->failure, -EMEDIUMTYPE, "tapdev%u has %llu bytes, %s "
					"%llu", vbd->minor, (unsigned long long)bytes, spec,
					(unsigned long long)has);
	params->capacity = bytes;
	return 0;
}

/* What users of the disk rely on must not change under them. */
int vbd_check_same_disk(struct vbd *vbd, const char *spec)
{
	const struct blktap_start *old = &vbd->disk;
	struct blktap_start new;
	uint32_t gained, missing;

	vbd_disk_params(vbd, &new);
	gained = new.flags & ~old->flags;
	missing = old->flags & ~new.flags;
	if (vbd_keep_size(vbd, &new, old->capacity, spec, vbd->spec))
		return -EMEDIUMTYPE;
	if (new.logical_block_size != old->logical_block_size)
		return blktap_error_set(&vbd->failure, -EMEDIUMTYPE, "tapdev%u has blocks of %u "
					"bytes, %s of %u", vbd->minor, old->logical_block_size,
					spec, new.logical_block_size);
	if ((gained | missing) & BLKTAP_DISK_READ_ONLY)
		return blktap_error_set(&vbd->failure, -EMEDIUMTYPE, "tapdev%u is %s, and %s is not",
					vbd->minor, missing & BLKTAP_DISK_READ_ONLY ? "read-only" :
					"writable", spec);
	/* A cache that is never told to flush, or FUA that is not honoured. */
	if ((gained & BLKTAP_DISK_WRITE_CACHE) || (missing & BLKTAP_DISK_FUA))
		return blktap_error_set(&vbd->failure, -EMEDIUMTYPE, "%s caches writes otherwise "
					"than tapdev%u does", spec, vbd->minor);
	return 0;
}

/* Nobody has said that it may be another one; what had no file has lost what it had. */
static int check_same_image(struct vbd *vbd, const char *spec)
{
	if (*vbd->identity && strcmp(vbd->image->identity, vbd->identity) == 0)
		return 0;
	return blktap_error_set(&vbd->failure, -ESTALE, "%s is not the image any more that "
				"tapdev%u had", spec, vbd->minor);
}

void vbd_reopened(struct vbd *vbd, struct image *image, char *spec)
{
	bool undone = vbd->unwanted;

	vbd->unwanted = false;
	vbd->image = image;
	if (!image || (undone && check_same_image(vbd, spec)) ||
	    vbd_check_same_disk(vbd, spec) || vbd_prepare(vbd, spec)) {
		free(spec);
		still_paused(vbd);
	}
}

void vbd_reopen_prepared(struct vbd *vbd, bool ready, char *spec)
{
	if (!ready) {
		free(spec);
		still_paused(vbd);
		return;
	}
	free(vbd->spec);
	vbd->spec = spec;
	vbd->paused = false;
	record_write(vbd->env->records, vbd);
	serve_on(vbd);
}

/* -------------------------------------------------------------------- resize */

static bool refuse_resize(struct vbd *vbd, uint64_t capacity, bool shrink, vbd_done done,
			  void *data)
{
	int code = not_live(vbd);
	const char *why = why_not_live(vbd);

	if (!code && !vbd->image->driver->resize) {
		code = -EOPNOTSUPP;
		why = "has an image that cannot change its size";
	} else if (!code && capacity % vbd->disk.logical_block_size) {
		code = -EINVAL;
		why = "cannot have a size that is not a multiple of its block size";
	} else if (!code && capacity > INT64_MAX) {
		code = -EFBIG;
		why = "cannot be that large";
	} else if (!code && capacity && capacity < vbd->disk.capacity && !shrink) {
		code = -EINVAL;
		why = "would become smaller, which has to be asked for";
	}
	if (code)
		vbd_refuse(vbd, done, data, code, why);
	return code;
}

void vbd_resize(struct vbd *vbd, uint64_t capacity, bool shrink, int timeout_ms, vbd_done done,
		void *data)
{
	if (refuse_resize(vbd, capacity, shrink, done, data))
		return;
	vbd_begin(vbd, done, data, timeout_ms);
	vbd->resize.capacity = capacity;
	vbd->resize.shrink = shrink;
	vbd->state = VBD_RESIZING;
	server_drain(vbd->server);
}

static int adopt_capacity(struct vbd *vbd, uint64_t capacity)
{
	int ret;

	if (capacity == vbd->disk.capacity)
		return 0;
	if (capacity < vbd->disk.capacity && !vbd->resize.shrink)
		return blktap_error_set(&vbd->failure, -EINVAL, "tapdev%u would become smaller: %s "
					"has %llu bytes now", vbd->minor, vbd->spec,
					(unsigned long long)capacity);
	ret = blktap_ring_resize(vbd->ring, capacity, &vbd->failure);
	if (ret)
		return ret;
	vbd->disk.capacity = capacity;
	blktap_log(LOG_INFO, "tapdev%u: has %llu bytes now", vbd->minor,
		   (unsigned long long)capacity);
	return 0;
}

/* The disk comes first: if this process dies in between, its image is none too small for it. */
static int shrink_disk(struct vbd *vbd)
{
	uint64_t capacity = vbd->resize.capacity;

	vbd->resize.before = vbd->disk.capacity;
	if (!capacity || capacity > vbd->disk.capacity || vbd->image->read_only)
		return 0;
	return adopt_capacity(vbd, capacity);
}

static void adopt_resized(struct vbd *vbd, const struct vbd_job *job)
{
	if (!job->err.code) {
		adopt_capacity(vbd, job->capacity);
		return;
	}
	if (!vbd->failure.code)
		vbd->failure = job->err;
	adopt_capacity(vbd, vbd->resize.before);
}

/* -------------------------------------------------------------------- switch */

void vbd_switch(struct vbd *vbd, enum blktap_kernel_io mode, int timeout_ms, vbd_done done,
		void *data)
{
	if (vbd->state == VBD_PAUSED) {
		vbd->kernel_io = mode;
		record_write(vbd->env->records, vbd);
		done(vbd, data, NULL);
		return;
	}
	if (refuse_not_live(vbd, done, data))
		return;
	vbd_begin(vbd, done, data, timeout_ms);
	vbd->wanted_mode = mode;
	vbd->state = VBD_SWITCHING;
	server_drain(vbd->server);
}

/* ------------------------------------------------- what both do once drained */

/* Nothing of the image's may move while the kernel knows where it lies. */
static void change_in_worker(struct work *work)
{
	struct vbd_job *job = container_of(work, struct vbd_job, work);

	kernel_io_end(job->kio);
	if (job->resize)
		job->image->driver->resize(job->image, job->capacity, job->shrink, &job->capacity,
					   &job->err);
	kernel_io_begin(job->kio, job->kernel_io);
}

static void adopt_change(struct vbd *vbd, const struct vbd_job *job)
{
	vbd->kernel_io = job->kernel_io;
	record_write(vbd->env->records, vbd);
	if (job->resize)
		adopt_resized(vbd, job);
}

static void change_done(struct work *work)
{
	struct vbd_job *job = container_of(work, struct vbd_job, work);
	struct vbd *vbd = vbd_job_end(job);

	if (!vbd->lost)
		adopt_change(vbd, job);
	vbd_job_free(job);
	if (vbd->lost) {
		vbd_close_image(vbd, VBD_CLOSING_IMAGE);
		return;
	}
	kernel_io_prepare(vbd->kio, vbd->disk.capacity);
	kernel_io_map(vbd->kio);
	vbd_go_on(vbd);
}

void vbd_change_drained(struct vbd *vbd)
{
	struct vbd_job *job = vbd_job_new(vbd, change_in_worker, change_done);
	bool resizing = vbd->state == VBD_RESIZING;

	if (!job) {
		blktap_error_set(&vbd->failure, -ENOMEM, "no memory for tapdev%u", vbd->minor);
		vbd_go_on(vbd);
		return;
	}
	job->image = vbd->image;
	job->kio = vbd->kio;
	job->resize = resizing && !shrink_disk(vbd);
	job->kernel_io = resizing ? vbd->kernel_io : vbd->wanted_mode;
	job->capacity = vbd->resize.capacity;
	job->shrink = vbd->resize.shrink;
	vbd_job_submit(job);
}

/* ------------------------------------------------------------------ giving up */

static void too_slow(struct vbd *vbd, const char *what)
{
	if (!vbd->failure.code)
		blktap_error_set(&vbd->failure, -ETIMEDOUT, "tapdev%u %s", vbd->minor, what);
	blktap_log(LOG_WARNING, "%s", vbd->failure.text);
}

void vbd_pause_too_slow(struct vbd *vbd)
{
	switch (vbd->state) {
	case VBD_PAUSING:
		too_slow(vbd, "still has requests with its image; it goes on");
		vbd_go_on(vbd);
		break;
	case VBD_RELEASING:
		too_slow(vbd, vbd->image ?
			 "has an image whose I/O takes long to end; it goes on then" :
			 "has an image that takes long to close; it goes on then, unless the name "
			 "leads to another one");
		vbd->unwanted = !vbd->paused;
		vbd_answer(vbd);
		break;
	case VBD_REOPENING:
		too_slow(vbd, "has an image that took too long to open; it is still paused");
		if (vbd_give_up_preparing(vbd)) {
			vbd_answer(vbd);
			break;
		}
		vbd_job_abandon(vbd);
		vbd_finish(vbd, VBD_PAUSED);
		break;
	case VBD_RESIZING:
		if (vbd->job) {
			too_slow(vbd, "has an image that takes long to change its size");
			vbd_answer(vbd);
			break;
		}
		too_slow(vbd, "still has requests with its image; its size was not changed");
		vbd_go_on(vbd);
		break;
	case VBD_SWITCHING:
		if (vbd->job) {
			too_slow(vbd, "has an image whose I/O by the kernel takes long to end");
			vbd_answer(vbd);
			break;
		}
		too_slow(vbd, "still has requests with its image; it goes on as before");
		vbd_go_on(vbd);
		break;
	default:
		break;
	}
}

bool vbd_pause_withdraw(struct vbd *vbd)
{
	bool changes = vbd->state == VBD_RESIZING || vbd->state == VBD_SWITCHING;
	bool waits = vbd->state == VBD_PAUSING || (changes && !vbd->job);
	bool closes = vbd->state == VBD_RELEASING && !vbd->paused;

	if (!waits && !closes)
		return false;
	vbd->op.done = NULL;
	loop_timer_cancel(&vbd->deadline);
	blktap_log(LOG_INFO, "tapdev%u: nobody waits for it any more: it goes on", vbd->minor);
	if (waits)
		vbd_go_on(vbd);
	else
		vbd->unwanted = true;
	return true;
}

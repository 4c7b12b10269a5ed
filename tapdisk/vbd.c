// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a VBD, from attach to detach.
 *
 *   IDLE > OPENING > STARTING > LIVE > CLOSING > REMOVING > DRAINING >
 *   CLOSING_IMAGE > IDLE
 *
 * A failure takes the shortest way to the right. At most one operation is under
 * way; it ends when LIVE or IDLE is reached, or at its deadline.
 */
#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "cleanup.h"
#include "image.h"
#include "vbd.h"

/* Probes of udev and friends are over within this time. */
#define CLOSE_GRACE_MS	2000
/* For undoing an open that took too long, before it is answered all the same. */
#define UNDO_GRACE_MS	2000
/* Beyond these, START refuses. */
#define MAX_PHYSICAL_BLOCK	(1U << 20)
#define MAX_HINT		(1U << 30)

static void check_state(struct vbd *vbd);

static struct image *leaf_of(const struct vbd *vbd)
{
	return list_empty(&vbd->images) ? NULL : list_first(&vbd->images, struct image, link);
}

/* --------------------------------------------------------------- operations */

static void begin(struct vbd *vbd, vbd_done done, void *data)
{
	vbd->op = (struct vbd_operation){ done, data };
	vbd->failure.code = 0;
}

static void answer(struct vbd *vbd)
{
	struct vbd_operation op = vbd->op;

	vbd->op.done = NULL;
	loop_timer_cancel(&vbd->deadline);
	if (op.done)
		op.done(vbd, op.data, vbd->failure.code ? &vbd->failure : NULL);
}

static void finish(struct vbd *vbd, enum vbd_state state)
{
	vbd->state = state;
	if (state == VBD_IDLE)
		vbd->aborting = false;
	answer(vbd);
	vbd->failure.code = 0;
	if (vbd->lost)
		loop_defer(vbd->env->loop, &vbd->turn);
	else
		vbd->env->changed(vbd->env, vbd);
}

static void refuse(struct vbd *vbd, vbd_done done, void *data, int code, const char *what)
{
	struct blktap_error err;

	blktap_error_set(&err, code, "tapdev%u %s", vbd->minor, what);
	done(vbd, data, &err);
}

/* ------------------------------------------------------- closing the image */

static void image_closed(struct work *work)
{
	struct vbd *vbd = container_of(work, struct vbd, job.work);

	if (!vbd->failure.code && !vbd->lost)
		blktap_log(LOG_INFO, "tapdev%u: closed", vbd->minor);
	finish(vbd, VBD_IDLE);
}

static void close_in_worker(struct work *work)
{
	struct vbd_job *job = container_of(work, struct vbd_job, work);

	image_close(job->image);
	job->image = NULL;
}

static void close_image(struct vbd *vbd, struct image *image)
{
	vbd->state = VBD_CLOSING_IMAGE;
	vbd->job.image = image;
	vbd->job.work.run = close_in_worker;
	vbd->job.work.done = image_closed;
	workers_submit(vbd->env->workers, &vbd->job.work);
}

/* No request is with the image any more. */
static void drained(struct vbd *vbd)
{
	struct image *image = leaf_of(vbd);

	vbd_queues_stop(vbd);
	image->driver->stop(image);
	list_del(&image->link);
	close_image(vbd, image);
}

static void drain(struct vbd *vbd)
{
	vbd->state = VBD_DRAINING;
	vbd_queues_mute(vbd);
	loop_defer(vbd->env->loop, &vbd->turn);
}

/* Not from within a handler of the image or the queues. */
static void run_turn(struct loop_task *task)
{
	struct vbd *vbd = container_of(task, struct vbd, turn);
	struct image *image = leaf_of(vbd);
	int ret;

	if (image && image->driver->kick)
		image->driver->kick(image);
	ret = vbd->lost ? 0 : vbd_queues_enter(vbd);
	if (ret)
		vbd_session_lost(vbd, strerror(-ret));
	if (vbd->state == VBD_DRAINING && !vbd->inflight)
		drained(vbd);
	if (vbd->lost && vbd->state == VBD_IDLE)
		vbd->env->gone(vbd->env, vbd);
}

/* ------------------------------------------------------------------- session */

static void lost_error(struct vbd *vbd)
{
	if (!vbd->failure.code)
		blktap_error_set(&vbd->failure, -EIO, "the driver has ended the session of "
				 "tapdev%u", vbd->minor);
}

void vbd_session_lost(struct vbd *vbd, const char *reason)
{
	if (vbd->lost)
		return;
	blktap_log(LOG_ERR, "tapdev%u: the session has ended: %s", vbd->minor, reason);
	vbd->lost = true;
	loop_remove(vbd->env->loop, &vbd->ring_event);
	vbd_queues_mute(vbd);
	loop_defer(vbd->env->loop, &vbd->turn);
	switch (vbd->state) {
	case VBD_STARTING:
	case VBD_LIVE:
	case VBD_CLOSING:
	case VBD_REMOVING:
		lost_error(vbd);
		drain(vbd);
		break;
	case VBD_OPENING:
		lost_error(vbd);
		break;
	default:
		break;
	}
}

static void ring_ready(struct loop_fd *event, uint32_t events)
{
	struct vbd *vbd = container_of(event, struct vbd, ring_event);

	if (events & (EPOLLERR | EPOLLHUP))
		vbd_session_lost(vbd, "the driver hung up");
	else
		check_state(vbd);
}

/* --------------------------------------------------------------------- close */

static void try_stop(struct vbd *vbd)
{
	struct blktap_error err;
	int ret = blktap_ring_stop(vbd->ring, &err);

	if (ret == -EBUSY)
		return;		/* the last close raises EPOLLPRI */
	if (ret) {
		vbd_session_lost(vbd, err.text);
		return;
	}
	vbd->state = VBD_REMOVING;
	if (!vbd->aborting)
		loop_timer_cancel(&vbd->deadline);
	check_state(vbd);
}

static void still_open(struct vbd *vbd)
{
	blktap_error_set(&vbd->failure, -EBUSY, "tapdev%u is still open", vbd->minor);
	finish(vbd, VBD_LIVE);
}

void vbd_close(struct vbd *vbd, int timeout_ms, vbd_done done, void *data)
{
	if (vbd->state == VBD_IDLE) {
		done(vbd, data, NULL);
		return;
	}
	if (vbd->state != VBD_LIVE) {
		refuse(vbd, done, data, -EBUSY, "is being opened or closed already");
		return;
	}
	begin(vbd, done, data);
	vbd->closed = true;
	vbd->state = VBD_CLOSING;
	if (timeout_ms >= 0)
		loop_timer_set(vbd->env->loop, &vbd->deadline,
			       timeout_ms ? timeout_ms : CLOSE_GRACE_MS);
	try_stop(vbd);
}

bool vbd_close_withdraw(struct vbd *vbd, const void *data)
{
	if (vbd->state != VBD_CLOSING || vbd->aborting || vbd->op.data != data)
		return false;
	blktap_log(LOG_INFO, "tapdev%u: the close was given up", vbd->minor);
	vbd->op.done = NULL;
	finish(vbd, VBD_LIVE);
	return true;
}

/* ---------------------------------------------------------------------- open */

/* What a device below says about itself need not make sense for a disk above it. */
static uint32_t hint(uint32_t bytes, uint32_t unit, uint32_t low)
{
	return bytes % unit || bytes < low || bytes > MAX_HINT ? 0 : bytes;
}

static void start_discard(const struct image_limits *l, struct blktap_start *start)
{
	start->discard_granularity = hint(l->discard_granularity, l->logical_block_size, 0);
	start->max_discard = l->max_discard - l->max_discard % l->logical_block_size;
	if (start->max_discard < (start->discard_granularity ?: start->physical_block_size))
		start->max_discard = 0;
	start->max_write_zeroes = l->max_write_zeroes - l->max_write_zeroes % l->logical_block_size;
}

static void start_params(const struct image *image, struct blktap_start *start)
{
	const struct image_limits *l = &image->limits;
	uint32_t physical = l->physical_block_size;

	*start = (struct blktap_start){
		.capacity = l->capacity,
		.logical_block_size = l->logical_block_size,
		.physical_block_size = physical < MAX_PHYSICAL_BLOCK ? physical :
				       MAX_PHYSICAL_BLOCK,
	};
	start->io_min = hint(l->io_min, start->physical_block_size, 0);
	start->io_opt = hint(l->io_opt, start->physical_block_size, start->io_min);
	if (l->rotational)
		start->flags |= BLKTAP_DISK_ROTATIONAL;
	if (image->read_only) {
		start->flags |= BLKTAP_DISK_READ_ONLY;
		return;
	}
	start_discard(l, start);
	if (l->write_cache)
		start->flags |= BLKTAP_DISK_WRITE_CACHE | (l->fua ? BLKTAP_DISK_FUA : 0);
}

static void live(struct vbd *vbd)
{
	const struct image *image = leaf_of(vbd);

	vbd->closed = false;
	blktap_log(LOG_INFO, "tapdev%u: %s:%s, %llu bytes in blocks of %u%s", vbd->minor,
		   image->driver->name, image->path, (unsigned long long)image->limits.capacity,
		   image->limits.logical_block_size, image->read_only ? ", read-only" : "");
	finish(vbd, VBD_LIVE);
}

static void disk_not_added(struct vbd *vbd, int error)
{
	if (!error)
		error = -EIO;
	if (!vbd->failure.code)
		blktap_error_set(&vbd->failure, error, "tapdev%u could not be added: %s",
				 vbd->minor, strerror(-error));
	drain(vbd);
}

static void check_started(struct vbd *vbd, const struct blktap_state *state)
{
	if (state->disk_state == BLKTAP_DISK_STATE_NONE) {
		disk_not_added(vbd, state->error);
	} else if (state->disk_state == BLKTAP_DISK_STATE_LIVE && vbd->aborting) {
		vbd->state = VBD_CLOSING;
		try_stop(vbd);
	} else if (state->disk_state == BLKTAP_DISK_STATE_LIVE) {
		live(vbd);
	}
}

static void check_state(struct vbd *vbd)
{
	struct blktap_state state;
	struct blktap_error err;

	if (blktap_ring_state(vbd->ring, &state, &err)) {
		vbd_session_lost(vbd, err.text);
		return;
	}
	if (vbd->state == VBD_STARTING)
		check_started(vbd, &state);
	else if (vbd->state == VBD_CLOSING)
		try_stop(vbd);
	else if (vbd->state == VBD_REMOVING && state.disk_state == BLKTAP_DISK_STATE_NONE)
		drain(vbd);
}

/* The image is open, the disk is not there yet. */
static void start_disk(struct vbd *vbd, struct image *image)
{
	struct blktap_start start;

	list_add_tail(&vbd->images, &image->link);
	start_params(image, &start);
	if (blktap_ring_start(vbd->ring, &start, &vbd->failure)) {
		drain(vbd);
		return;
	}
	vbd->state = VBD_STARTING;
	check_state(vbd);
}

static int start_image(struct vbd *vbd, struct image *image)
{
	int ret = image->driver->start(image, vbd->env->loop, &vbd->failure);

	if (ret)
		return ret;
	ret = vbd_queues_start(vbd, image);
	if (!ret)
		return 0;
	image->driver->stop(image);
	return blktap_error_set(&vbd->failure, ret, "cannot serve tapdev%u: %s", vbd->minor,
				strerror(-ret));
}

static void image_opened(struct work *work)
{
	struct vbd *vbd = container_of(work, struct vbd, job.work);
	struct image *image = TAKE_POINTER(vbd->job.image);

	free(TAKE_POINTER(vbd->job.spec));
	if (!vbd->failure.code)
		vbd->failure = vbd->job.err;
	if (!image)
		finish(vbd, VBD_IDLE);
	else if (vbd->failure.code || start_image(vbd, image))
		close_image(vbd, image);
	else
		start_disk(vbd, image);
}

static void open_in_worker(struct work *work)
{
	struct vbd_job *job = container_of(work, struct vbd_job, work);

	job->err.code = 0;
	image_open(&job->image, job->spec, &job->params, &job->err);
}

void vbd_open(struct vbd *vbd, const struct vbd_open_params *params, vbd_done done, void *data)
{
	struct vbd_job *job = &vbd->job;

	if (vbd->lost) {
		refuse(vbd, done, data, -ENODEV, "has lost its session");
		return;
	}
	if (vbd->state != VBD_IDLE) {
		refuse(vbd, done, data, -EALREADY, "has an image open already");
		return;
	}
	job->spec = strdup(params->image);
	if (!job->spec) {
		refuse(vbd, done, data, -ENOMEM, "cannot be opened: no memory");
		return;
	}
	begin(vbd, done, data);
	job->params = (struct image_params){
		.read_only = params->read_only,
		.no_direct = params->no_direct,
		.minor = vbd->minor,
		.requests = blktap_ring_queues(vbd->ring) * blktap_ring_depth(vbd->ring),
	};
	job->work.run = open_in_worker;
	job->work.done = image_opened;
	vbd->state = VBD_OPENING;
	if (params->timeout_ms >= 0)
		loop_timer_set(vbd->env->loop, &vbd->deadline, params->timeout_ms);
	workers_submit(vbd->env->workers, &job->work);
}

/* Twice: at the deadline, and if undoing takes long as well. */
static void open_too_slow(struct vbd *vbd)
{
	if (vbd->aborting) {
		blktap_log(LOG_WARNING, "tapdev%u: %s, and cannot be undone yet", vbd->minor,
			   vbd->failure.text);
		answer(vbd);
		return;
	}
	vbd->aborting = true;
	if (!vbd->failure.code)
		blktap_error_set(&vbd->failure, -ETIMEDOUT, "tapdev%u took too long to open",
				 vbd->minor);
	loop_timer_set(vbd->env->loop, &vbd->deadline, UNDO_GRACE_MS);
}

static void deadline_passed(struct loop_timer *timer)
{
	struct vbd *vbd = container_of(timer, struct vbd, deadline);

	if (vbd->state == VBD_CLOSING && !vbd->aborting)
		still_open(vbd);
	else
		open_too_slow(vbd);
}

/* ---------------------------------------------------------- attach and detach */

int vbd_attach(struct vbd **vbd, const struct vbd_env *env, unsigned int minor,
	       struct blktap_error *err)
{
	struct vbd *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return blktap_error_set(err, -ENOMEM, "no memory for tapdev%u", minor);
	new->env = env;
	new->minor = minor;
	list_init(&new->link);
	list_init(&new->images);
	loop_task_init(&new->turn, run_turn);
	loop_timer_init(&new->deadline, deadline_passed);
	ret = blktap_ring_open(&new->ring, minor, err);
	if (!ret) {
		new->ring_event.fd = blktap_ring_fd(new->ring);
		new->ring_event.ready = ring_ready;
		ret = loop_add(env->loop, &new->ring_event, EPOLLPRI);
		if (ret)
			blktap_error_set(err, ret, "cannot watch tapdev%u: %s", minor,
					 strerror(-ret));
	}
	if (ret) {
		vbd_free(new);
		return ret;
	}
	*vbd = new;
	return 0;
}

int vbd_detach(struct vbd *vbd, struct blktap_error *err)
{
	if (vbd->state != VBD_IDLE)
		return blktap_error_set(err, -EBUSY, "tapdev%u has an image open", vbd->minor);
	vbd_free(vbd);
	return 0;
}

void vbd_free(struct vbd *vbd)
{
	list_del(&vbd->link);
	loop_task_cancel(&vbd->turn);
	loop_timer_cancel(&vbd->deadline);
	loop_remove(vbd->env->loop, &vbd->ring_event);
	blktap_ring_close(vbd->ring);
	free(vbd);
}

const struct image *vbd_image(const struct vbd *vbd)
{
	return leaf_of(vbd);
}

unsigned int vbd_user_state(const struct vbd *vbd)
{
	return vbd->state == VBD_IDLE && vbd->closed ? BLKTAP_VBD_CLOSED : 0;
}

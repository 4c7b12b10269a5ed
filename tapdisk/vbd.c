// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a VBD, from attach to detach.
 *
 *   IDLE > OPENING > STARTING > LIVE > CLOSING > REMOVING > DRAINING >
 *   CLOSING_IMAGE > IDLE
 *
 * A failure takes the shortest way to the right. At most one operation is under
 * way; it ends when LIVE, PAUSED or IDLE is reached, or at its deadline. The
 * states of pauses and of resizing are in vbd-pause.c, those of the change to another
 * tapdisk in vbd-handover.c and vbd-adopt.c.
 */
#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "cleanup.h"
#include "image.h"
#include "vbd-record.h"
#include "vbd.h"

/* Probes of udev and friends are over within this time. */
#define CLOSE_GRACE_MS	2000
/* For undoing an open that took too long, before it is answered all the same. */
#define UNDO_GRACE_MS	2000
/* Beyond these, START refuses. */
#define MAX_PHYSICAL_BLOCK	(1U << 20)
#define MAX_HINT		(1U << 30)
/* What to ask the driver for, all that can be made use of. */
#define FEATURES		(KERNEL_IO_FEATURES | BLKTAP_F_HOLD | BLKTAP_F_TAKEOVER | \
				 BLKTAP_F_SWAP)

static void check_state(struct vbd *vbd);

/* --------------------------------------------------------------- operations */

void vbd_begin(struct vbd *vbd, vbd_done done, void *data, int timeout_ms)
{
	vbd->op = (struct vbd_operation){ done, data };
	vbd->failure.code = 0;
	if (timeout_ms >= 0)
		loop_timer_set(vbd->env->loop, &vbd->deadline, timeout_ms);
}

void vbd_answer(struct vbd *vbd)
{
	struct vbd_operation op = vbd->op;

	vbd->op.done = NULL;
	loop_timer_cancel(&vbd->deadline);
	if (vbd->job)
		workers_abandon(vbd->env->workers, &vbd->job->work);
	if (op.done)
		op.done(vbd, op.data, vbd->failure.code ? &vbd->failure : NULL);
}

static void forget_image(struct vbd *vbd)
{
	free(TAKE_POINTER(vbd->spec));
	free(TAKE_POINTER(vbd->stats));
	vbd->paused = false;
	vbd->held = false;
	vbd->aborting = false;
	vbd->foreign = false;
}

void vbd_finish(struct vbd *vbd, enum vbd_state state)
{
	if (state == VBD_PAUSED && vbd->lost)
		state = VBD_IDLE;
	vbd->state = state;
	if (state == VBD_IDLE)
		forget_image(vbd);
	vbd_answer(vbd);
	vbd->failure.code = 0;
	if (vbd->lost)
		loop_defer(vbd->env->loop, &vbd->turn);
	else
		vbd->env->changed(vbd->env, vbd);
}

void vbd_refuse(struct vbd *vbd, vbd_done done, void *data, int code, const char *what)
{
	struct blktap_error err;

	blktap_error_set(&err, code, "tapdev%u %s", vbd->minor, what);
	done(vbd, data, &err);
}

static void timed_out(struct vbd *vbd, const char *what)
{
	if (!vbd->failure.code)
		blktap_error_set(&vbd->failure, -ETIMEDOUT, "tapdev%u %s", vbd->minor, what);
}

/* ------------------------------------------------------- closing the image */

/* Who wanted it to be safe has asked for it by a flush, and was told. */
static void image_closed(struct vbd *vbd, int error)
{
	if (vbd->state == VBD_RELEASING) {
		vbd_released(vbd, error);
		return;
	}
	if (error)
		blktap_log(LOG_ERR, "tapdev%u: closed, but %s does not have all that was written to "
			   "it: %s", vbd->minor, vbd->spec, strerror(-error));
	else if (!vbd->failure.code && !vbd->lost)
		blktap_log(LOG_INFO, "tapdev%u: closed", vbd->minor);
	vbd_finish(vbd, VBD_IDLE);
}

/* The kernel is the last that lets go of the image, and then we do. */
static void close_all(struct vbd_job *job)
{
	server_free(job->server);
	kernel_io_end(job->kio);
	kernel_io_free(job->kio);
	job->err.code = job->synced ? image_sync(job->synced) : 0;
	image_close(job->image);
}

static void close_in_worker(struct work *work)
{
	close_all(container_of(work, struct vbd_job, work));
}

static void close_done(struct work *work)
{
	struct vbd_job *job = container_of(work, struct vbd_job, work);
	struct vbd *vbd = vbd_job_end(job);
	int error = job->err.code;

	vbd_job_free(job);
	if (vbd)
		image_closed(vbd, error);
}

static void close_by_worker(struct vbd *vbd, struct image *image, struct image *synced,
			    enum vbd_state state)
{
	struct vbd_job *job = vbd_job_new(vbd, close_in_worker, close_done);
	struct vbd_job none = { 0 }, *parts = job ? job : &none;

	vbd->state = state;
	if (vbd->server && !server_threaded(vbd->server))
		server_free(TAKE_POINTER(vbd->server));
	parts->server = TAKE_POINTER(vbd->server);
	parts->kio = TAKE_POINTER(vbd->kio);
	parts->image = image;
	parts->synced = synced;
	if (job) {
		vbd_job_submit(job);
		return;
	}
	/* Slow, but right. */
	close_all(parts);
	image_closed(vbd, parts->err.code);
}

/*
 * What could not be written back is told to one who asks, once: if others go on with the
 * image, who serve the disk or recover it, that is for them to hear.
 */
void vbd_close_image(struct vbd *vbd, enum vbd_state state)
{
	struct image *image = TAKE_POINTER(vbd->image);
	bool ours = state == VBD_CLOSING_IMAGE && !vbd->lost && !vbd->foreign;

	close_by_worker(vbd, image, ours ? image : NULL, state);
}

void vbd_stop_serving(struct vbd *vbd, enum vbd_state state)
{
	close_by_worker(vbd, NULL, vbd->image, state);
}

/* ------------------------------------------------------------------ serving */

/* Not from within a handler of the ring: the VBD may go. */
static void run_turn(struct loop_task *task)
{
	struct vbd *vbd = container_of(task, struct vbd, turn);

	if (vbd->lost && vbd->state == VBD_IDLE)
		vbd->env->gone(vbd->env, vbd);
}

void vbd_drain(struct vbd *vbd)
{
	vbd->state = VBD_DRAINING;
	if (vbd->server && vbd->lost)
		server_fail_requests(vbd->server);
	if (vbd->server)
		server_drain(vbd->server);
	else
		vbd_close_image(vbd, VBD_CLOSING_IMAGE);
}

static void drained(void *data)
{
	struct vbd *vbd = data;

	if (vbd->state == VBD_PAUSING)
		vbd_pause_drained(vbd);
	else if (vbd->state == VBD_HANDING_OVER)
		vbd_hand_over_drained(vbd);
	else if (vbd->state == VBD_RESIZING || vbd->state == VBD_SWITCHING)
		vbd_change_drained(vbd);
	else if (vbd->state == VBD_DRAINING)
		vbd_close_image(vbd, VBD_CLOSING_IMAGE);
}

static void lost_in_server(void *data, int code)
{
	vbd_session_lost(data, code == -EPROTO ? "its rings make no sense" : strerror(-code));
}

static int start_server(struct vbd *vbd)
{
	struct server_params params = {
		.owner = vbd->env->loop,
		.threads = vbd->env->threads,
		.ring = vbd->ring,
		.image = vbd->image,
		.kio = vbd->kio,
		.request_timeout_ms = vbd->request_timeout_ms,
		.max_spin_ns = vbd->max_spin_ns,
		.stats = vbd->stats,
		.drained = drained,
		.lost = lost_in_server,
		.data = vbd,
	};

	return server_start(&vbd->server, &params, &vbd->failure);
}

/* Without an image: requests fail. */
static int serve_nothing(struct vbd *vbd)
{
	int ret = start_server(vbd);

	if (!ret)
		server_resume(vbd->server, vbd->disk.capacity);
	return ret;
}

static void prepare_in_worker(struct work *work)
{
	struct vbd_job *job = container_of(work, struct vbd_job, work);

	kernel_io_begin(job->kio, job->kernel_io);
}

static bool start_serving(struct vbd *vbd)
{
	kernel_io_prepare(vbd->kio, vbd->disk.capacity);
	return start_server(vbd) == 0;
}

static void open_prepared(struct vbd *vbd, bool ready);

static void prepare_done(struct work *work)
{
	struct vbd_job *job = container_of(work, struct vbd_job, work);
	CLEANUP_FREE char *spec = TAKE_POINTER(job->spec);
	bool given_up = job->given_up;
	struct vbd *vbd = vbd_job_end(job);
	bool ready;

	vbd_job_free(job);
	if (vbd->lost) {
		vbd_close_image(vbd, VBD_CLOSING_IMAGE);
		return;
	}
	ready = !given_up && start_serving(vbd);
	if (vbd->state == VBD_RELEASING)
		vbd_keep_prepared(vbd, ready);
	else if (vbd->state == VBD_REOPENING)
		vbd_reopen_prepared(vbd, ready, TAKE_POINTER(spec));
	else if (vbd->state == VBD_ADOPTING)
		vbd_adopt_prepared(vbd, ready);
	else
		open_prepared(vbd, ready);
}

int vbd_prepare(struct vbd *vbd, char *spec)
{
	struct vbd_job *job = vbd_job_new(vbd, prepare_in_worker, prepare_done);

	if (!job || kernel_io_new(&vbd->kio, vbd->ring, vbd->image)) {
		free(job);
		return blktap_error_set(&vbd->failure, -ENOMEM, "no memory for tapdev%u",
					vbd->minor);
	}
	job->kio = vbd->kio;
	job->kernel_io = vbd->kernel_io;
	job->spec = spec;
	vbd_job_submit(job);
	return 0;
}

/* It has its image already: what a worker does with that is not left behind. */
static bool is_preparing(const struct vbd *vbd)
{
	return vbd->job && vbd->image;
}

bool vbd_give_up_preparing(struct vbd *vbd)
{
	if (!is_preparing(vbd))
		return false;
	vbd->job->given_up = true;
	return true;
}

/* ------------------------------------------------------------------ holding */

int vbd_hold(struct vbd *vbd, struct blktap_error *err)
{
	int ret;

	if (vbd->held)
		return 0;
	if (!(blktap_ring_features(vbd->ring) & BLKTAP_F_HOLD))
		return blktap_error_set(err, -EOPNOTSUPP, "tapdev%u: the module in use cannot hold "
					"requests", vbd->minor);
	ret = blktap_ring_hold(vbd->ring, err);
	vbd->held = !ret;
	return ret;
}

int vbd_release(struct vbd *vbd, struct blktap_error *err)
{
	if (!vbd->held)
		return 0;
	vbd->held = false;
	return blktap_ring_release(vbd->ring, err);
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
	vbd->handed_over = vbd->state == VBD_HELD;
	if (vbd->handed_over)
		blktap_log(LOG_INFO, "tapdev%u: handed over", vbd->minor);
	else
		blktap_log(LOG_ERR, "tapdev%u: the session has ended: %s", vbd->minor, reason);
	vbd->lost = true;
	list_del(&vbd->offer);
	loop_remove(vbd->env->loop, &vbd->ring_event);
	loop_defer(vbd->env->loop, &vbd->turn);
	if (vbd->state != VBD_IDLE)
		lost_error(vbd);
	switch (vbd->state) {
	case VBD_OPENING:
	case VBD_REOPENING:
	case VBD_ADOPTING:
	case VBD_PAUSED:
		if (is_preparing(vbd))
			break;
		vbd_job_abandon(vbd);
		vbd_finish(vbd, VBD_IDLE);
		break;
	case VBD_RESIZING:
	case VBD_SWITCHING:
	case VBD_HANDING_OVER:
		if (vbd->job)
			break;	/* it is busy with the image */
		/* fall through */
	case VBD_OFFERED:
	case VBD_HELD:
	case VBD_ADOPTED:
	case VBD_STARTING:
	case VBD_LIVE:
	case VBD_CLOSING:
	case VBD_REMOVING:
	case VBD_PAUSING:
		vbd_drain(vbd);
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

/* There are no openers any more, but there may be requests left over. */
static void disk_goes(struct vbd *vbd)
{
	vbd->state = VBD_REMOVING;
	record_remove(vbd->env->records, vbd->minor);
	if (!vbd->aborting)
		loop_timer_cancel(&vbd->deadline);
	if (vbd->server && vbd->force)
		server_fail_requests(vbd->server);
	if (!vbd->server && serve_nothing(vbd))
		vbd_session_lost(vbd, vbd->failure.text);
	else
		check_state(vbd);
}

/* False: it is still open, or its partitions are being scanned. */
static bool try_stop(struct vbd *vbd, bool force)
{
	struct blktap_error err;
	int ret = blktap_ring_stop(vbd->ring, force, &err);

	if (ret == -EBUSY)
		return false;		/* the last close raises EPOLLPRI */
	vbd->held = false;
	if (ret)
		vbd_session_lost(vbd, err.text);
	else
		disk_goes(vbd);
	return true;
}

static enum vbd_state state_before_close(const struct vbd *vbd)
{
	return vbd->paused ? VBD_PAUSED : VBD_LIVE;
}

static void still_open(struct vbd *vbd)
{
	blktap_error_set(&vbd->failure, -EBUSY, "tapdev%u is still open", vbd->minor);
	vbd_finish(vbd, state_before_close(vbd));
}

/* Those who wait for the last close have waited in vain. */
static void close_too_slow(struct vbd *vbd)
{
	if (!vbd->force) {
		still_open(vbd);
		return;
	}
	blktap_log(LOG_WARNING, "tapdev%u: still open, and taken away by force", vbd->minor);
	if (!try_stop(vbd, true))
		still_open(vbd);
}

/* A close that waits, say for ever since SIGTERM, gives way to one that does not. */
static bool overtakes(struct vbd *vbd, bool force)
{
	if (vbd->state != VBD_CLOSING || vbd->aborting || !force || vbd->force)
		return false;
	still_open(vbd);
	return true;
}

void vbd_close(struct vbd *vbd, int timeout_ms, bool force, vbd_done done, void *data)
{
	if (vbd->state == VBD_IDLE) {
		done(vbd, data, NULL);
		return;
	}
	if (vbd->state != VBD_LIVE && vbd->state != VBD_PAUSED && !overtakes(vbd, force)) {
		vbd_refuse(vbd, done, data, -EBUSY, "is busy with another operation");
		return;
	}
	vbd_begin(vbd, done, data, timeout_ms ? timeout_ms : CLOSE_GRACE_MS);
	vbd->closed = true;
	vbd->force = force;
	vbd->state = VBD_CLOSING;
	try_stop(vbd, false);
}

bool vbd_withdraw(struct vbd *vbd, const void *data)
{
	if (vbd->op.data != data || !vbd->op.done)
		return false;
	if (vbd->state == VBD_CLOSING && !vbd->aborting) {
		vbd->op.done = NULL;
		blktap_log(LOG_INFO, "tapdev%u: the close was given up", vbd->minor);
		vbd_finish(vbd, state_before_close(vbd));
		return true;
	}
	if (vbd->state == VBD_HANDING_OVER) {
		vbd->op.done = NULL;
		vbd_take_back(vbd, "nobody waits for it any more");
		return true;
	}
	return vbd_pause_withdraw(vbd);
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

/* The data of writes stays in the kernel if most of it need not come here. */
static uint32_t demand_flag(const struct vbd *vbd)
{
	if (vbd->image->read_only || vbd->kernel_io == BLKTAP_KERNEL_IO_OFF ||
	    !(blktap_ring_features(vbd->ring) & BLKTAP_F_DATA_ON_DEMAND) ||
	    kernel_io_possible(vbd->ring, vbd->image) == BLKTAP_KERNEL_IO_OFF)
		return 0;
	return BLKTAP_DISK_DEMAND;
}

void vbd_disk_params(const struct vbd *vbd, struct blktap_start *start)
{
	const struct image *image = vbd->image;
	const struct image_limits *l = &image->limits;
	uint32_t physical = l->physical_block_size;

	*start = (struct blktap_start){
		.capacity = l->capacity - l->capacity % l->logical_block_size,
		.logical_block_size = l->logical_block_size,
		.physical_block_size = physical < MAX_PHYSICAL_BLOCK ? physical :
				       MAX_PHYSICAL_BLOCK,
	};
	start->flags = demand_flag(vbd);
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
	const struct blktap_start *disk = &vbd->disk;

	vbd->closed = false;
	/* Which disk it is has not been known before. */
	record_write(vbd->env->records, vbd);
	kernel_io_map(vbd->kio);
	blktap_log(LOG_INFO, "tapdev%u: %s, %llu bytes in blocks of %u%s", vbd->minor, vbd->spec,
		   (unsigned long long)disk->capacity, disk->logical_block_size,
		   disk->flags & BLKTAP_DISK_READ_ONLY ? ", read-only" : "");
	vbd_finish(vbd, VBD_LIVE);
}

static void disk_not_added(struct vbd *vbd, int error)
{
	if (!error)
		error = -EIO;
	if (!vbd->failure.code)
		blktap_error_set(&vbd->failure, error, "tapdev%u could not be added: %s",
				 vbd->minor, strerror(-error));
	record_remove(vbd->env->records, vbd->minor);
	vbd_drain(vbd);
}

static void check_started(struct vbd *vbd, const struct blktap_state *state)
{
	if (state->disk_state == BLKTAP_DISK_STATE_NONE) {
		disk_not_added(vbd, state->error);
	} else if (state->disk_state == BLKTAP_DISK_STATE_LIVE && vbd->aborting) {
		vbd->state = VBD_CLOSING;
		try_stop(vbd, false);
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
		try_stop(vbd, false);
	else if (vbd->state == VBD_REMOVING && state.disk_state == BLKTAP_DISK_STATE_NONE)
		vbd_drain(vbd);
	else if (vbd->state == VBD_PAUSED)
		vbd->env->changed(vbd->env, vbd);
}

bool vbd_in_use(struct vbd *vbd)
{
	struct blktap_state state;

	return blktap_ring_state(vbd->ring, &state, NULL) == 0 && state.openers;
}

void vbd_started(struct vbd *vbd)
{
	vbd->state = VBD_STARTING;
	check_state(vbd);
}

/*
 * The image is open and served, the disk is not there yet, or was left over. It can be used
 * before START has returned, and what an earlier one has left on record says nothing about it
 * then.
 */
static void start_disk(struct vbd *vbd)
{
	int records = vbd->env->records;
	CLEANUP_FREE char *before = record_read(records, vbd->minor);

	record_write(records, vbd);
	if (blktap_ring_start(vbd->ring, &vbd->disk, &vbd->failure)) {
		record_put_back(records, vbd->minor, before);
		vbd_drain(vbd);
		return;
	}
	vbd_started(vbd);
}

int vbd_reset_stats(struct vbd *vbd)
{
	unsigned int count = blktap_ring_queues(vbd->ring);
	size_t bytes = count * sizeof(struct queue_stats);

	vbd->nr_queues = count;
	vbd->stats = aligned_alloc(_Alignof(struct queue_stats), bytes);
	if (!vbd->stats)
		return blktap_error_set(&vbd->failure, -ENOMEM, "no memory for tapdev%u",
					vbd->minor);
	memset(vbd->stats, 0, bytes);
	return 0;
}

static void open_prepared(struct vbd *vbd, bool ready)
{
	if (!ready) {
		vbd_close_image(vbd, VBD_CLOSING_IMAGE);
		return;
	}
	server_resume(vbd->server, vbd->disk.capacity);
	start_disk(vbd);
}

/* A new disk is to have all of its image. */
static int check_odd_size(struct vbd *vbd)
{
	uint64_t bytes = vbd->image->limits.capacity;

	if (bytes == vbd->disk.capacity)
		return 0;
	return blktap_error_set(&vbd->failure, -EINVAL, "the size of %s, %llu bytes, is not a "
				"multiple of the block size, %u", vbd->spec,
				(unsigned long long)bytes, vbd->disk.logical_block_size);
}

/* The driver knows a disk that was left over, and checks what else has to be equal. */
static int choose_size(struct vbd *vbd)
{
	struct blktap_state state;
	int ret = blktap_ring_state(vbd->ring, &state, &vbd->failure);

	if (ret)
		return ret;
	if (state.disk_state == BLKTAP_DISK_STATE_NONE)
		return check_odd_size(vbd);
	return vbd_keep_size(vbd, &vbd->disk, state.capacity, vbd->spec, vbd->earlier);
}

static void opened(struct vbd *vbd, struct image *image, char *spec)
{
	if (!image) {
		free(spec);
		vbd_finish(vbd, VBD_IDLE);
		return;
	}
	vbd->image = image;
	vbd->spec = spec;
	vbd_disk_params(vbd, &vbd->disk);
	if (choose_size(vbd) || vbd_reset_stats(vbd) || vbd_prepare(vbd, NULL))
		vbd_close_image(vbd, VBD_CLOSING_IMAGE);
}

static void open_in_worker(struct work *work)
{
	struct vbd_job *job = container_of(work, struct vbd_job, work);

	image_open(&job->image, job->spec, &job->params, &job->err);
}

static void open_done(struct work *work)
{
	struct vbd_job *job = container_of(work, struct vbd_job, work);
	struct vbd *vbd = vbd_job_end(job);
	struct image *image;
	char *spec;

	if (!vbd && job->image) {
		job->work.run = close_in_worker;
		job->work.done = close_done;
		vbd_job_go_on(job);
		return;
	}
	image = TAKE_POINTER(job->image);
	spec = TAKE_POINTER(job->spec);
	if (vbd && !image)
		vbd->failure = job->err;
	vbd_job_free(job);
	if (!vbd)
		free(spec);
	else if (vbd->state == VBD_REOPENING)
		vbd_reopened(vbd, image, spec);
	else if (vbd->state == VBD_ADOPTING)
		vbd_adopted(vbd, image, spec);
	else
		opened(vbd, image, spec);
}

struct vbd_job *vbd_open_job(struct vbd *vbd, const char *spec)
{
	struct vbd_job *job;

	if (vbd_job_check_abandoned(vbd, spec))
		return NULL;
	job = vbd_job_new(vbd, open_in_worker, open_done);
	if (job)
		job->spec = strdup(spec);
	if (!job || !job->spec) {
		free(job);
		blktap_error_set(&vbd->failure, -ENOMEM, "no memory for tapdev%u", vbd->minor);
		return NULL;
	}
	job->params = vbd->params;
	job->params.fds = job->fds;
	if (vbd->passed >= 0)
		job->fds[job->params.nr_fds++] = TAKE_FD(vbd->passed);
	return job;
}

int vbd_open_image(struct vbd *vbd, const char *spec, enum vbd_state state)
{
	struct vbd_job *job = vbd_open_job(vbd, spec);

	if (!job)
		return vbd->failure.code;
	vbd->state = state;
	vbd_job_submit(job);
	return 0;
}

int vbd_left_over(struct vbd *vbd, const char *image, struct blktap_error *err)
{
	char *earlier = strdup(image);

	if (!earlier)
		return blktap_error_set(err, -ENOMEM, "no memory for tapdev%u", vbd->minor);
	free(vbd->earlier);
	vbd->earlier = earlier;
	return 0;
}

void vbd_pass(struct vbd *vbd, int fd)
{
	if (vbd->passed >= 0)
		close(vbd->passed);
	vbd->passed = fd;
}

void vbd_open(struct vbd *vbd, const struct vbd_open_params *params, vbd_done done, void *data)
{
	if (vbd->lost) {
		vbd_refuse(vbd, done, data, -ENODEV, "has lost its session");
		return;
	}
	if (vbd->state != VBD_IDLE) {
		vbd_refuse(vbd, done, data, -EALREADY, "has an image open already");
		return;
	}
	vbd->params = (struct image_params){
		.read_only = params->read_only,
		.no_direct = params->no_direct,
		.minor = vbd->minor,
		.table = vbd->env->images,
	};
	vbd->request_timeout_ms = params->request_timeout_ms;
	vbd->max_spin_ns = params->max_spin_ns;
	vbd->kernel_io = params->kernel_io ?: BLKTAP_KERNEL_IO_AUTO;
	vbd->restart = params->restart;
	vbd_begin(vbd, done, data, params->timeout_ms);
	if (vbd_open_image(vbd, params->image, VBD_OPENING))
		vbd_finish(vbd, VBD_IDLE);
}

/* ----------------------------------------------------------------- deadlines */

/* Twice: at the deadline, and if undoing takes long as well. */
static void open_too_slow(struct vbd *vbd)
{
	if (vbd->aborting) {
		blktap_log(LOG_WARNING, "tapdev%u: %s, and cannot be undone yet", vbd->minor,
			   vbd->failure.text);
		vbd_answer(vbd);
		return;
	}
	vbd->aborting = true;
	timed_out(vbd, "took too long to open");
	if (vbd->server)
		server_fail_requests(vbd->server);
	loop_timer_set(vbd->env->loop, &vbd->deadline, UNDO_GRACE_MS);
}

/* Who takes over can do nothing before it is undone, and hears of it then. */
static void opening_too_slow(struct vbd *vbd)
{
	timed_out(vbd, "has an image that took too long to open");
	if (!vbd_give_up_preparing(vbd)) {
		vbd_job_abandon(vbd);
		vbd_finish(vbd, VBD_IDLE);
	} else if (vbd->state == VBD_OPENING) {
		vbd_answer(vbd);
	}
}

static void deadline_passed(struct loop_timer *timer)
{
	struct vbd *vbd = container_of(timer, struct vbd, deadline);

	switch (vbd->state) {
	case VBD_CLOSING:
		if (vbd->aborting)
			open_too_slow(vbd);
		else
			close_too_slow(vbd);
		break;
	case VBD_OPENING:
	case VBD_ADOPTING:
		opening_too_slow(vbd);
		break;
	case VBD_PAUSING:
	case VBD_RELEASING:
	case VBD_REOPENING:
	case VBD_RESIZING:
	case VBD_SWITCHING:
		vbd_pause_too_slow(vbd);
		break;
	case VBD_OFFERED:
	case VBD_HANDING_OVER:
	case VBD_HELD:
		vbd_hand_over_too_slow(vbd);
		break;
	default:
		open_too_slow(vbd);
	}
}

/* ---------------------------------------------------------- attach and detach */

/* @from: the process to be succeeded, or 0. */
static int open_ring(struct vbd *vbd, int fd, pid_t from, struct blktap_error *err)
{
	if (from)
		return blktap_ring_take_over(&vbd->ring, fd, vbd->minor, from, FEATURES, err);
	if (fd >= 0)
		return blktap_ring_adopt(&vbd->ring, fd, vbd->minor, FEATURES, err);
	return blktap_ring_open(&vbd->ring, vbd->minor, FEATURES, err);
}

static int attach(struct vbd **vbd, const struct vbd_env *env, unsigned int minor, int fd,
		  pid_t from, struct blktap_error *err)
{
	CLEANUP_CLOSE int ring = fd;
	struct vbd *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return blktap_error_set(err, -ENOMEM, "no memory for tapdev%u", minor);
	new->env = env;
	new->minor = minor;
	list_init(&new->link);
	list_init(&new->offer);
	loop_task_init(&new->turn, run_turn);
	loop_timer_init(&new->deadline, deadline_passed);
	new->passed = -1;
	ret = open_ring(new, TAKE_FD(ring), from, err);
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

int vbd_attach(struct vbd **vbd, const struct vbd_env *env, unsigned int minor, int fd,
	       struct blktap_error *err)
{
	return attach(vbd, env, minor, fd, 0, err);
}

int vbd_attach_takeover(struct vbd **vbd, const struct vbd_env *env, unsigned int minor, int fd,
			pid_t from, struct blktap_error *err)
{
	return attach(vbd, env, minor, fd, from, err);
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
	list_del(&vbd->offer);
	loop_task_cancel(&vbd->turn);
	loop_timer_cancel(&vbd->deadline);
	loop_remove(vbd->env->loop, &vbd->ring_event);
	blktap_ring_close(vbd->ring);
	free(vbd->earlier);
	free(vbd);
}

bool vbd_is_open(const struct vbd *vbd)
{
	return vbd->spec && vbd->state != VBD_CLOSING_IMAGE;
}

enum blktap_kernel_io vbd_kernel_io(const struct vbd *vbd)
{
	return vbd->paused ? vbd->kernel_io : kernel_io_mode(vbd->kio);
}

unsigned int vbd_user_state(const struct vbd *vbd)
{
	if (vbd->paused)
		return BLKTAP_VBD_PAUSED | BLKTAP_VBD_QUIESCED | BLKTAP_VBD_CLOSED;
	return vbd->state == VBD_IDLE && vbd->closed ? BLKTAP_VBD_CLOSED : 0;
}

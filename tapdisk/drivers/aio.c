// SPDX-License-Identifier: GPL-2.0-only
/*
 * aio:/path  A raw file or block device, served with libaio and O_DIRECT.
 *
 * Requests of a turn are collected and sent with one io_submit(). Completions
 * wake the loop through an eventfd and are read from the ring in memory. What
 * has no asynchronous call (discard, write zeroes), and everything where
 * io_submit() would block (the page cache), is done by worker threads.
 */
#include <errno.h>
#include <libaio.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/eventfd.h>
#include <syslog.h>
#include <unistd.h>

#include "aio-ring.h"
#include "cleanup.h"
#include "raw.h"
#include "workers.h"

/*
 * In flight per channel. The contexts of all processes share fs.aio-max-nr, 65536
 * unless raised, so a thousand disks must not take it all.
 */
#define MAX_EVENTS	256U
#define MIN_EVENTS	16U
#define MAX_BATCH	64U

#define DIRECT_THREADS	2
#define BUFFERED_THREADS 8

/* io_submit() without memory and nothing in flight that could give some back. */
#define RETRY_MS	10
#define MAX_RETRIES	100

struct aio_image {
	struct image image;
	struct raw raw;
};

struct aio_channel {
	struct image_channel channel;
	struct raw *raw;
	struct workers *workers;
	io_context_t ctx;	/* NULL: worker threads do it all */
	bool ring;		/* completions can be read from memory */
	unsigned int events;	/* capacity of ctx */
	unsigned int inflight;	/* with ctx */
	struct list pending;	/* not yet with ctx */
	struct loop_fd event;
	struct loop_timer retry;
	unsigned int retries;
};

struct aio_request {
	struct image_request req;
	struct aio_channel *aio;
	struct list link;
	struct iocb iocb;
	struct work work;
	uint64_t transferred;
	int error;
};

static struct aio_image *to_image(struct image *image)
{
	return container_of(image, struct aio_image, image);
}

static struct aio_channel *to_channel(struct image_channel *channel)
{
	return container_of(channel, struct aio_channel, channel);
}

static struct aio_request *to_request(struct image_request *req)
{
	return container_of(req, struct aio_request, req);
}

static bool transfers(const struct aio_request *r)
{
	return r->req.op == BLKTAP_OP_READ || r->req.op == BLKTAP_OP_WRITE;
}

/* For the others there is no call that does not block, or none that can be relied on. */
static bool is_asynchronous(const struct aio_request *r)
{
	if (r->req.op == BLKTAP_OP_FLUSH)
		return true;
	return transfers(r) && !((r->req.flags & BLKTAP_REQ_FUA) &&
				 r->aio->channel.image->limits.fua_syncs);
}

/* ------------------------------------------------------------------ workers */

static void run_blocking(struct work *work)
{
	struct aio_request *r = container_of(work, struct aio_request, work);

	r->error = raw_execute(r->aio->raw, r->req.op, r->req.flags, r->req.offset,
			       r->req.length, r->req.data);
}

static void blocking_done(struct work *work)
{
	struct aio_request *r = container_of(work, struct aio_request, work);

	r->req.done(&r->req, r->error);
}

/* From the start: what was transferred already is transferred again. */
static void submit_to_worker(struct aio_request *r)
{
	r->work.run = run_blocking;
	r->work.done = blocking_done;
	workers_submit(r->aio->workers, &r->work);
}

/* -------------------------------------------------------------- completions */

static void queue_again(struct aio_request *r)
{
	list_add_tail(&r->aio->pending, &r->link);
}

/* O_DIRECT can go on at block boundaries only; no progress is a file cut short. */
static void transfer_done(struct aio_request *r, uint64_t bytes)
{
	uint64_t left = r->req.length - r->transferred;

	if (bytes == left) {
		r->req.done(&r->req, 0);
		return;
	}
	bytes -= bytes % r->aio->raw->block_size;
	if (!bytes || bytes > left) {
		r->req.done(&r->req, -EIO);
		return;
	}
	r->transferred += bytes;
	queue_again(r);
}

static void request_failed(struct aio_request *r, int error)
{
	bool flush = r->req.op == BLKTAP_OP_FLUSH;
	bool fua = r->req.flags & BLKTAP_REQ_FUA;

	if ((flush && error == -EINVAL) || (fua && error == -EOPNOTSUPP))
		submit_to_worker(r);	/* no such asynchronous call here */
	else if (flush)		/* a write with FUA is tried again, for it brings its data anew */
		r->req.done(&r->req, raw_flush_error(raw_error(r->aio->raw, error, 0)));
	else
		r->req.done(&r->req, raw_error(r->aio->raw, error, r->req.offset + r->req.length));
}

static void complete(struct aio_request *r, int64_t result)
{
	if (result < 0)
		request_failed(r, result);
	else if (transfers(r))
		transfer_done(r, result);
	else
		r->req.done(&r->req, 0);
}

static bool take_event(struct aio_channel *aio, struct io_event *event)
{
	struct timespec now = { 0 };

	if (aio->ring)
		return aio_ring_take(aio->ctx, event);
	return io_getevents(aio->ctx, 0, 1, event, &now) == 1;
}

/* Returns whether there were any. */
static bool reap(struct aio_channel *aio)
{
	struct io_event event;
	bool any = false;

	while (aio->inflight && take_event(aio, &event)) {
		aio->inflight--;
		complete(event.data, (long)event.res);
		any = true;
	}
	return any;
}

/* ----------------------------------------------------------------- sending */

static void prepare(struct aio_request *r)
{
	int fd = r->aio->raw->fd;
	char *data = (char *)r->req.data + r->transferred;
	uint64_t length = r->req.length - r->transferred;
	uint64_t offset = r->req.offset + r->transferred;

	switch (r->req.op) {
	case BLKTAP_OP_READ:
		io_prep_pread(&r->iocb, fd, data, length, offset);
		break;
	case BLKTAP_OP_WRITE:
		io_prep_pwrite(&r->iocb, fd, data, length, offset);
		if (r->req.flags & BLKTAP_REQ_FUA)
			r->iocb.aio_rw_flags = RWF_DSYNC;
		break;
	default:
		io_prep_fdsync(&r->iocb, fd);
	}
	io_set_eventfd(&r->iocb, r->aio->event.fd);
	r->iocb.data = r;
}

static unsigned int collect(struct aio_channel *aio, struct iocb **batch)
{
	unsigned int room = aio->events - aio->inflight, count = 0;
	struct aio_request *r;

	list_for_each(r, &aio->pending, link) {
		if (count == room || count == MAX_BATCH)
			break;
		prepare(r);
		batch[count++] = &r->iocb;
	}
	return count;
}

static struct aio_request *take_pending(struct aio_channel *aio)
{
	struct aio_request *r = list_first(&aio->pending, struct aio_request, link);

	list_del(&r->link);
	return r;
}

static void submitted(struct aio_channel *aio, unsigned int count)
{
	aio->retries = 0;
	aio->inflight += count;
	while (count--)
		take_pending(aio);
}

/* The kernel is short of something: wait for what is in flight, or a little. */
static void wait_for_room(struct aio_channel *aio)
{
	if (aio->inflight)
		return;
	if (++aio->retries <= MAX_RETRIES)
		loop_timer_set(aio->channel.loop, &aio->retry, RETRY_MS);
	else
		submit_to_worker(take_pending(aio));
}

/* One io_submit(); false if no more can be sent now. */
static bool send_batch(struct aio_channel *aio)
{
	struct iocb *batch[MAX_BATCH];
	unsigned int count = collect(aio, batch);
	int ret;

	if (!count)
		return false;
	ret = io_submit(aio->ctx, count, batch);
	if (ret > 0) {
		submitted(aio, ret);
		return true;
	}
	if (ret == 0 || ret == -EAGAIN || ret == -ENOMEM) {
		wait_for_room(aio);
		return false;
	}
	/* It is the first that the kernel does not like. */
	if (ret != -EINTR)
		complete(take_pending(aio), ret);
	return true;
}

static void aio_kick(struct image_channel *channel)
{
	struct aio_channel *aio = to_channel(channel);

	/* What is in flight brings us back; without it, nothing may stay behind. */
	while (!loop_timer_active(&aio->retry)) {
		while (!list_empty(&aio->pending) && send_batch(aio))
			;
		/* What was done at once has raised the eventfd, for nothing. */
		if (reap(aio))
			loop_look(aio->channel.loop);
		if (aio->inflight || list_empty(&aio->pending))
			break;
	}
}

static void completions_ready(struct loop_fd *event, uint32_t events)
{
	struct aio_channel *aio = container_of(event, struct aio_channel, event);

	(void)events;
	reap(aio);
	if (!list_empty(&aio->pending))
		aio_kick(&aio->channel);
}

static void retry_fired(struct loop_timer *timer)
{
	struct aio_channel *aio = container_of(timer, struct aio_channel, retry);

	aio_kick(&aio->channel);
}

static void aio_submit(struct image_channel *channel, struct image_request *req)
{
	struct aio_channel *aio = to_channel(channel);
	struct aio_request *r = to_request(req);

	r->aio = aio;
	r->transferred = 0;
	if (aio->ctx && is_asynchronous(r))
		queue_again(r);
	else
		submit_to_worker(r);
}

/* ------------------------------------------------------------------- images */

static int aio_open(struct image **image, const struct image_params *params,
		    struct blktap_error *err)
{
	struct aio_image *aio = calloc(1, sizeof(*aio));
	int ret;

	if (!aio)
		return blktap_error_set(err, -ENOMEM, "no memory for %s", params->path);
	ret = raw_open(&aio->raw, &aio->image.limits, params, err);
	if (ret) {
		free(aio);
		return ret;
	}
	*image = &aio->image;
	return 0;
}

static void aio_close(struct image *image)
{
	struct aio_image *aio = to_image(image);

	raw_close(&aio->raw);
	free(aio);
}

static void aio_descriptors(const struct image *image, int *fds)
{
	fds[0] = container_of(image, struct aio_image, image)->raw.fd;
}

static int aio_share(struct image *image, const struct image_params *params)
{
	return raw_share(&to_image(image)->raw, &image->limits, params);
}

static int aio_resize(struct image *image, uint64_t capacity, bool shrink, uint64_t *now,
		      struct blktap_error *err)
{
	return raw_resize(&to_image(image)->raw, image, capacity, shrink, now, err);
}

static int aio_sync(struct image *image)
{
	return raw_sync(&to_image(image)->raw);
}

static bool aio_damaged(const struct image *image)
{
	return container_of(image, struct aio_image, image)->raw.damaged;
}

/* Past the page cache alone: others may have the file open, and read it there. */
static unsigned int aio_files(struct image *image, int fds[IMAGE_MAX_FILES])
{
	const struct raw *raw = &to_image(image)->raw;

	fds[0] = raw->fd;
	return raw->direct ? 1 : 0;
}

static void aio_map(struct image *image, uint64_t offset, uint64_t length, bool write,
		    struct image_piece *piece)
{
	(void)image;
	(void)write;
	*piece = (struct image_piece){
		.place = IMAGE_FILE,
		.offset = offset,
		.length = length,
	};
}

/* ----------------------------------------------------------------- channels */

/* As large as wanted, or as fs.aio-max-nr still permits, or none. */
static void set_up_context(struct aio_channel *aio, const struct channel_params *params)
{
	unsigned int events = params->requests < MAX_EVENTS ? params->requests : MAX_EVENTS;
	int ret;

	if (events < MIN_EVENTS)
		events = MIN_EVENTS;
	do {
		ret = io_setup(events, &aio->ctx);
		aio->events = events;
		events /= 2;
	} while (ret == -EAGAIN && events >= MIN_EVENTS);
	if (!ret) {
		aio->ring = aio_ring_usable(aio->ctx);
		return;
	}
	aio->ctx = NULL;
	blktap_log(LOG_WARNING, "tapdev%u: no asynchronous I/O, slower without (%s%s)",
		   params->minor, strerror(-ret),
		   ret == -EAGAIN ? "; fs.aio-max-nr is used up" : "");
}

static int start_event(struct aio_channel *aio)
{
	aio->event.ready = completions_ready;
	aio->event.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (aio->event.fd < 0)
		return -errno;
	/* Edges: each completion is one, so that it need not be read. */
	return loop_add(aio->channel.loop, &aio->event, EPOLLIN | EPOLLET);
}

static void aio_channel_close(struct image_channel *channel)
{
	struct aio_channel *aio = to_channel(channel);

	workers_free(aio->workers);
	loop_timer_cancel(&aio->retry);
	loop_remove(channel->loop, &aio->event);
	if (aio->event.fd >= 0)
		close(aio->event.fd);
	if (aio->ctx)
		io_destroy(aio->ctx);
	free(aio);
}

static int aio_channel_open(struct image_channel **channel, struct image *image,
			    const struct channel_params *params, struct blktap_error *err)
{
	struct aio_channel *aio = calloc(1, sizeof(*aio));
	int ret;

	if (!aio)
		return blktap_error_set(err, -ENOMEM, "no memory for %s", image->path);
	aio->channel = (struct image_channel){ .image = image, .loop = params->loop };
	aio->raw = &to_image(image)->raw;
	list_init(&aio->pending);
	loop_timer_init(&aio->retry, retry_fired);
	ret = start_event(aio);
	if (!ret && aio->raw->direct)
		set_up_context(aio, params);
	if (!ret)
		ret = workers_new(&aio->workers, params->loop,
				  aio->ctx ? DIRECT_THREADS : BUFFERED_THREADS);
	if (ret) {
		aio_channel_close(&aio->channel);
		return blktap_error_set(err, ret, "cannot serve %s: %s", image->path,
					strerror(-ret));
	}
	*channel = &aio->channel;
	return 0;
}

const struct image_driver aio_driver = {
	.name = "aio",
	.request_size = sizeof(struct aio_request),
	.open = aio_open,
	.close = aio_close,
	.nr_descriptors = 1,
	.of_file = true,
	.descriptors = aio_descriptors,
	.share = aio_share,
	.sync = aio_sync,
	.damaged = aio_damaged,
	.resize = aio_resize,
	.channel_open = aio_channel_open,
	.channel_close = aio_channel_close,
	.submit = aio_submit,
	.kick = aio_kick,
	.files = aio_files,
	.map = aio_map,
};

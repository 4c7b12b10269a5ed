// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data path: requests from the rings to the image, completions back.
 *
 * A queue gives up after a bounded amount of work per turn; its descriptor stays
 * readable, so that the next turn comes back to it after the other disks.
 */
#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "cleanup.h"
#include "vbd.h"

#define TURN_REQUESTS	64
#define TURN_BYTES	(4U << 20)

struct vbd_request {
	struct vbd_queue *queue;
	struct blktap_request ring;
	struct image_request *io;
	bool busy;		/* with the image */
};

struct vbd_queue {
	struct vbd *vbd;
	struct image *leaf;
	struct blktap_queue *queue;
	struct loop_fd event;
	struct vbd_request *requests;	/* by tag */
	char *io_memory;		/* their image_request, by tag */
};

/* -------------------------------------------------------------- completions */

static const char *op_name(uint8_t op)
{
	static const char *const names[] = {
		[BLKTAP_OP_READ] = "read",
		[BLKTAP_OP_WRITE] = "write",
		[BLKTAP_OP_FLUSH] = "flush",
		[BLKTAP_OP_DISCARD] = "discard",
		[BLKTAP_OP_WRITE_ZEROES] = "write zeroes",
	};

	return op < ARRAY_SIZE(names) ? names[op] : "unknown request";
}

/* The first, the second, the fourth, … so that a bad disk does not fill the log. */
static void log_error(struct vbd *vbd, const struct blktap_request *req, int error)
{
	uint64_t count = ++vbd->io_errors;

	if (count & (count - 1))
		return;
	blktap_log(LOG_ERR, "tapdev%u: %s of %llu bytes at %llu: %s (%llu so far)", vbd->minor,
		   op_name(req->op), (unsigned long long)req->length,
		   (unsigned long long)req->offset, strerror(-error),
		   (unsigned long long)count);
}

static void post(struct vbd_queue *queue, const struct blktap_request *req, int error)
{
	if (error && error != -EOPNOTSUPP)
		log_error(queue->vbd, req, error);
	blktap_queue_complete(queue->queue, req, error ? error : (int64_t)req->length);
	loop_defer(queue->vbd->env->loop, &queue->vbd->turn);
}

static void request_done(struct image_request *io, int error)
{
	struct vbd_request *r = io->owner;

	r->busy = false;
	r->queue->vbd->inflight--;
	post(r->queue, &r->ring, error);
}

/* ----------------------------------------------------------------- requests */

static int check_range(const struct blktap_request *req, const struct image_limits *limits)
{
	uint32_t mask = limits->logical_block_size - 1;

	if (!req->length || (req->offset & mask) || (req->length & mask))
		return -EINVAL;
	if (req->offset > limits->capacity || req->length > limits->capacity - req->offset)
		return -EIO;
	return 0;
}

static int check_flags(const struct blktap_request *req)
{
	uint16_t known = 0;

	if (req->op == BLKTAP_OP_WRITE)
		known = BLKTAP_REQ_FUA;
	if (req->op == BLKTAP_OP_WRITE_ZEROES)
		known = BLKTAP_REQ_NOUNMAP;
	return req->flags & ~known ? -EOPNOTSUPP : 0;
}

static int check_op(const struct blktap_request *req, const struct image *leaf)
{
	const struct image_limits *limits = &leaf->limits;

	switch (req->op) {
	case BLKTAP_OP_READ:
		return 0;
	case BLKTAP_OP_WRITE:
		return leaf->read_only ? -EROFS : 0;
	case BLKTAP_OP_DISCARD:
		return req->length <= limits->max_discard ? 0 : -EOPNOTSUPP;
	case BLKTAP_OP_WRITE_ZEROES:
		return req->length <= limits->max_write_zeroes ? 0 : -EOPNOTSUPP;
	default:
		return -EOPNOTSUPP;
	}
}

/* Drivers rely on what is checked here. */
static int check_request(const struct vbd_queue *queue, const struct blktap_request *req)
{
	int ret = check_flags(req);

	if (queue->vbd->aborting)
		return -EIO;
	if (ret || req->op == BLKTAP_OP_FLUSH)
		return ret;
	ret = check_range(req, &queue->leaf->limits);
	return ret ? ret : check_op(req, queue->leaf);
}

static void submit(struct vbd_queue *queue, const struct blktap_request *req)
{
	struct vbd_request *r = &queue->requests[req->tag];
	struct image_request *io = r->io;

	r->ring = *req;
	r->busy = true;
	io->op = req->op;
	io->flags = req->flags;
	io->offset = req->offset;
	io->length = req->length;
	io->data = req->data;
	io->done = request_done;
	io->owner = r;
	queue->vbd->inflight++;
	queue->leaf->driver->submit(queue->leaf, io);
}

static void handle_request(struct vbd_queue *queue, const struct blktap_request *req)
{
	int error = check_request(queue, req);

	/* A tag that is still with the image would be two requests in one memory. */
	if (!error && queue->requests[req->tag].busy)
		error = -EIO;
	if (error)
		post(queue, req, error);
	else
		submit(queue, req);
}

/* True and a request, or false when the queue is empty and will wake us. */
static bool next_request(struct vbd_queue *queue, struct blktap_request *req)
{
	do {
		if (blktap_queue_next(queue->queue, req))
			return true;
	} while (!blktap_queue_arm(queue->queue));
	return false;
}

static void take_requests(struct vbd_queue *queue)
{
	struct blktap_request req;
	uint64_t bytes = 0;
	unsigned int count;

	for (count = 0; count < TURN_REQUESTS && bytes < TURN_BYTES; count++) {
		if (!next_request(queue, &req))
			break;
		if (req.data)
			bytes += req.length;
		handle_request(queue, &req);
	}
	if (count)
		loop_defer(queue->vbd->env->loop, &queue->vbd->turn);
	else if (blktap_queue_enter(queue->queue, false, 0) == -EPROTO)
		vbd_session_lost(queue->vbd, "its rings make no sense");
}

static void queue_ready(struct loop_fd *event, uint32_t events)
{
	struct vbd_queue *queue = container_of(event, struct vbd_queue, event);

	if (events & (EPOLLERR | EPOLLHUP))
		vbd_session_lost(queue->vbd, "the driver hung up");
	else
		take_requests(queue);
}

/* ----------------------------------------------------------- start and stop */

static int start_queue(struct vbd *vbd, struct vbd_queue *queue, unsigned int index,
		       struct image *image)
{
	unsigned int depth = blktap_ring_depth(vbd->ring), i;
	size_t size = (image->driver->request_size + 15) / 16 * 16;

	queue->vbd = vbd;
	queue->leaf = image;
	queue->queue = blktap_ring_queue(vbd->ring, index);
	queue->requests = calloc(depth, sizeof(*queue->requests));
	queue->io_memory = calloc(depth, size);
	if (!queue->requests || !queue->io_memory)
		return -ENOMEM;
	for (i = 0; i < depth; i++) {
		queue->requests[i].queue = queue;
		queue->requests[i].io = (void *)(queue->io_memory + i * size);
	}
	queue->event.fd = blktap_queue_fd(queue->queue);
	queue->event.ready = queue_ready;
	return loop_add(vbd->env->loop, &queue->event, EPOLLIN);
}

int vbd_queues_start(struct vbd *vbd, struct image *image)
{
	unsigned int i;
	int ret = 0;

	vbd->nr_queues = blktap_ring_queues(vbd->ring);
	vbd->queues = calloc(vbd->nr_queues, sizeof(*vbd->queues));
	if (!vbd->queues)
		return -ENOMEM;
	for (i = 0; i < vbd->nr_queues && !ret; i++)
		ret = start_queue(vbd, &vbd->queues[i], i, image);
	if (ret)
		vbd_queues_stop(vbd);
	return ret;
}

void vbd_queues_mute(struct vbd *vbd)
{
	unsigned int i;

	for (i = 0; vbd->queues && i < vbd->nr_queues; i++)
		loop_remove(vbd->env->loop, &vbd->queues[i].event);
}

void vbd_queues_stop(struct vbd *vbd)
{
	unsigned int i;

	vbd_queues_mute(vbd);
	for (i = 0; vbd->queues && i < vbd->nr_queues; i++) {
		free(vbd->queues[i].requests);
		free(vbd->queues[i].io_memory);
	}
	free(vbd->queues);
	vbd->queues = NULL;
}

int vbd_queues_enter(struct vbd *vbd)
{
	unsigned int i;
	int ret;

	for (i = 0; vbd->queues && i < vbd->nr_queues; i++) {
		struct blktap_queue *queue = vbd->queues[i].queue;

		if (!blktap_queue_posted(queue))
			continue;
		ret = blktap_queue_enter(queue, false, 0);
		if (ret == -EINTR || ret == -EBUSY)
			loop_defer(vbd->env->loop, &vbd->turn);
		else if (ret)
			return ret;
	}
	return 0;
}

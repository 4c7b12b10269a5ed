/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A kernel for tests: takes the place of libblktap's ring.c, while the index
 * logic of queue.c is the real one. Include it once per program.
 */
#ifndef TAPDISK_TESTS_FAKE_RING_H
#define TAPDISK_TESTS_FAKE_RING_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "disk-seq.h"
#include "queue.h"

#define FAKE_QUEUES	2
#define FAKE_DEPTH	128
#define FAKE_IO		65536
#define FAKE_FRAGMENTS	4	/* per request */
#define FAKE_CALLS	64
#define FAKE_MINORS	16	/* that can be taken over */

struct fake_queue {
	struct blktap_queue queue;	/* first: tests get here from it */
	struct blktap_sq_header sq;
	struct blktap_cq_header cq;
	struct blktap_sqe sqes[FAKE_DEPTH];
	struct blktap_desc descs[FAKE_DEPTH];
	struct blktap_cqe cqes[FAKE_DEPTH];
	struct blktap_fragment fragments[FAKE_DEPTH * FAKE_FRAGMENTS];
	char *buffer;
	/* Of the last completion of each tag: how many there were; 0: it was done. */
	unsigned int redirected[FAKE_DEPTH];
	unsigned int fetched;
	bool outstanding[FAKE_DEPTH];
	int64_t results[FAKE_DEPTH];
	unsigned int completed;
	unsigned int entered;
	unsigned int rejected;
	/* of waits: what they asked for, and what they are told */
	uint32_t spin_ns;
	uint32_t waited_ns;
	bool spun;
};

/* A call about files and extents. */
enum fake_what { FAKE_REGISTER, FAKE_UNREGISTER, FAKE_MAP, FAKE_UNMAP };

struct fake_call {
	enum fake_what what;
	int fd;			/* REGISTER: of the image */
	uint32_t slot;
	uint32_t flags;
	uint64_t offset, length, file_offset;
	bool wait;
	bool open;		/* the descriptor registered last is still the image's */
};

struct blktap_ring {
	uint64_t features;
	unsigned int minor;
	int fd;
	struct fake_queue queues[FAKE_QUEUES];
	struct blktap_start start;
	struct blktap_state state;
	int start_error;	/* what START returns */
	uint32_t start_state;	/* where START leads to */
	uint32_t stop_state;	/* where STOP leads to */
	int enter_error;	/* what ENTER returns */
	uint64_t capacity;	/* of the last RESIZE */
	bool forced;		/* the last STOP that worked */
	struct blktap_ring *before;	/* that it is to succeed */
	bool held, ended;
	int far_end;		/* of fd: closing it is a hang-up */
};

/* The session of each tap, and how often one was told to hold. */
static struct blktap_ring *fake_sessions[FAKE_MINORS];
static unsigned int fake_holds;
static pid_t fake_server;	/* of all taps; 0: whoever is to be succeeded */

/* The last one opened; how the next one behaves. */
static struct blktap_ring *fake_ring;
static uint64_t fake_features;	/* what the next one grants, if it is asked for */
static int fake_register_error;
static int fake_map_error;
static int fake_open_error;
/* Calls about files and extents, over all rings. */
static struct fake_call fake_calls[FAKE_CALLS];
static atomic_uint fake_nr_calls;
static int fake_fd;		/* registered last */
static void (*fake_unmapping)(void);	/* during each UNMAP that waits */
static void (*fake_registering)(void);	/* before each REGISTER */
static void (*fake_releasing)(struct blktap_ring *ring);	/* during each RELEASE */
static void (*fake_resizing)(void);	/* during each RESIZE */
static void (*fake_starting)(void);	/* during each START */
static int fake_resize_error;
static int fake_start_error;
static uint32_t fake_start_state = BLKTAP_DISK_STATE_LIVE;
static unsigned int fake_rings;
static uint64_t fake_disk_seq;	/* of each disk; 0: there is none */

static void fake_reset(void)
{
	fake_ring = NULL;
	fake_open_error = 0;
	fake_start_error = 0;
	fake_features = 0;
	fake_register_error = 0;
	fake_map_error = 0;
	fake_nr_calls = 0;
	fake_unmapping = NULL;
	fake_registering = NULL;
	fake_releasing = NULL;
	fake_resizing = NULL;
	fake_starting = NULL;
	fake_resize_error = 0;
	fake_holds = 0;
	fake_server = 0;
	fake_disk_seq = 0;
	fake_start_state = BLKTAP_DISK_STATE_LIVE;
}

static void fake_set_up_queue(struct fake_queue *q, uint64_t features)
{
	q->buffer = aligned_alloc(4096, (size_t)FAKE_DEPTH * FAKE_IO);
	q->queue = (struct blktap_queue){
		.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.depth = FAKE_DEPTH,
		.max_io = FAKE_IO,
		.sq_entries = FAKE_DEPTH,
		.cq_entries = FAKE_DEPTH,
		.sqe_stride = sizeof(struct blktap_sqe),
		.desc_stride = sizeof(struct blktap_desc),
		.cqe_stride = sizeof(struct blktap_cqe),
		.sq = &q->sq,
		.cq = &q->cq,
		.sqes = (const char *)q->sqes,
		.descs = (const char *)q->descs,
		.cqes = (char *)q->cqes,
		.buffer = q->buffer,
		.buffer_bytes = (uint64_t)FAKE_DEPTH * FAKE_IO,
		.fragments = q->fragments,
		.tag_fragments = features & BLKTAP_F_REDIRECT ? FAKE_FRAGMENTS : 0,
	};
}

static void fake_set_up_fd(struct blktap_ring *ring)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		abort();
	ring->fd = pair[0];
	ring->far_end = pair[1];
}

/* The driver ends a session. */
static inline void fake_end(struct blktap_ring *ring)
{
	ring->ended = true;
	close(ring->far_end);
	ring->far_end = -1;
}

static int fake_open(struct blktap_ring **ring, unsigned int minor, uint64_t features,
		     struct blktap_error *err)
{
	unsigned int i;

	*ring = NULL;
	if (fake_open_error)
		return blktap_error_set(err, fake_open_error, "tap %u: no", minor);
	*ring = calloc(1, sizeof(**ring));
	if (!*ring)
		abort();
	(*ring)->minor = minor;
	(*ring)->features = features & fake_features;
	fake_set_up_fd(*ring);
	(*ring)->start_error = fake_start_error;
	(*ring)->start_state = fake_start_state;
	(*ring)->stop_state = BLKTAP_DISK_STATE_NONE;
	for (i = 0; i < FAKE_QUEUES; i++)
		fake_set_up_queue(&(*ring)->queues[i], (*ring)->features);
	fake_ring = *ring;
	fake_rings++;
	return 0;
}

static inline struct blktap_ring **fake_session(const struct blktap_ring *ring)
{
	return &fake_sessions[ring->minor % FAKE_MINORS];
}

int blktap_ring_open(struct blktap_ring **ring, unsigned int minor, uint64_t features,
		     struct blktap_error *err)
{
	int ret = fake_open(ring, minor, features, err);

	if (!ret)
		*fake_session(*ring) = *ring;
	return ret;
}

/* What was passed last. */
static int fake_adopted = -1;

int blktap_ring_adopt(struct blktap_ring **ring, int fd, unsigned int minor, uint64_t features,
		      struct blktap_error *err)
{
	fake_adopted = fd;
	close(fd);
	return blktap_ring_open(ring, minor, features, err);
}

int blktap_ring_take_over(struct blktap_ring **ring, int fd, unsigned int minor, pid_t pid,
			  uint64_t features, struct blktap_error *err)
{
	int ret = fake_server && fake_server != pid ? blktap_error_set(err, -ESTALE, "no") :
		  fake_open(ring, minor, features, err);

	fake_adopted = fd;
	if (fd >= 0)
		close(fd);
	if (ret)
		return ret;
	if (*fake_session(*ring))
		(*ring)->before = *fake_session(*ring);
	else
		*fake_session(*ring) = *ring;
	return 0;
}

void blktap_ring_close(struct blktap_ring *ring)
{
	unsigned int i;

	if (!ring)
		return;
	for (i = 0; i < FAKE_QUEUES; i++) {
		close(ring->queues[i].queue.fd);
		free(ring->queues[i].buffer);
	}
	close(ring->fd);
	if (ring->far_end >= 0)
		close(ring->far_end);
	if (*fake_session(ring) == ring)
		*fake_session(ring) = NULL;
	if (fake_ring == ring)
		fake_ring = NULL;
	free(ring);
	fake_rings--;
}

unsigned int blktap_ring_minor(const struct blktap_ring *ring)
{
	return ring->minor;
}

unsigned int blktap_ring_queues(const struct blktap_ring *ring)
{
	(void)ring;
	return FAKE_QUEUES;
}

unsigned int blktap_ring_depth(const struct blktap_ring *ring)
{
	(void)ring;
	return FAKE_DEPTH;
}

uint32_t blktap_ring_max_io(const struct blktap_ring *ring)
{
	(void)ring;
	return FAKE_IO;
}

uint64_t blktap_ring_features(const struct blktap_ring *ring)
{
	return ring->features;
}

int blktap_ring_fd(const struct blktap_ring *ring)
{
	return ring->fd;
}

struct blktap_queue *blktap_ring_queue(struct blktap_ring *ring, unsigned int index)
{
	return &ring->queues[index].queue;
}

int blktap_queue_fd(const struct blktap_queue *queue)
{
	return queue->fd;
}

int blktap_ring_start(struct blktap_ring *ring, struct blktap_start *params,
		      struct blktap_error *err)
{
	if (fake_starting)
		fake_starting();
	if (ring->start_error)
		return blktap_error_set(err, ring->start_error, "tapdev%u: no", ring->minor);
	if (ring->before && ring->before == *fake_session(ring)) {
		if (!ring->before->held)
			return blktap_error_set(err, -EBUSY, "tapdev%u: is served", ring->minor);
		fake_end(ring->before);
	}
	*fake_session(ring) = ring;
	ring->start = *params;
	ring->state.disk_state = ring->start_state;
	return 0;
}

int blktap_ring_stop(struct blktap_ring *ring, bool force, struct blktap_error *err)
{
	if (!force && (ring->state.openers || ring->state.disk_state == BLKTAP_DISK_STATE_ADDING))
		return blktap_error_set(err, -EBUSY, "tapdev%u is still open", ring->minor);
	if (ring->state.disk_state != BLKTAP_DISK_STATE_LIVE)
		return blktap_error_set(err, -ENODEV, "there is no tapdev%u", ring->minor);
	ring->forced = force;
	ring->state.disk_state = ring->stop_state;
	return 0;
}

int blktap_ring_resize(struct blktap_ring *ring, uint64_t capacity, struct blktap_error *err)
{
	if (fake_resizing)
		fake_resizing();
	if (fake_resize_error)
		return blktap_error_set(err, fake_resize_error, "tapdev%u: no", ring->minor);
	ring->capacity = capacity;
	return 0;
}

static int fake_hold(struct blktap_ring *ring, bool hold, struct blktap_error *err)
{
	if (ring->ended || ring->state.disk_state != BLKTAP_DISK_STATE_LIVE)
		return blktap_error_set(err, -ENODEV, "there is no tapdev%u", ring->minor);
	if (ring->held == hold)
		return blktap_error_set(err, -EALREADY, "tapdev%u: so it is", ring->minor);
	ring->held = hold;
	fake_holds += hold;
	return 0;
}

int blktap_ring_hold(struct blktap_ring *ring, struct blktap_error *err)
{
	return fake_hold(ring, true, err);
}

int blktap_ring_release(struct blktap_ring *ring, struct blktap_error *err)
{
	if (fake_releasing)
		fake_releasing(ring);
	return fake_hold(ring, false, err);
}

int blktap_ring_state(struct blktap_ring *ring, struct blktap_state *state,
		      struct blktap_error *err)
{
	(void)err;
	*state = ring->state;
	return 0;
}

int disk_seq(unsigned int minor, uint64_t *seq)
{
	(void)minor;
	*seq = fake_disk_seq;
	return *seq ? 0 : -ENOENT;
}

/* ------------------------------------------------------- files and extents */

static struct fake_call *fake_note(enum fake_what what)
{
	struct fake_call *call = &fake_calls[fake_nr_calls++ % FAKE_CALLS];

	*call = (struct fake_call){ .what = what, .open = fcntl(fake_fd, F_GETFD) >= 0 };
	return call;
}

/* Slots that differ from what a driver calls its files. */
int blktap_ring_register_file(struct blktap_ring *ring, int fd, uint32_t flags, uint32_t *slot,
			      struct blktap_error *err)
{
	struct fake_call *call;

	if (fake_registering)
		fake_registering();
	if (fake_register_error)
		return blktap_error_set(err, fake_register_error, "tapdev%u: no", ring->minor);
	*slot = 5;
	fake_fd = fd;
	call = fake_note(FAKE_REGISTER);
	call->fd = fd;
	call->flags = flags;
	call->slot = *slot;
	return 0;
}

int blktap_ring_unregister_file(struct blktap_ring *ring, uint32_t slot, bool wait,
				struct blktap_error *err)
{
	struct fake_call *call = fake_note(FAKE_UNREGISTER);

	(void)ring;
	(void)err;
	call->slot = slot;
	call->wait = wait;
	return 0;
}

int blktap_ring_map_extent(struct blktap_ring *ring, const struct blktap_extent *extent,
			   struct blktap_error *err)
{
	struct fake_call *call;

	if (fake_map_error)
		return blktap_error_set(err, fake_map_error, "tapdev%u: no", ring->minor);
	call = fake_note(FAKE_MAP);
	call->slot = extent->slot;
	call->flags = extent->flags;
	call->offset = extent->offset;
	call->length = extent->length;
	call->file_offset = extent->file_offset;
	return 0;
}

int blktap_ring_unmap_extent(struct blktap_ring *ring, uint64_t offset, uint64_t length,
			     bool wait, struct blktap_error *err)
{
	struct fake_call *call = fake_note(FAKE_UNMAP);

	(void)ring;
	(void)err;
	call->offset = offset;
	call->length = length;
	call->wait = wait;
	if (wait && fake_unmapping)
		fake_unmapping();
	return 0;
}

int blktap_queue_fetch(struct blktap_queue *queue, const struct blktap_request *req)
{
	struct fake_queue *q = (struct fake_queue *)queue;

	if (!q->outstanding[req->tag] || q->descs[req->tag].generation != req->generation)
		return -ESTALE;
	if (!(q->descs[req->tag].flags & BLKTAP_REQ_DEMAND))
		return -EINVAL;
	memset(req->data, 'f', req->length);
	q->fetched++;
	return 0;
}

/* As many as there are, and as long as the request. */
static bool fake_redirect_ok(const struct fake_queue *q, const struct blktap_cqe *cqe)
{
	uint64_t bytes = 0;
	uint32_t i;

	if (cqe->fragment + cqe->fragments > FAKE_DEPTH * FAKE_FRAGMENTS)
		return false;
	for (i = 0; i < cqe->fragments; i++)
		bytes += q->fragments[cqe->fragment + i].length;
	return cqe->fragments >= 1 && cqe->fragments <= FAKE_FRAGMENTS &&
	       bytes == q->descs[cqe->tag].length && cqe->result == (int64_t)bytes;
}

static inline const struct blktap_fragment *fake_fragments(const struct fake_queue *q, uint16_t tag)
{
	return &q->fragments[tag * FAKE_FRAGMENTS];
}

static void fake_take(struct fake_queue *q, const struct blktap_cqe *cqe)
{
	if (cqe->tag >= FAKE_DEPTH || !q->outstanding[cqe->tag] ||
	    cqe->generation != q->descs[cqe->tag].generation ||
	    (cqe->type == BLKTAP_CQE_REDIRECT && !fake_redirect_ok(q, cqe))) {
		q->rejected++;
		return;
	}
	q->redirected[cqe->tag] = cqe->type == BLKTAP_CQE_REDIRECT ? cqe->fragments : 0;
	q->outstanding[cqe->tag] = false;
	q->results[cqe->tag] = cqe->result;
	__atomic_store_n(&q->completed, q->completed + 1, __ATOMIC_RELEASE);
}

int blktap_queue_enter(struct blktap_queue *queue, bool wait, int64_t timeout_ns)
{
	struct fake_queue *q = (struct fake_queue *)queue;

	(void)wait;
	(void)timeout_ns;
	if (fake_ring && fake_ring->enter_error)
		return fake_ring->enter_error;
	if (queue->broken)
		return -EPROTO;
	blktap_queue_publish(queue);
	q->entered++;
	while (q->sq.cq_head != q->cq.cq_tail)
		fake_take(q, &q->cqes[q->sq.cq_head++ % FAKE_DEPTH]);
	blktap_queue_entered(queue);
	return 0;
}

int blktap_queue_wait(struct blktap_queue *queue, struct blktap_wait *wait)
{
	struct pollfd fds[2] = {
		{ .fd = queue->fd, .events = POLLIN },
		{ .fd = wait->fd, .events = POLLIN },
	};
	struct fake_queue *q = (struct fake_queue *)queue;
	int ret = blktap_queue_enter(queue, false, 0);

	if (ret || !blktap_queue_arm(queue))
		return ret;
	q->spin_ns = wait->spin_ns;
	wait->waited_ns = q->waited_ns;
	wait->spun = q->spun;
	ret = poll(fds, 2, wait->timeout_ns < 0 ? -1 : wait->timeout_ns / 1000000);
	wait->fd_ready = fds[1].revents;
	if (fds[0].revents && fake_ring && fake_ring->enter_error)
		return fake_ring->enter_error;
	return ret ? 0 : -ETIME;
}

/* A request from the block layer; its data is at fake_data(). */
static inline void fake_submit(struct fake_queue *q, uint16_t tag, uint8_t op, uint16_t flags,
			uint64_t offset, uint64_t length)
{
	q->descs[tag].generation++;
	q->descs[tag].op = op;
	q->descs[tag].flags = flags;
	q->descs[tag].offset = offset;
	q->descs[tag].length = length;
	q->descs[tag].buffer = (uint64_t)tag * FAKE_IO;
	q->outstanding[tag] = true;
	q->results[tag] = 1;
	q->sqes[q->sq.sq_tail % FAKE_DEPTH] = (struct blktap_sqe){ .tag = tag };
	/* The queue may have a thread that looks for it. */
	__atomic_store_n(&q->sq.sq_tail, q->sq.sq_tail + 1, __ATOMIC_RELEASE);
}

static inline char *fake_data(struct fake_queue *q, uint16_t tag)
{
	return q->buffer + (size_t)tag * FAKE_IO;
}

/* Descriptors are readable while there is something that sq_head does not cover. */
static inline void fake_poll(struct blktap_ring *ring)
{
	unsigned int i;

	for (i = 0; ring && i < FAKE_QUEUES; i++) {
		struct fake_queue *q = &ring->queues[i];
		uint64_t count = 1;
		ssize_t ignored;

		if (q->sq.sq_tail != q->cq.sq_head)
			ignored = write(q->queue.fd, &count, sizeof(count));
		else
			ignored = read(q->queue.fd, &count, sizeof(count));
		(void)ignored;
	}
}

#endif /* TAPDISK_TESTS_FAKE_RING_H */

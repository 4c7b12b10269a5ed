// SPDX-License-Identifier: GPL-2.0-only
#include "ring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static int call(int fd, unsigned long nr, void *arg)
{
	int ret = ioctl(fd, nr, arg);

	return ret < 0 ? -errno : ret;
}

static int open_name(const char *fmt, unsigned int minor, int flags)
{
	char path[64];
	int len = snprintf(path, sizeof(path), "/dev/"), fd;

	snprintf(path + len, sizeof(path) - len, fmt, minor);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int ring_open_node(unsigned int minor)
{
	return open_name(BLKTAP_DEV_DIR "/blktap%u", minor, O_RDWR);
}

int ring_open_disk(unsigned int minor, int flags)
{
	return open_name(BLKTAP_DEV_DIR "/tapdev%u", minor, flags);
}

static int attach_with(int fd, struct blktap_attach *at, uint64_t features, uint32_t flags)
{
	memset(at, 0, sizeof(*at));
	at->size = sizeof(*at);
	at->flags = flags;
	at->features = features;
	return call(fd, BLKTAP_IOC_ATTACH, at);
}

int ring_attach(int fd, struct blktap_attach *at)
{
	return attach_with(fd, at, 0, 0);
}

int ring_queue_fd(int fd, unsigned int queue)
{
	struct blktap_queue_fd arg = { .size = sizeof(arg), .queue = queue };

	return call(fd, BLKTAP_IOC_GET_QUEUE_FD, &arg);
}

static void *map(int fd, int prot, uint64_t area, uint64_t stride, uint64_t bytes,
		 unsigned int queue)
{
	return mmap(NULL, bytes, prot, MAP_SHARED, fd, area + queue * stride);
}

void *ring_map_sq(int fd, const struct blktap_attach *at, unsigned int queue)
{
	return map(fd, PROT_READ, at->sq_area, at->sq_area_stride, at->sq_area_bytes, queue);
}

void *ring_map_cq(int fd, const struct blktap_attach *at, unsigned int queue)
{
	return map(fd, PROT_READ | PROT_WRITE, at->cq_area, at->cq_area_stride,
		   at->cq_area_bytes, queue);
}

void *ring_map_buffer(int fd, const struct blktap_attach *at, unsigned int queue)
{
	return map(fd, PROT_READ | PROT_WRITE, at->buffer_area, at->buffer_area_stride,
		   at->buffer_area_bytes, queue);
}

static int open_queue(struct ring *ring, unsigned int index)
{
	struct ring_queue *q = &ring->queues[index];
	void *sq = ring_map_sq(ring->fd, &ring->at, index);
	void *cq = ring_map_cq(ring->fd, &ring->at, index);
	void *buffer = ring_map_buffer(ring->fd, &ring->at, index);

	q->ring = ring;
	q->sq = sq;
	q->cq = cq;
	q->buffer = buffer;
	if (sq == MAP_FAILED || cq == MAP_FAILED || buffer == MAP_FAILED)
		return -ENOMEM;
	q->sq_head = q->cq->sq_head;
	q->cq_tail = q->cq->cq_tail;
	q->fd = ring_queue_fd(ring->fd, index);
	return q->fd < 0 ? q->fd : 0;
}

/* All queues of what is attached. */
static int open_queues(struct ring *ring)
{
	unsigned int i;
	int ret = 0;

	ring->queues = calloc(ring->at.queues, sizeof(*ring->queues));
	if (!ring->queues)
		return -ENOMEM;
	for (i = 0; i < ring->at.queues; i++)
		ring->queues[i].fd = -1;
	for (i = 0; i < ring->at.queues && !ret; i++)
		ret = open_queue(ring, i);
	if (ret) {
		ring_close(ring);
		ring->queues = NULL;
	}
	return ret;
}

static int open_ring(struct ring *ring, unsigned int minor, uint64_t features, uint32_t flags)
{
	int ret;

	memset(ring, 0, sizeof(*ring));
	ring->minor = minor;
	ring->fd = ring_open_node(minor);
	if (ring->fd < 0)
		return ring->fd;
	ret = attach_with(ring->fd, &ring->at, features, flags);
	if (ret) {
		close(ring->fd);
		return ret;
	}
	return open_queues(ring);
}

int ring_adopt(struct ring *ring, int fd, const struct blktap_attach *at)
{
	*ring = (struct ring){ .fd = fd, .minor = at->minor, .at = *at };
	return open_queues(ring);
}

int ring_open(struct ring *ring, unsigned int minor)
{
	return open_ring(ring, minor, 0, 0);
}

int ring_open_with(struct ring *ring, unsigned int minor, uint64_t features)
{
	return open_ring(ring, minor, features, 0);
}

int ring_succeed(struct ring *ring, unsigned int minor, uint64_t features)
{
	return open_ring(ring, minor, features | BLKTAP_F_TAKEOVER, BLKTAP_ATTACH_TAKEOVER);
}

void ring_close(struct ring *ring)
{
	unsigned int i;

	for (i = 0; i < ring->at.queues; i++) {
		struct ring_queue *q = &ring->queues[i];

		/* What was not mapped is no mapping to take away. */
		munmap((void *)q->sq, ring->at.sq_area_bytes);
		munmap(q->cq, ring->at.cq_area_bytes);
		munmap(q->buffer, ring->at.buffer_area_bytes);
		if (q->fd >= 0)
			close(q->fd);
	}
	free(ring->queues);
	close(ring->fd);
}

void ring_start_init(struct blktap_start *start, uint64_t capacity)
{
	memset(start, 0, sizeof(*start));
	start->size = sizeof(*start);
	start->capacity = capacity;
	start->logical_block_size = 512;
}

int ring_start(int fd, const struct blktap_start *start)
{
	return call(fd, BLKTAP_IOC_START, (void *)start);
}

int ring_stop(int fd)
{
	struct blktap_stop arg = { .size = sizeof(arg) };

	return call(fd, BLKTAP_IOC_STOP, &arg);
}

int ring_stop_force(int fd)
{
	struct blktap_stop arg = { .size = sizeof(arg), .flags = BLKTAP_STOP_FORCE };

	return call(fd, BLKTAP_IOC_STOP, &arg);
}

int ring_hold(int fd)
{
	struct blktap_hold arg = { .size = sizeof(arg) };

	return call(fd, BLKTAP_IOC_HOLD, &arg);
}

int ring_release(int fd)
{
	struct blktap_hold arg = { .size = sizeof(arg) };

	return call(fd, BLKTAP_IOC_RELEASE, &arg);
}

int ring_resize(int fd, uint64_t capacity)
{
	struct blktap_resize arg = { .size = sizeof(arg), .capacity = capacity };

	return call(fd, BLKTAP_IOC_RESIZE, &arg);
}

int ring_state(int fd, struct blktap_state *state)
{
	memset(state, 0, sizeof(*state));
	state->size = sizeof(*state);
	return call(fd, BLKTAP_IOC_GET_STATE, state);
}

int ring_register(int fd, int file, uint32_t flags)
{
	struct blktap_register_file arg = { .size = sizeof(arg), .flags = flags, .fd = file };
	int ret = call(fd, BLKTAP_IOC_REGISTER_FILE, &arg);

	return ret ? ret : (int)arg.slot;
}

int ring_unregister(int fd, uint32_t slot, uint32_t flags)
{
	struct blktap_unregister_file arg = {
		.size = sizeof(arg), .flags = flags, .slot = slot,
	};

	return call(fd, BLKTAP_IOC_UNREGISTER_FILE, &arg);
}

int ring_map_extent(int fd, uint32_t slot, uint32_t flags, uint64_t offset, uint64_t length,
		    uint64_t file_offset)
{
	struct blktap_map_extent arg = {
		.size = sizeof(arg), .flags = flags, .offset = offset, .length = length,
		.file_offset = file_offset, .slot = slot,
	};

	return call(fd, BLKTAP_IOC_MAP_EXTENT, &arg);
}

int ring_unmap_extent(int fd, uint32_t flags, uint64_t offset, uint64_t length)
{
	struct blktap_unmap_extent arg = {
		.size = sizeof(arg), .flags = flags, .offset = offset, .length = length,
	};

	return call(fd, BLKTAP_IOC_UNMAP_EXTENT, &arg);
}

int ring_fetch(struct ring_queue *q, uint32_t tag, uint32_t generation)
{
	struct blktap_fetch arg = {
		.size = sizeof(arg), .tag = tag, .generation = generation,
	};

	return call(q->fd, BLKTAP_IOC_FETCH, &arg);
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int ring_wait_state(int fd, uint32_t want, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLPRI };
	long end = now_ms() + ms, left;
	struct blktap_state state;
	int ret;

	for (;;) {
		ret = ring_state(fd, &state);
		if (ret)
			return ret;
		if (state.disk_state == want)
			return 0;
		if (state.error && state.disk_state == BLKTAP_DISK_STATE_NONE)
			return state.error;
		left = end - now_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&p, 1, left) < 0 && errno != EINTR)
			return -errno;
	}
}

bool ring_next(struct ring_queue *q, struct ring_request *req)
{
	const struct blktap_attach *at = &q->ring->at;
	const struct blktap_sqe *sqe;

	while (q->sq_head != __atomic_load_n(&q->sq->sq_tail, __ATOMIC_ACQUIRE)) {
		sqe = (void *)((const char *)q->sq + at->sqe_offset +
			       (q->sq_head++ & (at->sq_entries - 1)) * at->sqe_stride);
		if (sqe->type != BLKTAP_SQE_REQUEST)
			continue;
		req->tag = sqe->tag;
		memcpy(&req->desc, (const char *)q->sq + at->desc_offset +
		       req->tag * at->desc_stride, sizeof(req->desc));
		req->data = q->buffer + req->desc.buffer;
		return true;
	}
	return false;
}

struct blktap_cqe *ring_cqe(struct ring_queue *q)
{
	const struct blktap_attach *at = &q->ring->at;
	struct blktap_cqe *cqe;

	cqe = (void *)((char *)q->cq + at->cqe_offset +
		       (q->cq_tail & (at->cq_entries - 1)) * at->cqe_stride);
	memset(cqe, 0, sizeof(*cqe));
	return cqe;
}

void ring_post(struct ring_queue *q)
{
	__atomic_store_n(&q->cq->cq_tail, ++q->cq_tail, __ATOMIC_RELEASE);
}

void ring_complete(struct ring_queue *q, const struct ring_request *req, int64_t result)
{
	struct blktap_cqe *cqe = ring_cqe(q);

	cqe->tag = req->tag;
	cqe->generation = req->desc.generation;
	cqe->result = result;
	ring_post(q);
}

struct blktap_fragment *ring_fragment(struct ring_queue *q, unsigned int index)
{
	struct blktap_fragment *fragment;

	fragment = (struct blktap_fragment *)((char *)q->cq + q->ring->at.fragment_offset) + index;
	memset(fragment, 0, sizeof(*fragment));
	return fragment;
}

void ring_redirect(struct ring_queue *q, const struct ring_request *req, unsigned int fragments)
{
	struct blktap_cqe *cqe = ring_cqe(q);

	cqe->tag = req->tag;
	cqe->type = BLKTAP_CQE_REDIRECT;
	cqe->generation = req->desc.generation;
	cqe->result = req->desc.length;
	cqe->fragments = fragments;
	ring_post(q);
}

/* True if nothing is there and the kernel will wake us for the next one. */
bool ring_arm(struct ring_queue *q)
{
	__atomic_store_n(&q->cq->sq_head, q->sq_head, __ATOMIC_RELAXED);
	__atomic_store_n(&q->cq->sq_event, q->sq_head, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return q->sq_head == __atomic_load_n(&q->sq->sq_tail, __ATOMIC_ACQUIRE);
}

int ring_enter(struct ring_queue *q, uint32_t flags, int64_t timeout_ns,
	       struct blktap_enter *out)
{
	struct blktap_enter arg = {
		.size = sizeof(arg),
		.flags = flags,
		.timeout = timeout_ns,
	};
	int ret = call(q->fd, BLKTAP_IOC_ENTER, &arg);

	if (out)
		*out = arg;
	return ret;
}

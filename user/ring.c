// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A session: the ring node opened, attached and mapped.
 *
 * What ATTACH returns is checked before it is used, so that a module that
 * disagrees about the layout is found out here and not by a crash.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "queue.h"
#include "ring.h"

#define NODE_WAIT_STEPS	20	/* 5 ms each */
#define MAX_QUEUES	65536
#define MAX_ENTRIES	65536

struct blktap_ring {
	int fd;
	bool takes_over;
	struct blktap_attach layout;
	struct blktap_queue *queues;
	unsigned int ready;	/* queues that are mapped and have a descriptor */
};

/* ------------------------------------------------------------- the ring node */

static bool tap_is_known(unsigned int minor)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/blktap2/blktap!blktap%u", minor);
	return access(path, F_OK) == 0;
}

/* The tap can be there a moment before its node. */
static int open_waiting(const char *path, unsigned int minor)
{
	static const struct timespec step = { .tv_nsec = 5000000 };
	int i, fd;

	for (i = 0; ; i++) {
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		if (errno != ENOENT)
			return -errno;
		if (!tap_is_known(minor))
			return -ENODEV;
		if (i == NODE_WAIT_STEPS)
			return -ENOENT;
		nanosleep(&step, NULL);
	}
}

static int node_error(int code, const char *path, unsigned int minor, struct blktap_error *err)
{
	switch (code) {
	case -ENODEV:
	case -ENXIO:
		return blktap_error_set(err, -ENODEV, "there is no tap with minor %u", minor);
	case -ENOENT:
		return blktap_error_set(err, code, "tap %u has no device node %s", minor, path);
	case -EPERM:
	case -EACCES:
		return blktap_error_set(err, -EACCES, "%s: not permitted", path);
	default:
		return blktap_error_set(err, code, "cannot open %s: %s", path, strerror(-code));
	}
}

int ring_open_node(unsigned int minor, struct blktap_error *err)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/" BLKTAP_RING_NAME, minor);
	fd = open_waiting(path, minor);
	return fd < 0 ? node_error(fd, path, minor, err) : fd;
}

struct wish {
	uint32_t flags;
	uint32_t pid;
	uint64_t features;
};

/*
 * A driver refuses features that it does not have, without saying which. So all
 * subsets of @features are tried, from the largest number down to none.
 */
static int attach_with(struct blktap_ring *ring, const struct wish *wish)
{
	uint64_t subset = wish->features;

	for (;;) {
		ring->layout = (struct blktap_attach){
			.size = sizeof(ring->layout),
			.flags = wish->flags,
			.features = subset,
			.pid = wish->pid,
		};
		if (ioctl(ring->fd, BLKTAP_IOC_ATTACH, &ring->layout) == 0)
			return 0;
		if (errno != EOPNOTSUPP || !subset)
			return -errno;
		subset = (subset - 1) & wish->features;
	}
}

static int attach(struct blktap_ring *ring, unsigned int minor, const struct wish *wish,
		  struct blktap_error *err)
{
	bool take_over = wish->flags & BLKTAP_ATTACH_TAKEOVER;
	int code = attach_with(ring, wish);

	/* Of the flag, or the pid, for the file is a new one. */
	if (take_over && (code == -EOPNOTSUPP || code == -EINVAL))
		return blktap_error_set(err, -EOPNOTSUPP, "tap %u: the module in use has no "
					"takeover", minor);

	switch (code) {
	case 0:
		return 0;
	case -EBUSY:
		return blktap_error_set(err, code, take_over ?
					"tap %u is being taken over already" :
					"tap %u is attached to another process", minor);
	case -ENODEV:
		return blktap_error_set(err, code, "tap %u has been freed", minor);
	case -ESTALE:
		return blktap_error_set(err, code, "tap %u is not served by process %d", minor,
					(int)wish->pid);
	case -ENOTTY:
		return blktap_error_set(err, -EPROTO, "the ring node of tap %u is not a blktap ring",
					minor);
	default:
		return blktap_error_set(err, code, "cannot attach to tap %u: %s", minor,
					strerror(-code));
	}
}

/* ----------------------------------------------------------------- the layout */

static bool power_of_two(uint64_t n)
{
	return n && !(n & (n - 1));
}

/* @count entries of @stride bytes, each at least @entry, from @offset within @bytes. */
static bool array_fits(uint64_t bytes, uint64_t header, uint32_t offset, uint32_t stride,
		       uint32_t count, size_t entry, size_t align)
{
	return offset >= header && offset % align == 0 && stride >= entry && stride % align == 0 &&
	       offset <= bytes && (uint64_t)stride * count <= bytes - offset;
}

/* An area of each queue: page aligned, not overlapping the next queue's. */
static bool areas_fit(uint64_t first, uint64_t stride, uint64_t bytes, uint32_t queues)
{
	uint64_t page = sysconf(_SC_PAGESIZE), last;

	if (!bytes || first % page || stride % page || bytes % page || bytes > SIZE_MAX)
		return false;
	if (queues > 1 && stride < bytes)
		return false;
	if (__builtin_mul_overflow(stride, (uint64_t)queues - 1, &last) ||
	    __builtin_add_overflow(last, first, &last) ||
	    __builtin_add_overflow(last, bytes, &last))
		return false;
	return last <= INT64_MAX;
}

#define FITS(ok, what)							\
	do {								\
		if (!(ok))						\
			return (what);					\
	} while (0)

static const char *fragments_fault(const struct blktap_attach *l)
{
	if (!(l->features & BLKTAP_F_REDIRECT))
		return NULL;
	FITS(l->fragments_max >= 1 && l->fragments >= l->fragments_max &&
	     array_fits(l->cq_area_bytes, sizeof(struct blktap_cq_header), l->fragment_offset,
			sizeof(struct blktap_fragment), l->fragments,
			sizeof(struct blktap_fragment), 8),
	     "the fragments");
	return NULL;
}

/* What is wrong with the layout, or NULL. */
static const char *layout_fault(const struct blktap_attach *l, unsigned int minor,
				uint64_t features)
{
	FITS(l->minor == minor, "another minor");
	FITS(!(l->features & ~features), "features that were not asked for");
	FITS(l->queues >= 1 && l->queues <= MAX_QUEUES, "the number of queues");
	FITS(l->depth >= 1 && l->depth <= BLKTAP_MAX_DEPTH, "the depth");
	FITS(l->max_io >= BLKTAP_MIN_IO && l->max_io <= BLKTAP_MAX_IO, "the maximum I/O size");
	FITS(power_of_two(l->sq_entries) && l->sq_entries >= l->depth &&
	     l->sq_entries <= MAX_ENTRIES, "the size of the submission ring");
	FITS(power_of_two(l->cq_entries) && l->cq_entries >= l->depth &&
	     l->cq_entries <= MAX_ENTRIES, "the size of the completion ring");
	FITS(areas_fit(l->sq_area, l->sq_area_stride, l->sq_area_bytes, l->queues),
	     "the submission area");
	FITS(areas_fit(l->cq_area, l->cq_area_stride, l->cq_area_bytes, l->queues),
	     "the completion area");
	FITS(areas_fit(l->buffer_area, l->buffer_area_stride, l->buffer_area_bytes, l->queues),
	     "the buffer area");
	FITS(l->buffer_area_bytes >= l->max_io, "the buffer area");
	FITS(array_fits(l->sq_area_bytes, sizeof(struct blktap_sq_header), l->sqe_offset,
			l->sqe_stride, l->sq_entries, sizeof(struct blktap_sqe), 4),
	     "the submission ring");
	FITS(array_fits(l->sq_area_bytes, sizeof(struct blktap_sq_header), l->desc_offset,
			l->desc_stride, l->depth, sizeof(struct blktap_desc), 8),
	     "the descriptors");
	FITS(array_fits(l->cq_area_bytes, sizeof(struct blktap_cq_header), l->cqe_offset,
			l->cqe_stride, l->cq_entries, sizeof(struct blktap_cqe), 8),
	     "the completion ring");
	return fragments_fault(l);
}

static int check_layout(const struct blktap_attach *layout, unsigned int minor,
			uint64_t features, struct blktap_error *err)
{
	const char *fault = layout_fault(layout, minor, features);

	if (!fault)
		return 0;
	return blktap_error_set(err, -EPROTO,
				"tap %u: the module returned what this library cannot use: %s",
				minor, fault);
}

/* ----------------------------------------------------------------- the queues */

static int map_area(const struct blktap_ring *ring, unsigned int index, uint64_t first,
		    uint64_t stride, uint64_t bytes, int protection, void **memory)
{
	*memory = mmap(NULL, bytes, protection, MAP_SHARED, ring->fd, first + index * stride);
	if (*memory != MAP_FAILED)
		return 0;
	*memory = NULL;
	return -errno;
}

static int map_queue(struct blktap_ring *ring, unsigned int index)
{
	const struct blktap_attach *l = &ring->layout;
	struct blktap_queue *queue = &ring->queues[index];
	void *sq, *cq, *buffer;
	int ret;

	ret = map_area(ring, index, l->sq_area, l->sq_area_stride, l->sq_area_bytes,
		       PROT_READ, &sq);
	queue->sq = sq;
	if (ret)
		return ret;
	ret = map_area(ring, index, l->cq_area, l->cq_area_stride, l->cq_area_bytes,
		       PROT_READ | PROT_WRITE, &cq);
	queue->cq = cq;
	if (ret)
		return ret;
	ret = map_area(ring, index, l->buffer_area, l->buffer_area_stride, l->buffer_area_bytes,
		       PROT_READ | PROT_WRITE, &buffer);
	queue->buffer = buffer;
	return ret;
}

/* Each tag has its own, so that none is used again before its completion is taken. */
static void set_up_fragments(const struct blktap_attach *l, struct blktap_queue *queue)
{
	uint32_t share = l->fragments / l->depth;

	if (!(l->features & BLKTAP_F_REDIRECT))
		return;
	queue->tag_fragments = share < l->fragments_max ? share : l->fragments_max;
	queue->fragments = (void *)((char *)queue->cq + l->fragment_offset);
}

static void set_up_queue(const struct blktap_attach *l, struct blktap_queue *queue)
{
	queue->depth = l->depth;
	queue->max_io = l->max_io;
	queue->sq_entries = l->sq_entries;
	queue->cq_entries = l->cq_entries;
	queue->sqe_stride = l->sqe_stride;
	queue->desc_stride = l->desc_stride;
	queue->cqe_stride = l->cqe_stride;
	queue->sqes = (const char *)queue->sq + l->sqe_offset;
	queue->descs = (const char *)queue->sq + l->desc_offset;
	queue->cqes = (char *)queue->cq + l->cqe_offset;
	queue->buffer_bytes = l->buffer_area_bytes;
	queue->sq_head = queue->cq->sq_head;
	queue->sq_seen = queue->sq_head;
	queue->cq_tail = queue->sq->cq_head;
	queue->cq_entered = queue->cq_tail;
	set_up_fragments(l, queue);
}

static int open_queue(struct blktap_ring *ring, unsigned int index)
{
	struct blktap_queue_fd args = { .size = sizeof(args), .queue = index };
	int fd = ioctl(ring->fd, BLKTAP_IOC_GET_QUEUE_FD, &args);

	if (fd < 0)
		return -errno;
	ring->queues[index].fd = fd;
	return 0;
}

static void close_queue(const struct blktap_attach *l, struct blktap_queue *queue)
{
	if (queue->fd >= 0)
		close(queue->fd);
	if (queue->buffer)
		munmap(queue->buffer, l->buffer_area_bytes);
	if (queue->cq)
		munmap(queue->cq, l->cq_area_bytes);
	if (queue->sq)
		munmap((void *)queue->sq, l->sq_area_bytes);
}

static int open_queues(struct blktap_ring *ring, struct blktap_error *err)
{
	unsigned int i;
	int ret;

	ring->queues = calloc(ring->layout.queues, sizeof(*ring->queues));
	if (!ring->queues)
		return blktap_error_set(err, -ENOMEM, "no memory for the queues of tap %u",
					ring->layout.minor);
	for (i = 0; i < ring->layout.queues; i++) {
		ring->queues[i].fd = -1;
		ring->ready = i + 1;
		ret = map_queue(ring, i);
		if (ret)
			return blktap_error_set(err, ret, "cannot map queue %u of tap %u: %s", i,
						ring->layout.minor, strerror(-ret));
		set_up_queue(&ring->layout, &ring->queues[i]);
		ret = open_queue(ring, i);
		if (ret)
			return blktap_error_set(err, ret, "no descriptor for queue %u of tap %u: %s",
						i, ring->layout.minor, strerror(-ret));
	}
	return 0;
}

/* ---------------------------------------------------------------- the session */

static int set_up_ring(struct blktap_ring *ring, unsigned int minor, const struct wish *wish,
		       struct blktap_error *err)
{
	int ret = attach(ring, minor, wish, err);

	if (!ret)
		ret = check_layout(&ring->layout, minor, wish->features, err);
	if (!ret)
		ret = open_queues(ring, err);
	return ret;
}

/* Takes @fd; negative: the node is opened. */
static int begin(struct blktap_ring **ring, int fd, unsigned int minor, const struct wish *wish,
		 struct blktap_error *err)
{
	struct blktap_ring *new = NULL;
	int ret;

	*ring = NULL;
	if (fd < 0)
		fd = ring_open_node(minor, err);
	if (fd < 0)
		return fd;
	new = calloc(1, sizeof(*new));
	if (!new) {
		close(fd);
		return blktap_error_set(err, -ENOMEM, "no memory for tap %u", minor);
	}
	new->fd = fd;
	new->takes_over = wish->flags & BLKTAP_ATTACH_TAKEOVER;
	ret = set_up_ring(new, minor, wish, err);
	if (ret) {
		blktap_ring_close(new);
		return ret;
	}
	*ring = new;
	return 0;
}

int blktap_ring_adopt(struct blktap_ring **ring, int fd, unsigned int minor, uint64_t features,
		      struct blktap_error *err)
{
	return begin(ring, fd, minor, &(struct wish){ .features = features }, err);
}

int blktap_ring_open(struct blktap_ring **ring, unsigned int minor, uint64_t features,
		     struct blktap_error *err)
{
	return begin(ring, -1, minor, &(struct wish){ .features = features }, err);
}

int blktap_ring_take_over(struct blktap_ring **ring, int fd, unsigned int minor, pid_t pid,
			  uint64_t features, struct blktap_error *err)
{
	const struct wish wish = {
		.flags = BLKTAP_ATTACH_TAKEOVER,
		.pid = pid,
		.features = features,
	};

	return begin(ring, fd, minor, &wish, err);
}

void blktap_ring_close(struct blktap_ring *ring)
{
	unsigned int i;

	if (!ring)
		return;
	for (i = 0; i < ring->ready; i++)
		close_queue(&ring->layout, &ring->queues[i]);
	free(ring->queues);
	if (ring->fd >= 0)
		close(ring->fd);
	free(ring);
}

unsigned int blktap_ring_minor(const struct blktap_ring *ring)
{
	return ring->layout.minor;
}

unsigned int blktap_ring_queues(const struct blktap_ring *ring)
{
	return ring->layout.queues;
}

unsigned int blktap_ring_depth(const struct blktap_ring *ring)
{
	return ring->layout.depth;
}

uint32_t blktap_ring_max_io(const struct blktap_ring *ring)
{
	return ring->layout.max_io;
}

uint64_t blktap_ring_features(const struct blktap_ring *ring)
{
	return ring->layout.features;
}

int blktap_ring_fd(const struct blktap_ring *ring)
{
	return ring->fd;
}

struct blktap_queue *blktap_ring_queue(struct blktap_ring *ring, unsigned int index)
{
	return index < ring->layout.queues ? &ring->queues[index] : NULL;
}

int blktap_queue_fd(const struct blktap_queue *queue)
{
	return queue->fd;
}

/* ------------------------------------------------------------------- the disk */

static int start_error(const struct blktap_ring *ring, int code, const struct blktap_start *params,
		       struct blktap_error *err)
{
	unsigned int minor = ring->layout.minor;

	switch (code) {
	case -EMEDIUMTYPE:
		return blktap_error_set(err, code, "tapdev%u is left over from an earlier tapdisk "
					"and differs in size, block size or read-only flag from "
					"an image of %llu bytes in blocks of %u", minor,
					(unsigned long long)params->capacity,
					params->logical_block_size);
	case -EALREADY:
		return blktap_error_set(err, code, "tapdev%u is started already", minor);
	case -EBUSY:
		return blktap_error_set(err, code, ring->takes_over ?
					"tapdev%u is still served by the tapdisk before" :
					"tapdev%u is still being removed", minor);
	case -ENODEV:
		return blktap_error_set(err, code, "the session of tap %u has ended", minor);
	default:
		return blktap_error_set(err, code, "cannot start tapdev%u: %s", minor,
					strerror(-code));
	}
}

int blktap_ring_start(struct blktap_ring *ring, struct blktap_start *params,
		      struct blktap_error *err)
{
	params->size = sizeof(*params);
	if (ioctl(ring->fd, BLKTAP_IOC_START, params) == 0)
		return 0;
	return start_error(ring, -errno, params, err);
}

int blktap_ring_stop(struct blktap_ring *ring, bool force, struct blktap_error *err)
{
	struct blktap_stop args = {
		.size = sizeof(args),
		.flags = force ? BLKTAP_STOP_FORCE : 0,
	};
	unsigned int minor = ring->layout.minor;
	int code;

	if (ioctl(ring->fd, BLKTAP_IOC_STOP, &args) == 0)
		return 0;
	code = -errno;
	if (code == -EBUSY)
		return blktap_error_set(err, code, "tapdev%u is still open", minor);
	if (code == -ENODEV)
		return blktap_error_set(err, code, "there is no disk tapdev%u, or its session has "
					"ended", minor);
	return blktap_error_set(err, code, "cannot stop tapdev%u: %s", minor, strerror(-code));
}

int blktap_ring_resize(struct blktap_ring *ring, uint64_t capacity, struct blktap_error *err)
{
	struct blktap_resize args = { .size = sizeof(args), .capacity = capacity };
	int code;

	if (ioctl(ring->fd, BLKTAP_IOC_RESIZE, &args) == 0)
		return 0;
	code = -errno;
	return blktap_error_set(err, code, "cannot resize tapdev%u to %llu bytes: %s",
				ring->layout.minor, (unsigned long long)capacity, strerror(-code));
}

int blktap_ring_state(struct blktap_ring *ring, struct blktap_state *state,
		      struct blktap_error *err)
{
	int code;

	*state = (struct blktap_state){ .size = sizeof(*state) };
	if (ioctl(ring->fd, BLKTAP_IOC_GET_STATE, state) == 0)
		return 0;
	code = -errno;
	return blktap_error_set(err, code, "cannot read the state of tapdev%u: %s",
				ring->layout.minor, strerror(-code));
}

static int call_hold(struct blktap_ring *ring, unsigned long request, const char *what,
		     struct blktap_error *err)
{
	struct blktap_hold args = { .size = sizeof(args) };
	int code;

	if (ioctl(ring->fd, request, &args) == 0)
		return 0;
	code = -errno;
	return blktap_error_set(err, code, "cannot %s the requests of tapdev%u: %s", what,
				ring->layout.minor, strerror(-code));
}

int blktap_ring_hold(struct blktap_ring *ring, struct blktap_error *err)
{
	return call_hold(ring, BLKTAP_IOC_HOLD, "hold", err);
}

int blktap_ring_release(struct blktap_ring *ring, struct blktap_error *err)
{
	return call_hold(ring, BLKTAP_IOC_RELEASE, "release", err);
}

/* ---------------------------------------------------------------------- ENTER */

/* @code is ENTER's: whether it took what had been posted. */
static bool enter_took(int code)
{
	/* Completions are taken before the wait. */
	return !code || code == -EINTR || code == -ETIME;
}

static int enter(struct blktap_queue *queue, struct blktap_enter *args)
{
	int code;

	if (queue->broken)
		return -EPROTO;
	blktap_queue_publish(queue);
	code = ioctl(queue->fd, BLKTAP_IOC_ENTER, args) ? -errno : 0;
	if (enter_took(code))
		blktap_queue_entered(queue);
	return code;
}

int blktap_queue_enter(struct blktap_queue *queue, bool wait, int64_t timeout_ns)
{
	struct blktap_enter args = { .size = sizeof(args) };

	if (wait && blktap_queue_arm(queue)) {
		args.flags = BLKTAP_ENTER_WAIT;
		args.timeout = timeout_ns;
	}
	return enter(queue, &args);
}

int blktap_queue_wait(struct blktap_queue *queue, struct blktap_wait *wait)
{
	struct blktap_enter args = { .size = sizeof(args) };
	int ret;

	if (blktap_queue_arm(queue)) {
		args.flags = BLKTAP_ENTER_WAIT | (wait->fd < 0 ? 0 : BLKTAP_ENTER_ALSO);
		args.timeout = wait->timeout_ns;
		args.fd = wait->fd < 0 ? 0 : wait->fd;
		args.spin = wait->spin_ns;
	}
	ret = enter(queue, &args);
	wait->fd_ready = args.ready & BLKTAP_READY_ALSO;
	wait->spun = args.ready & BLKTAP_READY_SPUN;
	wait->waited_ns = args.waited;
	wait->delayed_ns = args.delayed;
	return ret;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Serves a RAM disk, or a file that the kernel reads and writes, on an allocated
 * tap, and misbehaves on request. Written against the UAPI header alone. Exit
 * status: the errno of what failed.
 */
#include "ring.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum fault {
	FAULT_NONE, FAULT_DELAY, FAULT_NEVER, FAULT_ERROR, FAULT_SHORT, FAULT_LONG,
	FAULT_DOUBLE, FAULT_STALE, FAULT_TAG, FAULT_INDEX, FAULT_DIE, FAULT_UNSYNCED,
};

static const char * const faults[] = {
	[FAULT_NONE] = "none", [FAULT_DELAY] = "delay", [FAULT_NEVER] = "never",
	[FAULT_ERROR] = "error", [FAULT_SHORT] = "short", [FAULT_LONG] = "long",
	[FAULT_DOUBLE] = "double", [FAULT_STALE] = "stale", [FAULT_TAG] = "tag",
	[FAULT_INDEX] = "index", [FAULT_DIE] = "die", [FAULT_UNSYNCED] = "unsynced",
};

/* How a backing file is used. */
enum by { BY_DAEMON, BY_REDIRECT, BY_DEMAND, BY_EXTENT };

static const struct { const char *name; uint64_t features; } ways[] = {
	[BY_DAEMON] = { "daemon", 0 },
	[BY_REDIRECT] = { "redirect", BLKTAP_F_REDIRECT },
	[BY_DEMAND] = { "demand", BLKTAP_F_REDIRECT | BLKTAP_F_DATA_ON_DEMAND },
	[BY_EXTENT] = { "extent", BLKTAP_F_EXTENTS },
};

enum death { DEATH_NONE, DEATH_MAP, DEATH_ATTACH, DEATH_SCAN };

static struct {
	unsigned int minor;
	struct blktap_start start;
	const char *ram;
	const char *backing;
	enum by by;
	enum fault fault;
	long value;		/* of the fault: milliseconds or errno */
	unsigned long after;	/* requests served before the fault strikes */
	unsigned long times;	/* how often it strikes */
	long queue;		/* whose requests it strikes; -1: all */
	enum death death;
	bool force;
	const char *beside;	/* what a thread reads meanwhile */
	uint64_t resize;
} opt = { .times = ULONG_MAX, .queue = -1 };

static struct {
	unsigned long op[BLKTAP_OP_WRITE_ZEROES + 1];
	unsigned long fua, nounmap, wrong, most, redirected, retried;
} count;

static char *disk;
static int backing = -1, slot;
static bool stopping;

static void fail(const char *what, int error)
{
	fprintf(stderr, "ring_server: %s: %s\n", what, strerror(-error));
	exit(-error & 0xff);
}

static void print_counts(void)
{
	printf("counts read=%lu write=%lu flush=%lu discard=%lu zeroes=%lu fua=%lu nounmap=%lu wrong=%lu most=%lu redirected=%lu retried=%lu\n",
	       count.op[BLKTAP_OP_READ], count.op[BLKTAP_OP_WRITE],
	       count.op[BLKTAP_OP_FLUSH], count.op[BLKTAP_OP_DISCARD],
	       count.op[BLKTAP_OP_WRITE_ZEROES], count.fua, count.nounmap, count.wrong,
	       count.most, count.redirected, count.retried);
}

static void die(void)
{
	print_counts();
	puts("dying");
	fflush(stdout);
	kill(getpid(), SIGKILL);
}

static void delay(long ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

static bool in_range(const struct blktap_desc *d)
{
	return d->length <= opt.start.capacity &&
	       d->offset <= opt.start.capacity - d->length &&
	       d->offset % opt.start.logical_block_size == 0 &&
	       d->length % opt.start.logical_block_size == 0;
}

/* All of it: what is beyond the end of the file is zero. */
static int64_t serve_file(const struct blktap_desc *d, char *data)
{
	ssize_t n = 0;

	switch (d->op) {
	case BLKTAP_OP_READ:
		n = pread(backing, data, d->length, d->offset);
		if (n >= 0)
			memset(data + n, 0, d->length - n);
		break;
	case BLKTAP_OP_WRITE:
		n = pwrite(backing, data, d->length, d->offset);
		if (n >= 0 && n < (ssize_t)d->length)
			return -EIO;
		break;
	case BLKTAP_OP_FLUSH:
		n = fdatasync(backing);
		break;
	}
	return n < 0 ? -errno : (int64_t)d->length;
}

static int64_t serve(const struct ring_request *req)
{
	const struct blktap_desc *d = &req->desc;

	if (d->op > BLKTAP_OP_WRITE_ZEROES || !d->generation || !in_range(d)) {
		count.wrong++;
		return -EINVAL;
	}
	count.op[d->op]++;
	count.fua += !!(d->flags & BLKTAP_REQ_FUA);
	count.nounmap += !!(d->flags & BLKTAP_REQ_NOUNMAP);
	if (d->length > count.most)
		count.most = d->length;
	count.retried += !!(d->flags & BLKTAP_REQ_RETRY);
	if (opt.backing)
		return serve_file(d, req->data);
	switch (d->op) {
	case BLKTAP_OP_READ:
		memcpy(req->data, disk + d->offset, d->length);
		break;
	case BLKTAP_OP_WRITE:
		memcpy(disk + d->offset, req->data, d->length);
		break;
	case BLKTAP_OP_DISCARD:
	case BLKTAP_OP_WRITE_ZEROES:
		memset(disk + d->offset, 0, d->length);
		break;
	}
	return d->length;
}

static bool strikes(const struct ring_queue *q, const struct ring_request *req)
{
	if (opt.fault == FAULT_NONE)
		return false;
	/* It is a FLUSH that is answered without a sync. */
	if (opt.fault == FAULT_UNSYNCED && req->desc.op != BLKTAP_OP_FLUSH)
		return false;
	if (opt.queue >= 0 && q != &q->ring->queues[opt.queue])
		return false;
	if (opt.after) {
		opt.after--;
		return false;
	}
	if (!opt.times)
		return false;
	opt.times--;
	return true;
}

static void complete_bent(struct ring_queue *q, const struct ring_request *req,
			  int64_t result)
{
	struct ring_request bent = *req;

	switch (opt.fault) {
	case FAULT_STALE:
		bent.desc.generation--;
		ring_complete(q, &bent, result);
		break;
	case FAULT_TAG:
		bent.tag = q->ring->at.depth + 7;
		ring_complete(q, &bent, result);
		break;
	case FAULT_INDEX:
		q->cq_tail += q->ring->at.cq_entries + 1;
		ring_post(q);
		return;
	default:
		break;
	}
	ring_complete(q, req, result);
	if (opt.fault == FAULT_DOUBLE && ring_enter(q, 0, 0, NULL) == 0)
		ring_complete(q, req, result);
}

/* The kernel moves the data, unless it has failed to. */
static bool redirect(struct ring_queue *q, const struct ring_request *req, unsigned int *fragments)
{
	const struct blktap_desc *d = &req->desc;
	struct blktap_fragment *f;
	struct blktap_cqe *cqe;

	if ((opt.by != BY_REDIRECT && opt.by != BY_DEMAND) || d->op > BLKTAP_OP_WRITE ||
	    d->flags & BLKTAP_REQ_RETRY || !in_range(d))
		return false;
	count.redirected++;
	count.op[d->op]++;
	count.fua += !!(d->flags & BLKTAP_REQ_FUA);
	f = ring_fragment(q, *fragments);
	f->file = slot;
	f->offset = d->offset;
	f->length = d->length;
	cqe = ring_cqe(q);
	cqe->tag = req->tag;
	cqe->type = BLKTAP_CQE_REDIRECT;
	cqe->generation = d->generation;
	cqe->result = d->length;
	cqe->fragment = (*fragments)++;
	cqe->fragments = 1;
	ring_post(q);
	return true;
}

static void fetch(struct ring_queue *q, const struct ring_request *req)
{
	int ret;

	if (!(req->desc.flags & BLKTAP_REQ_DEMAND))
		return;
	ret = ring_fetch(q, req->tag, req->desc.generation);
	if (ret)
		fail("FETCH", ret);
}

static void answer(struct ring_queue *q, const struct ring_request *req, unsigned int *fragments)
{
	int64_t result;

	if (redirect(q, req, fragments))
		return;
	fetch(q, req);

	if (!strikes(q, req)) {
		ring_complete(q, req, serve(req));
		return;
	}
	if (opt.fault == FAULT_UNSYNCED) {
		ring_complete(q, req, 0);
		return;
	}
	if (opt.fault == FAULT_DIE)
		die();
	if (opt.fault == FAULT_DELAY)
		delay(opt.value);
	if (opt.fault == FAULT_NEVER) {
		puts("keeping a request");
		return;
	}
	result = opt.fault == FAULT_ERROR ? -opt.value : serve(req);
	if (opt.fault == FAULT_SHORT)
		result -= opt.start.logical_block_size;
	if (opt.fault == FAULT_LONG)
		result += opt.start.logical_block_size;
	complete_bent(q, req, result);
}

/* Serves all that is there and arms the queue. */
static void serve_queue(struct ring_queue *q)
{
	struct ring_request req;
	unsigned int fragments;
	int ret;

	do {
		fragments = 0;
		while (ring_next(q, &req))
			answer(q, &req, &fragments);
		ret = ring_enter(q, 0, 0, NULL);
		if (ret)
			fail("ENTER", ret);
	} while (!ring_arm(q));
}

static void *new_disk(void)
{
	int flags = MAP_SHARED | MAP_ANONYMOUS, fd = -1;
	void *map;

	if (opt.ram) {
		fd = open(opt.ram, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || ftruncate(fd, opt.start.capacity))
			fail(opt.ram, -errno);
		flags = MAP_SHARED;
	}
	map = mmap(NULL, opt.resize > opt.start.capacity ? opt.resize : opt.start.capacity,
		   PROT_READ | PROT_WRITE, flags, fd, 0);
	if (map == MAP_FAILED)
		fail("memory of the disk", -errno);
	return map;
}

static int finish(struct ring *ring)
{
	struct blktap_state state;
	int ret = ring_state(ring->fd, &state);

	if (!ret)
		printf("rejected=%llu\n", (unsigned long long)state.rejected);
	print_counts();
	ring_close(ring);
	return count.wrong ? EPROTO : 0;
}

static void on_state(struct ring *ring)
{
	static uint32_t last = BLKTAP_DISK_STATE_NONE;
	struct blktap_state state;
	int ret = ring_state(ring->fd, &state);

	if (ret)
		fail("GET_STATE", ret);
	if (state.error)
		fail("adding the disk", state.error);
	if (state.disk_state != last && state.disk_state == BLKTAP_DISK_STATE_LIVE)
		puts("live");
	if (stopping && state.disk_state == BLKTAP_DISK_STATE_NONE) {
		puts("removed");
		exit(finish(ring));
	}
	last = state.disk_state;
}

/* SIGTERM stops the disk if it is not open or by force, SIGUSR1 resizes, SIGUSR2 counts. */
static void on_signal(struct ring *ring, int sfd)
{
	struct signalfd_siginfo info;
	int ret;

	if (read(sfd, &info, sizeof(info)) != sizeof(info))
		fail("signalfd", -errno);
	switch (info.ssi_signo) {
	case SIGUSR1:
		ret = ring_resize(ring->fd, opt.resize);
		if (!ret)
			opt.start.capacity = opt.resize;
		printf("resize: %d\n", ret);
		break;
	case SIGUSR2:
		print_counts();
		break;
	default:
		ret = opt.force ? ring_stop_force(ring->fd) : ring_stop(ring->fd);
		printf("stop: %d\n", ret);
		stopping = stopping || !ret;
		on_state(ring);
	}
}

static int signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* After START: nothing can be mapped without a disk. */
static void use_backing(struct ring *ring, bool started)
{
	const uint32_t both = BLKTAP_FILE_READ | BLKTAP_FILE_WRITE;
	int ret = 0;

	if (opt.by == BY_DAEMON)
		return;
	if (!started) {
		slot = ring_register(ring->fd, backing, both);
		ret = slot < 0 ? slot : 0;
	} else if (opt.by == BY_EXTENT) {
		ret = ring_map_extent(ring->fd, slot, both, 0, opt.start.capacity, 0);
	}
	if (ret)
		fail("backing", ret);
}

static void set_by(const char *name)
{
	size_t i;

	for (i = 0; i < COUNT(ways); i++)
		if (!strcmp(ways[i].name, name))
			opt.by = i;
	if (opt.by == BY_DAEMON)
		fail(name, -EINVAL);
	if (opt.by == BY_DEMAND)
		opt.start.flags |= BLKTAP_DISK_DEMAND;
}

static void open_backing(void)
{
	if (!opt.backing)
		return;
	backing = open(opt.backing, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (backing < 0)
		fail(opt.backing, -errno);
}

static void loop(struct ring *ring, int sfd)
{
	unsigned int n = ring->at.queues, i;
	struct pollfd p[n + 2];

	for (i = 0; i < n; i++)
		p[i] = (struct pollfd){ .fd = ring->queues[i].fd, .events = POLLIN };
	p[n] = (struct pollfd){ .fd = ring->fd, .events = POLLPRI };
	p[n + 1] = (struct pollfd){ .fd = sfd, .events = POLLIN };
	for (i = 0; i < n; i++)
		serve_queue(&ring->queues[i]);
	on_state(ring);
	for (;;) {
		if (poll(p, n + 2, -1) < 0)
			fail("poll", -errno);
		for (i = 0; i < n; i++)
			if (p[i].revents)
				serve_queue(&ring->queues[i]);
		if (p[n].revents & (POLLERR | POLLHUP))
			fail("session", -ENODEV);
		if (p[n].revents)
			on_state(ring);
		if (p[n + 1].revents)
			on_signal(ring, sfd);
	}
}

static uint64_t bytes(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 0);

	switch (*end) {
	case 'G':
		n <<= 10;
		/* fall through */
	case 'M':
		n <<= 10;
		/* fall through */
	case 'K':
		n <<= 10;
	}
	return n;
}

/* KIND or KIND=VALUE */
static void set_fault(const char *text)
{
	size_t len = strcspn(text, "="), i;

	for (i = 0; i < COUNT(faults); i++)
		if (strlen(faults[i]) == len && !strncmp(faults[i], text, len))
			opt.fault = i;
	if (opt.fault == FAULT_NONE)
		fail(text, -EINVAL);
	if (text[len])
		opt.value = strtol(text + len + 1, NULL, 0);
}

static void set_death(const char *when)
{
	if (!strcmp(when, "map"))
		opt.death = DEATH_MAP;
	else if (!strcmp(when, "attach"))
		opt.death = DEATH_ATTACH;
	else if (!strcmp(when, "scan"))
		opt.death = DEATH_SCAN;
	else
		fail(when, -EINVAL);
}

/* With the first of its queues set up, and not the others. */
static void die_between_queues(void)
{
	struct blktap_attach at;
	int fd = ring_open_node(opt.minor), ret;

	ret = fd < 0 ? fd : ring_attach(fd, &at);
	if (ret)
		fail("ATTACH", ret);
	if (ring_map_sq(fd, &at, 0) == MAP_FAILED || ring_map_cq(fd, &at, 0) == MAP_FAILED ||
	    ring_map_buffer(fd, &at, 0) == MAP_FAILED || ring_queue_fd(fd, 0) < 0)
		fail("the first queue", -errno);
	die();
}

/* While that waits, the process cannot end. */
static void *read_beside(void *unused)
{
	int fd = open(opt.beside, O_RDONLY | O_DIRECT | O_CLOEXEC);
	void *buf = aligned_alloc(4096, 4096);

	if (fd < 0 || !buf || read(fd, buf, 4096) != 4096)
		fail(opt.beside, -errno);
	pause();
	return unused;
}

static void start_beside(void)
{
	pthread_t thread;

	if (opt.beside && pthread_create(&thread, NULL, read_beside, NULL))
		fail("thread", -EAGAIN);
}

static const struct option longs[] = {
	{ "size", 1, 0, 's' }, { "lbs", 1, 0, 'l' }, { "pbs", 1, 0, 'p' },
	{ "ro", 0, 0, 'r' }, { "write-cache", 0, 0, 'w' }, { "fua", 0, 0, 'f' },
	{ "rotational", 0, 0, 'o' }, { "no-scan", 0, 0, 'n' }, { "discard", 1, 0, 'd' },
	{ "discard-granularity", 1, 0, 'g' }, { "zeroes", 1, 0, 'z' },
	{ "io-min", 1, 0, 'i' }, { "io-opt", 1, 0, 'I' }, { "ram", 1, 0, 'R' },
	{ "fault", 1, 0, 'F' }, { "after", 1, 0, 'A' }, { "times", 1, 0, 'T' },
	{ "die", 1, 0, 'D' }, { "resize", 1, 0, 'S' }, { "backing", 1, 0, 'B' },
	{ "by", 1, 0, 'b' }, { "force", 0, 0, 'x' }, { "beside", 1, 0, 'e' },
	{ "queue", 1, 0, 'Q' }, { 0, 0, 0, 0 },
};

static const struct { char option; uint32_t flag; } disk_flags[] = {
	{ 'r', BLKTAP_DISK_READ_ONLY },
	{ 'w', BLKTAP_DISK_WRITE_CACHE },
	{ 'f', BLKTAP_DISK_FUA },
	{ 'o', BLKTAP_DISK_ROTATIONAL },
	{ 'n', BLKTAP_DISK_NO_SCAN },
};

static const struct { char option; uint32_t *field; } disk_sizes[] = {
	{ 'l', &opt.start.logical_block_size },
	{ 'p', &opt.start.physical_block_size },
	{ 'g', &opt.start.discard_granularity },
	{ 'i', &opt.start.io_min },
	{ 'I', &opt.start.io_opt },
};

static const struct { char option; uint64_t *field; } disk_long_sizes[] = {
	{ 's', (uint64_t *)&opt.start.capacity },
	{ 'd', (uint64_t *)&opt.start.max_discard },
	{ 'z', (uint64_t *)&opt.start.max_write_zeroes },
	{ 'S', &opt.resize },
};

static bool set_disk_option(int c)
{
	size_t i;

	for (i = 0; i < COUNT(disk_flags); i++) {
		if (disk_flags[i].option == c) {
			opt.start.flags |= disk_flags[i].flag;
			return true;
		}
	}
	for (i = 0; i < COUNT(disk_sizes); i++) {
		if (disk_sizes[i].option == c) {
			*disk_sizes[i].field = bytes(optarg);
			return true;
		}
	}
	for (i = 0; i < COUNT(disk_long_sizes); i++) {
		if (disk_long_sizes[i].option == c) {
			*disk_long_sizes[i].field = bytes(optarg);
			return true;
		}
	}
	return false;
}

static void set_option(int c)
{
	if (set_disk_option(c))
		return;
	switch (c) {
	case 'R':
		opt.ram = optarg;
		break;
	case 'B':
		opt.backing = optarg;
		break;
	case 'b':
		set_by(optarg);
		break;
	case 'F':
		set_fault(optarg);
		break;
	case 'A':
		opt.after = strtoul(optarg, NULL, 0);
		break;
	case 'T':
		opt.times = strtoul(optarg, NULL, 0);
		break;
	case 'D':
		set_death(optarg);
		break;
	case 'x':
		opt.force = true;
		break;
	case 'e':
		opt.beside = optarg;
		break;
	case 'Q':
		opt.queue = strtol(optarg, NULL, 0);
		break;
	default:
		exit(EINVAL);
	}
}

int main(int argc, char **argv)
{
	struct ring ring;
	int c, ret, sfd;

	setvbuf(stdout, NULL, _IOLBF, 0);
	ring_start_init(&opt.start, 8 << 20);
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		set_option(c);
	if (optind + 1 != argc)
		fail("usage: ring_server [OPTION]... MINOR", -EINVAL);
	opt.minor = strtoul(argv[optind], NULL, 0);
	disk = new_disk();
	open_backing();
	sfd = signals();
	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	if (opt.death == DEATH_MAP)
		die_between_queues();
	ret = ring_open_with(&ring, opt.minor, ways[opt.by].features);
	if (ret)
		fail("ATTACH", ret);
	printf("attached queues=%u depth=%u max_io=%u epoch=%llu\n", ring.at.queues,
	       ring.at.depth, ring.at.max_io, (unsigned long long)ring.at.epoch);
	if (opt.death == DEATH_ATTACH)
		die();
	start_beside();
	use_backing(&ring, false);
	ret = ring_start(ring.fd, &opt.start);
	if (ret)
		fail("START", ret);
	use_backing(&ring, true);
	if (opt.death == DEATH_SCAN) {
		opt.fault = FAULT_DIE;
		opt.after = 0;
	}
	loop(&ring, sfd);
	return 0;
}

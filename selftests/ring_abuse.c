// SPDX-License-Identifier: GPL-2.0-only
/* Every call on the ring node and on a queue, made wrongly. */
#include "ktap.h"
#include "netlink.h"
#include "ring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000LL

static struct nl nl;
static unsigned int minor;

static int call(int fd, unsigned long nr, void *arg)
{
	return ioctl(fd, nr, arg) < 0 ? -errno : 0;
}

static int open_node(void)
{
	int fd = ring_open_node(minor);

	if (fd < 0)
		ktap_die("cannot open the ring node: %s", strerror(-fd));
	return fd;
}

static int attach_with(int fd, struct blktap_attach *at)
{
	return call(fd, BLKTAP_IOC_ATTACH, at);
}

static void attach_refused(const char *what, int want, uint32_t size, uint32_t flags,
			   uint64_t features, uint64_t reserved)
{
	struct blktap_attach at = { .size = size, .flags = flags, .features = features };
	int fd = open_node();

	at.reserved[6] = reserved;
	ktap_is(attach_with(fd, &at), want, what);
	close(fd);
}

static void test_attach_refusals(void)
{
	struct blktap_attach at = { .size = sizeof(at), .sq_area = 1 };
	int fd = open_node();

	ktap_is(attach_with(fd, &at), -EINVAL, "ATTACH: an out field that is set");
	ktap_is(call(fd, BLKTAP_IOC_ATTACH, (void *)8), -EFAULT, "ATTACH: bad pointer");
	ktap_is(call(fd, BLKTAP_IOC_ATTACH, NULL), -EFAULT, "ATTACH: null pointer");
	close(fd);
	attach_refused("ATTACH: size 0", -EINVAL, 0, 0, 0, 0);
	attach_refused("ATTACH: size 4", -EINVAL, 4, 0, 0, 0);
	attach_refused("ATTACH: reserved field set", -EINVAL, sizeof(at), 0, 0, 1);
	attach_refused("ATTACH: unknown feature", -EOPNOTSUPP, sizeof(at), 0, 1ULL << 63, 0);
	attach_refused("ATTACH: undefined flag", -EINVAL, sizeof(at), 1U << 31, 0, 0);
}

/* Takeover may be built one day; without asking for the feature it is refused. */
static void test_attach_takeover(void)
{
	struct blktap_attach at = { .size = sizeof(at), .flags = BLKTAP_ATTACH_TAKEOVER };
	int fd = open_node(), ret = attach_with(fd, &at);

	ktap(ret == -EOPNOTSUPP || ret == -EINVAL, "ATTACH: takeover without the feature");
	close(fd);
	at = (struct blktap_attach){ .size = sizeof(at), .pid = getpid() };
	fd = open_node();
	ktap_is(attach_with(fd, &at), -EINVAL, "ATTACH: from a process without takeover");
	close(fd);
	at = (struct blktap_attach){ .size = sizeof(at), .reserved0 = 1 };
	fd = open_node();
	ktap_is(attach_with(fd, &at), -EINVAL, "ATTACH: reserved field after the pid set");
	close(fd);
}

static void test_attach_larger(void)
{
	struct {
		struct blktap_attach at;
		uint64_t more[4];
	} big = { .at.size = sizeof(big) };
	int fd = open_node();

	big.more[3] = 1;
	ktap_is(attach_with(fd, &big.at), -E2BIG, "ATTACH: larger, tail not zero");
	big.more[3] = 0;
	ktap_is(attach_with(fd, &big.at), 0, "ATTACH: larger, tail zero");
	ktap(big.at.queues && big.at.sq_area_bytes && !big.more[3],
	     "ATTACH: larger, answer filled in");
	close(fd);
}

static void test_attach_absurd(void)
{
	struct blktap_attach at = { .size = UINT32_MAX };
	int fd = open_node(), ret = attach_with(fd, &at);

	ktap(ret == -E2BIG || ret == -EFAULT || ret == -EINVAL, "ATTACH: size of 4 GiB");
	close(fd);
}

/* A caller of an older header: as long as the fields it cannot do without. */
static void test_attach_smaller(void)
{
	struct blktap_attach at;
	uint32_t size = offsetof(struct blktap_attach, fragment_offset);
	int fd = open_node();

	memset(&at, 0x5a, sizeof(at));
	memset(&at, 0, size);
	at.size = size;
	ktap_is(attach_with(fd, &at), 0, "ATTACH: smaller");
	ktap(at.fragment_offset == 0x5a5a5a5a && at.reserved[0] == 0x5a5a5a5a5a5a5a5aULL,
	     "ATTACH: smaller, nothing written beyond it");
	ktap(at.buffer_area_bytes != 0, "ATTACH: smaller, answer filled in");
	close(fd);
}

static void test_attach_second(void)
{
	struct blktap_attach at;
	int fd = open_node(), other = open_node();

	ktap_is(ring_attach(fd, &at), 0, "ATTACH");
	ktap(at.minor == minor && at.epoch && at.queues == 2 && at.depth == 4,
	     "ATTACH: what was allocated");
	ktap(!(at.sq_entries & (at.sq_entries - 1)) && at.sq_entries >= at.depth &&
	     !(at.cq_entries & (at.cq_entries - 1)) && at.cq_entries >= at.depth,
	     "ATTACH: entries are powers of two, enough for the tags");
	ktap(!at.features && !at.fragments && !at.files, "ATTACH: no feature unasked for");
	ktap_is(ring_attach(fd, &at), -EBUSY, "second ATTACH, same file");
	ktap_is(ring_attach(other, &at), -EBUSY, "second ATTACH, other file");
	close(fd);
	ktap_is(ring_attach(other, &at), 0, "ATTACH by the other file after the first is closed");
	close(other);
}

static void test_epoch(void)
{
	struct blktap_attach first, second;
	int fd = open_node(), ret;

	ret = ring_attach(fd, &first);
	close(fd);
	fd = open_node();
	ret = ret ? ret : ring_attach(fd, &second);
	ktap(!ret && second.epoch == first.epoch + 1, "the epoch counts sessions");
	close(fd);
}

static void test_numbers(void)
{
	static const uint8_t never[] = { 0x00, 0x0d, 0x0f, 0x12, 0x42, 0xff };
	char arg[256] = { 0 };
	int fd = open_node();
	size_t i;

	for (i = 0; i < sizeof(never); i++)
		ktap(call(fd, _IOWR(BLKTAP_IOC_MAGIC, never[i], char[64]), arg) == -ENOTTY,
		     "call 0x%02x, never given out: ENOTTY", never[i]);
	ktap_is(call(fd, _IOWR('T', 0x01, struct blktap_attach), arg), -ENOTTY,
		"another magic: ENOTTY");
	close(fd);
}

static void test_before_attach(void)
{
	struct blktap_start start;
	struct blktap_state state;
	int fd = open_node();
	void *map;

	ring_start_init(&start, 1 << 20);
	ktap(ring_start(fd, &start) < 0, "START before ATTACH is refused");
	ktap(ring_stop(fd) < 0, "STOP before ATTACH is refused");
	ktap(ring_resize(fd, 1 << 20) < 0, "RESIZE before ATTACH is refused");
	ktap(ring_queue_fd(fd, 0) < 0, "GET_QUEUE_FD before ATTACH is refused");
	ktap(ring_state(fd, &state) < 0, "GET_STATE before ATTACH is refused");
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	ktap(map == MAP_FAILED, "mmap before ATTACH is refused");
	close(fd);
}

static void start_refused(int fd, const char *what, size_t field, uint32_t value)
{
	struct blktap_start start;

	ring_start_init(&start, 1 << 20);
	memcpy((char *)&start + field, &value, sizeof(value));
	ktap_is(ring_start(fd, &start), -EINVAL, what);
}

#define REFUSED(field, value) \
	start_refused(fd, "START: " #field " " #value, \
		      offsetof(struct blktap_start, field), value)

static void start_refused_with(int fd, const char *what, struct blktap_start start)
{
	start.size = sizeof(start);
	start.capacity = 1 << 20;
	start.logical_block_size = 512;
	ktap_is(ring_start(fd, &start), -EINVAL, what);
}

/* Fields that do not go with each other. */
#define REFUSED_WITH(...) \
	start_refused_with(fd, "START: " #__VA_ARGS__, (struct blktap_start){ __VA_ARGS__ })

static void test_start_hints(int fd)
{
	REFUSED_WITH(.io_min = 8192, .io_opt = 4096);
	REFUSED_WITH(.io_min = UINT32_MAX & ~511, .io_opt = UINT32_MAX & ~511);
	REFUSED_WITH(.io_opt = 1U << 31);
	REFUSED_WITH(.physical_block_size = 1U << 31);
	REFUSED_WITH(.discard_granularity = 1U << 31, .max_discard = 1U << 31);
	REFUSED_WITH(.discard_granularity = 8192, .max_discard = 4096);
	REFUSED_WITH(.physical_block_size = 4096, .max_discard = 512);
	REFUSED_WITH(.flags = BLKTAP_DISK_FUA);
}

static void test_start_refusals(int fd)
{
	struct blktap_start start;

	REFUSED(logical_block_size, 0);
	REFUSED(logical_block_size, 3);
	REFUSED(logical_block_size, 1024);
	REFUSED(logical_block_size, 8192);
	REFUSED(physical_block_size, 256);
	REFUSED(physical_block_size, 3000);
	REFUSED(capacity, 0);
	REFUSED(capacity, 1000);
	REFUSED(io_min, 1);
	REFUSED(io_opt, 1);
	REFUSED(discard_granularity, 3);
	REFUSED(flags, 1U << 31);
	REFUSED(reserved0, 1);
	REFUSED(reserved, 1);
	REFUSED(size, 0);
	REFUSED(max_discard, 1);
	REFUSED(max_write_zeroes, 1);
	ring_start_init(&start, 1ULL << 63);
	ktap(ring_start(fd, &start) < 0, "START: capacity of 2^63 is refused");
	ring_start_init(&start, UINT64_MAX & ~511ULL);
	ktap(ring_start(fd, &start) < 0, "START: capacity of 2^64 - 512 is refused");
	ring_start_init(&start, 1 << 20);
	start.flags = BLKTAP_DISK_DEMAND;
	ktap_is(ring_start(fd, &start), -EOPNOTSUPP, "START: data on demand not granted");
	ktap_is(ring_stop(fd), -ENODEV, "STOP without a disk");
	ktap_is(ring_resize(fd, 1 << 20), -ENODEV, "RESIZE without a disk");
}

static void test_state(int fd)
{
	struct blktap_state state = { .size = sizeof(state), .flags = 1 };

	ktap_is(call(fd, BLKTAP_IOC_GET_STATE, &state), -EINVAL, "GET_STATE: a flag");
	state = (struct blktap_state){ .size = 2 };
	ktap_is(call(fd, BLKTAP_IOC_GET_STATE, &state), -EINVAL, "GET_STATE: size 2");
	ktap_is(ring_state(fd, &state), 0, "GET_STATE");
	ktap(state.disk_state == BLKTAP_DISK_STATE_NONE && !state.openers && !state.error,
	     "GET_STATE: no disk yet");
}

static void test_queue_fd(int fd)
{
	struct blktap_queue_fd arg = { .size = sizeof(arg), .flags = 1 };
	int q, again;

	ktap_is(call(fd, BLKTAP_IOC_GET_QUEUE_FD, &arg), -EINVAL, "GET_QUEUE_FD: a flag");
	arg = (struct blktap_queue_fd){ .size = sizeof(arg), .reserved = 1 };
	ktap_is(call(fd, BLKTAP_IOC_GET_QUEUE_FD, &arg), -EINVAL, "GET_QUEUE_FD: reserved");
	ktap_is(ring_queue_fd(fd, 2), -EINVAL, "GET_QUEUE_FD: no such queue");
	ktap_is(ring_queue_fd(fd, UINT32_MAX), -EINVAL, "GET_QUEUE_FD: queue 2^32 - 1");
	q = ring_queue_fd(fd, 1);
	again = ring_queue_fd(fd, 1);
	ktap(q >= 0 && again >= 0 && q != again, "GET_QUEUE_FD: twice the same queue");
	ktap(fcntl(q, F_GETFD) & FD_CLOEXEC, "GET_QUEUE_FD: close-on-exec");
	ktap(mmap(NULL, 4096, PROT_READ, MAP_SHARED, q, 0) == MAP_FAILED,
	     "a queue descriptor cannot be mapped");
	ktap(read(q, &arg, 4) < 0 && write(q, &arg, 4) < 0,
	     "a queue descriptor cannot be read or written");
	close(q);
	close(again);
}

static int enter(int q, uint32_t size, uint32_t flags, int64_t timeout, uint32_t spin)
{
	struct blktap_enter arg = {
		.size = size, .flags = flags, .timeout = timeout, .spin = spin,
	};

	return call(q, BLKTAP_IOC_ENTER, &arg);
}

static void test_enter(int fd)
{
	const uint32_t size = sizeof(struct blktap_enter);
	struct blktap_attach at = { .size = sizeof(at) };
	int q = ring_queue_fd(fd, 0);

	ktap_is(enter(q, 0, 0, 0, 0), -EINVAL, "ENTER: size 0");
	ktap_is(enter(q, 3, 0, 0, 0), -EINVAL, "ENTER: size 3");
	ktap_is(enter(q, size, 4, 0, 0), -EINVAL, "ENTER: undefined flag");
	ktap_is(enter(q, size, BLKTAP_ENTER_ALSO, 0, 0), -EINVAL, "ENTER: ALSO without WAIT");
	ktap_is(enter(q, size, 0, 0, 1), -EINVAL, "ENTER: spin without WAIT");
	ktap_is(call(q, BLKTAP_IOC_ENTER, (void *)16), -EFAULT, "ENTER: bad pointer");
	ktap_is(enter(q, size, 0, 0, 0), 0, "ENTER: nothing to do");
	ktap_is(enter(q, 8, 0, 0, 0), 0, "ENTER: smaller");
	ktap_is(enter(q, size, BLKTAP_ENTER_WAIT, 0, 0), -ETIME, "ENTER: wait, 0 ns");
	ktap_is(enter(q, size, BLKTAP_ENTER_WAIT, 20 * MS, 0), -ETIME, "ENTER: wait, 20 ms");
	ktap(call(q, BLKTAP_IOC_ATTACH, &at) == -ENOTTY, "ATTACH on a queue descriptor");
	ktap(ring_fetch(&(struct ring_queue){ .fd = q }, 0, 1) == -EOPNOTSUPP,
	     "FETCH without the feature: EOPNOTSUPP");
	ktap(call(q, _IOWR(BLKTAP_IOC_MAGIC, 0x12, char[64]), &at) == -ENOTTY,
	     "call 0x12 on a queue descriptor: ENOTTY");
	ktap(call(fd, BLKTAP_IOC_ENTER, &at) < 0, "ENTER on the ring node is refused");
	close(q);
}

static void nothing(int sig)
{
	(void)sig;
}

static void *wait_in_enter(void *arg)
{
	int q = *(int *)arg;

	return (void *)(long)enter(q, sizeof(struct blktap_enter), BLKTAP_ENTER_WAIT, -1, 0);
}

/* Until the thread sleeps inside, the second caller may get in: try again. */
static int enter_second(int q)
{
	int i, ret = 0;

	for (i = 0; i < 500 && ret != -EBUSY; i++) {
		struct timespec nap = { .tv_nsec = 10 * MS };

		nanosleep(&nap, NULL);
		ret = enter(q, sizeof(struct blktap_enter), 0, 0, 0);
	}
	return ret;
}

static void test_enter_threads(int fd)
{
	struct sigaction act = { .sa_handler = nothing };
	int q = ring_queue_fd(fd, 0), other = ring_queue_fd(fd, 1);
	pthread_t thread;
	void *ret;

	sigaction(SIGUSR1, &act, NULL);
	pthread_create(&thread, NULL, wait_in_enter, &q);
	ktap_is(enter_second(q), -EBUSY, "ENTER while another thread waits in it");
	ktap_is(enter(other, sizeof(struct blktap_enter), 0, 0, 0), 0,
		"ENTER on the other queue meanwhile");
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, &ret);
	ktap_is((long)ret, -EINTR, "ENTER interrupted by a signal");
	close(q);
	close(other);
}

static short events_of(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, 0) == 1 ? p.revents : 0;
}

static void test_poll(int fd)
{
	int q = ring_queue_fd(fd, 0);

	ktap(!events_of(q, POLLIN), "poll: an idle queue is not readable");
	ktap(!events_of(fd, POLLIN | POLLPRI), "poll: an idle ring node has no event");
	close(q);
}

static void test_freed_tap(void)
{
	struct blktap_attach at;
	int fd = open_node();

	ktap_is(nl_del_wait(&nl, minor), 0, "a tap with its node open can be freed");
	ktap_is(ring_attach(fd, &at), -ENODEV, "ATTACH on a freed tap");
	close(fd);
	ktap(ring_open_node(minor) < 0, "its node is gone");
}

int main(void)
{
	struct blktap_attach at;
	int got = -1, fd;

	ktap_start();
	if (nl_open(&nl) || nl_new(&nl, &got, 2, 4))
		ktap_die("cannot allocate a tap: %s", nl.text);
	minor = got;
	test_attach_refusals();
	test_attach_takeover();
	test_attach_larger();
	test_attach_absurd();
	test_attach_smaller();
	test_attach_second();
	test_epoch();
	test_numbers();
	test_before_attach();
	fd = open_node();
	if (ring_attach(fd, &at))
		ktap_die("cannot attach");
	test_start_refusals(fd);
	test_start_hints(fd);
	test_state(fd);
	test_queue_fd(fd);
	test_enter(fd);
	test_enter_threads(fd);
	test_poll(fd);
	close(fd);
	test_freed_tap();
	nl_close(&nl);
	return ktap_finish();
}

// SPDX-License-Identifier: GPL-2.0-only
/* What ENTER waits for, and what ends the wait. */
#include "ktap.h"
#include "netlink.h"
#include "ring.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS		1000000LL
#define SECOND		1000000000LL
#define LONG		(20 * SECOND)	/* such a wait was not ended by what should */
#define DISK_SIZE	(1 << 20)
#define IO_SIZE		4096
#define READS		300
#define OLD_SIZE	40		/* of the structure before it could do more */

static struct nl nl;
static unsigned int minor;

static int call(int fd, struct blktap_enter *arg)
{
	return ioctl(fd, BLKTAP_IOC_ENTER, arg) < 0 ? -errno : 0;
}

static struct blktap_enter waiting(uint32_t flags, int64_t timeout, int fd, uint32_t spin)
{
	return (struct blktap_enter){
		.size = sizeof(struct blktap_enter), .flags = BLKTAP_ENTER_WAIT | flags,
		.timeout = timeout, .fd = fd, .spin = spin,
	};
}

static int also(int q, int fd, int64_t timeout, struct blktap_enter *out)
{
	*out = waiting(BLKTAP_ENTER_ALSO, timeout, fd, 0);
	return call(q, out);
}

static void is_also(int q, int fd, const char *what)
{
	struct blktap_enter out;
	int ret = also(q, fd, LONG, &out);

	ktap(!ret && out.ready == BLKTAP_READY_ALSO, "ALSO: %s ends the wait", what);
}

static void is_not_also(int q, int fd, const char *what)
{
	struct blktap_enter out;
	int ret = also(q, fd, 20 * MS, &out);

	ktap(ret == -ETIME && !out.ready && out.waited >= 20 * MS,
	     "ALSO: %s does not end the wait", what);
}

static void is_refused(int q, int fd, int want, const char *what)
{
	struct blktap_enter out;

	ktap_is(also(q, fd, LONG, &out), want, what);
}

/* --- a thread that waits ------------------------------------------------- */

struct waiter {
	pthread_t thread;
	int q;
	int ret;
	struct blktap_enter arg;
};

static void *waiter_thread(void *data)
{
	struct waiter *w = data;

	w->ret = call(w->q, &w->arg);
	return NULL;
}

/* Returns when it is inside. */
static void waiter_start(struct waiter *w, int q, struct blktap_enter arg)
{
	struct timespec nap = { .tv_nsec = 10 * MS };
	struct blktap_enter look = { .size = sizeof(look) };
	int i;

	w->q = q;
	w->arg = arg;
	pthread_create(&w->thread, NULL, waiter_thread, w);
	for (i = 0; i < 500; i++) {
		nanosleep(&nap, NULL);
		if (call(q, &look) == -EBUSY)
			return;
	}
	ktap_die("a thread does not wait in ENTER");
}

static int waiter_end(struct waiter *w)
{
	pthread_join(w->thread, NULL);
	return w->ret;
}

static void nothing(int sig)
{
	(void)sig;
}

/* --- the other descriptor ------------------------------------------------ */

static void test_kinds(int ring_fd, int q)
{
	int event = eventfd(0, EFD_CLOEXEC), full = eventfd(1, EFD_CLOEXEC);
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int path = open("/", O_PATH | O_CLOEXEC);
	int pipes[2] = { -1, -1 };

	ktap(!pipe2(pipes, O_CLOEXEC), "a pipe");
	is_also(q, full, "a readable eventfd");
	is_not_also(q, event, "one that is not");
	is_also(q, file, "a file");
	is_not_also(q, pipes[0], "an empty pipe");
	is_not_also(q, pipes[1], "a pipe that can only be written to");
	close(pipes[1]);
	is_also(q, pipes[0], "a pipe that was hung up");
	is_not_also(q, q, "the queue itself, when idle,");
	is_not_also(q, ring_fd, "the ring node, when idle,");
	is_refused(q, -1, -EBADF, "ALSO: descriptor -1");
	is_refused(q, pipes[1], -EBADF, "ALSO: a descriptor that is closed");
	is_refused(q, path, -EBADF, "ALSO: a descriptor of a path");
	close(pipes[0]);
	close(path);
	close(file);
	close(event);
	close(full);
}

static void test_epoll(int q)
{
	struct epoll_event event = { .events = EPOLLIN };
	int set = epoll_create1(EPOLL_CLOEXEC), fd = eventfd(0, EFD_CLOEXEC);
	struct waiter w;

	epoll_ctl(set, EPOLL_CTL_ADD, q, &event);
	epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
	is_not_also(q, set, "an epoll descriptor that watches the queue, too,");
	waiter_start(&w, q, waiting(BLKTAP_ENTER_ALSO, LONG, set, 0));
	eventfd_write(fd, 1);
	ktap(!waiter_end(&w) && w.arg.ready == BLKTAP_READY_ALSO,
	     "ALSO: what an epoll descriptor watches wakes the waiter");
	close(set);
	close(fd);
}

static void test_during(int q)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	struct waiter w;

	waiter_start(&w, q, waiting(BLKTAP_ENTER_ALSO, -1, fd, 0));
	eventfd_write(fd, 1);
	ktap(!waiter_end(&w) && w.arg.ready == BLKTAP_READY_ALSO,
	     "ALSO: becoming readable wakes the waiter");
	eventfd_read(fd, &(eventfd_t){ 0 });
	waiter_start(&w, q, waiting(BLKTAP_ENTER_ALSO, -1, fd, 1000000));
	eventfd_write(fd, 1);
	ktap(!waiter_end(&w) && w.arg.ready == BLKTAP_READY_ALSO,
	     "ALSO: also one that has looked for submissions before");
	close(fd);
}

static void test_closed_meanwhile(int q)
{
	int fd = eventfd(0, EFD_CLOEXEC), same = dup(fd);
	struct waiter w;

	waiter_start(&w, q, waiting(BLKTAP_ENTER_ALSO, -1, fd, 0));
	close(fd);
	eventfd_write(same, 1);
	ktap(!waiter_end(&w) && w.arg.ready == BLKTAP_READY_ALSO,
	     "ALSO: a descriptor that is closed meanwhile is watched to the end");
	close(same);
}

/* The waiter is woken because it could write now, which nobody asked for. */
static void test_other_change(int q)
{
	static char bytes[4096];
	struct waiter w;
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s))
		ktap_die("no sockets: %s", strerror(errno));
	while (write(s[0], bytes, sizeof(bytes)) > 0)
		;
	waiter_start(&w, q, waiting(BLKTAP_ENTER_ALSO, 300 * MS, s[0], 0));
	while (read(s[1], bytes, sizeof(bytes)) > 0)
		;
	ktap(waiter_end(&w) == -ETIME && !w.arg.ready && w.arg.waited >= 300 * MS,
	     "ALSO: another change than becoming readable does not end the wait");
	close(s[0]);
	close(s[1]);
}

/* --- time ---------------------------------------------------------------- */

static void test_timeout_0(int q)
{
	struct blktap_enter arg;
	uint32_t least = UINT32_MAX;
	bool good = true;
	int i;

	for (i = 0; i < 50; i++) {
		arg = waiting(0, 0, 0, UINT32_MAX);
		good &= call(q, &arg) == -ETIME && !arg.ready;
		if (arg.waited < least)
			least = arg.waited;
	}
	ktap(good && least < MS, "spin: there is none with a time-out of 0");
}

static void test_timeouts(int q)
{
	struct blktap_enter arg;

	arg = waiting(0, 50 * MS, 0, UINT32_MAX);
	ktap(call(q, &arg) == -ETIME && arg.waited >= 50 * MS && arg.waited < 2 * SECOND,
	     "spin: 4 s are cut, and the time-out counts from the beginning");
	arg = waiting(0, 20 * MS, 0, 0);
	ktap(call(q, &arg) == -ETIME && arg.waited >= 20 * MS,
	     "the wait is measured without spin, too");
	arg = waiting(0, INT64_MAX, 0, 0);
	arg.flags |= BLKTAP_ENTER_ALSO;
	arg.fd = eventfd(1, EFD_CLOEXEC);
	ktap_is(call(q, &arg), 0, "the longest time-out of all");
	close(arg.fd);
}

static void test_signals(int q)
{
	struct sigaction act = { .sa_handler = nothing };
	int fd = eventfd(0, EFD_CLOEXEC);
	struct waiter w;

	sigaction(SIGUSR1, &act, NULL);
	waiter_start(&w, q, waiting(BLKTAP_ENTER_ALSO, -1, fd, 1000000));
	pthread_kill(w.thread, SIGUSR1);
	ktap_is(waiter_end(&w), -EINTR, "a signal ends the wait");
	close(fd);
}

/* --- callers that know less, or more ------------------------------------- */

static void sized(int q, uint32_t size, uint32_t tail, int want, const char *what)
{
	union {
		struct blktap_enter arg;
		unsigned char bytes[128];
	} u;
	bool kept = true;
	uint32_t i;

	memset(&u, 0xaa, sizeof(u));
	u.arg = (struct blktap_enter){ .size = size, .flags = BLKTAP_ENTER_WAIT };
	if (size > sizeof(u.arg))
		memset(&u.arg + 1, tail, size - sizeof(u.arg));
	else
		memset(u.bytes + size, 0xaa, sizeof(u) - size);
	ktap_is(call(q, &u.arg), want, what);
	for (i = size; i < sizeof(u); i++)
		kept &= u.bytes[i] == 0xaa;
	ktap(kept, "and nothing is written behind it");
}

static void test_sizes(int q)
{
	const uint32_t size = sizeof(struct blktap_enter);
	struct blktap_enter arg = waiting(0, 0, 0, 0);

	sized(q, 8, 0, -ETIME, "ENTER of 8 bytes, no time-out");
	sized(q, OLD_SIZE, 0, -ETIME, "ENTER of 40 bytes");
	sized(q, size + 16, 0, -ETIME, "ENTER that is longer, with zeroes");
	sized(q, size + 16, 1, -E2BIG, "ENTER that is longer, with something");
	arg.reserved = 1;
	ktap_is(call(q, &arg), -EINVAL, "ENTER: the reserved field");
	arg = waiting(0, 0, 1, 0);
	ktap_is(call(q, &arg), -EINVAL, "ENTER: a descriptor without ALSO");
	arg = waiting(0, 0, 0, 0);
	arg.ready = arg.waited = arg.delayed = arg.taken = arg.rejected = UINT32_MAX;
	ktap(call(q, &arg) == -ETIME && !arg.ready && !arg.taken && !arg.rejected &&
	     arg.waited < UINT32_MAX, "ENTER: what is set on entry means nothing");
}

#ifdef __x86_64__
/* A call as a 32-bit process makes it. */
static int call_32(int fd, struct blktap_enter *arg)
{
	int ret;

	asm volatile("int $0x80" : "=a" (ret)
		     : "a" (54), "b" (fd), "c" ((int)BLKTAP_IOC_ENTER), "d" (arg)
		     : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

#define NO_CALLS_32	77

/* A signal that is caught is not in the kernel's log. */
static void no_calls_32(int sig)
{
	(void)sig;
	_exit(NO_CALLS_32);
}

/* 0: right; 1: wrong. */
static int caller_32(int q)
{
	struct blktap_enter *arg = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	int fd = eventfd(1, EFD_CLOEXEC);

	*arg = waiting(BLKTAP_ENTER_ALSO, LONG, fd, 1000);
	if (call_32(q, arg) || arg->ready != BLKTAP_READY_ALSO)
		return 1;
	eventfd_read(fd, &(eventfd_t){ 0 });
	*arg = waiting(BLKTAP_ENTER_ALSO, 20 * MS, fd, 1000);
	return call_32(q, arg) != -ETIME || arg->waited < 20 * MS;
}

static void test_caller_32(int q)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		signal(SIGSEGV, no_calls_32);
		_exit(caller_32(q));
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_CALLS_32)
		ktap(true, "a 32-bit caller # SKIP this kernel has no 32-bit calls");
	else
		ktap(!status, "a 32-bit caller");
}
#else
static void test_caller_32(int q)
{
	(void)q;
}
#endif

/* --- the end of the session ---------------------------------------------- */

static void test_session_end(uint32_t spin, const char *what)
{
	struct blktap_attach at;
	int fd = ring_open_node(minor), event = eventfd(0, EFD_CLOEXEC), q;
	struct waiter w;

	if (fd < 0 || ring_attach(fd, &at))
		ktap_die("cannot attach");
	q = ring_queue_fd(fd, 0);
	waiter_start(&w, q, waiting(BLKTAP_ENTER_ALSO, -1, event, spin));
	close(fd);
	ktap_is(waiter_end(&w), -ENODEV, what);
	ktap_is(call(q, &w.arg), -ENODEV, "and so it stays");
	close(q);
	close(event);
}

/* --- with a disk --------------------------------------------------------- */

static struct ring ring;
static struct ring_queue *queue;

struct reader {
	pthread_t thread;
	int reads;
	int cpu;		/* negative: any */
	bool failed;
};

static void stay_on(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *reader_thread(void *data)
{
	struct reader *reader = data;
	char *buf = aligned_alloc(4096, IO_SIZE);
	int fd = ring_open_disk(minor, O_RDONLY | O_DIRECT), i;

	stay_on(reader->cpu);
	for (i = 0; i < reader->reads; i++)
		if (pread(fd, buf, IO_SIZE, (i % 16) * IO_SIZE) != IO_SIZE)
			reader->failed = true;
	close(fd);
	free(buf);
	return NULL;
}

static void reader_start(struct reader *reader, int reads, int cpu)
{
	*reader = (struct reader){ .reads = reads, .cpu = cpu };
	pthread_create(&reader->thread, NULL, reader_thread, reader);
}

struct tally {
	int served, spun, also;
	uint64_t delayed;
	bool wrong;		/* a number that cannot be */
};

static void count(struct tally *tally, const struct blktap_enter *arg)
{
	tally->spun += !!(arg->ready & BLKTAP_READY_SPUN);
	tally->also += !!(arg->ready & BLKTAP_READY_ALSO);
	tally->delayed += arg->delayed;
	tally->wrong |= arg->delayed > arg->waited + MS;
}

/* Serves that many requests; ENTER waits as @how says. */
static struct tally serve(int reads, const struct blktap_enter *how)
{
	struct tally tally = { 0 };
	struct ring_request req;
	struct blktap_enter arg;
	int ret;

	while (tally.served < reads) {
		arg = *how;
		if (!ring_arm(queue))
			arg = (struct blktap_enter){ .size = sizeof(arg) };
		ret = call(queue->fd, &arg);
		if (ret)
			ktap_die("ENTER while serving: %s", strerror(-ret));
		count(&tally, &arg);
		for (; ring_next(queue, &req); tally.served++)
			ring_complete(queue, &req, req.desc.length);
	}
	if (ring_enter(queue, 0, 0, NULL))
		ktap_die("ENTER at the end");
	return tally;
}

static struct tally serve_reader(int cpu, struct blktap_enter how, const char *what)
{
	struct reader reader;
	struct tally tally;

	reader_start(&reader, READS, cpu);
	tally = serve(READS, &how);
	pthread_join(reader.thread, NULL);
	ktap(!reader.failed && !tally.wrong, "%d reads are served, %s", READS, what);
	return tally;
}

static void test_spin(void)
{
	struct tally tally;

	tally = serve_reader(-1, waiting(0, LONG, 0, 0), "sleeping");
	ktap(!tally.spun, "without spin nothing comes by spinning");
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		ktap(true, "with spin something does # SKIP one processor");
		return;
	}
	stay_on(0);
	tally = serve_reader(1, waiting(0, LONG, 0, 1000000), "spinning");
	ktap(tally.spun > 0, "with spin something does");
	if (!tally.spun)
		printf("# none of %d\n", tally.served);
	tally = serve_reader(0, waiting(0, LONG, 0, 1000000), "on one processor");
	ktap(tally.spun < READS / 2, "it does not spin on the reader's processor");
	if (tally.spun >= READS / 2)
		printf("# %d of %d\n", tally.spun, tally.served);
}

/* A descriptor that is always readable, and one that never is. */
static void test_both(void)
{
	int full = eventfd(1, EFD_CLOEXEC), event = eventfd(0, EFD_CLOEXEC);
	struct tally tally;

	tally = serve_reader(-1, waiting(BLKTAP_ENTER_ALSO, LONG, event, 0), "with ALSO");
	ktap(!tally.also, "a descriptor that is not readable has no part in it");
	tally = serve_reader(-1, waiting(BLKTAP_ENTER_ALSO, LONG, full, 0),
			     "with a readable descriptor");
	ktap(tally.also > 0, "which is told");
	close(full);
	close(event);
}

static volatile bool hog_ends;

static void *hog_thread(void *data)
{
	stay_on(*(int *)data);
	while (!hog_ends)
		;
	return NULL;
}

/* Beside a thread that never sleeps, one that is modest has to wait its turn. */
static void test_delayed(void)
{
	struct sched_param param = { 0 };
	int cpu = 0;
	pthread_t hog;
	unsigned long long delayed = 0;
	int i;

	if (access("/proc/self/schedstat", F_OK)) {
		ktap(true, "delays are told # SKIP this kernel does not count them");
		return;
	}
	stay_on(cpu);
	pthread_create(&hog, NULL, hog_thread, &cpu);
	sched_setscheduler(0, SCHED_BATCH, &param);
	for (i = 0; i < 4; i++)
		delayed += serve_reader(cpu, waiting(0, LONG, 0, 0), "beside a busy loop").delayed;
	sched_setscheduler(0, SCHED_OTHER, &param);
	hog_ends = true;
	pthread_join(hog, NULL);
	ktap(delayed > MS, "delays are told");
	if (delayed <= MS)
		printf("# %llu ns\n", delayed);
}

static void with_disk(void)
{
	struct blktap_start start;
	int ret = ring_open(&ring, minor);

	ring_start_init(&start, DISK_SIZE);
	start.flags = BLKTAP_DISK_NO_SCAN;
	if (!ret)
		ret = ring_start(ring.fd, &start);
	if (!ret)
		ret = ring_wait_state(ring.fd, BLKTAP_DISK_STATE_LIVE, 20000);
	if (ret)
		ktap_die("cannot start the disk: %s", strerror(-ret));
	queue = &ring.queues[0];
	test_both();
	test_delayed();
	test_spin();
	ktap(!ring_stop(ring.fd) &&
	     !ring_wait_state(ring.fd, BLKTAP_DISK_STATE_NONE, 20000), "the disk is stopped");
	ring_close(&ring);
}

int main(void)
{
	struct blktap_attach at;
	int got = -1, fd, q;

	ktap_start();
	if (nl_open(&nl) || nl_new(&nl, &got, 1, 4))
		ktap_die("cannot allocate a tap: %s", nl.text);
	minor = got;
	fd = ring_open_node(minor);
	if (fd < 0 || ring_attach(fd, &at))
		ktap_die("cannot attach");
	q = ring_queue_fd(fd, 0);
	test_kinds(fd, q);
	test_epoll(q);
	test_during(q);
	test_closed_meanwhile(q);
	test_other_change(q);
	test_timeout_0(q);
	test_timeouts(q);
	test_signals(q);
	test_sizes(q);
	test_caller_32(q);
	close(q);
	close(fd);
	test_session_end(0, "the end of the session ends the wait");
	test_session_end(1000000, "and one that began with spinning");
	with_disk();
	ktap_is(nl_del_wait(&nl, minor), 0, "the tap can be freed");
	nl_close(&nl);
	return ktap_finish();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a daemon finds in its buffers before it has put something there: zeroes, and not what
 * others have left in that memory. Where the kernel itself clears all memory that it gives out
 * (init_on_alloc), this cannot tell who did it.
 */
#include "disk_io.h"
#include "ktap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PARAMETERS "/sys/module/blktap/parameters/"
#define DISK_SIZE (32 << 20)
#define DEPTH 64
#define IO_SIZE (256 << 10)
#define SECRET 0x5a
#define OTHERS (100 << 20)	/* bytes that somebody else fills */

static struct nl nl;
static unsigned int minor;
static struct ring ring;
static struct io io[DEPTH];
static struct ring_request requests[DEPTH];

static long parameter(const char *name)
{
	char path[128], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		ktap_die("%s: %s", path, strerror(errno));
	close(fd);
	return atol(text);
}

static void set_parameter(const char *name, long value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || dprintf(fd, "%ld", value) < 0)
		ktap_die("%s: %s", path, strerror(errno));
	close(fd);
}

/* Whether no buffer is in use any more, or soon. */
static bool buffers_go(int ms)
{
	const struct timespec nap = { .tv_nsec = 10 * 1000 * 1000 };

	for (; ms > 0 && parameter("buffers_kib"); ms -= 10)
		nanosleep(&nap, NULL);
	return !parameter("buffers_kib");
}

/* Memory of a process that goes. */
static void others_leave(void)
{
	pid_t pid = fork();
	char *p;

	if (!pid) {
		p = mmap(NULL, OTHERS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p != MAP_FAILED)
			memset(p, SECRET, OTHERS);
		_exit(p == MAP_FAILED ? 1 : 0);
	}
	waitpid(pid, NULL, 0);
}

/* As many requests as there can be, all of them with the daemon. */
static void take_all(bool write)
{
	int i;

	for (i = 0; i < DEPTH; i++)
		io_start(&io[i], minor, write, (uint64_t)i * IO_SIZE, IO_SIZE, SECRET, 0);
	for (i = 0; i < DEPTH; i++)
		tap_take(&ring, &requests[i]);
}

static bool answer_all(void)
{
	bool good = true;
	int i;

	for (i = 0; i < DEPTH; i++)
		ring_complete(&ring.queues[0], &requests[i], requests[i].desc.length);
	for (i = 0; i < DEPTH; i++) {
		tap_serve_until(&ring, &io[i]);
		good = io_end(&io[i]) == IO_SIZE && good;
		io_free(&io[i]);
	}
	return good;
}

/* The bytes of all that the daemon has that are not zero, or all of them that there are. */
static uint64_t count_bytes(bool not_zero)
{
	uint64_t count = 0, at;
	int i;

	for (i = 0; i < DEPTH; i++)
		for (at = 0; at < requests[i].desc.length; at++)
			count += !not_zero || requests[i].data[at];
	return count;
}

static void begin(void)
{
	tap_new(&nl, &minor, 1, DEPTH);
	tap_start(&ring, minor, 0, 0, DISK_SIZE);
}

static void end(void)
{
	tap_stop(&ring);
	ktap_is(nl_del_wait(&nl, minor), 0, "the tap can be freed");
	nl_close(&nl);
	ktap(buffers_go(10000), "and its buffers");
}

static void test_zeroed(const char *what)
{
	uint64_t found;
	int i;

	take_all(false);
	ktap(count_bytes(false) == (uint64_t)DEPTH * IO_SIZE, "%d requests with all their bytes", DEPTH);
	found = count_bytes(true);
	if (found)
		printf("# %llu bytes are not zero\n", (unsigned long long)found);
	ktap(!found, "%s", what);
	for (i = 0; i < DEPTH; i++)
		memset(requests[i].data, SECRET, requests[i].desc.length);
	ktap(answer_all(), "all end well");
}

/* When there is too little for a request, buffers that nobody uses go at once. */
static void trim(void)
{
	long limit = parameter("queue_buffers_mib");
	struct io large;
	int tries;

	set_parameter("queue_buffers_mib", 0);
	for (tries = 0; tries < 50 && !buffers_go(200); tries++) {
		io_start(&large, minor, false, 0, 4 * IO_SIZE, 0, 0);
		tap_serve_until(&ring, &large);
		if (io_end(&large) != 4 * IO_SIZE)
			ktap_die("a request for which there is too little memory fails");
		io_free(&large);
	}
	ktap(buffers_go(0), "buffers go when they are scarce");
	set_parameter("queue_buffers_mib", limit);
}

int main(void)
{
	ktap_start();
	begin();
	take_all(true);
	ktap(answer_all(), "a disk is written to");
	trim();
	test_zeroed("buffers that come again are zeroed");
	end();
	others_leave();
	begin();
	test_zeroed("and so are those of another tap");
	end();
	return ktap_finish();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads from disks, one after the other, in a way that is the same for all:
 *
 *	read-disks KIB DEPTH TURNS DISK...
 *
 * A turn is DEPTH reads of KIB at the same time, on one CPU; there are so many
 * turns on each CPU. No two reads are adjacent.
 */
#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_DEPTH	128

static void fail(const char *what, int error)
{
	fprintf(stderr, "%s: %s\n", what, strerror(error));
	exit(1);
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		fail("a CPU", errno);
}

static void check_events(const char *disk, const struct io_event *events, long count, long size)
{
	long i;

	for (i = 0; i < count; i++)
		if ((long)events[i].res != size)
			fail(disk, (long)events[i].res < 0 ? -(long)events[i].res : EIO);
}

static void turn(io_context_t ctx, const char *disk, int fd, char *memory, long size, int depth)
{
	struct iocb iocbs[MAX_DEPTH], *batch[MAX_DEPTH];
	struct io_event events[MAX_DEPTH];
	int i, ret;

	for (i = 0; i < depth; i++) {
		io_prep_pread(&iocbs[i], fd, memory + i * size, size, i * 2LL * size);
		batch[i] = &iocbs[i];
	}
	ret = io_submit(ctx, depth, batch);
	if (ret != depth)
		fail(disk, ret < 0 ? -ret : EAGAIN);
	ret = io_getevents(ctx, depth, depth, events, NULL);
	if (ret != depth)
		fail(disk, ret < 0 ? -ret : EIO);
	check_events(disk, events, depth, size);
}

int main(int argc, char **argv)
{
	long size = argc > 4 ? atol(argv[1]) << 10 : 0;
	int depth = argc > 4 ? atoi(argv[2]) : 0;
	int cpus = sysconf(_SC_NPROCESSORS_ONLN);
	io_context_t ctx = NULL;
	char *memory;
	int i, t, fd;

	if (size <= 0 || depth <= 0 || depth > MAX_DEPTH) {
		fputs("usage: read-disks KIB DEPTH TURNS DISK...\n", stderr);
		return 1;
	}
	memory = mmap(NULL, size * depth, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (memory == MAP_FAILED)
		fail("memory", errno);
	if (io_setup(depth, &ctx) != 0)
		fail("asynchronous I/O", EAGAIN);
	for (i = 4; i < argc; i++) {
		fd = open(argv[i], O_RDONLY | O_DIRECT);
		if (fd < 0)
			fail(argv[i], errno);
		for (t = 0; t < atoi(argv[3]) * cpus; t++) {
			run_on(t % cpus);
			turn(ctx, argv[i], fd, memory, size, depth);
		}
		close(fd);
	}
	return 0;
}

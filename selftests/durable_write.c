// SPDX-License-Identifier: GPL-2.0-only
/*
 * durable_write [-t SECONDS] NAME DISK|FILE|DIRECTORY
 *
 * Writes from several threads, each of which makes its data durable in a way of its own,
 * and as soon as the kernel has said that they are, promises so in the log of NAME, the
 * log-writes device below. In a directory it writes new files.
 *
 * Each thread keeps to a region of its own: the log has what was written with FUA before
 * what was written earlier without, so no place may see both. And one thread of all such
 * processes waits for a FLUSH at a time: the log gives what was written to the first that
 * comes, and has it only when that one has completed, be it after a later one. Prints how
 * many promises were made.
 */
#include "dm_log.h"
#include "durable.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BLOCK	4096
#define REGION	(64 * BLOCK)
#define LONGEST	8	/* blocks of a write */
#define BATCH	6	/* writes of a sync */
#define MAX_FILES 400
#define MAX_BYTES (128ULL << 20)	/* in all: the log must have room for them */

/*
 * How writes become durable. After one with O_DSYNC a block device flushes its cache all the
 * same, but not after an asynchronous one: only then FUA has to do.
 */
enum way { FDATASYNC, FSYNC_BATCH, DSYNC, ASYNC_DSYNC, BUFFERED, WAYS };

static const char *name, *target;
static atomic_uint promises;
static atomic_ullong bytes;
static pthread_mutex_t flush = PTHREAD_MUTEX_INITIALIZER;
static int flush_file;	/* this program's, for the other processes */
static struct timespec until;

static bool is_over(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return bytes > MAX_BYTES || now.tv_sec > until.tv_sec ||
	       (now.tv_sec == until.tv_sec && now.tv_nsec >= until.tv_nsec);
}

static void promise(const struct promise *p)
{
	char text[128];

	promise_print(p, text, sizeof(text));
	dm_log_mark(name, text);
	promises++;
}

static void flush_begin(void)
{
	pthread_mutex_lock(&flush);
	if (flock(flush_file, LOCK_EX))
		err(1, "flock");
}

static void flush_end(void)
{
	flock(flush_file, LOCK_UN);
	pthread_mutex_unlock(&flush);
}

static void fill(char *data, uint64_t offset, uint64_t length, uint64_t version)
{
	uint64_t i;

	for (i = 0; i < length; i += DURABLE_SECTOR)
		durable_fill(data + i, (offset + i) / DURABLE_SECTOR, version);
}

static void write_all(int fd, const char *data, uint64_t length, uint64_t offset)
{
	ssize_t done = pwrite(fd, data, length, offset);

	bytes += length;
	if (done != (ssize_t)length)
		err(1, "write of %llu bytes at %llu", (unsigned long long)length,
		    (unsigned long long)offset);
}

static void write_async(int fd, const char *data, uint64_t length, uint64_t offset)
{
	struct iocb iocb = {
		.aio_lio_opcode = IOCB_CMD_PWRITE,
		.aio_fildes = fd,
		.aio_buf = (uintptr_t)data,
		.aio_nbytes = length,
		.aio_offset = offset,
	}, *list = &iocb;
	static aio_context_t context;
	struct io_event event;

	if (!context && syscall(SYS_io_setup, 1, &context))
		err(1, "io_setup");
	bytes += length;
	if (syscall(SYS_io_submit, context, 1, &list) != 1 ||
	    syscall(SYS_io_getevents, context, 1, 1, &event, NULL) != 1)
		err(1, "asynchronous write");
	if (event.res != (int64_t)length)
		errx(1, "write of %llu bytes at %llu: %lld", (unsigned long long)length,
		     (unsigned long long)offset, (long long)event.res);
}

/* Whether each write is. */
static bool is_durable(enum way way)
{
	return way == DSYNC || way == ASYNC_DSYNC;
}

static void write_range(int fd, enum way way, const char *data, const struct promise *range)
{
	if (is_durable(way))
		flush_begin();
	if (way == ASYNC_DSYNC)
		write_async(fd, data, range->length, range->offset);
	else
		write_all(fd, data, range->length, range->offset);
	if (is_durable(way))
		flush_end();
}

static int open_target(enum way way)
{
	int flags = O_RDWR | O_CLOEXEC;
	int fd;

	if (way != BUFFERED)
		flags |= O_DIRECT;
	if (is_durable(way))
		flags |= O_DSYNC;
	fd = open(target, flags);
	if (fd < 0)
		err(1, "%s", target);
	return fd;
}

static struct promise random_range(enum way way, uint64_t version, unsigned int *seed)
{
	unsigned int blocks = 1 + rand_r(seed) % LONGEST;
	unsigned int first = rand_r(seed) % (REGION / BLOCK - blocks + 1);

	return (struct promise){
		.offset = (uint64_t)way * REGION + (uint64_t)first * BLOCK,
		.length = (uint64_t)blocks * BLOCK,
		.version = version,
	};
}

static void make_durable(int fd, enum way way)
{
	int ret;

	if (is_durable(way))
		return;
	flush_begin();
	ret = way == FDATASYNC ? fdatasync(fd) : fsync(fd);
	flush_end();
	if (ret)
		err(1, "sync");
}

static void *write_ranges(void *arg)
{
	enum way way = (uintptr_t)arg;
	unsigned int count = way == FSYNC_BATCH || way == BUFFERED ? BATCH : 1;
	unsigned int seed = way + 1, i;
	char *data = aligned_alloc(BLOCK, LONGEST * BLOCK);
	struct promise made[BATCH];
	uint64_t version = 0;
	int fd = open_target(way);

	if (!data)
		err(1, "no memory");
	while (!is_over()) {
		for (i = 0; i < count; i++) {
			made[i] = random_range(way, ++version, &seed);
			fill(data, made[i].offset, made[i].length, version);
			write_range(fd, way, data, &made[i]);
		}
		make_durable(fd, way);
		for (i = 0; i < count; i++)
			promise(&made[i]);
	}
	close(fd);
	free(data);
	return NULL;
}

static void write_file(int directory, uint64_t number, char *data, unsigned int *seed)
{
	struct promise p = {
		.whole_file = true,
		.number = number,
		.length = (uint64_t)(1 + rand_r(seed) % (LONGEST * BLOCK / DURABLE_SECTOR)) *
			  DURABLE_SECTOR,
		.version = number + 1,
	};
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "f%llu", (unsigned long long)number);
	fd = openat(directory, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		err(1, "%s/%s", target, path);
	fill(data, 0, p.length, p.version);
	write_all(fd, data, p.length, 0);
	make_durable(fd, BUFFERED);
	make_durable(directory, BUFFERED);
	close(fd);
	promise(&p);
}

static void *write_files(void *arg)
{
	uint64_t number = (uintptr_t)arg;
	unsigned int seed = number + 1;
	char *data = malloc(LONGEST * BLOCK);
	int directory = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (!data || directory < 0)
		err(1, "%s", target);
	for (; number < MAX_FILES && !is_over(); number += WAYS)
		write_file(directory, number, data, &seed);
	close(directory);
	free(data);
	return NULL;
}

static void run(void *(*writer)(void *))
{
	pthread_t threads[WAYS];
	uintptr_t i;

	for (i = 0; i < WAYS; i++)
		if (pthread_create(&threads[i], NULL, writer, (void *)i))
			errx(1, "cannot make a thread");
	for (i = 0; i < WAYS; i++)
		pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
	unsigned int seconds = 3;
	struct stat st;
	int option;

	while ((option = getopt(argc, argv, "t:")) != -1) {
		if (option != 't')
			return 2;
		seconds = strtoul(optarg, NULL, 10);
	}
	if (argc - optind != 2)
		errx(2, "give the name of a log-writes device and what to write to");
	name = argv[optind];
	target = argv[optind + 1];
	if (stat(target, &st) != 0)
		err(2, "%s", target);
	flush_file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (flush_file < 0)
		err(2, "/proc/self/exe");
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += seconds;
	run(S_ISDIR(st.st_mode) ? write_files : write_ranges);
	printf("%u\n", promises);
	return 0;
}

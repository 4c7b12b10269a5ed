// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads and writes that few programs make, all past the page cache.
 * usage: odd_io DISK, of at least 16 MiB and blocks of 512 bytes, whose data goes.
 */
#include "ktap.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define BLOCK	512
#define PAGE	4096
#define SIZE	(16 << 20)
#define LARGE	(4 << 20)
#define THREADS	8
#define ROUNDS	50

static int disk;

/* Each block has its own bytes. */
static void pattern(char *data, size_t length, uint64_t offset)
{
	size_t i;

	for (i = 0; i < length; i += BLOCK)
		memset(data + i, (offset + i) / BLOCK % 251 + 1, BLOCK);
}

static bool is_pattern(const char *data, size_t length, uint64_t offset)
{
	char expected[BLOCK];
	size_t i;

	for (i = 0; i < length; i += BLOCK) {
		pattern(expected, BLOCK, offset + i);
		if (memcmp(data + i, expected, BLOCK))
			return false;
	}
	return true;
}

static char *memory(size_t length)
{
	char *data = aligned_alloc(PAGE, length + PAGE);

	if (!data)
		ktap_die("no memory");
	memset(data, 0, length + PAGE);
	return data;
}

/* One call, with memory that begins @odd bytes after a page does. */
static void test_one(const char *what, uint64_t offset, size_t length, size_t odd, int flags)
{
	char *data = memory(length);
	struct iovec iov = { data + odd, length };
	ssize_t wrote, got;

	pattern(data + odd, length, offset);
	wrote = pwritev2(disk, &iov, 1, offset, flags);
	memset(data, 0, length + PAGE);
	got = preadv2(disk, &iov, 1, offset, flags & ~RWF_DSYNC);
	ktap(wrote == (ssize_t)length && got == wrote && is_pattern(data + odd, length, offset),
	     "%s is written and read", what);
	free(data);
}

/* Pieces of a block each, every one in a page of its own. */
static void test_pieces(void)
{
	enum { PIECES = 256 };
	char *data = memory(PIECES * PAGE);
	struct iovec iov[PIECES];
	uint64_t offset = 3 * BLOCK;
	ssize_t wrote, got;
	bool good = true;
	int i;

	for (i = 0; i < PIECES; i++) {
		iov[i] = (struct iovec){ data + i * PAGE + i % 8 * BLOCK, BLOCK };
		pattern(iov[i].iov_base, BLOCK, offset + i * BLOCK);
	}
	wrote = pwritev(disk, iov, PIECES, offset);
	memset(data, 0, PIECES * PAGE);
	got = preadv(disk, iov, PIECES, offset);
	for (i = 0; i < PIECES; i++)
		good = good && is_pattern(iov[i].iov_base, BLOCK, offset + i * BLOCK);
	ktap(good && wrote == PIECES * BLOCK && got == wrote,
	     "%d pieces of memory are written and read at once", PIECES);
	free(data);
}

/* Polled I/O, which the disk does not have: refused, or done all the same. */
static void test_polled(void)
{
	char *data = memory(PAGE);
	struct iovec iov = { data, PAGE };
	ssize_t got = preadv2(disk, &iov, 1, 0, RWF_HIPRI);

	ktap((got == PAGE && is_pattern(data, PAGE, 0)) || (got < 0 && errno == EOPNOTSUPP),
	     "a polled read is done, or refused");
	free(data);
}

struct tally {
	long done;
	long busy;
	long wrong;
};

/* Reads that are not to wait: data, or EAGAIN. */
static void *hurry(void *arg)
{
	struct tally *tally = arg;
	char *data = memory(LARGE);
	struct iovec iov = { data, LARGE };
	int i;

	for (i = 0; i < ROUNDS; i++) {
		ssize_t got = preadv2(disk, &iov, 1, 0, RWF_NOWAIT);

		if (got < 0 && errno == EAGAIN)
			tally->busy++;
		else if (got > 0 && got % BLOCK == 0 && is_pattern(data, got, 0))
			tally->done++;
		else
			tally->wrong++;
		iov.iov_len = BLOCK << i % 12;
	}
	free(data);
	return NULL;
}

static void test_hurry(void)
{
	struct tally tallies[THREADS] = { 0 }, all = { 0 };
	pthread_t threads[THREADS];
	int i;

	for (i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, hurry, &tallies[i]))
			ktap_die("no thread");
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		all.done += tallies[i].done;
		all.busy += tallies[i].busy;
		all.wrong += tallies[i].wrong;
	}
	printf("# %ld done, %ld refused\n", all.done, all.busy);
	ktap(!all.wrong, "reads that are not to wait have the data, or EAGAIN");
	ktap(all.done > 0, "and some have the data");
}

int main(int argc, char **argv)
{
	ktap_start();
	disk = argc == 2 ? open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC) : -1;
	if (disk < 0)
		ktap_die("usage: odd_io DISK");
	test_one("a block", BLOCK, BLOCK, 0, 0);
	test_one("a block, in the last of a page,", 5 * BLOCK, BLOCK, PAGE - BLOCK, 0);
	test_one("a block and a half page across two pages", 7 * BLOCK, 5 * BLOCK, PAGE - 2 * BLOCK, 0);
	test_one("1 MiB and a block, at a block", BLOCK, (1 << 20) + BLOCK, BLOCK, 0);
	test_one("4 MiB at the end", SIZE - LARGE, LARGE, 0, 0);
	test_one("a write that is durable at once", 9 * BLOCK, 3 * BLOCK, BLOCK, RWF_DSYNC);
	test_pieces();
	test_one("4 MiB at the start", 0, LARGE, 0, 0);
	test_polled();
	test_hurry();
	close(disk);
	return ktap_finish();
}

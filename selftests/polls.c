// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads blocks past the page cache, one at a time, and asks again and again whether it is
 * there, without ever sleeping. usage: polls DISK N
 */
#include "ktap.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/aio_abi.h>

#define BLOCK	4096

static aio_context_t context;

/* Whether it was read. */
static bool read_block(int disk, void *data, uint64_t offset)
{
	struct iocb iocb = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = disk,
		.aio_buf = (uintptr_t)data,
		.aio_nbytes = BLOCK,
		.aio_offset = offset,
	};
	struct iocb *iocbs = &iocb;
	struct io_event event;
	long got;

	if (syscall(SYS_io_submit, context, 1L, &iocbs) != 1)
		return false;
	do {
		got = syscall(SYS_io_getevents, context, 0L, 1L, &event, NULL);
	} while (!got);
	return got == 1 && event.res == BLOCK;
}

int main(int argc, char **argv)
{
	void *data = aligned_alloc(BLOCK, BLOCK);
	int disk, i, n, done = 0;

	ktap_start();
	disk = argc == 3 ? open(argv[1], O_RDONLY | O_DIRECT | O_CLOEXEC) : -1;
	if (disk < 0 || !data || syscall(SYS_io_setup, 1L, &context))
		ktap_die("usage: polls DISK N");
	n = atoi(argv[2]);
	for (i = 0; i < n; i++)
		done += read_block(disk, data, i % 16 * BLOCK);
	ktap(done == n, "%d of %d blocks are read", done, n);
	close(disk);
	free(data);
	return ktap_finish();
}

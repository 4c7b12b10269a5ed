// SPDX-License-Identifier: GPL-2.0-only
/*
 * The last close of a disk that comes with the end of a request, in the daemon's own
 * ENTER: it has dirty pages to write to that disk, which the daemon must not wait for.
 */
#include "disk_io.h"
#include "ktap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096
#define FAR (64 * 1024)		/* from the page that is dirty */

static unsigned int minor;

static int opened(int flags)
{
	int fd = ring_open_disk(minor, flags);

	if (fd < 0)
		ktap_die("cannot open the disk: %s", strerror(-fd));
	return fd;
}

/* A page that nobody has written to the disk yet. */
static void make_dirty(const char *page)
{
	int fd = opened(O_RDWR);

	if (pwrite(fd, page, PAGE, 0) != PAGE)
		ktap_die("cannot write to the page cache: %s", strerror(errno));
	close(fd);
}

/* A read that keeps the disk's only open file; the caller has closed it when this returns. */
static aio_context_t read_and_close(int fd, char *page)
{
	struct iocb iocb = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = fd,
		.aio_buf = (uintptr_t)page,
		.aio_nbytes = PAGE,
		.aio_offset = FAR,
	}, *list = &iocb;
	aio_context_t context = 0;

	if (syscall(SYS_io_setup, 1, &context) || syscall(SYS_io_submit, context, 1, &list) != 1)
		ktap_die("cannot submit: %s", strerror(errno));
	close(fd);
	return context;
}

static void answer(struct ring *ring, uint8_t op, const char *what)
{
	struct ring_request req;
	struct ring_queue *q = tap_take(ring, &req);

	ktap(req.desc.op == op, "%s", what);
	ring_complete(q, &req, req.desc.length);
	tap_enter(q, NULL);
}

static bool closes(int fd)
{
	const struct timespec nap = { .tv_nsec = 10 * 1000 * 1000 };
	struct blktap_state state = { .openers = 1 };
	int tries;

	for (tries = 0; tries < 1000 && state.openers; tries++) {
		if (ring_state(fd, &state))
			return false;
		nanosleep(&nap, NULL);
	}
	return !state.openers;
}

int main(void)
{
	char *page = aligned_alloc(PAGE, PAGE);
	aio_context_t context;
	struct ring ring;
	struct nl nl;
	int fd;

	ktap_start();
	memset(page, 'd', PAGE);
	tap_new(&nl, &minor, 1, 4);
	tap_start(&ring, minor, 0, 0, 1 << 20);
	fd = opened(O_RDWR | O_DIRECT);
	make_dirty(page);
	context = read_and_close(fd, page);
	answer(&ring, BLKTAP_OP_READ, "a request has the last reference to the disk's file");
	answer(&ring, BLKTAP_OP_WRITE, "its end closes the disk, which writes what is dirty");
	ktap(closes(ring.fd), "then the disk is closed");
	syscall(SYS_io_destroy, context);
	tap_stop(&ring);
	ktap_is(nl_del_wait(&nl, minor), 0, "the tap can be freed");
	nl_close(&nl);
	free(page);
	return ktap_finish();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * One ENTER with an answer and then a redirect, whose file system is frozen: that waits, and
 * whoever was answered does not.
 * usage: ring_frozen FILE, of at least 1 MiB, on a file system that nobody else uses.
 */
#include "disk_io.h"
#include "ktap.h"

#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DISK_SIZE (1 << 20)
#define PAGE 4096
#define PATTERN 0x5a
#define LONG_US (10 * 1000 * 1000)

static void *enter(void *queue)
{
	tap_enter(queue, NULL);
	return NULL;
}

static void freeze(int fd, bool on)
{
	if (ioctl(fd, on ? FIFREEZE : FITHAW, 0))
		ktap_die("%s: %s", on ? "freeze" : "thaw", strerror(errno));
}

static bool is_over(const struct io *io)
{
	return __atomic_load_n(&io->over, __ATOMIC_ACQUIRE);
}

static bool gets_over(const struct io *io)
{
	unsigned int us;

	for (us = 0; us < LONG_US && !is_over(io); us += 1000)
		usleep(1000);
	return is_over(io);
}

int main(int argc, char **argv)
{
	struct ring_request for_read, for_write;
	struct io reader, writer;
	struct blktap_fragment *f;
	struct ring_queue *q;
	unsigned int minor;
	pthread_t daemon;
	struct ring ring;
	int fd, slot;
	struct nl nl;

	ktap_start();
	if (argc != 2)
		ktap_die("usage: ring_frozen FILE");
	fd = backing_open(argv[1]);
	tap_new(&nl, &minor, 1, 4);
	tap_start(&ring, minor, BLKTAP_F_REDIRECT, 0, DISK_SIZE);
	slot = ring_register(ring.fd, fd, BLKTAP_FILE_WRITE);
	if (slot < 0)
		ktap_die("REGISTER_FILE: %d", slot);

	io_start(&reader, minor, false, 0, PAGE, 0, 0);
	q = tap_take(&ring, &for_read);
	io_start(&writer, minor, true, PAGE, PAGE, PATTERN, 0);
	tap_take(&ring, &for_write);
	freeze(fd, true);
	memset(for_read.data, PATTERN, PAGE);
	ring_complete(q, &for_read, PAGE);
	f = ring_fragment(q, 0);
	*f = (struct blktap_fragment){
		.type = BLKTAP_FRAGMENT_FILE, .file = slot, .offset = PAGE, .length = PAGE,
	};
	ring_redirect(q, &for_write, 1);
	if (pthread_create(&daemon, NULL, enter, q))
		ktap_die("no thread");
	ktap(gets_over(&reader), "who was answered does not wait for the redirect after it");
	ktap(!is_over(&writer), "which waits for its file system");
	freeze(fd, false);
	pthread_join(daemon, NULL);
	ktap(io_end(&reader) == PAGE && io_is(&reader, 0, PAGE, PATTERN), "the data is right");
	ktap_is(io_end(&writer), PAGE, "thawed, the redirect is done");
	ktap(backing_is(fd, PAGE, PAGE, PATTERN), "its bytes are there");
	io_free(&reader);
	io_free(&writer);
	tap_stop(&ring);
	ktap_is(nl_del_wait(&nl, minor), 0, "the tap can be freed");
	nl_close(&nl);
	close(fd);
	return ktap_finish();
}

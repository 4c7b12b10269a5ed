// SPDX-License-Identifier: GPL-2.0-only
#include "fuzz_users.h"
#include "netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LARGEST		(1 << 20)

static char *aligned_memory(void)
{
	void *memory = NULL;

	if (posix_memalign(&memory, 4096, LARGEST))
		_exit(98);
	memset(memory, 0xa5, LARGEST);
	return memory;
}

static void count(struct fuzz_shared *shared, long ret)
{
	__atomic_fetch_add(ret < 0 ? &shared->failed : &shared->done, 1, __ATOMIC_RELAXED);
}

/* ---------------------------------------------------------------------- of the disk */

static void one_io(int fd, char *memory, struct fuzz_shared *shared, struct fuzz_random *random)
{
	static const size_t lengths[] = { 512, 4096, 4096, 16384, 131072, LARGEST };
	size_t length = lengths[fuzz_random(random, 6)];
	uint64_t range[2] = { fuzz_random(random, FUZZ_CAPACITY / 4096) * 4096ULL, 65536 };

	switch (fuzz_random(random, 10)) {
	case 0: case 1: case 2: case 3:
		count(shared, pread(fd, memory, length, range[0]));
		break;
	case 4: case 5: case 6:
		count(shared, pwrite(fd, memory, length, range[0]));
		break;
	case 7:
		count(shared, fsync(fd));
		break;
	case 8:
		count(shared, ioctl(fd, BLKDISCARD, range));
		break;
	case 9:
		count(shared, ioctl(fd, BLKZEROOUT, range));
		break;
	}
}

static void use_disk(const struct fuzz_setup *setup, struct fuzz_shared *shared,
		     struct fuzz_random *random)
{
	char *memory = aligned_memory();
	unsigned int i;
	int fd;

	for (;;) {
		fd = ring_open_disk(setup->minor, O_RDWR | (fuzz_random(random, 4) ? O_DIRECT : 0));
		if (fd == -EACCES || fd == -EROFS)
			fd = ring_open_disk(setup->minor, O_RDONLY | O_DIRECT);
		for (i = 0; fd >= 0 && i < 12; i++)
			one_io(fd, memory, shared, random);
		close(fd);
		fuzz_cover_fold();
		if (fd < 0)
			fuzz_nap(1000);
	}
}

/* Looks at it from outside: partitions, sizes, attributes. */
static void probe_disk(const struct fuzz_setup *setup, struct fuzz_shared *shared,
		       struct fuzz_random *random)
{
	static const char *const names[] = { "size", "inflight", "stat", "serial", "queue/nr_requests" };
	char path[96], text[256];
	uint64_t size;
	int fd;

	(void)shared;
	for (;;) {
		fd = ring_open_disk(setup->minor, O_RDONLY | O_NONBLOCK);
		if (fd >= 0) {
			ioctl(fd, BLKGETSIZE64, &size);
			if (!fuzz_random(random, 4))
				ioctl(fd, BLKRRPART, NULL);
			close(fd);
		}
		snprintf(path, sizeof(path), "/sys/block/xen!blktap-2!tapdev%u/%s", setup->minor,
			 names[fuzz_random(random, 5)]);
		fd = open(path, O_RDONLY);
		if (fd >= 0) {
			read(fd, text, sizeof(text));
			close(fd);
		}
		fuzz_cover_fold();
		fuzz_nap(1000 * fuzz_random(random, 5));
	}
}

/* -------------------------------------------------------------------- of the family */

/* Kills the daemon, and with @force fails the requests of its disk. */
static void end_session(struct nl *nl, unsigned int minor, bool force)
{
	struct nl_msg msg;

	nl_start(nl, &msg, BLKTAP_CMD_END_SESSION, NLM_F_ACK);
	nl_put_u32(&msg, BLKTAP_A_MINOR, minor);
	if (force)
		nl_put(&msg, BLKTAP_A_FORCE, NULL, 0);
	nl_call(nl, &msg, NULL, NULL);
}

static void administer(const struct fuzz_setup *setup, struct fuzz_shared *shared,
		       struct fuzz_random *random)
{
	struct nl_attrs attrs;
	struct nl nl;
	int minor;

	(void)shared;
	if (nl_open(&nl) || nl_subscribe(&nl))
		_exit(97);
	for (;;) {
		/* Its events are for nobody: the socket overflows now and then. */
		switch (fuzz_random(random, 8)) {
		case 0:
			minor = -1;
			if (!nl_new(&nl, &minor, 1 + fuzz_random(random, 2), 4))
				nl_del(&nl, minor);
			break;
		case 1:
			nl_del(&nl, setup->minor);
			break;
		case 5:
			if (!fuzz_random(random, 8))
				end_session(&nl, setup->minor, fuzz_random(random, 2));
			break;
		case 2: case 3: case 4:
			nl_dump(&nl, NULL, NULL);
			break;
		default:
			nl_get(&nl, setup->minor, &attrs);
		}
		fuzz_cover_fold();
		fuzz_nap(1000 * fuzz_random(random, 8));
	}
}

/* -------------------------------------------------------------------- of the neighbour */

/* Whatever happens next door, this disk keeps what it was given. */
static void use_neighbour(const struct fuzz_setup *setup, struct fuzz_shared *shared,
			  struct fuzz_random *random)
{
	char *memory = aligned_memory(), *back = aligned_memory();
	int fd = ring_open_disk(setup->other, O_RDWR | O_DIRECT);
	off_t at;

	for (;;) {
		at = fuzz_random(random, 16) * 65536L;
		memset(memory, fuzz_random(random, 256), 65536);
		if (pwrite(fd, memory, 65536, at) != 65536 || pread(fd, back, 65536, at) != 65536 ||
		    memcmp(memory, back, 65536))
			shared->neighbour_failed = true;
		fuzz_nap(2000);
	}
}

const struct fuzz_user fuzz_users[] = {
	{ "disk", use_disk },
	{ "disk", use_disk },
	{ "probe", probe_disk },
	{ "administrator", administer },
	{ "neighbour", use_neighbour },
};

const unsigned int fuzz_nr_users = sizeof(fuzz_users) / sizeof(fuzz_users[0]);

static void move(struct ring_queue *q, const struct ring_request *req, char *disk)
{
	if (req->desc.op == BLKTAP_OP_READ)
		memcpy(req->data, disk + req->desc.offset, req->desc.length);
	else if (req->desc.op == BLKTAP_OP_WRITE)
		memcpy(disk + req->desc.offset, req->data, req->desc.length);
	ring_complete(q, req, req->desc.length);
}

void fuzz_neighbour(unsigned int minor)
{
	char *disk = calloc(1, FUZZ_CAPACITY);
	struct ring_request req;
	struct blktap_start start;
	struct ring ring;

	ring_start_init(&start, FUZZ_CAPACITY);
	if (!disk || ring_open(&ring, minor) || ring_start(ring.fd, &start))
		_exit(96);
	for (;;) {
		struct ring_queue *q = &ring.queues[0];

		while (ring_next(q, &req))
			move(q, &req, disk);
		ring_arm(q);
		ring_enter(q, BLKTAP_ENTER_WAIT, -1, NULL);
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * One thread serves two taps, and answers one by redirects to the disk of the other:
 * more of them than that has tags. What has to wait for a tag is not this thread.
 */
#include "disk_io.h"
#include "ktap.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DISK_SIZE (1 << 20)
#define PAGE 4096
#define NR 8		/* requests at once */
#define TAGS 2		/* of the tap below */

static char ram[DISK_SIZE];

/* What the tap below has to do, from memory. */
static void serve(struct ring *ring)
{
	struct ring_queue *q = &ring->queues[0];
	struct ring_request req;

	while (ring_next(q, &req)) {
		const struct blktap_desc *d = &req.desc;

		if (d->op == BLKTAP_OP_READ)
			memcpy(req.data, ram + d->offset, d->length);
		if (d->op == BLKTAP_OP_WRITE)
			memcpy(ram + d->offset, req.data, d->length);
		ring_complete(q, &req, d->length);
	}
	tap_enter(q, NULL);
}

/* All of them in one ENTER: each in two pieces, the second of which is zeroes if it is a read. */
static unsigned int redirect_all(struct ring *ring, int slot)
{
	struct ring_queue *q = &ring->queues[0];
	struct blktap_enter enter = {};
	struct blktap_fragment *f;
	struct ring_request req;
	unsigned int i, n;

	for (i = 0; i < NR; i++) {
		struct blktap_cqe *cqe;
		uint32_t half;

		tap_take(ring, &req);
		half = req.desc.length / 2;
		for (n = 0; n < 2; n++) {
			f = ring_fragment(q, 2 * i + n);
			f->type = BLKTAP_FRAGMENT_FILE;
			f->file = slot;
			f->offset = req.desc.offset + n * half;
			f->length = half;
		}
		if (req.desc.op == BLKTAP_OP_READ) {
			f->type = BLKTAP_FRAGMENT_ZERO;
			f->file = 0;
			f->offset = 0;
		}
		cqe = ring_cqe(q);
		cqe->tag = req.tag;
		cqe->type = BLKTAP_CQE_REDIRECT;
		cqe->generation = req.desc.generation;
		cqe->result = req.desc.length;
		cqe->fragment = 2 * i;
		cqe->fragments = 2;
		ring_post(q);
	}
	tap_enter(q, &enter);
	return enter.taken;
}

static bool are_over(const struct io *io)
{
	int i;

	for (i = 0; i < NR; i++)
		if (!__atomic_load_n(&io[i].over, __ATOMIC_ACQUIRE))
			return false;
	return true;
}

static void test_redirects(struct ring *upper, struct ring *lower, int slot, bool write)
{
	const struct timespec nap = { .tv_nsec = 1000 * 1000 };
	struct io io[NR];
	unsigned int taken;
	bool good = true;
	int i;

	memset(ram, 0x11, sizeof(ram));
	for (i = 0; i < NR; i++)
		io_start(&io[i], upper->minor, write, i * 4 * PAGE, 2 * PAGE, 0x20 + i, 0);
	taken = redirect_all(upper, slot);
	ktap(taken == NR, "%s: %d redirects to a tap of %d tags are taken at once",
	     write ? "WRITE" : "READ", NR, TAGS);
	while (!are_over(io)) {
		serve(lower);
		nanosleep(&nap, NULL);
	}
	for (i = 0; i < NR; i++) {
		const char *there = ram + i * 4 * PAGE;

		good = good && io_end(&io[i]) == 2 * PAGE;
		if (write)
			good = good && there[0] == 0x20 + i && there[2 * PAGE - 1] == 0x20 + i &&
			       there[2 * PAGE] == 0x11;
		else
			good = good && io_is(&io[i], 0, PAGE, 0x11) && io_is(&io[i], PAGE, PAGE, 0);
		io_free(&io[i]);
	}
	ktap(good, "%s: their bytes are where they belong", write ? "WRITE" : "READ");
}

int main(void)
{
	struct ring upper, lower;
	unsigned int above, below;
	struct nl nl, nl_below;
	int disk, slot;

	ktap_start();
	tap_new(&nl_below, &below, 1, TAGS);
	tap_start(&lower, below, 0, 0, DISK_SIZE);
	tap_new(&nl, &above, 1, NR);
	tap_start(&upper, above, BLKTAP_F_REDIRECT, 0, DISK_SIZE);
	disk = ring_open_disk(below, O_RDWR | O_DIRECT);
	slot = disk < 0 ? disk : ring_register(upper.fd, disk, BLKTAP_FILE_READ | BLKTAP_FILE_WRITE);
	if (slot < 0)
		ktap_die("cannot register the disk below: %s", strerror(-slot));
	close(disk);
	test_redirects(&upper, &lower, slot, true);
	test_redirects(&upper, &lower, slot, false);
	tap_stop(&upper);
	tap_stop(&lower);
	ktap_is(nl_del_wait(&nl, above), 0, "the tap above can be freed");
	ktap_is(nl_del_wait(&nl_below, below), 0, "the tap below can be freed");
	nl_close(&nl);
	nl_close(&nl_below);
	return ktap_finish();
}

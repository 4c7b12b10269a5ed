// SPDX-License-Identifier: GPL-2.0-only
/*
 * The limit of extents: one that is cut in two counts twice.
 * usage: ring_limit BACKING, a file of 4 MiB
 */
#include "disk_io.h"
#include "ktap.h"

#include <errno.h>
#include <string.h>

#define BLOCK 512ULL
#define BOTH (BLKTAP_FILE_READ | BLKTAP_FILE_WRITE)
/* Blocks taken out of it leave as many ranges as there may be, and some more. */
#define DISK_SIZE ((2ULL * BLKTAP_MAX_EXTENTS + 64) * BLOCK)

static struct nl nl;
static unsigned int minor;
static struct ring ring;

static uint64_t extents(void)
{
	struct nl_attrs attrs;

	return nl_get(&nl, minor, &attrs) ? UINT64_MAX : attrs.val[BLKTAP_A_EXTENTS];
}

/* Takes out the @nth block of every two. */
static int cut(uint64_t nth)
{
	return ring_unmap_extent(ring.fd, 0, (2 * nth + 1) * BLOCK, BLOCK);
}

static void test_limit(int slot)
{
	int ret = ring_map_extent(ring.fd, slot, BOTH, 0, DISK_SIZE, 0);
	uint64_t n;

	for (n = 0; !ret && n < BLKTAP_MAX_EXTENTS - 1; n++)
		ret = cut(n);
	ktap(!ret && extents() == BLKTAP_MAX_EXTENTS, "as many as there may be, by cutting one: %s",
	     strerror(-ret));
	ktap_is(ring_map_extent(ring.fd, slot, BOTH, BLOCK, BLOCK, 0), -ENOSPC, "one more");
	ktap_is(ring_map_extent(ring.fd, slot, BOTH, 0, BLOCK, 0), 0, "one in the place of another");
	ktap_is(cut(n), 0, "one is cut in two: the daemon writes there no more");
	ktap(!extents(), "what cannot be kept goes, all of it");
	for (n = 0; !ret && n < 10; n++)
		ret = cut(n);
	ktap(!ret && !extents(), "and does not come back");
}

int main(int argc, char **argv)
{
	int slot;

	ktap_start();
	if (argc != 2)
		ktap_die("usage: ring_limit BACKING");
	tap_new(&nl, &minor, 1, 4);
	tap_start(&ring, minor, BLKTAP_F_EXTENTS, 0, DISK_SIZE);
	slot = ring_register(ring.fd, backing_open(argv[1]), BOTH);
	if (slot < 0)
		ktap_die("cannot register the backing");
	test_limit(slot);
	tap_stop(&ring);
	ktap_is(nl_del_wait(&nl, minor), 0, "the tap can be freed");
	nl_close(&nl);
	return ktap_finish();
}

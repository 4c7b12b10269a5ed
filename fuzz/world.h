/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A tapdisk whose kernel is the one of the unit tests, made for each input and
 * taken apart after it.
 */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include <errno.h>
#include <time.h>

#include "../tapdisk/tests/fake-ring.h"
#include "cleanup.h"
#include "files.h"
#include "methods.h"
#include "oracle.h"

#define PATIENCE_S	20

struct world {
	struct loop *loop;
	struct tapdisk tapdisk;
	int descriptor;
};

static void ended(struct tapdisk *tapdisk)
{
	(void)tapdisk;
}

static inline void world_open(struct world *world)
{
	world->descriptor = free_descriptor();
	fake_reset();
	fake_features = KERNEL_IO_FEATURES | BLKTAP_F_HOLD | BLKTAP_F_TAKEOVER;
	/* Whom a takeover is asked of is not there. */
	setenv("BLKTAP_CONTROL_DIR", "/nonexistent", 1);
	files_reset();
	PROMISE(loop_new(&world->loop) == 0, "no loop");
	PROMISE(tapdisk_init(&world->tapdisk, world->loop) == 0, "no tapdisk");
	world->tapdisk.end = ended;
}

static inline void world_turn(struct world *world, int timeout_ms)
{
	fake_poll(fake_ring);
	PROMISE(loop_turn(world->loop, timeout_ms) == 0, "the loop does not turn");
}

/* The last one closes a disk: the kernel says so. */
static inline void set_openers(struct vbd *vbd, unsigned int openers)
{
	bool was_open = vbd->ring->state.openers;

	vbd->ring->state.openers = openers;
	if (was_open && !openers && !vbd->lost)
		vbd->ring_event.ready(&vbd->ring_event, EPOLLPRI);
}

static void forget(struct client *client, char *line)
{
	(void)client;
	free(line);
}

/* Closes and detaches whatever is there, as a client would. */
static inline void take_apart(struct world *world)
{
	time_t limit = time(NULL) + PATIENCE_S;
	struct client client;
	unsigned int minor;
	struct vbd *vbd;
	char line[128];

	client_init(&client, forget);
	while (!list_empty(&world->tapdisk.vbds)) {
		vbd = list_first(&world->tapdisk.vbds, struct vbd, link);
		set_openers(vbd, 0);
		minor = vbd->minor;
		snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"method\":\"close\","
			 "\"params\":{\"minor\":%u}}", minor);
		methods_handle(&world->tapdisk, &client, line, strlen(line));
		world_turn(world, 5);
		snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"method\":\"detach\","
			 "\"params\":{\"minor\":%u}}", minor);
		methods_handle(&world->tapdisk, &client, line, strlen(line));
		PROMISE(time(NULL) < limit, "a VBD can be neither closed nor detached");
	}
	client_gone(&client);
}

/* Work that nobody waits for any more frees what it has when it is done. */
static inline void wait_for_workers(struct world *world)
{
	unsigned int quiet = 0;

	while (quiet < 3) {
		quiet = workers_busy(world->tapdisk.workers) ? 0 : quiet + 1;
		world_turn(world, 1);
	}
}

static inline void world_close(struct world *world)
{
	take_apart(world);
	wait_for_workers(world);
	tapdisk_exit(&world->tapdisk);
	loop_free(world->loop);
	PROMISE(!fake_rings, "%u sessions are left", fake_rings);
	PROMISE(free_descriptor() == world->descriptor, "a descriptor is left");
}

#endif /* FUZZ_WORLD_H */

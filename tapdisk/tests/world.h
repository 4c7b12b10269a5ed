/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VBD in a kernel made of plain memory, served without a thread, so that a
 * test sees each turn of the loop. Include it once per program.
 */
#ifndef TAPDISK_TESTS_WORLD_H
#define TAPDISK_TESTS_WORLD_H

#include "fake-ring.h"
#include "../image.h"
#include "../vbd.h"

struct world {
	struct loop *loop;
	struct workers *workers;
	struct list abandoned;
	struct image_table *images;
	struct vbd_env env;
	struct vbd *vbd;
	unsigned int gone;
};

struct outcome {
	unsigned int calls;
	struct blktap_error err;
};

static struct world world;
static struct blktap_error err;

static void changed(const struct vbd_env *env, struct vbd *vbd)
{
	(void)env;
	(void)vbd;
}

static void gone(const struct vbd_env *env, struct vbd *vbd)
{
	(void)env;
	vbd_free(vbd);
	world.vbd = NULL;
	world.gone++;
}

static void done(struct vbd *vbd, void *data, const struct blktap_error *failure)
{
	struct outcome *outcome = data;

	(void)vbd;
	outcome->calls++;
	if (failure)
		outcome->err = *failure;
}

static int set_up(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	fake_reset();
	assert_int_equal(loop_new(&world.loop), 0);
	assert_int_equal(workers_new(&world.workers, world.loop, 2), 0);
	assert_int_equal(image_table_new(&world.images), 0);
	list_init(&world.abandoned);
	world.env = (struct vbd_env){
		.loop = world.loop,
		.workers = world.workers,
		.abandoned = &world.abandoned,
		.images = world.images,
		.records = -1,
		.changed = changed,
		.gone = gone,
	};
	assert_int_equal(vbd_attach(&world.vbd, &world.env, 7, -1, &err), 0);
	return 0;
}

/* The same with a driver that has more to grant. */
static inline int set_up_with(void **state, uint64_t features)
{
	if (set_up(state) || vbd_detach(world.vbd, &err))
		return -1;
	fake_features = features;
	return vbd_attach(&world.vbd, &world.env, 7, -1, &err);
}

static int tear_down(void **state)
{
	(void)state;
	if (world.vbd)
		assert_int_equal(vbd_detach(world.vbd, &err), 0);
	assert_int_equal(fake_rings, 0);
	/* Jobs that nobody waits for any more are done, too. */
	while (workers_busy(world.workers))
		assert_int_equal(loop_turn(world.loop, 1), 0);
	assert_true(list_empty(&world.abandoned));
	workers_free(world.workers);
	image_table_free(world.images);
	loop_free(world.loop);
	return 0;
}

static void turn(int timeout_ms)
{
	fake_poll(fake_ring);
	assert_int_equal(loop_turn(world.loop, timeout_ms), 0);
}

static void wait_for(const struct outcome *outcome)
{
	while (!outcome->calls)
		turn(2000);
	assert_int_equal(outcome->calls, 1);
}

static inline void wait_for_state(enum vbd_state state)
{
	while (world.vbd->state != state)
		turn(2000);
}

static inline void raise_pri(void)
{
	world.vbd->ring_event.ready(&world.vbd->ring_event, EPOLLPRI);
}

static void start_open(struct outcome *outcome, const char *image, int timeout_ms)
{
	struct vbd_open_params params = {
		.image = image,
		.request_timeout_ms = 5000,
		.timeout_ms = timeout_ms,
	};

	memset(outcome, 0, sizeof(*outcome));
	vbd_open(world.vbd, &params, done, outcome);
}

static int open_image(const char *image)
{
	struct outcome outcome;

	start_open(&outcome, image, -1);
	wait_for(&outcome);
	return outcome.err.code;
}

static inline int close_image(int timeout_ms)
{
	struct outcome outcome = { 0 };

	vbd_close(world.vbd, timeout_ms, false, done, &outcome);
	wait_for(&outcome);
	return outcome.err.code;
}

static void complete_all(struct fake_queue *q, unsigned int count)
{
	unsigned int target = q->completed + count;

	while (q->completed < target)
		turn(2000);
	assert_int_equal(q->completed, target);
	assert_int_equal(q->rejected, 0);
}

static inline int64_t do_request(uint8_t op, uint16_t flags, uint64_t offset, uint64_t length)
{
	struct fake_queue *q = &fake_ring->queues[0];

	fake_submit(q, 9, op, flags, offset, length);
	complete_all(q, 1);
	return q->results[9];
}

#endif /* TAPDISK_TESTS_WORLD_H */

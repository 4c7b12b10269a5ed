// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a VBD and its data path, on a kernel made of plain memory.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <syslog.h>

#include <cmocka.h>

#include "world.h"

static void test_open_and_close(void **state)
{
	struct outcome outcome = { 0 };

	(void)state;
	assert_false(vbd_is_open(world.vbd));
	assert_int_equal(open_image("ram:1M"), 0);
	assert_int_equal(world.vbd->state, VBD_LIVE);
	assert_true(vbd_is_open(world.vbd));
	assert_int_equal(vbd_user_state(world.vbd), 0);
	assert_int_equal(fake_ring->start.capacity, 1 << 20);
	assert_int_equal(fake_ring->start.logical_block_size, 512);
	assert_int_equal(fake_ring->start.flags, 0);
	assert_int_equal(vbd_detach(world.vbd, &err), -EBUSY);
	start_open(&outcome, "ram:1M", -1);
	assert_int_equal(outcome.err.code, -EALREADY);
	assert_int_equal(close_image(0), 0);
	assert_false(vbd_is_open(world.vbd));
	assert_int_equal(vbd_user_state(world.vbd), BLKTAP_VBD_CLOSED);
	assert_int_equal(close_image(0), 0);
	/* and once more */
	assert_int_equal(open_image("ram:2M,ro"), 0);
	assert_int_equal(fake_ring->start.flags, BLKTAP_DISK_READ_ONLY);
	assert_int_equal(fake_ring->start.max_discard, 0);
	assert_int_equal(vbd_user_state(world.vbd), 0);
	assert_int_equal(close_image(0), 0);
}

static void test_data(void **state)
{
	struct fake_queue *q = &fake_ring->queues[0];

	(void)state;
	assert_int_equal(open_image("ram:1M"), 0);
	memset(fake_data(q, 9), 'w', 8192);
	assert_int_equal(do_request(BLKTAP_OP_WRITE, 0, 4096, 8192), 8192);
	memset(fake_data(q, 9), 0, 8192);
	assert_int_equal(do_request(BLKTAP_OP_READ, 0, 8192, 8192), 8192);
	assert_int_equal(fake_data(q, 9)[0], 'w');
	assert_int_equal(fake_data(q, 9)[4095], 'w');
	assert_int_equal(fake_data(q, 9)[4096], 0);
	assert_int_equal(do_request(BLKTAP_OP_FLUSH, 0, 0, 0), 0);
	assert_int_equal(do_request(BLKTAP_OP_DISCARD, 0, 0, 1 << 20), 1 << 20);
	assert_int_equal(do_request(BLKTAP_OP_WRITE_ZEROES, BLKTAP_REQ_NOUNMAP, 0, 512), 512);
	assert_int_equal(close_image(0), 0);
}

/* What the block layer would not send does not reach the image. */
static void test_bad_requests(void **state)
{
	static const struct {
		uint8_t op;
		uint16_t flags;
		uint64_t offset, length;
		int64_t result;
	} cases[] = {
		{ BLKTAP_OP_READ, 0, 1 << 20, 512, -EIO },
		{ BLKTAP_OP_READ, 0, (1 << 20) - 512, 1024, -EIO },
		{ BLKTAP_OP_WRITE, 0, UINT64_MAX - 511, 512, -EIO },
		{ BLKTAP_OP_READ, 0, 0, 0, -EINVAL },
		{ BLKTAP_OP_READ, 0, 100, 512, -EINVAL },
		{ BLKTAP_OP_READ, 0, 0, 100, -EINVAL },
		{ BLKTAP_OP_DISCARD, 0, 0, UINT64_MAX - 511, -EIO },
		{ BLKTAP_OP_WRITE, BLKTAP_REQ_DEMAND, 0, 512, -EOPNOTSUPP },
		{ BLKTAP_OP_READ, BLKTAP_REQ_FUA, 0, 512, -EOPNOTSUPP },
		{ 200, 0, 0, 512, -EOPNOTSUPP },
	};
	size_t i;

	(void)state;
	assert_int_equal(open_image("ram:1M"), 0);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(do_request(cases[i].op, cases[i].flags, cases[i].offset,
					    cases[i].length), cases[i].result);
	assert_int_equal(close_image(0), 0);
	assert_int_equal(open_image("ram:1M,ro"), 0);
	assert_int_equal(do_request(BLKTAP_OP_WRITE, 0, 0, 512), -EROFS);
	assert_int_equal(do_request(BLKTAP_OP_DISCARD, 0, 0, 512), -EOPNOTSUPP);
	assert_int_equal(close_image(0), 0);
}

/* One ENTER for a batch, and a bounded batch: the other queue gets its turn. */
static void test_bounded_batches(void **state)
{
	struct fake_queue *a = &fake_ring->queues[0], *b = &fake_ring->queues[1];
	unsigned int i;

	(void)state;
	assert_int_equal(open_image("ram:1M"), 0);
	for (i = 0; i < FAKE_DEPTH; i++) {
		fake_submit(a, i, BLKTAP_OP_READ, 0, i * 4096, 4096);
		fake_submit(b, i, BLKTAP_OP_READ, 0, i * 4096, 4096);
	}
	turn(0);
	assert_int_equal(a->completed, 64);
	assert_int_equal(b->completed, 64);
	assert_int_equal(a->entered, 1);
	complete_all(b, 64);
	assert_int_equal(a->completed, 128);
	assert_int_equal(a->entered, 2);
	/* the last look asks for a wake-up */
	turn(0);
	assert_int_equal(a->cq.sq_event, 128);
	assert_int_equal(close_image(0), 0);
}

static void test_close_while_open(void **state)
{
	struct outcome outcome = { 0 };

	(void)state;
	assert_int_equal(open_image("ram:1M"), 0);
	fake_ring->state.openers = 1;
	assert_int_equal(close_image(20), -EBUSY);
	/* it goes on as before */
	assert_int_equal(world.vbd->state, VBD_LIVE);
	assert_int_equal(do_request(BLKTAP_OP_READ, 0, 0, 512), 512);

	vbd_close(world.vbd, -1, false, done, &outcome);
	assert_int_equal(world.vbd->state, VBD_CLOSING);
	assert_int_equal(do_request(BLKTAP_OP_READ, 0, 0, 512), 512);
	raise_pri();		/* a partition was closed, not the last */
	assert_int_equal(world.vbd->state, VBD_CLOSING);
	assert_int_equal(close_image(0), -EBUSY);
	assert_int_equal(world.vbd->state, VBD_CLOSING);
	fake_ring->state.openers = 0;
	raise_pri();
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, 0);
	assert_int_equal(world.vbd->state, VBD_IDLE);
}

static void test_close_by_force(void **state)
{
	struct outcome outcome = { 0 };

	(void)state;
	assert_int_equal(open_image("ram:1M"), 0);
	/* Nobody has it open: there is no need for it. */
	vbd_close(world.vbd, -1, true, done, &outcome);
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, 0);
	assert_false(fake_ring->forced);

	assert_int_equal(open_image("ram:1M"), 0);
	fake_ring->state.openers = 1;
	memset(&outcome, 0, sizeof(outcome));
	vbd_close(world.vbd, 30, true, done, &outcome);
	assert_int_equal(world.vbd->state, VBD_CLOSING);
	assert_int_equal(do_request(BLKTAP_OP_READ, 0, 0, 512), 512);
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, 0);
	assert_true(fake_ring->forced);
	assert_int_equal(world.vbd->state, VBD_IDLE);
}

/* A close that waits for the last close does not stand in its way. */
static void test_force_overtakes(void **state)
{
	struct outcome patient = { 0 }, outcome = { 0 };

	(void)state;
	assert_int_equal(open_image("ram:1M"), 0);
	fake_ring->state.openers = 1;
	vbd_close(world.vbd, -1, false, done, &patient);
	vbd_close(world.vbd, 10, true, done, &outcome);
	assert_int_equal(patient.calls, 1);
	assert_int_equal(patient.err.code, -EBUSY);
	assert_int_equal(outcome.calls, 0);
	assert_int_equal(close_image(0), -EBUSY);
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, 0);
	assert_int_equal(patient.calls, 1);
}

static void test_close_withdrawn(void **state)
{
	struct outcome outcome = { 0 };

	(void)state;
	assert_int_equal(open_image("ram:1M"), 0);
	fake_ring->state.openers = 1;
	vbd_close(world.vbd, 50, false, done, &outcome);
	assert_false(vbd_withdraw(world.vbd, &world));
	assert_true(vbd_withdraw(world.vbd, &outcome));
	assert_false(vbd_withdraw(world.vbd, &outcome));
	assert_int_equal(world.vbd->state, VBD_LIVE);
	usleep(60000);
	turn(0);
	assert_int_equal(outcome.calls, 0);
	fake_ring->state.openers = 0;
	assert_int_equal(close_image(0), 0);
}

/* The disk takes its time to disappear, and has a last word to say. */
static void test_slow_removal(void **state)
{
	struct outcome outcome = { 0 };

	(void)state;
	assert_int_equal(open_image("ram:1M"), 0);
	fake_ring->stop_state = BLKTAP_DISK_STATE_REMOVING;
	vbd_close(world.vbd, 10, false, done, &outcome);
	assert_int_equal(world.vbd->state, VBD_REMOVING);
	usleep(20000);
	assert_int_equal(do_request(BLKTAP_OP_FLUSH, 0, 0, 0), 0);
	assert_int_equal(outcome.calls, 0);
	assert_false(vbd_withdraw(world.vbd, &outcome));
	fake_ring->state.disk_state = BLKTAP_DISK_STATE_NONE;
	raise_pri();
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, 0);
}

static void test_failed_opens(void **state)
{
	(void)state;
	assert_int_equal(open_image("aio:/does/not/exist"), -ENOENT);
	assert_int_equal(open_image("nothing:1"), -ENOENT);
	assert_int_equal(open_image("ram"), -EINVAL);
	assert_int_equal(open_image("ram:1000"), -EINVAL);
	assert_int_equal(open_image("ram:512,bs=4096"), -EINVAL);
	fake_ring->start_error = -EMEDIUMTYPE;
	assert_int_equal(open_image("ram:1M"), -EMEDIUMTYPE);
	assert_int_equal(world.vbd->state, VBD_IDLE);
	assert_false(vbd_is_open(world.vbd));
	assert_int_equal(vbd_user_state(world.vbd), 0);
	fake_ring->start_error = 0;
	assert_int_equal(open_image("ram:1M"), 0);
	assert_int_equal(close_image(0), 0);
}

/* A dead tapdisk's disk goes on as it is, with more of the image that it had, not of another. */
static void test_left_over(void **state)
{
	(void)state;
	fake_ring->state.disk_state = BLKTAP_DISK_STATE_LIVE;
	fake_ring->state.capacity = 1 << 20;
	assert_int_equal(open_image("ram:512K"), -EMEDIUMTYPE);
	assert_int_equal(open_image("ram:2M"), -EMEDIUMTYPE);
	assert_int_equal(vbd_left_over(world.vbd, "ram:3M", &err), 0);
	assert_int_equal(open_image("ram:2M"), -EMEDIUMTYPE);
	assert_int_equal(vbd_left_over(world.vbd, "ram:512K", &err), 0);
	assert_int_equal(open_image("ram:512K"), -EMEDIUMTYPE);
	/* With some bytes that are no block it is as long. */
	assert_int_equal(open_image("ram:1048676"), 0);
	assert_int_equal(fake_ring->start.capacity, 1 << 20);
	assert_int_equal(close_image(0), 0);
	fake_ring->state.disk_state = BLKTAP_DISK_STATE_LIVE;
	assert_int_equal(vbd_left_over(world.vbd, "ram:2M", &err), 0);
	assert_int_equal(open_image("ram:2M"), 0);
	assert_int_equal(fake_ring->start.capacity, 1 << 20);
	assert_int_equal(do_request(BLKTAP_OP_READ, 0, (1 << 20) - 4096, 4096), 4096);
	assert_int_equal(do_request(BLKTAP_OP_READ, 0, 1 << 20, 4096), -EIO);
	assert_int_equal(close_image(0), 0);
	/* The next one is its own. */
	assert_int_equal(open_image("ram:1000"), -EINVAL);
	assert_int_equal(open_image("ram:2M"), 0);
	assert_int_equal(fake_ring->start.capacity, 2 << 20);
	assert_int_equal(close_image(0), 0);
}

static void test_scan(void **state)
{
	struct outcome outcome;

	(void)state;
	fake_ring->start_state = BLKTAP_DISK_STATE_ADDING;
	start_open(&outcome, "ram:1M", 600000);
	wait_for_state(VBD_STARTING);
	assert_int_equal(do_request(BLKTAP_OP_READ, 0, 0, 4096), 4096);
	raise_pri();
	assert_int_equal(outcome.calls, 0);
	fake_ring->state.disk_state = BLKTAP_DISK_STATE_LIVE;
	raise_pri();
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, 0);
	assert_false(loop_timer_active(&world.vbd->deadline));
	assert_int_equal(close_image(0), 0);
}

static void test_scan_fails(void **state)
{
	struct outcome outcome;

	(void)state;
	fake_ring->start_state = BLKTAP_DISK_STATE_ADDING;
	start_open(&outcome, "ram:1M", -1);
	wait_for_state(VBD_STARTING);
	fake_ring->state.disk_state = BLKTAP_DISK_STATE_NONE;
	fake_ring->state.error = -ENOMEM;
	raise_pri();
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, -ENOMEM);
	assert_int_equal(world.vbd->state, VBD_IDLE);
	assert_false(vbd_is_open(world.vbd));
}

/* Everything is undone before the answer: requests fail, the disk is removed. */
static void test_scan_too_slow(void **state)
{
	struct outcome outcome;

	(void)state;
	fake_ring->start_state = BLKTAP_DISK_STATE_ADDING;
	start_open(&outcome, "ram:1M", -1);
	wait_for_state(VBD_STARTING);
	loop_timer_set(world.vbd->env->loop, &world.vbd->deadline, 20);
	while (!world.vbd->aborting)
		turn(1000);
	assert_int_equal(outcome.calls, 0);
	assert_int_equal(do_request(BLKTAP_OP_READ, 0, 0, 4096), -EIO);
	fake_ring->state.openers = 1;
	fake_ring->state.disk_state = BLKTAP_DISK_STATE_LIVE;
	raise_pri();
	assert_int_equal(world.vbd->state, VBD_CLOSING);
	fake_ring->state.openers = 0;
	raise_pri();
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, -ETIMEDOUT);
	assert_int_equal(world.vbd->state, VBD_IDLE);
	fake_ring->start_state = BLKTAP_DISK_STATE_LIVE;
	assert_int_equal(open_image("ram:1M"), 0);
	assert_int_equal(do_request(BLKTAP_OP_READ, 0, 0, 4096), 4096);
	assert_int_equal(close_image(0), 0);
}

/* If even that takes long, the answer comes, and the undoing goes on. */
static void test_undo_too_slow(void **state)
{
	struct outcome outcome;

	(void)state;
	fake_ring->start_state = BLKTAP_DISK_STATE_ADDING;
	start_open(&outcome, "ram:1M", -1);
	wait_for_state(VBD_STARTING);
	loop_timer_set(world.vbd->env->loop, &world.vbd->deadline, 10);
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, -ETIMEDOUT);
	assert_int_equal(vbd_detach(world.vbd, &err), -EBUSY);
	fake_ring->state.disk_state = BLKTAP_DISK_STATE_LIVE;
	raise_pri();
	wait_for_state(VBD_IDLE);
	assert_int_equal(outcome.calls, 1);
}

static void wait_until_gone(void)
{
	while (!world.gone)
		turn(2000);
	assert_int_equal(world.gone, 1);
	assert_null(world.vbd);
}

static void test_session_ends_idle(void **state)
{
	(void)state;
	world.vbd->ring_event.ready(&world.vbd->ring_event, EPOLLHUP | EPOLLERR);
	wait_until_gone();
}

static void test_session_ends_in_enter(void **state)
{
	(void)state;
	assert_int_equal(open_image("ram:1M"), 0);
	fake_ring->enter_error = -EPROTO;
	fake_submit(&fake_ring->queues[1], 0, BLKTAP_OP_FLUSH, 0, 0, 0);
	wait_until_gone();
}

static void test_broken_indices(void **state)
{
	(void)state;
	assert_int_equal(open_image("ram:1M"), 0);
	fake_ring->queues[0].sq.sq_tail += FAKE_DEPTH + 1;
	wait_until_gone();
}

static void test_session_ends_while_closing(void **state)
{
	struct outcome outcome = { 0 };

	(void)state;
	assert_int_equal(open_image("ram:1M"), 0);
	fake_ring->state.openers = 1;
	vbd_close(world.vbd, -1, false, done, &outcome);
	world.vbd->ring_event.ready(&world.vbd->ring_event, EPOLLHUP | EPOLLERR);
	wait_until_gone();
	assert_int_equal(outcome.calls, 1);
	assert_int_equal(outcome.err.code, -EIO);
}

static void test_session_ends_while_opening(void **state)
{
	struct outcome outcome;

	(void)state;
	start_open(&outcome, "ram:1M", -1);
	world.vbd->ring_event.ready(&world.vbd->ring_event, EPOLLHUP | EPOLLERR);
	wait_until_gone();
	assert_int_equal(outcome.calls, 1);
	assert_int_equal(outcome.err.code, -EIO);
}

/* The memory of the rings stays until the image has let go of it. */
static void test_session_ends_with_requests(void **state)
{
	char spec[64] = "aio:/var/tmp/tapdisk-XXXXXX";
	unsigned int i;
	int fd;

	(void)state;
	fd = mkstemp(spec + 4);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	assert_int_equal(open_image(spec), 0);
	for (i = 0; i < 32; i++)
		fake_submit(&fake_ring->queues[0], i, BLKTAP_OP_WRITE, BLKTAP_REQ_FUA, i * 4096,
			    4096);
	turn(1000);
	vbd_session_lost(world.vbd, "test");
	wait_until_gone();
	close(fd);
	unlink(spec + 4);
}

static void test_attach_fails(void **state)
{
	struct vbd *vbd = NULL;

	(void)state;
	fake_open_error = -EBUSY;
	assert_int_equal(vbd_attach(&vbd, &world.env, 8, -1, &err), -EBUSY);
	assert_null(vbd);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	TEST(test_open_and_close),
	TEST(test_data),
	TEST(test_bad_requests),
	TEST(test_bounded_batches),
	TEST(test_close_while_open),
	TEST(test_close_by_force),
	TEST(test_force_overtakes),
	TEST(test_close_withdrawn),
	TEST(test_slow_removal),
	TEST(test_failed_opens),
	TEST(test_left_over),
	TEST(test_scan),
	TEST(test_scan_fails),
	TEST(test_scan_too_slow),
	TEST(test_undo_too_slow),
	TEST(test_session_ends_idle),
	TEST(test_session_ends_in_enter),
	TEST(test_broken_indices),
	TEST(test_session_ends_while_closing),
	TEST(test_session_ends_while_opening),
	TEST(test_session_ends_with_requests),
	TEST(test_attach_fails),
};

int main(void)
{
	blktap_log_init("test", BLKTAP_LOG_STDERR, LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

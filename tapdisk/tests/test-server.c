// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lanes of a disk, with an image that holds requests as the test says.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake-ring.h"
#include "server.h"

#define CAPACITY	(1 << 20)
#define SPIN_NS		100000

/* A queue's channel: the first one that is opened is that of the first queue. */
struct slow_channel {
	struct image_channel channel;
	struct loop_message answer;
	struct image_request *held;	/* by the lane's thread */
	atomic_bool holding;		/* whether requests are held */
	atomic_uint submitted;
	atomic_int policy;		/* of the thread */
};

static struct slow_channel channels[FAKE_QUEUES];
static unsigned int opened, closed, failing_channel;

static void answer_held(struct loop_message *message)
{
	struct slow_channel *slow = container_of(message, struct slow_channel, answer);
	struct image_request *held = slow->held;

	slow->held = NULL;
	if (held)
		held->done(held, 0);
}

static int slow_open(struct image_channel **channel, struct image *image,
		     const struct channel_params *params, struct blktap_error *err)
{
	struct slow_channel *slow = &channels[opened];

	if (opened == failing_channel)
		return blktap_error_set(err, -EMFILE, "no channel");
	opened++;
	slow->channel = (struct image_channel){ .image = image, .loop = params->loop };
	slow->held = NULL;
	slow->holding = false;
	slow->submitted = 0;
	loop_message_init(&slow->answer, answer_held);
	*channel = &slow->channel;
	return 0;
}

static void slow_close(struct image_channel *channel)
{
	assert_null(container_of(channel, struct slow_channel, channel)->held);
	closed++;
}

static void slow_submit(struct image_channel *channel, struct image_request *req)
{
	struct slow_channel *slow = container_of(channel, struct slow_channel, channel);

	slow->policy = sched_getscheduler(0);
	if (slow->holding)
		slow->held = req;
	else
		req->done(req, 0);
	slow->submitted++;
}

static const struct image_driver slow_driver = {
	.name = "slow",
	.request_size = sizeof(struct image_request),
	.channel_open = slow_open,
	.channel_close = slow_close,
	.submit = slow_submit,
};

static struct image image = {
	.driver = &slow_driver,
	.limits = { .capacity = CAPACITY, .logical_block_size = 512 },
};

/* Real-time priority is not permitted everywhere that tests run: it is pretended. */
static _Thread_local bool real_time;

int sched_setscheduler(pid_t pid, int policy, const struct sched_param *param)
{
	real_time = (policy & ~SCHED_RESET_ON_FORK) == SCHED_RR;
	return real_time ? 0 : syscall(SYS_sched_setscheduler, pid, policy, param);
}

int sched_getscheduler(pid_t pid)
{
	return real_time ? SCHED_RR : syscall(SYS_sched_getscheduler, pid);
}

/* ------------------------------------------------------------------- a disk */

static struct loop *loop;
static struct blktap_ring *ring;
static struct server *server;
static struct queue_stats stats[FAKE_QUEUES];
static struct blktap_error err;
static unsigned int drains;

static void drained(void *data)
{
	(void)data;
	drains++;
}

static void lost(void *data, int code)
{
	(void)data;
	(void)code;
}

static int start(void)
{
	const struct server_params params = {
		.owner = loop,
		.threads = true,
		.ring = ring,
		.image = &image,
		.request_timeout_ms = 5000,
		.max_spin_ns = SPIN_NS,
		.stats = stats,
		.drained = drained,
		.lost = lost,
	};

	opened = 0;
	closed = 0;
	drains = 0;
	if (server_start(&server, &params, &err))
		return err.code;
	server_resume(server, CAPACITY);
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	fake_reset();
	memset(stats, 0, sizeof(stats));
	failing_channel = FAKE_QUEUES;
	server = NULL;
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(blktap_ring_open(&ring, 3, 0, &err), 0);
	return 0;
}

static void turn(void)
{
	fake_poll(ring);
	assert_int_equal(loop_turn(loop, 1), 0);
}

static void wait_for_drains(unsigned int count)
{
	while (drains < count)
		turn();
	assert_int_equal(drains, count);
}

static void *free_it(void *data)
{
	server_free(data);
	return NULL;
}

/* As the daemon does: another thread frees while the owner's loop goes on. */
static void free_server(void)
{
	pthread_t thread;
	unsigned int i;

	pthread_create(&thread, NULL, free_it, server);
	for (i = 0; i < 20; i++)
		assert_int_equal(loop_turn(loop, 0), 0);
	pthread_join(thread, NULL);
	assert_int_equal(closed, opened);
}

static int tear_down(void **state)
{
	(void)state;
	blktap_ring_close(ring);
	loop_free(loop);
	return 0;
}

static void submit(unsigned int queue, uint16_t tag)
{
	fake_submit(&ring->queues[queue], tag, BLKTAP_OP_READ, 0, 0, 4096);
}

static void wait_until_completed(unsigned int queue, unsigned int count)
{
	while (__atomic_load_n(&ring->queues[queue].completed, __ATOMIC_ACQUIRE) < count)
		turn();
}

static void wait_until_submitted(unsigned int queue, unsigned int count)
{
	while (channels[queue].submitted < count)
		turn();
}

static void let_go(unsigned int queue)
{
	loop_post(channels[queue].channel.loop, &channels[queue].answer);
}

/* --------------------------------------------------------------------- lanes */

static void test_slow_queue_alone_waits(void **state)
{
	unsigned int i;

	(void)state;
	assert_int_equal(start(), 0);
	assert_true(server_threaded(server));
	channels[0].holding = true;
	submit(0, 1);
	wait_until_submitted(0, 1);
	for (i = 0; i < 50; i++) {
		submit(1, i);
		wait_until_completed(1, i + 1);
	}
	assert_int_equal(ring->queues[0].completed, 0);
	let_go(0);
	wait_until_completed(0, 1);
	server_drain(server);
	wait_for_drains(1);
	free_server();
	assert_int_equal(stats[0].taken, 1);
	assert_int_equal(stats[1].taken, 50);
}

static void test_drain_waits_for_all(void **state)
{
	unsigned int i;

	(void)state;
	assert_int_equal(start(), 0);
	channels[1].holding = true;
	submit(1, 1);
	wait_until_submitted(1, 1);
	server_drain(server);
	for (i = 0; i < 30; i++)
		turn();
	assert_int_equal(drains, 0);
	/* neither queue's requests are taken any more */
	submit(0, 2);
	submit(1, 2);
	for (i = 0; i < 30; i++)
		turn();
	assert_int_equal(channels[0].submitted, 0);
	assert_int_equal(channels[1].submitted, 1);
	let_go(1);
	wait_for_drains(1);
	assert_int_equal(ring->queues[1].completed, 1);
	free_server();
}

static void test_resume(void **state)
{
	unsigned int i;

	(void)state;
	assert_int_equal(start(), 0);
	channels[1].holding = true;
	submit(1, 1);
	wait_until_submitted(1, 1);
	server_drain(server);
	for (i = 0; i < 30; i++)
		turn();
	server_resume(server, CAPACITY);
	channels[1].holding = false;
	let_go(1);
	submit(0, 2);
	submit(1, 2);
	wait_until_completed(0, 1);
	wait_until_completed(1, 2);
	assert_int_equal(drains, 0);
	/* the capacity is that of the last resumption */
	server_drain(server);
	wait_for_drains(1);
	server_resume(server, 4096);
	submit(0, 3);
	fake_submit(&ring->queues[0], 4, BLKTAP_OP_READ, 0, 4096, 4096);
	wait_until_completed(0, 3);
	assert_int_equal(ring->queues[0].results[3], 4096);
	assert_int_equal(ring->queues[0].results[4], -EIO);
	server_drain(server);
	wait_for_drains(2);
	free_server();
}

static void test_second_lane_fails(void **state)
{
	(void)state;
	failing_channel = 1;
	assert_int_equal(start(), -EMFILE);
	assert_string_equal(err.text, "no channel");
	assert_int_equal(opened, 1);
	assert_int_equal(closed, 1);
	failing_channel = 0;
	assert_int_equal(start(), -EMFILE);
	assert_int_equal(opened, 0);
}

/* Orders that change nothing about a drain that was reached bring no news of it. */
static void test_drain_is_told_once(void **state)
{
	unsigned int i;

	(void)state;
	assert_int_equal(start(), 0);
	channels[1].holding = true;
	submit(1, 1);
	wait_until_submitted(1, 1);
	server_drain(server);
	for (i = 0; i < 5; i++) {
		server_fail_requests(server);
		usleep(1000);
		turn();
	}
	assert_int_equal(drains, 0);
	let_go(1);
	wait_for_drains(1);
	for (i = 0; i < 5; i++) {
		server_fail_requests(server);
		usleep(1000);
		turn();
	}
	assert_int_equal(drains, 1);
	free_server();
}

/* The owner changes its mind while lanes tell of what it wanted before. */
static void test_changes_of_mind(void **state)
{
	unsigned int round, i;

	(void)state;
	for (round = 0; round < 100; round++) {
		assert_int_equal(start(), 0);
		for (i = 0; i < round % 7; i++) {
			server_drain(server);
			if (i % 3 == 0)
				loop_turn(loop, 0);
			server_resume(server, CAPACITY);
			if (i % 2)
				server_fail_requests(server);
		}
		drains = 0;
		server_drain(server);
		wait_for_drains(1);
		free_server();
	}
}

/* ------------------------------------------------------------------- threads */

static void serve_some(unsigned int queue, unsigned int count)
{
	struct fake_queue *q = &ring->queues[queue];
	unsigned int done = q->completed, i;

	for (i = 1; i <= count; i++) {
		submit(queue, 1);
		wait_until_completed(queue, done + i);
	}
}

/* Until a wait may spin: trials see to it that some do. */
static void serve_until_it_spins(unsigned int queue)
{
	unsigned int i;

	for (i = 0; i < 100000 && !ring->queues[queue].spin_ns; i++)
		serve_some(queue, 1);
	assert_int_equal(ring->queues[queue].spin_ns, SPIN_NS);
}

static void test_spin_of_a_lane(void **state)
{
	(void)state;
	assert_int_equal(start(), 0);
	serve_some(1, 1);
	serve_until_it_spins(0);
	assert_int_equal(stats_read(&stats[0].spins), 0);
	ring->queues[0].spun = true;
	serve_some(0, 20);
	assert_true(stats_read(&stats[0].spins) >= 10);
	assert_int_equal(stats_read(&stats[1].spins), 0);
	server_drain(server);
	wait_for_drains(1);
	free_server();
}

/* While the image is busy its answer is waited for, and nobody sees it who spins. */
static void test_no_spin_beside_the_image(void **state)
{
	struct fake_queue *q = &ring->queues[0];
	unsigned int done;

	(void)state;
	assert_int_equal(start(), 0);
	serve_until_it_spins(0);
	done = q->completed;
	channels[0].holding = true;
	submit(0, 1);
	wait_until_submitted(0, 1);
	while (q->spin_ns)
		turn();
	let_go(0);
	wait_until_completed(0, done + 1);
	channels[0].holding = false;
	serve_until_it_spins(0);
	server_drain(server);
	wait_for_drains(1);
	free_server();
}

static void test_modest_thread(void **state)
{
	(void)state;
	assert_int_equal(start(), 0);
	serve_some(1, 1);
	assert_int_equal(channels[1].policy, SCHED_BATCH);
	server_drain(server);
	wait_for_drains(1);
	free_server();
}

/* The first write of what was swapped out is served in a hurry, like all that follow. */
static void test_swap_is_urgent(void **state)
{
	(void)state;
	blktap_ring_close(ring);
	fake_features = BLKTAP_F_SWAP;
	assert_int_equal(blktap_ring_open(&ring, 3, BLKTAP_F_SWAP, &err), 0);
	assert_int_equal(start(), 0);
	serve_some(0, 1);
	assert_int_equal(channels[0].policy, SCHED_BATCH);
	fake_submit(&ring->queues[0], 1, BLKTAP_OP_WRITE, BLKTAP_REQ_SWAP, 0, 4096);
	wait_until_completed(0, 2);
	assert_int_equal(ring->queues[0].results[1], 4096);
	assert_int_equal(channels[0].policy, SCHED_RR);
	serve_some(0, 1);
	assert_int_equal(channels[0].policy, SCHED_RR);
	serve_some(1, 1);
	assert_int_equal(channels[1].policy, SCHED_BATCH);
	server_drain(server);
	wait_for_drains(1);
	free_server();
}

/* Who has not asked to be told of swap is not told of it. */
static void test_swap_was_not_granted(void **state)
{
	(void)state;
	assert_int_equal(start(), 0);
	fake_submit(&ring->queues[0], 1, BLKTAP_OP_WRITE, BLKTAP_REQ_SWAP, 0, 4096);
	wait_until_completed(0, 1);
	assert_int_equal(ring->queues[0].results[1], -EOPNOTSUPP);
	server_drain(server);
	wait_for_drains(1);
	free_server();
}

static void *start_idle(void *data)
{
	struct sched_param param = { 0 };

	(void)data;
	assert_int_equal(sched_setscheduler(0, SCHED_IDLE, &param), 0);
	assert_int_equal(start(), 0);
	return NULL;
}

/* Somebody has chosen that policy. */
static void test_other_policies_stay(void **state)
{
	pthread_t thread;

	(void)state;
	pthread_create(&thread, NULL, start_idle, NULL);
	pthread_join(thread, NULL);
	serve_some(0, 1);
	assert_int_equal(channels[0].policy, SCHED_IDLE);
	server_drain(server);
	wait_for_drains(1);
	free_server();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_slow_queue_alone_waits),
		TEST(test_drain_waits_for_all),
		TEST(test_resume),
		TEST(test_second_lane_fails),
		TEST(test_drain_is_told_once),
		TEST(test_changes_of_mind),
		TEST(test_spin_of_a_lane),
		TEST(test_no_spin_beside_the_image),
		TEST(test_modest_thread),
		TEST(test_other_policies_stay),
		TEST(test_swap_is_urgent),
		TEST(test_swap_was_not_granted),
	};

	blktap_log_init("test", BLKTAP_LOG_STDERR, LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

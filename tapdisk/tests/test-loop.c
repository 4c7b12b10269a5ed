// SPDX-License-Identifier: GPL-2.0-only
/*
 * The event loop and the workers.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop.h"
#include "workers.h"

struct tick {
	struct loop_timer timer;
	char name;
};

static char fired[16];

static void tick(struct loop_timer *timer)
{
	char name[2] = { container_of(timer, struct tick, timer)->name, 0 };

	strcat(fired, name);
}

static int set_up(void **state)
{
	fired[0] = '\0';
	return loop_new((struct loop **)state);
}

static int tear_down(void **state)
{
	loop_free(*state);
	return 0;
}

static void set(struct loop *loop, struct tick *t, char name, unsigned int ms)
{
	loop_timer_init(&t->timer, tick);
	t->name = name;
	loop_timer_set(loop, &t->timer, ms);
}

static void test_timers_in_order(void **state)
{
	struct loop *loop = *state;
	struct tick a, b, c, d;
	uint64_t start = loop_now();

	set(loop, &a, 'a', 30);
	set(loop, &b, 'b', 10);
	set(loop, &c, 'c', 20);
	set(loop, &d, 'd', 15);
	loop_timer_cancel(&d.timer);
	loop_timer_cancel(&d.timer);
	while (strlen(fired) < 3)
		assert_int_equal(loop_turn(loop, -1), 0);
	assert_string_equal(fired, "bca");
	assert_true(loop_now() - start >= 30000000);
	assert_false(loop_timer_active(&a.timer));
}

static void test_timer_set_again(void **state)
{
	struct loop *loop = *state;
	struct tick a, b;

	set(loop, &a, 'a', 1);
	set(loop, &b, 'b', 5);
	loop_timer_set(loop, &a.timer, 10);
	while (strlen(fired) < 2)
		loop_turn(loop, -1);
	assert_string_equal(fired, "ba");
}

static void test_turn_without_events_ends(void **state)
{
	assert_int_equal(loop_turn(*state, 1), 0);
	assert_int_equal(loop_turn(*state, 0), 0);
}

struct job {
	struct loop_task task;
	struct loop *loop;
	unsigned int runs;
	unsigned int again;
};

static void run_job(struct loop_task *task)
{
	struct job *job = container_of(task, struct job, task);

	job->runs++;
	if (job->again) {
		job->again--;
		loop_defer(job->loop, task);
	}
}

/* A task that defers itself gets one run a turn, and the loop does not sleep. */
static void test_tasks(void **state)
{
	struct job job = { .loop = *state, .again = 1 };

	loop_task_init(&job.task, run_job);
	loop_defer(*state, &job.task);
	loop_defer(*state, &job.task);
	loop_turn(*state, -1);
	assert_int_equal(job.runs, 1);
	loop_turn(*state, -1);
	assert_int_equal(job.runs, 2);
	loop_turn(*state, 0);
	assert_int_equal(job.runs, 2);
	loop_defer(*state, &job.task);
	loop_task_cancel(&job.task);
	loop_turn(*state, 0);
	assert_int_equal(job.runs, 2);
}

struct pair {
	struct loop *loop;
	struct loop_fd a, b;
	unsigned int calls;
};

static struct pair pair;

static void remove_both(struct loop_fd *lfd, uint32_t events)
{
	(void)lfd;
	(void)events;
	pair.calls++;
	loop_remove(pair.loop, &pair.a);
	loop_remove(pair.loop, &pair.b);
}

/* What a handler removes is not called any more, though its event is there. */
static void test_removal_in_handler(void **state)
{
	pair = (struct pair){ .loop = *state };
	pair.a = (struct loop_fd){ .fd = eventfd(1, EFD_CLOEXEC), .ready = remove_both };
	pair.b = (struct loop_fd){ .fd = eventfd(1, EFD_CLOEXEC), .ready = remove_both };
	assert_int_equal(loop_add(*state, &pair.a, EPOLLIN), 0);
	assert_int_equal(loop_add(*state, &pair.b, EPOLLIN), 0);
	loop_turn(*state, 100);
	assert_int_equal(pair.calls, 1);
	loop_turn(*state, 0);
	assert_int_equal(pair.calls, 1);
	close(pair.a.fd);
	close(pair.b.fd);
}

struct test_work {
	struct work work;
	unsigned int *done;
	int value;
};

static void square(struct work *work)
{
	struct test_work *w = container_of(work, struct test_work, work);

	w->value *= w->value;
}

static void count_done(struct work *work)
{
	(*container_of(work, struct test_work, work)->done)++;
}

static void run_works(struct loop *loop, unsigned int threads)
{
	struct test_work works[100];
	struct workers *workers;
	unsigned int done = 0, i;

	assert_int_equal(workers_new(&workers, loop, threads), 0);
	for (i = 0; i < 100; i++) {
		works[i] = (struct test_work){
			.work = { .run = square, .done = count_done },
			.done = &done,
			.value = i,
		};
		workers_submit(workers, &works[i].work);
	}
	while (done < 100)
		assert_int_equal(loop_turn(loop, 1000), 0);
	for (i = 0; i < 100; i++)
		assert_int_equal(works[i].value, i * i);
	workers_free(workers);
}

static void test_workers(void **state)
{
	run_works(*state, 3);
}

static void test_workers_without_threads(void **state)
{
	run_works(*state, 0);
}

/* ------------------------------------------------------- sleeping elsewhere */

struct dozer {
	struct loop_sleeper sleeper;
	struct loop *loop;
	enum loop_slept slept;
	unsigned int calls;
	int64_t timeout_ns;
	struct loop_fd event;	/* of an eventfd that is readable */
	unsigned int events;
	unsigned int calls_then;	/* of the sleeper, at the first event */
};

static enum loop_slept doze(struct loop_sleeper *sleeper, int fd, int64_t timeout_ns)
{
	struct dozer *dozer = container_of(sleeper, struct dozer, sleeper);

	assert_true(fd >= 0);
	dozer->calls++;
	dozer->timeout_ns = timeout_ns;
	return dozer->slept;
}

static void event_ready(struct loop_fd *event, uint32_t events)
{
	struct dozer *dozer = container_of(event, struct dozer, event);

	(void)events;
	if (!dozer->events++)
		dozer->calls_then = dozer->calls;
}

static void set_dozer(struct dozer *dozer, struct loop *loop, enum loop_slept slept)
{
	*dozer = (struct dozer){
		.sleeper.sleep = doze,
		.loop = loop,
		.slept = slept,
		.event = { .fd = eventfd(1, EFD_CLOEXEC), .ready = event_ready },
	};
	assert_int_equal(loop_add(loop, &dozer->event, EPOLLIN), 0);
	loop_set_sleeper(loop, &dozer->sleeper);
}

static void end_dozer(struct dozer *dozer)
{
	loop_set_sleeper(dozer->loop, NULL);
	loop_remove(dozer->loop, &dozer->event);
	close(dozer->event.fd);
}

static void test_sleeper_timeouts(void **state)
{
	struct job job = { .loop = *state };
	struct dozer dozer;
	struct tick a;

	set_dozer(&dozer, *state, LOOP_SLEPT);
	loop_turn(*state, -1);
	assert_true(dozer.timeout_ns < 0);
	loop_turn(*state, 7);
	assert_int_equal(dozer.timeout_ns, 7000000);
	set(*state, &a, 'a', 5000);
	loop_turn(*state, -1);
	assert_true(dozer.timeout_ns > 0 && dozer.timeout_ns <= 5000000000);
	loop_task_init(&job.task, run_job);
	loop_defer(*state, &job.task);
	loop_turn(*state, -1);
	assert_int_equal(dozer.timeout_ns, 0);
	assert_int_equal(job.runs, 1);
	loop_timer_cancel(&a.timer);
	end_dozer(&dozer);
}

/* What the sleeper says decides whether descriptors are looked at. */
static void test_sleeper_answers(void **state)
{
	struct dozer dozer;

	set_dozer(&dozer, *state, LOOP_SLEPT);
	loop_turn(*state, -1);
	assert_int_equal(dozer.events, 0);
	dozer.slept = LOOP_SLEPT_READY;
	loop_turn(*state, -1);
	assert_int_equal(dozer.events, 1);
	dozer.slept = LOOP_NOT_SLEPT;
	loop_turn(*state, -1);
	assert_int_equal(dozer.events, 2);
	loop_set_sleeper(*state, NULL);
	loop_turn(*state, -1);
	assert_int_equal(dozer.events, 3);
	assert_int_equal(dozer.calls, 3);
	end_dozer(&dozer);
}

/* A sleeper that always has something to do starves nobody. */
static void test_sleeper_that_never_sleeps(void **state)
{
	struct dozer dozer;
	struct tick a;
	unsigned int i;

	set_dozer(&dozer, *state, LOOP_SLEPT);
	set(*state, &a, 'a', 0);
	for (i = 0; i < 100; i++)
		loop_turn(*state, -1);
	assert_string_equal(fired, "a");
	assert_in_range(dozer.events, 2, 10);
	assert_int_equal(dozer.calls, 100);
	end_dozer(&dozer);
}

static void test_look_before_sleep(void **state)
{
	struct dozer dozer;

	set_dozer(&dozer, *state, LOOP_SLEPT);
	loop_turn(*state, -1);
	loop_look(*state);
	loop_turn(*state, -1);
	assert_int_equal(dozer.events, 1);
	assert_int_equal(dozer.calls_then, 1);
	loop_turn(*state, -1);
	assert_int_equal(dozer.events, 1);
	end_dozer(&dozer);
}

struct ending {
	struct loop_message message;
	struct loop *loop;
};

static void stop_loop(struct loop_message *message)
{
	loop_stop(container_of(message, struct ending, message)->loop);
}

/* Who is told to stop does not go to sleep. */
static void test_stopped_before_sleep(void **state)
{
	struct ending ending = { .loop = *state };
	struct dozer dozer;

	set_dozer(&dozer, *state, LOOP_SLEPT);
	loop_message_init(&ending.message, stop_loop);
	loop_post(*state, &ending.message);
	loop_look(*state);
	assert_int_equal(loop_run(*state), 0);
	assert_int_equal(dozer.calls, 0);
	end_dozer(&dozer);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_timers_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_timer_set_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_turn_without_events_ends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tasks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_removal_in_handler, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sleeper_timeouts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sleeper_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sleeper_that_never_sleeps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_look_before_sleep, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stopped_before_sleep, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_workers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_workers_without_threads, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

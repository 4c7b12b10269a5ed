// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long a thread looks for requests before it sleeps, and how modest it is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "pace.h"

#define US	1000U
#define MS	(1000 * US)
#define S	(1000ULL * MS)

static struct pace pace;

/* Returns how long the next wait may spin. */
static uint32_t slept(uint32_t ns)
{
	const struct blktap_wait wait = { .waited_ns = ns };

	assert_false(pace_waited(&pace, &wait, S));
	return pace.spin_ns;
}

static void test_grows_while_waits_are_short(void **state)
{
	uint32_t last = 0;

	(void)state;
	pace_init(&pace, 100 * US);
	assert_int_equal(pace.spin_ns, 0);
	while (last < 100 * US) {
		uint32_t next = slept(30 * US);

		assert_true(next > last && next <= 100 * US);
		last = next;
	}
	assert_int_equal(slept(99 * US), 100 * US);
}

static void test_long_wait_ends_it(void **state)
{
	(void)state;
	pace_init(&pace, 100 * US);
	slept(10 * US);
	assert_true(slept(10 * US) > 0);
	assert_int_equal(slept(100 * US), 0);
	assert_int_equal(slept(UINT32_MAX), 0);
	assert_true(slept(10 * US) > 0);
}

static void test_never(void **state)
{
	(void)state;
	pace_init(&pace, 0);
	assert_int_equal(slept(1), 0);
	assert_int_equal(slept(10 * US), 0);
}

static void test_never_above_the_most(void **state)
{
	(void)state;
	pace_init(&pace, 1 * US);
	assert_int_equal(slept(1), 1 * US);
	assert_int_equal(slept(1), 1 * US);
}

/* They say nothing of when requests come. */
static void test_other_ends_of_waits(void **state)
{
	const struct blktap_wait spun = { .waited_ns = 10 * US, .spun = true };
	const struct blktap_wait other = { .waited_ns = 10 * US, .fd_ready = true };
	const struct blktap_wait long_other = { .waited_ns = 1 * MS, .fd_ready = true };
	const struct blktap_wait none = { 0 };
	uint32_t spin;

	(void)state;
	pace_init(&pace, 100 * US);
	spin = slept(10 * US);
	assert_false(pace_waited(&pace, &spun, S));
	assert_false(pace_waited(&pace, &other, S));
	assert_false(pace_waited(&pace, &long_other, S));
	assert_false(pace_waited(&pace, &none, S));
	assert_int_equal(pace.spin_ns, spin);
}

/* ------------------------------------------------------------------- modesty */

static bool delayed(uint32_t ns, uint64_t now)
{
	const struct blktap_wait wait = { .waited_ns = 5 * MS, .delayed_ns = ns };

	return pace_waited(&pace, &wait, now);
}

/* Waits of that delay until it changes; how many, at most @most. */
static unsigned int changes_after(uint32_t ns, uint64_t now, unsigned int most)
{
	unsigned int count = 1;

	while (count < most && !delayed(ns, now))
		count++;
	return count;
}

static void test_modest_while_woken_in_time(void **state)
{
	(void)state;
	pace_init(&pace, 100 * US);
	assert_true(pace.modest);
	assert_int_equal(changes_after(100 * US, S, 1000), 1000);
	assert_true(pace.modest);
}

static void test_bold_after_delays(void **state)
{
	(void)state;
	pace_init(&pace, 100 * US);
	assert_false(delayed(4 * MS, 10 * S));
	assert_true(changes_after(4 * MS, 10 * S, 100) < 10);
	assert_false(pace.modest);
	/* for a while, whatever comes */
	assert_false(delayed(0, 10 * S + S / 2));
	assert_false(delayed(4 * MS, 10 * S + S / 2));
	assert_false(pace.modest);
	assert_true(delayed(0, 12 * S));
	assert_true(pace.modest);
	/* and again */
	assert_false(delayed(4 * MS, 12 * S));
	assert_true(changes_after(4 * MS, 12 * S, 100) < 10);
}

/* Most wake-ups are in time, and yet it has to wait too much. */
static void test_short_delays_are_no_comfort(void **state)
{
	uint64_t now = 10 * S;
	unsigned int i;

	(void)state;
	pace_init(&pace, 100 * US);
	for (i = 0; i < 100 && !delayed(i % 4 ? 10 * US : 4 * MS, now); i++)
		now += MS;
	assert_in_range(i, 2, 20);
	assert_false(pace.modest);
}

/* Now and then there is one, and that is no reason. */
static void test_rare_delays(void **state)
{
	uint64_t now;

	(void)state;
	pace_init(&pace, 100 * US);
	for (now = 10 * S; now < 60 * S; now += S / 4)
		assert_false(delayed(4 * MS, now));
	assert_true(pace.modest);
}

/* A wait that another descriptor ended was not in time, either. */
static void test_delays_of_other_wakeups(void **state)
{
	const struct blktap_wait other = {
		.waited_ns = 5 * MS, .delayed_ns = 4 * MS, .fd_ready = true,
	};
	const struct blktap_wait none = { 0 };
	unsigned int count = 1;

	(void)state;
	pace_init(&pace, 100 * US);
	while (count < 100 && !pace_waited(&pace, &other, S)) {
		assert_false(pace_waited(&pace, &none, S));
		count++;
	}
	assert_true(count < 10);
	assert_false(pace.modest);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grows_while_waits_are_short),
		cmocka_unit_test(test_long_wait_ends_it),
		cmocka_unit_test(test_never),
		cmocka_unit_test(test_never_above_the_most),
		cmocka_unit_test(test_other_ends_of_waits),
		cmocka_unit_test(test_modest_while_woken_in_time),
		cmocka_unit_test(test_bold_after_delays),
		cmocka_unit_test(test_short_delays_are_no_comfort),
		cmocka_unit_test(test_rare_delays),
		cmocka_unit_test(test_delays_of_other_wakeups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

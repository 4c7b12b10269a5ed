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

/* Waits until @end, each for a request, of these lengths without and with spinning. */
static uint64_t serve(uint64_t now, uint64_t end, uint32_t without_ns, uint32_t with_ns)
{
	while (now < end) {
		uint32_t spin = pace_spin(&pace);
		const struct blktap_wait wait = {
			.waited_ns = spin ? with_ns : without_ns,
			.spun = spin,
		};

		now += wait.waited_ns;
		assert_false(pace_waited(&pace, &wait, 1, now));
	}
	return now;
}

/* Of the waits of a second, how many percent spin. */
static unsigned int spinning(uint32_t without_ns, uint32_t with_ns)
{
	uint64_t now = serve(S, 3 * S, without_ns, with_ns), end = now + S;
	unsigned int waits = 0, spun = 0;

	do {
		spun += pace_spin(&pace) != 0;
		now = serve(now, now + 1, without_ns, with_ns);
		waits++;
	} while (now < end);
	return spun * 100 / waits;
}

static void test_spins_where_it_pays(void **state)
{
	(void)state;
	pace_init(&pace, 100 * US);
	assert_in_range(spinning(200 * US, 50 * US), 80, 100);
	assert_in_range(spinning(100 * US, 80 * US), 80, 100);
}

static void test_not_where_it_does_not(void **state)
{
	(void)state;
	pace_init(&pace, 100 * US);
	assert_in_range(spinning(100 * US, 100 * US), 0, 20);
	assert_in_range(spinning(100 * US, 95 * US), 0, 20);
	assert_in_range(spinning(50 * US, 200 * US), 0, 30);
	assert_in_range(spinning(2 * MS, 2 * MS), 0, 20);
}

/* The load changes, and so does what is best. */
static void test_changes_its_mind(void **state)
{
	uint64_t now;

	(void)state;
	pace_init(&pace, 100 * US);
	now = serve(S, 3 * S, 200 * US, 50 * US);
	assert_true(pace.pays);
	now = serve(now, now + 2 * S, 100 * US, 100 * US);
	assert_false(pace.pays);
	serve(now, now + 2 * S, 200 * US, 50 * US);
	assert_true(pace.pays);
}

static void test_never(void **state)
{
	(void)state;
	pace_init(&pace, 0);
	assert_int_equal(spinning(200 * US, 50 * US), 0);
}

/* A pause in the middle of a trial is nobody's fault. */
static void test_idle_time_does_not_count(void **state)
{
	uint64_t now = S;
	int i;

	(void)state;
	pace_init(&pace, 100 * US);
	for (i = 0; i < 200; i++) {
		now = serve(now, now + 15 * MS, 200 * US, 50 * US);
		now = serve(now, now + 1, 300 * MS, 300 * MS);
	}
	assert_true(pace.pays);
}

/* ------------------------------------------------------------------- modesty */

static bool delayed(uint32_t ns, uint64_t now)
{
	const struct blktap_wait wait = { .waited_ns = 5 * MS, .delayed_ns = ns };

	return pace_waited(&pace, &wait, 1, now);
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
	while (count < 100 && !pace_waited(&pace, &other, 0, S)) {
		assert_false(pace_waited(&pace, &none, 1, S));
		count++;
	}
	assert_true(count < 10);
	assert_false(pace.modest);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spins_where_it_pays),
		cmocka_unit_test(test_not_where_it_does_not),
		cmocka_unit_test(test_changes_its_mind),
		cmocka_unit_test(test_never),
		cmocka_unit_test(test_idle_time_does_not_count),
		cmocka_unit_test(test_modest_while_woken_in_time),
		cmocka_unit_test(test_bold_after_delays),
		cmocka_unit_test(test_short_delays_are_no_comfort),
		cmocka_unit_test(test_rare_delays),
		cmocka_unit_test(test_delays_of_other_wakeups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
#include "test.h"

#include "../backoff.h"

static void test_less_and_less_often(void **state)
{
	static const int64_t delays[] = { 1000, 2000, 4000, 8000, 16000, 16000, 16000 };
	struct backoff backoff = { 0 };
	int64_t now = 5000;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(delays) / sizeof(*delays); i++) {
		assert_true(backoff.due_ms <= now);
		backoff_attempt(&backoff, now);
		assert_int_equal(backoff.due_ms - now, delays[i]);
		now = backoff.due_ms;
	}
}

static void test_it_has_been_well(void **state)
{
	struct backoff backoff = { 0 };

	(void)state;
	backoff_attempt(&backoff, 5000);
	backoff_attempt(&backoff, 6000);
	backoff_attempt(&backoff, 6000 + BACKOFF_CALM_MS - 1);
	assert_int_equal(backoff.delay_ms, 4000);
	backoff_attempt(&backoff, backoff.last_ms + BACKOFF_CALM_MS);
	assert_int_equal(backoff.delay_ms, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_less_and_less_often),
		cmocka_unit_test(test_it_has_been_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-2.1-or-later
#include "test.h"

#include "fake-kernel.h"

#define LOST	BLKTAP_EVENT_UNSPEC

static struct blktap_monitor *monitor;
static struct blktap_notice notice;

static int set_up(void **state)
{
	(void)state;
	kernel_reset();
	return blktap_monitor_open(&monitor, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	blktap_monitor_close(monitor);
	return 0;
}

static void expect(enum blktap_notice_kind kind, uint64_t seq, unsigned int minor)
{
	assert_int_equal(blktap_monitor_next(monitor, &notice, NULL), 1);
	assert_int_equal(notice.kind, kind);
	assert_int_equal(notice.msg.seq, seq);
	if (kind != BLKTAP_NOTICE_LOST)
		assert_int_equal(notice.msg.tap.minor, minor);
}

static void expect_nothing(void)
{
	assert_int_equal(blktap_monitor_next(monitor, &notice, NULL), 0);
}

static void test_events(void **state)
{
	(void)state;
	expect_nothing();
	kernel_event(BLKTAP_EVENT_ALLOCATED, 70, 1);
	kernel_event(BLKTAP_EVENT_FREED, 71, 1);
	expect(BLKTAP_NOTICE_EVENT, 70, 1);
	assert_int_equal(notice.msg.event, BLKTAP_EVENT_ALLOCATED);
	expect(BLKTAP_NOTICE_EVENT, 71, 1);
	expect_nothing();
	assert_int_equal(kernel.lists, 0);
}

/* What was queued before the list is old; what comes after it counts from anywhere. */
static void test_overrun(void **state)
{
	(void)state;
	kernel_add(2, 0);
	kernel_add(3, 40);
	kernel_event(BLKTAP_EVENT_ALLOCATED, 70, 2);
	kernel_event(LOST, 0, 0);
	kernel_event(BLKTAP_EVENT_ALLOCATED, 71, 3);
	expect(BLKTAP_NOTICE_EVENT, 70, 2);
	expect(BLKTAP_NOTICE_LOST, 70, 0);
	expect(BLKTAP_NOTICE_STATE, 0, 2);
	expect(BLKTAP_NOTICE_STATE, 0, 3);
	expect_nothing();
	kernel_event(BLKTAP_EVENT_FREED, 90, 3);
	kernel_event(BLKTAP_EVENT_FREED, 91, 2);
	expect(BLKTAP_NOTICE_EVENT, 90, 3);
	expect(BLKTAP_NOTICE_EVENT, 91, 2);
	assert_int_equal(kernel.lists, 1);
}

static void test_gap(void **state)
{
	(void)state;
	kernel_event(BLKTAP_EVENT_ALLOCATED, 70, 2);
	kernel_event(BLKTAP_EVENT_ALLOCATED, 72, 3);
	expect(BLKTAP_NOTICE_EVENT, 70, 2);
	expect(BLKTAP_NOTICE_LOST, 70, 0);
	expect_nothing();
	assert_int_equal(kernel.lists, 1);
}

static void test_lost_at_once(void **state)
{
	(void)state;
	kernel_event(LOST, 0, 0);
	kernel_add(9, 0);
	expect(BLKTAP_NOTICE_LOST, 0, 0);
	expect(BLKTAP_NOTICE_STATE, 0, 9);
	expect_nothing();
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(blktap_event_name(BLKTAP_EVENT_ALLOCATED), "allocated");
	assert_string_equal(blktap_event_name(BLKTAP_EVENT_RESIZED), "resized");
	assert_null(blktap_event_name(BLKTAP_EVENT_UNSPEC));
	assert_null(blktap_event_name((enum blktap_event)1000));
	assert_string_equal(blktap_disk_state_name(BLKTAP_DISK_STATE_REMOVING), "removing");
	assert_null(blktap_disk_state_name(4));
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_events),
		TEST(test_overrun),
		TEST(test_gap),
		TEST(test_lost_at_once),
		TEST(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

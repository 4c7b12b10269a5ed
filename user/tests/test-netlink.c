// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the kernel could say, in messages made by hand.
 */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "messages.h"
#include "nlmsg.h"

static int count_message(const struct nlmsghdr *message, void *data)
{
	(void)message;
	++*(int *)data;
	return 0;
}

static int walk(const struct datagram *datagram, struct nl_answer *answer)
{
	/* A copy of just this size, so that reading beyond it is noticed. */
	char *exact = malloc(datagram->length + 1);
	int ret;

	memcpy(exact, datagram->bytes, datagram->length);
	answer->seq = SEQ;
	ret = nlmsg_walk(exact, datagram->length, answer);
	free(exact);
	return ret;
}

static void test_answer_and_acknowledgement(void **state)
{
	static struct datagram datagram;
	int count = 0;
	struct nl_answer answer = { .each = count_message, .data = &count };

	(void)state;
	datagram.length = 0;
	append(&datagram, tap_message(0, 1));
	assert_int_equal(walk(&datagram, &answer), 0);
	assert_int_equal(count, 1);
	append(&datagram, error_message(0, -1, NULL));
	assert_int_equal(walk(&datagram, &answer), 1);
	assert_int_equal(count, 2);
	assert_string_equal(answer.text, "");
}

static void test_refusal(void **state)
{
	static struct datagram datagram;
	static const int quoted[] = { -1, 0, 4, 21, 300 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(quoted) / sizeof(*quoted); i++) {
		struct nl_answer answer = { .each = NULL };

		datagram.length = 0;
		append(&datagram, error_message(-EBUSY, quoted[i], "a daemon is attached"));
		assert_int_equal(walk(&datagram, &answer), -EBUSY);
		assert_string_equal(answer.text, "a daemon is attached");
	}
}

static void test_refusal_without_words(void **state)
{
	static struct datagram datagram;
	struct nl_answer answer = { .each = NULL };

	(void)state;
	datagram.length = 0;
	append(&datagram, error_message(-ENODEV, 20, NULL));
	assert_int_equal(walk(&datagram, &answer), -ENODEV);
	assert_string_equal(answer.text, "");
}

static void test_refusal_in_many_words(void **state)
{
	static struct datagram datagram;
	struct nl_answer answer = { .each = NULL };
	char text[2000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	datagram.length = 0;
	append(&datagram, error_message(-EINVAL, -1, text));
	assert_int_equal(walk(&datagram, &answer), -EINVAL);
	assert_int_equal(strlen(answer.text), sizeof(answer.text) - 1);
}

static void test_odd_codes(void **state)
{
	static struct datagram datagram;
	static const int codes[] = { 5, -4096, -70000, 0x7fffffff };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		struct nl_answer answer = { .each = NULL };

		datagram.length = 0;
		append(&datagram, error_message(codes[i], -1, NULL));
		assert_int_equal(walk(&datagram, &answer), -EPROTO);
	}
}

static void test_other_requests_answers(void **state)
{
	static struct datagram datagram;
	struct nl_msg *message = error_message(-EIO, -1, NULL);
	struct nl_answer answer = { .each = NULL };

	(void)state;
	nlmsg_hdr(message)->nlmsg_seq = SEQ - 1;
	datagram.length = 0;
	append(&datagram, message);
	assert_int_equal(walk(&datagram, &answer), 0);
}

static void test_dump(void **state)
{
	static struct datagram datagram;
	int count = 0;
	struct nl_answer answer = { .each = count_message, .data = &count };
	int i;

	(void)state;
	datagram.length = 0;
	for (i = 0; i < 20; i++)
		append(&datagram, tap_message(NLM_F_MULTI, i));
	assert_int_equal(walk(&datagram, &answer), 0);
	append(&datagram, done_message(0, NULL));
	assert_int_equal(walk(&datagram, &answer), 1);
	assert_int_equal(count, 40);
	assert_false(answer.interrupted);
}

static void test_interrupted_dump(void **state)
{
	static struct datagram datagram;
	struct nl_answer answer = { .each = NULL };
	struct nl_msg *done = done_message(0, NULL);

	(void)state;
	nlmsg_hdr(done)->nlmsg_flags |= NLM_F_DUMP_INTR;
	datagram.length = 0;
	append(&datagram, tap_message(NLM_F_MULTI, 1));
	append(&datagram, done);
	assert_int_equal(walk(&datagram, &answer), 1);
	assert_true(answer.interrupted);
}

static void test_dump_that_fails(void **state)
{
	static struct datagram datagram;
	struct nl_answer answer = { .each = NULL };

	(void)state;
	datagram.length = 0;
	append(&datagram, done_message(-EPERM, "not you"));
	assert_int_equal(walk(&datagram, &answer), -EPERM);
	assert_string_equal(answer.text, "not you");
}

/* Wherever a datagram ends, and whatever lengths it claims. */
static void test_cut_and_bent_datagrams(void **state)
{
	static struct datagram whole, bent;
	size_t i;
	int byte;

	(void)state;
	whole.length = 0;
	append(&whole, tap_message(0, 1));
	append(&whole, error_message(-EBUSY, 20, "busy"));
	bent = whole;
	for (i = 0; i < whole.length; i++) {
		struct nl_answer answer = { .each = NULL };

		bent.length = i;
		walk(&bent, &answer);
	}
	for (i = 0; i < whole.length; i++)
		for (byte = 0; byte < 256; byte++) {
			struct nl_answer answer = { .each = NULL };

			bent = whole;
			bent.bytes[i] = byte;
			walk(&bent, &answer);
		}
}

static void test_whole_tap(void **state)
{
	static const uint8_t uuid[16] = "0123456789abcde";
	struct nl_msg *message = tap_message(0, 65535);
	struct blktap_tap tap;

	(void)state;
	nla_put_u32(message, BLKTAP_A_QUEUES, 2);
	nla_put_u32(message, BLKTAP_A_DEPTH, 128);
	nla_put_u32(message, BLKTAP_A_MAX_IO, 1 << 20);
	nla_put_string(message, BLKTAP_A_SERIAL, "serial");
	nla_put(message, BLKTAP_A_UUID, 16, uuid);
	nla_put_u32(message, BLKTAP_A_PID, 4168);
	nla_put_u64(message, BLKTAP_A_EPOCH, 1ULL << 40);
	nla_put_u32(message, BLKTAP_A_DISK_STATE, BLKTAP_DISK_STATE_LIVE);
	nla_put_u64(message, BLKTAP_A_CAPACITY, 3ULL << 40);
	nla_put_u32(message, BLKTAP_A_MAX + 7, 1);
	assert_int_equal(nlmsg_to_tap(nlmsg_hdr(message), &tap), 0);
	assert_int_equal(tap.minor, 65535);
	assert_int_equal(tap.queues, 2);
	assert_int_equal(tap.depth, 128);
	assert_int_equal(tap.max_io, 1 << 20);
	assert_string_equal(tap.serial, "serial");
	assert_true(tap.has_uuid);
	assert_memory_equal(tap.uuid, uuid, 16);
	assert_int_equal(tap.pid, 4168);
	assert_true(tap.epoch == 1ULL << 40);
	assert_int_equal(tap.disk_state, BLKTAP_DISK_STATE_LIVE);
	assert_true(tap.capacity == 3ULL << 40);
	nlmsg_free(message);
}

static void test_bare_tap(void **state)
{
	struct nl_msg *message = tap_message(0, 0);
	struct blktap_tap tap;

	(void)state;
	memset(&tap, 0xff, sizeof(tap));
	assert_int_equal(nlmsg_to_tap(nlmsg_hdr(message), &tap), 0);
	assert_int_equal(tap.minor, 0);
	assert_int_equal(tap.pid, 0);
	assert_false(tap.has_uuid);
	assert_string_equal(tap.serial, "");
	nlmsg_free(message);
}

static void test_no_minor(void **state)
{
	struct nl_msg *message = tap_message(0, -1);
	struct blktap_tap tap;

	(void)state;
	assert_int_equal(nlmsg_to_tap(nlmsg_hdr(message), &tap), -EPROTO);
	nlmsg_free(message);
}

static void test_wrong_sizes(void **state)
{
	static const struct { int type; size_t size; } wrong[] = {
		{ BLKTAP_A_QUEUES, 2 }, { BLKTAP_A_QUEUES, 8 }, { BLKTAP_A_EPOCH, 4 },
		{ BLKTAP_A_EPOCH, 12 }, { BLKTAP_A_UUID, 15 }, { BLKTAP_A_UUID, 17 },
		{ BLKTAP_A_SERIAL, 66 }, { BLKTAP_A_PID, 0 },
	};
	static const char zeroes[100];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct nl_msg *message = tap_message(0, 1);
		struct blktap_tap tap;

		nla_put(message, wrong[i].type, wrong[i].size, zeroes);
		assert_int_equal(nlmsg_to_tap(nlmsg_hdr(message), &tap), -EPROTO);
		nlmsg_free(message);
	}
}

static void test_longest_serial(void **state)
{
	struct nl_msg *message = tap_message(0, 1);
	char serial[BLKTAP_MAX_SERIAL + 1] = "";
	struct blktap_tap tap;

	(void)state;
	memset(serial, 's', BLKTAP_MAX_SERIAL);
	nla_put_string(message, BLKTAP_A_SERIAL, serial);
	assert_int_equal(nlmsg_to_tap(nlmsg_hdr(message), &tap), 0);
	assert_string_equal(tap.serial, serial);
	nlmsg_free(message);
}

static void test_serial_without_end(void **state)
{
	struct nl_msg *message = tap_message(0, 1);
	struct blktap_tap tap;

	(void)state;
	nla_put(message, BLKTAP_A_SERIAL, 3, "abc");
	assert_int_equal(nlmsg_to_tap(nlmsg_hdr(message), &tap), -EPROTO);
	nlmsg_free(message);
}

static void test_features(void **state)
{
	struct nl_msg *message = nlmsg_alloc();
	struct blktap_features features;

	(void)state;
	genlmsg_put(message, 0, SEQ, FAMILY, 0, 0, BLKTAP_CMD_GET_FEATURES, 1);
	assert_int_equal(nlmsg_to_features(nlmsg_hdr(message), &features), -EPROTO);
	nla_put_u32(message, BLKTAP_A_ABI, 1);
	nla_put_u64(message, BLKTAP_A_FEATURES, BLKTAP_F_HOLD);
	nla_put_u32(message, BLKTAP_A_MAX_MINORS, 65536);
	nla_put_u32(message, BLKTAP_A_MAX_IO_LIMIT, 4 << 20);
	assert_int_equal(nlmsg_to_features(nlmsg_hdr(message), &features), 0);
	assert_int_equal(features.abi, 1);
	assert_true(features.features == BLKTAP_F_HOLD);
	assert_int_equal(features.max_minors, 65536);
	assert_int_equal(features.max_io, 4 << 20);
	nlmsg_free(message);
}

static void test_event(void **state)
{
	struct nl_msg *message = nlmsg_alloc();
	struct blktap_event_msg event;

	(void)state;
	genlmsg_put(message, 0, 0, FAMILY, 0, 0, BLKTAP_CMD_EVENT, 1);
	nla_put_u32(message, BLKTAP_A_MINOR, 3);
	assert_int_equal(nlmsg_to_event(nlmsg_hdr(message), &event), -EPROTO);
	nla_put_u32(message, BLKTAP_A_EVENT, BLKTAP_EVENT_FREED);
	nla_put_u64(message, BLKTAP_A_SEQ, 99);
	assert_int_equal(nlmsg_to_event(nlmsg_hdr(message), &event), 0);
	assert_int_equal(event.event, BLKTAP_EVENT_FREED);
	assert_int_equal(event.seq, 99);
	assert_int_equal(event.tap.minor, 3);
	nlmsg_free(message);
}

static void test_kernel_io(void **state)
{
	struct nl_msg *message = tap_message(0, 3);
	struct blktap_event_msg event;
	struct blktap_tap tap;

	(void)state;
	assert_int_equal(nlmsg_to_tap(nlmsg_hdr(message), &tap), 0);
	assert_false(tap.has_kernel_io);
	nla_put_u32(message, BLKTAP_A_FILES, 2);
	nla_put_u32(message, BLKTAP_A_EXTENTS, 7);
	nla_put_u64(message, BLKTAP_A_IOS_DAEMON, 1ULL << 40);
	nla_put_u64(message, BLKTAP_A_IOS_REDIRECT, 11);
	nla_put_u64(message, BLKTAP_A_IOS_EXTENT, 12);
	nla_put_u64(message, BLKTAP_A_IOS_RETRY, 13);
	nla_put_u32(message, BLKTAP_A_EVENT, BLKTAP_EVENT_EXTENT_DROPPED);
	nla_put_u64(message, BLKTAP_A_SEQ, 99);
	nla_put_u64(message, BLKTAP_A_EXTENT_OFFSET, 1ULL << 41);
	nla_put_u64(message, BLKTAP_A_EXTENT_LENGTH, 4096);
	nla_put_u32(message, BLKTAP_A_ERROR, EIO);
	nla_put_u32(message, BLKTAP_A_IO_OP, BLKTAP_OP_FLUSH);
	nla_put_u64(message, BLKTAP_A_IO_ERRORS, 1ULL << 42);
	assert_int_equal(nlmsg_to_event(nlmsg_hdr(message), &event), 0);
	assert_int_equal(event.io_op, BLKTAP_OP_FLUSH);
	assert_true(event.io_errors == 1ULL << 42);
	assert_true(event.tap.has_kernel_io);
	assert_int_equal(event.tap.files, 2);
	assert_int_equal(event.tap.extents, 7);
	assert_true(event.tap.ios_daemon == 1ULL << 40);
	assert_int_equal(event.tap.ios_redirect, 11);
	assert_int_equal(event.tap.ios_extent, 12);
	assert_int_equal(event.tap.ios_retry, 13);
	assert_true(event.extent_offset == 1ULL << 41);
	assert_int_equal(event.extent_length, 4096);
	assert_int_equal(event.error, EIO);
	assert_string_equal(blktap_event_name(event.event), "extent-dropped");
	nlmsg_free(message);
}

static void test_recovery(void **state)
{
	struct nl_msg *message = tap_message(0, 3);
	struct blktap_event_msg event;
	struct blktap_tap tap;

	(void)state;
	/* An older module says nothing of it. */
	memset(&tap, 0xff, sizeof(tap));
	assert_int_equal(nlmsg_to_tap(nlmsg_hdr(message), &tap), 0);
	assert_int_equal(tap.on_timeout, BLKTAP_ON_TIMEOUT_REPORT);
	assert_int_equal(tap.recovery, BLKTAP_RECOVERY_NONE);
	assert_false(tap.has_hold_left);
	nla_put_u32(message, BLKTAP_A_ON_TIMEOUT, BLKTAP_ON_TIMEOUT_KILL);
	nla_put_u32(message, BLKTAP_A_RECOVERY, BLKTAP_RECOVERY_HELD);
	nla_put_u32(message, BLKTAP_A_HOLD_LEFT_MS, 29000);
	nla_put_u32(message, BLKTAP_A_EVENT, BLKTAP_EVENT_HOLD_EXPIRED);
	nla_put_u64(message, BLKTAP_A_SEQ, 99);
	assert_int_equal(nlmsg_to_event(nlmsg_hdr(message), &event), 0);
	assert_int_equal(event.tap.on_timeout, BLKTAP_ON_TIMEOUT_KILL);
	assert_int_equal(event.tap.recovery, BLKTAP_RECOVERY_HELD);
	assert_true(event.tap.has_hold_left);
	assert_int_equal(event.tap.hold_left_ms, 29000);
	nlmsg_free(message);
}

static void test_family(void **state)
{
	struct nl_msg *message = family_message(FAMILY, 9);
	struct nl_family family;

	(void)state;
	assert_int_equal(nlmsg_to_family(nlmsg_hdr(message), &family), 0);
	assert_int_equal(family.id, FAMILY);
	assert_int_equal(family.group, 9);
	nlmsg_free(message);
	message = family_message(-1, 9);
	assert_int_equal(nlmsg_to_family(nlmsg_hdr(message), &family), -EPROTO);
	nlmsg_free(message);
	message = nlmsg_alloc();
	genlmsg_put(message, 0, SEQ, GENL_ID_CTRL, 0, 0, CTRL_CMD_NEWFAMILY, 2);
	nla_put_u16(message, CTRL_ATTR_FAMILY_ID, FAMILY);
	assert_int_equal(nlmsg_to_family(nlmsg_hdr(message), &family), 0);
	assert_int_equal(family.group, 0);
	nlmsg_free(message);
	message = nlmsg_alloc();
	nlmsg_put(message, 0, SEQ, GENL_ID_CTRL, 0, 0);
	assert_int_equal(nlmsg_to_family(nlmsg_hdr(message), &family), -EPROTO);
	nlmsg_free(message);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(blktap_event_name(BLKTAP_EVENT_RESUMED), "resumed");
	assert_string_equal(blktap_event_name(BLKTAP_EVENT_HOLD_EXPIRED), "hold-expired");
	assert_string_equal(blktap_event_name(BLKTAP_EVENT_STUCK), "stuck");
	assert_string_equal(blktap_event_name(BLKTAP_EVENT_IO_ERROR), "io-error");
	assert_null(blktap_event_name(BLKTAP_EVENT_IO_ERROR + 1));
	assert_string_equal(blktap_recovery_name(BLKTAP_RECOVERY_NONE), "none");
	assert_string_equal(blktap_recovery_name(BLKTAP_RECOVERY_HELD), "held");
	assert_string_equal(blktap_recovery_name(BLKTAP_RECOVERY_FAILED), "failed");
	assert_null(blktap_recovery_name(BLKTAP_RECOVERY_FAILED + 1));
}

static void test_no_generic_header(void **state)
{
	struct nl_msg *message = nlmsg_alloc();
	struct blktap_tap tap;

	(void)state;
	nlmsg_put(message, 0, SEQ, FAMILY, 0, 0);
	assert_int_equal(nlmsg_to_tap(nlmsg_hdr(message), &tap), -EPROTO);
	nlmsg_free(message);
}

/* Machines that run unit tests need not have the module: either way is right. */
static void test_open(void **state)
{
	struct blktap_error err = { 0 };
	struct blktap_nl *nl;
	int ret = blktap_nl_open(&nl, &err);

	(void)state;
	if (ret) {
		assert_int_equal(ret, -ENOSYS);
		assert_string_equal(err.text, "blktap kernel module not installed");
		assert_null(nl);
	}
	blktap_nl_close(nl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer_and_acknowledgement),
		cmocka_unit_test(test_refusal),
		cmocka_unit_test(test_refusal_without_words),
		cmocka_unit_test(test_refusal_in_many_words),
		cmocka_unit_test(test_odd_codes),
		cmocka_unit_test(test_other_requests_answers),
		cmocka_unit_test(test_dump),
		cmocka_unit_test(test_interrupted_dump),
		cmocka_unit_test(test_dump_that_fails),
		cmocka_unit_test(test_cut_and_bent_datagrams),
		cmocka_unit_test(test_whole_tap),
		cmocka_unit_test(test_bare_tap),
		cmocka_unit_test(test_no_minor),
		cmocka_unit_test(test_wrong_sizes),
		cmocka_unit_test(test_longest_serial),
		cmocka_unit_test(test_serial_without_end),
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_event),
		cmocka_unit_test(test_kernel_io),
		cmocka_unit_test(test_recovery),
		cmocka_unit_test(test_family),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_no_generic_header),
		cmocka_unit_test(test_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

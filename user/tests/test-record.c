// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a dead tapdisk has left, and what is no such thing.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "fake-kernel.h"
#include "fake-tapdisk.h"

#define RECORD(minor, pid, image, mode, timeout, spin)					\
	"{\"minor\":" minor ",\"pid\":" pid ",\"image\":" image ",\"read_only\":true,"	\
	"\"no_direct\":false,\"kernel_io\":" mode ",\"request_timeout_ms\":" timeout ","	\
	"\"spin_us\":" spin ",\"restart\":true,\"paused\":false}"
#define GOOD	RECORD("3", "9", "\"aio:/x:y\"", "\"redirect\"", "5000", "0")
/* As written for a tapdisk with other rights; the spin is the next one's default. */
#define RIGHTS(rights)									\
	"{\"minor\":3,\"pid\":9,\"image\":\"aio:/x\",\"read_only\":false,"	\
	"\"no_direct\":false,\"kernel_io\":\"auto\",\"request_timeout_ms\":0,"	\
	"\"restart\":false,\"paused\":false," rights "}"

static struct blktap_record *record;
static struct blktap_error err;

static void put(const char *text, mode_t mode)
{
	int fd;

	unlink(path_of("tap3.json"));
	fd = open(path_of("tap3.json"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(write(fd, text, strlen(text)) >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void test_good(void **state)
{
	(void)state;
	put(GOOD, 0600);
	assert_int_equal(blktap_record_read(3, &record, &err), 0);
	assert_int_equal(record->minor, 3);
	assert_int_equal(record->pid, 9);
	assert_string_equal(record->open.image, "aio:/x:y");
	assert_true(record->open.read_only);
	assert_false(record->open.no_direct);
	assert_int_equal(record->open.kernel_io, BLKTAP_KERNEL_IO_REDIRECT);
	assert_int_equal(record->open.request_timeout_ms, 5000);
	assert_int_equal(record->open.spin_us, -1);
	assert_true(record->open.restart);
	assert_false(record->paused);
	assert_false(record->spawn.no_sandbox);
	assert_null(record->spawn.user);
	blktap_record_free(record);
	assert_int_equal(blktap_record_read(4, &record, &err), -ENOENT);
}

static void test_rights(void **state)
{
	(void)state;
	put(RIGHTS("\"no_sandbox\":true"), 0600);
	assert_int_equal(blktap_record_read(3, &record, &err), 0);
	assert_true(record->spawn.no_sandbox);
	assert_null(record->spawn.user);
	assert_int_equal(record->open.spin_us, 0);
	blktap_record_free(record);
	put(RIGHTS("\"user\":\"guest7\""), 0600);
	assert_int_equal(blktap_record_read(3, &record, &err), 0);
	assert_false(record->spawn.no_sandbox);
	assert_string_equal(record->spawn.user, "guest7");
	blktap_record_free(record);
}

static void test_without_limit(void **state)
{
	(void)state;
	put(RECORD("3", "9", "\"aio:/x\"", "\"auto\"", "-1", "0"), 0600);
	assert_int_equal(blktap_record_read(3, &record, &err), 0);
	assert_int_equal(record->open.request_timeout_ms, -1);
	blktap_record_free(record);
}

static void test_identity(void **state)
{
	(void)state;
	put(RIGHTS("\"image_identity\":\"file 8:1 1234\""), 0600);
	assert_int_equal(blktap_record_read(3, &record, &err), 0);
	assert_string_equal(record->image_identity, "file 8:1 1234");
	blktap_record_free(record);
	/* Not known, or of an older tapdisk. */
	put(RIGHTS("\"image_identity\":\"\""), 0600);
	assert_int_equal(blktap_record_read(3, &record, &err), 0);
	assert_null(record->image_identity);
	blktap_record_free(record);
	put(RIGHTS("\"no_sandbox\":false"), 0600);
	assert_int_equal(blktap_record_read(3, &record, &err), 0);
	assert_null(record->image_identity);
	blktap_record_free(record);
}

static uint64_t recorded_disk(const char *text)
{
	uint64_t seq;

	put(text, 0600);
	assert_int_equal(blktap_record_read(3, &record, &err), 0);
	seq = record->disk_seq;
	blktap_record_free(record);
	return seq;
}

static void test_which_disk(void **state)
{
	(void)state;
	assert_int_equal(recorded_disk(RIGHTS("\"disk_seq\":7")), 7);
	assert_int_equal(recorded_disk(RIGHTS("\"disk_seq\":9223372036854775807")), INT64_MAX);
	/* Not known, or of an older tapdisk. */
	assert_int_equal(recorded_disk(RIGHTS("\"disk_seq\":0")), 0);
	assert_int_equal(recorded_disk(RIGHTS("\"no_sandbox\":false")), 0);
}

static void test_nonsense(void **state)
{
	static const char *const wrong[] = {
		"", "[]", "{", "{}", "null", GOOD "x",
		RECORD("4", "9", "\"aio:/x\"", "\"auto\"", "0", "0"),
		RECORD("\"3\"", "9", "\"aio:/x\"", "\"auto\"", "0", "0"),
		RECORD("3", "0", "\"aio:/x\"", "\"auto\"", "0", "0"),
		RECORD("3", "4294967297", "\"aio:/x\"", "\"auto\"", "0", "0"),
		RECORD("3", "9", "null", "\"auto\"", "0", "0"),
		RECORD("3", "9", "\"aio\"", "\"auto\"", "0", "0"),
		RECORD("3", "9", "\":/x\"", "\"auto\"", "0", "0"),
		RECORD("3", "9", "\"aio:\"", "\"auto\"", "0", "0"),
		RECORD("3", "9", "\"aio:/x\"", "\"all\"", "0", "0"),
		RECORD("3", "9", "\"aio:/x\"", "\"auto\"", "-2", "0"),
		RECORD("3", "9", "\"aio:/x\"", "\"auto\"", "4294967296", "0"),
		RECORD("3", "9", "\"aio:/x\"", "\"auto\"", "0", "1001"),
		RECORD("3", "9", "\"aio:/x\"", "\"auto\"", "0.5", "0"),
		RIGHTS("\"user\":\"\""), RIGHTS("\"user\":0"), RIGHTS("\"no_sandbox\":1"),
		RIGHTS("\"image_identity\":7"), RIGHTS("\"disk_seq\":\"7\""),
		RIGHTS("\"disk_seq\":-1"), RIGHTS("\"disk_seq\":7.5"),
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		put(wrong[i], 0600);
		assert_int_equal(blktap_record_read(3, &record, &err), -EPROTO);
	}
}

static void test_not_a_record(void **state)
{
	static char large[70000];

	(void)state;
	put(GOOD, 0620);
	assert_int_equal(blktap_record_read(3, &record, &err), -EPROTO);
	put(GOOD, 0602);
	assert_int_equal(blktap_record_read(3, &record, &err), -EPROTO);
	memset(large, ' ', sizeof(large) - 1);
	memcpy(large, GOOD, strlen(GOOD));
	put(large, 0600);
	assert_int_equal(blktap_record_read(3, &record, &err), -EPROTO);
	/* Nobody waits for the writer of a pipe. */
	unlink(path_of("tap3.json"));
	assert_int_equal(mkfifo(path_of("tap3.json"), 0600), 0);
	assert_int_equal(blktap_record_read(3, &record, &err), -EPROTO);
	put(GOOD, 0600);
	snprintf(large, sizeof(large), "%s", path_of("x"));
	assert_int_equal(rename(path_of("tap3.json"), large), 0);
	assert_int_equal(symlink("x", path_of("tap3.json")), 0);
	assert_int_equal(blktap_record_read(3, &record, &err), -EPROTO);
}

static void replace_record(void)
{
	put(GOOD, 0600);
}

static void test_free_removes_it(void **state)
{
	(void)state;
	kernel_add(3, 0);
	put(GOOD, 0600);
	assert_int_equal(blktap_free(3, false, 1000, NULL), 0);
	assert_int_equal(access(path_of("tap3.json"), F_OK), -1);
	/* Nor is there one of a tap that is new. */
	put(GOOD, 0600);
	assert_int_equal(blktap_allocate(&(struct blktap_tap_params){ .minor = 3 }, NULL, NULL, NULL),
			 0);
	assert_int_equal(access(path_of("tap3.json"), F_OK), -1);
	assert_int_equal(blktap_free(3, false, 1000, NULL), 0);
	/* but not that of another disk of this number */
	kernel_add(3, 0);
	put(GOOD, 0600);
	kernel.freed = replace_record;
	assert_int_equal(blktap_free(3, false, 1000, NULL), 0);
	assert_int_equal(access(path_of("tap3.json"), F_OK), 0);
}

static int set_up(void **state)
{
	kernel_reset();
	return make_control_dir(state);
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, set_up, remove_control_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_good),
		TEST(test_rights),
		TEST(test_without_limit),
		TEST(test_identity),
		TEST(test_which_disk),
		TEST(test_nonsense),
		TEST(test_not_a_record),
		TEST(test_free_removes_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

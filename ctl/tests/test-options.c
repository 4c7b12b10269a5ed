// SPDX-License-Identifier: GPL-2.0-only
#include "test.h"

#include <errno.h>
#include <string.h>

#include "../ctl.h"
#include "../output.h"

static struct options options;
static struct blktap_error err;

/* Parses a command line as main() would. */
static int parse(const struct command *command, const char *line)
{
	static char copy[256];
	char *argv[16], *word, *rest;
	int argc = 0;

	err.text[0] = '\0';
	strcpy(copy, line);
	for (word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		argv[argc++] = word;
	argv[argc] = NULL;
	return options_parse(argc, argv, command->options, &options, &err);
}

static void test_nothing_given(void **state)
{
	(void)state;
	assert_int_equal(parse(&command_list, "list"), 0);
	assert_int_equal(options.pid, 0);
	assert_int_equal(options.minor, -1);
	assert_null(options.type);
	assert_null(options.path);
	assert_false(options.help);
}

static void test_open(void **state)
{
	(void)state;
	assert_int_equal(parse(&command_open, "open -p 4168 -m 0 -a aio:/a:b -R -D"), 0);
	assert_int_equal(options.pid, 4168);
	assert_int_equal(options.minor, 0);
	assert_string_equal(options.image, "aio:/a:b");
	assert_true(options.read_only);
	assert_true(options.no_direct);
	assert_int_equal(parse(&command_open, "open -RDp4168 --minor=7 --args ram:64M"), 0);
	assert_int_equal(options.minor, 7);
	assert_true(options.read_only);
}

static void test_list_filters(void **state)
{
	(void)state;
	assert_int_equal(parse(&command_list, "list -p 1 -m 2 -t aio -f /x"), 0);
	assert_int_equal(options.pid, 1);
	assert_int_equal(options.minor, 2);
	assert_string_equal(options.type, "aio");
	assert_string_equal(options.path, "/x");
}

static void test_close_timeout(void **state)
{
	(void)state;
	assert_int_equal(parse(&command_close, "close -p 1 -m 2"), 0);
	assert_int_equal(options.timeout_ms, -1);
	assert_int_equal(timeout_or(&options, 0), 0);
	assert_int_equal(parse(&command_close, "close -p 1 -m 2 -t 120"), 0);
	assert_int_equal(options.timeout_ms, 120000);
	assert_int_equal(parse(&command_close, "close -p 1 -m 2 -t 2147483"), 0);
	assert_int_equal(parse(&command_close, "close -p 1 -m 2 -t 2147484"), -EINVAL);
}

static void test_shape_of_a_tap(void **state)
{
	(void)state;
	assert_int_equal(parse(&command_allocate,
			       "allocate --queues 2 --depth 64 --max-io 256K -m 12"), 0);
	assert_int_equal(options.queues, 2);
	assert_int_equal(options.depth, 64);
	assert_int_equal(options.max_io, 256 << 10);
	assert_int_equal(options.minor, 12);
}

static void test_max_io(void **state)
{
	static const struct { const char *line; uint32_t bytes; } lines[] = {
		{ "create -a x:y --max-io 4096", 4096 },
		{ "create -a x:y --max-io 4k", 4096 },
		{ "create -a x:y --max-io 1M", 1 << 20 },
		{ "create -a x:y --max-io 4m", 4 << 20 },
	};
	static const char *const wrong[] = {
		"create -a x:y --max-io 0", "create -a x:y --max-io 5000",
		"create -a x:y --max-io 8M", "create -a x:y --max-io 4G",
		"create -a x:y --max-io -4K", "create -a x:y --max-io K",
		"create -a x:y --max-io 4KB", "create -a x:y --max-io 4398046511104M",
		"create -a x:y --max-io 99999999999999999999",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		assert_int_equal(parse(&command_create, lines[i].line), 0);
		assert_int_equal(options.max_io, lines[i].bytes);
	}
	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(parse(&command_create, wrong[i]), -EINVAL);
}

static void test_recovery(void **state)
{
	static const struct { const char *line; int ms; } times[] = {
		{ "create -a x:y --hold-time 30", 30000 }, { "create -a x:y --hold-time 0.25", 250 },
		{ "create -a x:y --hold-time 0", -1 }, { "create -a x:y --hold-time 86400", 86400000 },
		{ "create -a x:y", 0 },
	};
	static const char *const wrong[] = {
		"create -a x:y --hold-time -1", "create -a x:y --hold-time 86401",
		"create -a x:y --hold-time x", "create -a x:y --hold-time nan",
		"create -a x:y --io-timeout 0", "create -a x:y --io-timeout 1s",
		"create -a x:y --on-death die", "create -a x:y --on-timeout hold",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(times) / sizeof(*times); i++) {
		assert_int_equal(parse(&command_create, times[i].line), 0);
		assert_int_equal(tap_params(&options).hold_ms, times[i].ms);
	}
	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(parse(&command_create, wrong[i]), -EINVAL);
	assert_int_equal(tap_params(&(struct options){ .minor = -1 }).on_death,
			 BLKTAP_DEATH_DEFAULT);
	assert_int_equal(parse(&command_allocate, "allocate --on-death=fail --io-timeout=2.5 "
			       "--on-timeout=kill"), 0);
	assert_int_equal(tap_params(&options).on_death, BLKTAP_DEATH_FAIL);
	assert_int_equal(tap_params(&options).io_timeout_ms, 2500);
	assert_int_equal(tap_params(&options).on_timeout, BLKTAP_ON_TIMEOUT_KILL);
	assert_int_equal(parse(&command_create, "create -a x:y --on-death=hold --restart"), 0);
	assert_int_equal(tap_params(&options).on_death, BLKTAP_DEATH_HOLD);
	assert_true(open_params(&options).restart);
}

static void test_not_numbers(void **state)
{
	static const char *const wrong[] = {
		"free -m x", "free -m 1x", "free -m -1", "free -m +1", "free -m 0x1",
		"free -m 2147483648", "free -m 99999999999999999999", "free -m=1",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(parse(&command_free, wrong[i]), -EINVAL);
	assert_int_equal(parse(&command_attach, "attach -p 0 -m 0"), -EINVAL);
	assert_int_equal(parse(&command_free, "free -m 007"), 0);
	assert_int_equal(options.minor, 7);
}

static void test_images(void **state)
{
	(void)state;
	assert_int_equal(parse(&command_create, "create -a aio"), -EINVAL);
	assert_string_equal(err.text, "-a aio: not of the form type:path");
	assert_int_equal(parse(&command_create, "create -a :/x"), -EINVAL);
}

static void test_missing(void **state)
{
	(void)state;
	assert_int_equal(parse(&command_free, "free"), -EINVAL);
	assert_string_equal(err.text, "-m MINOR is missing");
	assert_int_equal(parse(&command_open, "open -p 1 -m 1"), -EINVAL);
	assert_string_equal(err.text, "-a TYPE:PATH is missing");
	assert_int_equal(parse(&command_free, "free -m"), -EINVAL);
	assert_string_equal(err.text, "-m needs an argument");
	assert_int_equal(parse(&command_allocate, "allocate --depth"), -EINVAL);
	assert_string_equal(err.text, "--depth needs an argument");
}

static void test_unknown(void **state)
{
	(void)state;
	assert_int_equal(parse(&command_free, "free -x"), -EINVAL);
	assert_string_equal(err.text, "unknown option -x");
	assert_int_equal(parse(&command_free, "free --bogus=1"), -EINVAL);
	assert_string_equal(err.text, "unknown option --bogus=1");
	assert_int_equal(parse(&command_free, "free -m 1 2"), -EINVAL);
	assert_string_equal(err.text, "unexpected argument 2");
	assert_int_equal(parse(&command_spawn, "spawn -m 1"), -EINVAL);
	assert_int_equal(parse(&command_open, "open --read-only=yes"), -EINVAL);
	assert_string_equal(err.text, "--read-only takes no argument");
	assert_int_equal(parse(&command_list, "list --json=1"), -EINVAL);
	assert_string_equal(err.text, "--json takes no argument");
	assert_int_equal(parse(&command_list, "list --help=1"), -EINVAL);
	assert_string_equal(err.text, "--help takes no argument");
}

static void test_still_to_come(void **state)
{
	static const char *const lines[] = {
		"open -r", "open -e 1", "open -2 vhd:/x", "open -s", "open -C /log",
		"open -E", "open --standby", "create -r", "create -e 1", "create -2 vhd:/x",
		"create -s", "create -C /log", "create -E",
		"unpause -2 null", "unpause -c /log",
	};
	static const struct command *const commands[] = {
		&command_open, &command_create, &command_destroy, &command_unpause,
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		const struct command *const *command = commands;

		while (strncmp((*command)->name, lines[i], strcspn(lines[i], " ")) != 0)
			command++;
		assert_int_equal(parse(*command, lines[i]), -EOPNOTSUPP);
		assert_non_null(strstr(err.text, "is not supported yet"));
	}
	/* It names the option. */
	assert_int_equal(parse(&command_create, "create -C /log"), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "option -C "));
}

static void test_minors_that_cannot_be(void **state)
{
	(void)state;
	assert_int_equal(parse(&command_attach, "attach -p 1 -m 65535"), 0);
	assert_int_equal(parse(&command_attach, "attach -p 1 -m 5000000"), -ENODEV);
	assert_non_null(strstr(err.text, "5000000"));
	/* A filter that matches nothing is no error; of a new one the kernel has a say. */
	assert_int_equal(parse(&command_list, "list -m 5000000"), 0);
	assert_int_equal(parse(&command_allocate, "allocate -m 5000000"), 0);
}

static void test_new_tap(void **state)
{
	(void)state;
	assert_int_equal(parse(&command_create, "create -a x:y -d disk --serial A-1 -t 5 --uuid"
			       " 01234567-89ab-cdef-0123-456789ABCDEF"), 0);
	assert_string_equal(options.link, "disk");
	assert_string_equal(tap_params(&options).serial, "A-1");
	assert_int_equal(tap_params(&options).uuid[15], 0xef);
	assert_int_equal(open_params(&options).request_timeout_ms, 5000);
	assert_int_equal(parse(&command_allocate, "allocate"), 0);
	assert_null(tap_params(&options).uuid);
	assert_int_equal(parse(&command_allocate, "allocate --uuid 1"), -EINVAL);
	assert_int_equal(parse(&command_allocate, "allocate --serial ä"), -EINVAL);
	assert_int_equal(parse(&command_create, "create -a x:y -t 0"), -EINVAL);
}

static void test_spin(void **state)
{
	(void)state;
	assert_int_equal(parse(&command_open, "open -p 1 -m 1 -a x:y --spin 0"), 0);
	assert_true(open_params(&options).spin_us < 0);
	assert_int_equal(parse(&command_create, "create -a x:y --spin=1000"), 0);
	assert_int_equal(open_params(&options).spin_us, 1000);
	assert_int_equal(parse(&command_create, "create -a x:y"), 0);
	assert_int_equal(open_params(&options).spin_us, 0);
	assert_int_equal(parse(&command_create, "create -a x:y --spin 1001"), -EINVAL);
	assert_string_equal(err.text, "--spin 1001: not between 0 and 1000");
	assert_int_equal(parse(&command_create, "create -a x:y --spin -1"), -EINVAL);
	assert_int_equal(parse(&command_create, "create -a x:y --spin 1us"), -EINVAL);
	assert_int_equal(parse(&command_attach, "attach -p 1 -m 1 --spin 1"), -EINVAL);
}

static void test_size(void **state)
{
	(void)state;
	assert_int_equal(parse(&command_resize, "resize -p 1 -m 1 -s 2G --shrink"), 0);
	assert_true(options.size == 2ULL << 30);
	assert_true(options.shrink);
	assert_int_equal(parse(&command_resize, "resize -p 1 -m 1"), 0);
	assert_true(options.size == 0);
	assert_int_equal(parse(&command_resize, "resize -p 1 -m 1 -s 0"), -EINVAL);
	assert_int_equal(parse(&command_resize, "resize -p 1 -m 1 -s 2X"), -EINVAL);
	assert_int_equal(parse(&command_resize, "resize -p 1 -m 1 -s 9999999T"), -EINVAL);
}

static void test_delay(void **state)
{
	static const char *const wrong[] = {
		"top -d 0", "top -d x", "top -d -1", "top -d 0x10", "top -d nan", "top -d 1e9",
		"top -n 0",
	};
	size_t i;

	(void)state;
	assert_int_equal(parse(&command_top, "top -d 0.5 -n 3 -b"), 0);
	assert_int_equal(options.delay_ms, 500);
	assert_true(options.iterations == 3);
	assert_true(options.batch);
	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(parse(&command_top, wrong[i]), -EINVAL);
}

static void test_help(void **state)
{
	(void)state;
	assert_int_equal(parse(&command_open, "open -h"), 0);
	assert_true(options.help);
	assert_int_equal(parse(&command_open, "open --help"), 0);
	assert_true(options.help);
}

static void test_exit_status(void **state)
{
	(void)state;
	assert_int_equal(exit_status(-ENOSYS), 38);
	assert_int_equal(exit_status(-ENODEV), 19);
	assert_int_equal(exit_status(-ENOENT), 2);
	assert_int_equal(exit_status(-ECONNREFUSED), 2);
	assert_int_equal(exit_status(-EBUSY), 16);
	assert_int_equal(exit_status(-EEXIST), 17);
	assert_int_equal(exit_status(-EISDIR), 21);
	assert_int_equal(exit_status(-EINVAL), 22);
	assert_int_equal(exit_status(-ERANGE), 22);
	assert_int_equal(exit_status(-EAGAIN), 11);
	assert_int_equal(exit_status(-EACCES), 13);
	assert_int_equal(exit_status(-EPERM), 13);
	assert_int_equal(exit_status(-ETIMEDOUT), 110);
	assert_int_equal(exit_status(-EPROTO), 71);
	assert_int_equal(exit_status(-EOPNOTSUPP), 95);
	assert_int_equal(exit_status(-ECHILD), 1);
	assert_int_equal(exit_status(0), 1);
	assert_int_equal(exit_status(-256), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_given),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_list_filters),
		cmocka_unit_test(test_close_timeout),
		cmocka_unit_test(test_shape_of_a_tap),
		cmocka_unit_test(test_max_io),
		cmocka_unit_test(test_recovery),
		cmocka_unit_test(test_not_numbers),
		cmocka_unit_test(test_images),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_still_to_come),
		cmocka_unit_test(test_minors_that_cannot_be),
		cmocka_unit_test(test_new_tap),
		cmocka_unit_test(test_spin),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_delay),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_exit_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What commands print, with a kernel and tapdisks that are played.
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "../ctl.h"
#include "../output.h"
#include "../spaced.h"
#include "tests/fake-kernel.h"
#include "tests/fake-tapdisk.h"

#define ANSWER(result)	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":" result "}\n"
#define VBD(minor)	"{\"name\":\"aio:/x\",\"secs\":[1,2],\"tap\":{\"minor\":" #minor "}}"

static char out[8192];
static struct blktap_error err;

static int set_up(void **state)
{
	kernel_reset();
	return make_control_dir(state);
}

static int open_output(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", control_dir, name);
	return open(path, O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600);
}

/* Runs a command in this process; its output is in @out. */
static int run(const struct command *command, const struct options *options)
{
	int kept = dup(STDOUT_FILENO), fd = open_output("out"), ret;
	ssize_t length;

	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	memset(&err, 0, sizeof(err));
	ret = command->run(options, &err);
	fflush(stdout);
	dup2(kept, STDOUT_FILENO);
	length = pread(fd, out, sizeof(out) - 1, 0);
	out[length < 0 ? 0 : length] = '\0';
	close(fd);
	close(kept);
	return ret;
}

/* No minor, and then options. */
#define OPTIONS(...)	(&(struct options){ .minor = -1, .timeout_ms = -1, __VA_ARGS__ })
#define MINOR(number, ...) \
	(&(struct options){ .minor = (number), .timeout_ms = -1, __VA_ARGS__ })

static void test_spaced(void **state)
{
	static const struct { const char *json, *spaced; } cases[] = {
		{ "{}", "{ }" }, { "[]", "[ ]" }, { "[1,2]", "[ 1, 2 ]" }, { "\"a{,\"", "\"a{,\"" },
		{ "{\"a\":[{\"b\":\"}\\\",:\\\\\"}]}", "{ \"a\": [ { \"b\": \"}\\\",:\\\\\" } ] }" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		json_t *json = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
		char *text = json_spaced(json);

		assert_string_equal(text, cases[i].spaced);
		free(text);
		json_decref(json);
	}
}

static void test_list(void **state)
{
	(void)state;
	kernel_add(3, 0);
	assert_int_equal(run(&command_list, OPTIONS(.pid = 0)), 0);
	assert_string_equal(out, "minor=3\n");
	assert_int_equal(run(&command_list, OPTIONS(.json = true)), 0);
	assert_string_equal(out, "[{\"minor\":3}]\n");
	kernel.open_code = -ENOSYS;
	assert_int_equal(run(&command_list, OPTIONS(.pid = 0)), -ENOSYS);
	assert_string_equal(out, "blktap kernel module not installed\n");
	assert_string_equal(err.text, "");
	assert_int_equal(run(&command_list, OPTIONS(.json = true)), -ENOSYS);
	assert_string_equal(out, "");
	assert_string_equal(err.text, "blktap kernel module not installed");
}

static void test_allocate(void **state)
{
	char link[PATH_MAX], expected[3 * PATH_MAX];

	(void)state;
	snprintf(link, sizeof(link), "%s/disk", control_dir);
	assert_int_equal(run(&command_allocate, OPTIONS(.pid = 0)), 0);
	assert_string_equal(out, "/dev/xen/blktap-2/tapdev0\n");
	assert_int_equal(run(&command_allocate, OPTIONS(.link = link, .json = true)), 0);
	snprintf(expected, sizeof(expected), "{\"minor\":1,\"device\":\"/dev/xen/blktap-2/tapdev1\","
		 "\"link\":\"%s\"}\n", link);
	assert_string_equal(out, expected);
	assert_int_equal(run(&command_free, MINOR(1, .pid = 0)), 0);
	assert_int_equal(run(&command_allocate, OPTIONS(.link = link)), 0);
	snprintf(expected, sizeof(expected), "%s\n", link);
	assert_string_equal(out, expected);
}

static void test_stats(void **state)
{
	struct fake fake = { .pid = 9, .answer = ANSWER("{\"vbds\":[" VBD(3) "]}") };

	(void)state;
	fake_start(&fake);
	assert_int_equal(run(&command_stats, MINOR(3, .pid = 9)), 0);
	assert_string_equal(out, "{ \"name\": \"aio:/x\", \"secs\": [ 1, 2 ], \"tap\": "
			    "{ \"minor\": 3 }, \"pid\": 9 }\n");
	assert_int_equal(run(&command_stats, OPTIONS(.json = true)), 0);
	assert_string_equal(out, "[{\"name\":\"aio:/x\",\"secs\":[1,2],\"tap\":{\"minor\":3},"
			    "\"pid\":9}]\n");
	assert_int_equal(run(&command_stats, OPTIONS(.openmetrics = true)), 0);
	assert_non_null(strstr(out, "image=\"aio:/x\"} 1\n"));
	assert_int_equal(run(&command_stats, OPTIONS(.openmetrics = true, .json = true)), -EINVAL);
	fake_stop(&fake);
}

static void test_resize(void **state)
{
	struct fake fake = { .pid = 9, .answer = ANSWER("{\"capacity\":8192}") };

	(void)state;
	fake_start(&fake);
	assert_int_equal(run(&command_resize, MINOR(3, .pid = 9)), 0);
	assert_string_equal(out, "8192\n");
	assert_non_null(strstr(fake.request, "{\"timeout_ms\":120000,\"minor\":3}"));
	assert_int_equal(run(&command_resize, MINOR(3, .pid = 9, .json = true)), 0);
	assert_string_equal(out, "{\"capacity\":8192}\n");
	fake_stop(&fake);
}

static void test_kernel_io(void **state)
{
	struct fake fake = { .pid = 9, .answer = ANSWER("{\"mode\":\"auto\"}") };

	(void)state;
	fake_start(&fake);
	assert_int_equal(run(&command_kernel_io, MINOR(3, .pid = 9)), 0);
	assert_string_equal(out, "auto\n");
	assert_non_null(strstr(fake.request, "{\"timeout_ms\":120000,\"minor\":3}"));
	assert_int_equal(run(&command_kernel_io, MINOR(3, .pid = 9, .json = true,
			 .kernel_io = BLKTAP_KERNEL_IO_OFF)), 0);
	assert_string_equal(out, "{\"kernel_io\":\"auto\"}\n");
	assert_non_null(strstr(fake.request, "\"mode\":\"off\""));
	fake_stop(&fake);
}

/* The tapdisk's own numbers, and what the kernel counts for its session. */
static void test_kernel_counts(void **state)
{
	struct fake fake = {
		.pid = 9,
		.answer = ANSWER("{\"vbds\":[{\"tap\":{\"minor\":3},\"kernel_io\":"
				 "{\"mode\":\"auto\",\"redirected\":4}}]}"),
	};
	struct blktap_tap *tap = kernel_add(3, 9);

	(void)state;
	tap->has_kernel_io = true;
	tap->extents = 2;
	tap->ios_extent = 77;
	fake_start(&fake);
	assert_int_equal(run(&command_stats, OPTIONS(.pid = 9, .json = true)), 0);
	assert_non_null(strstr(out, "\"mode\":\"auto\",\"redirected\":4,\"files\":0,"
			       "\"extents\":2,\"ios_daemon\":0,\"ios_redirect\":0,"
			       "\"ios_extent\":77,\"ios_retry\":0}"));
	assert_int_equal(run(&command_stats, OPTIONS(.pid = 9, .openmetrics = true)), 0);
	assert_non_null(strstr(out, "path=\"extent\"} 77\n"));
	assert_non_null(strstr(out, "blktap_extents{"));
	assert_non_null(strstr(out, "blktap_redirected_requests_total{"));
	/* Of another session, they say nothing about this one. */
	tap->pid = 10;
	assert_int_equal(run(&command_stats, OPTIONS(.pid = 9, .json = true)), 0);
	assert_null(strstr(out, "ios_extent"));
	assert_int_equal(run(&command_info, MINOR(3, .json = true)), 0);
	assert_non_null(strstr(out, "\"ios_extent\":77"));
	fake_stop(&fake);
}

static void test_info(void **state)
{
	static const char *const answers[] = {
		ANSWER("{\"protocol\":1,\"version\":\"0.1.0\",\"features\":[\"stats\"]}"),
		ANSWER("{\"vbds\":[{\"minor\":3,\"state\":42,\"image\":{\"type\":\"aio\","
		       "\"path\":\"/x\"}}]}"), NULL,
	};
	struct fake fake = { .pid = 9, .answers = answers };
	struct blktap_tap *tap = kernel_add(3, 9);

	(void)state;
	strcpy(tap->serial, "S-1");
	tap->disk_state = BLKTAP_DISK_STATE_LIVE;
	tap->capacity = 4096;
	fake_start(&fake);
	assert_int_equal(run(&command_info, OPTIONS(.json = true)), 0);
	assert_non_null(strstr(out, "\"features\":[\"hold\",\"0x10000000000\"],\"max_minors\":65536"));
	assert_int_equal(run(&command_info, OPTIONS(.pid = 9, .json = true)), 0);
	assert_string_equal(out, "{\"protocol\":1,\"version\":\"0.1.0\",\"features\":[\"stats\"],"
			    "\"vbds\":[{\"minor\":3,\"state\":42,\"type\":\"aio\",\"path\":\"/x\"}]}\n");
	assert_int_equal(run(&command_info, MINOR(3, .pid = 0)), 0);
	assert_non_null(strstr(out, "serial: S-1\n"));
	assert_non_null(strstr(out, "capacity: 4096\n"));
	assert_non_null(strstr(out, "vbd.path: /x\n"));
	assert_int_equal(run(&command_info, MINOR(4, .pid = 0)), -ENODEV);
	assert_int_equal(run(&command_info, MINOR(4, .pid = 1)), -EINVAL);
	fake_stop(&fake);
}

static void test_check(void **state)
{
	(void)state;
	assert_int_equal(run(&command_check, OPTIONS(.pid = 0)), 0);
	assert_string_equal(out, "ok\n");
	kernel.open_code = -ENOSYS;
	assert_int_equal(run(&command_check, OPTIONS(.pid = 0)), -ENOSYS);
	assert_string_equal(out, "");
}

/* Runs "monitor" or "top" as a child until it has printed @text, then sends @signal. */
static int run_until(const struct command *command, const struct options *options,
		     const char *text, int signal)
{
	int fd = open_output("out"), status, tries;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(fd, STDOUT_FILENO);
		alarm(60);
		exit(-command->run(options, &err));
	}
	for (tries = 0; tries < 1000; tries++) {
		ssize_t length = pread(fd, out, sizeof(out) - 1, 0);

		out[length < 0 ? 0 : length] = '\0';
		if (strstr(out, text))
			break;
		usleep(10000);
	}
	kill(pid, signal);
	close(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* The time is everybody's own. */
static const char *after_time(void)
{
	return strchr(out, ' ') ? strchr(out, ' ') + 1 : out;
}

/* Who had it, and how long its users will wait. */
static void test_held(void **state)
{
	struct blktap_tap *tap = kernel_add(3, 0);
	char path[PATH_MAX];
	FILE *file;

	(void)state;
	tap->disk_state = BLKTAP_DISK_STATE_LIVE;
	tap->capacity = 4096;
	tap->recovery = BLKTAP_RECOVERY_HELD;
	tap->has_hold_left = true;
	tap->hold_left_ms = 29000;
	assert_int_equal(run(&command_list, OPTIONS(.json = true)), 0);
	assert_string_equal(out, "[{\"minor\":3,\"recovery\":\"held\",\"hold_left_ms\":29000}]\n");
	assert_int_equal(run(&command_list, OPTIONS(.pid = 0)), 0);
	assert_string_equal(out, "minor=3\n");
	snprintf(path, sizeof(path), "%s/tap3.json", control_dir);
	file = fopen(path, "we");
	fputs("{\"minor\":3,\"pid\":44,\"image\":\"aio:/x\",\"read_only\":false,"
	      "\"no_direct\":false,\"kernel_io\":\"off\",\"request_timeout_ms\":0,"
	      "\"spin_us\":0,\"restart\":true,\"paused\":false}", file);
	fclose(file);
	assert_int_equal(run(&command_info, MINOR(3, .json = true)), 0);
	assert_non_null(strstr(out, "\"recovery\":\"held\",\"hold_left_ms\":29000"));
	assert_non_null(strstr(out, "\"on_timeout\":\"report\""));
	assert_non_null(strstr(out, "\"record\":{\"pid\":44,\"image\":\"aio:/x\",\"restart\":true,"
			       "\"paused\":false}"));
	kernel_event(BLKTAP_EVENT_DAEMON_LOST, 7, 1);
	kernel.events[0].tap = *tap;
	assert_int_equal(run_until(&command_monitor, OPTIONS(.pid = 0), "\n", SIGTERM), 0);
	assert_string_equal(after_time(), "seq=7 event=daemon-lost minor=3 disk=live capacity=4096 "
			    "openers=0 recovery=held hold_left_ms=29000\n");
}

/* A dead tapdisk's disks go to one; the others do not. */
static void test_recover_all(void **state)
{
	struct blktap_tap *tap;
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		tap = kernel_add(i, 0);
		tap->disk_state = BLKTAP_DISK_STATE_LIVE;
		tap->recovery = i == 3 ? BLKTAP_RECOVERY_FAILED : BLKTAP_RECOVERY_HELD;
	}
	/* Without records all that wait are tried, and the first failure is the outcome. */
	assert_int_equal(run(&command_recover, OPTIONS(.pid = 0)), -ENOENT);
	assert_string_equal(err.text, "tapdev0: there is no record of its image");
	assert_string_equal(out, "");
	assert_int_equal(run(&command_recover, OPTIONS(.image = "aio:/x")), -EINVAL);
	for (i = 0; i < 3; i++)
		kernel.taps[i].recovery = BLKTAP_RECOVERY_NONE;
	assert_int_equal(run(&command_recover, OPTIONS(.pid = 0)), 0);
}

static void test_monitor(void **state)
{
	(void)state;
	kernel_event(BLKTAP_EVENT_ALLOCATED, 7, 1);
	kernel.events[0].tap.pid = 44;
	assert_int_equal(run_until(&command_monitor, OPTIONS(.pid = 0), "\n", SIGTERM), 0);
	assert_string_equal(after_time(), "seq=7 event=allocated minor=1 pid=44 disk=none\n");
	assert_int_equal(strncmp(out, "time=2", 6), 0);
}

static void test_monitor_dropped(void **state)
{
	(void)state;
	kernel_event(BLKTAP_EVENT_EXTENT_DROPPED, 7, 1);
	kernel.events[0].extent_offset = 8192;
	kernel.events[0].extent_length = 4096;
	kernel.events[0].error = EIO;
	assert_int_equal(run_until(&command_monitor, OPTIONS(.pid = 0), "\n", SIGTERM), 0);
	assert_string_equal(after_time(), "seq=7 event=extent-dropped minor=1 disk=none "
			    "offset=8192 length=4096 error=Input/output error\n");
}

static void test_monitor_loses(void **state)
{
	(void)state;
	kernel_add(5, 0);
	kernel_add(6, 0);
	kernel_event(BLKTAP_EVENT_UNSPEC, 0, 0);
	assert_int_equal(run_until(&command_monitor, MINOR(6, .json = true), "state",
				   SIGINT), 0);
	assert_non_null(strstr(out, "\"event\":\"lost\"}\n"));
	assert_non_null(strstr(out, "\"event\":\"state\",\"minor\":6,\"disk\":\"none\"}\n"));
	assert_null(strstr(out, "\"minor\":5"));
}

/* As in a background job of a script. */
static void test_monitor_with_ignored_signal(void **state)
{
	(void)state;
	signal(SIGINT, SIG_IGN);
	kernel_event(BLKTAP_EVENT_ALLOCATED, 7, 1);
	assert_int_equal(run_until(&command_monitor, OPTIONS(.pid = 0), "\n", SIGINT), 0);
	signal(SIGINT, SIG_DFL);
}

static void test_top(void **state)
{
	struct fake fake = { .pid = 9, .answer = ANSWER("{\"vbds\":[" VBD(3) "]}") };

	(void)state;
	fake_start(&fake);
	assert_int_equal(run(&command_top, OPTIONS(.batch = true, .iterations = 2, .delay_ms = 100)),
			 0);
	assert_non_null(strstr(out, "MINOR"));
	assert_non_null(strstr(out, "  aio:/x\n"));
	assert_int_equal(run(&command_top, OPTIONS(.json = true, .iterations = 1, .delay_ms = 100)),
			 0);
	assert_non_null(strstr(out, "\"disks\":[{\"minor\":3,\"pid\":9,\"image\":\"aio:/x\""));
	assert_int_equal(run_until(&command_top, OPTIONS(.delay_ms = 200), "\n\n", SIGTERM), 0);
	fake_stop(&fake);
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, set_up, remove_control_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_spaced),
		TEST(test_list),
		TEST(test_allocate),
		TEST(test_stats),
		TEST(test_resize),
		TEST(test_kernel_io),
		TEST(test_kernel_counts),
		TEST(test_info),
		TEST(test_held),
		TEST(test_recover_all),
		TEST(test_check),
		TEST(test_monitor),
		TEST(test_monitor_dropped),
		TEST(test_monitor_loses),
		TEST(test_monitor_with_ignored_signal),
		TEST(test_top),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

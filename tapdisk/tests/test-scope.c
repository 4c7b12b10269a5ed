// SPDX-License-Identifier: GPL-2.0-only
/*
 * What this process asks of systemd, which may not answer: a thread plays it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "../scope.h"

#ifdef TAPDISK_SYSTEMD
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <systemd/sd-bus.h>

#include "deadline.h"

#define LIMIT_MS	300
#define PATIENCE_MS	10000	/* for what takes LIMIT_MS, on a busy machine */

#define JOB	"/org/freedesktop/systemd1/job/7"
#define MANAGER_PATH	"/org/freedesktop/systemd1"
#define MANAGER_IFACE	"org.freedesktop.systemd1.Manager"

static struct manager {
	int listener;
	pthread_t thread;
	bool silent;		/* does not even accept */
	bool mute;		/* does not answer calls */
	const char *refusal;	/* its answer; NULL: the job */
	const char *result;	/* of the job; NULL: it does not end */
	unsigned int asked;	/* for scopes */
	uint32_t pid;		/* of the last */
} manager;

static char directory[64];
static char address[128];
static struct blktap_error err;

/* ------------------------------------------------------------------ the manager */

static int end_job(sd_bus *bus, const char *unit)
{
	if (!manager.result)
		return 1;
	return sd_bus_emit_signal(bus, MANAGER_PATH, MANAGER_IFACE, "JobRemoved", "uoss", 7, JOB,
				  unit, manager.result);
}

static int start_unit(sd_bus_message *message)
{
	const char *unit, *mode, *name, *type;
	int ret;

	manager.asked++;
	if (manager.refusal)
		return sd_bus_reply_method_errorf(message, SD_BUS_ERROR_FAILED, "%s",
						  manager.refusal);
	sd_bus_message_read(message, "ss", &unit, &mode);
	sd_bus_message_enter_container(message, 'a', "(sv)");
	while (sd_bus_message_enter_container(message, 'r', "sv") > 0) {
		sd_bus_message_read(message, "s", &name);
		sd_bus_message_peek_type(message, NULL, &type);
		if (strcmp(name, "PIDs") == 0)
			sd_bus_message_read(message, "v", "au", 1, &manager.pid);
		else
			sd_bus_message_skip(message, "v");
		sd_bus_message_exit_container(message);
	}
	ret = sd_bus_reply_method_return(message, "o", JOB);
	return ret < 0 ? ret : end_job(sd_bus_message_get_bus(message), unit);
}

static int answer(sd_bus_message *message, void *data, sd_bus_error *error)
{
	(void)data;
	(void)error;
	if (manager.mute)
		return 1;
	if (sd_bus_message_is_method_call(message, MANAGER_IFACE, "StartTransientUnit"))
		return start_unit(message);
	/* If it is a bus that is played. */
	if (sd_bus_message_is_method_call(message, "org.freedesktop.DBus", "Hello"))
		return sd_bus_reply_method_return(message, "s", ":1.7");
	return sd_bus_reply_method_return(message, NULL);
}

static void serve(int fd)
{
	sd_bus *bus;
	int ret;

	sd_bus_new(&bus);
	sd_bus_set_fd(bus, fd, fd);
	sd_bus_set_server(bus, 1, SD_ID128_MAKE(1, 2, 3, 4, 5, 6, 7, 8, 9, a, b, c, d, e, f, 0));
	sd_bus_start(bus);
	sd_bus_add_filter(bus, NULL, answer, NULL);
	do {
		ret = sd_bus_process(bus, NULL);
		if (ret == 0)
			ret = sd_bus_wait(bus, UINT64_MAX);
	} while (ret >= 0);
	sd_bus_unref(bus);
}

static void *run_manager(void *arg)
{
	int fd;

	while ((fd = accept(manager.listener, NULL, NULL)) >= 0)
		serve(fd);
	return arg;
}

static void start_manager(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	snprintf(name.sun_path, sizeof(name.sun_path), "%s/private", directory);
	manager.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(manager.listener, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(manager.listener, 16), 0);
	if (!manager.silent)
		assert_int_equal(pthread_create(&manager.thread, NULL, run_manager, NULL), 0);
}

static int set_up(void **state)
{
	(void)state;
	manager = (struct manager){ .listener = -1, .result = "done" };
	strcpy(directory, "/tmp/test-scope-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(address, sizeof(address), "unix:path=%s/private", directory);
	return setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere", 1);
}

static int tear_down(void **state)
{
	char path[128];

	(void)state;
	if (manager.thread) {
		shutdown(manager.listener, SHUT_RDWR);
		pthread_join(manager.thread, NULL);
	}
	close(manager.listener);
	snprintf(path, sizeof(path), "%s/private", directory);
	unlink(path);
	return rmdir(directory);
}

/* ----------------------------------------------------------------------- tests */

static void test_moves(void **state)
{
	(void)state;
	start_manager();
	assert_int_equal(scope_move(address, PATIENCE_MS, &err), 0);
	assert_int_equal(manager.asked, 1);
	assert_int_equal(manager.pid, getpid());
}

static void test_by_the_bus(void **state)
{
	(void)state;
	start_manager();
	setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
	assert_int_equal(scope_move("unix:path=/nowhere", PATIENCE_MS, &err), 0);
	assert_int_equal(manager.asked, 1);
}

static void test_refused(void **state)
{
	(void)state;
	manager.refusal = "not today";
	start_manager();
	assert_true(scope_move(address, PATIENCE_MS, &err) < 0);
	assert_non_null(strstr(err.text, ".scope: systemd does not give one"));
	assert_non_null(strstr(err.text, "not today"));
}

static void test_job_fails(void **state)
{
	(void)state;
	manager.result = "failed";
	start_manager();
	assert_int_equal(scope_move(address, PATIENCE_MS, &err), -ECANCELED);
}

static void test_nobody_there(void **state)
{
	(void)state;
	assert_true(scope_move(address, PATIENCE_MS, &err) < 0);
}

static void assert_in_time(const char *where)
{
	int64_t begin = deadline_now();

	assert_int_equal(scope_move(where, LIMIT_MS, &err), -ETIMEDOUT);
	assert_in_range(deadline_now() - begin, LIMIT_MS / 2, PATIENCE_MS);
}

/* It is stuck: the connection waits for nobody to take it. */
static void test_silence(void **state)
{
	(void)state;
	manager.silent = true;
	start_manager();
	assert_in_time(address);
}

static void test_silence_of_the_bus(void **state)
{
	(void)state;
	manager.silent = true;
	start_manager();
	setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
	assert_in_time("unix:path=/nowhere");
}

static void test_no_answer(void **state)
{
	(void)state;
	manager.mute = true;
	start_manager();
	assert_in_time(address);
}

static void test_job_takes_too_long(void **state)
{
	(void)state;
	manager.result = NULL;
	start_manager();
	assert_in_time(address);
	assert_int_equal(manager.asked, 1);
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_moves),
		TEST(test_by_the_bus),
		TEST(test_refused),
		TEST(test_job_fails),
		TEST(test_nobody_there),
		TEST(test_silence),
		TEST(test_silence_of_the_bus),
		TEST(test_no_answer),
		TEST(test_job_takes_too_long),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
static void test_no_systemd(void **state)
{
	(void)state;
	skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_no_systemd) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif

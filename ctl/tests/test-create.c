// SPDX-License-Identifier: GPL-2.0-only
/*
 * create, all or nothing. The kernel is played by the functions below, and
 * tapdisk by this program itself; both write down what they are asked to do.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../ctl.h"
#include "../output.h"

static char dir[64];

static void note(const char *what)
{
	char path[PATH_MAX], line[64];
	int fd;

	snprintf(path, sizeof(path), "%s/log", getenv("BLKTAP_CONTROL_DIR"));
	snprintf(line, sizeof(line), "%s\n", what);
	fd = open(path, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
	if (write(fd, line, strlen(line)) < 0)
		abort();
	close(fd);
}

static bool is_set(const char *variable, const char *value)
{
	const char *set = getenv(variable);

	return set && strcmp(set, value) == 0;
}

/* ------------------------------------------------------------------ the kernel */

int blktap_nl_open(struct blktap_nl **nl, struct blktap_error *err)
{
	(void)err;
	*nl = NULL;
	return 0;
}

void blktap_nl_close(struct blktap_nl *nl)
{
	(void)nl;
}

int blktap_nl_allocate(struct blktap_nl *nl, const struct blktap_tap_params *params,
		       struct blktap_tap *tap, struct blktap_error *err)
{
	(void)nl;
	(void)params;
	if (is_set("FAIL", "allocate"))
		return blktap_error_set(err, -ENOSPC, "no minor is left");
	note("allocate");
	tap->minor = 3;
	return 0;
}

int blktap_nl_free(struct blktap_nl *nl, unsigned int minor, bool force, int timeout_ms,
		   struct blktap_error *err)
{
	static int calls;

	(void)nl;
	(void)force;
	(void)minor;
	(void)timeout_ms;
	/* Somebody probes the disk that is going. */
	if (is_set("FAIL", "free") && !calls++)
		return blktap_error_set(err, -EBUSY, "minor 3: the disk is open");
	note("free");
	return 0;
}

int blktap_nl_end_session(struct blktap_nl *nl, unsigned int minor, pid_t pid, bool force,
			  struct blktap_error *err)
{
	(void)nl;
	(void)minor;
	(void)pid;
	(void)force;
	return blktap_error_set(err, -ENOSYS, "not played");
}

int blktap_nl_list(struct blktap_nl *nl, struct blktap_tap **taps, size_t *count,
		   struct blktap_error *err)
{
	(void)nl;
	(void)taps;
	(void)count;
	return blktap_error_set(err, -ENOSYS, "not played");
}

int blktap_nl_get(struct blktap_nl *nl, unsigned int minor, struct blktap_tap *tap,
		  struct blktap_error *err)
{
	(void)nl;
	(void)minor;
	(void)tap;
	return blktap_error_set(err, -ENOSYS, "not played");
}

int blktap_nl_features(struct blktap_nl *nl, struct blktap_features *features,
		       struct blktap_error *err)
{
	(void)nl;
	(void)features;
	return blktap_error_set(err, -ENOSYS, "not played");
}

int blktap_nl_subscribe(struct blktap_nl *nl, struct blktap_error *err)
{
	(void)nl;
	return blktap_error_set(err, -ENOSYS, "not played");
}

int blktap_nl_fd(const struct blktap_nl *nl)
{
	(void)nl;
	return -1;
}

int blktap_nl_next_event(struct blktap_nl *nl, struct blktap_event_msg *msg,
			 struct blktap_error *err)
{
	(void)nl;
	(void)msg;
	return blktap_error_set(err, -ENOSYS, "not played");
}

/* --------------------------------------------------------------------- tapdisk */

/* Returns false when it has been asked to leave. */
static bool serve(int fd)
{
	static const char done[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n";
	static const char refused[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-21,"
		"\"message\":\"/x is a directory\",\"data\":{\"errno\":21}}}\n";
	struct blktap_rpc_request req;
	char line[4096];
	ssize_t length = read(fd, line, sizeof(line));
	bool stay;

	if (length <= 0 || blktap_rpc_parse(line, length - 1, &req, NULL))
		return true;
	note(req.method);
	while (is_set("HANG", req.method))
		pause();
	if (is_set("FAIL", req.method))
		send(fd, refused, sizeof(refused) - 1, MSG_NOSIGNAL);
	else
		send(fd, done, sizeof(done) - 1, MSG_NOSIGNAL);
	stay = strcmp(req.method, "detach") != 0;
	blktap_rpc_request_free(&req);
	return stay;
}

static void terminated(int signal)
{
	(void)signal;
	if (getenv("STUBBORN"))
		return;
	note("ended by a signal");
	_exit(0);
}

static int be_tapdisk(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener, fd;
	bool stay = true;

	if (is_set("FAIL", "spawn"))
		return 5;
	if (fork())
		_exit(0);
	signal(SIGTERM, terminated);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	blktap_control_path(address.sun_path, sizeof(address.sun_path), getpid());
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 8))
		return 1;
	note("spawn");
	dprintf(3, "{\"pid\":%d,\"control\":\"%s\"}\n", (int)getpid(), address.sun_path);
	close(3);
	alarm(60);
	while (stay) {
		fd = accept(listener, NULL, NULL);
		stay = serve(fd);
		close(fd);
	}
	note("left");
	_exit(0);
}

/* ----------------------------------------------------------------------- tests */

static const char *read_file(const char *name)
{
	static char text[4096];
	char path[PATH_MAX];
	size_t length = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "re");
	if (file) {
		length = fread(text, 1, sizeof(text) - 1, file);
		fclose(file);
	}
	text[length] = '\0';
	return text;
}

static pid_t start_create(void)
{
	struct options options = {
		.minor = -1, .timeout_ms = -1, .image = "aio:/x", .link = getenv("LINK"),
	};
	struct blktap_error err = { 0 };
	char path[PATH_MAX];
	pid_t pid;
	int ret;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	snprintf(path, sizeof(path), "%s/out", dir);
	if (getenv("FULL"))
		strcpy(path, "/dev/full");
	if (!freopen(path, "we", stdout))
		_exit(99);
	ret = command_create.run(&options, &err);
	exit(ret ? exit_status(ret) : 0);
}

static int finish(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int create(void)
{
	return finish(start_create());
}

static void wait_for(const char *what)
{
	int tries;

	for (tries = 0; tries < 400 && !strstr(read_file("log"), what); tries++)
		usleep(25000);
	assert_non_null(strstr(read_file("log"), what));
}

static void test_success(void **state)
{
	(void)state;
	assert_int_equal(create(), 0);
	assert_string_equal(read_file("out"), "/dev/xen/blktap-2/tapdev3\n");
	assert_string_equal(read_file("log"), "allocate\nspawn\nattach\nopen\n");
}

static void test_link(void **state)
{
	char link[PATH_MAX], expected[PATH_MAX + 1], found[PATH_MAX] = "";

	(void)state;
	snprintf(link, sizeof(link), "%s/disk", dir);
	snprintf(expected, sizeof(expected), "%s\n", link);
	setenv("LINK", link, 1);
	assert_int_equal(create(), 0);
	assert_string_equal(read_file("out"), expected);
	assert_true(readlink(link, found, sizeof(found) - 1) > 0);
	assert_string_equal(found, "/dev/xen/blktap-2/tapdev3");
}

static void test_link_is_undone(void **state)
{
	char link[PATH_MAX];

	(void)state;
	snprintf(link, sizeof(link), "%s/disk", dir);
	setenv("LINK", link, 1);
	setenv("FAIL", "open", 1);
	assert_int_equal(create(), EISDIR);
	assert_int_equal(readlink(link, &(char){ 0 }, 1), -1);
}

static void test_no_tap(void **state)
{
	(void)state;
	setenv("FAIL", "allocate", 1);
	assert_int_equal(create(), ENOSPC);
	assert_string_equal(read_file("log"), "");
}

static void test_no_tapdisk(void **state)
{
	(void)state;
	setenv("FAIL", "spawn", 1);
	assert_int_equal(create(), 1);
	assert_string_equal(read_file("log"), "allocate\nfree\n");
}

static void test_open_fails(void **state)
{
	(void)state;
	setenv("FAIL", "open", 1);
	assert_int_equal(create(), EISDIR);
	assert_string_equal(read_file("out"), "");
	wait_for("free");
	assert_non_null(strstr(read_file("log"), "allocate\nspawn\nattach\nopen\nclose\ndetach\n"));
}

static void test_free_is_repeated(void **state)
{
	(void)state;
	setenv("FAIL", "free", 1);
	setenv("FULL", "1", 1);
	assert_int_equal(create(), ENOSPC);
	assert_non_null(strstr(read_file("log"), "free\n"));
}

/* Nobody would know of the disk. */
static void test_output_fails(void **state)
{
	(void)state;
	setenv("FULL", "1", 1);
	assert_int_equal(create(), ENOSPC);
	assert_non_null(strstr(read_file("log"), "open\nclose\ndetach\n"));
	assert_non_null(strstr(read_file("log"), "free\n"));
}

static void test_signal(void **state)
{
	pid_t pid;

	(void)state;
	setenv("HANG", "open", 1);
	pid = start_create();
	wait_for("open\n");
	kill(pid, SIGTERM);
	/* The tapdisk hangs, so that closing and detaching lead nowhere. */
	assert_int_equal(finish(pid), -SIGTERM);
	assert_string_equal(read_file("out"), "");
	assert_non_null(strstr(read_file("log"), "ended by a signal\nfree\n"));
}

static void test_stubborn_tapdisk(void **state)
{
	pid_t pid;

	(void)state;
	setenv("HANG", "attach", 1);
	setenv("STUBBORN", "1", 1);
	pid = start_create();
	wait_for("attach\n");
	kill(pid, SIGINT);
	assert_int_equal(finish(pid), -SIGINT);
	assert_string_equal(read_file("log"), "allocate\nspawn\nattach\nfree\n");
}

/* As in a background job of a script. */
static void test_ignored_signal(void **state)
{
	pid_t pid;

	(void)state;
	signal(SIGINT, SIG_IGN);
	setenv("HANG", "attach", 1);
	pid = start_create();
	wait_for("attach\n");
	kill(pid, SIGINT);
	usleep(300000);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	signal(SIGINT, SIG_DFL);
	kill(pid, SIGTERM);
	assert_int_equal(finish(pid), -SIGTERM);
}

static int set_up(void **state)
{
	static const char *const variables[] = { "FAIL", "HANG", "FULL", "STUBBORN", "LINK" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(variables) / sizeof(*variables); i++)
		unsetenv(variables[i]);
	strcpy(dir, "/tmp/test-create-XXXXXX");
	return mkdtemp(dir) ? setenv("BLKTAP_CONTROL_DIR", dir, 1) : -1;
}

static int tear_down(void **state)
{
	char command[PATH_MAX];

	(void)state;
	/* The tapdisk of a success is told to leave; its last words may make the log anew. */
	snprintf(command, sizeof(command),
		 "for s in %s/ctl*; do kill ${s##*ctl}; done 2>/dev/null; "
		 "rm -rf %s 2>/dev/null || { sleep 0.5; rm -rf %s; }", dir, dir, dir);
	return system(command);
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_success),
		TEST(test_link),
		TEST(test_link_is_undone),
		TEST(test_no_tap),
		TEST(test_no_tapdisk),
		TEST(test_open_fails),
		TEST(test_free_is_repeated),
		TEST(test_output_fails),
		TEST(test_signal),
		TEST(test_stubborn_tapdisk),
		TEST(test_ignored_signal),
	};

	if (argc > 1 && strcmp(argv[1], "--ready-fd=3") == 0)
		return be_tapdisk();
	setenv("TAPDISK", "/proc/self/exe", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control socket and its connections.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../connection.h"
#include "../control.h"

#define LIST	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list\"}\n"
#define ANSWER	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"vbds\":[]}}\n"

static struct loop *loop;
static struct tapdisk tapdisk;
static struct control *control;
static struct blktap_error err;
static char directory[64];
static char path[128];
static bool stopped;

static void end(struct tapdisk *t)
{
	(void)t;
	stopped = true;
	control_finish(control);
}

static int set_up(void **state)
{
	(void)state;
	stopped = false;
	strcpy(directory, "/tmp/tapdisk-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/sub/ctl1", directory);
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(tapdisk_init(&tapdisk, loop), 0);
	tapdisk.end = end;
	assert_int_equal(control_new(&control, &tapdisk, path, &err), 0);
	return 0;
}

static int tear_down(void **state)
{
	char sub[96];

	(void)state;
	control_free(control);
	tapdisk_exit(&tapdisk);
	loop_free(loop);
	assert_int_equal(access(path, F_OK), -1);
	snprintf(sub, sizeof(sub), "%s/sub", directory);
	assert_int_equal(rmdir(sub), 0);
	return rmdir(directory);
}

static struct sockaddr_un address_of(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strcpy(address.sun_path, name);
	return address;
}

static int connect_client(void)
{
	struct sockaddr_un address = address_of(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (void *)&address, sizeof(address)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads until @size bytes or the end; turns the loop meanwhile. */
static size_t hear(int fd, char *buffer, size_t size)
{
	unsigned int idle = 0;
	size_t used = 0;

	while (used < size && idle < 50) {
		ssize_t done = recv(fd, buffer + used, size - used, 0);

		if (done == 0 || (done < 0 && errno == ECONNRESET))
			break;
		if (done > 0) {
			used += done;
			idle = 0;
			continue;
		}
		idle++;
		loop_turn(loop, 10);
	}
	return used;
}

static void expect(int fd, const char *text)
{
	size_t length = strlen(text);
	char *buffer = calloc(1, length + 1);

	assert_int_equal(hear(fd, buffer, length), length);
	assert_string_equal(buffer, text);
	free(buffer);
}

static void expect_end(int fd)
{
	char byte;
	ssize_t done;

	assert_int_equal(hear(fd, &byte, 1), 0);
	done = recv(fd, &byte, 1, 0);
	assert_true(done == 0 || (done < 0 && errno == ECONNRESET));
	close(fd);
}

static void test_one_request(void **state)
{
	int fd = connect_client();
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	say(fd, LIST);
	expect(fd, ANSWER);
	shutdown(fd, SHUT_WR);
	expect_end(fd);
}

static void test_byte_by_byte(void **state)
{
	static const char text[] = LIST LIST;
	int fd = connect_client();
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(text) - 1; i++) {
		assert_int_equal(send(fd, text + i, 1, MSG_NOSIGNAL), 1);
		loop_turn(loop, 0);
		loop_turn(loop, 0);
	}
	expect(fd, ANSWER ANSWER);
	close(fd);
	loop_turn(loop, 10);
}

/* Hundreds at once, all before the first answer is read, then half a close. */
static void test_pipelining(void **state)
{
	enum { COUNT = 2000 };
	size_t length = COUNT * strlen(ANSWER), i;
	char *buffer = malloc(length);
	int fd = connect_client();

	(void)state;
	for (i = 0; i < COUNT; i++) {
		while (send(fd, LIST, strlen(LIST), MSG_NOSIGNAL) < 0) {
			assert_int_equal(errno, EAGAIN);
			loop_turn(loop, 10);
		}
	}
	shutdown(fd, SHUT_WR);
	assert_int_equal(hear(fd, buffer, length), length);
	for (i = 0; i < COUNT; i++)
		assert_memory_equal(buffer + i * strlen(ANSWER), ANSWER, strlen(ANSWER));
	free(buffer);
	expect_end(fd);
}

/* A client that never reads is not read from for ever either, or hung up on. */
static void test_answers_are_bounded(void **state)
{
	static char text[16384];
	int fd = connect_client();
	size_t sent = 0, i;

	(void)state;
	for (i = 0; i + strlen(LIST) < sizeof(text); i += strlen(LIST))
		memcpy(text + i, LIST, strlen(LIST));
	for (;;) {
		ssize_t done = send(fd, text + sent % i, i - sent % i, MSG_NOSIGNAL);

		if (done > 0) {
			sent += done;
			assert_true(sent < 8 << 20);
			loop_turn(loop, 0);
		} else {
			size_t turns;

			for (turns = 0; turns < 100; turns++)
				loop_turn(loop, 1);
			if (send(fd, text + sent % i, 1, MSG_NOSIGNAL) < 0)
				break;
			sent++;
		}
	}
	close(fd);
	loop_turn(loop, 10);
}

static void note_closed(void *owner)
{
	*(bool *)owner = true;
}

static void say_some(int fd, const char *text, size_t length, size_t *sent)
{
	ssize_t done = send(fd, text + *sent % length, length - *sent % length, MSG_NOSIGNAL);

	if (done > 0)
		*sent += done;
}

/* One that reads, but never all of it, does not make the buffer grow for ever. */
static void test_always_behind(void **state)
{
	enum { ID_LENGTH = 1000, BEHIND = 128 << 10, MOST = 1 << 20, TOTAL = 4 * MOST };
	size_t sent = 0, taken = 0;
	char *text, answers[8192];
	struct connection *c;
	bool closed = false;
	int fds[2], length;
	ssize_t done;

	(void)state;
	length = asprintf(&text, "{\"jsonrpc\":\"2.0\",\"method\":\"list\",\"id\":\"%0*d\"}\n",
			  ID_LENGTH, 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(connection_new(&c, &tapdisk, fds[1], note_closed, &closed), 0);
	while (taken < TOTAL) {
		say_some(fds[0], text, length, &sent);
		loop_turn(loop, 0);
		if (c->out_used - c->out_sent < BEHIND)
			continue;
		done = recv(fds[0], answers, sizeof(answers), 0);
		assert_true(done > 0);
		taken += done;
		assert_true(c->out_size <= MOST);
	}
	free(text);
	close(fds[0]);
	while (!closed)
		loop_turn(loop, 10);
}

static void test_long_line(void **state)
{
	char *text = malloc(BLKTAP_RPC_MAX_LINE);
	int fd = connect_client();
	size_t sent = 0;
	char buffer[256] = "";

	(void)state;
	memset(text, 'x', BLKTAP_RPC_MAX_LINE);
	while (sent < BLKTAP_RPC_MAX_LINE) {
		ssize_t done = send(fd, text, BLKTAP_RPC_MAX_LINE - sent, MSG_NOSIGNAL);

		if (done > 0)
			sent += done;
		loop_turn(loop, 1);
	}
	free(text);
	hear(fd, buffer, sizeof(buffer) - 1);
	assert_non_null(strstr(buffer, "\"code\":-32600"));
	expect_end(fd);
}

/* Exactly the longest line that there can be. */
static void test_longest_line(void **state)
{
	char *text = malloc(BLKTAP_RPC_MAX_LINE);
	int fd = connect_client();
	size_t sent = 0;

	(void)state;
	memset(text, ' ', BLKTAP_RPC_MAX_LINE);
	memcpy(text + BLKTAP_RPC_MAX_LINE - strlen(LIST), LIST, strlen(LIST));
	while (sent < BLKTAP_RPC_MAX_LINE) {
		ssize_t done = send(fd, text + sent, BLKTAP_RPC_MAX_LINE - sent, MSG_NOSIGNAL);

		if (done > 0)
			sent += done;
		loop_turn(loop, 1);
	}
	free(text);
	expect(fd, ANSWER);
	close(fd);
	loop_turn(loop, 10);
}

static void test_too_many_clients(void **state)
{
	int fds[129], i;
	char buffer[256] = "";

	(void)state;
	for (i = 0; i < 129; i++) {
		fds[i] = connect_client();
		loop_turn(loop, 10);
	}
	hear(fds[128], buffer, sizeof(buffer) - 1);
	assert_non_null(strstr(buffer, "too many control connections"));
	say(fds[127], LIST);
	expect(fds[127], ANSWER);
	for (i = 0; i < 129; i++)
		close(fds[i]);
	for (i = 0; i < 10; i++)
		loop_turn(loop, 1);
	fds[0] = connect_client();
	say(fds[0], LIST);
	expect(fds[0], ANSWER);
	close(fds[0]);
	loop_turn(loop, 10);
}

/* What was said before the end is carried out. */
static void test_hang_up(void **state)
{
	int fd = connect_client();
	unsigned int i;

	(void)state;
	say(fd, LIST LIST "{\"jsonrpc\"");
	close(fd);
	for (i = 0; i < 5; i++)
		loop_turn(loop, 1);
	fd = connect_client();
	say(fd, LIST);
	expect(fd, ANSWER);
	close(fd);
	loop_turn(loop, 10);
}

/* With the writing end of a pipe that comes along @times; the reading end. */
static int say_with(int fd, const char *text, unsigned int times)
{
	char space[CMSG_SPACE(sizeof(int) * 8)] __attribute__((aligned(8))) = { 0 };
	struct iovec iov = { (char *)text, strlen(text) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = space, .msg_controllen = CMSG_SPACE(sizeof(int) * times),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	unsigned int i;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int) * times);
	for (i = 0; i < times; i++)
		memcpy(CMSG_DATA(cmsg) + i * sizeof(int), &fds[1], sizeof(int));
	assert_int_equal(sendmsg(fd, &msg, 0), iov.iov_len);
	close(fds[1]);
	return fds[0];
}

static void expect_closed(int fd)
{
	char byte;

	assert_int_equal(read(fd, &byte, 1), 0);
	close(fd);
}

static void test_passed_descriptor_is_closed(void **state)
{
	int fd = connect_client(), end, second;

	(void)state;
	end = say_with(fd, LIST, 1);
	expect(fd, ANSWER);
	expect_closed(end);
	end = say_with(fd, LIST, 8);
	expect(fd, ANSWER);
	expect_closed(end);
	/* more than are kept, with a request that does not get to its end */
	end = say_with(fd, "{", 3);
	second = say_with(fd, "{", 3);
	loop_turn(loop, 10);
	loop_turn(loop, 10);
	close(fd);
	loop_turn(loop, 10);
	expect_closed(end);
	expect_closed(second);
}

#define ATTACH	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"attach\",\"params\":" \
		"{\"minor\":3,\"descriptor\":true}}\n"
#define NOT_A_RING "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-71,\"message\":" \
		"\"the ring node of tap 3 is not a blktap ring\",\"data\":{\"errno\":71}}}\n"
#define NONE_CAME "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":" \
		"\"attach: no descriptor came along\",\"data\":{\"errno\":22}}}\n"

static void test_passed_descriptor_is_used(void **state)
{
	int fd = connect_client(), end, second;

	(void)state;
	end = say_with(fd, ATTACH, 1);
	expect(fd, NOT_A_RING);
	expect_closed(end);
	say(fd, ATTACH);
	expect(fd, NONE_CAME);
	/* one that an earlier request brought is gone */
	end = say_with(fd, LIST, 1);
	expect(fd, ANSWER);
	say(fd, ATTACH);
	expect(fd, NONE_CAME);
	expect_closed(end);
	/* each has its own */
	end = say_with(fd, ATTACH, 1);
	second = say_with(fd, ATTACH LIST, 1);
	expect(fd, NOT_A_RING);
	expect(fd, NOT_A_RING);
	expect(fd, ANSWER);
	expect_closed(end);
	expect_closed(second);
	close(fd);
	loop_turn(loop, 10);
}

static void test_live_socket_is_respected(void **state)
{
	struct control *second;

	(void)state;
	assert_int_equal(control_new(&second, &tapdisk, path, &err), -EADDRINUSE);
	assert_null(second);
	assert_int_equal(access(path, F_OK), 0);
}

static void test_stale_socket_is_replaced(void **state)
{
	struct control *second;
	struct sockaddr_un address;
	char stale[96];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	snprintf(stale, sizeof(stale), "%s/ctl2", directory);
	address = address_of(stale);
	assert_int_equal(bind(fd, (void *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(control_new(&second, &tapdisk, stale, &err), 0);
	control_free(second);
	assert_int_equal(access(stale, F_OK), -1);

	fd = open(stale, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	assert_int_equal(control_new(&second, &tapdisk, stale, &err), -EEXIST);
	assert_int_equal(unlink(stale), 0);
}

static void test_long_path(void **state)
{
	struct control *second;
	char name[200];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(control_new(&second, &tapdisk, name, &err), -ENAMETOOLONG);
}

/* The answer gets out before the loop ends, and the socket is gone by then. */
static void test_finish(void **state)
{
	int fd = connect_client();

	(void)state;
	say(fd, LIST);
	expect(fd, ANSWER);
	say(fd, LIST);
	tapdisk_terminate(&tapdisk);
	assert_int_equal(loop_run(loop), 0);
	assert_true(stopped);
	assert_int_equal(access(path, F_OK), -1);
	expect(fd, ANSWER);
	close(fd);
}

/* Modes are the first lock, this is the second: whoever gets past that. */
static void test_other_user(void **state)
{
	char sub[96], answer[256] = "";
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(sub, sizeof(sub), "%s/sub", directory);
	assert_int_equal(chmod(directory, 0755) | chmod(sub, 0755) | chmod(path, 0666), 0);
	assert_int_equal(seteuid(65534), 0);
	fd = connect_client();
	assert_int_equal(seteuid(0), 0);
	say(fd, LIST);
	hear(fd, answer, sizeof(answer) - 1);
	assert_non_null(strstr(answer, "\"code\":-13"));
	assert_non_null(strstr(answer, "not permitted"));
	expect_end(fd);
}

/* Without descriptors a client waits, and the loop does not spin for him. */
static void test_no_descriptors(void **state)
{
	struct rlimit old, none;
	int fd = connect_client(), next = dup(0);
	unsigned int turns = 0;
	struct timespec begin, now;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	close(next);
	none = (struct rlimit){ next, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	say(fd, LIST);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		loop_turn(loop, 300);
		turns++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - begin.tv_sec < 1 && turns < 100);
	assert_true(turns < 100);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	expect(fd, ANSWER);
	close(fd);
	loop_turn(loop, 10);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	TEST(test_one_request),
	TEST(test_byte_by_byte),
	TEST(test_pipelining),
	TEST(test_answers_are_bounded),
	TEST(test_always_behind),
	TEST(test_long_line),
	TEST(test_longest_line),
	TEST(test_too_many_clients),
	TEST(test_other_user),
	TEST(test_no_descriptors),
	TEST(test_hang_up),
	TEST(test_passed_descriptor_is_closed),
	TEST(test_passed_descriptor_is_used),
	TEST(test_live_socket_is_respected),
	TEST(test_stale_socket_is_replaced),
	TEST(test_long_path),
	TEST(test_finish),
};

int main(void)
{
	blktap_log_init("test", BLKTAP_LOG_STDERR, LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

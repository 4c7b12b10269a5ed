// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Whoever reads the log may wait for a disk of the one who writes it.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "libblktap.h"

#define MESSAGES	3000U

static int error_output = -1;	/* the real one */
static int rival = -1;		/* fills the pipe when somebody else has seen room in it */

static void fill(int fd)
{
	static const char bytes[4096];

	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
	while (write(fd, bytes, 1) > 0)
		;
	assert_int_equal(errno, EAGAIN);
}

/* Another name in C, as the header says of poll() that it only writes. */
int fake_poll(struct pollfd *fds, nfds_t count, int timeout_ms) __asm__("poll");

int fake_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	int ret;

	assert_int_equal(timeout_ms, 0);
	ret = ppoll(fds, count, &(struct timespec){ 0 }, NULL);
	if (ret > 0 && rival >= 0)
		fill(rival);
	return ret;
}

static void init(void)
{
	blktap_log_init("test", BLKTAP_LOG_STDERR, LOG_INFO);
}

static void divert(int fd)
{
	error_output = dup(STDERR_FILENO);
	dup2(fd, STDERR_FILENO);
	init();
}

static int undivert(void **state)
{
	(void)state;
	if (error_output >= 0) {
		dup2(error_output, STDERR_FILENO);
		close(error_output);
		error_output = -1;
	}
	init();
	return 0;
}

static void log_many(unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		blktap_log(LOG_INFO, "message %0600u", i);
}

/* The lines that are there now, each of them whole. */
static unsigned int count_lines(int fd)
{
	unsigned int lines = 0;
	FILE *file;
	char line[2000];

	fcntl(fd, F_SETFL, O_NONBLOCK);
	file = fdopen(dup(fd), "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		assert_int_equal(strlen(line), strlen("test: message ") + 601);
		lines++;
	}
	fclose(file);
	return lines;
}

static void expect(int fd, const char *text)
{
	char line[2000];
	ssize_t length = read(fd, line, sizeof(line) - 1);

	assert_true(length > 0);
	line[length] = '\0';
	assert_string_equal(line, text);
}

static void assert_never_waits(int reader, int writer)
{
	unsigned int told;
	char text[100];

	divert(writer);
	log_many(MESSAGES);
	undivert(NULL);
	told = count_lines(reader);
	assert_in_range(told, 1, MESSAGES - 1);
	divert(writer);
	blktap_log(LOG_INFO, "and so on");
	blktap_log(LOG_INFO, "and on");
	undivert(NULL);
	snprintf(text, sizeof(text), "test: %u messages before this one are lost\n"
		 "test: and so on\ntest: and on\n", MESSAGES - told);
	expect(reader, text);
	close(reader);
	close(writer);
}

/* As standard error of a service is, which goes to the journal. */
static void test_full_socket(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_never_waits(fds[0], fds[1]);
}

static void test_full_pipe(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_never_waits(fds[0], fds[1]);
}

static int open_again(int fd)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}

static void drain(int fd)
{
	char bytes[4096];

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
	assert_int_equal(errno, EAGAIN);
}

/* Two see the last room in it, and this one comes too late. */
static void test_pipe_full_meanwhile(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	divert(fds[1]);
	rival = open_again(fds[1]);
	assert_true(rival >= 0);
	blktap_log(LOG_INFO, "nobody reads this");
	close(rival);
	rival = -1;
	/* Nobody else's writes are changed by that. */
	assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
	drain(fds[0]);
	blktap_log(LOG_INFO, "but this");
	undivert(NULL);
	expect(fds[0], "test: 1 messages before this one are lost\ntest: but this\n");
	/* The log does not keep it open. */
	close(fds[1]);
	assert_int_equal(read(fds[0], &(char){ 0 }, 1), 0);
	close(fds[0]);
}

static void test_file(void **state)
{
	char name[] = "/tmp/test-log-XXXXXX";
	int fd = mkstemp(name);

	(void)state;
	unlink(name);
	divert(fd);
	log_many(MESSAGES);
	undivert(NULL);
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(count_lines(fd), MESSAGES);
	close(fd);
}

static void test_level(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	divert(fds[1]);
	blktap_log(LOG_DEBUG, "not this one");
	blktap_log(LOG_ERR, "a name\n of \033[2J others");
	undivert(NULL);
	expect(fds[0], "test: a name? of ?[2J others\n");
	close(fds[0]);
	close(fds[1]);
}

#define TEST(test)	cmocka_unit_test_teardown(test, undivert)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_full_socket),
		TEST(test_full_pipe),
		TEST(test_pipe_full_meanwhile),
		TEST(test_file),
		TEST(test_level),
	};

	init();
	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

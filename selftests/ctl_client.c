// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctl_client SOCKET MODE [ARGUMENT]
 *
 * A client of the control protocol with bad manners:
 *   ask LINE        sends the line, prints the answer
 *   file PATH       the same with the line in a file
 *   script PATH     sends all lines of a file at once; fails if an answer is an error
 *   pass PATH       sends the lines of its input, each with the same open file of PATH and
 *                   after the answer to the one before, prints the answers
 *   slow LINE       the same as ask, one byte at a time
 *   shut LINE       the same, and closes its writing side before it reads
 *   quiet LINE      the same with a line that is not answered: waits for the end
 *   linger PATH     sends the lines of a file, each after the answer to the one before,
 *                   prints the answers, and stays
 *   vanish LINE     sends the line and leaves
 *   mute            says nothing
 *   half            sends half a line
 *   deaf N          sends N requests and reads nothing
 *   long N          sends a line of N bytes, prints the answer
 *   pipeline N      sends N requests, reads N answers
 *   crowd N         N connections at once, with a request on each
 *   steady SECONDS  a request every 20 ms: how long the slowest took
 *
 * linger, mute, half and deaf wait until the server hangs up, at most 30 s. What they and
 * the others saw is printed as KEY=VALUE. Exit status 1: no answer, or not the
 * right one.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LIST		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list\"}\n"
#define PATIENCE_MS	30000
#define MAX_ANSWER	(2 << 20)

static const char *path;
static char answer[MAX_ANSWER + 1];

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static int call(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		errx(2, "%s: too long", path);
	strcpy(address.sun_path, path);
	if (fd < 0 || connect(fd, (void *)&address, sizeof(address)) != 0)
		err(1, "%s", path);
	return fd;
}

static void say(int fd, const char *text, size_t length)
{
	while (length) {
		ssize_t done = send(fd, text, length, MSG_NOSIGNAL);

		if (done < 0)
			err(1, "send");
		text += done;
		length -= done;
	}
}

/* Waits for something to read until @limit: false if there was nothing. */
static bool wait_until(int fd, long long limit)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	long long left = limit - now_ms();

	return left > 0 && poll(&pfd, 1, left) == 1;
}

/* Takes one line into answer[], and nothing of the next. */
static bool hear_line(int fd)
{
	long long limit = now_ms() + PATIENCE_MS;
	size_t used = 0;
	char *end = NULL;

	while (!end && used < MAX_ANSWER && wait_until(fd, limit)) {
		ssize_t done = recv(fd, answer + used, MAX_ANSWER - used, MSG_PEEK);

		if (done <= 0)
			break;
		end = memchr(answer + used, '\n', done);
		if (end)
			done = end + 1 - (answer + used);
		if (recv(fd, answer + used, done, 0) != done)
			err(1, "recv");
		used += done;
	}
	answer[used] = '\0';
	return end;
}

/* How many of @lines come in; the last is in answer[]. */
static unsigned int hear(int fd, unsigned int lines)
{
	unsigned int count = 0;

	while (count < lines && hear_line(fd))
		count++;
	return count;
}

static int print_answer(int fd)
{
	unsigned int count = hear(fd, 1);

	fputs(answer, stdout);
	return count == 1 ? 0 : 1;
}

/* How long it takes the server to hang up; nothing is read that it sends. */
static int wait_for_end(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLRDHUP };
	long long start = now_ms();
	int ret = poll(&pfd, 1, PATIENCE_MS);

	printf("hangup_ms=%lld\n", now_ms() - start);
	return ret == 1 ? 0 : 1;
}

static char *with_newline(const char *line)
{
	char *text;

	if (asprintf(&text, "%s\n", line) < 0)
		err(1, "asprintf");
	return text;
}

/* ------------------------------------------------------------------ the modes */

static int do_ask(const char *line)
{
	char *text = with_newline(line);
	int fd = call();

	say(fd, text, strlen(text));
	return print_answer(fd);
}

static int do_file(const char *name)
{
	static char line[MAX_ANSWER + 1];
	FILE *file = fopen(name, "re");

	if (!file)
		err(1, "%s", name);
	line[fread(line, 1, MAX_ANSWER, file)] = '\0';
	fclose(file);
	return do_ask(line);
}

/* Answers are few bytes each: those to come are counted by their newlines. */
static int do_script(const char *name)
{
	unsigned int lines = 0, failed = 0;
	static char text[MAX_ANSWER + 1], *c;
	FILE *file = fopen(name, "re");
	int fd = call();

	if (!file)
		err(1, "%s", name);
	text[fread(text, 1, MAX_ANSWER, file)] = '\0';
	fclose(file);
	say(fd, text, strlen(text));
	for (c = text; *c; c++)
		lines += *c == '\n';
	for (; lines; lines--) {
		if (!hear(fd, 1))
			return 1;
		if (strstr(answer, "\"error\"")) {
			fputs(answer, stdout);
			failed++;
		}
	}
	return failed ? 1 : 0;
}

static int do_linger(const char *name)
{
	FILE *file = fopen(name, "re");
	char *line = NULL;
	size_t size = 0;
	int fd = call();

	if (!file)
		err(1, "%s", name);
	while (getline(&line, &size, file) > 0) {
		say(fd, line, strlen(line));
		if (print_answer(fd))
			return 1;
	}
	fclose(file);
	free(line);
	return wait_for_end(fd);
}

static void say_with(int fd, const char *line, int passed)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec text = { (char *)line, strlen(line) };
	struct msghdr message = {
		.msg_iov = &text, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &passed, sizeof(int));
	if (sendmsg(fd, &message, MSG_NOSIGNAL) != (ssize_t)text.iov_len)
		err(1, "sendmsg");
}

static int do_pass(const char *name)
{
	int fd = call(), passed = open(name, O_RDWR | O_CLOEXEC), ret = 0;
	char *line = NULL;
	size_t size = 0;

	if (passed < 0)
		err(1, "%s", name);
	while (!ret && getline(&line, &size, stdin) > 0) {
		say_with(fd, line, passed);
		ret = print_answer(fd);
	}
	free(line);
	return ret;
}

static int do_slow(const char *line)
{
	char *text = with_newline(line), *c;
	int fd = call();

	for (c = text; *c; c++) {
		say(fd, c, 1);
		usleep(10000);
	}
	return print_answer(fd);
}

static int do_shut(const char *line)
{
	char *text = with_newline(line);
	int fd = call();

	say(fd, text, strlen(text));
	shutdown(fd, SHUT_WR);
	return print_answer(fd);
}

static int do_quiet(const char *line)
{
	char *text = with_newline(line), byte;
	int fd = call();

	say(fd, text, strlen(text));
	shutdown(fd, SHUT_WR);
	return wait_until(fd, now_ms() + PATIENCE_MS / 3) && recv(fd, &byte, 1, 0) == 0 ? 0 : 1;
}

static int do_vanish(const char *line)
{
	char *text = with_newline(line);

	say(call(), text, strlen(text));
	return 0;
}

static int do_mute(const char *unused)
{
	(void)unused;
	return wait_for_end(call());
}

static int do_half(const char *unused)
{
	int fd = call();

	(void)unused;
	say(fd, LIST, strlen(LIST) / 2);
	return wait_for_end(fd);
}

/* Sends as much as the server takes in. */
static int do_deaf(const char *number)
{
	unsigned int i, count = strtoul(number, NULL, 10);
	long long limit = now_ms() + PATIENCE_MS;
	int fd = call();

	for (i = 0; i < count && now_ms() < limit; i++) {
		struct pollfd pfd = { .fd = fd, .events = POLLOUT };

		if (poll(&pfd, 1, 1000) < 0 || (pfd.revents & (POLLHUP | POLLERR)))
			break;
		if (pfd.revents && send(fd, LIST, strlen(LIST), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
		    errno != EAGAIN)
			break;
	}
	printf("sent=%u\n", i);
	return wait_for_end(fd);
}

static int do_long(const char *number)
{
	size_t length = strtoul(number, NULL, 10);
	char *text = malloc(length);
	int fd = call();

	if (!text)
		err(1, "malloc");
	memset(text, ' ', length);
	/* It may hang up before it has all. */
	while (length) {
		ssize_t done = send(fd, text, length, MSG_NOSIGNAL);

		if (done < 0)
			break;
		length -= done;
	}
	free(text);
	return print_answer(fd);
}

static int do_pipeline(const char *number)
{
	unsigned int i, got, count = strtoul(number, NULL, 10);
	long long start = now_ms();
	int fd = call();

	for (i = 0; i < count; i++)
		say(fd, LIST, strlen(LIST));
	got = hear(fd, count);
	printf("answers=%u ms=%lld\n", got, now_ms() - start);
	return got == count ? 0 : 1;
}

static int do_crowd(const char *number)
{
	unsigned int i, got = 0, count = strtoul(number, NULL, 10);
	int *fds = calloc(count, sizeof(*fds));
	long long start = now_ms();

	if (!fds)
		err(1, "calloc");
	for (i = 0; i < count; i++)
		fds[i] = call();
	for (i = 0; i < count; i++)
		say(fds[i], LIST, strlen(LIST));
	for (i = 0; i < count; i++)
		got += hear(fds[i], 1);
	free(fds);
	printf("answers=%u ms=%lld\n", got, now_ms() - start);
	return got == count ? 0 : 1;
}

static int do_steady(const char *seconds)
{
	long long end = now_ms() + 1000 * strtoul(seconds, NULL, 10), slowest = 0;
	unsigned int count = 0, failed = 0;

	while (now_ms() < end) {
		long long start = now_ms();
		int fd = call();

		say(fd, LIST, strlen(LIST));
		failed += hear(fd, 1) != 1;
		close(fd);
		if (now_ms() - start > slowest)
			slowest = now_ms() - start;
		count++;
		usleep(20000);
	}
	printf("requests=%u failed=%u slowest_ms=%lld\n", count, failed, slowest);
	return failed || !count;
}

static const struct {
	const char *name;
	int (*run)(const char *argument);
	bool argument;
} modes[] = {
	{ "ask", do_ask, true }, { "file", do_file, true }, { "script", do_script, true },
	{ "linger", do_linger, true }, { "pass", do_pass, true }, { "slow", do_slow, true },
	{ "shut", do_shut, true },
	{ "quiet", do_quiet, true },
	{ "vanish", do_vanish, true }, { "mute", do_mute, false }, { "half", do_half, false },
	{ "deaf", do_deaf, true }, { "long", do_long, true }, { "pipeline", do_pipeline, true },
	{ "crowd", do_crowd, true }, { "steady", do_steady, true },
};

int main(int argc, char **argv)
{
	unsigned int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3)
		errx(2, "give a socket and what to do");
	path = argv[1];
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(modes[i].name, argv[2]) == 0 && argc == 3 + modes[i].argument)
			return modes[i].run(argv[3]);
	errx(2, "what is '%s' with %d arguments?", argv[2], argc - 3);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * A new tapdisk against an old one that says anything while it hands over its disks.
 *
 * Each line of the input answers the request that comes next, and when there are no more
 * it hangs up. "+" at its beginning passes the file /a with it, "-" something that is no
 * image, "b" makes the driver refuse to start what is attached from then on. "=" turns the
 * rest into the result of an answer that is due; without it, the rest is sent as it is.
 */
#include <stdarg.h>
#include <sys/socket.h>

#include "takeover.h"
#include "world.h"

#define OLD_PID		4168
#define TIMEOUT_MS	500
#define MAX_PASSED	8

struct old {
	int fd;			/* -1: it has hung up */
	const char *next, *end;	/* of what it says */
	uint64_t heard;		/* requests */
	unsigned int idle;	/* turns */
	bool over;		/* the takeover */
};

static void over(void *data, const struct blktap_error *err)
{
	struct old *old = data;

	PROMISE(!old->over, "a takeover that ends twice");
	PROMISE(!err || (err->code < 0 && err->text[0]), "a failure that says nothing");
	old->over = true;
}

static void hang_up(struct old *old)
{
	close(old->fd);
	old->fd = -1;
}

static int descriptor(char kind)
{
	return kind == '+' ? open("/a", O_RDWR | O_CLOEXEC) : eventfd(0, EFD_CLOEXEC);
}

static void send_all(struct old *old, const char *text, size_t length, const int *fds,
		     unsigned int nr_fds)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(MAX_PASSED * sizeof(int))];
	} control = { 0 };
	struct iovec data = { (char *)text, length };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
	size_t size = nr_fds * sizeof(*fds);

	if (nr_fds) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(size);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(size);
		memcpy(CMSG_DATA(&control.header), fds, size);
	}
	if (sendmsg(old->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)length)
		hang_up(old);
}

/* The request's id is its number. */
static void say(struct old *old, const char *line, size_t length, const int *fds,
		unsigned int nr_fds)
{
	char *text;
	int ret;

	if (length && *line == '=')
		ret = asprintf(&text, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":%.*s}\n",
			       (unsigned long long)old->heard, (int)length - 1, line + 1);
	else
		ret = asprintf(&text, "%.*s\n", (int)length, line);
	PROMISE(ret >= 0, "no memory");
	send_all(old, text, strlen(text), fds, nr_fds);
	free(text);
}

static void answer(struct old *old)
{
	const char *line = old->next, *newline;
	int fds[MAX_PASSED];
	unsigned int nr_fds = 0;

	if (line == old->end) {
		hang_up(old);
		return;
	}
	newline = memchr(line, '\n', old->end - line);
	if (!newline)
		newline = old->end;
	old->next = newline == old->end ? newline : newline + 1;
	for (; line < newline && strchr("+-b", *line); line++) {
		if (*line == 'b')
			fake_start_error = -EINVAL;
		else if (nr_fds < MAX_PASSED)
			fds[nr_fds++] = descriptor(*line);
	}
	say(old, line, newline - line, fds, nr_fds);
	while (nr_fds)
		close(fds[--nr_fds]);
}

static void hear(struct old *old)
{
	char request[4096];
	ssize_t done;

	if (old->fd < 0)
		return;
	done = recv(old->fd, request, sizeof(request), MSG_DONTWAIT);
	old->idle = done < 0 ? old->idle + 1 : 0;
	if (done == 0 || (old->next == old->end && old->idle > 3))
		hang_up(old);
	if (done <= 0)
		return;
	PROMISE(request[done - 1] == '\n', "half a request");
	old->heard++;
	answer(old);
}

static void check_taps(const struct tapdisk *tapdisk)
{
	struct vbd *vbd;

	list_for_each(vbd, &tapdisk->vbds, link)
		PROMISE(tapdisk_find((struct tapdisk *)tapdisk, vbd->minor) == vbd,
			"tapdev%u is there twice", vbd->minor);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	blktap_log_init("fuzz", BLKTAP_LOG_STDERR, -1);
	files_make();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct old old = { .next = (const char *)data, .end = (const char *)data + size };
	time_t limit = time(NULL) + PATIENCE_S;
	struct blktap_error err;
	struct world world;
	int pair[2];

	world_open(&world);
	PROMISE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0,
		"no sockets");
	old.fd = pair[1];
	PROMISE(takeover_start(&world.tapdisk, OLD_PID, pair[0], TIMEOUT_MS, over, &old, &err) == 0,
		"it does not begin");
	while (!old.over) {
		hear(&old);
		world_turn(&world, 1);
		PROMISE(time(NULL) < limit, "a takeover that does not end");
	}
	if (old.fd >= 0)
		hang_up(&old);
	check_taps(&world.tapdisk);
	world_close(&world);
	return 0;
}

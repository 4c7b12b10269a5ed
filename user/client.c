// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The control protocol's client. A call has a connection of its own; calls to
 * several tapdisks run side by side, so that a slow one delays nobody.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "call.h"
#include "cancel.h"
#include "cleanup.h"
#include "paths.h"
#include "trace.h"

#define CALLS_AT_ONCE	256	/* descriptors are a limited good */
#define RETRY_MS	10	/* when a tapdisk's queue of connections is full */
#define CALL_ID		1

int call_connect(pid_t pid)
{
	CLEANUP_CLOSE int fd = -1;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int ret;

	ret = blktap_control_path(address.sun_path, sizeof(address.sun_path), pid);
	if (ret)
		return ret;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int connect_failed(int pid, int code, struct blktap_error *err)
{
	switch (code) {
	case -ENOENT:
		return blktap_error_set(err, code, "no such tapdisk: %d", pid);
	case -ECONNREFUSED:
		return blktap_error_set(err, code, "tapdisk %d is gone: its control socket is "
					"stale", pid);
	case -EACCES:
		return blktap_error_set(err, -EACCES, "tapdisk %d: no permission to use its "
					"control socket", pid);
	case -ENAMETOOLONG:
	case -EINVAL:
	case -ENOTDIR:
	case -EPERM:
		return control_dir_refused(code, err);
	default:
		return blktap_error_set(err, code, "tapdisk %d: cannot connect to its control "
					"socket: %s", pid, strerror(-code));
	}
}

int blktap_ctl_connect(pid_t pid, struct blktap_error *err)
{
	int fd = call_connect(pid);

	return fd < 0 ? connect_failed(pid, fd, err) : fd;
}

static void finish(struct call *call)
{
	if (call->fd >= 0)
		close(call->fd);
	call->fd = -1;
	call->phase = CALL_DONE;
}

#define FAIL(call, code, ...) \
	(blktap_error_set(&(call)->err, (code), __VA_ARGS__), finish(call))

int call_init(struct call *call, pid_t pid, const char *method, json_t *params)
{
	CLEANUP_JSON json_t *id = json_integer(CALL_ID);

	memset(call, 0, sizeof(*call));
	call->pid = pid;
	call->fd = -1;
	call->passed = -1;
	call->request = blktap_rpc_request_line(id, method, params);
	if (!call->request) {
		FAIL(call, -EINVAL, "tapdisk %d: the request to %s is not valid UTF-8",
		     (int)pid, method);
		return call->err.code;
	}
	call->request_length = strlen(call->request);
	if (call->request_length > BLKTAP_RPC_MAX_LINE)
		FAIL(call, -EMSGSIZE, "tapdisk %d: the request to %s is too long", (int)pid, method);
	return call->err.code;
}

void call_clear(struct call *call)
{
	finish(call);
	free(call->request);
	free(call->answer);
	json_decref(call->result);
	call->request = NULL;
	call->answer = NULL;
	call->result = NULL;
}

void call_again(struct call *call, const char *method, json_t *params)
{
	struct call old = *call;

	call_init(call, old.pid, method, params);
	call->answered = old.answered;
	call->owner = old.owner;
	call_clear(&old);
}

static void step_connect(struct call *call)
{
	int fd = call_connect(call->pid);

	if (fd == -EAGAIN || fd == -EINTR) {
		call->phase = CALL_CONNECTING;
		return;
	}
	if (fd < 0) {
		connect_failed(call->pid, fd, &call->err);
		finish(call);
		return;
	}
	trace_line(call->pid, '>', call->request, call->request_length);
	call->fd = fd;
	call->phase = CALL_SENDING;
}

/* The first bytes take the descriptor along. */
static ssize_t send_some(struct call *call)
{
	struct iovec iov = {
		.iov_base = call->request + call->sent,
		.iov_len = call->request_length - call->sent,
	};
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (call->passed >= 0 && !call->sent) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &call->passed, sizeof(int));
	}
	return sendmsg(call->fd, &msg, MSG_NOSIGNAL);
}

static void step_send(struct call *call)
{
	ssize_t done = send_some(call);

	if (done < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* Whoever hangs up while we talk may have said why: hear it out. */
	if (done >= 0)
		call->sent += done;
	if (done < 0 || call->sent == call->request_length)
		call->phase = CALL_RECEIVING;
}

static void take_line(struct call *call, size_t length)
{
	char who[32];

	trace_line(call->pid, '<', call->answer, length);
	call->told = true;
	snprintf(who, sizeof(who), "tapdisk %d", (int)call->pid);
	blktap_rpc_parse_answer(call->answer, length, CALL_ID, who, &call->result, &call->err);
	finish(call);
	if (call->result && call->answered)
		call->answered(call);
}

static bool make_room(struct call *call)
{
	size_t size = call->answer_size ? call->answer_size * 2 : 4096;
	char *answer;

	if (call->received < call->answer_size)
		return true;
	if (call->received >= BLKTAP_RPC_MAX_LINE) {
		FAIL(call, -EPROTO, "tapdisk %d: its answer is longer than %u bytes",
		     (int)call->pid, BLKTAP_RPC_MAX_LINE);
		return false;
	}
	answer = realloc(call->answer, size);
	if (!answer) {
		FAIL(call, -ENOMEM, "tapdisk %d: no memory for its answer", (int)call->pid);
		return false;
	}
	call->answer = answer;
	call->answer_size = size;
	return true;
}

static void step_receive(struct call *call)
{
	char *end;
	ssize_t done;

	if (!make_room(call))
		return;
	done = recv(call->fd, call->answer + call->received, call->answer_size - call->received, 0);
	if (done < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (done <= 0) {
		FAIL(call, -EPROTO, "tapdisk %d: it hung up %s", (int)call->pid,
		     call->received ? "in the middle of its answer" : "without an answer");
		return;
	}
	end = memchr(call->answer + call->received, '\n', done);
	call->received += done;
	if (end)
		take_line(call, end - call->answer);
}

static void step(struct call *call)
{
	switch (call->phase) {
	case CALL_WAITING:
	case CALL_CONNECTING:
		step_connect(call);
		break;
	case CALL_SENDING:
		step_send(call);
		break;
	case CALL_RECEIVING:
		step_receive(call);
		break;
	case CALL_DONE:
		break;
	}
}

/* Fills @fds from the calls under way, starting new ones as there is room. */
static size_t gather(struct call *calls, size_t count, struct pollfd *fds, struct call **of,
		     int *wait_ms)
{
	size_t used = 0;
	size_t i;

	for (i = 0; i < count && used < CALLS_AT_ONCE; i++) {
		struct call *call = &calls[i];

		if (call->phase == CALL_WAITING || call->phase == CALL_CONNECTING)
			step(call);
		if (call->phase == CALL_DONE)
			continue;
		if (call->phase == CALL_CONNECTING)
			*wait_ms = *wait_ms < 0 || *wait_ms > RETRY_MS ? RETRY_MS : *wait_ms;
		fds[used].fd = call->fd;
		fds[used].events = call->phase == CALL_SENDING ? POLLOUT : POLLIN;
		fds[used].revents = 0;
		of[used++] = call;
	}
	return used;
}

static void give_up(struct call *calls, size_t count, int code)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (calls[i].phase != CALL_DONE)
			FAIL(&calls[i], code, code == -EINTR ?
			     "interrupted while waiting for tapdisk %d" :
			     "tapdisk %d does not answer", (int)calls[i].pid);
}

void calls_run(struct call *calls, size_t count, struct deadline deadline)
{
	struct pollfd fds[CALLS_AT_ONCE + 1];
	struct call *of[CALLS_AT_ONCE];
	size_t used, i;
	int wait_ms;

	do {
		wait_ms = deadline_left(deadline);
		used = gather(calls, count, fds, of, &wait_ms);
		if (!used)
			return;
		fds[used] = (struct pollfd){ .fd = cancel_fd(), .events = POLLIN };
		if (poll(fds, used + 1, wait_ms) <= 0)
			continue;
		for (i = 0; i < used; i++)
			if (fds[i].revents)
				step(of[i]);
		if (fds[used].revents) {
			give_up(calls, count, -EINTR);
			return;
		}
	} while (!deadline_passed(deadline));
	give_up(calls, count, -ETIMEDOUT);
}

int call_passing(pid_t pid, const char *method, json_t *params, int fd, int timeout_ms,
		 json_t **result, bool *unsure, struct blktap_error *err)
{
	struct call call;
	int code;

	call_init(&call, pid, method, params);
	call.passed = fd;
	calls_run(&call, 1, deadline_in(timeout_ms));
	code = call.err.code;
	if (code && err)
		*err = call.err;
	if (!code && result)
		*result = TAKE_POINTER(call.result);
	if (unsure)
		*unsure = call.sent && !call.told;
	call_clear(&call);
	return code;
}

int blktap_ctl_call(pid_t pid, const char *method, json_t *params, int timeout_ms,
		    json_t **result, struct blktap_error *err)
{
	return call_passing(pid, method, params, -1, timeout_ms, result, NULL, err);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests are short and the peer has answered the one before: its socket takes
 * them whole. So all that is waited for is an answer.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "descriptors.h"
#include "peer.h"

#define CHUNK	16384U

struct peer {
	struct loop *loop;
	struct loop_fd event;
	struct loop_timer deadline;
	struct loop_task failed;	/* what could not even be asked */
	struct blktap_error failure;
	char name[32];
	int id;				/* of the last request */
	peer_answered answered;		/* NULL: nobody waits */
	void *data;
	char *line;
	size_t used, size;
	struct descriptors descriptors;	/* that came with an answer */
};

/* ------------------------------------------------------------------- outcome */

static void settle(struct peer *peer, json_t *result, const struct blktap_error *err)
{
	peer_answered answered = TAKE_POINTER(peer->answered);

	loop_timer_cancel(&peer->deadline);
	loop_task_cancel(&peer->failed);
	peer->used = 0;
	if (answered)
		answered(peer->data, result, err);
}

static void fail(struct peer *peer, int code, const char *what)
{
	blktap_error_set(&peer->failure, code, "%s %s", peer->name, what);
	settle(peer, NULL, &peer->failure);
}

static void too_slow(struct loop_timer *timer)
{
	fail(container_of(timer, struct peer, deadline), -ETIMEDOUT, "does not answer");
}

static void not_asked(struct loop_task *task)
{
	struct peer *peer = container_of(task, struct peer, failed);

	settle(peer, NULL, &peer->failure);
}

static void take_line(struct peer *peer, size_t length)
{
	CLEANUP_JSON json_t *result = NULL;
	struct blktap_error err;
	int ret = blktap_rpc_parse_answer(peer->line, length, peer->id, peer->name, &result, &err);

	settle(peer, result, ret ? &err : NULL);
}

/* ----------------------------------------------------------------- receiving */

static int make_room(struct peer *peer)
{
	char *line;

	if (peer->size - peer->used >= CHUNK)
		return 0;
	if (peer->used >= BLKTAP_RPC_MAX_LINE)
		return -EMSGSIZE;
	line = realloc(peer->line, peer->size + CHUNK);
	if (!line)
		return -ENOMEM;
	peer->line = line;
	peer->size += CHUNK;
	return 0;
}

static void ready(struct loop_fd *event, uint32_t events)
{
	struct peer *peer = container_of(event, struct peer, event);
	ssize_t done = make_room(peer);
	char *end;

	(void)events;
	if (done < 0) {
		fail(peer, done, "has an answer that is too long");
		return;
	}
	done = descriptors_receive(&peer->descriptors, peer->event.fd, peer->line + peer->used,
				   peer->size - peer->used);
	if (done < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (done <= 0) {
		/* It stays readable for ever. */
		loop_remove(peer->loop, &peer->event);
		fail(peer, -EPIPE, "has hung up");
		return;
	}
	end = memchr(peer->line + peer->used, '\n', done);
	peer->used += done;
	if (end)
		take_line(peer, end - peer->line);
}

/* -------------------------------------------------------------------- asking */

static int say(struct peer *peer, const char *method, json_t *params)
{
	CLEANUP_JSON json_t *id = json_integer(++peer->id);
	CLEANUP_FREE char *line = NULL;
	ssize_t done;

	line = blktap_rpc_request_line(id, method, params);
	if (!line)
		return -ENOMEM;
	done = send(peer->event.fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
	if (done < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	return done == (ssize_t)strlen(line) ? 0 : -EAGAIN;
}

static void await(struct peer *peer, int timeout_ms, peer_answered answered, void *data)
{
	descriptors_close(&peer->descriptors);
	peer->answered = answered;
	peer->data = data;
	if (timeout_ms >= 0)
		loop_timer_set(peer->loop, &peer->deadline, timeout_ms);
	/* It may have hung up before. */
	if (!peer->event.added) {
		blktap_error_set(&peer->failure, -EPIPE, "%s has hung up", peer->name);
		loop_defer(peer->loop, &peer->failed);
	}
}

void peer_ask(struct peer *peer, const char *method, json_t *params, int timeout_ms,
	      peer_answered answered, void *data)
{
	int ret = say(peer, method, params);

	await(peer, timeout_ms, answered, data);
	/* What it said before it hung up is still to be read. */
	if (!ret || ret == -EPIPE)
		return;
	blktap_error_set(&peer->failure, ret, "%s cannot be asked: %s", peer->name, strerror(-ret));
	loop_defer(peer->loop, &peer->failed);
}

void peer_await_end(struct peer *peer, int timeout_ms, peer_answered answered, void *data)
{
	await(peer, timeout_ms, answered, data);
}

unsigned int peer_take_descriptors(struct peer *peer, int fds[IMAGE_MAX_FILES])
{
	unsigned int count = 0;

	while (count < IMAGE_MAX_FILES && peer->descriptors.count)
		fds[count++] = descriptors_take(&peer->descriptors);
	descriptors_close(&peer->descriptors);
	return count;
}

/* -------------------------------------------------------------- new and free */

int peer_new(struct peer **peer, struct loop *loop, pid_t pid, int fd, struct blktap_error *err)
{
	CLEANUP_CLOSE int passed = fd;
	struct peer *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return blktap_error_set(err, -ENOMEM, "no memory for a connection");
	new->loop = loop;
	snprintf(new->name, sizeof(new->name), "tapdisk %d", (int)pid);
	loop_timer_init(&new->deadline, too_slow);
	loop_task_init(&new->failed, not_asked);
	new->event.ready = ready;
	new->event.fd = passed >= 0 ? TAKE_FD(passed) : blktap_ctl_connect(pid, err);
	if (new->event.fd < 0) {
		ret = new->event.fd;
		free(new);
		return ret;
	}
	ret = loop_add(loop, &new->event, EPOLLIN);
	if (ret) {
		peer_free(new);
		return blktap_error_set(err, ret, "cannot watch a connection: %s", strerror(-ret));
	}
	*peer = new;
	return 0;
}

void peer_free(struct peer *peer)
{
	if (!peer)
		return;
	loop_timer_cancel(&peer->deadline);
	loop_task_cancel(&peer->failed);
	loop_remove(peer->loop, &peer->event);
	close(peer->event.fd);
	descriptors_close(&peer->descriptors);
	free(peer->line);
	free(peer);
}

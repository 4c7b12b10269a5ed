// SPDX-License-Identifier: GPL-2.0-only
/*
 * One client's connection: bytes to lines, answers to bytes. Never waits for the
 * client, and takes nothing more from one that does not read its answers.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "connection.h"

#define CHUNK		16384U
#define LINES_PER_TURN	32
#define MAX_UNSENT	BLKTAP_RPC_MAX_LINE
#define DEADLINE_MS	10000

static void work_later(struct connection *c)
{
	loop_defer(c->tapdisk->loop, &c->turn);
}

static void break_off(struct connection *c)
{
	c->broken = true;
	c->out_used = 0;
	c->out_sent = 0;
	work_later(c);
}

/* ------------------------------------------------------------------ sending */

bool connection_unsent(const struct connection *c)
{
	return c->out_used > c->out_sent;
}

static void flush(struct connection *c)
{
	size_t before = c->out_sent;

	while (connection_unsent(c)) {
		ssize_t done = send(c->event.fd, c->out + c->out_sent, c->out_used - c->out_sent,
				    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno == EAGAIN)
			break;
		if (done < 0) {
			break_off(c);
			break;
		}
		c->out_sent += done;
	}
	if (!connection_unsent(c)) {
		c->out_used = 0;
		c->out_sent = 0;
		loop_timer_cancel(&c->read_deadline);
	} else if (c->out_sent != before || !loop_timer_active(&c->read_deadline)) {
		loop_timer_set(c->tapdisk->loop, &c->read_deadline, DEADLINE_MS);
	}
}

/* Room for @more bytes at the end of a buffer. */
static int reserve(char **buffer, size_t *size, size_t used, size_t more)
{
	size_t wanted = *size ? *size : CHUNK;
	char *new;

	while (wanted - used < more)
		wanted *= 2;
	if (wanted == *size)
		return 0;
	new = realloc(*buffer, wanted);
	if (!new)
		return -ENOMEM;
	*buffer = new;
	*size = wanted;
	return 0;
}

/*
 * What has been sent makes room, lest a client that is always a bit behind make the buffer
 * grow for ever. No more is moved than there was sent.
 */
static void drop_sent(struct connection *c)
{
	size_t unsent = c->out_used - c->out_sent;

	if (!c->out_sent || c->out_sent < unsent)
		return;
	memcpy(c->out, c->out + c->out_sent, unsent);
	c->out_used = unsent;
	c->out_sent = 0;
}

static void send_line(struct client *client, char *line)
{
	struct connection *c = container_of(client, struct connection, client);
	size_t length = line ? strlen(line) : 0;

	drop_sent(c);
	if (!line || reserve(&c->out, &c->out_size, c->out_used, length)) {
		/* An answer that cannot be given: the client must not wait for it. */
		break_off(c);
	} else if (!c->broken) {
		memcpy(c->out + c->out_used, line, length);
		c->out_used += length;
		flush(c);
		work_later(c);
	}
	free(line);
}

static ssize_t send_descriptors(int fd, const char *line, size_t length, const int *fds,
				unsigned int count)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(IMAGE_MAX_FILES * sizeof(int))];
	} control = { .space = { 0 } };
	struct iovec text = { (void *)line, length };
	struct msghdr message = {
		.msg_iov = &text,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(count * sizeof(int)),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
	return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* They go with the first byte, and so not behind anything else. */
static int send_line_with(struct client *client, char *line, const int *fds, unsigned int count)
{
	struct connection *c = container_of(client, struct connection, client);
	ssize_t done = -1;
	int code = -EBUSY;

	if (!connection_unsent(c)) {
		done = send_descriptors(c->event.fd, line, strlen(line), fds, count);
		code = -errno;
	}
	if (done <= 0) {
		free(line);
		return code;
	}
	memmove(line, line + done, strlen(line + done) + 1);
	send_line(client, line);
	return 0;
}

static void settled(struct client *client)
{
	work_later(container_of(client, struct connection, client));
}

/* ---------------------------------------------------------------- receiving */

static int take_descriptor(struct client *client)
{
	return descriptors_take(&container_of(client, struct connection, client)->descriptors);
}

static bool may_read(const struct connection *c)
{
	return !c->eof && !c->closing && !c->broken && c->out_used - c->out_sent < MAX_UNSENT;
}

static void receive(struct connection *c)
{
	size_t room = BLKTAP_RPC_MAX_LINE - c->in_used;
	ssize_t done;

	if (room > CHUNK)
		room = CHUNK;
	if (!room)
		return;
	if (reserve(&c->in, &c->in_size, c->in_used, room)) {
		break_off(c);
		return;
	}
	done = descriptors_receive(&c->descriptors, c->event.fd, c->in + c->in_used, room);
	if (done > 0)
		c->in_used += done;
	else if (done == 0)
		c->eof = true;
	else if (errno != EAGAIN && errno != EINTR)
		break_off(c);
}

/* Handles the line at @start, if it is complete. Returns where the next begins. */
static size_t handle_line(struct connection *c, size_t start)
{
	const char *line = c->in + start;
	const char *end = memchr(line, '\n', c->in_used - start);

	if (!end)
		return start;
	methods_handle(c->tapdisk, &c->client, line, end - line);
	return end - c->in + 1;
}

static void handle_lines(struct connection *c)
{
	size_t start = 0, next;
	unsigned int count;

	for (count = 0; count < LINES_PER_TURN && start < c->in_used; count++) {
		if (c->broken || c->out_used - c->out_sent >= MAX_UNSENT)
			break;
		next = handle_line(c, start);
		if (next == start)
			break;
		start = next;
	}
	if (!start)
		return;
	memmove(c->in, c->in + start, c->in_used - start);
	c->in_used -= start;
	/* They come with the first byte: the requests that they came with are over. */
	if (!c->in_used)
		descriptors_close(&c->descriptors);
	loop_timer_cancel(&c->line_deadline);
}

static bool has_line(const struct connection *c)
{
	return c->in_used && memchr(c->in, '\n', c->in_used);
}

/* The codec knows the answer to a line that is too long. */
static void refuse_long_line(struct connection *c)
{
	methods_handle(c->tapdisk, &c->client, c->in, c->in_used);
	c->in_used = 0;
	c->closing = true;
}

static void watch_incomplete_line(struct connection *c, bool complete)
{
	if (!c->in_used || complete || c->eof)
		loop_timer_cancel(&c->line_deadline);
	else if (!loop_timer_active(&c->line_deadline))
		loop_timer_set(c->tapdisk->loop, &c->line_deadline, DEADLINE_MS);
}

/* --------------------------------------------------------------------- turns */

static bool is_over(const struct connection *c, bool line_left)
{
	if (c->broken)
		return true;
	if (connection_unsent(c))
		return false;
	return c->closing || (c->eof && !line_left && list_empty(&c->client.calls));
}

static void listen_for(struct connection *c)
{
	uint32_t events = (may_read(c) ? EPOLLIN : 0) | (connection_unsent(c) ? EPOLLOUT : 0);

	if (events == c->events)
		return;
	c->events = events;
	if (loop_modify(c->tapdisk->loop, &c->event, events))
		break_off(c);
}

/* All that follows from what came in or went out; may free the connection. */
static void advance(struct connection *c)
{
	bool line_left;

	if (!c->closing)
		handle_lines(c);
	line_left = has_line(c) && !c->closing;
	if (!line_left && c->in_used >= BLKTAP_RPC_MAX_LINE)
		refuse_long_line(c);
	watch_incomplete_line(c, line_left);
	if (is_over(c, line_left)) {
		connection_free(c);
		return;
	}
	listen_for(c);
	if (line_left && c->out_used - c->out_sent < MAX_UNSENT)
		work_later(c);
}

static void run_turn(struct loop_task *task)
{
	advance(container_of(task, struct connection, turn));
}

/*
 * A client that hung up altogether waits for nothing, but what it said before is
 * still read: the end comes with the last of it.
 */
static void hung_up(struct connection *c)
{
	client_gone(&c->client);
	if (!may_read(c) && !has_line(c))
		break_off(c);
}

static void ready(struct loop_fd *event, uint32_t events)
{
	struct connection *c = container_of(event, struct connection, event);

	if (events & EPOLLOUT)
		flush(c);
	if ((events & EPOLLIN) && may_read(c))
		receive(c);
	if (events & (EPOLLHUP | EPOLLERR))
		hung_up(c);
	advance(c);
}

static void line_too_slow(struct loop_timer *timer)
{
	break_off(container_of(timer, struct connection, line_deadline));
}

static void reader_too_slow(struct loop_timer *timer)
{
	break_off(container_of(timer, struct connection, read_deadline));
}

/* -------------------------------------------------------------- new and free */

int connection_new(struct connection **connection, struct tapdisk *tapdisk, int fd,
		   void (*closed)(void *owner), void *owner)
{
	struct connection *c = calloc(1, sizeof(*c));
	int ret = -ENOMEM;

	if (!c)
		goto fail;
	list_init(&c->link);
	c->tapdisk = tapdisk;
	c->closed = closed;
	c->owner = owner;
	c->event.fd = fd;
	c->event.ready = ready;
	c->events = EPOLLIN;
	client_init(&c->client, send_line);
	c->client.settled = settled;
	c->client.take_descriptor = take_descriptor;
	c->client.send_with = send_line_with;
	loop_task_init(&c->turn, run_turn);
	loop_timer_init(&c->line_deadline, line_too_slow);
	loop_timer_init(&c->read_deadline, reader_too_slow);
	ret = loop_add(tapdisk->loop, &c->event, c->events);
	if (ret)
		goto fail;
	*connection = c;
	return 0;
fail:
	free(c);
	close(fd);
	return ret;
}

void connection_free(struct connection *c)
{
	void (*closed)(void *owner) = c->closed;
	void *owner = c->owner;

	client_gone(&c->client);
	list_del(&c->link);
	loop_task_cancel(&c->turn);
	loop_timer_cancel(&c->line_deadline);
	loop_timer_cancel(&c->read_deadline);
	loop_remove(c->tapdisk->loop, &c->event);
	close(c->event.fd);
	descriptors_close(&c->descriptors);
	free(c->in);
	free(c->out);
	free(c);
	closed(owner);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * A connection of the control protocol, byte by byte. The first byte of the input
 * says in what pieces the rest is sent, and how lazily answers are read.
 */
#include <sys/socket.h>
#include <syslog.h>

#include "connection.h"
#include "world.h"

struct peer {
	int fd;
	uint32_t dice;
	struct ledger ledger;
	char *in;
	size_t used, size;
	bool eof;
};

static uint32_t roll(struct peer *peer, uint32_t sides)
{
	peer->dice = peer->dice * 1103515245U + 12345U;
	return (peer->dice >> 16) % sides;
}

static void take_lines(struct peer *peer)
{
	char *end;

	while (peer->used && (end = memchr(peer->in, '\n', peer->used))) {
		size_t length = end - peer->in + 1;

		ledger_answer(&peer->ledger, peer->in, length);
		peer->used -= length;
		memmove(peer->in, peer->in + length, peer->used);
	}
}

static void hear(struct peer *peer)
{
	ssize_t done;

	do {
		if (peer->size - peer->used < 4096) {
			peer->size += 65536;
			peer->in = realloc(peer->in, peer->size);
			PROMISE(peer->in, "no memory");
		}
		done = recv(peer->fd, peer->in + peer->used, 4096, MSG_DONTWAIT);
		if (done > 0)
			peer->used += done;
	} while (done > 0);
	peer->eof = done == 0 || (errno != EAGAIN && errno != EINTR);
	take_lines(peer);
}

/* Sometimes with a descriptor, which the server closes. */
static ssize_t send_piece(struct peer *peer, const char *data, size_t size)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = (char *)data, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (!roll(peer, 8)) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &peer->fd, sizeof(int));
	}
	return sendmsg(peer->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void say(struct world *world, struct peer *peer, const char *data, size_t size)
{
	time_t limit = time(NULL) + PATIENCE_S;

	while (size && !peer->eof) {
		size_t piece = 1 + roll(peer, 1U << roll(peer, 12));
		ssize_t done = send_piece(peer, data, piece < size ? piece : size);

		PROMISE(done > 0 || errno == EAGAIN, "the server hung up: %s", strerror(errno));
		if (done > 0) {
			data += done;
			size -= done;
		}
		if (done < 0 || !roll(peer, 4))
			world_turn(world, 0);
		if (done < 0 || !roll(peer, 8))
			hear(peer);
		PROMISE(time(NULL) < limit, "the server takes nothing more");
	}
}

static void expect_lines(struct peer *peer, const char *data, size_t size)
{
	const char *end;

	while (size && (end = memchr(data, '\n', size))) {
		ledger_request(&peer->ledger, data, end - data);
		size -= end - data + 1;
		data = end + 1;
	}
}

static void connection_closed(void *owner)
{
	*(bool *)owner = true;
}

static void converse(struct world *world, struct peer *peer, const char *data, size_t size)
{
	time_t limit = time(NULL) + PATIENCE_S;

	say(world, peer, data, size);
	shutdown(peer->fd, SHUT_WR);
	while (!peer->eof) {
		world_turn(world, 1);
		hear(peer);
		if (time(NULL) >= limit)
			ledger_settled(&peer->ledger);
		PROMISE(time(NULL) < limit, "the server does not hang up");
	}
	PROMISE(!peer->used, "the last answer is incomplete");
	ledger_settled(&peer->ledger);
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
	struct peer peer = { .dice = size ? data[0] : 0 };
	const char *text = (const char *)data + 1;
	struct connection *connection;
	bool closed = false;
	struct world world;
	int pair[2];

	if (!size)
		return 0;
	world_open(&world);
	ledger_open(&peer.ledger);
	PROMISE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0,
		"no sockets");
	peer.fd = pair[0];
	PROMISE(connection_new(&connection, &world.tapdisk, pair[1], connection_closed,
			       &closed) == 0, "no connection");
	expect_lines(&peer, text, size - 1);
	converse(&world, &peer, text, size - 1);
	PROMISE(closed, "the connection is not freed");
	close(peer.fd);
	free(peer.in);
	ledger_close(&peer.ledger);
	world_close(&world);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One client's connection: bytes to lines, answers to bytes.
 */
#ifndef TAPDISK_CONNECTION_H
#define TAPDISK_CONNECTION_H

#include "descriptors.h"
#include "methods.h"

struct connection {
	struct list link;		/* the owner's */
	struct tapdisk *tapdisk;
	/* Called last; the connection has been freed. */
	void (*closed)(void *owner);
	void *owner;

	struct loop_fd event;
	uint32_t events;		/* asked for */
	struct client client;
	struct loop_task turn;
	struct loop_timer line_deadline;	/* for an incomplete line */
	struct loop_timer read_deadline;	/* for the client to read */

	struct descriptors descriptors;
	char *in;
	size_t in_used, in_size;
	char *out;
	size_t out_used, out_sent, out_size;
	bool eof;			/* the client has said all it will */
	bool closing;			/* after what is to be sent */
	bool broken;			/* nothing can be sent or read */
};

/* Takes @fd, a connected non-blocking socket. */
int connection_new(struct connection **connection, struct tapdisk *tapdisk, int fd,
		   void (*closed)(void *owner), void *owner);
void connection_free(struct connection *connection);

/* Answers that the client has not taken yet. */
bool connection_unsent(const struct connection *connection);

#endif /* TAPDISK_CONNECTION_H */

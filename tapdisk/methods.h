/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The methods of the control protocol, from a line to its answer. No sockets
 * here: a client is something that lines can be sent to.
 */
#ifndef TAPDISK_METHODS_H
#define TAPDISK_METHODS_H

#include "tapdisk.h"

struct client {
	struct list calls;	/* not yet answered */
	/* Takes @line, malloc'ed and complete; NULL: there was no memory for it. */
	void (*send)(struct client *client, char *line);
	/* The same with descriptors, which stay the caller's; it can fail. NULL: none can be sent. */
	int (*send_with)(struct client *client, char *line, const int *fds, unsigned int count);
	/* A request that gets no answer is over; or NULL. */
	void (*settled)(struct client *client);
	/* The next descriptor that came with a request, now the caller's; -1: none. Or NULL. */
	int (*take_descriptor)(struct client *client);
	struct list offers;	/* VBDs that are offered to it */
};

void client_init(struct client *client, void (*send)(struct client *client, char *line));
/* No answers from now on; waits are given up, operations carried out. */
void client_gone(struct client *client);

/* Handles one line, without its newline. The answer may come later. */
void methods_handle(struct tapdisk *tapdisk, struct client *client, const char *line,
		    size_t length);

#endif /* TAPDISK_METHODS_H */

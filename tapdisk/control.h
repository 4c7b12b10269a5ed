/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control socket: connections, lines, deadlines.
 */
#ifndef TAPDISK_CONTROL_H
#define TAPDISK_CONTROL_H

#include "tapdisk.h"

struct control;

/*
 * Listens on @path. A stale socket there is replaced. EADDRINUSE: somebody
 * listens there; EEXIST: it is not a socket.
 */
int control_new(struct control **control, struct tapdisk *tapdisk, const char *path,
		struct blktap_error *err);
/* Removes the socket and ends what is connected. */
void control_free(struct control *control);

/* Takes no one in any more, removes the socket, and stops the loop when all is answered. */
void control_finish(struct control *control);

/* One more client, on the connected socket @fd, which is taken. */
int control_add_client(struct control *control, int fd);

#endif /* TAPDISK_CONTROL_H */

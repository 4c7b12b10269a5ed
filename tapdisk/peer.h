/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Another tapdisk, asked from the loop: one request at a time, on one connection.
 */
#ifndef TAPDISK_PEER_H
#define TAPDISK_PEER_H

#include "driver.h"

struct peer;

/*
 * What came of a request: @result, borrowed, or NULL and @err. EPIPE: it hung up
 * instead; ETIMEDOUT. The peer may be freed from here.
 */
typedef void (*peer_answered)(void *data, json_t *result, const struct blktap_error *err);

/* Does not wait. Takes @fd, a connection to it; negative: one is made. */
int peer_new(struct peer **peer, struct loop *loop, pid_t pid, int fd, struct blktap_error *err);
/* Hangs up; an answer that was waited for does not come any more. */
void peer_free(struct peer *peer);

/* Takes @params. The answer does not come from within. */
void peer_ask(struct peer *peer, const char *method, json_t *params, int timeout_ms,
	      peer_answered answered, void *data);
/* Waits until it hangs up: then, or in case of an error, @err says why, never @result. */
void peer_await_end(struct peer *peer, int timeout_ms, peer_answered answered, void *data);

/* The descriptors that came with the last answer; they are the caller's from now on. */
unsigned int peer_take_descriptors(struct peer *peer, int fds[IMAGE_MAX_FILES]);

#endif /* TAPDISK_PEER_H */

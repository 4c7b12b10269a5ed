/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls of the control protocol, many at a time.
 */
#ifndef BLKTAP_CALL_H
#define BLKTAP_CALL_H

#include "deadline.h"
#include "libblktap.h"

enum call_phase { CALL_WAITING, CALL_CONNECTING, CALL_SENDING, CALL_RECEIVING, CALL_DONE };

struct call {
	pid_t pid;
	enum call_phase phase;
	int fd;
	int passed;		/* goes along with the request; -1: nothing. Not owned */
	char *request;		/* a line */
	size_t request_length;
	size_t sent;
	char *answer;
	size_t answer_size;
	size_t received;
	bool told;		/* an answer has come */
	json_t *result;		/* once done, on success */
	struct blktap_error err;	/* once done, on failure; else code 0 */
	/* NULL, or called on success; it may ask for more with call_again(). */
	void (*answered)(struct call *call);
	void *owner;		/* for its use */
};

/* Steals @params. What it returns is kept in @call->err as well. */
int call_init(struct call *call, pid_t pid, const char *method, json_t *params);
void call_clear(struct call *call);
/* From "answered": another request to the same tapdisk. Steals @params. */
void call_again(struct call *call, const char *method, json_t *params);

/*
 * One call, with a descriptor, or -1. Otherwise as blktap_ctl_call(). @unsure (may be NULL):
 * the tapdisk was asked and has not answered, so what was asked for may still happen.
 */
int call_passing(pid_t pid, const char *method, json_t *params, int fd, int timeout_ms,
		 json_t **result, bool *unsure, struct blktap_error *err);

/* Runs the calls until all are done; at the deadline the rest are, too: ETIMEDOUT. */
void calls_run(struct call *calls, size_t count, struct deadline deadline);

/*
 * Connects without waiting; the socket, or a negative errno: -EAGAIN if its
 * queue of connections is full.
 */
int call_connect(pid_t pid);

#endif /* BLKTAP_CALL_H */

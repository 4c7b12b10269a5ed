/* SPDX-License-Identifier: GPL-2.0-only */
/* Redirects: completions by which the daemon has the kernel move the bytes. */
#ifndef _BLKTAP_REDIRECT_H
#define _BLKTAP_REDIRECT_H

#include <linux/types.h>

struct blktap_cqe;
struct blktap_queue;
struct blktap_redirect;
struct request;

/* Room for the pieces of one redirect; NULL if there is no memory. */
struct blktap_redirect *blktap_redirect_new(void);
void blktap_redirect_free(struct blktap_redirect *redirect);

/*
 * Takes a completion of type REDIRECT and starts its I/O. False, and nothing has
 * happened, if it is malformed or not for a request that is with the daemon.
 */
bool blktap_redirect_take(struct blktap_queue *queue, const struct blktap_cqe *cqe);

/* For a worker, that has been left one: starts the I/O to files. */
void blktap_redirect_start(struct request *rq, const struct blktap_redirect *redirect);
/* Forgets the one that the request has been left with. */
void blktap_redirect_drop(struct request *rq);

#endif /* _BLKTAP_REDIRECT_H */

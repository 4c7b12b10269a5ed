/* SPDX-License-Identifier: GPL-2.0-only */
/* Redirects: completions by which the daemon has the kernel move the bytes. */
#ifndef _BLKTAP_REDIRECT_H
#define _BLKTAP_REDIRECT_H

#include <linux/types.h>

struct blktap_cqe;
struct blktap_queue;

/* Room for the pieces of one redirect; NULL if there is no memory. */
struct blktap_redirect *blktap_redirect_new(void);
void blktap_redirect_free(struct blktap_redirect *redirect);

/*
 * Takes a completion of type REDIRECT and starts its I/O. False, and nothing has
 * happened, if it is malformed or not for a request that is with the daemon.
 */
bool blktap_redirect_take(struct blktap_queue *queue, const struct blktap_cqe *cqe);

#endif /* _BLKTAP_REDIRECT_H */

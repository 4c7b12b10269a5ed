/* SPDX-License-Identifier: GPL-2.0-only */
/* ENTER's wait: for submissions, and for what else the daemon waits for. */
#ifndef _BLKTAP_WAIT_H
#define _BLKTAP_WAIT_H

struct blktap_enter;
struct blktap_queue;

/*
 * Waits as @enter says, and says in it what ended the wait: 0, or as ENTER in
 * the UAPI header.
 */
int blktap_queue_wait(struct blktap_queue *queue, struct blktap_enter *enter);

#endif /* _BLKTAP_WAIT_H */

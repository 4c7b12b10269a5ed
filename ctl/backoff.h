/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When to recover a disk again: at once as a rule, less and less often if it does not
 * stay alive.
 */
#ifndef TAP_CTL_BACKOFF_H
#define TAP_CTL_BACKOFF_H

#include <stdint.h>

#define BACKOFF_FIRST_MS	1000
/* Below the time that requests are held by default. */
#define BACKOFF_MOST_MS		16000
/* A disk that was not touched for so long has been well. */
#define BACKOFF_CALM_MS		60000

struct backoff {
	int64_t due_ms;		/* no sooner than this; 0: at once */
	int64_t last_ms;	/* the last attempt; 0: none */
	int64_t delay_ms;	/* from that to the next */
};

/* There is an attempt now. */
void backoff_attempt(struct backoff *backoff, int64_t now_ms);

#endif /* TAP_CTL_BACKOFF_H */

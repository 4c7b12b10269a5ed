// SPDX-License-Identifier: GPL-2.0-only
#include "backoff.h"

void backoff_attempt(struct backoff *backoff, int64_t now_ms)
{
	if (!backoff->last_ms || now_ms - backoff->last_ms >= BACKOFF_CALM_MS)
		backoff->delay_ms = BACKOFF_FIRST_MS;
	else if (backoff->delay_ms < BACKOFF_MOST_MS)
		backoff->delay_ms *= 2;
	backoff->last_ms = now_ms;
	backoff->due_ms = now_ms + backoff->delay_ms;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Deadlines on the monotonic clock, which nobody sets.
 */
#ifndef BLKTAP_DEADLINE_H
#define BLKTAP_DEADLINE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct deadline {
	int64_t at_ms;		/* INT64_MAX: never */
};

static inline int64_t deadline_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* @timeout_ms from now; negative: never. */
static inline struct deadline deadline_in(int timeout_ms)
{
	struct deadline deadline = { INT64_MAX };

	if (timeout_ms >= 0)
		deadline.at_ms = deadline_now() + timeout_ms;
	return deadline;
}

/* What is left, as poll() takes it: -1 without limit, 0 when it has passed. */
static inline int deadline_left(struct deadline deadline)
{
	int64_t left;

	if (deadline.at_ms == INT64_MAX)
		return -1;
	left = deadline.at_ms - deadline_now();
	if (left <= 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

static inline bool deadline_passed(struct deadline deadline)
{
	return deadline_left(deadline) == 0;
}

/* The time to sleep for a step of @step_ms that ends at the deadline. */
static inline int deadline_step(struct deadline deadline, int step_ms)
{
	int left = deadline_left(deadline);

	return left < 0 || left > step_ms ? step_ms : left;
}

#endif /* BLKTAP_DEADLINE_H */

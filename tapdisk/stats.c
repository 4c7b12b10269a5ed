// SPDX-License-Identifier: GPL-2.0-only
#include <stdbool.h>

#include "stats.h"

static unsigned int bucket(uint64_t time_ns)
{
	uint64_t us = time_ns / 1000;
	unsigned int i = us ? 64 - __builtin_clzll(us) : 0;

	return i < STATS_BUCKETS ? i : STATS_BUCKETS - 1;
}

void stats_answer(struct queue_stats *stats, unsigned int op, uint64_t bytes, int error,
		  uint64_t time_ns)
{
	struct op_stats *s;

	stats_add(&stats->answered, 1);
	if (op >= STATS_OPS)
		return;
	s = &stats->ops[op];
	stats_add(&s->requests, 1);
	stats_add(error ? &s->errors : &s->bytes, error ? 1 : bytes);
	if (error)
		stats_add(&s->failed_bytes, bytes);
	stats_add(&s->time_ns, time_ns);
	stats_add(&s->latency[bucket(time_ns)], 1);
}

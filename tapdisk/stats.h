/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters of a queue: written by the thread that serves it, read by any.
 */
#ifndef TAPDISK_STATS_H
#define TAPDISK_STATS_H

#include <stdint.h>

#define STATS_OPS	5	/* BLKTAP_OP_* */
/* Bucket i: below 2^i microseconds; the last one has no limit. */
#define STATS_BUCKETS	28

struct op_stats {
	uint64_t requests;	/* answered */
	uint64_t bytes;		/* of those without an error */
	uint64_t errors;
	uint64_t failed_bytes;
	uint64_t time_ns;	/* from the taking to the answer, all together */
	uint64_t latency[STATS_BUCKETS];
};

struct queue_stats {
	struct op_stats ops[STATS_OPS];
	uint64_t taken;		/* requests */
	uint64_t answered;
	uint64_t wakeups;	/* that brought requests */
	uint64_t handovers;	/* calls that handed answers over */
	uint64_t redirected;	/* of those answered: the kernel does the rest */
	uint64_t retried;	/* of those taken: the kernel's I/O had failed */
	uint64_t spins;		/* waits that ended by spinning, without sleep */
} __attribute__((aligned(64)));

/* One writer, so that this needs no locked instruction. */
static inline void stats_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline uint64_t stats_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* One request has been answered. */
void stats_answer(struct queue_stats *stats, unsigned int op, uint64_t bytes, int error,
		  uint64_t time_ns);

#endif /* TAPDISK_STATS_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What disks are doing: the difference of two statistics.
 */
#ifndef TAP_CTL_LOAD_H
#define TAP_CTL_LOAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Sums over the queues of a VBD, or of its disk, since it was opened. */
struct sample {
	pid_t pid;
	int minor;
	const char *image;	/* belongs to the statistics */
	uint64_t requests[2];	/* reads and writes */
	uint64_t bytes[2];
	uint64_t answered;	/* of every kind */
	uint64_t time_ns;	/* their latencies */
	uint64_t errors;
	uint64_t outstanding;
	bool paused;
};

struct samples {
	json_t *stats;		/* owned; as of blktap_stats() */
	struct sample *list;	/* by minor and pid */
	size_t count;
	int64_t at_ms;
};

/* What happened in a second, or on an average, between two samples. */
struct load {
	const struct sample *now;
	double requests[2];
	double bytes[2];
	double latency;		/* seconds */
	double depth;		/* requests under way */
	uint64_t errors;	/* in all since it was opened */
	uint64_t outstanding;
};

/* Takes @stats; -ENOMEM. */
int samples_make(struct samples *samples, json_t *stats, int64_t at_ms);
void samples_clear(struct samples *samples);

/* The disks of @now, the busiest first. free(); NULL: no memory. */
struct load *load_compute(const struct samples *before, const struct samples *now);

#endif /* TAP_CTL_LOAD_H */

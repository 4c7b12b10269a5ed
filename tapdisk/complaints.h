/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the log is told of requests that go wrong: which image, where, why, and how often
 * by now. A bad disk must not fill it, nor may a trouble that lasts fall silent.
 */
#ifndef TAPDISK_COMPLAINTS_H
#define TAPDISK_COMPLAINTS_H

#include "libblktap.h"

enum complaint {
	COMPLAINT_FAILED,	/* the request has failed */
	COMPLAINT_AGAIN,	/* it is tried again */
	COMPLAINT_CAME_BACK,	/* the kernel could not do it */
	NR_COMPLAINTS
};

/* Of one kind. */
struct complaint_count {
	uint64_t count;		/* all of them */
	uint64_t begin;		/* of the period; nanoseconds */
	unsigned int told;	/* in it */
};

struct complaints {
	unsigned int minor;
	const char *image;	/* its path, or NULL; the caller's */
	struct complaint_count kinds[NR_COMPLAINTS];
};

/* A few in a period are for the log. @now: nanoseconds. */
bool complaint_due(struct complaint_count *kind, uint64_t now);

/* @error: a negative errno, 0 if it is not known. @more: what else there is to say, or "". */
void complain(struct complaints *c, enum complaint kind, const struct blktap_request *req,
	      int error, const char *more, uint64_t now);

#endif /* TAPDISK_COMPLAINTS_H */

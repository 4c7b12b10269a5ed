/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's own I/O: between a request's pages and registered files. */
#ifndef _BLKTAP_KIO_H
#define _BLKTAP_KIO_H

#include <linux/atomic.h>
#include <linux/types.h>

struct blktap_barrier;
struct blktap_file;
struct request;

/* All that is done for one request; the first error wins. */
struct blktap_kio {
	atomic_t pending;
	int error;
	struct blktap_barrier *barrier;
	void (*done)(struct request *rq, int error);
};

/*
 * Between these, ranges of the request are read or written. When all is over,
 * maybe within blktap_kio_end(), @done is called, in any context; then the barrier
 * is left.
 */
void blktap_kio_begin(struct request *rq, struct blktap_barrier *barrier,
		      void (*done)(struct request *rq, int error));
void blktap_kio_end(struct request *rq);

/* A part of it is not done. */
void blktap_kio_fail(struct request *rq, int error);

/*
 * Starts I/O between @len bytes of the request, from byte @at on, and the file from
 * @offset on. May sleep. The caller's reference to the file stays the caller's.
 */
void blktap_kio_start(struct request *rq, struct blktap_file *file, u32 at, u32 len, u64 offset);

/*
 * Hands a whole request that has begun on to a block device, in place of
 * blktap_kio_start() and blktap_kio_end(), where memory allocations may not sleep.
 * The caller's reference to the file must last until the request is done. False, and
 * nothing is started, if the request is not of one bio.
 */
bool blktap_kio_try_hand_on(struct request *rq, struct blktap_file *file, u64 offset);

/* Whether a file can serve these bytes of a request straight from its memory. */
bool blktap_kio_suits(struct request *rq, const struct blktap_file *file, u32 at, u32 len,
		      u64 offset);

/* Whether its memory is in pieces that are no whole blocks of the file's. */
bool blktap_kio_is_odd(struct request *rq, const struct blktap_file *file);

/* What must be there for a file's I/O: @nr of it never want for memory. */
int blktap_kio_pools_init(struct blktap_file *file, unsigned int nr);
void blktap_kio_pools_exit(struct blktap_file *file);

#endif /* _BLKTAP_KIO_H */

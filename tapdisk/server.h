/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What serves a disk: a lane for each of its queues.
 *
 * All functions are the owner's, called from its loop; so are the callbacks.
 */
#ifndef TAPDISK_SERVER_H
#define TAPDISK_SERVER_H

#include "driver.h"
#include "kernel-io.h"
#include "stats.h"

struct server;

struct server_params {
	struct loop *owner;		/* where the callbacks run */
	bool threads;			/* false: requests are served on that loop, too */
	struct blktap_ring *ring;
	struct image *image;		/* NULL: every request fails */
	struct kernel_io *kio;		/* NULL: the image does it all */
	int request_timeout_ms;	/* for trying again; negative: without limit */
	uint32_t max_spin_ns;		/* to look for requests before sleeping */
	struct queue_stats *stats;	/* by queue */

	/* No request is with the image, and none is taken: of the last drain. */
	void (*drained)(void *data);
	/* The session has ended; nothing is left but to drain. */
	void (*lost)(void *data, int code);
	void *data;
};

/* Takes no requests before server_resume(): from then on each must be answered. */
int server_start(struct server **server, const struct server_params *params,
		 struct blktap_error *err);

/* Takes no more requests, and calls drained() when those it has are answered. */
void server_drain(struct server *server);
/* Goes on, with requests that reach @capacity bytes at most. drained() will not be called, even if it was about to be. */
void server_resume(struct server *server, uint64_t capacity);
/* From now on requests fail at once; those with the image do as they do. */
void server_fail_requests(struct server *server);

/*
 * After drained(). May block; may come from another thread if server_threaded(),
 * for then nothing else knows of it any more.
 */
void server_free(struct server *server);
bool server_threaded(const struct server *server);

#endif /* TAPDISK_SERVER_H */

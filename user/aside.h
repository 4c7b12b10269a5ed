/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls that may not come back, as what they reach for is on storage that does not answer:
 * a thread makes them, and whoever waits for it need not do so for ever. The end of the
 * process does, where the kernel does not let the thread go (state D).
 */
#ifndef BLKTAP_ASIDE_H
#define BLKTAP_ASIDE_H

#include <stdatomic.h>

#include "deadline.h"

/* A part, the first one, of what holds arguments and results of the call. */
struct aside {
	void (*call)(struct aside *aside);
	/* Once nobody needs it any more, it and what has come of the call. In either thread. */
	void (*release)(struct aside *aside);
	atomic_uint users;	/* who waits for it, and the thread */
	int done;		/* an eventfd */
};

/*
 * 0: the call has come back. ETIMEDOUT; EINTR: cancelled; or why there is no thread. Whatever
 * it is, aside_put() follows; it is on the heap, as the call may come back long after that.
 */
int aside_run(struct aside *aside, struct deadline deadline);
void aside_put(struct aside *aside);

#endif /* BLKTAP_ASIDE_H */

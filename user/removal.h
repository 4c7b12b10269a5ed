/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A disk that has to go by force, as it goes.
 */
#ifndef BLKTAP_REMOVAL_H
#define BLKTAP_REMOVAL_H

#include "libblktap.h"

struct removal {
	unsigned int minor;
	struct blktap_nl *nl;
	struct blktap_nl *events;	/* a socket has either events or answers */
	bool watching;			/* for events */
	bool stuck;			/* I/O of the kernel's holds it up */
	char *image;			/* NULL: nobody knows */
};

/* Before it is to go: what is told of it from then on is not missed. */
int removal_begin(struct removal *removal, unsigned int minor, struct blktap_error *err);
void removal_end(struct removal *removal);

/*
 * Until the disk is gone. ETIMEDOUT: not in @timeout_ms, or it is stuck, which nobody can
 * help; the sentence says which of them. EINTR.
 */
int removal_wait(struct removal *removal, int timeout_ms, struct blktap_error *err);

/* Why it is not gone. */
int removal_explain(struct removal *removal, struct blktap_error *err);

#endif /* BLKTAP_REMOVAL_H */

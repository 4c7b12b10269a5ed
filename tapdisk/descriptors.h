/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Descriptors that came over a connection, and that no request has taken yet.
 */
#ifndef TAPDISK_DESCRIPTORS_H
#define TAPDISK_DESCRIPTORS_H

#include <stddef.h>
#include <sys/types.h>

#define MAX_DESCRIPTORS	4

struct descriptors {
	int fds[MAX_DESCRIPTORS];	/* in the order in which they came */
	unsigned int count;
};

/* As recv() without waiting; what comes along is kept, or closed if it is too much. */
ssize_t descriptors_receive(struct descriptors *descriptors, int socket, void *data, size_t size);
/* The one that came first, the caller's from now on; -1: there is none. */
int descriptors_take(struct descriptors *descriptors);
void descriptors_close(struct descriptors *descriptors);

#endif /* TAPDISK_DESCRIPTORS_H */

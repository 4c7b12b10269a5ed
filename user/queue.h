/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One queue's rings in shared memory; knows no system call but close().
 */
#ifndef BLKTAP_QUEUE_H
#define BLKTAP_QUEUE_H

#include "libblktap.h"

struct blktap_queue {
	int fd;			/* of GET_QUEUE_FD */
	uint32_t depth;
	uint32_t max_io;
	uint32_t sq_entries;	/* powers of two */
	uint32_t cq_entries;
	uint32_t sqe_stride;
	uint32_t desc_stride;
	uint32_t cqe_stride;
	const struct blktap_sq_header *sq;
	struct blktap_cq_header *cq;
	const char *sqes;
	const char *descs;
	char *cqes;
	char *buffer;
	uint64_t buffer_bytes;
	struct blktap_fragment *fragments;
	uint32_t tag_fragments;	/* for each tag; 0: no redirects */

	/* Ours alone; the shared copies are written for the kernel to read. */
	uint32_t sq_head;	/* taken */
	uint32_t sq_seen;	/* sq_tail when last looked at */
	uint32_t cq_tail;	/* written */
	uint32_t cq_entered;	/* handed to the kernel by an ENTER */
	bool broken;		/* the kernel's indices make no sense */
};

/* Makes everything posted so far visible to the kernel. */
void blktap_queue_publish(struct blktap_queue *queue);

/* All that has been published was taken by an ENTER. */
void blktap_queue_entered(struct blktap_queue *queue);

#endif /* BLKTAP_QUEUE_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The process: its VBDs, and when it ends.
 */
#ifndef TAPDISK_TAPDISK_H
#define TAPDISK_TAPDISK_H

#include "vbd.h"

struct takeover;

struct tapdisk {
	struct loop *loop;
	struct workers *workers;
	struct image_table *images;
	struct vbd_env env;
	struct vbd_env guest_env;	/* of one that is not yet here: the takeover's */
	struct list abandoned;		/* see vbd_env */
	struct list vbds;		/* by ascending minor */
	const char *user;		/* that it runs as; NULL: the one who started it */
	struct takeover *takeover;	/* under way; NULL: none */
	struct list rings;		/* nodes that were passed for one */
	size_t page_bytes;		/* of a reply's list: the rest comes with the next */
	bool terminating;		/* at the last close of each disk */
	bool ending;			/* end() has been called */
	struct loop_task progress;
	/* The last VBD is gone: stop listening, answer, leave. */
	void (*end)(struct tapdisk *tapdisk);
	void *end_data;
};

int tapdisk_init(struct tapdisk *tapdisk, struct loop *loop);
/* When no VBD is left. Waits for workers; see tapdisk_is_stuck(). */
void tapdisk_exit(struct tapdisk *tapdisk);
/* A worker waits for an image that nobody else waits for any more. */
bool tapdisk_is_stuck(const struct tapdisk *tapdisk);

/* NULL: no such VBD. */
struct vbd *tapdisk_find(struct tapdisk *tapdisk, unsigned int minor);
/* Takes @fd, the ring node; negative: it is opened. */
int tapdisk_attach(struct tapdisk *tapdisk, unsigned int minor, int fd, struct blktap_error *err);
/* The last one ends the process. */
int tapdisk_detach(struct tapdisk *tapdisk, struct vbd *vbd, struct blktap_error *err);

/* A VBD of the takeover's is one of ours. */
void tapdisk_adopt(struct tapdisk *tapdisk, struct vbd *vbd);
/* The takeover is over; without any VBD, so is the process. */
void tapdisk_takeover_over(struct tapdisk *tapdisk);

/* Leave as soon as no disk is open. */
void tapdisk_terminate(struct tapdisk *tapdisk);
/* Before an operation on @vbd: what it waits for because of that is waited for again afterwards. */
void tapdisk_give_way(struct tapdisk *tapdisk, struct vbd *vbd);

#endif /* TAPDISK_TAPDISK_H */

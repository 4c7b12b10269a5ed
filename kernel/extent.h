/* SPDX-License-Identifier: GPL-2.0-only */
/* Extents: ranges of a disk that the kernel serves from files by itself. */
#ifndef _BLKTAP_EXTENT_H
#define _BLKTAP_EXTENT_H

#include <linux/llist.h>
#include <linux/maple_tree.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct blktap_disk;
struct blktap_file;
struct blktap_map_extent;
struct blktap_session;
struct blktap_worker;
struct request;

/* A session's map. It changes under the tap's lock and is read under RCU. */
struct blktap_extents {
	struct maple_tree tree;		/* by sectors */
	u32 nr;				/* ranges */

	/* Requests whose I/O has failed. */
	struct llist_head failed;
	struct work_struct failed_work;
};

void blktap_extents_init(struct blktap_extents *extents);

/* As the calls in the UAPI header, but for WAIT; see blktap_barrier_wait(). */
int blktap_extent_map(struct blktap_session *session, const struct blktap_map_extent *map);
int blktap_extent_unmap(struct blktap_session *session, u64 offset, u64 length);

/* With the tap locked. */
void blktap_extents_forget_file(struct blktap_session *session, const struct blktap_file *file);
void blktap_extents_clear(struct blktap_session *session);

/*
 * Serves a request from an extent: false if there is none for it. Called under RCU,
 * without sleeping; what it returns to start goes to blktap_extent_start().
 */
bool blktap_extent_take(struct blktap_session *session, struct request *rq);

/* Starts what has been taken, here and now or by the worker; not under RCU. */
void blktap_extent_start(struct request *rq, struct blktap_worker *worker, bool may_sleep);

#endif /* _BLKTAP_EXTENT_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/* Sessions: one open file on the ring node, and what it owns. */
#ifndef _BLKTAP_SESSION_H
#define _BLKTAP_SESSION_H

#include "extent.h"
#include "file.h"

#include <linux/blktap.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

struct address_space;
struct blktap_barrier;
struct blktap_queue;
struct blktap_tap;
struct file;
struct pid;
struct vm_area_struct;

/* What is built. */
#define BLKTAP_FEATURES	(BLKTAP_F_DATA_ON_DEMAND | BLKTAP_F_REDIRECT | BLKTAP_F_EXTENTS | \
			 BLKTAP_F_HOLD | BLKTAP_F_TAKEOVER | BLKTAP_F_SWAP)

enum blktap_session_state {
	BLKTAP_SESSION_NEW,
	BLKTAP_SESSION_ATTACHED,
	BLKTAP_SESSION_ENDED,
};

struct blktap_session {
	struct kref kref;
	struct rcu_work free_work;
	struct blktap_tap *tap;
	int state;			/* written under the tap's lock */
	u64 epoch;
	u64 features;			/* granted */
	bool demand;			/* START: WRITEs come without data */

	/* Under the tap's lock, as it serves its disk and after that. */
	bool started;			/* it has a disk, and may have had requests */
	bool holding;			/* HOLD: it has no I/O under way */
	bool released;			/* nobody has its ring file any more */
	bool told;			/* that it has ended */
	unsigned long resumed;		/* jiffies: time counts from here on */
	struct list_head ended;		/* in the tap's ended_sessions */
	unsigned long stuck_at;		/* jiffies: to tell then that its fence is shut */

	struct pid *pid;
	u32 nr_queues;
	struct blktap_queue *queues;

	/* What the kernel does by itself. */
	struct blktap_files files;
	struct blktap_extents extents;
	struct blktap_barrier __rcu *barrier;	/* NULL once it has ended */
	atomic_t barriers;		/* that there are */

	/* The ring node's poll. */
	wait_queue_head_t wait;
	bool event;			/* GET_STATE has news */

	/* Idle buffer pages go; the mapping goes with the ring file. */
	struct delayed_work trim_work;
	bool pages_scarce;
	struct mutex mapping_lock;
	struct address_space *mapping;
};

struct blktap_session *blktap_session_new(struct blktap_tap *tap);
void blktap_session_get(struct blktap_session *session);
void blktap_session_put(struct blktap_session *session);

int blktap_session_attach(struct blktap_session *session, struct file *file,
			  struct blktap_attach *attach);
/* Whether a feature was granted that needs files. */
bool blktap_session_may_register(const struct blktap_session *session);
bool blktap_session_attached(const struct blktap_session *session);
int blktap_session_mmap(struct blktap_session *session, struct vm_area_struct *vma);

/* Ends it, in whatever state: requests that its daemon has wait or fail. */
void blktap_session_end(struct blktap_session *session);

/* The same with the tap locked, and its process is killed. */
void blktap_session_kill(struct blktap_session *session);

/* With the tap locked, for its successor: it ends, and that is the tap's session. */
void blktap_session_supplant(struct blktap_session *session);

/* The ring file goes: nothing is mapped any more. */
void blktap_session_release(struct blktap_session *session);

/* Wakes its daemon for all that was submitted. */
void blktap_session_kick(struct blktap_session *session);

/* Raises EPOLLPRI. */
void blktap_session_notify(struct blktap_session *session);

/* What its queues have counted. */
struct blktap_counts {
	u64 rejected;
	u64 ios_daemon;
	u64 ios_redirect;
	u64 ios_extent;
	u64 ios_retry;
};
void blktap_session_count(const struct blktap_session *session, struct blktap_counts *counts);

/* Buffer pages have been added: trim them when they have become idle. */
void blktap_session_trim_later(struct blktap_session *session);
void blktap_session_trim_now(struct blktap_session *session);

#endif /* _BLKTAP_SESSION_H */

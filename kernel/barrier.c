// SPDX-License-Identifier: GPL-2.0-only
#include "barrier.h"
#include "recovery.h"
#include "session.h"
#include "tap.h"

#include <linux/completion.h>
#include <linux/kref.h>
#include <linux/percpu-refcount.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

/* Waits of a session that are not over, given up ones included. */
#define BLKTAP_MAX_BARRIERS	1024

struct blktap_barrier {
	struct percpu_ref ref;		/* of I/O */
	struct work_struct over_work;
	struct kref kref;		/* of memory: by ref, and by who waits */
	struct completion over;
	struct blktap_session *session;
	struct blktap_barrier *next;	/* is not over before this one is */
};

static void blktap_barrier_free(struct kref *kref)
{
	struct blktap_barrier *barrier = container_of(kref, struct blktap_barrier, kref);

	percpu_ref_exit(&barrier->ref);
	atomic_dec(&barrier->session->barriers);
	blktap_session_put(barrier->session);
	kfree(barrier);
}

static void blktap_barrier_over(struct work_struct *work)
{
	struct blktap_barrier *barrier = container_of(work, struct blktap_barrier, over_work);
	struct blktap_tap *tap = barrier->session->tap;
	bool last = !barrier->next;

	if (barrier->next)
		percpu_ref_put(&barrier->next->ref);
	complete_all(&barrier->over);
	blktap_tap_get(tap);
	kref_put(&barrier->kref, blktap_barrier_free);
	/* The last one of a session that has ended. */
	if (last)
		blktap_recovery_look(tap);
	blktap_tap_put(tap);
}

/* By work, since many may be over one after the other: that must not nest. */
static void blktap_barrier_release(struct percpu_ref *ref)
{
	struct blktap_barrier *barrier = container_of(ref, struct blktap_barrier, ref);

	queue_work(blktap_retry_wq, &barrier->over_work);
}

struct blktap_barrier *blktap_barrier_new(struct blktap_session *session)
{
	struct blktap_barrier *barrier = kzalloc(sizeof(*barrier), GFP_KERNEL);

	if (!barrier)
		return NULL;

	if (atomic_inc_return(&session->barriers) > BLKTAP_MAX_BARRIERS ||
	    percpu_ref_init(&barrier->ref, blktap_barrier_release, 0, GFP_KERNEL)) {
		atomic_dec(&session->barriers);
		kfree(barrier);
		return NULL;
	}
	INIT_WORK(&barrier->over_work, blktap_barrier_over);
	kref_init(&barrier->kref);
	init_completion(&barrier->over);
	blktap_session_get(session);
	barrier->session = session;

	return barrier;
}

void blktap_barrier_put(struct blktap_barrier *barrier)
{
	kref_put(&barrier->kref, blktap_barrier_free);
}

void blktap_barrier_start(struct blktap_session *session, struct blktap_barrier *barrier)
{
	rcu_assign_pointer(session->barrier, barrier);
}

struct blktap_barrier *blktap_barrier_enter(struct blktap_session *session)
{
	struct blktap_barrier *barrier;

	rcu_read_lock();
	barrier = rcu_dereference(session->barrier);
	if (barrier && !percpu_ref_tryget(&barrier->ref))
		barrier = NULL;
	rcu_read_unlock();
	/* Who has the new one sees what went before: see blktap_barrier_replace(). */
	smp_rmb();

	return barrier;
}

void blktap_barrier_leave(struct blktap_barrier *barrier)
{
	percpu_ref_put(&barrier->ref);
}

/*
 * Puts @next, or nothing, in the place of the present barrier. Returns that, with
 * a reference of the caller's, or NULL: the session has ended.
 */
static struct blktap_barrier *blktap_barrier_replace(struct blktap_session *session,
						     struct blktap_barrier *next)
{
	struct blktap_barrier *old;

	lockdep_assert_held(&session->tap->lock);
	old = rcu_dereference_protected(session->barrier, lockdep_is_held(&session->tap->lock));
	if (!old)
		return NULL;

	kref_get(&old->kref);
	if (next)
		percpu_ref_get(&next->ref);
	old->next = next;
	/* Who finds the new one finds what was unmapped before unmapped. */
	rcu_assign_pointer(session->barrier, next);
	/* Over at the earliest after a grace period: who found it has entered. */
	percpu_ref_kill(&old->ref);

	return old;
}

int blktap_barrier_wait(struct blktap_session *session)
{
	struct blktap_barrier *next = blktap_barrier_new(session);
	struct blktap_barrier *old;
	int err;

	if (!next)
		return -ENOMEM;

	blktap_tap_lock(session->tap);
	old = blktap_barrier_replace(session, next);
	blktap_tap_unlock(session->tap);
	if (!old) {
		blktap_barrier_put(next);
		return -ENODEV;
	}

	err = wait_for_completion_interruptible(&old->over);
	blktap_barrier_put(old);
	return err ? -EINTR : 0;
}

void blktap_barrier_stop(struct blktap_session *session)
{
	struct blktap_barrier *old = blktap_barrier_replace(session, NULL);

	if (old)
		blktap_barrier_put(old);
}

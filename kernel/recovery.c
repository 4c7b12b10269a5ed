// SPDX-License-Identifier: GPL-2.0-only
#include "recovery.h"
#include "disk.h"
#include "netlink.h"
#include "session.h"
#include "tap.h"
#include "worker.h"

#include <linux/blk-mq.h>
#include <linux/jiffies.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>

/* How often to look for what does not tell by itself. */
#define BLKTAP_ENDED_POLL	msecs_to_jiffies(20)

/* --- the gate -------------------------------------------------------------- */

void blktap_recovery_gate(struct blktap_disk *disk)
{
	struct blktap_session *session;
	bool closed;

	session = rcu_dereference_protected(disk->session, lockdep_is_held(&disk->tap->lock));
	if (blktap_disk_is_removing(disk))
		closed = false;
	else if (session)
		closed = session->holding;
	else
		closed = disk->recovery == BLKTAP_RECOVERY_HELD;

	if (closed == disk->gated)
		return;
	WRITE_ONCE(disk->gated, closed);
	if (closed) {
		blk_mq_quiesce_queue_nowait(disk->gd->queue);
		/* Who has promised to bring more, and then to kick, brings none now. */
		blktap_workers_kick(disk->workers);
	} else {
		blk_mq_unquiesce_queue(disk->gd->queue);
		blk_mq_kick_requeue_list(disk->gd->queue);
		queue_work(blktap_retry_wq, &disk->opened_work);
	}
}

/*
 * Who found the gate closed just before it was opened may put a request behind it after that.
 * Not all kernels have him look whether it still is.
 */
void blktap_recovery_opened_work(struct work_struct *work)
{
	struct blktap_disk *disk = container_of(work, struct blktap_disk, opened_work);

	blktap_wait_quiesce_done(disk->gd);
	blk_mq_run_hw_queues(disk->gd->queue, true);
}

/* --- the fence ------------------------------------------------------------- */

/* Whether nothing of an ended session can write any more. */
static bool blktap_session_is_fenced(const struct blktap_session *session)
{
	if (!session->started)
		return true;

	return (session->released || session->holding) && !atomic_read(&session->barriers);
}

static bool blktap_tap_is_fenced(const struct blktap_tap *tap)
{
	const struct blktap_session *session;

	list_for_each_entry(session, &tap->ended_sessions, ended) {
		if (!blktap_session_is_fenced(session))
			return false;
	}
	return true;
}

/* --- works ------------------------------------------------------------------ */

/*
 * A work that is queued keeps the tap. It must never be disabled, as waiting for its
 * cancelling does: then it would not be queued, and nobody told.
 */
static void blktap_tap_queue(struct blktap_tap *tap, struct delayed_work *work,
			     unsigned long delay)
{
	blktap_tap_get(tap);
	if (mod_delayed_work(blktap_retry_wq, work, delay))
		blktap_tap_put(tap);
}

void blktap_recovery_look(struct blktap_tap *tap)
{
	blktap_tap_queue(tap, &tap->ended_work, 0);
}

/* --- holding ----------------------------------------------------------------- */

/* Submitters look at it without the tap's lock. */
static void blktap_recovery_set(struct blktap_disk *disk, u32 recovery)
{
	WRITE_ONCE(disk->recovery, recovery);
}

static void blktap_hold_begin(struct blktap_tap *tap, struct blktap_disk *disk)
{
	unsigned long limit = msecs_to_jiffies(tap->config.hold_ms);

	blktap_recovery_set(disk, BLKTAP_RECOVERY_HELD);
	tap->hold_until = jiffies + limit;
	if (limit)
		blktap_tap_queue(tap, &tap->hold_work, limit);
}

static bool blktap_hold_is_over(const struct blktap_tap *tap)
{
	return tap->disk && tap->disk->recovery == BLKTAP_RECOVERY_HELD && tap->config.hold_ms &&
	       time_after_eq(jiffies, tap->hold_until);
}

u32 blktap_recovery_left_ms(const struct blktap_tap *tap)
{
	if (tap->disk->recovery != BLKTAP_RECOVERY_HELD || !tap->config.hold_ms)
		return 0;
	if (time_after_eq(jiffies, tap->hold_until))
		return 1;

	return max(jiffies_to_msecs(tap->hold_until - jiffies), 1);
}

void blktap_recovery_fail(struct blktap_disk *disk)
{
	blktap_recovery_set(disk, BLKTAP_RECOVERY_FAILED);
	blktap_recovery_gate(disk);
}

static void blktap_hold_work(struct work_struct *work)
{
	struct blktap_tap *tap = container_of(to_delayed_work(work), struct blktap_tap, hold_work);

	blktap_tap_lock(tap);
	if (blktap_hold_is_over(tap)) {
		pr_warn("tapdev%u: no daemon for %u ms: requests fail\n", tap->minor,
			tap->config.hold_ms);
		blktap_recovery_fail(tap->disk);
		blktap_netlink_event(tap, BLKTAP_EVENT_HOLD_EXPIRED);
	}
	blktap_tap_unlock(tap);
	blktap_tap_put(tap);
}

/* --- from one session to the next ---------------------------------------------- */

/* What waited only since this session was about to serve, does so no more. */
static void blktap_hold_give_up(struct blktap_tap *tap, const struct blktap_session *session)
{
	struct blktap_disk *disk = tap->disk;

	if (disk && session->started && !session->holding && disk->held_for_start &&
	    disk->recovery == BLKTAP_RECOVERY_HELD &&
	    tap->config.on_death == BLKTAP_ON_DEATH_FAIL)
		blktap_recovery_fail(disk);
}

bool blktap_recovery_begin(struct blktap_tap *tap, struct blktap_session *session)
{
	struct blktap_disk *disk = tap->disk;
	bool hold;

	lockdep_assert_held(&tap->lock);
	/* One that waited for the fence has had no requests. */
	if (!disk || rcu_access_pointer(disk->session) != session) {
		blktap_hold_give_up(tap, session);
		return false;
	}

	disk->held_for_start = false;
	hold = (tap->config.on_death == BLKTAP_ON_DEATH_HOLD || session->holding) &&
	       !blktap_disk_is_removing(disk) && !disk->condemned;
	if (hold)
		blktap_hold_begin(tap, disk);
	else
		blktap_recovery_set(disk, BLKTAP_RECOVERY_FAILED);
	RCU_INIT_POINTER(disk->session, NULL);
	blktap_recovery_gate(disk);

	return hold;
}

/* Whether the tap has a session that is to serve the disk, and does not yet. */
static bool blktap_recovery_is_due(const struct blktap_tap *tap)
{
	const struct blktap_session *session = tap->session;
	const struct blktap_disk *disk = tap->disk;

	return disk && session && session->started && !blktap_disk_is_removing(disk) &&
	       !disk->condemned && rcu_access_pointer(disk->session) != session;
}

static void blktap_recovery_resume(struct blktap_tap *tap)
{
	struct blktap_disk *disk = tap->disk;
	bool again;

	if (!blktap_recovery_is_due(tap) || !blktap_tap_is_fenced(tap))
		return;

	if (cancel_delayed_work(&tap->hold_work))
		blktap_tap_put(tap);
	again = disk->recovery != BLKTAP_RECOVERY_NONE;
	blktap_recovery_set(disk, BLKTAP_RECOVERY_NONE);
	WRITE_ONCE(tap->session->resumed, jiffies);
	rcu_assign_pointer(disk->session, tap->session);
	blktap_recovery_gate(disk);
	if (again) {
		blktap_netlink_event(tap, BLKTAP_EVENT_RESUMED);
		blktap_session_notify(tap->session);
	}
}

void blktap_recovery_start(struct blktap_tap *tap)
{
	struct blktap_disk *disk = tap->disk;

	lockdep_assert_held(&tap->lock);
	/*
	 * It has a daemon, so requests wait, whatever was before. Those of a new disk, too:
	 * what is still written for the last one may be this one's image.
	 */
	if (disk->recovery != BLKTAP_RECOVERY_HELD && !blktap_tap_is_fenced(tap)) {
		disk->held_for_start = true;
		blktap_hold_begin(tap, disk);
		blktap_recovery_gate(disk);
	}
	blktap_recovery_resume(tap);
}

/* --- sessions that have ended --------------------------------------------------- */

/* It may still hold files, and with them image locks. */
bool blktap_process_is_exiting(struct pid *pid)
{
	struct task_struct *task;
	bool exiting = false;

	rcu_read_lock();
	task = pid_task(pid, PIDTYPE_TGID);
	if (task)
		exiting = READ_ONCE(task->signal->flags) & SIGNAL_GROUP_EXIT;
	if (task && thread_group_empty(task))
		exiting = (exiting || (READ_ONCE(task->flags) & PF_EXITING)) &&
			  !READ_ONCE(task->exit_state);
	rcu_read_unlock();

	return exiting;
}

static void blktap_session_tell_lost(struct blktap_tap *tap, struct blktap_session *session)
{
	struct blktap_tap_info info;

	/* The tap may have its next session already. */
	blktap_tap_info(tap, &info);
	info.pid = pid_nr(session->pid);
	info.epoch = session->epoch;
	blktap_netlink_event_info(&info, BLKTAP_EVENT_DAEMON_LOST);
	session->told = true;
}

/* Whatever becomes of requests meanwhile: whoever watches knows what all wait for. */
static void blktap_session_tell_stuck(struct blktap_tap *tap, struct blktap_session *session)
{
	if (blktap_session_is_fenced(session) || time_before(jiffies, session->stuck_at))
		return;

	session->stuck_at = jiffies + BLKTAP_STUCK_PERIOD;
	blktap_netlink_event(tap, BLKTAP_EVENT_STUCK);
}

/* The image's lock goes with the last of its open files. */
static bool blktap_session_is_lost(const struct blktap_session *session)
{
	return !blktap_process_is_exiting(session->pid) &&
	       !atomic_read(&session->files.closing);
}

static void blktap_session_forget(struct blktap_session *session)
{
	list_del_init(&session->ended);
	blktap_session_put(session);
}

static void blktap_ended_work(struct work_struct *work)
{
	struct blktap_tap *tap = container_of(to_delayed_work(work), struct blktap_tap, ended_work);
	struct blktap_session *session, *next;

	blktap_tap_lock(tap);
	/* First: the memory that messages need may have to be written to this disk. */
	blktap_recovery_resume(tap);
	list_for_each_entry_safe(session, next, &tap->ended_sessions, ended) {
		if (!session->told && blktap_session_is_lost(session))
			blktap_session_tell_lost(tap, session);
		blktap_session_tell_stuck(tap, session);
		if (session->told && blktap_session_is_fenced(session))
			blktap_session_forget(session);
	}
	if (!list_empty(&tap->ended_sessions))
		blktap_tap_queue(tap, &tap->ended_work, BLKTAP_ENDED_POLL);
	blktap_tap_unlock(tap);
	blktap_tap_put(tap);
}

void blktap_recovery_ended(struct blktap_tap *tap, struct blktap_session *session)
{
	lockdep_assert_held(&tap->lock);
	blktap_session_get(session);
	session->stuck_at = jiffies + BLKTAP_STUCK_PERIOD;
	list_add_tail(&session->ended, &tap->ended_sessions);
	blktap_recovery_look(tap);
}

void blktap_recovery_flush(struct blktap_tap *tap)
{
	struct blktap_session *session, *next;

	lockdep_assert_held(&tap->lock);
	list_for_each_entry_safe(session, next, &tap->ended_sessions, ended) {
		/* Else nobody will tell: the tap goes. */
		if (!session->told && blktap_session_is_lost(session))
			blktap_session_tell_lost(tap, session);
		blktap_session_forget(session);
	}
}

/* --- life ----------------------------------------------------------------------- */

void blktap_recovery_init(struct blktap_tap *tap)
{
	INIT_LIST_HEAD(&tap->ended_sessions);
	INIT_DELAYED_WORK(&tap->ended_work, blktap_ended_work);
	INIT_DELAYED_WORK(&tap->hold_work, blktap_hold_work);
}

/* One that runs finds nothing to do, and has a reference of its own. */
void blktap_recovery_stop(struct blktap_tap *tap)
{
	if (cancel_delayed_work(&tap->ended_work))
		blktap_tap_put(tap);
	if (cancel_delayed_work(&tap->hold_work))
		blktap_tap_put(tap);
}

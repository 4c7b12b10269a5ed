// SPDX-License-Identifier: GPL-2.0-only
#include "wait.h"
#include "queue.h"

#include <linux/file.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>

/* A processor is not to be kept busy for longer. */
#define BLKTAP_MAX_SPIN_NS	NSEC_PER_MSEC

struct blktap_wait {
	struct blktap_queue *queue;
	ktime_t begin;
	ktime_t until;			/* KTIME_MAX: no time-out */
	/* The other thing that ends it: a file that becomes readable. */
	struct file *also;		/* NULL: none */
	struct poll_wqueues table;	/* only with a file */
};

static bool blktap_wait_is_over(const struct blktap_queue *queue)
{
	return blktap_queue_is_ready(queue) || READ_ONCE(queue->dead);
}

/* --- the other file ------------------------------------------------------ */

/* With @table, it tells of changes from now on. */
static bool blktap_also_is_ready(struct blktap_wait *wait, poll_table *table)
{
	return vfs_poll(wait->also, table) & (EPOLLIN | EPOLLERR | EPOLLHUP);
}

static bool blktap_also_begin(struct blktap_wait *wait)
{
	if (!wait->also)
		return false;

	poll_initwait(&wait->table);
	return blktap_also_is_ready(wait, &wait->table.pt);
}

static void blktap_also_end(struct blktap_wait *wait)
{
	if (wait->also)
		poll_freewait(&wait->table);
}

/* Without memory it would not tell of changes: nobody may sleep for it. */
static int blktap_also_error(const struct blktap_wait *wait)
{
	return wait->also ? wait->table.error : 0;
}

static bool blktap_also_changed(const struct blktap_wait *wait)
{
	return wait->also && READ_ONCE(wait->table.triggered);
}

/* There was a change: whether it was the one that is waited for. */
static bool blktap_also_look(struct blktap_wait *wait)
{
	/* The next change is not missed if it comes after this look. */
	smp_store_mb(wait->table.triggered, 0);
	return blktap_also_is_ready(wait, NULL);
}

/* --- sleeping ------------------------------------------------------------ */

/* One sleep: 0 after any wake-up. */
static int blktap_wait_sleep(struct blktap_wait *wait)
{
	ktime_t *until = wait->until == KTIME_MAX ? NULL : &wait->until;

	if (signal_pending(current))
		return -EINTR;

	return schedule_hrtimeout(until, HRTIMER_MODE_ABS) ? 0 : -ETIME;
}

/* Returns 1 if it is the other file that ended it. */
static int blktap_wait_loop(struct blktap_wait *wait)
{
	int err = blktap_also_error(wait);

	for (;;) {
		/* On the list before looking, as the submitter looks after publishing. */
		set_current_state(TASK_INTERRUPTIBLE);
		if (err || blktap_wait_is_over(wait->queue))
			break;
		if (!blktap_also_changed(wait)) {
			err = blktap_wait_sleep(wait);
			continue;
		}
		__set_current_state(TASK_RUNNING);
		if (blktap_also_look(wait))
			return 1;
	}
	__set_current_state(TASK_RUNNING);

	return blktap_wait_is_over(wait->queue) ? 0 : err;
}

static int blktap_wait_sleeping(struct blktap_wait *wait, struct blktap_enter *enter)
{
	DECLARE_WAITQUEUE(entry, current);
	int ret = 1;

	if (!blktap_also_begin(wait)) {
		add_wait_queue(&wait->queue->wait, &entry);
		ret = blktap_wait_loop(wait);
		remove_wait_queue(&wait->queue->wait, &entry);
	}
	blktap_also_end(wait);

	if (ret <= 0)
		return ret;
	enter->ready |= BLKTAP_READY_ALSO;
	return 0;
}

/* --- spinning ------------------------------------------------------------ */

/* Nobody else has a use for this processor. */
static bool blktap_may_spin(void)
{
	return single_task_running() && !need_resched() && !signal_pending(current);
}

/* Whether it was worth it. */
static bool blktap_wait_spinning(const struct blktap_wait *wait, u32 ns)
{
	ktime_t end = ktime_add_ns(wait->begin, min_t(u32, ns, BLKTAP_MAX_SPIN_NS));

	if (end > wait->until)
		end = wait->until;

	while (blktap_may_spin() && ktime_get() < end) {
		if (blktap_wait_is_over(wait->queue))
			return true;
		cpu_relax();
	}

	return false;
}

/* --- waiting ------------------------------------------------------------- */

static int blktap_wait(struct blktap_wait *wait, struct blktap_enter *enter)
{
	int err = 0;

	if (enter->spin && blktap_wait_spinning(wait, enter->spin))
		enter->ready |= BLKTAP_READY_SPUN;
	else
		err = blktap_wait_sleeping(wait, enter);

	return READ_ONCE(wait->queue->dead) ? -ENODEV : err;
}

static u32 blktap_clamp_ns(u64 ns)
{
	return min_t(u64, ns, U32_MAX);
}

/* Tells how long it took, too. */
static int blktap_wait_measured(struct blktap_wait *wait, struct blktap_enter *enter)
{
	u64 delay;
	int err;

	wait->begin = ktime_get();
	/* Within the time that is measured, so that it is a part of it. */
	delay = blktap_run_delay();
	wait->until = KTIME_MAX;
	if (enter->timeout >= 0)
		wait->until = ktime_add_safe(wait->begin, ns_to_ktime(enter->timeout));

	err = blktap_wait(wait, enter);
	enter->delayed = blktap_clamp_ns(blktap_run_delay() - delay);
	enter->waited = blktap_clamp_ns(ktime_to_ns(ktime_sub(ktime_get(), wait->begin)));
	return err;
}

int blktap_queue_wait(struct blktap_queue *queue, struct blktap_enter *enter)
{
	struct blktap_wait wait;
	int err;

	if (blktap_wait_is_over(queue))
		return READ_ONCE(queue->dead) ? -ENODEV : 0;

	wait.queue = queue;
	wait.also = NULL;
	if (enter->flags & BLKTAP_ENTER_ALSO) {
		wait.also = fget(enter->fd);
		if (!wait.also)
			return -EBADF;
	}
	err = blktap_wait_measured(&wait, enter);
	if (wait.also)
		fput(wait.also);

	return err;
}

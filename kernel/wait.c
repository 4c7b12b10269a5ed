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

/* The other thing that ends a wait: a file that becomes readable. */
struct blktap_also {
	struct file *file;		/* NULL: none */
	struct poll_wqueues table;	/* only with a file */
};

static bool blktap_wait_is_over(const struct blktap_queue *queue)
{
	return blktap_queue_is_ready(queue) || READ_ONCE(queue->dead);
}

/* --- the other file ------------------------------------------------------ */

/* With @table, it tells of changes from now on. */
static bool blktap_also_is_ready(struct blktap_also *also, poll_table *table)
{
	return vfs_poll(also->file, table) & (EPOLLIN | EPOLLERR | EPOLLHUP);
}

static bool blktap_also_begin(struct blktap_also *also)
{
	if (!also->file)
		return false;

	poll_initwait(&also->table);
	return blktap_also_is_ready(also, &also->table.pt);
}

static void blktap_also_end(struct blktap_also *also)
{
	if (also->file)
		poll_freewait(&also->table);
}

static bool blktap_also_changed(const struct blktap_also *also)
{
	return also->file && READ_ONCE(also->table.triggered);
}

/* There was a change: whether it was the one that is waited for. */
static bool blktap_also_look(struct blktap_also *also)
{
	/* The next change is not missed if it comes after this look. */
	smp_store_mb(also->table.triggered, 0);
	return blktap_also_is_ready(also, NULL);
}

/* --- sleeping ------------------------------------------------------------ */

/* One sleep: 0 after any wake-up. @until is NULL without a time-out. */
static int blktap_wait_sleep(ktime_t *until)
{
	if (signal_pending(current))
		return -EINTR;
	if (!until) {
		schedule();
		return 0;
	}

	return schedule_hrtimeout(until, HRTIMER_MODE_ABS) ? 0 : -ETIME;
}

/* Returns 1 if it is the other file that ended it. */
static int blktap_wait_loop(struct blktap_queue *queue, struct blktap_also *also, ktime_t *until)
{
	int err = 0;

	for (;;) {
		/* On the list before looking, as the submitter looks after publishing. */
		set_current_state(TASK_INTERRUPTIBLE);
		if (err || blktap_wait_is_over(queue))
			break;
		if (!blktap_also_changed(also)) {
			err = blktap_wait_sleep(until);
			continue;
		}
		__set_current_state(TASK_RUNNING);
		if (blktap_also_look(also))
			return 1;
	}
	__set_current_state(TASK_RUNNING);

	return blktap_wait_is_over(queue) ? 0 : err;
}

static int blktap_wait_sleeping(struct blktap_queue *queue, struct blktap_enter *enter,
				struct file *file)
{
	struct blktap_also also;
	DECLARE_WAITQUEUE(wait, current);
	ktime_t until;
	int ret = 1;

	also.file = file;
	if (enter->timeout >= 0)
		until = ktime_add_safe(ktime_get(), ns_to_ktime(enter->timeout));

	if (!blktap_also_begin(&also)) {
		add_wait_queue(&queue->wait, &wait);
		ret = blktap_wait_loop(queue, &also, enter->timeout < 0 ? NULL : &until);
		remove_wait_queue(&queue->wait, &wait);
	}
	blktap_also_end(&also);

	if (ret > 0) {
		enter->ready |= BLKTAP_READY_ALSO;
		ret = 0;
	}
	return ret;
}

/* --- spinning ------------------------------------------------------------ */

/* Nobody else has a use for this processor. */
static bool blktap_may_spin(void)
{
	return single_task_running() && !need_resched() && !signal_pending(current);
}

/* Whether it was worth it. */
static bool blktap_wait_spinning(const struct blktap_queue *queue, u64 begin, u32 ns)
{
	u64 end = begin + min_t(u32, ns, BLKTAP_MAX_SPIN_NS);

	while (!blktap_wait_is_over(queue)) {
		if (!blktap_may_spin() || ktime_get_ns() >= end)
			return false;
		cpu_relax();
	}

	return true;
}

static u32 blktap_clamp_ns(u64 ns)
{
	return min_t(u64, ns, U32_MAX);
}

/* Looks before it sleeps, and tells how long it took. */
static int blktap_wait_spin_first(struct blktap_queue *queue, struct blktap_enter *enter,
				  struct file *file)
{
	u64 begin = ktime_get_ns();
	u64 woken, end;
	int err = 0;

	if (blktap_wait_spinning(queue, begin, enter->spin))
		enter->ready |= BLKTAP_READY_SPUN;
	else
		err = blktap_wait_sleeping(queue, enter, file);

	end = ktime_get_ns();
	enter->waited = blktap_clamp_ns(end - begin);
	woken = READ_ONCE(queue->woken_at);
	if (woken > begin && woken < end)
		enter->delayed = blktap_clamp_ns(end - woken);
	return err;
}

static int blktap_wait_with(struct blktap_queue *queue, struct blktap_enter *enter,
			    struct file *file)
{
	int err;

	if (enter->spin)
		err = blktap_wait_spin_first(queue, enter, file);
	else
		err = blktap_wait_sleeping(queue, enter, file);

	return READ_ONCE(queue->dead) ? -ENODEV : err;
}

int blktap_queue_wait(struct blktap_queue *queue, struct blktap_enter *enter)
{
	struct file *file = NULL;
	int err;

	if (blktap_wait_is_over(queue))
		return READ_ONCE(queue->dead) ? -ENODEV : 0;

	if (enter->flags & BLKTAP_ENTER_ALSO) {
		file = fget(enter->fd);
		if (!file)
			return -EBADF;
	}
	err = blktap_wait_with(queue, enter, file);
	if (file)
		fput(file);

	return err;
}

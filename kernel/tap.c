// SPDX-License-Identifier: GPL-2.0-only
#include "tap.h"
#include "disk.h"
#include "netlink.h"
#include "ring.h"
#include "session.h"

#include <linux/module.h>
#include <linux/netlink.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>
#include <linux/xarray.h>

/* How often to look whether a lost daemon's process is gone. */
#define BLKTAP_LOST_POLL	msecs_to_jiffies(20)

struct workqueue_struct *blktap_wq;
struct workqueue_struct *blktap_disk_wq;
struct workqueue_struct *blktap_retry_wq;

/*
 * The table holds a reference to each tap. table_lock orders coming and going,
 * the array's own lock makes look-ups safe.
 */
static DEFINE_XARRAY_ALLOC(blktap_taps);
static DEFINE_MUTEX(blktap_table_lock);
static atomic_t blktap_generation = ATOMIC_INIT(1);

/* Taps in memory, which disks and sessions keep there beyond their freeing. */
static atomic_t blktap_live_taps = ATOMIC_INIT(0);

static void blktap_tap_changed(void)
{
	if (!atomic_inc_return(&blktap_generation))
		atomic_inc(&blktap_generation);
}

u32 blktap_tap_generation(void)
{
	return atomic_read(&blktap_generation);
}

void blktap_tap_lock(struct blktap_tap *tap)
{
	unsigned int noio = memalloc_noio_save();

	mutex_lock(&tap->lock);
	tap->noio = noio;
}

void blktap_tap_unlock(struct blktap_tap *tap)
{
	unsigned int noio = tap->noio;

	mutex_unlock(&tap->lock);
	memalloc_noio_restore(noio);
}

static void blktap_tap_free(struct kref *kref)
{
	struct blktap_tap *tap = container_of(kref, struct blktap_tap, kref);

	mutex_destroy(&tap->lock);
	kfree(tap);
	if (atomic_dec_and_test(&blktap_live_taps))
		wake_up_var(&blktap_live_taps);
}

void blktap_tap_get(struct blktap_tap *tap)
{
	kref_get(&tap->kref);
}

void blktap_tap_put(struct blktap_tap *tap)
{
	kref_put(&tap->kref, blktap_tap_free);
}

struct blktap_tap *blktap_tap_find(u32 minor)
{
	struct blktap_tap *tap;

	xa_lock(&blktap_taps);
	tap = xa_load(&blktap_taps, minor);
	if (tap)
		blktap_tap_get(tap);
	xa_unlock(&blktap_taps);

	return tap;
}

struct blktap_tap *blktap_tap_next(unsigned long *minor)
{
	struct blktap_tap *tap;

	xa_lock(&blktap_taps);
	tap = xa_find(&blktap_taps, minor, BLKTAP_MAX_MINORS - 1, XA_PRESENT);
	if (tap)
		blktap_tap_get(tap);
	xa_unlock(&blktap_taps);

	return tap;
}

static void blktap_tap_send_lost(struct blktap_tap *tap, struct blktap_session *session)
{
	struct blktap_tap_info info;

	/* The tap may have its next session already. */
	blktap_tap_info(tap, &info);
	info.pid = pid_nr(session->pid);
	info.epoch = session->epoch;
	blktap_netlink_event_info(&info, BLKTAP_EVENT_DAEMON_LOST);

	list_del(&session->lost);
	blktap_session_put(session);
}

/* On its way out, but it may still hold files, and with them image locks. */
static bool blktap_process_is_exiting(struct pid *pid)
{
	struct task_struct *task;
	bool exiting = false;

	rcu_read_lock();
	task = pid_task(pid, PIDTYPE_TGID);
	if (task && thread_group_empty(task))
		exiting = (task->flags & PF_EXITING) && !task->exit_state;
	else if (task)
		exiting = task->signal->flags & SIGNAL_GROUP_EXIT;
	rcu_read_unlock();

	return exiting;
}

static void blktap_tap_lost_work(struct work_struct *work)
{
	struct blktap_tap *tap = container_of(to_delayed_work(work), struct blktap_tap, lost_work);
	struct blktap_session *session, *next;

	blktap_tap_lock(tap);
	list_for_each_entry_safe(session, next, &tap->lost_sessions, lost) {
		/* The image's lock goes with the last of its open files. */
		if (!blktap_process_is_exiting(session->pid) &&
		    !atomic_read(&session->files.closing))
			blktap_tap_send_lost(tap, session);
	}
	if (!list_empty(&tap->lost_sessions))
		queue_delayed_work(blktap_wq, &tap->lost_work, BLKTAP_LOST_POLL);
	blktap_tap_unlock(tap);
}

void blktap_tap_lost(struct blktap_tap *tap, struct blktap_session *session)
{
	blktap_session_get(session);
	list_add_tail(&session->lost, &tap->lost_sessions);
	queue_delayed_work(blktap_wq, &tap->lost_work, 0);
}

/* A tap that is freed waits for nobody. */
static void blktap_tap_flush_lost(struct blktap_tap *tap)
{
	struct blktap_session *session, *next;

	list_for_each_entry_safe(session, next, &tap->lost_sessions, lost)
		blktap_tap_send_lost(tap, session);
}

static struct blktap_tap *blktap_tap_alloc(const struct blktap_config *config)
{
	struct blktap_tap *tap = kzalloc(sizeof(*tap), GFP_KERNEL);

	if (!tap)
		return NULL;

	atomic_inc(&blktap_live_taps);
	kref_init(&tap->kref);
	mutex_init(&tap->lock);
	INIT_LIST_HEAD(&tap->lost_sessions);
	tap->config = *config;
	INIT_DELAYED_WORK(&tap->lost_work, blktap_tap_lost_work);

	return tap;
}

/* Reserves a minor; the entry stays empty until the tap is ready. */
static int blktap_tap_reserve(int minor, u32 *reserved, struct netlink_ext_ack *extack)
{
	int err;

	if (minor < 0) {
		err = xa_alloc(&blktap_taps, reserved, NULL, XA_LIMIT(0, BLKTAP_MAX_MINORS - 1),
			       GFP_KERNEL);
		if (err == -EBUSY) {
			NL_SET_ERR_MSG(extack, "all minors are taken");
			err = -ENOSPC;
		}
		return err;
	}

	*reserved = minor;
	err = xa_insert(&blktap_taps, minor, NULL, GFP_KERNEL);
	if (err == -EBUSY) {
		NL_SET_ERR_MSG(extack, "the minor is allocated already");
		err = -EEXIST;
	}
	return err;
}

static int blktap_tap_add(struct blktap_tap *tap, int minor, struct netlink_ext_ack *extack)
{
	int err;

	/* One module reference per tap: unloading is refused while there is one. */
	if (!try_module_get(THIS_MODULE)) {
		NL_SET_ERR_MSG(extack, "the module is being unloaded");
		return -ENODEV;
	}

	err = blktap_tap_reserve(minor, &tap->minor, extack);
	if (err)
		goto err_module;

	err = blktap_ring_add_node(tap);
	if (err) {
		NL_SET_ERR_MSG(extack, "the ring node could not be made");
		goto err_reserve;
	}

	blktap_tap_get(tap);
	blktap_tap_lock(tap);
	xa_store(&blktap_taps, tap->minor, tap, GFP_KERNEL);
	blktap_tap_changed();
	blktap_netlink_event(tap, BLKTAP_EVENT_ALLOCATED);
	blktap_tap_unlock(tap);

	return 0;

err_reserve:
	xa_release(&blktap_taps, tap->minor);
err_module:
	module_put(THIS_MODULE);
	return err;
}

struct blktap_tap *blktap_tap_new(int minor, const struct blktap_config *config,
				  struct netlink_ext_ack *extack)
{
	struct blktap_tap *tap = blktap_tap_alloc(config);
	unsigned int noio;
	int err;

	if (!tap)
		return ERR_PTR(-ENOMEM);

	noio = memalloc_noio_save();
	mutex_lock(&blktap_table_lock);
	err = blktap_tap_add(tap, minor, extack);
	mutex_unlock(&blktap_table_lock);
	memalloc_noio_restore(noio);

	if (err) {
		blktap_tap_put(tap);
		return ERR_PTR(err);
	}
	return tap;
}

/* The last step of freeing: there is neither session nor disk. */
static void blktap_tap_remove(struct blktap_tap *tap)
{
	unsigned int noio;

	cancel_delayed_work_sync(&tap->lost_work);

	noio = memalloc_noio_save();
	mutex_lock(&blktap_table_lock);
	blktap_ring_remove_node(tap);
	blktap_tap_lock(tap);
	xa_erase(&blktap_taps, tap->minor);
	blktap_tap_changed();
	blktap_tap_flush_lost(tap);
	blktap_netlink_event(tap, BLKTAP_EVENT_FREED);
	blktap_tap_unlock(tap);
	mutex_unlock(&blktap_table_lock);
	memalloc_noio_restore(noio);

	blktap_tap_put(tap);
	module_put(THIS_MODULE);
}

void blktap_tap_disk_gone(struct blktap_tap *tap)
{
	bool dying = tap->dying;

	blktap_tap_unlock(tap);
	if (dying)
		blktap_tap_remove(tap);
}

/* Decides with the tap locked; on success the tap is dying. */
static int blktap_tap_start_dying(struct blktap_tap *tap, struct netlink_ext_ack *extack)
{
	if (tap->dying) {
		NL_SET_ERR_MSG(extack, "the tap is being freed already");
		return -EBUSY;
	}

	if (tap->session) {
		NL_SET_ERR_MSG(extack, "a daemon is attached");
		return -EBUSY;
	}

	if (tap->disk && blktap_disk_remove(tap->disk)) {
		NL_SET_ERR_MSG(extack, "the disk is open or being added");
		return -EBUSY;
	}

	tap->dying = true;
	return 0;
}

int blktap_tap_del(u32 minor, struct netlink_ext_ack *extack)
{
	struct blktap_tap *tap = blktap_tap_find(minor);
	bool now;
	int err;

	if (!tap) {
		NL_SET_ERR_MSG(extack, "no such minor");
		return -ENODEV;
	}

	blktap_tap_lock(tap);
	err = blktap_tap_start_dying(tap, extack);
	now = !err && !tap->disk;
	blktap_tap_unlock(tap);

	if (now)
		blktap_tap_remove(tap);
	blktap_tap_put(tap);

	return err;
}

void blktap_tap_info(struct blktap_tap *tap, struct blktap_tap_info *info)
{
	struct blktap_session *session = tap->session;
	struct blktap_disk *disk = tap->disk;

	memset(info, 0, sizeof(*info));
	info->minor = tap->minor;
	info->config = tap->config;
	info->epoch = tap->epoch;

	if (session) {
		info->pid = pid_nr(session->pid);
		info->files = session->files.nr;
		info->extents = session->extents.nr;
		blktap_session_count(session, &info->counts);
	}

	if (disk) {
		info->disk_flags = disk->flags;
		info->capacity = disk->capacity;
		info->logical_block_size = disk->logical_block_size;
		info->physical_block_size = disk->physical_block_size;
		spin_lock(&disk->lock);
		info->disk_state = disk->state;
		info->openers = disk->openers;
		spin_unlock(&disk->lock);
	}
}

int blktap_tap_init(void)
{
	blktap_wq = alloc_workqueue("blktap", WQ_UNBOUND, 0);
	if (!blktap_wq)
		return -ENOMEM;

	/* Waits for I/O, and so for daemons: many at a time, each for its own tap. */
	blktap_disk_wq = alloc_workqueue("blktap-disk", WQ_UNBOUND, WQ_MAX_ACTIVE);
	if (!blktap_disk_wq)
		goto err_wq;

	blktap_retry_wq = alloc_workqueue("blktap-retry", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!blktap_retry_wq)
		goto err_disk_wq;

	return 0;

err_disk_wq:
	destroy_workqueue(blktap_disk_wq);
err_wq:
	destroy_workqueue(blktap_wq);
	return -ENOMEM;
}

void blktap_tap_exit(void)
{
	/* Sessions go through RCU to the workqueue, see blktap_session_put(). */
	rcu_barrier();
	wait_var_event(&blktap_live_taps, !atomic_read(&blktap_live_taps));
	destroy_workqueue(blktap_retry_wq);
	destroy_workqueue(blktap_disk_wq);
	destroy_workqueue(blktap_wq);
	xa_destroy(&blktap_taps);
}

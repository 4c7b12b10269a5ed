// SPDX-License-Identifier: GPL-2.0-only
#include "tap.h"
#include "disk.h"
#include "netlink.h"
#include "recovery.h"
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

static struct blktap_tap *blktap_tap_alloc(const struct blktap_config *config)
{
	struct blktap_tap *tap = kzalloc(sizeof(*tap), GFP_KERNEL);

	if (!tap)
		return NULL;

	atomic_inc(&blktap_live_taps);
	kref_init(&tap->kref);
	mutex_init(&tap->lock);
	tap->config = *config;
	blktap_recovery_init(tap);

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

	blktap_recovery_stop(tap);

	noio = memalloc_noio_save();
	mutex_lock(&blktap_table_lock);
	blktap_ring_remove_node(tap);
	blktap_tap_lock(tap);
	xa_erase(&blktap_taps, tap->minor);
	blktap_tap_changed();
	blktap_recovery_flush(tap);
	blktap_netlink_event(tap, BLKTAP_EVENT_FREED);
	blktap_tap_unlock(tap);
	mutex_unlock(&blktap_table_lock);
	memalloc_noio_restore(noio);

	blktap_tap_put(tap);
	module_put(THIS_MODULE);
}

void blktap_tap_try_remove(struct blktap_tap *tap)
{
	bool now;

	blktap_tap_lock(tap);
	now = tap->dying && !tap->gone && !tap->session && !tap->disk;
	if (now)
		tap->gone = true;
	blktap_tap_unlock(tap);

	if (now)
		blktap_tap_remove(tap);
}

/* Ends all sessions that there are, and kills the processes; more must not come. */
static void blktap_tap_end_sessions(struct blktap_tap *tap)
{
	blktap_tap_lock(tap);
	/* Its successor may take its place. */
	while (tap->session)
		blktap_session_kill(tap->session);
	blktap_tap_unlock(tap);
}

/* Decides with the tap locked; on success the tap is dying. */
static int blktap_tap_start_dying(struct blktap_tap *tap, bool force,
				  struct netlink_ext_ack *extack)
{
	if (tap->dying) {
		NL_SET_ERR_MSG(extack, "the tap is being freed already");
		return -EBUSY;
	}

	if (tap->session && !force) {
		NL_SET_ERR_MSG(extack, "a daemon is attached");
		return -EBUSY;
	}

	/* One whose daemon died before it was there has no users. */
	force |= tap->disk && !tap->session && blktap_disk_is_adding(tap->disk);
	if (tap->disk && blktap_disk_remove(tap->disk, force)) {
		NL_SET_ERR_MSG(extack, "the disk is open or being added");
		return -EBUSY;
	}

	tap->dying = true;
	return 0;
}

static struct blktap_tap *blktap_tap_find_told(u32 minor, struct netlink_ext_ack *extack)
{
	struct blktap_tap *tap = blktap_tap_find(minor);

	if (!tap)
		NL_SET_ERR_MSG(extack, "no such minor");
	return tap;
}

int blktap_tap_end(struct blktap_tap *tap, bool force, struct netlink_ext_ack *extack)
{
	int err;

	blktap_tap_lock(tap);
	err = blktap_tap_start_dying(tap, force, extack);
	blktap_tap_unlock(tap);

	if (!err && force)
		blktap_tap_end_sessions(tap);
	if (!err)
		blktap_tap_try_remove(tap);

	return err;
}

int blktap_tap_del(u32 minor, bool force, struct netlink_ext_ack *extack)
{
	struct blktap_tap *tap = blktap_tap_find_told(minor, extack);
	int err;

	if (!tap)
		return -ENODEV;

	err = blktap_tap_end(tap, force, extack);
	blktap_tap_put(tap);

	return err;
}

static int blktap_tap_end_session_locked(struct blktap_tap *tap, u32 pid, bool force)
{
	struct blktap_session *session = tap->session;

	if (session && pid && pid_nr(session->pid) != pid)
		session = NULL;
	if (!session && (pid || !force))
		return -ESRCH;

	if (force && tap->disk)
		blktap_disk_remove(tap->disk, true);
	if (session)
		blktap_session_kill(session);
	return 0;
}

int blktap_tap_end_session(u32 minor, u32 pid, bool force, struct netlink_ext_ack *extack)
{
	struct blktap_tap *tap = blktap_tap_find_told(minor, extack);
	int err;

	if (!tap)
		return -ENODEV;

	blktap_tap_lock(tap);
	err = blktap_tap_end_session_locked(tap, pid, force);
	blktap_tap_unlock(tap);

	if (err)
		NL_SET_ERR_MSG(extack, "no daemon is attached, or it is another process");
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
		info->recovery = disk->recovery;
		info->hold_left_ms = blktap_recovery_left_ms(tap);
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

// SPDX-License-Identifier: GPL-2.0-only
#include "file.h"
#include "disk.h"
#include "extent.h"
#include "kio.h"
#include "session.h"
#include "tap.h"

#include <linux/blkdev.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/stat.h>

#define BLKTAP_FILE_FLAGS	(BLKTAP_FILE_READ | BLKTAP_FILE_WRITE)

/* Taps on taps: each level costs stack when I/O ends. */
#define BLKTAP_MAX_STACKED	8

/* I/O that can always be under way, however scarce memory is. */
#define BLKTAP_FILE_POOL	4

/* Files that lead to a tap; taken within a tap's lock. */
static DEFINE_MUTEX(blktap_stack_lock);
static LIST_HEAD(blktap_stacked_files);

/* --- taps below taps ------------------------------------------------------ */

/* What the file's bytes are on, or NULL: something without a block device. */
static struct block_device *blktap_file_below(const struct file *file)
{
	struct inode *inode = file->f_mapping->host;

	return S_ISBLK(inode->i_mode) ? I_BDEV(inode) : inode->i_sb->s_bdev;
}

/*
 * The heights of taps above their lowest: one pass for each level there may be. More
 * than that, and a loop, shows as a tap that is too high.
 */
static bool blktap_stack_settle(void)
{
	struct blktap_file *upper, *lower;
	bool changed = true;
	u32 pass;

	list_for_each_entry(upper, &blktap_stacked_files, stacked)
		upper->height = 1;

	for (pass = 0; changed && pass <= BLKTAP_MAX_STACKED; pass++) {
		changed = false;
		list_for_each_entry(upper, &blktap_stacked_files, stacked) {
			list_for_each_entry(lower, &blktap_stacked_files, stacked) {
				if (lower->session->tap->minor != upper->below ||
				    upper->height > lower->height)
					continue;
				upper->height = lower->height + 1;
				changed = true;
			}
		}
	}

	return !changed;
}

/* Whether taps stay above each other, and not too high, with one more file. */
static bool blktap_file_fits(struct blktap_file *file)
{
	struct blktap_file *other;
	u32 highest = 0;

	lockdep_assert_held(&blktap_stack_lock);
	if ((u32)file->below == file->session->tap->minor)
		return false;

	list_add(&file->stacked, &blktap_stacked_files);
	if (!blktap_stack_settle())
		highest = U32_MAX;
	list_for_each_entry(other, &blktap_stacked_files, stacked)
		highest = max(highest, other->height);
	if (highest <= BLKTAP_MAX_STACKED)
		return true;

	list_del_init(&file->stacked);
	return false;
}

static int blktap_file_stack(struct blktap_file *file)
{
	int err = 0;

	if (file->below < 0)
		return 0;

	mutex_lock(&blktap_stack_lock);
	if (!blktap_file_fits(file))
		err = -ELOOP;
	mutex_unlock(&blktap_stack_lock);

	return err;
}

static void blktap_file_unstack(struct blktap_file *file)
{
	mutex_lock(&blktap_stack_lock);
	list_del_init(&file->stacked);
	mutex_unlock(&blktap_stack_lock);
}

/* --- what a file must be --------------------------------------------------- */

static int blktap_file_check_mode(const struct file *file, u32 flags)
{
	if ((flags & BLKTAP_FILE_READ) &&
	    (!(file->f_mode & FMODE_READ) || !(file->f_mode & FMODE_CAN_READ)))
		return -EBADF;
	if ((flags & BLKTAP_FILE_WRITE) &&
	    (!(file->f_mode & FMODE_WRITE) || !(file->f_mode & FMODE_CAN_WRITE)))
		return -EBADF;

	return 0;
}

static int blktap_file_check(const struct file *file, u32 flags)
{
	struct inode *inode = file->f_mapping->host;
	int err;

	if (!S_ISREG(inode->i_mode) && !S_ISBLK(inode->i_mode))
		return -EINVAL;
	err = blktap_file_check_mode(file, flags);
	if (err)
		return err;
	/* Appending would not write where it was told to. */
	if (!(file->f_flags & O_DIRECT) || !(file->f_mode & FMODE_CAN_ODIRECT) ||
	    (file->f_flags & O_APPEND))
		return -EINVAL;
	if (S_ISREG(inode->i_mode) && (!file->f_op->read_iter || !file->f_op->write_iter))
		return -EINVAL;
	if (IS_SWAPFILE(inode))
		return -ETXTBSY;

	return 0;
}

/* What direct I/O on a regular file demands. */
static int blktap_file_ask_alignment(struct blktap_file *file)
{
	struct block_device *below = file->file->f_mapping->host->i_sb->s_bdev;
	struct kstat stat;
	int err;

	err = vfs_getattr(&file->file->f_path, &stat, STATX_DIOALIGN, 0);
	if (err)
		return err;

	if (stat.result_mask & STATX_DIOALIGN) {
		if (!stat.dio_mem_align || !stat.dio_offset_align)
			return -EINVAL;
		file->memory_mask = stat.dio_mem_align - 1;
		file->block_mask = stat.dio_offset_align - 1;
		return 0;
	}

	file->block_mask = (below ? bdev_logical_block_size(below) : SECTOR_SIZE) - 1;
	file->memory_mask = file->block_mask;
	return 0;
}

static int blktap_file_ask(struct blktap_file *file)
{
	if (!file->bdev)
		return blktap_file_ask_alignment(file);

	file->block_mask = bdev_logical_block_size(file->bdev) - 1;
	file->memory_mask = bdev_dma_alignment(file->bdev);
	return 0;
}

/*
 * FUSE tells its server of IOCB_DSYNC, and does no more. What else has no block device of its
 * own may be as careless.
 */
static bool blktap_file_honours_dsync(const struct blktap_file *file)
{
	const struct super_block *sb = file_inode(file->file)->i_sb;

	return file->bdev || (sb->s_bdev && sb->s_magic != FUSE_SUPER_MAGIC);
}

/* --- life ------------------------------------------------------------------ */

static void blktap_file_free(struct blktap_file *file)
{
	blktap_kio_pools_exit(file);
	percpu_ref_exit(&file->ref);
	kfree(file);
}

/* Closing a file may wait for I/O, and so for a daemon. */
static void blktap_file_close_work(struct work_struct *work)
{
	struct blktap_file *file = container_of(work, struct blktap_file, close_work);
	struct blktap_session *session = file->session;

	/* At once: with the file its locks go, which DAEMON_LOST waits for. */
	__fput_sync(file->file);
	blktap_file_free(file);
	if (atomic_dec_and_test(&session->files.closing))
		wake_up_all(&session->files.closed);
	blktap_session_put(session);
}

static void blktap_file_release(struct percpu_ref *ref)
{
	struct blktap_file *file = container_of(ref, struct blktap_file, ref);

	queue_work(blktap_disk_wq, &file->close_work);
}

static struct blktap_file *blktap_file_new(struct blktap_session *session, struct file *f,
					   u32 flags)
{
	struct blktap_file *file = kzalloc(sizeof(*file), GFP_KERNEL);
	struct block_device *below = blktap_file_below(f);
	int err;

	if (!file)
		return ERR_PTR(-ENOMEM);

	file->session = session;
	file->file = f;
	file->flags = flags;
	file->sync = f->f_flags & O_DSYNC;
	file->bdev = S_ISBLK(f->f_mapping->host->i_mode) ? below : NULL;
	file->durable = blktap_file_honours_dsync(file);
	file->below = below ? blktap_disk_minor(below) : -1;
	INIT_LIST_HEAD(&file->stacked);
	INIT_WORK(&file->close_work, blktap_file_close_work);

	err = blktap_file_ask(file);
	if (err)
		goto err_free;
	err = percpu_ref_init(&file->ref, blktap_file_release, 0, GFP_KERNEL);
	if (err)
		goto err_free;
	err = blktap_kio_pools_init(file, BLKTAP_FILE_POOL);
	if (err)
		goto err_ref;

	return file;

err_ref:
	percpu_ref_exit(&file->ref);
err_free:
	kfree(file);
	return ERR_PTR(err);
}

/* --- slots ----------------------------------------------------------------- */

void blktap_files_init(struct blktap_files *files)
{
	init_waitqueue_head(&files->closed);
}

struct blktap_file *blktap_file_in_slot(struct blktap_session *session, u32 slot)
{
	if (slot >= BLKTAP_MAX_FILES)
		return NULL;

	return rcu_dereference_protected(session->files.slots[slot],
					 lockdep_is_held(&session->tap->lock));
}

static int blktap_files_free_slot(struct blktap_session *session)
{
	u32 slot;

	for (slot = 0; slot < BLKTAP_MAX_FILES; slot++) {
		if (!blktap_file_in_slot(session, slot))
			return slot;
	}

	return -ENOSPC;
}

static int blktap_files_add(struct blktap_session *session, struct blktap_file *file, u32 *slot)
{
	int nr, err;

	if (!blktap_session_attached(session))
		return -ENODEV;

	nr = blktap_files_free_slot(session);
	if (nr < 0)
		return nr;
	err = blktap_file_stack(file);
	if (err)
		return err;

	blktap_session_get(session);
	session->files.nr++;
	rcu_assign_pointer(session->files.slots[nr], file);
	*slot = nr;
	return 0;
}

static int blktap_file_register_file(struct blktap_session *session, struct file *f, u32 flags,
				     u32 *slot)
{
	struct blktap_file *file;
	int err;

	err = blktap_file_check(f, flags);
	if (err)
		return err;

	file = blktap_file_new(session, f, flags);
	if (IS_ERR(file))
		return PTR_ERR(file);

	blktap_tap_lock(session->tap);
	err = blktap_files_add(session, file, slot);
	blktap_tap_unlock(session->tap);

	if (err)
		blktap_file_free(file);
	return err;
}

int blktap_file_register(struct blktap_session *session, int fd, u32 flags, u32 *slot)
{
	struct file *f;
	int err;

	if (!flags || (flags & ~BLKTAP_FILE_FLAGS))
		return -EINVAL;

	f = fget(fd);
	if (!f)
		return -EBADF;

	err = blktap_file_register_file(session, f, flags, slot);
	if (err)
		fput(f);
	return err;
}

static void blktap_files_remove(struct blktap_session *session, u32 slot)
{
	struct blktap_file *file = blktap_file_in_slot(session, slot);

	blktap_extents_forget_file(session, file);
	RCU_INIT_POINTER(session->files.slots[slot], NULL);
	session->files.nr--;
	atomic_inc(&session->files.closing);
	blktap_file_unstack(file);
	percpu_ref_kill(&file->ref);
}

int blktap_file_unregister(struct blktap_session *session, u32 slot)
{
	int err = 0;

	blktap_tap_lock(session->tap);
	if (!blktap_session_attached(session))
		err = -ENODEV;
	else if (!blktap_file_in_slot(session, slot))
		err = -EINVAL;
	else
		blktap_files_remove(session, slot);
	blktap_tap_unlock(session->tap);

	return err;
}

int blktap_files_wait(struct blktap_session *session)
{
	struct blktap_files *files = &session->files;

	return wait_event_interruptible(files->closed, !atomic_read(&files->closing)) ? -EINTR : 0;
}

void blktap_files_drop(struct blktap_session *session)
{
	u32 slot;

	for (slot = 0; slot < BLKTAP_MAX_FILES; slot++) {
		if (blktap_file_in_slot(session, slot))
			blktap_files_remove(session, slot);
	}
}

struct blktap_file *blktap_file_get(struct blktap_session *session, u32 slot, u32 flags)
{
	struct blktap_file *file;

	if (slot >= BLKTAP_MAX_FILES)
		return NULL;

	rcu_read_lock();
	file = rcu_dereference(session->files.slots[slot]);
	/* The memory outlives a grace period after the slot was freed. */
	if (file && ((flags & ~file->flags) || !percpu_ref_tryget_live(&file->ref)))
		file = NULL;
	rcu_read_unlock();

	return file;
}

void blktap_file_put(struct blktap_file *file)
{
	percpu_ref_put(&file->ref);
}

void blktap_files_show(struct blktap_session *session, struct seq_file *m)
{
	u32 slot;

	blktap_tap_lock(session->tap);
	for (slot = 0; slot < BLKTAP_MAX_FILES; slot++) {
		struct blktap_file *file = blktap_file_in_slot(session, slot);

		if (!file)
			continue;
		seq_printf(m, "blktap-file:\t%u %c%c ", slot,
			   file->flags & BLKTAP_FILE_READ ? 'r' : '-',
			   file->flags & BLKTAP_FILE_WRITE ? 'w' : '-');
		seq_file_path(m, file->file, "\t\n\\");
		seq_putc(m, '\n');
	}
	blktap_tap_unlock(session->tap);
}

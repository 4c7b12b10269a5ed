/* SPDX-License-Identifier: GPL-2.0-only */
/* Registered files: what the kernel reads and writes for a session's requests. */
#ifndef _BLKTAP_FILE_H
#define _BLKTAP_FILE_H

#include <linux/atomic.h>
#include <linux/bio.h>
#include <linux/blktap.h>
#include <linux/list.h>
#include <linux/mempool.h>
#include <linux/percpu-refcount.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

struct blktap_session;
struct block_device;
struct file;
struct seq_file;

struct blktap_file {
	struct percpu_ref ref;		/* the slot's, and of I/O */
	struct blktap_session *session;	/* kept */
	struct work_struct close_work;
	struct file *file;
	struct block_device *bdev;	/* NULL: a regular file */
	u32 flags;			/* BLKTAP_FILE_* */
	bool sync;			/* O_DSYNC: each write is to be durable */
	bool durable;			/* what is written with IOCB_DSYNC is, for certain */
	u32 block_mask;			/* of offsets and lengths */
	u32 memory_mask;		/* of addresses */

	/* What I/O needs, kept ready for it: by kind of file. */
	struct bio_set bios;
	mempool_t ios;

	/* The tap that it is or is stored on; -1: none. */
	int below;
	struct list_head stacked;
	u32 height;			/* levels of taps from it down */
};

/* A session's slots; they change under the tap's lock. */
struct blktap_files {
	struct blktap_file __rcu *slots[BLKTAP_MAX_FILES];
	u32 nr;
	atomic_t closing;		/* without a slot, but not closed yet */
	wait_queue_head_t closed;	/* closing has become 0 */
};

void blktap_files_init(struct blktap_files *files);

/* As the calls in the UAPI header. */
int blktap_file_register(struct blktap_session *session, int fd, u32 flags, u32 *slot);
int blktap_file_unregister(struct blktap_session *session, u32 slot);

/* Waits until what was unregistered is closed, its locks gone. -EINTR if a signal came. */
int blktap_files_wait(struct blktap_session *session);

/* The session ends; with the tap locked. */
void blktap_files_drop(struct blktap_session *session);

/*
 * The file in a slot, for I/O as in @flags, or NULL. Kept until it is put, which
 * may be done in any context.
 */
struct blktap_file *blktap_file_get(struct blktap_session *session, u32 slot, u32 flags);
void blktap_file_put(struct blktap_file *file);

/* The same for the owner of the tap's lock, who need not put it. */
struct blktap_file *blktap_file_in_slot(struct blktap_session *session, u32 slot);

/* In fdinfo. */
void blktap_files_show(struct blktap_session *session, struct seq_file *m);

#endif /* _BLKTAP_FILE_H */

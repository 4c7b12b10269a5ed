/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The only place that knows how kernels differ; included before every file. The
 * driver is written for the newest kernel. What older ones lack is supplied
 * here, chosen by what their headers hold (see Kbuild).
 */
#ifndef _BLKTAP_COMPAT_H
#define _BLKTAP_COMPAT_H

#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/version.h>
#include <net/genetlink.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "blktap needs Linux 6.1 or later"
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 4, 0) && defined(BLKTAP_WARN_UNTESTED)
#warning "blktap has been tested up to Linux 7.3"
#endif

/* Merging became the rule when the flag went. */
#ifndef BLKTAP_HAVE_SHOULD_MERGE
#define BLK_MQ_F_SHOULD_MERGE 0
#endif

/* Whoever saw a quiesced queue has acted on it: each queue waited for its own. */
#ifdef BLKTAP_HAVE_SET_QUIESCE
static inline void blktap_wait_quiesce_done(struct gendisk *gd)
{
	blk_mq_wait_quiesce_done(gd->queue->tag_set);
}
#else
static inline void blktap_wait_quiesce_done(struct gendisk *gd)
{
	blk_mq_wait_quiesce_done(gd->queue);
}
#endif

/* Before, workqueues were that by themselves. */
#ifndef BLKTAP_HAVE_WQ_PERCPU
#define WQ_PERCPU 0
#endif

#ifndef BLKTAP_HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

#ifdef BLKTAP_HAVE_CONST_DEVNODE
typedef const struct device blktap_devnode_device;
#else
typedef struct device blktap_devnode_device;
#endif

#ifndef BLKTAP_HAVE_SPLIT_OPS
#define genl_split_ops genl_ops
#endif

/* How long this thread has been ready to run without running, in nanoseconds. */
static inline u64 blktap_run_delay(void)
{
#ifdef CONFIG_SCHED_INFO
	return READ_ONCE(current->sched_info.run_delay);
#else
	return 0;
#endif
}

/* Arguments of block_device_operations' open and release. */
#ifdef BLK_OPEN_READ
#define BLKTAP_OPEN_ARGS	struct gendisk *gd, blk_mode_t mode
#define BLKTAP_OPEN_DISK	gd
#define BLKTAP_RELEASE_ARGS	struct gendisk *gd
#else
#define BLKTAP_OPEN_ARGS	struct block_device *bdev, fmode_t mode
#define BLKTAP_OPEN_DISK	(bdev->bd_disk)
#define BLKTAP_RELEASE_ARGS	struct gendisk *gd, fmode_t mode
#endif

/* What the driver wants of a disk's queue; all sizes in bytes. */
struct blktap_limits {
	u32 logical_block_size;
	u32 physical_block_size;
	u32 io_min;
	u32 io_opt;
	u32 max_io;
	u32 discard_granularity;
	u32 max_discard;	/* 0: none */
	u32 max_write_zeroes;	/* 0: none */
	bool write_cache;
	bool fua;
	bool rotational;
	bool stable_writes;	/* the pages of writes must not change meanwhile */
};

/* The driver copies, so any byte address will do; 0 would mean the default. */
#define BLKTAP_DMA_ALIGNMENT	3

#ifdef BLK_FEAT_WRITE_CACHE
static inline struct gendisk *blktap_alloc_disk(struct blk_mq_tag_set *set,
						const struct blktap_limits *l, void *data)
{
	struct queue_limits lim = {
		.logical_block_size	= l->logical_block_size,
		.physical_block_size	= l->physical_block_size,
		.io_min			= l->io_min,
		.io_opt			= l->io_opt,
		.max_hw_sectors		= l->max_io >> SECTOR_SHIFT,
		.max_user_sectors	= l->max_io >> SECTOR_SHIFT,
		.max_segments		= USHRT_MAX,
		.max_segment_size	= UINT_MAX,
		.dma_alignment		= BLKTAP_DMA_ALIGNMENT,
		.max_hw_discard_sectors	= l->max_discard >> SECTOR_SHIFT,
		.discard_granularity	= l->max_discard ? l->discard_granularity : 0,
		.max_discard_segments	= 1,
		.max_write_zeroes_sectors = l->max_write_zeroes >> SECTOR_SHIFT,
	};

	if (l->write_cache)
		lim.features |= BLK_FEAT_WRITE_CACHE;
	if (l->fua)
		lim.features |= BLK_FEAT_FUA;
	if (l->rotational)
		lim.features |= BLK_FEAT_ROTATIONAL;
	if (l->stable_writes)
		lim.features |= BLK_FEAT_STABLE_WRITES;

	return blk_mq_alloc_disk(set, &lim, data);
}
#else
static inline struct gendisk *blktap_alloc_disk(struct blk_mq_tag_set *set,
						const struct blktap_limits *l, void *data)
{
	struct gendisk *gd = blk_mq_alloc_disk(set, data);
	struct request_queue *q;

	if (IS_ERR(gd))
		return gd;

	q = gd->queue;
	blk_queue_logical_block_size(q, l->logical_block_size);
	blk_queue_physical_block_size(q, l->physical_block_size);
	blk_queue_io_min(q, l->io_min);
	if (l->io_opt)
		blk_queue_io_opt(q, l->io_opt);
	blk_queue_max_hw_sectors(q, l->max_io >> SECTOR_SHIFT);
	q->limits.max_sectors = l->max_io >> SECTOR_SHIFT;
	blk_queue_max_segments(q, USHRT_MAX);
	blk_queue_max_segment_size(q, UINT_MAX);
	blk_queue_dma_alignment(q, BLKTAP_DMA_ALIGNMENT);
	if (l->max_discard) {
		q->limits.discard_granularity = l->discard_granularity;
		blk_queue_max_discard_sectors(q, l->max_discard >> SECTOR_SHIFT);
		blk_queue_max_discard_segments(q, 1);
	}
	blk_queue_max_write_zeroes_sectors(q, l->max_write_zeroes >> SECTOR_SHIFT);
	blk_queue_write_cache(q, l->write_cache, l->fua);
	if (!l->rotational)
		blk_queue_flag_set(QUEUE_FLAG_NONROT, q);
	if (l->stable_writes)
		blk_queue_flag_set(QUEUE_FLAG_STABLE_WRITES, q);
	blk_queue_flag_clear(QUEUE_FLAG_ADD_RANDOM, q);

	return gd;
}
#endif

#endif /* _BLKTAP_COMPAT_H */

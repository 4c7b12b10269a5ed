// SPDX-License-Identifier: GPL-2.0-only
#include "kio.h"
#include "barrier.h"
#include "disk.h"
#include "file.h"
#include "request.h"

#include <linux/bio.h>
#include <linux/blk-mq.h>
#include <linux/fs.h>
#include <linux/fsnotify.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uio.h>

/* What a request's bios tell the disk below; not what they demand of this one. */
#define BLKTAP_KIO_OPF	(REQ_SYNC | REQ_META | REQ_PRIO | REQ_FUA | REQ_IDLE | REQ_BACKGROUND | \
			 REQ_SWAP)

/* Pieces of memory that need no array of their own. */
#define BLKTAP_FEW	16

/* A bio to a block device. */
struct blktap_bio {
	struct request *rq;
	struct blktap_file *file;
	struct bio bio;			/* at the end, as bio sets have it */
};

/* I/O to a regular file. */
struct blktap_fio {
	struct kiocb iocb;
	atomic_t users;			/* the submission and the completion */
	struct request *rq;
	struct blktap_file *file;
	u32 bytes;
	u32 nr;
	struct bio_vec *bvecs;		/* few, or an array of its own */
	struct bio_vec few[BLKTAP_FEW];
};

/* --- all that is done for a request ---------------------------------------- */

static struct blktap_kio *blktap_kio_of(struct request *rq)
{
	struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);

	return &cmd->kio;
}

static void blktap_kio_get(struct request *rq)
{
	atomic_inc(&blktap_kio_of(rq)->pending);
}

static void blktap_kio_put(struct request *rq, int error)
{
	struct blktap_kio *kio = blktap_kio_of(rq);
	struct blktap_barrier *barrier = kio->barrier;

	if (error)
		cmpxchg(&kio->error, 0, error);
	if (!atomic_dec_and_test(&kio->pending))
		return;

	/* From here on the request may be another one. */
	kio->done(rq, READ_ONCE(kio->error));
	blktap_barrier_leave(barrier);
}

void blktap_kio_begin(struct request *rq, struct blktap_barrier *barrier,
		      void (*done)(struct request *rq, int error))
{
	struct blktap_kio *kio = blktap_kio_of(rq);

	atomic_set(&kio->pending, 1);
	kio->error = 0;
	kio->barrier = barrier;
	kio->done = done;
}

void blktap_kio_end(struct request *rq)
{
	blktap_kio_put(rq, 0);
}

void blktap_kio_fail(struct request *rq, int error)
{
	cmpxchg(&blktap_kio_of(rq)->error, 0, error);
}

bool blktap_kio_suits(struct request *rq, const struct blktap_file *file, u32 at, u32 len,
		      u64 offset)
{
	struct req_iterator iter;
	struct bio_vec bv;
	u32 start = 0;

	if ((offset | len) & file->block_mask)
		return false;
	/* Memory that suits the disk suits it too. */
	if (file->memory_mask <= BLKTAP_DMA_ALIGNMENT)
		return true;

	rq_for_each_bvec(bv, rq, iter) {
		struct bio_vec part = blktap_bvec_clip(bv, start, at, len);

		if (part.bv_len && ((part.bv_offset | part.bv_len) & file->memory_mask))
			return false;
		start += bv.bv_len;
	}

	return true;
}

bool blktap_kio_is_odd(struct request *rq, const struct blktap_file *file)
{
	struct req_iterator iter;
	struct bio_vec bv;

	rq_for_each_bvec(bv, rq, iter)
		if ((bv.bv_offset | bv.bv_len) & file->block_mask)
			return true;

	return false;
}

/* --- block devices ---------------------------------------------------------- */

static void blktap_bio_end(struct bio *bio)
{
	struct blktap_bio *own = container_of(bio, struct blktap_bio, bio);
	int error = blk_status_to_errno(bio->bi_status);
	struct blktap_file *file = own->file;
	struct request *rq = own->rq;

	bio_put(bio);
	blktap_kio_put(rq, error);
	blktap_file_put(file);
}

static blk_opf_t blktap_bio_opf(const struct request *rq, const struct blktap_file *file)
{
	blk_opf_t opf = req_op(rq) | (rq->cmd_flags & BLKTAP_KIO_OPF);

	if (file->sync && req_op(rq) == REQ_OP_WRITE)
		opf |= REQ_FUA;
	return opf;
}

/* A part of one of the request's bios; all lengths are of whole sectors. */
static struct bio *blktap_bio_clone(struct request *rq, struct blktap_file *file,
				    struct bio *from, u32 skip, u32 len)
{
	struct blktap_bio *own;
	struct bio *bio;

	bio = bio_alloc_clone(file->bdev, from, GFP_NOIO, &file->bios);
	if (!bio)
		return NULL;

	bio_trim(bio, skip >> SECTOR_SHIFT, len >> SECTOR_SHIFT);
	/* Where it came from is the bio set's to know. */
	bio->bi_opf = blktap_bio_opf(rq, file) | (bio->bi_opf & REQ_ALLOC_CACHE);
	bio->bi_end_io = blktap_bio_end;

	own = container_of(bio, struct blktap_bio, bio);
	own->rq = rq;
	own->file = file;
	return bio;
}

static void blktap_bio_submit(struct bio *bio, u64 offset)
{
	struct blktap_bio *own = container_of(bio, struct blktap_bio, bio);

	percpu_ref_get(&own->file->ref);
	blktap_kio_get(own->rq);
	bio->bi_iter.bi_sector = offset >> SECTOR_SHIFT;
	submit_bio_noacct(bio);
}

static bool blktap_kio_start_bio(struct request *rq, struct blktap_file *file, struct bio *from,
				 u32 skip, u32 len, u64 offset)
{
	struct bio *bio = NULL;

	/* Each of the request's bios is of whole blocks of this disk only. */
	if (!((offset | len) & file->block_mask))
		bio = blktap_bio_clone(rq, file, from, skip, len);
	if (bio)
		blktap_bio_submit(bio, offset);
	else
		blktap_kio_fail(rq, -EINVAL);

	return bio;
}

static void blktap_kio_start_bios(struct request *rq, struct blktap_file *file, u32 at, u32 len,
				  u64 offset)
{
	struct bio *from;
	u32 start = 0;

	__rq_for_each_bio(from, rq) {
		u32 end = start + from->bi_iter.bi_size;
		u32 part = at < end ? min(len, end - at) : 0;

		if (part && !blktap_kio_start_bio(rq, file, from, at - start, part, offset))
			return;
		at += part;
		len -= part;
		offset += part;
		if (!len)
			return;
		start = end;
	}
}

/* The request's own bio is over, and with it all that is done for the request. */
static void blktap_own_bio_end(struct bio *bio)
{
	struct blktap_rq *cmd = container_of(bio, struct blktap_rq, bio);
	int error = blk_status_to_errno(bio->bi_status);

	bio_uninit(bio);
	blktap_kio_put(blk_mq_rq_from_pdu(cmd), error);
}

bool blktap_kio_try_hand_on(struct request *rq, struct blktap_file *file, u64 offset)
{
	struct blktap_rq *cmd = blk_mq_rq_to_pdu(rq);
	struct bio *bio = &cmd->bio;

	if (rq->bio != rq->biotail)
		return false;
	if (bio_init_clone(file->bdev, bio, rq->bio, GFP_NOWAIT | __GFP_NOWARN))
		return false;

	bio->bi_opf = blktap_bio_opf(rq, file);
	bio->bi_end_io = blktap_own_bio_end;
	bio->bi_iter.bi_sector = offset >> SECTOR_SHIFT;
	submit_bio_noacct(bio);
	return true;
}

/* --- regular files ----------------------------------------------------------- */

static void blktap_fio_put(struct blktap_fio *fio)
{
	struct blktap_file *file = fio->file;

	if (!atomic_dec_and_test(&fio->users))
		return;

	if (fio->bvecs != fio->few)
		kfree(fio->bvecs);
	mempool_free(fio, &file->ios);
	blktap_file_put(file);
}

static void blktap_fio_end(struct blktap_fio *fio, long ret)
{
	int error = 0;

	if (ret != fio->bytes)
		error = ret < 0 ? ret : -EIO;

	blktap_kio_put(fio->rq, error);
	blktap_fio_put(fio);
}

static void blktap_fio_complete(struct kiocb *iocb, long ret)
{
	struct blktap_fio *fio = container_of(iocb, struct blktap_fio, iocb);

	if (iocb->ki_flags & IOCB_WRITE)
		kiocb_end_write(iocb);
	blktap_fio_end(fio, ret);
}

/* Not all kernels' vfs_iocb_iter_write() keeps a frozen file system frozen. */
static ssize_t blktap_fio_write(struct kiocb *iocb, struct iov_iter *iter)
{
	struct file *file = iocb->ki_filp;
	ssize_t ret;

	ret = rw_verify_area(WRITE, file, &iocb->ki_pos, iov_iter_count(iter));
	if (ret < 0)
		return ret;

	kiocb_start_write(iocb);
	ret = file->f_op->write_iter(iocb, iter);
	if (ret != -EIOCBQUEUED)
		kiocb_end_write(iocb);
	if (ret > 0)
		fsnotify_modify(file);

	return ret;
}

static bool blktap_fio_is_write(const struct blktap_fio *fio)
{
	return req_op(fio->rq) == REQ_OP_WRITE;
}

static bool blktap_fio_is_durable(const struct blktap_fio *fio)
{
	return blktap_fio_is_write(fio) && (fio->file->sync || (fio->rq->cmd_flags & REQ_FUA));
}

static ssize_t blktap_fio_try(struct blktap_fio *fio)
{
	bool write = blktap_fio_is_write(fio);
	struct kiocb *iocb = &fio->iocb;
	struct iov_iter iter;

	iov_iter_bvec(&iter, write ? ITER_SOURCE : ITER_DEST, fio->bvecs, fio->nr, fio->bytes);
	return write ? blktap_fio_write(iocb, &iter) : vfs_iocb_iter_read(iocb->ki_filp, iocb, &iter);
}

/*
 * Where there is swap there may be no memory until this is done, and file systems have
 * no pools for direct I/O: what they need comes from what is kept for freeing memory. It
 * is little, and comes back. For reads, too: writes may wait behind them. But not for what
 * has a file system write data of its own, which is without end.
 */
static ssize_t blktap_fio_start(struct blktap_fio *fio)
{
	unsigned int flags;
	ssize_t ret;

	if (!blktap_disk_has_swap(fio->rq) || blktap_fio_is_durable(fio))
		return blktap_fio_try(fio);

	flags = memalloc_noreclaim_save();
	ret = blktap_fio_try(fio);
	memalloc_noreclaim_restore(flags);

	/* Nothing was left of that either: then it waits for some. */
	return ret == -ENOMEM ? blktap_fio_try(fio) : ret;
}

static void blktap_fio_submit(struct blktap_fio *fio, u64 offset)
{
	struct kiocb *iocb = &fio->iocb;
	ssize_t ret;

	memset(iocb, 0, sizeof(*iocb));
	iocb->ki_filp = fio->file->file;
	iocb->ki_pos = offset;
	iocb->ki_complete = blktap_fio_complete;
	iocb->ki_ioprio = req_get_ioprio(fio->rq);
	iocb->ki_flags = IOCB_DIRECT;
	if (blktap_fio_is_write(fio))
		iocb->ki_flags |= IOCB_WRITE;
	if (blktap_fio_is_durable(fio))
		iocb->ki_flags |= IOCB_DSYNC;

	atomic_set(&fio->users, 2);
	ret = blktap_fio_start(fio);
	if (ret != -EIOCBQUEUED)
		blktap_fio_end(fio, ret);
	/* Until here the file system may look at the iterator. */
	blktap_fio_put(fio);
}

static u32 blktap_request_count_bvecs(struct request *rq, u32 at, u32 len)
{
	struct req_iterator iter;
	struct bio_vec bv;
	u32 start = 0, nr = 0;

	rq_for_each_bvec(bv, rq, iter) {
		nr += blktap_bvec_clip(bv, start, at, len).bv_len > 0;
		start += bv.bv_len;
	}

	return nr;
}

/* Collects the memory of a range, as far as there is room. */
static void blktap_fio_gather(struct blktap_fio *fio, u32 max, u32 at, u32 len)
{
	struct req_iterator iter;
	struct bio_vec bv;
	u32 start = 0;

	fio->nr = 0;
	fio->bytes = 0;
	rq_for_each_bvec(bv, fio->rq, iter) {
		struct bio_vec part = blktap_bvec_clip(bv, start, at, len);

		if (part.bv_len) {
			fio->bvecs[fio->nr++] = part;
			fio->bytes += part.bv_len;
		}
		start += bv.bv_len;
		if (fio->nr == max)
			break;
	}
}

static struct blktap_fio *blktap_fio_new(struct request *rq, struct blktap_file *file, u32 at,
					 u32 len)
{
	struct blktap_fio *fio = mempool_alloc(&file->ios, GFP_NOIO);
	u32 nr = blktap_request_count_bvecs(rq, at, len);

	fio->rq = rq;
	fio->file = file;
	fio->bvecs = NULL;
	if (nr > BLKTAP_FEW)
		fio->bvecs = kmalloc_array(nr, sizeof(*fio->bvecs),
					   GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN);
	/* Without memory it takes several. */
	if (!fio->bvecs) {
		fio->bvecs = fio->few;
		nr = BLKTAP_FEW;
	}
	blktap_fio_gather(fio, nr, at, len);
	/* The rest is to begin with a block, too. */
	if (fio->bytes < len)
		fio->bytes &= ~file->block_mask;

	percpu_ref_get(&file->ref);
	blktap_kio_get(rq);
	return fio;
}

/* All that there is room for is less than a block: nothing has begun. */
static void blktap_fio_drop(struct blktap_fio *fio)
{
	atomic_set(&fio->users, 1);
	blktap_fio_end(fio, -ENOMEM);
}

static void blktap_kio_start_fios(struct request *rq, struct blktap_file *file, u32 at, u32 len,
				  u64 offset)
{
	while (len) {
		struct blktap_fio *fio = blktap_fio_new(rq, file, at, len);
		u32 bytes = fio->bytes;

		if (!bytes) {
			blktap_fio_drop(fio);
			return;
		}
		blktap_fio_submit(fio, offset);
		at += bytes;
		len -= bytes;
		offset += bytes;
	}
}

void blktap_kio_start(struct request *rq, struct blktap_file *file, u32 at, u32 len, u64 offset)
{
	if (!blktap_kio_suits(rq, file, at, len, offset))
		blktap_kio_fail(rq, -EINVAL);
	else if (file->bdev)
		blktap_kio_start_bios(rq, file, at, len, offset);
	else
		blktap_kio_start_fios(rq, file, at, len, offset);
}

/* --- pools -------------------------------------------------------------------- */

int blktap_kio_pools_init(struct blktap_file *file, unsigned int nr)
{
	if (file->bdev)
		return bioset_init(&file->bios, nr, offsetof(struct blktap_bio, bio), 0);

	return mempool_init_kmalloc_pool(&file->ios, nr, sizeof(struct blktap_fio));
}

void blktap_kio_pools_exit(struct blktap_file *file)
{
	bioset_exit(&file->bios);
	mempool_exit(&file->ios);
}

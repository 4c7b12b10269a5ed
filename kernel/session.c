// SPDX-License-Identifier: GPL-2.0-only
#include "session.h"
#include "barrier.h"
#include "disk.h"
#include "netlink.h"
#include "queue.h"
#include "recovery.h"
#include "tap.h"
#include "worker.h"

#include <linux/fs.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/poll.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

/*
 * Where the shared areas are in the ring node's address space. All ends below
 * 2^44, which a 32-bit process can map with pages of 4 KiB.
 */
#define BLKTAP_SQ_AREA		0ULL
#define BLKTAP_CQ_AREA		(1ULL << 40)
#define BLKTAP_BUFFER_AREA	(1ULL << 43)

/* Idle pages go after this time, and are looked for this often. */
#define BLKTAP_TRIM_AGE		(10 * HZ)
#define BLKTAP_TRIM_PERIOD	(5 * HZ)
/* When pages are scarce, free slots go at once, this often at most. */
#define BLKTAP_TRIM_PERIOD_SCARCE	(HZ / 10)

static u64 blktap_buffer_stride(const struct blktap_config *config)
{
	return 1ULL << fls64(blktap_buffer_bytes(config->depth, config->max_io) - 1);
}

static u64 blktap_buffer_start(const struct blktap_session *session, u32 queue)
{
	return BLKTAP_BUFFER_AREA + queue * blktap_buffer_stride(&session->tap->config);
}

bool blktap_session_attached(const struct blktap_session *session)
{
	/* Pairs with the release in attach: the queues are there. */
	return smp_load_acquire(&session->state) == BLKTAP_SESSION_ATTACHED;
}

void blktap_session_kick(struct blktap_session *session)
{
	u32 i;

	for (i = 0; i < session->nr_queues; i++)
		blktap_queue_kick(&session->queues[i]);
}

void blktap_session_notify(struct blktap_session *session)
{
	WRITE_ONCE(session->event, true);
	wake_up_interruptible_poll(&session->wait, EPOLLPRI);
}

void blktap_session_count(const struct blktap_session *session, struct blktap_counts *counts)
{
	u32 i;

	memset(counts, 0, sizeof(*counts));
	for (i = 0; i < session->nr_queues; i++) {
		const struct blktap_queue *queue = &session->queues[i];

		counts->rejected += READ_ONCE(queue->rejected);
		counts->ios_daemon += READ_ONCE(queue->ios_daemon);
		counts->ios_redirect += atomic64_read(&queue->ios_redirect);
		counts->ios_extent += atomic64_read(&queue->ios_extent);
		counts->ios_retry += atomic64_read(&queue->ios_retry);
	}
}

/* --- trimming ------------------------------------------------------------ */

static void blktap_session_trim_work(struct work_struct *work)
{
	struct blktap_session *session =
		container_of(to_delayed_work(work), struct blktap_session, trim_work);
	unsigned long age = BLKTAP_TRIM_AGE;
	bool left = false;
	u32 i;

	if (xchg(&session->pages_scarce, false))
		age = 0;

	mutex_lock(&session->mapping_lock);
	for (i = 0; i < session->nr_queues; i++)
		left |= blktap_buffer_trim(&session->queues[i].buffer, age, session->mapping,
					   blktap_buffer_start(session, i));
	mutex_unlock(&session->mapping_lock);

	if (left)
		blktap_session_trim_later(session);
}

void blktap_session_trim_later(struct blktap_session *session)
{
	queue_delayed_work(blktap_wq, &session->trim_work, BLKTAP_TRIM_PERIOD);
}

void blktap_session_trim_now(struct blktap_session *session)
{
	if (!READ_ONCE(session->pages_scarce) && !xchg(&session->pages_scarce, true))
		mod_delayed_work(blktap_wq, &session->trim_work, BLKTAP_TRIM_PERIOD_SCARCE);
}

/* --- life ---------------------------------------------------------------- */

struct blktap_session *blktap_session_new(struct blktap_tap *tap)
{
	struct blktap_session *session = kzalloc(sizeof(*session), GFP_KERNEL);

	if (!session)
		return NULL;

	kref_init(&session->kref);
	blktap_tap_get(tap);
	session->tap = tap;
	INIT_LIST_HEAD(&session->ended);
	init_waitqueue_head(&session->wait);
	mutex_init(&session->mapping_lock);
	INIT_DELAYED_WORK(&session->trim_work, blktap_session_trim_work);
	blktap_files_init(&session->files);
	blktap_extents_init(&session->extents);

	return session;
}

static void blktap_session_free_queues(struct blktap_queue *queues, u32 nr)
{
	while (nr--)
		blktap_queue_exit(&queues[nr]);
	kvfree(queues);
}

static void blktap_session_free_work(struct work_struct *work)
{
	struct blktap_session *session =
		container_of(to_rcu_work(work), struct blktap_session, free_work);

	cancel_delayed_work_sync(&session->trim_work);
	blktap_session_free_queues(session->queues, session->nr_queues);
	put_pid(session->pid);
	blktap_tap_put(session->tap);
	mutex_destroy(&session->mapping_lock);
	kfree(session);
}

void blktap_session_get(struct blktap_session *session)
{
	kref_get(&session->kref);
}

static void blktap_session_last_put(struct kref *kref)
{
	struct blktap_session *session = container_of(kref, struct blktap_session, kref);

	/* A submitter may still be looking at it. */
	INIT_RCU_WORK(&session->free_work, blktap_session_free_work);
	queue_rcu_work(blktap_wq, &session->free_work);
}

void blktap_session_put(struct blktap_session *session)
{
	kref_put(&session->kref, blktap_session_last_put);
}

static struct blktap_queue *blktap_session_make_queues(struct blktap_session *session,
						       u64 features)
{
	const struct blktap_config *config = &session->tap->config;
	struct blktap_queue *queues;
	u32 i;

	queues = kvcalloc(config->queues, sizeof(*queues), GFP_KERNEL);
	if (!queues)
		return NULL;

	for (i = 0; i < config->queues; i++) {
		if (blktap_queue_init(&queues[i], session, i, config, features)) {
			blktap_session_free_queues(queues, i);
			return NULL;
		}
	}

	return queues;
}

bool blktap_session_may_register(const struct blktap_session *session)
{
	return session->features & (BLKTAP_F_REDIRECT | BLKTAP_F_EXTENTS);
}

static void blktap_session_describe(const struct blktap_session *session,
				    struct blktap_attach *attach)
{
	const struct blktap_config *config = &session->tap->config;
	struct blktap_layout layout;

	blktap_queue_layout(&layout, config->depth, session->features);

	attach->features = session->features;
	attach->epoch = session->epoch;
	attach->minor = session->tap->minor;
	attach->queues = config->queues;
	attach->depth = config->depth;
	attach->max_io = config->max_io;
	attach->sq_entries = layout.entries;
	attach->cq_entries = layout.entries;
	attach->sqe_offset = layout.sqe_offset;
	attach->sqe_stride = sizeof(struct blktap_sqe);
	attach->desc_offset = layout.desc_offset;
	attach->desc_stride = sizeof(struct blktap_desc);
	attach->cqe_offset = layout.cqe_offset;
	attach->cqe_stride = sizeof(struct blktap_cqe);
	attach->sq_area = BLKTAP_SQ_AREA;
	attach->sq_area_stride = layout.sq_bytes;
	attach->sq_area_bytes = layout.sq_bytes;
	attach->cq_area = BLKTAP_CQ_AREA;
	attach->cq_area_stride = layout.cq_bytes;
	attach->cq_area_bytes = layout.cq_bytes;
	attach->buffer_area = BLKTAP_BUFFER_AREA;
	attach->buffer_area_stride = blktap_buffer_stride(config);
	attach->buffer_area_bytes = blktap_buffer_bytes(config->depth, config->max_io);
	attach->fragment_offset = layout.fragments ? layout.fragment_offset : 0;
	attach->fragments = layout.fragments;
	attach->fragments_max = layout.fragments ? BLKTAP_MAX_FRAGMENTS : 0;
	attach->files = blktap_session_may_register(session) ? BLKTAP_MAX_FILES : 0;
}

/* What a session needs, before it is known whether it can be attached. */
struct blktap_outfit {
	struct blktap_queue *queues;
	struct blktap_barrier *barrier;
};

static void blktap_session_unprepare(struct blktap_session *session, struct blktap_outfit *outfit)
{
	if (outfit->queues)
		blktap_session_free_queues(outfit->queues, session->tap->config.queues);
	if (outfit->barrier)
		blktap_barrier_put(outfit->barrier);
}

/*
 * Without the tap's lock: where memory is short because of requests that are held, it is
 * so until the hold time is over, or somebody uses force. Both need the lock.
 */
static int blktap_session_prepare(struct blktap_session *session, u64 features,
				  struct blktap_outfit *outfit)
{
	unsigned int noio = memalloc_noio_save();

	outfit->queues = blktap_session_make_queues(session, features);
	outfit->barrier = blktap_barrier_new(session);
	memalloc_noio_restore(noio);
	if (outfit->queues && outfit->barrier)
		return 0;

	blktap_session_unprepare(session, outfit);
	return -ENOMEM;
}

/* Now it is the tap's. */
static void blktap_session_enthrone(struct blktap_tap *tap, struct blktap_session *session)
{
	tap->session = session;
	tap->start_error = 0;
	blktap_netlink_event(tap, BLKTAP_EVENT_ATTACHED);
}

/*
 * Whether it is that of the caller's @pid, and not of an earlier process with that number.
 * Under the tap's lock: a session that has a successor gets no other before its end.
 */
static bool blktap_session_is_of(const struct blktap_session *session, u32 pid)
{
	bool is_of;

	rcu_read_lock();
	is_of = session && session->pid == find_vpid(pid);
	rcu_read_unlock();
	return is_of;
}

static int blktap_session_may_attach(const struct blktap_session *session,
				     const struct blktap_attach *attach)
{
	bool succeeds = attach->flags & BLKTAP_ATTACH_TAKEOVER;
	const struct blktap_tap *tap = session->tap;

	if (tap->dying)
		return -ENODEV;
	if (session->state != BLKTAP_SESSION_NEW || tap->successor || (tap->session && !succeeds))
		return -EBUSY;
	if (attach->pid && !blktap_session_is_of(tap->session, attach->pid))
		return -ESTALE;

	return 0;
}

static int blktap_session_attach_locked(struct blktap_session *session, struct file *file,
					const struct blktap_attach *attach,
					struct blktap_outfit *outfit)
{
	struct blktap_tap *tap = session->tap;
	int err;

	err = blktap_session_may_attach(session, attach);
	if (err)
		return err;

	session->features = attach->features;
	session->queues = outfit->queues;
	session->nr_queues = tap->config.queues;
	blktap_barrier_start(session, outfit->barrier);
	session->pid = get_task_pid(current, PIDTYPE_TGID);
	session->mapping = file->f_mapping;
	session->epoch = ++tap->epoch;
	/* Pairs with blktap_session_attached(). */
	smp_store_release(&session->state, BLKTAP_SESSION_ATTACHED);
	if (tap->session)
		tap->successor = session;
	else
		blktap_session_enthrone(tap, session);

	return 0;
}

int blktap_session_attach(struct blktap_session *session, struct file *file,
			  struct blktap_attach *attach)
{
	struct blktap_tap *tap = session->tap;
	struct blktap_outfit outfit;
	int err;

	blktap_tap_lock(tap);
	err = blktap_session_may_attach(session, attach);
	blktap_tap_unlock(tap);
	if (err)
		return err;

	err = blktap_session_prepare(session, attach->features, &outfit);
	if (err)
		return err;

	blktap_tap_lock(tap);
	err = blktap_session_attach_locked(session, file, attach, &outfit);
	blktap_tap_unlock(tap);

	if (err)
		blktap_session_unprepare(session, &outfit);
	else
		blktap_session_describe(session, attach);
	return err;
}

/* What it had is taken back; @requeue: requests that it has wait for the next one. */
static void blktap_session_strip(struct blktap_session *session, bool requeue)
{
	u32 i;

	for (i = 0; i < session->nr_queues; i++)
		blktap_queue_kill(&session->queues[i], requeue);
	blktap_extents_clear(session);
	blktap_files_drop(session);
	blktap_barrier_stop(session);
}

static void blktap_session_detach(struct blktap_session *session)
{
	struct blktap_tap *tap = session->tap;
	bool lost = tap->disk && !blktap_disk_is_removing(tap->disk) && !tap->disk->condemned;

	blktap_session_strip(session, blktap_recovery_begin(tap, session));
	if (tap->disk)
		blktap_workers_recall(tap->disk->workers);

	tap->session = NULL;
	session->told |= !lost;
	if (lost || session->started)
		blktap_recovery_ended(tap, session);
	if (!lost)
		blktap_netlink_event(tap, BLKTAP_EVENT_DETACHED);

	if (tap->successor) {
		blktap_session_enthrone(tap, tap->successor);
		tap->successor = NULL;
	}
}

static void blktap_session_end_locked(struct blktap_session *session)
{
	struct blktap_tap *tap = session->tap;
	int state = session->state;

	WRITE_ONCE(session->state, BLKTAP_SESSION_ENDED);
	if (state != BLKTAP_SESSION_ATTACHED)
		return;

	if (tap->successor == session) {
		tap->successor = NULL;
		blktap_session_strip(session, false);
	} else {
		blktap_session_detach(session);
	}
}

static void blktap_session_hang_up(struct blktap_session *session)
{
	wake_up_interruptible_poll(&session->wait, EPOLLERR | EPOLLHUP);
}

void blktap_session_end(struct blktap_session *session)
{
	blktap_tap_lock(session->tap);
	blktap_session_end_locked(session);
	blktap_tap_unlock(session->tap);

	blktap_session_hang_up(session);
	blktap_tap_try_remove(session->tap);
}

void blktap_session_kill(struct blktap_session *session)
{
	lockdep_assert_held(&session->tap->lock);
	/* First, so that it does not find out and go on with something. */
	kill_pid(session->pid, SIGKILL, 1);
	blktap_session_end_locked(session);
	blktap_session_hang_up(session);
}

void blktap_session_supplant(struct blktap_session *session)
{
	lockdep_assert_held(&session->tap->lock);
	session->told = true;
	blktap_session_end_locked(session);
	blktap_session_hang_up(session);
}

void blktap_session_release(struct blktap_session *session)
{
	bool waited_for;

	mutex_lock(&session->mapping_lock);
	session->mapping = NULL;
	mutex_unlock(&session->mapping_lock);

	blktap_tap_lock(session->tap);
	session->released = true;
	waited_for = !list_empty(&session->ended);
	blktap_tap_unlock(session->tap);
	if (waited_for)
		blktap_recovery_look(session->tap);
}

/* --- mapping ------------------------------------------------------------- */

static int blktap_vma_refuse(struct vm_area_struct *vma)
{
	return -EINVAL;
}

static int blktap_vma_refuse_split(struct vm_area_struct *vma, unsigned long address)
{
	return -EINVAL;
}

static const struct vm_operations_struct blktap_ring_vm_ops = {
	.mremap		= blktap_vma_refuse,
	.may_split	= blktap_vma_refuse_split,
};

static vm_fault_t blktap_session_fault(struct vm_fault *vmf)
{
	struct blktap_queue *queue = vmf->vma->vm_private_data;
	u64 start = blktap_buffer_start(queue->session, queue->index);
	unsigned int noio = memalloc_noio_save();
	vm_fault_t ret;

	ret = blktap_buffer_fault(&queue->buffer, vmf->vma, vmf->address & PAGE_MASK,
				  vmf->pgoff - (start >> PAGE_SHIFT));
	memalloc_noio_restore(noio);

	return ret;
}

static const struct vm_operations_struct blktap_buffer_vm_ops = {
	.fault		= blktap_session_fault,
	.mremap		= blktap_vma_refuse,
};

static u64 blktap_vma_bytes(const struct vm_area_struct *vma)
{
	return vma->vm_end - vma->vm_start;
}

static int blktap_session_mmap_ring(struct blktap_session *session, struct vm_area_struct *vma,
				    u64 offset, bool submission)
{
	struct blktap_layout layout;
	struct blktap_queue *queue;
	u32 bytes;

	blktap_queue_layout(&layout, session->tap->config.depth, session->features);
	bytes = submission ? layout.sq_bytes : layout.cq_bytes;
	if (do_div(offset, bytes) || offset >= session->nr_queues ||
	    blktap_vma_bytes(vma) != bytes)
		return -EINVAL;

	if (submission) {
		if (vma->vm_flags & VM_WRITE)
			return -EACCES;
		vm_flags_clear(vma, VM_MAYWRITE);
	}

	queue = &session->queues[offset];
	vma->vm_ops = &blktap_ring_vm_ops;
	return remap_vmalloc_range(vma, submission ? queue->sq_area : queue->cq_area, 0);
}

static int blktap_session_mmap_buffer(struct blktap_session *session, struct vm_area_struct *vma,
				      u64 offset)
{
	const struct blktap_config *config = &session->tap->config;
	u64 bytes = blktap_buffer_bytes(config->depth, config->max_io);
	u64 stride = blktap_buffer_stride(config);
	u64 queue = offset >> ilog2(stride);
	u64 start = offset & (stride - 1);

	if (queue >= session->nr_queues || start >= bytes ||
	    blktap_vma_bytes(vma) > bytes - start)
		return -EINVAL;

	/* Pages are inserted by the fault handler, which cannot set this. */
	vm_flags_set(vma, VM_MIXEDMAP);
	vma->vm_private_data = &session->queues[queue];
	vma->vm_ops = &blktap_buffer_vm_ops;
	return 0;
}

int blktap_session_mmap(struct blktap_session *session, struct vm_area_struct *vma)
{
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;

	if (!blktap_session_attached(session))
		return -ENODEV;
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;

	vm_flags_clear(vma, VM_MAYEXEC);
	vm_flags_set(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP);

	if (offset >= BLKTAP_BUFFER_AREA)
		return blktap_session_mmap_buffer(session, vma, offset - BLKTAP_BUFFER_AREA);
	if (offset >= BLKTAP_CQ_AREA)
		return blktap_session_mmap_ring(session, vma, offset - BLKTAP_CQ_AREA, false);
	return blktap_session_mmap_ring(session, vma, offset - BLKTAP_SQ_AREA, true);
}

/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * blktap: a block device whose blocks a user process serves.
 *
 * Objects
 *
 * tap      Minor N, allocated and freed over the generic netlink family
 *          BLKTAP_GENL_NAME. Owns the ring node /dev/xen/blktap-2/blktapN.
 * session  One open file on the ring node that did BLKTAP_IOC_ATTACH. It ends
 *          at the last release of that file, or when the daemon breaks the
 *          ring's rules. Owns the rings and the buffer memory.
 * disk     /dev/xen/blktap-2/tapdevN, from BLKTAP_IOC_START to BLKTAP_IOC_STOP.
 *          It survives the session, see "Death of the daemon".
 *
 * Rules of the interface
 *
 * Fields have a fixed width and are naturally aligned without padding; byte
 * order is the host's; the layout is the same for 32-bit callers. Every ioctl
 * structure starts with its size as the caller knows it. A structure shorter
 * than the kernel's is taken as continued with zeroes, a longer one is accepted
 * while what the kernel does not know is zero (else E2BIG), and no more than
 * the caller's size is written back. Reserved fields and undefined flag bits
 * must be zero (else EINVAL), undefined feature bits give EOPNOTSUPP.
 *
 * Death of the daemon
 *
 * A session that ends while there is a disk leaves it behind. What becomes of its
 * requests, those that the daemon had and new ones, is the tap's ON_DEATH: they
 * wait, at most HOLD_MS, or they fail with EIO. The next session that START makes
 * take the disk on gets those that have waited, each at most once, and all new
 * ones.
 *
 * The fence: it gets none before the earlier one can write no more, that is, before
 * the ring file of that one has been released, with all that was mapped from it, and
 * the kernel's I/O for it has ended. A process that is killed releases the ring when
 * its system calls and its asynchronous I/O have ended. One that closes and unmaps the
 * ring while it lives promises that it has no I/O under way. HOLD promises the same,
 * so that a session that was taken over need not be released first.
 *
 * Threads: a queue descriptor is used by one thread at a time; different
 * queues of a session are independent.
 */
#ifndef _UAPI_LINUX_BLKTAP_H
#define _UAPI_LINUX_BLKTAP_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define BLKTAP_ABI_VERSION	1

/* Names: node directory below /dev, and the format of the node names. */
#define BLKTAP_DEV_DIR		"xen/blktap-2"
#define BLKTAP_RING_NAME	BLKTAP_DEV_DIR "/blktap%u"
#define BLKTAP_DISK_NAME	BLKTAP_DEV_DIR "/tapdev%u"

/* Limits. A tap's queues are bounded by the number of CPUs as well. */
#define BLKTAP_MAX_MINORS	65536
#define BLKTAP_MAX_DEPTH	1024
#define BLKTAP_DEFAULT_DEPTH	128
#define BLKTAP_DEFAULT_QUEUES	4		/* or the CPUs, if fewer */
#define BLKTAP_MIN_IO		4096		/* bytes; max-io is a multiple of it */
#define BLKTAP_MAX_IO		(4U << 20)	/* bytes */
#define BLKTAP_DEFAULT_IO	(1U << 20)	/* bytes */
#define BLKTAP_MAX_FILES	64		/* registered at a time, per session */
#define BLKTAP_MAX_EXTENTS	(1U << 20)	/* mapped at a time, per session */
#define BLKTAP_MAX_FRAGMENTS	16		/* of one redirected request */
#define BLKTAP_MAX_SERIAL	64		/* characters, without the NUL */
#define BLKTAP_DEFAULT_HOLD_MS	30000		/* milliseconds */
#define BLKTAP_MAX_TIME_MS	86400000	/* milliseconds: a day */
#define BLKTAP_UUID_LEN		16		/* bytes */

/*
 * Feature bits, wanted and granted at ATTACH and reported over netlink. The
 * interface has a place for all of them; a driver grants what it has built.
 */
#define BLKTAP_F_DATA_ON_DEMAND	(1ULL << 0)	/* WRITE data stays until FETCH */
#define BLKTAP_F_REDIRECT	(1ULL << 1)	/* completions by file fragments */
#define BLKTAP_F_EXTENTS	(1ULL << 2)	/* mapped ranges bypass the daemon */
#define BLKTAP_F_HOLD		(1ULL << 3)	/* HOLD and RELEASE; ON_DEATH hold */
#define BLKTAP_F_TAKEOVER	(1ULL << 4)	/* ATTACH_TAKEOVER */
#define BLKTAP_F_SWAP		(1ULL << 5)	/* WRITEs that free memory say so */

/*
 * ---------------------------------------------------------------------------
 * Shared memory
 *
 * Each queue has three areas, mapped from the ring node (MAP_SHARED) at the
 * offsets that ATTACH returns:
 *
 *   submission area   read-only; struct blktap_sq_header at its start, the
 *                     ring of struct blktap_sqe at sqe_offset, the array of
 *                     struct blktap_desc, one per tag, at desc_offset
 *   completion area   writable; struct blktap_cq_header at its start, the ring
 *                     of struct blktap_cqe at cqe_offset
 *   buffer area       writable; the data of requests. Only the pages of a
 *                     request that is with the daemon are sure to be there:
 *                     touching others may raise SIGBUS.
 *
 * Submission and completion areas are mapped whole, one queue per mmap(); the
 * buffer area in any page-aligned piece. No mapping can be executable,
 * private, grown or moved. A forked child does not inherit them, unless the
 * process asked for that with MADV_DOFORK.
 *
 * Ring indices run freely over 32 bits; the entry is index & (entries - 1),
 * entries being a power of two. Neither ring can overflow: there are no more
 * requests than tags.
 */

/* Written by the kernel. */
struct blktap_sq_header {
	__u32 sq_tail;		/* submissions up to here are valid (acquire) */
	__u32 reserved0[15];
	__u32 cq_head;		/* completions up to here have been taken */
	__u32 reserved1[15];
};

/*
 * Written by the daemon; the kernel takes nothing here on trust.
 *
 * Sleeping: the kernel wakes pollers and waiters of the queue only when
 * sq_tail moves past sq_event. Before it sleeps, the daemon stores its sq_head
 * to sq_event, issues a full memory barrier and looks at sq_tail once more.
 */
struct blktap_cq_header {
	__u32 cq_tail;		/* completions up to here are valid (release) */
	__u32 reserved0[15];
	__u32 sq_head;		/* submissions up to here have been taken */
	__u32 sq_event;		/* wake when sq_tail moves past this */
	__u32 reserved1[14];
};

/* Submission: "the descriptor of this tag holds a new request". */
#define BLKTAP_SQE_REQUEST	0
struct blktap_sqe {
	__u16 tag;
	__u16 type;		/* BLKTAP_SQE_*; ignore unknown types */
};

#define BLKTAP_OP_READ		0
#define BLKTAP_OP_WRITE		1
#define BLKTAP_OP_FLUSH		2	/* all completed writes become durable */
#define BLKTAP_OP_DISCARD	3
#define BLKTAP_OP_WRITE_ZEROES	4

#define BLKTAP_REQ_FUA		(1U << 0) /* WRITE: durable before completion */
#define BLKTAP_REQ_NOUNMAP	(1U << 1) /* WRITE_ZEROES: keep it allocated */
#define BLKTAP_REQ_DEMAND	(1U << 2) /* WRITE: no data yet, FETCH brings it */
#define BLKTAP_REQ_RETRY	(1U << 3) /* the kernel's own I/O for it has failed */
#define BLKTAP_REQ_SWAP		(1U << 4) /* WRITE: swapped out; memory may be short until then */

/* Request, valid from its submission to its completion. */
struct blktap_desc {
	__u32 generation;	/* never 0; completions must repeat it */
	__u8  op;		/* BLKTAP_OP_* */
	__u8  reserved0;
	__u16 flags;		/* BLKTAP_REQ_* */
	__u64 offset;		/* bytes from the start of the disk */
	__u64 length;		/* bytes; 0 for FLUSH */
	__u64 buffer;		/* READ, WRITE: where in the queue's buffer area */
	__u64 reserved1[4];
};

/*
 * Completion. @result is the request's length for success (0 for FLUSH) or a
 * negative errno from -4095 to -1; everything else, a short result included, fails
 * the request with EIO. A completion whose tag is not with the daemon, whose
 * generation is not the current one or which is malformed is counted and
 * ignored. A cq_tail more than cq_entries ahead ends the session.
 */
#define BLKTAP_CQE_DONE		0
#define BLKTAP_CQE_REDIRECT	1	/* BLKTAP_F_REDIRECT */
struct blktap_cqe {
	__u16 tag;
	__u8  type;		/* BLKTAP_CQE_* */
	__u8  flags;		/* 0 */
	__u32 generation;
	__s64 result;
	__u32 fragment;		/* REDIRECT: first fragment; else 0 */
	__u32 fragments;	/* REDIRECT: how many; else 0 */
	__u64 reserved;		/* 0 */
};

/*
 * BLKTAP_F_REDIRECT: a piece of the answer to one READ or WRITE. A completion of
 * type REDIRECT names @fragments of them, from index @fragment on, of the queue's
 * array of fragments (in the completion area; the daemon chooses which to use and
 * may use them again once the completion has been taken). Their lengths add up to
 * the request's; offsets and lengths are multiples of the logical block size; its
 * result is the request's length. The kernel moves the bytes between the request's
 * own pages and the file, and ends the request. FUA is done as O_DSYNC: whether the
 * file system honours that is the daemon's to know; FUSE does not. FLUSH stays the
 * daemon's, and covers what the kernel wrote to a file that it syncs.
 *
 * If the kernel's I/O fails or is short, the request comes to the daemon once
 * more, with RETRY and a new generation. A redirect of that which fails, fails
 * the request with the error of the I/O. A malformed redirect is counted and
 * ignored, as a malformed completion is.
 */
#define BLKTAP_FRAGMENT_FILE	0	/* bytes of a registered file */
#define BLKTAP_FRAGMENT_ZERO	1	/* READ: zeroes */
#define BLKTAP_FRAGMENT_BUFFER	2	/* bytes of its buffer; WRITE: done by the daemon */
struct blktap_fragment {
	__u32 type;		/* BLKTAP_FRAGMENT_* */
	__u32 file;		/* FILE: slot of the registered file */
	__u64 offset;		/* bytes into the file or the request's buffer */
	__u64 length;		/* bytes */
	__u64 reserved;		/* 0 */
};

/*
 * ---------------------------------------------------------------------------
 * Calls on the ring node. Opening it needs CAP_SYS_ADMIN in the initial user
 * namespace; later calls trust the file.
 *
 * poll() on the ring node: EPOLLPRI after the disk was added, could not be
 * added, was removed or lost its last opener (read with GET_STATE, which
 * clears it); EPOLLERR | EPOLLHUP once the session has ended.
 */
#define BLKTAP_IOC_MAGIC	0xBD

/*
 * ATTACH: make this file the tap's session.
 *
 * With TAKEOVER, where there is a session, it becomes that one's successor: with
 * its START, once the other has done HOLD, or when the other ends, it is the tap's
 * session. Without one, TAKEOVER changes nothing. With @pid, too, there must be a
 * session, and of that process: who asks to be succeeded cannot name another's tap.
 *
 * EBADF       the file is not open for reading and writing
 * EBUSY       the tap has a session (TAKEOVER: a successor), or this file has or had
 *             been one
 * ENODEV      the tap has been freed
 * EFAULT      as ever; if only writing back failed, the file is attached
 * EINVAL      a pid without TAKEOVER
 * ESTALE      there is no session of the process @pid
 * EOPNOTSUPP  a feature or flag is not built
 */
#define BLKTAP_ATTACH_TAKEOVER	(1U << 0)	/* BLKTAP_F_TAKEOVER */
struct blktap_attach {
	__u32 size;
	__u32 flags;		/* in: BLKTAP_ATTACH_* */
	__u64 features;		/* in: wanted; out: granted */
	/* all that follows is out, and must be 0 on entry, but for @pid */
	__u64 epoch;		/* counts the sessions of this tap, from 1 */
	__u32 minor;
	__u32 queues;
	__u32 depth;		/* tags per queue */
	__u32 max_io;		/* bytes of one READ or WRITE */
	__u32 sq_entries;
	__u32 cq_entries;
	__u32 sqe_offset;	/* in the submission area */
	__u32 sqe_stride;	/* bytes */
	__u32 desc_offset;	/* in the submission area */
	__u32 desc_stride;	/* bytes */
	__u32 cqe_offset;	/* in the completion area */
	__u32 cqe_stride;	/* bytes */
	__u64 sq_area;		/* mmap offset of queue 0's submission area */
	__u64 sq_area_stride;	/* mmap offset distance between queues */
	__u64 sq_area_bytes;	/* length to map */
	__u64 cq_area;
	__u64 cq_area_stride;
	__u64 cq_area_bytes;
	__u64 buffer_area;
	__u64 buffer_area_stride;
	__u64 buffer_area_bytes;
	__u32 fragment_offset;	/* REDIRECT: in the completion area, else 0 */
	__u32 fragments;	/* REDIRECT: fragments per queue, else 0 */
	__u32 fragments_max;	/* REDIRECT: fragments per request, else 0 */
	__u32 files;		/* slots for registered files, else 0 */
	__u32 pid;		/* in: TAKEOVER: whose session, as the caller sees it; 0: any */
	__u32 reserved0;
	__u64 reserved[7];
};

/*
 * START: the disk appears, asynchronously; EPOLLPRI and GET_STATE tell when its
 * partitions have been scanned. If the disk exists already, because an earlier
 * session died or is taken over, this session takes it on at once: capacity, logical
 * block size and the READ_ONLY flag must be equal to the disk's, WRITE_CACHE must not be new
 * and FUA must not be missing (EMEDIUMTYPE). The disk's other limits stay. Requests
 * come when the fence lets them pass; EPOLLPRI tells, and GET_STATE's recovery.
 *
 * EINVAL      a size, limit or flag makes no sense
 * EALREADY    this session has a started disk
 * EBUSY       the disk is being removed; or the session that this one is to succeed
 *             has not done HOLD
 * EOPNOTSUPP  a flag is not built or not granted
 * ENODEV      the session has ended
 */
#define BLKTAP_DISK_READ_ONLY	(1U << 0)
#define BLKTAP_DISK_WRITE_CACHE	(1U << 1)	/* completed writes need FLUSH */
#define BLKTAP_DISK_FUA		(1U << 2)	/* honours FUA; with WRITE_CACHE */
#define BLKTAP_DISK_ROTATIONAL	(1U << 3)
#define BLKTAP_DISK_NO_SCAN	(1U << 4)	/* no partition scan */
#define BLKTAP_DISK_DEMAND	(1U << 5)	/* BLKTAP_F_DATA_ON_DEMAND */
struct blktap_start {
	__u32 size;
	__u32 flags;			/* BLKTAP_DISK_* */
	__u64 capacity;			/* bytes, a multiple of the logical block */
	__u32 logical_block_size;	/* bytes: 512 or 4096 */
	__u32 physical_block_size;	/* bytes: power of 2 >= logical; 0: equal */
	__u32 io_min;			/* bytes; 0: the physical block size */
	__u32 io_opt;			/* bytes; 0: unknown */
	__u32 discard_granularity;	/* bytes; 0: the physical block size */
	__u32 reserved0;
	__u64 max_discard;		/* bytes per request; 0: no DISCARD */
	__u64 max_write_zeroes;		/* bytes per request; 0: none */
	__u64 reserved[4];
};

/*
 * STOP: the disk disappears, asynchronously; EPOLLPRI and GET_STATE tell when.
 * From success on it cannot be opened. With FORCE, it goes even if it is open: new
 * requests fail, those that the daemon has are to be answered, and who has it open
 * keeps a disk that is dead. What the kernel has begun in a file must end before the
 * disk goes: as long as it does not, the event STUCK tells of it.
 *
 * EBUSY   the disk is open, or still being added: nothing has changed. Not with
 *         FORCE: it goes once it has been added
 * ENODEV  there is no disk, or the session has ended
 */
#define BLKTAP_STOP_FORCE	(1U << 0)
struct blktap_stop {
	__u32 size;
	__u32 flags;		/* BLKTAP_STOP_* */
};

/*
 * RESIZE: a new capacity. A uevent RESIZE=1 follows, one for several that come together,
 * and none if the disk goes first.
 *
 * EINVAL  not a multiple of the logical block size, or 0, or too large
 * EBUSY   the disk is being added or removed
 * ENODEV  no disk, or the session has ended
 */
struct blktap_resize {
	__u32 size;
	__u32 flags;		/* 0 */
	__u64 capacity;		/* bytes */
};

/* GET_STATE: what became of the disk. Clears EPOLLPRI. */
#define BLKTAP_DISK_STATE_NONE		0
#define BLKTAP_DISK_STATE_ADDING	1	/* partitions are being scanned */
#define BLKTAP_DISK_STATE_LIVE		2
#define BLKTAP_DISK_STATE_REMOVING	3
/* Who serves the requests of a disk. */
#define BLKTAP_RECOVERY_NONE		0	/* a session, or there is no disk */
#define BLKTAP_RECOVERY_HELD		1	/* nobody: they wait */
#define BLKTAP_RECOVERY_FAILED		2	/* nobody: they fail */
struct blktap_state {
	__u32 size;
	__u32 flags;		/* 0 */
	__u32 disk_state;	/* BLKTAP_DISK_STATE_* */
	__u32 openers;		/* of the disk and its partitions; 0: it is not open */
	__s32 error;		/* negative errno of the last START, or 0 */
	__u32 recovery;		/* BLKTAP_RECOVERY_*; 0 on entry */
	__u64 capacity;		/* bytes */
	__u64 rejected;		/* completions that were ignored */
	__u64 reserved[4];
};

/*
 * HOLD: requests wait in the block layer from now on, those of extents included, and
 * those that the daemon has are under no time-out. What is on its way just now may
 * still come: to the ring, where it stays, or to an extent, which UNMAP_EXTENT with
 * WAIT waits for. The daemon promises that it begins no
 * I/O for those that it leaves unanswered, and that what it had begun has ended:
 * they and the new ones go to a session that takes over, or to the next one if this
 * one ends, whatever ON_DEATH says, within HOLD_MS from that end.
 *
 * RELEASE: takes that back; requests come again. So does STOP.
 *
 * EALREADY    HOLD: it holds; RELEASE: it does not
 * EBUSY       the disk is being added or removed
 * ENODEV      no disk, or the session has ended
 * EOPNOTSUPP  HOLD was not granted
 */
struct blktap_hold {
	__u32 size;
	__u32 flags;		/* 0 */
};

/* GET_QUEUE_FD: a new descriptor for one queue, close-on-exec. Returns it. */
struct blktap_queue_fd {
	__u32 size;
	__u32 flags;		/* 0 */
	__u32 queue;		/* from 0 */
	__u32 reserved;
};

/*
 * REGISTER_FILE: gives an open file a slot, for redirects and extents. A regular
 * file or a block device, open with O_DIRECT. The file stays open in the kernel
 * until it is unregistered and the last I/O to it has ended, or the session
 * ends. Slots are shown in the fdinfo of the ring file, and counted over netlink.
 *
 * EBADF       @fd is not open, or not for what @flags say
 * EINVAL      not a regular file or block device, not O_DIRECT, or O_APPEND; a
 *             flag or size makes no sense
 * ELOOP       it is, or is stored on, a tap that leads to this one
 * ETXTBSY     it is a swap file
 * ENOSPC      all slots are used
 * ENODEV      there is no session, or it has ended
 * EOPNOTSUPP  neither REDIRECT nor EXTENTS was granted
 */
#define BLKTAP_FILE_READ	(1U << 0)
#define BLKTAP_FILE_WRITE	(1U << 1)
struct blktap_register_file {
	__u32 size;
	__u32 flags;		/* in: BLKTAP_FILE_*, at least one */
	__s32 fd;		/* in */
	__u32 slot;		/* out */
	__u64 reserved[2];
};

/*
 * UNREGISTER_FILE: frees a slot. Extents to it are unmapped. I/O that is under way
 * goes on; with WAIT, the call returns when it has ended and the kernel has closed
 * the file: the locks go that no other descriptor of the same open file keeps.
 *
 * EINTR       a signal came during the wait: the slot is free; UNMAP_EXTENT waits
 * EINVAL      no such slot
 * ENODEV      there is no session, or it has ended
 * ENOMEM      with WAIT: the slot is free, but there was no wait
 * EOPNOTSUPP  neither REDIRECT nor EXTENTS was granted
 */
struct blktap_unregister_file {
	__u32 size;
	__u32 flags;		/* BLKTAP_UNMAP_WAIT */
	__u32 slot;
	__u32 reserved;
};

/*
 * MAP_EXTENT: from now on the kernel serves this range of the disk from a file,
 * without the daemon: READ and WRITE that lie within mapped ranges that are next
 * to each other in one file. All else goes to the daemon: other operations, a
 * request that is mapped in parts, one whose memory does not suit the file, a WRITE
 * with FUA to a file of FUSE, or of a file system that has no block device. What
 * was mapped in the range before is replaced, without waiting for its I/O.
 * Offsets and length are multiples of the logical block size.
 *
 * If I/O to an extent fails or is short, the extent is unmapped, the event
 * EXTENT_DROPPED is sent, and the request goes to the daemon with RETRY. With EINVAL
 * for memory in pieces that are no whole blocks, it goes to the daemon, and no more.
 *
 * EINVAL      a bad range, flag or slot
 * ENOMEM      nothing has changed
 * ENOSPC      there are BLKTAP_MAX_EXTENTS; nothing has changed
 * ENODEV      there is no disk, or the session has ended
 * EOPNOTSUPP  EXTENTS was not granted
 */
struct blktap_map_extent {
	__u32 size;
	__u32 flags;		/* BLKTAP_FILE_*, not more than the slot's */
	__u64 offset;		/* bytes, of the disk */
	__u64 length;		/* bytes */
	__u64 file_offset;	/* bytes */
	__u32 slot;
	__u32 reserved;
};

/*
 * UNMAP_EXTENT: new requests in this range go to the daemon; if memory is short, or
 * cutting would leave more than BLKTAP_MAX_EXTENTS, those in other ranges as well.
 * With WAIT, the call returns when all I/O that the kernel has begun for this session
 * so far has ended, redirects included: nothing reaches what was unmapped or
 * unregistered, by whatever call, after that, and what was unregistered is closed.
 *
 * EINTR       a signal came during the wait: the range is unmapped, repeat to wait
 * EINVAL      a bad range or flag
 * ENODEV      there is no session, or it has ended
 * ENOMEM      with WAIT: the range is unmapped, but there was no wait
 * EOPNOTSUPP  neither REDIRECT nor EXTENTS was granted
 */
#define BLKTAP_UNMAP_WAIT	(1U << 0)
struct blktap_unmap_extent {
	__u32 size;
	__u32 flags;		/* BLKTAP_UNMAP_* */
	__u64 offset;		/* bytes, of the disk */
	__u64 length;		/* bytes; UINT64_MAX: to the end, whatever it is */
};

/*
 * FETCH, on a queue descriptor: brings the data of a WRITE with DEMAND into its
 * buffer. Once per request; it may be redirected all the same.
 *
 * EBUSY       another thread is inside ENTER or FETCH for this queue
 * ESTALE      it is not with the daemon, or of another generation
 * EINVAL      it is no WRITE with DEMAND, or has been fetched
 * ENODEV      the session has ended
 * EOPNOTSUPP  DATA_ON_DEMAND was not granted
 */
struct blktap_fetch {
	__u32 size;
	__u32 flags;		/* 0 */
	__u32 tag;
	__u32 generation;
};

/*
 * ENTER, on a queue descriptor: take all completions; with WAIT, then sleep
 * until a submission is there that sq_head does not cover.
 *
 * WAIT can do more than sleep. With ALSO, it ends as well when @fd is readable
 * or in error; that is not looked at while there are submissions anyway. The file
 * is watched to the end of the wait, even if @fd is closed meanwhile. With @spin,
 * it looks for submissions, and for nothing else, that long before it sleeps, as
 * long as nothing else wants the processor: a wake-up is saved for processor time.
 *
 * Completions are taken whatever becomes of the wait, so the call can always
 * be repeated.
 *
 * EBADF    ALSO, and @fd is not open
 * EINTR    a signal came
 * EINVAL   @fd without ALSO, or ALSO or @spin without WAIT
 * ENOMEM   ALSO, and there is no memory to watch @fd
 * ETIME    the time-out passed without a submission
 * EBUSY    another thread is inside ENTER for this queue
 * EPROTO   the indices made no sense: the session has ended
 * ENODEV   the session has ended
 *
 * poll() on a queue descriptor: EPOLLIN while a submission is there that
 * sq_head does not cover; EPOLLERR | EPOLLHUP once the session has ended.
 */
#define BLKTAP_ENTER_WAIT	(1U << 0)
#define BLKTAP_ENTER_ALSO	(1U << 1)

#define BLKTAP_READY_SPUN	(1U << 0)	/* a submission came before sleep */
#define BLKTAP_READY_ALSO	(1U << 1)	/* @fd is readable, or in error */
struct blktap_enter {
	__u32 size;
	__u32 flags;		/* in: BLKTAP_ENTER_* */
	__s64 timeout;		/* in: nanoseconds; negative: no limit */
	__u32 taken;		/* out: completions that were accepted */
	__u32 rejected;		/* out: completions that were ignored */
	__s32 fd;		/* in: with ALSO, else 0 */
	__u32 spin;		/* in: nanoseconds, at most 1,000,000 count */
	__u32 ready;		/* out: BLKTAP_READY_* */
	__u32 waited;		/* out: nanoseconds, spinning included; 0: not at all */
	__u32 delayed;		/* out: of these ready to run, but not running */
	__u32 reserved;		/* 0 */
};

#define BLKTAP_IOC_ATTACH	_IOWR(BLKTAP_IOC_MAGIC, 0x01, struct blktap_attach)
#define BLKTAP_IOC_START	_IOW(BLKTAP_IOC_MAGIC, 0x02, struct blktap_start)
#define BLKTAP_IOC_STOP		_IOW(BLKTAP_IOC_MAGIC, 0x03, struct blktap_stop)
#define BLKTAP_IOC_RESIZE	_IOW(BLKTAP_IOC_MAGIC, 0x04, struct blktap_resize)
#define BLKTAP_IOC_GET_STATE	_IOWR(BLKTAP_IOC_MAGIC, 0x05, struct blktap_state)
#define BLKTAP_IOC_GET_QUEUE_FD	_IOW(BLKTAP_IOC_MAGIC, 0x06, struct blktap_queue_fd)
#define BLKTAP_IOC_HOLD		_IOW(BLKTAP_IOC_MAGIC, 0x07, struct blktap_hold)
#define BLKTAP_IOC_RELEASE	_IOW(BLKTAP_IOC_MAGIC, 0x08, struct blktap_hold)
#define BLKTAP_IOC_REGISTER_FILE	_IOWR(BLKTAP_IOC_MAGIC, 0x09, struct blktap_register_file)
#define BLKTAP_IOC_UNREGISTER_FILE	_IOW(BLKTAP_IOC_MAGIC, 0x0a, struct blktap_unregister_file)
#define BLKTAP_IOC_MAP_EXTENT	_IOW(BLKTAP_IOC_MAGIC, 0x0b, struct blktap_map_extent)
#define BLKTAP_IOC_UNMAP_EXTENT	_IOW(BLKTAP_IOC_MAGIC, 0x0c, struct blktap_unmap_extent)
#define BLKTAP_IOC_ENTER	_IOWR(BLKTAP_IOC_MAGIC, 0x10, struct blktap_enter)
#define BLKTAP_IOC_FETCH	_IOW(BLKTAP_IOC_MAGIC, 0x11, struct blktap_fetch)

/*
 * ---------------------------------------------------------------------------
 * Generic netlink family, initial network namespace only. Every command, and
 * listening to the group, needs CAP_SYS_ADMIN in the initial user namespace.
 * Validation is strict; refusals carry an extack text.
 */
#define BLKTAP_GENL_NAME	"blktap"
#define BLKTAP_GENL_VERSION	1
#define BLKTAP_GENL_GROUP	"events"

enum blktap_cmd {
	BLKTAP_CMD_UNSPEC,
	/*
	 * do: nothing in; ABI, FEATURES, MAX_MINORS, MAX_QUEUES, MAX_DEPTH,
	 * MAX_IO_LIMIT out
	 */
	BLKTAP_CMD_GET_FEATURES,
	/*
	 * do: allocate. In, all optional: MINOR (default: the lowest free one),
	 * QUEUES, DEPTH, MAX_IO, ON_DEATH, HOLD_MS, IO_TIMEOUT_MS, ON_TIMEOUT,
	 * SERIAL, UUID. Out: as GET_TAP.
	 * EEXIST: the minor is taken; ENOSPC: all are; EINVAL, ERANGE: see the
	 * text
	 */
	BLKTAP_CMD_NEW_TAP,
	/*
	 * do: free; MINOR in. If a disk is left over from a daemon that died it
	 * goes first, in the background: the event FREED tells when all is gone.
	 * With FORCE, first as END_SESSION with FORCE.
	 * ENODEV: no such minor; EBUSY: a daemon is attached, or the disk is open
	 * or being added, or the tap is being freed already
	 */
	BLKTAP_CMD_DEL_TAP,
	/* do: MINOR in, one tap out; dump: all taps. ENODEV: no such minor */
	BLKTAP_CMD_GET_TAP,
	/* notification: EVENT, SEQ, and the tap's attributes as in GET_TAP */
	BLKTAP_CMD_EVENT,
	/*
	 * do: MINOR in. The process that attached is killed (SIGKILL) and its
	 * session ends, at once and even if the process cannot die yet; the disk
	 * and its requests are left as by any death of a daemon. With PID: only
	 * if it is that process. With FORCE: requests fail and the disk is removed,
	 * in the background, even if it is open; it is no error then if there is no
	 * session. Nobody waits for the process, but for what the kernel has begun in
	 * a file: see STUCK.
	 * ENODEV: no such minor; ESRCH: no session, or not of that process
	 */
	BLKTAP_CMD_END_SESSION,

	__BLKTAP_CMD_MAX,
	BLKTAP_CMD_MAX = __BLKTAP_CMD_MAX - 1
};

enum blktap_attr {
	BLKTAP_A_UNSPEC,
	BLKTAP_A_PAD,
	/* identity and configuration */
	BLKTAP_A_MINOR,			/* u32 */
	BLKTAP_A_QUEUES,		/* u32 */
	BLKTAP_A_DEPTH,			/* u32, per queue */
	BLKTAP_A_MAX_IO,		/* u32, bytes */
	BLKTAP_A_ON_DEATH,		/* u32, enum blktap_on_death */
	BLKTAP_A_HOLD_MS,		/* u32, milliseconds; 0: no limit; only with hold */
	BLKTAP_A_IO_TIMEOUT_MS,		/* u32, milliseconds, 0: none; see TIMEOUT */
	BLKTAP_A_SERIAL,		/* string */
	BLKTAP_A_UUID,			/* binary, 16 bytes */
	/* devices */
	BLKTAP_A_RING_MAJOR,		/* u32; the minor is MINOR */
	BLKTAP_A_DISK_MAJOR,		/* u32; the minor is MINOR */
	/* session; PID only while there is one */
	BLKTAP_A_PID,			/* u32, in the initial pid namespace */
	BLKTAP_A_EPOCH,			/* u64, of the last session; 0: none yet */
	BLKTAP_A_REJECTED,		/* u64, completions ignored, this session */
	/* disk; all but DISK_STATE only while there is one */
	BLKTAP_A_DISK_STATE,		/* u32, BLKTAP_DISK_STATE_* */
	BLKTAP_A_DISK_FLAGS,		/* u32, BLKTAP_DISK_* */
	BLKTAP_A_OPENERS,		/* u32 */
	BLKTAP_A_CAPACITY,		/* u64, bytes */
	BLKTAP_A_LOGICAL_BLOCK_SIZE,	/* u32, bytes */
	BLKTAP_A_PHYSICAL_BLOCK_SIZE,	/* u32, bytes */
	/* events */
	BLKTAP_A_EVENT,			/* u32, enum blktap_event */
	BLKTAP_A_SEQ,			/* u64, counts all events of the module */
	/* the driver itself */
	BLKTAP_A_ABI,			/* u32, BLKTAP_ABI_VERSION */
	BLKTAP_A_FEATURES,		/* u64, BLKTAP_F_* */
	BLKTAP_A_MAX_MINORS,		/* u32 */
	BLKTAP_A_MAX_QUEUES,		/* u32 */
	BLKTAP_A_MAX_DEPTH,		/* u32 */
	BLKTAP_A_MAX_IO_LIMIT,		/* u32, bytes */
	/* I/O by the kernel, of this session; only while there is one */
	BLKTAP_A_FILES,			/* u32, registered now */
	BLKTAP_A_EXTENTS,		/* u32, mapped now */
	BLKTAP_A_IOS_DAEMON,		/* u64, requests completed by the daemon */
	BLKTAP_A_IOS_REDIRECT,		/* u64, redirected ones that ended well */
	BLKTAP_A_IOS_EXTENT,		/* u64, served from extents */
	BLKTAP_A_IOS_RETRY,		/* u64, sent to the daemon after an error */
	/* events EXTENT_DROPPED and IO_ERROR */
	BLKTAP_A_EXTENT_OFFSET,		/* u64, bytes of the disk */
	BLKTAP_A_EXTENT_LENGTH,		/* u64, bytes */
	BLKTAP_A_ERROR,			/* u32, errno */
	/* recovery */
	BLKTAP_A_ON_TIMEOUT,		/* u32, enum blktap_on_timeout */
	BLKTAP_A_RECOVERY,		/* u32, BLKTAP_RECOVERY_*; with a disk */
	BLKTAP_A_HOLD_LEFT_MS,		/* u32, milliseconds; while held with a limit */
	BLKTAP_A_FORCE,			/* flag */
	/* event IO_ERROR */
	BLKTAP_A_IO_OP,			/* u32, BLKTAP_OP_* */
	BLKTAP_A_IO_ERRORS,		/* u64, requests that failed since the last one */

	__BLKTAP_A_MAX,
	BLKTAP_A_MAX = __BLKTAP_A_MAX - 1
};

/* What becomes of requests while no daemon is there. */
enum blktap_on_death {
	BLKTAP_ON_DEATH_FAIL,		/* they fail with EIO */
	BLKTAP_ON_DEATH_HOLD,		/* they wait, at most HOLD_MS: the default */
};

/* What follows when a daemon has had a request for IO_TIMEOUT_MS. */
enum blktap_on_timeout {
	BLKTAP_ON_TIMEOUT_REPORT,	/* the event TIMEOUT: the default */
	BLKTAP_ON_TIMEOUT_KILL,		/* that, then as END_SESSION */
};

enum blktap_event {
	BLKTAP_EVENT_UNSPEC,
	BLKTAP_EVENT_ALLOCATED,
	BLKTAP_EVENT_FREED,
	BLKTAP_EVENT_ATTACHED,
	BLKTAP_EVENT_DETACHED,		/* a session without a disk ended */
	BLKTAP_EVENT_DISK_ADDED,	/* partitions scanned */
	BLKTAP_EVENT_DISK_REMOVED,
	BLKTAP_EVENT_DAEMON_LOST,	/* a session ended, its disk is still there */
	BLKTAP_EVENT_TIMEOUT,		/* a request is late; again after each IO_TIMEOUT_MS */
	BLKTAP_EVENT_RESIZED,
	BLKTAP_EVENT_EXTENT_DROPPED,	/* I/O to it failed */
	BLKTAP_EVENT_RESUMED,		/* a session has taken the disk on: requests pass */
	BLKTAP_EVENT_HOLD_EXPIRED,	/* nobody came in time: requests fail */
	BLKTAP_EVENT_STUCK,		/* I/O begun before an end does not end; every 3 s */
	BLKTAP_EVENT_IO_ERROR,		/* a request failed, or several; every 10 s at most */
};

#endif /* _UAPI_LINUX_BLKTAP_H */

// SPDX-License-Identifier: GPL-2.0-only
#include "fuzz_daemon.h"
#include "fuzz_fault.h"
#include "fuzz_value.h"

#include <errno.h>
#include <linux/netlink.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM_MS	600	/* what comes later is left out */
#define STALL_MS	40	/* a call that waits is interrupted */

_Thread_local sigjmp_buf fuzz_fault;
_Thread_local bool fuzz_fault_set;

void fuzz_nap(unsigned int microseconds)
{
	struct timespec nap = { .tv_nsec = microseconds * 1000L };

	nanosleep(&nap, NULL);
}

/* --------------------------------------------------------------------- its things */

void fuzz_add_fd(struct fuzz_daemon *d, int fd)
{
	if (fd < 0)
		return;
	if (d->nr_fds < FUZZ_FDS)
		d->fds[d->nr_fds++] = fd;
	else
		close(fd);
}

int fuzz_pick_fd(const struct fuzz_daemon *d, uint8_t arg)
{
	if (fuzz_is_odd(arg))
		return (int)fuzz_odd(arg);
	return d->fds[arg % d->nr_fds];
}

struct ring_queue *fuzz_pick_queue(struct fuzz_daemon *d, uint8_t arg)
{
	return d->ring.at.queues ? &d->ring.queues[arg % d->ring.at.queues] : NULL;
}

bool fuzz_pick_area(struct fuzz_daemon *d, uint8_t arg, struct fuzz_map *area)
{
	const struct blktap_attach *at = &d->ring.at;
	unsigned int nr = 3 * at->queues + d->nr_maps, index;
	const struct ring_queue *q;

	if (!nr)
		return false;
	index = arg % nr;
	if (index >= 3 * at->queues) {
		*area = d->maps[index - 3 * at->queues];
		return true;
	}
	q = &d->ring.queues[index / 3];
	if (index % 3 == 0)
		*area = (struct fuzz_map){ (char *)q->cq, at->cq_area_bytes };
	else if (index % 3 == 1)
		*area = (struct fuzz_map){ q->buffer, at->buffer_area_bytes };
	else
		*area = (struct fuzz_map){ (char *)q->sq, at->sq_area_bytes };
	return true;
}

struct ring_request *fuzz_pick_request(struct fuzz_daemon *d, uint8_t arg)
{
	return d->nr_pending ? &d->pending[arg % d->nr_pending] : NULL;
}

/* ------------------------------------------------------------------ its beginnings */

/* A session as it should be, or the successor of one; what is odd about one are the calls that follow. */
static FUZZ_RUN(begin)
{
	static const uint64_t features[] = {
		BLKTAP_F_REDIRECT | BLKTAP_F_EXTENTS | BLKTAP_F_DATA_ON_DEMAND | BLKTAP_F_HOLD, 0,
		BLKTAP_F_REDIRECT, BLKTAP_F_EXTENTS, BLKTAP_F_DATA_ON_DEMAND,
		BLKTAP_F_REDIRECT | BLKTAP_F_EXTENTS,
	};
	struct ring ring;
	unsigned int i;
	int ret;

	(void)call;
	if (args[1] % 4 == 1)
		ret = ring_succeed(&ring, d->setup->minor, features[args[0] % 6]);
	else
		ret = ring_open_with(&ring, d->setup->minor, features[args[0] % 6]);
	if (ret)
		return;
	/* Only one is remembered; an earlier one goes on by its mappings. */
	d->ring = ring;
	for (i = 0; i < ring.at.queues; i++)
		d->ring.queues[i].ring = &d->ring;
	d->nr_pending = 0;
	fuzz_add_fd(d, ring.fd);
	for (i = 0; i < ring.at.queues; i++)
		fuzz_add_fd(d, ring.queues[i].fd);
}

/* A disk as it should be. */
static FUZZ_RUN(disk)
{
	struct blktap_start start;

	(void)call;
	if (!d->ring.at.queues)
		return;
	ring_start_init(&start, FUZZ_CAPACITY);
	start.flags = args[0] & (BLKTAP_DISK_WRITE_CACHE | BLKTAP_DISK_ROTATIONAL);
	if (args[0] & BLKTAP_DISK_FUA)
		start.flags |= BLKTAP_DISK_FUA | BLKTAP_DISK_WRITE_CACHE;
	if (d->ring.at.features & BLKTAP_F_DATA_ON_DEMAND)
		start.flags |= args[0] & BLKTAP_DISK_DEMAND;
	start.logical_block_size = args[1] & 1 ? 4096 : 512;
	start.max_discard = args[1] & 2 ? 0 : 1 << 20;
	start.max_write_zeroes = args[1] & 4 ? 0 : 1 << 20;
	ring_start(d->ring.fd, &start);
}

/* The tap that the round has made for it: see ring_fuzz.c. */
static FUZZ_RUN(tap)
{
	(void)d;
	(void)call;
	(void)args;
}

static FUZZ_RUN(nap)
{
	(void)d;
	(void)call;
	fuzz_nap(100 + 100 * args[0]);
}

const struct fuzz_call fuzz_calls[] = {
	/* those that most programs begin with */
	{ "tap", 0, tap, NULL },
	{ "begin", 3, begin, NULL },
	{ "disk", 3, disk, NULL },
	{ "serve", 8, fuzz_serve, NULL },
	/* structures */
	{ "attach", 2, fuzz_ioctl_run, &fuzz_attach_ioctl },
	{ "start", 3, fuzz_ioctl_run, &fuzz_start_ioctl },
	{ "stop", 3, fuzz_ioctl_run, &fuzz_stop_ioctl },
	{ "hold", 3, fuzz_ioctl_run, &fuzz_hold_ioctl },
	{ "release", 2, fuzz_ioctl_run, &fuzz_release_ioctl },
	{ "resize", 3, fuzz_ioctl_run, &fuzz_resize_ioctl },
	{ "state", 2, fuzz_ioctl_run, &fuzz_state_ioctl },
	{ "queue-fd", 2, fuzz_ioctl_run, &fuzz_queue_fd_ioctl },
	{ "register", 6, fuzz_ioctl_run, &fuzz_register_ioctl },
	{ "unregister", 3, fuzz_ioctl_run, &fuzz_unregister_ioctl },
	{ "map", 6, fuzz_ioctl_run, &fuzz_map_ioctl },
	{ "unmap", 4, fuzz_ioctl_run, &fuzz_unmap_ioctl },
	{ "fetch", 4, fuzz_ioctl_run, &fuzz_fetch_ioctl },
	{ "enter", 10, fuzz_ioctl_run, &fuzz_enter_ioctl },
	{ "number", 3, fuzz_ioctl_number, NULL },
	/* rings */
	{ "complete", 14, fuzz_complete, NULL },
	{ "again", 4, fuzz_again, NULL },
	{ "redirect", 10, fuzz_redirect, NULL },
	{ "index", 4, fuzz_index, NULL },
	{ "scribble", 4, fuzz_scribble, NULL },
	{ "thread", 4, fuzz_thread, NULL },
	/* memory */
	{ "mmap", 4, fuzz_mmap, NULL },
	{ "munmap", 3, fuzz_munmap, NULL },
	{ "mprotect", 2, fuzz_mprotect, NULL },
	{ "madvise", 3, fuzz_madvise, NULL },
	{ "mremap", 2, fuzz_mremap, NULL },
	{ "touch", 5, fuzz_touch, NULL },
	/* descriptors and processes */
	{ "open", 2, fuzz_open, NULL },
	{ "close", 3, fuzz_close, NULL },
	{ "dup", 2, fuzz_dup, NULL },
	{ "send", 2, fuzz_send, NULL },
	{ "poll", 3, fuzz_poll, NULL },
	{ "rw", 3, fuzz_rw, NULL },
	{ "fork", 2, fuzz_fork, NULL },
	{ "die", 1, fuzz_die, NULL },
	{ "nap", 3, nap, NULL },
	/* others */
	{ "netlink", 6, fuzz_netlink, NULL },
};

const unsigned int fuzz_nr_calls = sizeof(fuzz_calls) / sizeof(fuzz_calls[0]);

/* ------------------------------------------------------------------------- its life */

static void fault(int sig)
{
	if (!fuzz_fault_set)
		_exit(100 + sig);
	siglongjmp(fuzz_fault, 1);
}

static void alarmed(int sig)
{
	(void)sig;
}

static void prepare_signals(void)
{
	struct itimerval often = {
		.it_interval.tv_usec = STALL_MS * 1000, .it_value.tv_usec = STALL_MS * 1000,
	};
	struct sigaction act = { .sa_handler = fault, .sa_flags = SA_NODEFER };

	sigaction(SIGBUS, &act, NULL);
	sigaction(SIGSEGV, &act, NULL);
	act.sa_handler = alarmed;
	sigaction(SIGALRM, &act, NULL);
	signal(SIGPIPE, SIG_IGN);
	setitimer(ITIMER_REAL, &often, NULL);
}

static long passed_ms(const struct timespec *since)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - since->tv_sec) * 1000 + (now.tv_nsec - since->tv_nsec) / 1000000;
}

static void run_op(struct fuzz_daemon *d, const struct fuzz_op *op)
{
	const struct fuzz_call *call = &fuzz_calls[op->code % fuzz_nr_calls];

	FUZZ_GUARDED(call->run(d, call, op->args));
	fuzz_cover_fold();
}

void fuzz_daemon(const struct fuzz_setup *setup, struct fuzz_shared *shared,
		 const struct fuzz_program *program)
{
	static struct fuzz_daemon daemon;	/* threads outlive any block */
	struct timespec begin;
	unsigned int i;

	daemon.setup = setup;
	daemon.shared = shared;
	daemon.netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
				NETLINK_GENERIC);
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, daemon.pair))
		_exit(99);
	memcpy(daemon.fds, setup->fds, sizeof(daemon.fds));
	daemon.nr_fds = setup->nr_fds;
	prepare_signals();
	fuzz_cover_begin(&shared->cover);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (i = 0; i < program->nr && passed_ms(&begin) < PROGRAM_MS; i++)
		run_op(&daemon, &program->ops[i]);
	__atomic_store_n(&shared->over, true, __ATOMIC_RELAXED);
	/* Its threads go on until it is killed. */
	for (;;)
		pause();
}

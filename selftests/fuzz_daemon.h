/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The daemon that ring_fuzz plays: a process that carries out a program with all rights
 * on a ring. What it may do is a table of calls; to add one is to add a line there.
 */
#ifndef FUZZ_DAEMON_H
#define FUZZ_DAEMON_H

#include "fuzz_cover.h"
#include "fuzz_program.h"
#include "ring.h"

#include <pthread.h>

#define FUZZ_FDS	48
#define FUZZ_MAPS	16
#define FUZZ_PENDING	64
#define FUZZ_THREADS	4
#define FUZZ_CAPACITY	(4U << 20)	/* bytes of the disk, as a rule */

/* The first calls of the table: those that most programs begin with. */
#define FUZZ_PRELUDE	4

/* What the daemon finds when it begins. */
struct fuzz_setup {
	unsigned int minor;
	unsigned int other;		/* a tap that works and is not its own */
	uint16_t family;		/* of netlink */
	int fds[FUZZ_FDS];		/* all kinds of files */
	unsigned int nr_fds;
};

/* Between the processes of a round. */
struct fuzz_shared {
	struct fuzz_cover cover;
	bool over;			/* the program has ended */
	bool live;			/* its disk has been there */
	bool neighbour_failed;
	uint64_t done;			/* I/O that the disk's users got through */
	uint64_t failed;
	uint64_t served;
};

struct fuzz_map {
	char *at;
	size_t bytes;
};

struct fuzz_daemon {
	const struct fuzz_setup *setup;
	struct fuzz_shared *shared;
	struct ring ring;		/* the session; at.queues is 0 without one */
	int netlink;
	int pair[2];			/* a socket to leave descriptors in */
	int fds[FUZZ_FDS];
	unsigned int nr_fds;
	struct fuzz_map maps[FUZZ_MAPS];
	unsigned int nr_maps;
	struct ring_request pending[FUZZ_PENDING];	/* taken, and not completed */
	struct ring_queue *pending_of[FUZZ_PENDING];
	unsigned int nr_pending;
	pthread_t threads[FUZZ_THREADS];
	unsigned int nr_threads;
};

struct fuzz_call {
	const char *name;
	unsigned int weight;		/* how often it is made */
	void (*run)(struct fuzz_daemon *d, const struct fuzz_call *call, const uint8_t *args);
	const struct fuzz_ioctl *ioctl;
};

extern const struct fuzz_call fuzz_calls[];
extern const unsigned int fuzz_nr_calls;

/* The whole life of the daemon. Does not return. */
void fuzz_daemon(const struct fuzz_setup *setup, struct fuzz_shared *shared,
		 const struct fuzz_program *program) __attribute__((noreturn));

/* Remembers a descriptor, or closes it if there are many. */
void fuzz_add_fd(struct fuzz_daemon *d, int fd);
int fuzz_pick_fd(const struct fuzz_daemon *d, uint8_t arg);
/* A queue of the session, or NULL without one. */
struct ring_queue *fuzz_pick_queue(struct fuzz_daemon *d, uint8_t arg);
/* A mapped area, of the rings or another; false if there is none. */
bool fuzz_pick_area(struct fuzz_daemon *d, uint8_t arg, struct fuzz_map *area);
/* A request that is with the daemon, or one that was; NULL if there never was any. */
struct ring_request *fuzz_pick_request(struct fuzz_daemon *d, uint8_t arg);
void fuzz_nap(unsigned int microseconds);

#define FUZZ_RUN(name) \
	void name(struct fuzz_daemon *d, const struct fuzz_call *call, const uint8_t *args)

/* Calls with a structure (fuzz_ioctl.c). */
extern const struct fuzz_ioctl fuzz_attach_ioctl, fuzz_start_ioctl, fuzz_stop_ioctl, fuzz_hold_ioctl, fuzz_release_ioctl,
	fuzz_resize_ioctl, fuzz_state_ioctl, fuzz_queue_fd_ioctl, fuzz_register_ioctl,
	fuzz_unregister_ioctl, fuzz_map_ioctl, fuzz_unmap_ioctl, fuzz_fetch_ioctl,
	fuzz_enter_ioctl;
FUZZ_RUN(fuzz_ioctl_run);
FUZZ_RUN(fuzz_ioctl_number);
/* Rings: completions, right ones and others (fuzz_queue.c). */
FUZZ_RUN(fuzz_serve);
FUZZ_RUN(fuzz_complete);
FUZZ_RUN(fuzz_again);
FUZZ_RUN(fuzz_redirect);
FUZZ_RUN(fuzz_index);
FUZZ_RUN(fuzz_scribble);
FUZZ_RUN(fuzz_thread);
/* Memory (fuzz_memory.c). */
FUZZ_RUN(fuzz_mmap);
FUZZ_RUN(fuzz_munmap);
FUZZ_RUN(fuzz_mprotect);
FUZZ_RUN(fuzz_madvise);
FUZZ_RUN(fuzz_mremap);
FUZZ_RUN(fuzz_touch);
/* Descriptors and processes (fuzz_files.c). */
FUZZ_RUN(fuzz_open);
FUZZ_RUN(fuzz_close);
FUZZ_RUN(fuzz_dup);
FUZZ_RUN(fuzz_send);
FUZZ_RUN(fuzz_poll);
FUZZ_RUN(fuzz_rw);
FUZZ_RUN(fuzz_fork);
FUZZ_RUN(fuzz_die);
/* Netlink (fuzz_netlink.c). */
FUZZ_RUN(fuzz_netlink);

#endif

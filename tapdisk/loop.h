/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The event loop: descriptors, timers, and tasks for the end of a turn.
 *
 * A turn waits for events, runs their handlers, then the timers that are due,
 * then the tasks that were deferred. Handlers never block. Everything that is
 * registered belongs to its owner and must be removed before it goes away;
 * that is allowed at any time, handlers included. A loop belongs to one thread.
 */
#ifndef TAPDISK_LOOP_H
#define TAPDISK_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "list.h"

struct loop;

struct loop_fd {
	int fd;
	bool added;
	void (*ready)(struct loop_fd *lfd, uint32_t events);
};

struct loop_timer {
	struct list link;	/* to be set up with list_init() by loop_timer_init() */
	uint64_t expires;	/* nanoseconds, as loop_now() */
	void (*fire)(struct loop_timer *timer);
};

struct loop_task {
	struct list link;	/* as above, by loop_task_init() */
	void (*run)(struct loop_task *task);
};

/* From another thread; see loop_post(). */
struct loop_message {
	struct list link;
	void (*run)(struct loop_message *message);
};

/* What came of a sleep elsewhere than in epoll. */
enum loop_slept {
	LOOP_NOT_SLEPT,		/* the loop has to wait itself */
	LOOP_SLEPT,
	LOOP_SLEPT_READY,	/* descriptors may be ready */
};

/*
 * Sleeps until there is something to do, at most @timeout_ns nanoseconds (0: not
 * at all; negative: no limit), or until @fd is readable: then a descriptor of the
 * loop is ready.
 */
struct loop_sleeper {
	enum loop_slept (*sleep)(struct loop_sleeper *sleeper, int fd, int64_t timeout_ns);
};

int loop_new(struct loop **loop);
void loop_free(struct loop *loop);

/* Runs until loop_stop(); a negative errno if waiting for events fails. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* From the next turn on, @sleeper sleeps for the loop. NULL: none. */
void loop_set_sleeper(struct loop *loop, struct loop_sleeper *sleeper);
/* A descriptor became ready just now: it is looked at before the next sleep. */
void loop_look(struct loop *loop);
/* One turn that waits at most @timeout_ms (negative: no limit) for something. */
int loop_turn(struct loop *loop, int timeout_ms);

/* @events are epoll's, EPOLLET included. */
int loop_add(struct loop *loop, struct loop_fd *lfd, uint32_t events);
int loop_modify(struct loop *loop, struct loop_fd *lfd, uint32_t events);
void loop_remove(struct loop *loop, struct loop_fd *lfd);

/* Nanoseconds of the monotonic clock. */
uint64_t loop_now(void);

void loop_timer_init(struct loop_timer *timer, void (*fire)(struct loop_timer *timer));
/* (Re)starts a timer that fires once. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, unsigned int ms);
void loop_timer_cancel(struct loop_timer *timer);
bool loop_timer_active(const struct loop_timer *timer);

void loop_task_init(struct loop_task *task, void (*run)(struct loop_task *task));
/*
 * Runs @task once at the end of this turn, or of the next if the tasks of this
 * one are running already. Deferring it again before that changes nothing.
 */
void loop_defer(struct loop *loop, struct loop_task *task);
void loop_task_cancel(struct loop_task *task);

void loop_message_init(struct loop_message *message, void (*run)(struct loop_message *message));
/*
 * These two may come from any thread. Has @message run in the loop, after those
 * posted before it. Posting it again before it has begun to run changes nothing.
 * The memory must stay until it has run, or was taken back.
 */
void loop_post(struct loop *loop, struct loop_message *message);
/* Takes @message back, if it has not begun to run. */
void loop_unpost(struct loop *loop, struct loop_message *message);

#endif /* TAPDISK_LOOP_H */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The event loop on epoll and the monotonic clock.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>

#include "cleanup.h"
#include "loop.h"

#define EVENTS_PER_TURN	64
#define NS_PER_MS	1000000ULL
/* A loop that never has to sleep looks at its descriptors this often. */
#define TURNS_UNSEEN	32

struct loop {
	int epoll;
	bool stopped;
	struct list timers;	/* earliest first */
	struct list tasks;
	/* those of the current turn: what is removed disappears from them */
	struct epoll_event events[EVENTS_PER_TURN];
	int count;

	struct loop_sleeper *sleeper;	/* or NULL */
	unsigned int unseen;		/* turns since descriptors were looked at */

	struct loop_fd wake;	/* messages were posted */
	pthread_mutex_t lock;
	struct list messages;	/* under the lock */
};

/* ----------------------------------------------------------------- messages */

void loop_message_init(struct loop_message *message, void (*run)(struct loop_message *message))
{
	list_init(&message->link);
	message->run = run;
}

static void wake_up(const struct loop *loop)
{
	uint64_t one = 1;
	ssize_t ignored;

	/* EAGAIN means that it is awake as can be. */
	ignored = write(loop->wake.fd, &one, sizeof(one));
	(void)ignored;
}

void loop_post(struct loop *loop, struct loop_message *message)
{
	bool first;

	pthread_mutex_lock(&loop->lock);
	first = list_empty(&loop->messages);
	if (list_empty(&message->link))
		list_add_tail(&loop->messages, &message->link);
	pthread_mutex_unlock(&loop->lock);
	if (first)
		wake_up(loop);
}

void loop_unpost(struct loop *loop, struct loop_message *message)
{
	pthread_mutex_lock(&loop->lock);
	list_del(&message->link);
	pthread_mutex_unlock(&loop->lock);
}

static struct loop_message *next_message(struct loop *loop)
{
	struct loop_message *message = NULL;

	pthread_mutex_lock(&loop->lock);
	if (!list_empty(&loop->messages)) {
		message = list_first(&loop->messages, struct loop_message, link);
		list_del(&message->link);
	}
	pthread_mutex_unlock(&loop->lock);
	return message;
}

static void run_messages(struct loop_fd *wake, uint32_t events)
{
	struct loop *loop = container_of(wake, struct loop, wake);
	struct loop_message *message;
	uint64_t count;
	ssize_t ignored;

	(void)events;
	ignored = read(wake->fd, &count, sizeof(count));
	(void)ignored;
	while ((message = next_message(loop)))
		message->run(message);
}

static int watch_messages(struct loop *loop)
{
	loop->wake.ready = run_messages;
	loop->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake.fd < 0)
		return -errno;
	return loop_add(loop, &loop->wake, EPOLLIN);
}

/* ------------------------------------------------------------------- making */

int loop_new(struct loop **loop)
{
	struct loop *new = calloc(1, sizeof(*new));
	int ret;

	*loop = NULL;
	if (!new)
		return -ENOMEM;
	list_init(&new->timers);
	list_init(&new->tasks);
	list_init(&new->messages);
	pthread_mutex_init(&new->lock, NULL);
	new->wake.fd = -1;
	new->epoll = epoll_create1(EPOLL_CLOEXEC);
	ret = new->epoll < 0 ? -errno : watch_messages(new);
	if (ret) {
		loop_free(new);
		return ret;
	}
	*loop = new;
	return 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	if (loop->wake.fd >= 0)
		close(loop->wake.fd);
	if (loop->epoll >= 0)
		close(loop->epoll);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

/* -------------------------------------------------------------- descriptors */

static int control(struct loop *loop, int op, struct loop_fd *lfd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = lfd };

	return epoll_ctl(loop->epoll, op, lfd->fd, &event) ? -errno : 0;
}

int loop_add(struct loop *loop, struct loop_fd *lfd, uint32_t events)
{
	int ret = control(loop, EPOLL_CTL_ADD, lfd, events);

	lfd->added = !ret;
	return ret;
}

int loop_modify(struct loop *loop, struct loop_fd *lfd, uint32_t events)
{
	return control(loop, EPOLL_CTL_MOD, lfd, events);
}

void loop_remove(struct loop *loop, struct loop_fd *lfd)
{
	int i;

	if (!lfd->added)
		return;
	control(loop, EPOLL_CTL_DEL, lfd, 0);
	lfd->added = false;
	for (i = 0; i < loop->count; i++)
		if (loop->events[i].data.ptr == lfd)
			loop->events[i].data.ptr = NULL;
}

/* ------------------------------------------------------------------- timers */

uint64_t loop_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

void loop_timer_init(struct loop_timer *timer, void (*fire)(struct loop_timer *timer))
{
	list_init(&timer->link);
	timer->fire = fire;
}

/* Most timers are the latest of all: search from the end. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, unsigned int ms)
{
	struct list *at;

	list_del(&timer->link);
	timer->expires = loop_now() + ms * NS_PER_MS;
	for (at = loop->timers.prev; at != &loop->timers; at = at->prev)
		if (container_of(at, struct loop_timer, link)->expires <= timer->expires)
			break;
	list_add_before(at->next, &timer->link);
}

void loop_timer_cancel(struct loop_timer *timer)
{
	list_del(&timer->link);
}

bool loop_timer_active(const struct loop_timer *timer)
{
	return !list_empty(&timer->link);
}

static void run_timers(struct loop *loop)
{
	uint64_t now;

	if (list_empty(&loop->timers))
		return;
	/* Those set from now on are later than this. */
	now = loop_now();
	while (!list_empty(&loop->timers)) {
		struct loop_timer *timer = list_first(&loop->timers, struct loop_timer, link);

		if (timer->expires > now)
			return;
		list_del(&timer->link);
		timer->fire(timer);
	}
}

/* -------------------------------------------------------------------- tasks */

void loop_task_init(struct loop_task *task, void (*run)(struct loop_task *task))
{
	list_init(&task->link);
	task->run = run;
}

void loop_defer(struct loop *loop, struct loop_task *task)
{
	if (list_empty(&task->link))
		list_add_tail(&loop->tasks, &task->link);
}

void loop_task_cancel(struct loop_task *task)
{
	list_del(&task->link);
}

static void run_tasks(struct loop *loop)
{
	struct list tasks;

	list_take(&tasks, &loop->tasks);
	while (!list_empty(&tasks)) {
		struct loop_task *task = list_first(&tasks, struct loop_task, link);

		list_del(&task->link);
		task->run(task);
	}
}

/* -------------------------------------------------------------------- turns */

static int shorter(int a_ms, int b_ms)
{
	if (a_ms < 0)
		return b_ms;
	return b_ms < 0 || a_ms < b_ms ? a_ms : b_ms;
}

/* Rounded up: a timer never fires early, and the loop never spins for one. */
static int until_timer(const struct loop *loop)
{
	uint64_t expires, now, ms;

	if (list_empty(&loop->timers))
		return -1;
	expires = list_first(&loop->timers, struct loop_timer, link)->expires;
	now = loop_now();
	if (expires <= now)
		return 0;
	ms = (expires - now + NS_PER_MS - 1) / NS_PER_MS;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

void loop_set_sleeper(struct loop *loop, struct loop_sleeper *sleeper)
{
	loop->sleeper = sleeper;
}

void loop_look(struct loop *loop)
{
	loop->unseen = TURNS_UNSEEN;
}

/* Waits for events and runs their handlers. */
static int run_events(struct loop *loop, int timeout_ms)
{
	int i;

	loop->unseen = 0;
	loop->count = epoll_wait(loop->epoll, loop->events, EVENTS_PER_TURN, timeout_ms);
	if (loop->count < 0) {
		loop->count = 0;
		if (errno != EINTR)
			return -errno;
	}
	for (i = 0; i < loop->count; i++) {
		struct loop_fd *lfd = loop->events[i].data.ptr;

		if (lfd)
			lfd->ready(lfd, loop->events[i].events);
	}
	loop->count = 0;
	return 0;
}

/* How long this turn may wait. */
static int patience(const struct loop *loop, int timeout_ms)
{
	return list_empty(&loop->tasks) ? shorter(timeout_ms, until_timer(loop)) : 0;
}

static int wait_for_events(struct loop *loop, int timeout_ms)
{
	enum loop_slept slept;
	int ret, ms;

	if (loop->sleeper && ++loop->unseen > TURNS_UNSEEN) {
		ret = run_events(loop, 0);
		if (ret || loop->stopped)
			return ret;
	}
	ms = patience(loop, timeout_ms);
	if (!loop->sleeper)
		return run_events(loop, ms);
	slept = loop->sleeper->sleep(loop->sleeper, loop->epoll, ms < 0 ? -1 : ms * (int64_t)NS_PER_MS);
	if (slept == LOOP_NOT_SLEPT)
		return run_events(loop, ms);
	return slept == LOOP_SLEPT_READY ? run_events(loop, 0) : 0;
}

int loop_turn(struct loop *loop, int timeout_ms)
{
	int ret = wait_for_events(loop, timeout_ms);

	if (ret)
		return ret;
	run_timers(loop);
	run_tasks(loop);
	return 0;
}

int loop_run(struct loop *loop)
{
	int ret = 0;

	loop->stopped = false;
	while (!loop->stopped && !ret)
		ret = loop_turn(loop, -1);
	return ret;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

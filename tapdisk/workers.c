// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads for calls that block: a queue, a condition, and an eventfd that
 * brings what is done back to the loop.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "cleanup.h"
#include "workers.h"

#define STACK_SIZE	(128U << 10)	/* locked in memory: keep it small */

struct workers {
	struct loop *loop;
	struct loop_fd event;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* below: under the lock */
	struct list queue;
	struct list finished;
	unsigned int queued;
	unsigned int idle;
	unsigned int count;
	bool ending;
	unsigned int max;
	pthread_t *threads;
};

static void signal_loop(const struct workers *workers)
{
	uint64_t one = 1;
	ssize_t ignored;

	/* EAGAIN means that it is signalled as can be. */
	ignored = write(workers->event.fd, &one, sizeof(one));
	(void)ignored;
}

/* With the lock held; NULL at the end. */
static struct work *next_work(struct workers *workers)
{
	struct work *work;

	while (list_empty(&workers->queue)) {
		if (workers->ending)
			return NULL;
		workers->idle++;
		pthread_cond_wait(&workers->wake, &workers->lock);
		workers->idle--;
	}
	if (workers->ending)
		return NULL;
	work = list_first(&workers->queue, struct work, link);
	list_del(&work->link);
	workers->queued--;
	return work;
}

static void finish(struct workers *workers, struct work *work)
{
	bool first = list_empty(&workers->finished);

	list_add_tail(&workers->finished, &work->link);
	if (first)
		signal_loop(workers);
}

static void *thread_main(void *arg)
{
	struct workers *workers = arg;
	struct work *work;

	pthread_mutex_lock(&workers->lock);
	while ((work = next_work(workers))) {
		pthread_mutex_unlock(&workers->lock);
		work->run(work);
		pthread_mutex_lock(&workers->lock);
		finish(workers, work);
	}
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

/* Signals belong to the loop's thread. */
static int create_thread(struct workers *workers, pthread_attr_t *attr)
{
	size_t bytes = (workers->count + 1) * sizeof(pthread_t);
	pthread_t *threads = realloc(workers->threads, bytes);
	sigset_t all, old;
	int ret;

	if (!threads)
		return ENOMEM;
	workers->threads = threads;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&workers->threads[workers->count], attr, thread_main, workers);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret;
}

/* One more, if what is queued has to wait without. */
static void start_thread(struct workers *workers)
{
	pthread_attr_t attr;

	if (workers->queued <= workers->idle || workers->count >= workers->max ||
	    pthread_attr_init(&attr))
		return;
	if (STACK_SIZE > PTHREAD_STACK_MIN)
		pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (!create_thread(workers, &attr))
		workers->count++;
	pthread_attr_destroy(&attr);
}

void workers_submit(struct workers *workers, struct work *work)
{
	work->abandoned = false;
	pthread_mutex_lock(&workers->lock);
	list_add_tail(&workers->queue, &work->link);
	workers->queued++;
	start_thread(workers);
	if (workers->count) {
		pthread_cond_signal(&workers->wake);
	} else {
		list_del(&work->link);
		workers->queued--;
		work->run(work);
		finish(workers, work);
	}
	pthread_mutex_unlock(&workers->lock);
}

void workers_abandon(struct workers *workers, struct work *work)
{
	if (work->abandoned)
		return;
	work->abandoned = true;
	pthread_mutex_lock(&workers->lock);
	workers->max++;
	start_thread(workers);
	pthread_mutex_unlock(&workers->lock);
}

static void work_done(struct workers *workers, struct work *work)
{
	if (work->abandoned) {
		pthread_mutex_lock(&workers->lock);
		workers->max--;
		pthread_mutex_unlock(&workers->lock);
	}
	work->done(work);
}

bool workers_busy(struct workers *workers)
{
	bool busy;

	pthread_mutex_lock(&workers->lock);
	busy = workers->idle < workers->count || !list_empty(&workers->queue) ||
	       !list_empty(&workers->finished);
	pthread_mutex_unlock(&workers->lock);
	return busy;
}

static void work_finished(struct loop_fd *event, uint32_t events)
{
	struct workers *workers = container_of(event, struct workers, event);
	struct list finished;
	uint64_t count;
	ssize_t ignored;

	(void)events;
	ignored = read(event->fd, &count, sizeof(count));
	(void)ignored;
	pthread_mutex_lock(&workers->lock);
	list_take(&finished, &workers->finished);
	pthread_mutex_unlock(&workers->lock);
	while (!list_empty(&finished)) {
		struct work *work = list_first(&finished, struct work, link);

		list_del(&work->link);
		work_done(workers, work);
	}
}

int workers_new(struct workers **workers, struct loop *loop, unsigned int max_threads)
{
	struct workers *new = calloc(1, sizeof(*new));
	int ret;

	*workers = NULL;
	if (!new)
		return -ENOMEM;
	new->loop = loop;
	new->max = max_threads;
	list_init(&new->queue);
	list_init(&new->finished);
	pthread_mutex_init(&new->lock, NULL);
	pthread_cond_init(&new->wake, NULL);
	new->event.ready = work_finished;
	new->event.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = new->event.fd < 0 ? -errno : loop_add(loop, &new->event, EPOLLIN);
	if (ret) {
		workers_free(new);
		return ret;
	}
	*workers = new;
	return 0;
}

void workers_free(struct workers *workers)
{
	unsigned int i;

	if (!workers)
		return;
	pthread_mutex_lock(&workers->lock);
	workers->ending = true;
	pthread_cond_broadcast(&workers->wake);
	pthread_mutex_unlock(&workers->lock);
	for (i = 0; i < workers->count; i++)
		pthread_join(workers->threads[i], NULL);
	loop_remove(workers->loop, &workers->event);
	if (workers->event.fd >= 0)
		close(workers->event.fd);
	pthread_cond_destroy(&workers->wake);
	pthread_mutex_destroy(&workers->lock);
	free(workers->threads);
	free(workers);
}

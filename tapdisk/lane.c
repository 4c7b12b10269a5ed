// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data path of a queue: requests from the ring to the image, answers back.
 *
 * A lane with a thread of its own sleeps in the ring's own call, which hands over
 * the answers and returns with the next requests, or because a descriptor of the
 * loop wants to be looked at: one system call for a batch. Without a thread, the
 * queue's descriptor is one of the loop's. Either way a lane gives up after a
 * bounded amount of work per turn.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <syslog.h>

#include "cleanup.h"
#include "complaints.h"
#include "lane.h"
#include "pace.h"
#include "protect.h"
#include "workers.h"

#define TURN_REQUESTS	64
#define TURN_BYTES	(4U << 20)
#define STACK_SIZE	(128U << 10)	/* locked in memory: keep it small */
#define CHANGE_THREADS	1	/* what one waits for, the next need not */

#define NS_PER_MS	1000000ULL
/* Before a request is tried again: what is busy may soon not be. */
#define RETRY_BUSY_MS	10
#define RETRY_MS	1000

struct lane_request {
	struct lane *lane;
	struct blktap_request ring;
	struct image_request *io;
	bool busy;		/* with the image, or to be tried again */
	bool again;		/* it has been tried before */
	uint64_t taken;		/* nanoseconds */
	struct list link;	/* in the lane's retries */
	uint64_t due;		/* nanoseconds */
	bool changes;		/* the image's map */
	struct extents_change change;
	struct work work;	/* to wait for the kernel before that */
};

/* An answer that has been posted, but not counted yet. */
struct lane_answer {
	uint8_t op;
	int error;
	uint64_t bytes;
	uint64_t taken;
	bool redirected;
};

struct lane {
	struct lane_params params;
	struct blktap_queue *queue;
	unsigned int minor;
	unsigned int depth;
	struct loop *loop;
	bool threaded;
	pthread_t thread;
	struct loop_sleeper sleeper;	/* with a thread */
	struct pace pace;		/* likewise */
	struct loop_fd event;		/* without */
	bool listening;			/* takes requests */
	bool swap;			/* has seen what was swapped out */
	struct image_channel *channel;
	struct workers *workers;	/* NULL: the image's map does not change */
	struct lane_request *requests;	/* by tag */
	char *io_memory;		/* their image_request, by tag */
	struct lane_answer *answers;
	unsigned int nr_answers;
	unsigned int inflight;		/* with the image */
	struct complaints complaints;
	uint64_t capacity;
	struct loop_task turn;		/* what a turn of the loop collected */
	struct list retries;
	struct loop_timer retry;
	bool draining, lost;
	unsigned int drain;		/* the change of mind that was heard of last */

	/* Between the owner and the thread; each is written by one of them. */
	atomic_bool failing;
	atomic_uint wanted;		/* odd: drain; counts the changes of mind */
	pthread_mutex_t lock;
	unsigned int reached;		/* the drain that was reached; under the lock */
	atomic_uint_least64_t new_capacity;
	atomic_int lost_code;
	struct loop_message change, end, was_drained, was_lost;
};

static void run_turn_later(struct lane *lane)
{
	loop_defer(lane->loop, &lane->turn);
}

/* ------------------------------------------------------------------ answers */

/* A lane that sleeps in the ring hands over by going to sleep. */
static bool sleeps_in_ring(const struct lane *lane)
{
	return lane->threaded && lane->listening;
}

/* What was posted is to be counted and handed over. */
static void posted(struct lane *lane, const struct blktap_request *req, int error, uint64_t taken,
		   bool redirected)
{
	lane->answers[lane->nr_answers++] = (struct lane_answer){
		.op = req->op,
		.error = error,
		.bytes = req->length,
		.taken = taken,
		.redirected = redirected,
	};
	if (!sleeps_in_ring(lane))
		run_turn_later(lane);
}

static void post(struct lane *lane, const struct blktap_request *req, int error, uint64_t taken)
{
	if (error && error != -EOPNOTSUPP)
		complain(&lane->complaints, COMPLAINT_FAILED, req, error, "", loop_now());
	blktap_queue_complete(lane->queue, req, error ? error : (int64_t)req->length);
	posted(lane, req, error, taken, false);
}

static void count_answers(struct lane *lane)
{
	uint64_t now;
	unsigned int i;

	if (!lane->nr_answers)
		return;
	now = loop_now();
	for (i = 0; i < lane->nr_answers; i++) {
		const struct lane_answer *a = &lane->answers[i];

		stats_answer(lane->params.stats, a->op, a->bytes, a->error, now - a->taken);
		stats_add(&lane->params.stats->redirected, a->redirected);
	}
	stats_add(&lane->params.stats->handovers, 1);
	lane->nr_answers = 0;
}

/* Hands answers to the kernel; a negative errno if the session has ended. */
static int hand_over(struct lane *lane)
{
	int ret;

	count_answers(lane);
	if (!blktap_queue_posted(lane->queue))
		return 0;
	ret = blktap_queue_enter(lane->queue, false, 0);
	if (ret != -EINTR && ret != -EBUSY)
		return ret;
	run_turn_later(lane);
	return 0;
}

/* -------------------------------------------------------------- trying again */

static void set_retry_timer(struct lane *lane)
{
	uint64_t now = loop_now(), earliest = UINT64_MAX;
	struct lane_request *r;

	list_for_each(r, &lane->retries, link)
		if (r->due < earliest)
			earliest = r->due;
	if (earliest != UINT64_MAX)
		loop_timer_set(lane->loop, &lane->retry,
			       earliest > now ? (earliest - now) / NS_PER_MS + 1 : 0);
}

/* False: its time is over. */
static bool retry_later(struct lane_request *r, int error)
{
	struct lane *lane = r->lane;
	int limit_ms = lane->params.request_timeout_ms;
	uint64_t now = loop_now();

	r->due = now + (error == -EBUSY ? RETRY_BUSY_MS : RETRY_MS) * NS_PER_MS;
	if (limit_ms >= 0 && r->due - r->taken > limit_ms * NS_PER_MS)
		return false;
	if (!r->again)
		complain(&lane->complaints, COMPLAINT_AGAIN, &r->ring, error,
			 ", so it is tried again", now);
	r->again = true;
	list_add_tail(&lane->retries, &r->link);
	set_retry_timer(lane);
	return true;
}

static void request_over(struct lane_request *r, int error)
{
	struct lane *lane = r->lane;

	if (r->changes)
		kernel_io_change_end(lane->params.kio, &r->change);
	/* It may have made a place. Before the answer: the next request is near. */
	if (!error && r->ring.op == BLKTAP_OP_WRITE)
		kernel_io_used(lane->params.kio, &r->ring);
	r->busy = false;
	lane->inflight--;
	post(lane, &r->ring, error, r->taken);
}

/* Requests fail, or have failed: there is nothing to be tried again. */
static bool is_hopeless(const struct lane *lane)
{
	return lane->lost || lane->failing;
}

static void request_done(struct image_request *io, int error)
{
	struct lane_request *r = io->owner;

	if (!image_error_may_pass(error) || is_hopeless(r->lane) || !retry_later(r, error))
		request_over(r, error);
}

static void fail_retries(struct lane *lane)
{
	while (!list_empty(&lane->retries)) {
		struct lane_request *r = list_first(&lane->retries, struct lane_request, link);

		list_del(&r->link);
		request_over(r, -EIO);
	}
}

/* ----------------------------------------------------------------- requests */

static int check_range(const struct lane *lane, const struct blktap_request *req)
{
	uint32_t mask = lane->params.image->limits.logical_block_size - 1;

	if (!req->length || (req->offset & mask) || (req->length & mask))
		return -EINVAL;
	if (req->offset > lane->capacity || req->length > lane->capacity - req->offset)
		return -EIO;
	return 0;
}

static bool is_transfer(const struct blktap_request *req)
{
	return req->op == BLKTAP_OP_READ || req->op == BLKTAP_OP_WRITE;
}

static int check_flags(const struct lane *lane, const struct blktap_request *req)
{
	uint64_t features = blktap_ring_features(lane->params.ring);
	uint16_t known = 0;

	if (features & BLKTAP_F_REDIRECT && is_transfer(req))
		known = BLKTAP_REQ_RETRY;
	if (features & BLKTAP_F_DATA_ON_DEMAND && req->op == BLKTAP_OP_WRITE)
		known |= BLKTAP_REQ_DEMAND;
	if (features & BLKTAP_F_SWAP && req->op == BLKTAP_OP_WRITE)
		known |= BLKTAP_REQ_SWAP;
	if (req->op == BLKTAP_OP_WRITE)
		known |= BLKTAP_REQ_FUA;
	if (req->op == BLKTAP_OP_WRITE_ZEROES)
		known = BLKTAP_REQ_NOUNMAP;
	return req->flags & ~known ? -EOPNOTSUPP : 0;
}

static int check_op(const struct blktap_request *req, const struct image *image)
{
	const struct image_limits *limits = &image->limits;

	switch (req->op) {
	case BLKTAP_OP_READ:
		return 0;
	case BLKTAP_OP_WRITE:
		return image->read_only ? -EROFS : 0;
	case BLKTAP_OP_DISCARD:
		return req->length <= limits->max_discard ? 0 : -EOPNOTSUPP;
	case BLKTAP_OP_WRITE_ZEROES:
		return req->length <= limits->max_write_zeroes ? 0 : -EOPNOTSUPP;
	default:
		return -EOPNOTSUPP;
	}
}

/* Drivers rely on what is checked here. */
static int check_request(const struct lane *lane, const struct blktap_request *req)
{
	int ret = check_flags(lane, req);

	if (lane->failing || !lane->params.image)
		return -EIO;
	if (ret || req->op == BLKTAP_OP_FLUSH)
		return ret;
	ret = check_range(lane, req);
	return ret ? ret : check_op(req, lane->params.image);
}

static void give_to_image(struct lane_request *r)
{
	struct lane *lane = r->lane;
	struct image_request *io = r->io;

	io->op = r->ring.op;
	io->flags = r->ring.flags & (BLKTAP_REQ_FUA | BLKTAP_REQ_NOUNMAP);
	io->offset = r->ring.offset;
	io->length = r->ring.length;
	io->data = r->ring.data;
	io->done = request_done;
	io->owner = r;
	lane->params.image->driver->submit(lane->channel, io);
}

static void wait_for_kernel(struct work *work)
{
	struct lane_request *r = container_of(work, struct lane_request, work);

	kernel_io_change_wait(r->lane->params.kio, &r->change);
}

static void kernel_waited(struct work *work)
{
	struct lane_request *r = container_of(work, struct lane_request, work);

	give_to_image(r);
	run_turn_later(r->lane);
}

/* What the image is about to change must not be served by the kernel meanwhile. */
static void submit_change(struct lane_request *r)
{
	struct lane *lane = r->lane;

	r->work.run = wait_for_kernel;
	r->work.done = kernel_waited;
	if (kernel_io_change_begin(lane->params.kio, &r->change, &r->ring))
		workers_submit(lane->workers, &r->work);
	else
		give_to_image(r);
}

static void submit(struct lane *lane, const struct blktap_request *req, uint64_t now)
{
	struct lane_request *r = &lane->requests[req->tag];

	r->ring = *req;
	r->busy = true;
	r->again = false;
	r->taken = now;
	r->changes = kernel_io_changes(lane->params.kio, req);
	lane->inflight++;
	if (r->changes)
		submit_change(r);
	else
		give_to_image(r);
}

/* True if the kernel moves the bytes. */
static bool redirect(struct lane *lane, const struct blktap_request *req, uint64_t now)
{
	struct blktap_fragment *fragments;
	unsigned int max, count;

	if (kernel_io_mode(lane->params.kio) == BLKTAP_KERNEL_IO_OFF)
		return false;
	fragments = blktap_queue_fragments(lane->queue, req, &max);
	count = kernel_io_redirect(lane->params.kio, req, fragments, max);
	if (!count)
		return false;
	kernel_io_used(lane->params.kio, req);
	blktap_queue_redirect(lane->queue, req, count);
	posted(lane, req, 0, now, true);
	return true;
}

static void came_back(struct lane *lane, const struct blktap_request *req)
{
	bool dropped = kernel_io_failed(lane->params.kio, req);

	complain(&lane->complaints, COMPLAINT_CAME_BACK, req, 0,
		 dropped ? "; there is no extent there any more" : "", loop_now());
	stats_add(&lane->params.stats->retried, 1);
}

/* The image wants the data. */
static int fetch(struct lane *lane, const struct blktap_request *req)
{
	return req->flags & BLKTAP_REQ_DEMAND ? blktap_queue_fetch(lane->queue, req) : 0;
}

static void retry_fired(struct loop_timer *timer)
{
	struct lane *lane = container_of(timer, struct lane, retry);
	uint64_t now = loop_now();
	struct lane_request *r;
	struct list all;

	list_take(&all, &lane->retries);
	while (!list_empty(&all)) {
		r = list_first(&all, struct lane_request, link);
		list_del(&r->link);
		if (r->due > now)
			list_add_tail(&lane->retries, &r->link);
		else
			give_to_image(r);
	}
	set_retry_timer(lane);
	run_turn_later(lane);
}

/* Of an image's part of a request. */
static size_t io_size(const struct lane *lane)
{
	const struct image *image = lane->params.image;

	return image ? (image->driver->request_size + 15) / 16 * 16 : 16;
}

/* Memory that was never used is not there yet. */
static void touch_requests(const struct lane *lane)
{
	protect_memory(lane->requests, lane->depth * sizeof(*lane->requests));
	protect_memory(lane->io_memory, lane->depth * io_size(lane));
	protect_memory(lane->answers, 2 * lane->depth * sizeof(*lane->answers));
}

/* From the first one on: nothing may be in the way of the others. */
static void note_swap(struct lane *lane, const struct blktap_request *req)
{
	if (lane->swap || !(req->flags & BLKTAP_REQ_SWAP))
		return;
	lane->swap = true;
	touch_requests(lane);
	if (lane->threaded)
		protect_thread();
}

static void handle_request(struct lane *lane, const struct blktap_request *req, uint64_t now)
{
	int error = check_request(lane, req);

	note_swap(lane, req);
	/* A tag that is still with the image would be two requests in one memory. */
	if (!error && lane->requests[req->tag].busy)
		error = -EIO;
	if (!error && (req->flags & BLKTAP_REQ_RETRY))
		came_back(lane, req);
	if (!error && redirect(lane, req, now))
		return;
	if (!error)
		error = fetch(lane, req);
	if (error)
		post(lane, req, error, now);
	else
		submit(lane, req, now);
}

/* Returns how many there were. */
static unsigned int take_requests(struct lane *lane, uint64_t now)
{
	uint64_t bytes = 0;
	struct blktap_request req;
	unsigned int count;

	for (count = 0; count < TURN_REQUESTS && bytes < TURN_BYTES; count++) {
		/* Each has room for its answer, whatever the kernel says. */
		if (blktap_queue_posted(lane->queue) >= lane->depth ||
		    !blktap_queue_next(lane->queue, &req))
			break;
		if (req.data)
			bytes += req.length;
		handle_request(lane, &req, now);
	}
	if (!count)
		return 0;
	stats_add(&lane->params.stats->taken, count);
	stats_add(&lane->params.stats->wakeups, 1);
	/* There is no call for what the image has not collected. */
	if (lane->inflight || !sleeps_in_ring(lane))
		run_turn_later(lane);
	return count;
}

/* ------------------------------------------------------------------ waiting */

static void session_lost(struct lane *lane, int code);

/* A result of ENTER: whether the lane can go on. */
static bool entered(struct lane *lane, int ret)
{
	if (!ret || ret == -EINTR || ret == -EBUSY || ret == -ETIME)
		return true;
	session_lost(lane, ret);
	return false;
}

/* Another policy than these two is the administrator's, who knows better. */
static void apply_modesty(const struct lane *lane)
{
	struct sched_param param = { 0 };
	int policy = sched_getscheduler(0);

	if (policy == SCHED_OTHER || policy == SCHED_BATCH)
		sched_setscheduler(0, lane->pace.modest ? SCHED_BATCH : SCHED_OTHER, &param);
}

/* With a thread: hands over, sleeps unless @timeout_ns is 0, and takes. */
static enum loop_slept sleep_in_ring(struct loop_sleeper *sleeper, int fd, int64_t timeout_ns)
{
	struct lane *lane = container_of(sleeper, struct lane, sleeper);
	struct blktap_wait wait = {
		.timeout_ns = timeout_ns,
		.fd = fd,
		/* Who spins does not see that the image is done. */
		.spin_ns = lane->inflight ? 0 : pace_spin(&lane->pace),
	};
	unsigned int taken;
	uint64_t now;
	int ret;

	if (!lane->listening)
		return LOOP_NOT_SLEPT;
	count_answers(lane);
	if (timeout_ns)
		ret = blktap_queue_wait(lane->queue, &wait);
	else
		ret = blktap_queue_enter(lane->queue, false, 0);
	if (!entered(lane, ret))
		return LOOP_SLEPT;
	now = loop_now();
	stats_add(&lane->params.stats->spins, wait.spun);
	taken = take_requests(lane, now);
	if (pace_waited(&lane->pace, &wait, taken, now))
		apply_modesty(lane);
	return wait.fd_ready || ret ? LOOP_SLEPT_READY : LOOP_SLEPT;
}

/* Without one: the queue's descriptor is readable. */
static void queue_ready(struct loop_fd *event, uint32_t events)
{
	struct lane *lane = container_of(event, struct lane, event);
	unsigned int taken;

	if (events & (EPOLLERR | EPOLLHUP)) {
		session_lost(lane, -ENODEV);
		return;
	}
	taken = take_requests(lane, loop_now());
	/* If there is more already, the descriptor stays readable. */
	if (taken < TURN_REQUESTS)
		blktap_queue_arm(lane->queue);
	if (!taken)
		entered(lane, blktap_queue_enter(lane->queue, false, 0));
}

/* ------------------------------------------------------ draining and going on */

static void mute(struct lane *lane)
{
	lane->listening = false;
	loop_remove(lane->loop, &lane->event);
}

static int listen_to_queue(struct lane *lane)
{
	int ret = 0;

	if (!lane->threaded && !lane->event.added)
		ret = loop_add(lane->loop, &lane->event, EPOLLIN);
	lane->listening = !ret;
	return ret;
}

static void session_lost(struct lane *lane, int code)
{
	if (lane->lost)
		return;
	lane->lost = true;
	mute(lane);
	fail_retries(lane);
	lane->lost_code = code;
	loop_post(lane->params.owner, &lane->was_lost);
}

static void report_drained(struct lane *lane)
{
	if (!lane->draining || lane->inflight)
		return;
	if (!lane->lost && blktap_queue_posted(lane->queue))
		return;
	lane->draining = false;
	/* Both at once: who sees the one has all of the other. */
	pthread_mutex_lock(&lane->lock);
	lane->reached = lane->drain;
	loop_post(lane->params.owner, &lane->was_drained);
	pthread_mutex_unlock(&lane->lock);
}

/* Not from within a handler of the image or the queue. */
static void run_turn(struct loop_task *task)
{
	struct lane *lane = container_of(task, struct lane, turn);
	int ret;

	if (lane->channel && lane->params.image->driver->kick)
		lane->params.image->driver->kick(lane->channel);
	if (sleeps_in_ring(lane))
		return;
	ret = lane->lost ? 0 : hand_over(lane);
	if (ret)
		session_lost(lane, ret);
	report_drained(lane);
}

/* The owner has changed its mind, perhaps more than once. */
static void change(struct loop_message *message)
{
	struct lane *lane = container_of(message, struct lane, change);
	unsigned int wanted = lane->wanted;

	if (is_hopeless(lane))
		fail_retries(lane);
	/* A drain is reported once. */
	if (wanted == lane->drain)
		return;
	lane->draining = wanted & 1;
	lane->drain = wanted;
	if (lane->draining) {
		mute(lane);
		run_turn_later(lane);
		return;
	}
	lane->capacity = lane->new_capacity;
	if (!lane->lost && listen_to_queue(lane))
		session_lost(lane, -ENOMEM);
}

/*
 * Of a drain that was given up it is old news. But it may bring the news of the
 * present one, whose own message must not come after that: there may be no lane
 * any more.
 */
static void was_drained(struct loop_message *message)
{
	struct lane *lane = container_of(message, struct lane, was_drained);
	unsigned int wanted = lane->wanted;
	bool reached;

	pthread_mutex_lock(&lane->lock);
	reached = lane->reached == wanted && wanted & 1;
	if (reached)
		loop_unpost(lane->params.owner, &lane->was_drained);
	pthread_mutex_unlock(&lane->lock);
	if (reached)
		lane->params.drained(lane->params.data);
}

static void was_lost(struct loop_message *message)
{
	struct lane *lane = container_of(message, struct lane, was_lost);

	lane->params.lost(lane->params.data, lane->lost_code);
}

static void tell_of_change(struct lane *lane)
{
	if (lane->threaded)
		loop_post(lane->loop, &lane->change);
	else
		change(&lane->change);
}

void lane_drain(struct lane *lane)
{
	lane->wanted += 1 + (lane->wanted & 1);
	tell_of_change(lane);
}

void lane_resume(struct lane *lane, uint64_t capacity)
{
	lane->new_capacity = capacity;
	lane->wanted += 2 - (lane->wanted & 1);
	tell_of_change(lane);
}

void lane_fail_requests(struct lane *lane)
{
	lane->failing = true;
	tell_of_change(lane);
}

/* ----------------------------------------------------------- start and stop */

static int set_up_requests(struct lane *lane)
{
	size_t size = io_size(lane);
	unsigned int i;

	lane->requests = calloc(lane->depth, sizeof(*lane->requests));
	lane->io_memory = calloc(lane->depth, size);
	/* Those of all tags, and as many that were refused. */
	lane->answers = calloc(2 * lane->depth, sizeof(*lane->answers));
	if (!lane->requests || !lane->io_memory || !lane->answers)
		return -ENOMEM;
	for (i = 0; i < lane->depth; i++) {
		lane->requests[i].lane = lane;
		lane->requests[i].io = (void *)(lane->io_memory + i * size);
		list_init(&lane->requests[i].link);
	}
	return 0;
}

static int set_up_workers(struct lane *lane)
{
	const struct image *image = lane->params.image;

	if (!lane->params.kio || !image->limits.map_unit)
		return 0;
	return workers_new(&lane->workers, lane->loop, CHANGE_THREADS);
}

static int set_up_channel(struct lane *lane, struct blktap_error *err)
{
	struct image *image = lane->params.image;
	struct channel_params params = {
		.loop = lane->loop,
		.requests = lane->depth,
		.minor = lane->minor,
	};

	if (!image)
		return 0;
	return image->driver->channel_open(&lane->channel, image, &params, err);
}

static void *thread_main(void *data)
{
	struct lane *lane = data;
	int ret;

	apply_modesty(lane);
	ret = loop_run(lane->loop);
	if (ret)
		blktap_log(LOG_CRIT, "tapdev%u: its event loop failed: %s", lane->minor,
			   strerror(-ret));
	return NULL;
}

/* Signals belong to the main thread. */
static int create_thread(struct lane *lane)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int ret = pthread_attr_init(&attr);

	if (ret)
		return -ret;
	if (STACK_SIZE > PTHREAD_STACK_MIN)
		pthread_attr_setstacksize(&attr, STACK_SIZE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	lane->threaded = true;
	ret = pthread_create(&lane->thread, &attr, thread_main, lane);
	if (ret)
		lane->threaded = false;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -ret;
}

static void end(struct loop_message *message)
{
	loop_stop(container_of(message, struct lane, end)->loop);
}

/* What belongs to the loop goes before the loop. */
static void take_down(struct lane *lane)
{
	mute(lane);
	loop_task_cancel(&lane->turn);
	loop_timer_cancel(&lane->retry);
	if (lane->channel)
		lane->params.image->driver->channel_close(lane->channel);
	workers_free(lane->workers);
	/* A loss that the owner has not heard of: its ring, or the next lane, tells it. */
	loop_unpost(lane->params.owner, &lane->was_lost);
	loop_unpost(lane->params.owner, &lane->was_drained);
	if (lane->loop != lane->params.owner)
		loop_free(lane->loop);
	pthread_mutex_destroy(&lane->lock);
	free(lane->requests);
	free(lane->io_memory);
	free(lane->answers);
	free(lane);
}

void lane_stop(struct lane *lane)
{
	if (lane->threaded)
		loop_post(lane->loop, &lane->end);
}

void lane_free(struct lane *lane)
{
	if (lane->threaded)
		pthread_join(lane->thread, NULL);
	take_down(lane);
}

bool lane_threaded(const struct lane *lane)
{
	return lane->threaded;
}

static void set_up_events(struct lane *lane)
{
	pthread_mutex_init(&lane->lock, NULL);
	list_init(&lane->retries);
	loop_task_init(&lane->turn, run_turn);
	loop_timer_init(&lane->retry, retry_fired);
	loop_message_init(&lane->change, change);
	loop_message_init(&lane->end, end);
	loop_message_init(&lane->was_drained, was_drained);
	loop_message_init(&lane->was_lost, was_lost);
	lane->sleeper.sleep = sleep_in_ring;
	lane->event.fd = blktap_queue_fd(lane->queue);
	lane->event.ready = queue_ready;
}

static int set_up(struct lane *lane, struct blktap_error *err)
{
	int ret = set_up_requests(lane);

	if (!ret && lane->params.thread) {
		ret = loop_new(&lane->loop);
		if (!ret)
			loop_set_sleeper(lane->loop, &lane->sleeper);
	}
	if (!ret)
		ret = set_up_workers(lane);
	if (ret)
		return blktap_error_set(err, ret, "cannot serve tapdev%u: %s", lane->minor,
					strerror(-ret));
	ret = set_up_channel(lane, err);
	if (ret || !lane->params.thread)
		return ret;
	ret = create_thread(lane);
	if (ret)
		blktap_error_set(err, ret, "cannot serve tapdev%u: no thread: %s", lane->minor,
				 strerror(-ret));
	return ret;
}

int lane_start(struct lane **lane, const struct lane_params *params, struct blktap_error *err)
{
	struct lane *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return blktap_error_set(err, -ENOMEM, "no memory to serve a disk");
	new->params = *params;
	new->queue = blktap_ring_queue(params->ring, params->index);
	new->minor = blktap_ring_minor(params->ring);
	new->complaints.minor = new->minor;
	new->complaints.image = params->image ? params->image->path : NULL;
	new->depth = blktap_ring_depth(params->ring);
	new->loop = params->owner;
	set_up_events(new);
	pace_init(&new->pace, params->max_spin_ns);
	ret = set_up(new, err);
	if (ret)
		take_down(new);
	else
		*lane = new;
	return ret;
}

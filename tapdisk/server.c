// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data path: requests from the rings to the image, answers back.
 *
 * A queue gives up after a bounded amount of work per turn; its descriptor stays
 * readable, so that the next turn comes back to it after the others.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <syslog.h>

#include "cleanup.h"
#include "server.h"

#define TURN_REQUESTS	64
#define TURN_BYTES	(4U << 20)
#define STACK_SIZE	(128U << 10)	/* locked in memory: keep it small */

#define NS_PER_MS	1000000ULL
/* Before a request is tried again: what is busy may soon not be. */
#define RETRY_BUSY_MS	10
#define RETRY_MS	1000

struct server_request {
	struct server_queue *queue;
	struct blktap_request ring;
	struct image_request *io;
	bool busy;		/* with the image, or to be tried again */
	uint64_t taken;		/* nanoseconds */
	struct list link;	/* in the server's retries */
	uint64_t due;		/* nanoseconds */
};

/* An answer that the kernel has not got yet. */
struct server_answer {
	uint8_t op;
	int error;
	uint64_t bytes;
	uint64_t taken;
};

struct server_queue {
	struct server *server;
	struct blktap_queue *queue;
	struct queue_stats *stats;
	struct loop_fd event;
	struct server_request *requests;	/* by tag */
	char *io_memory;			/* their image_request, by tag */
	struct server_answer *answers;		/* posted, not yet entered */
	unsigned int nr_answers;
};

struct server {
	struct server_params params;
	unsigned int minor;
	struct loop *loop;
	bool threaded;
	pthread_t thread;
	struct image_channel *channel;
	struct server_queue *queues;
	unsigned int inflight;		/* with the image */
	uint64_t io_errors;
	uint64_t capacity;
	struct loop_task turn;		/* what a turn of the loop collected */
	struct list retries;
	struct loop_timer retry;
	bool draining, lost;
	unsigned int drain;		/* the one under way */
	unsigned int heard;		/* the owner's: the last drain that it was told of */

	/* Between the owner and the thread; each is written by one of them. */
	atomic_bool failing;
	atomic_uint wanted;		/* odd: drain; counts the changes of mind */
	atomic_uint reached;		/* the drain that was reached */
	atomic_uint_least64_t new_capacity;
	atomic_int lost_code;
	struct loop_message change, stop, was_drained, was_lost;
};

static void run_turn_later(struct server *server)
{
	loop_defer(server->loop, &server->turn);
}

/* ------------------------------------------------------------------ answers */

static const char *op_name(uint8_t op)
{
	static const char *const names[] = {
		[BLKTAP_OP_READ] = "read",
		[BLKTAP_OP_WRITE] = "write",
		[BLKTAP_OP_FLUSH] = "flush",
		[BLKTAP_OP_DISCARD] = "discard",
		[BLKTAP_OP_WRITE_ZEROES] = "write zeroes",
	};

	return op < ARRAY_SIZE(names) ? names[op] : "unknown request";
}

/* The first, the second, the fourth, … so that a bad disk does not fill the log. */
static void log_error(struct server *server, const struct blktap_request *req, int error)
{
	uint64_t count = ++server->io_errors;

	if (count & (count - 1))
		return;
	blktap_log(LOG_ERR, "tapdev%u: %s of %llu bytes at %llu: %s (%llu so far)", server->minor,
		   op_name(req->op), (unsigned long long)req->length,
		   (unsigned long long)req->offset, strerror(-error),
		   (unsigned long long)count);
}

static void post(struct server_queue *queue, const struct blktap_request *req, int error,
		 uint64_t taken)
{
	if (error && error != -EOPNOTSUPP)
		log_error(queue->server, req, error);
	queue->answers[queue->nr_answers++] = (struct server_answer){
		.op = req->op,
		.error = error,
		.bytes = req->length,
		.taken = taken,
	};
	blktap_queue_complete(queue->queue, req, error ? error : (int64_t)req->length);
	run_turn_later(queue->server);
}

static void count_answers(struct server_queue *queue)
{
	uint64_t now = loop_now();
	unsigned int i;

	for (i = 0; i < queue->nr_answers; i++) {
		const struct server_answer *a = &queue->answers[i];

		stats_answer(queue->stats, a->op, a->bytes, a->error, now - a->taken);
	}
	stats_add(&queue->stats->handovers, 1);
	queue->nr_answers = 0;
}

static int enter(struct server_queue *queue)
{
	int ret = blktap_queue_enter(queue->queue, false, 0);

	if (!ret)
		count_answers(queue);
	if (ret != -EINTR && ret != -EBUSY)
		return ret;
	run_turn_later(queue->server);
	return 0;
}

/* Hands answers to the kernel; a negative errno if the session has ended. */
static int enter_all(struct server *server)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < server->params.count && !ret; i++)
		if (server->queues[i].nr_answers)
			ret = enter(&server->queues[i]);
	return ret;
}

static bool all_entered(const struct server *server)
{
	unsigned int i;

	for (i = 0; i < server->params.count; i++)
		if (server->queues[i].nr_answers)
			return false;
	return true;
}

/* -------------------------------------------------------------- trying again */

static bool is_temporary(int error)
{
	return error == -EAGAIN || error == -EBUSY || error == -EINTR;
}

static void set_retry_timer(struct server *server)
{
	uint64_t now = loop_now(), earliest = UINT64_MAX;
	struct server_request *r;

	list_for_each(r, &server->retries, link)
		if (r->due < earliest)
			earliest = r->due;
	if (earliest != UINT64_MAX)
		loop_timer_set(server->loop, &server->retry,
			       earliest > now ? (earliest - now) / NS_PER_MS + 1 : 0);
}

/* False: its time is over. */
static bool retry_later(struct server_request *r, int error)
{
	struct server *server = r->queue->server;
	uint64_t now = loop_now();

	r->due = now + (error == -EBUSY ? RETRY_BUSY_MS : RETRY_MS) * NS_PER_MS;
	if (r->due - r->taken > server->params.request_timeout_ms * NS_PER_MS)
		return false;
	list_add_tail(&server->retries, &r->link);
	set_retry_timer(server);
	return true;
}

static void request_over(struct server_request *r, int error)
{
	r->busy = false;
	r->queue->server->inflight--;
	post(r->queue, &r->ring, error, r->taken);
}

/* Requests fail, or have failed: there is nothing to be tried again. */
static bool is_hopeless(const struct server *server)
{
	return server->lost || server->failing;
}

static void request_done(struct image_request *io, int error)
{
	struct server_request *r = io->owner;

	if (!is_temporary(error) || is_hopeless(r->queue->server) || !retry_later(r, error))
		request_over(r, error);
}

static void fail_retries(struct server *server)
{
	while (!list_empty(&server->retries)) {
		struct server_request *r = list_first(&server->retries, struct server_request,
						      link);

		list_del(&r->link);
		request_over(r, -EIO);
	}
}

/* ----------------------------------------------------------------- requests */

static int check_range(const struct server *server, const struct blktap_request *req)
{
	uint32_t mask = server->params.image->limits.logical_block_size - 1;

	if (!req->length || (req->offset & mask) || (req->length & mask))
		return -EINVAL;
	if (req->offset > server->capacity || req->length > server->capacity - req->offset)
		return -EIO;
	return 0;
}

static int check_flags(const struct blktap_request *req)
{
	uint16_t known = 0;

	if (req->op == BLKTAP_OP_WRITE)
		known = BLKTAP_REQ_FUA;
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
static int check_request(const struct server *server, const struct blktap_request *req)
{
	int ret = check_flags(req);

	if (server->failing || !server->params.image)
		return -EIO;
	if (ret || req->op == BLKTAP_OP_FLUSH)
		return ret;
	ret = check_range(server, req);
	return ret ? ret : check_op(req, server->params.image);
}

static void give_to_image(struct server_request *r)
{
	struct server *server = r->queue->server;
	struct image_request *io = r->io;

	io->op = r->ring.op;
	io->flags = r->ring.flags;
	io->offset = r->ring.offset;
	io->length = r->ring.length;
	io->data = r->ring.data;
	io->done = request_done;
	io->owner = r;
	server->params.image->driver->submit(server->channel, io);
}

static void submit(struct server_queue *queue, const struct blktap_request *req, uint64_t now)
{
	struct server_request *r = &queue->requests[req->tag];

	r->ring = *req;
	r->busy = true;
	r->taken = now;
	queue->server->inflight++;
	give_to_image(r);
}

static void retry_fired(struct loop_timer *timer)
{
	struct server *server = container_of(timer, struct server, retry);
	uint64_t now = loop_now();
	struct server_request *r;
	struct list all;

	list_take(&all, &server->retries);
	while (!list_empty(&all)) {
		r = list_first(&all, struct server_request, link);
		list_del(&r->link);
		if (r->due > now)
			list_add_tail(&server->retries, &r->link);
		else
			give_to_image(r);
	}
	set_retry_timer(server);
	run_turn_later(server);
}

static void handle_request(struct server_queue *queue, const struct blktap_request *req,
			   uint64_t now)
{
	int error = check_request(queue->server, req);

	/* A tag that is still with the image would be two requests in one memory. */
	if (!error && queue->requests[req->tag].busy)
		error = -EIO;
	if (error)
		post(queue, req, error, now);
	else
		submit(queue, req, now);
}

/* True and a request, or false when the queue is empty and will wake us. */
static bool next_request(struct server_queue *queue, struct blktap_request *req)
{
	/* Each has room for its answer, whatever the kernel says. */
	if (queue->nr_answers >= blktap_ring_depth(queue->server->params.ring))
		return false;
	do {
		if (blktap_queue_next(queue->queue, req))
			return true;
	} while (!blktap_queue_arm(queue->queue));
	return false;
}

static void session_lost(struct server *server, int code);

static void take_requests(struct server_queue *queue)
{
	uint64_t bytes = 0, now = 0;
	struct blktap_request req;
	unsigned int count;

	for (count = 0; count < TURN_REQUESTS && bytes < TURN_BYTES; count++) {
		if (!next_request(queue, &req))
			break;
		if (!count)
			now = loop_now();
		if (req.data)
			bytes += req.length;
		handle_request(queue, &req, now);
	}
	if (!count) {
		if (blktap_queue_enter(queue->queue, false, 0) == -EPROTO)
			session_lost(queue->server, -EPROTO);
		return;
	}
	stats_add(&queue->stats->taken, count);
	stats_add(&queue->stats->wakeups, 1);
	run_turn_later(queue->server);
}

static void queue_ready(struct loop_fd *event, uint32_t events)
{
	struct server_queue *queue = container_of(event, struct server_queue, event);

	if (events & (EPOLLERR | EPOLLHUP))
		session_lost(queue->server, -ENODEV);
	else
		take_requests(queue);
}

/* ------------------------------------------------------ draining and going on */

static void mute(struct server *server)
{
	unsigned int i;

	for (i = 0; i < server->params.count; i++)
		loop_remove(server->loop, &server->queues[i].event);
}

static int listen_to_queues(struct server *server)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < server->params.count && !ret; i++)
		if (!server->queues[i].event.added)
			ret = loop_add(server->loop, &server->queues[i].event, EPOLLIN);
	return ret;
}

static void session_lost(struct server *server, int code)
{
	if (server->lost)
		return;
	server->lost = true;
	mute(server);
	fail_retries(server);
	server->lost_code = code;
	loop_post(server->params.owner, &server->was_lost);
}

static void report_drained(struct server *server)
{
	if (!server->draining || server->inflight || (!server->lost && !all_entered(server)))
		return;
	server->draining = false;
	server->reached = server->drain;
	loop_post(server->params.owner, &server->was_drained);
}

/* Not from within a handler of the image or the queues. */
static void run_turn(struct loop_task *task)
{
	struct server *server = container_of(task, struct server, turn);
	int ret;

	if (server->channel && server->params.image->driver->kick)
		server->params.image->driver->kick(server->channel);
	ret = server->lost ? 0 : enter_all(server);
	if (ret)
		session_lost(server, ret);
	report_drained(server);
}

/* The owner has changed its mind, perhaps more than once. */
static void change(struct loop_message *message)
{
	struct server *server = container_of(message, struct server, change);
	unsigned int wanted = server->wanted;

	if (is_hopeless(server))
		fail_retries(server);
	server->draining = wanted & 1;
	server->drain = wanted;
	if (server->draining) {
		mute(server);
		run_turn_later(server);
		return;
	}
	server->capacity = server->new_capacity;
	if (!server->lost && listen_to_queues(server))
		session_lost(server, -ENOMEM);
}

static void was_drained(struct loop_message *message)
{
	struct server *server = container_of(message, struct server, was_drained);
	unsigned int wanted = server->wanted;

	/* Of a drain that was given up, this is old news. */
	if (server->reached != wanted || !(wanted & 1))
		return;
	/* The message of an older drain may have told already, in place of this one. */
	if (server->heard == wanted)
		return;
	server->heard = wanted;
	server->params.drained(server->params.data);
}

static void was_lost(struct loop_message *message)
{
	struct server *server = container_of(message, struct server, was_lost);

	server->params.lost(server->params.data, server->lost_code);
}

void server_drain(struct server *server)
{
	server->wanted += 1 + (server->wanted & 1);
	loop_post(server->loop, &server->change);
}

void server_resume(struct server *server, uint64_t capacity)
{
	server->new_capacity = capacity;
	server->wanted += 2 - (server->wanted & 1);
	loop_post(server->loop, &server->change);
}

void server_fail_requests(struct server *server)
{
	server->failing = true;
	loop_post(server->loop, &server->change);
}

/* ----------------------------------------------------------- start and stop */

static int set_up_queue(struct server *server, unsigned int index)
{
	unsigned int depth = blktap_ring_depth(server->params.ring), i;
	struct server_queue *queue = &server->queues[index];
	struct image *image = server->params.image;
	size_t size = image ? (image->driver->request_size + 15) / 16 * 16 : 16;

	queue->server = server;
	queue->queue = blktap_ring_queue(server->params.ring, server->params.first + index);
	queue->stats = &server->params.stats[server->params.first + index];
	queue->event.fd = blktap_queue_fd(queue->queue);
	queue->event.ready = queue_ready;
	queue->requests = calloc(depth, sizeof(*queue->requests));
	queue->io_memory = calloc(depth, size);
	/* Those of all tags, and as many that were refused. */
	queue->answers = calloc(2 * depth, sizeof(*queue->answers));
	if (!queue->requests || !queue->io_memory || !queue->answers)
		return -ENOMEM;
	for (i = 0; i < depth; i++) {
		queue->requests[i].queue = queue;
		queue->requests[i].io = (void *)(queue->io_memory + i * size);
		list_init(&queue->requests[i].link);
	}
	return 0;
}

static int set_up_queues(struct server *server)
{
	unsigned int i;
	int ret = 0;

	server->queues = calloc(server->params.count, sizeof(*server->queues));
	if (!server->queues)
		return -ENOMEM;
	for (i = 0; i < server->params.count && !ret; i++)
		ret = set_up_queue(server, i);
	return ret;
}

static int set_up_channel(struct server *server, struct blktap_error *err)
{
	struct image *image = server->params.image;
	struct channel_params params = {
		.loop = server->loop,
		.requests = server->params.count * blktap_ring_depth(server->params.ring),
		.minor = server->minor,
	};

	if (!image)
		return 0;
	return image->driver->channel_open(&server->channel, image, &params, err);
}

static void *thread_main(void *data)
{
	struct server *server = data;
	int ret = loop_run(server->loop);

	if (ret)
		blktap_log(LOG_CRIT, "tapdev%u: its event loop failed: %s", server->minor,
			   strerror(-ret));
	return NULL;
}

/* Signals belong to the main thread. */
static int create_thread(struct server *server)
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
	ret = pthread_create(&server->thread, &attr, thread_main, server);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -ret;
}

static void stop(struct loop_message *message)
{
	loop_stop(container_of(message, struct server, stop)->loop);
}

static void free_queues(struct server *server)
{
	unsigned int i;

	for (i = 0; server->queues && i < server->params.count; i++) {
		free(server->queues[i].requests);
		free(server->queues[i].io_memory);
		free(server->queues[i].answers);
	}
	free(server->queues);
}

/* What belongs to the loop goes before the loop. */
static void take_down(struct server *server)
{
	if (server->queues)
		mute(server);
	loop_task_cancel(&server->turn);
	loop_timer_cancel(&server->retry);
	if (server->channel)
		server->params.image->driver->channel_close(server->channel);
	/* A loss that the owner has not heard of: its ring, or the next server, tells it. */
	loop_unpost(server->params.owner, &server->was_lost);
	loop_unpost(server->params.owner, &server->was_drained);
	if (server->loop == server->params.owner)
		loop_unpost(server->loop, &server->change);
	else
		loop_free(server->loop);
	free_queues(server);
	free(server);
}

void server_free(struct server *server)
{
	if (!server)
		return;
	if (server->threaded) {
		loop_post(server->loop, &server->stop);
		pthread_join(server->thread, NULL);
	}
	take_down(server);
}

bool server_threaded(const struct server *server)
{
	return server->threaded;
}

static int set_up(struct server *server, struct blktap_error *err)
{
	int ret;

	server->minor = blktap_ring_minor(server->params.ring);
	server->capacity = server->params.capacity;
	server->new_capacity = server->params.capacity;
	list_init(&server->retries);
	loop_task_init(&server->turn, run_turn);
	loop_timer_init(&server->retry, retry_fired);
	loop_message_init(&server->change, change);
	loop_message_init(&server->stop, stop);
	loop_message_init(&server->was_drained, was_drained);
	loop_message_init(&server->was_lost, was_lost);
	server->loop = server->params.owner;
	ret = server->params.thread ? loop_new(&server->loop) : 0;
	if (!ret)
		ret = set_up_queues(server);
	if (ret)
		return blktap_error_set(err, ret, "cannot serve tapdev%u: %s", server->minor,
					strerror(-ret));
	ret = set_up_channel(server, err);
	if (ret)
		return ret;
	ret = listen_to_queues(server);
	if (!ret && server->params.thread) {
		ret = create_thread(server);
		server->threaded = !ret;
	}
	if (ret)
		blktap_error_set(err, ret, "cannot serve tapdev%u: no thread: %s", server->minor,
				 strerror(-ret));
	return ret;
}

int server_start(struct server **server, const struct server_params *params,
		 struct blktap_error *err)
{
	struct server *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return blktap_error_set(err, -ENOMEM, "no memory to serve a disk");
	new->params = *params;
	ret = set_up(new, err);
	if (ret)
		take_down(new);
	else
		*server = new;
	return ret;
}

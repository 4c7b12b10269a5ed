// SPDX-License-Identifier: GPL-2.0-only
/* Rings: requests that are served, and completions of all kinds. */
#include "fuzz_daemon.h"
#include "fuzz_fault.h"
#include "fuzz_value.h"

#include <signal.h>
#include <string.h>

/* ------------------------------------------------------------------- as it should be */

static void serve_queue(struct ring_queue *q, struct fuzz_shared *shared)
{
	struct ring_request req;
	unsigned int most = 2 * q->ring->at.depth;

	/* What it reads may have been scribbled on: no more than makes sense. */
	while (most-- && ring_next(q, &req)) {
		ring_complete(q, &req, req.desc.length);
		__atomic_fetch_add(&shared->served, 1, __ATOMIC_RELAXED);
	}
	ring_arm(q);
	ring_enter(q, BLKTAP_ENTER_WAIT, 500000, NULL);
}

static void look_for_disk(struct fuzz_daemon *d)
{
	struct blktap_state state;

	if (!d->shared->live && !ring_state(d->ring.fd, &state) &&
	    state.disk_state == BLKTAP_DISK_STATE_LIVE)
		d->shared->live = true;
}

/* Arguments: for how many milliseconds, the only queue. */
FUZZ_RUN(fuzz_serve)
{
	unsigned int turns = 4 + args[0] % 64, i;

	(void)call;
	for (; turns && d->ring.at.queues; turns--)
		for (i = 0; i < d->ring.at.queues; i++)
			if (!args[1] || args[1] % d->ring.at.queues == i)
				serve_queue(&d->ring.queues[i], d->shared);
	look_for_disk(d);
}

/* --------------------------------------------------------------- as it should not be */

/* Takes what has come, for completions of all kinds. */
static void take(struct fuzz_daemon *d, struct ring_queue *q)
{
	struct ring_request req;
	unsigned int tries;

	for (tries = 0; tries < 8; tries++) {
		while (d->nr_pending < FUZZ_PENDING && ring_next(q, &req)) {
			d->pending_of[d->nr_pending] = q;
			d->pending[d->nr_pending++] = req;
			tries = 8;
		}
		if (tries < 8)
			ring_enter(q, BLKTAP_ENTER_WAIT, 500000, NULL);
	}
	ring_arm(q);
}

/* The request that arg 0 and 1 are about; it stays known after its completion, to be stale. */
static struct ring_request *aim(struct fuzz_daemon *d, const uint8_t *args, struct ring_queue **q)
{
	struct ring_request *req;

	*q = fuzz_pick_queue(d, args[0]);
	if (!*q)
		return NULL;
	if (d->nr_pending == FUZZ_PENDING)
		d->nr_pending = 0;
	take(d, *q);
	req = fuzz_pick_request(d, args[1]);
	/* Now and then, that of another queue. */
	if (req && !fuzz_is_odd(args[0]))
		*q = d->pending_of[req - d->pending];
	return req;
}

/* How most arguments below change a value that would be right. */
static uint64_t twist(uint64_t right, uint8_t arg)
{
	if (fuzz_is_odd(arg))
		return fuzz_odd(arg);
	switch (arg % 16) {
	case 13:
		return right + 1;
	case 14:
		return right - 1;
	case 15:
		return right ^ (1ULL << (arg / 16));
	}
	return right;
}

/* Arguments: queue, request, tag, generation, type, flags, result, fragment, fragments, reserved. */
FUZZ_RUN(fuzz_complete)
{
	struct ring_queue *q;
	struct ring_request *req = aim(d, args, &q);
	struct blktap_cqe *cqe;

	(void)call;
	if (!req)
		return;
	cqe = ring_cqe(q);
	cqe->tag = twist(req->tag, args[2]);
	cqe->generation = twist(req->desc.generation, args[3]);
	cqe->type = twist(BLKTAP_CQE_DONE, args[4]);
	cqe->flags = twist(0, args[5]);
	cqe->result = args[6] % 8 == 7 ? -(long)args[6] : (int64_t)twist(req->desc.length, args[6]);
	cqe->fragment = twist(0, args[7]);
	cqe->fragments = twist(0, args[8]);
	cqe->reserved = twist(0, args[9]);
	ring_post(q);
	if (args[10] % 2 == 0)
		ring_enter(q, 0, 0, NULL);
}

/* Doubled: the last completions once more. Arguments: queue, how many. */
FUZZ_RUN(fuzz_again)
{
	struct ring_queue *q = fuzz_pick_queue(d, args[0]);

	(void)call;
	if (!q)
		return;
	q->cq_tail += args[1] % q->ring->at.cq_entries;
	ring_post(q);
	ring_enter(q, 0, 0, NULL);
}

/* Arguments: queue, request, result, first, how many, and those that fragments are made of. */
FUZZ_RUN(fuzz_redirect)
{
	struct ring_queue *q;
	struct ring_request *req = aim(d, args, &q);
	unsigned int nr = 1 + args[4] % 5, i;
	struct blktap_cqe *cqe;

	(void)call;
	if (!req || !d->ring.at.fragments)
		return;
	for (i = 0; i < nr; i++) {
		struct blktap_fragment *f = ring_fragment(q, i);
		const uint8_t *more = args + 5 + i % 2 * 5;

		f->type = twist(more[0] % 3, more[0]);
		f->length = twist(req->desc.length / nr & ~511ULL, more[1]);
		if (i == nr - 1 && !more[1])
			f->length = req->desc.length - (nr - 1) * f->length;
		if (f->type == BLKTAP_FRAGMENT_FILE)
			f->file = twist(more[2] % 4, more[2]);
		if (f->type != BLKTAP_FRAGMENT_ZERO)
			f->offset = twist(more[3] * 4096ULL, more[3]);
		f->reserved = twist(0, more[4]);
	}
	cqe = ring_cqe(q);
	cqe->tag = req->tag;
	cqe->type = BLKTAP_CQE_REDIRECT;
	cqe->generation = req->desc.generation;
	cqe->result = twist(req->desc.length, args[2]);
	cqe->fragment = fuzz_is_odd(args[3]) ? fuzz_odd(args[3]) : 0;
	cqe->fragments = fuzz_is_odd(args[4]) ? fuzz_odd(args[4]) : nr;
	ring_post(q);
	ring_enter(q, 0, 0, NULL);
}

/* What the daemon tells of where it is. Arguments: queue, which, value. */
FUZZ_RUN(fuzz_index)
{
	struct ring_queue *q = fuzz_pick_queue(d, args[0]);
	uint32_t value = fuzz_odd(args[2]);

	(void)call;
	if (!q)
		return;
	switch (args[1] % 5) {
	case 0:
		q->cq->cq_tail += value;
		break;
	case 1:
		q->cq->cq_tail = value;
		break;
	case 2:
		q->cq->sq_head = value;
		break;
	case 3:
		q->cq->sq_event = value;
		break;
	case 4:
		q->sq_head -= args[2] % 8;	/* takes stale entries again */
		break;
	}
	if (args[3] % 2)
		ring_enter(q, 0, 0, NULL);
}

static void scribble(char *at, size_t bytes, uint64_t seed)
{
	struct fuzz_random random = { seed };
	unsigned int i;

	for (i = 0; i < 64; i++)
		at[fuzz_random(&random, bytes)] = fuzz_random(&random, 256);
}

/* Arguments: queue, seed, whether only entries or all of the area. */
FUZZ_RUN(fuzz_scribble)
{
	struct ring_queue *q = fuzz_pick_queue(d, args[0]);
	size_t from;

	(void)call;
	if (!q)
		return;
	from = args[2] % 4 ? q->ring->at.cqe_offset : 0;
	scribble((char *)q->cq + from, q->ring->at.cq_area_bytes - from, args[1]);
	if (args[3] % 2)
		ring_enter(q, 0, 0, NULL);
}

/* -------------------------------------------------------------------------- threads */

struct racer {
	struct fuzz_daemon *d;
	uint8_t kind, queue;
};

/* Rewrites entries while another thread is in ENTER, between right ones and wrong ones. */
static void rewrite(struct ring_queue *q, unsigned int turn)
{
	const struct blktap_attach *at = &q->ring->at;
	struct blktap_cqe *cqes = (void *)((char *)q->cq + at->cqe_offset);
	struct blktap_cqe *cqe = &cqes[turn % at->cq_entries];
	struct blktap_fragment *f = (void *)((char *)q->cq + at->fragment_offset);

	__atomic_fetch_xor((uint64_t *)cqe, 1ULL << (turn % 40), __ATOMIC_RELAXED);
	__atomic_fetch_xor((uint64_t *)&cqe->result, 0x200, __ATOMIC_RELAXED);
	if (at->fragments) {
		f += turn % 4;
		__atomic_fetch_xor(&f->offset, 1ULL << (turn % 64), __ATOMIC_RELAXED);
		__atomic_fetch_xor(&f->length, 0x200, __ATOMIC_RELAXED);
		__atomic_fetch_xor(&f->file, 1, __ATOMIC_RELAXED);
	}
}

static void race_once(struct racer *racer, unsigned int turn)
{
	struct ring_queue *q = fuzz_pick_queue(racer->d, racer->queue);

	if (!q)
		return;
	switch (racer->kind) {
	case 0:
		serve_queue(q, racer->d->shared);
		break;
	case 1:
		rewrite(q, turn);
		break;
	case 2:
		ring_enter(q, turn & 1, 200000, NULL);
		break;
	case 3:
		q->cq->cq_tail++;
		ring_enter(q, 0, 0, NULL);
		break;
	case 4:
		q->buffer[turn * 4096ULL % q->ring->at.buffer_area_bytes]++;
		break;
	}
}

static void *race(void *arg)
{
	struct racer *racer = arg;
	volatile unsigned int turn;

	fuzz_cover_begin(&racer->d->shared->cover);
	for (turn = 0;; turn++) {
		FUZZ_GUARDED(race_once(racer, turn));
		fuzz_cover_fold();
		if (turn % 64 == 0)
			fuzz_nap(200);
	}
	return NULL;
}

/* Arguments: what it does until the end, queue. */
FUZZ_RUN(fuzz_thread)
{
	static struct racer racers[FUZZ_THREADS];
	struct racer *racer = &racers[d->nr_threads];
	sigset_t set, old;

	(void)call;
	if (d->nr_threads == FUZZ_THREADS)
		return;
	*racer = (struct racer){ d, args[0] % 5, args[1] };
	/* The signal that interrupts waiting is for the main thread. */
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	if (!pthread_create(&d->threads[d->nr_threads], NULL, race, racer))
		d->nr_threads++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * For each VBD of the other tapdisk: attach as the successor of its session, have
 * it offered, adopt it, have it handed over, start. The driver decides which of the two
 * a disk belongs to, whatever happens to either of them or to what they say: see
 * vbd-handover.c.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "cleanup.h"
#include "offer.h"
#include "peer.h"
#include "takeover.h"

/* For an answer that waits for nothing. */
#define ASK_MS		10000
/* For one that says what took too long. */
#define MARGIN_MS	2000
/* For the other tapdisk to leave. */
#define LEAVE_MS	5000
/* Between its connection and its session ends one that was killed. */
#define DEATH_MS	5000
#define RETRY_MS	20
#define NS_PER_MS	1000000ULL

struct takeover {
	struct tapdisk *tapdisk;
	pid_t pid;
	struct peer *peer;
	bool asking;			/* an answer is waited for */
	uint64_t deadline;		/* nanoseconds; UINT64_MAX: none */
	unsigned int *minors;		/* all that have been listed */
	size_t count, taken;
	struct vbd *vbd;		/* the next; NULL: none yet */
	unsigned int retries;		/* of its start */
	bool leaving;			/* it has nothing left */
	bool cancelled;
	struct blktap_error failure;	/* code 0: none yet */
	struct loop_task task;
	void (*step)(struct takeover *takeover);
	struct loop_timer retry;
	takeover_done done;
	void *data;
};

static void give_up(struct takeover *t);
static void is_here(struct takeover *t);

/* Not from within a callback: VBDs and the connection may go. */
static void go(struct takeover *t, void (*step)(struct takeover *t))
{
	t->step = step;
	loop_defer(t->tapdisk->loop, &t->task);
}

static void run_step(struct loop_task *task)
{
	struct takeover *t = container_of(task, struct takeover, task);

	/* What is here stays here. */
	if (t->cancelled && t->step != is_here)
		t->step = give_up;
	t->step(t);
}

/* The first failure is what counts. */
static void fail(struct takeover *t, const struct blktap_error *err)
{
	if (!t->failure.code)
		t->failure = *err;
	go(t, give_up);
}

static int time_left(const struct takeover *t)
{
	uint64_t now = loop_now();

	if (t->deadline == UINT64_MAX)
		return -1;
	return t->deadline > now ? (t->deadline - now) / NS_PER_MS : 0;
}

static json_t *next_minor(const struct takeover *t)
{
	return json_pack("{s:i}", "minor", (int)t->minors[t->taken]);
}

/* -------------------------------------------------------------------- asking */

static void ask(struct takeover *t, const char *method, json_t *params, int timeout_ms,
		peer_answered answered)
{
	t->asking = true;
	peer_ask(t->peer, method, params, timeout_ms, answered, t);
}

/* Something that is answered at once. */
static void ask_shortly(struct takeover *t, const char *method, json_t *params,
			peer_answered answered)
{
	int left = time_left(t);

	ask(t, method, params, left < 0 || left > ASK_MS ? ASK_MS : left, answered);
}

/* Whether there is an answer to go on with. */
static bool is_answered(struct takeover *t, const struct blktap_error *err)
{
	struct blktap_error silent;

	t->asking = false;
	if (!err)
		return true;
	if (err->code == -ETIMEDOUT || err->code == -EPIPE) {
		blktap_error_set(&silent, err->code, "%.200s; if it hangs or is gone, 'tap-ctl "
				 "recover' gives its disks another", err->text);
		err = &silent;
	}
	fail(t, err);
	return false;
}

/* ------------------------------------------------------------ rings, passed */

struct passed_ring {
	struct list link;
	unsigned int minor;
	int fd;
};

int takeover_pass_ring(struct tapdisk *tapdisk, unsigned int minor, int fd)
{
	struct passed_ring *ring = malloc(sizeof(*ring));

	if (!ring) {
		close(fd);
		return -ENOMEM;
	}
	*ring = (struct passed_ring){ .minor = minor, .fd = fd };
	list_add_tail(&tapdisk->rings, &ring->link);
	return 0;
}

static int forget_ring(struct passed_ring *ring)
{
	int fd = ring->fd;

	list_del(&ring->link);
	free(ring);
	return fd;
}

/* -1: it was not passed. */
static int take_ring(struct tapdisk *tapdisk, unsigned int minor)
{
	struct passed_ring *ring;

	list_for_each(ring, &tapdisk->rings, link)
		if (ring->minor == minor)
			return forget_ring(ring);
	return -1;
}

void takeover_drop_rings(struct tapdisk *tapdisk)
{
	while (!list_empty(&tapdisk->rings))
		close(forget_ring(list_first(&tapdisk->rings, struct passed_ring, link)));
}

/* ------------------------------------------------------------------- the end */

/* "tapdev0-3, 7": as many as there is room for. */
static void name_disks(char *text, size_t size, const unsigned int *minors, size_t count)
{
	size_t used = snprintf(text, size, "tapdev"), first, i;

	for (i = 0; i < count && used < size; i++) {
		for (first = i; i + 1 < count && minors[i + 1] == minors[i] + 1; i++)
			;
		used += snprintf(text + used, size - used, "%s%u", first ? ", " : "",
				 minors[first]);
		if (i > first && used < size)
			used += snprintf(text + used, size - used, "-%u", minors[i]);
	}
}

static void tell_what_is_where(struct takeover *t)
{
	char here[96], there[96];
	struct blktap_error why = t->failure;

	if (!t->taken)
		return;
	name_disks(here, sizeof(here), t->minors, t->taken);
	if (t->taken == t->count) {
		blktap_error_set(&t->failure, why.code, "%.200s; %s moved to tapdisk %d", why.text,
				 here, (int)getpid());
		return;
	}
	name_disks(there, sizeof(there), t->minors + t->taken, t->count - t->taken);
	blktap_error_set(&t->failure, why.code, "%.200s; %s moved to tapdisk %d, %s did not",
			 why.text, here, (int)getpid(), there);
}

static void finish(struct takeover *t)
{
	struct tapdisk *tapdisk = t->tapdisk;

	if (t->failure.code) {
		tell_what_is_where(t);
		blktap_log(LOG_ERR, "takeover from tapdisk %d: %s", (int)t->pid, t->failure.text);
	} else {
		blktap_log(LOG_INFO, "takeover from tapdisk %d: all %zu taps are here", (int)t->pid,
			   t->taken);
	}
	peer_free(t->peer);
	loop_timer_cancel(&t->retry);
	loop_task_cancel(&t->task);
	takeover_drop_rings(tapdisk);
	t->done(t->data, t->failure.code ? &t->failure : NULL);
	free(t->minors);
	free(t);
	tapdisk_takeover_over(tapdisk);
}

static void disowned(struct vbd *vbd, void *data, const struct blktap_error *err)
{
	(void)vbd;
	(void)err;
	go(data, give_up);
}

/* The other one takes back what it has offered when we hang up. */
static void give_up(struct takeover *t)
{
	struct vbd *vbd = t->vbd;

	peer_free(TAKE_POINTER(t->peer));
	loop_timer_cancel(&t->retry);
	if (!vbd) {
		finish(t);
	} else if (vbd->state == VBD_ADOPTED) {
		vbd_disown(vbd, disowned, t);
	} else if (vbd->state == VBD_IDLE) {
		vbd_free(TAKE_POINTER(t->vbd));
		finish(t);
	}
	/* Else its session is lost, and it will soon be gone. */
}

void takeover_lost(struct takeover *t, struct vbd *vbd)
{
	struct blktap_error err;

	blktap_error_set(&err, -EIO, "the driver has ended the session of tapdev%u", vbd->minor);
	vbd_free(vbd);
	t->vbd = NULL;
	fail(t, &err);
}

void takeover_cancel(struct takeover *t, const char *why)
{
	if (t->leaving)
		return;
	if (!t->failure.code)
		blktap_error_set(&t->failure, -ECANCELED, "the takeover from tapdisk %d was given "
				 "up: %s", (int)t->pid, why);
	t->cancelled = true;
	/* Otherwise something of our own ends soon. */
	if (t->asking || loop_timer_active(&t->retry))
		go(t, give_up);
}

/* ------------------------------------------------------------------ each VBD */

static void take_next(struct takeover *t);
static void start(struct takeover *t);

static void is_here(struct takeover *t)
{
	tapdisk_adopt(t->tapdisk, TAKE_POINTER(t->vbd));
	t->taken++;
	if (!t->cancelled)
		t->failure.code = 0;
	go(t, take_next);
}

/* One that died holds nothing back, but its session may take a moment to end. */
static void started(struct vbd *vbd, void *data, const struct blktap_error *err)
{
	struct takeover *t = data;

	if (!err)
		go(t, is_here);
	else if (vbd->state == VBD_ADOPTED && t->retries && !t->cancelled)
		loop_timer_set(t->tapdisk->loop, &t->retry, RETRY_MS);
	else
		fail(t, err);
}

static void retry_fired(struct loop_timer *timer)
{
	struct takeover *t = container_of(timer, struct takeover, retry);

	t->retries--;
	go(t, start);
}

static void start(struct takeover *t)
{
	vbd_take_on(t->vbd, started, t);
}

static void got_disk(void *data, json_t *result, const struct blktap_error *err)
{
	struct takeover *t = data;
	bool died = err && err->code == -EPIPE;

	(void)result;
	if (!is_answered(t, err) && !died)
		return;
	t->retries = died ? DEATH_MS / RETRY_MS : 0;
	/* One without a disk changes hands by the end of its session. */
	go(t, t->vbd->state == VBD_IDLE ? is_here : start);
}

static void ask_for_disk(struct takeover *t)
{
	json_t *params = next_minor(t);
	int left = time_left(t);

	if (left >= 0)
		json_object_set_new(params, "timeout_ms", json_integer(left));
	ask(t, "hand_over", params, left < 0 ? -1 : left + MARGIN_MS, got_disk);
}

static void adopted(struct vbd *vbd, void *data, const struct blktap_error *err)
{
	(void)vbd;
	if (err)
		fail(data, err);
	else
		go(data, ask_for_disk);
}

static void close_all(const int *fds, unsigned int count)
{
	while (count)
		close(fds[--count]);
}

static void got_offer(void *data, json_t *result, const struct blktap_error *err)
{
	int fds[IMAGE_MAX_FILES];
	struct takeover *t = data;
	struct vbd_offer offer;
	struct blktap_error bad;
	unsigned int count;

	if (!is_answered(t, err))
		return;
	count = peer_take_descriptors(t->peer, fds);
	if (offer_decode(result, &offer, &bad)) {
		close_all(fds, count);
		fail(t, &bad);
	} else if (offer.image) {
		vbd_adopt(t->vbd, &offer, fds, count, time_left(t), adopted, t);
	} else {
		close_all(fds, count);
		t->vbd->closed = offer.closed;
		go(t, ask_for_disk);
	}
}

static void ask_for_list(struct takeover *t);

static int attach_next(struct takeover *t, struct blktap_error *err)
{
	unsigned int minor = t->minors[t->taken];

	return vbd_attach_takeover(&t->vbd, &t->tapdisk->guest_env, minor,
				   take_ring(t->tapdisk, minor), t->pid, err);
}

static void take_next(struct takeover *t)
{
	struct blktap_error err;

	if (!time_left(t)) {
		blktap_error_set(&err, -ETIMEDOUT, "the takeover from tapdisk %d takes too long",
				 (int)t->pid);
		fail(t, &err);
	} else if (t->taken == t->count) {
		ask_for_list(t);
	} else if (attach_next(t, &err)) {
		fail(t, &err);
	} else {
		ask_shortly(t, "offer", next_minor(t), got_offer);
	}
}

/* --------------------------------------------------------------------- all VBDs */

static bool is_listed(const struct takeover *t, unsigned int minor)
{
	size_t i;

	for (i = t->taken; i < t->count; i++)
		if (t->minors[i] == minor)
			return true;
	return false;
}

static int add_minor(struct takeover *t, const json_t *vbd)
{
	const json_t *member = json_object_get(vbd, "minor");
	json_int_t minor = json_integer_value(member);
	unsigned int *minors;

	if (!json_is_integer(member) || minor < 0 || minor > INT_MAX || is_listed(t, minor))
		return -EPROTO;
	/* It has not heard yet that this one has gone. */
	if (tapdisk_find(t->tapdisk, minor))
		return 0;
	minors = reallocarray(t->minors, t->count + 1, sizeof(*minors));
	if (!minors)
		return -ENOMEM;
	t->minors = minors;
	t->minors[t->count++] = minor;
	return 0;
}

/* It has nothing left but to leave; nobody waits for long until it does. */
static void has_left(void *data, json_t *result, const struct blktap_error *err)
{
	struct takeover *t = data;

	(void)result;
	(void)err;
	t->leaving = true;
	t->asking = false;
	go(t, finish);
}

static void nothing_left(struct takeover *t)
{
	struct blktap_error err;

	if (t->taken) {
		t->leaving = true;
		peer_await_end(t->peer, LEAVE_MS, has_left, t);
		return;
	}
	blktap_error_set(&err, -ENODEV, "tapdisk %d has no taps", (int)t->pid);
	fail(t, &err);
}

static void got_list(void *data, json_t *result, const struct blktap_error *err)
{
	struct takeover *t = data;
	json_t *vbd;
	size_t i;
	int ret = 0;

	/* The last one ends the process. */
	if (err && err->code == -EPIPE && t->taken) {
		has_left(t, NULL, NULL);
		return;
	}
	if (!is_answered(t, err))
		return;
	json_array_foreach(json_object_get(result, "vbds"), i, vbd)
		ret = ret ? ret : add_minor(t, vbd);
	if (ret) {
		struct blktap_error bad;

		blktap_error_set(&bad, ret, "the list of tapdisk %d cannot be used", (int)t->pid);
		fail(t, &bad);
	} else {
		go(t, t->taken == t->count ? nothing_left : take_next);
	}
}

/* A page at a time: what has been taken is not on the next. */
static void ask_for_list(struct takeover *t)
{
	ask_shortly(t, "list", NULL, got_list);
}

int takeover_start(struct tapdisk *tapdisk, pid_t pid, int fd, int timeout_ms,
		   takeover_done done, void *data, struct blktap_error *err)
{
	CLEANUP_CLOSE int passed = fd;
	struct takeover *t;
	int ret;

	if (tapdisk->takeover)
		return blktap_error_set(err, -EBUSY, "a takeover is under way already");
	if (pid == getpid())
		return blktap_error_set(err, -EINVAL, "tapdisk %d is this one", (int)pid);
	t = calloc(1, sizeof(*t));
	if (!t)
		return blktap_error_set(err, -ENOMEM, "no memory for a takeover");
	ret = peer_new(&t->peer, tapdisk->loop, pid, TAKE_FD(passed), err);
	if (ret) {
		free(t);
		return ret;
	}
	t->tapdisk = tapdisk;
	t->pid = pid;
	t->deadline = timeout_ms < 0 ? UINT64_MAX : loop_now() + timeout_ms * NS_PER_MS;
	t->done = done;
	t->data = data;
	loop_task_init(&t->task, run_step);
	loop_timer_init(&t->retry, retry_fired);
	tapdisk->takeover = t;
	blktap_log(LOG_INFO, "takeover from tapdisk %d", (int)pid);
	ask_for_list(t);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * From one session to the next: HOLD and RELEASE, the fence, a session that succeeds
 * another, a disk that goes although it is open.
 */
#include "disk_io.h"
#include "ktap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define DISK_SIZE (1 << 20)
#define PAGE 4096
#define QUIET_MS 300		/* that long nothing may come */
#define FEATURES (BLKTAP_F_HOLD | BLKTAP_F_TAKEOVER)

static struct nl nl;
static unsigned int minor;

/* Whether a request comes on the only queue within @ms. */
static bool comes(struct ring *ring, int ms)
{
	struct ring_queue *q = &ring->queues[0];
	struct pollfd p = { q->fd, POLLIN, 0 };

	return !ring_arm(q) || poll(&p, 1, ms) > 0;
}

static bool hung_up(const struct ring *ring)
{
	struct pollfd p = { ring->fd, POLLPRI, 0 };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP);
}

/* Whether something happens to the disk. */
static bool has_news(const struct ring *ring)
{
	struct pollfd p = { ring->fd, POLLPRI, 0 };

	return poll(&p, 1, 5000) > 0 && (p.revents & POLLPRI);
}

static uint64_t told(int attr)
{
	struct nl_attrs attrs;

	return nl_get(&nl, minor, &attrs) ? UINT64_MAX : attrs.val[attr];
}

static int start_size(const struct ring *ring, uint64_t size)
{
	struct blktap_start start;

	ring_start_init(&start, size);
	start.flags = BLKTAP_DISK_NO_SCAN;
	return ring_start(ring->fd, &start);
}

static int start(const struct ring *ring)
{
	return start_size(ring, DISK_SIZE);
}

static void answer(struct ring_queue *q, const struct ring_request *req)
{
	ring_complete(q, req, req->desc.length);
	tap_enter(q, NULL);
}

static bool holds(const struct ring_request *req, int pattern)
{
	size_t i;

	for (i = 0; i < req->desc.length; i++)
		if (req->data[i] != pattern)
			return false;
	return true;
}

static void begin(struct ring *ring)
{
	tap_start(ring, minor, FEATURES, 0, DISK_SIZE);
}

/* ---------------------------------------------------------------- HOLD, RELEASE */

static void test_rules(void)
{
	struct blktap_hold arg = { .size = sizeof(arg), .flags = 1 };
	struct ring ring;

	tap_start(&ring, minor, 0, 0, DISK_SIZE);
	ktap_is(ring_hold(ring.fd), -EOPNOTSUPP, "HOLD that was not granted");
	tap_stop(&ring);

	ktap_is(ring_open_with(&ring, minor, FEATURES), 0, "ATTACH with HOLD and TAKEOVER");
	ktap_is(ring_hold(ring.fd), -ENODEV, "HOLD without a disk");
	ktap_is(ioctl(ring.fd, BLKTAP_IOC_HOLD, &arg) < 0 ? -errno : 0, -EINVAL, "an unknown flag");
	ring_close(&ring);

	begin(&ring);
	ktap_is(ring_release(ring.fd), -EALREADY, "RELEASE without HOLD");
	ktap_is(ring_hold(ring.fd), 0, "HOLD");
	ktap_is(ring_hold(ring.fd), -EALREADY, "HOLD twice");
	ktap_is(ring_release(ring.fd), 0, "RELEASE");
	ktap_is(ring_hold(ring.fd), 0, "HOLD once more");
	tap_stop(&ring);
	ktap(true, "STOP while it holds");
}

static void test_hold(void)
{
	struct ring_request req;
	struct ring_queue *q;
	struct io had, fresh;
	struct ring ring;

	begin(&ring);
	io_start(&had, minor, true, 0, PAGE, 'a', 0);
	q = tap_take(&ring, &req);
	ktap_is(ring_hold(ring.fd), 0, "HOLD with a request at the daemon");
	io_start(&fresh, minor, true, PAGE, PAGE, 'b', 0);
	ktap(!comes(&ring, QUIET_MS), "no request comes while it holds");
	answer(q, &req);
	ktap_is(io_end(&had), PAGE, "an answer is taken all the same");
	ktap_is(ring_release(ring.fd), 0, "RELEASE");
	q = tap_take(&ring, &req);
	ktap(req.desc.offset == PAGE && holds(&req, 'b'), "then it comes");
	answer(q, &req);
	ktap_is(io_end(&fresh), PAGE, "and is answered");
	io_free(&had);
	io_free(&fresh);
	tap_stop(&ring);
}

static void test_stop_while_holding(void)
{
	struct ring_request req;
	struct io io;
	struct ring ring;

	begin(&ring);
	ring_hold(ring.fd);
	io_start(&io, minor, true, 0, PAGE, 'a', 0);
	ktap_is(ring_stop(ring.fd), -EBUSY, "STOP of an open disk while it holds");
	ktap(!comes(&ring, QUIET_MS), "and it still holds");
	ring_release(ring.fd);
	answer(tap_take(&ring, &req), &req);
	ktap_is(io_end(&io), PAGE, "the request goes on");
	io_free(&io);
	tap_stop(&ring);
}

/* ---------------------------------------------------------------------- the end */

static void test_end(void)
{
	struct io read, write, later;
	struct ring_request req;
	struct ring_queue *q;
	struct ring ring;
	int i;

	begin(&ring);
	io_start(&write, minor, true, 0, PAGE, 'w', 0);
	tap_take(&ring, &req);
	io_start(&read, minor, false, 0, PAGE, 0, 0);
	tap_take(&ring, &req);
	ring_close(&ring);
	ktap_is(told(BLKTAP_A_RECOVERY), BLKTAP_RECOVERY_HELD, "a session ends: requests are held");
	ktap(told(BLKTAP_A_HOLD_LEFT_MS) > 20000 && told(BLKTAP_A_HOLD_LEFT_MS) <= 30000,
	     "for 30 s if nothing else was said");
	io_start(&later, minor, true, PAGE, PAGE, 'l', 0);
	usleep(QUIET_MS * 1000);
	ktap(!write.over && !read.over && !later.over, "none has ended");

	begin(&ring);
	ktap_is(told(BLKTAP_A_RECOVERY), BLKTAP_RECOVERY_NONE, "the next session serves");
	for (i = 0; i < 3; i++) {
		q = tap_take(&ring, &req);
		if (req.desc.op == BLKTAP_OP_READ)
			memset(req.data, 'r', req.desc.length);
		else
			ktap(holds(&req, req.desc.offset ? 'l' : 'w'), "a write has its data");
		answer(q, &req);
	}
	ktap_is(io_end(&write), PAGE, "the write ends well");
	ktap_is(io_end(&later), PAGE, "so does the one that came between");
	ktap(io_end(&read) == PAGE && io_is(&read, 0, PAGE, 'r'), "and the read");
	ktap(!comes(&ring, QUIET_MS), "each came once");
	io_free(&write);
	io_free(&read);
	io_free(&later);
	tap_stop(&ring);
}

/* Its indices make no sense: the session ends, while the process has the ring. */
static void break_ring(struct ring *ring)
{
	struct ring_queue *q = &ring->queues[0];

	__atomic_store_n(&q->cq->cq_tail, q->cq_tail + 5000, __ATOMIC_RELEASE);
	ktap_is(ring_enter(q, 0, 0, NULL), -EPROTO, "a session that is broken off");
}

static void test_fence(void)
{
	struct ring_request req;
	struct blktap_state state;
	struct ring first, second;
	struct io io;

	begin(&first);
	io_start(&io, minor, true, 0, PAGE, 'f', 0);
	tap_take(&first, &req);
	break_ring(&first);
	ktap_is(ring_open_with(&second, minor, FEATURES), 0, "the next one attaches");
	ktap_is(start(&second), 0, "and starts");
	ring_state(second.fd, &state);
	ktap_is(state.recovery, BLKTAP_RECOVERY_HELD, "but requests wait for the first to let go");
	ktap(!comes(&second, QUIET_MS), "none comes");

	close(first.fd);
	ktap(!comes(&second, QUIET_MS), "nor when its descriptor is closed");
	munmap((void *)first.queues[0].sq, first.at.sq_area_bytes);
	munmap(first.queues[0].cq, first.at.cq_area_bytes);
	ktap(!comes(&second, QUIET_MS), "nor while a part of it is mapped");
	munmap(first.queues[0].buffer, first.at.buffer_area_bytes);
	ktap(comes(&second, 5000), "when all is gone, it comes");
	ring_state(second.fd, &state);
	ktap_is(state.recovery, BLKTAP_RECOVERY_NONE, "and this session serves");
	answer(tap_take(&second, &req), &req);
	ktap_is(io_end(&io), PAGE, "the write ends well");
	io_free(&io);
	close(first.queues[0].fd);
	free(first.queues);
	tap_stop(&second);
}

/* All that is left of a session whose descriptor is closed. */
static void unmap(struct ring *ring)
{
	munmap((void *)ring->queues[0].sq, ring->at.sq_area_bytes);
	munmap(ring->queues[0].cq, ring->at.cq_area_bytes);
	munmap(ring->queues[0].buffer, ring->at.buffer_area_bytes);
	close(ring->queues[0].fd);
	free(ring->queues);
}

/* A session that has ended with a request, and of which nobody lets go. */
static void leave_unfenced(struct ring *ring)
{
	struct ring_request req;
	struct io io;

	begin(ring);
	io_start(&io, minor, true, 0, PAGE, 'l', 0);
	tap_take(ring, &req);
	break_ring(ring);
	ktap_is(io_end(&io), -EIO, "where nothing is held, its request fails");
	io_free(&io);
	ktap_is(told(BLKTAP_A_RECOVERY), BLKTAP_RECOVERY_FAILED, "and so do others");
}

static void end_by_force(void)
{
	struct nl_msg msg;

	nl_start(&nl, &msg, BLKTAP_CMD_END_SESSION, NLM_F_ACK);
	nl_put_u32(&msg, BLKTAP_A_MINOR, minor);
	nl_put(&msg, BLKTAP_A_FORCE, NULL, 0);
	ktap_is(nl_call(&nl, &msg, NULL, NULL), 0, "the disk is to go");
}

/* Once there is a daemon requests wait for it, even where they had failed. */
static void test_fence_without_holding(void)
{
	struct ring_request req;
	struct ring first, second;
	struct io io;

	leave_unfenced(&first);
	ring_open_with(&second, minor, FEATURES);
	ktap_is(start(&second), 0, "the next one starts");
	ktap_is(told(BLKTAP_A_RECOVERY), BLKTAP_RECOVERY_HELD, "from now on requests wait");
	io_start(&io, minor, true, 0, PAGE, 'g', 0);
	ktap(!comes(&second, QUIET_MS) && !io.over, "for the first one to let go");
	ring_close(&second);
	ktap_is(io_end(&io), -EIO, "the next one ends before it has served: they fail");
	ktap_is(told(BLKTAP_A_RECOVERY), BLKTAP_RECOVERY_FAILED, "as before");
	io_free(&io);

	ring_open_with(&second, minor, FEATURES);
	start(&second);
	io_start(&io, minor, true, 0, PAGE, 'g', 0);
	ktap(!comes(&second, QUIET_MS), "one more: they wait again");
	close(first.fd);
	unmap(&first);
	answer(tap_take(&second, &req), &req);
	ktap_is(io_end(&io), PAGE, "and pass when the first one has let go");
	io_free(&io);
	tap_stop(&second);
}

/* What is still written may be in the new disk's image. */
static void test_fence_of_a_new_disk(void)
{
	struct ring_request req;
	struct blktap_state state;
	struct ring first, second;
	struct io io;

	leave_unfenced(&first);
	end_by_force();
	ring_open_with(&second, minor, FEATURES);
	ktap_is(ring_wait_state(second.fd, BLKTAP_DISK_STATE_NONE, 20000), 0, "it goes");
	ktap_is(start_size(&second, 2 * DISK_SIZE), 0, "there is another one");
	ktap_is(ring_wait_state(second.fd, BLKTAP_DISK_STATE_LIVE, 20000), 0, "of the same name");
	ktap_is(told(BLKTAP_A_RECOVERY), BLKTAP_RECOVERY_HELD, "its requests wait");
	ring_state(second.fd, &state);
	close(ring_open_disk(minor, O_RDONLY | O_CLOEXEC));
	ktap(has_news(&second), "whoever is to serve it is told of the last close");
	io_start(&io, minor, true, 0, PAGE, 'n', 0);
	ktap(!comes(&second, QUIET_MS) && !io.over, "for the session of the old one to let go");
	close(first.fd);
	unmap(&first);
	answer(tap_take(&second, &req), &req);
	ktap_is(io_end(&io), PAGE, "and then pass");
	io_free(&io);
	tap_stop(&second);
}

static int wait_recovery(uint64_t want)
{
	int tries;

	for (tries = 0; tries < 500 && told(BLKTAP_A_RECOVERY) != want; tries++)
		usleep(10 * 1000);
	return told(BLKTAP_A_RECOVERY) == want ? 0 : -ETIMEDOUT;
}

/* Takes on the disk that is there. */
static void begin_again(struct ring *ring)
{
	if (ring_open_with(ring, minor, FEATURES) || start(ring) ||
	    wait_recovery(BLKTAP_RECOVERY_NONE))
		ktap_die("nobody serves the disk");
}

/* The time goes on while a successor waits for the fence, and begins anew after one that served. */
static void test_time_goes_on(void)
{
	struct ring first, second;
	struct ring_request req;
	uint64_t left;
	struct io io;
	int i;

	begin(&first);
	io_start(&io, minor, true, 0, PAGE, 't', 0);
	tap_take(&first, &req);
	break_ring(&first);
	left = told(BLKTAP_A_HOLD_LEFT_MS);
	for (i = 0; i < 2; i++) {
		usleep(QUIET_MS * 1000);
		if (ring_open_with(&second, minor, FEATURES) || start(&second))
			ktap_die("no successor");
		ktap(told(BLKTAP_A_RECOVERY) == BLKTAP_RECOVERY_HELD &&
		     told(BLKTAP_A_HOLD_LEFT_MS) < left, "behind the fence the hold time goes on");
		ring_close(&second);
		ktap(told(BLKTAP_A_RECOVERY) == BLKTAP_RECOVERY_HELD &&
		     told(BLKTAP_A_HOLD_LEFT_MS) < left, "also if one dies that has not served");
		left = told(BLKTAP_A_HOLD_LEFT_MS);
	}
	close(first.fd);
	unmap(&first);
	begin_again(&second);
	answer(tap_take(&second, &req), &req);
	ktap_is(io_end(&io), PAGE, "the next one serves");
	io_free(&io);
	ring_close(&second);
	ktap(told(BLKTAP_A_HOLD_LEFT_MS) > left, "and when that dies the time begins anew");
	begin_again(&second);
	tap_stop(&second);
}

/* A tap whose hold time is soon over. */
static void test_time_is_over(void)
{
	struct ring first, second;
	struct blktap_state state;
	struct ring_request req;
	struct io io;

	begin(&first);
	io_start(&io, minor, true, 0, PAGE, 'o', 0);
	tap_take(&first, &req);
	break_ring(&first);
	ring_open_with(&second, minor, FEATURES);
	ktap_is(start(&second), 0, "a successor that has to wait for the fence");
	ktap_is(told(BLKTAP_A_RECOVERY), BLKTAP_RECOVERY_HELD, "does not end the hold time");
	ktap_is(io_end(&io), -EIO, "when that is over, the request fails");
	io_free(&io);
	ktap_is(told(BLKTAP_A_RECOVERY), BLKTAP_RECOVERY_FAILED, "and so do others");
	ktap_is(io_do(minor, true, 0, PAGE, 'o'), -EIO, "at once");
	ktap(!comes(&second, 0), "none comes to the successor");

	close(first.fd);
	unmap(&first);
	ktap_is(wait_recovery(BLKTAP_RECOVERY_NONE), 0, "then the first one lets go");
	ring_state(second.fd, &state);
	ktap_is(state.recovery, BLKTAP_RECOVERY_NONE, "and the successor is told");
	io_start(&io, minor, true, 0, PAGE, 'n', 0);
	answer(tap_take(&second, &req), &req);
	ktap(io_end(&io) == PAGE, "it serves new requests");
	io_free(&io);
	tap_stop(&second);
}

/* ------------------------------------------------------------------- succession */

/* Whose it may be, and nothing else. */
static int attach_as_successor_of(pid_t pid)
{
	struct blktap_attach at = {
		.size = sizeof(at), .flags = BLKTAP_ATTACH_TAKEOVER,
		.features = FEATURES | BLKTAP_F_TAKEOVER, .pid = pid,
	};
	int fd = ring_open_node(minor);
	int ret = ioctl(fd, BLKTAP_IOC_ATTACH, &at) < 0 ? -errno : 0;

	close(fd);
	return ret;
}

static void test_attach_rules(void)
{
	struct ring first, second, third;
	struct blktap_attach at = {
		.size = sizeof(at), .flags = BLKTAP_ATTACH_TAKEOVER, .features = BLKTAP_F_HOLD,
	};
	int fd = ring_open_node(minor);

	ktap_is(ioctl(fd, BLKTAP_IOC_ATTACH, &at) < 0 ? -errno : 0, -EOPNOTSUPP,
		"TAKEOVER that is not asked for as a feature");
	close(fd);

	ktap_is(attach_as_successor_of(getpid()), -ESTALE, "TAKEOVER from one without a session");
	ktap_is(ring_succeed(&first, minor, FEATURES), 0, "TAKEOVER without a session attaches");
	ktap_is(told(BLKTAP_A_EPOCH), first.at.epoch, "as the tap's session");
	ktap_is(attach_as_successor_of(getppid()), -ESTALE, "TAKEOVER from one who has another tap");
	ktap_is(attach_as_successor_of(getpid()), 0, "TAKEOVER from the one who has this");
	ktap_is(ring_succeed(&second, minor, FEATURES), 0, "a successor attaches");
	ktap_is(ring_succeed(&third, minor, FEATURES), -EBUSY, "there is one at most");
	ktap_is(ring_open_with(&third, minor, 0), -EBUSY, "nor can anyone else attach");
	ktap_is(start(&second), -EBUSY, "nothing can be taken over from an idle session");
	ring_close(&second);
	ktap_is(ring_succeed(&second, minor, FEATURES), 0, "it may go, and another come");
	ring_close(&first);
	ktap_is(start(&second), 0, "the session ends: its successor is the tap's");
	ktap_is(ring_wait_state(second.fd, BLKTAP_DISK_STATE_LIVE, 20000), 0, "and has a disk");
	tap_stop(&second);
}

static void test_succession(void)
{
	struct io had, unseen, fresh;
	struct ring_request old, req;
	struct ring first, second;
	struct ring_queue *q;
	struct blktap_state state;
	int i;

	begin(&first);
	io_start(&had, minor, true, 0, PAGE, 'h', 0);
	q = tap_take(&first, &old);
	io_start(&unseen, minor, true, PAGE, PAGE, 'u', 0);
	comes(&first, 5000);
	ring_succeed(&second, minor, FEATURES);
	ktap_is(start(&second), -EBUSY, "START before the other has done HOLD");
	ring_hold(first.fd);
	ktap_is(start_size(&second, 2 * DISK_SIZE), -EMEDIUMTYPE, "START with another size");
	ktap_is(ring_release(first.fd), 0, "the other can go on");
	ktap_is(ring_hold(first.fd), 0, "or not");
	io_start(&fresh, minor, true, 2 * PAGE, PAGE, 'f', 0);
	usleep(50 * 1000);

	ktap_is(start(&second), 0, "START takes over");
	ktap(hung_up(&first), "the other is hung up");
	ktap_is(ring_state(first.fd, &state), -ENODEV, "and is no session any more");
	ring_complete(q, &old, PAGE);
	ktap_is(ring_enter(q, 0, 0, NULL), -ENODEV, "its late answer is not taken");
	for (i = 0; i < 3; i++) {
		static const char patterns[] = "huf";

		q = tap_take(&second, &req);
		ktap(holds(&req, patterns[req.desc.offset / PAGE]), "a write comes with its data");
		answer(q, &req);
	}
	ktap(io_end(&had) == PAGE && io_end(&unseen) == PAGE && io_end(&fresh) == PAGE,
	     "all end well");
	ktap_is(told(BLKTAP_A_EPOCH), second.at.epoch, "it is the tap's session");
	io_free(&had);
	io_free(&unseen);
	io_free(&fresh);
	ring_close(&first);
	ktap_is(io_do(minor, true, 0, 0, 'x'), 0, "closing the old one does no harm");
	tap_stop(&second);
}

/* The one that is to hand over dies instead. */
static void test_promotion(void)
{
	struct ring first, second;
	struct ring_request req;
	struct io io;

	begin(&first);
	ring_succeed(&second, minor, FEATURES);
	io_start(&io, minor, true, 0, PAGE, 'p', 0);
	tap_take(&first, &req);
	ring_close(&first);
	ktap_is(start(&second), 0, "its successor starts when a session has died");
	answer(tap_take(&second, &req), &req);
	ktap_is(io_end(&io), PAGE, "and gets what it had");
	io_free(&io);
	tap_stop(&second);
}

/* ------------------------------------------------------------------------- force */

static void test_force(void)
{
	int fd, keep;
	struct ring_request req;
	struct ring_queue *q;
	struct ring ring;
	struct io io;
	char byte;

	begin(&ring);
	keep = ring_open_disk(minor, O_RDONLY);
	io_start(&io, minor, true, 0, PAGE, 'x', 0);
	q = tap_take(&ring, &req);
	ktap_is(ring_stop(ring.fd), -EBUSY, "STOP of an open disk");
	ktap_is(ring_stop_force(ring.fd), 0, "STOP with FORCE");
	fd = ring_open_disk(minor, O_RDONLY);
	ktap(fd < 0, "it cannot be opened any more");
	answer(q, &req);
	ktap_is(io_end(&io), PAGE, "what the daemon had is answered");
	ktap_is(ring_wait_state(ring.fd, BLKTAP_DISK_STATE_NONE, 20000), 0, "the disk goes");
	ktap(pread(keep, &byte, 1, 0) <= 0, "who has it open reads nothing");
	ktap_is(start(&ring), 0, "the session starts another disk");
	ktap_is(ring_wait_state(ring.fd, BLKTAP_DISK_STATE_LIVE, 20000), 0, "of the same name");
	close(keep);
	io_free(&io);
	tap_stop(&ring);
}

static void new_tap_holding_for(uint32_t ms)
{
	struct nl_msg msg;

	minor = 70;
	if (nl_open(&nl))
		ktap_die("no blktap family");
	nl_start(&nl, &msg, BLKTAP_CMD_NEW_TAP, NLM_F_ACK);
	nl_put_u32(&msg, BLKTAP_A_MINOR, minor);
	nl_put_u32(&msg, BLKTAP_A_QUEUES, 1);
	nl_put_u32(&msg, BLKTAP_A_DEPTH, 8);
	nl_put_u32(&msg, BLKTAP_A_HOLD_MS, ms);
	if (nl_call(&nl, &msg, NULL, NULL))
		ktap_die("cannot allocate a tap: %s", nl.text);
}

int main(void)
{
	ktap_start();
	tap_new_holding(&nl, &minor, 1, 8);
	test_rules();
	test_hold();
	test_stop_while_holding();
	test_end();
	test_fence();
	test_time_goes_on();
	test_attach_rules();
	test_succession();
	test_promotion();
	test_force();
	nl_del_wait(&nl, minor);
	nl_close(&nl);

	tap_new(&nl, &minor, 1, 8);
	test_fence_without_holding();
	test_fence_of_a_new_disk();
	nl_del_wait(&nl, minor);
	nl_close(&nl);

	new_tap_holding_for(1500);
	test_time_is_over();
	nl_del_wait(&nl, minor);
	return ktap_finish();
}

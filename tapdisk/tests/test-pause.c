// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pause, unpause, resize, trying again, statistics and shared images, with an
 * image whose requests the test holds and answers.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <syslog.h>

#include <cmocka.h>

#include "fake-sync.h"
#include "world.h"
#include "../vbd-stats.h"

/* The image's driver, but for the submission of requests. */
static struct image_driver holding;
static struct image_request *held[64];
static unsigned int nr_held;

static void hold(struct image_channel *channel, struct image_request *req)
{
	(void)channel;
	held[nr_held++] = req;
}

static void hold_requests(void)
{
	nr_held = 0;
	holding = *world.vbd->image->driver;
	holding.submit = hold;
	world.vbd->image->driver = &holding;
}

static void answer_held(int error)
{
	unsigned int count = nr_held, i;

	nr_held = 0;
	for (i = 0; i < count; i++)
		held[i]->done(held[i], error);
}

static char file[2][64];

static const char *make_image(unsigned int i, off_t size)
{
	static char spec[2][80];
	int fd;

	strcpy(file[i], "/var/tmp/tapdisk-XXXXXX");
	fd = mkstemp(file[i]);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
	snprintf(spec[i], sizeof(spec[i]), "aio:%s", file[i]);
	return spec[i];
}

static void remove_images(void)
{
	unlink(file[0]);
	unlink(file[1]);
}

static int pause_now(void)
{
	struct outcome outcome = { 0 };

	vbd_pause(world.vbd, -1, done, &outcome);
	wait_for(&outcome);
	return outcome.err.code;
}

static int unpause_now(const char *image)
{
	struct outcome outcome = { 0 };

	vbd_unpause(world.vbd, image, -1, done, &outcome);
	wait_for(&outcome);
	return outcome.err.code;
}

static int resize_now(uint64_t capacity, bool shrink)
{
	struct outcome outcome = { 0 };

	vbd_resize(world.vbd, capacity, shrink, -1, done, &outcome);
	wait_for(&outcome);
	return outcome.err.code;
}

static void turns(unsigned int count)
{
	while (count--)
		turn(0);
}

/* --------------------------------------------------------------------- pause */

static void test_requests_are_held(void **state)
{
	struct fake_queue *q = &fake_ring->queues[0];
	const char *other;

	(void)state;
	assert_int_equal(pause_now(), -EINVAL);
	assert_int_equal(unpause_now(NULL), -EINVAL);
	assert_int_equal(open_image(make_image(0, 1 << 20)), 0);
	other = make_image(1, 1 << 20);
	assert_int_equal(pause_now(), 0);
	assert_int_equal(world.vbd->state, VBD_PAUSED);
	assert_int_equal(vbd_user_state(world.vbd), 0x2a);
	assert_true(vbd_is_open(world.vbd));
	assert_int_equal(pause_now(), 0);

	memset(fake_data(q, 3), 'x', 4096);
	fake_submit(q, 3, BLKTAP_OP_WRITE, 0, 4096, 4096);
	turns(5);
	assert_true(q->outstanding[3]);

	assert_int_equal(unpause_now(other), 0);
	assert_int_equal(vbd_user_state(world.vbd), 0);
	assert_string_equal(world.vbd->spec, other);
	complete_all(q, 1);
	assert_int_equal(q->results[3], 4096);
	assert_int_equal(do_request(BLKTAP_OP_READ, 0, 4096, 4096), 4096);
	assert_int_equal(fake_data(q, 9)[0], 'x');
	assert_int_equal(pause_now(), 0);
	assert_int_equal(unpause_now(NULL), 0);
	assert_int_equal(close_image(0), 0);
	remove_images();
}

static bool untouched;

static void look_before_release(struct blktap_ring *ring)
{
	fake_poll(ring);
	/* A thread that takes requests by now gets to it, as a rule. */
	usleep(100000);
	untouched = ring->queues[0].outstanding[3];
}

/* One that came before HOLD is not begun before RELEASE: the driver relies on that. */
static void test_release_comes_first(void **state)
{
	struct fake_queue *q = &fake_ring->queues[0];

	(void)state;
	world.env.threads = true;
	fake_releasing = look_before_release;
	assert_int_equal(open_image("ram:1M"), 0);
	assert_int_equal(pause_now(), 0);
	assert_true(fake_ring->held);
	fake_submit(q, 3, BLKTAP_OP_WRITE, 0, 4096, 4096);
	untouched = false;
	assert_int_equal(unpause_now(NULL), 0);
	assert_true(untouched);
	/* It may be done by now. */
	while (__atomic_load_n(&q->completed, __ATOMIC_ACQUIRE) != 1)
		turn(20);
	assert_int_equal(q->results[3], 4096);
	assert_int_equal(close_image(0), 0);
}

/* A pause lets go of the image's lock. */
static void test_lock_is_released(void **state)
{
	const char *spec = make_image(0, 1 << 20);
	int fd = open(file[0], O_RDWR | O_CLOEXEC);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	(void)state;
	assert_int_equal(open_image(spec), 0);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), -1);
	assert_int_equal(pause_now(), 0);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	/* now it is somebody else's */
	assert_int_equal(unpause_now(NULL), -EAGAIN);
	assert_int_equal(world.vbd->state, VBD_PAUSED);
	close(fd);
	assert_int_equal(unpause_now(NULL), 0);
	assert_int_equal(close_image(0), 0);
	remove_images();
}

static void test_pause_waits(void **state)
{
	struct fake_queue *q = &fake_ring->queues[0];
	struct outcome outcome = { 0 };

	(void)state;
	assert_int_equal(open_image("ram:1M"), 0);
	hold_requests();
	fake_submit(q, 1, BLKTAP_OP_READ, 0, 0, 4096);
	turns(2);
	assert_int_equal(nr_held, 1);
	vbd_pause(world.vbd, -1, done, &outcome);
	turns(3);
	assert_int_equal(outcome.calls, 0);
	assert_int_equal(close_image(0), -EBUSY);
	answer_held(0);
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, 0);
	assert_false(q->outstanding[1]);
	assert_int_equal(q->results[1], 4096);
	assert_int_equal(close_image(0), 0);
}

/* Too slow, or nobody waits any more: all goes on as before. */
static void test_pause_is_cancelled(void **state)
{
	struct fake_queue *q = &fake_ring->queues[0];
	struct outcome outcome = { 0 };
	unsigned int i;

	(void)state;
	assert_int_equal(open_image(make_image(0, 1 << 20)), 0);
	hold_requests();
	fake_submit(q, 1, BLKTAP_OP_READ, 0, 0, 4096);
	turns(2);
	vbd_pause(world.vbd, 20, done, &outcome);
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, -ETIMEDOUT);
	assert_int_equal(world.vbd->state, VBD_LIVE);
	assert_int_equal(vbd_user_state(world.vbd), 0);
	fake_submit(q, 2, BLKTAP_OP_READ, 0, 0, 4096);
	turns(3);
	assert_int_equal(nr_held, 2);

	memset(&outcome, 0, sizeof(outcome));
	vbd_pause(world.vbd, -1, done, &outcome);
	assert_true(vbd_withdraw(world.vbd, &outcome));
	assert_int_equal(world.vbd->state, VBD_LIVE);
	/* a drain that was reached when nobody wanted it any more */
	for (i = 0; i < 3; i++) {
		vbd_pause(world.vbd, -1, done, &outcome);
		turns(1);
		answer_held(0);
		turns(1);
		if (vbd_withdraw(world.vbd, &outcome))
			while (world.vbd->state != VBD_LIVE)
				turn(1000);
	}
	hold_requests();
	fake_submit(q, 4, BLKTAP_OP_READ, 0, 0, 4096);
	turns(3);
	assert_int_equal(nr_held, 1);
	answer_held(0);
	assert_int_equal(outcome.calls, 0);
	complete_all(q, 1);
	assert_int_equal(close_image(0), 0);
	remove_images();
}

static void test_failed_unpause(void **state)
{
	struct fake_queue *q = &fake_ring->queues[1];
	struct outcome outcome = { 0 };
	const char *small;

	(void)state;
	assert_int_equal(open_image(make_image(0, 1 << 20)), 0);
	small = make_image(1, 1 << 19);
	assert_int_equal(pause_now(), 0);
	fake_submit(q, 3, BLKTAP_OP_READ, 0, 0, 4096);
	assert_int_equal(unpause_now("aio:/does/not/exist"), -ENOENT);
	assert_int_equal(unpause_now("nothing"), -EINVAL);
	assert_int_equal(unpause_now(small), -EMEDIUMTYPE);
	assert_int_equal(unpause_now("ram:1M,bs=4096"), -EMEDIUMTYPE);
	vbd_unpause(world.vbd, "ram:1M,ro", -1, done, &outcome);
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, -EMEDIUMTYPE);
	assert_string_equal(outcome.err.text, "tapdev7 is writable, and ram:1M,ro is not");
	assert_int_equal(vbd_user_state(world.vbd), 0x2a);
	turns(3);
	assert_true(q->outstanding[3]);
	assert_int_equal(unpause_now(NULL), 0);
	complete_all(q, 1);
	assert_int_equal(q->results[3], 4096);
	assert_int_equal(close_image(0), 0);
	remove_images();
}

/* An image that was made larger, or of which the disk takes a part, can be paused. */
static void test_unpause_larger(void **state)
{
	(void)state;
	assert_int_equal(open_image(make_image(0, 1 << 20)), 0);
	assert_int_equal(truncate(file[0], 2 << 20), 0);
	assert_int_equal(pause_now(), 0);
	assert_int_equal(unpause_now(make_image(1, 2 << 20)), -EMEDIUMTYPE);
	assert_int_equal(unpause_now(NULL), 0);
	assert_int_equal(do_request(BLKTAP_OP_READ, 0, (1 << 20) - 4096, 4096), 4096);
	assert_int_equal(do_request(BLKTAP_OP_READ, 0, 1 << 20, 4096), -EIO);
	assert_int_equal(resize_now(0, false), 0);
	assert_int_equal(fake_ring->capacity, 2 << 20);
	assert_int_equal(do_request(BLKTAP_OP_READ, 0, 1 << 20, 4096), 4096);
	assert_int_equal(pause_now(), 0);
	assert_int_equal(truncate(file[0], 1 << 20), 0);
	assert_int_equal(unpause_now(NULL), -EMEDIUMTYPE);
	assert_int_equal(close_image(0), 0);
	remove_images();
}

/* What is no whole block belongs to no disk, and is in no disk's way. */
static void test_odd_size(void **state)
{
	(void)state;
	assert_int_equal(open_image(make_image(0, 1 << 20)), 0);
	assert_int_equal(truncate(file[0], (1 << 20) + 100), 0);
	assert_int_equal(pause_now(), 0);
	assert_int_equal(unpause_now(NULL), 0);
	assert_int_equal(truncate(file[0], (2 << 20) + 100), 0);
	assert_int_equal(resize_now(0, false), 0);
	assert_int_equal(fake_ring->capacity, 2 << 20);
	assert_int_equal(pause_now(), 0);
	/* A copy is as odd. */
	assert_int_equal(unpause_now(make_image(1, (2 << 20) + 100)), 0);
	assert_int_equal(do_request(BLKTAP_OP_READ, 0, (2 << 20) - 4096, 4096), 4096);
	assert_int_equal(close_image(0), 0);
	remove_images();
}

/* Requests that are left when a paused disk goes must not keep it. */
static void test_close_while_paused(void **state)
{
	struct fake_queue *q = &fake_ring->queues[0];
	struct outcome outcome = { 0 };

	(void)state;
	assert_int_equal(open_image("ram:1M"), 0);
	assert_int_equal(pause_now(), 0);
	fake_ring->state.openers = 1;
	assert_int_equal(close_image(20), -EBUSY);
	assert_int_equal(world.vbd->state, VBD_PAUSED);
	assert_int_equal(vbd_user_state(world.vbd), 0x2a);

	fake_submit(q, 3, BLKTAP_OP_READ, 0, 0, 4096);
	fake_ring->state.openers = 0;
	fake_ring->stop_state = BLKTAP_DISK_STATE_REMOVING;
	vbd_close(world.vbd, 0, false, done, &outcome);
	complete_all(q, 1);
	assert_int_equal(q->results[3], -EIO);
	fake_ring->state.disk_state = BLKTAP_DISK_STATE_NONE;
	raise_pri();
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, 0);
	assert_int_equal(vbd_user_state(world.vbd), BLKTAP_VBD_CLOSED);
}

static void test_session_ends_in_pause(void **state)
{
	(void)state;
	assert_int_equal(open_image("ram:1M"), 0);
	assert_int_equal(pause_now(), 0);
	vbd_session_lost(world.vbd, "test");
	while (!world.gone)
		turn(2000);
	assert_null(world.vbd);
}

/* ------------------------------------------------------------ the page cache */

static int open_page_cache(void)
{
	struct vbd_open_params params = {
		.image = make_image(0, 1 << 20), .no_direct = true, .request_timeout_ms = 5000,
		.timeout_ms = -1,
	};
	struct outcome outcome = { 0 };

	fake_sync_reset();
	vbd_open(world.vbd, &params, done, &outcome);
	wait_for(&outcome);
	return outcome.err.code;
}

/* Before it is answered, all is in the image, which then is not written to any more. */
static void test_pause_writes_back(void **state)
{
	(void)state;
	assert_int_equal(open_page_cache(), 0);
	assert_int_equal(do_request(BLKTAP_OP_WRITE, 0, 0, 4096), 4096);
	assert_int_equal(pause_now(), 0);
	assert_int_equal(fake_sync.calls, 1);
	assert_int_equal(unpause_now(NULL), 0);
	assert_int_equal(do_request(BLKTAP_OP_FLUSH, 0, 0, 0), 0);
	assert_int_equal(pause_now(), 0);
	assert_int_equal(fake_sync.calls, 3);
	assert_int_equal(close_image(0), 0);
	assert_int_equal(fake_sync.calls, 3);
	remove_images();
}

/* What is lost is not forgotten by closing and opening the image. */
static void check_failed_pause(int lost, int code)
{
	struct image *before;

	assert_int_equal(open_page_cache(), 0);
	before = world.vbd->image;
	assert_int_equal(do_request(BLKTAP_OP_WRITE, 0, 0, 4096), 4096);
	fake_sync.lost = lost;
	assert_int_equal(pause_now(), code);
	assert_int_equal(world.vbd->state, VBD_LIVE);
	assert_int_equal(vbd_user_state(world.vbd), 0);
	assert_ptr_equal(world.vbd->image, before);
	assert_false(fake_ring->held);
	assert_int_equal(do_request(BLKTAP_OP_FLUSH, 0, 0, 0), -EIO);
	assert_int_equal(do_request(BLKTAP_OP_WRITE, BLKTAP_REQ_FUA, 0, 4096), -EIO);
	assert_int_equal(do_request(BLKTAP_OP_WRITE, 0, 0, 4096), 4096);
	assert_int_equal(do_request(BLKTAP_OP_READ, 0, 0, 4096), 4096);
	assert_int_equal(pause_now(), -EIO);
	assert_int_equal(unpause_now(NULL), -EINVAL);
	assert_int_equal(resize_now(2 << 20, false), 0);
	assert_int_equal(do_request(BLKTAP_OP_FLUSH, 0, 0, 0), -EIO);
	assert_int_equal(close_image(0), 0);
	remove_images();
	assert_int_equal(open_page_cache(), 0);
	assert_int_equal(do_request(BLKTAP_OP_FLUSH, 0, 0, 0), 0);
	assert_int_equal(close_image(0), 0);
	remove_images();
}

static void test_pause_that_loses(void **state)
{
	(void)state;
	check_failed_pause(ENOMEM, -EIO);
	check_failed_pause(ENOSPC, -ENOSPC);
}

static int no_channel(struct image_channel **channel, struct image *image,
		      const struct channel_params *params, struct blktap_error *error)
{
	(void)channel;
	(void)params;
	return blktap_error_set(error, -ENOMEM, "%s: no", image->path);
}

/* The image cannot even be kept: what is opened next has lost it, too. */
static void test_paused_with_loss(void **state)
{
	(void)state;
	assert_int_equal(open_page_cache(), 0);
	hold_requests();
	holding.channel_open = no_channel;
	fake_sync.lost = EIO;
	assert_int_equal(pause_now(), -ENOMEM);
	assert_int_equal(world.vbd->state, VBD_PAUSED);
	assert_int_equal(unpause_now(NULL), 0);
	assert_int_equal(do_request(BLKTAP_OP_FLUSH, 0, 0, 0), -EIO);
	assert_int_equal(do_request(BLKTAP_OP_WRITE, 0, 0, 4096), 4096);
	assert_int_equal(close_image(0), 0);
	remove_images();
	assert_int_equal(open_page_cache(), 0);
	assert_int_equal(do_request(BLKTAP_OP_FLUSH, 0, 0, 0), 0);
	assert_int_equal(close_image(0), 0);
	remove_images();
}

/* Nobody waits any more when it turns out. */
static void test_slow_pause_that_loses(void **state)
{
	struct outcome outcome = { 0 };

	(void)state;
	assert_int_equal(open_page_cache(), 0);
	fake_sync.lost = EIO;
	fake_sync.slow_us = 300000;
	vbd_pause(world.vbd, 20, done, &outcome);
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, -ETIMEDOUT);
	wait_for_state(VBD_LIVE);
	assert_int_equal(outcome.calls, 1);
	assert_int_equal(do_request(BLKTAP_OP_FLUSH, 0, 0, 0), -EIO);
	assert_int_equal(close_image(0), 0);
	remove_images();
}

/* It closes, whatever becomes of what was written. */
static void test_close_writes_back(void **state)
{
	int fds[IMAGE_MAX_FILES];

	(void)state;
	assert_int_equal(open_page_cache(), 0);
	fake_sync.lost = EIO;
	assert_int_equal(close_image(0), 0);
	assert_int_equal(fake_sync.calls, 1);
	assert_int_equal(fake_sync.lost, 0);
	assert_int_equal(world.vbd->state, VBD_IDLE);
	remove_images();
	assert_int_equal(open_image(make_image(0, 1 << 20)), 0);
	fake_sync.lost = EIO;
	if (aio_driver.files(world.vbd->image, fds)) {
		/* It is there already. */
		assert_int_equal(pause_now(), 0);
		assert_int_equal(unpause_now(NULL), 0);
		assert_int_equal(close_image(0), 0);
		assert_int_equal(fake_sync.lost, EIO);
	} else {
		assert_int_equal(close_image(0), 0);
	}
	remove_images();
}

/* Who goes on with the image is to be told. */
static void test_session_ends_in_page_cache(void **state)
{
	(void)state;
	assert_int_equal(open_page_cache(), 0);
	fake_sync.lost = EIO;
	vbd_session_lost(world.vbd, "test");
	while (!world.gone)
		turn(2000);
	assert_int_equal(fake_sync.lost, EIO);
	remove_images();
}

/* -------------------------------------------------------------------- resize */

static void test_resize(void **state)
{
	struct fake_queue *q = &fake_ring->queues[0];

	(void)state;
	assert_int_equal(resize_now(1 << 20, false), -EINVAL);
	assert_int_equal(open_image(make_image(0, 1 << 20)), 0);
	assert_int_equal(do_request(BLKTAP_OP_READ, 0, 1 << 20, 4096), -EIO);
	assert_int_equal(resize_now(2 << 20, false), 0);
	assert_int_equal(fake_ring->capacity, 2 << 20);
	assert_int_equal(do_request(BLKTAP_OP_READ, 0, 1 << 20, 4096), 4096);
	/* as somebody else made it */
	assert_int_equal(truncate(file[0], 3 << 20), 0);
	assert_int_equal(resize_now(0, false), 0);
	assert_int_equal(fake_ring->capacity, 3 << 20);
	/* smaller only if that is meant */
	assert_int_equal(resize_now(1 << 20, false), -EINVAL);
	assert_int_equal(resize_now(1000, true), -EINVAL);
	assert_int_equal(truncate(file[0], 2 << 20), 0);
	assert_int_equal(resize_now(0, false), -EINVAL);
	assert_int_equal(fake_ring->capacity, 3 << 20);
	assert_int_equal(resize_now(1 << 20, true), 0);
	assert_int_equal(fake_ring->capacity, 1 << 20);
	assert_int_equal(do_request(BLKTAP_OP_READ, 0, 1 << 20, 4096), -EIO);
	assert_int_equal(q->rejected, 0);
	assert_int_equal(pause_now(), 0);
	assert_int_equal(resize_now(2 << 20, false), -EINVAL);
	assert_int_equal(close_image(0), 0);
	remove_images();
}

static off_t file_size(void)
{
	struct stat st;

	assert_int_equal(stat(file[0], &st), 0);
	return st.st_size;
}

static off_t then;

static void look_at_file(void)
{
	then = file_size();
}

static int no_resize(struct image *image, uint64_t capacity, bool shrink, uint64_t *now,
		     struct blktap_error *error)
{
	(void)capacity;
	(void)shrink;
	(void)now;
	return blktap_error_set(error, -EIO, "%s: no", image->path);
}

/* Whenever the tapdisk dies, there is enough of the image for the disk. */
static void test_resize_order(void **state)
{
	(void)state;
	assert_int_equal(open_image(make_image(0, 1 << 20)), 0);
	fake_resizing = look_at_file;
	assert_int_equal(resize_now(3 << 20, false), 0);
	assert_int_equal(then, 3 << 20);
	assert_int_equal(resize_now(2 << 20, true), 0);
	assert_int_equal(then, 3 << 20);
	assert_int_equal(file_size(), 2 << 20);
	/* What fails changes neither. */
	fake_resize_error = -EBUSY;
	assert_int_equal(resize_now(1 << 20, true), -EBUSY);
	assert_int_equal(file_size(), 2 << 20);
	fake_resize_error = 0;
	hold_requests();
	holding.submit = aio_driver.submit;
	holding.resize = no_resize;
	assert_int_equal(resize_now(1 << 20, true), -EIO);
	assert_int_equal(fake_ring->capacity, 2 << 20);
	assert_int_equal(do_request(BLKTAP_OP_READ, 0, 1 << 20, 4096), 4096);
	assert_int_equal(close_image(0), 0);
	remove_images();
}

/* ---------------------------------------------------------------- trying again */

static void test_retries(void **state)
{
	struct fake_queue *q = &fake_ring->queues[0];

	(void)state;
	assert_int_equal(open_image("ram:1M"), 0);
	hold_requests();
	fake_submit(q, 1, BLKTAP_OP_READ, 0, 0, 4096);
	turns(2);
	answer_held(-EBUSY);
	turns(2);
	assert_true(q->outstanding[1]);
	while (!nr_held)
		turn(1000);
	answer_held(0);
	complete_all(q, 1);
	assert_int_equal(q->results[1], 4096);
	/* other errors are for the user at once */
	fake_submit(q, 1, BLKTAP_OP_READ, 0, 0, 4096);
	turns(2);
	answer_held(-ENOSPC);
	complete_all(q, 1);
	assert_int_equal(q->results[1], -ENOSPC);
	/* and so are these when their time is over */
	assert_int_equal(close_image(0), 0);
}

/* Nobody has the disk open: who forces it does not wait for what is left. */
static void test_forced_close(void **state)
{
	struct fake_queue *q = &fake_ring->queues[0];
	struct outcome outcome = { 0 };

	(void)state;
	assert_int_equal(open_image("ram:1M"), 0);
	hold_requests();
	fake_submit(q, 1, BLKTAP_OP_READ, 0, 0, 4096);
	turns(2);
	answer_held(-EAGAIN);
	turns(2);
	assert_true(q->outstanding[1]);
	fake_ring->stop_state = BLKTAP_DISK_STATE_REMOVING;
	fake_ring->state.openers = 1;
	vbd_close(world.vbd, 20, true, done, &outcome);
	assert_int_equal(world.vbd->state, VBD_CLOSING);
	assert_true(q->outstanding[1]);
	/* Then it goes, whoever has it open. */
	complete_all(q, 1);
	assert_true(fake_ring->forced);
	assert_int_equal(q->results[1], -EIO);
	fake_ring->state.disk_state = BLKTAP_DISK_STATE_NONE;
	raise_pri();
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, 0);
}

static void test_retries_end(void **state)
{
	struct vbd_open_params params = {
		.image = "ram:1M", .request_timeout_ms = 60, .timeout_ms = -1,
	};
	struct fake_queue *q = &fake_ring->queues[0];
	struct outcome outcome = { 0 };
	unsigned int tries = 0;

	(void)state;
	vbd_open(world.vbd, &params, done, &outcome);
	wait_for(&outcome);
	hold_requests();
	fake_submit(q, 1, BLKTAP_OP_WRITE, 0, 0, 4096);
	while (q->outstanding[1]) {
		turn(1000);
		tries += nr_held;
		answer_held(-EBUSY);
	}
	assert_int_equal(q->results[1], -EBUSY);
	assert_in_range(tries, 2, 6);
	fake_submit(q, 1, BLKTAP_OP_WRITE, 0, 0, 4096);
	turns(2);
	answer_held(-EAGAIN);	/* a second is too long */
	complete_all(q, 1);
	assert_int_equal(q->results[1], -EAGAIN);
	assert_int_equal(close_image(0), 0);
}

/* What the kernel has failed already is not written to the image after all. */
static void test_no_retries_without_session(void **state)
{
	uint64_t start;

	(void)state;
	assert_int_equal(open_image("ram:1M"), 0);
	hold_requests();
	fake_submit(&fake_ring->queues[0], 1, BLKTAP_OP_WRITE, 0, 0, 4096);
	turns(2);
	answer_held(-EAGAIN);
	start = loop_now();
	vbd_session_lost(world.vbd, "test");
	while (!world.gone && !nr_held)
		turn(2000);
	assert_int_equal(nr_held, 0);
	assert_true(loop_now() - start < 900000000);
}

/* Nor must an open that is given up wait for it. */
static void test_no_retries_of_scan(void **state)
{
	struct fake_queue *q = &fake_ring->queues[0];
	struct outcome outcome;

	(void)state;
	fake_ring->start_state = BLKTAP_DISK_STATE_ADDING;
	start_open(&outcome, "ram:1M", -1);
	wait_for_state(VBD_STARTING);
	hold_requests();
	fake_submit(q, 1, BLKTAP_OP_READ, 0, 0, 4096);
	turns(2);
	answer_held(-EAGAIN);
	/* Now, however long all that took. */
	world.vbd->deadline.fire(&world.vbd->deadline);
	complete_all(q, 1);
	assert_int_equal(q->results[1], -EIO);
	assert_int_equal(nr_held, 0);
	fake_ring->state.disk_state = BLKTAP_DISK_STATE_NONE;
	raise_pri();
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, -ETIMEDOUT);
}

/* ---------------------------------------------------------------- statistics */

static json_int_t number(const json_t *json, const char *path)
{
	char word[64];

	while (json && *path) {
		size_t length = strcspn(path, ".");

		memcpy(word, path, length);
		word[length] = '\0';
		json = json_is_array(json) ? json_array_get(json, strtoul(word, NULL, 10)) :
		       json_object_get(json, word);
		path += length + (path[length] == '.');
	}
	assert_true(json_is_integer(json));
	return json_integer_value(json);
}

static void test_statistics(void **state)
{
	struct fake_queue *q = &fake_ring->queues[1];
	json_t *stats;

	(void)state;
	stats = vbd_stats(world.vbd);
	assert_string_equal(json_string_value(json_object_get(stats, "name")), "");
	json_decref(stats);
	assert_int_equal(open_image("ram:1M"), 0);
	assert_int_equal(do_request(BLKTAP_OP_WRITE, 0, 0, 8192), 8192);
	assert_int_equal(do_request(BLKTAP_OP_READ, 0, 0, 4096), 4096);
	assert_int_equal(do_request(BLKTAP_OP_READ, 0, 2 << 20, 4096), -EIO);
	hold_requests();
	fake_submit(q, 1, BLKTAP_OP_FLUSH, 0, 0, 0);
	turns(3);
	usleep(3000);
	stats = vbd_stats(world.vbd);
	assert_int_equal(number(stats, "queues.1.outstanding"), 1);
	assert_int_equal(number(stats, "reqs_outstanding"), 1);
	json_decref(stats);
	answer_held(0);
	complete_all(q, 1);
	stats = vbd_stats(world.vbd);
	assert_int_equal(number(stats, "secs.0"), 8);
	assert_int_equal(number(stats, "secs.1"), 16);
	assert_int_equal(number(stats, "images.0.hits.1"), 16);
	assert_int_equal(number(stats, "images.0.fail.0"), 8);
	assert_int_equal(number(stats, "images.0.driver.type"), 5);
	assert_int_equal(number(stats, "tap.reqs.0"), 4);
	assert_int_equal(number(stats, "tap.reqs.1"), 4);
	assert_int_equal(number(stats, "queues.0.ops.read.requests"), 2);
	assert_int_equal(number(stats, "queues.0.ops.read.errors"), 1);
	assert_int_equal(number(stats, "queues.0.ops.read.bytes"), 4096);
	assert_int_equal(number(stats, "queues.1.ops.flush.requests"), 1);
	assert_true(number(stats, "queues.1.ops.flush.time_ns") >= 3000000);
	/* 3 ms and more: above 2^11 microseconds */
	assert_int_equal(number(stats, "queues.1.ops.flush.latency.11"), 0);
	json_decref(stats);
	assert_int_equal(close_image(0), 0);
}

static void test_latency_buckets(void **state)
{
	struct queue_stats stats = { 0 };
	const uint64_t *latency = stats.ops[0].latency;

	(void)state;
	stats_answer(&stats, 0, 512, 0, 999);
	assert_int_equal(latency[0], 1);
	stats_answer(&stats, 0, 512, 0, 1000);
	assert_int_equal(latency[1], 1);
	stats_answer(&stats, 0, 512, 0, 2000);
	stats_answer(&stats, 0, 512, 0, 3999);
	assert_int_equal(latency[2], 2);
	stats_answer(&stats, 0, 512, 0, UINT64_MAX);
	assert_int_equal(latency[STATS_BUCKETS - 1], 1);
	stats_answer(&stats, 200, 512, 0, 0);
	assert_int_equal(stats.answered, 6);
}

/* -------------------------------------------------------------------- sharing */

static void test_shared_images(void **state)
{
	const char *spec = make_image(0, 1 << 20);
	struct image_params params = {
		.read_only = true, .minor = 65535, .table = world.images,
	};
	struct image *a, *b, *c;

	(void)state;
	assert_int_equal(image_open(&a, spec, &params, &err), 0);
	assert_int_equal(image_open(&b, spec, &params, &err), 0);
	assert_ptr_equal(a, b);
	params.no_direct = true;
	assert_int_equal(image_open(&c, spec, &params, &err), 0);
	assert_ptr_not_equal(a, c);
	image_close(c);
	params.no_direct = false;
	/* another file of that name is another image */
	unlink(file[0]);
	close(open(file[0], O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(truncate(file[0], 1 << 20), 0);
	assert_int_equal(image_open(&c, spec, &params, &err), 0);
	assert_ptr_not_equal(a, c);
	image_close(a);
	image_close(c);
	/* nobody is left but b */
	params.read_only = false;
	assert_int_equal(image_open(&c, spec, &params, &err), 0);
	image_close(c);
	image_close(b);
	remove_images();
}

/* -------------------------------------------------------------------- threads */

/* The life of a disk that has a thread of its own. */
static void test_threads(void **state)
{
	unsigned int i;

	(void)state;
	world.env.threads = true;
	for (i = 0; i < 20; i++) {
		assert_int_equal(open_image("ram:1M"), 0);
		assert_true(server_threaded(world.vbd->server));
		assert_int_equal(pause_now(), 0);
		assert_int_equal(unpause_now("ram:1M"), 0);
		assert_int_equal(resize_now(2 << 20, false), 0);
		if (i % 2)
			assert_int_equal(pause_now(), 0);
		assert_int_equal(close_image(0), 0);
	}
	assert_int_equal(open_image("ram:1M"), 0);
	vbd_session_lost(world.vbd, "test");
	while (!world.gone)
		turn(2000);
}

/*
 * The server's thread gets far enough while the owner's loop does not turn, as a rule:
 * whether it does decides what is tried, and not what comes of it.
 */
static void let_server_run(void)
{
	fake_poll(fake_ring);
	usleep(100000);
}

/*
 * What a server has said and nobody has heard yet goes with it. Without workers
 * it goes at once.
 */
static void test_old_messages(void **state)
{
	struct fake_queue *q = &fake_ring->queues[0];
	struct outcome outcome = { 0 };

	(void)state;
	workers_free(world.workers);
	assert_int_equal(workers_new(&world.workers, world.loop, 0), 0);
	world.env.workers = world.workers;
	world.env.threads = true;
	assert_int_equal(open_image("ram:1M"), 0);
	vbd_pause(world.vbd, -1, done, &outcome);
	let_server_run();
	assert_true(vbd_withdraw(world.vbd, &outcome));
	let_server_run();
	/* the session is lost while word of the first drain is still under way */
	fake_ring->enter_error = -ENODEV;
	fake_submit(q, 1, BLKTAP_OP_READ, 0, 0, 4096);
	let_server_run();
	vbd_pause(world.vbd, -1, done, &outcome);
	let_server_run();
	assert_int_equal(outcome.calls, 0);
	wait_for(&outcome);
	/* It may have heard of that already. */
	if (!world.gone)
		vbd_session_lost(world.vbd, "test");
	while (!world.gone)
		turn(2000);
}

static int set_up_holding(void **state)
{
	return set_up_with(state, BLKTAP_F_HOLD);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	TEST(test_requests_are_held),
	cmocka_unit_test_setup_teardown(test_release_comes_first, set_up_holding, tear_down),
	TEST(test_lock_is_released),
	TEST(test_pause_waits),
	TEST(test_pause_is_cancelled),
	TEST(test_failed_unpause),
	TEST(test_unpause_larger),
	TEST(test_odd_size),
	TEST(test_close_while_paused),
	TEST(test_session_ends_in_pause),
	TEST(test_pause_writes_back),
	cmocka_unit_test_setup_teardown(test_pause_that_loses, set_up_holding, tear_down),
	TEST(test_paused_with_loss),
	TEST(test_slow_pause_that_loses),
	TEST(test_close_writes_back),
	TEST(test_session_ends_in_page_cache),
	TEST(test_resize),
	TEST(test_resize_order),
	TEST(test_retries),
	TEST(test_retries_end),
	TEST(test_forced_close),
	TEST(test_no_retries_without_session),
	TEST(test_no_retries_of_scan),
	TEST(test_statistics),
	TEST(test_latency_buckets),
	TEST(test_shared_images),
	TEST(test_threads),
	TEST(test_old_messages),
};

int main(void)
{
	blktap_log_init("test", BLKTAP_LOG_STDERR, LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

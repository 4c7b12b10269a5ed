// SPDX-License-Identifier: GPL-2.0-only
/*
 * Storage that does not answer, while an image is opened or its files are given to the
 * kernel: other disks do not notice.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <syslog.h>

#include <cmocka.h>

#include "image-identity.h"
#include "world.h"
#include "../offer.h"

#define IMAGES	8
#define ALL	(BLKTAP_F_DATA_ON_DEMAND | BLKTAP_F_REDIRECT | BLKTAP_F_EXTENTS | BLKTAP_F_HOLD)
#define SOON	20000000000ULL	/* ns: what is not there by then will not come */

/* ------------------------------------------------------------------- storage */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;
static pthread_t main_thread;
static bool hangs;
static bool opens_hang;		/* too, not only what the kernel does */
static unsigned int asked;	/* in vain */
static bool main_waited;	/* it would have */

static void ask_storage(void)
{
	pthread_mutex_lock(&lock);
	if (hangs && pthread_equal(pthread_self(), main_thread))
		main_waited = true;
	asked += hangs;
	while (hangs && !main_waited)
		pthread_cond_wait(&change, &lock);
	pthread_mutex_unlock(&lock);
}

static void hang(void)
{
	pthread_mutex_lock(&lock);
	hangs = true;
	pthread_mutex_unlock(&lock);
}

static void answer(void)
{
	pthread_mutex_lock(&lock);
	hangs = false;
	pthread_cond_broadcast(&change);
	pthread_mutex_unlock(&lock);
}

static unsigned int how_many_asked(void)
{
	unsigned int count;

	pthread_mutex_lock(&lock);
	count = asked;
	pthread_mutex_unlock(&lock);
	return count;
}

/* In the place of the library's: the last step of an open. */
int image_identity(int fd, const char *path, char identity[IMAGE_IDENTITY_SIZE])
{
	struct stat st;

	(void)path;
	if (opens_hang)
		ask_storage();
	assert_int_equal(fstat(fd, &st), 0);
	snprintf(identity, IMAGE_IDENTITY_SIZE, "%llu", (unsigned long long)st.st_ino);
	return 0;
}

static char spec[IMAGES][80];

static void make_images(void)
{
	unsigned int i;
	int fd;

	for (i = 0; i < IMAGES; i++) {
		strcpy(spec[i], "aio:/var/tmp/tapdisk-XXXXXX");
		fd = mkstemp(spec[i] + 4);
		assert_true(fd >= 0);
		assert_int_equal(ftruncate(fd, 1 << 20), 0);
		close(fd);
	}
}

/* ----------------------------------------------------------------- two disks */

/* world.vbd is the one that must not notice. */
static struct vbd *stuck;
static struct blktap_ring *other_ring;

static int with_two(void **state)
{
	if (set_up_with(state, ALL))
		return -1;
	main_thread = pthread_self();
	main_waited = false;
	asked = 0;
	opens_hang = true;
	make_images();
	if (open_image(spec[IMAGES - 1]))
		return -1;
	other_ring = fake_ring;
	if (vbd_attach(&stuck, &world.env, 8, -1, &err))
		return -1;
	fake_ring = other_ring;
	return 0;
}

static int without_two(void **state)
{
	unsigned int i;

	answer();
	if (stuck)
		assert_int_equal(vbd_detach(stuck, &err), 0);
	stuck = NULL;
	assert_int_equal(close_image(0), 0);
	for (i = 0; i < IMAGES; i++)
		unlink(spec[i] + 4);
	return tear_down(state);
}

static void wait_soon(const struct outcome *outcome)
{
	uint64_t end = loop_now() + SOON;

	while (!outcome->calls && loop_now() < end)
		turn(100);
	assert_int_equal(outcome->calls, 1);
}

static void wait_until_asked(unsigned int count)
{
	uint64_t end = loop_now() + SOON;

	while (how_many_asked() < count && !main_waited && loop_now() < end)
		turn(10);
	assert_false(main_waited);
	assert_int_equal(how_many_asked(), count);
}

static void wait_for_stuck(enum vbd_state state)
{
	uint64_t end = loop_now() + SOON;

	while (stuck->state != state && loop_now() < end)
		turn(100);
	assert_int_equal(stuck->state, state);
}

static void begin_open(struct outcome *outcome, const char *image, int timeout_ms)
{
	struct vbd_open_params params = { .image = image, .timeout_ms = timeout_ms };

	memset(outcome, 0, sizeof(*outcome));
	vbd_open(stuck, &params, done, outcome);
}

static int open_stuck(const char *image, int timeout_ms)
{
	struct outcome outcome;

	begin_open(&outcome, image, timeout_ms);
	wait_soon(&outcome);
	err = outcome.err;
	return outcome.err.code;
}

static int pause_vbd(struct vbd *vbd, int timeout_ms)
{
	struct outcome outcome = { 0 };

	vbd_pause(vbd, timeout_ms, done, &outcome);
	wait_soon(&outcome);
	return outcome.err.code;
}

static int unpause_vbd(struct vbd *vbd, const char *image, int timeout_ms)
{
	struct outcome outcome = { 0 };

	vbd_unpause(vbd, image, timeout_ms, done, &outcome);
	wait_soon(&outcome);
	err = outcome.err;
	return outcome.err.code;
}

static void close_stuck(void)
{
	struct outcome outcome = { 0 };

	vbd_close(stuck, 0, false, done, &outcome);
	wait_soon(&outcome);
	assert_int_equal(outcome.err.code, 0);
}

static void expect_others_served(void)
{
	assert_int_equal(do_request(BLKTAP_OP_READ, 0, 4096, 4096), 4096);
	assert_false(main_waited);
}

/* -------------------------------------------------------------------- opening */

/* More than there are workers: what others have for workers is done all the same. */
static void test_abandoned_opens(void **state)
{
	unsigned int i;

	(void)state;
	hang();
	for (i = 0; i < 4; i++)
		assert_int_equal(open_stuck(spec[i], 20), -ETIMEDOUT);
	wait_until_asked(4);
	assert_int_equal(pause_vbd(world.vbd, -1), 0);
	answer();
	assert_int_equal(unpause_vbd(world.vbd, NULL, -1), 0);
}

/* A pause that is queued when all workers hang goes on as soon as one of them is given up. */
static void test_queued_behind_opens(void **state)
{
	struct outcome first, second, outcome = { 0 };
	struct vbd *one = stuck;

	(void)state;
	assert_int_equal(vbd_attach(&stuck, &world.env, 9, -1, &err), 0);
	fake_ring = other_ring;
	hang();
	begin_open(&first, spec[0], 300);
	vbd_open(one, &(struct vbd_open_params){ .image = spec[1], .timeout_ms = 60000 }, done,
		 memset(&second, 0, sizeof(second)));
	wait_until_asked(2);
	vbd_pause(world.vbd, -1, done, &outcome);
	wait_soon(&outcome);
	assert_int_equal(outcome.err.code, 0);
	assert_int_equal(first.err.code, -ETIMEDOUT);
	answer();
	wait_soon(&second);
	assert_int_equal(second.err.code, 0);
	assert_int_equal(unpause_vbd(world.vbd, NULL, -1), 0);
	assert_int_equal(vbd_detach(stuck, &err), 0);
	stuck = one;
	close_stuck();
}

/* Not for ever more, whoever has the minor. */
static void test_too_many_opens(void **state)
{
	unsigned int i;

	(void)state;
	hang();
	assert_int_equal(open_stuck(spec[0], 20), -ETIMEDOUT);
	assert_int_equal(open_stuck(spec[0], 20), -EBUSY);
	assert_non_null(strstr(err.text, "tapdev8: an earlier open of aio:/var/tmp/"));
	assert_int_equal(vbd_detach(stuck, &err), 0);
	assert_int_equal(vbd_attach(&stuck, &world.env, 8, -1, &err), 0);
	fake_ring = other_ring;
	assert_int_equal(open_stuck(spec[0], 20), -EBUSY);
	/* What hangs may be left for something else. */
	assert_int_equal(open_stuck("ram:1M", -1), 0);
	assert_int_equal(pause_vbd(stuck, -1), 0);
	assert_int_equal(unpause_vbd(stuck, spec[0], 20), -EBUSY);
	for (i = 1; i < 4; i++)
		assert_int_equal(unpause_vbd(stuck, spec[i], 20), -ETIMEDOUT);
	assert_int_equal(unpause_vbd(stuck, "ram:1M", 20), -EBUSY);
	assert_int_equal(stuck->state, VBD_PAUSED);
	expect_others_served();
	answer();
	while (!list_empty(&world.abandoned))
		turn(1000);
	assert_int_equal(unpause_vbd(stuck, "ram:1M", -1), 0);
	close_stuck();
	assert_int_equal(open_stuck(spec[0], -1), 0);
	close_stuck();
}

/* ---------------------------------------------------- files given to the kernel */

/* REGISTER hangs, and nothing before it does. */
static void hang_then(void)
{
	hang();
	ask_storage();
}

static void skip_without_files(void)
{
	int fds[IMAGE_MAX_FILES];

	if (world.vbd->image->driver->files(world.vbd->image, fds))
		return;
	skip();
}

/* Its time is up once storage was asked @count times, however long all that took. */
static void be_late(unsigned int count)
{
	wait_until_asked(count);
	stuck->deadline.fire(&stuck->deadline);
}

static void open_late(const char *image, unsigned int count)
{
	struct outcome outcome;

	begin_open(&outcome, image, -1);
	be_late(count);
	assert_int_equal(outcome.calls, 1);
	assert_int_equal(outcome.err.code, -ETIMEDOUT);
	assert_int_equal(stuck->state, VBD_OPENING);
}

static void test_open_registers(void **state)
{
	struct outcome outcome;
	unsigned int calls;

	(void)state;
	skip_without_files();
	fake_registering = hang_then;
	begin_open(&outcome, spec[0], -1);
	wait_until_asked(1);
	expect_others_served();
	assert_int_equal(outcome.calls, 0);
	answer();
	wait_soon(&outcome);
	assert_int_equal(outcome.err.code, 0);
	close_stuck();

	/* Too late: it is undone when that has ended, and not before. */
	open_late(spec[0], 2);
	assert_int_equal(vbd_detach(stuck, &err), -EBUSY);
	expect_others_served();
	calls = fake_nr_calls;
	answer();
	wait_for_stuck(VBD_IDLE);
	assert_int_equal(fake_nr_calls, calls + 2);
	assert_int_equal(fake_calls[calls].what, FAKE_REGISTER);
	assert_int_equal(fake_calls[calls + 1].what, FAKE_UNREGISTER);
	assert_true(fake_calls[calls + 1].open);
	fake_registering = NULL;
	assert_int_equal(open_stuck(spec[0], -1), 0);
	close_stuck();
}

/* What goes on after its caller was told that it takes too long is in nobody's way either. */
static void test_many_register(void **state)
{
	struct vbd *one = stuck;

	(void)state;
	skip_without_files();
	opens_hang = false;
	hang();
	fake_registering = ask_storage;
	open_late(spec[0], 1);
	assert_int_equal(vbd_attach(&stuck, &world.env, 9, -1, &err), 0);
	fake_ring = other_ring;
	open_late(spec[1], 2);
	assert_int_equal(pause_vbd(world.vbd, -1), 0);
	answer();
	wait_for_stuck(VBD_IDLE);
	assert_int_equal(vbd_detach(stuck, &err), 0);
	stuck = one;
	wait_for_stuck(VBD_IDLE);
	assert_int_equal(unpause_vbd(world.vbd, NULL, -1), 0);
}

static void test_unpause_registers(void **state)
{
	struct outcome outcome = { 0 };

	(void)state;
	skip_without_files();
	assert_int_equal(open_stuck(spec[0], -1), 0);
	assert_int_equal(pause_vbd(stuck, -1), 0);
	fake_registering = hang_then;
	vbd_unpause(stuck, spec[1], -1, done, &outcome);
	be_late(1);
	assert_int_equal(outcome.err.code, -ETIMEDOUT);
	assert_int_equal(vbd_user_state(stuck), 0x2a);
	assert_int_equal(unpause_vbd(stuck, spec[2], 200), -EBUSY);
	expect_others_served();
	answer();
	wait_for_stuck(VBD_PAUSED);
	assert_string_equal(stuck->spec, spec[0]);
	fake_registering = NULL;
	assert_int_equal(unpause_vbd(stuck, NULL, -1), 0);
	close_stuck();
}

static void test_undone_pause_registers(void **state)
{
	struct outcome outcome = { 0 };

	(void)state;
	skip_without_files();
	assert_int_equal(open_stuck(spec[0], -1), 0);
	/* The kernel's I/O to the image takes long to end, so that the pause is given up. */
	fake_registering = hang_then;
	hang();
	fake_unmapping = ask_storage;
	vbd_pause(stuck, -1, done, &outcome);
	be_late(1);
	assert_int_equal(outcome.err.code, -ETIMEDOUT);
	answer();
	wait_until_asked(2);
	fake_unmapping = NULL;
	assert_int_equal(stuck->state, VBD_RELEASING);
	expect_others_served();
	answer();
	wait_for_stuck(VBD_LIVE);
	assert_string_equal(stuck->spec, spec[0]);
	close_stuck();
}

static void begin_adopting(struct outcome *outcome)
{
	struct vbd_offer offer = {
		.minor = 8,
		.image = spec[0],
		.request_timeout_ms = -1,
		.capacity = 1 << 20,
		.logical_block_size = 512,
		.physical_block_size = 512,
		.disk_flags = BLKTAP_DISK_WRITE_CACHE | BLKTAP_DISK_FUA,
	};
	int fd = open(spec[0] + 4, O_RDWR | O_DIRECT | O_CLOEXEC);

	assert_true(fd >= 0);
	memset(outcome, 0, sizeof(*outcome));
	vbd_adopt(stuck, &offer, &fd, 1, -1, done, outcome);
}

static void test_adopting_registers(void **state)
{
	struct outcome outcome;

	(void)state;
	skip_without_files();
	fake_registering = hang_then;
	begin_adopting(&outcome);
	be_late(1);
	expect_others_served();
	assert_int_equal(stuck->state, VBD_ADOPTING);
	answer();
	wait_soon(&outcome);
	assert_int_equal(outcome.err.code, -ETIMEDOUT);
	assert_int_equal(stuck->state, VBD_IDLE);
	fake_registering = NULL;
	begin_adopting(&outcome);
	wait_soon(&outcome);
	assert_string_equal(outcome.err.text, "");
	assert_int_equal(stuck->state, VBD_ADOPTED);
	memset(&outcome, 0, sizeof(outcome));
	vbd_disown(stuck, done, &outcome);
	wait_soon(&outcome);
}

/* The worker uses the session's ring: that is there until it does not any more. */
static void test_session_ends_meanwhile(void **state)
{
	struct vbd *other = world.vbd;
	struct outcome outcome;

	(void)state;
	skip_without_files();
	fake_registering = hang_then;
	begin_open(&outcome, spec[0], -1);
	wait_until_asked(1);
	vbd_session_lost(stuck, "test");
	be_late(1);
	assert_int_equal(outcome.err.code, -EIO);
	expect_others_served();
	assert_int_equal(fake_rings, 2);
	stuck = NULL;
	answer();
	while (!world.gone)
		turn(1000);
	world.vbd = other;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, with_two, without_two)

static const struct CMUnitTest tests[] = {
	TEST(test_abandoned_opens),
	TEST(test_queued_behind_opens),
	TEST(test_too_many_opens),
	TEST(test_open_registers),
	TEST(test_many_register),
	TEST(test_unpause_registers),
	TEST(test_undone_pause_registers),
	TEST(test_adopting_registers),
	TEST(test_session_ends_meanwhile),
};

int main(void)
{
	blktap_log_init("test", BLKTAP_LOG_STDERR, LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a VBD leaves in writing, as the library reads it.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <syslog.h>

#include <cmocka.h>

#include "world.h"
#include "../vbd-record.h"

static char folder[] = "/tmp/test-record-XXXXXX";
static struct blktap_record *record;

static int set_up_records(void **state)
{
	char socket[64];

	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(setenv("BLKTAP_CONTROL_DIR", folder, 1), 0);
	assert_int_equal(set_up(state), 0);
	snprintf(socket, sizeof(socket), "%s/ctl1", folder);
	world.env.records = record_open_folder(socket);
	assert_true(world.env.records >= 0);
	return 0;
}

static int tear_down_records(void **state)
{
	char command[64];
	int ret;

	close(world.env.records);
	ret = tear_down(state);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command) || ret;
}

static int nr_files(void)
{
	char command[64];
	int count = -1;
	FILE *pipe;

	snprintf(command, sizeof(command), "ls -A %s | wc -l", folder);
	pipe = popen(command, "re");
	assert_int_equal(fscanf(pipe, "%d", &count), 1);
	pclose(pipe);
	return count;
}

static bool read_paused(void)
{
	bool paused;

	assert_int_equal(blktap_record_read(7, &record, &err), 0);
	paused = record->paused;
	blktap_record_free(record);
	return paused;
}

static void test_from_open_to_close(void **state)
{
	struct vbd_open_params params = {
		.image = "ram:1M", .read_only = true, .request_timeout_ms = 7000,
		.max_spin_ns = 50000, .restart = true, .timeout_ms = -1,
	};
	struct outcome outcome = { 0 };

	(void)state;
	world.env.no_sandbox = true;
	vbd_open(world.vbd, &params, done, &outcome);
	assert_int_equal(nr_files(), 0);
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, 0);
	assert_int_equal(nr_files(), 1);
	assert_int_equal(blktap_record_read(7, &record, &err), 0);
	assert_int_equal(record->pid, getpid());
	assert_string_equal(record->open.image, "ram:1M");
	assert_true(record->open.read_only);
	assert_false(record->open.no_direct);
	assert_int_equal(record->open.request_timeout_ms, 7000);
	assert_int_equal(record->open.spin_us, 50);
	assert_int_equal(record->open.kernel_io, BLKTAP_KERNEL_IO_AUTO);
	assert_true(record->open.restart);
	assert_false(record->paused);
	assert_true(record->spawn.no_sandbox);
	assert_null(record->spawn.user);
	blktap_record_free(record);
	world.env.no_sandbox = false;
	assert_int_equal(close_image(0), 0);
	assert_int_equal(nr_files(), 0);
}

/* As it can be asked for, and read again. */
static void test_retries_without_limit(void **state)
{
	struct vbd_open_params params = {
		.image = "ram:1M", .request_timeout_ms = -1, .timeout_ms = -1,
	};
	struct outcome outcome = { 0 };

	(void)state;
	vbd_open(world.vbd, &params, done, &outcome);
	wait_for(&outcome);
	assert_int_equal(blktap_record_read(7, &record, &err), 0);
	assert_int_equal(record->open.request_timeout_ms, -1);
	blktap_record_free(record);
	assert_int_equal(close_image(0), 0);
}

/* Who has the disk need not wait for the partitions; nor does its tapdisk's death. */
static void test_from_the_start(void **state)
{
	struct outcome outcome;

	(void)state;
	fake_ring->start_state = BLKTAP_DISK_STATE_ADDING;
	start_open(&outcome, "ram:1M", -1);
	wait_for_state(VBD_STARTING);
	assert_int_equal(outcome.calls, 0);
	assert_int_equal(blktap_record_read(7, &record, &err), 0);
	assert_string_equal(record->open.image, "ram:1M");
	blktap_record_free(record);
	/* It does not come about. */
	fake_ring->state.disk_state = BLKTAP_DISK_STATE_NONE;
	raise_pri();
	wait_for(&outcome);
	assert_int_not_equal(outcome.err.code, 0);
	assert_int_equal(nr_files(), 0);
}

static void test_pause_and_another_image(void **state)
{
	struct outcome outcome = { 0 };

	(void)state;
	assert_int_equal(open_image("ram:1M"), 0);
	vbd_pause(world.vbd, -1, done, &outcome);
	wait_for(&outcome);
	assert_true(read_paused());
	memset(&outcome, 0, sizeof(outcome));
	vbd_unpause(world.vbd, "ram:1024K", -1, done, &outcome);
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, 0);
	assert_false(read_paused());
	assert_int_equal(blktap_record_read(7, &record, &err), 0);
	assert_string_equal(record->open.image, "ram:1024K");
	blktap_record_free(record);
	memset(&outcome, 0, sizeof(outcome));
	vbd_switch(world.vbd, BLKTAP_KERNEL_IO_OFF, -1, done, &outcome);
	wait_for(&outcome);
	assert_int_equal(blktap_record_read(7, &record, &err), 0);
	assert_int_equal(record->open.kernel_io, BLKTAP_KERNEL_IO_OFF);
	blktap_record_free(record);
	assert_int_equal(close_image(0), 0);
	assert_int_equal(nr_files(), 0);
}

static void test_change_cannot_be_written(void **state)
{
	struct outcome outcome = { 0 };
	char path[64];

	(void)state;
	assert_int_equal(open_image("ram:1M"), 0);
	assert_int_equal(nr_files(), 1);
	snprintf(path, sizeof(path), "%s/tap7.new", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	vbd_pause(world.vbd, -1, done, &outcome);
	wait_for(&outcome);
	/* Better none than one that does not hold. */
	assert_int_equal(blktap_record_read(7, &record, &err), -ENOENT);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(close_image(0), 0);
}

static bool is_identified(const char *path)
{
	char identity[IMAGE_IDENTITY_SIZE] = "";
	bool is;

	if (path)
		assert_int_equal(image_identity(AT_FDCWD, path, identity), 0);
	assert_int_equal(blktap_record_read(7, &record, &err), 0);
	is = path ? record->image_identity && strcmp(record->image_identity, identity) == 0 :
		    !record->image_identity;
	blktap_record_free(record);
	return is;
}

static void make_image(const char *path)
{
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_int_equal(truncate(path, 1 << 20), 0);
}

/* The one that is open, whatever its name leads to. */
static void test_identity(void **state)
{
	char image[64], moved[64], spec[80], scatter[96];
	struct outcome outcome = { 0 };

	(void)state;
	snprintf(image, sizeof(image), "%s/image", folder);
	snprintf(moved, sizeof(moved), "%s/moved", folder);
	snprintf(spec, sizeof(spec), "aio:%s", image);
	snprintf(scatter, sizeof(scatter), "scatter:%s,block=4K", moved);
	make_image(image);
	assert_int_equal(open_image(spec), 0);
	assert_true(is_identified(image));
	assert_int_equal(rename(image, moved), 0);
	make_image(image);
	vbd_switch(world.vbd, BLKTAP_KERNEL_IO_OFF, -1, done, &outcome);
	wait_for(&outcome);
	assert_true(is_identified(moved));
	memset(&outcome, 0, sizeof(outcome));
	vbd_pause(world.vbd, -1, done, &outcome);
	wait_for(&outcome);
	assert_true(is_identified(NULL));
	memset(&outcome, 0, sizeof(outcome));
	vbd_unpause(world.vbd, NULL, -1, done, &outcome);
	wait_for(&outcome);
	assert_true(is_identified(image));
	assert_int_equal(close_image(0), 0);
	assert_int_equal(open_image(scatter), 0);
	assert_true(is_identified(moved));
	assert_int_equal(close_image(0), 0);
	assert_int_equal(open_image("ram:1M"), 0);
	assert_true(is_identified(NULL));
	assert_int_equal(close_image(0), 0);
}

/* ------------------------------------------------------ a pause that is given up */

static char named[64], other[64], kept[64];

/* A disk with @named, which is @kept as well; @other is to take its name. */
static void begin_pause(struct outcome *outcome)
{
	char spec[80];

	snprintf(named, sizeof(named), "%s/image", folder);
	snprintf(other, sizeof(other), "%s/other", folder);
	snprintf(kept, sizeof(kept), "%s/kept", folder);
	snprintf(spec, sizeof(spec), "aio:%s", named);
	make_image(named);
	make_image(other);
	assert_int_equal(link(named, kept), 0);
	assert_int_equal(open_image(spec), 0);
	*outcome = (struct outcome){ 0 };
	vbd_pause(world.vbd, -1, done, outcome);
	wait_for_state(VBD_RELEASING);
}

/* Too late to keep it open. */
static void wait_for_closing(void)
{
	while (world.vbd->image)
		turn(2000);
	assert_int_equal(world.vbd->state, VBD_RELEASING);
}

static void write_disk(void)
{
	memset(fake_data(&fake_ring->queues[0], 9), 'x', 4096);
	assert_int_equal(do_request(BLKTAP_OP_WRITE, 0, 4096, 4096), 4096);
}

static bool was_written(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char byte;

	assert_int_equal(pread(fd, &byte, 1, 4096), 1);
	close(fd);
	return byte == 'x';
}

/* The disk goes on with the image that it has, whatever its name leads to. */
static void test_pause_given_up(void **state)
{
	struct outcome outcome;

	(void)state;
	begin_pause(&outcome);
	assert_int_equal(rename(other, named), 0);
	assert_true(vbd_withdraw(world.vbd, &outcome));
	wait_for_state(VBD_LIVE);
	write_disk();
	assert_true(was_written(kept));
	assert_false(was_written(named));
	assert_true(is_identified(kept));
	assert_false(read_paused());
	assert_int_equal(outcome.calls, 0);
	assert_int_equal(close_image(0), 0);
}

/* Or with the one that is still there; else the pause stays. */
static void test_pause_given_up_late(void **state)
{
	struct outcome outcome;

	(void)state;
	begin_pause(&outcome);
	wait_for_closing();
	assert_true(vbd_withdraw(world.vbd, &outcome));
	wait_for_state(VBD_LIVE);
	write_disk();
	assert_true(was_written(kept));
	assert_int_equal(close_image(0), 0);
}

static void test_pause_that_stays(void **state)
{
	struct outcome outcome;

	(void)state;
	begin_pause(&outcome);
	wait_for_closing();
	assert_int_equal(rename(other, named), 0);
	assert_true(vbd_withdraw(world.vbd, &outcome));
	wait_for_state(VBD_PAUSED);
	assert_true(read_paused());
	/* Who asks for it means what is there. */
	memset(&outcome, 0, sizeof(outcome));
	vbd_unpause(world.vbd, NULL, -1, done, &outcome);
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, 0);
	assert_true(is_identified(named));
	assert_int_equal(close_image(0), 0);
}

/* It cannot be had again. */
static void test_pause_without_image(void **state)
{
	struct outcome outcome;

	(void)state;
	begin_pause(&outcome);
	wait_for_closing();
	assert_int_equal(unlink(named), 0);
	assert_true(vbd_withdraw(world.vbd, &outcome));
	wait_for_state(VBD_PAUSED);
	assert_true(read_paused());
	assert_int_equal(close_image(0), 0);
	/* What was in memory is gone. */
	assert_int_equal(open_image("ram:1M"), 0);
	vbd_pause(world.vbd, -1, done, &outcome);
	wait_for_state(VBD_RELEASING);
	wait_for_closing();
	assert_true(vbd_withdraw(world.vbd, &outcome));
	wait_for_state(VBD_PAUSED);
	assert_int_equal(close_image(0), 0);
}

/* It is for who comes next. */
static void test_session_ends(void **state)
{
	(void)state;
	assert_int_equal(open_image("ram:1M"), 0);
	vbd_session_lost(world.vbd, "test");
	while (!world.gone)
		turn(2000);
	assert_int_equal(nr_files(), 1);
	assert_false(read_paused());
}

static bool is_recorded(const char *image)
{
	bool is;

	if (blktap_record_read(7, &record, &err))
		return false;
	is = strcmp(record->open.image, image) == 0;
	blktap_record_free(record);
	return is;
}

static unsigned int recorded;

static void note_record(void)
{
	recorded += is_recorded("ram:2M");
}

/* A disk that is left over, of another tapdisk. */
static void leave_over(void)
{
	assert_int_equal(open_image("ram:1M"), 0);
	vbd_session_lost(world.vbd, "test");
	while (!world.gone)
		turn(2000);
	assert_int_equal(vbd_attach(&world.vbd, &world.env, 7, -1, &err), 0);
}

/* Its requests pass before START has returned. */
static void test_before_the_start(void **state)
{
	(void)state;
	leave_over();
	fake_starting = note_record;
	recorded = 0;
	assert_int_equal(open_image("ram:2M"), 0);
	assert_int_equal(recorded, 1);
	assert_true(is_recorded("ram:2M"));
	assert_int_equal(close_image(0), 0);
}

static uint64_t recorded_disk(void)
{
	uint64_t seq;

	assert_int_equal(blktap_record_read(7, &record, &err), 0);
	seq = record->disk_seq;
	blktap_record_free(record);
	return seq;
}

static void disk_comes(void)
{
	fake_disk_seq = 7;
}

static uint64_t at_start;

static void note_disk(void)
{
	at_start = recorded_disk();
}

/* Another disk of this minor has another number, that of a new one is known when it is there. */
static void test_which_disk(void **state)
{
	struct outcome outcome = { 0 };

	(void)state;
	fake_starting = disk_comes;
	assert_int_equal(open_image("ram:1M"), 0);
	assert_int_equal(recorded_disk(), 7);
	vbd_pause(world.vbd, -1, done, &outcome);
	wait_for(&outcome);
	assert_int_equal(recorded_disk(), 7);
	assert_int_equal(close_image(0), 0);
	/* It cannot be told. */
	fake_disk_seq = 0;
	fake_starting = note_disk;
	assert_int_equal(open_image("ram:1M"), 0);
	assert_int_equal(recorded_disk(), 0);
	assert_int_equal(close_image(0), 0);
	/* That of one that was left over is known before. */
	leave_over();
	fake_disk_seq = 9;
	assert_int_equal(open_image("ram:1M"), 0);
	assert_int_equal(at_start, 9);
	assert_int_equal(recorded_disk(), 9);
	assert_int_equal(close_image(0), 0);
}

/* A disk that could not be recovered can still be. */
static void test_failed_open(void **state)
{
	(void)state;
	leave_over();
	fake_ring->start_error = -EMEDIUMTYPE;
	assert_int_equal(open_image("ram:2M"), -EMEDIUMTYPE);
	assert_int_equal(nr_files(), 1);
	assert_true(is_recorded("ram:1M"));
}

static void test_failed_open_of_a_new_disk(void **state)
{
	(void)state;
	fake_ring->start_error = -EBUSY;
	assert_int_equal(open_image("ram:2M"), -EBUSY);
	assert_int_equal(nr_files(), 0);
}

/* The disk works, whether it can be written down or not. */
static void test_cannot_be_written(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "mkdir %s/tap7.new", folder);
	assert_int_equal(system(command), 0);
	assert_int_equal(open_image("ram:1M"), 0);
	assert_int_equal(nr_files(), 1);
	assert_int_equal(close_image(0), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up_records, tear_down_records)

static const struct CMUnitTest tests[] = {
	TEST(test_from_open_to_close),
	TEST(test_retries_without_limit),
	TEST(test_from_the_start),
	TEST(test_pause_and_another_image),
	TEST(test_change_cannot_be_written),
	TEST(test_identity),
	TEST(test_pause_given_up),
	TEST(test_pause_given_up_late),
	TEST(test_pause_that_stays),
	TEST(test_pause_without_image),
	TEST(test_session_ends),
	TEST(test_before_the_start),
	TEST(test_which_disk),
	TEST(test_failed_open),
	TEST(test_failed_open_of_a_new_disk),
	TEST(test_cannot_be_written),
};

int main(void)
{
	blktap_log_init("test", BLKTAP_LOG_STDERR, LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Closing and destroying by force, and recovering: with tapdisks that answer, refuse,
 * keep silent, and are not there.
 */
#include "test.h"

#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>

#include <fcntl.h>

#include "fake-kernel.h"
#include "fake-tapdisk.h"
#include "image-identity.h"
#include "links.h"

#define RESULT	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n"
#define ANSWER(result)	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":" result "}\n"
#define ERROR(errno) \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-" errno ",\"message\":\"no\"}}\n"

static struct blktap_error err;
static struct blktap_tap *tap;
static pid_t killed, pid;

static void put_record(const char *paused)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/tap3.json", control_dir);
	file = fopen(path, "we");
	/* A pid that nobody has. */
	fprintf(file, "{\"minor\":3,\"pid\":2147483647,\"image\":\"aio:/old\",\"read_only\":true,"
		"\"no_direct\":false,\"kernel_io\":\"off\",\"request_timeout_ms\":7000,"
		"\"spin_us\":50,\"restart\":true,\"paused\":%s}", paused);
	fchmod(fileno(file), 0600);
	fclose(file);
}

static bool is_recorded(void)
{
	struct blktap_record *record;
	int ret = blktap_record_read(3, &record, NULL);

	if (!ret)
		blktap_record_free(record);
	return !ret;
}

/* ----------------------------------------------------------------------- force */

static void test_it_does_as_told(void **state)
{
	struct fake fake = { .pid = 9, .answer = RESULT };

	(void)state;
	tap->pid = 9;
	fake_start(&fake);
	assert_int_equal(blktap_force_close(9, 3, 0, &killed, &err), 0);
	assert_non_null(strstr(fake.request, "\"force\":true"));
	assert_int_equal(killed, 0);
	assert_int_equal(kernel.ends, 0);
	assert_int_equal(blktap_force_destroy(0, 3, 0, &killed, &err), 0);
	assert_non_null(strstr(fake.request, "\"detach\""));
	assert_int_equal(killed, 0);
	assert_int_equal(kernel.count, 0);
	fake_stop(&fake);
}

static void test_it_refuses(void **state)
{
	struct fake fake = { .pid = 9, .answer = ERROR("5") };

	(void)state;
	put_record("false");
	tap->pid = 9;
	fake_start(&fake);
	assert_int_equal(blktap_force_close(9, 3, 0, &killed, &err), 0);
	assert_false(is_recorded());
	assert_int_equal(killed, 9);
	assert_int_equal(kernel.ended, 9);
	assert_true(kernel.forced);
	fake_stop(&fake);
}

/* For a while: it may be about to finish what it does. */
static void test_it_is_busy(void **state)
{
	static const char *const answers[] = { ERROR("16"), ERROR("16"), RESULT, NULL };
	struct fake fake = { .pid = 9, .answers = answers };

	(void)state;
	tap->pid = 9;
	fake_start(&fake);
	assert_int_equal(blktap_force_close(9, 3, 0, &killed, &err), 0);
	assert_int_equal(kernel.ends, 0);
	assert_int_equal(fake.requests, 3);
	fake_stop(&fake);
}

static void test_it_keeps_silent(void **state)
{
	struct fake fake = { .pid = 9 };
	time_t start = time(NULL);

	(void)state;
	tap->pid = 9;
	fake_start(&fake);
	assert_int_equal(blktap_force_destroy(9, 3, 0, &killed, &err), 0);
	assert_in_range(time(NULL) - start, 1, 8);
	assert_int_equal(killed, 9);
	assert_int_equal(kernel.count, 0);
	fake_stop(&fake);
}

static void stuck(unsigned int minor, uint32_t disk_state)
{
	kernel_event(BLKTAP_EVENT_STUCK, kernel.event_count + 1, minor);
	kernel.events[kernel.event_count - 1].tap.disk_state = disk_state;
}

/* It does what it can, which is not enough; others can talk to it. */
static bool waits_at_close(struct fake *fake)
{
	if (strstr(fake->request, "\"close\"")) {
		tap->disk_state = BLKTAP_DISK_STATE_REMOVING;
		tap->files = 1;
		return false;
	}
	return true;
}

#define SERVES	ANSWER("{\"vbds\":[{\"minor\":3,\"state\":0,\"image\":"	\
		       "{\"type\":\"aio\",\"path\":\"/known\"}}]}")

/* Nobody is killed for what the kernel waits for. */
static void test_its_storage_is_stuck(void **state)
{
	struct fake fake = { .pid = 9, .answer = SERVES, .asked = waits_at_close };

	(void)state;
	tap->pid = 9;
	stuck(3, BLKTAP_DISK_STATE_REMOVING);
	fake_start(&fake);
	assert_int_equal(blktap_force_close(9, 3, 0, &killed, &err), -ETIMEDOUT);
	assert_string_equal(err.text, "tapdev3 goes as soon as aio:/known answers: I/O of the "
			    "kernel's is under way there");
	put_record("false");
	stuck(3, BLKTAP_DISK_STATE_REMOVING);
	assert_int_equal(blktap_force_destroy(9, 3, 0, &killed, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "aio:/old"));
	assert_int_equal(killed, 0);
	assert_int_equal(kernel.ends, 0);
	assert_int_equal(kernel.count, 1);
	fake_stop(&fake);
}

/* So is that of one that was killed: when it answers the tap goes, too. Its name goes now. */
static void test_nobody_is_left(void **state)
{
	struct fake fake = { .pid = 9 };
	char link[PATH_MAX], target[PATH_MAX];

	(void)state;
	snprintf(link, sizeof(link), "%s", path_of("name"));
	assert_int_equal(link_renew(3, link, &err), 0);
	put_record("false");
	tap->pid = 9;
	kernel.disk_stays = true;
	stuck(3, BLKTAP_DISK_STATE_REMOVING);
	fake_start(&fake);
	assert_int_equal(blktap_force_destroy(0, 3, 0, &killed, &err), -ETIMEDOUT);
	assert_int_equal(killed, 9);
	assert_int_equal(kernel.count, 0);
	assert_false(is_recorded());
	assert_int_equal(readlink(link, target, sizeof(target)), -1);
	fake_stop(&fake);
}

/* Its own I/O, which is as it has not answered: the kernel gives that back. */
static void test_it_is_stuck_itself(void **state)
{
	struct fake fake = { .pid = 9, .answer = SERVES, .asked = waits_at_close };

	(void)state;
	tap->pid = 9;
	fake_start(&fake);
	assert_int_equal(blktap_force_close(9, 3, 0, &killed, &err), 0);
	assert_int_equal(killed, 9);
	fake_stop(&fake);
}

/* What was told is of others, of an earlier session, or of one that does not answer. */
static void test_it_is_to_blame(void **state)
{
	struct fake fake = { .pid = 9, .answer = SERVES, .asked = waits_at_close };
	struct fake hung = { .pid = 10 };

	(void)state;
	tap->pid = 9;
	stuck(4, BLKTAP_DISK_STATE_REMOVING);
	stuck(3, BLKTAP_DISK_STATE_LIVE);
	fake_start(&fake);
	assert_int_equal(blktap_force_close(9, 3, 0, &killed, &err), 0);
	assert_int_equal(killed, 9);
	fake_stop(&fake);

	tap->pid = 10;
	tap->disk_state = BLKTAP_DISK_STATE_REMOVING;
	stuck(3, BLKTAP_DISK_STATE_REMOVING);
	fake_start(&hung);
	assert_int_equal(blktap_force_close(10, 3, 0, &killed, &err), 0);
	assert_int_equal(killed, 10);
	fake_stop(&hung);
}

/* What it has left goes. */
static void test_it_is_dead(void **state)
{
	(void)state;
	assert_int_equal(blktap_force_close(9, 3, 0, &killed, &err), 0);
	assert_int_equal(killed, 0);
	assert_true(kernel.forced);
	assert_int_equal(tap->disk_state, BLKTAP_DISK_STATE_NONE);
	assert_int_equal(blktap_force_destroy(0, 3, 0, &killed, &err), 0);
	assert_int_equal(blktap_force_destroy(0, 3, 0, &killed, &err), -ENODEV);
}

static void test_it_is_somebody_elses(void **state)
{
	(void)state;
	tap->pid = 10;
	assert_int_equal(blktap_force_close(9, 3, 0, &killed, &err), -ENOENT);
	assert_string_equal(err.text, "no such tapdisk: 9");
	assert_int_equal(killed, 0);
	assert_int_equal(tap->pid, 10);
}

/* --------------------------------------------------------------------- recover */

static int recover(struct blktap_recover_params params)
{
	params.minor = 3;
	return blktap_recover(&params, &pid, &killed, &err);
}

static void test_as_recorded(void **state)
{
	struct fake fake = { .pid = 9, .answer = RESULT };

	(void)state;
	put_record("false");
	fake_start(&fake);
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9 }), 0);
	assert_int_equal(pid, 9);
	assert_int_equal(killed, 0);
	assert_int_equal(kernel.ends, 0);
	assert_non_null(strstr(fake.request, "\"open\""));
	assert_non_null(strstr(fake.request, "\"image\":\"aio:/old\",\"read_only\":true,"
			       "\"request_timeout_ms\":7000,\"kernel_io\":\"off\",\"spin_us\":50,"
			       "\"restart\":true"));
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9, .image = "aio:/new" }),
			 0);
	assert_non_null(strstr(fake.request, "\"image\":\"aio:/new\",\"read_only\":true"));
	fake_stop(&fake);
}

/* --------------------------------------------------- an image that was replaced */

/* Of aio:DIR/image, as it is now. */
static void put_record_of_image(const char *paused)
{
	char identity[IMAGE_IDENTITY_SIZE];
	FILE *file;

	assert_int_equal(image_identity(AT_FDCWD, path_of("image"), identity), 0);
	file = fopen(path_of("tap3.json"), "we");
	fprintf(file, "{\"minor\":3,\"pid\":2147483647,\"image\":\"aio:%s/image\",\"read_only\":false,"
		"\"no_direct\":false,\"kernel_io\":\"off\",\"request_timeout_ms\":0,\"restart\":true,"
		"\"paused\":%s,\"image_identity\":\"%s\"}", control_dir, paused, identity);
	fchmod(fileno(file), 0600);
	fclose(file);
}

static int recover_image(bool force)
{
	return recover((struct blktap_recover_params){ .pid = 9, .force = force });
}

static void test_replaced(void **state)
{
	struct fake fake = { .pid = 9, .answer = RESULT };
	char image[80], expected[300];

	(void)state;
	make_file("image");
	make_file("new");
	put_record_of_image("false");
	fake_start(&fake);
	assert_int_equal(recover_image(false), 0);
	move_file("image", "old");
	move_file("new", "image");
	fake.requests = 0;
	tap->pid = 8;
	assert_int_equal(recover_image(true), -ESTALE);
	snprintf(image, sizeof(image), "aio:%s/image", control_dir);
	snprintf(expected, sizeof(expected), "tapdev3: %s is another file than the disk had: say -a "
		 "%s to go on with it", image, image);
	assert_string_equal(err.text, expected);
	/* Nobody was killed for it, and nothing asked for. */
	assert_int_equal(kernel.ends, 0);
	assert_int_equal(fake.requests, 0);
	tap->pid = 0;
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9, .image = image }), 0);
	/* It comes back. */
	move_file("image", "new");
	assert_int_equal(recover_image(false), -ENOENT);
	assert_non_null(strstr(err.text, "cannot be told: No such file"));
	assert_int_equal(mkdir(path_of("image"), 0700), 0);
	assert_int_equal(recover_image(false), -EISDIR);
	assert_int_equal(rmdir(path_of("image")), 0);
	move_file("old", "image");
	assert_int_equal(recover_image(false), 0);
	fake_stop(&fake);
}

/* Then that may be what it was paused for. */
static void test_replaced_while_paused(void **state)
{
	struct fake fake = { .pid = 9, .answer = RESULT };

	(void)state;
	make_file("image");
	make_file("new");
	put_record_of_image("true");
	move_file("new", "image");
	fake_start(&fake);
	assert_int_equal(recover_image(false), -EBUSY);
	assert_int_equal(recover_image(true), 0);
	fake_stop(&fake);
}

static bool replaces(struct fake *fake)
{
	bool opens = strstr(fake->request, "\"open\"");

	if (opens)
		move_file("new", "image");
	fake->answer = opens ? ERROR("11") : RESULT;
	fake->length = strlen(fake->answer);
	return true;
}

/* The first time that it was tried, somebody else still had the other one. */
static void test_replaced_meanwhile(void **state)
{
	struct fake fake = { .pid = 9, .answer = RESULT, .asked = replaces };

	(void)state;
	make_file("image");
	make_file("new");
	put_record_of_image("false");
	fake_start(&fake);
	assert_int_equal(recover_image(false), -ESTALE);
	assert_non_null(strstr(fake.request, "\"detach\""));
	fake_stop(&fake);
}

static bool replaces_before_it_is_passed(struct fake *fake)
{
	if (strstr(fake->request, "\"version\""))
		move_file("new", "image");
	return true;
}

/* The tapdisk may not open it: what is opened for it instead is looked at before it gets that. */
static void test_replaced_before_it_is_passed(void **state)
{
	static const char *const answers[] = {
		RESULT, ERROR("13"), ANSWER("{\"user\":\"u\",\"features\":[\"descriptors\"]}"),
		RESULT, NULL,
	};
	struct fake fake = { .pid = 9, .answers = answers, .asked = replaces_before_it_is_passed };

	(void)state;
	if (geteuid())
		skip();
	make_file("image");
	make_file("new");
	put_record_of_image("false");
	fake_start(&fake);
	assert_int_equal(recover_image(false), -ESTALE);
	assert_non_null(strstr(err.text, "was replaced before it was opened"));
	assert_non_null(strstr(fake.request, "\"detach\""));
	assert_int_equal(fake.requests, 4);
	fake_stop(&fake);
}

/* ----------------------------------------------- a record of an earlier disk */

static void put_record_of_disk(unsigned int seq)
{
	FILE *file = fopen(path_of("tap3.json"), "we");

	fprintf(file, "{\"minor\":3,\"pid\":2147483647,\"image\":\"aio:/old\",\"read_only\":true,"
		"\"no_direct\":false,\"kernel_io\":\"off\",\"request_timeout_ms\":7000,"
		"\"restart\":true,\"paused\":false,\"disk_seq\":%u}", seq);
	fchmod(fileno(file), 0600);
	fclose(file);
}

/* A daemon that keeps no records here has served another one since, and has died. */
static void test_of_an_earlier_disk(void **state)
{
	struct fake fake = { .pid = 9, .answer = RESULT };

	(void)state;
	put_record_of_disk(7);
	fake_start(&fake);
	kernel.disk_seq = 7;
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9 }), 0);
	kernel.disk_seq = 12;
	fake.requests = 0;
	tap->pid = 8;
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9, .force = true }),
			 -ESTALE);
	assert_string_equal(err.text, "tapdev3: aio:/old is on record for an earlier disk, 7, and "
			    "this one is 12: say -a with the image that it has");
	assert_int_equal(kernel.ends, 0);
	assert_int_equal(fake.requests, 0);
	/* What else is on record does not hold, either. */
	tap->pid = 0;
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9, .image = "aio:/new" }),
			 0);
	assert_non_null(strstr(fake.request, "\"image\":\"aio:/new\""));
	assert_null(strstr(fake.request, "\"read_only\""));
	kernel.disk_seq = 0;
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9 }), -ENOENT);
	assert_non_null(strstr(err.text, "cannot be told"));
	fake_stop(&fake);
}

static void test_without_record(void **state)
{
	struct fake fake = { .pid = 9, .answer = RESULT };

	(void)state;
	fake_start(&fake);
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9 }), -ENOENT);
	assert_int_equal(fake.requests, 0);
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9, .image = "aio:/new" }),
			 0);
	fake_stop(&fake);
}

static void test_paused(void **state)
{
	struct fake fake = { .pid = 9, .answer = RESULT };

	(void)state;
	put_record("true");
	fake_start(&fake);
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9 }), -EBUSY);
	assert_int_equal(fake.requests, 0);
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9, .force = true }), 0);
	fake_stop(&fake);
}

/* It has too many clients to say more. */
static void test_refused_is_alive(void **state)
{
	struct fake fake = { .pid = 9, .answer = ERROR("11") };

	(void)state;
	put_record("false");
	fake_start(&fake);
	tap->pid = 9;
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 8 }), -EBUSY);
	assert_int_equal(kernel.ends, 0);
	fake_stop(&fake);
}

/* Neither a disk that is well, nor one that is not there. */
static void test_no_need(void **state)
{
	struct fake healthy = { .pid = 8, .answer = RESULT }, fake = { .pid = 9, .answer = RESULT };

	(void)state;
	put_record("false");
	fake_start(&healthy);
	fake_start(&fake);
	tap->pid = 8;
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9 }), -EBUSY);
	assert_int_equal(kernel.ends, 0);
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9, .force = true }), 0);
	assert_int_equal(kernel.ended, 8);
	assert_false(kernel.forced);
	assert_int_equal(killed, 8);
	tap->pid = 0;
	tap->disk_state = BLKTAP_DISK_STATE_NONE;
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9 }), -EINVAL);
	fake_stop(&healthy);
	fake_stop(&fake);
}

static void test_hung(void **state)
{
	struct fake hung = { .pid = 8 }, fake = { .pid = 9, .answer = RESULT };

	(void)state;
	put_record("false");
	fake_start(&hung);
	fake_start(&fake);
	tap->pid = 8;
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9 }), 0);
	assert_int_equal(killed, 8);
	assert_int_equal(kernel.ends, 1);
	fake_stop(&hung);
	fake_stop(&fake);
}

/* A daemon of somebody's own, or a tapdisk that listens elsewhere. */
static void test_no_tapdisk(void **state)
{
	struct fake fake = { .pid = 9, .answer = RESULT };
	char expected[160];

	(void)state;
	put_record("false");
	fake_start(&fake);
	tap->pid = getpid();
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9, .image = "aio:/new" }),
			 -EBUSY);
	snprintf(expected, sizeof(expected), "tapdev3: process %d has it, and is no tapdisk of %s: "
		 "-f kills it", (int)getpid(), control_dir);
	assert_string_equal(err.text, expected);
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9 }), -EBUSY);
	assert_int_equal(kernel.ends, 0);
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9, .force = true }), 0);
	assert_int_equal(killed, getpid());
	/* There is none to be asked. */
	tap->pid = 2147483647;
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9 }), 0);
	fake_stop(&fake);
}

/* One that has come since is not even asked. */
static void test_served_by_now(void **state)
{
	struct fake hung = { .pid = 8 };

	(void)state;
	put_record("false");
	fake_start(&hung);
	tap->pid = 8;
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9, .unserved = true }),
			 -EBUSY);
	assert_int_equal(kernel.ends, 0);
	assert_int_equal(hung.requests, 0);
	fake_stop(&hung);
}

/* Nobody is killed for not having answered at once. */
static void test_little_time(void **state)
{
	struct fake hung = { .pid = 8 };

	(void)state;
	put_record("false");
	fake_start(&hung);
	tap->pid = 8;
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9, .timeout_ms = 100 }),
			 -ETIMEDOUT);
	assert_int_equal(kernel.ends, 0);
	fake_stop(&hung);
}

static bool hangs_at_attach(struct fake *fake)
{
	return !strstr(fake->request, "\"attach\"");
}

/* No step takes more than there is for all of them: some seconds, with the undoing. */
static void test_hangs_at_attach(void **state)
{
	struct fake fake = { .pid = 9, .answer = RESULT, .asked = hangs_at_attach };
	time_t start = time(NULL);

	(void)state;
	put_record("false");
	fake_start(&fake);
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9, .timeout_ms = 200 }),
			 -ETIMEDOUT);
	assert_true(time(NULL) - start < 30);
	assert_non_null(strstr(fake.request, "\"detach\""));
	fake_stop(&fake);
}

static void test_start_hangs(void **state)
{
	char path[PATH_MAX];
	time_t start = time(NULL);
	FILE *file;

	(void)state;
	put_record("false");
	snprintf(path, sizeof(path), "%s/tapdisk", control_dir);
	file = fopen(path, "we");
	fputs("#!/bin/sh\nexec sleep 600\n", file);
	fchmod(fileno(file), 0700);
	fclose(file);
	setenv("TAPDISK", path, 1);
	assert_int_equal(recover((struct blktap_recover_params){ .timeout_ms = 200 }), -ECHILD);
	assert_true(time(NULL) - start < 25);
}

/* ---------------------------------------------------- recover that is interrupted */

static int cancelling;
/* Answers, the last one again and again. */
static const char *const *detaching;
static const char *const *listing;

static const char *next_answer(const char *const **answers)
{
	const char *answer = **answers;

	*answers += (*answers)[1] != NULL;
	return answer;
}

static bool interrupts_at_open(struct fake *fake)
{
	if (strstr(fake->request, "\"open\"")) {
		assert_int_equal(eventfd_write(cancelling, 1), 0);
		return false;
	}
	fake->answer = strstr(fake->request, "\"detach\"") ? next_answer(&detaching) :
		       strstr(fake->request, "\"list\"") ? next_answer(&listing) : RESULT;
	fake->length = strlen(fake->answer);
	return true;
}

static int recover_interrupted(const char *const *detach, const char *const *list)
{
	struct fake fake = { .pid = 9, .asked = interrupts_at_open };
	int ret;

	put_record("false");
	detaching = detach;
	listing = list;
	cancelling = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	blktap_cancel_on(cancelling);
	fake_start(&fake);
	ret = recover((struct blktap_recover_params){ .pid = 9 });
	fake_stop(&fake);
	blktap_cancel_on(-1);
	close(cancelling);
	return ret;
}

#define OPENING	ANSWER("{\"vbds\":[{\"minor\":3,\"state\":0}]}")
#define OPEN	ANSWER("{\"vbds\":[{\"minor\":3,\"state\":0,\"image\":"	\
		       "{\"type\":\"aio\",\"path\":\"/old\"}}]}")

/* The image could not be opened, which nobody was told. */
static void test_interrupted_and_undone(void **state)
{
	static const char *const detach[] = { ERROR("16"), RESULT, NULL };
	static const char *const list[] = { OPENING, NULL };

	(void)state;
	assert_int_equal(recover_interrupted(detach, list), -EINTR);
	assert_null(strstr(err.text, "goes on"));
}

static void test_interrupted_and_done(void **state)
{
	static const char *const detach[] = { ERROR("16"), NULL };
	static const char *const list[] = { OPENING, OPEN, NULL };

	(void)state;
	assert_int_equal(recover_interrupted(detach, list), 0);
	assert_int_equal(pid, 9);
}

static void test_interrupted_and_left(void **state)
{
	static const char *const detach[] = { ERROR("16"), NULL };
	static const char *const list[] = { OPENING, NULL };

	(void)state;
	assert_int_equal(recover_interrupted(detach, list), -EINTR);
	assert_string_equal(err.text, "interrupted; tapdisk 9 goes on opening the image of tapdev3");
}

/* The earlier one lets go of the image in the end. */
static void test_locked_at_first(void **state)
{
	static const char *const answers[] = { RESULT, ERROR("11"), ERROR("11"), RESULT, NULL };
	struct fake fake = { .pid = 9, .answers = answers };

	(void)state;
	put_record("false");
	fake_start(&fake);
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9 }), 0);
	assert_int_equal(fake.requests, 4);
	fake_stop(&fake);
}

static void test_locked_for_good(void **state)
{
	static const char *const answers[] = { RESULT, ERROR("11"), NULL };
	struct fake fake = { .pid = 9, .answers = answers };

	(void)state;
	put_record("false");
	fake_start(&fake);
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9, .timeout_ms = 200 }),
			 -EAGAIN);
	assert_non_null(strstr(fake.request, "\"detach\""));
	fake_stop(&fake);
}

/* Where nobody lingers, a device that is in use will stay so. */
static void test_busy_image(void **state)
{
	static const char *const answers[] = { RESULT, ERROR("16"), NULL };
	struct fake fake = { .pid = 9, .answers = answers };

	(void)state;
	put_record("false");
	fake_start(&fake);
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9 }), -EBUSY);
	assert_int_equal(fake.requests, 3);
	fake_stop(&fake);
}

/* The image that the disk had may have become larger: then the tapdisk has to know that it is it. */
static void test_larger_image(void **state)
{
	static const char *const answers[] = { RESULT, ERROR("124"), RESULT, RESULT, NULL };
	static const char *const older[] = { RESULT, ERROR("124"), ERROR("95"), RESULT, NULL };
	struct fake fake = { .pid = 9, .answers = answers };

	(void)state;
	put_record("false");
	fake_start(&fake);
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9 }), 0);
	assert_int_equal(fake.requests, 4);
	assert_non_null(strstr(fake.request, "\"open\""));
	fake.answers = older;
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9 }), -EMEDIUMTYPE);
	assert_non_null(strstr(fake.request, "\"detach\""));
	fake_stop(&fake);
}

static bool has_the_disk(struct fake *fake)
{
	if (strstr(fake->request, "\"attach\""))
		tap->pid = fake->pid;
	return true;
}

static void test_fence_takes_long(void **state)
{
	struct fake fake = { .pid = 9, .answer = RESULT, .asked = has_the_disk };

	(void)state;
	put_record("false");
	tap->recovery = BLKTAP_RECOVERY_HELD;
	fake_start(&fake);
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9, .timeout_ms = 200 }),
			 -ETIMEDOUT);
	assert_non_null(strstr(fake.request, "\"open\""));
	fake_stop(&fake);
}

static bool dies_behind_the_fence(struct fake *fake)
{
	tap->pid = strstr(fake->request, "\"attach\"") ? fake->pid : 0;
	return true;
}

static void test_dies_behind_the_fence(void **state)
{
	struct fake fake = { .pid = 9, .answer = RESULT, .asked = dies_behind_the_fence };

	(void)state;
	put_record("false");
	tap->recovery = BLKTAP_RECOVERY_HELD;
	fake_start(&fake);
	assert_int_equal(recover((struct blktap_recover_params){ .pid = 9 }), -ECHILD);
	assert_string_equal(err.text, "tapdev3: tapdisk 9 has died before it served it");
	fake_stop(&fake);
}

static int set_up(void **state)
{
	kernel_reset();
	tap = kernel_add(3, 0);
	tap->disk_state = BLKTAP_DISK_STATE_LIVE;
	return make_control_dir(state);
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, set_up, remove_control_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_it_does_as_told),
		TEST(test_it_refuses),
		TEST(test_it_is_busy),
		TEST(test_it_keeps_silent),
		TEST(test_its_storage_is_stuck),
		TEST(test_nobody_is_left),
		TEST(test_it_is_stuck_itself),
		TEST(test_it_is_to_blame),
		TEST(test_it_is_dead),
		TEST(test_it_is_somebody_elses),
		TEST(test_as_recorded),
		TEST(test_replaced),
		TEST(test_replaced_while_paused),
		TEST(test_replaced_meanwhile),
		TEST(test_replaced_before_it_is_passed),
		TEST(test_of_an_earlier_disk),
		TEST(test_without_record),
		TEST(test_paused),
		TEST(test_refused_is_alive),
		TEST(test_no_need),
		TEST(test_hung),
		TEST(test_no_tapdisk),
		TEST(test_served_by_now),
		TEST(test_little_time),
		TEST(test_hangs_at_attach),
		TEST(test_start_hangs),
		TEST(test_interrupted_and_undone),
		TEST(test_interrupted_and_done),
		TEST(test_interrupted_and_left),
		TEST(test_locked_at_first),
		TEST(test_locked_for_good),
		TEST(test_busy_image),
		TEST(test_larger_image),
		TEST(test_fence_takes_long),
		TEST(test_dies_behind_the_fence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

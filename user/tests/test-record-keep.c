// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a client writes down for a tapdisk that runs as another user: a child of the test
 * has that user, a thread answers for it.
 */
#include "test.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "fake-kernel.h"
#include "fake-tapdisk.h"
#include "deadline.h"
#include "image-identity.h"
#include "processes.h"
#include "record.h"

#define ANSWER(result)	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":" result "}\n"
#define FORBIDDEN	"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-13,\"message\":\"no\"}}\n"
#define REFUSED	"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-16,\"message\":\"no\"}}\n"

#define NO_PID	2147483647	/* that nobody has, any more */

static const struct blktap_open_params open_params = {
	.image = "aio:/x", .read_only = true, .kernel_io = BLKTAP_KERNEL_IO_REDIRECT,
	.request_timeout_ms = 5000, .spin_us = -1, .restart = true,
};

static struct blktap_record *record;
static struct fake fake;
static pid_t pid;
static int cancelling;

/* ------------------------------------------------------------ storage that hangs */

static atomic_bool looking_hangs, opening_hangs;

int statx(int fd, const char *path, int flags, unsigned int mask, struct statx *st)
{
	while (looking_hangs)
		usleep(1000);
	return syscall(SYS_statx, fd, path, flags, mask, st);
}

/* Nobody makes a file with it here. */
int openat(int folder, const char *name, int flags, ...)
{
	while (opening_hangs)
		usleep(1000);
	return syscall(SYS_openat, folder, name, flags, 0);
}

/* ----------------------------------------------------------------- the tapdisk */

/* To start a process of another user. */
static void needs_root(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
}

/* What it says to the calls that come. */
static void answering(const char *const *answers)
{
	char path[PATH_MAX];

	assert_int_equal(blktap_control_path(path, sizeof(path), pid), 0);
	unlink(path);
	fake = (struct fake){ .pid = pid, .answers = answers };
	fake_start(&fake);
}

static bool read_record(void)
{
	int ret = blktap_record_read(7, &record, NULL);

	assert_true(!ret || ret == -ENOENT);
	return !ret;
}

static bool is_paused(void)
{
	bool paused;

	assert_true(read_record());
	paused = record->paused;
	blktap_record_free(record);
	return paused;
}

static void put_record_with(pid_t of, const char *image, bool paused, const char *identity)
{
	char path[PATH_MAX], new[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/tap7.json", control_dir);
	snprintf(new, sizeof(new), "%s/new", control_dir);
	file = fopen(new, "we");
	assert_non_null(file);
	fprintf(file, "{\"minor\":7,\"pid\":%d,\"user\":\"nobody\",\"image\":\"%s\","
		"\"read_only\":false,\"no_direct\":false,\"kernel_io\":\"off\","
		"\"request_timeout_ms\":0,\"restart\":true,\"paused\":%s,"
		"\"image_identity\":\"%s\"}", (int)of, image, paused ? "true" : "false", identity);
	assert_int_equal(fchmod(fileno(file), 0600), 0);
	fclose(file);
	assert_int_equal(rename(new, path), 0);
}

static void put_record_of(pid_t of, const char *image, bool paused)
{
	put_record_with(of, image, paused, "");
}

static void put_record(const char *image, bool paused)
{
	put_record_of(pid, image, paused);
}

static bool is_recorded(const char *image)
{
	bool is;

	assert_true(read_record());
	is = strcmp(record->open.image, image) == 0;
	blktap_record_free(record);
	return is;
}

/* The tap as its driver has it: with this tapdisk, and no disk yet. */
static struct blktap_tap *tap(void)
{
	size_t i;

	for (i = 0; i < kernel.count; i++)
		if (kernel.taps[i].minor == 7)
			break;
	if (i == kernel.count)
		kernel_add(7, pid);
	kernel.taps[i].pid = pid;
	return &kernel.taps[i];
}

static void open_disk(void)
{
	static const char *const answers[] = { ANSWER("{}"), NULL };

	tap()->disk_state = BLKTAP_DISK_STATE_NONE;
	answering(answers);
	assert_int_equal(blktap_ctl_open(pid, 7, &open_params, NULL), 0);
	fake_stop(&fake);
}

static bool interrupts(struct fake *fake_tapdisk)
{
	(void)fake_tapdisk;
	assert_int_equal(eventfd_write(cancelling, 1), 0);
	return false;
}

static int interrupted(int (*call)(void))
{
	static const char *const answers[] = { ANSWER("{}"), NULL };
	int ret;

	answering(answers);
	fake.asked = interrupts;
	cancelling = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	blktap_cancel_on(cancelling);
	ret = call();
	blktap_cancel_on(-1);
	close(cancelling);
	fake_stop(&fake);
	return ret;
}

static void test_opened(void **state)
{
	needs_root(state);
	open_disk();
	assert_true(read_record());
	assert_int_equal(record->minor, 7);
	assert_int_equal(record->pid, pid);
	assert_string_equal(record->spawn.user, "nobody");
	assert_false(record->spawn.no_sandbox);
	assert_string_equal(record->open.image, "aio:/x");
	assert_true(record->open.read_only);
	assert_false(record->open.no_direct);
	assert_int_equal(record->open.kernel_io, BLKTAP_KERNEL_IO_REDIRECT);
	assert_int_equal(record->open.request_timeout_ms, 5000);
	assert_int_equal(record->open.spin_us, -1);
	assert_true(record->open.restart);
	assert_false(record->paused);
	blktap_record_free(record);
}

/* Any number below zero says so; there is one on record. */
static void test_retries_without_limit(void **state)
{
	static const char *const answers[] = { ANSWER("{}"), NULL };
	static const struct blktap_open_params params = {
		.image = "aio:/x", .request_timeout_ms = -5000,
	};

	needs_root(state);
	tap()->disk_state = BLKTAP_DISK_STATE_NONE;
	answering(answers);
	assert_int_equal(blktap_ctl_open(pid, 7, &params, NULL), 0);
	assert_non_null(strstr(fake.request, "\"request_timeout_ms\":-1,"));
	fake_stop(&fake);
	assert_true(read_record());
	assert_int_equal(record->open.request_timeout_ms, -1);
	blktap_record_free(record);
}

static bool on_record_before(struct fake *fake_tapdisk)
{
	if (strstr(fake_tapdisk->request, "\"open\""))
		assert_true(is_recorded("aio:/x"));
	return true;
}

static void test_refused(void **state)
{
	static const char *const answers[] = { REFUSED, NULL };

	needs_root(state);
	tap();
	answering(answers);
	fake.asked = on_record_before;
	assert_int_equal(blktap_ctl_open(pid, 7, &open_params, NULL), -EBUSY);
	assert_false(read_record());
	/* What comes back is what was there. */
	put_record_of(NO_PID, "aio:/z", true);
	assert_int_equal(blktap_ctl_open(pid, 7, &open_params, NULL), -EBUSY);
	assert_true(is_recorded("aio:/z"));
	assert_true(is_paused());
	fake_stop(&fake);
	/* It is not there to be asked. */
	assert_int_equal(blktap_ctl_open(pid, 7, &open_params, NULL), -ECONNREFUSED);
	assert_true(is_recorded("aio:/z"));
}

/* Another client has opened it meanwhile. */
static bool opened_meanwhile(struct fake *fake_tapdisk)
{
	(void)fake_tapdisk;
	put_record("aio:/y", false);
	return true;
}

static void test_refused_for_another(void **state)
{
	static const char *const answers[] = { REFUSED, NULL };

	needs_root(state);
	tap();
	answering(answers);
	fake.asked = opened_meanwhile;
	assert_int_equal(blktap_ctl_open(pid, 7, &open_params, NULL), -EBUSY);
	fake_stop(&fake);
	assert_true(is_recorded("aio:/y"));
}

static int open_x(void)
{
	return blktap_ctl_open(pid, 7, &open_params, NULL);
}

/* It may be open by now, or soon: what was recorded of an earlier disk is not of this one. */
static void test_open_interrupted(void **state)
{
	needs_root(state);
	tap();
	put_record_of(NO_PID, "aio:/z", false);
	assert_int_equal(interrupted(open_x), -EINTR);
	assert_true(is_recorded("aio:/x"));
	/* One that is left over by another one. */
	put_record_of(NO_PID, "aio:/z", false);
	tap()->disk_state = BLKTAP_DISK_STATE_LIVE;
	tap()->recovery = BLKTAP_RECOVERY_HELD;
	assert_int_equal(interrupted(open_x), -EINTR);
	assert_true(is_recorded("aio:/x"));
}

/* Another client has ordered it, and whichever is heard first, that one does not know better. */
static void test_open_of_what_is_being_opened(void **state)
{
	static const char *const answers[] = { REFUSED, ANSWER("{}"), NULL };

	needs_root(state);
	tap();
	put_record("aio:/z", false);
	assert_int_equal(interrupted(open_x), -EINTR);
	assert_true(is_recorded("aio:/z"));
	answering(answers);
	assert_int_equal(open_x(), -EBUSY);
	assert_true(is_recorded("aio:/z"));
	/* It knows by now. */
	assert_int_equal(open_x(), 0);
	assert_true(is_recorded("aio:/x"));
	fake_stop(&fake);
}

/* That will be refused, whoever hears it. */
static void test_open_of_what_is_served(void **state)
{
	needs_root(state);
	put_record("aio:/z", false);
	tap()->disk_state = BLKTAP_DISK_STATE_LIVE;
	assert_int_equal(interrupted(open_x), -EINTR);
	assert_true(is_recorded("aio:/z"));
	tap()->disk_state = BLKTAP_DISK_STATE_NONE;
	tap()->pid = getpid();
	assert_int_equal(interrupted(open_x), -EINTR);
	assert_true(is_recorded("aio:/z"));
}

static int recover(int timeout_ms)
{
	struct blktap_recover_params params = {
		.minor = 7, .pid = pid, .image = "aio:/y", .timeout_ms = timeout_ms,
	};
	pid_t new, killed;

	put_record_of(NO_PID, "aio:/z", false);
	tap()->disk_state = BLKTAP_DISK_STATE_LIVE;
	/* No more than that is to be waited for. */
	tap()->recovery = BLKTAP_RECOVERY_FAILED;
	tap()->pid = 0;
	return blktap_recover(&params, &new, &killed, NULL);
}

static void attach(const struct fake *fake_tapdisk)
{
	if (strstr(fake_tapdisk->request, "\"attach\""))
		tap()->pid = pid;
}

static bool no_answer_to_open(struct fake *fake_tapdisk)
{
	attach(fake_tapdisk);
	return !strstr(fake_tapdisk->request, "\"open\"");
}

static bool refuses_to_open(struct fake *fake_tapdisk)
{
	bool refuses = strstr(fake_tapdisk->request, "\"open\"");

	attach(fake_tapdisk);
	if (refuses)
		assert_true(is_recorded("aio:/y"));
	fake_tapdisk->answer = refuses ? REFUSED : ANSWER("{}");
	fake_tapdisk->length = strlen(fake_tapdisk->answer);
	return true;
}

/* After a failure the record is as the disk is: as before, unless the image may be open. */
static void test_recover_fails(void **state)
{
	static const char *const nothing[] = { ANSWER("{\"vbds\":[]}"), NULL };
	static const char *const open[] = { ANSWER("{\"vbds\":[{\"minor\":7,\"state\":0,\"image\":"
						   "{\"type\":\"aio\",\"path\":\"/y\"}}]}"), NULL };

	needs_root(state);
	answering(nothing);
	fake.answers = NULL;
	fake.asked = refuses_to_open;
	assert_int_equal(recover(5000), -EBUSY);
	fake_stop(&fake);
	assert_true(is_recorded("aio:/z"));
	answering(nothing);
	fake.asked = no_answer_to_open;
	assert_int_equal(recover(300), -ETIMEDOUT);
	fake_stop(&fake);
	assert_true(is_recorded("aio:/z"));
	answering(open);
	fake.asked = no_answer_to_open;
	assert_int_equal(recover(300), -ETIMEDOUT);
	fake_stop(&fake);
	assert_true(is_recorded("aio:/y"));
}

static void test_changed(void **state)
{
	static const char *const answers[] = { ANSWER("{\"mode\":\"off\"}"), ANSWER("{}"), NULL };

	needs_root(state);
	open_disk();
	answering(answers);
	assert_int_equal(blktap_ctl_kernel_io(pid, 7, BLKTAP_KERNEL_IO_AUTO, NULL, -1, NULL), 0);
	assert_int_equal(blktap_ctl_pause(pid, 7, -1, NULL), 0);
	assert_true(is_paused());
	assert_int_equal(blktap_ctl_unpause(pid, 7, "aio:/y", -1, NULL), 0);
	assert_true(read_record());
	assert_false(record->paused);
	assert_string_equal(record->open.image, "aio:/y");
	/* What was permitted, not what it can do. */
	assert_int_equal(record->open.kernel_io, BLKTAP_KERNEL_IO_AUTO);
	blktap_record_free(record);
	assert_int_equal(blktap_ctl_close(pid, 7, 0, false, NULL), 0);
	fake_stop(&fake);
	assert_false(read_record());
}

/* Then the disk is as it was, or nobody has been told that the image may be touched. */
static void test_pause_fails(void **state)
{
	static const char *const refused[] = { REFUSED, NULL };
	static const char *const hangs_up[] = { "", NULL };

	needs_root(state);
	open_disk();
	answering(refused);
	assert_int_equal(blktap_ctl_pause(pid, 7, -1, NULL), -EBUSY);
	fake_stop(&fake);
	assert_false(is_paused());
	answering(hangs_up);
	assert_int_equal(blktap_ctl_pause(pid, 7, -1, NULL), -EPROTO);
	fake_stop(&fake);
	assert_false(is_paused());
	/* It is dead. */
	assert_int_equal(blktap_ctl_pause(pid, 7, -1, NULL), -ECONNREFUSED);
	assert_false(is_paused());
	put_record("aio:/x", true);
	assert_int_equal(blktap_ctl_pause(pid, 7, -1, NULL), -ECONNREFUSED);
	assert_true(is_paused());
}

static bool not_paused_before(struct fake *fake_tapdisk)
{
	if (strstr(fake_tapdisk->request, "\"pause\""))
		assert_false(is_paused());
	return true;
}

/* What dies as soon as it has answered may have been recovered as it was before. */
static void test_pause_and_death(void **state)
{
	static const char *const answers[] = { ANSWER("{}"), "", NULL };
	struct blktap_error err;

	needs_root(state);
	open_disk();
	answering(answers);
	fake.asked = not_paused_before;
	assert_int_equal(blktap_ctl_pause(pid, 7, -1, &err), -EPROTO);
	assert_non_null(strstr(err.text, "does not answer any more"));
	fake_stop(&fake);
	assert_true(is_paused());
}

static int pause_disk(void)
{
	return blktap_ctl_pause(pid, 7, -1, NULL);
}

static void test_pause_interrupted(void **state)
{
	needs_root(state);
	open_disk();
	assert_int_equal(interrupted(pause_disk), -EINTR);
	assert_false(is_paused());
}

static bool unpaused_before(struct fake *fake_tapdisk)
{
	if (strstr(fake_tapdisk->request, "\"unpause\""))
		assert_true(is_recorded("aio:/y") && !is_paused());
	return true;
}

static int unpause_with_y(void)
{
	return blktap_ctl_unpause(pid, 7, "aio:/y", -1, NULL);
}

/* From when it was ordered, unless that was refused. */
static void test_unpause(void **state)
{
	static const char *const answers[] = { REFUSED, NULL };

	needs_root(state);
	put_record("aio:/x", true);
	answering(answers);
	fake.asked = unpaused_before;
	assert_int_equal(unpause_with_y(), -EBUSY);
	assert_true(is_recorded("aio:/x"));
	assert_true(is_paused());
	fake_stop(&fake);
	assert_int_equal(unpause_with_y(), -ECONNREFUSED);
	assert_true(is_recorded("aio:/x"));
	assert_true(is_paused());
	assert_int_equal(interrupted(unpause_with_y), -EINTR);
	assert_true(is_recorded("aio:/y"));
	assert_false(is_paused());
	/* What is not paused keeps its image. */
	put_record("aio:/x", false);
	assert_int_equal(interrupted(unpause_with_y), -EINTR);
	assert_true(is_recorded("aio:/x"));
}

/* As after a takeover that nobody recorded, for its client was killed. */
static void test_under_an_earlier_pid(void **state)
{
	static const char *const answers[] = { ANSWER("{}"), NULL };
	pid_t old = pid;

	needs_root(state);
	open_disk();
	pid = start_process(be_nobody);
	answering(answers);
	assert_int_equal(blktap_ctl_pause(pid, 7, -1, NULL), 0);
	assert_false(is_paused());
	tap();
	assert_int_equal(blktap_ctl_pause(pid, 7, -1, NULL), 0);
	assert_true(read_record());
	assert_true(record->paused);
	assert_int_equal(record->pid, pid);
	blktap_record_free(record);
	fake_stop(&fake);
	end_process(old);
}

/* An image of that name, and what it is. */
static const char *make_image(const char *name, char identity[IMAGE_IDENTITY_SIZE])
{
	static char image[PATH_MAX];

	snprintf(image, sizeof(image), "aio:%s/%s", control_dir, name);
	close(open(image + 4, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_int_equal(image_identity(AT_FDCWD, image + 4, identity), 0);
	return image;
}

static bool is_identified(const char *identity)
{
	bool is;

	assert_true(read_record());
	is = record->image_identity && strcmp(record->image_identity, identity) == 0;
	blktap_record_free(record);
	return is;
}

/* Which one it was, for its name may lead elsewhere later. */
static void test_identity(void **state)
{
	static const char *const answers[] = { ANSWER("{}"), NULL };
	char a[IMAGE_IDENTITY_SIZE], b[IMAGE_IDENTITY_SIZE], path[PATH_MAX];
	struct blktap_open_params params = { .image = make_image("a", a) };

	needs_root(state);
	/* Without an order, and with one. */
	answering(answers);
	assert_int_equal(blktap_ctl_open(pid, 7, &params, NULL), 0);
	assert_true(is_identified(a));
	assert_int_equal(blktap_ctl_close(pid, 7, 0, false, NULL), 0);
	tap();
	assert_int_equal(blktap_ctl_open(pid, 7, &params, NULL), 0);
	assert_true(is_identified(a));
	/* The same name, another file, and a name of its own. */
	assert_int_equal(blktap_ctl_pause(pid, 7, -1, NULL), 0);
	snprintf(path, sizeof(path), "%s/a", control_dir);
	assert_int_equal(rename(make_image("b", b) + 4, path), 0);
	assert_int_equal(blktap_ctl_unpause(pid, 7, NULL, -1, NULL), 0);
	assert_true(is_identified(b));
	assert_int_equal(blktap_ctl_pause(pid, 7, -1, NULL), 0);
	assert_int_equal(blktap_ctl_unpause(pid, 7, make_image("c", a), -1, NULL), 0);
	assert_true(is_identified(a));
	/* One that another client has noted as going on. */
	assert_int_equal(blktap_ctl_unpause(pid, 7, make_image("d", a), -1, NULL), 0);
	assert_true(is_identified(a));
	assert_int_equal(blktap_ctl_unpause(pid, 7, "ram:1M", -1, NULL), 0);
	assert_false(is_identified(a));
	fake_stop(&fake);
}

static int open_a(int timeout_ms)
{
	char image[PATH_MAX];
	struct blktap_open_params params = { .image = image, .timeout_ms = timeout_ms };

	snprintf(image, sizeof(image), "aio:%s/a", control_dir);
	return blktap_ctl_open(pid, 7, &params, NULL);
}

static bool answers_by_now(struct fake *fake_tapdisk)
{
	(void)fake_tapdisk;
	looking_hangs = false;
	return true;
}

/* It was too slow to tell before, but not to be opened. */
static void test_identity_of_slow_storage(void **state)
{
	static const char *const answers[] = { ANSWER("{}"), NULL };
	char a[IMAGE_IDENTITY_SIZE];

	needs_root(state);
	make_image("a", a);
	tap();
	answering(answers);
	fake.asked = answers_by_now;
	looking_hangs = true;
	assert_int_equal(open_a(0), 0);
	assert_true(is_identified(a));
	assert_int_equal(blktap_ctl_pause(pid, 7, -1, NULL), 0);
	looking_hangs = true;
	assert_int_equal(blktap_ctl_unpause(pid, 7, NULL, -1, NULL), 0);
	assert_true(is_identified(a));
	fake_stop(&fake);
}

static int unpause(void)
{
	return blktap_ctl_unpause(pid, 7, NULL, -1, NULL);
}

static int open_a_now(void)
{
	return open_a(0);
}

/* Whoever gives up before that has asked for nothing. */
static void test_interrupted_before(void **state)
{
	static const char *const answers[] = { ANSWER("{}"), NULL };
	char a[IMAGE_IDENTITY_SIZE], image[PATH_MAX];
	int (*const calls[])(void) = { open_a_now, unpause };
	size_t i;

	needs_root(state);
	snprintf(image, sizeof(image), "%s", make_image("a", a));
	tap();
	answering(answers);
	cancelling = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	looking_hangs = true;
	for (i = 0; i < 2; i++) {
		put_record_of(i ? pid : NO_PID, image, true);
		blktap_cancel_on(cancelling);
		assert_int_equal(calls[i](), -EINTR);
		blktap_cancel_on(-1);
		assert_true(is_recorded(image));
		assert_true(is_paused());
	}
	assert_int_equal(fake.requests, 0);
	close(cancelling);
	fake_stop(&fake);
}

static const char *const may_not_open[] = {
	FORBIDDEN, ANSWER("{\"user\":\"nobody\",\"features\":[\"descriptors\"]}"), ANSWER("{}"), NULL,
};

static bool replaced_meanwhile(struct fake *fake_tapdisk)
{
	if (fake_tapdisk->requests == 1)
		move_file("b", "a");
	return true;
}

/* It has what was opened for it, not what its name led to before. */
static void test_identity_of_what_is_passed(void **state)
{
	char a[IMAGE_IDENTITY_SIZE], b[IMAGE_IDENTITY_SIZE];

	needs_root(state);
	make_image("a", a);
	make_image("b", b);
	tap();
	answering(may_not_open);
	fake.asked = replaced_meanwhile;
	assert_int_equal(open_a(0), 0);
	assert_int_equal(fake.requests, 3);
	assert_true(is_identified(b));
	fake_stop(&fake);
}

/* The limit is the client's, not that of the answer. */
static void test_passing_from_storage_that_hangs(void **state)
{
	struct deadline slow = deadline_in(5000);
	char a[IMAGE_IDENTITY_SIZE];

	needs_root(state);
	make_image("a", a);
	tap();
	answering(may_not_open);
	opening_hangs = true;
	assert_int_equal(open_a(300), -ETIMEDOUT);
	assert_false(deadline_passed(slow));
	assert_int_equal(fake.requests, 2);
	assert_false(read_record());
	opening_hangs = false;
	fake_stop(&fake);
}

static uint64_t recorded_disk(void)
{
	uint64_t seq;

	assert_true(read_record());
	seq = record->disk_seq;
	blktap_record_free(record);
	return seq;
}

static bool comes_with_open(struct fake *fake_tapdisk)
{
	if (!strstr(fake_tapdisk->request, "\"open\""))
		return true;
	assert_int_equal(recorded_disk(), 0);
	tap()->disk_state = BLKTAP_DISK_STATE_LIVE;
	kernel.disk_seq = 7;
	return true;
}

/* A new disk has no number before it is open; one that was left over has it already. */
static void test_which_disk(void **state)
{
	static const char *const answers[] = { ANSWER("{}"), NULL };

	needs_root(state);
	tap();
	answering(answers);
	fake.asked = comes_with_open;
	assert_int_equal(open_x(), 0);
	assert_int_equal(recorded_disk(), 7);
	assert_int_equal(blktap_ctl_pause(pid, 7, -1, NULL), 0);
	assert_int_equal(blktap_ctl_unpause(pid, 7, "aio:/y", -1, NULL), 0);
	assert_int_equal(recorded_disk(), 7);
	/* Another client had ordered it. */
	fake.asked = NULL;
	assert_int_equal(open_x(), 0);
	assert_true(is_recorded("aio:/x"));
	assert_int_equal(recorded_disk(), 7);
	fake_stop(&fake);
	put_record_of(NO_PID, "aio:/z", false);
	tap()->recovery = BLKTAP_RECOVERY_HELD;
	assert_int_equal(interrupted(open_x), -EINTR);
	assert_int_equal(recorded_disk(), 7);
	/* That of one that is about to go is no other's. */
	put_record_of(NO_PID, "aio:/z", false);
	tap()->disk_state = BLKTAP_DISK_STATE_REMOVING;
	assert_int_equal(interrupted(open_x), -EINTR);
	assert_true(is_recorded("aio:/x"));
	assert_int_equal(recorded_disk(), 0);
}

static char first[IMAGE_IDENTITY_SIZE];
static bool on_record;	/* before it was refused */

static bool replaced_at_attach(struct fake *fake_tapdisk)
{
	char from[PATH_MAX], to[PATH_MAX];

	attach(fake_tapdisk);
	if (strstr(fake_tapdisk->request, "\"attach\"")) {
		snprintf(from, sizeof(from), "%s/b", control_dir);
		snprintf(to, sizeof(to), "%s/a", control_dir);
		assert_int_equal(rename(from, to), 0);
	}
	if (strstr(fake_tapdisk->request, "\"detach\""))
		on_record = is_identified(first);
	return true;
}

/* Who recovers it may be killed before it has looked whether it is the same image still. */
static void test_replaced_at_recovery(void **state)
{
	static const char *const answers[] = { ANSWER("{}"), NULL };
	struct blktap_recover_params params = { .minor = 7, .pid = pid };
	char image[PATH_MAX], second[IMAGE_IDENTITY_SIZE];
	pid_t new, killed;

	needs_root(state);
	make_image("b", second);
	strcpy(image, make_image("a", first));
	put_record_with(NO_PID, image, false, first);
	tap()->disk_state = BLKTAP_DISK_STATE_LIVE;
	tap()->recovery = BLKTAP_RECOVERY_HELD;
	tap()->pid = 0;
	answering(answers);
	fake.asked = replaced_at_attach;
	on_record = false;
	assert_int_equal(blktap_recover(&params, &new, &killed, NULL), -ESTALE);
	fake_stop(&fake);
	assert_true(on_record);
	assert_true(is_identified(first));
}

/* Another client is told of the close before, and opens it again. */
static bool opened_again(struct fake *fake_tapdisk)
{
	if (strstr(fake_tapdisk->request, "\"close\""))
		put_record("aio:/z", false);
	return true;
}

static void test_close_and_open(void **state)
{
	static const char *const answers[] = { ANSWER("{}"), NULL };

	needs_root(state);
	open_disk();
	answering(answers);
	fake.asked = opened_again;
	assert_int_equal(blktap_ctl_close(pid, 7, 0, false, NULL), 0);
	assert_true(is_recorded("aio:/z"));
	fake.asked = NULL;
	assert_int_equal(blktap_ctl_close(pid, 7, 0, false, NULL), 0);
	assert_false(read_record());
	fake_stop(&fake);
}

/* A client that is about to change the record when another one wants to. */
static pid_t start_changing(void)
{
	int fds[2], lock;
	char byte;
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		lock = record_lock();
		close(fds[1]);
		usleep(300000);
		put_record("aio:/z", false);
		_exit(lock < 0 ? 1 : 0);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 0);
	close(fds[0]);
	return child;
}

static void test_two_at_a_time(void **state)
{
	static const char *const answers[] = { ANSWER("{\"mode\":\"off\"}"), NULL };
	pid_t other;
	int status;

	needs_root(state);
	open_disk();
	answering(answers);
	other = start_changing();
	assert_int_equal(blktap_ctl_kernel_io(pid, 7, BLKTAP_KERNEL_IO_REDIRECT, NULL, -1, NULL),
			 0);
	assert_int_equal(waitpid(other, &status, 0), other);
	assert_int_equal(status, 0);
	fake_stop(&fake);
	assert_true(read_record());
	assert_string_equal(record->open.image, "aio:/z");
	assert_int_equal(record->open.kernel_io, BLKTAP_KERNEL_IO_REDIRECT);
	blktap_record_free(record);
}

/* Another tapdisk's is left alone, and one that is root's keeps its own. */
static void test_not_ours(void **state)
{
	static const char *const answers[] = { ANSWER("{}"), NULL };
	pid_t user = pid;

	needs_root(state);
	open_disk();
	pid = start_process(be_as_we_are);
	answering(answers);
	assert_int_equal(blktap_ctl_pause(pid, 7, -1, NULL), 0);
	assert_int_equal(blktap_ctl_close(pid, 7, 0, false, NULL), 0);
	assert_false(is_paused());
	assert_int_equal(blktap_ctl_open(pid, 7, &open_params, NULL), 0);
	assert_true(read_record());
	assert_int_equal(record->pid, user);
	blktap_record_free(record);
	fake_stop(&fake);
	end_process(pid);
	pid = user;
}

static int set_up(void **state)
{
	kernel_reset();
	if (make_control_dir(state))
		return -1;
	pid = start_process(geteuid() ? be_as_we_are : be_nobody);
	return 0;
}

static int tear_down(void **state)
{
	looking_hangs = false;
	opening_hangs = false;
	end_process(pid);
	return remove_control_dir(state);
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_opened),
		TEST(test_retries_without_limit),
		TEST(test_refused),
		TEST(test_refused_for_another),
		TEST(test_open_interrupted),
		TEST(test_open_of_what_is_being_opened),
		TEST(test_open_of_what_is_served),
		TEST(test_recover_fails),
		TEST(test_changed),
		TEST(test_identity),
		TEST(test_identity_of_slow_storage),
		TEST(test_interrupted_before),
		TEST(test_identity_of_what_is_passed),
		TEST(test_passing_from_storage_that_hangs),
		TEST(test_which_disk),
		TEST(test_replaced_at_recovery),
		TEST(test_pause_fails),
		TEST(test_pause_and_death),
		TEST(test_pause_interrupted),
		TEST(test_unpause),
		TEST(test_under_an_earlier_pid),
		TEST(test_close_and_open),
		TEST(test_two_at_a_time),
		TEST(test_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Takeovers, as their client sees them: the tapdisks are threads, which have the pids of
 * children of the test.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "fake-kernel.h"
#include "fake-tapdisk.h"
#include "processes.h"
#include "ring.h"

#define ANSWER(result)	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":" result "}\n"
#define VERSION	ANSWER("{\"version\":\"0.1.0\",\"features\":[\"hand_over\"]}")
#define NO_DISK	ANSWER("{\"vbds\":[]}")
#define DISKS_7_8	ANSWER("{\"vbds\":[{\"minor\":7,\"state\":0},{\"minor\":8,\"state\":0}]}")
#define DISK_7	ANSWER("{\"vbds\":[{\"minor\":7,\"state\":0}]}")

static struct fake old, new;
static int cancelling;

/* ------------------------------------------------------------------ processes */

static bool be_confined(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

/* How the new one is started is written down in "how". */
static void make_tapdisk(void)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/tapdisk", control_dir);
	file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file, "#!/bin/sh\necho \"$*\" >\"${0%%/*}/how\"\n"
		"echo '{\"pid\":%d}' >&3\n", (int)new.pid);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0700), 0);
	setenv("TAPDISK", path, 1);
}

static void begin(bool (*prepare)(void), const char *const *of_old, const char *const *of_new)
{
	old = (struct fake){ .pid = start_process(prepare), .answers = of_old };
	new = (struct fake){ .pid = start_process(be_as_we_are), .answers = of_new };
	make_tapdisk();
}

static int take_over(void)
{
	pid_t pid;
	int ret;

	fake_start(&old);
	fake_start(&new);
	ret = blktap_take_over(old.pid, &pid, 5000, NULL);
	fake_stop(&old);
	fake_stop(&new);
	return ret;
}

static void end(void)
{
	end_process(old.pid);
	end_process(new.pid);
}

/* --------------------------------------------------------------------- rights */

static void assert_started_as(const char *expected)
{
	char path[PATH_MAX], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/how", control_dir);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	fclose(file);
	assert_string_equal(line, expected);
}

static void assert_new_is_started(bool (*prepare)(void), const char *expected)
{
	static const char *const of_old[] = { VERSION, NO_DISK, NULL };
	static const char *const of_new[] = { ANSWER("{}"), NO_DISK, NULL };

	begin(prepare, of_old, of_new);
	assert_int_equal(take_over(), 0);
	assert_started_as(expected);
	end();
}

static void test_same_rights(void **state)
{
	(void)state;
	assert_new_is_started(be_as_we_are, "--ready-fd=3 --no-sandbox\n");
	assert_new_is_started(be_confined, "--ready-fd=3\n");
	if (geteuid() == 0)
		assert_new_is_started(be_nobody, "--ready-fd=3 --user nobody\n");
}

/* ---------------------------------------------------------------------- rings */

static unsigned int opened, passed;	/* bits by minor */

/* In place of the library's: there are no devices here. */
int ring_open_node(unsigned int minor, struct blktap_error *err)
{
	(void)err;
	opened |= 1U << minor;
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static bool notes_ring(struct fake *fake)
{
	const char *minor = strstr(fake->request, "\"minor\":");

	if (strstr(fake->request, "\"pass_ring\"") && minor)
		passed |= 1U << atoi(minor + strlen("\"minor\":"));
	return true;
}

/* What the old one says that it has does not count. */
static void test_rings(void **state)
{
	static const char *const of_old[] = { VERSION, DISKS_7_8, NULL };
	static const char *const of_new[] = { ANSWER("{}"), ANSWER("{}"), ANSWER("{}"), NO_DISK, NULL };

	(void)state;
	if (geteuid() != 0)
		skip();
	begin(be_nobody, of_old, of_new);
	new.asked = notes_ring;
	kernel_add(6, 0);
	kernel_add(7, old.pid);
	kernel_add(8, new.pid);
	kernel_add(9, old.pid);
	assert_int_equal(take_over(), 0);
	assert_int_equal(opened, 1U << 7 | 1U << 9);
	assert_int_equal(passed, opened);
	end();
}

/* -------------------------------------------------------------------- records */

static void put_record(void)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/tap7.json", control_dir);
	file = fopen(path, "we");
	fprintf(file, "{\"minor\":7,\"pid\":%d,\"user\":\"nobody\",\"image\":\"aio:/x\","
		"\"read_only\":false,\"no_direct\":false,\"kernel_io\":\"off\","
		"\"request_timeout_ms\":0,\"restart\":true,\"paused\":false,"
		"\"image_identity\":\"file 8:1 7\"}", (int)old.pid);
	fchmod(fileno(file), 0600);
	fclose(file);
}

static pid_t recorded(void)
{
	struct blktap_record *record;
	pid_t pid;

	assert_int_equal(blktap_record_read(7, &record, NULL), 0);
	pid = record->pid;
	assert_string_equal(record->image_identity, "file 8:1 7");
	blktap_record_free(record);
	return pid;
}

static bool interrupts(struct fake *fake)
{
	if (!strstr(fake->request, "\"takeover\""))
		return true;
	assert_int_equal(eventfd_write(cancelling, 1), 0);
	return false;
}

/* By then the disk has moved. */
static void test_interrupted(void **state)
{
	static const char *const of_old[] = { VERSION, NO_DISK, NULL };
	static const char *const of_new[] = { DISK_7, NULL };

	(void)state;
	if (geteuid() != 0)
		skip();
	begin(be_nobody, of_old, of_new);
	new.asked = interrupts;
	put_record();
	cancelling = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	blktap_cancel_on(cancelling);
	assert_int_equal(take_over(), -EINTR);
	blktap_cancel_on(-1);
	close(cancelling);
	assert_int_equal(recorded(), new.pid);
	end();
}

/* --------------------------------------------------------------------- failure */

static bool goes_when_asked(struct fake *fake)
{
	char path[PATH_MAX];

	if (!blktap_control_path(path, sizeof(path), fake->pid))
		unlink(path);
	return true;
}

/* The new one, which nobody has told anything, is not left behind. */
static void test_old_goes(void **state)
{
	static const char *const of_old[] = { VERSION, NULL };
	static const char *const of_new[] = { NO_DISK, NULL };
	int status;

	(void)state;
	if (geteuid() != 0)
		skip();
	begin(be_nobody, of_old, of_new);
	old.asked = goes_when_asked;
	assert_int_equal(take_over(), -ENOENT);
	assert_int_equal(waitpid(new.pid, &status, WNOHANG), new.pid);
	assert_int_equal(WTERMSIG(status), SIGTERM);
	end_process(old.pid);
}

static int set_up(void **state)
{
	kernel_reset();
	return make_control_dir(state);
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, set_up, remove_control_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_same_rights),
		TEST(test_rings),
		TEST(test_interrupted),
		TEST(test_old_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a process can make, rename and remove files: it does so by its own thread, with
 * ptrace, after one that is not confined, so that a refusal is not the folder's.
 *
 * usage: names_in CONFINED FREE FOLDER [CONTROL]; thread ids. CONTROL is the folder where
 * files, and nothing else, may be made and removed.
 */
#include "traced.h"

#ifndef __x86_64__
int main(void)
{
	return traced_skip();
}
#else
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HERE	((unsigned long)AT_FDCWD)

/* Arguments that are names: one that is free, one of a file. */
enum { NEW = 1, THERE };

/* Who says so: nobody, landlock but for CONTROL, the filter of system calls. */
enum refusal { ALLOWED, BY_PLACE, BY_CALL };

static const struct attempt {
	const char *what;
	enum refusal refusal;
	long number;
	unsigned long args[6];
	char names[6];
} attempts[] = {
	{ "opening a file", ALLOWED, SYS_openat, { HERE, 0, O_RDWR | O_CLOEXEC }, { 0, THERE } },
	{ "making a file", BY_PLACE, SYS_openat, { HERE, 0, O_CREAT | O_RDWR | O_CLOEXEC, 0600 },
	  { 0, NEW } },
	{ "removing a file", BY_PLACE, SYS_unlink, { 0 }, { THERE } },
	{ "removing a file (unlinkat)", BY_PLACE, SYS_unlinkat, { HERE }, { 0, THERE } },
	{ "renaming a file", BY_PLACE, SYS_renameat, { HERE, 0, HERE }, { 0, THERE, 0, NEW } },
	{ "making a folder", BY_CALL, SYS_mkdir, { 0, 0700 }, { NEW } },
	{ "making a folder (mkdirat)", BY_CALL, SYS_mkdirat, { HERE, 0, 0700 }, { 0, NEW } },
	{ "making a link", BY_CALL, SYS_symlinkat, { 0, HERE }, { THERE, 0, NEW } },
	{ "making another name of a file", BY_CALL, SYS_linkat, { HERE, 0, HERE },
	  { 0, THERE, 0, NEW } },
	{ "making a pipe", BY_CALL, SYS_mknodat, { HERE, 0, S_IFIFO | 0600 }, { 0, NEW } },
};

struct folder {
	const char *what;
	bool may;
	char new[TRACED_TEXT], there[TRACED_TEXT];
};

static void describe(struct folder *folder, const char *what, const char *path, bool may)
{
	folder->what = what;
	folder->may = may;
	snprintf(folder->new, sizeof(folder->new), "%s/new", path);
	snprintf(folder->there, sizeof(folder->there), "%s/there", path);
}

static void clear(const struct folder *folder)
{
	unlink(folder->there);
	if (unlink(folder->new) != 0)
		rmdir(folder->new);
}

static void prepare(const struct folder *folder)
{
	int fd;

	clear(folder);
	fd = open(folder->there, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 || fchmod(fd, 0666) != 0)
		ktap_die("cannot make %s: %s", folder->there, strerror(errno));
	close(fd);
}

static bool is_as_prepared(const struct folder *folder)
{
	struct stat st;

	return lstat(folder->new, &st) != 0 && lstat(folder->there, &st) == 0 && st.st_nlink == 1;
}

static long try(struct traced *thread, const struct attempt *attempt, const struct folder *folder)
{
	unsigned long args[6], close_args[6] = { 0 }, names[] = {
		[NEW] = traced_put(thread, 0, folder->new),
		[THERE] = traced_put(thread, 1, folder->there),
	};
	long result;
	int i;

	for (i = 0; i < 6; i++)
		args[i] = attempt->names[i] ? names[(int)attempt->names[i]] : attempt->args[i];
	prepare(folder);
	result = traced_call(thread, attempt->number, args);
	if (attempt->number == SYS_openat && result >= 0) {
		close_args[0] = result;
		traced_call(thread, SYS_close, close_args);
	}
	return result;
}

static long expected(const struct attempt *attempt, const struct folder *folder)
{
	if (attempt->refusal == BY_CALL)
		return -ENOSYS;
	return attempt->refusal == BY_PLACE && !folder->may ? -EACCES : 0;
}

static void compare(struct traced *confined, struct traced *free, const struct attempt *attempt,
		    const struct folder *folder)
{
	long usual = try(free, attempt, folder), got = try(confined, attempt, folder);
	long want = expected(attempt, folder);

	if (usual < 0 || (got < 0 ? got : 0) != want)
		printf("# %ld, and %ld where it is not confined\n", got, usual);
	ktap(usual >= 0 && (got < 0 ? got : 0) == want && (!want || is_as_prepared(folder)),
	     "%s, %s: %s", attempt->what, folder->what, want ? "refused" : "allowed");
	clear(folder);
}

static bool has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

static void compare_all(struct traced *confined, struct traced *free, const struct folder *folder)
{
	bool landlock = has_landlock();
	size_t i;

	for (i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		if (attempts[i].refusal != BY_PLACE || folder->may || landlock)
			compare(confined, free, &attempts[i], folder);
		else
			printf("ok %d %s, %s: refused # SKIP this kernel does not have landlock\n",
			       ++ktap_count, attempts[i].what, folder->what);
}

int main(int argc, char **argv)
{
	struct traced confined, free;
	struct folder folder;

	ktap_start();
	if (argc < 4 || argc > 5)
		ktap_die("usage: names_in CONFINED FREE FOLDER [CONTROL]");
	traced_seize(&confined, argv[1]);
	traced_seize(&free, argv[2]);
	describe(&folder, "in some folder", argv[3], false);
	compare_all(&confined, &free, &folder);
	if (argc == 5) {
		describe(&folder, "in the control directory", argv[4], true);
		compare_all(&confined, &free, &folder);
	}
	traced_release(&confined);
	traced_release(&free);
	return ktap_finish();
}
#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The filter of system calls, each time in a process of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "libblktap.h"
#include "syscalls.h"

enum { FINE, NOT_CONFINED = 100 };

/* The exit status of @child, which begins confined. */
static int confined(int (*child)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscalls_confine() != 0)
			_exit(NOT_CONFINED);
		_exit(child());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define TRY(condition) do { if (!(condition)) return __LINE__ % 99 + 1; } while (0)
#define REFUSED(call)	TRY((call) == -1 && errno == ENOSYS)

static void *in_thread(void *arg)
{
	*(long *)arg = syscall(SYS_execve, NULL, NULL, NULL) == -1 && errno == ENOSYS;
	return NULL;
}

static int threads_and_no_processes(void)
{
	pthread_t thread;
	long refused = 0;

	TRY(pthread_create(&thread, NULL, in_thread, &refused) == 0);
	TRY(pthread_join(thread, NULL) == 0);
	TRY(refused);
	REFUSED(fork());
	REFUSED(syscall(SYS_execve, NULL, NULL, NULL));
	REFUSED(syscall(SYS_tgkill, 1, 1, 0));
	TRY(syscall(SYS_tgkill, getpid(), getpid(), 0) == 0);
	return FINE;
}

/* By a descriptor, signals would reach any process. */
static int no_signals_to_others(void)
{
	struct f_owner_ex owner = { F_OWNER_PID, getppid() };
	struct sched_param param = { 0 };
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int fds[2];

	TRY(pipe2(fds, O_CLOEXEC) == 0);
	REFUSED(kill(getppid(), 0));
	REFUSED(fcntl(fds[0], F_SETOWN, getppid()));
	REFUSED(fcntl(fds[0], F_SETOWN_EX, &owner));
	REFUSED(fcntl(fds[0], F_SETSIG, SIGUSR1));
	REFUSED(sched_setscheduler(getppid(), SCHED_BATCH, &param));
	TRY(sched_setscheduler(0, SCHED_OTHER, &param) == 0);
	TRY(fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
	TRY(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	TRY(fcntl(fds[0], F_DUPFD_CLOEXEC, 3) >= 3);
	TRY(fcntl(open("/dev/null", O_RDWR | O_CLOEXEC), F_OFD_SETLK, &lock) == 0);
	TRY(fcntl(open("/dev/null", O_RDWR | O_CLOEXEC), F_GETLK, &lock) == 0);
	return FINE;
}

static int memory_without_code(void)
{
	size_t bytes = 1 << 20;
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	TRY(memory != MAP_FAILED);
	memset(memory, 1, bytes);
	TRY(mprotect(memory, bytes, PROT_READ) == 0);
	REFUSED(mprotect(memory, bytes, PROT_READ | PROT_EXEC));
	TRY(mmap(NULL, bytes, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	TRY(errno == ENOSYS);
	return FINE;
}

static int files_that_are_there(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	TRY(fd >= 0);
	TRY(open("/nowhere", O_RDONLY | O_DIRECTORY | O_CLOEXEC) == -1 && errno == ENOENT);
	REFUSED(open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
	REFUSED(open("/", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
	REFUSED(rmdir("/nowhere"));
	TRY(unlink("/nowhere") == -1 && errno == ENOENT);
	return FINE;
}

static int ioctls_and_sockets(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	TRY(ioctl(fd, BLKTAP_IOC_ATTACH, NULL) == -1 && errno == ENOTTY);
	/* Sizes and directions are not looked at: those of later versions differ. */
	TRY(ioctl(fd, _IOWR(BLKTAP_IOC_MAGIC, 200, char[1000]), NULL) == -1 && errno == ENOTTY);
	REFUSED(ioctl(fd, TIOCSTI, NULL));
	TRY(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0);
	REFUSED(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	return FINE;
}

static void test_filter(void **state)
{
	static const struct { const char *name; int (*child)(void); } cases[] = {
		{ "threads_and_no_processes", threads_and_no_processes },
		{ "no_signals_to_others", no_signals_to_others },
		{ "memory_without_code", memory_without_code },
		{ "files_that_are_there", files_that_are_there },
		{ "ioctls_and_sockets", ioctls_and_sockets },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int status = confined(cases[i].child);

		if (status == NOT_CONFINED)
			skip();		/* a kernel, or a container, that knows no filters */
		if (status != FINE)
			fail_msg("%s: status %d", cases[i].name, status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * A seccomp filter: the system calls that a tapdisk needs once it listens.
 *
 * What is not listed fails with ENOSYS and is logged. The process is not killed
 * for it: a C library newer than this list, which tries a call that is not in it,
 * would cost all disks; after ENOSYS it takes an older call.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/blktap.h>
#include <linux/fs.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "syscalls.h"

#ifndef BLKROTATIONAL
#define BLKROTATIONAL	_IO(0x12, 126)
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA	0x53564d41
#endif

#define NAMESPACES	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | \
			 CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
#define NO_NAME		(O_TMPFILE & ~O_DIRECTORY)
#define IOCTL_TYPE(type) ((uint64_t)(type) << _IOC_TYPESHIFT)

/* With any arguments. Calls that glibc or the architecture does not have do no harm. */
static const char *const names[] = {
	/* memory */
	"brk", "madvise", "membarrier", "mlock", "mlock2", "mremap", "munlock", "munmap",
	"memfd_create",

	/* files; each kind of word length and time has calls of its own */
	"access", "close", "close_range", "dup", "dup2", "dup3", "faccessat", "faccessat2",
	"fadvise64", "fadvise64_64", "arm_fadvise64_64", "fallocate", "fdatasync", "flock", "fstat", "fstat64", "fstatat64", "fstatfs", "fstatfs64", "fsync",
	"ftruncate", "ftruncate64", "lseek", "_llseek", "lstat", "lstat64", "newfstatat", "pipe2",
	"pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readlink",
	"readlinkat", "readv", "renameat", "renameat2", "stat", "stat64", "statfs", "statfs64", "statx", "sync_file_range",
	"sync_file_range2", "unlink", "write", "writev",

	/* asynchronous I/O */
	"io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_pgetevents_time64",
	"io_setup", "io_submit",

	/* sockets, of which only those of one kind can be made */
	"accept", "accept4", "connect", "getpeername", "getsockname", "getsockopt", "recv",
	"recvfrom", "recvmsg", "send", "sendmsg", "sendto", "setsockopt", "shutdown",

	/* events and time */
	"clock_getres", "clock_getres_time64", "clock_gettime", "clock_gettime64",
	"clock_nanosleep", "clock_nanosleep_time64", "epoll_create", "epoll_create1", "epoll_ctl",
	"epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd2", "gettimeofday", "nanosleep",
	"poll", "ppoll", "ppoll_time64", "signalfd4", "time", "timerfd_create",
	"timerfd_gettime", "timerfd_gettime64", "timerfd_settime", "timerfd_settime64",

	/* threads and signals */
	"exit", "exit_group", "futex", "futex_time64", "futex_waitv", "getcpu", "gettid",
	"restart_syscall", "rseq", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
	"sched_getaffinity", "sched_getparam", "sched_getscheduler", "sched_yield", "set_robust_list", "sigaltstack", "sigreturn",

	/* questions */
	"getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32", "getpid", "getppid",
	"getrandom", "getrlimit", "getrusage", "getuid", "getuid32", "sysinfo", "ugetrlimit",
	"uname",
};

/* With one argument as it is here: (argument & mask) == value. */
struct condition {
	const char *name;
	unsigned int argument;
	uint64_t mask;
	uint64_t value;
};

#define WHOLE	UINT64_MAX
#define WORD	UINT32_MAX	/* the kernel looks at no more */

static const struct condition conditions[] = {
	/* no code but that of the program */
	{ "mmap", 2, PROT_EXEC, 0 },
	{ "mmap2", 2, PROT_EXEC, 0 },
	{ "mprotect", 2, PROT_EXEC, 0 },
	/* files; where they can be made is landlock's to say */
	{ "open", 1, O_CREAT | NO_NAME, 0 },
	{ "openat", 2, NO_NAME, 0 },
	{ "unlinkat", 2, WORD, 0 },
	/* other processes of this machine: the log, a tapdisk */
	{ "socket", 0, WORD, AF_UNIX },
	{ "socketpair", 0, WORD, AF_UNIX },
	/* threads, and no processes */
#if defined(__s390__)
	{ "clone", 1, CLONE_THREAD | NAMESPACES, CLONE_THREAD },
#else
	{ "clone", 0, CLONE_THREAD | NAMESPACES, CLONE_THREAD },
#endif
	{ "sched_setscheduler", 0, WORD, 0 },
	{ "prctl", 0, WORD, PR_SET_NAME },
	{ "prctl", 0, WORD, PR_GET_NAME },
	{ "prctl", 0, WORD, PR_SET_VMA },
	/* asking for a limit */
	{ "prlimit64", 2, WHOLE, 0 },
	/* of rings, of block devices, and stdio's question whether it is a terminal */
	{ "ioctl", 1, IOCTL_TYPE(0xff), IOCTL_TYPE(BLKTAP_IOC_MAGIC) },
	{ "ioctl", 1, WORD, BLKDISCARD },
	{ "ioctl", 1, WORD, BLKGETSIZE64 },
	{ "ioctl", 1, WORD, BLKIOMIN },
	{ "ioctl", 1, WORD, BLKIOOPT },
	{ "ioctl", 1, WORD, BLKPBSZGET },
	{ "ioctl", 1, WORD, BLKROGET },
	{ "ioctl", 1, WORD, BLKROTATIONAL },
	{ "ioctl", 1, WORD, BLKSSZGET },
	{ "ioctl", 1, WORD, BLKZEROOUT },
	{ "ioctl", 1, WORD, TCGETS },
};

/* Others make a descriptor send signals, of any kind and to any process. */
static const int fcntl_commands[] = {
	F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK,
	F_OFD_GETLK, F_OFD_SETLK,
};

static int allow(scmp_filter_ctx filter, const char *name, const struct scmp_arg_cmp *condition)
{
	int number = seccomp_syscall_resolve_name(name);

	if (number == __NR_SCMP_ERROR)
		return 0;
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, condition ? 1 : 0, condition);
}

static int allow_if(scmp_filter_ctx filter, const struct condition *condition)
{
	struct scmp_arg_cmp cmp = SCMP_CMP64(condition->argument, SCMP_CMP_MASKED_EQ,
					     condition->mask, condition->value);

	return allow(filter, condition->name, &cmp);
}

/* 32-bit architectures have two of it. */
static int allow_fcntl(scmp_filter_ctx filter)
{
	struct condition condition = { .argument = 1, .mask = WORD };
	int ret = 0;
	size_t i;

	for (i = 0; !ret && i < ARRAY_SIZE(fcntl_commands); i++) {
		condition.value = fcntl_commands[i];
		condition.name = "fcntl";
		ret = allow_if(filter, &condition);
		condition.name = "fcntl64";
		if (!ret)
			ret = allow_if(filter, &condition);
	}
	return ret;
}

static int allow_all(scmp_filter_ctx filter)
{
	/* abort() */
	struct condition own_signal = { "tgkill", 0, WORD, getpid() };
	int ret = allow_if(filter, &own_signal);
	size_t i;

	for (i = 0; !ret && i < ARRAY_SIZE(names); i++)
		ret = allow(filter, names[i], NULL);
	for (i = 0; !ret && i < ARRAY_SIZE(conditions); i++)
		ret = allow_if(filter, &conditions[i]);
	if (!ret)
		ret = allow_fcntl(filter);
	/* Each request costs one, and those with conditions are gone through in order. */
	if (!ret)
		ret = seccomp_syscall_priority(filter, SCMP_SYS(ioctl), UINT8_MAX);
	return ret;
}

/* Loads a filter made by @fill, whose default is @action, and logged if @log. */
static int load(uint32_t action, int (*fill)(scmp_filter_ctx filter), bool log)
{
	scmp_filter_ctx filter = seccomp_init(action);
	int ret = -ENOMEM;

	if (!filter)
		return ret;
	/* Calls in the manner of another architecture are no better than the others. */
	ret = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, action);
	if (!ret)
		ret = seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, log);
	if (!ret)
		ret = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1);
	if (!ret)
		ret = fill(filter);
	if (!ret)
		ret = seccomp_load(filter);
	seccomp_release(filter);
	return ret;
}

/*
 * Its flags are in memory, where a filter cannot see them. The C library tries it
 * for each thread before clone(), which is no news for the log.
 */
static int refuse_clone3(scmp_filter_ctx filter)
{
	int number = seccomp_syscall_resolve_name("clone3");

	if (number == __NR_SCMP_ERROR)
		return 0;
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0);
}

static int allow_listed(scmp_filter_ctx filter)
{
	int ret = allow_all(filter);

	/* The other filter has refused it. */
	return ret ? ret : allow(filter, "clone3", NULL);
}

/* Of two filters the stricter one decides, and whether it is logged. */
int syscalls_confine(void)
{
	int ret = load(SCMP_ACT_ALLOW, refuse_clone3, false);

	return ret ? ret : load(SCMP_ACT_ERRNO(ENOSYS), allow_listed, true);
}

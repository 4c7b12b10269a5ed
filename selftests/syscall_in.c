// SPDX-License-Identifier: GPL-2.0-only
/*
 * What system calls a process can make: they are made in it, by its own thread,
 * with ptrace. Compared with one that is not confined, so that a refusal can be
 * told from what the kernel has always said to these arguments.
 *
 * usage: syscall_in CONFINED FREE; thread ids
 */
#include "traced.h"

#ifndef __x86_64__
int main(void)
{
	return traced_skip();
}
#else
#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/blktap.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>

enum expected { REFUSED, REFUSED_IF_THERE, ALLOWED };

struct attempt {
	const char *what;
	enum expected expected;
	long number;
	unsigned long args[6];
};

#define BAD_FD	0xffffffffUL

/* With arguments that do nothing where the call is not refused. */
static const struct attempt attempts[] = {
	{ "execve", REFUSED, SYS_execve, { 0 } },
	{ "execveat", REFUSED, SYS_execveat, { BAD_FD } },
	{ "clone of a process", REFUSED, SYS_clone, { CLONE_SIGHAND } },
	{ "clone3", REFUSED, SYS_clone3, { 0 } },
	{ "clone of a thread", ALLOWED, SYS_clone, { CLONE_THREAD } },
	{ "clone of a thread with namespaces", REFUSED, SYS_clone, { CLONE_THREAD | CLONE_NEWUSER } },
	{ "ptrace", REFUSED, SYS_ptrace, { PTRACE_ATTACH, 0 } },
	{ "process_vm_readv", REFUSED, SYS_process_vm_readv, { 0, 0, 0, 0, 0, 1 } },
	{ "process_vm_writev", REFUSED, SYS_process_vm_writev, { 0, 0, 0, 0, 0, 1 } },
	{ "kill", REFUSED, SYS_kill, { 1, 0 } },
	{ "tkill", REFUSED, SYS_tkill, { 0, 0 } },
	{ "tgkill of another process", REFUSED, SYS_tgkill, { 1, 1, 0 } },
	{ "pidfd_open", REFUSED, SYS_pidfd_open, { 0 } },
	{ "fcntl(F_SETOWN)", REFUSED, SYS_fcntl, { BAD_FD, F_SETOWN, 1 } },
	{ "fcntl(F_SETSIG)", REFUSED, SYS_fcntl, { BAD_FD, F_SETSIG, SIGUSR1 } },
	{ "fcntl(F_GETFL)", ALLOWED, SYS_fcntl, { BAD_FD, F_GETFL } },
	{ "sched_setscheduler of another process", REFUSED, SYS_sched_setscheduler, { 1, -1UL, 0 } },

	{ "socket(AF_INET)", REFUSED, SYS_socket, { AF_INET, SOCK_STREAM } },
	{ "socket(AF_INET6)", REFUSED, SYS_socket, { AF_INET6, SOCK_STREAM } },
	{ "socket(AF_NETLINK)", REFUSED, SYS_socket, { AF_NETLINK, SOCK_RAW } },
	{ "socket(AF_PACKET)", REFUSED, SYS_socket, { AF_PACKET, SOCK_RAW } },
	{ "socket(AF_UNIX)", ALLOWED, SYS_socket, { AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC } },
	{ "bind", REFUSED, SYS_bind, { BAD_FD } },
	{ "listen", REFUSED, SYS_listen, { BAD_FD } },

	{ "mount", REFUSED, SYS_mount, { 0 } },
	{ "umount", REFUSED, SYS_umount2, { 0 } },
	{ "unshare", REFUSED, SYS_unshare, { 0 } },
	{ "setns", REFUSED, SYS_setns, { BAD_FD } },
	{ "chroot", REFUSED, SYS_chroot, { 0 } },
	{ "pivot_root", REFUSED, SYS_pivot_root, { 0 } },

	{ "open that makes a nameless file", REFUSED, SYS_openat, { BAD_FD, 0, O_TMPFILE } },
	{ "open of what is there", ALLOWED, SYS_openat, { BAD_FD, 0, O_RDWR } },
	{ "open of a directory", ALLOWED, SYS_openat, { BAD_FD, 0, O_DIRECTORY } },
	{ "openat2", REFUSED, SYS_openat2, { BAD_FD } },
	{ "open_by_handle_at", REFUSED, SYS_open_by_handle_at, { BAD_FD } },
	{ "creat", REFUSED, SYS_creat, { 0 } },
	{ "mkdir", REFUSED, SYS_mkdirat, { BAD_FD } },
	{ "rmdir", REFUSED, SYS_unlinkat, { BAD_FD, 0, AT_REMOVEDIR } },
	{ "mknod", REFUSED, SYS_mknodat, { BAD_FD } },
	{ "link", REFUSED, SYS_linkat, { BAD_FD, 0, BAD_FD } },
	{ "symlink", REFUSED, SYS_symlinkat, { 0, BAD_FD } },
	{ "fchmod", REFUSED, SYS_fchmod, { BAD_FD } },
	{ "fchown", REFUSED, SYS_fchown, { BAD_FD } },
	{ "getdents", REFUSED, SYS_getdents64, { BAD_FD } },
	{ "ftruncate", ALLOWED, SYS_ftruncate, { BAD_FD } },

	{ "mmap with PROT_EXEC", REFUSED, SYS_mmap, { 0, 0, PROT_READ | PROT_EXEC } },
	{ "mprotect with PROT_EXEC", REFUSED, SYS_mprotect, { 0, 0, PROT_EXEC } },
	{ "pkey_mprotect", REFUSED, SYS_pkey_mprotect, { 1, 0, 0, -1UL } },
	{ "mmap without PROT_EXEC", ALLOWED, SYS_mmap, { 0, 0, PROT_READ } },
	{ "shmat", REFUSED_IF_THERE, SYS_shmat, { BAD_FD } },
	{ "userfaultfd", REFUSED_IF_THERE, SYS_userfaultfd, { BAD_FD } },

	{ "ioctl of a terminal: TIOCSTI", REFUSED, SYS_ioctl, { BAD_FD, TIOCSTI } },
	{ "ioctl of a block device: BLKRRPART", REFUSED, SYS_ioctl, { BAD_FD, BLKRRPART } },
	{ "ioctl of a file system: FIFREEZE", REFUSED, SYS_ioctl, { BAD_FD, FIFREEZE } },
	{ "ioctl of a ring", ALLOWED, SYS_ioctl, { BAD_FD, BLKTAP_IOC_ATTACH } },
	{ "ioctl of a block device: BLKGETSIZE64", ALLOWED, SYS_ioctl, { BAD_FD, BLKGETSIZE64 } },

	{ "setuid", REFUSED, SYS_setuid, { -1UL } },
	{ "setresuid", REFUSED, SYS_setresuid, { -1UL, -1UL, -1UL } },
	{ "setgroups", REFUSED, SYS_setgroups, { -1UL } },
	{ "capset", REFUSED, SYS_capset, { 0 } },
	{ "prctl(PR_SET_DUMPABLE)", REFUSED, SYS_prctl, { PR_SET_DUMPABLE, -1UL } },
	{ "prctl(PR_SET_NAME)", ALLOWED, SYS_prctl, { PR_SET_NAME, 0 } },
	{ "prlimit that sets", REFUSED, SYS_prlimit64, { 0, -1UL, 1 } },
	{ "prlimit that asks", ALLOWED, SYS_prlimit64, { 0, -1UL, 0 } },
	{ "personality", REFUSED, SYS_personality, { BAD_FD } },
	{ "seccomp", REFUSED, SYS_seccomp, { -1UL } },

	{ "bpf", REFUSED_IF_THERE, SYS_bpf, { -1UL } },
	{ "perf_event_open", REFUSED_IF_THERE, SYS_perf_event_open, { 0 } },
	{ "io_uring_setup", REFUSED_IF_THERE, SYS_io_uring_setup, { 0 } },
	{ "keyctl", REFUSED_IF_THERE, SYS_keyctl, { -1UL } },
	{ "init_module", REFUSED_IF_THERE, SYS_init_module, { 0 } },
	{ "finit_module", REFUSED_IF_THERE, SYS_finit_module, { BAD_FD } },
	{ "kexec_load", REFUSED_IF_THERE, SYS_kexec_load, { 0, 17 } },
	{ "reboot", REFUSED, SYS_reboot, { 0 } },
	{ "settimeofday", REFUSED, SYS_settimeofday, { 1 } },
	{ "sethostname", REFUSED, SYS_sethostname, { 0, -1UL } },
	{ "swapon", REFUSED_IF_THERE, SYS_swapon, { 0, -1UL } },
};

static bool alike(long a, long b)
{
	return a == b || (a >= 0 && b >= 0);
}

static void compare(struct traced *confined, struct traced *free, const struct attempt *attempt)
{
	long usual = traced_call(free, attempt->number, attempt->args);
	long got = traced_call(confined, attempt->number, attempt->args);

	if (attempt->expected == ALLOWED) {
		if (!alike(got, usual))
			printf("# %ld, and %ld where it is not confined\n", got, usual);
		ktap(alike(got, usual), "%s is allowed", attempt->what);
	} else if (usual == -ENOSYS && attempt->expected == REFUSED_IF_THERE) {
		printf("ok %d %s is refused # SKIP this kernel does not have it\n", ++ktap_count,
		       attempt->what);
	} else {
		if (got != -ENOSYS || usual == -ENOSYS)
			printf("# %ld, and %ld where it is not confined\n", got, usual);
		ktap(got == -ENOSYS && usual != -ENOSYS, "%s is refused", attempt->what);
	}
}

int main(int argc, char **argv)
{
	struct traced confined, free;
	size_t i;

	ktap_start();
	if (argc != 3)
		ktap_die("usage: syscall_in CONFINED FREE");
	traced_seize(&confined, argv[1]);
	traced_seize(&free, argv[2]);
	for (i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		compare(&confined, &free, &attempts[i]);
	traced_release(&confined);
	traced_release(&free);
	return ktap_finish();
}
#endif

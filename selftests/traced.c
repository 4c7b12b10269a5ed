// SPDX-License-Identifier: GPL-2.0-only
#include "traced.h"

#ifdef __x86_64__
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#define SYSCALL_BYTES	2
#define ERESTARTSYS	512
#define ERESTART_LAST	516

static void stopped(struct traced *thread)
{
	int status;

	if (waitpid(thread->id, &status, __WALL) != thread->id || !WIFSTOPPED(status))
		ktap_die("thread %d does not stop: %#x", thread->id, status);
}

static void trace(struct traced *thread, int request, void *data)
{
	if (ptrace(request, thread->id, NULL, data) != 0)
		ktap_die("ptrace %#x of thread %d: %s", request, thread->id, strerror(errno));
}

void traced_seize(struct traced *thread, const char *id)
{
	long code;

	thread->id = atoi(id);
	trace(thread, PTRACE_SEIZE, (void *)PTRACE_O_TRACESYSGOOD);
	trace(thread, PTRACE_INTERRUPT, NULL);
	stopped(thread);
	trace(thread, PTRACE_GETREGS, &thread->regs);
	thread->instruction = thread->regs.rip - SYSCALL_BYTES;
	code = ptrace(PTRACE_PEEKTEXT, thread->id, thread->instruction, NULL);
	if ((code & 0xffff) != 0x050f)
		ktap_die("thread %d does not sleep in a system call", thread->id);
}

void traced_release(struct traced *thread)
{
	long result = -(long)thread->regs.rax;

	if (result >= ERESTARTSYS && result <= ERESTART_LAST) {
		thread->regs.rax = thread->regs.orig_rax;
		thread->regs.rip = thread->instruction;
	}
	thread->regs.orig_rax = -1UL;
	trace(thread, PTRACE_SETREGS, &thread->regs);
	trace(thread, PTRACE_DETACH, NULL);
}

long traced_call(struct traced *thread, long number, const unsigned long args[6])
{
	struct user_regs_struct regs = thread->regs;

	regs.orig_rax = -1UL;
	regs.rip = thread->instruction;
	regs.rax = number;
	regs.rdi = args[0];
	regs.rsi = args[1];
	regs.rdx = args[2];
	regs.r10 = args[3];
	regs.r8 = args[4];
	regs.r9 = args[5];
	trace(thread, PTRACE_SETREGS, &regs);
	/* to its beginning, and to its end */
	trace(thread, PTRACE_SYSCALL, NULL);
	stopped(thread);
	trace(thread, PTRACE_SYSCALL, NULL);
	stopped(thread);
	trace(thread, PTRACE_GETREGS, &regs);
	return regs.rax;
}

/* Below its stack, where no signal handler runs while it is traced. */
#define ROOM	4096

unsigned long traced_put(struct traced *thread, unsigned int slot, const char *text)
{
	unsigned long address = (thread->regs.rsp - ROOM + slot * TRACED_TEXT) & ~7UL;
	char words[TRACED_TEXT] = "";
	unsigned long word;
	size_t i;

	snprintf(words, sizeof(words), "%s", text);
	for (i = 0; i < sizeof(words); i += sizeof(word)) {
		memcpy(&word, words + i, sizeof(word));
		if (ptrace(PTRACE_POKEDATA, thread->id, address + i, word) != 0)
			ktap_die("cannot write to thread %d: %s", thread->id, strerror(errno));
	}
	return address;
}
#endif

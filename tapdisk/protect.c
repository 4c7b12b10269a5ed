// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process that memory reclaim may depend on: pages of a disk that it serves are
 * written back while memory is short, so it must not need memory then.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <syslog.h>
#include <unistd.h>

#include "cleanup.h"
#include "libblktap.h"
#include "protect.h"

#define MAX_FILES	65536

/* Of all real-time priorities the lowest. */
#define PRIORITY	1

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

static void refused(const char *what)
{
	blktap_log(LOG_WARNING, "%s: %s; trouble is possible when memory is short", what,
		   strerror(errno));
}

/* AddressSanitizer's shadow is too much to lock. */
#if defined(__SANITIZE_ADDRESS__)
static void lock_memory(void)
{
}
#else
/*
 * What is there now, all of it; what comes later, as it is touched: buffers and
 * ram images are large and mostly empty.
 */
static void lock_memory(void)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	if (setrlimit(RLIMIT_MEMLOCK, &unlimited) != 0)
		refused("memory cannot be locked without limit");
	else if (mlockall(MCL_CURRENT) != 0 || mlockall(MCL_FUTURE | MCL_ONFAULT) != 0)
		refused("memory cannot be locked");
}
#endif

static void never_kill(void)
{
	CLEANUP_CLOSE int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	static const char value[] = "-1000";

	if (fd < 0 || write(fd, value, sizeof(value) - 1) < 0)
		refused("oom_score_adj cannot be lowered");
}

static void many_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	if (limit.rlim_max < MAX_FILES) {
		struct rlimit more = { MAX_FILES, MAX_FILES };

		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			return;
	}
	limit.rlim_cur = limit.rlim_max < MAX_FILES ? limit.rlim_max : MAX_FILES;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Threads may ask for it later, when nothing else is permitted any more. */
static void permit_hurry(void)
{
	struct rlimit limit = { PRIORITY, PRIORITY };

	if (setrlimit(RLIMIT_RTPRIO, &limit) != 0)
		refused("a real-time priority cannot be permitted");
}

void protect_memory(void *memory, size_t size)
{
	uintptr_t page = sysconf(_SC_PAGESIZE);
	uintptr_t begin = (uintptr_t)memory / page * page;
	uintptr_t end = ((uintptr_t)memory + size + page - 1) / page * page;

	if (madvise((void *)begin, end - begin, MADV_POPULATE_WRITE) != 0)
		refused("memory cannot be had in advance");
}

/* No word of success: a log message takes memory. */
void protect_thread(void)
{
	struct sched_param param = { .sched_priority = PRIORITY };
	int policy = sched_getscheduler(0);

	if (policy != SCHED_OTHER && policy != SCHED_BATCH)
		return;
	if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &param) != 0)
		refused("no real-time priority for a disk with swap");
}

void protect_process(void)
{
	/* An arena for each thread would be 64 MiB of locked address space. */
	mallopt(M_ARENA_MAX, 1);
	many_files();
	permit_hurry();
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) != 0)
		refused("the process cannot be marked as an I/O flusher");
	lock_memory();
	/* Now: where there is no room for it, it shall end, and not wait for ever. */
	never_kill();
}

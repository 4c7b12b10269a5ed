// SPDX-License-Identifier: GPL-2.0-only
#include "fuzz_cover.h"

#include <fcntl.h>
#include <linux/kcov.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define KCOV		"/sys/kernel/debug/kcov"
#define ENTRIES		16384

static _Thread_local unsigned long *trace;
static _Thread_local struct fuzz_cover *map;

bool fuzz_cover_there(void)
{
	int fd = open(KCOV, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

void fuzz_cover_begin(struct fuzz_cover *cover)
{
	int fd = open(KCOV, O_RDWR | O_CLOEXEC);
	void *memory = MAP_FAILED;

	trace = NULL;
	map = cover;
	if (fd < 0)
		return;
	if (!ioctl(fd, KCOV_INIT_TRACE, ENTRIES))
		memory = mmap(NULL, ENTRIES * sizeof(*trace), PROT_READ | PROT_WRITE, MAP_SHARED,
			      fd, 0);
	/* The descriptor must stay: KCOV is switched off when it is closed. */
	if (memory == MAP_FAILED || ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
		close(fd);
	else
		trace = memory;
}

void fuzz_cover_fold(void)
{
	unsigned long nr, i;

	if (!trace)
		return;
	nr = __atomic_load_n(&trace[0], __ATOMIC_RELAXED);
	for (i = 1; i <= nr && i < ENTRIES; i++) {
		uint64_t hash = trace[i] * 0x9e3779b97f4a7c15ULL;

		__atomic_fetch_or(&map->words[hash >> 54], 1ULL << (hash >> 48 & 63),
				  __ATOMIC_RELAXED);
	}
	__atomic_store_n(&trace[0], 0, __ATOMIC_RELAXED);
}

unsigned int fuzz_cover_add(struct fuzz_cover *all, const struct fuzz_cover *more)
{
	unsigned int i, new = 0;

	for (i = 0; i < FUZZ_COVER_WORDS; i++) {
		new += __builtin_popcountll(more->words[i] & ~all->words[i]);
		all->words[i] |= more->words[i];
	}
	return new;
}

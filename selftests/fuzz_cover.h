/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What of the driver a program has reached, on a kernel with KCOV: a bit for each place,
 * by a hash. Other kernels tell nothing, and the fuzzer goes unguided.
 */
#ifndef FUZZ_COVER_H
#define FUZZ_COVER_H

#include <stdbool.h>
#include <stdint.h>

#define FUZZ_COVER_WORDS	1024

struct fuzz_cover {
	uint64_t words[FUZZ_COVER_WORDS];
};

/* Whether the kernel has KCOV. */
bool fuzz_cover_there(void);
/* For this thread, from now on; nothing where there is no KCOV. */
void fuzz_cover_begin(struct fuzz_cover *cover);
/* Puts what this thread has reached into the map, for a thread may be killed any time. */
void fuzz_cover_fold(void);

/* Adds @more to @all; how many were new. */
unsigned int fuzz_cover_add(struct fuzz_cover *all, const struct fuzz_cover *more);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The programs of ring_fuzz: a string of bytes, 16 to an operation, which is its number
 * and its arguments. On paper an operation is a line, its name and its arguments up to
 * the last that is not 0; an empty line ends a program, '#' begins a comment.
 */
#ifndef FUZZ_PROGRAM_H
#define FUZZ_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define FUZZ_ARGS	15
#define FUZZ_OPS	40

struct fuzz_op {
	uint8_t code;
	uint8_t args[FUZZ_ARGS];
};

struct fuzz_program {
	unsigned int nr;
	struct fuzz_op ops[FUZZ_OPS];
};

struct fuzz_corpus {
	struct fuzz_program *programs;
	unsigned int nr;
};

/* The generator of all that is random here, seeded by hand. */
struct fuzz_random {
	uint64_t state;
};

uint32_t fuzz_random(struct fuzz_random *random, uint32_t below);

void fuzz_print(FILE *to, const struct fuzz_program *program);
/* False at the end of the file. Names that are not known are left out, and said so. */
bool fuzz_parse(FILE *from, struct fuzz_program *program);

/* All programs of a file; false if it cannot be read. */
bool fuzz_load(struct fuzz_corpus *corpus, const char *path);
void fuzz_keep(struct fuzz_corpus *corpus, const struct fuzz_program *program);

/* A new program: one of the corpus that was changed, or one from nothing. */
void fuzz_make(struct fuzz_program *program, const struct fuzz_corpus *corpus,
	       struct fuzz_random *random);

#endif

// SPDX-License-Identifier: GPL-2.0-only
#include "fuzz_program.h"
#include "fuzz_daemon.h"
#include "fuzz_value.h"
#include "ktap.h"

#include <stdlib.h>
#include <string.h>

uint32_t fuzz_random(struct fuzz_random *random, uint32_t below)
{
	/* splitmix64 */
	uint64_t z = random->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return below ? (uint32_t)((z ^ (z >> 31)) >> 32) % below : 0;
}

/* --------------------------------------------------------------------- on paper */

void fuzz_print(FILE *to, const struct fuzz_program *program)
{
	unsigned int i, arg, last;

	for (i = 0; i < program->nr; i++) {
		const struct fuzz_op *op = &program->ops[i];

		fputs(fuzz_calls[op->code % fuzz_nr_calls].name, to);
		for (last = FUZZ_ARGS; last && !op->args[last - 1]; last--)
			;
		for (arg = 0; arg < last; arg++)
			fprintf(to, " %u", op->args[arg]);
		fputc('\n', to);
	}
	fputc('\n', to);
	fflush(to);
}

#define BETWEEN	"\n "

static bool parse_op(struct fuzz_op *op, char *line)
{
	char *save, *word = strtok_r(line, BETWEEN, &save);
	unsigned int arg, code;

	memset(op, 0, sizeof(*op));
	for (code = 0; code < fuzz_nr_calls; code++)
		if (!strcmp(fuzz_calls[code].name, word))
			break;
	if (code == fuzz_nr_calls) {
		printf("# no operation is called %s\n", word);
		return false;
	}
	op->code = code;
	for (arg = 0; arg < FUZZ_ARGS && (word = strtok_r(NULL, BETWEEN, &save)); arg++)
		op->args[arg] = strtoul(word, NULL, 10);
	return true;
}

bool fuzz_parse(FILE *from, struct fuzz_program *program)
{
	char line[256];

	program->nr = 0;
	while (fgets(line, sizeof(line), from)) {
		if (line[0] == '#')
			continue;
		if (line[0] == '\n' && program->nr)
			return true;
		if (line[0] != '\n' && program->nr < FUZZ_OPS)
			program->nr += parse_op(&program->ops[program->nr], line);
	}
	return program->nr;
}

bool fuzz_load(struct fuzz_corpus *corpus, const char *path)
{
	struct fuzz_program program;
	FILE *from = fopen(path, "re");

	if (!from)
		return false;
	while (fuzz_parse(from, &program))
		fuzz_keep(corpus, &program);
	fclose(from);
	return true;
}

void fuzz_keep(struct fuzz_corpus *corpus, const struct fuzz_program *program)
{
	corpus->programs = reallocarray(corpus->programs, corpus->nr + 1, sizeof(*program));
	if (!corpus->programs)
		ktap_die("no memory for the corpus");
	corpus->programs[corpus->nr++] = *program;
}

/* ------------------------------------------------------------------ from nothing */

static uint8_t random_code(struct fuzz_random *random)
{
	unsigned int i, sum = 0, at;

	for (i = 0; i < fuzz_nr_calls; i++)
		sum += fuzz_calls[i].weight;
	at = fuzz_random(random, sum);
	for (i = 0; at >= fuzz_calls[i].weight; i++)
		at -= fuzz_calls[i].weight;
	return i;
}

/* Mostly what makes sense: see the meaning of arguments in fuzz_value.h. */
static uint8_t random_arg(struct fuzz_random *random)
{
	if (fuzz_random(random, 8) < 3)
		return 0;
	return fuzz_random(random, fuzz_random(random, 5) ? FUZZ_ODD : 256);
}

static void random_op(struct fuzz_op *op, struct fuzz_random *random)
{
	unsigned int arg;

	op->code = random_code(random);
	for (arg = 0; arg < FUZZ_ARGS; arg++)
		op->args[arg] = random_arg(random);
}

static void make_new(struct fuzz_program *program, struct fuzz_random *random)
{
	unsigned int i;

	program->nr = 4 + fuzz_random(random, FUZZ_OPS - 4);
	for (i = 0; i < program->nr; i++)
		random_op(&program->ops[i], random);
	/* Most of what there is to reach lies behind these. */
	for (i = 0; i < FUZZ_PRELUDE && fuzz_random(random, 16); i++)
		program->ops[i].code = i;
}

/* ---------------------------------------------------------------------- mutation */

static void insert(struct fuzz_program *program, unsigned int at, const struct fuzz_op *ops,
		   unsigned int nr)
{
	if (nr > FUZZ_OPS - at)
		nr = FUZZ_OPS - at;
	if (program->nr > FUZZ_OPS - nr)
		program->nr = FUZZ_OPS - nr;
	if (at > program->nr)
		at = program->nr;
	memmove(&program->ops[at + nr], &program->ops[at], (program->nr - at) * sizeof(*ops));
	memcpy(&program->ops[at], ops, nr * sizeof(*ops));
	program->nr += nr;
}

static void cut(struct fuzz_program *program, unsigned int at, unsigned int nr)
{
	if (nr > program->nr - at)
		nr = program->nr - at;
	if (nr == program->nr)
		return;
	memmove(&program->ops[at], &program->ops[at + nr],
		(program->nr - at - nr) * sizeof(program->ops[0]));
	program->nr -= nr;
}

static void splice(struct fuzz_program *program, unsigned int at,
		   const struct fuzz_corpus *corpus, struct fuzz_random *random)
{
	const struct fuzz_program *other = &corpus->programs[fuzz_random(random, corpus->nr)];
	unsigned int from = fuzz_random(random, other->nr);

	insert(program, at, &other->ops[from], 1 + fuzz_random(random, other->nr - from));
}

static void mutate(struct fuzz_program *program, const struct fuzz_corpus *corpus,
		   struct fuzz_random *random)
{
	unsigned int at = fuzz_random(random, program->nr);
	struct fuzz_op *op = &program->ops[at], fresh;

	switch (fuzz_random(random, 8)) {
	case 0:
		random_op(op, random);
		break;
	case 1:
		random_op(&fresh, random);
		insert(program, at, &fresh, 1);
		break;
	case 2:
		cut(program, at, 1 + fuzz_random(random, 3));
		break;
	case 3:
		fresh = *op;
		insert(program, fuzz_random(random, program->nr), &fresh, 1);
		break;
	case 4:
		splice(program, at, corpus, random);
		break;
	default:
		op->args[fuzz_random(random, FUZZ_ARGS)] = random_arg(random);
	}
}

void fuzz_make(struct fuzz_program *program, const struct fuzz_corpus *corpus,
	       struct fuzz_random *random)
{
	unsigned int times;

	if (!corpus->nr || !fuzz_random(random, 4)) {
		make_new(program, random);
		return;
	}
	*program = corpus->programs[fuzz_random(random, corpus->nr)];
	for (times = 1 + fuzz_random(random, 6); times; times--)
		mutate(program, corpus, random);
}

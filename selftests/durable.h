/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a power cut must not take: data that tell for themselves what they are, and
 * promises, each a word, that some of them are durable.
 */
#ifndef DURABLE_H
#define DURABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DURABLE_SECTOR	512	/* a cut leaves none of them half written */

/* Either a range of a disk or file, or a whole file of a directory. */
struct promise {
	bool whole_file;
	uint64_t number;	/* whole_file: its name is fNUMBER */
	uint64_t offset;	/* 0 for a whole file */
	uint64_t length;	/* bytes, in sectors */
	uint64_t version;	/* from 1 on; of a range, no older one will do */
};

/* A sector's content is made from its place and its version. */
void durable_fill(void *sector, uint64_t number, uint64_t version);
/* Its version; 0: nothing was ever written there; -1: it is broken. */
int64_t durable_version(const void *sector, uint64_t number);

void promise_print(const struct promise *promise, char *text, size_t size);
/* False: it is something else. */
bool promise_parse(const char *text, struct promise *promise);

#endif

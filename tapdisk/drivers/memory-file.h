/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory with a descriptor, so that another process can have it.
 */
#ifndef TAPDISK_DRIVERS_MEMORY_FILE_H
#define TAPDISK_DRIVERS_MEMORY_FILE_H

#include <stdint.h>

struct memory_file {
	int fd;
	void *data;
	uint64_t bytes;
};

/* Zeroes, of which none takes memory before it is written; or a negative errno. */
int memory_file_new(struct memory_file *memory, const char *name, uint64_t bytes);
/* What another process has; @fd stays the caller's. */
int memory_file_adopt(struct memory_file *memory, int fd);
/* memory->data may move. */
int memory_file_resize(struct memory_file *memory, uint64_t bytes);
/* It stays where another process has it. */
void memory_file_free(struct memory_file *memory);

#endif /* TAPDISK_DRIVERS_MEMORY_FILE_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sizes as people write them.
 */
#ifndef TAPDISK_SIZE_H
#define TAPDISK_SIZE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Reads "512", "64K", "64M", "2G" or "1T" (powers of 1024) from exactly @length
 * characters. EINVAL: not a size; ERANGE: above INT64_MAX.
 */
int size_parse(const char *text, size_t length, uint64_t *bytes);

#endif /* TAPDISK_SIZE_H */

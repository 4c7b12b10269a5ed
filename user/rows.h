/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rows of a list.
 */
#ifndef BLKTAP_ROWS_H
#define BLKTAP_ROWS_H

#include "libblktap.h"

/* Both lists are ordered: by minor, by pid. NULL: there is none. */
const struct blktap_tap *taps_find(const struct blktap_tap *taps, size_t count, int minor);
struct blktap_tapdisk *tapdisks_find(struct blktap_tapdisk *tapdisks, size_t count, pid_t pid);

/*
 * Joins what the kernel has with what the tapdisks say, whose strings it takes.
 * blktap_rows_free() the rows; NULL without memory.
 */
struct blktap_row *rows_join(const struct blktap_tap *taps, size_t tap_count,
			     struct blktap_tapdisk *tapdisks, size_t tapdisk_count,
			     size_t *count);

/* Keeps the rows that match; returns how many. */
size_t rows_filter(struct blktap_row *rows, size_t count, const struct blktap_filter *filter);

#endif /* BLKTAP_ROWS_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rows of "list".
 */
#ifndef TAP_CTL_ROWS_H
#define TAP_CTL_ROWS_H

#include <stdio.h>

#include "libblktap.h"
#include "options.h"

/* What is absent is 0, -1, false or NULL. Borrows its strings. */
struct row {
	pid_t pid;
	int minor;
	bool has_state;
	unsigned int state;
	const char *type;
	const char *path;
};

/*
 * Joins what the kernel has with what the tapdisks say. Tapdisks by ascending
 * pid, their VBDs by ascending minor, then the taps without a tapdisk. free()
 * the rows; NULL without memory.
 */
struct row *rows_join(const struct blktap_tap *taps, size_t tap_count,
		      const struct blktap_tapdisk *tapdisks, size_t tapdisk_count,
		      size_t *count);

/* Keeps the rows that @options ask for; returns how many. */
size_t rows_filter(struct row *rows, size_t count, const struct options *options);

/* For people: columns, nothing that upsets a terminal. */
void rows_print_table(FILE *file, const struct row *rows, size_t count);
/* For scripts. */
void rows_print_fields(FILE *file, const struct row *rows, size_t count);

#endif /* TAP_CTL_ROWS_H */

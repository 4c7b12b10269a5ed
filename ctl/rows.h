/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rows of "list" as people and programs see them.
 */
#ifndef TAP_CTL_ROWS_H
#define TAP_CTL_ROWS_H

#include <stdio.h>

#include "libblktap.h"

/* For people: columns, nothing that upsets a terminal. */
void rows_print_table(FILE *file, const struct blktap_row *rows, size_t count);
/* For scripts. */
void rows_print_fields(FILE *file, const struct blktap_row *rows, size_t count);
json_t *row_json(const struct blktap_row *row);
/* An array of objects; what is absent is left out. NULL: no memory. */
json_t *rows_json(const struct blktap_row *rows, size_t count);

#endif /* TAP_CTL_ROWS_H */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TAP_CTL_LOAD_PRINT_H
#define TAP_CTL_LOAD_PRINT_H

#include <stdio.h>

#include "load.h"

/* Lines of at most @width columns (0: any), without their ends. */
void load_print_head(FILE *file, unsigned int width);
void load_print_row(FILE *file, const struct load *load, unsigned int width);

/* All of one interval as an object. */
json_t *load_json(const struct load *loads, size_t count, const char *time, double seconds);

#endif /* TAP_CTL_LOAD_PRINT_H */

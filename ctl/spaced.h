/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TAP_CTL_SPACED_H
#define TAP_CTL_SPACED_H

#include <jansson.h>

/*
 * JSON as scripts know it: one line with blanks inside of braces and brackets and after
 * commas and colons. free() it; NULL: no memory.
 */
char *json_spaced(const json_t *json);

#endif /* TAP_CTL_SPACED_H */

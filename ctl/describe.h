/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Taps, events and the driver as JSON objects, which are also what is printed as text.
 */
#ifndef TAP_CTL_DESCRIBE_H
#define TAP_CTL_DESCRIBE_H

#include "libblktap.h"

json_t *describe_driver(const struct blktap_features *features);
/* Everything that the kernel says of a tap. */
json_t *describe_tap(const struct blktap_tap *tap);
/* Adds to @object that nobody serves a disk, if so. */
void describe_recovery(json_t *object, uint32_t recovery, bool has_hold_left, uint32_t hold_left_ms);
/* What the line of "monitor" says, @time being a time of day. */
json_t *describe_notice(const struct blktap_notice *notice, const char *time);

#endif /* TAP_CTL_DESCRIBE_H */

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TAP_CTL_CLOCK_H
#define TAP_CTL_CLOCK_H

#include <stddef.h>

#define CLOCK_TEXT	32	/* bytes, NUL included */

/* The time of day, UTC, to the microsecond: "2026-01-31T12:00:00.000000Z". */
void clock_tell(char text[CLOCK_TEXT]);

#endif /* TAP_CTL_CLOCK_H */

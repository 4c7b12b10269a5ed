// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <time.h>

#include "clock.h"

void clock_tell(char text[CLOCK_TEXT])
{
	struct timespec now;
	struct tm utc;
	size_t used;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	used = strftime(text, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text + used, CLOCK_TEXT - used, ".%06uZ", (unsigned int)(now.tv_nsec / 1000));
}

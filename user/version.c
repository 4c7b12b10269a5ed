// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libblktap.h"

#ifndef BLKTAP_VERSION
#define BLKTAP_VERSION "0.1.0"
#endif

const char *blktap_version(void)
{
	return BLKTAP_VERSION;
}

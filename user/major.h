/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BLKTAP_MAJOR_H
#define BLKTAP_MAJOR_H

#include <stdio.h>

#include "libblktap.h"

/* The major number of a driver in @file, which is like /proc/devices, or -ENOSYS. */
int major_find(FILE *file, bool character, const char *name);

#endif /* BLKTAP_MAJOR_H */

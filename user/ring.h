/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BLKTAP_RING_H
#define BLKTAP_RING_H

#include "libblktap.h"

/* The ring node of @minor, which can come a moment after its tap; a negative errno. */
int ring_open_node(unsigned int minor, struct blktap_error *err);

#endif /* BLKTAP_RING_H */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BLKTAP_VBD_H
#define BLKTAP_VBD_H

#include "libblktap.h"

/* The VBDs of "list" (an array) by ascending minor; -EPROTO, -ENOMEM. */
int vbds_parse(const json_t *array, struct blktap_vbd_info **vbds, size_t *count);
/* By minor; of struct blktap_vbd_info. */
int vbds_compare(const void *a, const void *b);

#endif /* BLKTAP_VBD_H */

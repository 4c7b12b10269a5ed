/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BLKTAP_VBD_H
#define BLKTAP_VBD_H

#include "libblktap.h"

/* The VBDs of a "list" answer by ascending minor; -EPROTO, -ENOMEM. */
int vbds_parse(json_t *result, struct blktap_vbd_info **vbds, size_t *count);
int vbds_parse_failed(pid_t pid, int code, struct blktap_error *err);

#endif /* BLKTAP_VBD_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VBD as a JSON object.
 */
#ifndef TAPDISK_VBD_STATS_H
#define TAPDISK_VBD_STATS_H

#include "vbd.h"

/* What "list" and "stats" say of it; NULL without memory. */
json_t *vbd_describe(const struct vbd *vbd);
json_t *vbd_stats(const struct vbd *vbd);

#endif /* TAPDISK_VBD_STATS_H */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BLKTAP_PATHS_H
#define BLKTAP_PATHS_H

#include "libblktap.h"

/* A sentence if the control directory is a relative path, or other users may write into it. */
int control_dir_check(struct blktap_error *err);
/* The sentence for @code, which concerned the control directory. */
int control_dir_refused(int code, struct blktap_error *err);

#endif /* BLKTAP_PATHS_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Locks on images, so that two tapdisks do not write to one.
 */
#ifndef TAPDISK_LOCK_H
#define TAPDISK_LOCK_H

#include <stdbool.h>

#include "libblktap.h"

/*
 * Locks the whole file of @fd until it is closed: shared if @read_only, else
 * exclusive. EAGAIN: it is locked elsewhere, in this process or another.
 */
int lock_image(int fd, bool read_only, const char *path, struct blktap_error *err);

/*
 * The same for what a client has opened. EAGAIN, too: this very open file is locked already,
 * for it was passed before, and would be locked once for both.
 */
int lock_passed_image(int fd, bool read_only, const char *path, struct blktap_error *err);

/* True if the file of @fd (which may be read-only) is locked for writing. */
bool locked_for_writing(int fd);

#endif /* TAPDISK_LOCK_H */

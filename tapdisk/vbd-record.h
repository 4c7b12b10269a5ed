/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What somebody has to know of a disk to serve it after this process has died:
 * tap<minor>.json in the control directory, from open to close. It is read by
 * blktap_record_read().
 */
#ifndef TAPDISK_VBD_RECORD_H
#define TAPDISK_VBD_RECORD_H

#include "libblktap.h"

struct vbd;

/* The folder of @control, the path of a socket in it, or a negative errno; close() it. */
int record_open_folder(const char *control);

/*
 * All do nothing with a folder of -1. What cannot be written is logged: the disk works
 * without.
 */
void record_write(int folder, const struct vbd *vbd);
void record_remove(int folder, unsigned int minor);

/* What is there, for record_put_back(), to be freed; NULL: nothing, or nothing of use. */
char *record_read(int folder, unsigned int minor);
void record_put_back(int folder, unsigned int minor, const char *before);

#endif /* TAPDISK_VBD_RECORD_H */

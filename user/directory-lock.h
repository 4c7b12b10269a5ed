/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BLKTAP_DIRECTORY_LOCK_H
#define BLKTAP_DIRECTORY_LOCK_H

/*
 * What is in the directory @fd is this open file's alone to change, until that is closed.
 * 0, ETIMEDOUT, EINTR or another negative errno.
 */
int directory_lock(int fd);

#endif /* BLKTAP_DIRECTORY_LOCK_H */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which disk a tap has: its minor is used again for others.
 */
#ifndef BLKTAP_DISK_SEQ_H
#define BLKTAP_DISK_SEQ_H

#include <stdint.h>

/*
 * The number, above 0, that the kernel has given to the disk that tap @minor has now. The disk
 * keeps it, whoever serves it, and no other one gets it. A negative errno, and 0; ENOENT: there
 * is no disk yet, or no more.
 */
int disk_seq(unsigned int minor, uint64_t *seq);

#endif /* BLKTAP_DISK_SEQ_H */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which file or device an image is, whatever its name leads to later.
 */
#ifndef BLKTAP_IMAGE_IDENTITY_H
#define BLKTAP_IMAGE_IDENTITY_H

#define IMAGE_IDENTITY_SIZE	96

/*
 * "file 8:1 1234 born 1764500000.123456789", its device, inode and, where that is known, time
 * of birth; or "device 8:16 seq 7", the number that the kernel gives to each disk or medium
 * that comes, for partitions that of the disk. Of @path, or (empty) of what is open as @fd. A
 * negative errno; EISDIR: it is a directory; EINVAL: it is something else.
 */
int image_identity(int fd, const char *path, char identity[IMAGE_IDENTITY_SIZE]);

#endif /* BLKTAP_IMAGE_IDENTITY_H */

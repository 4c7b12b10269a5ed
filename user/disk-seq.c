// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "cleanup.h"
#include "disk-seq.h"

int disk_seq(unsigned int minor, uint64_t *seq)
{
	CLEANUP_CLOSE int fd = -1;
	char path[64], text[24] = "";

	*seq = 0;
	snprintf(path, sizeof(path), "/sys/block/xen!blktap-2!tapdev%u/diskseq", minor);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		return -errno;
	*seq = strtoull(text, NULL, 10);
	return *seq ? 0 : -EPROTO;
}

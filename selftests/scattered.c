// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads a block past the page cache, into 8 pieces of memory that are far from each other.
 * usage: scattered DISK, whose first 4 KiB are zeroes.
 */
#include "ktap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/fs.h>

#define PAGE	4096
#define PIECES	8

static bool is_read(const struct iovec *iov, size_t piece)
{
	static const char zeroes[PAGE];
	int i;

	for (i = 0; i < PIECES; i++)
		if (memcmp(iov[i].iov_base, zeroes, piece))
			return false;
	return true;
}

int main(int argc, char **argv)
{
	char *data = aligned_alloc(PAGE, PIECES * PAGE);
	struct iovec iov[PIECES];
	int disk, block, i;
	ssize_t got;

	ktap_start();
	disk = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECT | O_CLOEXEC) : -1;
	if (disk < 0 || !data || ioctl(disk, BLKSSZGET, &block))
		ktap_die("usage: scattered DISK");
	memset(data, 1, PIECES * PAGE);
	for (i = 0; i < PIECES; i++)
		iov[i] = (struct iovec){ data + i * PAGE + 64, block / PIECES };
	got = preadv(disk, iov, PIECES, 0);
	printf("# %zd, %s\n", got, got < 0 ? strerror(errno) : "no error");
	if (got < 0)
		ktap(errno == EINVAL, "the kernel refuses it");
	else
		ktap(got == block && is_read(iov, block / PIECES), "it is read");
	close(disk);
	free(data);
	return ktap_finish();
}

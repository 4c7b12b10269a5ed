// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory-file.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL	8U	/* Linux 6.3, which complains without it */
#endif

static int make_file(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Takes @fd. */
static int map_file(struct memory_file *memory, int fd, uint64_t bytes)
{
	void *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int code = -errno;

	if (data == MAP_FAILED) {
		close(fd);
		return code;
	}
	madvise(data, bytes, MADV_DONTDUMP);
	*memory = (struct memory_file){ .fd = fd, .data = data, .bytes = bytes };
	return 0;
}

int memory_file_new(struct memory_file *memory, const char *name, uint64_t bytes)
{
	int fd = make_file(name), code;

	if (fd < 0)
		return fd;
	if (ftruncate(fd, bytes) == 0)
		return map_file(memory, fd, bytes);
	code = -errno;
	close(fd);
	return code;
}

int memory_file_adopt(struct memory_file *memory, int fd)
{
	struct stat st;
	int own;

	if (fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size <= 0)
		return -EINVAL;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return own < 0 ? -errno : map_file(memory, own, st.st_size);
}

/* The file is never shorter than what is mapped of it. */
int memory_file_resize(struct memory_file *memory, uint64_t bytes)
{
	void *data;
	int code;

	if (bytes > memory->bytes && ftruncate(memory->fd, bytes) != 0)
		return -errno;
	data = mremap(memory->data, memory->bytes, bytes, MREMAP_MAYMOVE);
	if (data == MAP_FAILED) {
		code = -errno;
		bytes = memory->bytes;
	} else {
		code = 0;
		memory->data = data;
		memory->bytes = bytes;
	}
	if (ftruncate(memory->fd, bytes) != 0 && !code)
		code = -errno;
	return code;
}

void memory_file_free(struct memory_file *memory)
{
	munmap(memory->data, memory->bytes);
	close(memory->fd);
}

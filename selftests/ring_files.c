// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls for files and extents, made wrongly and rightly, without any I/O.
 * usage: ring_files FILE BLOCKDEVICE, both of at least 1 MiB.
 */
#include "disk_io.h"
#include "ktap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define DISK_SIZE (1 << 20)
#define PAGE 4096
#define BOTH (BLKTAP_FILE_READ | BLKTAP_FILE_WRITE)
#define FEATURES (BLKTAP_F_REDIRECT | BLKTAP_F_EXTENTS)

static struct nl nl;
static unsigned int minor;
static struct ring ring;
static const char *path, *device;

static int call(unsigned long nr, void *arg)
{
	return ioctl(ring.fd, nr, arg) < 0 ? -errno : 0;
}

static int opened(const char *name, int flags)
{
	int fd = open(name, flags | O_CLOEXEC);

	if (fd < 0)
		ktap_die("%s: %s", name, strerror(errno));
	return fd;
}

static void refused(const char *what, int want, const char *name, int open_flags, uint32_t flags)
{
	int fd = opened(name, open_flags);

	ktap_is(ring_register(ring.fd, fd, flags), want, what);
	close(fd);
}

static void test_register_refusals(void)
{
	struct blktap_register_file arg = { .size = sizeof(arg), .flags = BOTH };
	int fd = opened(path, O_RDWR | O_DIRECT), pair[2];

	arg.fd = fd;
	arg.slot = 1;
	ktap_is(call(BLKTAP_IOC_REGISTER_FILE, &arg), -EINVAL, "REGISTER_FILE: an out field set");
	arg.slot = 0;
	arg.reserved[1] = 1;
	ktap_is(call(BLKTAP_IOC_REGISTER_FILE, &arg), -EINVAL, "REGISTER_FILE: reserved field");
	arg.reserved[1] = 0;
	arg.size = 12;
	ktap_is(call(BLKTAP_IOC_REGISTER_FILE, &arg), -EINVAL,
		"REGISTER_FILE: no room for the slot");
	ktap_is(call(BLKTAP_IOC_REGISTER_FILE, NULL), -EFAULT, "REGISTER_FILE: null pointer");
	ktap_is(ring_register(ring.fd, fd, 0), -EINVAL, "REGISTER_FILE: for nothing");
	ktap_is(ring_register(ring.fd, fd, 4), -EINVAL, "REGISTER_FILE: undefined flag");
	close(fd);
	ktap_is(ring_register(ring.fd, fd, BOTH), -EBADF, "REGISTER_FILE: a closed descriptor");
	ktap_is(ring_register(ring.fd, -1, BOTH), -EBADF, "REGISTER_FILE: descriptor -1");
	refused("REGISTER_FILE: opened for reading only", -EBADF, path, O_RDONLY | O_DIRECT, BOTH);
	refused("REGISTER_FILE: opened for writing only", -EBADF, path, O_WRONLY | O_DIRECT,
		BLKTAP_FILE_READ);
	refused("REGISTER_FILE: not O_DIRECT", -EINVAL, path, O_RDWR, BOTH);
	refused("REGISTER_FILE: appending", -EINVAL, path, O_RDWR | O_DIRECT | O_APPEND, BOTH);
	refused("REGISTER_FILE: a path only", -EBADF, path, O_PATH, BLKTAP_FILE_READ);
	refused("REGISTER_FILE: a device without O_DIRECT", -EINVAL, device, O_RDWR, BOTH);
	refused("REGISTER_FILE: a character device", -EINVAL, "/dev/zero", O_RDWR, BOTH);
	refused("REGISTER_FILE: a folder", -EINVAL, "/var/tmp", O_RDONLY | O_DIRECTORY,
		BLKTAP_FILE_READ);
	ktap_is(ring_register(ring.fd, ring.fd, BOTH), -EINVAL, "REGISTER_FILE: the ring itself");
	ktap_is(ring_register(ring.fd, ring.queues[0].fd, BOTH), -EINVAL,
		"REGISTER_FILE: a queue");
	if (!socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) {
		ktap_is(ring_register(ring.fd, pair[0], BOTH), -EINVAL, "REGISTER_FILE: a socket");
		close(pair[0]);
		close(pair[1]);
	}
}

static void test_own_disk(void)
{
	int fd = ring_open_disk(minor, O_RDWR | O_DIRECT);

	ktap_is(ring_register(ring.fd, fd, BOTH), -ELOOP, "REGISTER_FILE: the own disk");
	close(fd);
}

static uint64_t files(void)
{
	struct nl_attrs attrs;

	return nl_get(&nl, minor, &attrs) ? UINT64_MAX : attrs.val[BLKTAP_A_FILES];
}

static uint64_t extents(void)
{
	struct nl_attrs attrs;

	return nl_get(&nl, minor, &attrs) ? UINT64_MAX : attrs.val[BLKTAP_A_EXTENTS];
}

static bool in_fdinfo(int slot, const char *mode, const char *name)
{
	char want[256], line[512], file[64];
	bool found = false;
	FILE *f;

	snprintf(want, sizeof(want), "blktap-file:\t%d %s %s\n", slot, mode, name);
	snprintf(file, sizeof(file), "/proc/self/fdinfo/%d", ring.fd);
	f = fopen(file, "r");
	while (f && fgets(line, sizeof(line), f))
		found = found || !strcmp(line, want);
	if (f)
		fclose(f);
	return found;
}

static void test_slots(void)
{
	int fd = opened(path, O_RDWR | O_DIRECT), dev = opened(device, O_RDWR | O_DIRECT);
	int slot[BLKTAP_MAX_FILES], i;
	bool good = true;

	slot[0] = ring_register(ring.fd, fd, BOTH);
	slot[1] = ring_register(ring.fd, dev, BLKTAP_FILE_READ);
	ktap(slot[0] == 0 && slot[1] == 1, "REGISTER_FILE: a file and a device, the lowest slots");
	close(fd);
	close(dev);
	ktap(in_fdinfo(0, "rw", path) && in_fdinfo(1, "r-", device), "fdinfo shows them");
	fd = opened(path, O_RDWR | O_DIRECT);
	for (i = 2; i < BLKTAP_MAX_FILES; i++) {
		slot[i] = ring_register(ring.fd, fd, BOTH);
		good = good && slot[i] == i;
	}
	ktap(good && files() == BLKTAP_MAX_FILES, "%d slots", BLKTAP_MAX_FILES);
	ktap_is(ring_register(ring.fd, fd, BOTH), -ENOSPC, "and no more");
	ktap_is(ring_unregister(ring.fd, 40, 0), 0, "UNREGISTER_FILE");
	ktap_is(ring_unregister(ring.fd, 40, 0), -EINVAL, "UNREGISTER_FILE once more");
	ktap_is(ring_register(ring.fd, fd, BOTH), 40, "its slot is given out again");
	for (i = 0; i < BLKTAP_MAX_FILES; i++)
		good = !ring_unregister(ring.fd, i, i % 8 ? 0 : BLKTAP_UNMAP_WAIT) && good;
	ktap(good && files() == 0 && !in_fdinfo(0, "rw", path), "all go");
	close(fd);
}

static void test_unregister_refusals(void)
{
	struct blktap_unregister_file arg = { .size = sizeof(arg), .reserved = 1 };

	ktap_is(call(BLKTAP_IOC_UNREGISTER_FILE, &arg), -EINVAL, "UNREGISTER_FILE: reserved field");
	ktap_is(ring_unregister(ring.fd, 0, 2), -EINVAL, "UNREGISTER_FILE: undefined flag");
	ktap_is(ring_unregister(ring.fd, 0, 0), -EINVAL, "UNREGISTER_FILE: no such slot");
	ktap_is(ring_unregister(ring.fd, 64, 0), -EINVAL, "UNREGISTER_FILE: slot 64");
	ktap_is(ring_unregister(ring.fd, UINT32_MAX, 0), -EINVAL, "UNREGISTER_FILE: slot 2^32 - 1");
}

#define MAP(slot, flags, offset, length, file_offset) \
	ring_map_extent(ring.fd, slot, flags, offset, length, file_offset)
#define UNMAP(flags, offset, length) ring_unmap_extent(ring.fd, flags, offset, length)

static void test_map_refusals(int slot, int reader)
{
	struct blktap_map_extent arg = {
		.size = sizeof(arg), .flags = BOTH, .length = PAGE, .slot = slot, .reserved = 1,
	};

	ktap_is(call(BLKTAP_IOC_MAP_EXTENT, &arg), -EINVAL, "MAP_EXTENT: reserved field");
	ktap_is(call(BLKTAP_IOC_MAP_EXTENT, NULL), -EFAULT, "MAP_EXTENT: null pointer");
	ktap_is(MAP(slot, 0, 0, PAGE, 0), -EINVAL, "MAP_EXTENT: for nothing");
	ktap_is(MAP(slot, 8, 0, PAGE, 0), -EINVAL, "MAP_EXTENT: undefined flag");
	ktap_is(MAP(reader, BOTH, 0, PAGE, 0), -EINVAL, "MAP_EXTENT: more than the slot's");
	ktap_is(MAP(33, BOTH, 0, PAGE, 0), -EINVAL, "MAP_EXTENT: no such slot");
	ktap_is(MAP(UINT32_MAX, BOTH, 0, PAGE, 0), -EINVAL, "MAP_EXTENT: slot 2^32 - 1");
	ktap_is(MAP(slot, BOTH, 0, 0, 0), -EINVAL, "MAP_EXTENT: of no length");
	ktap_is(MAP(slot, BOTH, 0, 100, 0), -EINVAL, "MAP_EXTENT: length of no whole blocks");
	ktap_is(MAP(slot, BOTH, 1, PAGE, 0), -EINVAL, "MAP_EXTENT: offset of no whole blocks");
	ktap_is(MAP(slot, BOTH, 0, PAGE, 7), -EINVAL, "MAP_EXTENT: file offset of no whole blocks");
	ktap_is(MAP(slot, BOTH, DISK_SIZE - 512, PAGE, 0), -EINVAL, "MAP_EXTENT: beyond the disk");
	ktap_is(MAP(slot, BOTH, -512ULL, 1024, 0), -EINVAL, "MAP_EXTENT: an end that wraps");
	ktap_is(MAP(slot, BOTH, 0, UINT64_MAX & ~511ULL, 0), -EINVAL, "MAP_EXTENT: 2^64 - 512");
	ktap_is(MAP(slot, BOTH, 0, PAGE, INT64_MAX & ~511LL), -EINVAL,
		"MAP_EXTENT: a file offset near 2^63");
	ktap(extents() == 0, "and nothing is mapped");
}

static void test_unmap_refusals(void)
{
	ktap_is(UNMAP(2, 0, PAGE), -EINVAL, "UNMAP_EXTENT: undefined flag");
	ktap_is(UNMAP(0, 0, 0), -EINVAL, "UNMAP_EXTENT: of no length");
	ktap_is(UNMAP(0, 3, PAGE), -EINVAL, "UNMAP_EXTENT: offset of no whole blocks");
	ktap_is(UNMAP(0, 0, 100), -EINVAL, "UNMAP_EXTENT: length of no whole blocks");
	ktap_is(UNMAP(0, 1ULL << 63, PAGE), -EINVAL, "UNMAP_EXTENT: offset of 2^63");
	ktap_is(UNMAP(0, 512, INT64_MAX & ~511LL), -EINVAL, "UNMAP_EXTENT: an end of 2^63");
	ktap_is(UNMAP(BLKTAP_UNMAP_WAIT, 0, UINT64_MAX), 0, "UNMAP_EXTENT: nothing is mapped");
}

static void test_map(int slot, int other)
{
	int i, ret = 0;

	ktap(!MAP(slot, BOTH, 0, DISK_SIZE, 0) && extents() == 1, "MAP_EXTENT: the whole disk");
	ktap(!MAP(slot, BOTH, 0, DISK_SIZE, PAGE) && extents() == 1, "once more, instead");
	ktap(!UNMAP(0, 2 * PAGE, PAGE) && extents() == 2, "a hole in the middle makes two");
	ktap(!UNMAP(0, 2 * PAGE, PAGE) && extents() == 2, "once more changes nothing");
	ktap(!MAP(other, BLKTAP_FILE_READ, 4 * PAGE, 512, 0) && extents() == 4,
	     "another one in the middle makes four");
	ktap(!UNMAP(0, PAGE, 4 * PAGE) && extents() == 2, "a hole over several");
	ktap(!UNMAP(BLKTAP_UNMAP_WAIT, 0, UINT64_MAX) && extents() == 0, "UNMAP_EXTENT: all");
	for (i = 0; i < DISK_SIZE / 512 && !ret; i++)
		ret = MAP(i % 2 ? slot : other, BLKTAP_FILE_READ, 512 * i, 512, 512 * (i ^ 1));
	ktap(!ret && extents() == DISK_SIZE / 512, "each block by itself");
	ktap(!UNMAP(0, PAGE, DISK_SIZE - 2 * PAGE) && extents() == 16, "all but the edges go");
	ktap(!ring_unregister(ring.fd, other, 0) && extents() == 8,
	     "with a file its extents go, the others stay");
	for (i = 0; i < DISK_SIZE / 512 && !ret; i += 2)
		ret = MAP(slot, BLKTAP_FILE_READ, 512 * i, 512, 512 * i);
	for (i = 0; i < DISK_SIZE / 512 && !ret; i += 4)
		ret = UNMAP(0, 512 * i, 512);
	ktap(!ret && extents() == 8 + DISK_SIZE / 2048, "every second, then every fourth less");
}

/* What is not granted is refused. */
static void test_not_granted(uint64_t features)
{
	int fd = opened(path, O_RDWR | O_DIRECT), slot;
	bool files_too = features & FEATURES;

	tap_start(&ring, minor, features, 0, DISK_SIZE);
	slot = ring_register(ring.fd, fd, BOTH);
	ktap(files_too ? slot == 0 : slot == -EOPNOTSUPP, "features %#llx: REGISTER_FILE",
	     (unsigned long long)features);
	ktap(ring.at.files == (files_too ? BLKTAP_MAX_FILES : 0) &&
	     !!ring.at.fragments == !!(features & BLKTAP_F_REDIRECT), "ATTACH tells");
	ktap_is(ring_unregister(ring.fd, 0, 0), files_too ? 0 : -EOPNOTSUPP, "UNREGISTER_FILE");
	if (!(features & BLKTAP_F_EXTENTS))
		ktap_is(MAP(0, BOTH, 0, PAGE, 0), -EOPNOTSUPP, "MAP_EXTENT");
	ktap_is(UNMAP(BLKTAP_UNMAP_WAIT, 0, PAGE), files_too ? 0 : -EOPNOTSUPP,
		"UNMAP_EXTENT, which waits for redirects as well");
	tap_stop(&ring);
	close(fd);
}

static void test_without_session(void)
{
	int fd = opened(path, O_RDWR | O_DIRECT);

	ring.fd = ring_open_node(minor);
	ktap_is(ring_register(ring.fd, fd, BOTH), -ENODEV, "REGISTER_FILE before ATTACH");
	ktap_is(ring_unregister(ring.fd, 0, 0), -ENODEV, "UNREGISTER_FILE before ATTACH");
	ktap_is(MAP(0, BOTH, 0, PAGE, 0), -ENODEV, "MAP_EXTENT before ATTACH");
	ktap_is(UNMAP(0, 0, PAGE), -ENODEV, "UNMAP_EXTENT before ATTACH");
	close(ring.fd);
}

static void test_without_disk(void)
{
	int fd = opened(path, O_RDWR | O_DIRECT), slot;

	if (ring_open_with(&ring, minor, FEATURES))
		ktap_die("cannot attach");
	slot = ring_register(ring.fd, fd, BOTH);
	ktap_is(slot, 0, "REGISTER_FILE before START");
	ktap_is(MAP(slot, BOTH, 0, PAGE, 0), -ENODEV, "MAP_EXTENT before START");
	ktap_is(UNMAP(BLKTAP_UNMAP_WAIT, 0, UINT64_MAX), 0, "UNMAP_EXTENT before START");
	ring_close(&ring);
	close(fd);
}

/* The kernel lets the file go when the session ends. */
static bool is_let_go(int fd)
{
	struct timespec nap = { .tv_nsec = 10 * 1000 * 1000 };
	int tries;

	for (tries = 0; tries < 500; tries++) {
		struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

		if (!fcntl(fd, F_OFD_SETLK, &lock))
			return true;
		nanosleep(&nap, NULL);
	}
	return false;
}

static void test_kept_open(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = opened(path, O_RDWR | O_DIRECT), other = opened(path, O_RDWR), slot;

	tap_start(&ring, minor, FEATURES, 0, DISK_SIZE);
	fcntl(fd, F_OFD_SETLK, &lock);
	slot = ring_register(ring.fd, fd, BOTH);
	MAP(slot, BOTH, 0, DISK_SIZE, 0);
	close(fd);
	ktap(fcntl(other, F_OFD_SETLK, &lock) && errno == EAGAIN,
	     "a registered file stays open, and locked");
	ring_close(&ring);
	ktap(is_let_go(other), "until the session ends");
	close(other);
	tap_start(&ring, minor, FEATURES, 0, DISK_SIZE);
	ktap(files() == 0 && extents() == 0, "the next session begins without files");
	tap_stop(&ring);
}

/* Whoever was told that nothing is under way may open the image elsewhere. */
static void test_wait_closes(void)
{
	int other = opened(path, O_RDWR), i;
	bool good = true;

	tap_start(&ring, minor, FEATURES, 0, DISK_SIZE);
	for (i = 0; i < 20; i++) {
		struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
		int fd = opened(path, O_RDWR | O_DIRECT);
		int slot;

		fcntl(fd, F_OFD_SETLK, &lock);
		slot = ring_register(ring.fd, fd, BOTH);
		close(fd);
		good = !ring_unregister(ring.fd, slot, BLKTAP_UNMAP_WAIT) && good;
		lock = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
		good = !fcntl(other, F_OFD_SETLK, &lock) && good;
		lock.l_type = F_UNLCK;
		fcntl(other, F_OFD_SETLK, &lock);
	}
	ktap(good, "UNREGISTER_FILE, WAIT: the file is closed, its lock gone");
	close(other);
	tap_stop(&ring);
}

/* ---------------------------------------------------------------- taps on taps */

#define LEVELS 8
#define TAPS (LEVELS + 2)

static struct level {
	struct nl nl;
	unsigned int minor;
	struct ring ring;
} taps[TAPS];

/* Has a tap use the disk of another one, as its only file. */
static int put_on(unsigned int upper, unsigned int lower)
{
	int fd = ring_open_disk(taps[lower].minor, O_RDWR | O_DIRECT), slot;

	if (fd < 0)
		ktap_die("cannot open a disk: %s", strerror(-fd));
	slot = ring_register(taps[upper].ring.fd, fd, BOTH);
	close(fd);
	return slot < 0 ? slot : 0;
}

static void take_off(unsigned int upper)
{
	if (ring_unregister(taps[upper].ring.fd, 0, BLKTAP_UNMAP_WAIT))
		ktap_die("cannot unregister a disk");
}

static void test_circles(void)
{
	ktap_is(put_on(1, 0), 0, "a tap on another one's disk");
	ktap_is(put_on(0, 1), -ELOOP, "and the other way round");
	ktap_is(put_on(2, 1), 0, "a third one on the second");
	ktap_is(put_on(0, 2), -ELOOP, "a circle of three");
	take_off(1);
	ktap_is(put_on(0, 2), 0, "which is none if one of them has let go");
	ktap_is(put_on(1, 0), -ELOOP, "and is one when that comes last");
	take_off(0);
	take_off(2);
}

static void test_levels(void)
{
	unsigned int i;
	int ret = 0;

	for (i = 1; i <= LEVELS && !ret; i++)
		ret = put_on(i, i - 1);
	ktap_is(ret, 0, "eight levels, each on the one below");
	ktap_is(put_on(LEVELS + 1, LEVELS), -ELOOP, "one more");
	ktap_is(put_on(0, LEVELS), -ELOOP, "a circle of all");
	take_off(1);
	ktap_is(put_on(LEVELS + 1, LEVELS), 0, "one more, with one less at the bottom");
	ktap_is(put_on(1, 0), -ELOOP, "which cannot come back");
	take_off(5);
	ktap_is(put_on(1, 0), 0, "unless the stack is cut in two");
	ktap_is(put_on(5, 4), -ELOOP, "which cannot become one");
	take_off(LEVELS + 1);
	ktap_is(put_on(5, 4), 0, "before it has lost its top");
	for (i = 1; i <= LEVELS; i++)
		take_off(i);
}

static void test_stacks(void)
{
	int ret = 0, i;

	for (i = 0; i < TAPS; i++) {
		tap_new(&taps[i].nl, &taps[i].minor, 1, 1);
		tap_start(&taps[i].ring, taps[i].minor, FEATURES, 0, DISK_SIZE);
	}
	test_circles();
	test_levels();
	for (i = 0; i < TAPS; i++) {
		tap_stop(&taps[i].ring);
		ret = nl_del_wait(&taps[i].nl, taps[i].minor) ? -EBUSY : ret;
		nl_close(&taps[i].nl);
	}
	ktap_is(ret, 0, "all of them can be freed");
}

int main(int argc, char **argv)
{
	int fd, slot, reader;

	ktap_start();
	if (argc != 3)
		ktap_die("usage: ring_files FILE BLOCKDEVICE");
	path = argv[1];
	device = argv[2];
	tap_new(&nl, &minor, 2, 4);
	test_without_session();
	test_without_disk();
	test_not_granted(0);
	test_not_granted(BLKTAP_F_DATA_ON_DEMAND);
	test_not_granted(BLKTAP_F_REDIRECT);
	test_not_granted(BLKTAP_F_EXTENTS);
	tap_start(&ring, minor, FEATURES, 0, DISK_SIZE);
	test_register_refusals();
	test_own_disk();
	test_unregister_refusals();
	test_slots();
	fd = opened(path, O_RDWR | O_DIRECT);
	slot = ring_register(ring.fd, fd, BOTH);
	reader = ring_register(ring.fd, fd, BLKTAP_FILE_READ);
	test_map_refusals(slot, reader);
	test_unmap_refusals();
	test_map(slot, reader);
	close(fd);
	tap_stop(&ring);
	test_kept_open();
	test_wait_closes();
	test_stacks();
	ktap_is(nl_del_wait(&nl, minor), 0, "the tap can be freed");
	nl_close(&nl);
	return ktap_finish();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuse_hang [-nst] [-b DEVICE] [-o OPERATION[,OPERATION...]] [-f FAULTS] DIRECTORY FILE
 *
 * A file system for tests that stops answering, as one of a dead server does.
 * DIRECTORY/image, and image0 to image99, are FILE. SIGUSR1: from now on what
 * concerns these is not answered (-n: from the beginning); SIGUSR2: it is, and so
 * is what has been held. -o limits that to some of lookup, getattr, open, read,
 * write, flush, fsync, fallocate. -f: reads, writes, fsyncs and fallocates (of which
 * discards are made) go wrong in the way that the file FAULTS tells at that moment, see
 * fuse_faults.h. -s: direct I/O is synchronous, and all there is. -t: tells of writes and
 * fsyncs. O_DSYNC it takes from the open, as many servers do: what a write says of it is told,
 * and no more. -b: it claims to be on that block device.
 *
 * Says "ready" when it is mounted, then "held OPERATION", "released N", "failed OPERATION",
 * and with -t, before the answer, "did write", "did write O_DSYNC" and "did fsync". When it ends, however that comes about, everyone who waits gets an error.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuse_faults.h"

#define MAX_WRITE	131072
#define BUFFER		(MAX_WRITE + 4096)
#define FIRST_FILE	2	/* nodes: 1 is the root, then image, image0, ... */
#define FILES		101
#define MAX_HELD	1024

static const struct {
	const char *name;
	uint32_t opcode;
} operations[] = {
	{ "lookup", FUSE_LOOKUP }, { "getattr", FUSE_GETATTR }, { "open", FUSE_OPEN },
	{ "read", FUSE_READ }, { "write", FUSE_WRITE }, { "flush", FUSE_FLUSH },
	{ "fsync", FUSE_FSYNC }, { "fallocate", FUSE_FALLOCATE },
};

#define OPERATIONS	(sizeof(operations) / sizeof(operations[0]))

static int fuse, file;
static const char *faults;		/* NULL: nothing goes wrong */
static const char *device;		/* NULL: on none */
static bool hanging, synchronous, telling;
static unsigned int selected = ~0U;	/* by index of operations[] */
static char *held[MAX_HELD];
static unsigned int nr_held;

static void reply(const struct fuse_in_header *in, int error, const void *data, size_t size)
{
	static char out[BUFFER];
	struct fuse_out_header *header = (void *)out;

	header->len = sizeof(*header) + size;
	header->error = error;
	header->unique = in->unique;
	if (size)
		memcpy(header + 1, data, size);
	/* ENOENT: whoever asked is gone. */
	if (write(fuse, out, header->len) < 0 && errno != ENOENT)
		warn("answering operation %u", in->opcode);
}

static void fill_attr(uint64_t node, struct fuse_attr *attr)
{
	struct stat st;

	*attr = (struct fuse_attr){ .ino = node, .nlink = 1, .blksize = 4096 };
	attr->mode = node == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644;
	if (node == FUSE_ROOT_ID || fstat(file, &st) != 0)
		return;
	attr->size = st.st_size;
	attr->blocks = st.st_blocks;
}

static void do_init(const struct fuse_in_header *in, const struct fuse_init_in *init)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = init->minor < FUSE_KERNEL_MINOR_VERSION ? init->minor :
			 FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = init->max_readahead,
		.flags = FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_PARALLEL_DIROPS |
			 (synchronous ? 0 : FUSE_ASYNC_DIO),
		.max_background = 64,
		.congestion_threshold = 48,
		.max_write = MAX_WRITE,
	};

	reply(in, 0, &out, sizeof(out));
}

/* The node of image, image0, ..., or 0. */
static uint64_t node_of(const char *name)
{
	unsigned int number;
	char end;

	if (strcmp(name, "image") == 0)
		return FIRST_FILE;
	if (sscanf(name, "image%2u%c", &number, &end) == 1)
		return FIRST_FILE + 1 + number;
	return 0;
}

static void do_lookup(const struct fuse_in_header *in, const char *name)
{
	struct fuse_entry_out out = { .nodeid = node_of(name) };

	if (!out.nodeid) {
		reply(in, -ENOENT, NULL, 0);
		return;
	}
	fill_attr(out.nodeid, &out.attr);
	reply(in, 0, &out, sizeof(out));
}

static void do_getattr(const struct fuse_in_header *in)
{
	struct fuse_attr_out out = { 0 };

	fill_attr(in->nodeid, &out.attr);
	reply(in, 0, &out, sizeof(out));
}

/* True if it fails, which it is told; else it is done for at most *@size bytes. */
static bool goes_wrong(const struct fuse_in_header *in, const char *operation, size_t *size)
{
	struct fuse_fault fault;

	if (!faults || !fuse_fault_of(faults, operation, &fault))
		return false;
	if (*size > fault.at_most)
		*size = fault.at_most;
	if (!fault.error)
		return false;
	printf("failed %s\n", operation);
	reply(in, -fault.error, NULL, 0);
	return true;
}

static void do_read(const struct fuse_in_header *in, const struct fuse_read_in *arg)
{
	static char data[MAX_WRITE];
	size_t size = arg->size < sizeof(data) ? arg->size : sizeof(data);
	ssize_t done;

	if (goes_wrong(in, "read", &size))
		return;
	done = pread(file, data, size, arg->offset);
	reply(in, done < 0 ? -errno : 0, data, done < 0 ? 0 : done);
}

static void do_write(const struct fuse_in_header *in, const struct fuse_write_in *arg)
{
	struct fuse_write_out out = { 0 };
	size_t size = arg->size;
	ssize_t done;

	if (goes_wrong(in, "write", &size))
		return;
	done = pwrite(file, arg + 1, size, arg->offset);
	if (telling)
		printf("did write%s\n", arg->flags & O_DSYNC ? " O_DSYNC" : "");
	out.size = done;
	reply(in, done < 0 ? -errno : 0, &out, done < 0 ? 0 : sizeof(out));
}

static void do_fsync(const struct fuse_in_header *in)
{
	size_t size = 0;
	int ret;

	if (goes_wrong(in, "fsync", &size))
		return;
	ret = fdatasync(file) ? -errno : 0;
	if (telling)
		printf("did fsync\n");
	reply(in, ret, NULL, 0);
}

static void do_fallocate(const struct fuse_in_header *in, const struct fuse_fallocate_in *arg)
{
	size_t size = 0;

	if (!goes_wrong(in, "fallocate", &size))
		reply(in, fallocate(file, arg->mode, arg->offset, arg->length) ? -errno : 0,
		      NULL, 0);
}

static void do_statfs(const struct fuse_in_header *in)
{
	struct fuse_statfs_out out = { 0 };

	reply(in, 0, &out, sizeof(out));
}

static void handle(const struct fuse_in_header *in)
{
	/* Otherwise the page cache reads what is missing after a short read, or takes it for the end. */
	struct fuse_open_out open_out = {
		.open_flags = synchronous && in->opcode == FUSE_OPEN ? FOPEN_DIRECT_IO : 0,
	};
	const void *arg = in + 1;

	switch (in->opcode) {
	case FUSE_INIT:
		do_init(in, arg);
		break;
	case FUSE_LOOKUP:
		do_lookup(in, arg);
		break;
	case FUSE_GETATTR:
		do_getattr(in);
		break;
	case FUSE_STATFS:
		do_statfs(in);
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		reply(in, 0, &open_out, sizeof(open_out));
		break;
	case FUSE_READ:
		do_read(in, arg);
		break;
	case FUSE_WRITE:
		do_write(in, arg);
		break;
	case FUSE_FSYNC:
		do_fsync(in);
		break;
	case FUSE_FALLOCATE:
		do_fallocate(in, arg);
		break;
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		reply(in, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		reply(in, -ENOSYS, NULL, 0);
	}
}

/* The name of an operation that is not to be answered now, or NULL. */
static const char *to_be_held(const struct fuse_in_header *in)
{
	unsigned int i;

	if (!hanging || (in->opcode == FUSE_GETATTR && in->nodeid == FUSE_ROOT_ID))
		return NULL;
	for (i = 0; i < OPERATIONS; i++)
		if (operations[i].opcode == in->opcode && (selected & (1U << i)))
			return operations[i].name;
	return NULL;
}

static void hold(const struct fuse_in_header *in, const char *name)
{
	if (nr_held == MAX_HELD)
		errx(1, "more than %u operations", MAX_HELD);
	held[nr_held] = malloc(in->len);
	if (!held[nr_held])
		err(1, "malloc");
	memcpy(held[nr_held++], in, in->len);
	printf("held %s\n", name);
}

static void release(void)
{
	unsigned int i;

	hanging = false;
	for (i = 0; i < nr_held; i++) {
		handle((void *)held[i]);
		free(held[i]);
	}
	printf("released %u\n", nr_held);
	nr_held = 0;
}

/* False when the file system has been unmounted. */
static bool next_operation(void)
{
	static char buffer[BUFFER] __attribute__((aligned(8)));
	const struct fuse_in_header *in = (void *)buffer;
	const char *name;
	ssize_t done = read(fuse, buffer, sizeof(buffer));

	if (done < 0 && errno == ENODEV)
		return false;
	if (done < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT))
		return true;
	if (done < (ssize_t)sizeof(*in))
		err(1, "read");
	name = to_be_held(in);
	if (name)
		hold(in, name);
	else
		handle(in);
	return true;
}

/* False when it is time to go. */
static bool next_signal(int signals)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof(info)) != sizeof(info))
		err(1, "signalfd");
	if (info.ssi_signo == SIGUSR1)
		hanging = true;
	else if (info.ssi_signo == SIGUSR2)
		release();
	else
		return false;
	return true;
}

static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static void serve(int signals)
{
	struct pollfd fds[2] = {
		{ .fd = fuse, .events = POLLIN }, { .fd = signals, .events = POLLIN },
	};

	for (;;) {
		if (poll(fds, 2, -1) < 0)
			err(1, "poll");
		if ((fds[1].revents & POLLIN) && !next_signal(signals))
			return;
		if (fds[0].revents && !next_operation())
			return;
	}
}

static void select_operations(char *names)
{
	char *name;
	unsigned int i;

	selected = 0;
	while ((name = strsep(&names, ","))) {
		for (i = 0; i < OPERATIONS && strcmp(operations[i].name, name); i++)
			;
		if (i == OPERATIONS)
			errx(2, "there is no operation %s", name);
		selected |= 1U << i;
	}
}

static void mount_at(const char *directory)
{
	char options[96];

	fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse < 0)
		err(1, "/dev/fuse");
	snprintf(options, sizeof(options), "fd=%d,rootmode=40755,user_id=0,group_id=0,allow_other",
		 fuse);
	if (mount(device ? device : "fuse_hang", directory, device ? "fuseblk" : "fuse",
		  MS_NOSUID | MS_NODEV, options) != 0)
		err(1, "mount");
}

int main(int argc, char **argv)
{
	int option, signals;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((option = getopt(argc, argv, "nsto:f:b:")) != -1) {
		if (option == 'n')
			hanging = true;
		else if (option == 's')
			synchronous = true;
		else if (option == 't')
			telling = true;
		else if (option == 'o')
			select_operations(optarg);
		else if (option == 'f')
			faults = optarg;
		else if (option == 'b')
			device = optarg;
		else
			return 2;
	}
	if (argc - optind != 2)
		errx(2, "give a directory and a file");
	file = open(argv[optind + 1], O_RDWR | O_CLOEXEC);
	if (file < 0)
		err(1, "%s", argv[optind + 1]);
	signals = block_signals();
	mount_at(argv[optind]);
	printf("ready\n");
	serve(signals);
	/* Unmounting may ask us something: first everyone is sent away. */
	close(fuse);
	umount2(argv[optind], MNT_DETACH);
	return 0;
}

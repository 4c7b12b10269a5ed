// SPDX-License-Identifier: GPL-2.0-only
/* Calls with a structure: what they are made of is in tables. */
#include "fuzz_daemon.h"
#include "fuzz_value.h"

#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum fuzz_kind {
	SIZE, ZERO, BITS, CAPACITY, BLOCK, LIMIT, QUEUE, FD, SLOT, OFFSET, LENGTH, TAG,
	GENERATION, TIMEOUT, SPIN, PID,
};

struct fuzz_field {
	uint16_t at;
	uint8_t bytes;		/* 0: no more fields */
	enum fuzz_kind kind;
	uint64_t bits;		/* BITS: those that are defined */
};

struct fuzz_ioctl {
	unsigned long nr;
	uint16_t size;
	bool queue;		/* for a queue's descriptor */
	struct fuzz_field fields[12];
};

#define FIELD(type, field, kind) \
	{ offsetof(struct type, field), sizeof(((struct type *)0)->field), kind, 0 }
#define FLAGS(type, field, bits) \
	{ offsetof(struct type, field), sizeof(((struct type *)0)->field), BITS, bits }

const struct fuzz_ioctl fuzz_attach_ioctl = {
	BLKTAP_IOC_ATTACH, sizeof(struct blktap_attach), false, {
		FIELD(blktap_attach, size, SIZE),
		FLAGS(blktap_attach, flags, BLKTAP_ATTACH_TAKEOVER),
		FLAGS(blktap_attach, features, BLKTAP_F_DATA_ON_DEMAND | BLKTAP_F_REDIRECT |
		      BLKTAP_F_EXTENTS | BLKTAP_F_HOLD | BLKTAP_F_TAKEOVER),
		FIELD(blktap_attach, epoch, ZERO),
		FIELD(blktap_attach, reserved[0], ZERO),
		FIELD(blktap_attach, pid, PID),
	},
};

const struct fuzz_ioctl fuzz_start_ioctl = {
	BLKTAP_IOC_START, sizeof(struct blktap_start), false, {
		FIELD(blktap_start, size, SIZE),
		FLAGS(blktap_start, flags, 0x3f),
		FIELD(blktap_start, capacity, CAPACITY),
		FIELD(blktap_start, logical_block_size, BLOCK),
		FIELD(blktap_start, physical_block_size, LIMIT),
		FIELD(blktap_start, io_min, LIMIT),
		FIELD(blktap_start, io_opt, LIMIT),
		FIELD(blktap_start, discard_granularity, LIMIT),
		FIELD(blktap_start, reserved0, ZERO),
		FIELD(blktap_start, max_discard, LIMIT),
		FIELD(blktap_start, max_write_zeroes, LIMIT),
		FIELD(blktap_start, reserved[3], ZERO),
	},
};

const struct fuzz_ioctl fuzz_stop_ioctl = {
	BLKTAP_IOC_STOP, sizeof(struct blktap_stop), false, {
		FIELD(blktap_stop, size, SIZE),
		FLAGS(blktap_stop, flags, BLKTAP_STOP_FORCE),
	},
};

const struct fuzz_ioctl fuzz_hold_ioctl = {
	BLKTAP_IOC_HOLD, sizeof(struct blktap_hold), false, {
		FIELD(blktap_hold, size, SIZE),
		FIELD(blktap_hold, flags, ZERO),
	},
};

const struct fuzz_ioctl fuzz_release_ioctl = {
	BLKTAP_IOC_RELEASE, sizeof(struct blktap_hold), false, {
		FIELD(blktap_hold, size, SIZE),
		FIELD(blktap_hold, flags, ZERO),
	},
};

const struct fuzz_ioctl fuzz_resize_ioctl = {
	BLKTAP_IOC_RESIZE, sizeof(struct blktap_resize), false, {
		FIELD(blktap_resize, size, SIZE),
		FIELD(blktap_resize, flags, ZERO),
		FIELD(blktap_resize, capacity, CAPACITY),
	},
};

const struct fuzz_ioctl fuzz_state_ioctl = {
	BLKTAP_IOC_GET_STATE, sizeof(struct blktap_state), false, {
		FIELD(blktap_state, size, SIZE),
		FIELD(blktap_state, flags, ZERO),
		FIELD(blktap_state, recovery, ZERO),
		FIELD(blktap_state, reserved[3], ZERO),
	},
};

const struct fuzz_ioctl fuzz_queue_fd_ioctl = {
	BLKTAP_IOC_GET_QUEUE_FD, sizeof(struct blktap_queue_fd), false, {
		FIELD(blktap_queue_fd, size, SIZE),
		FIELD(blktap_queue_fd, flags, ZERO),
		FIELD(blktap_queue_fd, queue, QUEUE),
		FIELD(blktap_queue_fd, reserved, ZERO),
	},
};

const struct fuzz_ioctl fuzz_register_ioctl = {
	BLKTAP_IOC_REGISTER_FILE, sizeof(struct blktap_register_file), false, {
		FIELD(blktap_register_file, size, SIZE),
		FLAGS(blktap_register_file, flags, BLKTAP_FILE_READ | BLKTAP_FILE_WRITE),
		FIELD(blktap_register_file, fd, FD),
		FIELD(blktap_register_file, slot, ZERO),
		FIELD(blktap_register_file, reserved[1], ZERO),
	},
};

const struct fuzz_ioctl fuzz_unregister_ioctl = {
	BLKTAP_IOC_UNREGISTER_FILE, sizeof(struct blktap_unregister_file), false, {
		FIELD(blktap_unregister_file, size, SIZE),
		FLAGS(blktap_unregister_file, flags, BLKTAP_UNMAP_WAIT),
		FIELD(blktap_unregister_file, slot, SLOT),
		FIELD(blktap_unregister_file, reserved, ZERO),
	},
};

const struct fuzz_ioctl fuzz_map_ioctl = {
	BLKTAP_IOC_MAP_EXTENT, sizeof(struct blktap_map_extent), false, {
		FIELD(blktap_map_extent, size, SIZE),
		FLAGS(blktap_map_extent, flags, BLKTAP_FILE_READ | BLKTAP_FILE_WRITE),
		FIELD(blktap_map_extent, offset, OFFSET),
		FIELD(blktap_map_extent, length, LENGTH),
		FIELD(blktap_map_extent, file_offset, OFFSET),
		FIELD(blktap_map_extent, slot, SLOT),
		FIELD(blktap_map_extent, reserved, ZERO),
	},
};

const struct fuzz_ioctl fuzz_unmap_ioctl = {
	BLKTAP_IOC_UNMAP_EXTENT, sizeof(struct blktap_unmap_extent), false, {
		FIELD(blktap_unmap_extent, size, SIZE),
		FLAGS(blktap_unmap_extent, flags, BLKTAP_UNMAP_WAIT),
		FIELD(blktap_unmap_extent, offset, OFFSET),
		FIELD(blktap_unmap_extent, length, LENGTH),
	},
};

const struct fuzz_ioctl fuzz_fetch_ioctl = {
	BLKTAP_IOC_FETCH, sizeof(struct blktap_fetch), true, {
		FIELD(blktap_fetch, size, SIZE),
		FIELD(blktap_fetch, flags, ZERO),
		FIELD(blktap_fetch, tag, TAG),
		FIELD(blktap_fetch, generation, GENERATION),
	},
};

const struct fuzz_ioctl fuzz_enter_ioctl = {
	BLKTAP_IOC_ENTER, sizeof(struct blktap_enter), true, {
		FIELD(blktap_enter, size, SIZE),
		FLAGS(blktap_enter, flags, BLKTAP_ENTER_WAIT | BLKTAP_ENTER_ALSO),
		FIELD(blktap_enter, timeout, TIMEOUT),
		FIELD(blktap_enter, fd, FD),
		FIELD(blktap_enter, spin, SPIN),
		FIELD(blktap_enter, reserved, ZERO),
	},
};

/* ------------------------------------------------------------------------ values */

static uint64_t pick(const uint64_t *values, size_t nr, uint8_t arg)
{
	return values[arg % nr];
}

#define PICK(values, arg)	pick(values, sizeof(values) / sizeof((values)[0]), arg)

static uint64_t plain_value(struct fuzz_daemon *d, const struct fuzz_ioctl *ioctl,
			    const struct fuzz_field *field, uint8_t arg)
{
	static const uint64_t capacities[] = { FUZZ_CAPACITY, FUZZ_CAPACITY, 8 << 20, 1 << 20, 4096 };
	static const uint64_t limits[] = { 0, 0, 512, 4096, 65536, 1 << 20 };
	static const uint64_t lengths[] = {
		4096, FUZZ_CAPACITY, 65536, 512, 1 << 20, UINT64_MAX, 12288,
	};
	const struct ring_request *req = fuzz_pick_request(d, arg);

	switch (field->kind) {
	case SIZE:
		return ioctl->size;
	case ZERO:
		return 0;
	case BITS:
		return arg & field->bits;
	case CAPACITY:
		return PICK(capacities, arg);
	case BLOCK:
		return arg % 3 == 2 ? 4096 : 512;
	case LIMIT:
		return PICK(limits, arg);
	case QUEUE:
		return arg % 3;
	case FD:
		return fuzz_pick_fd(d, arg);
	case SLOT:
		return arg % 5;
	case OFFSET:
		return arg % 3 ? arg % 64 * 65536ULL : 0;
	case LENGTH:
		return PICK(lengths, arg);
	case TAG:
		return req ? req->tag : arg % 4;
	case GENERATION:
		return req ? req->desc.generation : 1;
	case TIMEOUT:
		return arg % 6 * 1000000ULL;
	case SPIN:
		return arg % 2 ? arg * 4000 : 0;
	case PID:
		return arg % 2 ? getpid() : 0;
	}
	return 0;
}

static void build(struct fuzz_daemon *d, const struct fuzz_ioctl *ioctl, const uint8_t *args,
		  char *to)
{
	const struct fuzz_field *field = ioctl->fields;

	for (; field->bytes && field < ioctl->fields + 12; field++, args++) {
		uint64_t value = fuzz_is_odd(*args) ? fuzz_odd(*args) :
				 plain_value(d, ioctl, field, *args);

		memcpy(to + field->at, &value, field->bytes);
	}
}

/* ------------------------------------------------------------------------- places */

#define PLACE	4096		/* longer than any structure */

/*
 * Where the structure is: in memory of its own, at its end so that what is longer is not
 * there, read-only, nowhere, or where threads scribble and the driver looks.
 */
static void *put(struct fuzz_daemon *d, const char *from, size_t size, uint8_t arg)
{
	static _Alignas(PLACE) char memory[3 * PLACE];
	struct fuzz_map area;
	char *at = memory;

	mprotect(memory, 3 * PLACE, PROT_READ | PROT_WRITE);
	switch (arg % 16) {
	case 9:
		return NULL;
	case 10:
		return (void *)(uintptr_t)fuzz_odd(arg);
	case 11:
		return (void *)0xffff888000000000ULL;
	case 12:
		if (!fuzz_pick_area(d, arg / 16, &area) || area.bytes < 4096)
			return NULL;
		at = area.at + 256;
		break;
	case 13: case 14:
		at += PLACE - size / (arg % 16 == 13 ? 1 : 2);
		memcpy(at, from, PLACE);
		mprotect(memory + PLACE, PLACE, PROT_NONE);
		return at;
	case 15:
		memcpy(at, from, PLACE);
		mprotect(memory, PLACE, PROT_READ);
		return at;
	}
	memcpy(at, from, at == memory ? PLACE : size);
	return at;
}

/* Arguments: the descriptor, the place, the fields. */
FUZZ_RUN(fuzz_ioctl_run)
{
	const struct fuzz_ioctl *this = call->ioctl;
	struct ring_queue *q = fuzz_pick_queue(d, args[0]);
	char structure[PLACE] = { 0 };
	int fd = d->ring.at.queues ? d->ring.fd : fuzz_pick_fd(d, d->nr_fds - 1);

	if (this->queue && q)
		fd = q->fd;
	if (fuzz_is_odd(args[0]))
		fd = fuzz_pick_fd(d, args[0] - FUZZ_ODD);
	build(d, this, args + 2, structure);
	ioctl(fd, this->nr, put(d, structure, this->size, args[1]));
}

/* Arguments: the descriptor, the place, number, size, direction, words. */
FUZZ_RUN(fuzz_ioctl_number)
{
	unsigned long nr = _IOC(args[4] & 3, args[5] % 8 ? BLKTAP_IOC_MAGIC : args[5],
				args[2] % 24, fuzz_odd(args[3]) & _IOC_SIZEMASK);
	char structure[PLACE] = { 0 };
	uint64_t word;
	int i;

	(void)call;
	for (i = 6; i < FUZZ_ARGS; i++) {
		word = fuzz_odd(args[i]);
		memcpy(structure + (i - 6) * 4, &word, sizeof(word));
	}
	ioctl(fuzz_pick_fd(d, args[0]), nr, put(d, structure, 64, args[1]));
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one tapdisk tells another of a VBD that it hands over.
 */
#ifndef TAPDISK_OFFER_H
#define TAPDISK_OFFER_H

#include "vbd.h"

struct vbd_offer {
	unsigned int minor;
	bool closed;		/* by "close" */
	const char *image;	/* "type:path", of the object; NULL: there is none, nor what follows */
	bool paused;
	bool read_only;
	bool no_direct;
	enum blktap_kernel_io kernel_io;
	int request_timeout_ms;
	int spin_us;
	bool restart;
	uint64_t capacity;	/* of the disk, as the rest */
	int logical_block_size;
	int physical_block_size;
	int disk_flags;		/* BLKTAP_DISK_* */
};

/* NULL: no memory. */
json_t *offer_encode(const struct vbd *vbd);
/* EOPNOTSUPP: it tells of something that this version does not know. */
int offer_decode(json_t *object, struct vbd_offer *offer, struct blktap_error *err);

#endif /* TAPDISK_OFFER_H */

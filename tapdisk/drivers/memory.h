/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the image types without a file have in common: "SIZE[,bs=512|4096][,ro]".
 */
#ifndef TAPDISK_DRIVERS_MEMORY_H
#define TAPDISK_DRIVERS_MEMORY_H

#include "driver.h"

struct memory_options {
	uint64_t bytes;
	uint32_t block_size;
	bool read_only;
};

/* Reads them from @params; @type is for messages. */
int memory_options(const char *type, const struct image_params *params,
		   struct memory_options *options, struct blktap_error *err);
void memory_limits(const struct memory_options *options, struct image_limits *limits);

/* A channel without anything of its own. */
int memory_channel_open(struct image_channel **channel, struct image *image,
			const struct channel_params *params, struct blktap_error *err);
void memory_channel_close(struct image_channel *channel);

#endif /* TAPDISK_DRIVERS_MEMORY_H */

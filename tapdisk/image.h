/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Images by name: "type:path". Read-only ones are shared within a process.
 */
#ifndef TAPDISK_IMAGE_H
#define TAPDISK_IMAGE_H

#include "driver.h"

/*
 * Finds the driver of @spec and *@path inside it.
 * EINVAL: no "type:" or no path; ENOENT: no such type; EOPNOTSUPP: a type that is
 * known but not built.
 */
int image_find_driver(const char *spec, const struct image_driver **driver, const char **path,
		      struct blktap_error *err);

/* The images that can be shared. */
int image_table_new(struct image_table **table);
/* When it is empty. */
void image_table_free(struct image_table *table);

/*
 * Opens "type:path"; @params->path is filled in. May block. A read-only image
 * that is open already comes from @params->table. EPROTO: the descriptors are not
 * those of this type.
 */
int image_open(struct image **image, const char *spec, struct image_params *params,
	       struct blktap_error *err);
/* As image_driver.sync() and .damaged(). */
int image_sync(struct image *image);
bool image_damaged(const struct image *image);
/* The last user closes it. May block. */
void image_close(struct image *image);

#endif /* TAPDISK_IMAGE_H */

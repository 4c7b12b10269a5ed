/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Paths that lead where root, or who calls, has had them lead: nobody else can put another
 * file, or a link, into the place of anything on the way.
 */
#ifndef BLKTAP_TRUSTED_PATH_H
#define BLKTAP_TRUSTED_PATH_H

#include <limits.h>
#include <sys/stat.h>

#include "libblktap.h"

/* What a path leads to, no link any more. */
struct trusted_path {
	int folder;		/* that it is in, O_PATH; close() it */
	char name[NAME_MAX + 1];
	struct stat st;
};

/*
 * Follows @path, which is absolute, and links on the way. EPERM: somebody else owns a folder
 * there or may write to it; where a folder is sticky, he may, but what is taken from it has
 * to be root's, or the caller's. File systems are believed what they say of owners.
 */
int trusted_path_follow(struct trusted_path *found, const char *path, struct blktap_error *err);

#endif /* BLKTAP_TRUSTED_PATH_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What goes wrong, as a file tells: lines "OPERATION error ERRNO", "OPERATION short BYTES".
 */
#ifndef FUSE_FAULTS_H
#define FUSE_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

struct fuse_fault {
	int error;		/* 0: none */
	size_t at_most;		/* bytes */
};

/* False: nothing goes wrong, or there is no such file. */
bool fuse_fault_of(const char *path, const char *operation, struct fuse_fault *fault);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who uses the disk while its daemon is hostile: each a process that goes on until it is
 * killed. Errors are fine with them; waiting when all else has ended is not.
 */
#ifndef FUZZ_USERS_H
#define FUZZ_USERS_H

#include "fuzz_daemon.h"

struct fuzz_user {
	const char *name;
	void (*run)(const struct fuzz_setup *setup, struct fuzz_shared *shared,
		    struct fuzz_random *random);
};

extern const struct fuzz_user fuzz_users[];
extern const unsigned int fuzz_nr_users;

/* A well-behaved daemon, the neighbour: serves a disk of its own from memory. */
void fuzz_neighbour(unsigned int minor) __attribute__((noreturn));

#endif

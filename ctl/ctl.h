/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tap-ctl: what its commands share.
 */
#ifndef TAP_CTL_H
#define TAP_CTL_H

#include "libblktap.h"
#include "options.h"

#define FREE_MS		60000	/* a disk left over from a dead tapdisk goes first */
#define SPAWN_MS	30000
#define LIST_MS		10000	/* for all tapdisks together */

struct command {
	const char *name;
	const char *summary;
	const struct option_spec *options;	/* ends with an empty one */
	/* Returns 0 or a negative errno with a sentence in @err. */
	int (*run)(const struct options *options, struct blktap_error *err);
};

extern const struct command command_list, command_allocate, command_free, command_create,
	command_destroy, command_spawn, command_attach, command_detach, command_open,
	command_close;

/* The exit status of a failure. */
int exit_status(int code);

/* Prints to standard output and makes sure that it got there. */
int print_line(struct blktap_error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int flush_output(struct blktap_error *err);

/* Prints the path of a minor's disk. */
int print_disk(unsigned int minor, struct blktap_error *err);

/* Steps that several commands take, each with a netlink socket of its own. */
int allocate_tap(const struct options *options, unsigned int *minor, struct blktap_error *err);
int free_tap(unsigned int minor, struct blktap_error *err);

/*
 * Starts a tapdisk. Whatever goes wrong is ECHILD, exit status 1, which tells
 * scripts to try again; the sentence has the reason. EINTR: cancelled.
 */
int spawn_tapdisk(pid_t *pid, struct blktap_error *err);

#endif /* TAP_CTL_H */

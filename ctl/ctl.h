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
#define ASK_MS		10000	/* for all tapdisks together */
#define CHANGE_MS	120000	/* pause, unpause and resize, which may wait for the image */

struct command {
	const char *name;
	const char *summary;
	const struct option_spec *options;	/* ends with an empty one */
	/* Returns 0 or a negative errno with a sentence in @err. */
	int (*run)(const struct options *options, struct blktap_error *err);
};

extern const struct command command_list, command_allocate, command_free, command_create,
	command_destroy, command_spawn, command_attach, command_detach, command_open,
	command_close, command_recover, command_supervise, command_pause, command_unpause,
	command_resize, command_kernel_io, command_takeover, command_stats,
	command_top, command_monitor, command_info, command_major, command_check;

/* What is said of a new tap. */
struct blktap_tap_params tap_params(const struct options *options);
/* What is said of a new tapdisk. */
struct blktap_spawn_params spawn_params(const struct options *options);
/* What is said of an image. */
struct blktap_open_params open_params(const struct options *options);

/* Prints the pid of a new tapdisk. */
int print_spawned(const struct options *options, pid_t pid, struct blktap_error *err);

/* The time-out that was given, or else @otherwise. */
int timeout_or(const struct options *options, int otherwise);

#endif /* TAP_CTL_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Command line options: each command has a table of those it takes.
 */
#ifndef TAP_CTL_OPTIONS_H
#define TAP_CTL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct blktap_error;

/* Everything that options can say; what a command does not take stays as it was. */
struct options {
	bool help;
	pid_t pid;		/* 0: not given */
	int minor;		/* -1: not given */
	int timeout_ms;		/* 0: not given */
	const char *image;	/* "type:path" */
	const char *type;
	const char *path;
	bool read_only;
	bool no_direct;
	uint32_t queues;	/* 0: not given, and so on */
	uint32_t depth;
	uint32_t max_io;	/* bytes */
};

struct option_spec {
	int letter;		/* above 255: there is only the long form */
	const char *name;	/* the long form */
	const char *value;	/* what the help calls the argument; NULL: none */
	const char *help;
	/* NULL: an option of features that are still to come */
	int (*take)(struct options *options, const struct option_spec *spec,
		    const char *argument, struct blktap_error *err);
	bool required;
};

int take_pid(struct options *options, const struct option_spec *spec, const char *argument,
	     struct blktap_error *err);
int take_minor(struct options *options, const struct option_spec *spec, const char *argument,
	       struct blktap_error *err);
int take_timeout(struct options *options, const struct option_spec *spec,
		 const char *argument, struct blktap_error *err);
int take_image(struct options *options, const struct option_spec *spec, const char *argument,
	       struct blktap_error *err);
int take_type(struct options *options, const struct option_spec *spec, const char *argument,
	      struct blktap_error *err);
int take_path(struct options *options, const struct option_spec *spec, const char *argument,
	      struct blktap_error *err);
int take_read_only(struct options *options, const struct option_spec *spec,
		   const char *argument, struct blktap_error *err);
int take_no_direct(struct options *options, const struct option_spec *spec,
		   const char *argument, struct blktap_error *err);
int take_queues(struct options *options, const struct option_spec *spec, const char *argument,
		struct blktap_error *err);
int take_depth(struct options *options, const struct option_spec *spec, const char *argument,
	       struct blktap_error *err);
int take_max_io(struct options *options, const struct option_spec *spec, const char *argument,
		struct blktap_error *err);

/* Options that several commands have. */
#define OPTION_PID							\
	{ 'p', "pid", "PID", "the tapdisk", take_pid, true }
#define OPTION_MINOR							\
	{ 'm', "minor", "MINOR", "the tap", take_minor, true }
#define OPTION_NEW_MINOR						\
	{ 'm', "minor", "MINOR", "this one, not the lowest that is free", take_minor, false }
#define OPTION_CLOSE_TIMEOUT						\
	{ 't', "timeout", "SECONDS", "wait until nobody has the disk open (2)", take_timeout, false }

/* The shape of a new tap. */
#define OPTION_QUEUES							\
	{ 256, "queues", "COUNT", "hardware queues", take_queues, false }
#define OPTION_DEPTH							\
	{ 257, "depth", "COUNT", "requests per queue", take_depth, false }
#define OPTION_MAX_IO							\
	{ 258, "max-io", "BYTES", "longest request, K and M for units", take_max_io, false }
#define OPTION_DEVICE							\
	{ 'd', "device", "NAME", "choose the device's name", NULL, false }

/* What to open, and how. */
#define OPTION_IMAGE							\
	{ 'a', "args", "TYPE:PATH", "the image", take_image, true }
#define OPTION_READ_ONLY						\
	{ 'R', "read-only", NULL, "a read-only disk", take_read_only, false }
#define OPTION_NO_DIRECT						\
	{ 'D', "no-direct", NULL, "the page cache may be used", take_no_direct, false }
#define OPTION_READ_CACHE						\
	{ 'r', "read-cache", NULL, "share reads of a parent", NULL, false }
#define OPTION_PARENT							\
	{ 'e', "existing-parent", "MINOR", "use a parent that is open", NULL, false }
#define OPTION_SECONDARY						\
	{ '2', "secondary", "TYPE:PATH", "write to a second image, too", NULL, false }
#define OPTION_STANDBY							\
	{ 's', "standby", NULL, "the second image waits", NULL, false }
#define OPTION_REQUEST_TIMEOUT						\
	{ 't', "request-timeout", "SECONDS", "limit of a request", NULL, false }
#define OPTION_LOG							\
	{ 'C', "log", "PATH", "track changed blocks", NULL, false }
#define OPTION_ENCRYPTED						\
	{ 'E', "encrypted", NULL, "read a key from standard input", NULL, false }

#define OPTION_END	{ 0, NULL, NULL, NULL, NULL, false }

/* @argv[0] is the command. The specs end with OPTION_END. */
int options_parse(int argc, char **argv, const struct option_spec *specs,
		  struct options *options, struct blktap_error *err);

#endif /* TAP_CTL_OPTIONS_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Command line options: each command has a table of those it takes.
 */
#ifndef TAP_CTL_OPTIONS_H
#define TAP_CTL_OPTIONS_H

#include "libblktap.h"

/* Everything that options can say; what a command does not take stays as it was. */
struct options {
	bool help;
	bool json;
	pid_t pid;		/* 0: not given */
	int minor;		/* -1: not given */
	int timeout_ms;		/* -1: not given */
	int request_timeout_ms;	/* 0: not given, and so on */
	int spin_us;		/* negative: never */
	const char *image;	/* "type:path" */
	const char *type;
	const char *path;
	const char *link;
	const char *serial;
	bool has_uuid;
	uint8_t uuid[BLKTAP_UUID_LEN];
	bool read_only;
	bool force;
	bool no_direct;
	bool no_sandbox;
	const char *user;
	enum blktap_kernel_io kernel_io;
	uint32_t queues;
	uint32_t depth;
	uint32_t max_io;	/* bytes */
	enum blktap_death on_death;
	int hold_ms;		/* negative: without limit */
	uint32_t io_timeout_ms;
	enum blktap_on_timeout on_timeout;
	bool restart;
	bool background;
	bool wait;
	uint64_t size;		/* bytes */
	bool shrink;
	bool openmetrics;
	bool block;
	bool character;
	int delay_ms;
	uint64_t iterations;
	bool batch;
};

struct option_spec {
	int letter;		/* above 255: there is only the long form; or NO_OPTION */
	const char *name;	/* the long form */
	const char *value;	/* what the help calls the argument; NULL: none */
	const char *help;
	/* NULL: an option of features that are still to come */
	int (*take)(struct options *options, const struct option_spec *spec,
		    const char *argument, struct blktap_error *err);
	bool required;
	size_t field;		/* take_flag(), take_text(): where in struct options */
};

int take_flag(struct options *options, const struct option_spec *spec, const char *argument,
	      struct blktap_error *err);
int take_text(struct options *options, const struct option_spec *spec, const char *argument,
	      struct blktap_error *err);
int take_pid(struct options *options, const struct option_spec *spec, const char *argument,
	     struct blktap_error *err);
/* Any number. */
int take_minor(struct options *options, const struct option_spec *spec, const char *argument,
	       struct blktap_error *err);
/* One that a tap can have; others give ENODEV. */
int take_tap(struct options *options, const struct option_spec *spec, const char *argument,
	     struct blktap_error *err);
int take_timeout(struct options *options, const struct option_spec *spec,
		 const char *argument, struct blktap_error *err);
int take_request_timeout(struct options *options, const struct option_spec *spec,
			 const char *argument, struct blktap_error *err);
int take_spin(struct options *options, const struct option_spec *spec, const char *argument,
	      struct blktap_error *err);
int take_image(struct options *options, const struct option_spec *spec, const char *argument,
	       struct blktap_error *err);
int take_serial(struct options *options, const struct option_spec *spec, const char *argument,
		struct blktap_error *err);
int take_uuid(struct options *options, const struct option_spec *spec, const char *argument,
	      struct blktap_error *err);
int take_queues(struct options *options, const struct option_spec *spec, const char *argument,
		struct blktap_error *err);
int take_depth(struct options *options, const struct option_spec *spec, const char *argument,
	       struct blktap_error *err);
int take_max_io(struct options *options, const struct option_spec *spec, const char *argument,
		struct blktap_error *err);
int take_size(struct options *options, const struct option_spec *spec, const char *argument,
	      struct blktap_error *err);
int take_kernel_io(struct options *options, const struct option_spec *spec,
		   const char *argument, struct blktap_error *err);
int take_on_death(struct options *options, const struct option_spec *spec, const char *argument,
		  struct blktap_error *err);
int take_hold_time(struct options *options, const struct option_spec *spec,
		   const char *argument, struct blktap_error *err);
int take_io_timeout(struct options *options, const struct option_spec *spec,
		    const char *argument, struct blktap_error *err);
int take_on_timeout(struct options *options, const struct option_spec *spec,
		    const char *argument, struct blktap_error *err);
int take_delay(struct options *options, const struct option_spec *spec, const char *argument,
	       struct blktap_error *err);
int take_iterations(struct options *options, const struct option_spec *spec,
		    const char *argument, struct blktap_error *err);

#define FLAG(letter, name, help, field) \
	{ letter, name, NULL, help, take_flag, false, offsetof(struct options, field) }
#define TEXT(letter, name, value, help, field) \
	{ letter, name, value, help, take_text, false, offsetof(struct options, field) }
#define VALUE(letter, name, value, help, take) \
	{ letter, name, value, help, take, false, 0 }
#define REQUIRED(letter, name, value, help, take) \
	{ letter, name, value, help, take, true, 0 }
/* Belongs to a feature that is still to come. */
#define TO_COME(letter, name, value, help) \
	{ letter, name, value, help, NULL, false, 0 }

/* Options without a letter. */
enum {
	ONLY_QUEUES = 256,
	ONLY_DEPTH,
	ONLY_MAX_IO,
	ONLY_SPIN,
	ONLY_SERIAL,
	ONLY_UUID,
	ONLY_JSON,
	ONLY_SHRINK,
	ONLY_OPENMETRICS,
	ONLY_KERNEL_IO,
	ONLY_ON_DEATH,
	ONLY_HOLD_TIME,
	ONLY_IO_TIMEOUT,
	ONLY_ON_TIMEOUT,
	ONLY_RESTART,
	ONLY_BACKGROUND,
	ONLY_WAIT,
	ONLY_NO_SANDBOX,
	ONLY_USER,
};

/* In place of a letter: the word of a command that has no option before it. */
#define NO_OPTION	1
#define WORD(value, help, take) \
	{ NO_OPTION, "", value, help, take, false, 0 }

/* Options that several commands have. */
#define OPTION_PID	REQUIRED('p', "pid", "PID", "the tapdisk", take_pid)
#define OPTION_MINOR	REQUIRED('m', "minor", "MINOR", "the tap", take_tap)
#define OPTION_JSON	FLAG(ONLY_JSON, "json", "print JSON, one value a line", json)
#define OPTION_CLOSE_TIMEOUT						\
	VALUE('t', "timeout", "SECONDS", "wait until nobody has the disk open (2)", take_timeout)
#define OPTION_TIMEOUT							\
	VALUE('t', "timeout", "SECONDS", "give up after that time (120)", take_timeout)
#define OPTION_FORCE							\
	FLAG('f', "force", "also if it is open, and if its tapdisk must be killed for it", force)

/* A new tapdisk. */
#define OPTION_NO_SANDBOX							\
	FLAG(ONLY_NO_SANDBOX, "no-sandbox", "the tapdisk keeps all rights, for debugging", no_sandbox)

#define OPTION_USER							\
	TEXT(ONLY_USER, "user", "USER", "the tapdisk runs as this user, without any rights", user)

/* A new tap. */
#define OPTION_NEW_MINOR						\
	VALUE('m', "minor", "MINOR", "this one, not the lowest that is free", take_minor)
#define OPTION_LINK							\
	TEXT('d', "device", "NAME", "make and print a link of this name to the disk", link)
#define OPTION_SERIAL							\
	VALUE(ONLY_SERIAL, "serial", "TEXT", "serial number of the disk", take_serial)
#define OPTION_UUID	VALUE(ONLY_UUID, "uuid", "UUID", "UUID of the disk", take_uuid)
#define OPTION_QUEUES	VALUE(ONLY_QUEUES, "queues", "COUNT", "hardware queues", take_queues)
#define OPTION_DEPTH	VALUE(ONLY_DEPTH, "depth", "COUNT", "requests per queue", take_depth)
#define OPTION_MAX_IO							\
	VALUE(ONLY_MAX_IO, "max-io", "BYTES", "longest request, K and M for units", take_max_io)

#define OPTION_ON_DEATH							\
	VALUE(ONLY_ON_DEATH, "on-death", "POLICY",			\
	      "requests without a tapdisk: hold or fail (hold)", take_on_death)
#define OPTION_HOLD_TIME							\
	VALUE(ONLY_HOLD_TIME, "hold-time", "SECONDS", "fail them after that time; 0: never (30)", \
	      take_hold_time)
#define OPTION_IO_TIMEOUT							\
	VALUE(ONLY_IO_TIMEOUT, "io-timeout", "SECONDS", "a tapdisk is late after that time (never)", \
	      take_io_timeout)
#define OPTION_ON_TIMEOUT							\
	VALUE(ONLY_ON_TIMEOUT, "on-timeout", "ACTION",			\
	      "a tapdisk that is late: report or kill (report)", take_on_timeout)

/* What to open, and how. */
#define OPTION_IMAGE	REQUIRED('a', "args", "TYPE:PATH", "the image", take_image)
#define OPTION_READ_ONLY	FLAG('R', "read-only", "a read-only disk", read_only)
#define OPTION_NO_DIRECT	FLAG('D', "no-direct", "the page cache may be used", no_direct)
#define OPTION_REQUEST_TIMEOUT						\
	VALUE('t', "request-timeout", "SECONDS", "try failing requests again for so long (120)", \
	      take_request_timeout)
#define OPTION_KERNEL_IO							\
	VALUE(ONLY_KERNEL_IO, "kernel-io", "MODE",				\
	      "what the kernel may do by itself: auto, redirect or off (auto)", take_kernel_io)
#define OPTION_SPIN							\
	VALUE(ONLY_SPIN, "spin", "MICROSECONDS", "look for requests so long before sleeping (200)", \
	      take_spin)
#define OPTION_RESTART							\
	FLAG(ONLY_RESTART, "restart", "recover it by itself when its tapdisk dies", restart)
#define OPTION_READ_CACHE	TO_COME('r', "read-cache", NULL, "share reads of a parent")
#define OPTION_PARENT							\
	TO_COME('e', "existing-parent", "MINOR", "use a parent that is open")
#define OPTION_SECONDARY						\
	TO_COME('2', "secondary", "TYPE:PATH", "write to a second image, too")
#define OPTION_STANDBY	TO_COME('s', "standby", NULL, "the second image waits")
#define OPTION_LOG	TO_COME('C', "log", "PATH", "track changed blocks")
#define OPTION_ENCRYPTED	TO_COME('E', "encrypted", NULL, "read a key from standard input")

#define OPTION_END	{ 0, NULL, NULL, NULL, NULL, false, 0 }

/* @argv[0] is the command. The specs end with OPTION_END. */
int options_parse(int argc, char **argv, const struct option_spec *specs,
		  struct options *options, struct blktap_error *err);

/* How an option is written, "-m" or "--queues"; valid until the next call. */
const char *option_name(const struct option_spec *spec);

#endif /* TAP_CTL_OPTIONS_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Standard output, and the exit status.
 */
#ifndef TAP_CTL_OUTPUT_H
#define TAP_CTL_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

struct blktap_error;

/* The exit status of a failure. */
int exit_status(int code);

/* These print to standard output and make sure that it got there. */
int flush_output(struct blktap_error *err);
int print_line(struct blktap_error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Takes @json (NULL: no memory); one line. */
int print_json(json_t *json, struct blktap_error *err);
/* The members of an object (which it takes) as key=value, one line. */
int print_pairs(json_t *object, struct blktap_error *err);
/* The same, a line for each, "key: value". */
int print_members(json_t *object, struct blktap_error *err);

/* The disk of a new tap: its link, or else its path; with JSON also pid (if not 0) and minor. */
int print_disk(bool json, pid_t pid, unsigned int minor, const char *link,
	       struct blktap_error *err);

/* Without what upsets a terminal. */
void put_escaped(FILE *file, const char *text);

#endif /* TAP_CTL_OUTPUT_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/* KTAP results of a C program; the plan comes last, as proof of a full run. */
#ifndef KTAP_H
#define KTAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static int ktap_count, ktap_failed;

static inline void ktap_start(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("KTAP version 1");
}

__attribute__((format(printf, 2, 3)))
static inline bool ktap(bool good, const char *fmt, ...)
{
	va_list ap;

	ktap_failed += !good;
	printf("%s %d ", good ? "ok" : "not ok", ++ktap_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	return good;
}

/* Passes if a call's result is the expected one; both are negative errnos. */
static inline bool ktap_is(long got, long want, const char *what)
{
	if (got != want)
		printf("# %s: got %ld, expected %ld\n", what, got, want);
	return ktap(got == want, "%s", what);
}

__attribute__((format(printf, 1, 2), noreturn))
static inline void ktap_die(const char *fmt, ...)
{
	va_list ap;

	printf("Bail out! ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	_Exit(1);
}

static inline int ktap_finish(void)
{
	printf("1..%d\n", ktap_count);
	return ktap_failed ? 1 : 0;
}

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Answers with one object a VBD, which come in pages if there are many.
 */
#ifndef BLKTAP_PAGES_H
#define BLKTAP_PAGES_H

#include "deadline.h"
#include "libblktap.h"

struct pages {
	pid_t pid;		/* in */
	json_t *vbds;		/* once done, on success: an array */
	struct blktap_error err;	/* once done, on failure; else code 0 */
	const char *method;	/* of one minor, or (negative) of all */
	int minor;
	json_int_t from;	/* where the page that is asked for starts */
};

/*
 * Asks each tapdisk of @pages for "list" or "stats" of one minor or (-1) all, at the same
 * time. -ENOMEM.
 */
int pages_collect(struct pages *pages, size_t count, const char *method, int minor,
		  struct deadline deadline);
void pages_clear(struct pages *pages);

#endif /* BLKTAP_PAGES_H */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What tapdisks leave in the control directory about their disks, tap<minor>.json.
 */
#ifndef BLKTAP_RECORD_H
#define BLKTAP_RECORD_H

#include <sys/stat.h>

#include "libblktap.h"

/* One record of a minor, and not a later one. */
struct record_mark {
	bool there;
	struct stat file;
};

/* The record that @minor has now. */
void record_look(unsigned int minor, struct record_mark *mark);
/* Removes it, unless there is another one by now. */
void record_forget(unsigned int minor, const struct record_mark *mark);

#endif /* BLKTAP_RECORD_H */

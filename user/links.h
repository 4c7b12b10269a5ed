/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names that disks have besides their own: symbolic links anywhere, which the control
 * directory remembers in links/<minor>, symbolic links to their names.
 */
#ifndef BLKTAP_LINKS_H
#define BLKTAP_LINKS_H

#include <sys/stat.h>

#include "libblktap.h"

/* One link of a minor, and not a later one. */
struct link_mark {
	bool there;
	struct stat record;
};

/*
 * For a minor that has just been allocated: removes what an earlier tap has left and, if
 * @name is not NULL, makes and remembers a link of that name.
 */
int link_renew(unsigned int minor, const char *name, struct blktap_error *err);

/* The link that @minor has now. */
void link_look(unsigned int minor, struct link_mark *mark);
/* Removes and forgets it, unless there is another one by now. */
int link_remove(unsigned int minor, const struct link_mark *mark, struct blktap_error *err);

#endif /* BLKTAP_LINKS_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rights that a tapdisk does not need once it listens.
 */
#ifndef TAPDISK_SANDBOX_H
#define TAPDISK_SANDBOX_H

#include "libblktap.h"

struct sandbox_user {
	const char *name;
	uid_t uid;
	gid_t gid;
};

/* ENOENT: there is no such user; EINVAL: it is root, who has rights of his own. */
int sandbox_find_user(struct sandbox_user *user, const char *name, struct blktap_error *err);

/*
 * Gives them up for good: capabilities, programs that would have more of them, and
 * most system calls. With @user (may be NULL) also those of the one who started
 * this process. Comes before the first thread. What cannot be given up is logged,
 * for disks without it are better than none; but it is an error not to become @user.
 */
int sandbox_enter(const struct sandbox_user *user, struct blktap_error *err);

#endif /* TAPDISK_SANDBOX_H */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BLKTAP_PROCESS_H
#define BLKTAP_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * What the kernel knows of a process: what it says of itself is no reason to start another
 * one with such rights.
 */

/*
 * The user. The name is to be freed; NULL and 0: it runs as we do,
 * or is not there. ENOENT: the user has no name.
 */
int process_user(pid_t pid, char **name);
/* Whether it has given up to get more rights, as a tapdisk does, but for --no-sandbox. */
bool process_is_confined(pid_t pid);

#endif /* BLKTAP_PROCESS_H */

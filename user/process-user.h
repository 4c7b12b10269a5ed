/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BLKTAP_PROCESS_USER_H
#define BLKTAP_PROCESS_USER_H

#include <sys/types.h>

/*
 * The user of a process, as the kernel knows it: what a process says of itself is no reason
 * to start another one as that user. The name is to be freed; NULL and 0: it runs as we do,
 * or is not there. ENOENT: the user has no name.
 */
int process_user(pid_t pid, char **name);

#endif /* BLKTAP_PROCESS_USER_H */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BLKTAP_TAPDISKS_H
#define BLKTAP_TAPDISKS_H

#include "libblktap.h"

/* The pids that have a socket, those of dead tapdisks included, ascending; free() them. */
int tapdisks_read(pid_t **pids, size_t *count, struct blktap_error *err);

/* Appends to an array that starts out as NULL and 0; -ENOMEM. */
int tapdisks_add_pid(pid_t **pids, size_t *count, pid_t pid);

/*
 * Removes the socket of @pid if that process is gone. One that is bound but not yet
 * listening refuses connections, too.
 */
void tapdisks_sweep(pid_t pid);

#endif /* BLKTAP_TAPDISKS_H */

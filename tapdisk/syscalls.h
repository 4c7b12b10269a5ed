/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The system calls that a tapdisk needs once it listens.
 */
#ifndef TAPDISK_SYSCALLS_H
#define TAPDISK_SYSCALLS_H

/*
 * Refuses this thread, and those that it will start, all others from now on: they
 * fail with ENOSYS, and the kernel logs them. Needs no_new_privs. 0 or a negative
 * errno: there is no filter then.
 */
int syscalls_confine(void);

#endif /* TAPDISK_SYSCALLS_H */

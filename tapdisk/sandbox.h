/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rights that a tapdisk does not need once it listens.
 */
#ifndef TAPDISK_SANDBOX_H
#define TAPDISK_SANDBOX_H

/*
 * Gives them up for good: capabilities, programs that would have more of them, and
 * most system calls. Comes before the first thread. What cannot be given up is
 * logged: disks without it are better than none.
 */
void sandbox_enter(void);

#endif /* TAPDISK_SANDBOX_H */

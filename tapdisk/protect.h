/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A process that memory reclaim may depend on.
 */
#ifndef TAPDISK_PROTECT_H
#define TAPDISK_PROTECT_H

/*
 * Keeps the process from waiting for I/O to its own disks and from being killed
 * for want of memory, and lets it open many files. What is not permitted is
 * logged and done without. Threads inherit it: call it before there are any.
 */
void protect_process(void);

#endif /* TAPDISK_PROTECT_H */

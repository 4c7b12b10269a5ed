/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A process that memory reclaim may depend on.
 */
#ifndef TAPDISK_PROTECT_H
#define TAPDISK_PROTECT_H

#include <stddef.h>

/*
 * Keeps the process from waiting for I/O to its own disks and from being killed
 * for want of memory, and lets it open many files. What is not permitted is
 * logged and done without. Threads inherit it: call it before there are any.
 */
void protect_process(void);

/* Memory that is there from now on, whether it was used before or not. */
void protect_memory(void *memory, size_t size);

/*
 * Lets the calling thread go before others and take of what the kernel keeps of memory
 * for those who are in a hurry. A policy that was set from outside stays.
 */
void protect_thread(void);

#endif /* TAPDISK_PROTECT_H */

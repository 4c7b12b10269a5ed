/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TAPDISK_SCOPE_H
#define TAPDISK_SCOPE_H

#include "libblktap.h"

/*
 * Makes this process independent of the service or session that started it:
 * where systemd runs the machine, it moves to a scope of its own, which is not
 * stopped before file systems are unmounted. Takes 2 s at most, since systemd may
 * wait for a disk that this process is to recover. A failure is a warning in the log.
 *
 * Call it in the background process, before the start is reported: the service may
 * end then. And before memory is locked, which would be charged to where it came
 * from, and rights are given up that this takes.
 */
void scope_enter(void);

/*
 * The part of systemd in that, which listens at @address ("unix:path=..."), or else on
 * the system's bus. Not there in builds without libsystemd.
 */
int scope_move(const char *address, int limit_ms, struct blktap_error *err);

#endif

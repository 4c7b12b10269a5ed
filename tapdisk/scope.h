/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TAPDISK_SCOPE_H
#define TAPDISK_SCOPE_H

/*
 * Makes this process independent of the service or session that started it:
 * where systemd runs the machine, it moves to a scope of its own, which is not
 * stopped before file systems are unmounted. Takes 5 s at most. A failure is
 * a warning in the log. Call it in the background process, before the start is
 * reported.
 */
void scope_enter(void);

#endif

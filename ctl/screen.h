/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A terminal that is drawn upon, and given back as it was.
 */
#ifndef TAP_CTL_SCREEN_H
#define TAP_CTL_SCREEN_H

#include <stdbool.h>

/* Whether standard output is one. */
bool screen_there(void);

void screen_enter(void);
void screen_leave(void);

void screen_size(unsigned int *rows, unsigned int *columns);
/* Whether the size has changed since the last call. */
bool screen_resized(void);

/*
 * Waits at most @timeout_ms for a key, for @fd to become readable (-1: none) or for another
 * size. The key, or 0 for anything else.
 */
int screen_wait(int fd, int timeout_ms);

/* Stops the job, as its key would have, and goes on where it was. */
void screen_suspend(void);

#endif /* TAP_CTL_SCREEN_H */

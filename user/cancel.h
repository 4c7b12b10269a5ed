/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BLKTAP_CANCEL_H
#define BLKTAP_CANCEL_H

/* The descriptor that ends waits by becoming readable, or -1. */
int cancel_fd(void);

/* What this thread waits for in between goes all the way. They nest. */
void cancel_suspend(void);
void cancel_resume(void);

/* Waits until @fd is readable: 1, 0 if the time is up (or before), -EINTR if cancelled. */
int cancel_poll(int fd, int timeout_ms);

#endif /* BLKTAP_CANCEL_H */

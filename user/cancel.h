/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BLKTAP_CANCEL_H
#define BLKTAP_CANCEL_H

#include <stdbool.h>

/* The descriptor that ends waits by becoming readable, or -1. */
int cancel_fd(void);

/* poll() for one descriptor (or -1) and the cancel descriptor: 1 ready, 0 time is up, -EINTR. */
int cancel_poll(int fd, short events, int timeout_ms);

bool cancelled(void);

#endif /* BLKTAP_CANCEL_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Signals that would end the program while it must not be ended: they are kept
 * back, and end the library's waits instead.
 */
#ifndef TAP_CTL_SIGNALS_H
#define TAP_CTL_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

struct held_signals {
	int fd;			/* readable when one has come */
	sigset_t before;
};

struct blktap_error;
struct options;

/* For commands that undo what they began: runs @run with signals kept back. */
int signals_hold_during(int (*run)(const struct options *options, struct blktap_error *err),
			const struct options *options, struct blktap_error *err);
/*
 * For commands that have no end of their own: SIGINT counts even where it is ignored, as
 * in the background jobs of scripts.
 */
int signals_hold_endless(struct held_signals *held, struct blktap_error *err);
/* Whether any have come; they will not end the program. */
bool signals_take(const struct held_signals *held);
/* Whether one has come that was kept back, or does within @timeout_ms. */
bool signals_come(int timeout_ms);
/* Back to before; a signal that came ends the program here. */
void signals_release(struct held_signals *held);

#endif /* TAP_CTL_SIGNALS_H */

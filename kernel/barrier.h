/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Barriers: tell when the I/O that the kernel does for a session's requests, as
 * far as it had begun at some moment, is over. All of it is counted by the
 * session's present barrier; who waits puts a new one in its place.
 */
#ifndef _BLKTAP_BARRIER_H
#define _BLKTAP_BARRIER_H

struct blktap_barrier;
struct blktap_session;

/* NULL without memory, or if the session has too many. Put if it is not started. */
struct blktap_barrier *blktap_barrier_new(struct blktap_session *session);
void blktap_barrier_put(struct blktap_barrier *barrier);

/* For a session that is being attached, with the tap locked. */
void blktap_barrier_start(struct blktap_session *session, struct blktap_barrier *barrier);

/*
 * I/O begins, unless the session has ended: NULL. The barrier keeps the session's
 * memory until blktap_barrier_leave(), which may be called from any context.
 */
struct blktap_barrier *blktap_barrier_enter(struct blktap_session *session);
void blktap_barrier_leave(struct blktap_barrier *barrier);

/*
 * Waits until all I/O that has begun is over, without the tap's lock. -EINTR if a
 * signal came, -ENODEV if the session has ended.
 */
int blktap_barrier_wait(struct blktap_session *session);

/* No more I/O begins; with the tap locked. */
void blktap_barrier_stop(struct blktap_session *session);

#endif /* _BLKTAP_BARRIER_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/* Recovery: what becomes of a disk's requests from one session to the next. */
#ifndef _BLKTAP_RECOVERY_H
#define _BLKTAP_RECOVERY_H

#include <linux/jiffies.h>
#include <linux/types.h>

struct blktap_disk;
struct blktap_session;
struct blktap_tap;
struct pid;

/*
 * What a session, or a disk that has to go, waits for and that has not ended by then is
 * stuck, and told of so often: storage that works answers sooner, and tap-ctl, whose
 * force is to take less than 10 s, can wait for it.
 */
#define BLKTAP_STUCK_PERIOD	(3 * HZ)

/* All but the last three are called with the tap locked. */

/*
 * The session is about to end, and leaves its disk: no request gets to it any more.
 * Whether those that it has are to wait.
 */
bool blktap_recovery_begin(struct blktap_tap *tap, struct blktap_session *session);

/* It has ended: what waits for that is told when it may be. */
void blktap_recovery_ended(struct blktap_tap *tap, struct blktap_session *session);

/* The tap's session has started: it serves the disk as soon as the fence lets it. */
void blktap_recovery_start(struct blktap_tap *tap);

/* Lets requests through to whom they are for, or keeps them. */
void blktap_recovery_gate(struct blktap_disk *disk);
/* The disk's opened_work. */
void blktap_recovery_opened_work(struct work_struct *work);

/* Requests fail from now on. */
void blktap_recovery_fail(struct blktap_disk *disk);

/* Milliseconds until requests that wait fail; 0: without limit, or they do not wait. */
u32 blktap_recovery_left_ms(const struct blktap_tap *tap);

/* A tap that is freed waits for nobody. */
void blktap_recovery_flush(struct blktap_tap *tap);

void blktap_recovery_init(struct blktap_tap *tap);

/* Something that the fence waits for may have ended; in a process. */
void blktap_recovery_look(struct blktap_tap *tap);

/* Before the tap goes. */
void blktap_recovery_stop(struct blktap_tap *tap);

/*
 * It is on its way out, and answers nothing more, but if it waits for its storage it has
 * not released its ring. In any context.
 */
bool blktap_process_is_exiting(struct pid *pid);

#endif /* _BLKTAP_RECOVERY_H */

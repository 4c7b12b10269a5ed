/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What tapdisks leave in the control directory about their disks, tap<minor>.json.
 */
#ifndef BLKTAP_RECORD_H
#define BLKTAP_RECORD_H

#include <jansson.h>
#include <sys/stat.h>

#include "libblktap.h"

int record_path(char *buf, size_t size, unsigned int minor);
/* As it stands there; an errno of blktap_record_read(). */
int record_load(unsigned int minor, json_t **json);

/* What the kernel knows of it. */
int record_get_tap(unsigned int minor, struct blktap_tap *tap);

/*
 * Whether what is recorded of @minor under @recorded is of tapdisk @pid. After a takeover
 * that nobody could record it is under the earlier one's: the kernel knows whose the tap is.
 */
bool record_is_of(pid_t recorded, unsigned int minor, pid_t pid);

/* One record of a minor, and not a later one. */
struct record_mark {
	bool there;
	struct stat file;
};

/* The record that @minor has now. */
void record_look(unsigned int minor, struct record_mark *mark);
bool record_is(unsigned int minor, const struct record_mark *mark);
void record_remove_file(unsigned int minor);

/*
 * Between reading a record and changing it no other client does: close() the descriptor
 * then. A negative errno: it cannot be had.
 */
int record_lock(void);
/* Removes it, unless there is another one by now. Takes the lock. */
void record_forget(unsigned int minor, const struct record_mark *mark);

/*
 * What a client has done with a disk is recorded, if its tapdisk cannot do so: see record-keep.c.
 * If that fails, the log has a warning.
 */
bool record_is_kept(pid_t pid);
/*
 * What is asked of a tapdisk is on record before that, for nobody may be there to write it down
 * when it has happened. If it is refused, what was on record comes back.
 */
struct record_order {
	pid_t pid;
	unsigned int minor;
	json_t *written;	/* NULL: not kept here, or not likely to be done */
	json_t *before;		/* NULL: there was none */
	struct record_mark mark;	/* of what was written */
};

/*
 * @identity, of the image; NULL: of what its name leads to now. EINTR: cancelled before that
 * is known, so that nothing is to be asked for.
 */
int record_order_open(struct record_order *order, pid_t pid, unsigned int minor,
		      const struct blktap_open_params *open, const char *identity,
		      struct blktap_error *err);
/* @image: NULL: the one that it had. EINTR: as above. */
int record_order_unpause(struct record_order *order, pid_t pid, unsigned int minor,
			 const char *image, struct blktap_error *err);
/*
 * It has been done; @identity is that of the descriptor which the tapdisk was given, or what
 * the image has to be. Empty: it is what its name leads to.
 */
void record_opened(const struct record_order *order, const struct blktap_open_params *open,
		   const char *identity);
void record_unpaused(const struct record_order *order, const char *image, const char *identity);
/* @refused: it has not been done, and will not be. */
void record_order_end(struct record_order *order, bool refused);

/* Takes @changes, an object; NULL: no memory for it. */
void record_changed(pid_t pid, unsigned int minor, json_t *changes);
/* @mark: the record before it was closed. It may be open again. */
void record_closed(pid_t pid, unsigned int minor, const struct record_mark *mark);

#endif /* BLKTAP_RECORD_H */

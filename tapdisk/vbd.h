/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VBD: tapdisk's side of a tap. It has a session from attach to detach and a
 * chain of images from open to close.
 */
#ifndef TAPDISK_VBD_H
#define TAPDISK_VBD_H

#include "driver.h"
#include "libblktap.h"
#include "loop.h"
#include "workers.h"

struct vbd;
struct vbd_queue;

/* What a VBD lives in. */
struct vbd_env {
	struct loop *loop;
	struct workers *workers;	/* for opening and closing images */
	/* An operation has ended. The VBD must not be freed from here. */
	void (*changed)(const struct vbd_env *env, struct vbd *vbd);
	/* The kernel has ended the session and all is drained: to be freed now. */
	void (*gone)(const struct vbd_env *env, struct vbd *vbd);
};

enum vbd_state {
	VBD_IDLE,		/* no image */
	VBD_OPENING,		/* a worker opens the image */
	VBD_STARTING,		/* the kernel scans for partitions */
	VBD_LIVE,
	VBD_CLOSING,		/* waits for the disk's last close */
	VBD_REMOVING,		/* the disk disappears */
	VBD_DRAINING,		/* requests come back from the image */
	VBD_CLOSING_IMAGE,	/* a worker closes the image */
};

/* @err is NULL on success. Called once; the VBD must not be freed from here. */
typedef void (*vbd_done)(struct vbd *vbd, void *data, const struct blktap_error *err);

struct vbd_operation {
	vbd_done done;		/* NULL: none */
	void *data;
};

struct vbd_job {
	struct work work;
	struct image_params params;
	char *spec;
	struct image *image;
	struct blktap_error err;
};

struct vbd {
	struct list link;		/* the owner's */
	const struct vbd_env *env;
	unsigned int minor;
	struct blktap_ring *ring;
	struct loop_fd ring_event;
	struct vbd_queue *queues;
	unsigned int nr_queues;
	struct list images;		/* leaf first */
	unsigned int inflight;		/* requests with the leaf */
	uint64_t io_errors;
	struct loop_task turn;		/* what a turn of the loop collected */

	enum vbd_state state;
	bool closed;			/* by "close", as opposed to never opened */
	bool aborting;			/* "open" failed: all is being undone */
	bool lost;			/* the session has ended */
	struct vbd_operation op;
	struct blktap_error failure;	/* what op will end with; code 0: success */
	struct loop_timer deadline;
	struct vbd_job job;
};

struct vbd_open_params {
	const char *image;	/* "type:path" */
	bool read_only;
	bool no_direct;
	int timeout_ms;		/* negative: none */
};

/* Attaches to the tap. */
int vbd_attach(struct vbd **vbd, const struct vbd_env *env, unsigned int minor,
	       struct blktap_error *err);
/* Ends the session and frees @vbd. EBUSY: an image is open. */
int vbd_detach(struct vbd *vbd, struct blktap_error *err);
/* Frees @vbd, whose session has ended (from vbd_env.gone). */
void vbd_free(struct vbd *vbd);

/*
 * Opens the image and starts the disk; done when partitions were scanned. After
 * a failure everything is as before.
 */
void vbd_open(struct vbd *vbd, const struct vbd_open_params *params, vbd_done done, void *data);
/*
 * Removes the disk, at its last close, then closes the image. EBUSY: the disk was
 * still open after @timeout_ms (negative: no limit, 0: a grace for probes) and
 * goes on as before.
 */
void vbd_close(struct vbd *vbd, int timeout_ms, vbd_done done, void *data);
/*
 * Gives up the vbd_close() of @data if it waits for the last close: true, and
 * done() will not be called.
 */
bool vbd_close_withdraw(struct vbd *vbd, const void *data);

/* The leaf, or NULL unless the disk is there. */
const struct image *vbd_image(const struct vbd *vbd);
/* BLKTAP_VBD_* for users. */
unsigned int vbd_user_state(const struct vbd *vbd);

/* ------------------------------------------ the data path (vbd-queue.c) */

/* Makes requests and descriptors ready for the image / gives them back. */
int vbd_queues_start(struct vbd *vbd, struct image *image);
void vbd_queues_stop(struct vbd *vbd);
/* Stops listening, while requests are still with the image. */
void vbd_queues_mute(struct vbd *vbd);
/* Hands completions to the kernel; a negative errno if the session has ended. */
int vbd_queues_enter(struct vbd *vbd);
/* The session has ended, says the kernel (vbd.c). */
void vbd_session_lost(struct vbd *vbd, const char *reason);

#endif /* TAPDISK_VBD_H */

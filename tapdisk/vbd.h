/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VBD: tapdisk's side of a tap. It has a session from attach to detach and an
 * image from open to close, but for the time while it is paused.
 */
#ifndef TAPDISK_VBD_H
#define TAPDISK_VBD_H

#include "driver.h"
#include "kernel-io.h"
#include "libblktap.h"
#include "loop.h"
#include "server.h"
#include "workers.h"

struct vbd;
struct vbd_job;
struct vbd_offer;

/* What a VBD lives in. */
struct vbd_env {
	struct loop *loop;
	struct workers *workers;	/* for opening and closing images */
	struct list *abandoned;		/* the opens among their jobs that nobody waits for */
	struct image_table *images;	/* shared ones; or NULL */
	int records;			/* the folder for them, see vbd-record.h; -1: none */
	bool no_sandbox;		/* for the next tapdisk */
	bool threads;			/* each VBD is served by a thread of its own */
	/* An operation has ended. The VBD must not be freed from here. */
	void (*changed)(const struct vbd_env *env, struct vbd *vbd);
	/* The kernel has ended the session and all is drained: to be freed now. */
	void (*gone)(const struct vbd_env *env, struct vbd *vbd);
};

enum vbd_state {
	VBD_IDLE,		/* no image */
	VBD_OPENING,		/* a worker opens the image, then gives its files to the kernel */
	VBD_STARTING,		/* the kernel scans for partitions */
	VBD_LIVE,
	VBD_CLOSING,		/* waits for the disk's last close */
	VBD_REMOVING,		/* the disk disappears */
	VBD_DRAINING,		/* requests come back from the image, for the last time */
	VBD_CLOSING_IMAGE,	/* a worker closes the image */
	VBD_PAUSING,		/* requests come back, to go on later */
	VBD_RELEASING,		/* a worker ends I/O, then closes the image, for a pause, or
				 * gives its files to the kernel again
				 */
	VBD_PAUSED,
	VBD_REOPENING,		/* likewise, after a pause */
	VBD_RESIZING,		/* requests come back, then a worker resizes the image */
	VBD_SWITCHING,		/* likewise, then a worker waits for the kernel's I/O */
	VBD_OFFERED,		/* to another tapdisk; served, or paused */
	VBD_HANDING_OVER,	/* as SWITCHING, for the other one */
	VBD_HELD,		/* requests are held until the other one begins */
	VBD_ADOPTING,		/* likewise, with the image of another tapdisk */
	VBD_ADOPTED,		/* all but the requests is here */
};

/* @err is NULL on success. Called once; the VBD must not be freed from here. */
typedef void (*vbd_done)(struct vbd *vbd, void *data, const struct blktap_error *err);

struct vbd_operation {
	vbd_done done;		/* NULL: none */
	void *data;
};

struct vbd {
	struct list link;		/* the owner's */
	const struct vbd_env *env;
	unsigned int minor;
	struct blktap_ring *ring;
	struct loop_fd ring_event;
	struct loop_task turn;

	char *earlier;			/* image of the disk that was left over; NULL: unknown */

	/* From open to close */
	char *spec;			/* "type:path" */
	struct image_params params;	/* how it was opened */
	int request_timeout_ms;		/* negative: no limit */
	uint32_t max_spin_ns;
	enum blktap_kernel_io kernel_io;	/* at most */
	bool restart;			/* to be recovered without being asked */
	struct blktap_start disk;	/* what the kernel was told */
	struct queue_stats *stats;	/* by queue */
	unsigned int nr_queues;

	struct image *image;		/* NULL: none, or paused */
	struct kernel_io *kio;		/* of the image; NULL: none */
	struct server *server;		/* NULL: requests stay with the kernel */

	enum vbd_state state;
	bool closed;			/* by "close", as opposed to never opened */
	bool paused;			/* no image, but a disk */
	bool held;			/* requests, by the driver: there are no time-outs */
	bool unwanted;			/* the pause or hand-over under way: to be undone */
	char identity[IMAGE_IDENTITY_SIZE];	/* of the image that the pause closes */
	bool force;			/* the close under way takes an open disk away */
	bool aborting;			/* "open" failed: all is being undone */
	bool lost;			/* the session has ended */
	bool handed_over;		/* because another tapdisk serves the disk */
	bool foreign;			/* the image: another tapdisk serves it so far */
	struct vbd_operation op;
	struct blktap_error failure;	/* what op will end with; code 0: success */
	struct loop_timer deadline;
	int passed;			/* the image that is to be opened; -1: by its path */
	struct vbd_job *job;		/* what a worker does for it */
	struct {
		uint64_t capacity;
		uint64_t before;	/* what the disk had */
		bool shrink;
	} resize;
	enum blktap_kernel_io wanted_mode;	/* of the switch under way */
	struct list offer;		/* the client's, to whom it is offered */
};

struct vbd_open_params {
	const char *image;	/* "type:path" */
	bool read_only;
	bool no_direct;
	int request_timeout_ms;		/* negative: no limit */
	uint32_t max_spin_ns;	/* to look for requests before sleeping; 0: never */
	enum blktap_kernel_io kernel_io;	/* at most; DEFAULT: AUTO */
	bool restart;		/* for the record */
	int timeout_ms;		/* negative: none */
};

/* Attaches to the tap. Takes @fd, its ring node; negative: it is opened. */
int vbd_attach(struct vbd **vbd, const struct vbd_env *env, unsigned int minor, int fd,
	       struct blktap_error *err);
/* As the successor of the session of tapdisk @from. ESTALE: it has none there. */
int vbd_attach_takeover(struct vbd **vbd, const struct vbd_env *env, unsigned int minor, int fd,
			pid_t from, struct blktap_error *err);
/* Ends the session and frees @vbd. EBUSY: an image is open. */
int vbd_detach(struct vbd *vbd, struct blktap_error *err);
/* Frees @vbd, whose session has ended (from vbd_env.gone). */
void vbd_free(struct vbd *vbd);

/*
 * The disk was left over by a dead tapdisk, and had @image: the next call that opens this one
 * may find that it has become larger.
 */
int vbd_left_over(struct vbd *vbd, const char *image, struct blktap_error *err);
/* Takes @fd: the image that the next call opens. -1: none, it is opened by its path. */
void vbd_pass(struct vbd *vbd, int fd);
/*
 * Opens the image and starts the disk; done when partitions were scanned. After
 * a failure everything is as before.
 */
void vbd_open(struct vbd *vbd, const struct vbd_open_params *params, vbd_done done, void *data);
/*
 * Removes the disk, at its last close, then closes the image. EBUSY: the disk was
 * still open after @timeout_ms (negative: no limit, 0: a grace for probes) and
 * goes on as before. With @force, it is taken away then, and requests that are left
 * fail instead of being tried again.
 */
void vbd_close(struct vbd *vbd, int timeout_ms, bool force, vbd_done done, void *data);

/*
 * Holds requests, waits for those with the image, closes it. ETIMEDOUT: some were
 * still there after @timeout_ms (negative: no limit), and all goes on as before. An image that
 * is being closed by then is opened again, and if its name leads to another one, it is paused.
 */
void vbd_pause(struct vbd *vbd, int timeout_ms, vbd_done done, void *data);
/*
 * Goes on with @image, or with that it had (NULL). After a failure it is still
 * paused, with requests held.
 */
void vbd_unpause(struct vbd *vbd, const char *image, int timeout_ms, vbd_done done, void *data);
/*
 * Gives the image (unless @capacity is 0), then the disk, another size. The new
 * one is in vbd->disk.capacity.
 */
void vbd_resize(struct vbd *vbd, uint64_t capacity, bool shrink, int timeout_ms, vbd_done done,
		void *data);
/*
 * Lets the kernel do @mode or less, by itself, from now on. ETIMEDOUT: requests
 * were still with the image, and all goes on as before.
 */
void vbd_switch(struct vbd *vbd, enum blktap_kernel_io mode, int timeout_ms, vbd_done done,
		void *data);

/*
 * Gives up the operation of @data if it only waits, for the last close or for
 * requests: true, and done() will not be called.
 */
bool vbd_withdraw(struct vbd *vbd, const void *data);

/*
 * Handing over, of a VBD with a disk. Once offered it is served as before, but no
 * other operation begins. vbd_hand_over() ends when requests are held and nothing
 * here moves bytes any more: the next that comes is the end of the session, because
 * the other tapdisk serves the disk. Until then all can be taken back, which also
 * happens by itself if it takes long.
 */
int vbd_offer(struct vbd *vbd, struct blktap_error *err);
void vbd_hand_over(struct vbd *vbd, int timeout_ms, vbd_done done, void *data);
/* @why is for the log. It goes on serving, unless the other one already does. */
void vbd_take_back(struct vbd *vbd, const char *why);

/*
 * Taking over, by the successor of a session: opens the image and starts all that is
 * needed to serve it. @fds become the VBD's. Ends as ADOPTED, or IDLE after a failure.
 */
void vbd_adopt(struct vbd *vbd, const struct vbd_offer *offer, const int *fds, unsigned int nr_fds,
	       int timeout_ms, vbd_done done, void *data);
/*
 * Once the other has handed over: serves the disk. EBUSY: it has not, and all is as
 * before; another failure leads to IDLE.
 */
void vbd_take_on(struct vbd *vbd, vbd_done done, void *data);
/* Undoes vbd_adopt(); ends as IDLE. */
void vbd_disown(struct vbd *vbd, vbd_done done, void *data);

/* Whether there is a disk for users: one with an image, or paused. */
bool vbd_is_open(const struct vbd *vbd);
/* What the kernel does by itself. While paused, what it may do then. */
enum blktap_kernel_io vbd_kernel_io(const struct vbd *vbd);
/* Whether somebody has the disk open. */
bool vbd_in_use(struct vbd *vbd);
/* BLKTAP_VBD_* for users. */
unsigned int vbd_user_state(const struct vbd *vbd);

/* ------------ between vbd.c, vbd-pause.c, vbd-handover.c and vbd-adopt.c */

void vbd_begin(struct vbd *vbd, vbd_done done, void *data, int timeout_ms);
void vbd_refuse(struct vbd *vbd, vbd_done done, void *data, int code, const char *what);
void vbd_answer(struct vbd *vbd);
/* The operation has led to @state, and ends. */
void vbd_finish(struct vbd *vbd, enum vbd_state state);

/* To LIVE. */
void vbd_go_on(struct vbd *vbd);
/* Has the driver hold requests, if it can, and let them go again. */
int vbd_hold(struct vbd *vbd, struct blktap_error *err);
int vbd_release(struct vbd *vbd, struct blktap_error *err);

/*
 * All that serving with vbd->image needs, by a worker and after it; vbd_*_prepared() comes then,
 * unless the session was lost. The VBD waits for that whatever happens: the worker uses its ring.
 * Takes @spec, for vbd_reopen_prepared(), if it works.
 */
int vbd_prepare(struct vbd *vbd, char *spec);
/* It took too long: vbd_*_prepared() will say that it is not ready. False: it has not begun. */
bool vbd_give_up_preparing(struct vbd *vbd);
/* The end of the session; drained() will come. */
void vbd_session_lost(struct vbd *vbd, const char *reason);
/* After draining: a worker frees server and image, then vbd->state changes. */
void vbd_close_image(struct vbd *vbd, enum vbd_state state);
/* Likewise, but the image stays open and has all that was written; no byte of it moves any more. */
void vbd_stop_serving(struct vbd *vbd, enum vbd_state state);
/* The worker for the image, in @state; vbd_opened() comes later. */
int vbd_open_image(struct vbd *vbd, const char *spec, enum vbd_state state);
/* What that is to do, without an owner yet. NULL: vbd->failure says why. */
struct vbd_job *vbd_open_job(struct vbd *vbd, const char *spec);
/* All that is counted, from zero. */
int vbd_reset_stats(struct vbd *vbd);
/* What the kernel is to know of the image: of its size, whole blocks. */
void vbd_disk_params(const struct vbd *vbd, struct blktap_start *start);
/*
 * A disk that there is keeps its size of @bytes: *@params, of the image @spec, get it. The image
 * that it had, @earlier (NULL: unknown), may have more: it was extended, or the disk takes a
 * part of it. Another one has to be as long. EMEDIUMTYPE: so it is not.
 */
int vbd_keep_size(struct vbd *vbd, struct blktap_start *params, uint64_t bytes, const char *spec,
		  const char *earlier);
/* EMEDIUMTYPE: vbd->image, which is @spec, is not for the disk that there is. */
int vbd_check_same_disk(struct vbd *vbd, const char *spec);
/* The disk has been started: LIVE when it is there. Or all is undone. */
void vbd_started(struct vbd *vbd);
/* Takes no more requests; IDLE when those that there are have been answered. */
void vbd_drain(struct vbd *vbd);

/* Steps of vbd-pause.c. */
void vbd_pause_drained(struct vbd *vbd);
/* @error: why the image does not have all that was written; or 0. */
void vbd_released(struct vbd *vbd, int error);
void vbd_reopened(struct vbd *vbd, struct image *image, char *spec);
/* @ready: it can be served, but takes no request before server_resume(). */
void vbd_reopen_prepared(struct vbd *vbd, bool ready, char *spec);
void vbd_keep_prepared(struct vbd *vbd, bool ready);
void vbd_change_drained(struct vbd *vbd);
void vbd_pause_too_slow(struct vbd *vbd);
bool vbd_pause_withdraw(struct vbd *vbd);

/* Steps of vbd-handover.c and vbd-adopt.c. */
void vbd_hand_over_drained(struct vbd *vbd);
void vbd_hand_over_too_slow(struct vbd *vbd);
void vbd_adopted(struct vbd *vbd, struct image *image, char *spec);
void vbd_adopt_prepared(struct vbd *vbd, bool ready);

/* Work that blocks. A VBD that stops waiting for an open leaves its job behind. */
struct vbd_job {
	struct work work;
	struct vbd *vbd;	/* NULL: nobody waits */
	struct list abandoned;	/* then: the env's */
	bool given_up;		/* the VBD waits, to undo it */
	const struct vbd_env *env;
	struct image_params params;
	char *spec;
	int fds[IMAGE_MAX_FILES];	/* for params; closed with the job */
	struct image *image;
	struct image *synced;		/* before @image is closed; NULL: none */
	struct kernel_io *kio;
	struct server *server;
	enum blktap_kernel_io kernel_io;
	bool resize;
	uint64_t capacity;
	bool shrink;
	struct blktap_error err;	/* code 0: it worked */
};

struct vbd_job *vbd_job_new(struct vbd *vbd, void (*run)(struct work *work),
			    void (*done)(struct work *work));
void vbd_job_submit(struct vbd_job *job);
/* The VBD of a job that is done, or NULL; it has no job any more. */
struct vbd *vbd_job_end(struct vbd_job *job);
void vbd_job_free(struct vbd_job *job);
/* The open that @vbd waits for, if it does, is waited for by nobody any more. */
void vbd_job_abandon(struct vbd *vbd);
/* What is left of such an open, closing the image, is more work for @job. */
void vbd_job_go_on(struct vbd_job *job);
/*
 * EBUSY: of vbd->minor, maybe when another VBD had it, opens were abandoned that are not over:
 * one of @spec, or too many.
 */
int vbd_job_check_abandoned(struct vbd *vbd, const char *spec);

#endif /* TAPDISK_VBD_H */

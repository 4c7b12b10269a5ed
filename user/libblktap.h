/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libblktap: user space of the blktap driver.
 *
 * - blktap_nl_*      the kernel's netlink family: allocate, free, list, events
 * - blktap_ring_*    a daemon's access to a tap's rings
 * - blktap_ctl_*     control of tapdisk processes (client)
 * - blktap_rpc_*     the control protocol's codec (both sides)
 * - blktap_*         what takes both the kernel and tapdisks: disks, lists, statistics
 *
 * Conventions. Functions return 0 (or a count) on success and a negative errno
 * on failure; where an error argument is given (it may be NULL) it then holds
 * the same errno and one sentence that names the object. Objects are used by
 * one thread at a time; different objects are independent. Strings handed out
 * belong to the object they came with unless said otherwise. Sizes and offsets
 * are in bytes, times in milliseconds unless said otherwise; a negative
 * time-out waits without limit.
 */
#ifndef LIBBLKTAP_H
#define LIBBLKTAP_H

#include <jansson.h>
#include <linux/blktap.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library's version, "0.1.0". */
const char *blktap_version(void);

/* ------------------------------------------------------------------ errors */

struct blktap_error {
	int code;		/* negative errno, 0: none */
	char text[512];		/* one sentence, no newline */
};

/* Fills @err (may be NULL) and returns @code. */
int blktap_error_set(struct blktap_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the text that @err holds; returns its code. */
int blktap_error_prefix(struct blktap_error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* ----------------------------------------------------------------- logging */

enum blktap_log_target { BLKTAP_LOG_STDERR, BLKTAP_LOG_SYSLOG };

/*
 * @name tags the process ("tapdisk[4168]" in syslog is "blktap" with @name in
 * the message); messages above @level (LOG_ERR … LOG_DEBUG) are dropped.
 * Process-wide; call once, before threads.
 *
 * A message waits for nobody: without room in a pipe, or in the log daemon's
 * socket, it is lost, and the next one that is not is told with their number.
 * If standard error is a pipe here, that is opened once more, and is the log's
 * from then on, whatever becomes of descriptor 2.
 */
void blktap_log_init(const char *name, enum blktap_log_target target, int level);
void blktap_log(int level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Process-wide: what goes to and comes from tapdisks and the kernel is written
 * to @file, a line each, for people. NULL: nowhere, the default.
 */
void blktap_trace(FILE *file);

/* ------------------------------------------------------- what people write */

/*
 * A size in bytes out of the first @length characters of @text: a decimal
 * number, with K, M, G or T for powers of 1024. EINVAL: not a size; ERANGE:
 * beyond INT64_MAX.
 */
int blktap_parse_size(const char *text, size_t length, uint64_t *bytes);

#define BLKTAP_UUID_TEXT	37	/* bytes, NUL included */

/* "01234567-89ab-cdef-0123-456789abcdef", also without the dashes. EINVAL. */
int blktap_parse_uuid(const char *text, uint8_t uuid[BLKTAP_UUID_LEN]);
void blktap_format_uuid(const uint8_t uuid[BLKTAP_UUID_LEN], char text[BLKTAP_UUID_TEXT]);

/* ----------------------------------------------------------------- netlink */

struct blktap_nl;

struct blktap_features {
	uint32_t abi;
	uint64_t features;	/* BLKTAP_F_* */
	uint32_t max_minors;
	uint32_t max_queues;
	uint32_t max_depth;
	uint32_t max_io;	/* bytes */
};

/* What becomes of requests while no daemon is there. */
enum blktap_death {
	BLKTAP_DEATH_DEFAULT,	/* what the driver does when it is not told: hold */
	BLKTAP_DEATH_FAIL,	/* they fail */
	BLKTAP_DEATH_HOLD,	/* they wait */
};

/* Parameters of a new tap; all zero (and minor -1) means defaults. */
struct blktap_tap_params {
	int minor;		/* -1: the lowest free one */
	uint32_t queues;	/* 0: default */
	uint32_t depth;		/* 0: default */
	uint32_t max_io;	/* bytes, 0: default */
	enum blktap_death on_death;
	int hold_ms;		/* how long they wait; 0: default; negative: no limit */
	uint32_t io_timeout_ms;	/* of a request; 0: none */
	enum blktap_on_timeout on_timeout;
	const char *serial;	/* NULL: none */
	const uint8_t *uuid;	/* 16 bytes; NULL: none */
};
#define BLKTAP_TAP_PARAMS_INIT						\
	{ -1, 0, 0, 0, BLKTAP_DEATH_DEFAULT, 0, 0, BLKTAP_ON_TIMEOUT_REPORT, NULL, NULL }

/* A tap as the kernel reports it. */
struct blktap_tap {
	uint32_t minor, queues, depth, max_io;
	uint32_t on_death;	/* enum blktap_on_death */
	uint32_t hold_ms, io_timeout_ms;
	uint32_t on_timeout;	/* enum blktap_on_timeout */
	char serial[BLKTAP_MAX_SERIAL + 1];
	bool has_uuid;
	uint8_t uuid[BLKTAP_UUID_LEN];
	uint32_t ring_major, disk_major;
	pid_t pid;		/* 0: no session */
	uint64_t epoch, rejected;
	uint32_t disk_state, disk_flags, openers;
	uint64_t capacity;
	uint32_t logical_block_size, physical_block_size;
	uint32_t recovery;	/* BLKTAP_RECOVERY_* */
	bool has_hold_left;	/* held, and with a limit */
	uint32_t hold_left_ms;
	/* I/O by the kernel, of this session */
	bool has_kernel_io;	/* false: an older module, or no session */
	uint32_t files, extents;	/* now */
	uint64_t ios_daemon, ios_redirect, ios_extent, ios_retry;	/* so far */
};

struct blktap_event_msg {
	enum blktap_event event;
	uint64_t seq;
	struct blktap_tap tap;
	/* BLKTAP_EVENT_EXTENT_DROPPED, BLKTAP_EVENT_IO_ERROR */
	uint64_t extent_offset, extent_length;	/* bytes of the disk */
	int error;		/* errno, positive */
	/* BLKTAP_EVENT_IO_ERROR: of the first request that failed since the last event */
	uint32_t io_op;		/* BLKTAP_OP_* */
	uint64_t io_errors;	/* how many failed */
};

/*
 * ENOSYS: the module is not loaded and does not load on demand ("blktap kernel
 * module not installed"); what keeps the kernel from saying so, such as ENOMEM, may
 * pass. EPERM: no CAP_SYS_ADMIN (reported by the calls).
 */
int blktap_nl_open(struct blktap_nl **nl, struct blktap_error *err);
void blktap_nl_close(struct blktap_nl *nl);
int blktap_nl_features(struct blktap_nl *nl, struct blktap_features *features,
		       struct blktap_error *err);
int blktap_nl_allocate(struct blktap_nl *nl, const struct blktap_tap_params *params,
		       struct blktap_tap *tap, struct blktap_error *err);
/*
 * Frees a tap and waits, at most @timeout_ms, until it is gone. With @force, its
 * process is killed and its disk removed first, even if that is open.
 * ENODEV: no such minor; EBUSY: attached or open; ETIMEDOUT.
 */
int blktap_nl_free(struct blktap_nl *nl, unsigned int minor, bool force, int timeout_ms,
		   struct blktap_error *err);
/*
 * Kills the process that has the tap, if it is @pid (0: whoever it is), and ends its
 * session. With @force, the disk is removed in the background, even if it is open, and
 * it is no error if there is no session. ENODEV: no such minor; ESRCH: no session, or
 * somebody else's.
 */
int blktap_nl_end_session(struct blktap_nl *nl, unsigned int minor, pid_t pid, bool force,
			  struct blktap_error *err);
int blktap_nl_get(struct blktap_nl *nl, unsigned int minor, struct blktap_tap *tap,
		  struct blktap_error *err);
/* All taps by ascending minor; an interrupted dump is repeated. free() *@taps. */
int blktap_nl_list(struct blktap_nl *nl, struct blktap_tap **taps, size_t *count,
		   struct blktap_error *err);

/*
 * Events. After subscribing the descriptor of blktap_nl_fd() becomes readable;
 * use an object of its own for events. blktap_nl_next_event() returns 1 with an
 * event, 0 if there is none now, -ENOBUFS if some were lost (list again), -ENOSYS
 * if the module has been removed: no more will come, open another object.
 */
int blktap_nl_subscribe(struct blktap_nl *nl, struct blktap_error *err);
int blktap_nl_fd(const struct blktap_nl *nl);
int blktap_nl_next_event(struct blktap_nl *nl, struct blktap_event_msg *msg,
			 struct blktap_error *err);

/* "disk-added"; NULL: an event that this version does not know. */
const char *blktap_event_name(enum blktap_event event);
/* "live"; NULL: a state (BLKTAP_DISK_STATE_*) that it does not know. */
const char *blktap_disk_state_name(uint32_t state);
/* "held"; NULL: a state (BLKTAP_RECOVERY_*) that it does not know. */
const char *blktap_recovery_name(uint32_t recovery);

/*
 * Events that account for what is lost. After LOST there is a STATE for each tap
 * that there is now, then events again; an event may tell once more what a state
 * has told before.
 */
struct blktap_monitor;

enum blktap_notice_kind {
	BLKTAP_NOTICE_EVENT,	/* seq, event and tap */
	BLKTAP_NOTICE_LOST,	/* seq of the last event before the gap; 0: none came */
	BLKTAP_NOTICE_STATE,	/* tap */
};

struct blktap_notice {
	enum blktap_notice_kind kind;
	struct blktap_event_msg msg;
};

int blktap_monitor_open(struct blktap_monitor **monitor, struct blktap_error *err);
void blktap_monitor_close(struct blktap_monitor *monitor);
/* Readable when blktap_monitor_next() may have something. */
int blktap_monitor_fd(const struct blktap_monitor *monitor);
/* 1 and *@notice, 0 if there is none now, or a negative errno. */
int blktap_monitor_next(struct blktap_monitor *monitor, struct blktap_notice *notice,
			struct blktap_error *err);

/* -------------------------------------------------------------------- ring */

struct blktap_ring;	/* a session */
struct blktap_queue;	/* one queue of it; belongs to the ring */

/* A request as the daemon sees it; a private copy of the descriptor. */
struct blktap_request {
	uint16_t tag;
	uint8_t op;		/* BLKTAP_OP_* */
	uint16_t flags;		/* BLKTAP_REQ_* */
	uint32_t generation;
	uint64_t offset;	/* bytes */
	uint64_t length;	/* bytes */
	void *data;		/* READ, WRITE; page aligned; valid until completion */
};

/*
 * Opens the ring node of @minor, attaches and maps everything. @features
 * (BLKTAP_F_*) are asked for; the driver may have fewer, or none.
 * ENODEV: no such minor; EBUSY: another process is attached; EACCES.
 */
int blktap_ring_open(struct blktap_ring **ring, unsigned int minor, uint64_t features,
		     struct blktap_error *err);
/* The same with @fd, the ring node, open for reading and writing; takes it. */
int blktap_ring_adopt(struct blktap_ring **ring, int fd, unsigned int minor, uint64_t features,
		      struct blktap_error *err);
/*
 * As blktap_ring_open(), or blktap_ring_adopt() if @fd is not negative, for the successor
 * of the session of process @pid (BLKTAP_ATTACH_TAKEOVER; 0: of anybody's, or none): with
 * blktap_ring_start(), once that one holds its requests, or when it ends, this is the tap's
 * session. EBUSY: it has a successor already; ESTALE: the tap has no session of that
 * process; EOPNOTSUPP: the driver is older.
 */
int blktap_ring_take_over(struct blktap_ring **ring, int fd, unsigned int minor, pid_t pid,
			  uint64_t features, struct blktap_error *err);
/* Ends the session. What becomes of requests still with the daemon is the tap's ON_DEATH. */
void blktap_ring_close(struct blktap_ring *ring);

unsigned int blktap_ring_minor(const struct blktap_ring *ring);
unsigned int blktap_ring_queues(const struct blktap_ring *ring);
unsigned int blktap_ring_depth(const struct blktap_ring *ring);
uint32_t blktap_ring_max_io(const struct blktap_ring *ring);
/* BLKTAP_F_* that were granted. */
uint64_t blktap_ring_features(const struct blktap_ring *ring);

/* Poll it for EPOLLPRI (then blktap_ring_state()) and EPOLLHUP. */
int blktap_ring_fd(const struct blktap_ring *ring);

/* BLKTAP_IOC_START, _STOP, _RESIZE, _GET_STATE; @params->size is filled in. */
int blktap_ring_start(struct blktap_ring *ring, struct blktap_start *params,
		      struct blktap_error *err);
/* With @force, also if it is open, or still being added. */
int blktap_ring_stop(struct blktap_ring *ring, bool force, struct blktap_error *err);
int blktap_ring_resize(struct blktap_ring *ring, uint64_t capacity,
		       struct blktap_error *err);
int blktap_ring_state(struct blktap_ring *ring, struct blktap_state *state,
		      struct blktap_error *err);

/*
 * BLKTAP_IOC_HOLD, after the last I/O for requests that are not answered, and _RELEASE.
 * EALREADY: so it is; ENODEV: there is no disk, or the session has ended.
 */
int blktap_ring_hold(struct blktap_ring *ring, struct blktap_error *err);
int blktap_ring_release(struct blktap_ring *ring, struct blktap_error *err);

struct blktap_queue *blktap_ring_queue(struct blktap_ring *ring, unsigned int index);
int blktap_queue_fd(const struct blktap_queue *queue);

/* Takes the next request: true and *@req filled, or false if there is none. */
bool blktap_queue_next(struct blktap_queue *queue, struct blktap_request *req);

/*
 * Posts a completion; @result is the length for success (0 for FLUSH) or a
 * negative errno. The kernel sees it at the next blktap_queue_enter().
 */
void blktap_queue_complete(struct blktap_queue *queue, const struct blktap_request *req,
			   int64_t result);

/* Completions posted and not yet entered. */
unsigned int blktap_queue_posted(const struct blktap_queue *queue);

/*
 * Prepares to sleep on the descriptor: publishes what has been taken and asks
 * for a wake-up. False if a request is already there: take it instead.
 */
bool blktap_queue_arm(struct blktap_queue *queue);

/*
 * One ENTER without waiting (@wait false), or until a request is there (@wait
 * true, at most @timeout_ns nanoseconds, negative: no limit). -EPROTO and
 * -ENODEV: the session has ended. -EINTR, -ETIME: repeat at will.
 */
int blktap_queue_enter(struct blktap_queue *queue, bool wait, int64_t timeout_ns);

/* How blktap_queue_wait() waits, and what came of it. */
struct blktap_wait {
	int64_t timeout_ns;	/* negative: no limit */
	int fd;			/* its becoming readable ends the wait; negative: none */
	uint32_t spin_ns;	/* to look for requests before sleeping, at most 1 ms */
	/* out */
	bool fd_ready;		/* not known if there were requests at once */
	bool spun;		/* a request came before sleeping */
	uint32_t waited_ns;	/* spinning included; 0: there was no need to wait */
	uint32_t delayed_ns;	/* of these ready to run, but not running */
};

/*
 * One ENTER that waits: hands over what has been posted, and returns when a
 * request is there or wait->fd is readable. Errors as of blktap_queue_enter();
 * EBADF: wait->fd is not open.
 */
int blktap_queue_wait(struct blktap_queue *queue, struct blktap_wait *wait);

/* ----------------------------------------------------------- I/O by the kernel
 *
 * The daemon tells where blocks lie, in files that it has registered, and the
 * kernel moves the bytes: of one request (a redirect), or of all in a range until
 * further notice (an extent). Calls that take a ring may come from any thread.
 */

/*
 * BLKTAP_IOC_REGISTER_FILE: @flags are BLKTAP_FILE_*, *@slot is how fragments and
 * extents name it. Unregistering unmaps its extents; with @wait, until none of the
 * kernel's I/O is under way any more. Neither signals nor want of memory end that wait.
 */
int blktap_ring_register_file(struct blktap_ring *ring, int fd, uint32_t flags, uint32_t *slot,
			      struct blktap_error *err);
int blktap_ring_unregister_file(struct blktap_ring *ring, uint32_t slot, bool wait,
				struct blktap_error *err);

struct blktap_extent {
	uint64_t offset;	/* bytes, of the disk */
	uint64_t length;	/* bytes */
	uint32_t slot;
	uint64_t file_offset;	/* bytes */
	uint32_t flags;		/* BLKTAP_FILE_* */
};

/* BLKTAP_IOC_MAP_EXTENT. ENOSPC: there are BLKTAP_MAX_EXTENTS. */
int blktap_ring_map_extent(struct blktap_ring *ring, const struct blktap_extent *extent,
			   struct blktap_error *err);
/*
 * BLKTAP_IOC_UNMAP_EXTENT; @length UINT64_MAX: to the end. With @wait, until the
 * I/O to all extents that were unmapped so far has ended, as above.
 */
int blktap_ring_unmap_extent(struct blktap_ring *ring, uint64_t offset, uint64_t length,
			     bool wait, struct blktap_error *err);

/*
 * Where the fragments of @req go; *@count is how many there can be. NULL and 0:
 * redirects were not granted.
 */
struct blktap_fragment *blktap_queue_fragments(const struct blktap_queue *queue,
					       const struct blktap_request *req,
					       unsigned int *count);
/* Posts, in place of blktap_queue_complete(), that so many of them are the answer. */
void blktap_queue_redirect(struct blktap_queue *queue, const struct blktap_request *req,
			   unsigned int fragments);
/* BLKTAP_IOC_FETCH: brings the data of a WRITE with BLKTAP_REQ_DEMAND to @req->data. */
int blktap_queue_fetch(struct blktap_queue *queue, const struct blktap_request *req);

/* ---------------------------------------- control protocol: codec, see
 * Documentation/control-protocol.md
 */

#define BLKTAP_CONTROL_DIR	"/run/blktap-control"	/* env BLKTAP_CONTROL_DIR */
#define BLKTAP_RPC_VERSION	1
#define BLKTAP_RPC_MAX_LINE	(1U << 20)	/* bytes, newline included */

/* JSON-RPC's own codes, for what is wrong with the request itself. */
#define BLKTAP_RPC_PARSE_ERROR		-32700	/* EPROTO: not JSON */
#define BLKTAP_RPC_INVALID_REQUEST	-32600	/* EINVAL: not a request */
#define BLKTAP_RPC_METHOD_NOT_FOUND	-32601	/* EOPNOTSUPP */
#define BLKTAP_RPC_INVALID_PARAMS	-32602	/* EINVAL; EOPNOTSUPP: not built */

/* The control directory in force: the environment's or the default. */
const char *blktap_control_dir(void);
/*
 * Path of a tapdisk's socket into @buf; -ENAMETOOLONG, -EINVAL: a relative directory,
 * -ENOTDIR: no directory but maybe a link to one, -EPERM: other users may write into it.
 */
int blktap_control_path(char *buf, size_t size, pid_t pid);

/* A request as the server sees it. */
struct blktap_rpc_request {
	json_t *id;		/* borrowed from root; NULL: a notification */
	const char *method;
	json_t *params;		/* borrowed; an object, or NULL */
	json_t *root;		/* owned */
};

/*
 * Parses one line (without its newline). On failure returns a negative errno
 * and *@reply (if not NULL) is a complete JSON-RPC error line to send, or NULL
 * without memory. Free @req after success only.
 */
int blktap_rpc_parse(const char *line, size_t length, struct blktap_rpc_request *req,
		     char **reply);
void blktap_rpc_request_free(struct blktap_rpc_request *req);

/*
 * Lines, newline included, malloc'ed; NULL without memory. @result and @params
 * are stolen; @id is borrowed (NULL: null in a reply, absent from a request). A
 * result that is NULL or too long for a line becomes an error. An error carries
 * @err's errno and sentence; blktap_rpc_protocol_error() has one of
 * BLKTAP_RPC_* as its code, and the errno in its data.
 */
char *blktap_rpc_result(json_t *id, json_t *result);
char *blktap_rpc_error(json_t *id, const struct blktap_error *err);
char *blktap_rpc_protocol_error(json_t *id, int rpc_code, const struct blktap_error *err);
char *blktap_rpc_request_line(json_t *id, const char *method, json_t *params);

/*
 * Reads the answer to the request with the number @id (without its newline): 0 and
 * *@result, a new reference, or what the answer says in @err. @who names the one who
 * answers. EPROTO: it is no answer.
 */
int blktap_rpc_parse_answer(const char *line, size_t length, int id, const char *who,
			    json_t **result, struct blktap_error *err);

/* ------------------------------------------------ control of tapdisks (client) */

/* States of a VBD; the numbers that scripts know. */
#define BLKTAP_VBD_CLOSED	0x2	/* closed by "close" */
#define BLKTAP_VBD_QUIESCED	0x8
#define BLKTAP_VBD_PAUSED	0x20

/* What the kernel may do without a tapdisk; more includes less. */
enum blktap_kernel_io {
	BLKTAP_KERNEL_IO_DEFAULT,	/* not said */
	BLKTAP_KERNEL_IO_OFF,		/* nothing */
	BLKTAP_KERNEL_IO_REDIRECT,	/* move the bytes of a request, when told */
	BLKTAP_KERNEL_IO_AUTO,		/* and serve ranges by itself, where possible */
};

/* "auto"; NULL: not a mode. */
const char *blktap_kernel_io_name(enum blktap_kernel_io mode);
/* EINVAL: @name is none. */
int blktap_parse_kernel_io(const char *name, enum blktap_kernel_io *mode);

struct blktap_vbd_info {
	int minor;
	unsigned int state;	/* BLKTAP_VBD_*; 0 after attach and open */
	char *type;		/* NULL: no image */
	char *path;		/* NULL: no image */
	enum blktap_kernel_io kernel_io;	/* in use; DEFAULT: not told */
	bool read_only;		/* so it was opened */
};

#define BLKTAP_MAX_SPIN_US	1000

/* What "open" can ask for. */
struct blktap_open_params {
	const char *image;	/* "type:path" */
	bool read_only;
	bool no_direct;		/* upstream's -D: the page cache may be used */
	int timeout_ms;		/* for the call; 0: 60 s; negative: none */
	int request_timeout_ms;	/* requests are retried for so long; 0: 120 s; negative: without
				 * limit
				 */
	enum blktap_kernel_io kernel_io;	/* at most this; DEFAULT: AUTO */
	int spin_us;		/* to look for requests before sleeping, microseconds,
				 * at most BLKTAP_MAX_SPIN_US; 0: 200; negative: never
				 */
	bool restart;		/* it is to be recovered without being asked */
};

/*
 * Process-wide: as long as @fd is readable (a signalfd, say), the waits for
 * tapdisks and for blktap_nl_free() end with EINTR. What was asked for may
 * still happen. -1: no such descriptor, the default.
 */
void blktap_cancel_on(int fd);

/*
 * One call on a fresh connection. @params is stolen (NULL: none); *@result is
 * a new reference (json_decref()); @result may be NULL.
 * ENOENT: no such tapdisk; ECONNREFUSED: its socket is stale; ETIMEDOUT: no
 * answer in time; EPROTO: not an answer; else the daemon's errno and sentence.
 */
int blktap_ctl_call(pid_t pid, const char *method, json_t *params, int timeout_ms,
		    json_t **result, struct blktap_error *err);

/*
 * A socket to tapdisk @pid, non-blocking and close-on-exec. Does not wait; EAGAIN: too
 * many want to connect, try again. Other errors as above.
 */
int blktap_ctl_connect(pid_t pid, struct blktap_error *err);

/*
 * PIDs of the tapdisks whose socket is alive, ascending; one that is too busy
 * to answer is among them. free() *@pids.
 */
int blktap_ctl_tapdisks(pid_t **pids, size_t *count, struct blktap_error *err);
/* Removes the sockets that dead tapdisks left; blktap_ctl_spawn() does so, too. */
void blktap_ctl_sweep(void);
/* The VBDs of one tapdisk by ascending minor. */
int blktap_ctl_list(pid_t pid, struct blktap_vbd_info **vbds, size_t *count,
		    int timeout_ms, struct blktap_error *err);
void blktap_vbd_info_free(struct blktap_vbd_info *vbds, size_t count);

/* A tapdisk and its VBDs by ascending minor. */
struct blktap_tapdisk {
	pid_t pid;
	int code;		/* 0, or why it gave no list: ETIMEDOUT, EPROTO, … */
	struct blktap_vbd_info *vbds;
	size_t count;
};

/*
 * The VBDs of many tapdisks, asked at the same time: together they have
 * @timeout_ms. @pids' order is kept; those that have left are not in *@tapdisks.
 */
int blktap_ctl_list_all(const pid_t *pids, size_t count, int timeout_ms,
			struct blktap_tapdisk **tapdisks, size_t *answered,
			struct blktap_error *err);
void blktap_tapdisks_free(struct blktap_tapdisk *tapdisks, size_t count);

/* What "version" answers, an object; json_decref() *@version. */
int blktap_ctl_version(pid_t pid, json_t **version, int timeout_ms, struct blktap_error *err);

/* How a tapdisk is started. */
struct blktap_spawn_params {
	bool no_sandbox;	/* it keeps all rights, for debugging */
	const char *user;	/* it runs as this user, without any rights; NULL: as we do */
};

/*
 * Starts a tapdisk (as @params say, may be NULL) and waits until it listens (at
 * most @timeout_ms). Its own reason is in @err if it cannot start. Returns 0 and
 * *@pid. The program is TAPDISK of the environment, or else the installed one.
 * ENOENT, EACCES, …: it cannot be executed; ECHILD: it died; ETIMEDOUT: it was
 * not ready in time, and has been killed; EPROTO: it talks nonsense.
 */
int blktap_ctl_spawn(const struct blktap_spawn_params *params, pid_t *pid, int timeout_ms,
		     struct blktap_error *err);
/*
 * Has a fresh tapdisk take over all disks of @old, in use as they are, and returns its
 * pid in *@pid; @old ends. After a failure each disk is with one of the two, and the
 * sentence tells which are with the new one, if any; otherwise that has ended.
 * ECHILD: a tapdisk does not start, for whatever reason; EOPNOTSUPP: @old or the driver
 * cannot hand over; ETIMEDOUT: @old hangs, or does not get ready.
 */
int blktap_take_over(pid_t old, pid_t *pid, int timeout_ms, struct blktap_error *err);
/*
 * What the tapdisk may not open, because it runs as another user, is opened here and
 * passed to it: the ring node for attach, an "aio:" image for open and unpause. EPERM: somebody
 * else than root and the caller can change what the image's path leads to.
 */
int blktap_ctl_attach(pid_t pid, unsigned int minor, struct blktap_error *err);
int blktap_ctl_detach(pid_t pid, unsigned int minor, struct blktap_error *err);
int blktap_ctl_open(pid_t pid, unsigned int minor,
		    const struct blktap_open_params *params, struct blktap_error *err);
/*
 * Waits for the disk's last close, at most @timeout_ms (0: a short grace for
 * probes). EBUSY: it is still open, and goes on as before. With @force, the disk is
 * taken away then, and requests that are left fail instead of being tried again.
 */
int blktap_ctl_close(pid_t pid, unsigned int minor, int timeout_ms, bool force,
		     struct blktap_error *err);

/*
 * Holds the disk's requests and closes its image. ETIMEDOUT: requests were still
 * with the image after @timeout_ms; all goes on as before, unless the image is being closed
 * by then and its name leads to another one: then the disk stays paused. Only after success
 * may the image be in other hands: until then the disk is recovered with it.
 */
int blktap_ctl_pause(pid_t pid, unsigned int minor, int timeout_ms, struct blktap_error *err);
/*
 * Opens @image ("type:path"; NULL: the one it had) and lets the requests go on.
 * After a failure the disk is still paused. EINVAL: it was not; EMEDIUMTYPE: the
 * image has another size or block size than the disk.
 */
int blktap_ctl_unpause(pid_t pid, unsigned int minor, const char *image, int timeout_ms,
		       struct blktap_error *err);
/*
 * Gives the image, then the disk, a size of @capacity bytes; 0: the disk takes on
 * the size that the image has. EINVAL: smaller than now, without @shrink. The
 * new size is in *@now (may be NULL).
 */
int blktap_ctl_resize(pid_t pid, unsigned int minor, uint64_t capacity, bool shrink,
		      uint64_t *now, int timeout_ms, struct blktap_error *err);
/*
 * Lets the kernel do no more than @mode (DEFAULT: as it is); what is in use then
 * is in *@now (may be NULL). ETIMEDOUT: the kernel's I/O has not ended by then, but
 * no more begins.
 */
int blktap_ctl_kernel_io(pid_t pid, unsigned int minor, enum blktap_kernel_io mode,
			 enum blktap_kernel_io *now, int timeout_ms, struct blktap_error *err);
/*
 * Statistics of a VBD, or of all (@minor -1): a JSON array of objects, whose keys
 * are in Documentation/control-protocol.md. json_decref() *@vbds.
 */
int blktap_ctl_stats(pid_t pid, int minor, json_t **vbds, int timeout_ms,
		     struct blktap_error *err);

/* Path of the disk of @minor, "/dev/xen/blktap-2/tapdev0"; -ENAMETOOLONG. */
int blktap_disk_path(char *buf, size_t size, unsigned int minor);

/* ------------------------------------------------------------ taps and disks */

/*
 * Whether the driver is there and can be used: 0, ENOSYS, EPERM, EPROTO (its
 * interface is another version's).
 */
int blktap_check(struct blktap_error *err);

/* The major number of disks ("tapdev") or of rings ("blktap2"). ENOSYS: no module. */
int blktap_major(bool ring, struct blktap_error *err);

/*
 * Allocates a tap. @link (may be NULL) is the name of a symbolic link to the path
 * of its disk; it is remembered in the control directory, and blktap_free() takes
 * it away with the tap. EEXIST: there is such a name already, and it is something
 * else. Otherwise as blktap_nl_allocate(). *@tap may be NULL.
 */
int blktap_allocate(const struct blktap_tap_params *params, const char *link,
		    struct blktap_tap *tap, struct blktap_error *err);
/* Frees a tap as blktap_nl_free() does, and removes its link and its record. */
int blktap_free(unsigned int minor, bool force, int timeout_ms, struct blktap_error *err);

struct blktap_create_params {
	struct blktap_tap_params tap;
	const char *link;		/* as for blktap_allocate() */
	struct blktap_spawn_params spawn;
	struct blktap_open_params open;
	/*
	 * NULL, or called when all is done, to tell somebody: a disk that nobody
	 * knows of is no use. If it fails, everything is undone.
	 */
	int (*announce)(unsigned int minor, pid_t pid, void *data, struct blktap_error *err);
	void *data;
};
#define BLKTAP_CREATE_PARAMS_INIT						\
	{ BLKTAP_TAP_PARAMS_INIT, NULL, { false, NULL },			\
	  { NULL, false, false, 0, 0, BLKTAP_KERNEL_IO_DEFAULT, 0, false }, NULL, NULL }

/*
 * A disk in one step: allocates a tap, spawns a tapdisk, attaches and opens. It is
 * all or nothing: after a failure, EINTR of blktap_cancel_on() included, what was
 * done is undone in reverse order; if even that fails the sentence says what is
 * left. ECHILD: a tapdisk does not start, for whatever reason.
 */
int blktap_create(const struct blktap_create_params *params, unsigned int *minor, pid_t *pid,
		  struct blktap_error *err);
/*
 * Closes (as blktap_ctl_close() with @timeout_ms), detaches and frees; what has been
 * done when a step fails is not undone.
 */
int blktap_destroy(pid_t pid, unsigned int minor, int timeout_ms, struct blktap_error *err);

/*
 * The same by force, in bounded time, whatever the disk's users and its tapdisk do:
 * closing takes @timeout_ms at most (0: as above), then an open disk is taken away; a
 * tapdisk that does not do so within some seconds is killed by the kernel. Its pid is
 * in *@killed then, else 0: the other disks that it had wait to be recovered.
 * ETIMEDOUT: the disk cannot be opened any more, but is not gone. As a rule it is stuck on
 * I/O that the kernel has begun in its image, and goes when that ends; for that alone no
 * tapdisk is killed that answers.
 * @pid 0, for blktap_force_destroy(): whoever has it, if anybody.
 */
int blktap_force_close(pid_t pid, unsigned int minor, int timeout_ms, pid_t *killed,
		       struct blktap_error *err);
int blktap_force_destroy(pid_t pid, unsigned int minor, int timeout_ms, pid_t *killed,
			 struct blktap_error *err);

/* ------------------------------------------------------------------- recovery */

/* What a tapdisk has left in writing about a disk that it serves, or served when it died. */
struct blktap_record {
	unsigned int minor;
	pid_t pid;			/* of this tapdisk */
	bool paused;			/* somebody had it let go of the image */
	struct blktap_open_params open;	/* how to open it again; the record owns its image */
	struct blktap_spawn_params spawn;	/* how it was started; the record owns its user */
	char *image_identity;		/* which file or device that was; NULL: not known */
	uint64_t disk_seq;		/* the disk's number in sysfs; 0: not known */
};

/*
 * ENOENT: there is none; EPROTO: it makes no sense. blktap_record_free() *@record.
 * For a tapdisk that runs as a user of its own blktap_ctl_open() and what follows keep the record.
 */
int blktap_record_read(unsigned int minor, struct blktap_record **record,
		       struct blktap_error *err);
void blktap_record_free(struct blktap_record *record);

struct blktap_recover_params {
	unsigned int minor;
	const char *image;	/* "type:path"; NULL: as recorded */
	pid_t pid;		/* of a tapdisk to serve it; 0: a new one, as recorded */
	bool force;		/* also from one that answers, or is none; also if it was paused */
	bool unserved;		/* only if no tapdisk has it: none is killed */
	int timeout_ms;		/* for all of it; undoing comes on top. 0: 60 s; negative: none */
};

/*
 * Takes a disk whose tapdisk is dead, or does not answer and is killed for it (*@killed,
 * 0: none), to another one, whose pid is in *@pid. Waits, at most @timeout_ms, until the
 * earlier one has let go of the image and requests pass. After a failure the disk is as
 * before, but for an earlier tapdisk that was killed; what is left besides is in the sentence.
 * ESTALE: what bears the recorded image's name is another file or device than the disk had, or
 * the record is of an earlier disk of this minor, and @image does not name one; EINVAL: there
 * is no disk; EBUSY: its tapdisk answers, or is none and lives, it was paused, or
 * somebody is at it already; ENOENT: there is no record, and no image is given; ETIMEDOUT.
 */
int blktap_recover(const struct blktap_recover_params *params, pid_t *pid, pid_t *killed,
		   struct blktap_error *err);

/* ----------------------------------------------------------------------- list */

/* A tap with the tapdisk that serves it, a tapdisk without a tap, or a tap alone. */
struct blktap_row {
	pid_t pid;		/* 0: no tapdisk */
	int minor;		/* -1: no tap */
	bool has_state;
	unsigned int state;	/* BLKTAP_VBD_* */
	char *type;		/* NULL: no image */
	char *path;		/* NULL: no image */
	enum blktap_kernel_io kernel_io;	/* in use; DEFAULT: not told */
	uint32_t recovery;	/* BLKTAP_RECOVERY_* */
	bool has_hold_left;
	uint32_t hold_left_ms;
};

/* Rows have to match everything that is given. */
struct blktap_filter {
	pid_t pid;		/* 0: any; otherwise only this tapdisk is asked */
	int minor;		/* -1: any */
	const char *type;	/* NULL: any */
	const char *path;	/* NULL: any */
};
#define BLKTAP_FILTER_INIT	{ 0, -1, NULL, NULL }

/*
 * What there is: tapdisks by ascending pid, the VBDs of each by ascending minor,
 * then the taps that no tapdisk has. The kernel and the tapdisks are asked again
 * while they contradict each other because something is just changing. A tapdisk
 * that does not answer in time has a row without a minor, and one with it for each
 * tap that the kernel knows to be its own. blktap_rows_free() *@rows.
 */
int blktap_list(const struct blktap_filter *filter, int timeout_ms,
		struct blktap_row **rows, size_t *count, struct blktap_error *err);
void blktap_rows_free(struct blktap_row *rows, size_t count);

/* ----------------------------------------------------------------- statistics */

/*
 * Statistics of @minor (-1: of all) at tapdisk @pid (0: at all of them): an array
 * as of blktap_ctl_stats(), each object with a "pid" as its last key, ordered by
 * pid and minor, and with what the kernel counts in its "kernel_io". Of several
 * tapdisks those that do not answer are left out.
 * ENODEV: nobody has this minor; another errno: somebody who has not answered may
 * have it. json_decref() *@vbds.
 */
int blktap_stats(pid_t pid, int minor, json_t **vbds, int timeout_ms,
		 struct blktap_error *err);

/*
 * Such an array as OpenMetrics text, "# EOF" included; free() it. NULL: no memory.
 * What is missing or misshapen in an object is left out.
 */
char *blktap_openmetrics(const json_t *vbds);

#ifdef __cplusplus
}
#endif

#endif /* LIBBLKTAP_H */

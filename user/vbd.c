// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a tapdisk can be asked to do with its VBDs.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "call.h"
#include "cancel.h"
#include "cleanup.h"
#include "pages.h"
#include "passing.h"
#include "record.h"
#include "vbd.h"

#define CALL_MS		60000	/* nothing here waits for the disk's users */
#define MARGIN_MS	10000	/* for the answer, past the tapdisk's own limit */
#define GRACE_MS	2000	/* of a close without a limit of its own */
#define FORCE_MS	3000	/* for the answer, when there is another way */
#define ALIVE_MS	10000

/* ------------------------------------------------------------- list answers */

int vbds_compare(const void *a, const void *b)
{
	const struct blktap_vbd_info *left = a, *right = b;

	return (left->minor > right->minor) - (left->minor < right->minor);
}

static int parse_vbd(json_t *json, struct blktap_vbd_info *vbd)
{
	json_t *minor = json_object_get(json, "minor");
	json_t *state = json_object_get(json, "state");
	json_t *image = json_object_get(json, "image");
	const char *mode = json_string_value(json_object_get(json, "kernel_io"));
	const char *type, *path;

	if (!json_is_integer(minor) || !json_is_integer(state) ||
	    json_integer_value(minor) < 0 || json_integer_value(minor) > INT_MAX ||
	    json_integer_value(state) < 0 || json_integer_value(state) > UINT_MAX)
		return -EPROTO;
	vbd->minor = json_integer_value(minor);
	vbd->state = json_integer_value(state);
	/* One that this version does not know is one that is not told. */
	if (mode)
		blktap_parse_kernel_io(mode, &vbd->kernel_io);
	vbd->read_only = json_is_true(json_object_get(json, "read_only"));
	if (!image || json_is_null(image))
		return 0;
	type = json_string_value(json_object_get(image, "type"));
	path = json_string_value(json_object_get(image, "path"));
	if (!type || !path)
		return -EPROTO;
	vbd->type = strdup(type);
	vbd->path = strdup(path);
	return vbd->type && vbd->path ? 0 : -ENOMEM;
}

int vbds_parse(const json_t *array, struct blktap_vbd_info **vbds, size_t *count)
{
	struct blktap_vbd_info *list;
	size_t length, i;
	int ret = 0;

	length = json_array_size(array);
	list = calloc(length + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (i = 0; i < length && !ret; i++)
		ret = parse_vbd(json_array_get(array, i), &list[i]);
	if (ret) {
		blktap_vbd_info_free(list, length);
		return ret;
	}
	qsort(list, length, sizeof(*list), vbds_compare);
	*vbds = list;
	*count = length;
	return 0;
}

void blktap_vbd_info_free(struct blktap_vbd_info *vbds, size_t count)
{
	size_t i;

	for (i = 0; vbds && i < count; i++) {
		free(vbds[i].type);
		free(vbds[i].path);
	}
	free(vbds);
}

static int parse_failed(pid_t pid, int code, struct blktap_error *err)
{
	return blktap_error_set(err, code, code == -ENOMEM ?
				"tapdisk %d: no memory for its list" :
				"tapdisk %d: its list makes no sense", (int)pid);
}

int blktap_ctl_list(pid_t pid, struct blktap_vbd_info **vbds, size_t *count,
		    int timeout_ms, struct blktap_error *err)
{
	struct pages pages = { .pid = pid };
	int ret;

	ret = pages_collect(&pages, 1, "list", -1, deadline_in(timeout_ms));
	if (ret)
		return parse_failed(pid, ret, err);
	if (pages.err.code)
		return blktap_error_set(err, pages.err.code, "%s", pages.err.text);
	ret = vbds_parse(pages.vbds, vbds, count);
	pages_clear(&pages);
	return ret ? parse_failed(pid, ret, err) : 0;
}

/* -------------------------------------------------------------------- alive */

bool vbd_answers(pid_t pid, int timeout_ms)
{
	switch (blktap_ctl_call(pid, "version", NULL, timeout_ms, NULL, NULL)) {
	case -ENOENT:
	case -ECONNREFUSED:
	case -ECONNRESET:
	case -EPIPE:
	case -EPROTO:		/* it hangs up */
	case -ETIMEDOUT:
		return false;
	default:
		return true;
	}
}

/* ------------------------------------------------------------------ changes */

/* Takes @params (NULL: no memory) and adds the minor. */
static int call_minor(pid_t pid, const char *method, unsigned int minor, json_t *params,
		      int timeout_ms, json_t **result, struct blktap_error *err)
{
	if (!params || json_object_set_new(params, "minor", json_integer(minor))) {
		json_decref(params);
		return blktap_error_set(err, -ENOMEM, "tapdev%u: no memory for the request", minor);
	}
	return blktap_ctl_call(pid, method, params, timeout_ms, result, err);
}

/* A request that names what the tapdisk may not be able to open. */
struct opening {
	pid_t pid;
	const char *method;
	unsigned int minor;
	const char *image;	/* may be NULL */
	bool read_only;
	const char *identity;	/* what the image has to be, or NULL */
	struct deadline deadline;	/* for the answer */
	struct deadline limit;	/* for opening it here */
	struct vbd_outcome *outcome;
	/* Opens it here; a descriptor or a negative errno. */
	int (*open)(const struct opening *opening, struct blktap_error *err);
};

static int pass(const struct opening *opening, json_t *params, struct blktap_error *err)
{
	CLEANUP_CLOSE int fd = opening->open(opening, err);

	if (fd < 0)
		return fd;
	json_object_set_new(params, "descriptor", json_true());
	return call_passing(opening->pid, opening->method, json_incref(params), fd,
			    deadline_left(opening->deadline), NULL, &opening->outcome->unsure, err);
}

/* Most tapdisks can open it; one that has given up that right gets it in a second try. */
static int call_opening(const struct opening *opening, json_t *params, struct blktap_error *err)
{
	CLEANUP_JSON json_t *kept = json_incref(params);
	int ret;

	json_object_set_new(params, "minor", json_integer(opening->minor));
	ret = call_passing(opening->pid, opening->method, params, -1,
			   deadline_left(opening->deadline), NULL, &opening->outcome->unsure, err);
	if (ret == -EACCES && passing_wanted(opening->pid, opening->deadline))
		ret = pass(opening, kept, err);
	return ret;
}

static int open_ring(const struct opening *opening, struct blktap_error *err)
{
	return passing_ring(opening->minor, err);
}

int vbd_ask_attach(pid_t pid, unsigned int minor, struct deadline deadline,
		   struct blktap_error *err)
{
	struct vbd_outcome outcome;
	const struct opening opening = {
		.pid = pid,
		.method = "attach",
		.minor = minor,
		.deadline = deadline,
		.outcome = &outcome,
		.open = open_ring,
	};

	return call_opening(&opening, json_object(), err);
}

int blktap_ctl_attach(pid_t pid, unsigned int minor, struct blktap_error *err)
{
	return vbd_ask_attach(pid, minor, deadline_in(CALL_MS), err);
}

int blktap_ctl_detach(pid_t pid, unsigned int minor, struct blktap_error *err)
{
	return call_minor(pid, "detach", minor, json_object(), CALL_MS, NULL, err);
}

/* How long to wait for an answer that the tapdisk gives by @timeout_ms. */
static int with_margin(int timeout_ms, int margin_ms)
{
	if (timeout_ms < 0 || timeout_ms > INT_MAX - margin_ms)
		return -1;
	return timeout_ms + margin_ms;
}

/* Without limit is what a tapdisk does when it is told none. */
static void add_timeout(json_t *params, int timeout_ms)
{
	if (timeout_ms >= 0)
		json_object_set_new(params, "timeout_ms", json_integer(timeout_ms));
}

/* What is not said is the tapdisk's default, also one that knows no modes. */
static void add_kernel_io(json_t *params, const char *key, enum blktap_kernel_io mode)
{
	const char *name = blktap_kernel_io_name(mode);

	if (name)
		json_object_set_new(params, key, json_string(name));
}

/* An empty object, or one with the image. */
static int image_params(const char *image, json_t **params, struct blktap_error *err)
{
	*params = json_object();
	if (image && json_object_set_new(*params, "image", json_string(image))) {
		json_decref(*params);
		return blktap_error_set(err, -EINVAL, "%s: the image's name is not valid UTF-8",
					image);
	}
	return 0;
}

static int open_image(const struct opening *opening, struct blktap_error *err)
{
	const char *found = opening->outcome->identity;
	CLEANUP_CLOSE int fd = passing_image(opening->image, opening->read_only, opening->limit,
					     opening->outcome->identity, err);

	if (fd >= 0 && opening->identity && strcmp(found, opening->identity) != 0)
		return blktap_error_set(err, -ESTALE, "tapdev%u: %s was replaced before it was "
					"opened", opening->minor, opening->image);
	return TAKE_FD(fd);
}

int vbd_ask_open(pid_t pid, unsigned int minor, const struct blktap_open_params *open_params,
		 const char *identity, int margin_ms, struct vbd_outcome *outcome,
		 struct blktap_error *err)
{
	int timeout_ms = open_params->timeout_ms ? open_params->timeout_ms : CALL_MS;
	const struct opening opening = {
		.pid = pid,
		.method = "open",
		.minor = minor,
		.image = open_params->image,
		.read_only = open_params->read_only,
		.identity = identity,
		.deadline = deadline_in(with_margin(timeout_ms, margin_ms)),
		.limit = deadline_in(timeout_ms),
		.outcome = outcome,
		.open = open_image,
	};
	json_t *params;
	int ret;

	*outcome = (struct vbd_outcome){ .unsure = false };
	ret = image_params(open_params->image, &params, err);
	if (ret)
		return ret;
	if (open_params->read_only)
		json_object_set_new(params, "read_only", json_true());
	if (open_params->no_direct)
		json_object_set_new(params, "no_direct", json_true());
	if (open_params->request_timeout_ms)
		json_object_set_new(params, "request_timeout_ms",
				    json_integer(open_params->request_timeout_ms < 0 ? -1 :
						 open_params->request_timeout_ms));
	add_kernel_io(params, "kernel_io", open_params->kernel_io);
	if (open_params->spin_us)
		json_object_set_new(params, "spin_us",
				    json_integer(open_params->spin_us < 0 ? 0 :
						 open_params->spin_us));
	if (open_params->restart)
		json_object_set_new(params, "restart", json_true());
	add_timeout(params, timeout_ms);
	return call_opening(&opening, params, err);
}

int blktap_ctl_open(pid_t pid, unsigned int minor,
		    const struct blktap_open_params *open_params, struct blktap_error *err)
{
	struct vbd_outcome outcome;
	struct record_order order;
	int ret;

	ret = record_order_open(&order, pid, minor, open_params, NULL, err);
	if (ret)
		return ret;
	ret = vbd_ask_open(pid, minor, open_params, NULL, MARGIN_MS, &outcome, err);
	if (!ret)
		record_opened(&order, open_params, outcome.identity);
	record_order_end(&order, ret && !outcome.unsure);
	return ret;
}

int blktap_ctl_close(pid_t pid, unsigned int minor, int timeout_ms, bool force,
		     struct blktap_error *err)
{
	json_t *params = json_object();
	struct record_mark record;
	int ret;

	record_look(minor, &record);
	/* None at all would be the default, a short grace. */
	add_timeout(params, timeout_ms < 0 ? INT_MAX : timeout_ms);
	if (force)
		json_object_set_new(params, "force", json_true());
	/* Once nobody has it open, taking the disk away may still take a while. */
	ret = call_minor(pid, "close", minor, params,
			 with_margin(timeout_ms, force ? GRACE_MS + FORCE_MS : CALL_MS), NULL, err);
	if (!ret)
		record_closed(pid, minor, &record);
	return ret;
}

/*
 * It is on record once the tapdisk has said so: from then on the image may be in other hands.
 * One that died before that may have been recovered with it.
 */
static int record_paused(pid_t pid, unsigned int minor, struct blktap_error *err)
{
	bool alive;

	record_changed(pid, minor, json_pack("{s:b}", "paused", 1));
	cancel_suspend();
	alive = vbd_answers(pid, ALIVE_MS);
	cancel_resume();
	return alive ? 0 : blktap_error_set(err, -EPROTO, "tapdisk %d had paused tapdev%u, and does "
					    "not answer any more", (int)pid, minor);
}

int blktap_ctl_pause(pid_t pid, unsigned int minor, int timeout_ms, struct blktap_error *err)
{
	bool kept = record_is_kept(pid);
	json_t *params = json_object();
	int ret;

	add_timeout(params, timeout_ms);
	ret = call_minor(pid, "pause", minor, params, with_margin(timeout_ms, MARGIN_MS), NULL,
			 err);
	return ret || !kept ? ret : record_paused(pid, minor, err);
}

static int open_paused_image(const struct opening *opening, struct blktap_error *err)
{
	return passing_paused_image(opening->pid, opening->minor, opening->image, opening->limit,
				    opening->outcome->identity, err);
}

int blktap_ctl_unpause(pid_t pid, unsigned int minor, const char *image, int timeout_ms,
		       struct blktap_error *err)
{
	struct vbd_outcome outcome = { .unsure = false };
	const struct opening opening = {
		.pid = pid,
		.method = "unpause",
		.minor = minor,
		.image = image,
		.deadline = deadline_in(with_margin(timeout_ms, MARGIN_MS)),
		.limit = deadline_in(timeout_ms),
		.outcome = &outcome,
		.open = open_paused_image,
	};
	struct record_order order;
	json_t *params;
	int ret;

	ret = image_params(image, &params, err);
	if (ret)
		return ret;
	add_timeout(params, timeout_ms);
	ret = record_order_unpause(&order, pid, minor, image, err);
	if (ret) {
		json_decref(params);
		return ret;
	}
	ret = call_opening(&opening, params, err);
	if (!ret)
		record_unpaused(&order, image, outcome.identity);
	record_order_end(&order, ret && !outcome.unsure);
	return ret;
}

int blktap_ctl_resize(pid_t pid, unsigned int minor, uint64_t capacity, bool shrink,
		      uint64_t *now, int timeout_ms, struct blktap_error *err)
{
	CLEANUP_JSON json_t *result = NULL;
	const json_t *answered;
	json_t *params;
	int ret;

	if (capacity > INT64_MAX)
		return blktap_error_set(err, -EINVAL, "tapdev%u: no disk can be so large", minor);
	params = json_object();
	if (capacity)
		json_object_set_new(params, "capacity", json_integer(capacity));
	if (shrink)
		json_object_set_new(params, "shrink", json_true());
	add_timeout(params, timeout_ms);
	ret = call_minor(pid, "resize", minor, params, with_margin(timeout_ms, MARGIN_MS), &result,
			 err);
	if (ret)
		return ret;
	answered = json_object_get(result, "capacity");
	if (!json_is_integer(answered) || json_integer_value(answered) < 0)
		return blktap_error_set(err, -EPROTO, "tapdisk %d: it does not tell the new size",
					(int)pid);
	if (now)
		*now = json_integer_value(answered);
	return 0;
}

int blktap_ctl_kernel_io(pid_t pid, unsigned int minor, enum blktap_kernel_io mode,
			 enum blktap_kernel_io *now, int timeout_ms, struct blktap_error *err)
{
	CLEANUP_JSON json_t *result = NULL;
	enum blktap_kernel_io answered;
	json_t *params = json_object();
	const char *name;
	int ret;

	add_kernel_io(params, "mode", mode);
	add_timeout(params, timeout_ms);
	ret = call_minor(pid, "kernel_io", minor, params, with_margin(timeout_ms, MARGIN_MS),
			 &result, err);
	if (ret)
		return ret;
	name = json_string_value(json_object_get(result, "mode"));
	if (!name || blktap_parse_kernel_io(name, &answered))
		return blktap_error_set(err, -EPROTO, "tapdisk %d: it does not tell the mode",
					(int)pid);
	if (mode != BLKTAP_KERNEL_IO_DEFAULT)
		record_changed(pid, minor, json_pack("{s:s}", "kernel_io",
						     blktap_kernel_io_name(mode)));
	if (now)
		*now = answered;
	return 0;
}

int blktap_ctl_version(pid_t pid, json_t **version, int timeout_ms, struct blktap_error *err)
{
	int ret = blktap_ctl_call(pid, "version", NULL, timeout_ms, version, err);

	if (ret || json_is_object(*version))
		return ret;
	json_decref(TAKE_POINTER(*version));
	return blktap_error_set(err, -EPROTO, "tapdisk %d: its version makes no sense", (int)pid);
}

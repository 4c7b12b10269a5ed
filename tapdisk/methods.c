// SPDX-License-Identifier: GPL-2.0-only
/*
 * The methods of the control protocol, see Documentation/control-protocol.md.
 */
#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "methods.h"
#include "offer.h"
#include "params.h"
#include "takeover.h"
#include "vbd-stats.h"

#define REQUEST_TIMEOUT_MS	120000
/* Longer waits are of no use: a wake-up does not take that long. */
#define SPIN_US		200
#define NS_PER_US	1000U

/* One request until it is answered. */
struct call {
	struct list link;
	struct client *client;	/* NULL: gone */
	json_t *id;
	bool notification;
	struct tapdisk *tapdisk;
	struct vbd *vbd;	/* what it waits for can be given up there */
	bool takes_over;	/* it waits for the takeover */
};

/* ------------------------------------------------------------------ answers */

/* Takes @line and @call. */
static void answer(struct call *call, char *line)
{
	struct client *client = call->client;
	bool wanted = client && !call->notification;

	list_del(&call->link);
	json_decref(call->id);
	free(call);
	if (wanted)
		client->send(client, line);
	else
		free(line);
	if (client && !wanted && client->settled)
		client->settled(client);
}

static void answer_result(struct call *call, json_t *result)
{
	answer(call, blktap_rpc_result(call->id, result));
}

static void answer_error(struct call *call, const struct blktap_error *err)
{
	answer(call, blktap_rpc_error(call->id, err));
}

static void answer_wrong(struct call *call, int rpc_code, const struct blktap_error *err)
{
	answer(call, blktap_rpc_protocol_error(call->id, rpc_code, err));
}

static void answer_status(struct call *call, int ret, const struct blktap_error *err)
{
	if (ret)
		answer_error(call, err);
	else
		answer_result(call, json_object());
}

/* --------------------------------------------------------------- parameters */

struct args {
	unsigned int minor;
	bool has_minor;
	unsigned int from;
	const char *image;
	bool read_only;
	bool no_direct;
	bool restart;
	uint64_t capacity;
	bool shrink;
	bool force;
	bool descriptor;
	int fd;			/* that came, owned; -1: none */
	int request_timeout_ms;
	int spin_us;
	enum blktap_kernel_io kernel_io;
	enum blktap_kernel_io mode;
	int pid;
	int timeout_ms;
};

#define PARAM(field, type, required)	PARAM_IN(struct args, field, type, required)
#define MAX_PARAMS	11

/* ------------------------------------------------------------------ methods */

static struct vbd *find_vbd(struct call *call, const struct args *args)
{
	struct vbd *vbd = tapdisk_find(call->tapdisk, args->minor);
	struct blktap_error err;

	if (vbd)
		return vbd;
	blktap_error_set(&err, -ENODEV, "tapdisk %d has no tapdev%u", (int)getpid(), args->minor);
	answer_error(call, &err);
	return NULL;
}

/* The wait for its last close, since SIGTERM, is in nobody's way. */
static struct vbd *find_vbd_for_change(struct call *call, const struct args *args)
{
	struct vbd *vbd = find_vbd(call, args);

	if (vbd)
		tapdisk_give_way(call->tapdisk, vbd);
	return vbd;
}

static void do_version(struct call *call, struct args *args)
{
	(void)args;
	answer_result(call, json_pack("{s:i, s:s, s:i, s:[s,s,s,s,s,s,s,s,s], s:s*}",
				      "protocol", BLKTAP_RPC_VERSION,
				      "version", blktap_version(), "pid", (int)getpid(),
				      "features", "pause", "resize", "stats", "shared",
				      "kernel_io", "restart", "descriptors", "hand_over", "left_over",
				      "user", call->tapdisk->user));
}

/* As many as fit: the first one always does. */
static void answer_page(struct call *call, unsigned int from, json_t *(*describe)(const struct vbd *))
{
	CLEANUP_JSON json_t *vbds = json_array();
	size_t bytes = 0;
	struct vbd *vbd;

	list_for_each(vbd, &call->tapdisk->vbds, link) {
		json_t *object;

		if (vbd->minor < from || vbd->handed_over)
			continue;
		object = describe(vbd);
		bytes += json_dumpb(object, NULL, 0, JSON_COMPACT);
		if (bytes > call->tapdisk->page_bytes && json_array_size(vbds)) {
			json_decref(object);
			answer_result(call, json_pack("{s:O, s:i}", "vbds", vbds,
						      "next", (int)vbd->minor));
			return;
		}
		if (json_array_append_new(vbds, object)) {
			answer_result(call, NULL);
			return;
		}
	}
	answer_result(call, json_pack("{s:O}", "vbds", vbds));
}

static void do_list(struct call *call, struct args *args)
{
	answer_page(call, args->from, vbd_describe);
}

static void do_stats(struct call *call, struct args *args)
{
	struct vbd *vbd;

	if (!args->has_minor) {
		answer_page(call, args->from, vbd_stats);
		return;
	}
	vbd = find_vbd(call, args);
	if (vbd)
		answer_result(call, json_pack("{s:[o]}", "vbds", vbd_stats(vbd)));
}

static void do_attach(struct call *call, struct args *args)
{
	struct blktap_error err;

	answer_status(call, tapdisk_attach(call->tapdisk, args->minor, TAKE_FD(args->fd), &err),
		      &err);
}

static void do_detach(struct call *call, struct args *args)
{
	struct vbd *vbd = find_vbd(call, args);
	struct blktap_error err;

	if (vbd)
		answer_status(call, tapdisk_detach(call->tapdisk, vbd, &err), &err);
}

static void do_left_over(struct call *call, struct args *args)
{
	struct vbd *vbd = find_vbd(call, args);
	struct blktap_error err;

	if (vbd)
		answer_status(call, vbd_left_over(vbd, args->image, &err), &err);
}

static void open_done(struct vbd *vbd, void *data, const struct blktap_error *err)
{
	const struct blktap_start *disk = &vbd->disk;
	struct call *call = data;

	if (err) {
		answer_error(call, err);
		return;
	}
	answer_result(call, json_pack("{s:I, s:I, s:I, s:b}",
				      "capacity", (json_int_t)disk->capacity,
				      "logical_block_size", (json_int_t)disk->logical_block_size,
				      "physical_block_size", (json_int_t)disk->physical_block_size,
				      "read_only", !!(disk->flags & BLKTAP_DISK_READ_ONLY)));
}

static void do_open(struct call *call, struct args *args)
{
	struct vbd_open_params params = {
		.image = args->image,
		.read_only = args->read_only,
		.no_direct = args->no_direct,
		.request_timeout_ms = args->request_timeout_ms,
		.max_spin_ns = args->spin_us * NS_PER_US,
		.kernel_io = args->kernel_io,
		.restart = args->restart,
		.timeout_ms = args->timeout_ms,
	};
	struct vbd *vbd = find_vbd(call, args);
	struct blktap_error err;

	if (!vbd)
		return;
	if (call->tapdisk->terminating) {
		blktap_error_set(&err, -ESHUTDOWN, "tapdev%u: this tapdisk is about to end",
				 vbd->minor);
		answer_error(call, &err);
		return;
	}
	vbd_pass(vbd, TAKE_FD(args->fd));
	vbd_open(vbd, &params, open_done, call);
	vbd_pass(vbd, -1);
}

static void operation_done(struct vbd *vbd, void *data, const struct blktap_error *err)
{
	(void)vbd;
	answer_status(data, err ? err->code : 0, err);
}

static void do_close(struct call *call, struct args *args)
{
	struct vbd *vbd = find_vbd_for_change(call, args);

	if (!vbd)
		return;
	call->vbd = vbd;
	vbd_close(vbd, args->timeout_ms, args->force, operation_done, call);
}

static void do_pause(struct call *call, struct args *args)
{
	struct vbd *vbd = find_vbd_for_change(call, args);

	if (!vbd)
		return;
	call->vbd = vbd;
	vbd_pause(vbd, args->timeout_ms, operation_done, call);
}

static void do_unpause(struct call *call, struct args *args)
{
	struct vbd *vbd = find_vbd_for_change(call, args);

	if (!vbd)
		return;
	vbd_pass(vbd, TAKE_FD(args->fd));
	vbd_unpause(vbd, args->image, args->timeout_ms, operation_done, call);
	vbd_pass(vbd, -1);
}

static void resize_done(struct vbd *vbd, void *data, const struct blktap_error *err)
{
	if (err)
		answer_error(data, err);
	else
		answer_result(data, json_pack("{s:I}", "capacity",
					      (json_int_t)vbd->disk.capacity));
}

static void do_resize(struct call *call, struct args *args)
{
	struct vbd *vbd = find_vbd_for_change(call, args);

	if (!vbd)
		return;
	call->vbd = vbd;
	vbd_resize(vbd, args->capacity, args->shrink, args->timeout_ms, resize_done, call);
}

static void kernel_io_done(struct vbd *vbd, void *data, const struct blktap_error *err)
{
	if (err)
		answer_error(data, err);
	else
		answer_result(data, json_pack("{s:s}", "mode",
					      blktap_kernel_io_name(vbd_kernel_io(vbd))));
}

static void do_kernel_io(struct call *call, struct args *args)
{
	struct vbd *vbd = find_vbd(call, args);

	if (!vbd)
		return;
	if (args->mode == BLKTAP_KERNEL_IO_DEFAULT) {
		kernel_io_done(vbd, call, NULL);
		return;
	}
	tapdisk_give_way(call->tapdisk, vbd);
	call->vbd = vbd;
	vbd_switch(vbd, args->mode, args->timeout_ms, kernel_io_done, call);
}

/* Takes @call, unless it fails. */
static int answer_with(struct call *call, const struct vbd *vbd, const int *fds,
		       unsigned int count, struct blktap_error *err)
{
	struct client *client = call->client;
	char *line;
	int ret;

	if (call->notification || !client->send_with)
		return blktap_error_set(err, -EOPNOTSUPP, "tapdev%u comes with descriptors, which "
					"nobody takes", vbd->minor);
	line = blktap_rpc_result(call->id, offer_encode(vbd));
	ret = line ? client->send_with(client, line, fds, count) : -ENOMEM;
	if (ret)
		return blktap_error_set(err, ret, "tapdev%u: its descriptors cannot be sent: %s",
					vbd->minor, strerror(-ret));
	call->notification = true;	/* it has its answer */
	answer(call, NULL);
	return 0;
}

static int answer_offer(struct call *call, const struct vbd *vbd, struct blktap_error *err)
{
	const struct image_driver *driver = vbd->image ? vbd->image->driver : NULL;
	int fds[IMAGE_MAX_FILES];

	if (driver && driver->nr_descriptors) {
		driver->descriptors(vbd->image, fds);
		return answer_with(call, vbd, fds, driver->nr_descriptors, err);
	}
	answer_result(call, offer_encode(vbd));
	return 0;
}

static void do_offer(struct call *call, struct args *args)
{
	struct vbd *vbd = find_vbd_for_change(call, args);
	struct blktap_error err;

	if (!vbd)
		return;
	/* Without a disk there is nothing that could be taken back. */
	if (vbd->state == VBD_IDLE) {
		answer_result(call, offer_encode(vbd));
		return;
	}
	if (vbd_offer(vbd, &err)) {
		answer_error(call, &err);
		return;
	}
	list_add_tail(&call->client->offers, &vbd->offer);
	if (answer_offer(call, vbd, &err)) {
		vbd_take_back(vbd, err.text);
		answer_error(call, &err);
	}
}

static bool is_offered_to(const struct vbd *vbd, const struct client *client)
{
	const struct vbd *other;

	list_for_each(other, &client->offers, offer)
		if (other == vbd)
			return true;
	return false;
}

static void do_hand_over(struct call *call, struct args *args)
{
	struct vbd *vbd = find_vbd(call, args);
	struct blktap_error err;

	if (!vbd)
		return;
	if (vbd->state == VBD_IDLE) {
		answer_status(call, tapdisk_detach(call->tapdisk, vbd, &err), &err);
		return;
	}
	if (!is_offered_to(vbd, call->client)) {
		blktap_error_set(&err, -EINVAL, "tapdev%u was not offered, or was taken back",
				 vbd->minor);
		answer_error(call, &err);
		return;
	}
	call->vbd = vbd;
	vbd_hand_over(vbd, args->timeout_ms, operation_done, call);
}

static void do_pass_ring(struct call *call, struct args *args)
{
	struct blktap_error err;
	int ret = args->fd < 0 ? -EINVAL :
		  takeover_pass_ring(call->tapdisk, args->minor, TAKE_FD(args->fd));

	if (ret)
		blktap_error_set(&err, ret, "tapdev%u: its ring node was not passed", args->minor);
	answer_status(call, ret, &err);
}

static void takeover_ended(void *data, const struct blktap_error *err)
{
	answer_status(data, err ? err->code : 0, err);
}

static void do_takeover(struct call *call, struct args *args)
{
	struct tapdisk *tapdisk = call->tapdisk;
	struct blktap_error err;
	int ret;

	if (tapdisk->terminating || tapdisk->ending)
		ret = blktap_error_set(&err, -ESHUTDOWN, "this tapdisk is about to end");
	else
		ret = takeover_start(tapdisk, args->pid, TAKE_FD(args->fd), args->timeout_ms,
				     takeover_ended, call, &err);
	call->takes_over = !ret;
	if (!ret)
		return;
	answer_error(call, &err);
	if (!tapdisk->takeover)
		tapdisk_takeover_over(tapdisk);
}

static const struct method {
	const char *name;
	void (*run)(struct call *call, struct args *args);
	struct param params[MAX_PARAMS];
	int timeout_ms;		/* when none is given */
} methods[] = {
	{ "version", do_version, { { 0 } }, 0 },
	{ "list", do_list, { PARAM(from, PARAM_MINOR, false) }, 0 },
	{ "attach", do_attach, {
		PARAM(minor, PARAM_MINOR, true),
		PARAM(descriptor, PARAM_BOOL, false),
	}, 0 },
	{ "detach", do_detach, { PARAM(minor, PARAM_MINOR, true) }, 0 },
	{ "left_over", do_left_over, {
		PARAM(minor, PARAM_MINOR, true),
		PARAM(image, PARAM_STRING, true),
	}, 0 },
	{ "open", do_open, {
		PARAM(minor, PARAM_MINOR, true),
		PARAM(image, PARAM_STRING, true),
		PARAM(descriptor, PARAM_BOOL, false),
		PARAM(read_only, PARAM_BOOL, false),
		PARAM(no_direct, PARAM_BOOL, false),
		PARAM(kernel_io, PARAM_KERNEL_IO, false),
		PARAM(request_timeout_ms, PARAM_MS, false),
		PARAM(spin_us, PARAM_SPIN, false),
		PARAM(restart, PARAM_BOOL, false),
		PARAM(timeout_ms, PARAM_MS, false),
	}, -1 },
	{ "close", do_close, {
		PARAM(minor, PARAM_MINOR, true),
		PARAM(force, PARAM_BOOL, false),
		PARAM(timeout_ms, PARAM_MS, false),
	}, 0 },
	{ "pause", do_pause, {
		PARAM(minor, PARAM_MINOR, true),
		PARAM(timeout_ms, PARAM_MS, false),
	}, -1 },
	{ "unpause", do_unpause, {
		PARAM(minor, PARAM_MINOR, true),
		PARAM(image, PARAM_STRING, false),
		PARAM(descriptor, PARAM_BOOL, false),
		PARAM(timeout_ms, PARAM_MS, false),
	}, -1 },
	{ "resize", do_resize, {
		PARAM(minor, PARAM_MINOR, true),
		PARAM(capacity, PARAM_BYTES, false),
		PARAM(shrink, PARAM_BOOL, false),
		PARAM(timeout_ms, PARAM_MS, false),
	}, -1 },
	{ "kernel_io", do_kernel_io, {
		PARAM(minor, PARAM_MINOR, true),
		PARAM(mode, PARAM_KERNEL_IO, false),
		PARAM(timeout_ms, PARAM_MS, false),
	}, -1 },
	{ "offer", do_offer, { PARAM(minor, PARAM_MINOR, true) }, 0 },
	{ "hand_over", do_hand_over, {
		PARAM(minor, PARAM_MINOR, true),
		PARAM(timeout_ms, PARAM_MS, false),
	}, -1 },
	{ "pass_ring", do_pass_ring, {
		PARAM(minor, PARAM_MINOR, true),
		PARAM(descriptor, PARAM_BOOL, true),
	}, 0 },
	{ "takeover", do_takeover, {
		PARAM(pid, PARAM_NUMBER, true),
		PARAM(descriptor, PARAM_BOOL, false),
		PARAM(timeout_ms, PARAM_MS, false),
	}, -1 },
	{ "stats", do_stats, {
		PARAM(minor, PARAM_MINOR, false),
		PARAM(from, PARAM_MINOR, false),
	}, 0 },
};

static const struct method *find_method(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(methods); i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

static int take_descriptor(struct client *client, const char *method, struct args *args,
			   struct blktap_error *err)
{
	if (!args->descriptor)
		return 0;
	if (client->take_descriptor)
		args->fd = client->take_descriptor(client);
	return args->fd >= 0 ? 0 : blktap_error_set(err, -EINVAL, "%s: no descriptor came along",
						    method);
}

static void dispatch(struct call *call, const struct blktap_rpc_request *req)
{
	const struct method *method = find_method(req->method);
	struct blktap_error err;
	struct args args = { 0 };

	if (!method) {
		blktap_error_set(&err, -EOPNOTSUPP, "there is no method %.64s", req->method);
		answer_wrong(call, BLKTAP_RPC_METHOD_NOT_FOUND, &err);
		return;
	}
	args.timeout_ms = method->timeout_ms;
	args.request_timeout_ms = REQUEST_TIMEOUT_MS;
	args.spin_us = SPIN_US;
	args.fd = -1;
	args.has_minor = json_object_get(req->params, "minor");
	if (params_take(method->name, method->params, req->params, &args, &err) ||
	    take_descriptor(call->client, method->name, &args, &err))
		answer_wrong(call, BLKTAP_RPC_INVALID_PARAMS, &err);
	else
		method->run(call, &args);
	if (args.fd >= 0)
		close(args.fd);
}

/* ------------------------------------------------------------------ clients */

void client_init(struct client *client, void (*send)(struct client *client, char *line))
{
	list_init(&client->calls);
	list_init(&client->offers);
	client->send = send;
	client->send_with = NULL;
	client->settled = NULL;
	client->take_descriptor = NULL;
}

/* What it waited for need not go on. Whether it is over at once. */
static bool withdraw(struct call *call)
{
	if (call->takes_over)
		takeover_cancel(call->tapdisk->takeover, "nobody waits for it any more");
	return call->vbd && vbd_withdraw(call->vbd, call);
}

void client_gone(struct client *client)
{
	struct call *call;

	list_for_each(call, &client->calls, link) {
		list_del(&call->link);
		call->client = NULL;
		if (withdraw(call))
			answer(call, NULL);
	}
	while (!list_empty(&client->offers))
		vbd_take_back(list_first(&client->offers, struct vbd, offer),
			      "the other tapdisk has gone");
}

static struct call *new_call(struct tapdisk *tapdisk, struct client *client, json_t *id)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->tapdisk = tapdisk;
	call->client = client;
	call->notification = !id;
	call->id = json_incref(id);
	list_add_tail(&client->calls, &call->link);
	return call;
}

void methods_handle(struct tapdisk *tapdisk, struct client *client, const char *line,
		    size_t length)
{
	struct blktap_rpc_request req;
	struct call *call;
	char *reply;

	if (blktap_rpc_parse(line, length, &req, &reply)) {
		client->send(client, reply);
		return;
	}
	call = new_call(tapdisk, client, req.id);
	if (call)
		dispatch(call, &req);
	else
		client->send(client, NULL);
	blktap_rpc_request_free(&req);
}

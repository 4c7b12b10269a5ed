// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a tapdisk can be asked to do with its VBDs.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "call.h"
#include "cleanup.h"
#include "vbd.h"

#define CALL_MS		60000	/* nothing here waits for the disk's users */
#define MARGIN_MS	10000	/* for the answer, past the tapdisk's own limit */

/* ------------------------------------------------------------- list answers */

static int compare_vbds(const void *a, const void *b)
{
	const struct blktap_vbd_info *left = a, *right = b;

	return (left->minor > right->minor) - (left->minor < right->minor);
}

static int parse_vbd(json_t *json, struct blktap_vbd_info *vbd)
{
	json_t *minor = json_object_get(json, "minor");
	json_t *state = json_object_get(json, "state");
	json_t *image = json_object_get(json, "image");
	const char *type, *path;

	if (!json_is_integer(minor) || !json_is_integer(state) ||
	    json_integer_value(minor) < 0 || json_integer_value(minor) > INT_MAX ||
	    json_integer_value(state) < 0 || json_integer_value(state) > UINT_MAX)
		return -EPROTO;
	vbd->minor = json_integer_value(minor);
	vbd->state = json_integer_value(state);
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

int vbds_parse(json_t *result, struct blktap_vbd_info **vbds, size_t *count)
{
	json_t *array = json_object_get(result, "vbds");
	struct blktap_vbd_info *list;
	size_t length, i;
	int ret = 0;

	if (!json_is_array(array))
		return -EPROTO;
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
	qsort(list, length, sizeof(*list), compare_vbds);
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

int vbds_parse_failed(pid_t pid, int code, struct blktap_error *err)
{
	return blktap_error_set(err, code, code == -ENOMEM ?
				"tapdisk %d: no memory for its list" :
				"tapdisk %d: its list makes no sense", (int)pid);
}

int blktap_ctl_list(pid_t pid, struct blktap_vbd_info **vbds, size_t *count,
		    int timeout_ms, struct blktap_error *err)
{
	CLEANUP_JSON json_t *result = NULL;
	int ret;

	ret = blktap_ctl_call(pid, "list", NULL, timeout_ms, &result, err);
	if (ret)
		return ret;
	ret = vbds_parse(result, vbds, count);
	return ret ? vbds_parse_failed(pid, ret, err) : 0;
}

/* ------------------------------------------------------------------ changes */

static int call_minor(pid_t pid, const char *method, unsigned int minor,
		      struct blktap_error *err)
{
	json_t *params = json_pack("{s:I}", "minor", (json_int_t)minor);

	if (!params)
		return blktap_error_set(err, -ENOMEM, "tapdev%u: no memory for the request", minor);
	return blktap_ctl_call(pid, method, params, CALL_MS, NULL, err);
}

int blktap_ctl_attach(pid_t pid, unsigned int minor, struct blktap_error *err)
{
	return call_minor(pid, "attach", minor, err);
}

int blktap_ctl_detach(pid_t pid, unsigned int minor, struct blktap_error *err)
{
	return call_minor(pid, "detach", minor, err);
}

/* How long to wait for an answer that the tapdisk gives by @timeout_ms. */
static int with_margin(int timeout_ms, int margin_ms)
{
	if (timeout_ms < 0 || timeout_ms > INT_MAX - margin_ms)
		return -1;
	return timeout_ms + margin_ms;
}

int blktap_ctl_open(pid_t pid, unsigned int minor,
		    const struct blktap_open_params *open_params, struct blktap_error *err)
{
	int timeout_ms = open_params->timeout_ms ? open_params->timeout_ms : CALL_MS;
	json_t *params;

	params = json_pack("{s:I, s:s}", "minor", (json_int_t)minor, "image", open_params->image);
	if (!params)
		return blktap_error_set(err, -EINVAL, "%s: the image's name is not valid UTF-8",
					open_params->image);
	if (open_params->read_only)
		json_object_set_new(params, "read_only", json_true());
	if (open_params->no_direct)
		json_object_set_new(params, "no_direct", json_true());
	if (timeout_ms > 0)
		json_object_set_new(params, "timeout_ms", json_integer(timeout_ms));
	return blktap_ctl_call(pid, "open", params, with_margin(timeout_ms, MARGIN_MS), NULL, err);
}

int blktap_ctl_close(pid_t pid, unsigned int minor, int timeout_ms, struct blktap_error *err)
{
	json_t *params;

	params = json_pack("{s:I, s:i}", "minor", (json_int_t)minor,
			   "timeout_ms", timeout_ms < 0 ? INT_MAX : timeout_ms);
	if (!params)
		return blktap_error_set(err, -ENOMEM, "tapdev%u: no memory for the request", minor);
	/* Once nobody has it open, taking the disk away may still take a while. */
	return blktap_ctl_call(pid, "close", params, with_margin(timeout_ms, CALL_MS), NULL, err);
}

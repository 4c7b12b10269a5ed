// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "cleanup.h"
#include "ctl.h"
#include "describe.h"
#include "output.h"
#include "rows.h"

/* ---------------------------------------------------------------------- driver */

static int about_driver(json_t **object, struct blktap_error *err)
{
	struct blktap_features features;
	struct blktap_nl *nl;
	int ret;

	ret = blktap_nl_open(&nl, err);
	if (ret)
		return ret;
	ret = blktap_nl_features(nl, &features, err);
	blktap_nl_close(nl);
	if (ret)
		return ret;
	*object = json_pack("{s:s, s:o}", "version", blktap_version(),
			    "driver", describe_driver(&features));
	return 0;
}

/* -------------------------------------------------------------------------- tap */

static int get_tap(int minor, struct blktap_tap *tap, struct blktap_error *err)
{
	struct blktap_nl *nl;
	int ret;

	ret = blktap_nl_open(&nl, err);
	if (ret)
		return ret;
	ret = blktap_nl_get(nl, minor, tap, err);
	blktap_nl_close(nl);
	return ret;
}

static json_t *vbd_json(const struct blktap_vbd_info *vbd)
{
	const struct blktap_row row = {
		.minor = vbd->minor,
		.has_state = true,
		.state = vbd->state,
		.type = vbd->type,
		.path = vbd->path,
		.kernel_io = vbd->kernel_io,
	};

	return row_json(&row);
}

/* The VBDs of a tapdisk, one of them or (@minor -1) all; NULL and @err. */
static json_t *ask_vbds(pid_t pid, int minor, struct blktap_error *err)
{
	struct blktap_vbd_info *vbds;
	json_t *array;
	size_t count, i;

	if (blktap_ctl_list(pid, &vbds, &count, ASK_MS, err))
		return NULL;
	array = json_array();
	for (i = 0; i < count; i++)
		if (minor < 0 || vbds[i].minor == minor)
			json_array_append_new(array, vbd_json(&vbds[i]));
	blktap_vbd_info_free(vbds, count);
	return array;
}

/* What the tapdisk has written down for the time after its death. */
static void add_record(json_t *object, unsigned int minor)
{
	struct blktap_record *record;

	if (blktap_record_read(minor, &record, NULL))
		return;
	json_object_set_new(object, "record",
			    json_pack("{s:i, s:s, s:b, s:b}", "pid", (int)record->pid,
				      "image", record->open.image,
				      "restart", record->open.restart, "paused", record->paused));
	blktap_record_free(record);
}

/* What a tapdisk does not tell is just missing: the kernel has been heard. */
static int about_tap(const struct options *options, json_t **object, struct blktap_error *err)
{
	CLEANUP_JSON json_t *vbds = NULL;
	struct blktap_tap tap;
	int ret;

	ret = get_tap(options->minor, &tap, err);
	if (ret)
		return ret;
	*object = describe_tap(&tap);
	if (tap.pid)
		vbds = ask_vbds(tap.pid, options->minor, NULL);
	if (json_array_size(vbds))
		json_object_set(*object, "vbd", json_array_get(vbds, 0));
	add_record(*object, tap.minor);
	return 0;
}

/* ---------------------------------------------------------------------- tapdisk */

static int about_tapdisk(const struct options *options, json_t **object, struct blktap_error *err)
{
	json_t *vbds;
	int ret;

	ret = blktap_ctl_version(options->pid, object, ASK_MS, err);
	if (ret)
		return ret;
	vbds = ask_vbds(options->pid, -1, err);
	if (!vbds)
		return err->code;
	json_object_set_new(*object, "vbds", vbds);
	return 0;
}

static int run(const struct options *options, struct blktap_error *err)
{
	json_t *object = NULL;
	int ret;

	if (options->pid && options->minor >= 0)
		return blktap_error_set(err, -EINVAL, "-p and -m exclude each other");
	if (options->pid)
		ret = about_tapdisk(options, &object, err);
	else if (options->minor >= 0)
		ret = about_tap(options, &object, err);
	else
		ret = about_driver(&object, err);
	if (ret) {
		json_decref(object);
		return ret;
	}
	return options->json ? print_json(object, err) : print_members(object, err);
}

static const struct option_spec options[] = {
	VALUE('m', "minor", "MINOR", "about this tap", take_tap),
	VALUE('p', "pid", "PID", "about this tapdisk", take_pid),
	OPTION_JSON,
	OPTION_END,
};

const struct command command_info = {
	.name = "info",
	.summary = "tell about the driver, a tap or a tapdisk",
	.options = options,
	.run = run,
};

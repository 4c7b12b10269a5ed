// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "cleanup.h"
#include "params.h"

static bool integer_in(const json_t *json, json_int_t low, json_int_t high)
{
	return json_is_integer(json) && json_integer_value(json) >= low &&
	       json_integer_value(json) <= high;
}

static int take_param(const struct param *param, const json_t *json, void *to)
{
	void *field = (char *)to + param->offset;

	switch (param->type) {
	case PARAM_MINOR:
		if (!integer_in(json, 0, BLKTAP_MAX_MINORS - 1))
			return -EINVAL;
		*(unsigned int *)field = json_integer_value(json);
		return 0;
	case PARAM_MS:
		if (!integer_in(json, -1, INT_MAX))
			return -EINVAL;
		*(int *)field = json_integer_value(json);
		return 0;
	case PARAM_SPIN:
		if (!integer_in(json, 0, BLKTAP_MAX_SPIN_US))
			return -EINVAL;
		*(int *)field = json_integer_value(json);
		return 0;
	case PARAM_BYTES:
		if (!integer_in(json, 1, INT64_MAX))
			return -EINVAL;
		*(uint64_t *)field = json_integer_value(json);
		return 0;
	case PARAM_NUMBER:
		if (!integer_in(json, 0, INT_MAX))
			return -EINVAL;
		*(int *)field = json_integer_value(json);
		return 0;
	case PARAM_STRING:
		if (!json_is_string(json))
			return -EINVAL;
		*(const char **)field = json_string_value(json);
		return 0;
	case PARAM_BOOL:
		if (!json_is_boolean(json))
			return -EINVAL;
		*(bool *)field = json_is_true(json);
		return 0;
	case PARAM_KERNEL_IO:
		if (!json_is_string(json))
			return -EINVAL;
		return blktap_parse_kernel_io(json_string_value(json), field);
	}
	return -EINVAL;
}

static const struct param *find_param(const struct param *params, const char *name)
{
	for (; params->name; params++)
		if (strcmp(params->name, name) == 0)
			return params;
	return NULL;
}

/* Features of "open" that other versions have. */
static bool is_not_built(const char *name)
{
	static const char *const names[] = {
		"add_cache", "add_log", "encryption", "leaf_cache", "parent_minor", "secondary",
		"shared", "standby", "vhd_index",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static int unknown_param(const char *of, const char *name, struct blktap_error *err)
{
	if (is_not_built(name))
		return blktap_error_set(err, -EOPNOTSUPP, "%s: %s is not built into this tapdisk",
					of, name);
	return blktap_error_set(err, -EINVAL, "%s: there is no parameter %.64s", of, name);
}

static int check_required(const char *of, const struct param *params, const json_t *object,
			  struct blktap_error *err)
{
	for (; params->name; params++)
		if (params->required && !json_object_get(object, params->name))
			return blktap_error_set(err, -EINVAL, "%s: the parameter %s is missing", of,
						params->name);
	return 0;
}

int params_take(const char *of, const struct param *params, json_t *object, void *to,
		struct blktap_error *err)
{
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value) {
		const struct param *param = find_param(params, name);

		if (!param)
			return unknown_param(of, name, err);
		if (take_param(param, value, to))
			return blktap_error_set(err, -EINVAL, "%s: %s has no such value", of,
						name);
	}
	return check_required(of, params, object, err);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The members of a JSON object, by a table: what is unknown is refused.
 */
#ifndef TAPDISK_PARAMS_H
#define TAPDISK_PARAMS_H

#include <stddef.h>

#include "libblktap.h"

enum param_type {
	PARAM_MINOR,		/* unsigned int */
	PARAM_STRING,		/* const char *, of the object */
	PARAM_BOOL,		/* bool */
	PARAM_MS,		/* int; -1: no limit */
	PARAM_SPIN,		/* int, microseconds */
	PARAM_BYTES,		/* uint64_t, not 0 */
	PARAM_NUMBER,		/* int, not negative */
	PARAM_KERNEL_IO,	/* enum blktap_kernel_io */
};

struct param {
	const char *name;
	enum param_type type;
	size_t offset;		/* of what it goes to */
	bool required;
};

/* A table ends with an empty one. */
#define PARAM_IN(type, field, kind, required) \
	{ #field, kind, offsetof(type, field), required }

/*
 * Takes all members of @object (NULL: none) to *@to; what is not there stays as it is.
 * @of is what they are members of, for messages. EINVAL: unknown, missing or of no such
 * value; EOPNOTSUPP: one that other tapdisks have.
 */
int params_take(const char *of, const struct param *params, json_t *object, void *to,
		struct blktap_error *err);

#endif /* TAPDISK_PARAMS_H */

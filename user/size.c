// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sizes as people write them.
 */
#include <errno.h>

#include "libblktap.h"

static int unit_shift(char unit)
{
	switch (unit) {
	case 'k':
	case 'K':
		return 10;
	case 'm':
	case 'M':
		return 20;
	case 'g':
	case 'G':
		return 30;
	case 't':
	case 'T':
		return 40;
	}
	return -1;
}

static int add_digit(uint64_t *value, char digit)
{
	if (__builtin_mul_overflow(*value, 10, value) ||
	    __builtin_add_overflow(*value, (uint64_t)(digit - '0'), value))
		return -ERANGE;
	return 0;
}

int blktap_parse_size(const char *text, size_t length, uint64_t *bytes)
{
	uint64_t value = 0;
	int shift = 0;
	size_t i;

	for (i = 0; i < length && text[i] >= '0' && text[i] <= '9'; i++)
		if (add_digit(&value, text[i]))
			return -ERANGE;
	if (!i || i + 1 < length)
		return -EINVAL;
	if (i < length)
		shift = unit_shift(text[i]);
	if (shift < 0)
		return -EINVAL;
	if (__builtin_mul_overflow(value, 1ULL << shift, &value) || value > INT64_MAX)
		return -ERANGE;
	*bytes = value;
	return 0;
}

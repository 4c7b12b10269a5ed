// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * UUIDs as people write them.
 */
#include <errno.h>
#include <string.h>

#include "libblktap.h"

#define DASHED_LENGTH	(BLKTAP_UUID_TEXT - 1)

static bool is_dash_place(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

static int hex_value(char digit)
{
	static const char digits[] = "0123456789abcdef";
	const char *found;

	if (digit >= 'A' && digit <= 'F')
		digit |= 0x20;
	found = digit ? strchr(digits, digit) : NULL;
	return found ? (int)(found - digits) : -1;
}

/* The hexadecimal digits of @text without its dashes, which are right or none. */
static int undash(const char *text, char digits[2 * BLKTAP_UUID_LEN])
{
	bool dashed = strlen(text) == DASHED_LENGTH;
	size_t used = 0, i;

	if (!dashed && strlen(text) != 2 * BLKTAP_UUID_LEN)
		return -EINVAL;
	for (i = 0; text[i]; i++) {
		if (dashed && is_dash_place(i)) {
			if (text[i] != '-')
				return -EINVAL;
			continue;
		}
		digits[used++] = text[i];
	}
	return 0;
}

int blktap_parse_uuid(const char *text, uint8_t uuid[BLKTAP_UUID_LEN])
{
	char digits[2 * BLKTAP_UUID_LEN];
	size_t i;

	if (undash(text, digits))
		return -EINVAL;
	for (i = 0; i < sizeof(digits); i++)
		if (hex_value(digits[i]) < 0)
			return -EINVAL;
	for (i = 0; i < BLKTAP_UUID_LEN; i++)
		uuid[i] = hex_value(digits[2 * i]) << 4 | hex_value(digits[2 * i + 1]);
	return 0;
}

void blktap_format_uuid(const uint8_t uuid[BLKTAP_UUID_LEN], char text[BLKTAP_UUID_TEXT])
{
	size_t i;

	for (i = 0; i < BLKTAP_UUID_LEN; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*text++ = '-';
		text += sprintf(text, "%02x", uuid[i]);
	}
}

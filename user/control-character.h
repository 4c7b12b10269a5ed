/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Text that others wrote goes to terminals and logs: it must not command them.
 */
#ifndef BLKTAP_CONTROL_CHARACTER_H
#define BLKTAP_CONTROL_CHARACTER_H

#include <stddef.h>

/*
 * Bytes of the control character that @text starts with, 0 if it is none. UTF-8 has
 * some beyond ASCII.
 */
static inline size_t control_length(const char *text, size_t length)
{
	const unsigned char *c = (const unsigned char *)text;

	if (!length)
		return 0;
	if (c[0] < 0x20 || c[0] == 0x7f)
		return 1;
	return length > 1 && c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0 ? 2 : 0;
}

/* Writes over the control characters of @text. */
static inline void control_mask(char *text, size_t length)
{
	size_t i, bytes;

	for (i = 0; i < length; i += bytes ? bytes : 1) {
		bytes = control_length(text + i, length - i);
		if (bytes)
			text[i] = '?';
		if (bytes == 2)
			text[i + 1] = '?';
	}
}

#endif /* BLKTAP_CONTROL_CHARACTER_H */

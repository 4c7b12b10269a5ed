// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Errors: an errno and one sentence.
 */
#include <stdio.h>
#include <string.h>

#include "control-character.h"
#include "libblktap.h"

/*
 * The text goes to terminals and logs and may quote names that others chose:
 * it stays on its line, and ends at a character, not inside one.
 */
static void store_text(struct blktap_error *err, const char *text)
{
	size_t length = strnlen(text, sizeof(err->text) - 1);

	if (text[length])
		while (length && ((unsigned char)text[length] & 0xc0) == 0x80)
			length--;
	memcpy(err->text, text, length);
	err->text[length] = '\0';
	control_mask(err->text, length);
}

int blktap_error_set(struct blktap_error *err, int code, const char *fmt, ...)
{
	/* Not straight into err->text: it may be one of the arguments. */
	char text[sizeof(err->text) + 4];
	va_list args;

	if (!err)
		return code;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	err->code = code;
	store_text(err, text);
	return code;
}

int blktap_error_prefix(struct blktap_error *err, const char *fmt, ...)
{
	char text[sizeof(err->text) + 4];
	va_list args;
	int length;

	if (!err)
		return 0;
	va_start(args, fmt);
	length = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (length < 0)
		length = 0;
	if ((size_t)length < sizeof(text))
		snprintf(text + length, sizeof(text) - length, ": %s", err->text);
	store_text(err, text);
	return err->code;
}

// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <string.h>

#include "call.h"
#include "cleanup.h"
#include "pages.h"

static json_t *page_params(int minor, json_int_t from)
{
	json_t *params;

	if (minor < 0 && !from)
		return NULL;
	params = json_object();
	if (minor >= 0)
		json_object_set_new(params, "minor", json_integer(minor));
	if (from)
		json_object_set_new(params, "from", json_integer(from));
	return params;
}

static void fail(struct pages *pages, int code, const char *text)
{
	blktap_error_set(&pages->err, code, "tapdisk %d: %s", (int)pages->pid, text);
}

/*
 * A page brings us on, or there would be no end: it has something, and the next
 * one starts behind it.
 */
static bool is_next(const json_t *next, const json_t *vbds, json_int_t from)
{
	return json_array_size(vbds) && json_is_integer(next) &&
	       json_integer_value(next) > from && json_integer_value(next) < BLKTAP_MAX_MINORS;
}

/* Asks for the next page at once: other tapdisks may not have answered yet. */
static void take_page(struct call *call)
{
	struct pages *pages = call->owner;
	json_t *vbds = json_object_get(call->result, "vbds");
	const json_t *next = json_object_get(call->result, "next");

	if (!json_is_array(vbds) || (next && !is_next(next, vbds, pages->from)) ||
	    json_array_size(pages->vbds) + json_array_size(vbds) > BLKTAP_MAX_MINORS) {
		fail(pages, -EPROTO, "its list makes no sense");
		return;
	}
	if (json_array_extend(pages->vbds, vbds)) {
		fail(pages, -ENOMEM, "no memory for its list");
		return;
	}
	if (!next)
		return;
	pages->from = json_integer_value(next);
	call_again(call, pages->method, page_params(pages->minor, pages->from));
}

static void start(struct pages *pages, struct call *call)
{
	memset(&pages->err, 0, sizeof(pages->err));
	pages->from = 0;
	pages->vbds = json_array();
	call_init(call, pages->pid, pages->method, page_params(pages->minor, 0));
	call->answered = take_page;
	call->owner = pages;
}

static void end(struct pages *pages, struct call *call)
{
	if (call->err.code)
		pages->err = call->err;
	call_clear(call);
	if (pages->err.code)
		pages_clear(pages);
}

int pages_collect(struct pages *pages, size_t count, const char *method, int minor,
		  struct deadline deadline)
{
	CLEANUP_FREE struct call *calls = calloc(count + 1, sizeof(*calls));
	size_t i;

	if (!calls)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		pages[i].method = method;
		pages[i].minor = minor;
		start(&pages[i], &calls[i]);
	}
	calls_run(calls, count, deadline);
	for (i = 0; i < count; i++)
		end(&pages[i], &calls[i]);
	return 0;
}

void pages_clear(struct pages *pages)
{
	json_decref(pages->vbds);
	pages->vbds = NULL;
}

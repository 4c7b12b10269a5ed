// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <limits.h>
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
	json_decref(pages->vbds);
	pages->vbds = NULL;
	pages->from = -1;
}

/* Going backwards would never end. */
static bool is_next(const json_t *next, json_int_t from)
{
	return json_is_integer(next) && json_integer_value(next) > from &&
	       json_integer_value(next) <= INT_MAX;
}

static void take_page(struct pages *pages, const json_t *result)
{
	json_t *vbds = json_object_get(result, "vbds");
	const json_t *next = json_object_get(result, "next");

	if (!json_is_array(vbds) || (next && !is_next(next, pages->from))) {
		fail(pages, -EPROTO, "its list makes no sense");
		return;
	}
	if (json_array_extend(pages->vbds, vbds)) {
		fail(pages, -ENOMEM, "no memory for its list");
		return;
	}
	pages->from = next ? json_integer_value(next) : -1;
}

static void take_answer(struct pages *pages, const struct call *call)
{
	if (!call->err.code) {
		take_page(pages, call->result);
		return;
	}
	fail(pages, call->err.code, "");
	pages->err = call->err;
}

/* One page of each tapdisk that has more; false if none has. */
static bool next_pages(struct pages *pages, size_t count, struct call *calls,
		       const char *method, int minor, struct deadline deadline)
{
	size_t used = 0, i;

	for (i = 0; i < count; i++)
		if (pages[i].from >= 0)
			call_init(&calls[used++], pages[i].pid, method,
				  page_params(minor, pages[i].from));
	calls_run(calls, used, deadline);
	used = 0;
	for (i = 0; i < count; i++) {
		if (pages[i].from < 0)
			continue;
		take_answer(&pages[i], &calls[used]);
		call_clear(&calls[used++]);
	}
	return used;
}

int pages_collect(struct pages *pages, size_t count, const char *method, int minor,
		  struct deadline deadline)
{
	CLEANUP_FREE struct call *calls = calloc(count + 1, sizeof(*calls));
	size_t i;

	if (!calls)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		pages[i].vbds = json_array();
		pages[i].from = pages[i].vbds ? 0 : -1;
		memset(&pages[i].err, 0, sizeof(pages[i].err));
		if (!pages[i].vbds)
			fail(&pages[i], -ENOMEM, "no memory for its list");
	}
	while (next_pages(pages, count, calls, method, minor, deadline))
		;
	return 0;
}

void pages_clear(struct pages *pages)
{
	json_decref(pages->vbds);
	pages->vbds = NULL;
}

// SPDX-License-Identifier: GPL-2.0-only
#include <linux/blktap.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "cleanup.h"
#include "complaints.h"

#define PERIOD_NS	(600 * 1000000000ULL)
#define PER_PERIOD	16U

bool complaint_due(struct complaint_count *kind, uint64_t now)
{
	kind->count++;
	if (!kind->told || now - kind->begin >= PERIOD_NS) {
		kind->begin = now;
		kind->told = 0;
	}
	if (kind->told == PER_PERIOD)
		return false;
	kind->told++;
	return true;
}

static const char *op_name(uint8_t op)
{
	static const char *const names[] = {
		[BLKTAP_OP_READ] = "read",
		[BLKTAP_OP_WRITE] = "write",
		[BLKTAP_OP_FLUSH] = "flush",
		[BLKTAP_OP_DISCARD] = "discard",
		[BLKTAP_OP_WRITE_ZEROES] = "write zeroes",
	};

	return op < ARRAY_SIZE(names) ? names[op] : "unknown request";
}

static void print_place(char *text, size_t size, const struct blktap_request *req)
{
	*text = '\0';
	if (req->length)
		snprintf(text, size, " of %llu bytes at %llu", (unsigned long long)req->length,
			 (unsigned long long)req->offset);
}

void complain(struct complaints *c, enum complaint kind, const struct blktap_request *req,
	      int error, const char *more, uint64_t now)
{
	const struct complaint_count *count = &c->kinds[kind];
	bool last;
	char place[64];

	if (!complaint_due(&c->kinds[kind], now))
		return;
	last = count->told == PER_PERIOD;
	print_place(place, sizeof(place), req);
	blktap_log(kind == COMPLAINT_FAILED ? LOG_ERR : LOG_WARNING,
		   "tapdev%u: %s%s of %s: %s%s (%llu so far%s)", c->minor, op_name(req->op), place,
		   c->image ? c->image : "no image",
		   error ? strerror(-error) : "the kernel could not do it", more,
		   (unsigned long long)count->count, last ? "; no more of this for some minutes" : "");
}

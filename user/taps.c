// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Taps with the links to their disks.
 */
#include <errno.h>

#include "links.h"
#include "paths.h"
#include "record.h"

#define FREE_MS	10000	/* for a tap that nobody knows of yet */

static int allocate(struct blktap_nl *nl, const struct blktap_tap_params *params,
		    const char *link, struct blktap_tap *tap, struct blktap_error *err)
{
	struct record_mark record;
	int ret;

	ret = blktap_nl_allocate(nl, params, tap, err);
	if (ret)
		return ret;
	/* What an earlier tap of this number has left says nothing about this one. */
	record_look(tap->minor, &record);
	record_forget(tap->minor, &record);
	ret = link_renew(tap->minor, link, err);
	/* What an earlier tap has left is no reason to have none. */
	if (!ret || !link)
		return 0;
	blktap_nl_free(nl, tap->minor, false, FREE_MS, NULL);
	return ret;
}

int blktap_allocate(const struct blktap_tap_params *params, const char *link,
		    struct blktap_tap *tap, struct blktap_error *err)
{
	struct blktap_tap allocated;
	struct blktap_nl *nl;
	int ret;

	ret = control_dir_check(err);
	if (!ret)
		ret = blktap_nl_open(&nl, err);
	if (ret)
		return ret;
	ret = allocate(nl, params, link, &allocated, err);
	if (!ret && tap)
		*tap = allocated;
	blktap_nl_close(nl);
	return ret;
}

/* Of one that goes by force nothing is needed any more, even if that takes longer. */
static bool is_going(int code, bool force)
{
	return !code || (force && (code == -ETIMEDOUT || code == -EINTR));
}

int blktap_free(unsigned int minor, bool force, int timeout_ms, struct blktap_error *err)
{
	struct record_mark record;
	struct link_mark mark;
	struct blktap_nl *nl;
	int ret, link_ret;

	ret = control_dir_check(err);
	if (!ret)
		ret = blktap_nl_open(&nl, err);
	if (ret)
		return ret;
	link_look(minor, &mark);
	record_look(minor, &record);
	ret = blktap_nl_free(nl, minor, force, timeout_ms, err);
	if (is_going(ret, force)) {
		record_forget(minor, &record);
		link_ret = link_remove(minor, &mark, ret ? NULL : err);
		ret = ret ?: link_ret;
	}
	blktap_nl_close(nl);
	return ret;
}

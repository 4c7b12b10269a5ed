// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "cancel.h"
#include "tap-wait.h"

#define FIRST_MS	1
#define LAST_MS		64

int tap_wait(struct blktap_nl *nl, unsigned int minor,
	     bool (*reached)(const struct blktap_tap *tap), struct deadline deadline,
	     struct blktap_error *err)
{
	struct blktap_tap tap;
	int step_ms = FIRST_MS;
	int ret;

	for (;;) {
		ret = blktap_nl_get(nl, minor, &tap, err);
		if (ret == -ENODEV || (!ret && reached(&tap)))
			return 0;
		if (!ret && deadline_passed(deadline))
			ret = -ETIMEDOUT;
		if (!ret)
			ret = cancel_poll(-1, deadline_step(deadline, step_ms));
		if (ret < 0)
			return ret;
		step_ms = step_ms < LAST_MS ? step_ms * 2 : step_ms;
	}
}

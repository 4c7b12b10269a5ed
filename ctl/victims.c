// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>

#include "victims.h"

void victims_note(struct victims *victims)
{
	struct blktap_nl *nl;

	*victims = (struct victims){ 0 };
	if (blktap_nl_open(&nl, NULL))
		return;
	if (blktap_nl_list(nl, &victims->taps, &victims->count, NULL))
		victims->count = 0;
	blktap_nl_close(nl);
}

static void name_others(const struct victims *victims, pid_t killed, unsigned int minor)
{
	const char *before = "; its other disks need 'tap-ctl recover': ";
	size_t i;

	for (i = 0; i < victims->count; i++) {
		if (victims->taps[i].pid != killed || victims->taps[i].minor == minor ||
		    victims->taps[i].disk_state == BLKTAP_DISK_STATE_NONE)
			continue;
		fprintf(stderr, "%stapdev%u", before, victims->taps[i].minor);
		before = ", ";
	}
}

void victims_tell(struct victims *victims, pid_t killed, unsigned int minor)
{
	if (killed) {
		fprintf(stderr, "tap-ctl: tapdisk %d was killed", (int)killed);
		name_others(victims, killed, minor);
		fputc('\n', stderr);
	}
	free(victims->taps);
}

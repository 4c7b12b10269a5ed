// SPDX-License-Identifier: GPL-2.0-only
#include "pace.h"

#define NS_PER_US	1000U
#define NS_PER_S	1000000000ULL

#define LEAST_SPIN_NS	(5 * NS_PER_US)

/* A submitter that fills its queue takes less time. */
#define LONG_DELAY_NS	(1000 * NS_PER_US)
/* So many in a window are too many; short ones between them are no comfort. */
#define LONG_DELAYS	3
#define WINDOW_NS	(NS_PER_S / 10)
#define BOLD_NS		NS_PER_S

void pace_init(struct pace *pace, uint32_t max_spin_ns)
{
	*pace = (struct pace){
		.max_spin_ns = max_spin_ns,
		.modest = true,
	};
}

static void adapt_spin(struct pace *pace, const struct blktap_wait *wait)
{
	uint32_t next;

	/* Only a sleep that a request ended tells when requests come. */
	if (wait->spun || wait->fd_ready)
		return;
	if (wait->waited_ns >= pace->max_spin_ns) {
		pace->spin_ns = 0;
		return;
	}
	next = pace->spin_ns ? pace->spin_ns * 2 : LEAST_SPIN_NS;
	pace->spin_ns = next < pace->max_spin_ns ? next : pace->max_spin_ns;
}

static bool adapt_modesty(struct pace *pace, const struct blktap_wait *wait, uint64_t now)
{
	if (!pace->modest) {
		pace->modest = now >= pace->bold_until;
		return pace->modest;
	}
	if (wait->delayed_ns < LONG_DELAY_NS)
		return false;
	if (now - pace->since > WINDOW_NS) {
		pace->since = now;
		pace->delays = 0;
	}
	if (++pace->delays < LONG_DELAYS)
		return false;
	pace->delays = 0;
	pace->modest = false;
	pace->bold_until = now + BOLD_NS;
	return true;
}

bool pace_waited(struct pace *pace, const struct blktap_wait *wait, uint64_t now)
{
	if (!wait->waited_ns)
		return false;
	adapt_spin(pace, wait);
	return adapt_modesty(pace, wait, now);
}

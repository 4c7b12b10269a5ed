// SPDX-License-Identifier: GPL-2.0-only
#include "pace.h"

#define NS_PER_US	1000U
#define NS_PER_MS	1000000ULL

/* Measures, but does not spin. */
#define NO_SPIN_NS	1U

/* A trial is this many short windows, the odd ones with spinning. */
#define TRIAL_WINDOWS	4U
#define SHORT_WINDOW_NS	(5 * NS_PER_MS)
#define LONG_WINDOW_NS	(500 * NS_PER_MS)
/* A window in which nothing happened for most of the time tells nothing. */
#define TOO_LONG	2
/* Less is noise, and not worth a processor. */
#define GAIN_PERCENT	115U

/* A submitter that fills its queue takes less time. */
#define LONG_DELAY_NS	(1000 * NS_PER_US)
#define LONG_DELAYS	3
#define BOLD_NS		(1000 * NS_PER_MS)

void pace_init(struct pace *pace, uint32_t max_spin_ns)
{
	*pace = (struct pace){ .max_spin_ns = max_spin_ns, .modest = true };
}

/* ----------------------------------------------------------------- spinning */

static bool is_trial(const struct pace *pace)
{
	return pace->window < TRIAL_WINDOWS;
}

uint32_t pace_spin(const struct pace *pace)
{
	bool spins = is_trial(pace) ? pace->window & 1 : pace->spins;

	return spins && pace->max_spin_ns ? pace->max_spin_ns : NO_SPIN_NS;
}

static void begin_trial(struct pace *pace)
{
	pace->window = 0;
	pace->trial_requests[0] = pace->trial_requests[1] = 0;
	pace->trial_ns[0] = pace->trial_ns[1] = 0;
}

/* Requests per time, with spinning and without: by cross multiplication. */
static bool trial_pays(const struct pace *pace)
{
	const uint64_t *n = pace->trial_requests, *ns = pace->trial_ns;

	return n[1] * ns[0] * 100 > n[0] * ns[1] * GAIN_PERCENT;
}

static void end_window(struct pace *pace, uint64_t ns)
{
	if (!is_trial(pace)) {
		begin_trial(pace);
		return;
	}
	if (ns > TOO_LONG * SHORT_WINDOW_NS) {
		pace->spins = false;
		begin_trial(pace);
		return;
	}
	pace->trial_requests[pace->window & 1] += pace->requests;
	pace->trial_ns[pace->window & 1] += ns;
	if (++pace->window == TRIAL_WINDOWS)
		pace->spins = trial_pays(pace);
}

static void adapt_spin(struct pace *pace, unsigned int requests, uint64_t now)
{
	uint64_t ns = now - pace->window_began;

	pace->requests += requests;
	if (ns < (is_trial(pace) ? SHORT_WINDOW_NS : LONG_WINDOW_NS))
		return;
	end_window(pace, ns);
	pace->window_began = now;
	pace->requests = 0;
}

/* ------------------------------------------------------------------ modesty */

static bool adapt_modesty(struct pace *pace, const struct blktap_wait *wait, uint64_t now)
{
	if (!pace->modest) {
		pace->modest = now >= pace->bold_until;
		return pace->modest;
	}
	if (wait->delayed_ns < LONG_DELAY_NS)
		pace->delays = 0;
	else if (++pace->delays == LONG_DELAYS) {
		pace->delays = 0;
		pace->modest = false;
		pace->bold_until = now + BOLD_NS;
	}
	return !pace->modest;
}

bool pace_waited(struct pace *pace, const struct blktap_wait *wait, unsigned int requests,
		 uint64_t now)
{
	if (pace->max_spin_ns)
		adapt_spin(pace, requests, now);
	return adapt_modesty(pace, wait, now);
}

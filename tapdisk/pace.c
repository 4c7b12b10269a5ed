// SPDX-License-Identifier: GPL-2.0-only
#include "pace.h"

#define NS_PER_MS	1000000ULL

/* A trial is this many short windows, the odd ones with spinning. */
#define TRIAL_WINDOWS	4U
/* A short window has both, unless it takes too long. */
#define SHORT_WINDOW_NS	(5 * NS_PER_MS)
#define SHORT_WINDOW_WAITS	32U
#define MAX_WINDOW_NS	(100 * NS_PER_MS)
/* What is found holds for so long, or so many times as the trial took. */
#define LONG_WINDOW_NS	(400 * NS_PER_MS)
#define LONG_WINDOW_TRIALS	10U
/* A time without anything to do tells nothing. */
#define IDLE_NS		(20 * NS_PER_MS)
/* Less is noise, and not worth a processor. */
#define GAIN_PERCENT	115U

/* A submitter that fills its queue takes less time. */
#define LONG_DELAY_NS	(2 * NS_PER_MS)
/* So many in a while are too many; short ones between them are no comfort. */
#define LONG_DELAYS	3U
#define DELAYS_NS	(100 * NS_PER_MS)
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

static bool spins(const struct pace *pace)
{
	return pace->max_spin_ns && (is_trial(pace) ? pace->window & 1 : pace->pays);
}

uint32_t pace_spin(const struct pace *pace)
{
	return spins(pace) ? pace->max_spin_ns : 0;
}

static void begin_trial(struct pace *pace)
{
	pace->window = 0;
	pace->without = pace->with = (struct pace_score){ 0 };
}

/* Requests per time, by cross multiplication. */
static bool is_better(const struct pace_score *a, const struct pace_score *b)
{
	return a->requests * b->ns * 100 > b->requests * a->ns * GAIN_PERCENT;
}

static bool window_is_over(const struct pace *pace, uint64_t ns)
{
	if (!is_trial(pace))
		return ns >= LONG_WINDOW_NS &&
		       ns >= LONG_WINDOW_TRIALS * (pace->without.ns + pace->with.ns);
	return ns >= MAX_WINDOW_NS ||
	       (ns >= SHORT_WINDOW_NS && pace->waits >= SHORT_WINDOW_WAITS);
}

static void end_window(struct pace *pace, uint64_t ns)
{
	struct pace_score *score = pace->window & 1 ? &pace->with : &pace->without;

	if (!is_trial(pace)) {
		begin_trial(pace);
		return;
	}
	score->requests += pace->requests;
	score->ns += ns;
	if (++pace->window == TRIAL_WINDOWS)
		pace->pays = is_better(&pace->with, &pace->without);
}

static void begin_window(struct pace *pace, uint64_t now)
{
	pace->window_began = now;
	pace->waits = 0;
	pace->requests = 0;
}

static void adapt_spin(struct pace *pace, const struct blktap_wait *wait, unsigned int requests,
		       uint64_t now)
{
	uint64_t ns = now - pace->window_began;

	if (!pace->window_began || (is_trial(pace) && wait->waited_ns >= IDLE_NS)) {
		begin_window(pace, now);
		return;
	}
	pace->waits++;
	pace->requests += requests;
	if (!window_is_over(pace, ns))
		return;
	end_window(pace, ns);
	begin_window(pace, now);
}

/* ------------------------------------------------------------------ modesty */

static bool adapt_modesty(struct pace *pace, const struct blktap_wait *wait, uint64_t now)
{
	if (!pace->modest) {
		pace->modest = now >= pace->bold_until;
		return pace->modest;
	}
	if (wait->delayed_ns < LONG_DELAY_NS)
		return false;
	if (now - pace->since > DELAYS_NS) {
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

bool pace_waited(struct pace *pace, const struct blktap_wait *wait, unsigned int requests,
		 uint64_t now)
{
	if (pace->max_spin_ns)
		adapt_spin(pace, wait, requests, now);
	return wait->waited_ns && adapt_modesty(pace, wait, now);
}

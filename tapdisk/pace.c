// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "pace.h"

#define NS_PER_MS	1000000ULL

/* Measures, but does not spin. */
#define NO_SPIN_NS	1U

/* Every way has its turn this often in a trial. */
#define ROUNDS		2U
#define TRIAL_WINDOWS	(ROUNDS * PACE_WAYS)
/* A short window has both, unless it takes too long. */
#define SHORT_WINDOW_NS	(5 * NS_PER_MS)
#define SHORT_WINDOW_WAITS	32U
#define MAX_WINDOW_NS	(100 * NS_PER_MS)
/* What is found holds for so long, or so many times as the trial took. */
#define LONG_WINDOW_NS	(500 * NS_PER_MS)
#define LONG_WINDOW_TRIALS	10U
/* A time without anything to do tells nothing. */
#define IDLE_NS		(20 * NS_PER_MS)
/* Less is noise. */
#define GAIN_PERCENT	115U

/* A submitter that fills its queue takes less time. */
#define LONG_DELAY_NS	(1 * NS_PER_MS)
#define LONG_DELAYS	3U
#define BOLD_NS		(1000 * NS_PER_MS)

void pace_init(struct pace *pace, uint32_t max_spin_ns, bool can_be_near)
{
	*pace = (struct pace){
		.max_spin_ns = max_spin_ns,
		.can_be_near = can_be_near,
		.modest = true,
	};
}

/* --------------------------------------------------------------------- ways */

static bool is_possible(const struct pace *pace, enum pace_way way)
{
	return way == PACE_FAR || (way == PACE_NEAR ? pace->can_be_near : pace->max_spin_ns);
}

static bool is_trial(const struct pace *pace)
{
	return pace->window < TRIAL_WINDOWS;
}

enum pace_way pace_way(const struct pace *pace)
{
	return is_trial(pace) ? pace->window % PACE_WAYS : pace->best;
}

uint32_t pace_spin(const struct pace *pace)
{
	return pace_way(pace) == PACE_SPIN ? pace->max_spin_ns : NO_SPIN_NS;
}

/* ------------------------------------------------------------------- trials */

/* Requests per time, by cross multiplication. */
static bool is_better(const struct pace_score *a, const struct pace_score *b, uint64_t percent)
{
	return a->requests * b->ns * 100 > b->requests * a->ns * percent;
}

static enum pace_way best_way(const struct pace_score *scores)
{
	enum pace_way way = is_better(&scores[PACE_SPIN], &scores[PACE_NEAR], 100) ?
			    PACE_SPIN : PACE_NEAR;

	return is_better(&scores[way], &scores[PACE_FAR], GAIN_PERCENT) ? way : PACE_FAR;
}

static void next_window(struct pace *pace)
{
	do {
		pace->window++;
	} while (is_trial(pace) && !is_possible(pace, pace_way(pace)));
	if (pace->window == TRIAL_WINDOWS)
		pace->best = best_way(pace->scores);
}

static void begin_trial(struct pace *pace)
{
	pace->window = 0;
	memset(pace->scores, 0, sizeof(pace->scores));
}

static uint64_t trial_ns(const struct pace *pace)
{
	return pace->scores[PACE_FAR].ns + pace->scores[PACE_NEAR].ns +
	       pace->scores[PACE_SPIN].ns;
}

static bool window_is_over(const struct pace *pace, uint64_t ns)
{
	if (!is_trial(pace))
		return ns >= LONG_WINDOW_NS && ns >= LONG_WINDOW_TRIALS * trial_ns(pace);
	return ns >= MAX_WINDOW_NS ||
	       (ns >= SHORT_WINDOW_NS && pace->waits >= SHORT_WINDOW_WAITS);
}

static void end_window(struct pace *pace, uint64_t ns)
{
	struct pace_score *score = &pace->scores[pace_way(pace)];

	if (!is_trial(pace)) {
		begin_trial(pace);
		return;
	}
	score->requests += pace->requests;
	score->ns += ns;
	next_window(pace);
}

static void begin_window(struct pace *pace, uint64_t now)
{
	pace->window_began = now;
	pace->waits = 0;
	pace->requests = 0;
}

static void adapt_way(struct pace *pace, const struct blktap_wait *wait, unsigned int requests,
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

static void adapt_modesty(struct pace *pace, const struct blktap_wait *wait, uint64_t now)
{
	if (!pace->modest) {
		pace->modest = now >= pace->bold_until;
		return;
	}
	if (wait->delayed_ns < LONG_DELAY_NS) {
		pace->delays = 0;
	} else if (++pace->delays == LONG_DELAYS) {
		pace->delays = 0;
		pace->modest = false;
		pace->bold_until = now + BOLD_NS;
	}
}

void pace_waited(struct pace *pace, const struct blktap_wait *wait, unsigned int requests,
		 uint64_t now)
{
	if (pace->max_spin_ns || pace->can_be_near)
		adapt_way(pace, wait, requests, now);
	adapt_modesty(pace, wait, now);
}

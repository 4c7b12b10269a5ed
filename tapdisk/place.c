// SPDX-License-Identifier: GPL-2.0-only
#include <sched.h>
#include <string.h>

#include "place.h"

static bool get_mask(unsigned long *mask)
{
	memset(mask, 0, sizeof(unsigned long) * PLACE_WORDS);
	return sched_getaffinity(0, sizeof(unsigned long) * PLACE_WORDS, (cpu_set_t *)mask) == 0;
}

static void set_mask(struct place *place, const unsigned long *mask)
{
	if (sched_setaffinity(0, sizeof(place->last), (const cpu_set_t *)mask) == 0)
		get_mask(place->last);
}

/* Somebody else has said where it may run. */
static void learn_mask(struct place *place)
{
	unsigned long now[PLACE_WORDS];

	if (get_mask(now) && memcmp(now, place->last, sizeof(now))) {
		memcpy(place->free, now, sizeof(now));
		memcpy(place->last, now, sizeof(now));
	}
}

/* @both is what they have in common; false: nothing, or all of @free. */
static bool narrow(const unsigned long *queue, const unsigned long *free, unsigned long *both)
{
	bool any = false, less = false;
	size_t i;

	for (i = 0; i < PLACE_WORDS; i++) {
		both[i] = queue[i] & free[i];
		any |= both[i] != 0;
		less |= both[i] != free[i];
	}
	return any && less;
}

bool place_init(struct place *place, struct blktap_ring *ring, unsigned int queue)
{
	unsigned long both[PLACE_WORDS];

	if (blktap_ring_queue_cpus(ring, queue, place->queue, sizeof(place->queue)) ||
	    !get_mask(place->free))
		return false;
	memcpy(place->last, place->free, sizeof(place->last));
	return narrow(place->queue, place->free, both);
}

static void set_near(struct place *place, bool near)
{
	unsigned long both[PLACE_WORDS];

	learn_mask(place);
	if (near && narrow(place->queue, place->free, both))
		set_mask(place, both);
	else
		set_mask(place, place->free);
	place->near = near;
}

static void set_modest(struct place *place, bool modest)
{
	struct sched_param param = { 0 };

	/* Only between these two: another class is somebody's decision. */
	if (sched_getscheduler(0) == (modest ? SCHED_OTHER : SCHED_BATCH))
		sched_setscheduler(0, modest ? SCHED_BATCH : SCHED_OTHER, &param);
	place->modest = modest;
}

void place_set(struct place *place, bool near, bool modest)
{
	if (near != place->near)
		set_near(place, near);
	if (modest != place->modest)
		set_modest(place, modest);
}

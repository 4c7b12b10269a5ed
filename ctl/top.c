// SPDX-License-Identifier: GPL-2.0-only
/*
 * A table of what all disks are doing, again and again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"
#include "ctl.h"
#include "deadline.h"
#include "load-print.h"
#include "output.h"
#include "screen.h"
#include "signals.h"

#define DELAY_MS	3000
#define STATS_MS	2000	/* meanwhile keys are not heard */
#define CONTROL(key)	((key) & 0x1f)

struct top {
	const struct options *options;
	struct held_signals held;
	bool on_screen;
	int delay_ms;
	struct samples before, now;
	struct load *loads;
	uint64_t shown;		/* tables */
};

/* -------------------------------------------------------------------- sampling */

static int sample(struct top *top, struct blktap_error *err)
{
	json_t *stats;
	int ret;

	ret = blktap_stats(0, -1, &stats, STATS_MS, err);
	if (ret)
		return ret;
	samples_clear(&top->before);
	top->before = top->now;
	memset(&top->now, 0, sizeof(top->now));
	free(top->loads);
	top->loads = NULL;
	if (samples_make(&top->now, stats, deadline_now()))
		return blktap_error_set(err, -ENOMEM, "no memory for statistics");
	/* The first ones have nothing before them: all quiet. */
	top->loads = load_compute(top->before.stats ? &top->before : &top->now, &top->now);
	return top->loads ? 0 : blktap_error_set(err, -ENOMEM, "no memory for statistics");
}

/* --------------------------------------------------------------------- drawing */

static double interval(const struct top *top)
{
	return (top->now.at_ms - top->before.at_ms) / 1000.0;
}

static struct load total(const struct top *top)
{
	struct load sum = { 0 };
	size_t i;

	for (i = 0; i < top->now.count; i++) {
		sum.requests[0] += top->loads[i].requests[0];
		sum.requests[1] += top->loads[i].requests[1];
		sum.bytes[0] += top->loads[i].bytes[0];
		sum.bytes[1] += top->loads[i].bytes[1];
	}
	return sum;
}

static void put_summary(const struct top *top, char *line, size_t size)
{
	struct load sum = total(top);
	char time[CLOCK_TEXT];

	clock_tell(time);
	snprintf(line, size, "%.19sZ  %zu disks  read %.0f/s %.1f MiB/s  write %.0f/s %.1f MiB/s",
		 time, top->now.count, sum.requests[0], sum.bytes[0] / (1 << 20), sum.requests[1],
		 sum.bytes[1] / (1 << 20));
}

static int draw_screen(const struct top *top, struct blktap_error *err)
{
	unsigned int rows, columns, row;
	char summary[256];

	screen_size(&rows, &columns);
	put_summary(top, summary, sizeof(summary));
	printf("\033[H%.*s\033[K\r\n\033[7m", (int)columns, summary);
	load_print_head(stdout, columns);
	printf("\033[K\033[0m");
	for (row = 2; row < rows && row - 2 < top->now.count; row++) {
		printf("\r\n");
		load_print_row(stdout, &top->loads[row - 2], columns);
		printf("\033[K");
	}
	printf("\033[J");
	return flush_output(err);
}

static int draw_batch(const struct top *top, struct blktap_error *err)
{
	char summary[256];
	size_t i;

	put_summary(top, summary, sizeof(summary));
	printf("%s\n", summary);
	load_print_head(stdout, 0);
	putchar('\n');
	for (i = 0; i < top->now.count; i++) {
		load_print_row(stdout, &top->loads[i], 0);
		putchar('\n');
	}
	putchar('\n');
	return flush_output(err);
}

static int draw_json(const struct top *top, struct blktap_error *err)
{
	char time[CLOCK_TEXT];

	clock_tell(time);
	return print_json(load_json(top->loads, top->now.count, time, interval(top)), err);
}

static int draw(const struct top *top, struct blktap_error *err)
{
	if (top->on_screen)
		return draw_screen(top, err);
	return top->options->json ? draw_json(top, err) : draw_batch(top, err);
}

/* --------------------------------------------------------------------- the loop */

/* 1: quit. */
static int take_key(int key)
{
	if (key == CONTROL('Z'))
		screen_suspend();
	return key == 'q' || key == 'Q' || key == CONTROL('C') || key == CONTROL('\\');
}

/* Until the next table: 0, 1 to quit. */
static int wait_for_next(struct top *top, struct blktap_error *err)
{
	struct deadline deadline = deadline_in(top->delay_ms);

	while (!deadline_passed(deadline)) {
		if (take_key(screen_wait(top->held.fd, deadline_left(deadline))) ||
		    signals_take(&top->held))
			return 1;
		if (top->on_screen && screen_resized() && draw(top, err))
			return err->code;
	}
	return 0;
}

static bool is_last(const struct top *top)
{
	return top->options->iterations && top->shown == top->options->iterations;
}

static int loop(struct top *top, struct blktap_error *err)
{
	int ret;

	ret = sample(top, err);
	if (!ret && top->on_screen)
		ret = draw(top, err);
	while (!ret && !is_last(top)) {
		ret = wait_for_next(top, err);
		if (!ret)
			ret = sample(top, err);
		if (!ret)
			ret = draw(top, err);
		top->shown++;
	}
	/* A signal may as well come while statistics are fetched. */
	if (ret == -EINTR && signals_take(&top->held))
		return 0;
	return ret > 0 || ret == -EPIPE ? 0 : ret;
}

static int run_held(struct top *top, struct blktap_error *err)
{
	int ret;

	if (top->on_screen)
		screen_enter();
	ret = loop(top, err);
	if (top->on_screen)
		screen_leave();
	samples_clear(&top->before);
	samples_clear(&top->now);
	free(top->loads);
	return ret;
}

static int run(const struct options *options, struct blktap_error *err)
{
	struct top top = {
		.options = options,
		.on_screen = !options->batch && !options->json && screen_there(),
		.delay_ms = options->delay_ms ? options->delay_ms : DELAY_MS,
	};
	int ret;

	ret = signals_hold_endless(&top.held, err);
	if (ret)
		return ret;
	ret = run_held(&top, err);
	signals_release(&top.held);
	return ret;
}

static const struct option_spec options[] = {
	VALUE('d', "delay", "SECONDS", "time between two tables (3)", take_delay),
	VALUE('n', "iterations", "COUNT", "end after so many tables", take_iterations),
	FLAG('b', "batch", "print one table after the other, as without a terminal", batch),
	OPTION_JSON,
	OPTION_END,
};

const struct command command_top = {
	.name = "top",
	.summary = "show what all disks are doing, again and again",
	.options = options,
	.run = run,
};

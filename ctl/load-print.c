// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "load-print.h"
#include "output.h"

#define HEAD	"%5s %8s %7s %7s %9s %9s %8s %6s %6s  %s"

/* At most seven columns, "1023.9M". */
static const char *amount(char buf[16], double number, const char *unit)
{
	static const char prefixes[] = "KMGTPE";
	int i = -1;

	while (number >= 1024 && prefixes[i + 1]) {
		number /= 1024;
		i++;
	}
	if (i < 0)
		snprintf(buf, 16, "%.0f%s", number, unit);
	else
		snprintf(buf, 16, "%.1f%c%s", number, prefixes[i], unit);
	return buf;
}

static const char *duration(char buf[16], double seconds)
{
	if (seconds <= 0)
		strcpy(buf, "-");
	else if (seconds < 1e-3)
		snprintf(buf, 16, "%.0fus", seconds * 1e6);
	else if (seconds < 1)
		snprintf(buf, 16, "%.2fms", seconds * 1e3);
	else
		snprintf(buf, 16, "%.2fs", seconds);
	return buf;
}

/* As much of a line as fits; a character of UTF-8 is a column, and stays whole. */
static void put_cut(FILE *file, const char *line, unsigned int width)
{
	unsigned int column = 0;

	for (; *line; line++) {
		if (((unsigned char)*line & 0xc0) != 0x80 && width && column++ == width)
			return;
		putc(*line, file);
	}
}

void load_print_head(FILE *file, unsigned int width)
{
	char line[128];

	snprintf(line, sizeof(line), HEAD, "MINOR", "PID", "READ/s", "WRITE/s", "READ", "WRITE",
		 "LATENCY", "DEPTH", "ERRORS", "IMAGE");
	put_cut(file, line, width);
}

static void put_row(FILE *file, const struct load *load)
{
	char minor[16], pid[16], reads[16], writes[16], read[16], written[16], latency[16];
	char depth[16], errors[16];

	snprintf(minor, sizeof(minor), "%d", load->now->minor);
	snprintf(pid, sizeof(pid), "%d", (int)load->now->pid);
	snprintf(depth, sizeof(depth), "%.1f", load->depth);
	snprintf(errors, sizeof(errors), "%" PRIu64, load->errors);
	fprintf(file, HEAD, minor, pid, amount(reads, load->requests[0], ""),
		amount(writes, load->requests[1], ""), amount(read, load->bytes[0], "B/s"),
		amount(written, load->bytes[1], "B/s"), duration(latency, load->latency), depth,
		errors, load->now->paused ? "(paused) " : "");
	put_escaped(file, load->now->image);
}

void load_print_row(FILE *file, const struct load *load, unsigned int width)
{
	CLEANUP_FREE char *line = NULL;
	size_t size;
	FILE *memory = open_memstream(&line, &size);

	if (!memory)
		return;
	put_row(memory, load);
	if (fclose(memory) == 0)
		put_cut(file, line, width);
}

/* ------------------------------------------------------------------------ JSON */

static json_t *row_json(const struct load *load)
{
	const struct sample *now = load->now;

	return json_pack("{s:i, s:i, s:s, s:b, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:I}",
			 "minor", now->minor, "pid", (int)now->pid, "image", now->image,
			 "paused", now->paused,
			 "reads_per_second", load->requests[0],
			 "writes_per_second", load->requests[1],
			 "read_bytes_per_second", load->bytes[0],
			 "write_bytes_per_second", load->bytes[1],
			 "latency_seconds", load->latency, "depth", load->depth,
			 "outstanding", (json_int_t)load->outstanding,
			 "errors", (json_int_t)load->errors);
}

json_t *load_json(const struct load *loads, size_t count, const char *time, double seconds)
{
	json_t *disks = json_array();
	size_t i;

	for (i = 0; i < count; i++)
		json_array_append_new(disks, row_json(&loads[i]));
	return json_pack("{s:s, s:f, s:o}", "time", time, "interval", seconds, "disks", disks);
}

// SPDX-License-Identifier: GPL-2.0-only
#include "durable.h"

#include <stdio.h>
#include <string.h>

#define WORDS (DURABLE_SECTOR / sizeof(uint64_t))

/* Neighbouring numbers have nothing in common after this (splitmix64's constants). */
static uint64_t scramble(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

void durable_fill(void *sector, uint64_t number, uint64_t version)
{
	uint64_t word[WORDS];
	unsigned int i;

	word[0] = version;
	for (i = 1; i < WORDS; i++)
		word[i] = scramble(word[i - 1] + number);
	memcpy(sector, word, sizeof(word));
}

int64_t durable_version(const void *sector, uint64_t number)
{
	static const char zeroes[DURABLE_SECTOR];
	char expected[DURABLE_SECTOR];
	uint64_t version;

	if (memcmp(sector, zeroes, sizeof(zeroes)) == 0)
		return 0;
	memcpy(&version, sector, sizeof(version));
	durable_fill(expected, number, version);
	return memcmp(sector, expected, sizeof(expected)) == 0 ? (int64_t)version : -1;
}

void promise_print(const struct promise *p, char *text, size_t size)
{
	snprintf(text, size, "%c:%llu:%llu:%llu", p->whole_file ? 'f' : 'r',
		 (unsigned long long)(p->whole_file ? p->number : p->offset),
		 (unsigned long long)p->length, (unsigned long long)p->version);
}

bool promise_parse(const char *text, struct promise *p)
{
	unsigned long long first, length, version;
	char kind;

	if (sscanf(text, "%c:%llu:%llu:%llu", &kind, &first, &length, &version) != 4)
		return false;
	*p = (struct promise){
		.whole_file = kind == 'f',
		.length = length,
		.version = version,
	};
	if (p->whole_file)
		p->number = first;
	else
		p->offset = first;
	return kind == 'f' || kind == 'r';
}

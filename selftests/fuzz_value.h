/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an argument of an operation means where a number is asked for: below FUZZ_ODD one
 * of the values that make sense there, else one at the border of something.
 */
#ifndef FUZZ_VALUE_H
#define FUZZ_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#define FUZZ_ODD	192

static inline bool fuzz_is_odd(uint8_t arg)
{
	return arg >= FUZZ_ODD;
}

static inline uint64_t fuzz_odd(uint8_t arg)
{
	static const uint64_t values[] = {
		0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 63, 64, 65, 127, 128, 255, 256,
		511, 512, 513, 1023, 1024, 1025, 4095, 4096, 4097, 8192, 65535, 65536,
		(1 << 20) - 512, 1 << 20, (1 << 20) + 512, (4 << 20) + 4096,
		INT32_MAX, 1U << 31, UINT32_MAX - 511, UINT32_MAX - 1, UINT32_MAX, 1ULL << 32,
		1ULL << 40, (1ULL << 43) - 4096, 1ULL << 43, 1ULL << 44, 1ULL << 52,
		INT64_MAX - 4095, INT64_MAX - 511, INT64_MAX, 1ULL << 63, (1ULL << 63) + 512,
		UINT64_MAX - 8191, UINT64_MAX - 4095, UINT64_MAX - 511, UINT64_MAX - 1, UINT64_MAX,
	};

	return values[(arg - FUZZ_ODD) % (sizeof(values) / sizeof(values[0]))];
}

#endif

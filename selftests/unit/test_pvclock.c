// SPDX-License-Identifier: GPL-2.0-only
/*
 * The clock's arithmetic: every frequency gives a rate that is right to a part in 2^30, never fast, and monotonic.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "pv/scale.h"

/* Exact nanoseconds, rounded down. */
static u64 exact(u64 ticks, u32 khz)
{
	return (u64)((unsigned __int128)ticks * 1000000 / khz);
}

static void check(u32 khz, u64 ticks)
{
	struct vtx_scale scale = vtx_scale_from_khz(khz);
	u64 ns = vtx_scale_ticks(scale, ticks), want = exact(ticks, khz);
	/* mul's rounding, the ticks that a negative shift drops, and our own rounding. */
	u64 slack = (want >> 31) + 2 + (scale.shift < 0 ? exact((1ULL << -scale.shift) - 1, khz) : 0);

	if (ns > want || want - ns > slack)
		fail_msg("%u kHz, %llu ticks: %llu ns, not %llu", khz, (unsigned long long)ticks,
			 (unsigned long long)ns, (unsigned long long)want);
}

static void known_rates(void **state)
{
	struct vtx_scale scale = vtx_scale_from_khz(1000000);

	/* 1 GHz: a tick is a nanosecond. */
	assert_int_equal(scale.mul, 0x80000000);
	assert_int_equal(scale.shift, 1);
	assert_int_equal(vtx_scale_ticks(scale, 123456789), 123456789);

	/* 3.5 GHz, the machine's. */
	scale = vtx_scale_from_khz(3500000);
	assert_int_equal(scale.shift, -1);
	assert_in_range(vtx_scale_ticks(scale, 3500000000ULL), 999999998, 1000000000);

	scale = vtx_scale_from_khz(2000000);
	assert_int_equal(vtx_scale_ticks(scale, 2000000000ULL), 1000000000);
}

static void mul_is_normalized(void **state)
{
	static const u32 khz[] = { 0, 1, 2, 3, 999, 1000, 500000, 999999, 1000000, 1000001, 1999999, 2000000,
				   2000001, 3500000, 4000000, 4000001, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff };

	for (size_t i = 0; i < ARRAY_SIZE(khz); i++) {
		struct vtx_scale scale = vtx_scale_from_khz(khz[i]);

		assert_true(scale.mul >= 0x80000000);
		assert_in_range(scale.shift + 13, 0, 33);
	}
}

static void random_rates(void **state)
{
	unsigned int seed = 7;

	for (int i = 0; i < 1000000; i++) {
		/* From 1 MHz to 4 THz, and up to half an hour at the highest. */
		u32 khz = 1000 + ((u32)rand_r(&seed) << 1) % 0xfffff000u;
		u64 ticks = ((u64)rand_r(&seed) << 22) ^ rand_r(&seed);

		check(khz, ticks);
	}
}

static void monotonic(void **state)
{
	struct vtx_scale scale = vtx_scale_from_khz(2994375);
	u64 last = 0;

	for (u64 ticks = 1ULL << 50; ticks < (1ULL << 50) + 100000; ticks++) {
		u64 ns = vtx_scale_ticks(scale, ticks);

		assert_true(ns >= last);
		last = ns;
	}
}

/* A guest that starts at a pair moved along the line is at most one nanosecond behind one that did not move. */
static void moved_base(void **state)
{
	unsigned int seed = 3;

	for (int i = 0; i < 200000; i++) {
		struct vtx_scale scale = vtx_scale_from_khz(1000000 + rand_r(&seed) % 4000000);
		/* Even, so that the bit a shift drops does not count twice. */
		u64 first = ((u64)rand_r(&seed) << 12) & ~3ULL, second = rand_r(&seed) & ~3ULL;
		u64 whole = vtx_scale_ticks(scale, first + second);
		u64 parts = vtx_scale_ticks(scale, first) + vtx_scale_ticks(scale, second);

		assert_in_range(whole - parts, 0, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_rates),
		cmocka_unit_test(mul_is_normalized),
		cmocka_unit_test(random_rates),
		cmocka_unit_test(monotonic),
		cmocka_unit_test(moved_base),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * TSC scaling: multiplier, forward and back, to nanoseconds and back, for all rates and at the ends of 64 bits; and the rule of halt
 * polling.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "pv/tsc.h"
#include "vmx/poll_window.h"

typedef unsigned __int128 u128;

static const u32 rates[] = { 1, 2, 3, 999, 1000, 1001, 32767, 32768, 65535, 65536, 1000000, 2399999, 3500000, 0x7ffffffe,
			     0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff };
static const u64 numbers[] = { 0, 1, 2, 3, 999, 0xffff, 0x10000, 0xffffffff, 1ULL << 32, (1ULL << 48) - 1, 1ULL << 48,
			       1ULL << 62, (1ULL << 63) - 1, 1ULL << 63, ~0ULL - 1, ~0ULL };

static u64 random64(unsigned int *seed)
{
	u64 value = (u64)rand_r(seed) << 42 ^ (u64)rand_r(seed) << 21 ^ (u64)rand_r(seed);

	return value >> (rand_r(seed) % 64);
}

static void multiplier(void **state)
{
	assert_true(vtx_tsc_ratio(3500000, 3500000) == VTX_TSC_UNITY);
	assert_true(vtx_tsc_ratio(1750000, 3500000) == VTX_TSC_UNITY / 2);
	assert_true(vtx_tsc_ratio(7000000, 3500000) == VTX_TSC_UNITY * 2);
	assert_true(vtx_tsc_ratio(1000000, 0) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++)
		for (size_t k = 0; k < ARRAY_SIZE(rates); k++) {
			u128 exact = ((u128)rates[i] << 48) / rates[k];

			assert_true(vtx_tsc_ratio(rates[i], rates[k]) == (exact >> 64 ? 0 : (u64)exact));
		}
}

static void limits(void **state)
{
	assert_int_equal(vtx_tsc_max_khz(3500000), 0x7fffffff);
	assert_int_equal(vtx_tsc_max_khz(1000), 65535999);
	for (size_t k = 0; k < ARRAY_SIZE(rates); k++) {
		u32 end = vtx_tsc_max_khz(rates[k]);

		/* All rates below have a multiplier. */
		assert_true(end && vtx_tsc_ratio(end - 1, rates[k]) | (end == 1));
	}
	assert_true(vtx_tsc_same_rate(3500000, 3500000));
	assert_true(vtx_tsc_same_rate(3500000 + 875, 3500000) && vtx_tsc_same_rate(3500000 - 875, 3500000));
	assert_false(vtx_tsc_same_rate(3500000 + 876, 3500000) || vtx_tsc_same_rate(3500000 - 876, 3500000));
	assert_false(vtx_tsc_same_rate(0, 3500000) || vtx_tsc_same_rate(0xffffffff, 3500000));
	assert_true(vtx_tsc_same_rate(0xffffffff, 0xffffffff));
}

static void check_back(u64 ticks, u64 ratio)
{
	u64 host = vtx_tsc_unscale(ticks, ratio);

	if (host == ~0ULL) {
		assert_true(((u128)ticks << 48) / ratio >= (u128)~0ULL - 1);
		return;
	}
	/* The guest's TSC has gone on by that much, and a tick before it had not. */
	assert_true(((u128)host * ratio) >> 48 >= ticks);
	assert_true(!host || ((u128)(host - 1) * ratio) >> 48 < ticks);
}

static void forward_and_back(void **state)
{
	unsigned int seed = 3;

	assert_true(vtx_tsc_scale(12345, VTX_TSC_UNITY) == 12345);
	assert_true(vtx_tsc_scale(1000, VTX_TSC_UNITY / 2) == 500);
	assert_true(vtx_tsc_scale(~0ULL, ~0ULL) == (u64)((u128)~0ULL * ~0ULL >> 48));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		for (size_t k = 1; k < ARRAY_SIZE(numbers); k++)
			check_back(numbers[i], numbers[k]);
	for (int i = 0; i < 1000000; i++)
		check_back(random64(&seed), random64(&seed) | 1);
}

static void nanoseconds(void **state)
{
	const u64 limit = 1ULL << 62;
	unsigned int seed = 5;

	for (int i = 0; i < 1000000; i++) {
		u32 khz = i < (int)ARRAY_SIZE(rates) ? rates[i] : (u32)random64(&seed);
		u64 n = random64(&seed);
		u128 ns = (u128)n * 1000000 / (khz ?: 1), ticks = (u128)n * khz / 1000000;
		u64 got = vtx_tsc_to_ns(n, khz, limit);

		/* Never early, never past the limit, and not a microsecond late. */
		assert_true(got <= limit && (got == limit || got >= ns) && (got <= ns + 1 || got == limit));
		assert_true(got != limit || ns + 1000000 >= limit);
		got = vtx_tsc_from_ns(n, khz);
		assert_true(got == (ticks >= ~0ULL ? ~0ULL : (u64)ticks + 1));
	}
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		for (size_t k = 0; k < ARRAY_SIZE(rates); k++) {
			assert_true(vtx_tsc_to_ns(numbers[i], rates[k], limit) <= limit);
			assert_true(vtx_tsc_from_ns(numbers[i], rates[k]) >= 1);
		}
	assert_true(vtx_tsc_to_ns(5, 0, limit) <= limit && vtx_tsc_from_ns(5, 0) == 1);
}

static u32 next(u32 window, u64 halt, u32 max, u32 grow, u32 start, u32 shrink)
{
	struct vtx_poll_rules rules = { .max = max, .grow = grow, .start = start, .shrink = shrink };

	return vtx_poll_window_next(window, halt, &rules);
}

static void poll_window(void **state)
{
	/* Short halts: it grows from the start to where they fit. */
	assert_int_equal(next(0, 50000, 200000, 2, 10000, 2), 10000);
	assert_int_equal(next(10000, 50000, 200000, 2, 10000, 2), 20000);
	assert_int_equal(next(40000, 50000, 200000, 2, 10000, 2), 80000);
	assert_int_equal(next(80000, 50000, 200000, 2, 10000, 2), 80000);
	/* Never past the limit, nor past 32 bits. */
	assert_int_equal(next(160000, 180000, 200000, 2, 10000, 2), 200000);
	assert_int_equal(next(0xf0000000, 0xf8000000, 0xffffffff, 0xffffffff, 10000, 2), 0xffffffff);
	assert_int_equal(next(0, 10, 5000, 2, 10000, 2), 5000);
	/* Long halts: it shrinks, and below the start it is nothing. */
	assert_int_equal(next(160000, 300000, 200000, 2, 10000, 2), 80000);
	assert_int_equal(next(16000, 300000, 200000, 2, 10000, 2), 0);
	assert_int_equal(next(160000, ~0ULL, 200000, 2, 10000, 0), 0);
	assert_int_equal(next(0, 300000, 200000, 2, 10000, 2), 0);
	/* A lower limit, none, and no growth. */
	assert_int_equal(next(200000, 100, 50000, 2, 10000, 2), 50000);
	assert_int_equal(next(200000, 100, 0, 2, 10000, 2), 0);
	assert_int_equal(next(0, 50000, 200000, 0, 10000, 2), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(multiplier),	cmocka_unit_test(limits),      cmocka_unit_test(forward_and_back),
		cmocka_unit_test(nanoseconds),	cmocka_unit_test(poll_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

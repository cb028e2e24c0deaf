// SPDX-License-Identifier: GPL-2.0-only
/*
 * Zones of coalesced writes: what a zone holds, also at the ends of the address space, and places of a ring whose indexes anybody may write.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "irqchip/zones.h"

static void holds(void **state)
{
	const struct kvm_coalesced_mmio_zone zone = { .addr = 0x1000, .size = 0x10 };
	const struct kvm_coalesced_mmio_zone top = { .addr = ~0ULL - 7, .size = 8 }, beyond = { .addr = ~0ULL - 3, .size = 16 };
	const struct kvm_coalesced_mmio_zone none = { .addr = 0x1000 };

	(void)state;
	assert_true(vtx_zone_holds(&zone, 0x1000, 1));
	assert_true(vtx_zone_holds(&zone, 0x1000, 16));
	assert_true(vtx_zone_holds(&zone, 0x100c, 4));
	assert_true(vtx_zone_holds(&zone, 0x100f, 1));
	assert_false(vtx_zone_holds(&zone, 0x100d, 4));
	assert_false(vtx_zone_holds(&zone, 0x1010, 1));
	assert_false(vtx_zone_holds(&zone, 0xfff, 2));
	assert_false(vtx_zone_holds(&zone, 0x1000, 17));
	assert_false(vtx_zone_holds(&zone, 0x1000, 0));
	assert_false(vtx_zone_holds(&zone, 0x1000, ~0ULL));
	assert_false(vtx_zone_holds(&none, 0x1000, 1));
	/* What wraps is in no zone, whatever the zone says of itself. */
	assert_true(vtx_zone_holds(&top, ~0ULL - 7, 4));
	assert_false(vtx_zone_holds(&beyond, ~0ULL - 3, 8));
	assert_false(vtx_zone_holds(&beyond, 0, 1));
}

static void places(void **state)
{
	u32 last = 0, first = 0, taken = 0;

	(void)state;
	/* One less than there are, from wherever one begins. */
	for (u32 begin = 0; begin < 5; begin++) {
		u32 n = 0;

		for (u32 at = begin; vtx_coalesced_place(begin, at, 5) == at; at = (at + 1) % 5)
			n++;
		assert_int_equal(n, 4);
	}
	/* Put and taken in turns. */
	for (int i = 0; i < 1000; i++) {
		u32 place = vtx_coalesced_place(first, last, 7);

		if (place == VTX_RING_FULL) {
			first = (first + 1) % 7;
			taken++;
			continue;
		}
		assert_true(place < 7);
		last = (place + 1) % 7;
	}
	assert_int_equal(taken, 497);
}

/* Whatever user space writes there, no place is outside. */
static void hostile(void **state)
{
	static const u32 values[] = { 0, 1, 6, 7, 8, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(values); k++) {
			u32 place = vtx_coalesced_place(values[i], values[k], 7);

			assert_true(place < 7 || place == VTX_RING_FULL);
			assert_true(values[k] < 7 || place == VTX_RING_FULL);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds),
		cmocka_unit_test(places),
		cmocka_unit_test(hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Guest memory: the hole, bounds of every access, placement; and the memory map made from it. */
#include "unit.h"

#include "userspace-vmm/e820.h"
#include "userspace-vmm/layout.h"

static void test_layout_small(void **state)
{
	struct vtx_ram ram;

	(void)state;
	vtx_ram_layout(&ram, 512 * MIB);
	assert_int_equal(ram.count, 1);
	assert_int_equal(ram.regions[0].size, 512 * MIB);
	vtx_ram_layout(&ram, VTX_HOLE_START);
	assert_int_equal(ram.count, 1);
}

static void test_layout_around_the_hole(void **state)
{
	struct vtx_ram ram;

	(void)state;
	vtx_ram_layout(&ram, 4096 * MIB);
	assert_int_equal(ram.count, 2);
	assert_int_equal(ram.regions[0].size, 0xd0000000);
	assert_int_equal(ram.regions[1].gpa, 0x100000000);
	assert_int_equal(ram.regions[1].size, 0x30000000);
}

static void test_access_bounds(void **state)
{
	struct vtx_ram ram;
	uint8_t low, high; /* only their addresses count */

	(void)state;
	vtx_ram_layout(&ram, 4096 * MIB);
	ram.regions[0].hva = &low;
	ram.regions[1].hva = &high;
	assert_ptr_equal(vtx_ram_at(&ram, 0, 1), &low);
	assert_ptr_equal(vtx_ram_at(&ram, 0x100000000, 0x30000000), &high);
	assert_non_null(vtx_ram_at(&ram, 0xcfffffff, 1));
	assert_non_null(vtx_ram_at(&ram, 0, 0xd0000000));
	assert_null(vtx_ram_at(&ram, 0xcfffffff, 2));
	assert_null(vtx_ram_at(&ram, 0xd0000000, 1));
	assert_null(vtx_ram_at(&ram, 0xffffffff, 2));
	assert_null(vtx_ram_at(&ram, 0x130000000, 1));
	assert_null(vtx_ram_at(&ram, 0, 0xd0000001));
	assert_null(vtx_ram_at(&ram, 0x1000, UINT64_MAX));
	assert_null(vtx_ram_at(&ram, UINT64_MAX, 2));
	assert_null(vtx_ram_at(&ram, UINT64_MAX - 0xfff, 0x2000));
}

static void test_place_high(void **state)
{
	struct vtx_ram ram;
	uint64_t gpa;

	(void)state;
	vtx_ram_layout(&ram, 64 * MIB);
	assert_int_equal(vtx_ram_place_high(&ram, 5000, 0, UINT64_MAX, &gpa), 0);
	assert_int_equal(gpa, 64 * MIB - 8192);
	assert_int_equal(vtx_ram_place_high(&ram, 4096, 0, 32 * MIB + 5, &gpa), 0);
	assert_int_equal(gpa, 32 * MIB - 4096);
	assert_int_equal(vtx_ram_place_high(&ram, 32 * MIB, 32 * MIB, UINT64_MAX, &gpa), 0);
	assert_int_equal(gpa, 32 * MIB);
	assert_int_equal(vtx_ram_place_high(&ram, 32 * MIB + 1, 32 * MIB, UINT64_MAX, &gpa), -1);
	assert_int_equal(vtx_ram_place_high(&ram, UINT64_MAX, 0, UINT64_MAX, &gpa), -1);
	assert_int_equal(vtx_ram_place_high(&ram, 65 * MIB, 0, UINT64_MAX, &gpa), -1);
}

static void check_map(uint64_t size)
{
	struct vtx_e820_range map[VTX_E820_MAX];
	uint64_t usable = 0, last = 0;
	struct vtx_ram ram;
	unsigned int n;

	vtx_ram_layout(&ram, size);
	n = vtx_e820_build(&ram, map);
	for (unsigned int i = 0; i < n; i++) {
		assert_true(map[i].size > 0);
		assert_true(map[i].addr >= last);
		last = map[i].addr + map[i].size;
		if (map[i].type != VTX_E820_RAM)
			continue;
		usable += map[i].size;
		/* what is called usable is there */
		ram.regions[0].hva = ram.regions[1].hva = (uint8_t *)&ram;
		assert_non_null(vtx_ram_at(&ram, map[i].addr, map[i].size));
	}
	/* all but the 384 KiB of the old hole and the KiB of the EBDA */
	assert_int_equal(usable, size - 385 * 1024);
}

static void test_e820(void **state)
{
	(void)state;
	check_map(2 * MIB);
	check_map(512 * MIB);
	check_map(VTX_HOLE_START);
	check_map(VTX_HOLE_START + MIB);
	check_map(16384 * MIB);
}

static void test_mapping(void **state)
{
	struct vtx_error error;
	struct vtx_ram ram;
	uint8_t *p;

	(void)state;
	vtx_ram_layout(&ram, 4096 * MIB);
	assert_int_equal(vtx_ram_map(&ram, &error), 0);
	/* host and guest addresses agree modulo 2 MiB, so that large pages fit */
	for (unsigned int i = 0; i < ram.count; i++)
		assert_int_equal(((uintptr_t)ram.regions[i].hva ^ ram.regions[i].gpa) & (2 * MIB - 1), 0);
	p = vtx_ram_at(&ram, 0x100000000 + 0x2fffffff, 1);
	*p = 1;
	p = vtx_ram_at(&ram, 0xcfffffff, 1);
	*p = 2;
	assert_int_equal(*(uint8_t *)vtx_ram_at(&ram, 0x12fffffff, 1), 1);
	vtx_ram_unmap(&ram);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout_small),
		cmocka_unit_test(test_layout_around_the_hole),
		cmocka_unit_test(test_access_bounds),
		cmocka_unit_test(test_place_high),
		cmocka_unit_test(test_e820),
		cmocka_unit_test(test_mapping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * EPT entries: what is built is never misconfigured, and each rule of SDM vol. 3, 29.3.3.1 is found when broken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "ept/entry.h"

static void geometry(void **state)
{
	const u64 gfn = 0x123456789ULL;

	assert_int_equal(vtx_ept_span(1), 1);
	assert_int_equal(vtx_ept_span(2), 512);
	assert_int_equal(vtx_ept_span(4), 1 << 27);
	assert_int_equal(vtx_ept_index(gfn, 1), 0x189);
	/* The four indices put together again give the frame. */
	assert_int_equal((u64)vtx_ept_index(gfn, 4) << 27 | vtx_ept_index(gfn, 3) << 18 | vtx_ept_index(gfn, 2) << 9 |
				 vtx_ept_index(gfn, 1), gfn);
	assert_int_equal(vtx_ept_index(VTX_EPT_MAX_GFN, 4), 511);
}

static void leaves(void **state)
{
	/* 4K, read-only: present, write-back with PAT ignored, accessed but not dirty. */
	assert_int_equal(vtx_epte_leaf(0xabcde, 1, VTX_EPTE_READ), 0xabcde000ULL | 1 | 6 << 3 | 1 << 6 | 1 << 8);
	/* Writable comes with dirty. */
	assert_int_equal(vtx_epte_leaf(1, 1, VTX_EPTE_RWX), 0x1000ULL | 7 | 6 << 3 | 1 << 6 | 1 << 8 | 1 << 9);
	/* 2M: the low frame bits vanish, bit 7 says large. */
	assert_int_equal(vtx_epte_leaf(0x2ff, 2, VTX_EPTE_READ), 0x200000ULL | 1 | 6 << 3 | 1 << 6 | 1 << 7 | 1 << 8);
	assert_int_equal(vtx_epte_pfn(vtx_epte_leaf(0x2ff, 2, VTX_EPTE_RWX)), 0x200);
	assert_int_equal(vtx_epte_pfn(vtx_epte_leaf(0xffffffffffULL, 1, VTX_EPTE_RWX)), 0xffffffffffULL);
	assert_int_equal(vtx_epte_table(0x5000), 0x5007);

	assert_true(vtx_epte_is_leaf(vtx_epte_leaf(1, 1, VTX_EPTE_READ), 1));
	assert_true(vtx_epte_is_leaf(vtx_epte_leaf(0x200, 2, VTX_EPTE_READ), 2));
	assert_false(vtx_epte_is_leaf(vtx_epte_table(0x5000), 2));
	assert_false(vtx_epte_present(0));
	/* Any of the three permissions makes an entry present. */
	for (u64 rwx = 1; rwx < 8; rwx++)
		assert_true(vtx_epte_present(rwx));
	assert_false(vtx_epte_present(~7ULL));
}

static void needs(void **state)
{
	assert_int_equal(vtx_ept_needs(false, false), 1);
	assert_int_equal(vtx_ept_needs(true, false), 3);
	assert_int_equal(vtx_ept_needs(false, true), 5);
}

static void built_entries_are_good(void **state)
{
	static const u64 rwx[] = { 1, 3, 5, 7 };

	for (unsigned int i = 0; i < ARRAY_SIZE(rwx); i++)
		for (int level = 1; level <= 3; level++)
			for (int bit = 0; bit < 28; bit++)
				assert_null(vtx_epte_misconfigured(vtx_epte_leaf(1ULL << bit, level, rwx[i]), level, 40,
								   false));
	for (int level = 2; level <= 4; level++)
		assert_null(vtx_epte_misconfigured(vtx_epte_table(0xfffffff000), level, 40, false));
}

static void bad_entries_are_found(void **state)
{
	const u64 page = vtx_epte_leaf(0x1000, 1, VTX_EPTE_RWX), large = vtx_epte_leaf(0x1000, 2, VTX_EPTE_RWX);
	const u64 table = vtx_epte_table(0x5000);
	const u64 type = VTX_EPTE_TYPE_MASK;

	/* Not present: nothing else counts. */
	assert_null(vtx_epte_misconfigured(~7ULL, 1, 40, false));
	assert_non_null(vtx_epte_misconfigured((page & ~7ULL) | 2, 1, 40, false));
	assert_non_null(vtx_epte_misconfigured((page & ~7ULL) | 6, 1, 40, true));
	assert_non_null(vtx_epte_misconfigured((page & ~7ULL) | 4, 1, 40, false));
	assert_null(vtx_epte_misconfigured((page & ~7ULL) | 4, 1, 40, true));

	assert_non_null(vtx_epte_misconfigured(page | 1ULL << 40, 1, 40, false));
	assert_null(vtx_epte_misconfigured(page | 1ULL << 39, 1, 40, false));
	assert_non_null(vtx_epte_misconfigured(page | 1ULL << 51, 1, 46, false));
	assert_null(vtx_epte_misconfigured(page | 1ULL << 51, 1, 52, false));
	assert_null(vtx_epte_misconfigured(page | 1ULL << 52, 1, 40, false));

	for (u64 t = 0; t < 8; t++) {
		bool bad = t == 2 || t == 3 || t == 7;

		assert_int_equal(!!vtx_epte_misconfigured((page & ~type) | t << 3, 1, 40, false), bad);
		assert_int_equal(!!vtx_epte_misconfigured((large & ~type) | t << 3, 2, 40, false), bad);
	}
	for (int bit = 3; bit < 7; bit++)
		for (int level = 2; level <= 4; level++)
			assert_non_null(vtx_epte_misconfigured(table | 1ULL << bit, level, 40, false));
	for (int bit = 12; bit < 21; bit++)
		assert_non_null(vtx_epte_misconfigured(large | 1ULL << bit, 2, 40, false));
	assert_non_null(vtx_epte_misconfigured(table | VTX_EPTE_LARGE, 4, 40, false));
}

/* A large page cut up is the same memory, and again good entries: 1G into 2M, 2M into 4K. */
static void parts(void **state)
{
	for (int level = 3; level > 1; level--) {
		u64 leaf = vtx_epte_leaf(0x123456789ULL, level, VTX_EPTE_READ | VTX_EPTE_WRITE);

		for (unsigned int i = 0; i < 512; i++) {
			u64 part = vtx_epte_part(leaf, level, i);

			assert_int_equal(part, vtx_epte_leaf(vtx_epte_pfn(leaf) + i * vtx_ept_span(level - 1), level - 1,
							     VTX_EPTE_READ | VTX_EPTE_WRITE));
			assert_null(vtx_epte_misconfigured(part, level - 1, 46, false));
			assert_true(vtx_epte_is_leaf(part, level - 1));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(geometry),
		cmocka_unit_test(leaves),
		cmocka_unit_test(needs),
		cmocka_unit_test(parts),
		cmocka_unit_test(built_entries_are_good),
		cmocka_unit_test(bad_entries_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSR policy: the direct map agrees with the table, values that would fault or fail a VM entry are refused, and the MSR
 * bitmap lets nothing through but the allow-list.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include "exits/msr_filter.h"
#include "exits/msr_policy.h"

static struct vtx_cpuid full;	/* a vCPU that has every feature */
static struct vtx_cpuid bare;	/* and one that has none */

static int setup(void **state)
{
	memset(full.features, 0xff, sizeof(full.features));
	full.spec_ctrl_allowed = 7;
	full.maxphyaddr = 46;
	bare.maxphyaddr = 36;
	return 0;
}

static bool ok(u32 index, u64 data)
{
	return vtx_msr_value_ok(vtx_msr_find(index), index, data, &full, &full);
}

/* ------------------------------------------------------------------ the table */

static enum vtx_msr_id by_search(u32 index)
{
	unsigned int id;

	for (id = 1; id < VTX_NR_MSR_IDS; id++)
		if (index >= vtx_msr_rows[id].first && index <= vtx_msr_rows[id].last)
			return id;
	return VTX_MSR_NONE;
}

/* The sweep of the bug catalogue (rows 37, 38): every index of the architectural ranges and of the hypervisor's. */
static void test_map_agrees_with_rows(void **state)
{
	static const u32 ranges[][2] = { { 0, 0x1fff }, { 0xc0000000, 0xc0001fff }, { 0x40000000, 0x400000ff },
					 { 0x4b564c00, 0x4b564eff }, { 0xc0010000, 0xc0011fff }, { 0xfffffff0, 0xffffffff } };
	unsigned int i, known = 0;
	u64 index;

	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		for (index = ranges[i][0]; index <= ranges[i][1]; index++) {
			enum vtx_msr_id id = vtx_msr_find(index);

			if (id != by_search(index))
				fail_msg("%x: the map says %u, the rows say %u", (u32)index, id, by_search(index));
			known += id != VTX_MSR_NONE;
		}
	}
	for (i = 1; i < VTX_NR_MSR_IDS; i++) {
		assert_non_null(vtx_msr_rows[i].name);
		known -= vtx_msr_rows[i].last - vtx_msr_rows[i].first + 1;
		assert_int_equal(vtx_msr_find(vtx_msr_rows[i].first), i);
		assert_int_equal(vtx_msr_find(vtx_msr_rows[i].last), i);
	}
	assert_int_equal(known, 0);	/* no row lies outside the sweep */
}

/* Access beyond an array of the vCPU must be impossible. */
static void test_array_places(void **state)
{
	u32 index;

	assert_int_equal(vtx_msr_rows[VTX_MSR_MTRR_VAR].last - vtx_msr_rows[VTX_MSR_MTRR_VAR].first, 15);
	for (index = 0x250; index <= 0x26f; index++) {
		enum vtx_msr_id id = vtx_msr_find(index);

		if (id == VTX_MSR_MTRR_FIX64K || id == VTX_MSR_MTRR_FIX16K || id == VTX_MSR_MTRR_FIX4K)
			assert_in_range(vtx_mtrr_fixed_slot(index), 0, 10);
	}
	assert_int_equal(vtx_mtrr_fixed_slot(0x250), 0);
	assert_int_equal(vtx_mtrr_fixed_slot(0x259), 2);
	assert_int_equal(vtx_mtrr_fixed_slot(0x26f), 10);
}

static void test_listed_means_both_directions(void **state)
{
	u32 list[256], n = vtx_msr_list(&full, VTX_MSR_LISTED, list, ARRAY_SIZE(list)), i, wanted;
	static const u32 must[] = { 0x10, 0x3b, 0x174, 0x175, 0x176, 0x277, 0x1a0, 0x6e0, 0xc0000081, 0xc0000082, 0xc0000083,
				    0xc0000084, 0xc0000102, 0xc0000103, 0x11, 0x12, 0x4b564d00, 0x4b564d01, 0x4b564d03, 0x48, 0xce, 0x140 };

	assert_in_range(n, ARRAY_SIZE(must), ARRAY_SIZE(list));
	for (i = 0; i < n; i++) {
		enum vtx_msr_id id = vtx_msr_find(list[i]);

		assert_true(vtx_msr_readable(id, &bare, true) && vtx_msr_writable(id, &bare, true));
	}
	for (wanted = 0; wanted < ARRAY_SIZE(must); wanted++) {
		for (i = 0; i < n && list[i] != must[wanted]; i++)
			;
		if (i == n)
			fail_msg("%x is not listed", must[wanted]);
	}
	/* What the host does not have is not listed. */
	n = vtx_msr_list(&bare, VTX_MSR_LISTED, list, ARRAY_SIZE(list));
	for (i = 0; i < n; i++)
		assert_true(list[i] != 0x48 && list[i] != 0xc0000103 && list[i] != 0x10a);
	/* Counting writes nothing. */
	assert_int_equal(vtx_msr_list(&bare, VTX_MSR_LISTED, NULL, 0), n);
	assert_in_range(vtx_msr_list(&full, VTX_MSR_FEATURE, list, 1), 1, 16);
}

static void test_who_may(void **state)
{
	static const u32 absent[] = { 0x3b, 0x48, 0x49, 0x10a, 0x6e0, 0xc0000103, 0x11, 0x12, 0x4b564d00, 0x4b564d01 };
	unsigned int i;

	/* Without the CPUID feature the MSR does not exist for the guest; user space reaches it. */
	for (i = 0; i < ARRAY_SIZE(absent); i++) {
		enum vtx_msr_id id = vtx_msr_find(absent[i]);

		assert_false(vtx_msr_readable(id, &bare, false));
		assert_false(vtx_msr_writable(id, &bare, false));
		assert_true(vtx_msr_writable(id, &bare, true));
		assert_true(vtx_msr_writable(id, &full, false) || id == VTX_MSR_ARCH_CAPABILITIES);
	}
	assert_false(vtx_msr_readable(VTX_MSR_NONE, &full, true));
	assert_false(vtx_msr_writable(VTX_MSR_NONE, &full, true));
	assert_false(vtx_msr_readable(VTX_MSR_PRED_CMD, &full, false));		/* write-only */
	assert_false(vtx_msr_writable(VTX_MSR_MTRR_CAP, &full, false));
	assert_false(vtx_msr_writable(VTX_MSR_MTRR_CAP, &full, true));
	assert_false(vtx_msr_writable(VTX_MSR_FEATURE_CONTROL, &full, false));	/* locked */
	assert_false(vtx_msr_readable(VTX_MSR_MC_BANK, &full, false));		/* no banks */
	assert_true(vtx_msr_writable(VTX_MSR_MC_BANK, &full, true));		/* QEMU writes them all the same */
}

/* ------------------------------------------------------------------ values */

static void test_canonical(void **state)
{
	static const u32 bases[] = { 0xc0000082, 0xc0000083, 0xc0000100, 0xc0000101, 0xc0000102 };
	unsigned int i, bit;

	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		assert_true(ok(bases[i], 0));
		assert_true(ok(bases[i], 0x00007fffffffffff));
		assert_true(ok(bases[i], 0xffff800000000000));
		assert_true(ok(bases[i], ~0ull));
		assert_false(ok(bases[i], 0x0000800000000000));
		assert_false(ok(bases[i], 0xffff7fffffffffff));
		for (bit = 0; bit < 64; bit++)
			assert_int_equal(ok(bases[i], 1ull << bit), bit < 47);
	}
}

static void test_memory_types(void **state)
{
	unsigned int type, place;

	for (place = 0; place < 64; place += 8) {
		for (type = 0; type < 256; type++) {
			u64 data = (0x0606060606060606ull & ~(0xffull << place)) | (u64)type << place;
			bool mtrr = type == 0 || type == 1 || type == 4 || type == 5 || type == 6;

			assert_int_equal(ok(0x250, data), mtrr);
			assert_int_equal(ok(0x26f, data), mtrr);
			assert_int_equal(ok(0x277, data), mtrr || type == 7);	/* the PAT has UC- */
		}
	}
	assert_true(ok(0x2ff, 0xc06));
	assert_false(ok(0x2ff, 0xc07));
	assert_false(ok(0x2ff, 0x1006));
	/* A pair: base with type, mask with valid bit; both within the physical address. */
	assert_true(ok(0x200, 0x3fffffff006ull));
	assert_false(ok(0x200, 0x3fffffff106ull));
	assert_false(ok(0x200, 1ull << 46 | 6));
	assert_true(ok(0x201, 0x3ffffffff800ull));
	assert_false(ok(0x201, 0x400));
	assert_false(ok(0x20f, 1ull << 46 | 0x800));
}

static void test_masks(void **state)
{
	struct vtx_cpuid ibrs = full;
	unsigned int bit;

	for (bit = 0; bit < 64; bit++) {
		u64 one = 1ull << bit;

		assert_int_equal(ok(0x48, one), bit <= 2);		/* SPEC_CTRL: IBRS, STIBP, SSBD */
		assert_int_equal(ok(0x49, one), bit == 0);		/* PRED_CMD: IBPB */
		assert_int_equal(ok(0x1d9, one), bit <= 1);		/* DEBUGCTL: LBR and BTF, which are dropped */
		assert_int_equal(ok(0x140, one), bit == 0);		/* CPUID faulting */
		assert_int_equal(ok(0xc0000084, one), bit < 32);	/* FMASK */
		assert_int_equal(ok(0xc0000103, one), bit < 32);	/* TSC_AUX */
		assert_int_equal(ok(0x17a, one), bit <= 2);
		/* ARCH_CAPABILITIES: nothing that promises an MSR (TSX_CTRL 7, DOITM 12, FB_CLEAR_CTRL 18 ...) */
		if (bit == 3 || bit == 7 || (bit >= 9 && bit <= 12) || bit == 16 || bit == 18 || bit == 21 || bit == 23 || bit > 28)
			assert_false(ok(0x10a, one));
	}
	/* The limits are the vCPU's. */
	ibrs.spec_ctrl_allowed = 1;
	assert_true(vtx_msr_value_ok(VTX_MSR_SPEC_CTRL, 0x48, 1, &ibrs, &ibrs));
	assert_false(vtx_msr_value_ok(VTX_MSR_SPEC_CTRL, 0x48, 2, &ibrs, &ibrs));
	assert_true(vtx_msr_value_ok(VTX_MSR_SPEC_CTRL, 0x48, 2, &ibrs, &full));
}

/* ------------------------------------------------------------------ the MSR bitmap (bug catalogue, row 40) */

static void test_bitmap(void **state)
{
	static const u32 both[] = { 0x174, 0x175, 0x176, 0xc0000100, 0xc0000101, 0xc0000102 };
	u8 *bitmap = malloc(4096);
	unsigned int i, clear = 0;
	u32 index;

	memset(bitmap, 0, 4096);
	vtx_msr_bitmap_fill(bitmap);
	for (i = 0; i < 4096 * 8; i++)
		clear += !(bitmap[i / 8] >> (i % 8) & 1);
	assert_int_equal(clear, 2 * ARRAY_SIZE(both) + 1);
	for (i = 0; i < ARRAY_SIZE(both); i++) {
		assert_false(vtx_msr_intercepted(bitmap, both[i], false));
		assert_false(vtx_msr_intercepted(bitmap, both[i], true));
	}
	assert_false(vtx_msr_intercepted(bitmap, 0x10, false));		/* RDMSR of the TSC adds the offset by itself */
	assert_true(vtx_msr_intercepted(bitmap, 0x10, true));
	for (index = 0x800; index <= 0x8ff; index++) {
		assert_true(vtx_msr_intercepted(bitmap, index, false));
		assert_true(vtx_msr_intercepted(bitmap, index, true));
	}
	assert_true(vtx_msr_intercepted(bitmap, 0x2000, false));
	assert_true(vtx_msr_intercepted(bitmap, 0xc0002000, true));
	/* The layout of SDM vol. 3, 25.6.9, by hand: reads low, reads high, writes low, writes high. */
	assert_int_equal(bitmap[0x10 / 8] & 1 << (0x10 % 8), 0);
	assert_int_equal(bitmap[1024 + 0x100 / 8] & 1, 0);
	assert_int_equal(bitmap[2048 + 0x174 / 8] & 1 << (0x174 % 8), 0);
	assert_int_equal(bitmap[3072 + 0x102 / 8] & 1 << (0x102 % 8), 0);
	free(bitmap);
}

/* ------------------------------------------------------------------ the filter */

static void test_filter(void **state)
{
	static const u8 third[8] = { 4 }, all[8] = { [0 ... 7] = 0xff }, none[8];
	static const struct vtx_msr_filter filter = {
		.others_allowed = true,
		.ranges = {
			[1] = { .base = 0xc0000100, .count = 3, .reads = true, .allowed = third },
			[2] = { .base = 0xc0000100, .count = 3, .reads = true, .writes = true, .allowed = all },
			[15] = { .base = 0xfffffff8, .count = 64, .reads = true, .writes = true, .allowed = none },
		},
	};
	static const struct vtx_msr_filter deny = { .others_allowed = false };
	u8 *bitmap = malloc(4096);

	assert_true(vtx_msr_filter_allows(NULL, 0x10, true));
	assert_false(vtx_msr_filter_allows(&filter, 0xc0000100, false));
	assert_true(vtx_msr_filter_allows(&filter, 0xc0000100, true));	/* the second range decides */
	assert_true(vtx_msr_filter_allows(&filter, 0xc0000102, false));
	assert_true(vtx_msr_filter_allows(&filter, 0xc00000ff, false));
	assert_true(vtx_msr_filter_allows(&filter, 0xc0000103, false));
	/* A range that goes over the end ends there. */
	assert_false(vtx_msr_filter_allows(&filter, 0xffffffff, true));
	assert_true(vtx_msr_filter_allows(&filter, 0, true));
	assert_false(vtx_msr_filter_allows(&deny, 0x38, true));
	assert_true(vtx_msr_filter_allows(&deny, 0x802, false));	/* x2APIC */

	vtx_msr_bitmap_fill(bitmap);
	vtx_msr_bitmap_set(bitmap, 0x802, false, false);	/* as with APIC virtualization */
	vtx_msr_filter_bitmap(&filter, bitmap);
	assert_true(vtx_msr_intercepted(bitmap, 0xc0000100, false));
	assert_false(vtx_msr_intercepted(bitmap, 0xc0000100, true));
	assert_false(vtx_msr_intercepted(bitmap, 0xc0000102, false));
	assert_false(vtx_msr_intercepted(bitmap, 0x10, false));
	assert_false(vtx_msr_intercepted(bitmap, 0x802, false));
	assert_true(vtx_msr_intercepted(bitmap, 0xc0000082, false));	/* allowed, and exits as ever */
	vtx_msr_filter_bitmap(NULL, bitmap);
	assert_false(vtx_msr_intercepted(bitmap, 0xc0000100, false));
	free(bitmap);
}

/* ------------------------------------------------------------------ TSC writes of user space */

static void test_tsc_join(void **state)
{
	const u64 hz = 3500000000ull, now = 90 * hz, common = -80 * hz;	/* the VM's TSC shows 10 s */

	assert_int_equal(vtx_tsc_join(0, now, common, hz), common);		/* "as new" */
	assert_int_equal(vtx_tsc_join(10 * hz, now, common, hz), common);
	assert_int_equal(vtx_tsc_join(10 * hz + hz / 2, now, common, hz), common);
	assert_int_equal(vtx_tsc_join(10 * hz - hz / 2, now, common, hz), common);
	assert_int_equal(vtx_tsc_join(12 * hz, now, common, hz), 12 * hz - now);
	assert_int_equal(vtx_tsc_join(8 * hz, now, common, hz), 8 * hz - now);
	/* Two vCPUs restored 100 ms apart agree. */
	u64 first = vtx_tsc_join(500 * hz, now, common, hz);

	assert_int_equal(first, 500 * hz - now);
	assert_int_equal(vtx_tsc_join(500 * hz, now + hz / 10, first, hz), first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map_agrees_with_rows), cmocka_unit_test(test_array_places),
		cmocka_unit_test(test_listed_means_both_directions), cmocka_unit_test(test_who_may),
		cmocka_unit_test(test_canonical), cmocka_unit_test(test_memory_types), cmocka_unit_test(test_masks),
		cmocka_unit_test(test_bitmap), cmocka_unit_test(test_filter), cmocka_unit_test(test_tsc_join),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

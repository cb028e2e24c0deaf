// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slot algebra: each refusal of KVM_SET_USER_MEMORY_REGION, and random sequences against a model that keeps one
 * entry a frame.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "ept/slot_array.h"

#define USER_END 0x7ffffffff000ULL

static const struct vtx_slot_limits limits = {
	.max_gfn = (1ULL << 28) - 1,	/* 40 bits of address */
	.user_end = USER_END,
	.flags = KVM_MEM_READONLY,
};

/* Two arrays that take turns, as the kernel's do. */
static struct {
	struct vtx_slots head;
	struct vtx_slot room[VTX_MAX_SLOTS + 1];
} arrays[2];
static int turn;

static struct vtx_slots *now(void)
{
	return &arrays[turn].head;
}

static int set(u32 id, u32 flags, u64 gpa, u64 size, u64 hva)
{
	struct kvm_userspace_memory_region region = {
		.slot = id, .flags = flags, .guest_phys_addr = gpa, .memory_size = size, .userspace_addr = hva,
	};
	struct vtx_slot_plan plan = {0};
	int r = vtx_slots_plan(now(), &region, &limits, &plan);

	if (r || plan.change == VTX_SLOT_NOTHING)
		return r;
	vtx_slots_apply(&arrays[!turn].head, now(), &plan);
	turn = !turn;
	return 0;
}

static int clear_slots(void **state)
{
	now()->count = 0;
	return 0;
}

static void refuses_bad_arguments(void **state)
{
	static const struct {
		const char *what;
		u32 id, flags;
		u64 gpa, size, hva;
	} bad[] = {
		{ "unknown flag", 0, 1 << 2, 0, 0x1000, 0x10000 },
		{ "dirty log, which is not there", 0, KVM_MEM_LOG_DIRTY_PAGES, 0, 0x1000, 0x10000 },
		{ "highest flag", 0, 1U << 31, 0, 0x1000, 0x10000 },
		{ "size not of pages", 0, 0, 0, 0x1001, 0x10000 },
		{ "guest address misaligned", 0, 0, 0x800, 0x1000, 0x10000 },
		{ "user address misaligned", 0, 0, 0, 0x1000, 0x10008 },
		{ "user address of the kernel", 0, 0, 0, 0x1000, 0xffff888000000000ULL },
		{ "user address not canonical (tagged)", 0, 0, 0, 0x1000, 0x4200000000010000ULL },
		{ "user range ends beyond user space", 0, 0, 0, 0x2000, USER_END - 0x1000 },
		{ "user range wraps", 0, 0, 0, 0x2000, ~0xfffULL },
		{ "size beyond user space", 0, 0, 0, 1ULL << 47, 0 },
		{ "size with the sign bit", 0, 0, 0, 1ULL << 63, 0x10000 },
		{ "guest range wraps", 0, 0, ~0xfffULL, 0x2000, 0x10000 },
		{ "guest range wraps to 0", 0, 0, ~0xfffULL, 0x1000, 0x10000 },
		{ "more pages than a slot holds", 0, 0, 0, 1ULL << 43, 0x10000 },
		{ "slot number out of range", VTX_MAX_SLOTS, 0, 0, 0x1000, 0x10000 },
		{ "slot number of the second address space", 1 << 16, 0, 0, 0x1000, 0x10000 },
		{ "slot number -1", ~0U, 0, 0, 0x1000, 0x10000 },
		{ "beyond the guest-physical width", 0, 0, 1ULL << 40, 0x1000, 0x10000 },
		{ "ends beyond the guest-physical width", 0, 0, (1ULL << 40) - 0x1000, 0x2000, 0x10000 },
		{ "delete what is not there", 0, 0, 0, 0, 0x10000 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int r = set(bad[i].id, bad[i].flags, bad[i].gpa, bad[i].size, bad[i].hva);

		if (r != -EINVAL)
			fail_msg("%s: %d", bad[i].what, r);
		assert_int_equal(now()->count, 0);
	}
}

static void accepts_the_edges(void **state)
{
	assert_int_equal(set(VTX_MAX_SLOTS - 1, KVM_MEM_READONLY, (1ULL << 40) - 0x1000, 0x1000, USER_END - 0x1000), 0);
	assert_int_equal(set(0, 0, 0, 0x1000, 0), 0);
	assert_int_equal(now()->count, 2);
}

/* KVM's limit on one slot, on a machine with addresses enough. */
static void largest_slot(void **state)
{
	const struct vtx_slot_limits wide = { .max_gfn = (1ULL << 36) - 1, .user_end = USER_END };
	struct kvm_userspace_memory_region region = { .memory_size = ((1ULL << 31) - 1) << 12 };
	struct vtx_slot_plan plan = {0};

	assert_int_equal(vtx_slots_plan(now(), &region, &wide, &plan), 0);
	assert_int_equal(plan.change, VTX_SLOT_CREATE);
	region.memory_size += 0x1000;
	assert_int_equal(vtx_slots_plan(now(), &region, &wide, &plan), -EINVAL);
}

static void changes_of_an_existing_slot(void **state)
{
	assert_int_equal(set(1, 0, 0x10000, 0x4000, 0x100000), 0);
	assert_int_equal(set(2, 0, 0x20000, 0x4000, 0x200000), 0);

	/* The same again is no change; another size, address or read-only is refused; both keep what is there. */
	assert_int_equal(set(1, 0, 0x10000, 0x4000, 0x100000), 0);
	assert_int_equal(set(1, 0, 0x10000, 0x5000, 0x100000), -EINVAL);
	assert_int_equal(set(1, 0, 0x10000, 0x4000, 0x101000), -EINVAL);
	assert_int_equal(set(1, KVM_MEM_READONLY, 0x10000, 0x4000, 0x100000), -EINVAL);
	/* Resizing is refused before the overlap is looked at. */
	assert_int_equal(set(1, 0, 0x20000, 0x5000, 0x100000), -EINVAL);

	/* Moving: onto another is refused, over itself is allowed. */
	assert_int_equal(set(1, 0, 0x23000, 0x4000, 0x100000), -EEXIST);
	assert_int_equal(set(1, 0, 0x1d000, 0x4000, 0x100000), -EEXIST);
	assert_int_equal(vtx_slots_by_id(now(), 1)->gfn, 0x10);
	assert_int_equal(set(1, 0, 0x12000, 0x4000, 0x100000), 0);
	assert_null(vtx_slots_find(now(), 0x11));
	assert_int_equal(vtx_slots_find(now(), 0x12)->id, 1);
	assert_int_equal(vtx_slots_find(now(), 0x15)->id, 1);
	assert_null(vtx_slots_find(now(), 0x16));
	/* Past the other one: the order in the array changes. */
	assert_int_equal(set(1, 0, 0x24000, 0x4000, 0x100000), 0);
	assert_int_equal(now()->slot[0].id, 2);
	/* Out of reach: overlap comes first, then the width. */
	assert_int_equal(set(1, 0, 1ULL << 40, 0x4000, 0x100000), -EINVAL);
	assert_int_equal(vtx_slots_by_id(now(), 1)->gfn, 0x24);

	/* Delete: base and address do not matter, as long as they are aligned. */
	assert_int_equal(set(2, 0, 0x777000, 0, 0x300000), 0);
	assert_int_equal(set(2, 0, 0, 0, 0), -EINVAL);
	assert_int_equal(now()->count, 1);
}

static void new_slot_overlaps(void **state)
{
	assert_int_equal(set(1, 0, 0x10000, 0x4000, 0x100000), 0);
	assert_int_equal(set(2, 0, 0x10000, 0x4000, 0x200000), -EEXIST);
	assert_int_equal(set(2, 0, 0xf000, 0x2000, 0x200000), -EEXIST);
	assert_int_equal(set(2, 0, 0x13000, 0x1000, 0x200000), -EEXIST);
	assert_int_equal(set(2, 0, 0, 0x100000, 0x200000), -EEXIST);
	assert_int_equal(set(2, 0, 0xf000, 0x1000, 0x200000), 0);
	assert_int_equal(set(3, 0, 0x14000, 0x1000, 0x200000), 0);
	assert_int_equal(now()->count, 3);
}

static void takes_all_slots(void **state)
{
	for (u32 i = 0; i < VTX_MAX_SLOTS; i++)
		assert_int_equal(set(i, 0, (u64)(VTX_MAX_SLOTS - i) * 0x2000, 0x1000, 0x100000), 0);
	assert_int_equal(now()->count, VTX_MAX_SLOTS);
	for (u32 i = 0; i < VTX_MAX_SLOTS; i++) {
		assert_int_equal(vtx_slots_find(now(), (VTX_MAX_SLOTS - i) * 2)->id, i);
		assert_null(vtx_slots_find(now(), (VTX_MAX_SLOTS - i) * 2 + 1));
	}
}

/* The model: owner[gfn] is the slot's id + 1. */
#define FRAMES 64
#define IDS 6

static void random_walk(void **state)
{
	unsigned char owner[FRAMES] = {0};
	u64 pages[IDS] = {0};
	unsigned int seed = 1;

	for (int step = 0; step < 200000; step++) {
		u32 id = rand_r(&seed) % IDS;
		u64 gfn = rand_r(&seed) % FRAMES, n = rand_r(&seed) % 3 ? pages[id] : rand_r(&seed) % 20;
		int expect = 0, r;

		if (n && pages[id] && n != pages[id])
			expect = -EINVAL;
		else if (!n && !pages[id])
			expect = -EINVAL;
		for (u64 f = gfn; !expect && f < gfn + n && f < FRAMES; f++)
			if (owner[f] && owner[f] != id + 1)
				expect = -EEXIST;
		if (gfn + n > FRAMES)
			continue;

		r = set(id, 0, gfn << 12, n << 12, (id + 1) * 0x100000);
		if (r != expect)
			fail_msg("step %d: slot %u, %llu pages at %llu: %d, not %d", step, id, (unsigned long long)n,
				 (unsigned long long)gfn, r, expect);
		if (!r) {
			for (int f = 0; f < FRAMES; f++)
				if (owner[f] == id + 1)
					owner[f] = 0;
			for (u64 f = gfn; f < gfn + n; f++)
				owner[f] = id + 1;
			pages[id] = n;
		}
		for (int f = 0; f < FRAMES; f++) {
			const struct vtx_slot *slot = vtx_slots_find(now(), f);

			assert_int_equal(slot ? slot->id + 1 : 0, owner[f]);
		}
	}
}

static void user_ranges(void **state)
{
	const struct vtx_slot slot = { .gfn = 0x100, .npages = 16, .hva = 0x7f0000010000 };
	u64 gfn, end;

	assert_false(vtx_slot_hva_range(&slot, 0, slot.hva, &gfn, &end));
	assert_false(vtx_slot_hva_range(&slot, slot.hva + 0x10000, ~0UL, &gfn, &end));
	assert_false(vtx_slot_hva_range(&slot, slot.hva, slot.hva, &gfn, &end));
	assert_true(vtx_slot_hva_range(&slot, 0, ~0UL, &gfn, &end));
	assert_int_equal(gfn, 0x100);
	assert_int_equal(end, 0x110);
	/* Not whole pages: all that are touched. */
	assert_true(vtx_slot_hva_range(&slot, slot.hva + 0x1fff, slot.hva + 0x2001, &gfn, &end));
	assert_int_equal(gfn, 0x101);
	assert_int_equal(end, 0x103);
	assert_true(vtx_slot_hva_range(&slot, slot.hva + 0xffff, ~0UL, &gfn, &end));
	assert_int_equal(gfn, 0x10f);
	assert_int_equal(end, 0x110);
	assert_int_equal(vtx_slot_hva(&slot, 0x10f), slot.hva + 0xf000);
}

static void large_pages(void **state)
{
	struct vtx_slot slot = { .gfn = 0x100, .npages = 0x500, .hva = 0x7f0000100000 };

	/* Congruent: the wholly covered 2M at 0x200 and 0x400, not the ends. */
	assert_false(vtx_slot_fits(&slot, 0x1ff, 512));
	assert_true(vtx_slot_fits(&slot, 0x200, 512));
	assert_true(vtx_slot_fits(&slot, 0x5ff, 512));
	assert_false(vtx_slot_fits(&slot, 0x3ff + 0x201, 512));
	slot.npages--;
	assert_false(vtx_slot_fits(&slot, 0x400, 512));
	slot.npages++;
	slot.hva += 0x1000;
	assert_false(vtx_slot_fits(&slot, 0x200, 512));

	/* 1G: the wholly covered one at 0x40000, and only where the addresses are congruent as far as that. */
	slot = (struct vtx_slot){ .gfn = 0x3fe00, .npages = 0x40200, .hva = 0x7f003fe00000 };
	assert_true(vtx_slot_fits(&slot, 0x40000, 1 << 18));
	assert_true(vtx_slot_fits(&slot, 0x7ffff, 1 << 18));
	assert_false(vtx_slot_fits(&slot, 0x3ffff, 1 << 18));
	slot.npages--;
	assert_false(vtx_slot_fits(&slot, 0x7ffff, 1 << 18));
	slot.npages++;
	slot.hva += 0x200000;
	assert_false(vtx_slot_fits(&slot, 0x40000, 1 << 18));
	assert_true(vtx_slot_fits(&slot, 0x40000, 512));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(refuses_bad_arguments, clear_slots),
		cmocka_unit_test_setup(accepts_the_edges, clear_slots),
		cmocka_unit_test_setup(largest_slot, clear_slots),
		cmocka_unit_test_setup(changes_of_an_existing_slot, clear_slots),
		cmocka_unit_test_setup(new_slot_overlaps, clear_slots),
		cmocka_unit_test_setup(takes_all_slots, clear_slots),
		cmocka_unit_test_setup(random_walk, clear_slots),
		cmocka_unit_test(user_ranges),
		cmocka_unit_test(large_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

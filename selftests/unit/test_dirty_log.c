// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log's arithmetic: words of a bitmap, the range of KVM_CLEAR_DIRTY_LOG, and the ring beside a user space that
 * writes into it what it likes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ept/dirty_log.h"

static void words(void **state)
{
	assert_int_equal(vtx_dirty_words(0), 0);
	assert_int_equal(vtx_dirty_words(1), 1);
	assert_int_equal(vtx_dirty_words(64), 1);
	assert_int_equal(vtx_dirty_words(65), 2);
	assert_int_equal(vtx_dirty_words((1ULL << 31) - 1), 1ULL << 25);
}

static void valid_bits(void **state)
{
	assert_int_equal(vtx_dirty_word_valid(64, 0), ~0ULL);
	assert_int_equal(vtx_dirty_word_valid(65, 0), ~0ULL);
	assert_int_equal(vtx_dirty_word_valid(65, 1), 1);
	assert_int_equal(vtx_dirty_word_valid(127, 1), ~0ULL >> 1);
	assert_int_equal(vtx_dirty_word_valid(128, 1), ~0ULL);
	assert_int_equal(vtx_dirty_word_valid(128, 2), 0);
	assert_int_equal(vtx_dirty_word_valid(128, ~0ULL), 0);
	assert_int_equal(vtx_dirty_word_valid(128, ~0ULL / 64), 0);
	assert_int_equal(vtx_dirty_word_valid(1, 0), 1);
}

/* KVM's rules: the start a multiple of 64; the end as well, or the slot's. */
static void clear_range(void **state)
{
	static const struct {
		u64 first;
		u32 n;
		u64 npages;
		bool good;
	} rows[] = {
		{ 0, 64, 128, true },	{ 64, 64, 128, true },	{ 0, 128, 128, true },	{ 0, 0, 128, true },
		{ 128, 0, 128, true },	{ 0, 100, 100, true },	{ 64, 36, 100, true },	{ 0, 64, 100, true },
		{ 1, 64, 128, false },	{ 63, 64, 128, false },	{ 0, 63, 128, false },	{ 0, 129, 128, false },
		{ 64, 65, 128, false },	{ 192, 0, 128, false },	{ 0, 99, 100, false },	{ 64, 37, 100, false },
		{ 64, 64, 100, false },	{ ~63ULL, 64, 128, false }, { 0, ~0U, 128, false }, { 128, 64, 128, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct kvm_clear_dirty_log log = { .first_page = rows[i].first, .num_pages = rows[i].n };
		int ret = vtx_clear_range_check(&log, rows[i].npages);

		if (ret != (rows[i].good ? 0 : -EINVAL))
			fail_msg("row %zu: %d", i, ret);
	}
}

static void ring_sizes(void **state)
{
	assert_int_equal(vtx_ring_size_check(0, 64), -EINVAL);
	assert_int_equal(vtx_ring_size_check(2048, 64), -EINVAL);	/* room for the reserve, but no page */
	assert_int_equal(vtx_ring_size_check(4096, 64), 0);
	assert_int_equal(vtx_ring_size_check(4096 + 16, 64), -EINVAL);
	assert_int_equal(vtx_ring_size_check(8192, 576), -EINVAL);	/* 512 entries, 576 in reserve */
	assert_int_equal(vtx_ring_size_check(16384, 576), 0);
	assert_int_equal(vtx_ring_size_check(1 << 20, 576), 0);
	assert_int_equal(vtx_ring_size_check(1 << 21, 576), -E2BIG);
	assert_int_equal(vtx_ring_size_check(1ULL << 63, 576), -E2BIG);
	assert_int_equal(vtx_ring_size_check(3ULL << 20, 576), -EINVAL);
}

#define ENTRIES 256

static struct kvm_dirty_gfn gfns[ENTRIES];
static struct vtx_dirty_ring ring;

static int new_ring(void **state)
{
	memset(gfns, 0, sizeof(gfns));
	vtx_ring_init(&ring, gfns, sizeof(gfns), 64);
	return 0;
}

/* User space takes entry @i and gives it back. */
static void give_back(u32 i)
{
	assert_int_equal(gfns[i % ENTRIES].flags, KVM_DIRTY_GFN_F_DIRTY);
	gfns[i % ENTRIES].flags |= KVM_DIRTY_GFN_F_RESET;
}

static void ring_push_and_take(void **state)
{
	struct vtx_dirty_word word;

	assert_int_equal(vtx_ring_take(&ring, &word), 0);
	for (u32 i = 0; i < 10; i++)
		assert_true(vtx_ring_push(&ring, 3, 60 + i));
	assert_int_equal(vtx_ring_used(&ring), 10);
	assert_int_equal(gfns[9].slot, 3);
	assert_int_equal(gfns[9].offset, 69);
	assert_int_equal(vtx_ring_take(&ring, &word), 0);	/* nothing was given back */
	for (u32 i = 0; i < 9; i++)
		give_back(i);
	assert_int_equal(vtx_ring_take(&ring, &word), 4);
	assert_true(word.slot == 3 && word.word == 0 && word.mask == 0xfULL << 60);
	assert_int_equal(vtx_ring_take(&ring, &word), 5);
	assert_true(word.slot == 3 && word.word == 1 && word.mask == 0x1f);
	assert_int_equal(vtx_ring_take(&ring, &word), 0);
	assert_int_equal(vtx_ring_used(&ring), 1);
	assert_int_equal(gfns[8].flags, 0);
	assert_int_equal(gfns[9].flags, KVM_DIRTY_GFN_F_DIRTY);
}

static void ring_words_by_slot(void **state)
{
	struct vtx_dirty_word word;

	vtx_ring_push(&ring, 1, 5);
	vtx_ring_push(&ring, 2, 5);
	vtx_ring_push(&ring, 2, 5);	/* twice the same page: two entries, one bit */
	for (u32 i = 0; i < 3; i++)
		give_back(i);
	assert_int_equal(vtx_ring_take(&ring, &word), 1);
	assert_true(word.slot == 1 && word.mask == 1 << 5);
	assert_int_equal(vtx_ring_take(&ring, &word), 2);
	assert_true(word.slot == 2 && word.mask == 1 << 5);
}

static void ring_full(void **state)
{
	struct vtx_dirty_word word;

	for (u32 i = 0; i < ENTRIES; i++) {
		assert_int_equal(vtx_ring_soft_full(&ring), i >= ENTRIES - 64);
		assert_true(vtx_ring_push(&ring, 0, i * 64));
	}
	assert_false(vtx_ring_push(&ring, 7, 7));
	assert_int_equal(vtx_ring_used(&ring), ENTRIES);
	assert_int_equal(gfns[0].slot, 0);
	give_back(0);
	assert_int_equal(vtx_ring_take(&ring, &word), 1);
	assert_true(vtx_ring_push(&ring, 7, 7));
	assert_int_equal(gfns[0].slot, 7);
	assert_false(vtx_ring_push(&ring, 7, 8));
}

/* Many times round, across the wrap of the 32-bit indices. */
static void ring_goes_round(void **state)
{
	struct vtx_dirty_word word;
	u32 taken = 0;

	ring.dirty_index = ring.reset_index = ~0U - 300;
	for (u32 i = 0; i < 1000; i++) {
		assert_true(vtx_ring_push(&ring, 1, i));
		assert_int_equal(vtx_ring_used(&ring), i % 100 + 1);
		if (i % 100 != 99)
			continue;
		for (u32 k = 0; k < 100; k++)
			give_back(ring.reset_index + k);
		while (vtx_ring_used(&ring)) {
			u32 n = vtx_ring_take(&ring, &word);

			assert_true(n);
			assert_int_equal(word.word, taken / 64);
			taken += n;
		}
	}
	assert_int_equal(taken, 1000);
}

/* User space gives back what it never got, and lies about what is in it: indices stay where they belong. */
static void ring_lies(void **state)
{
	struct vtx_dirty_word word;

	for (u32 i = 0; i < ENTRIES; i++)
		gfns[i] = (struct kvm_dirty_gfn){ .flags = ~0U, .slot = ~0U, .offset = ~0ULL };
	assert_int_equal(vtx_ring_take(&ring, &word), 0);
	assert_int_equal(vtx_ring_used(&ring), 0);
	vtx_ring_push(&ring, 1, 1);
	gfns[0] = (struct kvm_dirty_gfn){ .flags = ~0U, .slot = ~0U, .offset = ~0ULL };
	assert_int_equal(vtx_ring_take(&ring, &word), 1);
	assert_true(word.slot == ~0U && word.word == ~0ULL / 64 && word.mask == 1ULL << 63);
	assert_int_equal(vtx_dirty_word_valid(1ULL << 30, word.word), 0);
	assert_int_equal(vtx_ring_take(&ring, &word), 0);
	assert_int_equal(vtx_ring_used(&ring), 0);
	/* An entry that is skipped holds up those behind it. */
	vtx_ring_push(&ring, 1, 1);
	vtx_ring_push(&ring, 1, 2);
	gfns[2].flags |= KVM_DIRTY_GFN_F_RESET;
	gfns[1].flags = 0;
	assert_int_equal(vtx_ring_take(&ring, &word), 0);
	assert_int_equal(vtx_ring_used(&ring), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(valid_bits),
		cmocka_unit_test(clear_range),
		cmocka_unit_test(ring_sizes),
		cmocka_unit_test_setup(ring_push_and_take, new_ring),
		cmocka_unit_test_setup(ring_words_by_slot, new_ring),
		cmocka_unit_test_setup(ring_full, new_ring),
		cmocka_unit_test_setup(ring_goes_round, new_ring),
		cmocka_unit_test_setup(ring_lies, new_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

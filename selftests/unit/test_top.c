// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables of the busiest keys: every count is either at its key or in the overflow, and a key that has a place keeps it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "compat/pure.h"
#include <cmocka.h>
#include "trace/top.h"

static u64 count_of(const struct vtx_top *top, u64 key)
{
	struct vtx_top_entry sorted[VTX_TOP_KEYS];
	unsigned int n = vtx_top_sorted(top, sorted);
	u64 count = 0;

	for (unsigned int i = 0; i < n; i++)
		if (sorted[i].key == key) {
			assert_int_equal(count, 0); /* one place a key */
			count = sorted[i].count;
		}
	return count;
}

static u64 total(const struct vtx_top *top)
{
	u64 sum = top->overflow;

	for (unsigned int i = 0; i < VTX_TOP_KEYS; i++)
		sum += top->entries[i].count;
	return sum;
}

/* Key 0 is a key like others. */
static void few_keys(void **state)
{
	struct vtx_top top;
	struct vtx_top_entry sorted[VTX_TOP_KEYS];

	vtx_top_init(&top);
	assert_int_equal(vtx_top_sorted(&top, sorted), 0);
	for (u64 key = 0; key < 4; key++)
		for (u64 i = 0; i <= key; i++)
			vtx_top_count(&top, key);
	assert_int_equal(vtx_top_sorted(&top, sorted), 4);
	/* The largest count first, equal ones by key. */
	assert_int_equal(sorted[0].key, 3);
	assert_int_equal(sorted[0].count, 4);
	assert_int_equal(sorted[1].key, 2);
	assert_int_equal(sorted[2].key, 1);
	assert_int_equal(sorted[3].key, 0);
	assert_int_equal(sorted[3].count, 1);
	assert_int_equal(top.overflow, 0);
}

/* The number that stands for "free" is overflow, and leaves nothing for a key that begins at the same place. */
static void key_of_free_places(void **state)
{
	unsigned int first = vtx_top_start(VTX_TOP_FREE);
	struct vtx_top_entry sorted[VTX_TOP_KEYS];
	struct vtx_top top;

	/* No search for 0 comes by there. */
	assert_true((first - vtx_top_start(0)) % VTX_TOP_KEYS >= VTX_TOP_STEPS);
	vtx_top_init(&top);
	for (unsigned int i = 0; i < 1000; i++)
		vtx_top_count(&top, VTX_TOP_FREE);
	assert_int_equal(vtx_top_sorted(&top, sorted), 0);
	assert_int_equal(top.overflow, 1000);
	assert_int_equal(vtx_top_start((u32)VTX_TOP_FREE), first);
	vtx_top_count(&top, (u32)VTX_TOP_FREE);
	vtx_top_count(&top, 0);
	assert_int_equal(count_of(&top, (u32)VTX_TOP_FREE), 1);
	assert_int_equal(count_of(&top, 0), 1);
	assert_int_equal(vtx_top_sorted(&top, sorted), 2);
	vtx_top_count(&top, VTX_TOP_FREE);
	assert_int_equal(top.overflow, 1001);
}

/* Keys with the same first place go to the next ones, and what finds none within a few steps is overflow. */
static void collisions(void **state)
{
	struct vtx_top top;
	u64 same[VTX_TOP_STEPS + 2];
	unsigned int n = 0;

	vtx_top_init(&top);
	for (u64 key = 0; n < ARRAY_SIZE(same); key++)
		if (vtx_top_start(key) == VTX_TOP_KEYS - 1) /* the next place is the table's first */
			same[n++] = key;
	for (unsigned int round = 0; round < 3; round++)
		for (unsigned int i = 0; i < n; i++)
			vtx_top_count(&top, same[i]);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(count_of(&top, same[i]), i < VTX_TOP_STEPS ? 3 : 0);
	assert_int_equal(top.overflow, 6);
}

static void more_keys_than_places(void **state)
{
	struct vtx_top top;
	struct vtx_top_entry sorted[VTX_TOP_KEYS];
	u64 before;

	vtx_top_init(&top);
	for (u64 key = 0; key < 200; key++)
		vtx_top_count(&top, key);
	assert_int_equal(total(&top), 200);
	assert_true(top.overflow >= 200 - VTX_TOP_KEYS);
	before = top.overflow;
	for (u64 key = 0; key < 200; key++)
		vtx_top_count(&top, key);
	assert_int_equal(total(&top), 400);
	assert_int_equal(top.overflow, 2 * before);
	for (unsigned int i = vtx_top_sorted(&top, sorted); i--;)
		assert_int_equal(sorted[i].count, 2);
}

/* Whatever is counted: nothing is lost, nothing is counted twice, the order is right. */
static void random_keys(void **state)
{
	static u64 counts[1024];
	struct vtx_top top;
	struct vtx_top_entry sorted[VTX_TOP_KEYS];
	unsigned int n;
	u64 in_table = 0;

	vtx_top_init(&top);
	srand(1);
	for (unsigned int i = 0; i < 100000; i++) {
		u64 key = rand() & rand() & 1023;

		counts[key]++;
		vtx_top_count(&top, key);
	}
	n = vtx_top_sorted(&top, sorted);
	for (unsigned int i = 0; i < n; i++) {
		assert_true(sorted[i].count <= counts[sorted[i].key]);
		assert_true(!i || sorted[i].count < sorted[i - 1].count ||
			    (sorted[i].count == sorted[i - 1].count && sorted[i].key > sorted[i - 1].key));
		in_table += sorted[i].count;
	}
	assert_int_equal(in_table + top.overflow, 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_keys), cmocka_unit_test(key_of_free_places), cmocka_unit_test(collisions),
		cmocka_unit_test(more_keys_than_places), cmocka_unit_test(random_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

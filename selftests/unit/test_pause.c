// SPDX-License-Identifier: GPL-2.0-only
/* PAUSE-loop exiting: the window's arithmetic and the choice of who runs instead of a spinner. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include "compat/pure.h"
#include <cmocka.h>
#include "exits/pause_policy.h"

#define SELF VTX_SPIN_SELF
#define READY VTX_SPIN_READY
#define KERNEL VTX_SPIN_KERNEL
#define SPINS VTX_SPIN_SPINS
#define EVENT VTX_SPIN_EVENT

static void test_window(void **state)
{
	static const struct {
		struct vtx_ple ple;
		u32 window, grown, shrunk;
	} rows[] = {
		{ { 128, 4096, 2, 0, UINT_MAX }, 4096, 8192, 4096 },		/* the defaults */
		{ { 128, 4096, 2, 0, UINT_MAX }, 65536, 131072, 4096 },
		{ { 128, 4096, 2, 0, UINT_MAX }, 0x80000000, UINT_MAX, 4096 },	/* does not wrap */
		{ { 128, 4096, 2, 0, UINT_MAX }, UINT_MAX, UINT_MAX, 4096 },
		{ { 128, 4096, 0, 2, UINT_MAX }, 65536, 4096, 32768 },		/* grow 0: back to the start */
		{ { 128, 4096, 2, 2, 10000 }, 8192, 10000, 4096 },		/* the limit */
		{ { 128, 4096, 2, 2, 10000 }, 4096, 8192, 4096 },		/* never below the start */
		{ { 128, 4096, 4096, 4096, UINT_MAX }, 10000, 14096, 5904 },	/* from ple_window on: sum and difference */
		{ { 128, 4096, 9000, 9000, UINT_MAX }, 8192, 17192, 4096 },	/* the difference does not wrap */
		{ { 128, 0, 2, 2, UINT_MAX }, 0, 2, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(vtx_ple_grown(&rows[i].ple, rows[i].window), rows[i].grown);
		assert_int_equal(vtx_ple_shrunk(&rows[i].ple, rows[i].window), rows[i].shrunk);
	}
}

/* All combinations: who is no candidate, and that each better reason has the higher rank. */
static void test_rank(void **state)
{
	for (unsigned int facts = 0; facts < 32; facts++) {
		bool candidate = (facts & READY) && !(facts & SELF) && (facts & (KERNEL | EVENT));

		assert_int_equal(vtx_spin_rank(facts) != 0, candidate);
	}
	assert_true(vtx_spin_rank(READY | KERNEL | EVENT) > vtx_spin_rank(READY | EVENT));
	assert_true(vtx_spin_rank(READY | EVENT) > vtx_spin_rank(READY | KERNEL));
	assert_true(vtx_spin_rank(READY | KERNEL) > vtx_spin_rank(READY | KERNEL | SPINS));
	assert_int_equal(vtx_spin_rank(READY | KERNEL | EVENT | SPINS), vtx_spin_rank(READY | KERNEL | EVENT));
}

static unsigned int from_list(int i, void *data)
{
	return ((const unsigned int *)data)[i];
}

static void assert_chosen(const unsigned int *facts, int nr, int last, int want)
{
	assert_int_equal(vtx_spin_choose(nr, last, from_list, (void *)facts), want);
}

static void test_choice(void **state)
{
	const unsigned int equals[] = { SELF, READY | KERNEL, READY | KERNEL, READY | KERNEL };
	const unsigned int mixed[] = { READY, READY | KERNEL | SPINS, SELF, READY | KERNEL, READY | EVENT, 0 };
	const unsigned int spinners[] = { SELF, READY | KERNEL | SPINS, READY | KERNEL | SPINS };
	const unsigned int nobody[] = { SELF, 0, READY };
	const unsigned int alone[] = { SELF };

	/* in turn, from the one after the last */
	assert_chosen(equals, 4, 0, 1);
	assert_chosen(equals, 4, 1, 2);
	assert_chosen(equals, 4, 2, 3);
	assert_chosen(equals, 4, 3, 1);
	for (int last = 0; last < 6; last++)
		assert_chosen(mixed, 6, last, 4);
	assert_chosen(mixed, 4, 3, 3);		/* the one chosen last, when there is no other */
	assert_chosen(spinners, 3, 1, 2);
	assert_chosen(nobody, 3, 0, -1);
	assert_chosen(alone, 1, 0, -1);
	assert_chosen(alone, 0, 0, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_rank),
		cmocka_unit_test(test_choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

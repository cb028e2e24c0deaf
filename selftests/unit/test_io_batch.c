// SPDX-License-Identifier: GPL-2.0-only
/*
 * INS and OUTS batches (exits/io_batch.c) against the plainest description of the same: step element by element until one
 * leaves the page or the address size.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "compat/pure.h"
#include "exits/io_batch.h"

static u64 seed = 0x9e3779b97f4a7c15;

static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static u32 room_by_steps(u64 ea, u64 lin, unsigned int size, unsigned int addr_bytes, bool down, u64 wanted)
{
	__int128 limit = (__int128)1 << 8 * addr_bytes, offset = ea;
	u64 page = lin / 4096, n = 0;

	for (; n < wanted; n++) {
		/* The first element's own end is a matter of segmentation. */
		if (offset < 0 || (n && offset + size > limit))
			break;
		if (lin / 4096 != page || (lin + size - 1) / 4096 != page)
			break;
		offset += down ? -(int)size : (int)size;
		lin += down ? -(u64)size : size;
	}
	return n ? n : 1;
}

static void room(void **state)
{
	static const u8 sizes[] = { 1, 2, 4 }, addr_sizes[] = { 2, 4, 8 };
	u32 reached[3] = { 0 };

	for (int i = 0; i < 200000; i++) {
		unsigned int size = sizes[rnd() % 3], addr_bytes = addr_sizes[rnd() % 3];
		u64 mask = addr_bytes == 8 ? ~0ULL : (1ULL << 8 * addr_bytes) - 1;
		u64 ea = rnd() & mask, lin = (rnd() & 0xfffffff000) | rnd() % (4096 - size + 1);
		u64 wanted = 1 + (rnd() % 4 ? rnd() % 5000 : rnd() & (mask >> 1));
		bool down = rnd() & 1;
		u32 got, want;

		if (i & 1)
			ea = i & 2 ? mask - rnd() % 64 : rnd() % 64;	/* near the wrap */
		got = vtx_io_batch_room(ea, lin, size, addr_bytes, down, wanted);
		want = room_by_steps(ea, lin, size, addr_bytes, down, wanted);
		if (got != want)
			fail_msg("ea %#llx lin %#llx size %u addr %u down %d wanted %llu: %u, not %u", (unsigned long long)ea,
				 (unsigned long long)lin, size, addr_bytes, down, (unsigned long long)wanted, got, want);
		assert_true(got * size <= 4096);
		reached[got == 1 ? 0 : got == wanted ? 1 : 2]++;
	}
	assert_true(reached[0] && reached[1] && reached[2]);
}

static void registers(void **state)
{
	assert_true(vtx_io_add(0x1122334455667788, 1, 8) == 0x1122334455667789);
	assert_true(vtx_io_add(0x11223344ffffffff, 1, 4) == 0);
	assert_true(vtx_io_add(0x1122334400000000, -(u64)4, 4) == 0xfffffffc);
	assert_true(vtx_io_add(0x112233445566ffff, 2, 2) == 0x1122334455660001);
	assert_true(vtx_io_add(0x1122334455660001, -(u64)2, 2) == 0x112233445566ffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(room),
		cmocka_unit_test(registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

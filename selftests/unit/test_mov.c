// SPDX-License-Identifier: GPL-2.0-only
/*
 * The short decoder for plain moves (exits/mov_decode.c) against the emulator: whatever it accepts, the emulator executes
 * with the same length, address, data and register.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "compat/pure.h"
#include "emulate/emulate.h"
#include "exits/mov_decode.h"

struct seen {
	int accesses;
	bool write;
	u64 addr;
	unsigned int len;
	u64 data;
};

static u64 seed = 0xa0761d6478bd642f;

static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static int op_fetch(struct vtx_emu *e, u64 gva, void *buf, unsigned int len, unsigned int *got)
{
	return VTX_EMU_UNHANDLED;
}

static int op_read(struct vtx_emu *e, u64 gva, void *buf, unsigned int len, unsigned int access)
{
	struct seen *s = e->opaque;

	s->accesses++;
	s->write = false;
	s->addr = gva;
	s->len = len;
	memcpy(buf, &s->data, len);
	return VTX_EMU_DONE;
}

static int op_write(struct vtx_emu *e, u64 gva, const void *buf, unsigned int len)
{
	struct seen *s = e->opaque;

	s->accesses++;
	s->write = true;
	s->addr = gva;
	s->len = len;
	s->data = 0;
	memcpy(&s->data, buf, len);
	return VTX_EMU_DONE;
}

static const struct vtx_emu_ops ops = { .fetch = op_fetch, .read = op_read, .write = op_write };

static u64 cut(u64 value, unsigned int len)
{
	return len == 8 ? value : value & ((1ULL << 8 * len) - 1);
}

/* Prefixes and opcodes near the ones it knows, and any other byte now and then. */
static void random_bytes(u8 *b)
{
	static const u8 ops1[] = { 0x88, 0x89, 0x8a, 0x8b, 0xc6, 0xc7, 0x0f, 0x8c, 0x8e, 0x87, 0xc5 };
	static const u8 ops2[] = { 0xb6, 0xb7, 0xbe, 0xbf, 0xb8, 0xaf };
	int n = 0;

	for (int i = 0; i < 15; i++)
		b[i] = rnd() >> 17;
	if (rnd() % 16 == 0)
		return;
	if (rnd() % 3 == 0)
		b[n++] = 0x66;
	if (rnd() % 12 == 0)
		b[n++] = rnd() & 1 ? 0x67 : 0x2e;
	if (rnd() & 1)
		b[n++] = 0x40 | (rnd() & 15);
	b[n] = ops1[rnd() % ARRAY_SIZE(ops1)];
	if (b[n++] == 0x0f)
		b[n++] = ops2[rnd() % ARRAY_SIZE(ops2)];
	if (rnd() & 1)
		b[n] &= ~0x38;
}

static void as_the_emulator(void **state)
{
	int accepted = 0, loads = 0, highs = 0, rips = 0, shorts = 0;

	for (int round = 0; round < 1000000; round++) {
		static struct vtx_emu e;
		struct seen s = { .data = rnd() };
		u64 regs[16], data = s.data;
		struct vtx_mov m;
		u8 bytes[15];

		random_bytes(bytes);
		if (!vtx_mov_decode(bytes, sizeof(bytes), &m))
			continue;
		accepted++;
		memset(&e, 0, sizeof(e));
		for (int i = 0; i < 16; i++)
			regs[i] = rnd() & 0x3fffffffffff;
		memcpy(e.regs, regs, sizeof(regs));
		e.rip = 0x7ffff000;
		e.rflags = 2;
		e.cr0 = 0x80010033;
		e.cr4 = 0x6a0;
		e.efer = 0xd01;
		e.seg[VTX_EMU_CS].ar = 0x209b;
		memcpy(e.prefetch, bytes, e.prefetch_len = sizeof(bytes));
		e.ops = &ops;
		e.opaque = &s;
		int ret = vtx_emu_step(&e);

		if (ret == VTX_EMU_FAULT && e.exc.vector != 6)
			continue; /* an address that is not canonical: it would not have become an EPT violation */
		assert_int_equal(ret, VTX_EMU_DONE);
		assert_int_equal(s.accesses, 1);
		assert_int_equal(m.len, e.insn.len);
		assert_int_equal(e.rip, 0x7ffff000 + m.len);
		assert_int_equal(m.store, s.write);
		assert_int_equal(m.size, s.len);
		assert_true(vtx_mov_address(&m, regs, 0x7ffff000) == s.addr);
		if (m.store) {
			assert_true(cut(vtx_mov_store_value(&m, regs), m.size) == s.data);
		} else {
			regs[m.reg] = vtx_mov_load_value(&m, regs[m.reg], cut(data, m.size));
			loads++;
		}
		assert_memory_equal(regs, e.regs, sizeof(regs));
		highs += m.high;
		rips += m.rip_relative;

		/* One byte less is never enough, and bytes behind do not matter. */
		assert_false(vtx_mov_decode(bytes, m.len - 1, &m));
		shorts++;
	}
	assert_true(accepted > 300000 && loads > 100000 && highs > 10000 && rips > 3000 && shorts > 200000);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(as_the_emulator) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator: random instructions beside the build machine's processor (64-bit mode), then directed cases for the
 * other modes, segmentation, faults at every memory operation, restart, LOCK, REP, ports and the SSE state.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "selftests/fuzz/emu_backend.h"
#include "selftests/fuzz/native_cases.h"

#define RAX VTX_EMU_RAX
#define RCX VTX_EMU_RCX
#define RDX VTX_EMU_RDX
#define RBX VTX_EMU_RBX
#define RSP VTX_EMU_RSP
#define RSI VTX_EMU_RSI
#define RDI VTX_EMU_RDI

static struct guest g;
static struct vtx_emu *const e = &g.e;
static u8 *const data = g.mem + MEM_DATA - MEM_BASE; /* where RBX, RSI, RDI point */

static unsigned int put_code(const char *hex)
{
	unsigned int n = 0, digits = 0;

	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		g.mem[n] = g.mem[n] << 4 | (*hex <= '9' ? *hex - '0' : *hex - 'a' + 10);
		if (++digits % 2 == 0)
			n++;
	}
	return n;
}

static void prepare(unsigned int mode, const char *hex)
{
	guest_init(&g, mode);
	put_code(hex);
}

static int step(void)
{
	g.nr_ops = 0;
	return vtx_emu_step(e);
}

static int run(unsigned int mode, const char *hex)
{
	prepare(mode, hex);
	return step();
}

static u64 data_at(unsigned int offset, unsigned int n)
{
	u64 val = 0;

	memcpy(&val, data + offset, n);
	return val;
}

static void assert_fault(int ret, u8 vector)
{
	assert_int_equal(ret, VTX_EMU_FAULT);
	assert_int_equal(e->exc.vector, vector);
}

#define NATIVE_CASES 200000

static void test_native(void **state)
{
	static char text[8192];
	unsigned int i, faults = 0;

	if (!native_init()) {
		print_message("no AVX2, or no room at %llx\n", NATIVE_MEM);
		skip();
	}
	for (i = 0; i < NATIVE_CASES; i++) {
		const char *what = native_one(text, sizeof(text));

		if (what)
			fail_msg("%s", what);
		faults += native_fault.happened;
	}
	assert_true(faults > NATIVE_CASES / 20 && faults < NATIVE_CASES / 2);
}

/* What an instruction does to RAX and to 8 bytes at the data pointer, in given modes */
struct effect {
	const char *modes; /* digits of guest_init() */
	const char *code;
	u64 rax, mem;      /* before */
	u64 rax_after, mem_after;
};

static const struct effect effects[] = {
	{ "12", "8b 07", 0x1122334455667788, 0x99aabbccddeeff00, 0x112233445566ff00, 0x99aabbccddeeff00 },
	{ "12", "66 8b 07", 0x1122334455667788, 0x99aabbccddeeff00, 0xddeeff00, 0x99aabbccddeeff00 },
	{ "12", "67 8b 03", 0x1122334455667788, 0x99aabbccddeeff00, 0x112233445566ff00, 0x99aabbccddeeff00 },
	{ "48", "8b 03", 0x1122334455667788, 0x99aabbccddeeff00, 0xddeeff00, 0x99aabbccddeeff00 },
	{ "48", "66 8b 03", 0x1122334455667788, 0x99aabbccddeeff00, 0x112233445566ff00, 0x99aabbccddeeff00 },
	{ "12", "89 07", 0x1122334455667788, ~0ULL, 0x1122334455667788, 0xffffffffffff7788 },
	{ "48", "89 03", 0x1122334455667788, ~0ULL, 0x1122334455667788, 0xffffffff55667788 },
	{ "8", "48 89 03", 0x1122334455667788, ~0ULL, 0x1122334455667788, 0x1122334455667788 },
	{ "12", "88 27", 0x1122334455667788, 0, 0x1122334455667788, 0x77 },
	{ "48", "88 23", 0x1122334455667788, 0, 0x1122334455667788, 0x77 },
	{ "8", "40 88 23", 0, ~0ULL, 0, 0xffffffffffffff00 }, /* with REX: SPL */
	{ "12", "a1 0010", 0, 0x1234567890, 0x7890, 0x1234567890 },
	{ "4", "a1 00100100", 0, 0x1234567890, 0x34567890, 0x1234567890 },
	{ "8", "a1 0010010000000000", 0, 0x1234567890, 0x34567890, 0x1234567890 },
	{ "8", "48 a3 0010010000000000", 0x1122334455667788, 0, 0x1122334455667788, 0x1122334455667788 },
	{ "12", "c7 07 3412", 0, ~0ULL, 0, 0xffffffffffff1234 },
	{ "8", "48 c7 03 feffffff", 0, 0, 0, 0xfffffffffffffffe },
	{ "12", "0f b6 07", 0xffffffff, 0x80, 0xffff0080, 0x80 },
	{ "12", "0f be 07", 0, 0x80, 0xff80, 0x80 },
	{ "48", "0f bf 03", 0, 0x8000, 0xffff8000, 0x8000 },
	{ "8", "48 63 03", 0, 0x80000000, 0xffffffff80000000, 0x80000000 },
	{ "8", "48 0f 38 f0 03", 0, 0x1122334455667788, 0x8877665544332211, 0x1122334455667788 },
	{ "4", "66 0f 38 f1 03", 0x1234, 0, 0x1234, 0x3412 },
	{ "12", "01 07", 1, 0xffff, 1, 0 },
	{ "48", "01 03", 1, 0xffff, 1, 0x10000 },
	{ "48", "83 2b 01", 0, 0, 0, 0xffffffff },
	{ "48", "f0 ff 03", 0, 0xffffffff, 0, 0 },
	{ "8", "48 f7 1b", 0, 1, 0, ~0ULL },
	{ "12", "87 07", 0x1111, 0x2222, 0x2222, 0x1111 },
	{ "48", "0f c1 03", 5, 7, 7, 12 },
	{ "48", "f0 0f b1 0b", 7, 7, 7, 0x77 }, /* ECX is 0x77 */
	{ "48", "f0 0f b1 0b", 8, 7, 7, 7 },
	{ "48", "d1 23", 0, 0x80000001, 0, 2 },
	{ "12", "0f a4 0f 14", 0, 0xabcd, 0, 0x77a }, /* SHLD by 20 of 16 bits: undefined, as Intel does it */
	{ "12", "0f ac 0f 14", 0, 0xabcd, 0, 0xd007 },
	{ "48", "8c 1b", 0, ~0ULL, 0, 0xffffffffffff0003 }, /* DS selector */
	{ "4", "8c d8", 0xffffffff, 0, 3, 0 },
	{ "12", "8c d8", 0xffffffff, 0, 0xffff0003, 0 },
	{ "12", "0f a3 07", 0xffff, 0, 0xffff, 0 },
	{ "48", "0f 94 03", 0, 0xff, 0, 0 },
	{ "8", "0f 45 03", 0xffffffff00000000, 5, 5, 5 },
	{ "8", "0f 44 03", 0xffffffff00000001, 5, 1, 5 }, /* not moved, but zero-extended */
	{ "12", "8f 07", 0, 0, 0, 0x5555 },
	{ "4", "8f 03", 0, 0, 0, 0x55555555 },
	{ "8", "8f 03", 0, 0, 0, 0x5555555555555555 },
	{ "8", "67 8b 03", 0, 0x12345678, 0x12345678, 0x12345678 },
};

static void test_effects(void **state)
{
	unsigned int i;
	const char *m;

	for (i = 0; i < ARRAY_SIZE(effects); i++) {
		const struct effect *f = &effects[i];

		for (m = f->modes; *m; m++) {
			unsigned int len;
			u64 rip;

			guest_init(&g, *m - '0');
			len = put_code(f->code);
			memset(data + 0x800, 0x55, 16);
			memcpy(data, &f->mem, 8);
			rip = e->rip;
			e->regs[RAX] = f->rax;
			e->regs[RCX] = 0x77;
			e->seg[VTX_EMU_DS].selector = 3;
			assert_int_equal(step(), VTX_EMU_DONE);
			if (e->regs[RAX] != f->rax_after || data_at(0, 8) != f->mem_after || e->rip != rip + len)
				fail_msg("%s in mode %c: rax %llx mem %llx rip +%llu", f->code, *m,
					 (unsigned long long)e->regs[RAX], (unsigned long long)data_at(0, 8),
					 (unsigned long long)(e->rip - rip));
		}
	}
}

/* Instructions with one to three memory or port operations, for the test that fails each of them */
static const struct {
	unsigned int mode;
	const char *code;
	unsigned int ops;
} many_ops[] = {
	{ 8, "8b 03", 1 }, { 8, "89 03", 1 }, { 8, "01 03", 2 }, { 8, "f0 01 03", 2 }, { 8, "87 03", 2 },
	{ 8, "0f c1 03", 2 }, { 8, "0f b1 0b", 2 }, { 8, "f0 48 0f c7 0b", 2 }, { 8, "a4", 2 }, { 8, "f3 a4", 2 },
	{ 8, "a6", 2 }, { 8, "ae", 1 }, { 8, "aa", 1 }, { 8, "ac", 1 }, { 8, "ff 33", 2 }, { 8, "8f 03", 2 },
	{ 8, "ff 13", 2 }, { 8, "ff 23", 1 }, { 8, "6c", 3 }, { 8, "6e", 2 }, { 8, "e4 10", 1 }, { 8, "e6 10", 1 },
	{ 8, "0f ab 03", 2 }, { 8, "48 f7 23", 1 }, { 8, "d3 03", 2 }, { 8, "0f 10 03", 1 }, { 8, "0f 11 03", 1 },
	{ 8, "c5 fc 10 03", 1 }, { 8, "0f 12 03", 1 }, { 8, "0f ae 3b", 1 }, { 8, "d7", 1 },
	{ 8, "0f 6f 0b", 1 }, { 8, "0f 7f 0b", 1 }, { 8, "0f e7 0b", 1 }, { 8, "0f 6e 0b", 1 }, { 4, "0f 7e 0b", 1 },
	{ 4, "ff 33", 2 }, { 2, "ff 37", 2 },
	{ 1, "f3 a4", 2 }, { 1, "01 07", 2 },
};

/*
 * Whatever op fails, and how: nothing of the guest has changed, and when the op succeeds the next time, the same ops
 * come again in the same order.
 */
static void test_restart(void **state)
{
	static const int results[] = { VTX_EMU_FAULT, VTX_EMU_IO, VTX_EMU_ERROR, VTX_EMU_UNHANDLED };
	struct op_record first[MAX_OPS];
	u8 fx[sizeof(g.fx)];
	unsigned int i, k, r;

	for (i = 0; i < ARRAY_SIZE(many_ops); i++) {
		for (k = 1; k <= many_ops[i].ops; k++) {
			for (r = 0; r < ARRAY_SIZE(results); r++) {
				struct vtx_emu before;

				prepare(many_ops[i].mode, many_ops[i].code);
				e->regs[RCX] = 1;
				memset(g.ymm, 0xcc, sizeof(g.ymm));
				memset(g.fx, 0xcc, sizeof(g.fx));
				memset(fx, 0xcc, sizeof(fx));
				before = *e;
				g.fail_op = k;
				g.fail_result = results[r];
				assert_int_equal(step(), results[r]);
				assert_int_equal(g.nr_ops, k);
				memcpy(first, g.ops, sizeof(first));
				assert_memory_equal(before.regs, e->regs, sizeof(e->regs));
				assert_true(e->rip == before.rip && e->rflags == before.rflags);
				assert_int_equal(g.ymm[0][0] & 0xff, 0xcc);
				assert_memory_equal(g.fx, fx, sizeof(fx));
				assert_false(e->committed);
				assert_false(e->again);

				g.fail_op = 0;
				assert_int_equal(step(), VTX_EMU_DONE);
				assert_int_equal(g.nr_ops, many_ops[i].ops);
				assert_memory_equal(first, g.ops, k * sizeof(first[0]));
				assert_true(e->committed);
			}
		}
	}
}

/* A read-modify-write demands write permission at its first access, and says so in the error code. */
static void test_rmw_permission(void **state)
{
	prepare(8, "83 03 01");
	e->regs[RBX] = MEM_RO;
	assert_fault(step(), VTX_EXC_PF);
	assert_int_equal(e->exc.error, 3);
	assert_int_equal(g.nr_ops, 1);
	prepare(8, "83 3b 01"); /* CMP only reads */
	e->regs[RBX] = MEM_RO;
	assert_int_equal(step(), VTX_EMU_DONE);
	prepare(8, "89 03");
	e->regs[RBX] = MEM_RO - 2;
	assert_fault(step(), VTX_EXC_PF);
	assert_true(e->exc.cr2 == MEM_RO);
}

static void test_lock_race(void **state)
{
	prepare(8, "f0 01 03");
	e->regs[RAX] = 5;
	data[0] = 1;
	g.mismatches = 2;
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_true(e->again && !e->committed);
	assert_true(e->rip == MEM_BASE && e->rflags == 2);
	assert_int_equal(data[0], 1);
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_true(e->again);
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_true(!e->again && e->committed);
	assert_int_equal(data[0], 6);
	assert_int_equal(e->rip, MEM_BASE + 3);

	/* XCHG with memory is locked without the prefix; ADD is not */
	run(8, "87 03");
	assert_int_equal(g.ops[1].kind, DID_CMPXCHG);
	run(8, "01 03");
	assert_int_equal(g.ops[1].kind, DID_WRITE);
	run(8, "f0 48 0f c7 0b");
	assert_int_equal(g.ops[1].kind, DID_CMPXCHG);
	assert_int_equal(g.ops[1].len, 16);
}

static void test_rep(void **state)
{
	prepare(8, "f3 aa");
	e->regs[RAX] = 0xab;
	e->regs[RCX] = 10;
	e->max_iterations = 4;
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_true(e->again && e->committed && g.commits == 4);
	assert_true(e->rip == MEM_BASE && e->regs[RCX] == 6 && e->regs[RDI] == MEM_DATA + 4);
	g.fail_op = 3; /* in the third iteration of this call */
	g.fail_result = VTX_EMU_IO;
	assert_int_equal(step(), VTX_EMU_IO);
	assert_true(e->committed && e->regs[RCX] == 4 && e->regs[RDI] == MEM_DATA + 6);
	g.fail_op = 0;
	e->max_iterations = 100;
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_true(!e->again && e->regs[RCX] == 0 && e->rip == MEM_BASE + 2);
	assert_int_equal(g.commits, 10);
	assert_true(data_at(2, 8) == 0xabababababababab);
	assert_int_equal(data[10], 0);

	/* nothing to do */
	prepare(8, "f3 a4");
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_true(g.nr_ops == 0 && !e->again && e->rip == MEM_BASE + 2);

	/* address size 16: the registers' upper halves stay */
	prepare(1, "f3 a4");
	e->regs[RCX] = 0xaaaa0003;
	e->regs[RSI] = 0xbbbb1000;
	e->regs[RDI] = 0xccccffff; /* wraps within the segment after the first byte */
	e->seg[VTX_EMU_ES].base = MEM_DATA - 0xffff;
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_true(e->regs[RCX] == 0xaaaa0002 && e->regs[RSI] == 0xbbbb1001 && e->regs[RDI] == 0xcccc0000);

	/* 67 in 64-bit mode: ECX counts, and is zero-extended */
	prepare(8, "67 f3 ac");
	e->regs[RCX] = 0xffffffff00000001;
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_true(e->regs[RCX] == 0 && !e->again);

	/* downwards; REPE ends at a difference, REPNE at a match */
	prepare(8, "f3 a6");
	memcpy(data - 1, "xbcd", 4);
	memcpy(data + 0x100 - 1, "ybcd", 4);
	e->regs[RSI] += 2;
	e->regs[RDI] += 0x102;
	e->regs[RCX] = 10;
	e->rflags |= X86_EFLAGS_DF;
	e->max_iterations = 100;
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_true(!e->again && e->regs[RCX] == 6 && !(e->rflags & X86_EFLAGS_ZF));
	prepare(8, "f2 ae");
	memcpy(data, "abc", 3);
	e->regs[RAX] = 'c';
	e->regs[RCX] = 10;
	e->max_iterations = 100;
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_true(e->regs[RCX] == 7 && (e->rflags & X86_EFLAGS_ZF));
}

static void test_segments(void **state)
{
	struct vtx_emu_seg *ds = &e->seg[VTX_EMU_DS], *ss = &e->seg[VTX_EMU_SS];
	u64 lin;

	guest_init(&g, 4);
	ds->limit = 0xffff;
	assert_int_equal(vtx_emu_linear(e, VTX_EMU_DS, 0xfffc, 4, VTX_EMU_ACCESS_READ, &lin), VTX_EMU_DONE);
	assert_fault(vtx_emu_linear(e, VTX_EMU_DS, 0xfffd, 4, VTX_EMU_ACCESS_READ, &lin), VTX_EXC_GP);
	assert_true(e->exc.has_error && e->exc.error == 0);
	ss->limit = 0xffff;
	assert_fault(vtx_emu_linear(e, VTX_EMU_SS, 0xfffd, 4, VTX_EMU_ACCESS_READ, &lin), VTX_EXC_SS);
	assert_fault(vtx_emu_linear(e, VTX_EMU_DS, 0xffffffff, 4, VTX_EMU_ACCESS_READ, &lin), VTX_EXC_GP);

	/* expand-down: valid above the limit, up to 64 KiB or 4 GiB */
	ds->ar = 0x97;
	assert_fault(vtx_emu_linear(e, VTX_EMU_DS, 0xffff, 1, VTX_EMU_ACCESS_READ, &lin), VTX_EXC_GP);
	assert_fault(vtx_emu_linear(e, VTX_EMU_DS, 0x10000, 1, VTX_EMU_ACCESS_READ, &lin), VTX_EXC_GP);
	ds->ar = 0x4097;
	assert_int_equal(vtx_emu_linear(e, VTX_EMU_DS, 0x10000, 1, VTX_EMU_ACCESS_WRITE, &lin), VTX_EMU_DONE);
	ds->limit = 0xfff;
	ds->ar = 0x97;
	assert_int_equal(vtx_emu_linear(e, VTX_EMU_DS, 0x1000, 4, VTX_EMU_ACCESS_WRITE, &lin), VTX_EMU_DONE);
	assert_fault(vtx_emu_linear(e, VTX_EMU_DS, 0xfffd, 4, VTX_EMU_ACCESS_READ, &lin), VTX_EXC_GP);

	/* types: read-only data, execute-only code, readable code, unusable */
	ds->limit = 0xffffffff;
	ds->ar = 0x91;
	assert_int_equal(vtx_emu_linear(e, VTX_EMU_DS, 0, 4, VTX_EMU_ACCESS_READ, &lin), VTX_EMU_DONE);
	assert_fault(vtx_emu_linear(e, VTX_EMU_DS, 0, 4, VTX_EMU_ACCESS_WRITE, &lin), VTX_EXC_GP);
	assert_fault(vtx_emu_linear(e, VTX_EMU_DS, 0, 4, VTX_EMU_ACCESS_READ | VTX_EMU_ACCESS_WRITE, &lin), VTX_EXC_GP);
	ds->ar = 0x99;
	assert_fault(vtx_emu_linear(e, VTX_EMU_DS, 0, 4, VTX_EMU_ACCESS_READ, &lin), VTX_EXC_GP);
	ds->ar = 0x9b;
	assert_int_equal(vtx_emu_linear(e, VTX_EMU_DS, 0, 4, VTX_EMU_ACCESS_READ, &lin), VTX_EMU_DONE);
	ds->ar = VTX_EMU_AR_UNUSABLE | 0x93;
	assert_fault(vtx_emu_linear(e, VTX_EMU_DS, 0, 4, VTX_EMU_ACCESS_READ, &lin), VTX_EXC_GP);
	e->cr0 = 0; /* real mode looks at the limit alone */
	assert_int_equal(vtx_emu_linear(e, VTX_EMU_DS, 0, 4, VTX_EMU_ACCESS_WRITE, &lin), VTX_EMU_DONE);

	/* base added modulo 2^32; an operand around the end is not ours */
	guest_init(&g, 4);
	ds->base = 0xfffff000;
	assert_int_equal(vtx_emu_linear(e, VTX_EMU_DS, 0x2000, 4, VTX_EMU_ACCESS_READ, &lin), VTX_EMU_DONE);
	assert_int_equal(lin, 0x1000);
	assert_int_equal(vtx_emu_linear(e, VTX_EMU_DS, 0xffe, 4, VTX_EMU_ACCESS_READ, &lin), VTX_EMU_UNHANDLED);
	assert_int_equal(e->why, VTX_EMU_WHY_WRAP);
}

static void test_segments_64(void **state)
{
	u64 lin;

	guest_init(&g, 8);
	e->seg[VTX_EMU_DS].base = 0x5000; /* ignored, as limit and type are */
	e->seg[VTX_EMU_DS].limit = 0;
	e->seg[VTX_EMU_DS].ar = VTX_EMU_AR_UNUSABLE;
	e->seg[VTX_EMU_GS].base = 0xffff888000000000;
	assert_int_equal(vtx_emu_linear(e, VTX_EMU_DS, 0x1234, 4, VTX_EMU_ACCESS_WRITE, &lin), VTX_EMU_DONE);
	assert_int_equal(lin, 0x1234);
	assert_int_equal(vtx_emu_linear(e, VTX_EMU_GS, 0x10, 4, VTX_EMU_ACCESS_WRITE, &lin), VTX_EMU_DONE);
	assert_true(lin == 0xffff888000000010);
	assert_fault(vtx_emu_linear(e, VTX_EMU_DS, 0x7ffffffffffd, 4, VTX_EMU_ACCESS_READ, &lin), VTX_EXC_GP);
	assert_int_equal(vtx_emu_linear(e, VTX_EMU_DS, 0x7ffffffffffc, 4, VTX_EMU_ACCESS_READ, &lin), VTX_EMU_DONE);
	assert_fault(vtx_emu_linear(e, VTX_EMU_SS, 0x800000000000, 4, VTX_EMU_ACCESS_READ, &lin), VTX_EXC_SS);
	e->cr4 |= X86_CR4_LA57;
	assert_int_equal(vtx_emu_linear(e, VTX_EMU_SS, 0x800000000000, 4, VTX_EMU_ACCESS_READ, &lin), VTX_EMU_DONE);
	assert_fault(vtx_emu_linear(e, VTX_EMU_DS, 1ULL << 56, 4, VTX_EMU_ACCESS_READ, &lin), VTX_EXC_GP);
}

static void test_branches(void **state)
{
	u64 target = 0x800000000000;

	/* targets out of bounds: #GP, nothing pushed */
	prepare(8, "ff 13");
	memcpy(data, &target, 8);
	assert_fault(step(), VTX_EXC_GP);
	assert_int_equal(g.nr_ops, 1);
	assert_true(e->rip == MEM_BASE && e->regs[RSP] == MEM_DATA + 0x800);
	target = 0xffff800000000000;
	memcpy(data, &target, 8);
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_true(e->rip == target && e->regs[RSP] == MEM_DATA + 0x7f8);
	assert_int_equal(data_at(0x7f8, 8), MEM_BASE + 2);

	prepare(4, "ff 23");
	e->seg[VTX_EMU_CS].limit = 0xfffff;
	data[2] = 0x10;
	assert_fault(step(), VTX_EXC_GP);
	data[2] = 0x0f;
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_int_equal(e->rip, 0xf0000);

	prepare(4, "66 ff 13"); /* operand size 16 cuts target and return address */
	data[0] = 0x34;
	data[1] = 0x12;
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_true(e->rip == 0x1234 && e->regs[RSP] == MEM_DATA + 0x7fe);
	assert_int_equal(data_at(0x7fe, 2), 3);

	prepare(2, "ff 17"); /* stack pointer of 16 bits, whatever is above */
	e->regs[RSP] |= 0xabcd0000;
	data[0] = 0x10;
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_true(e->rip == 0x10 && e->regs[RSP] == 0xabcd17fe);

	prepare(8, "8f 44 24 08"); /* POP relative to RSP: the incremented one */
	data[0x800] = 0x77;
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_int_equal(data_at(0x810, 8), 0x77);
	prepare(8, "8f c4"); /* POP RSP */
	data[0x800] = 0x77;
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_int_equal(e->regs[RSP], 0x77);
}

static void test_ports(void **state)
{
	prepare(8, "ec");
	g.port_in = 0x12345678;
	e->regs[RAX] = ~0ULL;
	e->regs[RDX] = 0xabcd03f8;
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_true(e->regs[RAX] == 0xffffffffffffff78);
	assert_int_equal(g.ops[0].addr, 0x3f8);
	prepare(8, "66 e5 70");
	g.port_in = 0x12345678;
	e->regs[RAX] = ~0ULL;
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_true(e->regs[RAX] == 0xffffffffffff5678);
	prepare(8, "48 ed");
	g.port_in = 0x12345678;
	e->regs[RAX] = ~0ULL;
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_true(e->regs[RAX] == 0x12345678 && g.ops[0].len == 4);
	prepare(1, "ee");
	e->regs[RAX] = 0xffff;
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_int_equal(g.port_out, 0xff);

	/* INS into memory that cannot be written does not read the port */
	prepare(8, "6c");
	e->regs[RDI] = MEM_RO;
	assert_fault(step(), VTX_EXC_PF);
	assert_int_equal(g.nr_ops, 1);
	assert_int_equal(g.ops[0].kind, DID_PROBE);

	/* permission: CPL against IOPL, then the bitmap */
	prepare(4, "ee");
	e->cpl = 3;
	g.ports_denied = true;
	assert_fault(step(), VTX_EXC_GP);
	assert_int_equal(g.nr_ops, 0);
	e->rflags |= X86_EFLAGS_IOPL;
	assert_int_equal(step(), VTX_EMU_DONE);
	prepare(2, "6e");
	e->rflags |= X86_EFLAGS_VM | X86_EFLAGS_IOPL; /* virtual-8086 mode always asks the bitmap */
	e->cpl = 3;
	g.ports_denied = true;
	assert_fault(step(), VTX_EXC_GP);
}

static void test_simd_state(void **state)
{
	prepare(8, "0f 10 03");
	e->cr0 |= X86_CR0_TS;
	assert_fault(step(), VTX_EXC_NM);
	e->cr0 |= X86_CR0_EM;
	assert_fault(step(), VTX_EXC_UD);
	e->cr0 &= ~(X86_CR0_TS | X86_CR0_EM);
	e->cr4 = X86_CR4_OSXSAVE;
	assert_fault(step(), VTX_EXC_UD);
	assert_int_equal(run(8, "0f 10 03"), VTX_EMU_DONE);
	assert_int_equal(run(1, "0f 10 07"), VTX_EMU_DONE);

	prepare(8, "c5 fc 10 03");
	assert_int_equal(step(), VTX_EMU_DONE);
	prepare(8, "c5 fc 10 03");
	e->xcr0 = 3;
	assert_fault(step(), VTX_EXC_UD);
	prepare(8, "c5 fc 10 03");
	e->cr4 = X86_CR4_OSFXSR;
	assert_fault(step(), VTX_EXC_UD);
	prepare(8, "c5 fc 10 03");
	e->cpu &= ~VTX_EMU_CPU_AVX;
	assert_fault(step(), VTX_EXC_UD);
	assert_fault(run(8, "c5 f4 10 03"), VTX_EXC_UD); /* vvvv must be 1111 */
	assert_fault(run(8, "c5 fd d6 03"), VTX_EXC_UD); /* VMOVQ has no 256-bit form */
	assert_int_equal(run(8, "c5 f0 12 03"), VTX_EMU_DONE);

	prepare(8, "0f 28 03"); /* MOVAPS wants 16, VMOVAPS of YMM 32 */
	e->regs[RBX] += 8;
	assert_fault(step(), VTX_EXC_GP);
	prepare(8, "c5 fc 28 03");
	e->regs[RBX] += 16;
	assert_fault(step(), VTX_EXC_GP);
	prepare(8, "c5 fc 10 03");
	e->regs[RBX] += 16;
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_int_equal(g.ops[0].len, 32);
}

/* An x87 register as the image has it, counted from the top of the stack */
static void assert_st(unsigned int place, u64 low, u16 high)
{
	u64 got_low;
	u16 got_high;

	memcpy(&got_low, g.fx + 32 + 16 * place, 8);
	memcpy(&got_high, g.fx + 40 + 16 * place, 2);
	assert_true(got_low == low);
	assert_int_equal(got_high, high);
}

/* ST(j) is 0x100 + j, exponent 0x4000 + j; FSW has TOP and all condition codes, the tags say all empty. */
static void prepare_x87(unsigned int top)
{
	unsigned int i;

	memset(g.fx, 0, sizeof(g.fx));
	g.fx[3] = 0x47 | top << 3;
	for (i = 0; i < 8; i++) {
		g.fx[32 + 16 * i] = i;
		g.fx[33 + 16 * i] = 1;
		g.fx[40 + 16 * i] = i;
		g.fx[41 + 16 * i] = 0x40;
	}
}

/* SDM vol. 3, table 12-3, with each TOP: MM1 is R1, and where it is in the image depends on TOP. */
static void test_mmx(void **state)
{
	static const u64 val = 0x1122334455667788;
	unsigned int top, r;

	for (top = 0; top < 8; top++) {
		prepare(8, "44 0f 6f 0b"); /* REX.R is ignored: MM1 */
		prepare_x87(top);
		memcpy(data, &val, 8);
		assert_int_equal(step(), VTX_EMU_DONE);
		assert_true(g.ops[0].len == 8 && g.fx[3] == 0x47 && g.fx[4] == 0xff);
		for (r = 0; r < 8; r++) {
			unsigned int old = (r - top) & 7;

			assert_st(r, r == 1 ? val : 0x100 + old, r == 1 ? 0xffff : 0x4000 + old);
		}

		prepare(8, top & 1 ? "0f e7 0b" : "0f 7f 0b");
		prepare_x87(top);
		assert_int_equal(step(), VTX_EMU_DONE);
		assert_int_equal(data_at(0, 8), 0x100 + ((1 - top) & 7));
		assert_true(g.ops[0].len == 8 && g.fx[3] == 0x47 && g.fx[4] == 0xff);
		for (r = 0; r < 8; r++) /* a read leaves exponents alone */
			assert_st(r, 0x100 + ((r - top) & 7), 0x4000 + ((r - top) & 7));
	}
}

static void test_mmx_sizes(void **state)
{
	static const u64 val = 0x1122334455667788;

	prepare(1, "0f 6e 0f"); /* MOVD zero-extends */
	memcpy(data, &val, 8);
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_true(g.ops[0].len == 4);
	assert_st(1, 0x55667788, 0xffff);
	prepare(8, "48 0f 6e 0b");
	memcpy(data, &val, 8);
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_st(1, val, 0xffff);
	prepare(4, "0f 7e 0b");
	memcpy(g.fx + 48, &val, 8);
	memset(data, 0xee, 8);
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_true(data_at(0, 8) == 0xeeeeeeee55667788);
	prepare(8, "48 0f 7e 0b");
	memcpy(g.fx + 48, &val, 8);
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_true(data_at(0, 8) == val);
}

static void test_mmx_faults(void **state)
{
	static const char *const code[] = { "0f 6f 0b", "0f 7f 0b", "0f e7 0b", "0f 6e 0b", "0f 7e 0b" };
	u8 before[sizeof(g.fx)];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(code); i++) {
		prepare(8, code[i]);
		prepare_x87(3);
		memcpy(before, g.fx, sizeof(before));
		e->cr0 |= X86_CR0_TS;
		assert_fault(step(), VTX_EXC_NM);
		e->cr0 |= X86_CR0_EM;
		assert_fault(step(), VTX_EXC_UD);
		e->cr0 &= ~(X86_CR0_TS | X86_CR0_EM);
		e->regs[RBX] = MEM_NP - 3;
		assert_fault(step(), VTX_EXC_PF);
		e->regs[RBX] = 0x7ffffffffffe;
		assert_fault(step(), VTX_EXC_GP);
		e->regs[RBX] = MEM_DATA + 2;
		e->cpl = 3;
		e->cr0 |= X86_CR0_AM;
		e->rflags |= X86_EFLAGS_AC;
		assert_fault(step(), VTX_EXC_AC);
		assert_memory_equal(before, g.fx, sizeof(before));
		e->cpl = 0;
		e->cr4 = 0; /* neither CR4.OSFXSR nor alignment matter otherwise */
		assert_int_equal(step(), VTX_EMU_DONE);
		prepare(8, code[i]);
		memmove(g.mem + 1, g.mem, 4);
		g.mem[0] = 0xf0;
		assert_fault(step(), VTX_EXC_UD);
	}
}

static void test_exceptions(void **state)
{
	/* #AC: only at CPL 3 with CR0.AM and EFLAGS.AC */
	prepare(4, "8b 03");
	e->regs[RBX] += 2;
	e->cr0 |= X86_CR0_AM;
	e->rflags |= X86_EFLAGS_AC;
	assert_int_equal(step(), VTX_EMU_DONE);
	prepare(4, "8b 03");
	e->regs[RBX] += 2;
	e->cr0 |= X86_CR0_AM;
	e->rflags |= X86_EFLAGS_AC;
	e->cpl = 3;
	assert_fault(step(), VTX_EXC_AC);
	assert_true(e->exc.has_error && e->exc.error == 0);

	prepare(8, "f7 33"); /* DIV by 0 */
	e->regs[RAX] = 5;
	assert_fault(step(), VTX_EXC_DE);
	assert_false(e->exc.has_error);
	assert_true(e->regs[RAX] == 5 && e->rip == MEM_BASE);

	prepare(8, "48 0f c7 0b");
	e->regs[RBX] += 8;
	assert_fault(step(), VTX_EXC_GP);
	prepare(8, "48 0f c7 0b");
	e->cpu &= ~VTX_EMU_CPU_CX16;
	assert_fault(step(), VTX_EXC_UD);
	assert_fault(run(8, "8c 33"), VTX_EXC_UD); /* segment register 6 */

	/* RF ends with the instruction */
	prepare(8, "8b 03");
	e->rflags |= X86_EFLAGS_RF;
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_int_equal(e->rflags, 2);

	/* EIP wraps at 32 bits outside 64-bit mode */
	prepare(4, "8b 03");
	e->prefetch[0] = 0x8b;
	e->prefetch[1] = 0x03;
	e->prefetch_len = 2;
	e->rip = 0xfffffffe;
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_int_equal(e->rip, 0);
}

static void test_bit_strings(void **state)
{
	prepare(1, "0f ab 07"); /* 16-bit: bit -1 is bit 15 of the word before */
	e->regs[RAX] = 0xffff;
	assert_int_equal(step(), VTX_EMU_DONE);
	assert_int_equal(g.ops[0].addr, MEM_DATA - 2);
	assert_int_equal(g.mem[MEM_DATA - MEM_BASE - 1], 0x80);
	prepare(8, "48 0f a3 03"); /* 2^60 bytes on: the address is not canonical */
	e->regs[RAX] = 0x7fffffffffffffff;
	assert_fault(step(), VTX_EXC_GP);
}

static void test_not_ours(void **state)
{
	static const char *const code[] = {
		"0f 20 c0", "8e d8", "ff 1b", "9c", "0f a2", "d9 03", "0f c7 33", "0f ae 03", "c4 e2 f8 f2 03", "62 f1 7c 48 10 03",
		"0f 6f c1", "0f fc 03", "0f e7 c1", "c5 f8 6f 03", "f2 0f 6f 03", "0f 58 03", "f2 0f 38 f1 03",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(code); i++) {
		u64 rip;

		prepare(8, code[i]);
		rip = e->rip;
		assert_int_equal(step(), VTX_EMU_UNHANDLED);
		assert_true(e->rip == rip && g.nr_ops == 0);
		assert_int_not_equal(e->insn.len, 0);
		assert_int_not_equal(e->why, VTX_EMU_WHY_NONE);
	}
}

/* Each place that gives up says why, and has a sentence of its own. */
static void test_why(void **state)
{
	static const struct {
		const char *code;
		enum vtx_emu_why why;
	} cases[] = {
		{ "0f ae 03", VTX_EMU_WHY_OPCODE },	{ "d9 03", VTX_EMU_WHY_OPCODE },
		{ "f2 0f b8 03", VTX_EMU_WHY_UNKNOWN }, { "c4 e4 f8 6f 03", VTX_EMU_WHY_VEX_MAP },
		{ "62 f0 7c 48 10 03", VTX_EMU_WHY_VEX_MAP }, { "62 f1 7c 48 10 03", VTX_EMU_WHY_VECTOR },
		{ "f2 0f 6f 03", VTX_EMU_WHY_VECTOR },	{ "f3 0f ae 3b", VTX_EMU_WHY_FORM },
	};
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(run(8, cases[i].code), VTX_EMU_UNHANDLED);
		assert_int_equal(e->why, cases[i].why);
	}
	/* What is done next has no reason left over. */
	assert_int_equal(run(8, "90"), VTX_EMU_DONE);
	assert_int_equal(e->why, VTX_EMU_WHY_NONE);
	for (i = 0; i < VTX_NR_EMU_WHY; i++)
		for (j = 0; j < i; j++)
			assert_string_not_equal(vtx_emu_why_text(i), vtx_emu_why_text(j));
	assert_string_equal(vtx_emu_why_text(VTX_NR_EMU_WHY), vtx_emu_why_text(VTX_EMU_WHY_NONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_native),
		cmocka_unit_test(test_effects),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_rmw_permission),
		cmocka_unit_test(test_lock_race),
		cmocka_unit_test(test_rep),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_segments_64),
		cmocka_unit_test(test_branches),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_simd_state),
		cmocka_unit_test(test_mmx),
		cmocka_unit_test(test_mmx_sizes),
		cmocka_unit_test(test_mmx_faults),
		cmocka_unit_test(test_exceptions),
		cmocka_unit_test(test_bit_strings),
		cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The decoder: directed cases from the manual's rules, then random bytes beside Zydis in all three modes.
 *
 * What Zydis accepts and we refuse on purpose: XOP, FMA4, TBM, SSE4A (EXTRQ, INSERTQ with immediates), VIA PadLock,
 * Knights Corner's VEX and EVEX forms (oracle_known_refusal()), and UD0, UD1, UD2, which are #UD.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "selftests/fuzz/decode_oracle.h"

#define M16 1
#define M32 2
#define M64 4

struct decode_case {
	unsigned int modes;
	const char *bytes; /* hex */
	int result;
	unsigned int len;  /* or the vector of a fault */
	u8 op;
};

#define D VTX_EMU_DONE
#define U VTX_EMU_UNHANDLED
#define F VTX_EMU_FAULT

static const struct decode_case cases[] = {
	/* plain lengths, and modes that change them */
	{ M16 | M32 | M64, "8b07", D, 2, OP_MOV },
	{ M16, "a1 3412", D, 3, OP_MOV },
	{ M32, "a1 78563412", D, 5, OP_MOV },
	{ M64, "a1 8877665544332211", D, 9, OP_MOV },
	{ M64, "67 a1 44332211", D, 6, OP_MOV },
	{ M64, "48 b8 8877665544332211", D, 10, OP_MOV },
	{ M64, "66 b8 3412", D, 4, OP_MOV },
	{ M64, "48 c7 00 44332211", D, 7, OP_MOV },
	{ M16, "c7 06 0010 3412", D, 6, OP_MOV },
	{ M16, "66 c7 06 0010 78563412", D, 9, OP_MOV },
	{ M16, "67 8b 04 25 78563412", D, 8, OP_MOV },
	{ M32, "67 8b 46 01", D, 4, OP_MOV },
	{ M64, "8b 05 78563412", D, 6, OP_MOV },
	{ M64, "41 8b 04 24", D, 4, OP_MOV },
	{ M64, "f6 00 7f", D, 3, OP_TEST },
	{ M64, "f6 10", D, 2, OP_NOT },
	{ M64, "f7 00 44332211", D, 6, OP_TEST },
	{ M64, "0f b6 00", D, 3, OP_MOVZX },
	{ M32, "63 00", U, 2, OP_NONE },
	{ M64, "48 63 00", D, 3, OP_MOVSXD },
	{ M64, "0f 38 f0 00", D, 4, OP_MOVBE },
	{ M64, "f2 0f 38 f0 c0", U, 5, OP_NONE },
	{ M64, "0f 3a 0f c1 08", U, 5, OP_NONE },
	{ M64, "c8 1000 01", U, 4, OP_NONE },
	{ M32, "9a 44332211 0800", U, 7, OP_NONE },
	{ M64, "e8 44332211", U, 5, OP_NONE },
	{ M64, "66 e8 44332211", U, 6, OP_NONE }, /* Intel ignores 66 here */
	{ M32, "66 e8 2211", U, 4, OP_NONE },
	{ M64, "0f 20 04", U, 3, OP_NONE },       /* MOV from CR: mod ignored, no SIB */
	{ M64, "c7 f8 44332211", U, 6, OP_NONE }, /* XBEGIN */
	{ M16 | M32 | M64, "0f 6f 00", D, 3, OP_SIMD }, /* MMX */
	{ M16 | M32 | M64, "0f e7 00", D, 3, OP_SIMD },
	{ M16 | M32 | M64, "f0 0f 7f 00", F, 6, 0 },
	/* VEX, EVEX against LES, LDS, BOUND */
	{ M64, "c5 f8 10 00", D, 4, OP_SIMD },
	{ M32, "c5 f8 10 00", D, 4, OP_SIMD },
	{ M32, "c5 38", U, 2, OP_NONE },
	{ M64, "c4 e2 79 2a 00", D, 5, OP_SIMD },
	{ M64, "c4 e3 79 0f c1 08", U, 6, OP_NONE },
	{ M64, "c5 f8 77", U, 3, OP_NONE },
	{ M64, "62 f1 7c 48 10 40 01", U, 7, OP_NONE },
	{ M32, "62 00", U, 2, OP_NONE },
	{ M64, "66 c5 f8 10 00", F, 6, 0 },
	{ M64, "f0 c5 f8 10 00", F, 6, 0 },
	{ M64, "48 c5 f8 10 00", F, 6, 0 },
	/* not instructions, or not in this mode */
	{ M64, "06", F, 6, 0 },
	{ M64, "82 00 01", F, 6, 0 },
	{ M32, "82 00 01", D, 3, OP_ADD },
	{ M64, "9a", F, 6, 0 },
	{ M16 | M32 | M64, "0f 0b", F, 6, 0 },
	{ M16 | M32 | M64, "ff 38", F, 6, 0 },
	{ M16 | M32 | M64, "fe 10", F, 6, 0 },
	{ M16 | M32 | M64, "c6 08 00", F, 6, 0 },
	{ M16 | M32 | M64, "8d c0", F, 6, 0 },
	{ M16 | M32 | M64, "0f ba 00 01", F, 6, 0 },
	{ M16 | M32 | M64, "0f 04", U, 0, 0 },
	{ M64, "8f e8 78 cc c0 00", U, 0, 0 },
	/* LOCK */
	{ M16 | M32 | M64, "f0 01 00", D, 3, OP_ADD },
	{ M16 | M32 | M64, "f0 01 c0", F, 6, 0 },
	{ M16 | M32 | M64, "f0 03 00", F, 6, 0 },
	{ M16 | M32 | M64, "f0 39 00", F, 6, 0 },
	{ M16 | M32 | M64, "f0 8b 00", F, 6, 0 },
	{ M16 | M32 | M64, "f0 80 38 00", F, 6, 0 },
	{ M16 | M32 | M64, "f0 0f ba 20 01", F, 6, 0 },
	{ M16 | M32 | M64, "f0 0f ba 28 01", D, 5, OP_BTS },
	{ M16 | M32 | M64, "f0 0f c7 08", D, 4, OP_CMPXCHG8B },
	{ M16 | M32 | M64, "f0 90", F, 6, 0 },
	/* 15 bytes are the limit */
	{ M32, "66 66 66 66 66 66 66 66 66 66 66 66 66 8b 00", D, 15, OP_MOV },
	{ M32, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 8b 00", F, 13, 0 },
	{ M64, "2e 2e 2e 2e 2e 48 b8 8877665544332211", D, 15, OP_MOV },
	{ M64, "2e 2e 2e 2e 2e 2e 48 b8 8877665544332211", F, 13, 0 },
	/* a REX that is not last does not count */
	{ M64, "48 66 8b 00", D, 4, OP_MOV },
};

static unsigned int parse(const char *hex, u8 *out)
{
	unsigned int n = 0, digits = 0;

	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		out[n] = out[n] << 4 | (*hex <= '9' ? *hex - '0' : *hex - 'a' + 10);
		if (++digits % 2 == 0)
			n++;
	}
	return n;
}

static void test_cases(void **state)
{
	unsigned int i, mode;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct decode_case *c = &cases[i];

		for (mode = 2; mode <= 8; mode *= 2) {
			u8 data[24] = { 0 };
			struct oracle_bytes b = { data, 24 };
			struct vtx_emu e;
			int ret;

			if (!(c->modes & (mode / 2)))
				continue;
			parse(c->bytes, data);
			ret = oracle_decode(&e, mode, &b);
			if (ret != c->result || (ret == F ? e.exc.vector : e.insn.len) != c->len ||
			    (ret == D && e.insn.op != c->op))
				fail_msg("%s in mode %u: result %d len %u vector %u op %u", c->bytes, mode, ret,
					 e.insn.len, e.exc.vector, e.insn.op);
		}
	}
}

static struct vtx_emu decoded(unsigned int mode, const char *hex)
{
	u8 data[24] = { 0 };
	struct oracle_bytes b = { data, 24 };
	struct vtx_emu e;

	parse(hex, data);
	oracle_decode(&e, mode, &b);
	return e;
}

static void test_operands(void **state)
{
	struct vtx_emu e = decoded(8, "48 66 8b 00");

	assert_int_equal(e.insn.op_bytes, 2);
	e = decoded(8, "66 48 8b 00");
	assert_int_equal(e.insn.op_bytes, 8);
	e = decoded(8, "44 8b 00");
	assert_int_equal(e.insn.reg, 8);
	e = decoded(8, "8b 45 00");
	assert_int_equal(e.insn.seg, VTX_EMU_SS);
	e = decoded(8, "41 8b 45 00"); /* r13 is not rbp */
	assert_int_equal(e.insn.seg, VTX_EMU_DS);
	e = decoded(8, "41 8b 04 24"); /* nor r12 rsp */
	assert_int_equal(e.insn.seg, VTX_EMU_DS);
	e = decoded(8, "8b 04 24");
	assert_int_equal(e.insn.seg, VTX_EMU_SS);
	e = decoded(8, "64 8b 04 24");
	assert_int_equal(e.insn.seg, VTX_EMU_FS);
	e = decoded(8, "3e 8b 04 24"); /* no such override in 64-bit mode */
	assert_int_equal(e.insn.seg, VTX_EMU_SS);
	e = decoded(4, "3e 8b 04 24");
	assert_int_equal(e.insn.seg, VTX_EMU_DS);
	e = decoded(2, "8b 02");
	assert_int_equal(e.insn.seg, VTX_EMU_SS);
	e = decoded(2, "8b 06 3412");
	assert_int_equal(e.insn.seg, VTX_EMU_DS);
	assert_int_equal(e.insn.ea, 0x1234);
	e = decoded(8, "8b 05 10000000");
	assert_int_equal(e.insn.ea, 0x16);
	e = decoded(8, "81 05 10000000 01000000"); /* relative to the end, immediate included */
	assert_int_equal(e.insn.ea, 0x1a);
	e = decoded(8, "67 8b 05 f0ffffff");
	assert_true(e.insn.ea == 0xfffffff7);
	e = decoded(8, "83 00 ff");
	assert_true(e.insn.imm == ~0ULL);
	e = decoded(8, "c5 7a 10 00");
	assert_int_equal(e.insn.reg, 8);
	e = decoded(4, "c4 41 7a 10 00"); /* outside 64-bit mode B is ignored; R and X must be set */
	assert_int_equal(e.insn.opcode, 0xc4);
	e = decoded(4, "c4 c1 7a 10 00");
	assert_int_equal(e.insn.rm, 0);
	e = decoded(4, "c4 e1 38 12 00"); /* top bit of vvvv ignored: register 0, not 8 */
	assert_int_equal(e.insn.vex_v, 0);
}

/* Real mode knows no VEX: c5 with a register form is LDS, and #UD. */
static void test_real_mode(void **state)
{
	const u8 data[16] = { 0xc5, 0xf8, 0x10, 0x00 };
	struct oracle_bytes b = { data, 16 };
	struct vtx_emu e;

	assert_int_equal(oracle_decode(&e, 2, &b), D);
	e.cr0 = 0;
	assert_int_equal(vtx_emu_decode(&e), F);
	assert_int_equal(e.exc.vector, VTX_EXC_UD);
	e.cr0 = X86_CR0_PE;
	e.rflags = X86_EFLAGS_VM;
	assert_int_equal(vtx_emu_decode(&e), F);
}

static unsigned int fetches;
static u64 last_fetch;

/* Nothing beyond 0x2000 is present. */
static int paged_fetch(struct vtx_emu *e, u64 gva, void *buf, unsigned int len, unsigned int *got)
{
	fetches++;
	last_fetch = gva;
	if (gva >= 0x2000)
		return vtx_emu_page_fault(e, gva, 0x10);
	assert_true((gva & 0xfff) + len <= 0x1000);
	memset(buf, 0x66, len);
	*got = len;
	return VTX_EMU_DONE;
}

/* Bytes are fetched page by page, the second page only when the instruction reaches it; CS' limit counts. */
static void test_fetch(void **state)
{
	static const struct vtx_emu_ops ops = { .fetch = paged_fetch };
	struct vtx_emu e = decoded(4, "90");

	e.ops = &ops;
	e.rip = 0x1ffe;
	fetches = 0;
	assert_int_equal(vtx_emu_decode(&e), F);
	assert_int_equal(e.exc.vector, VTX_EXC_PF);
	assert_int_equal(e.exc.cr2, 0x2000);
	assert_int_equal(fetches, 2);

	/* bytes handed in need no fetch */
	fetches = 0;
	e.prefetch[0] = 0x8b;
	e.prefetch[1] = 0x00;
	e.prefetch_len = 2;
	assert_int_equal(vtx_emu_decode(&e), D);
	assert_int_equal(fetches, 0);
	e.prefetch_len = 1; /* ModRM and displacement are paged_fetch()'s */
	e.rip = 0x1ffd;
	assert_int_equal(vtx_emu_decode(&e), D);
	assert_int_equal(last_fetch, 0x1ffe);
	assert_int_equal(e.insn.len, 3);
	assert_int_equal(e.insn.modrm, 0x66);

	e.seg[VTX_EMU_CS].limit = 0x1ffe;
	assert_int_equal(vtx_emu_decode(&e), F);
	assert_int_equal(e.exc.vector, VTX_EXC_GP);
	e.seg[VTX_EMU_CS].limit = 0xffffffff;

	e = decoded(8, "90");
	e.ops = &ops;
	e.rip = 0x00007fffffffffff; /* next byte is not canonical */
	e.prefetch[0] = 0x66;
	e.prefetch_len = 1;
	assert_int_equal(vtx_emu_decode(&e), F);
	assert_int_equal(e.exc.vector, VTX_EXC_GP);
}

static u64 seed = 88172645463325252ULL;

static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed >> 11;
}

/* Random bytes, with prefixes and escapes more often than chance has them */
static void random_bytes(u8 *b)
{
	static const u8 prefixes[] = { 0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e, 0x64, 0x48, 0x4c, 0x41 };
	static const u8 escapes[][2] = { { 0x0f }, { 0x0f }, { 0x0f, 0x38 }, { 0x0f, 0x3a }, { 0xc5 }, { 0xc4 }, { 0x62 } };
	unsigned int i, n = rnd() % 4, p = 0, k;

	for (i = 0; i < 16; i++)
		b[i] = rnd();
	for (i = 0; n < 3 && i < n; i++)
		b[p++] = prefixes[rnd() % ARRAY_SIZE(prefixes)];
	k = rnd() % (2 * ARRAY_SIZE(escapes));
	if (k >= ARRAY_SIZE(escapes))
		return;
	b[p++] = escapes[k][0];
	if (escapes[k][1])
		b[p++] = escapes[k][1];
	if (b[p - 1] == 0xc4)
		b[p] &= 0xe3;
	if (b[p - 1] == 0x62) {
		b[p] &= 0xf7;
		b[p + 1] |= 4;
	}
}

static bool is_ud_instruction(const ZydisDecodedInstruction *insn)
{
	return insn->mnemonic == ZYDIS_MNEMONIC_UD0 || insn->mnemonic == ZYDIS_MNEMONIC_UD1 ||
	       insn->mnemonic == ZYDIS_MNEMONIC_UD2;
}

static void test_zydis(void **state)
{
	unsigned long agree = 0;
	unsigned int i, mode;
	u8 b[16];

	for (i = 0; i < 3000000; i++) {
		enum oracle_verdict v;
		struct oracle_answer a;

		random_bytes(b);
		mode = 2u << rnd() % 3;
		v = oracle_compare(mode, b, sizeof(b), &a);
		agree += v == ORACLE_AGREE;
		if ((v == ORACLE_MISMATCH || v == ORACLE_WE_REFUSE) && !oracle_known_refusal(&a.insn) &&
		    !is_ud_instruction(&a.insn))
			fail_msg("mode %u, %02x %02x %02x %02x %02x %02x %02x %02x: ours %d len %u, Zydis %s len %u", mode,
				 b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], a.ours, a.our_len,
				 ZydisMnemonicGetString(a.insn.mnemonic), a.zydis_len);
	}
	assert_true(agree > 1500000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_operands),
		cmocka_unit_test(test_real_mode),
		cmocka_unit_test(test_fetch),
		cmocka_unit_test(test_zydis),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random instructions for native_oracle.h: every integer and vector instruction the emulator executes, with random
 * prefixes, operands, flags and memory, run on the processor and in the emulator, and the comparison of all that
 * each has left behind: registers, vector and x87 registers, flags that the manual defines, memory, and the fault.
 */
#ifndef VTX_SELFTESTS_NATIVE_CASES_H
#define VTX_SELFTESTS_NATIVE_CASES_H

#include "selftests/fuzz/native_oracle.h"

#define F_CF X86_EFLAGS_CF
#define F_PF X86_EFLAGS_PF
#define F_AF X86_EFLAGS_AF
#define F_ZF X86_EFLAGS_ZF
#define F_SF X86_EFLAGS_SF
#define F_OF X86_EFLAGS_OF

#define N_MODRM  0x001
#define N_LOCK   0x002 /* may be locked when the destination is memory */
#define N_MEM    0x004 /* memory form only */
#define N_STRING 0x008
#define N_SHIFT  0x010 /* OF is defined for a count of 1 alone */
#define N_SHL    0x020 /* CF is undefined for counts above the size */
#define N_BIT    0x040 /* register holds a bit offset: keep it small */
#define N_SIMD   0x080
#define N_BRANCH 0x100
#define N_NO66   0x200

struct native_insn {
	u8 prefix;     /* mandatory, 0: none */
	u8 escape;     /* 0: one byte, 1: 0f, 2: 0f 38 */
	u8 opcode;
	u8 variants;   /* opcode + 0 ... variants - 1 */
	s8 digit;      /* ModRM.reg, -1: any */
	u8 imm;        /* 0; 1: byte; 4: by operand size, at most 4; 8: by operand size; 9: address */
	u16 flags;
	u16 undefined; /* flags */
};

#define ROW(escape, opcode, variants, digit, imm, flags, undef) \
	{ 0, escape, opcode, variants, digit, imm, flags, undef }
#define N_MUL_UNDEF (F_SF | F_ZF | F_AF | F_PF)
#define N_BT_UNDEF  (F_OF | F_SF | F_AF | F_PF)
#define ALU_ROWS(base, lock)                                          \
	ROW(0, base, 2, -1, 0, N_MODRM | (lock), 0),                  \
	ROW(0, (base) + 2, 2, -1, 0, N_MODRM, 0),                     \
	ROW(0, (base) + 4, 1, 0, 1, 0, 0),                            \
	ROW(0, (base) + 5, 1, 0, 4, 0, 0),                            \
	ROW(0, 0x80, 1, (base) / 8, 1, N_MODRM | (lock), 0),          \
	ROW(0, 0x81, 1, (base) / 8, 4, N_MODRM | (lock), 0),          \
	ROW(0, 0x83, 1, (base) / 8, 1, N_MODRM | (lock), 0)
#define SHIFT_ROWS(digit, undef, shl)                                 \
	ROW(0, 0xc0, 2, digit, 1, N_MODRM | N_SHIFT | (shl), undef),  \
	ROW(0, 0xd0, 4, digit, 0, N_MODRM | N_SHIFT | (shl), undef)

static const struct native_insn native_insns[] = {
	ALU_ROWS(0x00, N_LOCK), ALU_ROWS(0x08, N_LOCK), ALU_ROWS(0x10, N_LOCK), ALU_ROWS(0x18, N_LOCK),
	ALU_ROWS(0x20, N_LOCK), ALU_ROWS(0x28, N_LOCK), ALU_ROWS(0x30, N_LOCK), ALU_ROWS(0x38, 0),
	SHIFT_ROWS(0, 0, 0), SHIFT_ROWS(1, 0, 0), SHIFT_ROWS(2, 0, 0), SHIFT_ROWS(3, 0, 0),
	SHIFT_ROWS(4, F_AF, N_SHL), SHIFT_ROWS(5, F_AF, N_SHL), SHIFT_ROWS(6, F_AF, N_SHL), SHIFT_ROWS(7, F_AF, 0),
	ROW(1, 0xa4, 1, -1, 1, N_MODRM | N_SHIFT | N_NO66, F_AF), ROW(1, 0xa5, 1, -1, 0, N_MODRM | N_SHIFT | N_NO66, F_AF),
	ROW(1, 0xac, 1, -1, 1, N_MODRM | N_SHIFT | N_NO66, F_AF), ROW(1, 0xad, 1, -1, 0, N_MODRM | N_SHIFT | N_NO66, F_AF),
	ROW(0, 0x84, 2, -1, 0, N_MODRM, F_AF), ROW(0, 0xa8, 1, 0, 1, 0, F_AF), ROW(0, 0xa9, 1, 0, 4, 0, F_AF),
	ROW(0, 0xf6, 1, 0, 1, N_MODRM, F_AF), ROW(0, 0xf7, 1, 0, 4, N_MODRM, F_AF),
	ROW(0, 0xf6, 2, 2, 0, N_MODRM | N_LOCK, 0), ROW(0, 0xf6, 2, 3, 0, N_MODRM | N_LOCK, 0),
	ROW(0, 0xf6, 2, 4, 0, N_MODRM, N_MUL_UNDEF), ROW(0, 0xf6, 2, 5, 0, N_MODRM, N_MUL_UNDEF),
	ROW(0, 0xf6, 2, 6, 0, N_MODRM, VTX_FLAGS_ARITH), ROW(0, 0xf6, 2, 7, 0, N_MODRM, VTX_FLAGS_ARITH),
	ROW(0, 0xfe, 2, 0, 0, N_MODRM | N_LOCK, 0), ROW(0, 0xfe, 2, 1, 0, N_MODRM | N_LOCK, 0),
	ROW(1, 0xaf, 1, -1, 0, N_MODRM, N_MUL_UNDEF), ROW(0, 0x69, 1, -1, 4, N_MODRM, N_MUL_UNDEF),
	ROW(0, 0x6b, 1, -1, 1, N_MODRM, N_MUL_UNDEF),
	ROW(0, 0x86, 2, -1, 0, N_MODRM | N_LOCK, 0), ROW(0, 0x90, 8, 0, 0, 0, 0),
	ROW(0, 0x88, 4, -1, 0, N_MODRM, 0), ROW(0, 0xc6, 1, 0, 1, N_MODRM, 0), ROW(0, 0xc7, 1, 0, 4, N_MODRM, 0),
	ROW(0, 0xb0, 8, 0, 1, 0, 0), ROW(0, 0xb8, 8, 0, 8, 0, 0), ROW(0, 0xa0, 4, 0, 9, 0, 0),
	ROW(0, 0x63, 1, -1, 0, N_MODRM | N_NO66, 0), /* with 66, AMD reads 32 bits, Intel 16 */
	ROW(0, 0x8d, 1, -1, 0, N_MODRM | N_MEM, 0), ROW(0, 0xd7, 1, 0, 0, N_STRING, 0),
	ROW(1, 0xb6, 2, -1, 0, N_MODRM, 0), ROW(1, 0xbe, 2, -1, 0, N_MODRM, 0),
	ROW(1, 0x40, 16, -1, 0, N_MODRM, 0), ROW(1, 0x90, 16, -1, 0, N_MODRM, 0), ROW(1, 0x1f, 1, 0, 0, N_MODRM, 0),
	ROW(1, 0xc3, 1, -1, 0, N_MODRM | N_MEM | N_NO66, 0), ROW(2, 0xf0, 2, -1, 0, N_MODRM | N_MEM, 0),
	ROW(1, 0xa3, 1, -1, 0, N_MODRM | N_BIT, N_BT_UNDEF),
	ROW(1, 0xab, 1, -1, 0, N_MODRM | N_BIT | N_LOCK, N_BT_UNDEF),
	ROW(1, 0xb3, 1, -1, 0, N_MODRM | N_BIT | N_LOCK, N_BT_UNDEF),
	ROW(1, 0xbb, 1, -1, 0, N_MODRM | N_BIT | N_LOCK, N_BT_UNDEF),
	ROW(1, 0xba, 1, 4, 1, N_MODRM, N_BT_UNDEF), ROW(1, 0xba, 1, 5, 1, N_MODRM | N_LOCK, N_BT_UNDEF),
	ROW(1, 0xba, 1, 6, 1, N_MODRM | N_LOCK, N_BT_UNDEF),
	ROW(1, 0xba, 1, 7, 1, N_MODRM | N_LOCK, N_BT_UNDEF),
	ROW(1, 0xbc, 2, -1, 0, N_MODRM, VTX_FLAGS_ARITH & ~F_ZF),
	{ 0xf3, 1, 0xb8, 1, -1, 0, N_MODRM, 0 },
	{ 0xf3, 1, 0xbc, 2, -1, 0, N_MODRM, N_BT_UNDEF },
	ROW(1, 0xc0, 2, -1, 0, N_MODRM | N_LOCK, 0), ROW(1, 0xb0, 2, -1, 0, N_MODRM | N_LOCK, 0),
	ROW(1, 0xc7, 1, 1, 0, N_MODRM | N_LOCK | N_MEM, 0),
	ROW(0, 0xff, 1, 6, 0, N_MODRM, 0), ROW(0, 0x8f, 1, 0, 0, N_MODRM, 0),
	ROW(0, 0xff, 1, 2, 0, N_MODRM | N_MEM | N_BRANCH | N_NO66, 0),
	ROW(0, 0xff, 1, 4, 0, N_MODRM | N_MEM | N_BRANCH | N_NO66, 0),
	ROW(0, 0xa4, 4, 0, 0, N_STRING, 0), ROW(0, 0xaa, 6, 0, 0, N_STRING, 0),
	ROW(1, 0xae, 1, 7, 0, N_MODRM | N_MEM | N_NO66, 0),
#define V(prefix, opcode) { prefix, 1, opcode, 1, -1, 0, N_MODRM | N_MEM | N_SIMD, 0 }
	V(0, 0x10), V(0x66, 0x10), V(0xf3, 0x10), V(0xf2, 0x10), V(0, 0x11), V(0x66, 0x11), V(0xf3, 0x11), V(0xf2, 0x11),
	V(0, 0x12), V(0x66, 0x12), V(0, 0x13), V(0x66, 0x13), V(0, 0x16), V(0x66, 0x16), V(0, 0x17), V(0x66, 0x17),
	V(0, 0x28), V(0x66, 0x28), V(0, 0x29), V(0x66, 0x29), V(0, 0x2b), V(0x66, 0x2b), V(0x66, 0x6f), V(0xf3, 0x6f),
	V(0xf3, 0x7e), V(0x66, 0x7f), V(0xf3, 0x7f), V(0x66, 0xd6), V(0x66, 0xe7), V(0xf2, 0xf0),
	{ 0x66, 1, 0x6e, 1, -1, 0, N_MODRM | N_SIMD, 0 }, { 0x66, 1, 0x7e, 1, -1, 0, N_MODRM | N_SIMD, 0 },
	{ 0x66, 2, 0x2a, 1, -1, 0, N_MODRM | N_MEM | N_SIMD, 0 },
	/* MMX */
	ROW(1, 0x6e, 1, -1, 0, N_MODRM | N_NO66, 0), ROW(1, 0x7e, 1, -1, 0, N_MODRM | N_NO66, 0),
	ROW(1, 0x6f, 1, -1, 0, N_MODRM | N_MEM | N_NO66, 0), ROW(1, 0x7f, 1, -1, 0, N_MODRM | N_MEM | N_NO66, 0),
	ROW(1, 0xe7, 1, -1, 0, N_MODRM | N_MEM | N_NO66, 0),
};

static u64 native_seed = 0x9e3779b97f4a7c15ULL;

static u64 native_rnd(void)
{
	native_seed ^= native_seed << 13;
	native_seed ^= native_seed >> 7;
	native_seed ^= native_seed << 17;
	return native_seed >> 9;
}

static u64 native_value(void)
{
	static const u64 edges[] = { 0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
				     0x7fffffffffffffff, 0x8000000000000000, ~0ULL };

	switch (native_rnd() % 4) {
	case 0:
		return edges[native_rnd() % ARRAY_SIZE(edges)];
	case 1:
		return native_rnd() % 64;
	default:
		return native_rnd() << 24 ^ native_rnd();
	}
}

/* Mostly in the writable part, aligned or not; sometimes at a page's edge, read-only, absent, or not canonical */
static u64 native_pointer(void)
{
	u64 r = native_rnd();

	switch (r % 16) {
	case 0:
		return NATIVE_MEM + 0x1000 - (r >> 8) % 40;
	case 1:
		return NATIVE_RO - (r >> 8) % 40;
	case 2:
		return NATIVE_RO + (r >> 8) % 0x800;
	case 3:
		return NATIVE_END - (r >> 8) % 40;
	case 4:
		return (r >> 8) & 1 ? NATIVE_MEM - (r >> 9) % 40 : 0x8000000000000000 + r;
	default:
		return NATIVE_MEM + 0x400 + ((r >> 8) % 0x1000 & ~((r >> 32) & 31));
	}
}

/* One test case: the bytes, and what goes in */
struct native_case {
	const struct native_insn *row;
	u8 bytes[15];
	unsigned int len;
	u8 opcode, rex, modrm;
	bool vex, vex_256, opsize;
	struct native_state in;
	u64 ea;     /* when the operand is memory */
	bool memory;
};

static void native_emit(struct native_case *c, u64 val, unsigned int n)
{
	for (; n; n--, val >>= 8)
		c->bytes[c->len++] = val;
}

/* ModRM with its registers set up so that the address is native_pointer()'s */
static void native_operand(struct native_case *c)
{
	unsigned int reg = c->row->digit >= 0 ? c->row->digit : native_rnd() % 8;
	unsigned int mod = native_rnd() % 4, rm = native_rnd() % 8, base = rm | (c->rex & 1) << 3, index = 4;
	u64 r = native_rnd();
	s32 disp = 0;
	u8 sib = 0;

	if (mod == 3 && (c->row->flags & N_MEM))
		mod = 2;
	if (mod == 0 && (rm == 5 || rm == 4))
		mod = 1;
	c->modrm = mod << 6 | reg << 3 | rm;
	native_emit(c, c->modrm, 1);
	c->memory = mod != 3;
	if (!c->memory)
		return;
	c->ea = native_pointer();
	if (mod)
		disp = mod == 1 ? (s8)r : (s32)(r & 0xffff) - 0x8000;
	if (rm == 4) {
		base = (r >> 16 & 7) | (c->rex & 1) << 3;
		index = (r >> 20 & 7) | (c->rex & 2) << 2;
		sib = (r >> 24 & 3) << 6 | (index & 7) << 3 | (base & 7);
		native_emit(c, sib, 1);
	}
	if (index != 4 && index != base)
		c->in.regs[index] = native_rnd() % 64;
	if (index != 4 && index == base) { /* one register twice; the address may come out a few bytes lower */
		c->in.regs[base] = (c->ea - disp) / (1 + (1 << (sib >> 6)));
		c->ea = c->in.regs[base] * (1 + (1 << (sib >> 6))) + disp;
	} else {
		c->in.regs[base] = c->ea - disp - (index == 4 ? 0 : c->in.regs[index] << (sib >> 6));
	}
	native_emit(c, disp, mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

static void native_vex(struct native_case *c, const struct native_insn *row)
{
	static const u8 pp[] = { [0x00] = 0, [0x66] = 1, [0xf3] = 2, [0xf2] = 3 };
	u8 v = (row->opcode == 0x12 || row->opcode == 0x16) ? native_rnd() % 16 : 0;

	native_emit(c, 0xc4, 1);
	native_emit(c, (~c->rex & 7) << 5 | row->escape, 1);
	native_emit(c, (c->rex & 8) << 4 | (~v & 15) << 3 | c->vex_256 << 2 | pp[row->prefix], 1);
	native_emit(c, row->opcode, 1);
}

static void native_prefixes(struct native_case *c)
{
	const struct native_insn *row = c->row;
	u64 r = native_rnd();

	c->opsize = row->prefix == 0x66 || (!(row->flags & (N_NO66 | N_SIMD)) && r % 4 == 0);
	c->rex = (r >> 8) % 2 ? 0x40 | (r >> 10 & 15) : 0;
	c->vex = (row->flags & N_SIMD) && (r >> 20) % 2;
	c->vex_256 = (r >> 21) & 1;
	if (c->vex) {
		c->opsize = false;
		native_vex(c, row);
		return;
	}
	if ((row->flags & N_LOCK) && (r >> 16) % 4 == 0)
		native_emit(c, 0xf0, 1);
	if ((row->flags & N_STRING) && (r >> 16) % 4)
		native_emit(c, 0xf2 + (r >> 18 & 1), 1);
	if (c->opsize)
		native_emit(c, 0x66, 1);
	if (row->prefix && row->prefix != 0x66)
		native_emit(c, row->prefix, 1);
	if (c->rex)
		native_emit(c, c->rex, 1);
	if (row->escape)
		native_emit(c, 0x0f, 1);
	if (row->escape == 2)
		native_emit(c, 0x38, 1);
	c->opcode = row->opcode + (r >> 24) % row->variants;
	native_emit(c, c->opcode, 1);
}

static void native_immediate(struct native_case *c)
{
	unsigned int z = c->rex & 8 ? 8 : c->opsize ? 2 : 4;

	switch (c->row->imm) {
	case 1:
		native_emit(c, native_value(), 1);
		break;
	case 4:
		native_emit(c, native_value(), min(z, 4u));
		break;
	case 8:
		native_emit(c, native_value(), z);
		break;
	case 9:
		native_emit(c, native_pointer(), 8);
		break;
	}
}

/* A random piece of a longer string of interesting numbers: fresh ones for each case would take most of the time. */
static void native_fill_memory(void)
{
	static u64 pool[NATIVE_SIZE / 8 * 4];
	unsigned int i;

	for (i = 0; !pool[ARRAY_SIZE(pool) - 1] && i < ARRAY_SIZE(pool); i++)
		pool[i] = native_value() | (i == ARRAY_SIZE(pool) - 1);
	memcpy(native_alias, pool + native_rnd() % (ARRAY_SIZE(pool) - NATIVE_SIZE / 8), NATIVE_SIZE);
}

/* Any TOP, tags and register contents; no exception pending or unmasked, and the MXCSR that programs run with */
static void native_fill_x87(u8 *fx)
{
	static const u16 fcw = 0x37f;
	static const u32 mxcsr = 0x1f80;
	unsigned int i;
	u64 r = native_rnd();

	memcpy(fx, &fcw, 2);
	fx[3] = r & 0x7f; /* condition codes and TOP */
	fx[4] = r >> 8;
	memcpy(fx + 24, &mxcsr, 4);
	for (i = 0; i < 8; i++) {
		u64 low = native_value(), high = native_rnd();

		memcpy(fx + 32 + 16 * i, &low, 8);
		memcpy(fx + 40 + 16 * i, &high, 2);
	}
}

static bool native_x87_differs(const u8 *a, const u8 *b)
{
	unsigned int i;

	for (i = 0; i < 8; i++)
		if (memcmp(a + 32 + 16 * i, b + 32 + 16 * i, 10))
			return true;
	return memcmp(a, b, 5); /* FCW, FSW, abridged tags */
}

static void native_make(struct native_case *c, const struct native_insn *row)
{
	unsigned int i;

	memset(c, 0, sizeof(*c));
	c->row = row;
	for (i = 0; i < 16; i++) {
		c->in.regs[i] = native_value();
		c->in.ymm[i][0] = native_value();
		c->in.ymm[i][1] = native_rnd();
		c->in.ymm[i][2] = native_rnd();
		c->in.ymm[i][3] = native_rnd();
	}
	native_fill_x87(c->in.fx);
	native_fill_memory();
	c->in.rflags = 0x202 | (native_rnd() & VTX_FLAGS_ARITH);
	c->in.regs[VTX_EMU_RSP] = native_pointer();
	native_prefixes(c);
	if (row->flags & N_MODRM)
		native_operand(c);
	if (row->flags & N_STRING) {
		c->in.regs[VTX_EMU_RSI] = native_pointer();
		c->in.regs[VTX_EMU_RDI] = native_pointer();
		c->in.regs[VTX_EMU_RCX] = native_rnd() % 20;
		c->in.regs[VTX_EMU_RBX] = native_pointer();
		c->in.rflags |= native_rnd() & X86_EFLAGS_DF;
	}
	if ((row->flags & N_BIT) && native_rnd() % 8) {
		unsigned int reg = (c->modrm >> 3 & 7) | (c->rex & 4) << 1;

		if (!c->memory || reg != ((c->modrm & 7) | (c->rex & 1) << 3))
			c->in.regs[reg] = (s64)(native_rnd() % 4096) - 2048;
	}
	native_immediate(c);
	if (c->memory && c->ea >= NATIVE_MEM && c->ea <= NATIVE_END - 32) {
		/* let half of the compare-and-exchanges succeed, and branches return */
		if (row->escape == 1 && (row->opcode == 0xb0 || row->opcode == 0xc7) && native_rnd() % 2) {
			unsigned int half = row->opcode == 0xc7 && !(c->rex & 8) ? 4 : 8;

			memcpy(native_alias + (c->ea - NATIVE_MEM), &c->in.regs[VTX_EMU_RAX], half);
			memcpy(native_alias + (c->ea - NATIVE_MEM) + half, &c->in.regs[VTX_EMU_RDX], half);
		}
	}
	if ((row->flags & N_BRANCH) && c->ea >= NATIVE_MEM && c->ea <= NATIVE_END - 8) {
		u64 target = native_rnd() % 4 ? (u64)native_after : 0x8000000000000000;

		memcpy(native_alias + (c->ea - NATIVE_MEM), &target, 8);
	}
}

/* Flags that the manual leaves undefined for this case */
static u64 native_undefined(const struct native_case *c, const struct vtx_emu *e)
{
	unsigned int size = e->insn.op_bytes, count = e->insn.imm & 0xff;
	u64 undef = c->row->undefined;

	if (!(c->row->flags & N_SHIFT))
		return undef;
	if (e->insn.form == FORM_M1)
		count = 1;
	else if (e->insn.form == FORM_MC || e->insn.form == FORM_MRC)
		count = c->in.regs[VTX_EMU_RCX] & 0xff;
	count &= size == 8 ? 63 : 31;
	if (count == 0)
		return 0;
	if (count != 1)
		undef |= F_OF;
	if ((c->row->flags & N_SHL) && count > 8 * size)
		undef |= F_CF;
	return undef;
}

/* Whether the read-only page is present at the moment is the build machine's business: P says nothing there. */
static u32 native_ignored_error(void)
{
	return native_fault.vector == VTX_EXC_PF && native_fault.cr2 >= NATIVE_RO && native_fault.cr2 < NATIVE_END ? 1 : 0;
}

/* More than one thing is wrong, and processors differ in which they report */
static bool native_either_fault(const struct native_case *c, const struct vtx_emu *e)
{
	bool aligned = (c->row->flags & N_SIMD) || (c->row->escape == 1 && c->row->opcode == 0xc7);

	/* CMPS: both operands */
	if (e->insn.op == OP_CMPS)
		return true;
	/* not canonical in the stack segment, and misaligned */
	if (aligned && e->exc.vector == VTX_EXC_SS && native_fault.vector == VTX_EXC_GP)
		return true;
	/* CALL to where it must not go: Intel's pseudo-code checks before it pushes, AMD's processors after */
	return (c->row->flags & N_BRANCH) && e->exc.vector == VTX_EXC_GP;
}

static int native_emulate(struct vtx_emu *e)
{
	unsigned int steps = 0;
	int ret;

	do {
		ret = vtx_emu_step(e);
	} while (ret == VTX_EMU_DONE && e->again && ++steps < 100);
	return ret;
}

/* Something else than agreement?  Says what. */
static const char *native_difference(const struct native_case *c, const struct vtx_emu *e, int ret,
				     const struct native_state *mine, const u8 *native_mem)
{
	u64 undef = native_undefined(c, e), rip = (u64)native_after;
	unsigned int i;

	if (native_fault.happened != (ret == VTX_EMU_FAULT))
		return "fault or none";
	if (native_fault.happened) {
		undef = VTX_FLAGS_ARITH | X86_EFLAGS_RF;
		if (c->row->flags & N_STRING)
			undef = X86_EFLAGS_RF;
		if (!native_either_fault(c, e)) {
			if (e->exc.vector != native_fault.vector)
				return "vector";
			if (e->exc.has_error && ((e->exc.error ^ native_fault.error) & ~native_ignored_error()))
				return "error code";
			if (e->exc.vector == VTX_EXC_PF && e->exc.cr2 != native_fault.cr2)
				return "cr2";
		}
	} else if (ret != VTX_EMU_DONE) {
		return "result";
	} else if (c->row->flags & N_BRANCH ? e->rip != rip : e->rip != (u64)native_slot + c->len) {
		return "rip";
	}
	for (i = 0; i < 16; i++)
		if (e->regs[i] != native_state.regs[i])
			return "register";
	if ((e->rflags ^ native_state.rflags) & ~undef & (VTX_FLAGS_ARITH | X86_EFLAGS_DF))
		return "flags";
	if (memcmp(mine->ymm, native_state.ymm, sizeof(native_state.ymm)))
		return "vector register";
	if (native_x87_differs(mine->fx, native_state.fx))
		return "x87 state";
	if (memcmp(native_mem, native_alias, NATIVE_SIZE))
		return "memory";
	return NULL;
}

/*
 * Run one random case.  Returns NULL when both agree, else what differs, with the case described in text.
 */
static const char *native_one(char *text, size_t size)
{
	static u8 before[NATIVE_SIZE], after[NATIVE_SIZE];
	static struct native_case c;
	static struct native_state mine;
	struct vtx_emu e;
	const char *what;
	unsigned int i, n;
	int ret;

	native_make(&c, &native_insns[native_rnd() % ARRAY_SIZE(native_insns)]);
	memcpy(before, native_alias, NATIVE_SIZE);
	native_state = c.in;
	native_run(c.bytes, c.len);
	memcpy(after, native_alias, NATIVE_SIZE);
	memcpy(native_alias, before, NATIVE_SIZE);

	mine = c.in;
	native_emu_init(&e, &mine);
	ret = native_emulate(&e);
	what = native_difference(&c, &e, ret, &mine, after);
	if (!what)
		return NULL;
	n = snprintf(text, size, "%s:", what);
	for (i = 0; i < c.len; i++)
		n += snprintf(text + n, size - n, " %02x", c.bytes[i]);
	n += snprintf(text + n, size - n, "; emulator: result %d vector %u error %x cr2 %llx flags %llx,",
		      ret, e.exc.vector, e.exc.error, (unsigned long long)e.exc.cr2, (unsigned long long)e.rflags);
	n += snprintf(text + n, size - n, " processor: fault %d vector %u error %x cr2 %llx flags %llx\n",
		      native_fault.happened, native_fault.vector, native_fault.error,
		      (unsigned long long)native_fault.cr2, (unsigned long long)native_state.rflags);
	for (i = 0; i < 16 && n < size; i++)
		n += snprintf(text + n, size - n, "r%u in %llx emulator %llx processor %llx\n", i,
			      (unsigned long long)c.in.regs[i], (unsigned long long)e.regs[i],
			      (unsigned long long)native_state.regs[i]);
	return text;
}

#endif /* VTX_SELFTESTS_NATIVE_CASES_H */

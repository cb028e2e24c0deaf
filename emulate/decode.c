// SPDX-License-Identifier: GPL-2.0-only
/*
 * The decoder: bytes at CS:RIP to struct vtx_emu_insn, in the order of SDM vol. 2, figure 2-1: prefixes, opcode,
 * ModRM, SIB, displacement, immediate.  Knows the length of nearly every instruction, VEX and EVEX included, and
 * the operands of those that the emulator executes.
 */
#include "compat/pure.h"
#include "emulate/decode.h"
#include "emulate/exec.h"

/* Read ahead to the end of the page or of the 15 bytes: one fetch does for nearly all instructions. */
static int fetch_more(struct vtx_emu *e)
{
	struct vtx_emu_insn *in = &e->insn;
	u64 lin = in->mode == 8 ? e->rip + in->fetched : (u32)(e->seg[VTX_EMU_CS].base + (u32)(e->rip + in->fetched));
	unsigned int want = min_t(unsigned int, sizeof(in->bytes) - in->fetched, 0x1000 - (lin & 0xfff));
	unsigned int got = 0;

	TRY(e->ops->fetch(e, lin, in->bytes + in->fetched, want, &got));
	if (!got || got > want)
		return vtx_emu_give_up(e, VTX_EMU_WHY_CODE_NOT_RAM);
	in->fetched += got;
	return VTX_EMU_DONE;
}

static int next_byte(struct vtx_emu *e, u8 *byte)
{
	struct vtx_emu_insn *in = &e->insn;
	u64 ip = e->rip + in->pos;

	if (in->pos >= sizeof(in->bytes)) /* SDM vol. 2, 2.3.11: more than 15 bytes */
		return vtx_emu_fault_error(e, VTX_EXC_GP, 0);
	if (in->mode == 8 ? !vtx_emu_canonical(e, ip) : (u32)ip > e->seg[VTX_EMU_CS].limit)
		return vtx_emu_fault_error(e, VTX_EXC_GP, 0);
	if (in->pos >= in->fetched)
		TRY(fetch_more(e));
	*byte = in->bytes[in->pos++];
	return VTX_EMU_DONE;
}

/* A little-endian number of n bytes, sign-extended to 64 bits. */
static int next_number(struct vtx_emu *e, unsigned int n, u64 *val)
{
	unsigned int i;
	u64 v = 0;
	u8 byte;

	for (i = 0; i < n; i++) {
		TRY(next_byte(e, &byte));
		v |= (u64)byte << (8 * i);
	}
	*val = vtx_sign_extend(v, n);
	return VTX_EMU_DONE;
}

static void segment_override(struct vtx_emu_insn *in, u8 seg)
{
	/* SDM vol. 2, 2.1.1 and vol. 1, 3.4.4: in 64-bit mode only FS and GS count */
	if (in->mode == 8 && seg < VTX_EMU_FS)
		return;
	in->seg = seg;
	in->seg_override = true;
}

/* Consume prefixes; *byte is then the first byte that is none. */
static int decode_prefixes(struct vtx_emu *e, u8 *byte)
{
	struct vtx_emu_insn *in = &e->insn;

	for (;;) {
		u8 rex = 0;

		TRY(next_byte(e, byte));
		switch (*byte) {
		case 0x26: case 0x2e: case 0x36: case 0x3e:
			segment_override(in, (*byte >> 3) & 3);
			break;
		case 0x64: case 0x65:
			segment_override(in, *byte - 0x64 + VTX_EMU_FS);
			break;
		case 0x66:
			in->opsize = true;
			break;
		case 0x67:
			in->addr_bytes = in->mode == 4 ? 2 : 4;
			break;
		case 0xf0:
			in->lock = true;
			break;
		case 0xf2: case 0xf3:
			in->rep = *byte;
			break;
		case 0x40 ... 0x4f:
			if (in->mode == 8) {
				rex = *byte;
				break;
			}
			fallthrough;
		default:
			return VTX_EMU_DONE;
		}
		in->rex = rex; /* a REX prefix counts only directly before the opcode */
	}
}

/* VEX, 2 or 3 bytes; `first` is c4 or c5 and `second` not yet consumed but seen (SDM vol. 2, 2.3.5). */
static int decode_vex(struct vtx_emu *e, u8 first)
{
	static const u8 maps[4] = { VTX_MAP_OTHER, VTX_MAP_0F, VTX_MAP_0F38, VTX_MAP_0F3A };
	struct vtx_emu_insn *in = &e->insn;
	u8 p0, p1;

	TRY(next_byte(e, &p0));
	if (first == 0xc5) {
		p1 = p0 & 0x7f;
		p0 = (p0 & 0x80) | 0x61; /* X and B inverted: clear; map 0F */
	} else {
		TRY(next_byte(e, &p1));
	}
	if ((p0 & 0x1f) == 0 || (p0 & 0x1f) > 3)
		return vtx_emu_give_up(e, VTX_EMU_WHY_VEX_MAP);
	in->map = maps[p0 & 3];
	in->vex = true;
	in->pp = p1 & 3;
	in->vex_l = (p1 >> 2) & 1;
	in->vex_v = (~p1 >> 3) & 15;
	if (in->mode == 8)
		in->rex = 0x40 | ((p1 & 0x80) >> 4) | ((~p0 & 0xe0) >> 5);
	else
		in->vex_v &= 7; /* SDM vol. 2, 2.3.5.6: the top bit is ignored */
	return next_byte(e, &in->opcode);
}

/* EVEX: for the length alone (SDM vol. 2, 2.7.1). */
static int decode_evex(struct vtx_emu *e)
{
	static const u8 maps[8] = { [1] = VTX_MAP_0F, [2] = VTX_MAP_0F38, [3] = VTX_MAP_0F3A, [4 ... 7] = VTX_MAP_OTHER };
	struct vtx_emu_insn *in = &e->insn;
	u8 p[3];
	int i;

	for (i = 0; i < 3; i++)
		TRY(next_byte(e, &p[i]));
	if ((p[0] & 0x08) || !(p[1] & 0x04) || !(p[0] & 7) || (p[0] & 7) == 4 || (p[0] & 7) == 7)
		return vtx_emu_give_up(e, VTX_EMU_WHY_VEX_MAP);
	in->map = maps[p[0] & 7];
	in->vex = true;
	in->evex = true;
	return next_byte(e, &in->opcode);
}

/*
 * c4, c5 and 62 begin VEX and EVEX in 64-bit mode; elsewhere only when the next byte would be a ModRM of a register
 * form, and not in real and virtual-8086 mode (SDM vol. 2, 2.3.5.6).
 */
static int is_vex(struct vtx_emu *e, u8 byte, bool *yes)
{
	struct vtx_emu_insn *in = &e->insn;
	u8 next;

	*yes = false;
	if (byte != 0xc4 && byte != 0xc5 && byte != 0x62)
		return VTX_EMU_DONE;
	if (in->mode != 8) {
		if (!vtx_emu_protected(e))
			return VTX_EMU_DONE;
		TRY(next_byte(e, &next));
		in->pos--;
		if (next < 0xc0)
			return VTX_EMU_DONE;
	}
	*yes = true;
	return VTX_EMU_DONE;
}

static int decode_opcode(struct vtx_emu *e, u8 byte)
{
	struct vtx_emu_insn *in = &e->insn;
	bool vex;

	TRY(is_vex(e, byte, &vex));
	if (vex) {
		if (in->rex || in->opsize || in->rep || in->lock)
			return vtx_emu_fault(e, VTX_EXC_UD);
		return byte == 0x62 ? decode_evex(e) : decode_vex(e, byte);
	}
	in->pp = in->rep == 0xf3 ? 2 : in->rep == 0xf2 ? 3 : in->opsize ? 1 : 0;
	in->opcode = byte;
	if (byte != 0x0f)
		return VTX_EMU_DONE;
	in->map = VTX_MAP_0F;
	TRY(next_byte(e, &in->opcode));
	if (in->opcode != 0x38 && in->opcode != 0x3a)
		return VTX_EMU_DONE;
	in->map = in->opcode == 0x38 ? VTX_MAP_0F38 : VTX_MAP_0F3A;
	return next_byte(e, &in->opcode);
}

static const struct vtx_opcode unknown = { .flags = OF_UNKNOWN };

static struct vtx_opcode lookup_vex(const struct vtx_emu_insn *in)
{
	struct vtx_opcode row = { .op = OP_NONE, .flags = OF_MODRM };
	u8 op = in->opcode;

	if (in->map == VTX_MAP_0F3A)
		row.flags |= OF_IUB;
	if (in->map == VTX_MAP_0F) {
		if (op >= 0x80 && op <= 0x8f && !in->evex) /* branches, in Intel's abandoned Knights Corner */
			return unknown;
		if (op == 0x77 && !in->evex) /* VZEROUPPER, VZEROALL */
			row.flags = 0;
		else if ((op >= 0x70 && op <= 0x73) || op == 0xc2 || (op >= 0xc4 && op <= 0xc6))
			row.flags |= OF_IUB;
		if (!in->evex && vtx_opcodes_0f[op].op == OP_SIMD)
			row.op = OP_SIMD;
	}
	if (!in->evex && in->map == VTX_MAP_0F38 && op == 0x2a)
		row.op = OP_SIMD;
	return row;
}

/* Map 0F: the rows in which a prefix selects the instruction. */
static struct vtx_opcode lookup_0f(const struct vtx_emu *e)
{
	const struct vtx_emu_insn *in = &e->insn;
	struct vtx_opcode row = vtx_opcodes_0f[in->opcode];

	switch (in->opcode) {
	case 0x78: case 0x79: /* AMD's EXTRQ, INSERTQ have two immediates */
		return in->pp ? unknown : row;
	case 0xb8:
		if (in->rep != 0xf3)
			return unknown;
		if (!(e->cpu & VTX_EMU_CPU_POPCNT))
			row.op = OP_UD;
		return row;
	case 0xbc:
		if (in->rep == 0xf3 && (e->cpu & VTX_EMU_CPU_BMI1))
			row.op = OP_TZCNT;
		return row;
	case 0xbd:
		if (in->rep == 0xf3 && (e->cpu & VTX_EMU_CPU_LZCNT))
			row.op = OP_LZCNT;
		return row;
	}
	return row;
}

static struct vtx_opcode lookup_0f38(const struct vtx_emu *e)
{
	const struct vtx_emu_insn *in = &e->insn;
	struct vtx_opcode row = { .op = OP_NONE, .flags = OF_MODRM };

	if (in->opcode == 0x2a) {
		row.op = OP_SIMD;
	} else if ((in->opcode & 0xfe) == 0xf0 && !in->rep) {
		row.op = e->cpu & VTX_EMU_CPU_MOVBE ? OP_MOVBE : OP_UD;
		row.form = in->opcode & 1 ? FORM_MR : FORM_RM;
		row.flags |= OF_MEMONLY;
	}
	return row;
}

static struct vtx_opcode opcode_lookup(const struct vtx_emu *e)
{
	const struct vtx_emu_insn *in = &e->insn;

	if (in->vex)
		return lookup_vex(in);
	switch (in->map) {
	case VTX_MAP_1:
		return vtx_opcodes_1[in->opcode];
	case VTX_MAP_0F:
		return lookup_0f(e);
	case VTX_MAP_0F38:
		return lookup_0f38(e);
	default:
		return (struct vtx_opcode){ .op = OP_NONE, .flags = OF_MODRM | OF_IUB };
	}
}

static struct vtx_opcode opcode_group(const struct vtx_emu_insn *in, struct vtx_opcode row)
{
	struct vtx_opcode g = vtx_opcode_groups[row.op - OP_GROUP][(in->modrm >> 3) & 7];

	if (row.op == OP_GROUP + GRP_11 && in->modrm == 0xf8) /* XABORT, XBEGIN */
		g.op = OP_NONE;
	if (!g.form)
		g.form = row.form;
	g.flags |= row.flags;
	return g;
}

/* SDM vol. 2, 2.2.1.7 and 2.2.2; vol. 1, table 3-4 */
static void operand_size(struct vtx_emu_insn *in)
{
	if (in->flags & OF_BYTE)
		in->op_bytes = 1;
	else if (in->mode != 8)
		in->op_bytes = (in->mode == 4) != in->opsize ? 4 : 2;
	else if ((in->flags & OF_F64) || (in->rex & 8))
		in->op_bytes = 8;
	else if (in->opsize)
		in->op_bytes = 2;
	else
		in->op_bytes = in->flags & OF_D64 ? 8 : 4;
}

/* Displacement and SIB of a memory operand; the address itself comes when the length is known. */
static int decode_memory(struct vtx_emu *e)
{
	struct vtx_emu_insn *in = &e->insn;
	u8 base = in->modrm & 7;
	unsigned int n;
	u64 disp;

	if (in->addr_bytes == 2) {
		n = in->mod == 0 && base == 6 ? 2 : in->mod;
	} else {
		if (base == 4) {
			TRY(next_byte(e, &in->sib));
			base = in->sib & 7;
		}
		n = in->mod == 1 ? 1 : in->mod == 2 || base == 5 ? 4 : 0;
		in->rip_relative = in->mod == 0 && (in->modrm & 7) == 5 && in->mode == 8;
	}
	TRY(next_number(e, n, &disp));
	in->disp = (s32)disp;
	return VTX_EMU_DONE;
}

static int decode_modrm(struct vtx_emu *e)
{
	struct vtx_emu_insn *in = &e->insn;

	in->mod = in->flags & OF_MODREG ? 3 : in->modrm >> 6;
	in->reg = ((in->modrm >> 3) & 7) | ((in->rex & 4) << 1);
	in->rm = (in->modrm & 7) | ((in->rex & 1) << 3);
	return in->mod == 3 ? VTX_EMU_DONE : decode_memory(e);
}

static u64 address_16(struct vtx_emu *e, bool *stack)
{
	static const u8 base[8] = { VTX_EMU_RBX, VTX_EMU_RBX, VTX_EMU_RBP, VTX_EMU_RBP,
				    VTX_EMU_RSI, VTX_EMU_RDI, VTX_EMU_RBP, VTX_EMU_RBX };
	struct vtx_emu_insn *in = &e->insn;
	u8 rm = in->modrm & 7;
	u64 ea = (u64)(s64)in->disp;

	if (in->mod == 0 && rm == 6)
		return ea;
	ea += e->regs[base[rm]];
	if (rm < 4)
		ea += e->regs[rm & 1 ? VTX_EMU_RDI : VTX_EMU_RSI];
	*stack = base[rm] == VTX_EMU_RBP;
	return ea;
}

static u64 address_32_64(struct vtx_emu *e, bool *stack)
{
	struct vtx_emu_insn *in = &e->insn;
	unsigned int base = in->rm, index;
	u64 ea = (u64)(s64)in->disp;

	if (in->rip_relative)
		return ea + e->rip + in->len;
	if ((in->modrm & 7) == 4) {
		base = (in->sib & 7) | ((in->rex & 1) << 3);
		index = ((in->sib >> 3) & 7) | ((in->rex & 2) << 2);
		if (index != VTX_EMU_RSP) /* 4 without REX.X: no index */
			ea += e->regs[index] << (in->sib >> 6);
	}
	if ((base & 7) == VTX_EMU_RBP && in->mod == 0)
		return ea;
	ea += e->regs[base];
	*stack = base == VTX_EMU_RSP || base == VTX_EMU_RBP;
	/* POP computes its address after it has incremented the stack pointer (SDM vol. 2, POP) */
	if (base == VTX_EMU_RSP && in->op == OP_POP)
		ea += in->op_bytes;
	return ea;
}

static void effective_address(struct vtx_emu *e)
{
	struct vtx_emu_insn *in = &e->insn;
	bool stack = false;
	u64 ea;

	ea = in->addr_bytes == 2 ? address_16(e, &stack) : address_32_64(e, &stack);
	in->ea = ea & vtx_mask(in->addr_bytes);
	if (stack && !in->seg_override)
		in->seg = VTX_EMU_SS;
}

static int decode_immediate(struct vtx_emu *e)
{
	struct vtx_emu_insn *in = &e->insn;
	unsigned int z = in->op_bytes == 2 ? 2 : 4;
	u64 second = 0;

	switch (in->flags & OF_IMM) {
	case OF_IB:
		return next_number(e, 1, &in->imm);
	case OF_IUB:
		TRY(next_number(e, 1, &in->imm));
		in->imm &= 0xff;
		return VTX_EMU_DONE;
	case OF_IW:
		TRY(next_number(e, 2, &in->imm));
		in->imm &= 0xffff;
		return VTX_EMU_DONE;
	case OF_IZ:
		return next_number(e, z, &in->imm);
	case OF_IV:
		return next_number(e, in->op_bytes, &in->imm);
	case OF_IO:
		TRY(next_number(e, in->addr_bytes, &in->imm));
		in->imm &= vtx_mask(in->addr_bytes);
		return VTX_EMU_DONE;
	case OF_IFAR:
		TRY(next_number(e, z, &in->imm));
		TRY(next_number(e, 2, &second));
		in->imm &= vtx_mask(z);
		in->imm2 = (u16)second;
		return VTX_EMU_DONE;
	case OF_IENTER:
		TRY(next_number(e, 2, &in->imm));
		TRY(next_number(e, 1, &second));
		in->imm &= 0xffff;
		in->imm2 = (u8)second;
		return VTX_EMU_DONE;
	}
	return VTX_EMU_DONE;
}

static void decode_start(struct vtx_emu *e)
{
	struct vtx_emu_insn *in = &e->insn;

	memset(in, 0, sizeof(*in));
	in->mode = vtx_emu_code_mode(e);
	in->addr_bytes = in->mode;
	in->seg = VTX_EMU_DS;
	in->fetched = min_t(u8, e->prefetch_len, sizeof(in->bytes));
	memcpy(in->bytes, e->prefetch, in->fetched);
	e->error = 0;
	e->why = VTX_EMU_WHY_NONE;
	e->exc = (struct vtx_emu_exception){ 0 };
}

int vtx_emu_decode(struct vtx_emu *e)
{
	struct vtx_emu_insn *in = &e->insn;
	struct vtx_opcode row;
	u8 byte;

	decode_start(e);
	TRY(decode_prefixes(e, &byte));
	TRY(decode_opcode(e, byte));
	row = opcode_lookup(e);
	in->has_modrm = row.flags & OF_MODRM;
	if (in->has_modrm)
		TRY(next_byte(e, &in->modrm));
	if (row.op >= OP_GROUP)
		row = opcode_group(in, row);
	in->op = row.op;
	in->form = row.form;
	in->flags = row.flags;
	if (in->flags & OF_UNKNOWN)
		return vtx_emu_give_up(e, VTX_EMU_WHY_UNKNOWN);
	if (in->mode == 8 && (in->flags & OF_NO64))
		return vtx_emu_fault(e, VTX_EXC_UD);
	if (in->op == OP_MOVSXD && in->mode != 8)
		in->op = OP_NONE; /* ARPL */
	operand_size(in);
	if (in->has_modrm)
		TRY(decode_modrm(e));
	TRY(decode_immediate(e));
	in->len = in->pos;

	if (in->op == OP_UD || (in->has_modrm && in->mod == 3 && (in->flags & OF_MEMONLY)))
		return vtx_emu_fault(e, VTX_EXC_UD);
	/* SDM vol. 2, LOCK: #UD but for a read-modify-write of memory by one of the listed instructions */
	if (in->lock && !((in->flags & OF_LOCK) && in->mod != 3))
		return vtx_emu_fault(e, VTX_EXC_UD);
	if (in->has_modrm && in->mod != 3)
		effective_address(e);
	if (in->op == OP_NONE)
		return vtx_emu_give_up(e, in->vex ? VTX_EMU_WHY_VECTOR : VTX_EMU_WHY_OPCODE);
	return VTX_EMU_DONE;
}

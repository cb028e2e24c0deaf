// SPDX-License-Identifier: GPL-2.0-only
/*
 * The plain moves of drivers: a decoder for a dozen opcodes (SDM vol. 2, 2.1 and tables 2-2, 2-3, A-2, A-3).
 */
#include "compat/pure.h"
#include "exits/mov_decode.h"

#define REX_W 8
#define REX_R 4
#define REX_X 2
#define REX_B 1

#define RSP 4	/* as r/m: a SIB byte follows; as index: none */
#define RBP 5	/* as r/m or base with mod 0: a displacement instead */

/* Opcode and operands. @op16: prefix 66 seen. */
static bool set_operation(struct vtx_mov *m, unsigned int opcode, u8 rex, bool op16)
{
	u8 size = rex & REX_W ? 8 : op16 ? 2 : 4;

	m->size = size;
	m->reg_size = size;
	switch (opcode) {
	case 0x88:
	case 0xc6:
		m->size = 1;
		fallthrough;
	case 0x89:
	case 0xc7:
		m->store = true;
		m->immediate = opcode >= 0xc6;
		return true;
	case 0x8a:
		m->size = 1;
		m->reg_size = 1;
		return true;
	case 0x8b:
		return true;
	case 0x0fb6:
	case 0x0fbe:
		m->size = 1;
		break;
	case 0x0fb7:
	case 0x0fbf:
		m->size = 2;
		break;
	default:
		return false;
	}
	m->sign = opcode & 8;
	return true;
}

static s32 signed_bytes(const u8 *p, unsigned int size)
{
	if (size == 1)
		return (s8)p[0];
	if (size == 2)
		return (s16)(p[0] | p[1] << 8);
	return (s32)(p[0] | p[1] << 8 | p[2] << 16 | (u32)p[3] << 24);
}

/* ModRM, SIB, displacement. Returns bytes used, 0 if it is a register or too long. */
static unsigned int set_address(struct vtx_mov *m, const u8 *p, unsigned int n, u8 rex)
{
	unsigned int used = 1, disp_size, mod, rm;

	if (n < 2)
		return 0;
	mod = p[0] >> 6;
	rm = p[0] & 7;
	if (mod == 3)
		return 0;
	disp_size = mod == 0 ? 0 : mod == 1 ? 1 : 4;
	m->reg = (p[0] >> 3 & 7) | (rex & REX_R ? 8 : 0);
	m->base = rm | (rex & REX_B ? 8 : 0);
	m->index = VTX_MOV_NONE;
	if (rm == RSP) {
		used = 2;
		m->scale = p[1] >> 6;
		m->index = (p[1] >> 3 & 7) | (rex & REX_X ? 8 : 0);
		m->base = (p[1] & 7) | (rex & REX_B ? 8 : 0);
		if (m->index == RSP)
			m->index = VTX_MOV_NONE;
		rm = p[1] & 7;
	} else if (mod == 0 && rm == RBP) {
		m->rip_relative = true;
	}
	if (mod == 0 && rm == RBP) {
		m->base = VTX_MOV_NONE;
		disp_size = 4;
	}
	if (n < used + disp_size)
		return 0;
	if (disp_size)
		m->disp = signed_bytes(p + used, disp_size);
	return used + disp_size;
}

bool vtx_mov_decode(const u8 *bytes, unsigned int n, struct vtx_mov *m)
{
	unsigned int at = 0, opcode, used, imm_size;
	bool op16 = false;
	u8 rex = 0;

	*m = (struct vtx_mov){ 0 };
	if (n < 5)
		return false;
	if (bytes[at] == 0x66) {
		op16 = true;
		at++;
	}
	if ((bytes[at] & 0xf0) == 0x40)
		rex = bytes[at++];
	opcode = bytes[at++];
	if (opcode == 0x0f)
		opcode = opcode << 8 | bytes[at++];
	if (!set_operation(m, opcode, rex, op16))
		return false;
	used = set_address(m, bytes + at, n - at, rex);
	if (!used || (m->immediate && (m->reg & 7)))
		return false;
	at += used;
	if (m->immediate) {
		imm_size = min_t(unsigned int, m->size, 4);
		if (n - at < imm_size)
			return false;
		m->imm = signed_bytes(bytes + at, imm_size);
		at += imm_size;
	} else if (!rex && m->size == 1 && (m->store || m->reg_size == 1) && m->reg >= 4) {
		m->reg -= 4;
		m->high = true;
	}
	m->len = at;
	return true;
}

u64 vtx_mov_address(const struct vtx_mov *m, const u64 *regs, u64 rip)
{
	u64 address = (s64)m->disp;

	if (m->rip_relative)
		address += rip + m->len;
	if (m->base != VTX_MOV_NONE)
		address += regs[m->base];
	if (m->index != VTX_MOV_NONE)
		address += regs[m->index] << m->scale;
	return address;
}

u64 vtx_mov_store_value(const struct vtx_mov *m, const u64 *regs)
{
	if (m->immediate)
		return (s64)m->imm;
	return m->high ? regs[m->reg] >> 8 : regs[m->reg];
}

u64 vtx_mov_load_value(const struct vtx_mov *m, u64 old, u64 data)
{
	unsigned int unused = 64 - 8 * m->size;
	u64 mask;

	data = m->sign ? (u64)((s64)(data << unused) >> unused) : data << unused >> unused;
	switch (m->reg_size) {
	case 8:
		return data;
	case 4:
		return (u32)data;
	default:
		mask = (m->reg_size == 2 ? 0xffffULL : 0xffULL) << (m->high ? 8 : 0);
		return (old & ~mask) | ((data << (m->high ? 8 : 0)) & mask);
	}
}

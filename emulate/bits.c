// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bit instructions: BT, BTS, BTR, BTC with their bit strings, and BSF, BSR, TZCNT, LZCNT, POPCNT.
 */
#include "compat/pure.h"
#include "emulate/exec.h"

/*
 * With a memory operand and the offset in a register, the offset is signed and reaches beyond the operand: the unit
 * of operand size that holds the bit is accessed (SDM vol. 2, BT; vol. 1, 3.7.7 table 3-2).
 */
static u64 bit_string_address(const struct vtx_emu_insn *in, u64 offset)
{
	unsigned int size = in->op_bytes;
	s64 units = (s64)vtx_sign_extend(offset, size) >> (size == 8 ? 6 : size == 4 ? 5 : 4);

	return (in->ea + (u64)units * size) & vtx_mask(in->addr_bytes);
}

int vtx_exec_bit_test(struct vtx_emu *e)
{
	const struct vtx_emu_insn *in = &e->insn;
	unsigned int size = in->op_bytes;
	struct vtx_operand dst;
	u64 offset = in->imm, ea = in->ea, bit, val;

	if (in->form == FORM_MR) {
		offset = vtx_emu_reg(e, in->reg, size);
		if (in->mod != 3)
			ea = bit_string_address(in, offset);
	}
	bit = 1ULL << (offset & (8 * size - 1));

	if (in->op == OP_BT) {
		if (in->mod == 3)
			val = vtx_emu_reg(e, in->rm, size);
		else
			TRY(vtx_emu_mem_read(e, in->seg, ea, size, &val));
	} else {
		TRY(vtx_emu_rmw_load(e, size, ea, &dst));
		val = dst.val;
	}
	/* CF is the bit; ZF is unaffected, the others are undefined and stay */
	e->rflags &= ~(u64)X86_EFLAGS_CF;
	if (val & bit)
		e->rflags |= X86_EFLAGS_CF;

	switch (in->op) {
	case OP_BTS:
		return vtx_emu_rmw_store(e, &dst, val | bit, in->lock);
	case OP_BTR:
		return vtx_emu_rmw_store(e, &dst, val & ~bit, in->lock);
	case OP_BTC:
		return vtx_emu_rmw_store(e, &dst, val ^ bit, in->lock);
	default:
		return VTX_EMU_DONE;
	}
}

/*
 * BSF and BSR of zero leave the destination alone, as processors do; flags they leave undefined stay.  So do OF, SF,
 * AF, PF of TZCNT and LZCNT.
 */
int vtx_exec_bit_scan(struct vtx_emu *e)
{
	const struct vtx_emu_insn *in = &e->insn;
	unsigned int size = in->op_bytes, bits = 8 * size;
	u64 src, res, flags = e->rflags & ~(u64)X86_EFLAGS_ZF;

	TRY(vtx_emu_rm_read(e, size, &src));
	switch (in->op) {
	case OP_BSF:
	case OP_BSR:
		if (!src) {
			e->rflags = flags | X86_EFLAGS_ZF;
			return VTX_EMU_DONE;
		}
		res = in->op == OP_BSF ? __ffs(src) : (u64)fls64(src) - 1;
		break;
	case OP_POPCNT:
		res = hweight32((u32)src) + hweight32((u32)(src >> 32));
		flags &= ~(u64)VTX_FLAGS_ARITH;
		if (!res)
			flags |= X86_EFLAGS_ZF;
		break;
	default:
		if (in->op == OP_TZCNT)
			res = src ? __ffs(src) : bits;
		else
			res = bits - (unsigned int)fls64(src);
		flags &= ~(u64)X86_EFLAGS_CF;
		flags |= (src ? 0 : X86_EFLAGS_CF) | (res ? 0 : X86_EFLAGS_ZF);
		break;
	}
	vtx_emu_set_reg(e, in->reg, size, res);
	e->rflags = flags;
	return VTX_EMU_DONE;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moves: the MOV forms, extending and byte-swapping moves, SETcc, CMOVcc, LEA, XLAT, and what touches memory without
 * moving anything (NOP, prefetches, CLFLUSH); and the exchanges, which the processor locks.
 */
#include "compat/pure.h"
#include "emulate/exec.h"

static int mov(struct vtx_emu *e)
{
	const struct vtx_emu_insn *in = &e->insn;
	unsigned int size = in->op_bytes;
	u64 val;

	switch (in->form) {
	case FORM_MR:
		return vtx_emu_rm_write(e, size, vtx_emu_reg(e, in->reg, size));
	case FORM_RM:
		TRY(vtx_emu_rm_read(e, size, &val));
		vtx_emu_set_reg(e, in->reg, size, val);
		return VTX_EMU_DONE;
	case FORM_MI:
		return vtx_emu_rm_write(e, size, in->imm & vtx_mask(size));
	case FORM_OI:
		vtx_emu_set_reg(e, (in->opcode & 7) | ((in->rex & 1) << 3), size, in->imm);
		return VTX_EMU_DONE;
	case FORM_AF:
		TRY(vtx_emu_mem_read(e, in->seg, in->imm, size, &val));
		vtx_emu_set_reg(e, VTX_EMU_RAX, size, val);
		return VTX_EMU_DONE;
	case FORM_FA:
		return vtx_emu_mem_write(e, in->seg, in->imm, size, e->regs[VTX_EMU_RAX] & vtx_mask(size));
	default:
		return vtx_emu_give_up(e, VTX_EMU_WHY_FORM);
	}
}

static int mov_extend(struct vtx_emu *e)
{
	const struct vtx_emu_insn *in = &e->insn;
	unsigned int from;
	u64 val;

	if (in->op == OP_MOVSXD)
		from = min_t(unsigned int, in->op_bytes, 4);
	else
		from = in->opcode & 1 ? 2 : 1;
	TRY(vtx_emu_rm_read(e, from, &val));
	if (in->op != OP_MOVZX)
		val = vtx_sign_extend(val, from);
	vtx_emu_set_reg(e, in->reg, in->op_bytes, val);
	return VTX_EMU_DONE;
}

static int movbe(struct vtx_emu *e)
{
	const struct vtx_emu_insn *in = &e->insn;
	unsigned int size = in->op_bytes;
	u64 val;

	if (in->form == FORM_MR) {
		val = __builtin_bswap64(vtx_emu_reg(e, in->reg, size)) >> (64 - 8 * size);
		return vtx_emu_rm_write(e, size, val);
	}
	TRY(vtx_emu_rm_read(e, size, &val));
	vtx_emu_set_reg(e, in->reg, size, __builtin_bswap64(val) >> (64 - 8 * size));
	return VTX_EMU_DONE;
}

/* To memory always 16 bits; to a register the operand size, zero-extended (SDM vol. 2, MOV) */
static int mov_from_seg(struct vtx_emu *e)
{
	const struct vtx_emu_insn *in = &e->insn;
	unsigned int sreg = (in->modrm >> 3) & 7;

	if (sreg > VTX_EMU_GS)
		return vtx_emu_fault(e, VTX_EXC_UD);
	return vtx_emu_rm_write(e, in->mod == 3 ? in->op_bytes : 2, e->seg[sreg].selector);
}

static int xlat(struct vtx_emu *e)
{
	const struct vtx_emu_insn *in = &e->insn;
	u64 ea = (e->regs[VTX_EMU_RBX] + (e->regs[VTX_EMU_RAX] & 0xff)) & vtx_mask(in->addr_bytes);
	u64 val;

	TRY(vtx_emu_mem_read(e, in->seg, ea, 1, &val));
	vtx_emu_set_reg(e, VTX_EMU_RAX, 1, val);
	return VTX_EMU_DONE;
}

/*
 * Group 15 /6 and /7: CLFLUSH, CLFLUSHOPT and CLWB check memory as a read of one byte does; there is no cache of ours
 * to flush.  The other instructions of these rows are XSAVEOPT, fences and younger ones.
 */
static int clflush(struct vtx_emu *e)
{
	const struct vtx_emu_insn *in = &e->insn;
	bool is_clwb = (in->modrm & 0x38) == 0x30;
	u64 lin;

	if (in->mod == 3 || in->rep || (is_clwb && !in->opsize))
		return vtx_emu_give_up(e, VTX_EMU_WHY_FORM);
	TRY(vtx_emu_linear(e, in->seg, in->ea, 1, VTX_EMU_ACCESS_READ, &lin));
	return e->ops->probe(e, lin, 1, VTX_EMU_ACCESS_READ);
}

int vtx_exec_move(struct vtx_emu *e)
{
	const struct vtx_emu_insn *in = &e->insn;
	u64 val;

	switch (in->op) {
	case OP_MOVNTI:
		if (in->pp) /* SDM vol. 2, MOVNTI: "NP", no prefix */
			return vtx_emu_fault(e, VTX_EXC_UD);
		return mov(e);
	case OP_MOV:
		return mov(e);
	case OP_MOVZX:
	case OP_MOVSX:
	case OP_MOVSXD:
		return mov_extend(e);
	case OP_MOVBE:
		return movbe(e);
	case OP_MOV_FROM_SEG:
		return mov_from_seg(e);
	case OP_LEA:
		vtx_emu_set_reg(e, in->reg, in->op_bytes, in->ea);
		return VTX_EMU_DONE;
	case OP_XLAT:
		return xlat(e);
	case OP_SETCC:
		return vtx_emu_rm_write(e, 1, vtx_emu_condition(e->rflags, in->opcode));
	case OP_CMOVCC: /* reads, and zero-extends, whether it moves or not */
		TRY(vtx_emu_rm_read(e, in->op_bytes, &val));
		if (!vtx_emu_condition(e->rflags, in->opcode))
			val = vtx_emu_reg(e, in->reg, in->op_bytes);
		vtx_emu_set_reg(e, in->reg, in->op_bytes, val);
		return VTX_EMU_DONE;
	case OP_CLFLUSH:
		return clflush(e);
	case OP_NOP:
		return VTX_EMU_DONE;
	default:
		return vtx_emu_give_up(e, VTX_EMU_WHY_FORM);
	}
}

/* 90 to 97: exchange with the accumulator; 90 itself is NOP, which leaves the high half of RAX alone */
static int xchg_accumulator(struct vtx_emu *e)
{
	const struct vtx_emu_insn *in = &e->insn;
	unsigned int reg = (in->opcode & 7) | ((in->rex & 1) << 3);
	u64 rax = vtx_emu_reg(e, VTX_EMU_RAX, in->op_bytes);

	if (reg == VTX_EMU_RAX)
		return VTX_EMU_DONE;
	vtx_emu_set_reg(e, VTX_EMU_RAX, in->op_bytes, e->regs[reg]);
	vtx_emu_set_reg(e, reg, in->op_bytes, rax);
	return VTX_EMU_DONE;
}

/*
 * A destination in memory is written in any case, with what it held when the comparison fails (SDM vol. 2, CMPXCHG);
 * one in a register is then left alone, not even zero-extended, as processors do.
 */
static int exec_cmpxchg(struct vtx_emu *e)
{
	const struct vtx_emu_insn *in = &e->insn;
	unsigned int size = in->op_bytes;
	u64 rax = vtx_emu_reg(e, VTX_EMU_RAX, size);
	struct vtx_operand dst;

	TRY(vtx_emu_rmw_load(e, size, in->ea, &dst));
	vtx_alu(OP_CMP, size, rax, dst.val, &e->rflags);
	if (dst.val == rax)
		return vtx_emu_rmw_store(e, &dst, vtx_emu_reg(e, in->reg, size), in->lock);
	if (dst.mem)
		TRY(vtx_emu_rmw_store(e, &dst, dst.val, in->lock));
	vtx_emu_set_reg(e, VTX_EMU_RAX, size, dst.val);
	return VTX_EMU_DONE;
}

/* CMPXCHG8B, and CMPXCHG16B with REX.W.  66 does not change the size. */
static int cmpxchg8b(struct vtx_emu *e)
{
	const unsigned int access = VTX_EMU_ACCESS_READ | VTX_EMU_ACCESS_WRITE;
	const struct vtx_emu_insn *in = &e->insn;
	unsigned int half = in->rex & 8 ? 8 : 4;
	u64 lin, old[2] = { 0 }, mem[2], new[2], m = vtx_mask(half);
	u8 buf[16] = { 0 }, out[16] = { 0 };
	bool equal;

	if (in->mod == 3 || (half == 8 && !(e->cpu & VTX_EMU_CPU_CX16)))
		return vtx_emu_fault(e, VTX_EXC_UD);
	TRY(half == 8 ? vtx_emu_linear(e, in->seg, in->ea, 16, access, &lin) :
			vtx_emu_address(e, in->seg, in->ea, 8, access, &lin));
	if (half == 8 && (lin & 15))
		return vtx_emu_fault_error(e, VTX_EXC_GP, 0);
	TRY(e->ops->read(e, lin, buf, 2 * half, access));
	memcpy(&old[0], buf, half);
	memcpy(&old[1], buf + half, half);
	mem[0] = e->regs[VTX_EMU_RAX] & m;
	mem[1] = e->regs[VTX_EMU_RDX] & m;
	equal = old[0] == mem[0] && old[1] == mem[1];
	new[0] = equal ? e->regs[VTX_EMU_RBX] : old[0];
	new[1] = equal ? e->regs[VTX_EMU_RCX] : old[1];
	memcpy(out, &new[0], half);
	memcpy(out + half, &new[1], half);
	TRY(in->lock ? e->ops->compare_exchange(e, lin, buf, out, 2 * half) : e->ops->write(e, lin, out, 2 * half));
	if (equal) {
		e->rflags |= X86_EFLAGS_ZF;
	} else {
		e->rflags &= ~(u64)X86_EFLAGS_ZF;
		vtx_emu_set_reg(e, VTX_EMU_RAX, half, old[0]);
		vtx_emu_set_reg(e, VTX_EMU_RDX, half, old[1]);
	}
	return VTX_EMU_DONE;
}

int vtx_exec_exchange(struct vtx_emu *e)
{
	const struct vtx_emu_insn *in = &e->insn;
	unsigned int size = in->op_bytes;
	struct vtx_operand dst;
	u64 src, sum;

	switch (in->op) {
	case OP_XCHG:
		if (in->form == FORM_AO)
			return xchg_accumulator(e);
		TRY(vtx_emu_rmw_load(e, size, in->ea, &dst));
		src = vtx_emu_reg(e, in->reg, size);
		TRY(vtx_emu_rmw_store(e, &dst, src, true)); /* locked without the prefix */
		vtx_emu_set_reg(e, in->reg, size, dst.val);
		return VTX_EMU_DONE;
	case OP_XADD:
		TRY(vtx_emu_rmw_load(e, size, in->ea, &dst));
		sum = vtx_alu(OP_ADD, size, dst.val, vtx_emu_reg(e, in->reg, size), &e->rflags);
		vtx_emu_set_reg(e, in->reg, size, dst.val);
		return vtx_emu_rmw_store(e, &dst, sum, in->lock);
	case OP_CMPXCHG:
		return exec_cmpxchg(e);
	default:
		return cmpxchg8b(e);
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arithmetic instructions: the ALU groups, shifts, multiplication and division on registers and memory.  Here are the
 * operands; the arithmetic itself is in alu.c and muldiv.c.
 */
#include "compat/pure.h"
#include "emulate/exec.h"

/* The second operand of a two-operand form, cut to size; 0 when there is none */
static int source(struct vtx_emu *e, unsigned int size, u64 *val)
{
	const struct vtx_emu_insn *in = &e->insn;

	switch (in->form) {
	case FORM_MR:
		*val = vtx_emu_reg(e, in->reg, size);
		return VTX_EMU_DONE;
	case FORM_RM:
		return vtx_emu_rm_read(e, size, val);
	case FORM_MI:
	case FORM_AI:
		*val = in->imm & vtx_mask(size);
		return VTX_EMU_DONE;
	default:
		*val = 0;
		return VTX_EMU_DONE;
	}
}

int vtx_exec_alu(struct vtx_emu *e)
{
	const struct vtx_emu_insn *in = &e->insn;
	unsigned int size = in->op_bytes;
	struct vtx_operand dst;
	u64 a, b;

	if (in->form == FORM_RM || in->form == FORM_AI) {
		unsigned int reg = in->form == FORM_RM ? in->reg : VTX_EMU_RAX;

		TRY(source(e, size, &b));
		a = vtx_alu(in->op, size, vtx_emu_reg(e, reg, size), b, &e->rflags);
		if (in->op != OP_CMP && in->op != OP_TEST)
			vtx_emu_set_reg(e, reg, size, a);
		return VTX_EMU_DONE;
	}
	TRY(source(e, size, &b));
	if (in->op == OP_CMP || in->op == OP_TEST) {
		TRY(vtx_emu_rm_read(e, size, &a));
		vtx_alu(in->op, size, a, b, &e->rflags);
		return VTX_EMU_DONE;
	}
	TRY(vtx_emu_rmw_load(e, size, in->ea, &dst));
	return vtx_emu_rmw_store(e, &dst, vtx_alu(in->op, size, dst.val, b, &e->rflags), in->lock);
}

int vtx_exec_shift(struct vtx_emu *e)
{
	const struct vtx_emu_insn *in = &e->insn;
	unsigned int size = in->op_bytes, count;
	struct vtx_operand dst;
	u64 res;

	if (in->form == FORM_M1)
		count = 1;
	else if (in->form == FORM_MC || in->form == FORM_MRC)
		count = e->regs[VTX_EMU_RCX] & 0xff;
	else
		count = in->imm & 0xff;
	TRY(vtx_emu_rmw_load(e, size, in->ea, &dst));
	if (in->op == OP_SHLD || in->op == OP_SHRD)
		res = vtx_alu_shift_double(in->op, size, dst.val, vtx_emu_reg(e, in->reg, size), count, &e->rflags);
	else
		res = vtx_alu_shift(in->op, size, dst.val, count, &e->rflags);
	return vtx_emu_rmw_store(e, &dst, res, false);
}

/* rDX:rAX as a pair; AH:AL when size is 1 */
static u64 pair_high(const struct vtx_emu *e, unsigned int size)
{
	return size == 1 ? (e->regs[VTX_EMU_RAX] >> 8) & 0xff : e->regs[VTX_EMU_RDX] & vtx_mask(size);
}

static void set_pair(struct vtx_emu *e, unsigned int size, u64 low, u64 high)
{
	if (size == 1) {
		vtx_emu_set_reg(e, VTX_EMU_RAX, 2, low | high << 8);
	} else {
		vtx_emu_set_reg(e, VTX_EMU_RAX, size, low);
		vtx_emu_set_reg(e, VTX_EMU_RDX, size, high);
	}
}

int vtx_exec_muldiv(struct vtx_emu *e)
{
	const struct vtx_emu_insn *in = &e->insn;
	bool is_signed = in->op == OP_IMUL || in->op == OP_IDIV || in->op == OP_IMUL2;
	u64 rax = e->regs[VTX_EMU_RAX] & vtx_mask(in->op_bytes);
	unsigned int size = in->op_bytes;
	u64 src, low, high, other;

	TRY(vtx_emu_rm_read(e, size, &src));
	switch (in->op) {
	case OP_IMUL2:
		other = in->form == FORM_RMI ? in->imm & vtx_mask(size) : vtx_emu_reg(e, in->reg, size);
		vtx_alu_mul(true, size, src, other, &low, &high, &e->rflags);
		vtx_emu_set_reg(e, in->reg, size, low);
		return VTX_EMU_DONE;
	case OP_MUL:
	case OP_IMUL:
		vtx_alu_mul(is_signed, size, rax, src, &low, &high, &e->rflags);
		break;
	default:
		if (!vtx_alu_div(is_signed, size, pair_high(e, size), rax, src, &low, &high))
			return vtx_emu_fault(e, VTX_EXC_DE);
		break;
	}
	set_pair(e, size, low, high);
	return VTX_EMU_DONE;
}

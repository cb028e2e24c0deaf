// SPDX-License-Identifier: GPL-2.0-only
/*
 * Execution of a decoded instruction: which file does it, and what makes it all or nothing.  Registers and flags are
 * saved before, and put back when anything but VTX_EMU_DONE comes out; RIP moves only here.
 */
#include "compat/pure.h"
#include "emulate/exec.h"

static bool is_string(u8 op)
{
	return op >= OP_MOVS && op <= OP_OUTS;
}

static int dispatch(struct vtx_emu *e)
{
	switch (e->insn.op) {
	case OP_ADD ... OP_CMP:
	case OP_TEST ... OP_NEG:
		return vtx_exec_alu(e);
	case OP_ROL ... OP_SAR:
	case OP_SHLD ... OP_SHRD:
		return vtx_exec_shift(e);
	case OP_MUL ... OP_IMUL2:
		return vtx_exec_muldiv(e);
	case OP_BT ... OP_BTC:
		return vtx_exec_bit_test(e);
	case OP_BSF ... OP_POPCNT:
		return vtx_exec_bit_scan(e);
	case OP_MOV ... OP_XLAT:
	case OP_SETCC ... OP_CMOVCC:
	case OP_NOP ... OP_CLFLUSH:
		return vtx_exec_move(e);
	case OP_XCHG ... OP_CMPXCHG8B:
		return vtx_exec_exchange(e);
	case OP_PUSH ... OP_JMP:
		return vtx_exec_control(e);
	case OP_IN ... OP_OUT:
		return vtx_exec_io(e);
	case OP_SIMD:
		return vtx_exec_simd(e);
	default:
		return vtx_emu_give_up(e, VTX_EMU_WHY_OPCODE);
	}
}

static void save(struct vtx_emu *e)
{
	memcpy(e->saved_regs, e->regs, sizeof(e->regs));
	e->saved_rflags = e->rflags;
}

static int roll_back(struct vtx_emu *e, int result)
{
	memcpy(e->regs, e->saved_regs, sizeof(e->regs));
	e->rflags = e->saved_rflags;
	if (result != VTX_EMU_MISMATCH)
		return result;
	e->again = true; /* a locked operation lost its race */
	return VTX_EMU_DONE;
}

/* The instruction has ended: RF is cleared (SDM vol. 3, 17.3.1.1) and RIP moves on. */
static int complete(struct vtx_emu *e)
{
	e->rip = e->next_rip;
	e->rflags &= ~(u64)X86_EFLAGS_RF;
	e->committed = true;
	return VTX_EMU_DONE;
}

static int execute_string(struct vtx_emu *e)
{
	unsigned int left = max(e->max_iterations, 1u);
	bool last;
	int ret;

	for (;;) {
		save(e);
		ret = vtx_exec_string(e, &last);
		if (ret != VTX_EMU_DONE)
			return roll_back(e, ret);
		if (last)
			complete(e);
		e->committed = true;
		if (e->insn.rep && e->ops->commit)
			e->ops->commit(e);
		if (last)
			return VTX_EMU_DONE;
		if (--left == 0) {
			e->again = true;
			return VTX_EMU_DONE;
		}
	}
}

int vtx_emu_execute(struct vtx_emu *e)
{
	int ret;

	e->again = false;
	e->committed = false;
	e->next_rip = e->rip + e->insn.len;
	if (e->insn.mode != 8)
		e->next_rip = (u32)e->next_rip;
	if (is_string(e->insn.op))
		return execute_string(e);
	save(e);
	ret = dispatch(e);
	return ret == VTX_EMU_DONE ? complete(e) : roll_back(e, ret);
}

int vtx_emu_step(struct vtx_emu *e)
{
	int ret;

	e->again = false;
	e->committed = false;
	ret = vtx_emu_decode(e);
	return ret == VTX_EMU_DONE ? vtx_emu_execute(e) : ret;
}

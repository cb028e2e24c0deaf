// SPDX-License-Identifier: GPL-2.0-only
/*
 * PUSH, POP, near CALL and JMP through memory.
 */
#include "compat/pure.h"
#include "emulate/exec.h"

static void add_to_stack_pointer(struct vtx_emu *e, u64 n)
{
	vtx_emu_set_reg(e, VTX_EMU_RSP, vtx_emu_stack_mode(e), e->regs[VTX_EMU_RSP] + n);
}

static int push(struct vtx_emu *e, unsigned int size, u64 val)
{
	u64 sp = (e->regs[VTX_EMU_RSP] - size) & vtx_mask(vtx_emu_stack_mode(e));

	TRY(vtx_emu_mem_write(e, VTX_EMU_SS, sp, size, val));
	add_to_stack_pointer(e, -(u64)size);
	return VTX_EMU_DONE;
}

/*
 * The stack pointer moves before the destination is written: POP through RSP uses the new one (the decoder has
 * added it to the address), POP to RSP loses it.
 */
static int pop(struct vtx_emu *e, unsigned int size)
{
	u64 sp = e->regs[VTX_EMU_RSP] & vtx_mask(vtx_emu_stack_mode(e));
	u64 val;

	TRY(vtx_emu_mem_read(e, VTX_EMU_SS, sp, size, &val));
	add_to_stack_pointer(e, size);
	return vtx_emu_rm_write(e, size, val);
}

/*
 * #GP(0) when a near branch leaves the code segment (SDM vol. 2, CALL, JMP).  In 64-bit mode the processor checks for
 * canonical form, before anything is pushed.
 */
static int branch_target(struct vtx_emu *e, u64 target)
{
	if (e->insn.mode == 8 ? !vtx_emu_canonical(e, target) : target > e->seg[VTX_EMU_CS].limit)
		return vtx_emu_fault_error(e, VTX_EXC_GP, 0);
	return VTX_EMU_DONE;
}

int vtx_exec_control(struct vtx_emu *e)
{
	const struct vtx_emu_insn *in = &e->insn;
	unsigned int size = in->op_bytes;
	u64 val;

	if (in->op == OP_POP)
		return pop(e, size);
	TRY(vtx_emu_rm_read(e, size, &val));
	if (in->op == OP_PUSH)
		return push(e, size, val);
	TRY(branch_target(e, val));
	if (in->op == OP_CALL)
		TRY(push(e, size, e->next_rip & vtx_mask(size)));
	e->next_rip = val;
	return VTX_EMU_DONE;
}

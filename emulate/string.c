// SPDX-License-Identifier: GPL-2.0-only
/*
 * String instructions, one iteration at a time, and the port instructions with their string forms.
 */
#include "compat/pure.h"
#include "emulate/exec.h"

/* SDM vol. 1, 19.5: ports are open when CPL <= IOPL; else, and in virtual-8086 mode, as the TSS' bitmap says */
static int port_allowed(struct vtx_emu *e, u16 port, unsigned int size)
{
	if (!(e->cr0 & X86_CR0_PE))
		return VTX_EMU_DONE;
	if (!(e->rflags & X86_EFLAGS_VM) && e->cpl <= ((e->rflags & X86_EFLAGS_IOPL) >> X86_EFLAGS_IOPL_BIT))
		return VTX_EMU_DONE;
	if (!e->ops->pio_allowed)
		return vtx_emu_give_up(e, VTX_EMU_WHY_PORT_RIGHTS);
	return e->ops->pio_allowed(e, port, size);
}

static unsigned int port_size(const struct vtx_emu_insn *in)
{
	return min_t(unsigned int, in->op_bytes, 4);
}

int vtx_exec_io(struct vtx_emu *e)
{
	const struct vtx_emu_insn *in = &e->insn;
	u16 port = in->form == FORM_I ? in->imm : e->regs[VTX_EMU_RDX];
	unsigned int size = port_size(in);
	u64 val = 0;

	TRY(port_allowed(e, port, size));
	if (in->op == OP_IN) {
		TRY(e->ops->pio_in(e, port, size, &val, 1));
		vtx_emu_set_reg(e, VTX_EMU_RAX, size, val);
		return VTX_EMU_DONE;
	}
	val = e->regs[VTX_EMU_RAX] & vtx_mask(size);
	return e->ops->pio_out(e, port, size, &val, 1);
}

static u64 index_register(const struct vtx_emu *e, unsigned int reg)
{
	return e->regs[reg] & vtx_mask(e->insn.addr_bytes);
}

static void advance(struct vtx_emu *e, unsigned int reg, unsigned int size)
{
	u64 step = e->rflags & X86_EFLAGS_DF ? -(u64)size : size;

	vtx_emu_set_reg(e, reg, e->insn.addr_bytes, e->regs[reg] + step);
}

/* The source may be in any segment, the destination is always in ES (SDM vol. 2, MOVS). */
static int load_source(struct vtx_emu *e, unsigned int size, u64 *val)
{
	return vtx_emu_mem_read(e, e->insn.seg, index_register(e, VTX_EMU_RSI), size, val);
}

static int load_destination(struct vtx_emu *e, unsigned int size, u64 *val)
{
	return vtx_emu_mem_read(e, VTX_EMU_ES, index_register(e, VTX_EMU_RDI), size, val);
}

static int store_destination(struct vtx_emu *e, unsigned int size, u64 val)
{
	return vtx_emu_mem_write(e, VTX_EMU_ES, index_register(e, VTX_EMU_RDI), size, val);
}

/* The destination is checked before the port is read: a byte taken from a device cannot be put back. */
static int ins(struct vtx_emu *e, unsigned int size)
{
	u16 port = e->regs[VTX_EMU_RDX];
	u64 lin, val = 0;

	TRY(port_allowed(e, port, size));
	TRY(vtx_emu_address(e, VTX_EMU_ES, index_register(e, VTX_EMU_RDI), size, VTX_EMU_ACCESS_WRITE, &lin));
	TRY(e->ops->probe(e, lin, size, VTX_EMU_ACCESS_WRITE));
	TRY(e->ops->pio_in(e, port, size, &val, 1));
	return e->ops->write(e, lin, &val, size);
}

static int outs(struct vtx_emu *e, unsigned int size)
{
	u16 port = e->regs[VTX_EMU_RDX];
	u64 val;

	TRY(port_allowed(e, port, size));
	TRY(load_source(e, size, &val));
	return e->ops->pio_out(e, port, size, &val, 1);
}

static int iteration(struct vtx_emu *e)
{
	unsigned int size = e->insn.op_bytes;
	bool source = false, destination = false;
	u64 a, b;

	switch (e->insn.op) {
	case OP_MOVS:
		source = destination = true;
		TRY(load_source(e, size, &a));
		TRY(store_destination(e, size, a));
		break;
	case OP_CMPS:
		source = destination = true;
		TRY(load_source(e, size, &a));
		TRY(load_destination(e, size, &b));
		vtx_alu(OP_CMP, size, a, b, &e->rflags);
		break;
	case OP_STOS:
		destination = true;
		TRY(store_destination(e, size, e->regs[VTX_EMU_RAX] & vtx_mask(size)));
		break;
	case OP_LODS:
		source = true;
		TRY(load_source(e, size, &a));
		vtx_emu_set_reg(e, VTX_EMU_RAX, size, a);
		break;
	case OP_SCAS:
		destination = true;
		TRY(load_destination(e, size, &b));
		vtx_alu(OP_CMP, size, e->regs[VTX_EMU_RAX] & vtx_mask(size), b, &e->rflags);
		break;
	case OP_INS:
		destination = true;
		size = port_size(&e->insn);
		TRY(ins(e, size));
		break;
	default: /* OP_OUTS */
		source = true;
		size = port_size(&e->insn);
		TRY(outs(e, size));
		break;
	}
	if (source)
		advance(e, VTX_EMU_RSI, size);
	if (destination)
		advance(e, VTX_EMU_RDI, size);
	return VTX_EMU_DONE;
}

int vtx_exec_string(struct vtx_emu *e, bool *last)
{
	const struct vtx_emu_insn *in = &e->insn;
	u64 count = index_register(e, VTX_EMU_RCX);

	*last = true;
	if (!in->rep)
		return iteration(e);
	if (!count)
		return VTX_EMU_DONE;
	TRY(iteration(e));
	vtx_emu_set_reg(e, VTX_EMU_RCX, in->addr_bytes, count - 1);
	*last = count == 1;
	/* REPE (f3) ends when ZF is clear, REPNE (f2) when it is set */
	if ((in->op == OP_CMPS || in->op == OP_SCAS) && !(e->rflags & X86_EFLAGS_ZF) == (in->rep == 0xf3))
		*last = true;
	return VTX_EMU_DONE;
}

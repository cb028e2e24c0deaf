// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operands: processor mode, registers, segmentation (SDM vol. 3, 5.3 to 5.5) and the way to memory.  All accesses
 * of the executing files go through here, so the checks are made once.
 */
#include "compat/pure.h"
#include "emulate/exec.h"

int vtx_emu_fault(struct vtx_emu *e, u8 vector)
{
	e->exc = (struct vtx_emu_exception){ .vector = vector };
	return VTX_EMU_FAULT;
}

int vtx_emu_fault_error(struct vtx_emu *e, u8 vector, u32 error)
{
	e->exc = (struct vtx_emu_exception){ .vector = vector, .has_error = true, .error = error };
	return VTX_EMU_FAULT;
}

int vtx_emu_page_fault(struct vtx_emu *e, u64 gva, u32 error)
{
	e->exc = (struct vtx_emu_exception){ .vector = VTX_EXC_PF, .has_error = true, .error = error, .cr2 = gva };
	return VTX_EMU_FAULT;
}

int vtx_emu_give_up(struct vtx_emu *e, enum vtx_emu_why why)
{
	e->why = why;
	return VTX_EMU_UNHANDLED;
}

bool vtx_emu_protected(const struct vtx_emu *e)
{
	return (e->cr0 & X86_CR0_PE) && !(e->rflags & X86_EFLAGS_VM);
}

unsigned int vtx_emu_code_mode(const struct vtx_emu *e)
{
	u32 ar = e->seg[VTX_EMU_CS].ar;

	if ((e->efer & VTX_EFER_LMA) && (ar & VTX_EMU_AR_L))
		return 8;
	return ar & VTX_EMU_AR_DB ? 4 : 2;
}

unsigned int vtx_emu_stack_mode(const struct vtx_emu *e)
{
	if (vtx_emu_code_mode(e) == 8)
		return 8;
	return e->seg[VTX_EMU_SS].ar & VTX_EMU_AR_DB ? 4 : 2;
}

bool vtx_emu_canonical(const struct vtx_emu *e, u64 addr)
{
	unsigned int shift = e->cr4 & X86_CR4_LA57 ? 64 - 57 : 64 - 48;

	return (u64)((s64)(addr << shift) >> shift) == addr;
}

/* SDM vol. 1, 3.4.1.1: without REX, byte registers 4 to 7 are AH, CH, DH, BH */
static bool is_high_byte(const struct vtx_emu *e, unsigned int reg, unsigned int size)
{
	return size == 1 && !e->insn.rex && reg >= 4 && reg < 8;
}

u64 vtx_emu_reg(const struct vtx_emu *e, unsigned int reg, unsigned int size)
{
	if (is_high_byte(e, reg, size))
		return (e->regs[reg - 4] >> 8) & 0xff;
	return e->regs[reg] & vtx_mask(size);
}

/* A 32-bit result is zero-extended, shorter ones leave the rest of the register alone. */
void vtx_emu_set_reg(struct vtx_emu *e, unsigned int reg, unsigned int size, u64 val)
{
	if (is_high_byte(e, reg, size))
		e->regs[reg - 4] = (e->regs[reg - 4] & ~0xff00ULL) | ((val & 0xff) << 8);
	else if (size >= 4)
		e->regs[reg] = val & vtx_mask(size);
	else
		e->regs[reg] = (e->regs[reg] & ~vtx_mask(size)) | (val & vtx_mask(size));
}

static int segment_fault(struct vtx_emu *e, unsigned int seg)
{
	return vtx_emu_fault_error(e, seg == VTX_EMU_SS ? VTX_EXC_SS : VTX_EXC_GP, 0);
}

/* SDM vol. 3, 5.5: may a segment of this type be read, or written? */
static bool segment_type_allows(u32 ar, unsigned int access)
{
	bool code = ar & 8, rw = ar & 2;

	if (access & VTX_EMU_ACCESS_WRITE)
		return !code && rw;
	return !code || rw;
}

/* SDM vol. 3, 5.3: all bytes from ea to ea + len - 1 within the limit, which expand-down segments turn round */
static bool segment_limit_allows(const struct vtx_emu_seg *s, bool expand_down, u64 ea, unsigned int len)
{
	u64 last = ea + len - 1;

	if (expand_down)
		return ea > s->limit && last <= (s->ar & VTX_EMU_AR_DB ? 0xffffffff : 0xffff);
	return last <= s->limit;
}

int vtx_emu_linear(struct vtx_emu *e, unsigned int seg, u64 ea, unsigned int len, unsigned int access, u64 *lin)
{
	const struct vtx_emu_seg *s = &e->seg[seg];
	bool protected = vtx_emu_protected(e);

	if (vtx_emu_code_mode(e) == 8) {
		*lin = seg >= VTX_EMU_FS ? s->base + ea : ea;
		if (!vtx_emu_canonical(e, *lin) || !vtx_emu_canonical(e, *lin + len - 1))
			return segment_fault(e, seg);
		return VTX_EMU_DONE;
	}
	if (protected && ((s->ar & VTX_EMU_AR_UNUSABLE) || !segment_type_allows(s->ar, access)))
		return segment_fault(e, seg);
	if (!segment_limit_allows(s, protected && (s->ar & 0xc) == 4, ea, len))
		return segment_fault(e, seg);
	*lin = (u32)(s->base + ea);
	return *lin + len - 1 > 0xffffffff ? vtx_emu_give_up(e, VTX_EMU_WHY_WRAP) : VTX_EMU_DONE;
}

/* Linear address of an ordinary operand: segmentation, then the alignment check (SDM vol. 3, 6.15, #AC). */
int vtx_emu_address(struct vtx_emu *e, unsigned int seg, u64 ea, unsigned int len, unsigned int access, u64 *lin)
{
	TRY(vtx_emu_linear(e, seg, ea, len, access, lin));
	if (e->cpl == 3 && (e->cr0 & X86_CR0_AM) && (e->rflags & X86_EFLAGS_AC) && (*lin & (len - 1)))
		return vtx_emu_fault_error(e, VTX_EXC_AC, 0);
	return VTX_EMU_DONE;
}

int vtx_emu_mem_read(struct vtx_emu *e, unsigned int seg, u64 ea, unsigned int size, u64 *val)
{
	u64 lin;

	*val = 0;
	TRY(vtx_emu_address(e, seg, ea, size, VTX_EMU_ACCESS_READ, &lin));
	return e->ops->read(e, lin, val, size, VTX_EMU_ACCESS_READ);
}

int vtx_emu_mem_write(struct vtx_emu *e, unsigned int seg, u64 ea, unsigned int size, u64 val)
{
	u64 lin;

	TRY(vtx_emu_address(e, seg, ea, size, VTX_EMU_ACCESS_WRITE, &lin));
	return e->ops->write(e, lin, &val, size);
}

/* The r/m operand, register or memory */
int vtx_emu_rm_read(struct vtx_emu *e, unsigned int size, u64 *val)
{
	const struct vtx_emu_insn *in = &e->insn;

	if (in->mod != 3)
		return vtx_emu_mem_read(e, in->seg, in->ea, size, val);
	*val = vtx_emu_reg(e, in->rm, size);
	return VTX_EMU_DONE;
}

int vtx_emu_rm_write(struct vtx_emu *e, unsigned int size, u64 val)
{
	const struct vtx_emu_insn *in = &e->insn;

	if (in->mod != 3)
		return vtx_emu_mem_write(e, in->seg, in->ea, size, val);
	vtx_emu_set_reg(e, in->rm, size, val);
	return VTX_EMU_DONE;
}

/*
 * First half of a read-modify-write of the r/m operand.  `ea` is insn.ea for all but bit strings.  Write permission
 * is demanded at the read: the processor makes one access of the two, and reports W=1 in a #PF.
 */
int vtx_emu_rmw_load(struct vtx_emu *e, unsigned int size, u64 ea, struct vtx_operand *dst)
{
	const unsigned int access = VTX_EMU_ACCESS_READ | VTX_EMU_ACCESS_WRITE;
	const struct vtx_emu_insn *in = &e->insn;

	dst->mem = in->mod != 3;
	dst->size = size;
	dst->reg = in->rm;
	dst->lin = 0;
	dst->val = 0;
	if (!dst->mem) {
		dst->val = vtx_emu_reg(e, in->rm, size);
		return VTX_EMU_DONE;
	}
	TRY(vtx_emu_address(e, in->seg, ea, size, access, &dst->lin));
	return e->ops->read(e, dst->lin, &dst->val, size, access);
}

/* Second half.  `locked`: only if memory still holds what was read, else VTX_EMU_MISMATCH. */
int vtx_emu_rmw_store(struct vtx_emu *e, const struct vtx_operand *dst, u64 val, bool locked)
{
	if (!dst->mem) {
		vtx_emu_set_reg(e, dst->reg, dst->size, val);
		return VTX_EMU_DONE;
	}
	if (locked)
		return e->ops->compare_exchange(e, dst->lin, &dst->val, &val, dst->size);
	return e->ops->write(e, dst->lin, &val, dst->size);
}

/* SDM vol. 1, appendix B: the sixteen conditions of Jcc, SETcc and CMOVcc */
bool vtx_emu_condition(u64 rflags, unsigned int cc)
{
	bool cf = rflags & X86_EFLAGS_CF, zf = rflags & X86_EFLAGS_ZF, sf = rflags & X86_EFLAGS_SF;
	bool of = rflags & X86_EFLAGS_OF, pf = rflags & X86_EFLAGS_PF;
	bool yes;

	switch ((cc >> 1) & 7) {
	case 0:
		yes = of;
		break;
	case 1:
		yes = cf;
		break;
	case 2:
		yes = zf;
		break;
	case 3:
		yes = cf || zf;
		break;
	case 4:
		yes = sf;
		break;
	case 5:
		yes = pf;
		break;
	case 6:
		yes = sf != of;
		break;
	default:
		yes = zf || sf != of;
		break;
	}
	return yes != (cc & 1);
}

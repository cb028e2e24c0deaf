// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first steps of an exception's delivery, to say why it failed (see the header).
 */
#include "compat/pure.h"
#include "trace/fault_deliver.h"

enum { NP = 11, SS = 12, GP = 13, PF = 14, TS = 10 };

#define EXT 1
#define IDT 2	/* the selector part of an error code is an IDT index */

const char *vtx_deliver_text(enum vtx_deliver_why why)
{
	static const char *const texts[VTX_NR_DELIVER_WHY] = {
		[VTX_DELIVER_WHY_NONE] = "has no reason to fail that vtx can see",
		[VTX_DELIVER_WHY_IDT_LIMIT] = "is beyond the limit of the IDT",
		[VTX_DELIVER_WHY_IDT_PAGE] = "has its gate on a page of the IDT that is not there",
		[VTX_DELIVER_WHY_GATE_TYPE] = "has no interrupt or trap gate in the IDT",
		[VTX_DELIVER_WHY_GATE_ABSENT] = "has a gate that is not present",
		[VTX_DELIVER_WHY_NULL_SELECTOR] = "has a null selector in its gate",
		[VTX_DELIVER_WHY_GDT_LIMIT] = "has a selector in its gate that is beyond the limit of the GDT",
		[VTX_DELIVER_WHY_GDT_PAGE] = "has its code segment on a page of the GDT that is not there",
		[VTX_DELIVER_WHY_NOT_CODE] = "has a selector in its gate of which no handler can be made",
		[VTX_DELIVER_WHY_CODE_ABSENT] = "has a code segment that is not present",
		[VTX_DELIVER_WHY_TSS_LIMIT] = "has its stack pointer beyond the limit of the TSS",
		[VTX_DELIVER_WHY_TSS_PAGE] = "has its stack pointer on a page of the TSS that is not there",
		[VTX_DELIVER_WHY_STACK_CANONICAL] = "has a stack at an address that is not canonical",
		[VTX_DELIVER_WHY_STACK_PAGE] = "has a stack on a page that is not there or cannot be written",
	};

	return texts[(unsigned int)why < VTX_NR_DELIVER_WHY ? why : VTX_DELIVER_WHY_NONE];
}

struct delivery {
	const struct vtx_deliver_cpu *cpu;
	const struct vtx_deliver_ops *ops;
	void *opaque;
	struct vtx_deliver_result *res;
};

static enum vtx_deliver_verdict fault(struct delivery *d, enum vtx_deliver_why why, u8 vector, u32 error)
{
	*d->res = (struct vtx_deliver_result){ .why = why, .vector = vector, .has_error = d->cpu->mode != VTX_DELIVER_REAL,
					       .error = error };
	return VTX_DELIVER_FAULT;
}

static enum vtx_deliver_verdict page_fault(struct delivery *d, enum vtx_deliver_why why, u32 error, u64 cr2, u32 span)
{
	fault(d, why, PF, error);
	d->res->exact_cr2 = span == 1;
	d->res->cr2 = cr2;
	d->res->span = span;
	return VTX_DELIVER_FAULT;
}

/* A descriptor or stack pointer: VTX_DELIVER_UNKNOWN with *ok when it could be read. Of a read that faults, the first byte is the address. */
static enum vtx_deliver_verdict read(struct delivery *d, enum vtx_deliver_why why, u64 linear, void *buf, unsigned int len, bool *ok)
{
	u32 error = 0;
	u64 cr2 = 0;
	int ret = d->ops->read(d->opaque, linear, buf, len, &error, &cr2);

	*ok = !ret;
	return ret == 1 ? page_fault(d, why, error, cr2, 1) : VTX_DELIVER_UNKNOWN;
}

static bool canonical(const struct vtx_deliver_cpu *cpu, u64 linear)
{
	unsigned int shift = 64 - cpu->linear_bits;

	return (u64)((s64)(linear << shift) >> shift) == linear;
}

/* SDM vol. 3, 6.14.2 and 6.14.5: where a 64-bit handler gets its stack. */
static enum vtx_deliver_verdict long_stack(struct delivery *d, unsigned int ist, unsigned int new_cpl, bool has_error)
{
	const struct vtx_deliver_cpu *cpu = d->cpu;
	unsigned int at = ist ? 28 + 8 * ist : 4 + 8 * new_cpl, size = has_error ? 48 : 40;
	u64 rsp = cpu->rsp, cr2 = 0;
	enum vtx_deliver_verdict v;
	u32 error = 0;
	bool ok;

	if (ist || new_cpl < cpu->cpl) {
		if (at + 7 > cpu->tss_limit)
			return fault(d, VTX_DELIVER_WHY_TSS_LIMIT, TS, (cpu->tr & ~7u) | EXT);
		v = read(d, VTX_DELIVER_WHY_TSS_PAGE, cpu->tss_base + at, &rsp, 8, &ok);
		if (!ok)
			return v;
	}
	rsp &= ~15ULL;
	if (!canonical(cpu, rsp - 1) || !canonical(cpu, rsp - size))
		return fault(d, VTX_DELIVER_WHY_STACK_CANONICAL, SS, EXT);
	if (d->ops->probe_write(d->opaque, rsp - size, size, &error, &cr2) == 1)
		return page_fault(d, VTX_DELIVER_WHY_STACK_PAGE, error, rsp - size, size);
	return VTX_DELIVER_UNKNOWN;
}

static enum vtx_deliver_verdict flat_stack(struct delivery *d, unsigned int new_cpl, bool has_error)
{
	unsigned int size = has_error ? 16 : 12;
	u32 esp = (u32)d->cpu->rsp - size, error = 0;
	u64 cr2 = 0;

	if (!d->cpu->ss_flat || d->cpu->vm86 || new_cpl != d->cpu->cpl || esp > 0U - size)
		return VTX_DELIVER_UNKNOWN;
	if (d->ops->probe_write(d->opaque, esp, size, &error, &cr2) == 1)
		return page_fault(d, VTX_DELIVER_WHY_STACK_PAGE, error, esp, size);
	return VTX_DELIVER_UNKNOWN;
}

/* SDM vol. 2, "INT n", the checks of the handler's code segment. */
static enum vtx_deliver_verdict code_segment(struct delivery *d, u16 selector, unsigned int *new_cpl, bool *ok)
{
	const struct vtx_deliver_cpu *cpu = d->cpu;
	u32 error = (selector & ~7u) | EXT;
	enum vtx_deliver_verdict v;
	unsigned int access, dpl;
	u64 desc = 0;

	*ok = false;
	if (!(selector & ~3u))
		return fault(d, VTX_DELIVER_WHY_NULL_SELECTOR, GP, EXT);
	if (selector & 4) /* in the LDT */
		return VTX_DELIVER_UNKNOWN;
	if ((selector | 7u) > cpu->gdt_limit)
		return fault(d, VTX_DELIVER_WHY_GDT_LIMIT, GP, error);
	v = read(d, VTX_DELIVER_WHY_GDT_PAGE, cpu->gdt_base + (selector & ~7u), &desc, 8, ok);
	if (!*ok)
		return v;
	*ok = false;
	access = desc >> 40 & 0xff;
	dpl = access >> 5 & 3;
	if ((access & 0x18) != 0x18 || dpl > cpu->cpl)
		return fault(d, VTX_DELIVER_WHY_NOT_CODE, GP, error);
	if (cpu->mode == VTX_DELIVER_LONG && (desc >> 53 & 3) != 1) /* L set, D clear */
		return fault(d, VTX_DELIVER_WHY_NOT_CODE, GP, error);
	if (!(access & 0x80))
		return fault(d, VTX_DELIVER_WHY_CODE_ABSENT, NP, error);
	*new_cpl = access & 4 ? cpu->cpl : dpl;	/* conforming: stays */
	*ok = true;
	return VTX_DELIVER_UNKNOWN;
}

/* Vectors that push an error code, SDM vol. 3, table 6-1. */
static bool has_error_code(u8 vector)
{
	return vector < 32 && (0x00227d00u >> vector & 1);
}

enum vtx_deliver_verdict vtx_deliver(const struct vtx_deliver_cpu *cpu, const struct vtx_deliver_ops *ops, void *opaque, u8 vector,
				     struct vtx_deliver_result *res)
{
	struct delivery d = { .cpu = cpu, .ops = ops, .opaque = opaque, .res = res };
	unsigned int size = cpu->mode == VTX_DELIVER_LONG ? 16 : cpu->mode == VTX_DELIVER_PROTECTED ? 8 : 4;
	u32 error = vector * 8u | IDT | EXT;
	unsigned int type, new_cpl = 0;
	enum vtx_deliver_verdict v;
	u64 gate[2] = { 0, 0 };
	bool ok;

	*res = (struct vtx_deliver_result){ .why = VTX_DELIVER_WHY_NONE };
	if (vector * size + size - 1 > cpu->idt_limit)
		return fault(&d, VTX_DELIVER_WHY_IDT_LIMIT, GP, cpu->mode == VTX_DELIVER_REAL ? 0 : error);
	if (cpu->mode == VTX_DELIVER_REAL)
		return VTX_DELIVER_UNKNOWN;
	v = read(&d, VTX_DELIVER_WHY_IDT_PAGE, cpu->idt_base + vector * size, gate, size, &ok);
	if (!ok)
		return v;
	type = gate[0] >> 40 & 0x1f;
	if (type == 5 && cpu->mode == VTX_DELIVER_PROTECTED) /* a task gate: a long way from here */
		return VTX_DELIVER_UNKNOWN;
	if ((type & ~1u) != 0xe && (cpu->mode == VTX_DELIVER_LONG || (type & ~1u) != 6))
		return fault(&d, VTX_DELIVER_WHY_GATE_TYPE, GP, error);
	if (!(gate[0] >> 47 & 1))
		return fault(&d, VTX_DELIVER_WHY_GATE_ABSENT, NP, error);
	v = code_segment(&d, (u16)(gate[0] >> 16), &new_cpl, &ok);
	if (!ok)
		return v;
	if (cpu->mode == VTX_DELIVER_LONG)
		return long_stack(&d, gate[0] >> 32 & 7, new_cpl, has_error_code(vector));
	if ((type & ~1u) == 6) /* 16-bit frames */
		return VTX_DELIVER_UNKNOWN;
	return flat_stack(&d, new_cpl, has_error_code(vector));
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hardware task switch (SDM vol. 3, 8.3): checks, saves the old task in its TSS, loads the new one from its own.
 *
 * The processor has checked the task gate, the descriptor's privilege level and its type before the exit (26.4.2); type and
 * presence are checked again here, since memory can have changed. Everything that can fault on behalf of the old task is done or
 * probed before the first write; from then on a fault belongs to the new task (8.3, step 9 and its note).
 */
#include "compat/pure.h"
#include <asm/processor-flags.h>
#include "exits/task_switch.h"

enum { EXC_TS = 10, EXC_NP = 11, EXC_SS = 12, EXC_GP = 13 };

/* Types of system descriptors; bit 1 is busy, bit 3 says 32 bits (table 3-2). */
#define TYPE_LDT      2
#define TYPE_TSS16    1
#define TYPE_TSS32    9
#define TYPE_TSS_BUSY 2
#define TYPE_32BIT    8

/* Types of code and data descriptors (table 3-1). */
#define TYPE_CODE	8
#define TYPE_CONFORMING 4
#define TYPE_READABLE	2 /* code */
#define TYPE_WRITABLE	2 /* data */
#define TYPE_ACCESSED	1

#define AR_TYPE(ar) ((ar) & VTX_EMU_AR_TYPE)
#define AR_DPL(ar)  ((ar) >> 5 & 3)
#define AR_G	    0x8000

#define MIN_LIMIT_16 0x2b
#define MIN_LIMIT_32 0x67
#define MAX_TSS	     (MIN_LIMIT_32 + 1)

/* Where things are in a TSS (figures 8-2 and 8-10). A selector takes 2 bytes in both. */
struct layout {
	u8 size;		/* of EIP, EFLAGS and the registers */
	u8 total;
	u8 eip, eflags, regs, segs, seg_step, nsegs, ldt;
};

static const struct layout layout16 = { 2, MIN_LIMIT_16 + 1, 0x0e, 0x10, 0x12, 0x22, 2, 4, 0x2a };
static const struct layout layout32 = { 4, MIN_LIMIT_32 + 1, 0x20, 0x24, 0x28, 0x48, 4, 6, 0x60 };

#define TSS_LINK   0x00
#define TSS32_CR3  0x1c
#define TSS32_TRAP 0x64

struct switcher {
	struct vtx_task_state *s;
	const struct vtx_task_switch *what;
	const struct vtx_task_ops *ops;
	void *opaque;
	struct vtx_emu_exception *exc;
	u64 desc;			/* of the new TSS */
	struct vtx_emu_seg tr;		/* the new TR */
	const struct layout *from, *to;
	u8 old_tss[MAX_TSS], new_tss[MAX_TSS];
};

/* ------------------------------------------------------------------ small things */

static int fault(struct switcher *t, u8 vector, u16 selector)
{
	*t->exc = (struct vtx_emu_exception){ .vector = vector, .has_error = true, .error = selector & 0xfffc };
	return 1;
}

static u32 get(const u8 *p, unsigned int size)
{
	return size == 2 ? p[0] | p[1] << 8 : p[0] | p[1] << 8 | p[2] << 16 | (u32)p[3] << 24;
}

static void put(u8 *p, unsigned int size, u32 value)
{
	for (; size; size--, value >>= 8)
		*p++ = value;
}

static u32 desc_base(u64 d)
{
	return (d >> 16 & 0xffffff) | (d >> 32 & 0xff000000);
}

/* The VMCS format: descriptor bits 55:40 without the limit's upper four. */
static u32 desc_ar(u64 d)
{
	return d >> 40 & 0xf0ff;
}

static u32 desc_limit(u64 d)
{
	u32 limit = (d & 0xffff) | (d >> 32 & 0xf0000);

	return desc_ar(d) & AR_G ? limit << 12 | 0xfff : limit;
}

static struct vtx_emu_seg make_segment(u16 selector, u64 desc)
{
	return (struct vtx_emu_seg){
		.base = desc_base(desc), .limit = desc_limit(desc), .ar = desc_ar(desc), .selector = selector,
	};
}

static bool is_null(u16 selector)
{
	return !(selector & 0xfffc);
}

static u32 gdt_address(const struct switcher *t, u16 selector)
{
	return t->s->gdt_base + (selector & 0xfff8);
}

/* Loading order of SDM vol. 3, 3.4.5 aside, ES, CS, SS, DS, FS, GS is the order in which a TSS holds them. */
static u16 tss_selector(const u8 *tss, const struct layout *l, unsigned int seg)
{
	return seg < l->nsegs ? get(tss + l->segs + seg * l->seg_step, 2) : 0;
}

/* ------------------------------------------------------------------ before anything changes */

/* The new TSS: where it is and whether it may be switched to (table 8-1, the first rows). */
static int check_new_tss(struct switcher *t)
{
	bool iret = t->what->source == VTX_TASK_IRET;
	u16 sel = t->what->selector;
	u8 bad = iret ? EXC_TS : EXC_GP;
	u32 type;
	int ret;

	if (is_null(sel) || (sel & 4) || (u32)(sel | 7) > t->s->gdt_limit)
		return fault(t, bad, sel);
	ret = t->ops->read(t->opaque, gdt_address(t, sel), &t->desc, 8, t->exc);
	if (ret)
		return ret;
	t->tr = make_segment(sel, t->desc);
	type = AR_TYPE(t->tr.ar) & ~(u32)TYPE_TSS_BUSY;
	if ((t->tr.ar & VTX_EMU_AR_S) || (type != TYPE_TSS16 && type != TYPE_TSS32) ||
	    !(AR_TYPE(t->tr.ar) & TYPE_TSS_BUSY) == iret)
		return fault(t, bad, sel);
	if (!(t->tr.ar & VTX_EMU_AR_P))
		return fault(t, EXC_NP, sel);
	t->to = type & TYPE_32BIT ? &layout32 : &layout16;
	if (t->tr.limit < t->to->total - 1u)
		return fault(t, EXC_TS, sel);
	t->tr.ar |= TYPE_TSS_BUSY;
	return 0;
}

/* Both TSSs, and the bytes of the GDT that will be written, are readable and writable (8.3, step 5). */
static int reach_everything(struct switcher *t)
{
	const struct vtx_emu_seg *old = &t->s->seg[VTX_TASK_TR];
	int ret;

	t->from = AR_TYPE(old->ar) & TYPE_32BIT ? &layout32 : &layout16;
	if (old->limit < t->from->total - 1u)
		return fault(t, EXC_TS, old->selector);
	ret = t->ops->read(t->opaque, old->base, t->old_tss, t->from->total, t->exc);
	if (!ret)
		ret = t->ops->probe(t->opaque, old->base, t->from->total, t->exc);
	if (!ret)
		ret = t->ops->read(t->opaque, t->tr.base, t->new_tss, t->to->total, t->exc);
	if (!ret)
		ret = t->ops->probe(t->opaque, t->tr.base + TSS_LINK, 2, t->exc);
	if (!ret)
		ret = t->ops->probe(t->opaque, gdt_address(t, t->what->selector), 8, t->exc);
	if (!ret && (u32)(old->selector | 7) <= t->s->gdt_limit)
		ret = t->ops->probe(t->opaque, gdt_address(t, old->selector), 8, t->exc);
	return ret;
}

/* ------------------------------------------------------------------ the old task goes */

static int set_busy(struct switcher *t, u16 selector, bool busy)
{
	u32 lin = gdt_address(t, selector) + 5;
	u8 byte;
	int ret = t->ops->read(t->opaque, lin, &byte, 1, t->exc);

	if (ret)
		return ret;
	byte = busy ? byte | TYPE_TSS_BUSY : byte & ~TYPE_TSS_BUSY;
	return t->ops->write(t->opaque, lin, &byte, 1, t->exc);
}

/* Registers and selectors; neither CR3 nor LDT, which the processor reads only (8.2.1). */
static int save_old(struct switcher *t)
{
	const struct layout *l = t->from;
	const struct vtx_task_state *s = t->s;
	u32 eflags = s->eflags;
	unsigned int i;

	if (t->what->source == VTX_TASK_IRET)
		eflags &= ~(u32)X86_EFLAGS_NT;
	put(t->old_tss + l->eip, l->size, s->eip);
	put(t->old_tss + l->eflags, l->size, eflags);
	for (i = 0; i < 8; i++)
		put(t->old_tss + l->regs + i * l->size, l->size, s->regs[i]);
	for (i = 0; i < l->nsegs; i++)
		put(t->old_tss + l->segs + i * l->seg_step, 2, s->seg[i].selector);
	return t->ops->write(t->opaque, s->seg[VTX_TASK_TR].base + l->eip, t->old_tss + l->eip, l->ldt - l->eip, t->exc);
}

/* Steps 6 to 11: busy flags, the old TSS, the link to it. */
static int leave_old(struct switcher *t)
{
	enum vtx_task_source source = t->what->source;
	u16 old = t->s->seg[VTX_TASK_TR].selector;
	u8 link[2];
	int ret = 0;

	if (source == VTX_TASK_JMP || source == VTX_TASK_IRET)
		ret = set_busy(t, old, false);
	if (!ret)
		ret = save_old(t);
	if (!ret && (source == VTX_TASK_CALL || source == VTX_TASK_GATE)) {
		put(link, 2, old);
		ret = t->ops->write(t->opaque, t->tr.base + TSS_LINK, link, 2, t->exc);
	}
	if (!ret && source != VTX_TASK_IRET)
		ret = set_busy(t, t->what->selector, true);
	return ret;
}

/* ------------------------------------------------------------------ the new task comes */

/* A segment that no load has filled, in a form that VM entry accepts: CS and SS must agree on the privilege level. */
static void stand_in(struct vtx_task_state *s, unsigned int seg, u16 selector)
{
	unsigned int cpl = s->seg[VTX_EMU_CS].selector & 3;

	s->seg[seg] = (struct vtx_emu_seg){ .selector = selector, .ar = VTX_EMU_AR_UNUSABLE };
	if (seg == VTX_EMU_SS)
		s->seg[seg].ar |= cpl << 5;
	if (seg == VTX_EMU_CS)
		s->seg[seg] = (struct vtx_emu_seg){
			.selector = selector,
			.limit = 0xffffffff,
			.ar = TYPE_CODE | TYPE_READABLE | TYPE_ACCESSED | VTX_EMU_AR_S | cpl << 5 | VTX_EMU_AR_P |
			      VTX_EMU_AR_DB | AR_G,
		};
}

/* Everything of the new TSS that cannot fail, TR included. */
static void load_registers(struct switcher *t)
{
	const struct layout *l = t->to;
	struct vtx_task_state *s = t->s;
	static const u8 order[] = { VTX_EMU_CS, VTX_EMU_SS, VTX_EMU_ES, VTX_EMU_DS, VTX_EMU_FS, VTX_EMU_GS };
	unsigned int i;

	s->eip = get(t->new_tss + l->eip, l->size);
	s->eflags = (get(t->new_tss + l->eflags, l->size) | X86_EFLAGS_FIXED) &
		    (X86_EFLAGS_CF | X86_EFLAGS_FIXED | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF | X86_EFLAGS_SF |
		     X86_EFLAGS_TF | X86_EFLAGS_IF | X86_EFLAGS_DF | X86_EFLAGS_OF | X86_EFLAGS_IOPL | X86_EFLAGS_NT |
		     X86_EFLAGS_RF | X86_EFLAGS_VM | X86_EFLAGS_AC | X86_EFLAGS_VIF | X86_EFLAGS_VIP | X86_EFLAGS_ID);
	if (t->what->source == VTX_TASK_CALL || t->what->source == VTX_TASK_GATE)
		s->eflags |= X86_EFLAGS_NT;
	for (i = 0; i < 8; i++)
		s->regs[i] = get(t->new_tss + l->regs + i * l->size, l->size);
	s->seg[VTX_TASK_TR] = t->tr;
	s->debug_trap = l == &layout32 && (t->new_tss[TSS32_TRAP] & 1);

	/* CS first: its selector is the privilege level that the others' stand-ins need. */
	s->seg[VTX_EMU_CS].selector = tss_selector(t->new_tss, l, VTX_EMU_CS);
	for (i = 0; i < ARRAY_SIZE(order); i++)
		stand_in(s, order[i], tss_selector(t->new_tss, l, order[i]));
	stand_in(s, VTX_TASK_LDTR, get(t->new_tss + l->ldt, 2));
}

/* Fetch a descriptor from GDT or LDT. *lin: where it is. Fault: #TS(selector). */
static int read_descriptor(struct switcher *t, u16 selector, u64 *desc, u32 *lin)
{
	const struct vtx_task_state *s = t->s;
	const struct vtx_emu_seg *ldt = &s->seg[VTX_TASK_LDTR];

	if (selector & 4) {
		if ((ldt->ar & VTX_EMU_AR_UNUSABLE) || (u32)(selector | 7) > ldt->limit)
			return fault(t, EXC_TS, selector);
		*lin = ldt->base + (selector & 0xfff8);
	} else {
		if ((u32)(selector | 7) > s->gdt_limit)
			return fault(t, EXC_TS, selector);
		*lin = gdt_address(t, selector);
	}
	return t->ops->read(t->opaque, *lin, desc, 8, t->exc);
}

static int load_ldt(struct switcher *t)
{
	u16 selector = t->s->seg[VTX_TASK_LDTR].selector;
	u64 desc;
	u32 lin;
	int ret;

	if (is_null(selector))
		return 0;
	if (selector & 4)
		return fault(t, EXC_TS, selector);
	ret = read_descriptor(t, selector, &desc, &lin);
	if (ret)
		return ret;
	if ((desc_ar(desc) & VTX_EMU_AR_S) || AR_TYPE(desc_ar(desc)) != TYPE_LDT || !(desc_ar(desc) & VTX_EMU_AR_P))
		return fault(t, EXC_TS, selector);
	t->s->seg[VTX_TASK_LDTR] = make_segment(selector, desc);
	return 0;
}

/* Type and privilege of one segment; the vector of what is wrong, or 0 (table 8-1). */
static u8 check_segment(unsigned int seg, u16 selector, u32 ar, unsigned int cpl)
{
	u32 type = AR_TYPE(ar);
	unsigned int dpl = AR_DPL(ar), rpl = selector & 3;
	bool code = type & TYPE_CODE, conforming = code && (type & TYPE_CONFORMING);

	if (!(ar & VTX_EMU_AR_S))
		return EXC_TS;
	switch (seg) {
	case VTX_EMU_CS:
		if (!code || (conforming ? dpl > rpl : dpl != rpl))
			return EXC_TS;
		return ar & VTX_EMU_AR_P ? 0 : EXC_NP;
	case VTX_EMU_SS:
		if (code || !(type & TYPE_WRITABLE) || dpl != cpl || rpl != cpl)
			return EXC_TS;
		return ar & VTX_EMU_AR_P ? 0 : EXC_SS;
	default:
		if (code && !(type & TYPE_READABLE))
			return EXC_TS;
		if (!conforming && dpl < max(cpl, rpl))
			return EXC_TS;
		return ar & VTX_EMU_AR_P ? 0 : EXC_NP;
	}
}

static int load_segment(struct switcher *t, unsigned int seg)
{
	u16 selector = t->s->seg[seg].selector;
	unsigned int cpl = t->s->seg[VTX_EMU_CS].selector & 3;
	u8 vector, access;
	u64 desc;
	u32 lin;
	int ret;

	if (is_null(selector))
		return seg == VTX_EMU_CS || seg == VTX_EMU_SS ? fault(t, EXC_TS, selector) : 0;
	ret = read_descriptor(t, selector, &desc, &lin);
	if (ret)
		return ret;
	vector = check_segment(seg, selector, desc_ar(desc), cpl);
	if (vector)
		return fault(t, vector, selector);
	if (!(desc_ar(desc) & TYPE_ACCESSED)) {
		access = desc >> 40 | TYPE_ACCESSED;
		ret = t->ops->write(t->opaque, lin + 5, &access, 1, t->exc);
		if (ret)
			return ret;
		desc |= (u64)TYPE_ACCESSED << 40;
	}
	t->s->seg[seg] = make_segment(selector, desc);
	return 0;
}

/* Virtual-8086 mode: base from the selector, 64 KiB, readable and writable, DPL 3 (20.2.1, and 27.3.1.2 for VM entry). */
static void load_v86(struct vtx_task_state *s)
{
	unsigned int seg;

	for (seg = 0; seg < VTX_EMU_NR_SEGS; seg++) {
		u16 selector = s->seg[seg].selector;

		s->seg[seg] = (struct vtx_emu_seg){ .selector = selector, .base = selector << 4, .limit = 0xffff, .ar = 0xf3 };
	}
}

static int load_segments(struct switcher *t)
{
	static const u8 order[] = { VTX_EMU_CS, VTX_EMU_SS, VTX_EMU_DS, VTX_EMU_ES, VTX_EMU_FS, VTX_EMU_GS };
	unsigned int i;
	int ret;

	if (t->s->eflags & X86_EFLAGS_VM) {
		load_v86(t->s);
		return load_ldt(t);
	}
	ret = load_ldt(t);
	for (i = 0; i < ARRAY_SIZE(order) && !ret; i++)
		ret = load_segment(t, order[i]);
	return ret;
}

/* The error code goes onto the new task's stack, as wide as its TSS (SDM vol. 3, 6.13). */
static int push_error(struct switcher *t)
{
	struct vtx_task_state *s = t->s;
	const struct vtx_emu_seg *ss = &s->seg[VTX_EMU_SS];
	bool big = ss->ar & VTX_EMU_AR_DB, down = (AR_TYPE(ss->ar) & 0xc) == 4;
	unsigned int size = t->to->size, cpl = AR_DPL(ss->ar);
	u32 mask = big ? 0xffffffff : 0xffff, sp = (s->regs[VTX_EMU_RSP] - size) & mask, last = sp + size - 1;
	u8 data[4];
	int ret;

	if (last < sp || last > mask || (down ? sp <= ss->limit : last > ss->limit))
		return fault(t, EXC_SS, 0);
	put(data, size, t->what->error);
	ret = t->ops->push(t->opaque, cpl, ss->base + sp, data, size, t->exc);
	if (!ret)
		s->regs[VTX_EMU_RSP] = (s->regs[VTX_EMU_RSP] & ~mask) | sp;
	return ret;
}

/* From here on the guest is the new task: what fails is its own fault. */
static int enter_new(struct switcher *t)
{
	int ret = 0;

	load_registers(t);
	if (t->s->paging && t->to == &layout32)
		ret = t->ops->set_cr3(t->opaque, get(t->new_tss + TSS32_CR3, 4));
	if (ret == 1)
		ret = fault(t, EXC_GP, 0);
	if (!ret)
		ret = load_segments(t);
	if (!ret && t->what->has_error)
		ret = push_error(t);
	return ret;
}

int vtx_task_switch(struct vtx_task_state *state, const struct vtx_task_switch *what, const struct vtx_task_ops *ops,
		    void *opaque, struct vtx_emu_exception *exc)
{
	struct switcher t = { .s = state, .what = what, .ops = ops, .opaque = opaque, .exc = exc };
	int ret;

	ret = check_new_tss(&t);
	if (!ret)
		ret = reach_everything(&t);
	if (!ret)
		ret = leave_old(&t);
	if (ret)
		return ret < 0 ? ret : VTX_TASK_FAULT_OLD;
	ret = enter_new(&t);
	if (ret < 0)
		return ret;
	return ret ? VTX_TASK_FAULT_NEW : VTX_TASK_DONE;
}

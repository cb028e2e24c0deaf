// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hardware task switch (exits/task_switch.c) over a made-up linear memory: what is saved and loaded, every row of
 * SDM vol. 3, table 8-1, page faults at each access, and that a fault leaves either nothing changed or a state that
 * a VM entry accepts.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "compat/pure.h"
#include <asm/processor-flags.h>
#include "exits/task_switch.h"

#define MEM_SIZE 0x8000
#define GDT	 0x1000
#define LDT	 0x2000
#define OLD_TSS	 0x3000
#define NEW_TSS	 0x4000
#define STACK	 0x5000

enum {
	SEL_CODE0 = 0x08, SEL_DATA0 = 0x10, SEL_CODE3 = 0x1b, SEL_DATA3 = 0x23, SEL_OLD = 0x28, SEL_NEW = 0x30,
	SEL_LDT = 0x38, SEL_CONFORMING = 0x40, SEL_EXEC_ONLY = 0x48, SEL_READ_ONLY = 0x50, GDT_ENTRIES = 12,
};

struct world {
	u8 mem[MEM_SIZE];
	u32 fault_at;		/* an access that touches this byte faults; 0: none */
	int error;		/* errno instead of a fault */
	int writes;
	int push_cpl;
	u32 cr3;
	bool cr3_bad;
	struct vtx_task_state s;
	struct vtx_task_switch what;
	struct vtx_emu_exception exc;
};

static int access_check(struct world *w, u32 lin, unsigned int len, struct vtx_emu_exception *exc)
{
	assert_true(len <= 104 && lin + len <= MEM_SIZE);
	if (w->fault_at < lin || w->fault_at >= lin + len)
		return 0;
	*exc = (struct vtx_emu_exception){ .vector = 14, .has_error = true, .error = 2, .cr2 = w->fault_at };
	return w->error ? w->error : 1;
}

static int op_read(void *opaque, u32 lin, void *buf, unsigned int len, struct vtx_emu_exception *exc)
{
	struct world *w = opaque;
	int ret = access_check(w, lin, len, exc);

	if (!ret)
		memcpy(buf, w->mem + lin, len);
	return ret;
}

static int op_write(void *opaque, u32 lin, const void *buf, unsigned int len, struct vtx_emu_exception *exc)
{
	struct world *w = opaque;
	int ret = access_check(w, lin, len, exc);

	w->writes++;
	if (!ret)
		memcpy(w->mem + lin, buf, len);
	return ret;
}

static int op_probe(void *opaque, u32 lin, unsigned int len, struct vtx_emu_exception *exc)
{
	return access_check(opaque, lin, len, exc);
}

static int op_push(void *opaque, unsigned int cpl, u32 lin, const void *buf, unsigned int len,
		   struct vtx_emu_exception *exc)
{
	struct world *w = opaque;

	w->push_cpl = cpl;
	return op_write(opaque, lin, buf, len, exc);
}

static int op_set_cr3(void *opaque, u32 cr3)
{
	struct world *w = opaque;

	w->cr3 = cr3;
	return w->cr3_bad;
}

static const struct vtx_task_ops ops = { op_read, op_write, op_probe, op_push, op_set_cr3 };

/* ------------------------------------------------------------------ the world */

static u64 descriptor(u32 base, u32 limit, u32 access)
{
	return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)(access & 0xff) << 40 | (u64)(limit >> 16 & 15) << 48 |
	       (u64)(access >> 12 & 15) << 52 | (u64)(base >> 24) << 56;
}

static void set_desc(struct world *w, unsigned int selector, u64 desc)
{
	memcpy(w->mem + (selector & 4 ? LDT : GDT) + (selector & ~7u), &desc, 8);
}

static u8 access_byte(struct world *w, unsigned int selector)
{
	return w->mem[(selector & 4 ? LDT : GDT) + (selector & ~7u) + 5];
}

static u32 get32(struct world *w, u32 lin)
{
	u32 v;

	memcpy(&v, w->mem + lin, 4);
	return v;
}

static u16 get16(struct world *w, u32 lin)
{
	return get32(w, lin);
}

static void put32(struct world *w, u32 lin, u32 v)
{
	memcpy(w->mem + lin, &v, 4);
}

static void put16(struct world *w, u32 lin, u16 v)
{
	memcpy(w->mem + lin, &v, 2);
}

static struct vtx_emu_seg seg(u16 selector, u32 base, u32 limit, u32 ar)
{
	return (struct vtx_emu_seg){ .selector = selector, .base = base, .limit = limit, .ar = ar };
}

/* Two ring-0 tasks with 32-bit TSSs, the old one running. */
static struct world *make(enum vtx_task_source source)
{
	static struct world world;
	struct world *w = &world;

	memset(w, 0, sizeof(*w));
	set_desc(w, SEL_CODE0, descriptor(0, 0xfffff, 0xc09b));
	set_desc(w, SEL_DATA0, descriptor(0, 0xfffff, 0xc093));
	set_desc(w, SEL_CODE3, descriptor(0, 0xfffff, 0xc0fb));
	set_desc(w, SEL_DATA3, descriptor(0, 0xfffff, 0xc0f3));
	set_desc(w, SEL_OLD, descriptor(OLD_TSS, 0x67, 0x8b));
	set_desc(w, SEL_NEW, descriptor(NEW_TSS, 0x67, source == VTX_TASK_IRET ? 0x8b : 0x89));
	set_desc(w, SEL_LDT, descriptor(LDT, 0x0f, 0x82));
	set_desc(w, SEL_CONFORMING, descriptor(0, 0xfffff, 0xc09f));
	set_desc(w, SEL_EXEC_ONLY, descriptor(0, 0xfffff, 0xc099));
	set_desc(w, SEL_READ_ONLY, descriptor(0, 0xfffff, 0xc091));
	set_desc(w, 4 | 8, descriptor(0x1234, 0xff, 0x4092));	/* in the LDT; not accessed yet */

	memset(w->mem + OLD_TSS, 0xa5, 0x68);
	put32(w, NEW_TSS + 0x1c, 0x00abc000);
	put32(w, NEW_TSS + 0x20, 0x11112222);
	put32(w, NEW_TSS + 0x24, 0x00000202);
	for (int i = 0; i < 8; i++)
		put32(w, NEW_TSS + 0x28 + 4 * i, 0x70000000 + i);
	put32(w, NEW_TSS + 0x28 + 4 * 4, STACK + 0x100);
	put16(w, NEW_TSS + 0x48, SEL_DATA0);
	put16(w, NEW_TSS + 0x4c, SEL_CODE0);
	put16(w, NEW_TSS + 0x50, SEL_DATA0);
	put16(w, NEW_TSS + 0x54, SEL_DATA0);

	for (int i = 0; i < 8; i++)
		w->s.regs[i] = 0x90000000 + i;
	w->s.eip = 0x33334444;
	w->s.eflags = 0x4246;	/* NT */
	for (int i = 0; i < VTX_EMU_NR_SEGS; i++)
		w->s.seg[i] = seg(SEL_DATA0, 0, 0xffffffff, 0xc093);
	w->s.seg[VTX_EMU_CS] = seg(SEL_CODE0, 0, 0xffffffff, 0xc09b);
	w->s.seg[VTX_TASK_LDTR] = seg(0, 0, 0, VTX_EMU_AR_UNUSABLE);
	w->s.seg[VTX_TASK_TR] = seg(SEL_OLD, OLD_TSS, 0x67, 0x8b);
	w->s.gdt_base = GDT;
	w->s.gdt_limit = GDT_ENTRIES * 8 - 1;
	w->s.paging = true;
	w->what.source = source;
	w->what.selector = SEL_NEW;
	return w;
}

static int go(struct world *w)
{
	return vtx_task_switch(&w->s, &w->what, &ops, w, &w->exc);
}

/* The rules of SDM vol. 3, 27.3.1.2 that a half-done switch could break, with unrestricted guest. */
static void check_enterable(const struct world *w)
{
	const struct vtx_emu_seg *s = w->s.seg;

	for (int i = 0; i < VTX_EMU_NR_SEGS; i++) {
		if (w->s.eflags & X86_EFLAGS_VM) {
			assert_int_equal(s[i].base, s[i].selector << 4);
			assert_int_equal(s[i].limit, 0xffff);
			assert_int_equal(s[i].ar, 0xf3);
			continue;
		}
		if (s[i].ar & VTX_EMU_AR_UNUSABLE) {
			assert_int_not_equal(i, VTX_EMU_CS);
			continue;
		}
		assert_true((s[i].ar & 0x91) == 0x91);	/* S, P, accessed */
		if (s[i].limit & 0xfff00000)
			assert_true(s[i].ar & 0x8000);
		if ((s[i].limit & 0xfff) != 0xfff)
			assert_false(s[i].ar & 0x8000);
	}
	if (!(w->s.eflags & X86_EFLAGS_VM)) {
		unsigned int cs_dpl = s[VTX_EMU_CS].ar >> 5 & 3, ss_dpl = s[VTX_EMU_SS].ar >> 5 & 3;

		if ((s[VTX_EMU_CS].ar & 0xf) == 9 || (s[VTX_EMU_CS].ar & 0xf) == 11)
			assert_int_equal(cs_dpl, ss_dpl);
		else
			assert_true(cs_dpl <= ss_dpl);
	}
	/* Busy TSS, S clear, present; DPL does not matter. */
	assert_true((s[VTX_TASK_TR].ar & 0x10f9f) == 0x8b || (s[VTX_TASK_TR].ar & 0x10f9f) == 0x83);
	assert_true(w->s.eflags & X86_EFLAGS_FIXED);
	assert_false(w->s.eflags & ~0x3f7fd7u);
}

static void check_old_saved(struct world *w)
{
	assert_int_equal(get32(w, OLD_TSS + 0x20), 0x33334444);
	for (int i = 0; i < 8; i++)
		assert_int_equal(get32(w, OLD_TSS + 0x28 + 4 * i), 0x90000000 + i);
	for (int i = 0; i < 6; i++)
		assert_int_equal(get16(w, OLD_TSS + 0x48 + 4 * i), i == VTX_EMU_CS ? SEL_CODE0 : SEL_DATA0);
	/* Neither CR3 nor the LDT selector, the stacks nor the bitmap is written. */
	for (int i = 2; i < 0x20; i++)
		assert_int_equal(w->mem[OLD_TSS + i], 0xa5);
	for (int i = 0x60; i < 0x68; i++)
		assert_int_equal(w->mem[OLD_TSS + i], 0xa5);
}

static void check_new_loaded(struct world *w)
{
	assert_int_equal(w->s.eip, 0x11112222);
	for (int i = 0; i < 8; i++)
		if (i != VTX_EMU_RSP)
			assert_int_equal(w->s.regs[i], 0x70000000 + i);
	assert_int_equal(w->s.seg[VTX_EMU_CS].selector, SEL_CODE0);
	assert_int_equal(w->s.seg[VTX_EMU_CS].ar, 0xc09b);
	assert_int_equal(w->s.seg[VTX_EMU_CS].limit, 0xffffffff);
	assert_int_equal(w->s.seg[VTX_EMU_SS].ar, 0xc093);
	assert_true(w->s.seg[VTX_EMU_FS].ar & VTX_EMU_AR_UNUSABLE);
	assert_int_equal(w->s.seg[VTX_TASK_TR].selector, SEL_NEW);
	assert_int_equal(w->s.seg[VTX_TASK_TR].base, NEW_TSS);
	assert_int_equal(w->s.seg[VTX_TASK_TR].ar, 0x8b);
	assert_int_equal(w->s.seg[VTX_TASK_TR].limit, 0x67);
	assert_int_equal(w->cr3, 0x00abc000);
	check_enterable(w);
}

/* ------------------------------------------------------------------ switches that succeed */

static void jmp(void **state)
{
	struct world *w = make(VTX_TASK_JMP);

	assert_int_equal(go(w), VTX_TASK_DONE);
	check_old_saved(w);
	check_new_loaded(w);
	assert_int_equal(get32(w, OLD_TSS + 0x24), 0x4246);
	assert_int_equal(w->s.eflags, 0x202);
	assert_int_equal(w->s.regs[VTX_EMU_RSP], STACK + 0x100);
	assert_int_equal(access_byte(w, SEL_OLD), 0x89);
	assert_int_equal(access_byte(w, SEL_NEW), 0x8b);
	assert_int_equal(get16(w, NEW_TSS), 0);
	assert_false(w->s.debug_trap);
}

static void call(void **state)
{
	struct world *w = make(VTX_TASK_CALL);

	assert_int_equal(go(w), VTX_TASK_DONE);
	check_old_saved(w);
	check_new_loaded(w);
	assert_int_equal(w->s.eflags, 0x4202);
	assert_int_equal(access_byte(w, SEL_OLD), 0x8b);
	assert_int_equal(access_byte(w, SEL_NEW), 0x8b);
	assert_int_equal(get16(w, NEW_TSS), SEL_OLD);
}

static void iret(void **state)
{
	struct world *w = make(VTX_TASK_IRET);

	assert_int_equal(go(w), VTX_TASK_DONE);
	check_old_saved(w);
	check_new_loaded(w);
	assert_int_equal(get32(w, OLD_TSS + 0x24), 0x0246);	/* NT is gone */
	assert_int_equal(w->s.eflags, 0x202);
	assert_int_equal(access_byte(w, SEL_OLD), 0x89);
	assert_int_equal(access_byte(w, SEL_NEW), 0x8b);
}

static void gate_with_error_code(void **state)
{
	struct world *w = make(VTX_TASK_GATE);

	w->what.has_error = true;
	w->what.error = 0xdeadbeef;
	assert_int_equal(go(w), VTX_TASK_DONE);
	check_new_loaded(w);
	assert_int_equal(w->s.eflags, 0x4202);
	assert_int_equal(get16(w, NEW_TSS), SEL_OLD);
	assert_int_equal(w->s.regs[VTX_EMU_RSP], STACK + 0xfc);
	assert_int_equal(get32(w, STACK + 0xfc), 0xdeadbeef);
	assert_int_equal(w->push_cpl, 0);
}

/* Ring 3, with an LDT whose descriptor gets its accessed bit, and the T flag. */
static void user_task_with_ldt(void **state)
{
	struct world *w = make(VTX_TASK_CALL);

	put16(w, NEW_TSS + 0x48, SEL_DATA3);
	put16(w, NEW_TSS + 0x4c, SEL_CODE3);
	put16(w, NEW_TSS + 0x50, SEL_DATA3);
	put16(w, NEW_TSS + 0x54, SEL_DATA3);
	put16(w, NEW_TSS + 0x58, 4 | 8 | 3);
	put16(w, NEW_TSS + 0x60, SEL_LDT);
	put16(w, NEW_TSS + 0x64, 1);
	set_desc(w, 4 | 8, descriptor(0x1234, 0xff, 0x40f2));
	w->what.has_error = true;
	assert_int_equal(go(w), VTX_TASK_DONE);
	check_enterable(w);
	assert_true(w->s.debug_trap);
	assert_int_equal(w->push_cpl, 3);
	assert_int_equal(w->s.seg[VTX_TASK_LDTR].base, LDT);
	assert_int_equal(w->s.seg[VTX_TASK_LDTR].limit, 0x0f);
	assert_int_equal(w->s.seg[VTX_EMU_FS].base, 0x1234);
	assert_int_equal(w->s.seg[VTX_EMU_FS].ar, 0x40f3);
	assert_int_equal(access_byte(w, 4 | 8), 0xf3);
}

static void v86_task(void **state)
{
	struct world *w = make(VTX_TASK_JMP);

	put32(w, NEW_TSS + 0x24, X86_EFLAGS_VM | 0x3202);
	for (int i = 0; i < 6; i++)
		put16(w, NEW_TSS + 0x48 + 4 * i, 0x1000 + i);
	assert_int_equal(go(w), VTX_TASK_DONE);
	check_enterable(w);
	assert_int_equal(w->s.seg[VTX_EMU_GS].base, 0x10050);
}

static void make_16bit(struct world *w, bool iret)
{
	set_desc(w, SEL_NEW, descriptor(NEW_TSS, 0x2b, iret ? 0x83 : 0x81));
	memset(w->mem + NEW_TSS, 0, 0x68);
	put16(w, NEW_TSS + 0x0e, 0x2222);
	put16(w, NEW_TSS + 0x10, 0x0202);
	for (int i = 0; i < 8; i++)
		put16(w, NEW_TSS + 0x12 + 2 * i, 0x7000 + i);
	put16(w, NEW_TSS + 0x12 + 2 * 4, STACK + 0x100);
	put16(w, NEW_TSS + 0x22, SEL_DATA0);
	put16(w, NEW_TSS + 0x24, SEL_CODE0);
	put16(w, NEW_TSS + 0x26, SEL_DATA0);
	put16(w, NEW_TSS + 0x28, SEL_DATA0);
}

static void to_16bit(void **state)
{
	struct world *w = make(VTX_TASK_GATE);

	make_16bit(w, false);
	w->what.has_error = true;
	w->what.error = 0x12345678;
	assert_int_equal(go(w), VTX_TASK_DONE);
	check_old_saved(w);
	check_enterable(w);
	assert_int_equal(w->s.eip, 0x2222);
	assert_int_equal(w->s.regs[VTX_EMU_RDI], 0x7007);
	assert_int_equal(w->s.seg[VTX_TASK_TR].ar, 0x83);
	assert_true(w->s.seg[VTX_EMU_FS].ar & VTX_EMU_AR_UNUSABLE);
	assert_int_equal(w->s.regs[VTX_EMU_RSP], STACK + 0xfe);
	assert_int_equal(get16(w, STACK + 0xfe), 0x5678);
	assert_int_equal(w->cr3, 0);		/* a 16-bit TSS has none */
	assert_int_equal(access_byte(w, SEL_NEW), 0x83);
}

static void from_16bit(void **state)
{
	struct world *w = make(VTX_TASK_JMP);

	set_desc(w, SEL_OLD, descriptor(OLD_TSS, 0x2b, 0x83));
	w->s.seg[VTX_TASK_TR] = seg(SEL_OLD, OLD_TSS, 0x2b, 0x83);
	assert_int_equal(go(w), VTX_TASK_DONE);
	check_new_loaded(w);
	assert_int_equal(get16(w, OLD_TSS + 0x0e), 0x4444);
	assert_int_equal(get16(w, OLD_TSS + 0x12 + 2 * 7), 7);
	assert_int_equal(get16(w, OLD_TSS + 0x24), SEL_CODE0);
	assert_int_equal(get16(w, OLD_TSS + 0x2a), 0xa5a5);
	assert_int_equal(access_byte(w, SEL_OLD), 0x81);
	for (int i = 0x2a; i < 0x68; i++)
		assert_int_equal(w->mem[OLD_TSS + i], 0xa5);
}

static void no_paging_no_cr3(void **state)
{
	struct world *w = make(VTX_TASK_JMP);

	w->s.paging = false;
	assert_int_equal(go(w), VTX_TASK_DONE);
	assert_int_equal(w->cr3, 0);
}

/* A task that returns to its caller finds it as it was. */
static void call_and_return(void **state)
{
	struct world *w = make(VTX_TASK_CALL);
	struct vtx_task_state before = w->s;

	put32(w, OLD_TSS + 0x1c, 0);
	put32(w, OLD_TSS + 0x60, 0);
	put32(w, OLD_TSS + 0x64, 0);
	assert_int_equal(go(w), VTX_TASK_DONE);
	w->what = (struct vtx_task_switch){ .source = VTX_TASK_IRET, .selector = get16(w, NEW_TSS) };
	assert_int_equal(go(w), VTX_TASK_DONE);
	assert_memory_equal(before.regs, w->s.regs, sizeof(before.regs));
	assert_int_equal(w->s.eip, before.eip);
	assert_int_equal(w->s.eflags, before.eflags);
	for (int i = 0; i < VTX_TASK_NR_SEGS; i++) {
		assert_int_equal(w->s.seg[i].selector, before.seg[i].selector);
		assert_int_equal(w->s.seg[i].ar, before.seg[i].ar);
	}
	assert_int_equal(access_byte(w, SEL_OLD), 0x8b);
	assert_int_equal(access_byte(w, SEL_NEW), 0x89);
}

/* ------------------------------------------------------------------ faults of the old task */

static void expect_old(struct world *w, u8 vector, u32 error)
{
	static u8 mem[MEM_SIZE];
	struct vtx_task_state before = w->s;

	memcpy(mem, w->mem, sizeof(mem));
	assert_int_equal(go(w), VTX_TASK_FAULT_OLD);
	assert_int_equal(w->exc.vector, vector);
	assert_true(w->exc.has_error);
	assert_int_equal(w->exc.error, error);
	assert_memory_equal(mem, w->mem, sizeof(mem));
	assert_memory_equal(&before, &w->s, sizeof(before));
	assert_int_equal(w->writes, 0);
	assert_int_equal(w->cr3, 0);
}

static void bad_tss_selector(void **state)
{
	static const u16 bad[] = { 0, 3, SEL_NEW | 4, GDT_ENTRIES * 8, 0xfff8, SEL_CODE0, SEL_LDT };

	for (int source = VTX_TASK_CALL; source <= VTX_TASK_GATE; source++) {
		for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
			struct world *w = make(source);

			w->what.selector = bad[i];
			expect_old(w, source == VTX_TASK_IRET ? 10 : 13, bad[i] & 0xfffc);
		}
	}
}

static void bad_tss_descriptor(void **state)
{
	struct world *w;

	for (int source = VTX_TASK_CALL; source <= VTX_TASK_GATE; source++) {
		bool iret = source == VTX_TASK_IRET;

		w = make(source);	/* busy where it must be free, free where it must be busy */
		set_desc(w, SEL_NEW, descriptor(NEW_TSS, 0x67, iret ? 0x89 : 0x8b));
		expect_old(w, iret ? 10 : 13, SEL_NEW);

		w = make(source);
		set_desc(w, SEL_NEW, descriptor(NEW_TSS, 0x67, iret ? 0x0b : 0x09));
		expect_old(w, 11, SEL_NEW);

		w = make(source);
		set_desc(w, SEL_NEW, descriptor(NEW_TSS, 0x66, iret ? 0x8b : 0x89));
		expect_old(w, 10, SEL_NEW);

		w = make(source);
		set_desc(w, SEL_NEW, descriptor(NEW_TSS, 0x2a, iret ? 0x83 : 0x81));
		expect_old(w, 10, SEL_NEW);
	}
}

/* A fault anywhere in either TSS or in the two descriptors is found before anything is written. */
static void page_fault_old(void **state)
{
	static const u32 where[] = { GDT + SEL_NEW + 1, GDT + SEL_OLD + 5, OLD_TSS + 0x5d, OLD_TSS + 0x20, NEW_TSS + 0x67,
				     NEW_TSS };

	for (int source = VTX_TASK_CALL; source <= VTX_TASK_GATE; source++) {
		for (size_t i = 0; i < ARRAY_SIZE(where); i++) {
			struct world *w = make(source);

			w->fault_at = where[i];
			expect_old(w, 14, 2);
			assert_int_equal(w->exc.cr2, where[i]);
			w->error = -EFAULT;
			assert_int_equal(go(w), -EFAULT);
		}
	}
}

/* ------------------------------------------------------------------ faults of the new task */

static void expect_new(struct world *w, u8 vector, u32 error)
{
	assert_int_equal(go(w), VTX_TASK_FAULT_NEW);
	assert_int_equal(w->exc.vector, vector);
	assert_int_equal(w->exc.error, error);
	check_old_saved(w);
	check_enterable(w);
	assert_int_equal(w->s.eip, 0x11112222);
	assert_int_equal(w->s.seg[VTX_TASK_TR].selector, SEL_NEW);
	for (int i = 0; i < 6; i++)
		assert_int_equal(w->s.seg[i].selector, get16(w, NEW_TSS + 0x48 + 4 * i));
	assert_int_equal(w->s.seg[VTX_TASK_LDTR].selector, get16(w, NEW_TSS + 0x60));
}

/* One selector of the new TSS, what it names (0: leave the descriptor), and the fault. */
static const struct {
	int offset;		/* in the TSS */
	u16 selector;
	u32 access;
	u8 vector;
} bad_segments[] = {
	{ 0x60, SEL_LDT | 4, 0, 10 },			/* LDT in the LDT */
	{ 0x60, SEL_CODE0, 0, 10 },			/* no LDT */
	{ 0x60, SEL_LDT, 0x02, 10 },			/* not present */
	{ 0x60, GDT_ENTRIES * 8, 0, 10 },
	{ 0x4c, 0, 0, 10 },				/* CS null */
	{ 0x4c, SEL_DATA0, 0, 10 },
	{ 0x4c, SEL_CODE0 | 3, 0, 10 },			/* DPL 0, RPL 3 */
	{ 0x4c, SEL_CODE3 & ~3, 0, 10 },		/* DPL 3, RPL 0 */
	{ 0x4c, SEL_CODE0, 0xc01b, 11 },
	{ 0x4c, SEL_OLD, 0, 10 },			/* a system segment */
	{ 0x4c, SEL_CONFORMING, 0xc0ff, 10 },		/* conforming, DPL 3 > RPL 0 */
	{ 0x4c, 4 | 8, 0, 10 },				/* in an LDT that is not there */
	{ 0x50, 0, 0, 10 },				/* SS null */
	{ 0x50, SEL_CODE0, 0, 10 },
	{ 0x50, SEL_READ_ONLY, 0, 10 },
	{ 0x50, SEL_DATA3, 0, 10 },
	{ 0x50, SEL_DATA0 | 3, 0, 10 },
	{ 0x50, SEL_READ_ONLY, 0xc013, 12 },		/* not present: #SS */
	{ 0x54, SEL_EXEC_ONLY, 0, 10 },			/* DS not readable */
	{ 0x54, SEL_READ_ONLY, 0xc011, 11 },
	{ 0x48, SEL_DATA0 | 3, 0, 10 },			/* ES: RPL 3 > DPL 0 */
	{ 0x58, SEL_NEW, 0, 10 },			/* FS: a system segment */
	{ 0x5c, 0xfff8, 0, 10 },			/* GS: beyond the limit */
};

static void bad_segment_of_new_task(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_segments); i++) {
		struct world *w = make(VTX_TASK_CALL);

		put16(w, NEW_TSS + bad_segments[i].offset, bad_segments[i].selector);
		if (bad_segments[i].access)
			set_desc(w, bad_segments[i].selector, descriptor(bad_segments[i].offset == 0x60 ? LDT : 0,
					bad_segments[i].offset == 0x60 ? 0xf : 0xfffff, bad_segments[i].access));
		expect_new(w, bad_segments[i].vector, bad_segments[i].selector & 0xfffc);
	}
}

/* A conforming code segment takes its privilege from the selector. */
static void conforming_code(void **state)
{
	struct world *w = make(VTX_TASK_JMP);

	put16(w, NEW_TSS + 0x4c, SEL_CONFORMING | 3);
	put16(w, NEW_TSS + 0x50, SEL_DATA3);
	put16(w, NEW_TSS + 0x54, SEL_CONFORMING);
	put16(w, NEW_TSS + 0x48, 0);
	assert_int_equal(go(w), VTX_TASK_DONE);
	check_enterable(w);
	assert_int_equal(w->s.seg[VTX_EMU_SS].ar >> 5 & 3, 3);
}

/* From ring 0 to ring 3 with a stack that is not there: CS, SS and the stand-ins agree on ring 3. */
static void user_task_without_stack(void **state)
{
	struct world *w = make(VTX_TASK_CALL);

	put16(w, NEW_TSS + 0x4c, SEL_CODE3);
	put16(w, NEW_TSS + 0x50, SEL_DATA0);
	expect_new(w, 10, SEL_DATA0);
	assert_int_equal(w->s.seg[VTX_EMU_SS].ar, VTX_EMU_AR_UNUSABLE | 0x60);
}

static void malformed_cr3(void **state)
{
	struct world *w = make(VTX_TASK_CALL);

	w->cr3_bad = true;
	expect_new(w, 13, 0);
}

static void page_fault_new(void **state)
{
	struct world *w = make(VTX_TASK_CALL);

	w->fault_at = GDT + SEL_CODE0 + 2;
	expect_new(w, 14, 2);

	w = make(VTX_TASK_GATE);
	w->what.has_error = true;
	w->fault_at = STACK + 0xfc;
	expect_new(w, 14, 2);
	assert_int_equal(w->s.regs[VTX_EMU_RSP], STACK + 0x100);
}

static void error_code_beyond_stack(void **state)
{
	struct world *w = make(VTX_TASK_GATE);

	w->what.has_error = true;
	set_desc(w, SEL_READ_ONLY, descriptor(0, 0xff, 0x4093));	/* 256 bytes of stack */
	put16(w, NEW_TSS + 0x50, SEL_READ_ONLY);
	expect_new(w, 12, 0);

	w = make(VTX_TASK_GATE);
	w->what.has_error = true;
	set_desc(w, SEL_READ_ONLY, descriptor(0, 0x5fff, 0x4097));	/* expand-down: valid above */
	put16(w, NEW_TSS + 0x50, SEL_READ_ONLY);
	expect_new(w, 12, 0);

	w = make(VTX_TASK_GATE);
	w->what.has_error = true;
	set_desc(w, SEL_READ_ONLY, descriptor(0, 0x4fff, 0x4097));
	put16(w, NEW_TSS + 0x50, SEL_READ_ONLY);
	assert_int_equal(go(w), VTX_TASK_DONE);
}

/* Whatever is in the TSSs and descriptors, the result can be entered or is nothing at all. */
static void random_tables(void **state)
{
	u64 seed = 0x2545f4914f6cdd1d;
	int done = 0, old = 0, new = 0;

	for (int round = 0; round < 200000; round++) {
		struct world *w = make(round & 3);
		struct vtx_task_state before = w->s;
		int flips = 1 + round % 5;

		for (int i = 0; i < flips; i++) {
			seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
			switch (seed >> 32 & 3) {
			case 0:
				w->mem[GDT + (seed & 0xffff) % (GDT_ENTRIES * 8)] ^= 1 << (seed >> 40 & 7);
				break;
			case 1:
				put16(w, NEW_TSS + 0x48 + 4 * (seed % 7), seed >> 16 & 0x7f);
				break;
			case 2:
				w->mem[NEW_TSS + (seed & 0xffff) % 0x68] = seed >> 40;
				break;
			default:
				w->mem[LDT + (seed & 15)] ^= 1 << (seed >> 40 & 7);
			}
		}
		/* Bases must stay where this memory is. */
		for (int sel = SEL_OLD; sel <= SEL_LDT; sel += 8) {
			w->mem[GDT + sel + 2] = 0;
			w->mem[GDT + sel + 3] = sel == SEL_OLD ? OLD_TSS >> 8 : sel == SEL_NEW ? NEW_TSS >> 8 : LDT >> 8;
			w->mem[GDT + sel + 4] = w->mem[GDT + sel + 7] = 0;
			w->mem[GDT + sel + 1] = w->mem[GDT + sel + 6] = 0;
		}
		switch (go(w)) {
		case VTX_TASK_DONE:
			done++;
			check_enterable(w);
			break;
		case VTX_TASK_FAULT_NEW:
			new++;
			check_enterable(w);
			break;
		default:
			old++;
			assert_memory_equal(&before, &w->s, sizeof(before));
		}
	}
	assert_true(done > 1000 && old > 1000 && new > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jmp), cmocka_unit_test(call), cmocka_unit_test(iret),
		cmocka_unit_test(gate_with_error_code), cmocka_unit_test(user_task_with_ldt), cmocka_unit_test(v86_task),
		cmocka_unit_test(to_16bit), cmocka_unit_test(from_16bit), cmocka_unit_test(no_paging_no_cr3),
		cmocka_unit_test(call_and_return), cmocka_unit_test(bad_tss_selector),
		cmocka_unit_test(bad_tss_descriptor), cmocka_unit_test(page_fault_old),
		cmocka_unit_test(bad_segment_of_new_task), cmocka_unit_test(conforming_code),
		cmocka_unit_test(user_task_without_stack), cmocka_unit_test(malformed_cr3),
		cmocka_unit_test(page_fault_new), cmocka_unit_test(error_code_beyond_stack),
		cmocka_unit_test(random_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

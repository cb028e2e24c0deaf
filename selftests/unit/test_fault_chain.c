// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exceptions upon exceptions: the manual's table, the chain, and why a delivery fails, over a small made-up guest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "compat/pure.h"
#include "trace/fault_chain.h"
#include "trace/fault_deliver.h"

/* SDM vol. 3, tables 6-4 and 6-5, written down a second time as the vectors of each class. */
static const u8 contributory[] = { 0, 10, 11, 12, 13, 21 }, page[] = { 14, 20 }, benign[] = { 1, 2, 3, 4, 5, 6, 7, 9, 16, 17, 18, 19, 32, 255 };

#define EACH(list, v) for (const u8 *v = (list); v < (list) + ARRAY_SIZE(list); v++)

static void test_table(void **state)
{
	EACH(benign, a) {
		EACH(contributory, b)
			assert_int_equal(vtx_exception_combine(*a, *b), VTX_EXC_SERIAL);
		EACH(page, b)
			assert_int_equal(vtx_exception_combine(*a, *b), VTX_EXC_SERIAL);
	}
	for (unsigned int a = 0; a < 256; a++)
		EACH(benign, b)
			assert_int_equal(vtx_exception_combine((u8)a, *b), VTX_EXC_SERIAL);
	EACH(contributory, a) {
		EACH(contributory, b)
			assert_int_equal(vtx_exception_combine(*a, *b), VTX_EXC_DOUBLE);
		EACH(page, b)
			assert_int_equal(vtx_exception_combine(*a, *b), VTX_EXC_SERIAL);
	}
	EACH(page, a) {
		EACH(contributory, b)
			assert_int_equal(vtx_exception_combine(*a, *b), VTX_EXC_DOUBLE);
		EACH(page, b)
			assert_int_equal(vtx_exception_combine(*a, *b), VTX_EXC_DOUBLE);
	}
	EACH(contributory, b)
		assert_int_equal(vtx_exception_combine(8, *b), VTX_EXC_TRIPLE);
	EACH(page, b)
		assert_int_equal(vtx_exception_combine(8, *b), VTX_EXC_TRIPLE);
}

static void test_names(void **state)
{
	assert_string_equal(vtx_exception_name(13), "#GP");
	assert_string_equal(vtx_exception_name(31), "#31");
	assert_string_equal(vtx_exception_name(32), "no exception");
	assert_string_equal(vtx_exception_name(255), "no exception");
}

/* ------------------------------------------------------------------ chains */

static struct vtx_fault_link link_of(u8 vector, u32 error, u64 rip)
{
	return (struct vtx_fault_link){ .fault = { .vector = vector, .error = error, .flags = VTX_FAULT_HAS_ERROR, .rip = rip } };
}

static void test_chain(void **state)
{
	struct vtx_fault_chain chain = { 0 };
	struct vtx_fault_link l = link_of(6, 0, 1);
	struct vtx_fault before;

	vtx_fault_chain_add(&chain, &l, NULL);
	assert_int_equal(chain.nr, 1);
	before = l.fault;
	l = link_of(13, 0x33, 1);
	vtx_fault_chain_add(&chain, &l, &before);
	assert_int_equal(chain.nr, 2);
	assert_int_equal(chain.link[0].fault.vector, 6);
	assert_int_equal(chain.link[1].fault.error, 0x33);
	/* One that nothing led to begins another. */
	l = link_of(14, 2, 5);
	vtx_fault_chain_add(&chain, &l, NULL);
	assert_int_equal(chain.nr, 1);
	assert_int_equal(chain.link[0].fault.vector, 14);
	assert_int_equal(chain.link[0].fault.flags, VTX_FAULT_HAS_ERROR);
}

/* What was being delivered had not been seen: it comes first, as concluded. */
static void test_chain_unseen(void **state)
{
	struct vtx_fault_chain chain = { 0 };
	struct vtx_fault_link l = link_of(6, 0, 1);
	struct vtx_fault before = { .vector = 3 };

	vtx_fault_chain_add(&chain, &l, NULL);
	l = link_of(14, 2, 7);
	l.fault.cr2 = 9;
	l.fault.flags |= VTX_FAULT_HAS_CR2;
	vtx_fault_chain_add(&chain, &l, &before);
	assert_int_equal(chain.nr, 2);
	assert_int_equal(chain.link[0].fault.vector, 3);
	assert_int_equal(chain.link[0].fault.flags, VTX_FAULT_INFERRED);
	assert_int_equal(chain.link[0].fault.rip, 7);
	assert_int_equal(chain.link[0].fault.cr2, 0);
	assert_int_equal(chain.link[1].fault.cr2, 9);
}

static void test_chain_long(void **state)
{
	struct vtx_fault_chain chain = { 0 };
	struct vtx_fault before = { .vector = 6 };

	for (u32 i = 0; i < 20; i++) {
		struct vtx_fault_link l = link_of(6, i, i);

		vtx_fault_chain_add(&chain, &l, i ? &before : NULL);
		assert_true(chain.nr <= VTX_MAX_FAULTS);
	}
	assert_int_equal(chain.nr, VTX_MAX_FAULTS);
	for (u32 i = 0; i < VTX_MAX_FAULTS; i++)
		assert_int_equal(chain.link[i].fault.error, 20 - VTX_MAX_FAULTS + i);
}

/* ------------------------------------------------------------------ delivery */

#define MEM 0x4000
#define IDT_AT 0x1000
#define GDT_AT 0x2000
#define TSS_AT 0x3000

static u8 mem[MEM];
static u64 hole;	/* a page that is not there, when not 0 */
static bool broken;	/* memory that cannot be read for another reason */

static int access_mem(u64 linear, void *buf, unsigned int len, u32 code, u32 *error, u64 *cr2)
{
	if (broken)
		return -EFAULT;
	if (linear >= MEM || linear + len > MEM || (hole && linear < hole + 0x1000 && linear + len > hole)) {
		*error = code;
		*cr2 = linear > hole ? linear : hole;
		return 1;
	}
	if (buf)
		memcpy(buf, mem + linear, len);
	return 0;
}

static int op_read(void *opaque, u64 linear, void *buf, unsigned int len, u32 *error, u64 *cr2)
{
	return access_mem(linear, buf, len, 0, error, cr2);
}

static int op_write(void *opaque, u64 linear, unsigned int len, u32 *error, u64 *cr2)
{
	return access_mem(linear, NULL, len, 2, error, cr2);
}

static const struct vtx_deliver_ops ops = { op_read, op_write };
static struct vtx_deliver_cpu cpu;
static struct vtx_deliver_result res;

static void put64(u64 at, u64 value)
{
	memcpy(mem + at, &value, 8);
}

/* A guest in 64-bit mode in which everything works. */
static int setup(void **state)
{
	memset(mem, 0, sizeof(mem));
	hole = 0;
	broken = false;
	cpu = (struct vtx_deliver_cpu){ .mode = VTX_DELIVER_LONG, .linear_bits = 48, .idt_base = IDT_AT, .gdt_base = GDT_AT,
					.tss_base = TSS_AT, .idt_limit = 0xfff, .gdt_limit = 0x3f, .tss_limit = 0x67, .tr = 0x28,
					.rsp = 0x800 };
	for (unsigned int v = 0; v < 256; v++)
		put64(IDT_AT + 16 * v, 0x8e00ULL << 32 | 8 << 16);
	put64(GDT_AT + 8, 0x00209b0000000000);
	put64(GDT_AT + 16, 0x00cf9b000000ffff);		/* 32-bit code */
	put64(GDT_AT + 24, 0x00cf93000000ffff);		/* data */
	put64(GDT_AT + 32, 0x00201b0000000000);		/* 64-bit code, not present */
	return 0;
}

static int deliver(u8 vector)
{
	return vtx_deliver(&cpu, &ops, NULL, vector, &res);
}

static void fails(u8 vector, enum vtx_deliver_why why, u8 with, u32 error)
{
	assert_int_equal(deliver(vector), VTX_DELIVER_FAULT);
	assert_int_equal(res.why, why);
	assert_int_equal(res.vector, with);
	assert_int_equal(res.error, error);
	assert_int_equal(res.has_error, cpu.mode != VTX_DELIVER_REAL);
}

static void set_gate(unsigned int vector, u64 low)
{
	put64(IDT_AT + (cpu.mode == VTX_DELIVER_LONG ? 16 : 8) * vector, low);
}

static void test_works(void **state)
{
	for (unsigned int v = 0; v < 32; v++)
		assert_int_equal(deliver((u8)v), VTX_DELIVER_UNKNOWN);
	broken = true;
	assert_int_equal(deliver(6), VTX_DELIVER_UNKNOWN);
}

static void test_long(void **state)
{
	cpu.idt_limit = 8 * 16 + 14;
	fails(8, VTX_DELIVER_WHY_IDT_LIMIT, 13, 8 * 8 + 3);
	cpu.idt_limit = 8 * 16 + 15;
	assert_int_equal(deliver(8), VTX_DELIVER_UNKNOWN);
	set_gate(8, 0x8500ULL << 32 | 8 << 16);
	fails(8, VTX_DELIVER_WHY_GATE_TYPE, 13, 8 * 8 + 3);
	set_gate(8, 0x8600ULL << 32 | 8 << 16);	/* 16-bit gates do not exist there */
	fails(8, VTX_DELIVER_WHY_GATE_TYPE, 13, 8 * 8 + 3);
	set_gate(8, 0x0e00ULL << 32 | 8 << 16);
	fails(8, VTX_DELIVER_WHY_GATE_ABSENT, 11, 8 * 8 + 3);
	set_gate(8, 0x8e00ULL << 32);
	fails(8, VTX_DELIVER_WHY_NULL_SELECTOR, 13, 1);
	set_gate(8, 0x8e00ULL << 32 | 0x40 << 16);
	fails(8, VTX_DELIVER_WHY_GDT_LIMIT, 13, 0x41);
	set_gate(8, 0x8e00ULL << 32 | 0x10 << 16);	/* not 64-bit */
	fails(8, VTX_DELIVER_WHY_NOT_CODE, 13, 0x11);
	set_gate(8, 0x8e00ULL << 32 | 0x18 << 16);	/* data */
	fails(8, VTX_DELIVER_WHY_NOT_CODE, 13, 0x19);
	set_gate(8, 0x8e00ULL << 32 | 0x20 << 16);
	fails(8, VTX_DELIVER_WHY_CODE_ABSENT, 11, 0x21);
	set_gate(8, 0x8e00ULL << 32 | 0x0c << 16);	/* in the LDT: not followed */
	assert_int_equal(deliver(8), VTX_DELIVER_UNKNOWN);
}

static void test_long_pages(void **state)
{
	hole = IDT_AT;
	fails(8, VTX_DELIVER_WHY_IDT_PAGE, 14, 0);
	assert_int_equal(res.cr2, IDT_AT + 8 * 16);
	assert_true(res.exact_cr2);
	hole = GDT_AT;
	fails(8, VTX_DELIVER_WHY_GDT_PAGE, 14, 0);
	assert_int_equal(res.cr2, GDT_AT + 8);
	hole = 0;
	cpu.rsp = MEM + 0x1007;
	fails(8, VTX_DELIVER_WHY_STACK_PAGE, 14, 2);
	assert_false(res.exact_cr2);
	assert_int_equal(res.cr2, MEM + 0x1000 - 48);
	assert_int_equal(res.span, 48);
	fails(6, VTX_DELIVER_WHY_STACK_PAGE, 14, 2);	/* no error code: a shorter frame */
	assert_int_equal(res.cr2, MEM + 0x1000 - 40);
	cpu.rsp = 0x800000000000 + 16;
	fails(8, VTX_DELIVER_WHY_STACK_CANONICAL, 12, 1);
	cpu.linear_bits = 57;
	fails(8, VTX_DELIVER_WHY_STACK_PAGE, 14, 2);
}

static void test_long_tss(void **state)
{
	set_gate(8, 0x8e02ULL << 32 | 8 << 16);	/* IST 2 */
	put64(TSS_AT + 0x2c, 0x900);
	assert_int_equal(deliver(8), VTX_DELIVER_UNKNOWN);
	put64(TSS_AT + 0x2c, MEM * 2);
	fails(8, VTX_DELIVER_WHY_STACK_PAGE, 14, 2);
	assert_int_equal(res.cr2, MEM * 2 - 48);
	hole = TSS_AT;
	fails(8, VTX_DELIVER_WHY_TSS_PAGE, 14, 0);
	assert_int_equal(res.cr2, TSS_AT + 0x2c);
	cpu.tss_limit = 0x2c + 6;
	fails(8, VTX_DELIVER_WHY_TSS_LIMIT, 10, 0x29);
	/* From CPL 3 the stack is RSP0. */
	setup(NULL);
	cpu.cpl = 3;
	put64(TSS_AT + 4, 0x700);
	assert_int_equal(deliver(13), VTX_DELIVER_UNKNOWN);
	put64(TSS_AT + 4, MEM * 2);
	fails(13, VTX_DELIVER_WHY_STACK_PAGE, 14, 2);
	cpu.tss_limit = 3;
	fails(13, VTX_DELIVER_WHY_TSS_LIMIT, 10, 0x29);
}

static void test_protected(void **state)
{
	cpu.mode = VTX_DELIVER_PROTECTED;
	cpu.ss_flat = true;
	for (unsigned int v = 0; v < 32; v++)
		set_gate(v, 0x8e00ULL << 32 | 0x10 << 16);
	assert_int_equal(deliver(13), VTX_DELIVER_UNKNOWN);
	cpu.idt_limit = 13 * 8 + 6;
	fails(13, VTX_DELIVER_WHY_IDT_LIMIT, 13, 13 * 8 + 3);
	cpu.idt_limit = 0x7ff;
	set_gate(8, 0x8500ULL << 32 | 0x30 << 16);	/* a task gate is not followed */
	assert_int_equal(deliver(8), VTX_DELIVER_UNKNOWN);
	set_gate(8, 0x8600ULL << 32 | 0x10 << 16);	/* nor is a 16-bit frame */
	assert_int_equal(deliver(8), VTX_DELIVER_UNKNOWN);
	set_gate(8, 0x8c00ULL << 32 | 0x10 << 16);
	fails(8, VTX_DELIVER_WHY_GATE_TYPE, 13, 8 * 8 + 3);
	cpu.rsp = MEM * 2;
	fails(13, VTX_DELIVER_WHY_STACK_PAGE, 14, 2);
	assert_int_equal(res.span, 16);
	cpu.ss_flat = false;
	assert_int_equal(deliver(13), VTX_DELIVER_UNKNOWN);
}

static void test_real(void **state)
{
	cpu.mode = VTX_DELIVER_REAL;
	cpu.idt_limit = 8 * 4 + 2;
	fails(8, VTX_DELIVER_WHY_IDT_LIMIT, 13, 0);
	cpu.idt_limit = 8 * 4 + 3;
	assert_int_equal(deliver(8), VTX_DELIVER_UNKNOWN);
}

static void test_texts(void **state)
{
	for (unsigned int i = 0; i < VTX_NR_DELIVER_WHY; i++) {
		assert_non_null(vtx_deliver_text(i));
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(vtx_deliver_text(i), vtx_deliver_text(j));
	}
	assert_string_equal(vtx_deliver_text(VTX_NR_DELIVER_WHY), vtx_deliver_text(VTX_DELIVER_WHY_NONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_chain_unseen),
		cmocka_unit_test(test_chain_long),
		cmocka_unit_test_setup(test_works, setup),
		cmocka_unit_test_setup(test_long, setup),
		cmocka_unit_test_setup(test_long_pages, setup),
		cmocka_unit_test_setup(test_long_tss, setup),
		cmocka_unit_test_setup(test_protected, setup),
		cmocka_unit_test_setup(test_real, setup),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Would this exception reach its handler, and if not, why? The first steps of delivery (SDM vol. 3, 6.12 and 6.14), walked
 * through the guest's tables only to explain a triple fault. Nothing is changed; what is not certain is called unknown.
 */
#ifndef VTX_TRACE_FAULT_DELIVER_H
#define VTX_TRACE_FAULT_DELIVER_H

#include "compat/pure.h"

enum vtx_deliver_mode { VTX_DELIVER_REAL, VTX_DELIVER_PROTECTED, VTX_DELIVER_LONG };

struct vtx_deliver_cpu {
	enum vtx_deliver_mode mode;
	u8 cpl;
	bool vm86;		/* in virtual-8086 mode: handlers run on the TSS' stack */
	u8 linear_bits;		/* 48 or 57 */
	u64 idt_base, gdt_base, tss_base;
	u32 idt_limit, gdt_limit, tss_limit;
	u16 tr;
	u64 rsp;
	bool ss_flat;		/* base 0, limit 4 GiB, 32 bits: else the stack of protected mode is not looked at */
};

/* Each returns 0, 1 (a page fault: *error is its code, *cr2 its address), or a negative errno: cannot say. */
struct vtx_deliver_ops {
	int (*read)(void *opaque, u64 linear, void *buf, unsigned int len, u32 *error, u64 *cr2);
	int (*probe_write)(void *opaque, u64 linear, unsigned int len, u32 *error, u64 *cr2);
};

/* Why delivery fails; order as vtx_deliver_text() has it. */
enum vtx_deliver_why {
	VTX_DELIVER_WHY_NONE,
	VTX_DELIVER_WHY_IDT_LIMIT,
	VTX_DELIVER_WHY_IDT_PAGE,
	VTX_DELIVER_WHY_GATE_TYPE,
	VTX_DELIVER_WHY_GATE_ABSENT,
	VTX_DELIVER_WHY_NULL_SELECTOR,
	VTX_DELIVER_WHY_GDT_LIMIT,
	VTX_DELIVER_WHY_GDT_PAGE,
	VTX_DELIVER_WHY_NOT_CODE,
	VTX_DELIVER_WHY_CODE_ABSENT,
	VTX_DELIVER_WHY_TSS_LIMIT,
	VTX_DELIVER_WHY_TSS_PAGE,
	VTX_DELIVER_WHY_STACK_CANONICAL,
	VTX_DELIVER_WHY_STACK_PAGE,
	VTX_NR_DELIVER_WHY,
};

enum vtx_deliver_verdict {
	VTX_DELIVER_UNKNOWN,	/* not followed further, or it works */
	VTX_DELIVER_FAULT,
};

struct vtx_deliver_result {
	enum vtx_deliver_why why;
	u8 vector;
	bool has_error;
	bool exact_cr2;		/* cr2 is the address; else some address from cr2 to cr2 + span - 1 */
	u32 error;
	u64 cr2;		/* with vector 14 */
	u32 span;
};

/* @vector: an exception that the processor raised, so that EXT is set in error codes (SDM vol. 3, 6.13). */
enum vtx_deliver_verdict vtx_deliver(const struct vtx_deliver_cpu *cpu, const struct vtx_deliver_ops *ops, void *opaque, u8 vector,
				     struct vtx_deliver_result *res);

/* The end of a sentence that begins with "vector N". */
const char *vtx_deliver_text(enum vtx_deliver_why why);

#endif /* VTX_TRACE_FAULT_DELIVER_H */

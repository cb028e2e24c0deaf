/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hardware task switch, pure: what the processor would do if VMX did not leave task switches to software (SDM vol. 3,
 * chapter 8, and 26.4.2).
 */
#ifndef VTX_EXITS_TASK_SWITCH_H
#define VTX_EXITS_TASK_SWITCH_H

#include "emulate/emulate.h"

/* Bits 31:30 of the exit qualification. */
enum vtx_task_source { VTX_TASK_CALL, VTX_TASK_IRET, VTX_TASK_JMP, VTX_TASK_GATE };

/* Segments in the order of the instruction encoding, then LDTR and TR, as enum vtx_seg. */
enum { VTX_TASK_LDTR = VTX_EMU_NR_SEGS, VTX_TASK_TR, VTX_TASK_NR_SEGS };

/* The part of the vCPU's state that a task switch reads and writes. Access rights as in the VMCS. */
struct vtx_task_state {
	u32 regs[8];	/* by encoding */
	u32 eip;	/* on entry: the next instruction of the old task, or the one that faulted */
	u32 eflags;
	struct vtx_emu_seg seg[VTX_TASK_NR_SEGS];
	u64 gdt_base;
	u32 gdt_limit;
	bool paging;
	bool debug_trap;	/* out: the new TSS asks for a #DB (DR6.BT) before its first instruction */
};

struct vtx_task_switch {
	enum vtx_task_source source;
	u16 selector;		/* of the new TSS */
	bool has_error;		/* GATE: an error code to push on the new stack */
	u32 error;
};

/* All return 0; 1 with *exc filled (a fault for the guest); or a negative errno, which ends the switch half done. */
struct vtx_task_ops {
	/* Implicit supervisor accesses, at most 104 bytes; may cross a page. probe: would a write fault? */
	int (*read)(void *opaque, u32 lin, void *buf, unsigned int len, struct vtx_emu_exception *exc);
	int (*write)(void *opaque, u32 lin, const void *buf, unsigned int len, struct vtx_emu_exception *exc);
	int (*probe)(void *opaque, u32 lin, unsigned int len, struct vtx_emu_exception *exc);
	/* A write by the new task at the given privilege level: the error code. */
	int (*push)(void *opaque, unsigned int cpl, u32 lin, const void *buf, unsigned int len,
		    struct vtx_emu_exception *exc);
	/* CR3 of the new task, with the PAE pointers. 1: they are malformed. */
	int (*set_cr3)(void *opaque, u32 cr3);
};

enum vtx_task_result {
	VTX_TASK_DONE,		/* state is the new task's */
	VTX_TASK_FAULT_OLD,	/* nothing has changed; exc belongs to the old task */
	VTX_TASK_FAULT_NEW,	/* state is the new task's, as far as it could be loaded; exc is to be delivered there */
	/* or a negative errno */
};

/**
 * vtx_task_switch() - switches @state to another task
 * @state: changed only for VTX_TASK_DONE and VTX_TASK_FAULT_NEW; always acceptable to a VM entry
 * @exc: filled for the two faults
 *
 * The caller sets CR0.TS and clears the local enable bits of DR7 unless the answer is VTX_TASK_FAULT_OLD.
 */
int vtx_task_switch(struct vtx_task_state *state, const struct vtx_task_switch *what, const struct vtx_task_ops *ops,
		    void *opaque, struct vtx_emu_exception *exc);

#endif /* VTX_EXITS_TASK_SWITCH_H */

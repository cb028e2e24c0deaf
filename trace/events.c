// SPDX-License-Identifier: GPL-2.0-only
/*
 * The trace events of trace/events.h are made here, with what they need to fill their fields while they are enabled.
 */
#include <linux/kvm.h>
#include <linux/mm.h>
#include <asm/kvm.h>
#include "emulate/emulate.h"
#include "vmx/regs.h"

/* The rest of an exit's description. After a failed entry these VMCS fields are those of an earlier exit (SDM vol. 3, 27.8). */
static void vtx_trace_exit_info(u32 reason, u64 *vectoring, u32 *intr, u32 *error)
{
	*vectoring = 0;
	*intr = 0;
	*error = 0;
	if (reason & VMX_EXIT_REASONS_FAILED_VMENTRY)
		return;
	*vectoring = vtx_vmread32(IDT_VECTORING_INFO_FIELD);
	*intr = vtx_vmread32(VM_EXIT_INTR_INFO);
	if ((*intr & INTR_INFO_VALID_MASK) && (*intr & INTR_INFO_DELIVER_CODE_MASK))
		*error = vtx_vmread32(VM_EXIT_INTR_ERROR_CODE);
}

/* The instruction's length where it could be decoded, else the bytes that were looked at. */
static u8 vtx_trace_insn_len(const struct vtx_emu *e)
{
	return e->insn.len ? e->insn.len : e->insn.fetched;
}

static u8 vtx_trace_insn_flags(const struct vtx_emu *e)
{
	if (!(e->cr0 & X86_CR0_PE))
		return 0;
	if (e->rflags & X86_EFLAGS_VM)
		return 3;
	return e->insn.mode == 8 ? 9 : e->insn.mode == 4 ? 5 : 1;
}

#define CREATE_TRACE_POINTS
#include "trace/events.h"

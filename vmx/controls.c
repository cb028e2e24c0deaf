// SPDX-License-Identifier: GPL-2.0-only
/*
 * The controls of a VMCS (SDM vol. 3, 25.6 to 25.8). The values come from the capability decision (vmx/caps.c); here they are
 * written once, and only the bits that change later are written again.
 */
#include <linux/moduleparam.h>
#include <asm/trapnr.h>
#include "ept/ept.h"
#include "exits/pause.h"
#include "pv/guest_tsc.h"
#include "vmx/caps.h"
#include "vmx/controls.h"

/*
 * #DB and #AC are intercepted because their delivery can loop in microcode for ever (CVE-2015-5307, CVE-2015-8104); #MC since it
 * is the host's.
 */
#define INTERCEPTED_EXCEPTIONS (BIT(X86_TRAP_DB) | BIT(X86_TRAP_AC) | BIT(X86_TRAP_MC))

static bool fault_chain;
module_param(fault_chain, bool, 0444);
MODULE_PARM_DESC(fault_chain, "new vCPUs intercept every exception, so that a triple fault shows the whole chain (default N)");

/* With mask and match of page faults both 0, bit 14 alone decides about those (SDM vol. 3, 25.6.3). */
void vtx_controls_update_exceptions(struct vtx_vcpu *vcpu)
{
	u32 bitmap = vcpu->fault_chain ? ~0U : INTERCEPTED_EXCEPTIONS;

	if (vtx_quirk(vcpu->vm, KVM_X86_QUIRK_FIX_HYPERCALL_INSN))
		bitmap |= BIT(X86_TRAP_UD);	/* exits/hypercall.c */
	if (vcpu->debug.control & KVM_GUESTDBG_USE_SW_BP)
		bitmap |= BIT(X86_TRAP_BP);
	vtx_vmwrite32(EXCEPTION_BITMAP, bitmap);
}

void vtx_controls_set_exceptions(struct vtx_vcpu *vcpu, bool all)
{
	vcpu->fault_chain = all;
	vtx_controls_update_exceptions(vcpu);
}

static void write_exec_ctrl(struct vtx_vcpu *vcpu, u32 ctrl)
{
	if (ctrl == vcpu->exec_ctrl)
		return;
	vcpu->exec_ctrl = ctrl;
	vtx_vmwrite32(CPU_BASED_VM_EXEC_CONTROL, ctrl);
}

/* Once off, an exit stays off. What the C-state MSRs need is in the MSR bitmap. */
void vtx_controls_update_exits(struct vtx_vcpu *vcpu)
{
	u32 ctrl = vcpu->exec_ctrl;

	if (vtx_exit_off(vcpu->vm, KVM_X86_DISABLE_EXITS_HLT))
		ctrl &= ~CPU_BASED_HLT_EXITING;
	if (vtx_exit_off(vcpu->vm, KVM_X86_DISABLE_EXITS_MWAIT))
		ctrl &= ~(CPU_BASED_MWAIT_EXITING | CPU_BASED_MONITOR_EXITING);
	write_exec_ctrl(vcpu, ctrl);
	if (!vtx_exit_off(vcpu->vm, KVM_X86_DISABLE_EXITS_PAUSE) || !(vcpu->exec2_ctrl & SECONDARY_EXEC_PAUSE_LOOP_EXITING))
		return;
	vcpu->exec2_ctrl &= ~SECONDARY_EXEC_PAUSE_LOOP_EXITING;
	vtx_vmwrite32(SECONDARY_VM_EXEC_CONTROL, vcpu->exec2_ctrl);
}

void vtx_controls_setup(struct vtx_vcpu *vcpu)
{
	vcpu->pin_ctrl = vtx_caps.pin;
	vcpu->exec_ctrl = vtx_caps.proc;
	vcpu->exec2_ctrl = vtx_caps.proc2;
	vcpu->entry_ctrl = vtx_caps.entry;
	if (!vcpu->vpid)
		vcpu->exec2_ctrl &= ~SECONDARY_EXEC_ENABLE_VPID;

	vtx_vmwrite32(PIN_BASED_VM_EXEC_CONTROL, vcpu->pin_ctrl);
	vtx_vmwrite32(CPU_BASED_VM_EXEC_CONTROL, vcpu->exec_ctrl);
	vtx_vmwrite32(SECONDARY_VM_EXEC_CONTROL, vcpu->exec2_ctrl);
	vtx_vmwrite32(VM_EXIT_CONTROLS, vtx_caps.exit);
	vtx_vmwrite32(VM_ENTRY_CONTROLS, vcpu->entry_ctrl);

	vtx_pause_init_vcpu(vcpu);
	vtx_controls_set_exceptions(vcpu, fault_chain);
	vtx_vmwrite32(PAGE_FAULT_ERROR_CODE_MASK, 0);
	vtx_vmwrite32(PAGE_FAULT_ERROR_CODE_MATCH, 0);
	vtx_vmwrite32(CR3_TARGET_COUNT, 0);
	vtx_vmwrite32(VM_EXIT_MSR_STORE_COUNT, 0);
	vtx_vmwrite32(VM_EXIT_MSR_LOAD_COUNT, 0);
	vtx_vmwrite32(VM_ENTRY_MSR_LOAD_COUNT, 0);
	vtx_vmwrite32(VM_ENTRY_INTR_INFO_FIELD, 0);
	vtx_vmwrite64(VMCS_LINK_POINTER, ~0ULL);
	vtx_vmwrite64(MSR_BITMAP, __pa(vcpu->msr_bitmap));
	vtx_vmwrite64(EPT_POINTER, vcpu->vm->ept.eptp);
	vtx_tsc_setup(vcpu);
	vtx_pml_setup(vcpu);
	if (vcpu->vpid)
		vtx_vmwrite16(VIRTUAL_PROCESSOR_ID, vcpu->vpid);
	vtx_apicv_setup(vcpu);
	vtx_controls_update_exits(vcpu);
}

void vtx_controls_set_ia32e(struct vtx_vcpu *vcpu, bool on)
{
	vcpu->entry_ctrl = on ? vcpu->entry_ctrl | VM_ENTRY_IA32E_MODE : vcpu->entry_ctrl & ~VM_ENTRY_IA32E_MODE;
	vtx_vmwrite32(VM_ENTRY_CONTROLS, vcpu->entry_ctrl);
}

void vtx_controls_set_windows(struct vtx_vcpu *vcpu, bool irq, bool nmi)
{
	u32 ctrl = vcpu->exec_ctrl & ~(CPU_BASED_INTR_WINDOW_EXITING | CPU_BASED_NMI_WINDOW_EXITING);

	if (irq)
		ctrl |= CPU_BASED_INTR_WINDOW_EXITING;
	if (nmi)
		ctrl |= CPU_BASED_NMI_WINDOW_EXITING;
	write_exec_ctrl(vcpu, ctrl);
}

/* Off, the value counts for nothing; on, it is loaded at each entry and must be written before (SDM vol. 3, 26.5.1). */
void vtx_controls_set_preemption_timer(struct vtx_vcpu *vcpu, bool on)
{
	u32 ctrl = vcpu->pin_ctrl & ~PIN_BASED_VMX_PREEMPTION_TIMER;

	if (on)
		ctrl |= PIN_BASED_VMX_PREEMPTION_TIMER;
	if (ctrl == vcpu->pin_ctrl)
		return;
	vcpu->pin_ctrl = ctrl;
	vtx_vmwrite32(PIN_BASED_VM_EXEC_CONTROL, ctrl);
}

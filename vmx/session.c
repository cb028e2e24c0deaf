// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is put into the CPU before the first VM entry of a stretch of them, and taken out after the last.
 */
#include <linux/cpu.h>
#include <linux/hw_breakpoint.h>
#include <linux/rcupdate.h>
#include <linux/vtime.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/msr.h>
#include <asm/nospec-branch.h>
#include <asm/vmx.h>
#include "compat/compat.h"
#include "trace/events.h"
#include "vmx/host_state.h"
#include "vmx/session.h"

/* Enabled breakpoints in DR7: L0..L3, G0..G3. */
#define DR7_ENABLED 0xff

/*
 * L1TF: what the host had in its L1 data cache must be gone when the guest runs (kernel: admin-guide/hw-vuln/l1tf.rst). Once per
 * session is the kernel's "conditional" mode: between two sessions user space or another task may have run.
 */
static bool flush_l1d;

void vtx_session_setup(void)
{
	u64 arch_cap = 0;

	if (!boot_cpu_has_bug(X86_BUG_L1TF) || cpu_mitigations_off())
		return;
	if (boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES))
		rdmsrl(MSR_IA32_ARCH_CAPABILITIES, arch_cap);
	if (arch_cap & ARCH_CAP_SKIP_VMENTRY_L1DFLUSH)
		return;
	if (!boot_cpu_has(X86_FEATURE_FLUSH_L1D)) {
		pr_warn("vtx: this CPU has the L1TF bug and no L1D_FLUSH (old microcode): guests could read host memory through its L1 cache. Update the microcode.\n");
		return;
	}
	flush_l1d = true;
	l1tf_vmx_mitigation = VMENTER_L1D_FLUSH_COND;
}

static void load_debug_registers(struct vtx_vcpu *vcpu)
{
	if (likely(!(vcpu->hw_dr7 & DR7_ENABLED)))
		return;
	set_debugreg(vcpu->hw_db[0], 0);
	set_debugreg(vcpu->hw_db[1], 1);
	set_debugreg(vcpu->hw_db[2], 2);
	set_debugreg(vcpu->hw_db[3], 3);
}

/* A VM exit leaves DR7 at 0x400 (SDM vol. 3, 28.5.1): the host's own breakpoints must be armed again. */
static void restore_debug_registers(void)
{
	if (unlikely(hw_breakpoint_active()))
		hw_breakpoint_restore();
}

void vtx_session_begin(struct vtx_vcpu *vcpu)
{
	vtx_fpu_enter(vcpu); /* preemption is off from here on */
	trace_kvm_fpu(true);
	local_irq_disable();
	vtx_guest_state_load(vcpu);
	vtx_host_state_refresh(vcpu);
	load_debug_registers(vcpu);
	vcpu->host_spec_ctrl = this_cpu_read(x86_spec_ctrl_current);
	if (unlikely(flush_l1d))
		wrmsrl(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
	vtime_account_guest_enter();
	vtx_rcu_note_guest();
}

void vtx_session_end(struct vtx_vcpu *vcpu)
{
	vtime_account_guest_exit();
	restore_debug_registers();
	local_irq_enable();
	trace_kvm_fpu(false);
	vtx_fpu_leave(vcpu);
}

void vtx_session_take_interrupts(struct vtx_vcpu *vcpu)
{
	restore_debug_registers();
	local_irq_enable();
	/* STI blocks interrupts for one more instruction. */
	asm volatile("nop");
	local_irq_disable();
	/* A handler may have changed CR4 (perf) or asked for a quiescent state. */
	vtx_host_state_refresh(vcpu);
	load_debug_registers(vcpu);
	vtx_rcu_note_guest();
}

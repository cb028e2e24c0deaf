// SPDX-License-Identifier: GPL-2.0-only
/*
 * RDMSR and WRMSR exits.  Most are answered in the inner loop; what may sleep (KVM's clock MSRs write guest memory, the
 * APIC base may move the APIC page) or does not exist goes the slow way, and everything in a VM with an MSR filter.
 *
 * What the guest is refused is #GP, or user space's affair where it has asked for that (KVM_CAP_X86_USER_SPACE_MSR).
 */
#include "exits/exits.h"
#include "trace/recorder.h"
#include "exits/emulation.h"
#include "exits/msr_policy.h"
#include "trace/events.h"
#include "vmx/event.h"
#include "vmx/regs.h"

static void finish_read(struct vtx_vcpu *vcpu, u64 data)
{
	trace_kvm_msr(false, vcpu->regs[VTX_RCX], data, false);
	vcpu->regs[VTX_RAX] = (u32)data;
	vcpu->regs[VTX_RDX] = data >> 32;
	vtx_skip_insn(vcpu);
}

static u64 value_to_write(const struct vtx_vcpu *vcpu)
{
	return (u32)vcpu->regs[VTX_RAX] | vcpu->regs[VTX_RDX] << 32;
}

int vtx_fast_rdmsr(struct vtx_vcpu *vcpu)
{
	u64 data;

	vtx_exit_note_msr(vcpu);
	if (unlikely(rcu_access_pointer(vcpu->vm->msr_filter)))
		return VTX_EXIT_SLOW;
	if (vtx_msr_get(vcpu, vcpu->regs[VTX_RCX], &data, false))
		return VTX_EXIT_SLOW;
	finish_read(vcpu, data);
	return VTX_EXIT_RESUME;
}

int vtx_fast_wrmsr(struct vtx_vcpu *vcpu)
{
	u32 index = vcpu->regs[VTX_RCX];

	vtx_exit_note_msr(vcpu);
	if (unlikely(rcu_access_pointer(vcpu->vm->msr_filter)))
		return VTX_EXIT_SLOW;
	if (vtx_msr_rows[vtx_msr_find(index)].access & VTX_MSR_SLOW_WRITE)
		return VTX_EXIT_SLOW;
	/* A refused write has changed nothing, so the slow way may find that out again. */
	if (vtx_msr_set(vcpu, index, value_to_write(vcpu), false))
		return VTX_EXIT_SLOW;
	trace_kvm_msr(true, index, value_to_write(vcpu), false);
	vtx_skip_insn(vcpu);
	return VTX_EXIT_RESUME;
}

/* ------------------------------------------------------------------ refused accesses */

static int ask_user(struct vtx_vcpu *vcpu, bool write, u32 index, u64 data, u32 reason)
{
	struct kvm_run *run = vcpu->run;

	vcpu->io.kind = VTX_IO_MSR;
	vcpu->io.in = !write;
	vcpu->io.linear_rip = vtx_linear_rip(vcpu);
	run->exit_reason = write ? KVM_EXIT_X86_WRMSR : KVM_EXIT_X86_RDMSR;
	memset(&run->msr, 0, sizeof(run->msr));
	run->msr.reason = reason;
	run->msr.index = index;
	run->msr.data = data;
	return VTX_EXIT_USER;
}

/* @data: what is written; 0 for a read. */
static int refused(struct vtx_vcpu *vcpu, bool write, u32 index, u64 data, bool filtered)
{
	u32 reason = KVM_MSR_EXIT_REASON_INVAL;

	if (filtered)
		reason = KVM_MSR_EXIT_REASON_FILTER;
	else if (vtx_msr_find(index) == VTX_MSR_NONE)
		reason = KVM_MSR_EXIT_REASON_UNKNOWN;
	if (READ_ONCE(vcpu->vm->msr_exits) & reason)
		return ask_user(vcpu, write, index, data, reason);
	trace_kvm_msr(write, index, data, true);
	vtx_inject_gp(vcpu);
	return VTX_EXIT_RESUME;
}

/* KVM_RUN after ask_user(): msr.error is #GP, else msr.data is what was read. */
int vtx_msr_answered(struct vtx_vcpu *vcpu)
{
	u64 data = READ_ONCE(vcpu->run->msr.data);

	if (READ_ONCE(vcpu->run->msr.error)) {
		vtx_inject_gp(vcpu);
	} else if (vcpu->io.in) {
		finish_read(vcpu, data);
	} else {
		trace_kvm_msr(true, vcpu->regs[VTX_RCX], value_to_write(vcpu), false);
		vtx_skip_insn(vcpu);
	}
	return VTX_EXIT_RESUME;
}

int vtx_exit_rdmsr(struct vtx_vcpu *vcpu)
{
	u32 index = vcpu->regs[VTX_RCX];
	bool filtered = vtx_msr_filtered(vcpu, index, false);
	u64 data;

	if (filtered || vtx_msr_get(vcpu, index, &data, false))
		return refused(vcpu, false, index, 0, filtered);
	finish_read(vcpu, data);
	return VTX_EXIT_RESUME;
}

int vtx_exit_wrmsr(struct vtx_vcpu *vcpu)
{
	u32 index = vcpu->regs[VTX_RCX];
	bool filtered = vtx_msr_filtered(vcpu, index, true);
	u64 data = value_to_write(vcpu);

	if (filtered || vtx_msr_set(vcpu, index, data, false))
		return refused(vcpu, true, index, data, filtered);
	trace_kvm_msr(true, index, data, false);
	vtx_skip_insn(vcpu);
	return VTX_EXIT_RESUME;
}

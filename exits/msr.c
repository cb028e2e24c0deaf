// SPDX-License-Identifier: GPL-2.0-only
/*
 * RDMSR and WRMSR exits.  Most are answered in the inner loop; what may sleep (KVM's clock MSRs write guest memory, the
 * APIC base may move the APIC page) or does not exist goes the slow way.
 */
#include "exits/exits.h"
#include "trace/recorder.h"
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
	if (vtx_msr_get(vcpu, vcpu->regs[VTX_RCX], &data, false))
		return VTX_EXIT_SLOW;
	finish_read(vcpu, data);
	return VTX_EXIT_RESUME;
}

int vtx_fast_wrmsr(struct vtx_vcpu *vcpu)
{
	u32 index = vcpu->regs[VTX_RCX];

	vtx_exit_note_msr(vcpu);
	if (vtx_msr_rows[vtx_msr_find(index)].access & VTX_MSR_SLOW_WRITE)
		return VTX_EXIT_SLOW;
	/* A refused write has changed nothing, so the slow way may find that out again. */
	if (vtx_msr_set(vcpu, index, value_to_write(vcpu), false))
		return VTX_EXIT_SLOW;
	trace_kvm_msr(true, index, value_to_write(vcpu), false);
	vtx_skip_insn(vcpu);
	return VTX_EXIT_RESUME;
}

int vtx_exit_rdmsr(struct vtx_vcpu *vcpu)
{
	u64 data;

	if (!vtx_msr_get(vcpu, vcpu->regs[VTX_RCX], &data, false)) {
		finish_read(vcpu, data);
		return VTX_EXIT_RESUME;
	}
	trace_kvm_msr(false, vcpu->regs[VTX_RCX], 0, true);
	vtx_inject_gp(vcpu);
	return VTX_EXIT_RESUME;
}

int vtx_exit_wrmsr(struct vtx_vcpu *vcpu)
{
	int refused = vtx_msr_set(vcpu, vcpu->regs[VTX_RCX], value_to_write(vcpu), false);

	trace_kvm_msr(true, vcpu->regs[VTX_RCX], value_to_write(vcpu), refused);
	if (refused)
		vtx_inject_gp(vcpu);
	else
		vtx_skip_insn(vcpu);
	return VTX_EXIT_RESUME;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * From exit reason to handler, and the ends of a VM that are not the guest's own: failed entry, unexpected exit.
 */
#include <linux/nospec.h>
#include <linux/ratelimit.h>
#include <asm/vmx.h>
#include "exits/exits.h"
#include "trace/recorder.h"
#include "vmx/regs.h"

/*
 * The hot reasons by direct calls: an indirect one costs a retpoline where the host needs those. What is not a reason of
 * the table, a failed entry above all, is left to the slow half.
 */
int vtx_handle_exit_fast(struct vtx_vcpu *vcpu)
{
	u32 reason = vcpu->exit_reason;
	vtx_exit_fn fast;

	switch (reason) {
	case EXIT_REASON_EXTERNAL_INTERRUPT:
		return VTX_EXIT_RESUME;
	case EXIT_REASON_MSR_WRITE:
		return vtx_fast_wrmsr(vcpu);
	case EXIT_REASON_EPT_VIOLATION:
		return vtx_fast_ept_violation(vcpu);
	case EXIT_REASON_IO_INSTRUCTION:
		return vtx_fast_io(vcpu);
	case EXIT_REASON_CPUID:
		return vtx_fast_cpuid(vcpu);
	case EXIT_REASON_MSR_READ:
		return vtx_fast_rdmsr(vcpu);
	case EXIT_REASON_VMCALL:
		return vtx_fast_vmcall(vcpu);
	case EXIT_REASON_HLT:
		return VTX_EXIT_SLOW;
	}
	if (reason >= VTX_NR_EXIT_REASONS)
		return VTX_EXIT_SLOW;
	fast = vtx_exit_table[array_index_nospec(reason, VTX_NR_EXIT_REASONS)].fast;
	return fast ? fast(vcpu) : VTX_EXIT_SLOW;
}

int vtx_exit_internal_error(struct vtx_vcpu *vcpu, u32 suberror, u32 ndata, const u64 *data)
{
	struct kvm_run *run = vcpu->run;
	u32 i;

	vtx_recorder_freeze(vcpu);
	ndata = min_t(u32, ndata, ARRAY_SIZE(run->internal.data));
	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->internal.suberror = suberror;
	run->internal.ndata = ndata;
	for (i = 0; i < ndata; i++)
		run->internal.data[i] = data[i];
	return VTX_EXIT_USER;
}

/* The guest state broke a rule of SDM vol. 3, 27.3 or 27.4. The qualification says a little more (27.8). */
static int failed_entry(struct vtx_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	pr_info_ratelimited("vtx: vCPU %u: VM entry failed, reason %#x, qualification %#llx\n", vcpu->id, vcpu->exit_reason,
			    vtx_qualification(vcpu));
	run->exit_reason = KVM_EXIT_FAIL_ENTRY;
	run->fail_entry.hardware_entry_failure_reason = vcpu->exit_reason;
	run->fail_entry.cpu = vcpu->cpu;
	vtx_recorder_freeze(vcpu);
	return VTX_EXIT_USER;
}

static int unexpected_exit(struct vtx_vcpu *vcpu)
{
	u64 data[2] = { vcpu->exit_reason, vcpu->cpu };

	pr_info_ratelimited("vtx: vCPU %u: VM exit for reason %#x, which nothing asks for; qualification %#llx\n", vcpu->id,
			    vcpu->exit_reason, vtx_qualification(vcpu));
	return vtx_exit_internal_error(vcpu, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON, ARRAY_SIZE(data), data);
}

int vtx_handle_exit(struct vtx_vcpu *vcpu)
{
	u32 reason = vcpu->exit_reason;
	vtx_exit_fn slow = NULL;

	if (unlikely(reason & VMX_EXIT_REASONS_FAILED_VMENTRY))
		return failed_entry(vcpu);
	if (likely(reason < VTX_NR_EXIT_REASONS))
		slow = vtx_exit_table[array_index_nospec(reason, VTX_NR_EXIT_REASONS)].slow;
	return slow ? slow(vcpu) : unexpected_exit(vcpu);
}

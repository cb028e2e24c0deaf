// SPDX-License-Identifier: GPL-2.0-only
/*
 * From exit reason to handler, and the ends of a VM that are not the guest's own: failed entry, unexpected exit.
 */
#include <linux/nospec.h>
#include <linux/ratelimit.h>
#include <asm/vmx.h>
#include "exits/exits.h"
#include "exits/explain.h"
#include "trace/livelock.h"
#include "trace/recorder.h"
#include "uapi/refuse.h"
#include "vmx/entry_state.h"
#include "vmx/event.h"
#include "vmx/onoff.h"
#include "vmx/regs.h"

/* A function of its own, so that the hot half needs no stack frame. */
static noinline int handle_other_fast(struct vtx_vcpu *vcpu, u32 reason)
{
	vtx_exit_fn fast;

	vtx_exit_note_other(vcpu, reason);
	if (reason == EXIT_REASON_EXTERNAL_INTERRUPT) {
		if (unlikely(vcpu->livelock.window_since))
			vtx_livelock_window(vcpu);
		return VTX_EXIT_RESUME;
	}
	if (reason >= VTX_NR_EXIT_REASONS)
		return VTX_EXIT_SLOW;
	fast = vtx_exit_table[array_index_nospec(reason, VTX_NR_EXIT_REASONS)].fast;
	return fast ? fast(vcpu) : VTX_EXIT_SLOW;
}

/*
 * The hot reasons by direct calls: an indirect one costs a retpoline where the host needs those. What is not a reason of
 * the table, a failed entry above all, is left to the slow half.
 */
int vtx_handle_exit_fast(struct vtx_vcpu *vcpu)
{
	u32 reason = vcpu->exit_reason;

	switch (reason) {
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
	}
	return handle_other_fast(vcpu, reason);
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

/*
 * Controls or host state broke a rule of SDM vol. 3, 27.2 (exit_reason is ~0, the qualification has the VM-instruction error), or
 * guest state one of 27.3 or 27.4.
 */
static int failed_entry(struct vtx_vcpu *vcpu)
{
	u32 reason = vcpu->exit_reason == ~0u ? (u32)vtx_qualification(vcpu) : vcpu->exit_reason;
	struct kvm_run *run = vcpu->run;

	/* VT-x has been turned off under the VM: nothing the VMM could look into. */
	if (unlikely(vtx_rebooting))
		return VTX_REFUSE(HOST_REBOOTING, VTX_NO_FIELD, 0, 0);
	vtx_entry_explain(vcpu);
	/* The event stays in the VM-entry field, and user space may take it back before it tries again. */
	vtx_events_cancel(vcpu);
	run->exit_reason = KVM_EXIT_FAIL_ENTRY;
	run->fail_entry.hardware_entry_failure_reason = reason;
	run->fail_entry.cpu = vcpu->cpu;
	vtx_recorder_freeze(vcpu);
	return VTX_EXIT_USER;
}

static int unexpected_exit(struct vtx_vcpu *vcpu)
{
	u64 data[2] = { vcpu->exit_reason, vcpu->cpu };

	pr_info_ratelimited("vtx: vCPU %u: VM exit for reason %#x, which nothing asks for; qualification %#llx\n", vcpu->id,
			    vcpu->exit_reason, vtx_qualification(vcpu));
	vtx_report_internal(vcpu, "VM exit for reason %u, which nothing asks for.", vcpu->exit_reason & 0xffff);
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

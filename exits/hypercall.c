// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMCALL with KVM's numbers (Documentation/virt/kvm/x86/hypercalls.rst of the kernel).
 *
 * What vtx advertises in CPUID needs none of them, so a guest only gets here by trying.  KICK_CPU, SEND_IPI and SCHED_YIELD belong
 * to features that are not advertised and are unknown numbers therefore.
 */
#include <linux/kvm_para.h>
#include "exits/exits.h"
#include "trace/events.h"
#include "trace/recorder.h"
#include "vmx/event.h"
#include "vmx/regs.h"

static u64 hypercall(struct vtx_vcpu *vcpu, u64 nr)
{
	if (vtx_cpl(vcpu))
		return -KVM_EPERM;
	switch (nr) {
	case KVM_HC_VAPIC_POLL_IRQ:
		return 0;
	case KVM_HC_CLOCK_PAIRING:
		return -KVM_EOPNOTSUPP;
	default:
		return -KVM_ENOSYS;
	}
}

/* Outside 64-bit code registers have 32 bits, whatever the upper halves hold, and so has the answer. */
int vtx_fast_vmcall(struct vtx_vcpu *vcpu)
{
	bool wide = vtx_in_64bit_code(vcpu);
	u64 nr = vcpu->regs[VTX_RAX], ret;

	vtx_exit_note_vmcall(vcpu);
	trace_kvm_hypercall(vcpu->regs, wide ? ~0ULL : (u32)~0U);
	ret = hypercall(vcpu, wide ? nr : (u32)nr);
	vcpu->regs[VTX_RAX] = wide ? ret : (u32)ret;
	vtx_skip_insn(vcpu);
	return VTX_EXIT_RESUME;
}

int vtx_exit_vmcall(struct vtx_vcpu *vcpu)
{
	return vtx_fast_vmcall(vcpu);
}

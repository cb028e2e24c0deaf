// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMCALL with KVM's numbers (Documentation/virt/kvm/x86/hypercalls.rst of the kernel), and VMMCALL, which is AMD's.
 *
 * KICK_CPU and SEND_IPI belong to features that are not advertised and are unknown numbers therefore.
 */
#include <linux/kvm_para.h>
#include <linux/mm.h>
#include "exits/emulation.h"
#include "exits/exits.h"
#include "exits/guest_mem.h"
#include "exits/pause.h"
#include "trace/events.h"
#include "trace/recorder.h"
#include "vmx/event.h"
#include "vmx/regs.h"

/* Outside 64-bit code registers have 32 bits, whatever the upper halves hold, and so has the answer. */
static u64 width(u64 value, bool wide)
{
	return wide ? value : (u32)value;
}

static int answer(struct vtx_vcpu *vcpu, u64 value, bool wide)
{
	vcpu->regs[VTX_RAX] = width(value, wide);
	vtx_skip_insn(vcpu);
	return VTX_EXIT_RESUME;
}

/* hypercall.longmode of kvm_run, or bit 0 of hypercall.flags, as newer kernels' headers call the same place for kernel code. */
static u32 *long_mode(struct kvm_run *run)
{
	return (u32 *)((u8 *)run + offsetofend(struct kvm_run, hypercall.ret));
}

/*
 * KVM_HC_MAP_GPA_RANGE: RBX is an address, RCX a number of pages, RDX what they are to be. It is user space's where it has asked for it
 * (KVM_CAP_EXIT_HYPERCALL).
 */
static int map_gpa_range(struct vtx_vcpu *vcpu, bool wide)
{
	u64 gpa = width(vcpu->regs[VTX_RBX], wide), pages = width(vcpu->regs[VTX_RCX], wide);
	struct kvm_run *run = vcpu->run;

	if (!(READ_ONCE(vcpu->vm->hypercall_exits) & BIT(KVM_HC_MAP_GPA_RANGE)))
		return answer(vcpu, -KVM_ENOSYS, wide);
	if (!PAGE_ALIGNED(gpa) || !pages || (gpa >> PAGE_SHIFT) + pages <= gpa >> PAGE_SHIFT)
		return answer(vcpu, -KVM_EINVAL, wide);
	vcpu->io.kind = VTX_IO_HYPERCALL;
	vcpu->io.linear_rip = vtx_linear_rip(vcpu);
	run->exit_reason = KVM_EXIT_HYPERCALL;
	memset(&run->hypercall, 0, sizeof(run->hypercall));
	run->hypercall.nr = KVM_HC_MAP_GPA_RANGE;
	run->hypercall.args[0] = gpa;
	run->hypercall.args[1] = pages;
	run->hypercall.args[2] = width(vcpu->regs[VTX_RDX], wide);
	*long_mode(run) = wide;
	return VTX_EXIT_USER;
}

/* KVM_RUN after KVM_EXIT_HYPERCALL. */
int vtx_hypercall_answered(struct vtx_vcpu *vcpu)
{
	return answer(vcpu, READ_ONCE(vcpu->run->hypercall.ret), vtx_in_64bit_code(vcpu));
}

static int hypercall(struct vtx_vcpu *vcpu, bool sleeps)
{
	bool wide = vtx_in_64bit_code(vcpu);

	if (vtx_cpl(vcpu))
		return answer(vcpu, -KVM_EPERM, wide);
	switch (width(vcpu->regs[VTX_RAX], wide)) {
	case KVM_HC_VAPIC_POLL_IRQ:
		return answer(vcpu, 0, wide);
	case KVM_HC_CLOCK_PAIRING:
		return answer(vcpu, -KVM_EOPNOTSUPP, wide);
	case KVM_HC_SCHED_YIELD:
		if (!vtx_cpuid_has(&vcpu->cpuid, VTX_F_PV_SCHED_YIELD))
			return answer(vcpu, -KVM_ENOSYS, wide);
		if (!sleeps)
			return VTX_EXIT_SLOW;
		vtx_pause_yield_to_id(vcpu, vcpu->regs[VTX_RBX]);
		return answer(vcpu, 0, wide);
	case KVM_HC_MAP_GPA_RANGE:
		return map_gpa_range(vcpu, wide);
	default:
		return answer(vcpu, -KVM_ENOSYS, wide);
	}
}

int vtx_fast_vmcall(struct vtx_vcpu *vcpu)
{
	vtx_exit_note_vmcall(vcpu);
	trace_kvm_hypercall(vcpu->regs, vtx_in_64bit_code(vcpu) ? ~0ULL : (u32)~0U);
	return hypercall(vcpu, false);
}

int vtx_exit_vmcall(struct vtx_vcpu *vcpu)
{
	return hypercall(vcpu, true);
}

/*
 * A guest that came from an AMD host, or that knows no better, calls by VMMCALL, which is undefined on this processor. As in KVM the
 * instruction becomes VMCALL in the guest's memory, and is executed again. What stands in the way of the write is the guest's fault.
 */
bool vtx_fix_hypercall(struct vtx_vcpu *vcpu)
{
	static const u8 vmmcall[] = { 0x0f, 0x01, 0xd9 }, vmcall[] = { 0x0f, 0x01, 0xc1 };
	struct vtx_emu_exception exc;
	struct vtx_walk_cpu walk = {};
	u64 rip = vtx_linear_rip(vcpu);
	u8 code[sizeof(vmmcall)];
	int ret;

	if (!vtx_quirk(vcpu->vm, KVM_X86_QUIRK_FIX_HYPERCALL_INSN))
		return false;
	vtx_walk_cpu_fill(vcpu, &walk);
	if (vtx_gva_read(vcpu, &walk, rip, code, sizeof(code), VTX_WALK_EXEC, &exc) || memcmp(code, vmmcall, sizeof(code)))
		return false;
	ret = vtx_gva_write(vcpu, &walk, rip, vmcall, sizeof(vmcall), 0, &exc);
	if (ret == 1)
		vtx_inject_emu_exception(vcpu, &exc);
	return ret == 0 || ret == 1;
}

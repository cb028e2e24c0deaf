// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU's registers for user space: KVM_GET/SET_REGS, SREGS, FPU, XSAVE, XCRS, DEBUGREGS, and KVM_TRANSLATE.
 *
 * All run with vcpu->mutex held and the vCPU loaded. A setter checks everything before it changes anything.
 */
#include <asm/apicdef.h>
#include <asm/msr-index.h>
#include "exits/exits.h"
#include "exits/guest_mem.h"
#include "uapi/ioctl.h"
#include "uapi/refuse.h"
#include "vmx/cr.h"
#include "vmx/event.h"
#include "vmx/fpu.h"
#include "vmx/guest_debug.h"
#include "vmx/regs.h"

#define XCR0 0	/* the only extended control register there is */

/* ------------------------------------------------------------------ general registers */

/* Where struct kvm_regs has each register of enum vtx_gpr. */
#define REG_AT(field) (offsetof(struct kvm_regs, field) / sizeof(u64))
static const u8 regs_place[VTX_NR_GPRS] = {
	[VTX_RAX] = REG_AT(rax), [VTX_RCX] = REG_AT(rcx), [VTX_RDX] = REG_AT(rdx), [VTX_RBX] = REG_AT(rbx),
	[VTX_RSP] = REG_AT(rsp), [VTX_RBP] = REG_AT(rbp), [VTX_RSI] = REG_AT(rsi), [VTX_RDI] = REG_AT(rdi),
	[VTX_R8] = REG_AT(r8),	 [VTX_R9] = REG_AT(r9),	  [VTX_R10] = REG_AT(r10), [VTX_R11] = REG_AT(r11),
	[VTX_R12] = REG_AT(r12), [VTX_R13] = REG_AT(r13), [VTX_R14] = REG_AT(r14), [VTX_R15] = REG_AT(r15),
};

long vtx_call_get_regs(struct vtx_call *call)
{
	struct vtx_vcpu *vcpu = call->vcpu;
	struct kvm_regs *out = call->data;
	u64 *values = call->data;
	unsigned int i;

	for (i = 0; i < VTX_NR_GPRS; i++)
		values[regs_place[i]] = vtx_gpr(vcpu, i);
	out->rip = vtx_rip(vcpu);
	out->rflags = vtx_debug_rflags(vcpu);
	return 0;
}

long vtx_call_set_regs(struct vtx_call *call)
{
	struct vtx_vcpu *vcpu = call->vcpu;
	const struct kvm_regs *in = call->data;
	const u64 *values = call->data;
	unsigned int i;

	for (i = 0; i < VTX_NR_GPRS; i++)
		vtx_set_gpr(vcpu, i, values[regs_place[i]]);
	vtx_set_rip(vcpu, in->rip);
	/* The debugger's TF comes back before the entry (vtx_debug_arm_step()). */
	vtx_set_rflags(vcpu, in->rflags | X86_EFLAGS_FIXED);
	/* An exception that waited belonged to the old state. */
	vcpu->events.exc.pending = false;
	vtx_vcpu_request(vcpu, VTX_REQ_EVENT);
	return 0;
}

/* ------------------------------------------------------------------ system registers */

long vtx_call_get_sregs(struct vtx_call *call)
{
	vtx_store_sregs(call->vcpu, call->data);
	return 0;
}

/* Clients from before KVM_SET_MP_STATE reset a halted boot processor by putting it at the reset vector. */
static bool at_reset_vector(struct vtx_vcpu *vcpu, const struct kvm_sregs *sregs)
{
	return vcpu->id == vcpu->vm->boot_cpu_id && vtx_rip(vcpu) == 0xfff0 && sregs->cs.selector == 0xf000 &&
	       sregs->cs.base == 0xffff0000 && !(sregs->cr0 & X86_CR0_PE);
}

/* What IA32_APIC_BASE can hold, but for the one combination that is none (SDM vol. 3, 11.12.1). */
static u64 apic_base_bits(struct vtx_vcpu *vcpu)
{
	u64 bits = MSR_IA32_APICBASE_BSP | MSR_IA32_APICBASE_ENABLE | GENMASK_ULL(vcpu->cpuid.maxphyaddr - 1, PAGE_SHIFT);

	return !vcpu->apic || vtx_cpuid_has(&vcpu->cpuid, VTX_F_X2APIC) ? bits | X2APIC_ENABLE : bits;
}

static int set_sregs(struct vtx_vcpu *vcpu, const struct kvm_sregs *in)
{
	int ret = vtx_check_sregs(vcpu, in);

	if (ret)
		return ret;
	/* The last thing that can be refused. */
	if (vtx_msr_set(vcpu, MSR_IA32_APICBASE, in->apic_base, true))
		return VTX_REFUSE(SREGS_APIC_BASE, offsetof(struct kvm_sregs, apic_base), in->apic_base,
				  apic_base_bits(vcpu));
	vtx_load_sregs(vcpu, in);
	if (at_reset_vector(vcpu, in))
		vcpu->mp_state = KVM_MP_STATE_RUNNABLE;
	return 0;
}

long vtx_call_set_sregs(struct vtx_call *call)
{
	return set_sregs(call->vcpu, call->data);
}

/*
 * KVM_GET/SET_SREGS2: the PDPTEs that the processor has loaded, which need not be those in memory any more, in place of the interrupt,
 * which is among the events. Up to apic_base the structures are the same.
 */
#define SREGS_COMMON offsetof(struct kvm_sregs2, flags)
static_assert(offsetof(struct kvm_sregs, interrupt_bitmap) == SREGS_COMMON);

long vtx_call_get_sregs2(struct vtx_call *call)
{
	struct vtx_vcpu *vcpu = call->vcpu;
	struct kvm_sregs2 *out = call->data;
	struct kvm_sregs sregs = {};

	vtx_store_sregs(vcpu, &sregs);
	memcpy(out, &sregs, SREGS_COMMON);
	if (!vtx_pae_paging(sregs.cr0, sregs.cr4, sregs.efer))
		return 0;
	vtx_sync_pdptrs_from_vmcs(vcpu);
	memcpy(out->pdptrs, vcpu->pdptrs, sizeof(out->pdptrs));
	out->flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
	return 0;
}

/* Without KVM_SREGS2_FLAGS_PDPTRS_VALID they are read from memory, as by KVM_SET_SREGS. */
long vtx_call_set_sregs2(struct vtx_call *call)
{
	const struct kvm_sregs2 *in = call->data;
	struct kvm_sregs sregs = {};
	int ret;

	if (in->flags & ~KVM_SREGS2_FLAGS_PDPTRS_VALID)
		return VTX_REFUSE(SREGS2_FLAGS, SREGS_COMMON, in->flags, KVM_SREGS2_FLAGS_PDPTRS_VALID);
	if (in->flags && !vtx_pae_paging(in->cr0, in->cr4, in->efer))
		return VTX_REFUSE(SREGS2_PDPTRS, SREGS_COMMON, in->flags, 0);
	memcpy(&sregs, in, SREGS_COMMON);
	ret = set_sregs(call->vcpu, &sregs);
	if (!ret && in->flags)
		vtx_set_pdptrs(call->vcpu, in->pdptrs);
	return ret;
}

/* ------------------------------------------------------------------ FPU */

long vtx_call_get_fpu(struct vtx_call *call)
{
	vtx_fpu_get_fpu(call->vcpu, call->data);
	return 0;
}

long vtx_call_set_fpu(struct vtx_call *call)
{
	return vtx_fpu_set_fpu(call->vcpu, call->data);
}

/*
 * KVM_GET_XSAVE and KVM_GET_XSAVE2. A guest's area always fits into struct kvm_xsave, because no component is switched
 * that has to be asked for (AMX); KVM_CAP_XSAVE2 says so.
 */
long vtx_call_get_xsave(struct vtx_call *call)
{
	if (vtx_fpu_size() > sizeof(struct kvm_xsave))
		return VTX_REFUSE(XSAVE_AREA, VTX_NO_FIELD, vtx_fpu_size(), sizeof(struct kvm_xsave));
	vtx_fpu_get_xsave(call->vcpu, call->data, sizeof(struct kvm_xsave));
	return 0;
}

long vtx_call_set_xsave(struct vtx_call *call)
{
	return vtx_fpu_set_xsave(call->vcpu, call->data);
}

long vtx_call_get_xcrs(struct vtx_call *call)
{
	struct kvm_xcrs *out = call->data;

	out->nr_xcrs = 1;
	out->xcrs[0].xcr = XCR0;
	out->xcrs[0].value = call->vcpu->xcr0;
	return 0;
}

static int set_xcr0(struct vtx_vcpu *vcpu, unsigned int i, u64 value)
{
	u64 allowed = vcpu->cpuid.xcr0_allowed;
	u32 offset = offsetof(struct kvm_xcrs, xcrs) + i * sizeof(struct kvm_xcr) + offsetof(struct kvm_xcr, value);

	if (value & ~allowed)
		return VTX_REFUSE(XCR0_BITS, offset, value, allowed);
	return vtx_set_xcr0(vcpu, value) ? VTX_REFUSE(XCR0_COMBINATION, offset, value, allowed) : 0;
}

/* The first XCR0 in the list counts; others do not exist and are passed over, as in KVM. */
long vtx_call_set_xcrs(struct vtx_call *call)
{
	const struct kvm_xcrs *in = call->data;
	unsigned int i;

	if (in->nr_xcrs > KVM_MAX_XCRS)
		return VTX_REFUSE(XCRS_COUNT, offsetof(struct kvm_xcrs, nr_xcrs), in->nr_xcrs, KVM_MAX_XCRS);
	if (in->flags)
		return VTX_REFUSE(XCRS_FLAGS, offsetof(struct kvm_xcrs, flags), in->flags, 0);
	for (i = 0; i < in->nr_xcrs; i++)
		if (in->xcrs[i].xcr == XCR0)
			return set_xcr0(call->vcpu, i, in->xcrs[i].value);
	return 0;
}

/* ------------------------------------------------------------------ debug registers */

long vtx_call_get_debugregs(struct vtx_call *call)
{
	struct kvm_debugregs *out = call->data;
	unsigned int i;

	vtx_deliver_payload_to_user(call->vcpu);
	for (i = 0; i < ARRAY_SIZE(out->db); i++)
		out->db[i] = vtx_get_dr(call->vcpu, i);
	out->dr6 = vtx_get_dr(call->vcpu, 6);
	out->dr7 = vtx_get_dr(call->vcpu, 7);
	return 0;
}

long vtx_call_set_debugregs(struct vtx_call *call)
{
	const struct kvm_debugregs *in = call->data;
	unsigned int i;

	if (in->flags)
		return VTX_REFUSE(DEBUGREGS_FLAGS, offsetof(struct kvm_debugregs, flags), in->flags, 0);
	if (in->dr6 >> 32)
		return VTX_REFUSE(DEBUGREGS_DR6, offsetof(struct kvm_debugregs, dr6), in->dr6, U32_MAX);
	if (in->dr7 >> 32)
		return VTX_REFUSE(DEBUGREGS_DR7, offsetof(struct kvm_debugregs, dr7), in->dr7, U32_MAX);
	for (i = 0; i < ARRAY_SIZE(in->db); i++)
		vtx_set_dr(call->vcpu, i, in->db[i]);
	vtx_set_dr(call->vcpu, 6, in->dr6);
	vtx_set_dr(call->vcpu, 7, in->dr7);
	return 0;
}

/* ------------------------------------------------------------------ KVM_TRANSLATE */

/*
 * As a supervisor's read that leaves no traces in the page tables. @writeable is 1 and @usermode 0 whatever the tables say, as in KVM.
 */
long vtx_call_translate(struct vtx_call *call)
{
	struct kvm_translation *tr = call->data;
	struct vtx_emu_exception exc;
	struct vtx_walk_cpu cpu;
	u64 gpa;
	int ret;

	vtx_walk_cpu_fill(call->vcpu, &cpu);
	cpu.cpl = 0;
	ret = vtx_gva_to_gpa(call->vcpu, &cpu, tr->linear_address, VTX_WALK_IMPLICIT | VTX_WALK_NO_SET_AD, &gpa, &exc);
	if (ret < 0)
		return ret;
	tr->valid = !ret;
	tr->physical_address = ret ? ~0ull : gpa;
	tr->writeable = 1;
	tr->usermode = 0;
	return 0;
}

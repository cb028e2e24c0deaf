// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_ENABLE_CAP: capabilities that are switched on by hand, those of a VM as one table.
 */
#include <linux/kvm_para.h>
#include "compat/kvm_uapi.h"
#include "irqchip/irqchip.h"
#include "uapi/ioctl.h"
#include "uapi/refuse.h"
#include "vmx/halt_poll.h"

struct enabling {
	u32 cap;
	/* vm->lock held; flags are 0. Return 0 or what VTX_REFUSE() gives; nothing changed then. */
	int (*fn)(struct vtx_vm *vm, const struct kvm_enable_cap *cap);
};

/*
 * args[0]: ids that KVM_CREATE_VCPU will be given are below it. Once, and before any is given; the same value again is no error.
 */
static int max_vcpu_id(struct vtx_vm *vm, const struct kvm_enable_cap *cap)
{
	u64 limit = cap->args[0];

	if (limit > VTX_MAX_VCPU_ID)
		return VTX_REFUSE(MAX_VCPU_ID_RANGE, offsetof(struct kvm_enable_cap, args), limit, VTX_MAX_VCPU_ID);
	if (limit < vm->boot_cpu_id)
		return VTX_REFUSE(MAX_VCPU_ID_BOOT_CPU, offsetof(struct kvm_enable_cap, args), limit, vm->boot_cpu_id);
	if (vm->max_vcpu_id && vm->max_vcpu_id != limit)
		return VTX_REFUSE(MAX_VCPU_ID_SET, offsetof(struct kvm_enable_cap, args), limit, vm->max_vcpu_id);
	vm->max_vcpu_id = limit;
	return 0;
}

/* args[0]: GSIs below it are pins of the IOAPIC in user space. Before the first vCPU, and instead of KVM_CREATE_IRQCHIP. */
static int split_irqchip(struct vtx_vm *vm, const struct kvm_enable_cap *cap)
{
	return vtx_irqchip_create_split(vm, cap->args[0]);
}

/* args[0]: KVM_X2APIC_API_*; what is on stays on. */
static int x2apic_api(struct vtx_vm *vm, const struct kvm_enable_cap *cap)
{
	u64 flags = cap->args[0];

	if (flags & ~(u64)VTX_X2APIC_API)
		return VTX_REFUSE(X2APIC_API_FLAGS, offsetof(struct kvm_enable_cap, args), flags, VTX_X2APIC_API);
	WRITE_ONCE(vm->x2apic_api, vm->x2apic_api | flags);
	return 0;
}

/* args[0]: the longest time that vCPUs poll after HLT, in ns; 0: they do not. At any time, as often as wanted. */
static int halt_poll(struct vtx_vm *vm, const struct kvm_enable_cap *cap)
{
	if (cap->args[0] > U32_MAX)
		return VTX_REFUSE(HALT_POLL_RANGE, offsetof(struct kvm_enable_cap, args), cap->args[0], U32_MAX);
	vtx_halt_poll_set(vm, cap->args[0]);
	return 0;
}

/* args[0]: may the guest read MSR_PLATFORM_INFO? Otherwise it gets #GP; it may until this says so. At any time. */
static int msr_platform_info(struct vtx_vm *vm, const struct kvm_enable_cap *cap)
{
	WRITE_ONCE(vm->platform_info_hidden, !cap->args[0]);
	return 0;
}

#define MSR_EXITS (KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_FILTER)

/* args[0]: KVM_MSR_EXIT_REASON_*, which of the guest's refused RDMSR and WRMSR leave KVM_RUN in place of #GP. At any time. */
static int user_space_msr(struct vtx_vm *vm, const struct kvm_enable_cap *cap)
{
	u64 reasons = cap->args[0];

	if (reasons & ~(u64)MSR_EXITS)
		return VTX_REFUSE(USER_SPACE_MSR_REASONS, offsetof(struct kvm_enable_cap, args), reasons, MSR_EXITS);
	WRITE_ONCE(vm->msr_exits, reasons);
	return 0;
}

/* args[0]: quirks to go without. At any time, but a client does it before the first vCPU runs. */
static int disable_quirks(struct vtx_vm *vm, const struct kvm_enable_cap *cap)
{
	u64 quirks = cap->args[0];

	if (cap->cap == KVM_CAP_DISABLE_QUIRKS2 && (quirks & ~(u64)VTX_QUIRKS))
		return VTX_REFUSE(QUIRKS, offsetof(struct kvm_enable_cap, args), quirks, VTX_QUIRKS);
	WRITE_ONCE(vm->quirks_off, quirks);
	vtx_vm_request_all(vm, VTX_REQ_ENABLED);
	return 0;
}

/*
 * args[0]: KVM_X86_DISABLE_EXITS_*, what the guest's processor does by itself; it stays so. At any time. As in KVM, MWAIT on a host whose
 * processor is not made for it is no error: it goes on to exit.
 */
static int disable_exits(struct vtx_vm *vm, const struct kvm_enable_cap *cap)
{
	u64 exits = cap->args[0];

	if (exits & ~(u64)KVM_X86_DISABLE_VALID_EXITS)
		return VTX_REFUSE(DISABLE_EXITS, offsetof(struct kvm_enable_cap, args), exits, KVM_X86_DISABLE_VALID_EXITS);
	WRITE_ONCE(vm->exits_off, vm->exits_off | (exits & vtx_exits_to_disable()));
	vtx_vm_request_all(vm, VTX_REQ_ENABLED);
	vtx_vm_request_all(vm, VTX_REQ_MSR_FILTER);
	return 0;
}

/* args[0]: bits of hypercalls that are user space's to answer. At any time. */
static int exit_hypercall(struct vtx_vm *vm, const struct kvm_enable_cap *cap)
{
	if (cap->args[0] & ~(u64)VTX_EXIT_HYPERCALLS)
		return VTX_REFUSE(EXIT_HYPERCALLS, offsetof(struct kvm_enable_cap, args), cap->args[0], VTX_EXIT_HYPERCALLS);
	WRITE_ONCE(vm->hypercall_exits, cap->args[0]);
	return 0;
}

/* args[0], 0 or 1: does an instruction of the guest's user that vtx cannot emulate leave KVM_RUN as well? At any time. */
static int exit_on_emulation_failure(struct vtx_vm *vm, const struct kvm_enable_cap *cap)
{
	if (cap->args[0] > 1)
		return VTX_REFUSE(CAP_SWITCH, offsetof(struct kvm_enable_cap, args), cap->args[0], 1);
	WRITE_ONCE(vm->emulation_exits, cap->args[0]);
	return 0;
}

/* args[0], any but 0: triple_fault of struct kvm_vcpu_events is read and written. At any time. */
static int triple_fault_event(struct vtx_vm *vm, const struct kvm_enable_cap *cap)
{
	WRITE_ONCE(vm->triple_fault_event, cap->args[0]);
	return 0;
}

/* args[0], any but 0: a pending exception is told apart from an injected one, with its payload. At any time. */
static int exception_payload(struct vtx_vm *vm, const struct kvm_enable_cap *cap)
{
	WRITE_ONCE(vm->exception_payload, cap->args[0]);
	return 0;
}

static const struct enabling rows[] = {
	{ KVM_CAP_DISABLE_QUIRKS, disable_quirks },
	{ KVM_CAP_DISABLE_QUIRKS2, disable_quirks },
	{ KVM_CAP_EXCEPTION_PAYLOAD, exception_payload },
	{ KVM_CAP_EXIT_HYPERCALL, exit_hypercall },
	{ KVM_CAP_EXIT_ON_EMULATION_FAILURE, exit_on_emulation_failure },
	{ KVM_CAP_HALT_POLL, halt_poll },
	{ KVM_CAP_MAX_VCPU_ID, max_vcpu_id },
	{ KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, vtx_enable_manual_protect },
	{ KVM_CAP_DIRTY_LOG_RING, vtx_enable_dirty_ring },
	{ KVM_CAP_DIRTY_LOG_RING_ACQ_REL, vtx_enable_dirty_ring },
	{ KVM_CAP_MSR_PLATFORM_INFO, msr_platform_info },
	{ KVM_CAP_SPLIT_IRQCHIP, split_irqchip },
	{ KVM_CAP_X2APIC_API, x2apic_api },
	{ KVM_CAP_X86_DISABLE_EXITS, disable_exits },
	{ KVM_CAP_X86_TRIPLE_FAULT_EVENT, triple_fault_event },
	{ KVM_CAP_X86_USER_SPACE_MSR, user_space_msr },
};

/*
 * vtx_call_enable_cap() - KVM_ENABLE_CAP of a VM; VTX_IN, vm->lock held
 * Return: 0; -EINVAL: flags, a capability that cannot be switched on, or an argument that its row refuses.
 */
long vtx_call_enable_cap(struct vtx_call *call)
{
	const struct kvm_enable_cap *cap = call->data;

	if (cap->flags)
		return VTX_REFUSE(ENABLE_CAP_FLAGS, offsetof(struct kvm_enable_cap, flags), cap->flags, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].cap == cap->cap)
			return rows[i].fn(call->vm, cap);
	return VTX_REFUSE(ENABLE_CAP_UNKNOWN, offsetof(struct kvm_enable_cap, cap), cap->cap, 0);
}

/*
 * vtx_call_enable_vcpu_cap() - KVM_ENABLE_CAP of a vCPU; VTX_IN
 * KVM_CAP_ENFORCE_PV_FEATURE_CPUID is all there is: paravirtual MSRs and hypercalls that the vCPU's CPUID does not offer do not exist for
 * its guest. vtx never lets a guest have them, so either value of args[0] is met.
 * Return: 0; -EINVAL: flags, another capability.
 */
long vtx_call_enable_vcpu_cap(struct vtx_call *call)
{
	const struct kvm_enable_cap *cap = call->data;

	if (cap->flags)
		return VTX_REFUSE(ENABLE_CAP_FLAGS, offsetof(struct kvm_enable_cap, flags), cap->flags, 0);
	if (cap->cap != KVM_CAP_ENFORCE_PV_FEATURE_CPUID)
		return VTX_REFUSE(ENABLE_CAP_UNKNOWN, offsetof(struct kvm_enable_cap, cap), cap->cap, 0);
	return 0;
}

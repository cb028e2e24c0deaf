// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_ENABLE_CAP on a VM: capabilities that are switched on by hand, as one table.
 */
#include <linux/kvm.h>
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

static const struct enabling rows[] = {
	{ KVM_CAP_HALT_POLL, halt_poll },
	{ KVM_CAP_MAX_VCPU_ID, max_vcpu_id },
	{ KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, vtx_enable_manual_protect },
	{ KVM_CAP_DIRTY_LOG_RING, vtx_enable_dirty_ring },
	{ KVM_CAP_DIRTY_LOG_RING_ACQ_REL, vtx_enable_dirty_ring },
	{ KVM_CAP_MSR_PLATFORM_INFO, msr_platform_info },
	{ KVM_CAP_SPLIT_IRQCHIP, split_irqchip },
	{ KVM_CAP_X2APIC_API, x2apic_api },
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

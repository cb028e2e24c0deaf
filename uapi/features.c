// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a processor is made of, for user space: CPUID tables, MSR lists and values, the TSC's frequency.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "exits/cpuid.h"
#include "exits/exits.h"
#include "pv/guest_tsc.h"
#include "uapi/ioctl.h"
#include "uapi/refuse.h"
#include "vmx/cr.h"
#include "vmx/regs.h"

/* KVM_GET_MSRS and KVM_SET_MSRS take fewer than this at a time, as in KVM. */
#define MAX_MSRS 256

/* ------------------------------------------------------------------ CPUID */

/* KVM_GET_SUPPORTED_CPUID: -E2BIG with too few entries; @nent is the number there are on success. */
long vtx_call_supported_cpuid(struct vtx_call *call)
{
	struct kvm_cpuid2 __user *user = vtx_call_user(call);
	struct kvm_cpuid2 *head = call->data;
	struct kvm_cpuid_entry2 *entries;
	u32 room = min_t(u32, head->nent, VTX_MAX_CPUID_ENTRIES), n;
	long ret = 0;

	if (!room)
		return VTX_REFUSE(CPUID_TOO_FEW, offsetof(struct kvm_cpuid2, nent), 0, VTX_MAX_CPUID_ENTRIES);
	entries = kvcalloc(room, sizeof(*entries), GFP_KERNEL_ACCOUNT);
	if (!entries)
		return -ENOMEM;
	n = vtx_cpuid_supported(entries, room);
	if (n > room)
		ret = VTX_REFUSE(CPUID_TOO_FEW, offsetof(struct kvm_cpuid2, nent), head->nent, n);
	else if (copy_to_user(user->entries, entries, n * sizeof(*entries)))
		ret = -EFAULT;
	head->nent = n;
	kvfree(entries);
	return ret;
}

/* Takes @entries over, whatever comes of it. The bits of CR4 that the guest may change without an exit depend on the table. */
static long set_table(struct vtx_vcpu *vcpu, struct kvm_cpuid_entry2 *entries, u32 nent)
{
	int ret = vtx_cpuid_set(vcpu, entries, nent);
	u64 cr4;

	if (ret) {
		kvfree(entries);
		return ret;
	}
	cr4 = vtx_cr4(vcpu);
	vtx_cr_init_masks(vcpu);
	vtx_vmwritel(CR4_READ_SHADOW, cr4);
	return 0;
}

/* KVM_SET_CPUID2: -E2BIG; -EINVAL as vtx_cpuid_set(). */
long vtx_call_set_cpuid2(struct vtx_call *call)
{
	struct kvm_cpuid2 __user *user = vtx_call_user(call);
	const struct kvm_cpuid2 *head = call->data;
	struct kvm_cpuid_entry2 *entries = NULL;

	if (head->nent > VTX_MAX_CPUID_ENTRIES)
		return VTX_REFUSE(CPUID_TOO_MANY, offsetof(struct kvm_cpuid2, nent), head->nent, VTX_MAX_CPUID_ENTRIES);
	if (head->nent) {
		entries = vmemdup_user(user->entries, array_size(sizeof(*entries), head->nent));
		if (IS_ERR(entries))
			return PTR_ERR(entries);
	}
	return set_table(call->vcpu, entries, head->nent);
}

/* KVM_SET_CPUID: the older structure, which knows no sub-leaves. */
long vtx_call_set_cpuid(struct vtx_call *call)
{
	struct kvm_cpuid __user *user = vtx_call_user(call);
	const struct kvm_cpuid *head = call->data;
	struct kvm_cpuid_entry2 *entries = NULL;
	struct kvm_cpuid_entry *old = NULL;
	u32 i;

	if (head->nent > VTX_MAX_CPUID_ENTRIES)
		return VTX_REFUSE(CPUID_TOO_MANY, offsetof(struct kvm_cpuid, nent), head->nent, VTX_MAX_CPUID_ENTRIES);
	if (head->nent) {
		old = vmemdup_user(user->entries, array_size(sizeof(*old), head->nent));
		if (IS_ERR(old))
			return PTR_ERR(old);
		entries = kvcalloc(head->nent, sizeof(*entries), GFP_KERNEL_ACCOUNT);
		if (!entries) {
			kvfree(old);
			return -ENOMEM;
		}
	}
	for (i = 0; i < head->nent; i++)
		entries[i] = (struct kvm_cpuid_entry2){
			.function = old[i].function,
			.eax = old[i].eax, .ebx = old[i].ebx, .ecx = old[i].ecx, .edx = old[i].edx,
		};
	kvfree(old);
	return set_table(call->vcpu, entries, head->nent);
}

long vtx_call_get_cpuid2(struct vtx_call *call)
{
	struct kvm_cpuid2 __user *user = vtx_call_user(call);
	const struct vtx_cpuid *c = &call->vcpu->cpuid;
	struct kvm_cpuid2 *head = call->data;

	if (head->nent < c->nent)
		return VTX_REFUSE(CPUID_TOO_FEW, offsetof(struct kvm_cpuid2, nent), head->nent, c->nent);
	if (c->nent && copy_to_user(user->entries, c->entries, c->nent * sizeof(*c->entries)))
		return -EFAULT;
	head->nent = c->nent;
	return 0;
}

/* ------------------------------------------------------------------ MSR lists */

/* The number there are is always written back, also with -E2BIG. */
static long copy_list(struct vtx_call *call, u32 (*list)(u32 *out, u32 n))
{
	struct kvm_msr_list __user *user = vtx_call_user(call);
	const struct kvm_msr_list *head = call->data;
	u32 n, *all;
	long ret = 0;

	if (!vtx_cpuid_host())
		return -ENOMEM;
	n = list(NULL, 0);
	if (put_user(n, &user->nmsrs))
		return -EFAULT;
	if (head->nmsrs < n)
		return VTX_REFUSE(MSR_LIST_TOO_FEW, offsetof(struct kvm_msr_list, nmsrs), head->nmsrs, n);
	all = kcalloc(n, sizeof(*all), GFP_KERNEL_ACCOUNT);
	if (!all)
		return -ENOMEM;
	list(all, n);
	if (copy_to_user(user->indices, all, n * sizeof(*all)))
		ret = -EFAULT;
	kfree(all);
	return ret;
}

long vtx_call_msr_index_list(struct vtx_call *call)
{
	return copy_list(call, vtx_msr_index_list);
}

long vtx_call_msr_feature_list(struct vtx_call *call)
{
	return copy_list(call, vtx_msr_feature_list);
}

/* ------------------------------------------------------------------ MSR values */

static int feature_msr(struct vtx_vcpu *vcpu, struct kvm_msr_entry *entry)
{
	return vtx_msr_feature_get(entry->index, &entry->data);
}

static int get_msr(struct vtx_vcpu *vcpu, struct kvm_msr_entry *entry)
{
	return vtx_msr_get(vcpu, entry->index, &entry->data, true);
}

static int set_msr(struct vtx_vcpu *vcpu, struct kvm_msr_entry *entry)
{
	return vtx_msr_set(vcpu, entry->index, entry->data, true);
}

/* Goes through the list up to the first that fails. Return: how many were done; -E2BIG, -EFAULT, -ENOMEM. */
static long each_msr(struct vtx_call *call, int (*fn)(struct vtx_vcpu *vcpu, struct kvm_msr_entry *entry), bool write_back)
{
	struct kvm_msrs __user *user = vtx_call_user(call);
	const struct kvm_msrs *head = call->data;
	struct kvm_msr_entry *entries;
	size_t size;
	u32 n;

	if (head->nmsrs >= MAX_MSRS)
		return VTX_REFUSE(MSRS_TOO_MANY, offsetof(struct kvm_msrs, nmsrs), head->nmsrs, MAX_MSRS - 1);
	size = head->nmsrs * sizeof(*entries);
	entries = memdup_user(user->entries, size);
	if (IS_ERR(entries))
		return PTR_ERR(entries);
	for (n = 0; n < head->nmsrs; n++)
		if (fn(call->vcpu, &entries[n]))
			break;
	if (write_back && copy_to_user(user->entries, entries, size)) {
		kfree(entries);
		return -EFAULT;
	}
	kfree(entries);
	return n;
}

long vtx_call_get_feature_msrs(struct vtx_call *call)
{
	return each_msr(call, feature_msr, true);
}

long vtx_call_get_msrs(struct vtx_call *call)
{
	return each_msr(call, get_msr, true);
}

long vtx_call_set_msrs(struct vtx_call *call)
{
	return each_msr(call, set_msr, false);
}

/* ------------------------------------------------------------------ TSC frequency */

long vtx_call_get_tsc_khz(struct vtx_call *call)
{
	return call->vcpu->tsc_khz;
}

long vtx_call_set_tsc_khz(struct vtx_call *call)
{
	return vtx_tsc_set_khz(call->vcpu, call->arg);
}

/* Of vCPUs to come. */
long vtx_call_get_vm_tsc_khz(struct vtx_call *call)
{
	return call->vm->tsc_khz;
}

long vtx_call_set_vm_tsc_khz(struct vtx_call *call)
{
	return vtx_tsc_set_vm_khz(call->vm, call->arg);
}

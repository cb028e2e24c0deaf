// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_X86_SET_MSR_FILTER: takes over user space's filter and gives it to the vCPUs.
 *
 * vm->msr_filter is replaced under vm->lock and read under SRCU. A vCPU's MSR bitmap follows before its next entry
 * (VTX_REQ_MSR_FILTER): an access that begins after the ioctl has returned is judged by the new filter, on a vCPU that runs as soon as
 * the kick has arrived, as in KVM.
 */
#include <linux/compat.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include "exits/exits.h"
#include "exits/msr_filter.h"
#include "uapi/ioctl.h"
#include "uapi/refuse.h"

static_assert(VTX_MSR_FILTER_RANGES == KVM_MSR_FILTER_MAX_RANGES);
static_assert(VTX_MSR_FILTER_BYTES == KVM_MSR_FILTER_MAX_BITMAP_SIZE);

static void free_filter(struct vtx_msr_filter *filter)
{
	unsigned int i;

	if (!filter)
		return;
	for (i = 0; i < ARRAY_SIZE(filter->ranges); i++)
		kfree(filter->ranges[i].allowed);
	kfree(filter);
}

#define RANGE_FLAGS (KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE)
#define OFFSET(i, field) \
	(offsetof(struct kvm_msr_filter, ranges) + (i) * sizeof(struct kvm_msr_filter_range) + \
	 offsetof(struct kvm_msr_filter_range, field))

static int take_range(struct vtx_msr_range *range, const struct kvm_msr_filter_range *in, unsigned int i)
{
	u64 bytes = BITS_TO_LONGS((u64)in->nmsrs) * sizeof(long);
	u8 *bitmap;

	if (!in->nmsrs)
		return 0;
	if (in->flags & ~RANGE_FLAGS)
		return VTX_REFUSE(MSR_FILTER_RANGE_FLAGS, OFFSET(i, flags), in->flags, RANGE_FLAGS);
	if (bytes > VTX_MSR_FILTER_BYTES)
		return VTX_REFUSE(MSR_FILTER_RANGE_SIZE, OFFSET(i, nmsrs), in->nmsrs, VTX_MSR_FILTER_BYTES * BITS_PER_BYTE);
	bitmap = memdup_user((void __user __force *)in->bitmap, bytes);
	if (IS_ERR(bitmap))
		return PTR_ERR(bitmap);
	*range = (struct vtx_msr_range){
		.base = in->base,
		.count = in->nmsrs,
		.reads = in->flags & KVM_MSR_FILTER_READ,
		.writes = in->flags & KVM_MSR_FILTER_WRITE,
		.allowed = bitmap,
	};
	return 0;
}

/* NULL: nothing is filtered. */
static struct vtx_msr_filter *take_filter(const struct kvm_msr_filter *in)
{
	struct vtx_msr_filter *filter;
	bool empty = true;
	unsigned int i;
	int ret = 0;

	if (in->flags & ~KVM_MSR_FILTER_DEFAULT_DENY)
		return ERR_PTR(VTX_REFUSE(MSR_FILTER_FLAGS, offsetof(struct kvm_msr_filter, flags), in->flags,
					  KVM_MSR_FILTER_DEFAULT_DENY));
	for (i = 0; i < ARRAY_SIZE(in->ranges); i++)
		empty &= !in->ranges[i].nmsrs;
	if (empty && (in->flags & KVM_MSR_FILTER_DEFAULT_DENY))
		return ERR_PTR(VTX_REFUSE(MSR_FILTER_EMPTY, offsetof(struct kvm_msr_filter, ranges), 0, 0));
	if (empty)
		return NULL;
	filter = kzalloc(sizeof(*filter), GFP_KERNEL_ACCOUNT);
	if (!filter)
		return ERR_PTR(-ENOMEM);
	filter->others_allowed = !(in->flags & KVM_MSR_FILTER_DEFAULT_DENY);
	for (i = 0; i < ARRAY_SIZE(in->ranges) && !ret; i++)
		ret = take_range(&filter->ranges[i], &in->ranges[i], i);
	if (!ret)
		return filter;
	free_filter(filter);
	return ERR_PTR(ret);
}

/*
 * vtx_call_set_msr_filter() - KVM_X86_SET_MSR_FILTER; VTX_IN, vm->lock held
 * The filter in force stays when this one is refused. Return: 0; -EINVAL (flags, a range's flags or size, denying all without a range);
 * -EFAULT (a bitmap); -ENOMEM.
 */
long vtx_call_set_msr_filter(struct vtx_call *call)
{
	struct vtx_vm *vm = call->vm;
	struct vtx_msr_filter *filter = take_filter(call->data), *old;

	if (IS_ERR(filter))
		return PTR_ERR(filter);
	old = rcu_replace_pointer(vm->msr_filter, filter, lockdep_is_held(&vm->lock));
	vtx_vm_request_all(vm, VTX_REQ_MSR_FILTER);
	synchronize_srcu(&vm->srcu);
	free_filter(old);
	return 0;
}

/* At the VM's end. */
void vtx_msr_filter_free(struct vtx_vm *vm)
{
	free_filter(rcu_dereference_protected(vm->msr_filter, true));
}

/* ------------------------------------------------------------------ 32-bit callers */

struct compat_range {
	u32 flags, nmsrs, base;
	compat_uptr_t bitmap;
};

struct compat_filter {
	u32 flags;
	struct compat_range ranges[KVM_MSR_FILTER_MAX_RANGES];
};

#define COMPAT_SET_MSR_FILTER _IOW(KVMIO, _IOC_NR(KVM_X86_SET_MSR_FILTER), struct compat_filter)

static long set_msr_filter_compat(struct vtx_call *call)
{
	const struct compat_filter *in = call->data;
	struct kvm_msr_filter wide = { .flags = in->flags };
	struct vtx_call wide_call = *call;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(in->ranges); i++)
		wide.ranges[i] = (struct kvm_msr_filter_range){
			.flags = in->ranges[i].flags,
			.nmsrs = in->ranges[i].nmsrs,
			.base = in->ranges[i].base,
			.bitmap = (__u8 __force *)compat_ptr(in->ranges[i].bitmap),
		};
	wide_call.data = &wide;
	return vtx_call_set_msr_filter(&wide_call);
}

const struct vtx_ioctl vtx_set_msr_filter_compat =
	VTX_IOCTL(COMPAT_SET_MSR_FILTER, VTX_IN | VTX_VM_LOCK, set_msr_filter_compat);

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device attributes of a vCPU (KVM_CAP_VCPU_ATTRIBUTES): KVM_VCPU_TSC_CTRL has one, KVM_VCPU_TSC_OFFSET, what the processor adds to
 * the host's TSC for the guest (pv/guest_tsc.h). With it a client moves a guest to another time without a race with the clock.
 */
#include <linux/uaccess.h>
#include "pv/guest_tsc.h"
#include "uapi/ioctl.h"
#include "uapi/refuse.h"

/* KVM_HAS_DEVICE_ATTR, and the first thing that the other two do. flags is not looked at, as in KVM. -ENXIO: no such attribute. */
long vtx_call_has_vcpu_attr(struct vtx_call *call)
{
	const struct kvm_device_attr *attr = call->data;

	if (attr->group != KVM_VCPU_TSC_CTRL)
		return VTX_REFUSE(ATTR_GROUP, offsetof(struct kvm_device_attr, group), attr->group, KVM_VCPU_TSC_CTRL);
	if (attr->attr != KVM_VCPU_TSC_OFFSET)
		return VTX_REFUSE(ATTR_UNKNOWN, offsetof(struct kvm_device_attr, attr), attr->attr, KVM_VCPU_TSC_OFFSET);
	return 0;
}

/* -ENXIO; -EFAULT. */
long vtx_call_get_vcpu_attr(struct vtx_call *call)
{
	const struct kvm_device_attr *attr = call->data;
	long ret = vtx_call_has_vcpu_attr(call);

	if (ret)
		return ret;
	if (put_user(call->vcpu->tsc_offset, (u64 __user *)u64_to_user_ptr(attr->addr)))
		return VTX_REFUSE(ATTR_ADDRESS, offsetof(struct kvm_device_attr, addr), attr->addr, sizeof(u64));
	return 0;
}

/* -ENXIO; -EFAULT. */
long vtx_call_set_vcpu_attr(struct vtx_call *call)
{
	const struct kvm_device_attr *attr = call->data;
	long ret = vtx_call_has_vcpu_attr(call);
	u64 offset;

	if (ret)
		return ret;
	if (get_user(offset, (u64 __user *)u64_to_user_ptr(attr->addr)))
		return VTX_REFUSE(ATTR_ADDRESS, offsetof(struct kvm_device_attr, addr), attr->addr, sizeof(u64));
	vtx_tsc_host_offset(call->vcpu, offset);
	return 0;
}

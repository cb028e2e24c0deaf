/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What newer kernels' <linux/kvm.h> declare and older ones' lack, with KVM's numbers. For the module and for the test programs.
 */
#ifndef VTX_COMPAT_KVM_UAPI_H
#define VTX_COMPAT_KVM_UAPI_H

#include <linux/kvm.h>

#ifndef KVM_PRE_FAULT_MEMORY
struct kvm_pre_fault_memory {
	__u64 gpa, size, flags;
	__u64 padding[5];
};

#define KVM_PRE_FAULT_MEMORY _IOWR(KVMIO, 0xd5, struct kvm_pre_fault_memory)
#define KVM_CAP_PRE_FAULT_MEMORY 236
#endif

#endif /* VTX_COMPAT_KVM_UAPI_H */

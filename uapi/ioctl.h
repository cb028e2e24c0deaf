/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ioctls as tables: a row names a command, its handler, and what the handler needs.
 *
 * vtx_ioctl_call() is the one prologue and epilogue: it finds the row by the full 32-bit command, brings the argument in,
 * takes the locks the row asks for, calls the handler, and takes the result out.  A handler gets a kernel copy of the
 * argument and may assume what its row says.
 */
#ifndef VTX_UAPI_IOCTL_H
#define VTX_UAPI_IOCTL_H

#include <linux/fs.h>
#include <linux/types.h>
#include "uapi/ext_error.h"
#include "uapi/vtx_errors.h"
#include "vmx/vcpu.h"
#include "vmx/vm.h"

/* What KVM_CHECK_EXTENSION(KVM_CAP_DISABLE_QUIRKS2) and (KVM_CAP_EXIT_HYPERCALL) answer. */
#define VTX_QUIRKS                                                                                                   \
	(KVM_X86_QUIRK_LINT0_REENABLED | KVM_X86_QUIRK_CD_NW_CLEARED | KVM_X86_QUIRK_LAPIC_MMIO_HOLE |               \
	 KVM_X86_QUIRK_OUT_7E_INC_RIP | KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT | KVM_X86_QUIRK_FIX_HYPERCALL_INSN |      \
	 KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS | KVM_X86_QUIRK_SLOT_ZAP_ALL)
#define VTX_EXIT_HYPERCALLS BIT(KVM_HC_MAP_GPA_RANGE)

struct vtx_call {
	struct vtx_vm *vm;	/* NULL on the device */
	struct vtx_vcpu *vcpu;	/* vCPU ioctls only */
	struct vtx_ext_buffer __rcu **ext_error;	/* the descriptor's, uapi/ext_error.h */
	unsigned int cmd;
	unsigned long arg;	/* as passed; compat_ptr() already applied */
	void *data;		/* IN, OUT: the argument's kernel copy, _IOC_SIZE(cmd) bytes */
};

static inline void __user *vtx_call_user(const struct vtx_call *call)
{
	return (void __user *)call->arg;
}

enum {
	VTX_IN = BIT(0),		/* the argument points to _IOC_SIZE(cmd) bytes to copy in; -EFAULT */
	VTX_OUT = BIT(1),		/* ... to copy out when the handler did not fail; zeroed before unless IN */
	VTX_NO_ARG = BIT(2),		/* the argument must be 0; -EINVAL */
	VTX_VM_LOCK = BIT(3),		/* vm->lock held */
	VTX_VCPU = BIT(4),		/* vcpu->mutex held, vCPU loaded */
	VTX_SRCU = BIT(5),		/* vm->srcu held for reading: the handler reads guest memory */
	VTX_EVEN_DEAD = BIT(7),		/* the VM may be dead: not -EIO */
	VTX_LAPIC = BIT(6),		/* -EINVAL without a local APIC in the kernel */
};

struct vtx_ioctl {
	unsigned int cmd;
	u16 flags;
	const char *name;
	long (*fn)(struct vtx_call *call);
};

/* Some of KVM's commands have an argument and do not say its size: their handlers copy. */
#define VTX_SIZE_KNOWN(command, what) BUILD_BUG_ON_ZERO(((what) & (VTX_IN | VTX_OUT)) && !_IOC_SIZE(command))
#define VTX_IOCTL(command, what, handler) \
	{ .cmd = (command), .flags = (what) + VTX_SIZE_KNOWN(command, what), .name = #command, .fn = (handler) }

/*
 * Runs the row of @call->cmd. Return: the handler's answer; -EIO when the VM is another process's or dead; the errno of @unknown
 * without such a row; the errno above; -EINTR when killed while waiting for the vCPU; -ENOMEM. Tells the caller why (uapi/ext_error.h).
 */
long vtx_ioctl_call(const struct vtx_ioctl *rows, unsigned int n, struct vtx_call *call, enum vtx_error_code unknown);

/* ---- file descriptors. Each returns one, or a negative errno; the fd is the last thing that becomes visible. */
int vtx_vm_fd_create(unsigned long type);			/* uapi/vm_fd.c: KVM_CREATE_VM */
int vtx_vcpu_fd_create(struct vtx_vm *vm, u32 id);	/* uapi/vcpu_fd.c: KVM_CREATE_VCPU; vm->lock held */
long vtx_call_stats_fd(struct vtx_call *call);		/* uapi/stats_fd.c: KVM_GET_STATS_FD of a VM or a vCPU */

/* ---- handlers shared between files */
int vtx_exits_to_disable(void);	/* KVM_X86_DISABLE_EXITS_* that this host can do without */
long vtx_check_extension(const struct vtx_vm *vm, unsigned long capability);	/* uapi/caps.c */
long vtx_call_enable_cap(struct vtx_call *call);		/* uapi/enable_cap.c */
long vtx_call_enable_vcpu_cap(struct vtx_call *call);
long vtx_call_has_vcpu_attr(struct vtx_call *call);		/* uapi/vcpu_attr.c */
long vtx_call_get_vcpu_attr(struct vtx_call *call);
long vtx_call_set_vcpu_attr(struct vtx_call *call);
long vtx_call_set_ext_error(struct vtx_call *call);		/* uapi/ext_error.c */
long vtx_call_run(struct vtx_call *call);			/* uapi/run.c */
long vtx_call_set_signal_mask(struct vtx_call *call);

/*
 * KVM_CAP_SYNC_REGS (uapi/sync_regs.c). Before the run: what kvm_dirty_regs names. The bit of a set that was taken is cleared; one that is
 * refused keeps its own, and what comes behind it waits. vcpu->mutex is held and the vCPU loaded. Return: 0; -EINVAL.
 */
int vtx_sync_regs_take(struct vtx_vcpu *vcpu, u64 valid, u64 dirty);
/* After the run, a failed one included: what kvm_valid_regs names. Locks as above. */
void vtx_sync_regs_leave(struct vtx_vcpu *vcpu, u64 valid);
long vtx_call_get_regs(struct vtx_call *call);			/* uapi/state.c */
long vtx_call_set_regs(struct vtx_call *call);
long vtx_call_get_sregs(struct vtx_call *call);
long vtx_call_set_sregs(struct vtx_call *call);
long vtx_call_get_sregs2(struct vtx_call *call);
long vtx_call_set_sregs2(struct vtx_call *call);
long vtx_call_get_fpu(struct vtx_call *call);
long vtx_call_set_fpu(struct vtx_call *call);
long vtx_call_get_xsave(struct vtx_call *call);
long vtx_call_set_xsave(struct vtx_call *call);
long vtx_call_get_xcrs(struct vtx_call *call);
long vtx_call_set_xcrs(struct vtx_call *call);
long vtx_call_get_debugregs(struct vtx_call *call);
long vtx_call_set_debugregs(struct vtx_call *call);
long vtx_call_translate(struct vtx_call *call);
long vtx_call_get_events(struct vtx_call *call);		/* uapi/events.c */
long vtx_call_set_events(struct vtx_call *call);
long vtx_call_get_mp_state(struct vtx_call *call);
long vtx_call_set_mp_state(struct vtx_call *call);
long vtx_call_interrupt(struct vtx_call *call);
long vtx_call_nmi(struct vtx_call *call);
long vtx_call_get_msrs(struct vtx_call *call);			/* uapi/features.c */
long vtx_call_set_msrs(struct vtx_call *call);
long vtx_call_get_feature_msrs(struct vtx_call *call);
long vtx_call_msr_index_list(struct vtx_call *call);
long vtx_call_msr_feature_list(struct vtx_call *call);
long vtx_call_supported_cpuid(struct vtx_call *call);
long vtx_call_set_cpuid(struct vtx_call *call);
long vtx_call_set_cpuid2(struct vtx_call *call);
long vtx_call_get_cpuid2(struct vtx_call *call);
long vtx_call_get_tsc_khz(struct vtx_call *call);
long vtx_call_set_tsc_khz(struct vtx_call *call);
long vtx_call_get_vm_tsc_khz(struct vtx_call *call);
long vtx_call_set_vm_tsc_khz(struct vtx_call *call);
long vtx_call_set_msr_filter(struct vtx_call *call);		/* uapi/msr_filter.c */
extern const struct vtx_ioctl vtx_set_msr_filter_compat;
long vtx_call_pre_fault_memory(struct vtx_call *call);		/* uapi/pre_fault.c */

#endif /* VTX_UAPI_IOCTL_H */

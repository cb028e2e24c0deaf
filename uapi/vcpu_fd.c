// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPU file descriptors: creation, the ioctl table, and the mapping of struct kvm_run.
 */
#include <linux/anon_inodes.h>
#include <linux/compat.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include "compat/compat.h"
#include "compat/kvm_uapi.h"
#include "irqchip/irqchip.h"
#include "pv/clock.h"
#include "trace/recorder.h"
#include "trace/report.h"
#include "uapi/ioctl.h"
#include "uapi/refuse.h"
#include "uapi/vtx.h"
#include "vmx/controls.h"
#include "vmx/guest_debug.h"

/* ------------------------------------------------------------------ small handlers */

static long get_lapic(struct vtx_call *call)
{
	return vtx_get_lapic(call->vcpu, call->data);
}

static long set_lapic(struct vtx_call *call)
{
	return vtx_set_lapic(call->vcpu, call->data);
}

/* KVM_CAP_VAPIC is 0, as on kvm_intel with a TPR shadow. QEMU does not ask, and writes the reset value, 0, at every reset. */
static long set_vapic_addr(struct vtx_call *call)
{
	const struct kvm_vapic_addr *arg = call->data;

	return arg->vapic_addr ? VTX_REFUSE(VAPIC_ADDRESS, offsetof(struct kvm_vapic_addr, vapic_addr), arg->vapic_addr, 0) : 0;
}

static long kvmclock_ctrl(struct vtx_call *call)
{
	return vtx_pv_clock_stopped(call->vcpu);
}

static long set_fault_chain(struct vtx_call *call)
{
	if (call->arg > 1)
		return VTX_REFUSE(FAULT_CHAIN_ARGUMENT, VTX_NO_FIELD, call->arg, 1);
	vtx_controls_set_exceptions(call->vcpu, call->arg);
	return 0;
}

static long set_guest_debug(struct vtx_call *call)
{
	return vtx_debug_set(call->vcpu, call->data);
}

/* A dead VM is the last thing that happened to each of its vCPUs. */
static long get_failure(struct vtx_call *call)
{
	const struct vtx_failure *death = &call->vm->failure;
	struct vtx_failure_report *out = call->data;

	vtx_report_read(call->vcpu, out);
	/* Pairs with the release in trace/failure.c. */
	if (!smp_load_acquire(&death->complete))
		return 0;
	memset(out, 0, sizeof(*out));
	out->kind = VTX_FAILURE_VM_DEAD;
	out->vcpu_id = death->vcpu_id;
	out->rip = death->rip;
	strscpy(out->text, death->text, sizeof(out->text));
	return 0;
}

/* ------------------------------------------------------------------ the table */

static const struct vtx_ioctl vcpu_ioctls[] = {
	VTX_IOCTL(KVM_RUN, VTX_NO_ARG | VTX_VCPU, vtx_call_run),
	VTX_IOCTL(KVM_GET_REGS, VTX_OUT | VTX_VCPU, vtx_call_get_regs),
	VTX_IOCTL(KVM_SET_REGS, VTX_IN | VTX_VCPU, vtx_call_set_regs),
	VTX_IOCTL(KVM_GET_SREGS, VTX_OUT | VTX_VCPU, vtx_call_get_sregs),
	VTX_IOCTL(KVM_SET_SREGS, VTX_IN | VTX_VCPU | VTX_SRCU, vtx_call_set_sregs),
	VTX_IOCTL(KVM_GET_SREGS2, VTX_OUT | VTX_VCPU, vtx_call_get_sregs2),
	VTX_IOCTL(KVM_SET_SREGS2, VTX_IN | VTX_VCPU | VTX_SRCU, vtx_call_set_sregs2),
	VTX_IOCTL(KVM_INTERRUPT, VTX_IN | VTX_VCPU, vtx_call_interrupt),
	VTX_IOCTL(KVM_NMI, VTX_VCPU, vtx_call_nmi),
	VTX_IOCTL(KVM_SET_SIGNAL_MASK, VTX_VCPU, vtx_call_set_signal_mask),
	VTX_IOCTL(KVM_GET_FPU, VTX_OUT | VTX_VCPU, vtx_call_get_fpu),
	VTX_IOCTL(KVM_SET_FPU, VTX_IN | VTX_VCPU, vtx_call_set_fpu),
	VTX_IOCTL(KVM_GET_XSAVE, VTX_OUT | VTX_VCPU, vtx_call_get_xsave),
	VTX_IOCTL(KVM_GET_XSAVE2, VTX_OUT | VTX_VCPU, vtx_call_get_xsave),
	VTX_IOCTL(KVM_SET_XSAVE, VTX_IN | VTX_VCPU, vtx_call_set_xsave),
	VTX_IOCTL(KVM_GET_XCRS, VTX_OUT | VTX_VCPU, vtx_call_get_xcrs),
	VTX_IOCTL(KVM_SET_XCRS, VTX_IN | VTX_VCPU, vtx_call_set_xcrs),
	VTX_IOCTL(KVM_GET_VCPU_EVENTS, VTX_OUT | VTX_VCPU, vtx_call_get_events),
	VTX_IOCTL(KVM_SET_VCPU_EVENTS, VTX_IN | VTX_VCPU, vtx_call_set_events),
	VTX_IOCTL(KVM_GET_DEBUGREGS, VTX_OUT | VTX_VCPU, vtx_call_get_debugregs),
	VTX_IOCTL(KVM_SET_DEBUGREGS, VTX_IN | VTX_VCPU, vtx_call_set_debugregs),
	VTX_IOCTL(KVM_SET_GUEST_DEBUG, VTX_IN | VTX_VCPU, set_guest_debug),
	VTX_IOCTL(KVM_GET_MP_STATE, VTX_OUT | VTX_VCPU, vtx_call_get_mp_state),
	VTX_IOCTL(KVM_SET_MP_STATE, VTX_IN | VTX_VCPU, vtx_call_set_mp_state),
	VTX_IOCTL(KVM_GET_LAPIC, VTX_OUT | VTX_VCPU | VTX_LAPIC, get_lapic),
	VTX_IOCTL(KVM_SET_LAPIC, VTX_IN | VTX_VCPU | VTX_LAPIC, set_lapic),
	VTX_IOCTL(KVM_SET_VAPIC_ADDR, VTX_IN | VTX_VCPU | VTX_LAPIC, set_vapic_addr),
	VTX_IOCTL(KVM_GET_MSRS, VTX_IN | VTX_VCPU | VTX_SRCU, vtx_call_get_msrs),
	VTX_IOCTL(KVM_SET_MSRS, VTX_IN | VTX_VCPU | VTX_SRCU, vtx_call_set_msrs),
	VTX_IOCTL(KVM_SET_CPUID, VTX_IN | VTX_VCPU, vtx_call_set_cpuid),
	VTX_IOCTL(KVM_SET_CPUID2, VTX_IN | VTX_VCPU, vtx_call_set_cpuid2),
	VTX_IOCTL(KVM_GET_CPUID2, VTX_IN | VTX_OUT | VTX_VCPU, vtx_call_get_cpuid2),
	VTX_IOCTL(KVM_GET_TSC_KHZ, VTX_VCPU, vtx_call_get_tsc_khz),
	VTX_IOCTL(KVM_SET_TSC_KHZ, VTX_VCPU, vtx_call_set_tsc_khz),
	VTX_IOCTL(KVM_KVMCLOCK_CTRL, VTX_VCPU, kvmclock_ctrl),
	/* Without the vCPU: it can be asked while another thread runs it. The one question that a dead VM answers. */
	VTX_IOCTL(VTX_GET_FAILURE, VTX_OUT | VTX_EVEN_DEAD, get_failure),
	VTX_IOCTL(VTX_SET_FAULT_CHAIN, VTX_VCPU, set_fault_chain),
	VTX_IOCTL(KVM_ENABLE_CAP, VTX_IN | VTX_VCPU, vtx_call_enable_vcpu_cap),
	VTX_IOCTL(KVM_HAS_DEVICE_ATTR, VTX_IN | VTX_VCPU, vtx_call_has_vcpu_attr),
	VTX_IOCTL(KVM_GET_DEVICE_ATTR, VTX_IN | VTX_VCPU, vtx_call_get_vcpu_attr),
	VTX_IOCTL(KVM_SET_DEVICE_ATTR, VTX_IN | VTX_VCPU, vtx_call_set_vcpu_attr),
	VTX_IOCTL(KVM_TRANSLATE, VTX_IN | VTX_OUT | VTX_VCPU | VTX_SRCU, vtx_call_translate),
	VTX_IOCTL(KVM_PRE_FAULT_MEMORY, VTX_IN | VTX_OUT | VTX_VCPU | VTX_SRCU, vtx_call_pre_fault_memory),
	VTX_IOCTL(KVM_GET_STATS_FD, 0, vtx_call_stats_fd),
	VTX_IOCTL(VTX_SET_EXT_ERROR, VTX_IN, vtx_call_set_ext_error),
};

/* ------------------------------------------------------------------ the file */

static long vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vtx_vcpu *vcpu = file->private_data;
	struct vtx_call call = { .vm = vcpu->vm, .vcpu = vcpu, .ext_error = &vcpu->ext_error, .cmd = cmd, .arg = arg };

	return vtx_ioctl_call(vcpu_ioctls, ARRAY_SIZE(vcpu_ioctls), &call, VTX_ERROR_IOCTL_UNKNOWN_VCPU);
}

#define RING_PAGE (VTX_RING_MMAP_OFFSET >> PAGE_SHIFT)

/*
 * Page 0 is struct kvm_run, page 1 the data of port accesses, page 2 the VM's ring of coalesced writes, from page
 * KVM_DIRTY_LOG_PAGE_OFFSET on there is the dirty ring of a VM that has such, from RING_PAGE on the flight recorder; a page elsewhere
 * raises SIGBUS. So does the recorder in a mapping that could be written, which one that began below RING_PAGE can be.
 */
static vm_fault_t vcpu_fault(struct vm_fault *vmf)
{
	struct vtx_vcpu *vcpu = vmf->vma->vm_file->private_data;
	struct page *page = NULL;

	if (vmf->pgoff <= 1)
		page = virt_to_page((u8 *)vcpu->run + vmf->pgoff * PAGE_SIZE);
	else if (vmf->pgoff == KVM_COALESCED_MMIO_PAGE_OFFSET)
		page = virt_to_page(vcpu->vm->coalesced_ring);
	else if (vmf->pgoff >= RING_PAGE && !(vmf->vma->vm_flags & (VM_WRITE | VM_MAYWRITE)))
		page = vtx_recorder_page(vcpu, vmf->pgoff - RING_PAGE);
	if (!page)
		page = vtx_dirty_ring_page(vcpu, vmf->pgoff);
	if (!page)
		return VM_FAULT_SIGBUS;
	vmf->page = page;
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct vcpu_vm_ops = {
	.fault = vcpu_fault,
};

static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	int ret = vtx_dirty_ring_mappable(file->private_data, vma->vm_pgoff, vma_pages(vma), vma->vm_flags);

	if (ret)
		return ret;
	if (vma->vm_pgoff >= RING_PAGE) {
		if (vma->vm_flags & VM_WRITE)
			return -EPERM;
		vtx_vm_flags_clear(vma, VM_MAYWRITE);
	}
	vma->vm_ops = &vcpu_vm_ops;
	return 0;
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct vtx_vcpu *vcpu = file->private_data;

	vtx_ext_error_release(&vcpu->ext_error);
	vtx_vm_put(vcpu->vm);
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner = THIS_MODULE,
	.release = vcpu_release,
	.unlocked_ioctl = vcpu_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = vcpu_mmap,
	.llseek = noop_llseek,
};

static struct file *make_file(struct vtx_vcpu *vcpu)
{
	char name[24];

	snprintf(name, sizeof(name), "vtx-vcpu:%u", vcpu->id);
	return anon_inode_getfile(name, &vcpu_fops, vcpu, O_RDWR);
}

/*
 * vtx_vcpu_fd_create() - KVM_CREATE_VCPU, vm->lock held
 * Return: the fd; -EINVAL (id out of range), -EEXIST (id taken), -EMFILE, -ENFILE, -ENOMEM.
 */
int vtx_vcpu_fd_create(struct vtx_vm *vm, u32 id)
{
	struct vtx_vcpu *vcpu;
	struct file *file;
	u32 ids = vtx_vm_ids(vm);
	int fd;

	if (id >= ids)
		return VTX_REFUSE(VCPU_ID_RANGE, VTX_NO_FIELD, id, ids - 1);
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	vcpu = vtx_vcpu_create(vm, id);
	if (IS_ERR(vcpu)) {
		put_unused_fd(fd);
		return PTR_ERR(vcpu);
	}
	file = make_file(vcpu);
	if (IS_ERR(file)) {
		vtx_vcpu_destroy(vcpu);
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	vtx_vm_get(vm);		/* the file's */
	vtx_vcpu_publish(vcpu);
	fd_install(fd, file);
	return fd;
}

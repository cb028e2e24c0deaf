// SPDX-License-Identifier: GPL-2.0-only
/*
 * VM file descriptors and their ioctls.
 */
#include <linux/anon_inodes.h>
#include <linux/compat.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "compat/kvm_uapi.h"
#include "ept/ept.h"
#include "irqchip/irqchip.h"
#include "pv/clock.h"
#include "trace/stats.h"
#include "uapi/ioctl.h"
#include "uapi/refuse.h"
#include "uapi/vtx.h"

/* ------------------------------------------------------------------ VM-wide settings */

static long create_vcpu(struct vtx_call *call)
{
	return vtx_vcpu_fd_create(call->vm, call->arg);
}

static long check_extension(struct vtx_call *call)
{
	return vtx_check_extension(call->vm, call->arg);
}

static long set_user_memory_region(struct vtx_call *call)
{
	return vtx_set_memory_region(call->vm, call->data);
}

/* What it adds is about guest_memfd, which is not there: KVM_MEM_GUEST_MEMFD is refused as a flag, and without it nobody reads the rest. */
static long set_user_memory_region2(struct vtx_call *call)
{
	const struct kvm_userspace_memory_region2 *arg = call->data;
	struct kvm_userspace_memory_region region;

	/* Offsets in refusals are those of both. */
	static_assert(offsetof(struct kvm_userspace_memory_region2, guest_memfd_offset) == sizeof(region));
	memcpy(&region, arg, sizeof(region));
	return vtx_set_memory_region(call->vm, &region);
}

static long get_dirty_log(struct vtx_call *call)
{
	return vtx_get_dirty_log(call->vm, call->data);
}

static long clear_dirty_log(struct vtx_call *call)
{
	return vtx_clear_dirty_log(call->vm, call->data);
}

static long reset_dirty_rings(struct vtx_call *call)
{
	return vtx_reset_dirty_rings(call->vm);
}

/* Three pages that KVM needs without unrestricted guest. Kept, not used: vtx requires unrestricted guest. */
static long set_tss_addr(struct vtx_call *call)
{
	const unsigned int last = (unsigned int)(-3 * PAGE_SIZE);

	if (call->arg > last)
		return VTX_REFUSE(TSS_ADDRESS, VTX_NO_FIELD, call->arg, last);
	call->vm->tss_addr = call->arg;
	return 0;
}

static long set_identity_map_addr(struct vtx_call *call)
{
	if (vtx_vm_num_vcpus(call->vm))
		return VTX_REFUSE(IDENTITY_MAP_LATE, VTX_NO_FIELD, vtx_vm_num_vcpus(call->vm), 0);
	call->vm->identity_map_addr = *(u64 *)call->data;
	return 0;
}

static long set_boot_cpu_id(struct vtx_call *call)
{
	u32 last = vtx_vm_ids(call->vm);

	if (vtx_vm_num_vcpus(call->vm))
		return VTX_REFUSE(BOOT_CPU_LATE, VTX_NO_FIELD, vtx_vm_num_vcpus(call->vm), 0);
	if (call->arg > last)
		return VTX_REFUSE(BOOT_CPU_RANGE, VTX_NO_FIELD, call->arg, last);
	call->vm->boot_cpu_id = call->arg;
	return 0;
}

/* The fewest that KVM takes. */
#define MIN_MMU_PAGES 64

/*
 * A wish, as for KVM's two-dimensional paging: what is above goes now, and comes again when the guest needs it. Whom the host's memory
 * goes to, the shrinker sees to.
 */
static long set_nr_mmu_pages(struct vtx_call *call)
{
	u32 pages = call->arg;

	if (pages < MIN_MMU_PAGES)
		return VTX_REFUSE(MMU_PAGES_FEW, VTX_NO_FIELD, pages, MIN_MMU_PAGES);
	call->vm->mmu_pages = pages;
	vtx_ept_shrink_to(&call->vm->ept, pages);
	return 0;
}

static long get_nr_mmu_pages(struct vtx_call *call)
{
	return call->vm->mmu_pages;
}

static long get_clock(struct vtx_call *call)
{
	return vtx_get_clock(call->vm, call->data);
}

static long set_clock(struct vtx_call *call)
{
	return vtx_set_clock(call->vm, call->data);
}

/* ------------------------------------------------------------------ interrupt controllers */

static long create_irqchip(struct vtx_call *call)
{
	return vtx_irqchip_create(call->vm);
}

static long get_irqchip(struct vtx_call *call)
{
	return vtx_get_irqchip(call->vm, call->data);
}

static long set_irqchip(struct vtx_call *call)
{
	return vtx_set_irqchip(call->vm, call->data);
}

static long create_pit(struct vtx_call *call)
{
	const struct kvm_pit_config config = { .flags = KVM_PIT_SPEAKER_DUMMY };

	return vtx_pit_create(call->vm, &config);
}

static long create_pit2(struct vtx_call *call)
{
	return vtx_pit_create(call->vm, call->data);
}

static long get_pit2(struct vtx_call *call)
{
	return vtx_get_pit2(call->vm, call->data);
}

static long set_pit2(struct vtx_call *call)
{
	return vtx_set_pit2(call->vm, call->data);
}

/* The older pair knows the channels but no flags: those stay. */
static long get_pit(struct vtx_call *call)
{
	struct kvm_pit_state *out = call->data;
	struct kvm_pit_state2 state;
	int ret;

	memset(&state, 0, sizeof(state));
	ret = vtx_get_pit2(call->vm, &state);
	if (!ret)
		memcpy(out->channels, state.channels, sizeof(out->channels));
	return ret;
}

static long set_pit(struct vtx_call *call)
{
	const struct kvm_pit_state *in = call->data;
	struct kvm_pit_state2 state;
	int ret;

	memset(&state, 0, sizeof(state));
	ret = vtx_get_pit2(call->vm, &state);
	if (ret)
		return ret;
	memcpy(state.channels, in->channels, sizeof(state.channels));
	return vtx_set_pit2(call->vm, &state);
}

/* The command does not say how large its argument is. */
static long reinject_control(struct vtx_call *call)
{
	struct kvm_reinject_control control;

	if (copy_from_user(&control, vtx_call_user(call), sizeof(control)))
		return VTX_REFUSE(ARGUMENT_UNREADABLE, VTX_NO_FIELD, call->arg, sizeof(control));
	return vtx_reinject_control(call->vm, &control);
}

/* KVM_IRQ_LINE and KVM_IRQ_LINE_STATUS, which differ in what their rows copy out. */
static long irq_line(struct vtx_call *call)
{
	int ret = vtx_irq_line(call->vm, call->data);

	return ret < 0 ? ret : 0;
}

static long set_gsi_routing(struct vtx_call *call)
{
	const struct kvm_irq_routing *head = call->data;
	struct kvm_irq_routing __user *user = vtx_call_user(call);
	struct kvm_irq_routing_entry *entries = NULL;
	long ret;

	if (!vtx_has_lapic(call->vm))
		return VTX_REFUSE(LAPIC_MISSING, VTX_NO_FIELD, 0, 0);
	if (head->nr > VTX_MAX_IRQ_ROUTES)
		return VTX_REFUSE(ROUTING_COUNT, offsetof(struct kvm_irq_routing, nr), head->nr, VTX_MAX_IRQ_ROUTES);
	if (head->flags)
		return VTX_REFUSE(ROUTING_FLAGS, offsetof(struct kvm_irq_routing, flags), head->flags, 0);
	if (head->nr) {
		entries = vmemdup_user(user->entries, array_size(sizeof(*entries), head->nr));
		if (IS_ERR(entries))
			return PTR_ERR(entries);
	}
	ret = vtx_set_gsi_routing(call->vm, entries, head->nr);
	kvfree(entries);
	return ret;
}

static long signal_msi(struct vtx_call *call)
{
	return vtx_signal_msi(call->vm, call->data);
}

static long irqfd(struct vtx_call *call)
{
	return vtx_irqfd(call->vm, call->data);
}

static long ioeventfd(struct vtx_call *call)
{
	return vtx_ioeventfd(call->vm, call->data);
}

static long register_coalesced(struct vtx_call *call)
{
	return vtx_coalesced_register(call->vm, call->data);
}

static long unregister_coalesced(struct vtx_call *call)
{
	return vtx_coalesced_unregister(call->vm, call->data);
}

/* ------------------------------------------------------------------ the table */

static const struct vtx_ioctl vm_ioctls[] = {
	VTX_IOCTL(KVM_IRQ_LINE, VTX_IN, irq_line),
	VTX_IOCTL(KVM_IRQ_LINE_STATUS, VTX_IN | VTX_OUT, irq_line),
	VTX_IOCTL(KVM_SIGNAL_MSI, VTX_IN, signal_msi),
	VTX_IOCTL(KVM_SET_USER_MEMORY_REGION, VTX_IN, set_user_memory_region),
	VTX_IOCTL(KVM_SET_USER_MEMORY_REGION2, VTX_IN, set_user_memory_region2),
	VTX_IOCTL(KVM_GET_DIRTY_LOG, VTX_IN, get_dirty_log),
	VTX_IOCTL(KVM_CLEAR_DIRTY_LOG, VTX_IN, clear_dirty_log),
	VTX_IOCTL(KVM_RESET_DIRTY_RINGS, 0, reset_dirty_rings),
	VTX_IOCTL(KVM_CHECK_EXTENSION, 0, check_extension),
	VTX_IOCTL(KVM_CREATE_VCPU, VTX_VM_LOCK, create_vcpu),
	VTX_IOCTL(KVM_SET_TSS_ADDR, VTX_VM_LOCK, set_tss_addr),
	VTX_IOCTL(KVM_SET_IDENTITY_MAP_ADDR, VTX_IN | VTX_VM_LOCK, set_identity_map_addr),
	VTX_IOCTL(KVM_SET_BOOT_CPU_ID, VTX_VM_LOCK, set_boot_cpu_id),
	VTX_IOCTL(KVM_SET_NR_MMU_PAGES, VTX_VM_LOCK, set_nr_mmu_pages),
	VTX_IOCTL(KVM_GET_NR_MMU_PAGES, VTX_VM_LOCK, get_nr_mmu_pages),
	VTX_IOCTL(KVM_ENABLE_CAP, VTX_IN | VTX_VM_LOCK, vtx_call_enable_cap),
	VTX_IOCTL(KVM_GET_TSC_KHZ, VTX_VM_LOCK, vtx_call_get_vm_tsc_khz),
	VTX_IOCTL(KVM_SET_TSC_KHZ, VTX_VM_LOCK, vtx_call_set_vm_tsc_khz),
	VTX_IOCTL(KVM_GET_CLOCK, VTX_OUT, get_clock),
	VTX_IOCTL(KVM_SET_CLOCK, VTX_IN, set_clock),
	VTX_IOCTL(KVM_CREATE_IRQCHIP, VTX_VM_LOCK, create_irqchip),
	/* Encoded as the wrong direction in <linux/kvm.h>: SET_IRQCHIP and SET_PIT read from user space all the same. */
	VTX_IOCTL(KVM_GET_IRQCHIP, VTX_IN | VTX_OUT, get_irqchip),
	VTX_IOCTL(KVM_SET_IRQCHIP, VTX_IN, set_irqchip),
	VTX_IOCTL(KVM_CREATE_PIT, VTX_VM_LOCK, create_pit),
	VTX_IOCTL(KVM_CREATE_PIT2, VTX_IN | VTX_VM_LOCK, create_pit2),
	VTX_IOCTL(KVM_GET_PIT, VTX_IN | VTX_OUT, get_pit),
	VTX_IOCTL(KVM_SET_PIT, VTX_IN, set_pit),
	VTX_IOCTL(KVM_GET_PIT2, VTX_OUT, get_pit2),
	VTX_IOCTL(KVM_SET_PIT2, VTX_IN, set_pit2),
	VTX_IOCTL(KVM_REINJECT_CONTROL, 0, reinject_control),
	VTX_IOCTL(KVM_SET_GSI_ROUTING, VTX_IN, set_gsi_routing),
	VTX_IOCTL(KVM_IRQFD, VTX_IN, irqfd),
	VTX_IOCTL(KVM_IOEVENTFD, VTX_IN, ioeventfd),
	VTX_IOCTL(KVM_REGISTER_COALESCED_MMIO, VTX_IN, register_coalesced),
	VTX_IOCTL(KVM_UNREGISTER_COALESCED_MMIO, VTX_IN, unregister_coalesced),
	VTX_IOCTL(KVM_X86_SET_MSR_FILTER, VTX_IN | VTX_VM_LOCK, vtx_call_set_msr_filter),
	VTX_IOCTL(KVM_GET_STATS_FD, 0, vtx_call_stats_fd),
	VTX_IOCTL(VTX_SET_EXT_ERROR, VTX_IN, vtx_call_set_ext_error),
};

/* ------------------------------------------------------------------ the file */

static long serve(struct file *file, const struct vtx_ioctl *rows, unsigned int n, unsigned int cmd, unsigned long arg)
{
	struct vtx_vm *vm = file->private_data;
	struct vtx_call call = { .vm = vm, .ext_error = &vm->ext_error, .cmd = cmd, .arg = arg };

	return vtx_ioctl_call(rows, n, &call, VTX_ERROR_IOCTL_UNKNOWN_VM);
}

static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return serve(file, vm_ioctls, ARRAY_SIZE(vm_ioctls), cmd, arg);
}

/* One structure has addresses in it, and so another layout. */
static long vm_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	arg = (unsigned long)compat_ptr(arg);
	if (cmd == vtx_set_msr_filter_compat.cmd)
		return serve(file, &vtx_set_msr_filter_compat, 1, cmd, arg);
	return vm_ioctl(file, cmd, arg);
}

static int vm_release(struct inode *inode, struct file *file)
{
	struct vtx_vm *vm = file->private_data;

	vtx_ext_error_release(&vm->ext_error);
	vtx_irqchip_release_fds(vm);
	vtx_vm_put(vm);
	return 0;
}

static const struct file_operations vm_fops = {
	.owner = THIS_MODULE,
	.release = vm_release,
	.unlocked_ioctl = vm_ioctl,
	.compat_ioctl = vm_compat_ioctl,
	.llseek = noop_llseek,
};

/*
 * vtx_vm_fd_create() - KVM_CREATE_VM
 * Return: the fd; -EINVAL (a type other than 0), the errors of vtx_vm_create(), -EMFILE, -ENFILE, -ENOMEM.
 */
int vtx_vm_fd_create(unsigned long type)
{
	struct vtx_vm *vm;
	struct file *file;
	int fd;

	if (type)
		return VTX_REFUSE(VM_TYPE, VTX_NO_FIELD, type, 0);
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	vm = vtx_vm_create();
	if (IS_ERR(vm)) {
		put_unused_fd(fd);
		return PTR_ERR(vm);
	}
	file = anon_inode_getfile("vtx-vm", &vm_fops, vm, O_RDWR);
	if (IS_ERR(file)) {
		vtx_vm_put(vm);
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	vtx_trace_vm_created(vm, fd);
	/* From here on another thread may use and close it: nothing of the VM is touched after this. */
	fd_install(fd, file);
	return fd;
}

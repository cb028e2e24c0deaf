// SPDX-License-Identifier: GPL-2.0-only
/* The device and the VM. */
#define _GNU_SOURCE
#include "userspace-vmm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "userspace-vmm/layout.h"

static int vtx_open_refused(const char *path, int err, struct vtx_error *error)
{
	const char *advice;

	switch (err) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		advice = strcmp(path, "/dev/kvm") ? "load the module (insmod vtx.ko, as root; dmesg says why if it refuses)"
						  : "load KVM (modprobe kvm_intel, as root)";
		break;
	case EACCES:
	case EPERM:
		advice = "become a member of the group that owns it, usually kvm (as root: usermod -aG kvm USER; "
			 "then log in again)";
		break;
	case EBUSY:
		advice = "somebody else has it for himself alone";
		break;
	default:
		advice = "is it a KVM device? Another one can be chosen with --dev";
	}
	return vtx_error_set(error, VTX_STATUS_DEVICE, "cannot open %s: %s; %s", path, strerror(err), advice);
}

static int vtx_vm_refused(const char *path, int err, struct vtx_error *error)
{
	const char *advice;

	switch (err) {
	case EBUSY:
		advice = "VT-x is in use by another hypervisor (kvm_intel? rmmod kvm_intel, or use it with --dev /dev/kvm); "
			 "the last lines of dmesg say who holds it";
		break;
	case ENODEV:
	case EIO:
	case EOPNOTSUPP:
		advice = "VT-x cannot be switched on; the last lines of dmesg name what is missing (disabled in the firmware?)";
		break;
	case ENOMEM:
		advice = "not enough memory, or the limit of the control group is reached";
		break;
	case EMFILE:
	case ENFILE:
		advice = "too many open files (ulimit -n)";
		break;
	default:
		advice = "see the last lines of dmesg";
	}
	return vtx_error_set(error, VTX_STATUS_DEVICE, "%s refuses to create a VM: %s; %s", path, strerror(err), advice);
}

int vtx_kvm_capability(const struct vtx_kvm *kvm, int capability)
{
	int n = ioctl(kvm->device, KVM_CHECK_EXTENSION, (unsigned long)capability);

	return n < 0 ? 0 : n;
}

int vtx_kvm_open(struct vtx_kvm *kvm, const char *path, struct vtx_error *error)
{
	int version, size;

	kvm->path = path;
	kvm->vm = -1;
	kvm->device = open(path, O_RDWR | O_CLOEXEC);
	if (kvm->device < 0)
		return vtx_open_refused(path, errno, error);
	version = ioctl(kvm->device, KVM_GET_API_VERSION, 0UL);
	if (version < 0)
		return vtx_error_set(error, VTX_STATUS_DEVICE, "%s is not a KVM device (KVM_GET_API_VERSION: %s); "
				     "choose another with --dev", path, strerror(errno));
	if (version != KVM_API_VERSION)
		return vtx_error_set(error, VTX_STATUS_DEVICE, "%s speaks version %d of the KVM interface, this program %d",
				     path, version, KVM_API_VERSION);
	size = ioctl(kvm->device, KVM_GET_VCPU_MMAP_SIZE, 0UL);
	if (size < (int)sizeof(struct kvm_run))
		return vtx_error_set(error, VTX_STATUS_DEVICE, "%s: a vCPU's mapping of %d bytes is too small", path, size);
	kvm->run_size = (size_t)size;
	return 0;
}

static int vtx_kvm_require(struct vtx_kvm *kvm, unsigned int cpus, bool no_irqchip, struct vtx_error *error)
{
	static const struct {
		int number;
		bool irqchip; /* needed with interrupt controllers only */
		const char *name;
	} needed[] = {
		{ KVM_CAP_USER_MEMORY, false, "KVM_CAP_USER_MEMORY" },
		{ KVM_CAP_EXT_CPUID, false, "KVM_CAP_EXT_CPUID" },
		{ KVM_CAP_IMMEDIATE_EXIT, false, "KVM_CAP_IMMEDIATE_EXIT" },
		{ KVM_CAP_IRQCHIP, true, "KVM_CAP_IRQCHIP" },
		{ KVM_CAP_PIT2, true, "KVM_CAP_PIT2" },
	};
	int most;

	for (unsigned int i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!(needed[i].irqchip && no_irqchip) && !vtx_kvm_capability(kvm, needed[i].number))
			return vtx_error_set(error, VTX_STATUS_DEVICE, "%s lacks %s, which this program cannot do without",
					     kvm->path, needed[i].name);
	most = vtx_kvm_capability(kvm, KVM_CAP_MAX_VCPUS);
	if (!most)
		most = vtx_kvm_capability(kvm, KVM_CAP_NR_VCPUS);
	if (most && cpus > (unsigned int)most)
		return vtx_error_set(error, VTX_STATUS_USAGE, "-c %u: %s allows %d CPUs in a VM", cpus, kvm->path, most);
	kvm->tsc_deadline = vtx_kvm_capability(kvm, KVM_CAP_TSC_DEADLINE_TIMER);
	return 0;
}

static int vtx_vm_call(struct vtx_kvm *kvm, unsigned long request, void *argument, const char *name,
		       struct vtx_error *error)
{
	if (ioctl(kvm->vm, request, argument) >= 0)
		return 0;
	return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "%s on a VM of %s: %s", name, kvm->path, strerror(errno));
}

static int vtx_kvm_irqchip(struct vtx_kvm *kvm, struct vtx_error *error)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY }; /* port 0x61 stays in the kernel */

	if (vtx_vm_call(kvm, KVM_CREATE_IRQCHIP, NULL, "KVM_CREATE_IRQCHIP", error) ||
	    vtx_vm_call(kvm, KVM_CREATE_PIT2, &pit, "KVM_CREATE_PIT2", error))
		return -1;
	kvm->has_irqchip = true;
	return 0;
}

static int vtx_kvm_memory(struct vtx_kvm *kvm, const struct vtx_ram *ram, struct vtx_error *error)
{
	for (unsigned int i = 0; i < ram->count; i++) {
		struct kvm_userspace_memory_region slot = {
			.slot = i,
			.guest_phys_addr = ram->regions[i].gpa,
			.memory_size = ram->regions[i].size,
			.userspace_addr = (uintptr_t)ram->regions[i].hva,
		};

		if (vtx_vm_call(kvm, KVM_SET_USER_MEMORY_REGION, &slot, "KVM_SET_USER_MEMORY_REGION", error))
			return -1;
	}
	return 0;
}

int vtx_kvm_create_vm(struct vtx_kvm *kvm, const struct vtx_ram *ram, unsigned int cpus, bool no_irqchip,
		      struct vtx_error *error)
{
	__u64 identity_map = VTX_IDENTITY_MAP_ADDR;

	if (vtx_kvm_require(kvm, cpus, no_irqchip, error))
		return -1;
	do { /* a signal may arrive while the kernel starts VT-x everywhere */
		kvm->vm = ioctl(kvm->device, KVM_CREATE_VM, 0UL);
	} while (kvm->vm < 0 && errno == EINTR);
	if (kvm->vm < 0)
		return vtx_vm_refused(kvm->path, errno, error);
	if (vtx_kvm_capability(kvm, KVM_CAP_SET_IDENTITY_MAP_ADDR) &&
	    vtx_vm_call(kvm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map, "KVM_SET_IDENTITY_MAP_ADDR", error))
		return -1;
	if (vtx_kvm_capability(kvm, KVM_CAP_SET_TSS_ADDR) &&
	    vtx_vm_call(kvm, KVM_SET_TSS_ADDR, (void *)VTX_TSS_ADDR, "KVM_SET_TSS_ADDR", error))
		return -1;
	if (!no_irqchip && vtx_kvm_irqchip(kvm, error))
		return -1;
	return vtx_kvm_memory(kvm, ram, error);
}

void vtx_kvm_close(struct vtx_kvm *kvm)
{
	if (kvm->vm >= 0)
		close(kvm->vm);
	if (kvm->device >= 0)
		close(kvm->device);
	kvm->vm = -1;
	kvm->device = -1;
}

void vtx_kvm_set_irq(const struct vtx_kvm *kvm, unsigned int irq, int level)
{
	struct kvm_irq_level line = { .irq = irq, .level = (__u32)level };

	if (!kvm->has_irqchip)
		return;
	if (ioctl(kvm->vm, KVM_IRQ_LINE, &line) < 0)
		vtx_say("KVM_IRQ_LINE for IRQ %u: %s; the guest may miss an interrupt", irq, strerror(errno));
}

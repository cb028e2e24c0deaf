// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_CHECK_EXTENSION as one table. A capability is here only when all of it works; the last column says what serves it.
 * What is not here is 0.
 */
#include <linux/cpumask.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <asm/cpufeature.h>
#include "compat/kvm_uapi.h"
#include "ept/ept.h"
#include "irqchip/irqchip.h"
#include "pv/clock.h"
#include "uapi/ioctl.h"
#include "uapi/vtx.h"
#include "vmx/caps.h"
#include "vmx/fpu.h"

struct capability {
	u32 number;
	int value;
	int (*compute)(void);	/* instead of value */
};

static int nr_vcpus(void)
{
	return min_t(int, num_online_cpus(), VTX_MAX_VCPUS);
}

static int xsave_size(void)
{
	return max_t(int, vtx_fpu_size(), sizeof(struct kvm_xsave));
}

/* Both ioctls are there without TSC scaling as well, as in KVM; then they take the host's rate only. */
static int tsc_control(void)
{
	return vtx_caps.tsc_scaling;
}

/* MWAIT: by a guest only where a sleeping processor wakes for all that it must (the kernel knows where it does not), on time. */
int vtx_exits_to_disable(void)
{
	bool mwait = boot_cpu_has(X86_FEATURE_MWAIT) && !boot_cpu_has_bug(X86_BUG_MONITOR) && boot_cpu_has(X86_FEATURE_ARAT);

	return KVM_X86_DISABLE_VALID_EXITS & ~(mwait ? 0 : KVM_X86_DISABLE_EXITS_MWAIT);
}

static const struct capability capabilities[] = {
	/* memory */
	{ KVM_CAP_USER_MEMORY, 1 },			/* KVM_SET_USER_MEMORY_REGION */
	{ KVM_CAP_USER_MEMORY2, 1 },			/* KVM_SET_USER_MEMORY_REGION2; no guest_memfd */
	{ KVM_CAP_NR_MEMSLOTS, VTX_MAX_SLOTS },
	{ KVM_CAP_SYNC_MMU, 1 },			/* the EPT follows the process's page tables */
	{ KVM_CAP_DESTROY_MEMORY_REGION_WORKS, 1 },
	{ KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, 1 },
	{ KVM_CAP_READONLY_MEM, 1 },			/* KVM_MEM_READONLY */
	{ KVM_CAP_PRE_FAULT_MEMORY, 1 },		/* uapi/pre_fault.c */
	{ KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET },
	{ KVM_CAP_DIRTY_LOG_RING, VTX_DIRTY_RING_ENTRIES * sizeof(struct kvm_dirty_gfn) },	/* bytes of a ring at most */
	{ KVM_CAP_DIRTY_LOG_RING_ACQ_REL, VTX_DIRTY_RING_ENTRIES * sizeof(struct kvm_dirty_gfn) },
	{ KVM_CAP_MMU_SHADOW_CACHE_CONTROL, 1 },		/* KVM_SET/GET_NR_MMU_PAGES */
	{ KVM_CAP_SET_TSS_ADDR, 1 },
	{ KVM_CAP_SET_IDENTITY_MAP_ADDR, 1 },

	/* vCPUs */
	{ KVM_CAP_NR_VCPUS, .compute = nr_vcpus },
	{ KVM_CAP_MAX_VCPUS, VTX_MAX_VCPUS },
	{ KVM_CAP_MAX_VCPU_ID, VTX_MAX_VCPU_ID },
	{ KVM_CAP_SET_BOOT_CPU_ID, 1 },
	{ KVM_CAP_HLT, 1 },
	{ KVM_CAP_MP_STATE, 1 },
	{ KVM_CAP_IMMEDIATE_EXIT, 1 },			/* kvm_run->immediate_exit */
	{ KVM_CAP_INTERNAL_ERROR_DATA, 1 },		/* kvm_run->internal */
	{ KVM_CAP_CHECK_EXTENSION_VM, 1 },
	{ KVM_CAP_DISABLE_QUIRKS, 1 },
	{ KVM_CAP_DISABLE_QUIRKS2, VTX_QUIRKS },
	{ KVM_CAP_X86_DISABLE_EXITS, .compute = vtx_exits_to_disable },
	{ KVM_CAP_EXIT_HYPERCALL, VTX_EXIT_HYPERCALLS },
	{ KVM_CAP_EXIT_ON_EMULATION_FAILURE, 1 },
	{ KVM_CAP_ENABLE_CAP, 1 },			/* KVM_ENABLE_CAP on a vCPU */
	{ KVM_CAP_ENABLE_CAP_VM, 1 },			/* KVM_ENABLE_CAP on a VM: uapi/enable_cap.c */

	/* state */
	{ KVM_CAP_EXT_CPUID, 1 },			/* KVM_GET_SUPPORTED_CPUID, KVM_SET_CPUID2 */
	{ KVM_CAP_GET_MSR_FEATURES, 1 },		/* KVM_GET_MSR_FEATURE_INDEX_LIST, KVM_GET_MSRS on the device */
	{ KVM_CAP_MSR_PLATFORM_INFO, 1 },		/* KVM_ENABLE_CAP hides it from the guest */
	{ KVM_CAP_X86_USER_SPACE_MSR, 1 },		/* KVM_ENABLE_CAP: refused accesses go to user space */
	{ KVM_CAP_X86_MSR_FILTER, 1 },			/* uapi/msr_filter.c */
	{ KVM_CAP_VCPU_EVENTS, 1 },
	{ KVM_CAP_SYNC_REGS, KVM_SYNC_X86_VALID_FIELDS },	/* uapi/sync_regs.c */
	{ KVM_CAP_EXCEPTION_PAYLOAD, 1 },		/* KVM_ENABLE_CAP: pending exceptions of struct kvm_vcpu_events */
	{ KVM_CAP_X86_TRIPLE_FAULT_EVENT, 1 },		/* KVM_ENABLE_CAP: triple_fault in struct kvm_vcpu_events */
	{ KVM_CAP_VCPU_ATTRIBUTES, 1 },			/* uapi/vcpu_attr.c */
	{ KVM_CAP_ENFORCE_PV_FEATURE_CPUID, 1 },
	{ KVM_CAP_SREGS2, 1 },
	{ KVM_CAP_DEBUGREGS, 1 },
	{ KVM_CAP_XSAVE, 1 },
	{ KVM_CAP_XSAVE2, .compute = xsave_size },
	{ KVM_CAP_XCRS, 1 },
	{ KVM_CAP_USER_NMI, 1 },			/* KVM_NMI */
	{ KVM_CAP_GET_TSC_KHZ, 1 },

	{ KVM_CAP_SET_GUEST_DEBUG, 1 },			/* vmx/guest_debug.c */
	{ KVM_CAP_SET_GUEST_DEBUG2, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_SW_BP | KVM_GUESTDBG_USE_HW_BP |
				    KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP | KVM_GUESTDBG_BLOCKIRQ },
	{ KVM_CAP_X86_ROBUST_SINGLESTEP, 1 },		/* GET_REGS without the debugger's TF */

	/* time */
	{ KVM_CAP_CLOCKSOURCE, 1 },			/* pv/clock.c */
	{ KVM_CAP_ADJUST_CLOCK, VTX_CLOCK_FLAGS },	/* KVM_GET_CLOCK, KVM_SET_CLOCK and their flags */
	{ KVM_CAP_KVMCLOCK_CTRL, 1 },
	{ KVM_CAP_TSC_CONTROL, .compute = tsc_control },	/* KVM_SET_TSC_KHZ of other rates than the host's */
	{ KVM_CAP_VM_TSC_CONTROL, .compute = tsc_control },
	{ KVM_CAP_TSC_DEADLINE_TIMER, 1 },		/* irqchip/lapic_timer.c */
	{ KVM_CAP_HALT_POLL, 1 },			/* vmx/halt_poll.c */
	{ KVM_CAP_NOP_IO_DELAY, 1 },			/* no port is a real one */

	/* interrupt controllers */
	{ KVM_CAP_IRQCHIP, 1 },				/* KVM_CREATE_IRQCHIP, KVM_IRQ_LINE, KVM_GET/SET_IRQCHIP, KVM_GET/SET_LAPIC */
	{ KVM_CAP_SPLIT_IRQCHIP, 1 },			/* KVM_ENABLE_CAP, KVM_EXIT_IOAPIC_EOI, KVM_INTERRUPT as ExtINT */
	{ KVM_CAP_X2APIC_API, VTX_X2APIC_API },		/* KVM_ENABLE_CAP: its flags */
	{ KVM_CAP_IRQ_INJECT_STATUS, 1 },		/* KVM_IRQ_LINE_STATUS */
	{ KVM_CAP_IRQ_ROUTING, VTX_MAX_IRQ_ROUTES },	/* KVM_SET_GSI_ROUTING: number of routes */
	{ KVM_CAP_SIGNAL_MSI, 1 },
	{ KVM_CAP_IRQFD, 1 },
	{ KVM_CAP_IRQFD_RESAMPLE, 1 },
	{ KVM_CAP_PIT, 1 },				/* KVM_CREATE_PIT, KVM_GET/SET_PIT */
	{ KVM_CAP_PIT2, 1 },				/* KVM_CREATE_PIT2 */
	{ KVM_CAP_PIT_STATE2, 1 },			/* KVM_GET/SET_PIT2 */
	{ KVM_CAP_REINJECT_CONTROL, 1 },

	/* I/O */
	{ KVM_CAP_IOEVENTFD, 1 },
	{ KVM_CAP_COALESCED_MMIO, KVM_COALESCED_MMIO_PAGE_OFFSET },
	{ KVM_CAP_COALESCED_PIO, 1 },
	{ KVM_CAP_IOEVENTFD_NO_LENGTH, 1 },
	{ KVM_CAP_IOEVENTFD_ANY_LENGTH, 1 },

	/* counters */
	{ KVM_CAP_BINARY_STATS_FD, 1 },			/* KVM_GET_STATS_FD */

	/* vtx's own */
	{ VTX_CAP_VTX, VTX_INTERFACE_VERSION },
#ifndef VTX_NO_RECORDER
	{ VTX_CAP_RECORDER, VTX_RING_RECORDS },		/* VTX_RING_MMAP_OFFSET */
#endif
	{ VTX_CAP_FAILURE, 1 },				/* VTX_GET_FAILURE */
	{ VTX_CAP_FAULT_CHAIN, 1 },			/* VTX_SET_FAULT_CHAIN */
	{ VTX_CAP_EXT_ERROR, 1 },			/* VTX_SET_EXT_ERROR */
};

/* KVM_CHECK_EXTENSION on the device (@vm NULL) and on a VM, which answer the same. 0 for what is not there. */
long vtx_check_extension(const struct vtx_vm *vm, unsigned long capability)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(capabilities); i++)
		if (capabilities[i].number == capability)
			return capabilities[i].compute ? capabilities[i].compute() : capabilities[i].value;
	return 0;
}

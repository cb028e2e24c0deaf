/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * struct vtx_vm: one virtual machine, and how long it lives.
 *
 * A VM is referenced by its file descriptor, by each vCPU's, and by whatever must outlive them (vtx_vm_get()).
 * The last vtx_vm_put() frees it.  Lock order, outermost first (docs/locking.md):
 *
 *   vm->lock  >  vcpu->mutex  >  vm->slots_lock  >  vm->irq_lock  >  srcu(vm->srcu)  >  mmap_lock of the process
 *                             >  vm->ept.lock  >  irqchip raw spinlocks
 *
 * The letter at each field says who may change it:  c = set at creation, then constant;  l = vm->lock;
 * s = vm->slots_lock, read under SRCU;  i = vm->irq_lock, read under SRCU;  a = atomic.
 */
#ifndef VTX_VMX_VM_H
#define VTX_VMX_VM_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/sched/mm.h>
#include <linux/srcu.h>
#include <linux/types.h>
#include <linux/kvm.h>
#include "ept/dirty.h"
#include "ept/ept.h"
#include "pv/clock.h"
#include "trace/failure.h"
#include "trace/livelock.h"

#define VTX_MAX_VCPUS 1024	/* ids above 254 can be addressed in x2APIC mode only: docs/decisions.md */
#define VTX_MAX_VCPU_ID 1024
#define VTX_X2APIC_API (KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK)

struct dentry;
struct vtx_ext_buffer;
struct vtx_vcpu;
struct vtx_irqchip;
struct vtx_msr_filter;
struct vtx_stream;
struct vtx_bus;
struct vtx_routing;

enum vtx_irqchip_mode {
	VTX_IRQCHIP_NONE,	/* everything in user space */
	VTX_IRQCHIP_KERNEL,	/* KVM_CREATE_IRQCHIP */
	VTX_IRQCHIP_SPLIT,	/* KVM_CAP_SPLIT_IRQCHIP: local APICs here, the rest in user space */
};

enum vtx_bus_id { VTX_BUS_PIO, VTX_BUS_MMIO, VTX_NR_BUSES };

struct vtx_vm {
	refcount_t users;			/* a */
	struct mm_struct *mm;			/* c: the process that created it; ioctls from others get EIO */
	struct mutex lock;			/* vCPU creation, irqchip creation, VM-wide settings */
	struct mutex slots_lock;		/* memslots and buses are replaced under it */
	struct mutex irq_lock;			/* routing, irqfds */
	struct srcu_struct srcu;		/* readers of slots, buses and routing */

	struct vtx_vcpu *vcpus[VTX_MAX_VCPUS];	/* l: by creation order; valid below num_vcpus */
	int num_vcpus;				/* l: smp_store_release; readers smp_load_acquire */

	struct vtx_slots __rcu *slots;		/* s */
	struct vtx_ept ept;
	struct vtx_vm_dirty dirty_log;

	enum vtx_irqchip_mode irqchip_mode;	/* l: smp_store_release once irqchip is complete */
	struct vtx_irqchip *irqchip;		/* l */
	struct vtx_bus __rcu *buses[VTX_NR_BUSES];	/* s */
	struct vtx_zones __rcu *zones[VTX_NR_BUSES];	/* s: of coalesced writes (irqchip/coalesced.c); NULL: none */
	struct kvm_coalesced_mmio_ring *coalesced_ring;	/* c */
	raw_spinlock_t coalesced_lock;		/* writing to the ring */
	struct vtx_routing __rcu *routing;	/* i */
	struct list_head irqfds;		/* i */
	struct list_head ioeventfds;		/* s */

	struct vtx_vm_clock clock;
	u64 tsc_offset;				/* clock.lock: with clock.ratio, the TSC that the vCPUs share (pv/guest_tsc.c) */
	u32 tsc_khz;				/* l: rate of vCPUs that are created from now on */
	u64 tsc_lost;				/* clock.lock: vtx_tsc_lost when tsc_offset was right */
	u64 tss_addr;				/* l: KVM_SET_TSS_ADDR; kept, not needed with unrestricted guest */
	u64 identity_map_addr;			/* l */
	u64 halt_poll;				/* l: longest halt polling + 1, in ns (KVM_CAP_HALT_POLL); 0: as the module says */
	u32 max_vcpu_id;			/* l: KVM_CAP_MAX_VCPU_ID switched on: ids are below it; 0 not (vtx_vm_ids()) */
	u32 boot_cpu_id;			/* l: vCPU id of the bootstrap processor */
	u32 mmu_pages;				/* l: KVM_SET_NR_MMU_PAGES; 0: not said */
	u32 x2apic_api;				/* l: KVM_X2APIC_API_*; bits are only ever set */
	bool platform_info_hidden;		/* l: KVM_CAP_MSR_PLATFORM_INFO: guests may not read the MSR; vCPUs look without lock */

	u64 quirks_off;				/* l: KVM_CAP_DISABLE_QUIRKS2 (vtx_quirk()) */
	u64 exits_off;				/* l: KVM_CAP_X86_DISABLE_EXITS (vtx_exit_off()) */
	u64 hypercall_exits;			/* l: KVM_CAP_EXIT_HYPERCALL, by number; vCPUs look without lock */
	bool emulation_exits;			/* l: KVM_CAP_EXIT_ON_EMULATION_FAILURE, the same */
	bool triple_fault_event;		/* l: KVM_CAP_X86_TRIPLE_FAULT_EVENT, the same */
	bool exception_payload;			/* l: KVM_CAP_EXCEPTION_PAYLOAD, the same */
	u32 msr_exits;				/* l: KVM_CAP_X86_USER_SPACE_MSR; vCPUs look without lock */
	struct vtx_msr_filter __rcu *msr_filter;	/* l: KVM_X86_SET_MSR_FILTER, read under SRCU; NULL: none */

	int spin_last;				/* any: the vCPU (index) that last got a spinner's turn (exits/pause.c) */
	atomic64_t remote_tlb_flush;		/* a: trace/stat_defs.c */
	atomic64_t remote_tlb_flush_requests;	/* a */
	struct vtx_ext_buffer __rcu *ext_error;	/* VTX_SET_EXT_ERROR (uapi/ext_error.h) */
	struct dentry *debugfs;			/* l */
	char debugfs_name[32];
	struct vtx_stream *stream;		/* c: of its exits (trace/stream.h); NULL: none */

	bool dead;				/* set once by vtx_vm_fail(), never cleared: KVM_RUN gives EIO */
	struct vtx_failure failure;		/* written by the one that set dead */
	struct vtx_diagnosis diagnosis;
	struct vtx_vcpu *last_failed;		/* whose report (trace/report.h) is the youngest */
};

/**
 * vtx_vm_create() - a new VM owned by the current process
 * Turns on VT-x on all CPUs when this is the first VM.
 * Return: the VM with one reference, or ERR_PTR: -EBUSY (VT-x is held by somebody else, said in dmesg), -ENOMEM,
 * -EIO (VMXON failed on some CPU).
 */
struct vtx_vm *vtx_vm_create(void);
void vtx_vm_get(struct vtx_vm *vm);
void vtx_vm_put(struct vtx_vm *vm);

static inline int vtx_vm_num_vcpus(struct vtx_vm *vm)
{
	return smp_load_acquire(&vm->num_vcpus); /* pairs with vtx_vcpu_publish() */
}

/* The vCPUs that exist, in creation order. They live as long as the VM, so no lock is needed. */
#define vtx_for_each_vcpu(i, vcpu, vm)                                       \
	for ((i) = 0; (i) < vtx_vm_num_vcpus(vm) && ((vcpu) = (vm)->vcpus[i]); (i)++)

/* vCPU ids are below this. */
static inline u32 vtx_vm_ids(const struct vtx_vm *vm)
{
	return vm->max_vcpu_id ?: VTX_MAX_VCPU_ID;
}

void vtx_msr_filter_free(struct vtx_vm *vm);	/* uapi/msr_filter.c */
struct vtx_vcpu *vtx_vcpu_by_id(struct vtx_vm *vm, u32 id);

static inline bool vtx_has_lapic(struct vtx_vm *vm)
{
	return smp_load_acquire(&vm->irqchip_mode) != VTX_IRQCHIP_NONE; /* pairs with create() in irqchip/kernel.c */
}

static inline bool vtx_has_full_irqchip(struct vtx_vm *vm)
{
	return smp_load_acquire(&vm->irqchip_mode) == VTX_IRQCHIP_KERNEL; /* pairs with create() in irqchip/kernel.c */
}

/* KVM_X86_QUIRK_*: behaviour that KVM has kept for old clients, until a client does not want it. */
static inline bool vtx_quirk(struct vtx_vm *vm, u64 quirk)
{
	return !(READ_ONCE(vm->quirks_off) & quirk);
}

/* Does the VM do without the exits of these, KVM_X86_DISABLE_EXITS_*? */
static inline bool vtx_exit_off(struct vtx_vm *vm, u64 exits)
{
	return READ_ONCE(vm->exits_off) & exits;
}

/* MSIs and KVM_GET/SET_LAPIC carry 32-bit APIC ids. */
static inline bool vtx_wide_ids(struct vtx_vm *vm)
{
	return READ_ONCE(vm->x2apic_api) & KVM_X2APIC_API_USE_32BIT_IDS;
}

/* Destination 0xff of a device's interrupt addresses APICs in x2APIC mode as well, in which it is an ordinary id. */
static inline bool vtx_broadcast_ff(struct vtx_vm *vm)
{
	return !(READ_ONCE(vm->x2apic_api) & KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK);
}

/* Asks every vCPU: @request as in vmx/vcpu.h. Does not wait. Any context. */
void vtx_vm_request_all(struct vtx_vm *vm, unsigned int request);

#endif /* VTX_VMX_VM_H */

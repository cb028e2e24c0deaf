/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest memory: memslots, the EPT that maps them, and access to guest-physical memory from the kernel.
 *
 * The EPT is built on fault through the process's page tables and follows them by MMU notifiers: pages are never
 * pinned.  See ept/fault.c for the race between a fault and a notifier, ept/tlb.c for invalidation.
 */
#ifndef VTX_EPT_EPT_H
#define VTX_EPT_EPT_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/rwlock.h>
#include <linux/types.h>
#include "ept/slot_array.h"

struct vtx_vm;
struct vtx_vcpu;

#define VTX_EPT_SPARES 8

struct vtx_ept {
	u64 *root;			/* c: the level-4 table */
	u64 eptp;			/* c: value for the VMCS */
	rwlock_t lock;			/* entries; write for every change (see ept/table.c) */
	struct mmu_notifier notifier;
	unsigned long invalidate_seq;	/* lock: bumped at the end of every invalidation */
	int invalidate_running;		/* lock: invalidations between start and end */
	unsigned long invalidate_start;	/* lock: user addresses that the running ones cover, as one range */
	unsigned long invalidate_end;
	unsigned int unflushed;		/* lock: zaps that have not flushed yet (ept/table.h) */
	struct vtx_slot retiring;	/* lock: left vm->slots, but may still be mapped; npages 0: none */
	u64 *spare[VTX_EPT_SPARES];	/* lock: zeroed pages, for tables that are needed under the lock */
	unsigned int nspare;		/* lock */
	atomic64_t gen;			/* never 0; bumped after entries were taken away: vCPUs then INVEPT */
	atomic_long_t pages[3];		/* mapped entries of 4K, 2M, 1G */
	atomic_long_t tables;		/* page-table pages */
	atomic_long_t reclaimed;	/* those that the shrinker gave back */
	struct list_head shrink_list;	/* ept/shrink.c */
	u64 shrink_gfn;			/* lock: where it goes on */
	void *apic_page;		/* vm->lock: the APIC-access page, from the first local APIC on; or NULL */
	u64 *flushed;			/* tlb_check=1: by CPU, the generation it last executed INVEPT for; else NULL */
};

/* tlb_check=1: what the ledger (ept/tlb_check.c) knows of a vCPU. */
struct vtx_tlb_ledger {
	u64 due;	/* generation that was current at the last entry: the next one needs it */
	u64 entered;	/* any reads: generation of the last entry, 0 none yet */
	u64 since;	/* any reads: exit_tsc before that entry */
};

/* ---- life: called by vtx_vm_create()/vtx_vm_put() */

/**
 * vtx_ept_create() - an empty EPT and an empty set of slots
 * vm->mm, vm->srcu, vm->slots_lock are set up before; may sleep; takes mmap_lock of vm->mm for writing.
 * Return: 0, -ENOMEM, -EINTR (killed while waiting). On error nothing is left; vtx_ept_destroy() may be called, too.
 */
int vtx_ept_create(struct vtx_vm *vm);
/* No vCPU runs any more, nobody else has the VM. vm->srcu and vm->mm still exist. */
void vtx_ept_destroy(struct vtx_vm *vm);

/**
 * vtx_set_memory_region() - KVM_SET_USER_MEMORY_REGION
 * Caller holds nothing, vm->srcu least of all; takes vm->slots_lock.
 * Return: 0, or exactly as KVM: -EINVAL (reserved flags, misaligned, wrap, slot number, kernel or tagged address,
 * changing the size of an existing slot, read-only toggled, too many pages), -EEXIST (overlap), -ENOMEM. On error
 * nothing changed.
 */
int vtx_set_memory_region(struct vtx_vm *vm, const struct kvm_userspace_memory_region *region);

/* The slot that holds @gfn or NULL. Caller holds vm->srcu for reading as long as it uses the slot. */
const struct vtx_slot *vtx_slot_find(struct vtx_vm *vm, u64 gfn);

enum vtx_fault_result {
	VTX_FAULT_RETRY,	/* mapped (or a race was lost): let the guest try again */
	VTX_FAULT_MMIO,		/* no slot: emulate as MMIO */
	VTX_FAULT_READONLY,	/* write to a read-only slot: emulate as MMIO */
};

/**
 * vtx_ept_fault() - maps the page of @gpa for the access the guest wanted
 * @write, @exec: the access. May sleep; caller holds vm->srcu for reading and is in the owner's context.
 * Return: enum vtx_fault_result (>= 0), or -EFAULT (the process has nothing there), -ENOMEM, -EINTR.
 */
int vtx_ept_fault(struct vtx_vcpu *vcpu, u64 gpa, bool write, bool exec);

/*
 * vtx_ept_fault_fast() - with interrupts off: only if the host page is present and mapped and needs no sleep.
 * Takes vm->srcu itself.
 * Return: 1 mapped, 0 take the slow way.
 */
int vtx_ept_fault_fast(struct vtx_vcpu *vcpu, u64 gpa, bool write, bool exec);

/*
 * vtx_ept_prefault() - maps the page of @gpa, and perhaps some that follow, as a read would
 * May sleep; caller holds vm->srcu for reading and is in the owner's context.
 * Return: bytes from @gpa on that are mapped now, at most @size; or -ENOENT (no slot), -EFAULT, -ENOMEM, -EINTR.
 */
long vtx_ept_prefault(struct vtx_vcpu *vcpu, u64 gpa, u64 size);

/*
 * What the EPT says about @gpa at this moment: the lowest entry on the way, *@level the level it is at. For
 * reports only: it may be gone when this returns.
 */
u64 vtx_ept_entry(struct vtx_vm *vm, u64 gpa, int *level);

/*
 * ---- memory access by guest-physical address. May sleep, caller holds vm->srcu for reading, owner's mm.
 * Return 0 or -EFAULT (no slot, or no memory behind it). Writes mark pages dirty. May cross pages.
 */
int vtx_gpa_read(struct vtx_vm *vm, u64 gpa, void *buf, unsigned int len);
/*
 * One entry of the guest's page tables, @gpa a multiple of 8. @slot: NULL at first; a walk mostly stays in one slot, which is looked for once.
 * vm->srcu is held from the first to the last call of a walk.
 */
int vtx_gpa_read_pte(struct vtx_vm *vm, u64 gpa, u64 *pte, const struct vtx_slot **slot);
int vtx_gpa_write(struct vtx_vm *vm, u64 gpa, const void *buf, unsigned int len);
/*
 * One byte, from where neither sleeping nor taking a lock is allowed: in the owner's context, vm->srcu held. The page is not marked dirty,
 * which is the caller's to answer for. -EFAULT also when the page is not there at the moment.
 */
int vtx_gpa_poke(struct vtx_vm *vm, u64 gpa, u8 value);
/* Atomic; @len 1,2,4,8 (16 allowed), naturally aligned. Return 0 done, 1 mismatch (value now in @old), -EFAULT. */
int vtx_gpa_cmpxchg(struct vtx_vm *vm, u64 gpa, void *old, const void *new, unsigned int len);

/*
 * ---- the APIC-access page (ept/apic_page.c)
 * vtx_ept_apic_fault(): @gpa has no slot. Return: VTX_FAULT_RETRY if it is the page, and mapped now; VTX_FAULT_MMIO; -ENOMEM.
 * vtx_ept_zap_apic_page(): no vCPU reaches it any more. Interrupts on, no lock of the EPT held.
 * vtx_ept_slot_over_apic_page(): there is a new slot, and nobody uses the old set of them any more. vm->slots_lock held.
 */
int vtx_ept_alloc_apic_page(struct vtx_vm *vm);	/* vm->lock held; -ENOMEM */
int vtx_ept_apic_fault(struct vtx_vcpu *vcpu, u64 gpa);
void vtx_ept_zap_apic_page(struct vtx_vm *vm);
void vtx_ept_slot_over_apic_page(struct vtx_vm *vm, u64 gfn, u64 npages);

/* ---- TLB (ept/tlb.c). Interrupts off, right before entry, mode already VTX_IN_GUEST. */
void vtx_ept_tlb_before_entry(struct vtx_vcpu *vcpu);
/* vCPU arrives on another CPU: forget translations left there by earlier runs. Preemption off. */
void vtx_ept_tlb_new_cpu(struct vtx_vcpu *vcpu);
/* After entries were removed: no vCPU uses the old translations once this returns. Any lock but irq-off sections. */
void vtx_ept_flush(struct vtx_vm *vm);

/* ---- the ledger of translations (ept/tlb_check.c) */
bool vtx_tlb_check_wanted(void);
/*
 * Last before a VM entry, interrupts off. False: the CPU may hold translations that it must not; the VM is dead now. Always true
 * without tlb_check=1.
 */
bool vtx_tlb_check_entry(struct vtx_vcpu *vcpu);

/* ---- the shrinker (ept/shrink.c): module load and unload */
int vtx_ept_shrinker_init(void);
void vtx_ept_shrinker_exit(void);
/* KVM_SET_NR_MMU_PAGES: gives back the tables above that number; may sleep. */
void vtx_ept_shrink_to(struct vtx_ept *ept, unsigned long tables);

/* INVVPID of one vCPU's own translations (guest-visible flushes: CR0/CR4 changes, INVPCID emulation). */
void vtx_vpid_flush(struct vtx_vcpu *vcpu);
u16 vtx_vpid_alloc(void);			/* 0 when VPID is off or none is left: works without */
void vtx_vpid_free(u16 vpid);

#endif /* VTX_EPT_EPT_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The dirty log: which pages of a slot with KVM_MEM_LOG_DIRTY_PAGES were written, as a bitmap per slot or a ring per vCPU.
 *
 * Who writes guest memory says so by vtx_dirty_mark(), after the write: the fault that maps a page writable (ept/fault.c),
 * kernel accesses (ept/access.c), and the processor's own log (PML, ept/pml.c). Who hands the log out protects the pages
 * first (ept/protect.c).
 */
#ifndef VTX_EPT_DIRTY_H
#define VTX_EPT_DIRTY_H

#include <linux/kvm.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include "ept/dirty_log.h"
#include "ept/slot_array.h"

struct page;
struct task_struct;
struct vtx_vcpu;
struct vtx_vm;

/* In struct vtx_vm. */
struct vtx_vm_dirty {
	unsigned int slots;	/* slots_lock, read anywhere: slots that log */
	u32 manual;		/* vm->lock, read anywhere: KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 */
	u32 ring_bytes;		/* vm->lock, before the first vCPU: KVM_CAP_DIRTY_LOG_RING; 0: bitmaps */
};

/* In struct vtx_vcpu. */
struct vtx_vcpu_dirty {
	raw_spinlock_t pml_lock;	/* what was taken of pml, and next */
	u64 *pml;			/* the processor's log, VTX_PML_ENTRIES addresses, filled from the last down; NULL: none */
	unsigned int next;		/* where the processor's next entry is looked for; ~0: all were taken */
	raw_spinlock_t ring_lock;	/* inside pml_lock and ept->lock: the vCPU's side of the ring */
	struct vtx_dirty_ring ring;	/* gfns NULL: none; the other side of it under slots_lock */
	struct task_struct *thread;	/* any reads: the thread between vtx_vcpu_load() and vtx_vcpu_put() */
};

/* ------------------------------------------------------------------ writers */

void vtx_dirty_mark_logged(struct vtx_vm *vm, struct vtx_vcpu *vcpu, const struct vtx_slot *slot, u64 gfn);

static inline bool vtx_slot_logs(const struct vtx_slot *slot)
{
	return slot->flags & KVM_MEM_LOG_DIRTY_PAGES;
}

/*
 * vtx_dirty_mark() - frame @gfn of @slot was written
 * After the write, or with ept->lock held since before the page became
 * writable. @vcpu: whose thread this is; NULL: whichever of the VM's this thread has loaded, and where it has none, with
 * rings, the first vCPU. vm->srcu held; any context but interrupts.
 */
static inline void vtx_dirty_mark(struct vtx_vm *vm, struct vtx_vcpu *vcpu, const struct vtx_slot *slot, u64 gfn)
{
	if (unlikely(vtx_slot_logs(slot)))
		vtx_dirty_mark_logged(vm, vcpu, slot, gfn);
}

/* ------------------------------------------------------------------ slots: vm->slots_lock held, may sleep */

struct vtx_slot_plan;

/* Before the new array is published: the bitmap of plan->new, and all vCPUs log. Return: 0 or -ENOMEM, nothing changed then. */
int vtx_dirty_prepare(struct vtx_vm *vm, struct vtx_slot_plan *plan);
/* After it was published and nobody reads the old one any more. */
void vtx_dirty_commit(struct vtx_vm *vm, const struct vtx_slot_plan *plan);
/* Of a slot that goes with its VM. */
void vtx_dirty_free_slot(const struct vtx_slot *slot);

/* ------------------------------------------------------------------ ioctls (KVM's errnos; each says why) */

int vtx_get_dirty_log(struct vtx_vm *vm, const struct kvm_dirty_log *log);
int vtx_clear_dirty_log(struct vtx_vm *vm, const struct kvm_clear_dirty_log *log);
/* Return: the number of entries that were given back; -EINVAL: no rings. */
long vtx_reset_dirty_rings(struct vtx_vm *vm);
/* KVM_ENABLE_CAP, vm->lock held. */
int vtx_enable_manual_protect(struct vtx_vm *vm, const struct kvm_enable_cap *cap);
int vtx_enable_dirty_ring(struct vtx_vm *vm, const struct kvm_enable_cap *cap);

/* ------------------------------------------------------------------ vCPUs */

int vtx_dirty_vcpu_alloc(struct vtx_vcpu *vcpu);	/* -ENOMEM; vtx_dirty_vcpu_free() cleans up */
void vtx_dirty_vcpu_free(struct vtx_vcpu *vcpu);
/* Page @pgoff of a mapping of the vCPU, if it is one of its ring's; NULL otherwise. */
struct page *vtx_dirty_ring_page(struct vtx_vcpu *vcpu, unsigned long pgoff);
/* May [@pgoff, @pgoff + @pages) be mapped with @flags? Return: 0; -EINVAL: the ring private or executable. */
int vtx_dirty_ring_mappable(struct vtx_vcpu *vcpu, unsigned long pgoff, unsigned long pages, unsigned long flags);
/* VTX_REQ_RING_FULL: must KVM_RUN return with KVM_EXIT_DIRTY_RING_FULL? The vCPU's thread. */
bool vtx_dirty_ring_stops(struct vtx_vcpu *vcpu);

/* ------------------------------------------------------------------ PML (ept/pml.c) */

void vtx_pml_setup(struct vtx_vcpu *vcpu);	/* fields of a new VMCS; vCPU loaded */
void vtx_pml_update(struct vtx_vcpu *vcpu);	/* VTX_REQ_PML: on or off, as the VM's slots want it; vCPU loaded */
void vtx_pml_full(struct vtx_vcpu *vcpu);	/* exit reason 62; vCPU loaded, interrupts may be off */
/* Marks what the processor has logged until now. Any thread; no spinlock held. */
void vtx_pml_drain(struct vtx_vcpu *vcpu);
void vtx_pml_drain_all(struct vtx_vm *vm);

#endif /* VTX_EPT_DIRTY_H */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memslots: replacing the published array, and retiring the EPT entries of what vanishes or moves.
 *
 * The array is immutable.  A change builds the next one, publishes it, and waits for vm->srcu readers to leave the
 * old one.  Three parties use it:
 *
 *  - faults and accesses look a slot up under srcu and finish their mapping before they leave srcu.  So once
 *    synchronize_srcu() is through, nobody adds entries for the old array any more, and zapping its range is final;
 *  - the MMU notifier translates user addresses to frames.  A slot that has left the array may still be mapped until
 *    that zap: it stands in ept->retiring, from before the publication until after the zap, where the notifier looks
 *    as well;
 *  - the notifier reads the array under ept->lock.  A fault that mapped a page under that lock had read its array
 *    before, so the notifier sees that one or a newer one: it cannot miss the slot of an entry that exists.
 *
 * The change is atomic for the guest: at no moment is a gfn missing that both the old and the new array have.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/processor.h>
#include <asm/vmx.h>
#include "ept/dirty.h"
#include "ept/table.h"
#include "vmx/caps.h"
#include "vmx/vm.h"

/* How far guest-physical addresses reach: the processor's width (CPUID 80000008H), at most that of a 4-level EPT. */
static u64 max_gfn(void)
{
	unsigned int bits = boot_cpu_data.x86_phys_bits;

	if (boot_cpu_data.extended_cpuid_level >= 0x80000008)
		bits = cpuid_eax(0x80000008) & 0xff;
	return min_t(u64, VTX_EPT_MAX_GFN, (1ULL << (bits - PAGE_SHIFT)) - 1);
}

static struct vtx_slots *alloc_slots(u32 count)
{
	return kvzalloc(struct_size_t(struct vtx_slots, slot, count), GFP_KERNEL_ACCOUNT);
}

/* With what hangs on them: the VM is at its end. */
static void free_slots(struct vtx_slots *slots)
{
	for (u32 i = 0; i < slots->count; i++)
		vtx_dirty_free_slot(&slots->slot[i]);
	kvfree(slots);
}

const struct vtx_slot *vtx_slot_find(struct vtx_vm *vm, u64 gfn)
{
	return vtx_slots_find(srcu_dereference(vm->slots, &vm->srcu), gfn);
}

/* A log that ends with the slot goes on nowhere: what is written from now on, until the slot is zapped, is nobody's. */
static void set_retiring(struct vtx_ept *ept, const struct vtx_slot_plan *plan)
{
	write_lock(&ept->lock);
	ept->retiring = plan->old;
	if (plan->change == VTX_SLOT_DELETE || !vtx_slot_logs(&plan->new))
		ept->retiring.flags &= ~KVM_MEM_LOG_DIRTY_PAGES;
	write_unlock(&ept->lock);
}

/* The old array has no users left: what it mapped and the new one does not goes. */
static void zap_retiring(struct vtx_vm *vm)
{
	struct vtx_ept *ept = &vm->ept;
	struct vtx_ept_zapped zapped = {};

	write_lock(&ept->lock);
	vtx_ept_zap(ept, ept->retiring.gfn, ept->retiring.gfn + ept->retiring.npages, &zapped);
	write_unlock(&ept->lock);
	vtx_ept_finish_zap(vm, &zapped, true);
	/* What processors have logged of a slot that moves has its addresses of before. */
	if (vtx_slot_logs(&ept->retiring))
		vtx_pml_drain_all(vm);
	write_lock(&ept->lock);
	ept->retiring.npages = 0;
	write_unlock(&ept->lock);
}

static int set_region_locked(struct vtx_vm *vm, const struct kvm_userspace_memory_region *region)
{
	struct vtx_slots *old = rcu_dereference_protected(vm->slots, lockdep_is_held(&vm->slots_lock));
	const struct vtx_slot_limits limits = {
		.max_gfn = max_gfn(),
		.user_end = TASK_SIZE_MAX,
		.flags = KVM_MEM_READONLY | KVM_MEM_LOG_DIRTY_PAGES,
	};
	struct vtx_slot_plan plan = {};
	struct vtx_slots *new;
	bool retire;
	int r;

	r = vtx_slots_plan(old, region, &limits, &plan);
	if (r || plan.change == VTX_SLOT_NOTHING)
		return r;
	new = alloc_slots(old->count + 1);
	if (!new)
		return -ENOMEM;
	r = vtx_dirty_prepare(vm, &plan);
	if (r) {
		kvfree(new);
		return r;
	}
	vtx_slots_apply(new, old, &plan);

	retire = plan.change == VTX_SLOT_DELETE || plan.change == VTX_SLOT_MOVE;
	if (retire)
		set_retiring(&vm->ept, &plan);
	rcu_assign_pointer(vm->slots, new);
	synchronize_srcu_expedited(&vm->srcu);
	if (retire)
		zap_retiring(vm);
	vtx_dirty_commit(vm, &plan);
	if (region->memory_size)
		vtx_ept_slot_over_apic_page(vm, region->guest_phys_addr >> PAGE_SHIFT, region->memory_size >> PAGE_SHIFT);
	kvfree(old);
	return 0;
}

int vtx_set_memory_region(struct vtx_vm *vm, const struct kvm_userspace_memory_region *region)
{
	int r;

	mutex_lock(&vm->slots_lock);
	r = set_region_locked(vm, region);
	mutex_unlock(&vm->slots_lock);
	return r;
}

/* ------------------------------------------------------------------ life of the whole */

int vtx_ept_create(struct vtx_vm *vm)
{
	struct vtx_ept *ept = &vm->ept;
	struct vtx_slots *slots;
	int r = -ENOMEM;

	rwlock_init(&ept->lock);
	atomic64_set(&ept->gen, 1);

	slots = alloc_slots(0);
	if (!slots)
		return -ENOMEM;
	ept->root = vtx_ept_alloc_table();
	if (!ept->root)
		goto free_array;
	atomic_long_set(&ept->tables, 1);
	ept->eptp = __pa(ept->root) | vtx_caps.eptp_bits | (vtx_caps.ept_ad ? VMX_EPTP_AD_ENABLE_BIT : 0);
	rcu_assign_pointer(vm->slots, slots);

	r = vtx_tlb_check_alloc(ept);
	if (r)
		goto free_root;
	r = vtx_ept_notifier_register(vm);
	if (r)
		goto free_check;
	vtx_ept_shrink_add(ept);
	return 0;

free_check:
	vtx_tlb_check_free(ept);
free_root:
	vtx_ept_free_table(ept->root);
	ept->root = NULL;
	RCU_INIT_POINTER(vm->slots, NULL);
free_array:
	kvfree(slots);
	return r;
}

void vtx_ept_destroy(struct vtx_vm *vm)
{
	struct vtx_ept *ept = &vm->ept;

	if (!ept->root)
		return;
	vtx_ept_shrink_remove(ept);
	vtx_ept_notifier_unregister(vm);
	vtx_tlb_check_free(ept);
	vtx_ept_free_tree(ept, ept->root, VTX_EPT_LEVELS, true);
	ept->root = NULL;
	vtx_ept_free_spares(ept);
	free_slots(rcu_dereference_protected(vm->slots, true));
	free_page((unsigned long)ept->apic_page);
	ept->apic_page = NULL;
	RCU_INIT_POINTER(vm->slots, NULL);
}

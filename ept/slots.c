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

const struct vtx_slot *vtx_slot_find(struct vtx_vm *vm, u64 gfn)
{
	return vtx_slots_find(srcu_dereference(vm->slots, &vm->srcu), gfn);
}

static void set_retiring(struct vtx_ept *ept, const struct vtx_slot *slot)
{
	write_lock(&ept->lock);
	ept->retiring = *slot;
	write_unlock(&ept->lock);
}

/* The old array has no users left: what it mapped and the new one does not goes. */
static void zap_retiring(struct vtx_vm *vm)
{
	struct vtx_ept *ept = &vm->ept;
	struct vtx_ept_zapped zapped = {};

	write_lock(&ept->lock);
	vtx_ept_zap(ept, ept->retiring.gfn, ept->retiring.gfn + ept->retiring.npages, &zapped);
	ept->retiring.npages = 0;
	write_unlock(&ept->lock);
	vtx_ept_finish_zap(vm, &zapped, true);
}

static int set_region_locked(struct vtx_vm *vm, const struct kvm_userspace_memory_region *region)
{
	struct vtx_slots *old = rcu_dereference_protected(vm->slots, lockdep_is_held(&vm->slots_lock));
	const struct vtx_slot_limits limits = {
		.max_gfn = max_gfn(),
		.user_end = TASK_SIZE_MAX,
		.flags = KVM_MEM_READONLY,
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
	vtx_slots_apply(new, old, &plan);

	retire = plan.change == VTX_SLOT_DELETE || plan.change == VTX_SLOT_MOVE;
	if (retire)
		set_retiring(&vm->ept, &plan.old);
	rcu_assign_pointer(vm->slots, new);
	synchronize_srcu_expedited(&vm->srcu);
	if (retire)
		zap_retiring(vm);
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
	ept->root = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!ept->root)
		goto free_slots;
	atomic_long_set(&ept->tables, 1);
	ept->eptp = __pa(ept->root) | vtx_caps.eptp_bits | (vtx_caps.ept_ad ? VMX_EPTP_AD_ENABLE_BIT : 0);
	rcu_assign_pointer(vm->slots, slots);

	r = vtx_ept_notifier_register(vm);
	if (r)
		goto free_root;
	return 0;

free_root:
	free_page((unsigned long)ept->root);
	ept->root = NULL;
	RCU_INIT_POINTER(vm->slots, NULL);
free_slots:
	kvfree(slots);
	return r;
}

void vtx_ept_destroy(struct vtx_vm *vm)
{
	struct vtx_ept *ept = &vm->ept;

	if (!ept->root)
		return;
	vtx_ept_notifier_unregister(vm);
	vtx_ept_free_tree(ept, ept->root, VTX_EPT_LEVELS, true);
	ept->root = NULL;
	vtx_ept_free_spares(ept);
	free_page((unsigned long)ept->apic_page);
	ept->apic_page = NULL;
	kvfree(rcu_dereference_protected(vm->slots, true));
	RCU_INIT_POINTER(vm->slots, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * MMU notifier: the process's page tables change, and the EPT follows.
 *
 * None of the callbacks sleeps, so ranges that must not block need no special case: they take ept->lock, drop it, and
 * wait for IPIs.  Some are called with page-table spinlocks held, hence the lock order page-table lock > ept->lock.
 */
#include <linux/mm.h>
#include "ept/table.h"
#include "trace/events.h"
#include "vmx/caps.h"
#include "vmx/vm.h"

static struct vtx_vm *to_vm(struct mmu_notifier *notifier)
{
	return container_of(notifier, struct vtx_vm, ept.notifier);
}

/* The frames of one slot that user addresses [start, end) reach. */
typedef bool (*range_fn)(struct vtx_ept *ept, u64 gfn, u64 end, void *arg);

/*
 * Calls @fn for all frames behind [start, end), the slot on its way out included (ept/slots.c). A linear search:
 * slots are sorted by gfn, not by address, and several may share addresses. vm->srcu and ept->lock held.
 */
static bool for_each_range(struct vtx_vm *vm, unsigned long start, unsigned long end, range_fn fn, void *arg)
{
	const struct vtx_slots *slots = srcu_dereference(vm->slots, &vm->srcu);
	struct vtx_ept *ept = &vm->ept;
	bool any = false;
	u64 gfn, gfn_end;

	for (u32 i = 0; i < slots->count; i++)
		if (vtx_slot_hva_range(&slots->slot[i], start, end, &gfn, &gfn_end))
			any |= fn(ept, gfn, gfn_end, arg);
	if (ept->retiring.npages && vtx_slot_hva_range(&ept->retiring, start, end, &gfn, &gfn_end))
		any |= fn(ept, gfn, gfn_end, arg);
	return any;
}

static bool zap_range(struct vtx_ept *ept, u64 gfn, u64 end, void *zapped)
{
	vtx_ept_zap(ept, gfn, end, zapped);
	return true;
}

static bool age_range(struct vtx_ept *ept, u64 gfn, u64 end, void *clear)
{
	return vtx_ept_age(ept, gfn, end, *(bool *)clear);
}

static bool test_range(struct vtx_ept *ept, u64 gfn, u64 end, void *zapped)
{
	/* Without accessed bits, an entry that exists was used. */
	return vtx_ept_age(ept, gfn, end, false);
}

static int invalidate_range_start(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	struct vtx_vm *vm = to_vm(notifier);
	struct vtx_ept *ept = &vm->ept;
	struct vtx_ept_zapped zapped = {};
	int idx = srcu_read_lock(&vm->srcu);

	trace_kvm_unmap_hva_range(range->start, range->end);
	write_lock(&ept->lock);
	/* Counted even where no slot is: a slot that is just being created could have been missed. */
	if (!ept->invalidate_running++) {
		ept->invalidate_start = range->start;
		ept->invalidate_end = range->end;
	} else {
		ept->invalidate_start = min(ept->invalidate_start, range->start);
		ept->invalidate_end = max(ept->invalidate_end, range->end);
	}
	/* What another zap has taken out may be what was here, and its flush may be still to come. */
	if (for_each_range(vm, range->start, range->end, zap_range, &zapped) && ept->unflushed)
		vtx_ept_removed(ept, &zapped);
	write_unlock(&ept->lock);
	srcu_read_unlock(&vm->srcu, idx);

	/* When this returns the pages may be freed, so nobody may use them any more. */
	vtx_ept_finish_zap(vm, &zapped, mmu_notifier_range_blockable(range));
	return 0;
}

static void invalidate_range_end(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	struct vtx_ept *ept = &to_vm(notifier)->ept;

	write_lock(&ept->lock);
	/* A fault that sampled the number before saw pages of before, or of in between: it must look again. */
	ept->invalidate_seq++;
	ept->invalidate_running--;
	write_unlock(&ept->lock);
}

/*
 * Ageing. With accessed bits: clear them. Translations that are cached keep their accessed bit until they are
 * dropped, so a page may look idle although it is in use; that is a guess gone wrong, not an error, and x86 makes
 * the same one for its own page tables. Moving the generation on lets each vCPU drop its translations at its next
 * entry, without an IPI.
 *
 * Without accessed bits: take the entry away and see whether it comes back.
 */
static bool age(struct vtx_vm *vm, unsigned long start, unsigned long end, bool drop_cached)
{
	struct vtx_ept *ept = &vm->ept;
	struct vtx_ept_zapped zapped = {};
	bool young, clear = true;
	int idx = srcu_read_lock(&vm->srcu);

	trace_kvm_age_hva(start, end);
	write_lock(&ept->lock);
	young = for_each_range(vm, start, end, age_range, &clear);
	if (young && !vtx_caps.ept_ad)
		for_each_range(vm, start, end, zap_range, &zapped);
	write_unlock(&ept->lock);
	srcu_read_unlock(&vm->srcu, idx);

	if (young && vtx_caps.ept_ad && drop_cached)
		atomic64_inc(&ept->gen);
	vtx_ept_finish_zap(vm, &zapped, false);
	return young;
}

static int clear_flush_young(struct mmu_notifier *notifier, struct mm_struct *mm, unsigned long start,
			     unsigned long end)
{
	return age(to_vm(notifier), start, end, true);
}

static int clear_young(struct mmu_notifier *notifier, struct mm_struct *mm, unsigned long start, unsigned long end)
{
	return age(to_vm(notifier), start, end, false);
}

static int test_young(struct mmu_notifier *notifier, struct mm_struct *mm, unsigned long address)
{
	struct vtx_vm *vm = to_vm(notifier);
	int idx = srcu_read_lock(&vm->srcu);
	bool young;

	trace_kvm_test_age_hva(address);
	read_lock(&vm->ept.lock);
	young = for_each_range(vm, address, address + 1, test_range, NULL);
	read_unlock(&vm->ept.lock);
	srcu_read_unlock(&vm->srcu, idx);
	return young;
}

/* The process is at its end: all its pages go. No fault can come any more, as nobody has this mm as his own. */
static void release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct vtx_vm *vm = to_vm(notifier);
	struct vtx_ept_zapped zapped = {};

	write_lock(&vm->ept.lock);
	vtx_ept_zap(&vm->ept, 0, VTX_EPT_MAX_GFN + 1, &zapped);
	write_unlock(&vm->ept.lock);
	vtx_ept_finish_zap(vm, &zapped, true);
}

static const struct mmu_notifier_ops notifier_ops = {
	.release = release,
	.clear_flush_young = clear_flush_young,
	.clear_young = clear_young,
	.test_young = test_young,
	.invalidate_range_start = invalidate_range_start,
	.invalidate_range_end = invalidate_range_end,
};

int vtx_ept_notifier_register(struct vtx_vm *vm)
{
	vm->ept.notifier.ops = &notifier_ops;
	return mmu_notifier_register(&vm->ept.notifier, vm->mm);
}

/* Returns when no callback runs or will run. */
void vtx_ept_notifier_unregister(struct vtx_vm *vm)
{
	mmu_notifier_unregister(&vm->ept.notifier, vm->mm);
}

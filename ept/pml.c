// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page-modification logging (SDM vol. 3, 29.3.6): the processor writes the address of each page whose dirty flag it sets into a
 * buffer of 512 entries, from the last one down, and makes a VM exit when it is full.
 *
 * Nobody has to be stopped to read it.  An entry that was taken is overwritten with EMPTY, so what the processor has written
 * since is what follows without a gap; only the vCPU's own thread moves the processor's index back, after it has emptied all.
 * The entry of a write is in the buffer before the write is seen: it is part of the table walk.  The control is on while some
 * slot of the VM logs.
 */
#include <linux/gfp.h>
#include <linux/srcu.h>
#include "ept/dirty.h"
#include "ept/ept.h"
#include "vmx/caps.h"
#include "vmx/vcpu.h"

#define EMPTY (~0ULL)

void vtx_pml_setup(struct vtx_vcpu *vcpu)
{
	if (!vcpu->dirty_log.pml)
		return;
	vtx_vmwrite64(PML_ADDRESS, __pa(vcpu->dirty_log.pml));
	vtx_vmwrite16(GUEST_PML_INDEX, VTX_PML_ENTRIES - 1);
}

void vtx_pml_update(struct vtx_vcpu *vcpu)
{
	/* Pairs with start_logging(): the number, then the request. */
	bool on = vcpu->dirty_log.pml && READ_ONCE(vcpu->vm->dirty_log.slots);
	u32 ctrl = vcpu->exec2_ctrl & ~SECONDARY_EXEC_ENABLE_PML;

	if (on)
		ctrl |= SECONDARY_EXEC_ENABLE_PML;
	if (ctrl == vcpu->exec2_ctrl)
		return;
	vcpu->exec2_ctrl = ctrl;
	vtx_vmwrite32(SECONDARY_VM_EXEC_CONTROL, ctrl);
}

/*
 * The slot of @gfn, or the one that leaves or moves just now. @slots was read before: if it is the new array already, the
 * slot on its way out stands in ept->retiring (ept/slots.c).
 */
static const struct vtx_slot *find_slot(const struct vtx_slots *slots, const struct vtx_slot *retiring, u64 gfn)
{
	const struct vtx_slot *slot = vtx_slots_find(slots, gfn);

	if (!slot && gfn - retiring->gfn < retiring->npages)
		return retiring;
	return slot;
}

static void copy_retiring(struct vtx_ept *ept, struct vtx_slot *out)
{
	out->npages = 0;
	out->gfn = 0;
	smp_rmb(); /* the array was read before: pairs with its publication */
	if (likely(!READ_ONCE(ept->retiring.npages)))
		return;
	read_lock(&ept->lock);
	*out = ept->retiring;
	read_unlock(&ept->lock);
}

/* Takes what is there, up to the first gap, or with @all beyond gaps as well. dirty_log.pml_lock held. */
static void take_entries(struct vtx_vcpu *vcpu, const struct vtx_slots *slots, const struct vtx_slot *retiring, bool all)
{
	struct vtx_vcpu_dirty *d = &vcpu->dirty_log;
	const struct vtx_slot *slot = NULL;

	for (; d->next < VTX_PML_ENTRIES; d->next--) {
		u64 gpa = READ_ONCE(d->pml[d->next]), gfn = gpa >> PAGE_SHIFT;

		if (gpa == EMPTY) {
			if (all)
				continue;
			break;
		}
		WRITE_ONCE(d->pml[d->next], EMPTY);
		if (!slot || gfn - slot->gfn >= slot->npages)
			slot = find_slot(slots, retiring, gfn);
		if (slot)
			vtx_dirty_mark(vcpu->vm, vcpu, slot, gfn);
	}
}

static void drain(struct vtx_vcpu *vcpu, bool full)
{
	struct vtx_vm *vm = vcpu->vm;
	const struct vtx_slots *slots;
	struct vtx_slot retiring;
	int idx = srcu_read_lock(&vm->srcu);

	slots = srcu_dereference(vm->slots, &vm->srcu);
	copy_retiring(&vm->ept, &retiring);
	raw_spin_lock(&vcpu->dirty_log.pml_lock);
	take_entries(vcpu, slots, &retiring, full);
	if (full) {
		vcpu->dirty_log.next = VTX_PML_ENTRIES - 1;
		vtx_vmwrite16(GUEST_PML_INDEX, VTX_PML_ENTRIES - 1);
	}
	raw_spin_unlock(&vcpu->dirty_log.pml_lock);
	srcu_read_unlock(&vm->srcu, idx);
}

void vtx_pml_full(struct vtx_vcpu *vcpu)
{
	drain(vcpu, true);
}

void vtx_pml_drain(struct vtx_vcpu *vcpu)
{
	if (vcpu->dirty_log.pml)
		drain(vcpu, false);
}

void vtx_pml_drain_all(struct vtx_vm *vm)
{
	struct vtx_vcpu *vcpu;
	int i;

	if (vtx_caps.pml)
		vtx_for_each_vcpu(i, vcpu, vm)
			vtx_pml_drain(vcpu);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slot algebra: look-up in the sorted array, the checks of KVM_SET_USER_MEMORY_REGION, and building the next array.
 */
#include "compat/pure.h"
#include "ept/slot_array.h"
#include "uapi/refuse.h"

#define PAGE_BITS 12
#define PAGE_OFFSET_MASK ((1UL << PAGE_BITS) - 1)

const struct vtx_slot *vtx_slots_find(const struct vtx_slots *slots, u64 gfn)
{
	u32 low = 0, high = slots->count;

	/* Invariant: slots below @low begin at or before gfn, those from @high on after it. */
	while (low < high) {
		u32 mid = low + (high - low) / 2;

		if (slots->slot[mid].gfn <= gfn)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || gfn - slots->slot[low - 1].gfn >= slots->slot[low - 1].npages)
		return NULL;
	return &slots->slot[low - 1];
}

const struct vtx_slot *vtx_slots_by_id(const struct vtx_slots *slots, u32 id)
{
	for (u32 i = 0; i < slots->count; i++)
		if (slots->slot[i].id == id)
			return &slots->slot[i];
	return NULL;
}

bool vtx_slots_overlap(const struct vtx_slots *slots, u64 gfn, u64 npages, u32 except)
{
	for (u32 i = 0; i < slots->count; i++) {
		const struct vtx_slot *slot = &slots->slot[i];

		if (slot->id != except && slot->gfn < gfn + npages && gfn < slot->gfn + slot->npages)
			return true;
	}
	return false;
}

#define AT(field) offsetof(struct kvm_userspace_memory_region, field)

static int check_alignment(const struct kvm_userspace_memory_region *region)
{
	if (region->memory_size & PAGE_OFFSET_MASK)
		return VTX_REFUSE(SLOT_SIZE_ALIGN, AT(memory_size), region->memory_size, ~PAGE_OFFSET_MASK);
	if (region->guest_phys_addr & PAGE_OFFSET_MASK)
		return VTX_REFUSE(SLOT_GPA_ALIGN, AT(guest_phys_addr), region->guest_phys_addr, ~PAGE_OFFSET_MASK);
	if (region->userspace_addr & PAGE_OFFSET_MASK)
		return VTX_REFUSE(SLOT_USER_ALIGN, AT(userspace_addr), region->userspace_addr, ~PAGE_OFFSET_MASK);
	return 0;
}

/* The checks that need no look at the existing slots. */
static int check_region(const struct kvm_userspace_memory_region *region, const struct vtx_slot_limits *limits)
{
	int ret;

	if (region->flags & ~limits->flags)
		return VTX_REFUSE(SLOT_FLAGS, AT(flags), region->flags, limits->flags);
	ret = check_alignment(region);
	if (ret)
		return ret;
	if (region->memory_size > limits->user_end || region->userspace_addr > limits->user_end - region->memory_size)
		return VTX_REFUSE(SLOT_USER_RANGE, AT(userspace_addr), region->userspace_addr, limits->user_end);
	/* Bits 31:16 would be an address space (SMM); there is one. */
	if (region->slot >= VTX_MAX_SLOTS)
		return VTX_REFUSE(SLOT_NUMBER, AT(slot), region->slot, VTX_MAX_SLOTS - 1);
	if (region->guest_phys_addr + region->memory_size < region->guest_phys_addr)
		return VTX_REFUSE(SLOT_WRAPS, AT(guest_phys_addr), region->guest_phys_addr, 0 - region->memory_size);
	if (region->memory_size >> PAGE_BITS > VTX_MAX_SLOT_PAGES)
		return VTX_REFUSE(SLOT_TOO_LARGE, AT(memory_size), region->memory_size,
				  (u64)VTX_MAX_SLOT_PAGES << PAGE_BITS);
	return 0;
}

/* Of a slot that exists, only place and flags may change. */
static int check_change(const struct vtx_slot *old, const struct vtx_slot *new)
{
	if (new->hva != old->hva)
		return VTX_REFUSE(SLOT_ADDRESS_CHANGED, AT(userspace_addr), new->hva, old->hva);
	if (new->npages != old->npages)
		return VTX_REFUSE(SLOT_SIZE_CHANGED, AT(memory_size), new->npages << PAGE_BITS, old->npages << PAGE_BITS);
	if ((new->flags ^ old->flags) & KVM_MEM_READONLY)
		return VTX_REFUSE(SLOT_READONLY_CHANGED, AT(flags), new->flags, old->flags);
	return 0;
}

int vtx_slots_plan(const struct vtx_slots *slots, const struct kvm_userspace_memory_region *region,
		   const struct vtx_slot_limits *limits, struct vtx_slot_plan *plan)
{
	const struct vtx_slot *old;
	struct vtx_slot *new = &plan->new;
	int r = check_region(region, limits);

	if (r)
		return r;

	old = vtx_slots_by_id(slots, region->slot);
	if (old)
		plan->old = *old;
	if (!region->memory_size) {
		plan->change = VTX_SLOT_DELETE;
		return old ? 0 : VTX_REFUSE(SLOT_ABSENT, AT(slot), region->slot, 0);
	}

	new->gfn = region->guest_phys_addr >> PAGE_BITS;
	new->npages = region->memory_size >> PAGE_BITS;
	new->hva = region->userspace_addr;
	new->flags = region->flags;
	new->id = region->slot;

	if (!old) {
		plan->change = VTX_SLOT_CREATE;
	} else {
		r = check_change(old, new);
		if (r)
			return r;
		if (new->gfn != old->gfn) {
			plan->change = VTX_SLOT_MOVE;
		} else {
			plan->change = new->flags != old->flags ? VTX_SLOT_FLAGS : VTX_SLOT_NOTHING;
			return 0;
		}
	}

	if (vtx_slots_overlap(slots, new->gfn, new->npages, new->id))
		return VTX_REFUSE(SLOT_OVERLAPS, AT(guest_phys_addr), region->guest_phys_addr, 0);
	if (new->gfn + new->npages - 1 > limits->max_gfn)
		return VTX_REFUSE(SLOT_OUT_OF_REACH, AT(guest_phys_addr), region->guest_phys_addr,
				  (limits->max_gfn << PAGE_BITS) | PAGE_OFFSET_MASK);
	return 0;
}

void vtx_slots_apply(struct vtx_slots *out, const struct vtx_slots *in, const struct vtx_slot_plan *plan)
{
	bool gone = plan->change != VTX_SLOT_CREATE;
	bool pending = plan->change != VTX_SLOT_DELETE;

	out->count = 0;
	for (u32 i = 0; i < in->count; i++) {
		const struct vtx_slot *slot = &in->slot[i];

		if (gone && slot->id == plan->old.id)
			continue;
		if (pending && plan->new.gfn < slot->gfn) {
			out->slot[out->count++] = plan->new;
			pending = false;
		}
		out->slot[out->count++] = *slot;
	}
	if (pending)
		out->slot[out->count++] = plan->new;
}

bool vtx_slot_hva_range(const struct vtx_slot *slot, unsigned long start, unsigned long end, u64 *gfn, u64 *gfn_end)
{
	unsigned long slot_end = slot->hva + (slot->npages << PAGE_BITS);
	unsigned long from = max(start, slot->hva), to = min(end, slot_end);

	if (from >= to)
		return false;
	*gfn = slot->gfn + ((from - slot->hva) >> PAGE_BITS);
	/* A range that ends inside a page reaches that page. */
	*gfn_end = slot->gfn + ((to - 1 - slot->hva) >> PAGE_BITS) + 1;
	return true;
}

bool vtx_slot_fits(const struct vtx_slot *slot, u64 gfn, u64 span)
{
	u64 first = gfn & ~(span - 1);

	if ((slot->gfn ^ (slot->hva >> PAGE_BITS)) & (span - 1))
		return false;
	return first >= slot->gfn && first + span <= slot->gfn + slot->npages;
}

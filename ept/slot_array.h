/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Slot algebra: the sorted array of memslots, and what KVM_SET_USER_MEMORY_REGION means for it.
 *
 * Pure: decides and builds arrays; locking, publication and the EPT are ept/slots.c's.
 */
#ifndef VTX_EPT_SLOT_ARRAY_H
#define VTX_EPT_SLOT_ARRAY_H

#include "compat/pure.h"
#include <linux/kvm.h>

#define VTX_MAX_SLOTS 509
/* KVM's own limit on one slot. */
#define VTX_MAX_SLOT_PAGES ((1UL << 31) - 1)

/* One memslot. Constant once published; a change makes a new one. */
struct vtx_slot {
	u64 gfn;		/* first guest frame */
	u64 npages;
	unsigned long hva;	/* user-space address of the first page */
	u32 flags;		/* KVM_MEM_* */
	u32 id;			/* slot number as user space gave it */
	u64 *dirty;		/* bitmap of written pages (ept/dirty.c); NULL: none */
};

/* All slots of a VM, sorted by gfn, without overlap. */
struct vtx_slots {
	u32 count;
	struct vtx_slot slot[];
};

/* What the machine allows. */
struct vtx_slot_limits {
	u64 max_gfn;		/* last frame the EPT can map */
	u64 user_end;		/* first address that is not user space's */
	u32 flags;		/* KVM_MEM_* that are understood */
};

enum vtx_slot_change {
	VTX_SLOT_NOTHING,	/* the request describes what is there already */
	VTX_SLOT_CREATE,
	VTX_SLOT_DELETE,
	VTX_SLOT_MOVE,		/* same memory, another gfn */
	VTX_SLOT_FLAGS,		/* same place, other flags */
};

/* A request that passed all checks. */
struct vtx_slot_plan {
	enum vtx_slot_change change;
	struct vtx_slot old;	/* valid unless CREATE */
	struct vtx_slot new;	/* valid unless DELETE */
};

/* The slot that holds @gfn, or NULL. */
const struct vtx_slot *vtx_slots_find(const struct vtx_slots *slots, u64 gfn);
const struct vtx_slot *vtx_slots_by_id(const struct vtx_slots *slots, u32 id);

/* Does a slot other than number @except touch the @npages from @gfn on? */
bool vtx_slots_overlap(const struct vtx_slots *slots, u64 gfn, u64 npages, u32 except);

/**
 * vtx_slots_plan() - decides what @region asks for
 * @plan: filled on success.
 * Return: 0; -EINVAL: unknown flag, misaligned, wrapping, too large or out-of-reach range, an address that is not
 * user space's, slot number out of range, deleting what is not there, resizing or re-basing an existing slot,
 * toggling read-only; -EEXIST: overlaps another slot. The order of the checks is KVM's.
 */
int vtx_slots_plan(const struct vtx_slots *slots, const struct kvm_userspace_memory_region *region,
		   const struct vtx_slot_limits *limits, struct vtx_slot_plan *plan);

/* Writes to @out, which has room for one slot more than @in, the array after @plan. */
void vtx_slots_apply(struct vtx_slots *out, const struct vtx_slots *in, const struct vtx_slot_plan *plan);

/*
 * Part of @slot that user addresses [@start, @end) reach: first frame in *@gfn, frame after the last in *@gfn_end.
 * Return: false when there is none.
 */
bool vtx_slot_hva_range(const struct vtx_slot *slot, unsigned long start, unsigned long end, u64 *gfn, u64 *gfn_end);

/*
 * Can the @span frames (a power of two) around @gfn be one EPT entry: wholly inside the slot, and host and guest addresses
 * congruent?
 */
bool vtx_slot_fits(const struct vtx_slot *slot, u64 gfn, u64 span);

static inline unsigned long vtx_slot_hva(const struct vtx_slot *slot, u64 gfn)
{
	return slot->hva + ((gfn - slot->gfn) << 12);
}

#endif /* VTX_EPT_SLOT_ARRAY_H */

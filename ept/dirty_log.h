/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arithmetic of the dirty log: ranges of the bitmap, and the dirty ring, which user space shares and may write at any time.
 *
 * Pure: who calls it, and what is protected afterwards, is ept/dirty.c's.
 */
#ifndef VTX_EPT_DIRTY_LOG_H
#define VTX_EPT_DIRTY_LOG_H

#include "compat/pure.h"
#include <linux/kvm.h>

#define VTX_DIRTY_RING_ENTRIES 65536	/* at most, as KVM */
#define VTX_DIRTY_RING_RESERVE 64	/* entries behind the soft limit: what one exit may still write */
#define VTX_PML_ENTRIES 512		/* SDM vol. 3, 29.3.6 */

/* ------------------------------------------------------------------ bitmaps */

/* Words of 64 pages of the bitmap of a slot of @npages. */
static inline u64 vtx_dirty_words(u64 npages)
{
	return (npages + 63) / 64;
}

/* Those bits of word @word that are pages of a slot of @npages. */
u64 vtx_dirty_word_valid(u64 npages, u64 word);

/*
 * The range of KVM_CLEAR_DIRTY_LOG in a slot of @npages. Return: 0, or -EINVAL: it does not begin at a multiple of 64, leaves
 * the slot, or ends at no multiple of 64 that is not the slot's end.
 */
int vtx_clear_range_check(const struct kvm_clear_dirty_log *log, u64 npages);

/* ------------------------------------------------------------------ rings */

/*
 * One vCPU's ring. Indices count up for ever and are taken modulo @size, a power of two. The vCPU's side writes @dirty_index,
 * the side of KVM_RESET_DIRTY_RINGS @reset_index; nothing in the shared entries is believed.
 */
struct vtx_dirty_ring {
	struct kvm_dirty_gfn *gfns;	/* shared; NULL: no ring */
	u32 size, soft_limit;
	u32 dirty_index;
	u32 reset_index;
};

/*
 * Can a ring have @bytes, of which the last @reserve entries are kept free? Return: 0; -EINVAL: no power of two, or too
 * small; -E2BIG.
 */
int vtx_ring_size_check(u64 bytes, u32 reserve);
void vtx_ring_init(struct vtx_dirty_ring *ring, struct kvm_dirty_gfn *gfns, u32 bytes, u32 reserve);

static inline u32 vtx_ring_used(const struct vtx_dirty_ring *ring)
{
	return READ_ONCE(ring->dirty_index) - READ_ONCE(ring->reset_index);
}

static inline bool vtx_ring_soft_full(const struct vtx_dirty_ring *ring)
{
	return vtx_ring_used(ring) >= ring->soft_limit;
}

/* Appends a page. Return: false when there is no place: nothing changed. */
bool vtx_ring_push(struct vtx_dirty_ring *ring, u32 slot, u64 offset);

/* Pages of one slot that lie in one word of a bitmap. */
struct vtx_dirty_word {
	u32 slot;	/* as user space says: may be anything */
	u64 word;	/* likewise */
	u64 mask;
};

/*
 * Takes the oldest entries that user space has given back (KVM_DIRTY_GFN_F_RESET), as long as they lie in one word. Return:
 * how many entries, 0 when there is none. Entries that were never handed out are not looked at.
 */
u32 vtx_ring_take(struct vtx_dirty_ring *ring, struct vtx_dirty_word *out);

#endif /* VTX_EPT_DIRTY_LOG_H */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arithmetic of the dirty log: see the header.
 */
#include "compat/pure.h"
#include "ept/dirty_log.h"
#include "uapi/refuse.h"

u64 vtx_dirty_word_valid(u64 npages, u64 word)
{
	if (word >= vtx_dirty_words(npages))
		return 0;
	return npages - word * 64 >= 64 ? ~0ULL : BIT_ULL(npages - word * 64) - 1;
}

#define AT(field) offsetof(struct kvm_clear_dirty_log, field)

int vtx_clear_range_check(const struct kvm_clear_dirty_log *log, u64 npages)
{
	u64 first = log->first_page, n = log->num_pages;

	if (first & 63)
		return VTX_REFUSE(CLEAR_FIRST_PAGE, AT(first_page), first, ~63ULL);
	if (first > npages)
		return VTX_REFUSE(CLEAR_RANGE, AT(first_page), first, npages);
	if (n > npages - first || (n < npages - first && (n & 63)))
		return VTX_REFUSE(CLEAR_RANGE, AT(num_pages), n, npages - first);
	return 0;
}

int vtx_ring_size_check(u64 bytes, u32 reserve)
{
	const u64 entry = sizeof(struct kvm_dirty_gfn), least = max_t(u64, reserve * entry, 4096);
	const u32 at = offsetof(struct kvm_enable_cap, args);

	if (!bytes || (bytes & (bytes - 1)) || bytes < least)
		return VTX_REFUSE(DIRTY_RING_SIZE, at, bytes, least);
	if (bytes > VTX_DIRTY_RING_ENTRIES * entry)
		return VTX_REFUSE(DIRTY_RING_TOO_LARGE, at, bytes, VTX_DIRTY_RING_ENTRIES * entry);
	return 0;
}

void vtx_ring_init(struct vtx_dirty_ring *ring, struct kvm_dirty_gfn *gfns, u32 bytes, u32 reserve)
{
	ring->gfns = gfns;
	ring->size = bytes / sizeof(*gfns);
	ring->soft_limit = ring->size - reserve;
	ring->dirty_index = 0;
	ring->reset_index = 0;
}

bool vtx_ring_push(struct vtx_dirty_ring *ring, u32 slot, u64 offset)
{
	struct kvm_dirty_gfn *e = &ring->gfns[ring->dirty_index & (ring->size - 1)];

	if (vtx_ring_used(ring) >= ring->size)
		return false;
	WRITE_ONCE(e->slot, slot);
	WRITE_ONCE(e->offset, offset);
	smp_store_release(&e->flags, KVM_DIRTY_GFN_F_DIRTY); /* user space that sees the flag sees the rest */
	WRITE_ONCE(ring->dirty_index, ring->dirty_index + 1);
	return true;
}

u32 vtx_ring_take(struct vtx_dirty_ring *ring, struct vtx_dirty_word *out)
{
	u32 taken = 0;

	while (ring->reset_index != READ_ONCE(ring->dirty_index)) {
		struct kvm_dirty_gfn *e = &ring->gfns[ring->reset_index & (ring->size - 1)];
		u64 offset;
		u32 slot;

		if (!(smp_load_acquire(&e->flags) & KVM_DIRTY_GFN_F_RESET)) /* pairs with user space's release */
			break;
		slot = READ_ONCE(e->slot);
		offset = READ_ONCE(e->offset);
		if (taken && (slot != out->slot || offset / 64 != out->word))
			break;
		if (!taken)
			*out = (struct vtx_dirty_word){ .slot = slot, .word = offset / 64 };
		out->mask |= BIT_ULL(offset & 63);
		taken++;
		smp_store_release(&e->flags, 0); /* before the index says that the entry may be used again */
		WRITE_ONCE(ring->reset_index, ring->reset_index + 1);
	}
	return taken;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The EPT itself, inside ept/ only: mapping and zapping under ept.lock, and freeing what was zapped.
 */
#ifndef VTX_EPT_TABLE_H
#define VTX_EPT_TABLE_H

#include "ept/ept.h"
#include "ept/entry.h"

struct page;

/* What a zap took away. Start from zero; vtx_ept_finish_zap() ends it. */
struct vtx_ept_zapped {
	bool removed;				/* some entry was present: translations must be flushed */
	struct page *tables[VTX_EPT_LEVELS];	/* unlinked tables of level 1..3, not yet freed: index is the level */
};

/* What a fault wants mapped. */
struct vtx_ept_mapping {
	u64 gfn, pfn;
	int level;	/* 1 or 2; a 2 becomes 1 where a table of 4K entries stands already */
	u64 rwx;	/* permissions of the entry */
	u64 needs;	/* those that this access needs at least */
	bool clean;	/* writable, but the processor is to log the first write (PML): the dirty flag is clear */
	bool replace;	/* may take away an entry that is in the way; the caller can flush */
};

enum vtx_map_result {
	VTX_MAP_DONE,		/* the access is allowed now */
	VTX_MAP_CONFLICT,	/* an old entry was in the way; with @replace it is gone: flush, then fault again */
	VTX_MAP_NO_TABLE,	/* out of spare tables: top up, then fault again */
};

/* Fills ept->spare. May sleep, no locks. Return 0 or -ENOMEM. */
int vtx_ept_topup(struct vtx_ept *ept);
void vtx_ept_free_spares(struct vtx_ept *ept);

/* Makes the entry. ept->lock held for writing. */
enum vtx_map_result vtx_ept_map(struct vtx_ept *ept, const struct vtx_ept_mapping *map);

/* Removes all that maps a frame in [@gfn, @end). ept->lock held for writing. */
void vtx_ept_zap(struct vtx_ept *ept, u64 gfn, u64 end, struct vtx_ept_zapped *zapped);

/*
 * Flushes if anything was removed, then frees the unlinked tables. ept->lock not held, interrupts on. @can_sleep: may
 * be false with spinlocks held.
 */
void vtx_ept_finish_zap(struct vtx_vm *vm, struct vtx_ept_zapped *zapped, bool can_sleep);

/* Was a frame of [@gfn, @end) accessed since this was last asked with @clear? ept->lock held (write if @clear). */
bool vtx_ept_age(struct vtx_ept *ept, u64 gfn, u64 end, bool clear);

/*
 * Frees a whole tree from @table (of @level) down; the hardware does not know it any more. May sleep if @can_sleep.
 */
void vtx_ept_free_tree(struct vtx_ept *ept, u64 *table, int level, bool can_sleep);

int vtx_ept_notifier_register(struct vtx_vm *vm);	/* -ENOMEM, -EINTR */
void vtx_ept_notifier_unregister(struct vtx_vm *vm);

/* Did an invalidation that covers @hva run since @seq was sampled, or does one now? ept->lock held. */
static inline bool vtx_ept_invalidated(const struct vtx_ept *ept, unsigned long seq, unsigned long hva)
{
	if (ept->invalidate_running && hva >= ept->invalidate_start && hva < ept->invalidate_end)
		return true;
	return ept->invalidate_seq != seq;
}

#endif /* VTX_EPT_TABLE_H */

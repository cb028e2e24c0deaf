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
	int level;	/* 1 to 3; becomes less where a table stands already that may not give way */
	u64 rwx;	/* permissions of the entry */
	u64 needs;	/* those that this access needs at least */
	struct vtx_ept_zapped *zapped;	/* takes what is in the way, an entry or a table; NULL: nothing may be taken away */
	bool clean;	/* writable, but the processor is to log the first write (PML): the dirty flag is clear */
};

enum vtx_map_result {
	VTX_MAP_DONE,		/* the access is allowed now */
	VTX_MAP_CONFLICT,	/* something was in the way; with @zapped it is gone: finish the zap, then fault again */
	VTX_MAP_NO_TABLE,	/* out of spare tables: top up, then fault again */
};

/* Fills ept->spare. May sleep, no locks. Return 0 or -ENOMEM. */
int vtx_ept_topup(struct vtx_ept *ept);
void vtx_ept_free_spares(struct vtx_ept *ept);

/* A zeroed page for a table, charged to the caller and counted; may sleep. NULL: no memory. */
u64 *vtx_ept_alloc_table(void);
void vtx_ept_free_table(u64 *table);

/* Makes the entry. ept->lock held for writing. */
enum vtx_map_result vtx_ept_map(struct vtx_ept *ept, const struct vtx_ept_mapping *map);

/*
 * Fills absent 4K entries from @gfn on, which all lie in one table, with the frames of the @n @pages; nothing where there is no table.
 * With accessed flags in use the entries are not marked accessed: nobody asked for them. ept->lock held for writing.
 */
void vtx_ept_map_around(struct vtx_ept *ept, u64 gfn, struct page *const *pages, unsigned int n, u64 rwx);

/* Removes all that maps a frame in [@gfn, @end). ept->lock held for writing. */
void vtx_ept_zap(struct vtx_ept *ept, u64 gfn, u64 end, struct vtx_ept_zapped *zapped);

/*
 * Entries are taken out under the lock, and the flush comes after it was dropped: until then processors may use translations that the EPT
 * does not show any more. Noted in @zapped and in ept->unflushed, for others who find nothing and must not return before the flush.
 * ept->lock held for writing.
 */
void vtx_ept_removed(struct vtx_ept *ept, struct vtx_ept_zapped *zapped);

/*
 * Flushes if anything was removed, then frees the unlinked tables. ept->lock not held, interrupts on. @can_sleep: may
 * be false with spinlocks held.
 */
void vtx_ept_finish_zap(struct vtx_vm *vm, struct vtx_ept_zapped *zapped, bool can_sleep);

/*
 * Unlinks tables of 4K entries that have not been walked since the last time, or where the processor keeps no accessed flags any, and
 * higher ones that are empty.  Goes on where it stopped, over at most *@nr tables and at most once around; *@nr is what is left.
 * *@aged: accessed flags were cleared. ept->lock held for writing. Return: number of tables.
 */
unsigned long vtx_ept_zap_idle_tables(struct vtx_ept *ept, unsigned long *nr, bool *aged, struct vtx_ept_zapped *zapped);

/* Was a frame of [@gfn, @end) accessed since this was last asked with @clear? ept->lock held (write if @clear). */
bool vtx_ept_age(struct vtx_ept *ept, u64 gfn, u64 end, bool clear);

/*
 * Frees a whole tree from @table (of @level) down; the hardware does not know it any more. May sleep if @can_sleep.
 */
void vtx_ept_free_tree(struct vtx_ept *ept, u64 *table, int level, bool can_sleep);

/* ept/shrink.c: from the first on the shrinker may take tables away, until the second has returned. */
void vtx_ept_shrink_add(struct vtx_ept *ept);
void vtx_ept_shrink_remove(struct vtx_ept *ept);

/* ept/tlb_check.c; all do nothing without tlb_check=1. */
int vtx_tlb_check_alloc(struct vtx_ept *ept);	/* 0 or -ENOMEM */
void vtx_tlb_check_free(struct vtx_ept *ept);
/* This CPU has executed INVEPT; @gen was current before. Preemption off. */
void vtx_tlb_check_flushed(struct vtx_ept *ept, u64 gen);
/* The flush to @gen is through: what the removed entries showed is about to be given back. */
void vtx_tlb_check_zapped(struct vtx_vm *vm, u64 gen);

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

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Making the next write to a page known, inside ept/ only: dirty flags are taken away where the processor logs writes (PML),
 * write permissions elsewhere. Large pages become 4K pages on the way.
 */
#ifndef VTX_EPT_PROTECT_H
#define VTX_EPT_PROTECT_H

#include "ept/table.h"

struct vtx_vm;

/*
 * As many spare tables as the EPT keeps, as far as there is memory: large pages are split with them, else zapped. May sleep,
 * no locks.
 */
void vtx_ept_spares_for_splits(struct vtx_ept *ept);

/* The bit of an entry that stands for "writes go unnoticed". */
static inline u64 vtx_epte_unnoticed(bool pml)
{
	return pml ? VTX_EPTE_DIRTY : VTX_EPTE_WRITE;
}

/**
 * vtx_ept_protect_words() - the next write to each page of a bitmap becomes known
 * @gfn: frame of bit 0 of @words[0], any alignment; @n: number of words. ept->lock held for writing. A large page is split
 * where a spare table is there, else zapped.
 * Return: must translations be flushed?
 */
bool vtx_ept_protect_words(struct vtx_ept *ept, u64 gfn, const u64 *words, unsigned int n);

/* The same for all frames of [@gfn, @end); takes the lock itself, piece by piece, flushes at the end. May sleep. */
void vtx_ept_protect_range(struct vtx_vm *vm, u64 gfn, u64 end);

/*
 * Logging of @slot has ended: takes away 4K entries where the host has a huge page, so that faults can map that whole. May sleep,
 * vm->slots_lock held.
 */
void vtx_ept_restore_large(struct vtx_vm *vm, const struct vtx_slot *slot);

#endif /* VTX_EPT_PROTECT_H */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Protecting EPT entries for the dirty log: see the header.
 *
 * Where the processor keeps dirty flags and PML is on, an entry stays writable and loses its dirty flag: the processor logs
 * the page when it sets the flag again.  Otherwise the entry loses its write permission, and the next write is an EPT
 * violation.
 *
 * The processor may set accessed and dirty flags beside our stores. Where a dirty flag is lost so, the page has been logged
 * already and will be once more; where it is taken away, it was set, and the processor does not touch it.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/sched.h>
#include "ept/protect.h"
#include "vmx/caps.h"
#include "vmx/vm.h"

#define TABLES_AT_ONCE VTX_EPT_SPARES	/* for which the lock is held at a stretch */

static u64 *child(u64 entry)
{
	return __va(entry & VTX_EPTE_ADDRESS);
}

/*
 * Replaces the leaf at @entry by a table with the same translation. The size changes without the entry being absent in
 * between, which is allowed as long as all that can be cached is the same frame with the same permissions (SDM vol. 3, 29.4.3
 * and 4.10.2.3), and the caller flushes. Return: the table, or NULL: no spare; the leaf
 * is write-protected instead, and the fault of the next write takes it away.
 */
static u64 *split(struct vtx_ept *ept, u64 *entry, int level)
{
	u64 leaf = *entry, *table;

	if (!ept->nspare) {
		WRITE_ONCE(*entry, leaf & ~VTX_EPTE_WRITE);
		return NULL;
	}
	atomic_long_dec(&ept->pages[level - 1]);
	table = ept->spare[--ept->nspare];
	for (unsigned int i = 0; i < 512; i++)
		table[i] = vtx_epte_part(leaf, level, i);
	atomic_long_add(512, &ept->pages[level - 2]);
	atomic_long_inc(&ept->tables);
	/* The table's contents before the reference to it: x86 keeps stores in order, the compiler is told. */
	smp_store_release(entry, vtx_epte_table(__pa(table)));
	return table;
}

void vtx_ept_spares_for_splits(struct vtx_ept *ept)
{
	while (READ_ONCE(ept->nspare) < VTX_EPT_SPARES) {
		u64 *page = vtx_ept_alloc_table();

		if (!page)
			return;
		write_lock(&ept->lock);
		if (ept->nspare < VTX_EPT_SPARES) {
			ept->spare[ept->nspare++] = page;
			page = NULL;
		}
		write_unlock(&ept->lock);
		vtx_ept_free_table(page);
	}
}

/*
 * The table of 4K entries for @gfn; large pages on the way are split (*@flush becomes true). NULL: nothing is mapped there,
 * and *@span says for how many frames around.
 */
static u64 *leaf_table(struct vtx_ept *ept, u64 gfn, u64 *span, bool *flush)
{
	u64 *table = ept->root;

	for (int level = VTX_EPT_LEVELS; level > 1; level--) {
		u64 *entry = &table[vtx_ept_index(gfn, level)], value = *entry;

		*span = vtx_ept_span(level);
		if (!vtx_epte_present(value))
			return NULL;
		if (vtx_epte_is_leaf(value, level)) {
			*flush = true;
			table = split(ept, entry, level);
			if (!table)
				return NULL;
		} else {
			table = child(value);
		}
	}
	return table;
}

/* Takes @bit from those of the 64 entries from @entry on that @mask names. */
static bool protect_entries(u64 *entry, u64 mask, u64 bit)
{
	u64 any = 0;

	while (mask) {
		u64 *e = &entry[__ffs(mask)], value = *e;

		mask &= mask - 1;
		any |= value;
		if (value & bit)
			WRITE_ONCE(*e, value & ~bit);
	}
	return any & bit;
}

/* The same for @n entries without a gap: what a guest that writes everything makes. */
static bool protect_run(u64 *entry, unsigned int n, u64 bit)
{
	u64 any = 0;

	for (; n; n--, entry++) {
		u64 value = *entry;

		any |= value;
		if (value & bit)
			WRITE_ONCE(*entry, value & ~bit);
	}
	return any & bit;
}

bool vtx_ept_protect_words(struct vtx_ept *ept, u64 gfn, const u64 *words, unsigned int n)
{
	const u64 bit = vtx_epte_unnoticed(vtx_caps.pml);
	u64 base = ~0ULL, *table = NULL, span;
	bool flush = false;

	for (; n; n--, words++, gfn += 64) {
		u64 mask = *words;

		/* A word lies in one table or, where the slot does not begin at a multiple of 64 frames, in two. */
		while (mask) {
			unsigned int first = __ffs(mask);
			u64 at = gfn + first;
			unsigned int left = min_t(u64, 64 - first, 512 - (at & 511));
			u64 part = left == 64 ? mask : mask & ((1ULL << left) - 1) << first;

			mask &= ~part;
			if ((at & ~511ULL) != base) {
				base = at & ~511ULL;
				table = leaf_table(ept, at, &span, &flush);
			}
			if (!table)
				continue;
			if (part == ~0ULL)
				flush |= protect_run(&table[at & 511], 64, bit);
			else
				flush |= protect_entries(&table[at & 511], part >> first, bit);
		}
	}
	return flush;
}

/* Up to TABLES_AT_ONCE tables from @gfn on, with the lock held. Return: where to go on. */
static u64 protect_some(struct vtx_ept *ept, u64 gfn, u64 end, bool *flush)
{
	const u64 bit = vtx_epte_unnoticed(vtx_caps.pml);

	for (int tables = 0; gfn < end && tables < TABLES_AT_ONCE; tables++) {
		u64 span = 512, next;
		u64 *table = leaf_table(ept, gfn, &span, flush);

		next = min(end, (gfn & ~(span - 1)) + span);
		if (table)
			*flush |= protect_run(&table[gfn & 511], next - gfn, bit);
		gfn = next;
	}
	return gfn;
}

void vtx_ept_protect_range(struct vtx_vm *vm, u64 gfn, u64 end)
{
	struct vtx_ept *ept = &vm->ept;
	bool flush = false;

	while (gfn < end) {
		vtx_ept_spares_for_splits(ept);
		write_lock(&ept->lock);
		gfn = protect_some(ept, gfn, end, &flush);
		write_unlock(&ept->lock);
		cond_resched();
	}
	if (flush)
		vtx_ept_flush(vm);
}

/* Is there a table of 4K entries at @gfn, and does the first of them map a part of a huge page? ept->lock held. */
static bool maps_huge_page(struct vtx_ept *ept, u64 gfn)
{
	u64 *table = ept->root;

	for (int level = VTX_EPT_LEVELS; level > 1; level--) {
		u64 value = table[vtx_ept_index(gfn, level)];

		if (!vtx_epte_present(value) || vtx_epte_is_leaf(value, level))
			return false;
		table = child(value);
	}
	/* Only pages with a struct page are mapped, and the notifier takes the entry away before such a page is freed. */
	for (int i = 0; i < 512; i++)
		if (vtx_epte_present(table[i]))
			return PageTransCompound(pfn_to_page(vtx_epte_pfn(table[i])));
	return false;
}

void vtx_ept_restore_large(struct vtx_vm *vm, const struct vtx_slot *slot)
{
	struct vtx_ept *ept = &vm->ept;

	if (!vtx_caps.ept_2m)
		return;
	for (u64 gfn = slot->gfn & ~511ULL; gfn < slot->gfn + slot->npages; gfn += 512) {
		struct vtx_ept_zapped zapped = {};

		if (!vtx_slot_fits(slot, gfn, vtx_ept_span(2)))
			continue;
		write_lock(&ept->lock);
		if (maps_huge_page(ept, gfn))
			vtx_ept_zap(ept, gfn, gfn + 512, &zapped);
		write_unlock(&ept->lock);
		vtx_ept_finish_zap(vm, &zapped, true);
		cond_resched();
	}
}

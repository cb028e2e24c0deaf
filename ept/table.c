// SPDX-License-Identifier: GPL-2.0-only
/*
 * The 4-level EPT: mapping, zapping, ageing, and the life of table pages.
 *
 * All software access to entries is under ept->lock, for writing if anything changes.  The processor walks the tables
 * at any time and sets accessed and dirty bits in them, so
 *  - every store of an entry is one aligned 8-byte store (set_entry());
 *  - an entry that changes its frame or its size becomes absent first, and whoever cleared it flushes;
 *  - a table that was unlinked is freed only after vtx_ept_flush() (vtx_ept_finish_zap()).
 * Losing an accessed or dirty bit to a store is harmless: the host's page is marked dirty when it is mapped
 * writable (ept/fault.c), and ageing is a guess.
 */
#include <linux/gfp.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include "ept/table.h"
#include "vmx/caps.h"
#include "vmx/vm.h"

/* The one place where entries are stored. */
static void set_entry(u64 *entry, u64 value)
{
	WRITE_ONCE(*entry, value);
}

static u64 *child(u64 entry)
{
	return __va(entry & VTX_EPTE_ADDRESS);
}

static void count_leaf(struct vtx_ept *ept, int level, long n)
{
	atomic_long_add(n, &ept->pages[level - 1]);
}

/* ------------------------------------------------------------------ table pages */

/* Counted in /proc/meminfo as SecPageTables, and so in the caller's memory cgroup. */
u64 *vtx_ept_alloc_table(void)
{
	u64 *table = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);

	if (table)
		mod_lruvec_page_state(virt_to_page(table), NR_SECONDARY_PAGETABLE, 1);
	return table;
}

void vtx_ept_free_table(u64 *table)
{
	if (!table)
		return;
	mod_lruvec_page_state(virt_to_page(table), NR_SECONDARY_PAGETABLE, -1);
	free_page((unsigned long)table);
}

int vtx_ept_topup(struct vtx_ept *ept)
{
	/* One fault needs at most a table for each level below the root. */
	if (likely(READ_ONCE(ept->nspare) >= VTX_EPT_LEVELS - 1))
		return 0;

	while (READ_ONCE(ept->nspare) < VTX_EPT_SPARES) {
		u64 *page = vtx_ept_alloc_table();

		if (!page)
			return READ_ONCE(ept->nspare) >= VTX_EPT_LEVELS - 1 ? 0 : -ENOMEM;
		write_lock(&ept->lock);
		if (ept->nspare < VTX_EPT_SPARES) {
			ept->spare[ept->nspare++] = page;
			page = NULL;
		}
		write_unlock(&ept->lock);
		vtx_ept_free_table(page);
	}
	return 0;
}

void vtx_ept_free_spares(struct vtx_ept *ept)
{
	while (ept->nspare)
		vtx_ept_free_table(ept->spare[--ept->nspare]);
}

/* Recursion is bounded by the level: three deep below the root. */
void vtx_ept_free_tree(struct vtx_ept *ept, u64 *table, int level, bool can_sleep)
{
	long leaves = 0, large = 0;

	for (int i = 0; i < 512; i++) {
		u64 entry = READ_ONCE(table[i]);

		if (!vtx_epte_present(entry))
			continue;
		if (!vtx_epte_is_leaf(entry, level))
			vtx_ept_free_tree(ept, child(entry), level - 1, can_sleep);
		else if (level == 1)
			leaves++;
		else
			large++;
	}
	if (leaves)
		count_leaf(ept, 1, -leaves);
	if (large)
		count_leaf(ept, level, -large);
	vtx_ept_free_table(table);
	atomic_long_dec(&ept->tables);
	if (can_sleep)
		cond_resched();
}

void vtx_ept_removed(struct vtx_ept *ept, struct vtx_ept_zapped *zapped)
{
	ept->unflushed += !zapped->removed;
	zapped->removed = true;
}

/* Takes the table below @entry out of the tree. It is chained by page->private until it can be freed. */
static void unlink_table(struct vtx_ept *ept, u64 *entry, int level, struct vtx_ept_zapped *zapped)
{
	struct page *page = virt_to_page(child(*entry));

	set_page_private(page, (unsigned long)zapped->tables[level - 1]);
	zapped->tables[level - 1] = page;
	set_entry(entry, 0);
	vtx_ept_removed(ept, zapped);
}

void vtx_ept_finish_zap(struct vtx_vm *vm, struct vtx_ept_zapped *zapped, bool can_sleep)
{
	if (!zapped->removed)
		return;
	vtx_ept_flush(vm);
	write_lock(&vm->ept.lock);
	vm->ept.unflushed--;
	write_unlock(&vm->ept.lock);
	for (int level = 1; level < VTX_EPT_LEVELS; level++) {
		struct page *page = zapped->tables[level];

		while (page) {
			struct page *next = (struct page *)page_private(page);

			set_page_private(page, 0);
			vtx_ept_free_tree(&vm->ept, page_address(page), level, can_sleep);
			page = next;
		}
	}
}

/* ------------------------------------------------------------------ entries */

/* @entry, a leaf of @level, is in the way. */
static enum vtx_map_result conflict(struct vtx_ept *ept, u64 *entry, int level, struct vtx_ept_zapped *zapped)
{
	if (zapped) {
		set_entry(entry, 0);
		count_leaf(ept, level, -1);
		vtx_ept_removed(ept, zapped);
	}
	return VTX_MAP_CONFLICT;
}

/*
 * May a table of smaller pages give way to one large page?  The host maps the large page, and the notifier has kept the table true,
 * so its entries show parts of that page with no more rights than the process has: taking the table away loses nothing.
 *
 * But the exchange must not be undone by the next fault, or two accesses could take turns for ever.  A fault asks for less than the host
 * maps in one case only: large pages may not be executed (iTLB multihit), and an instruction fetch wants its 4K.  So a table stays unless
 * the large page can be executed as well.
 */
static bool gives_way(const struct vtx_ept_mapping *map)
{
	return map->rwx & VTX_EPTE_EXEC;
}

/* Stores the leaf at @entry, unless what is there will do. */
static enum vtx_map_result map_leaf(struct vtx_ept *ept, u64 *entry, int level, const struct vtx_ept_mapping *map)
{
	u64 old = *entry, new = vtx_epte_leaf(map->pfn, level, map->rwx);

	if (unlikely(map->clean))
		new &= ~VTX_EPTE_DIRTY;
	if (!vtx_epte_present(old)) {
		set_entry(entry, new);
		count_leaf(ept, level, 1);
		return VTX_MAP_DONE;
	}
	if (vtx_epte_pfn(old) != vtx_epte_pfn(new))
		return conflict(ept, entry, level, map->zapped);
	/*
	 * More permissions for the same frame need no flush: an EPT violation drops the translations of its
	 * address, and other CPUs that still see less fault and come here (SDM vol. 3, 29.4.3.1).
	 */
	set_entry(entry, old | new);
	return VTX_MAP_DONE;
}

enum vtx_map_result vtx_ept_map(struct vtx_ept *ept, const struct vtx_ept_mapping *map)
{
	u64 *table = ept->root;
	int target = map->level;

	for (int level = VTX_EPT_LEVELS; ; level--) {
		u64 *entry = &table[vtx_ept_index(map->gfn, level)];
		u64 value = *entry;

		if (level == target && level > 1 && vtx_epte_present(value) && !vtx_epte_is_leaf(value, level)) {
			if (gives_way(map)) {
				if (map->zapped)
					unlink_table(ept, entry, level, map->zapped);
				return VTX_MAP_CONFLICT;
			}
			target--;
		}
		if (level == target)
			return map_leaf(ept, entry, level, map);

		if (!vtx_epte_present(value)) {
			if (!ept->nspare)
				return VTX_MAP_NO_TABLE;
			table = ept->spare[--ept->nspare];
			atomic_long_inc(&ept->tables);
			set_entry(entry, vtx_epte_table(__pa(table)));
		} else if (vtx_epte_is_leaf(value, level)) {
			if ((value & map->needs) == map->needs)
				return VTX_MAP_DONE;
			return conflict(ept, entry, level, map->zapped);
		} else {
			table = child(value);
		}
	}
}

void vtx_ept_map_around(struct vtx_ept *ept, u64 gfn, struct page *const *pages, unsigned int n, u64 rwx)
{
	u64 *table = ept->root, mask = vtx_caps.ept_ad ? ~VTX_EPTE_ACCESSED : ~0ULL;

	for (int level = VTX_EPT_LEVELS; level > 1; level--) {
		u64 value = table[vtx_ept_index(gfn, level)];

		if (!vtx_epte_present(value) || vtx_epte_is_leaf(value, level))
			return;
		table = child(value);
	}
	table += vtx_ept_index(gfn, 1);
	for (unsigned int i = 0; i < n; i++) {
		if (vtx_epte_present(table[i]))
			continue;
		set_entry(&table[i], vtx_epte_leaf(page_to_pfn(pages[i]), 1, rwx) & mask);
		count_leaf(ept, 1, 1);
	}
}

void vtx_ept_zap(struct vtx_ept *ept, u64 gfn, u64 end, struct vtx_ept_zapped *zapped)
{
	/* Goes down from the root for each entry; absent and wholly covered subtrees are one step. */
	while (gfn < end) {
		u64 *table = ept->root, span = 0;

		for (int level = VTX_EPT_LEVELS; level; level--) {
			u64 *entry = &table[vtx_ept_index(gfn, level)];

			span = vtx_ept_span(level);
			if (!vtx_epte_present(*entry))
				break;
			if (vtx_epte_is_leaf(*entry, level)) {
				set_entry(entry, 0);
				count_leaf(ept, level, -1);
				vtx_ept_removed(ept, zapped);
				break;
			}
			if (!(gfn & (span - 1)) && end - gfn >= span) {
				unlink_table(ept, entry, level, zapped);
				break;
			}
			table = child(*entry);
		}
		gfn = (gfn & ~(span - 1)) + span;
	}
}

static bool is_empty(const u64 *table)
{
	for (int i = 0; i < 512; i++)
		if (vtx_epte_present(table[i]))
			return false;
	return true;
}

/* The way down to the table of 4K entries for @gfn, as far as it goes. Returns how many frames were looked at, from @gfn's on. */
static u64 zap_idle_table(struct vtx_ept *ept, u64 gfn, unsigned long *nr, bool *aged, unsigned long *freed,
			  struct vtx_ept_zapped *zapped)
{
	u64 *table = ept->root;
	int level;

	for (level = VTX_EPT_LEVELS; level >= 2; level--) {
		u64 *entry = &table[vtx_ept_index(gfn, level)];

		if (!vtx_epte_present(*entry) || vtx_epte_is_leaf(*entry, level))
			return vtx_ept_span(level);
		table = child(*entry);
		if (level > 2 && (gfn & (vtx_ept_span(level) - 1) || !is_empty(table)))
			continue;
		--*nr;
		if (level == 2 && vtx_caps.ept_ad && (READ_ONCE(*entry) & VTX_EPTE_ACCESSED)) {
			clear_bit(VTX_EPTE_ACCESSED_BIT, (unsigned long *)entry);
			*aged = true;
		} else {
			unlink_table(ept, entry, level, zapped);
			++*freed;
		}
		break;
	}
	return vtx_ept_span(level);
}

unsigned long vtx_ept_zap_idle_tables(struct vtx_ept *ept, unsigned long *nr, bool *aged, struct vtx_ept_zapped *zapped)
{
	u64 gfn = ept->shrink_gfn, start = gfn, span;
	unsigned long freed = 0;
	bool wrapped = false;

	while (*nr && !(wrapped && gfn >= start)) {
		span = zap_idle_table(ept, gfn, nr, aged, &freed, zapped);
		gfn = (gfn & ~(span - 1)) + span;
		if (gfn > VTX_EPT_MAX_GFN) {
			gfn = 0;
			if (wrapped)
				break;
			wrapped = true;
		}
	}
	ept->shrink_gfn = gfn;
	return freed;
}

bool vtx_ept_age(struct vtx_ept *ept, u64 gfn, u64 end, bool clear)
{
	bool young = false;

	while (gfn < end) {
		u64 *table = ept->root, span = 0;

		for (int level = VTX_EPT_LEVELS; level; level--) {
			u64 *entry = &table[vtx_ept_index(gfn, level)];

			span = vtx_ept_span(level);
			if (!vtx_epte_present(*entry))
				break;
			if (vtx_epte_is_leaf(*entry, level)) {
				if (!(READ_ONCE(*entry) & VTX_EPTE_ACCESSED))
					break;
				young = true;
				/* Locked, as the processor may be setting the dirty bit beside it. */
				if (clear)
					clear_bit(VTX_EPTE_ACCESSED_BIT, (unsigned long *)entry);
				break;
			}
			table = child(*entry);
		}
		gfn = (gfn & ~(span - 1)) + span;
	}
	return young;
}

u64 vtx_ept_entry(struct vtx_vm *vm, u64 gpa, int *level)
{
	struct vtx_ept *ept = &vm->ept;
	u64 gfn = gpa >> PAGE_SHIFT, value = 0;
	u64 *table = ept->root;

	*level = VTX_EPT_LEVELS;
	if (gfn > VTX_EPT_MAX_GFN)
		return 0;
	read_lock(&ept->lock);
	for (;; --*level) {
		value = READ_ONCE(table[vtx_ept_index(gfn, *level)]);
		if (!vtx_epte_present(value) || vtx_epte_is_leaf(value, *level))
			break;
		table = child(value);
	}
	read_unlock(&ept->lock);
	return value;
}

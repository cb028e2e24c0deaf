/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The busiest keys: a small hash table of counters. A key finds a place within a few steps or is counted as overflow, so that
 * an exit never pays for a long search; a table is written by one thread and read by others without a lock.
 */
#ifndef VTX_TRACE_TOP_H
#define VTX_TRACE_TOP_H

#include "compat/pure.h"

#define VTX_TOP_BITS  6
#define VTX_TOP_KEYS  (1 << VTX_TOP_BITS)
#define VTX_TOP_STEPS 4
#define VTX_TOP_FREE  (~0ULL)	/* no key: counted as overflow */

struct vtx_top_entry {
	u64 key;	/* vtx_top_free(): nobody's */
	u64 count;
};

struct vtx_top {
	struct vtx_top_entry entries[VTX_TOP_KEYS];
	u64 overflow;	/* of keys that found no place */
};

/* Where the search for a key begins: the high bits of a product mix best. */
static __always_inline unsigned int vtx_top_start(u64 key)
{
	return ((u32)key * 0x9e3779b1U) >> (32 - VTX_TOP_BITS);
}

/*
 * What a free place holds instead of a key: one that vtx_top_count() never compares there, so that a guest which calls by the number
 * VTX_TOP_FREE does not count in it. That is VTX_TOP_FREE itself, but for the place where the search for it begins; 0 begins elsewhere.
 */
static inline u64 vtx_top_free(unsigned int at)
{
	return at == vtx_top_start(VTX_TOP_FREE) ? 0 : VTX_TOP_FREE;
}

void vtx_top_init(struct vtx_top *top);

/* @key was not in its first place. */
void vtx_top_count_slow(struct vtx_top *top, u64 key);

static __always_inline void vtx_top_count(struct vtx_top *top, u64 key)
{
	struct vtx_top_entry *entry = &top->entries[vtx_top_start(key)];

	if (likely(entry->key == key))
		entry->count++;
	else
		vtx_top_count_slow(top, key);
}

/*
 * Copies the keys in use to @out (room for VTX_TOP_KEYS), the largest count first, equal ones by key. May run while the owner
 * counts. Return: how many.
 */
unsigned int vtx_top_sorted(const struct vtx_top *top, struct vtx_top_entry *out);

#endif /* VTX_TRACE_TOP_H */

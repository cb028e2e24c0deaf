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

struct vtx_top_entry {
	u64 key;
	u64 count;	/* 0: the place is free */
};

struct vtx_top {
	struct vtx_top_entry entries[VTX_TOP_KEYS];
	u64 overflow;	/* of keys that found no place */
};

/* Where the search for a key begins: the high bits of a product mix best. */
static __always_inline unsigned int vtx_top_start(u64 key)
{
	return (key * 0x9e3779b97f4a7c15ULL) >> (64 - VTX_TOP_BITS);
}

/* @key was not in its first place. */
void vtx_top_count_slow(struct vtx_top *top, u64 key);

static __always_inline void vtx_top_count(struct vtx_top *top, u64 key)
{
	struct vtx_top_entry *entry = &top->entries[vtx_top_start(key)];

	if (likely(entry->key == key && entry->count))
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

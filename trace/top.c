// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables of the busiest keys (trace/top.h).
 */
#include "compat/pure.h"
#include "trace/top.h"

void vtx_top_init(struct vtx_top *top)
{
	unsigned int i;

	for (i = 0; i < VTX_TOP_KEYS; i++)
		top->entries[i] = (struct vtx_top_entry){ .key = vtx_top_free(i) };
	top->overflow = 0;
}

void vtx_top_count_slow(struct vtx_top *top, u64 key)
{
	unsigned int i, at = vtx_top_start(key);

	if (key == VTX_TOP_FREE) {
		top->overflow++;
		return;
	}
	for (i = 0; i < VTX_TOP_STEPS; i++, at = (at + 1) % VTX_TOP_KEYS) {
		struct vtx_top_entry *entry = &top->entries[at];

		if (entry->key == vtx_top_free(at))
			WRITE_ONCE(entry->key, key);
		if (entry->key != key)
			continue;
		WRITE_ONCE(entry->count, entry->count + 1);
		return;
	}
	top->overflow++;
}

static bool before(const struct vtx_top_entry *a, const struct vtx_top_entry *b)
{
	return a->count > b->count || (a->count == b->count && a->key < b->key);
}

unsigned int vtx_top_sorted(const struct vtx_top *top, struct vtx_top_entry *out)
{
	unsigned int i, at, n = 0;

	for (i = 0; i < VTX_TOP_KEYS; i++) {
		struct vtx_top_entry entry = {
			.count = READ_ONCE(top->entries[i].count),
			.key = READ_ONCE(top->entries[i].key),
		};

		if (entry.key == vtx_top_free(i) || !entry.count)
			continue;
		for (at = n++; at && before(&entry, &out[at - 1]); at--)
			out[at] = out[at - 1];
		out[at] = entry;
	}
	return n;
}

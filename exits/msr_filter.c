// SPDX-License-Identifier: GPL-2.0-only
/* What a VM's MSR filter says of an access, and in the MSR bitmap. */
#include "compat/pure.h"
#include "exits/msr_filter.h"
#include "exits/msr_policy.h"

static bool decides(const struct vtx_msr_range *range, u32 index, bool write)
{
	return index >= range->base && index < (u64)range->base + range->count && (write ? range->writes : range->reads);
}

bool vtx_msr_filter_allows(const struct vtx_msr_filter *filter, u32 index, bool write)
{
	unsigned int i;
	u32 bit;

	if (!filter || vtx_msr_find(index) == VTX_MSR_X2APIC)
		return true;
	for (i = 0; i < ARRAY_SIZE(filter->ranges); i++) {
		bit = index - filter->ranges[i].base;
		if (decides(&filter->ranges[i], index, write))
			return filter->ranges[i].allowed[bit / 8] >> (bit % 8) & 1;
	}
	return filter->others_allowed;
}

void vtx_msr_filter_bitmap(const struct vtx_msr_filter *filter, u8 bitmap[4096])
{
	const struct vtx_msr_row *row;
	u32 index;

	for (row = vtx_msr_rows; row < vtx_msr_rows + VTX_NR_MSR_IDS; row++)
		for (index = row->first; index <= row->last; index++) {
			if (row->access & VTX_MSR_NO_INTERCEPT_R)
				vtx_msr_bitmap_set(bitmap, index, false, !vtx_msr_filter_allows(filter, index, false));
			if (row->access & VTX_MSR_NO_INTERCEPT_W)
				vtx_msr_bitmap_set(bitmap, index, true, !vtx_msr_filter_allows(filter, index, true));
		}
}

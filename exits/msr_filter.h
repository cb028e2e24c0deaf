/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM's MSR filter (KVM_X86_SET_MSR_FILTER): which of the MSRs that the policy knows its guests may read and write.
 *
 * It holds for RDMSR and WRMSR of the guest, not for KVM_GET/SET_MSRS. The x2APIC's registers pass it by, as in KVM: their accesses
 * may be the processor's affair.
 */
#ifndef VTX_EXITS_MSR_FILTER_H
#define VTX_EXITS_MSR_FILTER_H

#include "compat/pure.h"

#define VTX_MSR_FILTER_RANGES 16
#define VTX_MSR_FILTER_BYTES 0x600	/* of a range's bitmap at most */

struct vtx_msr_range {
	u32 base, count;	/* none when 0 */
	bool reads, writes;	/* what the bitmap is about */
	const u8 *allowed;	/* a bit for each MSR */
};

struct vtx_msr_filter {
	bool others_allowed;	/* what no range is about */
	struct vtx_msr_range ranges[VTX_MSR_FILTER_RANGES];
};

/* The first range that is about the access decides. NULL: no filter. */
bool vtx_msr_filter_allows(const struct vtx_msr_filter *filter, u32 index, bool write);

/* Sets the bits of the MSR bitmap that the policy would leave open: those exit that the filter does not allow. */
void vtx_msr_filter_bitmap(const struct vtx_msr_filter *filter, u8 bitmap[4096]);

#endif /* VTX_EXITS_MSR_FILTER_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The arithmetic of TSC scaling (SDM vol. 3, 25.6.5 and 26.3): the guest reads host TSC * ratio / 2^48 + offset.
 */
#ifndef VTX_PV_TSC_H
#define VTX_PV_TSC_H

#include "compat/pure.h"

#define VTX_TSC_FRACTION 48
#define VTX_TSC_UNITY (1ULL << VTX_TSC_FRACTION)	/* the guest's TSC runs at the host's rate */

/* What the processor computes before it adds the offset; the upper bits of the product are lost, as there. */
static __always_inline u64 vtx_tsc_scale(u64 tsc, u64 ratio)
{
	return ratio == VTX_TSC_UNITY ? tsc : (u64)(((unsigned __int128)tsc * ratio) >> VTX_TSC_FRACTION);
}

/* How many ticks the host's TSC goes on until the guest's has gone on by at least @ticks; ~0 if that is more than 64 bits. */
u64 vtx_tsc_unscale(u64 ticks, u64 ratio);

/* @ticks of a TSC of @khz (0 counts as 1) in ns, rounded up, at most @limit, which is at most 2^62. */
u64 vtx_tsc_to_ns(u64 ticks, u32 khz, u64 limit);

/* @ns in ticks of a TSC of @khz, rounded up; ~0 if that is more than 64 bits. */
u64 vtx_tsc_from_ns(u64 ns, u32 khz);

/* The rates a guest may have: below this. As in KVM. */
u32 vtx_tsc_max_khz(u32 host_khz);

/* Are the two rates one, measured twice: not more than 250 parts per million apart? As in KVM. */
bool vtx_tsc_same_rate(u32 khz, u32 host_khz);

/* The multiplier for a guest of @khz on a host of @host_khz; 0: there is none. */
u64 vtx_tsc_ratio(u32 khz, u32 host_khz);

#endif /* VTX_PV_TSC_H */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The arithmetic of the paravirtual clock: see the header.
 */
#include "compat/pure.h"
#include "pv/scale.h"

#define NS_PER_MS 1000000ULL

struct vtx_scale vtx_scale_from_khz(u32 tsc_khz)
{
	struct vtx_scale scale = { 0 };
	u64 khz = max(tsc_khz, 1U);

	/*
	 * The fraction is largest, and so most exact, when 2^shift * khz lies in (10^6, 2 * 10^6]: mul then is in
	 * [2^31, 2^32).  khz < 2^32 keeps shift above -13 and 10^6 << (32 - shift) below 2^64.
	 */
	while (scale.shift >= 0 && khz << scale.shift <= NS_PER_MS)
		scale.shift++;
	while (scale.shift <= 0 && khz > 2 * NS_PER_MS << -scale.shift)
		scale.shift--;

	scale.mul = (NS_PER_MS << (32 - scale.shift)) / khz;
	return scale;
}

u64 vtx_scale_ticks(struct vtx_scale scale, u64 ticks)
{
	if (scale.shift < 0)
		ticks >>= -scale.shift;
	else
		ticks <<= scale.shift;
	return (u64)(((unsigned __int128)ticks * scale.mul) >> 32);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The arithmetic of TSC scaling: see the header.  A quotient that does not fit would be a #DE in the kernel, so every division
 * here is preceded by the test that it does.
 */
#include "compat/pure.h"
#include "pv/tsc.h"

u64 vtx_tsc_unscale(u64 ticks, u64 ratio)
{
	u64 host;

	if (ratio == VTX_TSC_UNITY)
		return ticks;
	/* ticks * 2^48 / ratio < 2^64 */
	if (ticks >> (64 - VTX_TSC_FRACTION) >= ratio)
		return ~0ULL;
	host = mul_u64_u64_div_u64(ticks, VTX_TSC_UNITY, ratio);
	if (vtx_tsc_scale(host, ratio) < ticks)
		host++;
	return host;
}

u64 vtx_tsc_to_ns(u64 ticks, u32 khz, u64 limit)
{
	u64 ns;

	khz = max(khz, 1U);
	if (ticks / khz >= limit / 1000000)
		return limit;
	ns = mul_u64_u64_div_u64(ticks, 1000000, khz);
	return min(ns + (ticks != 0), limit);
}

u64 vtx_tsc_from_ns(u64 ns, u32 khz)
{
	/* The high half of the product, which must be below the divisor. */
	if ((u64)(((unsigned __int128)ns * khz) >> 64) >= 1000000)
		return ~0ULL;
	ns = mul_u64_u64_div_u64(ns, khz, 1000000);
	return ns == ~0ULL ? ns : ns + 1;
}

u32 vtx_tsc_max_khz(u32 host_khz)
{
	return min_t(u64, 0x7fffffff, vtx_tsc_scale(host_khz, ~0ULL));
}

bool vtx_tsc_same_rate(u32 khz, u32 host_khz)
{
	return khz >= (u64)host_khz * (1000000 - 250) / 1000000 && khz <= (u64)host_khz * (1000000 + 250) / 1000000;
}

u64 vtx_tsc_ratio(u32 khz, u32 host_khz)
{
	if (!host_khz || khz >> (64 - VTX_TSC_FRACTION) >= host_khz)
		return 0;
	return mul_u64_u64_div_u64(khz, VTX_TSC_UNITY, host_khz);
}

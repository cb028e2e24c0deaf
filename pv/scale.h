/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The arithmetic of the paravirtual clock: TSC ticks to nanoseconds by shift and multiplication, as guests do it
 * (struct pvclock_vcpu_time_info of the kernel's msr.rst).
 */
#ifndef VTX_PV_SCALE_H
#define VTX_PV_SCALE_H

#include "compat/pure.h"

struct vtx_scale {
	u32 mul;	/* binary fraction: 2^32 would be 1 */
	s8 shift;	/* of the ticks, to the left if positive, before the multiplication */
};

/*
 * Nanoseconds per tick at @tsc_khz, exact to one part in 2^31 and never too large. @tsc_khz 0 counts as 1.
 */
struct vtx_scale vtx_scale_from_khz(u32 tsc_khz);

/* What a guest computes from @ticks; modulo 2^64, as there. */
u64 vtx_scale_ticks(struct vtx_scale scale, u64 ticks);

#endif /* VTX_PV_SCALE_H */

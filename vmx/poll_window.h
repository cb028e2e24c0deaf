/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long a vCPU that halts looks for an event itself before it gives the CPU away: the rule by which that time follows the
 * lengths of its halts.
 */
#ifndef VTX_VMX_POLL_WINDOW_H
#define VTX_VMX_POLL_WINDOW_H

#include "compat/pure.h"

struct vtx_poll_rules {
	u32 max;	/* ns; 0: never poll */
	u32 grow;	/* factor; 0: never longer */
	u32 start;	/* ns: shortest time but 0 */
	u32 shrink;	/* divisor; 0: to nothing at once */
};

/* The time for the next halt, in ns, after one of @halt_ns with @window. */
u32 vtx_poll_window_next(u32 window, u64 halt_ns, const struct vtx_poll_rules *rules);

#endif /* VTX_VMX_POLL_WINDOW_H */

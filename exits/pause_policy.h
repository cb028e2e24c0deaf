/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PAUSE-loop exiting, the pure part: how long a guest may spin before it exits, and which vCPU gets the spinner's time.
 */
#ifndef VTX_EXITS_PAUSE_POLICY_H
#define VTX_EXITS_PAUSE_POLICY_H

#include "compat/pure.h"

/* The module's parameters, in TSC ticks where not said otherwise (SDM vol. 3, 25.6.13). */
struct vtx_ple {
	unsigned int gap;	/* PAUSEs closer together than this belong to one loop; 0: no PAUSE-loop exiting */
	unsigned int window;	/* how long a loop may last before it exits, at first */
	unsigned int grow;	/* after an exit: below @window a factor, else a summand; 0: back to @window */
	unsigned int shrink;	/* when the vCPU is scheduled in: below @window a divisor, else a subtrahend; 0: back to @window */
	unsigned int max;	/* the longest window */
};

/* The window after an exit, and after the vCPU's thread has got a CPU. */
u32 vtx_ple_grown(const struct vtx_ple *ple, u32 window);
u32 vtx_ple_shrunk(const struct vtx_ple *ple, u32 window);

/* What is known about a vCPU that might be the one the spinner waits for. */
enum {
	VTX_SPIN_SELF = BIT(0),		/* it is the spinner */
	VTX_SPIN_READY = BIT(1),	/* its thread wants to run the guest and has no CPU */
	VTX_SPIN_KERNEL = BIT(2),	/* it lost the CPU while the guest was at privilege level 0 */
	VTX_SPIN_SPINS = BIT(3),	/* its last exit was for PAUSE as well */
	VTX_SPIN_EVENT = BIT(4),	/* an interrupt or NMI waits for it */
};

/* How much would running it help? 0: not at all. The larger number goes first. */
unsigned int vtx_spin_rank(unsigned int facts);

/*
 * The vCPU that should run instead of the spinner: of @nr the one with the highest rank, among equals the first after @last.
 * @facts(i, data) tells the facts of number i, 0 to nr - 1. Return: its number; -1: none helps.
 */
int vtx_spin_choose(int nr, int last, unsigned int (*facts)(int i, void *data), void *data);

#endif /* VTX_EXITS_PAUSE_POLICY_H */

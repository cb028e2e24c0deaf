// SPDX-License-Identifier: GPL-2.0-only
/*
 * PAUSE-loop exiting, the pure part.
 *
 * A guest that spins for a lock wastes its time if the vCPU that holds the lock has lost its CPU.  Which one that is nobody knows;
 * but a holder was interrupted at privilege level 0 (user code holds no kernel lock), and who waits for an answer to an IPI waits for
 * a vCPU to which that IPI has not come yet.  A vCPU that spins itself holds nothing that would help.
 */
#include "compat/pure.h"
#include "exits/pause_policy.h"

u32 vtx_ple_grown(const struct vtx_ple *ple, u32 window)
{
	u64 grown = window;

	if (!ple->grow)
		return ple->window;
	if (ple->grow < ple->window)
		grown *= ple->grow;
	else
		grown += ple->grow;
	return min_t(u64, grown, ple->max);
}

u32 vtx_ple_shrunk(const struct vtx_ple *ple, u32 window)
{
	if (!ple->shrink)
		return ple->window;
	if (ple->shrink < ple->window)
		window /= ple->shrink;
	else
		window = window > ple->shrink ? window - ple->shrink : 0;
	return max_t(u32, window, ple->window);
}

unsigned int vtx_spin_rank(unsigned int facts)
{
	if ((facts & VTX_SPIN_SELF) || !(facts & VTX_SPIN_READY))
		return 0;
	if (facts & VTX_SPIN_EVENT)
		return facts & VTX_SPIN_KERNEL ? 4 : 3;
	if (facts & VTX_SPIN_KERNEL)
		return facts & VTX_SPIN_SPINS ? 1 : 2;
	return 0;
}

int vtx_spin_choose(int nr, int last, unsigned int (*facts)(int i, void *data), void *data)
{
	unsigned int best_rank = 0, rank;
	int best = -1, i, n;

	for (n = 1; n <= nr; n++) {
		i = (last + n) % nr;
		rank = vtx_spin_rank(facts(i, data));
		if (rank > best_rank) {
			best = i;
			best_rank = rank;
		}
	}
	return best;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The polling time of HLT, by KVM's rule (the kernel's Documentation/virt/kvm/halt-polling.rst).
 */
#include "compat/pure.h"
#include "vmx/poll_window.h"

static u32 longer(u32 window, const struct vtx_poll_rules *rules)
{
	u64 next = (u64)window * rules->grow;

	if (!rules->grow)
		return window;
	return min_t(u64, max_t(u64, next, rules->start), rules->max);
}

static u32 shorter(u32 window, const struct vtx_poll_rules *rules)
{
	u32 next = rules->shrink ? window / rules->shrink : 0;

	return next < rules->start ? 0 : next;
}

u32 vtx_poll_window_next(u32 window, u64 halt_ns, const struct vtx_poll_rules *rules)
{
	window = min(window, rules->max);
	if (halt_ns <= window)
		return window; /* polling was long enough */
	if (halt_ns > rules->max)
		return shorter(window, rules); /* no polling would have been */
	return longer(window, rules);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The scheduler's account of a thread, which a kernel may be built without (CONFIG_SCHED_INFO; KVM as a module selects it).
 */
#ifndef VTX_COMPAT_SCHED_INFO_H
#define VTX_COMPAT_SCHED_INFO_H

#include <linux/sched.h>

#ifdef CONFIG_SCHED_INFO
#define VTX_HAS_RUN_DELAY true

/* For how long the current thread has waited for a CPU in its life, in ns. */
static inline u64 vtx_run_delay(void)
{
	return current->sched_info.run_delay;
}
#else
#define VTX_HAS_RUN_DELAY false

static inline u64 vtx_run_delay(void)
{
	return 0;
}
#endif

#endif /* VTX_COMPAT_SCHED_INFO_H */

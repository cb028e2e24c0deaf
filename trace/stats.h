/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exit counters, always on: written by the vCPU's own thread, read by debugfs at any time.
 */
#ifndef VTX_TRACE_STATS_H
#define VTX_TRACE_STATS_H

#include <linux/types.h>

struct vtx_vm;
struct vtx_vcpu;

struct vtx_exit_stat {
	u64 count;
	u64 ticks;	/* TSC from exit to the next entry, or to the return to user space */
};

struct vtx_vcpu_stats {
	struct vtx_exit_stat exits[76];
};

/* debugfs: /sys/kernel/debug/vtx/<pid>-<vm fd>/vcpu<N>/exits */
int vtx_trace_init(void);
void vtx_trace_exit(void);
void vtx_trace_vm_created(struct vtx_vm *vm, int fd);
void vtx_trace_vm_destroyed(struct vtx_vm *vm);
void vtx_trace_vcpu_created(struct vtx_vcpu *vcpu);

#endif /* VTX_TRACE_STATS_H */

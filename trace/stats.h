/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exit counters, always on: written by the vCPU's own thread, read by debugfs at any time.
 */
#ifndef VTX_TRACE_STATS_H
#define VTX_TRACE_STATS_H

#include <linux/types.h>

struct vtx_vm;
struct vtx_vcpu;

#define VTX_NR_EXIT_STATS 76	/* as VTX_NR_EXIT_REASONS */

struct vtx_exit_stat {
	u64 count;
	u64 ticks;	/* TSC from exit to the next entry, or to the return to user space */
};

struct vtx_vcpu_stats {
	struct vtx_exit_stat exits[VTX_NR_EXIT_STATS];
	struct vtx_exit_stat cleared[VTX_NR_EXIT_STATS];	/* debugfs: values at the last clearing; its own lock */
};

/*
 * /sys/kernel/debug/vtx/<pid>-<vm fd>/ with
 *	failure		why the VM is dead; empty while it lives
 *	memory		what is mapped, and the tables for it
 *	vcpu<N>/exits	a header line, then "name count ticks" for each reason seen; writing 0 clears
 * None of these can fail in a way that matters: without debugfs, there just is nothing to read.
 */
int vtx_trace_init(void);	/* module load: 0 */
void vtx_trace_exit(void);
/* Before the file descriptor becomes known to user space; @fd is its number. May sleep. */
void vtx_trace_vm_created(struct vtx_vm *vm, int fd);
/*
 * All files of the VM are gone when this returns; readers that hold them open get errors. Also if never created.
 * May sleep.
 */
void vtx_trace_vm_destroyed(struct vtx_vm *vm);
/* After vtx_trace_vm_created(). vm->lock held. */
void vtx_trace_vcpu_created(struct vtx_vcpu *vcpu);

#endif /* VTX_TRACE_STATS_H */

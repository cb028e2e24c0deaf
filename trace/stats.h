/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exit counters, always on: written by the vCPU's own thread, read by debugfs and the statistics file at any time.
 */
#ifndef VTX_TRACE_STATS_H
#define VTX_TRACE_STATS_H

#include <linux/atomic.h>
#include <linux/types.h>
#include "trace/top.h"

struct vtx_vm;
struct vtx_vcpu;

#define VTX_NR_EXIT_STATS 77	/* one for each exit reason of exits/table.c, and one for all that is none */
#define VTX_STAT_OTHER	  76
#define VTX_NR_BUCKETS	  32

struct vtx_exit_stat {
	u64 count;
	u64 ticks;			/* TSC from the exit to the next entry or the return to user space, sleep in HLT left out */
	u64 user_ticks;			/* TSC from the return to user space for this reason to the next entry */
	u32 min, max;			/* of the ticks of one exit; ~0 and 0 when there was none */
	u64 buckets[VTX_NR_BUCKETS];	/* [n]: ticks in [2^n, 2^(n+1)); 0 counts as 1, what is longer than 32 bits as ~0 */
};

enum vtx_top_table { VTX_TOP_MSR, VTX_TOP_PORT, VTX_TOP_CPUID, VTX_TOP_MMIO, VTX_TOP_HYPERCALL, VTX_NR_TOPS };

struct vtx_vcpu_stats {
	struct vtx_exit_stat exits[VTX_NR_EXIT_STATS];
	struct vtx_top tops[VTX_NR_TOPS];
};

#define VTX_HALT_BUCKETS 32	/* of KVM's histograms of HLT */

/*
 * KVM's counters that no exit reason counts by itself (trace/stat_defs.c says what each is).  Plain numbers of the vCPU's thread,
 * counted on ways that cost more anyway; they are there without the recorder as well.
 */
struct vtx_vcpu_counts {
	u64 mmio_exits;
	u64 signal_exits;
	u64 request_irq_exits;
	u64 insn_emulation;
	u64 insn_emulation_fail;
	u64 irq_injections;
	u64 nmi_injections;
	u64 pf_fixed;
	u64 pf_emulate;
	u64 tlb_flush;
	u64 halt_attempted_poll;
	u64 halt_successful_poll;
	u64 halt_poll_success_ns;
	u64 halt_poll_fail_ns;
	u64 halt_poll_success_hist[VTX_HALT_BUCKETS];
	u64 halt_poll_fail_hist[VTX_HALT_BUCKETS];
	u64 halt_wait_ns;
	u64 halt_wait_hist[VTX_HALT_BUCKETS];
	u64 blocking;
	u64 directed_yield_attempted;
	u64 directed_yield_successful;
	atomic64_t halt_wakeup;		/* any thread, any context */
};

/* One exit of @ticks. */
static __always_inline void vtx_stat_exit(struct vtx_exit_stat *stat, u32 ticks)
{
	OPTIMIZER_HIDE_VAR(stat); /* gcc would compute the address anew for each field */
	stat->count++;
	stat->ticks += ticks;
	if (unlikely(ticks < stat->min))
		stat->min = ticks;
	if (unlikely(ticks > stat->max))
		stat->max = ticks;
	stat->buckets[__fls(ticks | 1)]++;
}

/*
 * /sys/kernel/debug/vtx: docs/tracing.md lists the files. None of these can fail in a way that matters: without debugfs, there
 * just is nothing to read.
 */
int vtx_trace_init(void);	/* module load: 0, -ENOMEM */
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

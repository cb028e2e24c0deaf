// SPDX-License-Identifier: GPL-2.0-only
/*
 * Halt polling.
 *
 * An interrupt that comes soon after HLT costs two switches of the scheduler, and on an idle CPU the way out of its sleep.  A vCPU
 * whose halts have been short looks for it instead.  How long, its own halts decide (vmx/poll_window.c).  It stops at once when
 * another thread wants the CPU, when the scheduler does, or when a signal comes.
 */
#include <linux/ktime.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include "trace/events.h"
#include "vmx/halt_poll.h"
#include "vmx/poll_window.h"

static struct vtx_poll_rules rules = { .max = 200000, .grow = 2, .start = 10000, .shrink = 2 };

module_param_named(halt_poll_ns, rules.max, uint, 0444);
MODULE_PARM_DESC(halt_poll_ns, "longest polling for an event after HLT in ns, 0 for none (default 200000)");
module_param_named(halt_poll_ns_grow, rules.grow, uint, 0444);
MODULE_PARM_DESC(halt_poll_ns_grow, "factor by which the polling time of a vCPU grows, 0: it does not (default 2)");
module_param_named(halt_poll_ns_grow_start, rules.start, uint, 0444);
MODULE_PARM_DESC(halt_poll_ns_grow_start, "polling time of a vCPU, in ns, from which it grows (default 10000)");
module_param_named(halt_poll_ns_shrink, rules.shrink, uint, 0444);
MODULE_PARM_DESC(halt_poll_ns_shrink, "divisor by which the polling time of a vCPU shrinks, 0: to nothing (default 2)");

static struct vtx_poll_rules rules_of(struct vtx_vm *vm)
{
	struct vtx_poll_rules r = rules;
	u64 own = READ_ONCE(vm->halt_poll);

	if (own)
		r.max = own - 1;
	return r;
}

void vtx_halt_poll_set(struct vtx_vm *vm, u32 max_ns)
{
	WRITE_ONCE(vm->halt_poll, (u64)max_ns + 1);
}

/* Buckets as those of all logarithmic histograms of KVM: [0] is 0, [n] is [2^(n-1), 2^n), the last one everything above. */
static void count(u64 *sum, u64 hist[VTX_HALT_BUCKETS], u64 ns)
{
	*sum += ns;
	hist[min(fls64(ns), VTX_HALT_BUCKETS - 1)]++;
}

u64 vtx_halt_poll(struct vtx_vcpu *vcpu, u64 now_ns, bool (*wake)(struct vtx_vcpu *vcpu), bool *found)
{
	struct vtx_vcpu_counts *counts = &vcpu->counts;
	u64 start = now_ns, stop = start + min(vcpu->halt_poll_ns, rules_of(vcpu->vm).max);

	*found = false;
	if (stop == start)
		return 0;
	do {
		*found = wake(vcpu) || signal_pending(current);
		if (*found)
			break;
		cpu_relax();
		now_ns = ktime_get_ns();
	} while (now_ns < stop && single_task_running() && !need_resched());

	counts->halt_attempted_poll++;
	if (*found) {
		counts->halt_successful_poll++;
		count(&counts->halt_poll_success_ns, counts->halt_poll_success_hist, now_ns - start);
	} else {
		count(&counts->halt_poll_fail_ns, counts->halt_poll_fail_hist, now_ns - start);
	}
	return now_ns;
}

void vtx_halt_poll_learn(struct vtx_vcpu *vcpu, u64 ns)
{
	struct vtx_poll_rules r = rules_of(vcpu->vm);
	u32 old = vcpu->halt_poll_ns, new = vtx_poll_window_next(old, ns, &r);

	vcpu->halt_poll_ns = new;
	if (new != old)
		trace_kvm_halt_poll_ns(new > old, vcpu->id, new, old);
}

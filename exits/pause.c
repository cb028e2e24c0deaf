// SPDX-License-Identifier: GPL-2.0-only
/*
 * PAUSE-loop exiting (SDM vol. 3, 25.6.13 and 26.1.3) and directed yield.
 *
 * The processor ends guest mode when a guest at privilege level 0 has executed PAUSE after PAUSE for longer than the window. Then
 * another vCPU of the VM that wants to run and can't gets this thread's turn (yield_to()); which one, exits/pause_policy.c says.
 * A vCPU that never spins pays nothing.
 */
#include <linux/moduleparam.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include "exits/exits.h"
#include "exits/pause.h"
#include "irqchip/kernel.h"
#include "vmx/caps.h"
#include "vmx/regs.h"
#include "vmx/vm.h"

struct vtx_ple vtx_ple = { .gap = 128, .window = 4096, .grow = 2, .shrink = 0, .max = UINT_MAX };

module_param_named(ple_gap, vtx_ple.gap, uint, 0444);
MODULE_PARM_DESC(ple_gap, "PAUSE-loop exiting: most ticks between two PAUSEs of a loop; 0: off (default 128)");
module_param_named(ple_window, vtx_ple.window, uint, 0444);
MODULE_PARM_DESC(ple_window, "PAUSE-loop exiting: ticks that a loop may last at first (default 4096)");
module_param_named(ple_window_grow, vtx_ple.grow, uint, 0444);
MODULE_PARM_DESC(ple_window_grow, "what multiplies a vCPU's window after an exit; 0: it stays ple_window (default 2)");
module_param_named(ple_window_shrink, vtx_ple.shrink, uint, 0444);
MODULE_PARM_DESC(ple_window_shrink, "what divides it when the vCPU is scheduled in; 0: back to ple_window (default 0)");
module_param_named(ple_window_max, vtx_ple.max, uint, 0444);
MODULE_PARM_DESC(ple_window_max, "the longest window in ticks (default 4294967295)");

void vtx_pause_setup(bool has_ple)
{
	if (!has_ple)
		memset(&vtx_ple, 0, sizeof(vtx_ple));
}

/* Preemption is off: vtx_pause_sched_in() sets it as well, and the number and the VMCS have to agree. */
static void set_window(struct vtx_vcpu *vcpu, u32 window)
{
	if (window == vcpu->spin.window)
		return;
	vcpu->spin.window = window;
	vtx_vmwrite32(PLE_WINDOW, window);
}

void vtx_pause_init_vcpu(struct vtx_vcpu *vcpu)
{
	vcpu->spin.window = vtx_ple.window;
	if (!vtx_caps.ple)
		return;
	vtx_vmwrite32(PLE_GAP, vtx_ple.gap);
	vtx_vmwrite32(PLE_WINDOW, vtx_ple.window);
}

/* ------------------------------------------------------------------ what others may know about a vCPU */

/*
 * Facts are for the choice alone and may be out of date: a vCPU that runs meanwhile is a wasted attempt. The privilege level is
 * read from the VMCS, as the notifier may interrupt code that works on the cached registers.
 */
void vtx_pause_sched_out(struct vtx_vcpu *vcpu)
{
	u32 facts = VTX_SPIN_READY;

	if (!task_is_running(current))
		return;
	if (!((vtx_vmread32(GUEST_SS_AR_BYTES) >> 5) & 3))
		facts |= VTX_SPIN_KERNEL;
	if (vcpu->exit_reason == EXIT_REASON_PAUSE_INSTRUCTION)
		facts |= VTX_SPIN_SPINS;
	WRITE_ONCE(vcpu->spin.facts, facts);
}

void vtx_pause_sched_in(struct vtx_vcpu *vcpu)
{
	WRITE_ONCE(vcpu->spin.facts, 0);
	if (unlikely(vcpu->spin.window != vtx_ple.window))
		set_window(vcpu, vtx_ple_shrunk(&vtx_ple, vcpu->spin.window));
}

static bool event_waits(struct vtx_vcpu *vcpu)
{
	return vtx_vcpu_test_request(vcpu, VTX_REQ_EVENT) || atomic_read(&vcpu->events.nmi_pending) ||
	       (vcpu->apic && vtx_lapic_maybe_pending(&vcpu->apic->lapic));
}

static unsigned int facts_about(int i, void *data)
{
	struct vtx_vcpu *spinner = data, *vcpu = spinner->vm->vcpus[i];
	unsigned int facts = READ_ONCE(vcpu->spin.facts);

	if (vcpu == spinner)
		return VTX_SPIN_SELF;
	if (!facts || !READ_ONCE(vcpu->spin.runner))
		return 0;
	return event_waits(vcpu) ? facts | VTX_SPIN_EVENT : facts;
}

/* ------------------------------------------------------------------ directed yield */

/*
 * A task is freed after an RCU grace period at the earliest, and its last KVM_RUN ended before that began: what is read under RCU
 * is a task that still exists.
 */
static struct task_struct *get_runner(struct vtx_vcpu *vcpu)
{
	struct task_struct *task;

	rcu_read_lock();
	task = READ_ONCE(vcpu->spin.runner);
	if (task)
		get_task_struct(task);
	rcu_read_unlock();
	return task;
}

static bool yield_to_vcpu(struct vtx_vcpu *spinner, struct vtx_vcpu *target)
{
	struct task_struct *task = get_runner(target);
	bool yielded;

	if (!task)
		return false;
	spinner->counts.directed_yield_attempted++;
	yielded = yield_to(task, true) > 0;
	put_task_struct(task);
	if (yielded)
		spinner->counts.directed_yield_successful++;
	else /* it runs, or may not run: not again before it has lost the CPU once more */
		WRITE_ONCE(target->spin.facts, 0);
	return yielded;
}

static void on_spin(struct vtx_vcpu *vcpu)
{
	struct vtx_vm *vm = vcpu->vm;
	int i = vtx_spin_choose(vtx_vm_num_vcpus(vm), READ_ONCE(vm->spin_last), facts_about, vcpu);

	if (i >= 0 && yield_to_vcpu(vcpu, vm->vcpus[i]))
		WRITE_ONCE(vm->spin_last, i);
}

void vtx_pause_yield_to_id(struct vtx_vcpu *vcpu, u32 id)
{
	struct vtx_vcpu *target = vtx_vcpu_by_id(vcpu->vm, id);

	if (target && target != vcpu && (READ_ONCE(target->spin.facts) & VTX_SPIN_READY))
		yield_to_vcpu(vcpu, target);
}

/* A guest that spins. */
int vtx_exit_pause(struct vtx_vcpu *vcpu)
{
	preempt_disable();
	set_window(vcpu, vtx_ple_grown(&vtx_ple, vcpu->spin.window));
	preempt_enable();
	vtx_skip_insn(vcpu);
	on_spin(vcpu);
	return VTX_EXIT_RESUME;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The run loop.
 *
 * The inner loop enters the guest again and again as long as exits can be answered with interrupts off and the guest's FPU and
 * MSRs in the CPU.  The outer loop does the rest: exits that sleep, requests, HLT, signals, the scheduler.
 */
#include <linux/context_tracking.h>
#include <linux/ftrace.h>
#include <linux/instrumentation.h>
#include <linux/irqflags.h>
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include <linux/srcu.h>
#include <asm/debugreg.h>
#include "ept/ept.h"
#include "exits/cpuid.h"
#include "exits/emulation.h"
#include "exits/exits.h"
#include "exits/pause.h"
#include "irqchip/irqchip.h"
#include "trace/events.h"
#include "trace/recorder.h"
#include "vmx/caps.h"
#include "vmx/controls.h"
#include "vmx/entry_state.h"
#include "vmx/event.h"
#include "vmx/guest_debug.h"
#include "vmx/halt_poll.h"
#include "vmx/regs.h"
#include "vmx/session.h"

int vtx_enter(struct vtx_vcpu *vcpu, bool launched); /* enter.S */
void vtx_deliver_host_nmi(void);

/* Work the scheduler or signals have for this thread. */
#define THREAD_WORK (_TIF_NEED_RESCHED | _TIF_SIGPENDING | _TIF_NOTIFY_SIGNAL | _TIF_NOTIFY_RESUME)

static inline bool thread_work(void)
{
	return READ_ONCE(current_thread_info()->flags) & THREAD_WORK;
}

/* ------------------------------------------------------------------ one entry */

/* Lockdep, RCU and context tracking learn that the guest runs with interrupts on. */
static noinstr int enter_guest(struct vtx_vcpu *vcpu)
{
	int failed;

	instrumentation_begin();
	trace_hardirqs_on_prepare();
	lockdep_hardirqs_on_prepare();
	instrumentation_end();
	context_tracking_guest_enter();
	lockdep_hardirqs_on(CALLER_ADDR0);

	if (vcpu->cr2 != native_read_cr2())
		native_write_cr2(vcpu->cr2);
	failed = vtx_enter(vcpu, vcpu->vmcs.launched);
	vcpu->cr2 = native_read_cr2();

	lockdep_hardirqs_off(CALLER_ADDR0);
	context_tracking_guest_exit();
	instrumentation_begin();
	trace_hardirqs_off_finish();
	instrumentation_end();
	return failed;
}

/*
 * The VMX-preemption timer gets what is left until the deadline. The first count is shorter than the others: one more, so that the
 * guest is never early. False for all that is rare: the deadline has passed, the timer is not switched on yet.
 */
static __always_inline bool timer_written(struct vtx_vcpu *vcpu)
{
	u64 left = (vcpu->apic->due_tsc - rdtsc()) >> vtx_caps.preemption_rate;

	if (unlikely(left >= U32_MAX || !(vcpu->pin_ctrl & PIN_BASED_VMX_PREEMPTION_TIMER)))
		return false;
	vtx_vmwrite32(VMX_PREEMPTION_TIMER_VALUE, left + 1);
	return true;
}

/* What is requested after @requests was read comes with a kick. */
static void answer_fast_requests(struct vtx_vcpu *vcpu, unsigned long requests)
{
	/* Stays set while the timer runs, so the others are looked at before they are taken, which is a locked operation. */
	if (requests & BIT(VTX_REQ_TIMER)) {
		if (unlikely(!timer_written(vcpu)))
			vtx_lapic_timer_before_entry(vcpu);
		else if (requests == BIT(VTX_REQ_TIMER))
			return;
	}
	if (vtx_vcpu_test_request(vcpu, VTX_REQ_TLB_FLUSH) && test_and_clear_bit(VTX_REQ_TLB_FLUSH, &vcpu->requests))
		vtx_vpid_flush(vcpu);
	if (vtx_vcpu_test_request(vcpu, VTX_REQ_EVENT) && test_and_clear_bit(VTX_REQ_EVENT, &vcpu->requests))
		vtx_events_before_entry(vcpu);
}

/* The guest was not entered, and why is in exit_reason and in what stands for the qualification. */
static int not_entered(struct vtx_vcpu *vcpu, u32 reason, u64 qualification)
{
	vcpu->exit_tsc = rdtsc();
	vcpu->exit_reason = reason;
	vtx_exit_open(vcpu, reason, vcpu->exit_tsc);
	vcpu->qualification = qualification;
	vcpu->cached |= BIT(VTX_CACHE_QUAL);
	vtx_exit_note_other(vcpu, reason);
	vtx_exit_left_open(vcpu);
	return VTX_EXIT_SLOW;
}

/*
 * Exits caused by an instruction, which cannot have interrupted the delivery of an event. For the others, and when something was
 * injected, the IDT-vectoring information is read.
 */
#define INSTRUCTION_EXITS                                                                                       \
	(BIT_ULL(EXIT_REASON_CPUID) | BIT_ULL(EXIT_REASON_HLT) | BIT_ULL(EXIT_REASON_INVLPG) |                  \
	 BIT_ULL(EXIT_REASON_RDPMC) | BIT_ULL(EXIT_REASON_RDTSC) | BIT_ULL(EXIT_REASON_VMCALL) |                \
	 BIT_ULL(EXIT_REASON_CR_ACCESS) | BIT_ULL(EXIT_REASON_DR_ACCESS) |                                      \
	 BIT_ULL(EXIT_REASON_IO_INSTRUCTION) | BIT_ULL(EXIT_REASON_MSR_READ) | BIT_ULL(EXIT_REASON_MSR_WRITE) | \
	 BIT_ULL(EXIT_REASON_PAUSE_INSTRUCTION) | BIT_ULL(EXIT_REASON_WBINVD) | BIT_ULL(EXIT_REASON_XSETBV) |   \
	 BIT_ULL(EXIT_REASON_EOI_INDUCED) | BIT_ULL(EXIT_REASON_APIC_WRITE))

static inline bool something_injected(struct vtx_vcpu *vcpu)
{
	return vcpu->events.exc.injected | vcpu->events.nmi_injected | vcpu->events.irq.injected;
}

/* NMIs and machine checks are the host's. */
static void host_exceptions(struct vtx_vcpu *vcpu)
{
	u32 info = vtx_vmread32(VM_EXIT_INTR_INFO);
	u32 vector = info & INTR_INFO_VECTOR_MASK;
	bool vectoring;

	if ((info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_NMI_INTR) {
		instrumentation_begin();
		vtx_deliver_host_nmi();
		instrumentation_end();
		return;
	}
	if (vector == X86_TRAP_MC) {
		asm volatile("int $18");
		return;
	}
	/* IRET unblocked NMIs and then faulted: it has not happened (SDM vol. 3, 28.2.3). */
	vectoring = vtx_vmread32(IDT_VECTORING_INFO_FIELD) & VECTORING_INFO_VALID_MASK;
	if (!vectoring && (info & INTR_INFO_UNBLOCK_NMI) && vector != X86_TRAP_DF)
		vtx_set_nmi_blocked(vcpu, true);
}

static void after_exit(struct vtx_vcpu *vcpu)
{
	u64 tsc = rdtsc();
	u32 reason;

	vcpu->exit_tsc = tsc;
	reason = vtx_vmread32(VM_EXIT_REASON);
	vcpu->exit_reason = reason;
	/* A failed check of guest state leaves the launch state alone, and no event was delivered (SDM vol. 3, 27.8). */
	if (unlikely(reason & VMX_EXIT_REASONS_FAILED_VMENTRY)) {
		vtx_exit_open(vcpu, reason, tsc);
		trace_kvm_exit(reason, vcpu);
		return;
	}
	vcpu->vmcs.launched = true;
	if (reason == EXIT_REASON_EXCEPTION_NMI)
		host_exceptions(vcpu);
	if (unlikely(reason >= 64 || !(INSTRUCTION_EXITS & BIT_ULL(reason)) || something_injected(vcpu)))
		vtx_events_after_exit(vcpu);
	vtx_exit_open(vcpu, reason, tsc);
	trace_kvm_exit(reason, vcpu);
	/*
	 * An injected event is delivered before the processor looks at external interrupts. A guest whose exceptions raise the next one
	 * in delivery, for ever (#AC upon #AC, CVE-2015-5307; #DB upon #DB, CVE-2015-8104), would starve the host without a look here.
	 */
	if (reason == EXIT_REASON_EXTERNAL_INTERRUPT || reason == EXIT_REASON_EXCEPTION_NMI || unlikely(something_injected(vcpu)))
		vtx_session_take_interrupts(vcpu);
}

/* ------------------------------------------------------------------ the inner loop */

/*
 * Return: VTX_EXIT_SLOW - an exit waits for vtx_handle_exit(); VTX_EXIT_RESUME - nothing to handle, but the outer loop has work;
 * VTX_EXIT_USER or -errno - leave KVM_RUN.
 */
static int inner_loop(struct vtx_vcpu *vcpu)
{
	struct vtx_vm *vm = vcpu->vm;
	unsigned long requests;
	int r;

	vtx_session_begin(vcpu);
	vtx_exit_entering(vcpu);
	for (;;) {
		/* Full barrier: pairs with vtx_vcpu_request() and vtx_ept_flush(). */
		smp_store_mb(vcpu->mode, VTX_IN_GUEST);
		requests = READ_ONCE(vcpu->requests);
		if (unlikely(requests & ~VTX_FAST_REQS) || unlikely(thread_work())) {
			r = VTX_EXIT_RESUME;
			break;
		}
		if (requests)
			answer_fast_requests(vcpu, requests);
		if (unlikely(vcpu->ept_gen != atomic64_read(&vm->ept.gen)))
			vtx_ept_tlb_before_entry(vcpu);
		vtx_regs_flush(vcpu);
		if (static_branch_unlikely(&vtx_check_entry)) {
			if (!vtx_tlb_check_entry(vcpu)) {
				r = VTX_EXIT_RESUME; /* the VM is dead, which the outer loop sees */
				break;
			}
			if (!vtx_entry_allowed(vcpu)) {
				r = not_entered(vcpu, vcpu->exit_reason, vcpu->qualification);
				break;
			}
		}
		trace_kvm_entry(vcpu);

		if (unlikely(enter_guest(vcpu))) {
			WRITE_ONCE(vcpu->mode, VTX_OUTSIDE);
			/* VMLAUNCH or VMRESUME failed. The error is taken now, as the next VMX instruction that fails overwrites it. */
			r = not_entered(vcpu, ~0u, vtx_vmread32(VM_INSTRUCTION_ERROR));
			break;
		}
		WRITE_ONCE(vcpu->mode, VTX_OUTSIDE);
		after_exit(vcpu);
		r = vtx_handle_exit_fast(vcpu);
		if (r != VTX_EXIT_RESUME) {
			vtx_exit_left_open(vcpu);
			break;
		}
		vtx_exit_close_fast(vcpu);
	}
	WRITE_ONCE(vcpu->mode, VTX_OUTSIDE);
	vtx_session_end(vcpu);
	return r;
}

/* ------------------------------------------------------------------ HLT and waiting for SIPI */

static bool should_wake(struct vtx_vcpu *vcpu)
{
	unsigned long wakers = BIT(VTX_REQ_UNBLOCK) | BIT(VTX_REQ_TRIPLE_FAULT) | BIT(VTX_REQ_VM_DEAD) | BIT(VTX_REQ_APIC_EVENT);

	vtx_lapic_timer_look(vcpu);
	if (READ_ONCE(vcpu->requests) & wakers)
		return true;
	return vcpu->mp_state == KVM_MP_STATE_HALTED && vtx_vcpu_has_event(vcpu);
}

/* Buckets as those of all logarithmic histograms of KVM: [0] is 0, [n] is [2^(n-1), 2^n), the last one everything above. */
static void count_halt(struct vtx_vcpu_counts *counts, u64 ns)
{
	counts->halt_wait_ns += ns;
	counts->halt_wait_hist[min(fls64(ns), VTX_HALT_BUCKETS - 1)]++;
}

/*
 * Sleeps until there is a reason to run. A waker sets a request or an IRR bit and then calls vtx_vcpu_wake(): rcuwait orders its
 * store before the wake-up against our set_current_state() before the check. *@slept: when it fell asleep, 0 if it did not.
 * Return 0 or -EINTR.
 */
static int sleep_until_event(struct vtx_vcpu *vcpu, u64 *slept)
{
	int r = 0;

	vtx_lapic_timer_sleep(vcpu);
	WRITE_ONCE(vcpu->counts.blocking, 1);
	vtx_livelock_block(vcpu);
	prepare_to_rcuwait(&vcpu->wait);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (should_wake(vcpu))
			break;
		if (signal_pending(current)) {
			r = -EINTR;
			break;
		}
		if (!*slept)
			*slept = ktime_get_ns();
		schedule();
	}
	finish_rcuwait(&vcpu->wait);
	WRITE_ONCE(vcpu->counts.blocking, 0);
	vtx_livelock_unblock(vcpu);
	return r;
}

/* Waits for a reason to run: in HLT it polls for a while first. Return 0 or -EINTR. */
static int block(struct vtx_vcpu *vcpu)
{
	bool halted = vcpu->mp_state == KVM_MP_STATE_HALTED, found = false;
	u64 since = rdtsc(), start = ktime_get_ns(), end, slept = 0;
	int r = 0;

	end = halted ? vtx_halt_poll(vcpu, start, should_wake, &found) : 0;
	if (!found || signal_pending(current))
		r = sleep_until_event(vcpu, &slept);
	if (!found || slept)
		end = ktime_get_ns();
	if (halted) {
		if (slept)
			count_halt(&vcpu->counts, end - slept);
		vtx_halt_poll_learn(vcpu, end - start);
	}
	vtx_exit_slept(vcpu, rdtsc() - since);
	clear_bit(VTX_REQ_UNBLOCK, &vcpu->requests);
	trace_kvm_vcpu_wakeup(end - start, slept);
	return r;
}

/*
 * INIT first, then SIPI: SDM vol. 3, 8.4. Both are taken in one: looked at one after the other, an INIT and its SIPI that arrive in
 * between would come out as a SIPI, which a running processor drops, and then an INIT, after which it waits for ever. Of an INIT
 * that arrives after this, the request is set again.
 */
void vtx_accept_apic_events(struct vtx_vcpu *vcpu)
{
	struct kvm_segment cs;
	unsigned long events;

	clear_bit(VTX_REQ_APIC_EVENT, &vcpu->requests);
	smp_mb__after_atomic(); /* the sender sets the event, then the request */
	events = xchg(&vcpu->apic_events, 0);
	if (events & BIT(VTX_APIC_INIT)) {
		vtx_vcpu_reset(vcpu, true);
		vcpu->mp_state = vcpu->id == vcpu->vm->boot_cpu_id ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_INIT_RECEIVED;
	}
	if ((events & BIT(VTX_APIC_SIPI)) && vcpu->mp_state == KVM_MP_STATE_INIT_RECEIVED) {
		vtx_get_segment(vcpu, VTX_CS, &cs);
		cs.selector = READ_ONCE(vcpu->sipi_vector) << 8;
		cs.base = (u64)cs.selector << 4;
		vtx_set_segment(vcpu, VTX_CS, &cs);
		vtx_set_rip(vcpu, 0);
		vcpu->mp_state = KVM_MP_STATE_RUNNABLE;
	}
}

/* ------------------------------------------------------------------ the outer loop */

static int interrupted(struct vtx_vcpu *vcpu)
{
	vcpu->run->exit_reason = KVM_EXIT_INTR;
	vcpu->counts.signal_exits++;
	return -EINTR;
}

/* A rule of the stream's filter stops the vCPU after an exit (docs/tracing.md). */
static int trace_stop(struct vtx_vcpu *vcpu)
{
	vcpu->run->exit_reason = KVM_EXIT_DEBUG;
	vcpu->run->debug.arch = (struct kvm_debug_exit_arch){
		.exception = VTX_DEBUG_TRACE_STOP,
		.pc = vtx_linear_rip(vcpu),
	};
	return VTX_EXIT_USER;
}

/* Split irqchip: the guest has ended an interrupt that user space's IOAPIC sent. */
static int ioapic_eoi(struct vtx_vcpu *vcpu)
{
	int vector = vtx_take_ioapic_eoi(vcpu);

	if (vector < 0) /* forgotten by INIT */
		return VTX_EXIT_RESUME;
	vcpu->run->exit_reason = KVM_EXIT_IOAPIC_EOI;
	vcpu->run->eoi.vector = vector;
	return VTX_EXIT_USER;
}

/* Requests that may sleep or leave. VTX_EXIT_RESUME or what KVM_RUN returns. */
static int answer_requests(struct vtx_vcpu *vcpu)
{
	int idx, r;

	if (vtx_vcpu_test_request(vcpu, VTX_REQ_VM_DEAD))
		return -EIO;
	if (vtx_vcpu_test_request(vcpu, VTX_REQ_RING_FULL) && vtx_dirty_ring_stops(vcpu)) {
		vcpu->run->exit_reason = KVM_EXIT_DIRTY_RING_FULL;
		return VTX_EXIT_USER;
	}
	if (test_and_clear_bit(VTX_REQ_PML, &vcpu->requests))
		vtx_pml_update(vcpu);
	if (test_and_clear_bit(VTX_REQ_TRACE_STOP, &vcpu->requests))
		return trace_stop(vcpu);
	if (test_and_clear_bit(VTX_REQ_TRIPLE_FAULT, &vcpu->requests))
		return vtx_triple_fault_raised(vcpu);
	if (test_and_clear_bit(VTX_REQ_DEBUG_STEP, &vcpu->requests))
		return vtx_debug_exit(vcpu, X86_TRAP_DB, DR_STEP);
	if (test_and_clear_bit(VTX_REQ_IOAPIC_EOI, &vcpu->requests)) {
		r = ioapic_eoi(vcpu);
		if (r != VTX_EXIT_RESUME)
			return r;
	}
	if (test_and_clear_bit(VTX_REQ_ENABLED, &vcpu->requests)) {
		vtx_controls_update_exceptions(vcpu);
		vtx_controls_update_exits(vcpu);
		vtx_cpuid_update(vcpu);
	}
	clear_bit(VTX_REQ_UNBLOCK, &vcpu->requests);
	idx = srcu_read_lock(&vcpu->vm->srcu);
	if (test_and_clear_bit(VTX_REQ_MSR_FILTER, &vcpu->requests))
		vtx_msr_bitmap_update(vcpu);
	if (test_and_clear_bit(VTX_REQ_CLOCK, &vcpu->requests))
		vtx_pv_clock_update(vcpu);
	if (test_and_clear_bit(VTX_REQ_STEAL, &vcpu->requests))
		vtx_pv_steal_update(vcpu);
	srcu_read_unlock(&vcpu->vm->srcu, idx);
	if (vtx_vcpu_test_request(vcpu, VTX_REQ_APIC_EVENT))
		vtx_accept_apic_events(vcpu);
	return VTX_EXIT_RESUME;
}

/*
 * The scheduler's and signals' turn. Task work (TIF_NOTIFY_RESUME: rseq after a preemption, for one) can only run on the way to
 * user space, and the kernel's helper for hypervisors wants a struct kvm_vcpu. So the system call is restarted: with a signal
 * flagged that does not exist, the kernel does the work, finds no signal and repeats KVM_RUN without user space noticing.
 */
static int thread_turn(struct vtx_vcpu *vcpu)
{
	if (signal_pending(current))
		return interrupted(vcpu);
	cond_resched();
	if (signal_pending(current))
		return interrupted(vcpu);
	if (test_thread_flag(TIF_NOTIFY_RESUME)) {
		set_thread_flag(TIF_SIGPENDING);
		return -ERESTARTNOINTR;
	}
	return VTX_EXIT_RESUME;
}

static bool user_wants_window(struct vtx_vcpu *vcpu)
{
	return vcpu->vm->irqchip_mode != VTX_IRQCHIP_KERNEL && READ_ONCE(vcpu->run->request_interrupt_window) &&
	       vtx_user_irq_welcome(vcpu);
}

static int handle_slow(struct vtx_vcpu *vcpu)
{
	int idx = srcu_read_lock(&vcpu->vm->srcu);
	int r = vtx_handle_exit(vcpu);

	srcu_read_unlock(&vcpu->vm->srcu, idx);
	return r;
}

/* One turn of the outer loop. VTX_EXIT_RESUME: go on. */
static int run_once(struct vtx_vcpu *vcpu)
{
	int r = VTX_EXIT_RESUME;

	if (READ_ONCE(vcpu->requests) & ~VTX_FAST_REQS)
		r = answer_requests(vcpu);
	if (r == VTX_EXIT_RESUME && vcpu->mp_state != KVM_MP_STATE_RUNNABLE) {
		r = block(vcpu);
		if (r)
			return interrupted(vcpu);
		if (vcpu->mp_state == KVM_MP_STATE_HALTED && !vtx_vcpu_test_request(vcpu, VTX_REQ_APIC_EVENT))
			vcpu->mp_state = KVM_MP_STATE_RUNNABLE;
		return VTX_EXIT_RESUME;
	}
	if (unlikely(vcpu->livelock.window_since))
		vtx_livelock_window(vcpu);
	if (r == VTX_EXIT_RESUME && thread_work())
		r = thread_turn(vcpu);
	if (r != VTX_EXIT_RESUME)
		return r;
	if (unlikely(user_wants_window(vcpu))) {
		vcpu->run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
		vcpu->counts.request_irq_exits++;
		return VTX_EXIT_USER;
	}
	if (vtx_debug_steps(vcpu))
		vtx_debug_arm_step(vcpu);
	r = inner_loop(vcpu);
	/*
	 * User space reads a ring without asking: what the processor has logged is in it whenever the vCPU is not in the
	 * inner loop.
	 */
	if (unlikely(vcpu->dirty_log.ring.gfns))
		vtx_pml_drain(vcpu);
	if (r == VTX_EXIT_SLOW)
		r = handle_slow(vcpu);
	return r;
}

/* A vCPU that waits for INIT or SIPI: KVM_RUN returns -EAGAIN after one arrived, and the next call runs it. */
static int wait_for_sipi(struct vtx_vcpu *vcpu)
{
	if (block(vcpu))
		return interrupted(vcpu);
	if (vtx_vcpu_test_request(vcpu, VTX_REQ_VM_DEAD))
		return -EIO;
	vtx_accept_apic_events(vcpu);
	return -EAGAIN;
}

int vtx_vcpu_run(struct vtx_vcpu *vcpu)
{
	int r;

	if (READ_ONCE(vcpu->vm->dead))
		return -EIO;
	if (vcpu->mp_state == KVM_MP_STATE_UNINITIALIZED || vcpu->mp_state == KVM_MP_STATE_INIT_RECEIVED)
		return wait_for_sipi(vcpu);
	/* KVM_INTERRUPT, request_interrupt_window and register changes may have come since. */
	vtx_vcpu_request(vcpu, VTX_REQ_EVENT);

	vtx_livelock_enter(&vcpu->livelock);
	vtx_pause_run_begins(vcpu);
	vtx_pv_steal_run(vcpu);
	do {
		r = run_once(vcpu);
	} while (r == VTX_EXIT_RESUME);
	vtx_pause_run_ends(vcpu);
	vtx_exit_to_user(vcpu, r);
	vtx_livelock_leave(&vcpu->livelock);
	return r;
}

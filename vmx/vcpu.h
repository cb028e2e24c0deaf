/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * struct vtx_vcpu: one virtual CPU.
 *
 * Everything here belongs to the thread inside a vCPU ioctl (it holds vcpu->mutex), except the fields marked "any",
 * which other CPUs may touch as described.  Functions that read or write the VMCS may only be called between
 * vtx_vcpu_load() and vtx_vcpu_put(), as every vCPU ioctl does; preemption in between is fine, a preempt notifier
 * moves the VMCS.
 */
#ifndef VTX_VMX_VCPU_H
#define VTX_VMX_VCPU_H

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/kvm.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rcuwait.h>
#include <linux/signal_types.h>
#include <linux/types.h>
#include "exits/cpuid_policy.h"
#include "exits/io_pending.h"
#include "pv/clock.h"
#include "pv/steal.h"
#include "trace/fault_chain.h"
#include "trace/livelock.h"
#include "trace/stats.h"
#include "vmx/apicv.h"
#include "vmx/fpu.h"
#include "vmx/vm.h"
#include "vmx/vmcs.h"

/* General registers in the order of the instruction encoding. enter.S relies on it and on regs[] being first. */
enum vtx_gpr {
	VTX_RAX, VTX_RCX, VTX_RDX, VTX_RBX, VTX_RSP, VTX_RBP, VTX_RSI, VTX_RDI,
	VTX_R8, VTX_R9, VTX_R10, VTX_R11, VTX_R12, VTX_R13, VTX_R14, VTX_R15,
	VTX_NR_GPRS,
};

/* Segment registers in the order of the instruction encoding (as enum of emulate/); LDTR and TR follow. */
enum vtx_seg { VTX_ES, VTX_CS, VTX_SS, VTX_DS, VTX_FS, VTX_GS, VTX_LDTR, VTX_TR, VTX_NR_SEGS };

/*
 * Requests: bits in vcpu->requests, set by anybody, consumed before the next VM entry.
 * The fast ones are answered in the inner loop with interrupts off, the others may sleep.
 */
enum vtx_request {
	VTX_REQ_EVENT,		/* fast: look again at what could be injected */
	VTX_REQ_TLB_FLUSH,	/* fast: INVVPID of this vCPU's translations */
	VTX_REQ_TIMER,		/* fast, and stays set: the LAPIC timer is on the VMX-preemption timer (irqchip/lapic_kernel.c) */
	VTX_NR_FAST_REQS,
	VTX_REQ_CLOCK = VTX_NR_FAST_REQS, /* write the paravirtual clock page anew */
	VTX_REQ_STEAL,		/* write the steal time anew */
	VTX_REQ_TRIPLE_FAULT,	/* leave with KVM_EXIT_SHUTDOWN */
	VTX_REQ_VM_DEAD,	/* vtx_vm_fail() was called: leave with EIO */
	VTX_REQ_APIC_EVENT,	/* INIT or SIPI waits */
	VTX_REQ_UNBLOCK,	/* leave HLT even without an event (KVM_SET_MP_STATE and the like) */
	VTX_REQ_PML,		/* PML on or off, as the slots want it (ept/pml.c) */
	VTX_REQ_RING_FULL,	/* the dirty ring is near its end: leave with KVM_EXIT_DIRTY_RING_FULL */
	VTX_REQ_DEBUG_STEP,	/* leave with KVM_EXIT_DEBUG: an instruction that vtx executed was a step (vmx/guest_debug.c) */
	VTX_REQ_ENABLED,	/* KVM_ENABLE_CAP of the VM: exceptions to intercept, exits to do without, CPUID */
	VTX_REQ_MSR_FILTER,	/* the VM has another MSR filter: the MSR bitmap follows */
	VTX_REQ_TRACE_STOP,	/* leave with KVM_EXIT_DEBUG: a rule of the stream's filter says so */
	VTX_REQ_IOAPIC_EOI,	/* leave with KVM_EXIT_IOAPIC_EOI: vtx_take_ioapic_eoi() */
	VTX_NR_REQS,
};
#define VTX_FAST_REQS (BIT(VTX_NR_FAST_REQS) - 1)

/* Where the vCPU is; see vtx_vcpu_kick(). */
enum vtx_mode { VTX_OUTSIDE, VTX_IN_GUEST };

/* Registers that live in the VMCS and are read at most once per exit, written at most once per entry. */
enum vtx_cached { VTX_CACHE_RIP, VTX_CACHE_RSP, VTX_CACHE_RFLAGS, VTX_CACHE_CR3, VTX_CACHE_CR0, VTX_CACHE_CR4,
		  VTX_CACHE_QUAL, VTX_CACHE_INSN_LEN, VTX_CACHE_CPL };

/* An event on its way into the guest. */
struct vtx_exception {
	bool pending;		/* to be injected at the next entry */
	bool injected;		/* was in the VM-entry field when an exit cut its delivery short: inject again */
	u8 vector;
	bool has_error;
	bool soft;		/* INT3/INTO: needs the instruction length */
	u32 error;
	bool has_payload;	/* CR2 or DR6 not yet in the register */
	u64 payload;
};

struct vtx_events {
	int user_irq;			/* KVM_INTERRUPT's vector waiting for its window (and, with a local APIC, LINT0), -1 none */
	bool user_window;		/* user space asked for the window that was asked for at the last entry */
	struct vtx_exception exc;
	struct {
		bool injected;
		bool soft;
		u8 vector;
	} irq;			/* an interrupt already acknowledged, to be injected (again) */
	bool nmi_injected;
	atomic_t nmi_pending;	/* any: 0..2, as one may wait while another is in service */
	u8 insn_len;		/* for soft events */
	bool exc_entered;	/* the entry that the last exit ended injected exc */
};

/* The host's values while the guest's are in the CPU (vmx/host_state.c). */
struct vtx_host {
	unsigned long cr3, cr4, fs_base;	/* as last written to the VMCS */
	unsigned long kernel_gs_base;
	u16 ds, es, fs, gs, ldt;
};

struct vtx_vcpu {
	/* --- known to enter.S by offset, see the asserts in vmx/vcpu.c --- */
	u64 regs[VTX_NR_GPRS];		/* RSP is valid only through vtx_rsp() */
	u64 host_rsp;			/* as last written to the VMCS */
	u64 msr_spec_ctrl;		/* guest's IA32_SPEC_CTRL, loaded around guest execution when it differs */
	u64 host_spec_ctrl;

	/* --- hot: every exit --- */
	u64 rip, rflags, cr3;
	unsigned long cached;		/* bit per enum vtx_cached: value here is valid */
	unsigned long dirty;		/* bit per enum vtx_cached: must go to the VMCS before entry */
	u64 qualification;
	u32 exit_reason;		/* full 32 bits of the VMCS field */
	u32 insn_len;
	unsigned long requests;		/* any: atomic bits */
	int mode;			/* any reads; enum vtx_mode */
	int cpu;			/* CPU whose VMCS pointer we are, -1 none */
	bool guest_loaded;		/* guest MSRs are in the CPU, the host's in @host */
	u64 exit_tsc;			/* TSC at the last exit */
	struct vtx_vm *vm;
	struct kvm_run *run;		/* shared with user space: never trust, read once */
	struct vtx_vmcs vmcs;
	struct vtx_events events;
	struct vtx_lapic_kernel *apic;	/* NULL without in-kernel local APIC */

	/* --- control register and mode state (vmx/cr.c) --- */
	u64 cr0, cr4;			/* as the guest sees them; host-owned bits authoritative here */
	u64 efer, cr2, cr8;
	u64 cr0_guest_owned, cr4_guest_owned;
	u64 xcr0;
	u64 apic_base;
	u64 pdptrs[4];
	u64 db[4], dr6, dr7;		/* the guest's */
	const u64 *hw_db;		/* those in the processor: these or the debugger's (vmx/guest_debug.c) */
	u64 hw_dr7;
	struct {
		u32 control;		/* KVM_GUESTDBG_*; 0: not debugged */
		u64 db[4], dr7;		/* with KVM_GUESTDBG_USE_HW_BP */
	} debug;

	/* --- event windows and controls last written to the VMCS (vmx/controls.c) --- */
	u32 pin_ctrl, exec_ctrl, exec2_ctrl, entry_ctrl;
	u32 interruptibility;		/* valid between exit and entry when cached */
	struct vtx_apicv apicv;		/* what the processor does of the local APIC (vmx/apicv.c) */

	/* --- MSRs that the CPU does not keep for us (exits/msr*.c, vmx/host_msrs.c) --- */
	u64 msr_star, msr_lstar, msr_cstar, msr_fmask, msr_kernel_gs_base, msr_tsc_aux;
	u64 msr_misc_enable, msr_misc_features, msr_arch_capabilities, msr_power_ctl;
	u64 msr_platform_info, msr_ucode_rev;
	u64 mcg_status, mcg_ctl;
	u64 mtrr_fixed[11], mtrr_var[16], mtrr_def_type;
	u64 tsc_offset, tsc_ratio;	/* any reads (pv/guest_tsc.h) */
	u64 tsc_lost;			/* vtx_tsc_lost when tsc_offset was right (pv/tsc_sleep.h) */
	u64 tsc_adjust;
	u32 tsc_khz;			/* as KVM_SET_TSC_KHZ said, or the VM's */
	void *msr_bitmap;

	struct vtx_host host;
	struct vtx_fpu fpu;
	struct vtx_emu *emu;		/* the emulator's context, allocated once */
	struct vtx_pv_clock pv_clock;
	struct vtx_pv_steal pv_steal;
	struct vtx_cpuid cpuid;
	struct vtx_io_pending io;	/* PIO or MMIO that user space has to answer */

	/* --- scheduling --- */
	struct mutex mutex;		/* one ioctl at a time */
	struct vtx_ext_buffer __rcu *ext_error;	/* any: VTX_SET_EXT_ERROR (uapi/ext_error.h) */
	struct rcuwait wait;		/* any: woken by vtx_vcpu_wake() */
	struct preempt_notifier notifier;
	struct {
		struct task_struct *runner;	/* any reads under RCU: who is inside KVM_RUN, or NULL */
		u32 facts;			/* any: VTX_SPIN_* of exits/pause_policy.h, 0 while it has a CPU */
		u32 window;			/* PLE_WINDOW of the VMCS */
	} spin;				/* exits/pause.c */
	u64 ept_gen;			/* EPT generation this vCPU last flushed for */
	struct vtx_tlb_ledger tlb_ledger;	/* ept/tlb_check.c */
	struct vtx_vcpu_dirty dirty_log;
	u16 vpid;
	u32 halt_poll_ns;		/* how long the next HLT polls (vmx/halt_poll.c) */
	u32 mp_state;			/* KVM_MP_STATE_* */
	unsigned long apic_events;	/* any: atomic bits VTX_APIC_INIT, VTX_APIC_SIPI */
	u8 sipi_vector;
	bool sigset_active;
	sigset_t sigset;
	u32 id;				/* KVM_CREATE_VCPU's argument */
	int index;			/* position in vm->vcpus */

	/* --- what happened (trace/recorder.h): written by the vCPU thread, read by anybody --- */
	struct vtx_vcpu_counts counts;
	struct vtx_vcpu_stats *stats;
	struct vtx_vcpu_stats *stats_then;	/* debugfs: where they stood when last cleared; NULL: never (trace/debugfs_stats.c) */
	struct vtx_ring *ring;
	struct vtx_record *record;	/* of the last exit */
	bool exit_open;			/* ... which is not answered yet, outside the inner loop */
	struct vtx_exit_stat *user_stat;	/* user space has been asked since user_tsc because of this one, or NULL */
	u64 user_tsc;
	union {
		struct {
			u32 entry_event;	/* VM-entry interruption information of the entry that injected */
			u32 vectoring;		/* IDT-vectoring information of the exit */
		};
		u64 noted_events;		/* both; 0 once recorded */
	};
	struct vtx_entry_check *entry_check;	/* room for vmx/entry_check.c */
	bool fault_chain;		/* all exceptions are intercepted (VTX_SET_FAULT_CHAIN) */
	struct vtx_fault_chain faults;	/* exceptions that passed through vtx, the last that belong together */
	struct vtx_livelock livelock;
	struct vtx_report *report;	/* what stopped it last (trace/report.c) */
	struct dentry *debugfs;
};

enum { VTX_APIC_INIT, VTX_APIC_SIPI };

/* ------------------------------------------------------------------ life (vmx/vcpu.c) */

/**
 * vtx_vcpu_create() - a vCPU in its reset state
 * Caller holds vm->lock; @id is below VTX_MAX_VCPU_ID. Return: the vCPU (lives as long as the VM) or ERR_PTR:
 * -EEXIST (id taken), -ENOMEM. It is not yet in vm->vcpus: vtx_vcpu_publish() does that.
 */
struct vtx_vcpu *vtx_vcpu_create(struct vtx_vm *vm, u32 id);
void vtx_vcpu_publish(struct vtx_vcpu *vcpu);
void vtx_vcpu_destroy(struct vtx_vcpu *vcpu);

/* Puts the vCPU into the state after RESET (@init false) or INIT (@init true), SDM vol. 3, table 10-1. Loaded. */
void vtx_vcpu_reset(struct vtx_vcpu *vcpu, bool init);

/* Brackets every vCPU ioctl: the VMCS is current on this CPU in between. May sleep in neither. */
void vtx_vcpu_load(struct vtx_vcpu *vcpu);
void vtx_vcpu_put(struct vtx_vcpu *vcpu);

/* ------------------------------------------------------------------ running (vmx/run.c) */

/**
 * vtx_vcpu_run() - the body of KVM_RUN; caller holds vcpu->mutex and has loaded the vCPU
 * Return: 0 with run->exit_reason set, or -EINTR, -EAGAIN, -EFAULT, -EIO (VM dead), -ENOMEM.
 */
int vtx_vcpu_run(struct vtx_vcpu *vcpu);

/* INIT and SIPI that have arrived take effect on registers and mp_state. Caller as above. */
void vtx_accept_apic_events(struct vtx_vcpu *vcpu);

/* ------------------------------------------------------------------ asking a vCPU (any context) */

/*
 * Why no kick is lost.  Who asks does A (what is asked for: an IRR bit, nmi_pending, apic_events, a signal), B (the request bit), C (the
 * kick); the vCPU's thread does one of three things meanwhile:
 *
 *	asking				entering (inner_loop())		sleeping (block())
 *	A: make it visible		1: mode = IN_GUEST		1: state = TASK_INTERRUPTIBLE
 *	B: set the request		   full barrier			   full barrier
 *	   full barrier			2: look at requests		2: look at requests and events
 *	C: read mode: IPI		3: VM entry			3: schedule()
 *	   read the sleeper: wake it
 *
 * Either 2 sees B, and with it A; or B comes after 2 and so C after 1, by the two barriers, and C finds IN_GUEST or the sleeper.
 *
 * - Before entry: interrupts are off from before 1 until the guest runs.  An IPI sent in between stays pending and ends guest mode at
 *   once (external-interrupt exiting; SDM vol. 3, 26.2), and 1 and 2 come again.
 * - In the guest: the IPI ends it.  mode stays IN_GUEST until after that, so C cannot miss it.
 * - After the exit mode is OUTSIDE and C does nothing; nothing needs to be done, as 1 and 2 come before the next entry. That mode is
 *   written without a barrier: a C that still reads IN_GUEST sends one IPI too many.
 * - cpu is read after mode.  The thread can only change its CPU while OUTSIDE; if the number is old, the vCPU has gone through 1 and 2
 *   since B.  The IPI goes where nobody needs it.
 * - C runs on the vCPU's own CPU: then the guest is not in the CPU, and 1 and 2 are still to come.
 * - Asleep: rcuwait_wake_up() has the full barrier and finds the task that prepare_to_rcuwait() has published before 1.  A wake-up
 *   between 2 and 3 sets TASK_RUNNING, and schedule() returns at once.  Before prepare_to_rcuwait() there is nobody to wake, and 2 is
 *   still to come.  VTX_REQ_EVENT is not consumed by block(), which looks at the events themselves: it is still there for the entry.
 * - A request is cleared before what it stands for is looked at, by a locked operation: made again meanwhile, it is set again.
 * - Signals, immediate_exit, the scheduler: the kernel sets TIF_SIGPENDING or TIF_NEED_RESCHED and then interrupts the CPU, 2 looks at
 *   them as well.  immediate_exit itself is read once, before all this: who sets it sends a signal after it.
 *
 * ept/tlb.c says the same for EPT generations, irqchip/lapic_kernel.c for IRR and its hint; test_kicks tries it.
 */
static inline void vtx_vcpu_request(struct vtx_vcpu *vcpu, unsigned int request)
{
	set_bit(request, &vcpu->requests);
	smp_mb__after_atomic(); /* the request before the look at mode */
}

static inline bool vtx_vcpu_test_request(struct vtx_vcpu *vcpu, unsigned int request)
{
	return test_bit(request, &vcpu->requests);
}

void vtx_vcpu_kick(struct vtx_vcpu *vcpu);	/* out of guest mode (IPI), and out of HLT */
void vtx_vcpu_wake(struct vtx_vcpu *vcpu);	/* out of HLT only */

static inline void vtx_vcpu_request_kick(struct vtx_vcpu *vcpu, unsigned int request)
{
	vtx_vcpu_request(vcpu, request);
	vtx_vcpu_kick(vcpu);
}

/* ------------------------------------------------------------------ registers (vmx/regs.h has the rest) */

/* The vCPU whose VMCS is current on this CPU, or NULL. */
struct vtx_vcpu *vtx_vcpu_running(void);

#endif /* VTX_VMX_VCPU_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VM exits: the table with a row for each architectural exit reason, and what a handler may answer.
 */
#ifndef VTX_EXITS_EXITS_H
#define VTX_EXITS_EXITS_H

#include <linux/types.h>
#include "vmx/vcpu.h"

/*
 * A handler's answer. Fast handlers run in the inner loop: interrupts off, guest FPU and MSRs loaded, no sleep, no user
 * memory; they may answer VTX_EXIT_SLOW and must then have changed nothing. Slow handlers may sleep; they hold vm->srcu.
 */
enum vtx_exit_result {
	VTX_EXIT_USER = 0,	/* to user space: kvm_run is filled */
	VTX_EXIT_RESUME = 1,	/* back into the guest */
	VTX_EXIT_SLOW = 2,	/* fast handlers only: ask the slow one */
	/* negative: errno for KVM_RUN */
};

typedef int (*vtx_exit_fn)(struct vtx_vcpu *vcpu);

struct vtx_exit_row {
	const char *name;	/* as in asm/vmx.h without EXIT_REASON_ */
	vtx_exit_fn fast;	/* NULL: always slow */
	vtx_exit_fn slow;	/* NULL: unexpected, KVM_EXIT_INTERNAL_ERROR with the reason */
};

#define VTX_NR_EXIT_REASONS 76
extern const struct vtx_exit_row vtx_exit_table[VTX_NR_EXIT_REASONS];

/* Called by the run loop. */
int vtx_handle_exit_fast(struct vtx_vcpu *vcpu);
int vtx_handle_exit(struct vtx_vcpu *vcpu);

/*
 * On KVM_RUN after an exit for I/O: takes user space's answer. May sleep; vm->srcu held.
 * Return VTX_EXIT_RESUME, VTX_EXIT_USER (more to ask) or -errno.
 */
int vtx_complete_io(struct vtx_vcpu *vcpu);

/* The handlers, one family a file. */
int vtx_fast_cpuid(struct vtx_vcpu *vcpu);		/* exits/cpuid.c */
int vtx_exit_cpuid(struct vtx_vcpu *vcpu);
int vtx_exit_cr_access(struct vtx_vcpu *vcpu);		/* exits/cr.c */
int vtx_exit_dr_access(struct vtx_vcpu *vcpu);
int vtx_exit_xsetbv(struct vtx_vcpu *vcpu);
int vtx_fast_rdmsr(struct vtx_vcpu *vcpu);		/* exits/msr.c */
int vtx_fast_wrmsr(struct vtx_vcpu *vcpu);
int vtx_exit_rdmsr(struct vtx_vcpu *vcpu);
int vtx_exit_wrmsr(struct vtx_vcpu *vcpu);
int vtx_fast_io(struct vtx_vcpu *vcpu);			/* exits/io.c */
int vtx_exit_io(struct vtx_vcpu *vcpu);
int vtx_fast_ept_violation(struct vtx_vcpu *vcpu);	/* exits/memory.c */
int vtx_exit_ept_violation(struct vtx_vcpu *vcpu);
int vtx_exit_ept_misconfig(struct vtx_vcpu *vcpu);
int vtx_fast_pml_full(struct vtx_vcpu *vcpu);
int vtx_fast_vmcall(struct vtx_vcpu *vcpu);		/* exits/hypercall.c */
int vtx_exit_vmcall(struct vtx_vcpu *vcpu);
int vtx_fast_resume(struct vtx_vcpu *vcpu);		/* exits/misc.c; those that never sleep serve as slow ones as well */
int vtx_fast_window(struct vtx_vcpu *vcpu);
int vtx_fast_irq_window(struct vtx_vcpu *vcpu);
int vtx_fast_preemption_timer(struct vtx_vcpu *vcpu);
int vtx_fast_nop(struct vtx_vcpu *vcpu);
int vtx_fast_monitor(struct vtx_vcpu *vcpu);
int vtx_fast_ud(struct vtx_vcpu *vcpu);
int vtx_fast_gp(struct vtx_vcpu *vcpu);
int vtx_exit_hlt(struct vtx_vcpu *vcpu);
int vtx_exit_invlpg(struct vtx_vcpu *vcpu);
int vtx_fast_apic_write(struct vtx_vcpu *vcpu);		/* exits/apic.c */
int vtx_fast_eoi(struct vtx_vcpu *vcpu);
int vtx_exit_apic_access(struct vtx_vcpu *vcpu);
int vtx_exit_triple_fault(struct vtx_vcpu *vcpu);	/* exits/triple_fault.c */
int vtx_triple_fault_raised(struct vtx_vcpu *vcpu);	/* vtx raised the exceptions that end in it: VTX_REQ_TRIPLE_FAULT */
int vtx_exit_task_switch(struct vtx_vcpu *vcpu);	/* exits/task_switch_exit.c */
int vtx_exit_pause(struct vtx_vcpu *vcpu);		/* exits/pause.c */
int vtx_fast_exception_nmi(struct vtx_vcpu *vcpu);	/* exits/exception.c */
int vtx_exit_exception_nmi(struct vtx_vcpu *vcpu);
/* At #UD: makes VMMCALL the VMCALL that the guest means here, false where it is something else. May sleep (exits/hypercall.c). */
bool vtx_fix_hypercall(struct vtx_vcpu *vcpu);
int vtx_hypercall_answered(struct vtx_vcpu *vcpu);

/*
 * MSRs (exits/msr_access.c): the policy for every index. @host: KVM_GET/SET_MSRS, which may do more than the guest.
 * vCPU loaded. Return 0, 1 (#GP for the guest; "not processed" for the ioctl).
 */
int vtx_msr_get(struct vtx_vcpu *vcpu, u32 index, u64 *data, bool host);
int vtx_msr_set(struct vtx_vcpu *vcpu, u32 index, u64 data, bool host);
/* KVM_GET_MSR_INDEX_LIST / FEATURE_INDEX_LIST: fills at most @n, returns how many there are. */
u32 vtx_msr_index_list(u32 *out, u32 n);
u32 vtx_msr_feature_list(u32 *out, u32 n);
int vtx_msr_feature_get(u32 index, u64 *data);
/* The MSR bitmap a new vCPU starts with; and after the VM's filter has changed (VTX_REQ_MSR_FILTER). vm->lock or SRCU held. */
void vtx_msr_bitmap_init(struct vtx_vcpu *vcpu);
void vtx_msr_bitmap_update(struct vtx_vcpu *vcpu);
/* Does the VM's filter (exits/msr_filter.h) take this access from the guest? SRCU held. */
bool vtx_msr_filtered(struct vtx_vcpu *vcpu, u32 index, bool write);
int vtx_msr_answered(struct vtx_vcpu *vcpu);		/* exits/msr.c: after KVM_EXIT_X86_RDMSR or WRMSR */
void vtx_msrs_reset(struct vtx_vcpu *vcpu, bool init);

struct vtx_emu;
/*
 * Emulates the instruction at RIP (exits/emulation.c). May sleep; vm->srcu held.
 * Return: enum vtx_exit_result or -errno.
 */
int vtx_emulate(struct vtx_vcpu *vcpu);
int vtx_emu_alloc(struct vtx_vcpu *vcpu);	/* -ENOMEM */
void vtx_emu_free(struct vtx_vcpu *vcpu);

/* Fills kvm_run for KVM_EXIT_INTERNAL_ERROR / emulation failure. Return VTX_EXIT_USER. */
int vtx_exit_internal_error(struct vtx_vcpu *vcpu, u32 suberror, u32 ndata, const u64 *data);

#endif /* VTX_EXITS_EXITS_H */

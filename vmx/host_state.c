// SPDX-License-Identifier: GPL-2.0-only
/*
 * Host state around guest execution (SDM vol. 3, 25.5 and 28.5).
 *
 * Three kinds:
 *  - fields of the VMCS host area: constant ones, ones per CPU, and CR3/CR4/FS base, which follow the running task;
 *  - MSRs that only user space and guests care about (STAR, LSTAR, FMASK, TSC_AUX): the guest's value stays in the CPU until
 *    this thread returns to user space or another vCPU needs its own (user-return notifier);
 *  - what must be back before the scheduler or an interrupt handler could look: KERNEL_GS_BASE, selectors, LDT, TSS and
 *    descriptor-table limits. Put back in vtx_guest_state_unload().
 */
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/user-return-notifier.h>
#include <asm/cpu_entry_area.h>
#include <asm/desc.h>
#include <asm/fsgsbase.h>
#include <asm/mmu_context.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/tlbflush.h>
#include "vmx/caps.h"
#include "vmx/host_msrs.h"
#include "vmx/host_state.h"
#include "vmx/regs.h"
#include "vmx/vcpu.h"

void vtx_vmexit(void); /* enter.S: where the processor continues after a VM exit */

/* ------------------------------------------------------------------ MSRs restored on return to user space */

enum { SLOT_STAR, SLOT_LSTAR, SLOT_FMASK, NR_SYSCALL_SLOTS, SLOT_TSC_AUX = NR_SYSCALL_SLOTS, NR_SLOTS };

static const u32 slot_msr[NR_SLOTS] = { MSR_STAR, MSR_LSTAR, MSR_SYSCALL_MASK, MSR_TSC_AUX };

struct lazy_msrs {
	struct user_return_notifier notifier;
	bool armed;
	u64 host[NR_SLOTS];
	u64 now[NR_SLOTS];
};

static DEFINE_PER_CPU(struct lazy_msrs, lazy_msrs);

static int nr_slots(void)
{
	return vtx_caps.rdtscp ? NR_SLOTS : SLOT_TSC_AUX;
}

static void lazy_restore(struct lazy_msrs *lazy)
{
	int i;

	for (i = 0; i < nr_slots(); i++) {
		if (lazy->now[i] != lazy->host[i]) {
			wrmsrl(slot_msr[i], lazy->host[i]);
			lazy->now[i] = lazy->host[i];
		}
	}
}

static void on_user_return(struct user_return_notifier *notifier)
{
	struct lazy_msrs *lazy = container_of(notifier, struct lazy_msrs, notifier);
	unsigned long flags;

	/* VMXOFF on this CPU comes by IPI and restores as well. */
	local_irq_save(flags);
	if (lazy->armed) {
		lazy->armed = false;
		user_return_notifier_unregister(notifier);
	}
	local_irq_restore(flags);
	lazy_restore(lazy);
}

static void lazy_set(struct lazy_msrs *lazy, int slot, u64 value)
{
	if (lazy->now[slot] == value)
		return;
	wrmsrl(slot_msr[slot], value);
	lazy->now[slot] = value;
	if (!lazy->armed) {
		lazy->armed = true;
		lazy->notifier.on_user_return = on_user_return;
		user_return_notifier_register(&lazy->notifier);
	}
}

/* The guest reads and writes these MSRs by exits: only SYSCALL, which EFER.SCE switches on, looks at what the CPU holds. */
static int first_slot(const struct vtx_vcpu *vcpu)
{
	return vcpu->efer & EFER_SCE ? 0 : NR_SYSCALL_SLOTS;
}

void vtx_host_state_cpu_on(void)
{
	struct lazy_msrs *lazy = this_cpu_ptr(&lazy_msrs);
	int i;

	for (i = 0; i < nr_slots(); i++) {
		rdmsrl(slot_msr[i], lazy->host[i]);
		lazy->now[i] = lazy->host[i];
	}
}

void vtx_host_state_cpu_off(void)
{
	struct lazy_msrs *lazy = this_cpu_ptr(&lazy_msrs);

	if (lazy->armed)
		on_user_return(&lazy->notifier);
}

static u64 *lazy_value(struct vtx_vcpu *vcpu, int slot)
{
	switch (slot) {
	case SLOT_STAR:
		return &vcpu->msr_star;
	case SLOT_LSTAR:
		return &vcpu->msr_lstar;
	case SLOT_FMASK:
		return &vcpu->msr_fmask;
	default:
		return &vcpu->msr_tsc_aux;
	}
}

/* ------------------------------------------------------------------ the VMCS host area */

void vtx_host_state_setup(struct vtx_vcpu *vcpu)
{
	struct desc_ptr idt;
	u64 value;

	vtx_vmwritel(HOST_CR0, read_cr0() & ~X86_CR0_TS);
	vtx_vmwrite16(HOST_CS_SELECTOR, __KERNEL_CS);
	vtx_vmwrite16(HOST_DS_SELECTOR, 0);
	vtx_vmwrite16(HOST_ES_SELECTOR, 0);
	vtx_vmwrite16(HOST_SS_SELECTOR, __KERNEL_DS);
	vtx_vmwrite16(HOST_FS_SELECTOR, 0);
	vtx_vmwrite16(HOST_GS_SELECTOR, 0);
	vtx_vmwrite16(HOST_TR_SELECTOR, GDT_ENTRY_TSS * 8);
	store_idt(&idt);
	vtx_vmwritel(HOST_IDTR_BASE, idt.address);
	vtx_vmwritel(HOST_RIP, (unsigned long)vtx_vmexit);

	rdmsrl(MSR_IA32_SYSENTER_CS, value);
	vtx_vmwrite32(HOST_IA32_SYSENTER_CS, value);
	rdmsrl(MSR_IA32_SYSENTER_EIP, value);
	vtx_vmwritel(HOST_IA32_SYSENTER_EIP, value);
	rdmsrl(MSR_IA32_CR_PAT, value);
	vtx_vmwrite64(HOST_IA32_PAT, value);
	rdmsrl(MSR_EFER, value);
	vtx_vmwrite64(HOST_IA32_EFER, value);
}

void vtx_host_state_new_cpu(struct vtx_vcpu *vcpu)
{
	int cpu = smp_processor_id();
	unsigned long gs_base;

	rdmsrl(MSR_GS_BASE, gs_base);
	vtx_vmwritel(HOST_GS_BASE, gs_base);
	vtx_vmwritel(HOST_TR_BASE, (unsigned long)&get_cpu_entry_area(cpu)->tss.x86_tss);
	vtx_vmwritel(HOST_GDTR_BASE, (unsigned long)get_cpu_gdt_ro(cpu));
	/* The stack SYSENTER starts on is the entry stack of this CPU. */
	vtx_vmwritel(HOST_IA32_SYSENTER_ESP, (unsigned long)(cpu_entry_stack(cpu) + 1));
	/* Forget what the previous CPU had. */
	vcpu->host.cr3 = ~0UL;
	vcpu->host.cr4 = 0;
	vcpu->host.fs_base = ~0UL;
}

void vtx_host_state_refresh(struct vtx_vcpu *vcpu)
{
	unsigned long cr3 = __get_current_cr3_fast();
	unsigned long cr4 = cr4_read_shadow();

	if (cr3 != vcpu->host.cr3) {
		vtx_vmwritel(HOST_CR3, cr3);
		vcpu->host.cr3 = cr3;
	}
	if (cr4 != vcpu->host.cr4) {
		vtx_vmwritel(HOST_CR4, cr4);
		vcpu->host.cr4 = cr4;
	}
}

/* ------------------------------------------------------------------ in and out */

static void remember_segments(struct vtx_vcpu *vcpu)
{
	struct vtx_host *host = &vcpu->host;

	savesegment(ds, host->ds);
	savesegment(es, host->es);
	store_ldt(host->ldt);
	current_save_fsgs();
	host->fs = current->thread.fsindex;
	host->gs = current->thread.gsindex;
	host->kernel_gs_base = current->thread.gsbase;
	if (current->thread.fsbase != host->fs_base) {
		vtx_vmwritel(HOST_FS_BASE, current->thread.fsbase);
		host->fs_base = current->thread.fsbase;
	}
}

static void load_slots(struct vtx_vcpu *vcpu, int end)
{
	struct lazy_msrs *lazy = this_cpu_ptr(&lazy_msrs);
	int i;

	for (i = first_slot(vcpu); i < end; i++)
		lazy_set(lazy, i, *lazy_value(vcpu, i));
}

void vtx_guest_efer_changed(struct vtx_vcpu *vcpu)
{
	preempt_disable();
	if (vcpu->guest_loaded)
		load_slots(vcpu, NR_SYSCALL_SLOTS);
	preempt_enable();
}

void vtx_guest_state_load(struct vtx_vcpu *vcpu)
{
	if (vcpu->guest_loaded)
		return;
	remember_segments(vcpu);
	load_slots(vcpu, nr_slots());
	wrmsrl(MSR_KERNEL_GS_BASE, vcpu->msr_kernel_gs_base);
	vcpu->guest_loaded = true;
}

void vtx_guest_state_unload(struct vtx_vcpu *vcpu)
{
	struct vtx_host *host = &vcpu->host;
	struct desc_ptr idt;

	if (!vcpu->guest_loaded)
		return;
	vcpu->guest_loaded = false;

	rdmsrl(MSR_KERNEL_GS_BASE, vcpu->msr_kernel_gs_base);
	if (host->ldt)
		asm volatile("lldt %0" ::"m"(host->ldt));
	if (host->fs)
		loadsegment(fs, host->fs);
	if (host->gs)
		load_gs_index(host->gs);
	if (host->ds | host->es) {
		loadsegment(ds, host->ds);
		loadsegment(es, host->es);
	}
	wrmsrl(MSR_KERNEL_GS_BASE, host->kernel_gs_base);

	/*
	 * A VM exit sets the limits of GDTR and IDTR to 0xffff and that of TR to 0x67 (SDM vol. 3, 28.5.2). The TSS must
	 * show its I/O bitmap again before user space runs.
	 */
	load_fixmap_gdt(raw_smp_processor_id());
	store_idt(&idt);
	if (idt.size != IDT_ENTRIES * sizeof(gate_desc) - 1) {
		idt.size = IDT_ENTRIES * sizeof(gate_desc) - 1;
		native_load_idt(&idt);
	}
	invalidate_tss_limit();
}

/* ------------------------------------------------------------------ access to what may be live */

int vtx_guest_msr_read(struct vtx_vcpu *vcpu, u32 index, u64 *value)
{
	int slot;

	if (index == MSR_KERNEL_GS_BASE) {
		preempt_disable();
		if (vcpu->guest_loaded)
			rdmsrl(MSR_KERNEL_GS_BASE, vcpu->msr_kernel_gs_base);
		preempt_enable();
		*value = vcpu->msr_kernel_gs_base;
		return 0;
	}
	for (slot = 0; slot < NR_SLOTS; slot++) {
		if (slot_msr[slot] == index) {
			*value = *lazy_value(vcpu, slot);
			return 0;
		}
	}
	return 1;
}

int vtx_guest_msr_write(struct vtx_vcpu *vcpu, u32 index, u64 value)
{
	int slot;

	if (index == MSR_KERNEL_GS_BASE) {
		preempt_disable();
		vcpu->msr_kernel_gs_base = value;
		if (vcpu->guest_loaded)
			wrmsrl(MSR_KERNEL_GS_BASE, value);
		preempt_enable();
		return 0;
	}
	for (slot = 0; slot < NR_SLOTS; slot++) {
		if (slot_msr[slot] != index)
			continue;
		preempt_disable();
		*lazy_value(vcpu, slot) = value;
		if (vcpu->guest_loaded && slot >= first_slot(vcpu) && slot < nr_slots())
			lazy_set(this_cpu_ptr(&lazy_msrs), slot, value);
		preempt_enable();
		return 0;
	}
	return 1;
}

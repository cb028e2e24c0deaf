// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU's life: creation, reset, loading and unloading on CPUs, and waking it up.
 */
#include <linux/build_bug.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <trace/events/ipi.h> /* smp_send_reschedule() traces since 6.4 */
#include <asm/debugreg.h>
#include <asm/msr-index.h>
#include "ept/ept.h"
#include "exits/cpuid.h"
#include "exits/exits.h"
#include "exits/pause.h"
#include "irqchip/irqchip.h"
#include "pv/guest_tsc.h"
#include "pv/tsc_sleep.h"
#include "trace/recorder.h"
#include "trace/report.h"
#include "uapi/refuse.h"
#include "vmx/caps.h"
#include "vmx/controls.h"
#include "vmx/cr.h"
#include "vmx/entry_state.h"
#include "vmx/event.h"
#include "vmx/guest_debug.h"
#include "vmx/host_state.h"
#include "vmx/onoff.h"
#include "vmx/regs.h"
#include "vmx/vcpu.h"

/* enter.S knows these by number. */
static_assert(offsetof(struct vtx_vcpu, regs) == 0);
static_assert(offsetof(struct vtx_vcpu, host_rsp) == 8 * 16);
static_assert(offsetof(struct vtx_vcpu, msr_spec_ctrl) == 8 * 17);
static_assert(offsetof(struct vtx_vcpu, host_spec_ctrl) == 8 * 18);

/* ------------------------------------------------------------------ loading */

static void load_on_this_cpu(struct vtx_vcpu *vcpu)
{
	int cpu = smp_processor_id();
	bool moved = vcpu->cpu != cpu || vcpu->vmcs.cpu != cpu;

	vtx_vmcs_load(&vcpu->vmcs);
	if (moved) {
		vcpu->host_rsp = 0; /* the stack may be the same, the VMCS field need not */
		WRITE_ONCE(vcpu->cpu, cpu);
		vtx_host_state_new_cpu(vcpu);
		vtx_ept_tlb_new_cpu(vcpu);
		vtx_tsc_follow(vcpu);
	}
}

/*
 * On a CPU that is going offline VT-x may be off already while threads still wait in its run queue. The scheduler switches to them
 * to move them elsewhere, before they execute anything; this is called again there.
 */
static void sched_in(struct preempt_notifier *notifier, int cpu)
{
	struct vtx_vcpu *vcpu = container_of(notifier, struct vtx_vcpu, notifier);

	if (unlikely(!vtx_vmx_on_here()) && !cpu_active(cpu))
		return;
	load_on_this_cpu(vcpu);
	vtx_pause_sched_in(vcpu);
	vtx_pv_steal_sched_in(vcpu);
}

static void sched_out(struct preempt_notifier *notifier, struct task_struct *next)
{
	struct vtx_vcpu *vcpu = container_of(notifier, struct vtx_vcpu, notifier);

	/* Not where sched_in() has left the VMCS alone. */
	if (likely(vtx_vcpu_running() == vcpu))
		vtx_pause_sched_out(vcpu);
	vtx_pv_steal_sched_out(vcpu);
	vtx_guest_state_unload(vcpu);
}

static struct preempt_ops preempt_ops = { .sched_in = sched_in, .sched_out = sched_out };

void vtx_vcpu_load(struct vtx_vcpu *vcpu)
{
	WRITE_ONCE(vcpu->dirty_log.thread, current);
	preempt_disable();
	preempt_notifier_register(&vcpu->notifier);
	load_on_this_cpu(vcpu);
	preempt_enable();
}

void vtx_vcpu_put(struct vtx_vcpu *vcpu)
{
	preempt_disable();
	vtx_regs_flush(vcpu);
	vtx_guest_state_unload(vcpu);
	preempt_notifier_unregister(&vcpu->notifier);
	preempt_enable();
	WRITE_ONCE(vcpu->dirty_log.thread, NULL);
}

/* ------------------------------------------------------------------ registers kept in the VMCS */

void vtx_regs_uncache(struct vtx_vcpu *vcpu)
{
	vcpu->cached = vcpu->dirty;
}

void vtx_regs_flush(struct vtx_vcpu *vcpu)
{
	unsigned long dirty = vcpu->dirty;

	if (!dirty)
		return;
	if (dirty & BIT(VTX_CACHE_RIP))
		vtx_vmwritel(GUEST_RIP, vcpu->rip);
	if (dirty & BIT(VTX_CACHE_RSP))
		vtx_vmwritel(GUEST_RSP, vcpu->regs[VTX_RSP]);
	if (dirty & BIT(VTX_CACHE_RFLAGS))
		vtx_vmwritel(GUEST_RFLAGS, vcpu->rflags);
	vcpu->dirty = 0;
}

void vtx_skip_bytes(struct vtx_vcpu *vcpu, unsigned int len)
{
	u64 rip = vtx_rip(vcpu), next = rip + len;

	/* Only an instruction that ends at a 4-GiB border can tell 32-bit from 64-bit code. */
	if (unlikely((rip ^ next) >> 31 == 3) && !vtx_in_64bit_code(vcpu))
		next = (u32)next;
	vtx_set_rip(vcpu, next);

	vtx_end_shadow(vcpu);
	if (unlikely(vtx_rflags(vcpu) & X86_EFLAGS_TF))
		vtx_debug_stepped(vcpu);
}

void vtx_skip_insn(struct vtx_vcpu *vcpu)
{
	vtx_skip_bytes(vcpu, vtx_insn_len(vcpu));
}

/* ------------------------------------------------------------------ reset, SDM vol. 3, table 10-1 */

static const struct kvm_segment reset_code = { .base = 0xffff0000, .limit = 0xffff, .selector = 0xf000, .type = 11, .present = 1, .s = 1 };
static const struct kvm_segment reset_data = { .limit = 0xffff, .type = 3, .present = 1, .s = 1 };
static const struct kvm_segment reset_ldtr = { .limit = 0xffff, .type = 2, .present = 1 };
static const struct kvm_segment reset_tr = { .limit = 0xffff, .type = 11, .present = 1 };

static void reset_segments(struct vtx_vcpu *vcpu)
{
	enum vtx_seg seg;

	for (seg = VTX_ES; seg <= VTX_GS; seg++)
		vtx_set_segment(vcpu, seg, seg == VTX_CS ? &reset_code : &reset_data);
	vtx_set_segment(vcpu, VTX_LDTR, &reset_ldtr);
	vtx_set_segment(vcpu, VTX_TR, &reset_tr);
	vtx_vmwritel(GUEST_GDTR_BASE, 0);
	vtx_vmwrite32(GUEST_GDTR_LIMIT, 0xffff);
	vtx_vmwritel(GUEST_IDTR_BASE, 0);
	vtx_vmwrite32(GUEST_IDTR_LIMIT, 0xffff);
}

/* Without CPUID the processor says family 6; KVM's clients see the same. */
static u32 reset_rdx(struct vtx_vcpu *vcpu)
{
	u32 eax = 1, ebx, ecx = 0, edx;

	if (!vcpu->cpuid.nent)
		return 0x600;
	vtx_cpuid_lookup(vcpu, &eax, &ebx, &ecx, &edx);
	return eax;
}

void vtx_vcpu_reset(struct vtx_vcpu *vcpu, bool init)
{
	u64 cr0 = X86_CR0_ET | X86_CR0_CD | X86_CR0_NW;

	if (init) /* INIT keeps CD and NW */
		cr0 = X86_CR0_ET | (vtx_cr0(vcpu) & (X86_CR0_CD | X86_CR0_NW));

	memset(vcpu->regs, 0, sizeof(vcpu->regs));
	vtx_set_rsp(vcpu, 0);
	vtx_set_rip(vcpu, 0xfff0);
	vtx_set_rflags(vcpu, X86_EFLAGS_FIXED);
	vcpu->regs[VTX_RDX] = reset_rdx(vcpu);

	memset(vcpu->db, 0, sizeof(vcpu->db));
	vcpu->dr6 = VTX_DR6_FIXED;
	vcpu->dr7 = VTX_DR7_FIXED;
	vtx_debug_load_dr7(vcpu);
	vcpu->cr2 = 0;
	vcpu->cr8 = 0;

	memset(&vcpu->events.exc, 0, sizeof(vcpu->events.exc));
	memset(&vcpu->events.irq, 0, sizeof(vcpu->events.irq));
	vcpu->events.nmi_injected = false;
	atomic_set(&vcpu->events.nmi_pending, 0);
	vcpu->events.user_irq = -1;
	vcpu->io.kind = VTX_IO_NONE;

	reset_segments(vcpu);
	vtx_load_crs(vcpu, cr0, 0, 0, 0);
	vtx_cr_init_masks(vcpu);
	vtx_vmwrite32(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	vtx_set_interruptibility(vcpu, 0);
	vtx_vmwritel(GUEST_PENDING_DBG_EXCEPTIONS, 0);
	vtx_vmwrite64(GUEST_IA32_DEBUGCTL, 0);
	if (!init) {
		vcpu->xcr0 = 1;
		vcpu->msr_spec_ctrl = 0;
		vtx_fpu_reset(vcpu);
	}
	vtx_msrs_reset(vcpu, init);
	if (vcpu->apic)
		vtx_lapic_reset_vcpu(vcpu, init);
	vtx_cpuid_update(vcpu);
	vtx_vcpu_request(vcpu, VTX_REQ_EVENT);
}

/* ------------------------------------------------------------------ creation */

static int alloc_parts(struct vtx_vcpu *vcpu)
{
	int r;

	vcpu->run = alloc_pages_exact(2 * PAGE_SIZE, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	vcpu->msr_bitmap = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!vcpu->run || !vcpu->msr_bitmap)
		return -ENOMEM;
	r = vtx_vmcs_alloc(&vcpu->vmcs);
	if (!r)
		r = vtx_fpu_alloc(vcpu);
	if (!r)
		r = vtx_emu_alloc(vcpu);
	if (!r)
		r = vtx_recorder_alloc(vcpu);
	if (!r)
		r = vtx_report_alloc(vcpu);
	if (!r)
		r = vtx_dirty_vcpu_alloc(vcpu);
	if (!r)
		r = vtx_entry_check_alloc(vcpu);
	if (!r && vtx_has_lapic(vcpu->vm))
		r = vtx_lapic_create(vcpu);
	return r;
}

void vtx_vcpu_destroy(struct vtx_vcpu *vcpu)
{
	if (vcpu->vmcs.page) {
		vtx_vmcs_clear(&vcpu->vmcs);
		vtx_vmcs_free(&vcpu->vmcs);
	}
	if (vcpu->apic)
		vtx_lapic_destroy(vcpu);
	vtx_recorder_free(vcpu);
	vtx_dirty_vcpu_free(vcpu);
	vtx_entry_check_free(vcpu);
	vtx_report_free(vcpu);
	vtx_emu_free(vcpu);
	vtx_fpu_free(vcpu);
	vtx_cpuid_free(vcpu);
	vtx_vpid_free(vcpu->vpid);
	free_page((unsigned long)vcpu->msr_bitmap);
	if (vcpu->run)
		free_pages_exact(vcpu->run, 2 * PAGE_SIZE);
	kfree(vcpu);
}

struct vtx_vcpu *vtx_vcpu_create(struct vtx_vm *vm, u32 id)
{
	struct vtx_vcpu *vcpu;
	int r;

	lockdep_assert_held(&vm->lock);
	/* As many ids as places: an id that is free has one. */
	static_assert(VTX_MAX_VCPU_ID <= VTX_MAX_VCPUS);
	if (vtx_vcpu_by_id(vm, id))
		return ERR_PTR(VTX_REFUSE(VCPU_ID_TAKEN, VTX_NO_FIELD, id, 0));

	vcpu = kzalloc(sizeof(*vcpu), GFP_KERNEL_ACCOUNT);
	if (!vcpu)
		return ERR_PTR(-ENOMEM);
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->cpu = -1;
	vcpu->vmcs.cpu = -1;
	vcpu->events.user_irq = -1;
	mutex_init(&vcpu->mutex);
	rcuwait_init(&vcpu->wait);
	preempt_notifier_init(&vcpu->notifier, &preempt_ops);
	vcpu->mp_state = id == vm->boot_cpu_id || !vtx_has_lapic(vm) ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_UNINITIALIZED;
	vcpu->vpid = vtx_vpid_alloc();

	r = alloc_parts(vcpu);
	if (r) {
		vtx_vcpu_destroy(vcpu);
		return ERR_PTR(r);
	}
	vtx_tsc_init(vcpu);
	vtx_msr_bitmap_init(vcpu);

	vtx_vcpu_load(vcpu);
	vtx_host_state_setup(vcpu);
	vtx_controls_setup(vcpu);
	r = vtx_cpuid_set(vcpu, NULL, 0);
	if (!r)
		vtx_vcpu_reset(vcpu, false);
	vtx_vcpu_put(vcpu);
	if (r) {
		vtx_vcpu_destroy(vcpu);
		return ERR_PTR(r);
	}
	return vcpu;
}

void vtx_vcpu_publish(struct vtx_vcpu *vcpu)
{
	struct vtx_vm *vm = vcpu->vm;

	lockdep_assert_held(&vm->lock);
	vcpu->index = vm->num_vcpus;
	vm->vcpus[vcpu->index] = vcpu;
	/* Readers see the pointer before the count. */
	smp_store_release(&vm->num_vcpus, vm->num_vcpus + 1);
	vtx_trace_vcpu_created(vcpu);
}

/* ------------------------------------------------------------------ waking */

void vtx_vcpu_wake(struct vtx_vcpu *vcpu)
{
	if (!rcuwait_wake_up(&vcpu->wait))
		return;
	atomic64_inc(&vcpu->counts.halt_wakeup);
	WRITE_ONCE(vcpu->spin.facts, VTX_SPIN_READY); /* until it gets a CPU; a hint (exits/pause.c) */
}

/*
 * The caller has set a request (with a full barrier). Either this sees VTX_IN_GUEST and sends the IPI, or the vCPU, which sets
 * the mode before it looks at the requests, sees the request. An IPI that finds the guest already out does no harm.
 */
void vtx_vcpu_kick(struct vtx_vcpu *vcpu)
{
	int me, cpu;

	vtx_vcpu_wake(vcpu);
	me = get_cpu();
	if (READ_ONCE(vcpu->mode) == VTX_IN_GUEST) {
		cpu = READ_ONCE(vcpu->cpu);
		if (cpu != me && (unsigned int)cpu < nr_cpu_ids && cpu_online(cpu))
			smp_send_reschedule(cpu);
	}
	put_cpu();
}

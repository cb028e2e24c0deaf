// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steal time (pv/steal.h). The source is the scheduler's run_delay of the thread that runs the vCPU: it grows while the thread can run
 * and does not. A guest that has not asked for it pays a test of a bit where its thread is scheduled and where KVM_RUN begins.
 */
#include <linux/kvm_para.h>
#include <linux/sched.h>
#include <linux/srcu.h>
#include "compat/sched_info.h"
#include "ept/ept.h"
#include "pv/steal.h"
#include "vmx/vcpu.h"

#define ENABLE ((u64)KVM_MSR_ENABLED)
#define AT(field) offsetof(struct kvm_steal_time, field)

static bool enabled(const struct vtx_vcpu *vcpu)
{
	return vcpu->pv_steal.msr & ENABLE;
}

/* Time counts from here on, and from the change of threads on: what another thread has waited is not this one's. */
static void count_from_now(struct vtx_pv_steal *steal)
{
	steal->runner = current->start_time;
	steal->seen = vtx_run_delay();
}

void vtx_pv_steal_set(struct vtx_vcpu *vcpu, u64 data)
{
	vcpu->pv_steal.msr = data;
	vcpu->pv_steal.preempted = false;
	count_from_now(&vcpu->pv_steal);
	if (enabled(vcpu))
		vtx_vcpu_request(vcpu, VTX_REQ_STEAL);
}

/* The page no longer says what is. */
static void ask_for_update(struct vtx_vcpu *vcpu)
{
	const struct vtx_pv_steal *steal = &vcpu->pv_steal;

	if (steal->preempted || steal->seen != vtx_run_delay())
		vtx_vcpu_request(vcpu, VTX_REQ_STEAL);
}

void vtx_pv_steal_run(struct vtx_vcpu *vcpu)
{
	struct vtx_pv_steal *steal = &vcpu->pv_steal;

	if (likely(!enabled(vcpu)))
		return;
	if (steal->runner != current->start_time)
		count_from_now(steal);
	ask_for_update(vcpu);
}

/* The guest's total is in its memory, as in KVM: a migrated guest goes on from there. */
void vtx_pv_steal_update(struct vtx_vcpu *vcpu)
{
	struct vtx_pv_steal *steal = &vcpu->pv_steal;
	u64 gpa = steal->msr & KVM_STEAL_VALID_BITS, now = vtx_run_delay();
	struct vtx_vm *vm = vcpu->vm;
	struct kvm_steal_time page;

	if (!enabled(vcpu) || vtx_gpa_read(vm, gpa, &page, sizeof(page)))
		return;
	/* An odd version says "being written"; what was there before the first time means nothing. */
	page.version |= 1;
	if (vtx_gpa_write(vm, gpa + AT(version), &page.version, sizeof(page.version)))
		return;
	smp_wmb(); /* the odd version before the contents */
	page.steal += now - steal->seen;
	page.preempted = 0;
	vtx_gpa_write(vm, gpa + AT(steal), &page.steal, sizeof(page.steal));
	vtx_gpa_write(vm, gpa + AT(preempted), &page.preempted, sizeof(page.preempted));
	smp_wmb(); /* the contents before the even version */
	page.version++;
	vtx_gpa_write(vm, gpa + AT(version), &page.version, sizeof(page.version));
	steal->seen = now;
	steal->preempted = false;
}

/*
 * Only of a thread that would go on: one that sleeps or waits is not robbed. The page is not marked dirty here, where no lock may be
 * taken: the same byte is written, and marked, before the vCPU runs again, so a copy of the memory without it lacks nothing.
 */
void vtx_pv_steal_sched_out(struct vtx_vcpu *vcpu)
{
	struct vtx_pv_steal *steal = &vcpu->pv_steal;
	int idx;

	if (likely(!enabled(vcpu)) || steal->preempted || !task_is_running(current))
		return;
	idx = srcu_read_lock(&vcpu->vm->srcu);
	steal->preempted = vtx_gpa_poke(vcpu->vm, (steal->msr & KVM_STEAL_VALID_BITS) + AT(preempted), KVM_VCPU_PREEMPTED) == 0;
	srcu_read_unlock(&vcpu->vm->srcu, idx);
}

void vtx_pv_steal_sched_in(struct vtx_vcpu *vcpu)
{
	if (unlikely(enabled(vcpu)))
		ask_for_update(vcpu);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The container of failure reports: a draft for the vCPU's thread, and the last finished one for everybody.
 */
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <asm/msr.h>
#include "trace/report.h"
#include "vmx/regs.h"

struct vtx_report {
	spinlock_t lock;			/* protects last; never taken in an interrupt */
	struct vtx_failure_report last;
	struct vtx_failure_report draft;	/* the vCPU thread's */
};

int vtx_report_alloc(struct vtx_vcpu *vcpu)
{
	vcpu->report = kzalloc(sizeof(*vcpu->report), GFP_KERNEL_ACCOUNT);
	if (!vcpu->report)
		return -ENOMEM;
	spin_lock_init(&vcpu->report->lock);
	return 0;
}

void vtx_report_free(struct vtx_vcpu *vcpu)
{
	kfree(vcpu->report);
	vcpu->report = NULL;
}

struct vtx_failure_report *vtx_report_begin(struct vtx_vcpu *vcpu, u32 kind)
{
	struct vtx_failure_report *r = &vcpu->report->draft;
	unsigned int i;

	memset(r, 0, sizeof(*r));
	r->kind = kind;
	r->vcpu_id = vcpu->id;
	r->exit_reason = vcpu->exit_reason;
	r->qualification = vtx_qualification(vcpu);
	r->tsc = rdtsc();
	r->rip = vtx_rip(vcpu);
	r->rsp = vtx_rsp(vcpu);
	r->rflags = vtx_rflags(vcpu);
	r->cr0 = vtx_cr0(vcpu);
	r->cr2 = vcpu->cr2;
	r->cr3 = vtx_cr3(vcpu);
	r->cr4 = vtx_cr4(vcpu);
	r->efer = vcpu->efer;
	for (i = 0; i < VTX_NR_GPRS; i++)
		r->regs[i] = vtx_gpr(vcpu, i);
	r->cs = vtx_vmread16(GUEST_CS_SELECTOR);
	return r;
}

void vtx_report_finish(struct vtx_vcpu *vcpu)
{
	struct vtx_report *report = vcpu->report;

	spin_lock(&report->lock);
	report->last = report->draft;
	spin_unlock(&report->lock);
	/* The report before the pointer to it. Pairs with vtx_report_last_vcpu(). */
	smp_store_release(&vcpu->vm->last_failed, vcpu);
}

void vtx_report_read(struct vtx_vcpu *vcpu, struct vtx_failure_report *out)
{
	struct vtx_report *report = vcpu->report;

	spin_lock(&report->lock);
	*out = report->last;
	spin_unlock(&report->lock);
}

struct vtx_vcpu *vtx_report_last_vcpu(struct vtx_vm *vm)
{
	/* Pairs with vtx_report_finish(). A vCPU lives as long as its VM. */
	return smp_load_acquire(&vm->last_failed);
}

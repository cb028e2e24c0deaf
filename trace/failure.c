// SPDX-License-Identifier: GPL-2.0-only
/*
 * The one place where every way a VM can die ends.
 */
#include <linux/kernel.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include "trace/failure.h"
#include "trace/recorder.h"
#include "vmx/onoff.h"
#include "vmx/regs.h"
#include "vmx/vm.h"

/* None of its vCPUs enters a guest again, so they stay frozen. */
static void freeze_recorders(struct vtx_vm *vm)
{
	struct vtx_vcpu *vcpu;
	int i;

	vtx_for_each_vcpu(i, vcpu, vm)
		vtx_recorder_freeze(vcpu);
}

void vtx_vm_fail(struct vtx_vm *vm, struct vtx_vcpu *vcpu, const char *fmt, ...)
{
	struct vtx_failure *failure = &vm->failure;
	va_list args;

	/* VMX instructions fail because VT-x was turned off, and the next entry says so. */
	if (vtx_rebooting)
		return;
	/* What follows may fail in turn (a VMREAD, say) and come back here: it ends at this line. */
	if (xchg(&vm->dead, true))
		return;

	failure->vcpu_id = vcpu ? vcpu->id : ~0U;
	/*
	 * The VMCS can only be asked where it is current, and an interrupt must not meddle with the cache of
	 * registers.
	 */
	if (vcpu && (vcpu->cached & BIT(VTX_CACHE_RIP)))
		failure->rip = vcpu->rip;
	else if (vcpu && in_task() && vtx_vcpu_running() == vcpu)
		failure->rip = vtx_rip(vcpu);
	va_start(args, fmt);
	vscnprintf(failure->text, sizeof(failure->text), fmt, args);
	va_end(args);
	/* Readers see the sentence whole or not at all. */
	smp_store_release(&failure->complete, true);

	/* Each VM prints once; a program that makes and breaks VMs in a loop must not flood the log either. */
	if (vcpu)
		pr_err_ratelimited("vtx: VM %s is dead: vCPU %u at RIP %#llx: %s\n", vm->debugfs_name, failure->vcpu_id,
				   failure->rip, failure->text);
	else
		pr_err_ratelimited("vtx: VM %s is dead: %s\n", vm->debugfs_name, failure->text);

	freeze_recorders(vm);
	vtx_vm_request_all(vm, VTX_REQ_VM_DEAD);
}

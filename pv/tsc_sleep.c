// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest TSCs when the host's counter starts anew.
 *
 * A sleep in S3 is a reset for the processor, and its TSC may begin at 0 again (SDM vol. 3, 18.17). A guest did not sleep: its TSC has
 * to go on. So what was lost is added to the offsets, by each vCPU's thread when it loads the vCPU the next time, and to the VM's for
 * vCPUs made later. A counter that went on meanwhile is left alone. The paravirtual clock sees by itself that the TSC went back
 * (pv/clock.c: refresh()).
 */
#include <asm/msr.h>
#include <asm/tsc.h>
#include "pv/clock.h"
#include "pv/tsc_sleep.h"
#include "trace/events.h"
#include "vmx/vmcs.h"

u64 vtx_tsc_lost;
static u64 before;

void vtx_tsc_sleep(void)
{
	before = rdtsc_ordered();
}

void vtx_tsc_wake(void)
{
	u64 now = rdtsc_ordered();

	if (now < before)
		WRITE_ONCE(vtx_tsc_lost, vtx_tsc_lost + before - now);
}

/* vCPUs of the VM may come here at once, each from its load. */
void vtx_tsc_catch_up_vm(struct vtx_vm *vm)
{
	u64 lost = READ_ONCE(vtx_tsc_lost), offset, seen, delta;
	unsigned long flags;

	raw_spin_lock_irqsave(&vm->clock.lock, flags);
	delta = lost - vm->tsc_lost;
	vm->tsc_lost = lost;
	raw_spin_unlock_irqrestore(&vm->clock.lock, flags);
	if (!delta)
		return;
	/* Against a KVM_SET_MSRS of another vCPU (exits/msr_access.c). */
	for (offset = READ_ONCE(vm->tsc_offset);; offset = seen) {
		seen = cmpxchg(&vm->tsc_offset, offset, offset + delta);
		if (seen == offset)
			break;
	}
}

void vtx_tsc_catch_up(struct vtx_vcpu *vcpu)
{
	u64 lost = READ_ONCE(vtx_tsc_lost), offset = vcpu->tsc_offset + lost - vcpu->tsc_lost;

	vtx_tsc_catch_up_vm(vcpu->vm);
	vcpu->tsc_lost = lost;
	trace_kvm_write_tsc_offset(vcpu->id, vcpu->tsc_offset, offset);
	WRITE_ONCE(vcpu->tsc_offset, offset);
	vtx_vmwrite64(TSC_OFFSET, offset);
	/* The clock's pages hold guest TSCs, and say whether those of all vCPUs agree. */
	vtx_clock_tsc_changed(vcpu->vm);
}

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
#include "pv/guest_tsc.h"
#include "pv/tsc_sleep.h"

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
	u64 lost = READ_ONCE(vtx_tsc_lost);
	unsigned long flags;

	raw_spin_lock_irqsave(&vm->clock.lock, flags);
	vm->tsc_offset += vtx_tsc_scale(lost - vm->tsc_lost, vm->clock.ratio);
	vm->tsc_lost = lost;
	raw_spin_unlock_irqrestore(&vm->clock.lock, flags);
}

void vtx_tsc_catch_up(struct vtx_vcpu *vcpu)
{
	u64 lost = READ_ONCE(vtx_tsc_lost), delta = vtx_tsc_scale(lost - vcpu->tsc_lost, vcpu->tsc_ratio);

	vtx_tsc_catch_up_vm(vcpu->vm);
	vcpu->tsc_lost = lost;
	vtx_tsc_set_offset(vcpu, vcpu->tsc_offset + delta);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest TSCs when the host's counter starts anew, which it may do while the host sleeps in S3.
 */
#ifndef VTX_PV_TSC_SLEEP_H
#define VTX_PV_TSC_SLEEP_H

#include <linux/compiler.h>
#include "vmx/vcpu.h"

/* By how many ticks the host's TSC has gone back in all its sleeps so far. Changes only while no vCPU thread runs. */
extern u64 vtx_tsc_lost;

/* Boot CPU, the last before the host sleeps and the first after it; interrupts off. */
void vtx_tsc_sleep(void);
void vtx_tsc_wake(void);

void vtx_tsc_catch_up(struct vtx_vcpu *vcpu);
void vtx_tsc_catch_up_vm(struct vtx_vm *vm);

/* vCPU loaded on a CPU that it was not on before (each is that after a sleep), preemption off: its TSC goes on from where it was. */
static inline void vtx_tsc_follow(struct vtx_vcpu *vcpu)
{
	if (unlikely(vcpu->tsc_lost != READ_ONCE(vtx_tsc_lost)))
		vtx_tsc_catch_up(vcpu);
}

#endif /* VTX_PV_TSC_SLEEP_H */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU's time-stamp counter.
 *
 * The processor gives the guest host TSC * ratio / 2^48 + offset; ratio (vcpu->tsc_ratio) and offset are the vCPU's.  The VM has a
 * pair of its own, clock.ratio and tsc_offset: the line that its vCPUs share as long as nobody sets them apart, and on which
 * the paravirtual clock runs (pv/clock.c).  clock.lock protects the pair.
 */
#include <asm/msr.h>
#include <asm/tsc.h>
#include "exits/msr_policy.h"
#include "irqchip/irqchip.h"
#include "pv/clock.h"
#include "pv/guest_tsc.h"
#include "pv/tsc_sleep.h"
#include "trace/events.h"
#include "uapi/refuse.h"
#include "vmx/caps.h"
#include "vmx/vmcs.h"

static u64 ratio_of(u32 khz)
{
	return vtx_tsc_same_rate(khz, tsc_khz) ? VTX_TSC_UNITY : vtx_tsc_ratio(khz, tsc_khz);
}

/* 0 or -EINVAL: can a guest's TSC have this rate? */
static int check_khz(u32 khz)
{
	u32 end = vtx_tsc_max_khz(tsc_khz);

	if (vtx_caps.tsc_scaling)
		return khz < end ? 0 : VTX_REFUSE(TSC_KHZ_RANGE, VTX_NO_FIELD, khz, end - 1);
	return vtx_tsc_same_rate(khz, tsc_khz) ? 0 : VTX_REFUSE(TSC_KHZ, VTX_NO_FIELD, khz, tsc_khz);
}

/*
 * The offset for a vCPU of this rate whose TSC is to show @value now: the VM's, if that means the same; else it becomes the VM's.
 */
static u64 join(struct vtx_vm *vm, u32 khz, u64 ratio, u64 value)
{
	struct vtx_vm_clock *clock = &vm->clock;
	unsigned long flags;
	u64 now, offset;

	raw_spin_lock_irqsave(&clock->lock, flags);
	now = vtx_tsc_scale(rdtsc(), ratio);
	offset = value - now;
	if (ratio == clock->ratio)
		offset = vtx_tsc_join(value, now, vm->tsc_offset, (u64)khz * 1000);
	else
		vtx_clock_set_rate(clock, khz, ratio);
	vm->tsc_offset = offset;
	raw_spin_unlock_irqrestore(&clock->lock, flags);
	return offset;
}

void vtx_tsc_set_offset(struct vtx_vcpu *vcpu, u64 offset)
{
	trace_kvm_write_tsc_offset(vcpu->id, vcpu->tsc_offset, offset);
	WRITE_ONCE(vcpu->tsc_offset, offset);
	vtx_vmwrite64(TSC_OFFSET, offset);
	/* The paravirtual clock's pages hold guest TSCs, and say whether those of all vCPUs agree. */
	vtx_clock_tsc_changed(vcpu->vm);
	vtx_lapic_tsc_moved(vcpu);
}

void vtx_tsc_init(struct vtx_vcpu *vcpu)
{
	struct vtx_vm *vm = vcpu->vm;
	struct vtx_vm_clock *clock = &vm->clock;
	u64 ratio = ratio_of(vm->tsc_khz), shown;
	unsigned long flags;

	vtx_tsc_catch_up_vm(vm);
	vcpu->tsc_lost = vm->tsc_lost;
	vcpu->tsc_khz = vm->tsc_khz;
	vcpu->tsc_ratio = ratio;
	raw_spin_lock_irqsave(&clock->lock, flags);
	/* The guest's TSC starts at 0 when the VM's first vCPU is created. */
	if (!vm->num_vcpus) {
		if (clock->ratio != ratio)
			vtx_clock_set_rate(clock, vm->tsc_khz, ratio);
		vm->tsc_offset = -vtx_tsc_scale(rdtsc(), ratio);
	}
	shown = vtx_tsc_scale(rdtsc(), clock->ratio) + vm->tsc_offset;
	raw_spin_unlock_irqrestore(&clock->lock, flags);
	vcpu->tsc_offset = join(vm, vm->tsc_khz, ratio, shown);
	vtx_clock_tsc_changed(vm);
}

void vtx_tsc_setup(struct vtx_vcpu *vcpu)
{
	vtx_vmwrite64(TSC_OFFSET, vcpu->tsc_offset);
	if (vtx_caps.tsc_scaling)
		vtx_vmwrite64(TSC_MULTIPLIER, vcpu->tsc_ratio);
}

void vtx_tsc_host_write(struct vtx_vcpu *vcpu, u64 value)
{
	vtx_tsc_set_offset(vcpu, join(vcpu->vm, vcpu->tsc_khz, vcpu->tsc_ratio, value));
}

/* The line of the VM goes through it from now on, as with join(): vCPUs that are given the same offset agree. */
void vtx_tsc_host_offset(struct vtx_vcpu *vcpu, u64 offset)
{
	struct vtx_vm_clock *clock = &vcpu->vm->clock;
	unsigned long flags;

	raw_spin_lock_irqsave(&clock->lock, flags);
	if (vcpu->tsc_ratio != clock->ratio)
		vtx_clock_set_rate(clock, vcpu->tsc_khz, vcpu->tsc_ratio);
	vcpu->vm->tsc_offset = offset;
	raw_spin_unlock_irqrestore(&clock->lock, flags);
	vtx_tsc_set_offset(vcpu, offset);
}

/* The guest's write shows in IA32_TSC_ADJUST as well (SDM vol. 3, 18.17.3). */
void vtx_tsc_guest_write(struct vtx_vcpu *vcpu, u64 value)
{
	u64 offset = value - vtx_tsc_scale(rdtsc(), vcpu->tsc_ratio);

	vcpu->tsc_adjust += offset - vcpu->tsc_offset;
	vtx_tsc_set_offset(vcpu, offset);
}

void vtx_tsc_adjust_write(struct vtx_vcpu *vcpu, u64 value, bool host)
{
	u64 delta = value - vcpu->tsc_adjust;

	vcpu->tsc_adjust = value;
	/* User space restores IA32_TSC by itself. */
	if (!host)
		vtx_tsc_set_offset(vcpu, vcpu->tsc_offset + delta);
}

int vtx_tsc_set_khz(struct vtx_vcpu *vcpu, u32 khz)
{
	u64 ratio, value;
	int r;

	khz = khz ?: tsc_khz;
	r = check_khz(khz);
	if (r)
		return r;
	ratio = ratio_of(khz);
	vcpu->tsc_khz = khz;
	if (ratio == vcpu->tsc_ratio)
		return 0;
	value = vtx_guest_tsc(vcpu, rdtsc());
	WRITE_ONCE(vcpu->tsc_ratio, ratio);
	vtx_vmwrite64(TSC_MULTIPLIER, ratio);
	vtx_tsc_set_offset(vcpu, join(vcpu->vm, khz, ratio, value));
	return 0;
}

int vtx_tsc_set_vm_khz(struct vtx_vm *vm, u32 khz)
{
	int r;

	khz = khz ?: tsc_khz;
	r = check_khz(khz);
	if (!r)
		vm->tsc_khz = khz;
	return r;
}

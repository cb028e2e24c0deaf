// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM's paravirtual clock.
 *
 * With a trustworthy host TSC the guest's clock is a straight line through one pair (base_tsc, base_ns): the guest
 * computes it from its own TSC, we compute it from the host's with the same ratio, shift and multiplication, and all vCPUs
 * publish the same pair.  So the clock is monotonic across vCPUs by construction, and what KVM_GET_CLOCK says is
 * what the guest sees.  It runs on the TSC's frequency as calibrated when the VM was created, without the
 * corrections NTP makes to the host's clocks.
 *
 * Otherwise the line starts anew from CLOCK_BOOTTIME each time a vCPU arrives on a CPU, and guests are not told
 * that the TSC is stable: they then keep the clock monotonic themselves.
 */
#include <linux/kvm.h>
#include <linux/ktime.h>
#include <asm/cpufeature.h>
#include <asm/pvclock-abi.h>
#include <asm/tsc.h>
#include "pv/clock.h"
#include "pv/guest_tsc.h"
#include "trace/events.h"
#include "uapi/refuse.h"
#include "vmx/vcpu.h"

#define ENABLE BIT_ULL(0)

/* One moment on two clocks: the host's TSC, and what @read returns. */
struct moment {
	u64 tsc, ns;
};

static bool host_tsc_stable(void)
{
	return boot_cpu_has(X86_FEATURE_CONSTANT_TSC) && boot_cpu_has(X86_FEATURE_NONSTOP_TSC) && !check_tsc_unstable();
}

/*
 * Reads both clocks at once, as nearly as that can be: the time of @read is known to lie between two reads of the
 * TSC, and the narrowest of three tries wins. Interrupts off.
 */
static struct moment sample(u64 (*read)(void))
{
	struct moment best = {};
	u64 width = ~0ULL;

	for (int i = 0; i < 3; i++) {
		u64 before = rdtsc_ordered();
		u64 ns = read();
		u64 ticks = rdtsc_ordered() - before;

		if (ticks < width) {
			width = ticks;
			best.tsc = before + ticks / 2;
			best.ns = ns;
		}
	}
	return best;
}

static u64 real_ns(void)
{
	return ktime_get_real_ns();
}

static u64 boot_ns(void)
{
	return ktime_get_boottime_ns();
}

static u64 on_line(const struct vtx_vm_clock *clock, u64 tsc)
{
	/* As the guest computes it, from its own TSC; the offset cancels out. */
	u64 ticks = vtx_tsc_scale(tsc, clock->ratio) - vtx_tsc_scale(clock->base_tsc, clock->ratio);

	return clock->base_ns + vtx_scale_ticks(clock->scale, ticks);
}

/*
 * Brings the line up to date if it cannot be trusted any more: the TSC is not stable, or it went backwards (the
 * host slept). clock->lock held.
 * Return: is the line valid from now on for all CPUs?
 */
static bool refresh(struct vtx_vm_clock *clock)
{
	bool stable = host_tsc_stable();
	struct moment now;

	if (stable && rdtsc_ordered() >= clock->base_tsc)
		return true;
	now = sample(boot_ns);
	clock->base_tsc = now.tsc;
	clock->base_ns = max_t(u64, clock->base_ns, now.ns + clock->offset);
	return stable;
}

/* Lets the clock show @ns now. clock->lock held. */
static void start_line(struct vtx_vm_clock *clock, u64 ns)
{
	struct moment now = sample(boot_ns);

	clock->base_tsc = now.tsc;
	clock->base_ns = ns;
	clock->offset = ns - now.ns;
}

void vtx_clock_init(struct vtx_vm *vm)
{
	struct vtx_vm_clock *clock = &vm->clock;
	unsigned long flags;

	raw_spin_lock_init(&clock->lock);
	vm->tsc_khz = tsc_khz;
	clock->ratio = VTX_TSC_UNITY;
	clock->scale = vtx_scale_from_khz(tsc_khz);
	raw_spin_lock_irqsave(&clock->lock, flags);
	start_line(clock, 0);
	raw_spin_unlock_irqrestore(&clock->lock, flags);
}

/* The rate that is kept exactly is the multiplier's; where there is none, the host's. */
static struct vtx_scale scale_of(u32 khz, u64 ratio)
{
	return vtx_scale_from_khz(ratio == VTX_TSC_UNITY ? tsc_khz : khz);
}

/* A nanosecond more makes up for rounding, so that nobody sees the clock step back. */
static void base_at(struct vtx_vm_clock *clock, u64 tsc)
{
	clock->base_ns = on_line(clock, tsc) + 1;
	clock->base_tsc = tsc;
}

void vtx_clock_set_rate(struct vtx_vm_clock *clock, u32 khz, u64 ratio)
{
	refresh(clock);
	base_at(clock, rdtsc_ordered());
	clock->ratio = ratio;
	clock->scale = scale_of(khz, ratio);
}

u64 vtx_clock_ns(struct vtx_vm *vm)
{
	struct vtx_vm_clock *clock = &vm->clock;
	unsigned long flags;
	u64 ns;

	raw_spin_lock_irqsave(&clock->lock, flags);
	refresh(clock);
	ns = on_line(clock, rdtsc_ordered());
	raw_spin_unlock_irqrestore(&clock->lock, flags);
	return ns;
}

int vtx_get_clock(struct vtx_vm *vm, struct kvm_clock_data *out)
{
	struct vtx_vm_clock *clock = &vm->clock;
	unsigned long flags;
	struct moment now;

	memset(out, 0, sizeof(*out));
	raw_spin_lock_irqsave(&clock->lock, flags);
	if (refresh(clock)) {
		now = sample(real_ns);
		out->flags = VTX_CLOCK_FLAGS;
		out->realtime = now.ns;
		out->host_tsc = now.tsc;
	} else {
		now.tsc = rdtsc_ordered();
	}
	out->clock = on_line(clock, now.tsc);
	raw_spin_unlock_irqrestore(&clock->lock, flags);
	return 0;
}

int vtx_set_clock(struct vtx_vm *vm, const struct kvm_clock_data *in)
{
	struct vtx_vm_clock *clock = &vm->clock;
	u64 ns = in->clock, real;
	unsigned long flags;

	/*
	 * HOST_TSC and TSC_STABLE are accepted so that KVM_GET_CLOCK's answer can be given back, and mean nothing
	 * here.
	 */
	if (in->flags & ~VTX_CLOCK_FLAGS)
		return VTX_REFUSE(CLOCK_FLAGS, offsetof(struct kvm_clock_data, flags), in->flags, VTX_CLOCK_FLAGS);

	raw_spin_lock_irqsave(&clock->lock, flags);
	if (in->flags & KVM_CLOCK_REALTIME) {
		/* The time since the value was read counts, unless the host's clock was set back. */
		real = real_ns();
		if (real > in->realtime)
			ns += real - in->realtime;
	}
	start_line(clock, ns);
	raw_spin_unlock_irqrestore(&clock->lock, flags);

	vtx_vm_request_all(vm, VTX_REQ_CLOCK);
	return 0;
}

void vtx_clock_tsc_changed(struct vtx_vm *vm)
{
	vtx_vm_request_all(vm, VTX_REQ_CLOCK);
}

void vtx_pv_clock_new_cpu(struct vtx_vcpu *vcpu)
{
	if ((vcpu->pv_clock.system_time_msr & ENABLE) && !host_tsc_stable())
		vtx_vcpu_request(vcpu, VTX_REQ_CLOCK);
}

/* Linux reads vCPU 0's page with whichever vCPU's TSC from its vDSO if told "stable": they must agree. */
static bool tscs_agree(struct vtx_vm *vm, u64 tsc_offset, u64 tsc_ratio)
{
	struct vtx_vcpu *vcpu;
	int i;

	vtx_for_each_vcpu(i, vcpu, vm)
		if (READ_ONCE(vcpu->tsc_offset) != tsc_offset || READ_ONCE(vcpu->tsc_ratio) != tsc_ratio)
			return false;
	return true;
}

/* The page's contents for @vcpu, but for version and GUEST_STOPPED. */
static void fill_time_info(struct vtx_vcpu *vcpu, struct pvclock_vcpu_time_info *info)
{
	struct vtx_vm_clock *clock = &vcpu->vm->clock;
	struct vtx_scale scale;
	unsigned long flags;
	bool stable;

	raw_spin_lock_irqsave(&clock->lock, flags);
	stable = refresh(clock);
	info->tsc_timestamp = vtx_guest_tsc(vcpu, clock->base_tsc);
	info->system_time = clock->base_ns;
	scale = vcpu->tsc_ratio == clock->ratio ? clock->scale : scale_of(vcpu->tsc_khz, vcpu->tsc_ratio);
	raw_spin_unlock_irqrestore(&clock->lock, flags);

	info->tsc_to_system_mul = scale.mul;
	info->tsc_shift = scale.shift;
	if (stable && tscs_agree(vcpu->vm, vcpu->tsc_offset, vcpu->tsc_ratio))
		info->flags |= PVCLOCK_TSC_STABLE_BIT;
}

void vtx_pv_clock_update(struct vtx_vcpu *vcpu)
{
	struct vtx_pv_clock *pv = &vcpu->pv_clock;
	u64 gpa = pv->system_time_msr & ~ENABLE;
	struct pvclock_vcpu_time_info info = {};
	struct vtx_vm *vm = vcpu->vm;
	u8 old_flags;

	if (!(pv->system_time_msr & ENABLE))
		return;
	fill_time_info(vcpu, &info);

	/* The guest takes GUEST_STOPPED back itself. */
	if (vtx_gpa_read(vm, gpa + offsetof(struct pvclock_vcpu_time_info, flags), &old_flags, 1))
		return;
	info.flags |= old_flags & PVCLOCK_GUEST_STOPPED;
	if (pv->stopped)
		info.flags |= PVCLOCK_GUEST_STOPPED;

	/* An odd version says "being written"; it surrounds the contents. */
	pv->version = (pv->version & ~1U) + 1;
	info.version = pv->version;
	if (vtx_gpa_write(vm, gpa, &info.version, sizeof(info.version)))
		return;
	smp_wmb(); /* the odd version before the contents */
	if (vtx_gpa_write(vm, gpa, &info, sizeof(info)))
		return;
	smp_wmb(); /* the contents before the even version */
	info.version = ++pv->version;
	if (!vtx_gpa_write(vm, gpa, &info.version, sizeof(info.version)))
		pv->stopped = false;
	trace_kvm_pvclock_update(vcpu->id, &info);
}

int vtx_pv_clock_stopped(struct vtx_vcpu *vcpu)
{
	if (!(vcpu->pv_clock.system_time_msr & ENABLE))
		return VTX_REFUSE(CLOCK_PAGE_MISSING, VTX_NO_FIELD, vcpu->pv_clock.system_time_msr, ENABLE);
	vcpu->pv_clock.stopped = true;
	vtx_vcpu_request(vcpu, VTX_REQ_CLOCK);
	return 0;
}

/*
 * A vCPU whose TSC was behind the base's when the VM was created would publish a time stamp from before its zero.
 * Moves the base on to now, along the line.
 */
static void move_base(struct vtx_vcpu *vcpu)
{
	struct vtx_vm_clock *clock = &vcpu->vm->clock;
	unsigned long flags;
	bool moved = false;

	raw_spin_lock_irqsave(&clock->lock, flags);
	if (refresh(clock) && (s64)vtx_guest_tsc(vcpu, clock->base_tsc) < 0) {
		base_at(clock, rdtsc_ordered());
		moved = true;
	}
	raw_spin_unlock_irqrestore(&clock->lock, flags);
	if (moved)
		vtx_vm_request_all(vcpu->vm, VTX_REQ_CLOCK);
}

int vtx_pv_clock_set_system_time(struct vtx_vcpu *vcpu, u64 data)
{
	/* As in KVM, an address without memory behind it is no error: the page is just never written. */
	vcpu->pv_clock.system_time_msr = data;
	if (!(data & ENABLE))
		return 0;
	move_base(vcpu);
	vtx_vcpu_request(vcpu, VTX_REQ_CLOCK);
	return 0;
}

int vtx_pv_clock_set_wall_clock(struct vtx_vcpu *vcpu, u64 data)
{
	struct pvclock_wall_clock wall = {};
	struct vtx_vm *vm = vcpu->vm;
	u64 start;
	u32 version, nsec;

	if (!data || vtx_gpa_read(vm, data, &version, sizeof(version)))
		return 0;
	/* Odd while it is being written; what was there before the first time means nothing. */
	version |= 1;
	if (vtx_gpa_write(vm, data, &version, sizeof(version)))
		return 0;
	smp_wmb(); /* the odd version before the contents */

	/* The guest adds its system time to this. */
	start = ktime_get_real_ns() - vtx_clock_ns(vm);
	wall.version = version;
	wall.sec = div_u64_rem(start, NSEC_PER_SEC, &nsec);
	wall.nsec = nsec;
	if (vtx_gpa_write(vm, data, &wall, sizeof(wall)))
		return 0;
	smp_wmb(); /* the contents before the even version */
	version++;
	vtx_gpa_write(vm, data, &version, sizeof(version));
	return 0;
}

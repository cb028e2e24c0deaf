// SPDX-License-Identifier: GPL-2.0-only
/*
 * Local APIC timer as arithmetic on nanoseconds (SDM vol. 3, 11.5.4): one-shot, periodic and TSC-deadline.
 *
 * Nothing here divides by anything a guest or user space chose, except period_ns, which every path that arms a
 * periodic timer keeps at min_period_ns or more.
 */
#include "compat/pure.h"
#include "irqchip/lapic.h"
#include "pv/tsc.h"

/* A deadline further away than this (ns, about 146 years) is never reached; it keeps sums from wrapping. */
#define FAR_NS (1ull << 62)

static u64 at_least_one(u64 deadline)
{
	return deadline ? deadline : 1; /* 0 means "not armed" */
}

/* Bits 3, 1, 0 of the divide configuration: 000 divides by 2, ... 110 by 128, 111 by 1. */
unsigned int vtx_lapic_divide_shift(u32 tdcr)
{
	return (((tdcr & 3) | ((tdcr >> 1) & 4)) + 1) & 7;
}

static u64 count_to_ns(const struct vtx_lapic *apic, u32 count)
{
	return ((u64)count * VTX_LAPIC_TICK_NS) << vtx_lapic_divide_shift(vtx_lapic_get(apic, VTX_LAPIC_TDCR));
}

static void disarm(struct vtx_lapic *apic)
{
	WRITE_ONCE(apic->timer.deadline_ns, 0);
}

u32 vtx_lapic_current_count(const struct vtx_lapic *apic, u64 now_ns)
{
	u64 deadline = READ_ONCE(apic->timer.deadline_ns);
	u64 period = READ_ONCE(apic->timer.period_ns);
	u32 tmict = vtx_lapic_get(apic, VTX_LAPIC_TMICT);
	u64 left, count;

	if (!deadline || vtx_lapic_timer_mode(apic) == VTX_TIMER_TSC_DEADLINE)
		return 0;
	if (now_ns < deadline) {
		left = deadline - now_ns;
	} else {
		/* Due, but the host timer has not come round yet: a periodic one is already in its next round. */
		if (vtx_lapic_timer_mode(apic) != VTX_TIMER_PERIODIC || !period)
			return 0;
		left = period - (now_ns - deadline) % period;
	}
	count = (left / VTX_LAPIC_TICK_NS) >> vtx_lapic_divide_shift(vtx_lapic_get(apic, VTX_LAPIC_TDCR));
	return min_t(u64, count, tmict); /* the enforced minimum period may be longer than the count */
}

static u64 period_of(const struct vtx_lapic *apic)
{
	u64 period = count_to_ns(apic, vtx_lapic_get(apic, VTX_LAPIC_TMICT));

	if (vtx_lapic_timer_mode(apic) == VTX_TIMER_PERIODIC && period < apic->min_period_ns)
		period = apic->min_period_ns;
	return period;
}

static bool counts(unsigned int mode)
{
	return mode == VTX_TIMER_ONESHOT || mode == VTX_TIMER_PERIODIC;
}

void vtx_lapic_write_lvtt(struct vtx_lapic *apic, u32 value)
{
	unsigned int old = vtx_lapic_timer_mode(apic), new;

	vtx_lapic_put(apic, VTX_LAPIC_LVTT, value);
	new = vtx_lapic_timer_mode(apic);
	if (old == new)
		return;
	if (!counts(old) || !counts(new)) {
		/* "Transitioning between TSC-deadline mode and other timer modes also disarms the timer." */
		vtx_lapic_put(apic, VTX_LAPIC_TMICT, 0);
		apic->timer.tsc_deadline = 0;
		apic->timer.period_ns = 0;
		disarm(apic);
		return;
	}
	/* One-shot to periodic or back: the round that runs ends as it would have, then the new mode holds. */
	apic->timer.period_ns = period_of(apic);
}

void vtx_lapic_write_tmict(struct vtx_lapic *apic, u32 value, u64 now_ns)
{
	if (!counts(vtx_lapic_timer_mode(apic)))
		return; /* in TSC-deadline mode the initial count is ignored */
	vtx_lapic_put(apic, VTX_LAPIC_TMICT, value);
	if (!value) {
		disarm(apic);
		return;
	}
	apic->timer.period_ns = period_of(apic);
	WRITE_ONCE(apic->timer.deadline_ns, at_least_one(now_ns + apic->timer.period_ns));
}

void vtx_lapic_restore_timer(struct vtx_lapic *apic, u32 current_count, u64 now_ns)
{
	unsigned int mode = vtx_lapic_timer_mode(apic);
	u64 left;

	/* An armed IA32_TSC_DEADLINE is not in KVM's structure. It stays, as in KVM; there is none unless the mode was the same. */
	if (mode == VTX_TIMER_TSC_DEADLINE && apic->timer.tsc_deadline)
		return;
	apic->timer.tsc_deadline = 0;
	apic->timer.period_ns = 0;
	disarm(apic);
	if (!counts(mode) || !vtx_lapic_get(apic, VTX_LAPIC_TMICT))
		return;
	apic->timer.period_ns = period_of(apic);
	if (!current_count && mode == VTX_TIMER_ONESHOT)
		return; /* had fired */
	left = count_to_ns(apic, current_count);
	if (!current_count || left > apic->timer.period_ns)
		left = apic->timer.period_ns;
	WRITE_ONCE(apic->timer.deadline_ns, at_least_one(now_ns + left));
}

void vtx_lapic_write_tdcr(struct vtx_lapic *apic, u32 value, u64 now_ns)
{
	u32 count = vtx_lapic_current_count(apic, now_ns);

	vtx_lapic_put(apic, VTX_LAPIC_TDCR, value & 0xb);
	if (!counts(vtx_lapic_timer_mode(apic)))
		return;
	apic->timer.period_ns = period_of(apic);
	/* The counter keeps its value and goes on at the new speed. Due already: leave it to fire. */
	if (apic->timer.deadline_ns > now_ns)
		WRITE_ONCE(apic->timer.deadline_ns, at_least_one(now_ns + count_to_ns(apic, count)));
}

void vtx_lapic_write_tsc_deadline(struct vtx_lapic *apic, u64 value, u64 ticks, u32 tsc_khz, u64 now_ns)
{

	if (vtx_lapic_timer_mode(apic) != VTX_TIMER_TSC_DEADLINE)
		return;
	WRITE_ONCE(apic->timer.tsc_deadline, value);
	if (!value) {
		disarm(apic);
		return;
	}
	/* Rounded up: never early. */
	WRITE_ONCE(apic->timer.deadline_ns, at_least_one(now_ns + vtx_tsc_to_ns(ticks, tsc_khz, FAR_NS)));
}

u64 vtx_lapic_timer_expire(struct vtx_lapic *apic, u64 now_ns, bool *raised)
{
	struct vtx_lapic_timer *t = &apic->timer;
	u64 deadline = t->deadline_ns;
	u32 lvtt;

	*raised = false;
	if (!deadline || now_ns < deadline)
		return deadline;

	if (vtx_lapic_timer_mode(apic) == VTX_TIMER_PERIODIC && t->period_ns) {
		/* One interrupt for all periods that were missed: no storm after a long pause. */
		deadline += ((now_ns - deadline) / t->period_ns + 1) * t->period_ns;
	} else {
		deadline = 0;
		WRITE_ONCE(t->tsc_deadline, 0);
	}
	WRITE_ONCE(t->deadline_ns, deadline);

	lvtt = vtx_lapic_get(apic, VTX_LAPIC_LVTT);
	if (!(lvtt & VTX_LAPIC_LVT_MASKED))
		*raised = vtx_lapic_accept(apic, (u8)lvtt, false) >= 0;
	return deadline;
}

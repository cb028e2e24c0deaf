// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PIT in the kernel: its ports, the host timer behind IRQ 0, reinjection of lost ticks, KVM_GET_PIT2 and
 * KVM_SET_PIT2.
 *
 * A tick is one pulse on GSI 0.  A pulse that finds the previous one still waiting is lost on real hardware; with
 * reinjection (KVM's default) it is counted instead, and sent when the guest ends an interrupt.  A tick that
 * everybody has masked is not owed.  pit->lock (raw) protects all state; pulses are made outside of it.
 */
#include <linux/ktime.h>
#include <linux/slab.h>
#include "compat/compat.h"
#include "irqchip/kernel.h"
#include "uapi/refuse.h"

/* At most so many ticks are owed: a guest that was stopped for long catches up with seconds, not with an hour. */
#define MAX_OWED 1000u

#define PIT_PORT 0x40
#define SPEAKER_PORT 0x61

struct vtx_pit_kernel {
	raw_spinlock_t lock;
	struct vtx_pit pit;
	struct hrtimer timer;
	u64 seen_ns;		/* edges up to here have become pulses */
	unsigned int owed;
	bool reinject;
	struct vtx_vm *vm;
};

/* One pulse. Return: the status of its rising edge. */
static int pulse(struct vtx_vm *vm)
{
	int status = vtx_set_irq(vm, VTX_IRQ_SOURCE_PIT, 0, 1);

	vtx_set_irq(vm, VTX_IRQ_SOURCE_PIT, 0, 0);
	return status;
}

/*
 * The edges between two looks, as ticks. Of a counter that is faster than guests may be interrupted, one each time that they may:
 * reinjected, its edges would never leave the guest an instruction of its own. The part of such a time that is left counts at the
 * next look. pit->lock held.
 */
static u64 ticks_until(struct vtx_pit_kernel *p, u64 now)
{
	u64 ticks = vtx_pit_edges(&p->pit, p->seen_ns, now), gap = vtx_min_timer_period_ns();
	u64 seen = now, period = vtx_pit_period_ns(&p->pit);

	if (ticks > 1 && period && period < gap && (now - p->seen_ns) / gap < ticks) {
		ticks = max(1ULL, (now - p->seen_ns) / gap);
		seen = min(now, p->seen_ns + ticks * gap);
	}
	p->seen_ns = seen;
	return ticks;
}

/* Sends one tick, of @ticks that are due. */
static void send_ticks(struct vtx_pit_kernel *p, u64 ticks)
{
	int status = pulse(p->vm);
	unsigned long flags;

	if (status > 0)
		ticks--;
	raw_spin_lock_irqsave(&p->lock, flags);
	if (status < 0 || !p->reinject)
		p->owed = 0;
	else
		p->owed = min_t(u64, p->owed + ticks, MAX_OWED);
	raw_spin_unlock_irqrestore(&p->lock, flags);
}

void vtx_pit_ended(struct vtx_vm *vm)
{
	struct vtx_pit_kernel *p = smp_load_acquire(&vm->irqchip->pit); /* pairs with vtx_pit_create() */
	unsigned long flags;
	bool send;

	if (!p || !READ_ONCE(p->owed))
		return;
	raw_spin_lock_irqsave(&p->lock, flags);
	send = p->owed;
	if (send)
		p->owed--;
	raw_spin_unlock_irqrestore(&p->lock, flags);
	if (send)
		send_ticks(p, 1);
}

/* When to look next: at the next edge, but not too often. 0: never. pit->lock held. */
static u64 next_look(struct vtx_pit_kernel *p, u64 now)
{
	u64 next = vtx_pit_next_edge(&p->pit, now);

	return next ? max(next, now + vtx_min_timer_period_ns()) : 0;
}

/* The counter was loaded anew, its mode changed: nothing of the past counts. pit->lock held. */
static void restart(struct vtx_pit_kernel *p, u64 now)
{
	u64 next = next_look(p, now);

	p->seen_ns = now;
	p->owed = 0;
	if (next)
		hrtimer_start(&p->timer, ns_to_ktime(next), HRTIMER_MODE_ABS_HARD);
}

static enum hrtimer_restart timer_fn(struct hrtimer *timer)
{
	struct vtx_pit_kernel *p = container_of(timer, struct vtx_pit_kernel, timer);
	enum hrtimer_restart again = HRTIMER_NORESTART;
	unsigned long flags;
	u64 ticks, next, now;

	raw_spin_lock_irqsave(&p->lock, flags);
	now = ktime_get_ns();
	ticks = ticks_until(p, now);
	/* Queued already: the guest loaded the counter while we waited for the lock. */
	next = next_look(p, now);
	if (next && !hrtimer_is_queued(timer)) {
		hrtimer_set_expires(timer, ns_to_ktime(next));
		again = HRTIMER_RESTART;
	}
	raw_spin_unlock_irqrestore(&p->lock, flags);
	if (ticks)
		send_ticks(p, ticks);
	return again;
}

/* ---------------------------------------------------------------- ports */

static void port_write(struct vtx_vm *vm, u64 addr, unsigned int len, const u8 *data)
{
	struct vtx_pit_kernel *p = smp_load_acquire(&vm->irqchip->pit); /* pairs with vtx_pit_create() */
	bool restarts = false;
	unsigned long flags;
	unsigned int i;
	u64 now;

	if (!p)
		return;
	raw_spin_lock_irqsave(&p->lock, flags);
	now = ktime_get_ns();
	for (i = 0; i < len && addr + i - PIT_PORT < 4; i++) {
		vtx_pit_write(&p->pit, addr + i - PIT_PORT, data[i], now);
		/* Counter 0, or a control word for it that is not a mere latch command. */
		restarts |= addr + i == PIT_PORT || (addr + i == PIT_PORT + 3 && data[i] < 0x40 && (data[i] & 0x30));
	}
	if (restarts)
		restart(p, now);
	raw_spin_unlock_irqrestore(&p->lock, flags);
}

static void port_read(struct vtx_vm *vm, u64 addr, unsigned int len, u8 *data)
{
	struct vtx_pit_kernel *p = smp_load_acquire(&vm->irqchip->pit); /* pairs with vtx_pit_create() */
	unsigned long flags;
	unsigned int i;

	if (!p)
		return;
	raw_spin_lock_irqsave(&p->lock, flags);
	for (i = 0; i < len && addr + i - PIT_PORT < 4; i++)
		data[i] = vtx_pit_read(&p->pit, addr + i - PIT_PORT, ktime_get_ns());
	raw_spin_unlock_irqrestore(&p->lock, flags);
}

static void speaker_write(struct vtx_vm *vm, u64 addr, unsigned int len, const u8 *data)
{
	struct vtx_pit_kernel *p = smp_load_acquire(&vm->irqchip->pit); /* pairs with vtx_pit_create() */
	unsigned long flags;

	if (!p)
		return;
	raw_spin_lock_irqsave(&p->lock, flags);
	vtx_pit_speaker_write(&p->pit, data[0], ktime_get_ns());
	raw_spin_unlock_irqrestore(&p->lock, flags);
}

static void speaker_read(struct vtx_vm *vm, u64 addr, unsigned int len, u8 *data)
{
	struct vtx_pit_kernel *p = smp_load_acquire(&vm->irqchip->pit); /* pairs with vtx_pit_create() */
	unsigned long flags;

	if (!p)
		return;
	raw_spin_lock_irqsave(&p->lock, flags);
	data[0] = vtx_pit_speaker_read(&p->pit, ktime_get_ns());
	raw_spin_unlock_irqrestore(&p->lock, flags);
}

static const struct vtx_bus_ops port_ops = { .read = port_read, .write = port_write };
static const struct vtx_bus_ops speaker_ops = { .read = speaker_read, .write = speaker_write };

/* ---------------------------------------------------------------- life and ioctls */

int vtx_pit_create(struct vtx_vm *vm, const struct kvm_pit_config *config)
{
	static const struct vtx_bus_device devices[] = {
		{ VTX_BUS_PIO, 4, PIT_PORT, &port_ops },
		{ VTX_BUS_PIO, 1, SPEAKER_PORT, &speaker_ops },
	};
	struct vtx_pit_kernel *p;
	int ret;

	if (!vtx_has_full_irqchip(vm))
		return VTX_REFUSE(PIT_WITHOUT_IRQCHIP, VTX_NO_FIELD, 0, 0);
	if (vm->irqchip->pit)
		return VTX_REFUSE(PIT_EXISTS, VTX_NO_FIELD, 0, 0);
	p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	if (!p)
		return -ENOMEM;
	raw_spin_lock_init(&p->lock);
	p->vm = vm;
	p->reinject = true;
	p->seen_ns = ktime_get_ns();
	vtx_hrtimer_setup(&p->timer, timer_fn, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
	vtx_pit_reset(&p->pit, p->seen_ns);
	/* The ports first, as that can fail; until the PIT is there as well, they do nothing. */
	ret = vtx_bus_add_devices(vm, devices, config->flags & KVM_PIT_SPEAKER_DUMMY ? 2 : 1);
	if (ret)
		kfree(p);
	else
		smp_store_release(&vm->irqchip->pit, p); /* pairs with vtx_pit_ended() and the port handlers */
	return ret;
}

void vtx_pit_stop(struct vtx_vm *vm)
{
	if (vm->irqchip->pit)
		hrtimer_cancel(&vm->irqchip->pit->timer);
}

void vtx_pit_destroy(struct vtx_vm *vm)
{
	struct vtx_pit_kernel *p = vm->irqchip->pit;

	if (!p)
		return;
	hrtimer_cancel(&p->timer);
	vm->irqchip->pit = NULL;
	kfree(p);
}

/* The PIT, once KVM_CREATE_PIT2 has succeeded; NULL before. Lives as long as the VM. */
static struct vtx_pit_kernel *pit_of(struct vtx_vm *vm)
{
	struct vtx_pit_kernel *p = NULL;

	mutex_lock(&vm->lock);
	if (vtx_has_full_irqchip(vm))
		p = vm->irqchip->pit;
	mutex_unlock(&vm->lock);
	return p;
}

int vtx_get_pit2(struct vtx_vm *vm, struct kvm_pit_state2 *state)
{
	struct vtx_pit_kernel *p = pit_of(vm);
	unsigned long flags;

	if (!p)
		return VTX_REFUSE(PIT_MISSING, VTX_NO_FIELD, 0, 0);
	raw_spin_lock_irqsave(&p->lock, flags);
	vtx_pit_get_state(&p->pit, state);
	raw_spin_unlock_irqrestore(&p->lock, flags);
	return 0;
}

int vtx_set_pit2(struct vtx_vm *vm, const struct kvm_pit_state2 *state)
{
	struct vtx_pit_kernel *p = pit_of(vm);
	unsigned long flags;
	u64 now;

	if (!p)
		return VTX_REFUSE(PIT_MISSING, VTX_NO_FIELD, 0, 0);
	raw_spin_lock_irqsave(&p->lock, flags);
	now = ktime_get_ns();
	vtx_pit_set_state(&p->pit, state, now);
	restart(p, now);
	raw_spin_unlock_irqrestore(&p->lock, flags);
	return 0;
}

int vtx_reinject_control(struct vtx_vm *vm, const struct kvm_reinject_control *control)
{
	struct vtx_pit_kernel *p = pit_of(vm);
	unsigned long flags;

	if (!p)
		return VTX_REFUSE(PIT_MISSING, VTX_NO_FIELD, 0, 0);
	raw_spin_lock_irqsave(&p->lock, flags);
	p->reinject = !!control->pit_reinject;
	p->owed = 0;
	raw_spin_unlock_irqrestore(&p->lock, flags);
	return 0;
}

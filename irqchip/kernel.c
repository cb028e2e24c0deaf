// SPDX-License-Identifier: GPL-2.0-only
/*
 * The set of in-kernel interrupt controllers of a VM: creation, PIC and IOAPIC behind their locks, their ports and
 * MMIO, KVM_GET_IRQCHIP and KVM_SET_IRQCHIP.
 *
 * ioapic_lock and pic_lock are raw and taken with interrupts off, as irqfds and timers deliver from atomic context;
 * the order is in kernel.h.  What an operation ended (EOI) is collected under the lock and told to PIT and irqfds
 * after it.
 */
#include <linux/ktime.h>
#include <linux/slab.h>
#include "compat/compat.h"
#include "irqchip/kernel.h"
#include "trace/events_irq.h"
#include "uapi/refuse.h"
#include "vmx/caps.h"
#include "vmx/event.h"

/* How late is late: vtx_ioapic_storms(). */
#define LATE_NS 100000

/* ---------------------------------------------------------------- PIC */

/* The PIC is wired to LINT0, which may be set up as something else than ExtINT. */
static void lint0_rose(struct vtx_vcpu *vcpu)
{
	switch (vtx_lapic_local(&vcpu->apic->lapic, VTX_LAPIC_LINT0)) {
	case VTX_APIC_NMI:
		vtx_queue_nmi(vcpu);
		vtx_vcpu_kick(vcpu);
		break;
	case VTX_APIC_FIXED:
		vtx_vcpu_request_kick(vcpu, VTX_REQ_EVENT);
		break;
	default: /* masked, or a mode that makes no sense here */
		break;
	}
}

/*
 * Makes vCPUs look at the PIC's output after it rose. The output is stored first (under pic_lock), then the hint (a
 * locked operation), then the request: a vCPU that sees none of the latter two has not yet looked, and will see the
 * output.
 */
static void pic_notify(struct vtx_vm *vm)
{
	struct vtx_vcpu *vcpu;
	int i;

	vtx_for_each_vcpu(i, vcpu, vm) {
		struct vtx_lapic_kernel *k = vcpu->apic;

		if (!k)
			continue;
		vtx_lapic_set_hint(&k->lapic, VTX_LAPIC_HINT_EXTINT);
		if (vtx_lapic_takes_extint(&k->lapic))
			vtx_vcpu_request_kick(vcpu, VTX_REQ_EVENT);
		else
			lint0_rose(vcpu);
	}
}

/* What happened in a section under pic_lock: the output rose; service of these lines ended. */
struct pic_outcome {
	bool rose;
	u16 ended;
};

/* Service of these lines of the PICs and pins of the IOAPIC has ended. */
static void trace_ended(u16 lines, u32 pins)
{
	unsigned int i;

	if (!trace_kvm_ack_irq_enabled())
		return;
	for (i = 0; i < VTX_PIC_LINES; i++)
		if (lines & 1u << i)
			trace_kvm_ack_irq(i < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, i);
	for (i = 0; i < VTX_IOAPIC_PINS; i++)
		if (pins & 1u << i)
			trace_kvm_ack_irq(KVM_IRQCHIP_IOAPIC, i);
}

/* At the end of the section, lock held. */
static struct pic_outcome pic_settle(struct vtx_irqchip *chip)
{
	bool output = vtx_pic_output(&chip->pic);
	struct pic_outcome outcome = {
		.rose = output && !chip->pic_output,
		.ended = vtx_pic_take_ended(&chip->pic),
	};

	WRITE_ONCE(chip->pic_output, output);
	return outcome;
}

/* After the section, lock dropped. */
static void pic_tell(struct vtx_vm *vm, struct pic_outcome outcome)
{
	if (outcome.rose)
		pic_notify(vm);
	trace_ended(outcome.ended, 0);
	if (outcome.ended & 1)
		vtx_pit_ended(vm);
	if (outcome.ended)
		vtx_irqfd_ended(vm, outcome.ended, 0);
}

int vtx_pic_line(struct vtx_vm *vm, unsigned int line, unsigned int source, bool level)
{
	struct vtx_irqchip *chip = vm->irqchip;
	struct pic_outcome outcome;
	unsigned long flags;
	int ret;

	raw_spin_lock_irqsave(&chip->pic_lock, flags);
	ret = vtx_pic_set_line(&chip->pic, line, source, level);
	outcome = pic_settle(chip);
	trace_kvm_pic_set_irq(line >> 3, line & 7, chip->pic.chip[line >> 3].elcr, chip->pic.chip[line >> 3].imr, ret == 0);
	raw_spin_unlock_irqrestore(&chip->pic_lock, flags);
	pic_tell(vm, outcome);
	return ret;
}

int vtx_pic_inta(struct vtx_vm *vm)
{
	struct vtx_irqchip *chip = vm->irqchip;
	struct pic_outcome outcome;
	unsigned long flags;
	int vector = -1;

	raw_spin_lock_irqsave(&chip->pic_lock, flags);
	if (vtx_pic_output(&chip->pic)) /* else another vCPU was faster, or the guest masked it */
		vector = vtx_pic_ack(&chip->pic);
	outcome = pic_settle(chip);
	raw_spin_unlock_irqrestore(&chip->pic_lock, flags);
	pic_tell(vm, outcome);
	return vector;
}

static bool is_pic_port(u64 port)
{
	return port == 0x20 || port == 0x21 || port == 0xa0 || port == 0xa1 || port == 0x4d0 || port == 0x4d1;
}

static void pic_port_write(struct vtx_vm *vm, u64 addr, unsigned int len, const u8 *data)
{
	struct vtx_irqchip *chip = vm->irqchip;
	struct pic_outcome outcome;
	unsigned long flags;
	unsigned int i;

	raw_spin_lock_irqsave(&chip->pic_lock, flags);
	for (i = 0; i < len; i++)
		if (is_pic_port(addr + i))
			vtx_pic_write(&chip->pic, addr + i, data[i]);
	outcome = pic_settle(chip);
	raw_spin_unlock_irqrestore(&chip->pic_lock, flags);
	pic_tell(vm, outcome);
}

static void pic_port_read(struct vtx_vm *vm, u64 addr, unsigned int len, u8 *data)
{
	struct vtx_irqchip *chip = vm->irqchip;
	struct pic_outcome outcome;
	unsigned long flags;
	unsigned int i;

	raw_spin_lock_irqsave(&chip->pic_lock, flags);
	for (i = 0; i < len; i++)
		if (is_pic_port(addr + i))
			data[i] = vtx_pic_read(&chip->pic, addr + i);
	outcome = pic_settle(chip);
	raw_spin_unlock_irqrestore(&chip->pic_lock, flags);
	pic_tell(vm, outcome);
}

static const struct vtx_bus_ops pic_ops = { .read = pic_port_read, .write = pic_port_write };

/* ---------------------------------------------------------------- IOAPIC */

static int ioapic_send(struct vtx_vm *vm, unsigned int pin, struct vtx_apic_msg *msg)
{
	int ret;

	if (msg->dest == VTX_APIC_BROADCAST && !vtx_broadcast_ff(vm))
		msg->dest = 0xff;
	ret = vtx_apic_deliver(vm, NULL, msg);
	if (ret >= 0)
		vtx_ioapic_sent(&vm->irqchip->ioapic, pin);
	return ret;
}

static void ioapic_fire(struct vtx_vm *vm, unsigned int pin)
{
	struct vtx_apic_msg msg;

	if (vtx_ioapic_fire(&vm->irqchip->ioapic, pin, &msg))
		ioapic_send(vm, pin, &msg);
}

/* After an EOI; ioapic_lock held. */
static void ioapic_fire_again(struct vtx_vm *vm, unsigned int pin)
{
	struct vtx_irqchip *chip = vm->irqchip;
	struct vtx_apic_msg msg;

	if (!vtx_ioapic_fire(&chip->ioapic, pin, &msg))
		return;
	if (!vtx_ioapic_storms(&chip->ioapic, pin)) {
		ioapic_send(vm, pin, &msg);
		return;
	}
	if (!chip->late_pins)
		hrtimer_start(&chip->late_timer, ns_to_ktime(LATE_NS), HRTIMER_MODE_REL_HARD);
	chip->late_pins |= 1u << pin;
}

static enum hrtimer_restart late_timer_fn(struct hrtimer *timer)
{
	struct vtx_irqchip *chip = container_of(timer, struct vtx_irqchip, late_timer);
	unsigned long flags;
	unsigned int pin;

	raw_spin_lock_irqsave(&chip->ioapic_lock, flags);
	for (pin = 0; pin < VTX_IOAPIC_PINS; pin++)
		if (chip->late_pins & (1u << pin))
			ioapic_fire(chip->vm, pin);
	chip->late_pins = 0;
	raw_spin_unlock_irqrestore(&chip->ioapic_lock, flags);
	return HRTIMER_NORESTART;
}

/* Which vectors' EOIs does somebody wait for? Entries, routes or waiters changed; ioapic_lock held. */
static void ioapic_rewatch(struct vtx_irqchip *chip)
{
	u32 vectors[8];
	bool changed = false;
	int i;

	vtx_ioapic_vectors(&chip->ioapic, chip->watched_pins, vectors);
	for (i = 0; i < 8; i++) {
		changed |= chip->watched[i] != vectors[i];
		WRITE_ONCE(chip->watched[i], vectors[i]);
	}
	/* Processors that take EOIs by themselves have a copy (vmx/apicv.c). */
	if (changed && vtx_caps.apicv)
		vtx_vm_request_all(chip->vm, VTX_REQ_EVENT);
}

void vtx_ioapic_watch(struct vtx_vm *vm, u32 pit_pins, u32 all_pins)
{
	struct vtx_irqchip *chip = vm->irqchip;
	unsigned long flags;

	raw_spin_lock_irqsave(&chip->ioapic_lock, flags);
	chip->pit_pins = pit_pins;
	chip->watched_pins = all_pins;
	ioapic_rewatch(chip);
	raw_spin_unlock_irqrestore(&chip->ioapic_lock, flags);
}

int vtx_ioapic_line(struct vtx_vm *vm, unsigned int pin, unsigned int source, bool level)
{
	struct vtx_irqchip *chip = vm->irqchip;
	struct vtx_apic_msg msg;
	unsigned long flags;
	bool send;
	int ret;

	raw_spin_lock_irqsave(&chip->ioapic_lock, flags);
	ret = vtx_ioapic_set_line(&chip->ioapic, pin, source, level, &msg, &send);
	if (send)
		ret = ioapic_send(vm, pin, &msg);
	trace_kvm_ioapic_set_irq(chip->ioapic.entry[pin], pin, ret == 0);
	raw_spin_unlock_irqrestore(&chip->ioapic_lock, flags);
	return ret;
}

/*
 * EOI broadcast. Resamplers are told between clearing Remote IRR and looking at the level again, so that a device
 * that is done has lowered its line; one that is not raises it and thereby sends the next interrupt itself. No
 * recursion: raising a line never leads back to an EOI.
 */
void vtx_ioapic_broadcast_eoi(struct vtx_vm *vm, u8 vector)
{
	struct vtx_irqchip *chip = vm->irqchip;
	unsigned long flags;
	unsigned int pin;
	u32 pins;
	bool pit;

	raw_spin_lock_irqsave(&chip->ioapic_lock, flags);
	pins = vtx_ioapic_eoi(&chip->ioapic, vector);
	pit = pins & chip->pit_pins;
	raw_spin_unlock_irqrestore(&chip->ioapic_lock, flags);
	if (!pins)
		return;

	trace_ended(0, pins);
	if (pit)
		vtx_pit_ended(vm);
	vtx_irqfd_ended(vm, 0, pins);

	raw_spin_lock_irqsave(&chip->ioapic_lock, flags);
	for (pin = 0; pin < VTX_IOAPIC_PINS; pin++)
		if (pins & (1u << pin))
			ioapic_fire_again(vm, pin);
	raw_spin_unlock_irqrestore(&chip->ioapic_lock, flags);
}

static void ioapic_mmio_write(struct vtx_vm *vm, u64 addr, unsigned int len, const u8 *data)
{
	struct vtx_irqchip *chip = vm->irqchip;
	unsigned long flags;
	unsigned int pin;
	u64 value = 0;

	memcpy(&value, data, min(len, 8u));
	raw_spin_lock_irqsave(&chip->ioapic_lock, flags);
	pin = vtx_ioapic_write(&chip->ioapic, addr - VTX_IOAPIC_BASE, len, value);
	if (pin != VTX_IOAPIC_NO_PIN) {
		ioapic_rewatch(chip);
		ioapic_fire(vm, pin);
	}
	raw_spin_unlock_irqrestore(&chip->ioapic_lock, flags);
}

static void ioapic_mmio_read(struct vtx_vm *vm, u64 addr, unsigned int len, u8 *data)
{
	struct vtx_irqchip *chip = vm->irqchip;
	unsigned long flags;
	u64 value;

	raw_spin_lock_irqsave(&chip->ioapic_lock, flags);
	value = vtx_ioapic_read(&chip->ioapic, addr - VTX_IOAPIC_BASE, len);
	raw_spin_unlock_irqrestore(&chip->ioapic_lock, flags);
	memcpy(data, &value, min(len, 8u));
}

static const struct vtx_bus_ops ioapic_ops = { .read = ioapic_mmio_read, .write = ioapic_mmio_write };

/* ---------------------------------------------------------------- KVM_GET_IRQCHIP, KVM_SET_IRQCHIP */

int vtx_get_irqchip(struct vtx_vm *vm, struct kvm_irqchip *arg)
{
	struct vtx_irqchip *chip;
	unsigned long flags;

	if (!vtx_has_full_irqchip(vm))
		return VTX_REFUSE(IRQCHIP_MISSING, VTX_NO_FIELD, 0, 0);
	chip = vm->irqchip;
	switch (arg->chip_id) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		raw_spin_lock_irqsave(&chip->pic_lock, flags);
		vtx_pic_get_state(&chip->pic, arg->chip_id, &arg->chip.pic);
		raw_spin_unlock_irqrestore(&chip->pic_lock, flags);
		return 0;
	case KVM_IRQCHIP_IOAPIC:
		raw_spin_lock_irqsave(&chip->ioapic_lock, flags);
		vtx_ioapic_get_state(&chip->ioapic, &arg->chip.ioapic);
		raw_spin_unlock_irqrestore(&chip->ioapic_lock, flags);
		return 0;
	default:
		return VTX_REFUSE(IRQCHIP_ID, offsetof(struct kvm_irqchip, chip_id), arg->chip_id, KVM_IRQCHIP_IOAPIC);
	}
}

static void set_ioapic(struct vtx_vm *vm, const struct kvm_ioapic_state *state)
{
	struct vtx_irqchip *chip = vm->irqchip;
	unsigned long flags;
	unsigned int pin;

	raw_spin_lock_irqsave(&chip->ioapic_lock, flags);
	vtx_ioapic_set_state(&chip->ioapic, state);
	ioapic_rewatch(chip);
	for (pin = 0; pin < VTX_IOAPIC_PINS; pin++)
		ioapic_fire(vm, pin);
	raw_spin_unlock_irqrestore(&chip->ioapic_lock, flags);
}

int vtx_set_irqchip(struct vtx_vm *vm, const struct kvm_irqchip *arg)
{
	struct pic_outcome outcome;
	struct vtx_irqchip *chip;
	unsigned long flags;

	if (!vtx_has_full_irqchip(vm))
		return VTX_REFUSE(IRQCHIP_MISSING, VTX_NO_FIELD, 0, 0);
	chip = vm->irqchip;
	switch (arg->chip_id) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		raw_spin_lock_irqsave(&chip->pic_lock, flags);
		vtx_pic_set_state(&chip->pic, arg->chip_id, &arg->chip.pic);
		outcome = pic_settle(chip);
		raw_spin_unlock_irqrestore(&chip->pic_lock, flags);
		pic_tell(vm, outcome);
		return 0;
	case KVM_IRQCHIP_IOAPIC:
		set_ioapic(vm, &arg->chip.ioapic);
		return 0;
	default:
		return VTX_REFUSE(IRQCHIP_ID, offsetof(struct kvm_irqchip, chip_id), arg->chip_id, KVM_IRQCHIP_IOAPIC);
	}
}

/* ---------------------------------------------------------------- life */

static int create(struct vtx_vm *vm, enum vtx_irqchip_mode mode, u32 split_pins)
{
	static const struct vtx_bus_device devices[] = {
		{ VTX_BUS_PIO, 2, 0x20, &pic_ops },
		{ VTX_BUS_PIO, 2, 0xa0, &pic_ops },
		{ VTX_BUS_PIO, 2, 0x4d0, &pic_ops },
		{ VTX_BUS_MMIO, VTX_IOAPIC_SIZE, VTX_IOAPIC_BASE, &ioapic_ops },
	};
	bool chips = mode == VTX_IRQCHIP_KERNEL;
	struct vtx_irqchip *chip;
	int ret;

	if (vm->irqchip_mode != VTX_IRQCHIP_NONE)
		return VTX_REFUSE(IRQCHIP_EXISTS, VTX_NO_FIELD, 0, 0);
	if (vtx_vm_num_vcpus(vm) && !chips)
		return VTX_REFUSE(SPLIT_LATE, offsetof(struct kvm_enable_cap, cap), vtx_vm_num_vcpus(vm), 0);
	if (vtx_vm_num_vcpus(vm))
		return VTX_REFUSE(IRQCHIP_LATE, VTX_NO_FIELD, vtx_vm_num_vcpus(vm), 0);
	chip = kzalloc(sizeof(*chip), GFP_KERNEL_ACCOUNT);
	if (!chip)
		return -ENOMEM;
	raw_spin_lock_init(&chip->pic_lock);
	raw_spin_lock_init(&chip->ioapic_lock);
	vtx_hrtimer_setup(&chip->late_timer, late_timer_fn, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	chip->vm = vm;
	INIT_LIST_HEAD(&chip->resamplers);
	vtx_pic_reset(&chip->pic);
	vtx_ioapic_reset(&chip->ioapic);
	chip->split_pins = split_pins;

	ret = vtx_irqfd_init();
	if (ret)
		goto free;
	vm->irqchip = chip;
	ret = vtx_routing_init(vm, chips);
	if (ret)
		goto irqfd;
	if (chips)
		ret = vtx_bus_add_devices(vm, devices, ARRAY_SIZE(devices));
	if (ret)
		goto routing;
	smp_store_release(&vm->irqchip_mode, mode); /* pairs with vtx_has_lapic() */
	return 0;

routing:
	vtx_routing_destroy(vm);
irqfd:
	vm->irqchip = NULL;
	vtx_irqfd_exit();
free:
	kfree(chip);
	return ret;
}

int vtx_irqchip_create(struct vtx_vm *vm)
{
	return create(vm, VTX_IRQCHIP_KERNEL, 0);
}

int vtx_irqchip_create_split(struct vtx_vm *vm, u64 pins)
{
	if (pins > VTX_MAX_IRQ_ROUTES)
		return VTX_REFUSE(IRQCHIP_PINS, offsetof(struct kvm_enable_cap, args), pins, VTX_MAX_IRQ_ROUTES);
	return create(vm, VTX_IRQCHIP_SPLIT, pins);
}

void vtx_irqchip_stop(struct vtx_vm *vm)
{
	hrtimer_cancel(&vm->irqchip->late_timer);
	vtx_pit_stop(vm);
}

void vtx_irqchip_destroy(struct vtx_vm *vm)
{
	vtx_irqchip_release_fds(vm);
	if (vm->irqchip) {
		vtx_irqchip_stop(vm);
		vtx_pit_destroy(vm);
		vtx_irqfd_exit();
	}
	vtx_ioeventfd_destroy(vm);
	vtx_bus_destroy(vm);
	vtx_routing_destroy(vm);
	kfree(vm->irqchip);
	vm->irqchip = NULL;
}

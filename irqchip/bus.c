// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PIO and MMIO bus of a VM: which in-kernel device or ioeventfd answers a guest access.
 *
 * A bus is an immutable object: a few devices (searched one by one, at most VTX_BUS_DEVICES) and a sorted array of
 * ioeventfds (at most two binary searches, bus_match.c).  Readers hold vm->srcu.  Writers hold vm->slots_lock,
 * publish a changed copy, and wait for the readers of the old one (synchronize_srcu_expedited: an ioeventfd may then
 * be freed).
 */
#include <linux/eventfd.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include "compat/compat.h"
#include "irqchip/kernel.h"
#include "uapi/refuse.h"

#define VTX_BUS_DEVICES 8
#define VTX_BUS_EVENTS 16384

struct vtx_bus {
	unsigned int nr_devices, nr_events;
	struct vtx_bus_device devices[VTX_BUS_DEVICES];
	struct vtx_bus_event events[];
};

/* ---------------------------------------------------------------- readers */

static const struct vtx_bus_device *find_device(const struct vtx_bus *bus, u64 addr)
{
	unsigned int i;

	for (i = 0; i < bus->nr_devices; i++)
		if (addr - bus->devices[i].addr < bus->devices[i].len)
			return &bus->devices[i];
	return NULL;
}

static u64 value_of(const void *data, unsigned int len)
{
	u64 value = 0;

	memcpy(&value, data, min(len, 8u));
	return value;
}

static int write_device(struct vtx_vcpu *vcpu, int bus, u64 addr, unsigned int len, const void *data)
{
	const struct vtx_bus *b = srcu_dereference(vcpu->vm->buses[bus], &vcpu->vm->srcu);
	const struct vtx_bus_event *event;
	const struct vtx_bus_device *device;

	if (!b)
		return -EOPNOTSUPP;
	event = vtx_bus_event_find(b->events, b->nr_events, addr, len, value_of(data, len));
	if (event) {
		vtx_eventfd_signal(event->cookie);
		return 0;
	}
	device = find_device(b, addr);
	if (!device)
		return -EOPNOTSUPP;
	device->ops->write(vcpu->vm, addr, len, data);
	return 0;
}

int vtx_bus_write(struct vtx_vcpu *vcpu, int bus, u64 addr, unsigned int len, const void *data)
{
	if (!write_device(vcpu, bus, addr, len, data))
		return 0;
	if (likely(!rcu_access_pointer(vcpu->vm->zones[bus])))
		return -EOPNOTSUPP;
	return vtx_coalesce(vcpu->vm, bus, addr, len, data) ? 0 : -EOPNOTSUPP;
}

int vtx_bus_read(struct vtx_vcpu *vcpu, int bus, u64 addr, unsigned int len, void *data)
{
	const struct vtx_bus *b = srcu_dereference(vcpu->vm->buses[bus], &vcpu->vm->srcu);
	const struct vtx_bus_device *device = b ? find_device(b, addr) : NULL;

	if (!device)
		return -EOPNOTSUPP;
	memset(data, 0xff, len); /* bytes beyond the device float */
	device->ops->read(vcpu->vm, addr, len, data);
	return 0;
}

/* ---------------------------------------------------------------- writers */

static struct vtx_bus *bus_of(struct vtx_vm *vm, int bus)
{
	return rcu_dereference_protected(vm->buses[bus], lockdep_is_held(&vm->slots_lock));
}

/* A copy of @old (NULL: empty) with room for @nr_events, of which the first min(@nr_events, old ones) are filled. */
static struct vtx_bus *clone(const struct vtx_bus *old, unsigned int nr_events)
{
	struct vtx_bus *new = kvzalloc(struct_size(new, events, nr_events), GFP_KERNEL_ACCOUNT);

	if (!new)
		return NULL;
	if (old) {
		new->nr_devices = old->nr_devices;
		memcpy(new->devices, old->devices, sizeof(new->devices));
		memcpy(new->events, old->events, min(nr_events, old->nr_events) * sizeof(new->events[0]));
	}
	new->nr_events = nr_events;
	return new;
}

static void publish(struct vtx_vm *vm, int bus, struct vtx_bus *old, struct vtx_bus *new)
{
	rcu_assign_pointer(vm->buses[bus], new);
	synchronize_srcu_expedited(&vm->srcu);
	kvfree(old);
}

int vtx_bus_add_devices(struct vtx_vm *vm, const struct vtx_bus_device *devices, unsigned int nr)
{
	struct vtx_bus *old[VTX_NR_BUSES], *new[VTX_NR_BUSES] = {};
	unsigned int i;
	int bus, ret = 0;

	mutex_lock(&vm->slots_lock);
	for (bus = 0; bus < VTX_NR_BUSES && !ret; bus++) {
		old[bus] = bus_of(vm, bus);
		new[bus] = clone(old[bus], old[bus] ? old[bus]->nr_events : 0);
		if (!new[bus])
			ret = -ENOMEM;
	}
	for (i = 0; i < nr && !ret; i++) {
		struct vtx_bus *b = new[devices[i].bus];

		if (b->nr_devices == VTX_BUS_DEVICES)
			ret = -ENOSPC;
		else
			b->devices[b->nr_devices++] = devices[i];
	}
	for (bus = 0; bus < VTX_NR_BUSES; bus++) {
		if (ret)
			kvfree(new[bus]);
		else
			publish(vm, bus, old[bus], new[bus]);
	}
	mutex_unlock(&vm->slots_lock);
	return ret;
}

int vtx_bus_add_event(struct vtx_vm *vm, int bus, const struct vtx_bus_event *event)
{
	struct vtx_bus *old = bus_of(vm, bus), *new;
	unsigned int nr = old ? old->nr_events : 0, at, i;

	lockdep_assert_held(&vm->slots_lock);
	if (nr >= VTX_BUS_EVENTS)
		return VTX_REFUSE(IOEVENTFD_TOO_MANY, VTX_NO_FIELD, nr, VTX_BUS_EVENTS);
	for (at = 0, i = 0; i < nr; i++) {
		if (vtx_bus_event_collides(&old->events[i], event))
			return VTX_REFUSE(IOEVENTFD_EXISTS, offsetof(struct kvm_ioeventfd, addr), event->addr, old->events[i].addr);
		if (vtx_bus_event_compare(&old->events[i], event) < 0)
			at = i + 1;
	}
	new = clone(old, nr + 1);
	if (!new)
		return -ENOMEM;
	if (old)
		memcpy(&new->events[at + 1], &old->events[at], (nr - at) * sizeof(new->events[0]));
	new->events[at] = *event;
	publish(vm, bus, old, new);
	return 0;
}

int vtx_bus_remove_event(struct vtx_vm *vm, int bus, const struct vtx_bus_event *event)
{
	struct vtx_bus *old = bus_of(vm, bus), *new;
	unsigned int nr = old ? old->nr_events : 0, at;

	lockdep_assert_held(&vm->slots_lock);
	for (at = 0; at < nr; at++)
		if (!vtx_bus_event_compare(&old->events[at], event) && old->events[at].cookie == event->cookie)
			break;
	if (at == nr)
		return -ENOENT;
	new = clone(old, nr - 1);
	if (!new)
		return -ENOMEM;
	memcpy(&new->events[at], &old->events[at + 1], (nr - 1 - at) * sizeof(new->events[0]));
	publish(vm, bus, old, new);
	return 0;
}

void vtx_bus_destroy(struct vtx_vm *vm)
{
	int bus;

	for (bus = 0; bus < VTX_NR_BUSES; bus++) {
		kvfree(rcu_dereference_protected(vm->buses[bus], true)); /* no vCPU runs any more */
		RCU_INIT_POINTER(vm->buses[bus], NULL);
	}
}

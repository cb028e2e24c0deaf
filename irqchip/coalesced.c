// SPDX-License-Identifier: GPL-2.0-only
/*
 * Coalesced MMIO and PIO: writes into zones that user space has registered wait in a ring that all vCPUs of the VM share, and user space
 * takes them out when it comes by for another reason. For registers whose writes have no effect that could not wait.
 *
 * The ring is one page, mapped by user space behind each struct kvm_run; whatever user space writes there costs it entries and nothing
 * else. Zones are an immutable array for each bus, read under vm->srcu and replaced under vm->slots_lock, as the bus is (bus.c).
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include "irqchip/kernel.h"
#include "irqchip/zones.h"
#include "uapi/refuse.h"

#define MAX_ZONES 1000	/* of a bus, as KVM's devices of one */
#define ENTRIES ((u32)((PAGE_SIZE - sizeof(struct kvm_coalesced_mmio_ring)) / sizeof(struct kvm_coalesced_mmio)))

struct vtx_zones {
	unsigned int nr;
	struct kvm_coalesced_mmio_zone zone[];
};

/* ---------------------------------------------------------------- the ring */

int vtx_coalesced_alloc(struct vtx_vm *vm)
{
	raw_spin_lock_init(&vm->coalesced_lock);
	vm->coalesced_ring = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	return vm->coalesced_ring ? 0 : -ENOMEM;
}

/* A mapping that is still there holds the page by a reference of its own. */
void vtx_coalesced_free(struct vtx_vm *vm)
{
	int bus;

	for (bus = 0; bus < VTX_NR_BUSES; bus++) {
		kvfree(rcu_dereference_protected(vm->zones[bus], true)); /* no vCPU runs any more */
		RCU_INIT_POINTER(vm->zones[bus], NULL);
	}
	free_page((unsigned long)vm->coalesced_ring);
	vm->coalesced_ring = NULL;
}

static bool put_entry(struct vtx_vm *vm, int bus, u64 addr, unsigned int len, const void *data)
{
	struct kvm_coalesced_mmio_ring *ring = vm->coalesced_ring;
	struct kvm_coalesced_mmio *entry;
	u32 place;

	raw_spin_lock(&vm->coalesced_lock);
	place = vtx_coalesced_place(READ_ONCE(ring->first), READ_ONCE(ring->last), ENTRIES);
	if (place != VTX_RING_FULL) {
		entry = &ring->coalesced_mmio[place];
		entry->phys_addr = addr;
		entry->len = len;
		memcpy(entry->data, data, len);
		entry->pio = bus == VTX_BUS_PIO;
		/* User space reads @last, then the entries before it. */
		smp_store_release(&ring->last, (place + 1) % ENTRIES);
	}
	raw_spin_unlock(&vm->coalesced_lock);
	return place != VTX_RING_FULL;
}

bool vtx_coalesce(struct vtx_vm *vm, int bus, u64 addr, unsigned int len, const void *data)
{
	const struct vtx_zones *zones = srcu_dereference(vm->zones[bus], &vm->srcu);
	unsigned int i;

	if (!zones || len > sizeof_field(struct kvm_coalesced_mmio, data))
		return false;
	for (i = 0; i < zones->nr; i++)
		if (vtx_zone_holds(&zones->zone[i], addr, len))
			return put_entry(vm, bus, addr, len, data);
	return false;
}

/* ---------------------------------------------------------------- zones come and go */

static int bus_of(const struct kvm_coalesced_mmio_zone *zone)
{
	if (zone->pio > 1)
		return VTX_REFUSE(ZONE_KIND, offsetof(struct kvm_coalesced_mmio_zone, pio), zone->pio, 1);
	return zone->pio ? VTX_BUS_PIO : VTX_BUS_MMIO;
}

static struct vtx_zones *zones_of(struct vtx_vm *vm, int bus)
{
	return rcu_dereference_protected(vm->zones[bus], lockdep_is_held(&vm->slots_lock));
}

static void publish(struct vtx_vm *vm, int bus, struct vtx_zones *new)
{
	struct vtx_zones *old = zones_of(vm, bus);

	rcu_assign_pointer(vm->zones[bus], new);
	synchronize_srcu_expedited(&vm->srcu);
	kvfree(old);
}

static int add_zone(struct vtx_vm *vm, int bus, const struct kvm_coalesced_mmio_zone *zone)
{
	const struct vtx_zones *old = zones_of(vm, bus);
	unsigned int nr = old ? old->nr : 0;
	struct vtx_zones *new;

	if (nr >= MAX_ZONES)
		return VTX_REFUSE(ZONE_TOO_MANY, VTX_NO_FIELD, nr, MAX_ZONES);
	new = kvzalloc(struct_size(new, zone, nr + 1), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	if (nr)
		memcpy(new->zone, old->zone, nr * sizeof(new->zone[0]));
	new->zone[nr] = *zone;
	new->nr = nr + 1;
	publish(vm, bus, new);
	return 0;
}

/* A zone of no size holds nothing, not even itself. */
static bool is_meant(const struct kvm_coalesced_mmio_zone *zone, const struct kvm_coalesced_mmio_zone *part)
{
	return vtx_zone_holds(zone, part->addr, part->size) || (zone->addr == part->addr && zone->size == part->size);
}

/* Every zone that holds all of @part goes, whole; there may be none. */
static int remove_zones(struct vtx_vm *vm, int bus, const struct kvm_coalesced_mmio_zone *part)
{
	const struct vtx_zones *old = zones_of(vm, bus);
	struct vtx_zones *new;
	unsigned int i;

	for (i = 0; old && i < old->nr; i++)
		if (is_meant(&old->zone[i], part))
			break;
	if (!old || i == old->nr)
		return 0;
	new = kvzalloc(struct_size(new, zone, old->nr), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	for (i = 0; i < old->nr; i++)
		if (!is_meant(&old->zone[i], part))
			new->zone[new->nr++] = old->zone[i];
	publish(vm, bus, new);
	return 0;
}

typedef int (*change_fn)(struct vtx_vm *vm, int bus, const struct kvm_coalesced_mmio_zone *zone);

static int change(struct vtx_vm *vm, const struct kvm_coalesced_mmio_zone *zone, change_fn fn)
{
	int bus = bus_of(zone), ret;

	if (bus < 0)
		return bus;
	mutex_lock(&vm->slots_lock);
	ret = fn(vm, bus, zone);
	mutex_unlock(&vm->slots_lock);
	return ret;
}

int vtx_coalesced_register(struct vtx_vm *vm, const struct kvm_coalesced_mmio_zone *zone)
{
	return change(vm, zone, add_zone);
}

int vtx_coalesced_unregister(struct vtx_vm *vm, const struct kvm_coalesced_mmio_zone *part)
{
	return change(vm, part, remove_zones);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a GSI or an MSI to interrupt controllers: the VM's routing table, KVM_SET_GSI_ROUTING, KVM_IRQ_LINE,
 * KVM_SIGNAL_MSI.
 *
 * The table is immutable, replaced under vm->irq_lock and read under plain RCU rather than vm->srcu: readers never
 * sleep (they may be an eventfd wake-up with interrupts off), and an RCU reader costs nothing.  When
 * KVM_SET_GSI_ROUTING returns no interrupt goes by the old table any more.
 */
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include "irqchip/kernel.h"
#include "trace/events_irq.h"
#include "uapi/refuse.h"

static int send_msi(struct vtx_vm *vm, u32 address_lo, u32 address_hi, u32 data)
{
	struct vtx_apic_msg msg;
	bool wide = vtx_wide_ids(vm);

	trace_kvm_msi_set_irq(wide ? (u64)address_hi << 32 | address_lo : address_lo, data);
	vtx_apic_msg_from_msi(&msg, address_lo, address_hi, data, wide, vtx_broadcast_ff(vm));
	return vtx_apic_deliver(vm, NULL, &msg);
}

static int follow(struct vtx_vm *vm, const struct vtx_route *route, unsigned int source, int level)
{
	switch (route->kind) {
	case VTX_ROUTE_PIC:
		return vtx_pic_line(vm, route->pin, source, level);
	case VTX_ROUTE_IOAPIC:
		return vtx_ioapic_line(vm, route->pin, source, level);
	default:
		return level ? send_msi(vm, route->address_lo, route->address_hi, route->data) : -1;
	}
}

int vtx_set_irq(struct vtx_vm *vm, unsigned int source, u32 gsi, int level)
{
	const struct vtx_routing *routing;
	const struct vtx_route *routes;
	unsigned int nr = 0, i;
	int ret = -1, r;

	trace_kvm_set_irq(gsi, level, source);
	rcu_read_lock();
	routing = rcu_dereference(vm->routing);
	if (routing && gsi < routing->table.nr_gsis)
		nr = vtx_routes_of(&routing->table, array_index_nospec(gsi, routing->table.nr_gsis), &routes);
	for (i = 0; i < nr; i++) {
		r = follow(vm, &routes[i], source, level);
		if (r >= 0)
			ret = r + max(ret, 0);
	}
	rcu_read_unlock();
	return ret;
}

/* ---------------------------------------------------------------- the table */

static struct vtx_routing *build(const struct kvm_irq_routing_entry *entries, u32 nr, bool chips, bool wide)
{
	const struct vtx_routes_limits limits = {
		.max_routes = VTX_MAX_IRQ_ROUTES, .chips = chips, .wide_ids = wide,
	};
	struct vtx_routing *new;
	size_t first_bytes;
	int gsis, ret;

	gsis = vtx_routes_check(entries, nr, &limits);
	if (gsis < 0)
		return ERR_PTR(gsis);
	first_bytes = ALIGN((gsis + 1) * sizeof(u32), sizeof(u64));
	new = kvzalloc(sizeof(*new) + first_bytes + nr * sizeof(struct vtx_route), GFP_KERNEL_ACCOUNT);
	if (!new)
		return ERR_PTR(-ENOMEM);
	new->table.nr_gsis = gsis;
	new->table.first = new->memory;
	new->table.routes = (struct vtx_route *)((u8 *)new->memory + first_bytes);
	ret = vtx_routes_build(&new->table, entries, nr);
	if (ret) {
		kvfree(new);
		return ERR_PTR(ret);
	}
	return new;
}

void vtx_routing_watch(struct vtx_vm *vm)
{
	const struct vtx_routing *routing = rcu_dereference_protected(vm->routing, lockdep_is_held(&vm->irq_lock));
	u32 pit_pins = vtx_routes_ioapic_pins(&routing->table, 0);

	vtx_ioapic_watch(vm, pit_pins, pit_pins | vtx_irqfd_pins(vm, &routing->table));
}

/* Level-triggered interrupts that some vCPU has not ended: a word. */
static u32 unfinished(struct vtx_vm *vm, unsigned int word)
{
	struct vtx_vcpu *vcpu;
	u32 bits = 0;
	int i;

	vtx_for_each_vcpu(i, vcpu, vm) {
		const struct vtx_lapic *apic = &vcpu->apic->lapic;

		bits |= vtx_lapic_unfinished(apic, word) & vtx_lapic_get(apic, VTX_LAPIC_TMR + word * 0x10);
	}
	return bits;
}

/*
 * Split irqchip: which EOIs does user space's IOAPIC wait for? Those of its level-triggered routes; and of routes that it had
 * before, as long as they may be on their way (@all_old) or some vCPU serves them. irq_lock held.
 */
static void watch_split(struct vtx_vm *vm, const struct vtx_route_table *table, bool all_old)
{
	struct vtx_irqchip *chip = vm->irqchip;
	u32 vectors[8], old;
	unsigned int w;

	vtx_routes_level_vectors(table, chip->split_pins, vectors);
	for (w = 0; w < 8; w++) {
		old = chip->watched[w] & ~vectors[w];
		if (old && !all_old)
			old &= unfinished(vm, w);
		WRITE_ONCE(chip->watched[w], vectors[w] | old);
	}
}

int vtx_set_gsi_routing(struct vtx_vm *vm, const struct kvm_irq_routing_entry *entries, u32 nr)
{
	bool chips = vtx_has_full_irqchip(vm);
	struct vtx_routing *new, *old;

	new = build(entries, nr, chips, vtx_wide_ids(vm));
	if (IS_ERR(new))
		return PTR_ERR(new);
	mutex_lock(&vm->irq_lock);
	if (!chips)
		watch_split(vm, &new->table, true);
	old = rcu_replace_pointer(vm->routing, new, lockdep_is_held(&vm->irq_lock));
	if (chips)
		vtx_routing_watch(vm);
	synchronize_rcu_expedited();
	if (!chips)
		watch_split(vm, &new->table, false);
	mutex_unlock(&vm->irq_lock);
	kvfree(old);
	return 0;
}

int vtx_routing_init(struct vtx_vm *vm, bool chips)
{
	struct kvm_irq_routing_entry *entries;
	struct vtx_routing *new;
	u32 nr = chips ? VTX_ROUTES_DEFAULT : 0;

	entries = kcalloc(VTX_ROUTES_DEFAULT, sizeof(*entries), GFP_KERNEL_ACCOUNT);
	if (!entries)
		return -ENOMEM;
	vtx_routes_default(entries);
	new = build(entries, nr, chips, false);
	kfree(entries);
	if (IS_ERR(new))
		return PTR_ERR(new);
	mutex_lock(&vm->irq_lock);
	rcu_assign_pointer(vm->routing, new);
	vtx_routing_watch(vm);
	mutex_unlock(&vm->irq_lock);
	return 0;
}

void vtx_routing_destroy(struct vtx_vm *vm)
{
	kvfree(rcu_dereference_protected(vm->routing, true)); /* nobody can deliver any more */
	RCU_INIT_POINTER(vm->routing, NULL);
}

/* ---------------------------------------------------------------- ioctls */

int vtx_irq_line(struct vtx_vm *vm, struct kvm_irq_level *irq)
{
	if (!vtx_has_lapic(vm))
		return VTX_REFUSE(IRQCHIP_MISSING, VTX_NO_FIELD, 0, 0);
	irq->status = vtx_set_irq(vm, VTX_IRQ_SOURCE_USER, irq->irq, !!irq->level);
	return 0;
}

int vtx_signal_msi(struct vtx_vm *vm, const struct kvm_msi *msi)
{
	if (!vtx_has_lapic(vm))
		return VTX_REFUSE(LAPIC_MISSING, VTX_NO_FIELD, 0, 0);
	if (msi->flags)
		return VTX_REFUSE(MSI_FLAGS, offsetof(struct kvm_msi, flags), msi->flags, 0);
	if (vtx_wide_ids(vm) && (msi->address_hi & 0xff))
		return VTX_REFUSE(MSI_ADDRESS, offsetof(struct kvm_msi, address_hi), msi->address_hi, ~0xffU);
	return send_msi(vm, msi->address_lo, msi->address_hi, msi->data);
}

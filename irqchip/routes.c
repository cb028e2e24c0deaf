// SPDX-License-Identifier: GPL-2.0-only
/*
 * GSI routes: the checks of KVM_SET_GSI_ROUTING and a table with direct lookup by GSI.
 */
#include "compat/pure.h"
#include "irqchip/ioapic.h"
#include "irqchip/pic.h"
#include "irqchip/routes.h"
#include "uapi/refuse.h"

void vtx_routes_default(struct kvm_irq_routing_entry *out)
{
	unsigned int pin, n = 0;

	memset(out, 0, VTX_ROUTES_DEFAULT * sizeof(*out));
	for (pin = 0; pin < VTX_IOAPIC_PINS; pin++) {
		if (pin < VTX_PIC_LINES) {
			out[n].gsi = pin;
			out[n].type = KVM_IRQ_ROUTING_IRQCHIP;
			out[n].u.irqchip.irqchip = pin < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE;
			out[n++].u.irqchip.pin = pin & 7;
		}
		out[n].gsi = pin;
		out[n].type = KVM_IRQ_ROUTING_IRQCHIP;
		out[n].u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
		out[n++].u.irqchip.pin = pin;
	}
}

/* Offset of a field of entry @i in the ioctl's argument. */
#define AT(i, field) \
	(offsetof(struct kvm_irq_routing, entries) + (i) * sizeof(struct kvm_irq_routing_entry) + \
	 offsetof(struct kvm_irq_routing_entry, field))

static int check_chip(const struct kvm_irq_routing_entry *e, u32 i, const struct vtx_routes_limits *limits)
{
	const struct kvm_irq_routing_irqchip *chip = &e->u.irqchip;
	u32 pins;

	if (!limits->chips)
		return VTX_REFUSE(ROUTE_CHIP, AT(i, type), e->type, KVM_IRQ_ROUTING_MSI);
	switch (chip->irqchip) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		pins = 8;
		break;
	case KVM_IRQCHIP_IOAPIC:
		pins = VTX_IOAPIC_PINS;
		break;
	default:
		return VTX_REFUSE(ROUTE_CHIP, AT(i, u.irqchip.irqchip), chip->irqchip, KVM_IRQCHIP_IOAPIC);
	}
	if (chip->pin >= pins)
		return VTX_REFUSE(ROUTE_PIN, AT(i, u.irqchip.pin), chip->pin, pins - 1);
	return 0;
}

static int check_entry(const struct kvm_irq_routing_entry *e, u32 i, const struct vtx_routes_limits *limits)
{
	if (e->gsi >= limits->max_routes)
		return VTX_REFUSE(ROUTE_GSI, AT(i, gsi), e->gsi, limits->max_routes - 1);
	if (e->flags)
		return VTX_REFUSE(ROUTE_FLAGS, AT(i, flags), e->flags, 0);
	switch (e->type) {
	case KVM_IRQ_ROUTING_IRQCHIP:
		return check_chip(e, i, limits);
	case KVM_IRQ_ROUTING_MSI:
		if (limits->wide_ids && (e->u.msi.address_hi & 0xff))
			return VTX_REFUSE(ROUTE_MSI_ADDRESS, AT(i, u.msi.address_hi), e->u.msi.address_hi, ~0xffU);
		return 0;
	default:
		return VTX_REFUSE(ROUTE_TYPE, AT(i, type), e->type, KVM_IRQ_ROUTING_MSI);
	}
}

int vtx_routes_check(const struct kvm_irq_routing_entry *entries, u32 nr, const struct vtx_routes_limits *limits)
{
	u32 i, gsis = 0;
	int ret;

	if (nr > limits->max_routes)
		return VTX_REFUSE(ROUTING_COUNT, offsetof(struct kvm_irq_routing, nr), nr, limits->max_routes);
	for (i = 0; i < nr; i++) {
		ret = check_entry(&entries[i], i, limits);
		if (ret)
			return ret;
		gsis = max(gsis, (u32)(entries[i].gsi + 1));
	}
	return gsis;
}

static void convert(struct vtx_route *route, const struct kvm_irq_routing_entry *e)
{
	*route = (struct vtx_route){ 0 };
	if (e->type == KVM_IRQ_ROUTING_MSI) {
		route->kind = VTX_ROUTE_MSI;
		route->address_lo = e->u.msi.address_lo;
		route->address_hi = e->u.msi.address_hi;
		route->data = e->u.msi.data;
	} else if (e->u.irqchip.irqchip == KVM_IRQCHIP_IOAPIC) {
		route->kind = VTX_ROUTE_IOAPIC;
		route->pin = e->u.irqchip.pin;
	} else {
		route->kind = VTX_ROUTE_PIC;
		route->pin = e->u.irqchip.pin + (e->u.irqchip.irqchip == KVM_IRQCHIP_PIC_SLAVE ? 8 : 0);
	}
}

static unsigned int chip_of(const struct vtx_route *route)
{
	return route->kind == VTX_ROUTE_PIC ? route->pin / 8 : KVM_IRQCHIP_IOAPIC;
}

/* KVM: an MSI has its GSI for itself, and a chip appears once per GSI. */
static bool may_share(const struct vtx_route *a, const struct vtx_route *b)
{
	return a->kind != VTX_ROUTE_MSI && b->kind != VTX_ROUTE_MSI && chip_of(a) != chip_of(b);
}

int vtx_routes_build(struct vtx_route_table *table, const struct kvm_irq_routing_entry *entries, u32 nr)
{
	u32 gsi, i, *first = table->first;

	/* A counting sort: first[gsi] counts the routes of gsi, then becomes the position of its first one. */
	for (gsi = 0; gsi <= table->nr_gsis; gsi++)
		first[gsi] = 0;
	for (i = 0; i < nr; i++)
		first[entries[i].gsi]++;
	for (gsi = 0, i = 0; gsi <= table->nr_gsis; gsi++) {
		u32 n = first[gsi];

		first[gsi] = i;
		i += n;
	}
	/* Unused slots are recognised by kind 0xff while filling. */
	for (i = 0; i < nr; i++)
		table->routes[i].kind = 0xff;
	/* There are VTX_ROUTES_PER_GSI chips, so a further route of a GSI clashes with one of its first ones. */
	for (i = 0; i < nr; i++) {
		struct vtx_route *slot = &table->routes[first[entries[i].gsi]], new;

		convert(&new, &entries[i]);
		for (; slot->kind != 0xff; slot++)
			if (!may_share(slot, &new))
				return VTX_REFUSE(ROUTE_CLASH, AT(i, gsi), entries[i].gsi, 0);
		*slot = new;
	}
	table->nr_routes = nr;
	return 0;
}

void vtx_routes_level_vectors(const struct vtx_route_table *table, u32 gsis, u32 vectors[8])
{
	u32 nr = min(gsis, table->nr_gsis), i;

	memset(vectors, 0, 8 * sizeof(vectors[0]));
	/* Routes lie in the order of their GSIs. */
	for (i = 0; i < table->first[nr]; i++) {
		const struct vtx_route *route = &table->routes[i];

		if (route->kind == VTX_ROUTE_MSI && (route->data & VTX_MSI_LEVEL))
			vectors[(u8)route->data / 32] |= 1u << (route->data & 31);
	}
}

u32 vtx_routes_ioapic_pins(const struct vtx_route_table *table, u32 gsi)
{
	const struct vtx_route *routes = NULL;
	unsigned int n = vtx_routes_of(table, gsi, &routes), i;
	u32 pins = 0;

	for (i = 0; i < n; i++)
		if (routes[i].kind == VTX_ROUTE_IOAPIC)
			pins |= 1u << routes[i].pin;
	return pins;
}

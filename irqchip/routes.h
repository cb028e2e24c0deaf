/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table from GSIs to interrupt controller pins and MSIs, as pure logic: checking, building, looking up.
 */
#ifndef VTX_IRQCHIP_ROUTES_H
#define VTX_IRQCHIP_ROUTES_H

#include "compat/pure.h"
#include <linux/kvm.h>

#define VTX_ROUTES_DEFAULT 40		/* PIC 0..15 and IOAPIC 0..23 */
#define VTX_ROUTES_PER_GSI 3		/* at most master or slave PIC, IOAPIC; or one MSI */

/* In the data of an MSI: trigger mode (SDM vol. 3, 11.11.2). */
#define VTX_MSI_LEVEL BIT(15)

enum vtx_route_kind { VTX_ROUTE_PIC, VTX_ROUTE_IOAPIC, VTX_ROUTE_MSI };

struct vtx_route {
	u8 kind;	/* enum vtx_route_kind */
	u8 pin;		/* PIC: 0..15, IOAPIC: 0..23 */
	u32 address_lo;	/* the rest: MSI */
	u32 address_hi;
	u32 data;
};

/* Immutable once built. The arrays are given by the caller, who knows their size from vtx_routes_gsis() and nr. */
struct vtx_route_table {
	u32 nr_gsis;		/* GSIs 0..nr_gsis-1 have an entry in first[] */
	u32 nr_routes;
	u32 *first;		/* [nr_gsis + 1]: a GSI's routes are routes[first[gsi]] to before first[gsi + 1] */
	struct vtx_route *routes;
};

struct vtx_routes_limits {
	u32 max_routes;		/* also the bound of a GSI */
	bool chips;		/* the VM has PIC and IOAPIC in the kernel */
	bool wide_ids;		/* MSI address_hi carries destination bits 31:8 (KVM_X2APIC_API_USE_32BIT_IDS) */
};

/* Fills @out[VTX_ROUTES_DEFAULT] with GSI n -> PIC line n (n < 16) and IOAPIC pin n (n < 24). */
void vtx_routes_default(struct kvm_irq_routing_entry *out);

/**
 * vtx_routes_check() - may these entries become a table? Return: the number of GSIs it spans (0 for none), or
 * -EINVAL: too many entries, GSI too high, unknown type or flag, a pin that does not exist.
 */
int vtx_routes_check(const struct kvm_irq_routing_entry *entries, u32 nr, const struct vtx_routes_limits *limits);

/**
 * vtx_routes_build() - sort checked entries into a table
 * @table: first (nr_gsis + 1 elements) and routes (nr elements) point to memory; nr_gsis as vtx_routes_check()
 * returned Return: 0, or -EINVAL when a GSI goes to one chip twice, or to an MSI and something else (as KVM).
 */
int vtx_routes_build(struct vtx_route_table *table, const struct kvm_irq_routing_entry *entries, u32 nr);

/* The routes of @gsi. Return: how many (0..VTX_ROUTES_PER_GSI), *routes the first. */
static inline unsigned int vtx_routes_of(const struct vtx_route_table *table, u32 gsi, const struct vtx_route **routes)
{
	if (gsi >= table->nr_gsis)
		return 0;
	*routes = &table->routes[table->first[gsi]];
	return table->first[gsi + 1] - table->first[gsi];
}

/* Split irqchip: bit per vector in @vectors[8], those of level-triggered MSI routes of GSIs below @gsis. */
void vtx_routes_level_vectors(const struct vtx_route_table *table, u32 gsis, u32 vectors[8]);

/* The IOAPIC pins of a GSI: bit per pin. */
u32 vtx_routes_ioapic_pins(const struct vtx_route_table *table, u32 gsi);

#endif /* VTX_IRQCHIP_ROUTES_H */

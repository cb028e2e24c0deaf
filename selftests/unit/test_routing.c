// SPDX-License-Identifier: GPL-2.0-only
/*
 * GSI routes (defaults, checks, table), MSI decoding, and which ioeventfd a write hits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "compat/pure.h"
#include <cmocka.h>
#include "irqchip/apic_msg.h"
#include "irqchip/bus_match.h"
#include "irqchip/routes.h"

#define MAX 4096

static struct kvm_irq_routing_entry entries[MAX + 1];
static const struct vtx_routes_limits full = { .max_routes = MAX, .chips = true };
static const struct vtx_routes_limits split = { .max_routes = MAX };

/* Exactly as much memory as promised, so that ASan sees a step beyond. */
static int build(struct vtx_route_table *t, u32 nr, const struct vtx_routes_limits *limits)
{
	int gsis = vtx_routes_check(entries, nr, limits), ret;

	memset(t, 0, sizeof(*t));
	if (gsis < 0)
		return gsis;
	t->nr_gsis = gsis;
	t->first = malloc((gsis + 1) * sizeof(u32));
	t->routes = malloc(nr * sizeof(struct vtx_route));
	ret = vtx_routes_build(t, entries, nr);
	if (ret) {
		free(t->first);
		free(t->routes);
	}
	return ret;
}

static void done(struct vtx_route_table *t)
{
	free(t->first);
	free(t->routes);
}

static void chip(unsigned int i, u32 gsi, u32 which, u32 pin)
{
	entries[i] = (struct kvm_irq_routing_entry){ .gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP };
	entries[i].u.irqchip.irqchip = which;
	entries[i].u.irqchip.pin = pin;
}

static void msi(unsigned int i, u32 gsi, u32 data)
{
	entries[i] = (struct kvm_irq_routing_entry){ .gsi = gsi, .type = KVM_IRQ_ROUTING_MSI };
	entries[i].u.msi.address_lo = 0xfee00000;
	entries[i].u.msi.data = data;
}

static void default_routes(void **state)
{
	struct vtx_route_table t;
	const struct vtx_route *r;
	u32 gsi;

	vtx_routes_default(entries);
	assert_int_equal(build(&t, VTX_ROUTES_DEFAULT, &full), 0);
	for (gsi = 0; gsi < 24; gsi++) {
		assert_int_equal(vtx_routes_of(&t, gsi, &r), gsi < 16 ? 2 : 1);
		assert_int_equal(vtx_routes_ioapic_pins(&t, gsi), 1u << gsi);
		if (gsi < 16) {
			assert_int_equal(r[0].kind, VTX_ROUTE_PIC);
			assert_int_equal(r[0].pin, gsi);
		}
	}
	assert_int_equal(vtx_routes_of(&t, 24, &r), 0);
	assert_int_equal(vtx_routes_ioapic_pins(&t, 24), 0);
	assert_int_equal(vtx_routes_of(&t, ~0u, &r), 0);
	done(&t);
}

static void refusals(void **state)
{
	struct vtx_route_table t;
	u32 i;

	chip(0, 0, KVM_IRQCHIP_PIC_MASTER, 8);
	assert_int_equal(build(&t, 1, &full), -EINVAL);
	chip(0, 0, KVM_IRQCHIP_PIC_SLAVE, 8);
	assert_int_equal(build(&t, 1, &full), -EINVAL);
	chip(0, 0, KVM_IRQCHIP_IOAPIC, 24);
	assert_int_equal(build(&t, 1, &full), -EINVAL);
	chip(0, 0, 3, 0);
	assert_int_equal(build(&t, 1, &full), -EINVAL);
	chip(0, 0, KVM_IRQCHIP_IOAPIC, 3);
	assert_int_equal(build(&t, 1, &split), -EINVAL);
	entries[0].flags = 1;
	assert_int_equal(build(&t, 1, &full), -EINVAL);
	chip(0, MAX, KVM_IRQCHIP_IOAPIC, 3);
	assert_int_equal(build(&t, 1, &full), -EINVAL);
	entries[0].gsi = ~0u;
	assert_int_equal(build(&t, 1, &full), -EINVAL);
	for (i = 0; i < 10; i++) {
		msi(0, 1, 0x40);
		entries[0].type = i;
		entries[0].u.irqchip.irqchip = 99;
		assert_int_equal(vtx_routes_check(entries, 1, &full), i == KVM_IRQ_ROUTING_MSI ? 2 : -EINVAL);
	}
	msi(0, 1, 0x40);
	entries[0].u.msi.devid = 7;
	entries[0].flags = KVM_MSI_VALID_DEVID;
	assert_int_equal(build(&t, 1, &full), -EINVAL);
	assert_int_equal(vtx_routes_check(entries, MAX + 1, &full), -EINVAL);
	msi(0, 1, 0x40);
	entries[0].u.msi.address_hi = 1;
	assert_int_equal(build(&t, 1, &(struct vtx_routes_limits){ .max_routes = MAX, .wide_ids = true }), -EINVAL);
}

/* Bug class 63: all on one GSI, from none to too many. */
static void many_on_one_gsi(void **state)
{
	struct vtx_route_table t;
	const struct vtx_route *r;
	u32 nr, i;

	assert_int_equal(build(&t, 0, &full), 0);
	assert_int_equal(vtx_routes_of(&t, 0, &r), 0);
	done(&t);
	for (nr = 1; nr <= MAX; nr += nr < 8 ? 1 : 511) {
		for (i = 0; i < nr; i++)
			chip(i, 5, i % 3, 5);
		assert_int_equal(build(&t, nr, &full), nr <= 3 ? 0 : -EINVAL);
		if (nr <= 3) {
			assert_int_equal(vtx_routes_of(&t, 5, &r), nr);
			done(&t);
		}
		for (i = 0; i < nr; i++)
			msi(i, 5, i);
		assert_int_equal(build(&t, nr, &full), nr <= 1 ? 0 : -EINVAL);
		if (nr == 1)
			done(&t);
	}
	/* One chip twice; an MSI beside a pin. */
	chip(0, 5, KVM_IRQCHIP_IOAPIC, 5);
	chip(1, 5, KVM_IRQCHIP_IOAPIC, 6);
	assert_int_equal(build(&t, 2, &full), -EINVAL);
	msi(1, 5, 0x31);
	assert_int_equal(build(&t, 2, &full), -EINVAL);
	msi(0, 5, 0x31);
	chip(1, 5, KVM_IRQCHIP_PIC_MASTER, 5);
	assert_int_equal(build(&t, 2, &full), -EINVAL);
}

static void largest_table(void **state)
{
	struct vtx_route_table t;
	const struct vtx_route *r;
	u32 i;

	for (i = 0; i < MAX; i++)
		msi(i, MAX - 1 - i, i);
	assert_int_equal(build(&t, MAX, &split), 0);
	for (i = 0; i < MAX; i++) {
		assert_int_equal(vtx_routes_of(&t, i, &r), 1);
		assert_int_equal(r->data, MAX - 1 - i);
	}
	done(&t);
}

static void random_tables(void **state)
{
	struct vtx_route_table t;
	const struct vtx_route *r;
	u32 nr, i, n, k, total;

	srand(11);
	for (k = 0; k < 20000; k++) {
		nr = rand() % 60;
		for (i = 0; i < nr; i++) {
			if (rand() % 3)
				chip(i, rand() % 40, rand() % 3, rand() % 8);
			else
				msi(i, 40 + rand() % 500, i);
		}
		if (build(&t, nr, &full))
			continue;
		total = 0;
		for (i = 0; i < 600; i++)
			total += vtx_routes_of(&t, i, &r);
		assert_int_equal(total, nr);
		for (i = 0; i < nr; i++) {
			bool found = false;

			n = vtx_routes_of(&t, entries[i].gsi, &r);
			assert_in_range(n, 1, 3);
			while (n--)
				found |= entries[i].type == KVM_IRQ_ROUTING_MSI ? r[n].kind == VTX_ROUTE_MSI && r[n].data == i :
					 r[n].kind == (entries[i].u.irqchip.irqchip == KVM_IRQCHIP_IOAPIC ? VTX_ROUTE_IOAPIC :
										       VTX_ROUTE_PIC);
			assert_true(found);
		}
		done(&t);
	}
}

/* Split irqchip: of the reserved GSIs, only MSIs, only level-triggered ones. */
static void level_vectors(void **state)
{
	struct vtx_route_table t;
	u32 vectors[8];

	msi(0, 23, 0x8051);
	msi(1, 24, 0x8052);		/* not reserved */
	msi(2, 3, 0x53);		/* edge */
	msi(3, 0, 0x80ff);
	msi(4, 700, 0x8054);
	assert_int_equal(build(&t, 5, &split), 0);
	vtx_routes_level_vectors(&t, 24, vectors);
	assert_int_equal(vectors[0x51 / 32], 1u << 0x11);
	assert_int_equal(vectors[7], 1u << 31);
	assert_int_equal(vectors[0] | vectors[1] | vectors[3] | vectors[4] | vectors[5] | vectors[6], 0);
	vtx_routes_level_vectors(&t, 0, vectors);
	assert_int_equal(vectors[2] | vectors[7], 0);
	/* More reserved than there are. */
	vtx_routes_level_vectors(&t, MAX, vectors);
	assert_int_equal(vectors[2], 1u << 0x11 | 1u << 0x12 | 1u << 0x14);
	done(&t);
	/* An empty table. */
	assert_int_equal(build(&t, 0, &split), 0);
	vtx_routes_level_vectors(&t, 24, vectors);
	assert_int_equal(vectors[2], 0);
	done(&t);
	chip(0, 1, KVM_IRQCHIP_IOAPIC, 1);
	assert_int_equal(build(&t, 1, &full), 0);
	vtx_routes_level_vectors(&t, 24, vectors);
	assert_int_equal(vectors[0], 0);
	done(&t);
}

static void msi_decoding(void **state)
{
	struct vtx_apic_msg m;

	vtx_apic_msg_from_msi(&m, 0xfee05000, 0, 0x41, false, true);
	assert_int_equal(m.dest, 5);
	assert_int_equal(m.vector, 0x41);
	assert_int_equal(m.mode, VTX_APIC_FIXED);
	assert_false(m.logical || m.level || m.redirect);
	assert_int_equal(m.shorthand, VTX_APIC_NO_SHORTHAND);
	assert_false(vtx_apic_msg_one_of(&m));
	vtx_apic_msg_from_msi(&m, 0xfee0300c, 0, 0x8131, false, true);
	assert_true(m.logical && m.redirect && m.level);
	assert_int_equal(m.mode, VTX_APIC_LOWEST);
	assert_true(vtx_apic_msg_one_of(&m));
	vtx_apic_msg_from_msi(&m, 0xfeeff000, 0, 0x41, false, true);
	assert_int_equal(m.dest, VTX_APIC_BROADCAST);
	vtx_apic_msg_from_msi(&m, 0xfeeff000, 0, 0x41, false, false);
	assert_int_equal(m.dest, 0xff);
	vtx_apic_msg_from_msi(&m, 0xfee05000, 0x12345600, 0x441, true, true);
	assert_int_equal(m.dest, 0x12345605);
	assert_int_equal(m.mode, VTX_APIC_NMI);
	vtx_apic_msg_from_msi(&m, 0xfee05000, 0x12345600, 0x441, false, true);
	assert_int_equal(m.dest, 5);
}

/* ---------------------------------------------------------------- ioeventfds */

static struct vtx_bus_event events[400];
static unsigned int nr_events;

static int compare(const void *a, const void *b)
{
	return vtx_bus_event_compare(a, b);
}

static bool add(u64 addr, u8 len, bool wildcard, u64 value)
{
	struct vtx_bus_event e = { .addr = addr, .len = len, .wildcard = wildcard, .datamatch = wildcard ? 0 : value };
	unsigned int i;

	for (i = 0; i < nr_events; i++)
		if (vtx_bus_event_collides(&events[i], &e))
			return false;
	events[nr_events++] = e;
	qsort(events, nr_events, sizeof(events[0]), compare);
	return true;
}

/* What the words say, one after the other. */
static const struct vtx_bus_event *plain_search(u64 addr, unsigned int len, u64 value)
{
	const struct vtx_bus_event *found = NULL;
	unsigned int i;

	for (i = 0; i < nr_events; i++) {
		const struct vtx_bus_event *e = &events[i];

		if (e->addr == addr && (!e->len || e->len == len) && (e->wildcard || e->datamatch == value)) {
			assert_null(found); /* collisions were refused */
			found = e;
		}
	}
	return found;
}

static void ioeventfd_examples(void **state)
{
	nr_events = 0;
	assert_null(vtx_bus_event_find(events, 0, 0, 4, 0));
	assert_true(add(0x1000, 2, false, 3));
	assert_true(add(0x1000, 2, false, 4));
	assert_true(add(0x1000, 4, true, 0));
	assert_false(add(0x1000, 2, true, 0));
	assert_false(add(0x1000, 0, true, 0));
	assert_false(add(0x1000, 4, false, 9));
	assert_true(add(0x2000, 0, true, 0));
	assert_non_null(vtx_bus_event_find(events, nr_events, 0x1000, 2, 3));
	assert_null(vtx_bus_event_find(events, nr_events, 0x1000, 2, 5));
	assert_null(vtx_bus_event_find(events, nr_events, 0x1000, 1, 3));
	assert_non_null(vtx_bus_event_find(events, nr_events, 0x1000, 4, 77));
	assert_non_null(vtx_bus_event_find(events, nr_events, 0x2000, 8, ~0ull));
	assert_null(vtx_bus_event_find(events, nr_events, 0x2001, 1, 0));
}

static void ioeventfd_search(void **state)
{
	static const u8 lens[] = { 0, 1, 2, 4, 8 };
	unsigned int round, i;

	srand(13);
	for (round = 0; round < 300; round++) {
		nr_events = 0;
		for (i = 0; i < 200; i++) {
			u8 len = lens[rand() % 5];

			add(rand() % 20, len, !len || rand() % 4 == 0, rand() % 6);
		}
		for (i = 0; i < 2000; i++) {
			u64 addr = rand() % 22, value = rand() % 7;
			unsigned int len = lens[1 + rand() % 4];

			assert_ptr_equal(vtx_bus_event_find(events, nr_events, addr, len, value),
					 plain_search(addr, len, value));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_routes),
		cmocka_unit_test(refusals),
		cmocka_unit_test(many_on_one_gsi),
		cmocka_unit_test(largest_table),
		cmocka_unit_test(random_tables),
		cmocka_unit_test(level_vectors),
		cmocka_unit_test(msi_decoding),
		cmocka_unit_test(ioeventfd_examples),
		cmocka_unit_test(ioeventfd_search),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOAPIC: registers at every index and size, edge and level pins, shared lines, EOI, save and restore, and random
 * steps against a model that knows only levels and counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "compat/pure.h"
#include <cmocka.h>
#include "irqchip/ioapic.h"

static struct vtx_ioapic io;
static struct vtx_apic_msg msg;
static bool sent;

static u32 reg(u8 index)
{
	vtx_ioapic_write(&io, 0, 4, index);
	return vtx_ioapic_read(&io, 0x10, 4);
}

static unsigned int set_reg(u8 index, u32 value)
{
	vtx_ioapic_write(&io, 0, 4, index);
	return vtx_ioapic_write(&io, 0x10, 4, value);
}

static int line(unsigned int pin, unsigned int source, bool level)
{
	return vtx_ioapic_set_line(&io, pin, source, level, &msg, &sent);
}

static void registers(void **state)
{
	unsigned int index, len;

	vtx_ioapic_reset(&io);
	assert_int_equal(reg(1), 0x170011);
	set_reg(0, 0xffffffff);
	assert_int_equal(reg(0), 0x0f000000);
	assert_int_equal(reg(2), 0x0f000000);
	for (index = 0x10; index < 0x40; index++) {
		assert_int_equal(reg(index), index & 1 ? 0 : 0x10000);
		assert_int_equal(set_reg(index, 0xffffffff), (index - 0x10) / 2);
		/* Delivery status and Remote IRR are read-only, the rest of the middle is reserved. */
		assert_int_equal(reg(index), index & 1 ? 0xff000000 : 0x1afff);
	}
	/* Bug class 59: every index and every size, nothing out of bounds (ASan watches). */
	for (index = 0; index < 256; index++)
		for (len = 1; len <= 8; len *= 2) {
			vtx_ioapic_write(&io, 0, len, index);
			vtx_ioapic_read(&io, 0x10, len);
			if (index >= 0x40 || (index > 2 && index < 0x10)) {
				assert_int_equal(vtx_ioapic_write(&io, 0x10, len, ~0ull), VTX_IOAPIC_NO_PIN);
				assert_int_equal(vtx_ioapic_read(&io, 0x10, 4), 0xffffffff);
			}
		}
	for (index = 0; index < 0x100; index++)
		if (index && index != 0x10) {
			assert_int_equal(vtx_ioapic_write(&io, index, 4, ~0ull), VTX_IOAPIC_NO_PIN);
			assert_int_equal(vtx_ioapic_read(&io, index, 4), 0);
		}
	vtx_ioapic_write(&io, 0, 1, 0x1234);
	assert_int_equal(vtx_ioapic_read(&io, 0, 1), 0x34);
}

static void edge_pin(void **state)
{
	vtx_ioapic_reset(&io);
	assert_int_equal(line(4, 0, true), -1); /* masked */
	assert_false(sent);
	set_reg(0x10 + 8, 0x0951); /* logical, lowest priority, unmasked: the old edge is gone */
	assert_false(vtx_ioapic_fire(&io, 4, &msg));
	assert_int_equal(line(4, 0, true), 0);
	assert_int_equal(line(4, 0, false), 1);
	assert_false(sent);
	set_reg(0x10 + 9, 0x03000000);
	assert_int_equal(line(4, 0, true), 1);
	assert_true(sent);
	assert_int_equal(msg.vector, 0x51);
	assert_int_equal(msg.mode, VTX_APIC_LOWEST);
	assert_true(msg.logical);
	assert_false(msg.level);
	assert_int_equal(msg.dest, 3);
	vtx_ioapic_sent(&io, 4);
	assert_int_equal(reg(0x18) & VTX_IOAPIC_REMOTE_IRR, 0);
	/* A second source on a high line is no edge, and the line falls with the last of them. */
	assert_int_equal(line(4, 1, true), 0);
	assert_int_equal(line(4, 0, false), 1);
	assert_int_equal(io.irr, 1 << 4);
	assert_int_equal(line(4, 1, false), 1);
	assert_int_equal(io.irr, 0);
	/* EOI of an edge vector is reported, for whoever counts acknowledges. */
	assert_int_equal(vtx_ioapic_eoi(&io, 0x51), 1 << 4);
	assert_int_equal(vtx_ioapic_eoi(&io, 0x52), 0);
}

static void level_pin(void **state)
{
	vtx_ioapic_reset(&io);
	set_reg(0x10 + 20, 0x8061);
	set_reg(0x10 + 21, 0xff000000);
	assert_int_equal(line(10, 0, true), 1);
	assert_true(sent && msg.level);
	assert_int_equal(msg.dest, VTX_APIC_BROADCAST);
	/* Nobody took it: it can be offered again. */
	assert_true(vtx_ioapic_fire(&io, 10, &msg));
	vtx_ioapic_sent(&io, 10);
	assert_int_equal(reg(0x10 + 20), 0xc061);
	assert_false(vtx_ioapic_fire(&io, 10, &msg));
	assert_int_equal(line(10, 0, true), 0);
	/* A write by the guest cannot set or clear Remote IRR as long as the pin stays level-triggered. */
	set_reg(0x10 + 20, 0x8061);
	assert_int_equal(reg(0x10 + 20), 0xc061);
	assert_int_equal(vtx_ioapic_eoi(&io, 0x61), 1 << 10);
	assert_true(vtx_ioapic_fire(&io, 10, &msg)); /* still asserted */
	vtx_ioapic_sent(&io, 10);
	line(10, 0, false);
	assert_int_equal(vtx_ioapic_eoi(&io, 0x61), 1 << 10);
	assert_false(vtx_ioapic_fire(&io, 10, &msg));
	assert_int_equal(vtx_ioapic_eoi(&io, 0x61), 0);
	/* Through edge mode and back: the EOI of those who have no EOI register. */
	line(10, 0, true);
	vtx_ioapic_sent(&io, 10);
	set_reg(0x10 + 20, 0x10061);
	set_reg(0x10 + 20, 0x8061);
	assert_true(vtx_ioapic_fire(&io, 10, &msg));
	/* Masked: silent, and sent on unmasking. */
	set_reg(0x10 + 20, 0x18061);
	assert_false(vtx_ioapic_fire(&io, 10, &msg));
	assert_int_equal(line(10, 0, true), -1);
	assert_int_equal(set_reg(0x10 + 20, 0x8061), 10);
	assert_true(vtx_ioapic_fire(&io, 10, &msg));
}

/* A level that nobody lowers: after many repetitions the next message is to be late, until the level was low once. */
static void storm(void **state)
{
	unsigned int n;

	vtx_ioapic_reset(&io);
	set_reg(0x10 + 20, 0x8061);
	line(10, 0, true);
	for (n = 0; n < VTX_IOAPIC_STORM; n++)
		assert_false(vtx_ioapic_storms(&io, 10));
	for (n = 0; n < 1000; n++)
		assert_true(vtx_ioapic_storms(&io, 10));
	line(10, 0, false);
	assert_false(vtx_ioapic_storms(&io, 10));
}

static void watched_vectors(void **state)
{
	u32 v[8];

	vtx_ioapic_reset(&io);
	set_reg(0x10, 0x30);
	set_reg(0x14, 0x71);
	vtx_ioapic_vectors(&io, 1 << 2, v);
	assert_int_equal(v[3], 1u << 0x11);
	assert_int_equal(v[1], 0);
	vtx_ioapic_vectors(&io, 1 << 2 | 1, v);
	assert_int_equal(v[1], 1u << 0x10);
}

static void save_and_restore(void **state)
{
	struct kvm_ioapic_state s, t;
	unsigned int i;

	vtx_ioapic_reset(&io);
	set_reg(0x10 + 20, 0x8061);
	line(10, 0, true);
	vtx_ioapic_sent(&io, 10);
	vtx_ioapic_get_state(&io, &s);
	assert_int_equal(s.base_address, 0xfec00000);
	assert_int_equal(s.irr, 1 << 10);
	vtx_ioapic_reset(&io);
	vtx_ioapic_set_state(&io, &s);
	vtx_ioapic_get_state(&io, &t);
	assert_memory_equal(&s, &t, sizeof(s));
	/* The device lowers its line after the restore. */
	assert_int_equal(line(10, 0, false), 1);
	assert_int_equal(io.irr, 0);
	memset(&s, 0xff, sizeof(s));
	vtx_ioapic_set_state(&io, &s);
	assert_int_equal(io.irr, 0xffffff);
	for (i = 0; i < VTX_IOAPIC_PINS; i++)
		assert_true((io.entry[i] & 0x00fffffffffe1000ull) == 0);
	assert_int_equal(reg(0), 0x0f000000);
}

/* A guest that ends every interrupt, devices that raise and lower at random: no level is forgotten, no edge doubled. */
static void random_traffic(void **state)
{
	bool level[VTX_IOAPIC_PINS] = { 0 }, high[VTX_IOAPIC_PINS][2] = { { 0 } }, serving[VTX_IOAPIC_PINS] = { 0 };
	unsigned int pin, src, n;

	srand(3);
	vtx_ioapic_reset(&io);
	for (pin = 0; pin < VTX_IOAPIC_PINS; pin++) {
		level[pin] = pin & 1;
		set_reg(0x10 + 2 * pin, (0x30 + pin) | (level[pin] ? 0x8000 : 0));
	}
	for (n = 0; n < 2000000; n++) {
		bool was, now;

		pin = rand() % VTX_IOAPIC_PINS;
		src = rand() & 1;
		if (rand() % 3 == 0 && serving[pin]) { /* EOI */
			assert_true(vtx_ioapic_eoi(&io, 0x30 + pin) == 1u << pin);
			serving[pin] = vtx_ioapic_fire(&io, pin, &msg);
			assert_int_equal(serving[pin], level[pin] && (high[pin][0] || high[pin][1]));
			if (serving[pin])
				vtx_ioapic_sent(&io, pin);
			continue;
		}
		was = high[pin][0] || high[pin][1];
		high[pin][src] = rand() & 1;
		now = high[pin][0] || high[pin][1];
		line(pin, src, high[pin][src]);
		if (level[pin])
			assert_int_equal(sent, high[pin][src] && !serving[pin]);
		else
			assert_int_equal(sent, now && !was);
		if (sent) {
			serving[pin] = true;
			vtx_ioapic_sent(&io, pin);
		}
		assert_int_equal(io.irr >> pin & 1, now);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers),
		cmocka_unit_test(edge_pin),
		cmocka_unit_test(level_pin),
		cmocka_unit_test(storm),
		cmocka_unit_test(watched_vectors),
		cmocka_unit_test(save_and_restore),
		cmocka_unit_test(random_traffic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

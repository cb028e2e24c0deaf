// SPDX-License-Identifier: GPL-2.0-only
/*
 * 8259 pair: initialisation, priorities, EOI forms, cascade, special modes, poll, ELCR, spurious interrupts, and random
 * port writes that must never confuse it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "compat/pure.h"
#include <cmocka.h>
#include "irqchip/pic.h"

static struct vtx_pic pic;

static void out(u16 port, u8 value)
{
	vtx_pic_write(&pic, port, value);
}

/* As a PC's BIOS does: vectors 0x08 and 0x70, nothing masked. */
static void init(u8 icw4)
{
	vtx_pic_reset(&pic);
	out(0x20, 0x11);
	out(0x21, 0x08);
	out(0x21, 0x04);
	out(0x21, icw4);
	out(0xa0, 0x11);
	out(0xa1, 0x70);
	out(0xa1, 0x02);
	out(0xa1, 0x01);
	vtx_pic_take_ended(&pic);
}

static void pulse(unsigned int line)
{
	vtx_pic_set_line(&pic, line, 0, true);
	vtx_pic_set_line(&pic, line, 0, false);
}

static void master_and_slave_vectors(void **state)
{
	unsigned int line;

	for (line = 0; line < 16; line++) {
		if (line == 2)
			continue;
		init(1);
		assert_false(vtx_pic_output(&pic));
		pulse(line);
		assert_true(vtx_pic_output(&pic));
		assert_int_equal(vtx_pic_ack(&pic), line < 8 ? 0x08 + line : 0x70 + line - 8);
		assert_false(vtx_pic_output(&pic));
		pulse(line); /* again, but in service */
		assert_false(vtx_pic_output(&pic));
		if (line >= 8)
			out(0xa0, 0x20);
		out(0x20, 0x20);
		assert_true(vtx_pic_output(&pic));
		assert_true(vtx_pic_take_ended(&pic) & (1 << line));
	}
	init(1);
	assert_int_equal(vtx_pic_set_line(&pic, 2, 0, true), -1);
	assert_false(vtx_pic_output(&pic));
}

static void status_of_set_line(void **state)
{
	init(1);
	assert_int_equal(vtx_pic_set_line(&pic, 3, 0, true), 1);
	assert_int_equal(vtx_pic_set_line(&pic, 3, 0, true), 0);
	vtx_pic_set_line(&pic, 3, 0, false);
	assert_int_equal(vtx_pic_set_line(&pic, 3, 0, true), 0); /* still waits */
	out(0x21, 1 << 3);
	vtx_pic_set_line(&pic, 3, 0, false);
	assert_int_equal(vtx_pic_set_line(&pic, 3, 0, true), -1);
	assert_false(vtx_pic_output(&pic));
	out(0x21, 0);
	assert_true(vtx_pic_output(&pic));
}

static void fixed_priorities(void **state)
{
	static const u8 order[] = { 0, 1, 8, 9, 10, 11, 12, 13, 14, 15, 3, 4, 5, 6, 7 };
	unsigned int i;

	init(1);
	for (i = 0; i < 16; i++)
		pulse(i);
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		assert_int_equal(vtx_pic_ack(&pic), order[i] < 8 ? 8 + order[i] : 0x70 + order[i] - 8);
		if (order[i] >= 8)
			out(0xa0, 0x20);
		out(0x20, 0x20);
	}
	assert_false(vtx_pic_output(&pic));
}

static void nesting(void **state)
{
	init(1);
	pulse(4);
	assert_int_equal(vtx_pic_ack(&pic), 12);
	pulse(6);
	assert_false(vtx_pic_output(&pic));
	pulse(1);
	assert_int_equal(vtx_pic_ack(&pic), 9);
	out(0x20, 0x0b);
	assert_int_equal(vtx_pic_read(&pic, 0x20), 1 << 4 | 1 << 1);
	out(0x20, 0x20); /* ends 1, the highest */
	assert_int_equal(vtx_pic_read(&pic, 0x20), 1 << 4);
	out(0x20, 0x64); /* specific: 4 */
	assert_int_equal(vtx_pic_take_ended(&pic), 1 << 4 | 1 << 1);
	assert_int_equal(vtx_pic_ack(&pic), 14);
	out(0x20, 0x0a);
	assert_int_equal(vtx_pic_read(&pic, 0x20), 0);
}

static void rotation(void **state)
{
	init(1);
	pulse(3);
	assert_int_equal(vtx_pic_ack(&pic), 11);
	out(0x20, 0xa0); /* rotate on non-specific EOI: 4 is on top now */
	pulse(0);
	pulse(4);
	pulse(3);
	assert_int_equal(vtx_pic_ack(&pic), 12);
	out(0x20, 0x20);
	assert_int_equal(vtx_pic_ack(&pic), 8);
	out(0x20, 0x20);
	assert_int_equal(vtx_pic_ack(&pic), 11);
	out(0x20, 0x20);
	out(0x20, 0xc7); /* 7 is the bottom again */
	pulse(7);
	pulse(0);
	assert_int_equal(vtx_pic_ack(&pic), 8);
}

static void automatic_eoi(void **state)
{
	init(3);
	pulse(5);
	assert_int_equal(vtx_pic_ack(&pic), 13);
	assert_int_equal(vtx_pic_take_ended(&pic), 1 << 5);
	out(0x20, 0x0b);
	assert_int_equal(vtx_pic_read(&pic, 0x20), 0);
	out(0x20, 0x80); /* rotate in automatic EOI mode */
	pulse(5);
	vtx_pic_ack(&pic);
	pulse(5);
	pulse(6);
	assert_int_equal(vtx_pic_ack(&pic), 14);
}

static void special_modes(void **state)
{
	/* Special mask: a masked level in service lets lower ones through. */
	init(1);
	pulse(1);
	vtx_pic_ack(&pic);
	pulse(5);
	assert_false(vtx_pic_output(&pic));
	out(0x21, 1 << 1);
	out(0x20, 0x68);
	assert_true(vtx_pic_output(&pic));
	out(0x20, 0x48);
	assert_false(vtx_pic_output(&pic));
	/* Special fully nested: a higher request of the slave interrupts the slave's service. */
	init(1);
	pulse(12);
	vtx_pic_ack(&pic);
	pulse(8);
	assert_false(vtx_pic_output(&pic));
	init(0x11);
	pulse(12);
	vtx_pic_ack(&pic);
	pulse(8);
	assert_int_equal(vtx_pic_ack(&pic), 0x70);
}

static void levels(void **state)
{
	init(1);
	out(0x4d0, 0xff);
	out(0x4d1, 0xff);
	assert_int_equal(vtx_pic_read(&pic, 0x4d0), 0xf8);
	assert_int_equal(vtx_pic_read(&pic, 0x4d1), 0xde);
	vtx_pic_set_line(&pic, 10, 0, true);
	vtx_pic_set_line(&pic, 10, 1, true);
	assert_int_equal(vtx_pic_ack(&pic), 0x72);
	out(0xa0, 0x20);
	out(0x20, 0x20);
	assert_true(vtx_pic_output(&pic)); /* nobody lowered it */
	vtx_pic_set_line(&pic, 10, 0, false);
	assert_true(vtx_pic_output(&pic)); /* the other source holds it */
	vtx_pic_set_line(&pic, 10, 1, false);
	assert_false(vtx_pic_output(&pic));
}

static void spurious(void **state)
{
	init(1);
	assert_int_equal(vtx_pic_ack(&pic), 15);
	out(0x20, 0x0b);
	assert_int_equal(vtx_pic_read(&pic, 0x20), 0); /* not in service */
	out(0x4d0, 0xf8);
	vtx_pic_set_line(&pic, 4, 0, true);
	vtx_pic_set_line(&pic, 4, 0, false);
	assert_int_equal(vtx_pic_ack(&pic), 15);
}

static void poll(void **state)
{
	init(1);
	out(0x20, 0x0c);
	assert_int_equal(vtx_pic_read(&pic, 0x20), 0);
	pulse(3);
	out(0x20, 0x0c);
	assert_int_equal(vtx_pic_read(&pic, 0x20), 0x83);
	assert_false(vtx_pic_output(&pic));
	out(0x20, 0x20);
	pulse(9);
	out(0xa0, 0x0c);
	assert_int_equal(vtx_pic_read(&pic, 0xa0), 0x81);
	assert_false(vtx_pic_output(&pic));
}

static void initialisation_ends_service(void **state)
{
	init(1);
	pulse(0);
	vtx_pic_ack(&pic);
	out(0x20, 0x11);
	assert_int_equal(vtx_pic_take_ended(&pic), 1);
	out(0x21, 0x20);
	out(0x21, 4);
	out(0x21, 1);
	pulse(0);
	assert_int_equal(vtx_pic_ack(&pic), 0x20);
	/* Three-byte sequence without ICW4. */
	out(0x20, 0x10);
	out(0x21, 0x48);
	out(0x21, 4);
	out(0x21, 0xaa); /* OCW1 */
	assert_int_equal(vtx_pic_read(&pic, 0x21), 0xaa);
}

static void save_and_restore(void **state)
{
	struct kvm_pic_state s[2], t;
	unsigned int i;

	init(1);
	pulse(12);
	pulse(1);
	vtx_pic_ack(&pic);
	for (i = 0; i < 2; i++)
		vtx_pic_get_state(&pic, i, &s[i]);
	vtx_pic_reset(&pic);
	for (i = 0; i < 2; i++)
		vtx_pic_set_state(&pic, i, &s[i]);
	for (i = 0; i < 2; i++) {
		vtx_pic_get_state(&pic, i, &t);
		assert_memory_equal(&s[i], &t, sizeof(t));
	}
	out(0x20, 0x20);
	assert_int_equal(vtx_pic_ack(&pic), 0x74);
	memset(&t, 0xff, sizeof(t));
	vtx_pic_set_state(&pic, 0, &t);
	vtx_pic_set_state(&pic, 1, &t);
	assert_int_equal(pic.chip[0].priority_add, 7);
	assert_int_equal(pic.chip[0].elcr, 0xf8);
	assert_false(vtx_pic_output(&pic));
}

/* Whatever is written: after a proper initialisation it works, and what is acknowledged was requested. */
static void random_writes(void **state)
{
	static const u16 ports[] = { 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1 };
	unsigned int n, line;
	u8 vector;

	srand(5);
	vtx_pic_reset(&pic);
	for (n = 0; n < 2000000; n++) {
		switch (rand() % 4) {
		case 0:
			vtx_pic_write(&pic, ports[rand() % 6], rand());
			break;
		case 1:
			vtx_pic_read(&pic, ports[rand() % 6]);
			break;
		case 2:
			vtx_pic_set_line(&pic, rand() % 16, rand() % 3, rand() & 1);
			break;
		default:
			if (!vtx_pic_output(&pic))
				break;
			vector = vtx_pic_ack(&pic);
			assert_true((vector & 0xf8) == pic.chip[0].irq_base || (vector & 0xf8) == pic.chip[1].irq_base);
			break;
		}
		assert_true(pic.chip[0].priority_add < 8 && pic.chip[1].priority_add < 8);
		if (n % 1000 == 0) {
			line = rand() % 16;
			if (line != 2) {
				memset(pic.sources, 0, sizeof(pic.sources));
				init(1);
				pulse(line);
				assert_int_equal(vtx_pic_ack(&pic), line < 8 ? 8 + line : 0x70 + line - 8);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(master_and_slave_vectors),
		cmocka_unit_test(status_of_set_line),
		cmocka_unit_test(fixed_priorities),
		cmocka_unit_test(nesting),
		cmocka_unit_test(rotation),
		cmocka_unit_test(automatic_eoi),
		cmocka_unit_test(special_modes),
		cmocka_unit_test(levels),
		cmocka_unit_test(spurious),
		cmocka_unit_test(poll),
		cmocka_unit_test(initialisation_ends_service),
		cmocka_unit_test(save_and_restore),
		cmocka_unit_test(random_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/* The bus, and the small devices: keyboard controller, reset register, ACPI registers, debug exit, absent PCI. */
#include "unit.h"

#include "board_stub.h"
#include "userspace-vmm/acpi_pm.h"
#include "userspace-vmm/i8042.h"
#include "userspace-vmm/layout.h"
#include "userspace-vmm/reset_port.h"
#include "userspace-vmm/simple_ports.h"
#include "userspace-vmm/status.h"

static struct board_stub stub;
static struct vtx_bus bus;
static struct vtx_i8042 kbd;
static struct vtx_reset_port reset_port;
static struct vtx_acpi_pm pm;
static unsigned int unclaimed_reads, unclaimed_writes;

static void unclaimed(uint16_t port, bool is_write, uint8_t value)
{
	(void)port;
	(void)value;
	if (is_write)
		unclaimed_writes++;
	else
		unclaimed_reads++;
}

static int setup(void **state)
{
	(void)state;
	stub_init(&stub);
	memset(&bus, 0, sizeof(bus));
	bus.unclaimed = unclaimed;
	unclaimed_reads = unclaimed_writes = 0;
	vtx_i8042_init(&kbd, &stub.board);
	vtx_reset_port_init(&reset_port, &stub.board);
	vtx_acpi_pm_init(&pm, &stub.board);
	return vtx_reset_port_attach(&reset_port, &bus) || vtx_no_pci_attach(&bus) || vtx_i8042_attach(&kbd, &bus) ||
	       vtx_acpi_pm_attach(&pm, &bus) || vtx_post_port_attach(&bus);
}

static void ended(int status)
{
	assert_int_equal(stub.ended, 1);
	assert_int_equal(stub.status, status);
}

static void test_unclaimed_ports(void **state)
{
	(void)state;
	assert_int_equal(vtx_bus_read(&bus, 0x2f8, 1), 0xff);
	assert_int_equal(vtx_bus_read(&bus, 0x2f8, 2), 0xffff);
	assert_int_equal(vtx_bus_read(&bus, 0x2f8, 4), 0xffffffff);
	assert_int_equal(vtx_bus_read(&bus, 0xffff, 4), 0xffffffff); /* wraps */
	vtx_bus_write(&bus, 0xfffe, 4, 0);
	assert_int_equal(unclaimed_reads, 11);
	assert_int_equal(unclaimed_writes, 4);
	assert_int_equal(stub.ended, 0);
}

static void test_bus_limits(void **state)
{
	struct vtx_port_range range = { .first = 0xfff0, .count = 16, .max_size = 1 };
	struct vtx_bus other = { .count = 0 };

	(void)state;
	assert_int_equal(vtx_bus_add(&other, &range), 0);
	range.count = 17;
	assert_int_equal(vtx_bus_add(&other, &range), -1);
	range.count = 0;
	assert_int_equal(vtx_bus_add(&other, &range), -1);
	range.count = 1;
	while (other.count < VTX_BUS_MAX_RANGES)
		assert_int_equal(vtx_bus_add(&other, &range), 0);
	assert_int_equal(vtx_bus_add(&other, &range), -1);
}

static void test_pci_is_absent(void **state)
{
	(void)state;
	vtx_bus_write(&bus, 0xcf8, 4, 0x80000000);
	assert_int_equal(vtx_bus_read(&bus, 0xcf8, 4), 0xffffffff);
	assert_int_equal(vtx_bus_read(&bus, 0xcfc, 2) & 0xffff, 0xffff);
	vtx_bus_write(&bus, 0xcf8, 4, 0x80000600); /* bit 2 of 0xcf9: still an address, no reset */
	assert_int_equal(stub.ended, 0);
	assert_int_equal(unclaimed_reads + unclaimed_writes, 0);
}

static void test_keyboard_reset(void **state)
{
	(void)state;
	vtx_bus_write(&bus, 0x64, 1, 0xd1);
	vtx_bus_write(&bus, 0x60, 1, 0xfe);
	vtx_bus_write(&bus, 0x64, 1, 0xff); /* pulses nothing */
	assert_int_equal(stub.ended, 0);
	vtx_bus_write(&bus, 0x64, 1, 0xfe);
	ended(VTX_STATUS_RESET);
}

static void test_keyboard_probe_ends(void **state)
{
	unsigned int flushed = 0;

	(void)state;
	/* input buffer never full: reset code writes at once */
	assert_int_equal(vtx_bus_read(&bus, 0x64, 1) & 2, 0);
	while (vtx_bus_read(&bus, 0x64, 1) & 1) {
		vtx_bus_read(&bus, 0x60, 1);
		flushed++;
	}
	assert_true(flushed > 16 && flushed < 100); /* Linux gives up after 16, others end */
}

static void test_reset_register(void **state)
{
	(void)state;
	vtx_bus_write(&bus, 0xcf9, 1, 0x02);
	assert_int_equal(vtx_bus_read(&bus, 0xcf9, 1), 0x02);
	assert_int_equal(stub.ended, 0);
	vtx_bus_write(&bus, 0xcf9, 1, 0x06);
	ended(VTX_STATUS_RESET);
}

static void test_acpi_power_off(void **state)
{
	(void)state;
	assert_int_equal(vtx_bus_read(&bus, 0x604, 2), 1); /* SCI_EN: in ACPI mode */
	vtx_bus_write(&bus, 0x602, 2, 0x0120);
	assert_int_equal(vtx_bus_read(&bus, 0x602, 2), 0x0120);
	vtx_bus_write(&bus, 0x600, 2, 0xffff);
	assert_int_equal(vtx_bus_read(&bus, 0x600, 4), 0x01200000);
	vtx_bus_write(&bus, 0x604, 2, 0x1401); /* type without enable */
	assert_int_equal(vtx_bus_read(&bus, 0x604, 2), 0x1401);
	vtx_bus_write(&bus, 0x604, 2, 0x2401); /* enable with another type */
	assert_int_equal(stub.ended, 0);
	vtx_bus_write(&bus, 0x604, 2, 0x3401);
	ended(VTX_STATUS_SHUTDOWN);
}

static void test_acpi_by_bytes(void **state)
{
	(void)state;
	vtx_bus_write(&bus, 0x603, 1, 0x01);
	vtx_bus_write(&bus, 0x602, 1, 0x20);
	assert_int_equal(vtx_bus_read(&bus, 0x602, 2), 0x0120);
	assert_int_equal(vtx_bus_read(&bus, 0x603, 1), 0x01);
	vtx_bus_write(&bus, 0x605, 1, 0x34);
	ended(VTX_STATUS_SHUTDOWN);
}

static void test_debug_exit(void **state)
{
	(void)state;
	vtx_bus_write(&bus, VTX_PORT_DEBUG_EXIT, 1, 5); /* not there by default */
	assert_int_equal(stub.ended, 0);
	assert_int_equal(unclaimed_writes, 1);
	assert_int_equal(vtx_debug_exit_attach(&stub.board, &bus), 0);
	vtx_bus_write(&bus, VTX_PORT_DEBUG_EXIT, 4, 0x12345678);
	ended(0x78);
}

static void test_post_port(void **state)
{
	(void)state;
	vtx_bus_write(&bus, 0x80, 1, 0x42);
	assert_int_equal(vtx_bus_read(&bus, 0x80, 1), 0xff);
	assert_int_equal(unclaimed_writes + unclaimed_reads, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_unclaimed_ports, setup),
		cmocka_unit_test_setup(test_bus_limits, setup),
		cmocka_unit_test_setup(test_pci_is_absent, setup),
		cmocka_unit_test_setup(test_keyboard_reset, setup),
		cmocka_unit_test_setup(test_keyboard_probe_ends, setup),
		cmocka_unit_test_setup(test_reset_register, setup),
		cmocka_unit_test_setup(test_acpi_power_off, setup),
		cmocka_unit_test_setup(test_acpi_by_bytes, setup),
		cmocka_unit_test_setup(test_debug_exit, setup),
		cmocka_unit_test_setup(test_post_port, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/* PM1a registers (ACPI 5.0, 4.8.3): status, enable, control. */
#include "userspace-vmm/acpi_pm.h"

#include "userspace-vmm/layout.h"
#include "userspace-vmm/status.h"

#define PM1_STATUS (VTX_PORT_PM1A_EVENT)
#define PM1_ENABLE (VTX_PORT_PM1A_EVENT + 2)
#define CONTROL_SCI_ENABLE 0x0001
#define CONTROL_SLEEP_ENABLE 0x2000 /* write only */
#define CONTROL_KEPT 0x1c02	    /* sleep type, bus master reload */
#define CONTROL_SLEEP_TYPE(v) ((v) >> 10 & 7)

void vtx_acpi_pm_init(struct vtx_acpi_pm *pm, const struct vtx_board *board)
{
	pm->board = board;
	atomic_init(&pm->enable, 0);
	atomic_init(&pm->control, 0);
}

static uint32_t vtx_acpi_pm_register(struct vtx_acpi_pm *pm, uint16_t reg)
{
	switch (reg) {
	case PM1_ENABLE:
		return atomic_load(&pm->enable);
	case VTX_PORT_PM1A_CONTROL:
		return atomic_load(&pm->control) | CONTROL_SCI_ENABLE; /* no SMI command port: always in ACPI mode */
	default:
		return 0; /* status: nothing ever happened */
	}
}

static uint32_t vtx_acpi_pm_read(void *device, uint16_t port, unsigned int size)
{
	uint32_t value = vtx_acpi_pm_register(device, port & ~1U);

	(void)size;
	return port & 1 ? value >> 8 & 0xff : value;
}

static void vtx_acpi_pm_control(struct vtx_acpi_pm *pm, uint32_t value)
{
	atomic_store(&pm->control, value & CONTROL_KEPT);
	if (value & CONTROL_SLEEP_ENABLE && CONTROL_SLEEP_TYPE(value) == VTX_SLEEP_TYPE_S5)
		pm->board->end(pm->board->machine, VTX_STATUS_SHUTDOWN, "the guest powered off (ACPI S5)");
}

static void vtx_acpi_pm_write(void *device, uint16_t port, unsigned int size, uint32_t value)
{
	struct vtx_acpi_pm *pm = device;
	uint16_t reg = port & ~1U;

	if (size == 1) { /* merge the byte into its 16-bit register */
		uint32_t old = vtx_acpi_pm_register(pm, reg);

		value = port & 1 ? (old & 0x00ff) | value << 8 : (old & 0xff00) | value;
	}
	if (reg == PM1_ENABLE)
		atomic_store(&pm->enable, value & 0xffff);
	else if (reg == VTX_PORT_PM1A_CONTROL)
		vtx_acpi_pm_control(pm, value);
}

static int vtx_acpi_pm_attach_one(struct vtx_acpi_pm *pm, struct vtx_bus *bus, uint16_t port)
{
	return vtx_bus_add(bus, &(struct vtx_port_range){
		.first = port, .count = 2, .max_size = 2, .device = pm, .read = vtx_acpi_pm_read, .write = vtx_acpi_pm_write,
	});
}

int vtx_acpi_pm_attach(struct vtx_acpi_pm *pm, struct vtx_bus *bus)
{
	if (vtx_acpi_pm_attach_one(pm, bus, PM1_STATUS) || vtx_acpi_pm_attach_one(pm, bus, PM1_ENABLE) ||
	    vtx_acpi_pm_attach_one(pm, bus, VTX_PORT_PM1A_CONTROL))
		return -1;
	return 0;
}

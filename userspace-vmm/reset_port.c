// SPDX-License-Identifier: GPL-2.0-only
/* Port 0xcf9 (RST_CNT in Intel's chipset data sheets): bit 2 resets, bit 1 chooses a hard reset, bit 3 a full one. */
#include "userspace-vmm/reset_port.h"

#include "userspace-vmm/layout.h"
#include "userspace-vmm/status.h"

#define RESET_CPU 0x04
#define RESET_KEPT 0x0a

void vtx_reset_port_init(struct vtx_reset_port *reset, const struct vtx_board *board)
{
	reset->board = board;
	atomic_init(&reset->value, 0);
}

static uint32_t vtx_reset_port_read(void *device, uint16_t port, unsigned int size)
{
	struct vtx_reset_port *reset = device;

	(void)port;
	(void)size;
	return atomic_load(&reset->value);
}

static void vtx_reset_port_write(void *device, uint16_t port, unsigned int size, uint32_t value)
{
	struct vtx_reset_port *reset = device;

	(void)port;
	(void)size;
	atomic_store(&reset->value, value & RESET_KEPT);
	if (value & RESET_CPU)
		reset->board->end(reset->board->machine, VTX_STATUS_RESET,
				  "the guest reset itself through the reset register (port 0xcf9)");
}

int vtx_reset_port_attach(struct vtx_reset_port *reset, struct vtx_bus *bus)
{
	return vtx_bus_add(bus, &(struct vtx_port_range){
		.first = VTX_PORT_RESET, .count = 1, .max_size = 1, .device = reset,
		.read = vtx_reset_port_read, .write = vtx_reset_port_write,
	});
}

// SPDX-License-Identifier: GPL-2.0-only
/* Quiet ports and the debug exit port. */
#include "userspace-vmm/simple_ports.h"

#include "userspace-vmm/layout.h"

static uint32_t vtx_read_ones(void *device, uint16_t port, unsigned int size)
{
	(void)device;
	(void)port;
	(void)size;
	return 0xffffffff;
}

static void vtx_write_nothing(void *device, uint16_t port, unsigned int size, uint32_t value)
{
	(void)device;
	(void)port;
	(void)size;
	(void)value;
}

static void vtx_debug_exit_write(void *device, uint16_t port, unsigned int size, uint32_t value)
{
	const struct vtx_board *board = device;

	(void)port;
	(void)size;
	board->end(board->machine, (int)(value & 0xff), "the guest chose its exit status (port 0xf4)");
}

int vtx_no_pci_attach(struct vtx_bus *bus)
{
	return vtx_bus_add(bus, &(struct vtx_port_range){
		.first = VTX_PORT_PCI_CONFIG, .count = 8, .max_size = 4,
		.read = vtx_read_ones, .write = vtx_write_nothing,
	});
}

int vtx_post_port_attach(struct vtx_bus *bus)
{
	return vtx_bus_add(bus, &(struct vtx_port_range){
		.first = VTX_PORT_DEBUG, .count = 1, .max_size = 4,
		.read = vtx_read_ones, .write = vtx_write_nothing,
	});
}

int vtx_debug_exit_attach(const struct vtx_board *board, struct vtx_bus *bus)
{
	return vtx_bus_add(bus, &(struct vtx_port_range){
		.first = VTX_PORT_DEBUG_EXIT, .count = 1, .max_size = 1, .device = (void *)board,
		.read = vtx_read_ones, .write = vtx_debug_exit_write,
	});
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ports that are there only to be quiet or to end a test: PCI configuration (no bus: all ones), the POST code port
 * 0x80 (Linux writes it to wait), and the debug exit port 0xf4, which exists with --debug-exit only.
 */
#ifndef VTX_VMM_SIMPLE_PORTS_H
#define VTX_VMM_SIMPLE_PORTS_H

#include "userspace-vmm/board.h"
#include "userspace-vmm/bus.h"

int vtx_no_pci_attach(struct vtx_bus *bus);
int vtx_post_port_attach(struct vtx_bus *bus);
/* BOARD must live as long as BUS. */
int vtx_debug_exit_attach(const struct vtx_board *board, struct vtx_bus *bus);

#endif

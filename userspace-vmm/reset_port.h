/* SPDX-License-Identifier: GPL-2.0-only */
/* The reset control register at port 0xcf9, which the FADT names as reset register. */
#ifndef VTX_VMM_RESET_PORT_H
#define VTX_VMM_RESET_PORT_H

#include <stdatomic.h>

#include "userspace-vmm/board.h"
#include "userspace-vmm/bus.h"

struct vtx_reset_port {
	const struct vtx_board *board;
	atomic_uint value;
};

void vtx_reset_port_init(struct vtx_reset_port *reset, const struct vtx_board *board);
int vtx_reset_port_attach(struct vtx_reset_port *reset, struct vtx_bus *bus);

#endif

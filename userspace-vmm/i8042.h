/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ports 0x60 and 0x64 where a PC has its keyboard controller.  Nothing is plugged in; what is left is command 0xfe,
 * which pulses the processor's reset line, and a status that makes drivers give up at once.
 */
#ifndef VTX_VMM_I8042_H
#define VTX_VMM_I8042_H

#include <stdatomic.h>

#include "userspace-vmm/board.h"
#include "userspace-vmm/bus.h"

struct vtx_i8042 {
	const struct vtx_board *board;
	atomic_uint junk; /* bytes still to be read from the data port */
};

void vtx_i8042_init(struct vtx_i8042 *kbd, const struct vtx_board *board);
int vtx_i8042_attach(struct vtx_i8042 *kbd, struct vtx_bus *bus);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ACPI fixed hardware: the PM1a event and control blocks the FADT names.  No event ever happens, so the SCI is
 * never raised; what matters is the sleep request, S5, by which a guest powers off.
 */
#ifndef VTX_VMM_ACPI_PM_H
#define VTX_VMM_ACPI_PM_H

#include <stdatomic.h>

#include "userspace-vmm/board.h"
#include "userspace-vmm/bus.h"

struct vtx_acpi_pm {
	const struct vtx_board *board;
	atomic_uint enable;
	atomic_uint control;
};

void vtx_acpi_pm_init(struct vtx_acpi_pm *pm, const struct vtx_board *board);
int vtx_acpi_pm_attach(struct vtx_acpi_pm *pm, struct vtx_bus *bus);

#endif

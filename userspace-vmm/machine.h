/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The machine: a VM, its memory, its devices, its processors, and the one place where a run ends.
 */
#ifndef VTX_VMM_MACHINE_H
#define VTX_VMM_MACHINE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "userspace-vmm/acpi_pm.h"
#include "userspace-vmm/board.h"
#include "userspace-vmm/bus.h"
#include "userspace-vmm/console.h"
#include "userspace-vmm/i8042.h"
#include "userspace-vmm/kvm.h"
#include "userspace-vmm/loader.h"
#include "userspace-vmm/options.h"
#include "userspace-vmm/ram.h"
#include "userspace-vmm/reset_port.h"
#include "userspace-vmm/rtc.h"
#include "userspace-vmm/uart.h"
#include "userspace-vmm/vcpu.h"

struct vtx_machine {
	const struct vtx_run_options *options;
	struct vtx_kvm kvm;
	struct vtx_ram ram;
	struct vtx_bus bus;
	struct vtx_board board;

	struct vtx_uart com1;
	struct vtx_rtc rtc;
	struct vtx_i8042 i8042;
	struct vtx_reset_port reset_port;
	struct vtx_acpi_pm acpi_pm;
	struct vtx_console console;

	unsigned int cpus;
	struct vtx_vcpu *vcpus;

	/* The end of the run: whoever sets ending first writes the rest and then signals end_event. */
	atomic_bool ending;
	int end_event;
	int status;
	const char *why;
	char *report; /* registers and so on, or NULL */
};

/* Builds everything up to the first instruction.  Returns 0, or -1 with ERROR filled; destroy it in both cases. */
int vtx_machine_create(struct vtx_machine *machine, const struct vtx_run_options *options, struct vtx_error *error);

/* Starts console and processors. */
int vtx_machine_start(struct vtx_machine *machine, bool escapes, struct vtx_error *error);

/* Stops all processors and the console, after an end (or to make one).  Returns false if a processor is stuck. */
bool vtx_machine_stop(struct vtx_machine *machine);

void vtx_machine_destroy(struct vtx_machine *machine);

/*
 * Ends the run; the first call wins and the others change nothing.  WHY is static text.  REPORT comes from malloc() and
 * is taken over (freed where another call won); may be NULL.  Any thread.
 */
void vtx_machine_end(struct vtx_machine *machine, int status, const char *why, char *report);

/* Port and MMIO accesses of a guest, from the vCPUs' threads. */
void vtx_machine_mmio(struct vtx_machine *machine, struct kvm_run *run);

#endif

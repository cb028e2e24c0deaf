/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ACPI tables (ACPI specification 5.0, chapters 5 and 20): RSDP, XSDT, RSDT, FADT, FACS, MADT, DSDT.  They tell the
 * guest its processors, its IOAPIC, how to reset (port 0xcf9) and how to power off (PM1a control register, S5).
 *
 * Decisions: no PM timer (each read would be an exit, and a guest of KVM has better clocks), no 8042 (nothing is
 * plugged in; port 0x64 still resets), no SMI command port (the machine is always in ACPI mode), IRQ n = GSI n.
 */
#ifndef VTX_VMM_ACPI_H
#define VTX_VMM_ACPI_H

#include <stddef.h>
#include <stdint.h>

#define VTX_ACPI_MAX_SIZE 0x10000

/*
 * Builds the tables into BUFFER, which the guest sees at GPA (16-byte aligned, below 4 GiB).  The RSDP comes first.
 * Returns the bytes used, or 0 if SIZE is too small or CPUS is not 1 to VTX_MAX_CPUS.
 */
size_t vtx_acpi_build(uint8_t *buffer, size_t size, uint64_t gpa, unsigned int cpus);

/* The value that makes LEN bytes sum up to 0 if the byte that will hold it is 0 now. */
uint8_t vtx_acpi_checksum(const uint8_t *data, size_t len);

#endif

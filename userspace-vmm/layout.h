/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where things lie in guest-physical memory.  Everything below 1 MiB that the VMM writes has its place here, so
 * that an overlap is seen at a glance; images are refused where they would cover it.
 */
#ifndef VTX_VMM_LAYOUT_H
#define VTX_VMM_LAYOUT_H

#define VTX_GDT_ADDR 0x500ULL
#define VTX_PVH_INFO_ADDR 0x6000ULL	 /* hvm_start_info, module list and memory map, one page */
#define VTX_ZERO_PAGE_ADDR 0x7000ULL	 /* struct boot_params, one page */
#define VTX_PAGE_TABLES_ADDR 0x9000ULL	 /* PML4, PDPT and four page directories: 4 GiB in 2 MiB pages */
#define VTX_PAGE_TABLES_END 0xf000ULL
#define VTX_STACK_TOP 0x80000ULL	 /* of flat images in protected and long mode */
#define VTX_REAL_STACK_TOP 0x7c00ULL	 /* of flat images in real mode */
#define VTX_CMDLINE_ADDR 0x20000ULL
#define VTX_CMDLINE_MAX 4096ULL		 /* with the final NUL */
#define VTX_EBDA_ADDR 0x9fc00ULL	 /* end of conventional memory */
#define VTX_BIOS_ADDR 0xe0000ULL	 /* ACPI tables; firmware area up to 1 MiB, where a guest scans for the RSDP */
#define VTX_HIGH_MEMORY 0x100000ULL

#define VTX_HOLE_START 0xd0000000ULL	 /* 3.25 GiB: RAM stops here and goes on at 4 GiB */
#define VTX_HOLE_END 0x100000000ULL
#define VTX_IOAPIC_ADDR 0xfec00000U
#define VTX_LAPIC_ADDR 0xfee00000U
#define VTX_IDENTITY_MAP_ADDR 0xfffbc000ULL /* one page for hosts without unrestricted guest */
#define VTX_TSS_ADDR 0xfffbd000ULL	    /* three pages for the same hosts */
#define VTX_FIRMWARE_END 0x100000000ULL

#define VTX_PORT_DEBUG 0x80
#define VTX_PORT_DEBUG_EXIT 0xf4
#define VTX_PORT_COM1 0x3f8
#define VTX_PORT_PM1A_EVENT 0x600
#define VTX_PORT_PM1A_CONTROL 0x604
#define VTX_PORT_PCI_CONFIG 0xcf8
#define VTX_PORT_RESET 0xcf9
#define VTX_IRQ_COM1 4
#define VTX_IRQ_SCI 9
#define VTX_SLEEP_TYPE_S5 5

#define VTX_MAX_CPUS 254 /* 8-bit APIC ids; 255 is the broadcast */

#endif

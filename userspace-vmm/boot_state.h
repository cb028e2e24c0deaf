/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state of the boot processor at the guest's first instruction: registers, segments, and the GDT and page
 * tables in guest memory that go with them.  Pure: structures in, structures out.
 */
#ifndef VTX_VMM_BOOT_STATE_H
#define VTX_VMM_BOOT_STATE_H

#include <stdint.h>
#include <linux/kvm.h>

#include "userspace-vmm/ram.h"

enum vtx_entry_mode {
	VTX_ENTRY_REAL,
	VTX_ENTRY_PROTECTED,
	VTX_ENTRY_LONG,
};

struct vtx_entry {
	enum vtx_entry_mode mode;
	uint16_t cs; /* real mode only: the selector; the base is 16 times that */
	uint64_t rip;
	uint64_t rsp;
	uint64_t rsi;
	uint64_t rbx;
};

/* Selectors of the GDT at VTX_GDT_ADDR; Linux's boot protocol asks for 0x10 and 0x18. */
#define VTX_SELECTOR_CODE 0x10
#define VTX_SELECTOR_DATA 0x18
#define VTX_SELECTOR_TSS 0x20

/* Writes GDT and page tables as MODE needs them.  Returns 0, or -1 with ERROR filled where RAM is too small. */
int vtx_boot_tables(const struct vtx_ram *ram, enum vtx_entry_mode mode, struct vtx_error *error);

/* Changes SREGS, which holds the reset state (the APIC base is kept). */
void vtx_boot_sregs(const struct vtx_entry *entry, struct kvm_sregs *sregs);
void vtx_boot_regs(const struct vtx_entry *entry, struct kvm_regs *regs);

#endif

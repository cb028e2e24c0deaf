/* SPDX-License-Identifier: GPL-2.0-only */
/* The VMX capability MSRs of one CPU with what CPUID says, read from the CPU or from a file that was recorded there. */
#ifndef VTX_VMM_MSR_SET_H
#define VTX_VMM_MSR_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "userspace-vmm/message.h"
#include "vmx/caps.h"

/* IA32_FEATURE_CONTROL, and 0x480 to 0x493. */
#define VTX_MSR_SET_COUNT 21

struct vtx_msr_set {
	bool cpuid_vmx;
	char vendor[16];	/* CPUID leaf 0: "GenuineIntel"; empty: not known */
	char hypervisor[16];	/* CPUID leaf 0x40000000: "KVMKVMKVM"; empty: none */
	char model[64];
	uint32_t have;		/* a bit for each MSR below that exists */
	uint64_t value[VTX_MSR_SET_COUNT];
};

/* The number of the INDEXth MSR. */
uint32_t vtx_msr_set_number(unsigned int index);
/* Puts one in; false: not one of those that count. */
bool vtx_msr_set_put(struct vtx_msr_set *set, uint32_t msr, uint64_t value);
/* The values the module decides from. */
void vtx_msr_set_values(const struct vtx_msr_set *set, struct vtx_msr_values *values);
/* An MSR that must exist on such a processor and is not in SET, or 0. */
uint32_t vtx_msr_set_lacks(const struct vtx_msr_set *set);

/*
 * The text form: lines "cpuid_vmx 1", "vendor NAME", "hypervisor NAME", "model TEXT", "0x480 0x00da040000000004", "# comment".
 * NAME is for messages.  Returns 0, or -1 with ERROR filled, which says the line and what is wrong with it.
 */
int vtx_msr_set_parse(struct vtx_msr_set *set, const char *text, size_t size, const char *name, struct vtx_error *error);
void vtx_msr_set_write(const struct vtx_msr_set *set, FILE *out);

#endif

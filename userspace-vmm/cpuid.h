/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What CPUID tells each vCPU: what KVM_GET_SUPPORTED_CPUID reports, with APIC id and topology filled in (one
 * package, one thread per core, APIC id = number of the vCPU).  Pure.
 */
#ifndef VTX_VMM_CPUID_H
#define VTX_VMM_CPUID_H

#include <stdbool.h>
#include <linux/kvm.h>

#define VTX_CPUID_MAX 256

struct vtx_cpuid {
	__u32 nent; /* these three mirror struct kvm_cpuid2 */
	__u32 padding;
	struct kvm_cpuid_entry2 entries[VTX_CPUID_MAX];
};

struct vtx_cpuid_config {
	unsigned int index;
	unsigned int cpus;
	bool has_irqchip;  /* else there is no local APIC to speak of */
	bool tsc_deadline; /* the LAPIC timer has that mode */
};

void vtx_cpuid_adjust(struct vtx_cpuid *cpuid, const struct vtx_cpuid_config *config);

#endif

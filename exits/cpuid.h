/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPUID in the kernel: the host's values for the policy, a vCPU's table, and the answer to the instruction.
 */
#ifndef VTX_EXITS_CPUID_H
#define VTX_EXITS_CPUID_H

#include "exits/cpuid_policy.h"

struct vtx_vcpu;

/* KVM_GET_SUPPORTED_CPUID. Fills at most @n entries; returns the number there are (> n: nothing more was written). */
int vtx_cpuid_supported(struct kvm_cpuid_entry2 *out, u32 n);
/* KVM_SET_CPUID2 with entries already copied in (taken over by the vCPU on success). vCPU loaded. 0, -EINVAL. */
int vtx_cpuid_set(struct vtx_vcpu *vcpu, struct kvm_cpuid_entry2 *entries, u32 nent);
/* Facts of the supported table (entries gone): the bound for every vCPU. May sleep. NULL when out of memory. */
const struct vtx_cpuid *vtx_cpuid_host(void);
void vtx_cpuid_free(struct vtx_vcpu *vcpu);
/* CR4.OSXSAVE/PKE, APIC base, XCR0, MISC_ENABLE changed: leaves that mirror them follow. */
void vtx_cpuid_update(struct vtx_vcpu *vcpu);
/* What CPUID with these EAX/ECX answers, out-of-range rules of the manual included. */
void vtx_cpuid_lookup(struct vtx_vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx);

#endif /* VTX_EXITS_CPUID_H */

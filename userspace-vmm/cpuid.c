// SPDX-License-Identifier: GPL-2.0-only
/* Adjusting CPUID leaves (SDM vol. 2A, CPUID). */
#include "userspace-vmm/cpuid.h"

#include <string.h>

#define LEAF1_EDX_APIC (1U << 9)
#define LEAF1_EDX_HTT (1U << 28)
#define LEAF1_ECX_PDCM (1U << 15)
#define LEAF1_ECX_X2APIC (1U << 21)
#define LEAF1_ECX_TSC_DEADLINE (1U << 24)
#define LEAF1_ECX_HYPERVISOR (1U << 31)
#define TOPOLOGY_SMT 1
#define TOPOLOGY_CORE 2

/* How many low bits of an APIC id tell CPUS cores apart. */
static unsigned int vtx_core_bits(unsigned int cpus)
{
	unsigned int bits = 0;

	while ((1U << bits) < cpus)
		bits++;
	return bits;
}

static void vtx_cpuid_leaf1(struct kvm_cpuid_entry2 *e, const struct vtx_cpuid_config *c)
{
	e->ebx = (e->ebx & 0x0000ffff) | c->index << 24 | c->cpus << 16;
	e->ecx |= LEAF1_ECX_HYPERVISOR;
	e->ecx &= ~LEAF1_ECX_PDCM;
	e->edx &= ~LEAF1_EDX_HTT;
	if (c->cpus > 1)
		e->edx |= LEAF1_EDX_HTT;
	e->ecx &= ~LEAF1_ECX_TSC_DEADLINE;
	if (c->has_irqchip && c->tsc_deadline)
		e->ecx |= LEAF1_ECX_TSC_DEADLINE;
	if (!c->has_irqchip) {
		e->ecx &= ~LEAF1_ECX_X2APIC;
		e->edx &= ~LEAF1_EDX_APIC;
	}
}

/* Caches: levels 1 and 2 belong to one core, level 3 to the package. */
static void vtx_cpuid_leaf4(struct kvm_cpuid_entry2 *e, const struct vtx_cpuid_config *c)
{
	unsigned int ids = (1U << vtx_core_bits(c->cpus)) - 1;
	unsigned int level = e->eax >> 5 & 7;

	if (!(e->eax & 0x1f))
		return;
	e->eax = (e->eax & 0x3fff) | (ids > 63 ? 63 : ids) << 26 | (level >= 3 ? ids : 0) << 14;
}

/* Leaves 0xb and 0x1f: threads, then cores, then the end of the list; EDX is the x2APIC id everywhere. */
static void vtx_cpuid_topology(struct kvm_cpuid_entry2 *e, const struct vtx_cpuid_config *c)
{
	e->edx = c->index;
	e->eax = 0;
	e->ebx = 0;
	e->ecx = e->index & 0xff;
	if (e->index == 0) {
		e->ebx = 1;
		e->ecx |= TOPOLOGY_SMT << 8;
	} else if (e->index == 1) {
		e->eax = vtx_core_bits(c->cpus);
		e->ebx = c->cpus;
		e->ecx |= TOPOLOGY_CORE << 8;
	}
}

/* Makes sure that LEAF has subleaves 0 and 1, where the list has room. */
static void vtx_cpuid_add_topology(struct vtx_cpuid *cpuid, __u32 leaf)
{
	for (__u32 index = 0; index < 2; index++) {
		bool found = false;

		for (__u32 i = 0; i < cpuid->nent; i++)
			found |= cpuid->entries[i].function == leaf && cpuid->entries[i].index == index;
		if (found || cpuid->nent == VTX_CPUID_MAX)
			continue;
		memset(&cpuid->entries[cpuid->nent], 0, sizeof(cpuid->entries[0]));
		cpuid->entries[cpuid->nent].function = leaf;
		cpuid->entries[cpuid->nent].index = index;
		cpuid->entries[cpuid->nent].flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
		cpuid->nent++;
	}
}

void vtx_cpuid_adjust(struct vtx_cpuid *cpuid, const struct vtx_cpuid_config *c)
{
	__u32 last_leaf = 0;

	for (__u32 i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == 0)
			last_leaf = cpuid->entries[i].eax;
	if (last_leaf >= 0xb)
		vtx_cpuid_add_topology(cpuid, 0xb);
	if (last_leaf >= 0x1f)
		vtx_cpuid_add_topology(cpuid, 0x1f);
	for (__u32 i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

		switch (e->function) {
		case 0x1:
			vtx_cpuid_leaf1(e, c);
			break;
		case 0x4:
			vtx_cpuid_leaf4(e, c);
			break;
		case 0xa: /* no performance counters: nobody profiles this guest from inside, and each costs exits */
			e->eax = e->ebx = e->ecx = e->edx = 0;
			break;
		case 0xb:
		case 0x1f:
			vtx_cpuid_topology(e, c);
			break;
		case 0x80000008: /* AMD: number of cores */
			e->ecx = (e->ecx & ~0xffffU) | (c->cpus - 1);
			break;
		case 0x8000001e: /* AMD: extended APIC id, core id */
			e->eax = c->index;
			e->ebx = c->index;
			e->ecx = 0;
			break;
		}
	}
}

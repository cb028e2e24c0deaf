// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUID in the kernel: the host's leaves for the policy, a vCPU's table, and the exit.
 */
#include <linux/kvm.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/msr-index.h>
#include <asm/processor.h>
#include "compat/sched_info.h"
#include "exits/cpuid.h"
#include "exits/exits.h"
#include "trace/events.h"
#include "trace/recorder.h"
#include "uapi/refuse.h"
#include "vmx/caps.h"
#include "vmx/event.h"
#include "vmx/fpu.h"
#include "vmx/regs.h"

/* What the host kernel has switched off (clearcpuid=, mitigations, errata) is off for guests as well. */
static const struct {
	u32 leaf, index;
	u8 reg;		/* 0..3: EAX..EDX */
	u8 word;
} kernel_words[] = {
	{ 0x1, 0, 2, CPUID_1_ECX },	     { 0x1, 0, 3, CPUID_1_EDX },
	{ 0x7, 0, 1, CPUID_7_0_EBX },	     { 0x7, 0, 2, CPUID_7_ECX },
	{ 0x7, 0, 3, CPUID_7_EDX },	     { 0x7, 1, 0, CPUID_7_1_EAX },
	{ 0xd, 1, 0, CPUID_D_1_EAX },	     { 0x80000001, 0, 2, CPUID_8000_0001_ECX },
	{ 0x80000001, 0, 3, CPUID_8000_0001_EDX },
};

static void read_host(void *opaque, u32 leaf, u32 index, struct vtx_cpuid_regs *out)
{
	unsigned int i;

	cpuid_count(leaf, index, &out->eax, &out->ebx, &out->ecx, &out->edx);
	for (i = 0; i < ARRAY_SIZE(kernel_words); i++)
		if (kernel_words[i].leaf == leaf && kernel_words[i].index == index)
			out->reg[kernel_words[i].reg] &= boot_cpu_data.x86_capability[kernel_words[i].word];
}

int vtx_cpuid_supported(struct kvm_cpuid_entry2 *out, u32 n)
{
	const struct vtx_cpuid_host host = {
		.read = read_host,
		.xcr0 = vtx_fpu_supported_xcr0(),
		.invpcid = vtx_caps.invpcid,
		.rdtscp = vtx_caps.rdtscp,
		.run_delay = VTX_HAS_RUN_DELAY,
	};
	u32 count;

	preempt_disable();	/* all leaves from one CPU */
	count = vtx_cpuid_build(&host, out, n);
	preempt_enable();
	return count;
}

/* The facts of the supported table: they bound every vCPU's. Made at the first use, constant once the flag is set. */
static struct vtx_cpuid host_facts;
static bool host_facts_ready;
static DEFINE_MUTEX(host_facts_lock);

static int make_host_facts(void)
{
	struct kvm_cpuid_entry2 *entries;
	int ret = 0;

	mutex_lock(&host_facts_lock);
	if (host_facts_ready)
		goto out;
	ret = -ENOMEM;
	entries = kvcalloc(VTX_MAX_CPUID_ENTRIES, sizeof(*entries), GFP_KERNEL_ACCOUNT);
	if (!entries)
		goto out;
	host_facts.entries = entries;
	host_facts.nent = min_t(u32, vtx_cpuid_supported(entries, VTX_MAX_CPUID_ENTRIES), VTX_MAX_CPUID_ENTRIES);
	vtx_cpuid_derive(&host_facts, NULL, vtx_fpu_supported_xcr0());
	host_facts.entries = NULL;
	host_facts.nent = 0;
	kvfree(entries);
	smp_store_release(&host_facts_ready, true); /* pairs with vtx_cpuid_host() */
	ret = 0;
out:
	mutex_unlock(&host_facts_lock);
	return ret;
}

/*
 * vtx_cpuid_host() - the facts of the supported table
 * Its entries are gone; features, masks and addresses are valid. May sleep. Return: NULL when out of memory.
 */
const struct vtx_cpuid *vtx_cpuid_host(void)
{
	/* Pairs with the release in make_host_facts(). */
	if (!smp_load_acquire(&host_facts_ready) && make_host_facts())
		return NULL;
	return &host_facts;
}

static void mirror(struct vtx_vcpu *vcpu, struct vtx_cpuid *c)
{
	const struct vtx_cpuid_state state = {
		.osxsave = vtx_cr4(vcpu) & X86_CR4_OSXSAVE,
		.apic_enabled = vcpu->apic_base & MSR_IA32_APICBASE_ENABLE,
		.mwait_follows = !vtx_quirk(vcpu->vm, KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT),
		.mwait = vcpu->msr_misc_enable & MSR_IA32_MISC_ENABLE_MWAIT,
		.xcr0 = vcpu->xcr0,
	};

	vtx_cpuid_mirror(c, &state);
}

void vtx_cpuid_update(struct vtx_vcpu *vcpu)
{
	mirror(vcpu, &vcpu->cpuid);
}

/* How many entries are the same, from the first on. */
static u32 same_entries(const struct vtx_cpuid *a, const struct vtx_cpuid *b)
{
	u32 i;

	for (i = 0; i < min(a->nent, b->nent); i++) {
		const struct kvm_cpuid_entry2 *x = &a->entries[i], *y = &b->entries[i];

		if (x->function != y->function || x->index != y->index || x->flags != y->flags || x->eax != y->eax ||
		    x->ebx != y->ebx || x->ecx != y->ecx || x->edx != y->edx)
			break;
	}
	return i;
}

/* Bits of a linear address; 0 when the table does not say. */
static u32 address_width(const struct vtx_cpuid *c)
{
	const struct kvm_cpuid_entry2 *e = vtx_cpuid_find(c, 0x80000008, 0);

	return e ? e->eax >> 8 & 0xff : 0;
}

/*
 * vtx_cpuid_set() - KVM_SET_CPUID2
 * @entries: kvmalloc'ed, or NULL with @nent 0; the vCPU's on success, still the caller's on failure
 * vCPU loaded, vcpu->mutex held.
 * Return: 0; -EINVAL (another table than the one the vCPU has run with, or an impossible linear-address width); -ENOMEM.
 */
int vtx_cpuid_set(struct vtx_vcpu *vcpu, struct kvm_cpuid_entry2 *entries, u32 nent)
{
	const struct vtx_cpuid *host = vtx_cpuid_host();
	struct vtx_cpuid next = { .entries = entries, .nent = nent };
	u32 bits, same;

	if (!host)
		return -ENOMEM;
	mirror(vcpu, &next);
	if (vcpu->cpuid.frozen) {
		/* The rule KVM has since 5.18: once the vCPU has run, its table may be set again but not changed. */
		same = same_entries(&next, &vcpu->cpuid);
		if (same != nent || nent != vcpu->cpuid.nent)
			return VTX_REFUSE(CPUID_AFTER_RUN, VTX_NO_FIELD, same, vcpu->cpuid.nent);
		kvfree(entries);
		return 0;
	}
	bits = address_width(&next);
	if (bits != 0 && bits != 48 && bits != 57)
		return VTX_REFUSE(CPUID_ADDRESS_WIDTH, VTX_NO_FIELD, bits, 57);
	vtx_cpuid_derive(&next, host, vtx_fpu_supported_xcr0());
	kvfree(vcpu->cpuid.entries);
	vcpu->cpuid = next;
	return 0;
}

void vtx_cpuid_free(struct vtx_vcpu *vcpu)
{
	kvfree(vcpu->cpuid.entries);
	memset(&vcpu->cpuid, 0, sizeof(vcpu->cpuid));
}

void vtx_cpuid_lookup(struct vtx_vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	struct vtx_cpuid_regs regs;

	vtx_cpuid_answer(&vcpu->cpuid, *eax, *ecx, &regs);
	*eax = regs.eax;
	*ebx = regs.ebx;
	*ecx = regs.ecx;
	*edx = regs.edx;
}

/* CPUID faulting (IA32_MISC_FEATURES_ENABLES bit 0): the instruction is #GP above CPL 0. */
static bool cpuid_faults(struct vtx_vcpu *vcpu)
{
	return unlikely(vcpu->msr_misc_features & MSR_MISC_FEATURES_ENABLES_CPUID_FAULT) && vtx_cpl(vcpu);
}

int vtx_fast_cpuid(struct vtx_vcpu *vcpu)
{
	u32 leaf = vcpu->regs[VTX_RAX], index = vcpu->regs[VTX_RCX];
	const struct kvm_cpuid_entry2 *e = vtx_cpuid_quick(&vcpu->cpuid, leaf, index);

	vtx_exit_note_cpuid(vcpu);
	if (unlikely(!e) || cpuid_faults(vcpu))
		return VTX_EXIT_SLOW;
	vcpu->regs[VTX_RAX] = e->eax;
	vcpu->regs[VTX_RBX] = e->ebx;
	vcpu->regs[VTX_RCX] = e->ecx;
	vcpu->regs[VTX_RDX] = e->edx;
	trace_kvm_cpuid(leaf, index, vcpu->regs, true, false);
	vtx_skip_insn(vcpu);
	return VTX_EXIT_RESUME;
}

int vtx_exit_cpuid(struct vtx_vcpu *vcpu)
{
	u32 leaf = vcpu->regs[VTX_RAX], index = vcpu->regs[VTX_RCX];
	enum vtx_cpuid_source source;
	struct vtx_cpuid_regs regs;

	if (cpuid_faults(vcpu)) {
		vtx_inject_gp(vcpu);
		return VTX_EXIT_RESUME;
	}
	source = vtx_cpuid_answer(&vcpu->cpuid, leaf, index, &regs);
	vcpu->regs[VTX_RAX] = regs.eax;
	vcpu->regs[VTX_RBX] = regs.ebx;
	vcpu->regs[VTX_RCX] = regs.ecx;
	vcpu->regs[VTX_RDX] = regs.edx;
	trace_kvm_cpuid(leaf, index, vcpu->regs, source == VTX_CPUID_ENTRY, source == VTX_CPUID_BASIC);
	vtx_skip_insn(vcpu);
	return VTX_EXIT_RESUME;
}

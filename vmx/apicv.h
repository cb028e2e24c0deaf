/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the processor does of a vCPU's local APIC by itself (SDM vol. 3, chapter 30).
 */
#ifndef VTX_VMX_APICV_H
#define VTX_VMX_APICV_H

#include <linux/types.h>

struct vtx_vcpu;

enum vtx_apicv_mode {
	VTX_APICV_NONE,		/* nothing: no local APIC in the kernel, or no TPR shadow */
	VTX_APICV_TPR,		/* CR8 only */
	VTX_APICV_HIDDEN,	/* nothing, and the APIC-access page of the VM's other vCPUs is no memory for this one */
	VTX_APICV_XAPIC,	/* registers in memory, and delivery of interrupts */
	VTX_APICV_X2APIC,	/* registers in MSRs, and delivery of interrupts */
};

/* Part of struct vtx_vcpu: what is in the VMCS. The vCPU's thread; mode is read by anybody. */
struct vtx_apicv {
	u8 mode;		/* enum vtx_apicv_mode */
	u8 tpr_threshold;
	u64 eoi_exits[4];
};

/* New VMCS, loaded, not reset yet. */
void vtx_apicv_setup(struct vtx_vcpu *vcpu);

/* IA32_APIC_BASE may have changed: sets the controls and the MSR bitmap. vCPU thread, loaded, interrupts on. */
void vtx_apicv_update(struct vtx_vcpu *vcpu);

/*
 * VTX_REQ_EVENT, before an entry, after vtx_ack_irq(): shows the processor what is pending in the local APIC. Interrupts off.
 * Return: the processor has an interrupt to deliver, which nothing but IF or its shadow can hold back.
 */
bool vtx_apicv_before_entry(struct vtx_vcpu *vcpu);

/* Why vtx does not leave the APIC of this VM's vCPUs to the processor, in words; NULL: it does. */
const char *vtx_apicv_why_not(bool lapic);
/* The mode in words. */
const char *vtx_apicv_mode_name(u8 mode);

#endif /* VTX_VMX_APICV_H */

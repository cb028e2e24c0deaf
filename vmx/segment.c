// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segment registers and descriptor tables of the guest, and KVM_GET/SET_SREGS, which are mostly that.
 */
#include <asm/msr-index.h>
#include "exits/cpuid.h"
#include "irqchip/irqchip.h"
#include "uapi/refuse.h"
#include "vmx/controls.h"
#include "vmx/cr.h"
#include "vmx/event.h"
#include "vmx/regs.h"

struct seg_fields {
	u32 selector, base, limit, ar;
};

#define SEG(name) { GUEST_##name##_SELECTOR, GUEST_##name##_BASE, GUEST_##name##_LIMIT, GUEST_##name##_AR_BYTES }

static const struct seg_fields seg_fields[VTX_NR_SEGS] = {
	[VTX_ES] = SEG(ES), [VTX_CS] = SEG(CS), [VTX_SS] = SEG(SS),	[VTX_DS] = SEG(DS),
	[VTX_FS] = SEG(FS), [VTX_GS] = SEG(GS), [VTX_LDTR] = SEG(LDTR), [VTX_TR] = SEG(TR),
};

/* Access rights as the VMCS has them, SDM vol. 3, table 25-2. */
#define AR_UNUSABLE BIT(16)
#define AR_TYPE 15
#define TYPE_ACCESSED 1
#define TYPE_BUSY_TSS64 11

void vtx_get_segment(struct vtx_vcpu *vcpu, enum vtx_seg seg, struct kvm_segment *out)
{
	const struct seg_fields *f = &seg_fields[seg];
	u32 ar = vtx_vmread(f->ar);

	memset(out, 0, sizeof(*out));
	out->base = vtx_vmread(f->base);
	out->limit = vtx_vmread(f->limit);
	out->selector = vtx_vmread(f->selector);
	out->unusable = (ar >> 16) & 1;
	out->type = ar & AR_TYPE;
	out->s = (ar >> 4) & 1;
	out->dpl = (ar >> 5) & 3;
	/*
	 * Some programs look at present alone and write the segment back: an unusable one must read as not present, whatever
	 * the bit in the VMCS says, or it would come back usable.
	 */
	out->present = !out->unusable;
	out->avl = (ar >> 12) & 1;
	out->l = (ar >> 13) & 1;
	out->db = (ar >> 14) & 1;
	out->g = (ar >> 15) & 1;
}

void vtx_set_segment(struct vtx_vcpu *vcpu, enum vtx_seg seg, const struct kvm_segment *in)
{
	const struct seg_fields *f = &seg_fields[seg];
	u32 ar = AR_UNUSABLE;

	if (!in->unusable && in->present) {
		ar = (in->type & 15) | (in->s & 1) << 4 | (in->dpl & 3) << 5 | (in->present & 1) << 7 | (in->avl & 1) << 12 |
		     (in->l & 1) << 13 | (in->db & 1) << 14 | (in->g & 1) << 15;
		/* The processor wants the accessed bit in loaded segments (SDM vol. 3, 27.3.1.2); old clients forget it. */
		if (in->s)
			ar |= TYPE_ACCESSED;
	}
	vtx_vmwrite(f->selector, in->selector);
	vtx_vmwrite(f->base, in->base);
	vtx_vmwrite(f->limit, in->limit);
	vtx_vmwrite(f->ar, ar);
}

u64 vtx_segment_base(struct vtx_vcpu *vcpu, enum vtx_seg seg)
{
	return vtx_vmread(seg_fields[seg].base);
}

/* SS.DPL is the CPL in every mode but the two that have none (SDM vol. 3, 25.4.1). */
unsigned int vtx_cpl(struct vtx_vcpu *vcpu)
{
	if (!vtx_in_protected_mode(vcpu))
		return 0;
	if (!vtx_in_long_mode(vcpu) && (vtx_rflags(vcpu) & X86_EFLAGS_VM))
		return 3;
	return (vtx_vmread32(GUEST_SS_AR_BYTES) >> 5) & 3;
}

bool vtx_in_long_mode(struct vtx_vcpu *vcpu)
{
	return vcpu->efer & EFER_LMA;
}

bool vtx_in_64bit_code(struct vtx_vcpu *vcpu)
{
	return (vcpu->efer & EFER_LMA) && (vtx_vmread32(GUEST_CS_AR_BYTES) & BIT(13));
}

void vtx_fix_tr_for_long_mode(struct vtx_vcpu *vcpu)
{
	u32 ar = vtx_vmread32(GUEST_TR_AR_BYTES);

	if ((ar & AR_TYPE) != TYPE_BUSY_TSS64)
		vtx_vmwrite32(GUEST_TR_AR_BYTES, (ar & ~AR_TYPE) | TYPE_BUSY_TSS64);
}

/* ------------------------------------------------------------------ KVM_GET/SET_SREGS */

void vtx_store_sregs(struct vtx_vcpu *vcpu, struct kvm_sregs *s)
{
	memset(s, 0, sizeof(*s));
	vtx_get_segment(vcpu, VTX_CS, &s->cs);
	vtx_get_segment(vcpu, VTX_DS, &s->ds);
	vtx_get_segment(vcpu, VTX_ES, &s->es);
	vtx_get_segment(vcpu, VTX_FS, &s->fs);
	vtx_get_segment(vcpu, VTX_GS, &s->gs);
	vtx_get_segment(vcpu, VTX_SS, &s->ss);
	vtx_get_segment(vcpu, VTX_TR, &s->tr);
	vtx_get_segment(vcpu, VTX_LDTR, &s->ldt);
	s->gdt.base = vtx_vmreadl(GUEST_GDTR_BASE);
	s->gdt.limit = vtx_vmread32(GUEST_GDTR_LIMIT);
	s->idt.base = vtx_vmreadl(GUEST_IDTR_BASE);
	s->idt.limit = vtx_vmread32(GUEST_IDTR_LIMIT);
	s->cr0 = vtx_cr0(vcpu);
	vtx_deliver_payload_to_user(vcpu);
	s->cr2 = vcpu->cr2;
	s->cr3 = vtx_cr3(vcpu);
	s->cr4 = vtx_cr4(vcpu);
	s->cr8 = vtx_cr8(vcpu);
	s->efer = vcpu->efer;
	s->apic_base = vcpu->apic_base;
	if (vcpu->events.irq.injected && !vcpu->events.irq.soft)
		set_bit(vcpu->events.irq.vector, (unsigned long *)s->interrupt_bitmap);
	else if (!vcpu->apic && vcpu->events.user_irq >= 0)
		set_bit(vcpu->events.user_irq, (unsigned long *)s->interrupt_bitmap);
}

#define AT(field) offsetof(struct kvm_sregs, field)

/* 64-bit paging: PAE and LMA belong to it, and CR3 has no bits above the guest's physical width. */
static int check_long_mode(struct vtx_vcpu *vcpu, const struct kvm_sregs *s)
{
	u64 cr3_bits = GENMASK_ULL(vcpu->cpuid.maxphyaddr - 1, 0);

	if ((s->efer & EFER_LME) && (s->cr0 & X86_CR0_PG)) {
		if (!(s->cr4 & X86_CR4_PAE))
			return VTX_REFUSE(SREGS_CR4_NO_PAE, AT(cr4), s->cr4, s->cr4 | X86_CR4_PAE);
		if (!(s->efer & EFER_LMA))
			return VTX_REFUSE(SREGS_EFER_NO_LMA, AT(efer), s->efer, s->efer | EFER_LMA);
		if (s->cr3 & ~cr3_bits)
			return VTX_REFUSE(SREGS_CR3, AT(cr3), s->cr3, cr3_bits);
		return 0;
	}
	if (s->efer & EFER_LMA)
		return VTX_REFUSE(SREGS_EFER_LMA_ALONE, AT(efer), s->efer, s->efer & ~(u64)EFER_LMA);
	if (s->cs.l)
		return VTX_REFUSE(SREGS_CS_L, AT(cs.l), s->cs.l, 0);
	return 0;
}

int vtx_check_sregs(struct vtx_vcpu *vcpu, const struct kvm_sregs *s)
{
	u64 efer_bits = vcpu->cpuid.efer_allowed | EFER_LMA, cr4_bits = vtx_cr4_bits(vcpu), cr0_bits = vtx_cr0_bits();
	int ret;

	if (s->efer & ~efer_bits)
		return VTX_REFUSE(SREGS_EFER, AT(efer), s->efer, efer_bits);
	ret = check_long_mode(vcpu, s);
	if (ret)
		return ret;
	if (s->cr4 & ~cr4_bits)
		return VTX_REFUSE(SREGS_CR4, AT(cr4), s->cr4, cr4_bits);
	if (s->cr0 & ~cr0_bits)
		return VTX_REFUSE(SREGS_CR0, AT(cr0), s->cr0, cr0_bits);
	if ((s->cr0 & X86_CR0_NW) && !(s->cr0 & X86_CR0_CD))
		return VTX_REFUSE(SREGS_CR0_NW, AT(cr0), s->cr0, s->cr0 | X86_CR0_CD);
	if ((s->cr0 & X86_CR0_PG) && !(s->cr0 & X86_CR0_PE))
		return VTX_REFUSE(SREGS_CR0_PG, AT(cr0), s->cr0, s->cr0 | X86_CR0_PE);
	return 0;
}

/* The interrupt that was on its way: of the local APIC, which had acknowledged it, or of KVM_INTERRUPT. */
static void set_interrupt(struct vtx_vcpu *vcpu, u8 vector)
{
	if (!vcpu->apic) {
		vcpu->events.user_irq = vector;
		return;
	}
	vcpu->events.irq.injected = true;
	vcpu->events.irq.soft = false;
	vcpu->events.irq.vector = vector;
}

void vtx_load_sregs(struct vtx_vcpu *vcpu, const struct kvm_sregs *s)
{
	bool cpuid_dirty = (vtx_cr4(vcpu) ^ s->cr4) & (X86_CR4_OSXSAVE | X86_CR4_PKE);
	u64 bitmap[4];
	int i;

	vtx_vmwritel(GUEST_GDTR_BASE, s->gdt.base);
	vtx_vmwrite32(GUEST_GDTR_LIMIT, s->gdt.limit);
	vtx_vmwritel(GUEST_IDTR_BASE, s->idt.base);
	vtx_vmwrite32(GUEST_IDTR_LIMIT, s->idt.limit);
	vcpu->cr2 = s->cr2;
	vtx_load_crs(vcpu, s->cr0, s->cr3, s->cr4, s->efer);
	vtx_set_cr8(vcpu, s->cr8 & 15);
	if (cpuid_dirty)
		vtx_cpuid_update(vcpu);

	vtx_set_segment(vcpu, VTX_CS, &s->cs);
	vtx_set_segment(vcpu, VTX_DS, &s->ds);
	vtx_set_segment(vcpu, VTX_ES, &s->es);
	vtx_set_segment(vcpu, VTX_FS, &s->fs);
	vtx_set_segment(vcpu, VTX_GS, &s->gs);
	vtx_set_segment(vcpu, VTX_SS, &s->ss);
	vtx_set_segment(vcpu, VTX_TR, &s->tr);
	vtx_set_segment(vcpu, VTX_LDTR, &s->ldt);
	if (vtx_in_long_mode(vcpu) && s->tr.present && !s->tr.unusable)
		vtx_fix_tr_for_long_mode(vcpu);
	vtx_reload_pdptrs(vcpu);

	memcpy(bitmap, s->interrupt_bitmap, sizeof(bitmap));
	for (i = 0; i < 256; i++) {
		if (test_bit(i, (unsigned long *)bitmap)) {
			set_interrupt(vcpu, i);
			break;
		}
	}
	vtx_vcpu_request(vcpu, VTX_REQ_EVENT);
}

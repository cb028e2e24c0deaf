// SPDX-License-Identifier: GPL-2.0-only
/*
 * APIC virtualization (SDM vol. 3, chapter 30): the controls for each mode of a local APIC, and the fields of the VMCS that show the
 * processor what software has changed in the virtual-APIC page, which is the page of struct vtx_lapic.
 *
 * While the guest runs, the page's IRR, ISR, TPR, PPR and EOI, and RVI and SVI in the VMCS, are the processor's.  Outside the guest
 * they are the vCPU thread's: whatever it changes there it follows by VTX_REQ_EVENT, and vtx_apicv_before_entry() derives RVI, SVI and
 * the EOI-exit bitmap from the page.  PPR the processor derives at the entry (30.1.3, 27.3.2.5).  Other CPUs leave vectors in
 * vtx_lapic.pir, request VTX_REQ_EVENT and kick: the exit and the entry that follow take the place of a notification vector
 * (docs/decisions.md: posted interrupts).
 */
#include <asm/vmx.h>
#include "ept/ept.h"
#include "exits/msr_policy.h"
#include "irqchip/kernel.h"
#include "vmx/apicv.h"
#include "vmx/caps.h"
#include "vmx/guest_debug.h"
#include "vmx/vcpu.h"

#define CR8_EXITS (CPU_BASED_CR8_LOAD_EXITING | CPU_BASED_CR8_STORE_EXITING)
#define DELIVERY (SECONDARY_EXEC_APIC_REGISTER_VIRT | SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY)
#define ALL_PROC2 (SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES | SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE | DELIVERY)

/* In every mode CR8 is the TPR: with a shadow without exits, else with. */
static const struct {
	const char *name;
	bool tpr_shadow, delivers;
	u32 proc2;
} modes[] = {
	[VTX_APICV_NONE] = { "software" },
	[VTX_APICV_TPR] = { "software, TPR shadow", true },
	[VTX_APICV_HIDDEN] = { "software: APIC off, moved, or in x2APIC mode that the processor cannot virtualize", false, false,
			       SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES },
	[VTX_APICV_XAPIC] = { "processor, xAPIC", true, true, SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES | DELIVERY },
	[VTX_APICV_X2APIC] = { "processor, x2APIC", true, true, SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE | DELIVERY },
};

const char *vtx_apicv_mode_name(u8 mode)
{
	return mode < ARRAY_SIZE(modes) ? modes[mode].name : "";
}

const char *vtx_apicv_why_not(bool lapic)
{
	static const char *const why[] = {
		[VTX_APICV_UNWANTED] = "switched off by a module parameter",
		[VTX_APICV_LACKING] = "the processor lacks it",
		[VTX_APICV_INCOMPLETE] = "the processor has it without posted interrupts, as an emulator does (enable_apicv=1 uses it)",
	};

	return lapic ? why[vtx_caps.apicv_why] : "no local APIC in the kernel";
}

static enum vtx_apicv_mode choose(const struct vtx_vcpu *vcpu)
{
	const struct vtx_lapic *apic;

	if (!vcpu->apic)
		return VTX_APICV_NONE;
	if (!vtx_caps.apicv)
		return vtx_caps.tpr_shadow ? VTX_APICV_TPR : VTX_APICV_NONE;
	if (vtx_debug_blocks_irqs(vcpu))
		return VTX_APICV_HIDDEN;
	apic = &vcpu->apic->lapic;
	if (vtx_lapic_x2apic(apic))
		return vtx_caps.apicv_x2apic ? VTX_APICV_X2APIC : VTX_APICV_HIDDEN;
	if (vtx_lapic_hw_enabled(apic) && VTX_LAPIC_BASE_ADDR(apic->base) == VTX_LAPIC_DEFAULT_BASE)
		return VTX_APICV_XAPIC;
	return VTX_APICV_HIDDEN;
}

static void set_controls(struct vtx_vcpu *vcpu, enum vtx_apicv_mode mode)
{
	u32 proc = vcpu->exec_ctrl & ~(CPU_BASED_TPR_SHADOW | CR8_EXITS);

	vcpu->exec_ctrl = proc | (modes[mode].tpr_shadow ? CPU_BASED_TPR_SHADOW : CR8_EXITS);
	vcpu->exec2_ctrl = (vcpu->exec2_ctrl & ~ALL_PROC2) | modes[mode].proc2;
	vtx_vmwrite32(CPU_BASED_VM_EXEC_CONTROL, vcpu->exec_ctrl);
	vtx_vmwrite32(SECONDARY_VM_EXEC_CONTROL, vcpu->exec2_ctrl);
}

/* With x2APIC mode virtualized the processor answers what vtx_lapic_msr_direct() says. */
static void open_msrs(struct vtx_vcpu *vcpu, bool open)
{
	u32 msr;

	for (msr = VTX_LAPIC_MSR_BASE; msr <= VTX_LAPIC_MSR_LAST; msr++) {
		vtx_msr_bitmap_set(vcpu->msr_bitmap, msr, false, !(open && vtx_lapic_msr_direct(msr, false)));
		vtx_msr_bitmap_set(vcpu->msr_bitmap, msr, true, !(open && vtx_lapic_msr_direct(msr, true)));
	}
}

void vtx_apicv_setup(struct vtx_vcpu *vcpu)
{
	unsigned int i;

	if (!vcpu->apic || !vtx_caps.tpr_shadow)
		return;
	vtx_vmwrite64(VIRTUAL_APIC_PAGE_ADDR, __pa(vcpu->apic->lapic.regs));
	vtx_vmwrite32(TPR_THRESHOLD, 0);
	if (!vtx_caps.apicv)
		return;
	vtx_vmwrite64(APIC_ACCESS_ADDR, __pa(vcpu->vm->ept.apic_page));
	vtx_vmwrite16(GUEST_INTR_STATUS, 0);
	for (i = 0; i < ARRAY_SIZE(vcpu->apicv.eoi_exits); i++)
		vtx_vmwrite64(EOI_EXIT_BITMAP0 + 2 * i, 0);
}

void vtx_apicv_update(struct vtx_vcpu *vcpu)
{
	enum vtx_apicv_mode old = vcpu->apicv.mode, new = choose(vcpu);

	if (old == new)
		return;
	WRITE_ONCE(vcpu->apicv.mode, new);
	set_controls(vcpu, new);
	if (old == VTX_APICV_X2APIC || new == VTX_APICV_X2APIC)
		open_msrs(vcpu, new == VTX_APICV_X2APIC);
	if (modes[old].delivers != modes[new].delivers)
		vtx_lapic_set_apicv(&vcpu->apic->lapic, modes[new].delivers);
	/* In this mode the page would be plain memory; a vCPU that is still in xAPIC mode brings it back. */
	if (new == VTX_APICV_X2APIC)
		vtx_ept_zap_apic_page(vcpu->vm);
	vtx_vcpu_request(vcpu, VTX_REQ_EVENT);
}

/* ------------------------------------------------------------------ before an entry */

/*
 * Without delivery by the processor: it leaves the guest when the TPR falls below the class of what waits. The threshold may not be
 * above the TPR (SDM vol. 3, 27.2.1.1), and need not be: then it is not the TPR that holds the interrupt back.
 */
static void set_tpr_threshold(struct vtx_vcpu *vcpu)
{
	struct vtx_lapic *apic = &vcpu->apic->lapic;
	int irr = vtx_lapic_maybe_pending(apic) ? vtx_lapic_highest_irr(apic) >> 4 : -1;
	u8 threshold = irr > 0 && irr <= (vtx_lapic_get(apic, VTX_LAPIC_TPR) & 0xff) >> 4 ? irr : 0;

	if (threshold == vcpu->apicv.tpr_threshold)
		return;
	vcpu->apicv.tpr_threshold = threshold;
	vtx_vmwrite32(TPR_THRESHOLD, threshold);
}

static void set_eoi_exits(struct vtx_vcpu *vcpu)
{
	u64 bitmap[4], *now = vcpu->apicv.eoi_exits;
	unsigned int i;

	vtx_lapic_eoi_exits(&vcpu->apic->lapic, vcpu->vm->irqchip->watched, bitmap);
	for (i = 0; i < ARRAY_SIZE(bitmap); i++) {
		if (bitmap[i] == now[i])
			continue;
		now[i] = bitmap[i];
		vtx_vmwrite64(EOI_EXIT_BITMAP0 + 2 * i, bitmap[i]);
	}
}

/* RVI and SVI, the vectors requested and in service; 0: none (SDM vol. 3, 25.4.2). */
static bool set_interrupt_status(struct vtx_vcpu *vcpu)
{
	struct vtx_lapic *apic = &vcpu->apic->lapic;
	u8 tpr = vtx_lapic_get(apic, VTX_LAPIC_TPR);
	u8 rvi = max(vtx_lapic_highest_irr(apic), 0), svi = max(vtx_lapic_highest_isr(apic), 0);
	u16 status = svi << 8 | rvi;

	if (vtx_vmread16(GUEST_INTR_STATUS) != status)
		vtx_vmwrite16(GUEST_INTR_STATUS, status);
	return rvi >> 4 > max(svi, tpr) >> 4;
}

bool vtx_apicv_before_entry(struct vtx_vcpu *vcpu)
{
	bool held = false;

	if (vcpu->apicv.mode == VTX_APICV_TPR) {
		set_tpr_threshold(vcpu);
	} else if (modes[vcpu->apicv.mode].delivers) {
		/* Moves pir into the IRR; what is pending after that makes its EOI exit if it has to. */
		held = set_interrupt_status(vcpu);
		set_eoi_exits(vcpu);
	}
	return held;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control registers, EFER, XCR0 and debug registers: guest writes with the manual's checks, and what they mean for the VMCS.
 *
 * A CR bit is guest-owned when the guest may change it without an exit; the others are host-owned: the guest reads them from the
 * read shadow and a write that would change one exits (SDM vol. 3, 25.6.6).  vcpu->cr0/cr4 hold the host-owned bits as the guest
 * believes them; the guest-owned ones are in the VMCS.
 */
#include <linux/sched.h>
#include <asm/debugreg.h>
#include <asm/processor-flags.h>
#include "exits/cpuid.h"
#include "exits/guest_mem.h"
#include "irqchip/irqchip.h"
#include "vmx/caps.h"
#include "vmx/controls.h"
#include "vmx/cr.h"
#include "vmx/guest_debug.h"
#include "vmx/host_msrs.h"
#include "vmx/regs.h"

#define CR0_KNOWN                                                                                               \
	(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | \
	 X86_CR0_NW | X86_CR0_CD | X86_CR0_PG)
#define CR4_GUEST_OWNED (X86_CR4_PCE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | X86_CR4_TSD | X86_CR4_DE | X86_CR4_PGE)
/* A change of these makes the PDPTEs stale in PAE paging (SDM vol. 3, 4.4.1). */
#define CR0_PDPTR_BITS (X86_CR0_CD | X86_CR0_NW | X86_CR0_PG)
#define CR4_PDPTR_BITS (X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PSE | X86_CR4_SMEP)
#define CR4_TLB_BITS (X86_CR4_PGE | X86_CR4_PAE | X86_CR4_PSE | X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_PCIDE)
#define PDPTE_RESERVED (GENMASK_ULL(8, 5) | GENMASK_ULL(2, 1))

u64 vtx_cr0(struct vtx_vcpu *vcpu)
{
	if (!(vcpu->cached & BIT(VTX_CACHE_CR0))) {
		u64 owned = vcpu->cr0_guest_owned;

		if (owned)
			vcpu->cr0 = (vcpu->cr0 & ~owned) | (vtx_vmreadl(GUEST_CR0) & owned);
		vcpu->cached |= BIT(VTX_CACHE_CR0);
	}
	return vcpu->cr0;
}

u64 vtx_cr4(struct vtx_vcpu *vcpu)
{
	if (!(vcpu->cached & BIT(VTX_CACHE_CR4))) {
		u64 owned = vcpu->cr4_guest_owned;

		if (owned)
			vcpu->cr4 = (vcpu->cr4 & ~owned) | (vtx_vmreadl(GUEST_CR4) & owned);
		vcpu->cached |= BIT(VTX_CACHE_CR4);
	}
	return vcpu->cr4;
}

/* ------------------------------------------------------------------ what goes into the VMCS */

void vtx_cr_init_masks(struct vtx_vcpu *vcpu)
{
	/* What was guest-owned so far is fetched before the border moves. */
	vtx_cr0(vcpu);
	vtx_cr4(vcpu);
	vcpu->cr0_guest_owned = X86_CR0_TS;
	vcpu->cr4_guest_owned = CR4_GUEST_OWNED & ~vcpu->cpuid.cr4_reserved & ~vtx_caps.cr4_fixed0;
	vtx_vmwritel(CR0_GUEST_HOST_MASK, ~vcpu->cr0_guest_owned);
	vtx_vmwritel(CR4_GUEST_HOST_MASK, ~vcpu->cr4_guest_owned);
}

/*
 * The bits VMX operation wants fixed to 1 are set behind the guest's back (PE and PG excepted: unrestricted guest). CD and NW
 * have no meaning under EPT with write-back memory and are kept from the processor.
 */
static void write_hw_cr0(struct vtx_vcpu *vcpu, u64 value)
{
	u64 fixed = vtx_caps.cr0_fixed0 & ~(u64)(X86_CR0_PE | X86_CR0_PG);
	u64 hw = (value & ~(u64)(X86_CR0_CD | X86_CR0_NW)) | fixed | X86_CR0_ET;

	vtx_vmwritel(CR0_READ_SHADOW, value);
	vtx_vmwritel(GUEST_CR0, hw);
	vcpu->cr0 = value;
	vcpu->cached |= BIT(VTX_CACHE_CR0);
}

static void write_hw_cr4(struct vtx_vcpu *vcpu, u64 value)
{
	vtx_vmwritel(CR4_READ_SHADOW, value);
	vtx_vmwritel(GUEST_CR4, value | vtx_caps.cr4_fixed0);
	vcpu->cr4 = value;
	vcpu->cached |= BIT(VTX_CACHE_CR4);
}

static void write_hw_efer(struct vtx_vcpu *vcpu, u64 value)
{
	bool was_lma = vcpu->efer & EFER_LMA, lma = value & EFER_LMA;

	vcpu->efer = value;
	vtx_vmwrite64(GUEST_IA32_EFER, value);
	vtx_guest_efer_changed(vcpu);
	if (was_lma != lma || lma != !!(vcpu->entry_ctrl & VM_ENTRY_IA32E_MODE))
		vtx_controls_set_ia32e(vcpu, lma);
}

void vtx_load_crs(struct vtx_vcpu *vcpu, u64 cr0, u64 cr3, u64 cr4, u64 efer)
{
	write_hw_efer(vcpu, efer);
	write_hw_cr0(vcpu, cr0);
	write_hw_cr4(vcpu, cr4);
	vcpu->cr3 = cr3;
	vtx_vmwritel(GUEST_CR3, cr3);
	vcpu->cached |= BIT(VTX_CACHE_CR3);
	vtx_vcpu_request(vcpu, VTX_REQ_TLB_FLUSH);
}

/* ------------------------------------------------------------------ PAE */

static void write_pdptrs(struct vtx_vcpu *vcpu, const u64 *pdptrs)
{
	memcpy(vcpu->pdptrs, pdptrs, sizeof(vcpu->pdptrs));
	vtx_vmwrite64(GUEST_PDPTR0, pdptrs[0]);
	vtx_vmwrite64(GUEST_PDPTR1, pdptrs[1]);
	vtx_vmwrite64(GUEST_PDPTR2, pdptrs[2]);
	vtx_vmwrite64(GUEST_PDPTR3, pdptrs[3]);
}

/* Reads the four PDPTEs that CR3 points to. false: one is malformed or unreadable. May sleep; vm->srcu held. */
static bool read_pdptrs(struct vtx_vcpu *vcpu, u64 cr3, u64 *pdptrs)
{
	u64 reserved = PDPTE_RESERVED | ~GENMASK_ULL(vcpu->cpuid.maxphyaddr - 1, 0);
	int i;

	if (vtx_gpa_read(vcpu->vm, cr3 & 0xffffffe0, pdptrs, 32))
		return false;
	for (i = 0; i < 4; i++)
		if ((pdptrs[i] & 1) && (pdptrs[i] & reserved))
			return false;
	return true;
}

bool vtx_reload_pdptrs(struct vtx_vcpu *vcpu)
{
	u64 pdptrs[4];

	if (!vtx_pae_paging(vtx_cr0(vcpu), vtx_cr4(vcpu), vcpu->efer))
		return true;
	if (!read_pdptrs(vcpu, vtx_cr3(vcpu), pdptrs))
		return false;
	write_pdptrs(vcpu, pdptrs);
	return true;
}

void vtx_set_pdptrs(struct vtx_vcpu *vcpu, const u64 *pdptrs)
{
	write_pdptrs(vcpu, pdptrs);
	vtx_vcpu_request(vcpu, VTX_REQ_TLB_FLUSH);
}

void vtx_sync_pdptrs_from_vmcs(struct vtx_vcpu *vcpu)
{
	vcpu->pdptrs[0] = vtx_vmread64(GUEST_PDPTR0);
	vcpu->pdptrs[1] = vtx_vmread64(GUEST_PDPTR1);
	vcpu->pdptrs[2] = vtx_vmread64(GUEST_PDPTR2);
	vcpu->pdptrs[3] = vtx_vmread64(GUEST_PDPTR3);
}

/* ------------------------------------------------------------------ guest writes */

u64 vtx_cr0_bits(void)
{
	return CR0_KNOWN;
}

/* SDM vol. 3, 2.5 and 4.1.2: combinations that no mode may have. vtx_check_sregs() names them one by one. */
static bool cr0_valid(u64 value)
{
	if (value & ~(u64)CR0_KNOWN)
		return false;
	if ((value & X86_CR0_NW) && !(value & X86_CR0_CD))
		return false;
	return (value & X86_CR0_PE) || !(value & X86_CR0_PG);
}

/* Entering and leaving IA-32e mode happens by CR0.PG while EFER.LME is set (SDM vol. 3, 10.8.5). */
static int paging_switch(struct vtx_vcpu *vcpu, u64 value, u64 *efer)
{
	struct kvm_segment cs;

	*efer = vcpu->efer;
	if ((value & X86_CR0_PG) && (vcpu->efer & EFER_LME)) {
		vtx_get_segment(vcpu, VTX_CS, &cs);
		if (!(vtx_cr4(vcpu) & X86_CR4_PAE) || cs.l)
			return 1;
		*efer |= EFER_LMA;
	} else if (!(value & X86_CR0_PG) && (vcpu->efer & EFER_LMA)) {
		vtx_get_segment(vcpu, VTX_CS, &cs);
		if (cs.l || (vtx_cr4(vcpu) & X86_CR4_PCIDE))
			return 1;
		*efer &= ~(u64)EFER_LMA;
	}
	return 0;
}

int vtx_set_cr0(struct vtx_vcpu *vcpu, u64 value)
{
	u64 old = vtx_cr0(vcpu), efer = vcpu->efer, pdptrs[4];
	bool reload;

	value |= X86_CR0_ET;
	if (value >> 32)
		return 1;
	value &= CR0_KNOWN; /* reserved bits below 32 are ignored on a write */
	if (!cr0_valid(value))
		return 1;
	if (((old ^ value) & X86_CR0_PG) && paging_switch(vcpu, value, &efer))
		return 1;
	reload = vtx_pae_paging(value, vtx_cr4(vcpu), efer) && ((old ^ value) & CR0_PDPTR_BITS);
	if (reload && !read_pdptrs(vcpu, vtx_cr3(vcpu), pdptrs))
		return 1;

	if (efer != vcpu->efer) {
		write_hw_efer(vcpu, efer);
		if (efer & EFER_LMA)
			vtx_fix_tr_for_long_mode(vcpu);
	}
	write_hw_cr0(vcpu, value);
	if (reload)
		write_pdptrs(vcpu, pdptrs);
	if ((old ^ value) & (X86_CR0_PG | X86_CR0_WP))
		vtx_vcpu_request(vcpu, VTX_REQ_TLB_FLUSH);
	return 0;
}

int vtx_set_cr3(struct vtx_vcpu *vcpu, u64 value)
{
	u64 pdptrs[4];

	if (vtx_in_long_mode(vcpu)) {
		if (vtx_cr4(vcpu) & X86_CR4_PCIDE)
			value &= ~BIT_ULL(63);
		if (value & ~GENMASK_ULL(vcpu->cpuid.maxphyaddr - 1, 0))
			return 1;
	} else if (vtx_pae_paging(vtx_cr0(vcpu), vtx_cr4(vcpu), vcpu->efer)) {
		if (!read_pdptrs(vcpu, value, pdptrs))
			return 1;
		write_pdptrs(vcpu, pdptrs);
	}
	vcpu->cr3 = value;
	vtx_vmwritel(GUEST_CR3, value);
	vcpu->cached |= BIT(VTX_CACHE_CR3);
	vtx_vcpu_request(vcpu, VTX_REQ_TLB_FLUSH);
	return 0;
}

u64 vtx_cr4_bits(struct vtx_vcpu *vcpu)
{
	return vtx_caps.cr4_fixed1 & ~vcpu->cpuid.cr4_reserved & ~(u64)X86_CR4_VMXE;
}

int vtx_set_cr4(struct vtx_vcpu *vcpu, u64 value)
{
	u64 old = vtx_cr4(vcpu), pdptrs[4];
	bool reload;

	if (value & ~vtx_cr4_bits(vcpu))
		return 1;
	if (vtx_in_long_mode(vcpu) && !(value & X86_CR4_PAE))
		return 1;
	if ((value & X86_CR4_PCIDE) && !(old & X86_CR4_PCIDE) && (!vtx_in_long_mode(vcpu) || (vtx_cr3(vcpu) & 0xfff)))
		return 1; /* SDM vol. 3, 4.10.1 */
	reload = vtx_pae_paging(vtx_cr0(vcpu), value, vcpu->efer) && ((old ^ value) & CR4_PDPTR_BITS);
	if (reload && !read_pdptrs(vcpu, vtx_cr3(vcpu), pdptrs))
		return 1;

	write_hw_cr4(vcpu, value);
	if (reload)
		write_pdptrs(vcpu, pdptrs);
	if ((old ^ value) & CR4_TLB_BITS)
		vtx_vcpu_request(vcpu, VTX_REQ_TLB_FLUSH);
	if ((old ^ value) & (X86_CR4_OSXSAVE | X86_CR4_PKE))
		vtx_cpuid_update(vcpu);
	return 0;
}

int vtx_set_cr8(struct vtx_vcpu *vcpu, u64 value)
{
	if (value & ~15ULL)
		return 1;
	if (vcpu->apic)
		vtx_lapic_set_cr8(vcpu, value);
	else
		vcpu->cr8 = value;
	return 0;
}

u64 vtx_cr8(struct vtx_vcpu *vcpu)
{
	return vcpu->apic ? vtx_lapic_cr8(vcpu) : vcpu->cr8;
}

int vtx_set_efer(struct vtx_vcpu *vcpu, u64 value, bool host_initiated)
{
	if (value & ~vcpu->cpuid.efer_allowed & ~(u64)EFER_LMA)
		return 1;
	if (!host_initiated) {
		/* LME may not change while paging is on; LMA is read-only for the guest (SDM vol. 3, 2.2.1). */
		if (vtx_paging(vcpu) && ((vcpu->efer ^ value) & EFER_LME))
			return 1;
		value = (value & ~(u64)EFER_LMA) | (vcpu->efer & EFER_LMA);
	}
	if ((vcpu->efer ^ value) & EFER_NX)
		vtx_vcpu_request(vcpu, VTX_REQ_TLB_FLUSH);
	write_hw_efer(vcpu, value);
	return 0;
}

/* SDM vol. 1, 13.3. */
int vtx_set_xcr0(struct vtx_vcpu *vcpu, u64 value)
{
	u64 avx512 = XFEATURE_MASK_OPMASK | XFEATURE_MASK_ZMM_Hi256 | XFEATURE_MASK_Hi16_ZMM;

	if (!(value & XFEATURE_MASK_FP) || (value & ~vcpu->cpuid.xcr0_allowed))
		return 1;
	if ((value & XFEATURE_MASK_YMM) && !(value & XFEATURE_MASK_SSE))
		return 1;
	if ((value & avx512) && ((value & avx512) != avx512 || !(value & XFEATURE_MASK_YMM)))
		return 1;
	vcpu->xcr0 = value;
	vtx_cpuid_update(vcpu);
	return 0;
}

/* ------------------------------------------------------------------ debug registers; every MOV DR exits */

int vtx_set_dr(struct vtx_vcpu *vcpu, unsigned int n, u64 value)
{
	switch (n) {
	case 0 ... 3:
		vcpu->db[n] = value;
		return 0;
	case 4:
	case 6:
		if (value >> 32)
			return 1;
		vcpu->dr6 = (value & (DR_TRAP_BITS | VTX_DR6_BD | DR_STEP | VTX_DR6_BT)) | VTX_DR6_FIXED;
		return 0;
	case 5:
	case 7:
		if (value >> 32)
			return 1;
		vcpu->dr7 = (value & ~(u64)(BIT(11) | BIT(12) | BIT(14) | BIT(15))) | VTX_DR7_FIXED;
		vtx_debug_load_dr7(vcpu);
		return 0;
	}
	return 1;
}

u64 vtx_get_dr(struct vtx_vcpu *vcpu, unsigned int n)
{
	switch (n) {
	case 0 ... 3:
		return vcpu->db[n];
	case 4:
	case 6:
		return vcpu->dr6;
	default:
		return vcpu->dr7;
	}
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Control registers inside vmx/: the parts that guests and ioctls reach through vmx/regs.h are declared there.
 */
#ifndef VTX_VMX_CR_H
#define VTX_VMX_CR_H

#include "vmx/vcpu.h"

/* Bits of DR6 and DR7 that always read as 1 (SDM vol. 3, 17.2). */
#define VTX_DR6_FIXED 0xffff0ff0ULL
#define VTX_DR7_FIXED 0x00000400ULL
#define VTX_DR7_GD BIT(13)
#define VTX_DR6_BD BIT(13)
#define VTX_DR6_BT BIT(15)

void vtx_cr_init_masks(struct vtx_vcpu *vcpu);	/* after reset, and when CPUID changed what CR4 may hold */
/* Loads values that were checked together, without side effects on the guest. */
void vtx_load_crs(struct vtx_vcpu *vcpu, u64 cr0, u64 cr3, u64 cr4, u64 efer);
/* The bits that may be set at all. */
u64 vtx_cr0_bits(void);
u64 vtx_cr4_bits(struct vtx_vcpu *vcpu);
/* Paging that begins with four PDPTEs, which the processor holds (SDM vol. 3, 4.4.1). */
static inline bool vtx_pae_paging(u64 cr0, u64 cr4, u64 efer)
{
	return (cr0 & X86_CR0_PG) && (cr4 & X86_CR4_PAE) && !(efer & EFER_LMA);
}

/* PAE: from memory into the VMCS (may sleep, vm->srcu held; false: malformed), and from the VMCS into vcpu->pdptrs. */
bool vtx_reload_pdptrs(struct vtx_vcpu *vcpu);
void vtx_sync_pdptrs_from_vmcs(struct vtx_vcpu *vcpu);
/* Those that user space gives, whatever is in memory. Bad ones fail the VM entry. */
void vtx_set_pdptrs(struct vtx_vcpu *vcpu, const u64 *pdptrs);
/* VM entry into IA-32e mode wants a busy 64-bit TSS in TR (SDM vol. 3, 27.3.1.2). */
void vtx_fix_tr_for_long_mode(struct vtx_vcpu *vcpu);

#endif /* VTX_VMX_CR_H */

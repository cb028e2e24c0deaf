// SPDX-License-Identifier: GPL-2.0-only
/*
 * The APIC-access page (SDM vol. 3, 30.4): a page of the VM that no memslot knows, at the address of the local APIC.
 *
 * The processor never touches its contents for a vCPU whose APIC it virtualizes; the page stands for an address only.  It is a page of
 * each VM, since a vCPU in x2APIC mode sees it as memory as long as another one in xAPIC mode has it mapped.  It does not belong to the
 * process, so no MMU notifier finds it; it is taken out with everything else (notifier's release), by vtx_ept_zap_apic_page(), and when
 * a memslot takes its place.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include "ept/table.h"
#include "irqchip/lapic.h"
#include "vmx/apicv.h"
#include "vmx/vcpu.h"

#define APIC_GFN (VTX_LAPIC_DEFAULT_BASE >> PAGE_SHIFT)

int vtx_ept_alloc_apic_page(struct vtx_vm *vm)
{
	lockdep_assert_held(&vm->lock);
	if (!vm->ept.apic_page)
		vm->ept.apic_page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	return vm->ept.apic_page ? 0 : -ENOMEM;
}

int vtx_ept_apic_fault(struct vtx_vcpu *vcpu, u64 gpa)
{
	struct vtx_ept *ept = &vcpu->vm->ept;
	struct vtx_ept_mapping map = { .gfn = APIC_GFN, .level = 1, .rwx = VTX_EPTE_READ | VTX_EPTE_WRITE };
	int r;

	if (gpa >> PAGE_SHIFT != APIC_GFN || vcpu->apicv.mode != VTX_APICV_XAPIC)
		return VTX_FAULT_MMIO;
	r = vtx_ept_topup(ept);
	if (r)
		return r;
	map.pfn = page_to_pfn(virt_to_page(ept->apic_page));
	write_lock(&ept->lock);
	vtx_ept_map(ept, &map);
	write_unlock(&ept->lock);
	return VTX_FAULT_RETRY;
}

void vtx_ept_zap_apic_page(struct vtx_vm *vm)
{
	struct vtx_ept_zapped zapped = {};

	if (!vm->ept.apic_page)
		return;
	write_lock(&vm->ept.lock);
	vtx_ept_zap(&vm->ept, APIC_GFN, APIC_GFN + 1, &zapped);
	write_unlock(&vm->ept.lock);
	vtx_ept_finish_zap(vm, &zapped, false);
}

void vtx_ept_slot_over_apic_page(struct vtx_vm *vm, u64 gfn, u64 npages)
{
	if (APIC_GFN - gfn < npages)
		vtx_ept_zap_apic_page(vm);
}

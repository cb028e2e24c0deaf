// SPDX-License-Identifier: GPL-2.0-only
/*
 * EPT violations: missing pages go to ept/, missing slots to the emulator as MMIO.
 */
#include <linux/mm.h>
#include <asm/vmx.h>
#include "emulate/walk.h"
#include "ept/ept.h"
#include "exits/emulation.h"
#include "exits/exits.h"
#include "exits/explain.h"
#include "trace/events.h"
#include "trace/failure.h"
#include "trace/livelock.h"
#include "trace/recorder.h"
#include "vmx/event.h"
#include "vmx/regs.h"

/* Exit qualification for EPT violations, SDM vol. 3, table 28-7. */
#define QUAL_WRITE	 BIT(1)
#define QUAL_EXEC	 BIT(2)
#define QUAL_LINEAR	 BIT(7)		/* the guest-linear-address field is valid */
#define QUAL_TRANSLATED	 BIT(8)		/* and was translated to the address that faulted; else a table did */
#define QUAL_NMI_UNBLOCK BIT(12)

/*
 * An IRET that faulted had ended blocking by NMI already, but will be executed again: block again (SDM vol. 3, 28.2.3).
 * Where the fault happened while an event was delivered the bit is undefined. Harmless when done twice.
 */
static void reblock_nmi(struct vtx_vcpu *vcpu, u64 qual)
{
	if (unlikely(qual & QUAL_NMI_UNBLOCK) && !(vtx_vmread32(IDT_VECTORING_INFO_FIELD) & VECTORING_INFO_VALID_MASK))
		vtx_set_nmi_blocked(vcpu, true);
}

int vtx_fast_ept_violation(struct vtx_vcpu *vcpu)
{
	u64 qual = vtx_qualification(vcpu);
	u64 gpa = vtx_vmread64(GUEST_PHYSICAL_ADDRESS);

	vtx_exit_note_ept(vcpu, qual, gpa);
	trace_kvm_page_fault(vcpu, gpa, qual);
	reblock_nmi(vcpu, qual);
	return vtx_ept_fault_fast(vcpu, gpa, qual & QUAL_WRITE, qual & QUAL_EXEC) ? VTX_EXIT_RESUME : VTX_EXIT_SLOW;
}

/* The IDT, a stack or a task's state lies where no memory is: the event can be delivered neither now nor later. */
static int delivery_failed(struct vtx_vcpu *vcpu, u64 gpa, u32 vectoring)
{
	u64 data[5] = { vectoring, vcpu->exit_reason, vtx_qualification(vcpu), gpa, vcpu->cpu };

	vtx_report_internal(vcpu, "Vector %u cannot be delivered: guest-physical address %#llx, which delivery needs, has no memory.",
			    vectoring & VECTORING_INFO_VECTOR_MASK, gpa);
	return vtx_exit_internal_error(vcpu, KVM_INTERNAL_ERROR_DELIVERY_EV, ARRAY_SIZE(data), data);
}

int vtx_exit_ept_violation(struct vtx_vcpu *vcpu)
{
	u64 qual = vtx_qualification(vcpu);
	u64 gpa = vtx_vmread64(GUEST_PHYSICAL_ADDRESS);
	struct vtx_fault_hint hint = {};
	u32 vectoring;
	int ret;

	reblock_nmi(vcpu, qual);
	ret = vtx_ept_fault(vcpu, gpa, qual & QUAL_WRITE, qual & QUAL_EXEC);
	if (ret == VTX_FAULT_RETRY) {
		vtx_livelock_ept(vcpu, gpa);
		return VTX_EXIT_RESUME;
	}
	if (ret < 0)
		return ret;
	vcpu->counts.pf_emulate++;
	vtx_exit_mmio(vcpu, gpa);

	vectoring = vtx_vmread32(IDT_VECTORING_INFO_FIELD);
	if (vectoring & VECTORING_INFO_VALID_MASK)
		return delivery_failed(vcpu, gpa, vectoring);
	if ((qual & QUAL_LINEAR) && (qual & QUAL_TRANSLATED) && !(qual & QUAL_EXEC)) {
		hint.valid = true;
		hint.mmio = ret == VTX_FAULT_MMIO;
		hint.access = qual & QUAL_WRITE ? VTX_WALK_WRITE : VTX_WALK_READ;
		hint.gva = vtx_vmreadl(GUEST_LINEAR_ADDRESS);
		hint.gpa = gpa;
	}
	ret = vtx_mmio_fast(vcpu, &hint);
	return ret == VTX_EXIT_SLOW ? vtx_emulate_fault(vcpu, &hint) : ret;
}

/* The processor's log of written pages is full; the write that had no place in it is made again. */
int vtx_fast_pml_full(struct vtx_vcpu *vcpu)
{
	reblock_nmi(vcpu, vtx_qualification(vcpu));
	vtx_pml_full(vcpu);
	return VTX_EXIT_RESUME;
}

/* vtx writes no entry that the processor calls misconfigured: memory under the EPT has been damaged, or the code is wrong. */
int vtx_exit_ept_misconfig(struct vtx_vcpu *vcpu)
{
	u64 gpa = vtx_vmread64(GUEST_PHYSICAL_ADDRESS);
	int level = 0;
	u64 entry = vtx_ept_entry(vcpu->vm, gpa, &level);

	vtx_vm_fail(vcpu->vm, vcpu, "EPT misconfiguration (SDM vol. 3, 29.3.3.1) at guest-physical address %#llx, entry %#llx at level %d",
		    gpa, entry, level);
	return -EIO;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exits of a virtualized local APIC (SDM vol. 3, chapter 30): what the processor leaves to software.
 */
#include <asm/vmx.h>
#include "exits/exits.h"
#include "exits/explain.h"
#include "irqchip/irqchip.h"
#include "trace/recorder.h"
#include "vmx/regs.h"

/* Exit qualification of an APIC-access exit, SDM vol. 3, table 28-6. */
#define QUAL_OFFSET 0xfffu

/* The guest wrote a register and the value is in the page: act on it. Trap-like: RIP is behind the instruction. */
int vtx_fast_apic_write(struct vtx_vcpu *vcpu)
{
	vtx_lapic_stored_write(vcpu, vtx_qualification(vcpu) & QUAL_OFFSET);
	return VTX_EXIT_RESUME;
}

/* The processor took an EOI that IOAPICs or the PIT wait for. Trap-like. */
int vtx_fast_eoi(struct vtx_vcpu *vcpu)
{
	vtx_lapic_eoi_exit(vcpu, vtx_qualification(vcpu));
	return VTX_EXIT_RESUME;
}

/*
 * An access that the processor does not virtualize: the timer's count, the PPR, undefined registers, unusual sizes; or all of them,
 * where the vCPU's APIC is not at this address. The address is MMIO, and emulated as such.
 */
int vtx_exit_apic_access(struct vtx_vcpu *vcpu)
{
	u64 gpa = VTX_LAPIC_DEFAULT_BASE | (vtx_qualification(vcpu) & QUAL_OFFSET);
	u32 vectoring = vtx_vmread32(IDT_VECTORING_INFO_FIELD);
	u64 data[5] = { vectoring, vcpu->exit_reason, vtx_qualification(vcpu), gpa, vcpu->cpu };

	vtx_exit_mmio(vcpu, gpa);
	if (vectoring & VECTORING_INFO_VALID_MASK) {
		vtx_report_internal(vcpu, "Vector %u cannot be delivered: guest-physical address %#llx, which delivery needs, is the local APIC.",
				    vectoring & VECTORING_INFO_VECTOR_MASK, gpa);
		return vtx_exit_internal_error(vcpu, KVM_INTERNAL_ERROR_DELIVERY_EV, ARRAY_SIZE(data), data);
	}
	return vtx_emulate(vcpu);
}

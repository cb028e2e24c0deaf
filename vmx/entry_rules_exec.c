// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules of VM entry: the VM-execution controls (SDM vol. 3, 27.2.1.1).
 */
#include "compat/pure.h"
#include "vmx/entry_rules.h"

#define EXEC "vol. 3, 27.2.1.1"

/* ------------------------------------------------------------------ conditions */

static bool has_secondary(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->proc & PROC_SECONDARY;
}

static bool io_bitmaps(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->proc & PROC_IO_BITMAPS;
}

static bool msr_bitmaps(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->proc & PROC_MSR_BITMAPS;
}

static bool tpr_shadow(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->proc & PROC_TPR_SHADOW;
}

static bool no_tpr_shadow(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return !tpr_shadow(s, r) && has_secondary(s, r);
}

static bool uses_threshold(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return tpr_shadow(s, r) && !(rule_proc2(s) & PROC2_VIRTUAL_INTR);
}

static bool compares_threshold(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return uses_threshold(s, r) && !(rule_proc2(s) & PROC2_APIC_ACCESSES) && s->vtpr_known;
}

static bool no_nmi_exiting(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return !(s->pin & PIN_NMI);
}

static bool no_virtual_nmis(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return !(s->pin & PIN_VIRTUAL_NMI);
}

static bool apic_accesses(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return rule_proc2(s) & PROC2_APIC_ACCESSES;
}

static bool virtual_intr(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return rule_proc2(s) & PROC2_VIRTUAL_INTR;
}

static bool posted(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->pin & PIN_POSTED;
}

static bool vpid(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return rule_proc2(s) & PROC2_VPID;
}

static bool ept(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return rule_proc2(s) & PROC2_EPT;
}

static bool no_ept(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return has_secondary(s, r) && !ept(s, r);
}

static bool pml(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return rule_proc2(s) & PROC2_PML;
}

static bool vm_functions(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return rule_proc2(s) & PROC2_VMFUNC;
}

#define VMFUNC_EPTP_SWITCHING BIT_ULL(0)

static bool eptp_switching(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return vm_functions(s, r) && (s->vmfunc_controls & VMFUNC_EPTP_SWITCHING);
}

static bool eptp_switching_no_ept(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return eptp_switching(s, r) && !ept(s, r);
}

static bool shadowing(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return rule_proc2(s) & PROC2_SHADOWING;
}

static bool virtualization_exceptions(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return rule_proc2(s) & PROC2_VE;
}

static bool tsc_scaling(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return (rule_proc2(s) & PROC2_TSC_SCALING) && (s->proc & BIT(3));
}

static bool pt_guest_physical(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return rule_proc2(s) & PROC2_PT_GUEST_PHYSICAL;
}

/* ------------------------------------------------------------------ tests */

/* The low half of a capability MSR has the bits that must be 1, the high half those that may be. */
static u64 control_msr(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	if (r->at == offsetof(struct vtx_entry_state, pin))
		return s->cpu.msrs.pin;
	if (r->at == offsetof(struct vtx_entry_state, proc))
		return s->cpu.msrs.proc;
	return s->cpu.msrs.proc2;
}

static bool must_be_one(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = (u32)control_msr(s, r);
	return !(*allowed & ~found);
}

static bool may_be_one(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = control_msr(s, r) >> 32;
	return !(found & ~*allowed);
}

static bool cr3_targets(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = (s->cpu.msrs.misc >> 16) & 0x1ff; /* IA32_VMX_MISC, SDM vol. 3, A.6 */
	return found <= *allowed;
}

static bool threshold_reached(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = s->vtpr >> 4;
	return (found & 15) <= *allowed;
}

/* The parts of an EPTP, SDM vol. 3, table 25-9; what is supported: IA32_VMX_EPT_VPID_CAP, A.10. */
static bool eptp_type(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	u64 cap = s->cpu.msrs.ept_vpid;

	*allowed = cap & BIT_ULL(14) ? 6 : 0;
	return ((found & 7) == 6 && (cap & BIT_ULL(14))) || ((found & 7) == 0 && (cap & BIT_ULL(8)));
}

static bool eptp_walk(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	u64 cap = s->cpu.msrs.ept_vpid, walk = (found >> 3) & 7;

	*allowed = 3 << 3;
	return (walk == 3 && (cap & BIT_ULL(6))) || (walk == 4 && (cap & BIT_ULL(7)));
}

static bool eptp_ad(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = s->cpu.msrs.ept_vpid & BIT_ULL(21) ? BIT_ULL(6) : 0;
	return !(found & BIT_ULL(6) & ~*allowed);
}

static bool eptp_reserved(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	u64 reserved = GENMASK_ULL(11, 8);

	if (!(s->cpu.msrs.ept_vpid & BIT_ULL(23))) /* supervisor shadow-stack pages */
		reserved |= BIT_ULL(7);
	*allowed = ~reserved;
	return !(found & reserved);
}

static bool vmfunc_supported(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = s->cpu.vmfunc;
	return !(found & ~*allowed);
}

/* ------------------------------------------------------------------ the table */

#define ROW(name, vmcs_field, member, condition, test, bits, sentence)                                             \
	{ .id = "control." name, .section = EXEC, .field = vmcs_field, .text = sentence, RULE_AT(member),          \
	  .when = condition, .ok = test, .mask = bits }

#define PIN "PIN_BASED_VM_EXEC_CONTROL"
#define PROC "CPU_BASED_VM_EXEC_CONTROL"
#define PROC2 "SECONDARY_VM_EXEC_CONTROL"
#define ALIGNED " must be 4-KByte aligned"
#define WIDTH " has bits above the physical-address width"

static const struct vtx_entry_rule rows[] = {
	ROW("pin.must-be-1", PIN, pin, NULL, must_be_one, 0, "A pin-based control that must be 1 on this processor is 0"),
	ROW("pin.must-be-0", PIN, pin, NULL, may_be_one, 0, "A pin-based control that this processor does not have is 1"),
	ROW("proc.must-be-1", PROC, proc, NULL, must_be_one, 0, "A primary control that must be 1 on this processor is 0"),
	ROW("proc.must-be-0", PROC, proc, NULL, may_be_one, 0, "A primary control that this processor does not have is 1"),
	ROW("proc2.must-be-1", PROC2, proc2, has_secondary, must_be_one, 0,
	    "A secondary control that must be 1 on this processor is 0"),
	ROW("proc2.must-be-0", PROC2, proc2, has_secondary, may_be_one, 0,
	    "A secondary control that this processor does not have is 1"),
	ROW("cr3-target-count", "CR3_TARGET_COUNT", cr3_target_count, NULL, cr3_targets, 0,
	    "There are fewer CR3-target values in this processor"),

	ROW("io-bitmap-a.aligned", "IO_BITMAP_A", io_bitmap_a, io_bitmaps, rule_zero, 0xfff, "I/O bitmap A" ALIGNED),
	ROW("io-bitmap-a.width", "IO_BITMAP_A", io_bitmap_a, io_bitmaps, rule_physical, 0, "I/O bitmap A" WIDTH),
	ROW("io-bitmap-b.aligned", "IO_BITMAP_B", io_bitmap_b, io_bitmaps, rule_zero, 0xfff, "I/O bitmap B" ALIGNED),
	ROW("io-bitmap-b.width", "IO_BITMAP_B", io_bitmap_b, io_bitmaps, rule_physical, 0, "I/O bitmap B" WIDTH),
	ROW("msr-bitmap.aligned", "MSR_BITMAP", msr_bitmap, msr_bitmaps, rule_zero, 0xfff, "The MSR bitmap" ALIGNED),
	ROW("msr-bitmap.width", "MSR_BITMAP", msr_bitmap, msr_bitmaps, rule_physical, 0, "The MSR bitmap's address" WIDTH),

	ROW("virtual-apic.aligned", "VIRTUAL_APIC_PAGE_ADDR", virtual_apic, tpr_shadow, rule_zero, 0xfff,
	    "The virtual-APIC page" ALIGNED),
	ROW("virtual-apic.width", "VIRTUAL_APIC_PAGE_ADDR", virtual_apic, tpr_shadow, rule_physical, 0,
	    "The virtual-APIC page's address" WIDTH),
	ROW("tpr-threshold.reserved", "TPR_THRESHOLD", tpr_threshold, uses_threshold, rule_zero, ~0xfULL,
	    "Bits 31:4 of the TPR threshold must be 0"),
	ROW("tpr-threshold.vtpr", "TPR_THRESHOLD", tpr_threshold, compares_threshold, threshold_reached, 0,
	    "The TPR threshold is above bits 7:4 of the virtual TPR"),

	ROW("nmi.virtual-without-exiting", PIN, pin, no_nmi_exiting, rule_zero, PIN_VIRTUAL_NMI,
	    "Virtual NMIs need NMI exiting"),
	ROW("nmi.window-without-virtual", PROC, proc, no_virtual_nmis, rule_zero, PROC_NMI_WINDOW,
	    "NMI-window exiting needs virtual NMIs"),

	ROW("apic-access.aligned", "APIC_ACCESS_ADDR", apic_access, apic_accesses, rule_zero, 0xfff,
	    "The APIC-access page" ALIGNED),
	ROW("apic-access.width", "APIC_ACCESS_ADDR", apic_access, apic_accesses, rule_physical, 0,
	    "The APIC-access page's address" WIDTH),
	ROW("x2apic.tpr-shadow", PROC2, proc2, no_tpr_shadow, rule_zero, PROC2_X2APIC,
	    "Virtualizing x2APIC mode needs the TPR shadow"),
	ROW("apic-registers.tpr-shadow", PROC2, proc2, no_tpr_shadow, rule_zero, PROC2_APIC_REGISTERS,
	    "APIC-register virtualization needs the TPR shadow"),
	ROW("virtual-intr.tpr-shadow", PROC2, proc2, no_tpr_shadow, rule_zero, PROC2_VIRTUAL_INTR,
	    "Virtual-interrupt delivery needs the TPR shadow"),
	ROW("x2apic.apic-accesses", PROC2, proc2, apic_accesses, rule_zero, PROC2_X2APIC,
	    "APIC accesses and x2APIC mode cannot both be virtualized"),
	ROW("virtual-intr.ext-intr-exiting", PIN, pin, virtual_intr, rule_set, PIN_EXT_INTR,
	    "Virtual-interrupt delivery needs external-interrupt exiting"),

	ROW("posted.virtual-intr", PROC2, proc2, posted, rule_set, PROC2_VIRTUAL_INTR,
	    "Posted interrupts need virtual-interrupt delivery"),
	ROW("posted.ack-intr", "VM_EXIT_CONTROLS", exit, posted, rule_set, EXIT_ACK_INTR,
	    "Posted interrupts need acknowledge interrupt on exit"),
	ROW("posted.vector", "POSTED_INTR_NV", pi_vector, posted, rule_max, 255,
	    "The posted-interrupt notification vector is above 255"),
	ROW("posted.desc-aligned", "POSTED_INTR_DESC_ADDR", pi_desc, posted, rule_zero, 0x3f,
	    "The posted-interrupt descriptor must be 64-byte aligned"),
	ROW("posted.desc-width", "POSTED_INTR_DESC_ADDR", pi_desc, posted, rule_physical, 0,
	    "The posted-interrupt descriptor's address" WIDTH),

	ROW("vpid.zero", "VIRTUAL_PROCESSOR_ID", vpid, vpid, rule_nonzero, 0xffff, "VPID 0 is the host's"),

	ROW("eptp.memory-type", "EPT_POINTER", eptp, ept, eptp_type, 0, "Bits 2:0 of the EPTP: no such memory type for EPT here"),
	ROW("eptp.walk-length", "EPT_POINTER", eptp, ept, eptp_walk, 0, "Bits 5:3 of the EPTP: no such page-walk length here"),
	ROW("eptp.ad", "EPT_POINTER", eptp, ept, eptp_ad, 0, "Bit 6 of the EPTP: this processor has no EPT accessed/dirty flags"),
	ROW("eptp.reserved", "EPT_POINTER", eptp, ept, eptp_reserved, 0, "Bits 11:7 of the EPTP are reserved"),
	ROW("eptp.width", "EPT_POINTER", eptp, ept, rule_physical, 0, "The EPTP" WIDTH),
	ROW("pml.ept", PROC2, proc2, no_ept, rule_zero, PROC2_PML, "The page-modification log needs EPT"),
	ROW("pml.aligned", "PML_ADDRESS", pml_address, pml, rule_zero, 0xfff, "The page-modification log" ALIGNED),
	ROW("pml.width", "PML_ADDRESS", pml_address, pml, rule_physical, 0, "The page-modification log's address" WIDTH),
	ROW("unrestricted-guest.ept", PROC2, proc2, no_ept, rule_zero, PROC2_UNRESTRICTED, "Unrestricted guest needs EPT"),
	ROW("mode-based-exec.ept", PROC2, proc2, no_ept, rule_zero, PROC2_MODE_BASED_EXEC,
	    "Mode-based execute control needs EPT"),

	ROW("pt.ept", PROC2, proc2, pt_guest_physical, rule_set, PROC2_EPT, "PT with guest-physical addresses needs EPT"),
	ROW("pt.entry-load", "VM_ENTRY_CONTROLS", entry, pt_guest_physical, rule_set, ENTRY_LOAD_RTIT,
	    "PT with guest-physical addresses needs load IA32_RTIT_CTL on entry"),
	ROW("pt.exit-clear", "VM_EXIT_CONTROLS", exit, pt_guest_physical, rule_set, EXIT_CLEAR_RTIT,
	    "PT with guest-physical addresses needs clear IA32_RTIT_CTL on exit"),

	ROW("vm-functions.reserved", "VM_FUNCTION_CONTROL", vmfunc_controls, vm_functions, vmfunc_supported, 0,
	    "A VM function that this processor does not have is enabled"),
	ROW("eptp-switching.ept", "VM_FUNCTION_CONTROL", vmfunc_controls, eptp_switching_no_ept, rule_never, 0,
	    "EPTP switching needs EPT"),
	ROW("eptp-list.aligned", "EPTP_LIST_ADDRESS", eptp_list, eptp_switching, rule_zero, 0xfff, "The EPTP list" ALIGNED),
	ROW("eptp-list.width", "EPTP_LIST_ADDRESS", eptp_list, eptp_switching, rule_physical, 0,
	    "The EPTP list's address" WIDTH),
	ROW("vmread-bitmap.aligned", "VMREAD_BITMAP", vmread_bitmap, shadowing, rule_zero, 0xfff, "The VMREAD bitmap" ALIGNED),
	ROW("vmread-bitmap.width", "VMREAD_BITMAP", vmread_bitmap, shadowing, rule_physical, 0,
	    "The VMREAD bitmap's address" WIDTH),
	ROW("vmwrite-bitmap.aligned", "VMWRITE_BITMAP", vmwrite_bitmap, shadowing, rule_zero, 0xfff,
	    "The VMWRITE bitmap" ALIGNED),
	ROW("vmwrite-bitmap.width", "VMWRITE_BITMAP", vmwrite_bitmap, shadowing, rule_physical, 0,
	    "The VMWRITE bitmap's address" WIDTH),
	ROW("ve-info.aligned", "VE_INFORMATION_ADDRESS", ve_info, virtualization_exceptions, rule_zero, 0xfff,
	    "The virtualization-exception information area" ALIGNED),
	ROW("ve-info.width", "VE_INFORMATION_ADDRESS", ve_info, virtualization_exceptions, rule_physical, 0,
	    "The address of the virtualization-exception area" WIDTH),
	ROW("tsc-multiplier.zero", "TSC_MULTIPLIER", tsc_multiplier, tsc_scaling, rule_nonzero, ~0ULL,
	    "The TSC multiplier is 0"),
};

const struct vtx_rule_table vtx_rules_exec = { rows, ARRAY_SIZE(rows), RULE_CONTROL };

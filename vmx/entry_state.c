// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the current VMCS into the plain structure of the entry rules.
 *
 * A VMREAD of a field that the processor does not have fails, so a field that only some processors have is read only when the
 * control that uses it is on and the processor has that control (SDM vol. 3, appendix B). No rule asks for it otherwise.
 */
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/vmx.h>
#include "irqchip/irqchip.h"
#include "vmx/entry_state.h"
#include "vmx/vcpu.h"

static struct vtx_entry_cpu this_cpu;

/* ------------------------------------------------------------------ the processor */

#define LEAF7_EBX_SGX BIT(2)
#define LEAF7_EBX_RTM BIT(11)
#define LEAF7_ECX_LA57 BIT(16)
#define EFER_KNOWN (EFER_SCE | EFER_LME | EFER_LMA)

/* CPUID leaf 0xA: how many counters there are (SDM vol. 3, 20.2.4). */
static u64 perf_global_valid(void)
{
	u32 eax, ebx, ecx, edx, general, fixed;

	if (boot_cpu_data.cpuid_level < 0xa)
		return 0;
	cpuid(0xa, &eax, &ebx, &ecx, &edx);
	general = min(eax >> 8 & 0xff, 32U);
	fixed = min(edx & 0x1f, 16U);
	return (BIT_ULL(general) - 1) | (BIT_ULL(fixed) - 1) << 32 | BIT_ULL(48);
}

void vtx_entry_state_setup(const struct vtx_msr_values *msrs)
{
	u32 eax, ebx = 0, ecx = 0, edx;

	if (boot_cpu_data.cpuid_level >= 7)
		cpuid_count(7, 0, &eax, &ebx, &ecx, &edx);
	this_cpu.msrs = *msrs;
	this_cpu.maxphyaddr = cpuid_eax(0x80000008) & 0xff;
	this_cpu.linear_bits = ecx & LEAF7_ECX_LA57 ? 57 : 48;
	this_cpu.sgx = ebx & LEAF7_EBX_SGX;
	this_cpu.rtm = ebx & LEAF7_EBX_RTM;
	this_cpu.long_mode = true; /* this is a 64-bit kernel */
	this_cpu.efer_valid = EFER_KNOWN | (boot_cpu_has(X86_FEATURE_NX) ? EFER_NX : 0);
	this_cpu.perf_global_valid = perf_global_valid();
	if (rdmsrl_safe(MSR_IA32_VMX_VMFUNC, &this_cpu.vmfunc))
		this_cpu.vmfunc = 0;
}

/* ------------------------------------------------------------------ the fields */

/* Encodings that not all supported kernels' headers name; SDM vol. 3, appendix B. */
enum {
	FIELD_VE_INFO = 0x202a,
	FIELD_GUEST_PKRS = 0x2818,
	FIELD_HOST_PKRS = 0x2c06,
	FIELD_GUEST_S_CET = 0x6828,
	FIELD_GUEST_SSP = 0x682a,
	FIELD_GUEST_SSP_TABLE = 0x682c,
	FIELD_HOST_S_CET = 0x6c18,
	FIELD_HOST_SSP = 0x6c1a,
	FIELD_HOST_SSP_TABLE = 0x6c1c,
};

/* Where the control is that a field exists with. */
enum word { ALWAYS, PIN, PROC, PROC2, EXIT, ENTRY };

struct field {
	u32 encoding;
	u16 at, size;
	u8 word;
	u32 control;
};

#define FIELD(vmcs, member) WITH(vmcs, member, ALWAYS, 0)
#define WITH(vmcs, member, where, bit) \
	{ vmcs, offsetof(struct vtx_entry_state, member), sizeof(((struct vtx_entry_state *)NULL)->member), where, bit }

/* The control words come first: the rows below look at them. */
static const struct field fields[] = {
	FIELD(PIN_BASED_VM_EXEC_CONTROL, pin),
	FIELD(CPU_BASED_VM_EXEC_CONTROL, proc),
	WITH(SECONDARY_VM_EXEC_CONTROL, proc2, PROC, PROC_SECONDARY),
	FIELD(VM_EXIT_CONTROLS, exit),
	FIELD(VM_ENTRY_CONTROLS, entry),

	FIELD(CR3_TARGET_COUNT, cr3_target_count),
	FIELD(IO_BITMAP_A, io_bitmap_a),
	FIELD(IO_BITMAP_B, io_bitmap_b),
	WITH(MSR_BITMAP, msr_bitmap, PROC, PROC_MSR_BITMAPS),
	WITH(VIRTUAL_APIC_PAGE_ADDR, virtual_apic, PROC, PROC_TPR_SHADOW),
	WITH(TPR_THRESHOLD, tpr_threshold, PROC, PROC_TPR_SHADOW),
	WITH(APIC_ACCESS_ADDR, apic_access, PROC2, PROC2_APIC_ACCESSES),
	WITH(POSTED_INTR_NV, pi_vector, PIN, PIN_POSTED),
	WITH(POSTED_INTR_DESC_ADDR, pi_desc, PIN, PIN_POSTED),
	WITH(VIRTUAL_PROCESSOR_ID, vpid, PROC2, PROC2_VPID),
	WITH(EPT_POINTER, eptp, PROC2, PROC2_EPT),
	WITH(PML_ADDRESS, pml_address, PROC2, PROC2_PML),
	WITH(VM_FUNCTION_CONTROL, vmfunc_controls, PROC2, PROC2_VMFUNC),
	WITH(EPTP_LIST_ADDRESS, eptp_list, PROC2, PROC2_VMFUNC),
	WITH(VMREAD_BITMAP, vmread_bitmap, PROC2, PROC2_SHADOWING),
	WITH(VMWRITE_BITMAP, vmwrite_bitmap, PROC2, PROC2_SHADOWING),
	WITH(FIELD_VE_INFO, ve_info, PROC2, PROC2_VE),
	WITH(TSC_MULTIPLIER, tsc_multiplier, PROC2, PROC2_TSC_SCALING),

	FIELD(VM_EXIT_MSR_STORE_COUNT, exit_store_count),
	FIELD(VM_EXIT_MSR_STORE_ADDR, exit_store_addr),
	FIELD(VM_EXIT_MSR_LOAD_COUNT, exit_load_count),
	FIELD(VM_EXIT_MSR_LOAD_ADDR, exit_load_addr),
	FIELD(VM_ENTRY_MSR_LOAD_COUNT, entry_load_count),
	FIELD(VM_ENTRY_MSR_LOAD_ADDR, entry_load_addr),
	FIELD(VM_ENTRY_INTR_INFO_FIELD, intr_info),
	FIELD(VM_ENTRY_EXCEPTION_ERROR_CODE, error_code),
	FIELD(VM_ENTRY_INSTRUCTION_LEN, insn_len),

	FIELD(HOST_CR0, host_cr0),
	FIELD(HOST_CR3, host_cr3),
	FIELD(HOST_CR4, host_cr4),
	FIELD(HOST_RIP, host_rip),
	FIELD(HOST_FS_BASE, host_fs_base),
	FIELD(HOST_GS_BASE, host_gs_base),
	FIELD(HOST_TR_BASE, host_tr_base),
	FIELD(HOST_GDTR_BASE, host_gdtr_base),
	FIELD(HOST_IDTR_BASE, host_idtr_base),
	FIELD(HOST_IA32_SYSENTER_ESP, host_sysenter_esp),
	FIELD(HOST_IA32_SYSENTER_EIP, host_sysenter_eip),
	FIELD(HOST_ES_SELECTOR, host_es),
	FIELD(HOST_CS_SELECTOR, host_cs),
	FIELD(HOST_SS_SELECTOR, host_ss),
	FIELD(HOST_DS_SELECTOR, host_ds),
	FIELD(HOST_FS_SELECTOR, host_fs),
	FIELD(HOST_GS_SELECTOR, host_gs),
	FIELD(HOST_TR_SELECTOR, host_tr),
	WITH(HOST_IA32_PAT, host_pat, EXIT, EXIT_LOAD_PAT),
	WITH(HOST_IA32_EFER, host_efer, EXIT, EXIT_LOAD_EFER),
	WITH(HOST_IA32_PERF_GLOBAL_CTRL, host_perf_global, EXIT, EXIT_LOAD_PERF),
	WITH(FIELD_HOST_PKRS, host_pkrs, EXIT, EXIT_LOAD_PKRS),
	WITH(FIELD_HOST_S_CET, host_s_cet, EXIT, EXIT_LOAD_CET),
	WITH(FIELD_HOST_SSP, host_ssp, EXIT, EXIT_LOAD_CET),
	WITH(FIELD_HOST_SSP_TABLE, host_ssp_table, EXIT, EXIT_LOAD_CET),

	FIELD(GUEST_CR0, cr0),
	FIELD(GUEST_CR3, cr3),
	FIELD(GUEST_CR4, cr4),
	FIELD(GUEST_DR7, dr7),
	FIELD(GUEST_RIP, rip),
	FIELD(GUEST_RFLAGS, rflags),
	FIELD(GUEST_IA32_DEBUGCTL, debugctl),
	FIELD(GUEST_SYSENTER_ESP, sysenter_esp),
	FIELD(GUEST_SYSENTER_EIP, sysenter_eip),
	WITH(GUEST_IA32_PAT, pat, ENTRY, ENTRY_LOAD_PAT),
	WITH(GUEST_IA32_EFER, efer, ENTRY, ENTRY_LOAD_EFER),
	WITH(GUEST_IA32_PERF_GLOBAL_CTRL, perf_global, ENTRY, ENTRY_LOAD_PERF),
	WITH(GUEST_BNDCFGS, bndcfgs, ENTRY, ENTRY_LOAD_BNDCFGS),
	WITH(FIELD_GUEST_PKRS, pkrs, ENTRY, ENTRY_LOAD_PKRS),
	WITH(FIELD_GUEST_S_CET, s_cet, ENTRY, ENTRY_LOAD_CET),
	WITH(FIELD_GUEST_SSP, ssp, ENTRY, ENTRY_LOAD_CET),
	WITH(FIELD_GUEST_SSP_TABLE, ssp_table, ENTRY, ENTRY_LOAD_CET),
	FIELD(GUEST_GDTR_BASE, gdtr_base),
	FIELD(GUEST_GDTR_LIMIT, gdtr_limit),
	FIELD(GUEST_IDTR_BASE, idtr_base),
	FIELD(GUEST_IDTR_LIMIT, idtr_limit),
	FIELD(GUEST_ACTIVITY_STATE, activity),
	FIELD(GUEST_INTERRUPTIBILITY_INFO, interruptibility),
	FIELD(GUEST_PENDING_DBG_EXCEPTIONS, pending_dbg),
	FIELD(VMCS_LINK_POINTER, link_pointer),
	WITH(GUEST_PDPTR0, pdpte[0], PROC2, PROC2_EPT),
	WITH(GUEST_PDPTR1, pdpte[1], PROC2, PROC2_EPT),
	WITH(GUEST_PDPTR2, pdpte[2], PROC2, PROC2_EPT),
	WITH(GUEST_PDPTR3, pdpte[3], PROC2, PROC2_EPT),
};

static u32 controls_on(const struct vtx_entry_state *s, enum word word)
{
	const struct vtx_msr_values *m = &s->cpu.msrs;

	switch (word) {
	case PIN:
		return s->pin & (u32)(m->pin >> 32);
	case PROC:
		return s->proc & (u32)(m->proc >> 32);
	case PROC2:
		return rule_proc2(s) & (u32)(m->proc2 >> 32);
	case EXIT:
		return s->exit & (u32)(m->exit >> 32);
	case ENTRY:
		return s->entry & (u32)(m->entry >> 32);
	default:
		return 0;
	}
}

static void read_field(struct vtx_entry_state *s, const struct field *field)
{
	void *place = (u8 *)s + field->at;
	u64 value;

	if (field->word != ALWAYS && !(controls_on(s, field->word) & field->control))
		return;
	value = vtx_vmread(field->encoding);
	switch (field->size) {
	case 2:
		*(u16 *)place = value;
		break;
	case 4:
		*(u32 *)place = value;
		break;
	default:
		*(u64 *)place = value;
	}
}

/* Four fields for each register, evenly spaced in the order of enum vtx_entry_seg_index. */
static void read_segment(struct vtx_entry_seg *seg, u32 i)
{
	seg->selector = vtx_vmread(GUEST_ES_SELECTOR + 2 * i);
	seg->base = vtx_vmread(GUEST_ES_BASE + 2 * i);
	seg->limit = vtx_vmread(GUEST_ES_LIMIT + 2 * i);
	seg->ar = vtx_vmread(GUEST_ES_AR_BYTES + 2 * i);
}

void vtx_entry_state_read(struct vtx_vcpu *vcpu, struct vtx_entry_state *s)
{
	u32 i;

	memset(s, 0, sizeof(*s));
	s->cpu = this_cpu;
	for (i = 0; i < ARRAY_SIZE(fields); i++)
		read_field(s, &fields[i]);
	for (i = 0; i < E_NR_SEGS; i++)
		read_segment(&s->seg[i], i);
	s->current_vmcs = vcpu->vmcs.phys;
	s->vtpr_known = vcpu->apic && (controls_on(s, PROC) & PROC_TPR_SHADOW);
	if (s->vtpr_known)
		s->vtpr = vtx_lapic_get(&vcpu->apic->lapic, VTX_LAPIC_TPR);
}

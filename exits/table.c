// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of VM exits: a row for each basic exit reason of SDM vol. 3, appendix C.
 *
 * A row without handlers is an exit that cannot happen, because the control that asks for it is off; if it comes nevertheless
 * the VM stops and says so. Names are those of asm/vmx.h where it has one, else the manual's.
 */
#include <asm/vmx.h>
#include "exits/exits.h"

#define ROW(reason, fast_fn, slow_fn) [EXIT_REASON_##reason] = { #reason, fast_fn, slow_fn }
#define NAMED(number, text, fast_fn, slow_fn) [number] = { text, fast_fn, slow_fn }
#define NEVER(reason) ROW(reason, NULL, NULL)
#define RESERVED(n) [n] = { "RESERVED_" #n, NULL, NULL }

const struct vtx_exit_row vtx_exit_table[VTX_NR_EXIT_REASONS] = {
	ROW(EXCEPTION_NMI, vtx_fast_exception_nmi, vtx_exit_exception_nmi),
	ROW(EXTERNAL_INTERRUPT, vtx_fast_resume, vtx_fast_resume),
	ROW(TRIPLE_FAULT, NULL, vtx_exit_triple_fault),
	NEVER(INIT_SIGNAL),
	NEVER(SIPI_SIGNAL),
	NAMED(5, "IO_SMI", NULL, NULL),
	NAMED(6, "OTHER_SMI", NULL, NULL),
	ROW(INTERRUPT_WINDOW, vtx_fast_irq_window, vtx_fast_window),
	ROW(NMI_WINDOW, vtx_fast_window, vtx_fast_window),
	ROW(TASK_SWITCH, NULL, vtx_exit_task_switch),
	ROW(CPUID, vtx_fast_cpuid, vtx_exit_cpuid),
	NAMED(11, "GETSEC", vtx_fast_ud, vtx_fast_ud),
	ROW(HLT, NULL, vtx_exit_hlt),
	ROW(INVD, vtx_fast_nop, vtx_fast_nop),
	ROW(INVLPG, NULL, vtx_exit_invlpg),
	ROW(RDPMC, vtx_fast_gp, vtx_fast_gp),
	NEVER(RDTSC),
	NAMED(17, "RSM", vtx_fast_ud, vtx_fast_ud),
	ROW(VMCALL, vtx_fast_vmcall, vtx_exit_vmcall),
	ROW(VMCLEAR, vtx_fast_ud, vtx_fast_ud),
	ROW(VMLAUNCH, vtx_fast_ud, vtx_fast_ud),
	ROW(VMPTRLD, vtx_fast_ud, vtx_fast_ud),
	ROW(VMPTRST, vtx_fast_ud, vtx_fast_ud),
	ROW(VMREAD, vtx_fast_ud, vtx_fast_ud),
	ROW(VMRESUME, vtx_fast_ud, vtx_fast_ud),
	ROW(VMWRITE, vtx_fast_ud, vtx_fast_ud),
	ROW(VMOFF, vtx_fast_ud, vtx_fast_ud),
	ROW(VMON, vtx_fast_ud, vtx_fast_ud),
	ROW(CR_ACCESS, NULL, vtx_exit_cr_access),
	ROW(DR_ACCESS, NULL, vtx_exit_dr_access),
	ROW(IO_INSTRUCTION, vtx_fast_io, vtx_exit_io),
	ROW(MSR_READ, vtx_fast_rdmsr, vtx_exit_rdmsr),
	ROW(MSR_WRITE, vtx_fast_wrmsr, vtx_exit_wrmsr),
	NEVER(INVALID_STATE),	/* this and the next come with bit 31: vtx_handle_exit() has seen to them */
	NEVER(MSR_LOAD_FAIL),
	RESERVED(35),
	ROW(MWAIT_INSTRUCTION, vtx_fast_monitor, vtx_fast_monitor),
	NEVER(MONITOR_TRAP_FLAG),
	RESERVED(38),
	ROW(MONITOR_INSTRUCTION, vtx_fast_monitor, vtx_fast_monitor),
	ROW(PAUSE_INSTRUCTION, NULL, vtx_exit_pause),
	NEVER(MCE_DURING_VMENTRY),
	RESERVED(42),
	ROW(TPR_BELOW_THRESHOLD, vtx_fast_window, vtx_fast_window),
	ROW(APIC_ACCESS, NULL, vtx_exit_apic_access),
	ROW(EOI_INDUCED, vtx_fast_eoi, vtx_fast_eoi),
	NEVER(GDTR_IDTR),
	NEVER(LDTR_TR),
	ROW(EPT_VIOLATION, vtx_fast_ept_violation, vtx_exit_ept_violation),
	ROW(EPT_MISCONFIG, NULL, vtx_exit_ept_misconfig),
	ROW(INVEPT, vtx_fast_ud, vtx_fast_ud),
	NEVER(RDTSCP),
	ROW(PREEMPTION_TIMER, vtx_fast_preemption_timer, vtx_fast_preemption_timer),
	ROW(INVVPID, vtx_fast_ud, vtx_fast_ud),
	ROW(WBINVD, vtx_fast_nop, vtx_fast_nop),
	ROW(XSETBV, NULL, vtx_exit_xsetbv),
	ROW(APIC_WRITE, vtx_fast_apic_write, vtx_fast_apic_write),
	NEVER(RDRAND),
	NEVER(INVPCID),
	ROW(VMFUNC, vtx_fast_ud, vtx_fast_ud),
	ROW(ENCLS, vtx_fast_ud, vtx_fast_ud),
	NEVER(RDSEED),
	ROW(PML_FULL, vtx_fast_pml_full, vtx_fast_pml_full),
	ROW(XSAVES, vtx_fast_ud, vtx_fast_ud),
	ROW(XRSTORS, vtx_fast_ud, vtx_fast_ud),
	NAMED(65, "PCONFIG", vtx_fast_ud, vtx_fast_ud),
	NAMED(66, "SPP_EVENT", NULL, NULL),
	ROW(UMWAIT, vtx_fast_ud, vtx_fast_ud),
	ROW(TPAUSE, vtx_fast_ud, vtx_fast_ud),
	NAMED(69, "LOADIWKEY", vtx_fast_ud, vtx_fast_ud),
	NAMED(70, "ENCLV", vtx_fast_ud, vtx_fast_ud),
	RESERVED(71),
	NAMED(72, "ENQCMD_PASID", NULL, NULL),
	NAMED(73, "ENQCMDS_PASID", NULL, NULL),
	NEVER(BUS_LOCK),
	NEVER(NOTIFY),
};

static_assert(ARRAY_SIZE(vtx_exit_table) == EXIT_REASON_NOTIFY + 1);

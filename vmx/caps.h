/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the processor can do: a pure decision over the values of the VMX capability MSRs (SDM vol. 3, appendix A).
 */
#ifndef VTX_VMX_CAPS_H
#define VTX_VMX_CAPS_H

#include "compat/pure.h"

/* Everything the decision looks at; recorded from a CPU or made up by a test. */
struct vtx_msr_values {
	bool cpuid_vmx;			/* CPUID.1:ECX.VMX */
	u64 feature_control;		/* IA32_FEATURE_CONTROL */
	u64 basic;			/* IA32_VMX_BASIC */
	u64 pin, proc, proc2, exit, entry;	/* control MSRs, the TRUE ones where BASIC says they exist */
	u64 misc;
	u64 cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
	u64 ept_vpid;			/* IA32_VMX_EPT_VPID_CAP */
};

/* Module parameters that switch optional features off. */
struct vtx_wishes {
	bool vpid, ept_ad, large_pages, tsc_scaling, ple, preemption_timer, pml, tpr_shadow, apicv;
	bool apicv_forced;		/* also where posted interrupts are missing, see decide_apic() */
};

enum vtx_apicv_why { VTX_APICV_ON, VTX_APICV_UNWANTED, VTX_APICV_LACKING, VTX_APICV_INCOMPLETE };

/* The decision. */
struct vtx_caps {
	u32 vmcs_revision;
	u32 vmcs_size;
	u32 pin, proc, proc2, exit, entry;	/* values to start a VMCS from, required and optional bits in */
	u32 proc_allowed1, proc2_allowed1;	/* what may be set later (windows, TPR shadow) */
	u64 cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
	bool vpid, ept_ad, ept_2m, ept_1g, ept_exec_only, tsc_scaling, invpcid, rdtscp, xsaves, virtual_nmi, umip;
	bool ple;
	bool pml;			/* switched on while a slot logs (ept/pml.c) */
	bool invept_single, invvpid_single, invvpid_addr;
	bool preemption_timer;
	u8 preemption_rate;		/* it counts down each time that this bit of the TSC changes */
	bool tpr_shadow;		/* CR8 without exits */
	bool apicv, apicv_x2apic;	/* the processor delivers virtual interrupts; also in x2APIC mode */
	u8 apicv_why;			/* enum vtx_apicv_why: ... or why not */
	u64 eptp_bits;			/* memory type and walk length for an EPTP */
};

/*
 * Return NULL and fill @caps, or the name and meaning of the first thing that is missing, e.g.
 * "unrestricted guest (secondary processor-based control, bit 7)".
 */
const char *vtx_caps_decide(const struct vtx_msr_values *msrs, const struct vtx_wishes *wishes, struct vtx_caps *caps);

extern struct vtx_caps vtx_caps;

/* ------------------------------------------------------------------ the table of control bits (vmx/controls_table.c) */

enum vtx_control_word {
	VTX_WORD_PIN,
	VTX_WORD_PROC,
	VTX_WORD_PROC2,
	VTX_WORD_EXIT,
	VTX_WORD_ENTRY,
	VTX_WORD_EPT_VPID,	/* capability bits, no controls */
};

enum vtx_control_use {
	VTX_USE_UNUSED,
	VTX_USE_WANTED,		/* used where it is there */
	VTX_USE_NEEDED,		/* without it vtx does not load */
	VTX_USE_LATER,		/* needed, but 0 in the value a VMCS starts with */
	VTX_USE_OFF,		/* must be possible to leave 0 */
};

struct vtx_control {
	u8 word;		/* enum vtx_control_word */
	u8 bit;
	u8 use;			/* enum vtx_control_use */
	const char *name;
	const char *missing;	/* name, word and bit: what a refusal says */
};

extern const struct vtx_control vtx_controls[];
extern const unsigned int vtx_nr_controls;

u64 vtx_control_word(const struct vtx_msr_values *m, enum vtx_control_word word);
bool vtx_control_present(const struct vtx_msr_values *m, const struct vtx_control *c);	/* may be 1 */
bool vtx_control_forced(const struct vtx_msr_values *m, const struct vtx_control *c);	/* can't be 0 */

/* Fills @m from the MSRs that @read returns (0 for one that does not exist). Reads none without VMX. */
void vtx_caps_collect(struct vtx_msr_values *m, bool cpuid_vmx, u64 (*read)(u32 msr, void *data), void *data);

#endif /* VTX_VMX_CAPS_H */

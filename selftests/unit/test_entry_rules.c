// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules of VM entry: from states that break none, one field is spoilt at a time, and exactly the rule of the row must say so.
 * Every rule has a row.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>
#include "vmx/entry_rules.h"

#define MANY 64
#define PHYS 39
#define TOO_HIGH BIT_ULL(50)	/* as a physical address, and not canonical either */
#define NOT_CANONICAL BIT_ULL(50)

/* ------------------------------------------------------------------ states that break no rule */

/* The Skylake-X model of the test machine, with what vtx turns on. */
static void cpu(struct vtx_entry_cpu *c)
{
	*c = (struct vtx_entry_cpu){
		.msrs = {
			.basic = 0x00d810000000002bULL | BIT_ULL(55), .pin = 0x000000ff00000016ULL,
			.proc = 0xfff9fffe04006172ULL, .proc2 = 0x0237ffff00000000ULL, .exit = 0x007fffff00036dfbULL,
			.entry = 0x0000ffff000011fbULL, .misc = 0x401e0ULL | 4 << 16, .cr0_fixed0 = 0x80000021,
			.cr0_fixed1 = 0xffffffff, .cr4_fixed0 = 0x2000, .cr4_fixed1 = 0x3767ff,
			.ept_vpid = 0x00000f0106734141ULL,
		},
		.vmfunc = 1, .efer_valid = 0xd01, .perf_global_valid = 0x70000000fULL, .maxphyaddr = PHYS, .linear_bits = 48,
		.long_mode = true,
	};
}

static void host(struct vtx_entry_state *s)
{
	s->host_cr0 = 0x80050033;
	s->host_cr3 = 0x1000;
	s->host_cr4 = 0x3626f0;
	s->host_rip = 0xffffffff81000000ULL;
	s->host_fs_base = 0x7fff00000000ULL;
	s->host_gs_base = s->host_tr_base = s->host_gdtr_base = s->host_idtr_base = 0xffff888000000000ULL;
	s->host_sysenter_esp = s->host_sysenter_eip = 0xfffffe0000000000ULL;
	s->host_pat = 0x0007040600070406ULL;
	s->host_efer = 0xd01;
	s->host_cs = 0x10;
	s->host_ss = 0x18;
	s->host_tr = 0x40;
}

static void segments(struct vtx_entry_state *s, u32 code, u32 data)
{
	for (int i = E_ES; i <= E_GS; i++)
		s->seg[i] = (struct vtx_entry_seg){ .limit = 0xffffffff, .ar = i == E_CS ? code : data,
	    .selector = i == E_CS ? 8 : 16 };
	s->seg[E_LDTR] = (struct vtx_entry_seg){ .limit = 0x37, .ar = 0x82, .selector = 0x48 };
	s->seg[E_TR] = (struct vtx_entry_seg){ .limit = 0x67, .ar = 0x8b, .selector = 0x40 };
}

static void longmode(struct vtx_entry_state *s)
{
	memset(s, 0, sizeof(*s));
	cpu(&s->cpu);
	s->pin = 0x3f;
	s->proc = 0xb5186dfa & ~PROC_TPR_SHADOW & 0xfff9fffe;
	s->proc |= 0x04006172 | PROC_MSR_BITMAPS | PROC_SECONDARY;
	s->proc &= ~(PROC_IO_BITMAPS | PROC_NMI_WINDOW);
	s->proc2 = PROC2_EPT | PROC2_VPID | PROC2_UNRESTRICTED;
	s->exit = 0x36dfb | EXIT_HOST_64 | EXIT_LOAD_PAT | EXIT_LOAD_EFER;
	s->entry = 0x11fb | ENTRY_LOAD_DEBUG | ENTRY_GUEST_64 | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER;
	s->msr_bitmap = 0x4000;
	s->eptp = 0x6000 | 6 | 3 << 3 | BIT(6);
	s->vpid = 1;
	s->current_vmcs = 0x5000;
	host(s);
	s->cr0 = 0x80010031;
	s->cr3 = 0x10000;
	s->cr4 = 0x2020;
	s->dr7 = 0x400;
	s->rip = 0x400000;
	s->rflags = 0x202;
	s->pat = 0x0007040600070406ULL;
	s->efer = 0x500;
	segments(s, 0xa09b, 0xc093);
	s->gdtr_limit = s->idtr_limit = 0xffff;
	s->link_pointer = ~0ULL;
}

static void restricted(struct vtx_entry_state *s)
{
	longmode(s);
	s->proc2 &= ~PROC2_UNRESTRICTED;
}

static void restricted_conforming(struct vtx_entry_state *s)
{
	restricted(s);
	s->seg[E_CS].ar |= 4;
}

static void pae(struct vtx_entry_state *s)
{
	longmode(s);
	s->entry &= ~ENTRY_GUEST_64;
	s->efer = 0;
	segments(s, 0xc09b, 0xc093);
	for (int i = 0; i < 4; i++)
		s->pdpte[i] = 0x20001 + 0x1000 * i;
}

static void real(struct vtx_entry_state *s)
{
	pae(s);
	s->cr0 = 0x30;
	s->cr4 = 0x2000;
	for (int i = E_ES; i <= E_GS; i++)
		s->seg[i] = (struct vtx_entry_seg){ .limit = 0xffff, .ar = 0x93, .selector = 0 };
}

static void v86(struct vtx_entry_state *s)
{
	pae(s);
	s->rflags |= RULE_RFLAGS_VM;
	for (int i = E_ES; i <= E_GS; i++)
		s->seg[i] = (struct vtx_entry_seg){ .limit = 0xffff, .ar = 0xf3, .selector = 0x1000, .base = 0x10000 };
}

/* Protected mode with a data segment in CS, as on the way out of real mode. */
static void cs_data(struct vtx_entry_state *s)
{
	real(s);
	s->cr0 |= RULE_CR0_PE;
}

static void conforming(struct vtx_entry_state *s)
{
	longmode(s);
	s->seg[E_CS].ar |= 4;
}

static void code_everywhere(struct vtx_entry_state *s)
{
	longmode(s);
	for (int i = E_DS; i <= E_GS; i++)
		s->seg[i].ar = 0xc09b;
	s->seg[E_ES].ar = 0xc09b;
}

/* The host's rules about 64 bits, one at a time. */
static void low_host(struct vtx_entry_state *s)
{
	longmode(s);
	s->exit &= ~EXIT_LOAD_EFER;
	s->host_rip = 0x81000000;
	s->host_cr4 &= ~RULE_CR4_PCIDE;
}

static void host32(struct vtx_entry_state *s)
{
	pae(s);
	s->cpu.long_mode = false;
	s->exit &= ~(EXIT_HOST_64 | EXIT_LOAD_EFER);
	s->entry &= ~ENTRY_LOAD_EFER;
	s->host_rip = 0x81000000;
	s->host_cr4 &= ~RULE_CR4_PCIDE;
}

/* A processor that has everything. */
static void anything(struct vtx_entry_state *s)
{
	longmode(s);
	s->cpu.msrs.pin |= 0xffffffffULL << 32;
	s->cpu.msrs.proc |= 0xffffffffULL << 32;
	s->cpu.msrs.proc2 |= 0xffffffffULL << 32;
	s->cpu.msrs.exit |= 0xffffffffULL << 32;
	s->cpu.msrs.entry |= 0xffffffffULL << 32;
	s->cpu.msrs.cr4_fixed1 |= RULE_CR4_CET;
}

static void forced(struct vtx_entry_state *s)
{
	longmode(s);
	s->cpu.msrs.proc2 |= BIT(3);
	s->proc2 |= BIT(3);
}

static void everything(struct vtx_entry_state *s)
{
	anything(s);
	s->pin |= PIN_POSTED | PIN_PREEMPTION_TIMER;
	s->proc |= PROC_TPR_SHADOW | PROC_IO_BITMAPS | BIT(3);
	s->proc2 |= PROC2_APIC_ACCESSES | PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTR | PROC2_VMFUNC | PROC2_SHADOWING | PROC2_PML |
		    PROC2_VE | PROC2_MODE_BASED_EXEC | PROC2_PT_GUEST_PHYSICAL | PROC2_TSC_SCALING;
	s->exit |= EXIT_ACK_INTR | EXIT_CLEAR_RTIT | EXIT_LOAD_PERF | EXIT_LOAD_CET | EXIT_LOAD_PKRS | EXIT_SAVE_TIMER;
	s->entry |= ENTRY_LOAD_RTIT | ENTRY_LOAD_BNDCFGS | ENTRY_LOAD_CET | ENTRY_LOAD_PKRS | ENTRY_LOAD_PERF;
	s->exit_store_count = s->exit_load_count = s->entry_load_count = 2;
	s->tsc_multiplier = 1;
	s->vmfunc_controls = 1;
	s->host_cr4 |= RULE_CR4_CET;
	s->cr4 |= RULE_CR4_CET;
}

static void everything_32(struct vtx_entry_state *s)
{
	everything(s);
	s->entry &= ~ENTRY_GUEST_64;
	s->efer = 0;
	segments(s, 0xc09b, 0xc093);
}

static void tpr(struct vtx_entry_state *s)
{
	anything(s);
	s->proc |= PROC_TPR_SHADOW;
	s->proc2 |= PROC2_APIC_ACCESSES;
}

static void tpr_compared(struct vtx_entry_state *s)
{
	tpr(s);
	s->proc2 &= ~PROC2_APIC_ACCESSES;
	s->tpr_threshold = 5;
	s->vtpr = 0x5f;
	s->vtpr_known = true;
}

static void no_virtual_nmi(struct vtx_entry_state *s)
{
	longmode(s);
	s->pin &= ~PIN_VIRTUAL_NMI;
}

static void no_ept_ad(struct vtx_entry_state *s)
{
	longmode(s);
	s->cpu.msrs.ept_vpid &= ~BIT_ULL(21);
	s->eptp &= ~BIT_ULL(6);
}

static void no_ept(struct vtx_entry_state *s)
{
	anything(s);
	s->proc2 = PROC2_VPID;
}

static void vm_functions(struct vtx_entry_state *s)
{
	no_ept(s);
	s->proc2 |= PROC2_VMFUNC;
}

static void pt_and_ept(struct vtx_entry_state *s)
{
	everything(s);
	s->pin &= ~(PIN_POSTED | PIN_PREEMPTION_TIMER);
	s->exit &= ~EXIT_SAVE_TIMER;
	s->proc &= ~PROC_TPR_SHADOW;
	s->proc2 = PROC2_EPT | PROC2_PT_GUEST_PHYSICAL;
}

static void inject(struct vtx_entry_state *s, u32 type, u32 vector)
{
	s->intr_info = RULE_INTR_VALID | type << 8 | vector;
}

static void inject_irq(struct vtx_entry_state *s)
{
	longmode(s);
	inject(s, RULE_EXT_INTR, 0x30);
}

static void inject_nmi(struct vtx_entry_state *s)
{
	longmode(s);
	inject(s, RULE_NMI, 2);
}

static void inject_nmi_refused(struct vtx_entry_state *s)
{
	inject_nmi(s);
	s->refused = true;
}

static void inject_ud(struct vtx_entry_state *s)
{
	longmode(s);
	inject(s, RULE_HARD_EXCEPTION, 6);
}

static void inject_gp(struct vtx_entry_state *s)
{
	longmode(s);
	inject(s, RULE_HARD_EXCEPTION, 13);
	s->intr_info |= RULE_INTR_ERROR;
}

static void inject_gp_real(struct vtx_entry_state *s)
{
	real(s);
	inject(s, RULE_HARD_EXCEPTION, 13);
}

static void inject_int(struct vtx_entry_state *s)
{
	longmode(s);
	inject(s, RULE_SOFT_INTR, 0x80);
	s->insn_len = 2;
}

static void inject_mtf(struct vtx_entry_state *s)
{
	longmode(s);
	inject(s, RULE_OTHER, 0);
}

static void no_hlt_state(struct vtx_entry_state *s)
{
	longmode(s);
	s->cpu.msrs.misc &= ~BIT_ULL(6);
}

static void hlt_conforming(struct vtx_entry_state *s)
{
	conforming(s);
	s->activity = 1;
}

static void hlt_irq(struct vtx_entry_state *s)
{
	inject_irq(s);
	s->activity = 1;
}

static void shutdown_nmi(struct vtx_entry_state *s)
{
	inject_nmi(s);
	s->activity = 2;
}

static void wait_for_sipi(struct vtx_entry_state *s)
{
	longmode(s);
	s->activity = 3;
}

static void after_sti(struct vtx_entry_state *s)
{
	longmode(s);
	s->interruptibility = 1;
}

static void stepping_after_sti(struct vtx_entry_state *s)
{
	after_sti(s);
	s->rflags |= RULE_RFLAGS_TF;
	s->pending_dbg = BIT_ULL(14);
}

static void enclave(struct vtx_entry_state *s)
{
	longmode(s);
	s->cpu.sgx = true;
	s->interruptibility = 16;
}

static void rtm(struct vtx_entry_state *s)
{
	longmode(s);
	s->cpu.rtm = true;
	s->pending_dbg = BIT_ULL(16) | BIT_ULL(12);
}

static void linked(struct vtx_entry_state *s)
{
	longmode(s);
	s->link_pointer = 0x7000;
	s->link_revision_known = true;
	s->link_revision = 0x2b;
}

static void linked_shadow(struct vtx_entry_state *s)
{
	linked(s);
	s->proc2 |= PROC2_SHADOWING;
	s->link_revision |= BIT(31);
}

/* ------------------------------------------------------------------ the table */

enum op { SET, OR, CLEAR };

struct row {
	const char *id;
	void (*start)(struct vtx_entry_state *s);
	size_t at, size;
	enum op op;
	u64 value;
};

#define ROW(name, base, member, how, what) \
	{ name, base, offsetof(struct vtx_entry_state, member), sizeof(((struct vtx_entry_state *)NULL)->member), how, what }
#define C(name, ...) ROW("control." name, __VA_ARGS__)
#define H(name, ...) ROW("host." name, __VA_ARGS__)
#define G(name, ...) ROW("guest." name, __VA_ARGS__)
#define PAGE(name, base, member) C(name ".aligned", base, member, OR, 0x800), C(name ".width", base, member, OR, TOO_HIGH)
#define AREA(name, member)                                                                           \
	C(name ".aligned", everything, member, OR, 8), C(name ".width", everything, member, SET, TOO_HIGH), \
	C(name ".end", everything, member, SET, BIT_ULL(PHYS) - 16)

#define SEG(REG, reg, name, base, member, how, what) G(#reg "." name, base, seg[E_##REG].member, how, what)
/* What all code and data segments have. */
#define SEGMENT(REG, reg)                                                                                            \
	SEG(REG, reg, "v86-base", v86, base, SET, 0x20000), SEG(REG, reg, "v86-limit", v86, limit, SET, 0xfffff),    \
	SEG(REG, reg, "v86-rights", v86, ar, SET, 0x40f3), SEG(REG, reg, "system", longmode, ar, CLEAR, 0x10),       \
	SEG(REG, reg, "present", longmode, ar, CLEAR, 0x80), SEG(REG, reg, "reserved", longmode, ar, OR, 0x400),     \
	SEG(REG, reg, "reserved-high", longmode, ar, OR, BIT(25)),                                                   \
	SEG(REG, reg, "limit-granular", longmode, limit, CLEAR, 1),                                                  \
	SEG(REG, reg, "limit-bytes", longmode, ar, CLEAR, 0x8000)
#define DATA(REG, reg)                                                                                               \
	SEG(REG, reg, "accessed", longmode, ar, CLEAR, 1), SEG(REG, reg, "readable", code_everywhere, ar, CLEAR, 2), \
	SEG(REG, reg, "dpl", restricted, selector, OR, 3)
#define SYSTEM(REG, reg)                                                                                             \
	SEG(REG, reg, "ti", longmode, selector, OR, 4), SEG(REG, reg, "base-canonical", longmode, base, OR, NOT_CANONICAL), \
	SEG(REG, reg, "system", longmode, ar, OR, 0x10), SEG(REG, reg, "present", longmode, ar, CLEAR, 0x80),        \
	SEG(REG, reg, "reserved", longmode, ar, OR, 0x100), SEG(REG, reg, "reserved-high", longmode, ar, OR, BIT(31)), \
	SEG(REG, reg, "limit-bytes", longmode, limit, OR, BIT(20)),                                                  \
	SEG(REG, reg, "limit-granular", longmode, ar, OR, 0x8000)

static const struct row table[] = {
	C("pin.must-be-1", longmode, pin, CLEAR, 2), C("pin.must-be-0", longmode, pin, OR, BIT(8)),
	C("proc.must-be-1", longmode, proc, CLEAR, 2), C("proc.must-be-0", longmode, proc, OR, BIT(17)),
	C("proc2.must-be-1", forced, proc2, CLEAR, BIT(3)), C("proc2.must-be-0", longmode, proc2, OR, BIT(31)),
	C("cr3-target-count", longmode, cr3_target_count, SET, 5),
	PAGE("io-bitmap-a", everything, io_bitmap_a), PAGE("io-bitmap-b", everything, io_bitmap_b),
	PAGE("msr-bitmap", longmode, msr_bitmap), PAGE("virtual-apic", everything, virtual_apic),
	C("tpr-threshold.reserved", tpr, tpr_threshold, SET, 0x10),
	C("tpr-threshold.vtpr", tpr_compared, tpr_threshold, SET, 6),
	C("nmi.virtual-without-exiting", longmode, pin, CLEAR, PIN_NMI),
	C("nmi.window-without-virtual", no_virtual_nmi, proc, OR, PROC_NMI_WINDOW),
	PAGE("apic-access", everything, apic_access), C("x2apic.tpr-shadow", anything, proc2, OR, PROC2_X2APIC),
	C("apic-registers.tpr-shadow", anything, proc2, OR, PROC2_APIC_REGISTERS),
	C("virtual-intr.tpr-shadow", anything, proc2, OR, PROC2_VIRTUAL_INTR),
	C("x2apic.apic-accesses", tpr, proc2, OR, PROC2_X2APIC),
	C("virtual-intr.ext-intr-exiting", everything, pin, CLEAR, PIN_EXT_INTR),
	C("posted.virtual-intr", everything, proc2, CLEAR, PROC2_VIRTUAL_INTR),
	C("posted.ack-intr", everything, exit, CLEAR, EXIT_ACK_INTR),
	C("posted.vector", everything, pi_vector, SET, 256), C("posted.desc-aligned", everything, pi_desc, OR, 0x20),
	C("posted.desc-width", everything, pi_desc, OR, TOO_HIGH), C("vpid.zero", longmode, vpid, SET, 0),
	C("eptp.memory-type", longmode, eptp, CLEAR, 2), C("eptp.walk-length", longmode, eptp, OR, 0x20),
	C("eptp.ad", no_ept_ad, eptp, OR, BIT(6)), C("eptp.reserved", longmode, eptp, OR, BIT(7)),
	C("eptp.width", longmode, eptp, OR, TOO_HIGH),
	C("pml.ept", no_ept, proc2, OR, PROC2_PML), PAGE("pml", everything, pml_address),
	C("unrestricted-guest.ept", no_ept, proc2, OR, PROC2_UNRESTRICTED),
	C("mode-based-exec.ept", no_ept, proc2, OR, PROC2_MODE_BASED_EXEC),
	C("pt.ept", pt_and_ept, proc2, CLEAR, PROC2_EPT), C("pt.entry-load", everything, entry, CLEAR, ENTRY_LOAD_RTIT),
	C("pt.exit-clear", everything, exit, CLEAR, EXIT_CLEAR_RTIT),
	C("vm-functions.reserved", everything, vmfunc_controls, OR, 2),
	C("eptp-switching.ept", vm_functions, vmfunc_controls, OR, 1), PAGE("eptp-list", everything, eptp_list),
	PAGE("vmread-bitmap", everything, vmread_bitmap), PAGE("vmwrite-bitmap", everything, vmwrite_bitmap),
	PAGE("ve-info", everything, ve_info), C("tsc-multiplier.zero", everything, tsc_multiplier, SET, 0),

	C("exit.must-be-1", longmode, exit, CLEAR, 1), C("exit.must-be-0", longmode, exit, OR, BIT(31)),
	C("exit.save-timer", longmode, exit, OR, EXIT_SAVE_TIMER), AREA("exit-store", exit_store_addr),
	AREA("exit-load", exit_load_addr),
	C("entry.must-be-1", longmode, entry, CLEAR, 1), C("entry.must-be-0", longmode, entry, OR, BIT(31)),
	C("entry.smm", longmode, entry, OR, ENTRY_TO_SMM), C("entry.dual-monitor", longmode, entry, OR, ENTRY_NO_DUAL_MONITOR),
	AREA("entry-load", entry_load_addr), C("inject.type", inject_irq, intr_info, OR, 1 << 8),
	C("inject.reserved", inject_irq, intr_info, OR, BIT(12)), C("inject.nmi-vector", inject_nmi, intr_info, OR, 1),
	C("inject.exception-vector", inject_ud, intr_info, OR, 0x20), C("inject.other-vector", inject_mtf, intr_info, OR, 1),
	C("inject.error-type", inject_irq, intr_info, OR, RULE_INTR_ERROR),
	C("inject.error-real-mode", inject_gp_real, intr_info, OR, RULE_INTR_ERROR),
	C("inject.error-missing", inject_gp, intr_info, CLEAR, RULE_INTR_ERROR),
	C("inject.error-excess", inject_ud, intr_info, OR, RULE_INTR_ERROR),
	C("inject.error-code", inject_gp, error_code, SET, 0x10000),
	C("inject.length-zero", inject_int, insn_len, SET, 0), C("inject.length", inject_int, insn_len, SET, 16),

	H("cr0.fixed-1", longmode, host_cr0, CLEAR, 0x20), H("cr0.fixed-0", longmode, host_cr0, OR, BIT_ULL(32)),
	H("cr4.fixed-1", longmode, host_cr4, CLEAR, 0x2000), H("cr4.fixed-0", longmode, host_cr4, OR, BIT_ULL(31)),
	H("cr4.cet-wp", everything, host_cr0, CLEAR, RULE_CR0_WP), H("cr3.width", longmode, host_cr3, OR, TOO_HIGH),
	H("sysenter-esp.canonical", longmode, host_sysenter_esp, SET, NOT_CANONICAL),
	H("sysenter-eip.canonical", longmode, host_sysenter_eip, SET, NOT_CANONICAL),
	H("perf-global-ctrl.reserved", everything, host_perf_global, SET, BIT_ULL(60)),
	H("pat.type", longmode, host_pat, SET, 0x0200000000000000ULL),
	H("efer.reserved", longmode, host_efer, OR, BIT_ULL(40)), H("efer.lma", longmode, host_efer, CLEAR, RULE_EFER_LMA),
	H("efer.lme", longmode, host_efer, CLEAR, RULE_EFER_LME), H("s-cet.reserved", everything, host_s_cet, SET, BIT(6)),
	H("s-cet.canonical", everything, host_s_cet, SET, NOT_CANONICAL), H("ssp.aligned", everything, host_ssp, SET, 2),
	H("ssp.canonical", everything, host_ssp, SET, NOT_CANONICAL),
	H("ssp-table.canonical", everything, host_ssp_table, SET, NOT_CANONICAL),
	H("pkrs.reserved", everything, host_pkrs, SET, BIT_ULL(32)), H("es.flags", longmode, host_es, OR, 1),
	H("cs.flags", longmode, host_cs, OR, 4),
	H("ss.flags", longmode, host_ss, OR, 2), H("ds.flags", longmode, host_ds, OR, 3),
	H("fs.flags", longmode, host_fs, OR, 4),
	H("gs.flags", longmode, host_gs, OR, 1), H("tr.flags", longmode, host_tr, OR, 4),
	H("cs.null", longmode, host_cs, SET, 0),
	H("tr.null", longmode, host_tr, SET, 0), H("ss.null", host32, host_ss, SET, 0),
	H("fs-base.canonical", longmode, host_fs_base, SET, NOT_CANONICAL),
	H("gs-base.canonical", longmode, host_gs_base, SET, NOT_CANONICAL),
	H("tr-base.canonical", longmode, host_tr_base, SET, NOT_CANONICAL),
	H("gdtr-base.canonical", longmode, host_gdtr_base, SET, NOT_CANONICAL),
	H("idtr-base.canonical", longmode, host_idtr_base, SET, NOT_CANONICAL),
	H("size.32-bit-cpu", host32, exit, OR, EXIT_HOST_64),
	H("size.32-bit-cpu-guest", host32, entry, OR, ENTRY_GUEST_64),
	H("size.64-bit-cpu", low_host, exit, CLEAR, EXIT_HOST_64),
	H("cr4.pcide", host32, host_cr4, OR, RULE_CR4_PCIDE), H("rip.high", host32, host_rip, OR, BIT_ULL(32)),
	H("cr4.pae", longmode, host_cr4, CLEAR, RULE_CR4_PAE), H("rip.canonical", longmode, host_rip, CLEAR, BIT_ULL(47)),

	G("cr0.fixed-1", longmode, cr0, CLEAR, 0x20), G("cr0.fixed-0", longmode, cr0, OR, BIT_ULL(32)),
	G("cr0.fixed-1", restricted, cr0, CLEAR, 1),
	G("cr0.pg-without-pe", pae, cr0, CLEAR, RULE_CR0_PE), G("cr0.pg-in-ia32e", longmode, cr0, CLEAR, RULE_CR0_PG),
	G("cr0.pg-in-ia32e", restricted, cr0, CLEAR, RULE_CR0_PG), G("cr4.fixed-1", longmode, cr4, CLEAR, 0x2000),
	G("cr4.fixed-0", longmode, cr4, OR, BIT_ULL(31)), G("cr4.cet-wp", everything, cr0, CLEAR, RULE_CR0_WP),
	G("cr4.pae-in-ia32e", longmode, cr4, CLEAR, RULE_CR4_PAE), G("cr4.pcide", pae, cr4, OR, RULE_CR4_PCIDE),
	G("cr3.width", longmode, cr3, OR, TOO_HIGH),
	G("debugctl.reserved", longmode, debugctl, OR, BIT_ULL(20)), G("dr7.high", longmode, dr7, OR, BIT_ULL(32)),
	G("sysenter-esp.canonical", longmode, sysenter_esp, SET, NOT_CANONICAL),
	G("sysenter-eip.canonical", longmode, sysenter_eip, SET, NOT_CANONICAL),
	G("perf-global-ctrl.reserved", everything, perf_global, SET, BIT_ULL(60)), G("pat.type", longmode, pat, SET, 3),
	G("pat.type", longmode, pat, SET, 8),
	G("efer.reserved", longmode, efer, OR, 2), G("efer.lma", longmode, efer, CLEAR, RULE_EFER_LMA),
	G("efer.lma", pae, efer, OR, RULE_EFER_LMA),
	G("efer.lme", longmode, efer, CLEAR, RULE_EFER_LME), G("efer.lme", pae, efer, OR, RULE_EFER_LME),
	G("bndcfgs.reserved", everything, bndcfgs, SET, 4), G("bndcfgs.canonical", everything, bndcfgs, SET, NOT_CANONICAL),
	G("pkrs.reserved", everything, pkrs, SET, BIT_ULL(63)), G("s-cet.reserved", everything, s_cet, SET, BIT(9)),
	G("s-cet.canonical", everything, s_cet, SET, NOT_CANONICAL),
	G("ssp-table.canonical", everything, ssp_table, SET, NOT_CANONICAL),
	G("gdtr.base", longmode, gdtr_base, SET, NOT_CANONICAL), G("gdtr.limit", longmode, gdtr_limit, OR, BIT(16)),
	G("idtr.base", longmode, idtr_base, SET, NOT_CANONICAL), G("idtr.limit", longmode, idtr_limit, OR, BIT(31)),
	G("rip.high", pae, rip, OR, BIT_ULL(32)), G("rip.width", longmode, rip, OR, BIT_ULL(48)),
	G("rflags.reserved", longmode, rflags, OR, 8),
	G("rflags.reserved", longmode, rflags, OR, BIT_ULL(40)), G("rflags.bit-1", longmode, rflags, CLEAR, 2),
	G("rflags.vm-in-ia32e", longmode, rflags, OR, RULE_RFLAGS_VM),
	G("rflags.vm-in-real-mode", real, rflags, OR, RULE_RFLAGS_VM),
	G("rflags.if-injection", inject_irq, rflags, CLEAR, RULE_RFLAGS_IF), G("ssp.aligned", everything, ssp, SET, 1),
	G("ssp.high", everything_32, ssp, SET, BIT_ULL(32)), G("ssp.canonical", everything, ssp, SET, NOT_CANONICAL),

	SEGMENT(ES, es), SEGMENT(CS, cs), SEGMENT(SS, ss), SEGMENT(DS, ds), SEGMENT(FS, fs), SEGMENT(GS, gs),
	DATA(ES, es), DATA(DS, ds), DATA(FS, fs), DATA(GS, gs), SYSTEM(LDTR, ldtr), SYSTEM(TR, tr),
	SEG(ES, es, "base-high", longmode, base, OR, BIT_ULL(32)), SEG(CS, cs, "base-high", longmode, base, OR, BIT_ULL(63)),
	SEG(SS, ss, "base-high", longmode, base, OR, BIT_ULL(32)), SEG(DS, ds, "base-high", longmode, base, OR, BIT_ULL(47)),
	SEG(FS, fs, "base-canonical", longmode, base, OR, BIT_ULL(47)),
	SEG(GS, gs, "base-canonical", longmode, base, OR, BIT_ULL(63)),
	SEG(CS, cs, "type", longmode, ar, CLEAR, 1), SEG(CS, cs, "type", restricted, ar, CLEAR, 8),
	SEG(SS, ss, "type", longmode, ar, CLEAR, 2),
	SEG(CS, cs, "dpl-data", cs_data, ar, OR, 0x20), SEG(CS, cs, "dpl-code", longmode, ar, OR, 0x60),
	SEG(CS, cs, "dpl-conforming", conforming, ar, OR, 0x20), SEG(SS, ss, "dpl-rpl", restricted_conforming, ar, OR, 0x20),
	G("ss.rpl", restricted, seg[E_CS].selector, OR, 1), SEG(SS, ss, "dpl-zero", real, ar, OR, 0x60),
	SEG(SS, ss, "dpl-zero", cs_data, ar, OR, 0x60), SEG(CS, cs, "long-and-32", longmode, ar, OR, 0x4000),
	SEG(TR, tr, "unusable", longmode, ar, OR, BIT(16)), SEG(TR, tr, "type-64", longmode, ar, CLEAR, 8),
	SEG(TR, tr, "type-32", pae, ar, CLEAR, 2),
	SEG(TR, tr, "type-32", v86, ar, CLEAR, 2), SEG(LDTR, ldtr, "type", longmode, ar, OR, 1),

	G("activity.reserved", longmode, activity, SET, 4), G("activity.unsupported", no_hlt_state, activity, SET, 1),
	G("activity.hlt-cpl", hlt_conforming, seg[E_SS].ar, OR, 0x60), G("activity.shadow", after_sti, activity, SET, 1),
	G("activity.hlt-injection", hlt_irq, intr_info, SET, RULE_INTR_VALID | 0x306),
	G("activity.shutdown-injection", shutdown_nmi, intr_info, SET, RULE_INTR_VALID | 0x30),
	G("activity.sipi-injection", wait_for_sipi, intr_info, SET, RULE_INTR_VALID | 0x30),
	G("interruptibility.reserved", longmode, interruptibility, OR, BIT(5)),
	G("interruptibility.sti-and-mov-ss", after_sti, interruptibility, OR, 2),
	G("interruptibility.sti-without-if", after_sti, rflags, CLEAR, RULE_RFLAGS_IF),
	G("interruptibility.sti-injection", inject_irq, interruptibility, OR, 1),
	G("interruptibility.mov-ss-injection", inject_irq, interruptibility, OR, 2),
	G("interruptibility.mov-ss-nmi", inject_nmi, interruptibility, OR, 2),
	G("interruptibility.sti-nmi", inject_nmi_refused, interruptibility, OR, 1),
	G("interruptibility.nmi-nmi", inject_nmi, interruptibility, OR, 8),
	G("interruptibility.smi", longmode, interruptibility, OR, 4),
	G("interruptibility.enclave", longmode, interruptibility, OR, 16),
	G("interruptibility.enclave-mov-ss", enclave, interruptibility, OR, 2),
	G("interruptibility.rtm-mov-ss", rtm, interruptibility, OR, 2),
	G("pending-debug.reserved", longmode, pending_dbg, OR, BIT_ULL(4)),
	G("pending-debug.reserved", longmode, pending_dbg, OR, BIT_ULL(40)),
	G("pending-debug.step-missing", stepping_after_sti, pending_dbg, CLEAR, BIT_ULL(14)),
	G("pending-debug.step-excess", after_sti, pending_dbg, OR, BIT_ULL(14)),
	G("pending-debug.step-excess", stepping_after_sti, debugctl, OR, 2),
	G("pending-debug.rtm-unsupported", longmode, pending_dbg, OR, BIT_ULL(16)),
	G("pending-debug.rtm-form", rtm, pending_dbg, OR, 1), G("link-pointer.aligned", longmode, link_pointer, SET, 0x7008),
	G("link-pointer.width", longmode, link_pointer, SET, TOO_HIGH),
	G("link-pointer.itself", longmode, link_pointer, SET, 0x5000),
	G("link-pointer.revision", linked, link_revision, OR, BIT(31)),
	G("link-pointer.revision", linked_shadow, link_revision, CLEAR, BIT(31)),
	G("pdpte0.reserved", pae, pdpte[0], OR, 2), G("pdpte1.reserved", pae, pdpte[1], OR, 4),
	G("pdpte2.reserved", pae, pdpte[2], OR, 0x20),
	G("pdpte3.reserved", pae, pdpte[3], OR, 0x100), G("pdpte0.width", pae, pdpte[0], OR, TOO_HIGH),
	G("pdpte1.width", pae, pdpte[1], OR, BIT_ULL(63)),
	G("pdpte2.width", pae, pdpte[2], OR, BIT_ULL(PHYS)), G("pdpte3.width", pae, pdpte[3], OR, TOO_HIGH),
};

/* ------------------------------------------------------------------ the tests */

static u32 check(const struct vtx_entry_state *s, struct vtx_entry_finding *out)
{
	return vtx_entry_rules_check(s, RULE_ALL, out, MANY);
}

static void spoil(struct vtx_entry_state *s, const struct row *row)
{
	u8 *place = (u8 *)s + row->at;
	u64 value = 0;

	memcpy(&value, place, row->size);
	if (row->op == OR)
		assert_int_not_equal(value | row->value, value);
	if (row->op == CLEAR)
		assert_int_not_equal(value & ~row->value, value);
	value = row->op == SET ? row->value : row->op == OR ? value | row->value : value & ~row->value;
	memcpy(place, &value, row->size);
}

static void test_each_rule_alone(void **unused)
{
	struct vtx_entry_finding findings[MANY];
	struct vtx_entry_state s;
	u32 n, bad = 0;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		table[i].start(&s);
		n = check(&s, findings);
		for (u32 j = 0; j < n; j++)
			print_error("%s: the start breaks %s\n", table[i].id, findings[j].rule->id);
		bad += n;
		spoil(&s, &table[i]);
		n = check(&s, findings);
		if (n == 1 && !strcmp(findings[0].rule->id, table[i].id))
			continue;
		bad++;
		print_error("%s: %u rules\n", table[i].id, n);
		for (u32 j = 0; j < n && j < MANY; j++)
			print_error("\t%s\n", findings[j].rule->id);
	}
	assert_int_equal(bad, 0);
}

#define FOR_EACH_RULE(r)                                          \
	for (u32 t_ = 0; t_ < VTX_NR_RULE_TABLES; t_++)           \
		for (const struct vtx_entry_rule *r = vtx_rule_tables[t_]->rows; \
		     r < vtx_rule_tables[t_]->rows + vtx_rule_tables[t_]->n; r++)

static void test_every_rule_has_a_row(void **unused)
{
	u32 rules = 0, missing = 0;

	FOR_EACH_RULE(r) {
		bool found = false;

		for (size_t i = 0; i < ARRAY_SIZE(table); i++)
			found |= !strcmp(table[i].id, r->id);
		if (!found)
			print_error("no row for %s\n", r->id);
		missing += !found;
		rules++;
	}
	print_message("%u rules, %zu rows\n", rules, ARRAY_SIZE(table));
	assert_int_equal(missing, 0);
	assert_true(rules >= 150);
	assert_true(ARRAY_SIZE(table) >= rules);
}

static void test_names(void **unused)
{
	FOR_EACH_RULE(a) {
		u32 same = 0;

		FOR_EACH_RULE(b)
			same += !strcmp(a->id, b->id);
		assert_int_equal(same, 1);
		/* The sizes of struct vtx_rule_report. */
		assert_true(strlen(a->id) < 40 && strlen(a->section) < 24 && strlen(a->field) < 40 && strlen(a->text) < 96);
		assert_true(strlen(a->text) > 10);
		assert_memory_equal(a->section, "vol. 3, 27.", 11);
		assert_true(a->size == 1 || a->size == 2 || a->size == 4 || a->size == 8);
		assert_true(a->at + a->size <= sizeof(struct vtx_entry_state));
	}
}

static void test_found_and_allowed(void **unused)
{
	struct vtx_entry_finding f[MANY];
	struct vtx_entry_state s;

	longmode(&s);
	s.rflags |= 8;
	assert_int_equal(check(&s, f), 1);
	assert_int_equal(f[0].found, 0x20a);
	assert_true(f[0].allowed == (GENMASK_ULL(21, 0) & ~(BIT_ULL(15) | BIT_ULL(5) | BIT_ULL(3))));
	assert_int_equal(f[0].group, RULE_GUEST);

	longmode(&s);
	s.cr3 = TOO_HIGH;
	assert_int_equal(check(&s, f), 1);
	assert_int_equal(f[0].found, TOO_HIGH);
	assert_true(f[0].allowed == GENMASK_ULL(PHYS - 1, 0));

	v86(&s);
	s.seg[E_SS].base = 0;
	assert_int_equal(check(&s, f), 1);
	assert_int_equal(f[0].allowed, 0x10000);

	pae(&s);
	s.pdpte[2] |= 2;
	assert_int_equal(check(&s, f), 1);
	assert_int_equal(f[0].rule->qualification, 2);

	longmode(&s);
	s.entry |= ENTRY_TO_SMM;
	assert_int_equal(check(&s, f), 1);
	assert_int_equal(f[0].group, RULE_CONTROL);
	assert_int_equal(f[0].allowed, 0xffffffff & ~ENTRY_TO_SMM);
}

/* Only the groups asked for, in the manual's order; more than there is room for are counted. */
static void test_groups(void **unused)
{
	struct vtx_entry_finding f[2];
	struct vtx_entry_state s;

	longmode(&s);
	s.rflags = 0;
	s.host_cs = 0;
	s.vpid = 0;
	s.cr3 = TOO_HIGH;
	memset(f, 0, sizeof(f));
	assert_int_equal(vtx_entry_rules_check(&s, RULE_ALL, f, 2), 4);
	assert_string_equal(f[0].rule->id, "control.vpid.zero");
	assert_string_equal(f[1].rule->id, "host.cs.null");
	assert_int_equal(vtx_entry_rules_check(&s, RULE_GUEST, f, 2), 2);
	assert_string_equal(f[0].rule->id, "guest.cr3.width");
	assert_string_equal(f[1].rule->id, "guest.rflags.bit-1");
	assert_int_equal(vtx_entry_rules_check(&s, RULE_HOST, NULL, 0), 1);
	assert_int_equal(vtx_entry_rules_check(&s, 0, f, 2), 0);
}

/* What processors differ in is no rule until the processor has refused. */
static void test_no_guess(void **unused)
{
	struct vtx_entry_finding f[MANY];
	struct vtx_entry_state s;

	inject_nmi(&s);
	s.interruptibility = 1;
	assert_int_equal(check(&s, f), 0);
	/* Any exception may have an error code with IA32_VMX_BASIC bit 56. */
	inject_ud(&s);
	s.cpu.msrs.basic |= BIT_ULL(56);
	s.intr_info |= RULE_INTR_ERROR;
	assert_int_equal(check(&s, f), 0);
	/* Length 0 with IA32_VMX_MISC bit 30. */
	inject_int(&s);
	s.cpu.msrs.misc |= BIT_ULL(30);
	s.insn_len = 0;
	assert_int_equal(check(&s, f), 0);
	/* Type 7 where there is a monitor trap flag, and not where there is none. */
	inject_mtf(&s);
	s.cpu.msrs.proc &= ~((u64)PROC_MTF << 32);
	s.proc &= ~PROC_MTF;
	assert_int_equal(check(&s, f), 1);
	assert_string_equal(f[0].rule->id, "control.inject.type");
	/* NW and CD of the guest are not loaded and not checked. */
	longmode(&s);
	s.cpu.msrs.cr0_fixed1 &= ~(BIT_ULL(29) | BIT_ULL(30));
	s.cr0 |= BIT_ULL(29) | BIT_ULL(30);
	assert_int_equal(check(&s, f), 0);
	/* 57-bit linear addresses. */
	longmode(&s);
	s.seg[E_FS].base = BIT_ULL(50);
	s.cpu.linear_bits = 57;
	assert_int_equal(check(&s, f), 0);
	/* Unusable segments may hold anything but for the bases of FS and GS. */
	longmode(&s);
	for (int i = E_ES; i <= E_LDTR; i++)
		if (i != E_CS)
			s.seg[i] = (struct vtx_entry_seg){ .limit = 0x12345678, .ar = BIT(16), .selector = 0xffff };
	assert_int_equal(check(&s, f), 0);
}

/* Whatever is in the VMCS, the rules only look. */
static void test_noise(void **unused)
{
	struct vtx_entry_finding f[MANY];
	struct vtx_entry_state s;
	u32 broken = 0;

	srandom(1);
	for (int round = 0; round < 20000; round++) {
		struct vtx_entry_cpu c;
		u8 *bytes = (u8 *)&s;

		longmode(&s);
		c = s.cpu;
		for (size_t i = offsetof(struct vtx_entry_state, pin); i < sizeof(s); i++)
			if (random() % 8 == 0)
				bytes[i] = (u8)random();
		s.vtpr_known = random() & 1;
		s.link_revision_known = random() & 1;
		s.cpu = c;
		broken += check(&s, f) != 0;
	}
	assert_true(broken > 19000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_rule_alone), cmocka_unit_test(test_every_rule_has_a_row),
	    cmocka_unit_test(test_names),
		cmocka_unit_test(test_found_and_allowed), cmocka_unit_test(test_groups), cmocka_unit_test(test_no_guess),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

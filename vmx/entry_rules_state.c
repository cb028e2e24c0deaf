// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules of VM entry: the guest's activity, interruptibility, pending debug exceptions, VMCS link pointer, and
 * page-directory-pointer entries (SDM vol. 3, 27.3.1.5 and 27.3.1.6).
 */
#include "compat/pure.h"
#include "vmx/entry_rules.h"

#define STATE "vol. 3, 27.3.1.5"
#define PAE "vol. 3, 27.3.1.6"

enum { ACTIVE, HLT, SHUTDOWN, WAIT_FOR_SIPI };

/* The interruptibility state, SDM vol. 3, table 25-3. */
#define BY_STI BIT(0)
#define BY_MOV_SS BIT(1)
#define BY_SMI BIT(2)
#define BY_NMI BIT(3)
#define ENCLAVE BIT(4)

/* Pending debug exceptions, table 25-4. */
#define PENDING_BS BIT_ULL(14)
#define PENDING_RTM BIT_ULL(16)
#define PENDING_ENABLED BIT_ULL(12)

#define DEBUGCTL_BTF BIT_ULL(1)

/* Exit qualification of a failed entry, 27.8. */
enum { QUAL_PDPTE = 2, QUAL_NMI = 3, QUAL_LINK_POINTER = 4 };

/* ------------------------------------------------------------------ conditions */

static bool activity_exists(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->activity <= WAIT_FOR_SIPI;
}

static bool halted(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->activity == HLT;
}

static bool shut_down(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->activity == SHUTDOWN;
}

static bool halted_and_injects(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return halted(s, r) && rule_injects(s);
}

static bool shut_down_and_injects(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return shut_down(s, r) && rule_injects(s);
}

static bool waits_and_injects(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->activity == WAIT_FOR_SIPI && rule_injects(s);
}

static bool in_shadow(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->interruptibility & (BY_STI | BY_MOV_SS);
}

static bool no_if(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return !(s->rflags & RULE_RFLAGS_IF);
}

static bool injects_ext_intr(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return rule_injects_type(s, RULE_EXT_INTR);
}

static bool injects_nmi(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return rule_injects_type(s, RULE_NMI);
}

/* Some processors want this, others do not. */
static bool refused_nmi(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return injects_nmi(s, r) && s->refused;
}

static bool injects_virtual_nmi(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return injects_nmi(s, r) && (s->pin & PIN_VIRTUAL_NMI);
}

static bool no_sgx(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return !s->cpu.sgx;
}

static bool enclave(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->cpu.sgx && (s->interruptibility & ENCLAVE);
}

static bool pending_rtm(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->pending_dbg & PENDING_RTM;
}

static bool pending_plain(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return !pending_rtm(s, r);
}

static bool rtm_unsupported(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return pending_rtm(s, r) && !s->cpu.rtm;
}

static bool rtm_supported_and_pending(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return pending_rtm(s, r) && s->cpu.rtm;
}

/* The single step that a shadow or HLT holds back. */
static bool steps_held(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return pending_plain(s, r) && (in_shadow(s, r) || halted(s, r));
}

static bool single_step(const struct vtx_entry_state *s)
{
	return (s->rflags & RULE_RFLAGS_TF) && !(s->debugctl & DEBUGCTL_BTF);
}

static bool step_pending(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return steps_held(s, r) && single_step(s);
}

static bool no_step_pending(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return steps_held(s, r) && !single_step(s);
}

static bool has_link(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->link_pointer != ~0ULL;
}

static bool link_read(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return has_link(s, r) && s->link_revision_known;
}

static bool uses_pdptes(const struct vtx_entry_state *s)
{
	return (s->cr0 & RULE_CR0_PG) && (s->cr4 & RULE_CR4_PAE) && !rule_guest_64(s);
}

/* Without EPT they are read from memory and not from the VMCS. */
static bool pdpte_present(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return uses_pdptes(s) && (rule_proc2(s) & PROC2_EPT) && (vtx_rule_value(s, r) & 1);
}

/* ------------------------------------------------------------------ tests */

/* IA32_VMX_MISC bits 8:6, SDM vol. 3, A.6. */
static bool activity_supported(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = 1 | (s->cpu.msrs.misc >> 5 & 0xe); /* a bit per state */
	return *allowed >> found & 1;
}

static bool ss_dpl_0(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	return !(s->seg[E_SS].ar & (3 << 5));
}

/* The events that wake a halted processor. */
static bool wakes(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	u32 vector = found & 0xff;

	switch (rule_intr_type(s)) {
	case RULE_EXT_INTR:
	case RULE_NMI:
		return true;
	case RULE_HARD_EXCEPTION:
		return vector == 1 || vector == 18;
	case RULE_OTHER:
		return vector == 0;
	default:
		return false;
	}
}

static bool nmi_or_mc(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	return rule_intr_type(s) == RULE_NMI || (rule_intr_type(s) == RULE_HARD_EXCEPTION && (found & 0xff) == 18);
}

static bool not_both(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	return (found & r->mask) != r->mask;
}

static bool rtm_form(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = PENDING_RTM | PENDING_ENABLED;
	return found == *allowed;
}

static bool link_not_itself(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	return !s->current_vmcs || found != s->current_vmcs;
}

/* The revision of the VMCS it points to; with VMCS shadowing that must be a shadow VMCS. */
static bool link_revision(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = s->cpu.msrs.basic & 0x7fffffff;
	if (rule_proc2(s) & PROC2_SHADOWING)
		*allowed |= BIT(31);
	return found == *allowed;
}

static bool pdpte_width(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = BIT_ULL(s->cpu.maxphyaddr) - 1;
	return found <= *allowed;
}

/* ------------------------------------------------------------------ the table */

#define ROW(name, sec, vmcs_field, member, condition, test, bits, qual, sentence)                          \
	{ .id = "guest." name, .section = sec, .field = vmcs_field, .text = sentence, RULE_AT(member),     \
	  .when = condition, .ok = test, .mask = bits, .qualification = qual }

#define ACTIVITY(name, condition, test, bits, sentence) \
	ROW("activity." name, STATE, "GUEST_ACTIVITY_STATE", activity, condition, test, bits, 0, sentence)
#define INTERRUPTIBILITY(name, condition, test, bits, qual, sentence) \
	ROW("interruptibility." name, STATE, "GUEST_INTERRUPTIBILITY_INFO", interruptibility, condition, test, bits, qual, \
	    sentence)
#define PENDING(name, condition, test, bits, sentence) \
	ROW("pending-debug." name, STATE, "GUEST_PENDING_DBG_EXCEPTIONS", pending_dbg, condition, test, bits, 0, sentence)
#define LINK(name, member, condition, test, bits, sentence) \
	ROW("link-pointer." name, STATE, "VMCS_LINK_POINTER", member, condition, test, bits, QUAL_LINK_POINTER, sentence)
#define PDPTE_RESERVED(n) \
	ROW("pdpte" #n ".reserved", PAE, "GUEST_PDPTR" #n, pdpte[n], pdpte_present, rule_zero, \
	    GENMASK_ULL(8, 5) | GENMASK_ULL(2, 1), QUAL_PDPTE, "Bits 8:5 and 2:1 of a present PDPTE must be 0")
#define PDPTE_WIDTH(n) \
	ROW("pdpte" #n ".width", PAE, "GUEST_PDPTR" #n, pdpte[n], pdpte_present, pdpte_width, 0, QUAL_PDPTE, \
	    "A present PDPTE has bits above the physical-address width")

static const struct vtx_entry_rule rows[] = {
	ACTIVITY("reserved", NULL, rule_max, WAIT_FOR_SIPI, "There is no such activity state"),
	ACTIVITY("unsupported", activity_exists, activity_supported, 0,
		 "This processor cannot enter that activity state; allowed: a bit per state"),
	ACTIVITY("hlt-cpl", halted, ss_dpl_0, 0, "A guest can only be halted when SS.DPL is 0"),
	ACTIVITY("shadow", in_shadow, rule_max, ACTIVE, "Only an active guest can have blocking by STI or MOV SS"),
	ROW("activity.hlt-injection", STATE, "VM_ENTRY_INTR_INFO_FIELD", intr_info, halted_and_injects, wakes, 0, 0,
	    "This event cannot be injected into a halted guest"),
	ROW("activity.shutdown-injection", STATE, "VM_ENTRY_INTR_INFO_FIELD", intr_info, shut_down_and_injects, nmi_or_mc, 0, 0,
	    "Only an NMI or #MC can be injected into a guest in shutdown"),
	ROW("activity.sipi-injection", STATE, "VM_ENTRY_INTR_INFO_FIELD", intr_info, waits_and_injects, rule_never, 0, 0,
	    "Nothing can be injected into a guest that waits for SIPI"),

	INTERRUPTIBILITY("reserved", NULL, rule_zero, GENMASK_ULL(31, 5), 0,
			 "Bits 31:5 of the interruptibility state are reserved"),
	INTERRUPTIBILITY("sti-and-mov-ss", NULL, not_both, BY_STI | BY_MOV_SS, 0,
			 "Blocking by STI and by MOV SS exclude each other"),
	INTERRUPTIBILITY("sti-without-if", no_if, rule_zero, BY_STI, 0, "Blocking by STI needs RFLAGS.IF"),
	INTERRUPTIBILITY("sti-injection", injects_ext_intr, rule_zero, BY_STI, 0,
			 "An external interrupt cannot be injected under blocking by STI"),
	INTERRUPTIBILITY("mov-ss-injection", injects_ext_intr, rule_zero, BY_MOV_SS, 0,
			 "An external interrupt cannot be injected under blocking by MOV SS"),
	INTERRUPTIBILITY("mov-ss-nmi", injects_nmi, rule_zero, BY_MOV_SS, 0,
			 "An NMI cannot be injected under blocking by MOV SS"),
	INTERRUPTIBILITY("sti-nmi", refused_nmi, rule_zero, BY_STI, QUAL_NMI,
			 "Some processors refuse to inject an NMI under blocking by STI"),
	INTERRUPTIBILITY("nmi-nmi", injects_virtual_nmi, rule_zero, BY_NMI, 0,
			 "With virtual NMIs, an NMI cannot be injected under blocking by NMI"),
	INTERRUPTIBILITY("smi", NULL, rule_zero, BY_SMI, 0, "Blocking by SMI is for guests that are entered from SMM"),
	INTERRUPTIBILITY("enclave", no_sgx, rule_zero, ENCLAVE, 0, "Enclave interruption needs SGX"),
	INTERRUPTIBILITY("enclave-mov-ss", enclave, rule_zero, BY_MOV_SS, 0,
			 "Enclave interruption and blocking by MOV SS exclude each other"),

	PENDING("reserved", pending_plain, rule_zero, GENMASK_ULL(63, 17) | BIT_ULL(15) | BIT_ULL(13) | GENMASK_ULL(11, 4),
		"Bits 63:17, 15, 13 and 11:4 of the pending debug exceptions must be 0"),
	PENDING("step-missing", step_pending, rule_set, PENDING_BS,
		"With RFLAGS.TF, a shadow or HLT must have the single step (bit 14) pending"),
	PENDING("step-excess", no_step_pending, rule_zero, PENDING_BS,
		"Without RFLAGS.TF (or with DEBUGCTL.BTF) no single step can be pending"),
	PENDING("rtm-unsupported", rtm_unsupported, rule_never, 0, "A pending RTM debug exception needs RTM"),
	PENDING("rtm-form", rtm_supported_and_pending, rtm_form, 0,
		"A pending RTM debug exception has bits 16 and 12 and no other"),
	INTERRUPTIBILITY("rtm-mov-ss", rtm_supported_and_pending, rule_zero, BY_MOV_SS, 0,
			 "A pending RTM debug exception excludes blocking by MOV SS"),

	LINK("aligned", link_pointer, has_link, rule_zero, 0xfff, "The VMCS link pointer must be 4-KByte aligned"),
	LINK("width", link_pointer, has_link, rule_physical, 0,
	     "The VMCS link pointer has bits above the physical-address width"),
	LINK("itself", link_pointer, has_link, link_not_itself, 0, "The VMCS link pointer points to the VMCS it is in"),
	LINK("revision", link_revision, link_read, link_revision, 0,
	     "The VMCS that the link pointer names has the wrong revision or shadow indicator"),

	PDPTE_RESERVED(0), PDPTE_RESERVED(1), PDPTE_RESERVED(2), PDPTE_RESERVED(3),
	PDPTE_WIDTH(0), PDPTE_WIDTH(1), PDPTE_WIDTH(2), PDPTE_WIDTH(3),
};

const struct vtx_rule_table vtx_rules_state = { rows, ARRAY_SIZE(rows), RULE_GUEST };

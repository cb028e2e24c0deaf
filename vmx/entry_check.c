// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a failed entry to a report that names the rule; and the refusal of entries that would fail (check_entry=1).
 */
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/slab.h>
#include <asm/vmx.h>
#include "ept/ept.h"
#include "trace/report.h"
#include "vmx/entry_state.h"
#include "vmx/regs.h"

static bool check_entry;
module_param(check_entry, bool, 0444);
MODULE_PARM_DESC(check_entry, "try the manual's rules before every VM entry and refuse what would fail; slow (default N)");

DEFINE_STATIC_KEY_FALSE(vtx_check_entry);

/* VM-instruction errors, SDM vol. 3, 31.4. */
enum { ERROR_CONTROL = 7, ERROR_HOST = 8 };

/* A vCPU's room for one check, as it is too large for the stack. */
struct vtx_entry_check {
	struct vtx_entry_state state;
	struct vtx_entry_finding findings[VTX_MAX_RULES];
	u32 n;			/* that do not hold; the first VTX_MAX_RULES are in findings */
	bool refused_by_vtx;	/* the findings are those of vtx_entry_allowed() */
};

int vtx_entry_check_alloc(struct vtx_vcpu *vcpu)
{
	vcpu->entry_check = kzalloc(sizeof(*vcpu->entry_check), GFP_KERNEL_ACCOUNT);
	return vcpu->entry_check ? 0 : -ENOMEM;
}

void vtx_entry_check_free(struct vtx_vcpu *vcpu)
{
	kfree(vcpu->entry_check);
	vcpu->entry_check = NULL;
}

void vtx_entry_check_setup(void)
{
	if (check_entry || vtx_tlb_check_wanted())
		static_branch_enable(&vtx_check_entry);
}

static void try_rules(struct vtx_vcpu *vcpu, u32 groups, bool refused)
{
	struct vtx_entry_check *c = vcpu->entry_check;

	vtx_entry_state_read(vcpu, &c->state);
	c->state.refused = refused;
	c->n = vtx_entry_rules_check(&c->state, groups, c->findings, ARRAY_SIZE(c->findings));
}

/* ------------------------------------------------------------------ before an entry */

bool vtx_entry_allowed(struct vtx_vcpu *vcpu)
{
	struct vtx_entry_check *c = vcpu->entry_check;

	if (!check_entry)
		return true;
	try_rules(vcpu, RULE_ALL, false);
	if (likely(!c->n))
		return true;

	c->refused_by_vtx = true;
	vcpu->exit_tsc = rdtsc();
	vcpu->cached |= BIT(VTX_CACHE_QUAL);
	if (c->findings[0].group == RULE_GUEST) {
		vcpu->exit_reason = VMX_EXIT_REASONS_FAILED_VMENTRY | EXIT_REASON_INVALID_STATE;
		vcpu->qualification = c->findings[0].rule->qualification;
	} else {
		vcpu->exit_reason = ~0u;
		vcpu->qualification = c->findings[0].group == RULE_CONTROL ? ERROR_CONTROL : ERROR_HOST;
	}
	return false;
}

/* ------------------------------------------------------------------ after a failed one */

/* The checks that the processor's verdict is about: it makes them in order and stops at the first that fails. */
static u32 groups_of_verdict(struct vtx_vcpu *vcpu)
{
	if (vcpu->exit_reason == (VMX_EXIT_REASONS_FAILED_VMENTRY | EXIT_REASON_INVALID_STATE))
		return RULE_GUEST;
	if (vcpu->exit_reason != ~0u)
		return 0;
	switch (vtx_qualification(vcpu)) {
	case ERROR_CONTROL:
		return RULE_CONTROL;
	case ERROR_HOST:
		return RULE_HOST;
	default:
		return 0;
	}
}

static void fill_rules(const struct vtx_entry_check *c, struct vtx_failure_report *r)
{
	u32 i;

	r->nr_rules = c->n;
	for (i = 0; i < min_t(u32, c->n, VTX_MAX_RULES); i++) {
		const struct vtx_entry_finding *f = &c->findings[i];
		struct vtx_rule_report *out = &r->rules[i];

		strscpy(out->id, f->rule->id, sizeof(out->id));
		strscpy(out->section, f->rule->section, sizeof(out->section));
		strscpy(out->field, f->rule->field, sizeof(out->field));
		strscpy(out->text, f->rule->text, sizeof(out->text));
		out->found = f->found;
		out->allowed = f->allowed;
	}
}

static void fill_text(struct vtx_vcpu *vcpu, const struct vtx_entry_check *c, struct vtx_failure_report *r)
{
	const char *who = c->refused_by_vtx ? "vtx (check_entry=1)" : "the processor";
	const struct vtx_rule_report *rule = &r->rules[0];
	char verdict[64];

	if (vcpu->exit_reason == ~0u)
		scnprintf(verdict, sizeof(verdict), "VM-instruction error %llu", r->qualification);
	else
		scnprintf(verdict, sizeof(verdict), "exit reason %#x, qualification %#llx", vcpu->exit_reason, r->qualification);
	if (c->n)
		scnprintf(r->text, sizeof(r->text), "VM entry refused by %s (%s): %s is %#llx, %s: %s", who, verdict, rule->field,
			 rule->found, rule->id, rule->text);
	else
		scnprintf(r->text, sizeof(r->text), "VM entry refused by %s (%s): no rule matched", who, verdict);
}

void vtx_entry_explain(struct vtx_vcpu *vcpu)
{
	struct vtx_entry_check *c = vcpu->entry_check;
	struct vtx_failure_report *r;

	if (!c->refused_by_vtx)
		try_rules(vcpu, groups_of_verdict(vcpu), true);
	r = vtx_report_begin(vcpu, VTX_FAILURE_ENTRY);
	fill_rules(c, r);
	fill_text(vcpu, c, r);
	c->refused_by_vtx = false;
	vtx_report_finish(vcpu);
	pr_info_ratelimited("vtx: vCPU %u: %s\n", vcpu->id, r->text);
}

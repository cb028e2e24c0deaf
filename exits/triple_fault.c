// SPDX-License-Identifier: GPL-2.0-only
/*
 * Triple fault: which exceptions led to it.
 *
 * With every exception intercepted (VTX_SET_FAULT_CHAIN) the chain has been written down one by one, as it has where vtx
 * raised the exceptions itself. Otherwise the processor tells nothing: its exit is not one "during event delivery" and has no
 * IDT-vectoring information (SDM vol. 3, 28.2.4). What is certain then is that #DF was being delivered, and, if the guest's own
 * tables show why that could not work, how it failed.
 */
#include <linux/srcu.h>
#include <asm/msr.h>
#include <asm/trapnr.h>
#include "exits/exits.h"
#include "exits/explain.h"
#include "trace/fault_chain.h"
#include "trace/report.h"
#include "vmx/event.h"
#include "vmx/regs.h"

#define MAX_STEPS 4	/* benign, contributory or page fault, #DF, and the last */

static void conclude(struct vtx_vcpu *vcpu, u8 vector, bool has_error, u32 error)
{
	struct vtx_fault_chain *chain = &vcpu->faults;
	struct vtx_fault_link link = {
		.fault = {
			.vector = vector,
			.error = error,
			.flags = VTX_FAULT_INFERRED | (has_error ? VTX_FAULT_HAS_ERROR : 0),
		},
	};

	vtx_fault_here(vcpu, &link);
	vtx_fault_chain_add(chain, &link, chain->nr ? &chain->link[chain->nr - 1].fault : NULL);
}

/*
 * A page fault's address is exact where the processor has to read one descriptor; of a stack frame it is somewhere in there, and
 * CR2, which has the last page fault's (SDM vol. 3, 6.15), knows where if this was the last.
 */
static void conclude_fault(struct vtx_vcpu *vcpu, const struct vtx_deliver_result *res, bool last)
{
	struct vtx_fault *fault;
	u64 cr2 = res->cr2;

	conclude(vcpu, res->vector, res->has_error, res->error);
	if (res->vector != X86_TRAP_PF)
		return;
	if (!res->exact_cr2 && (!last || vcpu->cr2 - res->cr2 >= res->span))
		return;
	if (!res->exact_cr2)
		cr2 = vcpu->cr2;
	fault = &vcpu->faults.link[vcpu->faults.nr - 1].fault;
	fault->cr2 = cr2;
	fault->flags |= VTX_FAULT_HAS_CR2;
}

/* Does @vector, as the guest's tables are, end in a triple fault? Then the chain gets what follows it. */
static bool follow(struct vtx_vcpu *vcpu, u8 vector)
{
	struct vtx_deliver_result steps[MAX_STEPS];
	enum vtx_exc_outcome outcome[MAX_STEPS];
	unsigned int i, n;

	for (n = 0; n < MAX_STEPS; n++) {
		if (vtx_explain_delivery(vcpu, vector, &steps[n]) != VTX_DELIVER_FAULT)
			return false;
		outcome[n] = vtx_exception_combine(vector, steps[n].vector);
		if (outcome[n] == VTX_EXC_TRIPLE)
			break;
		vector = outcome[n] == VTX_EXC_DOUBLE ? X86_TRAP_DF : steps[n].vector;
	}
	if (n == MAX_STEPS)
		return false;
	for (i = 0; i <= n; i++) {
		conclude_fault(vcpu, &steps[i], i == n);
		if (outcome[i] == VTX_EXC_DOUBLE)
			conclude(vcpu, X86_TRAP_DF, true, 0);
	}
	return true;
}

/* What can be said without having seen the exceptions. */
static void conclude_chain(struct vtx_vcpu *vcpu)
{
	struct vtx_deliver_result res;

	/* The entry injected one. If it cannot be delivered, it has not been, and began this. */
	if (vcpu->events.exc_entered && vcpu->faults.nr &&
	    vcpu->faults.link[vcpu->faults.nr - 1].fault.vector == vcpu->events.exc.vector && follow(vcpu, vcpu->events.exc.vector))
		return;
	vcpu->faults.nr = 0;
	conclude(vcpu, X86_TRAP_DF, true, 0);
	if (vtx_explain_delivery(vcpu, X86_TRAP_DF, &res) == VTX_DELIVER_FAULT)
		conclude_fault(vcpu, &res, true);
}

static void put_faults(struct vtx_vcpu *vcpu, struct vtx_failure_report *r)
{
	const struct vtx_fault_chain *chain = &vcpu->faults;
	unsigned int i;

	r->nr_faults = chain->nr;
	for (i = 0; i < chain->nr; i++) {
		struct vtx_fault *fault = &r->faults[i];

		*fault = chain->link[i].fault;
		fault->insn_len = vtx_read_code(vcpu, chain->link[i].linear_rip, fault->insn, sizeof(fault->insn));
	}
	r->insn_len = vtx_read_code(vcpu, r->rip + vtx_vmreadl(GUEST_CS_BASE), r->insn, sizeof(r->insn));
}

static const char how_to[] = ". Concluded from the guest's tables; VTX_SET_FAULT_CHAIN or fault_chain=1 shows every exception";

static void put_text(struct vtx_vcpu *vcpu, struct vtx_failure_report *r, bool seen)
{
	struct vtx_deliver_result res;
	size_t n, size = sizeof(r->text);
	unsigned int i;

	n = scnprintf(r->text, size, "Triple fault:");
	for (i = 0; i < r->nr_faults; i++)
		n += scnprintf(r->text + n, size - n, "%s %s", i ? "," : "", vtx_exception_name(r->faults[i].vector));
	if (vtx_explain_delivery(vcpu, X86_TRAP_DF, &res) == VTX_DELIVER_FAULT)
		n += scnprintf(r->text + n, size - n, "; vector 8 %s", vtx_deliver_text(res.why));
	if (!seen)
		n += scnprintf(r->text + n, size - n, "%s", how_to);
	scnprintf(r->text + n, size - n, ".");
}

static int report(struct vtx_vcpu *vcpu, bool seen)
{
	struct vtx_failure_report *r;
	int idx = srcu_read_lock(&vcpu->vm->srcu);

	if (!seen)
		conclude_chain(vcpu);
	r = vtx_report_begin(vcpu, VTX_FAILURE_TRIPLE_FAULT);
	put_faults(vcpu, r);
	put_text(vcpu, r, seen);
	vtx_report_finish(vcpu);
	srcu_read_unlock(&vcpu->vm->srcu, idx);
	vcpu->faults.nr = 0;
	vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
	return VTX_EXIT_USER;
}

int vtx_exit_triple_fault(struct vtx_vcpu *vcpu)
{
	return report(vcpu, false);
}

int vtx_triple_fault_raised(struct vtx_vcpu *vcpu)
{
	return report(vcpu, true);
}

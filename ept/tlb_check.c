// SPDX-License-Identifier: GPL-2.0-only
/*
 * The TLB ledger (tlb_check=1): a second book of what processors may still hold, kept apart from the one that decides (ept/tlb.c),
 * and compared with it.  Emulators that flush at every entry cannot show a forgotten flush; this can.
 *
 * Entered in the book is only what was really done: for each CPU the generation that was current when it last executed INVEPT for this
 * EPT (flushed[]; 0 never), and for each vCPU with which of these it went into the guest (entered).  Two rules are checked:
 *
 *  1. At each VM entry: this CPU has executed INVEPT for a generation at least as new as all that the vCPU has seen, as its own note
 *     (ept_gen) and as the generation that was current at its last entry (due).  It finds an INVEPT that was skipped or is missing
 *     in the run loop, one for another CPU than this one (a migration), and the first entry of a new VM whose EPTP an old one had.
 *  2. Whenever entries were taken away, after the flush and before what they showed is given back: no vCPU is in the guest with an
 *     older generation.  It finds a kick that was not sent, was sent elsewhere, or was not waited for.
 *
 * Neither may cry wolf.  1: a vCPU reads the generation after it has set its mode, so one that was current at its last entry is no
 * news. 2: @entered and then @since are written with interrupts off before an entry; exit_tsc, which is another at each exit,
 * is written before interrupts are taken again.  So who finds @since equal to exit_tsc has looked while the vCPU was between the two.
 * When the flush returns, a vCPU that was there with an old generation has taken the interrupt, and so has written exit_tsc; the
 * acknowledgement orders that before our look. One that came there later has read the new generation, by the argument in
 * ept/tlb.c.
 */
#include <linux/jump_label.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "ept/table.h"
#include "trace/failure.h"
#include "vmx/vcpu.h"

static bool tlb_check;
module_param(tlb_check, bool, 0444);
MODULE_PARM_DESC(tlb_check, "check before every VM entry and after every flush that no stale translation is left (default N)");

bool vtx_tlb_check_wanted(void)
{
	return tlb_check;
}

int vtx_tlb_check_alloc(struct vtx_ept *ept)
{
	if (!tlb_check)
		return 0;
	ept->flushed = kvcalloc(nr_cpu_ids, sizeof(*ept->flushed), GFP_KERNEL_ACCOUNT);
	return ept->flushed ? 0 : -ENOMEM;
}

void vtx_tlb_check_free(struct vtx_ept *ept)
{
	kvfree(ept->flushed);
	ept->flushed = NULL;
}

void vtx_tlb_check_flushed(struct vtx_ept *ept, u64 gen)
{
	if (ept->flushed)
		ept->flushed[smp_processor_id()] = gen;
}

bool vtx_tlb_check_entry(struct vtx_vcpu *vcpu)
{
	struct vtx_ept *ept = &vcpu->vm->ept;
	struct vtx_tlb_ledger *t = &vcpu->tlb_ledger;
	u64 need = max3(vcpu->ept_gen, t->due, 1ULL), done;
	int cpu = smp_processor_id();

	if (!ept->flushed)
		return true;
	done = ept->flushed[cpu];
	if (unlikely(done < need)) {
		vtx_vm_fail(vcpu->vm, vcpu, "TLB ledger: CPU %d last executed INVEPT for generation %llu, entry needs %llu",
			    cpu, done, need);
		return false;
	}
	t->due = atomic64_read(&ept->gen);
	WRITE_ONCE(t->entered, done);
	/* Who sees @since sees @entered of this entry or a later one: pairs with smp_rmb() in still_inside(). */
	smp_wmb();
	WRITE_ONCE(t->since, vcpu->exit_tsc);
	return true;
}

/* Is the vCPU in the guest with a generation older than @gen, which is then in *@entered? */
static bool still_inside(struct vtx_vcpu *vcpu, u64 gen, u64 *entered)
{
	struct vtx_tlb_ledger *t = &vcpu->tlb_ledger;
	u64 since = READ_ONCE(t->since);

	smp_rmb(); /* pairs with smp_wmb() in vtx_tlb_check_entry() */
	*entered = READ_ONCE(t->entered);
	smp_rmb(); /* exit_tsc last: equal means that the exit had not come when @since was read */
	return *entered && *entered < gen && READ_ONCE(vcpu->exit_tsc) == since && READ_ONCE(vcpu->mode) == VTX_IN_GUEST;
}

void vtx_tlb_check_zapped(struct vtx_vm *vm, u64 gen)
{
	struct vtx_vcpu *vcpu;
	u64 entered;
	int i;

	if (!vm->ept.flushed)
		return;
	smp_mb(); /* the look after the flush's acknowledgements, which were waited for */
	vtx_for_each_vcpu(i, vcpu, vm) {
		if (likely(!still_inside(vcpu, gen, &entered)))
			continue;
		vtx_vm_fail(vm, NULL, "TLB ledger: vCPU %u is in the guest on CPU %d with generation %llu, pages of before %llu are given back",
			    vcpu->id, READ_ONCE(vcpu->cpu), entered, gen);
		return;
	}
}

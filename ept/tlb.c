// SPDX-License-Identifier: GPL-2.0-only
/*
 * Translations that processors keep: INVEPT by generation, and INVVPID.
 *
 * vm->ept.gen counts the times entries were taken away.  A vCPU compares it with the generation it last flushed
 * for, right before each VM entry, and executes INVEPT when they differ.  vtx_ept_flush() has to make sure that
 * nobody goes on with old translations:
 *
 *	taking entries away			VM entry (interrupts off)
 *	A: clear the entries			1: mode = IN_GUEST
 *	B: gen++         (full barrier)		   full barrier
 *	C: read mode; IN_GUEST: IPI, wait	2: read gen; differs: INVEPT
 *						3: VM entry
 *
 * If 2 reads the new gen, then A came before it, and INVEPT drops all that was cached from before A: fine. If 2
 * reads the old gen, then 2 came before B, so 1 before C by the two barriers, and C sees IN_GUEST.  The IPI stays
 * pending while interrupts are off and then ends guest mode; its acknowledgement arrives after the guest was left.
 * The next entry reads the new gen. A vCPU that re-enters without leaving IN_GUEST in between is covered by the
 * second case.
 *
 * vcpu->cpu cannot change while the vCPU is IN_GUEST.  If C reads a CPU number that is old already, the vCPU has
 * gone through 1 and 2 again since B, and the IPI is superfluous.
 *
 * The generation is a number of the VM, and says nothing about what one CPU keeps: a vCPU that arrives on another CPU flushes at its
 * first entry there, whatever it has flushed elsewhere (vtx_ept_tlb_new_cpu()).  That also drops what an earlier VM left under the
 * same EPTP, whose root was this page.
 *
 * tlb_check=1 keeps books on all of this and compares them: ept/tlb_check.c.
 *
 * The waiting must not be done with ept->lock held: the fast EPT violation path takes it with interrupts off.
 */
#include <linux/cpumask.h>
#include <linux/idr.h>
#include <linux/smp.h>
#include "ept/table.h"
#include "trace/failure.h"
#include "vmx/caps.h"
#include "vmx/vcpu.h"

/* Descriptors, SDM vol. 3, chapter 31, INVEPT and INVVPID. */
struct invept_operand {
	u64 eptp, reserved;
};

struct invvpid_operand {
	u64 vpid;	/* bits 15:0; the others are reserved */
	u64 address;
};

static bool invept(unsigned long type, const struct invept_operand *operand)
{
	bool failed;

	asm volatile("stc\n"
		     "1: invept %1, %2\n"
		     "2:\n" _ASM_EXTABLE(1b, 2b)
		     : "=@ccbe"(failed)
		     : "m"(*operand), "r"(type)
		     : "memory");
	return !failed;
}

static bool invvpid(unsigned long type, const struct invvpid_operand *operand)
{
	bool failed;

	asm volatile("stc\n"
		     "1: invvpid %1, %2\n"
		     "2:\n" _ASM_EXTABLE(1b, 2b)
		     : "=@ccbe"(failed)
		     : "m"(*operand), "r"(type)
		     : "memory");
	return !failed;
}

void vtx_ept_tlb_before_entry(struct vtx_vcpu *vcpu)
{
	struct vtx_ept *ept = &vcpu->vm->ept;
	u64 gen = atomic64_read(&ept->gen);
	struct invept_operand operand = { .eptp = ept->eptp };
	unsigned long type = VMX_EPT_EXTENT_CONTEXT;

	if (likely(vcpu->ept_gen == gen))
		return;
	vcpu->counts.tlb_flush++;
	if (!vtx_caps.invept_single) {
		operand.eptp = 0;
		type = VMX_EPT_EXTENT_GLOBAL;
	}
	if (unlikely(!invept(type, &operand)))
		vtx_vm_fail(vcpu->vm, vcpu, "INVEPT type %lu of EPTP %#llx was refused (SDM vol. 3, 29.4.3)", type,
			    operand.eptp);
	else
		vtx_tlb_check_flushed(ept, gen);
	vcpu->ept_gen = gen;
}

void vtx_ept_tlb_new_cpu(struct vtx_vcpu *vcpu)
{
	/* No generation is 0, so the next entry flushes. The generation says nothing about what this CPU has kept. */
	vcpu->ept_gen = 0;
	vtx_vpid_flush(vcpu);
}

void vtx_vpid_flush(struct vtx_vcpu *vcpu)
{
	struct invvpid_operand operand = { .vpid = vcpu->vpid };
	unsigned long type = VMX_VPID_EXTENT_SINGLE_CONTEXT;

	/* Without VPID each entry and exit drops linear translations (SDM vol. 3, 29.4.3.1). */
	if (!vcpu->vpid)
		return;
	vcpu->counts.tlb_flush++;
	if (!vtx_caps.invvpid_single) {
		operand.vpid = 0;
		type = VMX_VPID_EXTENT_ALL_CONTEXT;
	}
	if (unlikely(!invvpid(type, &operand)))
		vtx_vm_fail(vcpu->vm, vcpu, "INVVPID type %lu of VPID %u was refused (SDM vol. 3, 29.4.3)", type,
			    vcpu->vpid);
}

/* The interrupt is the message: it ends guest mode. */
static void left_guest_mode(void *unused)
{
}

/*
 * Makes all CPUs that run a vCPU of @vm leave guest mode, and waits for it. Preemption off, interrupts on.
 * Return: was there any?
 */
static bool kick_and_wait(struct vtx_vm *vm)
{
	int self = smp_processor_id(), first = -1;
	struct vtx_vcpu *vcpu;
	cpumask_var_t mask;
	bool many = false;
	int i, cpu;

	vtx_for_each_vcpu(i, vcpu, vm) {
		if (READ_ONCE(vcpu->mode) != VTX_IN_GUEST)
			continue;
		cpu = READ_ONCE(vcpu->cpu);
		if (cpu < 0 || cpu == self || cpu == first)
			continue;
		if (first < 0) {
			first = cpu;
			continue;
		}
		if (!many) {
			many = zalloc_cpumask_var(&mask, GFP_ATOMIC | __GFP_NOWARN);
			if (!many) {
				/* Too many rather than too few. */
				smp_call_function(left_guest_mode, NULL, 1);
				return true;
			}
		}
		cpumask_set_cpu(cpu, mask);
	}
	if (many) {
		cpumask_set_cpu(first, mask);
		smp_call_function_many(mask, left_guest_mode, NULL, true);
		free_cpumask_var(mask);
	} else if (first >= 0) {
		smp_call_function_single(first, left_guest_mode, NULL, 1);
	}
	return first >= 0;
}

void vtx_ept_flush(struct vtx_vm *vm)
{
	/* The increment returns a value, so it is a full barrier; see the top of this file for what it orders. */
	u64 gen = atomic64_inc_return(&vm->ept.gen);

	atomic64_inc(&vm->remote_tlb_flush_requests);
	preempt_disable();
	if (kick_and_wait(vm))
		atomic64_inc(&vm->remote_tlb_flush);
	preempt_enable();
	vtx_tlb_check_zapped(vm, gen);
}

/* ------------------------------------------------------------------ VPIDs */

static DEFINE_IDA(vpids);

u16 vtx_vpid_alloc(void)
{
	int vpid;

	if (!vtx_caps.vpid)
		return 0;
	/*
	 * 0 is the host's. A number comes back into use only after vtx_ept_tlb_new_cpu() on each CPU that meets it.
	 */
	vpid = ida_alloc_range(&vpids, 1, 0xffff, GFP_KERNEL_ACCOUNT);
	return vpid < 0 ? 0 : vpid;
}

void vtx_vpid_free(u16 vpid)
{
	if (vpid)
		ida_free(&vpids, vpid);
}

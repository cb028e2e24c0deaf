// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMCS regions: allocation, who is current where, VMCLEAR before a move (SDM vol. 3, 25.11.1).
 *
 * A VMCS that was loaded on a CPU must be VMCLEARed there before another CPU loads it or its page is freed.  Each CPU keeps a
 * list of the VMCSs active on it; the list is touched by that CPU alone with interrupts off.
 */
#include <linux/gfp.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <asm/nospec-branch.h>
#include "trace/failure.h"
#include "vmx/caps.h"
#include "vmx/onoff.h"
#include "vmx/vcpu.h"
#include "vmx/vmcs.h"

static DEFINE_PER_CPU(struct list_head, active_vmcs);
static DEFINE_PER_CPU(struct vtx_vmcs *, current_vmcs);

void vtx_vmcs_init_cpu(int cpu)
{
	INIT_LIST_HEAD(&per_cpu(active_vmcs, cpu));
}

static void vmclear(u64 phys)
{
	asm volatile("1: vmclear %0\n"
		     "2:\n" _ASM_EXTABLE(1b, 2b)::"m"(phys)
		     : "cc", "memory");
}

static bool vmptrld(u64 phys)
{
	bool failed;

	asm volatile("stc\n"
		     "1: vmptrld %1\n"
		     "2:\n" _ASM_EXTABLE(1b, 2b)
		     : "=@ccbe"(failed)
		     : "m"(phys)
		     : "memory");
	return !failed;
}

int vtx_vmcs_alloc(struct vtx_vmcs *vmcs)
{
	vmcs->page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vmcs->page)
		return -ENOMEM;
	vmcs->page->revision = vtx_caps.vmcs_revision;
	vmcs->phys = __pa(vmcs->page);
	vmcs->cpu = -1;
	vmcs->launched = false;
	INIT_LIST_HEAD(&vmcs->node);
	return 0;
}

/* Caller has cleared it. */
void vtx_vmcs_free(struct vtx_vmcs *vmcs)
{
	free_page((unsigned long)vmcs->page);
	vmcs->page = NULL;
}

static void clear_here(void *data)
{
	struct vtx_vmcs *vmcs = data;

	if (vmcs->cpu != smp_processor_id())
		return; /* the CPU went offline and cleared it meanwhile */
	vmclear(vmcs->phys);
	if (this_cpu_read(current_vmcs) == vmcs)
		this_cpu_write(current_vmcs, NULL);
	list_del_init(&vmcs->node);
	vmcs->launched = false;
	/* The next CPU must not see cpu == -1 before the rest. Pairs with the acquire in vtx_vmcs_load(). */
	smp_store_release(&vmcs->cpu, -1);
}

/* Clears @vmcs wherever it is. May not be called with interrupts off unless it is active on this CPU. */
void vtx_vmcs_clear(struct vtx_vmcs *vmcs)
{
	int cpu = READ_ONCE(vmcs->cpu);

	if (cpu >= 0)
		smp_call_function_single(cpu, clear_here, vmcs, 1);
}

/* Interrupts off, or NMI in a crash. Walks the list without trusting it to be empty afterwards. */
void vtx_vmcs_clear_all_on_this_cpu(void)
{
	struct vtx_vmcs *vmcs, *next;

	list_for_each_entry_safe(vmcs, next, this_cpu_ptr(&active_vmcs), node) {
		if (vtx_rebooting)
			vmclear(vmcs->phys); /* others may hold pointers: leave the list alone */
		else
			clear_here(vmcs);
	}
}

/* Makes @vmcs current on this CPU. Preemption off. */
void vtx_vmcs_load(struct vtx_vmcs *vmcs)
{
	int cpu = smp_processor_id();
	struct vtx_vmcs *previous;
	unsigned long flags;

	/* Pairs with the release in clear_here(). */
	if (smp_load_acquire(&vmcs->cpu) != cpu)
		vtx_vmcs_clear(vmcs);

	local_irq_save(flags);
	previous = this_cpu_read(current_vmcs);
	if (vmcs->cpu != cpu) {
		vmcs->cpu = cpu;
		list_add(&vmcs->node, this_cpu_ptr(&active_vmcs));
	}
	if (previous != vmcs) {
		this_cpu_write(current_vmcs, vmcs);
		if (!vmptrld(vmcs->phys) && !vtx_rebooting)
			vtx_vm_fail(container_of(vmcs, struct vtx_vcpu, vmcs)->vm, NULL,
				    "VMPTRLD of the VMCS at 0x%llx failed on CPU %d", vmcs->phys, cpu);
		/* Another guest's branch history must not steer this one (bug class CVE-2022-2196). */
		indirect_branch_prediction_barrier();
	}
	local_irq_restore(flags);
}

struct vtx_vcpu *vtx_vcpu_running(void)
{
	struct vtx_vmcs *vmcs = this_cpu_read(current_vmcs);

	return vmcs ? container_of(vmcs, struct vtx_vcpu, vmcs) : NULL;
}

static void access_failed(const char *what, unsigned long field, unsigned long value)
{
	struct vtx_vcpu *vcpu;

	if (vtx_rebooting)
		return;
	preempt_disable();
	vcpu = vtx_vcpu_running();
	if (vcpu)
		vtx_vm_fail(vcpu->vm, NULL, "%s of VMCS field 0x%lx (value 0x%lx) failed on CPU %d", what, field, value,
			    smp_processor_id());
	else
		WARN_ONCE(1, "vtx: %s of VMCS field 0x%lx without a current VMCS\n", what, field);
	preempt_enable();
}

noinline void vtx_vmcs_read_failed(unsigned long field)
{
	access_failed("VMREAD", field, 0);
}

noinline void vtx_vmcs_write_failed(unsigned long field, unsigned long value)
{
	access_failed("VMWRITE", field, value);
}

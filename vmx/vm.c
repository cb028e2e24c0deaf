// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM's life: creation, references, the end.
 */
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "ept/ept.h"
#include "irqchip/irqchip.h"
#include "trace/stats.h"
#include "vmx/onoff.h"
#include "vmx/vcpu.h"
#include "vmx/vm.h"

static struct vtx_vm *alloc_vm(void)
{
	struct vtx_vm *vm = kvzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);

	if (!vm)
		return NULL;
	refcount_set(&vm->users, 1);
	mutex_init(&vm->lock);
	mutex_init(&vm->slots_lock);
	mutex_init(&vm->irq_lock);
	spin_lock_init(&vm->diagnosis.lock);
	INIT_LIST_HEAD(&vm->irqfds);
	INIT_LIST_HEAD(&vm->ioeventfds);
	return vm;
}

struct vtx_vm *vtx_vm_create(void)
{
	struct vtx_vm *vm = alloc_vm();
	int r;

	if (!vm)
		return ERR_PTR(-ENOMEM);
	r = init_srcu_struct(&vm->srcu);
	if (r)
		goto free_vm;
	r = vtx_coalesced_alloc(vm);
	if (r)
		goto free_srcu;
	r = vtx_vmx_get();
	if (r)
		goto free_ring;
	vm->mm = current->mm;
	mmgrab(vm->mm);
	r = vtx_ept_create(vm);
	if (r)
		goto put_vmx;
	vtx_clock_init(vm);
	preempt_notifier_inc();
	return vm;

put_vmx:
	mmdrop(vm->mm);
	vtx_vmx_put();
free_ring:
	vtx_coalesced_free(vm);
free_srcu:
	cleanup_srcu_struct(&vm->srcu);
free_vm:
	kvfree(vm);
	return ERR_PTR(r);
}

void vtx_vm_get(struct vtx_vm *vm)
{
	refcount_inc(&vm->users);
}

static void destroy(struct vtx_vm *vm)
{
	int i;

	vtx_trace_vm_destroyed(vm);
	/* Timers, irqfds and the MMU notifier first: they look at vCPUs. */
	vtx_irqchip_release_fds(vm);
	vtx_ept_destroy(vm);
	for (i = 0; i < vm->num_vcpus; i++)
		vtx_vcpu_destroy(vm->vcpus[i]);
	vtx_irqchip_destroy(vm);
	preempt_notifier_dec();
	mmdrop(vm->mm);
	vtx_vmx_put();
	cleanup_srcu_struct(&vm->srcu);
	vtx_msr_filter_free(vm);
	vtx_coalesced_free(vm);
	kvfree(vm);
}

void vtx_vm_put(struct vtx_vm *vm)
{
	if (refcount_dec_and_test(&vm->users))
		destroy(vm);
}

struct vtx_vcpu *vtx_vcpu_by_id(struct vtx_vm *vm, u32 id)
{
	struct vtx_vcpu *vcpu;
	int i;

	vtx_for_each_vcpu(i, vcpu, vm)
		if (vcpu->id == id)
			return vcpu;
	return NULL;
}

void vtx_vm_request_all(struct vtx_vm *vm, unsigned int request)
{
	struct vtx_vcpu *vcpu;
	int i;

	vtx_for_each_vcpu(i, vcpu, vm)
		vtx_vcpu_request_kick(vcpu, request);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_PRE_FAULT_MEMORY: maps guest memory before the guest touches it.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include "compat/kvm_uapi.h"
#include "uapi/ioctl.h"
#include "uapi/refuse.h"

#define AT(field) offsetof(struct kvm_pre_fault_memory, field)

static int check(const struct kvm_pre_fault_memory *range)
{
	if (range->flags)
		return VTX_REFUSE(PRE_FAULT_FLAGS, AT(flags), range->flags, 0);
	if (!PAGE_ALIGNED(range->gpa))
		return VTX_REFUSE(PRE_FAULT_ALIGN, AT(gpa), range->gpa, PAGE_SIZE);
	if (!PAGE_ALIGNED(range->size))
		return VTX_REFUSE(PRE_FAULT_ALIGN, AT(size), range->size, PAGE_SIZE);
	if (range->gpa + range->size <= range->gpa)
		return VTX_REFUSE(PRE_FAULT_RANGE, AT(size), range->size, -range->gpa - PAGE_SIZE);
	return 0;
}

/* As reads of the guest would. What has not been done is left in the argument; having done a part is success. */
long vtx_call_pre_fault_memory(struct vtx_call *call)
{
	struct kvm_pre_fault_memory *range = call->data;
	u64 size = range->size;
	long r = check(range);

	if (r)
		return r;
	while (range->size) {
		r = signal_pending(current) ? -EINTR : vtx_ept_prefault(call->vcpu, range->gpa, range->size);
		if (r < 0)
			break;
		range->gpa += r;
		range->size -= r;
		cond_resched();
	}
	return range->size == size ? r : 0;
}

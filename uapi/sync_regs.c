// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_CAP_SYNC_REGS: registers that pass through struct kvm_run with KVM_RUN, which saves its caller an ioctl for each set of them.
 *
 * kvm_dirty_regs names the sets that KVM_RUN takes out of the page before it goes on, kvm_valid_regs those that it leaves there
 * afterwards. The page is shared memory: a set is copied before it is looked at.
 */
#include "uapi/ioctl.h"
#include "uapi/refuse.h"

union reg_set {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_vcpu_events events;
};

struct sync_part {
	u64 bit;
	u32 offset;	/* in struct kvm_run */
	u32 size;
	long (*get)(struct vtx_call *call);
	long (*set)(struct vtx_call *call);
};

#define PART(name, field) \
	{ KVM_SYNC_X86_##name, offsetof(struct kvm_run, s.regs.field), sizeof_field(struct kvm_run, s.regs.field), \
	  vtx_call_get_##field, vtx_call_set_##field }

/* In the order in which they are set: KVM's. */
static const struct sync_part parts[] = {
	PART(REGS, regs),
	PART(SREGS, sregs),
	PART(EVENTS, events),
};

static_assert(KVM_SYNC_X86_VALID_FIELDS == (KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS));

static int take(struct vtx_vcpu *vcpu, const struct sync_part *part)
{
	struct kvm_run *page = vcpu->run;
	union reg_set set;
	struct vtx_call call = { .vm = vcpu->vm, .vcpu = vcpu, .cmd = KVM_RUN, .data = &set };
	int ret;

	memcpy(&set, (u8 *)page + part->offset, part->size);
	ret = part->set(&call);
	if (ret) {
		vtx_refused_within(part->offset);
		return ret;
	}
	WRITE_ONCE(page->kvm_dirty_regs, READ_ONCE(page->kvm_dirty_regs) & ~part->bit);
	return 0;
}

int vtx_sync_regs_take(struct vtx_vcpu *vcpu, u64 valid, u64 dirty)
{
	unsigned int i;
	int ret = 0, idx;

	if (valid & ~KVM_SYNC_X86_VALID_FIELDS)
		return VTX_REFUSE(RUN_SYNC_REGS, offsetof(struct kvm_run, kvm_valid_regs), valid, KVM_SYNC_X86_VALID_FIELDS);
	if (dirty & ~KVM_SYNC_X86_VALID_FIELDS)
		return VTX_REFUSE(RUN_SYNC_REGS, offsetof(struct kvm_run, kvm_dirty_regs), dirty, KVM_SYNC_X86_VALID_FIELDS);
	idx = srcu_read_lock(&vcpu->vm->srcu); /* PDPTEs are read from guest memory */
	for (i = 0; i < ARRAY_SIZE(parts) && !ret; i++)
		if (dirty & parts[i].bit)
			ret = take(vcpu, &parts[i]);
	srcu_read_unlock(&vcpu->vm->srcu, idx);
	return ret;
}

void vtx_sync_regs_leave(struct vtx_vcpu *vcpu, u64 valid)
{
	union reg_set set;
	struct vtx_call call = { .vm = vcpu->vm, .vcpu = vcpu, .cmd = KVM_RUN, .data = &set };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		if (!(valid & parts[i].bit))
			continue;
		memset(&set, 0, sizeof(set));
		parts[i].get(&call);	/* none of the three fails */
		memcpy((u8 *)vcpu->run + parts[i].offset, &set, parts[i].size);
	}
}

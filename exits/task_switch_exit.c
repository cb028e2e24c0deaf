// SPDX-License-Identifier: GPL-2.0-only
/*
 * The exit for a hardware task switch: moves the vCPU's state into the pure core (exits/task_switch.c) and back.
 */
#include <linux/mm.h>
#include <asm/debugreg.h>
#include <asm/vmx.h>
#include "exits/exits.h"
#include "exits/explain.h"
#include "exits/guest_mem.h"
#include "exits/task_switch.h"
#include "vmx/cr.h"
#include "vmx/event.h"
#include "vmx/regs.h"

#define QUAL_SELECTOR(q) ((q) & 0xffff)
#define QUAL_SOURCE(q)	 ((q) >> 30 & 3)

#define DR7_LOCAL_ENABLES (DR_LOCAL_ENABLE_MASK | DR_LOCAL_SLOWDOWN)

static_assert((int)VTX_LDTR == VTX_TASK_LDTR && (int)VTX_TR == VTX_TASK_TR);

static int access_read(void *opaque, u32 lin, void *buf, unsigned int len, struct vtx_emu_exception *exc)
{
	struct vtx_vcpu *vcpu = opaque;
	struct vtx_walk_cpu walk = {};

	vtx_walk_cpu_fill(vcpu, &walk);
	return vtx_gva_read(vcpu, &walk, lin, buf, len, VTX_WALK_IMPLICIT, exc);
}

static int access_write(void *opaque, u32 lin, const void *buf, unsigned int len, struct vtx_emu_exception *exc)
{
	struct vtx_vcpu *vcpu = opaque;
	struct vtx_walk_cpu walk = {};

	vtx_walk_cpu_fill(vcpu, &walk);
	return vtx_gva_write(vcpu, &walk, lin, buf, len, VTX_WALK_IMPLICIT, exc);
}

static int access_probe(void *opaque, u32 lin, unsigned int len, struct vtx_emu_exception *exc)
{
	struct vtx_vcpu *vcpu = opaque;
	struct vtx_walk_cpu walk = {};
	u64 gpa;
	int ret;

	vtx_walk_cpu_fill(vcpu, &walk);
	ret = vtx_gva_to_gpa(vcpu, &walk, lin, VTX_WALK_WRITE | VTX_WALK_IMPLICIT, &gpa, exc);
	if (!ret && offset_in_page(lin) + len > PAGE_SIZE)
		ret = vtx_gva_to_gpa(vcpu, &walk, (u32)(lin + len - 1), VTX_WALK_WRITE | VTX_WALK_IMPLICIT, &gpa, exc);
	return ret;
}

static int access_push(void *opaque, unsigned int cpl, u32 lin, const void *buf, unsigned int len,
		       struct vtx_emu_exception *exc)
{
	struct vtx_vcpu *vcpu = opaque;
	struct vtx_walk_cpu walk = {};

	vtx_walk_cpu_fill(vcpu, &walk);
	walk.cpl = cpl;
	return vtx_gva_write(vcpu, &walk, lin, buf, len, 0, exc);
}

static int access_set_cr3(void *opaque, u32 cr3)
{
	return vtx_set_cr3(opaque, cr3);
}

static const struct vtx_task_ops task_ops = {
	.read = access_read,
	.write = access_write,
	.probe = access_probe,
	.push = access_push,
	.set_cr3 = access_set_cr3,
};

static void load_state(struct vtx_vcpu *vcpu, struct vtx_task_state *s)
{
	unsigned int i;

	for (i = 0; i < 8; i++)
		s->regs[i] = vtx_gpr(vcpu, i);
	s->eip = vtx_rip(vcpu);
	s->eflags = vtx_rflags(vcpu);
	for (i = 0; i < VTX_NR_SEGS; i++)
		s->seg[i] = (struct vtx_emu_seg){
			.base = vtx_vmreadl(GUEST_ES_BASE + 2 * i),
			.limit = vtx_vmread32(GUEST_ES_LIMIT + 2 * i),
			.ar = vtx_vmread32(GUEST_ES_AR_BYTES + 2 * i),
			.selector = vtx_vmread16(GUEST_ES_SELECTOR + 2 * i),
		};
	s->gdt_base = vtx_vmreadl(GUEST_GDTR_BASE);
	s->gdt_limit = vtx_vmread32(GUEST_GDTR_LIMIT);
	s->paging = vtx_paging(vcpu);
}

static void store_state(struct vtx_vcpu *vcpu, const struct vtx_task_state *s)
{
	unsigned int i;

	for (i = 0; i < 8; i++)
		vtx_set_gpr(vcpu, i, s->regs[i]);
	vtx_set_rip(vcpu, s->eip);
	vtx_set_rflags(vcpu, s->eflags);
	for (i = 0; i < VTX_NR_SEGS; i++) {
		vtx_vmwritel(GUEST_ES_BASE + 2 * i, s->seg[i].base);
		vtx_vmwrite32(GUEST_ES_LIMIT + 2 * i, s->seg[i].limit);
		vtx_vmwrite32(GUEST_ES_AR_BYTES + 2 * i, s->seg[i].ar);
		vtx_vmwrite16(GUEST_ES_SELECTOR + 2 * i, s->seg[i].selector);
	}
}

/*
 * A task gate in the IDT: the event whose delivery caused the exit is what the switch delivers. An interrupt or NMI counts as
 * delivered even if the switch faults; an exception stays on its way until then, so that a fault makes it a double fault.
 * Returns whether RIP of the old task is past an instruction: it is for all but faults and events from outside.
 */
static bool take_event(struct vtx_vcpu *vcpu, struct vtx_task_switch *what)
{
	u32 vectoring = vtx_vmread32(IDT_VECTORING_INFO_FIELD), type = vectoring & VECTORING_INFO_TYPE_MASK;

	if (what->source != VTX_TASK_GATE || !(vectoring & VECTORING_INFO_VALID_MASK))
		return true;

	vcpu->events.irq.injected = false;
	vcpu->events.nmi_injected = false;
	if (type == INTR_TYPE_NMI_INTR)
		vtx_set_nmi_blocked(vcpu, true);
	if (type == INTR_TYPE_HARD_EXCEPTION && (vectoring & VECTORING_INFO_DELIVER_CODE_MASK)) {
		what->has_error = true;
		what->error = vtx_vmread32(IDT_VECTORING_ERROR_CODE);
	}
	return type != INTR_TYPE_HARD_EXCEPTION && type != INTR_TYPE_EXT_INTR && type != INTR_TYPE_NMI_INTR;
}

static void finish(struct vtx_vcpu *vcpu, const struct vtx_task_state *s)
{
	store_state(vcpu, s);
	vtx_set_cr0(vcpu, vtx_cr0(vcpu) | X86_CR0_TS);
	vtx_set_dr(vcpu, 7, vtx_get_dr(vcpu, 7) & ~(u64)DR7_LOCAL_ENABLES);
	vtx_end_shadow(vcpu);
}

int vtx_exit_task_switch(struct vtx_vcpu *vcpu)
{
	u64 qual = vtx_qualification(vcpu);
	struct vtx_task_switch what = { .source = QUAL_SOURCE(qual), .selector = QUAL_SELECTOR(qual) };
	struct vtx_emu_exception exc = {};
	struct vtx_task_state state = {};
	int ret;

	load_state(vcpu, &state);
	if (take_event(vcpu, &what))
		state.eip += vtx_insn_len(vcpu);
	ret = vtx_task_switch(&state, &what, &task_ops, vcpu, &exc);
	if (ret == -EAGAIN || ret == -EFAULT) { /* a TSS or descriptor table outside memory */
		vtx_report_internal(vcpu, "Task switch to selector %#x: a TSS or descriptor table it needs is not in memory.", what.selector);
		return vtx_exit_internal_error(vcpu, KVM_INTERNAL_ERROR_EMULATION, 0, NULL);
	}
	if (ret < 0)
		return ret;
	if (ret != VTX_TASK_FAULT_OLD) {
		vcpu->events.exc.injected = false;
		finish(vcpu, &state);
	}
	if (ret != VTX_TASK_DONE)
		vtx_inject_emu_exception(vcpu, &exc);
	else if (state.debug_trap)
		vtx_inject_debug(vcpu, VTX_DR6_BT);
	return VTX_EXIT_RESUME;
}

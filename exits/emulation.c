// SPDX-License-Identifier: GPL-2.0-only
/*
 * Emulates the instruction at RIP: moves the vCPU's state into the emulator and back, and turns its answer into what the run
 * loop understands.
 *
 * While a read waits for user space the guest's registers are as before the instruction (before the iteration, for REP); when
 * user space sees a write they are as after it. KVM_GET_REGS shows that then, and KVM does the same.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include "emulate/decode.h"
#include "exits/emulation.h"
#include "exits/exits.h"
#include "exits/explain.h"
#include "exits/guest_mem.h"
#include "exits/mmio_log.h"
#include "trace/events.h"
#include "vmx/event.h"
#include "vmx/guest_debug.h"
#include "vmx/regs.h"

#define MAX_ITERATIONS 256	/* of a REP instruction between two looks at signals and interrupts */

static_assert((int)VTX_RSP == VTX_EMU_RSP && (int)VTX_R15 == VTX_EMU_R15 && (int)VTX_NR_GPRS == VTX_EMU_NR_REGS);
static_assert((int)VTX_CS == VTX_EMU_CS && (int)VTX_GS == VTX_EMU_GS);

/* Instructions that the processor has, whatever the guest's CPUID says: outside the emulator it executes them as well. */
static u32 host_instructions(void)
{
	static const struct {
		u16 feature;
		u16 bit;
	} map[] = {
		{ X86_FEATURE_MOVBE, VTX_EMU_CPU_MOVBE }, { X86_FEATURE_POPCNT, VTX_EMU_CPU_POPCNT },
		{ X86_FEATURE_ABM, VTX_EMU_CPU_LZCNT },	  { X86_FEATURE_BMI1, VTX_EMU_CPU_BMI1 },
		{ X86_FEATURE_AVX, VTX_EMU_CPU_AVX },	  { X86_FEATURE_AVX2, VTX_EMU_CPU_AVX2 },
		{ X86_FEATURE_XMM3, VTX_EMU_CPU_SSE3 },	  { X86_FEATURE_XMM4_1, VTX_EMU_CPU_SSE41 },
		{ X86_FEATURE_CX16, VTX_EMU_CPU_CX16 },
	};
	unsigned int i;
	u32 bits = 0;

	for (i = 0; i < ARRAY_SIZE(map); i++)
		if (test_cpu_cap(&boot_cpu_data, map[i].feature))
			bits |= map[i].bit;
	return bits;
}

int vtx_emu_alloc(struct vtx_vcpu *vcpu)
{
	struct vtx_emulation *em = kzalloc(sizeof(*em), GFP_KERNEL_ACCOUNT);

	if (!em)
		return -ENOMEM;
	em->vcpu = vcpu;
	em->e.ops = &vtx_emulation_ops;
	em->e.opaque = em;
	em->e.cpu = host_instructions();
	vcpu->emu = &em->e;
	return 0;
}

void vtx_emu_free(struct vtx_vcpu *vcpu)
{
	if (vcpu->emu)
		kfree(vtx_emulation(vcpu));
	vcpu->emu = NULL;
}

u64 vtx_linear_rip(struct vtx_vcpu *vcpu)
{
	return vtx_rip(vcpu) + vtx_vmreadl(GUEST_CS_BASE);
}

/* ------------------------------------------------------------------ state in */

static void load_segment(struct vtx_emu *e, unsigned int seg)
{
	struct vtx_emu_seg *s = &e->seg[seg];

	s->base = vtx_vmreadl(GUEST_ES_BASE + 2 * seg);
	s->limit = vtx_vmread32(GUEST_ES_LIMIT + 2 * seg);
	s->ar = vtx_vmread32(GUEST_ES_AR_BYTES + 2 * seg);
	s->selector = vtx_vmread16(GUEST_ES_SELECTOR + 2 * seg);
}

static void load_selectors(struct vtx_emu *e)
{
	unsigned int seg;

	for (seg = 0; seg < VTX_EMU_NR_SEGS; seg++)
		e->seg[seg].selector = vtx_vmread16(GUEST_ES_SELECTOR + 2 * seg);
}

/* In 64-bit code, limits, rights and most bases do not count (SDM vol. 3, 3.4.4): three VMREADs instead of 24. */
static void load_segments(struct vtx_emu *e)
{
	unsigned int seg;

	if ((e->efer & EFER_LMA) && (vtx_vmread32(GUEST_CS_AR_BYTES) & VTX_EMU_AR_L)) {
		memset(e->seg, 0, sizeof(e->seg));
		e->seg[VTX_EMU_CS].ar = VTX_EMU_AR_L | VTX_EMU_AR_P | VTX_EMU_AR_S | 0xb;
		e->seg[VTX_EMU_FS].base = vtx_vmreadl(GUEST_FS_BASE);
		e->seg[VTX_EMU_GS].base = vtx_vmreadl(GUEST_GS_BASE);
		return;
	}
	for (seg = 0; seg < VTX_EMU_NR_SEGS; seg++)
		load_segment(e, seg);
}

struct vtx_emulation *vtx_emulation_load(struct vtx_vcpu *vcpu)
{
	struct vtx_emulation *em = vtx_emulation(vcpu);
	struct vtx_emu *e = &em->e;

	vtx_rsp(vcpu);
	memcpy(e->regs, vcpu->regs, sizeof(e->regs));
	e->rip = vtx_rip(vcpu);
	e->rflags = vtx_rflags(vcpu);
	vtx_walk_cpu_fill(vcpu, &em->walk);
	e->cr0 = em->walk.cr0;
	e->cr3 = em->walk.cr3;
	e->cr4 = em->walk.cr4;
	e->efer = em->walk.efer;
	e->cpl = em->walk.cpl;
	e->xcr0 = vcpu->xcr0;
	e->max_iterations = e->rflags & X86_EFLAGS_TF ? 1 : MAX_ITERATIONS;
	e->error = 0;
	load_segments(e);
	return em;
}

/* ------------------------------------------------------------------ state out */

static void store_state(struct vtx_vcpu *vcpu, const struct vtx_emu *e)
{
	unsigned int reg;

	for (reg = 0; reg < VTX_NR_GPRS; reg++)
		if (reg != VTX_RSP)
			vcpu->regs[reg] = e->regs[reg];
	if (e->regs[VTX_RSP] != vtx_rsp(vcpu))
		vtx_set_rsp(vcpu, e->regs[VTX_RSP]);
	if (e->rflags != vtx_rflags(vcpu))
		vtx_set_rflags(vcpu, e->rflags);
	if (e->rip != vtx_rip(vcpu))
		vtx_set_rip(vcpu, e->rip);
}

/* An instruction, or an iteration of one, has ended: blocking by STI or MOV SS ends, TF traps (SDM vol. 3, 17.3.1.4). */
static void instruction_ended(struct vtx_vcpu *vcpu, bool single_step)
{
	vtx_end_shadow(vcpu);
	if (single_step)
		vtx_debug_stepped(vcpu);
}

/*
 * An instruction that vtx cannot emulate. User code gets #UD, because a guest's user must not be able to stop the guest;
 * the kernel's own instructions stop the VM, with the bytes for whoever looks. With KVM_CAP_EXIT_ON_EMULATION_FAILURE both stop, and
 * no #UD waits. All as KVM does.
 */
static int emulation_failed(struct vtx_vcpu *vcpu, const struct vtx_emulation *em)
{
	const struct vtx_emu *e = &em->e;
	struct kvm_run *run = vcpu->run;
	unsigned int n = min_t(unsigned int, e->insn.fetched, sizeof(run->emulation_failure.insn_bytes));
	bool always = READ_ONCE(vcpu->vm->emulation_exits), user_space = always || e->cpl == 0;

	vcpu->counts.insn_emulation_fail++;
	vtx_report_emulation(vcpu, em, user_space);
	if (!always)
		vtx_inject_ud(vcpu);
	if (!user_space)
		return VTX_EXIT_RESUME;

	vtx_exit_internal_error(vcpu, KVM_INTERNAL_ERROR_EMULATION, 0, NULL);
	if (!n)
		return VTX_EXIT_USER;
	run->emulation_failure.ndata = 3;
	run->emulation_failure.flags = KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
	run->emulation_failure.insn_size = n;
	memset(run->emulation_failure.insn_bytes, 0x90, sizeof(run->emulation_failure.insn_bytes));
	memcpy(run->emulation_failure.insn_bytes, e->insn.bytes, n);
	return VTX_EXIT_USER;
}

static int step(struct vtx_emu *e)
{
	int ret;

	e->again = false;
	e->committed = false;
	ret = vtx_emu_decode(e);
	if (ret != VTX_EMU_DONE)
		return ret;
	if (e->insn.op == OP_MOV_FROM_SEG)
		load_selectors(e);
	return vtx_emu_execute(e);
}

/* What the emulator's answer means, writes to user space aside. */
static int finish(struct vtx_emulation *em, int result, bool tf)
{
	struct vtx_vcpu *vcpu = em->vcpu;
	struct vtx_emu *e = &em->e;

	switch (result) {
	case VTX_EMU_DONE:
		if (e->committed)
			instruction_ended(vcpu, tf);
		return VTX_EXIT_RESUME;
	case VTX_EMU_FAULT:
		vtx_inject_emu_exception(vcpu, &e->exc);
		return VTX_EXIT_RESUME;
	case VTX_EMU_ERROR:
		/* The guest's page tables did not hold still; executing the instruction again is as good as waiting. */
		return e->error == -EAGAIN ? VTX_EXIT_RESUME : e->error;
	default:
		return emulation_failed(vcpu, em);
	}
}

static int ask_user(struct vtx_vcpu *vcpu, enum vtx_io_kind kind)
{
	vcpu->io.kind = kind;
	vcpu->io.linear_rip = vtx_linear_rip(vcpu);
	return vtx_mmio_ask_user(vcpu);
}

/* As KVM: once for an instruction, however many fragments user space is asked for; ports are no MMIO. */
static void count_mmio_exit(struct vtx_vcpu *vcpu)
{
	if (!vcpu->io.frag[vcpu->io.done].port)
		vcpu->counts.mmio_exits++;
}

static int run_emulator(struct vtx_emulation *em)
{
	struct vtx_vcpu *vcpu = em->vcpu;
	struct vtx_emu *e = &em->e;
	bool tf = e->rflags & X86_EFLAGS_TF;
	bool first = !e->prefetch_len;
	u64 rip = e->rip;
	int ret;

	vtx_log_rewind(&vcpu->io);
	ret = step(e);
	if (first) /* not when it starts over with user space's answer */
		trace_kvm_emulate_insn(e, rip, ret == VTX_EMU_UNHANDLED);
	if (e->committed)
		store_state(vcpu, e);
	if (ret == VTX_EMU_IO) {
		memcpy(e->prefetch, e->insn.bytes, sizeof(e->prefetch));
		e->prefetch_len = e->insn.fetched;
		count_mmio_exit(vcpu);
		return ask_user(vcpu, VTX_IO_MMIO);
	}

	if (ret == VTX_EMU_DONE && e->committed)
		vtx_log_commit(&vcpu->io);
	ret = finish(em, ret, tf);
	if (ret == VTX_EXIT_RESUME && vcpu->io.final) {
		count_mmio_exit(vcpu);
		return ask_user(vcpu, VTX_IO_MMIO_POSTED);
	}
	vtx_log_clear(&vcpu->io);
	return ret;
}

static struct vtx_emulation *start(struct vtx_vcpu *vcpu)
{
	struct vtx_emulation *em = vtx_emulation_load(vcpu);

	vtx_log_clear(&vcpu->io);
	em->e.prefetch_len = 0;
	em->hint.valid = false;
	em->exit_port = 0;
	return em;
}

int vtx_emulate(struct vtx_vcpu *vcpu)
{
	vcpu->counts.insn_emulation++;
	return run_emulator(start(vcpu));
}

int vtx_emulate_fault(struct vtx_vcpu *vcpu, const struct vtx_fault_hint *hint)
{
	struct vtx_emulation *em = start(vcpu);

	vcpu->counts.insn_emulation++;
	em->hint = *hint;
	return run_emulator(em);
}

int vtx_emulate_port(struct vtx_vcpu *vcpu, u16 port, unsigned int size)
{
	struct vtx_emulation *em = start(vcpu);

	em->exit_port = port | size << 16;
	return run_emulator(em);
}

/*
 * hint, exit_port and the instruction's bytes are still those of the first try. When somebody wants the vCPU, a REP
 * instruction stops after the iteration at hand: one exit to user space an iteration would keep interrupts out for long.
 */
static int start_over(struct vtx_vcpu *vcpu)
{
	struct vtx_emulation *em = vtx_emulation_load(vcpu);

	if (READ_ONCE(vcpu->requests))
		em->e.max_iterations = 1;
	return run_emulator(em);
}

int vtx_emulation_answered(struct vtx_vcpu *vcpu, bool posted)
{
	struct vtx_io_pending *io = &vcpu->io;

	vtx_mmio_take_answer(vcpu);
	if (vtx_log_pending(io))
		return ask_user(vcpu, posted ? VTX_IO_MMIO_POSTED : VTX_IO_MMIO);
	if (io->final)
		vtx_log_clear(io);
	return posted ? VTX_EXIT_RESUME : start_over(vcpu);
}

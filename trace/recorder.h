/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flight recorder: a vCPU's last 1,024 exits, and the counters that are kept with them.
 *
 * An exit is opened right after the guest has left and closed before it is entered again, or when KVM_RUN returns.  Everything
 * is written by the vCPU's thread alone; readers copy and then look whether they were overtaken (struct vtx_ring).
 *
 * What all this costs is measured by a module without it: make NO_RECORDER=1, as make bench does.
 */
#ifndef VTX_TRACE_RECORDER_H
#define VTX_TRACE_RECORDER_H

#include <linux/jump_label.h>
#include <asm/msr.h>
#include <asm/vmx.h>
#include "trace/stats.h"
#include "uapi/vtx.h"
#include "vmx/regs.h"

/* -ENOMEM. The vCPU is not running yet. */
int vtx_recorder_alloc(struct vtx_vcpu *vcpu);
void vtx_recorder_free(struct vtx_vcpu *vcpu);
/* The page of the mapping at VTX_RING_MMAP_OFFSET, or NULL beyond its end. @page_nr counts from the ring's first. */
struct page *vtx_recorder_page(struct vtx_vcpu *vcpu, unsigned long page_nr);
/* Something killed the vCPU: keep what is there. Thaws by itself when the guest is entered again. */
void vtx_recorder_freeze(struct vtx_vcpu *vcpu);

/*
 * Copies at most @max of the newest records to @out, oldest first. Sets *first to the number of the first and returns how many.
 * Any thread; the vCPU may run.
 */
unsigned int vtx_recorder_copy(struct vtx_vcpu *vcpu, struct vtx_record *out, unsigned int max, u64 *first);

/* Some VM's exits are wanted by a stream or a filter (trace/stream.c). */
DECLARE_STATIC_KEY_FALSE(vtx_streaming);
void vtx_stream_exit(struct vtx_vcpu *vcpu, const struct vtx_record *record);

#ifdef VTX_NO_RECORDER

static inline void vtx_exit_open(struct vtx_vcpu *vcpu, u32 reason, u64 tsc)
{
	vcpu->cached = 0;
}

static inline void vtx_exit_note_cpuid(struct vtx_vcpu *vcpu) {}
static inline void vtx_exit_note_msr(struct vtx_vcpu *vcpu) {}
static inline void vtx_exit_note_vmcall(struct vtx_vcpu *vcpu) {}
static inline void vtx_exit_note_io(struct vtx_vcpu *vcpu) {}
static inline void vtx_exit_note_ept(struct vtx_vcpu *vcpu, u64 qual, u64 gpa) {}
static inline void vtx_exit_note_other(struct vtx_vcpu *vcpu, u32 reason) {}
static inline void vtx_exit_close_fast(struct vtx_vcpu *vcpu) {}
static inline void vtx_exit_left_open(struct vtx_vcpu *vcpu) {}
static inline void vtx_exit_to_user(struct vtx_vcpu *vcpu, int result) {}
static inline void vtx_exit_entering(struct vtx_vcpu *vcpu) {}
static inline void vtx_exit_slept(struct vtx_vcpu *vcpu, u64 ticks) {}
static inline void vtx_exit_mmio(struct vtx_vcpu *vcpu, u64 gpa) {}

#else

/*
 * The guest has left at @tsc; the events cut short are known, nothing is handled yet. What the exit is about, and its key in the
 * tables of the busiest, the handler notes with vtx_exit_note_*().  Neighbouring fields are written as one: this runs at every exit.
 */
static __always_inline void vtx_exit_open(struct vtx_vcpu *vcpu, u32 reason, u64 tsc)
{
	struct vtx_ring *ring = vcpu->ring;
	u64 number = ring->head;
	struct vtx_record *record = (struct vtx_record *)((u8 *)ring + PAGE_SIZE) + number % VTX_RING_RECORDS;
	u64 rip = vtx_vmread_again(GUEST_RIP);

	vcpu->rip = rip;
	vcpu->cached = BIT(VTX_CACHE_RIP);
	vcpu->record = record;
	record->tsc = tsc;
	record->rip = rip;
	record->reason = reason;
	*(u64 *)&record->injected = vcpu->noted_events; /* and vectoring */
	record->seq = number;
	*(u32 *)&record->cs = vtx_vmread_again(GUEST_CS_SELECTOR); /* 16 bits; and by, flags: VTX_BY_NONE, 0 */
	vcpu->noted_events = 0;
	/* A reader that sees the number sees the record. */
	smp_store_release(&ring->head, number + 1);
}

/* Notes, called by the fast handlers. */
static __always_inline void vtx_exit_note(struct vtx_vcpu *vcpu, enum vtx_top_table table, u64 key, u64 info)
{
	vcpu->record->info = info;
	vtx_top_count(&vcpu->stats->tops[table], key);
}

static __always_inline void vtx_exit_note_cpuid(struct vtx_vcpu *vcpu)
{
	u32 leaf = vcpu->regs[VTX_RAX];

	vtx_exit_note(vcpu, VTX_TOP_CPUID, leaf, leaf | vcpu->regs[VTX_RCX] << 32);
}

static __always_inline void vtx_exit_note_msr(struct vtx_vcpu *vcpu)
{
	u32 index = vcpu->regs[VTX_RCX];

	vtx_exit_note(vcpu, VTX_TOP_MSR, index, index);
}

static __always_inline void vtx_exit_note_vmcall(struct vtx_vcpu *vcpu)
{
	vtx_exit_note(vcpu, VTX_TOP_HYPERCALL, vcpu->regs[VTX_RAX], vcpu->regs[VTX_RAX]);
}

static __always_inline void vtx_exit_note_io(struct vtx_vcpu *vcpu)
{
	u64 qual = vtx_qualification(vcpu);

	vtx_exit_note(vcpu, VTX_TOP_PORT, (u32)qual >> 16, qual);
}

static __always_inline void vtx_exit_note_ept(struct vtx_vcpu *vcpu, u64 qual, u64 gpa)
{
	struct vtx_record *record = vcpu->record;

	record->info = qual;
	record->gpa = gpa;
	record->flags = VTX_RECORD_GPA;
	if (qual & EPT_VIOLATION_GVA_IS_VALID) {
		record->gla = vtx_vmreadl(GUEST_LINEAR_ADDRESS);
		record->flags = VTX_RECORD_GPA | VTX_RECORD_GLA;
	}
}

static inline void vtx_exit_note_other(struct vtx_vcpu *vcpu, u32 reason)
{
	struct vtx_record *record = vcpu->record;
	u64 info;

	switch (reason) {
	case EXIT_REASON_EXTERNAL_INTERRUPT:
		record->info = 0;
		break;
	case EXIT_REASON_EXCEPTION_NMI:
		info = vtx_vmread32(VM_EXIT_INTR_INFO);
		if (info & INTR_INFO_DELIVER_CODE_MASK)
			info |= (u64)vtx_vmread32(VM_EXIT_INTR_ERROR_CODE) << 32;
		record->info = info;
		break;
	case EXIT_REASON_EPT_MISCONFIG:
		record->gpa = vtx_vmread64(GUEST_PHYSICAL_ADDRESS);
		record->flags = VTX_RECORD_GPA;
		record->info = 0;
		break;
	default: /* of an entry that failed, the VM-instruction error, which vmx/run.c has put there */
		record->info = vtx_qualification(vcpu);
	}
}

static __always_inline struct vtx_exit_stat *vtx_exit_stat(struct vtx_vcpu *vcpu, u32 reason)
{
	u32 basic = reason & 0xffff;

	return &vcpu->stats->exits[likely(basic < VTX_STAT_OTHER) ? basic : VTX_STAT_OTHER];
}

/* The exit was answered in the inner loop: its reason is one of the table, and it took less than 32 bits of ticks. */
static __always_inline void vtx_exit_close_fast(struct vtx_vcpu *vcpu)
{
	struct vtx_record *record = vcpu->record;
	u32 ticks = (u32)rdtsc() - (u32)vcpu->exit_tsc;

	record->ticks = ticks;
	record->by = VTX_BY_FAST;
	vtx_stat_exit(&vcpu->stats->exits[vcpu->exit_reason], ticks);
	if (static_branch_unlikely(&vtx_streaming))
		vtx_stream_exit(vcpu, record);
}

/* The inner loop ends with an exit that is not answered yet. */
static inline void vtx_exit_left_open(struct vtx_vcpu *vcpu)
{
	vcpu->exit_open = true;
}

/* The open exit is answered at @now. Return: its counters. */
static inline struct vtx_exit_stat *vtx_exit_close(struct vtx_vcpu *vcpu, u8 by, u64 now)
{
	struct vtx_exit_stat *stat = vtx_exit_stat(vcpu, vcpu->exit_reason);
	struct vtx_record *record = vcpu->record;
	u32 ticks = min_t(u64, now - vcpu->exit_tsc, U32_MAX);

	vcpu->exit_open = false;
	record->ticks = ticks;
	record->by = by;
	vtx_stat_exit(stat, ticks);
	if (static_branch_unlikely(&vtx_streaming))
		vtx_stream_exit(vcpu, record);
	return stat;
}

/* KVM_RUN ends with @result; 0: for the open exit. */
static inline void vtx_exit_to_user(struct vtx_vcpu *vcpu, int result)
{
	u64 now;

	if (!vcpu->exit_open)
		return;
	now = rdtsc();
	if (result) {
		vtx_exit_close(vcpu, VTX_BY_SLOW, now);
		return;
	}
	vcpu->user_stat = vtx_exit_close(vcpu, VTX_BY_USER, now);
	vcpu->user_tsc = now;
}

/* A stretch of entries begins. */
static inline void vtx_exit_entering(struct vtx_vcpu *vcpu)
{
	if (vcpu->exit_open)
		vtx_exit_close(vcpu, VTX_BY_SLOW, rdtsc());
	if (vcpu->user_stat) {
		vcpu->user_stat->user_ticks += rdtsc() - vcpu->user_tsc;
		vcpu->user_stat = NULL;
	}
	if (unlikely(vcpu->ring->frozen))
		WRITE_ONCE(vcpu->ring->frozen, 0);
}

/* The vCPU slept in HLT: that is not the kernel's time. */
static inline void vtx_exit_slept(struct vtx_vcpu *vcpu, u64 ticks)
{
	if (vcpu->exit_open)
		vcpu->exit_tsc += ticks;
}

static inline void vtx_exit_mmio(struct vtx_vcpu *vcpu, u64 gpa)
{
	vtx_top_count(&vcpu->stats->tops[VTX_TOP_MMIO], gpa >> PAGE_SHIFT);
}

#endif /* VTX_NO_RECORDER */

#endif /* VTX_TRACE_RECORDER_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flight recorder: a vCPU's last 1,024 exits, and the counters that are kept with them.
 *
 * An exit is opened right after the guest has left and closed before it is entered again, or when KVM_RUN returns.  Everything
 * is written by the vCPU's thread alone; readers copy and then look whether they were overtaken (struct vtx_ring).
 *
 * What all this costs is measured by a module without it: make NO_RECORDER=1 (docs/performance.md).
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

static inline void vtx_exit_open(struct vtx_vcpu *vcpu, u32 reason) {}
static inline void vtx_exit_close(struct vtx_vcpu *vcpu, u8 by) {}
static inline void vtx_exit_to_user(struct vtx_vcpu *vcpu, int result) {}
static inline void vtx_exit_entering(struct vtx_vcpu *vcpu) {}
static inline void vtx_exit_slept(struct vtx_vcpu *vcpu, u64 ticks) {}
static inline void vtx_exit_mmio(struct vtx_vcpu *vcpu, u64 gpa) {}

#else

/* What an exit is about (struct vtx_record, info), and the count of its key. */
static __always_inline u64 vtx_exit_info(struct vtx_vcpu *vcpu, u32 reason, struct vtx_record *record)
{
	struct vtx_top *tops = vcpu->stats->tops;
	u64 info;

	switch (reason) {
	case EXIT_REASON_CPUID:
		vtx_top_count(&tops[VTX_TOP_CPUID], (u32)vcpu->regs[VTX_RAX]);
		return (u32)vcpu->regs[VTX_RAX] | vcpu->regs[VTX_RCX] << 32;
	case EXIT_REASON_MSR_READ:
	case EXIT_REASON_MSR_WRITE:
		vtx_top_count(&tops[VTX_TOP_MSR], (u32)vcpu->regs[VTX_RCX]);
		return (u32)vcpu->regs[VTX_RCX];
	case EXIT_REASON_VMCALL:
		vtx_top_count(&tops[VTX_TOP_HYPERCALL], vcpu->regs[VTX_RAX]);
		return vcpu->regs[VTX_RAX];
	case EXIT_REASON_EXTERNAL_INTERRUPT:
		return 0;
	case EXIT_REASON_IO_INSTRUCTION:
		info = vtx_qualification(vcpu);
		vtx_top_count(&tops[VTX_TOP_PORT], (u32)info >> 16);
		return info;
	case EXIT_REASON_EXCEPTION_NMI:
		info = vtx_vmread32(VM_EXIT_INTR_INFO);
		if (info & INTR_INFO_DELIVER_CODE_MASK)
			info |= (u64)vtx_vmread32(VM_EXIT_INTR_ERROR_CODE) << 32;
		return info;
	case EXIT_REASON_EPT_VIOLATION:
		info = vtx_qualification(vcpu);
		record->gpa = vtx_vmread64(GUEST_PHYSICAL_ADDRESS);
		record->flags = VTX_RECORD_GPA;
		if (info & EPT_VIOLATION_GVA_IS_VALID) {
			record->gla = vtx_vmreadl(GUEST_LINEAR_ADDRESS);
			record->flags = VTX_RECORD_GPA | VTX_RECORD_GLA;
		}
		return info;
	case EXIT_REASON_EPT_MISCONFIG:
		record->gpa = vtx_vmread64(GUEST_PHYSICAL_ADDRESS);
		record->flags = VTX_RECORD_GPA;
		return 0;
	case ~0u:
		return vtx_vmread32(VM_INSTRUCTION_ERROR);
	default:
		return vtx_qualification(vcpu);
	}
}

/* The guest has left; vcpu->exit_tsc and the events cut short are known, nothing is handled yet. */
static __always_inline void vtx_exit_open(struct vtx_vcpu *vcpu, u32 reason)
{
	struct vtx_ring *ring = vcpu->ring;
	u64 number = vcpu->recorded++;
	struct vtx_record *record = (struct vtx_record *)((u8 *)ring + PAGE_SIZE) + number % VTX_RING_RECORDS;

	record->tsc = vcpu->exit_tsc;
	record->rip = vtx_rip(vcpu);
	record->reason = reason;
	record->injected = vcpu->entry_event;
	record->vectoring = vcpu->vectoring;
	record->seq = number;
	record->cs = vtx_vmread16(GUEST_CS_SELECTOR);
	record->by = VTX_BY_NONE;
	record->flags = 0;
	record->info = vtx_exit_info(vcpu, reason, record);
	vcpu->entry_event = 0;
	vcpu->record = record;
	/* A reader that sees the number sees the record. */
	smp_store_release(&ring->head, number + 1);
}

static __always_inline struct vtx_exit_stat *vtx_exit_stat(struct vtx_vcpu *vcpu, u32 reason)
{
	u32 basic = reason & 0xffff;

	return &vcpu->stats->exits[likely(basic < VTX_STAT_OTHER) ? basic : VTX_STAT_OTHER];
}

/* The open exit is answered. */
static __always_inline void vtx_exit_close(struct vtx_vcpu *vcpu, u8 by)
{
	struct vtx_record *record = vcpu->record;
	u64 ticks = rdtsc() - vcpu->exit_tsc;

	if (unlikely(ticks > U32_MAX))
		ticks = U32_MAX;
	record->ticks = ticks;
	record->by = by;
	vcpu->record = NULL;
	vtx_stat_exit(vtx_exit_stat(vcpu, vcpu->exit_reason), ticks);
	if (static_branch_unlikely(&vtx_streaming))
		vtx_stream_exit(vcpu, record);
}

/* KVM_RUN ends with @result; 0: for the open exit. */
static inline void vtx_exit_to_user(struct vtx_vcpu *vcpu, int result)
{
	if (!vcpu->record)
		return;
	vtx_exit_close(vcpu, result ? VTX_BY_SLOW : VTX_BY_USER);
	if (!result) {
		vcpu->user_stat = vtx_exit_stat(vcpu, vcpu->exit_reason);
		vcpu->user_tsc = rdtsc();
	}
}

/* A stretch of entries begins. */
static inline void vtx_exit_entering(struct vtx_vcpu *vcpu)
{
	if (vcpu->record)
		vtx_exit_close(vcpu, VTX_BY_SLOW);
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
	if (vcpu->record)
		vcpu->exit_tsc += ticks;
}

static inline void vtx_exit_mmio(struct vtx_vcpu *vcpu, u64 gpa)
{
	vtx_top_count(&vcpu->stats->tops[VTX_TOP_MMIO], gpa >> PAGE_SHIFT);
}

#endif /* VTX_NO_RECORDER */

#endif /* VTX_TRACE_RECORDER_H */

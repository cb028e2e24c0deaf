/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Suspicions that a guest does not get on: found where a vCPU is slow anyway, listed in the VM's debugfs file `diagnosis`, and
 * never acted on.
 */
#ifndef VTX_TRACE_LIVELOCK_H
#define VTX_TRACE_LIVELOCK_H

#include <linux/spinlock.h>
#include <linux/types.h>
#include <asm/msr.h>

struct vtx_vm;
struct vtx_vcpu;

enum vtx_finding_kind {
	VTX_FINDING_HALTED,	/* all vCPUs halted with interrupts off */
	VTX_FINDING_EPT,	/* the same EPT violation again and again */
	VTX_FINDING_WINDOW,	/* an interrupt waits while the guest keeps interrupts off */
	VTX_FINDING_EMULATION,	/* user code got #UD for an instruction that is not emulated */
	VTX_NR_FINDINGS,
};

#define VTX_DIAGNOSIS_LINES 16
#define VTX_EPT_REPEATS 10000
#define VTX_WINDOW_SECONDS 2

struct vtx_finding {
	u8 kind;		/* enum vtx_finding_kind */
	u32 vcpu_id;
	u64 rip;
	u64 detail;		/* what besides makes it the same finding again */
	u64 since;		/* nanoseconds of the host's uptime */
	u64 count;
	const char *text;	/* a constant */
};

/* Of a VM. */
struct vtx_diagnosis {
	spinlock_t lock;
	u32 nr;				/* in line[], the oldest first */
	u64 total;			/* findings ever, repetitions not counted */
	struct vtx_finding line[VTX_DIAGNOSIS_LINES];
};

/* Of a vCPU, its own thread's; deaf is read by the others. */
struct vtx_livelock {
	bool deaf;			/* blocked in HLT, and no interrupt can end that */
	bool window_told;
	bool window_watched;		/* the processor delivers interrupts by itself, and is asked to tell when IF is set */
	u64 window_since;		/* TSC at which an interrupt was first seen to wait with IF clear; 0: none does */
	u64 left;			/* TSC at which KVM_RUN returned meanwhile */
	u64 ept_gfn, ept_rip;
	u64 ept_regs[16];
	u32 ept_repeats;
};

/* Notes a finding; the same one again is only counted. The vCPU's thread, vCPU loaded; interrupts on or off. */
void vtx_diagnose(struct vtx_vcpu *vcpu, enum vtx_finding_kind kind, u64 detail, const char *text);

/* Around the sleep of a vCPU in HLT. */
void vtx_livelock_block(struct vtx_vcpu *vcpu);
void vtx_livelock_unblock(struct vtx_vcpu *vcpu);
/* An EPT violation that was handled the slow way, for the page at @gpa. */
void vtx_livelock_ept(struct vtx_vcpu *vcpu, u64 gpa);
/* An interrupt waits, and @open says whether IF is set; whenever events were looked at. */
void vtx_livelock_waits(struct vtx_livelock *l, bool open);
/* At exits where there is time, while window_since is set. */
void vtx_livelock_window(struct vtx_vcpu *vcpu);

/* KVM_RUN begins and ends: time in user space is not the guest's. */
static inline void vtx_livelock_enter(struct vtx_livelock *l)
{
	if (unlikely(l->window_since))
		l->window_since += rdtsc() - l->left;
}

static inline void vtx_livelock_leave(struct vtx_livelock *l)
{
	if (unlikely(l->window_since))
		l->left = rdtsc();
}

extern const struct file_operations vtx_diagnosis_fops;

#endif /* VTX_TRACE_LIVELOCK_H */

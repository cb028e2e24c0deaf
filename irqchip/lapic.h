/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The local APIC as a pure state machine (SDM vol. 3, chapter 11).
 *
 * The registers live in a page laid out as the xAPIC's (and as struct kvm_lapic_state): 32-bit registers at
 * 16-byte steps.  Time comes in as nanoseconds; what the caller has to do comes back in a struct vtx_lapic_fx.
 *
 * Who may touch what.  "owner" is the thread that runs the vCPU (or an ioctl on it):
 *   - IRR (or pir, see there) and TMR words, irr_hint, esr_pending: any CPU, with the atomic helpers below only;
 *   - ID, LDR, DFR, SVR, LVTs, base: written by the owner, read by senders with single 32/64-bit loads;
 *   - timer: whoever holds the lock that the caller keeps for it (the owner, and the host timer's callback);
 *   - everything else: the owner alone.
 */
#ifndef VTX_IRQCHIP_LAPIC_H
#define VTX_IRQCHIP_LAPIC_H

#include "compat/pure.h"
#include <linux/kvm.h>
#include "irqchip/apic_msg.h"

/* Register offsets in the page (SDM vol. 3, table 11-1). MSR 0x800 + offset / 16 in x2APIC mode (table 11-6). */
enum vtx_lapic_reg {
	VTX_LAPIC_ID = 0x020,
	VTX_LAPIC_VERSION = 0x030,
	VTX_LAPIC_TPR = 0x080,
	VTX_LAPIC_APR = 0x090,
	VTX_LAPIC_PPR = 0x0a0,
	VTX_LAPIC_EOI = 0x0b0,
	VTX_LAPIC_RRD = 0x0c0,
	VTX_LAPIC_LDR = 0x0d0,
	VTX_LAPIC_DFR = 0x0e0,
	VTX_LAPIC_SVR = 0x0f0,
	VTX_LAPIC_ISR = 0x100,
	VTX_LAPIC_TMR = 0x180,
	VTX_LAPIC_IRR = 0x200,
	VTX_LAPIC_ESR = 0x280,
	VTX_LAPIC_ICR = 0x300,
	VTX_LAPIC_ICR2 = 0x310,
	VTX_LAPIC_LVTT = 0x320,
	VTX_LAPIC_LVT_THERMAL = 0x330,
	VTX_LAPIC_LVT_PERF = 0x340,
	VTX_LAPIC_LINT0 = 0x350,
	VTX_LAPIC_LINT1 = 0x360,
	VTX_LAPIC_LVT_ERROR = 0x370,
	VTX_LAPIC_TMICT = 0x380,
	VTX_LAPIC_TMCCT = 0x390,
	VTX_LAPIC_TDCR = 0x3e0,
	VTX_LAPIC_SELF_IPI = 0x3f0,
};

#define VTX_LAPIC_PAGE_SIZE 4096
#define VTX_LAPIC_DEFAULT_BASE 0xfee00000ull
#define VTX_LAPIC_BASE_BSP BIT_ULL(8)
#define VTX_LAPIC_BASE_X2APIC BIT_ULL(10)
#define VTX_LAPIC_BASE_ENABLE BIT_ULL(11)
#define VTX_LAPIC_BASE_ADDR(base) ((base) & ~0xfffull)

#define VTX_LAPIC_SVR_ENABLE BIT(8)
#define VTX_LAPIC_LVT_MASKED BIT(16)

/* IA32_TSC_DEADLINE, and the x2APIC MSRs. */
#define VTX_LAPIC_MSR_BASE 0x800u
#define VTX_LAPIC_MSR_LAST 0x8ffu

/* ESR bits (SDM vol. 3, figure 11-9). */
enum vtx_lapic_error {
	VTX_LAPIC_ERR_REDIRECT = 4,
	VTX_LAPIC_ERR_SEND_VECTOR = 5,
	VTX_LAPIC_ERR_RECEIVE_VECTOR = 6,
	VTX_LAPIC_ERR_REGISTER = 7,
};

enum vtx_lapic_timer_mode { VTX_TIMER_ONESHOT, VTX_TIMER_PERIODIC, VTX_TIMER_TSC_DEADLINE, VTX_TIMER_RESERVED };

/*
 * The shortest period a guest gets, in ns, unless min_period_ns says otherwise: as in KVM, 200 us. A shorter one would
 * let a guest spend a host CPU on timer interrupts, as hrtimers are not charged to it.
 */
#define VTX_LAPIC_MIN_PERIOD_NS 200000u

/* The local APIC's input clock ticks once a nanosecond (1 GHz), as in KVM. */
#define VTX_LAPIC_TICK_NS 1u

struct vtx_lapic_timer {
	u64 deadline_ns;	/* when it fires next; 0 = not armed */
	u64 period_ns;		/* TMICT in ns (not less than the minimum in periodic mode) */
	u64 tsc_deadline;	/* IA32_TSC_DEADLINE as the guest reads it */
};

struct vtx_lapic {
	u32 *regs;		/* a zeroed page, given by vtx_lapic_init() */
	u32 irr_hint;		/* bit w: IRR or pir word w may be non-zero; HINT_EXTINT; 0: surely nothing pending. With apicv: pir only */
	u32 isr_hint;		/* bit w set exactly if ISR word w is non-zero; with apicv meaningless */
	u32 pir[8];		/* with posted: raised, and not yet moved into the IRR by the owner */
	bool posted;		/* constant: the IRR is the owner's and the processor's; others leave vectors in pir */
	bool apicv;		/* owner: the processor delivers interrupts and takes EOIs, in the page (SDM vol. 3, chapter 30) */
	u32 settled[3];		/* with apicv: LVTT, TMICT, TDCR as last acted upon, see vtx_lapic_stored() */
	u32 esr_pending;	/* errors since the last write of ESR */
	u32 id;			/* initial APIC id = vCPU id */
	u64 base;		/* IA32_APIC_BASE */
	u32 min_period_ns;	/* shortest period of the timer, not 0 */
	bool bsp;
	bool x2apic_ok;		/* guest CPUID has x2APIC */
	bool tsc_deadline_ok;	/* guest CPUID has TSC-deadline */
	bool lint0_extint;	/* RESET leaves LINT0 as unmasked ExtINT (KVM_X86_QUIRK_LINT0_REENABLED) */
	struct vtx_lapic_timer timer;
};

/* In irr_hint: the PIC's output may be asserted. Set and dropped by the kernel glue, by the rules of the others. */
#define VTX_LAPIC_HINT_EXTINT BIT(8)

/* What a register access asks of the caller. */
enum {
	VTX_LAPIC_FX_SEND = BIT(0),	/* deliver fx->msg */
	VTX_LAPIC_FX_EOI = BIT(1),	/* tell the IOAPICs: fx->eoi_vector (level-triggered) was finished */
	VTX_LAPIC_FX_TIMER = BIT(2),	/* timer.deadline_ns changed: program the host timer anew */
	VTX_LAPIC_FX_LINT0 = BIT(3),	/* LINT0's mask or mode may have changed: look at the PIC's output again */
	VTX_LAPIC_FX_ENDED = BIT(4),	/* fx->eoi_vector was finished, level or edge */
};

struct vtx_lapic_fx {
	u32 what;
	u8 eoi_vector;
	struct vtx_apic_msg msg;
};

/* ---------------------------------------------------------------- basics */

static __always_inline u32 vtx_lapic_get(const struct vtx_lapic *apic, unsigned int reg)
{
	return READ_ONCE(apic->regs[reg / 4]);
}

static __always_inline void vtx_lapic_put(struct vtx_lapic *apic, unsigned int reg, u32 value)
{
	WRITE_ONCE(apic->regs[reg / 4], value);
}

static inline bool vtx_lapic_hw_enabled(const struct vtx_lapic *apic)
{
	return READ_ONCE(apic->base) & VTX_LAPIC_BASE_ENABLE;
}

static inline bool vtx_lapic_x2apic(const struct vtx_lapic *apic)
{
	return (READ_ONCE(apic->base) & (VTX_LAPIC_BASE_ENABLE | VTX_LAPIC_BASE_X2APIC)) ==
	       (VTX_LAPIC_BASE_ENABLE | VTX_LAPIC_BASE_X2APIC);
}

/* On, and not disabled by software (SVR bit 8): takes fixed interrupts. */
static inline bool vtx_lapic_accepts(const struct vtx_lapic *apic)
{
	return vtx_lapic_hw_enabled(apic) && (vtx_lapic_get(apic, VTX_LAPIC_SVR) & VTX_LAPIC_SVR_ENABLE);
}

/* The register page is at @gpa..@gpa+@len-1 in whole or in part, and MMIO reaches it. */
static inline bool vtx_lapic_covers(const struct vtx_lapic *apic, u64 gpa)
{
	u64 base = READ_ONCE(apic->base);

	return (base & VTX_LAPIC_BASE_ENABLE) && !(base & VTX_LAPIC_BASE_X2APIC) &&
	       gpa - VTX_LAPIC_BASE_ADDR(base) < VTX_LAPIC_PAGE_SIZE;
}

/* ---------------------------------------------------------------- life (lapic.c) */

/**
 * vtx_lapic_init() - a local APIC in its state after RESET
 * @regs: VTX_LAPIC_PAGE_SIZE bytes, 4-byte aligned at least
 */
void vtx_lapic_init(struct vtx_lapic *apic, u32 *regs, u32 id, bool bsp);

/* RESET (@init false) or INIT (@init true; keeps IA32_APIC_BASE and the id), SDM vol. 3, 11.4.7. Disarms the timer. */
void vtx_lapic_reset(struct vtx_lapic *apic, bool init);

/**
 * vtx_lapic_set_base() - write IA32_APIC_BASE
 * @maxphyaddr: address bits of the guest's CPUID
 * @host: user space writes; any transition is allowed, and registers stay as they are
 * Return: 0; -EINVAL for reserved bits, the invalid mode (x2APIC without enable), or a transition that
 * SDM vol. 3, 11.12.5 forbids (#GP for a guest). The timer may have been disarmed.
 */
int vtx_lapic_set_base(struct vtx_lapic *apic, u64 value, unsigned int maxphyaddr, bool host);

/**
 * vtx_lapic_get_state(), vtx_lapic_set_state() - KVM_GET_LAPIC, KVM_SET_LAPIC
 * @wide_ids: the ID register holds the 32-bit id in x2APIC mode (KVM_X2APIC_API_USE_32BIT_IDS), else id << 24
 * Whatever comes in is brought into a state the machine can be in. Set returns -EINVAL, with nothing changed, when
 * the state is for another APIC id in x2APIC mode. It arms timer.deadline_ns from TMCCT, except in TSC-deadline mode.
 */
void vtx_lapic_get_state(struct vtx_lapic *apic, struct kvm_lapic_state *state, u64 now_ns, bool wide_ids);
int vtx_lapic_set_state(struct vtx_lapic *apic, const struct kvm_lapic_state *state, u64 now_ns, bool wide_ids);

/* ---------------------------------------------------------------- registers (lapic.c) */

/**
 * vtx_lapic_mmio_read() - xAPIC read
 * @offset: in the page; @len: 1..8 bytes. Undefined bytes read as zero; an undefined register logs an error in ESR.
 */
u64 vtx_lapic_mmio_read(struct vtx_lapic *apic, u32 offset, unsigned int len, u64 now_ns);

/* xAPIC write. Anything but an aligned write of 4 (or more: low 4 count) bytes is ignored, as in KVM. */
void vtx_lapic_mmio_write(struct vtx_lapic *apic, u32 offset, unsigned int len, u64 value, u64 now_ns,
			  struct vtx_lapic_fx *fx);

/* x2APIC MSRs 0x800..0x8ff. Return: 0, or -EINVAL, meaning #GP and nothing changed. */
int vtx_lapic_msr_read(struct vtx_lapic *apic, u32 msr, u64 *value, u64 now_ns);
int vtx_lapic_msr_write(struct vtx_lapic *apic, u32 msr, u64 value, u64 now_ns, struct vtx_lapic_fx *fx);

/* Is @offset a register whose write moves the timer? The caller holds the timer's lock for such a write. */
static inline bool vtx_lapic_is_timer_reg(u32 offset)
{
	return offset == VTX_LAPIC_LVTT || offset == VTX_LAPIC_TMICT || offset == VTX_LAPIC_TDCR;
}

/* ---------------------------------------------------------------- interrupts (lapic_irq.c) */

/**
 * vtx_lapic_raise() - make a vector pending, from any CPU
 * Return: true if the caller has to make the vCPU look (request and kick): the bit, of the IRR or of pir, was not set before.
 */
bool vtx_lapic_raise(struct vtx_lapic *apic, u8 vector, bool level);

/**
 * vtx_lapic_accept() - a fixed or lowest-priority message arrived; from any CPU
 * Return: 1 newly pending, 0 was pending already (coalesced), -1 not taken (disabled, or illegal vector).
 */
int vtx_lapic_accept(struct vtx_lapic *apic, u8 vector, bool level);

/*
 * Is the vector in the IRR already? With posted the processor may take it at any moment, so a second one is raised all the same; it
 * counts as coalesced. Any CPU.
 */
static inline bool vtx_lapic_in_irr(const struct vtx_lapic *apic, u8 vector)
{
	return vtx_lapic_get(apic, VTX_LAPIC_IRR + vector / 32 * 0x10) >> (vector & 31) & 1;
}

/* Vectors of word @w that are pending or in service: none is missed that moves on meanwhile. Any CPU. */
u32 vtx_lapic_unfinished(const struct vtx_lapic *apic, unsigned int w);

/* A word of the IRR, with what waited in pir. Owner. */
u32 vtx_lapic_irr_word(struct vtx_lapic *apic, unsigned int w);

/* May something be in the IRR? One load; no false "no" once vtx_lapic_raise() returned (see lapic_irq.c). */
static __always_inline bool vtx_lapic_maybe_pending(const struct vtx_lapic *apic)
{
	return READ_ONCE(apic->irr_hint) != 0;
}

int vtx_lapic_highest_irr(struct vtx_lapic *apic);	/* vector or -1; owner */
int vtx_lapic_highest_isr(const struct vtx_lapic *apic); /* vector or -1; owner */
u8 vtx_lapic_ppr(const struct vtx_lapic *apic);

/* Any CPU sets hint bits; the owner drops them, and looks again at what they stand for afterwards. */
void vtx_lapic_set_hint(struct vtx_lapic *apic, u32 bits);
void vtx_lapic_drop_hint(struct vtx_lapic *apic, u32 bits);

/* The slow half of vtx_lapic_deliverable(). */
int vtx_lapic_find_deliverable(struct vtx_lapic *apic);

/* The vector the CPU would take now if it could (its class is above PPR's), or -1. Owner. */
static __always_inline int vtx_lapic_deliverable(struct vtx_lapic *apic)
{
	return likely(!vtx_lapic_maybe_pending(apic)) ? -1 : vtx_lapic_find_deliverable(apic);
}

/* The CPU takes the deliverable interrupt: IRR to ISR. Return: the vector, or -1 when there is none. Owner. */
int vtx_lapic_ack(struct vtx_lapic *apic);

/* EOI: the highest ISR bit goes. Fills @fx. Owner. */
void vtx_lapic_eoi(struct vtx_lapic *apic, struct vtx_lapic_fx *fx);

/* ---------------------------------------------------------------- with a processor that virtualizes the APIC; owner */

/* The processor begins or ends to deliver interrupts from the page. */
void vtx_lapic_set_apicv(struct vtx_lapic *apic, bool on);

/* Moves all of pir into the IRR. */
void vtx_lapic_sync(struct vtx_lapic *apic);

/*
 * The vectors whose EOI must make an exit: level-triggered ones, as IOAPICs hear of those, and @watched. What is not in the IRR yet
 * need not be here: vtx_lapic_sync() comes first.
 */
void vtx_lapic_eoi_exits(const struct vtx_lapic *apic, const u32 watched[8], u64 bitmap[4]);

/* The processor took the EOI of @vector, which was to make an exit. */
void vtx_lapic_eoi_taken(struct vtx_lapic *apic, u8 vector, struct vtx_lapic_fx *fx);

/*
 * The processor has stored a guest's write in the page; it is checked and acted upon now (APIC-write exit). @offset: of the
 * register. With the timer's lock if vtx_lapic_is_timer_reg().
 */
void vtx_lapic_stored(struct vtx_lapic *apic, u32 offset, u64 now_ns, struct vtx_lapic_fx *fx);

/*
 * x2APIC: can the processor answer RDMSR, or WRMSR, of @msr from the page by itself? It checks nothing but TPR, EOI and self IPI, and
 * reads 64 bits as they are there.
 */
bool vtx_lapic_msr_direct(u32 msr, bool write);

/* ---------------------------------------------------------------- errors, inputs */

/* Logs an error and raises the LVT error interrupt once per write of ESR. Any CPU. */
void vtx_lapic_error(struct vtx_lapic *apic, enum vtx_lapic_error bit);

/**
 * vtx_lapic_local() - an event at one of the APIC's own inputs
 * @reg: the LVT entry: LINT0, LINT1, thermal or performance counter. Any CPU for LINT0 and LINT1.
 * Return: enum vtx_apic_mode if the caller has to act: FIXED (became pending: make the vCPU look), NMI, SMI, INIT,
 * ExtINT; or -1 when it is masked, dropped or was pending already.
 */
int vtx_lapic_local(struct vtx_lapic *apic, unsigned int reg);

/* Does the PIC's output reach the CPU through this APIC (LINT0 as unmasked ExtINT, or APIC off)? */
static inline bool vtx_lapic_takes_extint(const struct vtx_lapic *apic)
{
	u32 lint0 = vtx_lapic_get(apic, VTX_LAPIC_LINT0);

	return !vtx_lapic_hw_enabled(apic) ||
	       (!(lint0 & VTX_LAPIC_LVT_MASKED) && ((lint0 >> 8) & 7) == VTX_APIC_EXTINT);
}

/* Rebuilds the hints from the page after it was written wholesale. Owner. */
void vtx_lapic_rebuild_hints(struct vtx_lapic *apic);

/* ---------------------------------------------------------------- destinations (lapic_irq.c) */

/* Does @apic belong to the destination of @msg (shorthands: the caller's business)? Any CPU. */
bool vtx_lapic_match(const struct vtx_lapic *apic, const struct vtx_apic_msg *msg);

/* ---------------------------------------------------------------- timer (lapic_timer.c) */

static inline unsigned int vtx_lapic_timer_mode(const struct vtx_lapic *apic)
{
	return (vtx_lapic_get(apic, VTX_LAPIC_LVTT) >> 17) & 3;
}

unsigned int vtx_lapic_divide_shift(u32 tdcr);	/* log2 of the divisor: 0..7 */
u32 vtx_lapic_current_count(const struct vtx_lapic *apic, u64 now_ns);

/* The three register writes; each leaves timer.deadline_ns right. Owner, with the timer's lock. */
void vtx_lapic_write_lvtt(struct vtx_lapic *apic, u32 value);
void vtx_lapic_write_tmict(struct vtx_lapic *apic, u32 value, u64 now_ns);
void vtx_lapic_write_tdcr(struct vtx_lapic *apic, u32 value, u64 now_ns);

/* Restart from a saved current count. */
void vtx_lapic_restore_timer(struct vtx_lapic *apic, u32 current_count, u64 now_ns);

/**
 * vtx_lapic_write_tsc_deadline() - write IA32_TSC_DEADLINE
 * @ticks: of the host's TSC from @now_ns to the moment at which the guest's shows @value, 0 if it is past; @tsc_khz: the host's rate
 * Ignored outside TSC-deadline mode (SDM vol. 3, 11.5.4.1). Owner, with the timer's lock.
 */
void vtx_lapic_write_tsc_deadline(struct vtx_lapic *apic, u64 value, u64 ticks, u32 tsc_khz, u64 now_ns);

static inline u64 vtx_lapic_read_tsc_deadline(const struct vtx_lapic *apic)
{
	return vtx_lapic_timer_mode(apic) == VTX_TIMER_TSC_DEADLINE ? READ_ONCE(apic->timer.tsc_deadline) : 0;
}

/**
 * vtx_lapic_timer_expire() - the host timer says the deadline has come
 * Raises the LVT timer interrupt if it is not masked, and moves a periodic timer on, skipping missed periods.
 * Does nothing when @now_ns is before the deadline. @raised: an interrupt became pending, make the vCPU look.
 * Return: the next deadline, 0 when the timer stopped.
 */
u64 vtx_lapic_timer_expire(struct vtx_lapic *apic, u64 now_ns, bool *raised);

#endif /* VTX_IRQCHIP_LAPIC_H */

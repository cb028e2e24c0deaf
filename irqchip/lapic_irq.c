// SPDX-License-Identifier: GPL-2.0-only
/*
 * Local APIC: interrupt acceptance, priorities, EOI, errors and destination matching (SDM vol. 3, 11.6 and 11.8).
 *
 * The IRR is written by any CPU and emptied by the owner.  irr_hint has a bit for each IRR word, so that "nothing is
 * pending" costs one load.  The hint may say too much, never too little:
 *
 *	sender:  lock or  IRR[w]     owner:  lock and  hint (drop w)
 *	         lock or  hint(w)            load      IRR[w], if not zero: lock or hint(w)
 *
 * Locked instructions are totally ordered and are full barriers on x86.  If the owner's load misses the sender's bit,
 * the sender's first instruction comes after that load, hence after the owner's "and", and so its second one sets the
 * hint bit again after it was dropped.
 *
 * The TMR bit is written before the IRR bit, so whoever sees the interrupt sees its trigger mode.
 *
 * Where the processor may deliver interrupts out of the page (posted), nobody but the owner may touch the IRR, and he only outside
 * the guest: a processor need not take an interrupt with locked instructions (SDM vol. 3, 25.11.4).  Then senders set bits in pir
 * instead, and the owner moves them before an entry.  Hint and order are the same, with pir in place of the IRR.
 */
#include "compat/pure.h"
#include "irqchip/lapic.h"

static __always_inline u32 *word_of(struct vtx_lapic *apic, unsigned int reg, unsigned int word)
{
	return &apic->regs[(reg + word * 0x10) / 4];
}

static __always_inline u32 set_bits(u32 *p, u32 bits)
{
	return __atomic_fetch_or(p, bits, __ATOMIC_SEQ_CST);
}

static __always_inline void clear_bits(u32 *p, u32 bits)
{
	__atomic_fetch_and(p, ~bits, __ATOMIC_SEQ_CST);
}

static __always_inline u32 bit_of(u8 vector)
{
	return 1u << (vector & 31);
}

/* First there, then not here: who reads pir, then the IRR, then the ISR finds a vector in one of them. */
u32 vtx_lapic_irr_word(struct vtx_lapic *apic, unsigned int w)
{
	u32 *irr = word_of(apic, VTX_LAPIC_IRR, w);
	u32 bits = apic->posted ? READ_ONCE(apic->pir[w]) : 0;

	if (bits) {
		set_bits(irr, bits);
		clear_bits(&apic->pir[w], bits);
	}
	return READ_ONCE(*irr);
}

u32 vtx_lapic_unfinished(const struct vtx_lapic *apic, unsigned int w)
{
	u32 bits = __atomic_load_n(&apic->pir[w], __ATOMIC_ACQUIRE);

	bits |= __atomic_load_n(&apic->regs[(VTX_LAPIC_IRR + w * 0x10) / 4], __ATOMIC_ACQUIRE);
	return bits | vtx_lapic_get(apic, VTX_LAPIC_ISR + w * 0x10);
}

bool vtx_lapic_raise(struct vtx_lapic *apic, u8 vector, bool level)
{
	unsigned int w = vector / 32;
	u32 bit = bit_of(vector);
	u32 *tmr = word_of(apic, VTX_LAPIC_TMR, w);
	u32 was;

	/* Nearly all vectors keep one trigger mode for ever: do not dirty the line without need. */
	if (!!(READ_ONCE(*tmr) & bit) != level) {
		if (level)
			set_bits(tmr, bit);
		else
			clear_bits(tmr, bit);
	}
	was = set_bits(apic->posted ? &apic->pir[w] : word_of(apic, VTX_LAPIC_IRR, w), bit);
	set_bits(&apic->irr_hint, 1u << w);
	return !(was & bit);
}

int vtx_lapic_accept(struct vtx_lapic *apic, u8 vector, bool level)
{
	if (!vtx_lapic_accepts(apic))
		return -1;
	if (vector < 16) {
		vtx_lapic_error(apic, VTX_LAPIC_ERR_RECEIVE_VECTOR);
		return -1;
	}
	return vtx_lapic_raise(apic, vector, level);
}

void vtx_lapic_set_hint(struct vtx_lapic *apic, u32 bits)
{
	set_bits(&apic->irr_hint, bits);
}

void vtx_lapic_drop_hint(struct vtx_lapic *apic, u32 bits)
{
	clear_bits(&apic->irr_hint, bits);
}

/* The highest bit of eight words. */
static int highest(const struct vtx_lapic *apic, unsigned int reg)
{
	u32 bits;
	int w;

	for (w = 7; w >= 0; w--) {
		bits = vtx_lapic_get(apic, reg + w * 0x10);
		if (bits)
			return w * 32 + fls(bits) - 1;
	}
	return -1;
}

void vtx_lapic_sync(struct vtx_lapic *apic)
{
	unsigned int w;

	if (!(READ_ONCE(apic->irr_hint) & 0xff))
		return;
	clear_bits(&apic->irr_hint, 0xff);
	for (w = 0; w < 8; w++)
		vtx_lapic_irr_word(apic, w);
}

int vtx_lapic_highest_irr(struct vtx_lapic *apic)
{
	u32 hint, bits;
	int w;

	if (apic->apicv) {
		vtx_lapic_sync(apic);
		return highest(apic, VTX_LAPIC_IRR);
	}

	/*
	 * Each round returns or drops the hint of an empty word; only the owner, who is here, empties words, so each
	 * word is visited at most twice.
	 */
	while ((hint = READ_ONCE(apic->irr_hint) & 0xff) != 0) {
		w = fls(hint) - 1;
		bits = vtx_lapic_irr_word(apic, w);
		if (bits)
			return w * 32 + fls(bits) - 1;
		clear_bits(&apic->irr_hint, 1u << w);
		if (vtx_lapic_irr_word(apic, w))
			set_bits(&apic->irr_hint, 1u << w);
	}
	return -1;
}

int vtx_lapic_highest_isr(const struct vtx_lapic *apic)
{
	u32 hint = READ_ONCE(apic->isr_hint);
	int w;

	if (READ_ONCE(apic->apicv))
		return highest(apic, VTX_LAPIC_ISR);
	if (!hint)
		return -1;
	w = fls(hint) - 1;
	return w * 32 + fls(vtx_lapic_get(apic, VTX_LAPIC_ISR + w * 0x10)) - 1;
}

/* SDM vol. 3, 11.8.3.1 and, for the low half when the classes are equal, 30.1.3. */
u8 vtx_lapic_ppr(const struct vtx_lapic *apic)
{
	u8 tpr = (u8)vtx_lapic_get(apic, VTX_LAPIC_TPR);
	int isr = vtx_lapic_highest_isr(apic);

	if (isr < 0 || (tpr >> 4) >= (isr >> 4))
		return tpr;
	return isr & 0xf0;
}

int vtx_lapic_find_deliverable(struct vtx_lapic *apic)
{
	int vector;

	if (!vtx_lapic_hw_enabled(apic))
		return -1;
	vector = vtx_lapic_highest_irr(apic);
	if (vector < 0 || (vector >> 4) <= (vtx_lapic_ppr(apic) >> 4))
		return -1;
	return vector;
}

int vtx_lapic_ack(struct vtx_lapic *apic)
{
	int vector = vtx_lapic_deliverable(apic);
	unsigned int w;
	u32 *isr;

	if (vector < 0)
		return -1;
	w = vector / 32;
	/* First there, then not here: who reads the IRR and then the ISR finds it (irqchip/routing.c). */
	isr = word_of(apic, VTX_LAPIC_ISR, w);
	WRITE_ONCE(*isr, *isr | bit_of(vector));
	apic->isr_hint |= 1u << w;
	clear_bits(word_of(apic, VTX_LAPIC_IRR, w), bit_of(vector));
	return vector;
}

static void finished(struct vtx_lapic *apic, u8 vector, struct vtx_lapic_fx *fx)
{
	fx->eoi_vector = vector;
	fx->what |= VTX_LAPIC_FX_ENDED;
	if (vtx_lapic_get(apic, VTX_LAPIC_TMR + vector / 32 * 0x10) & bit_of(vector))
		fx->what |= VTX_LAPIC_FX_EOI;
}

void vtx_lapic_eoi_taken(struct vtx_lapic *apic, u8 vector, struct vtx_lapic_fx *fx)
{
	fx->what = 0;
	finished(apic, vector, fx);
}

void vtx_lapic_eoi_exits(const struct vtx_lapic *apic, const u32 watched[8], u64 bitmap[4])
{
	unsigned int w;

	for (w = 0; w < 8; w++) {
		u64 bits = vtx_lapic_get(apic, VTX_LAPIC_TMR + w * 0x10) | READ_ONCE(watched[w]);

		bitmap[w / 2] = w & 1 ? bitmap[w / 2] | bits << 32 : bits;
	}
}

void vtx_lapic_eoi(struct vtx_lapic *apic, struct vtx_lapic_fx *fx)
{
	int vector = vtx_lapic_highest_isr(apic);
	unsigned int w;
	u32 *isr;

	if (vector < 0) /* an EOI without an interrupt in service does nothing */
		return;
	w = vector / 32;
	isr = word_of(apic, VTX_LAPIC_ISR, w);
	WRITE_ONCE(*isr, *isr & ~bit_of(vector));
	if (!*isr)
		apic->isr_hint &= ~(1u << w);
	finished(apic, vector, fx);
}

void vtx_lapic_error(struct vtx_lapic *apic, enum vtx_lapic_error bit)
{
	u32 lvt;

	/* Armed again only by a write of ESR (SDM vol. 3, 11.5.3). */
	if (set_bits(&apic->esr_pending, 1u << bit))
		return;
	lvt = vtx_lapic_get(apic, VTX_LAPIC_LVT_ERROR);
	/* An illegal vector here would be an error about the error; it is dropped instead. */
	if ((lvt & VTX_LAPIC_LVT_MASKED) || (u8)lvt < 16 || !vtx_lapic_accepts(apic))
		return;
	vtx_lapic_raise(apic, (u8)lvt, false);
}

int vtx_lapic_local(struct vtx_lapic *apic, unsigned int reg)
{
	u32 lvt = vtx_lapic_get(apic, reg);
	unsigned int mode = (lvt >> 8) & 7;

	if (!vtx_lapic_hw_enabled(apic) || (lvt & VTX_LAPIC_LVT_MASKED))
		return -1;
	/* The performance counter's entry masks itself when it fires (SDM vol. 3, 11.5.1). */
	if (reg == VTX_LAPIC_LVT_PERF)
		vtx_lapic_put(apic, reg, lvt | VTX_LAPIC_LVT_MASKED);
	switch (mode) {
	case VTX_APIC_FIXED:
		return vtx_lapic_accept(apic, (u8)lvt, false) > 0 ? VTX_APIC_FIXED : -1;
	case VTX_APIC_NMI:
	case VTX_APIC_SMI:
	case VTX_APIC_INIT_MODE:
	case VTX_APIC_EXTINT:
		return mode;
	default:
		return -1;
	}
}

void vtx_lapic_rebuild_hints(struct vtx_lapic *apic)
{
	u32 isr = 0;
	int w;

	for (w = 0; w < 8; w++)
		if (vtx_lapic_get(apic, VTX_LAPIC_ISR + w * 0x10))
			isr |= 1u << w;
	apic->isr_hint = isr;
	/* Too much is harmless and cannot lose a bit that a sender sets right now. */
	set_bits(&apic->irr_hint, 0xff);
}

static bool match_logical_xapic(const struct vtx_lapic *apic, u32 dest)
{
	u32 ldr = vtx_lapic_get(apic, VTX_LAPIC_LDR) >> 24;

	if (dest > 0xff)
		return false;
	switch (vtx_lapic_get(apic, VTX_LAPIC_DFR) >> 28) {
	case 0xf: /* flat */
		return ldr & dest;
	case 0x0: /* cluster: high half equal (0xf: all clusters), low half intersects */
		return ((dest >> 4) == 0xf || (dest >> 4) == (ldr >> 4)) && (dest & ldr & 0xf);
	default:
		return false;
	}
}

bool vtx_lapic_match(const struct vtx_lapic *apic, const struct vtx_apic_msg *msg)
{
	u32 ldr;

	if (!vtx_lapic_hw_enabled(apic))
		return false;
	if (msg->dest == VTX_APIC_BROADCAST)
		return true;
	if (vtx_lapic_x2apic(apic)) {
		if (!msg->logical)
			return msg->dest == apic->id;
		/* The logical id is derived from the id for ever (SDM vol. 3, 11.12.10.2). */
		ldr = vtx_lapic_get(apic, VTX_LAPIC_LDR);
		return (ldr >> 16) == (msg->dest >> 16) && (ldr & msg->dest & 0xffff);
	}
	if (msg->dest == 0xff)
		return true;
	if (msg->logical)
		return match_logical_xapic(apic, msg->dest);
	/*
	 * An id beyond the register's 8 bits: the processor does not answer to what is left of it, but a bootstrap processor in x2APIC
	 * mode can send INIT and SIPI to it, which starts in xAPIC mode.
	 */
	if (apic->id > 0xff)
		return msg->dest == apic->id;
	return msg->dest == vtx_lapic_get(apic, VTX_LAPIC_ID) >> 24;
}

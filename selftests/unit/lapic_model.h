/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A local APIC for a test, and a reference model of its vectors: sets of bool instead of bitmaps and caches.
 */
#ifndef VTX_TEST_LAPIC_MODEL_H
#define VTX_TEST_LAPIC_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include "compat/pure.h"
#include <cmocka.h>
#include "irqchip/lapic.h"

struct fixture {
	struct vtx_lapic a;
	u32 regs[VTX_LAPIC_PAGE_SIZE / 4];
	struct vtx_lapic_fx fx;
};

static u64 seed;

static inline u32 rnd(u32 n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)(seed >> 33) % n;
}

static inline unsigned long steps(unsigned long dflt)
{
	const char *s = getenv("VTX_TEST_STEPS");

	return s ? strtoul(s, NULL, 0) : dflt;
}

static inline void fresh(struct fixture *f, u32 id, bool bsp)
{
	memset(f->regs, 0xa5, sizeof(f->regs));
	vtx_lapic_init(&f->a, f->regs, id, bsp);
	f->a.x2apic_ok = true;
	f->a.tsc_deadline_ok = true;
}

static inline void wr(struct fixture *f, u32 reg, u32 value)
{
	vtx_lapic_mmio_write(&f->a, reg, 4, value, 1000, &f->fx);
}

static inline u32 rd(struct fixture *f, u32 reg)
{
	return vtx_lapic_mmio_read(&f->a, reg, 4, 1000);
}

static inline void enable(struct fixture *f)
{
	wr(f, VTX_LAPIC_SVR, 0x1ff);
}

static inline void to_x2apic(struct fixture *f)
{
	assert_int_equal(vtx_lapic_set_base(&f->a, f->a.base | VTX_LAPIC_BASE_X2APIC, 46, false), 0);
}

struct model {
	bool irr[256], isr[256], tmr[256];
	u8 tpr;
	bool on; /* SVR */
};

static inline int top(const bool *set)
{
	int v;

	for (v = 255; v >= 0; v--)
		if (set[v])
			return v;
	return -1;
}

static inline u8 model_ppr(const struct model *m)
{
	int isr = top(m->isr);
	u8 isr_class = isr < 0 ? 0 : isr & 0xf0;

	return m->tpr >= isr_class && (m->tpr & 0xf0) >= isr_class ? m->tpr : isr_class;
}

static inline int model_deliverable(const struct model *m)
{
	int irr = top(m->irr);

	return irr >= 0 && (irr & 0xf0) > (model_ppr(m) & 0xf0) ? irr : -1;
}

static inline void compare_with_model(struct fixture *f, const struct model *m)
{
	int v;

	assert_int_equal(rd(f, VTX_LAPIC_PPR), model_ppr(m));
	assert_int_equal(vtx_lapic_deliverable(&f->a), model_deliverable(m));
	assert_int_equal(vtx_lapic_highest_isr(&f->a), top(m->isr));
	v = rnd(256);
	assert_int_equal(rd(f, VTX_LAPIC_IRR + v / 32 * 16) >> (v & 31) & 1, m->irr[v]);
	assert_int_equal(rd(f, VTX_LAPIC_ISR + v / 32 * 16) >> (v & 31) & 1, m->isr[v]);
	assert_int_equal(rd(f, VTX_LAPIC_TMR + v / 32 * 16) >> (v & 31) & 1, m->tmr[v]);
}

static inline void model_accept(struct fixture *f, struct model *m)
{
	u8 v = rnd(4) ? 16 + rnd(240) : rnd(256);
	bool level = rnd(3) == 0;
	int expect = !m->on || v < 16 ? -1 : !m->irr[v];

	assert_int_equal(vtx_lapic_accept(&f->a, v, level), expect);
	if (expect < 0)
		return;
	m->irr[v] = true;
	m->tmr[v] = level;
}

static inline void model_eoi(struct fixture *f, struct model *m)
{
	int v = top(m->isr);

	wr(f, VTX_LAPIC_EOI, rnd(2) ? 0 : rnd(256));
	if (v < 0) {
		assert_int_equal(f->fx.what, 0);
		return;
	}
	m->isr[v] = false;
	assert_int_equal(f->fx.eoi_vector, v);
	assert_int_equal(f->fx.what, m->tmr[v] ? VTX_LAPIC_FX_ENDED | VTX_LAPIC_FX_EOI : VTX_LAPIC_FX_ENDED);
}

static inline void model_ack(struct fixture *f, struct model *m)
{
	int v = model_deliverable(m);

	assert_int_equal(vtx_lapic_ack(&f->a), v);
	if (v >= 0) {
		m->irr[v] = false;
		m->isr[v] = true;
	}
}

#endif

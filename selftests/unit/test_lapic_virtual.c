// SPDX-License-Identifier: GPL-2.0-only
/*
 * Local APIC with APIC virtualization: the test plays the processor, which delivers and ends interrupts in the page by itself.
 */
#include "lapic_model.h"

static u32 *page_word(struct fixture *f, u32 reg, u8 vector)
{
	return &f->regs[(reg + vector / 32 * 16) / 4];
}

static void processor_accept(struct fixture *f, struct model *m)
{
	u8 v = rnd(256);
	bool level = rnd(3) == 0;
	int expect = !m->on || v < 16 ? -1 : !(f->a.pir[v / 32] >> (v & 31) & 1);

	if (expect >= 0)
		assert_int_equal(vtx_lapic_in_irr(&f->a, v) | !expect, m->irr[v]);
	assert_int_equal(vtx_lapic_accept(&f->a, v, level), expect);
	if (expect < 0)
		return;
	m->irr[v] = true;
	m->tmr[v] = level;
	assert_true(vtx_lapic_unfinished(&f->a, v / 32) >> (v & 31) & 1);
}

/* Delivery, SDM vol. 3, 30.2.2. */
static void processor_takes(struct fixture *f, struct model *m)
{
	int v = model_deliverable(m);

	if (!f->a.apicv) {
		model_ack(f, m);
		return;
	}
	vtx_lapic_sync(&f->a);
	assert_int_equal(vtx_lapic_highest_irr(&f->a), top(m->irr));
	if (v < 0)
		return;
	*page_word(f, VTX_LAPIC_IRR, v) &= ~(1u << (v & 31));
	*page_word(f, VTX_LAPIC_ISR, v) |= 1u << (v & 31);
	m->irr[v] = false;
	m->isr[v] = true;
}

/* EOI virtualization, 30.1.4; some EOIs are emulated. */
static void processor_eoi(struct fixture *f, struct model *m)
{
	u32 watched[8] = { 0 };
	int v = top(m->isr);
	u64 exits[4];

	if (!f->a.apicv || v < 0 || !rnd(8)) {
		model_eoi(f, m);
		return;
	}
	if (!rnd(4))
		watched[rnd(8)] = ~0u;
	vtx_lapic_eoi_exits(&f->a, watched, exits);
	assert_int_equal(exits[v / 64] >> (v & 63) & 1, m->tmr[v] || watched[v / 32]);
	*page_word(f, VTX_LAPIC_ISR, v) &= ~(1u << (v & 31));
	m->isr[v] = false;
	vtx_lapic_eoi_taken(&f->a, v, &f->fx);
	assert_int_equal(f->fx.eoi_vector, v);
	assert_int_equal(f->fx.what, m->tmr[v] ? VTX_LAPIC_FX_ENDED | VTX_LAPIC_FX_EOI : VTX_LAPIC_FX_ENDED);
}

static void processor_stores(struct fixture *f, u32 reg, u32 value)
{
	if (!f->a.apicv) {
		wr(f, reg, value);
		return;
	}
	f->regs[reg / 4] = value;
	if (reg != VTX_LAPIC_TPR)
		vtx_lapic_stored(&f->a, reg + rnd(4), 1000, &f->fx);
}

static void processor_steps_match_the_model(void **state)
{
	static struct fixture f;
	static struct model m;
	unsigned long n = steps(1000000), i;

	seed = 3;
	fresh(&f, 1, true);
	f.a.posted = true;
	memset(&m, 0, sizeof(m));
	for (i = 0; i < n; i++) {
		switch (rnd(16)) {
		case 0 ... 4:
			processor_accept(&f, &m);
			break;
		case 5 ... 8:
			processor_takes(&f, &m);
			break;
		case 9 ... 12:
			processor_eoi(&f, &m);
			break;
		case 13:
			m.tpr = rnd(256);
			processor_stores(&f, VTX_LAPIC_TPR, m.tpr);
			break;
		case 14:
			m.on = rnd(8) != 0;
			processor_stores(&f, VTX_LAPIC_SVR, m.on ? 0xfffffdff : 0xff);
			assert_int_equal(rd(&f, VTX_LAPIC_SVR), m.on ? 0x1ff : 0xff);
			break;
		default:
			if (!rnd(10))
				vtx_lapic_set_apicv(&f.a, !f.a.apicv);
			if (!rnd(50)) {
				struct kvm_lapic_state s;

				vtx_lapic_get_state(&f.a, &s, 1000, false);
				vtx_lapic_reset(&f.a, true);
				assert_int_equal(vtx_lapic_find_deliverable(&f.a), -1);
				vtx_lapic_accept(&f.a, 0xee, false); /* forgotten with the state that is replaced */
				assert_int_equal(vtx_lapic_set_state(&f.a, &s, 1000, false), 0);
			}
			break;
		}
		assert_int_equal(rd(&f, VTX_LAPIC_PPR), model_ppr(&m));
		assert_int_equal(vtx_lapic_find_deliverable(&f.a), model_deliverable(&m));
		assert_int_equal(vtx_lapic_highest_isr(&f.a), top(m.isr));
	}
}

/* What the guest has stored goes through the same rules as what it writes by an exit, old values included. */
static void stored_is_as_written(void **state)
{
	static const u32 regs[] = { VTX_LAPIC_ID, VTX_LAPIC_LDR, VTX_LAPIC_DFR, VTX_LAPIC_SVR, VTX_LAPIC_ESR, VTX_LAPIC_ICR,
				    VTX_LAPIC_LVTT, VTX_LAPIC_LVTT, VTX_LAPIC_LVTT, VTX_LAPIC_LVT_THERMAL, VTX_LAPIC_LINT0,
				    VTX_LAPIC_LVT_ERROR, VTX_LAPIC_TMICT, VTX_LAPIC_TMICT, VTX_LAPIC_TDCR, VTX_LAPIC_TDCR };
	static struct fixture a, b;
	unsigned long n = steps(300000), i;
	u64 now = 1000;

	seed = 4;
	fresh(&a, 1, true);
	fresh(&b, 1, true);
	a.a.posted = b.a.posted = true;
	vtx_lapic_set_apicv(&a.a, true);
	for (i = 0; i < n; i++) {
		u32 reg = regs[rnd(ARRAY_SIZE(regs))], value = rnd(2) ? rnd(-1u) << 1 | rnd(2) : rnd(8) << 16 | rnd(256);

		now += rnd(10000);
		if (!rnd(20))
			vtx_lapic_error(rnd(2) ? &a.a : &b.a, VTX_LAPIC_ERR_REGISTER), a.a.esr_pending = b.a.esr_pending;
		a.regs[reg / 4] = value;
		vtx_lapic_stored(&a.a, reg, now, &a.fx);
		vtx_lapic_mmio_write(&b.a, reg, 4, value, now, &b.fx);
		assert_int_equal(a.fx.what, b.fx.what);
		if (a.fx.what & VTX_LAPIC_FX_SEND)
			assert_memory_equal(&a.fx.msg, &b.fx.msg, sizeof(a.fx.msg));
		assert_memory_equal(a.regs, b.regs, 0x400);
		assert_memory_equal(&a.a.timer, &b.a.timer, sizeof(a.a.timer));
	}
	/* x2APIC: the one self-IPI that comes to software has an illegal vector. */
	to_x2apic(&a);
	wr(&a, VTX_LAPIC_ESR, 0);
	a.regs[VTX_LAPIC_SELF_IPI / 4] = 5;
	vtx_lapic_stored(&a.a, VTX_LAPIC_SELF_IPI, now, &a.fx);
	assert_int_equal(a.fx.what, 0);
	assert_int_equal(a.a.esr_pending, 1 << VTX_LAPIC_ERR_SEND_VECTOR);
}

/* The processor may answer alone where it gives what the software would. */
static void direct_msrs(void **state)
{
	static struct fixture f;
	unsigned int msr, reads = 0, writes = 0;
	u64 value;

	fresh(&f, 3, true);
	to_x2apic(&f);
	for (msr = 0; msr < 0x2000; msr++) {
		if (vtx_lapic_msr_direct(msr, false)) {
			reads++;
			assert_int_equal(vtx_lapic_msr_read(&f.a, msr, &value, 1000), 0);
			if (msr != 0x80a)	/* the processor keeps PPR there */
				assert_true(value == f.regs[((msr - 0x800) << 4) / 4]);
		}
		if (vtx_lapic_msr_direct(msr, true)) {
			writes++;
			assert_int_equal(vtx_lapic_msr_write(&f.a, msr, msr == 0x83f ? 0x40 : 0, 1000, &f.fx), 0);
		}
	}
	assert_int_equal(reads, 5 + 24 + 1 + 6 + 2 + 1);
	assert_int_equal(writes, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(processor_steps_match_the_model),
		cmocka_unit_test(stored_is_as_written),
		cmocka_unit_test(direct_msrs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

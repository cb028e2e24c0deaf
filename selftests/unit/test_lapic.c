// SPDX-License-Identifier: GPL-2.0-only
/*
 * Local APIC: a reference model with random steps, the access rules of both register interfaces, destinations, the timer
 * at its corners, errors, and several threads raising interrupts at once.
 */
#include <pthread.h>
#include <stdio.h>
#include "lapic_model.h"

/* ---------------------------------------------------------------- reset and access rules */

static void reset_state(void **state)
{
	static struct fixture f;
	u32 reg;

	fresh(&f, 3, false);
	assert_int_equal(rd(&f, VTX_LAPIC_ID), 3u << 24);
	assert_int_equal(rd(&f, VTX_LAPIC_VERSION), 0x50014);
	assert_int_equal(rd(&f, VTX_LAPIC_SVR), 0xff);
	assert_int_equal(rd(&f, VTX_LAPIC_DFR), 0xffffffff);
	for (reg = VTX_LAPIC_LVTT; reg <= VTX_LAPIC_LVT_ERROR; reg += 0x10)
		assert_int_equal(rd(&f, reg), 0x10000);
	for (reg = VTX_LAPIC_ISR; reg < VTX_LAPIC_ESR; reg += 0x10)
		assert_int_equal(rd(&f, reg), 0);
	assert_true(f.a.base == 0xfee00800);
	assert_int_equal(vtx_lapic_deliverable(&f.a), -1);

	fresh(&f, 0, true);
	assert_true(f.a.base == 0xfee00900);
	assert_int_equal(rd(&f, VTX_LAPIC_LINT0), 0x700);
	assert_true(vtx_lapic_takes_extint(&f.a));
}

/* What the manual's tables say, register by register: access through MMIO and as MSR. */
static const struct {
	u32 reg;
	const char *mmio, *msr;
} map[] = {
	{ 0x020, "rw", "r" }, { 0x030, "r", "r" }, { 0x080, "rw", "rw" }, { 0x090, "r", "" }, { 0x0a0, "r", "r" },
	{ 0x0b0, "rw", "w" }, { 0x0c0, "r", "" }, { 0x0d0, "rw", "r" }, { 0x0e0, "rw", "" }, { 0x0f0, "rw", "rw" },
	{ 0x280, "rw", "rw" }, { 0x300, "rw", "rw" }, { 0x310, "rw", "" }, { 0x320, "rw", "rw" }, { 0x330, "rw", "rw" },
	{ 0x340, "rw", "rw" }, { 0x350, "rw", "rw" }, { 0x360, "rw", "rw" }, { 0x370, "rw", "rw" }, { 0x380, "rw", "rw" },
	{ 0x390, "r", "r" }, { 0x3e0, "rw", "rw" }, { 0x3f0, "", "w" },
};

static const char *access_of(u32 reg, bool msr)
{
	unsigned int i;

	if (reg >= 0x100 && reg < 0x280)
		return "r";
	for (i = 0; i < ARRAY_SIZE(map); i++)
		if (map[i].reg == reg)
			return msr ? map[i].msr : map[i].mmio;
	return "";
}

static u32 esr_now(struct fixture *f)
{
	wr(f, VTX_LAPIC_ESR, 0);
	return rd(f, VTX_LAPIC_ESR);
}

static void mmio_access_rules(void **state)
{
	static struct fixture f;
	u32 reg;

	for (reg = 0; reg < 0x1000; reg += 0x10) {
		const char *access = access_of(reg, false);

		fresh(&f, 1, true);
		rd(&f, reg);
		assert_int_equal(esr_now(&f), strchr(access, 'r') ? 0 : 0x80);
		fresh(&f, 1, true);
		if (reg != VTX_LAPIC_ESR) {
			wr(&f, reg, reg == VTX_LAPIC_ICR ? 0x40 : 0);
			assert_int_equal(esr_now(&f), strchr(access, 'w') ? 0 : 0x80);
		}
	}
	/* Narrow and unaligned writes change nothing; narrow reads give bytes of the register, beyond it zero. */
	fresh(&f, 1, true);
	vtx_lapic_mmio_write(&f.a, VTX_LAPIC_TPR, 1, 0x55, 0, &f.fx);
	vtx_lapic_mmio_write(&f.a, VTX_LAPIC_TPR + 1, 4, 0x55, 0, &f.fx);
	assert_int_equal(rd(&f, VTX_LAPIC_TPR), 0);
	assert_int_equal(vtx_lapic_mmio_read(&f.a, VTX_LAPIC_VERSION + 2, 1, 0), 5);
	assert_int_equal(vtx_lapic_mmio_read(&f.a, VTX_LAPIC_VERSION + 2, 2, 0), 5);
	assert_int_equal(vtx_lapic_mmio_read(&f.a, VTX_LAPIC_VERSION + 4, 4, 0), 0);
	assert_true(vtx_lapic_mmio_read(&f.a, VTX_LAPIC_DFR, 8, 0) == 0xffffffff);
}

static void msr_access_rules(void **state)
{
	static struct fixture f;
	u64 value;
	u32 msr;

	fresh(&f, 1, true);
	for (msr = 0x800; msr <= 0x8ff; msr++) {
		assert_int_equal(vtx_lapic_msr_read(&f.a, msr, &value, 0), -EINVAL);
		assert_int_equal(vtx_lapic_msr_write(&f.a, msr, 0, 0, &f.fx), -EINVAL);
	}
	to_x2apic(&f);
	for (msr = 0x7f0; msr <= 0xbff; msr++) {
		const char *access = msr < 0x800 || msr > 0x83f ? "" : access_of((msr - 0x800) << 4, true);

		assert_int_equal(vtx_lapic_msr_read(&f.a, msr, &value, 0), strchr(access, 'r') ? 0 : -EINVAL);
		assert_int_equal(vtx_lapic_msr_write(&f.a, msr, 0, 0, &f.fx), strchr(access, 'w') ? 0 : -EINVAL);
	}
	/* MMIO does not reach it any more. */
	assert_false(vtx_lapic_covers(&f.a, 0xfee00000));
}

static void msr_reserved_bits(void **state)
{
	static const struct {
		u32 msr;
		u64 allowed;
	} t[] = {
		{ 0x808, 0xff }, { 0x80b, 0 }, { 0x80f, 0x3ff }, { 0x828, 0 }, { 0x830, 0xffffffff000cdfffull },
		{ 0x832, 0x710ff }, { 0x833, 0x117ff }, { 0x834, 0x117ff }, { 0x835, 0x1f7ff }, { 0x836, 0x1f7ff },
		{ 0x837, 0x110ff }, { 0x838, 0xffffffff }, { 0x83e, 0xb }, { 0x83f, 0xff },
	};
	static struct fixture f;
	unsigned int i, bit;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		for (bit = 0; bit < 64; bit++) {
			bool ok = t[i].allowed >> bit & 1;

			fresh(&f, 1, true);
			to_x2apic(&f);
			assert_int_equal(vtx_lapic_msr_write(&f.a, t[i].msr, 1ull << bit, 0, &f.fx), ok ? 0 : -EINVAL);
		}
	}
	fresh(&f, 1, true);
	f.a.tsc_deadline_ok = false;
	to_x2apic(&f);
	assert_int_equal(vtx_lapic_msr_write(&f.a, 0x832, 1 << 18, 0, &f.fx), -EINVAL);
}

static void software_disable_masks_lvts(void **state)
{
	static struct fixture f;
	u32 reg;

	fresh(&f, 1, true);
	enable(&f);
	for (reg = VTX_LAPIC_LVTT; reg <= VTX_LAPIC_LVT_ERROR; reg += 0x10) {
		wr(&f, reg, 0x40);
		assert_int_equal(rd(&f, reg), 0x40);
	}
	wr(&f, VTX_LAPIC_SVR, 0xff);
	for (reg = VTX_LAPIC_LVTT; reg <= VTX_LAPIC_LVT_ERROR; reg += 0x10) {
		assert_int_equal(rd(&f, reg), 0x10040);
		wr(&f, reg, 0x41); /* cannot be unmasked now */
		assert_int_equal(rd(&f, reg), 0x10041);
	}
	assert_int_equal(vtx_lapic_accept(&f.a, 0x50, false), -1);
}

static void base_transitions(void **state)
{
	static const u64 mode_bits[4] = { 0, 0x400, 0x800, 0xc00 };
	static struct fixture f;
	unsigned int from, to, bit;

	for (from = 0; from < 4; from++) {
		if (from == 1)
			continue;
		for (to = 0; to < 4; to++) {
			bool ok = to != 1 && !(from == 3 && to == 2) && !(from == 0 && to == 3);

			fresh(&f, 1, true);
			assert_int_equal(vtx_lapic_set_base(&f.a, 0xfee00100 | mode_bits[from], 36, true), 0);
			assert_int_equal(vtx_lapic_set_base(&f.a, 0xfee00100 | mode_bits[to], 36, false), ok ? 0 : -EINVAL);
			assert_true(f.a.base == (0xfee00100 | mode_bits[ok ? to : from]));
		}
	}
	fresh(&f, 1, true);
	for (bit = 0; bit < 64; bit++) {
		bool ok = bit == 8 || bit == 11 || (bit >= 12 && bit < 36) || bit == 10;

		assert_int_equal(vtx_lapic_set_base(&f.a, (1ull << bit) | 0x800, 36, true), ok ? 0 : -EINVAL);
	}
	f.a.x2apic_ok = false;
	assert_int_equal(vtx_lapic_set_base(&f.a, 0xfee00c00, 36, true), -EINVAL);

	/* A guest that turns its APIC off finds it reset; x2APIC ids are derived. */
	fresh(&f, 0x35, false);
	enable(&f);
	wr(&f, VTX_LAPIC_TPR, 0x20);
	vtx_lapic_accept(&f.a, 0x60, false);
	to_x2apic(&f);
	assert_int_equal(f.regs[VTX_LAPIC_LDR / 4], 3 << 16 | 1 << 5);
	assert_int_equal(f.regs[VTX_LAPIC_ID / 4], 0x35);
	assert_int_equal(vtx_lapic_deliverable(&f.a), 0x60);
	vtx_lapic_set_base(&f.a, 0xfee00000, 36, false);
	assert_int_equal(vtx_lapic_deliverable(&f.a), -1);
	vtx_lapic_set_base(&f.a, 0xfee00800, 36, false);
	assert_int_equal(rd(&f, VTX_LAPIC_ID), 0x35u << 24);
	assert_int_equal(rd(&f, VTX_LAPIC_TPR), 0);
	assert_int_equal(vtx_lapic_highest_irr(&f.a), -1);
}

/* ---------------------------------------------------------------- the reference model */

/* KVM_GET_LAPIC, wreck everything, KVM_SET_LAPIC: as if nothing had happened. */
static void model_save_restore(struct fixture *f)
{
	struct kvm_lapic_state s;

	vtx_lapic_get_state(&f->a, &s, 1000, false);
	if (rnd(2))
		vtx_lapic_reset(&f->a, true);
	else
		fresh(f, 1, true);
	assert_int_equal(vtx_lapic_set_state(&f->a, &s, 1000, false), 0);
}

static void random_steps_match_the_model(void **state)
{
	static struct fixture f;
	static struct model m;
	unsigned long n = steps(3000000), i;

	seed = 1;
	fresh(&f, 1, true);
	memset(&m, 0, sizeof(m));
	for (i = 0; i < n; i++) {
		switch (rnd(16)) {
		case 0 ... 4:
			model_accept(&f, &m);
			break;
		case 5 ... 8:
			model_ack(&f, &m);
			break;
		case 9 ... 12:
			model_eoi(&f, &m);
			break;
		case 13:
			m.tpr = rnd(256);
			wr(&f, VTX_LAPIC_TPR, m.tpr);
			break;
		case 14:
			m.on = rnd(8) != 0;
			wr(&f, VTX_LAPIC_SVR, m.on ? 0x1ff : 0xff);
			break;
		default:
			if (!rnd(50))
				model_save_restore(&f);
			break;
		}
		compare_with_model(&f, &m);
	}
}

/* Bug class 65: state as user space may write it, all bits random. The caches always agree with the page. */
static void any_state_is_taken_in_order(void **state)
{
	static struct fixture f;
	struct kvm_lapic_state s;
	unsigned long n = steps(20000) / 10 + 2000, i;
	unsigned int b, guard;

	seed = 2;
	for (i = 0; i < n; i++) {
		fresh(&f, 1, true);
		for (b = 0; b < sizeof(s.regs); b++)
			s.regs[b] = rnd(8) ? rnd(256) : rnd(2) ? 0 : -1;
		assert_int_equal(vtx_lapic_set_state(&f.a, &s, 1000, false), 0);
		vtx_lapic_current_count(&f.a, 5000000);
		/* Drain: bounded by the number of bits, and highest first. */
		wr(&f, VTX_LAPIC_TPR, 0);
		for (guard = 0; guard < 600; guard++) {
			int irr = vtx_lapic_deliverable(&f.a);

			if (irr >= 0)
				assert_int_equal(vtx_lapic_ack(&f.a), irr);
			else if (vtx_lapic_highest_isr(&f.a) >= 0)
				wr(&f, VTX_LAPIC_EOI, 0);
			else
				break;
		}
		assert_true(guard < 600);
		/* Vectors 0..15 are kept as KVM_SET_LAPIC gave them, and never delivered. */
		assert_true(vtx_lapic_highest_irr(&f.a) < 16);
		assert_int_equal(f.a.irr_hint & ~1u, 0);
		assert_int_equal(f.a.isr_hint, 0);
	}
}

static void state_of_another_id_is_refused(void **state)
{
	static struct fixture f;
	struct kvm_lapic_state s, t;
	u32 id;

	fresh(&f, 7, false);
	enable(&f);
	to_x2apic(&f);
	vtx_lapic_get_state(&f.a, &s, 0, false);
	memcpy(&id, &s.regs[VTX_LAPIC_ID], 4);
	assert_int_equal(id, 7u << 24);
	assert_int_equal(vtx_lapic_set_state(&f.a, &s, 0, false), 0);
	vtx_lapic_get_state(&f.a, &t, 0, false);
	assert_memory_equal(&s, &t, sizeof(s));
	s.regs[VTX_LAPIC_ID + 3] = 8;
	s.regs[VTX_LAPIC_TPR] = 0x33;
	assert_int_equal(vtx_lapic_set_state(&f.a, &s, 0, false), -EINVAL);
	assert_int_equal(f.regs[VTX_LAPIC_TPR / 4], 0);
	vtx_lapic_get_state(&f.a, &s, 0, true);
	memcpy(&id, &s.regs[VTX_LAPIC_ID], 4);
	assert_int_equal(id, 7);
	assert_int_equal(vtx_lapic_set_state(&f.a, &s, 0, true), 0);
}

/* VMMs read the state after RESET, touch LINT0 and LINT1, and write it back: ExtINT must still get through. */
static void reset_state_survives_a_round_trip(void **state)
{
	static struct fixture f;
	struct kvm_lapic_state s;

	fresh(&f, 0, true);
	vtx_lapic_get_state(&f.a, &s, 0, false);
	s.regs[VTX_LAPIC_LINT1 + 1] = 4; /* NMI */
	assert_int_equal(vtx_lapic_set_state(&f.a, &s, 0, false), 0);
	assert_true(vtx_lapic_takes_extint(&f.a));
	assert_int_equal(rd(&f, VTX_LAPIC_SVR), 0xff);
	assert_int_equal(rd(&f, VTX_LAPIC_LINT0), 0x700);
	assert_int_equal(rd(&f, VTX_LAPIC_LINT1), 0x10400);
}

static void eoi_broadcast_cannot_be_suppressed(void **state)
{
	static struct fixture f;

	fresh(&f, 1, true);
	assert_int_equal(rd(&f, VTX_LAPIC_VERSION), 0x50014);
	wr(&f, VTX_LAPIC_SVR, 0x11ff);
	assert_int_equal(rd(&f, VTX_LAPIC_SVR), 0x1ff);
	vtx_lapic_accept(&f.a, 0x51, true);
	vtx_lapic_ack(&f.a);
	wr(&f, VTX_LAPIC_EOI, 0);
	assert_int_equal(f.fx.what, VTX_LAPIC_FX_ENDED | VTX_LAPIC_FX_EOI);
}

/* ---------------------------------------------------------------- errors */

static void errors_do_not_recurse(void **state)
{
	static struct fixture f;
	unsigned int v;

	/* Bug class 61: the error entry itself has an illegal vector. */
	for (v = 0; v < 16; v++) {
		fresh(&f, 1, true);
		enable(&f);
		wr(&f, VTX_LAPIC_LVT_ERROR, v);
		assert_int_equal(vtx_lapic_accept(&f.a, v, false), -1);
		wr(&f, VTX_LAPIC_ICR, 0x4000 | v);
		assert_int_equal(f.fx.what, 0);
		assert_int_equal(vtx_lapic_highest_irr(&f.a), -1);
		assert_int_equal(esr_now(&f), 0x60);
		assert_int_equal(esr_now(&f), 0);
	}
	/* One interrupt per write of ESR. */
	fresh(&f, 1, true);
	enable(&f);
	wr(&f, VTX_LAPIC_LVT_ERROR, 0x45);
	vtx_lapic_accept(&f.a, 3, false);
	assert_int_equal(vtx_lapic_ack(&f.a), 0x45);
	wr(&f, VTX_LAPIC_EOI, 0);
	rd(&f, 0x40);
	assert_int_equal(vtx_lapic_ack(&f.a), -1);
	assert_int_equal(esr_now(&f), 0xc0);
	rd(&f, 0x40);
	assert_int_equal(vtx_lapic_ack(&f.a), 0x45);
}

/* ---------------------------------------------------------------- IPIs and destinations */

static void icr_makes_messages(void **state)
{
	static struct fixture f;
	u64 value;

	fresh(&f, 1, true);
	enable(&f);
	wr(&f, VTX_LAPIC_ICR2, 0x05123456);
	assert_int_equal(rd(&f, VTX_LAPIC_ICR2), 0x05000000);
	wr(&f, VTX_LAPIC_ICR, 0x4831);
	assert_int_equal(f.fx.what, VTX_LAPIC_FX_SEND);
	assert_int_equal(f.fx.msg.dest, 5);
	assert_int_equal(f.fx.msg.vector, 0x31);
	assert_true(f.fx.msg.logical);
	assert_int_equal(f.fx.msg.mode, VTX_APIC_FIXED);
	/* Delivery status never reads as set. */
	wr(&f, VTX_LAPIC_ICR, 0x5831);
	assert_int_equal(rd(&f, VTX_LAPIC_ICR), 0x4831);
	/* INIT de-assert is a no-op, INIT is not. */
	wr(&f, VTX_LAPIC_ICR, 0x8500);
	assert_int_equal(f.fx.what, 0);
	wr(&f, VTX_LAPIC_ICR, 0xc500);
	assert_int_equal(f.fx.msg.mode, VTX_APIC_INIT_MODE);
	wr(&f, VTX_LAPIC_ICR, 0x4612);
	assert_int_equal(f.fx.msg.mode, VTX_APIC_STARTUP);
	assert_int_equal(f.fx.msg.vector, 0x12);
	/* Nothing can send ExtINT or a reserved mode. */
	wr(&f, VTX_LAPIC_ICR, 0x4731);
	assert_int_equal(f.fx.what, 0);
	wr(&f, VTX_LAPIC_ICR, 0x4331);
	assert_int_equal(f.fx.what, 0);
	/* 0xff is everybody in xAPIC mode, and an id like others in x2APIC mode. */
	wr(&f, VTX_LAPIC_ICR2, 0xff000000);
	wr(&f, VTX_LAPIC_ICR, 0x4031);
	assert_int_equal(f.fx.msg.dest, VTX_APIC_BROADCAST);
	to_x2apic(&f);
	assert_int_equal(vtx_lapic_msr_write(&f.a, 0x830, 0xff00004031ull, 0, &f.fx), 0);
	assert_int_equal(f.fx.msg.dest, 0xff);
	assert_int_equal(vtx_lapic_msr_read(&f.a, 0x830, &value, 0), 0);
	assert_true(value == 0xff00004031ull);
	assert_int_equal(vtx_lapic_msr_write(&f.a, 0x83f, 0x77, 0, &f.fx), 0);
	assert_int_equal(f.fx.msg.shorthand, VTX_APIC_SELF);
	assert_int_equal(f.fx.msg.vector, 0x77);
	assert_int_equal(vtx_lapic_msr_write(&f.a, 0x83f, 0x7, 0, &f.fx), 0);
	assert_int_equal(f.fx.what, 0);
}

static void physical_destinations(void **state)
{
	static struct fixture f;
	struct vtx_apic_msg msg = { .mode = VTX_APIC_FIXED };
	unsigned int id, dest;

	for (id = 0; id < 255; id++) {
		fresh(&f, id, false);
		for (dest = 0; dest < 600; dest++) {
			msg.dest = dest;
			assert_int_equal(vtx_lapic_match(&f.a, &msg), dest == id || dest == 0xff);
		}
		msg.dest = VTX_APIC_BROADCAST;
		assert_true(vtx_lapic_match(&f.a, &msg));
		to_x2apic(&f);
		for (dest = 0; dest < 600; dest++) {
			msg.dest = dest;
			assert_int_equal(vtx_lapic_match(&f.a, &msg), dest == id);
		}
		vtx_lapic_set_base(&f.a, 0xfee00000, 36, true);
		msg.dest = id;
		assert_false(vtx_lapic_match(&f.a, &msg));
	}
}

/* An id beyond 8 bits does not answer to what is left of it; in full it does, in both modes. */
static void wide_ids(void **state)
{
	static const unsigned int ids[] = { 256, 257, 300, 511, 1023 };
	static struct fixture f;
	struct vtx_apic_msg msg = { .mode = VTX_APIC_FIXED };
	unsigned int i, dest;

	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		fresh(&f, ids[i], false);
		for (dest = 0; dest < 1100; dest++) {
			msg.dest = dest;
			assert_int_equal(vtx_lapic_match(&f.a, &msg), dest == ids[i] || dest == 0xff);
		}
		to_x2apic(&f);
		assert_int_equal(vtx_lapic_get(&f.a, VTX_LAPIC_ID), ids[i]);
		assert_int_equal(vtx_lapic_get(&f.a, VTX_LAPIC_LDR), (ids[i] >> 4) << 16 | 1u << (ids[i] & 15));
		for (dest = 0; dest < 1100; dest++) {
			msg.dest = dest;
			assert_int_equal(vtx_lapic_match(&f.a, &msg), dest == ids[i]);
		}
	}
}

static void logical_destinations(void **state)
{
	static struct fixture f;
	struct vtx_apic_msg msg = { .logical = true };
	unsigned int ldr, dest, id;

	fresh(&f, 2, false);
	for (ldr = 0; ldr < 256; ldr++) {
		wr(&f, VTX_LAPIC_LDR, ldr << 24);
		for (dest = 0; dest < 256; dest++) {
			bool cluster = (dest & 0xf0) == 0xf0 || (dest & 0xf0) == (ldr & 0xf0);

			msg.dest = dest;
			wr(&f, VTX_LAPIC_DFR, 0xffffffff);
			assert_int_equal(vtx_lapic_match(&f.a, &msg), (ldr & dest) != 0 || dest == 0xff);
			wr(&f, VTX_LAPIC_DFR, 0x0fffffff);
			assert_int_equal(vtx_lapic_match(&f.a, &msg), (cluster && (ldr & dest & 15)) || dest == 0xff);
			wr(&f, VTX_LAPIC_DFR, 0x7fffffff); /* no such model */
			assert_int_equal(vtx_lapic_match(&f.a, &msg), dest == 0xff);
		}
	}
	for (id = 0; id < 255; id++) {
		fresh(&f, id, false);
		to_x2apic(&f);
		for (dest = 0; dest < 0x110000; dest += 0x7f1) {
			msg.dest = dest;
			assert_int_equal(vtx_lapic_match(&f.a, &msg), dest >> 16 == id >> 4 && (dest >> (id & 15) & 1));
		}
	}
}

static void local_inputs(void **state)
{
	static struct fixture f;

	fresh(&f, 1, true);
	enable(&f);
	wr(&f, VTX_LAPIC_LINT1, 0x400);
	assert_int_equal(vtx_lapic_local(&f.a, VTX_LAPIC_LINT1), VTX_APIC_NMI);
	wr(&f, VTX_LAPIC_LINT1, 0x10400);
	assert_int_equal(vtx_lapic_local(&f.a, VTX_LAPIC_LINT1), -1);
	wr(&f, VTX_LAPIC_LVT_PERF, 0x55);
	assert_int_equal(vtx_lapic_local(&f.a, VTX_LAPIC_LVT_PERF), VTX_APIC_FIXED);
	assert_int_equal(vtx_lapic_ack(&f.a), 0x55);
	assert_int_equal(rd(&f, VTX_LAPIC_LVT_PERF), 0x10055);
	wr(&f, VTX_LAPIC_LINT0, 0x10700);
	assert_false(vtx_lapic_takes_extint(&f.a));
	wr(&f, VTX_LAPIC_LINT0, 0x700);
	assert_true(vtx_lapic_takes_extint(&f.a));
	wr(&f, VTX_LAPIC_LINT0, 0x40);
	assert_false(vtx_lapic_takes_extint(&f.a));
}

/* ---------------------------------------------------------------- timer */

static void timer_one_shot(void **state)
{
	static struct fixture f;
	bool raised;

	fresh(&f, 1, true);
	enable(&f);
	wr(&f, VTX_LAPIC_LVTT, 0x40);
	wr(&f, VTX_LAPIC_TDCR, 0x3); /* by 16 */
	vtx_lapic_mmio_write(&f.a, VTX_LAPIC_TMICT, 4, 1000, 50000, &f.fx);
	assert_int_equal(f.fx.what, VTX_LAPIC_FX_TIMER);
	assert_true(f.a.timer.deadline_ns == 50000 + 16000);
	assert_int_equal(vtx_lapic_current_count(&f.a, 50000), 1000);
	assert_int_equal(vtx_lapic_current_count(&f.a, 50000 + 8000), 500);
	assert_int_equal(vtx_lapic_current_count(&f.a, 50000 + 16000), 0);
	assert_true(vtx_lapic_timer_expire(&f.a, 65999, &raised) == 66000);
	assert_false(raised);
	assert_true(vtx_lapic_timer_expire(&f.a, 66000, &raised) == 0);
	assert_true(raised);
	assert_int_equal(vtx_lapic_ack(&f.a), 0x40);
	assert_int_equal(vtx_lapic_current_count(&f.a, 66000), 0);
	/* Slower while it runs: the count goes on from where it is. */
	vtx_lapic_mmio_write(&f.a, VTX_LAPIC_TMICT, 4, 1000, 100000, &f.fx);
	vtx_lapic_mmio_write(&f.a, VTX_LAPIC_TDCR, 4, 0xb, 108000, &f.fx); /* by 1, half-way */
	assert_true(f.a.timer.deadline_ns == 108500);
	vtx_lapic_mmio_write(&f.a, VTX_LAPIC_TMICT, 4, 0, 108100, &f.fx);
	assert_true(f.a.timer.deadline_ns == 0);
	/* Masked: counts, but raises nothing. */
	wr(&f, VTX_LAPIC_LVTT, 0x10040);
	vtx_lapic_mmio_write(&f.a, VTX_LAPIC_TMICT, 4, 5, 1, &f.fx);
	vtx_lapic_timer_expire(&f.a, 100, &raised);
	assert_false(raised);
}

static void timer_periodic(void **state)
{
	static struct fixture f;
	bool raised;

	fresh(&f, 1, true);
	enable(&f);
	wr(&f, VTX_LAPIC_LVTT, 0x20040);
	wr(&f, VTX_LAPIC_TDCR, 0xb);
	vtx_lapic_mmio_write(&f.a, VTX_LAPIC_TMICT, 4, 1000000, 0, &f.fx);
	assert_true(vtx_lapic_timer_expire(&f.a, 1000000, &raised) == 2000000);
	assert_true(raised);
	assert_int_equal(vtx_lapic_current_count(&f.a, 1000000), 1000000);
	assert_int_equal(vtx_lapic_current_count(&f.a, 1250000), 750000);
	/* Late: one interrupt for all that was missed, and the phase stays (bug class 58). */
	assert_true(vtx_lapic_timer_expire(&f.a, 600000123456ull, &raised) == 600001000000ull);
	assert_true(raised);
	/* The host timer has not come yet, but the count has started over. */
	assert_int_equal(vtx_lapic_current_count(&f.a, 600001400000ull), 600000);
	/* The shortest period is stretched. */
	vtx_lapic_mmio_write(&f.a, VTX_LAPIC_TMICT, 4, 1, 5000, &f.fx);
	assert_true(f.a.timer.deadline_ns == 5000 + VTX_LAPIC_MIN_PERIOD_NS);
	assert_int_equal(vtx_lapic_current_count(&f.a, 5001), 1);
}

/* Bug class 56: every divisor, awkward counts, all modes, restored; no division by zero, no endless catching up. */
static void timer_corners(void **state)
{
	static const u32 counts[] = { 0, 1, 2, 3, 127, 128, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff };
	static struct fixture f;
	struct kvm_lapic_state s;
	unsigned int tdcr, mode, i, j;
	u64 now, next;
	bool raised;

	for (tdcr = 0; tdcr < 16; tdcr++) {
		for (mode = 0; mode < 4; mode++) {
			for (i = 0; i < ARRAY_SIZE(counts) * ARRAY_SIZE(counts); i++) {
				u32 values[3] = { mode << 17 | 0x40, counts[i / 10], counts[i % 10] };

				fresh(&f, 1, true);
				enable(&f);
				vtx_lapic_get_state(&f.a, &s, 0, false);
				memcpy(&s.regs[VTX_LAPIC_LVTT], &values[0], 4);
				memcpy(&s.regs[VTX_LAPIC_TMICT], &values[1], 4);
				memcpy(&s.regs[VTX_LAPIC_TMCCT], &values[2], 4);
				memcpy(&s.regs[VTX_LAPIC_TDCR], &tdcr, 4);
				now = 77;
				assert_int_equal(vtx_lapic_set_state(&f.a, &s, now, false), 0);
				for (j = 0; j < 6; j++) {
					assert_true(vtx_lapic_current_count(&f.a, now) <= values[1]);
					now += j < 3 ? 100001 : 1ull << 40;
					next = vtx_lapic_timer_expire(&f.a, now, &raised);
					assert_true(!next || next > now);
					vtx_lapic_write_tdcr(&f.a, rnd(256), now);
				}
				if (mode == VTX_TIMER_RESERVED || !values[1])
					assert_true(f.a.timer.deadline_ns == 0);
			}
		}
	}
	assert_int_equal(vtx_lapic_divide_shift(0x0), 1);
	assert_int_equal(vtx_lapic_divide_shift(0x3), 4);
	assert_int_equal(vtx_lapic_divide_shift(0x8), 5);
	assert_int_equal(vtx_lapic_divide_shift(0xa), 7);
	assert_int_equal(vtx_lapic_divide_shift(0xb), 0);
}

static void timer_tsc_deadline(void **state)
{
	static const u64 values[] = { 1, 2, 999, 1ull << 32, 1ull << 62, 1ull << 63, ~0ull - 1, ~0ull };
	static const u32 khz[] = { 0, 1, 1000, 2000000, 3500000, 0xffffffff };
	static struct fixture f;
	unsigned int i, j, k;
	bool raised;

	fresh(&f, 1, true);
	enable(&f);
	vtx_lapic_write_tsc_deadline(&f.a, 5000, 5000, 1000000, 100);
	assert_true(vtx_lapic_read_tsc_deadline(&f.a) == 0); /* not in that mode: ignored */
	wr(&f, VTX_LAPIC_LVTT, 0x40040);
	vtx_lapic_write_tsc_deadline(&f.a, 9000000, 7000000, 3500000, 100);
	assert_true(f.a.timer.deadline_ns >= 100 + 2000000 && f.a.timer.deadline_ns <= 100 + 2000001);
	assert_true(vtx_lapic_read_tsc_deadline(&f.a) == 9000000);
	assert_int_equal(vtx_lapic_current_count(&f.a, 200), 0);
	assert_true(vtx_lapic_timer_expire(&f.a, 2000102, &raised) == 0);
	assert_true(raised);
	assert_true(vtx_lapic_read_tsc_deadline(&f.a) == 0);
	/* In the past: due now. */
	vtx_lapic_write_tsc_deadline(&f.a, 10, 0, 3500000, 5000);
	assert_true(f.a.timer.deadline_ns == 5000);
	vtx_lapic_write_tsc_deadline(&f.a, 0, 0, 3500000, 5000);
	assert_true(f.a.timer.deadline_ns == 0);
	/* Leaving the mode disarms, and TMICT is dead in it. */
	vtx_lapic_write_tsc_deadline(&f.a, 9000000, 7000000, 3500000, 100);
	wr(&f, VTX_LAPIC_TMICT, 100);
	assert_int_equal(rd(&f, VTX_LAPIC_TMICT), 0);
	wr(&f, VTX_LAPIC_LVTT, 0x40);
	assert_true(f.a.timer.deadline_ns == 0);
	/* Far, and with impossible frequencies: never wraps into the past. */
	wr(&f, VTX_LAPIC_LVTT, 0x40040);
	for (i = 0; i < ARRAY_SIZE(values); i++)
		for (j = 0; j < ARRAY_SIZE(values); j++)
			for (k = 0; k < ARRAY_SIZE(khz); k++) {
				vtx_lapic_write_tsc_deadline(&f.a, values[i], values[j], khz[k], 1ull << 60);
				assert_true(f.a.timer.deadline_ns >= 1ull << 60);
				assert_true(f.a.timer.deadline_ns < 1ull << 63);
			}
}

/* ---------------------------------------------------------------- several CPUs */

static struct fixture shared;
static unsigned long sent[4];

static void *sender(void *arg)
{
	unsigned long *count = arg;
	unsigned int x = count - sent, n;

	for (n = 0; n < 300000; n++) {
		x = x * 1103515245 + 12345;
		if (vtx_lapic_accept(&shared.a, 16 + (x >> 16) % 240, x & 1) == 1)
			++*count;
	}
	return NULL;
}

static unsigned long drain(void)
{
	unsigned long got = 0;

	while (vtx_lapic_ack(&shared.a) >= 0) {
		got++;
		vtx_lapic_eoi(&shared.a, &shared.fx);
	}
	return got;
}

/* The hint never says "nothing" for long while a bit is set: all that was newly raised is taken, none twice. */
static void raised_by_many_taken_by_one(void **state)
{
	unsigned long taken = 0, total = 0;
	pthread_t t[4];
	unsigned int i;

	fresh(&shared, 1, true);
	enable(&shared);
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, sender, &sent[i]), 0);
	for (i = 0; i < 200000; i++)
		taken += drain();
	for (i = 0; i < 4; i++) {
		pthread_join(t[i], NULL);
		total += sent[i];
	}
	taken += drain();
	assert_int_equal(taken, total);
	for (i = 0; i < 8; i++)
		assert_int_equal(shared.regs[(VTX_LAPIC_IRR + i * 16) / 4], 0);
}

/*
 * The narrow window: the owner finds a word empty and drops its hint while the sender raises in it. One interrupt a round, and
 * none after it that would bring the hint back.
 */
static unsigned int round_wanted, round_raised;

static void *one_a_round(void *arg)
{
	unsigned int r, x = 1, spin;

	for (r = 1; r <= *(unsigned int *)arg; r++) {
		while (__atomic_load_n(&round_wanted, __ATOMIC_ACQUIRE) != r)
			;
		x = x * 1103515245 + 12345;
		for (spin = (x >> 16) & 63; spin; spin--)
			__asm__ volatile("");
		vtx_lapic_raise(&shared.a, 0x55, false);
		__atomic_store_n(&round_raised, r, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void hint_is_not_lost_by(bool posted)
{
	unsigned int rounds = steps(300000), r, spin;
	bool all_said;
	pthread_t t;

	fresh(&shared, 1, true);
	shared.a.posted = posted;
	round_wanted = round_raised = 0;
	enable(&shared);
	assert_int_equal(pthread_create(&t, NULL, one_a_round, &rounds), 0);
	for (r = 1; r <= rounds; r++) {
		vtx_lapic_set_hint(&shared.a, 1 << 2); /* something to drop, once a round, about when the sender raises */
		__atomic_store_n(&round_wanted, r, __ATOMIC_RELEASE);
		for (spin = r * 7 % 191; spin; spin--)
			__asm__ volatile("");
		do {
			all_said = __atomic_load_n(&round_raised, __ATOMIC_ACQUIRE) == r;
		} while (vtx_lapic_ack(&shared.a) != 0x55 && !all_said);
		if (vtx_lapic_highest_isr(&shared.a) != 0x55)
			fail_msg("lost in round %u", r);
		vtx_lapic_eoi(&shared.a, &shared.fx);
		while (__atomic_load_n(&round_raised, __ATOMIC_ACQUIRE) != r)
			;
	}
	pthread_join(t, NULL);
}

static void hint_is_not_lost(void **state)
{
	hint_is_not_lost_by(false);
}

static void posted_is_not_lost(void **state)
{
	hint_is_not_lost_by(true);
}

static void *resetter(void *arg)
{
	for (unsigned int n = 0; n < 200000; n++)
		vtx_lapic_reset(&shared.a, true);
	__atomic_store_n((bool *)arg, true, __ATOMIC_RELEASE);
	return NULL;
}

/* A SIPI that comes while its destination takes the INIT before it. */
static void found_while_reset(bool x2apic)
{
	struct vtx_apic_msg msg = { .mode = VTX_APIC_STARTUP, .vector = 8, .dest = 5 };
	bool over = false;
	pthread_t t;

	fresh(&shared, 5, false);
	if (x2apic) {
		to_x2apic(&shared);
		msg.dest = 1 << 5;
		msg.logical = true;
	}
	assert_int_equal(pthread_create(&t, NULL, resetter, &over), 0);
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE))
		assert_true(vtx_lapic_match(&shared.a, &msg));
	pthread_join(t, NULL);
}

static void xapic_found_while_reset(void **state)
{
	found_while_reset(false);
}

static void x2apic_found_while_reset(void **state)
{
	found_while_reset(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reset_state),
		cmocka_unit_test(mmio_access_rules),
		cmocka_unit_test(msr_access_rules),
		cmocka_unit_test(msr_reserved_bits),
		cmocka_unit_test(software_disable_masks_lvts),
		cmocka_unit_test(base_transitions),
		cmocka_unit_test(random_steps_match_the_model),
		cmocka_unit_test(any_state_is_taken_in_order),
		cmocka_unit_test(state_of_another_id_is_refused),
		cmocka_unit_test(reset_state_survives_a_round_trip),
		cmocka_unit_test(eoi_broadcast_cannot_be_suppressed),
		cmocka_unit_test(errors_do_not_recurse),
		cmocka_unit_test(icr_makes_messages),
		cmocka_unit_test(physical_destinations),
		cmocka_unit_test(wide_ids),
		cmocka_unit_test(logical_destinations),
		cmocka_unit_test(local_inputs),
		cmocka_unit_test(timer_one_shot),
		cmocka_unit_test(timer_periodic),
		cmocka_unit_test(timer_corners),
		cmocka_unit_test(timer_tsc_deadline),
		cmocka_unit_test(raised_by_many_taken_by_one),
		cmocka_unit_test(hint_is_not_lost),
		cmocka_unit_test(posted_is_not_lost),
		cmocka_unit_test(xapic_found_while_reset),
		cmocka_unit_test(x2apic_found_while_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

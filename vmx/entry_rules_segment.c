// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules of VM entry: the guest's segment registers (SDM vol. 3, 27.3.1.2).
 *
 * A rule that would only repeat what a stronger one says is silent: in virtual-8086 mode the whole base, limit and access rights
 * are prescribed, and of an unusable TR nothing else is worth saying.
 */
#include "compat/pure.h"
#include "vmx/entry_rules.h"

#define SEGMENT "vol. 3, 27.3.1.2"

/* Access rights, SDM vol. 3, table 25-2. */
#define AR_TYPE 15
#define AR_S BIT(4)
#define AR_P BIT(7)
#define AR_RESERVED (BIT(8) | BIT(9) | BIT(10) | BIT(11))
#define AR_L BIT(13)
#define AR_DB BIT(14)
#define AR_G BIT(15)
#define AR_UNUSABLE BIT(16)
#define AR_RESERVED_HIGH GENMASK_ULL(31, 17)

#define TYPE_ACCESSED 1
#define TYPE_READABLE 2		/* of code; writable of data */
#define TYPE_CONFORMING 4
#define TYPE_CODE 8
#define TYPE_DATA_RW 3
#define TYPE_LDT 2
#define TYPE_BUSY_TSS16 3
#define TYPE_BUSY_TSS 11

static u32 ar_type(const struct vtx_entry_state *s, u32 seg)
{
	return s->seg[seg].ar & AR_TYPE;
}

static u32 ar_dpl(const struct vtx_entry_state *s, u32 seg)
{
	return s->seg[seg].ar >> 5 & 3;
}

static u32 rpl(const struct vtx_entry_state *s, u32 seg)
{
	return s->seg[seg].selector & 3;
}

/* ------------------------------------------------------------------ conditions */

/* RFLAGS.VM where it cannot be has a rule of its own. */
static bool v86(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return (s->rflags & RULE_RFLAGS_VM) && (s->cr0 & RULE_CR0_PE) && !rule_guest_64(s);
}

static bool not_v86(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return !v86(s, r);
}

/* CS is always used, whatever its bit says. */
static bool usable(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return r->seg == E_CS || !(s->seg[r->seg].ar & AR_UNUSABLE);
}

static bool usable_not_v86(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return usable(s, r) && not_v86(s, r);
}

static bool usable_code(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return usable_not_v86(s, r) && (ar_type(s, r->seg) & TYPE_CODE);
}

static bool cs_conforming(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return not_v86(s, r) && (ar_type(s, E_CS) & (TYPE_CODE | TYPE_CONFORMING)) == (TYPE_CODE | TYPE_CONFORMING);
}

static bool cs_nonconforming(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return not_v86(s, r) && (ar_type(s, E_CS) & (TYPE_CODE | TYPE_CONFORMING)) == TYPE_CODE;
}

static bool cs_is_data(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return not_v86(s, r) && ar_type(s, E_CS) == TYPE_DATA_RW && rule_unrestricted(s);
}

static bool cs_64(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return rule_guest_64(s) && (s->seg[E_CS].ar & AR_L) && not_v86(s, r);
}

static bool restricted(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return not_v86(s, r) && !rule_unrestricted(s);
}

static bool real_mode_or_cs_is_data(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return not_v86(s, r) && (!(s->cr0 & RULE_CR0_PE) || ar_type(s, E_CS) == TYPE_DATA_RW);
}

/* All data segments, and code that is not conforming. */
static bool restricted_usable_with_dpl(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return restricted(s, r) && usable(s, r) && ar_type(s, r->seg) < (TYPE_CODE | TYPE_CONFORMING);
}

static bool tr_64(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return usable(s, r) && rule_guest_64(s);
}

static bool tr_32(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return usable(s, r) && !rule_guest_64(s);
}

static bool usable_granular(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return usable_not_v86(s, r) && (s->seg[r->seg].ar & AR_G);
}

static bool usable_bytes(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return usable_not_v86(s, r) && !(s->seg[r->seg].ar & AR_G);
}

/* LDTR and TR keep their rules in virtual-8086 mode. */
static bool system_granular(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return usable(s, r) && (s->seg[r->seg].ar & AR_G);
}

static bool system_bytes(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return usable(s, r) && !(s->seg[r->seg].ar & AR_G);
}

/* ------------------------------------------------------------------ tests */

static bool v86_base(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = (u64)s->seg[r->seg].selector << 4;
	return found == *allowed;
}

static bool equal(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	return found == r->mask;
}

static bool cs_type(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	u32 type = found & AR_TYPE;

	*allowed = BIT(9) | BIT(11) | BIT(13) | BIT(15); /* a bit per type */
	if (rule_unrestricted(s))
		*allowed |= BIT(TYPE_DATA_RW);
	return *allowed >> type & 1;
}

static bool type_in_mask(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	return r->mask >> (found & AR_TYPE) & 1;
}

static bool dpl_is_ss_dpl(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = (u64)ar_dpl(s, E_SS) << 5;
	return ar_dpl(s, r->seg) == ar_dpl(s, E_SS);
}

static bool dpl_at_most_ss_dpl(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = (u64)ar_dpl(s, E_SS) << 5;
	return ar_dpl(s, r->seg) <= ar_dpl(s, E_SS);
}

static bool dpl_is_rpl(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = (u64)rpl(s, r->seg) << 5;
	return ar_dpl(s, r->seg) == rpl(s, r->seg);
}

static bool dpl_at_least_rpl(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = (u64)rpl(s, r->seg) << 5;
	return ar_dpl(s, r->seg) >= rpl(s, r->seg);
}

static bool rpl_is_cs_rpl(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = rpl(s, E_CS);
	return rpl(s, r->seg) == rpl(s, E_CS);
}

/* ------------------------------------------------------------------ the table */

#define ROW(name, suffix, REG, reg, member, condition, test, bits, sentence)                          \
	{ .id = "guest." #reg "." name, .section = SEGMENT, .field = "GUEST_" #REG suffix, .text = sentence, \
	  RULE_AT(seg[E_##REG].member), .seg = E_##REG, .when = condition, .ok = test, .mask = bits }

#define SELECTOR(REG, reg, name, condition, test, bits, sentence) \
	ROW(name, "_SELECTOR", REG, reg, selector, condition, test, bits, sentence)
#define BASE(REG, reg, name, condition, test, bits, sentence) \
	ROW(name, "_BASE", REG, reg, base, condition, test, bits, sentence)
#define LIMIT(REG, reg, name, condition, test, bits, sentence) \
	ROW(name, "_LIMIT", REG, reg, limit, condition, test, bits, sentence)
#define AR(REG, reg, name, condition, test, bits, sentence) \
	ROW(name, "_AR_BYTES", REG, reg, ar, condition, test, bits, sentence)

#define V86_BASE(REG, reg) BASE(REG, reg, "v86-base", v86, v86_base, 0, "In virtual-8086 mode the base is the selector times 16")
#define V86_LIMIT(REG, reg) LIMIT(REG, reg, "v86-limit", v86, equal, 0xffff, "In virtual-8086 mode the limit is 0xffff")
#define V86_RIGHTS(REG, reg) AR(REG, reg, "v86-rights", v86, equal, 0xf3, "In virtual-8086 mode the access rights are 0xf3")
#define HIGH(REG, reg) \
	BASE(REG, reg, "base-high", usable_not_v86, rule_zero, GENMASK_ULL(63, 32), \
	     "Bits 63:32 of the base of " #REG " must be 0")
#define CANONICAL(REG, reg, condition) BASE(REG, reg, "base-canonical", condition, rule_canonical, 0, "The base is not canonical")
#define ACCESSED(REG, reg) \
	AR(REG, reg, "accessed", usable_not_v86, rule_set, TYPE_ACCESSED, "A usable " #REG " must be accessed (type bit 0)")
#define READABLE(REG, reg) \
	AR(REG, reg, "readable", usable_code, rule_set, TYPE_READABLE, "A code segment in " #REG " must be readable")
#define CODE_OR_DATA(REG, reg) \
	AR(REG, reg, "system", usable_not_v86, rule_set, AR_S, "A usable " #REG " must be a code or data segment (S is 1)")
#define SYSTEM(REG, reg) AR(REG, reg, "system", usable, rule_zero, AR_S, "A usable " #REG " must be a system segment (S is 0)")
#define PRESENT(REG, reg, condition) AR(REG, reg, "present", condition, rule_set, AR_P, "A usable " #REG " must be present")
#define RESERVED(REG, reg, condition) \
	AR(REG, reg, "reserved", condition, rule_zero, AR_RESERVED, "Bits 11:8 of a usable " #REG "'s access rights must be 0")
#define RESERVED_HIGH(REG, reg, condition) \
	AR(REG, reg, "reserved-high", condition, rule_zero, AR_RESERVED_HIGH, \
	   "Bits 31:17 of a usable " #REG "'s access rights must be 0")
#define PAGES(REG, reg, condition) \
	LIMIT(REG, reg, "limit-granular", condition, rule_set, 0xfff, "With G, bits 11:0 of the limit of " #REG " must be 1")
#define BYTES(REG, reg, condition) \
	LIMIT(REG, reg, "limit-bytes", condition, rule_zero, 0xfff00000, \
	      "Without G, bits 31:20 of the limit of " #REG " must be 0")
#define DATA_DPL(REG, reg) \
	AR(REG, reg, "dpl", restricted_usable_with_dpl, dpl_at_least_rpl, 0, \
	   "Without unrestricted guest, the DPL of " #REG " must be at least its RPL")

static const struct vtx_entry_rule rows[] = {
	SELECTOR(TR, tr, "ti", NULL, rule_zero, 4, "TR must be in the GDT (TI is 0)"),
	SELECTOR(LDTR, ldtr, "ti", usable, rule_zero, 4, "LDTR must be in the GDT (TI is 0)"),
	SELECTOR(SS, ss, "rpl", restricted, rpl_is_cs_rpl, 0, "Without unrestricted guest, the RPL of SS must be that of CS"),

	V86_BASE(ES, es), V86_BASE(CS, cs), V86_BASE(SS, ss), V86_BASE(DS, ds), V86_BASE(FS, fs), V86_BASE(GS, gs),
	CANONICAL(TR, tr, NULL), CANONICAL(FS, fs, not_v86), CANONICAL(GS, gs, not_v86), CANONICAL(LDTR, ldtr, usable),
	HIGH(CS, cs), HIGH(SS, ss), HIGH(DS, ds), HIGH(ES, es),

	V86_LIMIT(ES, es), V86_LIMIT(CS, cs), V86_LIMIT(SS, ss), V86_LIMIT(DS, ds), V86_LIMIT(FS, fs), V86_LIMIT(GS, gs),
	V86_RIGHTS(ES, es), V86_RIGHTS(CS, cs), V86_RIGHTS(SS, ss), V86_RIGHTS(DS, ds), V86_RIGHTS(FS, fs), V86_RIGHTS(GS, gs),

	AR(CS, cs, "type", not_v86, cs_type, 0, "CS must be accessed code (or, in an unrestricted guest, data of type 3)"),
	AR(SS, ss, "type", usable_not_v86, type_in_mask, BIT(3) | BIT(7), "A usable SS must be writable accessed data"),
	ACCESSED(DS, ds), ACCESSED(ES, es), ACCESSED(FS, fs), ACCESSED(GS, gs),
	READABLE(DS, ds), READABLE(ES, es), READABLE(FS, fs), READABLE(GS, gs),
	CODE_OR_DATA(CS, cs), CODE_OR_DATA(SS, ss), CODE_OR_DATA(DS, ds), CODE_OR_DATA(ES, es), CODE_OR_DATA(FS, fs),
	CODE_OR_DATA(GS, gs),

	AR(CS, cs, "dpl-data", cs_is_data, rule_zero, 3 << 5, "The DPL of a data segment in CS must be 0"),
	AR(CS, cs, "dpl-code", cs_nonconforming, dpl_is_ss_dpl, 0, "The DPL of non-conforming code in CS must be that of SS"),
	AR(CS, cs, "dpl-conforming", cs_conforming, dpl_at_most_ss_dpl, 0,
	   "The DPL of conforming code in CS must not be above that of SS"),
	AR(SS, ss, "dpl-rpl", restricted, dpl_is_rpl, 0, "Without unrestricted guest, the DPL of SS must be its RPL"),
	AR(SS, ss, "dpl-zero", real_mode_or_cs_is_data, rule_zero, 3 << 5,
	   "The DPL of SS must be 0 when CS is data (type 3) or CR0.PE is 0"),
	DATA_DPL(DS, ds), DATA_DPL(ES, es), DATA_DPL(FS, fs), DATA_DPL(GS, gs),

	PRESENT(CS, cs, not_v86), PRESENT(SS, ss, usable_not_v86), PRESENT(DS, ds, usable_not_v86),
	PRESENT(ES, es, usable_not_v86), PRESENT(FS, fs, usable_not_v86), PRESENT(GS, gs, usable_not_v86),
	RESERVED(CS, cs, not_v86), RESERVED(SS, ss, usable_not_v86), RESERVED(DS, ds, usable_not_v86),
	RESERVED(ES, es, usable_not_v86), RESERVED(FS, fs, usable_not_v86), RESERVED(GS, gs, usable_not_v86),
	AR(CS, cs, "long-and-32", cs_64, rule_zero, AR_DB, "64-bit code (CS.L) must have D/B 0"),
	PAGES(CS, cs, usable_granular), PAGES(SS, ss, usable_granular), PAGES(DS, ds, usable_granular),
	PAGES(ES, es, usable_granular), PAGES(FS, fs, usable_granular), PAGES(GS, gs, usable_granular),
	BYTES(CS, cs, usable_bytes), BYTES(SS, ss, usable_bytes), BYTES(DS, ds, usable_bytes), BYTES(ES, es, usable_bytes),
	BYTES(FS, fs, usable_bytes), BYTES(GS, gs, usable_bytes),
	RESERVED_HIGH(CS, cs, not_v86), RESERVED_HIGH(SS, ss, usable_not_v86), RESERVED_HIGH(DS, ds, usable_not_v86),
	RESERVED_HIGH(ES, es, usable_not_v86), RESERVED_HIGH(FS, fs, usable_not_v86), RESERVED_HIGH(GS, gs, usable_not_v86),

	AR(TR, tr, "unusable", NULL, rule_zero, AR_UNUSABLE, "TR must be usable"),
	AR(TR, tr, "type-64", tr_64, type_in_mask, BIT(TYPE_BUSY_TSS),
	   "In an IA-32e mode guest TR must be a busy 64-bit TSS (type 11)"),
	AR(TR, tr, "type-32", tr_32, type_in_mask, BIT(TYPE_BUSY_TSS16) | BIT(TYPE_BUSY_TSS),
	   "TR must be a busy TSS (type 3 or 11)"),
	SYSTEM(TR, tr), PRESENT(TR, tr, usable), RESERVED(TR, tr, usable), PAGES(TR, tr, system_granular),
	BYTES(TR, tr, system_bytes), RESERVED_HIGH(TR, tr, usable),

	AR(LDTR, ldtr, "type", usable, type_in_mask, BIT(TYPE_LDT), "A usable LDTR must be an LDT (type 2)"),
	SYSTEM(LDTR, ldtr), PRESENT(LDTR, ldtr, usable), RESERVED(LDTR, ldtr, usable), PAGES(LDTR, ldtr, system_granular),
	BYTES(LDTR, ldtr, system_bytes), RESERVED_HIGH(LDTR, ldtr, usable),
};

const struct vtx_rule_table vtx_rules_segment = { rows, ARRAY_SIZE(rows), RULE_GUEST };

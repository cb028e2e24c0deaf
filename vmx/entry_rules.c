// SPDX-License-Identifier: GPL-2.0-only
/*
 * The walk through the rules of VM entry, and the tests that many of them share.
 */
#include "compat/pure.h"
#include "vmx/entry_rules.h"

const struct vtx_rule_table *const vtx_rule_tables[VTX_NR_RULE_TABLES] = {
	&vtx_rules_exec, &vtx_rules_entry_exit, &vtx_rules_host, &vtx_rules_guest, &vtx_rules_segment, &vtx_rules_state,
};

u64 vtx_rule_value(const struct vtx_entry_state *s, const struct vtx_entry_rule *rule)
{
	const u8 *place = (const u8 *)s + rule->at;

	switch (rule->size) {
	case 1:
		return *place;
	case 2:
		return *(const u16 *)place;
	case 4:
		return *(const u32 *)place;
	default:
		return *(const u64 *)place;
	}
}

static bool check_one(const struct vtx_entry_state *s, const struct vtx_entry_rule *rule, struct vtx_entry_finding *out)
{
	if (rule->when && !rule->when(s, rule))
		return true;
	out->rule = rule;
	out->found = vtx_rule_value(s, rule);
	out->allowed = rule->mask;
	return rule->ok(s, rule, out->found, &out->allowed);
}

u32 vtx_entry_rules_check(const struct vtx_entry_state *s, u32 groups, struct vtx_entry_finding *out, u32 max)
{
	struct vtx_entry_finding finding;
	u32 broken = 0, t, i;

	for (t = 0; t < VTX_NR_RULE_TABLES; t++) {
		const struct vtx_rule_table *table = vtx_rule_tables[t];

		if (!(table->group & groups))
			continue;
		for (i = 0; i < table->n; i++) {
			if (check_one(s, &table->rows[i], &finding))
				continue;
			finding.group = table->group;
			if (broken < max)
				out[broken] = finding;
			broken++;
		}
	}
	return broken;
}

/* ------------------------------------------------------------------ shared tests */

bool rule_never(const struct vtx_entry_state *s, const struct vtx_entry_rule *rule, u64 found, u64 *allowed)
{
	return false;
}

bool rule_zero(const struct vtx_entry_state *s, const struct vtx_entry_rule *rule, u64 found, u64 *allowed)
{
	*allowed = ~rule->mask & (rule->size >= 8 ? ~0ULL : BIT_ULL(8 * rule->size) - 1);
	return !(found & rule->mask);
}

bool rule_set(const struct vtx_entry_state *s, const struct vtx_entry_rule *rule, u64 found, u64 *allowed)
{
	return (found & rule->mask) == rule->mask;
}

bool rule_max(const struct vtx_entry_state *s, const struct vtx_entry_rule *rule, u64 found, u64 *allowed)
{
	return found <= rule->mask;
}

bool rule_nonzero(const struct vtx_entry_state *s, const struct vtx_entry_rule *rule, u64 found, u64 *allowed)
{
	return found;
}

bool rule_physical(const struct vtx_entry_state *s, const struct vtx_entry_rule *rule, u64 found, u64 *allowed)
{
	*allowed = BIT_ULL(s->cpu.maxphyaddr) - 1;
	return found <= *allowed;
}

/* All bits from the highest that counts upward are the same. allowed: those that may differ from it. */
bool rule_canonical(const struct vtx_entry_state *s, const struct vtx_entry_rule *rule, u64 found, u64 *allowed)
{
	u32 shift = 64 - s->cpu.linear_bits;

	*allowed = BIT_ULL(s->cpu.linear_bits - 1) - 1;
	return (u64)((s64)(found << shift) >> shift) == found;
}

bool rule_pat(const struct vtx_entry_state *s, const struct vtx_entry_rule *rule, u64 found, u64 *allowed)
{
	u32 i;

	*allowed = 0x0707070707070707ULL;
	for (i = 0; i < 8; i++) {
		u8 type = (u8)(found >> (8 * i));

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

/* ------------------------------------------------------------------ tests that host and guest share */

/* The processor's masks for CR4 (SDM vol. 3, A.8), IA32_EFER and IA32_PERF_GLOBAL_CTRL. */
bool rule_cr4_fixed_to_1(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = s->cpu.msrs.cr4_fixed0;
	return !(*allowed & ~found);
}

bool rule_cr4_fixed_to_0(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = s->cpu.msrs.cr4_fixed1;
	return !(found & ~*allowed);
}

bool rule_efer_reserved(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = s->cpu.efer_valid;
	return !(found & ~*allowed);
}

bool rule_perf_reserved(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = s->cpu.perf_global_valid;
	return !(found & ~*allowed);
}

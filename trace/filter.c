// SPDX-License-Identifier: GPL-2.0-only
/*
 * A filter applied to an exit, and printed (trace/filter.h).
 */
#include "compat/pure.h"
#include "trace/filter.h"

/* Exit reasons whose records have a port or an MSR (SDM vol. 3, appendix C). */
#define REASON_IO 30
#define REASON_RDMSR 31
#define REASON_WRMSR 32

const char *const vtx_filter_keys[VTX_NR_FILTER_KEYS] = { "reason", "vcpu", "rip", "gpa", "port", "msr" };

/* ------------------------------------------------------------------ matching */

/* What a condition looks at. False: the exit has none. */
static bool value_of(enum vtx_filter_key key, u32 vcpu_id, const struct vtx_record *record, u64 *value)
{
	switch (key) {
	case VTX_FILTER_VCPU:
		*value = vcpu_id;
		return true;
	case VTX_FILTER_RIP:
		*value = record->rip;
		return true;
	case VTX_FILTER_GPA:
		*value = record->gpa;
		return record->flags & VTX_RECORD_GPA;
	case VTX_FILTER_PORT:
		*value = record->info >> 16 & 0xffff; /* exit qualification: SDM vol. 3, table 28-5 */
		return record->reason == REASON_IO;
	case VTX_FILTER_MSR:
		*value = record->info;
		return record->reason == REASON_RDMSR || record->reason == REASON_WRMSR;
	default:
		return false;
	}
}

static bool reason_holds(const struct vtx_filter_rule *rule, const struct vtx_record *record)
{
	u32 reason = record->reason & 0xffff;

	if (reason > VTX_FILTER_OTHER)
		reason = VTX_FILTER_OTHER;
	return rule->reasons[reason / 64] >> (reason % 64) & 1;
}

static bool holds(const struct vtx_filter_rule *rule, enum vtx_filter_key key, u32 vcpu_id, const struct vtx_record *record)
{
	u64 value = 0;

	if (key == VTX_FILTER_REASON)
		return reason_holds(rule, record);
	if (!value_of(key, vcpu_id, record, &value))
		return false;
	for (unsigned int i = 0; i < rule->nr_ranges[key]; i++)
		if (value >= rule->ranges[key][i].first && value <= rule->ranges[key][i].last)
			return true;
	return false;
}

static bool rule_matches(const struct vtx_filter_rule *rule, u32 vcpu_id, const struct vtx_record *record)
{
	for (unsigned int key = 0; key < VTX_NR_FILTER_KEYS; key++) {
		bool negated = rule->negated >> key & 1;

		if ((rule->given >> key & 1) && holds(rule, key, vcpu_id, record) == negated)
			return false;
	}
	return true;
}

unsigned int vtx_filter_match(const struct vtx_filter *filter, u32 vcpu_id, const struct vtx_record *record)
{
	unsigned int result = filter->actions & VTX_FILTER_SHOW ? 0 : VTX_FILTER_SHOW;

	for (unsigned int i = 0; i < filter->nr_rules; i++) {
		const struct vtx_filter_rule *rule = &filter->rules[i];

		if (!(result & rule->action) && rule_matches(rule, vcpu_id, record))
			result |= rule->action;
	}
	return result;
}

/* ------------------------------------------------------------------ printing */

void vtx_filter_put(struct vtx_filter_text *text, const char *s)
{
	while (*s && text->n + 1 < text->size)
		text->out[text->n++] = *s++;
	text->out[text->n] = 0;
}

void vtx_filter_put_number(struct vtx_filter_text *text, u64 value, unsigned int base)
{
	char digits[24];
	unsigned int at = sizeof(digits) - 1;

	digits[at] = 0;
	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	if (base == 16)
		vtx_filter_put(text, "0x");
	vtx_filter_put(text, &digits[at]);
}

static void put_reasons(struct vtx_filter_text *text, const struct vtx_filter_rule *rule, vtx_reason_name name)
{
	const char *comma = "";

	for (unsigned int reason = 0; reason < VTX_FILTER_REASONS; reason++) {
		const char *known = reason == VTX_FILTER_OTHER ? "OTHER" : name(reason);

		if (!(rule->reasons[reason / 64] >> (reason % 64) & 1))
			continue;
		vtx_filter_put(text, comma);
		vtx_filter_put(text, known ?: "REASON_");
		if (!known)
			vtx_filter_put_number(text, reason, 10);
		comma = ",";
	}
}

static void put_ranges(struct vtx_filter_text *text, const struct vtx_filter_rule *rule, enum vtx_filter_key key)
{
	unsigned int base = key == VTX_FILTER_VCPU ? 10 : 16;

	for (unsigned int i = 0; i < rule->nr_ranges[key]; i++) {
		const struct vtx_filter_range *range = &rule->ranges[key][i];

		vtx_filter_put(text, i ? "," : "");
		vtx_filter_put_number(text, range->first, base);
		if (range->last == range->first)
			continue;
		vtx_filter_put(text, "-");
		vtx_filter_put_number(text, range->last, base);
	}
}

size_t vtx_filter_print(const struct vtx_filter_rule *rule, vtx_reason_name name, char *out, size_t size)
{
	struct vtx_filter_text text = { .out = out, .size = size };

	vtx_filter_put(&text, rule->action == VTX_FILTER_STOP ? "stop" : "show");
	for (unsigned int key = 0; key < VTX_NR_FILTER_KEYS; key++) {
		if (!(rule->given >> key & 1))
			continue;
		vtx_filter_put(&text, rule->negated >> key & 1 ? " not " : " ");
		vtx_filter_put(&text, vtx_filter_keys[key]);
		vtx_filter_put(&text, "=");
		if (key == VTX_FILTER_REASON)
			put_reasons(&text, rule, name);
		else
			put_ranges(&text, rule, key);
	}
	return text.n;
}

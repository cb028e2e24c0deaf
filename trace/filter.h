/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The filter of a VM's stream: which exits are shown, which stop the vCPU. Pure.
 *
 * The language is in docs/tracing.md. A filter is small and of fixed size, since it is applied with interrupts off.
 */
#ifndef VTX_TRACE_FILTER_H
#define VTX_TRACE_FILTER_H

#include "compat/pure.h"
#include "uapi/vtx.h"

#define VTX_FILTER_RULES 16
#define VTX_FILTER_RANGES 4		/* values of a condition; reasons may be any number */
#define VTX_FILTER_RULE_TEXT 4096	/* more than a printed rule has */
/* The longest text that is read: what is printed can be written back. */
#define VTX_FILTER_TEXT (VTX_FILTER_RULES * VTX_FILTER_RULE_TEXT)

#define VTX_FILTER_REASONS 77		/* of exits/table.c, and one for all that is none */
#define VTX_FILTER_OTHER 76

enum vtx_filter_key { VTX_FILTER_REASON, VTX_FILTER_VCPU, VTX_FILTER_RIP, VTX_FILTER_GPA, VTX_FILTER_PORT, VTX_FILTER_MSR,
		      VTX_NR_FILTER_KEYS };

struct vtx_filter_range {
	u64 first, last;	/* both belong to it */
};

/* All conditions that are given must hold. One that is about something the exit does not have does not hold; negated, it does. */
struct vtx_filter_rule {
	u64 reasons[2];				/* bits */
	struct vtx_filter_range ranges[VTX_NR_FILTER_KEYS][VTX_FILTER_RANGES];
	u8 nr_ranges[VTX_NR_FILTER_KEYS];
	u8 given, negated;			/* bits: enum vtx_filter_key */
	u8 action;				/* VTX_FILTER_SHOW or VTX_FILTER_STOP */
};

/* What to do with an exit. */
#define VTX_FILTER_SHOW 1
#define VTX_FILTER_STOP 2

/* All zero: no rules, everything is shown, nothing stops. */
struct vtx_filter {
	u32 nr_rules;
	u32 actions;				/* that some rule has */
	struct vtx_filter_rule rules[VTX_FILTER_RULES];
};

/* Why a text was refused: a sentence, printable ASCII. */
struct vtx_filter_error {
	char text[192];
};

/* The name of an exit reason below VTX_FILTER_OTHER, or NULL: it is then called REASON_<number>. */
typedef const char *(*vtx_reason_name)(unsigned int reason);

/* Return: 0; -EINVAL or -E2BIG with *error filled in, @filter is then worthless. @text may hold any bytes. */
int vtx_filter_parse(struct vtx_filter *filter, const char *text, size_t len, vtx_reason_name name,
		     struct vtx_filter_error *error);
/* Why a text longer than VTX_FILTER_TEXT was not even read. Return: -E2BIG. */
int vtx_filter_too_long(size_t len, struct vtx_filter_error *error);

/* Writes a rule as text, without an end of line and with a 0. Return: its length. VTX_FILTER_RULE_TEXT is enough. */
size_t vtx_filter_print(const struct vtx_filter_rule *rule, vtx_reason_name name, char *out, size_t size);

/* What the filter says about an exit: VTX_FILTER_SHOW, VTX_FILTER_STOP, both or 0. */
unsigned int vtx_filter_match(const struct vtx_filter *filter, u32 vcpu_id, const struct vtx_record *record);

/* Inside: text that grows to the end of a buffer and no further, always with a 0. */
struct vtx_filter_text {
	char *out;
	size_t size, n;
};

void vtx_filter_put(struct vtx_filter_text *text, const char *s);
void vtx_filter_put_number(struct vtx_filter_text *text, u64 value, unsigned int base);

extern const char *const vtx_filter_keys[VTX_NR_FILTER_KEYS];

#endif /* VTX_TRACE_FILTER_H */

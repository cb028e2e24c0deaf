/* SPDX-License-Identifier: GPL-2.0-only */
/* Exits as lines of text, as lines of JSON, or as events for chrome://tracing and Perfetto. */
#ifndef VTX_VMM_TRACE_FORMAT_H
#define VTX_VMM_TRACE_FORMAT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "uapi/vtx.h"
#include "userspace-vmm/json.h"
#include "userspace-vmm/symbols.h"

enum vtx_trace_style {
	VTX_TRACE_TEXT,
	VTX_TRACE_JSON,
	VTX_TRACE_CHROME,
};

struct vtx_trace_format {
	FILE *out;
	enum vtx_trace_style style;
	const struct vtx_symbols *symbols; /* NULL: none */
	bool disassemble;
	uint32_t tsc_khz; /* 0: times are ticks */
	/* state */
	bool begun;
	uint64_t first_tsc;
	uint64_t lost; /* so far */
	uint8_t vcpu_seen[65536 / 8];
};

/* The style of that name; -1: there is none. */
int vtx_trace_style(const char *name);

void vtx_trace_begin(struct vtx_trace_format *format);
void vtx_trace_entry(struct vtx_trace_format *format, const struct vtx_trace_entry *entry);
void vtx_trace_end(struct vtx_trace_format *format);

/* Is this no exit but a count of lost ones? */
bool vtx_trace_is_loss(const struct vtx_trace_entry *entry);

/* One entry as an element of an array that is open. */
void vtx_trace_object(struct vtx_trace_format *format, struct vtx_json *json, const struct vtx_trace_entry *entry);

/* The instruction at a record's RIP, where the symbols' file holds it; false and "" elsewhere. */
bool vtx_trace_instruction(const struct vtx_symbols *symbols, uint64_t rip, char *text, size_t size);

#endif

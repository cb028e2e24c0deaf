/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line of `vtx trace`. */
#ifndef VTX_VMM_TRACE_OPTIONS_H
#define VTX_VMM_TRACE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "userspace-vmm/message.h"
#include "userspace-vmm/trace_format.h"

#define VTX_TRACE_REASONS 128

struct vtx_trace_options {
	const char *vm;	    /* NULL: the only one */
	const char *input;  /* NULL: live */
	const char *write;  /* NULL: print */
	const char *filter; /* NULL: leave it */
	const char *symbols;
	enum vtx_trace_style style;
	bool style_given;
	uint64_t kaslr;
	bool disassemble;
	int vcpu;	/* -1: all */
	uint64_t count; /* 0: no end */
	uint32_t tsc_khz;
	bool any_reason; /* no --reason: all */
	bool reasons[VTX_TRACE_REASONS];
	bool failed_entries; /* --reason ENTRY_FAILED */
	bool help;
};

/* Parses ARGV[1..].  Returns 0, or -1 with ERROR filled (VTX_STATUS_USAGE). */
int vtx_trace_options_parse(struct vtx_trace_options *options, int argc, char **argv, struct vtx_error *error);
void vtx_trace_options_help(FILE *out);

/* Is this entry one of those asked for? */
bool vtx_trace_wanted(const struct vtx_trace_options *options, const struct vtx_trace_entry *entry);

/* A decimal or 0x number, nothing behind it.  Returns 0 or -1. */
int vtx_parse_u64(const char *text, uint64_t *value);

#endif

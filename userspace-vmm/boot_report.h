/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a guest's boot time went: phases, each with its time, who had it, and its exits; and the three forms in which that is
 * shown.  Pure.
 */
#ifndef VTX_VMM_BOOT_REPORT_H
#define VTX_VMM_BOOT_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum vtx_boot_phase {
	VTX_BOOT_REAL,	     /* firmware, boot loader, real-mode set-up: code below 1 MiB */
	VTX_BOOT_DECOMPRESS, /* above it, not yet where a kernel runs */
	VTX_BOOT_EARLY,	     /* the kernel, from its first exit on */
	VTX_BOOT_DEVICES,    /* the console works: initcalls, drivers */
	VTX_BOOT_USER,	     /* the first program */
	VTX_BOOT_UP,	     /* it said that it is up */
	VTX_BOOT_PHASES,
};

#define VTX_BOOT_REASONS 80
#define VTX_BOOT_MAX_VCPUS 254

/* Counters of one exit reason, as a line of debugfs `exits`. */
struct vtx_boot_reason {
	char name[28];
	uint64_t count, ticks, user_ticks;
};

/* Sums over all vCPUs. */
struct vtx_boot_counters {
	unsigned int count;
	struct vtx_boot_reason reason[VTX_BOOT_REASONS];
	uint64_t idle; /* ticks in which vCPUs' threads did not run */
};

struct vtx_boot_row {
	bool seen;
	uint64_t start, end; /* TSC */
	uint64_t guest, kernel, user, idle; /* ticks, all vCPUs together */
	uint64_t exits;
	struct vtx_boot_counters counters; /* busiest first */
};

struct vtx_boot_report {
	char title[160];
	char note[200];	  /* what a reader should know about the figures */
	uint32_t tsc_khz; /* not 0 */
	unsigned int cpus;
	bool has_exits; /* else all that is not idle is in guest */
	bool has_load;	/* load is known */
	uint64_t load;	/* ticks from the start of the program to the first entry */
	struct vtx_boot_row row[VTX_BOOT_PHASES];
};

const char *vtx_boot_phase_name(enum vtx_boot_phase phase);
/* By what its beginning is recognized. */
const char *vtx_boot_phase_mark(enum vtx_boot_phase phase);

/* Adds the lines of an `exits` file to COUNTERS. */
void vtx_boot_parse_exits(struct vtx_boot_counters *counters, const char *text);
struct vtx_boot_reason *vtx_boot_reason(struct vtx_boot_counters *counters, const char *name);
/* AFTER minus BEFORE, sorted: the highest count first. */
void vtx_boot_difference(struct vtx_boot_counters *result, const struct vtx_boot_counters *after,
			 const struct vtx_boot_counters *before);
void vtx_boot_sort(struct vtx_boot_counters *counters);
/* Fills a row's sums from its counters and its time on CPUS processors. */
void vtx_boot_fill(struct vtx_boot_row *row, unsigned int cpus);

/* First and last TSC of the phases seen; false when there is none. */
bool vtx_boot_span(const struct vtx_boot_report *report, uint64_t *start, uint64_t *end);
double vtx_boot_ms(const struct vtx_boot_report *report, uint64_t ticks);

void vtx_boot_print_text(const struct vtx_boot_report *report, FILE *out);
void vtx_boot_print_json(const struct vtx_boot_report *report, FILE *out);
void vtx_boot_print_svg(const struct vtx_boot_report *report, FILE *out);

#endif

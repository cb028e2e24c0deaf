// SPDX-License-Identifier: GPL-2.0-only
/* The figures of a boot report, as text and as JSON. */
#include "userspace-vmm/boot_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "userspace-vmm/json.h"

#define VTX_BOOT_BUSIEST 6 /* reasons listed for a phase in the text */

static const struct {
	const char *name, *mark;
} vtx_boot_names[VTX_BOOT_PHASES] = {
	[VTX_BOOT_REAL] = { "firmware, real mode", "an exit below 1 MiB" },
	[VTX_BOOT_DECOMPRESS] = { "decompressor", "the first entry, or an exit above 1 MiB" },
	[VTX_BOOT_EARLY] = { "kernel, early", "the first exit in the kernel's upper 2 GiB" },
	[VTX_BOOT_DEVICES] = { "kernel, devices", "the first output on the serial console" },
	[VTX_BOOT_USER] = { "user space", "\"Run ... as init process\"; of a kernel that does not say it, an exit at privilege level 3" },
	[VTX_BOOT_UP] = { "up", "the text of --until on the console" },
};

const char *vtx_boot_phase_name(enum vtx_boot_phase phase)
{
	return vtx_boot_names[phase].name;
}

const char *vtx_boot_phase_mark(enum vtx_boot_phase phase)
{
	return vtx_boot_names[phase].mark;
}

/* ------------------------------------------------------------------ counters */

struct vtx_boot_reason *vtx_boot_reason(struct vtx_boot_counters *c, const char *name)
{
	for (unsigned int i = 0; i < c->count; i++)
		if (!strcmp(c->reason[i].name, name))
			return &c->reason[i];
	if (c->count == VTX_BOOT_REASONS)
		return NULL;
	snprintf(c->reason[c->count].name, sizeof(c->reason[0].name), "%s", name);
	return &c->reason[c->count++];
}

void vtx_boot_parse_exits(struct vtx_boot_counters *c, const char *text)
{
	for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		struct vtx_boot_reason one = { .count = 0 }, *reason;

		if (sscanf(line, "%27s %" SCNu64 " %" SCNu64 " %" SCNu64, one.name, &one.count, &one.ticks, &one.user_ticks) != 4)
			continue; /* the header */
		reason = vtx_boot_reason(c, one.name);
		if (!reason)
			continue;
		reason->count += one.count;
		reason->ticks += one.ticks;
		reason->user_ticks += one.user_ticks;
	}
}

static int vtx_boot_busier(const void *a, const void *b)
{
	const struct vtx_boot_reason *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return strcmp(x->name, y->name);
}

void vtx_boot_sort(struct vtx_boot_counters *c)
{
	qsort(c->reason, c->count, sizeof(c->reason[0]), vtx_boot_busier);
}

static uint64_t vtx_less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

void vtx_boot_difference(struct vtx_boot_counters *result, const struct vtx_boot_counters *after,
			 const struct vtx_boot_counters *before)
{
	struct vtx_boot_counters old = *before; /* looked up in, by name */

	memset(result, 0, sizeof(*result));
	for (unsigned int i = 0; i < after->count; i++) {
		const struct vtx_boot_reason *now = &after->reason[i], *then = vtx_boot_reason(&old, now->name);
		struct vtx_boot_reason *r = &result->reason[result->count];

		*r = *now;
		if (then) {
			r->count = vtx_less(now->count, then->count);
			r->ticks = vtx_less(now->ticks, then->ticks);
			r->user_ticks = vtx_less(now->user_ticks, then->user_ticks);
		}
		result->count += r->count > 0 || r->ticks > 0 || r->user_ticks > 0;
	}
	result->idle = vtx_less(after->idle, before->idle);
	vtx_boot_sort(result);
}

void vtx_boot_fill(struct vtx_boot_row *row, unsigned int cpus)
{
	uint64_t all = (row->end - row->start) * cpus;

	row->kernel = row->user = row->exits = 0;
	for (unsigned int i = 0; i < row->counters.count; i++) {
		row->exits += row->counters.reason[i].count;
		row->kernel += row->counters.reason[i].ticks;
		row->user += row->counters.reason[i].user_ticks;
	}
	row->idle = row->counters.idle < all ? row->counters.idle : all;
	/* Counters are read a moment after the phase's mark: what is over belongs to the neighbour. */
	if (row->kernel + row->user > all - row->idle) {
		double scale = (double)(all - row->idle) / (double)(row->kernel + row->user);

		row->kernel = (uint64_t)((double)row->kernel * scale);
		row->user = vtx_less(all - row->idle, row->kernel);
	}
	row->guest = all - row->idle - row->kernel - row->user;
}

/* ------------------------------------------------------------------ time */

bool vtx_boot_span(const struct vtx_boot_report *r, uint64_t *start, uint64_t *end)
{
	bool any = false;

	*start = *end = 0;
	for (unsigned int i = 0; i < VTX_BOOT_PHASES; i++) {
		if (!r->row[i].seen)
			continue;
		if (!any)
			*start = r->row[i].start;
		*end = r->row[i].end;
		any = true;
	}
	return any;
}

double vtx_boot_ms(const struct vtx_boot_report *r, uint64_t ticks)
{
	return (double)ticks / r->tsc_khz;
}

static double vtx_percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* ------------------------------------------------------------------ text */

static void vtx_boot_text_row(const struct vtx_boot_report *r, const struct vtx_boot_row *row, const char *name, uint64_t start,
			      uint64_t total, FILE *out)
{
	uint64_t ticks = row->end - row->start, all = ticks * r->cpus;

	fprintf(out, "%-20s %10.1f %10.1f %5.1f%%", name, vtx_boot_ms(r, row->start - start), vtx_boot_ms(r, ticks),
		vtx_percent(ticks, total));
	fprintf(out, "  %5.1f%%", vtx_percent(row->guest, all));
	if (r->has_exits)
		fprintf(out, "  %5.1f%%  %5.1f%%", vtx_percent(row->kernel, all), vtx_percent(row->user, all));
	else
		fprintf(out, "       -       -");
	fprintf(out, "  %5.1f%%", vtx_percent(row->idle, all));
	if (r->has_exits)
		fprintf(out, " %9" PRIu64 "\n", row->exits);
	else
		fprintf(out, "         -\n");
}

static void vtx_boot_text_reasons(const struct vtx_boot_report *r, FILE *out)
{
	fprintf(out, "\nThe busiest exits of each phase, with their time in kernel and user space:\n");
	for (unsigned int i = 0; i < VTX_BOOT_PHASES; i++) {
		const struct vtx_boot_row *row = &r->row[i];

		if (!row->seen || !row->counters.count)
			continue;
		fprintf(out, "%s:\n", vtx_boot_phase_name(i));
		for (unsigned int n = 0; n < row->counters.count && n < VTX_BOOT_BUSIEST; n++) {
			const struct vtx_boot_reason *e = &row->counters.reason[n];

			fprintf(out, "    %-20s %9" PRIu64 " %9.2f ms %9.2f ms\n", e->name, e->count, vtx_boot_ms(r, e->ticks),
				vtx_boot_ms(r, e->user_ticks));
		}
	}
}

void vtx_boot_print_text(const struct vtx_boot_report *r, FILE *out)
{
	uint64_t start, end;

	fprintf(out, "%s\n", r->title);
	if (!vtx_boot_span(r, &start, &end)) {
		fprintf(out, "nothing ran\n");
		return;
	}
	fprintf(out, "%.1f ms from the first instruction, %u vCPU%s", vtx_boot_ms(r, end - start), r->cpus, r->cpus > 1 ? "s" : "");
	if (r->has_load)
		fprintf(out, "; %.1f ms before that to load the images and to create the VM", vtx_boot_ms(r, r->load));
	fprintf(out, "\n\n%-20s %10s %10s %6s  %6s  %6s  %6s  %6s %9s\n", "phase", "start ms", "ms", "", r->has_exits ? "guest" : "run",
		"kernel", "user", "idle", "exits");
	for (unsigned int i = 0; i < VTX_BOOT_PHASES; i++)
		if (r->row[i].seen)
			vtx_boot_text_row(r, &r->row[i], vtx_boot_phase_name(i), start, end - start, out);
	if (r->has_exits)
		vtx_boot_text_reasons(r, out);
	if (r->note[0])
		fprintf(out, "\n%s\n", r->note);
}

/* ------------------------------------------------------------------ JSON */

static void vtx_boot_json_row(const struct vtx_boot_report *r, unsigned int phase, uint64_t start, struct vtx_json *j)
{
	const struct vtx_boot_row *row = &r->row[phase];

	vtx_json_open(j, NULL, '{');
	vtx_json_text(j, "phase", vtx_boot_phase_name(phase));
	vtx_json_text(j, "begins_with", vtx_boot_phase_mark(phase));
	vtx_json_real(j, "start_ms", vtx_boot_ms(r, row->start - start), 3);
	vtx_json_real(j, "ms", vtx_boot_ms(r, row->end - row->start), 3);
	vtx_json_number(j, "ticks", row->end - row->start);
	vtx_json_number(j, r->has_exits ? "guest_ticks" : "running_ticks", row->guest);
	if (r->has_exits) {
		vtx_json_number(j, "kernel_ticks", row->kernel);
		vtx_json_number(j, "user_ticks", row->user);
	}
	vtx_json_number(j, "idle_ticks", row->idle);
	if (r->has_exits) {
		vtx_json_number(j, "exits", row->exits);
		vtx_json_open(j, "reasons", '[');
		for (unsigned int n = 0; n < row->counters.count; n++) {
			const struct vtx_boot_reason *e = &row->counters.reason[n];

			vtx_json_open(j, NULL, '{');
			vtx_json_text(j, "reason", e->name);
			vtx_json_number(j, "count", e->count);
			vtx_json_number(j, "ticks", e->ticks);
			vtx_json_number(j, "user_ticks", e->user_ticks);
			vtx_json_close(j, '}');
		}
		vtx_json_close(j, ']');
	}
	vtx_json_close(j, '}');
}

void vtx_boot_print_json(const struct vtx_boot_report *r, FILE *out)
{
	uint64_t start, end;
	struct vtx_json j;

	vtx_boot_span(r, &start, &end);
	vtx_json_init(&j, out);
	vtx_json_open(&j, NULL, '{');
	vtx_json_text(&j, "title", r->title);
	vtx_json_text(&j, "note", r->note);
	vtx_json_number(&j, "vcpus", r->cpus);
	vtx_json_number(&j, "tsc_khz", r->tsc_khz);
	if (r->has_load)
		vtx_json_real(&j, "load_ms", vtx_boot_ms(r, r->load), 3);
	vtx_json_real(&j, "total_ms", vtx_boot_ms(r, end - start), 3);
	vtx_json_open(&j, "phases", '[');
	for (unsigned int i = 0; i < VTX_BOOT_PHASES; i++)
		if (r->row[i].seen)
			vtx_boot_json_row(r, i, start, &j);
	vtx_json_close(&j, ']');
	vtx_json_close(&j, '}');
	fputc('\n', out);
}

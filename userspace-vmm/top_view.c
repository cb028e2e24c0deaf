// SPDX-License-Identifier: GPL-2.0-only
/* `vtx top`: drawing.  Made for 80 by 24; wider screens get more columns, higher ones more lines. */
#include "userspace-vmm/top_view.h"

#include <inttypes.h>
#include <string.h>

#define HOT_COLUMN 16	/* five tables side by side in 80 columns */
#define HOT_ROWS 6	/* of the hot pane on the smallest screens, its title included */

/* At most five characters: 99999, 1234k, 99.9M. */
static const char *vtx_short_number(char *buf, size_t size, double value)
{
	static const char units[] = { 0, 'k', 'M', 'G', 'T', 'P' };
	unsigned int unit = 0;

	while (value >= (unit ? 1000 : 100000) && unit + 1 < sizeof(units)) {
		value /= 1000;
		unit++;
	}
	if (!unit)
		snprintf(buf, size, "%.0f", value);
	else
		snprintf(buf, size, value < 100 ? "%.1f%c" : "%.0f%c", value, units[unit]);
	return buf;
}

static double vtx_per_second(const struct vtx_top_table *t, uint64_t count)
{
	return t->seconds > 0 ? (double)count / t->seconds : 0;
}

static void vtx_line_name(const struct vtx_top_line *line, char *buf, size_t size)
{
	char vcpu[24] = "";

	if (line->vcpu >= 0)
		snprintf(vcpu, sizeof(vcpu), " vcpu%d", line->vcpu);
	snprintf(buf, size, "%s%s%s%s%s", line->vm, vcpu, *line->vm && *line->reason ? " " : "", line->reason,
		 line->failed ? " (dead)" : "");
}

static void vtx_draw_head(struct vtx_text *text, const struct vtx_top_table *t, const struct vtx_top_view *v)
{
	char rate[16];
	int col;

	col = vtx_text_put(text, 0, 0, VTX_LOOK_BOLD, "vtx top");
	col = vtx_text_put(text, 0, col, VTX_LOOK_PLAIN, " - %s%s  %u VM%s, %u vCPU%s", v->clock, v->paused ? " (paused)" : "", t->vms,
			   t->vms == 1 ? "" : "s", t->vcpus, t->vcpus == 1 ? "" : "s");
	if (t->failed)
		vtx_text_put(text, 0, col, VTX_LOOK_BOLD, ", %u dead", t->failed);
	if (t->seconds <= 0) {
		vtx_text_put(text, 1, 0, VTX_LOOK_PLAIN, "collecting the first interval ...");
		return;
	}
	vtx_text_put(text, 1, 0, VTX_LOOK_PLAIN, "%s exits/s; vtx takes %.1f%% of a CPU, the VMMs %.1f%%, over %.1f s",
		     vtx_short_number(rate, sizeof(rate), vtx_per_second(t, t->sum.exits)), vtx_percent(t->sum.ticks, t->tsc),
		     vtx_percent(t->sum.user_ticks, t->tsc), t->seconds);
}

static void vtx_draw_columns(struct vtx_text *text, int row, const struct vtx_top_view *v)
{
	static const char *const titles[] = { "REASON", "VM", "VCPU", "VCPU AND REASON" };
	int wide = text->cols >= 104;

	vtx_text_put(text, row, 0, VTX_LOOK_REVERSE, "%-29s %9s %6s %8s %6s %8s %7s", titles[v->group], "EXITS/s", "%", "TICKS/EX", "%TICK",
		     "USER/EX", "TOTAL");
	if (wide)
		vtx_text_put(text, row, 79, VTX_LOOK_REVERSE, " %10s %12s", "MIN", "MAX");
	vtx_text_look(text, row, VTX_LOOK_REVERSE);
}

static void vtx_draw_line(struct vtx_text *text, int row, const struct vtx_top_table *t, const struct vtx_top_line *line)
{
	char name[128], rate[16], ticks[16], user[16], total[16];
	enum vtx_look look = line->failed ? VTX_LOOK_BOLD : line->exits ? VTX_LOOK_PLAIN : VTX_LOOK_DIM;
	double exits = line->exits ? (double)line->exits : 1;

	vtx_line_name(line, name, sizeof(name));
	vtx_text_put(text, row, 0, look, "%-29.29s %9s %6.1f %8s %6.1f %8s %7s", name,
		     vtx_short_number(rate, sizeof(rate), vtx_per_second(t, line->exits)), vtx_percent(line->exits, t->sum.exits),
		     vtx_short_number(ticks, sizeof(ticks), (double)line->ticks / exits), vtx_percent(line->ticks, t->sum.ticks),
		     vtx_short_number(user, sizeof(user), (double)line->user_ticks / exits),
		     vtx_short_number(total, sizeof(total), (double)line->total));
	if (text->cols >= 104 && line->max)
		vtx_text_put(text, row, 79, look, " %10" PRIu64 " %12" PRIu64, line->min, line->max);
}

/* The `top` files: each table a column, the busiest of the interval first. */
static void vtx_draw_hots(struct vtx_text *text, int row, int end, const struct vtx_top_table *t)
{
	static const struct {
		const char *name, *title;
	} tables[] = { { "msr", "MSR" }, { "port", "PORT" }, { "cpuid", "CPUID LEAF" }, { "mmio", "MMIO PAGE" }, { "hypercall", "HYPERCALL" } };

	for (unsigned int i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		vtx_text_put(text, row, (int)i * HOT_COLUMN, VTX_LOOK_REVERSE, "%-*s", HOT_COLUMN, tables[i].title);
	vtx_text_look(text, row, VTX_LOOK_REVERSE);
	if (!t->hots)
		vtx_text_put(text, row + 1, 0, VTX_LOOK_PLAIN, "none yet (or this vtx.ko keeps no such tables)");
	for (unsigned int i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		int at = row + 1;

		for (size_t j = 0; j < t->hots && at < end; j++) {
			const struct vtx_top_hot *hot = &t->hot[j];
			char rate[16];

			if (strcmp(hot->table, tables[i].name) || (!hot->count && !hot->total))
				continue;
			vtx_text_put(text, at++, (int)i * HOT_COLUMN, hot->count ? VTX_LOOK_PLAIN : VTX_LOOK_DIM, "%-9.9s%5s",
				     strcmp(hot->key, "overflow") ? hot->key : "(others)",
				     vtx_short_number(rate, sizeof(rate), vtx_per_second(t, hot->count)));
		}
	}
}

static void vtx_draw_help(struct vtx_text *text)
{
	static const char *const lines[] = {
		"q   quit",
		"v   view: by reason, by VM, by vCPU, all",
		"s   sort: by exits, by ticks, by total, by name",
		"t   the busiest MSRs, ports, CPUID leaves, MMIO pages and hypercalls, on or off",
		"u   pause, and go on",
		"h   this help; any key ends it",
		"    Any other key: a new sample at once",
		"",
		"EXITS/s    VM exits a second; % is the share of all",
		"TICKS/EX   TSC ticks an exit takes in the module; %TICK is the share of all",
		"USER/EX    ticks an exit takes in the VMM, from KVM_RUN's return to the next entry",
		"TOTAL      exits since the counters began or were cleared",
		"MIN, MAX   ticks of one exit, since then (screens of 104 columns or more)",
	};

	vtx_text_put(text, 0, 0, VTX_LOOK_BOLD, "vtx top - help");
	for (unsigned int i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		vtx_text_put(text, 2 + (int)i, 2, VTX_LOOK_PLAIN, "%s", lines[i]);
}

void vtx_top_draw(struct vtx_text *text, const struct vtx_top_table *t, const struct vtx_top_view *v)
{
	int last = text->rows - 1, row = 3, end = last;

	if (v->help) {
		vtx_draw_help(text);
		return;
	}
	vtx_draw_head(text, t, v);
	vtx_draw_columns(text, 2, v);
	if (v->hot) {
		end = last - (text->rows / 3 > HOT_ROWS ? text->rows / 3 : HOT_ROWS);
		if (end < 4)
			end = 4;
		vtx_draw_hots(text, end, last, t);
	}
	if (!t->lines)
		vtx_text_put(text, row, 0, VTX_LOOK_PLAIN, t->vms ? "no exits yet" : "no virtual machines on vtx; start one with vtx run");
	for (size_t i = 0; i < t->lines && row < end; i++)
		vtx_draw_line(text, row++, t, &t->line[i]);
	if ((size_t)(row - 3) < t->lines)
		vtx_text_put(text, row - 1, 0, VTX_LOOK_DIM, "%-*s", text->cols, "... and more");
	vtx_text_put(text, last, 0, VTX_LOOK_REVERSE, "q quit  v view: %s  s sort: %s  t top: %s  u %s  h help", vtx_top_group_name(v->group),
		     vtx_top_sort_name(v->sort), v->hot ? "on" : "off", v->paused ? "go on" : "pause");
	vtx_text_look(text, last, VTX_LOOK_REVERSE);
}

/* ------------------------------------------------------------------ CSV */

void vtx_top_csv_header(FILE *out)
{
	fputs("timestamp,vm,vcpu,reason,exits,exits_per_second,exits_percent,ticks,ticks_per_exit,ticks_percent,user_ticks,total\n", out);
}

void vtx_top_csv(const struct vtx_top_table *t, const char *when, FILE *out)
{
	for (size_t i = 0; i < t->lines; i++) {
		const struct vtx_top_line *line = &t->line[i];
		double exits = line->exits ? (double)line->exits : 1;
		char vcpu[16] = "";

		if (line->vcpu >= 0)
			snprintf(vcpu, sizeof(vcpu), "%d", line->vcpu);
		fprintf(out, "%s,%s,%s,%s,%" PRIu64 ",%.1f,%.1f,%" PRIu64 ",%.1f,%.1f,%" PRIu64 ",%" PRIu64 "\n", when, line->vm, vcpu, line->reason,
			line->exits, vtx_per_second(t, line->exits), vtx_percent(line->exits, t->sum.exits), line->ticks,
			(double)line->ticks / exits, vtx_percent(line->ticks, t->sum.ticks), line->user_ticks, line->total);
	}
}

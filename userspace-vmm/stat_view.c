// SPDX-License-Identifier: GPL-2.0-only
/* `vtx stat`: drawing and logging. */
#include "userspace-vmm/stat_view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct vtx_stat_field **vtx_stat_sorted(const struct vtx_stat *s, int (*order)(const void *, const void *))
{
	const struct vtx_stat_field **sorted = malloc((s->fields + 1) * sizeof(*sorted));

	for (size_t i = 0; sorted && i < s->fields; i++)
		sorted[i] = &s->field[i];
	if (sorted && s->fields)
		qsort(sorted, s->fields, sizeof(*sorted), order);
	return sorted;
}

#define FIELD(p) (*(const struct vtx_stat_field *const *)(p))
#define MORE(a, b) (((a) < (b)) - ((a) > (b))) /* larger ones first */

static int vtx_stat_by_total(const void *a, const void *b)
{
	int r = MORE(FIELD(a)->value, FIELD(b)->value);

	return r ? r : strcmp(FIELD(a)->name, FIELD(b)->name);
}

static int vtx_stat_by_delta(const void *a, const void *b)
{
	int r = MORE(FIELD(a)->delta, FIELD(b)->delta);

	return r ? r : vtx_stat_by_total(a, b);
}

static bool vtx_stat_is_level(const struct vtx_stat_field *f)
{
	return !strncmp(f->name, "pages_", 6);
}

/* Children and levels are part of no total. */
static bool vtx_stat_adds(const struct vtx_stat *s, const struct vtx_stat_field *f)
{
	return s->by_guest || (!vtx_stat_is_child(f->name) && !vtx_stat_is_level(f));
}

static void vtx_stat_help(struct vtx_text *text)
{
	static const char *const lines[] = {
		"b     by guests, or by events",
		"c     clear the filters",
		"f     filter by regular expression",
		"g     filter by guest name",
		"h     this help; any key ends it",
		"o     order: total, or current rate",
		"p     filter by PID",
		"q     quit",
		"r     reset the totals",
		"s     set the update interval (0.1 to 25.5 seconds)",
		"x     child events (exit reasons), on or off",
		"",
		"Any other key refreshes at once.",
	};

	vtx_text_put(text, 0, 0, VTX_LOOK_BOLD, "vtx statistics - help");
	for (unsigned int i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		vtx_text_put(text, 2 + (int)i, 2, VTX_LOOK_PLAIN, "%s", lines[i]);
}

static void vtx_stat_head(struct vtx_text *text, const struct vtx_stat *s, const struct vtx_stat_view *v)
{
	if (s->pid)
		vtx_text_put(text, 0, 0, VTX_LOOK_BOLD, "vtx statistics - pid %d%s%s%s", s->pid, *v->guest ? " (" : "", v->guest, *v->guest ? ")" : "");
	else
		vtx_text_put(text, 0, 0, VTX_LOOK_BOLD, "vtx statistics - summary");
	if (s->filtered)
		vtx_text_put(text, 1, 1, VTX_LOOK_PLAIN, "regex filter: %s", s->filter_text);
	vtx_text_put(text, 2, 1, VTX_LOOK_REVERSE, "%-40s %10s%7s %8s", s->by_guest ? "Guest" : "Event", "Total", "%Total", "CurAvg/s");
}

void vtx_stat_draw(struct vtx_text *text, const struct vtx_stat *s, const struct vtx_stat_view *v)
{
	const struct vtx_stat_field **sorted = vtx_stat_sorted(s, v->by_total ? vtx_stat_by_total : vtx_stat_by_delta);
	int64_t total = 0, deltas = 0;
	int row = 3, last = text->rows - 1;

	if (v->help || !sorted) {
		vtx_stat_help(text);
		free(sorted);
		return;
	}
	vtx_stat_head(text, s, v);
	for (size_t i = 0; i < s->fields; i++) {
		total += vtx_stat_adds(s, sorted[i]) ? sorted[i]->value : 0;
		deltas += vtx_stat_adds(s, sorted[i]) ? sorted[i]->delta : 0;
	}
	for (size_t i = 0; i < s->fields && row < last; i++) {
		const struct vtx_stat_field *f = sorted[i];
		char current[24] = "", share[16] = "";

		if (!f->value && !f->delta)
			continue;
		if (f->delta && v->seconds > 0)
			snprintf(current, sizeof(current), "%.0f", (double)f->delta / v->seconds);
		if (total > 0 && !vtx_stat_is_level(f))
			snprintf(share, sizeof(share), "%.1f", 100.0 * (double)f->value / (double)total);
		vtx_text_put(text, row++, 1, VTX_LOOK_PLAIN, "%-40.40s %10" PRId64 "%7s %8s",
			     s->by_guest && v->guest_name ? v->guest_name(f->name) : f->name, f->value, share, current);
	}
	if (row == 3)
		vtx_text_put(text, 4, 1, VTX_LOOK_PLAIN, v->seconds > 0 ? "no matching events yet" : "collecting data ...");
	else
		vtx_text_put(text, row, 1, VTX_LOOK_BOLD, "%-40s %10" PRId64 "        %8.0f", "Total", total,
			     v->seconds > 0 ? (double)deltas / v->seconds : 0.0);
	free(sorted);
}

/* ------------------------------------------------------------------ batch and log */

void vtx_stat_batch(const struct vtx_stat *s, FILE *out)
{
	for (size_t i = 0; i < s->fields; i++)
		fprintf(out, "%-42s%10" PRId64 "%10" PRId64 "\n", s->field[i].name, s->field[i].value, s->field[i].delta);
}

void vtx_stat_banner(const struct vtx_stat *s, bool csv, FILE *out)
{
	if (csv)
		fputs("timestamp", out);
	for (size_t i = 0; i < s->fields; i++)
		fprintf(out, csv ? ",%s" : "%s ", s->field[i].name);
	fputc('\n', out);
}

void vtx_stat_line(const struct vtx_stat *s, const char *when, bool csv, FILE *out)
{
	fputs(when, out);
	for (size_t i = 0; i < s->fields; i++)
		fprintf(out, csv ? ",%" PRId64 : " %9" PRId64, s->field[i].delta);
	fputc('\n', out);
}

bool vtx_stat_all_zero(const struct vtx_stat *s)
{
	for (size_t i = 0; i < s->fields; i++)
		if (s->field[i].delta)
			return false;
	return true;
}

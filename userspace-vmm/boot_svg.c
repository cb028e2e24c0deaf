// SPDX-License-Identifier: GPL-2.0-only
/* The boot report as a picture: a time line of the phases, who had the time in each, and the exits by reason. */
#include "userspace-vmm/boot_report.h"

#include <inttypes.h>
#include <string.h>

#define SVG_WIDTH 980
#define SVG_LEFT 190	/* where bars begin */
#define SVG_BARS 650	/* the longest bar */
#define SVG_ROW 34
#define SVG_BAR 20
#define SVG_KINDS 4
#define SVG_REASONS 7	/* with a colour of their own */
#define SVG_CHAR 6.4	/* width of a character of the small text, about */
#define SVG_CAPITAL 7.8

static const char *const vtx_svg_kind[SVG_KINDS] = { "#4e79a7", "#e15759", "#f2a541", "#d5d8dc" };
static const char *const vtx_svg_palette[SVG_REASONS + 1] = {
	"#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#e15759", "#76b7b2", "#edc948", "#bab0ac",
};

struct vtx_svg {
	FILE *out;
	const struct vtx_boot_report *report;
	uint64_t start, end;
	unsigned int rows;
	double y; /* the next free line */
	/* reasons that have a colour, the most frequent first */
	struct vtx_boot_counters reasons;
	unsigned int coloured;
};

/* ------------------------------------------------------------------ elements */

static void vtx_svg_escape(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputc((unsigned char)*text < ' ' || (unsigned char)*text >= 0x7f ? '?' : *text, out);
			break;
		}
	}
}

static void vtx_svg_text(struct vtx_svg *s, double x, double y, const char *class, const char *text)
{
	fprintf(s->out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, class);
	vtx_svg_escape(s->out, text);
	fputs("</text>\n", s->out);
}

static void vtx_svg_rect(struct vtx_svg *s, double x, double y, double width, double height, const char *fill, const char *hint)
{
	if (width <= 0)
		return;
	fprintf(s->out, "<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\" fill=\"%s\">", x, y, width, height, fill);
	fputs("<title>", s->out);
	vtx_svg_escape(s->out, hint);
	fputs("</title></rect>\n", s->out);
}

static void vtx_svg_heading(struct vtx_svg *s, const char *text)
{
	vtx_svg_text(s, 20, s->y + 16, "h", text);
	s->y += 26;
}

/* How wide a word in small letters is, about; capitals are wider. */
static double vtx_svg_width(const char *text)
{
	double width = 0;

	for (; *text; text++)
		width += *text >= 'A' && *text <= 'Z' ? SVG_CAPITAL : SVG_CHAR;
	return width;
}

/* Squares with words behind them, in as many lines as they need. */
static void vtx_svg_legend(struct vtx_svg *s, const char *const *colour, const char *const *word, unsigned int count)
{
	double x = SVG_LEFT;

	for (unsigned int i = 0; i < count; i++) {
		double width = 34 + vtx_svg_width(word[i]);

		if (x > SVG_LEFT && x + width > SVG_WIDTH - 20) {
			x = SVG_LEFT;
			s->y += 18;
		}
		vtx_svg_rect(s, x, s->y, 11, 11, colour[i], word[i]);
		vtx_svg_text(s, x + 16, s->y + 10, "s", word[i]);
		x += width;
	}
	s->y += 20;
}

/* ------------------------------------------------------------------ panels */

/* A step of 1, 2 or 5 times a power of ten that gives at most ten of them. */
static double vtx_svg_step(double most)
{
	static const double steps[] = { 1, 2, 5 };
	double power = 0.001;

	for (unsigned int guard = 0; guard < 20; guard++, power *= 10)
		for (unsigned int i = 0; i < 3; i++)
			if (most / (steps[i] * power) <= 10)
				return steps[i] * power;
	return most > 0 ? most : 1;
}

static void vtx_svg_axis(struct vtx_svg *s, double total, double height)
{
	double step = vtx_svg_step(total);
	char text[32];

	for (unsigned int n = 0; n * step <= total * 1.0001; n++) {
		double x = SVG_LEFT + (total > 0 ? n * step / total : 0) * SVG_BARS;

		fprintf(s->out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"g\"/>\n", x, s->y + 16, x, s->y + 18 + height);
		snprintf(text, sizeof(text), "%g", n * step);
		vtx_svg_text(s, x, s->y + 11, "sm", text);
	}
	vtx_svg_text(s, SVG_LEFT + SVG_BARS + 22, s->y + 11, "s", "ms");
	s->y += 20;
}

/* The four shares of a row as one bar from X on, WIDTH wide. */
static void vtx_svg_shares(struct vtx_svg *s, const struct vtx_boot_row *row, double x, double y, double width)
{
	static const char *const names[SVG_KINDS] = { "guest", "kernel", "user space", "idle" };
	const uint64_t part[SVG_KINDS] = { row->guest, row->kernel, row->user, row->idle };
	double all = (double)(row->guest + row->kernel + row->user + row->idle);
	char hint[96];

	for (unsigned int k = 0; k < SVG_KINDS && all > 0; k++) {
		double w = width * (double)part[k] / all;

		snprintf(hint, sizeof(hint), "%s: %.2f ms, %.1f%%", names[k], vtx_boot_ms(s->report, part[k]) / s->report->cpus,
			 100 * (double)part[k] / all);
		vtx_svg_rect(s, x, y, w, SVG_BAR, vtx_svg_kind[k], hint);
		x += w;
	}
}

static void vtx_svg_kinds(struct vtx_svg *s)
{
	static const char *const words[SVG_KINDS] = {
		"in the guest", "in vtx (kernel)", "in the VMM (user space)", "idle (halted, or not scheduled)",
	};
	const char *const two[] = { "running (guest, kernel or user space)", words[3] };
	const char *const colours[] = { vtx_svg_kind[0], vtx_svg_kind[3] };

	if (s->report->has_exits)
		vtx_svg_legend(s, vtx_svg_kind, words, SVG_KINDS);
	else
		vtx_svg_legend(s, colours, two, 2);
}

static void vtx_svg_timeline(struct vtx_svg *s)
{
	const struct vtx_boot_report *r = s->report;
	double total = vtx_boot_ms(r, s->end - s->start);
	char text[64];

	vtx_svg_heading(s, "When each phase ran");
	vtx_svg_kinds(s);
	vtx_svg_axis(s, total, (double)s->rows * SVG_ROW);
	for (unsigned int i = 0; i < VTX_BOOT_PHASES; i++) {
		const struct vtx_boot_row *row = &r->row[i];
		double ms = vtx_boot_ms(r, row->end - row->start), x, width;

		if (!row->seen)
			continue;
		x = SVG_LEFT + (total > 0 ? vtx_boot_ms(r, row->start - s->start) / total : 0) * SVG_BARS;
		width = total > 0 ? ms / total * SVG_BARS : 0;
		vtx_svg_text(s, 20, s->y + 19, "l", vtx_boot_phase_name(i));
		vtx_svg_shares(s, row, x, s->y + 5, width < 1.5 ? 1.5 : width);
		snprintf(text, sizeof(text), ms < 10 ? "%.2f ms, %.1f%%" : "%.0f ms, %.1f%%", ms, total > 0 ? 100 * ms / total : 0);
		if (x + width + 8 + SVG_CHAR * (double)strlen(text) < SVG_WIDTH)
			vtx_svg_text(s, x + width + 6, s->y + 19, "s", text);
		else
			vtx_svg_text(s, x - 6, s->y + 19, "se", text);
		s->y += SVG_ROW;
	}
	s->y += 8;
}

static void vtx_svg_who(struct vtx_svg *s)
{
	const struct vtx_boot_report *r = s->report;
	char text[64];

	vtx_svg_heading(s, "Who had the time in each phase");
	for (unsigned int i = 0; i < VTX_BOOT_PHASES; i++) {
		const struct vtx_boot_row *row = &r->row[i];
		double all = (double)(row->guest + row->kernel + row->user + row->idle);

		if (!row->seen)
			continue;
		vtx_svg_text(s, 20, s->y + 19, "l", vtx_boot_phase_name(i));
		vtx_svg_shares(s, row, SVG_LEFT, s->y + 5, SVG_BARS);
		snprintf(text, sizeof(text), r->has_exits ? "%.1f%% in the guest" : "%.1f%% running",
			 all > 0 ? 100 * (double)row->guest / all : 0);
		vtx_svg_text(s, SVG_LEFT + SVG_BARS + 8, s->y + 19, "s", text);
		s->y += SVG_ROW;
	}
	s->y += 8;
}

/* The colour of a reason; the last one is everybody else's. */
static unsigned int vtx_svg_colour(const struct vtx_svg *s, const char *name)
{
	for (unsigned int i = 0; i < s->coloured; i++)
		if (!strcmp(s->reasons.reason[i].name, name))
			return i;
	return SVG_REASONS;
}

static void vtx_svg_exits_row(struct vtx_svg *s, const struct vtx_boot_row *row, uint64_t most)
{
	double x = SVG_LEFT, unit = most ? (double)SVG_BARS / (double)most : 0;
	uint64_t others = 0;
	char hint[96];

	for (unsigned int c = 0; c < s->coloured; c++) {
		for (unsigned int n = 0; n < row->counters.count; n++) {
			const struct vtx_boot_reason *e = &row->counters.reason[n];

			if (vtx_svg_colour(s, e->name) != c)
				continue;
			snprintf(hint, sizeof(hint), "%s: %" PRIu64 " exits, %.2f ms in the kernel", e->name, e->count,
				 vtx_boot_ms(s->report, e->ticks));
			vtx_svg_rect(s, x, s->y + 5, unit * (double)e->count, SVG_BAR, vtx_svg_palette[c], hint);
			x += unit * (double)e->count;
		}
	}
	for (unsigned int n = 0; n < row->counters.count; n++)
		if (vtx_svg_colour(s, row->counters.reason[n].name) == SVG_REASONS)
			others += row->counters.reason[n].count;
	snprintf(hint, sizeof(hint), "others: %" PRIu64 " exits", others);
	vtx_svg_rect(s, x, s->y + 5, unit * (double)others, SVG_BAR, vtx_svg_palette[SVG_REASONS], hint);
	snprintf(hint, sizeof(hint), "%" PRIu64, row->exits);
	vtx_svg_text(s, x + unit * (double)others + 6, s->y + 19, "s", hint);
}

static void vtx_svg_exits(struct vtx_svg *s)
{
	const char *words[SVG_REASONS + 1], *colours[SVG_REASONS + 1];
	unsigned int count = 0;
	uint64_t most = 0;

	vtx_svg_heading(s, "VM exits by reason");
	for (; count < s->coloured; count++) {
		words[count] = s->reasons.reason[count].name;
		colours[count] = vtx_svg_palette[count];
	}
	if (s->reasons.count > s->coloured) {
		words[count] = "others";
		colours[count++] = vtx_svg_palette[SVG_REASONS];
	}
	vtx_svg_legend(s, colours, words, count);
	for (unsigned int i = 0; i < VTX_BOOT_PHASES; i++)
		if (s->report->row[i].seen && s->report->row[i].exits > most)
			most = s->report->row[i].exits;
	for (unsigned int i = 0; i < VTX_BOOT_PHASES; i++) {
		if (!s->report->row[i].seen)
			continue;
		vtx_svg_text(s, 20, s->y + 19, "l", vtx_boot_phase_name(i));
		vtx_svg_exits_row(s, &s->report->row[i], most);
		s->y += SVG_ROW;
	}
	s->y += 8;
}

/* ------------------------------------------------------------------ all */

static void vtx_svg_prepare(struct vtx_svg *s)
{
	const struct vtx_boot_report *r = s->report;

	vtx_boot_span(r, &s->start, &s->end);
	for (unsigned int i = 0; i < VTX_BOOT_PHASES; i++) {
		s->rows += r->row[i].seen;
		for (unsigned int n = 0; r->row[i].seen && n < r->row[i].counters.count; n++) {
			struct vtx_boot_reason *all = vtx_boot_reason(&s->reasons, r->row[i].counters.reason[n].name);

			if (all)
				all->count += r->row[i].counters.reason[n].count;
		}
	}
	vtx_boot_sort(&s->reasons);
	s->coloured = s->reasons.count < SVG_REASONS ? s->reasons.count : SVG_REASONS;
}

static void vtx_svg_head(struct vtx_svg *s, double height)
{
	char text[160];
	size_t have;

	fprintf(s->out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%.0f\" viewBox=\"0 0 %d %.0f\" "
		"font-family=\"DejaVu Sans, Verdana, Arial, sans-serif\">\n", SVG_WIDTH, height, SVG_WIDTH, height);
	fputs("<style>text{fill:#2b2f33} .t{font-size:19px;font-weight:bold} .u{font-size:12px;fill:#5f666d} "
	      ".h{font-size:14px;font-weight:bold} .l{font-size:12.5px} .s{font-size:11px;fill:#4a5056} "
	      ".sm{font-size:11px;fill:#4a5056;text-anchor:middle} .se{font-size:11px;fill:#4a5056;text-anchor:end} "
	      ".g{stroke:#e3e6e8;stroke-width:1}</style>\n", s->out);
	fprintf(s->out, "<rect width=\"%d\" height=\"%.0f\" fill=\"#ffffff\"/>\n", SVG_WIDTH, height);
	vtx_svg_text(s, 20, 34, "t", s->report->title);
	snprintf(text, sizeof(text), "%.1f ms from the first instruction, %u vCPU%s", vtx_boot_ms(s->report, s->end - s->start),
		 s->report->cpus, s->report->cpus > 1 ? "s" : "");
	have = strlen(text);
	if (s->report->has_load)
		snprintf(text + have, sizeof(text) - have, "; %.1f ms before that to load the images and to create the VM",
			 vtx_boot_ms(s->report, s->report->load));
	vtx_svg_text(s, 20, 54, "u", text);
	s->y = 74;
}

void vtx_boot_print_svg(const struct vtx_boot_report *report, FILE *out)
{
	struct vtx_svg s = { .out = out, .report = report };
	double height;

	vtx_svg_prepare(&s);
	height = 74 + 2.0 * (26 + 8 + 20 + s.rows * SVG_ROW) + 26;
	if (report->has_exits)
		height += 26 + 20 + 18 + 8 + s.rows * SVG_ROW;
	vtx_svg_head(&s, height);
	if (s.rows) {
		vtx_svg_timeline(&s);
		vtx_svg_who(&s);
	} else {
		vtx_svg_heading(&s, "Nothing ran");
	}
	if (s.rows && report->has_exits)
		vtx_svg_exits(&s);
	if (report->note[0])
		vtx_svg_text(&s, 20, s.y + 14, "u", report->note);
	fputs("</svg>\n", out);
}

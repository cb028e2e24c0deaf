// SPDX-License-Identifier: GPL-2.0-only
/* The three forms of an exit. */
#include "userspace-vmm/trace_format.h"

#include <inttypes.h>
#include <string.h>

#include "userspace-vmm/decode.h"
#include "userspace-vmm/disassemble.h"
#include "userspace-vmm/json.h"

#define VTX_TICKS_LONGER (~0U)
#define VTX_MAX_INSN 15

int vtx_trace_style(const char *name)
{
	static const char *const names[] = {
		[VTX_TRACE_TEXT] = "text", [VTX_TRACE_JSON] = "json", [VTX_TRACE_CHROME] = "chrome",
	};

	for (int i = 0; i < (int)(sizeof(names) / sizeof(names[0])); i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

bool vtx_trace_instruction(const struct vtx_symbols *symbols, uint64_t rip, char *text, size_t size)
{
	uint8_t bytes[VTX_MAX_INSN];
	size_t n = vtx_symbols_code(symbols, rip, bytes, sizeof(bytes));

	text[0] = '\0';
	return n && vtx_disassemble(bytes, n, 64, rip, text, size); /* an ELF kernel that runs under KVM is a 64-bit one */
}

/* Microseconds, or ticks where nobody knows how long one is. */
static double vtx_trace_time(const struct vtx_trace_format *f, int64_t ticks)
{
	return f->tsc_khz ? (double)ticks * 1000.0 / f->tsc_khz : (double)ticks;
}

/* Times count from the first entry. */
static void vtx_trace_started(struct vtx_trace_format *f, const struct vtx_trace_entry *e)
{
	if (!f->begun)
		f->first_tsc = e->record.tsc;
	f->begun = true;
}

/* Since the first entry; another vCPU's may be older than that. */
static double vtx_trace_since(const struct vtx_trace_format *f, const struct vtx_record *r)
{
	return vtx_trace_time(f, (int64_t)(r->tsc - f->first_tsc));
}

/* ------------------------------------------------------------------ text */

static void vtx_text_event(FILE *out, const char *title, uint32_t info)
{
	struct vtx_fields fields = { .count = 0 };

	vtx_decode_event(info, &fields);
	if (!fields.count)
		return;
	fprintf(out, " [%s", title);
	vtx_fields_text(&fields, out);
	fputc(']', out);
}

static void vtx_text_entry(struct vtx_trace_format *f, const struct vtx_trace_entry *e)
{
	const struct vtx_record *r = &e->record;
	struct vtx_fields fields = { .count = 0 };
	char text[128];

	if (e->lost)
		fprintf(f->out, "# vcpu %u lost %u\n", e->vcpu_id, e->lost);
	fprintf(f->out, "%3u %8u ", e->vcpu_id, r->seq);
	fprintf(f->out, f->tsc_khz ? "%14.3f" : "%14.0f", vtx_trace_since(f, r));
	fprintf(f->out, " %-19s 0x%016" PRIx64, vtx_decode_reason(r), (uint64_t)r->rip);
	if (vtx_symbols_name(f->symbols, r->rip, text, sizeof(text)))
		fprintf(f->out, " %s", text);
	if (f->disassemble && vtx_trace_instruction(f->symbols, r->rip, text, sizeof(text)))
		fprintf(f->out, " {%s}", text);
	vtx_decode_info(r, &fields);
	vtx_fields_text(&fields, f->out);
	fprintf(f->out, " cs=0x%x", r->cs);
	vtx_text_event(f->out, "injected", r->injected);
	vtx_text_event(f->out, "vectoring", r->vectoring);
	if (r->by == VTX_BY_NONE) /* still open: its ticks are not known */
		fprintf(f->out, " ticks=- by=%s\n", vtx_name_handler(r->by));
	else if (r->ticks == VTX_TICKS_LONGER)
		fprintf(f->out, " ticks=longer by=%s\n", vtx_name_handler(r->by));
	else
		fprintf(f->out, " ticks=%u by=%s\n", r->ticks, vtx_name_handler(r->by));
}

/* ------------------------------------------------------------------ JSON */

static void vtx_json_event(struct vtx_json *j, const char *key, uint32_t info)
{
	struct vtx_fields fields = { .count = 0 };

	vtx_decode_event(info, &fields);
	if (!fields.count)
		return;
	vtx_json_open(j, key, '{');
	vtx_fields_json(&fields, j);
	vtx_json_close(j, '}');
}

/* What JSON lines and Chrome's args have in common. */
static void vtx_json_record(struct vtx_trace_format *f, struct vtx_json *j, const struct vtx_record *r)
{
	struct vtx_fields fields = { .count = 0 };
	char text[128];

	vtx_json_number(j, "number", r->seq);
	vtx_json_number(j, "reason_number", r->reason);
	vtx_json_hex(j, "rip", r->rip);
	if (vtx_symbols_name(f->symbols, r->rip, text, sizeof(text)))
		vtx_json_text(j, "symbol", text);
	if (f->disassemble && vtx_trace_instruction(f->symbols, r->rip, text, sizeof(text)))
		vtx_json_text(j, "instruction", text);
	vtx_json_hex(j, "cs", r->cs);
	vtx_json_hex(j, "info", r->info);
	vtx_decode_info(r, &fields);
	vtx_json_open(j, "decoded", '{');
	vtx_fields_json(&fields, j);
	vtx_json_close(j, '}');
	vtx_json_event(j, "injected", r->injected);
	vtx_json_event(j, "vectoring", r->vectoring);
	if (r->by != VTX_BY_NONE && r->ticks == VTX_TICKS_LONGER)
		vtx_json_text(j, "ticks", "longer");
	else if (r->by != VTX_BY_NONE)
		vtx_json_number(j, "ticks", r->ticks);
	vtx_json_text(j, "by", vtx_name_handler(r->by));
}

void vtx_trace_object(struct vtx_trace_format *f, struct vtx_json *j, const struct vtx_trace_entry *e)
{
	vtx_trace_started(f, e);
	vtx_json_open(j, NULL, '{');
	vtx_json_number(j, "vcpu", e->vcpu_id);
	vtx_json_number(j, "lost", e->lost);
	vtx_json_number(j, "tsc", e->record.tsc);
	if (f->tsc_khz)
		vtx_json_real(j, "us", vtx_trace_since(f, &e->record), 3);
	vtx_json_text(j, "reason", vtx_decode_reason(&e->record));
	vtx_json_record(f, j, &e->record);
	vtx_json_close(j, '}');
}

static void vtx_json_entry(struct vtx_trace_format *f, const struct vtx_trace_entry *e)
{
	struct vtx_json j;

	vtx_json_init(&j, f->out);
	vtx_trace_object(f, &j, e);
	fputc('\n', f->out);
}

/* ------------------------------------------------------------------ Chrome */

/* A thread per vCPU, named once. */
static void vtx_chrome_thread(struct vtx_trace_format *f, uint32_t vcpu)
{
	uint16_t n = (uint16_t)vcpu;

	if (f->vcpu_seen[n / 8] & 1 << n % 8)
		return;
	f->vcpu_seen[n / 8] |= (uint8_t)(1 << n % 8);
	fprintf(f->out, ",\n{\"name\": \"thread_name\", \"ph\": \"M\", \"pid\": 1, \"tid\": %u, \"args\": {\"name\": \"vCPU %u\"}}", vcpu,
		vcpu);
}

static void vtx_chrome_entry(struct vtx_trace_format *f, const struct vtx_trace_entry *e)
{
	double start = vtx_trace_since(f, &e->record);
	struct vtx_json j;

	vtx_chrome_thread(f, e->vcpu_id);
	if (e->lost)
		fprintf(f->out, ",\n{\"name\": \"%u records lost\", \"cat\": \"lost\", \"ph\": \"i\", \"s\": \"t\", \"pid\": 1, \"tid\": %u, "
			"\"ts\": %.3f}", e->lost, e->vcpu_id, start);
	fputs(",\n", f->out);
	vtx_json_init(&j, f->out);
	vtx_json_open(&j, NULL, '{');
	vtx_json_text(&j, "name", vtx_decode_reason(&e->record));
	vtx_json_text(&j, "cat", vtx_name_handler(e->record.by));
	vtx_json_text(&j, "ph", "X");
	vtx_json_number(&j, "pid", 1);
	vtx_json_number(&j, "tid", e->vcpu_id);
	vtx_json_real(&j, "ts", start, 3);
	vtx_json_real(&j, "dur", vtx_trace_time(f, e->record.by == VTX_BY_NONE ? 0 : e->record.ticks), 3);
	vtx_json_open(&j, "args", '{');
	vtx_json_record(f, &j, &e->record);
	vtx_json_close(&j, '}');
	vtx_json_close(&j, '}');
}

/* ------------------------------------------------------------------ losses */

/* Records were lost and none has come since: a count alone, whose record is all 0 (docs/tracing.md, the stream). */
bool vtx_trace_is_loss(const struct vtx_trace_entry *e)
{
	static const struct vtx_record none;

	return e->lost && !memcmp(&e->record, &none, sizeof(none));
}

static void vtx_trace_loss(struct vtx_trace_format *f, const struct vtx_trace_entry *e)
{
	if (f->style == VTX_TRACE_TEXT)
		fprintf(f->out, "# vcpu %u lost %u\n", e->vcpu_id, e->lost);
	else if (f->style == VTX_TRACE_JSON)
		fprintf(f->out, "{\"vcpu\": %u, \"lost\": %u}\n", e->vcpu_id, e->lost);
	/* without a time there is no place for it in Chrome's picture */
}

/* ------------------------------------------------------------------ all */

void vtx_trace_begin(struct vtx_trace_format *f)
{
	if (f->style == VTX_TRACE_TEXT)
		fprintf(f->out, "# vcpu number %s reason rip [symbol] [{instruction}] details cs [events] ticks by\n",
			f->tsc_khz ? "microseconds" : "ticks-since-the-first");
	else if (f->style == VTX_TRACE_CHROME)
		fputs("[\n{\"name\": \"process_name\", \"ph\": \"M\", \"pid\": 1, \"args\": {\"name\": \"vtx guest\"}}", f->out);
}

void vtx_trace_entry(struct vtx_trace_format *f, const struct vtx_trace_entry *e)
{
	static void (*const print[])(struct vtx_trace_format *f, const struct vtx_trace_entry *e) = {
		[VTX_TRACE_TEXT] = vtx_text_entry,
		[VTX_TRACE_JSON] = vtx_json_entry,
		[VTX_TRACE_CHROME] = vtx_chrome_entry,
	};

	f->lost += e->lost;
	if (vtx_trace_is_loss(e)) {
		vtx_trace_loss(f, e);
		return;
	}
	vtx_trace_started(f, e);
	print[f->style](f, e);
}

void vtx_trace_end(struct vtx_trace_format *f)
{
	if (f->style == VTX_TRACE_CHROME)
		fputs("\n]\n", f->out);
	else if (f->style == VTX_TRACE_TEXT && f->lost)
		fprintf(f->out, "# %" PRIu64 " records were lost\n", f->lost);
}

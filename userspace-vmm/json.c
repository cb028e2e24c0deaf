// SPDX-License-Identifier: GPL-2.0-only
/* The JSON writer. */
#include "userspace-vmm/json.h"

#include <inttypes.h>

void vtx_json_init(struct vtx_json *j, FILE *out)
{
	*j = (struct vtx_json){ .out = out };
}

/* A byte that is not ASCII is written as the character of that number: guests name things as they like. */
static void vtx_json_quoted(FILE *out, const char *text)
{
	fputc('"', out);
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p == '"' || *p == '\\')
			fprintf(out, "\\%c", *p);
		else if (*p < 0x20 || *p >= 0x7f)
			fprintf(out, "\\u%04x", *p);
		else
			fputc(*p, out);
	}
	fputc('"', out);
}

/* What comes before a value: a comma after the first, and the key. */
static void vtx_json_begin(struct vtx_json *j, const char *key)
{
	uint32_t bit = 1U << (j->depth & 31);

	if (j->depth && j->used & bit)
		fputs(", ", j->out);
	j->used |= bit;
	if (key) {
		vtx_json_quoted(j->out, key);
		fputs(": ", j->out);
	}
}

void vtx_json_open(struct vtx_json *j, const char *key, char bracket)
{
	vtx_json_begin(j, key);
	fputc(bracket, j->out);
	j->depth++;
	j->used &= ~(1U << (j->depth & 31));
}

void vtx_json_close(struct vtx_json *j, char bracket)
{
	fputc(bracket, j->out);
	j->depth--;
}

void vtx_json_text(struct vtx_json *j, const char *key, const char *text)
{
	vtx_json_begin(j, key);
	vtx_json_quoted(j->out, text);
}

void vtx_json_number(struct vtx_json *j, const char *key, uint64_t value)
{
	vtx_json_begin(j, key);
	fprintf(j->out, "%" PRIu64, value);
}

void vtx_json_real(struct vtx_json *j, const char *key, double value, int decimals)
{
	vtx_json_begin(j, key);
	fprintf(j->out, "%.*f", decimals, value);
}

void vtx_json_hex(struct vtx_json *j, const char *key, uint64_t value)
{
	vtx_json_begin(j, key);
	fprintf(j->out, "\"0x%" PRIx64 "\"", value);
}

void vtx_json_bool(struct vtx_json *j, const char *key, bool value)
{
	vtx_json_begin(j, key);
	fputs(value ? "true" : "false", j->out);
}

// SPDX-License-Identifier: GPL-2.0-only
/* The list of facts. */
#include "userspace-vmm/fields.h"

#include <inttypes.h>
#include <string.h>

static struct vtx_field *vtx_fields_add(struct vtx_fields *fields, const char *key, enum vtx_field_kind kind)
{
	static struct vtx_field nowhere; /* never read: a list that is full keeps what it has */
	struct vtx_field *f = fields->count < VTX_MAX_FIELDS ? &fields->field[fields->count++] : &nowhere;

	f->key = key;
	f->kind = kind;
	return f;
}

void vtx_fields_number(struct vtx_fields *fields, const char *key, uint64_t number)
{
	vtx_fields_add(fields, key, VTX_FIELD_NUMBER)->number = number;
}

void vtx_fields_hex(struct vtx_fields *fields, const char *key, uint64_t number)
{
	vtx_fields_add(fields, key, VTX_FIELD_HEX)->number = number;
}

void vtx_fields_word(struct vtx_fields *fields, const char *key, const char *word)
{
	struct vtx_field *f = vtx_fields_add(fields, key, VTX_FIELD_WORD);

	snprintf(f->word, sizeof(f->word), "%s", word);
}

const struct vtx_field *vtx_fields_find(const struct vtx_fields *fields, const char *key)
{
	for (unsigned int i = 0; i < fields->count; i++)
		if (!strcmp(fields->field[i].key, key))
			return &fields->field[i];
	return NULL;
}

void vtx_fields_text(const struct vtx_fields *fields, FILE *out)
{
	for (unsigned int i = 0; i < fields->count; i++) {
		const struct vtx_field *f = &fields->field[i];

		if (f->kind == VTX_FIELD_WORD)
			fprintf(out, " %s=%s", f->key, f->word);
		else
			fprintf(out, f->kind == VTX_FIELD_HEX ? " %s=0x%" PRIx64 : " %s=%" PRIu64, f->key, f->number);
	}
}

void vtx_fields_json(const struct vtx_fields *fields, struct vtx_json *json)
{
	for (unsigned int i = 0; i < fields->count; i++) {
		const struct vtx_field *f = &fields->field[i];

		if (f->kind == VTX_FIELD_WORD)
			vtx_json_text(json, f->key, f->word);
		else if (f->kind == VTX_FIELD_HEX)
			vtx_json_hex(json, f->key, f->number);
		else
			vtx_json_number(json, f->key, f->number);
	}
}

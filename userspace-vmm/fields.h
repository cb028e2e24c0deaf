/* SPDX-License-Identifier: GPL-2.0-only */
/* A short list of named facts: what decoding an exit gives, before anybody decided whether it becomes text or JSON. */
#ifndef VTX_VMM_FIELDS_H
#define VTX_VMM_FIELDS_H

#include <stdint.h>
#include <stdio.h>

#include "userspace-vmm/json.h"

#define VTX_MAX_FIELDS 20

enum vtx_field_kind {
	VTX_FIELD_NUMBER,
	VTX_FIELD_HEX,
	VTX_FIELD_WORD,
};

struct vtx_field {
	const char *key; /* static */
	enum vtx_field_kind kind;
	uint64_t number;
	char word[48];
};

struct vtx_fields {
	unsigned int count;
	struct vtx_field field[VTX_MAX_FIELDS];
};

void vtx_fields_number(struct vtx_fields *fields, const char *key, uint64_t number);
void vtx_fields_hex(struct vtx_fields *fields, const char *key, uint64_t number);
void vtx_fields_word(struct vtx_fields *fields, const char *key, const char *word);

/* NULL when there is no such field. */
const struct vtx_field *vtx_fields_find(const struct vtx_fields *fields, const char *key);

/* " key=value" for each. */
void vtx_fields_text(const struct vtx_fields *fields, FILE *out);
/* Members of the object that is open. */
void vtx_fields_json(const struct vtx_fields *fields, struct vtx_json *json);

#endif

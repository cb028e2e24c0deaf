/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A writer of JSON: commas, quotes and escapes come out right whatever the text is.  Numbers that are addresses or masks are
 * written as strings in hexadecimal, since many readers keep 53 bits of a number.
 */
#ifndef VTX_VMM_JSON_H
#define VTX_VMM_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct vtx_json {
	FILE *out;
	unsigned int depth;
	uint32_t used; /* bit n: level n has an element already */
};

void vtx_json_init(struct vtx_json *json, FILE *out);

/* KEY is NULL in an array and at the top. */
void vtx_json_open(struct vtx_json *json, const char *key, char bracket); /* '{' or '[' */
void vtx_json_close(struct vtx_json *json, char bracket);
void vtx_json_text(struct vtx_json *json, const char *key, const char *text);
void vtx_json_number(struct vtx_json *json, const char *key, uint64_t value);
void vtx_json_real(struct vtx_json *json, const char *key, double value, int decimals);
void vtx_json_hex(struct vtx_json *json, const char *key, uint64_t value);
void vtx_json_bool(struct vtx_json *json, const char *key, bool value);

#endif

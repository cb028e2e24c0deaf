// SPDX-License-Identifier: GPL-2.0-only
/* Events: interruption information, exceptions and their error codes. */
#include "userspace-vmm/decode.h"

#include <stdio.h>
#include <string.h>

#define VECTOR_DF 8
#define VECTOR_TS 10
#define VECTOR_GP 13
#define VECTOR_PF 14

static const char *const vtx_vectors[32] = {
	"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "#CSO", "#TS", "#NP", "#SS", "#GP", "#PF", NULL,
	"#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
};

const char *vtx_name_vector(unsigned int vector)
{
	return vector < 32 ? vtx_vectors[vector] : NULL;
}

/* SDM vol. 3, 24.8.3: the types that an event can have. */
static const char *const vtx_event_types[8] = {
	"external-interrupt", "reserved", "nmi", "exception", "software-interrupt", "privileged-software-exception",
	"software-exception", "other",
};

void vtx_decode_event(uint32_t info, struct vtx_fields *f)
{
	unsigned int vector = info & 0xff, type = info >> 8 & 7;
	bool is_exception = type == 3 || type == 5 || type == 6;

	if (!(info >> 31))
		return;
	vtx_fields_number(f, "vector", vector);
	if ((is_exception || type == 2) && vtx_name_vector(vector))
		vtx_fields_word(f, "event", vtx_name_vector(vector));
	vtx_fields_word(f, "type", vtx_event_types[type]);
}

static void vtx_append(char *buffer, size_t size, const char *word)
{
	size_t have = strlen(buffer);

	snprintf(buffer + have, size - have, "%s%s", have ? "|" : "", word);
}

/* SDM vol. 3, 4.7. A bit that is clear says something as well for the first three. */
static void vtx_page_fault_bits(uint32_t error, char *buffer, size_t size)
{
	static const struct {
		uint32_t bit;
		const char *set, *clear;
	} bits[] = {
		{ 1, "present", "not-present" }, { 2, "write", "read" },   { 4, "user", "supervisor" }, { 8, "reserved-bit", NULL },
		{ 16, "fetch", NULL },		 { 32, "pkey", NULL }, { 64, "shadow-stack", NULL }, { 1U << 15, "sgx", NULL },
	};

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		const char *word = error & bits[i].bit ? bits[i].set : bits[i].clear;

		if (word)
			vtx_append(buffer, size, word);
	}
}

/* SDM vol. 3, 6.13: error codes that hold a selector. */
static void vtx_selector_bits(uint32_t error, char *buffer, size_t size)
{
	char word[32];

	snprintf(word, sizeof(word), "%s[0x%x]", error & 2 ? "idt" : error & 4 ? "ldt" : "gdt", (error & 0xffff) >> 3);
	vtx_append(buffer, size, word);
	if (error & 1)
		vtx_append(buffer, size, "external");
}

void vtx_decode_error_code(uint8_t vector, uint32_t error, char *buffer, size_t size)
{
	buffer[0] = '\0';
	if (vector == VECTOR_PF)
		vtx_page_fault_bits(error, buffer, size);
	else if (vector >= VECTOR_TS && vector <= VECTOR_GP && error)
		vtx_selector_bits(error, buffer, size);
}

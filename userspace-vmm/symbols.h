/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest kernel's symbols, from its System.map (or /proc/kallsyms) or its ELF vmlinux; of the latter also the code, so that
 * instructions can be shown whose bytes no record holds.  Trusts nothing in the file.
 */
#ifndef VTX_VMM_SYMBOLS_H
#define VTX_VMM_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace-vmm/loader.h"
#include "userspace-vmm/message.h"

struct vtx_symbol {
	uint64_t address;
	uint64_t size; /* 0: unknown, reaches up to the next */
	const char *name;
};

struct vtx_code_range {
	uint64_t address, size;
	const uint8_t *bytes;
};

struct vtx_symbols {
	struct vtx_symbol *table; /* sorted by address */
	size_t count, room;
	struct vtx_code_range *code;
	size_t code_count;
	uint64_t offset; /* what KASLR added to all addresses of the running guest */
	/* what names and code point into */
	struct vtx_image image;
	char *text;
};

/* Returns 0, or -1 with ERROR filled (VTX_STATUS_IMAGE); close it in both cases. */
int vtx_symbols_open(struct vtx_symbols *symbols, const char *path, struct vtx_error *error);
void vtx_symbols_close(struct vtx_symbols *symbols);

/* "name" or "name+0x12" for a guest address into BUFFER; false and "" where no symbol is. SYMBOLS may be NULL. */
bool vtx_symbols_name(const struct vtx_symbols *symbols, uint64_t address, char *buffer, size_t size);

/* Up to SIZE bytes of code at a guest address; returns how many there are. SYMBOLS may be NULL. */
size_t vtx_symbols_code(const struct vtx_symbols *symbols, uint64_t address, uint8_t *bytes, size_t size);

#endif

// SPDX-License-Identifier: GPL-2.0-only
/* The guest's symbols. */
#include "userspace-vmm/symbols.h"

#include <gelf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A symbol without a size that is farther away than this explains nothing. */
#define VTX_SYMBOL_REACH 0x100000

static int vtx_symbols_add(struct vtx_symbols *s, uint64_t address, uint64_t size, const char *name)
{
	if (s->count == s->room) {
		size_t room = s->room ? s->room * 2 : 4096;
		struct vtx_symbol *table = realloc(s->table, room * sizeof(*table));

		if (!table)
			return -1;
		s->table = table;
		s->room = room;
	}
	s->table[s->count++] = (struct vtx_symbol){ .address = address, .size = size, .name = name };
	return 0;
}

/* ------------------------------------------------------------------ System.map */

/* "ffffffff81000000 T _stext", and in kallsyms a tab and the module behind it.  Text symbols count: RIPs point at nothing else. */
static int vtx_map_line(struct vtx_symbols *s, char *line)
{
	char *end, *name;
	uint64_t address = strtoull(line, &end, 16);

	if (end == line || end[0] != ' ' || !end[1] || end[2] != ' ' || !end[3])
		return 0;
	if (!strchr("tTwW", end[1]))
		return 0;
	name = end + 3;
	name[strcspn(name, " \t\r")] = '\0';
	return vtx_symbols_add(s, address, 0, name);
}

static int vtx_symbols_map(struct vtx_symbols *s, struct vtx_error *error)
{
	char *save = NULL;

	s->text = malloc(s->image.size + 1);
	if (!s->text)
		return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "out of memory");
	memcpy(s->text, s->image.data, s->image.size);
	s->text[s->image.size] = '\0';
	for (char *line = strtok_r(s->text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (vtx_map_line(s, line))
			return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "out of memory");
	return 0;
}

/* ------------------------------------------------------------------ ELF */

static bool vtx_in_image(const struct vtx_symbols *s, uint64_t offset, uint64_t size)
{
	return offset <= s->image.size && size <= s->image.size - offset;
}

static int vtx_elf_code(struct vtx_symbols *s, const GElf_Shdr *header)
{
	struct vtx_code_range *code;

	if (!vtx_in_image(s, header->sh_offset, header->sh_size))
		return 0;
	code = realloc(s->code, (s->code_count + 1) * sizeof(*code));
	if (!code)
		return -1;
	s->code = code;
	code[s->code_count++] = (struct vtx_code_range){
		.address = header->sh_addr, .size = header->sh_size, .bytes = s->image.data + header->sh_offset,
	};
	return 0;
}

/* Names stay in the image; each must end within its string table. */
static int vtx_elf_table(struct vtx_symbols *s, Elf *elf, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(section, NULL);
	Elf_Scn *names = elf_getscn(elf, header->sh_link);
	GElf_Shdr strings;
	GElf_Sym symbol;

	if (!data || !names || !gelf_getshdr(names, &strings) || strings.sh_type != SHT_STRTAB ||
	    !vtx_in_image(s, strings.sh_offset, strings.sh_size) || !header->sh_entsize)
		return 0;
	for (int i = 0; gelf_getsym(data, i, &symbol); i++) {
		const char *name = (const char *)s->image.data + strings.sh_offset + symbol.st_name;
		unsigned char type = GELF_ST_TYPE(symbol.st_info);

		if ((type != STT_FUNC && type != STT_NOTYPE) || symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_ABS)
			continue;
		if (symbol.st_name >= strings.sh_size || !memchr(name, 0, strings.sh_size - symbol.st_name) || !*name)
			continue;
		if (vtx_symbols_add(s, symbol.st_value, symbol.st_size, name))
			return -1;
	}
	return 0;
}

static int vtx_symbols_elf(struct vtx_symbols *s, struct vtx_error *error)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	int ret = 0;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_memory((char *)s->image.data, s->image.size);
	if (!elf || elf_kind(elf) != ELF_K_ELF) {
		elf_end(elf);
		return vtx_error_set(error, VTX_STATUS_IMAGE, "%s is not a usable ELF file: %s", s->image.name, elf_errmsg(-1));
	}
	while (!ret && (section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, &header))
			continue;
		if (header.sh_type == SHT_PROGBITS && header.sh_flags & SHF_ALLOC && header.sh_flags & SHF_EXECINSTR)
			ret = vtx_elf_code(s, &header);
		else if (header.sh_type == SHT_SYMTAB)
			ret = vtx_elf_table(s, elf, section, &header);
	}
	elf_end(elf);
	return ret ? vtx_error_set(error, VTX_STATUS_HOST_ERROR, "out of memory") : 0;
}

/* ------------------------------------------------------------------ both */

/* By address; of several names at one address the one that knows its size, then the first by name: the same on each run. */
static int vtx_symbol_order(const void *a, const void *b)
{
	const struct vtx_symbol *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	if (!x->size != !y->size)
		return x->size ? -1 : 1;
	return strcmp(x->name, y->name);
}

int vtx_symbols_open(struct vtx_symbols *s, const char *path, struct vtx_error *error)
{
	size_t kept = 0;
	int ret;

	*s = (struct vtx_symbols){ .count = 0 };
	if (vtx_image_open(&s->image, path, "symbol file", error))
		return -1;
	ret = vtx_is_elf(&s->image) ? vtx_symbols_elf(s, error) : vtx_symbols_map(s, error);
	if (ret)
		return -1;
	if (!s->count && !s->code_count)
		return vtx_error_set(error, VTX_STATUS_IMAGE, "%s: no symbols of code in it; a System.map, a copy of "
				     "/proc/kallsyms or an ELF vmlinux that is not stripped is needed", path);
	if (s->count)
		qsort(s->table, s->count, sizeof(*s->table), vtx_symbol_order);
	for (size_t i = 0; i < s->count; i++)
		if (!kept || s->table[kept - 1].address != s->table[i].address)
			s->table[kept++] = s->table[i];
	s->count = kept;
	return 0;
}

void vtx_symbols_close(struct vtx_symbols *s)
{
	free(s->table);
	free(s->code);
	free(s->text);
	vtx_image_close(&s->image);
	*s = (struct vtx_symbols){ .count = 0 };
}

bool vtx_symbols_name(const struct vtx_symbols *s, uint64_t address, char *buffer, size_t size)
{
	size_t low = 0, high = s ? s->count : 0;
	uint64_t distance;

	buffer[0] = '\0';
	if (s)
		address -= s->offset;
	while (low < high) { /* table[low - 1] is at or below address, table[high] above */
		size_t middle = low + (high - low) / 2;

		if (s->table[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return false;
	distance = address - s->table[low - 1].address;
	if (distance >= (s->table[low - 1].size ? s->table[low - 1].size : VTX_SYMBOL_REACH))
		return false;
	if (distance)
		snprintf(buffer, size, "%s+0x%" PRIx64, s->table[low - 1].name, distance);
	else
		snprintf(buffer, size, "%s", s->table[low - 1].name);
	return true;
}

size_t vtx_symbols_code(const struct vtx_symbols *s, uint64_t address, uint8_t *bytes, size_t size)
{
	if (!s)
		return 0;
	address -= s->offset;
	for (size_t i = 0; i < s->code_count; i++) {
		uint64_t into = address - s->code[i].address;

		if (into >= s->code[i].size)
			continue;
		if (size > s->code[i].size - into)
			size = s->code[i].size - into;
		memcpy(bytes, s->code[i].bytes + into, size);
		return size;
	}
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * ELF kernels through PVH (Xen's docs/misc/pvh.pandoc, "Direct boot without firmware"): the file names its 32-bit
 * entry in an ELF note, segments go to their physical addresses, and EBX points at a structure that describes
 * command line, modules and memory.  libelf reads the file; what it returns is checked here again.
 */
#include "userspace-vmm/loader.h"

#include <gelf.h>
#include <string.h>

#include "userspace-vmm/e820.h"
#include "userspace-vmm/layout.h"

#define XEN_NOTE_NAME "Xen"
#define XEN_NOTE_PHYS32_ENTRY 18
#define PVH_MAGIC 0x336ec578
#define PVH_VERSION 1 /* the first with a memory map */

struct pvh_start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t nr_modules;
	uint64_t modlist;
	uint64_t cmdline;
	uint64_t rsdp;
	uint64_t memmap;
	uint32_t memmap_entries;
	uint32_t reserved;
};

struct pvh_module {
	uint64_t addr;
	uint64_t size;
	uint64_t cmdline;
	uint64_t reserved;
};

struct pvh_memmap_entry {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

/* What lies in the page at VTX_PVH_INFO_ADDR. */
struct pvh_page {
	struct pvh_start_info info;
	struct pvh_module module;
	struct pvh_memmap_entry memmap[VTX_E820_MAX];
};

_Static_assert(sizeof(struct pvh_start_info) == 56, "hvm_start_info, version 1");
_Static_assert(sizeof(struct pvh_page) <= VTX_ZERO_PAGE_ADDR - VTX_PVH_INFO_ADDR, "one page");

struct vtx_elf {
	const struct vtx_image *image;
	Elf *elf;
	size_t segments;
	uint64_t start, end; /* of all segments in guest memory */
	uint64_t entry;
	bool entry_found;
};

bool vtx_is_elf(const struct vtx_image *image)
{
	return image->size >= SELFMAG && !memcmp(image->data, ELFMAG, SELFMAG);
}

static int vtx_bad_elf(const struct vtx_elf *e, struct vtx_error *error, const char *what)
{
	return vtx_error_set(error, VTX_STATUS_IMAGE, "%s is not a usable ELF kernel: %s", e->image->name, what);
}

static int vtx_elf_open(struct vtx_elf *e, struct vtx_error *error)
{
	GElf_Ehdr header;

	elf_version(EV_CURRENT);
	/* libelf wants a pointer to non-const, but does not write to an image opened like this. */
	e->elf = elf_memory((char *)e->image->data, e->image->size);
	if (!e->elf || elf_kind(e->elf) != ELF_K_ELF || !gelf_getehdr(e->elf, &header))
		return vtx_bad_elf(e, error, elf_errmsg(-1));
	if (header.e_ident[EI_DATA] != ELFDATA2LSB || (header.e_machine != EM_X86_64 && header.e_machine != EM_386))
		return vtx_bad_elf(e, error, "it is not for x86");
	if (elf_getphdrnum(e->elf, &e->segments) || e->segments == 0)
		return vtx_bad_elf(e, error, "it has no program headers (an object file?)");
	if (e->segments > 4096)
		return vtx_bad_elf(e, error, "it has more than 4096 program headers");
	return 0;
}

/* Looks for the entry in one PT_NOTE segment that lies within the file. */
static void vtx_elf_notes(struct vtx_elf *e, const GElf_Phdr *segment)
{
	Elf_Data *data = elf_getdata_rawchunk(e->elf, (int64_t)segment->p_offset, segment->p_filesz,
					      segment->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
	size_t offset = 0, next, name, desc;
	GElf_Nhdr note;

	while (data && (next = gelf_getnote(data, offset, &note, &name, &desc)) > offset) {
		const char *bytes = data->d_buf;

		if (note.n_type == XEN_NOTE_PHYS32_ENTRY && note.n_namesz == sizeof(XEN_NOTE_NAME) &&
		    !memcmp(bytes + name, XEN_NOTE_NAME, sizeof(XEN_NOTE_NAME)) &&
		    (note.n_descsz == 4 || note.n_descsz == 8)) {
			e->entry = 0;
			memcpy(&e->entry, bytes + desc, note.n_descsz);
			e->entry_found = true;
		}
		offset = next;
	}
}

static int vtx_elf_check_segment(struct vtx_elf *e, const struct vtx_ram *ram, const GElf_Phdr *segment,
				 struct vtx_error *error)
{
	if (segment->p_offset > e->image->size || segment->p_filesz > e->image->size - segment->p_offset)
		return vtx_bad_elf(e, error, "a segment reaches past the end of the file (truncated?)");
	if (segment->p_type != PT_LOAD || segment->p_memsz == 0)
		return 0;
	if (segment->p_filesz > segment->p_memsz)
		return vtx_bad_elf(e, error, "a segment is larger in the file than in memory");
	if (segment->p_paddr < VTX_HIGH_MEMORY)
		return vtx_bad_elf(e, error, "a segment loads below 1 MiB, where the boot data lie");
	if (!vtx_ram_at(ram, segment->p_paddr, segment->p_memsz) ||
	    segment->p_paddr + segment->p_memsz > vtx_ram_low_end(ram))
		return vtx_error_set(error, VTX_STATUS_IMAGE,
				     "%s: the segment of 0x%llx bytes at 0x%llx does not fit in guest memory below 3.25 GiB; "
				     "give more memory with -m", e->image->name, (unsigned long long)segment->p_memsz,
				     (unsigned long long)segment->p_paddr);
	if (e->end == 0 || segment->p_paddr < e->start)
		e->start = segment->p_paddr;
	if (segment->p_paddr + segment->p_memsz > e->end)
		e->end = segment->p_paddr + segment->p_memsz;
	return 0;
}

/* First pass: check everything, find the entry.  Nothing is written to guest memory before all of it holds. */
static int vtx_elf_scan(struct vtx_elf *e, const struct vtx_ram *ram, struct vtx_error *error)
{
	for (size_t i = 0; i < e->segments; i++) {
		GElf_Phdr segment;

		if (!gelf_getphdr(e->elf, (int)i, &segment))
			return vtx_bad_elf(e, error, elf_errmsg(-1));
		if (vtx_elf_check_segment(e, ram, &segment, error))
			return -1;
		if (segment.p_type == PT_NOTE)
			vtx_elf_notes(e, &segment);
	}
	if (e->end == 0)
		return vtx_bad_elf(e, error, "it has nothing to load");
	if (!e->entry_found)
		return vtx_bad_elf(e, error, "it has no PVH entry (ELF note \"Xen\", type 18): build the kernel with "
				   "CONFIG_PVH=y, or boot its bzImage");
	if (e->entry < e->start || e->entry >= e->end)
		return vtx_bad_elf(e, error, "its PVH entry lies outside what it loads");
	return 0;
}

static void vtx_elf_copy(const struct vtx_elf *e, const struct vtx_ram *ram)
{
	for (size_t i = 0; i < e->segments; i++) {
		GElf_Phdr segment;
		uint8_t *to;

		if (!gelf_getphdr(e->elf, (int)i, &segment) || segment.p_type != PT_LOAD || segment.p_memsz == 0)
			continue;
		to = vtx_ram_at(ram, segment.p_paddr, segment.p_memsz);
		memcpy(to, e->image->data + segment.p_offset, segment.p_filesz);
		memset(to + segment.p_filesz, 0, segment.p_memsz - segment.p_filesz);
	}
}

static void vtx_pvh_fill(struct pvh_page *page, const struct vtx_ram *ram, const struct vtx_boot_request *request,
			 uint64_t initrd)
{
	struct vtx_e820_range map[VTX_E820_MAX];

	memset(page, 0, sizeof(*page));
	page->info.magic = PVH_MAGIC;
	page->info.version = PVH_VERSION;
	page->info.cmdline = VTX_CMDLINE_ADDR;
	page->info.rsdp = request->rsdp;
	if (request->initrd) {
		page->info.nr_modules = 1;
		page->info.modlist = VTX_PVH_INFO_ADDR + offsetof(struct pvh_page, module);
		page->module.addr = initrd;
		page->module.size = request->initrd->size;
	}
	page->info.memmap = VTX_PVH_INFO_ADDR + offsetof(struct pvh_page, memmap);
	page->info.memmap_entries = vtx_e820_build(ram, map);
	for (unsigned int i = 0; i < page->info.memmap_entries; i++)
		page->memmap[i] = (struct pvh_memmap_entry){
			.addr = map[i].addr, .size = map[i].size, .type = map[i].type,
		};
}

int vtx_load_pvh(const struct vtx_ram *ram, const struct vtx_boot_request *request, struct vtx_boot_result *result,
		 struct vtx_error *error)
{
	struct pvh_page *page = vtx_ram_at(ram, VTX_PVH_INFO_ADDR, sizeof(*page));
	struct vtx_elf e = { .image = request->kernel };
	int ret = -1;

	if (!page)
		return vtx_error_set(error, VTX_STATUS_IMAGE, "guest memory is too small");
	if (vtx_elf_open(&e, error) || vtx_elf_scan(&e, ram, error) ||
	    vtx_load_initrd(ram, request->initrd, (e.end + 0xfff) & ~0xfffULL, UINT64_MAX, &result->initrd_start, error) ||
	    vtx_load_cmdline(ram, request->cmdline, VTX_CMDLINE_MAX - 1, error) ||
	    vtx_boot_tables(ram, VTX_ENTRY_PROTECTED, error))
		goto out;
	vtx_elf_copy(&e, ram);
	vtx_pvh_fill(page, ram, request, result->initrd_start);
	result->protocol = "ELF, PVH entry";
	result->kernel_start = e.start;
	result->kernel_end = e.end;
	result->entry = (struct vtx_entry){ .mode = VTX_ENTRY_PROTECTED, .rip = e.entry, .rbx = VTX_PVH_INFO_ADDR };
	ret = 0;
out:
	elf_end(e.elf);
	return ret;
}

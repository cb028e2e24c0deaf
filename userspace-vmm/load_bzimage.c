// SPDX-License-Identifier: GPL-2.0-only
/*
 * bzImage through the 64-bit entry of the Linux boot protocol (Documentation/arch/x86/boot.rst, "64-bit Boot
 * Protocol"): the real-mode part of the file is only read for its header; the payload goes to its preferred
 * address and starts 0x200 bytes in, in long mode, with RSI pointing at the zero page.
 */
#include "userspace-vmm/loader.h"

#include <string.h>
#include <asm/bootparam.h>

#include "userspace-vmm/e820.h"
#include "userspace-vmm/layout.h"

#define SETUP_HEADER 0x1f1
#define SETUP_JUMP_TARGET 0x201 /* a short jump: the header ends where it goes */
#define SETUP_HEADER_END_BASE 0x202
#define SECTOR 512
#define BOOT_FLAG 0xaa55
#define HEADER_MAGIC 0x53726448 /* "HdrS" */
#define PROTOCOL_64BIT_ENTRY 0x020c
#define ENTRY_64_OFFSET 0x200
#define LOADER_UNDEFINED 0xff

struct vtx_bzimage {
	struct setup_header header;
	size_t payload_offset;
	size_t payload_size;
};

bool vtx_is_bzimage(const struct vtx_image *image)
{
	uint32_t magic;

	if (image->size < 0x206)
		return false;
	memcpy(&magic, image->data + 0x202, sizeof(magic));
	return magic == HEADER_MAGIC;
}

static int vtx_malformed(const struct vtx_image *image, struct vtx_error *error, const char *what)
{
	return vtx_error_set(error, VTX_STATUS_IMAGE, "%s is not a usable bzImage: %s", image->name, what);
}

/* The header may be shorter (older kernel) or longer (newer) than the structure known here. */
static int vtx_bzimage_header(const struct vtx_image *image, struct setup_header *header, struct vtx_error *error)
{
	size_t end = SETUP_HEADER_END_BASE + image->data[SETUP_JUMP_TARGET];
	size_t len = end - SETUP_HEADER;

	if (end > image->size)
		return vtx_malformed(image, error, "the file ends inside the setup header");
	memset(header, 0, sizeof(*header));
	memcpy(header, image->data + SETUP_HEADER, len < sizeof(*header) ? len : sizeof(*header));
	if (header->boot_flag != BOOT_FLAG)
		return vtx_malformed(image, error, "no boot flag 0xaa55 at 0x1fe");
	if (header->version < PROTOCOL_64BIT_ENTRY || !(header->xloadflags & XLF_KERNEL_64))
		return vtx_malformed(image, error, "no 64-bit entry (boot protocol 2.12 and XLF_KERNEL_64 are needed; "
				     "a 32-bit kernel, or one older than 3.8?)");
	if (!(header->loadflags & LOADED_HIGH))
		return vtx_malformed(image, error, "it is a zImage, which loads low");
	return 0;
}

static int vtx_bzimage_parse(const struct vtx_image *image, struct vtx_bzimage *bz, struct vtx_error *error)
{
	if (vtx_bzimage_header(image, &bz->header, error))
		return -1;
	bz->payload_offset = ((bz->header.setup_sects ? bz->header.setup_sects : 4) + 1) * SECTOR;
	bz->payload_size = (size_t)bz->header.syssize * 16;
	if (bz->payload_offset >= image->size || bz->payload_size > image->size - bz->payload_offset)
		return vtx_error_set(error, VTX_STATUS_IMAGE,
				     "%s is truncated: its header promises %zu bytes, the file has %zu", image->name,
				     bz->payload_offset + bz->payload_size, image->size);
	if (bz->payload_size <= ENTRY_64_OFFSET)
		return vtx_malformed(image, error, "the payload is too short to hold the 64-bit entry");
	if (bz->header.init_size < bz->payload_size)
		return vtx_malformed(image, error, "init_size is smaller than the payload");
	if (bz->header.pref_address < VTX_HIGH_MEMORY || bz->header.pref_address >= VTX_HOLE_START ||
	    bz->header.pref_address & 0xfff)
		return vtx_malformed(image, error, "its preferred address is not a page between 1 MiB and 3.25 GiB");
	return 0;
}

static void vtx_fill_zero_page(struct boot_params *bp, const struct vtx_ram *ram, const struct vtx_bzimage *bz,
			       const struct vtx_boot_request *request, uint64_t initrd)
{
	struct vtx_e820_range map[VTX_E820_MAX];
	uint64_t kib = (vtx_ram_low_end(ram) - VTX_HIGH_MEMORY) >> 10;

	memset(bp, 0, sizeof(*bp));
	bp->hdr = bz->header;
	bp->hdr.type_of_loader = LOADER_UNDEFINED;
	bp->hdr.code32_start = (uint32_t)bz->header.pref_address;
	bp->hdr.cmd_line_ptr = VTX_CMDLINE_ADDR;
	bp->hdr.ramdisk_image = (uint32_t)initrd;
	bp->hdr.ramdisk_size = request->initrd ? (uint32_t)request->initrd->size : 0;
	bp->acpi_rsdp_addr = request->rsdp;
	bp->alt_mem_k = (uint32_t)kib;
	bp->screen_info.ext_mem_k = (uint16_t)(kib > 0xfc00 ? 0xfc00 : kib);
	bp->e820_entries = (uint8_t)vtx_e820_build(ram, map);
	for (unsigned int i = 0; i < bp->e820_entries; i++)
		bp->e820_table[i] = (struct boot_e820_entry){
			.addr = map[i].addr, .size = map[i].size, .type = map[i].type,
		};
}

int vtx_load_bzimage(const struct vtx_ram *ram, const struct vtx_boot_request *request,
		     struct vtx_boot_result *result, struct vtx_error *error)
{
	const struct vtx_image *image = request->kernel;
	struct boot_params *zero_page = vtx_ram_at(ram, VTX_ZERO_PAGE_ADDR, sizeof(*zero_page));
	struct vtx_bzimage bz;
	uint64_t start, end;

	if (vtx_bzimage_parse(image, &bz, error))
		return -1;
	start = bz.header.pref_address;
	end = start + bz.header.init_size; /* 32 bits plus less than 4 GiB: no wrap */
	if (!zero_page || !vtx_ram_at(ram, start, bz.header.init_size))
		return vtx_error_set(error, VTX_STATUS_IMAGE, "%s needs memory up to %llu MiB to start; give more with -m",
				     image->name, (unsigned long long)((end + 0xfffff) >> 20));
	if (vtx_load_initrd(ram, request->initrd, end, (uint64_t)bz.header.initrd_addr_max + 1,
			    &result->initrd_start, error) ||
	    vtx_load_cmdline(ram, request->cmdline, bz.header.cmdline_size, error) ||
	    vtx_boot_tables(ram, VTX_ENTRY_LONG, error))
		return -1;
	memcpy(vtx_ram_at(ram, start, bz.payload_size), image->data + bz.payload_offset, bz.payload_size);
	vtx_fill_zero_page(zero_page, ram, &bz, request, result->initrd_start);

	result->protocol = "bzImage, 64-bit boot protocol";
	result->kernel_start = start;
	result->kernel_end = end;
	result->entry = (struct vtx_entry){
		.mode = VTX_ENTRY_LONG,
		.rip = start + ENTRY_64_OFFSET,
		.rsp = VTX_STACK_TOP,
		.rsi = VTX_ZERO_PAGE_ADDR,
	};
	return 0;
}

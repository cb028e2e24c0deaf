// SPDX-License-Identifier: GPL-2.0-only
/* Files in memory, the choice of a loader, and what all loaders share: initrd, command line, flat images. */
#include "userspace-vmm/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace-vmm/layout.h"

int vtx_image_open(struct vtx_image *image, const char *path, const char *what, struct vtx_error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *data;

	*image = (struct vtx_image){ .name = path };
	if (fd < 0 || fstat(fd, &st)) {
		vtx_error_set(error, VTX_STATUS_IMAGE, "cannot open the %s %s: %s", what, path, strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		vtx_error_set(error, VTX_STATUS_IMAGE, "the %s %s is not a regular file", what, path);
		goto out;
	}
	if (st.st_size == 0) {
		vtx_error_set(error, VTX_STATUS_IMAGE, "the %s %s is empty", what, path);
		goto out;
	}
	/* MAP_POPULATE: a file cut short later than here must not become a SIGBUS in the middle of loading. */
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (data == MAP_FAILED) {
		vtx_error_set(error, VTX_STATUS_IMAGE, "cannot read the %s %s: %s", what, path, strerror(errno));
		goto out;
	}
	image->data = data;
	image->size = (size_t)st.st_size;
out:
	if (fd >= 0)
		close(fd);
	return image->data ? 0 : -1;
}

void vtx_image_close(struct vtx_image *image)
{
	if (image->data)
		munmap((void *)image->data, image->size);
	image->data = NULL;
}

int vtx_load_kernel(const struct vtx_ram *ram, const struct vtx_boot_request *request, struct vtx_boot_result *result,
		    struct vtx_error *error)
{
	memset(result, 0, sizeof(*result));
	if (vtx_is_elf(request->kernel))
		return vtx_load_pvh(ram, request, result, error);
	if (vtx_is_bzimage(request->kernel))
		return vtx_load_bzimage(ram, request, result, error);
	return vtx_error_set(error, VTX_STATUS_IMAGE,
			     "%s is neither a bzImage (no \"HdrS\" at 0x202) nor an ELF file; "
			     "for a raw binary give its address with --flat", request->kernel->name);
}

int vtx_load_initrd(const struct vtx_ram *ram, const struct vtx_image *initrd, uint64_t floor, uint64_t ceiling,
		    uint64_t *start, struct vtx_error *error)
{
	*start = 0;
	if (!initrd)
		return 0;
	if (vtx_ram_place_high(ram, initrd->size, floor, ceiling, start))
		return vtx_error_set(error, VTX_STATUS_IMAGE,
				     "the initrd %s (%zu KiB) does not fit between the kernel's end at 0x%llx and 0x%llx; "
				     "give the guest more memory with -m", initrd->name, initrd->size >> 10,
				     (unsigned long long)floor,
				     (unsigned long long)(ceiling < vtx_ram_low_end(ram) ? ceiling : vtx_ram_low_end(ram)));
	memcpy(vtx_ram_at(ram, *start, initrd->size), initrd->data, initrd->size);
	return 0;
}

int vtx_load_cmdline(const struct vtx_ram *ram, const char *cmdline, size_t max, struct vtx_error *error)
{
	size_t len = strlen(cmdline);
	char *to = vtx_ram_at(ram, VTX_CMDLINE_ADDR, VTX_CMDLINE_MAX);

	if (max > VTX_CMDLINE_MAX - 1)
		max = VTX_CMDLINE_MAX - 1;
	if (len > max)
		return vtx_error_set(error, VTX_STATUS_IMAGE,
				     "the command line has %zu characters, the kernel takes %zu; shorten -p", len, max);
	if (!to)
		return vtx_error_set(error, VTX_STATUS_IMAGE, "guest memory is too small for a command line");
	memcpy(to, cmdline, len + 1);
	return 0;
}

static void vtx_flat_entry(uint64_t address, enum vtx_entry_mode mode, struct vtx_entry *entry)
{
	*entry = (struct vtx_entry){ .mode = mode, .rip = address, .rsp = VTX_STACK_TOP };
	if (mode != VTX_ENTRY_REAL)
		return;
	entry->rsp = VTX_REAL_STACK_TOP;
	if (address >= 0x10000) {
		entry->cs = (uint16_t)(address >> 4);
		entry->rip = address & 0xf;
	}
}

int vtx_load_flat(const struct vtx_ram *ram, const struct vtx_image *image, uint64_t address, enum vtx_entry_mode mode,
		  struct vtx_boot_result *result, struct vtx_error *error)
{
	void *to = vtx_ram_at(ram, address, image->size);

	memset(result, 0, sizeof(*result));
	if (!to)
		return vtx_error_set(error, VTX_STATUS_IMAGE,
				     "%s (%zu bytes) at 0x%llx does not lie in guest memory; choose another --flat address "
				     "or more memory with -m", image->name, image->size, (unsigned long long)address);
	if (mode == VTX_ENTRY_REAL && address >= VTX_HIGH_MEMORY)
		return vtx_error_set(error, VTX_STATUS_IMAGE,
				     "real mode cannot start at 0x%llx: choose a --flat address below 1 MiB, or "
				     "--flat-mode protected or long", (unsigned long long)address);
	if (mode != VTX_ENTRY_REAL && address >> 32)
		return vtx_error_set(error, VTX_STATUS_IMAGE,
				     "0x%llx cannot be the start: only the first 4 GiB are mapped at entry",
				     (unsigned long long)address);
	if (mode != VTX_ENTRY_REAL && address < VTX_PAGE_TABLES_END && address + image->size > VTX_GDT_ADDR)
		return vtx_error_set(error, VTX_STATUS_IMAGE,
				     "%s would cover the GDT and page tables at 0x%llx-0x%llx; choose a --flat address from "
				     "0x%llx on", image->name, VTX_GDT_ADDR, VTX_PAGE_TABLES_END - 1, VTX_PAGE_TABLES_END);
	memcpy(to, image->data, image->size);
	result->protocol = "flat image";
	result->kernel_start = address;
	result->kernel_end = address + image->size;
	vtx_flat_entry(address, mode, &result->entry);
	return vtx_boot_tables(ram, mode, error);
}

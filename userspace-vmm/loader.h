/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel images: what a file is, whether it is well formed, and how it gets into guest memory.  Loaders trust no
 * number in a file: every offset and size is checked against the file and against guest memory before use.
 */
#ifndef VTX_VMM_LOADER_H
#define VTX_VMM_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace-vmm/boot_state.h"
#include "userspace-vmm/message.h"
#include "userspace-vmm/ram.h"

/* A file in memory. */
struct vtx_image {
	const char *name;
	const uint8_t *data;
	size_t size;
};

struct vtx_boot_request {
	const struct vtx_image *kernel;
	const struct vtx_image *initrd; /* NULL: none */
	const char *cmdline;
	uint64_t rsdp; /* guest-physical address of the ACPI root pointer */
};

/* Where things went, for -v. */
struct vtx_boot_result {
	struct vtx_entry entry;
	const char *protocol;
	uint64_t kernel_start, kernel_end;
	uint64_t initrd_start;
};

/* Maps FILE read-only.  WHAT names it in messages ("kernel").  Returns 0, or -1 with ERROR filled. */
int vtx_image_open(struct vtx_image *image, const char *path, const char *what, struct vtx_error *error);
void vtx_image_close(struct vtx_image *image);

/* Looks at the first bytes and calls the loader that fits. */
int vtx_load_kernel(const struct vtx_ram *ram, const struct vtx_boot_request *request, struct vtx_boot_result *result,
		    struct vtx_error *error);

bool vtx_is_bzimage(const struct vtx_image *image);
bool vtx_is_elf(const struct vtx_image *image);

int vtx_load_bzimage(const struct vtx_ram *ram, const struct vtx_boot_request *request,
		     struct vtx_boot_result *result, struct vtx_error *error);
int vtx_load_pvh(const struct vtx_ram *ram, const struct vtx_boot_request *request, struct vtx_boot_result *result,
		 struct vtx_error *error);
int vtx_load_flat(const struct vtx_ram *ram, const struct vtx_image *image, uint64_t address, enum vtx_entry_mode mode,
		  struct vtx_boot_result *result, struct vtx_error *error);

/*
 * Common to both kernel protocols.  vtx_load_initrd() puts the initrd as high as it goes below CEILING and not
 * under FLOOR; *START stays 0 without an initrd.  vtx_load_cmdline() refuses more than MAX characters.
 */
int vtx_load_initrd(const struct vtx_ram *ram, const struct vtx_image *initrd, uint64_t floor, uint64_t ceiling,
		    uint64_t *start, struct vtx_error *error);
int vtx_load_cmdline(const struct vtx_ram *ram, const char *cmdline, size_t max, struct vtx_error *error);

#endif

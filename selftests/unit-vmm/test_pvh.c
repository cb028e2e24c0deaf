// SPDX-License-Identifier: GPL-2.0-only
/* The ELF loader: segments and the PVH structure in guest memory, and every malformed file refused. */
#include "unit.h"

#include <elf.h>
#include <stdio.h>

#include "userspace-vmm/layout.h"
#include "userspace-vmm/loader.h"

#define ENTRY 0x1000100ULL

/* A kernel with one segment of code, one of data with a zero tail, and the note. */
struct file {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr[3];
	struct {
		Elf64_Nhdr header;
		char name[4];
		uint64_t entry;
	} note;
	uint8_t text[512];
	uint8_t data[64];
};

struct fixture {
	struct vtx_ram *ram;
	struct file *file;
	struct vtx_image kernel, initrd;
	struct vtx_boot_request request;
	struct vtx_boot_result result;
	struct vtx_error error;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct file *file = calloc(1, sizeof(*file));

	f->ram = test_ram_new(32 * MIB);
	f->file = file;
	memcpy(file->ehdr.e_ident, ELFMAG, SELFMAG);
	file->ehdr.e_ident[EI_CLASS] = ELFCLASS64;
	file->ehdr.e_ident[EI_DATA] = ELFDATA2LSB;
	file->ehdr.e_ident[EI_VERSION] = EV_CURRENT;
	file->ehdr.e_type = ET_EXEC;
	file->ehdr.e_machine = EM_X86_64;
	file->ehdr.e_version = EV_CURRENT;
	file->ehdr.e_phoff = offsetof(struct file, phdr);
	file->ehdr.e_ehsize = sizeof(Elf64_Ehdr);
	file->ehdr.e_phentsize = sizeof(Elf64_Phdr);
	file->ehdr.e_phnum = 3;
	file->phdr[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_offset = offsetof(struct file, text), .p_paddr = 0x1000000,
				      .p_filesz = 512, .p_memsz = 512 };
	file->phdr[1] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_offset = offsetof(struct file, data), .p_paddr = 0x1200000,
				      .p_filesz = 64, .p_memsz = 0x10000 };
	file->phdr[2] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = offsetof(struct file, note),
				      .p_filesz = sizeof(file->note), .p_memsz = sizeof(file->note), .p_align = 4 };
	file->note.header = (Elf64_Nhdr){ .n_namesz = 4, .n_descsz = 8, .n_type = 18 };
	memcpy(file->note.name, "Xen", 4);
	file->note.entry = ENTRY;
	memset(file->text, 0x90, sizeof(file->text));
	memset(file->data, 0xdd, sizeof(file->data));
	f->kernel = (struct vtx_image){ "test-elf", (uint8_t *)file, sizeof(*file) };
	f->initrd = (struct vtx_image){ "test-initrd", (const uint8_t *)"initrd", 6 };
	f->request = (struct vtx_boot_request){ .kernel = &f->kernel, .initrd = &f->initrd, .cmdline = "x y",
						.rsdp = 0xe0000 };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	test_ram_free(f->ram);
	free(f->file);
	free(f);
	return 0;
}

static void refused(struct fixture *f, const char *part)
{
	assert_int_equal(vtx_load_kernel(f->ram, &f->request, &f->result, &f->error), -1);
	assert_int_equal(f->error.status, VTX_STATUS_IMAGE);
	if (!strstr(f->error.text, part))
		fail_msg("expected \"%s\" in \"%s\"", part, f->error.text);
	assert_int_equal(*(uint8_t *)vtx_ram_at(f->ram, 0x1000000, 1), 0);
}

static void test_loads(void **state)
{
	struct fixture *f = *state;
	const uint8_t *info;

	memset(vtx_ram_at(f->ram, 0x1200000, 0x10000), 0x55, 0x10000); /* the tail must become zero */
	assert_int_equal(vtx_load_kernel(f->ram, &f->request, &f->result, &f->error), 0);
	assert_int_equal(f->result.entry.mode, VTX_ENTRY_PROTECTED);
	assert_int_equal(f->result.entry.rip, ENTRY);
	assert_int_equal(f->result.entry.rbx, VTX_PVH_INFO_ADDR);
	assert_memory_equal(vtx_ram_at(f->ram, 0x1000000, 512), f->file->text, 512);
	assert_int_equal(*(uint8_t *)vtx_ram_at(f->ram, 0x1200000 + 63, 1), 0xdd);
	assert_int_equal(*(uint8_t *)vtx_ram_at(f->ram, 0x1200000 + 64, 1), 0);
	assert_int_equal(*(uint8_t *)vtx_ram_at(f->ram, 0x120ffff, 1), 0);
	info = vtx_ram_at(f->ram, VTX_PVH_INFO_ADDR, 56);
	assert_int_equal(test_get(info, 4), 0x336ec578);
	assert_int_equal(test_get(info + 4, 4), 1);
	assert_int_equal(test_get(info + 12, 4), 1);
	assert_string_equal(vtx_ram_at(f->ram, test_get(info + 24, 8), 4), "x y");
	assert_int_equal(test_get(info + 32, 8), 0xe0000);
	assert_int_equal(test_get(info + 48, 4), 5);
	info = vtx_ram_at(f->ram, test_get(info + 16, 8), 16);
	assert_memory_equal(vtx_ram_at(f->ram, test_get(info, 8), 6), "initrd", 6);
	assert_int_equal(test_get(info + 8, 8), 6);
	info = vtx_ram_at(f->ram, VTX_PVH_INFO_ADDR, 56);
	info = vtx_ram_at(f->ram, test_get(info + 40, 8), 24 * 5);
	assert_int_equal(test_get(info + 24 * 3, 8), 0x100000);
	assert_int_equal(test_get(info + 24 * 3 + 8, 8), 31 * MIB);
	assert_int_equal(test_get(info + 24 * 3 + 16, 4), 1);
}

static void test_32_bit_entry_note(void **state)
{
	struct fixture *f = *state;

	f->file->note.header.n_descsz = 4;
	f->file->phdr[2].p_filesz = sizeof(f->file->note) - 4;
	assert_int_equal(vtx_load_kernel(f->ram, &f->request, &f->result, &f->error), 0);
	assert_int_equal(f->result.entry.rip, ENTRY);
}

static void test_segments(void **state)
{
	struct fixture *f = *state;
	Elf64_Phdr good = f->file->phdr[1], *p = &f->file->phdr[1];

	p->p_offset = UINT64_MAX - 10;
	refused(f, "past the end");
	*p = good;
	p->p_filesz = UINT64_MAX;
	refused(f, "past the end");
	*p = good;
	p->p_filesz = 65;
	refused(f, "past the end");
	*p = good;
	p->p_memsz = 63;
	refused(f, "larger in the file");
	*p = good;
	p->p_memsz = UINT64_MAX - 0x1000;
	refused(f, "does not fit");
	*p = good;
	p->p_paddr = UINT64_MAX - 0x7fff;
	refused(f, "does not fit");
	*p = good;
	p->p_paddr = 32 * MIB - 0xffff;
	refused(f, "does not fit");
	*p = good;
	p->p_paddr = 0x7000;
	refused(f, "below 1 MiB");
	*p = good;
	f->file->phdr[0].p_type = f->file->phdr[1].p_type = PT_NULL;
	refused(f, "nothing to load");
}

static void test_headers(void **state)
{
	struct fixture *f = *state;
	Elf64_Ehdr good = f->file->ehdr;

	f->file->ehdr.e_machine = EM_AARCH64;
	refused(f, "not for x86");
	f->file->ehdr = good;
	f->file->ehdr.e_ident[EI_DATA] = ELFDATA2MSB;
	refused(f, "not a usable ELF");
	f->file->ehdr = good;
	f->file->ehdr.e_ident[EI_CLASS] = 9;
	refused(f, "not a usable ELF");
	f->file->ehdr = good;
	f->file->ehdr.e_phnum = 0;
	refused(f, "no program headers");
	f->file->ehdr = good;
	f->file->ehdr.e_phnum = 60000;
	refused(f, "not a usable ELF");
	f->file->ehdr = good;
	f->file->ehdr.e_phoff = UINT64_MAX - 8;
	refused(f, "not a usable ELF");
}

static void test_notes(void **state)
{
	struct fixture *f = *state;

	f->file->note.entry = 0x2000000;
	refused(f, "outside");
	f->file->note.entry = ENTRY;
	f->file->note.header.n_type = 17;
	refused(f, "CONFIG_PVH");
	f->file->note.header.n_type = 18;
	f->file->note.header.n_descsz = 0xffffffff;
	refused(f, "CONFIG_PVH");
	f->file->note.header.n_descsz = 8;
	f->file->note.header.n_namesz = 0xffffffff;
	refused(f, "CONFIG_PVH");
	f->file->note.header.n_namesz = 4;
	f->file->phdr[2].p_filesz = 13;
	refused(f, "CONFIG_PVH");
}

static void test_truncated_anywhere(void **state)
{
	struct fixture *f = *state;

	for (size_t size = 1; size < sizeof(struct file); size++) {
		uint8_t *part = malloc(size);

		memcpy(part, f->file, size);
		f->kernel.data = part;
		f->kernel.size = size;
		assert_int_equal(vtx_load_kernel(f->ram, &f->request, &f->result, &f->error), -1);
		free(part);
	}
}

static void test_random_damage(void **state)
{
	struct fixture *f = *state;
	uint8_t *bytes = (uint8_t *)f->file;
	struct file good = *f->file;

	srand(2);
	for (unsigned int i = 0; i < 20000; i++) {
		unsigned int n = 1 + (unsigned int)rand() % 4;

		while (n--)
			bytes[4 + (unsigned int)rand() % (offsetof(struct file, text) - 4)] = (uint8_t)rand();
		vtx_load_kernel(f->ram, &f->request, &f->result, &f->error);
		*f->file = good;
	}
}

static void test_flat(void **state)
{
	struct fixture *f = *state;
	struct vtx_image image = { "flat", (const uint8_t *)"\xf4\xf4", 2 };

	assert_int_equal(vtx_load_flat(f->ram, &image, 0x7c00, VTX_ENTRY_REAL, &f->result, &f->error), 0);
	assert_int_equal(f->result.entry.cs, 0);
	assert_int_equal(f->result.entry.rip, 0x7c00);
	assert_int_equal(vtx_load_flat(f->ram, &image, 0x12345, VTX_ENTRY_REAL, &f->result, &f->error), 0);
	assert_int_equal(f->result.entry.cs, 0x1234);
	assert_int_equal(f->result.entry.rip, 5);
	assert_int_equal(vtx_load_flat(f->ram, &image, 0x100000, VTX_ENTRY_REAL, &f->result, &f->error), -1);
	assert_int_equal(vtx_load_flat(f->ram, &image, 0x100000, VTX_ENTRY_LONG, &f->result, &f->error), 0);
	assert_int_equal(f->result.entry.rip, 0x100000);
	assert_int_equal(vtx_load_flat(f->ram, &image, 0x4ff, VTX_ENTRY_LONG, &f->result, &f->error), -1);
	assert_int_equal(vtx_load_flat(f->ram, &image, 0xefff, VTX_ENTRY_PROTECTED, &f->result, &f->error), -1);
	assert_int_equal(vtx_load_flat(f->ram, &image, 0xf000, VTX_ENTRY_PROTECTED, &f->result, &f->error), 0);
	assert_int_equal(vtx_load_flat(f->ram, &image, 0x4fe, VTX_ENTRY_PROTECTED, &f->result, &f->error), 0);
	assert_int_equal(vtx_load_flat(f->ram, &image, 32 * MIB - 2, VTX_ENTRY_LONG, &f->result, &f->error), 0);
	assert_int_equal(vtx_load_flat(f->ram, &image, 32 * MIB - 1, VTX_ENTRY_LONG, &f->result, &f->error), -1);
	assert_int_equal(vtx_load_flat(f->ram, &image, UINT64_MAX, VTX_ENTRY_LONG, &f->result, &f->error), -1);
}

static void test_neither(void **state)
{
	struct fixture *f = *state;

	f->kernel = (struct vtx_image){ "text", (const uint8_t *)"hello", 5 };
	refused(f, "--flat");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_loads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_32_bit_entry_note, setup, teardown),
		cmocka_unit_test_setup_teardown(test_segments, setup, teardown),
		cmocka_unit_test_setup_teardown(test_headers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_notes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_truncated_anywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flat, setup, teardown),
		cmocka_unit_test_setup_teardown(test_neither, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

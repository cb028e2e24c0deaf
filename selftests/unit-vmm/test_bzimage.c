// SPDX-License-Identifier: GPL-2.0-only
/* The bzImage loader: where things go, what the zero page says, and every malformed file refused. */
#include "unit.h"

#include <stdio.h>
#include <asm/bootparam.h>

#include "userspace-vmm/layout.h"
#include "userspace-vmm/loader.h"

#define SETUP (5 * 512)
#define PAYLOAD 8192
#define PREF 0x1000000ULL
#define INIT_SIZE 0x800000

struct fixture {
	struct vtx_ram *ram;
	uint8_t *file;
	struct vtx_image kernel, initrd;
	struct vtx_boot_request request;
	struct vtx_boot_result result;
	struct vtx_error error;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct setup_header header = {
		.setup_sects = 4, .syssize = PAYLOAD / 16, .boot_flag = 0xaa55, .jump = 0x66eb, .header = 0x53726448,
		.version = 0x20f, .loadflags = LOADED_HIGH, .initrd_addr_max = 0x7fffffff, .kernel_alignment = 0x200000,
		.relocatable_kernel = 1, .xloadflags = XLF_KERNEL_64, .cmdline_size = 2047, .pref_address = PREF,
		.init_size = INIT_SIZE,
	};

	f->ram = test_ram_new(64 * MIB);
	f->file = malloc(SETUP + PAYLOAD);
	memset(f->file, 0, SETUP);
	for (unsigned int i = 0; i < PAYLOAD; i++)
		f->file[SETUP + i] = (uint8_t)(i * 7);
	memcpy(f->file + 0x1f1, &header, sizeof(header));
	f->kernel = (struct vtx_image){ "test-kernel", f->file, SETUP + PAYLOAD };
	f->initrd = (struct vtx_image){ "test-initrd", (const uint8_t *)"initrd", 6 };
	f->request = (struct vtx_boot_request){ .kernel = &f->kernel, .initrd = &f->initrd, .cmdline = "a=b", .rsdp = 0xe0000 };
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

static struct setup_header *header(struct fixture *f)
{
	return (struct setup_header *)(f->file + 0x1f1);
}

static void refused(struct fixture *f, const char *part)
{
	uint8_t *before = vtx_ram_at(f->ram, PREF, 1);

	assert_int_equal(vtx_load_kernel(f->ram, &f->request, &f->result, &f->error), -1);
	assert_int_equal(f->error.status, VTX_STATUS_IMAGE);
	if (!strstr(f->error.text, part))
		fail_msg("expected \"%s\" in \"%s\"", part, f->error.text);
	assert_int_equal(*before, 0);
}

static void test_loads(void **state)
{
	struct fixture *f = *state;
	const struct boot_params *bp;

	assert_int_equal(vtx_load_kernel(f->ram, &f->request, &f->result, &f->error), 0);
	assert_memory_equal(vtx_ram_at(f->ram, PREF, PAYLOAD), f->file + SETUP, PAYLOAD);
	assert_int_equal(f->result.entry.mode, VTX_ENTRY_LONG);
	assert_int_equal(f->result.entry.rip, PREF + 0x200);
	assert_int_equal(f->result.entry.rsi, VTX_ZERO_PAGE_ADDR);
	bp = vtx_ram_at(f->ram, VTX_ZERO_PAGE_ADDR, sizeof(*bp));
	assert_int_equal(bp->hdr.header, 0x53726448);
	assert_int_equal(bp->hdr.boot_flag, 0xaa55);
	assert_int_equal(bp->hdr.type_of_loader, 0xff);
	assert_int_equal(bp->hdr.cmd_line_ptr, VTX_CMDLINE_ADDR);
	assert_string_equal(vtx_ram_at(f->ram, VTX_CMDLINE_ADDR, 4), "a=b");
	assert_int_equal(bp->hdr.ramdisk_size, 6);
	assert_int_equal(bp->hdr.ramdisk_image, 64 * MIB - 4096);
	assert_memory_equal(vtx_ram_at(f->ram, bp->hdr.ramdisk_image, 6), "initrd", 6);
	assert_int_equal(bp->acpi_rsdp_addr, 0xe0000);
	assert_int_equal(bp->e820_entries, 5);
	assert_int_equal(bp->e820_table[0].size, VTX_EBDA_ADDR);
	assert_int_equal(bp->e820_table[3].addr, 0x100000);
	assert_int_equal(bp->e820_table[3].size, 63 * MIB);
	assert_int_equal(bp->alt_mem_k, 63 * 1024);
}

static void test_no_initrd(void **state)
{
	struct fixture *f = *state;
	const struct boot_params *bp;

	f->request.initrd = NULL;
	assert_int_equal(vtx_load_kernel(f->ram, &f->request, &f->result, &f->error), 0);
	bp = vtx_ram_at(f->ram, VTX_ZERO_PAGE_ADDR, sizeof(*bp));
	assert_int_equal(bp->hdr.ramdisk_size, 0);
	assert_int_equal(bp->hdr.ramdisk_image, 0);
}

static void test_initrd_below_its_limit(void **state)
{
	struct fixture *f = *state;

	header(f)->initrd_addr_max = 40 * MIB - 1;
	assert_int_equal(vtx_load_kernel(f->ram, &f->request, &f->result, &f->error), 0);
	assert_int_equal(f->result.initrd_start, 40 * MIB - 4096);
	header(f)->initrd_addr_max = 0; /* nothing goes below address 1 */
	assert_int_equal(vtx_load_kernel(f->ram, &f->request, &f->result, &f->error), -1);
	header(f)->initrd_addr_max = 0xffffffff;
	assert_int_equal(vtx_load_kernel(f->ram, &f->request, &f->result, &f->error), 0);
}

static void test_truncated_anywhere(void **state)
{
	struct fixture *f = *state;

	/* Each prefix in its own allocation: ASan sees a read behind its end. */
	for (size_t size = 1; size < SETUP + PAYLOAD; size += size < 0x300 ? 1 : 97) {
		uint8_t *part = malloc(size);

		memcpy(part, f->file, size);
		f->kernel.data = part;
		f->kernel.size = size;
		assert_int_equal(vtx_load_kernel(f->ram, &f->request, &f->result, &f->error), -1);
		assert_int_equal(f->error.status, VTX_STATUS_IMAGE);
		free(part);
	}
	f->kernel.data = f->file;
}

static void test_header_fields(void **state)
{
	struct fixture *f = *state;
	struct setup_header good = *header(f);

	header(f)->header = 0;
	refused(f, "HdrS");
	*header(f) = good;
	header(f)->boot_flag = 0;
	refused(f, "0xaa55");
	*header(f) = good;
	header(f)->version = 0x20b;
	refused(f, "64-bit");
	*header(f) = good;
	header(f)->xloadflags = 0;
	refused(f, "64-bit");
	*header(f) = good;
	header(f)->loadflags = 0;
	refused(f, "zImage");
	*header(f) = good;
	header(f)->syssize = 0xffffffff;
	refused(f, "truncated");
	*header(f) = good;
	header(f)->syssize = PAYLOAD / 16 + 1;
	refused(f, "truncated");
	*header(f) = good;
	header(f)->syssize = 0;
	refused(f, "too short");
	*header(f) = good;
	header(f)->setup_sects = 255;
	refused(f, "truncated");
	*header(f) = good;
	header(f)->init_size = PAYLOAD - 1;
	refused(f, "init_size");
	*header(f) = good;
	header(f)->init_size = 0xffffffff;
	refused(f, "needs memory");
	*header(f) = good;
	header(f)->init_size = 48 * MIB + 1;
	refused(f, "needs memory");
	*header(f) = good;
	header(f)->pref_address = 0x8000;
	refused(f, "preferred address");
	*header(f) = good;
	header(f)->pref_address = UINT64_MAX - 0xfff;
	refused(f, "preferred address");
	*header(f) = good;
	header(f)->pref_address = PREF + 1;
	refused(f, "preferred address");
	*header(f) = good;
	header(f)->cmdline_size = 2;
	refused(f, "command line");
	*header(f) = good;
}

static void test_initrd_does_not_fit(void **state)
{
	struct fixture *f = *state;
	size_t room = 64 * MIB - PREF - INIT_SIZE;
	uint8_t *big = calloc(1, room + 1);

	f->initrd = (struct vtx_image){ "big", big, room + 1 };
	refused(f, "does not fit");
	f->initrd.size = room;
	assert_int_equal(vtx_load_kernel(f->ram, &f->request, &f->result, &f->error), 0);
	assert_int_equal(f->result.initrd_start, PREF + INIT_SIZE);
	free(big);
}

static void test_short_old_header(void **state)
{
	struct fixture *f = *state;

	/* A header that ends before init_size: the rest of the file's first page is no header. */
	f->file[0x201] = 0x30;
	assert_int_equal(vtx_load_kernel(f->ram, &f->request, &f->result, &f->error), -1);
}

/* Random damage: any answer will do as long as nothing is touched that should not be (ASan). */
static void test_random_damage(void **state)
{
	struct fixture *f = *state;
	uint8_t good[0x80];

	memcpy(good, f->file + 0x1f1, sizeof(good));
	srand(1);
	for (unsigned int i = 0; i < 20000; i++) {
		unsigned int n = 1 + (unsigned int)rand() % 4;

		while (n--)
			f->file[0x1f1 + (unsigned int)rand() % sizeof(good)] = (uint8_t)rand();
		if (rand() % 4)
			memcpy(f->file + 0x1fe, good + 0xd, 8); /* keep the magic, to get further */
		vtx_load_kernel(f->ram, &f->request, &f->result, &f->error);
		memcpy(f->file + 0x1f1, good, sizeof(good));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_loads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_initrd, setup, teardown),
		cmocka_unit_test_setup_teardown(test_initrd_below_its_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_truncated_anywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_header_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(test_initrd_does_not_fit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_short_old_header, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random_damage, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

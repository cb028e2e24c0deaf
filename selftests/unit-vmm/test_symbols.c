// SPDX-License-Identifier: GPL-2.0-only
/* Symbols and code from System.map and ELF, and files that are neither; disassembly. */
#include "trace_unit.h"

#include "userspace-vmm/disassemble.h"
#include "userspace-vmm/symbols.h"

static struct vtx_symbols s;
static struct vtx_error error;
static char name[128];

static const char map[] =
	"0000000000000000 D __per_cpu_start\n"
	"ffffffff81000000 T startup_64\n"
	"ffffffff81000100 t secondary\n"
	"ffffffff81000100 t alias_of_secondary\n"
	"ffffffff81000200 D not_code\n"
	"ffffffff81000300 W weak_one\r\n"
	"ffffffffc0000000 t module_function\t[mod]\n"
	"garbage\n"
	"ffffffff81000400\n"
	"ffffffff81000050 T in_disorder\n"
	"ffffffff81000500 T last_without_newline";

static const char *name_of(uint64_t address)
{
	if (!vtx_symbols_name(&s, address, name, sizeof(name)))
		assert_string_equal(name, "");
	return name;
}

static void test_system_map(void **state)
{
	(void)state;
	assert_int_equal(vtx_symbols_open(&s, test_file("System.map", map, sizeof(map) - 1), &error), 0);
	assert_string_equal(name_of(0xffffffff81000000), "startup_64");
	assert_string_equal(name_of(0xffffffff8100004f), "startup_64+0x4f");
	assert_string_equal(name_of(0xffffffff81000050), "in_disorder");
	assert_string_equal(name_of(0xffffffff81000212), "alias_of_secondary+0x112");
	assert_string_equal(name_of(0xffffffff81000300), "weak_one");
	assert_string_equal(name_of(0xffffffff81000510), "last_without_newline+0x10");
	assert_string_equal(name_of(0xffffffffc0000001), "module_function+0x1");
	assert_string_equal(name_of(0xffffffff80ffffff), "");
	assert_string_equal(name_of(0xffffffff91000000), "");
	assert_string_equal(name_of(0), "");
	s.offset = 0x1e00000;
	assert_string_equal(name_of(0xffffffff81000000 + 0x1e00000 + 1), "startup_64+0x1");
	assert_string_equal(name_of(0xffffffff81000001), "");
	assert_int_equal(vtx_symbols_code(&s, 0xffffffff81000000, (uint8_t *)name, 4), 0);
	vtx_symbols_close(&s);
	assert_false(vtx_symbols_name(NULL, 1, name, sizeof(name)));
}

extern const char __executable_start[]; /* from the linker: where the file's offset 0 is in memory */

/* This program itself: its symbols, and the bytes that the processor executes. */
static void test_elf(void **state)
{
	uint8_t bytes[16];
	uint64_t load = (uintptr_t)__executable_start;

	(void)state;
	assert_int_equal(vtx_symbols_open(&s, "/proc/self/exe", &error), 0);
	s.offset = load;
	assert_string_equal(name_of((uintptr_t)vtx_symbols_open), "vtx_symbols_open");
	assert_string_equal(name_of((uintptr_t)vtx_symbols_open + 5), "vtx_symbols_open+0x5");
	assert_int_equal(vtx_symbols_code(&s, (uintptr_t)vtx_symbols_open, bytes, sizeof(bytes)), sizeof(bytes));
	assert_memory_equal(bytes, (void *)(uintptr_t)vtx_symbols_open, sizeof(bytes));
	assert_int_equal(vtx_symbols_code(&s, load - 1, bytes, sizeof(bytes)), 0);
	vtx_symbols_close(&s);
}

static void refused(const void *data, size_t size)
{
	error.text[0] = '\0';
	assert_int_equal(vtx_symbols_open(&s, test_file("bad", data, size), &error), -1);
	assert_int_equal(error.status, VTX_STATUS_IMAGE);
	assert_true(error.text[0]);
	vtx_symbols_close(&s);
}

static void test_refused(void **state)
{
	(void)state;
	refused("nothing", 7);
	refused("ffffffff81000200 D not_code\n", 28);
	refused("\177ELF", 4);
	assert_int_equal(vtx_symbols_open(&s, test_path("none"), &error), -1);
	vtx_symbols_close(&s);
}

/* This program with bytes changed and cut off: an answer or a refusal, nothing else. */
static void test_damaged_elf(void **state)
{
	FILE *self = fopen("/proc/self/exe", "r");
	uint32_t seed = 7;
	uint8_t *data;
	size_t size;

	(void)state;
	assert_non_null(self);
	fseek(self, 0, SEEK_END);
	size = (size_t)ftell(self);
	rewind(self);
	data = malloc(size);
	assert_int_equal(fread(data, 1, size, self), size);
	fclose(self);
	for (int i = 0; i < 300; i++) {
		uint8_t *copy = malloc(size);
		size_t sections, cut = i % 3 ? size : size / 2 + test_random(&seed) % (size / 2);

		memcpy(copy, data, size);
		memcpy(&sections, copy + 0x28, sizeof(sections));
		for (int n = 0; n < 8; n++) {
			size_t at = n & 1 ? sections + test_random(&seed) % (size - sections) : test_random(&seed) % 64;

			if (at > 4 && at < size)
				copy[at] = (uint8_t)test_random(&seed);
		}
		if (!vtx_symbols_open(&s, test_file("damaged", copy, cut), &error)) {
			uint8_t bytes[15];

			name_of(0x1000 + test_random(&seed));
			vtx_symbols_code(&s, 0x1000 + test_random(&seed), bytes, sizeof(bytes));
		}
		vtx_symbols_close(&s);
		free(copy);
	}
	free(data);
}

static void test_random_map(void **state)
{
	static const char letters[] = "0123456789abcdef TtD\n\r\t\0x";
	uint32_t seed = 3;

	(void)state;
	for (int i = 0; i < 300; i++) {
		char text[512];

		for (size_t n = 0; n < sizeof(text); n++)
			text[n] = letters[test_random(&seed) % (sizeof(letters) - 1)];
		if (!vtx_symbols_open(&s, test_file("random", text, sizeof(text)), &error))
			for (int n = 0; n < 20; n++)
				name_of(test_random(&seed));
		vtx_symbols_close(&s);
	}
}

static void test_disassemble(void **state)
{
	static const uint8_t cpuid[] = { 0x0f, 0xa2 }, jump[] = { 0xe9, 0x10, 0, 0, 0 }, wrong[] = { 0x06 };

	(void)state;
	assert_true(vtx_can_disassemble());
	assert_int_equal(vtx_disassemble(cpuid, 2, 64, 0, name, sizeof(name)), 2);
	assert_string_equal(name, "cpuid");
	assert_int_equal(vtx_disassemble(jump, 5, 64, 0x1000, name, sizeof(name)), 5);
	assert_non_null(strstr(name, "1015"));
	assert_int_equal(vtx_disassemble(jump, 5, 16, 0x1000, name, sizeof(name)), 3);
	assert_int_equal(vtx_disassemble(wrong, 1, 64, 0, name, sizeof(name)), 0);
	assert_int_equal(vtx_disassemble(wrong, 1, 32, 0, name, sizeof(name)), 1);
	assert_int_equal(vtx_disassemble(cpuid, 1, 64, 0, name, sizeof(name)), 0);
	assert_int_equal(vtx_disassemble(cpuid, 0, 64, 0, name, sizeof(name)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_system_map),  cmocka_unit_test(test_elf),		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_damaged_elf), cmocka_unit_test(test_random_map), cmocka_unit_test(test_disassemble),
	};

	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}

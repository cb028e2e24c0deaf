// SPDX-License-Identifier: GPL-2.0-only
/* `vtx trace`: its command line, its sources with good and bad files, its three forms of output. */
#include "trace_unit.h"

#include <asm/vmx.h>

#include "userspace-vmm/debugfs_vm.h"
#include "userspace-vmm/ring.h"
#include "userspace-vmm/trace_format.h"
#include "userspace-vmm/trace_options.h"
#include "userspace-vmm/trace_source.h"

static struct vtx_error error;
static struct vtx_trace_options o;

/* ------------------------------------------------------------------ options */

static int parse(const char *line)
{
	static char buffer[1024];
	char *argv[32], *save = NULL;
	int argc = 0;

	memset(&error, 0, sizeof(error));
	snprintf(buffer, sizeof(buffer), "%s", line);
	for (char *p = strtok_r(buffer, " ", &save); p && argc < 31; p = strtok_r(NULL, " ", &save))
		argv[argc++] = p;
	argv[argc] = NULL;
	return vtx_trace_options_parse(&o, argc, argv, &error);
}

static void test_options(void **state)
{
	struct vtx_trace_entry e = { .vcpu_id = 1, .record.reason = EXIT_REASON_HLT };

	(void)state;
	assert_int_equal(parse("trace"), 0);
	assert_null(o.vm);
	assert_true(vtx_trace_wanted(&o, &e));
	assert_int_equal(parse("trace 12-3 --vcpu 1 --reason hlt --reason CPUID --count 5 -s map --kaslr 0x1000 -f json"), 0);
	assert_string_equal(o.vm, "12-3");
	assert_int_equal(o.style, VTX_TRACE_JSON);
	assert_int_equal(o.count, 5);
	assert_int_equal(o.kaslr, 0x1000);
	assert_true(vtx_trace_wanted(&o, &e));
	e.vcpu_id = 0;
	assert_false(vtx_trace_wanted(&o, &e));
	e = (struct vtx_trace_entry){ .vcpu_id = 1, .record.reason = EXIT_REASON_VMCALL };
	assert_false(vtx_trace_wanted(&o, &e));
	e.record.reason = ~0U;
	assert_false(vtx_trace_wanted(&o, &e));
	assert_int_equal(parse("trace --reason entry_failed"), 0);
	assert_true(vtx_trace_wanted(&o, &e));
}

static void test_options_refused(void **state)
{
	static const char *const cases[][2] = {
		{ "trace a b", "b" },		{ "trace -i f vm", "vm" },	   { "trace -f xml", "xml" },
		{ "trace --reason NO", "NO" },	{ "trace --vcpu -1", "--vcpu" },   { "trace --vcpu 65536", "65536" },
		{ "trace --count x", "x" },	{ "trace --zzz", "--zzz" },	   { "trace -i", "-i needs" },
		{ "trace -d", "--symbols" },	{ "trace -i f --filter x", "--filter" }, { "trace -w f -f json", "-w" },
		{ "trace --tsc-khz 4294967296", "--tsc-khz" },
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(cases[i][0]), -1);
		assert_int_equal(error.status, VTX_STATUS_USAGE);
		test_contains(error.text, cases[i][1]);
	}
}

/* ------------------------------------------------------------------ sources */

/* Reads all of a file.  Returns the number of entries, or -1. */
static int read_all(const char *path, struct vtx_trace_source *source, struct vtx_trace_entry *last)
{
	struct vtx_trace_entry entry;
	int n = 0, result;

	vtx_trace_source_init(source, open(path, O_RDONLY | O_CLOEXEC), path);
	assert_true(source->fd >= 0);
	while ((result = vtx_trace_next(source, &entry, &error)) == VTX_TRACE_ENTRY) {
		n++;
		if (last)
			*last = entry;
	}
	assert_int_not_equal(result, VTX_TRACE_WAIT);
	vtx_trace_source_close(source);
	return result == VTX_TRACE_END ? n : -1;
}

static struct vtx_trace_entry sample(unsigned int n)
{
	return (struct vtx_trace_entry){
		.vcpu_id = n % 2, .lost = n == 3 ? 7 : 0,
		.record = { .tsc = 5000000 + n * 2000, .rip = 0xffffffff81000000 + n, .reason = n % 64, .info = n,
			    .ticks = n == 4 ? ~0U : 100 + n, .by = n == 4 ? VTX_BY_SLOW : n % 4, .seq = n, .cs = 0x10, .injected = n == 5 ? 0x800000ec : 0,
			    .vectoring = n == 6 ? 0x80000b0e : 0 },
	};
}

static void test_raw_entries(void **state)
{
	static struct vtx_trace_entry entries[1000];
	struct vtx_trace_source source;
	struct vtx_trace_entry last;
	struct {
		struct vtx_trace_file header;
		struct vtx_trace_entry entry[3];
	} file = { .header = { VTX_TRACE_FILE_MAGIC, VTX_TRACE_FILE_VERSION, sizeof(struct vtx_trace_entry), 2000000 } };

	(void)state;
	for (unsigned int i = 0; i < 1000; i++)
		entries[i] = sample(i);
	memcpy(file.entry, entries, sizeof(file.entry));
	assert_int_equal(read_all(test_file("raw", entries, sizeof(entries)), &source, &last), 1000);
	assert_memory_equal(&last, &entries[999], sizeof(last));
	assert_int_equal(source.tsc_khz, 0);
	assert_int_equal(read_all(test_file("raw", &file, sizeof(file)), &source, &last), 3);
	assert_memory_equal(&last, &entries[2], sizeof(last));
	assert_int_equal(source.tsc_khz, 2000000);
	assert_int_equal(read_all(test_file("raw", &file, sizeof(file.header)), &source, NULL), 0);
	assert_int_equal(read_all(test_file("raw", "", 0), &source, NULL), 0);
	for (size_t cut = 1; cut < sizeof(file); cut++) {
		int whole = cut < sizeof(file.header) ? -1 : (int)((cut - sizeof(file.header)) / sizeof(file.entry[0]));

		if ((cut - sizeof(file.header)) % sizeof(file.entry[0]) || cut < sizeof(file.header))
			whole = -1;
		assert_int_equal(read_all(test_file("raw", &file, cut), &source, NULL), whole);
		assert_true(whole >= 0 || error.status == VTX_STATUS_IMAGE);
	}
	file.header.version = 9;
	assert_int_equal(read_all(test_file("raw", &file, sizeof(file)), &source, NULL), -1);
	test_contains(error.text, "version 9");
	entries[500].record.by = 9;
	assert_int_equal(read_all(test_file("raw", entries, sizeof(entries)), &source, NULL), -1);
	test_contains(error.text, "offset 36000");
}

static void test_recorder(void **state)
{
	struct vtx_trace_source source;
	struct vtx_trace_entry last;
	uint8_t *ring;
	size_t size;

	(void)state;
	ring = test_ring_new(64, 1000, &size);
	assert_int_equal(read_all(test_file("ring", ring, size), &source, &last), 64);
	assert_int_equal(last.record.seq, 999);
	assert_int_equal(last.vcpu_id, 3);
	assert_int_equal(source.tsc_khz, 1000000);
	memset(ring + 4096 + 10 * sizeof(struct vtx_record), 0xff, sizeof(struct vtx_record)); /* overtaken while it was copied */
	assert_int_equal(read_all(test_file("ring", ring, size), &source, &last), 63);
	assert_int_equal(read_all(test_file("ring", ring, size - 1), &source, &last), -1);
	test_contains(error.text, "cut short");
	assert_int_equal(read_all(test_file("ring", ring, 100), &source, &last), -1);
	test_put(ring + offsetof(struct vtx_ring, version), 2, 4);
	assert_int_equal(read_all(test_file("ring", ring, size), &source, &last), -1);
	test_contains(error.text, "version 2");
	test_put(ring + offsetof(struct vtx_ring, records), 0xffffffff, 4);
	assert_int_equal(read_all(test_file("ring", ring, size), &source, &last), -1);
	free(ring);
	ring = test_ring_new(64, 5, &size);
	assert_int_equal(read_all(test_file("ring", ring, size), &source, &last), 5);
	assert_int_equal(last.record.seq, 4);
	free(ring);
	ring = test_ring_new(64, 0, &size);
	assert_int_equal(read_all(test_file("ring", ring, size), &source, &last), 0);
	free(ring);
}

/* Headers that promise anything, entries of any bits: refused or read, under ASan. */
static void test_garbage(void **state)
{
	struct vtx_trace_source source;
	uint32_t seed = 5;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		size_t size = test_random(&seed) % 8192;
		uint8_t data[8192];

		for (size_t n = 0; n < size; n++)
			data[n] = (uint8_t)test_random(&seed);
		if (size > 64 && i % 2) {
			test_put(data, i % 4 == 1 ? VTX_RING_MAGIC : VTX_TRACE_FILE_MAGIC, 4);
			test_put(data + 4, 1, 4);
			test_put(data + 8, i % 4 == 1 ? test_random(&seed) % 128 : sizeof(struct vtx_trace_entry), 4);
			if (i % 4 == 1)
				test_put(data + 12, sizeof(struct vtx_record), 4);
			if (i % 8 == 1)
				test_put(data + offsetof(struct vtx_ring, data_offset), test_random(&seed) % 8192, 4);
		}
		read_all(test_file("garbage", data, size), &source, NULL);
	}
}

/* ------------------------------------------------------------------ output */

static char *format(enum vtx_trace_style style, uint32_t khz, unsigned int entries, const struct vtx_symbols *symbols)
{
	static struct vtx_trace_format f;
	char *text = NULL;
	size_t size;

	f = (struct vtx_trace_format){ .style = style, .tsc_khz = khz, .symbols = symbols, .disassemble = symbols };
	f.out = open_memstream(&text, &size);
	vtx_trace_begin(&f);
	for (unsigned int i = 0; i < entries; i++) {
		struct vtx_trace_entry e = sample(i);

		vtx_trace_entry(&f, &e);
	}
	vtx_trace_end(&f);
	fclose(f.out);
	return text;
}

static void test_text(void **state)
{
	char *text = format(VTX_TRACE_TEXT, 1000000, 64, NULL);

	(void)state;
	test_contains(text, "\n  0       10         20.000 CPUID               0xffffffff8100000a"
			    " leaf=0xa subleaf=0x0 cs=0x10 ticks=110 by=slow\n");
	test_contains(text, "\n# vcpu 1 lost 7\n  1        3 ");
	test_contains(text, "ticks=longer by=slow\n");
	test_contains(text, "ticks=- by=none\n");
	test_contains(text, "[injected vector=236 type=external-interrupt]");
	test_contains(text, "[vectoring vector=14 event=#PF type=exception]");
	test_contains(text, "\n# 7 records were lost\n");
	free(text);
	text = format(VTX_TRACE_TEXT, 0, 2, NULL);
	test_contains(text, "ticks-since-the-first");
	test_contains(text, "\n  1        1           2000 ");
	free(text);
}

static void test_json_lines(void **state)
{
	char *text = format(VTX_TRACE_JSON, 1000000, 64, NULL), *save = NULL;
	unsigned int n = 0;
	char *all = calloc(1, strlen(text) + 200);

	(void)state;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		sprintf(all + strlen(all), "%s%s", n++ ? "," : "[", line);
	strcat(all, "]");
	assert_int_equal(n, 64);
	test_json(all, "len(d) == 64 and d[10][\"reason\"] == \"CPUID\" and d[10][\"decoded\"] == {\"leaf\": \"0xa\", \"subleaf\": \"0x0\"}"
		  " and d[3][\"lost\"] == 7 and d[4][\"ticks\"] == \"longer\" and \"ticks\" not in d[8] and d[5][\"injected\"][\"vector\"] == 236"
		  " and d[6][\"vectoring\"][\"event\"] == \"#PF\" and d[10][\"us\"] == 20.0 and d[10][\"tsc\"] == 5020000"
		  " and d[30][\"rip\"] == \"0xffffffff8100001e\" and \"injected\" not in d[4]");
	free(all);
	free(text);
}

static void test_chrome(void **state)
{
	char *text = format(VTX_TRACE_CHROME, 1000000, 64, NULL);

	(void)state;
	test_json(text, "len([e for e in d if e[\"ph\"] == \"X\"]) == 64 and len([e for e in d if e[\"name\"] == \"thread_name\"]) == 2"
		  " and [e for e in d if e[\"ph\"] == \"i\"][0][\"name\"] == \"7 records lost\""
		  " and [e for e in d if e[\"name\"] == \"CPUID\"][0][\"ts\"] == 20.0"
		  " and [e for e in d if e[\"name\"] == \"CPUID\"][0][\"dur\"] == 0.11"
		  " and [e for e in d if e[\"name\"] == \"CPUID\"][0][\"args\"][\"decoded\"][\"leaf\"] == \"0xa\""
		  " and all(e[\"tid\"] in (0, 1) for e in d if e[\"ph\"] == \"X\")");
	free(text);
	text = format(VTX_TRACE_CHROME, 0, 0, NULL);
	test_json(text, "len(d) == 1");
	free(text);
}

/* A count of lost records that comes without an exit. */
static void test_loss_alone(void **state)
{
	static struct vtx_trace_format f;
	struct vtx_trace_entry e = { .vcpu_id = 1, .lost = 904 };
	char *text = NULL;
	size_t size;

	(void)state;
	for (int style = VTX_TRACE_TEXT; style <= VTX_TRACE_CHROME; style++) {
		f = (struct vtx_trace_format){ .style = (enum vtx_trace_style)style };
		f.out = open_memstream(&text, &size);
		vtx_trace_begin(&f);
		vtx_trace_entry(&f, &e);
		vtx_trace_end(&f);
		fclose(f.out);
		if (style == VTX_TRACE_TEXT)
			test_contains(text, "\n# vcpu 1 lost 904\n# 904 records were lost\n");
		else
			test_json(text, style == VTX_TRACE_JSON ? "d == {\"vcpu\": 1, \"lost\": 904}" : "len(d) == 1");
		free(text);
	}
	assert_int_equal(parse("trace --reason CPUID"), 0);
	assert_true(vtx_trace_wanted(&o, &e));
	e.record.by = VTX_BY_FAST;
	assert_false(vtx_trace_wanted(&o, &e));
}

/* Names of a guest's symbols are the guest's: they must not get out of their quotes. */
static void test_symbols_in_json(void **state)
{
	static const char map[] = "ffffffff81000000 T evil\"\\name\xff\x01\n";
	struct vtx_symbols s;
	char *text;

	(void)state;
	assert_int_equal(vtx_symbols_open(&s, test_file("map", map, sizeof(map) - 1), &error), 0);
	text = format(VTX_TRACE_CHROME, 0, 2, &s);
	test_json(text, "d[2][\"args\"][\"symbol\"] == \"evil\\\"\\\\name\\u00ff\\u0001\"");
	free(text);
	vtx_symbols_close(&s);
}

/* ------------------------------------------------------------------ the VM's folder */

static void test_find_vm(void **state)
{
	char folder[256], command[512], root[128];
	size_t size = 0;
	char *data;

	(void)state;
	snprintf(root, sizeof(root), "%s", test_path("vtx"));
	assert_int_equal(vtx_debugfs_vm(root, NULL, folder, sizeof(folder), &error), -1);
	snprintf(command, sizeof(command), "mkdir -p %s", root);
	assert_int_equal(system(command), 0);
	assert_int_equal(vtx_debugfs_vm(root, NULL, folder, sizeof(folder), &error), -1);
	test_contains(error.text, "no VM");
	snprintf(command, sizeof(command), "mkdir -p %s/12-3/vcpu0 %s/12-3/vcpu4; echo hello >%s/12-3/failure", root, root, root);
	assert_int_equal(system(command), 0);
	assert_int_equal(vtx_debugfs_vm(root, NULL, folder, sizeof(folder), &error), 0);
	assert_int_equal(vtx_debugfs_vcpus(folder), 5);
	data = vtx_debugfs_read(folder, "failure", &size, &error);
	assert_string_equal(data, "hello\n");
	assert_int_equal(size, 6);
	free(data);
	assert_null(vtx_debugfs_read(folder, "none", &size, &error));
	snprintf(command, sizeof(command), "mkdir -p %s/12-3.2 %s/123-5", root, root);
	assert_int_equal(system(command), 0);
	assert_int_equal(vtx_debugfs_vm(root, NULL, folder, sizeof(folder), &error), -1);
	test_contains(error.text, "123-5");
	assert_int_equal(vtx_debugfs_vm(root, "12-3", folder, sizeof(folder), &error), 0);
	test_contains(folder, "/12-3");
	assert_int_equal(vtx_debugfs_vm(root, "123", folder, sizeof(folder), &error), 0);
	test_contains(folder, "/123-5");
	assert_int_equal(vtx_debugfs_vm(root, "12", folder, sizeof(folder), &error), -1);
	assert_int_equal(vtx_debugfs_vm(root, "1", folder, sizeof(folder), &error), -1);
	test_contains(error.text, "there is no VM 1");
	assert_int_equal(vtx_debugfs_vm(root, root, folder, sizeof(folder), &error), 0);
	assert_int_equal(vtx_debugfs_vm(root, "/none", folder, sizeof(folder), &error), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),	    cmocka_unit_test(test_options_refused), cmocka_unit_test(test_raw_entries),
		cmocka_unit_test(test_recorder),    cmocka_unit_test(test_garbage),	    cmocka_unit_test(test_text),
		cmocka_unit_test(test_json_lines),  cmocka_unit_test(test_chrome),	    cmocka_unit_test(test_symbols_in_json),
		cmocka_unit_test(test_loss_alone),  cmocka_unit_test(test_find_vm),
	};

	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}

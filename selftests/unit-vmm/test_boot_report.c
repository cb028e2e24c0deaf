// SPDX-License-Identifier: GPL-2.0-only
/* Boot reports: marks between phases, sums, traces of a boot, and the three forms; whatever the figures are, they parse. */
#include "trace_unit.h"

#include <asm/vmx.h>

#include "userspace-vmm/boot_report.h"
#include "userspace-vmm/boot_trace.h"
#include "userspace-vmm/boot_watch.h"
#include "userspace-vmm/trace_source.h"

static struct vtx_error error;
static struct vtx_boot_report report;
static struct vtx_boot_watch watch;
static char seen[64];

static void changed(void *opaque, enum vtx_boot_phase phase, uint64_t tsc)
{
	size_t have = strlen(seen);

	(void)opaque;
	snprintf(seen + have, sizeof(seen) - have, "%d@%llu ", phase, (unsigned long long)tsc);
}

static void watch_start(const char *until)
{
	watch = (struct vtx_boot_watch){ .until = until, .changed = changed };
	seen[0] = '\0';
}

static struct vtx_record exit_at(uint64_t tsc, uint64_t rip, uint16_t cs)
{
	return (struct vtx_record){ .tsc = tsc, .rip = rip, .cs = cs, .reason = EXIT_REASON_CPUID, .by = VTX_BY_FAST, .ticks = 100 };
}

static void see(uint64_t tsc, uint64_t rip, uint16_t cs)
{
	struct vtx_record r = exit_at(tsc, rip, cs);

	vtx_boot_watch_record(&watch, &r);
}

static void print(const char *text, uint64_t tsc)
{
	for (; *text; text++)
		vtx_boot_watch_console(&watch, (uint8_t)*text, tsc);
}

/* ------------------------------------------------------------------ marks */

static void test_marks_of_exits(void **state)
{
	(void)state;
	watch_start("guest: up");
	see(10, 0x7c00, 0);
	see(20, 0x9000, 0);
	see(30, 0x1000000, 0x10);
	see(40, 0x8000, 0x10); /* back below: not a new phase */
	see(50, 0x401000, 0x33); /* no user space before there was a kernel */
	see(60, 0xffffffff81000000, 0x10);
	see(70, 0x401000, 0x33);
	see(80, 0xffffffff81000000, 0x10);
	assert_string_equal(seen, "0@10 1@30 2@60 4@70 ");
	watch_start("");
	see(5, 0xffffffff81000000, 0x10);
	assert_string_equal(seen, "2@5 ");
	watch_start("");
	watch.changed = changed;
	vtx_boot_watch_record(&watch, &(struct vtx_record){ .reason = ~0U, .rip = 0xffffffff81000000 });
	vtx_boot_watch_record(&watch, &(struct vtx_record){ .reason = 0x80000021, .rip = 0xffffffff81000000 });
	assert_string_equal(seen, "");
}

static void test_marks_of_console(void **state)
{
	(void)state;
	watch_start("guest: up");
	see(10, 0x1000000, 0x10);
	print("[    0.000000] Linux version 6.1\r\n", 100);
	see(150, 0x401000, 0x33); /* modprobe: this kernel will say when init starts */
	print("Run / as init proces\n", 180);
	print("[    1.0] Run /init as init process\r\n", 200);
	print("guest: ", 300);
	print("up\n", 400);
	print("guest: up\n", 500);
	assert_string_equal(seen, "1@10 3@100 4@200 5@400 ");
	watch_start("login:");
	see(10, 0xffffffff81000000, 0x10);
	print("quiet one\n", 20);
	see(30, 0x401000, 0x33);
	print("gue\nst login: ", 40);
	assert_string_equal(seen, "2@10 3@20 4@30 5@40 ");
	watch_start("");
	for (unsigned int i = 0; i < 5000; i++)
		vtx_boot_watch_console(&watch, (uint8_t)(i % 128 + 128 * (i % 32 < 16)), i);
	assert_int_equal(watch.length, VTX_BOOT_LINE - 1);
}

/* ------------------------------------------------------------------ sums */

static void test_counters(void **state)
{
	struct vtx_boot_counters a = { .count = 0 }, b = { .count = 0 }, d;

	(void)state;
	vtx_boot_parse_exits(&a, "name count ticks user_ticks min max\nCPUID 10 100 0 5 20\nHLT 1 2 3 4 5\n");
	vtx_boot_parse_exits(&b, "name count ticks user_ticks min max\nCPUID 30 150 0 5 20\nHLT 1 2 3 4 5\nVMCALL 40 9 8 1 1");
	vtx_boot_parse_exits(&b, "CPUID 2 1 0 0 0\nnonsense\n\nX y z\n"); /* another vCPU's */
	b.idle = 7;
	vtx_boot_difference(&d, &b, &a);
	assert_int_equal(d.count, 2);
	assert_string_equal(d.reason[0].name, "VMCALL");
	assert_int_equal(d.reason[0].user_ticks, 8);
	assert_string_equal(d.reason[1].name, "CPUID");
	assert_int_equal(d.reason[1].count, 22);
	assert_int_equal(d.reason[1].ticks, 51);
	assert_int_equal(d.idle, 7);
	vtx_boot_difference(&d, &a, &b); /* cleared meanwhile: nothing is negative */
	assert_int_equal(d.count, 0);
	for (unsigned int i = 0; i < 200; i++) {
		char line[64];

		snprintf(line, sizeof(line), "R%u 1 1 1 1 1\n", i);
		vtx_boot_parse_exits(&a, line);
	}
	assert_int_equal(a.count, VTX_BOOT_REASONS);
}

static void test_fill(void **state)
{
	struct vtx_boot_row row = { .start = 1000, .end = 2000 };

	(void)state;
	vtx_boot_parse_exits(&row.counters, "CPUID 3 100 0 0 0\nIO_INSTRUCTION 2 50 200 0 0\n");
	row.counters.idle = 300;
	vtx_boot_fill(&row, 1);
	assert_int_equal(row.exits, 5);
	assert_int_equal(row.kernel, 150);
	assert_int_equal(row.user, 200);
	assert_int_equal(row.idle, 300);
	assert_int_equal(row.guest, 350);
	vtx_boot_fill(&row, 2);
	assert_int_equal(row.guest, 1350);
	row.end = 1100; /* more than there is */
	vtx_boot_fill(&row, 1);
	assert_int_equal(row.guest + row.kernel + row.user + row.idle, 100);
	row.end = 1000;
	vtx_boot_fill(&row, 1);
	assert_int_equal(row.guest + row.kernel + row.user + row.idle, 0);
}

/* ------------------------------------------------------------------ traces */

struct boot_file {
	struct vtx_trace_file header;
	struct vtx_trace_entry entry[64];
	unsigned int count;
};

static struct vtx_trace_entry *add(struct boot_file *f, uint64_t tsc, uint64_t rip, uint16_t cs)
{
	struct vtx_trace_entry *e = &f->entry[f->count++];

	*e = (struct vtx_trace_entry){ .record = exit_at(tsc, rip, cs) };
	return e;
}

/* Decompressor 1000-3000, kernel 3000-, 20 characters on COM1 from 5000 on, user space from 9000 on, the last exit at 10000. */
static const char *boot_file(struct boot_file *f, uint32_t khz)
{
	struct vtx_trace_entry *e;

	memset(f, 0, sizeof(*f));
	f->header = (struct vtx_trace_file){ VTX_TRACE_FILE_MAGIC, VTX_TRACE_FILE_VERSION, sizeof(struct vtx_trace_entry), khz };
	add(f, 1000, 0x1000000, 0x10);
	add(f, 2000, 0x1000000, 0x10);
	add(f, 3000, 0xffffffff81000000, 0x10);
	e = add(f, 4000, 0xffffffff81000000, 0x10);
	e->record.reason = EXIT_REASON_IO_INSTRUCTION; /* the driver looks for the port: not output yet */
	e->record.info = 0x03f80000;
	e = add(f, 4100, 0xffffffff81000000, 0x10);
	e->record.reason = EXIT_REASON_IO_INSTRUCTION;
	e->record.info = 0x00800000;
	for (unsigned int i = 0; i < 40; i++) {
		e = add(f, 5000 + i * 50, 0xffffffff81000000, 0x10);
		e->record.reason = EXIT_REASON_IO_INSTRUCTION;
		e->record.info = i & 1 ? 0x03fd0008 : 0x03f80000;
		e->record.by = VTX_BY_USER;
		e->record.ticks = 10;
	}
	e = add(f, 8000, 0xffffffff81000000, 0x10);
	e->record.reason = EXIT_REASON_HLT;
	e->record.by = VTX_BY_SLOW;
	add(f, 9000, 0x401000, 0x33);
	add(f, 10000, 0x401000, 0x33)->lost = 3;
	return test_file("boot", f, sizeof(f->header) + f->count * sizeof(f->entry[0]));
}

static void test_trace(void **state)
{
	static struct boot_file f;
	const struct vtx_boot_row *r = report.row;

	(void)state;
	memset(&report, 0, sizeof(report));
	assert_int_equal(vtx_boot_from_trace(&report, boot_file(&f, 1000), 0, &error), 0);
	assert_false(r[VTX_BOOT_REAL].seen || r[VTX_BOOT_UP].seen);
	assert_int_equal(r[VTX_BOOT_DECOMPRESS].start, 1000);
	assert_int_equal(r[VTX_BOOT_DECOMPRESS].end, 3000);
	assert_int_equal(r[VTX_BOOT_EARLY].end, 5000);
	assert_int_equal(r[VTX_BOOT_DEVICES].start, 5000);
	assert_int_equal(r[VTX_BOOT_DEVICES].end, 9000);
	assert_int_equal(r[VTX_BOOT_USER].end, 10000);
	assert_int_equal(r[VTX_BOOT_DECOMPRESS].kernel, 200);
	assert_int_equal(r[VTX_BOOT_DECOMPRESS].guest, 1800);
	assert_int_equal(r[VTX_BOOT_DEVICES].exits, 41);
	assert_int_equal(r[VTX_BOOT_DEVICES].kernel, 40 * 10 + 100);
	assert_int_equal(r[VTX_BOOT_DEVICES].user, 39 * 40 + (8000 - 5000 - 39 * 50 - 10));
	assert_int_equal(r[VTX_BOOT_DEVICES].idle, 900);
	assert_string_equal(r[VTX_BOOT_DEVICES].counters.reason[0].name, "IO_INSTRUCTION");
	assert_int_equal(report.cpus, 1);
	test_contains(report.note, "3 records lost");
}

static void test_trace_refused(void **state)
{
	static struct boot_file f;

	(void)state;
	assert_int_equal(vtx_boot_from_trace(&report, boot_file(&f, 0), 0, &error), -1);
	test_contains(error.text, "--tsc-khz");
	memset(&report, 0, sizeof(report));
	assert_int_equal(vtx_boot_from_trace(&report, test_path("boot"), 2000, &error), 0);
	assert_int_equal(report.tsc_khz, 2000);
	assert_int_equal(vtx_boot_from_trace(&report, test_path("none"), 1, &error), -1);
	assert_int_equal(vtx_boot_from_trace(&report, test_file("empty", "", 0), 1, &error), -1);
	test_contains(error.text, "no exits");
	assert_int_equal(vtx_boot_from_trace(&report, test_file("cut", &f, sizeof(f.header) + 100), 1, &error), -1);
	test_contains(error.text, "middle of an entry");
}

/* Plausible entries of any content: times that run backwards, vCPUs that come and go. */
static void test_random_traces(void **state)
{
	static struct vtx_trace_entry entry[500];
	uint32_t seed = 17;

	(void)state;
	for (int i = 0; i < 200; i++) {
		for (unsigned int n = 0; n < 500; n++) {
			for (size_t byte = 0; byte < sizeof(entry[0]); byte++)
				((uint8_t *)&entry[n])[byte] = (uint8_t)test_random(&seed);
			entry[n].vcpu_id &= i & 1 ? 3 : 0xffff;
			entry[n].record.reason &= 0x7f;
			entry[n].record.by &= 3;
			entry[n].record.flags &= 3;
			if (i & 2)
				entry[n].record.rip |= n > 100 ? 0xffffffff80000000 : 0;
		}
		memset(&report, 0, sizeof(report));
		assert_int_equal(vtx_boot_from_trace(&report, test_file("random", entry, sizeof(entry)), 1000, &error), 0);
		for (unsigned int p = 0; p < VTX_BOOT_PHASES; p++)
			assert_true(report.row[p].end >= report.row[p].start);
	}
}

/* ------------------------------------------------------------------ forms */

static char *form(void (*print_it)(const struct vtx_boot_report *r, FILE *out))
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	print_it(&report, out);
	fclose(out);
	return text;
}

static void test_text_and_json(void **state)
{
	static struct boot_file f;
	char *text;

	(void)state;
	memset(&report, 0, sizeof(report));
	assert_int_equal(vtx_boot_from_trace(&report, boot_file(&f, 1000), 0, &error), 0);
	strcpy(report.title, "A boot");
	text = form(vtx_boot_print_text);
	test_contains(text, "A boot\n9.0 ms from the first instruction, 1 vCPU\n");
	test_contains(text, "decompressor                0.0        2.0  22.2%   90.0%   10.0%    0.0%    0.0%         2\n");
	test_contains(text, "    IO_INSTRUCTION              40      0.40 ms      2.60 ms\n");
	free(text);
	text = form(vtx_boot_print_json);
	test_json(text, "d[\"total_ms\"] == 9.0 and [p[\"phase\"] for p in d[\"phases\"]] == [\"decompressor\", \"kernel, early\","
		  " \"kernel, devices\", \"user space\"] and d[\"phases\"][2][\"reasons\"][0][\"count\"] == 40"
		  " and d[\"phases\"][2][\"idle_ticks\"] == 900 and d[\"phases\"][0][\"guest_ticks\"] == 1800"
		  " and all(p[\"ticks\"] == p[\"guest_ticks\"] + p[\"kernel_ticks\"] + p[\"user_ticks\"] + p[\"idle_ticks\"] for p in d[\"phases\"])");
	free(text);
	report.has_exits = false;
	report.has_load = true;
	report.load = 5000;
	text = form(vtx_boot_print_json);
	test_json(text, "\"exits\" not in d[\"phases\"][0] and \"running_ticks\" in d[\"phases\"][0] and d[\"load_ms\"] == 5.0");
	free(text);
	text = form(vtx_boot_print_text);
	test_contains(text, "5.0 ms before that");
	assert_null(strstr(text, "busiest"));
	free(text);
	memset(&report, 0, sizeof(report));
	report.tsc_khz = 1;
	text = form(vtx_boot_print_text);
	test_contains(text, "nothing ran");
	free(text);
}

/* Python's parser reads the picture; bars lie inside it; CONDITION is on its words. */
static void check_svg(const char *condition)
{
	static const char program[] =
		"import sys, xml.etree.ElementTree as E\n"
		"root = E.parse(sys.argv[1]).getroot()\n"
		"w, h = float(root.get(\"width\")), float(root.get(\"height\"))\n"
		"for r in root.iter(\"{http://www.w3.org/2000/svg}rect\"):\n"
		"    x, y = float(r.get(\"x\", 0)), float(r.get(\"y\", 0))\n"
		"    assert x >= 0 and x + float(r.get(\"width\")) <= w and y >= 0 and y + float(r.get(\"height\")) <= h\n"
		"text = [t.text for t in root.iter(\"{http://www.w3.org/2000/svg}text\")]\n"
		"for t in root.iter(\"{http://www.w3.org/2000/svg}text\"):\n"
		"    assert 0 <= float(t.get(\"x\")) < w and 0 < float(t.get(\"y\")) <= h\n"
		"assert eval(sys.argv[2]), text\n";
	char *svg = form(vtx_boot_print_svg), command[512];
	const char *script = test_file("check.py", program, sizeof(program) - 1);

	snprintf(command, sizeof(command), "python3 %s %s '%s'", script, test_file("boot.svg", svg, strlen(svg)), condition);
	if (system(command))
		fail_msg("bad picture:\n%s", svg);
	free(svg);
}

static void test_svg(void **state)
{
	static struct boot_file f;

	(void)state;
	memset(&report, 0, sizeof(report));
	assert_int_equal(vtx_boot_from_trace(&report, boot_file(&f, 1000), 0, &error), 0);
	strcpy(report.title, "<A> & \"B\"\x01\xff");
	check_svg("text[0] == \"<A> & \\\"B\\\"??\" and text.count(\"decompressor\") == 3 and \"41\" in text and \"IO_INSTRUCTION\" in text");
	report.has_exits = false;
	report.has_load = true;
	check_svg("text.count(\"user space\") == 2 and \"IO_INSTRUCTION\" not in text");
	memset(&report, 0, sizeof(report));
	report.tsc_khz = 1;
	check_svg("\"Nothing ran\" in text");
}

static void test_any_figures(void **state)
{
	uint32_t seed = 23;

	(void)state;
	for (int i = 0; i < 60; i++) {
		uint64_t tsc = test_random(&seed);

		memset(&report, 0, sizeof(report));
		report.tsc_khz = 1 + test_random(&seed) % 4000000;
		report.cpus = 1 + test_random(&seed) % 254;
		report.has_exits = i % 3;
		for (unsigned int p = 0; p < VTX_BOOT_PHASES; p++) {
			struct vtx_boot_row *row = &report.row[p];

			row->seen = test_random(&seed) % 4;
			row->start = tsc;
			tsc += test_random(&seed) % 3 ? (uint64_t)test_random(&seed) << test_random(&seed) % 24 : 0;
			row->end = tsc;
			for (unsigned int n = 0; n < test_random(&seed) % 80; n++) {
				char line[96];

				snprintf(line, sizeof(line), "REASON_%u %u %u %u 0 0\n", test_random(&seed) % 90, test_random(&seed),
					 test_random(&seed), test_random(&seed) % 2 ? 0 : test_random(&seed));
				vtx_boot_parse_exits(&row->counters, line);
			}
			row->counters.idle = test_random(&seed);
			vtx_boot_fill(row, report.cpus);
		}
		check_svg("True");
		free(form(vtx_boot_print_text));
		free(form(vtx_boot_print_json));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_marks_of_exits), cmocka_unit_test(test_marks_of_console), cmocka_unit_test(test_counters),
		cmocka_unit_test(test_fill),	       cmocka_unit_test(test_trace),		cmocka_unit_test(test_trace_refused),
		cmocka_unit_test(test_random_traces),  cmocka_unit_test(test_text_and_json),	cmocka_unit_test(test_svg),
		cmocka_unit_test(test_any_figures),
	};

	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}

// SPDX-License-Identifier: GPL-2.0-only
/* `vtx stat`: kvm_stat's fields, values, filters, screen, batch lines and logs; names of guests. */
#include "unit.h"

#include "debugfs_tree.h"
#include "userspace-vmm/guest_name.h"
#include "userspace-vmm/stat_view.h"

static struct vtx_sample before, after;
static struct vtx_stat stat_;
static struct vtx_error error;

static void start(void)
{
	tree_new();
	memset(&stat_, 0, sizeof(stat_));
	tree_put("vtx/10-4/vcpu0/exits", "name count ticks\nCPUID 100 1\nHLT 7 1\n");
	tree_put("vtx/10-4/memory", "pages_4k 50\npages_2m 2\npages_1g 0\n");
	tree_put("vtx/20-4/vcpu0/exits", "name count ticks\nCPUID 1000 1\n");
	assert_int_equal(vtx_sample_take(&before, tree, &error), 0);
	tree_put("vtx/10-4/vcpu0/exits", "name count ticks\nCPUID 130 1\nHLT 9 1\nRESERVED_35 1 1\n");
	tree_put("vtx/10-4/memory", "pages_4k 20\npages_2m 3\npages_1g 0\n");
	tree_put("vtx/20-4/vcpu0/exits", "name count ticks\nCPUID 1005 1\nIO_INSTRUCTION 3 1\n");
	assert_int_equal(vtx_sample_take(&after, tree, &error), 0);
}

static void both(void)
{
	assert_int_equal(vtx_stat_update(&stat_, NULL, &before, &error), 0);
	assert_int_equal(vtx_stat_update(&stat_, &before, &after, &error), 0);
}

static void end(void)
{
	vtx_stat_free(&stat_);
	vtx_sample_free(&before);
	vtx_sample_free(&after);
	tree_end();
}

static const struct vtx_stat_field *field(const char *name)
{
	for (size_t i = 0; i < stat_.fields; i++)
		if (!strcmp(stat_.field[i].name, name))
			return &stat_.field[i];
	return NULL;
}

static void expect(const char *name, int64_t value, int64_t delta)
{
	const struct vtx_stat_field *f = field(name);

	if (!f)
		fail_msg("no field %s", name);
	if (f->value != value || f->delta != delta)
		fail_msg("%s: %lld %lld", name, (long long)f->value, (long long)f->delta);
}

static void test_tracepoint_names(void **state)
{
	(void)state;
	start();
	stat_.tracepoints = true;
	both();
	expect("kvm_exit", 30 + 2 + 1 + 5 + 3, 41);
	expect("kvm_exit(CPUID)", 35, 35);
	expect("kvm_exit(HLT)", 2, 2);
	expect("kvm_exit(RESERVED_35)", 1, 1);
	expect("kvm_exit(XSETBV)", 0, 0);
	assert_null(field("exits"));
	for (size_t i = 1; i < stat_.fields; i++)
		assert_true(strcmp(stat_.field[i - 1].name, stat_.field[i].name) < 0);
	end();
}

static void test_debugfs_names(void **state)
{
	(void)state;
	start();
	stat_.debugfs = true;
	both();
	expect("exits", 41, 41);
	expect("halt_exits", 2, 2);
	expect("io_exits", 3, 3);
	expect("pages_4k", 20, -30);
	expect("pages_2m", 3, 1);
	assert_null(field("kvm_exit"));
	end();
}

static void test_past_and_pid(void **state)
{
	(void)state;
	start();
	stat_.tracepoints = stat_.past = true;
	both();
	expect("kvm_exit", 130 + 9 + 1 + 1005 + 3, 41);
	expect("kvm_exit(CPUID)", 1135, 35);
	end();
	start();
	stat_.tracepoints = stat_.debugfs = true;
	stat_.pid = 20;
	both();
	expect("kvm_exit", 8, 8);
	expect("kvm_exit(HLT)", 0, 0);
	expect("pages_4k", 0, 0);
	end();
}

static void test_filter_and_children(void **state)
{
	static const char *const bad[] = { "a)(b", "(", "[", "*", "a{2" };

	(void)state;
	start();
	stat_.tracepoints = stat_.debugfs = true;
	assert_int_equal(vtx_stat_set_filter(&stat_, "kvm_exit\\((CPU|HLT)|exits$", &error), 0);
	both();
	assert_int_equal(stat_.fields, 3); /* from the first character on: not halt_exits */
	expect("exits", 41, 41);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (!strcmp(bad[i], "*"))
			continue; /* glibc takes it for the character */
		assert_int_equal(vtx_stat_set_filter(&stat_, bad[i], &error), -1);
		assert_non_null(strstr(error.text, bad[i]));
	}
	assert_string_equal(stat_.filter_text, "kvm_exit\\((CPU|HLT)|exits$"); /* the old one stays */
	assert_int_equal(vtx_stat_set_filter(&stat_, "", &error), 0);
	stat_.no_children = true;
	both();
	assert_non_null(field("kvm_exit"));
	assert_null(field("kvm_exit(CPUID)"));
	end();
}

static void test_by_guest(void **state)
{
	(void)state;
	start();
	stat_.tracepoints = stat_.by_guest = true;
	both();
	assert_int_equal(stat_.fields, 2);
	expect("10-4", 33, 33);
	expect("20-4", 8, 8);
	end();
}

static char *capture(void (*write)(FILE *out))
{
	static char *text;
	size_t size;
	FILE *out;

	free(text);
	text = NULL;
	out = open_memstream(&text, &size);
	write(out);
	fclose(out);
	return text;
}

static void batch(FILE *out)
{
	vtx_stat_batch(&stat_, out);
}

static void csv(FILE *out)
{
	vtx_stat_banner(&stat_, true, out);
	vtx_stat_line(&stat_, "2026-01-02 03:04:05", true, out);
}

static void plain(FILE *out)
{
	vtx_stat_banner(&stat_, false, out);
	vtx_stat_line(&stat_, "2026-01-02 03:04:05", false, out);
}

/* Byte for byte what kvm_stat prints. */
static void test_batch_and_logs(void **state)
{
	(void)state;
	start();
	stat_.tracepoints = true;
	assert_int_equal(vtx_stat_set_filter(&stat_, "kvm_exit($|\\((CPUID|HLT))", &error), 0);
	both();
	assert_string_equal(capture(batch), "kvm_exit                                          41        41\n"
			    "kvm_exit(CPUID)                                   35        35\n"
			    "kvm_exit(HLT)                                      2         2\n");
	assert_string_equal(capture(csv), "timestamp,kvm_exit,kvm_exit(CPUID),kvm_exit(HLT)\n2026-01-02 03:04:05,41,35,2\n");
	assert_string_equal(capture(plain), "kvm_exit kvm_exit(CPUID) kvm_exit(HLT) \n"
			    "2026-01-02 03:04:05        41        35         2\n");
	assert_false(vtx_stat_all_zero(&stat_));
	assert_int_equal(vtx_stat_update(&stat_, &after, &after, &error), 0);
	assert_true(vtx_stat_all_zero(&stat_));
	expect("kvm_exit", 41, 0);
	end();
}

/* A reason the table of names does not have appears late: the columns of a log must not move. */
static void test_log_columns_stay(void **state)
{
	size_t columns;

	(void)state;
	start();
	stat_.tracepoints = stat_.fixed = true;
	assert_int_equal(vtx_stat_update(&stat_, NULL, &before, &error), 0);
	columns = stat_.fields;
	assert_true(columns > 60);
	assert_int_equal(vtx_stat_update(&stat_, &before, &after, &error), 0);
	assert_int_equal(stat_.fields, columns);
	expect("kvm_exit", 41, 41);
	assert_null(field("kvm_exit(RESERVED_35)"));
	end();
}

static struct vtx_text text;
static struct vtx_stat_view view;

static void screen(FILE *out)
{
	assert_true(vtx_text_reset(&text, 24, 80));
	vtx_stat_draw(&text, &stat_, &view);
	vtx_text_write(&text, out);
}

static void shows(const char *part)
{
	const char *s = capture(screen);

	if (!strstr(s, part))
		fail_msg("no '%s' in:\n%s", part, s);
}

static void test_screen(void **state)
{
	(void)state;
	start();
	stat_.tracepoints = true;
	shows("collecting data");
	both();
	view.seconds = 2;
	shows("vtx statistics - summary\n\n Event                                         Total %Total CurAvg/s\n"
	      " kvm_exit                                         41  100.0       20\n"
	      " kvm_exit(CPUID)                                  35   85.4       18\n");
	shows(" Total                                            41              20\n");
	stat_.pid = 10;
	strcpy(view.guest, "web");
	shows("vtx statistics - pid 10 (web)\n");
	view.help = true;
	shows("  x     child events");
	for (int rows = 1; rows < 30; rows++)
		for (int cols = 1; cols < 100; cols += 9) {
			view.help = !view.help;
			assert_true(vtx_text_reset(&text, rows, cols));
			vtx_stat_draw(&text, &stat_, &view);
		}
	vtx_text_free(&text);
	end();
}

static void test_guest_names(void **state)
{
	static const struct {
		const char *line;	/* words separated by | */
		const char *name;
	} cases[] = {
		{ "qemu|-name|web,debug-threads=on|-m|1", "web" },
		{ "qemu|-m|1|-name|guest=a,,b,process=x", "a,b" },
		{ "qemu|-name|debug-threads=on,db", "db" },
		{ "lkvm|run|--name|k1", "k1" },
		{ "vtx|run|-k|K", "" },
		{ "qemu|-name", "" },
		{ "", "" },
	};
	char name[16];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t size = strlen(cases[i].line) + 1;
		char *line = malloc(size);

		memcpy(line, cases[i].line, size);
		for (char *p = line; (p = strchr(p, '|')); p++)
			*p = 0;
		vtx_guest_name_from(line, size, name, sizeof(name));
		assert_string_equal(name, cases[i].name);
		vtx_guest_name_from(line, size - 1, name, sizeof(name)); /* cut: no zero byte at the end */
		free(line);
	}
	vtx_guest_name("/proc", (int)getpid(), name, sizeof(name));
	assert_string_equal(name, "test_stat");
	vtx_guest_name("/proc", 0x7fffffff, name, sizeof(name));
	assert_string_equal(name, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tracepoint_names),    cmocka_unit_test(test_debugfs_names), cmocka_unit_test(test_past_and_pid),
		cmocka_unit_test(test_filter_and_children), cmocka_unit_test(test_by_guest),	  cmocka_unit_test(test_batch_and_logs),
		cmocka_unit_test(test_log_columns_stay),    cmocka_unit_test(test_screen),	  cmocka_unit_test(test_guest_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

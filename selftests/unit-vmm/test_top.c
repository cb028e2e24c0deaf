// SPDX-License-Identifier: GPL-2.0-only
/* `vtx top`: reading debugfs, differences, groups, order, the screen at every size, CSV. */
#include "unit.h"

#include "debugfs_tree.h"
#include "userspace-vmm/top_view.h"

static struct vtx_sample before, after;
static struct vtx_top_table table;
static struct vtx_error error;

#define HEADER "name count ticks user_ticks min max\n"

/* ------------------------------------------------------------------ parsing */

static void test_exits_of_both_builds(void **state)
{
	struct vtx_vcpu_sample v = { 0 };

	(void)state;
	assert_int_equal(vtx_parse_exits(&v, "name count ticks\nCPUID 1000 61234\n", &error), 0);
	assert_int_equal(v.exits, 1);
	assert_string_equal(v.exit[0].reason, "CPUID");
	assert_true(v.exit[0].count == 1000 && v.exit[0].ticks == 61234 && v.exit[0].max == 0);
	free(v.exit);
	memset(&v, 0, sizeof(v));
	assert_int_equal(vtx_parse_exits(&v, HEADER "CPUID 1 2 3 4 5\nHLT 18446744073709551615 0 0 0 0", &error), 0);
	assert_int_equal(v.exits, 2);
	assert_true(v.exit[0].user_ticks == 3 && v.exit[0].min == 4 && v.exit[0].max == 5);
	assert_true(v.exit[1].count == UINT64_MAX);
	free(v.exit);
	/* columns of a later build, in another order */
	memset(&v, 0, sizeof(v));
	assert_int_equal(vtx_parse_exits(&v, "name max new count\nCPUID 7 8 9\n\n", &error), 0);
	assert_true(v.exits == 1 && v.exit[0].max == 7 && v.exit[0].count == 9 && v.exit[0].ticks == 0);
	free(v.exit);
	memset(&v, 0, sizeof(v));
	assert_int_equal(vtx_parse_exits(&v, "name count ticks\n", &error), 0);
	assert_int_equal(v.exits, 0);
}

static void test_exits_garbage(void **state)
{
	static const char *const bad[] = { "", "\n", "CPUID 1 2\n", "name\nCPUID\n", "name count ticks\nCPUID 1\n", "name count ticks\nCPUID x 1\n",
					   "name count ticks\nCPUID -1 1\n", "name count ticks\nCPUID 99999999999999999999999 1\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct vtx_vcpu_sample v = { 0 };

		assert_int_equal(vtx_parse_exits(&v, bad[i], &error), -1);
		assert_true(strlen(error.text) > 10);
		free(v.exit);
	}
}

static void test_hots(void **state)
{
	struct vtx_vcpu_sample v = { 0 };

	(void)state;
	assert_int_equal(vtx_parse_hots(&v, "table key count\nmsr 0x1a0 200\nmsr overflow 3\nhypercall 0xffffffffffffffff 1\n", &error), 0);
	assert_int_equal(v.hots, 3);
	assert_string_equal(v.hot[1].key, "overflow");
	assert_int_equal(v.hot[1].count, 3);
	free(v.hot);
	memset(&v, 0, sizeof(v));
	assert_int_equal(vtx_parse_hots(&v, "table key count\nmsr 0x1a0\n", &error), -1);
	assert_int_equal(vtx_parse_hots(&v, "what\n", &error), -1);
	free(v.hot);
}

/* ------------------------------------------------------------------ samples */

static void take(struct vtx_sample *sample)
{
	if (vtx_sample_take(sample, tree, &error))
		fail_msg("%s", error.text);
}

/* Two VMs, the interval exactly 2 s and 1,000,000 ticks. */
static void two_samples(void)
{
	tree_new();
	tree_put("vtx/200-5/vcpu0/exits", HEADER "CPUID 100 1000 0 10 20\nHLT 10 500 100 40 60\n");
	tree_put("vtx/200-5/vcpu10/exits", HEADER "CPUID 1 10 0 10 10\n");
	tree_put("vtx/200-5/vcpu9/exits", HEADER);
	tree_put("vtx/200-5/memory", "pages_4k 5\npages_2m 7\npages_1g 0\ntables 3\n");
	tree_put("vtx/200-5/failure", "");
	tree_put("vtx/99-4/vcpu0/exits", "name count ticks\nCPUID 50 500\n");
	tree_put("vtx/99-4/failure", "triple fault\n");
	tree_put("vtx/200-5/vcpu0/top", "table key count\nmsr 0x10 5\nmsr 0x1a0 200\nmsr overflow 0\nport 0x80 7\n");
	take(&before);
	tree_put("vtx/200-5/vcpu0/exits", HEADER "CPUID 300 4000 0 5 20\nHLT 10 500 100 40 60\nIO_INSTRUCTION 20 1000 9000 50 70\n");
	tree_put("vtx/200-5/vcpu10/exits", HEADER "CPUID 31 310 0 10 30\n");
	tree_put("vtx/99-4/vcpu0/exits", "name count ticks\nCPUID 20 100\n"); /* cleared in between */
	tree_put("vtx/200-5/vcpu0/top", "table key count\nmsr 0x10 95\nmsr 0x1a0 210\nmsr overflow 0\nport 0x80 7\n");
	take(&after);
	after.seconds = before.seconds + 2;
	after.tsc = before.tsc + 1000000;
}

static void end_samples(void)
{
	vtx_sample_free(&before);
	vtx_sample_free(&after);
	vtx_top_free(&table);
	tree_end();
}

static void compute(enum vtx_top_group group, enum vtx_top_sort sort)
{
	assert_int_equal(vtx_top_compute(&table, &before, &after, group, sort, &error), 0);
}

static void test_sample(void **state)
{
	(void)state;
	two_samples();
	assert_int_equal(after.vms, 2);
	assert_string_equal(after.vm[0].name, "99-4");
	assert_true(after.vm[0].failed && !after.vm[1].failed);
	assert_int_equal(after.vm[1].pid, 200);
	assert_true(after.vm[1].pages_4k == 5 && after.vm[1].pages_2m == 7);
	assert_int_equal(after.vm[1].vcpus, 3);
	assert_true(after.vm[1].vcpu[0].id == 0 && after.vm[1].vcpu[1].id == 9 && after.vm[1].vcpu[2].id == 10);
	end_samples();
}

static void test_by_reason(void **state)
{
	(void)state;
	two_samples();
	compute(VTX_TOP_BY_REASON, VTX_TOP_SORT_EXITS);
	assert_true(table.vms == 2 && table.vcpus == 4 && table.failed == 1 && table.lines == 3);
	assert_string_equal(table.line[0].reason, "CPUID");
	assert_int_equal(table.line[0].exits, 200 + 30 + 20);
	assert_int_equal(table.line[0].ticks, 3000 + 300 + 100);
	assert_int_equal(table.line[0].total, 300 + 31 + 20);
	assert_true(table.line[0].min == 5 && table.line[0].max == 30);
	assert_string_equal(table.line[1].reason, "IO_INSTRUCTION");
	assert_int_equal(table.line[1].user_ticks, 9000);
	assert_int_equal(table.line[2].exits, 0);
	assert_int_equal(table.sum.exits, 270);
	assert_int_equal(table.sum.ticks, 4400);
	compute(VTX_TOP_BY_REASON, VTX_TOP_SORT_NAME);
	assert_string_equal(table.line[1].reason, "HLT");
	end_samples();
}

static void test_groups_and_order(void **state)
{
	(void)state;
	two_samples();
	compute(VTX_TOP_BY_VM, VTX_TOP_SORT_EXITS);
	assert_int_equal(table.lines, 2);
	assert_string_equal(table.line[0].vm, "200-5");
	assert_int_equal(table.line[0].exits, 250);
	assert_true(table.line[1].failed);
	compute(VTX_TOP_BY_VCPU, VTX_TOP_SORT_NAME);
	assert_int_equal(table.lines, 4); /* vCPU 9 without an exit as well */
	assert_string_equal(table.line[0].vm, "99-4"); /* numbers as numbers */
	assert_true(table.line[1].vcpu == 0 && table.line[2].vcpu == 9 && table.line[3].vcpu == 10);
	compute(VTX_TOP_BY_ALL, VTX_TOP_SORT_TICKS);
	assert_int_equal(table.lines, 5);
	assert_int_equal(table.line[0].ticks, 3000);
	assert_int_equal(table.line[1].ticks, 1000);
	compute(VTX_TOP_BY_ALL, VTX_TOP_SORT_TOTAL);
	assert_int_equal(table.line[0].total, 300);
	assert_int_equal(table.line[1].total, 31);
	/* without an earlier sample there is no interval */
	assert_int_equal(vtx_top_compute(&table, NULL, &after, VTX_TOP_BY_VM, VTX_TOP_SORT_EXITS, &error), 0);
	assert_true(table.seconds == 0 && table.sum.exits == 0 && table.sum.total == 381);
	end_samples();
}

static void test_vm_comes_and_goes(void **state)
{
	(void)state;
	two_samples();
	tree_remove("vtx/99-4");
	tree_put("vtx/300-3/vcpu0/exits", HEADER "HLT 4 4 4 1 1\n");
	take(&before);
	tree_remove("vtx/300-3");
	tree_put("vtx/301-3/vcpu0/exits", HEADER "HLT 9 9 9 1 1\n");
	take(&after);
	compute(VTX_TOP_BY_VM, VTX_TOP_SORT_EXITS);
	assert_int_equal(table.lines, 2);
	assert_string_equal(table.line[0].vm, "301-3");
	assert_int_equal(table.line[0].exits, 9); /* all of a new one's */
	assert_int_equal(table.line[1].exits, 0);
	end_samples();
}

static void test_hot_keys(void **state)
{
	(void)state;
	two_samples();
	compute(VTX_TOP_BY_REASON, VTX_TOP_SORT_EXITS);
	assert_int_equal(table.hots, 4);
	assert_string_equal(table.hot[0].key, "0x10"); /* busiest in the interval, not in total */
	assert_int_equal(table.hot[0].count, 90);
	assert_int_equal(table.hot[1].count, 10);
	assert_string_equal(table.hot[3].table, "port");
	end_samples();
}

static void test_no_debugfs(void **state)
{
	(void)state;
	tree_new();
	assert_int_equal(vtx_sample_take(&after, tree, &error), -1);
	assert_non_null(strstr(error.text, "not loaded"));
	assert_int_equal(error.status, VTX_STATUS_DEVICE);
	assert_int_equal(vtx_sample_take(&after, "/nowhere/at/all", &error), -1);
	assert_non_null(strstr(error.text, "No such file"));
	tree_put("vtx/a file", "");
	tree_put("vtx/7-3/vcpux/exits", "not read");
	tree_put("vtx/7-3/vcpu1x/exits", "not read");
	tree_put("vtx/8", "a file whose name begins like a VM's");
	take(&after);
	assert_true(after.vms == 1 && after.vm[0].vcpus == 0);
	tree_put("vtx/7-3/vcpu0/exits", "garbage");
	assert_int_equal(vtx_sample_take(&after, tree, &error), -1);
	assert_non_null(strstr(error.text, "header"));
	end_samples();
}

/* ------------------------------------------------------------------ screen and CSV */

static struct vtx_text text;

static char *draw(int rows, int cols, const struct vtx_top_view *view)
{
	static char *out;
	size_t size;
	FILE *file;

	free(out);
	out = NULL;
	assert_true(vtx_text_reset(&text, rows, cols));
	vtx_top_draw(&text, &table, view);
	file = open_memstream(&out, &size);
	vtx_text_write(&text, file);
	fclose(file);
	return out;
}

static void shows(const char *screen, const char *part)
{
	if (!strstr(screen, part))
		fail_msg("no '%s' in:\n%s", part, screen);
}

static void test_screen_80_by_24(void **state)
{
	struct vtx_top_view view = { .clock = "22:14:03" };
	char *s;

	(void)state;
	two_samples();
	compute(VTX_TOP_BY_REASON, VTX_TOP_SORT_EXITS);
	s = draw(24, 80, &view);
	shows(s, "vtx top - 22:14:03  2 VMs, 4 vCPUs, 1 dead\n");
	shows(s, "135 exits/s; vtx takes 0.4% of a CPU, the VMMs 0.9%, over 2.0 s\n");
	shows(s, "REASON                          EXITS/s      % TICKS/EX  %TICK  USER/EX   TOTAL\n");
	shows(s, "CPUID                               125   92.6       14   77.3        0     351\n");
	shows(s, "IO_INSTRUCTION                       10    7.4       50   22.7      450      20\n");
	shows(s, "\nq quit  v view: reason  s sort: exits  t top: off  u pause  h help\n");
	assert_null(strstr(s, "MSR "));
	view.hot = view.paused = true;
	s = draw(24, 80, &view);
	shows(s, "(paused)");
	shows(s, "\nMSR             PORT            CPUID LEAF      MMIO PAGE       HYPERCALL\n");
	shows(s, "\n0x10        45  0x80         0\n0x1a0        5\n");
	view.help = true;
	shows(draw(24, 80, &view), "TICKS/EX   TSC ticks");
	end_samples();
}

static void test_screen_wide(void **state)
{
	struct vtx_top_view view = { .group = VTX_TOP_BY_VCPU };
	char *s;

	(void)state;
	two_samples();
	compute(VTX_TOP_BY_VCPU, VTX_TOP_SORT_NAME);
	s = draw(24, 110, &view);
	shows(s, "        MIN          MAX\n");
	shows(s, "200-5 vcpu10");
	shows(s, "99-4 vcpu0 (dead)");
	compute(VTX_TOP_BY_ALL, VTX_TOP_SORT_NAME);
	shows(draw(24, 80, &view), "200-5 vcpu0 IO_INSTRUCTION");
	shows(draw(7, 80, &view), "... and more\nq quit");
	end_samples();
}

/* No size writes beyond the buffer (ASan looks), or leaves a character a terminal would act on. */
static void test_screen_every_size(void **state)
{
	struct vtx_top_view view = { .hot = true };

	(void)state;
	two_samples();
	compute(VTX_TOP_BY_ALL, VTX_TOP_SORT_EXITS);
	strcpy(table.line[0].reason, "\033[2J");
	for (int rows = -1; rows < 40; rows += 3)
		for (int cols = -1; cols < 140; cols += 7) {
			view.help = !view.help;
			draw(rows, cols, &view);
			for (int i = 0; i < text.rows * text.cols; i++)
				assert_true(text.cells[i] >= ' ' && text.cells[i] <= '~');
		}
	end_samples();
}

static void test_screen_empty(void **state)
{
	struct vtx_top_view view = { 0 };
	struct vtx_sample none = { 0 };

	(void)state;
	assert_int_equal(vtx_top_compute(&table, NULL, &none, VTX_TOP_BY_REASON, VTX_TOP_SORT_EXITS, &error), 0);
	shows(draw(24, 80, &view), "no virtual machines on vtx; start one with vtx run");
	shows(draw(24, 80, &view), "collecting the first interval");
	vtx_top_free(&table);
	vtx_text_free(&text);
}

static void test_csv(void **state)
{
	char *out = NULL;
	size_t size;
	FILE *file = open_memstream(&out, &size);

	(void)state;
	two_samples();
	compute(VTX_TOP_BY_ALL, VTX_TOP_SORT_EXITS);
	vtx_top_csv_header(file);
	vtx_top_csv(&table, "NOW", file);
	compute(VTX_TOP_BY_REASON, VTX_TOP_SORT_EXITS);
	vtx_top_csv(&table, "NOW", file);
	fclose(file);
	assert_memory_equal(out, "timestamp,vm,vcpu,reason,exits,", 31);
	shows(out, "\nNOW,200-5,0,CPUID,200,100.0,74.1,3000,15.0,68.2,0,300\n");
	shows(out, "\nNOW,200-5,0,IO_INSTRUCTION,20,10.0,7.4,1000,50.0,22.7,9000,20\n");
	shows(out, "\nNOW,,,CPUID,250,125.0,92.6,3400,13.6,77.3,0,351\n");
	free(out);
	end_samples();
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < VTX_TOP_GROUPS; i++)
		assert_int_equal(vtx_top_group_find(vtx_top_group_name((enum vtx_top_group)i)), i);
	for (int i = 0; i < VTX_TOP_SORTS; i++)
		assert_int_equal(vtx_top_sort_find(vtx_top_sort_name((enum vtx_top_sort)i)), i);
	assert_int_equal(vtx_top_group_find("x"), -1);
	assert_int_equal(vtx_top_sort_find(""), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exits_of_both_builds), cmocka_unit_test(test_exits_garbage), cmocka_unit_test(test_hots),
		cmocka_unit_test(test_sample),		     cmocka_unit_test(test_by_reason),	   cmocka_unit_test(test_groups_and_order),
		cmocka_unit_test(test_vm_comes_and_goes),    cmocka_unit_test(test_hot_keys),	   cmocka_unit_test(test_no_debugfs),
		cmocka_unit_test(test_screen_80_by_24),	     cmocka_unit_test(test_screen_wide),   cmocka_unit_test(test_screen_every_size),
		cmocka_unit_test(test_screen_empty),	     cmocka_unit_test(test_csv),	   cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

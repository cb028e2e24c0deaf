// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stream's filter: what its language takes and refuses and with which words, printing, and which exits match.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "compat/pure.h"
#include <cmocka.h>
#include "trace/filter.h"

static struct vtx_filter filter;
static struct vtx_filter_error error;

/* Long ones, so that the longest rule that can be printed is long enough; a gap at 35 as in exits/table.c. */
static const char *name(unsigned int reason)
{
	static char names[VTX_FILTER_OTHER][32];

	switch (reason) {
	case 1:
		return "EXTERNAL_INTERRUPT";
	case 10:
		return "CPUID";
	case 12:
		return "HLT";
	case 30:
		return "IO_INSTRUCTION";
	case 35:
		return NULL;
	}
	snprintf(names[reason], sizeof(names[reason]), "A_REASON_OF_THE_MANUAL_%u", reason);
	return names[reason];
}

static int parse(const char *text)
{
	memset(&error, 0, sizeof(error));
	return vtx_filter_parse(&filter, text, strlen(text), name, &error);
}

static void assert_prints(const char *text, const char *want)
{
	char out[VTX_FILTER_RULE_TEXT];

	if (parse(text))
		fail_msg("'%s': %s", text, error.text);
	assert_int_equal(filter.nr_rules, 1);
	assert_int_equal(vtx_filter_print(&filter.rules[0], name, out, sizeof(out)), strlen(want));
	assert_string_equal(out, want);
	assert_int_equal(parse(want), 0);
	vtx_filter_print(&filter.rules[0], name, out, sizeof(out));
	assert_string_equal(out, want);
}

static void prints_what_it_read(void **state)
{
	assert_prints("show", "show");
	assert_prints("stop reason=CPUID", "stop reason=CPUID");
	assert_prints("  show\treason=HLT,CPUID,HLT \r\n\n", "show reason=CPUID,HLT");
	assert_prints("show port=128 vcpu=0x3", "show vcpu=3 port=0x80");
	assert_prints("show not port=0x20-0x21,0xA0,64-64", "show not port=0x20-0x21,0xa0,0x40");
	assert_prints("show reason=REASON_35,REASON_10,OTHER", "show reason=CPUID,REASON_35,OTHER");
	assert_prints("stop vcpu=0-254 rip=0-18446744073709551615", "stop vcpu=0-254 rip=0x0-0xffffffffffffffff");
	assert_prints("stop msr=0-0xffffffff not gpa=0xfee00000 not reason=HLT#why", "stop not reason=HLT not gpa=0xfee00000 msr=0x0-0xffffffff");
	assert_prints("# a comment; show\n;;show port=0-0xffff;# show", "show port=0x0-0xffff");
}

static void no_rules(void **state)
{
	static const char *const texts[] = { "", "\n", " ; ;\n\t", "# nothing", "#a\n#b\n" };
	struct vtx_record record = { .reason = 10 };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(parse(texts[i]), 0);
		assert_int_equal(filter.nr_rules, 0);
		assert_int_equal(vtx_filter_match(&filter, 0, &record), VTX_FILTER_SHOW);
	}
}

/* ------------------------------------------------------------------ refusals */

static const struct {
	const char *text, *sentence;
	int error;
} bad[] = {
	{ "hide", "line 1, column 1: 'hide' begins no rule; expected show or stop", EINVAL },
	{ "show\n\n  Stop", "line 3, column 3: 'Stop' begins no rule; expected show or stop", EINVAL },
	{ "show=1", "line 1, column 1: 'show=1' begins no rule; expected show or stop", EINVAL },
	{ "show port", "line 1, column 6: 'port' has no value; expected = behind it", EINVAL },
	{ "show port=", "line 1, column 6: 'port=' lacks a value; expected one after = and after each comma", EINVAL },
	{ "show port=1,", "line 1, column 6: 'port=1,' lacks a value; expected one after = and after each comma", EINVAL },
	{ "show port=,1", "line 1, column 6: 'port=,1' lacks a value; expected one after = and after each comma", EINVAL },
	{ "show reason=", "line 1, column 6: 'reason=' lacks a value; expected one after = and after each comma", EINVAL },
	{ "show port=x", "line 1, column 11: 'x' is no number; expected 10, 0x10 or a range as 0x10-0x1f", EINVAL },
	{ "show port=0x", "line 1, column 11: '0x' is no number; expected 10, 0x10 or a range as 0x10-0x1f", EINVAL },
	{ "show port=1-", "line 1, column 13: '' is no number; expected 10, 0x10 or a range as 0x10-0x1f", EINVAL },
	{ "show port=-1", "line 1, column 11: '' is no number; expected 10, 0x10 or a range as 0x10-0x1f", EINVAL },
	{ "show port=1-2-3", "line 1, column 13: '2-3' is no number; expected 10, 0x10 or a range as 0x10-0x1f", EINVAL },
	{ "show port=1 port=2", "line 1, column 13: 'port' stands twice in this rule; expected its values in one list, A,B", EINVAL },
	{ "show;stop port=0x21-0x20", "line 1, column 16: '0x21-0x20' is reversed: expected the smaller number first", EINVAL },
	{ "show port=65536", "line 1, column 11: '65536' is too large: a port is at most 0xffff", EINVAL },
	{ "show port=1-0x10000", "line 1, column 13: '0x10000' is too large: a port is at most 0xffff", EINVAL },
	{ "show msr=0x100000000", "line 1, column 10: '0x100000000' is too large: an MSR's index is at most 0xffffffff", EINVAL },
	{ "show vcpu=255", "line 1, column 11: '255' is too large: a vCPU's number is at most 254", EINVAL },
	{ "show rip=0x10000000000000000", "line 1, column 10: '0x10000000000000000' is too large: an address has 64 bits", EINVAL },
	{ "show gpa=18446744073709551616", "line 1, column 10: '18446744073709551616' is too large: an address has 64 bits", EINVAL },
	{ "show reason=CPUID,cpuid",
	  "line 1, column 19: 'cpuid' is no exit reason; expected a name as in the file exits, REASON_<number> or OTHER", EINVAL },
	{ "show reason=REASON_76",
	  "line 1, column 13: 'REASON_76' is no exit reason; expected a name as in the file exits, REASON_<number> or OTHER", EINVAL },
	{ "show reason=CPUID-HLT",
	  "line 1, column 13: 'CPUID-HLT' is no exit reason; expected a name as in the file exits, REASON_<number> or OTHER", EINVAL },
	{ "stop not", "line 1, column 6: 'not' ends the rule; expected reason=, vcpu=, rip=, gpa=, port=, msr= behind it", EINVAL },
	{ "stop not not port=1",
	  "line 1, column 10: 'not' is no condition; expected reason=, vcpu=, rip=, gpa=, port=, msr= or not", EINVAL },
	{ "show leaf=1", "line 1, column 6: 'leaf' is no condition; expected reason=, vcpu=, rip=, gpa=, port=, msr= or not", EINVAL },
	{ "show =1", "line 1, column 6: '' is no condition; expected reason=, vcpu=, rip=, gpa=, port=, msr= or not", EINVAL },
	{ "show port=1,2,3,4,5", "line 1, column 19: '5' is one value too many: a condition has at most 4", EINVAL },
	{ "show;show;show;show;show;show;show;show;show;show;show;show;show;show;show;show;stop",
	  "line 1, column 81: 'stop' begins a rule too many: a filter has at most 16", E2BIG },
	{ "\x01\xff\x1b[2J", "line 1, column 1: '?" "?" "?[2J' begins no rule; expected show or stop", EINVAL },
	{ "show aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	  "line 1, column 6: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...' is no condition; expected reason=, vcpu=, rip=, gpa=, port=, msr= or not", EINVAL },
};

static void refuses_with_a_sentence(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int want = bad[i].error;

		if (parse(bad[i].text) != -want)
			fail_msg("'%s' was not refused with %d", bad[i].text, want);
		assert_string_equal(error.text, bad[i].sentence);
	}
}

/* A 0 is a character that no word has; nothing behind it is overlooked. */
static void zero_bytes(void **state)
{
	static const char inside[] = "show reason=CPUID\0,HLT", behind[] = "show\n\0\0", alone[] = "\0";

	assert_int_equal(vtx_filter_parse(&filter, inside, sizeof(inside) - 1, name, &error), -EINVAL);
	assert_string_equal(error.text,
			    "line 1, column 13: 'CPUID?' is no exit reason; expected a name as in the file exits, REASON_<number> or OTHER");
	assert_int_equal(vtx_filter_parse(&filter, behind, sizeof(behind) - 1, name, &error), -EINVAL);
	assert_string_equal(error.text, "line 2, column 1: '?" "?' begins no rule; expected show or stop");
	assert_int_equal(vtx_filter_parse(&filter, alone, 1, name, &error), -EINVAL);
}

static void lengths(void **state)
{
	char *text = malloc(VTX_FILTER_TEXT + 1);

	memset(text, ' ', VTX_FILTER_TEXT + 1);
	assert_int_equal(vtx_filter_parse(&filter, text, VTX_FILTER_TEXT, name, &error), 0);
	assert_int_equal(vtx_filter_parse(&filter, text, VTX_FILTER_TEXT + 1, name, &error), -E2BIG);
	assert_string_equal(error.text, "a text of 65537 bytes is too long: at most 65536");
	memset(text, 'A', VTX_FILTER_TEXT);
	assert_int_equal(vtx_filter_parse(&filter, text, VTX_FILTER_TEXT, name, &error), -EINVAL);
	free(text);
}

/* The longest rule there is fits, and what is printed can be read. */
static void longest_rule(void **state)
{
	struct vtx_filter_rule rule = { .action = VTX_FILTER_STOP, .given = 0x3f, .negated = 0x3f, .reasons = { ~0ULL, 0x1fff } };
	char out[VTX_FILTER_RULE_TEXT];
	size_t n;

	for (int key = VTX_FILTER_VCPU; key < VTX_NR_FILTER_KEYS; key++) {
		u64 max = key == VTX_FILTER_VCPU ? 254 : key == VTX_FILTER_PORT ? 0xffff : key == VTX_FILTER_MSR ? ~0U : ~0ULL;

		rule.nr_ranges[key] = VTX_FILTER_RANGES;
		for (int i = 0; i < VTX_FILTER_RANGES; i++)
			rule.ranges[key][i] = (struct vtx_filter_range){ max - 1, max };
	}
	n = vtx_filter_print(&rule, name, out, sizeof(out));
	assert_true(n < VTX_FILTER_RULE_TEXT - 1);
	assert_int_equal(parse(out), 0);
	assert_memory_equal(&filter.rules[0], &rule, sizeof(rule));
	/* A small buffer is filled and ends in a 0. */
	assert_int_equal(vtx_filter_print(&rule, name, out, 6), 5);
	assert_string_equal(out, "stop ");
}

/* ------------------------------------------------------------------ matching */

#define IO(port) { .reason = 30, .info = (u64)(port) << 16 | 0x41, .rip = 0x1000 }
#define MSR(reason_, index) { .reason = (reason_), .info = (index), .rip = 0x2000 }

static const struct {
	const char *text;
	u32 vcpu;
	struct vtx_record record;
	unsigned int want;
} matches[] = {
	{ "show reason=CPUID", 0, { .reason = 10 }, VTX_FILTER_SHOW },
	{ "show reason=CPUID", 0, { .reason = 12 }, 0 },
	{ "show not reason=CPUID", 0, { .reason = 12 }, VTX_FILTER_SHOW },
	{ "show reason=CPUID;show reason=HLT", 0, { .reason = 12 }, VTX_FILTER_SHOW },
	{ "stop reason=HLT", 0, { .reason = 10 }, VTX_FILTER_SHOW },
	{ "stop reason=HLT", 0, { .reason = 12 }, VTX_FILTER_SHOW | VTX_FILTER_STOP },
	{ "show reason=CPUID;stop reason=HLT", 0, { .reason = 12 }, VTX_FILTER_STOP },
	/* A failed entry has its basic reason; what is no reason at all is OTHER. */
	{ "show reason=REASON_33", 0, { .reason = 0x80000021 }, VTX_FILTER_SHOW },
	{ "show reason=OTHER", 0, { .reason = ~0u }, VTX_FILTER_SHOW },
	{ "show reason=OTHER", 0, { .reason = 76 }, VTX_FILTER_SHOW },
	{ "show reason=OTHER", 0, { .reason = 75 }, 0 },
	{ "show vcpu=1-2", 1, { .reason = 12 }, VTX_FILTER_SHOW },
	{ "show vcpu=1-2", 3, { .reason = 12 }, 0 },
	{ "show vcpu=1-2,7", 7, { .reason = 12 }, VTX_FILTER_SHOW },
	{ "show rip=0x1000-0x1fff", 0, { .rip = 0x1fff }, VTX_FILTER_SHOW },
	{ "show rip=0x1000-0x1fff", 0, { .rip = 0x2000 }, 0 },
	{ "show rip=0x1000-0x1fff", 0, { .rip = 0xfff }, 0 },
	{ "show gpa=0-0xfff", 0, { .gpa = 0x10, .flags = VTX_RECORD_GPA }, VTX_FILTER_SHOW },
	{ "show gpa=0-0xfff", 0, { .gpa = 0x10 }, 0 },
	{ "show not gpa=0-0xfff", 0, { .gpa = 0x10 }, VTX_FILTER_SHOW },
	{ "show port=0x80", 0, IO(0x80), VTX_FILTER_SHOW },
	{ "show port=0x80", 0, IO(0x81), 0 },
	{ "show port=0x80", 0, MSR(31, 0x80), 0 },
	{ "show not port=0x80", 0, IO(0x81), VTX_FILTER_SHOW },
	{ "show not port=0x80", 0, IO(0x80), 0 },
	{ "show port=0xffff", 0, IO(0xffff), VTX_FILTER_SHOW },
	{ "show msr=0x1a0", 0, MSR(31, 0x1a0), VTX_FILTER_SHOW },
	{ "show msr=0x1a0", 0, MSR(32, 0x1a0), VTX_FILTER_SHOW },
	{ "show msr=0x1a0", 0, MSR(10, 0x1a0), 0 },
	{ "show msr=0x1a0 reason=REASON_32", 0, MSR(31, 0x1a0), 0 },
	{ "show msr=0xc0000000-0xffffffff", 0, MSR(31, 0xc0000080), VTX_FILTER_SHOW },
	/* All conditions of a rule hold, or it does not. */
	{ "show port=0x80 rip=0x1000 vcpu=0", 0, IO(0x80), VTX_FILTER_SHOW },
	{ "show port=0x80 rip=0x1001 vcpu=0", 0, IO(0x80), 0 },
	{ "show port=0x80 not vcpu=0", 0, IO(0x80), 0 },
	{ "show", 9, IO(0x80), VTX_FILTER_SHOW },
	{ "stop", 9, IO(0x80), VTX_FILTER_SHOW | VTX_FILTER_STOP },
};

static void matching(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(matches); i++) {
		if (parse(matches[i].text))
			fail_msg("'%s': %s", matches[i].text, error.text);
		if (vtx_filter_match(&filter, matches[i].vcpu, &matches[i].record) != matches[i].want)
			fail_msg("row %zu: '%s', reason %u", i, matches[i].text, matches[i].record.reason);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prints_what_it_read), cmocka_unit_test(no_rules), cmocka_unit_test(refuses_with_a_sentence),
		cmocka_unit_test(zero_bytes), cmocka_unit_test(lengths), cmocka_unit_test(longest_rule), cmocka_unit_test(matching),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/* The command line of `vtx run`: what is accepted, what it means, what is refused and why. */
#include "unit.h"

#include "userspace-vmm/options.h"

static struct vtx_run_options o;
static struct vtx_error error;

static int parse(const char *line)
{
	static char buffer[8192];
	char *argv[64], *save = NULL;
	int argc = 0;

	memset(&error, 0, sizeof(error));
	snprintf(buffer, sizeof(buffer), "%s", line);
	for (char *p = strtok_r(buffer, "|", &save); p && argc < 63; p = strtok_r(NULL, "|", &save))
		argv[argc++] = p;
	argv[argc] = NULL;
	return vtx_options_parse(&o, argc, argv, &error);
}

static void refused(const char *line, const char *part)
{
	assert_int_equal(parse(line), -1);
	assert_int_equal(error.status, VTX_STATUS_USAGE);
	if (!strstr(error.text, part))
		fail_msg("\"%s\" does not say \"%s\" but \"%s\"", line, part, error.text);
}

static void test_defaults(void **state)
{
	(void)state;
	assert_int_equal(parse("run|-k|K"), 0);
	assert_string_equal(o.kernel, "K");
	assert_null(o.initrd);
	assert_string_equal(o.device, "/dev/vtx");
	assert_string_equal(o.cmdline, "console=ttyS0 reboot=t panic=-1");
	assert_int_equal(o.memory, 512 * MIB);
	assert_int_equal(o.cpus, 1);
	assert_false(o.flat || o.debug_exit || o.no_irqchip || o.verbose || o.help);
}

static void test_all_options(void **state)
{
	(void)state;
	assert_int_equal(parse("run|--kernel=K|--initramfs|I|--append|a b|--params=c|-m|2G|-c|3|--dev|/dev/kvm|-v"), 0);
	assert_string_equal(o.initrd, "I");
	assert_string_equal(o.cmdline, "console=ttyS0 reboot=t panic=-1 a b c");
	assert_int_equal(o.memory, 2048 * MIB);
	assert_int_equal(o.cpus, 3);
	assert_string_equal(o.device, "/dev/kvm");
	assert_true(o.verbose);
	assert_null(o.report);
	assert_int_equal(parse("run|-k|K|--report|R|--symbols|S"), 0);
	assert_string_equal(o.report, "R");
	assert_string_equal(o.symbols, "S");
	assert_null(o.boot);
}

static void test_flat(void **state)
{
	(void)state;
	assert_int_equal(parse("run|-k|K|--flat|0x7c00|--debug-exit|--no-irqchip"), 0);
	assert_true(o.flat && o.debug_exit && o.no_irqchip);
	assert_int_equal(o.flat_address, 0x7c00);
	assert_int_equal(o.flat_mode, VTX_ENTRY_REAL);
	assert_int_equal(parse("run|-k|K|--flat|65536|--flat-mode|long"), 0);
	assert_int_equal(o.flat_mode, VTX_ENTRY_LONG);
	assert_int_equal(o.flat_address, 65536);
	assert_int_equal(parse("run|-k|K|--flat|65536|--flat-mode|protected"), 0);
	assert_int_equal(o.flat_mode, VTX_ENTRY_PROTECTED);
}

static void test_help_needs_nothing_else(void **state)
{
	(void)state;
	assert_int_equal(parse("run|--help"), 0);
	assert_true(o.help);
}

static void test_refused(void **state)
{
	(void)state;
	refused("run", "-k");
	refused("run|-k", "-k needs a value");
	refused("run|K", "K");
	refused("run|-k|K|extra", "extra");
	refused("run|-k|K|-z", "-z");
	refused("run|-k|K|--zzz", "--zzz");
	refused("run|-k|K|--verbose=3", "--verbose=3");
	refused("run|-k|K|-c|0", "-c 0");
	refused("run|-k|K|-c|255", "254");
	refused("run|-k|K|-c|-1", "-c -1");
	refused("run|-k|K|-c|2x", "2x");
	refused("run|-k|K|-c|99999999999999999999999", "-c 9");
	refused("run|-k|K|--flat|zz", "zz");
	refused("run|-k|K|--flat|-5", "-5");
	refused("run|-k|K|--flat|0x1ffffffffffffffff", "0x1");
	refused("run|-k|K|--flat|0|--flat-mode|virtual", "virtual");
	refused("run|-k|K|--flat-mode|long", "--flat");
	refused("run|-k|K|--flat|0|-i|I", "initrd");
	refused("run|-k|K|--no-irqchip", "--flat");
	refused("run|-k|K|--flat|0|--no-irqchip|-c|2", "one CPU");
}

static void test_long_cmdline_is_refused(void **state)
{
	char line[6000] = "run|-k|K|-p|";
	size_t start = strlen(line), room = VTX_CMDLINE_MAX - 1 - strlen(VTX_DEFAULT_CMDLINE) - 1;

	(void)state;
	memset(line + start, 'x', room);
	assert_int_equal(parse(line), 0);
	assert_int_equal(strlen(o.cmdline), VTX_CMDLINE_MAX - 1);
	line[start + room] = 'x';
	refused(line, "longer");
}

static void test_memory(void **state)
{
	static const struct {
		const char *text;
		uint64_t mib; /* 0: refused */
	} cases[] = {
		{ "512", 512 },	    { "512M", 512 }, { "512m", 512 }, { "2G", 2048 },  { "2g", 2048 },
		{ "size=1G", 1024 }, { "2", 2 },      { "1", 0 },      { "0", 0 },	{ "", 0 },
		{ "M", 0 },	    { "-5", 0 },     { "5T", 0 },     { "5MB", 0 },	{ " 5", 0 },
		{ "1024G", 1 << 20 }, { "1025G", 0 }, { "17592186044416G", 0 }, { "99999999999999999999", 0 },
		{ "0x100", 0 },	    { "size=", 0 },
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t bytes = 77;
		int ret = vtx_options_memory(cases[i].text, &bytes, &error);

		if (ret != (cases[i].mib ? 0 : -1) || bytes != (cases[i].mib ? cases[i].mib * MIB : 77))
			fail_msg("-m %s: %d, %llu", cases[i].text, ret, (unsigned long long)bytes);
	}
}

static void test_help_lists_every_status(void **state)
{
	static const int statuses[] = { 0, 1, 2, 3, 4, 10, 11, 12, 13, 14 };
	char *text = NULL, line[16];
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	vtx_options_help(out);
	fclose(out);
	for (unsigned int i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		snprintf(line, sizeof(line), "\n  %3d  ", statuses[i]);
		assert_non_null(strstr(text, line));
		assert_string_not_equal(vtx_status_text(statuses[i]), "unknown status");
	}
	free(text);
	assert_string_equal(vtx_status_text(99), "unknown status");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all_options),
		cmocka_unit_test(test_flat),
		cmocka_unit_test(test_help_needs_nothing_else),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_long_cmdline_is_refused),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_help_lists_every_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-only
/* `vtx trace`, `vtx explain` and `vtx boot-report` as a shell sees them: exit status, standard output, standard error. */
#define _GNU_SOURCE
#include "trace_unit.h"

#include "userspace-vmm/command.h"
#include "userspace-vmm/report_data.h"
#include "userspace-vmm/run.h"
#include "userspace-vmm/status.h"
#include "userspace-vmm/trace_source.h"

static char out[65536], err[65536];

/* No guest runs here: boot-report gets what a failed start gives. */
int vtx_run(const struct vtx_run_options *options)
{
	printf("run %s %s\n", options->kernel, options->boot ? "watched" : "alone");
	return VTX_STATUS_DEVICE;
}

static void slurp(const char *path, char *text, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t n = fread(text, 1, size - 1, f);

	text[n] = '\0';
	fclose(f);
}

/* The command in a process of its own. */
static int run(int (*command)(int argc, char **argv), const char *line)
{
	char buffer[1024], *argv[32], *save = NULL;
	const char *out_path = test_path("out"), *err_path = test_path("err");
	int argc = 0, status;
	pid_t pid;

	snprintf(buffer, sizeof(buffer), "%s", line);
	for (char *p = strtok_r(buffer, "|", &save); p && argc < 31; p = strtok_r(NULL, "|", &save))
		argv[argc++] = p;
	argv[argc] = NULL;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		if (!freopen(out_path, "w", stdout) || !freopen(err_path, "w", stderr))
			_exit(99);
		status = command(argc, argv);
		fflush(NULL);
		_exit(status);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	slurp(out_path, out, sizeof(out));
	slurp(err_path, err, sizeof(err));
	return WEXITSTATUS(status);
}

static const char *command_line(const char *format, const char *path)
{
	static char line[512];

	snprintf(line, sizeof(line), format, path);
	return line;
}

static const char *ring_file(void)
{
	size_t size;
	uint8_t *ring = test_ring_new(64, 100, &size);
	const char *path = test_file("ring", ring, size);

	free(ring);
	return path;
}

static void test_trace(void **state)
{
	const char *path = ring_file(), *copy;

	(void)state;
	assert_int_equal(run(vtx_command_trace, command_line("trace|-i|%s|--count|2", path)), 0);
	test_contains(out, "  3       36 ");
	test_contains(out, "  3       37 ");
	assert_null(strstr(out, "  3       38 "));
	assert_int_equal(run(vtx_command_trace, command_line("trace|-i|%s|--reason|HLT", path)), 0);
	assert_null(strstr(out, "CPUID"));
	assert_int_equal(run(vtx_command_trace, command_line("trace|-i|%s|-f|chrome", path)), 0);
	test_json(out, "len([e for e in d if e[\"ph\"] == \"X\"]) == 64");
	assert_int_equal(run(vtx_command_trace, "trace|--help"), 0);
	test_contains(out, "--filter TEXT");
	/* saved and read again */
	copy = test_path("copy");
	snprintf(err, sizeof(err), "trace|-i|%s|-w|%s|--count|10", path, copy);
	assert_int_equal(run(vtx_command_trace, strdupa(err)), 0);
	assert_string_equal(out, "");
	assert_int_equal(run(vtx_command_trace, command_line("trace|-i|%s|-f|json", copy)), 0);
	test_contains(out, "{\"vcpu\": 3, \"lost\": 0, \"tsc\": 1036000, \"us\": 0.000, \"reason\": \"CPUID\", \"number\": 36,");
	test_contains(out, "\"number\": 45,");
	assert_null(strstr(out, "\"number\": 46,"));
}

static void test_trace_refused(void **state)
{
	const char *path = ring_file();

	(void)state;
	assert_int_equal(run(vtx_command_trace, "trace|--nonsense"), VTX_STATUS_USAGE);
	assert_int_equal(run(vtx_command_trace, "trace|-i|/nowhere"), VTX_STATUS_IMAGE);
	assert_int_equal(run(vtx_command_trace, command_line("trace|-i|%s|-s|/nowhere", path)), VTX_STATUS_IMAGE);
	assert_int_equal(run(vtx_command_trace, command_line("trace|-i|%s|-w|/nowhere/x", path)), VTX_STATUS_HOST_ERROR);
	test_file("text", "this is no trace, but long enough to be looked at as if it were one: seventy-two bytes", 86);
	assert_int_equal(run(vtx_command_trace, command_line("trace|-i|%s", test_path("text"))), VTX_STATUS_IMAGE);
	test_contains(err, "is not a trace");
	assert_int_equal(run(vtx_command_trace, "trace|/nowhere/vm"), VTX_STATUS_DEVICE);
	assert_int_equal(run(vtx_command_trace, "trace|99999999"), VTX_STATUS_DEVICE);
	/* a map has no code to disassemble */
	test_file("map", "ffffffff81000000 T a\n", 21);
	snprintf(err, sizeof(err), "trace|-i|%s|-d|-s|%s", path, test_path("map"));
	assert_int_equal(run(vtx_command_trace, strdupa(err)), VTX_STATUS_USAGE);
	test_contains(err, "holds no code");
}

/* What a full disk or a closed pipe does. */
static void test_trace_output_fails(void **state)
{
	(void)state;
	assert_int_equal(run(vtx_command_trace, command_line("trace|-w|/dev/full|-i|%s", ring_file())), VTX_STATUS_HOST_ERROR);
	test_contains(err, "cannot be written");
}

static void test_explain(void **state)
{
	static struct vtx_report_saved saved;
	struct vtx_error error;
	const char *path = test_path("report");
	char folder[128], command[1024];

	(void)state;
	saved.data.has = VTX_REPORT_HAS_FAILURE;
	saved.data.failure.kind = VTX_FAILURE_ENTRY;
	saved.data.failure.nr_rules = 1;
	strcpy(saved.data.failure.rules[0].id, "guest.cr4.vmxe");
	assert_int_equal(vtx_report_write(path, &saved, &error), 0);
	assert_int_equal(run(vtx_command_explain, command_line("explain|%s", path)), 0);
	test_contains(out, "1 rule of Intel's manual does not hold:\n    guest.cr4.vmxe (");
	assert_int_equal(run(vtx_command_explain, command_line("explain|-f|json|%s", path)), 0);
	test_json(out, "d[\"failure\"][\"rules\"][0][\"id\"] == \"guest.cr4.vmxe\"");
	/* a VM's folder */
	snprintf(folder, sizeof(folder), "%s", test_path("12-3"));
	snprintf(command, sizeof(command), "mkdir -p %s/vcpu0 %s/vcpu1; cp %s %s/vcpu1/recorder_raw; echo 'it died' >%s/vcpu1/last_failure; "
		 "echo 'it died as well' >%s/last_failure", folder, folder, ring_file(), folder, folder, folder);
	assert_int_equal(system(command), 0);
	assert_int_equal(run(vtx_command_explain, command_line("explain|--last|2|%s", folder)), 0);
	test_contains(out, "VM 12-3\nvCPU 1: it died\n  the last 2 exits of 100");
	assert_int_equal(run(vtx_command_explain, command_line("explain|-f|json|--last|3|%s", folder)), 0);
	test_json(out, "d[\"vm\"] == \"12-3\" and d[\"last_failure\"] == \"it died as well\\n\" and len(d[\"vcpus\"]) == 1 and d[\"vcpus\"][0][\"last_failure\"] == \"it died\\n\""
		  " and len(d[\"vcpus\"][0][\"last_exits\"]) == 3");
	assert_int_equal(run(vtx_command_explain, command_line("explain|-f|json|--vcpu|0|%s", folder)), 0);
	test_json(out, "d[\"vcpus\"][0][\"vcpu\"] == 0 and \"last_exits\" not in d[\"vcpus\"][0]");
}

static void test_explain_refused(void **state)
{
	static const char *const lines[] = {
		"explain|--zzz", "explain|a|b", "explain|-f|xml|a", "explain|--last|1025|a", "explain|--vcpu|x|a", "explain|--kaslr|z|a",
		"explain|-s",
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(run(vtx_command_explain, lines[i]), VTX_STATUS_USAGE);
	assert_int_equal(run(vtx_command_explain, command_line("explain|%s", test_file("none", "none", 4))), VTX_STATUS_IMAGE);
	test_contains(err, "is not a report");
	assert_int_equal(run(vtx_command_explain, "explain|/nowhere"), VTX_STATUS_DEVICE);
	assert_int_equal(run(vtx_command_explain, "explain|--help"), 0);
}

static void test_boot_report(void **state)
{
	const char *path = ring_file();
	char line[256], text[4096];

	(void)state;
	assert_int_equal(run(vtx_command_boot_report, command_line("boot-report|-i|%s", path)), 0);
	test_contains(out, "kernel, early");
	assert_int_equal(run(vtx_command_boot_report, command_line("boot-report|-f|json|-i|%s", path)), 0);
	test_json(out, "d[\"phases\"][0][\"exits\"] == 64");
	snprintf(line, sizeof(line), "boot-report|--title|A & B|-o|%s|-o|%s|-i|%s", test_path("b.svg"), test_path("b.txt"), path);
	assert_int_equal(run(vtx_command_boot_report, line), 0);
	assert_string_equal(out, "");
	slurp(test_path("b.svg"), text, sizeof(text));
	test_contains(text, "A &amp; B");
	slurp(test_path("b.txt"), text, sizeof(text));
	test_contains(text, "A & B\n");
	/* what goes to the guest's run, and its status when it could not start */
	assert_int_equal(run(vtx_command_boot_report, "boot-report|--|-k|K"), VTX_STATUS_DEVICE);
	test_contains(out, "run K watched\n");
	assert_int_equal(run(vtx_command_boot_report, "boot-report|--help"), 0);
}

static void test_boot_report_refused(void **state)
{
	static const char *const lines[] = {
		"boot-report", "boot-report|-k|K", "boot-report|--", "boot-report|K", "boot-report|-f|png|--|-k|K",
		"boot-report|--tsc-khz|0|-i|f", "boot-report|-o|1|-o|2|-o|3|-o|4|-o|5|-i|f", "boot-report|-i|f|--|-k|K", "boot-report|--|-z",
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (run(vtx_command_boot_report, lines[i]) != VTX_STATUS_USAGE)
			fail_msg("%s: %s", lines[i], err);
	}
	assert_int_equal(run(vtx_command_boot_report, "boot-report|-i|/nowhere"), VTX_STATUS_IMAGE);
	assert_int_equal(run(vtx_command_boot_report, command_line("boot-report|-o|/nowhere/x|-i|%s", ring_file())), VTX_STATUS_HOST_ERROR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trace),	      cmocka_unit_test(test_trace_refused), cmocka_unit_test(test_trace_output_fails),
		cmocka_unit_test(test_explain),	      cmocka_unit_test(test_explain_refused),
		cmocka_unit_test(test_boot_report),   cmocka_unit_test(test_boot_report_refused),
	};

	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}

// SPDX-License-Identifier: GPL-2.0-only
/* `vtx explain`: why a guest died, from a saved report or from a VM that is still there. */
#define _GNU_SOURCE
#include "userspace-vmm/command.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "userspace-vmm/debugfs_vm.h"
#include "userspace-vmm/explain.h"
#include "userspace-vmm/ring.h"
#include "userspace-vmm/trace_options.h"

struct vtx_explain_command {
	const char *what; /* a file or a VM; NULL: the only VM */
	const char *symbols_file;
	uint64_t kaslr;
	bool json, help;
	int vcpu; /* -1: those that failed */
	struct vtx_explain_options options;
};

static const struct option vtx_long_options[] = {
	{ "format", required_argument, NULL, 'f' }, { "symbols", required_argument, NULL, 's' },
	{ "kaslr", required_argument, NULL, 'k' },  { "vcpu", required_argument, NULL, 'c' },
	{ "last", required_argument, NULL, 'n' },   { "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static void vtx_explain_help(void)
{
	fputs("Usage: vtx explain [options] FILE\n"
	      "       vtx explain [options] [VM]\n"
	      "\n"
	      "Says why a guest died: the rule of Intel's manual that did not hold or the chain of faults, the last exits, registers\n"
	      "and code.  FILE was written by `vtx run --report FILE`.  VM is <pid>-<fd> as in /sys/kernel/debug/vtx, or a process id,\n"
	      "and is looked at through debugfs (root).\n"
	      "\n"
	      "  -f, --format FORMAT    text (default) or json\n"
	      "  -s, --symbols FILE     the guest's System.map, kallsyms or vmlinux: addresses get names\n"
	      "      --kaslr OFFSET     what KASLR added to the guest's addresses\n"
	      "      --vcpu N           of a VM, this vCPU; default are those that failed, else vCPU 0\n"
	      "      --last N           show the last N exits, at most 1024; default 20\n"
	      "  -h, --help             this text\n", stdout);
}

static int vtx_explain_one(struct vtx_explain_command *o, int c, struct vtx_error *error)
{
	uint64_t n;

	switch (c) {
	case 'f':
		o->json = !strcmp(optarg, "json");
		if (!o->json && strcmp(optarg, "text"))
			return vtx_error_set(error, VTX_STATUS_USAGE, "--format %s: unknown; there are text and json", optarg);
		return 0;
	case 's':
		o->symbols_file = optarg;
		return 0;
	case 'k':
		if (vtx_parse_u64(optarg, &o->kaslr))
			return vtx_error_set(error, VTX_STATUS_USAGE, "--kaslr %s: not a number", optarg);
		return 0;
	case 'c':
		if (vtx_parse_u64(optarg, &n) || n > 65535)
			return vtx_error_set(error, VTX_STATUS_USAGE, "--vcpu %s: not the number of a vCPU", optarg);
		o->vcpu = (int)n;
		return 0;
	case 'n':
		if (vtx_parse_u64(optarg, &n) || n > VTX_EXPLAIN_MAX_LAST)
			return vtx_error_set(error, VTX_STATUS_USAGE, "--last %s: must be 0 to %d", optarg, VTX_EXPLAIN_MAX_LAST);
		o->options.last = (unsigned int)n;
		return 0;
	default:
		o->help = true;
		return 0;
	}
}

static int vtx_explain_parse(struct vtx_explain_command *o, int argc, char **argv, struct vtx_error *error)
{
	int c;

	*o = (struct vtx_explain_command){ .vcpu = -1, .options.last = VTX_EXPLAIN_LAST };
	optind = 0; /* glibc: start afresh */
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":f:s:h", vtx_long_options, NULL)) != -1) {
		if (c == ':' || c == '?')
			return vtx_error_set(error, VTX_STATUS_USAGE, "%s: %s; see vtx explain --help", argv[optind - 1],
					     c == ':' ? "needs a value" : "unknown option");
		if (vtx_explain_one(o, c, error))
			return -1;
	}
	if (optind < argc)
		o->what = argv[optind++];
	if (optind < argc && !o->help)
		return vtx_error_set(error, VTX_STATUS_USAGE, "%s: one at a time; see vtx explain --help", argv[optind]);
	return 0;
}

/* ------------------------------------------------------------------ a file */

static int vtx_explain_file(const struct vtx_explain_command *o, struct vtx_error *error)
{
	static struct vtx_report_saved saved;
	int ret = vtx_report_read(o->what, &saved, error);

	if (!ret && o->json)
		vtx_explain_json(&saved, &o->options, stdout);
	else if (!ret)
		vtx_explain_text(&saved, &o->options, stdout);
	vtx_report_free(&saved);
	return ret;
}

/* ------------------------------------------------------------------ a VM */

/* A text file of the VM's folder; "" where there is none. */
static char *vtx_explain_note(const char *folder, const char *file)
{
	struct vtx_error ignored;
	char *text = vtx_debugfs_read(folder, file, NULL, &ignored);

	return text ? text : calloc(1, 1);
}

static void vtx_explain_vcpu(const struct vtx_explain_command *o, const char *folder, unsigned int n, struct vtx_json *j)
{
	struct vtx_error error;
	char file[48], *note;
	size_t size = 0;
	char *ring;

	snprintf(file, sizeof(file), "vcpu%u/last_failure", n);
	note = vtx_explain_note(folder, file);
	snprintf(file, sizeof(file), "vcpu%u/recorder_raw", n);
	ring = vtx_debugfs_read(folder, file, &size, &error);
	if (!ring || vtx_ring_check(ring, size, file, &error)) {
		vtx_say("%s", error.text);
		free(ring);
		ring = NULL;
	}
	if (o->json) {
		vtx_json_open(j, NULL, '{');
		vtx_json_number(j, "vcpu", n);
		vtx_json_text(j, "last_failure", note ? note : "");
		if (ring)
			vtx_explain_ring_json(ring, &o->options, j);
		vtx_json_close(j, '}');
	} else {
		printf("vCPU %u: %s", n, note && *note ? note : "no failure\n");
		if (ring)
			vtx_explain_ring_text(ring, &o->options, stdout);
	}
	free(note);
	free(ring);
}

/* The vCPUs to show: the one asked for, those with a failure, else the first. */
static void vtx_explain_vcpus(const struct vtx_explain_command *o, const char *folder, struct vtx_json *j)
{
	unsigned int count = vtx_debugfs_vcpus(folder), shown = 0;

	for (unsigned int n = 0; o->vcpu < 0 && n < count; n++) {
		char file[48], *note;

		snprintf(file, sizeof(file), "vcpu%u/last_failure", n);
		note = vtx_explain_note(folder, file);
		if (note && *note) {
			vtx_explain_vcpu(o, folder, n, j);
			shown++;
		}
		free(note);
	}
	if (!shown && count)
		vtx_explain_vcpu(o, folder, o->vcpu < 0 ? 0 : (unsigned int)o->vcpu, j);
}

static int vtx_explain_vm(const struct vtx_explain_command *o, struct vtx_error *error)
{
	static const char *const notes[] = { "failure", "last_failure", "diagnosis" };
	static const char *const titles[] = { "the VM is dead", NULL, "suspicions" };
	char folder[PATH_MAX];
	struct vtx_json j;

	if (vtx_debugfs_vm(VTX_DEBUGFS, o->what, folder, sizeof(folder), error))
		return -1;
	vtx_json_init(&j, stdout);
	if (o->json) {
		vtx_json_open(&j, NULL, '{');
		vtx_json_text(&j, "vm", strrchr(folder, '/') + 1);
	} else {
		printf("VM %s\n", strrchr(folder, '/') + 1);
	}
	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
		char *text = vtx_explain_note(folder, notes[i]);

		if (o->json)
			vtx_json_text(&j, notes[i], text ? text : "");
		else if (text && *text && titles[i]) /* the last failure is that of a vCPU, below */
			printf("%s: %s", titles[i], text);
		free(text);
	}
	if (o->json)
		vtx_json_open(&j, "vcpus", '[');
	vtx_explain_vcpus(o, folder, &j);
	if (o->json) {
		vtx_json_close(&j, ']');
		vtx_json_close(&j, '}');
		putchar('\n');
	}
	return 0;
}

static int vtx_explain_it(struct vtx_explain_command *o, struct vtx_symbols *symbols, struct vtx_error *error)
{
	struct stat st;

	if (o->symbols_file) {
		if (vtx_symbols_open(symbols, o->symbols_file, error))
			return -1;
		symbols->offset = o->kaslr;
		o->options.symbols = symbols;
	}
	if (o->what && !stat(o->what, &st) && !S_ISDIR(st.st_mode))
		return vtx_explain_file(o, error);
	return vtx_explain_vm(o, error);
}

int vtx_command_explain(int argc, char **argv)
{
	static struct vtx_explain_command command;
	struct vtx_symbols symbols = { .count = 0 };
	struct vtx_error error;
	int ret = vtx_explain_parse(&command, argc, argv, &error);

	if (!ret && command.help) {
		vtx_explain_help();
		return 0;
	}
	if (!ret)
		ret = vtx_explain_it(&command, &symbols, &error);
	vtx_symbols_close(&symbols);
	if (!ret)
		return 0;
	vtx_say("%s", error.text);
	return (int)error.status;
}

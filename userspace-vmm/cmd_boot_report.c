// SPDX-License-Identifier: GPL-2.0-only
/* `vtx boot-report`: runs a guest as `vtx run` does, or reads a trace, and says where the boot time went. */
#define _GNU_SOURCE
#include "userspace-vmm/command.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace-vmm/boot_live.h"
#include "userspace-vmm/boot_trace.h"
#include "userspace-vmm/options.h"
#include "userspace-vmm/run.h"
#include "userspace-vmm/trace_options.h"

#define VTX_MAX_OUTPUTS 4

struct vtx_boot_command {
	const char *input, *until, *title;
	const char *output[VTX_MAX_OUTPUTS];
	unsigned int outputs;
	void (*format)(const struct vtx_boot_report *report, FILE *out); /* for stdout */
	uint32_t tsc_khz;
	bool keep_running, help;
};

static const struct option vtx_long_options[] = {
	{ "output", required_argument, NULL, 'o' }, { "format", required_argument, NULL, 'f' },
	{ "input", required_argument, NULL, 'i' },  { "until", required_argument, NULL, 'u' },
	{ "title", required_argument, NULL, 't' },  { "keep-running", no_argument, NULL, 'k' },
	{ "tsc-khz", required_argument, NULL, 'z' }, { "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static void vtx_boot_help(void)
{
	fputs("Usage: vtx boot-report [options] -- RUN-OPTIONS\n"
	      "       vtx boot-report [options] -i FILE\n"
	      "\n"
	      "Says where a guest's boot time went: in which phase, and whether in the guest, in vtx, in the VMM or idle; and which exits\n"
	      "it took.  RUN-OPTIONS are those of `vtx run`; the guest is started like there and ended when it is up.  Counting exits\n"
	      "needs debugfs (root).\n"
	      "\n"
	      "  -o, --output FILE      write the report to FILE: a picture if it ends in .svg, JSON if in .json, else text.\n"
	      "                         May be given up to four times; without it the report goes to stdout\n"
	      "  -f, --format FORMAT    what goes to stdout: text (default), json, svg\n"
	      "  -i, --input FILE       a trace as `vtx trace -w` writes it, instead of a guest\n"
	      "      --until TEXT       the guest is up when its console shows TEXT; default \"guest: up\"\n"
	      "      --keep-running     do not end the guest then; the report comes when it ends\n"
	      "      --title TEXT       heading of the report\n"
	      "      --tsc-khz N        ticks in a millisecond, for files that do not say it\n"
	      "  -h, --help             this text\n"
	      "\n"
	      "Example: vtx boot-report -o boot.svg -- -k /vmlinuz -i initrd.img\n", stdout);
}

static int vtx_boot_format(struct vtx_boot_command *o, const char *name)
{
	o->format = !strcmp(name, "text") ? vtx_boot_print_text : !strcmp(name, "json") ? vtx_boot_print_json :
		    !strcmp(name, "svg") ? vtx_boot_print_svg : NULL;
	return o->format ? 0 : -1;
}

static int vtx_boot_one(struct vtx_boot_command *o, int c, struct vtx_error *error)
{
	uint64_t n;

	switch (c) {
	case 'o':
		if (o->outputs == VTX_MAX_OUTPUTS)
			return vtx_error_set(error, VTX_STATUS_USAGE, "-o: at most %d files", VTX_MAX_OUTPUTS);
		o->output[o->outputs++] = optarg;
		return 0;
	case 'f':
		if (vtx_boot_format(o, optarg))
			return vtx_error_set(error, VTX_STATUS_USAGE, "--format %s: unknown; there are text, json and svg", optarg);
		return 0;
	case 'i':
		o->input = optarg;
		return 0;
	case 'u':
		o->until = optarg;
		return 0;
	case 't':
		o->title = optarg;
		return 0;
	case 'k':
		o->keep_running = true;
		return 0;
	case 'z':
		if (vtx_parse_u64(optarg, &n) || !n || n > UINT32_MAX)
			return vtx_error_set(error, VTX_STATUS_USAGE, "--tsc-khz %s: not a number, or out of range", optarg);
		o->tsc_khz = (uint32_t)n;
		return 0;
	default:
		o->help = true;
		return 0;
	}
}

/* Returns the index of the first of `vtx run`'s options, or -1 with ERROR filled. */
static int vtx_boot_parse(struct vtx_boot_command *o, int argc, char **argv, struct vtx_error *error)
{
	int c;

	*o = (struct vtx_boot_command){ .until = "guest: up", .format = vtx_boot_print_text };
	optind = 0; /* glibc: start afresh */
	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:o:f:i:h", vtx_long_options, NULL)) != -1) {
		if (c == ':' || c == '?')
			return vtx_error_set(error, VTX_STATUS_USAGE, "%s: %s; see vtx boot-report --help (options of vtx run "
					     "go behind --)", argv[optind - 1], c == ':' ? "needs a value" : "unknown option");
		if (vtx_boot_one(o, c, error))
			return -1;
	}
	if (o->help)
		return optind;
	if (o->input && optind < argc)
		return vtx_error_set(error, VTX_STATUS_USAGE, "%s: a guest and a trace (-i) at once?", argv[optind]);
	if (!o->input && (optind == argc || strcmp(argv[optind - 1], "--")))
		return vtx_error_set(error, VTX_STATUS_USAGE, "what shall boot? Give the options of vtx run behind --, or a trace with -i");
	return optind;
}

static int vtx_boot_write(const struct vtx_boot_command *o, const struct vtx_boot_report *report, struct vtx_error *error)
{
	for (unsigned int i = 0; i < o->outputs; i++) {
		const char *dot = strrchr(o->output[i], '.');
		FILE *out = fopen(o->output[i], "we");
		int bad;

		if (!out)
			return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "cannot write %s: %s", o->output[i], strerror(errno));
		if (dot && !strcmp(dot, ".svg"))
			vtx_boot_print_svg(report, out);
		else if (dot && !strcmp(dot, ".json"))
			vtx_boot_print_json(report, out);
		else
			vtx_boot_print_text(report, out);
		bad = ferror(out);
		if (fclose(out) || bad)
			return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "cannot write %s: %s", o->output[i], strerror(errno));
	}
	if (!o->outputs)
		o->format(report, stdout);
	return 0;
}

/* ARGV[0] and what follows are `vtx run`'s.  Returns its exit status, or -1 with ERROR filled. */
static int vtx_boot_run(const struct vtx_boot_command *o, struct vtx_boot_live *live, int argc, char **argv, struct vtx_error *error)
{
	static struct vtx_run_options options;

	if (vtx_options_parse(&options, argc, argv, error))
		return -1;
	if (options.help) {
		vtx_options_help(stdout);
		return 0;
	}
	live->until = o->until;
	live->keep_running = o->keep_running;
	options.boot = live;
	return vtx_run(&options);
}

int vtx_command_boot_report(int argc, char **argv)
{
	static struct vtx_boot_command command;
	static struct vtx_boot_live live;
	struct vtx_boot_report *report = &live.report;
	struct vtx_error error;
	int first, status = 0;

	live.begun = __builtin_ia32_rdtsc();
	first = vtx_boot_parse(&command, argc, argv, &error);
	if (first >= 0 && command.help) {
		vtx_boot_help();
		return 0;
	}
	if (first < 0)
		goto failed;
	if (command.input) {
		snprintf(report->title, sizeof(report->title), "Boot in %.120s", command.input);
		if (vtx_boot_from_trace(report, command.input, command.tsc_khz, &error))
			goto failed;
	} else {
		status = vtx_boot_run(&command, &live, argc - first + 1, argv + first - 1, &error);
		if (status < 0)
			goto failed;
		if (!report->tsc_khz)
			return status; /* nothing ran, and vtx run has said why */
	}
	if (command.title)
		snprintf(report->title, sizeof(report->title), "%s", command.title);
	if (!vtx_boot_write(&command, report, &error))
		return status;
failed:
	vtx_say("%s", error.text);
	return (int)error.status;
}

// SPDX-License-Identifier: GPL-2.0-only
/* The command line of `vtx trace`. */
#define _GNU_SOURCE
#include "userspace-vmm/trace_options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "userspace-vmm/names.h"

enum {
	OPT_FILTER = 256,
	OPT_VCPU,
	OPT_REASON,
	OPT_COUNT,
	OPT_KASLR,
	OPT_TSC_KHZ,
};

static const struct option vtx_long_options[] = {
	{ "input", required_argument, NULL, 'i' },
	{ "write", required_argument, NULL, 'w' },
	{ "format", required_argument, NULL, 'f' },
	{ "filter", required_argument, NULL, OPT_FILTER },
	{ "vcpu", required_argument, NULL, OPT_VCPU },
	{ "reason", required_argument, NULL, OPT_REASON },
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "symbols", required_argument, NULL, 's' },
	{ "kaslr", required_argument, NULL, OPT_KASLR },
	{ "disassemble", no_argument, NULL, 'd' },
	{ "tsc-khz", required_argument, NULL, OPT_TSC_KHZ },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

void vtx_trace_options_help(FILE *out)
{
	fputs("Usage: vtx trace [options] [VM]\n"
	      "       vtx trace -i FILE [options]\n"
	      "\n"
	      "Shows the exits of a running VM as they happen (root; until Ctrl-C or the VM's end), or those in a file.\n"
	      "VM is <pid>-<fd> as in /sys/kernel/debug/vtx, or a process id; not needed when there is one VM.\n"
	      "\n"
	      "  -i, --input FILE       read FILE: written by -w, or a copy of trace_raw or recorder_raw\n"
	      "  -w, --write FILE       write the entries to FILE for -i instead of printing them\n"
	      "  -f, --format FORMAT    text (default), json (an object a line), chrome (for chrome://tracing, Perfetto)\n"
	      "      --filter TEXT      write TEXT to the VM's filter first; it stays set (language: docs/tracing.md)\n"
	      "      --vcpu N           only this vCPU\n"
	      "      --reason NAME      only this exit reason (CPUID, IO_INSTRUCTION, ...); may be given several times\n"
	      "      --count N          end after N entries\n"
	      "  -s, --symbols FILE     the guest's System.map, kallsyms or vmlinux: addresses get names\n"
	      "      --kaslr OFFSET     what KASLR added to the guest's addresses\n"
	      "  -d, --disassemble      show the instruction; its bytes come from the vmlinux given with --symbols\n"
	      "      --tsc-khz N        ticks in a millisecond, for files that do not say it\n"
	      "  -h, --help             this text\n", out);
}

int vtx_parse_u64(const char *text, uint64_t *value)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	*value = strtoull(text, &end, 0);
	return errno || *end ? -1 : 0;
}

static int vtx_trace_reason(struct vtx_trace_options *o, const char *name, struct vtx_error *error)
{
	int reason = vtx_number_vmx_exit(name);

	o->any_reason = false;
	if (!strcasecmp(name, "ENTRY_FAILED")) {
		o->failed_entries = true;
		return 0;
	}
	if (reason < 0 || reason >= VTX_TRACE_REASONS)
		return vtx_error_set(error, VTX_STATUS_USAGE, "--reason %s: there is no such exit reason; names are those of the "
				     "first column of debugfs `exits`, as CPUID or EPT_VIOLATION", name);
	o->reasons[reason] = true;
	return 0;
}

static int vtx_trace_number(const char *option, uint64_t max, uint64_t *value, struct vtx_error *error)
{
	if (!vtx_parse_u64(optarg, value) && *value <= max)
		return 0;
	return vtx_error_set(error, VTX_STATUS_USAGE, "%s %s: not a number, or too large", option, optarg);
}

static int vtx_trace_one(struct vtx_trace_options *o, int c, struct vtx_error *error)
{
	uint64_t n = 0;
	int style;

	switch (c) {
	case 'i':
		o->input = optarg;
		return 0;
	case 'w':
		o->write = optarg;
		return 0;
	case 'f':
		style = vtx_trace_style(optarg);
		if (style < 0)
			return vtx_error_set(error, VTX_STATUS_USAGE, "--format %s: unknown; there are text, json and chrome", optarg);
		o->style = (enum vtx_trace_style)style;
		o->style_given = true;
		return 0;
	case OPT_FILTER:
		o->filter = optarg;
		return 0;
	case OPT_VCPU:
		if (vtx_trace_number("--vcpu", 65535, &n, error))
			return -1;
		o->vcpu = (int)n;
		return 0;
	case OPT_REASON:
		return vtx_trace_reason(o, optarg, error);
	case OPT_COUNT:
		return vtx_trace_number("--count", UINT64_MAX, &o->count, error);
	case 's':
		o->symbols = optarg;
		return 0;
	case OPT_KASLR:
		return vtx_trace_number("--kaslr", UINT64_MAX, &o->kaslr, error);
	case 'd':
		o->disassemble = true;
		return 0;
	case OPT_TSC_KHZ:
		if (vtx_trace_number("--tsc-khz", UINT32_MAX, &n, error))
			return -1;
		o->tsc_khz = (uint32_t)n;
		return 0;
	default:
		o->help = true;
		return 0;
	}
}

/* What only shows when all options are known. */
static int vtx_trace_check(const struct vtx_trace_options *o, struct vtx_error *error)
{
	if (o->input && o->vm)
		return vtx_error_set(error, VTX_STATUS_USAGE, "%s: a VM and a file (-i) at once?", o->vm);
	if (o->input && o->filter)
		return vtx_error_set(error, VTX_STATUS_USAGE, "--filter is for running VMs; for files there are --vcpu and --reason");
	if (o->write && (o->style_given || o->symbols || o->disassemble))
		return vtx_error_set(error, VTX_STATUS_USAGE, "-w writes the entries as they are; format, symbols and instructions "
				     "are for reading them with -i");
	if (o->disassemble && !o->symbols)
		return vtx_error_set(error, VTX_STATUS_USAGE, "--disassemble needs the guest's vmlinux (--symbols FILE): a record "
				     "holds no bytes of code");
	return 0;
}

int vtx_trace_options_parse(struct vtx_trace_options *o, int argc, char **argv, struct vtx_error *error)
{
	int c;

	*o = (struct vtx_trace_options){ .vcpu = -1, .any_reason = true };
	optind = 0; /* glibc: start afresh */
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":i:w:f:s:dh", vtx_long_options, NULL)) != -1) {
		if (c == ':')
			return vtx_error_set(error, VTX_STATUS_USAGE, "%s needs a value; see vtx trace --help", argv[optind - 1]);
		if (c == '?')
			return vtx_error_set(error, VTX_STATUS_USAGE, "%s: unknown option, ambiguous, or takes no value; "
					     "see vtx trace --help", argv[optind - 1]);
		if (vtx_trace_one(o, c, error))
			return -1;
	}
	if (o->help)
		return 0;
	if (optind < argc)
		o->vm = argv[optind++];
	if (optind < argc)
		return vtx_error_set(error, VTX_STATUS_USAGE, "%s: one VM at a time; see vtx trace --help", argv[optind]);
	return vtx_trace_check(o, error);
}

bool vtx_trace_wanted(const struct vtx_trace_options *o, const struct vtx_trace_entry *e)
{
	uint32_t basic = e->record.reason & 0xffff;

	if (o->vcpu >= 0 && e->vcpu_id != (uint32_t)o->vcpu)
		return false;
	if (o->any_reason || vtx_trace_is_loss(e))
		return true;
	if (e->record.reason == ~0U)
		return o->failed_entries;
	return basic < VTX_TRACE_REASONS && o->reasons[basic];
}

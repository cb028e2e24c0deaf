// SPDX-License-Identifier: GPL-2.0-only
/* `vtx doctor`: can vtx run here, and if not, why and what to do. */
#define _GNU_SOURCE
#include "userspace-vmm/command.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "userspace-vmm/doctor.h"
#include "userspace-vmm/message.h"

enum { OPT_FROM = 256, OPT_RECORD, OPT_JSON, OPT_MODULE };

static const struct option vtx_doctor_options[] = {
	{ "from", required_argument, NULL, OPT_FROM },
	{ "record", no_argument, NULL, OPT_RECORD },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "module", required_argument, NULL, OPT_MODULE },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static void vtx_doctor_help(void)
{
	fputs("Usage: vtx doctor [options]\n"
	      "\n"
	      "Says whether vtx can run here, every VMX control bit that it needs or wants, and what stands in the way. As root,\n"
	      "with the kernel module msr loaded, it can look at everything.\n"
	      "\n"
	      "      --from FILE        look at MSR values recorded in FILE, not at this machine; - is standard input\n"
	      "      --record           write this machine's MSR values to standard output, for --from\n"
	      "      --module FILE      the vtx.ko to look at; default: the installed one, else the one beside this program\n"
	      "      --json             the report as JSON\n"
	      "  -q, --quiet            the result alone, without the table of control bits\n"
	      "  -h, --help             this text\n"
	      "\n"
	      "Exit status\n"
	      "    0  vtx can load and run guests\n"
	      "    1  it can't; the causes are named\n"
	      "    2  not known, for example without root; or bad usage\n", stdout);
}

/* All of FILE, or -1 with ERROR filled. A recorded file has twenty lines. */
static int vtx_doctor_from(struct vtx_msr_set *set, const char *path, struct vtx_error *error)
{
	static char text[64 << 10];
	FILE *in = strcmp(path, "-") ? fopen(path, "re") : stdin;
	size_t n;
	bool bad, more;

	if (!in)
		return vtx_error_set(error, VTX_STATUS_USAGE, "--from %s: %s", path, strerror(errno));
	n = fread(text, 1, sizeof(text), in);
	bad = ferror(in);
	more = n == sizeof(text);
	if (in != stdin)
		fclose(in);
	if (bad)
		return vtx_error_set(error, VTX_STATUS_USAGE, "--from %s: can't be read", path);
	if (more)
		return vtx_error_set(error, VTX_STATUS_USAGE, "--from %s: too long to be a file of MSR values", path);
	return vtx_msr_set_parse(set, text, n, path, error);
}

static int vtx_doctor_record(const struct vtx_doctor_facts *f)
{
	if (f->access == VTX_MSRS_NO_DEVICE)
		vtx_say("there is no /dev/cpu/0/msr: modprobe msr, as root");
	else if (f->access == VTX_MSRS_REFUSED)
		vtx_say("/dev/cpu/0/msr can't be read: run vtx doctor --record as root");
	else
		vtx_msr_set_write(&f->cpu, stdout);
	return f->access == VTX_MSRS_NO_DEVICE || f->access == VTX_MSRS_REFUSED ? VTX_DOCTOR_UNKNOWN : 0;
}

struct vtx_doctor_args {
	const char *from, *module;
	bool record, json, quiet, help;
};

static int vtx_doctor_parse(struct vtx_doctor_args *o, int argc, char **argv, struct vtx_error *error)
{
	int c;

	memset(o, 0, sizeof(*o));
	optind = 0; /* glibc: start afresh */
	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:qh", vtx_doctor_options, NULL)) != -1) {
		switch (c) {
		case OPT_FROM:
			o->from = optarg;
			break;
		case OPT_RECORD:
			o->record = true;
			break;
		case OPT_JSON:
			o->json = true;
			break;
		case OPT_MODULE:
			o->module = optarg;
			break;
		case 'q':
			o->quiet = true;
			break;
		case 'h':
			o->help = true;
			break;
		case ':':
			return vtx_error_set(error, VTX_STATUS_USAGE, "%s needs a value; see vtx doctor --help", argv[optind - 1]);
		default:
			return vtx_error_set(error, VTX_STATUS_USAGE, "%s: unknown option; see vtx doctor --help", argv[optind - 1]);
		}
	}
	if (optind < argc && !o->help)
		return vtx_error_set(error, VTX_STATUS_USAGE, "%s: vtx doctor takes options only; see vtx doctor --help", argv[optind]);
	if (o->from && (o->record || o->module))
		return vtx_error_set(error, VTX_STATUS_USAGE, "--from looks at a file, --record and --module are about this machine");
	return 0;
}

int vtx_command_doctor(int argc, char **argv)
{
	static struct vtx_doctor_facts facts;
	static struct vtx_diagnosis diagnosis;
	struct vtx_doctor_args o;
	struct vtx_error error;

	if (vtx_doctor_parse(&o, argc, argv, &error))
		goto bad;
	if (o.help) {
		vtx_doctor_help();
		return 0;
	}
	if (o.from) {
		if (vtx_doctor_from(&facts.cpu, o.from, &error))
			goto bad;
	} else {
		vtx_doctor_read_cpu(&facts, "");
		if (o.record)
			return vtx_doctor_record(&facts);
		vtx_doctor_look_around(&facts, "", o.module);
		if (o.module && !*facts.module_file) {
			vtx_error_set(&error, VTX_STATUS_USAGE, "--module %s: no file that can be read", o.module);
			goto bad;
		}
	}
	vtx_doctor_diagnose(&facts, &diagnosis);
	if (o.json)
		vtx_doctor_json(&facts, &diagnosis, stdout);
	else
		vtx_doctor_print(&facts, &diagnosis, o.quiet, stdout);
	return diagnosis.status;
bad:
	vtx_say("%s", error.text);
	return VTX_DOCTOR_UNKNOWN;
}

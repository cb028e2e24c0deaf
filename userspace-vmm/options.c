// SPDX-License-Identifier: GPL-2.0-only
/* The command line of `vtx run`. */
#define _GNU_SOURCE
#include "userspace-vmm/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum {
	OPT_DEVICE = 256,
	OPT_FLAT,
	OPT_FLAT_MODE,
	OPT_DEBUG_EXIT,
	OPT_NO_IRQCHIP,
	OPT_REPORT,
	OPT_SYMBOLS,
};

static const struct option vtx_long_options[] = {
	{ "kernel", required_argument, NULL, 'k' },
	{ "initrd", required_argument, NULL, 'i' },
	{ "initramfs", required_argument, NULL, 'i' },
	{ "cmdline", required_argument, NULL, 'p' },
	{ "params", required_argument, NULL, 'p' },
	{ "append", required_argument, NULL, 'p' },
	{ "memory", required_argument, NULL, 'm' },
	{ "mem", required_argument, NULL, 'm' },
	{ "cpus", required_argument, NULL, 'c' },
	{ "dev", required_argument, NULL, OPT_DEVICE },
	{ "flat", required_argument, NULL, OPT_FLAT },
	{ "flat-mode", required_argument, NULL, OPT_FLAT_MODE },
	{ "debug-exit", no_argument, NULL, OPT_DEBUG_EXIT },
	{ "no-irqchip", no_argument, NULL, OPT_NO_IRQCHIP },
	{ "report", required_argument, NULL, OPT_REPORT },
	{ "symbols", required_argument, NULL, OPT_SYMBOLS },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

void vtx_options_help(FILE *out)
{
	fputs("Usage: vtx run -k KERNEL [options]\n"
	      "\n"
	      "Runs a guest with its serial console on this terminal.\n"
	      "\n"
	      "  -k, --kernel FILE      bzImage, ELF vmlinux with a PVH entry, or with --flat any file\n"
	      "  -i, --initrd FILE      initial RAM disk (also --initramfs)\n"
	      "  -p, --cmdline TEXT     appended to the kernel command line, which begins with\n"
	      "                         \"" VTX_DEFAULT_CMDLINE "\" (also --params, --append;\n"
	      "                         may be given several times; Linux lets the later of two settings win)\n"
	      "  -m, --memory SIZE      guest memory in MiB, or with suffix M or G; default 512 (also --mem)\n"
	      "  -c, --cpus N           virtual CPUs, 1 to 254; default 1\n"
	      "      --dev PATH         KVM device; default " VTX_DEFAULT_DEVICE ", /dev/kvm works as well\n"
	      "      --report FILE      if the guest dies, write why to FILE for `vtx explain` (JSON if it ends in .json)\n"
	      "      --symbols FILE     the guest's System.map or vmlinux, for names in that report\n"
	      "  -v, --verbose          say what is done: command line, memory map, unclaimed ports, exit counts\n"
	      "  -h, --help             this text\n"
	      "\n"
	      "Flat images\n"
	      "      --flat ADDR        load KERNEL as it is at guest-physical ADDR and start there\n"
	      "      --flat-mode MODE   state of the processor at the start:\n"
	      "          real           (default) 16-bit real mode, ADDR below 1 MiB. CS:IP = 0:ADDR below 64 KiB, else\n"
	      "                         CS = ADDR/16, IP = ADDR%16. DS=ES=SS=FS=GS=0, SP=0x7c00\n"
	      "          protected      32-bit, paging off, flat segments 0-4 GiB, ESP=0x80000\n"
	      "          long           64-bit, the first 4 GiB mapped to themselves (2 MiB pages), RSP=0x80000\n"
	      "                         In all modes: interrupts off, general registers 0, RFLAGS=2. In the last two\n"
	      "                         0x500-0xefff belongs to the GDT and the page tables.\n"
	      "      --no-irqchip       no interrupt controllers, no timer: HLT ends the run. Flat images, one CPU\n"
	      "      --debug-exit       OUT of a byte to port 0xf4 ends the run with that byte as exit status\n"
	      "\n"
	      "When stdin is a terminal: Ctrl-a x leaves, Ctrl-a Ctrl-a sends one Ctrl-a, Ctrl-a h shows help.\n"
	      "\n"
	      "Exit status\n",
	      out);
	vtx_status_print(out);
	fputs("  SIGTERM, SIGINT and SIGHUP restore the terminal and end the process as signals do.\n", out);
}

static int vtx_parse_number(const char *text, uint64_t *value)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	*value = strtoull(text, &end, 0);
	return errno || *end ? -1 : 0;
}

int vtx_options_memory(const char *text, uint64_t *bytes, struct vtx_error *error)
{
	const char *number = strncmp(text, "size=", 5) ? text : text + 5;
	unsigned int shift = 20;
	char *end;
	uint64_t n;

	if (!isdigit((unsigned char)*number))
		goto bad;
	errno = 0;
	n = strtoull(number, &end, 10);
	if (errno)
		goto bad;
	if (*end == 'G' || *end == 'g') {
		shift = 30;
		end++;
	} else if (*end == 'M' || *end == 'm') {
		end++;
	}
	if (*end)
		goto bad;
	if (n > (VTX_MAX_MEMORY >> shift) || (n << shift) < VTX_MIN_MEMORY)
		return vtx_error_set(error, VTX_STATUS_USAGE,
				     "-m %s: guest memory must be between %lluM and %lluG", text,
				     VTX_MIN_MEMORY >> 20, VTX_MAX_MEMORY >> 30);
	*bytes = n << shift;
	return 0;
bad:
	return vtx_error_set(error, VTX_STATUS_USAGE,
			     "-m %s: not a size; write a number of MiB, or one with suffix M or G (512, 512M, 2G)", text);
}

static int vtx_append_cmdline(struct vtx_run_options *o, const char *text, struct vtx_error *error)
{
	size_t have = strlen(o->cmdline);

	if (have + 1 + strlen(text) + 1 > sizeof(o->cmdline))
		return vtx_error_set(error, VTX_STATUS_USAGE, "-p: the kernel command line gets longer than %zu characters",
				     sizeof(o->cmdline) - 1);
	o->cmdline[have] = ' ';
	strcpy(o->cmdline + have + 1, text);
	return 0;
}

static int vtx_parse_mode(const char *text, enum vtx_entry_mode *mode, struct vtx_error *error)
{
	static const char *const names[] = {
		[VTX_ENTRY_REAL] = "real",
		[VTX_ENTRY_PROTECTED] = "protected",
		[VTX_ENTRY_LONG] = "long",
	};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(text, names[i])) {
			*mode = (enum vtx_entry_mode)i;
			return 0;
		}
	}
	return vtx_error_set(error, VTX_STATUS_USAGE, "--flat-mode %s: unknown; there are real, protected and long", text);
}

static int vtx_parse_one(struct vtx_run_options *o, int c, bool *mode_given, struct vtx_error *error)
{
	uint64_t n;

	switch (c) {
	case 'k':
		o->kernel = optarg;
		return 0;
	case 'i':
		o->initrd = optarg;
		return 0;
	case 'p':
		return vtx_append_cmdline(o, optarg, error);
	case 'm':
		return vtx_options_memory(optarg, &o->memory, error);
	case 'c':
		if (vtx_parse_number(optarg, &n) || n < 1 || n > VTX_MAX_CPUS)
			return vtx_error_set(error, VTX_STATUS_USAGE, "-c %s: the number of CPUs must be 1 to %d", optarg,
					     VTX_MAX_CPUS);
		o->cpus = (unsigned int)n;
		return 0;
	case OPT_DEVICE:
		o->device = optarg;
		return 0;
	case OPT_FLAT:
		if (vtx_parse_number(optarg, &o->flat_address))
			return vtx_error_set(error, VTX_STATUS_USAGE, "--flat %s: not an address; write 0x7c00 or 31744",
					     optarg);
		o->flat = true;
		return 0;
	case OPT_FLAT_MODE:
		*mode_given = true;
		return vtx_parse_mode(optarg, &o->flat_mode, error);
	case OPT_DEBUG_EXIT:
		o->debug_exit = true;
		return 0;
	case OPT_NO_IRQCHIP:
		o->no_irqchip = true;
		return 0;
	case OPT_REPORT:
		o->report = optarg;
		return 0;
	case OPT_SYMBOLS:
		o->symbols = optarg;
		return 0;
	case 'v':
		o->verbose = true;
		return 0;
	case 'h':
		o->help = true;
		return 0;
	}
	return -1;
}

/* What only shows when all options are known. */
static int vtx_options_check(const struct vtx_run_options *o, bool mode_given, struct vtx_error *error)
{
	if (!o->kernel)
		return vtx_error_set(error, VTX_STATUS_USAGE, "no kernel: give one with -k FILE");
	if (mode_given && !o->flat)
		return vtx_error_set(error, VTX_STATUS_USAGE, "--flat-mode is for flat images: give --flat ADDR as well");
	if (o->flat && o->initrd)
		return vtx_error_set(error, VTX_STATUS_USAGE, "a flat image (--flat) takes no initrd (-i)");
	if (o->no_irqchip && !o->flat)
		return vtx_error_set(error, VTX_STATUS_USAGE,
				     "--no-irqchip is for flat images (--flat): a kernel needs interrupts");
	if (o->no_irqchip && o->cpus > 1)
		return vtx_error_set(error, VTX_STATUS_USAGE, "--no-irqchip allows one CPU: the others could never be started");
	return 0;
}

int vtx_options_parse(struct vtx_run_options *o, int argc, char **argv, struct vtx_error *error)
{
	bool mode_given = false;
	int c;

	*o = (struct vtx_run_options){
		.device = VTX_DEFAULT_DEVICE,
		.cmdline = VTX_DEFAULT_CMDLINE,
		.memory = VTX_DEFAULT_MEMORY,
		.cpus = 1,
	};
	optind = 0; /* glibc: start afresh */
	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:k:i:p:m:c:vh", vtx_long_options, NULL)) != -1) {
		if (c == ':')
			return vtx_error_set(error, VTX_STATUS_USAGE, "%s needs a value; see vtx run --help",
					     argv[optind - 1]);
		if (c == '?') {
			if (optopt && optopt < OPT_DEVICE && !strchr("kipmcvh", optopt))
				return vtx_error_set(error, VTX_STATUS_USAGE, "unknown option -%c; see vtx run --help",
						     optopt);
			return vtx_error_set(error, VTX_STATUS_USAGE, "%s: unknown option, ambiguous, or takes no value; "
					     "see vtx run --help", argv[optind - 1]);
		}
		if (vtx_parse_one(o, c, &mode_given, error))
			return -1;
	}
	if (o->help)
		return 0;
	if (optind < argc)
		return vtx_error_set(error, VTX_STATUS_USAGE,
				     "%s: what is this? The kernel goes after -k; see vtx run --help", argv[optind]);
	return vtx_options_check(o, mode_given, error);
}

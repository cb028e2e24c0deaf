// SPDX-License-Identifier: GPL-2.0-only
/* `vtx`: the table of subcommands. */
#include <stdio.h>
#include <string.h>

#include "userspace-vmm/command.h"
#include "userspace-vmm/message.h"
#include "userspace-vmm/status.h"

#define VTX_VERSION "0.1"

static int vtx_command_version(int argc, char **argv);
static int vtx_command_help(int argc, char **argv);

static const struct vtx_command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} vtx_commands[] = {
	{ "run", vtx_command_run, "run a guest (vtx run --help)" },
	{ "doctor", vtx_command_doctor, "say whether vtx can run here, and why not" },
	{ "top", vtx_command_top, "show live what the guests exit for" },
	{ "stat", vtx_command_stat, "count as kvm_stat does, live, once, or into a log" },
	{ "trace", vtx_command_trace, "show exits, live or from a file (vtx trace --help)" },
	{ "explain", vtx_command_explain, "say why a guest died (vtx explain --help)" },
	{ "boot-report", vtx_command_boot_report, "say where a guest's boot time went (vtx boot-report --help)" },
	{ "version", vtx_command_version, "print the version" },
	{ "help", vtx_command_help, "print this text" },
};

static int vtx_command_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("vtx %s\n", VTX_VERSION);
	return 0;
}

static void vtx_usage(FILE *out)
{
	fputs("vtx runs guests on the VT-x hypervisor vtx.ko, or on any device that speaks KVM's interface.\n"
	      "\n"
	      "Usage: vtx COMMAND [options]\n"
	      "\n", out);
	for (size_t i = 0; i < sizeof(vtx_commands) / sizeof(vtx_commands[0]); i++)
		fprintf(out, "  %-11s  %s\n", vtx_commands[i].name, vtx_commands[i].summary);
	fputs("\n"
	      "Example: vtx run -k /vmlinuz -i initrd.img -m 512 -c 2\n"
	      "\n"
	      "Exit status of vtx run\n", out);
	vtx_status_print(out);
}

static int vtx_command_help(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	vtx_usage(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;

	if (!name) {
		vtx_usage(stderr);
		return VTX_STATUS_USAGE;
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	else if (!strcmp(name, "--version") || !strcmp(name, "-V"))
		name = "version";
	for (size_t i = 0; i < sizeof(vtx_commands) / sizeof(vtx_commands[0]); i++)
		if (!strcmp(name, vtx_commands[i].name))
			return vtx_commands[i].run(argc - 1, argv + 1);
	vtx_say("%s: unknown command; vtx help lists them", name);
	return VTX_STATUS_USAGE;
}

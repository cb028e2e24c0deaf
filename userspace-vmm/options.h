/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line of `vtx run`, parsed into a structure; nothing here touches a file. */
#ifndef VTX_VMM_OPTIONS_H
#define VTX_VMM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "userspace-vmm/boot_state.h"
#include "userspace-vmm/layout.h"
#include "userspace-vmm/message.h"

#define VTX_DEFAULT_CMDLINE "console=ttyS0 reboot=t panic=-1"
#define VTX_DEFAULT_DEVICE "/dev/vtx"
#define VTX_DEFAULT_MEMORY (512ULL << 20)
#define VTX_MIN_MEMORY (2ULL << 20)
#define VTX_MAX_MEMORY (1ULL << 40)

struct vtx_boot_live;

struct vtx_run_options {
	const char *kernel;
	const char *initrd;
	const char *device;
	const char *report;  /* file for the report of a failure; NULL: none */
	const char *symbols; /* of the guest, for that report */
	char cmdline[VTX_CMDLINE_MAX];
	uint64_t memory; /* bytes, a multiple of 1 MiB */
	unsigned int cpus;
	bool flat;
	uint64_t flat_address;
	enum vtx_entry_mode flat_mode;
	bool debug_exit;
	bool no_irqchip;
	bool verbose;
	bool help;
	struct vtx_boot_live *boot; /* watches the boot; NULL: nobody. Not from the command line */
};

/* Parses ARGV[1..].  Returns 0, or -1 with ERROR filled (VTX_STATUS_USAGE).  Not for two threads at once (getopt). */
int vtx_options_parse(struct vtx_run_options *options, int argc, char **argv, struct vtx_error *error);

/* "512", "512M", "2G", "size=1G" into bytes (a bare number is MiB).  Returns 0, or -1 with ERROR filled. */
int vtx_options_memory(const char *text, uint64_t *bytes, struct vtx_error *error);

void vtx_options_help(FILE *out);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The exit statuses of `vtx`, each with the sentence that --help prints for it.  Scripts depend on these numbers:
 * a number is never given a second meaning.
 */
#ifndef VTX_VMM_STATUS_H
#define VTX_VMM_STATUS_H

#include <stdio.h>

enum vtx_status {
	VTX_STATUS_SHUTDOWN = 0,
	VTX_STATUS_HOST_ERROR = 1,
	VTX_STATUS_USAGE = 2,
	VTX_STATUS_DEVICE = 3,
	VTX_STATUS_IMAGE = 4,
	VTX_STATUS_RESET = 10,
	VTX_STATUS_TRIPLE_FAULT = 11,
	VTX_STATUS_ENTRY_FAILURE = 12,
	VTX_STATUS_INTERNAL_ERROR = 13,
	VTX_STATUS_GUEST_CRASH = 14,
};

/* Prints one line per status: number, two blanks, meaning. */
void vtx_status_print(FILE *out);

/* The meaning of STATUS in a few words; "unknown status" for a number that is not in the table. */
const char *vtx_status_text(int status);

#endif

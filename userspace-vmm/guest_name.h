/* SPDX-License-Identifier: GPL-2.0-only */
/* What a guest is called: the name its VMM was given on the command line, else the VMM's own. */
#ifndef VTX_VMM_GUEST_NAME_H
#define VTX_VMM_GUEST_NAME_H

#include <stddef.h>

/* From the command line (strings that each end with a zero byte) of a VMM; "" if it names no guest. */
void vtx_guest_name_from(const char *cmdline, size_t size, char *name, size_t name_size);
/* PROC is "/proc". "" when the process is gone. */
void vtx_guest_name(const char *proc, int pid, char *name, size_t size);

#endif

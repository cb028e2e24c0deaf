/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A record of the flight recorder as a line of text (docs/tracing.md).
 */
#ifndef VTX_TRACE_RECORD_TEXT_H
#define VTX_TRACE_RECORD_TEXT_H

#include <linux/types.h>
#include "uapi/vtx.h"

#define VTX_RECORD_HEADER "# vcpu number tsc reason rip cs info gpa gla injected vectoring ticks by\n"
#define VTX_RECORD_LINE	  256	/* more than any line has */

/* Writes the line with its end into @out (@size bytes, VTX_RECORD_LINE is enough). Return: its length. */
size_t vtx_record_line(char *out, size_t size, u32 vcpu_id, u64 number, const struct vtx_record *record);

#endif /* VTX_TRACE_RECORD_TEXT_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/* A boot report from a saved trace. */
#ifndef VTX_VMM_BOOT_TRACE_H
#define VTX_VMM_BOOT_TRACE_H

#include "userspace-vmm/boot_report.h"
#include "userspace-vmm/message.h"

/* Reads PATH (as vtx trace -i does).  TSC_KHZ is for files that do not say it.  Returns 0, or -1 with ERROR filled. */
int vtx_boot_from_trace(struct vtx_boot_report *report, const char *path, uint32_t tsc_khz, struct vtx_error *error);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* A whole run of a guest, for `vtx run` and for the commands that run one for another purpose. */
#ifndef VTX_VMM_RUN_H
#define VTX_VMM_RUN_H

#include "userspace-vmm/options.h"

/* Returns the exit status; what went wrong has been said. */
int vtx_run(const struct vtx_run_options *options);

#endif

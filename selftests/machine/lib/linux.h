/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Linux as a guest: /vtx/bzImage with /vtx/guest.cpio.gz in the VMM of this tree.
 */
#ifndef VTX_SELFTEST_LINUX_H
#define VTX_SELFTEST_LINUX_H

#include "lib/harness.h"

/* Ends the case as skipped where the VMM, the kernel or its RAM disk is missing. */
void linux_needed(void);

/*
 * Boots it with @cpus CPUs and @memory MiB and has it run the shell script @script, then reset. @options goes to the end of its
 * command line. All that the VMM printed is in @output, ended with a 0. Returns the VMM's exit status, 1000 and more if it was killed.
 */
int linux_boot(unsigned int cpus, unsigned int memory, const char *options, const char *script, char *output, size_t size);

/* The end of an output as diagnostic lines. */
void linux_show_end(const char *output);

#endif /* VTX_SELFTEST_LINUX_H */

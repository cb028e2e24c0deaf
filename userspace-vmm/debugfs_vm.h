/* SPDX-License-Identifier: GPL-2.0-only */
/* Finding a running VM's folder in debugfs (docs/tracing.md), and its files. */
#ifndef VTX_VMM_DEBUGFS_VM_H
#define VTX_VMM_DEBUGFS_VM_H

#include <stddef.h>
#include <stdint.h>

#include "userspace-vmm/message.h"

#define VTX_DEBUGFS "/sys/kernel/debug/vtx"

/*
 * The folder of the VM called NAME: "<pid>-<fd>", a process id, or a path; NULL for the only VM there is.  Below ROOT (for tests;
 * else VTX_DEBUGFS).  Returns 0, or -1 with ERROR filled, which lists the choices where there are several.
 */
int vtx_debugfs_vm(const char *root, const char *name, char *folder, size_t size, struct vtx_error *error);

/* All of a file below FOLDER, with a zero behind it, in memory from malloc(); NULL with ERROR filled. */
char *vtx_debugfs_read(const char *folder, const char *file, size_t *size, struct vtx_error *error);

/* The largest N with a folder vcpu<N>, plus 1. */
unsigned int vtx_debugfs_vcpus(const char *folder);

#endif

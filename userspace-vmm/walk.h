/* SPDX-License-Identifier: GPL-2.0-only */
/* A walk through the guest's page tables, for showing the code at RIP after a failure.  Pure; reads only. */
#ifndef VTX_VMM_WALK_H
#define VTX_VMM_WALK_H

#include <stdint.h>
#include <linux/kvm.h>

#include "userspace-vmm/ram.h"

/* The guest-physical address of LINEAR under SREGS' paging mode.  Returns 0, or -1 where nothing is mapped. */
int vtx_walk(const struct vtx_ram *ram, const struct kvm_sregs *sregs, uint64_t linear, uint64_t *gpa);

#endif

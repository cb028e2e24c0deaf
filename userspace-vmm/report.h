/* SPDX-License-Identifier: GPL-2.0-only */
/* What a vCPU looked like when it died, in words and numbers. */
#ifndef VTX_VMM_REPORT_H
#define VTX_VMM_REPORT_H

#include "userspace-vmm/ram.h"
#include "userspace-vmm/vcpu.h"

/*
 * HEADLINE, details of the exit in VCPU's run page, registers, segments, control registers and the bytes at RIP.
 * Must be called on the vCPU's own thread.  Returns text from malloc(), or NULL without memory.
 */
char *vtx_report(struct vtx_vcpu *vcpu, const struct vtx_ram *ram, const char *headline);

/* After KVM_EXIT_SHUTDOWN: was it INT3 with an empty IDT?  Nobody does that by accident; Linux does it to reboot. */
bool vtx_report_is_reboot(struct vtx_vcpu *vcpu, const struct vtx_ram *ram);

#endif

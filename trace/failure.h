/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one place where every way a VM can die ends: what, where, which rule.
 */
#ifndef VTX_TRACE_FAILURE_H
#define VTX_TRACE_FAILURE_H

#include <linux/compiler.h>
#include <linux/types.h>

struct vtx_vm;
struct vtx_vcpu;

struct vtx_failure {
	u32 vcpu_id;		/* ~0: none in particular */
	u64 rip;
	char text[192];
	bool complete;		/* all of the above is there: smp_load_acquire() before reading it */
};

/*
 * Marks the VM dead (first caller wins), records the sentence, prints it once to dmesg and asks all vCPUs to leave
 * with EIO. Any context but NMI. @vcpu may be NULL.
 */
__printf(3, 4) void vtx_vm_fail(struct vtx_vm *vm, struct vtx_vcpu *vcpu, const char *fmt, ...);

#endif /* VTX_TRACE_FAILURE_H */

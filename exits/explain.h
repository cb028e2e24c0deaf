/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reports of what stopped a guest (trace/report.h), where they need its memory. All may sleep; the vCPU is loaded.
 */
#ifndef VTX_EXITS_EXPLAIN_H
#define VTX_EXITS_EXPLAIN_H

#include "trace/fault_deliver.h"
#include "vmx/vcpu.h"

/*
 * The bytes of code at a linear address, as the guest's page tables have it at this moment; nothing of the guest changes.
 * vm->srcu held. Return: how many of @len could be read.
 */
unsigned int vtx_read_code(struct vtx_vcpu *vcpu, u64 linear, u8 *buf, unsigned int len);

/* Where this exception would end now (trace/fault_deliver.h). vm->srcu held. */
enum vtx_deliver_verdict vtx_explain_delivery(struct vtx_vcpu *vcpu, u8 vector, struct vtx_deliver_result *res);

/* KVM_EXIT_INTERNAL_ERROR other than a failed emulation: the report VTX_FAILURE_INTERNAL with this sentence. vm->srcu held. */
__printf(2, 3) void vtx_report_internal(struct vtx_vcpu *vcpu, const char *fmt, ...);

struct vtx_emulation;
/* An instruction that is not emulated: VTX_FAILURE_EMULATION when it stops the VM, a line of `diagnosis` when it does not. */
void vtx_report_emulation(struct vtx_vcpu *vcpu, const struct vtx_emulation *em, bool stops);

#endif /* VTX_EXITS_EXPLAIN_H */

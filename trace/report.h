/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What stopped a vCPU last: the report that VTX_GET_FAILURE and the debugfs files last_failure show.
 *
 * The vCPU's thread writes a draft; readers see the last one that was finished, whole.
 */
#ifndef VTX_TRACE_REPORT_H
#define VTX_TRACE_REPORT_H

#include <linux/types.h>
#include "uapi/vtx.h"

struct vtx_vm;
struct vtx_vcpu;
struct seq_file;

/* Part of a vCPU's creation and end. 0 or -ENOMEM; freeing what was never made is fine. */
int vtx_report_alloc(struct vtx_vcpu *vcpu);
void vtx_report_free(struct vtx_vcpu *vcpu);

/*
 * vtx_report_begin() - a fresh draft of @kind, with the vCPU's number, exit reason, qualification, registers and TSC filled in
 * and everything else 0.  The vCPU's own thread, loaded.  Does not sleep and takes no lock: the caller may do as it likes until
 * vtx_report_finish(), which publishes the draft.  A draft never finished is dropped by the next begin.  Never NULL.
 */
struct vtx_failure_report *vtx_report_begin(struct vtx_vcpu *vcpu, u32 kind);
void vtx_report_finish(struct vtx_vcpu *vcpu);

/* Copies the last finished report; kind is VTX_FAILURE_NONE before the first. Any process. */
void vtx_report_read(struct vtx_vcpu *vcpu, struct vtx_failure_report *out);
/* The vCPU of @vm whose report is the youngest, or NULL. */
struct vtx_vcpu *vtx_report_last_vcpu(struct vtx_vm *vm);

/* trace/report_text.c: the report for people; nothing for VTX_FAILURE_NONE. */
void vtx_report_print(struct seq_file *file, const struct vtx_failure_report *report);

#endif /* VTX_TRACE_REPORT_H */

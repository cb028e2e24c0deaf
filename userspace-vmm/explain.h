/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why a vCPU died, in words: the rules of the manual that did not hold, or the chain of faults; the last exits, registers, code.
 * Pure: prints what a report holds, and works with any bits in it.
 */
#ifndef VTX_VMM_EXPLAIN_H
#define VTX_VMM_EXPLAIN_H

#include <stdio.h>

#include "userspace-vmm/json.h"
#include "userspace-vmm/report_data.h"
#include "userspace-vmm/symbols.h"

#define VTX_EXPLAIN_LAST 20
#define VTX_EXPLAIN_MAX_LAST 1024

struct vtx_explain_options {
	const struct vtx_symbols *symbols; /* NULL: none */
	unsigned int last;		   /* how many exits to show */
};

void vtx_explain_text(const struct vtx_report_saved *saved, const struct vtx_explain_options *options, FILE *out);
void vtx_explain_json(const struct vtx_report_saved *saved, const struct vtx_explain_options *options, FILE *out);

/* Parts, for reports of other origin. */
const char *vtx_name_failure(uint32_t kind);
void vtx_explain_ring_text(const void *ring, const struct vtx_explain_options *options, FILE *out);
void vtx_explain_ring_json(const void *ring, const struct vtx_explain_options *options, struct vtx_json *json);
/* 16, 32 or 64: of the code at RIP. */
unsigned int vtx_explain_bits(const struct vtx_report_data *data);
/* Why KVM_RUN returned. */
void vtx_explain_exit(FILE *out, const struct kvm_run *run, bool has_failure);
void vtx_explain_regs(FILE *out, const struct kvm_regs *regs);
void vtx_explain_sregs(FILE *out, const struct kvm_sregs *sregs);

#endif

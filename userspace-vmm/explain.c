// SPDX-License-Identifier: GPL-2.0-only
/* The explanation as text. */
#include "userspace-vmm/explain.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "userspace-vmm/decode.h"
#include "userspace-vmm/disassemble.h"
#include "userspace-vmm/names.h"
#include "userspace-vmm/ring.h"
#include "userspace-vmm/trace_format.h"

#define VTX_EXPLAIN_INSNS 6 /* shown from RIP on */

const char *vtx_name_failure(uint32_t kind)
{
	static const char *const names[] = {
		[VTX_FAILURE_NONE] = "nothing stopped this vCPU since its creation",
		[VTX_FAILURE_ENTRY] = "the processor refused to enter the guest",
		[VTX_FAILURE_TRIPLE_FAULT] = "triple fault",
		[VTX_FAILURE_EMULATION] = "an instruction that vtx cannot emulate",
		[VTX_FAILURE_INTERNAL] = "an internal error",
		[VTX_FAILURE_VM_DEAD] = "the VM is dead",
	};

	return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "a failure of a kind unknown to this program";
}

static void vtx_explain_bytes(FILE *out, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		fprintf(out, " %02x", bytes[i]);
}

/* " (name+0x12)", or nothing. */
static void vtx_explain_symbol(FILE *out, const struct vtx_symbols *symbols, uint64_t address)
{
	char name[128];

	if (vtx_symbols_name(symbols, address, name, sizeof(name)))
		fprintf(out, " (%s)", name);
}

/* ------------------------------------------------------------------ rules */

static void vtx_explain_rules(FILE *out, const struct vtx_failure_report *f)
{
	uint32_t shown = f->nr_rules < VTX_MAX_RULES ? f->nr_rules : VTX_MAX_RULES;

	if (f->kind == VTX_FAILURE_ENTRY && !f->nr_rules) {
		fprintf(out, "  no rule matched: all that vtx knows of the manual's checks hold, and yet the processor refused\n");
		return;
	}
	if (!shown)
		return;
	fprintf(out, "  %u rule%s of Intel's manual %s not hold:\n", f->nr_rules, f->nr_rules == 1 ? "" : "s",
		f->nr_rules == 1 ? "does" : "do");
	for (uint32_t i = 0; i < shown; i++) {
		const struct vtx_rule_report *r = &f->rules[i];

		fprintf(out, "    %s (%s), field %s\n", r->id, r->section, r->field);
		fprintf(out, "      found 0x%" PRIx64 ", allowed 0x%" PRIx64 ": %s\n", (uint64_t)r->found, (uint64_t)r->allowed, r->text);
	}
	if (f->nr_rules > shown)
		fprintf(out, "    and %u more\n", f->nr_rules - shown);
}

/* ------------------------------------------------------------------ faults */

static void vtx_explain_fault(FILE *out, const struct vtx_fault *fault, unsigned int number, unsigned int bits,
			      const struct vtx_symbols *symbols)
{
	const char *name = vtx_name_vector(fault->vector);
	char text[128];

	fprintf(out, "    %u. ", number);
	if (name)
		fprintf(out, "%s", name);
	else
		fprintf(out, "vector %u", fault->vector);
	if (fault->flags & VTX_FAULT_HAS_ERROR) {
		vtx_decode_error_code(fault->vector, fault->error, text, sizeof(text));
		fprintf(out, text[0] ? " error 0x%x [%s]" : " error 0x%x", fault->error, text);
	}
	if (fault->flags & VTX_FAULT_HAS_CR2)
		fprintf(out, " CR2 0x%" PRIx64, (uint64_t)fault->cr2);
	fprintf(out, " at 0x%x:0x%" PRIx64, fault->cs, (uint64_t)fault->rip);
	vtx_explain_symbol(out, symbols, fault->rip);
	fprintf(out, ", RSP 0x%" PRIx64 ", RFLAGS 0x%" PRIx64 "%s\n", (uint64_t)fault->rsp, (uint64_t)fault->rflags,
		fault->flags & VTX_FAULT_INFERRED ? " (concluded, not seen)" : "");
	if (!fault->insn_len) {
		fprintf(out, "       no bytes could be read there\n");
		return;
	}
	fprintf(out, "       bytes:");
	vtx_explain_bytes(out, fault->insn, fault->insn_len);
	if (vtx_disassemble(fault->insn, fault->insn_len, bits, fault->rip, text, sizeof(text)))
		fprintf(out, "   %s", text);
	fputc('\n', out);
}

/* ------------------------------------------------------------------ failure */

/* The mode of the code: by the report's own registers where there are no others.  CS.L is not in them; EFER.LMA nearly is it. */
unsigned int vtx_explain_bits(const struct vtx_report_data *d)
{
	if (d->has & VTX_REPORT_HAS_CODE && (d->code_bits == 16 || d->code_bits == 32 || d->code_bits == 64))
		return d->code_bits;
	if (d->failure.efer & 0x400)
		return 64;
	return d->failure.cr0 & 1 ? 32 : 16;
}

static void vtx_explain_failure(FILE *out, const struct vtx_report_data *d, const struct vtx_symbols *symbols)
{
	const struct vtx_failure_report *f = &d->failure;
	unsigned int bits = vtx_explain_bits(d);
	char text[128];

	fprintf(out, "  what happened: %s\n", vtx_name_failure(f->kind));
	if (f->text[0])
		fprintf(out, "  %s\n", f->text);
	if (f->kind == VTX_FAILURE_NONE)
		return;
	fprintf(out, "  exit reason 0x%x (%s), qualification 0x%" PRIx64 ", at 0x%x:0x%" PRIx64, f->exit_reason,
		f->exit_reason == ~0U ? "VMLAUNCH or VMRESUME failed" : vtx_name_vmx_exit(f->exit_reason), (uint64_t)f->qualification,
		f->cs, (uint64_t)f->rip);
	vtx_explain_symbol(out, symbols, f->rip);
	fputc('\n', out);
	vtx_explain_rules(out, f);
	if (f->nr_faults)
		fprintf(out, "  the chain of faults, the first one first:\n");
	for (uint32_t i = 0; i < f->nr_faults && i < VTX_MAX_FAULTS; i++)
		vtx_explain_fault(out, &f->faults[i], i + 1, bits, symbols);
	if (f->insn_len) {
		fprintf(out, "  the instruction:");
		vtx_explain_bytes(out, f->insn, f->insn_len < sizeof(f->insn) ? f->insn_len : sizeof(f->insn));
		if (vtx_disassemble(f->insn, f->insn_len < 15 ? f->insn_len : 15, bits, f->rip, text, sizeof(text)))
			fprintf(out, "   %s", text);
		fputc('\n', out);
	}
}

/* Where KVM's own registers are missing, the failure report has most of them. */
static void vtx_explain_failure_regs(FILE *out, const struct vtx_failure_report *f)
{
	static const char *const names[16] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15",
	};

	for (unsigned int i = 0; i < 16; i++)
		fprintf(out, "  %s %016" PRIx64 "%s", names[i], (uint64_t)f->regs[i], i % 4 == 3 ? "\n" : "");
	fprintf(out, "  rip %016" PRIx64 "  rflags %016" PRIx64 "\n", (uint64_t)f->rip, (uint64_t)f->rflags);
	fprintf(out, "  cr0 %08" PRIx64 "  cr2 %016" PRIx64 "  cr3 %016" PRIx64 "  cr4 %08" PRIx64 "  efer %" PRIx64 "\n",
		(uint64_t)f->cr0, (uint64_t)f->cr2, (uint64_t)f->cr3, (uint64_t)f->cr4, (uint64_t)f->efer);
}

/* ------------------------------------------------------------------ code */

static void vtx_explain_code(FILE *out, const struct vtx_report_data *d, const struct vtx_symbols *symbols)
{
	unsigned int at = VTX_CODE_BEFORE;
	char text[128];

	fprintf(out, "  code at linear 0x%" PRIx64, (uint64_t)d->code_address);
	vtx_explain_symbol(out, symbols, d->code_address);
	fputc(':', out);
	for (unsigned int i = 0; i < VTX_CODE_BYTES; i++) {
		fprintf(out, i == VTX_CODE_BEFORE ? " <" : " ");
		if (d->code_known[i])
			fprintf(out, "%02x", d->code[i]);
		else
			fprintf(out, "??");
		if (i == VTX_CODE_BEFORE)
			fputc('>', out);
	}
	fputc('\n', out);
	for (unsigned int n = 0; n < VTX_EXPLAIN_INSNS && at < VTX_CODE_BYTES; n++) {
		unsigned int len = 0, known = 0;

		while (at + known < VTX_CODE_BYTES && known < 15 && d->code_known[at + known])
			known++;
		len = vtx_disassemble(d->code + at, known, vtx_explain_bits(d), d->code_address + at - VTX_CODE_BEFORE, text,
				      sizeof(text));
		if (!len)
			break;
		fprintf(out, "    %s 0x%" PRIx64 "  %s\n", n ? "  " : "->", (uint64_t)d->code_address + at - VTX_CODE_BEFORE, text);
		at += len;
	}
	if (!vtx_can_disassemble())
		fprintf(out, "    (no disassembly: this vtx was built without Zydis)\n");
}

/* ------------------------------------------------------------------ exits */

void vtx_explain_ring_text(const void *ring, const struct vtx_explain_options *o, FILE *out)
{
	struct vtx_trace_format *f = calloc(1, sizeof(*f));
	struct vtx_record *records = calloc(VTX_EXPLAIN_MAX_LAST, sizeof(*records));
	struct vtx_ring header;
	uint32_t lost;
	size_t n;

	memcpy(&header, ring, sizeof(header));
	if (!f || !records || !header.head)
		goto out;
	n = vtx_ring_newest(ring, records, o->last < VTX_EXPLAIN_MAX_LAST ? o->last : VTX_EXPLAIN_MAX_LAST, &lost);
	fprintf(out, "  the last %zu exits of %" PRIu64 ", the newest at the end:\n", n, (uint64_t)header.head);
	*f = (struct vtx_trace_format){
		.out = out, .style = VTX_TRACE_TEXT, .symbols = o->symbols, .tsc_khz = header.tsc_khz,
		.disassemble = o->symbols && o->symbols->code_count,
	};
	for (size_t i = 0; i < n; i++) {
		struct vtx_trace_entry entry = { .vcpu_id = header.vcpu_id, .record = records[i] };

		fputs("  ", out);
		vtx_trace_entry(f, &entry);
	}
out:
	free(records);
	free(f);
}

/* ------------------------------------------------------------------ all */

void vtx_explain_text(const struct vtx_report_saved *saved, const struct vtx_explain_options *o, FILE *out)
{
	const struct vtx_report_data *d = &saved->data;
	bool has_failure = d->has & VTX_REPORT_HAS_FAILURE;

	fprintf(out, "vCPU %u: %s\n", d->vcpu, d->headline[0] ? d->headline : "a report without a run");
	if (d->has & VTX_REPORT_HAS_RUN)
		vtx_explain_exit(out, &d->run, has_failure);
	if (has_failure)
		vtx_explain_failure(out, d, o->symbols);
	else if (d->failure_error)
		fprintf(out, "  vtx does not say why: VTX_GET_FAILURE: %s\n", strerror(d->failure_error));
	if (saved->ring)
		vtx_explain_ring_text(saved->ring, o, out);
	if (d->has & VTX_REPORT_HAS_REGS) {
		vtx_explain_regs(out, &d->regs);
		vtx_explain_sregs(out, &d->sregs);
	} else if (has_failure && d->failure.kind != VTX_FAILURE_NONE) {
		vtx_explain_failure_regs(out, &d->failure);
	}
	if (d->regs_error)
		fprintf(out, "  its registers cannot be read: %s\n", strerror(d->regs_error));
	if (d->has & VTX_REPORT_HAS_CODE)
		vtx_explain_code(out, d, o->symbols);
}

// SPDX-License-Identifier: GPL-2.0-only
/* The explanation as JSON: one object. */
#include "userspace-vmm/explain.h"

#include <stdlib.h>
#include <string.h>

#include "userspace-vmm/decode.h"
#include "userspace-vmm/disassemble.h"
#include "userspace-vmm/names.h"
#include "userspace-vmm/ring.h"
#include "userspace-vmm/trace_format.h"

static void vtx_json_bytes(struct vtx_json *j, const char *key, const uint8_t *bytes, const uint8_t *known, size_t len)
{
	char text[3 * 64 + 1] = "";

	for (size_t i = 0; i < len && i < 64; i++)
		if (known && !known[i])
			strcat(text, i ? " ??" : "??");
		else
			sprintf(text + strlen(text), i ? " %02x" : "%02x", bytes[i]);
	vtx_json_text(j, key, text);
}

static void vtx_json_symbol(struct vtx_json *j, const struct vtx_symbols *symbols, uint64_t address)
{
	char name[128];

	if (vtx_symbols_name(symbols, address, name, sizeof(name)))
		vtx_json_text(j, "symbol", name);
}

static void vtx_json_instruction(struct vtx_json *j, const uint8_t *bytes, size_t len, unsigned int bits, uint64_t address)
{
	char text[128];

	if (vtx_disassemble(bytes, len < 15 ? len : 15, bits, address, text, sizeof(text)))
		vtx_json_text(j, "instruction", text);
}

static void vtx_json_rules(struct vtx_json *j, const struct vtx_failure_report *f)
{
	vtx_json_number(j, "broken_rules", f->nr_rules);
	vtx_json_open(j, "rules", '[');
	for (uint32_t i = 0; i < f->nr_rules && i < VTX_MAX_RULES; i++) {
		const struct vtx_rule_report *r = &f->rules[i];

		vtx_json_open(j, NULL, '{');
		vtx_json_text(j, "id", r->id);
		vtx_json_text(j, "section", r->section);
		vtx_json_text(j, "field", r->field);
		vtx_json_hex(j, "found", r->found);
		vtx_json_hex(j, "allowed", r->allowed);
		vtx_json_text(j, "text", r->text);
		vtx_json_close(j, '}');
	}
	vtx_json_close(j, ']');
}

static void vtx_json_fault(struct vtx_json *j, const struct vtx_fault *fault, unsigned int bits, const struct vtx_symbols *symbols)
{
	char text[128];

	vtx_json_open(j, NULL, '{');
	vtx_json_number(j, "vector", fault->vector);
	if (vtx_name_vector(fault->vector))
		vtx_json_text(j, "name", vtx_name_vector(fault->vector));
	if (fault->flags & VTX_FAULT_HAS_ERROR) {
		vtx_json_hex(j, "error", fault->error);
		vtx_decode_error_code(fault->vector, fault->error, text, sizeof(text));
		vtx_json_text(j, "error_bits", text);
	}
	if (fault->flags & VTX_FAULT_HAS_CR2)
		vtx_json_hex(j, "cr2", fault->cr2);
	vtx_json_bool(j, "inferred", fault->flags & VTX_FAULT_INFERRED);
	vtx_json_hex(j, "cs", fault->cs);
	vtx_json_hex(j, "rip", fault->rip);
	vtx_json_symbol(j, symbols, fault->rip);
	vtx_json_hex(j, "rsp", fault->rsp);
	vtx_json_hex(j, "rflags", fault->rflags);
	vtx_json_number(j, "tsc", fault->tsc);
	vtx_json_bytes(j, "bytes", fault->insn, NULL, fault->insn_len);
	vtx_json_instruction(j, fault->insn, fault->insn_len, bits, fault->rip);
	vtx_json_close(j, '}');
}

static void vtx_json_failure(struct vtx_json *j, const struct vtx_report_data *d, const struct vtx_symbols *symbols)
{
	const struct vtx_failure_report *f = &d->failure;

	vtx_json_open(j, "failure", '{');
	vtx_json_number(j, "kind", f->kind);
	vtx_json_text(j, "what", vtx_name_failure(f->kind));
	vtx_json_text(j, "text", f->text);
	vtx_json_hex(j, "exit_reason", f->exit_reason);
	vtx_json_text(j, "exit", f->exit_reason == ~0U ? "ENTRY_FAILED" : vtx_name_vmx_exit(f->exit_reason));
	vtx_json_hex(j, "qualification", f->qualification);
	vtx_json_hex(j, "cs", f->cs);
	vtx_json_hex(j, "rip", f->rip);
	vtx_json_symbol(j, symbols, f->rip);
	vtx_json_bytes(j, "bytes", f->insn, NULL, f->insn_len);
	vtx_json_instruction(j, f->insn, f->insn_len, vtx_explain_bits(d), f->rip);
	vtx_json_rules(j, f);
	vtx_json_open(j, "faults", '[');
	for (uint32_t i = 0; i < f->nr_faults && i < VTX_MAX_FAULTS; i++)
		vtx_json_fault(j, &f->faults[i], vtx_explain_bits(d), symbols);
	vtx_json_close(j, ']');
	vtx_json_close(j, '}');
}

void vtx_explain_ring_json(const void *ring, const struct vtx_explain_options *o, struct vtx_json *j)
{
	struct vtx_trace_format *f = calloc(1, sizeof(*f));
	struct vtx_record *records = calloc(VTX_EXPLAIN_MAX_LAST, sizeof(*records));
	struct vtx_ring header;
	uint32_t lost;
	size_t n = 0;

	memcpy(&header, ring, sizeof(header));
	vtx_json_number(j, "exits", header.head);
	vtx_json_open(j, "last_exits", '[');
	if (f && records) {
		n = vtx_ring_newest(ring, records, o->last < VTX_EXPLAIN_MAX_LAST ? o->last : VTX_EXPLAIN_MAX_LAST, &lost);
		*f = (struct vtx_trace_format){
			.symbols = o->symbols, .tsc_khz = header.tsc_khz, .disassemble = o->symbols && o->symbols->code_count,
		};
	}
	for (size_t i = 0; i < n; i++) {
		struct vtx_trace_entry entry = { .vcpu_id = header.vcpu_id, .record = records[i] };

		vtx_trace_object(f, j, &entry);
	}
	vtx_json_close(j, ']');
	free(records);
	free(f);
}

static void vtx_json_regs(struct vtx_json *j, const struct vtx_report_data *d)
{
	const struct kvm_regs *r = &d->regs;
	const struct {
		const char *name;
		uint64_t value;
	} regs[] = {
		{ "rax", r->rax }, { "rbx", r->rbx }, { "rcx", r->rcx }, { "rdx", r->rdx }, { "rsi", r->rsi }, { "rdi", r->rdi },
		{ "rbp", r->rbp }, { "rsp", r->rsp }, { "r8", r->r8 }, { "r9", r->r9 }, { "r10", r->r10 }, { "r11", r->r11 },
		{ "r12", r->r12 }, { "r13", r->r13 }, { "r14", r->r14 }, { "r15", r->r15 }, { "rip", r->rip }, { "rflags", r->rflags },
		{ "cr0", d->sregs.cr0 }, { "cr2", d->sregs.cr2 }, { "cr3", d->sregs.cr3 }, { "cr4", d->sregs.cr4 },
		{ "efer", d->sregs.efer }, { "cs", d->sregs.cs.selector }, { "cs_base", d->sregs.cs.base },
		{ "ss", d->sregs.ss.selector }, { "ds", d->sregs.ds.selector }, { "es", d->sregs.es.selector },
		{ "fs_base", d->sregs.fs.base }, { "gs_base", d->sregs.gs.base }, { "tr", d->sregs.tr.selector },
		{ "gdt_base", d->sregs.gdt.base }, { "gdt_limit", d->sregs.gdt.limit }, { "idt_base", d->sregs.idt.base },
		{ "idt_limit", d->sregs.idt.limit },
	};

	vtx_json_open(j, "registers", '{');
	for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		vtx_json_hex(j, regs[i].name, regs[i].value);
	vtx_json_close(j, '}');
}

static void vtx_json_code(struct vtx_json *j, const struct vtx_report_data *d, const struct vtx_symbols *symbols)
{
	unsigned int known = 0;

	while (VTX_CODE_BEFORE + known < VTX_CODE_BYTES && d->code_known[VTX_CODE_BEFORE + known])
		known++;
	vtx_json_open(j, "code", '{');
	vtx_json_hex(j, "linear", d->code_address);
	vtx_json_symbol(j, symbols, d->code_address);
	vtx_json_number(j, "bits", vtx_explain_bits(d));
	vtx_json_bytes(j, "before", d->code, d->code_known, VTX_CODE_BEFORE);
	vtx_json_bytes(j, "bytes", d->code + VTX_CODE_BEFORE, d->code_known + VTX_CODE_BEFORE, VTX_CODE_BYTES - VTX_CODE_BEFORE);
	vtx_json_instruction(j, d->code + VTX_CODE_BEFORE, known, vtx_explain_bits(d), d->code_address);
	vtx_json_close(j, '}');
}

void vtx_explain_json(const struct vtx_report_saved *saved, const struct vtx_explain_options *o, FILE *out)
{
	const struct vtx_report_data *d = &saved->data;
	struct vtx_json j;

	vtx_json_init(&j, out);
	vtx_json_open(&j, NULL, '{');
	vtx_json_number(&j, "vcpu", d->vcpu);
	vtx_json_text(&j, "headline", d->headline);
	if (d->has & VTX_REPORT_HAS_RUN) {
		vtx_json_number(&j, "kvm_exit_reason", d->run.exit_reason);
		vtx_json_text(&j, "kvm_exit", vtx_name_kvm_exit(d->run.exit_reason));
	}
	if (d->has & VTX_REPORT_HAS_FAILURE)
		vtx_json_failure(&j, d, o->symbols);
	if (saved->ring)
		vtx_explain_ring_json(saved->ring, o, &j);
	if (d->has & VTX_REPORT_HAS_REGS)
		vtx_json_regs(&j, d);
	if (d->has & VTX_REPORT_HAS_CODE)
		vtx_json_code(&j, d, o->symbols);
	vtx_json_close(&j, '}');
	fputc('\n', out);
}

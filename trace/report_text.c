// SPDX-License-Identifier: GPL-2.0-only
/*
 * A failure report as text: what the debugfs files last_failure show. docs/tracing.md has an example.
 */
#include <linux/minmax.h>
#include <linux/seq_file.h>
#include "trace/report.h"

static const char *const kind_name[] = {
	[VTX_FAILURE_ENTRY] = "entry",
	[VTX_FAILURE_TRIPLE_FAULT] = "triple fault",
	[VTX_FAILURE_EMULATION] = "emulation",
	[VTX_FAILURE_INTERNAL] = "internal error",
	[VTX_FAILURE_VM_DEAD] = "VM dead",
};

static const char *const register_name[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
					     "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };

static void print_bytes(struct seq_file *file, const __u8 *bytes, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		seq_printf(file, " %02x", bytes[i]);
	seq_putc(file, '\n');
}

static void print_registers(struct seq_file *file, const struct vtx_failure_report *r)
{
	seq_printf(file, "rip %#llx\ncs %#x\nrflags %#llx\n", r->rip, r->cs, r->rflags);
	seq_printf(file, "cr0 %#llx\ncr2 %#llx\ncr3 %#llx\ncr4 %#llx\nefer %#llx\n", r->cr0, r->cr2, r->cr3, r->cr4, r->efer);
	for (unsigned int i = 0; i < ARRAY_SIZE(register_name); i++)
		seq_printf(file, "%s %#llx\n", register_name[i], r->regs[i]);
}

static void print_rules(struct seq_file *file, const struct vtx_failure_report *r)
{
	unsigned int shown = min_t(unsigned int, r->nr_rules, VTX_MAX_RULES);

	for (unsigned int i = 0; i < shown; i++) {
		const struct vtx_rule_report *rule = &r->rules[i];

		seq_printf(file, "rule %s\n\tmanual %s\n\tfield %s\n\tfound %#llx\n\tallowed %#llx\n\t%s\n", rule->id,
			   rule->section, rule->field, rule->found, rule->allowed, rule->text);
	}
	if (r->nr_rules > shown)
		seq_printf(file, "rules not shown %u\n", r->nr_rules - shown);
}

static void print_faults(struct seq_file *file, const struct vtx_failure_report *r)
{
	unsigned int n = min_t(unsigned int, r->nr_faults, VTX_MAX_FAULTS);

	for (unsigned int i = 0; i < n; i++) {
		const struct vtx_fault *f = &r->faults[i];

		seq_printf(file, "fault vector %u", f->vector);
		if (f->flags & VTX_FAULT_HAS_ERROR)
			seq_printf(file, " error %#x", f->error);
		if (f->flags & VTX_FAULT_HAS_CR2)
			seq_printf(file, " cr2 %#llx", f->cr2);
		seq_printf(file, " rip %#llx cs %#x rsp %#llx rflags %#llx%s\n", f->rip, f->cs, f->rsp, f->rflags,
			   f->flags & VTX_FAULT_INFERRED ? " inferred" : "");
		if (f->insn_len) {
			seq_puts(file, "\tinsn");
			print_bytes(file, f->insn, min_t(unsigned int, f->insn_len, sizeof(f->insn)));
		}
	}
}

void vtx_report_print(struct seq_file *file, const struct vtx_failure_report *r)
{
	if (r->kind == VTX_FAILURE_NONE)
		return;
	seq_printf(file, "%s\n", r->text);
	seq_printf(file, "kind %s\n", r->kind < ARRAY_SIZE(kind_name) ? kind_name[r->kind] : "?");
	seq_printf(file, "vcpu %u\nexit_reason %#x\nqualification %#llx\ntsc %llu\n", r->vcpu_id, r->exit_reason,
		   r->qualification, r->tsc);
	print_registers(file, r);
	if (r->insn_len) {
		seq_puts(file, "insn");
		print_bytes(file, r->insn, min_t(unsigned int, r->insn_len, sizeof(r->insn)));
	}
	print_rules(file, r);
	print_faults(file, r);
}

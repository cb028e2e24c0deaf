// SPDX-License-Identifier: GPL-2.0-only
/* The parts of a report that KVM's interface gives: why KVM_RUN returned, and the registers. */
#define _GNU_SOURCE
#include "userspace-vmm/explain.h"

#include <inttypes.h>
#include <stdio.h>

#include "userspace-vmm/names.h"

#define VTX_ENTRY_FAILED_BIT 0x80000000ULL /* SDM vol. 3, 24.9.1: bit 31 of the exit reason */

static void vtx_report_fail_entry(FILE *out, const struct kvm_run *run, bool has_failure)
{
	uint64_t reason = run->fail_entry.hardware_entry_failure_reason;

	if (reason & VTX_ENTRY_FAILED_BIT)
		fprintf(out, "  the processor checked the guest state and refused it: exit reason 0x%" PRIx64 " (%s)\n",
			reason, vtx_name_vmx_exit((uint32_t)reason));
	else
		fprintf(out, "  VMLAUNCH or VMRESUME failed: VM-instruction error %" PRIu64 " (%s)\n", reason,
			vtx_name_vmx_instruction_error(reason));
	if (!has_failure)
		fprintf(out, "  the kernel log (dmesg) may say which rule was broken\n");
}

static void vtx_report_internal(FILE *out, const struct kvm_run *run)
{
	uint32_t n = run->internal.ndata;

	fprintf(out, "  suberror %u: %s\n", run->internal.suberror, vtx_name_internal_error(run->internal.suberror));
	if (n > sizeof(run->internal.data) / sizeof(run->internal.data[0]))
		n = sizeof(run->internal.data) / sizeof(run->internal.data[0]);
	for (uint32_t i = 0; i < n; i++)
		fprintf(out, "  data[%u] = 0x%" PRIx64 "\n", i, (uint64_t)run->internal.data[i]);
	if (run->internal.suberror == KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON && n > 0)
		fprintf(out, "  the exit: %s\n", vtx_name_vmx_exit((uint32_t)run->internal.data[0]));
	if (run->internal.suberror == KVM_INTERNAL_ERROR_DELIVERY_EV && n > 1)
		fprintf(out, "  event being delivered: 0x%" PRIx64 ", exit: %s\n", (uint64_t)run->internal.data[0],
			vtx_name_vmx_exit((uint32_t)run->internal.data[1]));
	if (run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION &&
	    n >= 3 && run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES) {
		unsigned int size = run->emulation_failure.insn_size;

		if (size > sizeof(run->emulation_failure.insn_bytes))
			size = sizeof(run->emulation_failure.insn_bytes);
		fprintf(out, "  the instruction:");
		for (unsigned int i = 0; i < size; i++)
			fprintf(out, " %02x", run->emulation_failure.insn_bytes[i]);
		fputc('\n', out);
	}
}

void vtx_explain_exit(FILE *out, const struct kvm_run *run, bool has_failure)
{
	fprintf(out, "  exit reason %u: %s\n", run->exit_reason, vtx_name_kvm_exit(run->exit_reason));
	switch (run->exit_reason) {
	case KVM_EXIT_FAIL_ENTRY:
		vtx_report_fail_entry(out, run, has_failure);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		vtx_report_internal(out, run);
		break;
	case KVM_EXIT_UNKNOWN:
		fprintf(out, "  hardware exit reason 0x%" PRIx64 ": %s\n", (uint64_t)run->hw.hardware_exit_reason,
			vtx_name_vmx_exit((uint32_t)run->hw.hardware_exit_reason));
		break;
	case KVM_EXIT_EXCEPTION:
		fprintf(out, "  exception %u, error code 0x%x\n", run->ex.exception, run->ex.error_code);
		break;
	}
}

void vtx_explain_regs(FILE *out, const struct kvm_regs *r)
{
	const struct {
		const char *name;
		uint64_t value;
	} regs[] = {
		{ "rax", r->rax }, { "rbx", r->rbx }, { "rcx", r->rcx }, { "rdx", r->rdx }, { "rsi", r->rsi },
		{ "rdi", r->rdi }, { "rbp", r->rbp }, { "rsp", r->rsp }, { "r8 ", r->r8 },  { "r9 ", r->r9 },
		{ "r10", r->r10 }, { "r11", r->r11 }, { "r12", r->r12 }, { "r13", r->r13 }, { "r14", r->r14 },
		{ "r15", r->r15 }, { "rip", r->rip }, { "rflags", r->rflags },
	};

	for (unsigned int i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		fprintf(out, "  %s %016" PRIx64 "%s", regs[i].name, regs[i].value,
			i % 4 == 3 ? "\n" : "");
	fputc('\n', out);
}

static void vtx_report_segment(FILE *out, const char *name, const struct kvm_segment *s)
{
	fprintf(out, "  %-4s sel %04x base %016" PRIx64 " limit %08x type %2u s %u dpl %u p %u avl %u l %u db %u g %u%s\n",
		name, s->selector, (uint64_t)s->base, s->limit, s->type, s->s, s->dpl, s->present, s->avl, s->l, s->db,
		s->g, s->unusable ? " unusable" : "");
}

void vtx_explain_sregs(FILE *out, const struct kvm_sregs *s)
{
	vtx_report_segment(out, "cs", &s->cs);
	vtx_report_segment(out, "ss", &s->ss);
	vtx_report_segment(out, "ds", &s->ds);
	vtx_report_segment(out, "es", &s->es);
	vtx_report_segment(out, "fs", &s->fs);
	vtx_report_segment(out, "gs", &s->gs);
	vtx_report_segment(out, "ldt", &s->ldt);
	vtx_report_segment(out, "tr", &s->tr);
	fprintf(out, "  gdt  base %016" PRIx64 " limit %04x   idt base %016" PRIx64 " limit %04x\n", (uint64_t)s->gdt.base,
		s->gdt.limit, (uint64_t)s->idt.base, s->idt.limit);
	fprintf(out, "  cr0 %08" PRIx64 "  cr2 %016" PRIx64 "  cr3 %016" PRIx64 "  cr4 %08" PRIx64 "\n", (uint64_t)s->cr0,
		(uint64_t)s->cr2, (uint64_t)s->cr3, (uint64_t)s->cr4);
	fprintf(out, "  cr8 %" PRIx64 "  efer %" PRIx64 "  apic base %" PRIx64 "\n", (uint64_t)s->cr8, (uint64_t)s->efer,
		(uint64_t)s->apic_base);
}

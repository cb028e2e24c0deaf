// SPDX-License-Identifier: GPL-2.0-only
/* The report of a dead vCPU. */
#define _GNU_SOURCE
#include "userspace-vmm/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "userspace-vmm/names.h"
#include "userspace-vmm/walk.h"

#define VTX_ENTRY_FAILED_BIT 0x80000000ULL /* SDM vol. 3, 24.9.1: bit 31 of the exit reason */
#define VTX_CODE_BEFORE 16
#define VTX_CODE_BYTES 48
#define VTX_OPCODE_INT3 0xcc
#define VTX_EFER_LMA 0x400

static void vtx_report_fail_entry(FILE *out, const struct kvm_run *run)
{
	uint64_t reason = run->fail_entry.hardware_entry_failure_reason;

	if (reason & VTX_ENTRY_FAILED_BIT)
		fprintf(out, "  the processor checked the guest state and refused it: exit reason 0x%" PRIx64 " (%s)\n",
			reason, vtx_name_vmx_exit((uint32_t)reason));
	else
		fprintf(out, "  VMLAUNCH or VMRESUME failed: VM-instruction error %" PRIu64 " (%s)\n", reason,
			vtx_name_vmx_instruction_error(reason));
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

static void vtx_report_exit(FILE *out, const struct kvm_run *run)
{
	fprintf(out, "  exit reason %u: %s\n", run->exit_reason, vtx_name_kvm_exit(run->exit_reason));
	switch (run->exit_reason) {
	case KVM_EXIT_FAIL_ENTRY:
		vtx_report_fail_entry(out, run);
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

static void vtx_report_regs(FILE *out, const struct kvm_regs *r)
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

static void vtx_report_sregs(FILE *out, const struct kvm_sregs *s)
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

static const uint8_t *vtx_code_byte(const struct vtx_ram *ram, const struct kvm_sregs *s, uint64_t linear)
{
	uint64_t gpa;

	return vtx_walk(ram, s, linear, &gpa) ? NULL : vtx_ram_at(ram, gpa, 1);
}

/* In 64-bit mode the code segment's base counts as 0. */
static uint64_t vtx_linear_rip(const struct kvm_regs *r, const struct kvm_sregs *s)
{
	return (s->cs.l && s->efer & VTX_EFER_LMA ? 0 : s->cs.base) + r->rip;
}

static void vtx_report_code(FILE *out, const struct vtx_ram *ram, const struct kvm_regs *r, const struct kvm_sregs *s)
{
	uint64_t rip = vtx_linear_rip(r, s);

	fprintf(out, "  code at linear 0x%" PRIx64 ":", rip);
	for (int i = -VTX_CODE_BEFORE; i < VTX_CODE_BYTES - VTX_CODE_BEFORE; i++) {
		const uint8_t *byte = vtx_code_byte(ram, s, rip + (uint64_t)(int64_t)i);

		fprintf(out, i == 0 ? " <" : " ");
		if (byte)
			fprintf(out, "%02x", *byte);
		else
			fprintf(out, "??");
		if (i == 0)
			fputc('>', out);
	}
}

bool vtx_report_is_reboot(struct vtx_vcpu *vcpu, const struct vtx_ram *ram)
{
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	const uint8_t *byte;

	if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0 || ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return false;
	byte = vtx_code_byte(ram, &sregs, vtx_linear_rip(&regs, &sregs));
	return sregs.cr0 & 1 && sregs.idt.limit == 0 && byte && *byte == VTX_OPCODE_INT3;
}

char *vtx_report(struct vtx_vcpu *vcpu, const struct vtx_ram *ram, const char *headline)
{
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out, "vCPU %u: %s\n", vcpu->index, headline);
	vtx_report_exit(out, vcpu->run);
	if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0 || ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0) {
		fprintf(out, "  its registers cannot be read: %s\n", strerror(errno));
	} else {
		vtx_report_regs(out, &regs);
		vtx_report_sregs(out, &sregs);
		vtx_report_code(out, ram, &regs, &sregs);
	}
	fclose(out);
	return text;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The meaning of exit qualifications, by reason (SDM vol. 3, 27.2.1).  A table of functions: one row for each reason whose record
 * carries something to decode.
 */
#include "userspace-vmm/decode.h"

#include <asm/kvm_para.h>
#include <asm/vmx.h>
#include <linux/kvm_para.h>
#include <stdio.h>
#include <string.h>

#include "userspace-vmm/names.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(value, n) (((value) >> (n)) & 1)
#define BITS(value, high, low) (((value) >> (low)) & ((1ULL << ((high) - (low) + 1)) - 1))

static const char *const vtx_gpr_names[16] = {
	"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
};

static const char *vtx_one_of(const char *const *names, size_t count, uint64_t n)
{
	return n < count && names[n] ? names[n] : "reserved";
}

/* ------------------------------------------------------------------ one reason each */

/* Table 27-5. */
static void vtx_decode_io(const struct vtx_record *r, struct vtx_fields *f)
{
	uint64_t q = r->info;

	vtx_fields_hex(f, "port", BITS(q, 31, 16));
	vtx_fields_word(f, "direction", BIT(q, 3) ? "in" : "out");
	vtx_fields_number(f, "size", BITS(q, 2, 0) + 1);
	if (BIT(q, 4))
		vtx_fields_word(f, "string", "yes");
	if (BIT(q, 5))
		vtx_fields_word(f, "rep", "yes");
	vtx_fields_word(f, "operand", BIT(q, 6) ? "immediate" : "dx");
}

/* Table 27-3. */
static void vtx_decode_cr(const struct vtx_record *r, struct vtx_fields *f)
{
	static const char *const access[] = { "mov-to", "mov-from", "clts", "lmsw" };
	uint64_t type = BITS(r->info, 5, 4);

	vtx_fields_number(f, "cr", BITS(r->info, 3, 0));
	vtx_fields_word(f, "access", access[type]);
	if (type < 2)
		vtx_fields_word(f, "register", vtx_gpr_names[BITS(r->info, 11, 8)]);
	if (type == 3) {
		vtx_fields_word(f, "operand", BIT(r->info, 6) ? "memory" : "register");
		vtx_fields_hex(f, "source", BITS(r->info, 31, 16));
	}
}

/* Table 27-4. */
static void vtx_decode_dr(const struct vtx_record *r, struct vtx_fields *f)
{
	vtx_fields_number(f, "dr", BITS(r->info, 2, 0));
	vtx_fields_word(f, "access", BIT(r->info, 4) ? "mov-from" : "mov-to");
	vtx_fields_word(f, "register", vtx_gpr_names[BITS(r->info, 11, 8)]);
}

/* Table 27-2. */
static void vtx_decode_task_switch(const struct vtx_record *r, struct vtx_fields *f)
{
	static const char *const source[] = { "call", "iret", "jmp", "task-gate" };

	vtx_fields_hex(f, "selector", BITS(r->info, 15, 0));
	vtx_fields_word(f, "source", source[BITS(r->info, 31, 30)]);
}

/* Letters of the bits that are set, "-" for the others. */
static void vtx_rights(uint64_t bits, char text[4])
{
	for (unsigned int i = 0; i < 3; i++)
		text[i] = BIT(bits, i) ? "rwx"[i] : '-';
	text[3] = '\0';
}

/* Table 27-7. */
static void vtx_decode_ept_violation(const struct vtx_record *r, struct vtx_fields *f)
{
	uint64_t q = r->info;
	char text[4];

	vtx_rights(q, text);
	vtx_fields_word(f, "access", text);
	vtx_rights(q >> 3, text);
	vtx_fields_word(f, "allowed", text);
	if (BIT(q, 7))
		vtx_fields_word(f, "for", BIT(q, 8) ? "data" : "page-walk");
	else
		vtx_fields_word(f, "for", "no-linear-address");
	if (BIT(q, 12))
		vtx_fields_word(f, "nmi-unblocked", "yes");
}

/* Table 27-6. */
static void vtx_decode_apic_access(const struct vtx_record *r, struct vtx_fields *f)
{
	static const char *const type[16] = {
		[0] = "read", [1] = "write", [2] = "fetch", [3] = "event-delivery", [4] = "monitoring",
		[10] = "physical-event-delivery", [11] = "physical-monitoring", [15] = "physical",
	};
	const char *name = vtx_name_apic_register((uint32_t)BITS(r->info, 11, 0));

	vtx_fields_hex(f, "offset", BITS(r->info, 11, 0));
	if (name)
		vtx_fields_word(f, "apic-register", name);
	vtx_fields_word(f, "access", vtx_one_of(type, COUNT(type), BITS(r->info, 15, 12)));
}

static void vtx_decode_apic_write(const struct vtx_record *r, struct vtx_fields *f)
{
	const char *name = vtx_name_apic_register((uint32_t)BITS(r->info, 11, 0));

	vtx_fields_hex(f, "offset", BITS(r->info, 11, 0));
	if (name)
		vtx_fields_word(f, "apic-register", name);
}

static void vtx_decode_vector(const struct vtx_record *r, struct vtx_fields *f)
{
	vtx_fields_hex(f, "vector", BITS(r->info, 7, 0));
}

static void vtx_decode_linear(const struct vtx_record *r, struct vtx_fields *f)
{
	vtx_fields_hex(f, "linear", r->info);
}

static void vtx_decode_msr(const struct vtx_record *r, struct vtx_fields *f)
{
	char buffer[40];
	const char *name = vtx_name_msr((uint32_t)r->info, buffer, sizeof(buffer));

	vtx_fields_hex(f, "msr", (uint32_t)r->info);
	if (name)
		vtx_fields_word(f, "name", name);
}

static void vtx_decode_cpuid(const struct vtx_record *r, struct vtx_fields *f)
{
	vtx_fields_hex(f, "leaf", (uint32_t)r->info);
	vtx_fields_hex(f, "subleaf", r->info >> 32);
}

static void vtx_decode_vmcall(const struct vtx_record *r, struct vtx_fields *f)
{
	static const char *const names[] = {
		[KVM_HC_VAPIC_POLL_IRQ] = "VAPIC_POLL_IRQ", [KVM_HC_KICK_CPU] = "KICK_CPU",
		[KVM_HC_CLOCK_PAIRING] = "CLOCK_PAIRING",   [KVM_HC_SEND_IPI] = "SEND_IPI",
		[KVM_HC_SCHED_YIELD] = "SCHED_YIELD",	    [KVM_HC_MAP_GPA_RANGE] = "MAP_GPA_RANGE",
	};

	vtx_fields_hex(f, "number", r->info);
	if (r->info < COUNT(names) && names[r->info])
		vtx_fields_word(f, "name", names[r->info]);
}

static void vtx_decode_exception(const struct vtx_record *r, struct vtx_fields *f)
{
	uint32_t info = (uint32_t)r->info, error = (uint32_t)(r->info >> 32);
	char bits[40];

	vtx_decode_event(info, f);
	if (!BIT(info, 31) || !BIT(info, 11))
		return;
	vtx_fields_hex(f, "error", error);
	vtx_decode_error_code((uint8_t)info, error, bits, sizeof(bits));
	if (bits[0])
		vtx_fields_word(f, "error-bits", bits);
}

/* 26.8: why loading the guest state was refused. */
static void vtx_decode_invalid_state(const struct vtx_record *r, struct vtx_fields *f)
{
	static const char *const why[] = {
		[0] = "no-detail", [2] = "pdptes", [3] = "nmi-while-blocked", [4] = "vmcs-link-pointer",
	};

	vtx_fields_word(f, "why", vtx_one_of(why, COUNT(why), r->info));
}

static void vtx_decode_msr_load(const struct vtx_record *r, struct vtx_fields *f)
{
	vtx_fields_number(f, "entry", r->info);
}

static void vtx_decode_mwait(const struct vtx_record *r, struct vtx_fields *f)
{
	vtx_fields_word(f, "monitor", BIT(r->info, 0) ? "armed" : "not-armed");
}

/* Table 27-1, the part of the qualification that a debug exception leaves. */
static void vtx_decode_qualification(const struct vtx_record *r, struct vtx_fields *f)
{
	if (r->info)
		vtx_fields_hex(f, "qualification", r->info);
}

static void (*const vtx_decoders[])(const struct vtx_record *r, struct vtx_fields *f) = {
	[EXIT_REASON_EXCEPTION_NMI] = vtx_decode_exception,
	[EXIT_REASON_SIPI_SIGNAL] = vtx_decode_vector,
	[EXIT_REASON_TASK_SWITCH] = vtx_decode_task_switch,
	[EXIT_REASON_CPUID] = vtx_decode_cpuid,
	[EXIT_REASON_INVLPG] = vtx_decode_linear,
	[EXIT_REASON_VMCALL] = vtx_decode_vmcall,
	[EXIT_REASON_CR_ACCESS] = vtx_decode_cr,
	[EXIT_REASON_DR_ACCESS] = vtx_decode_dr,
	[EXIT_REASON_IO_INSTRUCTION] = vtx_decode_io,
	[EXIT_REASON_MSR_READ] = vtx_decode_msr,
	[EXIT_REASON_MSR_WRITE] = vtx_decode_msr,
	[EXIT_REASON_INVALID_STATE] = vtx_decode_invalid_state,
	[EXIT_REASON_MSR_LOAD_FAIL] = vtx_decode_msr_load,
	[EXIT_REASON_MWAIT_INSTRUCTION] = vtx_decode_mwait,
	[EXIT_REASON_APIC_ACCESS] = vtx_decode_apic_access,
	[EXIT_REASON_EOI_INDUCED] = vtx_decode_vector,
	[EXIT_REASON_EPT_VIOLATION] = vtx_decode_ept_violation,
	[EXIT_REASON_APIC_WRITE] = vtx_decode_apic_write,
};

const char *vtx_decode_reason(const struct vtx_record *r)
{
	return r->reason == ~0U ? "ENTRY_FAILED" : vtx_name_vmx_exit(r->reason);
}

void vtx_decode_info(const struct vtx_record *r, struct vtx_fields *f)
{
	uint32_t basic = r->reason & 0xffff;

	if (r->reason == ~0U) {
		vtx_fields_number(f, "instruction-error", r->info);
		vtx_fields_word(f, "meaning", vtx_name_vmx_instruction_error(r->info));
		return;
	}
	if (BIT(r->reason, 31))
		vtx_fields_word(f, "entry", "failed");
	if (basic < COUNT(vtx_decoders) && vtx_decoders[basic])
		vtx_decoders[basic](r, f);
	else
		vtx_decode_qualification(r, f);
	if (r->flags & VTX_RECORD_GPA)
		vtx_fields_hex(f, "gpa", r->gpa);
	if (r->flags & VTX_RECORD_GLA)
		vtx_fields_hex(f, "gla", r->gla);
}

const char *vtx_name_handler(unsigned int by)
{
	static const char *const names[] = {
		[VTX_BY_NONE] = "none", [VTX_BY_FAST] = "fast", [VTX_BY_SLOW] = "slow", [VTX_BY_USER] = "user",
	};

	return by < COUNT(names) ? names[by] : "unknown";
}

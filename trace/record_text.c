// SPDX-License-Identifier: GPL-2.0-only
/*
 * A record as text (trace/record_text.h).
 */
#include <linux/kernel.h>
#include <asm/vmx.h>
#include "exits/exits.h"
#include "trace/record_text.h"

/* By enum vtx_handler. */
static const char *const handlers[] = { "none", "fast", "slow", "user" };

/* A failed entry has bit 31; its reason is then one of three (SDM vol. 3, 27.8). */
static size_t print_reason(char *out, size_t size, u32 reason)
{
	u32 basic = reason & 0xffff;
	const char *failed = reason & VMX_EXIT_REASONS_FAILED_VMENTRY ? "FAILED:" : "";

	if (reason == ~0u)
		return scnprintf(out, size, "VMFAIL");
	if (basic < VTX_NR_EXIT_REASONS && vtx_exit_table[basic].name)
		return scnprintf(out, size, "%s%s", failed, vtx_exit_table[basic].name);
	return scnprintf(out, size, "%sREASON_%u", failed, basic);
}

/* " 0x12", or " -" for what the record does not have. */
static size_t print_field(char *out, size_t size, bool valid, u64 value)
{
	return valid ? scnprintf(out, size, " %#llx", value) : scnprintf(out, size, " -");
}

size_t vtx_record_line(char *out, size_t size, u32 vcpu_id, u64 number, const struct vtx_record *record)
{
	size_t n = scnprintf(out, size, "%u %llu %llu ", vcpu_id, number, record->tsc);

	n += print_reason(out + n, size - n, record->reason);
	n += scnprintf(out + n, size - n, " %#llx %#x %#llx", record->rip, record->cs, record->info);
	n += print_field(out + n, size - n, record->flags & VTX_RECORD_GPA, record->gpa);
	n += print_field(out + n, size - n, record->flags & VTX_RECORD_GLA, record->gla);
	n += print_field(out + n, size - n, record->injected & INTR_INFO_VALID_MASK, record->injected);
	n += print_field(out + n, size - n, record->vectoring & VECTORING_INFO_VALID_MASK, record->vectoring);
	n += scnprintf(out + n, size - n, " %u %s\n", record->ticks,
		       record->by < ARRAY_SIZE(handlers) ? handlers[record->by] : "?");
	return n;
}

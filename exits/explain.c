// SPDX-License-Identifier: GPL-2.0-only
/*
 * What reports of a guest's end have in common: reading its code and tables, and the sentences.
 */
#include <linux/mm.h>
#include <asm/vmx.h>
#include "emulate/decode.h"
#include "emulate/why.h"
#include "ept/ept.h"
#include "exits/emulation.h"
#include "exits/explain.h"
#include "exits/guest_mem.h"
#include "trace/livelock.h"
#include "trace/report.h"
#include "vmx/regs.h"

/* As the processor reads its tables, but without a trace: no accessed flag is set for a report. */
#define LOOK (VTX_WALK_IMPLICIT | VTX_WALK_NO_SET_AD)

/* ------------------------------------------------------------------ memory */

unsigned int vtx_read_code(struct vtx_vcpu *vcpu, u64 linear, u8 *buf, unsigned int len)
{
	struct vtx_emu_exception exc;
	struct vtx_walk_cpu walk = {};
	unsigned int done, n;
	u64 gva, gpa;

	vtx_walk_cpu_fill(vcpu, &walk);
	for (done = 0; done < len; done += n) {
		gva = linear + done;
		if (!(walk.efer & EFER_LMA))
			gva = (u32)gva;
		n = min_t(unsigned int, len - done, PAGE_SIZE - offset_in_page(gva));
		if (vtx_gva_to_gpa(vcpu, &walk, gva, LOOK, &gpa, &exc) || vtx_gpa_read(vcpu->vm, gpa, buf + done, n))
			break;
	}
	return done;
}

struct look {
	struct vtx_vcpu *vcpu;
	struct vtx_walk_cpu walk;
};

/* A page at a time: the first that is missing gives the address. Return as struct vtx_deliver_ops says. */
static int look(struct look *l, u64 linear, void *buf, unsigned int len, unsigned int access, u32 *error, u64 *cr2)
{
	struct vtx_emu_exception exc;
	unsigned int n;
	u64 gpa;
	int ret;

	for (; len; len -= n, linear += n) {
		n = min_t(unsigned int, len, PAGE_SIZE - offset_in_page(linear));
		ret = vtx_gva_to_gpa(l->vcpu, &l->walk, linear, access | LOOK, &gpa, &exc);
		if (ret == 1) {
			*error = exc.error;
			*cr2 = exc.cr2;
		}
		if (ret)
			return ret;
		if (!buf)
			continue;
		if (vtx_gpa_read(l->vcpu->vm, gpa, buf, n))
			return -EFAULT;
		buf += n;
	}
	return 0;
}

static int look_read(void *opaque, u64 linear, void *buf, unsigned int len, u32 *error, u64 *cr2)
{
	return look(opaque, linear, buf, len, VTX_WALK_READ, error, cr2);
}

static int look_write(void *opaque, u64 linear, unsigned int len, u32 *error, u64 *cr2)
{
	return look(opaque, linear, NULL, len, VTX_WALK_WRITE, error, cr2);
}

static const struct vtx_deliver_ops look_ops = {
	.read = look_read,
	.probe_write = look_write,
};

enum vtx_deliver_verdict vtx_explain_delivery(struct vtx_vcpu *vcpu, u8 vector, struct vtx_deliver_result *res)
{
	struct look l = { .vcpu = vcpu };
	struct vtx_deliver_cpu cpu = {
		.mode = !vtx_in_protected_mode(vcpu) ? VTX_DELIVER_REAL :
			vtx_in_long_mode(vcpu)	     ? VTX_DELIVER_LONG : VTX_DELIVER_PROTECTED,
		.cpl = vtx_cpl(vcpu),
		.vm86 = vtx_rflags(vcpu) & X86_EFLAGS_VM,
		.linear_bits = vtx_cr4(vcpu) & X86_CR4_LA57 ? 57 : 48,
		.idt_base = vtx_vmreadl(GUEST_IDTR_BASE),
		.idt_limit = vtx_vmread32(GUEST_IDTR_LIMIT),
		.gdt_base = vtx_vmreadl(GUEST_GDTR_BASE),
		.gdt_limit = vtx_vmread32(GUEST_GDTR_LIMIT),
		.tss_base = vtx_vmreadl(GUEST_TR_BASE),
		.tss_limit = vtx_vmread32(GUEST_TR_LIMIT),
		.tr = vtx_vmread16(GUEST_TR_SELECTOR),
		.rsp = vtx_rsp(vcpu),
	};
	struct kvm_segment ss;

	vtx_get_segment(vcpu, VTX_SS, &ss);
	cpu.ss_flat = !ss.unusable && !ss.base && ss.limit == ~0U && ss.db;
	vtx_walk_cpu_fill(vcpu, &l.walk);
	return vtx_deliver(&cpu, &look_ops, &l, vector, res);
}

/* ------------------------------------------------------------------ sentences */

static void put_code(struct vtx_vcpu *vcpu, struct vtx_failure_report *r)
{
	u64 linear = r->rip + vtx_vmreadl(GUEST_CS_BASE);

	r->insn_len = vtx_read_code(vcpu, linear, r->insn, sizeof(r->insn));
}

void vtx_report_internal(struct vtx_vcpu *vcpu, const char *fmt, ...)
{
	struct vtx_failure_report *r = vtx_report_begin(vcpu, VTX_FAILURE_INTERNAL);
	va_list args;

	va_start(args, fmt);
	vscnprintf(r->text, sizeof(r->text), fmt, args);
	va_end(args);
	put_code(vcpu, r);
	vtx_report_finish(vcpu);
}

static int opcode_text(const struct vtx_emu_insn *in, char *buf, size_t size)
{
	static const char *const maps[] = { "one-byte", "0F", "0F 38", "0F 3A", "other" };

	/* Only what the decoder has come to. */
	if (!in->fetched || !in->pos)
		return 0;
	return scnprintf(buf, size, " (opcode %#04x of the %s map%s%s%s)", in->opcode,
			 maps[min_t(unsigned int, in->map, ARRAY_SIZE(maps) - 1)], in->evex ? ", EVEX" : in->vex ? ", VEX" : "",
			 in->lock ? ", LOCK" : "", in->rep ? ", REP" : "");
}

void vtx_report_emulation(struct vtx_vcpu *vcpu, const struct vtx_emulation *em, bool stops)
{
	const struct vtx_emu_insn *in = &em->e.insn;
	const char *why = vtx_emu_why_text(em->e.why);
	struct vtx_failure_report *r;
	size_t n;

	if (!stops) {
		vtx_diagnose(vcpu, VTX_FINDING_EMULATION, em->e.why, why);
		return;
	}
	r = vtx_report_begin(vcpu, VTX_FAILURE_EMULATION);
	n = scnprintf(r->text, sizeof(r->text), "%s", why);
	n += opcode_text(in, r->text + n, sizeof(r->text) - n);
	if (em->hint.valid)
		n += scnprintf(r->text + n, sizeof(r->text) - n, "; operand at linear address %#llx, guest-physical %#llx", em->hint.gva,
			       em->hint.gpa);
	if (em->exit_port)
		n += scnprintf(r->text + n, sizeof(r->text) - n, "; port %#x", em->exit_port & 0xffff);
	scnprintf(r->text + n, sizeof(r->text) - n, ".");
	r->insn_len = min_t(u32, in->fetched, sizeof(in->bytes));
	memcpy(r->insn, in->bytes, r->insn_len);
	vtx_report_finish(vcpu);
}

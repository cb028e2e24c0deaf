// SPDX-License-Identifier: GPL-2.0-only
/*
 * Why a guest died: chains of faults with every exception intercepted (VTX_SET_FAULT_CHAIN) and without, failed emulation, events
 * that cannot be delivered; and that the report stays until the next one. With $VTX_SAVE_REPORTS some go to files there as well.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/report.h"
#include "lib/trace.h"
#include "lib/vm.h"
#include "../../uapi/vtx.h"

#define NOWHERE 0x40000000UL	/* no page is mapped in these 2 MiB */
#define STACK_PAGE (GUEST_SCRATCH + PAGE_SIZE)	/* the page below it is not mapped */

enum { UD = 6, DF = 8, NP = 11, GP = 13, PF = 14 };
#define IDT_ERROR(vector) ((vector) * 8 + 3)	/* EXT and IDT */

struct table_register {
	u16 limit;
	u64 base;
} __attribute__((packed));

/* ------------------------------------------------------------------ reports */

static struct vtx_failure_report report_of(struct vcpu *v)
{
	struct vtx_failure_report r;

	memset(&r, 0xaa, sizeof(r));
	CHECK_OK(ioctl(v->fd, VTX_GET_FAILURE, &r));
	return r;
}

static void set_chain(struct vcpu *v, unsigned long on)
{
	CHECK_OK(ioctl(v->fd, VTX_SET_FAULT_CHAIN, on));
}

/* A file of the VM's folder in debugfs, in a static buffer. */
static const char *trace_file(struct vm *vm, const char *name)
{
	static char text[16384];
	char *file = trace_read(vm, name);

	CHECK(file, "%s cannot be read", name);
	snprintf(text, sizeof(text), "%s", file);
	free(file);
	return text;
}

static u64 exits_of(struct vcpu *v, const char *reason)
{
	char name[32], want[64];
	const char *line;

	snprintf(name, sizeof(name), "vcpu%d/exits", v->id);
	snprintf(want, sizeof(want), "\n%s ", reason);
	line = strstr(trace_file(v->vm, name), want);
	return line ? strtoull(line + strlen(want), NULL, 10) : 0;
}

/* ------------------------------------------------------------------ what is expected of a link */

struct want {
	u8 vector;
	bool has_error;
	u32 error;
	u64 cr2, cr2_span;	/* from cr2 on; span 0: no CR2 */
	bool inferred;
};

#define N(v) { .vector = (v) }
#define E(v, code) { .vector = (v), .has_error = true, .error = (code) }
#define P(code, address, span) { .vector = PF, .has_error = true, .error = (code), .cr2 = (address), .cr2_span = (span) }
#define INFERRED(...) { __VA_ARGS__, .inferred = true }

static void check_link(const struct vtx_fault *f, const struct want *w, unsigned int i, u64 rip, u64 rsp)
{
	EXPECT(f->vector == w->vector, "link %u has vector %u, not %u", i, f->vector, w->vector);
	EXPECT(!!(f->flags & VTX_FAULT_HAS_ERROR) == w->has_error && f->error == w->error, "link %u: flags %#x, error %#x, not %#x", i,
	       f->flags, f->error, w->error);
	EXPECT(!!(f->flags & VTX_FAULT_HAS_CR2) == !!w->cr2_span && (!w->cr2_span || f->cr2 - w->cr2 < w->cr2_span),
	       "link %u: flags %#x, CR2 %#llx", i, f->flags, (unsigned long long)f->cr2);
	EXPECT(!!(f->flags & VTX_FAULT_INFERRED) == w->inferred, "link %u: flags %#x", i, f->flags);
	EXPECT(f->rip == rip && f->rsp == rsp, "link %u is at RIP %#llx, RSP %#llx, not %#llx, %#llx", i, (unsigned long long)f->rip,
	       (unsigned long long)f->rsp, (unsigned long long)rip, (unsigned long long)rsp);
	EXPECT(f->tsc && f->rflags & 2, "link %u: TSC %llu, RFLAGS %#llx", i, (unsigned long long)f->tsc, (unsigned long long)f->rflags);
}

struct chain {
	const char *name;	/* of the saved report */
	const struct want *full, *reduced;
	unsigned int nr_full, nr_reduced;
	u64 rip, rsp;
	u16 cs;
	const char *code;	/* bytes at RIP; NULL: none can be read */
	unsigned int code_len;
	const char *text;	/* part of the sentence */
};

#define CHAIN(f, r) .name = __func__, .full = (f), .nr_full = ARRAY_SIZE(f), .reduced = (r), .nr_reduced = ARRAY_SIZE(r)
#define CODE(bytes) .code = (bytes), .code_len = sizeof(bytes) - 1

static void check_code(const u8 *insn, unsigned int len, const struct chain *c)
{
	if (c->code)
		EXPECT(len >= c->code_len && !memcmp(insn, c->code, c->code_len), "%u bytes, %02x %02x", len, insn[0], insn[1]);
	else
		EXPECT(!len, "%u bytes of code at no address", len);
}

static void check_chain(struct vcpu *v, const struct chain *c, bool full)
{
	const struct want *w = full ? c->full : c->reduced;
	unsigned int n = full ? c->nr_full : c->nr_reduced;
	struct vtx_failure_report r = report_of(v);
	char name[64];

	snprintf(name, sizeof(name), "%s-%s", c->name, full ? "full" : "reduced");
	save_report(name, &r);
	CHECK_EQ(r.kind, VTX_FAILURE_TRIPLE_FAULT, "the kind");
	EXPECT_EQ(r.rip, c->rip, "RIP");
	EXPECT_EQ(r.cs, c->cs, "CS");
	EXPECT_EQ(r.rsp, c->rsp, "RSP");
	EXPECT_EQ(r.nr_rules, 0, "the rules");
	check_code(r.insn, r.insn_len, c);
	EXPECT(strstr(r.text, c->text), "'%s' is not in '%s'", c->text, r.text);
	/* Who did not see everything says how to. */
	EXPECT(!!strstr(r.text, "fault_chain=1") == !full, "'%s'", r.text);
	CHECK(r.nr_faults == n, "%u links, not %u: '%s'", r.nr_faults, n, r.text);
	for (unsigned int i = 0; i < n; i++) {
		check_link(&r.faults[i], &w[i], i, c->rip, c->rsp);
		EXPECT_EQ(r.faults[i].cs, c->cs, "CS of a link");
		check_code(r.faults[i].insn, r.faults[i].insn_len, c);
	}
}

/* ------------------------------------------------------------------ guests that end in a triple fault */

extern const u8 f_ud[], f_bad_stack[], f_rdpmc[], f_touch[];

/* Each of these is all the guest: registers are known at the instruction that faults. */
asm(".pushsection .text\n"
    ".globl f_ud, f_bad_stack, f_rdpmc, f_touch\n"
    "f_ud:	ud2\n"
    "f_rdpmc:	rdpmc\n"
    "f_touch:	movl %eax, (%rdi)\n"
    ".popsection");

/* #UD is intercepted for the sake of VMMCALL, unless the program does not want that: then as little is seen as of other exceptions. */
static struct vcpu *ud_unseen(struct vcpu *v)
{
	CHECK_OK(enable_cap(v->vm, KVM_CAP_DISABLE_QUIRKS2, KVM_X86_QUIRK_FIX_HYPERCALL_INSN));
	return v;
}

static struct vcpu *at(const u8 *code, u64 rsp)
{
	struct vcpu *v = ud_unseen(guest_new(0, (void (*)(u64))(uintptr_t)code, 0));
	struct kvm_regs regs = vcpu_regs(v);

	if (rsp)
		regs.rsp = rsp;
	regs.rdi = NOWHERE + PAGE_SIZE;
	vcpu_set_regs(v, &regs);
	((u64 *)(v->vm->mem + GUEST_PD))[NOWHERE >> 21] = 0;
	return v;
}

static u64 *gate(struct vcpu *v, unsigned int vector)
{
	return (u64 *)(v->vm->mem + GUEST_IDT) + 2 * vector;
}

static void set_handler(struct vcpu *v, unsigned int vector, u64 address)
{
	u64 *g = gate(v, vector);

	g[0] = (g[0] & 0x0000ffffffff0000ULL) | (address & 0xffff) | (address >> 16 & 0xffff) << 48;
	g[1] = address >> 32;
}

static void make_absent(struct vcpu *v, unsigned int vector)
{
	gate(v, vector)[0] &= ~(1ULL << 47);
}

static void set_table_limit(struct vcpu *v, bool idt, u16 limit)
{
	struct kvm_sregs sregs = vcpu_sregs(v);

	*(idt ? &sregs.idt.limit : &sregs.gdt.limit) = limit;
	CHECK_OK(ioctl(v->fd, KVM_SET_SREGS, &sregs));
}

static void dies(struct vcpu *v, const struct chain *c, bool full)
{
	set_chain(v, full);
	vcpu_expect(v, KVM_EXIT_SHUTDOWN);
	check_chain(v, c, full);
	vm_free(v->vm);
	vcpu_free(v);
}

static u64 own_rsp(struct vcpu *v)
{
	return vcpu_regs(v).rsp;
}

static void empty_idt(void)
{
	static const struct want full[] = { N(UD), E(GP, IDT_ERROR(UD)), E(GP, IDT_ERROR(GP)), E(DF, 0), E(GP, IDT_ERROR(DF)) };
	static const struct want reduced[] = { INFERRED(DF, true, 0), INFERRED(GP, true, IDT_ERROR(DF)) };
	struct chain c = { CHAIN(full, reduced), .rip = (uintptr_t)f_ud, .cs = SEL_CODE64, CODE("\x0f\x0b"),
			   .text = "vector 8 is beyond the limit of the IDT" };

	for (int i = 0; i < 2; i++) {
		struct vcpu *v = at(f_ud, 0);

		set_table_limit(v, true, 0);
		c.rsp = own_rsp(v);
		dies(v, &c, i);
	}
}

/* An exception that vtx raised itself and whose delivery cannot work is known without the mode as well. */
static void injected_into_empty_idt(void)
{
	static const struct want full[] = { E(GP, 0), E(GP, IDT_ERROR(GP)), E(DF, 0), E(GP, IDT_ERROR(DF)) };
	static const struct want reduced[] = { E(GP, 0), INFERRED(GP, true, IDT_ERROR(GP)), INFERRED(DF, true, 0),
					       INFERRED(GP, true, IDT_ERROR(DF)) };
	struct chain c = { CHAIN(full, reduced), .rip = (uintptr_t)f_rdpmc, .cs = SEL_CODE64, CODE("\x0f\x33"),
			   .text = "#GP, #GP, #DF, #GP" };

	for (int i = 0; i < 2; i++) {
		struct vcpu *v = at(f_rdpmc, 0);

		set_table_limit(v, true, 0);
		c.rsp = own_rsp(v);
		dies(v, &c, i);
	}
}

/* The frame is pushed where no page is: which of its words is missed first is the processor's business. */
/* The first fault is seen, and so what it leads to can be concluded whole. */
static void ud_is_seen(void)
{
	static const u8 vectors[] = { UD, GP, GP, DF, GP };
	struct vcpu *v = guest_new(0, (void (*)(u64))(uintptr_t)f_ud, 0);
	struct vtx_failure_report r;

	set_chain(v, 0);
	set_table_limit(v, true, 0);
	vcpu_expect(v, KVM_EXIT_SHUTDOWN);
	r = report_of(v);
	CHECK_EQ(r.nr_faults, ARRAY_SIZE(vectors), "links");
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		EXPECT_EQ(r.faults[i].vector, vectors[i], "vector");
		EXPECT_EQ(!!(r.faults[i].flags & VTX_FAULT_INFERRED), i > 0, "inferred");
	}
}

static void bad_stack(void)
{
	u64 rsp = NOWHERE + 0x100, frame = rsp - 48;
	const struct want full[] = { N(UD), P(2, frame, 48), P(2, frame, 48), E(DF, 0), P(2, frame, 48) };
	const struct want reduced[] = { INFERRED(DF, true, 0), INFERRED(PF, true, 2, frame, 48) };
	struct chain c = { CHAIN(full, reduced), .rip = (uintptr_t)f_ud, .rsp = rsp, .cs = SEL_CODE64, CODE("\x0f\x0b"),
			   .text = "vector 8 has a stack on a page that is not there" };

	for (int i = 0; i < 2; i++)
		dies(at(f_ud, rsp), &c, i);
}

/* The handler is delivered to and is not there; the page fault that follows has no gate. */
static void unmapped_handler(void)
{
	static const struct want full[] = { P(0, NOWHERE, 1), E(NP, IDT_ERROR(PF)), E(DF, 0), E(NP, IDT_ERROR(DF)) };
	static const struct want reduced[] = { INFERRED(DF, true, 0), INFERRED(NP, true, IDT_ERROR(DF)) };
	struct chain c = { CHAIN(full, reduced), .rip = NOWHERE, .cs = SEL_CODE64, .text = "vector 8 has a gate that is not present" };

	for (int i = 0; i < 2; i++) {
		struct vcpu *v = at(f_ud, 0);

		set_handler(v, UD, NOWHERE);
		make_absent(v, PF);
		make_absent(v, DF);
		c.rsp = (own_rsp(v) & ~15ULL) - 40;
		dies(v, &c, i);
	}
}

/* No handler is there at all: each fetch of one faults, until the stack is used up. */
static void all_handlers_unmapped(void)
{
	const struct want full[] = { P(0, NOWHERE, 1), P(2, STACK_PAGE - 48, 48), E(DF, 0), P(2, STACK_PAGE - 48, 48) };
	const struct want reduced[] = { INFERRED(DF, true, 0), INFERRED(PF, true, 2, STACK_PAGE - 48, 48) };
	/* 40 bytes for #UD, 48 for each #PF, all aligned to 16. */
	struct chain c = { CHAIN(full, reduced), .rip = NOWHERE, .cs = SEL_CODE64, .text = "page that is not there" };

	for (int i = 0; i < 2; i++) {
		struct vcpu *v = at(f_ud, STACK_PAGE + 0x100);

		vm_map_4k(v->vm, STACK_PAGE - PAGE_SIZE, 0, 0);
		for (unsigned int n = 0; n < 32; n++)
			set_handler(v, n, NOWHERE);
		c.rsp = STACK_PAGE + 0x100 - 40 - 8;
		while (c.rsp >= STACK_PAGE + 48)
			c.rsp -= 48;
		c.rsp += 8 * (c.rsp == STACK_PAGE + 0x100 - 48);
		dies(v, &c, i);
	}
}

static void gdt_gone(void)
{
	static const struct want full[] = { N(UD), E(GP, 9), E(GP, 9), E(DF, 0), E(GP, 9) };
	static const struct want reduced[] = { INFERRED(DF, true, 0), INFERRED(GP, true, 9) };
	struct chain c = { CHAIN(full, reduced), .rip = (uintptr_t)f_ud, .cs = SEL_CODE64, CODE("\x0f\x0b"),
			   .text = "vector 8 has a selector in its gate that is beyond the limit of the GDT" };

	for (int i = 0; i < 2; i++) {
		struct vcpu *v = at(f_ud, 0);

		set_table_limit(v, false, 7);
		c.rsp = own_rsp(v);
		dies(v, &c, i);
	}
}

static void page_fault_in_page_fault(void)
{
	u64 rsp = NOWHERE + 0x100;
	const struct want full[] = { P(2, NOWHERE + PAGE_SIZE, 1), P(2, rsp - 48, 48), E(DF, 0), E(NP, IDT_ERROR(DF)) };
	const struct want reduced[] = { INFERRED(DF, true, 0), INFERRED(NP, true, IDT_ERROR(DF)) };
	struct chain c = { CHAIN(full, reduced), .rip = (uintptr_t)f_touch, .rsp = rsp, .cs = SEL_CODE64, CODE("\x89\x07"),
			   .text = "#DF, #NP" };

	for (int i = 0; i < 2; i++) {
		struct vcpu *v = at(f_touch, rsp);

		make_absent(v, DF);
		dies(v, &c, i);
	}
}

GUEST_CODE(real_ud, 16, "ud2\n");

static void real_mode(void)
{
	static const struct want full[] = { N(UD), N(GP), N(GP), N(DF), N(GP) };
	static const struct want reduced[] = { INFERRED(DF, false, 0), INFERRED(GP, false, 0) };
	struct chain c = { CHAIN(full, reduced), .rip = 0, .rsp = 0x7000, .cs = GUEST_REAL_CODE >> 4, CODE("\x0f\x0b"),
			   .text = "vector 8 is beyond the limit of the IDT" };

	for (int i = 0; i < 2; i++) {
		struct vm *vm = vm_new(0);
		struct vcpu *v = ud_unseen(vcpu_new(vm, 0));

		vm_load_code(vm, GUEST_REAL_CODE, real_ud, real_ud_end);
		vcpu_mode_real(v, GUEST_REAL_CODE >> 4, 0);
		set_table_limit(v, true, 0);
		dies(v, &c, i);
	}
}

/* 32 bits, flat: the same steps with other tables. */
static void protected_mode(void)
{
	static const struct want full[] = { N(UD), E(NP, IDT_ERROR(UD)), E(NP, IDT_ERROR(NP)), E(DF, 0), E(NP, IDT_ERROR(DF)) };
	static const struct want reduced[] = { INFERRED(DF, true, 0), INFERRED(NP, true, IDT_ERROR(DF)) };
	struct chain c = { CHAIN(full, reduced), .rip = GUEST_REAL_CODE, .cs = SEL_CODE32, CODE("\x0f\x0b"),
			   .text = "vector 8 has a gate that is not present" };

	for (int i = 0; i < 2; i++) {
		struct vm *vm = vm_new(0);
		struct vcpu *v = ud_unseen(vcpu_new(vm, 0));

		vm_load_code(vm, GUEST_REAL_CODE, real_ud, real_ud_end);
		vcpu_mode_prot32(v, GUEST_REAL_CODE);
		for (unsigned int n = 0; n < 32; n++)
			((u64 *)(vm->mem + GUEST_IDT32))[n] &= ~(1ULL << 47);
		c.rsp = own_rsp(v);
		dies(v, &c, i);
	}
}

/* ------------------------------------------------------------------ #DF that has a handler: CR2 is the second fault's */

static volatile u64 df_cr2, df_error;

GUEST static void on_double_fault(struct g_frame *frame)
{
	df_cr2 = G_READ_CR(2);
	df_error = frame->error;
	g_done(7);
}

GUEST static void double_fault_guest(u64 arg)
{
	(void)arg;
	g_handler[DF] = on_double_fault;
	asm volatile("mov %0, %%rsp\n\tmovl %%eax, (%1)" : : "r"(NOWHERE + 0x100), "r"(NOWHERE + PAGE_SIZE) : "memory");
}

static void double_fault(void)
{
	for (int i = 0; i < 2; i++) {
		struct vcpu *v = guest_new(0, double_fault_guest, 0);

		((u64 *)(v->vm->mem + GUEST_PD))[NOWHERE >> 21] = 0;
		gate(v, DF)[0] |= 1ULL << 32;				/* IST 1 */
		*(u64 *)(v->vm->mem + GUEST_TSS + 0x24) = GUEST_KERNEL_STACK;
		set_chain(v, i);
		CHECK_EQ(vcpu_finish(v), 7, "the result");
		EXPECT(G(v->vm, df_cr2) - (NOWHERE + 0x100 - 48) < 48, "CR2 %#llx", (unsigned long long)G(v->vm, df_cr2));
		EXPECT_EQ(G(v->vm, df_error), 0, "the error code");
		EXPECT_EQ(report_of(v).kind, VTX_FAILURE_NONE, "the report of a guest that lives");
		vm_free(v->vm);
		vcpu_free(v);
	}
}

/* ------------------------------------------------------------------ the mode itself */

static volatile u64 handled;

GUEST static void skip_ud(struct g_frame *frame)
{
	handled++;
	frame->rip += 2;
}

GUEST static void ud_guest(u64 arg)
{
	g_handler[UD] = skip_ud;
	for (int round = 0; round < 3; round++) {
		for (u64 i = 0; i < arg; i++)
			asm volatile("ud2" : : : "memory");
		g_say((u32)handled);
	}
	g_done(0);
}

static bool on_by_default(void)
{
	int fd = open("/sys/module/vtx/parameters/fault_chain", O_RDONLY);
	char value = 0;

	CHECK(fd >= 0 && read(fd, &value, 1) == 1, "the parameter fault_chain");
	close(fd);
	return value == 'Y';
}

static void mode(void)
{
	struct vcpu *v = ud_unseen(guest_new(0, ud_guest, 5));
	u64 before;

	CHECK_EQ(dev_has(VTX_CAP_FAULT_CHAIN), 1, "VTX_CAP_FAULT_CHAIN");
	CHECK_EQ(dev_has(VTX_CAP_FAILURE), 1, "VTX_CAP_FAILURE");
	EXPECT_ERRNO(ioctl(v->fd, VTX_SET_FAULT_CHAIN, 2UL), EINVAL);
	EXPECT_ERRNO(ioctl(v->fd, VTX_SET_FAULT_CHAIN, ~0UL), EINVAL);
	EXPECT_ERRNO(ioctl(v->fd, VTX_SET_FAULT_CHAIN, 1UL << 32), EINVAL);
	EXPECT_ERRNO(ioctl(v->vm->fd, VTX_SET_FAULT_CHAIN, 1UL), ENOTTY);
	EXPECT_ERRNO(ioctl(dev_open(), VTX_SET_FAULT_CHAIN, 1UL), EINVAL);
	/* What was refused has changed nothing: the first five are seen as the parameter says. */
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 5, "exceptions in the guest");
	EXPECT_EQ(exits_of(v, "EXCEPTION_NMI"), on_by_default() ? 5 : 0, "exceptions seen by default");
	before = exits_of(v, "EXCEPTION_NMI");
	set_chain(v, 1);
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 10, "exceptions in the guest");
	EXPECT_EQ(exits_of(v, "EXCEPTION_NMI") - before, 5, "exceptions seen with the mode on");
	set_chain(v, 0);
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 15, "exceptions in the guest");
	EXPECT_EQ(exits_of(v, "EXCEPTION_NMI") - before, 5, "exceptions seen with the mode off again");
	EXPECT_EQ(report_of(v).kind, VTX_FAILURE_NONE, "the report of a guest that lives");
}

/* A program that resets its guest after a shutdown still finds out why, until the next failure. */
static void report_persists(void)
{
	struct vcpu *v = at(f_ud, 0);
	struct vtx_failure_report first, again;
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	set_table_limit(v, true, 0);
	set_chain(v, 1);
	vcpu_expect(v, KVM_EXIT_SHUTDOWN);
	first = report_of(v);
	regs = (struct kvm_regs){ .rip = (uintptr_t)f_rdpmc, .rsp = GUEST_STACKS + 0x1000, .rflags = 2 };
	vcpu_set_regs(v, &regs);
	sregs = vcpu_sregs(v);
	CHECK_OK(ioctl(v->fd, KVM_SET_SREGS, &sregs));
	again = report_of(v);
	EXPECT(!memcmp(&first, &again, sizeof(first)), "the report changed with the registers");
	EXPECT(strstr(trace_file(v->vm, "last_failure"), "fault vector 6"), "last_failure: %s", trace_file(v->vm, "last_failure"));
	EXPECT(strstr(trace_file(v->vm, "vcpu0/last_failure"), "0f 0b"), "vcpu0/last_failure: %s",
	       trace_file(v->vm, "vcpu0/last_failure"));
	vcpu_expect(v, KVM_EXIT_SHUTDOWN);
	again = report_of(v);
	EXPECT_EQ(again.rip, (uintptr_t)f_rdpmc, "RIP of the next");
	EXPECT_EQ(again.faults[0].vector, GP, "the first vector of the next");
	EXPECT(again.tsc > first.tsc, "the next is not later");
}

/* ------------------------------------------------------------------ emulation, delivery */

extern const u8 f_fxsave[];
asm(".pushsection .text\n.globl f_fxsave\nf_fxsave:	fxsave (%rdi)\n	ret\n.popsection");

static void emulation(void)
{
	struct vcpu *v = guest_new(0, (void (*)(u64))(uintptr_t)f_fxsave, GUEST_ABSENT + 0x120);
	struct vtx_failure_report r;

	vcpu_expect(v, KVM_EXIT_INTERNAL_ERROR);
	r = report_of(v);
	save_report("emulation", &r);
	CHECK_EQ(r.kind, VTX_FAILURE_EMULATION, "the kind");
	EXPECT_EQ(r.rip, (uintptr_t)f_fxsave, "RIP");
	EXPECT_EQ(r.regs[7], GUEST_ABSENT + 0x120, "RDI");
	EXPECT_EQ(r.nr_faults, 0, "the faults");
	EXPECT(r.insn_len >= 3 && !memcmp(r.insn, "\x0f\xae\x07", 3), "%u bytes", r.insn_len);
	EXPECT(strstr(r.text, "does not emulate") && strstr(r.text, "0xae of the 0F map") && strstr(r.text, "0xd0000120"), "'%s'", r.text);
	EXPECT_EQ(trace_file(v->vm, "diagnosis")[0], 0, "a diagnosis");
}

GUEST static void user_fxsave(void)
{
	asm volatile(".globl f_user_fxsave\nf_user_fxsave: fxsave (%%rdi)" : : "D"((u64)GUEST_ABSENT) : "memory");
}

GUEST static void skip_fxsave(struct g_frame *frame)
{
	handled++;
	frame->rip += 3;
}

GUEST static void user_emulation_guest(u64 arg)
{
	(void)arg;
	g_handler[UD] = skip_fxsave;
	for (int i = 0; i < 3; i++)
		g_call_user(user_fxsave, 0);
	g_done((u32)handled);
}

extern const u8 f_user_fxsave[];

/* A guest's user does not stop the guest; it is counted. */
static void emulation_at_cpl3(void)
{
	struct vcpu *v = guest_new(0, user_emulation_guest, 0);
	unsigned long long rip, count;
	const char *text;

	CHECK_EQ(vcpu_finish(v), 3, "#UD in the guest");
	EXPECT_EQ(report_of(v).kind, VTX_FAILURE_NONE, "the kind");
	text = strchr(trace_file(v->vm, "diagnosis"), '\n');
	CHECK(text && sscanf(text, "\nemulation 0 %llx %*s %llu", &rip, &count) == 2, "diagnosis: %s", trace_file(v->vm, "diagnosis"));
	EXPECT_EQ(rip, (uintptr_t)f_user_fxsave, "RIP");
	EXPECT_EQ(count, 3, "the count");
	EXPECT(strstr(text, "does not emulate"), "%s", text);
}

/* A vector instruction that is no move, and code that lies where no memory is: other sentences. */
GUEST static void vector_guest(u64 arg)
{
	asm volatile("paddd (%0), %%xmm0" : : "r"(arg) : "memory");
}

static void other_reasons(void)
{
	struct vcpu *v = guest_new(0, vector_guest, GUEST_ABSENT);
	struct vtx_failure_report r;
	struct kvm_regs regs;

	vcpu_expect(v, KVM_EXIT_INTERNAL_ERROR);
	r = report_of(v);
	EXPECT_EQ(r.kind, VTX_FAILURE_EMULATION, "the kind");
	EXPECT(strstr(r.text, "0xfe of the 0F map"), "'%s'", r.text);

	v = guest_new(0, vector_guest, 0);
	regs = vcpu_regs(v);
	regs.rip = GUEST_ABSENT;
	vcpu_set_regs(v, &regs);
	vcpu_expect(v, KVM_EXIT_INTERNAL_ERROR);
	r = report_of(v);
	EXPECT_EQ(r.kind, VTX_FAILURE_EMULATION, "the kind");
	EXPECT_EQ(r.rip, GUEST_ABSENT, "RIP");
	EXPECT_EQ(r.insn_len, 0, "the bytes");
	EXPECT(strstr(r.text, "not in memory"), "'%s'", r.text);
}

/* An IDT where no memory is. */
static void delivery(void)
{
	struct vcpu *v = at(f_ud, 0);
	struct kvm_sregs sregs = vcpu_sregs(v);
	struct vtx_failure_report r;

	sregs.idt.base = GUEST_ABSENT;
	CHECK_OK(ioctl(v->fd, KVM_SET_SREGS, &sregs));
	vcpu_expect(v, KVM_EXIT_INTERNAL_ERROR);
	EXPECT_EQ(v->run->internal.suberror, KVM_INTERNAL_ERROR_DELIVERY_EV, "the suberror");
	r = report_of(v);
	save_report("delivery", &r);
	EXPECT_EQ(r.kind, VTX_FAILURE_INTERNAL, "the kind");
	EXPECT(strstr(r.text, "Vector 6") && strstr(r.text, "0xd00000"), "'%s'", r.text);
	EXPECT(r.insn_len == sizeof(r.insn) && r.insn[0] == 0x0f, "%u bytes", r.insn_len);
}

static const struct test tests[] = {
	TEST(empty_idt), TEST(ud_is_seen), TEST(injected_into_empty_idt), TEST(bad_stack), TEST(unmapped_handler), TEST(all_handlers_unmapped),
	TEST(gdt_gone), TEST(page_fault_in_page_fault), TEST(real_mode), TEST(protected_mode), TEST(double_fault),
	TEST(mode), TEST(report_persists), TEST(emulation), TEST(emulation_at_cpl3), TEST(other_reasons), TEST(delivery),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

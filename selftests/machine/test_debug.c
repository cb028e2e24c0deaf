// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_SET_GUEST_DEBUG: the guest under user space's debugger. Breakpoints in code and data, single steps through instructions that exit
 * and those that do not, what the guest sees of it (nothing), exceptions that the debugger injects, and interrupts that wait.
 */
#include "lib/guest.h"
#include "lib/module.h"
#include "lib/vm.h"

#define STEP_BITS 0x4000	/* DR6.BS */
#define VECTOR 0x50

static volatile u64 hits[256];
extern volatile u64 watched; /* named in assembly */
volatile u64 watched;

GUEST static void counting(struct g_frame *frame)
{
	hits[frame->vector & 255]++;
}

/*
 * The code that is debugged; step_rips: where a step from each of its instructions ends. None between MOV SS and the instruction
 * behind it (SDM vol. 3, 17.3.1.4).
 */
extern const u8 code_begin[], code_store[], code_dr[], code_end[];
extern const u64 step_rips[], step_rips_end[];
void code(void);
asm(".text\n.globl code, code_begin, code_store, code_dr, code_end\n"
    "code: pushq %rbx\n"
    "code_begin: nop\n"
    "1: movl $0x40000000, %eax\n"
    "2: cpuid\n"
    "3: movl %ss, %ecx\n"
    "4: movl %ecx, %ss\n"
    "   nop\n"
    "5: pushfq\n"
    "6: popq %rdx\n"
    "7: movl $0x1b, %ecx\n"
    "8: rdmsr\n"
    "9: leaq watched(%rip), %rax\n"
    "code_store: movl $7, (%rax)\n"
    "10: movq %cr3, %rax\n"
    "code_dr: movq %dr7, %rax\n"
    "11: nop\n"
    "code_end: popq %rbx\n"
    "ret\n"
    ".pushsection .rodata\n.balign 8\n.globl step_rips, step_rips_end\n"
    "step_rips: .quad 1b, 2b, 3b, 4b, 5b, 6b, 7b, 8b, 9b, code_store, 10b, code_dr, 11b, code_end\nstep_rips_end:\n"
    ".popsection");

GUEST static void debuggee(u64 interrupts)
{
	u64 dr7;

	g_handler[1] = counting;
	g_handler[3] = counting;
	code();
	asm volatile("movq %%dr7, %0" : "=r"(dr7));
	G_CHECK_EQ(dr7, 0x400);
	g_done((u32)(hits[1] << 8 | hits[3]));
	(void)interrupts;
}

static void debug(struct vcpu *v, u32 control, u64 dr0, u64 dr7)
{
	struct kvm_guest_debug arg = { .control = control };

	arg.arch.debugreg[0] = dr0;
	arg.arch.debugreg[7] = dr7;
	CHECK_OK(ioctl(v->fd, KVM_SET_GUEST_DEBUG, &arg));
}

static struct vcpu *start_at(void (*guest)(u64), u64 arg)
{
	if (dev_has(KVM_CAP_SET_GUEST_DEBUG) <= 0)
		skip("no KVM_CAP_SET_GUEST_DEBUG");
	return guest_new(0, guest, arg);
}

static struct vcpu *start(void)
{
	return start_at(debuggee, 0);
}

static void expect_debug(struct vcpu *v, u32 exception, u64 pc)
{
	vcpu_expect(v, KVM_EXIT_DEBUG);
	CHECK_EQ(v->run->debug.arch.exception, exception, "exception");
	CHECK_EQ(v->run->debug.arch.pc, pc, "pc");
	CHECK_EQ(vcpu_regs(v).rip, pc, "RIP");
}

static u8 *code_at(struct vcpu *v, const u8 *label)
{
	return v->vm->mem + (u64)(uintptr_t)label;
}

static void software_breakpoint(void)
{
	struct vcpu *v = start();
	u8 *place = code_at(v, code_begin), byte = *place;

	*place = 0xcc;
	debug(v, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP, 0, 0);
	expect_debug(v, 3, (u64)code_begin);
	/* As often as it is run into. */
	expect_debug(v, 3, (u64)code_begin);
	*place = byte;
	CHECK_EQ(vcpu_finish(v), 0, "what the guest has seen");
}

/* Without ENABLE, or without USE_SW_BP, the guest's INT3 is its own. */
static void not_asked_for(void)
{
	static const u32 controls[] = { 0, KVM_GUESTDBG_USE_SW_BP, KVM_GUESTDBG_ENABLE, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP };

	for (size_t i = 0; i < ARRAY_SIZE(controls); i++) {
		struct vcpu *v = start();

		*code_at(v, code_begin) = 0xcc;
		debug(v, controls[i], 0, 0x400);
		CHECK_EQ(vcpu_finish(v), 1, "INT3 in the guest");
	}
}

static void code_breakpoint(void)
{
	struct vcpu *v = start();

	debug(v, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP, (u64)code_begin, 0x402);
	expect_debug(v, 1, (u64)code_begin);
	CHECK_EQ(v->run->debug.arch.dr6 & 0xf, 1, "DR6");
	CHECK_EQ(v->run->debug.arch.dr7, 0x402, "DR7");
	debug(v, 0, 0, 0);
	CHECK_EQ(vcpu_finish(v), 0, "what the guest has seen");
}

/* Four bytes, written; a data breakpoint is a trap: RIP is behind the instruction. */
static void watchpoint(void)
{
	struct vcpu *v = start();

	debug(v, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP, (u64)(uintptr_t)&watched, 0xd0402);
	expect_debug(v, 1, (u64)code_store + 6);
	CHECK_EQ(v->run->debug.arch.dr6 & 0xf, 1, "DR6");
	CHECK_EQ(G(v->vm, watched), 7, "what was written");
	CHECK_EQ(vcpu_finish(v), 0, "what the guest has seen");
}

/* MOV from DR7 while the debugger's DR7 has general detect. */
static void general_detect(void)
{
	struct vcpu *v = start();

	debug(v, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP, 0, 0x2400);
	expect_debug(v, 1, (u64)code_dr);
	CHECK(v->run->debug.arch.dr6 & 0x2000, "DR6 is %#llx", (unsigned long long)v->run->debug.arch.dr6);
	debug(v, 0, 0, 0);
	CHECK_EQ(vcpu_finish(v), 0, "what the guest has seen");
}

/*
 * A step from @from ends at @to, or leaves for MMIO. Bochs stops at @from once more where something exited (docs/errata.md).
 * Return: how often it did.
 */
static unsigned int step_once(struct vcpu *v, const void *from, const void *to)
{
	unsigned int more = 0;

	vcpu_run(v);
	for (; more < 2 && v->run->exit_reason == KVM_EXIT_DEBUG && v->run->debug.arch.pc == (u64)from; more++)
		vcpu_run(v);
	CHECK_EQ(v->run->exit_reason, to ? KVM_EXIT_DEBUG : KVM_EXIT_MMIO, "exit reason");
	if (!to)
		return more;
	CHECK_EQ(v->run->debug.arch.pc, (u64)to, "pc");
	CHECK_EQ(v->run->debug.arch.exception, 1, "exception");
	CHECK(v->run->debug.arch.dr6 & STEP_BITS, "DR6 is %#llx", (unsigned long long)v->run->debug.arch.dr6);
	CHECK(!(vcpu_regs(v).rflags & 0x100), "TF in RFLAGS, at %#llx", (unsigned long long)v->run->debug.arch.pc);
	return more;
}

static void single_step(void)
{
	struct vcpu *v = start();
	size_t n = (size_t)(step_rips_end - step_rips);
	unsigned int again = 0;

	debug(v, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP, (u64)code_begin, 0x402);
	expect_debug(v, 1, (u64)code_begin);
	debug(v, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP, 0, 0);
	for (size_t i = 0; i < n; i++)
		again += step_once(v, i ? (const void *)step_rips[i - 1] : NULL, (const void *)step_rips[i]);
	note("%zu steps, %u stops more", n, again);
	debug(v, 0, 0, 0);
	CHECK_EQ(vcpu_finish(v), 0, "what the guest has seen");
}

extern const u8 mmio_begin[], mmio_read[], mmio_between[], mmio_write[], mmio_written[], mmio_later[];
void mmio_code(u64 address);
asm(".text\n.globl mmio_code, mmio_begin, mmio_read, mmio_between, mmio_write, mmio_written, mmio_later\n"
    "mmio_code:\n"
    "mmio_begin: nop\n"
    "mmio_read: cmpl (%rdi), %eax\n"
    "mmio_between: nop\n"
    "mmio_write: sete (%rdi)\n"
    "mmio_written: nop\n"
    "mmio_later: ret\n");

GUEST static void emulated(u64 address)
{
	g_handler[1] = counting;
	g_handler[3] = counting;
	mmio_code(address);
	g_done((u32)(hits[1] << 8 | hits[3]));
}

/* Steps over instructions that the kernel decodes and emulates (a MOV it might do without that) end behind them as well, and are not the guest's. */
static void emulated_step(void)
{
	struct vcpu *v = start_at(emulated, GUEST_ABSENT);
	u8 *place = code_at(v, mmio_begin), byte = *place;

	*place = 0xcc;
	debug(v, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP, 0, 0);
	expect_debug(v, 3, (u64)mmio_begin);
	*place = byte;
	debug(v, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP, 0, 0);
	step_once(v, mmio_begin, mmio_read);
	step_once(v, mmio_read, NULL);
	step_once(v, mmio_read, mmio_between);
	if (module_loaded("vtx")) { /* KVM's next step is lost (docs/errata.md). */
		step_once(v, mmio_between, mmio_write);
		step_once(v, mmio_write, NULL);
		step_once(v, mmio_write, mmio_written);
		step_once(v, mmio_written, mmio_later);
	} else {
		step_once(v, mmio_between, NULL);
	}
	debug(v, 0, 0, 0);
	CHECK_EQ(vcpu_finish(v), 0, "what the guest has seen");
}

static void injected(void)
{
	struct kvm_guest_debug arg = { .control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP | KVM_GUESTDBG_INJECT_BP };
	struct vcpu *v = start();

	*code_at(v, code_begin) = 0xcc;
	debug(v, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP, 0, 0);
	expect_debug(v, 3, (u64)code_begin);
	/* The guest's own after all. It comes once. */
	CHECK_OK(ioctl(v->fd, KVM_SET_GUEST_DEBUG, &arg));
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_GUEST_DEBUG, &arg), EBUSY);
	CHECK_EQ(vcpu_finish(v), 1, "INT3 in the guest");
	v = start();
	debug(v, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP, (u64)code_begin, 0x402);
	expect_debug(v, 1, (u64)code_begin);
	debug(v, KVM_GUESTDBG_INJECT_DB, 0, 0);
	CHECK_EQ(vcpu_finish(v), 0x100, "#DB in the guest");
}

/* ------------------------------------------------------------------ interrupts */

extern const u8 open_begin[], open_end[];
void open_window(void);
asm(".text\n.globl open_window, open_begin, open_end\n"
    "open_window: nop\nopen_begin: sti\nnop\nnop\nnop\nopen_end: cli\nret\n");

GUEST static void interrupted(u64 arg)
{
	(void)arg;
	g_apic_on();
	g_handler[VECTOR] = counting;
	asm volatile("cli");
	g_apic_write(0x300, 0x40000 | VECTOR);	/* to itself */
	open_window();
	g_done((u32)hits[VECTOR]);
}

static void step_to(struct vcpu *v, const u8 *rip)
{
	for (int i = 0; vcpu_regs(v).rip != (u64)rip; i++) {
		CHECK(i < 10, "RIP is %#llx", (unsigned long long)vcpu_regs(v).rip);
		vcpu_expect(v, KVM_EXIT_DEBUG);
	}
}

static void interrupts_wait(void)
{
	const u32 on = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_BLOCKIRQ;
	struct vcpu *v;

	if (dev_has(KVM_CAP_SET_GUEST_DEBUG2) <= 0 || !(dev_has(KVM_CAP_SET_GUEST_DEBUG2) & KVM_GUESTDBG_BLOCKIRQ))
		skip("no KVM_GUESTDBG_BLOCKIRQ");
	v = guest_new(VM_IRQCHIP, interrupted, 0);
	debug(v, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP, (u64)open_begin, 0x402);
	expect_debug(v, 1, (u64)open_begin);
	debug(v, on, 0, 0);
	step_to(v, open_end);
	CHECK_EQ(G(v->vm, hits)[VECTOR], 0, "interrupts while they were to wait");
	/* Still before CLI: now it comes. */
	debug(v, 0, 0, 0);
	CHECK_EQ(vcpu_finish(v), 1, "interrupts");
}

static const struct test tests[] = {
	TEST(software_breakpoint), TEST(not_asked_for), TEST(code_breakpoint), TEST(watchpoint), TEST(general_detect),
	TEST(single_step), TEST(emulated_step), TEST(injected), TEST(interrupts_wait),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * HLT, the triple fault, software interrupts and exceptions of every origin, privileged instructions at CPL 3, breakpoints of
 * the debug registers, and hardware task switches.
 */
#include "lib/guest.h"
#include "lib/vm.h"

static volatile u64 count[256], last_error[256], last_rip[256];

GUEST static void counting(struct g_frame *frame)
{
	count[frame->vector & 255]++;
	last_error[frame->vector & 255] = frame->error;
	last_rip[frame->vector & 255] = frame->rip;
}

/* Each vector once by INT n; the return address is the next instruction's. */
GUEST static void interrupts_guest(u64 arg)
{
	u64 next;

	(void)arg;
#define INT(n)                                                                                              \
	g_handler[n] = counting;                                                                            \
	asm volatile("int $" #n "\n1:\tlea 1b(%%rip), %0" : "=r"(next) : : "memory");                       \
	G_CHECK_EQ(count[n], 1);                                                                            \
	G_CHECK_EQ(last_rip[n], next)
	INT(0);
	INT(1);
	INT(2);
	INT(3);
	INT(4);
	INT(5);
	INT(6);
	INT(7);
	INT(9);
	INT(16);
	INT(18);
	INT(19);
	INT(32);
	INT(33);
	INT(127);
	INT(128);
	INT(254);
	INT(255);
#undef INT
	asm volatile("int3\n1:\tlea 1b(%%rip), %0" : "=r"(next) : : "memory");
	G_CHECK_EQ(count[3], 2);
	G_CHECK_EQ(last_rip[3], next);
	asm volatile(".byte 0xf1\n1:\tlea 1b(%%rip), %0" : "=r"(next) : : "memory");
	G_CHECK_EQ(count[1], 2);
	G_CHECK_EQ(last_rip[1], next);
	g_done(0);
}

static void software_interrupts(void)
{
	guest_passes(0, interrupts_guest, 0);
}

static volatile s32 user_result[4];
static volatile u64 user_error[4];

GUEST static void user_interrupts(void)
{
	user_result[0] = G_TRY("int $0x40", : : : "memory");	/* its gate is for CPL 0 */
	user_error[0] = g_trap.error;
	user_result[1] = G_TRY("int $2", : : : "memory");
	user_error[1] = g_trap.error;
	asm volatile("int3" : : : "memory");			/* its gate is for all */
	user_result[2] = G_TRY("ud2", : : : "memory");
	user_result[3] = G_TRY("movl $1, 0", : : : "memory");
}

/* Hardware exceptions with their error codes (SDM vol. 3, 6.15). */
GUEST static void exceptions_guest(u64 arg)
{
	struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) small = { 0x60 * 16 - 1, GUEST_IDT }, full = { 0xfff, GUEST_IDT };
	volatile u64 *idt = (volatile u64 *)GUEST_IDT;
	u64 gate = idt[2 * 0x41], zero = 0;

	(void)arg;
	G_CHECK_EQ(G_TRY("divq %0", : : "r"(zero), "a"(1UL), "d"(0UL) : "memory", "cc"), 0);
	G_CHECK_EQ(G_TRY("movl (%0), %%eax", : : "r"(1UL << 63) : "rax", "memory"), 13);
	G_CHECK_EQ(g_trap.error, 0);
	G_CHECK_EQ(G_TRY("movl (%%rsp, %0), %%eax", : : "r"(1UL << 63) : "rax", "memory"), 12);
	G_CHECK_EQ(G_TRY("movl %0, %%ds", : : "r"(0x1230) : "memory"), 13);
	G_CHECK_EQ(g_trap.error, 0x1230);
	G_CHECK_EQ(G_TRY("movl (%0), %%eax", : : "r"(0x40000000UL) : "rax", "memory"), 14);
	G_CHECK_EQ(g_trap.cr2, 0x40000000);
	G_CHECK_EQ(g_trap.error, 0);
	G_CHECK_EQ(G_TRY(".byte 0xf0, 0x01, 0xc0", : : : "rax", "memory", "cc"), 6);	/* LOCK on registers */
	/* A vector beyond the table, a gate that is not present: the error code names it. */
	asm volatile("lidt %0" : : "m"(small));
	G_CHECK_EQ(G_TRY("int $0x70", : : : "memory"), 13);
	G_CHECK_EQ(g_trap.error, 0x70 * 8 + 2);
	asm volatile("lidt %0" : : "m"(full));
	idt[2 * 0x41] = gate & ~(1UL << 47);
	G_CHECK_EQ(G_TRY("int $0x41", : : : "memory"), 11);
	G_CHECK_EQ(g_trap.error, 0x41 * 8 + 2);
	idt[2 * 0x41] = gate;
	/* #GP whose own gate is not present: double fault, error code 0. */
	gate = idt[2 * 13];
	idt[2 * 13] = gate & ~(1UL << 47);
	G_CHECK_EQ(G_TRY("movl (%0), %%eax", : : "r"(1UL << 63) : "rax", "memory"), 8);
	G_CHECK_EQ(g_trap.error, 0);
	idt[2 * 13] = gate;
	g_handler[3] = counting;
	g_call_user(user_interrupts, 0);
	G_CHECK_EQ(user_result[0], 13);
	G_CHECK_EQ(user_error[0], 0x40 * 8 + 2);
	G_CHECK_EQ(user_result[1], 13);
	G_CHECK_EQ(user_error[1], 2 * 8 + 2);
	G_CHECK_EQ(count[3], 1);
	G_CHECK_EQ(user_result[2], 6);
	G_CHECK_EQ(user_result[3], -1);		/* page 0 is there, for all */
	g_done(0);
}

static void exceptions(void)
{
	struct vcpu *v = guest_new(0, exceptions_guest, 0);

	((u64 *)(v->vm->mem + GUEST_PD))[0x40000000 >> 21] = 0;
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

/* A watch on data and a breakpoint on code, where the machine has them (Bochs without its x86 debugger has not). */
GUEST static void breakpoints(u64 data)
{
	u64 dr6;
	int vector = G_TRY("mov %0, %%dr0\n\tmov %1, %%dr7\n\tmovl $1, (%0)\n\tnop",
			   : : "r"(data), "r"(0xd0402UL) : "memory");

	if (vector == -1)
		return;
	G_CHECK_EQ(vector, 1);
	asm volatile("mov %%dr6, %0" : "=r"(dr6));
	G_CHECK_EQ(dr6 & 0xf, 1);
	asm volatile("mov %0, %%dr6" : : "r"(0xffff0ff0UL));
	G_CHECK_EQ(G_TRY("mov $1f, %%rax\n\tmov %%rax, %%dr1\n\tmov %0, %%dr7\n1:\tnop",
			 : : "r"(0x408UL) : "rax", "memory"), 1);
	asm volatile("mov %%dr6, %0" : "=r"(dr6));
	G_CHECK_EQ(dr6 & 0xf, 2);
}

/* Debug registers, MOV DR with general detect; the machine's own stay its own. */
GUEST static void debug_guest(u64 data)
{
	u64 dr6, dr7, value;

	breakpoints(data);
	asm volatile("mov %0, %%dr7\n\tmov %1, %%dr6" : : "r"(0x400UL), "r"(0xffff0ff0UL));
	/* General detect: the access faults, and the bit is cleared for the handler. */
	G_CHECK_EQ(G_TRY("mov %0, %%dr7\n\tmov %%dr0, %%rax", : : "r"(0x2400UL) : "rax", "memory"), 1);
	asm volatile("mov %%dr7, %0\n\tmov %%dr6, %1" : "=r"(dr7), "=r"(dr6));
	G_CHECK_EQ(dr7 & 0x2000, 0);
	G_CHECK(dr6 & 0x2000);
	asm volatile("mov %0, %%dr7" : : "r"(0x400UL));
	for (u64 i = 0; i < 3; i++) {		/* they survive exits */
		asm volatile("mov %0, %%dr2\n\tmov %1, %%dr3" : : "r"(data + i), "r"(~data));
		g_say((u32)i);
		asm volatile("mov %%dr2, %0" : "=r"(value));
		G_CHECK_EQ(value, data + i);
		asm volatile("mov %%dr3, %0" : "=r"(value));
		G_CHECK_EQ(value, ~data);
	}
	G_CHECK_EQ(G_TRY("mov %0, %%dr7", : : "r"(1UL << 32) : "memory"), 13);
	g_done(0);
}

static void debug_registers(void)
{
	struct vcpu *v = guest_new(0, debug_guest, GUEST_SCRATCH);
	struct kvm_debugregs d;

	for (u64 i = 0; i < 3; i++) {
		vcpu_expect_port(v, PORT_SAY);
		CHECK_OK(ioctl(v->fd, KVM_GET_DEBUGREGS, &d));
		EXPECT_EQ(d.db[2], GUEST_SCRATCH + i, "DR2");
		EXPECT_EQ(d.db[3], ~(u64)GUEST_SCRATCH, "DR3");
	}
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

/* MOV SS with a watched operand delays its #DB over the next instruction (CVE-2018-8897): an exception there must not confuse. */
GUEST static void mov_ss_guest(u64 data)
{
	g_handler[1] = counting;
	g_handler[3] = counting;
	*(volatile u16 *)data = 0x10;
	asm volatile("mov %0, %%dr0\n\tmov %1, %%dr7" : : "r"(data), "r"(0x70402UL));	/* read or write, 2 bytes */
	for (int i = 0; i < 3; i++)
		asm volatile("mov (%0), %%ss\n\tint3" : : "r"(data) : "memory");
	G_CHECK_EQ(count[3], 3);
	for (int i = 0; i < 3; i++)
		asm volatile("mov (%0), %%ss\n\t.byte 0xf1" : : "r"(data) : "memory");
	for (int i = 0; i < 3; i++) {
		u32 leaf = 0;

		asm volatile("mov (%1), %%ss\n\tcpuid" : "+a"(leaf) : "r"(data) : "rbx", "rcx", "rdx", "memory");
	}
	asm volatile("mov %0, %%dr7" : : "r"(0x400UL));
	g_done(0);
}

static void delayed_debug_exception(void)
{
	struct vcpu *v = guest_new(0, mov_ss_guest, GUEST_SCRATCH);

	CHECK_EQ(vcpu_finish(v), 0, "the result");
	guest_passes(0, interrupts_guest, 0);
}

/*
 * Task A calls task B, which says its TR, its EFLAGS and the link, and returns; then an interrupt through a task gate; then a
 * jump to a TSS that is not present.
 */
GUEST_CODE(task_code, 32,
	   "movl $0x12345678, %ebx\n movl $0x9abcdef0, %esi\n"
	   "lcall $0x58, $0\n"
	   "movl $0x3e4, %edx\n strw %ax\n movzwl %ax, %eax\n outl %eax, %dx\n"
	   "movl %ebx, %eax\n outl %eax, %dx\n movl %esi, %eax\n outl %eax, %dx\n"
	   "int $0x30\n"
	   "movl $0x3e4, %edx\n strw %ax\n movzwl %ax, %eax\n outl %eax, %dx\n"
	   "ljmp $0x68, $0\n"
	   "hlt\n"
	   ".org 0x100\n"
	   "task_b: movl $0x3e4, %edx\n strw %ax\n movzwl %ax, %eax\n outl %eax, %dx\n"
	   "pushfl\n popl %eax\n outl %eax, %dx\n"
	   "movl $0xffffffff, %ebx\n movl %ebx, %esi\n"
	   "iretl\n jmp task_b\n");

/* The 32-bit TSS (SDM vol. 3, 7.2.1). */
struct tss32 {
	u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi, es, cs, ss,
		ds, fs, gs, ldt, iomap;
};

static void task_switch(void)
{
	struct vcpu *v = vcpu_new(vm_new(0), 0);
	struct tss32 *a = (struct tss32 *)(v->vm->mem + GUEST_TSS32_A), *b = (struct tss32 *)(v->vm->mem + GUEST_TSS32_B);
	u64 *gdt = (u64 *)(v->vm->mem + GUEST_GDT);

	vm_load_code(v->vm, GUEST_REAL_CODE, task_code, task_code_end);
	vcpu_mode_prot32(v, GUEST_REAL_CODE);
	*b = (struct tss32){ .eip = GUEST_REAL_CODE + 0x100, .eflags = 2, .esp = 0x2a0000, .cs = SEL_CODE32, .ss = SEL_DATA,
			     .ds = SEL_DATA, .es = SEL_DATA, .fs = SEL_DATA, .gs = SEL_DATA, .iomap = 0x680000 };
	((u64 *)(v->vm->mem + GUEST_IDT32))[0x30] = (u64)SEL_TSS32_B << 16 | 0x85ULL << 40;
	gdt[0x68 / 8] = gdt[SEL_TSS32_B / 8] & ~(1ULL << 47);	/* a TSS that is not present */

	EXPECT_EQ(vcpu_expect_port(v, PORT_SAY), SEL_TSS32_B, "TR of the task called");
	EXPECT_EQ(vcpu_expect_port(v, PORT_SAY), 0x4002, "EFLAGS of the task called: NT");
	EXPECT_EQ(b->link, SEL_TSS32_A, "the back link");
	EXPECT_EQ(a->ebx, 0x12345678, "EBX in the TSS left");
	EXPECT_EQ(a->esi, 0x9abcdef0, "ESI in the TSS left");
	EXPECT_EQ(a->cs, SEL_CODE32, "CS in the TSS left");
	EXPECT_EQ(gdt[SEL_TSS32_A / 8] >> 40 & 0xf, 0xb, "the type of the TSS left by CALL: busy");
	EXPECT_EQ(gdt[SEL_TSS32_B / 8] >> 40 & 0xf, 0xb, "the type of the TSS called: busy");
	EXPECT_EQ(vcpu_expect_port(v, PORT_SAY), SEL_TSS32_A, "TR after IRET");
	EXPECT_EQ(vcpu_expect_port(v, PORT_SAY), 0x12345678, "EBX after IRET");
	EXPECT_EQ(vcpu_expect_port(v, PORT_SAY), 0x9abcdef0, "ESI after IRET");
	EXPECT_EQ(gdt[SEL_TSS32_B / 8] >> 40 & 0xf, 9, "the type of the TSS left by IRET: available");
	/* B goes on behind its IRET, with the JMP to its start. */
	EXPECT_EQ(vcpu_expect_port(v, PORT_SAY), SEL_TSS32_B, "TR behind the task gate");
	EXPECT_EQ(vcpu_expect_port(v, PORT_SAY) & 0x4000, 0x4000, "NT behind the task gate");
	EXPECT_EQ(vcpu_expect_port(v, PORT_SAY), SEL_TSS32_A, "TR after the second IRET");
	CHECK_EQ(vcpu_expect_port(v, 0x4e8), 11, "the exception of a jump to a TSS that is not present");
}

GUEST static void hlt_guest(u64 arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++)
		asm volatile("hlt" : : : "memory");
	g_done(5);
}

static void hlt_without_irqchip(void)
{
	struct vcpu *v = guest_new(0, hlt_guest, 0);

	for (int i = 0; i < 3; i++)
		vcpu_expect(v, KVM_EXIT_HLT);
	CHECK_EQ(vcpu_finish(v), 5, "the result");
}

GUEST static void triple_guest(u64 arg)
{
	struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) idtr = { 0, 0 };

	if (arg)
		G_WRITE_CR(3, 0x7000000);	/* outside all memory */
	asm volatile("lidt %0\n\tud2" : : "m"(idtr) : "memory");
}

static void triple_fault(void)
{
	struct vcpu *v = guest_new(0, triple_guest, 0);

	vcpu_expect(v, KVM_EXIT_SHUTDOWN);
	guest_passes(0, interrupts_guest, 0);
}

/* The instructions of CPL 0, at CPL 3: each faults, none leaves the guest. */
static volatile u32 user_faults;

GUEST static void privileged(void)
{
	static u64 memory[4];
	u32 done = 0, bit = 1;

#define GP(insn, ...) done |= G_TRY(insn, __VA_ARGS__) == 13 ? bit : 0, bit <<= 1
	GP("hlt", : : : "memory");
	GP("cli", : : : "memory");
	GP("rdmsr", : : "c"(0x1a0) : "rax", "rdx", "memory");
	GP("wrmsr", : : "c"(0x1a0), "a"(1), "d"(0) : "memory");
	GP("mov %%cr0, %%rax", : : : "rax", "memory");
	GP("mov %%rax, %%cr0", : : : "rax", "memory");
	GP("mov %%cr3, %%rax", : : : "rax", "memory");
	GP("mov %%rax, %%cr4", : : : "rax", "memory");
	GP("mov %%cr8, %%rax", : : : "rax", "memory");
	GP("mov %%dr7, %%rax", : : : "rax", "memory");
	GP("clts", : : : "memory");
	GP("lmsw %%ax", : : : "memory");
	GP("invlpg (%0)", : : "r"(memory) : "memory");
	GP("wbinvd", : : : "memory");
	GP("invd", : : : "memory");
	GP("lgdt %0", : : "m"(memory[0]) : "memory");
	GP("lidt %0", : : "m"(memory[0]) : "memory");
	GP("lldt %%ax", : : "a"(0) : "memory");
	GP("ltr %%ax", : : "a"(0x40) : "memory");
	GP("inb $0x80, %%al", : : : "rax", "memory");
	GP("outb %%al, $0x80", : : : "memory");
	GP("rep outsb", : : "S"(memory), "c"(4), "d"(0x80) : "memory");
	GP("rep insb", : : "D"(memory), "c"(4), "d"(0x80) : "memory");
	GP("swapgs", : : : "memory");
#undef GP
	user_faults = done == bit - 1 ? 1 : done;
}

GUEST static void privileged_guest(u64 arg)
{
	(void)arg;
	g_call_user(privileged, 0);
	G_CHECK_EQ(user_faults, 1);
}

static void privileged_at_cpl3(void)
{
	guest_passes(0, privileged_guest, 0);
}

static const struct test tests[] = {
	TEST(software_interrupts), TEST(exceptions), TEST(debug_registers), TEST(delayed_debug_exception),
	TEST(task_switch), TEST(hlt_without_irqchip), TEST(triple_fault), TEST(privileged_at_cpl3),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

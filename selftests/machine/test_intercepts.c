// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest cannot tell whether its exceptions are intercepted (VTX_SET_FAULT_CHAIN): it raises every kind it can, alone, in each
 * other's delivery and in that of interrupts and NMIs, and writes down what each handler finds. With the mode on and off the
 * two logs are the same.
 */
#include <stdlib.h>

#include "../../uapi/vtx.h"
#include "lib/guest.h"
#include "lib/vm.h"

#define NOWHERE 0x40000000UL
#define NONCANONICAL 0x800000000000UL
#define SEL_ABSENT 0x70		/* a data segment that is not present */
#define LOG_MAX 128

struct entry {
	u64 vector, error, rip, cs, rflags, rsp, cr2, dr6;
};

static volatile struct entry log_of[LOG_MAX];
static volatile u64 logged;
static volatile u64 mended;	/* vector whose gate gets a good stack at the next page fault; 0: none */
static volatile u64 nmi_faults;	/* the NMI handler's IRET faults */

/* Frame of the exception, as the processor pushed it. */
GUEST static void note_down(struct g_frame *frame)
{
	volatile struct entry *e = &log_of[logged < LOG_MAX ? logged : LOG_MAX - 1];
	u64 dr6;

	asm volatile("mov %%dr6, %0\n\tmov %1, %%dr6" : "=&r"(dr6) : "r"(0xffff0ff0UL));
	e->vector = frame->vector;
	e->error = frame->error;
	e->rip = frame->rip;
	e->cs = frame->cs;
	e->rflags = frame->rflags;
	e->rsp = frame->rsp;
	e->cr2 = G_READ_CR(2);
	e->dr6 = dr6;
	logged++;
}

GUEST static void on_event(struct g_frame *frame)
{
	note_down(frame);
	if (frame->vector == 14 && mended) {
		*(volatile u64 *)(GUEST_IDT + 16 * mended) &= ~(7ULL << 32);
		mended = 0;
		return;
	}
	if (frame->vector == 0x60)
		g_apic_write(APIC_EOI, 0);
	if (frame->vector == 1)
		frame->rflags &= ~0x100UL;
	if (frame->vector == 2 && nmi_faults) {
		nmi_faults = 0;
		G_TRY("pushq $0\n\tpushq $0\n\tpushq $2\n\tpushq $0x18f\n\tpushq $0\n\tiretq", : : : "memory");
		asm volatile("add $40, %%rsp" : : : "memory", "cc");
	}
	if (g_fixup && (frame->vector != 2 && frame->vector != 0x60)) {
		frame->rip = g_fixup;
		g_fixup = 0;
	}
}

/* From now on the stack of this vector is where no page is, until a page fault mends it. */
GUEST static void spoil(u64 vector)
{
	mended = vector;
	*(volatile u64 *)(GUEST_IDT + 16 * vector) |= 2ULL << 32;	/* IST 2 */
}

GUEST static void plain_faults(void)
{
	u32 zero = 0, unmasked = 0x1d80, mask;
	u16 control = 0x37b, masked = 0x37f;

	G_TRY("xor %%ecx, %%ecx\n\tdivl %%ecx", : : : "rax", "rcx", "rdx", "cc");
	G_TRY("ud2", : : : "memory");
	G_TRY("movl (%0), %%eax", : : "r"(NONCANONICAL) : "rax");
	G_TRY("movl (%%rsp, %0), %%eax", : : "r"(NONCANONICAL) : "rax");	/* #SS */
	G_TRY("mov %0, %%fs", : : "r"(SEL_ABSENT) : "memory");
	G_TRY("mov %0, %%fs", : : "r"(0x1f8) : "memory");
	G_TRY("mov %0, %%cr4", : : "r"(~0UL) : "memory");
	G_TRY("rdmsr", : : "c"(0x12345678) : "rax", "rdx");
	G_TRY("movl (%0), %%eax", : : "r"(NOWHERE + 8) : "rax");
	G_TRY("movl %%eax, (%0)", : : "r"(NOWHERE + 0x1008) : "memory");
	G_TRY("jmp *%0", : : "r"(NOWHERE + 0x2008) : "memory");
	asm volatile("mov %%cr0, %%rax\n\tor $8, %%rax\n\tmov %%rax, %%cr0" : : : "rax");
	G_TRY("fninit\n\tfld1", : : : "memory");
	asm volatile("clts\n\tfninit\n\tfldcw %0\n\tfld1\n\tfldz\n\tfdivrp" : : "m"(control));
	G_TRY("fwait", : : : "memory");
	asm volatile("fnclex\n\tfninit\n\tfldcw %0" : : "m"(masked));
	asm volatile("ldmxcsr %0" : : "m"(unmasked));
	G_TRY("movss %0, %%xmm0\n\tmovss %1, %%xmm1\n\tdivss %%xmm1, %%xmm0", : : "m"(unmasked), "m"(zero));
	mask = 0x1f80;
	asm volatile("ldmxcsr %0" : : "m"(mask));
}

GUEST static void traps(void)
{
	asm volatile("int3" : : : "memory");
	asm volatile("int $3" : : : "memory");
	asm volatile(".byte 0xf3, 0xcc" : : : "memory");	/* INT3 of two bytes */
	asm volatile(".byte 0xf1" : : : "memory");
	asm volatile("int $0x55" : : : "memory");
	/* Single step onto each kind; the handler of #DB ends it. */
	asm volatile("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\tnop\n\tint3" : : : "memory", "cc");
	asm volatile("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\tint3\n\tnop\n\tnop" : : : "memory", "cc");
	G_TRY("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\tud2", : : : "memory", "cc");
	asm volatile("pushfq\n\tandl $~0x100, (%%rsp)\n\tpopfq" : : : "memory", "cc");
	G_TRY("mov %0, %%ss\n\tud2", : : "r"(0x10) : "memory");
	asm volatile("mov %0, %%ss\n\tint3" : : "r"(0x10) : "memory");
	G_TRY("sti\n\tud2", : : : "memory", "cc");
	asm volatile("cli");
}

GUEST static void user_code(void)
{
	static volatile u32 words[4];

	asm volatile("int3" : : : "memory");
	G_TRY("ud2", : : : "memory");
	G_TRY("hlt", : : : "memory");
	G_TRY("int $0x21", : : : "memory");
	G_TRY("movl (%0), %%eax", : : "r"((u8 *)words + 1) : "rax");	/* #AC */
	G_TRY("movl (%0), %%eax", : : "r"(NOWHERE) : "rax");
}

/* Something whose delivery faults: the fault comes first, and whether the something comes again is the processor's rule. */
GUEST static void broken_deliveries(void)
{
	spoil(6);
	G_TRY("ud2", : : : "memory");
	spoil(3);
	asm volatile("int3" : : : "memory");
	spoil(0x55);
	asm volatile("int $0x55" : : : "memory");
	spoil(13);
	G_TRY("mov %0, %%fs", : : "r"(0x1f8) : "memory");
	spoil(0x60);
	g_sti();
	g_apic_write(APIC_ICR, 0x40060);
	for (int i = 0; i < 20; i++)
		g_pause();
	g_cli();
	g_apic_write(APIC_EOI, 0);
	spoil(2);
	g_apic_write(APIC_ICR2, 0);
	g_apic_write(APIC_ICR, 0x400);
	for (int i = 0; i < 20; i++)
		g_pause();
}

GUEST static void nmis(void)
{
	for (int i = 0; i < 3; i++) {
		nmi_faults = i == 1;
		g_apic_write(APIC_ICR2, 0);
		g_apic_write(APIC_ICR, 0x400);
		for (int n = 0; n < 20; n++)
			g_pause();
		log_of[logged++].vector = 0x1000 + i;
	}
}

GUEST static void zoo(u64 arg)
{
	u64 cr0 = G_READ_CR(0);

	(void)arg;
	for (unsigned int i = 0; i < 0x80; i++)
		g_handler[i] = on_event;
	*(volatile u64 *)(GUEST_GDT + SEL_ABSENT) = 0x00cf13000000ffff;
	g_apic_on();
	G_WRITE_CR(0, cr0 | 1 << 18);	/* AM */
	plain_faults();
	traps();
	g_call_user(user_code, 0x40000);
	broken_deliveries();
	nmis();
	G_WRITE_CR(0, cr0);
	g_done((u32)logged);
}

/* The log of a guest in this mode; the caller frees it. */
static struct entry *run_zoo(unsigned long chain, u32 *n)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, zoo, 0);
	struct entry *copy = malloc(sizeof(struct entry) * LOG_MAX);
	u64 *idt = (u64 *)(v->vm->mem + GUEST_IDT);

	((u64 *)(v->vm->mem + GUEST_PD))[NOWHERE >> 21] = 0;
	/* Page faults have a stack of their own; IST 2 has none. */
	*(u64 *)(v->vm->mem + GUEST_TSS + 0x24) = GUEST_KERNEL_STACK - 0x1000;
	*(u64 *)(v->vm->mem + GUEST_TSS + 0x2c) = NOWHERE + 0x10000;
	idt[2 * 14] |= 1ULL << 32;
	CHECK_OK(ioctl(v->fd, VTX_SET_FAULT_CHAIN, chain));
	*n = vcpu_finish(v);
	memcpy(copy, (void *)&G(v->vm, log_of), sizeof(struct entry) * LOG_MAX);
	vm_free(v->vm);
	vcpu_free(v);
	return copy;
}

static unsigned int count_of(const struct entry *log, u32 n, u64 vector)
{
	unsigned int count = 0;

	for (u32 i = 0; i < n; i++)
		count += log[i].vector == vector;
	return count;
}

static void same_with_and_without(void)
{
	static const u8 kinds[] = { 0, 1, 2, 3, 6, 7, 11, 12, 13, 14, 16, 17, 19, 0x55 };
	struct entry *off, *on;
	u32 n_off, n_on;

	test_timeout(10);
	off = run_zoo(0, &n_off);
	on = run_zoo(1, &n_on);
	CHECK(n_off > 40 && n_off < LOG_MAX, "%u entries", n_off);
	for (unsigned int i = 0; i < sizeof(kinds); i++)
		EXPECT(count_of(off, n_off, kinds[i]), "vector %u was never raised", kinds[i]);
	EXPECT_EQ(n_on, n_off, "entries with the mode on");
	for (u32 i = 0; i < n_off; i++)
		if (memcmp(&on[i], &off[i], sizeof(on[i]))) {
			note("off: vector %llu error %#llx rip %#llx flags %#llx rsp %#llx cr2 %#llx dr6 %#llx", (unsigned long long)off[i].vector,
			     (unsigned long long)off[i].error, (unsigned long long)off[i].rip, (unsigned long long)off[i].rflags,
			     (unsigned long long)off[i].rsp, (unsigned long long)off[i].cr2, (unsigned long long)off[i].dr6);
			note("on:  vector %llu error %#llx rip %#llx flags %#llx rsp %#llx cr2 %#llx dr6 %#llx", (unsigned long long)on[i].vector,
			     (unsigned long long)on[i].error, (unsigned long long)on[i].rip, (unsigned long long)on[i].rflags,
			     (unsigned long long)on[i].rsp, (unsigned long long)on[i].cr2, (unsigned long long)on[i].dr6);
			EXPECT(0, "entry %u differs", i);
		}
	free(on);
	free(off);
}

/* ------------------------------------------------------------------ NMIs, as user space sees them */

GUEST static void bad_iret(struct g_frame *frame)
{
	(void)frame;
	g_say(1);
	G_TRY("pushq $0\n\tpushq $0\n\tpushq $2\n\tpushq $0x18f\n\tpushq $0\n\tiretq", : : : "memory");
	asm volatile("add $40, %%rsp" : : : "memory", "cc");
	g_say(3);
}

GUEST static void on_bad_iret(struct g_frame *frame)
{
	g_say(2);
	frame->rip = g_fixup;
	g_fixup = 0;
}

GUEST static void bad_iret_guest(u64 arg)
{
	(void)arg;
	g_handler[2] = bad_iret;
	g_handler[13] = on_bad_iret;
	g_say(0);
	g_pause();
	g_done(4);
}

static u32 nmis_masked(struct vcpu *v)
{
	struct kvm_vcpu_events e;

	CHECK_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &e));
	return e.nmi.masked;
}

/* The IRET that ends an NMI's handler unblocks NMIs even when it faults: the fault's handler must find them so (SDM vol. 3, 6.7.1). */
static void iret_that_faults(void)
{
	for (unsigned long chain = 0; chain < 2; chain++) {
		struct vcpu *v = guest_new(0, bad_iret_guest, 0);

		CHECK_OK(ioctl(v->fd, VTX_SET_FAULT_CHAIN, chain));
		CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 0, "the guest");
		CHECK_OK(ioctl(v->fd, KVM_NMI, 0));
		CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 1, "the handler of NMI");
		EXPECT_EQ(nmis_masked(v), 1, "nmi.masked in it");
		CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 2, "the handler of #GP");
		EXPECT_EQ(nmis_masked(v), 0, chain ? "nmi.masked there, mode on" : "nmi.masked there, mode off");
		CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 3, "the handler of NMI again");
		EXPECT_EQ(nmis_masked(v), 0, "nmi.masked behind the handler of #GP");
		CHECK_EQ(vcpu_finish(v), 4, "the result");
		vm_free(v->vm);
		vcpu_free(v);
	}
}

static const struct test tests[] = {
	TEST(same_with_and_without), TEST(iret_that_faults),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

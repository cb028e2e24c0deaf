/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What guest code may use.  The program's own image is copied into the guest at its link address and mapped one
 * to one, so a guest is a C function of the program, marked GUEST; it may call other GUEST functions and use
 * globals, but never libc.  It talks to the test through I/O ports.
 */
#ifndef VTX_SELFTEST_GUEST_H
#define VTX_SELFTEST_GUEST_H

#include "lib/harness.h"

/* No SSE and no stack protector: the guest has neither the registers enabled nor a thread area. */
#define GUEST __attribute__((noinline, used, target("general-regs-only"), \
			     optimize("no-stack-protector", "no-tree-loop-distribute-patterns")))

/* Ports of the conversation with the test. */
#define PORT_DONE 0x3e0		/* the end, with a result */
#define PORT_SAY 0x3e4		/* a word to the test, which goes on running the guest */
#define PORT_TRAP 0x3e8		/* an exception nobody expected; details in g_trap */
#define PORT_FAIL 0x3ec		/* a failed G_CHECK; details in g_fail_* */

struct g_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	u64 vector, error, rip, cs, rflags, rsp, ss;
};

struct g_trap {
	s32 vector;
	u32 count;
	u64 error, rip, cr2, rflags;
};

extern volatile struct g_trap g_trap;
extern volatile u64 g_fixup;
extern void (*volatile g_handler[256])(struct g_frame *frame);
extern const char *volatile g_fail_text;
extern volatile u64 g_fail_line, g_fail_a, g_fail_b;
extern const u8 g_idt_stubs[];		/* 256 entry points of 16 bytes */
extern const u8 g_idt32_stubs[];

void g_trap_entry(struct g_frame *frame);
extern volatile u64 g_user_rsp;
void g_call_user(void (*fn)(void), u64 flags);	/* runs fn at CPL 3 with these RFLAGS, on a stack of its own */
void g_user_back(void);			/* internal: where int 80h from CPL 3 comes back to */
void g_return(void);			/* where a guest function returns to */
void g_fail(const char *text, u64 line, u64 a, u64 b);

/* Runs one instruction; the value is the vector of the exception it raised, or -1.
 * After the text come the operands as in any asm statement, with their first colon.
 */
#define G_TRY(insn, ...)                                                        \
	({                                                                      \
		asm volatile("movl $-1, g_trap\n\tmovq $771f, g_fixup\n\t" insn \
			     "\n771:\n\tmovq $0, g_fixup\n" __VA_ARGS__);       \
		g_trap.vector;                                                  \
	})

#define G_CHECK(cond)                                        \
	do {                                                 \
		if (!(cond))                                 \
			g_fail(#cond, __LINE__, 0, 0);       \
	} while (0)

#define G_CHECK_EQ(got, want)                                                \
	do {                                                                 \
		u64 got_ = (u64)(got), want_ = (u64)(want);                  \
		if (got_ != want_)                                           \
			g_fail(#got " == " #want, __LINE__, got_, want_);    \
	} while (0)

#define G_INLINE static inline __attribute__((always_inline, target("general-regs-only")))

G_INLINE void g_outl(u16 port, u32 value)
{
	asm volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

G_INLINE void g_outw(u16 port, u16 value)
{
	asm volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

G_INLINE void g_outb(u16 port, u8 value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

G_INLINE u8 g_inb(u16 port)
{
	u8 value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

G_INLINE u32 g_inl(u16 port)
{
	u32 value;

	asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

G_INLINE void g_say(u32 value)
{
	g_outl(PORT_SAY, value);
}

G_INLINE void g_done(u32 value)
{
	g_outl(PORT_DONE, value);
}

G_INLINE u64 g_rdmsr(u32 index)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(index) : "memory");
	return lo | (u64)hi << 32;
}

/* The exception's vector, or -1. */
G_INLINE int g_try_rdmsr(u32 index, u64 *value)
{
	u32 lo = 0, hi = 0;
	int vector = G_TRY("rdmsr", : "+a"(lo), "+d"(hi) : "c"(index) : "memory");

	*value = lo | (u64)hi << 32;
	return vector;
}

G_INLINE int g_try_wrmsr(u32 index, u64 value)
{
	return G_TRY("wrmsr", : : "c"(index), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

G_INLINE void g_wrmsr(u32 index, u64 value)
{
	asm volatile("wrmsr" : : "c"(index), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

G_INLINE u64 g_rdtsc(void)
{
	u32 lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return lo | (u64)hi << 32;
}

G_INLINE void g_cpuid(u32 leaf, u32 index, u32 out[4])
{
	asm volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(index));
}

#define G_READ_CR(n)                                                        \
	({                                                                  \
		u64 v_;                                                     \
		asm volatile("mov %%cr" #n ", %0" : "=r"(v_) : : "memory"); \
		v_;                                                         \
	})

#define G_WRITE_CR(n, v) asm volatile("mov %0, %%cr" #n : : "r"((u64)(v)) : "memory")

G_INLINE u32 g_read32(u64 addr)
{
	return *(volatile u32 *)addr;
}

G_INLINE void g_write32(u64 addr, u32 value)
{
	*(volatile u32 *)addr = value;
}

G_INLINE void g_pause(void)
{
	asm volatile("pause" : : : "memory");
}

G_INLINE void g_sti(void)
{
	asm volatile("sti" : : : "memory");
}

/*
 * Spinning: a guest that loops until the host does something has to have interrupts on.  Bochs 2.7 keeps the mask of the host,
 * which enters with interrupts off, when the guest's IF is 0 as well (setEFlags() in flag_ctrl_pro.cc), so external
 * interrupts would not end the guest's loop; a CPU would (SDM vol. 3, 25.2, external-interrupt exiting).
 */

G_INLINE void g_cli(void)
{
	asm volatile("cli" : : : "memory");
}

/* STI and HLT as one: no interrupt can come between them. */
G_INLINE void g_sti_hlt(void)
{
	asm volatile("sti\n\thlt" : : : "memory");
}

/* The local APIC at its usual address. */
#define APIC_BASE 0xfee00000UL
#define APIC_ID 0x20
#define APIC_TPR 0x80
#define APIC_PPR 0xa0
#define APIC_EOI 0xb0
#define APIC_SVR 0xf0
#define APIC_ISR 0x100
#define APIC_IRR 0x200
#define APIC_ESR 0x280
#define APIC_ICR 0x300
#define APIC_ICR2 0x310
#define APIC_LVTT 0x320
#define APIC_LVT0 0x350
#define APIC_LVT1 0x360
#define APIC_LVTERR 0x370
#define APIC_TMICT 0x380
#define APIC_TMCCT 0x390
#define APIC_TDCR 0x3e0

G_INLINE u32 g_apic_read(u32 reg)
{
	return g_read32(APIC_BASE + reg);
}

G_INLINE void g_apic_write(u32 reg, u32 value)
{
	g_write32(APIC_BASE + reg, value);
}

/* Turns the local APIC on: software enable, spurious vector ff, priority 0, and the PIC's line off. */
G_INLINE void g_apic_on(void)
{
	g_apic_write(APIC_SVR, 0x1ff);
	g_apic_write(APIC_LVT0, 0x10000);
	g_apic_write(APIC_TPR, 0);
}

/* Both PICs: vectors from 20h and 28h, edges, no line masked. */
G_INLINE void g_pic_init(void)
{
	for (u16 chip = 0; chip < 2; chip++) {
		u16 port = chip ? 0xa0 : 0x20;

		g_outb(port, 0x11);
		g_outb(port + 1, chip ? 0x28 : 0x20);
		g_outb(port + 1, chip ? 2 : 4);
		g_outb(port + 1, 1);
	}
}

/* 16- and 32-bit guest code: bytes between two symbols, to be copied to GUEST_REAL_CODE. */
#define GUEST_CODE(name, bits, text)                                           \
	extern const u8 name[], name##_end[];                                  \
	asm(".pushsection .rodata\n.globl " #name ", " #name "_end\n" #name    \
	    ":\n.code" #bits "\n" text "\n.code64\n" #name "_end:\n.popsection")

#endif /* VTX_SELFTEST_GUEST_H */

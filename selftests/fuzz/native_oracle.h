/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The build machine's own processor as oracle: one instruction is run natively in 64-bit mode, on given registers,
 * vector and MMX registers, flags and memory, with faults caught; then the emulator runs it on the same.  The memory is three
 * pages at a fixed low address: two writable, one read-only; around them nothing is mapped.  native_alias is the same
 * memory, all writable.
 */
#ifndef VTX_SELFTESTS_NATIVE_ORACLE_H
#define VTX_SELFTESTS_NATIVE_ORACLE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include "emulate/exec.h"
#include "emulate/mmx.h"

#define NATIVE_MEM  0x10000000ULL
#define NATIVE_RO   (NATIVE_MEM + 0x2000)
#define NATIVE_END  (NATIVE_MEM + 0x3000)
#define NATIVE_SIZE 0x3000

struct native_state {
	u64 regs[16];
	u64 rflags;
	u64 host_rsp;
	u64 ymm[16][4];
	u8 fx[512] __attribute__((aligned(16))); /* FXSAVE image, for its x87 part */
};

extern struct native_state native_state;
extern u8 native_slot[15];
extern u8 native_after[], native_exit[];
void native_enter(void);

/*
 * Load everything, run the slot, store everything; nothing in between changes flags.  One page, made writable by
 * native_init().
 */
asm(".pushsection .text.native, \"ax\", @progbits\n"
    ".balign 4096\n"
    ".globl native_state\n"
    "native_state: .skip 18 * 8 + 16 * 32 + 512\n"
    ".globl native_enter\n"
    "native_enter:\n"
    "	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "	mov %rsp, native_state + 17 * 8(%rip)\n"
    "	fxrstor64 native_state + 18 * 8 + 16 * 32(%rip)\n"
    "	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
    "	vmovdqu native_state + 18 * 8 + 32 * \\n(%rip), %ymm\\n\n"
    "	.endr\n"
    "	pushq native_state + 16 * 8(%rip)\n"
    "	popfq\n"
    "	mov native_state + 0 * 8(%rip), %rax\n"
    "	mov native_state + 1 * 8(%rip), %rcx\n"
    "	mov native_state + 2 * 8(%rip), %rdx\n"
    "	mov native_state + 3 * 8(%rip), %rbx\n"
    "	mov native_state + 5 * 8(%rip), %rbp\n"
    "	mov native_state + 6 * 8(%rip), %rsi\n"
    "	mov native_state + 7 * 8(%rip), %rdi\n"
    "	.irp n, 8, 9, 10, 11, 12, 13, 14, 15\n"
    "	mov native_state + 8 * \\n(%rip), %r\\n\n"
    "	.endr\n"
    "	mov native_state + 4 * 8(%rip), %rsp\n"
    ".globl native_slot\n"
    "native_slot: .skip 15, 0x90\n"
    ".globl native_after\n"
    "native_after:\n"
    "	mov %rax, native_state + 0 * 8(%rip)\n"
    "	mov %rcx, native_state + 1 * 8(%rip)\n"
    "	mov %rdx, native_state + 2 * 8(%rip)\n"
    "	mov %rbx, native_state + 3 * 8(%rip)\n"
    "	mov %rsp, native_state + 4 * 8(%rip)\n"
    "	mov %rbp, native_state + 5 * 8(%rip)\n"
    "	mov %rsi, native_state + 6 * 8(%rip)\n"
    "	mov %rdi, native_state + 7 * 8(%rip)\n"
    "	.irp n, 8, 9, 10, 11, 12, 13, 14, 15\n"
    "	mov %r\\n, native_state + 8 * \\n(%rip)\n"
    "	.endr\n"
    "	mov native_state + 17 * 8(%rip), %rsp\n"
    "	pushfq\n"
    "	popq native_state + 16 * 8(%rip)\n"
    ".globl native_exit\n"
    "native_exit:\n"
    "	mov native_state + 17 * 8(%rip), %rsp\n"
    "	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
    "	vmovdqu %ymm\\n, native_state + 18 * 8 + 32 * \\n(%rip)\n"
    "	.endr\n"
    "	fxsave64 native_state + 18 * 8 + 16 * 32(%rip)\n"
    "	fninit\n"
    "	vzeroupper\n"
    "	cld\n"
    "	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "	ret\n"
    ".balign 4096\n"
    ".popsection\n");

struct native_fault {
	bool happened;
	u8 vector;
	u32 error;
	u64 cr2;
};

static u8 *native_alias;
static volatile bool native_running;
static struct native_fault native_fault;

static void native_signal(int sig, siginfo_t *info, void *context)
{
	static const u8 order[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
				      REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };
	ucontext_t *uc = context;
	greg_t *g = uc->uc_mcontext.gregs;
	unsigned int i;

	if (!native_running) {
		signal(sig, SIG_DFL);
		return;
	}
	native_fault.happened = true;
	native_fault.vector = g[REG_TRAPNO];
	native_fault.error = g[REG_ERR];
	native_fault.cr2 = g[REG_CR2];
	for (i = 0; i < 16; i++)
		native_state.regs[i] = g[order[i]];
	native_state.rflags = g[REG_EFL];
	g[REG_RIP] = (greg_t)native_exit;
	g[REG_RSP] = native_state.host_rsp;
	g[REG_EFL] &= ~(X86_EFLAGS_DF | X86_EFLAGS_RF);
}

/* False where there is no AVX to run the trampoline with. */
static bool native_init(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
	struct sigaction sa = { .sa_sigaction = native_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	static u8 stack[1 << 16];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	unsigned int i;
	void *p;
	int fd;

	if (!__builtin_cpu_supports("avx2"))
		return false;
	sigaltstack(&ss, NULL);
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &sa, NULL);
	if (mprotect(&native_state, 4096, PROT_READ | PROT_WRITE | PROT_EXEC))
		return false;
	fd = memfd_create("native", 0);
	if (fd < 0 || ftruncate(fd, NATIVE_SIZE))
		return false;
	p = mmap((void *)NATIVE_MEM, NATIVE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
	native_alias = mmap(NULL, NATIVE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return p == (void *)NATIVE_MEM && native_alias != MAP_FAILED && !mprotect((void *)NATIVE_RO, 0x1000, PROT_READ);
}

/* Run the len bytes in insn on native_state.  A branch must end at native_after. */
static void native_run(const u8 *insn, unsigned int len)
{
	memset(native_slot, 0x90, sizeof(native_slot));
	memcpy(native_slot, insn, len);
	native_fault = (struct native_fault){ 0 };
	native_running = true;
	native_enter();
	native_running = false;
}

/* The emulator's side: the same memory, with the faults its pages give to user code */

static inline int native_check(struct vtx_emu *e, u64 gva, unsigned int len, unsigned int access)
{
	bool write = access & VTX_EMU_ACCESS_WRITE;
	u64 a;

	for (a = gva; a != gva + len; a++) {
		if (a >> 63) /* the kernel's half: Linux always reports a protection violation */
			return vtx_emu_page_fault(e, a, write ? 7 : 5);
		if (a < NATIVE_MEM || a >= NATIVE_END)
			return vtx_emu_page_fault(e, a, write ? 6 : 4);
		if (write && a >= NATIVE_RO)
			return vtx_emu_page_fault(e, a, 7);
	}
	return VTX_EMU_DONE;
}

static int native_fetch(struct vtx_emu *e, u64 gva, void *buf, unsigned int len, unsigned int *got)
{
	memcpy(buf, native_slot + (gva - e->rip), len);
	*got = len;
	return VTX_EMU_DONE;
}

static int native_read(struct vtx_emu *e, u64 gva, void *buf, unsigned int len, unsigned int access)
{
	TRY(native_check(e, gva, len, access));
	memcpy(buf, native_alias + (gva - NATIVE_MEM), len);
	return VTX_EMU_DONE;
}

static int native_write(struct vtx_emu *e, u64 gva, const void *buf, unsigned int len)
{
	TRY(native_check(e, gva, len, VTX_EMU_ACCESS_WRITE));
	memcpy(native_alias + (gva - NATIVE_MEM), buf, len);
	return VTX_EMU_DONE;
}

static int native_cmpxchg(struct vtx_emu *e, u64 gva, const void *old, const void *new, unsigned int len)
{
	TRY(native_check(e, gva, len, VTX_EMU_ACCESS_WRITE));
	if (memcmp(native_alias + (gva - NATIVE_MEM), old, len))
		return VTX_EMU_MISMATCH;
	memcpy(native_alias + (gva - NATIVE_MEM), new, len);
	return VTX_EMU_DONE;
}

static int native_probe(struct vtx_emu *e, u64 gva, unsigned int len, unsigned int access)
{
	return native_check(e, gva, len, access);
}

static int native_read_xmm(struct vtx_emu *e, unsigned int reg, void *buf, unsigned int len)
{
	struct native_state *s = e->opaque;

	memcpy(buf, s->ymm[reg], len);
	return VTX_EMU_DONE;
}

static int native_write_xmm(struct vtx_emu *e, unsigned int reg, const void *buf, unsigned int len, bool zero_upper)
{
	struct native_state *s = e->opaque;

	if (zero_upper)
		memset(s->ymm[reg], 0, 32);
	memcpy(s->ymm[reg], buf, len);
	return VTX_EMU_DONE;
}

static int native_read_mmx(struct vtx_emu *e, unsigned int reg, u64 *val)
{
	struct native_state *s = e->opaque;

	*val = vtx_mmx_read(s->fx, reg);
	return VTX_EMU_DONE;
}

static int native_write_mmx(struct vtx_emu *e, unsigned int reg, u64 val)
{
	struct native_state *s = e->opaque;

	vtx_mmx_write(s->fx, reg, val);
	return VTX_EMU_DONE;
}

static void native_used_mmx(struct vtx_emu *e)
{
	struct native_state *s = e->opaque;

	vtx_mmx_used(s->fx);
}

static const struct vtx_emu_ops native_ops = {
	.fetch = native_fetch, .read = native_read, .write = native_write, .compare_exchange = native_cmpxchg,
	.probe = native_probe, .read_xmm = native_read_xmm, .write_xmm = native_write_xmm,
	.read_mmx = native_read_mmx, .write_mmx = native_write_mmx, .used_mmx = native_used_mmx,
};

/* The emulator's picture of a Linux process: 64-bit user mode, flat, SSE and AVX on.  Vector and x87 registers live in s. */
static void native_emu_init(struct vtx_emu *e, struct native_state *s)
{
	memset(e, 0, sizeof(*e));
	memcpy(e->regs, s->regs, sizeof(e->regs));
	e->rip = (u64)native_slot;
	e->rflags = s->rflags;
	e->cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_WP | X86_CR0_NE;
	e->cr4 = X86_CR4_PAE | X86_CR4_OSFXSR | X86_CR4_OSXSAVE;
	e->efer = VTX_EFER_LMA;
	e->xcr0 = 7;
	e->cpl = 3;
	e->cpu = VTX_EMU_CPU_ALL;
	e->seg[VTX_EMU_CS].ar = 0xa0fb;
	e->max_iterations = 4;
	e->ops = &native_ops;
	e->opaque = s;
}

#endif /* VTX_SELFTESTS_NATIVE_ORACLE_H */

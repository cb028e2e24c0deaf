// SPDX-License-Identifier: GPL-2.0-only
/*
 * Floating-point and vector state: a guest's own across exits, other guests' and the process's kept apart, the initial state of
 * a fresh vCPU, and what CR0.TS, CR0.EM and XCR0 do.
 */
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/vm.h"

/* 16 vector registers of up to 64 bytes, and the control words. */
struct state {
	u8 v[16][64];
	u32 mxcsr;
	u16 fcw, fsw;
	u64 st0;
};

static struct state pattern_a, pattern_b;
static struct state seen __attribute__((aligned(64)));

static void fill(struct state *s, u8 seed)
{
	for (int i = 0; i < 16; i++)
		for (int k = 0; k < 64; k++)
			s->v[i][k] = (u8)(seed + i * 17 + k * 3);
	s->mxcsr = 0x1f80 | (seed & 0x3f);
	s->fcw = 0x37f ^ (seed & 0x300);
	s->st0 = 0x4009000000000000ULL + seed;	/* a double that x87 can hold */
}

#define EACH16(insn) \
	insn(0) insn(1) insn(2) insn(3) insn(4) insn(5) insn(6) insn(7) insn(8) insn(9) insn(10) insn(11) insn(12) \
	insn(13) insn(14) insn(15)
#define LOAD_XMM(n) "movups " #n "*64(%0), %%xmm" #n "\n\t"
#define STORE_XMM(n) "movups %%xmm" #n ", " #n "*64(%0)\n\t"
#define LOAD_YMM(n) "vmovups " #n "*64(%0), %%ymm" #n "\n\t"
#define STORE_YMM(n) "vmovups %%ymm" #n ", " #n "*64(%0)\n\t"
#define LOAD_ZMM(n) "vmovups " #n "*64(%0), %%zmm" #n "\n\t"
#define STORE_ZMM(n) "vmovups %%zmm" #n ", " #n "*64(%0)\n\t"

/* Vector registers of the width (16, 32, 64), MXCSR, the x87 control word and ST0. */
GUEST static void load(const struct state *s, u64 width)
{
	if (width == 16)
		asm volatile(EACH16(LOAD_XMM) : : "r"(s->v) : "memory");
	else if (width == 32)
		asm volatile(EACH16(LOAD_YMM) : : "r"(s->v) : "memory");
	else
		asm volatile(EACH16(LOAD_ZMM) : : "r"(s->v) : "memory");
	asm volatile("ldmxcsr %0\n\tfninit\n\tfldcw %1\n\tfldl %2" : : "m"(s->mxcsr), "m"(s->fcw), "m"(s->st0));
}

GUEST static void store(struct state *s, u64 width)
{
	if (width == 16)
		asm volatile(EACH16(STORE_XMM) : : "r"(s->v) : "memory");
	else if (width == 32)
		asm volatile(EACH16(STORE_YMM) : : "r"(s->v) : "memory");
	else
		asm volatile(EACH16(STORE_ZMM) : : "r"(s->v) : "memory");
	asm volatile("stmxcsr %0\n\tfnstcw %1\n\tfnstsw %2\n\tfstl %3"
		     : "=m"(s->mxcsr), "=m"(s->fcw), "=m"(s->fsw), "=m"(s->st0) : : "memory");
}

GUEST static bool same(const struct state *a, const struct state *b, u64 width)
{
	for (int i = 0; i < 16; i++)
		for (u64 k = 0; k < width; k++)
			if (((const volatile u8 *)a->v[i])[k] != ((const volatile u8 *)b->v[i])[k])
				return false;
	return a->mxcsr == b->mxcsr && a->fcw == b->fcw && a->st0 == b->st0;
}

/* What the guest may use beyond SSE. */
GUEST static void enable_vectors(u64 width)
{
	if (width == 16)
		return;
	G_WRITE_CR(4, G_READ_CR(4) | 1 << 18);
	asm volatile("xsetbv" : : "c"(0), "a"(width == 64 ? 0xe7 : 7), "d"(0));
}

struct job {
	u64 width, rounds;
	struct state *mine;
};

static struct job job;

GUEST static void keeper(u64 arg)
{
	struct job j = { job.width, job.rounds, (struct state *)arg };

	enable_vectors(j.width);
	load(j.mine, j.width);
	for (u64 i = 0; i < j.rounds; i++) {
		u32 out[4];

		g_say(0);
		g_cpuid(0, 0, out);
		g_rdmsr(0x1a0);
		for (volatile int k = 0; k < 50; k++)
			;
	}
	store(&seen, j.width);
	g_done(same(&seen, j.mine, j.width));
}

static struct vcpu *keeper_new(u64 width, u64 rounds, struct state *mine)
{
	struct vcpu *v;

	fill(&pattern_a, 0x11);
	fill(&pattern_b, 0x93);
	job.width = width;
	job.rounds = rounds;
	v = guest_new(0, keeper, (uintptr_t)mine);
	return v;
}

static bool has_avx512(void)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(cpuid_supported(), 7, 0);

	return guest_has_avx() && e && e->ebx >> 16 & 1;
}

static u64 widest(void)
{
	return has_avx512() ? 64 : guest_has_avx() ? 32 : 16;
}

static void need_width(u64 width)
{
	if (width > widest())
		skip("the guest's vectors have %llu bytes", (unsigned long long)widest());
}

/* Two guests in turn on one thread, each with a pattern of its own in every register. */
static void keep(u64 width)
{
	struct vcpu *a, *b;

	need_width(width);
	a = keeper_new(width, 20, &pattern_a);
	b = keeper_new(width, 20, &pattern_b);
	for (int i = 0; i < 20; i++) {
		vcpu_expect_port(a, PORT_SAY);
		vcpu_expect_port(b, PORT_SAY);
	}
	EXPECT_EQ(vcpu_finish(a), 1, "the first guest's registers are intact");
	EXPECT_EQ(vcpu_finish(b), 1, "the second guest's registers are intact");
}

static void keep_sse(void)
{
	keep(16);
}

static void keep_avx(void)
{
	keep(32);
}

static void keep_avx512(void)
{
	keep(64);
}

static void keep_in_threads(void)
{
	struct vcpu *v[4];
	pthread_t threads[4];
	struct state *mine[4] = { &pattern_a, &pattern_b, &pattern_a, &pattern_b };

	for (int i = 0; i < 4; i++) {
		v[i] = keeper_new(widest(), 0, mine[i]);
		G(v[i]->vm, job.rounds) = 0;
	}
	for (int i = 0; i < 4; i++)
		threads[i] = vcpu_start(v[i]);
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(vcpu_join(threads[i]), 1, "the guest's registers are intact");
}

/* The process's own registers around KVM_RUN, with nothing of the compiler's in between. */
static long bare_run(struct vcpu *v, const struct state *in, struct state *out)
{
	long ret;

	asm volatile(EACH16(LOAD_XMM) "ldmxcsr %1\n\tfninit\n\tfldcw %2\n\tfldl %3"
		     : : "r"(in->v), "m"(in->mxcsr), "m"(in->fcw), "m"(in->st0)
		     : "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
		       "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	asm volatile("syscall" : "=a"(ret) : "a"(SYS_ioctl), "D"(v->fd), "S"(KVM_RUN), "d"(0) : "rcx", "r11", "memory");
	asm volatile(EACH16(STORE_XMM) "stmxcsr %1\n\tfnstcw %2\n\tfstpl %3"
		     : : "r"(out->v), "m"(out->mxcsr), "m"(out->fcw), "m"(out->st0) : "memory");
	asm volatile("fninit");
	return ret;
}

static void host_state(void)
{
	struct vcpu *v = keeper_new(widest(), 30, &pattern_a);
	struct state mine, after;
	u32 normal = 0x1f80;

	fill(&mine, 0x42);
	mine.mxcsr = 0x1fa5;
	for (int i = 0; i < 30; i++) {
		long ret;

		memset(&after, 0, sizeof(after));
		ret = bare_run(v, &mine, &after);
		asm volatile("ldmxcsr %0" : : "m"(normal));
		CHECK(ret == 0 && v->run->exit_reason == KVM_EXIT_IO, "KVM_RUN: %ld", ret);
		for (int k = 0; k < 16; k++)
			EXPECT(!memcmp(mine.v[k], after.v[k], 16), "round %d: XMM%d of the process", i, k);
		EXPECT_EQ(after.mxcsr, mine.mxcsr, "the process's MXCSR");
		EXPECT_EQ(after.fcw, mine.fcw, "the process's FCW");
		EXPECT_EQ(after.st0, mine.st0, "the process's ST0");
	}
	EXPECT_EQ(vcpu_finish(v), 1, "the guest's registers are intact");
}

GUEST static void fresh_guest(u64 width)
{
	enable_vectors(width);
	asm volatile("stmxcsr %0\n\tfnstcw %1\n\tfnstsw %2" : "=m"(seen.mxcsr), "=m"(seen.fcw), "=m"(seen.fsw));
	if (width == 16)
		asm volatile(EACH16(STORE_XMM) : : "r"(seen.v) : "memory");
	else
		asm volatile(EACH16(STORE_YMM) : : "r"(seen.v) : "memory");
	g_done(0);
}

/* A new vCPU begins with the initial state, whatever the process or another guest had in the registers. */
static void fresh(void)
{
	struct vcpu *dirty = keeper_new(widest(), 1, &pattern_b), *v;
	struct state mine, after;
	u32 normal = 0x1f80;
	struct state *s;

	vcpu_expect_port(dirty, PORT_SAY);
	v = guest_new(0, fresh_guest, guest_has_avx() ? 32 : 16);
	fill(&mine, 0x42);
	bare_run(v, &mine, &after);
	asm volatile("ldmxcsr %0" : : "m"(normal));
	CHECK(v->run->exit_reason == KVM_EXIT_IO && v->run->io.port == PORT_DONE, "exit %s",
	      exit_name(v->run->exit_reason));
	s = (struct state *)(v->vm->mem + (uintptr_t)&seen);
	EXPECT_EQ(s->mxcsr, 0x1f80, "MXCSR");
	EXPECT_EQ(s->fcw, 0x37f, "FCW");
	EXPECT_EQ(s->fsw, 0, "FSW");
	for (int i = 0; i < 16; i++)
		for (int k = 0; k < 32; k++)
			EXPECT(s->v[i][k] == 0, "byte %d of vector register %d", k, i);
}

/* The program reads the guest's registers, changes one, and the guest sees that. */
static void through_ioctls(void)
{
	struct vcpu *v = keeper_new(16, 2, &pattern_a);
	struct kvm_xsave x;
	struct kvm_fpu f;

	vcpu_expect_port(v, PORT_SAY);
	CHECK_OK(ioctl(v->fd, KVM_GET_FPU, &f));
	for (int i = 0; i < 16; i++)
		EXPECT(!memcmp(f.xmm[i], pattern_a.v[i], 16), "XMM%d by KVM_GET_FPU", i);
	EXPECT_EQ(f.fcw, pattern_a.fcw, "FCW by KVM_GET_FPU");
	CHECK_OK(ioctl(v->fd, KVM_GET_XSAVE, &x));
	for (int i = 0; i < 16; i++)
		EXPECT(!memcmp((u8 *)x.region + 160 + 16 * i, pattern_a.v[i], 16), "XMM%d by KVM_GET_XSAVE", i);
	EXPECT_EQ(x.region[6], pattern_a.mxcsr, "MXCSR by KVM_GET_XSAVE");
	memcpy((u8 *)x.region + 160 + 16 * 3, "changed register", 16);
	CHECK_OK(ioctl(v->fd, KVM_SET_XSAVE, &x));
	vcpu_expect_port(v, PORT_SAY);
	EXPECT_EQ(vcpu_finish(v), 0, "the guest must see a changed register");
	EXPECT(!memcmp(v->vm->mem + (uintptr_t)&seen.v[3], "changed register", 16), "XMM3 in the guest");
	EXPECT(!memcmp(v->vm->mem + (uintptr_t)&seen.v[4], pattern_a.v[4], 16), "XMM4 in the guest");
}

GUEST static void traps_guest(u64 arg)
{
	u64 cr0 = G_READ_CR(0), cr4 = G_READ_CR(4);
	u64 value = 0;

	asm volatile("movq %0, %%xmm3" : : "r"(0x1234567890abcdefULL));
	G_WRITE_CR(0, cr0 | 8);			/* TS */
	G_CHECK_EQ(G_TRY("movq %%xmm3, %0", : "=r"(value) : : "memory"), 7);
	G_CHECK_EQ(G_TRY("fldz", : : : "memory"), 7);
	asm volatile("clts");
	asm volatile("movq %%xmm3, %0" : "=r"(value));
	G_CHECK_EQ(value, 0x1234567890abcdefULL);
	G_WRITE_CR(0, (cr0 | 4) & ~2UL);	/* EM */
	G_CHECK_EQ(G_TRY("movq %%xmm3, %0", : "=r"(value) : : "memory"), 6);
	G_CHECK_EQ(G_TRY("fldz", : : : "memory"), 7);
	G_WRITE_CR(0, cr0);
	G_WRITE_CR(4, cr4 & ~0x200UL);		/* OSFXSR */
	G_CHECK_EQ(G_TRY("addps %%xmm0, %%xmm0", : : : "memory"), 6);
	G_WRITE_CR(4, cr4);
	if (arg) {				/* AVX without leave, with it, and taken back */
		G_CHECK_EQ(G_TRY("vxorps %%ymm0, %%ymm0, %%ymm0", : : : "memory"), 6);
		enable_vectors(32);
		G_CHECK_EQ(G_TRY("vxorps %%ymm0, %%ymm0, %%ymm0", : : : "memory"), -1);
		asm volatile("xsetbv" : : "c"(0), "a"(3), "d"(0));
		G_CHECK_EQ(G_TRY("vxorps %%ymm0, %%ymm0, %%ymm0", : : : "memory"), 6);
	}
	asm volatile("movq %%xmm3, %0" : "=r"(value));
	G_CHECK_EQ(value, 0x1234567890abcdefULL);
	g_done(0);
}

static void traps(void)
{
	guest_passes(0, traps_guest, guest_has_avx());
}

/* A pending x87 exception of the guest's is the guest's: not the process's, which goes on computing. */
GUEST static void pending_guest(u64 arg)
{
	u16 cw = 0x37b;		/* divide-by-zero unmasked */

	(void)arg;
	asm volatile("fninit\n\tfldcw %0\n\tfld1\n\tfldz\n\tfdivrp" : : "m"(cw));
	g_say(0);
	G_CHECK_EQ(G_TRY("fwait", : : : "memory"), 16);
	asm volatile("fnclex");
	g_done(0);
}

static void pending_exception(void)
{
	struct vcpu *v = guest_new(0, pending_guest, 0);
	volatile long double x = 1.0L;

	vcpu_expect_port(v, PORT_SAY);
	for (int i = 0; i < 10; i++)
		x = x * 1.5L;
	EXPECT(x > 57.0L && x < 58.0L, "the process's arithmetic");
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

static const struct test tests[] = {
	TEST(keep_sse), TEST(keep_avx), TEST(keep_avx512), TEST(keep_in_threads), TEST(host_state), TEST(fresh),
	TEST(through_ioctls), TEST(traps), TEST(pending_exception),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

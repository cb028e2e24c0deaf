// SPDX-License-Identifier: GPL-2.0-only
/*
 * The numbers of the statistics file: each statistic moves by exactly what was done. A table of deeds says which ones move and by
 * how much, all others may not; a statistic that no row knows fails the test. The file itself is the subject of test_stats_file.
 */
#include <linux/kvm.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../uapi/vtx.h"
#include "lib/guest.h"
#include "lib/stats.h"
#include "lib/vm.h"

/* ------------------------------------------------------------------ deeds: the guests and what the program does with them */

/*
 * Each guest says PORT_SAY when it is ready; then the numbers are taken, the program does its part, and they are taken again. The
 * OUT that ends a guest is in the rows.
 */
GUEST static void instructions_guest(u64 arg)
{
	static u64 memory[2] __attribute__((aligned(4096)));
	u32 out[4], lo, hi;
	u64 misc;

	(void)arg;
	memory[0] = 0;
	G_WRITE_CR(4, G_READ_CR(4) | 1ULL << 18);
	asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	misc = g_rdmsr(0x1a0);
	G_TRY("ud2", : : : "memory");
	g_say(0);
	for (int i = 0; i < 17; i++)
		g_cpuid(0, 0, out);
	for (int i = 0; i < 31; i++)
		g_rdmsr(0x1a0);
	for (int i = 0; i < 7; i++)
		g_wrmsr(0x1a0, misc);
	for (int i = 0; i < 11; i++)
		asm volatile("vmcall" : : "a"(0x1234) : "memory");
	for (int i = 0; i < 5; i++)
		asm volatile("wbinvd" : : : "memory");
	for (int i = 0; i < 3; i++)
		asm volatile("invd" : : : "memory");
	for (int i = 0; i < 4; i++)
		asm volatile("xsetbv" : : "a"(lo), "d"(hi), "c"(0) : "memory");
	for (int i = 0; i < 6; i++)
		asm volatile("mov %%cr8, %0" : "=r"(misc) : : "memory");
	for (int i = 0; i < 8; i++)
		asm volatile("mov %%dr7, %0" : "=r"(misc) : : "memory");
	for (int i = 0; i < 2; i++)
		G_TRY("rdpmc", : : "c"(0) : "rax", "rdx", "memory");
	G_TRY("monitor", : : "a"(memory), "c"(0), "d"(0) : "memory");
	for (int i = 0; i < 2; i++)
		G_TRY("mwait", : : "a"(0), "c"(0) : "memory");
	g_done(0);
}

GUEST static void vmx_guest(u64 arg)
{
	static u64 memory[2] __attribute__((aligned(4096)));

	(void)arg;
	memory[0] = 0;
	G_TRY("ud2", : : : "memory");
	g_say(0);
	G_TRY("vmxon %0", : "+m"(memory[0]) : : "memory");
	G_TRY("vmxoff", : : : "memory");
	G_TRY("vmlaunch", : : : "memory");
	G_TRY("vmresume", : : : "memory");
	G_TRY("vmptrld %0", : "+m"(memory[0]) : : "memory");
	G_TRY("vmptrst %0", : "+m"(memory[0]) : : "memory");
	G_TRY("vmclear %0", : "+m"(memory[0]) : : "memory");
	G_TRY("vmread %0, %1", : "+r"(memory[0]) : "r"(0x681eUL) : "memory");
	G_TRY("vmwrite %0, %1", : : "r"(memory[0]), "r"(0x681eUL) : "memory");
	G_TRY("invept %1, %0", : : "r"(2UL), "m"(*(u8(*)[16])memory) : "memory");
	G_TRY("invvpid %1, %0", : : "r"(2UL), "m"(*(u8(*)[16])memory) : "memory");
	g_done(0);
}

static void drive_to_end(struct vcpu *v)
{
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

/* Ports and MMIO, with what the emulator does and what needs none of it. */
#define MMIO_TEXT (GUEST_SCRATCH + 0x100)

GUEST static void io_guest(u64 arg)
{
	u64 count = 4, text = MMIO_TEXT;

	(void)arg;
	*(volatile u32 *)MMIO_TEXT = 0x64636261;
	g_say(0);
	for (int i = 0; i < 23; i++)
		g_outb(0x80, (u8)i);
	for (int i = 0; i < 2; i++)
		g_inb(0x81);
	asm volatile("rep outsb" : "+c"(count), "+S"(text) : "d"(0x82) : "memory");
	for (int i = 0; i < 5; i++)
		g_read32(GUEST_ABSENT);
	for (int i = 0; i < 3; i++)
		g_write32(GUEST_ABSENT + 0x40, 1);
	/* One instruction that reads and writes: user space is asked twice. */
	asm volatile("addl $1, (%0)" : : "r"(GUEST_ABSENT + 0x80UL) : "memory");
	g_done(0);
}

static void drive_io(struct vcpu *v)
{
	for (;;) {
		vcpu_run(v);
		if (v->run->exit_reason == KVM_EXIT_MMIO)
			continue;
		CHECK_EQ(v->run->exit_reason, KVM_EXIT_IO, "the exit");
		if (v->run->io.port == PORT_DONE)
			return;
	}
}

GUEST static void unknown_guest(u64 arg)
{
	(void)arg;
	g_say(0);
	asm volatile(".byte 0x66, 0x0f, 0x38, 0x00, 0x03" : : "b"(GUEST_ABSENT) : "memory"); /* PSHUFB */
}

static void drive_unknown(struct vcpu *v)
{
	vcpu_expect(v, KVM_EXIT_INTERNAL_ERROR);
}

/* Memory. 50 pages in a part of 2M that nothing has touched: one table of the EPT more. */
#define FRESH (GUEST_FREE + 0x400000)

GUEST static void touch_guest(u64 arg)
{
	if (arg)
		for (u64 i = 0; i < 50; i++)
			g_write32(FRESH + i * 4096, 1);
	g_say(0);
	if (!arg)
		for (u64 i = 0; i < 50; i++)
			g_write32(FRESH + i * 4096, 1);
	g_done(0);
}

static void drive_zap(struct vcpu *v)
{
	CHECK_OK(madvise(v->vm->mem + FRESH, 50 * PAGE_SIZE, MADV_DONTNEED));
	drive_to_end(v);
}

/* A signal that KVM_RUN's mask lets in and the program's does not. */
static void drive_signal(struct vcpu *v)
{
	struct {
		struct kvm_signal_mask head;
		u64 set;
	} mask = { .head.len = 8 };
	sigset_t set;

	quiet_signal();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK_OK(ioctl(v->fd, KVM_SET_SIGNAL_MASK, &mask));
	for (int i = 0; i < 3; i++) {
		raise(SIGUSR1);
		EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EINTR);
	}
	CHECK_OK(ioctl(v->fd, KVM_SET_SIGNAL_MASK, NULL));
}

GUEST static void nothing_guest(u64 arg)
{
	(void)arg;
	g_say(0);
	g_done(0);
}

/* Interrupts without irqchip. */
static volatile u64 irqs, nmis;

GUEST static void irq_handler(struct g_frame *frame)
{
	(void)frame;
	irqs++;
}

GUEST static void window_guest(u64 arg)
{
	(void)arg;
	g_handler[0x40] = irq_handler;
	for (u64 i = 1; i <= 4; i++) {
		g_say(0);
		asm volatile("sti\n\tnop\n\tnop\n\tnop\n\tcli" : : : "memory");
		G_CHECK_EQ(irqs, i);
	}
	g_done(0);
}

static void interrupt(struct vcpu *v, u32 vector)
{
	struct kvm_interrupt irq = { .irq = vector };

	CHECK_OK(ioctl(v->fd, KVM_INTERRUPT, &irq));
}

static void through_window(struct vcpu *v)
{
	v->run->request_interrupt_window = 1;
	vcpu_expect(v, KVM_EXIT_IRQ_WINDOW_OPEN);
	v->run->request_interrupt_window = 0;
	interrupt(v, 0x40);
}

static void prepare_window(struct vcpu *v)
{
	through_window(v);
	vcpu_expect_port(v, PORT_SAY);
}

/* Twice the program waits for the window, once it leaves that to the vCPU. */
static void drive_window(struct vcpu *v)
{
	for (int i = 0; i < 2; i++) {
		through_window(v);
		vcpu_expect_port(v, PORT_SAY);
	}
	interrupt(v, 0x40);
	drive_to_end(v);
}

GUEST static void nmi_handler(struct g_frame *frame)
{
	(void)frame;
	if (++nmis == 2)
		g_say(2);
}

GUEST static void nmi_guest(u64 arg)
{
	(void)arg;
	g_handler[2] = nmi_handler;
	g_say(0);
	while (nmis < 1)
		g_pause();
	g_say(0);
	while (nmis < 3)
		g_pause();
	g_done(0);
}

static void prepare_nmi(struct vcpu *v)
{
	CHECK_OK(ioctl(v->fd, KVM_NMI, 0));
	vcpu_expect_port(v, PORT_SAY);
}

/* The second one comes while the first is in service. */
static void drive_nmi(struct vcpu *v)
{
	CHECK_OK(ioctl(v->fd, KVM_NMI, 0));
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 2, "the handler's word");
	CHECK_OK(ioctl(v->fd, KVM_NMI, 0));
	drive_to_end(v);
}

GUEST static void trace_handler(struct g_frame *frame)
{
	frame->rflags &= ~0x100ULL;
}

GUEST static void trace_guest(u64 arg)
{
	(void)arg;
	g_handler[1] = trace_handler;
	asm volatile("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\tnop" : : : "memory", "cc");
	g_say(0);
	for (int i = 0; i < 3; i++)
		asm volatile("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\tnop" : : : "memory", "cc");
	g_done(0);
}

GUEST static void triple_guest(u64 arg)
{
	struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) idtr = { 0, 0 };

	(void)arg;
	g_say(0);
	asm volatile("lidt %0\n\tud2" : : "m"(idtr) : "memory");
}

static void drive_triple(struct vcpu *v)
{
	vcpu_expect(v, KVM_EXIT_SHUTDOWN);
}

GUEST_CODE(task_code, 32,
	   "movl $0x3e4, %edx\n outl %eax, %dx\n"
	   "lcall $0x58, $0\n"
	   "hlt\n"
	   ".org 0x100\n"
	   "movl $0x3e0, %edx\n xorl %eax, %eax\n outl %eax, %dx\n");

static void set_up_task(struct vcpu *v)
{
	/* The 32-bit TSS (SDM vol. 3, 7.2.1), as far as it matters here. */
	u32 *tss = (u32 *)(v->vm->mem + GUEST_TSS32_B);

	vm_load_code(v->vm, GUEST_REAL_CODE, task_code, task_code_end);
	vcpu_mode_prot32(v, GUEST_REAL_CODE);
	memset(tss, 0, 104);
	tss[8] = GUEST_REAL_CODE + 0x100;	/* EIP */
	tss[9] = 2;				/* EFLAGS */
	tss[14] = 0x2a0000;			/* ESP */
	tss[18] = tss[20] = tss[21] = tss[22] = tss[23] = SEL_DATA;
	tss[19] = SEL_CODE32;
	tss[25] = 0x680000;			/* I/O map base */
}

static void drive_invalid_state(struct vcpu *v)
{
	struct kvm_sregs s = vcpu_sregs(v);

	s.tr.unusable = 1;
	CHECK_OK(ioctl(v->fd, KVM_SET_SREGS, &s));
	for (int i = 0; i < 2; i++)
		vcpu_expect(v, KVM_EXIT_FAIL_ENTRY);
}

/* #BP with an error code: the entry's controls are wrong, and VMRESUME itself fails. That is no exit reason of the table. */
static void drive_vmfail(struct vcpu *v)
{
	struct kvm_vcpu_events e = { .exception = { .injected = 1, .nr = 3, .has_error_code = 1 } };

	CHECK_OK(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &e));
	vcpu_expect(v, KVM_EXIT_FAIL_ENTRY);
	EXPECT_EQ(v->run->fail_entry.hardware_entry_failure_reason, 7, "the VM-instruction error");
}

GUEST static void hlt_guest(u64 arg)
{
	(void)arg;
	g_say(0);
	for (int i = 0; i < 3; i++)
		asm volatile("hlt" : : : "memory");
	g_done(0);
}

static void drive_hlt(struct vcpu *v)
{
	for (int i = 0; i < 3; i++)
		vcpu_expect(v, KVM_EXIT_HLT);
	drive_to_end(v);
}

/* ------------------------------------------------------------------ the table */

struct expected {
	const char *name;
	s64 delta;
};

#define MAX_ROWS 24

static const struct deed {
	const char *name;
	void (*guest)(u64 arg);
	u64 arg;
	void (*prepare)(struct vcpu *v);	/* before the numbers are taken, or NULL */
	void (*drive)(struct vcpu *v);
	struct expected rows[MAX_ROWS];
} deeds[] = {
	{ "instructions", instructions_guest, 0, NULL, drive_to_end, {
		{ "exit_cpuid", 17 }, { "exit_msr_read", 31 }, { "exit_msr_write", 7 }, { "exit_vmcall", 11 }, { "hypercalls", 11 },
		{ "exit_wbinvd", 5 }, { "exit_invd", 3 }, { "exit_xsetbv", 4 }, { "exit_cr_access", 6 }, { "exit_dr_access", 8 },
		{ "exit_rdpmc", 2 }, { "exit_monitor_instruction", 1 }, { "exit_mwait_instruction", 2 },
		{ "exit_io_instruction", 1 }, { "io_exits", 1 } } },
	{ "vmx", vmx_guest, 0, NULL, drive_to_end, {
		{ "exit_vmon", 1 }, { "exit_vmoff", 1 }, { "exit_vmlaunch", 1 }, { "exit_vmresume", 1 }, { "exit_vmptrld", 1 },
		{ "exit_vmptrst", 1 }, { "exit_vmclear", 1 }, { "exit_vmread", 1 }, { "exit_vmwrite", 1 }, { "exit_invept", 1 },
		{ "exit_invvpid", 1 }, { "exit_io_instruction", 1 }, { "io_exits", 1 } } },
	/* One violation more than MMIO: the guest's page directory for that GiB. */
	{ "io", io_guest, 0, NULL, drive_io, {
		{ "exit_io_instruction", 27 }, { "io_exits", 27 }, { "mmio_exits", 10 }, { "insn_emulation", 10 },
		{ "exit_ept_violation", 10 }, { "pf_taken", 10 }, { "pf_emulate", 9 }, { "pf_fixed", 1 }, { "pages_4k", 1 } } },
	{ "unknown", unknown_guest, 0, NULL, drive_unknown, {
		{ "exit_ept_violation", 2 }, { "pf_taken", 2 }, { "pf_emulate", 1 }, { "pf_fixed", 1 }, { "pages_4k", 1 },
		{ "insn_emulation", 1 }, { "insn_emulation_fail", 1 } } },
	{ "touch", touch_guest, 0, NULL, drive_to_end, {
		{ "exit_ept_violation", 50 }, { "pf_taken", 50 }, { "pf_fixed", 50 }, { "pages_4k", 50 }, { "ept_tables", 1 },
		{ "exit_io_instruction", 1 }, { "io_exits", 1 } } },
	{ "zap", touch_guest, 1, NULL, drive_zap, {
		{ "remote_tlb_flush_requests", 1 }, { "tlb_flush", 1 }, { "pages_4k", -50 },
		{ "exit_io_instruction", 1 }, { "io_exits", 1 } } },
	{ "signal", nothing_guest, 0, NULL, drive_signal, { { "signal_exits", 3 } } },
	{ "window", window_guest, 0, prepare_window, drive_window, {
		{ "exit_interrupt_window", 3 }, { "irq_window_exits", 3 }, { "request_irq_exits", 2 }, { "irq_injections", 3 },
		{ "exit_io_instruction", 3 }, { "io_exits", 3 } } },
	{ "nmi", nmi_guest, 0, prepare_nmi, drive_nmi, {
		{ "nmi_injections", 2 }, { "exit_nmi_window", 1 }, { "nmi_window_exits", 1 },
		{ "exit_io_instruction", 2 }, { "io_exits", 2 } } },
	{ "trace", trace_guest, 0, NULL, drive_to_end, {
		{ "exit_exception_nmi", 3 }, { "exit_io_instruction", 1 }, { "io_exits", 1 } } },
	{ "triple", triple_guest, 0, NULL, drive_triple, { { "exit_triple_fault", 1 } } },
	/* The far call is the first to read the GDT. */
	{ "task", NULL, 0, NULL, drive_to_end, {
		{ "exit_task_switch", 1 }, { "exit_io_instruction", 1 }, { "io_exits", 1 },
		{ "exit_ept_violation", 1 }, { "pf_taken", 1 }, { "pf_fixed", 1 }, { "pages_4k", 1 } } },
	/* KVM_SET_SREGS flushes. */
	{ "invalid_state", nothing_guest, 0, NULL, drive_invalid_state, { { "exit_invalid_state", 2 }, { "tlb_flush", 1 } } },
	{ "vmfail", nothing_guest, 0, NULL, drive_vmfail, { { "exit_other", 1 } } },
	{ "hlt", hlt_guest, 0, NULL, drive_hlt, {
		{ "exit_hlt", 3 }, { "halt_exits", 3 }, { "exit_io_instruction", 1 }, { "io_exits", 1 } } },
};

/* Numbers of SDM vol. 3, appendix C, to find the reasons in the flight recorder. */
static const struct reason {
	const char *name;
	u32 number;
} reasons[] = {
	{ "exit_exception_nmi", 0 }, { "exit_external_interrupt", 1 }, { "exit_triple_fault", 2 },
	{ "exit_interrupt_window", 7 }, { "exit_nmi_window", 8 }, { "exit_task_switch", 9 }, { "exit_cpuid", 10 },
	{ "exit_getsec", 11 }, { "exit_hlt", 12 }, { "exit_invd", 13 }, { "exit_invlpg", 14 }, { "exit_rdpmc", 15 },
	{ "exit_rsm", 17 }, { "exit_vmcall", 18 }, { "exit_vmclear", 19 }, { "exit_vmlaunch", 20 }, { "exit_vmptrld", 21 },
	{ "exit_vmptrst", 22 }, { "exit_vmread", 23 }, { "exit_vmresume", 24 }, { "exit_vmwrite", 25 }, { "exit_vmoff", 26 },
	{ "exit_vmon", 27 }, { "exit_cr_access", 28 }, { "exit_dr_access", 29 }, { "exit_io_instruction", 30 },
	{ "exit_msr_read", 31 }, { "exit_msr_write", 32 }, { "exit_invalid_state", 33 }, { "exit_mwait_instruction", 36 },
	{ "exit_monitor_instruction", 39 }, { "exit_pause_instruction", 40 }, { "exit_tpr_below_threshold", 43 },
	{ "exit_ept_violation", 48 }, { "exit_ept_misconfig", 49 }, { "exit_invept", 50 }, { "exit_invvpid", 53 },
	{ "exit_wbinvd", 54 }, { "exit_xsetbv", 55 }, { "exit_vmfunc", 59 }, { "exit_encls", 60 }, { "exit_xsaves", 63 },
	{ "exit_xrstors", 64 }, { "exit_pconfig", 65 }, { "exit_umwait", 67 }, { "exit_tpause", 68 },
	{ "exit_loadiwkey", 69 }, { "exit_enclv", 70 }, { "exit_other", ~0u },
};

/* Reasons that have a handler and cannot be had on this processor. */
static const char *const never[] = {
	/* #UD without CR4.SMXE, which the guest cannot set */
	"exit_getsec",
	/* not intercepted */
	"exit_invlpg", "exit_pause_instruction",
	/* #UD outside SMM */
	"exit_rsm",
	/* no TPR shadow */
	"exit_tpr_below_threshold",
	/* no entry that vtx writes is one */
	"exit_ept_misconfig",
	/* #UD: the control is off */
	"exit_vmfunc", "exit_encls", "exit_xsaves", "exit_xrstors", "exit_pconfig", "exit_umwait", "exit_tpause",
	"exit_loadiwkey", "exit_enclv",
};

/* Those with a case of their own below, because somebody else has to act while the vCPU runs. */
static const char *const own_case[] = {
	"exits", "irq_exits", "exit_external_interrupt",			/* host_interrupts() */
	"halt_wakeup", "halt_wait_ns", "halt_wait_hist", "blocking",		/* halting() */
	"pages_2m",								/* huge_page() */
	"remote_tlb_flush",							/* remote_flush() */
};

/* What the host does at any time moves these. */
static const char *const noise[] = { "exits", "irq_exits", "exit_external_interrupt" };

static bool among(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

static const struct reason *reason_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (!strcmp(reasons[i].name, name))
			return &reasons[i];
	return NULL;
}

static const struct expected *row_of(const struct deed *deed, const char *name)
{
	for (size_t i = 0; i < MAX_ROWS && deed->rows[i].name; i++)
		if (!strcmp(deed->rows[i].name, name))
			return &deed->rows[i];
	return NULL;
}

static const char *const suffixes[] = { "_ticks", "_user_ticks", "_min", "_max", "_latency" };

/* exit_X_ticks and its like: true, and the name of exit_X. */
static bool is_field(const char *name, char base[64])
{
	size_t len = strlen(name);

	for (int i = ARRAY_SIZE(suffixes) - 1; i >= 0; i--) {
		size_t n = strlen(suffixes[i]);

		if (strncmp(name, "exit_", 5) || len <= n || strcmp(name + len - n, suffixes[i]))
			continue;
		/* exit_X_user_ticks ends like exit_X_ticks. */
		if (i == 0 && len > strlen("_user_ticks") && !strcmp(name + len - strlen("_user_ticks"), "_user_ticks"))
			continue;
		snprintf(base, 64, "%.*s", (int)(len - n), name);
		return true;
	}
	return false;
}

/* ------------------------------------------------------------------ the flight recorder as witness */

struct witness {
	u64 count, ticks, min, max, latency[33];
};

static const struct vtx_ring *map_ring(struct vcpu *v)
{
	void *ring = mmap(NULL, VTX_RING_SIZE, PROT_READ, MAP_SHARED, v->fd, VTX_RING_MMAP_OFFSET);

	CHECK(ring != MAP_FAILED, "the flight recorder's mapping");
	return ring;
}

/* The records of one reason from number @from on. */
static struct witness witness(const struct vtx_ring *ring, u64 from, u32 reason)
{
	struct witness w = { .min = ~0ULL };

	CHECK(ring->head - from < ring->records, "%llu records", (unsigned long long)(ring->head - from));
	for (u64 n = from; n < ring->head; n++) {
		const struct vtx_record *r = (const void *)((const u8 *)ring + ring->data_offset + n % ring->records * ring->record_size);
		u32 ticks = r->ticks;

		if ((reason == ~0u ? r->reason : r->reason & 0xffff) != reason)
			continue;
		w.count++;
		w.ticks += ticks;
		w.min = ticks < w.min ? ticks : w.min;
		w.max = ticks > w.max ? ticks : w.max;
		w.latency[ticks ? 64 - __builtin_clzll(ticks) : 0]++;
	}
	return w;
}

/* ------------------------------------------------------------------ numbers before and after */

struct sides {
	struct vcpu *v;
	struct stats *vm, *vcpu;
	u64 *vm_then, *vcpu_then, *vm_now, *vcpu_now;
	const struct vtx_ring *ring;
	u64 head;
};

static void take_then(struct sides *s, struct vcpu *v)
{
	s->v = v;
	s->vm = stats_open(v->vm->fd);
	s->vcpu = stats_open(v->fd);
	s->ring = map_ring(v);
	s->head = s->ring->head;
	s->vm_then = stats_read(s->vm);
	s->vcpu_then = stats_read(s->vcpu);
}

static void take_now(struct sides *s)
{
	s->vm_now = stats_read(s->vm);
	s->vcpu_now = stats_read(s->vcpu);
}

static void put_sides(struct sides *s)
{
	free(s->vm_then);
	free(s->vm_now);
	free(s->vcpu_then);
	free(s->vcpu_now);
	munmap((void *)s->ring, VTX_RING_SIZE);
	stats_close(s->vm);
	stats_close(s->vcpu);
	vm_free(s->v->vm);
	vcpu_free(s->v);
}

/* Number @i of a vCPU's statistic: by how much it moved. */
static u64 moved(const struct sides *s, const char *name, u32 i)
{
	const struct kvm_stats_desc *desc = stats_find(s->vcpu, name);

	CHECK(desc && i < desc->size, "there is no %s", name);
	return s->vcpu_now[desc->offset / 8 + i] - s->vcpu_then[desc->offset / 8 + i];
}

static u64 now(const struct sides *s, const char *name)
{
	return s->vcpu_now[stats_find(s->vcpu, name)->offset / 8];
}

/* All six statistics of a reason against the records, which do not come from the same counters. */
static void check_reason(const struct sides *s, const struct reason *reason)
{
	struct witness w = witness(s->ring, s->head, reason->number);
	struct witness ever = witness(s->ring, 0, reason->number);
	char name[64];

	EXPECT_EQ(moved(s, reason->name, 0), w.count, reason->name);
	snprintf(name, sizeof(name), "%s_ticks", reason->name);
	EXPECT_EQ(moved(s, name, 0), w.ticks, name);
	snprintf(name, sizeof(name), "%s_min", reason->name);
	EXPECT_EQ(now(s, name), ever.count ? ever.min : 0, name);
	snprintf(name, sizeof(name), "%s_max", reason->name);
	EXPECT_EQ(now(s, name), ever.max, name);
	snprintf(name, sizeof(name), "%s_latency", reason->name);
	for (u32 i = 0; i < 33; i++)
		EXPECT(moved(s, name, i) == w.latency[i], "%s[%u] moved by %llu, not %llu", name, i,
		       (unsigned long long)moved(s, name, i), (unsigned long long)w.latency[i]);
}

static void check_list(const struct deed *deed, const struct stats *s, const u64 *then, const u64 *after)
{
	char base[64];

	for (u32 i = 0; i < s->header.num_desc; i++) {
		const struct kvm_stats_desc *desc = stats_desc(s, i);
		const struct expected *row = row_of(deed, desc->name);
		s64 delta = (s64)(after[desc->offset / 8] - then[desc->offset / 8]), want = row ? row->delta : 0;

		if (is_field(desc->name, base) || among(desc->name, noise, ARRAY_SIZE(noise)))
			continue;
		EXPECT(delta == want, "%s: %s moved by %lld, not by %lld", deed->name, desc->name, (long long)delta, (long long)want);
	}
}

static void do_deed(const struct deed *deed)
{
	struct vcpu *v = deed->guest ? guest_new(0, deed->guest, deed->arg) : vcpu_new(vm_new(0), 0);
	struct sides s;
	u64 all = 0;

	if (!deed->guest)
		set_up_task(v);
	/* Kernels that hand out huge pages by themselves would spare the guest most of its violations. */
	CHECK_OK(madvise(v->vm->mem, v->vm->size, MADV_NOHUGEPAGE));
	vcpu_expect_port(v, PORT_SAY);
	if (deed->prepare)
		deed->prepare(v);
	take_then(&s, v);
	deed->drive(v);
	take_now(&s);
	check_list(deed, s.vm, s.vm_then, s.vm_now);
	check_list(deed, s.vcpu, s.vcpu_then, s.vcpu_now);
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		check_reason(&s, &reasons[i]);
		all += moved(&s, reasons[i].name, 0);
	}
	EXPECT_EQ(moved(&s, "exits", 0), all, "exits, the sum of all reasons");
	EXPECT_EQ(moved(&s, "exits", 0), s.ring->head - s.head, "exits, the number of records");
	put_sides(&s);
}

/* A vCPU thread that changes the CPU flushes its translations, which is a number as well. */
static void stay_here(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	CHECK_OK(sched_setaffinity(0, sizeof(set), &set));
}

static void exact(void)
{
	test_timeout(20);
	stay_here();
	for (size_t i = 0; i < ARRAY_SIZE(deeds); i++)
		do_deed(&deeds[i]);
}

/* ------------------------------------------------------------------ is there a row for everything? */

static bool has_row(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(deeds); i++)
		if (row_of(&deeds[i], name))
			return true;
	return among(name, own_case, ARRAY_SIZE(own_case));
}

static void check_rows(const struct stats *s)
{
	const struct reason *reason;
	char base[64];

	for (u32 i = 0; i < s->header.num_desc; i++) {
		const char *name = stats_desc(s, i)->name;

		if (is_field(name, base)) {
			EXPECT(reason_named(base), "%s belongs to no reason that is tested", name);
			continue;
		}
		reason = reason_named(name);
		EXPECT(strncmp(name, "exit_", 5) || reason, "%s is tested by nothing", name);
		if (!among(name, never, ARRAY_SIZE(never)))
			EXPECT(has_row(name), "%s is moved by nothing", name);
	}
}

static void all_tested(void)
{
	struct vcpu *v = guest_new(0, nothing_guest, 0);
	struct stats *vm = stats_open(v->vm->fd), *vcpu = stats_open(v->fd);
	char name[64];

	check_rows(vm);
	check_rows(vcpu);
	/* And the other way round: what is tested is there, with all its fields. */
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		EXPECT(stats_find(vcpu, reasons[i].name), "there is no %s", reasons[i].name);
		for (size_t k = 0; k < ARRAY_SIZE(suffixes); k++) {
			snprintf(name, sizeof(name), "%s%s", reasons[i].name, suffixes[k]);
			EXPECT(stats_find(vcpu, name), "there is no %s", name);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(own_case); i++)
		EXPECT(stats_find(vm, own_case[i]) || stats_find(vcpu, own_case[i]), "there is no %s", own_case[i]);
}

/* ------------------------------------------------------------------ time in user space */

GUEST static void outs_guest(u64 n)
{
	g_say(0);
	for (u64 i = 0; i < n; i++)
		g_outb(0x80, 0);
	g_done(0);
}

static u64 tsc(void)
{
	u32 lo, hi;

	asm volatile("lfence\n\trdtsc\n\tlfence" : "=a"(lo), "=d"(hi) : : "memory");
	return lo | (u64)hi << 32;
}

/*
 * Between the return from KVM_RUN and the next entry: at least what the program measures between its two calls, and at most what it
 * measures around them.
 */
static void user_time(void)
{
	struct vcpu *v = guest_new(0, outs_guest, 20);
	u64 inner = 0, outer = 0, before, after, last_before, last_after, ticks;
	struct sides s;

	last_before = tsc();
	vcpu_expect_port(v, PORT_SAY);
	last_after = tsc();
	take_then(&s, v);
	do {
		before = tsc();
		vcpu_expect(v, KVM_EXIT_IO);
		after = tsc();
		inner += before - last_after;
		outer += after - last_before;
		last_before = before;
		last_after = after;
		for (volatile int i = 0; i < 1000; i++)
			;
	} while (v->run->io.port != PORT_DONE);
	take_now(&s);
	ticks = moved(&s, "exit_io_instruction_user_ticks", 0);
	EXPECT(ticks >= inner, "%llu ticks in user space, the program measured at least %llu", (unsigned long long)ticks,
	       (unsigned long long)inner);
	EXPECT(ticks <= outer, "%llu ticks in user space, the program measured at most %llu", (unsigned long long)ticks,
	       (unsigned long long)outer);
	EXPECT_EQ(moved(&s, "exit_cpuid_user_ticks", 0), 0, "ticks in user space because of CPUID");
	put_sides(&s);
}

/* ------------------------------------------------------------------ while the vCPU runs */

static volatile u64 stop;

GUEST static void spin_guest(u64 arg)
{
	(void)arg;
	g_sti();
	g_say(0);
	while (!stop)
		g_write32(FRESH, 1);
	g_done(0);
}

/* Interrupts of the host end guest mode; the file is read meanwhile, which no lock of the vCPU stops. */
static void host_interrupts(void)
{
	struct vcpu *v = guest_new(0, spin_guest, 0);
	struct sides s;
	pthread_t thread;

	vcpu_expect_port(v, PORT_SAY);
	take_then(&s, v);
	thread = vcpu_start(v);
	while (stats_value(s.vcpu, "irq_exits") < 2)
		sched_yield();
	G(v->vm, stop) = 1;
	CHECK_EQ(vcpu_join(thread), 0, "the result");
	take_now(&s);
	check_reason(&s, reason_named("exit_external_interrupt"));
	EXPECT_EQ(moved(&s, "irq_exits", 0), moved(&s, "exit_external_interrupt", 0), "irq_exits");
	EXPECT_EQ(moved(&s, "exits", 0), s.ring->head - s.head, "exits");
	put_sides(&s);
}

/* ------------------------------------------------------------------ halting */

GUEST static void wake_handler(struct g_frame *frame)
{
	(void)frame;
	irqs++;
	g_apic_write(APIC_EOI, 0);
}

GUEST static void halting_guest(u64 rounds)
{
	g_handler[0xb1] = wake_handler;
	g_apic_on();
	/* A delivery that has to fault its pages in begins anew, and counts twice. */
	asm volatile("int $0xb1" : : : "memory");
	irqs = 0;
	g_say(0);
	for (u64 i = 1; i <= rounds; i++) {
		g_sti_hlt();
		g_cli();
		G_CHECK_EQ(irqs, i);
	}
	g_done(0);
}

#define ROUNDS 4

static unsigned int bucket(u64 value)
{
	unsigned int n = value ? 64 - __builtin_clzll(value) : 0;

	return n < 31 ? n : 31;
}

/* One interrupt for each HLT, sent once the vCPU is asleep: a wake-up each, and the time asleep in the bucket it belongs to. */
static void halting(void)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0xb1 };
	struct vcpu *v = guest_new(VM_IRQCHIP, halting_guest, ROUNDS);
	u64 ns, before = 0, hist[32] = {};
	struct sides s;
	pthread_t thread;

	/* On one CPU, a thread that is seen between its two steps into sleep cannot be. */
	stay_here();
	vcpu_expect_port(v, PORT_SAY);
	take_then(&s, v);
	EXPECT_EQ(stats_value(s.vcpu, "blocking"), 0, "blocking of a vCPU that does not run");
	thread = vcpu_start(v);
	for (int i = 1; i <= ROUNDS; i++) {
		while (!stats_value(s.vcpu, "blocking"))
			sched_yield();
		EXPECT_EQ(stats_value(s.vcpu, "halt_wakeup"), i - 1, "wake-ups before the interrupt");
		EXPECT(ioctl(v->vm->fd, KVM_SIGNAL_MSI, &msi) > 0, "KVM_SIGNAL_MSI");
		while (G(v->vm, irqs) < (u64)i)
			sched_yield();
		ns = stats_value(s.vcpu, "halt_wait_ns");
		EXPECT(ns > before, "no time passed asleep");
		hist[bucket(ns - before)]++;
		before = ns;
	}
	CHECK_EQ(vcpu_join(thread), 0, "the result");
	take_now(&s);
	EXPECT_EQ(stats_value(s.vcpu, "blocking"), 0, "blocking at the end");
	EXPECT_EQ(moved(&s, "halt_wakeup", 0), ROUNDS, "halt_wakeup");
	EXPECT_EQ(moved(&s, "halt_exits", 0), ROUNDS, "halt_exits");
	EXPECT_EQ(moved(&s, "irq_injections", 0), ROUNDS, "irq_injections");
	for (u32 i = 0; i < 32; i++)
		EXPECT(moved(&s, "halt_wait_hist", i) == hist[i], "halt_wait_hist[%u] is %llu, not %llu", i,
		       (unsigned long long)moved(&s, "halt_wait_hist", i), (unsigned long long)hist[i]);
	put_sides(&s);
}

/* ------------------------------------------------------------------ memory that needs more than one page or one CPU */

static u64 huge_kilobytes(const void *at)
{
	char line[256];
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long from, to, kb = 0;
	bool inside = false;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (unsigned long)at >= from && (unsigned long)at < to;
		else if (inside && sscanf(line, "AnonHugePages: %lu", &kb) == 1)
			break;
	}
	if (f)
		fclose(f);
	return kb;
}

#define HUGE 0x200000UL
#define HUGE_AT 0x20000000UL

GUEST static void huge_guest(u64 arg)
{
	(void)arg;
	g_say(0);
	g_write32(HUGE_AT + 0x1000, 1);
	g_write32(HUGE_AT + HUGE - 8, 1);
	g_done(0);
}

static void huge_page(void)
{
	u8 *raw = host_pages(3 * HUGE), *data = (u8 *)(((uintptr_t)raw + HUGE - 1) & ~(HUGE - 1));
	struct vcpu *v = guest_new(0, huge_guest, 0);
	struct stats *s = stats_open(v->vm->fd), *vs = stats_open(v->fd);
	u64 before, fixed;

	CHECK(!madvise(data, HUGE, MADV_HUGEPAGE), "madvise");
	memset(data, 0, HUGE);
	if (huge_kilobytes(data) < 2048)
		skip("no transparent huge page to be had");
	CHECK_OK(vm_slot(v->vm, 1, HUGE_AT, HUGE, data, 0));
	vcpu_expect_port(v, PORT_SAY);
	before = stats_value(s, "pages_4k");
	fixed = stats_value(vs, "pf_fixed");
	EXPECT_EQ(stats_value(s, "pages_2m"), 0, "pages_2m before");
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	EXPECT_EQ(stats_value(s, "pages_2m"), 1, "pages_2m");
	EXPECT_EQ(stats_value(s, "pages_4k"), before, "pages_4k");
	EXPECT_EQ(stats_value(vs, "pf_fixed"), fixed + 1, "pf_fixed");
	CHECK_OK(munmap(raw, 3 * HUGE));
	EXPECT_EQ(stats_value(s, "pages_2m"), 0, "pages_2m after munmap");
}

/*
 * Memory goes away while the vCPU is in guest mode on another CPU: that one is interrupted, which is the flush. Whether it was in
 * guest mode at that moment is not in the test's hands, so it tries until it was; no try may count more than one.
 */
static void remote_flush(void)
{
	struct vcpu *v;
	struct stats *s;
	u64 tries = 0, remote = 0, then, requests;
	pthread_t thread;
	cpu_set_t set;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip("one CPU");
	v = guest_new(0, spin_guest, 0);
	s = stats_open(v->vm->fd);
	vcpu_expect_port(v, PORT_SAY);
	stay_here();
	thread = vcpu_start(v);
	CPU_ZERO(&set);
	CPU_SET(!sched_getcpu(), &set);
	CHECK(!pthread_setaffinity_np(thread, sizeof(set), &set), "pthread_setaffinity_np");
	requests = stats_value(s, "remote_tlb_flush_requests");
	for (tries = 0; tries < 200 && remote < 2; tries++) {
		then = stats_value(s, "remote_tlb_flush");
		CHECK_OK(madvise(v->vm->mem + FRESH, PAGE_SIZE, MADV_DONTNEED));
		EXPECT(stats_value(s, "remote_tlb_flush") - then <= 1, "one flush counts more than once");
		remote = stats_value(s, "remote_tlb_flush");
		usleep(1000);
	}
	EXPECT(remote >= 1, "no flush of %llu interrupted a CPU", (unsigned long long)tries);
	EXPECT(remote <= stats_value(s, "remote_tlb_flush_requests") - requests, "more flushes than requests");
	G(v->vm, stop) = 1;
	CHECK_EQ(vcpu_join(thread), 0, "the result");
}

static const struct test tests[] = {
	TEST(exact), TEST(all_tested), TEST(user_time), TEST(host_interrupts), TEST(halting), TEST(huge_page), TEST(remote_flush),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

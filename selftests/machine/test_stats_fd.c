// SPDX-License-Identifier: GPL-2.0-only
/*
 * The numbers of the statistics file: each statistic moves by exactly what was done. A table of deeds says which ones move and by
 * how much, all others may not; a statistic that no row knows fails the test. Where somebody else has to act while the vCPU runs,
 * test_stats_live does; the file itself is the subject of test_stats_file.
 */
#include <linux/kvm.h>
#include <signal.h>
#include <sys/mman.h>

#include "lib/guest.h"
#include "lib/sides.h"
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

/* More pages than a processor logs before it has to say so, which were written before. */
GUEST static void pml_guest(u64 arg)
{
	for (u64 round = 0; round < 2; round++) {
		for (u64 i = 0; i < 600; i++)
			*(volatile u64 *)(GUEST_FREE + i * PAGE_SIZE) = arg;
		if (!round)
			g_say(0);
	}
	g_done(0);
}

static void prepare_pml(struct vcpu *v)
{
	CHECK_OK(vm_slot(v->vm, 0, 0, v->vm->size, v->vm->mem, KVM_MEM_LOG_DIRTY_PAGES));
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
	/* The guest's page directory for that GiB was mapped with its neighbour (fault-around). */
	{ "io", io_guest, 0, NULL, drive_io, {
		{ "exit_io_instruction", 27 }, { "io_exits", 27 }, { "mmio_exits", 10 }, { "insn_emulation", 10 },
		{ "exit_ept_violation", 9 }, { "pf_taken", 9 }, { "pf_emulate", 9 } } },
	{ "unknown", unknown_guest, 0, NULL, drive_unknown, {
		{ "exit_ept_violation", 1 }, { "pf_taken", 1 }, { "pf_emulate", 1 },
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
	/* UD2 exits, and its delivery ends it. */
	{ "triple", triple_guest, 0, NULL, drive_triple, { { "exit_exception_nmi", 1 }, { "exit_triple_fault", 1 } } },
	/* The far call is the first to read the GDT. */
	{ "task", NULL, 0, NULL, drive_to_end, {
		{ "exit_task_switch", 1 }, { "exit_io_instruction", 1 }, { "io_exits", 1 },
		{ "exit_ept_violation", 1 }, { "pf_taken", 1 }, { "pf_fixed", 1 }, { "pages_4k", 1 } } },
	/* KVM_SET_SREGS flushes. */
	{ "invalid_state", nothing_guest, 0, NULL, drive_invalid_state, { { "exit_invalid_state", 2 }, { "tlb_flush", 1 } } },
	{ "vmfail", nothing_guest, 0, NULL, drive_vmfail, { { "exit_other", 1 } } },
	/* What was protected is flushed at the next entry. */
	{ "pml", pml_guest, 0, prepare_pml, drive_to_end, {
		{ "exit_pml_full", 1 }, { "tlb_flush", 1 }, { "exit_io_instruction", 1 }, { "io_exits", 1 } } },
	{ "hlt", hlt_guest, 0, NULL, drive_hlt, {
		{ "exit_hlt", 3 }, { "halt_exits", 3 }, { "exit_io_instruction", 1 }, { "io_exits", 1 } } },
};

/* Reasons that have a handler and cannot be had on this processor. */
static const char *const never[] = {
	/* #UD without CR4.SMXE, which the guest cannot set */
	"exit_getsec",
	/* not intercepted */
	"exit_invlpg",
	/* #UD outside SMM */
	"exit_rsm",
	/* no entry that vtx writes is one */
	"exit_ept_misconfig",
	/* #UD: the control is off */
	"exit_vmfunc", "exit_encls", "exit_xsaves", "exit_xrstors", "exit_pconfig", "exit_umwait", "exit_tpause",
	"exit_loadiwkey", "exit_enclv",
};

/* Those with a case in test_stats_live or test_pause, because somebody else has to act while the vCPU runs, or memory has to be special. */
static const char *const own_case[] = {
	"exits", "irq_exits", "exit_external_interrupt",			/* host_interrupts() */
	"halt_wakeup", "halt_wait_ns", "halt_wait_hist", "blocking",		/* halting() */
	"pages_2m",								/* huge_page() */
	"remote_tlb_flush",							/* remote_flush() */
	"exit_pause_instruction", "directed_yield_attempted", "directed_yield_successful", /* test_pause */
	/* and in test_time */
	"exit_preemption_timer",						/* preemption_timer_exits() */
	"halt_attempted_poll", "halt_successful_poll", "halt_poll_success_ns", "halt_poll_fail_ns",	/* halt_polling() */
	"halt_poll_success_hist", "halt_poll_fail_hist",
	"pages_1g", "ept_tables_reclaimed",					/* test_large */
	"exit_tpr_below_threshold", "exit_apic_access", "exit_eoi_induced", "exit_apic_write",	/* test_apicv */
};

/* What the host does at any time moves these. */
static const char *const noise[] = { "exits", "irq_exits", "exit_external_interrupt", "exit_pause_instruction" };

static bool among(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
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

	note("%s", deed->name);
	if (!deed->guest)
		set_up_task(v);
	vcpu_expect_port(v, PORT_SAY);
	if (deed->prepare)
		deed->prepare(v);
	sides_then(&s, v);
	deed->drive(v);
	sides_now(&s);
	check_list(deed, s.vm, s.vm_then, s.vm_now);
	check_list(deed, s.vcpu, s.vcpu_then, s.vcpu_now);
	for (size_t i = 0; i < nr_stat_reasons; i++) {
		sides_check_reason(&s, &stat_reasons[i]);
		all += sides_moved(&s, stat_reasons[i].name, 0);
	}
	EXPECT_EQ(sides_moved(&s, "exits", 0), all, "exits, the sum of all reasons");
	EXPECT_EQ(sides_moved(&s, "exits", 0), s.ring->head - s.head, "exits, the number of records");
	sides_free(&s);
}

static void exact(void)
{
	test_timeout(20);
	stay_here();
	small_pages(true);
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
	const struct stat_reason *reason;
	char base[64];

	for (u32 i = 0; i < s->header.num_desc; i++) {
		const char *name = stats_desc(s, i)->name;

		if (is_field(name, base)) {
			EXPECT(stat_reason(base), "%s belongs to no reason that is tested", name);
			continue;
		}
		reason = stat_reason(name);
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
	for (size_t i = 0; i < nr_stat_reasons; i++) {
		EXPECT(stats_find(vcpu, stat_reasons[i].name), "there is no %s", stat_reasons[i].name);
		for (size_t k = 0; k < ARRAY_SIZE(suffixes); k++) {
			snprintf(name, sizeof(name), "%s%s", stat_reasons[i].name, suffixes[k]);
			EXPECT(stats_find(vcpu, name), "there is no %s", name);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(own_case); i++)
		EXPECT(stats_find(vm, own_case[i]) || stats_find(vcpu, own_case[i]), "there is no %s", own_case[i]);
}

static const struct test tests[] = {
	TEST(exact), TEST(all_tested),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The local APIC as a guest sees it, the same whether the processor keeps it or vtx does: registers, priorities, EOI, state through the
 * ioctls, interrupts while the guest runs and while it is halted, and the base address.  And what exits it costs, which differs: vtx
 * says in debugfs `apic` who keeps it.
 */
#include <stdlib.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/trace.h"
#include "lib/vm.h"

#define LOOPS 200
#define KICKS 200
#define IOAPIC 0xfec00000UL
#define MOVED_BASE 0xd0000000UL	/* no slot there */

static volatile u64 count[256], order[8], ordered, ticks[4], stop;

G_INLINE void served(struct g_frame *frame)
{
	count[frame->vector & 255]++;
	if (ordered < 8)
		order[ordered++] = frame->vector;
}

GUEST static void apic_handler(struct g_frame *frame)
{
	served(frame);
	g_apic_write(APIC_EOI, 0);
}

GUEST static void x2apic_handler(struct g_frame *frame)
{
	served(frame);
	g_wrmsr(0x80b, 0);
}

/* Leaves its vector in service. */
GUEST static void keeping_handler(struct g_frame *frame)
{
	served(frame);
}

GUEST static void on(void (*handler)(struct g_frame *))
{
	for (int i = 0x20; i < 0x100; i++)
		if (i != 0x80)	/* the library's */
			g_handler[i] = handler;
	g_apic_on();
}

/* ------------------------------------------------------------------ who keeps it, and exits */

static bool apic_file_says(struct vm *vm, const char *words)
{
	char *text = trace_read(vm, "apic");
	bool says = text && strstr(text, words);

	free(text);
	return says;
}

static bool by_processor(struct vm *vm)
{
	return apic_file_says(vm, "processor, ");
}

/* Exits of one kind; NULL: of all, but those of the host and those with which the guest talks to the test. */
static u64 exits_of(struct vm *vm, const char *name)
{
	char *text = trace_read(vm, "vcpu0/exits"), *line, *rest = text, word[64];
	unsigned long long n;
	u64 sum = 0;

	if (!text)
		skip("not vtx: no exit counts");
	while ((line = strsep(&rest, "\n")))
		if (sscanf(line, "%63s %llu", word, &n) == 2 &&
		    (name ? !strcmp(word, name) : strcmp(word, "EXTERNAL_INTERRUPT") && strcmp(word, "IO_INSTRUCTION")))
			sum += n;
	free(text);
	return sum;
}

static void debugfs_line(void)
{
	struct vcpu *v = vcpu_new(vm_new(VM_IRQCHIP), 0), *bare = vcpu_new(vm_new(0), 0);
	char *text = trace_read(v->vm, "apic");
	bool hw;

	if (!text)
		skip("not vtx: no debugfs");
	note("%s", text);
	hw = strstr(text, "APIC virtualization on");
	CHECK(hw || strstr(text, "APIC virtualization off: switched off by a module parameter") ||
	      strstr(text, "APIC virtualization off: the processor "), "%s", text);
	EXPECT(strstr(text, "\nvcpu0 "), "no line for the vCPU: %s", text);
	EXPECT_EQ(by_processor(v->vm), hw, "the vCPU's mode");
	EXPECT(apic_file_says(bare->vm, "off: no local APIC in the kernel"), "without irqchip");
	EXPECT(apic_file_says(bare->vm, "vcpu0 software"), "without irqchip");
	free(text);
}

/* ------------------------------------------------------------------ registers */

struct reg_row {
	u16 offset;
	u32 write, reads;
};

/* SDM vol. 3, table 11-1; bits that a register does not have read 0, or 1 in DFR. SVR is on throughout. */
static const struct reg_row reg_rows[] = {
	{ APIC_TPR, 0xffffffff, 0xff }, { APIC_TPR, 0x35, 0x35 }, { APIC_TPR, 0, 0 }, { 0xd0, 0xffffffff, 0xff000000 },
	{ 0xd0, 0x01000000, 0x01000000 }, { 0xe0, 0, 0x0fffffff }, { 0xe0, 0xffffffff, 0xffffffff }, { APIC_SVR, 0xfffffdff, 0x1ff },
	{ APIC_ESR, 0, 0 }, { APIC_ICR2, 0xffffffff, 0xff000000 }, { APIC_LVTT, 0xffffffff, 0x700ff }, { APIC_LVTT, 0x10000, 0x10000 },
	{ 0x330, 0xffffffff, 0x107ff }, { 0x340, 0xffffffff, 0x107ff }, { APIC_LVT0, 0xffffffff, 0x1a7ff },
	{ APIC_LVT1, 0xffffffff, 0x1a7ff }, { APIC_LVTERR, 0xffffffff, 0x100ff }, { APIC_TMICT, 0x12345678, 0x12345678 },
	{ APIC_TMICT, 0, 0 }, { APIC_TDCR, 0xffffffff, 0xb },
};

static const u16 read_only[] = { 0x30, APIC_PPR, 0x90, 0xc0, APIC_TMCCT };

GUEST static void registers_guest(u64 arg)
{
	u32 before;

	(void)arg;
	on(apic_handler);
	G_CHECK_EQ(g_apic_read(APIC_ID), 0);
	G_CHECK_EQ(g_apic_read(0x30) & 0xff, 0x14);
	for (u64 i = 0; i < ARRAY_SIZE(reg_rows); i++) {
		const struct reg_row *r = &reg_rows[i];

		g_apic_write(r->offset, r->write);
		if (g_apic_read(r->offset) != r->reads)
			g_fail("register", r->offset, g_apic_read(r->offset), r->reads);
	}
	for (u64 i = 0; i < ARRAY_SIZE(read_only); i++) {
		before = g_apic_read(read_only[i]);
		g_apic_write(read_only[i], ~before);
		G_CHECK_EQ(g_apic_read(read_only[i]), before);
	}
	/* Those were errors; so are registers that do not exist. They show after ESR was written. */
	g_apic_write(APIC_ESR, 0);
	G_CHECK_EQ(g_apic_read(APIC_ESR), 0x80);
	g_apic_write(APIC_ESR, 0);
	G_CHECK_EQ(g_apic_read(APIC_ESR), 0);
	(void)g_apic_read(0x40);
	g_apic_write(APIC_ESR, 0);
	G_CHECK_EQ(g_apic_read(APIC_ESR), 0x80);
	for (u32 r = 0; r < 0x80; r += 0x10) {
		G_CHECK_EQ(g_apic_read(0x100 + r), 0);
		G_CHECK_EQ(g_apic_read(0x180 + r), 0);
		G_CHECK_EQ(g_apic_read(0x200 + r), 0);
	}
	/* Parts of a register. */
	g_apic_write(APIC_TPR, 0x42);
	G_CHECK_EQ(*(volatile u8 *)(APIC_BASE + APIC_TPR), 0x42);
	G_CHECK_EQ(*(volatile u16 *)(APIC_BASE + APIC_SVR), 0x1ff);
	G_CHECK_EQ(*(volatile u8 *)(APIC_BASE + APIC_SVR + 1), 1);
	G_CHECK_EQ(G_READ_CR(8), 4);
	G_WRITE_CR(8, 7);
	G_CHECK_EQ(g_apic_read(APIC_TPR), 0x70);
	G_CHECK_EQ(g_apic_read(APIC_PPR), 0x70);
	/* Software disable masks the LVT entries, and keeps them masked. */
	g_apic_write(APIC_LVT0, 0x40);
	g_apic_write(APIC_SVR, 0xff);
	G_CHECK_EQ(g_apic_read(APIC_LVT0), 0x10040);
	g_apic_write(APIC_LVT0, 0x41);
	G_CHECK_EQ(g_apic_read(APIC_LVT0), 0x10041);
	g_done(0);
}

static void registers(void)
{
	guest_passes(VM_IRQCHIP, registers_guest, 0);
}

GUEST static void enter_x2apic(void)
{
	g_wrmsr(0x1b, g_rdmsr(0x1b) | 0x400);
}

/* Which MSRs of 800h to 8ffh can be read: a bit each (SDM vol. 3, table 11-6). */
GUEST static bool msr_readable(u32 msr)
{
	u32 n = msr - 0x800;

	if (n >= 0x10 && n <= 0x27)
		return true;
	return n == 2 || n == 3 || n == 8 || n == 0xa || n == 0xd || n == 0xf || n == 0x28 || n == 0x30 || (n >= 0x32 && n <= 0x39) ||
	       n == 0x3e;
}

GUEST static void x2apic_registers_guest(u64 arg)
{
	u64 value;

	(void)arg;
	on(x2apic_handler);
	enter_x2apic();
	for (u32 msr = 0x800; msr < 0x900; msr++) {
		int trap = g_try_rdmsr(msr, &value);

		if (trap != (msr_readable(msr) ? -1 : 13))
			g_fail("RDMSR", msr, trap, 0);
		if (trap < 0 && value >> 32)
			g_fail("high half", msr, value, 0);
	}
	G_CHECK_EQ(g_rdmsr(0x802), 0);
	G_CHECK_EQ(g_rdmsr(0x80d), 1);
	g_wrmsr(0x808, 0x35);
	G_CHECK_EQ(g_rdmsr(0x808), 0x35);
	G_CHECK_EQ(g_rdmsr(0x80a), 0x35);
	G_CHECK_EQ(G_READ_CR(8), 3);
	G_CHECK_EQ(g_try_wrmsr(0x808, 0x100), 13);
	G_CHECK_EQ(g_try_wrmsr(0x808, 1ULL << 32), 13);
	G_CHECK_EQ(g_try_wrmsr(0x80b, 1), 13);
	G_CHECK_EQ(g_try_wrmsr(0x83f, 0x100), 13);
	G_CHECK_EQ(g_try_wrmsr(0x80a, 0), 13);
	G_CHECK_EQ(g_try_wrmsr(0x802, 0), 13);
	g_wrmsr(0x838, 0x1000);
	G_CHECK_EQ(g_rdmsr(0x838), 0x1000);
	g_wrmsr(0x838, 0);
	/* A vector that cannot be sent. */
	g_wrmsr(0x828, 0);
	g_wrmsr(0x83f, 5);
	g_wrmsr(0x828, 0);
	G_CHECK_EQ(g_rdmsr(0x828), 0x20);
	/* ICR reads with its destination. */
	g_wrmsr(0x830, 0x0000123400004550ULL);
	G_CHECK_EQ(g_rdmsr(0x830), 0x0000123400004550ULL);
	g_done(0);
}

static void need_x2apic(void)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(cpuid_supported(), 1, 0);

	if (!e || !(e->ecx >> 21 & 1))
		skip("no x2APIC");
}

static void registers_x2apic(void)
{
	need_x2apic();
	guest_passes(VM_IRQCHIP, x2apic_registers_guest, 0);
}

/* The timer's registers: what a write does depends on what was there. */
GUEST static void timer_guest(u64 arg)
{
	u32 left, slower;

	(void)arg;
	on(apic_handler);
	g_apic_write(APIC_TDCR, 0xb);		/* divide by 1 */
	g_apic_write(APIC_LVTT, 0x10090);	/* one-shot, masked */
	g_apic_write(APIC_TMICT, 0xffffffff);
	left = g_apic_read(APIC_TMCCT);
	G_CHECK(left > 0xc0000000);
	/* The count stays when the divisor changes. */
	g_apic_write(APIC_TDCR, 0);
	slower = g_apic_read(APIC_TMCCT);
	G_CHECK(slower <= left && slower > 0x80000000);
	/* One-shot to periodic goes on; to TSC deadline and back disarms (SDM vol. 3, 11.5.4.1). */
	g_apic_write(APIC_LVTT, 0x30090);
	G_CHECK(g_apic_read(APIC_TMCCT) > 0x80000000);
	g_apic_write(APIC_LVTT, 0x50090);
	G_CHECK_EQ(g_apic_read(APIC_TMCCT), 0);
	g_apic_write(APIC_TMICT, 0x1000);	/* ignored in this mode */
	G_CHECK_EQ(g_apic_read(APIC_TMICT), 0);
	g_apic_write(APIC_LVTT, 0x10090);
	G_CHECK_EQ(g_apic_read(APIC_TMCCT), 0);
	g_done(0);
}

static void timer_registers(void)
{
	if (dev_has(KVM_CAP_TSC_DEADLINE_TIMER) <= 0)
		skip("no TSC-deadline timer");
	guest_passes(VM_IRQCHIP, timer_guest, 0);
}

/* ------------------------------------------------------------------ exits */

enum { TPR_MMIO, TPR_MSR, SELF_MMIO, SELF_MSR, TPR_CR8 };

/* ticks[0]: of a TPR write, or of a self-IPI with its delivery, EOI and IRET. */
GUEST static void counted_guest(u64 what)
{
	u64 start, best = ~0ULL;

	on(what == SELF_MSR ? x2apic_handler : apic_handler);
	if (what == TPR_MSR || what == SELF_MSR)
		enter_x2apic();
	if (what == TPR_MMIO)	/* the page is there */
		g_apic_write(APIC_TPR, 0);
	g_sti();
	g_say(0);
	for (u64 i = 1; i <= LOOPS; i++) {
		start = g_rdtsc();
		if (what == TPR_MMIO)
			g_apic_write(APIC_TPR, 0x10);
		else if (what == TPR_MSR)
			g_wrmsr(0x808, 0x10);
		else if (what == TPR_CR8)
			G_WRITE_CR(8, 1);
		else if (what == SELF_MMIO)
			g_apic_write(APIC_ICR, 0x40060);
		else
			g_wrmsr(0x83f, 0x60);
		while ((what == SELF_MMIO || what == SELF_MSR) && count[0x60] != i)
			g_pause();
		start = g_rdtsc() - start;
		if (start < best)
			best = start;
	}
	ticks[0] = best;
	g_say(1);
	g_done(0);
}

/* @tpr_shadow_spares: a TPR shadow alone is enough to spare the exits. Without, there is at least one each time. */
static void count_exits(u64 what, const char *words, bool tpr_shadow_spares)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, counted_guest, what);
	u64 before, exits;
	bool spared;

	vcpu_expect_port(v, PORT_SAY);
	before = exits_of(v->vm, NULL);
	spared = by_processor(v->vm) || (tpr_shadow_spares && apic_file_says(v->vm, "vcpu0 software, TPR shadow"));
	vcpu_expect_port(v, PORT_SAY);
	exits = exits_of(v->vm, NULL) - before;
	note("%s: %llu ticks, %llu exits for %d", words, (unsigned long long)G(v->vm, ticks[0]), (unsigned long long)exits, LOOPS);
	/* A host interrupt may end the translation of the APIC's page, and bring another exit or two. */
	if (spared)
		EXPECT(exits <= 4, "%s: %llu exits", words, (unsigned long long)exits);
	else
		EXPECT(exits >= LOOPS, "%s: %llu exits", words, (unsigned long long)exits);
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

static void exits_xapic(void)
{
	count_exits(TPR_MMIO, "TPR write", false);
	count_exits(SELF_MMIO, "self-IPI and EOI", false);
}

static void exits_x2apic(void)
{
	need_x2apic();
	count_exits(TPR_MSR, "TPR write, x2APIC", false);
	count_exits(SELF_MSR, "self-IPI and EOI, x2APIC", false);
}

static void exits_cr8(void)
{
	count_exits(TPR_CR8, "CR8 write", true);
}

/* ------------------------------------------------------------------ priorities, EOI */

GUEST static void send_self(u32 vector)
{
	g_apic_write(APIC_ICR, 0x40000 | vector);
}

/* What the TPR holds back comes when CR8 falls below, at once; the highest class first; @arg: 8-byte EOIs, which are emulated. */
GUEST static void priority_guest(u64 arg)
{
	on(keeping_handler);
	G_WRITE_CR(8, 6);
	send_self(0x51);
	send_self(0x62);
	g_sti();
	for (int i = 0; i < 20; i++)
		g_pause();
	G_CHECK_EQ(ordered, 0);
	G_WRITE_CR(8, 5);
	g_pause();
	G_CHECK_EQ(ordered, 1);
	G_CHECK_EQ(order[0], 0x62);
	G_CHECK_EQ(g_apic_read(APIC_ISR + 0x30), 1 << 2);
	G_CHECK_EQ(g_apic_read(APIC_PPR), 0x60);
	G_WRITE_CR(8, 0);
	g_pause();
	G_CHECK_EQ(ordered, 1);		/* 62h is in service */
	send_self(0x65);		/* no higher than its class */
	send_self(0x71);
	g_pause();
	G_CHECK_EQ(ordered, 2);
	G_CHECK_EQ(order[1], 0x71);
	for (u64 left = 3; left; left--) {
		if (arg)
			*(volatile u64 *)(APIC_BASE + APIC_EOI) = 0;
		else
			g_apic_write(APIC_EOI, 0);
		g_pause();
	}
	/* 71h ended, then 62h, then 65h, which 62h had held back; 51h came after it. */
	G_CHECK_EQ(order[2], 0x65);
	G_CHECK_EQ(order[3], 0x51);
	G_CHECK_EQ(ordered, 4);
	g_apic_write(APIC_EOI, 0);
	for (u32 r = 0; r < 0x80; r += 0x10) {
		G_CHECK_EQ(g_apic_read(APIC_ISR + r), 0);
		G_CHECK_EQ(g_apic_read(APIC_IRR + r), 0);
	}
	G_CHECK_EQ(g_apic_read(APIC_PPR), 0);
	g_done(0);
}

static void priorities(void)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, priority_guest, 0);

	CHECK_EQ(vcpu_finish(v), 0, "the result");
	if (apic_file_says(v->vm, "vcpu0 software, TPR shadow"))
		EXPECT(exits_of(v->vm, "TPR_BELOW_THRESHOLD") >= 1, "no TPR exit");
}

static void emulated_eoi(void)
{
	guest_passes(VM_IRQCHIP, priority_guest, 1);
}

/* Interrupts off: a vector twice is once; halted, it wakes. */
GUEST static void halted_guest(u64 arg)
{
	(void)arg;
	on(apic_handler);
	for (u64 i = 1; i <= 20; i++) {
		g_cli();
		send_self(0x60);
		send_self(0x60);
		g_sti_hlt();
		G_CHECK_EQ(count[0x60], i);
	}
	/* Held back by the TPR it does not wake; the timer does, and is higher. */
	g_cli();
	G_WRITE_CR(8, 6);
	send_self(0x60);
	g_apic_write(APIC_TDCR, 0xb);
	g_apic_write(APIC_LVTT, 0x90);
	g_apic_write(APIC_TMICT, 100000);
	g_sti_hlt();
	G_CHECK_EQ(count[0x90], 1);
	G_CHECK_EQ(count[0x60], 20);
	G_WRITE_CR(8, 0);
	g_pause();
	G_CHECK_EQ(count[0x60], 21);
	g_done(0);
}

static void halted(void)
{
	guest_passes(VM_IRQCHIP, halted_guest, 0);
}

GUEST static void ioapic_write(u32 index, u32 value)
{
	g_write32(IOAPIC, index);
	g_write32(IOAPIC + 0x10, value);
}

/*
 * Level-triggered: as long as the line is held each EOI brings the next. The TMR shows the mode; not that of an IPI to itself that the
 * processor sends (SDM vol. 3, 30.1.5).
 */
GUEST static void level_guest(u64 virtual)
{
	on(apic_handler);
	ioapic_write(0x10 + 11, 0);
	ioapic_write(0x10 + 10, 0x80a5);	/* pin 5, level */
	g_sti();
	g_say(1);
	while (count[0xa5] < 10)
		g_pause();
	G_CHECK_EQ(g_apic_read(0x180 + 0x50), 1 << 5);
	g_say(0);
	/* The same vector as an edge ends without the IOAPIC. */
	ioapic_write(0x10 + 10, 0x100a5);
	g_cli();
	count[0xa5] = 0;
	send_self(0xa5);
	g_sti();
	g_pause();
	G_CHECK_EQ(count[0xa5], 1);
	if (!virtual)
		G_CHECK_EQ(g_apic_read(0x180 + 0x50), 0);
	g_done(0);
}

static void level_eoi(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct vcpu *v = vcpu_new(vm, 0);
	struct kvm_irq_level irq = { .irq = 5 };
	u64 exits;

	vcpu_mode_long(v, level_guest, by_processor(vm));
	for (u32 i = 0; i < 2; i++) {
		irq.level = vcpu_expect_port(v, PORT_SAY);
		CHECK_OK(ioctl(v->vm->fd, KVM_IRQ_LINE, &irq));
	}
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	if (!by_processor(v->vm))
		return;
	exits = exits_of(v->vm, "EOI_INDUCED");
	EXPECT(exits >= 10, "%llu exits by EOI", (unsigned long long)exits);
}

/* ------------------------------------------------------------------ state through the ioctls */

GUEST static void state_guest(u64 arg)
{
	(void)arg;
	on(keeping_handler);
	g_say(0);
	g_sti();
	g_pause();
	G_CHECK_EQ(ordered, 1);
	G_CHECK_EQ(order[0], 0x61);	/* 45h and 52h wait for 50h */
	g_apic_write(APIC_EOI, 0);	/* 61h */
	g_pause();
	G_CHECK_EQ(ordered, 1);
	g_say(1);
	g_apic_write(APIC_EOI, 0);	/* 50h */
	g_pause();
	G_CHECK_EQ(ordered, 2);
	G_CHECK_EQ(order[1], 0x52);
	g_apic_write(APIC_EOI, 0);
	g_pause();
	G_CHECK_EQ(ordered, 3);
	G_CHECK_EQ(order[2], 0x45);
	g_say(2);
	for (int i = 0; i < 20; i++)
		g_pause();
	G_CHECK_EQ(ordered, 3);		/* what was pending has been taken away by KVM_SET_LAPIC */
	G_CHECK_EQ(g_apic_read(APIC_IRR + 0x30) | g_apic_read(APIC_ISR + 0x20), 0);
	g_done(0);
}

static u32 *lapic_word(struct kvm_lapic_state *s, u32 reg, u32 vector)
{
	return (u32 *)(s->regs + reg + vector / 32 * 0x10);
}

static void set_vector(struct kvm_lapic_state *s, u32 reg, u32 vector)
{
	*lapic_word(s, reg, vector) |= 1U << (vector & 31);
}

static void send_msi(struct vcpu *v, u32 vector)
{
	struct kvm_msi msi = { .address_lo = (u32)(APIC_BASE | (u32)v->id << 12), .data = vector };

	CHECK_OK(ioctl(v->vm->fd, KVM_SIGNAL_MSI, &msi));
}

static void state(void)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, state_guest, 0);
	struct kvm_lapic_state s, empty;

	vcpu_expect_port(v, PORT_SAY);
	CHECK_OK(ioctl(v->fd, KVM_GET_LAPIC, &s));
	empty = s;
	set_vector(&s, APIC_ISR, 0x50);
	set_vector(&s, APIC_IRR, 0x45);
	set_vector(&s, APIC_IRR, 0x52);
	set_vector(&s, APIC_IRR, 0x61);
	CHECK_OK(ioctl(v->fd, KVM_SET_LAPIC, &s));
	CHECK_OK(ioctl(v->fd, KVM_GET_LAPIC, &s));
	CHECK_EQ(*lapic_word(&s, APIC_IRR, 0x45), 1 << 5 | 1 << 0x12, "IRR");
	CHECK_EQ(*lapic_word(&s, APIC_PPR, 0), 0x50, "PPR");
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 1, "the guest's word");
	CHECK_OK(ioctl(v->fd, KVM_GET_LAPIC, &s));
	CHECK_EQ(*lapic_word(&s, APIC_ISR, 0x50), 1 << 0x10, "ISR in the middle");
	CHECK_EQ(*lapic_word(&s, APIC_IRR, 0x50), 1 << 5 | 1 << 0x12, "IRR in the middle");
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 2, "the guest's word");
	/* What a device has sent is in the state that is saved, and gone with the one that replaces it. */
	send_msi(v, 0x77);
	CHECK_OK(ioctl(v->fd, KVM_GET_LAPIC, &s));
	CHECK_EQ(*lapic_word(&s, APIC_IRR, 0x77), 1 << 0x17, "IRR after KVM_SIGNAL_MSI");
	send_msi(v, 0x78);
	CHECK_OK(ioctl(v->fd, KVM_SET_LAPIC, &empty));
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

/* ------------------------------------------------------------------ interrupts by others */

/* @arg: halts in between, or spins. */
GUEST static void kicked_guest(u64 halts)
{
	on(apic_handler);
	g_say(0);
	g_sti();
	while (!stop) {
		if (halts) {
			g_cli();
			if (!stop)
				g_sti_hlt();
			g_sti();
		} else {
			g_pause();
		}
	}
	g_done((u32)count[0x60]);
}

static void kicks(u64 halts)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, kicked_guest, halts);
	pthread_t thread;

	test_timeout(20);
	vcpu_expect_port(v, PORT_SAY);
	thread = vcpu_start(v);
	for (u64 i = 1; i <= KICKS; i++) {
		send_msi(v, 0x60);
		while (G(v->vm, count[0x60]) != i)
			sched_yield();
	}
	G(v->vm, stop) = 1;
	send_msi(v, 0x61);
	CHECK_EQ(vcpu_join(thread), KICKS, "interrupts");
}

static void kicks_running(void)
{
	kicks(0);
}

static void kicks_halted(void)
{
	kicks(1);
}

/* ------------------------------------------------------------------ the base */

GUEST static void base_guest(u64 arg)
{
	u64 base = g_rdmsr(0x1b);

	on(apic_handler);
	g_sti();
	send_self(0x60);
	while (count[0x60] != 1)
		g_pause();
	/* Elsewhere. What is at the old address now is the program's. */
	g_wrmsr(0x1b, (base & 0xfff) | MOVED_BASE);
	g_say(1);
	G_CHECK_EQ(g_read32(MOVED_BASE + APIC_SVR), 0x1ff);
	G_CHECK_EQ(g_apic_read(APIC_SVR), arg);
	g_wrmsr(0x1b, base);
	g_say(2);
	send_self(0x60);
	while (count[0x60] != 2)
		g_pause();
	/* Off: an interrupt is not taken. On again it is as after RESET. */
	g_wrmsr(0x1b, base & ~0x800UL);
	g_say(3);
	G_CHECK_EQ(g_apic_read(APIC_SVR), arg);
	g_wrmsr(0x1b, base);
	G_CHECK_EQ(g_apic_read(APIC_SVR), 0xff);
	g_say(4);
	g_done(0);
}

static void answer_mmio(struct vcpu *v, u32 value)
{
	vcpu_expect(v, KVM_EXIT_MMIO);
	CHECK_EQ(v->run->mmio.phys_addr, APIC_BASE + APIC_SVR, "the address");
	memcpy(v->run->mmio.data, &value, 4);
}

static void base(void)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, base_guest, 0x5a5a5a5a);
	bool hw = by_processor(v->vm);

	CHECK_OK(enable_cap(v->vm, KVM_CAP_DISABLE_QUIRKS2, KVM_X86_QUIRK_LAPIC_MMIO_HOLE));
	for (u32 step = 1; step <= 4; step++) {
		CHECK_EQ(vcpu_expect_port(v, PORT_SAY), step, "the step");
		EXPECT_EQ(by_processor(v->vm), hw && !(step & 1), "kept by the processor");
		if (step & 1)
			answer_mmio(v, 0x5a5a5a5a);
	}
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

/* A memslot at the APIC's address wins, before and after the APIC was used. */
GUEST static void slot_guest(u64 arg)
{
	(void)arg;
	on(apic_handler);
	g_say(1);
	G_CHECK_EQ(g_apic_read(APIC_SVR), 0x5eed);
	g_apic_write(APIC_TPR, 0x77);
	g_say(2);
	G_CHECK_EQ(g_apic_read(APIC_SVR), 0x1ff);
	G_CHECK_EQ(g_apic_read(APIC_TPR), 0);
	g_done(0);
}

static void slot_over_it(void)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, slot_guest, 0);
	u32 *mem = host_pages(PAGE_SIZE);

	if (!trace_read(v->vm, "apic"))
		skip("not vtx: KVM has a slot of its own there");
	mem[APIC_SVR / 4] = 0x5eed;
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 1, "the step");
	CHECK_OK(vm_slot(v->vm, 7, APIC_BASE, PAGE_SIZE, mem, 0));
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 2, "the step");
	CHECK_EQ(mem[APIC_TPR / 4], 0x77, "the slot's memory");
	CHECK_OK(vm_slot(v->vm, 7, APIC_BASE, 0, mem, 0));
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

static const struct test tests[] = {
	TEST(debugfs_line), TEST(registers), TEST(registers_x2apic), TEST(timer_registers), TEST(exits_xapic), TEST(exits_x2apic),
	TEST(exits_cr8), TEST(priorities), TEST(emulated_eoi), TEST(halted), TEST(level_eoi), TEST(state), TEST(kicks_running),
	TEST(kicks_halted), TEST(base), TEST(slot_over_it),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The interrupt controllers in the kernel: rules of creation, local APIC with its timer and IPIs, x2APIC mode, IOAPIC,
 * PIC, PIT, and their state through the ioctls.  Routing and eventfds are in test_irqfd.c.
 */
#include "lib/guest.h"
#include "lib/vm.h"

#define IOAPIC 0xfec00000UL

static volatile u64 count[256], order[16], ordered;

GUEST static void apic_handler(struct g_frame *frame)
{
	count[frame->vector & 255]++;
	if (ordered < 16)
		order[ordered++] = frame->vector;
	g_apic_write(APIC_EOI, 0);
}

static void creation_rules(void)
{
	struct vm *vm = vm_new(VM_NO_MEMORY);
	struct kvm_irqchip chip = { .chip_id = 0 };
	struct kvm_pit_config pit = { .flags = 0 };
	struct kvm_irq_level level = { .irq = 4, .level = 1 };
	struct kvm_pit_state2 ps;
	struct vm *bare;

	EXPECT_ERRNO(ioctl(vm->fd, KVM_GET_IRQCHIP, &chip), ENXIO);
	EXPECT_ERRNO(ioctl(vm->fd, KVM_SET_IRQCHIP, &chip), ENXIO);
	EXPECT_ERRNO(ioctl(vm->fd, KVM_IRQ_LINE, &level), ENXIO);
	EXPECT_ERRNO(ioctl(vm->fd, KVM_GET_PIT2, &ps), ENXIO);
	/* A PIT without irqchip: Linux 6.1 makes one, later kernels refuse; it must do no harm. */
	bare = vm_new(VM_NO_MEMORY);
	(void)!ioctl(bare->fd, KVM_CREATE_PIT2, &pit);
	(void)!ioctl(bare->fd, KVM_GET_PIT2, &ps);
	vm_free(bare);
	CHECK_OK(ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0));
	EXPECT_ERRNO(ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), EEXIST);
	EXPECT_ERRNO(ioctl(vm->fd, KVM_GET_PIT2, &ps), ENXIO);
	CHECK_OK(ioctl(vm->fd, KVM_CREATE_PIT2, &pit));
	EXPECT_ERRNO(ioctl(vm->fd, KVM_CREATE_PIT2, &pit), EEXIST);
	for (u32 id = 0; id < 3; id++) {
		chip.chip_id = id;
		CHECK_OK(ioctl(vm->fd, KVM_GET_IRQCHIP, &chip));
		CHECK_OK(ioctl(vm->fd, KVM_SET_IRQCHIP, &chip));
	}
	chip.chip_id = 3;
	EXPECT_ERRNO(ioctl(vm->fd, KVM_GET_IRQCHIP, &chip), EINVAL);
	EXPECT_ERRNO(ioctl(vm->fd, KVM_SET_IRQCHIP, &chip), EINVAL);
	CHECK_OK(ioctl(vm->fd, KVM_IRQ_LINE, &level));
	vm_free(vm);

	vm = vm_new(VM_NO_MEMORY);
	vcpu_new_bare(vm, 0);
	EXPECT_ERRNO(ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), EINVAL);
}

static void lapic_needs_irqchip(void)
{
	struct vcpu *v = vcpu_new(vm_new(VM_NO_MEMORY), 0);
	struct kvm_lapic_state state = { { 0 } };

	EXPECT_ERRNO(ioctl(v->fd, KVM_GET_LAPIC, &state), EINVAL);
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_LAPIC, &state), EINVAL);
}

/* Priorities: with interrupts off several gather, the highest vector is served first; TPR holds the lower back. */
GUEST static void priority_guest(u64 arg)
{
	(void)arg;
	for (int i = 0x40; i < 0x100; i++)
		g_handler[i] = apic_handler;
	g_apic_on();
	g_apic_write(APIC_ICR, 0x40061);
	g_apic_write(APIC_ICR, 0x40095);
	g_apic_write(APIC_ICR, 0x40042);
	g_apic_write(APIC_ICR, 0x40061);	/* twice the same is once */
	G_CHECK_EQ(g_apic_read(APIC_IRR + 0x20), 1 << 2);	/* 42h */
	G_CHECK_EQ(g_apic_read(APIC_IRR + 0x30), 1 << 1);	/* 61h */
	G_CHECK_EQ(g_apic_read(APIC_IRR + 0x40), 1 << 21);	/* 95h */
	g_apic_write(APIC_TPR, 0x50);
	G_CHECK_EQ(g_apic_read(APIC_PPR), 0x50);
	g_sti();
	g_pause();
	g_pause();
	G_CHECK_EQ(ordered, 2);
	G_CHECK_EQ(order[0], 0x95);
	G_CHECK_EQ(order[1], 0x61);
	G_CHECK_EQ(count[0x42], 0);
	g_apic_write(APIC_TPR, 0);
	g_pause();
	g_pause();
	G_CHECK_EQ(count[0x42], 1);
	G_CHECK_EQ(count[0x61], 1);
	G_CHECK_EQ(g_apic_read(APIC_IRR + 0x20) | g_apic_read(APIC_ISR + 0x20), 0);
	/* The shorthands: self, all including self. */
	g_apic_write(APIC_ICR, 0x80070);
	while (count[0x70] != 1)
		g_pause();
	/* A vector below 16 is an error, not an interrupt. */
	g_apic_write(APIC_ESR, 0);
	g_apic_write(APIC_LVTERR, 0xf3);
	g_apic_write(APIC_ICR, 0x40005);
	G_CHECK_EQ(count[5], 0);
	g_done(0);
}

static void lapic_priorities(void)
{
	guest_passes(VM_IRQCHIP, priority_guest, 0);
}

GUEST static void timer_guest(u64 how)
{
	g_handler[0x80] = apic_handler;
	g_apic_on();
	g_apic_write(APIC_TDCR, 0xb);	/* divide by 1 */
	g_sti();
	if (how == 0) {			/* one-shot */
		for (u64 i = 1; i <= 5; i++) {
			g_apic_write(APIC_LVTT, 0x80);
			g_apic_write(APIC_TMICT, 100000);
			while (count[0x80] != i)
				g_pause();
			G_CHECK_EQ(g_apic_read(APIC_TMCCT), 0);
		}
	} else if (how == 1) {		/* periodic, with HLT */
		g_apic_write(APIC_LVTT, 0x20080);
		g_apic_write(APIC_TMICT, 1000000);
		while (count[0x80] < 5) {
			g_cli();
			if (count[0x80] < 5)
				g_sti_hlt();
		}
		g_apic_write(APIC_LVTT, 0x10080);
		g_apic_write(APIC_TMICT, 0);
	} else if (how == 2) {		/* TSC deadline, and one already past */
		for (u64 i = 1; i <= 6; i++) {
			g_apic_write(APIC_LVTT, 0x40080);
			g_wrmsr(0x6e0, i == 6 ? 1 : g_rdtsc() + 200000);
			while (count[0x80] != i)
				g_pause();
			G_CHECK_EQ(g_rdmsr(0x6e0), 0);
		}
	} else {			/* masked: it counts, but nothing arrives */
		u32 first;

		g_apic_write(APIC_LVTT, 0x30080);
		g_apic_write(APIC_TMICT, 50000000);
		first = g_apic_read(APIC_TMCCT);
		while (g_apic_read(APIC_TMCCT) >= first)
			g_pause();
		G_CHECK_EQ(count[0x80], 0);
		G_CHECK_EQ(g_apic_read(APIC_TMICT), 50000000);
	}
	g_done(0);
}

static void timer_oneshot(void)
{
	guest_passes(VM_IRQCHIP, timer_guest, 0);
}

static void timer_periodic_hlt(void)
{
	guest_passes(VM_IRQCHIP, timer_guest, 1);
}

static void timer_tsc_deadline(void)
{
	if (dev_has(KVM_CAP_TSC_DEADLINE_TIMER) <= 0)
		skip("no TSC-deadline timer");
	guest_passes(VM_IRQCHIP, timer_guest, 2);
}

static void timer_masked(void)
{
	guest_passes(VM_IRQCHIP, timer_guest, 3);
}

GUEST static void x2apic_eoi(struct g_frame *frame)
{
	count[frame->vector & 255]++;
	g_wrmsr(0x80b, 0);
}

GUEST static void x2apic_guest(u64 arg)
{
	u64 base = g_rdmsr(0x1b);
	u32 lo, hi;

	(void)arg;
	g_handler[0x90] = x2apic_eoi;
	G_CHECK_EQ(base, 0xfee00900);
	G_CHECK_EQ(g_try_wrmsr(0x1b, (base & ~0x800UL) | 0x400), 13);	/* EXTD without EN */
	g_wrmsr(0x1b, base | 0x400);
	G_CHECK_EQ(g_rdmsr(0x1b), base | 0x400);
	G_CHECK_EQ(g_try_wrmsr(0x1b, base), 13);				/* not straight back to xAPIC */
	G_CHECK_EQ(g_rdmsr(0x802), 0);					/* the id */
	g_wrmsr(0x80f, 0x1ff);
	g_wrmsr(0x808, 0);
	g_sti();
	g_wrmsr(0x83f, 0x90);						/* self IPI */
	while (count[0x90] != 1)
		g_pause();
	g_wrmsr(0x830, 0x90);						/* physical destination 0 */
	while (count[0x90] != 2)
		g_pause();
	g_wrmsr(0x830, 0x40090);
	while (count[0x90] != 3)
		g_pause();
	G_CHECK_EQ(g_try_wrmsr(0x802, 1), 13);				/* read-only */
	G_CHECK_EQ(g_try_wrmsr(0x808, 0x100), 13);			/* reserved bits */
	G_CHECK_EQ(G_TRY("rdmsr", : "=a"(lo), "=d"(hi) : "c"(0x80e) : "memory"), 13);	/* no DFR */
	G_CHECK_EQ(G_TRY("rdmsr", : "=a"(lo), "=d"(hi) : "c"(0x831) : "memory"), 13);	/* no ICR2 */
	G_CHECK_EQ(G_TRY("rdmsr", : "=a"(lo), "=d"(hi) : "c"(0x83f) : "memory"), 13);	/* write-only */
	/* Off, and on again as xAPIC. */
	g_cli();
	g_wrmsr(0x1b, base & ~0xc00UL);
	g_wrmsr(0x1b, base);
	G_CHECK_EQ(g_apic_read(APIC_ID) >> 24, 0);
	g_done(0);
}

static void x2apic(void)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(cpuid_supported(), 1, 0);

	if (!e || !(e->ecx >> 21 & 1))
		skip("no x2APIC");
	guest_passes(VM_IRQCHIP, x2apic_guest, 0);
}

GUEST static void ioapic_write(u32 index, u32 value)
{
	g_write32(IOAPIC, index);
	g_write32(IOAPIC + 0x10, value);
}

GUEST static u32 ioapic_read(u32 index)
{
	g_write32(IOAPIC, index);
	return g_read32(IOAPIC + 0x10);
}

GUEST static void ioapic_guest(u64 arg)
{
	(void)arg;
	g_handler[0xa4] = apic_handler;
	g_handler[0xa5] = apic_handler;
	g_apic_on();
	G_CHECK_EQ(ioapic_read(1) >> 16 & 0xff, 23);
	G_CHECK_EQ(ioapic_read(0x10 + 8) & 0x10000, 0x10000);	/* masked after reset */
	ioapic_write(0x10 + 9, 0);
	ioapic_write(0x10 + 8, 0xa4);				/* pin 4: edge */
	ioapic_write(0x10 + 11, 0);
	ioapic_write(0x10 + 10, 0x80a5);			/* pin 5: level */
	g_sti();
	for (u64 i = 1; i <= 4; i++) {
		g_say(4);	/* the program gives an edge */
		while (count[0xa4] != i)
			g_pause();
	}
	g_say(5);		/* the program holds the level */
	while (count[0xa5] < 5)
		g_pause();
	g_say(6);		/* and lets go */
	g_cli();
	count[0xa5] = 0;
	g_sti();
	for (int i = 0; i < 100; i++)
		g_pause();
	G_CHECK(count[0xa5] <= 1);	/* one may have been on its way */
	ioapic_write(0x10 + 8, 0x100a4);
	g_say(7);		/* an edge while masked */
	for (int i = 0; i < 100; i++)
		g_pause();
	G_CHECK_EQ(count[0xa4], 4);
	g_done((u32)count[0xa4]);
}

static void line(struct vm *vm, u32 gsi, u32 level)
{
	struct kvm_irq_level irq = { .irq = gsi, .level = level };

	CHECK_OK(ioctl(vm->fd, KVM_IRQ_LINE, &irq));
}

static void ioapic_edge_and_level(void)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, ioapic_guest, 0);

	for (;;) {
		u32 word;

		vcpu_expect(v, KVM_EXIT_IO);
		if (v->run->io.port == PORT_DONE)
			break;
		word = *(u32 *)((u8 *)v->run + v->run->io.data_offset);
		if (word == 4 || word == 7) {
			line(v->vm, 4, 1);
			line(v->vm, 4, 0);
		} else {
			line(v->vm, 5, word == 5);
		}
	}
}

/* KVM_IRQ_LINE_STATUS tells whether an interrupt was delivered, coalesced or ignored. */
static void line_status(void)
{
	struct vcpu *v = vcpu_new(vm_new(VM_IRQCHIP), 0);
	struct kvm_irq_level irq = { .irq = 4, .level = 1 };

	CHECK_OK(ioctl(v->vm->fd, KVM_IRQ_LINE_STATUS, &irq));
	EXPECT(irq.status >= 0 && irq.status <= 1, "status %d", irq.status);
	irq.level = 0;
	CHECK_OK(ioctl(v->vm->fd, KVM_IRQ_LINE_STATUS, &irq));
	/* A line that does not exist is no error for KVM; nothing happens. */
	irq.irq = 4000;
	irq.level = 1;
	(void)!ioctl(v->vm->fd, KVM_IRQ_LINE_STATUS, &irq);
	irq.irq = 0xffffffff;
	(void)!ioctl(v->vm->fd, KVM_IRQ_LINE_STATUS, &irq);
}

GUEST static void pic_handler(struct g_frame *frame)
{
	count[frame->vector & 255]++;
	if (frame->vector >= 0x28)
		g_outb(0xa0, 0x20);
	g_outb(0x20, 0x20);
}

GUEST static void pic_setup(u8 master_mask, u8 slave_mask)
{
	for (int i = 0x20; i < 0x30; i++)
		g_handler[i] = pic_handler;
	g_pic_init();
	g_outb(0x21, master_mask);
	g_outb(0xa1, slave_mask);
	G_CHECK_EQ(g_inb(0x21), master_mask);
	G_CHECK_EQ(g_inb(0xa1), slave_mask);
	g_apic_on();
	g_apic_write(APIC_LVT0, 0x700);	/* ExtINT */
}

GUEST static void pic_guest(u64 arg)
{
	(void)arg;
	pic_setup((u8)~(1 << 4 | 1 << 2), (u8)~(1 << 1));
	g_sti();
	for (u64 i = 1; i <= 3; i++) {
		g_say(4);
		while (count[0x24] != i)
			g_pause();
		g_say(9);	/* on the slave */
		while (count[0x29] != i)
			g_pause();
	}
	g_say(3);	/* masked */
	for (int i = 0; i < 100; i++)
		g_pause();
	G_CHECK_EQ(count[0x23], 0);
	/* Halted: an interrupt of the PIC wakes it. */
	g_cli();
	g_say(4);
	g_sti_hlt();
	G_CHECK_EQ(count[0x24], 4);
	g_done(0);
}

static void pic_extint(void)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, pic_guest, 0);

	for (;;) {
		u32 word;

		vcpu_expect(v, KVM_EXIT_IO);
		if (v->run->io.port == PORT_DONE)
			break;
		word = vcpu_regs(v).rax & 0xffffffff;
		if (v->run->io.port != PORT_SAY) {
			note("guest line %llu: %#llx", (unsigned long long)G(v->vm, g_fail_line),
			     (unsigned long long)G(v->vm, g_fail_a));
			vcpu_fail(v, "unexpected exit");
		}
		line(v->vm, word, 1);
		line(v->vm, word, 0);
	}
}

GUEST static void pit_guest(u64 arg)
{
	u8 lo, hi;

	(void)arg;
	pic_setup((u8)~1, 0xff);
	g_outb(0x43, 0x34);	/* channel 0, both bytes, mode 2 */
	g_outb(0x40, 0x00);
	g_outb(0x40, 0x08);	/* 2048: about 1.7 ms */
	g_sti();
	while (count[0x20] < 3)
		g_pause();
	while (count[0x20] < 5) {
		g_cli();
		if (count[0x20] < 5)
			g_sti_hlt();
	}
	g_outb(0x43, 0x00);	/* latch */
	lo = g_inb(0x40);
	hi = g_inb(0x40);
	G_CHECK((hi << 8 | lo) <= 0x800);
	g_outb(0x43, 0x30);	/* mode 0 with nothing loaded: quiet */
	g_done(0);
}

static void pit_channel_0(void)
{
	guest_passes(VM_IRQCHIP | VM_PIT, pit_guest, 0);
}

static void lapic_state(void)
{
	struct vcpu *v = vcpu_new(vm_new(VM_IRQCHIP | VM_NO_MEMORY), 0);
	struct kvm_lapic_state in, out;

	CHECK_OK(ioctl(v->fd, KVM_GET_LAPIC, &in));
	EXPECT_EQ(*(u32 *)&in.regs[APIC_ID], 0, "the APIC id");
	EXPECT_EQ(*(u32 *)&in.regs[0x30] & 0xff, 0x14, "the APIC version");
	EXPECT_EQ(*(u32 *)&in.regs[APIC_SVR], 0xff, "SVR after reset");
	EXPECT_EQ(*(u32 *)&in.regs[APIC_LVTT], 0x10000, "LVTT after reset");
	*(u32 *)&in.regs[APIC_SVR] = 0x1ff;
	*(u32 *)&in.regs[APIC_LVT0] = 0x700;
	*(u32 *)&in.regs[APIC_LVT1] = 0x400;
	*(u32 *)&in.regs[APIC_TPR] = 0x20;
	*(u32 *)&in.regs[APIC_IRR + 0x20] = 0x100;
	CHECK_OK(ioctl(v->fd, KVM_SET_LAPIC, &in));
	memset(&out, 0xa5, sizeof(out));
	CHECK_OK(ioctl(v->fd, KVM_GET_LAPIC, &out));
	EXPECT_EQ(*(u32 *)&out.regs[APIC_SVR], 0x1ff, "SVR");
	EXPECT_EQ(*(u32 *)&out.regs[APIC_LVT0], 0x700, "LVT0");
	EXPECT_EQ(*(u32 *)&out.regs[APIC_LVT1], 0x400, "LVT1");
	EXPECT_EQ(*(u32 *)&out.regs[APIC_TPR], 0x20, "TPR");
	EXPECT_EQ(*(u32 *)&out.regs[APIC_IRR + 0x20], 0x100, "IRR");
}

static void pit_state(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP | VM_PIT | VM_NO_MEMORY);
	struct kvm_pit_state2 in, out;

	CHECK_OK(ioctl(vm->fd, KVM_GET_PIT2, &in));
	in.channels[0].count = 0x1234;
	in.channels[0].mode = 2;
	in.channels[2].count = 0x4321;
	in.channels[2].gate = 1;
	CHECK_OK(ioctl(vm->fd, KVM_SET_PIT2, &in));
	CHECK_OK(ioctl(vm->fd, KVM_GET_PIT2, &out));
	EXPECT_EQ(out.channels[0].count, 0x1234, "channel 0's count");
	EXPECT_EQ(out.channels[0].mode, 2, "channel 0's mode");
	EXPECT_EQ(out.channels[2].count, 0x4321, "channel 2's count");
}

GUEST static void touch_guest(u64 arg)
{
	(void)arg;
	g_apic_read(APIC_TMCCT);
	ioapic_read(0x10);
	for (u16 port = 0x40; port < 0x44; port++) {
		g_outb(port, 0);
		g_inb(port);
	}
	g_outb(0x20, 0x0b);
	g_inb(0x20);
	g_done(0);
}

/* States of zeros, ones and patterns: whatever they mean, nobody divides by zero or runs away (bug class 56). */
static void hostile_states(void)
{
	static const u8 fills[] = { 0, 0xff, 0x55, 0x80, 1 };

	for (size_t i = 0; i < ARRAY_SIZE(fills); i++) {
		struct vcpu *v = guest_new(VM_IRQCHIP | VM_PIT, touch_guest, 0);
		struct kvm_lapic_state lapic;
		struct kvm_pit_state2 pit;
		struct kvm_irqchip chip;

		memset(&lapic, fills[i], sizeof(lapic));
		memset(&pit, fills[i], sizeof(pit));
		(void)!ioctl(v->vm->fd, KVM_SET_PIT2, &pit);
		for (u32 id = 0; id < 3; id++) {
			memset(&chip, fills[i], sizeof(chip));
			chip.chip_id = id;
			(void)!ioctl(v->vm->fd, KVM_SET_IRQCHIP, &chip);
		}
		(void)!ioctl(v->fd, KVM_SET_LAPIC, &lapic);
		v->run->immediate_exit = 0;
		for (int k = 0; k < 3; k++)
			if (ioctl(v->fd, KVM_RUN, 0) || v->run->exit_reason != KVM_EXIT_IO)
				break;
		vm_free(v->vm);
		vcpu_free(v);
	}
	guest_passes(VM_IRQCHIP | VM_PIT, touch_guest, 0);
}

static const struct test tests[] = {
	TEST(creation_rules), TEST(lapic_needs_irqchip), TEST(lapic_priorities), TEST(timer_oneshot),
	TEST(timer_periodic_hlt), TEST(timer_tsc_deadline), TEST(timer_masked), TEST(x2apic),
	TEST(ioapic_edge_and_level), TEST(line_status), TEST(pic_extint), TEST(pit_channel_0), TEST(lapic_state),
	TEST(pit_state), TEST(hostile_states),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

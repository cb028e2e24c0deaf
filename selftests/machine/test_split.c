// SPDX-License-Identifier: GPL-2.0-only
/*
 * The split irqchip, KVM_CAP_SPLIT_IRQCHIP: local APICs in the kernel, PIC and IOAPIC in the program. MSI routes, the exits that
 * tell of an EOI, and KVM_INTERRUPT as the PIC's vector through LINT0.
 */
#include <signal.h>

#include "lib/differs.h"
#include "lib/guest.h"
#include "lib/irq.h"

static volatile u64 count[256], eoi_by_msr;

GUEST static void handler(struct g_frame *frame)
{
	count[frame->vector & 255]++;
	if (eoi_by_msr)
		g_wrmsr(0x80b, 0);
	else
		g_apic_write(APIC_EOI, 0);
}

/* ------------------------------------------------------------------ what there is and what not */

static void creation(void)
{
	struct vm *vm = vm_new(VM_NO_MEMORY), *full = vm_new(VM_NO_MEMORY | VM_IRQCHIP), *late = vm_new(VM_NO_MEMORY);
	struct kvm_lapic_state lapic;
	struct kvm_mp_state mp;
	struct vcpu *ap;

	CHECK(dev_has(KVM_CAP_SPLIT_IRQCHIP) == 1, "KVM_CAP_SPLIT_IRQCHIP");
	EXPECT_ERRNO(enable_cap(vm, KVM_CAP_SPLIT_IRQCHIP, 4097), EINVAL);
	EXPECT_ERRNO(enable_cap(vm, KVM_CAP_SPLIT_IRQCHIP, ~0ULL), EINVAL);
	EXPECT_ERRNO(enable_cap(full, KVM_CAP_SPLIT_IRQCHIP, 24), EEXIST);
	vcpu_new_bare(late, 0);
	EXPECT_ERRNO(enable_cap(late, KVM_CAP_SPLIT_IRQCHIP, 24), EEXIST);
	CHECK_OK(enable_cap(vm, KVM_CAP_SPLIT_IRQCHIP, 24));
	EXPECT_ERRNO(enable_cap(vm, KVM_CAP_SPLIT_IRQCHIP, 24), EEXIST);
	EXPECT_ERRNO(ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), EEXIST);
	CHECK_OK(enable_cap(vm_new(VM_NO_MEMORY), KVM_CAP_SPLIT_IRQCHIP, 0));
	CHECK_OK(enable_cap(vm_new(VM_NO_MEMORY), KVM_CAP_SPLIT_IRQCHIP, 4096));
	CHECK_OK(ioctl(vcpu_new(vm, 0)->fd, KVM_GET_LAPIC, &lapic));
	ap = vcpu_new(vm, 1);
	CHECK_OK(ioctl(ap->fd, KVM_GET_MP_STATE, &mp));
	EXPECT_EQ(mp.mp_state, KVM_MP_STATE_UNINITIALIZED, "mp_state");
}

/* Everything that is about a PIC, IOAPIC or PIT in the kernel. */
static void refused(void)
{
	struct vm *vm = vm_new(VM_NO_MEMORY | VM_SPLIT);
	const struct kvm_irq_routing_entry chip = CHIP_ROUTE(1, KVM_IRQCHIP_IOAPIC, 1);
	struct kvm_reinject_control reinject = { 0 };
	struct kvm_irqchip irqchip = { 0 };
	struct kvm_pit_config pit = { 0 };
	struct kvm_pit_state2 state;
	int fd = event();

	EXPECT_ERRNO(ioctl(vm->fd, KVM_GET_IRQCHIP, &irqchip), ENXIO);
	EXPECT_ERRNO(ioctl(vm->fd, KVM_SET_IRQCHIP, &irqchip), ENXIO);
	EXPECT_ERRNO(ioctl(vm->fd, KVM_GET_PIT2, &state), ENXIO);
	if (device_kind() != DEVICE_KVM_INTEL) /* 6.1 creates it, 6.12 does not */
		EXPECT_ERRNO(ioctl(vm->fd, KVM_CREATE_PIT2, &pit), ENOENT);
	EXPECT_ERRNO(ioctl(vm->fd, KVM_REINJECT_CONTROL, &reinject), ENXIO);
	EXPECT_ERRNO(routing(vm, &chip, 1, 0), EINVAL);
	EXPECT_ERRNO(irqfd_resample(vm, fd, 5, event()), EINVAL);
	CHECK_OK(irqfd(vm, fd, 5, 0));
	line(vm, 5, 1);		/* there are no routes at first: goes nowhere */
	kick(fd);
}

/* ------------------------------------------------------------------ every call in every state (bug-classes 62) */

/* Big enough for what any of them reads and writes. */
static u8 argument[4096];

static int at_vm(struct vcpu *v, unsigned long cmd)
{
	return ioctl(v->vm->fd, cmd, argument);
}

static int at_vcpu(struct vcpu *v, unsigned long cmd)
{
	return ioctl(v->fd, cmd, argument);
}

/* What zeros as the argument give: 0, or an errno. States: nothing in the kernel, split, full, full with PIT. */
static const struct {
	const char *name;
	int (*at)(struct vcpu *v, unsigned long cmd);
	unsigned long cmd;
	int want[4];
} calls[] = {
#define CALL(at, cmd, ...) { #cmd, at, cmd, { __VA_ARGS__ } }
	CALL(at_vm, KVM_GET_IRQCHIP, ENXIO, ENXIO, 0, 0), CALL(at_vm, KVM_SET_IRQCHIP, ENXIO, ENXIO, 0, 0),
	CALL(at_vm, KVM_GET_PIT, ENXIO, ENXIO, ENXIO, 0), CALL(at_vm, KVM_SET_PIT, ENXIO, ENXIO, ENXIO, 0),
	CALL(at_vm, KVM_GET_PIT2, ENXIO, ENXIO, ENXIO, 0), CALL(at_vm, KVM_SET_PIT2, ENXIO, ENXIO, ENXIO, 0),
	CALL(at_vm, KVM_REINJECT_CONTROL, ENXIO, ENXIO, ENXIO, 0), CALL(at_vm, KVM_IRQ_LINE, ENXIO, 0, 0, 0),
	CALL(at_vm, KVM_IRQ_LINE_STATUS, ENXIO, 0, 0, 0), CALL(at_vm, KVM_SET_GSI_ROUTING, EINVAL, 0, 0, 0),
	CALL(at_vcpu, KVM_GET_LAPIC, EINVAL, 0, 0, 0), CALL(at_vcpu, KVM_SET_LAPIC, EINVAL, 0, 0, 0),
	CALL(at_vcpu, KVM_INTERRUPT, 0, 0, ENXIO, ENXIO), CALL(at_vcpu, KVM_NMI, 0, 0, 0, 0),
	CALL(at_vcpu, KVM_GET_VCPU_EVENTS, 0, 0, 0, 0), CALL(at_vcpu, KVM_SET_VCPU_EVENTS, 0, 0, 0, 0),
	CALL(at_vcpu, KVM_GET_MP_STATE, 0, 0, 0, 0), CALL(at_vcpu, KVM_SET_MP_STATE, 0, 0, 0, 0),
	CALL(at_vm, KVM_CREATE_IRQCHIP, EINVAL, EEXIST, EEXIST, EEXIST),
};

static void every_state(void)
{
	static const unsigned int states[4] = { 0, VM_SPLIT, VM_IRQCHIP, VM_IRQCHIP | VM_PIT };

	for (int s = 0; s < 4; s++) {
		struct vcpu *v = vcpu_new(vm_new(VM_NO_MEMORY | states[s]), 0);

		for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
			int got;

			memset(argument, 0, sizeof(argument));
			errno = 0;
			got = calls[i].at(v, calls[i].cmd) < 0 ? errno : 0;
			EXPECT(got == calls[i].want[s], "%s in state %d: errno %d, expected %d", calls[i].name, s, got,
			       calls[i].want[s]);
		}
		vm_free(v->vm);
		vcpu_free(v);
	}
}

/* ------------------------------------------------------------------ interrupts and their ends */

#define EDGE 0x61		/* GSI 2 */
#define LEVEL 0x72		/* GSI 5 */
#define LEVEL_BEYOND 0x83	/* GSI 24: not reserved */

static const struct kvm_irq_routing_entry routes[] = {
	MSI_ROUTE(2, EDGE), MSI_ROUTE(5, LEVEL | MSI_LEVEL), MSI_ROUTE(24, LEVEL_BEYOND | MSI_LEVEL),
};

/* Says its rounds; the program interrupts, and the guest goes on when one has come. */
GUEST static void rounds_guest(u64 rounds)
{
	for (int i = 0x40; i < 0x100; i++)
		g_handler[i] = handler;
	g_apic_on();
	if (eoi_by_msr)
		g_wrmsr(0x1b, g_rdmsr(0x1b) | 0x400);
	g_sti();
	for (u64 i = 1; i <= rounds; i++) {
		g_say((u32)i);
		while (count[EDGE] + count[LEVEL] + count[LEVEL_BEYOND] < i)
			g_pause();
	}
	g_done(0);
}

static void expect_eoi(struct vcpu *v, u8 vector)
{
	vcpu_expect(v, KVM_EXIT_IOAPIC_EOI);
	EXPECT_EQ(v->run->eoi.vector, vector, "the vector that ended");
}

static void rounds(u64 by_msr)
{
	struct vcpu *v = guest_new(VM_SPLIT, rounds_guest, 8);
	int fd = event(), level = event();

	G(v->vm, eoi_by_msr) = by_msr;
	CHECK_OK(routing(v->vm, routes, 3, 0));
	CHECK_OK(irqfd(v->vm, fd, 2, 0));
	CHECK_OK(irqfd(v->vm, level, 5, 0));
	vcpu_expect_port(v, PORT_SAY);
	line(v->vm, 2, 1);				/* edge: no exit */
	line(v->vm, 2, 0);
	vcpu_expect_port(v, PORT_SAY);
	kick(fd);
	vcpu_expect_port(v, PORT_SAY);
	line(v->vm, 5, 1);				/* level */
	expect_eoi(v, LEVEL);
	EXPECT_EQ(G(v->vm, count[LEVEL]), 1, "the interrupts when the exit comes");
	vcpu_expect_port(v, PORT_SAY);
	kick(level);
	expect_eoi(v, LEVEL);
	vcpu_expect_port(v, PORT_SAY);
	line(v->vm, 24, 1);				/* level, not the IOAPIC's */
	vcpu_expect_port(v, PORT_SAY);
	CHECK_EQ(msi(v->vm, 0xfee00000, 0, EDGE), 1, "KVM_SIGNAL_MSI");
	vcpu_expect_port(v, PORT_SAY);
	CHECK_EQ(msi(v->vm, 0xfee00000, 0, LEVEL | MSI_LEVEL), 1, "KVM_SIGNAL_MSI");
	expect_eoi(v, LEVEL);
	vcpu_expect_port(v, PORT_SAY);
	CHECK_OK(routing(v->vm, NULL, 0, 0));
	line(v->vm, 5, 1);				/* no route any more */
	CHECK_EQ(msi(v->vm, 0xfee00000, 0, LEVEL | MSI_LEVEL), 1, "KVM_SIGNAL_MSI");
	CHECK_EQ(vcpu_finish(v), 0, "the result");	/* and so no exit */
}

static void eoi_by_mmio(void)
{
	rounds(0);
}

static void eoi_by_x2apic(void)
{
	rounds(1);
}

/* The level-triggered vector comes as an edge, too: its end is not the IOAPIC's business (SDM vol. 3, 11.8.5). */
static void eoi_of_edge(void)
{
	struct vcpu *v = guest_new(VM_SPLIT, rounds_guest, 2);

	CHECK_OK(routing(v->vm, routes, 3, 0));
	vcpu_expect_port(v, PORT_SAY);
	CHECK_EQ(msi(v->vm, 0xfee00000, 0, LEVEL), 1, "KVM_SIGNAL_MSI");
	vcpu_expect_port(v, PORT_SAY);
	line(v->vm, 5, 1);
	expect_eoi(v, LEVEL);
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

GUEST static void saying_handler(struct g_frame *frame)
{
	g_say(0x5e);
	handler(frame);
}

GUEST static void reroute_guest(u64 arg)
{
	(void)arg;
	g_handler[LEVEL] = saying_handler;
	g_apic_on();
	g_sti();
	g_say(0);
	while (!count[LEVEL])
		g_pause();
	g_done(0);
}

/* The route goes elsewhere while its interrupt is served, or waits: the end must be told all the same, or the pin is stuck. */
static void eoi_after_reroute(void)
{
	const struct kvm_irq_routing_entry other = MSI_ROUTE(5, 0x99 | MSI_LEVEL);

	for (int waits = 0; waits < 2; waits++) {
		struct vcpu *v = guest_new(VM_SPLIT, reroute_guest, 0);

		CHECK_OK(routing(v->vm, routes, 3, 0));
		vcpu_expect_port(v, PORT_SAY);
		line(v->vm, 5, 1);
		if (waits)
			CHECK_OK(routing(v->vm, &other, 1, 0));
		CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 0x5e, "the handler's word");
		if (!waits)
			CHECK_OK(routing(v->vm, &other, 1, 0));
		expect_eoi(v, LEVEL);
		CHECK_EQ(vcpu_finish(v), 0, "the result");
		vm_free(v->vm);
		vcpu_free(v);
	}
}

/* ------------------------------------------------------------------ the PIC's vector */

static int interrupt(struct vcpu *v, u32 vector)
{
	struct kvm_interrupt irq = { .irq = vector };

	return ioctl(v->fd, KVM_INTERRUPT, &irq);
}

GUEST static void extint_handler(struct g_frame *frame)
{
	count[frame->vector & 255]++;	/* no EOI: the PIC's interrupts are not in the local APIC's ISR */
}

GUEST static void extint_guest(u64 arg)
{
	(void)arg;
	g_handler[0x30] = extint_handler;
	g_apic_write(APIC_SVR, 0x1ff);
	g_apic_write(APIC_LVT0, 0x700);		/* ExtINT */
	g_cli();
	g_say(1);				/* the vector is given here, with interrupts off */
	for (int i = 0; i < 10; i++)
		g_pause();
	G_CHECK_EQ(count[0x30], 0);
	asm volatile("sti\n\tnop\n\tnop\n\tcli" : : : "memory");
	G_CHECK_EQ(count[0x30], 1);
	g_say(2);				/* a window is asked for */
	asm volatile("sti\n\tnop\n\tnop\n\tcli" : : : "memory");
	G_CHECK_EQ(count[0x30], 2);
	g_apic_write(APIC_LVT0, 0x10700);	/* masked */
	g_sti();
	g_say(3);				/* both, in vain */
	for (int i = 0; i < 10; i++)
		g_pause();
	G_CHECK_EQ(count[0x30], 2);
	g_say(4);
	g_apic_write(APIC_LVT0, 0x700);
	g_pause();
	G_CHECK_EQ(count[0x30], 3);
	g_apic_write(APIC_LVT0, 0x400);		/* NMI: not ExtINT */
	g_say(5);
	g_apic_write(APIC_LVT0, 0x700);		/* the window opens here */
	g_pause();
	G_CHECK_EQ(count[0x30], 4);
	g_apic_write(APIC_TPR, 0xf0);		/* the priority does not hold up the PIC */
	g_say(6);
	g_pause();
	G_CHECK_EQ(count[0x30], 5);
	for (int w = 0; w < 8; w++)
		G_CHECK_EQ(g_apic_read(APIC_ISR + w * 0x10), 0);
	g_done(0);
}

static void extint(void)
{
	struct vcpu *v = guest_new(VM_SPLIT, extint_guest, 0);
	struct kvm_run *run = v->run;

	EXPECT_ERRNO(interrupt(v, 256), EINVAL);
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 1, "the step");
	EXPECT_EQ(run->ready_for_interrupt_injection, 0, "ready with interrupts off");
	CHECK_OK(interrupt(v, 0x30));
	EXPECT_ERRNO(interrupt(v, 0x31), EEXIST);
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 2, "the step");
	run->request_interrupt_window = 1;
	vcpu_expect(v, KVM_EXIT_IRQ_WINDOW_OPEN);
	EXPECT_EQ(run->ready_for_interrupt_injection, 1, "ready in the window");
	EXPECT_EQ(run->if_flag, 1, "if_flag in the window");
	run->request_interrupt_window = 0;
	CHECK_OK(interrupt(v, 0x30));
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 3, "the step");
	EXPECT_EQ(run->if_flag, 1, "if_flag");
	EXPECT_EQ(run->ready_for_interrupt_injection, 0, "ready with LINT0 masked");
	run->request_interrupt_window = 1;
	CHECK_OK(interrupt(v, 0x30));
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 4, "the step");
	EXPECT_ERRNO(interrupt(v, 0x30), EEXIST);
	run->request_interrupt_window = 0;
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 5, "the step");
	run->request_interrupt_window = 1;
	vcpu_expect(v, KVM_EXIT_IRQ_WINDOW_OPEN);
	run->request_interrupt_window = 0;
	CHECK_OK(interrupt(v, 0x30));
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 6, "the step");
	EXPECT_EQ(run->ready_for_interrupt_injection, 1, "ready at priority f0");
	CHECK_OK(interrupt(v, 0x30));
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

GUEST static void halt_guest(u64 rounds)
{
	g_handler[0x30] = extint_handler;
	g_apic_write(APIC_SVR, 0x1ff);
	g_apic_write(APIC_LVT0, 0x700);
	for (u64 i = 1; i <= rounds; i++) {
		g_cli();
		while (count[0x30] < i)
			asm volatile("sti\n\thlt\n\tcli" : : : "memory");
	}
	g_done((u32)count[0x30]);
}

static volatile bool over;

static void *pester(void *arg)
{
	while (!over) {
		usleep(500);
		pthread_kill(*(pthread_t *)arg, SIGUSR1);
	}
	return NULL;
}

/* HLT is the kernel's; the program gets its vCPU back by a signal, gives the vector, and the guest goes on. */
static void extint_ends_hlt(void)
{
	struct vcpu *v = guest_new(VM_SPLIT, halt_guest, 20);
	pthread_t self = pthread_self(), thread;
	int given = 0;

	quiet_signal();
	CHECK(!pthread_create(&thread, NULL, pester, &self), "pthread_create");
	for (;;) {
		if (!ioctl(v->fd, KVM_RUN, 0))
			break;
		CHECK(errno == EINTR, "KVM_RUN: %s", strerror(errno));
		if (v->run->ready_for_interrupt_injection && given < 20) {
			CHECK_OK(interrupt(v, 0x30));
			given++;
		}
	}
	CHECK_EQ(v->run->exit_reason, KVM_EXIT_IO, "the exit");
	EXPECT_EQ(*(u32 *)((u8 *)v->run + v->run->io.data_offset), 20, "the interrupts");
	EXPECT_EQ(given, 20, "the vectors given");
	over = true;
	pthread_join(thread, NULL);
}

/* KVM_INTERRUPT's vector is the PIC's, not the CPU's: it is not in the state, and setting the state does not take it away. */
static void extint_and_state(void)
{
	struct vcpu *v = guest_new(VM_SPLIT, extint_guest, 0);
	struct kvm_vcpu_events events;
	struct kvm_sregs sregs;

	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 1, "the step");
	CHECK_OK(interrupt(v, 0x30));
	CHECK_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &events));
	EXPECT_EQ(events.interrupt.injected, 0, "interrupt.injected");
	CHECK_OK(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &events));
	sregs = vcpu_sregs(v);
	EXPECT_EQ(sregs.interrupt_bitmap[0], 0, "interrupt_bitmap");
	CHECK_OK(ioctl(v->fd, KVM_SET_SREGS, &sregs));
	EXPECT_ERRNO(interrupt(v, 0x30), EEXIST);
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 2, "the step");
}

static const struct test tests[] = {
	TEST(creation), TEST(refused), TEST(every_state), TEST(eoi_by_mmio), TEST(eoi_by_x2apic), TEST(eoi_of_edge), TEST(eoi_after_reroute),
	TEST(extint), TEST(extint_ends_hlt), TEST(extint_and_state),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

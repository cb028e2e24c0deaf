// SPDX-License-Identifier: GPL-2.0-only
/*
 * The livelock detector: each of its findings made to happen, seen in the VM's debugfs file `diagnosis` and in the kernel's log; and
 * guests that come close without deserving one.
 */
#include <stdlib.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/module.h"
#include "lib/trace.h"
#include "lib/vm.h"

#define REPEATS 10000		/* of an EPT violation */
#define LONG_US 2300000		/* longer than an interrupt may wait */

static const char *diagnosis(struct vm *vm)
{
	static char text[8192];
	char *file = trace_read(vm, "diagnosis");

	CHECK(file, "diagnosis cannot be read");
	snprintf(text, sizeof(text), "%s", file);
	free(file);
	return text;
}

static bool found(struct vm *vm, const char *what)
{
	char want[32];

	snprintf(want, sizeof(want), "\n%s ", what);
	return strstr(diagnosis(vm), want);
}

static void wait_for(struct vm *vm, const char *what)
{
	while (!found(vm, what))
		usleep(1000);
}

/* KVM_NMI would wait until the vCPU is back; a message does not. */
static void send_nmi(struct vcpu *v)
{
	struct kvm_msi msi = { .address_lo = (u32)(APIC_BASE | (u32)v->id << 12), .data = 0x400 };

	CHECK_OK(ioctl(v->vm->fd, KVM_SIGNAL_MSI, &msi));
}

/* ------------------------------------------------------------------ all halted */

static volatile u64 deaf_rip[2];

GUEST static void on_nmi(struct g_frame *frame)
{
	(void)frame;
}

GUEST static void deaf_guest(u64 number)
{
	g_handler[2] = on_nmi;
	g_cli();
	g_outl(PORT_SAY, 0);
	asm volatile("movq $1f, %0\n\thlt\n1:" : "=m"(deaf_rip[number]) : : "memory");
	g_done(0);
}

static void all_halted(void)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, deaf_guest, 0);
	unsigned long long rip;
	pthread_t thread;

	vcpu_expect_port(v, PORT_SAY);
	EXPECT_EQ(diagnosis(v->vm)[0], 0, "a diagnosis too early");
	thread = vcpu_start(v);
	wait_for(v->vm, "halted");
	CHECK(sscanf(strchr(diagnosis(v->vm), '\n'), "\nhalted 0 %llx", &rip) == 1, "%s", diagnosis(v->vm));
	EXPECT_EQ(rip, G(v->vm, deaf_rip)[0], "RIP");
	EXPECT(strstr(kernel_log(), "all vCPUs of the VM are halted with interrupts off"), "nothing in the log");
	/* Reported, not acted on: an NMI still wakes it. */
	send_nmi(v);
	CHECK_EQ(vcpu_join(thread), 0, "the result");
}

/* One of two is not all; then the other halts as well. */
static void two_halted(void)
{
	struct vcpu *a = guest_new(VM_IRQCHIP, deaf_guest, 0), *b = vcpu_new(a->vm, 1);
	pthread_t first, second;

	vcpu_mode_long(b, deaf_guest, 1);
	set_mp_state(b, KVM_MP_STATE_RUNNABLE);
	vcpu_expect_port(a, PORT_SAY);
	vcpu_expect_port(b, PORT_SAY);
	first = vcpu_start(a);
	usleep(20000);
	EXPECT_EQ(diagnosis(a->vm)[0], 0, "a diagnosis while one vCPU is awake");
	second = vcpu_start(b);
	wait_for(a->vm, "halted");
	send_nmi(a);
	send_nmi(b);
	CHECK_EQ(vcpu_join(first), 0, "the result");
	CHECK_EQ(vcpu_join(second), 0, "the result of the second");
}

GUEST static void idle_guest(u64 arg)
{
	(void)arg;
	g_handler[2] = on_nmi;
	g_apic_on();
	g_sti_hlt();
	g_done(0);
}

static void idle_is_fine(void)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, idle_guest, 0);
	pthread_t thread = vcpu_start(v);

	usleep(50000);
	send_nmi(v);
	CHECK_EQ(vcpu_join(thread), 0, "the result");
	EXPECT_EQ(diagnosis(v->vm)[0], 0, "a diagnosis");
}

/* ------------------------------------------------------------------ the same EPT violation */

extern const u8 touch_again[];

/* Writes the page again and again; with @step a register shows that it gets on. */
GUEST static void touch_guest(u64 step)
{
	asm volatile("xor %%ecx, %%ecx\n"
		     "1:	.globl touch_again\ntouch_again: movl %%eax, (%0)\n"
		     "	outl %%eax, %%dx\n	addq %1, %%rcx\n	jmp 1b\n"
		     : : "r"((u64)GUEST_FREE), "r"(step), "a"(5), "d"(PORT_SAY) : "rcx", "memory");
}

static struct vcpu *zapped(u64 step, unsigned int times)
{
	struct vcpu *v = guest_new(VM_SHARED, touch_guest, step);

	for (unsigned int i = 0; i < times; i++) {
		CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 5, "the word");
		vm_zap(v->vm, GUEST_FREE, PAGE_SIZE);
	}
	return v;
}

static void same_violation(void)
{
	unsigned long long rip, page;
	struct vcpu *v;

	test_timeout(12);
	v = zapped(0, REPEATS - 1);
	EXPECT_EQ(diagnosis(v->vm)[0], 0, "a diagnosis too early");
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 5, "the word");
	CHECK(strchr(diagnosis(v->vm), '\n'), "no diagnosis");
	CHECK(sscanf(strchr(diagnosis(v->vm), '\n'), "\nept 0 %llx %*s 1 %llx", &rip, &page) == 2, "%s", diagnosis(v->vm));
	EXPECT_EQ(rip, (uintptr_t)touch_again, "RIP");
	EXPECT_EQ(page, GUEST_FREE >> 12, "the page");
}

static void violations_that_get_on(void)
{
	struct vcpu *v;

	test_timeout(12);
	v = zapped(1, REPEATS + 100);
	EXPECT_EQ(diagnosis(v->vm)[0], 0, "a diagnosis");
}

/* ------------------------------------------------------------------ a window that stays closed */

GUEST static void closed_guest(u64 halts)
{
	g_handler[2] = on_nmi;
	g_apic_on();
	g_cli();
	g_apic_write(APIC_ICR, 0x40060);	/* self, vector 60h */
	g_say(1);
	if (halts)
		asm volatile("hlt" : : : "memory");
	g_done(2);
}

static void closed_window(void)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, closed_guest, 1);
	pthread_t thread;

	test_timeout(12);
	vcpu_expect_port(v, PORT_SAY);
	thread = vcpu_start(v);
	wait_for(v->vm, "halted");
	EXPECT(!found(v->vm, "window"), "too early: %s", diagnosis(v->vm));
	usleep(LONG_US);
	send_nmi(v);
	CHECK_EQ(vcpu_join(thread), 2, "the result");
	EXPECT(found(v->vm, "window"), "diagnosis: %s", diagnosis(v->vm));
	EXPECT(strstr(kernel_log(), "an interrupt waits"), "nothing in the log");
}

/* Time in user space is not the guest's. */
static void stopped_guest(void)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, closed_guest, 0);

	test_timeout(12);
	vcpu_expect_port(v, PORT_SAY);
	usleep(LONG_US);
	CHECK_EQ(vcpu_finish(v), 2, "the result");
	EXPECT_EQ(diagnosis(v->vm)[0], 0, "a diagnosis");
}

/* ------------------------------------------------------------------ the list */

/* The list is bounded, keeps the last, and says how many there were. */
static void many_findings(void)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, deaf_guest, 0);
	unsigned long long total = 0;
	unsigned int lines = 0;
	const char *p;

	G(v->vm, g_handler)[2] = on_nmi;
	for (u64 i = 0; i < 20; i++) {
		struct kvm_regs regs = vcpu_regs(v);
		pthread_t thread;
		char want[64];

		/* HLT at another address each time. */
		memcpy(v->vm->mem + GUEST_SCRATCH + 16 * i, "\xfa\xf4\xef", 3);	/* cli; hlt; out %eax, %dx */
		regs.rdx = PORT_DONE;
		regs.rip = GUEST_SCRATCH + 16 * i;
		vcpu_set_regs(v, &regs);
		snprintf(want, sizeof(want), "halted 0 %#llx ", regs.rip + 2);
		thread = vcpu_start(v);
		while (!strstr(diagnosis(v->vm), want))
			usleep(1000);
		send_nmi(v);
		vcpu_join(thread);
	}
	for (p = diagnosis(v->vm); (p = strchr(p, '\n')) && p[1]; p++)
		lines++;
	EXPECT_EQ(lines, 16, "the lines");
	p = strchr(diagnosis(v->vm), ';');
	EXPECT(p && sscanf(p, "; %llu in all", &total) == 1 && total == 20, "%s", diagnosis(v->vm));
}

static const struct test tests[] = {
	TEST(all_halted), TEST(two_halted), TEST(idle_is_fine), TEST(same_violation), TEST(violations_that_get_on), TEST(closed_window),
	TEST(stopped_guest), TEST(many_findings),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

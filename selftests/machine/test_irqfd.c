// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts from outside: GSI routing and its default, KVM_SIGNAL_MSI, irqfd; and ioeventfd in the other direction: all
 * widths, with and without a value to match, on ports and memory.
 */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/vm.h"

static volatile u64 count[256];

GUEST static void apic_handler(struct g_frame *frame)
{
	count[frame->vector & 255]++;
	g_apic_write(APIC_EOI, 0);
}

/* Says each round, waits until the vector has come once more. */
GUEST static void wait_guest(u64 rounds)
{
	g_handler[0xb1] = apic_handler;
	g_apic_on();
	g_write32(0xfec00000, 0x10 + 2 * 7 + 1);
	g_write32(0xfec00010, 0);
	g_write32(0xfec00000, 0x10 + 2 * 7);
	g_write32(0xfec00010, 0xb1);		/* IOAPIC pin 7, edge */
	g_sti();
	for (u64 i = 1; i <= rounds; i++) {
		g_say((u32)i);
		while (count[0xb1] < i)
			g_pause();
		G_CHECK_EQ(count[0xb1], i);
	}
	g_done(0);
}

static int event(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	CHECK(fd >= 0, "eventfd");
	return fd;
}

static void kick(int fd)
{
	u64 one = 1;

	CHECK(write(fd, &one, 8) == 8, "write to an eventfd");
}

/* What has been counted since the last time; 0 when nothing. */
static u64 drain(int fd)
{
	u64 value = 0;

	return read(fd, &value, 8) == 8 ? value : 0;
}

static int irqfd(struct vm *vm, int fd, u32 gsi, u32 flags)
{
	struct kvm_irqfd args = { .fd = (u32)fd, .gsi = gsi, .flags = flags };

	return ioctl(vm->fd, KVM_IRQFD, &args);
}

static int routing(struct vm *vm, const struct kvm_irq_routing_entry *entries, u32 nr, u32 flags)
{
	struct kvm_irq_routing *r = calloc(1, sizeof(*r) + nr * sizeof(*entries));
	int ret, saved;

	r->nr = nr;
	r->flags = flags;
	if (entries)
		memcpy(r->entries, entries, nr * sizeof(*entries));
	ret = ioctl(vm->fd, KVM_SET_GSI_ROUTING, r);
	saved = errno;
	free(r);
	errno = saved;
	return ret;
}

#define MSI_ROUTE(gsi_, vector) \
	{ .gsi = gsi_, .type = KVM_IRQ_ROUTING_MSI, .u.msi = { .address_lo = 0xfee00000, .data = vector } }
#define CHIP_ROUTE(gsi_, chip, pin_) \
	{ .gsi = gsi_, .type = KVM_IRQ_ROUTING_IRQCHIP, .u.irqchip = { .irqchip = chip, .pin = pin_ } }

/* irqfd and IRQ_LINE work right after KVM_CREATE_IRQCHIP: PIC 0-15 and IOAPIC 0-23 are routed by default. */
static void default_routing(void)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, wait_guest, 4);
	struct kvm_irq_level irq = { .irq = 7 };
	int fd = event();

	CHECK_OK(irqfd(v->vm, fd, 7, 0));
	for (int i = 0; i < 4; i++) {
		vcpu_expect_port(v, PORT_SAY);
		if (i & 1) {
			kick(fd);
		} else {
			irq.level = 1;
			CHECK_OK(ioctl(v->vm->fd, KVM_IRQ_LINE, &irq));
			irq.level = 0;
			CHECK_OK(ioctl(v->vm->fd, KVM_IRQ_LINE, &irq));
		}
	}
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

static void signal_msi(void)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, wait_guest, 3);
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0xb1 };
	struct vm *without = vm_new(VM_NO_MEMORY);

	for (int i = 0; i < 3; i++) {
		vcpu_expect_port(v, PORT_SAY);
		EXPECT(ioctl(v->vm->fd, KVM_SIGNAL_MSI, &msi) > 0, "KVM_SIGNAL_MSI delivers to one CPU");
	}
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	msi.flags = 0x80;
	EXPECT_ERRNO(ioctl(v->vm->fd, KVM_SIGNAL_MSI, &msi), EINVAL);
	msi.flags = 0;
	EXPECT_ERRNO(ioctl(without->fd, KVM_SIGNAL_MSI, &msi), EINVAL);
}

static void routing_refused(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP | VM_NO_MEMORY), *without = vm_new(VM_NO_MEMORY);
	u32 max = (u32)dev_has(KVM_CAP_IRQ_ROUTING);
	const struct kvm_irq_routing_entry good = MSI_ROUTE(30, 0x50);
	const struct {
		const char *what;
		struct kvm_irq_routing_entry e;
	} bad[] = {
		{ "type 0", { .gsi = 1 } },
		{ "type 99", { .gsi = 1, .type = 99 } },
		{ "irqchip 3", CHIP_ROUTE(1, 3, 0) },
		{ "irqchip ffffffff", CHIP_ROUTE(1, 0xffffffff, 0) },
		{ "pin 8 of a PIC", CHIP_ROUTE(1, KVM_IRQCHIP_PIC_MASTER, 8) },
		{ "pin 24 of the IOAPIC", CHIP_ROUTE(1, KVM_IRQCHIP_IOAPIC, 24) },
		{ "pin ffffffff", CHIP_ROUTE(1, KVM_IRQCHIP_IOAPIC, 0xffffffff) },
		{ "flags", { .gsi = 1, .type = KVM_IRQ_ROUTING_MSI, .flags = 0x10 } },
		{ "gsi beyond the limit", MSI_ROUTE(max, 0x50) },
		{ "gsi ffffffff", MSI_ROUTE(0xffffffff, 0x50) },
	};
	struct kvm_irq_routing_entry twice[2] = { CHIP_ROUTE(5, KVM_IRQCHIP_IOAPIC, 5), CHIP_ROUTE(5, KVM_IRQCHIP_IOAPIC, 6) };
	struct kvm_irq_routing_entry *many = calloc(max + 1, sizeof(*many));

	CHECK_OK(routing(vm, &good, 1, 0));
	EXPECT_ERRNO(routing(vm, &good, 1, 1), EINVAL);
	EXPECT_ERRNO(routing(without, &good, 1, 0), EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		errno = 0;
		EXPECT(routing(vm, &bad[i].e, 1, 0) == -1 && errno == EINVAL, "%s", bad[i].what);
	}
	EXPECT_ERRNO(routing(vm, twice, 2, 0), EINVAL);
	for (u32 i = 0; i <= max; i++)
		many[i] = good;
	EXPECT_ERRNO(routing(vm, many, max + 1, 0), EINVAL);
	/* As many as fit, one on each GSI; and none at all. */
	for (u32 i = 0; i < max; i++)
		many[i].gsi = i;
	CHECK_OK(routing(vm, many, max, 0));
	CHECK_OK(routing(vm, NULL, 0, 0));
}

/* An MSI route, changed under a live irqfd: the old one no longer works, the new one does. */
static void irqfd_msi(void)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, wait_guest, 6);
	struct kvm_irq_routing_entry route = MSI_ROUTE(40, 0xb1);
	int fd = event();

	CHECK_OK(routing(v->vm, &route, 1, 0));
	CHECK_OK(irqfd(v->vm, fd, 40, 0));
	for (int i = 0; i < 6; i++) {
		vcpu_expect_port(v, PORT_SAY);
		if (i == 3) {
			CHECK_OK(routing(v->vm, NULL, 0, 0));
			kick(fd);	/* goes nowhere */
			CHECK_OK(routing(v->vm, &route, 1, 0));
		}
		kick(fd);
	}
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	CHECK_OK(irqfd(v->vm, fd, 40, KVM_IRQFD_FLAG_DEASSIGN));
	kick(fd);
	EXPECT_EQ(drain(fd), 1, "after DEASSIGN the eventfd counts again");
}

static void irqfd_refused(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP | VM_NO_MEMORY), *without = vm_new(VM_NO_MEMORY);
	int fd = event(), pipes[2];

	CHECK(!pipe(pipes), "pipe");
	EXPECT_ERRNO(irqfd(vm, -1, 7, 0), EBADF);
	EXPECT_ERRNO(irqfd(vm, 999, 7, 0), EBADF);
	EXPECT_ERRNO(irqfd(vm, pipes[0], 7, 0), EINVAL);
	EXPECT_ERRNO(irqfd(vm, vm->fd, 7, 0), EINVAL);
	EXPECT_ERRNO(irqfd(vm, fd, 7, 0x80), EINVAL);
	/* KVM takes a GSI without route, out of range as well: it rings for nobody. */
	if (!irqfd(vm, fd, 0xffffffff, 0)) {
		kick(fd);
		CHECK_OK(irqfd(vm, fd, 0xffffffff, KVM_IRQFD_FLAG_DEASSIGN));
	}
	EXPECT(irqfd(without, fd, 7, 0) == -1, "an irqfd without irqchip");
	CHECK_OK(irqfd(vm, fd, 7, 0));
	EXPECT_ERRNO(irqfd(vm, fd, 7, 0), EBUSY);
	CHECK_OK(irqfd(vm, fd, 7, KVM_IRQFD_FLAG_DEASSIGN));
	CHECK_OK(irqfd(vm, fd, 7, KVM_IRQFD_FLAG_DEASSIGN));	/* one that is not there: no error */
}

/* Descriptors closed in every order, with events under way. */
static void irqfd_lifetimes(void)
{
	for (int order = 0; order < 4; order++) {
		struct vm *vm = vm_new(VM_IRQCHIP | VM_NO_MEMORY);
		struct vcpu *v = vcpu_new(vm, 0);
		int fds[4];

		for (int i = 0; i < 4; i++) {
			fds[i] = event();
			CHECK_OK(irqfd(vm, fds[i], (u32)i + 4, 0));
			kick(fds[i]);
		}
		if (order & 1)
			close(fds[0]);
		if (order & 2)
			close(vm->fd);
		kick(fds[1]);
		close(fds[1]);
		vcpu_free(v);
		if (!(order & 2))
			close(vm->fd);
		kick(fds[2]);
		if (!(order & 1))
			close(fds[0]);
		close(fds[2]);
		close(fds[3]);
	}
}

static int ioeventfd(struct vm *vm, u64 addr, u32 len, int fd, u32 flags, u64 match)
{
	struct kvm_ioeventfd args = { .addr = addr, .len = len, .fd = fd, .flags = flags, .datamatch = match };

	return ioctl(vm->fd, KVM_IOEVENTFD, &args);
}

#define PIO KVM_IOEVENTFD_FLAG_PIO
#define MATCH KVM_IOEVENTFD_FLAG_DATAMATCH
#define DEASSIGN KVM_IOEVENTFD_FLAG_DEASSIGN
#define MMIO_AT 0xd0001000UL

GUEST static void doorbell_guest(u64 arg)
{
	(void)arg;
	g_outb(0x700, 1);
	g_say(0);
	g_outw(0x702, 0x1234);
	g_say(1);
	g_outl(0x704, 0x12345678);
	g_say(2);
	*(volatile u8 *)MMIO_AT = 1;
	g_say(3);
	*(volatile u16 *)(MMIO_AT + 2) = 1;
	g_say(4);
	g_write32(MMIO_AT + 4, 1);
	g_say(5);
	*(volatile u64 *)(MMIO_AT + 8) = 1;
	g_say(6);
	/* any length */
	*(volatile u8 *)(MMIO_AT + 16) = 1;
	g_write32(MMIO_AT + 16, 1);
	*(volatile u64 *)(MMIO_AT + 16) = 1;
	g_say(7);
	/* a value to match, twice on one address: each rings its own */
	g_write32(MMIO_AT + 24, 5);
	g_write32(MMIO_AT + 24, 6);
	g_write32(MMIO_AT + 24, 5);
	g_say(8);
	g_outw(0x708, 0xbeef);
	g_outw(0x708, 0xbeef);
	g_say(9);
	g_done(0);
}

/* Each of the guest's steps rings exactly its own eventfd, as often as it wrote, and nothing comes out. */
static void ioeventfd_widths(void)
{
	static const struct {
		u64 addr;
		u32 len, flags;
		u64 match;
		int step;
		u64 rings;
	} bells[] = {
		{ 0x700, 1, PIO, 0, 0, 1 }, { 0x702, 2, PIO, 0, 1, 1 }, { 0x704, 4, PIO, 0, 2, 1 },
		{ MMIO_AT, 1, 0, 0, 3, 1 }, { MMIO_AT + 2, 2, 0, 0, 4, 1 }, { MMIO_AT + 4, 4, 0, 0, 5, 1 },
		{ MMIO_AT + 8, 8, 0, 0, 6, 1 }, { MMIO_AT + 16, 0, 0, 0, 7, 3 },
		{ MMIO_AT + 24, 4, MATCH, 5, 8, 2 }, { MMIO_AT + 24, 4, MATCH, 6, 8, 1 },
		{ 0x708, 2, PIO | MATCH, 0xbeef, 9, 2 },
	};
	struct vcpu *v = guest_new(0, doorbell_guest, 0);
	int fds[ARRAY_SIZE(bells)];

	for (size_t i = 0; i < ARRAY_SIZE(bells); i++) {
		fds[i] = event();
		CHECK_OK(ioeventfd(v->vm, bells[i].addr, bells[i].len, fds[i], bells[i].flags, bells[i].match));
	}
	for (int step = 0; step < 10; step++) {
		CHECK_EQ(vcpu_expect_port(v, PORT_SAY), step, "the step");
		for (size_t i = 0; i < ARRAY_SIZE(bells); i++)
			EXPECT_EQ(drain(fds[i]), bells[i].step == step ? bells[i].rings : 0, "the rings");
	}
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

GUEST static void mismatch_guest(u64 arg)
{
	(void)arg;
	g_write32(MMIO_AT, 6);				/* not the value */
	*(volatile u16 *)MMIO_AT = 5;			/* not the width */
	g_write32(MMIO_AT + 4, 5);			/* not the address */
	g_done(g_read32(MMIO_AT));			/* not a write */
}

static void ioeventfd_mismatch(void)
{
	struct vcpu *v = guest_new(0, mismatch_guest, 0);
	struct kvm_run *run = v->run;
	int fd = event();

	CHECK_OK(ioeventfd(v->vm, MMIO_AT, 4, fd, MATCH, 5));
	vcpu_expect(v, KVM_EXIT_MMIO);
	EXPECT(run->mmio.is_write && run->mmio.len == 4 && run->mmio.data[0] == 6, "the other value comes out");
	vcpu_expect(v, KVM_EXIT_MMIO);
	EXPECT(run->mmio.is_write && run->mmio.len == 2, "the other width comes out");
	vcpu_expect(v, KVM_EXIT_MMIO);
	EXPECT_EQ(run->mmio.phys_addr, MMIO_AT + 4, "the other address");
	vcpu_expect(v, KVM_EXIT_MMIO);
	EXPECT_EQ(run->mmio.is_write, 0, "is_write");
	memset(run->mmio.data, 0, 8);
	run->mmio.data[0] = 9;
	CHECK_EQ(vcpu_finish(v), 9, "the word read");
	EXPECT_EQ(drain(fd), 0, "the rings");
}

GUEST static void rep_guest(u64 arg)
{
	u64 c = 5, s = arg;

	asm volatile("rep outsb" : "+c"(c), "+S"(s) : "d"(0x700) : "memory");
	g_done(0);
}

static void ioeventfd_deassign(void)
{
	struct vcpu *v = guest_new(0, rep_guest, GUEST_SCRATCH);
	int fd = event();

	CHECK_OK(ioeventfd(v->vm, 0x700, 1, fd, PIO, 0));
	CHECK_OK(ioeventfd(v->vm, 0x700, 1, fd, PIO | DEASSIGN, 0));
	vcpu_expect(v, KVM_EXIT_IO);
	EXPECT_EQ(v->run->io.port, 0x700, "the port");
	EXPECT_EQ(drain(fd), 0, "the rings");
	/* Closing the descriptor leaves the doorbell: the VM holds the eventfd. */
	CHECK_OK(ioeventfd(v->vm, 0x700, 1, fd, PIO, 0));
	close(fd);
	vm_free(v->vm);
	vcpu_free(v);
}

static void ioeventfd_refused(void)
{
	struct vm *vm = vm_new(VM_NO_MEMORY);
	int fd = event(), pipes[2];

	CHECK(!pipe(pipes), "pipe");
	for (u32 len = 0; len < 20; len++)
		if (len != 0 && len != 1 && len != 2 && len != 4 && len != 8)
			EXPECT_ERRNO(ioeventfd(vm, 0x1000, len, fd, 0, 0), EINVAL);
	EXPECT_ERRNO(ioeventfd(vm, 0x1000, 0xffffffff, fd, 0, 0), EINVAL);
	EXPECT_ERRNO(ioeventfd(vm, 0xfffffffffffffffdULL, 8, fd, 0, 0), EINVAL);
	EXPECT_ERRNO(ioeventfd(vm, 0x1000, 4, fd, 0x8000, 0), EINVAL);
	EXPECT_ERRNO(ioeventfd(vm, 0x1000, 0, fd, MATCH, 1), EINVAL);
	EXPECT_ERRNO(ioeventfd(vm, 0x1000, 4, -1, 0, 0), EBADF);
	EXPECT_ERRNO(ioeventfd(vm, 0x1000, 4, pipes[0], 0, 0), EINVAL);
	EXPECT_ERRNO(ioeventfd(vm, 0x1000, 4, fd, DEASSIGN, 0), ENOENT);
	CHECK_OK(ioeventfd(vm, 0x1000, 4, fd, 0, 0));
	EXPECT_ERRNO(ioeventfd(vm, 0x1000, 4, fd, 0, 0), EEXIST);
	EXPECT_ERRNO(ioeventfd(vm, 0x1000, 4, fd, MATCH, 7), EEXIST);
	CHECK_OK(ioeventfd(vm, 0x1000, 4, fd, PIO, 0));		/* the other bus */
	CHECK_OK(ioeventfd(vm, 0x2000, 4, fd, MATCH, 7));
	CHECK_OK(ioeventfd(vm, 0x2000, 4, fd, MATCH, 8));
	EXPECT_ERRNO(ioeventfd(vm, 0x2000, 4, fd, MATCH, 8), EEXIST);
	EXPECT_ERRNO(ioeventfd(vm, 0x2000, 4, fd, MATCH | DEASSIGN, 9), ENOENT);
	CHECK_OK(ioeventfd(vm, 0x2000, 4, fd, MATCH | DEASSIGN, 8));
}

static const struct test tests[] = {
	TEST(default_routing), TEST(signal_msi), TEST(routing_refused), TEST(irqfd_msi), TEST(irqfd_refused),
	TEST(irqfd_lifetimes), TEST(ioeventfd_widths), TEST(ioeventfd_mismatch), TEST(ioeventfd_deassign),
	TEST(ioeventfd_refused),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

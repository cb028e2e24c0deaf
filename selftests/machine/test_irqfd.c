// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts from outside: GSI routing and its default, KVM_SIGNAL_MSI, irqfd; and ioeventfd in the other direction: all
 * widths, with and without a value to match, on ports and memory.
 */
#include <fcntl.h>
#include <poll.h>

#include "lib/guest.h"
#include "lib/irq.h"

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

static int ioeventfd(struct vm *vm, u64 addr, u32 len, int fd, u32 flags, u64 match)
{
	struct kvm_ioeventfd args = { .addr = addr, .len = len, .fd = fd, .flags = flags, .datamatch = match };

	return ioctl(vm->fd, KVM_IOEVENTFD, &args);
}

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

/* ------------------------------------------------------------------ levels that come back: KVM_IRQFD_FLAG_RESAMPLE */

GUEST static void pic_handler(struct g_frame *frame)
{
	count[frame->vector & 255]++;
	g_outb(0xa0, 0x20);
	g_outb(0x20, 0x20);
}

GUEST static void pic_on(void)
{
	g_pic_init();
	g_outb(0x21, 0xfb);
	g_outb(0xa1, 0xfb);	/* line 10 */
	g_outb(0x4d1, 1 << 2);	/* which is level-triggered */
}

/* Line 10, by the IOAPIC (arg 0, vector b1) or the PIC (1, vector 2a). Says what has come whenever it was let run. */
GUEST static void resample_guest(u64 arg)
{
	u32 vector = arg ? 0x2a : 0xb1;

	g_handler[0xb1] = apic_handler;
	g_handler[0x2a] = pic_handler;
	g_apic_on();
	if (arg) {
		pic_on();
		g_apic_write(APIC_LVT0, 0x700);
	} else {
		g_write32(0xfec00000, 0x10 + 2 * 10 + 1);
		g_write32(0xfec00010, 0);
		g_write32(0xfec00000, 0x10 + 2 * 10);
		g_write32(0xfec00010, 0x8000 | 0xb1);
	}
	for (;;) {
		g_say((u32)count[vector]);
		asm volatile("sti\n\tnop\n\tnop\n\tcli" : : : "memory");
	}
}

static void resample(u64 by_pic)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, resample_guest, by_pic);
	int fd = event(), ended = event(), fd2 = event(), ended2 = event();
	u32 n;

	CHECK_OK(irqfd_resample(v->vm, fd, 10, ended));
	CHECK_OK(irqfd_resample(v->vm, fd2, 10, ended2));
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 0, "the interrupts");
	for (u32 i = 1; i <= 5; i++) {
		/* Up until the guest ends it, once, and all who share the line are told. */
		kick(i & 1 ? fd : fd2);
		kick(fd);
		EXPECT_EQ(drain(ended), 0, "ends before the interrupt");
		CHECK_EQ(vcpu_expect_port(v, PORT_SAY), i, "the interrupts");
		EXPECT_EQ(drain(ended), 1, "ends");
		EXPECT_EQ(drain(ended2), 1, "ends, told to the other one");
	}
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 5, "the interrupts when the line is low");
	/*
	 * A line that somebody else holds stays up: it comes again and again, up to the limit that lets the interrupted program get
	 * on. There is none at the PIC, as in a PC.
	 */
	if (!by_pic) {
		line(v->vm, 10, 1);
		n = vcpu_expect_port(v, PORT_SAY);
		CHECK(n >= 6, "%u interrupts", n);
		n = vcpu_expect_port(v, PORT_SAY);
		CHECK(n >= 7, "%u interrupts", n);
		EXPECT(drain(ended) >= 2, "ends");
		line(v->vm, 10, 0);
		vcpu_expect_port(v, PORT_SAY);
		n = vcpu_expect_port(v, PORT_SAY);
		CHECK_EQ(vcpu_expect_port(v, PORT_SAY), n, "the interrupts when the line is low again");
		drain(ended2);
	}
	/* Gone while it holds the line: the line falls. */
	kick(fd);
	CHECK_OK(irqfd(v->vm, fd, 10, KVM_IRQFD_FLAG_DEASSIGN));
	close(fd2);
	usleep(2000);
	vcpu_expect_port(v, PORT_SAY);	/* one may be on its way */
	n = vcpu_expect_port(v, PORT_SAY);
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), n, "the interrupts without irqfd");
}

static void resample_ioapic(void)
{
	resample(0);
}

static void resample_pic(void)
{
	resample(1);
}

static volatile int resample_in;
static volatile u64 raised;
static volatile bool over;

/* A device that always has more: raises its line again at each end. */
static void *insatiable(void *arg)
{
	struct pollfd *p = arg;

	while (!over) {
		if (poll(p, 1, 1) != 1)
			continue;
		drain(p->fd);
		kick(resample_in);
		raised++;
	}
	return NULL;
}

static volatile u64 storm_rounds;

/* The last round is known here: on one CPU the device may raise its line again before the guest gets beyond this handler. */
GUEST static void storm_handler(struct g_frame *frame)
{
	if (++count[frame->vector] >= storm_rounds) {
		g_write32(0xfec00000, 0x10 + 2 * 10);
		g_write32(0xfec00010, 0x18000 | 0xb1);
	}
	g_apic_write(0xb0, 0);
}

GUEST static void storm_guest(u64 rounds)
{
	storm_rounds = rounds;
	g_handler[0xb1] = storm_handler;
	g_apic_on();
	g_write32(0xfec00000, 0x10 + 2 * 10 + 1);
	g_write32(0xfec00010, 0);
	g_write32(0xfec00000, 0x10 + 2 * 10);
	g_write32(0xfec00010, 0x8000 | 0xb1);
	g_sti();
	g_say(0);
	while (count[0xb1] < rounds)
		g_pause();
	g_done(0);
}

/* EOI, resample, raise, EOI...: no recursion, no lost round (bug-classes 61). */
static void resample_storm(void)
{
	const u64 rounds = 2000;
	struct vcpu *v = guest_new(VM_IRQCHIP, storm_guest, rounds);
	struct pollfd p = { .fd = event(), .events = POLLIN };
	pthread_t thread;

	test_timeout(12);
	resample_in = event();
	CHECK_OK(irqfd_resample(v->vm, resample_in, 10, p.fd));
	vcpu_expect_port(v, PORT_SAY);
	CHECK(!pthread_create(&thread, NULL, insatiable, &p), "pthread_create");
	kick(resample_in);
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	over = true;
	pthread_join(thread, NULL);
	EXPECT(raised >= rounds - 1, "raised %llu times", (unsigned long long)raised);
}

/* ------------------------------------------------------------------ teardown races (bug-classes 64) */

#define RACERS 4
#define ROUNDS 300

static struct vm *racing;
static volatile int shared_fds[RACERS];

/*
 * Each thread does one of four things, over and over, to the same few eventfds, which other threads close and replace: any call may
 * be refused, none may hang or crash, and in the end nothing is left (the kernel's debug checks and kmemleak look at that).
 */
static void *race(void *arg)
{
	u32 me = (u32)(uintptr_t)arg, r = me + 1;
	int resample_fd = event();
	u64 one = 1;

	for (int i = 0; i < ROUNDS; i++) {
		int slot, fd;

		r = r * 1664525 + 1013904223;
		slot = r >> 16 & (RACERS - 1);
		fd = shared_fds[slot];
		switch ((r >> 20 & 1) ? me : (r >> 24 & 3)) {
		case 0:
			if (r >> 28 & 1)
				irqfd_resample(racing, fd, 8 + (u32)slot, resample_fd);
			else
				irqfd(racing, fd, 8 + (u32)slot, 0);
			ioeventfd(racing, 0x700 + (u64)slot, 1, fd, KVM_IOEVENTFD_FLAG_PIO, 0);
			break;
		case 1:
			irqfd(racing, fd, 8 + (u32)slot, KVM_IRQFD_FLAG_DEASSIGN);
			ioeventfd(racing, 0x700 + (u64)slot, 1, fd, KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DEASSIGN, 0);
			break;
		case 2:
			(void)!write(fd, &one, 8);
			break;
		default:
			/* Closed and replaced in one step: nobody else's descriptor gets this number in between. */
			slot = eventfd(0, EFD_NONBLOCK);
			dup3(slot, fd, O_CLOEXEC);
			close(slot);
		}
	}
	close(resample_fd);
	return NULL;
}

GUEST static void ringing_guest(u64 arg)
{
	(void)arg;
	g_handler[0xb1] = apic_handler;
	g_apic_on();
	for (u32 pin = 8; pin < 12; pin++) {
		g_write32(0xfec00000, 0x10 + 2 * pin + 1);
		g_write32(0xfec00010, 0);
		g_write32(0xfec00000, 0x10 + 2 * pin);
		g_write32(0xfec00010, 0x8000 | 0xb1);
	}
	g_sti();
	for (u32 i = 0;; i++) {
		g_outb((u16)(0x700 + (i & 3)), 1);
		if (!(i & 15))
			g_say(i);
	}
}

static void teardown_races(void)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, ringing_guest, 0);
	pthread_t threads[RACERS];
	int alive = RACERS;

	test_timeout(12);
	racing = v->vm;
	for (int i = 0; i < RACERS; i++)
		shared_fds[i] = event();
	for (int i = 0; i < RACERS; i++)
		CHECK(!pthread_create(&threads[i], NULL, race, (void *)(uintptr_t)i), "pthread_create");
	while (alive) {
		vcpu_run(v);
		CHECK_EQ(v->run->exit_reason, KVM_EXIT_IO, "the exit");
		if (!pthread_tryjoin_np(threads[alive - 1], NULL))
			alive--;
	}
	vm_free(v->vm);		/* with whatever is still assigned */
	for (int i = 0; i < RACERS; i++)
		close(shared_fds[i]);
	vcpu_free(v);
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

/* Writes of every width, to the one address that counts and to the one behind, with the value that counts and with another. */
GUEST static void width_guest(u64 arg)
{
	u64 at = arg & ~1ULL;

	for (u32 i = 0;; i++) {
		u64 value = 0x1122334455667788 + (i & 1), to = at + (i >> 1 & 1) * 16;

		g_say(i);
		if (i == 16)
			break;
		switch (i >> 2) {
		case 0:
			if (arg & 1)
				g_outb((u16)to, (u8)value);
			else
				*(volatile u8 *)to = (u8)value;
			break;
		case 1:
			if (arg & 1)
				g_outw((u16)to, (u16)value);
			else
				*(volatile u16 *)to = (u16)value;
			break;
		case 2:
			if (arg & 1)
				g_outl((u16)to, (u32)value);
			else
				g_write32(to, (u32)value);
			break;
		default:
			if (!(arg & 1))
				*(volatile u64 *)to = value;
		}
	}
}

/* The guest's next word; how often it came out to us before. */
static int until_word(struct vcpu *v)
{
	for (int n = 0;; n++) {
		vcpu_run(v);
		if (v->run->exit_reason == KVM_EXIT_IO && v->run->io.port == PORT_SAY)
			return n;
		CHECK(v->run->exit_reason == KVM_EXIT_IO || v->run->exit_reason == KVM_EXIT_MMIO, "exit %s",
		      exit_name(v->run->exit_reason));
		CHECK(v->run->exit_reason == KVM_EXIT_IO || v->run->mmio.is_write, "a read");
	}
}

/* One doorbell of a kind; each of the guest's writes either rings it or comes out, as its address, width and value say. */
static void one_doorbell(u64 at, u32 len, u32 flags)
{
	const u64 value = 0x1122334455667788;
	struct vcpu *v = guest_new(0, width_guest, at | (flags & PIO ? 1 : 0));
	int fd = event();
	u64 match = len && len < 8 ? value & ((1ULL << 8 * len) - 1) : value;

	CHECK_OK(ioeventfd(v->vm, at, len, fd, flags, flags & MATCH ? match : 0));
	until_word(v);
	for (u32 i = 0; i < 16; i++) {
		bool none = i >> 2 == 3 && (flags & PIO);
		bool rings = !none && !(i & 2) && (!len || len == 1U << (i >> 2)) && (!(flags & MATCH) || !(i & 1));
		int out = until_word(v);

		EXPECT(out == (rings || none ? 0 : 1), "len %u flags %#x: write %u came out %d times", len, flags, i, out);
		EXPECT(drain(fd) == rings, "len %u flags %#x: write %u and the bell", len, flags, i);
	}
	CHECK_OK(ioeventfd(v->vm, at, len, fd, flags | DEASSIGN, flags & MATCH ? match : 0));
	vm_free(v->vm);
	vcpu_free(v);
	close(fd);
}

static void ioeventfd_every_kind(void)
{
	static const u32 lens[] = { 0, 1, 2, 4, 8 };

	test_timeout(12);
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		for (u32 flags = 0; flags < 4; flags++) {
			u32 f = (flags & 1 ? PIO : 0) | (flags & 2 ? MATCH : 0);

			if ((f & MATCH) && !lens[i])
				continue;	/* refused: ioeventfd_refused */
			one_doorbell(f & PIO ? 0x700 : MMIO_AT, lens[i], f);
		}
	}
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
	TEST(ioeventfd_refused), TEST(ioeventfd_every_kind), TEST(resample_ioapic), TEST(resample_pic), TEST(resample_storm),
	TEST(teardown_races),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

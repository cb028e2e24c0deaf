// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who gets an interrupt: every delivery mode and destination mode, from an ICR, an MSI and an IOAPIC entry, in the flat and the
 * cluster model and in x2APIC mode (with ids beyond 8 bits), as one table. Then INIT and SIPI to many, illegal vectors, and every
 * ICR there is.
 */
#include "lib/differs.h"
#include "lib/guest.h"
#include "lib/irq.h"

#define CPUS 4
#define FIRST 0x40		/* row n has vector FIRST + n */
#define END 0xfe

enum model { FLAT = 1, CLUSTER = 2, X2 = 4, X2_QUIRK = 8 };	/* X2: KVM_CAP_X2APIC_API with both flags; X2_QUIRK: without */
enum sender { IPI, MSI, PIN };

/* ------------------------------------------------------------------ the guest */

static volatile u64 count[CPUS][256], ready, stop, model;
static volatile u32 ids[CPUS];
static volatile struct {
	u32 what, dest, low;
} order;
enum { ORDER_WAIT, ORDER_SEND, ORDER_END };

G_INLINE bool x2(void)
{
	return model & (X2 | X2_QUIRK);
}

GUEST static u32 my_index(void)
{
	u32 id = x2() ? (u32)g_rdmsr(0x802) : g_apic_read(APIC_ID) >> 24;

	for (u32 i = 0; i < CPUS; i++)
		if (ids[i] == id)
			return i;
	return 0;
}

GUEST static void handler(struct g_frame *frame)
{
	count[my_index()][frame->vector & 255]++;
	if (frame->vector == END)
		stop = 1;
	if (frame->vector == 2)
		return;
	if (x2())
		g_wrmsr(0x80b, 0);
	else
		g_apic_write(APIC_EOI, 0);
}

GUEST static void apic_on(u64 index)
{
	for (int i = 0x30; i < 0x100; i++)
		g_handler[i] = handler;
	g_handler[2] = handler;
	g_apic_on();
	if (x2()) {
		g_wrmsr(0x1b, g_rdmsr(0x1b) | 0x400);
	} else if (model == FLAT) {
		g_apic_write(0xe0, 0xffffffff);
		g_apic_write(0xd0, 1U << (24 + index));
	} else {
		g_apic_write(0xe0, 0x0fffffff);
		g_apic_write(0xd0, (u32)(index / 2 << 4 | 1 << index % 2) << 24);
	}
	g_sti();
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
}

GUEST static void receiver_guest(u64 index)
{
	apic_on(index);
	for (;;) {
		g_cli();
		if (stop)
			break;
		g_sti_hlt();
	}
	g_done(0);
}

GUEST static void send(u32 dest, u32 low)
{
	if (x2()) {
		g_wrmsr(0x830, (u64)dest << 32 | low);
		return;
	}
	g_apic_write(APIC_ICR2, dest << 24);
	g_apic_write(APIC_ICR, low);
}

GUEST static void sender_guest(u64 arg)
{
	apic_on(arg);
	for (;;) {
		g_say(0);	/* the program gives an order */
		if (order.what == ORDER_SEND)
			send(order.dest, order.low);
		if (order.what == ORDER_END)
			break;
		for (int i = 0; i < 20; i++)
			g_pause();
	}
	send(0, 0xc0000 | END);
	g_done(0);
}

/* ------------------------------------------------------------------ the table */

#define LOGICAL 0x800
#define SELF 0x40000
#define ALL 0x80000
#define OTHERS 0xc0000
#define MODE(n) ((n) << 8)
enum { LOWEST = MODE(1), SMI = MODE(2), RESERVED = MODE(3), NMI = MODE(4), EXTINT = MODE(7) };
#define REDIRECT 0x1000000	/* MSI: redirection hint */
#define ANY_XAPIC (FLAT | CLUSTER)
#define ANY (FLAT | CLUSTER | X2 | X2_QUIRK)

static const struct row {
	u32 models;
	enum sender by;
	u32 dest, low;
	u32 receivers;	/* bit per vCPU */
	bool one_of;
} rows[] = {
	/* physical */
	{ ANY_XAPIC, IPI, 2, 0, 4, false }, { X2, IPI, 17, 0, 4, false }, { X2, IPI, 300, 0, 8, false }, { X2, IPI, 44, 0, 0, false },
	{ ANY, IPI, 9, 0, 0, false }, { ANY, IPI, 0, 0, 1, false }, { ANY_XAPIC, IPI, 0xff, 0, 15, false },
	{ X2 | X2_QUIRK, IPI, 0xffffffff, 0, 15, false }, { X2 | X2_QUIRK, IPI, 0xff, 0, 0, false },
	{ ANY, IPI, 1, LOWEST, 2, false },
	/* logical */
	{ FLAT, IPI, 6, LOGICAL, 6, false }, { FLAT, IPI, 0xf0, LOGICAL, 0, false }, { FLAT, IPI, 0xff, LOGICAL, 15, false },
	{ FLAT, IPI, 0xe, LOGICAL | LOWEST, 14, true },
	{ CLUSTER, IPI, 0x13, LOGICAL, 12, false }, { CLUSTER, IPI, 0x01, LOGICAL, 1, false }, { CLUSTER, IPI, 0x12, LOGICAL, 8, false },
	{ CLUSTER, IPI, 0x23, LOGICAL, 0, false }, { CLUSTER, IPI, 0x13, LOGICAL | LOWEST, 12, true },
	{ X2, IPI, 0x00003, LOGICAL, 3, false }, { X2, IPI, 0x10002, LOGICAL, 4, false }, { X2, IPI, 0x121000, LOGICAL, 8, false },
	{ X2, IPI, 0x20002, LOGICAL, 0, false }, { X2 | X2_QUIRK, IPI, 0xffffffff, LOGICAL, 15, false },
	{ X2, IPI, 0x00003, LOGICAL | LOWEST, 3, true },
	/* shorthands, with a destination that does not count */
	{ ANY, IPI, 3, SELF, 1, false }, { ANY, IPI, 3, ALL, 15, false }, { ANY, IPI, 3, OTHERS, 14, false },
	{ ANY, IPI, 0, OTHERS | LOWEST, 14, true },
	/* other delivery modes */
	{ ANY, IPI, 1, NMI, 2, false }, { ANY, IPI, 0, OTHERS | NMI, 14, false }, { FLAT, IPI, 5, LOGICAL | NMI, 5, false },
	{ ANY, IPI, 1, SMI, 0, false }, { ANY, IPI, 0, OTHERS | SMI, 0, false }, { ANY, IPI, 1, RESERVED, 0, false },
	{ ANY, IPI, 1, EXTINT, 0, false },
	/* MSIs */
	{ ANY_XAPIC, MSI, 2, 0, 4, false }, { X2, MSI, 17, 0, 4, false }, { X2, MSI, 300, 0, 8, false }, { ANY, MSI, 9, 0, 0, false },
	{ ANY_XAPIC | X2_QUIRK, MSI, 0xff, 0, 15, false }, { X2, MSI, 0xff, 0, 0, false },
	{ FLAT, MSI, 0xa, LOGICAL, 10, false }, { FLAT, MSI, 0xf, LOGICAL | LOWEST, 15, true },
	{ FLAT, MSI, 0xe, LOGICAL | REDIRECT, 14, true }, { CLUSTER, MSI, 0x12, LOGICAL, 8, false },
	{ X2, MSI, 0x3, LOGICAL, 3, false }, { ANY, MSI, 1, NMI, 2, false }, { ANY, MSI, 1, SMI, 0, false },
	{ ANY, MSI, 1, EXTINT, 0, false }, { ANY, MSI, 1, RESERVED, 0, false },
	/* IOAPIC */
	{ ANY_XAPIC, PIN, 3, 0, 8, false }, { X2, PIN, 17, 0, 4, false }, { ANY_XAPIC | X2_QUIRK, PIN, 0xff, 0, 15, false },
	{ X2, PIN, 0xff, 0, 0, false }, { FLAT, PIN, 0xc, LOGICAL, 12, false }, { CLUSTER, PIN, 0x11, LOGICAL, 4, false },
	{ FLAT, PIN, 0xf, LOGICAL | LOWEST, 15, true }, { ANY, PIN, 1, NMI, 2, false }, { ANY, PIN, 1, SMI, 0, false },
	{ ANY, PIN, 1, EXTINT, 0, false },
};

static int signal_msi(struct vm *vm, const struct row *r, u32 vector)
{
	u32 lo = 0xfee00000 | (r->dest & 0xff) << 12 | (r->low & LOGICAL ? 4 : 0) | (r->low & REDIRECT ? 8 : 0);

	return msi(vm, lo, r->dest & 0xffffff00, (r->low & 0x700) | vector);
}

static void pulse_pin(struct vm *vm, const struct row *r, u32 vector)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };

	CHECK_OK(ioctl(vm->fd, KVM_GET_IRQCHIP, &chip));
	chip.chip.ioapic.redirtbl[20].bits = vector | (r->low & 0xf00) | (u64)r->dest << 56;
	CHECK_OK(ioctl(vm->fd, KVM_SET_IRQCHIP, &chip));
	line(vm, 20, 1);
	line(vm, 20, 0);
}

static u64 arrived(struct vm *vm, u32 vector, u32 receivers)
{
	u64 sum = 0;

	for (u32 i = 0; i < CPUS; i++)
		if (receivers >> i & 1)
			sum += G(vm, count[i][vector]);
	return sum;
}

/* Lets the sender's vCPU take its own ones, and waits for the others. */
static void wait_for(struct vcpu *v, const struct row *r, u32 vector, u64 want)
{
	G(v->vm, order.what) = ORDER_WAIT;
	for (int i = 0; i < 2000 && arrived(v->vm, vector, r->receivers) < want; i++) {
		vcpu_expect_port(v, PORT_SAY);
		usleep(100);
	}
}

/* NMIs have no vector of their own: what is there already counts. */
static void check_row(struct vcpu *v, size_t number)
{
	const struct row *r = &rows[number];
	bool nmi = (r->low & 0x700) == NMI;
	u32 vector = nmi ? 2 : FIRST + (u32)number;
	u64 before[CPUS], want = arrived(v->vm, vector, r->receivers);

	for (u32 i = 0; i < CPUS; i++)
		before[i] = G(v->vm, count[i][vector]);
	want += r->one_of ? 1 : (u64)__builtin_popcount(r->receivers);
	if (r->by == IPI) {
		G(v->vm, order.what) = ORDER_SEND;
		G(v->vm, order.dest) = r->dest;
		G(v->vm, order.low) = r->low | (nmi ? 0 : vector);
		vcpu_expect_port(v, PORT_SAY);
	} else if (r->by == MSI) {
		int ret = signal_msi(v->vm, r, vector);

		/* KVM takes the reserved mode for its own and says it has delivered it. */
		EXPECT((r->low & 0x700) == RESERVED || (r->receivers ? ret > 0 : ret <= 0), "row %zu: KVM_SIGNAL_MSI returned %d", number, ret);
	} else {
		pulse_pin(v->vm, r, vector);
	}
	wait_for(v, r, vector, want);
	EXPECT(arrived(v->vm, vector, r->receivers) == want, "row %zu: %llu arrived, not %llu", number,
	       (unsigned long long)arrived(v->vm, vector, r->receivers), (unsigned long long)want);
	for (u32 i = 0; i < CPUS; i++)
		EXPECT(r->one_of || G(v->vm, count[i][vector]) == before[i] + (r->receivers >> i & 1),
		       "row %zu: vCPU %u took %llu", number, i, (unsigned long long)(G(v->vm, count[i][vector]) - before[i]));
}

/* Nobody else got anything, early or late. */
static void check_strays(struct vm *vm, enum model which)
{
	for (size_t n = 0; n < ARRAY_SIZE(rows); n++) {
		bool sent = (rows[n].models & which) && (rows[n].low & 0x700) != NMI;
		u32 receivers = sent ? rows[n].receivers : 0;

		for (u32 i = 0; i < CPUS; i++)
			EXPECT(G(vm, count[i][FIRST + n]) <= (receivers >> i & 1), "row %zu: vCPU %u took %llu in the end", n, i,
			       (unsigned long long)G(vm, count[i][FIRST + n]));
	}
}

static void run_model(enum model which)
{
	static const int small[CPUS] = { 0, 1, 2, 3 }, large[CPUS] = { 0, 1, 17, 300 };
	const int *id = which == X2 ? large : small;
	struct vm *vm = vm_new(VM_IRQCHIP);
	pthread_t threads[CPUS];
	struct vcpu *v[CPUS];

	_Static_assert(FIRST + ARRAY_SIZE(rows) < END, "vectors");
	test_timeout(20);
	if (which == X2)
		CHECK_OK(enable_cap(vm, KVM_CAP_X2APIC_API,
				    KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK));
	G(vm, model) = which;
	for (int i = 0; i < CPUS; i++) {
		G(vm, ids[i]) = (u32)id[i];
		v[i] = vcpu_new(vm, id[i]);
		vcpu_mode_long(v[i], i ? receiver_guest : sender_guest, (u64)i);
		set_mp_state(v[i], KVM_MP_STATE_RUNNABLE);
	}
	for (int i = 1; i < CPUS; i++)
		threads[i] = vcpu_start(v[i]);
	do
		vcpu_expect_port(v[0], PORT_SAY);
	while (G(vm, ready) != CPUS);
	for (size_t n = 0; n < ARRAY_SIZE(rows); n++)
		if ((rows[n].models & which) && (device_kind() == DEVICE_VTX || (rows[n].low & 0x700) != SMI))
			check_row(v[0], n);
	G(vm, order.what) = ORDER_END;
	CHECK_EQ(vcpu_finish(v[0]), 0, "the result");
	for (int i = 1; i < CPUS; i++)
		CHECK_EQ(vcpu_join(threads[i]), 0, "the result");
	check_strays(vm, which);
}

static void flat_model(void)
{
	run_model(FLAT);
}

static void cluster_model(void)
{
	run_model(CLUSTER);
}

static void x2apic_mode(void)
{
	run_model(X2);
}

static void x2apic_broadcast(void)
{
	run_model(X2_QUIRK);
}

/* ------------------------------------------------------------------ INIT and SIPI */

/* Counts itself at 7008h, says so and halts. */
GUEST_CODE(ap_code, 16, "lock incl 0x7008\n movw $0x3e0, %dx\n movl $0x42, %eax\n outl %eax, %dx\n hlt");

GUEST static void bsp_guest(u64 arg)
{
	g_apic_on();
	g_sti();
	if (arg) {			/* x2APIC mode: to each, and one id does not fit into xAPIC's 8 bits */
		g_wrmsr(0x1b, g_rdmsr(0x1b) | 0x400);
		for (u32 i = 1; i < CPUS; i++) {
			g_wrmsr(0x830, (u64)ids[i] << 32 | 0x4500);
			g_wrmsr(0x830, (u64)ids[i] << 32 | 0x4608);
		}
	} else {
		g_apic_write(APIC_ICR, 0xc4500);	/* INIT, all but self */
		g_apic_write(APIC_ICR, 0xc4608);	/* SIPI to 8000h, all but self */
	}
	while (g_read32(0x7008) != CPUS - 1)
		g_pause();
	g_done(0);
}

static void start_all(u64 by_x2apic)
{
	static const int small[CPUS] = { 0, 1, 2, 3 }, large[CPUS] = { 0, 1, 17, 300 };
	const int *id = by_x2apic ? large : small;
	struct vm *vm = vm_new(VM_IRQCHIP);
	pthread_t threads[CPUS];
	struct vcpu *v[CPUS];

	test_timeout(8);
	vm_load_code(vm, 0x8000, ap_code, ap_code_end);
	for (int i = 0; i < CPUS; i++) {
		G(vm, ids[i]) = (u32)id[i];
		v[i] = vcpu_new(vm, id[i]);
	}
	vcpu_mode_long(v[0], bsp_guest, by_x2apic);
	for (int i = 1; i < CPUS; i++)
		threads[i] = vcpu_start(v[i]);
	CHECK_EQ(vcpu_finish(v[0]), 0, "the result");
	for (int i = 1; i < CPUS; i++)
		CHECK_EQ(vcpu_join(threads[i]), 0x42, "an AP's word");
}

static void init_sipi_others(void)
{
	start_all(0);
}

static void init_sipi_x2apic(void)
{
	start_all(1);
}

/* ------------------------------------------------------------------ 32-bit ids in the state */

static void lapic_state_ids(void)
{
	for (int wide = 0; wide < 2; wide++) {
		struct vm *vm = vm_new(VM_NO_MEMORY | VM_IRQCHIP);
		struct vcpu *v = vcpu_new(vm, 200);
		struct kvm_sregs s = vcpu_sregs(v);
		struct kvm_lapic_state lapic;
		u32 id;

		if (wide)
			CHECK_OK(enable_cap(vm, KVM_CAP_X2APIC_API, KVM_X2APIC_API_USE_32BIT_IDS));
		s.apic_base |= 0x400;
		CHECK_OK(ioctl(v->fd, KVM_SET_SREGS, &s));
		CHECK_OK(ioctl(v->fd, KVM_GET_LAPIC, &lapic));
		memcpy(&id, &lapic.regs[0x20], 4);
		EXPECT_EQ(id, wide ? 200 : 200U << 24, "the ID register");
		CHECK_OK(ioctl(v->fd, KVM_SET_LAPIC, &lapic));
		id = wide ? 200U << 24 : 200;
		memcpy(&lapic.regs[0x20], &id, 4);
		if (wide || device_kind() == DEVICE_VTX) /* else KVM does not look */
			EXPECT_ERRNO(ioctl(v->fd, KVM_SET_LAPIC, &lapic), EINVAL);
	}
}

static void x2apic_api(void)
{
	struct vm *vm = vm_new(VM_NO_MEMORY | VM_IRQCHIP);
	const struct kvm_irq_routing_entry bad = {
		.gsi = 1, .type = KVM_IRQ_ROUTING_MSI, .u.msi = { .address_lo = 0xfee00000, .address_hi = 0x101, .data = 0x50 },
	};

	CHECK_EQ(dev_has(KVM_CAP_X2APIC_API), 3, "KVM_CAP_X2APIC_API");
	EXPECT_ERRNO(enable_cap(vm, KVM_CAP_X2APIC_API, 1 << 10), EINVAL);
	CHECK_OK(routing(vm, &bad, 1, 0));	/* the high half does not count yet */
	CHECK_OK(enable_cap(vm, KVM_CAP_X2APIC_API, 1));
	EXPECT_ERRNO(routing(vm, &bad, 1, 0), EINVAL);
	EXPECT_ERRNO(msi(vm, 0xfee00000, 0x101, 0x50), EINVAL);
	CHECK_OK(enable_cap(vm, KVM_CAP_X2APIC_API, 0));	/* does not switch off */
	EXPECT_ERRNO(routing(vm, &bad, 1, 0), EINVAL);
}

/* ------------------------------------------------------------------ errors, SMI */

static volatile u64 errors;

GUEST static void error_handler(struct g_frame *frame)
{
	(void)frame;
	errors++;
	g_apic_write(APIC_EOI, 0);
}

GUEST static u32 read_esr(void)
{
	g_apic_write(APIC_ESR, 0);
	return g_apic_read(APIC_ESR);
}

GUEST static void errors_guest(u64 arg)
{
	(void)arg;
	g_handler[0xe0] = error_handler;
	g_apic_on();
	g_apic_write(APIC_LVTERR, 0xe0);
	g_sti();
	for (u32 vector = 0; vector < 16; vector++) {
		g_apic_write(APIC_ICR2, 0);
		g_apic_write(APIC_ICR, vector);
		G_CHECK_EQ(read_esr(), 0x20);		/* send illegal vector */
		G_CHECK_EQ(errors, 2 * vector + 1);
		G_CHECK_EQ(read_esr(), 0);
		g_say(vector);				/* the program sends one */
		g_pause();
		G_CHECK_EQ(read_esr(), 0x40);		/* receive illegal vector */
		G_CHECK_EQ(errors, 2 * vector + 2);
	}
	/* The error's own vector is illegal: an error, not an endless chain of them (bug-classes 61). */
	g_apic_write(APIC_LVTERR, 5);
	g_apic_write(APIC_ICR, 3);
	G_CHECK_EQ(read_esr() & 0x20, 0x20);
	G_CHECK_EQ(errors, 32);
	g_done(0);
}

static void illegal_vectors(void)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, errors_guest, 0);

	for (u32 vector = 0; vector < 16; vector++) {
		CHECK_EQ(vcpu_expect_port(v, PORT_SAY), vector, "the vector");
		EXPECT_ERRNO(msi(v->vm, 0xfee00000, 0, vector), EPERM);
	}
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

/* There is no system management mode: no capability, no ioctl, and ICRs and MSIs with it go nowhere (rows above). */
static void no_smi(void)
{
	struct vcpu *v = vcpu_new(vm_new(VM_NO_MEMORY | VM_IRQCHIP), 0);

	EXPECT_EQ(dev_has(KVM_CAP_X86_SMM), 0, "KVM_CAP_X86_SMM");
	EXPECT_ERRNO(ioctl(v->fd, KVM_SMI, 0), EINVAL);
}

/* ------------------------------------------------------------------ every ICR */

GUEST static void every_icr_guest(u64 arg)
{
	(void)arg;
	for (int i = 0x30; i < 0x100; i++)
		g_handler[i] = handler;
	g_handler[2] = handler;
	g_apic_on();
	g_apic_write(0xd0, 1U << 24);
	g_sti();
	for (u32 mode = 0; mode < 8; mode++) {
		for (u32 dest = 0; dest < 256; dest++) {
			if (mode == 5 && (dest == 0 || dest == 0xff))
				continue;	/* INIT to itself */
			send(dest, mode << 8 | 0x55);
			if (mode != 5 || !(dest & 1))
				send(dest, mode << 8 | LOGICAL | 0x55);
		}
	}
	/* And its bits at random: level, assert, shorthand, reserved ones. No INIT, which would end this. */
	for (u32 i = 0, r = 12345; i < 2000; i++) {
		u32 vector;

		r = r * 1664525 + 1013904223;
		/* Illegal ones among them, but none of the exceptions'. */
		vector = r >> 11 & 7 ? 0x30 + (r & 0xff) % 0xd0 : r & 15;
		if ((r >> 8 & 7) != 5)
			send(r >> 24, (r & ~0xffU) | vector);
	}
	g_done(0);
}

/* vCPUs of odd ids, which wait for their SIPI all the while: all 256 destinations, all modes (bug-classes 60, 62). */
static void every_icr(void)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, every_icr_guest, 0);
	static const int others[] = { 1, 254, 255, 256, 1023 };

	test_timeout(8);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		vcpu_new_bare(v->vm, others[i]);
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

static const struct test tests[] = {
	TEST(flat_model), TEST(cluster_model), TEST(x2apic_mode), TEST(x2apic_broadcast), TEST(init_sipi_others),
	TEST(init_sipi_x2apic), TEST(lapic_state_ids), TEST(x2apic_api), TEST(illegal_vectors), TEST(no_smi), TEST(every_icr),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Time-stamp counters of another rate than the host's: KVM_SET_TSC_KHZ on vCPU and VM, what the guest and the program read, the
 * paravirtual clock, IA32_TSC, IA32_TSC_ADJUST and the TSC deadline under scaling; and processors without it.
 */
#include <stdlib.h>

#include "lib/guest.h"
#include "lib/vm.h"

#define MSR_TSC 0x10
#define MSR_ADJUST 0x3b
#define MSR_DEADLINE 0x6e0
#define MSR_SYSTEM 0x4b564d01

static u64 host_tsc(void)
{
	u32 lo, hi;

	asm volatile("lfence\n\trdtsc\n\tlfence" : "=a"(lo), "=d"(hi) : : "memory");
	return lo | (u64)hi << 32;
}

static u32 vcpu_khz(struct vcpu *v)
{
	return (u32)CHECK_OK(ioctl(v->fd, KVM_GET_TSC_KHZ, 0));
}

static u32 host_khz(void)
{
	static u32 khz;
	struct vcpu *v;

	if (khz)
		return khz;
	v = vcpu_new(vm_new(VM_NO_MEMORY), 0);
	khz = vcpu_khz(v);
	vm_free(v->vm);
	vcpu_free(v);
	return khz;
}

static bool scaling(void)
{
	return dev_has(KVM_CAP_TSC_CONTROL) > 0;
}

/* As the processor computes it (SDM vol. 3, 26.3). */
static u64 scaled(u64 ticks, u32 khz)
{
	u64 ratio = (u64)(((unsigned __int128)khz << 48) / host_khz());

	return (u64)(((unsigned __int128)ticks * ratio) >> 48);
}

/* ------------------------------------------------------------------ rates */

static volatile u64 out_tsc, out_time, early, count, due;

GUEST static void tsc_guest(u64 arg)
{
	(void)arg;
	for (;;) {
		out_tsc = g_rdtsc();
		g_say(0);
	}
}

struct bracket {
	u64 before, guest, after;
};

static struct bracket look(struct vcpu *v)
{
	struct bracket b = { .before = host_tsc() };

	vcpu_expect_port(v, PORT_SAY);
	b.after = host_tsc();
	b.guest = G(v->vm, out_tsc);
	return b;
}

/* Between two looks the guest's TSC went on as far as the host's did, times the rate; the ioctl reads the same counter. */
static void check_rate(struct vcpu *v, u32 khz)
{
	struct bracket a = look(v), b;
	u64 read, passed, least, most;

	for (volatile int i = 0; i < 300000; i++)
		;
	b = look(v);
	passed = b.guest - a.guest;
	least = scaled(b.before - a.after, khz);
	most = scaled(b.after - a.before, khz) + 1;
	EXPECT(passed >= least && passed <= most, "%u kHz: %llu ticks, not %llu to %llu", khz, (unsigned long long)passed,
	       (unsigned long long)least, (unsigned long long)most);
	read = vcpu_msr(v, MSR_TSC);
	EXPECT(read >= b.guest && read <= b.guest + scaled(host_tsc() - b.before, khz) + 1, "%u kHz: the program reads %llu after %llu",
	       khz, (unsigned long long)read, (unsigned long long)b.guest);
}

static void rates(void)
{
	const u32 host = host_khz(), khz[] = { host, host / 2, host * 2 - 1, 1000000, host / 1000, 0x7ffffffe, host + host / 100 };
	struct vcpu *v = guest_new(0, tsc_guest, 0);

	if (!scaling())
		skip("no TSC scaling");
	vcpu_expect_port(v, PORT_SAY);
	for (size_t i = 0; i < ARRAY_SIZE(khz); i++) {
		u64 before = vcpu_msr(v, MSR_TSC), after;

		CHECK_OK(ioctl(v->fd, KVM_SET_TSC_KHZ, khz[i]));
		/* It goes on from where it was. */
		after = vcpu_msr(v, MSR_TSC);
		EXPECT(after >= before, "%u kHz: the TSC went from %llu to %llu", khz[i], (unsigned long long)before, (unsigned long long)after);
		CHECK_EQ(vcpu_khz(v), khz[i], "KVM_GET_TSC_KHZ");
		check_rate(v, khz[i]);
	}
	CHECK_OK(ioctl(v->fd, KVM_SET_TSC_KHZ, 0));
	CHECK_EQ(vcpu_khz(v), host, "KVM_GET_TSC_KHZ");
	check_rate(v, host);
}

/* The VM's rate is that of vCPUs created afterwards; they agree, and begin at 0. */
static void vm_rate(void)
{
	struct vm *vm = vm_new(VM_NO_MEMORY);
	u32 host = host_khz(), khz = scaling() ? host / 3 : host + host / 10000;
	struct vcpu *a, *b;
	u64 tsc[4];

	EXPECT_EQ(dev_has(KVM_CAP_VM_TSC_CONTROL), dev_has(KVM_CAP_TSC_CONTROL), "KVM_CAP_VM_TSC_CONTROL");
	CHECK_EQ(CHECK_OK(ioctl(vm->fd, KVM_GET_TSC_KHZ, 0)), host, "the VM's rate");
	CHECK_OK(ioctl(vm->fd, KVM_SET_TSC_KHZ, khz));
	CHECK_EQ(CHECK_OK(ioctl(vm->fd, KVM_GET_TSC_KHZ, 0)), khz, "the VM's rate");
	a = vcpu_new(vm, 0);
	tsc[0] = vcpu_msr(a, MSR_TSC);
	EXPECT(tsc[0] < khz * 1000ULL, "the first TSC begins at %llu", (unsigned long long)tsc[0]);
	b = vcpu_new(vm, 1);
	CHECK_EQ(vcpu_khz(a), khz, "the first one's rate");
	CHECK_EQ(vcpu_khz(b), khz, "the second one's rate");
	for (int i = 0; i < 10; i++) {
		tsc[0] = vcpu_msr(a, MSR_TSC);
		tsc[1] = vcpu_msr(b, MSR_TSC);
		tsc[2] = vcpu_msr(a, MSR_TSC);
		EXPECT(tsc[0] <= tsc[1] && tsc[1] <= tsc[2], "%llu, %llu and %llu", (unsigned long long)tsc[0],
		       (unsigned long long)tsc[1], (unsigned long long)tsc[2]);
	}
	/* One vCPU after the other gets a new rate: they agree again. */
	if (scaling()) {
		CHECK_OK(ioctl(a->fd, KVM_SET_TSC_KHZ, host * 2 - 1));
		CHECK_OK(ioctl(b->fd, KVM_SET_TSC_KHZ, host * 2 - 1));
		tsc[0] = vcpu_msr(a, MSR_TSC);
		tsc[1] = vcpu_msr(b, MSR_TSC);
		tsc[2] = vcpu_msr(a, MSR_TSC);
		EXPECT(tsc[0] <= tsc[1] && tsc[1] <= tsc[2], "after a change %llu, %llu and %llu", (unsigned long long)tsc[0],
		       (unsigned long long)tsc[1], (unsigned long long)tsc[2]);
	}
	CHECK_OK(ioctl(vm->fd, KVM_SET_TSC_KHZ, 0));
	CHECK_EQ(CHECK_OK(ioctl(vm->fd, KVM_GET_TSC_KHZ, 0)), host, "the VM's rate");
}

static void refused(void)
{
	struct vm *vm = vm_new(VM_NO_MEMORY);
	struct vcpu *v = vcpu_new(vm, 0);
	const int fds[] = { vm->fd, v->fd };
	u32 host = host_khz();

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		/* Two measurements of one crystal are no other rate. */
		CHECK_OK(ioctl(fds[i], KVM_SET_TSC_KHZ, host - host / 5000));
		CHECK_EQ(CHECK_OK(ioctl(fds[i], KVM_GET_TSC_KHZ, 0)), host - host / 5000, "the rate");
		EXPECT_ERRNO(ioctl(fds[i], KVM_SET_TSC_KHZ, 0x7fffffff), EINVAL);
		EXPECT_ERRNO(ioctl(fds[i], KVM_SET_TSC_KHZ, 0xffffffff), EINVAL);
		if (!scaling()) {
			EXPECT_ERRNO(ioctl(fds[i], KVM_SET_TSC_KHZ, host / 2), EINVAL);
			EXPECT_ERRNO(ioctl(fds[i], KVM_SET_TSC_KHZ, host * 2 - 1), EINVAL);
			EXPECT_ERRNO(ioctl(fds[i], KVM_SET_TSC_KHZ, 1), EINVAL);
		}
		CHECK_EQ(CHECK_OK(ioctl(fds[i], KVM_GET_TSC_KHZ, 0)), host - host / 5000, "the rate");
	}
}

/* ------------------------------------------------------------------ writes */

GUEST static void write_guest(u64 arg)
{
	u64 adjust = g_rdmsr(MSR_ADJUST), before, after;

	(void)arg;
	g_say(0);
	g_wrmsr(MSR_TSC, 1ULL << 50);
	after = g_rdtsc();
	G_CHECK(after >= 1ULL << 50 && after < (1ULL << 50) + (1ULL << 40));
	G_CHECK(g_rdmsr(MSR_ADJUST) != adjust);
	/* Back by IA32_TSC_ADJUST, exactly as far as it says. */
	before = g_rdtsc();
	adjust = g_rdmsr(MSR_ADJUST);
	g_wrmsr(MSR_ADJUST, adjust - (1ULL << 49));
	after = g_rdtsc();
	G_CHECK(after + (1ULL << 49) >= before && after + (1ULL << 49) < before + (1ULL << 40));
	g_wrmsr(MSR_ADJUST, adjust);
	G_CHECK(g_rdtsc() >= before);
	before = g_rdtsc();
	after = g_rdmsr(MSR_TSC);
	G_CHECK(after >= before && after <= g_rdtsc());
	g_done(0);
}

static void writes(void)
{
	const u32 host = host_khz(), khz[] = { host, host / 7, host * 2 - 1 };

	for (size_t i = 0; i < (scaling() ? ARRAY_SIZE(khz) : 1); i++) {
		struct vcpu *v = guest_new(0, write_guest, 0);
		u64 adjust;

		CHECK_OK(ioctl(v->fd, KVM_SET_TSC_KHZ, khz[i]));
		vcpu_expect_port(v, PORT_SAY);
		/* The program's writes do not show in IA32_TSC_ADJUST, nor the other way round. */
		adjust = vcpu_msr(v, MSR_ADJUST);
		CHECK_EQ(vcpu_set_msr(v, MSR_TSC, 1ULL << 40), 1, "KVM_SET_MSRS of the TSC");
		EXPECT(vcpu_msr(v, MSR_TSC) - (1ULL << 40) < 1ULL << 36, "the TSC set reads %#llx", (unsigned long long)vcpu_msr(v, MSR_TSC));
		EXPECT_EQ(vcpu_msr(v, MSR_ADJUST), adjust, "IA32_TSC_ADJUST");
		CHECK_EQ(vcpu_finish(v), 0, "the result");
	}
}

/* ------------------------------------------------------------------ deadline */

GUEST static void deadline_handler(struct g_frame *frame)
{
	(void)frame;
	count++;
	if (g_rdtsc() < due)
		early++;
	g_apic_write(APIC_EOI, 0);
}

GUEST static void deadline_guest(u64 khz)
{
	g_handler[0x80] = deadline_handler;
	g_apic_on();
	g_apic_write(APIC_LVTT, 0x40080);
	g_sti();
	for (u64 i = 1; i <= 24; i++) {
		u64 us = i % 12 * 30;

		due = g_rdtsc() + us * khz / 1000;
		g_wrmsr(MSR_DEADLINE, due);
		if (i <= 12) {
			while (count < i)
				g_pause();
		} else {
			g_cli();
			while (count < i) {
				g_sti_hlt();
				g_cli();
			}
			g_sti();
		}
		G_CHECK_EQ(early, 0);
		G_CHECK_EQ(count, i);
	}
	/* The rate is changed while one waits. */
	due = g_rdtsc() + 2 * khz;
	g_wrmsr(MSR_DEADLINE, due);
	g_say(0);
	while (count < 25)
		g_pause();
	G_CHECK_EQ(early, 0);
	g_done(0);
}

static void deadlines(void)
{
	const u32 host = host_khz(), khz[] = { host, host / 7, host * 2 - 1, host / 1000 };

	test_timeout(10);
	for (size_t i = 0; i < (scaling() ? ARRAY_SIZE(khz) : 1); i++) {
		struct vcpu *v = guest_new(VM_IRQCHIP, deadline_guest, khz[i]);

		CHECK_OK(ioctl(v->fd, KVM_SET_TSC_KHZ, khz[i]));
		vcpu_expect_port(v, PORT_SAY);
		if (scaling())
			CHECK_OK(ioctl(v->fd, KVM_SET_TSC_KHZ, khz[i] / 2));
		CHECK_EQ(vcpu_finish(v), 0, "the result");
	}
}

/* ------------------------------------------------------------------ the paravirtual clock */

struct time_info {
	u32 version, pad0;
	u64 tsc_timestamp, system_time;
	u32 tsc_to_system_mul;
	signed char tsc_shift;
	u8 flags, pad[2];
};

static volatile struct time_info info __attribute__((aligned(64)));

GUEST static u64 guest_time(void)
{
	u64 delta, time, high;
	u32 version;

	do {
		version = info.version;
		asm volatile("" : : : "memory");
		delta = g_rdtsc() - info.tsc_timestamp;
		if (info.tsc_shift >= 0)
			delta <<= info.tsc_shift;
		else
			delta >>= -info.tsc_shift;
		asm("mulq %3" : "=a"(time), "=d"(high) : "a"(delta), "r"((u64)info.tsc_to_system_mul) : "cc");
		time = (time >> 32 | high << 32) + info.system_time;
		asm volatile("" : : : "memory");
	} while (version & 1 || version != info.version);
	return time;
}

GUEST static void clock_guest(u64 arg)
{
	u64 last = 0;

	(void)arg;
	g_wrmsr(MSR_SYSTEM, (u64)&info | 1);
	for (;;) {
		out_time = guest_time();
		G_CHECK(out_time >= last);
		last = out_time;
		g_say(info.flags & 1);
	}
}

static struct kvm_clock_data vm_clock(struct vm *vm)
{
	struct kvm_clock_data data = { 0 };

	CHECK_OK(ioctl(vm->fd, KVM_GET_CLOCK, &data));
	return data;
}

/* KVM_GET_CLOCK is what the guest sees, whatever the rate; and the clock goes on, at the world's speed, when that changes. */
static void pv_clock(void)
{
	const u32 host = host_khz(), khz[] = { host, host / 7, host * 2 - 1, 1000000, host / 1000, host };
	struct vcpu *v = guest_new(0, clock_guest, 0);
	struct kvm_clock_data before, after, last = { 0 };
	u64 tsc, ns, world;

	vcpu_expect_port(v, PORT_SAY);
	for (size_t i = 0; i < (scaling() ? ARRAY_SIZE(khz) : 1); i++) {
		u32 stable;

		CHECK_OK(ioctl(v->fd, KVM_SET_TSC_KHZ, khz[i]));
		for (int k = 0; k < 5; k++) {
			/* A tick of a slow TSC is many ns. */
			u64 slack = 1000000 / khz[i] + 2;

			before = vm_clock(v->vm);
			stable = vcpu_expect_port(v, PORT_SAY);
			after = vm_clock(v->vm);
			if (!(before.flags & KVM_CLOCK_TSC_STABLE))
				skip("the host's TSC is not stable");
			EXPECT(stable, "%u kHz: the guest is told that its clock is not stable", khz[i]);
			EXPECT(G(v->vm, out_time) + slack >= before.clock && G(v->vm, out_time) <= after.clock + slack,
			       "%u kHz: the guest's time %llu, the clock %llu to %llu", khz[i], (unsigned long long)G(v->vm, out_time),
			       (unsigned long long)before.clock, (unsigned long long)after.clock);
			EXPECT(before.clock >= last.clock, "%u kHz: the clock went back", khz[i]);
			last = before;
		}
		/* host_tsc and clock are of one moment: their speeds must agree to some parts in a million. */
		before = vm_clock(v->vm);
		for (volatile int n = 0; n < 300000; n++)
			;
		after = vm_clock(v->vm);
		tsc = after.host_tsc - before.host_tsc;
		ns = after.clock - before.clock;
		world = (u64)((unsigned __int128)tsc * 1000000 / host);
		EXPECT(ns + 2000000 / khz[i] + 10 >= world && ns <= world + 2000000 / khz[i] + 10, "%u kHz: %llu ns of the clock in %llu of the host",
		       khz[i], (unsigned long long)ns, (unsigned long long)world);
	}
}

static const struct test tests[] = {
	TEST(rates), TEST(vm_rate), TEST(refused), TEST(writes), TEST(deadlines), TEST(pv_clock),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

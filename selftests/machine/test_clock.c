// SPDX-License-Identifier: GPL-2.0-only
/*
 * Time: the paravirtual clock's system time and wall clock, KVM_GET_CLOCK and KVM_SET_CLOCK, the time-stamp counter as the
 * program sets it; and clock areas in places where they should not be.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "lib/guest.h"
#include "lib/vm.h"

#define MSR_WALL_OLD 0x11
#define MSR_SYSTEM_OLD 0x12
#define MSR_WALL 0x4b564d00
#define MSR_SYSTEM 0x4b564d01
#define NS 1000000000ULL

/* Documentation/virt/kvm/x86/msr.rst */
struct time_info {
	u32 version, pad0;
	u64 tsc_timestamp, system_time;
	u32 tsc_to_system_mul;
	signed char tsc_shift;
	u8 flags, pad[2];
};

struct wall_clock {
	u32 version, sec, nsec;
};

static volatile struct time_info info __attribute__((aligned(64)));
static volatile struct wall_clock wall __attribute__((aligned(64)));
static volatile u64 out_time;

GUEST static u64 guest_time(volatile struct time_info *t)
{
	u64 delta, time, high;
	u32 version;

	do {
		version = t->version;
		asm volatile("" : : : "memory");
		delta = g_rdtsc() - t->tsc_timestamp;
		if (t->tsc_shift >= 0)
			delta <<= t->tsc_shift;
		else
			delta >>= -t->tsc_shift;
		asm("mulq %3" : "=a"(time), "=d"(high) : "a"(delta), "r"((u64)t->tsc_to_system_mul) : "cc");
		time = time >> 32 | high << 32;
		time += t->system_time;
		asm volatile("" : : : "memory");
	} while (version & 1 || version != t->version);
	return time;
}

GUEST static void clock_guest(u64 old)
{
	u64 last = 0, msr = (u64)&info | 1;

	g_wrmsr(old ? MSR_SYSTEM_OLD : MSR_SYSTEM, msr);
	g_wrmsr(old ? MSR_WALL_OLD : MSR_WALL, (u64)&wall);
	G_CHECK_EQ(g_rdmsr(old ? MSR_SYSTEM_OLD : MSR_SYSTEM), msr);
	G_CHECK(info.version && !(info.version & 1));
	G_CHECK(info.tsc_to_system_mul);
	G_CHECK(wall.version && !(wall.version & 1));
	G_CHECK(wall.nsec < NS);
	for (int i = 0; i < 300; i++) {
		u64 now = guest_time(&info);

		G_CHECK(now >= last);
		last = now;
		if (i % 10 == 0) {
			out_time = now;
			g_say(wall.sec);
		}
	}
	g_wrmsr(old ? MSR_SYSTEM_OLD : MSR_SYSTEM, 0);
	g_done(0);
}

static u64 vm_clock(struct vm *vm)
{
	struct kvm_clock_data data = { 0 };

	CHECK_OK(ioctl(vm->fd, KVM_GET_CLOCK, &data));
	return data.clock;
}

/* The guest's time lies between the clock before and after, and the wall clock plus it is the world's time. */
static void run_clock(u64 old)
{
	struct vcpu *v = guest_new(0, clock_guest, old);

	for (int i = 0; i < 30; i++) {
		u64 before = i ? vm_clock(v->vm) : 0, now, after;
		u32 sec = vcpu_expect_port(v, PORT_SAY);
		time_t world = time(NULL);

		now = G(v->vm, out_time);
		after = vm_clock(v->vm);
		/* The ioctl reads another clock of the host than the guest does: half a second is no question of speed. */
		EXPECT(now + NS / 2 >= before && now <= after + NS / 2, "the guest's time %llu, the clock %llu to %llu",
		       (unsigned long long)now, (unsigned long long)before, (unsigned long long)after);
		EXPECT(llabs((long long)world - (long long)(sec + now / NS)) < 100, "wall clock %u + %llu ns, world %lld", sec,
		       (unsigned long long)now, (long long)world);
	}
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

static void new_msrs(void)
{
	run_clock(0);
}

static void old_msrs(void)
{
	run_clock(1);
}

static void get_and_set(void)
{
	struct vm *vm = vm_new(VM_NO_MEMORY);
	struct kvm_clock_data data = { .clock = 1000 * NS };
	u64 last;

	last = vm_clock(vm);
	for (int i = 0; i < 10; i++) {
		u64 now = vm_clock(vm);

		EXPECT(now >= last, "the clock went back");
		last = now;
	}
	CHECK_OK(ioctl(vm->fd, KVM_SET_CLOCK, &data));
	last = vm_clock(vm);
	EXPECT(last >= 1000 * NS && last < 2000 * NS, "the clock set: %llu", (unsigned long long)last);
	data.clock = 5 * NS;
	CHECK_OK(ioctl(vm->fd, KVM_SET_CLOCK, &data));
	last = vm_clock(vm);
	EXPECT(last >= 5 * NS && last < 900 * NS, "the clock set back: %llu", (unsigned long long)last);
	data.flags = 0x80000000;
	EXPECT_ERRNO(ioctl(vm->fd, KVM_SET_CLOCK, &data), EINVAL);
	data.flags = 0;
	data.clock = 0xffffffffffffffffULL;
	(void)!ioctl(vm->fd, KVM_SET_CLOCK, &data);
	(void)!vm_clock(vm);
}

/* After KVM_SET_CLOCK the guest's page says the new time. */
GUEST static void set_guest(u64 arg)
{
	(void)arg;
	g_wrmsr(MSR_SYSTEM, (u64)&info | 1);
	for (int i = 0; i < 3; i++) {
		out_time = guest_time(&info);
		g_say(0);
	}
	g_done(0);
}

static void set_reaches_guest(void)
{
	struct vcpu *v = guest_new(0, set_guest, 0);
	struct kvm_clock_data data = { .clock = 5000 * NS };

	vcpu_expect_port(v, PORT_SAY);
	CHECK_OK(ioctl(v->vm->fd, KVM_SET_CLOCK, &data));
	vcpu_expect_port(v, PORT_SAY);
	EXPECT(G(v->vm, out_time) >= 5000 * NS && G(v->vm, out_time) < 6000 * NS, "the guest's time %llu",
	       (unsigned long long)G(v->vm, out_time));
}

GUEST static void place_guest(u64 msr_value)
{
	g_wrmsr(MSR_SYSTEM, msr_value);
	g_wrmsr(MSR_WALL, msr_value & ~3UL);
	for (int i = 0; i < 3; i++)
		g_say(0);
	g_done(0);
}

GUEST static void nothing(u64 arg)
{
	(void)arg;
}

/* Areas over a page border, at the end of memory, outside it, in read-only memory, in a slot that goes. */
static void odd_places(void)
{
	static const u64 places[] = { GUEST_SCRATCH + 4096 - 4, GUEST_SCRATCH + 4096 - 16, GUEST_SCRATCH + 4096 - 28,
				      GUEST_MEMORY - 16, GUEST_MEMORY - 4, GUEST_ABSENT, 0xfffffffffffffff0ULL,
				      0x0010000000000000ULL, 0x40000000, 0x50000000, GUEST_SCRATCH + 2 };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct vcpu *v = vcpu_new(vm_new(0), 0);
		u8 *readonly = host_pages(PAGE_SIZE), *going = host_pages(PAGE_SIZE);

		vcpu_mode_long(v, place_guest, places[i] | 1);
		CHECK_OK(vm_slot(v->vm, 1, 0x40000000, PAGE_SIZE, readonly, KVM_MEM_READONLY));
		CHECK_OK(vm_slot(v->vm, 2, 0x50000000, PAGE_SIZE, going, 0));
		for (int k = 0; k < 3; k++) {
			vcpu_run(v);
			CHECK(v->run->exit_reason == KVM_EXIT_IO, "place %#llx: exit %s", (unsigned long long)places[i],
			      exit_name(v->run->exit_reason));
			if (v->run->io.port == PORT_TRAP)
				break;		/* refused with #GP: as good */
			if (k == 0)
				CHECK_OK(vm_slot(v->vm, 2, 0, 0, NULL, 0));
			if (k == 1)
				munmap(going, PAGE_SIZE);
		}
		EXPECT(*(u64 *)readonly == 0 && *(u64 *)(readonly + 8) == 0, "read-only memory has been written");
		vm_free(v->vm);
		vcpu_free(v);
	}
	guest_passes(0, nothing, 0);
}

GUEST static void tsc_guest(u64 arg)
{
	(void)arg;
	for (;;) {
		out_time = g_rdtsc();
		g_say(0);
	}
}

static void tsc_set_by_program(void)
{
	struct vcpu *v = guest_new(0, tsc_guest, 0);
	const u64 far = 1ULL << 50;
	u64 a, b;

	EXPECT(ioctl(v->fd, KVM_GET_TSC_KHZ, 0) > 0, "KVM_GET_TSC_KHZ");
	vcpu_expect_port(v, PORT_SAY);
	a = G(v->vm, out_time);
	vcpu_expect_port(v, PORT_SAY);
	b = G(v->vm, out_time);
	EXPECT(b > a, "the TSC goes on");
	CHECK_EQ(vcpu_set_msr(v, 0x10, far), 1, "KVM_SET_MSRS of the TSC");
	vcpu_expect_port(v, PORT_SAY);
	a = G(v->vm, out_time);
	EXPECT(a >= far && a < far + far / 4, "the TSC set: %#llx", (unsigned long long)a);
	EXPECT(vcpu_msr(v, 0x10) >= a, "the TSC as the program reads it");
	CHECK_EQ(vcpu_set_msr(v, 0x10, far / 1024), 1, "KVM_SET_MSRS of the TSC");
	vcpu_expect_port(v, PORT_SAY);
	EXPECT(G(v->vm, out_time) < far, "the TSC set back");
}

static const struct test tests[] = {
	TEST(new_msrs), TEST(old_msrs), TEST(get_and_set), TEST(set_reaches_guest), TEST(odd_places),
	TEST(tsc_set_by_program),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Coalesced MMIO and PIO: writes of the guest that wait in the ring of struct kvm_coalesced_mmio_ring until the program looks.
 */
#include <sys/mman.h>

#include "lib/differs.h"
#include "lib/guest.h"
#include "lib/irq.h"

#define ZONE (GUEST_ABSENT + 0x1100)
#define PORT 0x620

#define ENTRIES ((PAGE_SIZE - sizeof(struct kvm_coalesced_mmio_ring)) / sizeof(struct kvm_coalesced_mmio))

static struct kvm_coalesced_mmio_ring *ring_of(struct vcpu *v)
{
	return (void *)((u8 *)v->run + dev_has(KVM_CAP_COALESCED_MMIO) * PAGE_SIZE);
}

static int zone(struct vm *vm, unsigned long call, u64 addr, u32 size, u32 pio)
{
	struct kvm_coalesced_mmio_zone args = { .addr = addr, .size = size, .pio = pio };

	return ioctl(vm->fd, call, &args);
}

static int add(struct vm *vm, u64 addr, u32 size, u32 pio)
{
	return zone(vm, KVM_REGISTER_COALESCED_MMIO, addr, size, pio);
}

static int take(struct vm *vm, u64 addr, u32 size, u32 pio)
{
	return zone(vm, KVM_UNREGISTER_COALESCED_MMIO, addr, size, pio);
}

/* The next entry of the ring is this write; takes it out. */
static void expect_entry(struct vcpu *v, u64 addr, u32 len, u64 value, u32 pio)
{
	struct kvm_coalesced_mmio_ring *ring = ring_of(v);
	struct kvm_coalesced_mmio *e;
	u64 data = 0;

	CHECK(ring->first != ring->last, "the ring is empty; expected a write to %#llx", (unsigned long long)addr);
	e = &ring->coalesced_mmio[ring->first];
	memcpy(&data, e->data, e->len <= 8 ? e->len : 8);
	CHECK_EQ(e->phys_addr, addr, "the address");
	CHECK_EQ(e->len, len, "the length");
	CHECK_EQ(data, value, "the data");
	CHECK_EQ(e->pio, pio, "pio");
	ring->first = (ring->first + 1) % ENTRIES;
}

static void expect_empty(struct vcpu *v)
{
	CHECK_EQ(ring_of(v)->first, ring_of(v)->last, "the ring's last");
}

/* ------------------------------------------------------------------ writes of every kind */

GUEST static void writes_guest(u64 arg)
{
	static const u8 string[] = "vtx";
	u64 n = 3, from = (u64)string;

	(void)arg;
	*(volatile u8 *)ZONE = 0x11;
	*(volatile u16 *)(ZONE + 2) = 0x2222;
	*(volatile u32 *)(ZONE + 4) = 0x33333333;
	*(volatile u64 *)(ZONE + 8) = 0x4444444444444444;
	/* Through the emulator. */
	asm volatile("movw $0x5555, %%ax\n\tpushw %%ax\n\tpopw (%0)" : : "r"(ZONE + 0x10) : "rax", "memory");
	g_outb(PORT, 0x66);
	g_outw(PORT + 2, 0x7777);
	g_outl(PORT + 4, 0x88888888);
	asm volatile("rep outsb" : "+c"(n), "+S"(from) : "d"(PORT) : "memory");
	g_say(0);
	g_done(*(volatile u32 *)ZONE);
}

static void every_write(void)
{
	struct vcpu *v = guest_new(0, writes_guest, 0);

	CHECK_EQ(dev_has(KVM_CAP_COALESCED_MMIO), 2, "KVM_CAP_COALESCED_MMIO");
	CHECK_EQ(dev_has(KVM_CAP_COALESCED_PIO), 1, "KVM_CAP_COALESCED_PIO");
	CHECK_EQ(ioctl(dev_open(), KVM_GET_VCPU_MMAP_SIZE, 0), 3 * PAGE_SIZE, "KVM_GET_VCPU_MMAP_SIZE");
	CHECK_OK(add(v->vm, ZONE, 0x100, 0));
	CHECK_OK(add(v->vm, PORT, 8, 1));
	expect_empty(v);
	vcpu_expect_port(v, PORT_SAY);
	expect_entry(v, ZONE, 1, 0x11, 0);
	expect_entry(v, ZONE + 2, 2, 0x2222, 0);
	expect_entry(v, ZONE + 4, 4, 0x33333333, 0);
	expect_entry(v, ZONE + 8, 8, 0x4444444444444444, 0);
	expect_entry(v, ZONE + 0x10, 2, 0x5555, 0);
	expect_entry(v, PORT, 1, 0x66, 1);
	expect_entry(v, PORT + 2, 2, 0x7777, 1);
	expect_entry(v, PORT + 4, 4, 0x88888888, 1);
	expect_entry(v, PORT, 1, 'v', 1);
	expect_entry(v, PORT, 1, 't', 1);
	expect_entry(v, PORT, 1, 'x', 1);
	expect_empty(v);
	/* A read is the program's to answer. */
	vcpu_expect(v, KVM_EXIT_MMIO);
	CHECK(!v->run->mmio.is_write && v->run->mmio.phys_addr == ZONE, "a read of %#llx", (unsigned long long)v->run->mmio.phys_addr);
	memcpy(v->run->mmio.data, &(u32){ 0x99 }, 4);
	CHECK_EQ(vcpu_finish(v), 0x99, "what was read");
}

/* ------------------------------------------------------------------ edges, other zones */

GUEST static void edges_guest(u64 arg)
{
	(void)arg;
	for (int round = 0; round < 2; round++) {
		*(volatile u32 *)(ZONE - 2) = 1;
		*(volatile u32 *)ZONE = 2;
		*(volatile u32 *)(ZONE + 12) = 3;
		*(volatile u32 *)(ZONE + 14) = 4;
		*(volatile u32 *)(ZONE + 16) = 5;
	}
	g_done(0);
}

static void expect_mmio_write(struct vcpu *v, u64 addr, u32 value)
{
	u32 data;

	vcpu_expect(v, KVM_EXIT_MMIO);
	memcpy(&data, v->run->mmio.data, 4);
	CHECK(v->run->mmio.is_write && v->run->mmio.phys_addr == addr && data == value, "a write of %#x to %#llx", data,
	      (unsigned long long)v->run->mmio.phys_addr);
}

/* All of a write must be in one zone; the others leave, in their place among those that stay. */
static void edges(void)
{
	struct vcpu *v = guest_new(0, edges_guest, 0);

	/* Memory and ports are different worlds. */
	CHECK_OK(add(v->vm, ZONE, 16, 0));
	CHECK_OK(add(v->vm, 0, 0x200, 1));
	expect_mmio_write(v, ZONE - 2, 1);
	expect_empty(v);
	expect_mmio_write(v, ZONE + 14, 4);
	expect_entry(v, ZONE, 4, 2, 0);
	expect_entry(v, ZONE + 12, 4, 3, 0);
	expect_empty(v);
	/* A part of a zone takes all of it away, more than it nothing. */
	CHECK_OK(take(v->vm, ZONE, 17, 0));
	CHECK_OK(take(v->vm, ZONE - 1, 2, 0));
	CHECK_OK(take(v->vm, ZONE, 16, 1));
	expect_mmio_write(v, ZONE + 16, 5);
	expect_mmio_write(v, ZONE - 2, 1);
	CHECK_OK(take(v->vm, ZONE + 4, 4, 0));
	expect_mmio_write(v, ZONE, 2);
	expect_mmio_write(v, ZONE + 12, 3);
	expect_mmio_write(v, ZONE + 14, 4);
	expect_mmio_write(v, ZONE + 16, 5);
	expect_empty(v);
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

/* ------------------------------------------------------------------ the ring */

GUEST static void stream_guest(u64 count)
{
	for (u64 i = 0; i < count; i++)
		*(volatile u32 *)ZONE = (u32)i;
	g_done(0);
}

#define WRITES 1000

/* When the ring is full the write leaves, and none is lost, doubled, or out of order. */
static void full_ring(void)
{
	struct vcpu *v = guest_new(0, stream_guest, WRITES);
	struct kvm_coalesced_mmio_ring *ring = ring_of(v);
	u32 seen = 0, exits = 0, data;

	CHECK_OK(add(v->vm, ZONE, 4, 0));
	for (;;) {
		CHECK_OK(ioctl(v->fd, KVM_RUN, 0));
		while (ring->first != ring->last)
			expect_entry(v, ZONE, 4, seen++, 0);
		if (v->run->exit_reason != KVM_EXIT_MMIO)
			break;
		memcpy(&data, v->run->mmio.data, 4);
		CHECK_EQ(data, seen++, "the write that left");
		exits++;
	}
	CHECK_EQ(seen, WRITES, "the writes");
	EXPECT(exits >= WRITES / ENTRIES, "%u exits", exits);
	/* KVM before 6.12 believes the ring full at some other fill as well. */
	if (device_kind() == DEVICE_VTX)
		EXPECT_EQ(exits, WRITES / ENTRIES, "exits");
	note("%u writes left for the program", exits);
}

/* Indexes that make no sense cost the program its entries, and nobody anything else. */
static void hostile_ring(void)
{
	static const u32 values[] = { ENTRIES, ENTRIES + 1, 0x80000000, 0xffffffff };
	struct vcpu *v = guest_new(0, stream_guest, 4 * ARRAY_SIZE(values));
	struct kvm_coalesced_mmio_ring *ring = ring_of(v);

	CHECK_OK(add(v->vm, ZONE, 4, 0));
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		ring->last = values[i];
		for (int k = 0; k < 4; k++)
			expect_mmio_write(v, ZONE, (u32)(4 * i) + (u32)k);
		EXPECT_EQ(ring->last, values[i], "last");
	}
	ring->last = 0;
	CHECK_EQ(vcpu_finish(v), 0, "the result");

	/* A first that is no entry: the ring is never full, or always. */
	v = guest_new(0, stream_guest, 2 * ENTRIES);
	ring = ring_of(v);
	CHECK_OK(add(v->vm, ZONE, 4, 0));
	ring->first = 0xfffffff0;
	while (!ioctl(v->fd, KVM_RUN, 0) && v->run->exit_reason == KVM_EXIT_MMIO)
		;
	CHECK_EQ(v->run->exit_reason, KVM_EXIT_IO, "the exit");
	EXPECT(ring->last < ENTRIES, "last is %u", ring->last);
}

GUEST static void two_guest(u64 id)
{
	for (u64 i = 0; i < 40; i++)
		*(volatile u32 *)(ZONE + 4 * id) = (u32)i;
	g_done(0);
}

/* One ring for all vCPUs of a VM, in every mapping. */
static void shared_ring(void)
{
	struct vcpu *v = guest_new(0, two_guest, 0), *other = vcpu_new(v->vm, 1);
	struct kvm_coalesced_mmio_ring *ring = ring_of(v);
	u32 next[2] = { 0 };

	vcpu_mode_long(other, two_guest, 1);
	CHECK_OK(add(v->vm, ZONE, 8, 0));
	vcpu_finish(v);
	vcpu_finish(other);
	CHECK_EQ(ring_of(other)->last, ring->last, "last in the other mapping");
	while (ring->first != ring->last) {
		struct kvm_coalesced_mmio *e = &ring->coalesced_mmio[ring->first];
		u64 who = (e->phys_addr - ZONE) / 4;
		u32 data;

		CHECK(who < 2, "a write to %#llx", (unsigned long long)e->phys_addr);
		memcpy(&data, e->data, 4);
		CHECK_EQ(data, next[who]++, "the data");
		ring->first = (ring->first + 1) % ENTRIES;
	}
	EXPECT(next[0] == 40 && next[1] == 40, "%u and %u writes", next[0], next[1]);
}

/* ------------------------------------------------------------------ others at the same place; refusals */

GUEST static void bell_guest(u64 arg)
{
	(void)arg;
	*(volatile u32 *)ZONE = 1;
	*(volatile u32 *)ZONE = 2;
	g_done(0);
}

/* An ioeventfd in a zone, at its beginning, takes what matches it. */
static void beside_ioeventfd(void)
{
	struct vcpu *v = guest_new(0, bell_guest, 0);
	struct kvm_ioeventfd bell = {
		.addr = ZONE, .len = 4, .fd = event(), .flags = KVM_IOEVENTFD_FLAG_DATAMATCH, .datamatch = 1,
	};

	CHECK_OK(ioctl(v->vm->fd, KVM_IOEVENTFD, &bell));
	CHECK_OK(add(v->vm, ZONE, 0x10, 0));
	vcpu_finish(v);
	expect_entry(v, ZONE, 4, 2, 0);
	expect_empty(v);
}

static void refused(void)
{
	struct vm *vm = vm_new(0);

	EXPECT_ERRNO(add(vm, ZONE, 4, 2), EINVAL);
	EXPECT_ERRNO(take(vm, ZONE, 4, 0xffffffff), EINVAL);
	EXPECT_ERRNO(ioctl(vm->fd, KVM_REGISTER_COALESCED_MMIO, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(vm->fd, KVM_UNREGISTER_COALESCED_MMIO, NULL), EFAULT);
	CHECK_OK(take(vm, ZONE, 4, 0));
	/* The same again is no error, and one call takes both away. */
	CHECK_OK(add(vm, ZONE, 4, 0));
	CHECK_OK(add(vm, ZONE, 4, 0));
	CHECK_OK(take(vm, ZONE, 4, 0));
}

/* As many as there can be of each kind. */
static void too_many(void)
{
	struct vm *vm = vm_new(0);
	int n = 0;

	test_timeout(30);
	while (n < 2000 && !add(vm, 0x10000 + 4 * (u64)n, 4, 0))
		n++;
	CHECK_EQ(errno, ENOSPC, "errno");
	EXPECT_EQ(n, 1000, "zones");
	CHECK_OK(add(vm, PORT, 4, 1));
	/* One that holds nothing takes a place, and gives it back. */
	for (int i = 0; i < 2; i++) {
		CHECK_OK(take(vm, 0x10000, 4 * !i, 0));
		CHECK_OK(add(vm, 0x10000, 0, 0));
	}
	EXPECT_ERRNO(add(vm, 0x20000, 4, 0), ENOSPC);
}

static const struct test tests[] = {
	TEST(every_write), TEST(edges), TEST(full_ring), TEST(hostile_ring), TEST(shared_ring),
	TEST(beside_ioeventfd), TEST(refused), TEST(too_many),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

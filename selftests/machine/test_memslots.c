// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_SET_USER_MEMORY_REGION: what is refused and with which errno, read-only slots, moving, deleting, also while
 * the guest runs, and what KVM_RUN does without memory.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../compat/kvm_uapi.h"
#include "lib/guest.h"
#include "lib/vm.h"

#define SLOT_SIZE 0x10000UL

static void refused(void)
{
	struct vm *vm = vm_new(VM_NO_MEMORY);
	u8 *mem = host_pages(SLOT_SIZE);
	u32 slots = (u32)dev_has(KVM_CAP_NR_MEMSLOTS);
	const struct {
		const char *what;
		u32 slot;
		u64 gpa, size;
		u64 hva;
		u32 flags;
		int want;
	} cases[] = {
		{ "misaligned size", 0, 0, 0x1800, (u64)mem, 0, EINVAL },
		{ "size of 1", 0, 0, 1, (u64)mem, 0, EINVAL },
		{ "misaligned gpa", 0, 0x800, 0x1000, (u64)mem, 0, EINVAL },
		{ "misaligned hva", 0, 0, 0x1000, (u64)mem + 0x10, 0, EINVAL },
		{ "gpa that wraps", 0, 0xfffffffffffff000ULL, 0x2000, (u64)mem, 0, EINVAL },
		{ "gpa that wraps to 0", 0, 0xfffffffffffff000ULL, 0x1000, (u64)mem, 0, EINVAL },
		{ "gpa beyond 52 bits", 0, 1ULL << 52, 0x1000, (u64)mem, 0, EINVAL },
		{ "gpa of bit 62", 0, 1ULL << 62, 0x1000, (u64)mem, 0, EINVAL },
		{ "hva that wraps", 0, 0, 0x2000, 0xfffffffffffff000ULL, 0, EINVAL },
		{ "kernel hva", 0, 0, 0x1000, 0xffff888000000000ULL, 0, EINVAL },
		{ "kernel text", 0, 0, 0x1000, 0xffffffff81000000ULL, 0, EINVAL },
		{ "non-canonical hva", 0, 0, 0x1000, 0x8000000000000000ULL, 0, EINVAL },
		{ "hva running into the hole", 0, 0, 0x2000, 0x7ffffffff000ULL, 0, EINVAL },
		{ "too large", 0, 0, 1ULL << 43, 0x1000, 0, EINVAL },
		{ "as large as can be said", 0, 0, 0xfffffffffffff000ULL, 0x1000, 0, EINVAL },
		{ "slot number out of range", slots, 0, 0x1000, (u64)mem, 0, EINVAL },
		{ "slot number ffff", 0xffff, 0, 0x1000, (u64)mem, 0, EINVAL },
		{ "address space 2", 2 << 16, 0, 0x1000, (u64)mem, 0, EINVAL },
		{ "slot number ffffffff", 0xffffffff, 0, 0x1000, (u64)mem, 0, EINVAL },
		{ "reserved flag 8", 0, 0, 0x1000, (u64)mem, 8, EINVAL },
		{ "reserved flag 31", 0, 0, 0x1000, (u64)mem, 0x80000000, EINVAL },
		{ "delete of a slot not there", 7, 0, 0, (u64)mem, 0, EINVAL },
	};

	CHECK(slots >= 32 && slots < 0xffff, "%u slots", slots);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int ret;

		errno = 0;
		ret = vm_slot(vm, cases[i].slot, cases[i].gpa, cases[i].size, (void *)cases[i].hva, cases[i].flags);
		EXPECT(ret == -1 && errno == cases[i].want, "%s: %d", cases[i].what, ret);
	}
	/* None of them left anything behind. */
	CHECK_OK(vm_slot(vm, 0, 0, SLOT_SIZE, mem, 0));
	CHECK_OK(vm_slot(vm, slots - 1, 0x100000, SLOT_SIZE, mem, 0));
}

static void overlap(void)
{
	struct vm *vm = vm_new(VM_NO_MEMORY);
	u8 *mem = host_pages(4 * SLOT_SIZE);

	CHECK_OK(vm_slot(vm, 0, SLOT_SIZE, SLOT_SIZE, mem, 0));
	CHECK_OK(vm_slot(vm, 1, 3 * SLOT_SIZE, SLOT_SIZE, mem, 0));
	EXPECT_ERRNO(vm_slot(vm, 2, SLOT_SIZE, SLOT_SIZE, mem, 0), EEXIST);
	EXPECT_ERRNO(vm_slot(vm, 2, 0, SLOT_SIZE + PAGE_SIZE, mem, 0), EEXIST);
	EXPECT_ERRNO(vm_slot(vm, 2, 2 * SLOT_SIZE - PAGE_SIZE, PAGE_SIZE, mem, 0), EEXIST);
	EXPECT_ERRNO(vm_slot(vm, 2, 0, 4 * SLOT_SIZE, mem, 0), EEXIST);
	EXPECT_ERRNO(vm_slot(vm, 2, SLOT_SIZE + PAGE_SIZE, PAGE_SIZE, mem, 0), EEXIST);
	/* Two slots may show the same memory; touching neighbours are fine. */
	CHECK_OK(vm_slot(vm, 2, 2 * SLOT_SIZE, SLOT_SIZE, mem, 0));
	CHECK_OK(vm_slot(vm, 3, 0, SLOT_SIZE, mem, 0));
	/* Moving onto another is refused as well, and leaves the slot where it was. */
	EXPECT_ERRNO(vm_slot(vm, 3, SLOT_SIZE, SLOT_SIZE, mem, 0), EEXIST);
	EXPECT_ERRNO(vm_slot(vm, 4, 0, SLOT_SIZE, mem, 0), EEXIST);
}

static void change(void)
{
	struct vm *vm = vm_new(VM_NO_MEMORY);
	u8 *mem = host_pages(4 * SLOT_SIZE);

	CHECK_OK(vm_slot(vm, 0, 0, SLOT_SIZE, mem, 0));
	EXPECT_ERRNO(vm_slot(vm, 0, 0, 2 * SLOT_SIZE, mem, 0), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, 0, 0, SLOT_SIZE, mem + SLOT_SIZE, 0), EINVAL);
	EXPECT_ERRNO(vm_slot(vm, 0, 0, SLOT_SIZE, mem, KVM_MEM_READONLY), EINVAL);
	CHECK_OK(vm_slot(vm, 0, 0, SLOT_SIZE, mem, 0));	/* no change at all */
	CHECK_OK(vm_slot(vm, 0, SLOT_SIZE, SLOT_SIZE, mem, 0));	/* a move */
	CHECK_OK(vm_slot(vm, 1, 0, SLOT_SIZE, mem, 0));
	/* Deleting looks at the size alone: base and address may still be there. */
	CHECK_OK(vm_slot(vm, 0, SLOT_SIZE, 0, mem, 0));
	EXPECT_ERRNO(vm_slot(vm, 0, SLOT_SIZE, 0, mem, 0), EINVAL);
	CHECK_OK(vm_slot(vm, 0, SLOT_SIZE, SLOT_SIZE, mem, 0));
	CHECK_OK(vm_slot(vm, 0, 0, 0, NULL, 0));
	CHECK_OK(vm_slot(vm, 1, 0, 0, NULL, 0));
}

static void many(void)
{
	struct vm *vm = vm_new(VM_NO_MEMORY);
	u8 *mem = host_pages(PAGE_SIZE);
	u32 slots = (u32)dev_has(KVM_CAP_NR_MEMSLOTS);

	if (slots > 64)
		slots = 64;
	for (u32 i = 0; i < slots; i++)
		CHECK_OK(vm_slot(vm, i, i * 2 * PAGE_SIZE, PAGE_SIZE, mem, 0));
	for (u32 i = 0; i < slots; i += 2)
		CHECK_OK(vm_slot(vm, i, 0, 0, mem, 0));
	for (u32 i = 1; i < slots; i += 2)
		EXPECT_ERRNO(vm_slot(vm, 0, i * 2 * PAGE_SIZE, PAGE_SIZE, mem, 0), EEXIST);
}

static void no_memory(void)
{
	struct vcpu *v = vcpu_new(vm_new(VM_NO_MEMORY | VM_IRQCHIP), 0);

	vcpu_expect(v, KVM_EXIT_INTERNAL_ERROR);
	EXPECT_EQ(v->run->internal.suberror, KVM_INTERNAL_ERROR_EMULATION, "the suberror");
	vm_free(v->vm);
	/* Without any slot, not even one of its own making, KVM answers ENOSPC: no page-table budget. */
	v = vcpu_new(vm_new(VM_NO_MEMORY), 0);
	if (ioctl(v->fd, KVM_RUN, 0))
		EXPECT_EQ(errno, ENOSPC, "errno");
	else
		EXPECT_EQ(v->run->exit_reason, KVM_EXIT_INTERNAL_ERROR, "the exit");
	vm_free(v->vm);
}

#define DATA 0x40000000UL	/* the second slot, by default */

/* Reads, writes, and reads back one word; the answers go to the test. */
GUEST static void read_write(u64 addr)
{
	g_say(g_read32(addr));
	g_write32(addr, 0xcafe0001);
	g_say(g_read32(addr));
	g_done(0);
}

static void readonly_slot(void)
{
	struct vcpu *v = guest_new(0, read_write, DATA + 0x1008);
	u8 *mem = host_pages(SLOT_SIZE);

	*(u32 *)(mem + 0x1008) = 0x600df00d;
	CHECK_OK(vm_slot(v->vm, 1, DATA, SLOT_SIZE, mem, KVM_MEM_READONLY));
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 0x600df00d, "the word read");
	vcpu_expect(v, KVM_EXIT_MMIO);
	EXPECT_EQ(v->run->mmio.phys_addr, DATA + 0x1008, "the address written");
	EXPECT_EQ(v->run->mmio.is_write, 1, "is_write");
	EXPECT_EQ(v->run->mmio.len, 4, "the length");
	EXPECT_EQ(*(u32 *)v->run->mmio.data, 0xcafe0001, "the data");
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 0x600df00d, "the word read back");
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	EXPECT_EQ(*(u32 *)(mem + 0x1008), 0x600df00d, "the host's word");
}

/* A page the process itself may not write is no read-only slot: KVM_RUN says EFAULT, and goes on when it may. */
static void unwritable_host_page(void)
{
	struct vcpu *v = guest_new(0, read_write, DATA);
	u8 *mem = host_pages(SLOT_SIZE);

	*(u32 *)mem = 1;
	mprotect(mem, SLOT_SIZE, PROT_READ);
	CHECK_OK(vm_slot(v->vm, 1, DATA, SLOT_SIZE, mem, 0));
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 1, "the word read");
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EFAULT);
	EXPECT_EQ(*(u32 *)mem, 1, "the host's word");
	mprotect(mem, SLOT_SIZE, PROT_READ | PROT_WRITE);
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 0xcafe0001, "the word read back");
	EXPECT_EQ(*(u32 *)mem, 0xcafe0001, "the host's word");
}

static void host_address_not_mapped(void)
{
	struct vcpu *v = guest_new(0, read_write, DATA);
	u8 *mem = host_pages(SLOT_SIZE);

	CHECK(!munmap(mem, SLOT_SIZE), "munmap");
	CHECK_OK(vm_slot(v->vm, 1, DATA, SLOT_SIZE, mem, 0));
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EFAULT);
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EFAULT);
	CHECK(mmap(mem, SLOT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == mem,
	      "mmap");
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 0, "the word read");
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 0xcafe0001, "the word read back");
}

GUEST static void read_two(u64 addr)
{
	for (;;) {
		g_say(g_read32(addr));
		g_say(g_read32(addr + 0x1000000));
	}
}

/* Reads the other place through MMIO and answers it. */
static void expect_absent(struct vcpu *v, u64 addr, u32 answer)
{
	vcpu_expect(v, KVM_EXIT_MMIO);
	EXPECT_EQ(v->run->mmio.phys_addr, addr, "the MMIO address");
	EXPECT_EQ(v->run->mmio.is_write, 0, "is_write");
	memcpy(v->run->mmio.data, &answer, 4);
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), answer, "the word through MMIO");
}

static void move_and_delete(void)
{
	struct vcpu *v = guest_new(0, read_two, DATA);
	u8 *mem = host_pages(SLOT_SIZE), *other = host_pages(SLOT_SIZE);

	*(u32 *)mem = 0xaaaa;
	*(u32 *)other = 0xbbbb;
	for (int round = 0; round < 5; round++) {
		CHECK_OK(vm_slot(v->vm, 1, DATA, SLOT_SIZE, mem, 0));
		CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 0xaaaa, "the word in the slot");
		expect_absent(v, DATA + 0x1000000, 1);
		CHECK_OK(vm_slot(v->vm, 1, DATA + 0x1000000, SLOT_SIZE, mem, 0));
		expect_absent(v, DATA, 2);
		CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 0xaaaa, "the word in the moved slot");
		CHECK_OK(vm_slot(v->vm, 2, DATA, SLOT_SIZE, other, 0));
		CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 0xbbbb, "the word in the second slot");
		CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 0xaaaa, "the word in the first");
		CHECK_OK(vm_slot(v->vm, 1, 0, 0, NULL, 0));
		CHECK_OK(vm_slot(v->vm, 2, 0, 0, NULL, 0));
		expect_absent(v, DATA, 3);
		expect_absent(v, DATA + 0x1000000, 4);
		/* Other memory at the same place. */
		CHECK_OK(vm_slot(v->vm, 1, DATA, SLOT_SIZE, other, 0));
		CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 0xbbbb, "the word in the replaced slot");
		expect_absent(v, DATA + 0x1000000, 5);
		CHECK_OK(vm_slot(v->vm, 1, 0, 0, NULL, 0));
	}
}

GUEST static void read_until_changed(u64 addr)
{
	u32 value;

	g_sti();	/* see lib/guest.h: spinning */
	g_say(1);
	while ((value = g_read32(addr)) == 0x5a5a)
		;
	g_done(value);
}

struct deleter {
	struct vm *vm;
	u8 *mem;
};

static void *delete_slot(void *arg)
{
	struct deleter *d = arg;

	usleep(2000);
	CHECK_OK(vm_slot(d->vm, 1, 0, 0, NULL, 0));
	return NULL;
}

/* The slot goes away while the guest spins on it: the next read has to come out as MMIO. */
static void delete_while_running(void)
{
	struct vcpu *v = guest_new(0, read_until_changed, DATA);
	struct deleter d = { v->vm, host_pages(SLOT_SIZE) };
	pthread_t thread;
	u32 answer = 0x77;

	*(u32 *)d.mem = 0x5a5a;
	CHECK_OK(vm_slot(v->vm, 1, DATA, SLOT_SIZE, d.mem, 0));
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 1, "the start");
	CHECK(!pthread_create(&thread, NULL, delete_slot, &d), "pthread_create");
	vcpu_expect(v, KVM_EXIT_MMIO);
	EXPECT_EQ(v->run->mmio.phys_addr, DATA, "the address");
	memcpy(v->run->mmio.data, &answer, 4);
	CHECK_EQ(vcpu_finish(v), answer, "what the guest read last");
	pthread_join(thread, NULL);
}

static void *move_slot(void *arg)
{
	struct deleter *d = arg;

	usleep(2000);
	CHECK_OK(vm_slot(d->vm, 1, DATA + 0x1000000, SLOT_SIZE, d->mem, 0));
	return NULL;
}

static void move_while_running(void)
{
	struct vcpu *v = guest_new(0, read_until_changed, DATA);
	struct deleter d = { v->vm, host_pages(SLOT_SIZE) };
	pthread_t thread;

	*(u32 *)d.mem = 0x5a5a;
	CHECK_OK(vm_slot(v->vm, 1, DATA, SLOT_SIZE, d.mem, 0));
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 1, "the start");
	CHECK(!pthread_create(&thread, NULL, move_slot, &d), "pthread_create");
	vcpu_expect(v, KVM_EXIT_MMIO);
	EXPECT_EQ(v->run->mmio.phys_addr, DATA, "the address");
	pthread_join(thread, NULL);
}

GUEST static void write_and_execute(u64 addr)
{
	u32 (*code)(void) = (u32 (*)(void))addr;

	g_done(code());
}

/* mov eax, imm32; ret, in the last bytes of one slot and the first of the next, whose memory is elsewhere. */
static void code_across_slots(void)
{
	static const u8 insns[] = { 0xb8, 0x21, 0x43, 0x65, 0x07, 0xc3 };
	struct vcpu *v = guest_new(0, write_and_execute, DATA + SLOT_SIZE - 3);
	u8 *first = host_pages(SLOT_SIZE), *second = host_pages(SLOT_SIZE);

	memcpy(first + SLOT_SIZE - 3, insns, 3);
	memcpy(second, insns + 3, 3);
	CHECK_OK(vm_slot(v->vm, 1, DATA, SLOT_SIZE, first, 0));
	CHECK_OK(vm_slot(v->vm, 2, DATA + SLOT_SIZE, SLOT_SIZE, second, KVM_MEM_READONLY));
	CHECK_EQ(vcpu_finish(v), 0x07654321, "the result");
}

/* The later form of the call: its additional fields are not looked at, but for the flag that would make them count. */
static void region2(void)
{
	struct kvm_userspace_memory_region2 region = { .slot = 3, .guest_phys_addr = 0x100000, .memory_size = 2 * PAGE_SIZE };
	struct vm *vm = vm_new(VM_NO_MEMORY);

	if (dev_has(KVM_CAP_USER_MEMORY2) <= 0)
		skip("no KVM_CAP_USER_MEMORY2");
	memset(region.pad2, 0xff, sizeof(region.pad2));
	region.guest_memfd = 77;
	region.userspace_addr = (uintptr_t)host_pages(2 * PAGE_SIZE);
	CHECK_OK(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION2, &region));
	/* It is there: another slot would overlap. */
	region.slot = 4;
	EXPECT_ERRNO(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION2, &region), EEXIST);
	EXPECT_ERRNO(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region), EEXIST);
	region.guest_phys_addr = 0x200000;
	region.flags = KVM_MEM_GUEST_MEMFD;
	EXPECT_ERRNO(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION2, &region), EINVAL);
	region.flags = 0;
	region.memory_size = 123;
	EXPECT_ERRNO(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION2, &region), EINVAL);
	region.slot = 3;
	region.memory_size = 0;
	CHECK_OK(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION2, &region));
	EXPECT_ERRNO(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION2, 16), EFAULT);
}

static const struct test tests[] = {
	TEST(refused), TEST(overlap), TEST(change), TEST(many), TEST(no_memory), TEST(readonly_slot),
	TEST(unwritable_host_page), TEST(host_address_not_mapped), TEST(move_and_delete),
	TEST(delete_while_running), TEST(move_while_running), TEST(code_across_slots), TEST(region2),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

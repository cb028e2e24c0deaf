// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctl interface itself: versions and capabilities, dispatch on the whole command, counted arrays, bad
 * pointers, and file descriptors of the wrong kind.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/differs.h"
#include "lib/guest.h"
#include "lib/vm.h"

/* KVM answers an unknown command with EINVAL on the device and vCPU, with ENOTTY on the VM: both mean "unknown". */
static bool refused(int ret)
{
	return ret == -1 && (errno == ENOTTY || errno == EINVAL);
}

#define EXPECT_REFUSED(call) EXPECT(refused(call), "the command must be unknown")

static void versions(void)
{
	int dev = dev_open();

	CHECK_EQ(ioctl(dev, KVM_GET_API_VERSION, 0), 12, "KVM_GET_API_VERSION");
	EXPECT_ERRNO(ioctl(dev, KVM_GET_API_VERSION, 1), EINVAL);
	EXPECT(run_size() >= 2 * PAGE_SIZE && run_size() % PAGE_SIZE == 0, "mmap size %zu", run_size());
	EXPECT_ERRNO(ioctl(dev, KVM_GET_VCPU_MMAP_SIZE, 1), EINVAL);
}

static void create_vm_types(void)
{
	int dev = dev_open();

	EXPECT_ERRNO(ioctl(dev, KVM_CREATE_VM, 1), EINVAL);
	EXPECT_ERRNO(ioctl(dev, KVM_CREATE_VM, 0x80000000UL), EINVAL);
	EXPECT_ERRNO(ioctl(dev, KVM_CREATE_VM, 1UL << 32), EINVAL);
	EXPECT_ERRNO(ioctl(dev, KVM_CREATE_VM, -1L), EINVAL);
	close((int)CHECK_OK(ioctl(dev, KVM_CREATE_VM, 0)));
}

static void extensions(void)
{
	static const struct {
		const char *name;
		int cap;
		int min;
	} needed[] = {
		{ "IRQCHIP", KVM_CAP_IRQCHIP, 1 }, { "HLT", KVM_CAP_HLT, 1 },
		{ "USER_MEMORY", KVM_CAP_USER_MEMORY, 1 }, { "SET_TSS_ADDR", KVM_CAP_SET_TSS_ADDR, 1 },
		{ "EXT_CPUID", KVM_CAP_EXT_CPUID, 1 }, { "NR_VCPUS", KVM_CAP_NR_VCPUS, 1 },
		{ "MAX_VCPUS", KVM_CAP_MAX_VCPUS, 4 }, { "NR_MEMSLOTS", KVM_CAP_NR_MEMSLOTS, 32 },
		{ "MP_STATE", KVM_CAP_MP_STATE, 1 }, { "IRQ_ROUTING", KVM_CAP_IRQ_ROUTING, 25 },
		{ "IRQ_INJECT_STATUS", KVM_CAP_IRQ_INJECT_STATUS, 1 }, { "PIT2", KVM_CAP_PIT2, 1 },
		{ "DESTROY_MEMORY_REGION_WORKS", KVM_CAP_DESTROY_MEMORY_REGION_WORKS, 1 },
		{ "JOIN_MEMORY_REGIONS_WORKS", KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, 1 },
		{ "IRQFD", KVM_CAP_IRQFD, 1 }, { "IOEVENTFD", KVM_CAP_IOEVENTFD, 1 },
		{ "XCRS", KVM_CAP_XCRS, 0 },	/* 0 where the host has no XSAVE */
		{ "XSAVE", KVM_CAP_XSAVE, 1 }, { "VCPU_EVENTS", KVM_CAP_VCPU_EVENTS, 1 }, { "DEBUGREGS", KVM_CAP_DEBUGREGS, 1 },
		{ "READONLY_MEM", KVM_CAP_READONLY_MEM, 1 }, { "IMMEDIATE_EXIT", KVM_CAP_IMMEDIATE_EXIT, 1 },
	};
	int dev = dev_open();
	struct vm *vm = vm_new(VM_NO_MEMORY);

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		int on_dev = ioctl(dev, KVM_CHECK_EXTENSION, (long)needed[i].cap);
		int on_vm = ioctl(vm->fd, KVM_CHECK_EXTENSION, (long)needed[i].cap);

		EXPECT(on_dev >= needed[i].min, "KVM_CAP_%s is %d", needed[i].name, on_dev);
		EXPECT(on_vm == on_dev, "KVM_CAP_%s is %d on the VM, %d on the device", needed[i].name, on_vm, on_dev);
	}
	/* crosvm compares these with 1. */
	EXPECT_EQ(dev_has(KVM_CAP_IMMEDIATE_EXIT), 1, "KVM_CAP_IMMEDIATE_EXIT");
	EXPECT_EQ(dev_has(KVM_CAP_READONLY_MEM), 1, "KVM_CAP_READONLY_MEM");
	EXPECT_EQ(dev_has(KVM_CAP_MSI_DEVID), 0, "KVM_CAP_MSI_DEVID");
	EXPECT_EQ(dev_has(100000), 0, "an unknown capability");
	EXPECT_EQ(ioctl(dev, KVM_CHECK_EXTENSION, 0x7fffffffUL), 0, "an unknown capability");
	EXPECT_EQ(ioctl(vm->fd, KVM_CHECK_EXTENSION, 100000), 0, "an unknown capability on the VM");
}

static void unknown_commands(void)
{
	struct vcpu *v = vcpu_new_bare(vm_new(VM_NO_MEMORY), 0);
	int fds[] = { dev_open(), v->vm->fd, v->fd };
	u8 buffer[8192] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		EXPECT_REFUSED(ioctl(fds[i], _IO(KVMIO, 0xff), 0));
		EXPECT_REFUSED(ioctl(fds[i], _IOWR(KVMIO, 0xfe, u64), buffer));
		EXPECT_REFUSED(ioctl(fds[i], _IO('x', 0x00), 0));
		EXPECT_REFUSED(ioctl(fds[i], 0, 0));
		EXPECT_REFUSED(ioctl(fds[i], 0xffffffff, buffer));
	}
}

/* The number alone must not select a command: another size or direction is another command. */
static void full_command_dispatch(void)
{
	struct vm *vm = vm_new(VM_NO_MEMORY);
	struct vcpu *v;
	u8 buffer[8192] = { 0 };
	int again;

	EXPECT_REFUSED(ioctl(vm->fd, _IOW(KVMIO, _IOC_NR(KVM_CREATE_VCPU), int), 0));
	EXPECT_REFUSED(ioctl(vm->fd, _IOR(KVMIO, _IOC_NR(KVM_CREATE_VCPU), u64), 0));
	v = vcpu_new_bare(vm, 0);	/* fails with EEXIST if one of them made it */
	EXPECT_REFUSED(ioctl(v->fd, _IOW(KVMIO, _IOC_NR(KVM_RUN), u32), buffer));
	EXPECT_REFUSED(ioctl(v->fd, _IOR(KVMIO, _IOC_NR(KVM_GET_REGS), u32), buffer));
	EXPECT_REFUSED(ioctl(v->fd, _IOW(KVMIO, _IOC_NR(KVM_GET_SREGS), struct kvm_sregs), buffer));
	/* These share their number with a command of the other kind of file. */
	EXPECT_REFUSED(ioctl(vm->fd, KVM_GET_VCPU_EVENTS, buffer));
	EXPECT_REFUSED(ioctl(v->fd, KVM_GET_PIT2, buffer));
	EXPECT_REFUSED(ioctl(v->fd, KVM_SET_PIT2, buffer));
	EXPECT_REFUSED(ioctl(vm->fd, KVM_SET_XSAVE, buffer));
	EXPECT_REFUSED(ioctl(v->fd, KVM_SIGNAL_MSI, buffer));
	again = ioctl(v->fd, KVM_GET_VCPU_EVENTS, buffer);
	EXPECT_EQ(again, 0, "KVM_GET_VCPU_EVENTS");
}

static void wrong_fd(void)
{
	struct vcpu *v = vcpu_new_bare(vm_new(VM_NO_MEMORY), 0);
	int dev = dev_open(), vm = v->vm->fd;
	u8 buffer[8192] = { 0 };

	EXPECT_REFUSED(ioctl(dev, KVM_CREATE_VCPU, 0));
	EXPECT_REFUSED(ioctl(dev, KVM_RUN, 0));
	EXPECT_REFUSED(ioctl(vm, KVM_RUN, 0));
	EXPECT_REFUSED(ioctl(vm, KVM_CREATE_VM, 0));
	EXPECT_REFUSED(ioctl(vm, KVM_GET_REGS, buffer));
	EXPECT_REFUSED(ioctl(v->fd, KVM_CREATE_VCPU, 1));
	EXPECT_REFUSED(ioctl(v->fd, KVM_CREATE_VM, 0));
	EXPECT_REFUSED(ioctl(v->fd, KVM_SET_USER_MEMORY_REGION, buffer));
	EXPECT_REFUSED(ioctl(v->fd, KVM_CREATE_IRQCHIP, 0));
	EXPECT(mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, vm, 0) == MAP_FAILED, "mmap of a VM");
	EXPECT(mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, dev, 0) == MAP_FAILED, "mmap of the device");
	EXPECT(read(v->fd, buffer, 8) == -1, "read of a vCPU");
	EXPECT(write(vm, buffer, 8) == -1, "write to a VM");
}

/* The array sits at the end of a page, nothing behind it: a byte too many is EFAULT. */
static void *at_page_end(size_t size)
{
	size_t pages = (size + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
	u8 *mem = mmap(NULL, pages + PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(mem != MAP_FAILED, "mmap");
	CHECK(!munmap(mem + pages, PAGE_SIZE), "munmap");
	return mem + pages - size;
}

static void supported_cpuid_counts(void)
{
	int dev = dev_open();
	u32 exact = cpuid_supported()->nent;
	size_t size = sizeof(struct kvm_cpuid2) + exact * sizeof(struct kvm_cpuid_entry2);
	struct kvm_cpuid2 *c = at_page_end(size);
	static const u32 huge[] = { 256, 1000, 0x7fffffff, 0xffffffff };

	CHECK(exact >= 8 && exact < 256, "%u entries", exact);
	for (u32 i = 0; i < 3; i++) {
		c->nent = i == 0 ? 0 : i == 1 ? 1 : exact - 1;
		EXPECT_ERRNO(ioctl(dev, KVM_GET_SUPPORTED_CPUID, c), E2BIG);
	}
	c->nent = exact;
	EXPECT_EQ(ioctl(dev, KVM_GET_SUPPORTED_CPUID, c), 0, "with the exact count");
	EXPECT_EQ(c->nent, exact, "the count written back");
	for (size_t i = 0; i < ARRAY_SIZE(huge); i++) {
		memset(c, 0xa5, size);
		c->nent = huge[i];
		EXPECT(!ioctl(dev, KVM_GET_SUPPORTED_CPUID, c), "with a count of %#x", huge[i]);
		EXPECT_EQ(c->nent, exact, "the count written back");
	}
	for (u32 i = 0; i < exact; i++)
		EXPECT(c->entries[i].padding[0] == 0 && c->entries[i].padding[2] == 0, "padding of entry %u", i);
}

static void supported_cpuid_content(void)
{
	static const u32 leaves[] = { 0, 1, 7, 0xd, 0x80000000, 0x80000001, 0x80000008, 0x40000000, 0x40000001 };
	struct kvm_cpuid2 *c = cpuid_supported();
	struct kvm_cpuid_entry2 *e;

	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++)
		EXPECT(cpuid_find(c, leaves[i], 0), "leaf %#x is missing", leaves[i]);
	for (u32 i = 0; i < c->nent; i++)
		for (u32 k = 0; k < i; k++)
			EXPECT(c->entries[i].function != c->entries[k].function ||
			       c->entries[i].index != c->entries[k].index,
			       "leaf %#x, %#x is there twice", c->entries[i].function, c->entries[i].index);
	e = cpuid_find(c, 0x40000000, 0);
	if (e)
		EXPECT(e->ebx == 0x4b4d564b && e->ecx == 0x564b4d56 && e->edx == 0x4d, "signature %#x %#x %#x",
		       e->ebx, e->ecx, e->edx);
	e = cpuid_find(c, 0, 0);
	CHECK(e, "leaf 0");
	EXPECT(e->eax >= 0xd, "largest leaf %#x", e->eax);
}

static void set_cpuid(void)
{
	struct vcpu *v = vcpu_new_bare(vm_new(0), 0);
	struct kvm_cpuid2 *all = cpuid_supported();
	size_t size = sizeof(*all) + 257 * sizeof(all->entries[0]);
	struct kvm_cpuid2 *c = calloc(1, size);

	c->nent = 257;
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_CPUID2, c), E2BIG);
	c->nent = 0xffffffff;
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_CPUID2, c), E2BIG);
	CHECK_OK(ioctl(v->fd, KVM_SET_CPUID2, all));
	c->nent = all->nent - 1;
	EXPECT_ERRNO(ioctl(v->fd, KVM_GET_CPUID2, c), E2BIG);
	c->nent = all->nent;
	CHECK_OK(ioctl(v->fd, KVM_GET_CPUID2, c));
	EXPECT_EQ(c->nent, all->nent, "KVM_GET_CPUID2's count");
	for (u32 i = 0; i < c->nent; i++)
		EXPECT(c->entries[i].function == all->entries[i].function && c->entries[i].eax == all->entries[i].eax,
		       "entry %u: leaf %#x, eax %#x", i, c->entries[i].function, c->entries[i].eax);
}

static void msr_index_list(void)
{
	int dev = dev_open();
	struct kvm_msr_list head = { .nmsrs = 0 };
	struct kvm_msr_list *list;
	u32 count;
	struct vcpu *v;

	EXPECT_ERRNO(ioctl(dev, KVM_GET_MSR_INDEX_LIST, &head), E2BIG);
	count = head.nmsrs;
	CHECK(count > 8 && count < 4096, "%u MSRs", count);
	list = at_page_end(sizeof(*list) + count * sizeof(u32));
	list->nmsrs = count - 1;
	EXPECT_ERRNO(ioctl(dev, KVM_GET_MSR_INDEX_LIST, list), E2BIG);
	EXPECT_EQ(list->nmsrs, count, "the count written back");
	list->nmsrs = count;
	CHECK_OK(ioctl(dev, KVM_GET_MSR_INDEX_LIST, list));
	EXPECT_EQ(list->nmsrs, count, "the count written back");
	list->nmsrs = 0xffffffff;
	CHECK_OK(ioctl(dev, KVM_GET_MSR_INDEX_LIST, list));
	EXPECT_EQ(list->nmsrs, count, "the count written back");

	/* Listed is promised: each can be read, and what was read can be written, on a CPU with all features. */
	v = vcpu_new_bare(vm_new(VM_IRQCHIP), 0);
	CHECK_OK(ioctl(v->fd, KVM_SET_CPUID2, cpuid_supported()));
	for (u32 i = 0; i < count; i++) {
		struct {
			struct kvm_msrs head;
			struct kvm_msr_entry entry;
		} msr = { .head.nmsrs = 1, .entry.index = list->indices[i] };
		int ret = ioctl(v->fd, KVM_GET_MSRS, &msr);

		EXPECT(ret == 1, "KVM_GET_MSRS of %#x returned %d", list->indices[i], ret);
		if (ret != 1)
			continue;
		ret = ioctl(v->fd, KVM_SET_MSRS, &msr);
		EXPECT(ret == 1, "KVM_SET_MSRS of %#x, %#llx returned %d", list->indices[i], msr.entry.data, ret);
	}
}

static void msr_counts(void)
{
	struct vcpu *v = vcpu_new(vm_new(0), 0);
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry e[300];
	} *m = calloc(1, sizeof(*m));

	EXPECT_EQ(ioctl(v->fd, KVM_GET_MSRS, m), 0, "KVM_GET_MSRS of nothing");
	EXPECT_EQ(ioctl(v->fd, KVM_SET_MSRS, m), 0, "KVM_SET_MSRS of nothing");
	for (u32 i = 0; i < 300; i++) {
		m->e[i].index = 0xc0000082;
		m->e[i].data = 0x1000 + i;
	}
	m->head.nmsrs = 300;
	EXPECT_ERRNO(ioctl(v->fd, KVM_GET_MSRS, m), E2BIG);
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_MSRS, m), E2BIG);
	m->head.nmsrs = 0xffffffff;
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_MSRS, m), E2BIG);
	m->head.nmsrs = 255;
	EXPECT_EQ(ioctl(v->fd, KVM_SET_MSRS, m), 255, "KVM_SET_MSRS of 255");
	EXPECT_EQ(ioctl(v->fd, KVM_GET_MSRS, m), 255, "KVM_GET_MSRS of 255");
	EXPECT_EQ(m->e[0].data, 0x1000 + 254, "LSTAR");
	/* An unknown index ends the list; those before it count. */
	m->head.nmsrs = 5;
	m->e[0].data = 0x5000;
	m->e[2].index = 0x12345678;
	EXPECT_EQ(ioctl(v->fd, KVM_GET_MSRS, m), 2, "KVM_GET_MSRS with an unknown third");
	m->e[0].data = m->e[1].data = m->e[3].data = 0x7000;
	EXPECT_EQ(ioctl(v->fd, KVM_SET_MSRS, m), 2, "KVM_SET_MSRS with an unknown third");
	EXPECT_EQ(vcpu_msr(v, 0xc0000082), 0x7000, "LSTAR");
	EXPECT_EQ(vcpu_set_msr(v, 0xc0000082, 0x8000000000000000ULL), 0, "a non-canonical LSTAR");
	EXPECT_EQ(vcpu_set_msr(v, 0xc0000080, 1ULL << 63), 0, "an EFER with reserved bits");
	EXPECT_EQ(vcpu_set_msr(v, 0x277, 0x0808080808080808ULL), 0, "an impossible PAT");
	EXPECT_EQ(vcpu_msr(v, 0xc0000082), 0x7000, "LSTAR");
}

static void bad_pointers(void)
{
	static const unsigned long on_vcpu[] = {
		KVM_GET_REGS, KVM_SET_REGS, KVM_GET_SREGS, KVM_SET_SREGS, KVM_GET_FPU, KVM_SET_FPU, KVM_GET_XSAVE,
		KVM_SET_XSAVE, KVM_GET_XCRS, KVM_SET_XCRS, KVM_GET_MSRS, KVM_SET_MSRS, KVM_SET_CPUID2,
		KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, KVM_GET_MP_STATE,
		KVM_SET_MP_STATE, KVM_GET_LAPIC, KVM_SET_LAPIC, KVM_SET_SIGNAL_MASK, KVM_GET_CPUID2,
	};
	static const unsigned long on_vm[] = {
		KVM_SET_USER_MEMORY_REGION, KVM_IRQ_LINE, KVM_IRQ_LINE_STATUS, KVM_GET_IRQCHIP, KVM_SET_IRQCHIP,
		KVM_GET_PIT2, KVM_SET_PIT2, KVM_SET_GSI_ROUTING, KVM_IRQFD, KVM_IOEVENTFD, KVM_GET_CLOCK,
		KVM_SET_CLOCK, KVM_SIGNAL_MSI,
	};
	void *bad[] = { NULL, (void *)0x1000, (void *)0xffff888000001000UL, (void *)0x8000000000000000UL, NULL };
	struct vcpu *v = vcpu_new(vm_new(VM_IRQCHIP | VM_PIT), 0);
	u8 *edge = at_page_end(1);

	bad[4] = edge;		/* the structure begins in the page and ends outside */
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
		for (size_t i = 0; i < ARRAY_SIZE(on_vcpu); i++) {
			if (on_vcpu[i] == KVM_SET_SIGNAL_MASK && !bad[k])
				continue;	/* NULL means "no mask" */
			errno = 0;
			EXPECT(ioctl(v->fd, on_vcpu[i], bad[k]) == -1 && errno == EFAULT, "vCPU command %#lx, %p",
			       on_vcpu[i], bad[k]);
		}
		for (size_t i = 0; i < ARRAY_SIZE(on_vm); i++) {
			errno = 0;
			EXPECT(ioctl(v->vm->fd, on_vm[i], bad[k]) == -1 && errno == EFAULT, "VM command %#lx, %p",
			       on_vm[i], bad[k]);
		}
	}
}

static sigjmp_buf bus_error;

static void on_bus_error(int sig)
{
	(void)sig;
	siglongjmp(bus_error, 1);
}

static void run_page_mapping(void)
{
	struct vcpu *v = vcpu_new_bare(vm_new(VM_NO_MEMORY), 0);
	volatile u8 *mem, *second;
	size_t pages = run_size() / PAGE_SIZE;

	mem = mmap(NULL, (pages + 4) * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	CHECK(mem != MAP_FAILED, "mmap beyond the size is granted, the pages are not");
	v->run->immediate_exit = 1;
	EXPECT_EQ(((volatile struct kvm_run *)mem)->immediate_exit, 1, "the two mappings are the same memory");
	second = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, v->fd, 0);
	if (second != MAP_FAILED)
		(void)second[0];
	signal(SIGBUS, on_bus_error);
	for (size_t i = pages; i < pages + 4; i++) {
		if (!sigsetjmp(bus_error, 1)) {
			(void)mem[i * PAGE_SIZE];
			EXPECT(false, "page %zu of the run mapping can be read", i);
		}
	}
	/* The mapping outlives the descriptor. */
	close(v->fd);
	EXPECT_EQ(v->run->immediate_exit, 1, "the run page after close");
}

GUEST static void nothing(u64 arg)
{
	(void)arg;
}

static void cpuid_frozen_after_run(void)
{
	struct vcpu *v = guest_new(0, nothing, 0);
	struct kvm_cpuid2 *c = cpuid_supported();
	struct kvm_cpuid_entry2 *e = cpuid_find(c, 0, 0);

	CHECK_EQ(vcpu_finish(v), 0, "the result");
	e->ebx ^= 0x01010101;
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_CPUID2, c), EINVAL);
}

static const struct test tests[] = {
	TEST(versions), TEST(create_vm_types), TEST(extensions), TEST(unknown_commands),
	TEST(full_command_dispatch), TEST(wrong_fd), TEST(supported_cpuid_counts), TEST(supported_cpuid_content),
	TEST(set_cpuid), TEST(msr_index_list), TEST(msr_counts), TEST(bad_pointers), TEST(run_page_mapping),
	TEST(cpuid_frozen_after_run),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

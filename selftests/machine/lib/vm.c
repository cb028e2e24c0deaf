// SPDX-License-Identifier: GPL-2.0-only
/*
 * Creating VMs and vCPUs and running them (see vm.h); the CPU modes are in modes.c.
 */
#include <linux/kvm_para.h>

#include "lib/vm.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../../compat/kvm_uapi.h"
#include "lib/differs.h"
#include "lib/guest.h"

extern const u8 __executable_start[], end[];

int dev_open(void)
{
	static int fd = -1;

	if (fd >= 0)
		return fd;
	fd = open(device_path(), O_RDWR | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENXIO || errno == ENODEV))
		skip("%s: %s", device_path(), strerror(errno));
	if (fd < 0)
		FAIL("open %s", device_path());
	return fd;
}

int dev_has(int cap)
{
	return ioctl(dev_open(), KVM_CHECK_EXTENSION, (long)cap);
}

size_t run_size(void)
{
	static long size;

	if (!size)
		size = CHECK_OK(ioctl(dev_open(), KVM_GET_VCPU_MMAP_SIZE, 0));
	return (size_t)size;
}

/*
 * Newer kernels align large mappings to huge pages. The program's image would then be copied to where each page falls on the same entry of
 * Bochs's TLB (direct-mapped, 8 MiB) as the page it comes from, and each byte of REP MOVSB would miss it twice: ten times slower.
 */
#define OUT_OF_STEP 0x100000UL

void *host_pages(u64 size)
{
	u8 *mem = mmap(NULL, size + OUT_OF_STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (mem == MAP_FAILED)
		FAIL("mmap of %llu bytes", (unsigned long long)size);
	munmap(mem, OUT_OF_STEP);
	return mem + OUT_OF_STEP;
}

static void *shared_pages(u64 size)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);
	void *mem;

	CHECK(fd >= 0 && !ftruncate(fd, (off_t)size), "memfd");
	mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED)
		FAIL("mmap of %llu shared bytes", (unsigned long long)size);
	close(fd);
	return mem;
}

void vm_zap(struct vm *vm, u64 gpa, u64 size)
{
	CHECK(!madvise(vm->mem + gpa, size, MADV_DONTNEED), "MADV_DONTNEED");
}

int vm_slot(struct vm *vm, u32 slot, u64 gpa, u64 size, void *mem, u32 flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)mem,
	};

	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

struct vm *vm_new(unsigned int flags)
{
	return vm_new_sized(flags, GUEST_MEMORY);
}

int enable_cap(struct vm *vm, u32 cap, u64 arg)
{
	struct kvm_enable_cap in = { .cap = cap, .args = { arg } };

	return ioctl(vm->fd, KVM_ENABLE_CAP, &in);
}

int enable_vcpu_cap(struct vcpu *v, u32 cap, u64 arg)
{
	struct kvm_enable_cap in = { .cap = cap, .args = { arg } };

	return ioctl(v->fd, KVM_ENABLE_CAP, &in);
}

void vcpu_hide_kvm_feature(struct vcpu *v, unsigned int feature)
{
	struct kvm_cpuid2 *cpuid = cpuid_supported();
	struct kvm_cpuid_entry2 *e = cpuid_find(cpuid, KVM_CPUID_FEATURES, 0);
	u32 eax = e->eax;

	e->eax &= ~(1U << feature);
	CHECK_OK(ioctl(v->fd, KVM_SET_CPUID2, cpuid));
	e->eax = eax;
}

struct vm *vm_new_sized(unsigned int flags, u64 size)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	uintptr_t image = (uintptr_t)__executable_start;

	vm->fd = (int)CHECK_OK(ioctl(dev_open(), KVM_CREATE_VM, 0));
	vm->next_pt = GUEST_PT;
	vm->flags = flags;
	if (ioctl(dev_open(), KVM_CHECK_EXTENSION, (long)KVM_CAP_SET_TSS_ADDR) > 0)
		CHECK_OK(ioctl(vm->fd, KVM_SET_TSS_ADDR, 0xfffbd000UL));
	if (flags & VM_IRQCHIP)
		CHECK_OK(ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0));
	if (flags & VM_SPLIT)
		CHECK_OK(enable_cap(vm, KVM_CAP_SPLIT_IRQCHIP, 24));
	if (flags & VM_PIT) {
		struct kvm_pit_config pit = { .flags = 0 };

		CHECK_OK(ioctl(vm->fd, KVM_CREATE_PIT2, &pit));
	}
	if (flags & VM_NO_MEMORY)
		return vm;
	vm->size = size;
	vm->mem = flags & VM_SHARED ? shared_pages(size) : host_pages(size);
	CHECK((uintptr_t)end < GUEST_FREE, "the program's image is too large");
	memcpy(vm->mem + image, __executable_start, (uintptr_t)end - image);
	CHECK_OK(vm_slot(vm, 0, 0, size, vm->mem, 0));
	return vm;
}

void vm_free(struct vm *vm)
{
	close(vm->fd);
	if (vm->mem)
		munmap(vm->mem, vm->size);
	free(vm);
}

struct kvm_cpuid2 *cpuid_supported(void)
{
	static struct kvm_cpuid2 *cpuid;

	if (cpuid)
		return cpuid;
	cpuid = calloc(1, sizeof(*cpuid) + 256 * sizeof(cpuid->entries[0]));
	cpuid->nent = 256;
	CHECK_OK(ioctl(dev_open(), KVM_GET_SUPPORTED_CPUID, cpuid));
	return cpuid;
}

struct kvm_cpuid_entry2 *cpuid_find(struct kvm_cpuid2 *cpuid, u32 leaf, u32 index)
{
	for (u32 i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

		if (e->function == leaf &&
		    (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == index))
			return e;
	}
	return NULL;
}

bool guest_has_avx(void)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(cpuid_supported(), 1, 0);

	return e && (e->ecx & (1u << 26)) && (e->ecx & (1u << 28)); /* XSAVE, AVX */
}

struct vcpu *vcpu_new_bare(struct vm *vm, int id)
{
	struct vcpu *v = calloc(1, sizeof(*v));

	v->vm = vm;
	v->id = id;
	v->fd = (int)CHECK_OK(ioctl(vm->fd, KVM_CREATE_VCPU, (long)id));
	v->run = mmap(NULL, run_size(), PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (v->run == MAP_FAILED)
		FAIL("mmap of the vCPU's run page");
	return v;
}

bool apicv_on(void)
{
	int fd = open("/sys/module/vtx/parameters/enable_apicv", O_RDONLY | O_CLOEXEC);
	char on = 'N';

	if (fd >= 0) {
		(void)!read(fd, &on, 1);
		close(fd);
	}
	return on == 'Y';
}

/*
 * With APIC virtualization in Bochs nothing may end the delivery of an interrupt in an exit (docs/errata.md): the memory is mapped before the
 * guest runs.
 */
static void map_all(struct vcpu *v)
{
	struct kvm_pre_fault_memory range = { .size = v->vm->size };

	if (apicv_on() && v->vm->mem && !madvise(v->vm->mem, v->vm->size, MADV_POPULATE_WRITE))
		(void)!ioctl(v->fd, KVM_PRE_FAULT_MEMORY, &range);
}

struct vcpu *vcpu_new(struct vm *vm, int id)
{
	struct kvm_cpuid2 *all = cpuid_supported();
	struct vcpu *v = vcpu_new_bare(vm, id);
	size_t size = sizeof(*all) + all->nent * sizeof(all->entries[0]);
	struct kvm_cpuid2 *own = malloc(size);
	struct kvm_cpuid_entry2 *e;

	memcpy(own, all, size);
	e = cpuid_find(own, 1, 0);
	if (e) {
		e->ebx = (e->ebx & 0xffffff) | (u32)id << 24;
		/* The TSC-deadline timer is a capability of the local APIC, not of the supported CPUID. */
		if (vm->flags & (VM_IRQCHIP | VM_SPLIT) && dev_has(KVM_CAP_TSC_DEADLINE_TIMER) > 0)
			e->ecx |= 1u << 24;
		e->ecx &= ~(1u << 5); /* no VMX in the guest, also where the device would nest */
	}
	for (u32 i = 0; i < own->nent; i++)
		if (own->entries[i].function == 0xb || own->entries[i].function == 0x1f)
			own->entries[i].edx = (u32)id;
	CHECK_OK(ioctl(v->fd, KVM_SET_CPUID2, own));
	free(own);
	map_all(v);
	return v;
}

void vcpu_free(struct vcpu *v)
{
	munmap(v->run, run_size());
	close(v->fd);
	free(v);
}

struct kvm_regs vcpu_regs(struct vcpu *v)
{
	struct kvm_regs regs;

	CHECK_OK(ioctl(v->fd, KVM_GET_REGS, &regs));
	return regs;
}

void vcpu_set_regs(struct vcpu *v, const struct kvm_regs *regs)
{
	CHECK_OK(ioctl(v->fd, KVM_SET_REGS, regs));
}

struct kvm_sregs vcpu_sregs(struct vcpu *v)
{
	struct kvm_sregs sregs;

	CHECK_OK(ioctl(v->fd, KVM_GET_SREGS, &sregs));
	return sregs;
}

struct one_msr {
	struct kvm_msrs head;
	struct kvm_msr_entry entry;
};

u64 vcpu_msr(struct vcpu *v, u32 index)
{
	struct one_msr msr = { .head.nmsrs = 1, .entry.index = index };
	int ret = ioctl(v->fd, KVM_GET_MSRS, &msr);

	if (ret != 1)
		FAIL("KVM_GET_MSRS of %#x returned %d", index, ret);
	return msr.entry.data;
}

int vcpu_set_msr(struct vcpu *v, u32 index, u64 value)
{
	struct one_msr msr = { .head.nmsrs = 1, .entry.index = index, .entry.data = value };

	return ioctl(v->fd, KVM_SET_MSRS, &msr);
}

const char *exit_name(u32 reason)
{
	static const char *const names[] = {
		[KVM_EXIT_UNKNOWN] = "UNKNOWN", [KVM_EXIT_EXCEPTION] = "EXCEPTION", [KVM_EXIT_IO] = "IO",
		[KVM_EXIT_HYPERCALL] = "HYPERCALL", [KVM_EXIT_DEBUG] = "DEBUG", [KVM_EXIT_HLT] = "HLT",
		[KVM_EXIT_MMIO] = "MMIO", [KVM_EXIT_IRQ_WINDOW_OPEN] = "IRQ_WINDOW_OPEN",
		[KVM_EXIT_SHUTDOWN] = "SHUTDOWN", [KVM_EXIT_FAIL_ENTRY] = "FAIL_ENTRY",
		[KVM_EXIT_INTR] = "INTR", [KVM_EXIT_SET_TPR] = "SET_TPR",
		[KVM_EXIT_TPR_ACCESS] = "TPR_ACCESS", [KVM_EXIT_INTERNAL_ERROR] = "INTERNAL_ERROR",
		[KVM_EXIT_SYSTEM_EVENT] = "SYSTEM_EVENT", [KVM_EXIT_IOAPIC_EOI] = "IOAPIC_EOI",
	};

	return reason < ARRAY_SIZE(names) && names[reason] ? names[reason] : "?";
}

static void describe_exit(struct vcpu *v)
{
	struct kvm_run *run = v->run;

	note("vcpu%d: exit %u %s", v->id, run->exit_reason, exit_name(run->exit_reason));
	if (run->exit_reason == KVM_EXIT_IO)
		note("  port %#x %s size %u count %u", run->io.port, run->io.direction ? "out" : "in",
		     run->io.size, run->io.count);
	else if (run->exit_reason == KVM_EXIT_MMIO)
		note("  mmio %#llx %s len %u data %#llx", (unsigned long long)run->mmio.phys_addr,
		     run->mmio.is_write ? "write" : "read", run->mmio.len,
		     *(unsigned long long *)run->mmio.data);
	else if (run->exit_reason == KVM_EXIT_FAIL_ENTRY)
		note("  hardware reason %#llx", (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
	else if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR)
		note("  suberror %u, data %u: %#llx %#llx", run->internal.suberror, run->internal.ndata,
		     (unsigned long long)run->internal.data[0], (unsigned long long)run->internal.data[1]);
}

void vcpu_fail(struct vcpu *v, const char *what)
{
	struct kvm_regs r;
	struct kvm_sregs s;

	describe_exit(v);
	if (!ioctl(v->fd, KVM_GET_REGS, &r) && !ioctl(v->fd, KVM_GET_SREGS, &s)) {
		note("  rip %#llx flags %#llx rsp %#llx cs %#x cr0 %#llx cr2 %#llx cr3 %#llx cr4 %#llx efer %#llx",
		     r.rip, r.rflags, r.rsp, s.cs.selector, s.cr0, s.cr2, s.cr3, s.cr4, s.efer);
		note("  rax %#llx rbx %#llx rcx %#llx rdx %#llx rsi %#llx rdi %#llx", r.rax, r.rbx, r.rcx, r.rdx,
		     r.rsi, r.rdi);
	}
	FAIL("%s", what);
}

void vcpu_run(struct vcpu *v)
{
	while (ioctl(v->fd, KVM_RUN, 0)) {
		/* EAGAIN: a CPU that waited for its SIPI has got it. */
		if (errno == EINTR || errno == EAGAIN)
			continue;
		note("KVM_RUN: %s", strerror(errno));
		vcpu_fail(v, "KVM_RUN failed");
	}
}

/* The guest's own complaints end the case; tells whether the exit is one. */
static void check_complaint(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	struct vm *vm = v->vm;

	if (run->exit_reason != KVM_EXIT_IO || run->io.direction != KVM_EXIT_IO_OUT || run->io.size != 4 || !vm->mem)
		return;
	if (run->io.port == PORT_TRAP) {
		note("guest: unexpected exception %d, error %#llx, rip %#llx, cr2 %#llx", G(vm, g_trap).vector,
		     (unsigned long long)G(vm, g_trap).error, (unsigned long long)G(vm, g_trap).rip,
		     (unsigned long long)G(vm, g_trap).cr2);
		FAIL("the guest took an exception");
	}
	if (run->io.port == PORT_FAIL) {
		note("guest: line %llu: %s: got %#llx, expected %#llx", (unsigned long long)G(vm, g_fail_line),
		     G(vm, g_fail_text), (unsigned long long)G(vm, g_fail_a), (unsigned long long)G(vm, g_fail_b));
		FAIL("a check of the guest failed");
	}
}

void vcpu_expect(struct vcpu *v, u32 exit_reason)
{
	vcpu_run(v);
	check_complaint(v);
	if (v->run->exit_reason != exit_reason) {
		note("expected %s", exit_name(exit_reason));
		vcpu_fail(v, "unexpected exit");
	}
}

u32 vcpu_expect_port(struct vcpu *v, u16 port)
{
	struct kvm_run *run = v->run;

	vcpu_expect(v, KVM_EXIT_IO);
	if (run->io.port != port || run->io.direction != KVM_EXIT_IO_OUT || run->io.size != 4) {
		note("expected a word on port %#x", port);
		vcpu_fail(v, "unexpected I/O");
	}
	return *(u32 *)((u8 *)run + run->io.data_offset);
}

u32 vcpu_finish(struct vcpu *v)
{
	return vcpu_expect_port(v, PORT_DONE);
}

static void *finish_in_thread(void *arg)
{
	return (void *)(uintptr_t)vcpu_finish(arg);
}

pthread_t vcpu_start(struct vcpu *v)
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, finish_in_thread, v), "pthread_create");
	return thread;
}

u32 vcpu_join(pthread_t thread)
{
	void *result;

	CHECK(!pthread_join(thread, &result), "pthread_join");
	return (u32)(uintptr_t)result;
}

static void ignore_signal(int sig)
{
	(void)sig;
}

void quiet_signal(void)
{
	struct sigaction action = { .sa_handler = ignore_signal };

	sigaction(SIGUSR1, &action, NULL);
}

void set_mp_state(struct vcpu *v, u32 state)
{
	struct kvm_mp_state mp = { .mp_state = state };

	CHECK_OK(ioctl(v->fd, KVM_SET_MP_STATE, &mp));
}

struct vcpu *guest_new(unsigned int vm_flags, void (*entry)(u64), u64 arg)
{
	struct vcpu *v = vcpu_new(vm_new(vm_flags), 0);

	vcpu_mode_long(v, entry, arg);
	return v;
}

void guest_passes(unsigned int vm_flags, void (*entry)(u64), u64 arg)
{
	struct vcpu *v = guest_new(vm_flags, entry, arg);

	CHECK_EQ(vcpu_finish(v), 0, "the guest's result");
	vm_free(v->vm);
	vcpu_free(v);
}

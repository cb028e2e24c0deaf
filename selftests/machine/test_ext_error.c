// SPDX-License-Identifier: GPL-2.0-only
/*
 * VTX_SET_EXT_ERROR itself: what it refuses, whose calls a buffer explains and whose not, and that it never changes what a call
 * does. The reasons, code by code, are in test_refusals.c.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/differs.h"
#include "lib/ext_error.h"
#include "lib/guest.h"
#include "lib/vm.h"

#define SIZE sizeof(struct vtx_ext_error)

static void attach(int fd, struct vtx_ext_error *why)
{
	CHECK_OK(ext_error_register(fd, why, SIZE, 0));
	ext_error_poison(why);
}

/* Three calls that are refused, with what they were given. */
static int bad_vm_call(int fd, u32 flags)
{
	struct kvm_clock_data clock = { .flags = flags << 4 };

	return ioctl(fd, KVM_SET_CLOCK, &clock);
}

static int bad_vcpu_call(int fd, u64 dr6)
{
	struct kvm_debugregs d = { .dr6 = dr6 << 32 };

	return ioctl(fd, KVM_SET_DEBUGREGS, &d);
}

static int bad_dev_call(int fd, unsigned long type)
{
	return ioctl(fd, KVM_CREATE_VM, type);
}

static void expect_reason(const struct vtx_ext_error *e, u32 code, u32 cmd, u64 found)
{
	EXPECT_EQ(e->code, code, "code");
	EXPECT_EQ(e->cmd, cmd, "cmd");
	EXPECT_EQ(e->found, found, "found");
	EXPECT_EQ(e->error, EINVAL, "error");
}

static void capability(void)
{
	struct vm *vm = vm_new(VM_NO_MEMORY);

	EXPECT_EQ(dev_has(VTX_CAP_EXT_ERROR), 1, "VTX_CAP_EXT_ERROR");
	EXPECT_EQ(ioctl(vm->fd, KVM_CHECK_EXTENSION, (long)VTX_CAP_EXT_ERROR), 1, "VTX_CAP_EXT_ERROR of a VM");
	EXPECT(dev_has(VTX_CAP_VTX) >= 2, "the version of the interface");
}

/* Each refused, explained in the buffer that was there before, which goes on. */
static void registration_refused(void)
{
	u8 *page = host_pages(3 * PAGE_SIZE);
	struct vcpu *v = vcpu_new_bare(vm_new(VM_NO_MEMORY), 0);
	int fds[] = { dev_open(), v->vm->fd, v->fd };
	struct vtx_ext_error why;

	CHECK(!mprotect(page + PAGE_SIZE, PAGE_SIZE, PROT_READ), "mprotect");
	CHECK(!munmap(page + 2 * PAGE_SIZE, PAGE_SIZE), "munmap");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		attach(fds[i], &why);
		EXPECT_ERRNO(ext_error_register(fds[i], page, 0, 0), EINVAL);
		EXPECT_EQ(why.code, VTX_ERROR_EXT_ERROR_SIZE, "the reason");
		EXPECT_EQ(why.cmd, VTX_SET_EXT_ERROR, "the command");
		EXPECT_ERRNO(ext_error_register(fds[i], page, SIZE + 1, 0), EINVAL);
		EXPECT_ERRNO(ext_error_register(fds[i], page, ~0u, 0), EINVAL);
		EXPECT_ERRNO(ext_error_register(fds[i], page, SIZE, 1), EINVAL);
		EXPECT_EQ(why.code, VTX_ERROR_EXT_ERROR_FLAGS, "the reason");
		EXPECT_ERRNO(ext_error_register(fds[i], NULL, 0, 0x80000000), EINVAL);
		EXPECT_ERRNO(ext_error_register(fds[i], page + PAGE_SIZE, SIZE, 0), EFAULT);
		EXPECT_EQ(why.code, VTX_ERROR_EXT_ERROR_ADDRESS, "the reason");
		EXPECT_ERRNO(ext_error_register(fds[i], page + 2 * PAGE_SIZE - 8, SIZE, 0), EFAULT);
		EXPECT_ERRNO(ext_error_register(fds[i], page + PAGE_SIZE - 8, SIZE, 0), EFAULT);
		EXPECT_ERRNO(ext_error_register(fds[i], (void *)0xffffffff81000000, SIZE, 0), EFAULT);
		EXPECT_ERRNO(ext_error_register(fds[i], (void *)0x7fffffffefff, SIZE, 0), EFAULT);
		EXPECT_ERRNO(ext_error_register(fds[i], (void *)(~0ull - 7), SIZE, 0), EFAULT);
		EXPECT_EQ(why.found, ~0ull - 7, "the last address");
		EXPECT_ERRNO(ioctl(fds[i], VTX_SET_EXT_ERROR, 8), EFAULT);
		EXPECT_EQ(why.code, VTX_ERROR_ARGUMENT_UNREADABLE, "the reason");
		CHECK_OK(ext_error_register(fds[i], NULL, 0, 0));
	}
}

/* Only after a call that fails; not before, not after one that succeeds, not after the end. */
static void when(void)
{
	struct vm *vm = vm_new(VM_NO_MEMORY);
	struct kvm_clock_data clock;
	struct vtx_ext_error why;

	ext_error_poison(&why);
	EXPECT_ERRNO(bad_vm_call(vm->fd, 1), EINVAL);
	EXPECT(ext_error_untouched(&why), "never registered");

	CHECK_OK(ext_error_register(vm->fd, &why, SIZE, 0));
	EXPECT(ext_error_untouched(&why), "registering");
	CHECK_OK(ioctl(vm->fd, KVM_GET_CLOCK, &clock));
	EXPECT(ext_error_untouched(&why), "a call that succeeds");
	EXPECT_ERRNO(bad_vm_call(vm->fd, 5), EINVAL);
	expect_reason(&why, VTX_ERROR_CLOCK_FLAGS, KVM_SET_CLOCK, 0x50);

	ext_error_poison(&why);
	CHECK_OK(ioctl(vm->fd, KVM_GET_CLOCK, &clock));
	EXPECT(ext_error_untouched(&why), "a call that succeeds");
	CHECK_OK(ext_error_register(vm->fd, NULL, 17, 0));
	EXPECT_ERRNO(bad_vm_call(vm->fd, 5), EINVAL);
	EXPECT(ext_error_untouched(&why), "ended");
	CHECK_OK(ext_error_register(vm->fd, NULL, 0, 0));
}

/* A second registration takes the first one's place. */
static void another_buffer(void)
{
	struct vm *vm = vm_new(VM_NO_MEMORY);
	struct vtx_ext_error first, second;

	attach(vm->fd, &first);
	attach(vm->fd, &second);
	EXPECT_ERRNO(bad_vm_call(vm->fd, 3), EINVAL);
	EXPECT(ext_error_untouched(&first), "the first buffer");
	expect_reason(&second, VTX_ERROR_CLOCK_FLAGS, KVM_SET_CLOCK, 0x30);
}

/* Refused without an explanation: the last one's is not left there. */
static void no_explanation(void)
{
	struct vcpu *v = vcpu_new_bare(vm_new(VM_NO_MEMORY), 0);
	struct vtx_ext_error why;

	attach(v->fd, &why);
	EXPECT_ERRNO(bad_vcpu_call(v->fd, 1), EINVAL);
	EXPECT_EQ(why.code, VTX_ERROR_DEBUGREGS_DR6, "code");
	v->run->immediate_exit = 1;
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EINTR);
	EXPECT_EQ(why.code, VTX_ERROR_NONE, "code");
	EXPECT_EQ(why.error, EINTR, "error");
	EXPECT_EQ(why.cmd, KVM_RUN, "cmd");
	EXPECT_EQ(why.offset, NO_FIELD, "offset");
	EXPECT(!why.found && !why.allowed && !why.name[0] && !why.text[0], "an explanation is left");
}

/* Each descriptor by itself; a copy of one is the same. */
static void whose(void)
{
	struct vcpu *v = vcpu_new_bare(vm_new(VM_NO_MEMORY), 0), *other = vcpu_new_bare(v->vm, 1);
	int dev = dev_open(), dev2 = open(device_path(), O_RDWR), copy = dup(v->vm->fd);
	struct vtx_ext_error on_vm, on_vcpu, on_dev;

	CHECK(dev2 >= 0 && copy >= 0, "open, dup");
	attach(v->vm->fd, &on_vm);
	EXPECT_ERRNO(bad_vcpu_call(v->fd, 1), EINVAL);
	EXPECT_ERRNO(bad_dev_call(dev, 1), EINVAL);
	EXPECT(ext_error_untouched(&on_vm), "the VM's buffer after calls of a vCPU and the device");
	EXPECT_ERRNO(bad_vm_call(copy, 2), EINVAL);
	expect_reason(&on_vm, VTX_ERROR_CLOCK_FLAGS, KVM_SET_CLOCK, 0x20);

	attach(v->fd, &on_vcpu);
	attach(dev, &on_dev);
	ext_error_poison(&on_vm);
	EXPECT_ERRNO(bad_vcpu_call(other->fd, 1), EINVAL);
	EXPECT_ERRNO(bad_dev_call(dev2, 1), EINVAL);
	EXPECT(ext_error_untouched(&on_vcpu), "another vCPU's call");
	EXPECT(ext_error_untouched(&on_dev), "another open of the device");
	EXPECT_ERRNO(bad_vcpu_call(v->fd, 7), EINVAL);
	expect_reason(&on_vcpu, VTX_ERROR_DEBUGREGS_DR6, KVM_SET_DEBUGREGS, 7ull << 32);
	EXPECT_ERRNO(bad_dev_call(dev, 6), EINVAL);
	expect_reason(&on_dev, VTX_ERROR_VM_TYPE, KVM_CREATE_VM, 6);
	EXPECT(ext_error_untouched(&on_vm), "the VM's buffer");
	close(v->vm->fd);
	EXPECT_ERRNO(bad_vm_call(copy, 4), EINVAL);
	EXPECT_EQ(on_vm.found, 0x40, "found, by the copy");
}

/* The buffer is taken away: the call's errno is its own. */
static void buffer_gone(void)
{
	struct vm *vm = vm_new(VM_NO_MEMORY);
	u8 *pages = host_pages(2 * PAGE_SIZE);

	CHECK_OK(ext_error_register(vm->fd, pages + PAGE_SIZE - 64, SIZE, 0));
	EXPECT_ERRNO(bad_vm_call(vm->fd, 1), EINVAL);
	CHECK(!mprotect(pages, 2 * PAGE_SIZE, PROT_READ), "mprotect");
	EXPECT_ERRNO(bad_vm_call(vm->fd, 1), EINVAL);
	EXPECT_ERRNO(ioctl(vm->fd, KVM_RUN, 0), ENOTTY);
	CHECK(!munmap(pages + PAGE_SIZE, PAGE_SIZE), "munmap");
	EXPECT_ERRNO(bad_vm_call(vm->fd, 1), EINVAL);
	CHECK(!munmap(pages, PAGE_SIZE), "munmap");
	EXPECT_ERRNO(bad_vm_call(vm->fd, 1), EINVAL);
	EXPECT_EQ(ioctl(vm->fd, KVM_CHECK_EXTENSION, (long)KVM_CAP_HLT), 1, "a call that succeeds");
	CHECK_OK(ext_error_register(vm->fd, NULL, 0, 0));
}

/* A child has the parent's descriptors and, at the same address, memory of its own: that is not to be written. */
static void inherited(void)
{
	struct vm *vm = vm_new(VM_NO_MEMORY);
	struct vtx_ext_error why, own;
	int dev = dev_open(), status;
	pid_t pid;

	attach(dev, &why);
	attach(vm->fd, &own);
	pid = fork();
	if (!pid) {
		EXPECT_ERRNO(bad_dev_call(dev, 1), EINVAL);
		EXPECT(ext_error_untouched(&why), "the child's memory");
		EXPECT_ERRNO(bad_vm_call(vm->fd, 1), EIO);
		EXPECT_ERRNO(ext_error_register(vm->fd, &own, SIZE, 0), EIO);
		EXPECT(ext_error_untouched(&own), "the child's memory");
		/* The device's is taken over. */
		attach(dev, &own);
		EXPECT_ERRNO(bad_dev_call(dev, 2), EINVAL);
		expect_reason(&own, VTX_ERROR_VM_TYPE, KVM_CREATE_VM, 2);
		_exit(!ext_error_untouched(&why) || own.code != VTX_ERROR_VM_TYPE);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid, "the child");
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status), "the child's status %#x", status);
	EXPECT(ext_error_untouched(&why) && ext_error_untouched(&own), "the parent's memory after the child's calls");
	EXPECT_ERRNO(bad_dev_call(dev, 1), EINVAL);
	EXPECT(ext_error_untouched(&why), "a registration that the child replaced");
	EXPECT_ERRNO(bad_vm_call(vm->fd, 1), EINVAL);
	expect_reason(&own, VTX_ERROR_CLOCK_FLAGS, KVM_SET_CLOCK, 0x10);
}

/* ------------------------------------------------------------------ several threads */

#define ROUNDS 2000

static struct vm *shared;
static bool stop;

/* A vCPU of its own, a buffer of its own: always its own reason. */
static void *own_vcpu(void *arg)
{
	struct vcpu *v = arg;
	struct vtx_ext_error why;

	attach(v->fd, &why);
	for (u64 i = 1; i <= ROUNDS; i++) {
		EXPECT_ERRNO(bad_vcpu_call(v->fd, i << 8 | (u64)v->id), EINVAL);
		if (why.found != (i << 8 | (u64)v->id) << 32) {
			EXPECT_EQ(why.found, (i << 8 | (u64)v->id) << 32, "found of a thread's own call");
			break;
		}
	}
	return NULL;
}

static void own_buffers(void)
{
	pthread_t threads[4];

	test_timeout(8);
	shared = vm_new(VM_NO_MEMORY);
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, own_vcpu, vcpu_new_bare(shared, i)), "pthread_create");
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

static void *vm_calls(void *arg)
{
	u64 mine = (uintptr_t)arg;

	for (int i = 0; i < ROUNDS; i++) {
		if (mine)
			EXPECT_ERRNO(bad_vm_call(shared->fd, 1), EINVAL);
		else
			EXPECT_ERRNO(ioctl(shared->fd, KVM_RUN, 0), ENOTTY);
	}
	return NULL;
}

static void *toggle(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		CHECK_OK(ext_error_register(shared->fd, arg, SIZE, 0));
		CHECK_OK(ext_error_register(shared->fd, NULL, 0, 0));
	}
	return NULL;
}

/* One VM, two threads that are refused, one that registers and ends all the time: every errno is right, and so is the last word. */
static void one_vm(void)
{
	struct vtx_ext_error why;
	pthread_t a, b, c;

	test_timeout(8);
	shared = vm_new(VM_NO_MEMORY);
	CHECK(!pthread_create(&c, NULL, toggle, &why), "pthread_create");
	CHECK(!pthread_create(&a, NULL, vm_calls, (void *)0), "pthread_create");
	CHECK(!pthread_create(&b, NULL, vm_calls, (void *)1), "pthread_create");
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(c, NULL);
	attach(shared->fd, &why);
	EXPECT_ERRNO(bad_vm_call(shared->fd, 1), EINVAL);
	expect_reason(&why, VTX_ERROR_CLOCK_FLAGS, KVM_SET_CLOCK, 0x10);
}

/* The guest says that it runs, and runs. With interrupts on, as Bochs 2.7 lets no interrupt end a guest that entered with them off. */
GUEST static void forever(u64 arg)
{
	(void)arg;
	g_sti();
	*(volatile u32 *)GUEST_SCRATCH = 1;
	for (;;)
		g_pause();
}

static int run_errno;

static void *run_once(void *arg)
{
	struct vcpu *v = arg;

	run_errno = ioctl(v->fd, KVM_RUN, 0) ? errno : 0;
	return NULL;
}

/*
 * Registering does not wait for KVM_RUN. The one that runs goes its way: no buffer when it began, or, where the kernel has repeated it
 * meanwhile (task work after a preemption), a refusal without an explanation.
 */
static void while_running(void)
{
	struct vcpu *v = guest_new(0, forever, 0);
	volatile u32 *running = (volatile u32 *)(v->vm->mem + GUEST_SCRATCH);
	struct vtx_ext_error why;
	pthread_t thread;

	quiet_signal();
	CHECK(!pthread_create(&thread, NULL, run_once, v), "pthread_create");
	while (!*running)
		usleep(100);
	attach(v->fd, &why);
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, NULL);
	EXPECT_EQ(run_errno, EINTR, "KVM_RUN's errno");
	EXPECT(ext_error_untouched(&why) || (!why.code && why.error == EINTR), "the call that ran already: code %u", why.code);
	v->run->kvm_valid_regs = 8;
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EINVAL);
	expect_reason(&why, VTX_ERROR_RUN_SYNC_REGS, KVM_RUN, 8);
	EXPECT_EQ(why.offset, offsetof(struct kvm_run, kvm_valid_regs), "offset");
	/* A check of KVM_SET_VCPU_EVENTS: the offset is that in KVM_RUN's own structure. */
	v->run->kvm_valid_regs = 0;
	v->run->kvm_dirty_regs = KVM_SYNC_X86_EVENTS;
	v->run->s.regs.events.flags = 1U << 31;
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EINVAL);
	expect_reason(&why, VTX_ERROR_EVENTS_FLAGS, KVM_RUN, 1U << 31);
	EXPECT_EQ(why.offset, offsetof(struct kvm_run, s.regs.events.flags), "offset");
}

/* Descriptors closed with a buffer, in any order: nothing is left, which the kernel's complaints and rmmod would tell. */
static void closed(void)
{
	struct vtx_ext_error why;

	for (int i = 0; i < 20; i++) {
		struct vcpu *v = vcpu_new_bare(vm_new(VM_NO_MEMORY), 0);
		int dev = open(device_path(), O_RDWR);

		CHECK(dev >= 0, "open");
		CHECK_OK(ext_error_register(dev, &why, SIZE, 0));
		CHECK_OK(ext_error_register(v->vm->fd, &why, SIZE, 0));
		CHECK_OK(ext_error_register(v->fd, &why, SIZE, 0));
		close(dev);
		if (i & 1)
			vm_free(v->vm);
		EXPECT_ERRNO(bad_vcpu_call(v->fd, 1), EINVAL);
		EXPECT_EQ(why.code, VTX_ERROR_DEBUGREGS_DR6, "code");
		if (!(i & 1))
			vm_free(v->vm);
		vcpu_free(v);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(capability), TEST(registration_refused), TEST(when), TEST(another_buffer), TEST(no_explanation), TEST(whose),
		TEST(buffer_gone), TEST(inherited), TEST(own_buffers), TEST(one_vm), TEST(while_running), TEST(closed),
	};

	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

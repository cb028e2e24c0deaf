// SPDX-License-Identifier: GPL-2.0-only
/*
 * vtx.ko as a module: VT-x held by kvm_intel is left alone, with a sentence that says so; the device's name; unloading is
 * refused while anything is open; loading and unloading leaves nothing behind.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/differs.h"
#include "lib/ext_error.h"
#include "lib/guest.h"
#include "lib/module.h"
#include "lib/vm.h"

GUEST static void answer(u64 arg)
{
	g_done((u32)arg);
}

/* Loads vtx when it is not there: at the start, and after whatever state a case has left. */
static void vtx_back(void)
{
	if (!module_loaded("vtx"))
		CHECK_OK(module_load(module_file(), ""));
	for (int i = 0; i < 100 && access("/dev/vtx", F_OK); i++)
		usleep(1000);
}

static void need_vtx(void)
{
	if (!module_file())
		skip("no vtx.ko here");
	vtx_back();
	if (access("/dev/vtx", F_OK))
		skip("vtx serves another name");
}

static void use_device(const char *path)
{
	setenv("VTX_DEV", path, 1);
}

static bool log_says(const char *a, const char *b)
{
	const char *log = kernel_log(), *at = log;

	while ((at = strstr(at, a)) != NULL) {
		const char *end = strchr(at, '\n');
		size_t len = end ? (size_t)(end - at) : strlen(at);

		if (memmem(at, len, b, strlen(b)))
			return true;
		at += len;
	}
	return false;
}

/*
 * kvm_intel runs a VM (6.1: that is when it holds VT-x; from 6.12 on from loading): a VM of vtx is refused with EBUSY and a
 * sentence, KVM's VM goes on unharmed, and when it is gone vtx works.
 */
static void held_by_kvm_intel(void)
{
	const char *const load[] = { "modprobe", "kvm_intel", NULL }, *const unload[] = { "rmmod", "kvm_intel", NULL };
	const char *const unload_kvm[] = { "rmmod", "kvm", NULL };
	struct vtx_ext_error why;
	struct vcpu *v;
	int vtx, vm;

	need_vtx();
	test_timeout(8);
	if (module_loaded("kvm_intel"))
		skip("kvm_intel was there before");
	if (run_program(load))
		skip("kvm_intel cannot be loaded");
	use_device("/dev/kvm");
	v = guest_new(0, answer, 5);
	vtx = open("/dev/vtx", O_RDWR);
	CHECK(vtx >= 0, "open /dev/vtx");
	EXPECT_ERRNO(ioctl(vtx, KVM_CREATE_VM, 0), EBUSY);
	EXPECT(log_says("vtx", "kvm_intel"), "the log names the likely holder");
	CHECK_OK(ext_error_register(vtx, &why, sizeof(why), 0));
	EXPECT_ERRNO(ioctl(vtx, KVM_CREATE_VM, 0), EBUSY);
	EXPECT(why.code == VTX_ERROR_VMX_BUSY && why.error == EBUSY && why.found > 0, "code %u, found %llu", why.code, why.found);
	EXPECT(strstr(why.text, "kvm_intel"), "the sentence names the likely holder");
	CHECK_EQ(vcpu_finish(v), 5, "the result of KVM's guest");
	guest_passes(0, answer, 0);
	vm_free(v->vm);
	vcpu_free(v);
	/* rmmod, since on later kernels the module holds VT-x without any VM. */
	close(dev_open());
	CHECK(!run_program(unload), "rmmod kvm_intel");
	run_program(unload_kvm);
	vm = ioctl(vtx, KVM_CREATE_VM, 0);
	CHECK(vm >= 0, "a VM of vtx after kvm_intel has gone");
	close(vm);
	close(vtx);
}

/*
 * The other way round: vtx holds VT-x. What kvm_intel then does is its own affair; vtx's VM must not notice. Linux has one slot
 * for emergency callbacks and warns about a second: vtx gives it up before kvm_intel's init runs (vmx/onoff.c).
 */
static void held_by_vtx(void)
{
	const char *const load[] = { "modprobe", "kvm_intel", NULL }, *const unload[] = { "rmmod", "kvm_intel", NULL };
	const char *const unload_kvm[] = { "rmmod", "kvm", NULL };
	struct vcpu *v;
	int kvm, loaded;

	need_vtx();
	v = guest_new(0, answer, 6);
	loaded = !run_program(load);
	kvm = open("/dev/kvm", O_RDWR);
	if (kvm >= 0) {
		int vm = ioctl(kvm, KVM_CREATE_VM, 0);

		EXPECT(vm < 0, "KVM made a VM on a CPU whose VT-x is taken");
		if (vm >= 0)
			close(vm);
		close(kvm);
	}
	CHECK_EQ(vcpu_finish(v), 6, "the result");
	if (loaded) {
		EXPECT(!run_program(unload), "rmmod kvm_intel");
		run_program(unload_kvm);
	}
	guest_passes(0, answer, 0);
}

static const char *const load_kvm[] = { "modprobe", "kvm_intel", NULL };
static const char *const unload_kvm_intel[] = { "rmmod", "kvm_intel", NULL };

static struct vcpu *guest_of(const char *device, u64 arg)
{
	/* dev_open() keeps one descriptor: the other device takes its place. */
	int fd = open(device, O_RDWR | O_CLOEXEC);

	use_device(device);
	CHECK(fd >= 0 && dup2(fd, dev_open()) >= 0, "%s: %s", device, strerror(errno));
	close(fd);
	return guest_new(0, answer, arg);
}

static void finish(struct vcpu *v, u64 want)
{
	CHECK_EQ(vcpu_finish(v), want, "the result");
	vm_free(v->vm);
	vcpu_free(v);
}

static int vm_of(const char *device)
{
	int fd = open(device, O_RDWR | O_CLOEXEC), vm = fd < 0 ? -1 : ioctl(fd, KVM_CREATE_VM, 0), saved = errno;

	close(fd);
	close(vm);
	errno = saved;
	return vm;
}

/*
 * VT-x changes hands: vtx has it and kvm_intel comes, kvm_intel has it and vtx asks, and again. kvm_intel may have to be loaded anew (6.12),
 * as it does not load while VT-x is taken.
 */
static void turns(void)
{
	need_vtx();
	test_timeout(20);
	if (module_loaded("kvm_intel"))
		skip("kvm_intel was there before");
	if (run_program(load_kvm))
		skip("kvm_intel cannot be loaded");
	CHECK(!run_program(unload_kvm_intel), "rmmod kvm_intel");
	for (int round = 0; round < 3; round++) {
		struct vcpu *v = guest_of("/dev/vtx", 6);

		run_program(load_kvm);
		EXPECT(vm_of("/dev/kvm") < 0, "round %d: a VM of KVM beside one of vtx", round);
		finish(v, 6);
		CHECK(module_loaded("kvm_intel") || !run_program(load_kvm), "round %d: kvm_intel after vtx", round);
		v = guest_of("/dev/kvm", 5);
		EXPECT(vm_of("/dev/vtx") < 0 && errno == EBUSY, "round %d: a VM of vtx beside one of KVM", round);
		finish(v, 5);
		/* Both loaded, none running: whoever comes first, where kvm_intel does not sit on it. */
		v = guest_of("/dev/kvm", 5);
		finish(v, 5);
		if (vm_of("/dev/vtx") >= 0) {
			finish(guest_of("/dev/vtx", 6), 6);
			finish(guest_of("/dev/kvm", 5), 5);
		}
		CHECK(dup2(open("/dev/null", O_RDWR), dev_open()) >= 0, "dup2");
		CHECK(!run_program(unload_kvm_intel), "rmmod kvm_intel");
		finish(guest_of("/dev/vtx", 6), 6);
	}
	run_program((const char *const[]){ "rmmod", "kvm", NULL });
}

/* Every kind of descriptor keeps the module; the last one gone, it goes. */
static void unload_while_open(void)
{
	struct vcpu *v;
	int dev;

	need_vtx();
	dev = open("/dev/vtx", O_RDWR);
	CHECK(dev >= 0, "open");
	EXPECT_ERRNO(module_unload("vtx"), EWOULDBLOCK);
	close(dev);
	v = guest_new(VM_IRQCHIP | VM_PIT, answer, 0);
	close(dev_open());
	EXPECT_ERRNO(module_unload("vtx"), EWOULDBLOCK);	/* the VM and the vCPU */
	close(v->vm->fd);
	EXPECT_ERRNO(module_unload("vtx"), EWOULDBLOCK);	/* the vCPU alone */
	close(v->fd);
	EXPECT_ERRNO(module_unload("vtx"), EWOULDBLOCK);	/* its run page, mapped */
	munmap(v->run, run_size());
	for (int i = 0; i < 100 && module_unload("vtx"); i++) {
		EXPECT_EQ(errno, EWOULDBLOCK, "errno");
		usleep(1000);
	}
	EXPECT(!module_loaded("vtx"), "vtx is still there");
	vtx_back();
}

static void devname(void)
{
	need_vtx();
	CHECK_OK(module_unload("vtx"));
	if (access("/dev/kvm", F_OK)) {
		CHECK_OK(module_load(module_file(), "devname=kvm"));
		EXPECT(!access("/dev/kvm", F_OK), "no /dev/kvm");
		EXPECT(access("/dev/vtx", F_OK), "/dev/vtx is there as well");
		use_device("/dev/kvm");
		if (!access("/dev/kvm", F_OK)) {
			EXPECT_EQ(device_kind(), DEVICE_VTX, "the device's kind");
			guest_passes(0, answer, 0);
			close(dev_open());
		}
		CHECK_OK(module_unload("vtx"));
	}
	vtx_back();
}

/* A name that is taken, or none: a clear refusal, and nothing is left of the try. */
static void devname_taken(void)
{
	const char *const load[] = { "modprobe", "kvm_intel", NULL }, *const unload[] = { "rmmod", "kvm_intel", NULL };
	const char *const unload_kvm[] = { "rmmod", "kvm", NULL };

	need_vtx();
	CHECK_OK(module_unload("vtx"));
	if (!run_program(load)) {
		EXPECT(module_load(module_file(), "devname=kvm") == -1, "a second /dev/kvm");
		EXPECT(log_says("vtx", "kvm"), "the log says why");
		EXPECT(!module_loaded("vtx"), "half a module");
		EXPECT(!run_program(unload), "rmmod kvm_intel");
		run_program(unload_kvm);
	}
	EXPECT(module_load(module_file(), "devname=../x/y") == -1, "a name with a slash");
	vtx_back();
}

static void use_once(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		struct vcpu *v = guest_new(VM_IRQCHIP | VM_PIT, answer, 0);

		_exit((int)vcpu_finish(v));
	}
	CHECK(waitpid(pid, &status, 0) == pid && !status, "a guest: %#x", status);
}

/* Twenty times in and out, with a guest in between: what the kernel holds afterwards is what it held before. */
static void load_and_unload(void)
{
	struct memory_in_use before = { 0 }, after;

	need_vtx();
	test_timeout(16);
	for (int i = 0; i < 22; i++) {
		if (i == 2)
			before = memory_in_use();	/* the first rounds fill caches */
		CHECK_OK(module_unload("vtx"));
		CHECK_OK(module_load(module_file(), ""));
		use_once();
	}
	after = memory_in_use();
	note("slab %+ld kB, vmalloc %+ld kB, per-CPU %+ld kB, anonymous %+ld kB, pinned %+ld", after.slab_kb - before.slab_kb,
	     after.vmalloc_kb - before.vmalloc_kb, after.percpu_kb - before.percpu_kb,
	     after.anonymous_kb - before.anonymous_kb, after.pinned - before.pinned);
	/* A page lost in each round would be 80 kB; other processes of the machine are quiet. */
	EXPECT(after.slab_kb - before.slab_kb < 70, "slab has grown");
	EXPECT(after.vmalloc_kb - before.vmalloc_kb < 70, "vmalloc has grown");
	EXPECT(after.percpu_kb - before.percpu_kb < 70, "per-CPU memory has grown");
	EXPECT_EQ(after.pinned, before.pinned, "pinned pages");
}

/* The same without unloading: two hundred VMs. */
static void many_vms(void)
{
	struct memory_in_use before = { 0 }, after;

	need_vtx();
	test_timeout(16);
	for (int i = 0; i < 10; i++)
		use_once();
	before = memory_in_use();
	for (int i = 0; i < 200; i++)
		use_once();
	after = memory_in_use();
	note("slab %+ld kB, vmalloc %+ld kB, anonymous %+ld kB", after.slab_kb - before.slab_kb,
	     after.vmalloc_kb - before.vmalloc_kb, after.anonymous_kb - before.anonymous_kb);
	EXPECT(after.slab_kb - before.slab_kb < 400, "slab has grown");
	EXPECT(after.vmalloc_kb - before.vmalloc_kb < 400, "vmalloc has grown");
	EXPECT_EQ(after.pinned, before.pinned, "pinned pages");
}

static const struct test tests[] = {
	TEST(held_by_kvm_intel), TEST(held_by_vtx), TEST(turns), TEST(unload_while_open), TEST(devname), TEST(devname_taken),
	TEST(load_and_unload), TEST(many_vms),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

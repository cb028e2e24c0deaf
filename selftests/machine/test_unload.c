// SPDX-License-Identifier: GPL-2.0-only
/*
 * rmmod at any moment: refused while something of vtx is held, done when nothing is, and nothing in between; loads that fail leave
 * nothing.  `test_unload [N]`: N attempts while everything is in use (12 by default). Loads and unloads vtx.ko itself.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/host.h"
#include "lib/module.h"

static int attempts = 12;

GUEST static void answer(u64 arg)
{
	g_sti();
	g_done((u32)arg);
}

static bool vtx_load(void)
{
	if (module_load(module_file(), "") && errno != EEXIST)
		return false;
	for (int i = 0; i < 1000 && access("/dev/vtx", F_OK); i++)
		usleep(1000);
	return true;
}

static void need_vtx(void)
{
	if (!module_file())
		skip("no vtx.ko here");
	CHECK(vtx_load(), "load: %s", strerror(errno));
	setenv("VTX_DEV", "/dev/vtx", 1);
}

/* The last reference goes by task work or RCU: a moment later. */
static void goes_away(const char *after)
{
	int i;

	for (i = 0; i < 400 && module_unload("vtx"); i++) {
		CHECK(errno == EWOULDBLOCK, "after %s: %s", after, strerror(errno));
		usleep(2500);
	}
	CHECK(i < 400, "%s closed, and vtx is still held", after);
}

static bool in_file(const char *path, const char *word)
{
	return strstr(read_text(path), word);
}

static void nothing_left(const char *after)
{
	EXPECT(!module_loaded("vtx"), "%s: half a module", after);
	EXPECT(access("/dev/vtx", F_OK), "%s: /dev/vtx", after);
	EXPECT(access("/sys/kernel/debug/vtx", F_OK), "%s: the folder in debugfs", after);
	EXPECT(access("/sys/kernel/tracing/events/vtx", F_OK), "%s: trace events", after);
	EXPECT(!in_file("/sys/devices/system/cpu/hotplug/states", "vtx"), "%s: a state of CPU hotplug", after);
	EXPECT(!in_file("/proc/misc", "vtx"), "%s: a misc device", after);
	EXPECT(!in_file("/proc/vmallocinfo", "[vtx]"), "%s: memory from vmalloc", after);
}

/* ------------------------------------------------------------------ what holds the module */

static int hold_device(struct vcpu *v)
{
	(void)v;
	return open("/dev/vtx", O_RDWR | O_CLOEXEC);
}

static int hold_vm(struct vcpu *v)
{
	return dup(v->vm->fd);
}

static int hold_vcpu(struct vcpu *v)
{
	return dup(v->fd);
}

static int hold_vm_stats(struct vcpu *v)
{
	return ioctl(v->vm->fd, KVM_GET_STATS_FD, 0);
}

static int hold_vcpu_stats(struct vcpu *v)
{
	return ioctl(v->fd, KVM_GET_STATS_FD, 0);
}

static int hold_file(struct vcpu *v, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "/sys/kernel/debug/vtx/%d-%d/%s", getpid(), v->vm->fd, name);
	return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

static int hold_trace(struct vcpu *v)
{
	return hold_file(v, "trace");
}

static int hold_raw_trace(struct vcpu *v)
{
	return hold_file(v, "trace_raw");
}

static int hold_recorder(struct vcpu *v)
{
	return hold_file(v, "vcpu0/recorder");
}

static int hold_exits(struct vcpu *v)
{
	return hold_file(v, "vcpu0/exits");
}

static const struct holder {
	const char *name;
	int (*take)(struct vcpu *v);
	bool debugfs;
} holders[] = {
	{ "the device", hold_device, false },	{ "a VM", hold_vm, false },		   { "a vCPU", hold_vcpu, false },
	{ "VM statistics", hold_vm_stats, false }, { "vCPU statistics", hold_vcpu_stats, false },
	{ "a trace stream", hold_trace, true },	{ "a raw trace stream", hold_raw_trace, true },
	{ "a flight recorder", hold_recorder, true }, { "exit counts", hold_exits, true },
};

/* The VM is gone, one descriptor is left. */
static void each_holder(void)
{
	need_vtx();
	test_timeout(10);
	for (size_t i = 0; i < ARRAY_SIZE(holders); i++) {
		struct vcpu *v = guest_new(VM_IRQCHIP | VM_PIT, answer, 0);
		char byte;
		int fd;

		vcpu_finish(v);
		fd = holders[i].take(v);
		CHECK(fd >= 0, "%s: %s", holders[i].name, strerror(errno));
		vm_free(v->vm);
		vcpu_free(v);
		if (!holders[i].debugfs) {
			for (int n = 0; n < 5; n++) {
				EXPECT_ERRNO(module_unload("vtx"), EWOULDBLOCK);
				usleep(1000);
			}
		}
		/* A file of a folder that has gone: an end or an error, but no memory of the VM. */
		(void)!read(fd, &byte, 1);
		close(fd);
		close(dev_open());
		goes_away(holders[i].name);
		nothing_left(holders[i].name);
		CHECK(vtx_load(), "load: %s", strerror(errno));
		CHECK(dup2(open("/dev/vtx", O_RDWR), dev_open()) >= 0, "the device again");
	}
}

/* ------------------------------------------------------------------ at any moment */

/* Reads what there is below a folder, file by file. */
static void read_all(const char *path, int depth)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	char name[512], some[512];

	while (dir && (e = readdir(dir))) {
		int fd;

		if (e->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		if (e->d_type == DT_DIR) {
			if (depth < 4)
				read_all(name, depth + 1);
			continue;
		}
		fd = open(name, O_RDONLY | O_NONBLOCK);
		for (int i = 0; fd >= 0 && i < 4 && read(fd, some, sizeof(some)) > 0; i++)
			;
		if (fd >= 0)
			close(fd);
	}
	if (dir)
		closedir(dir);
}

static volatile int *quiet;	/* shared: the others begin nothing new */

static void reader(void)
{
	for (;;) {
		while (*quiet)
			usleep(500);
		read_all("/sys/kernel/debug/vtx", 0);
	}
}

/* One VMM after the other, each with all there is, ended at once or killed. Without vtx it waits. */
static void vmms(unsigned int seed)
{
	pid_t me = getpid();

	for (;;) {
		pid_t pid = fork();

		if (!pid) {
			int dev = open("/dev/vtx", O_RDWR | O_CLOEXEC);
			struct kvm_irqfd irqfd = { .fd = (u32)eventfd(0, EFD_CLOEXEC), .gsi = 5 };
			struct busy b;

			/* With its parent, which is killed at any moment as well. */
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (dev < 0 || getppid() != me)
				_exit(0);
			busy_start(&b, 2);
			CHECK_OK(ioctl(b.v[0]->vm->fd, KVM_IRQFD, &irqfd));
			hold_vm_stats(b.v[0]);
			hold_trace(b.v[0]);
			hold_recorder(b.v[1]);
			busy_progress(&b, 1);
			if (seed & 1)
				pause();
			busy_stop(&b);
			_exit(0);
		}
		usleep(2000 + (unsigned int)rand_r(&seed) % 6000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		while (*quiet)
			usleep(500);
	}
}

static pid_t in_group(void (*fn)(unsigned int), unsigned int arg)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	fn(arg);
	_exit(0);
}

static void reader_process(unsigned int unused)
{
	(void)unused;
	reader();
}

static void any_moment(void)
{
	int gone = 0, held = 0;
	pid_t pid[3];

	need_vtx();
	test_timeout(20 + (unsigned int)attempts / 4);
	quiet = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(quiet != MAP_FAILED, "mmap");
	pid[0] = in_group(vmms, 2);
	pid[1] = in_group(vmms, 7);
	pid[2] = in_group(reader_process, 0);
	for (int i = 0; i < attempts; i++) {
		/* Else there is hardly a moment in which nobody holds it. */
		*quiet = i % 4 == 3;
		if (module_unload("vtx")) {
			CHECK(errno == EWOULDBLOCK, "rmmod: %s", strerror(errno));
			held++;
			usleep(1000 + 700 * (unsigned int)(i % 5));
			i -= *quiet;
			continue;
		}
		gone++;
		CHECK(vtx_load(), "load: %s", strerror(errno));
		usleep(3000);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pid); i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	note("unloaded %d times, refused %d times", gone, held);
	EXPECT(held > 0 && gone >= attempts / 4, "one of the two is rare");
	/* What the killed ones had left behind ends soon. */
	goes_away("the last VMM");
	nothing_left("the last VMM");
}

/* The module goes at once after a VMM with timers and irqfds was killed: nothing fires into memory that is gone. */
static void after_kill(void)
{
	need_vtx();
	test_timeout(15);
	for (int i = 0; i < 4; i++) {
		struct kvm_pit_state2 pit;
		int ready[2];
		char byte;
		pid_t pid;

		CHECK(!pipe(ready), "pipe");
		pid = fork();
		if (!pid) {
			struct kvm_irqfd irqfd = { .fd = (u32)eventfd(0, EFD_CLOEXEC), .gsi = 5 };
			struct busy b;

			busy_start(&b, 4);
			CHECK_OK(ioctl(b.v[0]->vm->fd, KVM_IRQFD, &irqfd));
			CHECK_OK(ioctl(b.v[0]->vm->fd, KVM_GET_PIT2, &pit));
			pit.channels[0].mode = 2;
			pit.channels[0].count = 600;
			pit.channels[0].gate = 1;
			CHECK_OK(ioctl(b.v[0]->vm->fd, KVM_SET_PIT2, &pit));
			busy_progress(&b, 1);
			CHECK(write(ready[1], "r", 1) == 1, "write");
			pause();
		}
		CHECK(read(ready[0], &byte, 1) == 1, "read");
		close(ready[0]);
		close(ready[1]);
		kill(pid, SIGKILL);
		CHECK(waitpid(pid, NULL, 0) == pid, "waitpid");
		goes_away("a killed VMM");
		CHECK(vtx_load(), "load: %s", strerror(errno));
	}
}

/* ------------------------------------------------------------------ loads that fail */

static void bad_loads(void)
{
	static const char *const bad[] = { "devname=", "devname=vt", "devname=../vtx", "devname=KVM", "vpid=perhaps", "eptad=", "devname" };

	need_vtx();
	test_timeout(15);
	EXPECT(module_load(module_file(), "") && errno == EEXIST, "twice: %s", strerror(errno));
	close(dev_open());
	goes_away("the device");
	for (int round = 0; round < 1 + attempts / 100; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
			EXPECT(module_load(module_file(), bad[i]), "%s was taken", bad[i]);
			EXPECT(errno == EINVAL || errno == ENOENT, "%s: %s", bad[i], strerror(errno));
			nothing_left(bad[i]);
		}
	}
	CHECK(vtx_load(), "load: %s", strerror(errno));
	CHECK(dup2(open("/dev/vtx", O_RDWR), dev_open()) >= 0, "the device again");
	guest_passes(VM_IRQCHIP, answer, 0);
}

static const struct test tests[] = {
	TEST(each_holder), TEST(any_moment), TEST(after_kill), TEST(bad_loads),
};

int main(int argc, char **argv)
{
	int status;

	if (argc > 1 && atoi(argv[1]) > 0) {
		attempts = atoi(argv[1]);
		argv[1] = argv[0];
		argv++;
		argc--;
	}
	status = harness_main(argc, argv, tests, ARRAY_SIZE(tests));
	if (module_file() && !module_loaded("vtx"))
		module_load(module_file(), module_params());
	return status;
}

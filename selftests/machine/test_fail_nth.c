// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation and every copy of user memory in every call fails once: open, the ioctls, mmap, running a guest, the files of debugfs,
 * loading the module. A failed call has an errno that says so, and leaves everything as it was: the same call then works, the
 * guest runs to its end, and nothing is lost (kmemleak, after the program: run-all). Needs a kernel with fault injection
 * (machine/run --kernel debug); `make test-faults` finds the allocations that never failed.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../uapi/vtx.h"
#include "lib/calls.h"
#include "lib/differs.h"
#include "lib/faults.h"
#include "lib/module.h"
#include "lib/trace.h"

#define MANY 5000	/* chances to fail in one call: more are an endless loop */
#define SECONDS 600
#define ROUNDS 6	/* at most, as long as each finds functions that had not failed before */

/* ------------------------------------------------------------------ ioctls */

static char arg[CALL_ARG_SIZE] __attribute__((aligned(8)));

static bool all; /* after the first fault the others too (faults_arm()) */

/* Calls; takes back what a success did. */
static int call_once(struct call_world *w, const struct call *c, unsigned int at, bool *failed, int *error)
{
	unsigned long value = call_prepare(w, c, arg);
	int fd = call_on(w, c), ret;

	if (at)
		faults_arm(at, all);
	ret = ioctl(fd, c->cmd, value);
	*error = ret < 0 ? errno : 0;
	if (at)
		*failed = faults_disarm();
	if (ret >= 0 && (c->flags & CALL_FD))
		close(ret);
	if (ret >= 0 && c->undo)
		c->undo(w, arg);
	return ret;
}

static void guest_still_runs(struct call_world *w, const struct call *c)
{
	int error;

	if ((c->with & WITH_ALL) != WITH_ALL)
		return;
	call_guest_restart(w->v);
	error = call_guest_finish(w->v);
	EXPECT(!error, "%s: the guest does not run afterwards: %s", c->name, strerror(error));
}

/* The call without a fault: what it should answer. */
static int plain_error(const struct call *c)
{
	struct call_world w;
	int error;

	call_world_new(&w, c->with);
	call_once(&w, c, 0, NULL, &error);
	call_world_free(&w);
	return error;
}

static void walk_call(const struct call *c)
{
	int plain = plain_error(c), error;
	struct call_world w;
	unsigned int n;
	bool failed;

	/* No clock page; a local APIC that is off takes no interrupt. */
	EXPECT(!plain || c->cmd == KVM_KVMCLOCK_CTRL || c->cmd == KVM_SIGNAL_MSI, "%s does not work at all: %s", c->name, strerror(plain));
	call_world_new(&w, c->with);
	for (n = 1; n < MANY; n++) {
		int ret = call_once(&w, c, n, &failed, &error);

		faults_read_log(c->name);
		if (!failed)
			break;
		EXPECT(ret >= 0 || fault_errno(error) || error == plain, "%s, fault %u: %s", c->name, n, strerror(error));
		if (ret < 0 || !(c->flags & CALL_ONCE)) {
			call_once(&w, c, 0, NULL, &error);
			EXPECT(error == plain, "%s after fault %u: %s", c->name, n, strerror(error));
		}
		if (c->flags & CALL_ONCE) {
			guest_still_runs(&w, c);
			call_world_free(&w);
			call_world_new(&w, c->with);
		}
	}
	CHECK(n < MANY, "%s has no end", c->name);
	EXPECT(error == plain, "%s, no fault: %s", c->name, strerror(error));
	guest_still_runs(&w, c);
	call_world_free(&w);
	note("%s: %u faults%s", c->name, n - 1, all ? ", and all after them" : "");
}

static void walk_calls(enum call_fd on)
{
	test_timeout(SECONDS);
	faults_begin();
	for (size_t i = 0; i < nr_calls; i++) {
		if (all_calls[i].on != on)
			continue;
		/* Caches fill and drain, so the n-th chance is not always the same one, and a round skips some. */
		for (unsigned int round = 0; round < ROUNDS; round++) {
			size_t before = faults_sites();

			all = round & 1;
			walk_call(&all_calls[i]);
			if (round && faults_sites() == before)
				break;
		}
	}
	faults_end();
}

static void device_calls(void)
{
	walk_calls(CALL_DEV);
}

/* One fault in a process that has had no VM: 0 not reached, 1 reached, 2 wrong. */
static int fault_in_first_vm(unsigned int n)
{
	int dev, vm, error;
	bool failed;

	faults_begin();
	dev = dev_open();
	faults_arm(n, all);
	vm = ioctl(dev, KVM_CREATE_VM, 0);
	error = errno;
	failed = faults_disarm();
	faults_read_log("KVM_CREATE_VM");
	faults_end();
	fflush(stdout);
	if (vm < 0 && !(failed && fault_errno(error)))
		return 2;
	return vm < 0 && ioctl(dev, KVM_CREATE_VM, 0) < 0 ? 2 : failed;
}

/* The first VM of a process: what the kernel allocates once for each. */
static void first_vm(void)
{
	int status = 1;

	test_timeout(SECONDS);
	for (unsigned int n = 1; status && n < 200; n++) {
		pid_t pid;

		all = n & 1;
		fflush(stdout);
		pid = fork();
		if (!pid)
			_exit(fault_in_first_vm((n + 1) / 2));
		CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status), "waitpid");
		status = WEXITSTATUS(status);
		CHECK(status < 2, "KVM_CREATE_VM, fault %u: status %d", (n + 1) / 2, status);
	}
	CHECK(!status, "KVM_CREATE_VM has no end");
}

/*
 * One call with ever later faults until there is none. An odd number: that fault alone, an even one: all from that one on, which is
 * what an allocation needs that has another way out.
 */
static void walk_first(const char *what, void (*before)(void), int (*call)(void))
{
	bool failed = true;

	for (unsigned int n = 2; failed; n++) {
		int ret, error;

		CHECK(n < MANY, "%s has no end", what);
		all = !(n & 1);
		if (before)
			before();
		faults_arm(n / 2, all);
		ret = call();
		error = errno;
		failed = faults_disarm();
		faults_read_log(what);
		CHECK(ret >= 0 || (failed && fault_errno(error)), "%s, fault %u: %s", what, n / 2, strerror(error));
	}
}

/* What the module works out at the first call that asks for it. */
static int first_dev = -1;

static int get_list(void)
{
	static struct {
		struct kvm_msr_list list;
		u32 indices[500];
	} arg;

	arg.list.nmsrs = ARRAY_SIZE(arg.indices);
	return ioctl(first_dev, KVM_GET_MSR_INDEX_LIST, &arg);
}

static void first_list(void)
{
	if (!module_file())
		skip("no file of the module");
	test_timeout(SECONDS);
	faults_begin();
	CHECK(!module_unload("vtx") && !module_load(module_file(), module_params()), "loading anew");
	first_dev = dev_open();
	walk_first("KVM_GET_MSR_INDEX_LIST", NULL, get_list);
	faults_end();
}

/* What a VM gets with its first local APIC: a VM each time. */
static int first_vm_fd = -1;

static int create_vcpu(void)
{
	return ioctl(first_vm_fd, KVM_CREATE_VCPU, 0);
}

static void fresh_vm(void)
{
	if (first_vm_fd >= 0)
		close(first_vm_fd);
	first_vm_fd = (int)CHECK_OK(ioctl(first_dev, KVM_CREATE_VM, 0));
	CHECK_OK(ioctl(first_vm_fd, KVM_CREATE_IRQCHIP, 0));
}

static void first_lapic(void)
{
	test_timeout(SECONDS);
	faults_begin();
	first_dev = dev_open();
	walk_first("KVM_CREATE_VCPU", fresh_vm, create_vcpu);
	faults_end();
}

static void vm_calls(void)
{
	walk_calls(CALL_VM);
}

static void vcpu_calls(void)
{
	walk_calls(CALL_VCPU);
}

/* ------------------------------------------------------------------ a guest */

/* A new VM each time: a page that is mapped already cannot fail again. */
static void walk_guest(unsigned int with)
{
	struct call_world w;
	unsigned int n;
	bool failed;

	for (n = 1; n < MANY; n++) {
		int error;

		call_world_new(&w, with);
		faults_arm(n, all);
		error = call_guest_finish(w.v);
		failed = faults_disarm();
		faults_read_log("KVM_RUN");
		EXPECT(!error || (failed && fault_errno(error)), "KVM_RUN, fault %u: %s", n, strerror(error));
		if (error) {
			error = call_guest_finish(w.v);
			EXPECT(!error, "KVM_RUN after fault %u: %s", n, strerror(error));
		}
		call_world_free(&w);
		if (!failed)
			break;
	}
	CHECK(n < MANY, "KVM_RUN has no end");
	note("a guest: %u faults", n - 1);
}

static void run(void)
{
	test_timeout(SECONDS);
	faults_begin();
	walk_guest(WITH_ALL);
	all = true;
	walk_guest(WITH_ALL);
	all = false;
	walk_guest(WITH_VCPU | WITH_GUEST);
	faults_end();
}

/* ------------------------------------------------------------------ files and mappings */

struct place {
	const char *path;	/* of a file; NULL: a mapping or a statistics file of fd */
	int fd;
	off_t offset;
	size_t size;
	const char *text;	/* to be written */
};

/* Opens, reads what there is at most, or writes, closes. 0 or errno. */
static int use_file(const struct place *p)
{
	static char buffer[0x10000];
	int fd = open(p->path, (p->text ? O_WRONLY : O_RDONLY) | O_NONBLOCK | O_CLOEXEC), error;
	ssize_t got;

	if (fd < 0)
		return errno;
	if (p->text)
		got = write(fd, p->text, strlen(p->text));
	else
		while ((got = read(fd, buffer, sizeof(buffer))) > 0)
			;
	error = got < 0 ? errno : 0;
	close(fd);
	return error;
}

static int sink;

static int use_mapping(const struct place *p)
{
	u8 *map = mmap(NULL, p->size, PROT_READ, MAP_SHARED, p->fd, p->offset);
	int error = 0;

	if (map == MAP_FAILED)
		return errno;
	/* No memory for a page fault of the program is a signal; for one of the kernel, which reads here, it is an EFAULT. */
	for (size_t i = 0; i < p->size && !error; i += PAGE_SIZE)
		if (pwrite(sink, map + i, 1, 0) != 1)
			error = errno;
	munmap(map, p->size);
	return error;
}

static int use_stats(const struct place *p)
{
	int fd = ioctl(p->fd, KVM_GET_STATS_FD, 0), error;
	char buffer[512];
	ssize_t got;

	if (fd < 0)
		return errno;
	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		;
	error = got < 0 ? errno : 0;
	close(fd);
	return error;
}

static void walk_place(const char *what, const struct place *p, int (*use)(const struct place *p))
{
	int plain = use(p);
	unsigned int n;

	for (n = 1; n < MANY; n++) {
		bool failed;
		int error;

		faults_arm(n, all);
		error = use(p);
		failed = faults_disarm();
		faults_read_log(what);
		EXPECT(error == plain || (failed && fault_errno(error)), "%s, fault %u: %s", what, n, strerror(error));
		error = use(p);
		EXPECT(error == plain, "%s after fault %u: %s", what, n, strerror(error));
		if (!failed)
			break;
	}
	CHECK(n < MANY, "%s has no end", what);
	note("%s: %u faults", what, n - 1);
}

static void walk_both(const char *what, const struct place *p, int (*use)(const struct place *p))
{
	for (unsigned int round = 0; round < ROUNDS; round++) {
		size_t before = faults_sites();

		all = round & 1;
		walk_place(what, p, use);
		if (round && faults_sites() == before)
			break;
	}
}

static void walk_path(const char *path, const char *text)
{
	struct place p = { .path = path, .text = text };

	walk_both(path, &p, use_file);
}

/* All files below a folder. */
static void walk_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *e;
	struct stat st;
	char path[512];

	CHECK(dir, "%s", folder);
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		if (lstat(path, &st))
			continue;
		if (S_ISDIR(st.st_mode))
			walk_folder(path);
		else
			walk_path(path, NULL);
	}
	closedir(dir);
}

/* A file of a vCPU's that allocates when it is first written. */
static void walk_first_write(const char *name)
{
	bool failed = true;
	char path[256];
	unsigned int n;

	for (n = 1; failed && n < MANY; n++) {
		struct place p = { .path = path, .text = "0" };
		struct call_world w;
		int error;

		call_world_new(&w, WITH_ALL);
		trace_path(w.vm, name, path, sizeof(path));
		all = true;
		faults_arm(n, all);
		error = use_file(&p);
		failed = faults_disarm();
		faults_read_log(name);
		EXPECT(!error || (failed && fault_errno(error)), "%s, fault %u: %s", name, n, strerror(error));
		EXPECT(!use_file(&p), "%s after fault %u", name, n);
		call_world_free(&w);
	}
	CHECK(!failed, "%s has no end", name);
}

static void files(void)
{
	struct kvm_regs regs;
	struct call_world w;
	char path[256];

	test_timeout(SECONDS);
	faults_begin();
	walk_path(device_path(), NULL);
	call_world_new(&w, WITH_ALL);
	EXPECT(!call_guest_finish(w.v), "the guest");
	/* There is no code there: an emulation failure, of which the files have a report. */
	regs = vcpu_regs(w.v);
	regs.rip = GUEST_ABSENT;
	vcpu_set_regs(w.v, &regs);
	CHECK_OK(ioctl(w.v->fd, KVM_RUN, 0));
	EXPECT_EQ(w.v->run->exit_reason, KVM_EXIT_INTERNAL_ERROR, "code that is not there");
	walk_folder("/sys/kernel/debug/vtx");
	trace_path(w.vm, "filter", path, sizeof(path));
	walk_path(path, "reason == CPUID\n");
	walk_first_write("vcpu0/exits");
	walk_first_write("vcpu0/top");
	call_guest_restart(w.v);
	EXPECT(!call_guest_finish(w.v), "the guest does not run afterwards");
	call_world_free(&w);
	faults_end();
}

/* What KVM's own folder has where vtx serves as /dev/kvm. */
static void kvm_files(void)
{
	struct call_world w;

	test_timeout(SECONDS);
	if (access("/sys/kernel/debug/kvm", F_OK))
		skip("vtx is not called kvm");
	faults_begin();
	call_world_new(&w, WITH_ALL);
	walk_folder("/sys/kernel/debug/kvm");
	call_world_free(&w);
	faults_end();
}

static void mappings(void)
{
	struct call_world w;
	struct place p;

	test_timeout(SECONDS);
	faults_begin();
	call_world_new(&w, WITH_ALL);
	sink = memfd_create("sink", MFD_CLOEXEC);
	CHECK(pwrite(sink, "", 1, 0) == 1, "memfd");
	p = (struct place){ .fd = w.v->fd, .size = run_size() };
	walk_both("the run page", &p, use_mapping);
	p = (struct place){ .fd = w.v->fd, .size = VTX_RING_SIZE, .offset = VTX_RING_MMAP_OFFSET };
	walk_both("the recorder's ring", &p, use_mapping);
	p = (struct place){ .fd = w.v->fd };
	walk_both("the statistics of a vCPU", &p, use_stats);
	p.fd = w.vm->fd;
	walk_both("the statistics of a VM", &p, use_stats);
	call_world_free(&w);
	faults_end();
}

/* ------------------------------------------------------------------ the module's init */

static int load(unsigned int at, bool *failed, bool *ours)
{
	int ret, error;

	faults_arm(at, all);
	ret = module_load(module_file(), module_params());
	error = ret ? errno : 0;
	*failed = faults_disarm();
	*ours = faults_read_log("loading");
	if (!ret)
		CHECK(!module_unload("vtx"), "unloading after fault %u", at);
	return error;
}

/* How many chances to fail loading has, by halving: most are the loader's own. */
static unsigned int chances(void)
{
	unsigned int low = 1, high = 100000;
	bool failed, ours;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		load(middle, &failed, &ours);
		if (failed)
			low = middle + 1;
		else
			high = middle;
	}
	return low - 1;
}

/*
 * Where in the load its chances come differs from load to load by some dozens (the allocator's caches), so a walk would miss some:
 * the last ones, in which vtx_init() is, are gone through several times. What a fault leaves is the loader's error or a module.
 */
#define LAST_CHANCES 160
#define SHOTS 480

static void module_init(void)
{
	unsigned int end, first, last, own = 0;

	if (!module_file())
		skip("no file of the module");
	test_timeout(SECONDS);
	faults_begin();
	CHECK(!module_unload("vtx"), "unloading");
	end = chances() + 20;
	/* What it registers as /dev/kvm comes last and has more of them. */
	last = strstr(module_params(), "devname=kvm") ? SHOTS : LAST_CHANCES;
	first = end > last ? end - last : 1;
	for (unsigned int i = 0; i < SHOTS; i++) {
		unsigned int n = first + i % (end - first);
		bool failed, ours;
		int error = load(n, &failed, &ours);

		EXPECT(!error || fault_errno(error) || !ours, "loading, fault %u: %s", n, strerror(error));
		own += ours;
	}
	note("loading: %u faults in vtx", own);
	EXPECT(own > 20, "only %u faults in the module's init", own);
	CHECK(!module_load(module_file(), module_params()), "loading without a fault");
	faults_end();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(device_calls), TEST(first_vm), TEST(first_list), TEST(first_lapic),
		TEST(vm_calls),
		TEST(vcpu_calls),
		TEST(run),
		TEST(files),
		TEST(kvm_files),
		TEST(mappings),
		TEST(module_init),
	};

	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

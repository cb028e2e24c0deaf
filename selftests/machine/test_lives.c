// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs in number: `test_lives [N [K]]` creates, runs and destroys N VMs (50 by default) and kills K VMMs with running guests at random
 * moments (20), and looks whether the kernel holds afterwards what it held before: memory of each kind, slab objects by cache,
 * vmalloc areas, descriptors, folders in debugfs, users of the module, threads.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/host.h"
#include "lib/module.h"

static int nr_vms = 50, nr_kills = 20;

/* ------------------------------------------------------------------ what the kernel holds */

#define MAX_CACHES 300

struct held {
	struct memory_in_use memory;
	long pages_kb;		/* that nothing of /proc/meminfo claims: taken by the page, as tables and control structures are */
	long vmalloc_areas, debugfs, users, files, threads;
	struct {
		char name[40];
		long objects;
	} cache[MAX_CACHES];
	int caches;
};

/* Of /proc/vmallocinfo. */
static long count_areas(const char *path)
{
	char line[512];
	FILE *f = fopen(path, "r");
	long n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += !strstr(line, "unpurged"); /* freed, and not yet handed back */
	if (f)
		fclose(f);
	return n;
}

static long count_entries(const char *path)
{
	DIR *dir = opendir(path);
	long n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

static void read_caches(struct held *h)
{
	char line[512];
	FILE *f = fopen("/proc/slabinfo", "r");

	h->caches = 0;
	while (f && h->caches < MAX_CACHES && fgets(line, sizeof(line), f))
		if (sscanf(line, "%39s %ld", h->cache[h->caches].name, &h->cache[h->caches].objects) == 2)
			h->caches++;
	if (f)
		fclose(f);
}

/* Pages in the lists of the CPUs are free and not counted as such. */
static long pages_on_cpus(void)
{
	char line[256];
	FILE *f = fopen("/proc/zoneinfo", "r");
	long sum = 0, n;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " count: %ld", &n) == 1)
			sum += n;
	if (f)
		fclose(f);
	return sum;
}

static long unclaimed_kb(void)
{
	static const char *const claimed[] = {
		"MemFree", "Buffers", "Cached", "SwapCached", "AnonPages", "Slab", "KernelStack", "PageTables", "SecPageTables", "Percpu",
		"VmallocUsed",
	};
	long kb = read_number("/proc/meminfo", "MemTotal") - 4 * pages_on_cpus();

	for (size_t i = 0; i < ARRAY_SIZE(claimed); i++) {
		long n = read_number("/proc/meminfo", claimed[i]);

		kb -= n > 0 ? n : 0;
	}
	return kb;
}

static void take(struct held *h)
{
	h->memory = memory_in_use();
	memory_in_use();
	h->memory = memory_in_use();
	h->pages_kb = unclaimed_kb();
	h->vmalloc_areas = count_areas("/proc/vmallocinfo");
	h->debugfs = count_entries("/sys/kernel/debug/vtx");
	h->users = strtol(read_text("/sys/module/vtx/refcnt"), NULL, 10);
	h->files = strtol(read_text("/proc/sys/fs/file-nr"), NULL, 10);
	h->threads = count_entries("/proc");
	read_caches(h);
}

/* Objects of a cache: partly used slabs and per-CPU lists count whole, so a few slabs' worth may come and go. */
static void compare_caches(const struct held *before, const struct held *after, long lives)
{
	for (int i = 0; i < after->caches; i++) {
		for (int k = 0; k < before->caches; k++) {
			long more = after->cache[i].objects - before->cache[k].objects;

			if (strcmp(before->cache[k].name, after->cache[i].name))
				continue;
			if (more > 100)
				note("%s: %+ld objects", after->cache[i].name, more);
			/* One lost by each life would be this many. */
			EXPECT(more < lives + 300 || more < after->cache[i].objects / 4, "%s has grown by %ld objects",
			       after->cache[i].name, more);
			break;
		}
	}
}

static void compare(const struct held *before, const struct held *after, long lives)
{
	note("%ld lives: pages %+ld kB, slab %+ld kB, vmalloc %+ld kB in %+ld areas, per-CPU %+ld kB, anonymous %+ld kB, files %+ld", lives,
	     after->pages_kb - before->pages_kb, after->memory.slab_kb - before->memory.slab_kb,
	     after->memory.vmalloc_kb - before->memory.vmalloc_kb, after->vmalloc_areas - before->vmalloc_areas,
	     after->memory.percpu_kb - before->memory.percpu_kb, after->memory.anonymous_kb - before->memory.anonymous_kb,
	     after->files - before->files);
	EXPECT_EQ(after->users, before->users, "users of the module");
	EXPECT_EQ(after->debugfs, before->debugfs, "entries of debugfs");
	EXPECT_EQ(after->memory.pinned, before->memory.pinned, "pinned pages");
	/* A stack of the kernel may be cached, on each CPU two. */
	EXPECT(after->vmalloc_areas - before->vmalloc_areas <= 4 * cpus_online(), "areas of vmalloc");
	EXPECT(after->files - before->files < 64 + lives / 4, "open files");
	EXPECT(after->threads - before->threads < 8, "processes and kernel threads");
	EXPECT(after->memory.percpu_kb - before->memory.percpu_kb < 100, "per-CPU memory has grown");
	EXPECT(after->memory.anonymous_kb - before->memory.anonymous_kb < 1000, "anonymous memory has grown");
	/* KASAN keeps freed objects back for a while; what is lost there, kmemleak tells. */
	if (!access("/sys/kernel/debug/kmemleak", F_OK))
		return;
	/* A page lost by each life would be 4 kB. */
	EXPECT(after->pages_kb - before->pages_kb < 100 + lives / 2, "pages are missing");
	EXPECT(after->memory.slab_kb - before->memory.slab_kb < 400 + lives / 2, "slab has grown");
	compare_caches(before, after, lives);
}

/* ------------------------------------------------------------------ lives */

GUEST static void answer(u64 arg)
{
	g_sti();
	g_done((u32)arg);
}

static void eventfds(struct vm *vm)
{
	struct kvm_irqfd edge = { .fd = (u32)eventfd(0, EFD_CLOEXEC), .gsi = 5 };
	struct kvm_irqfd level = { .fd = (u32)eventfd(0, EFD_CLOEXEC), .gsi = 10, .flags = KVM_IRQFD_FLAG_RESAMPLE };
	struct kvm_ioeventfd io = { .addr = 0x500, .len = 1, .flags = KVM_IOEVENTFD_FLAG_PIO };

	level.resamplefd = (u32)eventfd(0, EFD_CLOEXEC);
	io.fd = eventfd(0, EFD_CLOEXEC);
	CHECK_OK(ioctl(vm->fd, KVM_IRQFD, &edge));
	CHECK_OK(ioctl(vm->fd, KVM_IRQFD, &level));
	CHECK_OK(ioctl(vm->fd, KVM_IOEVENTFD, &io));
}

static void arm_pit(struct vm *vm)
{
	struct kvm_pit_state2 pit;

	CHECK_OK(ioctl(vm->fd, KVM_GET_PIT2, &pit));
	pit.channels[0].mode = 2;
	pit.channels[0].count = 1193;
	pit.channels[0].gate = 1;
	CHECK_OK(ioctl(vm->fd, KVM_SET_PIT2, &pit));
}

/* Everything at once: controllers, timers armed, descriptors of all kinds, readers of what vtx tells. */
static void whole_life(int vcpus, bool wait)
{
	char path[256];
	struct busy b;

	busy_start(&b, vcpus);
	eventfds(b.v[0]->vm);
	arm_pit(b.v[0]->vm);
	if (ioctl(b.v[0]->vm->fd, KVM_GET_STATS_FD, 0) < 0 || ioctl(b.v[0]->fd, KVM_GET_STATS_FD, 0) < 0)
		FAIL("KVM_GET_STATS_FD");
	snprintf(path, sizeof(path), "/sys/kernel/debug/vtx/%d-%d/trace", getpid(), b.v[0]->vm->fd);
	EXPECT(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) >= 0, "%s", path);
	busy_progress(&b, 2);
	while (wait)
		busy_progress(&b, 1);
	busy_stop(&b);
}

/* Half of them in this process, one after the other and several at a time, half in processes of their own. */
static void some_lives(int n)
{
	struct vcpu *v[5];

	for (int i = 0; i < n; i++) {
		int status;
		pid_t pid;

		if (i % 10 < 5) {
			v[i % 10] = guest_new(i & 1 ? VM_IRQCHIP | VM_PIT : 0, answer, (u64)i);
			if (i % 10 != 4 && i != n - 1)
				continue;
			for (int k = i % 10; k >= 0; k--) {
				vcpu_finish(v[k]);
				vm_free(v[k]->vm);
				vcpu_free(v[k]);
			}
			continue;
		}
		pid = fork();
		if (!pid) {
			whole_life(1 + i % 3, false);
			_exit(0);
		}
		CHECK(waitpid(pid, &status, 0) == pid && !status, "a VMM: %#x", status);
	}
}

static void lives(void)
{
	static struct held before, after;

	test_timeout(20 + (unsigned int)nr_vms / 4);
	some_lives(20);		/* what is allocated once */
	take(&before);
	some_lives(nr_vms);
	take(&after);
	compare(&before, &after, nr_vms);
}

/* Killed before, while and after the VM is set up: the moment is random, between nothing and a guest that has run for a while. */
static void kill_some(int n, unsigned int seed)
{
	for (int i = 0; i < n; i++) {
		pid_t pid = fork();

		if (!pid) {
			setpgid(0, 0);
			whole_life(1 + i % 4, true);
			_exit(0);
		}
		usleep((unsigned int)rand_r(&seed) % 12000);
		kill(pid, SIGKILL);
		CHECK(waitpid(pid, NULL, 0) == pid, "waitpid");
	}
}

/* Two killers at a time, each on any CPU. */
static void killed(void)
{
	static struct held before, after;

	test_timeout(20 + (unsigned int)nr_kills / 2);
	kill_some(10, 1);
	take(&before);
	for (int k = 0; k < 2; k++) {
		if (!fork()) {
			kill_some(nr_kills / 2, 7u + (unsigned int)k);
			_exit(0);
		}
	}
	for (int k = 0; k < 2; k++) {
		int status;

		CHECK(wait(&status) > 0 && !status, "a killer: %#x", status);
	}
	take(&after);
	compare(&before, &after, nr_kills);
	guest_passes(VM_IRQCHIP | VM_PIT, answer, 0);
}

static const struct test tests[] = {
	TEST(lives), TEST(killed),
};

int main(int argc, char **argv)
{
	char *name = argv[0];

	if (argc > 1 && atoi(argv[1]) > 0) {
		nr_vms = atoi(*++argv);
		argc--;
	}
	if (argc > 1 && atoi(argv[1]) > 0) {
		nr_kills = atoi(*++argv);
		argc--;
	}
	argv[0] = name;
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

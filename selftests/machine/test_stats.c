// SPDX-License-Identifier: GPL-2.0-only
/*
 * vtx's exit counters: /sys/kernel/debug/vtx/<pid>-<vm fd>/vcpu<N>/exits, its header, its names, and its counts, which are exact.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <sys/mman.h>

#include "lib/guest.h"
#include "lib/vm.h"

struct counts {
	u64 cpuids, outs, rdmsrs, vmcalls;
};

static struct counts wanted;

GUEST static void counted(u64 arg)
{
	u32 out[4];
	struct counts w = wanted;

	(void)arg;
	for (u64 i = 0; i < w.cpuids; i++)
		g_cpuid(0, 0, out);
	for (u64 i = 0; i < w.outs; i++)
		g_outb(0x80, (u8)i);
	for (u64 i = 0; i < w.rdmsrs; i++)
		g_rdmsr(0x1a0);
	for (u64 i = 0; i < w.vmcalls; i++)
		asm volatile("vmcall" : : "a"(0x1234) : "memory");
	g_done(0);
}

static void path_of(struct vcpu *v, char *path, size_t size)
{
	snprintf(path, size, "/sys/kernel/debug/vtx/%d-%d/vcpu%d/exits", getpid(), v->vm->fd, v->id);
}

/* The count of one name; 0 when it has no line.  *ticks gets the third field. */
static u64 count_of(struct vcpu *v, const char *name, u64 *ticks)
{
	char path[128], line[256], word[64];
	unsigned long long count, sum;
	u64 result = 0;
	FILE *f;
	int lines = 0;

	path_of(v, path, sizeof(path));
	f = fopen(path, "r");
	CHECK(f, "%s", path);
	while (fgets(line, sizeof(line), f)) {
		if (lines++ == 0) {
			/* The header is no entry of its own. */
			EXPECT(sscanf(line, "%63s %llu %llu", word, &count, &sum) != 3, "no header line: %s", line);
			continue;
		}
		CHECK(sscanf(line, "%63s %llu %llu", word, &count, &sum) == 3, "line '%s'", line);
		if (!strcmp(word, name)) {
			EXPECT(!result, "%s has two lines", name);
			result = count;
			if (ticks)
				*ticks = sum;
		}
	}
	fclose(f);
	EXPECT(lines > 0, "the file is empty");
	return result;
}

static u32 finish_with_outs(struct vcpu *v)
{
	for (;;) {
		vcpu_expect(v, KVM_EXIT_IO);
		if (v->run->io.port == PORT_DONE)
			return 0;
		CHECK_EQ(v->run->io.port, 0x80, "the port");
	}
}

static void exact_counts(void)
{
	struct counts c = { 17, 23, 31, 11 };
	struct vcpu *v;
	u64 ticks = 0;

	wanted = c;
	v = guest_new(0, counted, 0);
	EXPECT_EQ(count_of(v, "CPUID", NULL), 0, "CPUID before the first run");
	finish_with_outs(v);
	EXPECT_EQ(count_of(v, "CPUID", &ticks), c.cpuids, "CPUID");
	EXPECT(ticks > 0, "no ticks for CPUID");
	EXPECT_EQ(count_of(v, "IO_INSTRUCTION", &ticks), c.outs + 1, "IO_INSTRUCTION");
	EXPECT(ticks > 0, "no ticks for IO_INSTRUCTION");
	EXPECT_EQ(count_of(v, "MSR_READ", NULL), c.rdmsrs, "MSR_READ");
	EXPECT_EQ(count_of(v, "VMCALL", NULL), c.vmcalls, "VMCALL");
	EXPECT_EQ(count_of(v, "TRIPLE_FAULT", NULL), 0, "TRIPLE_FAULT");
}

/* Each vCPU has its own file, and a second VM its own folder. */
static void separate(void)
{
	struct counts few = { 3, 0, 0, 0 }, more = { 9, 0, 0, 0 };
	struct vcpu *a, *b, *c;

	wanted = few;
	a = guest_new(0, counted, 0);
	b = vcpu_new(a->vm, 1);
	vcpu_mode_long(b, counted, 0);
	wanted = more;
	c = guest_new(0, counted, 0);
	finish_with_outs(a);
	finish_with_outs(c);
	EXPECT_EQ(count_of(a, "CPUID", NULL), 3, "CPUID of the first");
	EXPECT_EQ(count_of(b, "CPUID", NULL), 0, "CPUID of the second vCPU");
	EXPECT_EQ(count_of(c, "CPUID", NULL), 9, "CPUID of the second VM");
	finish_with_outs(b);
	EXPECT_EQ(count_of(b, "CPUID", NULL), 3, "CPUID of the second vCPU");
	EXPECT_EQ(count_of(a, "CPUID", NULL), 3, "CPUID of the first");
}

/* A guest that reads the page of others: EPT violations are counted too. */
GUEST static void touch_guest(u64 pages)
{
	for (u64 i = 0; i < pages; i++)
		*(volatile u8 *)(GUEST_FREE + i * 4096) = 1;
	g_done(0);
}

static void page_faults(void)
{
	struct vcpu *v = guest_new(0, touch_guest, 50);
	u64 count;

	/* A kernel that hands out huge pages by itself (6.12) would spare the guest most of its violations. */
	CHECK_OK(madvise(v->vm->mem + GUEST_FREE, 50 * 4096, MADV_NOHUGEPAGE));
	CHECK_OK(madvise(v->vm->mem + GUEST_FREE, 50 * 4096, MADV_DONTNEED));
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	count = count_of(v, "EPT_VIOLATION", NULL);
	EXPECT(count >= 50 && count < 200, "EPT_VIOLATION %llu", (unsigned long long)count);
}

/* The folder goes with the VM, also when somebody has the file open; reading it then is an end or an error. */
static void lifetime(void)
{
	struct vcpu *v = guest_new(0, touch_guest, 1);
	char path[128], buffer[64];
	FILE *f;

	path_of(v, path, sizeof(path));
	f = fopen(path, "r");
	CHECK(f, "%s", path);
	vm_free(v->vm);
	vcpu_free(v);
	while (fread(buffer, 1, sizeof(buffer), f) > 0)
		;
	fclose(f);
	for (int i = 0; i < 100 && !access(path, F_OK); i++)
		usleep(1000);
	EXPECT(access(path, F_OK), "%s is still there", path);
	/* Many VMs one after the other on the same descriptor numbers. */
	for (int i = 0; i < 50; i++) {
		v = guest_new(0, touch_guest, 1);
		path_of(v, path, sizeof(path));
		EXPECT(!access(path, R_OK), "%s", path);
		vm_free(v->vm);
		vcpu_free(v);
	}
}

/* Writing 0 clears the counters, also while the vCPU goes on; anything else is refused and clears nothing. */
static void clearing(void)
{
	struct counts c = { 12, 0, 0, 0 };
	struct vcpu *v;
	char path[128];
	int fd;

	wanted = c;
	v = guest_new(0, counted, 0);
	finish_with_outs(v);
	path_of(v, path, sizeof(path));
	fd = open(path, O_WRONLY);
	if (fd < 0)
		skip("%s cannot be written", path);
	EXPECT_ERRNO(write(fd, "1", 1), EINVAL);
	EXPECT_ERRNO(write(fd, "x", 1), EINVAL);
	EXPECT_EQ(count_of(v, "CPUID", NULL), 12, "CPUID");
	EXPECT_EQ(write(fd, "0", 1), 1, "write of 0");
	EXPECT_EQ(count_of(v, "CPUID", NULL), 0, "CPUID after clearing");
	vcpu_mode_long(v, counted, 0);
	finish_with_outs(v);
	EXPECT_EQ(count_of(v, "CPUID", NULL), 12, "CPUID since");
}

static const struct test tests[] = {
	TEST(exact_counts), TEST(separate), TEST(page_faults), TEST(lifetime), TEST(clearing),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

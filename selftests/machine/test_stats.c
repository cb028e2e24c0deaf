// SPDX-License-Identifier: GPL-2.0-only
/*
 * vtx's exit counters: /sys/kernel/debug/vtx/<pid>-<vm fd>/vcpu<N>/exits, latency and top, their headers, their names, and their
 * counts, which are exact.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <sys/mman.h>

#include "lib/trace.h"

struct counts {
	u64 cpuids, outs, rdmsrs, vmcalls;
};

static struct counts wanted;

GUEST static void g_vmcall(u64 number)
{
	asm volatile("vmcall" : "+a"(number) : : "memory"); /* RAX has the answer */
}

GUEST static void counted_instructions(void)
{
	u32 out[4];
	struct counts w = wanted;

	for (u64 i = 0; i < w.cpuids; i++)
		g_cpuid(0, 0, out);
	for (u64 i = 0; i < w.outs; i++)
		g_outb(0x80, (u8)i);
	for (u64 i = 0; i < w.rdmsrs; i++)
		g_rdmsr(0x1a0);
	for (u64 i = 0; i < w.vmcalls; i++)
		g_vmcall(0x1234);
}

GUEST static void counted(u64 arg)
{
	(void)arg;
	counted_instructions();
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

/* ------------------------------------------------------------------ every number */

struct line {
	unsigned long long count, ticks, user_ticks, min, max;
};

/* The line of a reason in exits; all 0 when it has none. */
static struct line line_of(struct vcpu *v, const char *name)
{
	char *text = trace_read(v->vm, "vcpu0/exits"), *line;
	struct line l = { 0 };
	size_t len = strlen(name);

	CHECK(text, "exits");
	for (line = text; *line; line += strcspn(line, "\n") + 1)
		if (!strncmp(line, name, len) && line[len] == ' ')
			CHECK(sscanf(line + len, "%llu %llu %llu %llu %llu", &l.count, &l.ticks, &l.user_ticks, &l.min, &l.max) == 5,
			      "line '%.80s'", line);
	free(text);
	return l;
}

/* The sum of a reason's histogram, and the places of its first and last column that are not 0. */
static u64 histogram(struct vcpu *v, const char *name, int *first, int *last)
{
	char *text = trace_read(v->vm, "vcpu0/latency"), *line;
	size_t len = strlen(name);
	u64 sum = 0;

	CHECK(text && !strncmp(text, "name 0 1 2 3 ", 13), "latency");
	*first = *last = -1;
	for (line = text; *line; line += strcspn(line, "\n") + 1) {
		char *at = line + len;

		if (strncmp(line, name, len) || line[len] != ' ')
			continue;
		for (int i = 0; i < 32; i++) {
			u64 n = strtoull(at, &at, 10);

			sum += n;
			if (n && *first < 0)
				*first = i;
			if (n)
				*last = i;
		}
		CHECK(*at == '\n', "more than 32 columns");
	}
	free(text);
	return sum;
}

/* The count of a key in top, or of "overflow". */
static u64 top_of(struct vcpu *v, const char *key)
{
	char *text = trace_read(v->vm, "vcpu0/top"), *line;
	size_t len = strlen(key);
	u64 count = 0;

	CHECK(text && !strncmp(text, "table key count\n", 16), "top");
	for (line = text; *line; line += strcspn(line, "\n") + 1)
		if (!strncmp(line, key, len) && line[len] == ' ')
			count = strtoull(line + len, NULL, 10);
	free(text);
	return count;
}

static u8 halts_left;

GUEST static void tick(struct g_frame *frame)
{
	(void)frame;
	halts_left--;
	g_apic_write(APIC_EOI, 0);
}

GUEST static void acceptance_guest(u64 arg)
{
	(void)arg;
	g_handler[0x40] = tick;
	g_apic_on();
	counted_instructions();
	halts_left = 100;
	for (int i = 0; i < 100; i++) {
		g_apic_write(APIC_ICR, 0x44040); /* to itself, vector 40h */
		g_sti_hlt();
		g_cli();
	}
	g_done(halts_left);
}

static void check_line(struct vcpu *v, const char *name, u64 count, bool user)
{
	struct line l = line_of(v, name);
	int first, last;

	EXPECT_EQ(l.count, count, name);
	EXPECT_EQ(histogram(v, name, &first, &last), count, "the sum of the histogram");
	EXPECT(l.min > 0 && l.min <= l.ticks / l.count && l.ticks / l.count <= l.max, "%s: min %llu, mean %llu, max %llu", name, l.min,
	       l.ticks / l.count, l.max);
	EXPECT(first >= 0 && l.min >> first == 1 && l.max >> last == 1, "%s: min %llu and max %llu, columns %d to %d", name, l.min, l.max,
	       first, last);
	EXPECT(user ? l.user_ticks > count : !l.user_ticks, "%s: user_ticks %llu", name, l.user_ticks);
}

/* 1,000 CPUID, 500 OUT, 200 RDMSR and 100 HLT that an interrupt ends. */
static void acceptance(void)
{
	struct counts c = { 1000, 500, 200, 7 };
	struct vcpu *v;

	wanted = c;
	v = guest_new(VM_IRQCHIP, acceptance_guest, 0);
	finish_with_outs(v);
	EXPECT_EQ(*(u32 *)((u8 *)v->run + v->run->io.data_offset), 0, "interrupts that did not come");
	check_line(v, "CPUID", 1000, false);
	check_line(v, "IO_INSTRUCTION", 501, true);
	check_line(v, "MSR_READ", 200, false);
	check_line(v, "HLT", 100, false);
	check_line(v, "VMCALL", 7, false);
	EXPECT_EQ(top_of(v, "cpuid 0x0"), 1000, "cpuid 0x0");
	EXPECT_EQ(top_of(v, "port 0x80"), 500, "port 0x80");
	EXPECT_EQ(top_of(v, "port 0x3e0"), 1, "port 0x3e0");
	EXPECT_EQ(top_of(v, "msr 0x1a0"), 200, "msr 0x1a0");
	EXPECT_EQ(top_of(v, "hypercall 0x1234"), 7, "hypercall 0x1234");
	/* What g_apic_on() writes, and two for each halt. */
	EXPECT_EQ(top_of(v, "mmio 0xfee00"), 3 + 200, "mmio 0xfee00");
	EXPECT_EQ(top_of(v, "msr overflow"), 0, "msr overflow");
}

GUEST static void keys_guest(u64 ports)
{
	for (u64 i = 0; i < ports; i++)
		g_outb((u16)(0x400 + i), 0);
	for (u64 i = 0; i < 9; i++)
		g_write32(GUEST_ABSENT + 0x1000 * (i % 3), 1);
	for (u64 i = 0; i < 5; i++)
		g_cpuid((u32)(0x80000000 + i), 0, (u32[4]){ 0 });
	for (u64 i = 0; i < 3; i++)
		g_vmcall(~0ULL);
	g_vmcall(0xffffffff);
	g_done(0);
}

/* More keys than places: what found none is counted, and the order is by count. */
static void busiest(void)
{
	struct vcpu *v = guest_new(0, keys_guest, 200);
	char *text, *line;
	unsigned long long key, count, last = ~0ULL, sum = 0, keys = 0;

	do {
		vcpu_run(v);
	} while (v->run->exit_reason == KVM_EXIT_MMIO || v->run->io.port != PORT_DONE);
	text = trace_read(v->vm, "vcpu0/top");
	for (line = text; *line; line += strcspn(line, "\n") + 1) {
		if (sscanf(line, "port %llx %llu", &key, &count) != 2)
			continue;
		EXPECT(count <= last, "the order");
		last = count;
		sum += count;
		keys++;
	}
	free(text);
	EXPECT(keys > 32 && keys <= 64, "%llu ports", keys);
	EXPECT_EQ(sum + top_of(v, "port overflow"), 201, "ports and overflow");
	EXPECT(top_of(v, "port overflow") >= 201 - 64, "overflow");
	for (int i = 0; i < 3; i++) {
		char name[32];

		snprintf(name, sizeof(name), "mmio %#lx", (GUEST_ABSENT >> 12) + (unsigned long)i);
		EXPECT_EQ(top_of(v, name), 3, name);
	}
	for (int i = 0; i < 5; i++) {
		char name[32];

		snprintf(name, sizeof(name), "cpuid %#x", 0x80000000 + (unsigned int)i);
		EXPECT_EQ(top_of(v, name), 1, name);
	}
	/* Of all numbers one has no place (trace/top.h), and the next to come there begins at 1. */
	EXPECT_EQ(top_of(v, "hypercall overflow"), 3, "hypercall overflow");
	EXPECT_EQ(top_of(v, "hypercall 0xffffffff"), 1, "hypercall 0xffffffff");
}

/* Time in user space is user_ticks of the exit that led there, and no other number. */
static void user_time(void)
{
	struct counts c = { 0, 2, 0, 0 };
	struct line before, after;
	struct vcpu *v;
	volatile u32 spin = 0;

	wanted = c;
	v = guest_new(0, counted, 0);
	vcpu_expect(v, KVM_EXIT_IO);
	before = line_of(v, "IO_INSTRUCTION");
	EXPECT_EQ(before.count, 1, "count");
	EXPECT_EQ(before.user_ticks, 0, "user_ticks before the next entry");
	for (u32 i = 0; i < 3000000; i++)
		spin += i;
	vcpu_expect(v, KVM_EXIT_IO);
	after = line_of(v, "IO_INSTRUCTION");
	EXPECT_EQ(after.count, 2, "count");
	EXPECT(after.user_ticks > 3000000, "user_ticks %llu", after.user_ticks);
	EXPECT(after.max < 3000000 && after.ticks < 3000000, "the kernel's ticks have it: %llu", after.ticks);
	EXPECT_EQ(line_of(v, "CPUID").user_ticks, 0, "user_ticks of CPUID");
	finish_with_outs(v);
}

/* Each file that can be cleared, with a 0 and nothing else. */
static void clearing_all(void)
{
	static const char *const names[] = { "vcpu0/exits", "vcpu0/latency", "vcpu0/top" };
	static const char *const bad[] = { "1", "-1", "x", "0x", "0 0", "00000000000000000000000000000000000000001" };
	struct counts c = { 5, 0, 0, 0 };
	struct vcpu *v;
	int first, last;

	wanted = c;
	v = guest_new(0, counted, 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int fd = trace_open(v->vm, names[i], O_WRONLY);

		vcpu_mode_long(v, counted, 0);
		finish_with_outs(v);
		for (size_t k = 0; k < ARRAY_SIZE(bad); k++)
			EXPECT(write(fd, bad[k], strlen(bad[k])) < 0 && (errno == EINVAL || errno == ERANGE), "'%s' into %s: errno %d", bad[k],
			       names[i], errno);
		EXPECT(line_of(v, "CPUID").count == 5 || i == 2, "a bad write cleared exits");
		EXPECT_EQ(top_of(v, "cpuid 0x0"), 5 * (i + 1), "cpuid 0 in top");
		EXPECT_EQ(write(fd, "0\n", 2), 2, "write of 0");
		close(fd);
		EXPECT_EQ(line_of(v, "CPUID").count, i == 2 ? 5 : 0, "CPUID in exits after clearing");
		EXPECT_EQ(histogram(v, "CPUID", &first, &last), i == 2 ? 5 : 0, "CPUID in latency after clearing");
		EXPECT_EQ(top_of(v, "cpuid 0x0"), i == 2 ? 0 : 5 * (i + 1), "cpuid 0 in top after clearing");
	}
	vcpu_mode_long(v, counted, 0);
	finish_with_outs(v);
	check_line(v, "CPUID", 10, false);
}

static const struct test tests[] = {
	TEST(exact_counts), TEST(separate), TEST(page_faults), TEST(lifetime), TEST(clearing), TEST(acceptance),
	TEST(busiest), TEST(user_time), TEST(clearing_all),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

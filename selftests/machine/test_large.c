// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sizes of pages in the EPT and the tables that hold them: 2M and 1G where the host has them, splitting and coming together again,
 * neighbours that are mapped along, KVM_PRE_FAULT_MEMORY, and tables that are given back when the host is short of memory.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../compat/kvm_uapi.h"
#include "lib/servant.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define DATA 0x40000000UL
#define PARAMETERS "/sys/module/vtx/parameters/"

static bool parameter(const char *name)
{
	char path[96], value = 'Y';
	int fd;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	fd = open(path, O_RDONLY);
	if (fd >= 0) {
		CHECK(read(fd, &value, 1) == 1, "%s", path);
		close(fd);
	}
	return value == 'Y';
}

/* Only the memory of slot 1 shall have large pages. */
static struct vcpu *servant_4k(u64 size, void *data, u32 flags)
{
	struct vcpu *v;

	CHECK(!prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), "prctl");
	v = servant_new(DATA, size, data, flags);
	CHECK(!prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0), "prctl");
	CHECK(!madvise(v->vm->mem, v->vm->size, MADV_NOHUGEPAGE), "madvise");
	return v;
}

static void expect_pages(struct vcpu *v, const char *size, u64 want, const char *when)
{
	char what[96];

	snprintf(what, sizeof(what), "%s %s", size, when);
	EXPECT_EQ(vm_stat(v->vm, size), want, what);
}

static u8 *huge_data(void)
{
	u8 *data = aligned_pages(HUGE, HUGE);

	CHECK(!madvise(data, HUGE, MADV_HUGEPAGE), "madvise");
	memset(data, 0, HUGE);
	if (huge_kilobytes(data) < 2048)
		skip("no transparent huge page to be had");
	return data;
}

static void collapse(void *data)
{
	if (madvise(data, HUGE, MADV_COLLAPSE))
		skip("MADV_COLLAPSE: %s", strerror(errno));
	CHECK(huge_kilobytes(data) == 2048, "the huge page");
}

/* The host's huge page is one entry; it falls apart when a small page of it goes, and comes back when the host makes it whole. */
static void split_and_whole_again(void)
{
	u64 large = parameter("large_pages");
	u8 *data = huge_data();
	struct vcpu *v = servant_4k(HUGE, data, 0);

	for (int round = 0; round < 3; round++) {
		ask(v, FILL, DATA, 512);
		expect_pages(v, "pages_2m", large, "of a huge page");
		CHECK(!madvise(data + 100 * PAGE_SIZE, PAGE_SIZE, MADV_DONTNEED), "madvise");
		expect_pages(v, "pages_2m", 0, "after a part was dropped");
		CHECK_EQ(ask(v, SUM, DATA, 512), 512 * 513 / 2 - 101, "the sum without the page");
		expect_pages(v, "pages_2m", 0, "of small pages");
		ask(v, WRITE, DATA + 100 * PAGE_SIZE, 7);
		collapse(data);
		CHECK_EQ(ask(v, SUM, DATA, 512), 512 * 513 / 2 - 101 + 7, "the sum after the collapse");
		expect_pages(v, "pages_2m", large, "after the collapse");
		EXPECT_EQ(*word(data, 100 * PAGE_SIZE), 7, "the process's view");
	}
}

/*
 * Two slots share a huge page, which neither can map whole. The table of small pages outlives them, empty, as neither takes all of it
 * away, and has to give way when one slot covers the page.
 */
static void table_gives_way(void)
{
	u64 large = parameter("large_pages"), half = HUGE / 2, tables;
	u8 *data = huge_data();
	struct vcpu *v = servant_4k(half, data, 0);

	for (u64 round = 0; round < 3; round++) {
		CHECK_OK(vm_slot(v->vm, 2, DATA + half, half, data + half, 0));
		ask(v, FILL, DATA, 512);
		CHECK_EQ(ask(v, SUM, DATA, 512), 512 * 513 / 2, "the sum through two slots");
		expect_pages(v, "pages_2m", 0, "of two slots");
		tables = vm_stat(v->vm, "ept_tables");
		CHECK_OK(vm_slot(v->vm, 1, 0, 0, NULL, 0));
		CHECK_OK(vm_slot(v->vm, 2, 0, 0, NULL, 0));
		EXPECT_EQ(vm_stat(v->vm, "ept_tables"), tables, "tables without the slots");
		CHECK_OK(vm_slot(v->vm, 1, DATA, HUGE, data, 0));
		CHECK_EQ(ask(v, SUM, DATA, 512), 512 * 513 / 2, "the sum through one slot");
		expect_pages(v, "pages_2m", large, "of one slot");
		EXPECT_EQ(vm_stat(v->vm, "ept_tables"), tables - large, "tables with one slot");
		ask(v, WRITE, DATA + round * PAGE_SIZE, 5);
		EXPECT_EQ(*word(data, round * PAGE_SIZE), 5, "what the guest wrote");
		CHECK_OK(vm_slot(v->vm, 1, 0, 0, NULL, 0));
		CHECK_OK(vm_slot(v->vm, 1, DATA, half, data, 0));
	}
}

/* Pages of the pool, given back at the end of the case. */
static void *hugetlb(u64 size, u64 page, const char *pool, unsigned int shift)
{
	char path[96], text[32];
	u64 before;
	u8 *area, *at;

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%s/nr_hugepages", pool);
	before = file_number(path, ~0ULL);
	if (before == ~0ULL)
		skip("no pool of pages of %s", pool);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)(size / page));
	file_write(path, text);
	if (file_number(path, 0) < size / page)
		skip("%llu of %llu pages of %s to be had", (unsigned long long)file_number(path, 0),
		     (unsigned long long)(size / page), pool);
	area = aligned_pages(size, page);
	at = mmap(area, size, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED | (int)(shift << MAP_HUGE_SHIFT), -1, 0);
	CHECK(at == area, "mmap of pages of %s", pool);
	return at;
}

static void hugetlb_2m(void)
{
	u64 large = parameter("large_pages");
	u8 *data = hugetlb(2 * HUGE, HUGE, "2048kB", 21);
	struct vcpu *v = servant_4k(2 * HUGE, data, 0);

	ask(v, FILL, DATA, 1024);
	for (u64 i = 0; i < 1024; i++)
		EXPECT_EQ(*word(data, i * PAGE_SIZE), i + 1, "the process's view");
	expect_pages(v, "pages_2m", 2 * large, "of two pages");
	CHECK(!mprotect(data, HUGE, PROT_READ), "mprotect");
	expect_pages(v, "pages_2m", large, "after one was protected");
	CHECK_EQ(ask(v, SUM, DATA, 512), 512 * 513 / 2, "the protected page");
	give(v, WRITE, DATA, 1);
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EFAULT);
	CHECK(!mprotect(data, HUGE, PROT_READ | PROT_WRITE), "mprotect");
	vcpu_expect_port(v, PORT_SAY);
	CHECK(!madvise(data, HUGE, MADV_DONTNEED), "madvise");
	CHECK_EQ(ask(v, SUM, DATA, 1024), 512 * (513 + 1024) / 2, "the sum without the dropped page");
	/* Small pages take the place of a huge one. */
	CHECK(mmap(data, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == data, "mmap");
	CHECK(!madvise(data, HUGE, MADV_NOHUGEPAGE), "madvise");
	ask(v, FILL, DATA, 512);
	expect_pages(v, "pages_2m", large, "beside small pages");
	file_write("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0");
}

static void hugetlb_1g(void)
{
	const u64 giga = 1ULL << 30;
	bool large = parameter("large_pages");
	u8 *data = hugetlb(giga, giga, "1048576kB", 30);
	struct vcpu *v = servant_4k(giga, data, 0);

	test_timeout(20);
	ask(v, WRITE, DATA + giga - 8, 11);
	EXPECT_EQ(*word(data, giga - 8), 11, "the last word");
	*word(data, 512 * PAGE_SIZE) = 12;
	EXPECT_EQ(ask(v, READ, DATA + 512 * PAGE_SIZE, 0), 12, "what the process wrote");
	expect_pages(v, "pages_1g", large, "of one page");
	/* A slot that ends inside it gets pieces. */
	CHECK_OK(vm_slot(v->vm, 1, 0, 0, NULL, 0));
	expect_pages(v, "pages_1g", 0, "without the slot");
	CHECK_OK(vm_slot(v->vm, 1, DATA, giga / 2, data, 0));
	EXPECT_EQ(ask(v, READ, DATA + 512 * PAGE_SIZE, 0), 12, "through the shorter slot");
	expect_pages(v, "pages_1g", 0, "of half a page");
	expect_pages(v, "pages_2m", large, "of half a page");
	CHECK_OK(vm_slot(v->vm, 1, 0, 0, NULL, 0));
	CHECK_OK(vm_slot(v->vm, 1, DATA, giga, data, 0));
	EXPECT_EQ(ask(v, READ, DATA + giga - 8, 0), 11, "through the whole slot");
	expect_pages(v, "pages_1g", large, "of the whole page again");
	expect_pages(v, "pages_2m", 0, "beside it");
	file_write("/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "0");
}

/* ------------------------------------------------------------------ neighbours */

/* A touch maps those that follow up to the end of the 64K, as far as they are there and in the slot. */
static void around(void)
{
	u8 *data = host_pages(64 * PAGE_SIZE);
	struct vcpu *v;
	u64 before;

	CHECK(!madvise(data, 64 * PAGE_SIZE, MADV_NOHUGEPAGE), "madvise");
	memset(data, 1, 64 * PAGE_SIZE);
	CHECK(!madvise(data + 21 * PAGE_SIZE, PAGE_SIZE, MADV_DONTNEED), "madvise");
	v = servant_4k(60 * PAGE_SIZE, data, 0);

	static const struct {
		u64 touch, mapped;
	} steps[] = {
		{ 0, 16 },	/* a whole window */
		{ 5, 0 },	/* which is there now */
		{ 18, 3 },	/* as far as the hole */
		{ 22, 10 },	/* from behind it */
		{ 21, 1 },	/* the hole itself: fresh memory comes alone */
		{ 31, 0 },
		{ 47, 1 },	/* the last of a window */
		{ 48, 12 },	/* the slot's end */
	};

	for (u64 i = 0; i < ARRAY_SIZE(steps); i++) {
		before = vm_stat(v->vm, "pages_4k");
		ask(v, WRITE, DATA + steps[i].touch * PAGE_SIZE + 8, i);
		EXPECT_EQ(vm_stat(v->vm, "pages_4k") - before, steps[i].mapped, "pages that the touch has mapped");
		EXPECT_EQ(*word(data, steps[i].touch * PAGE_SIZE + 8), i, "what the guest wrote");
	}
	CHECK_OK(munmap(data + 50 * PAGE_SIZE, PAGE_SIZE));
	give(v, READ, DATA + 50 * PAGE_SIZE, 0);
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EFAULT);
}

/* Memory that MADV_FREE gave away is not taken back by a neighbour's fault; and read-only neighbours stay so. */
static void around_takes_nothing(void)
{
	u8 *data = host_pages(32 * PAGE_SIZE);
	struct vcpu *v;

	CHECK(!madvise(data, 32 * PAGE_SIZE, MADV_NOHUGEPAGE), "madvise");
	memset(data, 1, 32 * PAGE_SIZE);
	CHECK(!mprotect(data + 4 * PAGE_SIZE, 12 * PAGE_SIZE, PROT_READ), "mprotect");
	v = servant_4k(32 * PAGE_SIZE, data, 0);
	ask(v, WRITE, DATA, 1);
	give(v, WRITE, DATA + 6 * PAGE_SIZE, 2);
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EFAULT);
	EXPECT_EQ(*word(data, 6 * PAGE_SIZE), 0x0101010101010101, "the word of a page that may not be written");
	CHECK(!mprotect(data + 6 * PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE), "mprotect");
	vcpu_expect_port(v, PORT_SAY);
	EXPECT_EQ(*word(data, 6 * PAGE_SIZE), 2, "what the guest wrote then");
	EXPECT_EQ(ask(v, READ, DATA + 4 * PAGE_SIZE, 0), 0x0101010101010101, "a page that may be read");
	give(v, WRITE, DATA + 8 * PAGE_SIZE, 4);
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EFAULT);
	CHECK(!mprotect(data + 8 * PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE), "mprotect");
	vcpu_expect_port(v, PORT_SAY);
	EXPECT_EQ(*word(data, 8 * PAGE_SIZE), 4, "what the guest wrote then");

	CHECK(!madvise(data + 20 * PAGE_SIZE, 8 * PAGE_SIZE, MADV_FREE), "MADV_FREE");
	/* Every CPU collects such pages and hands them on by the dozen; compaction empties these lists. */
	if (!file_write("/proc/sys/vm/compact_memory", "1"))
		skip("no compaction");
	ask(v, WRITE, DATA + 17 * PAGE_SIZE, 3);
	EXPECT(!madvise(data + 16 * PAGE_SIZE, 16 * PAGE_SIZE, MADV_PAGEOUT), "MADV_PAGEOUT");
	EXPECT_EQ(*word(data, 22 * PAGE_SIZE), 0, "a page given away, after reclaim");
	EXPECT_EQ(*word(data, 17 * PAGE_SIZE), 3, "the page before it");
}

/* ------------------------------------------------------------------ KVM_PRE_FAULT_MEMORY */

static void pre_fault(void)
{
	const u64 pages = 200;
	u8 *data = host_pages(pages * PAGE_SIZE);
	struct kvm_pre_fault_memory range = { .gpa = DATA, .size = pages * PAGE_SIZE };
	struct vcpu *v = servant_4k(pages * PAGE_SIZE, data, 0);
	u64 before;

	if (dev_has(KVM_CAP_PRE_FAULT_MEMORY) <= 0)
		skip("no KVM_CAP_PRE_FAULT_MEMORY");
	CHECK(!madvise(data, pages * PAGE_SIZE, MADV_NOHUGEPAGE), "madvise");
	for (u64 i = 0; i < pages; i += 2)
		*word(data, i * PAGE_SIZE) = i;
	before = vm_stat(v->vm, "pages_4k");
	CHECK_OK(ioctl(v->fd, KVM_PRE_FAULT_MEMORY, &range));
	EXPECT_EQ(range.size, 0, "what is left");
	EXPECT_EQ(range.gpa, DATA + pages * PAGE_SIZE, "where it ended");
	EXPECT_EQ(vm_stat(v->vm, "pages_4k") - before, pages, "pages mapped");
	/* The guest reads all of it without a fault. */
	before = vm_stat(v->vm, "pages_4k");
	EXPECT_EQ(ask(v, SUM, DATA, pages), pages / 2 * (pages - 2) / 2, "the sum");
	EXPECT_EQ(vm_stat(v->vm, "pages_4k"), before, "pages after the guest's reading");
	/* Fresh memory was mapped as a read would: the first write still gets a page of its own. */
	ask(v, WRITE, DATA + PAGE_SIZE, 77);
	EXPECT_EQ(*word(data, PAGE_SIZE), 77, "what the guest wrote");
	EXPECT_EQ(*word(data, 3 * PAGE_SIZE), 0, "its neighbour");

	/* A part is done: the rest stands in the argument. */
	range = (struct kvm_pre_fault_memory){ .gpa = DATA + (pages - 2) * PAGE_SIZE, .size = 8 * PAGE_SIZE };
	CHECK_OK(ioctl(v->fd, KVM_PRE_FAULT_MEMORY, &range));
	EXPECT_EQ(range.gpa, DATA + pages * PAGE_SIZE, "where it ended");
	EXPECT_EQ(range.size, 6 * PAGE_SIZE, "what is left");
	EXPECT_ERRNO(ioctl(v->fd, KVM_PRE_FAULT_MEMORY, &range), ENOENT);
	EXPECT_EQ(range.size, 6 * PAGE_SIZE, "what is left");

	CHECK(!munmap(data + 10 * PAGE_SIZE, PAGE_SIZE), "munmap");
	range = (struct kvm_pre_fault_memory){ .gpa = DATA + 10 * PAGE_SIZE, .size = PAGE_SIZE };
	EXPECT_ERRNO(ioctl(v->fd, KVM_PRE_FAULT_MEMORY, &range), EFAULT);
	EXPECT_ERRNO(ioctl(v->fd, KVM_PRE_FAULT_MEMORY, 8), EFAULT);
}

static void pre_fault_bad_input(void)
{
	static const struct kvm_pre_fault_memory bad[] = {
		{ .gpa = DATA, .size = PAGE_SIZE, .flags = 1 }, { .gpa = DATA, .size = PAGE_SIZE, .flags = 1ULL << 63 },
		{ .gpa = DATA + 1, .size = PAGE_SIZE }, { .gpa = DATA, .size = PAGE_SIZE + 1 }, { .gpa = DATA, .size = 0 },
		{ .gpa = DATA, .size = -PAGE_SIZE }, { .gpa = -PAGE_SIZE, .size = PAGE_SIZE },
	};
	struct kvm_pre_fault_memory range;
	struct vcpu *v = servant_4k(16 * PAGE_SIZE, host_pages(16 * PAGE_SIZE), KVM_MEM_READONLY);

	if (dev_has(KVM_CAP_PRE_FAULT_MEMORY) <= 0)
		skip("no KVM_CAP_PRE_FAULT_MEMORY");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		range = bad[i];
		EXPECT_ERRNO(ioctl(v->fd, KVM_PRE_FAULT_MEMORY, &range), EINVAL);
		EXPECT(!memcmp(&range, &bad[i], sizeof(range)), "the argument has changed");
	}
	/* A read-only slot can be read. */
	range = (struct kvm_pre_fault_memory){ .gpa = DATA, .size = 16 * PAGE_SIZE };
	CHECK_OK(ioctl(v->fd, KVM_PRE_FAULT_MEMORY, &range));
	EXPECT_EQ(ask(v, SUM, DATA, 16), 0, "the sum");
	/* The largest range there can be: a part of it is done. */
	range = (struct kvm_pre_fault_memory){ .gpa = DATA, .size = -DATA - PAGE_SIZE };
	CHECK_OK(ioctl(v->fd, KVM_PRE_FAULT_MEMORY, &range));
	EXPECT_EQ(range.gpa, DATA + 16 * PAGE_SIZE, "where it ended");
}

static void pre_fault_large(void)
{
	u64 large = parameter("large_pages");
	u8 *data = huge_data();
	struct vcpu *v = servant_4k(HUGE, data, 0);
	struct kvm_pre_fault_memory range = { .gpa = DATA + 3 * PAGE_SIZE, .size = HUGE - 3 * PAGE_SIZE };

	if (dev_has(KVM_CAP_PRE_FAULT_MEMORY) <= 0)
		skip("no KVM_CAP_PRE_FAULT_MEMORY");
	CHECK_OK(ioctl(v->fd, KVM_PRE_FAULT_MEMORY, &range));
	EXPECT_EQ(range.gpa, DATA + HUGE, "where it ended");
	expect_pages(v, "pages_2m", large, "mapped before the guest asks");
}

/* ------------------------------------------------------------------ tables */

#define SPREAD 64	/* pages, each in a table of its own */

static struct vcpu *spread_out(u8 **data)
{
	struct vcpu *v;

	*data = aligned_pages(SPREAD * HUGE, HUGE);
	CHECK(!madvise(*data, SPREAD * HUGE, MADV_NOHUGEPAGE), "madvise");
	v = servant_4k(SPREAD * HUGE, *data, 0);
	for (u64 i = 0; i < SPREAD; i++)
		ask(v, WRITE, DATA + i * HUGE, i + 1);
	return v;
}

static void tables_are_counted(void)
{
	u64 before = file_named("/proc/meminfo", "SecPageTables"), tables;
	struct vcpu *v;
	u8 *data;

	v = spread_out(&data);
	tables = vm_stat(v->vm, "ept_tables");
	EXPECT(tables >= SPREAD && tables < SPREAD + 40, "%llu tables", (unsigned long long)tables);
	/* The kernel keeps its count by CPU, so it may lag behind by some. */
	EXPECT(file_named("/proc/meminfo", "SecPageTables") + 500 > before + SPREAD * 4, "SecPageTables: %llu kB, %llu before",
	       (unsigned long long)file_named("/proc/meminfo", "SecPageTables"), (unsigned long long)before);
	CHECK(!munmap(data, SPREAD * HUGE), "munmap");
	EXPECT(vm_stat(v->vm, "ept_tables") < tables - SPREAD + 4, "tables stay behind memory that went");
}

/* echo 2 >drop_caches asks every shrinker. The kernel saves up what it wants scanned until it is worth a call. */
static void want_memory(int times)
{
	for (int i = 0; i < times; i++)
		CHECK(file_write("/proc/sys/vm/drop_caches", "2"), "drop_caches");
}

/* A table that the guest has used since the last time goes the next time. */
static void tables_are_given_back(void)
{
	u64 tables, now, reclaimed = 0;
	struct vcpu *v;
	u8 *data;

	v = spread_out(&data);
	tables = vm_stat(v->vm, "ept_tables");
	for (int round = 0; round < 3; round++) {
		want_memory(20);
		now = vm_stat(v->vm, "ept_tables");
		EXPECT(now < tables - SPREAD + 4, "%llu tables, %llu before", (unsigned long long)now, (unsigned long long)tables);
		EXPECT(vm_stat(v->vm, "ept_tables_reclaimed") >= reclaimed + SPREAD - 4, "tables given back: %llu",
		       (unsigned long long)vm_stat(v->vm, "ept_tables_reclaimed"));
		reclaimed = vm_stat(v->vm, "ept_tables_reclaimed");
		/* All is there again when it is asked for. */
		for (u64 i = 0; i < SPREAD; i++)
			CHECK_EQ(ask(v, READ, DATA + i * HUGE, 0), i + 1, "the word");
		CHECK_EQ(vm_stat(v->vm, "ept_tables"), tables, "tables");
	}
}

/* What the guest uses all the time outlives what it does not, where the processor keeps accessed flags. */
static void used_tables_stay(void)
{
	struct vcpu *v;
	u64 faults;
	u8 *data;

	if (!parameter("eptad"))
		skip("eptad=0");
	v = spread_out(&data);
	for (int round = 0; round < 20; round++) {
		CHECK_EQ(ask(v, READ, DATA, 0), 1, "the word");
		want_memory(1);
	}
	faults = vm_stat(v->vm, "pages_4k");
	CHECK_EQ(ask(v, READ, DATA, 0), 1, "the word");
	EXPECT_EQ(vm_stat(v->vm, "pages_4k"), faults, "4K pages before and after reading what was used: its table stayed");
	CHECK_EQ(ask(v, READ, DATA + 9 * HUGE, 0), 10, "the word");
	EXPECT(vm_stat(v->vm, "pages_4k") > faults, "a table that was not used has stayed");
}

/* ------------------------------------------------------------------ ageing */

#define HOT 32
#define ALL 512

/* Puts this process into a memory cgroup of its own, whose folder is *@path. */
static bool enter_cgroup(char *path, size_t size)
{
	char file[128], pid[16];

	mkdir("/run/cgroup", 0755);
	if (mount("none", "/run/cgroup", "cgroup2", 0, NULL) && errno != EBUSY)
		return false;
	file_write("/run/cgroup/cgroup.subtree_control", "+memory");
	snprintf(path, size, "/run/cgroup/test-%d", getpid());
	mkdir(path, 0755);
	snprintf(file, sizeof(file), "%s/cgroup.procs", path);
	snprintf(pid, sizeof(pid), "%d", getpid());
	return file_write(file, pid);
}

/* Pages that only the guest uses: those it reads again and again stay when memory is reclaimed, as the accessed flags of the EPT say so. */
static void used_pages_stay(void)
{
	u8 *data = host_pages(ALL * PAGE_SIZE);
	unsigned int hot = 0, cold = 0;
	char path[64], file[96];
	struct vcpu *v;

	if (!swap_on())
		skip("no swap space: the kernel has no brd");
	if (!enter_cgroup(path, sizeof(path)))
		skip("no memory cgroup to be had");
	snprintf(file, sizeof(file), "%s/memory.reclaim", path);
	if (access(file, W_OK))
		skip("no memory.reclaim");
	CHECK(!madvise(data, ALL * PAGE_SIZE, MADV_NOHUGEPAGE), "madvise");
	v = servant_4k(ALL * PAGE_SIZE, data, 0);
	ask(v, FILL, DATA, ALL);
	/* In small bites, until an eighth is gone: how much goes elsewhere is the kernel's choice. */
	for (unsigned int round = 0; round < 100 && cold < ALL / 8; round++) {
		CHECK_EQ(ask(v, SUM, DATA, HOT), HOT * (HOT + 1) / 2, "the sum");
		file_write(file, "131072");
		hot = cold = 0;
		for (unsigned int i = 0; i < ALL; i++)
			*(i < HOT ? &hot : &cold) += is_swapped(data + i * PAGE_SIZE);
	}
	note("swapped out: %u of %u in use, %u of %u others", hot, HOT, cold, ALL - HOT);
	EXPECT(cold >= HOT, "%u of %u pages swapped out", cold, ALL - HOT);
	EXPECT(hot * (ALL - HOT) * 2 <= cold * HOT, "of pages in use not half as many in a hundred: %u of %u", hot, HOT);
	CHECK_EQ(ask(v, SUM, DATA, ALL), ALL * (ALL + 1) / 2, "the sum of all");
}

static const struct test tests[] = {
	TEST(split_and_whole_again), TEST(table_gives_way), TEST(hugetlb_2m), TEST(hugetlb_1g), TEST(around),
	TEST(around_takes_nothing), TEST(pre_fault), TEST(pre_fault_bad_input), TEST(pre_fault_large), TEST(tables_are_counted),
	TEST(tables_are_given_back), TEST(used_tables_stay), TEST(used_pages_stay),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

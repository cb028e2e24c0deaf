// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory is process memory: whatever the process does to its mappings while the guest runs - munmap, mremap,
 * mprotect, MADV_DONTNEED, fork and copy-on-write, huge pages - the guest sees the same memory as the process does.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/servant.h"
#include "../../uapi/vtx.h"

#define DATA 0x40000000UL
#define DATA_SIZE 0x400000UL

static struct vcpu *data_servant(void *data, u32 flags)
{
	return servant_new(DATA, DATA_SIZE, data, flags);
}

/* The process writes, the guest reads, and the other way round; also first touches of either kind. */
static void shared_view(void)
{
	u8 *data = host_pages(DATA_SIZE);
	struct vcpu *v = data_servant(data, 0);

	for (u64 page = 0; page < 64; page++) {
		u64 at = page * PAGE_SIZE + page * 8;

		if (page % 4 == 0)		/* read first: the zero page, which the write must replace */
			EXPECT_EQ(ask(v, READ, DATA + at, 0), 0, "a fresh page");
		if (page % 4 == 1)
			*word(data, at) = page;
		if (page % 4 == 3)
			EXPECT_EQ(*word(data, at), 0, "a page the process has read first");
		ask(v, WRITE, DATA + at, page * 3 + 1);
		EXPECT_EQ(*word(data, at), page * 3 + 1, "what the guest wrote");
		*word(data, at) = page * 5;
		EXPECT_EQ(ask(v, READ, DATA + at, 0), page * 5, "what the process wrote");
	}
	EXPECT_EQ(ask(v, READ, DATA + 100 * PAGE_SIZE, 0), 0, "a page that nobody wrote");
}

static void dontneed(void)
{
	u8 *data = host_pages(DATA_SIZE);
	struct vcpu *v = data_servant(data, 0);

	for (int round = 0; round < 20; round++) {
		ask(v, FILL, DATA, 16);
		CHECK_EQ(ask(v, SUM, DATA, 16), 136, "the sum");
		CHECK(!madvise(data, 8 * PAGE_SIZE, MADV_DONTNEED), "madvise");
		CHECK_EQ(ask(v, SUM, DATA, 16), 136 - 36, "the sum without the pages dropped");
		CHECK_EQ(ask(v, READ, DATA, 0), 0, "a dropped page");
	}
}

static void unmap_and_remap(void)
{
	u8 *data = host_pages(DATA_SIZE);
	struct vcpu *v = data_servant(data, 0);

	for (u64 round = 1; round < 20; round++) {
		ask(v, WRITE, DATA + PAGE_SIZE, round);
		CHECK(!munmap(data + PAGE_SIZE, PAGE_SIZE), "munmap");
		give(v, READ, DATA + PAGE_SIZE, 0);
		EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EFAULT);
		CHECK(mmap(data + PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			   -1, 0) != MAP_FAILED, "mmap");
		*word(data, PAGE_SIZE) = round + 1000;
		CHECK_EQ(answer(v), round + 1000, "the word of the new page");
	}
}

static void remap_moved(void)
{
	u8 *data = host_pages(DATA_SIZE), *other = host_pages(PAGE_SIZE);
	struct vcpu *v = data_servant(data, 0);

	ask(v, WRITE, DATA, 0x11);
	*word(other, 0) = 0x22;
	/* The page goes elsewhere, another takes its place. */
	CHECK(mremap(other, PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, data) == data, "mremap");
	CHECK_EQ(ask(v, READ, DATA, 0), 0x22, "the word of the page moved in");
	ask(v, WRITE, DATA, 0x33);
	EXPECT_EQ(*word(data, 0), 0x33, "what the guest wrote");
}

static void protection(void)
{
	u8 *data = host_pages(DATA_SIZE);
	struct vcpu *v = data_servant(data, 0);

	ask(v, WRITE, DATA, 7);
	CHECK(!mprotect(data, PAGE_SIZE, PROT_READ), "mprotect");
	CHECK_EQ(ask(v, READ, DATA, 0), 7, "a page that may be read");
	give(v, WRITE, DATA, 8);
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EFAULT);
	EXPECT_EQ(*word(data, 0), 7, "the word of a page that may not be written");
	CHECK(!mprotect(data, PAGE_SIZE, PROT_READ | PROT_WRITE), "mprotect");
	vcpu_expect_port(v, PORT_SAY);
	EXPECT_EQ(*word(data, 0), 8, "what the guest wrote then");
	CHECK(!mprotect(data, PAGE_SIZE, PROT_NONE), "mprotect");
	give(v, READ, DATA, 0);
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EFAULT);
	CHECK(!mprotect(data, PAGE_SIZE, PROT_READ), "mprotect");
	CHECK_EQ(answer(v), 8, "the word");
}

/* After a fork both sides share the pages until one writes; the guest belongs to the parent. */
static void fork_and_cow(void)
{
	u8 *data = host_pages(DATA_SIZE);
	struct vcpu *v = data_servant(data, 0);
	int to_child[2], from_child[2], status;
	u64 seen[4];
	pid_t pid;
	char byte = 0;

	CHECK(!pipe(to_child) && !pipe(from_child), "pipe");
	for (u64 i = 0; i < 4; i++)
		ask(v, WRITE, DATA + i * PAGE_SIZE, 100 + i);
	pid = fork();
	if (!pid) {
		CHECK(read(to_child[0], &byte, 1) == 1, "read");
		for (u64 i = 0; i < 4; i++)
			seen[i] = *word(data, i * PAGE_SIZE);
		*word(data, 2 * PAGE_SIZE) = 999;	/* the child's own copy */
		CHECK(write(from_child[1], seen, sizeof(seen)) == sizeof(seen), "write");
		CHECK(read(to_child[0], &byte, 1) == 1, "read");
		_exit(0);
	}
	CHECK_EQ(ask(v, READ, DATA, 0), 100, "a shared page");
	ask(v, WRITE, DATA, 200);			/* the guest writes */
	*word(data, PAGE_SIZE) = 201;			/* the process writes */
	EXPECT_EQ(*word(data, 0), 200, "what the guest wrote");
	EXPECT_EQ(ask(v, READ, DATA + PAGE_SIZE, 0), 201, "what the process wrote");
	CHECK(write(to_child[1], &byte, 1) == 1, "write");
	CHECK(read(from_child[0], seen, sizeof(seen)) == sizeof(seen), "read");
	for (u64 i = 0; i < 4; i++)
		EXPECT_EQ(seen[i], 100 + i, "what the child sees");
	EXPECT_EQ(ask(v, READ, DATA + 2 * PAGE_SIZE, 0), 102, "a page the child wrote");
	ask(v, WRITE, DATA + 2 * PAGE_SIZE, 202);
	EXPECT_EQ(*word(data, 2 * PAGE_SIZE), 202, "what the guest wrote");
	CHECK(write(to_child[1], &byte, 1) == 1, "write");
	CHECK(waitpid(pid, &status, 0) == pid && !status, "the child");
}

static volatile u64 counter_page[512] __attribute__((aligned(4096)));

GUEST static void counter(u64 addr)
{
	volatile u64 *p = (volatile u64 *)addr;

	g_sti();
	g_say(0);
	for (u64 i = 1; !p[511]; i++) {
		p[0] = i;
		if (p[0] != i)
			g_fail("the guest's own write was lost", __LINE__, p[0], i);
	}
	g_done(0);
}

static void *run_counter(void *arg)
{
	return (void *)(uintptr_t)vcpu_finish(arg);
}

/* Forks again and again under a guest that counts: no write may land in a page that is only the child's any more. */
static void fork_under_running_guest(void)
{
	struct vcpu *v = guest_new(0, counter, DATA);
	volatile u64 *data = host_pages(PAGE_SIZE);
	pthread_t thread;
	u64 last = 0;
	int status;

	test_timeout(8);
	CHECK_OK(vm_slot(v->vm, 1, DATA, PAGE_SIZE, (void *)data, 0));
	vcpu_expect_port(v, PORT_SAY);
	CHECK(!pthread_create(&thread, NULL, run_counter, v), "pthread_create");
	for (int i = 0; i < 40; i++) {
		pid_t pid = fork();
		u64 now;

		if (!pid) {
			u64 first = data[0];

			usleep(500);
			_exit(data[0] != first);	/* the child's copy stands still */
		}
		usleep(300);
		now = data[0];
		EXPECT(now >= last, "the counter went back from %llu to %llu", (unsigned long long)last,
		       (unsigned long long)now);
		last = now;
		CHECK(waitpid(pid, &status, 0) == pid, "waitpid");
		EXPECT_EQ(status, 0, "a child that saw its copy change");
	}
	EXPECT(last > 1000, "the guest counted to %llu", (unsigned long long)last);
	data[511] = 1;
	pthread_join(thread, NULL);
}

static volatile u64 done_flag;

GUEST static void checker(u64 pages)
{
	u64 seed = 12345, errors = 0;

	g_sti();
	g_say(0);
	while (!done_flag) {
		volatile u64 *p;
		u64 a, b;

		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		p = (volatile u64 *)(DATA + (seed >> 33) % pages * 4096);
		/* Each page is all zero or holds its own number twice; the process changes them under us. */
		a = p[8];
		b = p[8];
		if ((a && a != ((u64)p - DATA) / 4096 + 1) || (b && b != ((u64)p - DATA) / 4096 + 1))
			errors++;
		if (seed >> 62 == 0)
			p[16] = seed;
	}
	g_done((u32)errors);
}

/* A guest that reads and writes at random while the process drops, replaces and fills pages. */
static void hammer(u32 cpus)
{
	const u64 pages = 64;
	u8 *data = host_pages(pages * PAGE_SIZE);
	struct vcpu *v[2];
	pthread_t threads[2];
	u32 seed = 42;

	test_timeout(8);
	v[0] = guest_new(0, checker, pages);
	CHECK_OK(vm_slot(v[0]->vm, 1, DATA, pages * PAGE_SIZE, data, 0));
	if (cpus > 1) {
		v[1] = vcpu_new(v[0]->vm, 1);
		vcpu_mode_long(v[1], checker, pages);
	}
	for (u32 i = 0; i < cpus; i++) {
		vcpu_expect_port(v[i], PORT_SAY);
		threads[i] = vcpu_start(v[i]);
	}
	for (int i = 0; i < 1000; i++) {
		u64 page;

		seed = seed * 1103515245 + 12345;
		page = (seed >> 16) % pages;
		if (seed & 0x8000) {
			CHECK(!madvise(data + page * PAGE_SIZE, PAGE_SIZE, MADV_DONTNEED), "madvise");
		} else if (seed & 0x4000) {
			CHECK(mmap(data + page * PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, -1, 0) != MAP_FAILED, "mmap");
		} else {
			*word(data, page * PAGE_SIZE + 64) = page + 1;
		}
		if (i % 50 == 0)
			usleep(200);
	}
	G(v[0]->vm, done_flag) = 1;
	for (u32 i = 0; i < cpus; i++)
		EXPECT_EQ(vcpu_join(threads[i]), 0, "wrong words seen by the guest");
}

static void hammer_one(void)
{
	hammer(1);
}

static void hammer_two(void)
{
	hammer(2);
}

/* A transparent huge page: used whole, then split by dropping and by protecting one small page of it. */
static void huge_page(void)
{
	const u64 huge = HUGE;
	u8 *data = aligned_pages(huge, huge);
	struct vcpu *v;

	CHECK(!madvise(data, huge, MADV_HUGEPAGE), "madvise");
	memset(data, 0, huge);
	if (huge_kilobytes(data) < 2048)
		skip("no transparent huge page to be had");
	v = servant_new(DATA, huge, data, 0);
	ask(v, FILL, DATA, 512);
	CHECK_EQ(ask(v, SUM, DATA, 512), 512 * 513 / 2, "the sum");
	for (u64 i = 0; i < 512; i++)
		EXPECT_EQ(*word(data, i * PAGE_SIZE), i + 1, "the process's view");
	CHECK(!madvise(data + 100 * PAGE_SIZE, PAGE_SIZE, MADV_DONTNEED), "madvise");
	CHECK_EQ(ask(v, READ, DATA + 100 * PAGE_SIZE, 0), 0, "the page dropped");
	CHECK_EQ(ask(v, SUM, DATA, 512), 512 * 513 / 2 - 101, "the sum without it");
	ask(v, WRITE, DATA + 100 * PAGE_SIZE, 5);
	EXPECT_EQ(*word(data, 100 * PAGE_SIZE), 5, "what the guest wrote there");
	CHECK(!mprotect(data + 200 * PAGE_SIZE, PAGE_SIZE, PROT_READ), "mprotect");
	give(v, WRITE, DATA + 200 * PAGE_SIZE, 6);
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EFAULT);
	EXPECT_EQ(*word(data, 200 * PAGE_SIZE), 201, "the protected word");
	CHECK(!mprotect(data + 200 * PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE), "mprotect");
	vcpu_expect_port(v, PORT_SAY);
	EXPECT_EQ(*word(data, 200 * PAGE_SIZE), 6, "what the guest wrote then");
}

/* A huge page under a slot that is not aligned like it, and one that ends in its middle: no neighbour may be reached. */
static void huge_page_misaligned(void)
{
	const u64 huge = HUGE;
	u8 *data = aligned_pages(huge, huge);
	struct vcpu *v;

	CHECK(!madvise(data, huge, MADV_HUGEPAGE), "madvise");
	memset(data, 0, huge);
	if (huge_kilobytes(data) < 2048)
		skip("no transparent huge page to be had");
	v = servant_new(DATA + PAGE_SIZE, 16 * PAGE_SIZE, data + 3 * PAGE_SIZE, 0);
	ask(v, FILL, DATA + PAGE_SIZE, 16);
	for (u64 i = 0; i < 512; i++)
		EXPECT_EQ(*word(data, i * PAGE_SIZE), i >= 3 && i < 19 ? i - 2 : 0, "the process's view");
	give(v, READ, DATA + 17 * PAGE_SIZE, 0);
	vcpu_expect(v, KVM_EXIT_MMIO);
}

/* Shared memory of a file: a second mapping shows the guest's writes, a hole punched shows as zeros. */
static void file_memory(void)
{
	int fd = memfd_create("data", MFD_CLOEXEC);
	u8 *data, *second;
	struct vcpu *v;

	CHECK(fd >= 0 && !ftruncate(fd, DATA_SIZE), "memfd");
	data = mmap(NULL, DATA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	second = mmap(NULL, DATA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(data != MAP_FAILED && second != MAP_FAILED, "mmap");
	v = data_servant(data, 0);
	for (u64 i = 1; i < 20; i++) {
		ask(v, WRITE, DATA + i * PAGE_SIZE, i);
		EXPECT_EQ(*word(second, i * PAGE_SIZE), i, "the second mapping");
		*word(second, i * PAGE_SIZE) = i * 2;
		EXPECT_EQ(ask(v, READ, DATA + i * PAGE_SIZE, 0), i * 2, "what the second mapping wrote");
		CHECK(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(i * PAGE_SIZE), PAGE_SIZE),
		      "fallocate");
		EXPECT_EQ(ask(v, READ, DATA + i * PAGE_SIZE, 0), 0, "a hole");
	}
	/* Beyond the file's end there is no page: KVM_RUN says so, and nobody is killed. */
	CHECK(!ftruncate(fd, PAGE_SIZE), "ftruncate");
	give(v, READ, DATA + 5 * PAGE_SIZE, 0);
	EXPECT(ioctl(v->fd, KVM_RUN, 0) == -1 && (errno == EFAULT || errno == EHWPOISON), "a page beyond the end");
}

/* The process unmaps all of the guest's memory, code included, while it runs. */
static void everything_unmapped(void)
{
	struct vcpu *v = guest_new(0, counter, (uintptr_t)counter_page);

	vcpu_expect_port(v, PORT_SAY);
	CHECK(!munmap(v->vm->mem, v->vm->size), "munmap");
	v->vm->mem = NULL;
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EFAULT);
	close(v->vm->fd);
}

/* KVM_SET_NR_MMU_PAGES: the EPT's tables above the number go, and what they mapped is there when it is touched again. */
static void fewer_tables(void)
{
	const u64 step = 0x200000, regions = 130;
	u8 *data = host_pages(regions * step);
	struct vcpu *v;
	bool vtx = dev_has(VTX_CAP_VTX) > 0;
	u64 tables;

	CHECK(!madvise(data, regions * step, MADV_NOHUGEPAGE), "madvise");
	v = servant_new(DATA, regions * step, data, 0);
	if (ioctl(v->vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_MMU_SHADOW_CACHE_CONTROL) <= 0)
		skip("no KVM_CAP_MMU_SHADOW_CACHE_CONTROL");
	EXPECT_ERRNO(ioctl(v->vm->fd, KVM_SET_NR_MMU_PAGES, 63), EINVAL);
	for (u64 i = 0; i < regions; i++)
		ask(v, WRITE, DATA + i * step, i + 1);
	tables = vtx ? vm_stat(v->vm, "ept_tables") : 0;
	EXPECT(!vtx || tables > regions, "%llu tables", (unsigned long long)tables);
	EXPECT_EQ(ioctl(v->vm->fd, KVM_SET_NR_MMU_PAGES, 64), 0, "KVM_SET_NR_MMU_PAGES");
	EXPECT_EQ(ioctl(v->vm->fd, KVM_GET_NR_MMU_PAGES, 0), 64, "KVM_GET_NR_MMU_PAGES");
	if (vtx)
		EXPECT(vm_stat(v->vm, "ept_tables") <= 64, "%llu tables are left", (unsigned long long)vm_stat(v->vm, "ept_tables"));
	for (u64 i = 0; i < regions; i++)
		CHECK_EQ(ask(v, READ, DATA + i * step, 0), i + 1, "what the guest wrote");
}

static const struct test tests[] = {
	TEST(shared_view), TEST(dontneed), TEST(unmap_and_remap), TEST(remap_moved), TEST(protection),
	TEST(fork_and_cow), TEST(fork_under_running_guest), TEST(hammer_one), TEST(hammer_two), TEST(huge_page),
	TEST(huge_page_misaligned), TEST(file_memory), TEST(everything_unmapped), TEST(fewer_tables),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

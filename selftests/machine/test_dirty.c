// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log as bitmaps: what the guest, the emulator and the kernel write is in it, once and exactly; clearing by hand;
 * slots that are toggled, moved and deleted; huge pages; read-only slots; what is refused.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/differs.h"
#include "lib/dirty.h"
#include "lib/guest.h"
#include "lib/stats.h"

#define PAGES(...) ((const u64[]){ __VA_ARGS__, ~0ULL })
#define NONE ((const u64[]){ ~0ULL })
#define NPAGES 300UL	/* no multiple of 64 */

static u64 gpa(u64 page)
{
	return DATA + page * PAGE_SIZE;
}

static struct vcpu *logging_servant(u8 **mem, u32 flags)
{
	struct vcpu *v = writer_new(0);

	*mem = host_pages(NPAGES * PAGE_SIZE);
	CHECK_OK(data_slot(v->vm, NPAGES, *mem, flags));
	return v;
}

static void bitmap(void)
{
	u8 *mem;
	struct vcpu *v = logging_servant(&mem, LOG);

	expect_pages(log_of(v->vm, NPAGES), NPAGES, NONE, "a fresh log");
	writer(v, OP_WRITE, gpa(0), 1);
	writer(v, OP_WRITE, gpa(63) + 8, 2);
	writer(v, OP_WRITE, gpa(64), 3);
	writer(v, OP_WRITE, gpa(NPAGES - 1), 4);
	writer(v, OP_READ, gpa(7), 0);
	expect_pages(log_of(v->vm, NPAGES), NPAGES, PAGES(0, 63, 64, NPAGES - 1), "written once");
	expect_pages(log_of(v->vm, NPAGES), NPAGES, NONE, "asked again");
	/* Pages that were written, read and never touched are all watched again. */
	writer(v, OP_READ, gpa(0), 0);
	writer(v, OP_WRITE, gpa(7), 5);
	writer(v, OP_WRITE, gpa(63) + 16, 6);
	writer(v, OP_WRITE, gpa(100), 7);
	expect_pages(log_of(v->vm, NPAGES), NPAGES, PAGES(7, 63, 100), "written again");
	EXPECT_EQ(*(u64 *)(mem + 63 * PAGE_SIZE + 8), 2, "the content");
	/* An access across two pages. */
	writer(v, OP_WRITE, gpa(201) - 4, ~0ULL);
	expect_pages(log_of(v->vm, NPAGES), NPAGES, PAGES(200, 201), "across two pages");
	/* All of them, more than a processor's log holds at a time with what the other words add. */
	for (int round = 0; round < 4; round++) {
		writer(v, OP_FILL, DATA, NPAGES);
		CHECK_EQ(log_count(log_of(v->vm, NPAGES), NPAGES), NPAGES, "pages filled");
	}
	CHECK_EQ(log_count(log_of(v->vm, NPAGES), NPAGES), 0, "pages after that");
}

static void toggle(void)
{
	u8 *mem;
	struct vcpu *v = logging_servant(&mem, 0);
	u64 space[8];

	EXPECT_ERRNO(get_log(v->vm, DATA_SLOT, space), ENOENT);
	writer(v, OP_FILL, DATA, NPAGES);
	for (int round = 0; round < 3; round++) {
		CHECK_OK(data_slot(v->vm, NPAGES, mem, LOG));
		writer(v, OP_WRITE, gpa(5), 1);
		writer(v, OP_WRITE, gpa(299), 1);
		expect_pages(log_of(v->vm, NPAGES), NPAGES, PAGES(5, 299), "mapped before the log began");
		CHECK_OK(data_slot(v->vm, NPAGES, mem, LOG));	/* no change */
		writer(v, OP_WRITE, gpa(6), 1);
		CHECK_OK(data_slot(v->vm, NPAGES, mem, 0));
		EXPECT_ERRNO(get_log(v->vm, DATA_SLOT, space), ENOENT);
		writer(v, OP_FILL, DATA, NPAGES);
	}
	CHECK_OK(data_slot(v->vm, NPAGES, mem, LOG));
	expect_pages(log_of(v->vm, NPAGES), NPAGES, NONE, "a log of before");
}

static void manual(void)
{
	u64 mask[(NPAGES + 63) / 64] = { 0 };
	u8 *mem;
	struct vcpu *v = logging_servant(&mem, LOG);

	CHECK_OK(enable_cap(v->vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE));
	writer(v, OP_WRITE, gpa(1), 1);
	writer(v, OP_WRITE, gpa(70), 1);
	writer(v, OP_WRITE, gpa(299), 1);
	expect_pages(log_of(v->vm, NPAGES), NPAGES, PAGES(1, 70, 299), "asked once");
	expect_pages(log_of(v->vm, NPAGES), NPAGES, PAGES(1, 70, 299), "asked twice");
	/* Bits that are not set are no harm. */
	mask[0] = ~0ULL;
	CHECK_OK(clear_log(v->vm, DATA_SLOT, 64, 64, mask));
	expect_pages(log_of(v->vm, NPAGES), NPAGES, PAGES(1, 299), "the second word cleared");
	writer(v, OP_WRITE, gpa(71), 1);
	writer(v, OP_WRITE, gpa(70), 1);
	expect_pages(log_of(v->vm, NPAGES), NPAGES, PAGES(1, 70, 71, 299), "written after clearing");
	mask[0] = 1ULL << (299 - 256);
	CHECK_OK(clear_log(v->vm, DATA_SLOT, 256, NPAGES - 256, mask));
	expect_pages(log_of(v->vm, NPAGES), NPAGES, PAGES(1, 70, 71), "the last page cleared");
	writer(v, OP_WRITE, gpa(299), 1);
	expect_pages(log_of(v->vm, NPAGES), NPAGES, PAGES(1, 70, 71, 299), "the last page written");
	memset(mask, 0xff, sizeof(mask));
	CHECK_OK(clear_log(v->vm, DATA_SLOT, 0, NPAGES, mask));
	CHECK_OK(clear_log(v->vm, DATA_SLOT, 128, 0, mask));
	expect_pages(log_of(v->vm, NPAGES), NPAGES, NONE, "all cleared");
	/* And back: the log that is read is cleared. */
	CHECK_OK(enable_cap(v->vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 0));
	writer(v, OP_WRITE, gpa(2), 1);
	expect_pages(log_of(v->vm, NPAGES), NPAGES, PAGES(2), "by itself");
	expect_pages(log_of(v->vm, NPAGES), NPAGES, NONE, "by itself, again");
}

/* KVM_CLEAR_DIRTY_LOG serves a log that clears itself as well. */
static void clear_without_manual(void)
{
	u64 mask[(NPAGES + 63) / 64] = { ~0ULL };
	u8 *mem;
	struct vcpu *v = logging_servant(&mem, LOG);

	writer(v, OP_WRITE, gpa(1), 1);
	writer(v, OP_WRITE, gpa(100), 1);
	CHECK_OK(clear_log(v->vm, DATA_SLOT, 0, NPAGES, mask));
	expect_pages(log_of(v->vm, NPAGES), NPAGES, PAGES(100), "what was left");
}

static void initially_set(void)
{
	u64 mask[(NPAGES + 63) / 64];
	u8 *mem;
	struct vcpu *v = logging_servant(&mem, 0);

	CHECK_OK(enable_cap(v->vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
			    KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET));
	writer(v, OP_FILL, DATA, NPAGES);
	CHECK_OK(data_slot(v->vm, NPAGES, mem, LOG));
	CHECK_EQ(log_count(log_of(v->vm, NPAGES), NPAGES), NPAGES, "pages at the begin");
	memset(mask, 0xff, sizeof(mask));
	CHECK_OK(clear_log(v->vm, DATA_SLOT, 0, 128, mask));
	CHECK_EQ(log_count(log_of(v->vm, NPAGES), NPAGES), NPAGES - 128, "pages that are left");
	writer(v, OP_WRITE, gpa(3), 1);
	writer(v, OP_WRITE, gpa(200), 1);
	CHECK_EQ(log_count(log_of(v->vm, NPAGES), NPAGES), NPAGES - 127, "pages after a write");
	CHECK(log_bit(log_of(v->vm, NPAGES), 3), "the page written");
	CHECK_OK(clear_log(v->vm, DATA_SLOT, 0, NPAGES, mask));
	expect_pages(log_of(v->vm, NPAGES), NPAGES, NONE, "all cleared");
	writer(v, OP_FILL, DATA, NPAGES);
	CHECK_EQ(log_count(log_of(v->vm, NPAGES), NPAGES), NPAGES, "pages filled");
}

/* ------------------------------------------------------------------ other writers */

static void emulator_writes(void)
{
	u8 *mem;
	struct vcpu *v = logging_servant(&mem, LOG);

	log_of(v->vm, NPAGES);
	writer(v, OP_INSB, gpa(10) - 3, 8);	/* a string from a port, across two pages */
	expect_pages(log_of(v->vm, NPAGES), NPAGES, PAGES(9, 10), "INSB");
	EXPECT_EQ(mem[10 * PAGE_SIZE], 0x5a, "the byte");
	writer(v, OP_INSB, gpa(10), 8);
	expect_pages(log_of(v->vm, NPAGES), NPAGES, PAGES(10), "INSB to a page that was written");
	writer(v, OP_MOVS, gpa(20), 0);	/* from MMIO to memory */
	expect_pages(log_of(v->vm, NPAGES), NPAGES, PAGES(20), "MOVS");
	EXPECT_EQ(*(u32 *)(mem + 20 * PAGE_SIZE), 0x5a5a5a5a, "the word");
	writer(v, OP_MOVS, gpa(31) - 2, 0);
	expect_pages(log_of(v->vm, NPAGES), NPAGES, PAGES(30, 31), "MOVS across two pages");
}

/*
 * The emulator's page walk sets accessed and dirty flags: the table is in the slot. The processor reads the source first and
 * exits there, so it has not walked to the destination.
 */
static void walker_flags(void)
{
	const u64 gva = 0x80000000;
	u8 *mem;
	struct vcpu *v = logging_servant(&mem, LOG);
	u64 *table = (u64 *)(mem + 40 * PAGE_SIZE);

	table[1] = gpa(50) | 7;
	((u64 *)(v->vm->mem + GUEST_PD))[gva >> 21] = gpa(40) | 7;
	writer(v, OP_FILL, DATA, NPAGES);
	*table = 1 | 6;
	log_of(v->vm, NPAGES);
	writer(v, OP_MOVS, gva + PAGE_SIZE, 0);
	EXPECT(log_bit(log_of(v->vm, NPAGES), 40), "the table is not in the log");
	EXPECT_EQ(table[1] & 0x60, 0x60, "accessed and dirty");
	EXPECT_EQ(*(u32 *)(mem + 50 * PAGE_SIZE), 0x5a5a5a5a, "the word");
}

static void clock_pages(void)
{
	u8 *mem;
	struct vcpu *v = logging_servant(&mem, LOG);

	writer(v, OP_FILL, DATA, NPAGES);
	log_of(v->vm, NPAGES);
	writer(v, OP_CLOCK, gpa(60), 0);
	expect_pages(log_of(v->vm, NPAGES), NPAGES, PAGES(60), "the clock page");
	/* Written anew, though the guest does nothing about it. */
	CHECK_OK(ioctl(v->fd, KVM_KVMCLOCK_CTRL, 0));
	writer(v, OP_NONE, 0, 0);
	expect_pages(log_of(v->vm, NPAGES), NPAGES, PAGES(60), "the clock page again");
	writer(v, OP_WALL_CLOCK, gpa(61), 0);
	EXPECT(log_bit(log_of(v->vm, NPAGES), 61), "the wall clock's page is not in the log");
}

/* ------------------------------------------------------------------ slots */

static void readonly_slot(void)
{
	u8 *mem = host_pages(NPAGES * PAGE_SIZE);
	struct vcpu *v = writer_new(0);

	CHECK_OK(data_slot(v->vm, NPAGES, mem, LOG | KVM_MEM_READONLY));
	EXPECT_EQ(writer(v, OP_READ, gpa(3), 0), 0, "the word");
	expect_pages(log_of(v->vm, NPAGES), NPAGES, NONE, "a read");
	G(v->vm, g_trap).count = 0;
	/* Toggling the log is no toggling of read-only. */
	CHECK_OK(data_slot(v->vm, NPAGES, mem, KVM_MEM_READONLY));
	CHECK_OK(data_slot(v->vm, NPAGES, mem, LOG | KVM_MEM_READONLY));
	EXPECT_ERRNO(data_slot(v->vm, NPAGES, mem, LOG), EINVAL);
	EXPECT_ERRNO(data_slot(v->vm, NPAGES, mem, 0), EINVAL);
	EXPECT_EQ(writer(v, OP_READ, gpa(4), 0), 0, "the word");
	expect_pages(log_of(v->vm, NPAGES), NPAGES, NONE, "after toggling");
}

/* The log of a slot that moves goes with it, what its processors still keep included. */
static void move_and_delete(void)
{
	const u64 there = DATA + 0x10000000;
	u8 *mem;
	struct vcpu *v = logging_servant(&mem, LOG);
	u64 space[8];

	writer(v, OP_WRITE, gpa(1), 1);
	writer(v, OP_WRITE, gpa(100), 1);
	CHECK_OK(vm_slot(v->vm, DATA_SLOT, there, NPAGES * PAGE_SIZE, mem, LOG));
	writer(v, OP_WRITE, there + 7 * PAGE_SIZE, 1);
	expect_pages(log_of(v->vm, NPAGES), NPAGES, PAGES(1, 7, 100), "before and after the move");
	writer(v, OP_WRITE, there + 100 * PAGE_SIZE, 1);
	expect_pages(log_of(v->vm, NPAGES), NPAGES, PAGES(100), "at the new place");
	/* Moved and no log any more; moved back and a new one. */
	CHECK_OK(data_slot(v->vm, NPAGES, mem, 0));
	EXPECT_ERRNO(get_log(v->vm, DATA_SLOT, space), ENOENT);
	CHECK_OK(vm_slot(v->vm, DATA_SLOT, there, NPAGES * PAGE_SIZE, mem, LOG));
	expect_pages(log_of(v->vm, NPAGES), NPAGES, NONE, "a new log");
	writer(v, OP_WRITE, there, 1);
	CHECK_OK(vm_slot(v->vm, DATA_SLOT, 0, 0, NULL, 0));
	EXPECT_ERRNO(get_log(v->vm, DATA_SLOT, space), ENOENT);
	CHECK_OK(data_slot(v->vm, NPAGES, mem, LOG));
	expect_pages(log_of(v->vm, NPAGES), NPAGES, NONE, "made anew");
	writer(v, OP_WRITE, gpa(0), 1);
	expect_pages(log_of(v->vm, NPAGES), NPAGES, PAGES(0), "written anew");
}

/* ------------------------------------------------------------------ huge pages */

#define HUGE 0x200000UL
#define HUGE_PAGES 1024UL	/* two of them */

static u8 *huge_memory(void)
{
	u8 *raw = host_pages(4 * HUGE), *mem = (u8 *)(((uintptr_t)raw + HUGE - 1) & ~(HUGE - 1));

	CHECK(!madvise(mem, 2 * HUGE, MADV_HUGEPAGE), "madvise");
	memset(mem, 0, 2 * HUGE);
	return mem;
}

/* Are there 2M pages in the EPT? Without a statistics file one believes it. */
static u64 large_entries(struct vm *vm)
{
	struct stats *s = stats_open(vm->fd);
	u64 n = stats_find(s, "pages_2m") ? stats_value(s, "pages_2m") : 2;

	stats_close(s);
	return n;
}

static void huge_pages(void)
{
	u8 *mem = huge_memory();
	struct vcpu *v = writer_new(0);
	u64 before = large_entries(v->vm);

	CHECK_OK(data_slot(v->vm, HUGE_PAGES, mem, 0));
	writer(v, OP_FILL, DATA, HUGE_PAGES);
	if (large_entries(v->vm) == before)
		skip("no transparent huge page to be had");
	for (int round = 0; round < 2; round++) {
		CHECK_OK(data_slot(v->vm, HUGE_PAGES, mem, LOG));
		expect_pages(log_of(v->vm, HUGE_PAGES), HUGE_PAGES, NONE, "a fresh log");
		writer(v, OP_WRITE, gpa(17), 1);
		writer(v, OP_WRITE, gpa(600), 1);
		expect_pages(log_of(v->vm, HUGE_PAGES), HUGE_PAGES, PAGES(17, 600), "parts of huge pages");
		writer(v, OP_FILL, DATA, HUGE_PAGES);
		CHECK_EQ(log_count(log_of(v->vm, HUGE_PAGES), HUGE_PAGES), HUGE_PAGES, "pages filled");
		EXPECT(large_entries(v->vm) <= before, "large pages in a slot that logs");
		CHECK_OK(data_slot(v->vm, HUGE_PAGES, mem, 0));
		writer(v, OP_FILL, DATA, HUGE_PAGES);
		EXPECT(large_entries(v->vm) > before, "no large pages after the log");
	}
	for (u64 i = 0; i < HUGE_PAGES; i++)
		EXPECT_EQ(*(u64 *)(mem + i * PAGE_SIZE), i + 1, "the content");
}

/*
 * Large pages stay until their bits are cleared, which splits them: of the parts whose bits stay set nothing may be lost
 * either.
 */
static void huge_pages_initially_set(void)
{
	u64 mask[HUGE_PAGES / 64];
	u8 *mem = huge_memory();
	struct vcpu *v = writer_new(0);

	CHECK_OK(enable_cap(v->vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
			    KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET));
	CHECK_OK(data_slot(v->vm, HUGE_PAGES, mem, 0));
	writer(v, OP_FILL, DATA, HUGE_PAGES);
	CHECK_OK(data_slot(v->vm, HUGE_PAGES, mem, LOG));
	CHECK_EQ(log_count(log_of(v->vm, HUGE_PAGES), HUGE_PAGES), HUGE_PAGES, "pages at the begin");
	memset(mask, 0xff, sizeof(mask));
	CHECK_OK(clear_log(v->vm, DATA_SLOT, 64, 64, mask));
	writer(v, OP_WRITE, gpa(65), 1);
	writer(v, OP_WRITE, gpa(300), 1);
	CHECK(log_bit(log_of(v->vm, HUGE_PAGES), 65), "a page of the range cleared");
	CHECK(!log_bit(log_of(v->vm, HUGE_PAGES), 66), "its neighbour");
	CHECK_OK(clear_log(v->vm, DATA_SLOT, 0, HUGE_PAGES, mask));
	expect_pages(log_of(v->vm, HUGE_PAGES), HUGE_PAGES, NONE, "all cleared");
	writer(v, OP_WRITE, gpa(64), 1);
	writer(v, OP_WRITE, gpa(300), 1);
	writer(v, OP_WRITE, gpa(1023), 1);
	expect_pages(log_of(v->vm, HUGE_PAGES), HUGE_PAGES, PAGES(64, 300, 1023), "written after that");
}

/* A slot whose first page is no multiple of 64 or 512 frames: words of its bitmap lie in two tables. */
static void odd_slot(void)
{
	const u64 first = DATA + 0x1ffUL * PAGE_SIZE - 37 * PAGE_SIZE;
	u8 *mem = host_pages(NPAGES * PAGE_SIZE);
	struct vcpu *v = writer_new(0);

	CHECK_OK(vm_slot(v->vm, DATA_SLOT, first, NPAGES * PAGE_SIZE, mem, LOG));
	for (int round = 0; round < 2; round++) {
		writer(v, OP_FILL, first, NPAGES);
		CHECK_EQ(log_count(log_of(v->vm, NPAGES), NPAGES), NPAGES, "pages filled");
		for (u64 page = 30; page < 80; page += 3) {
			writer(v, OP_WRITE, first + page * PAGE_SIZE, 1);
			expect_pages(log_of(v->vm, NPAGES), NPAGES, PAGES(page), "one page");
		}
	}
}

/* ------------------------------------------------------------------ a guest that runs on */

static void *spin(void *arg)
{
	writer(arg, OP_SPIN, gpa(0), 0);
	return NULL;
}

/* The log begins, is read and ends while the guest is in guest mode. */
static void toggle_under_running_guest(void)
{
	u8 *mem;
	struct vcpu *v = logging_servant(&mem, 0);
	pthread_t thread;

	test_timeout(8);
	CHECK(!pthread_create(&thread, NULL, spin, v), "pthread_create");
	for (int i = 0; i < 50; i++) {
		CHECK_OK(data_slot(v->vm, NPAGES, mem, LOG));
		EXPECT_EQ(log_count(log_of(v->vm, NPAGES), NPAGES), 0, "pages");
		CHECK_OK(data_slot(v->vm, NPAGES, mem, 0));
	}
	*(volatile u64 *)mem = 1;
	pthread_join(thread, NULL);
	CHECK_OK(data_slot(v->vm, NPAGES, mem, LOG));
	writer(v, OP_WRITE, gpa(9), 1);
	expect_pages(log_of(v->vm, NPAGES), NPAGES, PAGES(9), "after all that");
}

/* ------------------------------------------------------------------ refused */

static void refused(void)
{
	u8 *mem;
	struct vcpu *v = logging_servant(&mem, LOG);
	struct vm *vm = v->vm;
	u64 mask[(NPAGES + 63) / 64] = { 0 };
	const struct {
		u64 first;
		u32 n;
		int want;
	} ranges[] = {
		{ 1, 64, EINVAL }, { 63, 64, EINVAL }, { 0, 63, EINVAL }, { 0, NPAGES + 1, EINVAL }, { 256, 45, EINVAL },
		{ 320, 0, EINVAL }, { 64, NPAGES, EINVAL }, { ~63ULL, 64, EINVAL }, { 0, ~0u, EINVAL }, { 256, 43, EINVAL },
		{ 256, 44, 0 }, { 0, NPAGES, 0 }, { 64, 64, 0 }, { 0, 0, 0 },
	};

	EXPECT_ERRNO(get_log(vm, 0xffff, mask), EINVAL);
	EXPECT_ERRNO(get_log(vm, 2 << 16, mask), EINVAL);
	EXPECT_ERRNO(get_log(vm, 7, mask), ENOENT);
	EXPECT_ERRNO(get_log(vm, 0, mask), ENOENT);	/* there, without a log */
	EXPECT_ERRNO(ioctl(vm->fd, KVM_GET_DIRTY_LOG, NULL), EFAULT);
	EXPECT_ERRNO(clear_log(vm, 0xffff, 0, 64, mask), EINVAL);
	EXPECT_ERRNO(clear_log(vm, 7, 0, 64, mask), ENOENT);
	EXPECT_ERRNO(clear_log(vm, 0, 0, 64, mask), ENOENT);
	EXPECT_ERRNO(clear_log(vm, DATA_SLOT, 0, 64, NULL), EFAULT);
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		int ret = clear_log(vm, DATA_SLOT, ranges[i].first, ranges[i].n, mask);

		EXPECT(ranges[i].want ? ret == -1 && errno == ranges[i].want : ret == 0, "range %zu: %d, errno %d", i, ret, errno);
	}
	EXPECT_ERRNO(enable_cap(vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, KVM_DIRTY_LOG_INITIALLY_SET), EINVAL);
	EXPECT_ERRNO(enable_cap(vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 4), EINVAL);
	EXPECT_ERRNO(enable_cap(vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 7), EINVAL);
	EXPECT_ERRNO(enable_cap(vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 1ULL << 32), EINVAL);
	EXPECT_EQ(dev_has(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2), 3, "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2");
	/* A bitmap that cannot be written: EFAULT. On vtx nothing of the log is lost by it. */
	writer(v, OP_WRITE, gpa(4), 1);
	EXPECT_ERRNO(get_log(vm, DATA_SLOT, (void *)64), EFAULT);
	if (device_kind() == DEVICE_VTX)
		expect_pages(log_of(vm, NPAGES), NPAGES, PAGES(4), "after a failed call");
}

static const struct test tests[] = {
	TEST(bitmap), TEST(toggle), TEST(manual), TEST(clear_without_manual), TEST(initially_set), TEST(emulator_writes),
	TEST(walker_flags), TEST(clock_pages), TEST(readonly_slot), TEST(move_and_delete), TEST(huge_pages),
	TEST(huge_pages_initially_set), TEST(odd_slot), TEST(toggle_under_running_guest), TEST(refused),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

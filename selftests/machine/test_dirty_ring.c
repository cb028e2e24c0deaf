// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty ring: what was written is in it and comes again after it was given back, KVM_EXIT_DIRTY_RING_FULL, a user space
 * that writes nonsense into the ring, what is refused.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/differs.h"
#include "lib/dirty.h"
#include "lib/guest.h"

#define RING_BYTES 16384UL	/* 1024 entries: the least that a processor with PML allows */
#define NPAGES 2048UL

static u64 gpa(u64 page)
{
	return DATA + page * PAGE_SIZE;
}

struct world {
	struct vm *vm;
	struct vcpu *v;
	struct ring ring;
	u8 *mem;
};

static struct world world_new(u32 flags)
{
	struct world w = { .vm = vm_new(0), .mem = host_pages(NPAGES * PAGE_SIZE) };

	CHECK_OK(enable_cap(w.vm, KVM_CAP_DIRTY_LOG_RING_ACQ_REL, RING_BYTES));
	CHECK_OK(data_slot(w.vm, NPAGES, w.mem, flags));
	w.v = writer_in(w.vm, 0);
	w.ring = ring_map(w.v, RING_BYTES);
	return w;
}

/* Everything that is in the ring goes into @seen, and back to the kernel. Returns the number of entries. */
static u64 collect(struct world *w, u64 *seen)
{
	u32 slot;
	u64 offset, n = 0;

	while (ring_collect(&w->ring, &slot, &offset)) {
		CHECK(slot == DATA_SLOT && offset < NPAGES, "slot %u, offset %llu", slot, (unsigned long long)offset);
		seen[offset / 64] |= 1ULL << offset % 64;
		n++;
	}
	CHECK(CHECK_OK(ioctl(w->vm->fd, KVM_RESET_DIRTY_RINGS, 0)) >= (long)n, "entries given back");
	return n;
}

static void expect_seen(struct world *w, const u64 *pages, const char *what)
{
	u64 seen[NPAGES / 64] = { 0 };

	collect(w, seen);
	expect_pages(seen, NPAGES, pages, what);
}

#define PAGES(...) ((const u64[]){ __VA_ARGS__, ~0ULL })
#define NONE ((const u64[]){ ~0ULL })

static void ring(void)
{
	struct world w = world_new(LOG);
	u64 space[NPAGES / 64];

	expect_seen(&w, NONE, "a fresh ring");
	for (int round = 0; round < 3; round++) {
		writer(w.v, OP_WRITE, gpa(3), 1);
		writer(w.v, OP_WRITE, gpa(1000), 1);
		writer(w.v, OP_WRITE, gpa(NPAGES - 1), 1);
		writer(w.v, OP_WRITE, gpa(3) + 8, 1);
		writer(w.v, OP_READ, gpa(4), 1);
		expect_seen(&w, PAGES(3, 1000, NPAGES - 1), "written");
		expect_seen(&w, NONE, "nothing written");
	}
	/* What was not given back is not protected, and does not come again. */
	writer(w.v, OP_WRITE, gpa(3), 2);
	writer(w.v, OP_WRITE, gpa(3), 3);
	expect_seen(&w, PAGES(3), "written twice");
	EXPECT_ERRNO(get_log(w.vm, DATA_SLOT, space), ENXIO);
	EXPECT_ERRNO(clear_log(w.vm, DATA_SLOT, 0, 64, space), ENXIO);
	EXPECT_ERRNO(get_log(w.vm, 0xffff, space), ENXIO);
}

static void other_writers(void)
{
	struct world w = world_new(LOG);

	writer(w.v, OP_FILL, DATA, 100);
	collect(&w, (u64[NPAGES / 64]){ 0 });
	writer(w.v, OP_INSB, gpa(10) - 3, 8);
	expect_seen(&w, PAGES(9, 10), "INSB");
	writer(w.v, OP_MOVS, gpa(21) - 2, 0);
	expect_seen(&w, PAGES(20, 21), "MOVS across two pages");
	writer(w.v, OP_CLOCK, gpa(60), 0);
	expect_seen(&w, PAGES(60), "the clock page");
	CHECK_OK(ioctl(w.v->fd, KVM_KVMCLOCK_CTRL, 0));
	writer(w.v, OP_NONE, 0, 0);
	expect_seen(&w, PAGES(60), "the clock page again");
	/* By an ioctl, which is the vCPU's as well. */
	CHECK_EQ(vcpu_set_msr(w.v, 0x4b564d00, gpa(70)), 1, "KVM_SET_MSRS");
	expect_seen(&w, PAGES(70), "the wall clock");
}

static void toggle(void)
{
	struct world w = world_new(0);
	u64 seen[NPAGES / 64] = { 0 };

	writer(w.v, OP_FILL, DATA, 100);
	CHECK_EQ(collect(&w, seen), 0, "entries of a slot that does not log");
	CHECK_OK(data_slot(w.vm, NPAGES, w.mem, LOG));
	writer(w.v, OP_WRITE, gpa(50), 1);
	writer(w.v, OP_WRITE, gpa(150), 1);
	expect_seen(&w, PAGES(50, 150), "mapped before the log began, and not");
	CHECK_OK(data_slot(w.vm, NPAGES, w.mem, 0));
	writer(w.v, OP_FILL, DATA, 100);
	expect_seen(&w, NONE, "after the log");
}

/* The guest writes more pages than the ring holds: each KVM_RUN says so until entries are given back, and no page is missing. */
static void full(void)
{
	struct world w = world_new(LOG);
	u64 seen[NPAGES / 64] = { 0 }, entries = 0;
	int stops = 0;

	writer_give(w.v, OP_FILL, DATA, NPAGES);
	for (;;) {
		vcpu_run(w.v);
		if (w.v->run->exit_reason != KVM_EXIT_DIRTY_RING_FULL)
			break;
		if (!stops++) {
			vcpu_expect(w.v, KVM_EXIT_DIRTY_RING_FULL);
			vcpu_expect(w.v, KVM_EXIT_DIRTY_RING_FULL);
		}
		entries += collect(&w, seen);
		CHECK(stops < 1000, "stopped %d times", stops);
	}
	CHECK(w.v->run->exit_reason == KVM_EXIT_IO && w.v->run->io.port == PORT_SAY, "the guest's end");
	entries += collect(&w, seen);
	EXPECT_EQ(log_count(seen, NPAGES), NPAGES, "pages");
	EXPECT(entries >= NPAGES, "%llu entries", (unsigned long long)entries);
	EXPECT(stops >= 2, "stopped %d times", stops);
	for (u64 i = 0; i < NPAGES; i++)
		EXPECT_EQ(*(u64 *)(w.mem + i * PAGE_SIZE), i + 1, "the content");
	/* The room behind the limit: one more page, and KVM_RUN goes on once all is given back. */
	memset(seen, 0, sizeof(seen));
	writer(w.v, OP_WRITE, gpa(9), 1);
	expect_seen(&w, PAGES(9), "after all that");
}

/* Nonsense in the ring: nothing of it reaches memory that is not the slot's, and the ring goes on. */
static void lies(void)
{
	struct world w = world_new(LOG);
	u64 seen[NPAGES / 64] = { 0 };
	static const struct {
		u32 slot;
		u64 offset;
	} wrong[] = {
		{ DATA_SLOT, NPAGES }, { DATA_SLOT, ~0ULL }, { DATA_SLOT, 1ULL << 63 }, { DATA_SLOT, 1ULL << 52 }, { 0, 0 }, { 0, 8191 },
		{ 7, 0 }, { 0xffff, 0 }, { 1 << 16 | DATA_SLOT, 0 }, { ~0u, ~0ULL },
	};

	for (u32 i = 0; i < w.ring.size; i++)
		w.ring.gfns[i] = (struct kvm_dirty_gfn){ .flags = ~0u, .slot = DATA_SLOT, .offset = i };
	if (device_kind() == DEVICE_VTX)	/* KVM believes these */
		CHECK_EQ(CHECK_OK(ioctl(w.vm->fd, KVM_RESET_DIRTY_RINGS, 0)), 0, "entries that were never handed out");
	for (u32 i = 0; i < w.ring.size; i++)
		w.ring.gfns[i].flags = 0;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct kvm_dirty_gfn *e = &w.ring.gfns[w.ring.next % w.ring.size];

		writer(w.v, OP_WRITE, gpa(i), 1);
		CHECK_EQ(e->flags, KVM_DIRTY_GFN_F_DIRTY, "the flags");
		e->slot = wrong[i].slot;
		e->offset = wrong[i].offset;
		e->flags = ~0u;
		w.ring.next++;
		CHECK_EQ(CHECK_OK(ioctl(w.vm->fd, KVM_RESET_DIRTY_RINGS, 0)), 1, "entries given back");
	}
	/* Page 0 was not given back in truth: it is not protected, and comes no more; others are as always. */
	writer(w.v, OP_WRITE, gpa(100), 1);
	CHECK_EQ(collect(&w, seen), 1, "entries");
	CHECK(log_bit(seen, 100), "the page written");
	/* An entry that is skipped holds up those behind it, until it is given back too. */
	writer(w.v, OP_WRITE, gpa(101), 1);
	writer(w.v, OP_WRITE, gpa(102), 1);
	w.ring.gfns[(w.ring.next + 1) % w.ring.size].flags |= KVM_DIRTY_GFN_F_RESET;
	CHECK_EQ(CHECK_OK(ioctl(w.vm->fd, KVM_RESET_DIRTY_RINGS, 0)), 0, "entries");
	w.ring.gfns[w.ring.next % w.ring.size].flags |= KVM_DIRTY_GFN_F_RESET;
	CHECK_EQ(CHECK_OK(ioctl(w.vm->fd, KVM_RESET_DIRTY_RINGS, 0)), 2, "entries");
}

/* Two vCPUs, each with a ring of its own. */
static void two_rings(void)
{
	struct world w = world_new(LOG);
	struct vcpu *second = writer_in(w.vm, 1);
	struct ring other = ring_map(second, RING_BYTES);
	u64 seen[NPAGES / 64] = { 0 }, offset;
	u32 slot;

	writer(w.v, OP_WRITE, gpa(1), 1);
	writer(second, OP_WRITE, gpa(2), 1);
	CHECK(ring_collect(&other, &slot, &offset), "an entry of the second vCPU");
	CHECK(slot == DATA_SLOT && offset == 2, "slot %u, offset %llu", slot, (unsigned long long)offset);
	CHECK(!ring_collect(&other, &slot, &offset), "more than one entry");
	CHECK(ring_collect(&w.ring, &slot, &offset) && offset == 1, "an entry of the first vCPU");
	CHECK_EQ(CHECK_OK(ioctl(w.vm->fd, KVM_RESET_DIRTY_RINGS, 0)), 2, "entries of both");
	/* Protected for both again: written by the other one this time. */
	writer(second, OP_WRITE, gpa(1), 1);
	CHECK(ring_collect(&other, &slot, &offset) && offset == 1, "an entry of the second vCPU");
	CHECK(!ring_collect(&w.ring, &slot, &offset), "an entry of the first vCPU");
	collect(&w, seen);
}

static void refused(void)
{
	struct vm *vm = vm_new(VM_NO_MEMORY);
	u64 most = (u64)dev_has(KVM_CAP_DIRTY_LOG_RING);
	struct vcpu *v;

	CHECK_EQ(most, 65536 * sizeof(struct kvm_dirty_gfn), "KVM_CAP_DIRTY_LOG_RING");
	EXPECT_EQ(dev_has(KVM_CAP_DIRTY_LOG_RING_ACQ_REL), most, "KVM_CAP_DIRTY_LOG_RING_ACQ_REL");
	EXPECT_ERRNO(ioctl(vm->fd, KVM_RESET_DIRTY_RINGS, 0), EINVAL);
	EXPECT_ERRNO(enable_cap(vm, KVM_CAP_DIRTY_LOG_RING, 0), EINVAL);
	EXPECT_ERRNO(enable_cap(vm, KVM_CAP_DIRTY_LOG_RING, 2048), EINVAL);
	EXPECT_ERRNO(enable_cap(vm, KVM_CAP_DIRTY_LOG_RING, 3 * 16384), EINVAL);
	EXPECT_ERRNO(enable_cap(vm, KVM_CAP_DIRTY_LOG_RING, 16385), EINVAL);
	EXPECT_ERRNO(enable_cap(vm, KVM_CAP_DIRTY_LOG_RING, 2 * most), E2BIG);
	v = vcpu_new(vm, 0);
	EXPECT_ERRNO(enable_cap(vm, KVM_CAP_DIRTY_LOG_RING, RING_BYTES), EINVAL);	/* there is a vCPU */
	vm = vm_new(VM_NO_MEMORY);
	CHECK_OK(enable_cap(vm, KVM_CAP_DIRTY_LOG_RING, most));
	EXPECT_ERRNO(enable_cap(vm, KVM_CAP_DIRTY_LOG_RING, most), EINVAL);
	EXPECT_ERRNO(enable_cap(vm, KVM_CAP_DIRTY_LOG_RING_ACQ_REL, RING_BYTES), EINVAL);
	v = vcpu_new(vm, 0);
	EXPECT_EQ(ioctl(vm->fd, KVM_RESET_DIRTY_RINGS, 0), 0, "an empty ring given back");
	EXPECT_ERRNO((long)mmap(NULL, most, PROT_READ, MAP_PRIVATE, v->fd, (off_t)(KVM_DIRTY_LOG_PAGE_OFFSET * PAGE_SIZE)), EINVAL);
	EXPECT_ERRNO((long)mmap(NULL, PAGE_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, v->fd,
				(off_t)((KVM_DIRTY_LOG_PAGE_OFFSET + 3) * PAGE_SIZE)), EINVAL);
	/* All of a ring of the largest size can be read. */
	CHECK_EQ(ring_map(v, most).gfns[65535].flags, 0, "the last entry");
}

static const struct test tests[] = {
	TEST(ring), TEST(other_writers), TEST(toggle), TEST(full), TEST(lies), TEST(two_rings), TEST(refused),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

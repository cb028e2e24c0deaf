// SPDX-License-Identifier: GPL-2.0-only
/*
 * No page is lost: vCPUs write without pause, by themselves, through the emulator and through the kernel's clock, while the
 * test takes the log again and again and copies what it says was written - as a migration does. In the end, after one more
 * pass over vCPUs that stand still, the copy is the memory.
 *
 *   test_dirty_hammer [PASSES]	passes over the log of each case, 150 by default
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/dirty.h"
#include "lib/guest.h"

#define NPAGES 1024UL
#define CPUS 4
#define RING_BYTES 16384UL
#define WATCHED 128	/* bytes of each page that anybody writes: a word for each vCPU, one for the emulator, the clock at 64 */

static unsigned int passes = 150;

static volatile u64 stop_guests;

/* Its own word in pages at random; now and then four bytes from MMIO, and the clock page moved. */
GUEST static void hammering(u64 self)
{
	u64 seed = self * 77777 + 12345;

	g_sti();
	for (u64 i = 1; !stop_guests; i++) {
		u64 at;

		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		at = DATA + (seed >> 33) % NPAGES * PAGE_SIZE;
		*(volatile u64 *)(at + self * 8) = i;
		if (i % 64 == 0) {
			u64 from = GUEST_ABSENT, to = at + 32 + self * 4;

			asm volatile("cld\n\tmovsl" : "+D"(to), "+S"(from) : : "memory");
		}
		if (self == 0 && i % 256 == 128)
			g_wrmsr(0x4b564d01, (at + 64) | 1);
	}
	g_done(0);
}

struct cpu {
	struct vcpu *v;
	pthread_t thread;
	struct ring ring;
	u32 answers, stops;
	volatile bool ended;
};

struct world {
	struct vm *vm;
	u8 *mem, *copy;
	struct cpu cpu[CPUS];
	u64 taken;	/* pages that the log said */
};

static void *run(void *arg)
{
	struct cpu *c = arg;
	struct kvm_run *r = c->v->run;

	for (;;) {
		vcpu_run(c->v);
		if (r->exit_reason == KVM_EXIT_MMIO && !r->mmio.is_write) {
			c->answers++;
			memcpy(r->mmio.data, &c->answers, 4);
		} else if (r->exit_reason == KVM_EXIT_DIRTY_RING_FULL) {
			c->stops++;
			usleep(100);
		} else {
			break;
		}
	}
	if (r->exit_reason != KVM_EXIT_IO || r->io.port != PORT_DONE)
		vcpu_fail(c->v, "a writer's end");
	c->ended = true;
	return NULL;
}

static void copy_page(struct world *w, u64 page)
{
	memcpy(w->copy + page * WATCHED, w->mem + page * PAGE_SIZE, WATCHED);
	w->taken++;
}

static void copy_pages(struct world *w, const u64 *bitmap)
{
	for (u64 i = 0; i < NPAGES / 64; i++)
		for (u64 word = bitmap[i]; word; word &= word - 1)
			copy_page(w, i * 64 + (u64)__builtin_ctzll(word));
}

/* ------------------------------------------------------------------ the ways of taking the log */

static void take_bitmap(struct world *w)
{
	copy_pages(w, log_of(w->vm, NPAGES));
}

/* In pieces, as QEMU does. */
static void take_manual(struct world *w)
{
	const u64 *bitmap = log_of(w->vm, NPAGES);

	for (u64 first = 0; first < NPAGES; first += 256)
		CHECK_OK(clear_log(w->vm, DATA_SLOT, first, 256, bitmap + first / 64));
	copy_pages(w, bitmap);
}

static void take_rings(struct world *w)
{
	u64 bitmap[NPAGES / 64] = { 0 }, offset;
	u32 slot;

	for (int i = 0; i < CPUS; i++)
		while (ring_collect(&w->cpu[i].ring, &slot, &offset))
			if (slot == DATA_SLOT && offset < NPAGES)
				bitmap[offset / 64] |= 1ULL << offset % 64;
	CHECK_OK(ioctl(w->vm->fd, KVM_RESET_DIRTY_RINGS, 0));
	copy_pages(w, bitmap);
}

/* ------------------------------------------------------------------ the case */

static void start(struct world *w, bool rings)
{
	for (int i = 0; i < CPUS; i++) {
		struct cpu *c = &w->cpu[i];

		c->v = vcpu_new(w->vm, i);
		vcpu_mode_long(c->v, hammering, (u64)i);
		if (rings)
			c->ring = ring_map(c->v, RING_BYTES);
	}
	for (int i = 0; i < CPUS; i++)
		CHECK(!pthread_create(&w->cpu[i].thread, NULL, run, &w->cpu[i]), "pthread_create");
}

static bool all_ended(const struct world *w)
{
	for (int i = 0; i < CPUS; i++)
		if (!w->cpu[i].ended)
			return false;
	return true;
}

static void finish(struct world *w, void (*take)(struct world *w))
{
	u32 stops = 0;

	G(w->vm, stop_guests) = 1;
	while (!all_ended(w)) {
		take(w);	/* who waits for room in a ring must have it */
		usleep(100);
	}
	for (int i = 0; i < CPUS; i++) {
		pthread_join(w->cpu[i].thread, NULL);
		stops += w->cpu[i].stops;
	}
	take(w);
	for (u64 page = 0; page < NPAGES; page++)
		EXPECT(!memcmp(w->copy + page * WATCHED, w->mem + page * PAGE_SIZE, WATCHED), "page %llu was lost",
		       (unsigned long long)page);
	note("%llu pages taken in %u passes, %u MMIO reads, %u stops for full rings", (unsigned long long)w->taken, passes,
	     w->cpu[0].answers + w->cpu[1].answers + w->cpu[2].answers + w->cpu[3].answers, stops);
	CHECK(w->taken > NPAGES, "%llu pages taken", (unsigned long long)w->taken);
}

static void hammer(u8 *mem, u64 manual, bool rings, void (*take)(struct world *w))
{
	struct world w = { .vm = vm_new(0), .mem = mem, .copy = calloc(NPAGES, WATCHED) };

	test_timeout(4 + passes / 5);
	if (manual)
		CHECK_OK(enable_cap(w.vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, manual));
	if (rings)
		CHECK_OK(enable_cap(w.vm, KVM_CAP_DIRTY_LOG_RING_ACQ_REL, RING_BYTES));
	CHECK_OK(data_slot(w.vm, NPAGES, mem, 0));
	start(&w, rings);
	usleep(2000);
	/* The log begins under running guests: what they wrote before is copied once. */
	CHECK_OK(data_slot(w.vm, NPAGES, mem, LOG));
	for (u64 page = 0; page < NPAGES; page++)
		copy_page(&w, page);
	for (unsigned int i = 0; i < passes; i++) {
		take(&w);
		usleep(i % 8 * 30);
	}
	finish(&w, take);
}

static u8 *small_memory(void)
{
	u8 *mem = host_pages(NPAGES * PAGE_SIZE);

	madvise(mem, NPAGES * PAGE_SIZE, MADV_NOHUGEPAGE);
	return mem;
}

static u8 *huge_memory(void)
{
	const u64 huge = 0x200000;
	u8 *raw = host_pages(NPAGES * PAGE_SIZE + huge), *mem = (u8 *)(((uintptr_t)raw + huge - 1) & ~(huge - 1));

	madvise(mem, NPAGES * PAGE_SIZE, MADV_HUGEPAGE);
	memset(mem, 0, NPAGES * PAGE_SIZE);
	return mem;
}

static void bitmap(void)
{
	hammer(small_memory(), 0, false, take_bitmap);
}

static void bitmap_huge(void)
{
	hammer(huge_memory(), 0, false, take_bitmap);
}

static void manual(void)
{
	hammer(small_memory(), KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE, false, take_manual);
}

static void initially_set_huge(void)
{
	hammer(huge_memory(), KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET, false, take_manual);
}

static void rings(void)
{
	hammer(small_memory(), 0, true, take_rings);
}

static void rings_huge(void)
{
	hammer(huge_memory(), 0, true, take_rings);
}

static const struct test tests[] = {
	TEST(bitmap), TEST(bitmap_huge), TEST(manual), TEST(initially_set_huge), TEST(rings), TEST(rings_huge),
};

int main(int argc, char **argv)
{
	if (argc > 1 && atoi(argv[1]) > 0) {
		passes = (unsigned int)atoi(argv[1]);
		argv[1] = argv[0];
		argv++;
		argc--;
	}
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory that moves under running vCPUs: every kind of event by itself, and all of them mixed (the memory hammer).  Four vCPUs
 * read and write at random and check each word against what it must be; memory that the host may only move has to keep every write.
 *
 *   test_moving [EVENTS] [CASE...]	EVENTS: of the hammer, 400 if not told
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/servant.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define VCPUS 4

/*
 * The regions. In the first three a page belongs to one vCPU, which remembers what it wrote; in the others any vCPU writes the page's
 * own tag, and what it may find besides is the region's affair.
 */
enum region {
	STABLE,		/* anonymous memory that is moved, protected, swapped, shared by fork */
	LARGE,		/* a huge page that is split and collapsed */
	FILEMEM,	/* shared file memory */
	DROPPED,	/* anonymous memory that is dropped and replaced: zero or the tag */
	HOLES,		/* shared file memory in which holes are punched: zero or the tag */
	SAME,		/* all pages alike, for KSM */
	USERFAULT,	/* missing pages come from user space with their tag, and writes are reported to it */
	FLIPPED,	/* RAM, MMIO, read-only, in turn */
	NR_REGIONS,
};

#define OWNED DROPPED	/* regions below have owners */
#define MAX_PAGES 512

static const struct {
	u64 gpa, pages;
} regions[NR_REGIONS] = {
	[STABLE] = { 0x40000000, 128 }, [LARGE] = { 0x40200000, 512 }, [FILEMEM] = { 0x40400000, 64 }, [DROPPED] = { 0x40600000, 64 },
	[HOLES] = { 0x40800000, 64 }, [SAME] = { 0x40a00000, 64 }, [USERFAULT] = { 0x40c00000, 32 }, [FLIPPED] = { 0x40e00000, 16 },
};

#define TAG(region, page) (0x7a67000000000000ULL | (u64)(region) << 32 | (page))
#define SAME_WORD 0x5a5a5a5a5a5a5a5aULL
#define MMIO_WORD 0x6d6d696f6d6d696fULL

static volatile u64 stop;
static volatile u64 expected[OWNED][MAX_PAGES];
static volatile u64 turns[VCPUS];

/* ------------------------------------------------------------------ the guest */

G_INLINE bool g_allowed(u64 region, u64 page, u64 word)
{
	switch (region) {
	case DROPPED:
	case HOLES:
		return !word || word == TAG(region, page);
	case SAME:
		return word == SAME_WORD;
	case USERFAULT:
		return word == TAG(region, page);
	default: /* FLIPPED */
		return word == MMIO_WORD || word == TAG(region, page);
	}
}

GUEST static void g_owned(u64 region, u64 page, volatile u64 *at, u64 random)
{
	u64 word = *at;

	if (word != expected[region][page])
		g_fail("a write was lost", region << 32 | page, word, expected[region][page]);
	*at = random;
	/* The second word tells a page that is another one from a write that came late. */
	at[1] = TAG(region, page);
	word = *at;
	if (word != random)
		g_fail("the write just done was lost", region << 32 | page, word, random);
	expected[region][page] = random;
}

GUEST static void g_tagged(u64 region, u64 page, volatile u64 *at, u64 random)
{
	u64 word = *at;

	if (!g_allowed(region, page, word))
		g_fail("a word that cannot be there", region << 32 | page, word, TAG(region, page));
	if (random >> 61 == 0)
		*at = region == SAME ? SAME_WORD : TAG(region, page);
}

GUEST static void walker(u64 id)
{
	u64 seed = id * 7919 + 12345;

	g_sti();
	g_say(0);
	while (!stop) {
		u64 region, page, at;

		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		region = (seed >> 40) % NR_REGIONS;
		page = (u32)(seed >> 20) % (u32)regions[region].pages; /* 32 bits: Bochs divides 64 bit by bit */
		if (region < OWNED)
			page = page / VCPUS * VCPUS + id;
		at = regions[region].gpa + page * 4096 + 64;
		if (region < OWNED)
			g_owned(region, page, (volatile u64 *)at, seed);
		else
			g_tagged(region, page, (volatile u64 *)at, seed);
		turns[id]++;
	}
	g_done(0);
}

/* ------------------------------------------------------------------ the world */

struct world {
	struct vm *vm;
	struct vcpu *v[VCPUS];
	pthread_t thread[VCPUS];
	u8 *mem[NR_REGIONS];
	int file[NR_REGIONS];
	int uffd;
	bool swap, ksm, thp, flipped_here;
	u32 seed;
	volatile u64 efaults;
};

static struct world w;

static u32 random_below(u32 n)
{
	w.seed = w.seed * 1103515245 + 12345;
	return (w.seed >> 8) % n;
}

static u8 *page_of(enum region r, u64 page)
{
	return w.mem[r] + page * PAGE_SIZE;
}

static u64 *word_of(enum region r, u64 page)
{
	return (u64 *)(page_of(r, page) + 64);
}

/* Runs a vCPU to its end. EFAULT: the page is just not there, or not to be written; the guest tries again. */
static void *run_walker(void *arg)
{
	struct vcpu *v = arg;

	for (;;) {
		if (ioctl(v->fd, KVM_RUN, 0)) {
			if (errno == EFAULT) {
				w.efaults++;
				sched_yield();
			} else if (errno != EINTR && errno != EAGAIN) {
				vcpu_fail(v, "KVM_RUN failed");
			}
			continue;
		}
		if (v->run->exit_reason == KVM_EXIT_MMIO) {
			u64 word = MMIO_WORD, at = v->run->mmio.phys_addr - regions[FLIPPED].gpa;

			if (at >= regions[FLIPPED].pages * PAGE_SIZE)
				vcpu_fail(v, "MMIO where memory is");
			if (!v->run->mmio.is_write)
				memcpy(v->run->mmio.data, &word, 8);
			continue;
		}
		if (v->run->exit_reason == KVM_EXIT_IO && v->run->io.port == PORT_DONE)
			return NULL;
		if (v->run->exit_reason == KVM_EXIT_IO && v->run->io.port == PORT_FAIL)
			note("%s: page %#llx: %#llx, expected %#llx", G(v->vm, g_fail_text), (unsigned long long)G(v->vm, g_fail_line),
			     (unsigned long long)G(v->vm, g_fail_a), (unsigned long long)G(v->vm, g_fail_b));
		vcpu_fail(v, "the guest ended");
	}
}

static void *file_pages(enum region r)
{
	u64 size = regions[r].pages * PAGE_SIZE;
	void *at;

	w.file[r] = memfd_create("region", MFD_CLOEXEC);
	CHECK(w.file[r] >= 0 && !ftruncate(w.file[r], (off_t)size), "memfd");
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, w.file[r], 0);
	CHECK(at != MAP_FAILED, "mmap");
	return at;
}

static void userfault_copy(u64 page)
{
	static __thread u64 content[512] __attribute__((aligned(4096)));
	struct uffdio_copy copy = { .dst = (uintptr_t)page_of(USERFAULT, page), .src = (uintptr_t)content, .len = PAGE_SIZE };

	content[8] = TAG(USERFAULT, page);
	if (ioctl(w.uffd, UFFDIO_COPY, &copy) && errno != EEXIST && errno != EAGAIN)
		FAIL("UFFDIO_COPY");
}

static void *userfault_thread(void *unused)
{
	struct pollfd fd = { .fd = w.uffd, .events = POLLIN };
	struct uffd_msg msg;

	(void)unused;
	while (poll(&fd, 1, -1) >= 0) {
		u64 at;

		if (read(w.uffd, &msg, sizeof(msg)) != sizeof(msg) || msg.event != UFFD_EVENT_PAGEFAULT)
			continue;
		at = msg.arg.pagefault.address & ~(PAGE_SIZE - 1);
		if (msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP) {
			struct uffdio_writeprotect wp = { .range = { .start = at, .len = PAGE_SIZE } };

			ioctl(w.uffd, UFFDIO_WRITEPROTECT, &wp);
		} else {
			userfault_copy((at - (uintptr_t)w.mem[USERFAULT]) / PAGE_SIZE);
		}
	}
	return NULL;
}

/* Without userfaultfd the region is ordinary memory. */
static void userfault_setup(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP };
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)w.mem[USERFAULT], .len = regions[USERFAULT].pages * PAGE_SIZE },
		.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP,
	};
	pthread_t thread;

	w.uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (w.uffd >= 0 && (ioctl(w.uffd, UFFDIO_API, &api) || ioctl(w.uffd, UFFDIO_REGISTER, &reg))) {
		close(w.uffd);
		w.uffd = -1;
	}
	if (w.uffd >= 0)
		CHECK(!pthread_create(&thread, NULL, userfault_thread, NULL), "pthread_create");
	else
		for (u64 i = 0; i < regions[USERFAULT].pages; i++)
			*word_of(USERFAULT, i) = TAG(USERFAULT, i);
}

static void world_new(void)
{
	w.seed = 42;
	w.vm = vm_new(0);
	for (int r = 0; r < NR_REGIONS; r++) {
		u64 size = regions[r].pages * PAGE_SIZE;

		w.mem[r] = r == FILEMEM || r == HOLES ? file_pages(r) : aligned_pages(size, HUGE);
		madvise(w.mem[r], size, r == LARGE ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
		CHECK_OK(vm_slot(w.vm, (u32)r + 1, regions[r].gpa, size, w.mem[r], 0));
	}
	memset(w.mem[SAME], 0x5a, regions[SAME].pages * PAGE_SIZE);
	for (u64 i = 0; i < regions[FLIPPED].pages; i++)
		*word_of(FLIPPED, i) = TAG(FLIPPED, i);
	w.flipped_here = true;
	userfault_setup();
	memset(w.mem[LARGE], 0, regions[LARGE].pages * PAGE_SIZE);
	w.thp = huge_kilobytes(w.mem[LARGE]) == 2048;
	w.swap = swap_on();
	w.ksm = file_write("/sys/kernel/mm/ksm/sleep_millisecs", "5") && file_write("/sys/kernel/mm/ksm/pages_to_scan", "500") &&
		file_write("/sys/kernel/mm/ksm/run", "1");
	for (int i = 0; i < VCPUS; i++) {
		w.v[i] = vcpu_new(w.vm, i);
		vcpu_mode_long(w.v[i], walker, (u64)i);
		vcpu_expect_port(w.v[i], PORT_SAY);
		CHECK(!pthread_create(&w.thread[i], NULL, run_walker, w.v[i]), "pthread_create");
	}
}

/* The guests stop, and what they wrote is what the process sees. */
static void world_end(void)
{
	u64 total = 0, least = ~0ULL;

	G(w.vm, stop) = 1;
	for (int i = 0; i < VCPUS; i++) {
		CHECK(!pthread_join(w.thread[i], NULL), "pthread_join");
		total += G(w.vm, turns[i]);
		if (G(w.vm, turns[i]) < least)
			least = G(w.vm, turns[i]);
	}
	for (u64 r = 0; r < OWNED; r++)
		for (u64 page = 0; page < regions[r].pages; page++) {
			u64 want = G(w.vm, expected[r][page]);

			EXPECT_EQ(*word_of(r, page), want, "a word at the end");
			EXPECT_EQ(word_of(r, page)[1], want ? TAG(r, page) : 0, "a page's tag at the end");
		}
	EXPECT(least > 100, "a vCPU has made %llu turns only", (unsigned long long)least);
	note("%llu turns, the least %llu, EFAULT %llu times, %llu flushes, %llu tables given back", (unsigned long long)total,
	     (unsigned long long)least, (unsigned long long)w.efaults, (unsigned long long)vm_stat(w.vm, "remote_tlb_flush_requests"),
	     (unsigned long long)vm_stat(w.vm, "ept_tables_reclaimed"));
	file_write("/sys/kernel/mm/ksm/run", "0");
}

/* Until every vCPU has gone round @n times more: they meet what was just done. */
static void let_run(u64 n)
{
	for (int i = 0; i < VCPUS; i++) {
		u64 from = G(w.vm, turns[i]);

		while (G(w.vm, turns[i]) - from < n)
			usleep(100);
	}
}

/* ------------------------------------------------------------------ events. They return whether something happened. */

static bool drop(void)
{
	u64 page = random_below(64), n = 1 + random_below(8);

	if (page + n > 64)
		n = 64 - page;
	CHECK(!madvise(page_of(DROPPED, page), n * PAGE_SIZE, MADV_DONTNEED), "MADV_DONTNEED");
	return true;
}

static bool replace(void)
{
	void *at = page_of(DROPPED, random_below(64));

	CHECK(mmap(at, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | (random_below(2) ? MAP_POPULATE : 0),
		   -1, 0) == at, "mmap");
	return true;
}

static bool punch_hole(void)
{
	u64 page = random_below(64);

	if (random_below(4) == 0) {
		/* Written through the file. */
		u64 tag = TAG(HOLES, page);

		CHECK(pwrite(w.file[HOLES], &tag, 8, (off_t)(page * PAGE_SIZE + 64)) == 8, "pwrite");
		return true;
	}
	CHECK(!fallocate(w.file[HOLES], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(page * PAGE_SIZE), PAGE_SIZE), "fallocate");
	return true;
}

static bool protect(void)
{
	static const enum region where[] = { STABLE, LARGE, FILEMEM, DROPPED };
	enum region r = where[random_below(4)];
	u64 page = random_below((u32)regions[r].pages), n = 1 + random_below(4);

	if (page + n > regions[r].pages)
		n = regions[r].pages - page;
	CHECK(!mprotect(page_of(r, page), n * PAGE_SIZE, random_below(2) ? PROT_READ : PROT_NONE), "mprotect");
	if (random_below(4) == 0)
		usleep(50);
	CHECK(!mprotect(page_of(r, page), n * PAGE_SIZE, PROT_READ | PROT_WRITE), "mprotect");
	return true;
}

/* Elsewhere and back. */
static bool move(void)
{
	enum region r = random_below(2) ? STABLE : FILEMEM;
	u8 *at = page_of(r, random_below((u32)regions[r].pages)), *away = host_pages(PAGE_SIZE);

	CHECK(mremap(at, PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, away) == away, "mremap");
	CHECK(mremap(away, PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, at) == at, "mremap");
	return true;
}

/* All memory is shared with the child until somebody writes; the child's copy must stand still. */
static bool share_by_fork(void)
{
	u64 *at = word_of(STABLE, random_below((u32)regions[STABLE].pages)), first;
	int status;
	pid_t pid = fork();

	if (!pid) {
		first = *(volatile u64 *)at;
		usleep(200);
		_exit(*(volatile u64 *)at != first);
	}
	CHECK(waitpid(pid, &status, 0) == pid, "waitpid");
	EXPECT_EQ(status, 0, "a child that saw its copy change");
	return true;
}

static bool swap_out(void)
{
	enum region r = random_below(4) ? STABLE : LARGE;
	u64 page = random_below((u32)regions[r].pages - 8), before = file_named("/proc/vmstat", "pswpout");

	if (!w.swap)
		return false;
	CHECK(!madvise(page_of(r, page), 8 * PAGE_SIZE, MADV_PAGEOUT), "MADV_PAGEOUT");
	return file_named("/proc/vmstat", "pswpout") > before;
}

static bool split_and_collapse(void)
{
	u8 *at = page_of(LARGE, random_below(512));

	if (!w.thp)
		return false;
	CHECK(!mprotect(at, PAGE_SIZE, PROT_READ), "mprotect");
	CHECK(!mprotect(at, PAGE_SIZE, PROT_READ | PROT_WRITE), "mprotect");
	/* A page that a fault has just looked up cannot be moved: as often as it takes. */
	for (int i = 0; i < 50; i++)
		if (!madvise(w.mem[LARGE], HUGE, MADV_COLLAPSE))
			return true;
	return false;
}

/* Pages alike become one, and separate again when they are written or taken out. */
static bool merge(void)
{
	u64 size = regions[SAME].pages * PAGE_SIZE, sharing = 0;

	if (!w.ksm)
		return false;
	CHECK(!madvise(w.mem[SAME], size, MADV_MERGEABLE), "MADV_MERGEABLE");
	for (int i = 0; i < 40 && !sharing; i++) {
		usleep(2000);
		sharing = file_number("/sys/kernel/mm/ksm/pages_sharing", 0);
	}
	if (random_below(2))
		CHECK(!madvise(w.mem[SAME], size, MADV_UNMERGEABLE), "MADV_UNMERGEABLE");
	return sharing;
}

static bool userfault(void)
{
	u64 page = random_below((u32)regions[USERFAULT].pages);
	struct uffdio_writeprotect wp = {
		.range = { .start = (uintptr_t)page_of(USERFAULT, page), .len = PAGE_SIZE },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	if (w.uffd < 0)
		return false;
	if (random_below(2))
		CHECK(!madvise(page_of(USERFAULT, page), PAGE_SIZE, MADV_DONTNEED), "MADV_DONTNEED");
	else if (ioctl(w.uffd, UFFDIO_WRITEPROTECT, &wp))
		CHECK(errno == ENOENT || errno == EAGAIN, "UFFDIO_WRITEPROTECT");
	return true;
}

/* A slot goes and comes back, writable or not, at its place or elsewhere. Where it is not, there is MMIO. */
static bool flip_slot(void)
{
	u64 size = regions[FLIPPED].pages * PAGE_SIZE, elsewhere = 0x50000000;
	u32 id = FLIPPED + 1;

	switch (w.flipped_here ? random_below(2) : 2) {
	case 0:
		CHECK_OK(vm_slot(w.vm, id, regions[FLIPPED].gpa, 0, NULL, 0));
		if (random_below(2))
			usleep(50);
		CHECK_OK(vm_slot(w.vm, id, regions[FLIPPED].gpa, size, w.mem[FLIPPED], random_below(2) ? KVM_MEM_READONLY : 0));
		break;
	case 1:
		if (vm_slot(w.vm, id, elsewhere, size, w.mem[FLIPPED], 0)) {
			/* It is a read-only one, which stays so. */
			CHECK_OK(vm_slot(w.vm, id, elsewhere, size, w.mem[FLIPPED], KVM_MEM_READONLY));
		}
		w.flipped_here = false;
		break;
	default:
		if (vm_slot(w.vm, id, regions[FLIPPED].gpa, size, w.mem[FLIPPED], 0))
			CHECK_OK(vm_slot(w.vm, id, regions[FLIPPED].gpa, size, w.mem[FLIPPED], KVM_MEM_READONLY));
		w.flipped_here = true;
	}
	return true;
}

static bool shrink_tables(void)
{
	u64 before = vm_stat(w.vm, "ept_tables_reclaimed");

	/* The kernel saves up what it wants scanned until it is worth a call. */
	for (unsigned int i = 0; i < 6 * test_slowness() && vm_stat(w.vm, "ept_tables_reclaimed") == before; i++)
		CHECK(file_write("/proc/sys/vm/drop_caches", "2"), "drop_caches");
	return vm_stat(w.vm, "ept_tables_reclaimed") > before;
}

/* The rarer ones cost much more than the others. */
static const struct event {
	const char *name;
	bool (*fn)(void);
	unsigned int share;	/* of all events of the hammer */
} event_table[] = {
	{ "drop", drop, 12 }, { "replace", replace, 12 }, { "punch_hole", punch_hole, 12 },
	{ "protect", protect, 20 }, { "move", move, 12 }, { "fork", share_by_fork, 1 },
	{ "swap_out", swap_out, 6 }, { "split_and_collapse", split_and_collapse, 3 }, { "merge", merge, 1 },
	{ "userfault", userfault, 12 }, { "flip_slot", flip_slot, 8 }, { "shrink_tables", shrink_tables, 1 },
};

static unsigned int done[ARRAY_SIZE(event_table)];
static unsigned int hammer_events = 400;

/* Events of one kind, never more than the hammer's. */
static void many(bool (*fn)(void), unsigned int n, const char *missing)
{
	unsigned int happened = 0;
	bool possible = true;

	n = n < hammer_events ? n : hammer_events;
	test_timeout(30);
	world_new();
	if (fn == swap_out)
		possible = w.swap;
	else if (fn == split_and_collapse)
		possible = w.thp;
	else if (fn == merge)
		possible = w.ksm;
	else if (fn == userfault)
		possible = w.uffd >= 0;
	let_run(20);
	for (unsigned int i = 0; i < n; i++) {
		happened += fn();
		if (i % 4 == 0)
			let_run(2);
	}
	world_end();
	if (!possible)
		skip("%s", missing);
	note("%u of %u events did something", happened, n);
	EXPECT(happened, "nothing happened");
}

static void dropped(void) { many(drop, 100, ""); }
static void replaced(void) { many(replace, 100, ""); }
static void holes_punched(void) { many(punch_hole, 100, ""); }
static void protected(void) { many(protect, 100, ""); }
static void moved(void) { many(move, 100, ""); }
static void forked(void) { many(share_by_fork, 10, ""); }
static void swapped(void) { many(swap_out, 30, "no swap space: the kernel has no brd"); }
static void collapsed(void) { many(split_and_collapse, 10, "no transparent huge page to be had"); }
static void merged(void) { many(merge, 6, "no KSM"); }
static void userfaulted(void) { many(userfault, 60, "no userfaultfd"); }
static void slots_flipped(void) { many(flip_slot, 100, ""); }
static void tables_shrunk(void) { many(shrink_tables, 10, ""); }

static void hammer(void)
{
	unsigned int shares = 0, pick;
	size_t k;

	test_timeout(20 + hammer_events / 10);
	world_new();
	for (k = 0; k < ARRAY_SIZE(event_table); k++)
		shares += event_table[k].share;
	for (unsigned int i = 0; i < hammer_events; i++) {
		pick = random_below(shares);
		for (k = 0; pick >= event_table[k].share; k++)
			pick -= event_table[k].share;
		done[k] += event_table[k].fn();
		if (i % 64 == 0)
			let_run(1);
	}
	world_end();
	for (k = 0; k < ARRAY_SIZE(event_table); k++)
		note("%s: %u", event_table[k].name, done[k]);
}

/* Memory of a device has no pages behind it whose life a reference could prolong: the guest's access is refused. */
static void device_memory(void)
{
	int fd = open("/dev/mem", O_RDWR | O_CLOEXEC);
	struct vcpu *v;
	u8 *at;

	if (fd < 0)
		skip("/dev/mem: %s", strerror(errno));
	at = mmap(NULL, 16 * PAGE_SIZE, PROT_READ, MAP_SHARED, fd, 0xf0000);
	if (at == MAP_FAILED)
		skip("mmap of the BIOS: %s", strerror(errno));
	v = servant_new(0x40000000, 16 * PAGE_SIZE, at, 0);
	give(v, READ, 0x40000000, 0);
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EFAULT);
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EFAULT);
	/* Ordinary memory in its place is fine. */
	CHECK(mmap(at, 16 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at, "mmap");
	EXPECT_EQ(answer(v), 0, "what the guest reads then");
	ask(v, WRITE, 0x40000000, 3);
	EXPECT_EQ(*word(at, 0), 3, "what the guest wrote");
}

/* The ledger of translations is on where the command line asked for it, and cannot be switched while the module is loaded. */
static void ledger_parameter(void)
{
	const char *module = getenv("VTX_MODULE"), *path = "/sys/module/vtx/parameters/tlb_check";
	char value = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		skip("%s: %s", path, strerror(errno));
	CHECK(read(fd, &value, 1) == 1, "read");
	close(fd);
	if (module)
		EXPECT_EQ(value == 'Y', strstr(module, "tlb_check=1") != NULL, "tlb_check");
	EXPECT(!file_write(path, "1"), "the parameter took a write");
}

static const struct test tests[] = {
	TEST(dropped), TEST(replaced), TEST(holes_punched), TEST(protected), TEST(moved), TEST(forked), TEST(swapped), TEST(collapsed),
	TEST(merged), TEST(userfaulted), TEST(slots_flipped), TEST(tables_shrunk), TEST(device_memory),
	TEST(ledger_parameter), TEST(hammer),
};

int main(int argc, char **argv)
{
	if (argc > 1 && atoi(argv[1]) > 0) {
		hammer_events = (unsigned int)atoi(argv[1]);
		argv[1] = argv[0];
		argv++;
		argc--;
	}
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

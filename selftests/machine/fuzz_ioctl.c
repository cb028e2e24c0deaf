// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random calls: short programs of ioctls and of other things a process can do, carried out by two threads on one VM. A program that
 * reaches code of the module which none has reached before (KCOV) is kept, and later ones are made from it. Ends with an error when the
 * kernel complains, a process cannot be killed, or the time is over without a single call; prints the program then.
 *
 * A program is a list of steps OP:THREAD:SEED; a step's argument follows from its seed, so the text is all that it takes to repeat it.
 * Each run is announced as "run PARENT SEED", each program that is kept as "keep NUMBER TEXT": after a crash the last "run" tells
 * which program it was (selftests/watching/fuzz-ioctl prints how to repeat it).
 *
 * usage: fuzz_ioctl SECONDS [SEED]
 *        fuzz_ioctl -r TEXT [SEED]	a program (changed as by "run" with this seed), a hundred times
 */
#include <fcntl.h>
#include <linux/kcov.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../uapi/vtx.h"
#include "lib/calls.h"
#include "lib/faults.h"
#include "lib/guest.h"

#define MAX_STEPS 24
#define MAX_KEPT 4096
#define MAX_VCPUS 3
#define COVER_WORDS 32768
#define COVER_BITS (1u << 20)
#define RUNS_OF_A_WORKER 500
#define LIMIT_MS 3000		/* of the machine's time, for a program */
#define TEXT_SIZE (MAX_STEPS * 20)

struct step {
	u8 op, thread;
	u32 seed;
};

struct program {
	u32 nr;
	struct step step[MAX_STEPS];
};

/* What the workers and their parent know. */
struct shared {
	struct program kept[MAX_KEPT];
	u32 nr_kept;
	struct program now;
	volatile u64 started_ms;	/* 0: no program runs */
	volatile u32 complained;
	u64 seed, runs, calls, worked, edges;
	u32 worked_of[256];		/* by op: how often it succeeded */
	u8 seen[COVER_BITS / 8];
};

static struct shared *sh;

/* ------------------------------------------------------------------ numbers */

static u64 next(u64 *state)
{
	u64 x = *state += 0x9e3779b97f4a7c15ull;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static u32 below(u64 *state, u32 n)
{
	return (u32)(next(state) % n);
}

static u64 interesting(u64 *state)
{
	static const u64 values[] = {
		0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 508, 509, 511, 512, 1023, 4095, 4096, 0x7fff, 0x8000, 0xffff,
		0x10000, 0x100000, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffff, 0x800000000000, 0x8000000000000000,
		~0ull, ~0ull - 4095, 0xfee00000, 0xfec00000, 0xfffbd000, 0xc0000080, 0x1b, 0x6e0, 0x4b564d01, GUEST_FREE, GUEST_ABSENT,
		GUEST_PML4, 0xe0000011, 0x80000011, 0x668, 0xd01, 0x500, 0x202, 0x2,
	};

	switch (below(state, 5)) {
	case 0:
		return 1ull << below(state, 64);
	case 1:
		return ~(1ull << below(state, 64));
	case 2:
		return next(state);
	default:
		return values[below(state, ARRAY_SIZE(values))];
	}
}

static u64 now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000 + (u64)t.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------ the world of a program */

static u8 *memory;		/* the guests', one after the other */
static struct call_world world;
static struct vcpu *vcpus[MAX_VCPUS];
static volatile u32 nr_vcpus;

#define FILL 0x20000

/*
 * HLT everywhere a lost guest may come to. A guest that loops without exits and with interrupts off would stop the machine in Bochs
 * (lib/guest.h), so no zeros in the low memory: an interrupt table of zeros leads to itself.
 */
static void fill_low(void)
{
	memset(memory, 0xf4, GUEST_GDT);
	memset(memory + GUEST_IDT32 + 0x1000, 0xf4, FILL - GUEST_IDT32 - 0x1000);
}

static void memory_new(void)
{
	extern const u8 __executable_start[], end[];
	uintptr_t image = (uintptr_t)__executable_start;

	memory = host_pages(GUEST_MEMORY);
	memset(memory, 0xf4, 0x400000);
	memcpy(memory + image, __executable_start, (uintptr_t)end - image);
}

static void world_new(u64 *random)
{
	u32 kind = below(random, 8);

	memset(&world, 0, sizeof(world));
	world.vm = vm_new(VM_NO_MEMORY | (kind >= 2 ? VM_IRQCHIP : 0) | (kind >= 3 ? VM_PIT : 0));
	world.event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	world.resample = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	world.spare = memory + 0x1800000;
	world.vm->mem = memory;
	world.vm->size = GUEST_MEMORY;
	fill_low();
	CHECK_OK(vm_slot(world.vm, 0, 0, GUEST_MEMORY, memory, 0));
	world.v = vcpus[0] = vcpu_new(world.vm, 0);
	nr_vcpus = 1;
	call_guest_restart(world.v);
}

static void world_free(void)
{
	for (u32 i = 0; i < nr_vcpus; i++)
		vcpu_free(vcpus[i]);
	nr_vcpus = 0;
	close(world.vm->fd);
	free(world.vm);
	close(world.event);
	close(world.resample);
}

/* ------------------------------------------------------------------ steps that are no ioctls of the table */

static long do_create_vcpu(u64 *random, u8 *arg)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct vcpu *v;
	long fd;

	(void)arg;
	fd = ioctl(world.vm->fd, KVM_CREATE_VCPU, below(random, 4) ? (long)below(random, 6) : (long)interesting(random));
	if (fd < 0)
		return fd;
	pthread_mutex_lock(&lock);
	if (nr_vcpus < MAX_VCPUS) {
		v = calloc(1, sizeof(*v));
		v->vm = world.vm;
		v->fd = (int)fd;
		v->run = mmap(NULL, run_size(), PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
		vcpus[nr_vcpus] = v;
		nr_vcpus++;
	} else {
		close((int)fd);
	}
	pthread_mutex_unlock(&lock);
	return 0;
}

static struct vcpu *some_vcpu(u64 *random)
{
	return vcpus[below(random, nr_vcpus)];
}

static long do_restart_guest(u64 *random, u8 *arg)
{
	struct vcpu *v = some_vcpu(random);
	struct kvm_regs regs;
	struct kvm_sregs sregs;

	(void)arg;
	/* As vcpu_mode_long(), which would end the process when a call fails. */
	if (ioctl(vcpus[0]->fd, KVM_GET_SREGS, &sregs) || ioctl(v->fd, KVM_SET_SREGS, &sregs))
		return -1;
	memset(&regs, 0, sizeof(regs));
	regs.rip = (uintptr_t)call_guest;
	regs.rsp = GUEST_STACKS + 0x8000 - 8;
	regs.rflags = 0x202;
	regs.rdi = below(random, 2);
	return ioctl(v->fd, KVM_SET_REGS, &regs);
}

static long do_run(u64 *random, u8 *arg)
{
	struct vcpu *v = some_vcpu(random);
	long ret = -1;

	(void)arg;
	v->run->immediate_exit = !below(random, 16);
	v->run->request_interrupt_window = !below(random, 8);
	for (u32 i = below(random, 8); i < 8; i++) {
		ret = ioctl(v->fd, KVM_RUN, 0);
		if (ret)
			break;
	}
	return ret;
}

/* The run page belongs to the program, which may write what it likes at any time. */
static long do_scribble_run(u64 *random, u8 *arg)
{
	struct vcpu *v = some_vcpu(random);

	(void)arg;
	for (u32 i = 0; i < 4; i++)
		*(volatile u64 *)((u8 *)v->run + 8 * below(random, below(random, 4) ? 64 : (u32)(run_size() / 8))) = interesting(random);
	return 0;
}

static long do_memory(u64 *random, u8 *arg)
{
	u64 at = PAGE_SIZE * below(random, GUEST_MEMORY / PAGE_SIZE), size = PAGE_SIZE << below(random, 10);
	static const int protections[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE };

	(void)arg;
	/* Never the low memory and the code: a guest that finds zeros there may not come back. */
	if (at < GUEST_FREE)
		at += GUEST_FREE;
	if (at + size > GUEST_MEMORY)
		size = GUEST_MEMORY - at;
	switch (below(random, 4)) {
	case 0:
		return madvise(memory + at, size, MADV_DONTNEED);
	case 1:
		return mprotect(memory + at, size, protections[below(random, 4)]);
	case 2:
		return madvise(memory + at, size, below(random, 2) ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	default:
		return mprotect(memory + GUEST_FREE, GUEST_MEMORY - GUEST_FREE, PROT_READ | PROT_WRITE);
	}
}

static long do_slot(u64 *random, u8 *arg)
{
	u64 gpa = below(random, 2) ? GUEST_FREE + PAGE_SIZE * below(random, 4096) : interesting(random) & ~4095ull;
	u64 size = below(random, 4) ? PAGE_SIZE << below(random, 10) : 0;

	(void)arg;
	return vm_slot(world.vm, 1 + below(random, 4), gpa, size, memory + GUEST_FREE + PAGE_SIZE * below(random, 1024),
		       below(random, 8) ? 0 : (u32)interesting(random));
}

static long do_mmap(u64 *random, u8 *arg)
{
	static const off_t offsets[] = { 0, 4096, 8192, VTX_RING_MMAP_OFFSET, VTX_RING_MMAP_OFFSET + 4096, VTX_RING_MMAP_OFFSET + 65536 };
	size_t size = PAGE_SIZE << below(random, 6);
	volatile u8 *map = mmap(NULL, size, below(random, 4) ? PROT_READ : PROT_READ | PROT_WRITE, below(random, 4) ? MAP_SHARED : MAP_PRIVATE,
				some_vcpu(random)->fd, offsets[below(random, ARRAY_SIZE(offsets))]);
	int fd;

	if (map == MAP_FAILED)
		return -1;
	/* By the kernel: a page that is not there is an errno and no signal. */
	fd = memfd_create("sink", MFD_CLOEXEC);
	(void)!write(fd, (void *)map, size);
	close(fd);
	(void)arg;
	return munmap((void *)map, size);
}

static long do_event(u64 *random, u8 *arg)
{
	u64 one = 1;

	(void)arg;
	return below(random, 4) ? write(world.event, &one, 8) : read(world.resample, &one, 8);
}

static long do_stats(u64 *random, u8 *arg)
{
	int fd = ioctl(below(random, 2) ? world.vm->fd : some_vcpu(random)->fd, KVM_GET_STATS_FD, 0);
	long ret;

	if (fd < 0)
		return -1;
	ret = pread(fd, arg, 1 + below(random, CALL_ARG_SIZE), (off_t)(below(random, 2) ? below(random, 8192) : interesting(random)));
	close(fd);
	return ret;
}

static long do_debugfs(u64 *random, u8 *arg)
{
	static const char *const names[] = { "failure", "memory", "last_failure", "diagnosis", "trace_raw", "trace", "filter", "vcpu0/exits",
					     "vcpu0/latency", "vcpu0/top", "vcpu0/recorder", "vcpu0/recorder_raw", "vcpu0/last_failure" };
	static const char *const rules[] = { "reason == CPUID\n", "stop rip >= 0\n", "rate 5\n", "reason == IO && port == 0x80\n", "!", "" };
	char path[128];
	long ret;
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/vtx/%d-%d/%s", getpid(), world.vm->fd, names[below(random, ARRAY_SIZE(names))]);
	fd = open(path, (below(random, 4) ? O_RDONLY : O_WRONLY) | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (below(random, 4)) {
		ret = read(fd, arg, 1 + below(random, CALL_ARG_SIZE));
	} else {
		const char *rule = rules[below(random, ARRAY_SIZE(rules))];

		ret = write(fd, rule, strlen(rule));
	}
	close(fd);
	return ret;
}

/* Something else's number, or no ioctl at all. */
static long do_strange_ioctl(u64 *random, u8 *arg)
{
	int fds[] = { dev_open(), world.vm->fd, some_vcpu(random)->fd };
	const struct call *c = &all_calls[below(random, (u32)nr_calls)];
	unsigned long cmd = below(random, 2) ? c->cmd : (u32)next(random) & 0x3fffaeff;

	return ioctl(fds[below(random, 3)], cmd, below(random, 2) ? (unsigned long)arg : (unsigned long)interesting(random));
}

struct other {
	const char *name;
	long (*fn)(u64 *random, u8 *arg);
};

static const struct other others[] = {
	{ "create_vcpu", do_create_vcpu }, { "restart_guest", do_restart_guest }, { "run", do_run }, { "run", do_run }, { "run", do_run },
	{ "scribble_run", do_scribble_run }, { "memory", do_memory }, { "slot", do_slot }, { "mmap", do_mmap }, { "event", do_event }, { "stats", do_stats },
	{ "debugfs", do_debugfs }, { "strange_ioctl", do_strange_ioctl },
};

/* ------------------------------------------------------------------ an ioctl of the table */

static void change(u64 *random, u8 *arg, size_t size)
{
	for (u32 i = 1 + below(random, 4); i; i--) {
		u32 width = 1u << below(random, 4);
		u64 value = interesting(random);

		if (size < width)
			continue;
		memcpy(arg + width * below(random, (u32)(size / width)), &value, width);
	}
}

static void *bad_address(u64 *random, u8 *arg)
{
	static void *const bad[] = { NULL, (void *)8, (void *)-4096, (void *)0xffff888000000000, (void *)0x800000000000 };

	/* Behind the buffer is a page that cannot be touched. */
	if (below(random, 2))
		return arg + CALL_ARG_SIZE - below(random, 64);
	return bad[below(random, ARRAY_SIZE(bad))];
}

static long do_call(const struct call *c, u64 *random, u8 *arg)
{
	struct call_world w = world;
	size_t size = _IOC_SIZE(c->cmd);
	unsigned long value;
	u32 how;
	long ret;
	int fd;

	w.v = some_vcpu(random);
	if (c->cmd == KVM_RUN)
		return do_run(random, arg);
	value = call_prepare(&w, c, arg);
	how = below(random, 16);
	if (c->flags & CALL_SCALAR) {
		if (how >= 8)
			value = interesting(random);
	} else if (how >= 15) {
		value = (unsigned long)bad_address(random, arg);
	} else if (how >= 14) {
		for (size_t i = 0; i + 8 <= size; i += 8)
			*(u64 *)(arg + i) = next(random);
	} else if (how >= 6) {
		change(random, arg, size < 8 || !below(random, 3) ? size + 256 : size);
	}
	fd = call_on(&w, c);
	ret = ioctl(fd, c->cmd, value);
	if (ret >= 0 && (c->flags & CALL_FD))
		close((int)ret);
	return ret;
}

/* ------------------------------------------------------------------ programs */

static u32 nr_ops(void)
{
	return (u32)(nr_calls + ARRAY_SIZE(others));
}

static const char *op_name(u32 op)
{
	return op < nr_calls ? all_calls[op].name : others[op - nr_calls].name;
}

static struct step new_step(u64 *random)
{
	struct step s = { .thread = (u8)below(random, 2), .seed = (u32)next(random) };

	/* A third are the others, which make the rest worth while. */
	s.op = (u8)(below(random, 3) ? below(random, (u32)nr_calls) : nr_calls + below(random, ARRAY_SIZE(others)));
	return s;
}

static void insert_step(struct program *p, u64 *random)
{
	u32 at = below(random, p->nr + 1);

	if (p->nr == MAX_STEPS)
		return;
	memmove(&p->step[at + 1], &p->step[at], (p->nr - at) * sizeof(p->step[0]));
	p->step[at] = new_step(random);
	p->nr++;
}

static void remove_step(struct program *p, u64 *random)
{
	u32 at = below(random, p->nr);

	memmove(&p->step[at], &p->step[at + 1], (p->nr - at - 1) * sizeof(p->step[0]));
	p->nr--;
}

/* Depends on the program and the seed alone. */
static void mutate(struct program *p, u32 seed)
{
	u64 random = seed;

	if (!p->nr) {
		while (p->nr < 6 + seed % 12)
			insert_step(p, &random);
		return;
	}
	for (u32 i = 1 + below(&random, 4); i; i--) {
		switch (below(&random, 8)) {
		case 0:
			if (p->nr > 1)
				remove_step(p, &random);
			break;
		case 1:
			p->step[below(&random, p->nr)].thread ^= 1;
			break;
		case 2:
		case 3:
			p->step[below(&random, p->nr)].seed = (u32)next(&random);
			break;
		default:
			insert_step(p, &random);
		}
	}
}

static char *text_of(const struct program *p)
{
	static char text[TEXT_SIZE];
	size_t at = 0;

	text[0] = 0;
	for (u32 i = 0; i < p->nr; i++)
		at += (size_t)snprintf(text + at, TEXT_SIZE - at, "%s%u:%u:%x", i ? "," : "", p->step[i].op, p->step[i].thread, p->step[i].seed);
	return text;
}

static bool parse(const char *text, struct program *p)
{
	p->nr = 0;
	while (*text && p->nr < MAX_STEPS) {
		struct step *s = &p->step[p->nr];
		int used = 0;

		if (sscanf(text, "%hhu:%hhu:%x%n", &s->op, &s->thread, &s->seed, &used) != 3 || s->op >= nr_ops() || s->thread > 1)
			return false;
		p->nr++;
		text += used;
		if (*text == ',')
			text++;
	}
	return p->nr > 0;
}

static void describe(const struct program *p)
{
	for (u32 i = 0; i < p->nr; i++)
		note("  thread %u: %s (seed %x)", p->step[i].thread, op_name(p->step[i].op), p->step[i].seed);
	note("program %s", text_of(p));
}

/* ------------------------------------------------------------------ the two threads */

struct runner {
	pthread_t thread;
	u8 number;
	u8 *arg;
	u64 *cover;	/* NULL: the kernel has no KCOV, or the module was not built for it */
	volatile bool done;
};

static struct runner runners[2];
static pthread_barrier_t start_line;
static u32 new_edges;

static void kcov_open(struct runner *r)
{
	int fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, KCOV_INIT_TRACE, COVER_WORDS))
		return;
	r->cover = mmap(NULL, COVER_WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (r->cover == MAP_FAILED || ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
		r->cover = NULL;
}

/* Edges: two places one after the other. Both threads write the map; a lost bit comes again. */
static void take_cover(struct runner *r)
{
	u64 n, before = 0;

	if (!r->cover)
		return;
	n = __atomic_load_n(&r->cover[0], __ATOMIC_RELAXED);
	for (u64 i = 1; i <= n && i < COVER_WORDS; i++) {
		u64 pc = r->cover[i];
		u32 bit = (u32)((pc * 0x9e3779b97f4a7c15ull ^ before * 0xc2b2ae3d27d4eb4full) >> 44) % COVER_BITS;

		if (!(sh->seen[bit / 8] & (1u << bit % 8))) {
			sh->seen[bit / 8] |= (u8)(1u << bit % 8);
			__atomic_add_fetch(&new_edges, 1, __ATOMIC_RELAXED);
		}
		before = pc;
	}
	__atomic_store_n(&r->cover[0], 0, __ATOMIC_RELAXED);
}

static void do_step(struct runner *r, const struct step *s)
{
	u64 random = s->seed;
	long ret;

	ret = s->op < nr_calls ? do_call(&all_calls[s->op], &random, r->arg) : others[s->op - nr_calls].fn(&random, r->arg);
	__atomic_add_fetch(&sh->calls, 1, __ATOMIC_RELAXED);
	if (ret >= 0) {
		__atomic_add_fetch(&sh->worked, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&sh->worked_of[s->op], 1, __ATOMIC_RELAXED);
	}
	take_cover(r);
}

static void *runner(void *data)
{
	struct runner *r = data;

	kcov_open(r);
	for (;;) {
		pthread_barrier_wait(&start_line);
		for (u32 i = 0; i < sh->now.nr; i++)
			if (sh->now.step[i].thread == r->number)
				do_step(r, &sh->now.step[i]);
		r->done = true;
	}
	return NULL;
}

static void start_runners(void)
{
	pthread_barrier_init(&start_line, NULL, 3);
	for (u8 i = 0; i < 2; i++) {
		struct runner *r = &runners[i];

		r->number = i;
		r->arg = mmap(NULL, CALL_ARG_SIZE + PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(r->arg != MAP_FAILED && !mprotect(r->arg + CALL_ARG_SIZE, PAGE_SIZE, PROT_NONE), "mmap");
		CHECK(!pthread_create(&r->thread, NULL, runner, r), "pthread_create");
	}
}

/* Runs sh->now; a signal every few milliseconds brings the threads out of KVM_RUN. */
static void run_program(void)
{
	u64 random = sh->now.step[0].seed;

	world_new(&random);
	runners[0].done = runners[1].done = false;
	new_edges = 0;
	sh->started_ms = now_ms();
	pthread_barrier_wait(&start_line);
	while (!runners[0].done || !runners[1].done) {
		usleep(3000);
		for (u32 i = 0; i < 2; i++)
			if (!runners[i].done)
				pthread_kill(runners[i].thread, SIGUSR1);
	}
	(void)mprotect(memory, GUEST_MEMORY, PROT_READ | PROT_WRITE);
	world_free();
	sh->started_ms = 0;
	sh->runs++;
	sh->edges += new_edges;
}

/* ------------------------------------------------------------------ the kernel's log */

static int log_fd;

static void log_open(void)
{
	log_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	CHECK(log_fd >= 0, "/dev/kmsg");
	lseek(log_fd, 0, SEEK_END);
}

/* Has the kernel complained since the last look? Prints what it said. */
static bool log_bad(void)
{
	char record[8192], *text;
	bool bad = false;
	ssize_t got;

	while ((got = read(log_fd, record, sizeof(record) - 1)) > 0 || (got < 0 && errno == EPIPE)) {
		if (got < 0)
			continue;
		record[got] = 0;
		text = strchr(record, ';');
		if (!text)
			continue;
		text[strcspn(text, "\n")] = 0;
		if (kernel_complains(text + 1) && !bad) {
			bad = true;
			note("the kernel said:");
		}
		if (bad)
			note("| %s", text + 1);
	}
	return bad;
}

/* ------------------------------------------------------------------ a worker */

static void keep(void)
{
	if (sh->nr_kept == MAX_KEPT)
		return;
	sh->kept[sh->nr_kept] = sh->now;
	printf("keep %u %s\n", sh->nr_kept, text_of(&sh->now));
	sh->nr_kept++;
}

static void worker_begin(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	quiet_signal();
	memory_new();
	log_open();
	start_runners();
}

static void worker(void)
{
	worker_begin();
	for (u32 i = 0; i < RUNS_OF_A_WORKER; i++) {
		u32 seed = (u32)next(&sh->seed);
		u32 parent = sh->nr_kept && seed % 8 ? (u32)(next(&sh->seed) % sh->nr_kept) : MAX_KEPT;

		if (parent == MAX_KEPT)
			sh->now.nr = 0;
		else
			sh->now = sh->kept[parent];
		mutate(&sh->now, seed);
		if (parent == MAX_KEPT)
			printf("run - %x\n", seed);
		else
			printf("run %u %x\n", parent, seed);
		run_program();
		if (log_bad()) {
			sh->complained = 1;
			break;
		}
		if (new_edges)
			keep();
	}
	_exit(0);
}

/* ------------------------------------------------------------------ the parent */

static void report(void)
{
	note("%llu programs, %llu calls, %llu of them succeeded, %llu edges, %u programs kept", (unsigned long long)sh->runs,
	     (unsigned long long)sh->calls, (unsigned long long)sh->worked, (unsigned long long)sh->edges, sh->nr_kept);
}

/* Until the worker ends; kills it when a program takes too long. False: it cannot be killed. */
static bool watch(pid_t pid, int *status, u64 end)
{
	for (;;) {
		u64 started = sh->started_ms, now = now_ms();
		bool slow = started && now > started + LIMIT_MS;

		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		if (slow || now > end) {
			kill(pid, SIGKILL);
			for (int i = 0; i < 3000; i++) {
				if (waitpid(pid, status, WNOHANG) == pid)
					return true;
				usleep(10000);
			}
			return false;
		}
		usleep(20000);
	}
}

static int fuzz(u64 seconds, u64 seed)
{
	u64 end = now_ms() + seconds * 1000, told = now_ms();
	u32 killed = 0;
	int status;

	sh->seed = seed;
	note("seed %llu", (unsigned long long)seed);
	while (now_ms() < end && !sh->complained) {
		pid_t pid;

		fflush(stdout);
		sh->started_ms = 0;
		pid = fork();
		if (!pid)
			worker();
		if (!watch(pid, &status, end)) {
			note("the process cannot be killed");
			describe(&sh->now);
			return 1;
		}
		if (WIFEXITED(status) && WEXITSTATUS(status) && !sh->complained)
			note("a worker ended with %d", WEXITSTATUS(status));
		killed += WIFSIGNALED(status);
		if (now_ms() > told + 20000) {
			told = now_ms();
			report();
		}
	}
	report();
	note("%u workers killed", killed);
	for (u32 i = 0; i < nr_ops(); i++)
		if (!sh->worked_of[i])
			note("never succeeded: %s", op_name(i));
	if (sh->complained)
		describe(&sh->now);
	printf("%u passed, %u failed, 0 skipped\n", !sh->complained && sh->calls, sh->complained || !sh->calls);
	return sh->complained || !sh->calls;
}

/* A given program, again and again. */
static int repeat(const char *text, const char *seed)
{
	pid_t pid;
	int status;

	if (!strcmp(text, "-"))
		sh->now.nr = 0;
	else if (!parse(text, &sh->now))
		return 2;
	if (seed)
		mutate(&sh->now, (u32)strtoul(seed, NULL, 16));
	describe(&sh->now);
	for (int i = 0; i < 100 && !sh->complained; i++) {
		pid = fork();
		if (!pid) {
			worker_begin();
			run_program();
			sh->complained = log_bad();
			_exit(0);
		}
		if (!watch(pid, &status, ~0ull)) {
			note("the process cannot be killed");
			return 1;
		}
	}
	note(sh->complained ? "the kernel complained" : "nothing");
	return (int)sh->complained;
}

int main(int argc, char **argv)
{
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (argc < 2 || sh == MAP_FAILED) {
		fprintf(stderr, "usage: fuzz_ioctl SECONDS [SEED] | -r PROGRAM [SEED]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 2 && !strcmp(argv[1], "-r"))
		return repeat(argv[2], argc > 3 ? argv[3] : NULL);
	return fuzz(strtoull(argv[1], NULL, 0), argc > 2 ? strtoull(argv[2], NULL, 0) : (u64)time(NULL));
}

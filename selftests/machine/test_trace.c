// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stream of a VM's exits: trace, trace_raw and filter of debugfs, and the rule that stops a vCPU (docs/tracing.md).
 *
 * test_trace N creates N VMs in the case many_vms (default 300; `make test` takes that, 10000 is the figure of the issue).
 */
#include <fcntl.h>
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/trace.h"

#define BUFFER 4096 /* entries of a reader's buffer */

static unsigned int vms = 300;
static struct vtx_trace_entry entries[2 * BUFFER];

static int open_raw(struct vm *vm)
{
	return (int)CHECK_OK(trace_open(vm, "trace_raw", O_RDONLY | O_NONBLOCK));
}

/* ------------------------------------------------------------------ what is in it */

/* Every exit of the guest's program, in order, with its fields. */
static void exact_sequence(void)
{
	struct vcpu *v = known_guest(0, 20);
	int fd = open_raw(v->vm);
	size_t n;

	known_finish(v);
	n = trace_entries(fd, entries, ARRAY_SIZE(entries));
	for (size_t i = 0; i < n; i++) {
		EXPECT_EQ(entries[i].vcpu_id, 0, "the vCPU");
		EXPECT_EQ(entries[i].lost, 0, "lost");
		EXPECT_EQ(entries[i].record.seq, i, "the record's number");
		EXPECT(!i || entries[i].record.tsc > entries[i - 1].record.tsc, "time goes backwards");
	}
	n = known_only(entries, n);
	CHECK_EQ(n, 80, "exits of the program");
	for (size_t i = 0; i < n; i++) {
		const struct vtx_record *record = &entries[i].record;
		const struct known_step *step = &known_step[i % 4];

		CHECK_EQ(record->reason, step->reason, "the reason");
		CHECK_EQ(record->rip, (uintptr_t)step->rip, "RIP");
		CHECK_EQ(record->info, step->info, "info");
		CHECK_EQ(record->by, step->by, "by");
		CHECK_EQ(record->cs, SEL_CODE64, "CS");
		CHECK_EQ(record->flags, 0, "flags");
		CHECK(record->ticks > 0 && record->ticks != ~0u, "ticks");
	}
}

/* The text says the same as the binary form, after a header; both are read in pieces. */
static void text_is_binary(void)
{
	static const char header[] = "# vcpu number tsc reason rip cs info gpa gla injected vectoring ticks by\n";
	struct vcpu *v = known_guest(0, 30);
	int raw = open_raw(v->vm), text = (int)CHECK_OK(trace_open(v->vm, "trace", O_RDONLY | O_NONBLOCK));
	static char all[1 << 20];
	size_t n, len = 0;
	ssize_t got;
	char *line;

	known_finish(v);
	for (size_t step = 1; (got = read(text, all + len, step)) > 0; step = step % 97 + 1)
		len += (size_t)got;
	EXPECT_EQ(errno, EAGAIN, "errno at the end");
	for (n = 0; (got = read(raw, (u8 *)entries + n, 7)) > 0;)
		n += (size_t)got;
	CHECK_EQ(n % sizeof(entries[0]), 0, "bytes of a part of an entry");
	n /= sizeof(entries[0]);
	CHECK(!strncmp(all, header, strlen(header)), "no header: %.80s", all);
	line = all + strlen(header);
	for (size_t i = 0; i < n; i++) {
		unsigned long long number, tsc, rip, info;
		unsigned int vcpu, cs;
		char name[64];
		int used = sscanf(line, "%u %llu %llu %63s %llx %x %llx", &vcpu, &number, &tsc, name, &rip, &cs, &info);

		CHECK(used == 7, "line '%.*s'", (int)strcspn(line, "\n"), line);
		EXPECT(number == i && tsc == entries[i].record.tsc && rip == entries[i].record.rip && cs == entries[i].record.cs &&
		       info == entries[i].record.info, "line '%.*s' is not record %zu", (int)strcspn(line, "\n"), line, i);
		line += strcspn(line, "\n") + 1;
	}
	EXPECT_EQ(line - all, len, "length of the text");
	EXPECT(strstr(all, "CPUID") && strstr(all, " user\n") && strstr(all, " fast\n"), "names are missing");
}

GUEST static void touch_guest(u64 pages)
{
	for (u64 i = 0; i < pages; i++)
		*(volatile u8 *)(GUEST_FREE + i * 4096 + 0x123) = 1;
	g_done(0);
}

/* EPT violations have addresses, and a filter can ask for them. */
static void addresses(void)
{
	struct vcpu *v = guest_new(VM_SHARED, touch_guest, 16);
	int fd = open_raw(v->vm);
	char filter[80];
	size_t n;

	snprintf(filter, sizeof(filter), "show gpa=%#x-%#x\n", GUEST_FREE + 4096, GUEST_FREE + 4 * 4096 - 1);
	filter_set(v->vm, filter);
	vm_zap(v->vm, GUEST_FREE, 16 * 4096);
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	n = trace_entries(fd, entries, ARRAY_SIZE(entries));
	CHECK(n >= 1 && n <= 3, "%zu exits", n);
	for (size_t i = 0; i < n; i++) {
		EXPECT_EQ(entries[i].record.reason, REASON_EPT_VIOLATION, "the reason");
		EXPECT_EQ(entries[i].record.flags, VTX_RECORD_GPA | VTX_RECORD_GLA, "flags");
		EXPECT_EQ(entries[i].record.gpa & 0xfff, 0x123, "the address in the page");
		EXPECT_EQ(entries[i].record.gla, entries[i].record.gpa, "the linear address");
	}
}

/* ------------------------------------------------------------------ filters */

/* How many exits of each kind a filter shows of 10 rounds; a %lx is the address of RDMSR. */
static const struct {
	const char *filter;
	u32 shown[4];	/* CPUID, RDMSR, OUT, VMCALL */
} rows[] = {
	{ "", { 10, 10, 10, 10 } },
	{ "show", { 10, 10, 10, 10 } },
	{ "# nothing but a comment", { 10, 10, 10, 10 } },
	{ "show reason=CPUID", { 10, 0, 0, 0 } },
	{ "show reason=CPUID,VMCALL\n", { 10, 0, 0, 10 } },
	{ "show reason=CPUID\nshow reason=MSR_READ", { 10, 10, 0, 0 } },
	{ "show not reason=CPUID", { 0, 10, 10, 10 } },
	{ "show reason=REASON_18", { 0, 0, 0, 10 } },
	{ "show reason=NOTIFY", { 0, 0, 0, 0 } },
	{ "show vcpu=0", { 10, 10, 10, 10 } },
	{ "show vcpu=1-254", { 0, 0, 0, 0 } },
	{ "show rip=%#lx", { 0, 10, 0, 0 } },
	{ "show not rip=%#lx", { 10, 0, 10, 10 } },
	{ "show rip=0-%#lx", { 10, 10, 0, 0 } },
	{ "show port=0x80", { 0, 0, 10, 0 } },
	{ "show port=0-0x7f,0x81-0xffff", { 0, 0, 0, 0 } },
	{ "show not port=128", { 10, 10, 0, 10 } },
	{ "show msr=0x1a0", { 0, 10, 0, 0 } },
	{ "show msr=0x100-0x19f", { 0, 0, 0, 0 } },
	{ "show gpa=0-0xffffffffffffffff", { 0, 0, 0, 0 } },
	{ "show port=0x80;show msr=0x1a0;show reason=HLT", { 0, 10, 10, 0 } },
	{ "show port=0x80 vcpu=1", { 0, 0, 0, 0 } },
	{ "show port=0x80 not vcpu=1", { 0, 0, 10, 0 } },
};

static void filters(void)
{
	struct vcpu *v = known_guest(0, 10);
	int fd = open_raw(v->vm);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char filter[128];
		u32 shown[4] = { 0 };
		size_t n;
		int len;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
		len = snprintf(filter, sizeof(filter), rows[i].filter, (unsigned long)known_step[1].rip);
#pragma GCC diagnostic pop
		/* Nothing can be written that is empty: a blank has the same meaning. */
		filter_set(v->vm, len ? filter : " ");
		known_again(v, 10);
		trace_drain(fd);
		known_finish(v);
		n = known_only(entries, trace_entries(fd, entries, ARRAY_SIZE(entries)));
		for (size_t k = 0; k < n; k++)
			for (int s = 0; s < 4; s++)
				shown[s] += entries[k].record.reason == known_step[s].reason;
		EXPECT(!memcmp(shown, rows[i].shown, sizeof(shown)), "'%s' shows %u %u %u %u", filter, shown[0], shown[1], shown[2],
		       shown[3]);
	}
}

/* A refused filter leaves the old one in force and says why; what can be read can be written. */
static void refused_filters(void)
{
	static const struct {
		const char *text, *sentence;
		size_t len;	/* 0: strlen() */
		int error;
	} bad[] = {
		{ "show reason=CPUDI",
		  "line 1, column 13: 'CPUDI' is no exit reason; expected a name as in the file exits, REASON_<number> or OTHER", 0, EINVAL },
		{ "show\nshow port=0x30-0x20\n", "line 2, column 11: '0x30-0x20' is reversed: expected the smaller number first", 0, EINVAL },
		{ "show vcpu=255", "line 1, column 11: '255' is too large: a vCPU's number is at most 254", 0, EINVAL },
		{ "0", "line 1, column 1: '0' begins no rule; expected show or stop", 0, EINVAL },
		{ "show\0\0", "line 1, column 1: 'show?" "?' begins no rule; expected show or stop", 6, EINVAL },
		{ "\0", "line 1, column 1: '?' begins no rule; expected show or stop", 1, EINVAL },
		{ "show;show;show;show;show;show;show;show;show;show;show;show;show;show;show;show;show",
		  "line 1, column 81: 'show' begins a rule too many: a filter has at most 16", 0, E2BIG },
	};
	static char megabyte[1 << 20], expected[512];
	struct vcpu *v = known_guest(0, 1);
	int fd = open_raw(v->vm);

	filter_is(v->vm, "");
	filter_set(v->vm, "stop vcpu=7;show port=128 # only these");
	filter_is(v->vm, "stop vcpu=7\nshow port=0x80\n");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_ERRNO(filter_write(v->vm, bad[i].text, bad[i].len ? bad[i].len : strlen(bad[i].text)), bad[i].error);
		snprintf(expected, sizeof(expected), "stop vcpu=7\nshow port=0x80\n# error: %s\n", bad[i].sentence);
		filter_is(v->vm, expected);
	}
	memset(megabyte, 'A', sizeof(megabyte));
	EXPECT_ERRNO(filter_write(v->vm, megabyte, sizeof(megabyte)), E2BIG);
	filter_is(v->vm, "stop vcpu=7\nshow port=0x80\n# error: a text of 1048576 bytes is too long: at most 65536\n");
	EXPECT_ERRNO(filter_write(v->vm, megabyte, 65536), EINVAL);
	memset(megabyte, 0xff, sizeof(megabyte));
	EXPECT_ERRNO(filter_write(v->vm, megabyte, 65536), EINVAL);
	EXPECT_ERRNO(filter_write(v->vm, (const char *)16, 5), EFAULT);
	EXPECT_EQ(filter_write(v->vm, "", 0), 0, "a write of nothing");
	known_finish(v);
	EXPECT_EQ(trace_entries(fd, entries, ARRAY_SIZE(entries)), 1, "what the old filter shows");
	/* Read and written back, the error included, which is a comment and then no more. */
	{
		char *now = trace_read(v->vm, "filter");

		CHECK(strstr(now, "# error: line 1, column 1: '????"), "filter is '%s'", now);
		filter_set(v->vm, now);
		free(now);
	}
	filter_is(v->vm, "stop vcpu=7\nshow port=0x80\n");
	filter_set(v->vm, "\n");
	filter_is(v->vm, "");
	fd = trace_open(v->vm, "trace", O_RDWR);
	EXPECT(fd < 0 || write(fd, "x", 1) < 0, "trace can be written");
}

/* ------------------------------------------------------------------ stop */

static void expect_stop(struct vcpu *v, u64 pc)
{
	vcpu_expect(v, KVM_EXIT_DEBUG);
	EXPECT_EQ(v->run->debug.arch.exception, VTX_DEBUG_TRACE_STOP, "exception");
	EXPECT_EQ(v->run->debug.arch.pc, pc, "pc");
	EXPECT_EQ(v->run->debug.arch.dr6, 0, "dr6");
	EXPECT_EQ(v->run->debug.arch.dr7, 0, "dr7");
	EXPECT_EQ(vcpu_regs(v).rip, pc, "RIP");
}

static u64 behind(int step)
{
	return (uintptr_t)known_step[step].rip + known_step[step].len;
}

/* After the exit was handled, before the next; once for each; without any reader. */
static void stops(void)
{
	struct vcpu *v = known_guest(0, 5);

	filter_set(v->vm, "stop reason=CPUID");
	for (int i = 0; i < 5; i++) {
		struct kvm_cpuid_entry2 *leaf = cpuid_find(cpuid_supported(), 7, 0);

		expect_stop(v, behind(0));
		EXPECT_EQ(vcpu_regs(v).rbx, leaf->ebx, "RBX, CPUID's answer");
		vcpu_expect(v, KVM_EXIT_IO);
	}
	known_finish(v);
	/* What user space answers is stopped after the answer. */
	filter_set(v->vm, "stop port=0x80\nstop msr=0x1a0");
	known_again(v, 3);
	for (int i = 0; i < 3; i++) {
		expect_stop(v, behind(1));
		vcpu_expect(v, KVM_EXIT_IO);
		EXPECT_EQ(v->run->io.port, 0x80, "the port");
		expect_stop(v, behind(2));
	}
	vcpu_expect(v, KVM_EXIT_IO);
	EXPECT_EQ(v->run->io.port, PORT_DONE, "the port");
	filter_set(v->vm, " ");
	known_again(v, 3);
	known_finish(v);
	/* A stop that is due when its rule goes still comes. */
	filter_set(v->vm, "stop port=0x80");
	known_again(v, 3);
	vcpu_expect(v, KVM_EXIT_IO);
	filter_set(v->vm, " ");
	expect_stop(v, behind(2));
	known_finish(v);
}

/* All of them: the guest still gets to its end, in steps. */
static void stops_at_all(void)
{
	struct vcpu *v = known_guest(0, 50);
	u32 stops = 0, outs = 0;

	filter_set(v->vm, "stop");
	for (;;) {
		vcpu_run(v);
		if (v->run->exit_reason == KVM_EXIT_DEBUG) {
			stops++;
			continue;
		}
		CHECK_EQ(v->run->exit_reason, KVM_EXIT_IO, "the exit");
		if (v->run->io.port == PORT_DONE)
			break;
		outs++;
	}
	EXPECT_EQ(outs, 50, "OUTs");
	EXPECT(stops >= 200, "%u stops", stops);
}

static u8 waking;

GUEST static void wake_up(struct g_frame *frame)
{
	(void)frame;
	waking = 1;
	g_apic_write(APIC_EOI, 0);
}

GUEST static void halt_guest(u64 times)
{
	g_handler[0x40] = wake_up;
	g_apic_on();
	for (u64 i = 0; i < times; i++) {
		g_apic_write(APIC_ICR, 0x44040); /* to itself, vector 40h */
		g_sti_hlt();
		g_cli();
	}
	g_done(0);
}

/* HLT in the kernel stops when the vCPU is awake again; the slow path otherwise. */
static void stops_slow(void)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, halt_guest, 4);

	filter_set(v->vm, "stop reason=HLT");
	for (int i = 0; i < 4; i++)
		vcpu_expect(v, KVM_EXIT_DEBUG);
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	vm_free(v->vm);
	vcpu_free(v);

	v = guest_new(VM_SHARED, touch_guest, 3);
	vm_zap(v->vm, GUEST_FREE, 3 * 4096);
	filter_set(v->vm, "stop gpa=0x1000000-0x1000fff");
	vcpu_expect(v, KVM_EXIT_DEBUG);
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

/* ------------------------------------------------------------------ waiting */

static short poll_now(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	CHECK_OK(poll(&p, 1, 0));
	return p.revents;
}

struct sleeper {
	pthread_t thread;
	int fd, tid;
	bool polls;
	ssize_t got;
	int error;
	short events;
	char buffer[8192];
};

static void *sleep_on(void *arg)
{
	struct sleeper *s = arg;
	struct pollfd p = { .fd = s->fd, .events = POLLIN };

	__atomic_store_n(&s->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	if (s->polls)
		s->got = poll(&p, 1, -1);
	else
		s->got = read(s->fd, s->buffer, sizeof(s->buffer));
	s->error = errno;
	s->events = p.revents;
	return NULL;
}

/* Until the thread sleeps in the kernel. */
static void wait_asleep(int tid)
{
	char path[64], stat[128];

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	for (;;) {
		int fd = open(path, O_RDONLY);
		ssize_t n = read(fd, stat, sizeof(stat) - 1);
		char *end;

		close(fd);
		stat[n > 0 ? n : 0] = 0;
		end = strrchr(stat, ')');
		if (end && end[1] == ' ' && end[2] == 'S')
			return;
		usleep(1000);
	}
}

static void start_sleeper(struct sleeper *s, int fd, bool polls)
{
	memset(s, 0, sizeof(*s));
	s->fd = fd;
	s->polls = polls;
	CHECK(!pthread_create(&s->thread, NULL, sleep_on, s), "pthread_create");
	while (!__atomic_load_n(&s->tid, __ATOMIC_ACQUIRE))
		usleep(1000);
	wait_asleep(s->tid);
}

static void waking_up(void)
{
	static struct sleeper reader, poller;
	struct vcpu *v = known_guest(0, 3);
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int fd = open_raw(v->vm), ep = (int)CHECK_OK(epoll_create1(0)), blocking;
	void *nowhere = mmap(NULL, PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char byte;

	filter_set(v->vm, "show reason=CPUID");
	EXPECT_EQ(poll_now(fd), 0, "poll of an empty stream");
	EXPECT_ERRNO(read(fd, &byte, 1), EAGAIN);
	EXPECT_EQ(read(fd, &byte, 0), 0, "a read of nothing");
	EXPECT_ERRNO(lseek(fd, 0, SEEK_SET), ESPIPE);
	EXPECT_ERRNO(pread(fd, &byte, 1, 0), ESPIPE);
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
	EXPECT_EQ(epoll_wait(ep, &event, 1, 0), 0, "epoll of an empty stream");
	blocking = (int)CHECK_OK(trace_open(v->vm, "trace_raw", O_RDONLY));
	start_sleeper(&reader, blocking, false);
	start_sleeper(&poller, fd, true);
	known_finish(v);
	CHECK(!pthread_join(reader.thread, NULL), "pthread_join");
	CHECK(!pthread_join(poller.thread, NULL), "pthread_join");
	EXPECT(reader.got >= (ssize_t)sizeof(entries[0]) && reader.got % (ssize_t)sizeof(entries[0]) == 0, "read %zd", reader.got);
	EXPECT(poller.got == 1 && poller.events == POLLIN, "poll %zd, events %#x", poller.got, poller.events);
	EXPECT_EQ(epoll_wait(ep, &event, 1, 0), 1, "epoll");
	EXPECT_EQ(epoll_wait(ep, &event, 1, 0), 0, "epoll once more");
	EXPECT_EQ(poll_now(fd), POLLIN, "poll");
	EXPECT_EQ(trace_entries(fd, entries, 16), 3, "entries");
	EXPECT_EQ(poll_now(fd), 0, "poll of what has been read");
	/* The text begins with a line that is there at once. */
	blocking = (int)CHECK_OK(trace_open(v->vm, "trace", O_RDONLY));
	EXPECT_EQ(poll_now(blocking), POLLIN, "poll of the header");
	EXPECT(read(blocking, reader.buffer, sizeof(reader.buffer)) > 0 && reader.buffer[0] == '#', "no header");
	EXPECT_EQ(poll_now(blocking), 0, "poll after the header");
	EXPECT_ERRNO(read(fd, nowhere, 100), EAGAIN);
	known_again(v, 1);
	known_finish(v);
	EXPECT_ERRNO(read(fd, nowhere, 100), EFAULT);
	EXPECT_EQ(trace_entries(fd, entries, 16), 1, "what could not be copied is still there");
}

/* A signal ends the waiting. */
static void interrupted(void)
{
	static struct sleeper reader;
	struct vcpu *v = known_guest(0, 3);

	quiet_signal();
	start_sleeper(&reader, (int)CHECK_OK(trace_open(v->vm, "trace_raw", O_RDONLY)), false);
	pthread_kill(reader.thread, SIGUSR1);
	CHECK(!pthread_join(reader.thread, NULL), "pthread_join");
	EXPECT(reader.got == -1 && reader.error == EINTR, "read %zd, errno %d", reader.got, reader.error);
	known_finish(v);
}

/* ------------------------------------------------------------------ losing */

static void run_rounds(struct vcpu *v, u64 rounds)
{
	known_again(v, rounds);
	known_finish(v);
}

/* A reader that is too slow loses the newest ones, and is told how many, by whom and where. */
static void losing(void)
{
	struct vcpu *v = known_guest(0, 1);
	int slow = open_raw(v->vm), text = (int)CHECK_OK(trace_open(v->vm, "trace", O_RDONLY | O_NONBLOCK)), late;
	static char all[1 << 20];
	size_t n;
	ssize_t got;

	filter_set(v->vm, "show reason=CPUID");
	run_rounds(v, BUFFER + 904);
	late = open_raw(v->vm);
	/* Ten places: the next ten records, of which the first tells. */
	EXPECT_EQ(trace_entries(slow, entries, 10), 10, "entries");
	run_rounds(v, 15);
	EXPECT_EQ(trace_entries(late, entries, 100), 15, "entries of the second reader");
	EXPECT_EQ(entries[0].lost, 0, "lost by the second reader");
	n = trace_entries(slow, entries, ARRAY_SIZE(entries));
	CHECK_EQ(n, BUFFER + 1, "entries");
	for (size_t i = 0; i < n; i++) {
		u32 lost = i == BUFFER - 10 ? 904 : i == BUFFER ? 5 : 0;

		EXPECT_EQ(entries[i].lost, lost, "lost");
		EXPECT_EQ(entries[i].vcpu_id, 0, "the vCPU");
		EXPECT_EQ(entries[i].record.by == VTX_BY_NONE, i == BUFFER, "no record");
	}
	EXPECT_EQ(entries[BUFFER].record.tsc | entries[BUFFER].record.reason | entries[BUFFER].record.rip, 0, "the rest of no record");
	EXPECT_EQ(poll_now(slow), 0, "poll after everything has been read");
	run_rounds(v, 1);
	EXPECT_EQ(trace_entries(slow, entries, ARRAY_SIZE(entries)), 1, "entries");
	EXPECT_EQ(entries[0].lost, 0, "lost");
	/* In text. */
	for (n = 0; (got = read(text, all + n, sizeof(all) - n - 1)) > 0;)
		n += (size_t)got;
	EXPECT(n > 20 && !strcmp(all + n - 19, "\n# vcpu 0 lost 920\n"), "the text ends with '%s'", n > 60 ? all + n - 60 : all);
	run_rounds(v, 1);
	EXPECT(read(text, all, sizeof(all)) > 0 && all[0] == '0', "the text goes on with '%.40s'", all);
}

static void *run_twenty_times(void *vcpu)
{
	for (int i = 0; i < 20; i++) {
		known_again(vcpu, 50);
		known_finish(vcpu);
	}
	return NULL;
}

/* Two vCPUs at once, a reader that keeps up and a filter that changes: each vCPU's records are complete and in order. */
static void two_vcpus(void)
{
	struct vcpu *a = known_guest(0, 1), *b = vcpu_new(a->vm, 1);
	pthread_t threads[2];
	int fd = open_raw(a->vm), one = open_raw(a->vm);
	u32 next[2] = { 0, 0 };
	u64 counted[2] = { 0, 0 };
	size_t n;

	pthread_create(&threads[0], NULL, run_twenty_times, a);
	pthread_create(&threads[1], NULL, run_twenty_times, b);
	while (counted[0] < 4000 || counted[1] < 4000) {
		n = trace_entries(fd, entries, ARRAY_SIZE(entries));
		for (size_t i = 0; i < n; i++) {
			u32 id = entries[i].vcpu_id;

			CHECK(id < 2, "vCPU %u", id);
			next[id] += entries[i].lost;
			counted[id] += entries[i].lost; /* some of them are of other kinds: the loop ends early then, never late */
			if (entries[i].record.by == VTX_BY_NONE)
				continue;
			CHECK_EQ(entries[i].record.seq, next[id], "the record's number");
			next[id]++;
			counted[id] += known_reason(entries[i].record.reason) && entries[i].record.info >> 16 != PORT_DONE;
		}
		if (!n)
			usleep(1000);
	}
	CHECK(!pthread_join(threads[0], NULL) && !pthread_join(threads[1], NULL), "pthread_join");
	trace_drain(one);
	filter_set(a->vm, "show vcpu=1");
	run_rounds(a, 3);
	run_rounds(b, 2);
	n = known_only(entries, trace_entries(one, entries, ARRAY_SIZE(entries)));
	EXPECT_EQ(n, 8, "entries of vCPU 1");
	for (size_t i = 0; i < n; i++)
		EXPECT_EQ(entries[i].vcpu_id, 1, "the vCPU");
}

static void many_readers(void)
{
	struct vcpu *v = known_guest(0, 1);
	int fds[17];

	filter_set(v->vm, "show reason=CPUID");
	for (int i = 0; i < 16; i++)
		fds[i] = open_raw(v->vm);
	EXPECT_ERRNO(trace_open(v->vm, "trace", O_RDONLY), EBUSY);
	known_finish(v);
	for (int i = 0; i < 16; i++)
		EXPECT_EQ(trace_entries(fds[i], entries, 10), 1, "entries");
	close(fds[3]);
	fds[3] = open_raw(v->vm);
	known_again(v, 1);
	known_finish(v);
	for (int i = 15; i >= 0; i--) {
		EXPECT_EQ(trace_entries(fds[i], entries, 10), 1, "entries");
		close(fds[i]);
	}
}

/* ------------------------------------------------------------------ the end of the VM */

static void end(struct vcpu *v)
{
	vm_free(v->vm);
	vcpu_free(v);
}

/* A reader sleeps in read, another in poll, one has not read, the filter is open: the VM goes. */
static void vm_dies(void)
{
	static struct sleeper reader, poller;
	struct vcpu *v = known_guest(0, 2);
	int full = open_raw(v->vm), filter, fds[2];
	char path[128], text[64];

	filter_set(v->vm, "show reason=CPUID;stop reason=HLT");
	filter = (int)CHECK_OK(trace_open(v->vm, "filter", O_RDWR));
	trace_path(v->vm, "trace", path, sizeof(path));
	known_finish(v);
	for (int i = 0; i < 2; i++)
		fds[i] = (int)CHECK_OK(trace_open(v->vm, "trace_raw", O_RDONLY));
	start_sleeper(&reader, fds[0], false);
	start_sleeper(&poller, fds[1], true);
	EXPECT_EQ(poll_now(full), POLLIN, "poll");
	end(v);
	CHECK(!pthread_join(reader.thread, NULL) && !pthread_join(poller.thread, NULL), "pthread_join");
	EXPECT(reader.got == 0, "read %zd, errno %d", reader.got, reader.error);
	EXPECT(poller.got == 1 && poller.events == POLLHUP, "poll %zd, events %#x", poller.got, poller.events);
	EXPECT(access(path, F_OK), "%s is still there", path);
	/* What was in the buffer can be read, then the end. */
	EXPECT_EQ(poll_now(full), POLLIN | POLLHUP, "poll");
	EXPECT_EQ(trace_entries(full, entries, 100), 2, "entries");
	EXPECT_EQ(poll_now(full), POLLHUP, "poll");
	EXPECT_EQ(read(full, entries, sizeof(entries)), 0, "read at the end");
	EXPECT_EQ(read(fds[1], entries, sizeof(entries)), 0, "read at the end");
	EXPECT(write(filter, "show", 4) < 0 && (errno == EIO || errno == ENODEV), "filter of no VM: errno %d", errno);
	EXPECT_ERRNO(read(filter, text, sizeof(text)), EIO);
	close(filter);
	close(full);
	guest_passes(0, touch_guest, 1);
}

/* The VM's other files in the hands of a reader when it goes. */
static void other_files(void)
{
	static const char *const names[] = { "failure", "memory", "filter", "vcpu0/exits", "vcpu0/latency", "vcpu0/top",
					     "vcpu0/recorder", "vcpu0/recorder_raw" };
	int fds[ARRAY_SIZE(names)];
	struct vcpu *v = known_guest(0, 2);
	char byte[64];

	known_finish(v);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		fds[i] = (int)CHECK_OK(trace_open(v->vm, names[i], O_RDONLY));
		if (i & 1)
			(void)!read(fds[i], byte, 10);
	}
	end(v);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		EXPECT_ERRNO(read(fds[i], byte, sizeof(byte)), EIO);
		poll_now(fds[i]);
		close(fds[i]);
	}
}

/* Readers that close while their guest runs. */
static void reader_leaves(void)
{
	struct vcpu *v = known_guest(0, 1);
	pthread_t thread;

	filter_set(v->vm, "show not reason=IO_INSTRUCTION");
	CHECK(!pthread_create(&thread, NULL, run_twenty_times, v), "pthread_create");
	for (int i = 0; i < 30; i++) {
		int a = open_raw(v->vm), b = (int)CHECK_OK(trace_open(v->vm, "trace", O_RDONLY | O_NONBLOCK));

		filter_set(v->vm, i & 1 ? "show reason=CPUID" : " ");
		if (i & 2)
			trace_drain(b);
		close(a);
		close(b);
	}
	CHECK(!pthread_join(thread, NULL), "pthread_join");
}

static unsigned int folders(void)
{
	DIR *dir = opendir("/sys/kernel/debug/vtx");
	unsigned int n = 0;

	CHECK(dir, "/sys/kernel/debug/vtx");
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Many VMs of the same name, one after the other, some of them with a reader that outlives them. */
static void many_vms(void)
{
	unsigned int before = folders();
	char path[128], byte;
	int fd = dev_open(), reader = -1;

	test_timeout(4 + vms / 10);
	for (unsigned int i = 0; i < vms; i++) {
		int vm = (int)CHECK_OK(ioctl(fd, KVM_CREATE_VM, 0));

		if (i % 16 == 0) {
			EXPECT_EQ(folders(), before + 1, "folders");
			if (reader >= 0)
				EXPECT_EQ(read(reader, &byte, 1), 0, "read from a VM that is gone");
			close(reader);
			/* The VM has the same number as the one before: vm comes right after the reader's. */
			snprintf(path, sizeof(path), "/sys/kernel/debug/vtx/%d-%d/trace_raw", getpid(), vm);
			reader = (int)CHECK_OK(open(path, O_RDONLY));
		}
		close(vm);
	}
	close(reader);
	EXPECT_EQ(folders(), before, "folders at the end");
	note("%u VMs", vms);
}

/* ------------------------------------------------------------------ the widest accesses */

static u8 wide[8192] __attribute__((aligned(4096)));

GUEST static void wide_guest(u64 avx)
{
	u64 count = sizeof(wide), address = (u64)wide;

	asm volatile("rep outsb" : "+c"(count), "+S"(address) : "d"(0x500) : "memory");
	count = sizeof(wide) / 4;
	address = (u64)wide;
	asm volatile("rep insl" : "+c"(count), "+D"(address) : "d"(0x500) : "memory");
	for (u64 i = 0; i < 20; i++) {
		asm volatile("movdqu %%xmm0, (%0)\n\tmovdqu 5(%0), %%xmm1" : : "r"(GUEST_ABSENT + 0xff0) : "memory");
		asm volatile("mov %1, (%0)" : : "r"(GUEST_ABSENT + 0xffc), "r"(i) : "memory");
	}
	if (avx) {
		G_WRITE_CR(4, G_READ_CR(4) | 1 << 18);
		asm volatile("xsetbv" : : "a"(7), "d"(0), "c"(0));
		for (u64 i = 0; i < 20; i++)
			asm volatile("vmovdqu %%ymm0, (%0)\n\tvmovdqu 7(%0), %%ymm1" : : "r"(GUEST_ABSENT + 0xff8) : "memory");
	}
	g_done(0);
}

/* Streams and recorder while REP OUTS, REP INS and 32-byte accesses to devices run (CVE-2017-17741 is of this kind). */
static void wide_accesses(void)
{
	struct vcpu *v = guest_new(0, wide_guest, guest_has_avx());
	int raw = open_raw(v->vm), text = (int)CHECK_OK(trace_open(v->vm, "trace", O_RDONLY | O_NONBLOCK));
	u32 ports = 0, mmios = 0;
	size_t n;

	filter_set(v->vm, "show reason=IO_INSTRUCTION,EPT_VIOLATION,EPT_MISCONFIG");
	for (;;) {
		vcpu_run(v);
		if (v->run->exit_reason == KVM_EXIT_IO && v->run->io.port == PORT_DONE)
			break;
		if (v->run->exit_reason == KVM_EXIT_IO && v->run->io.direction == KVM_EXIT_IO_IN)
			memset((u8 *)v->run + v->run->io.data_offset, 0x5a, v->run->io.size * v->run->io.count);
		else if (v->run->exit_reason == KVM_EXIT_MMIO)
			CHECK(v->run->mmio.len <= 8, "MMIO of %u bytes", v->run->mmio.len);
		else
			CHECK_EQ(v->run->exit_reason, KVM_EXIT_IO, "the exit");
	}
	n = trace_entries(raw, entries, ARRAY_SIZE(entries));
	for (size_t i = 0; i < n; i++) {
		const struct vtx_record *record = &entries[i].record;

		ports += record->reason == REASON_IO && (record->info >> 16 & 0xffff) == 0x500;
		mmios += (record->flags & VTX_RECORD_GPA) && record->gpa >> 12 == GUEST_ABSENT >> 12;
	}
	EXPECT(ports >= 2, "%u port exits", ports);
	EXPECT(mmios >= 60, "%u MMIO exits", mmios);
	EXPECT(trace_drain(text) > n * 40, "the text is short");
}

static const struct test tests[] = {
	TEST(exact_sequence), TEST(text_is_binary), TEST(addresses), TEST(filters), TEST(refused_filters), TEST(stops),
	TEST(stops_at_all), TEST(stops_slow), TEST(waking_up), TEST(interrupted), TEST(losing), TEST(two_vcpus), TEST(many_readers),
	TEST(vm_dies), TEST(other_files), TEST(reader_leaves), TEST(many_vms), TEST(wide_accesses),
};

int main(int argc, char **argv)
{
	if (argc > 1 && atoi(argv[1]) > 0) {
		vms = (unsigned int)atoi(argv[1]);
		argv[1] = argv[0];
		argv++;
		argc--;
	}
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

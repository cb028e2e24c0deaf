// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trace events with KVM's names: exact counts and fields under the system vtx, and under kvm when the module serves as /dev/kvm
 * (never beside kvm.ko), in KVM's own format; /sys/kernel/debug/kvm; filters that make no sense; unloading while somebody
 * traces.
 *
 * `test_tracepoints guest [N]` just runs the guest whose exits are counted, N times in one VM, for tests of tracing tools.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/host.h"
#include "lib/module.h"
#include "lib/vm.h"

#define TRACING "/sys/kernel/tracing/"
#define PORT 0x80
#define MSR 0x1a0
#define ABSENT_MSR 0x12345

/* ------------------------------------------------------------------ the guest */

struct program {
	u64 cpuids, outs, rdmsrs, hlts, mmio;
};

/* Acceptance 2 of the tools: these numbers are in selftests/machine/tools/test_tools as well. */
static const struct program tools_program = { 1000, 500, 200, 100, 0 };
static struct program program;

GUEST static void run_program_guest(u64 arg)
{
	struct program p = program;
	u32 out[4];

	(void)arg;
	for (u64 i = 0; i < p.cpuids; i++)
		g_cpuid(0, 0, out);
	for (u64 i = 0; i < p.outs; i++)
		g_outb(PORT, (u8)i);
	for (u64 i = 0; i < p.rdmsrs; i++)
		g_rdmsr(MSR);
	for (u64 i = 0; i < p.hlts; i++)
		asm volatile("hlt" : : : "memory");
	for (u64 i = 0; i < p.mmio; i++)
		g_write32(GUEST_ABSENT + 8, 0xab00 + (u32)i);
	g_done(0);
}

/* Without a local APIC in the kernel each HLT comes to us. */
static void run_to_end(struct vcpu *v)
{
	for (;;) {
		vcpu_run(v);
		switch (v->run->exit_reason) {
		case KVM_EXIT_HLT:
		case KVM_EXIT_MMIO:
			continue;
		case KVM_EXIT_IO:
			if (v->run->io.port == PORT)
				continue;
			CHECK_EQ(v->run->io.port, PORT_DONE, "the port");
			return;
		default:
			vcpu_fail(v, "an exit that was not asked for");
		}
	}
}

/* A guest with these exits, run to its end. */
static struct vcpu *run_guest(const struct program *p)
{
	struct vcpu *v;

	program = *p;
	v = guest_new(0, run_program_guest, 0);
	run_to_end(v);
	return v;
}

/* The same in a process of its own, which leaves nothing open that would keep the module. */
static void run_and_leave(const struct program *p)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		run_guest(p);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && !status, "a guest: %#x", status);
}

/* ------------------------------------------------------------------ tracefs */

/* A file of tracefs that is opened to be truncated forgets what it holds. -1 and errno, or 0. */
static int write_anew(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC), saved;
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	saved = errno;
	close(fd);
	errno = saved;
	return n < 0 ? -1 : 0;
}

static const char *event_path(const char *system, const char *event, const char *file)
{
	static char path[512];

	snprintf(path, sizeof(path), TRACING "events/%s%s%s%s%s", system, event ? "/" : "", event ? event : "",
		 file ? "/" : "", file ? file : "");
	return path;
}

/* The whole file in a static buffer. */
static char *read_whole(const char *path)
{
	static char buffer[4 << 20];
	FILE *f = fopen(path, "r");
	size_t n;

	CHECK(f, "%s", path);
	n = fread(buffer, 1, sizeof(buffer) - 1, f);
	fclose(f);
	buffer[n] = '\0';
	return buffer;
}

static void trace_on(const char *system, const char *event)
{
	CHECK_OK(write_anew(TRACING "events/enable", "0"));
	CHECK_OK(write_anew(TRACING "buffer_size_kb", "4096"));
	CHECK_OK(write_anew(TRACING "trace", ""));
	CHECK_OK(write_anew(event_path(system, event, "enable"), "1"));
}

static void trace_off(void)
{
	CHECK_OK(write_anew(TRACING "events/enable", "0"));
}

/* Lines of the trace that hold both strings (the second may be NULL). */
static unsigned int lines_with(const char *a, const char *b)
{
	char *text = read_whole(TRACING "trace"), *line, *rest = NULL;
	unsigned int n = 0;

	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		n += strstr(line, a) && (!b || strstr(line, b));
	return n;
}

/* ------------------------------------------------------------------ cases */

static const char *const devnames[] = { "vtx", "kvm" };

/* What a process had open may be let go a moment after its end. */
static void unload(void)
{
	for (int i = 0; i < 200 && module_unload("vtx"); i++) {
		CHECK_EQ(errno, EWOULDBLOCK, "errno of the unloading");
		usleep(1000);
	}
	CHECK(!module_loaded("vtx"), "vtx is still there");
}

static void load_as(const char *name)
{
	char params[32];

	if (!module_file())
		skip("no vtx.ko here");
	if (module_loaded("kvm"))
		skip("kvm.ko is there");
	if (module_loaded("vtx"))
		unload();
	snprintf(params, sizeof(params), "devname=%s", name);
	CHECK_OK(module_load(module_file(), params));
	snprintf(params, sizeof(params), "/dev/%s", name);
	for (int i = 0; i < 100 && access(params, F_OK); i++)
		usleep(1000);
	setenv("VTX_DEV", params, 1);
}

/* Every case leaves vtx as it was loaded before the program. */
static void restore(void)
{
	load_as("vtx");
}

static void check_counts(void)
{
	EXPECT_EQ(lines_with("kvm_exit:", "reason CPUID "), 50, "exits for CPUID");
	EXPECT_EQ(lines_with("kvm_exit:", "reason IO_INSTRUCTION "), 41, "exits for OUT");
	EXPECT_EQ(lines_with("kvm_exit:", "reason MSR_READ "), 30, "exits for RDMSR");
	EXPECT_EQ(lines_with("kvm_exit:", "reason HLT "), 20, "exits for HLT");
	EXPECT_EQ(lines_with("kvm_cpuid:", "func 0 idx 0 rax"), 50, "kvm_cpuid");
	EXPECT_EQ(lines_with("kvm_cpuid:", "entry found"), 50, "kvm_cpuid, found");
	EXPECT_EQ(lines_with("kvm_pio:", "pio_write at 0x80 size 1 count 1 val 0x"), 40, "kvm_pio");
	EXPECT_EQ(lines_with("kvm_pio:", "at 0x80 size 1 count 1 val 0x27"), 1, "kvm_pio with the last value");
	EXPECT_EQ(lines_with("kvm_msr:", "msr_read 1a0 = 0x"), 30, "kvm_msr");
	EXPECT_EQ(lines_with("kvm_mmio:", "mmio write len 4 gpa 0xd0000008 val 0xab0"), 10, "kvm_mmio");
	EXPECT_EQ(lines_with("kvm_mmio:", "val 0xab09"), 1, "kvm_mmio with the last value");
	EXPECT_EQ(lines_with("kvm_userspace_exit:", "reason KVM_EXIT_IO (2)"), 41, "leaving for user space, I/O");
	EXPECT_EQ(lines_with("kvm_userspace_exit:", "reason KVM_EXIT_HLT (5)"), 20, "leaving for user space, HLT");
	EXPECT_EQ(lines_with("kvm_userspace_exit:", "reason KVM_EXIT_MMIO (6)"), 10, "leaving for user space, MMIO");
	EXPECT_EQ(lines_with("kvm_entry:", NULL), lines_with("kvm_exit:", NULL), "entries");
	EXPECT_EQ(lines_with("kvm_fpu: load", NULL), lines_with("kvm_fpu: unload", NULL), "FPU loads");
	EXPECT_EQ(lines_with("kvm_exit:", "vcpu 0 reason EPT_VIOLATION"), lines_with("kvm_page_fault:", "vcpu 0 rip"), "faults");
}

static const struct program counted = { 50, 40, 30, 20, 10 };

static void counts(void)
{
	restore();
	EXPECT(access(event_path("kvm", NULL, NULL), F_OK), "the system kvm, though vtx is called vtx");
	EXPECT(access("/sys/kernel/debug/kvm", F_OK), "/sys/kernel/debug/kvm, though vtx is called vtx");
	trace_on("vtx", NULL);
	run_and_leave(&counted);
	trace_off();
	check_counts();
}

/* Records carry the number of their vCPU. */
static void vcpu_number(void)
{
	struct vcpu *v;

	restore();
	program = counted;
	v = vcpu_new(vm_new(0), 5);
	vcpu_mode_long(v, run_program_guest, 0);
	trace_on("vtx", NULL);
	run_to_end(v);
	trace_off();
	EXPECT_EQ(lines_with("kvm_exit:", "vcpu 5 reason CPUID "), 50, "exits for CPUID");
	EXPECT_EQ(lines_with("kvm_exit:", "vcpu 5 "), lines_with("kvm_exit:", NULL), "exits");
	EXPECT_EQ(lines_with("kvm_entry:", "vcpu 5, "), lines_with("kvm_entry:", NULL), "entries");
	EXPECT_EQ(lines_with("kvm_page_fault:", "vcpu 5 rip"), lines_with("kvm_page_fault:", NULL), "faults");
}

static void as_kvm(void)
{
	load_as("kvm");
	trace_on("kvm", NULL);
	run_and_leave(&counted);
	trace_off();
	check_counts();
	/* Both systems at once: each has every record. */
	trace_on("kvm", "kvm_cpuid");
	CHECK_OK(write_anew(event_path("vtx", "kvm_cpuid", "enable"), "1"));
	run_and_leave(&counted);
	trace_off();
	EXPECT_EQ(lines_with("kvm_cpuid:", NULL), 100, "kvm_cpuid of both systems");
	restore();
	EXPECT(access(event_path("kvm", NULL, NULL), F_OK), "the system kvm outlived the module");
}

/* ---------------- more events, each with what makes it */

GUEST static void nop_handler(struct g_frame *f)
{
	(void)f;
	g_apic_write(APIC_EOI, 0);
}

GUEST static void interrupts_guest(u64 arg)
{
	u32 out[4];

	(void)arg;
	g_apic_on();
	g_handler[0x41] = nop_handler;
	g_apic_write(APIC_ICR, 0x44041);	/* to itself, fixed, 0x41 */
	g_sti();
	g_pause();
	g_cli();
	G_CHECK_EQ(G_TRY("rdmsr", : : "c"(ABSENT_MSR) : "rax", "rdx"), 13);
	asm volatile("vmcall" : : "a"(0x77), "b"(1), "c"(2), "d"(3), "S"(4) : "memory");
	g_cpuid(0x3fffffff, 0, out);
	asm volatile("lock addl $1, (%0)" : : "a"(GUEST_ABSENT + 0x10) : "memory", "cc");	/* through the emulator */
	g_say(1);	/* the test raises line 4 of the PIC and sends an MSI */
	g_done(0);
}

static void more_events(void)
{
	struct kvm_irq_level line = { .irq = 4, .level = 1 };
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0x41 };
	struct vcpu *v;

	restore();
	v = guest_new(VM_IRQCHIP, interrupts_guest, 0);
	trace_on("vtx", NULL);
	for (;;) {
		vcpu_run(v);
		if (v->run->exit_reason == KVM_EXIT_MMIO) {
			memset(v->run->mmio.data, 0, sizeof(v->run->mmio.data));
			continue;
		}
		if (v->run->exit_reason != KVM_EXIT_IO || v->run->io.port == PORT_DONE)
			break;
		CHECK_EQ(v->run->io.port, PORT_SAY, "the port");
		CHECK_OK(ioctl(v->vm->fd, KVM_IRQ_LINE, &line));
		CHECK_OK(ioctl(v->vm->fd, KVM_SIGNAL_MSI, &msi));
	}
	CHECK_EQ(v->run->exit_reason, KVM_EXIT_IO, "the exit");
	/* Memory is taken away, and the notifier says so. */
	CHECK_OK(madvise(v->vm->mem + GUEST_FREE, 4096, MADV_DONTNEED));
	CHECK_EQ(vcpu_set_msr(v, 0x10, 12345), 1, "KVM_SET_MSRS of the TSC");
	trace_off();

	EXPECT_EQ(lines_with("kvm_apic:", "apic_write APIC_SPIV = 0x1ff"), 1, "kvm_apic");
	EXPECT_EQ(lines_with("kvm_apic_ipi:", "vec 65 (Fixed|physical|assert|edge|self)"), 1, "kvm_apic_ipi");
	EXPECT_EQ(lines_with("kvm_apic_accept_irq:", "apicid 0 vec 65 (Fixed|edge)"), 2, "kvm_apic_accept_irq");
	EXPECT_EQ(lines_with("kvm_inj_virq:", "IRQ 0x41") - lines_with("kvm_inj_virq:", "[reinjected]"), 1, "kvm_inj_virq");
	EXPECT_EQ(lines_with("kvm_eoi:", "apicid 0 vector 65"), 1, "kvm_eoi");
	EXPECT_EQ(lines_with("kvm_msr:", "msr_read 12345 = 0x0 (#GP)"), 1, "kvm_msr refused");
	EXPECT_EQ(lines_with("kvm_inj_exception:", "#GP (0x0)"), 1, "kvm_inj_exception");
	EXPECT_EQ(lines_with("kvm_hypercall:", "nr 0x77 a0 0x1 a1 0x2 a2 0x3 a3 0x4"), 1, "kvm_hypercall");
	EXPECT_EQ(lines_with("kvm_cpuid:", "func 3fffffff"), 1, "kvm_cpuid out of range");
	EXPECT_EQ(lines_with("kvm_cpuid:", "not found, used max basic"), 1, "kvm_cpuid out of range, its answer");
	EXPECT_EQ(lines_with("kvm_emulate_insn:", "f0 83 00 01 (prot64)"), 1, "kvm_emulate_insn");
	EXPECT_EQ(lines_with("kvm_mmio:", "mmio unsatisfied-read len 4 gpa 0xd0000010"), 1, "kvm_mmio, asked");
	EXPECT_EQ(lines_with("kvm_mmio:", "mmio read len 4 gpa 0xd0000010 val 0x0"), 1, "kvm_mmio, answered");
	EXPECT_EQ(lines_with("kvm_mmio:", "mmio write len 4 gpa 0xd0000010 val 0x1"), 1, "kvm_mmio, written");
	EXPECT_EQ(lines_with("kvm_set_irq:", "gsi 4 level 1 source 0"), 1, "kvm_set_irq");
	EXPECT_EQ(lines_with("kvm_pic_set_irq:", "chip 0 pin 4 (edge"), 1, "kvm_pic_set_irq");
	EXPECT_EQ(lines_with("kvm_ioapic_set_irq:", "pin 4 dst 0 vec 0 (Fixed|physical|edge|masked)"), 1, "kvm_ioapic_set_irq");
	EXPECT_EQ(lines_with("kvm_msi_set_irq:", "dst 0 vec 65 (Fixed|physical|edge)"), 1, "kvm_msi_set_irq");
	EXPECT(lines_with("kvm_unmap_hva_range:", NULL) >= 1, "kvm_unmap_hva_range");
	EXPECT_EQ(lines_with("kvm_write_tsc_offset:", "vcpu=0"), 1, "kvm_write_tsc_offset");
}

/* ---------------- KVM's format */

static char reference[64][4096], reference_name[64][64];
static unsigned int references;

/* Of a format file: the lines of the fields, and the format string of the text. */
static void layout_of(const char *system, const char *event, char *out, size_t size)
{
	char *text = read_whole(event_path(system, event, "format")), *line, *rest = NULL, *quote;
	size_t used = 0;

	out[0] = '\0';
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		quote = !strncmp(line, "print fmt: \"", 12) ? strchr(line + 12, '"') : NULL;
		if (quote)
			quote[1] = '\0';
		if (strstr(line, "field:") || quote)
			used += (size_t)snprintf(out + used, size - used, "%s\n", line);
		CHECK(used < size, "a long format");
	}
}

/* Calls @fn for every event of a system. */
static void for_each_event(const char *system, void (*fn)(const char *event))
{
	DIR *dir = opendir(event_path(system, NULL, NULL));
	struct dirent *entry;

	CHECK(dir, "events/%s", system);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && !access(event_path(system, entry->d_name, "format"), F_OK))
			fn(entry->d_name);
	closedir(dir);
}

static void remember(const char *event)
{
	/* Of KVM's hundred, those that vtx has; there is room for these. */
	if (access(event_path("vtx", event, NULL), F_OK))
		return;
	CHECK(references < ARRAY_SIZE(reference), "too many events");
	snprintf(reference_name[references], sizeof(reference_name[0]), "%s", event);
	layout_of("kvm", event, reference[references++], sizeof(reference[0]));
}

static unsigned int compared;

static void compare(const char *event)
{
	static char mine[4096], twin[4096];

	layout_of("vtx", event, mine, sizeof(mine));
	layout_of("kvm", event, twin, sizeof(twin));
	EXPECT(!strcmp(mine, twin), "%s differs between vtx and kvm", event);
	compared++;
	for (unsigned int i = 0; i < references; i++) {
		if (strcmp(reference_name[i], event))
			continue;
		EXPECT(!strcmp(mine, reference[i]), "%s\nKVM has:\n%svtx has:\n%s", event, reference[i], mine);
		return;
	}
	EXPECT(0, "KVM has no event %s", event);
}

static void same_format(void)
{
	const char *const load[] = { "modprobe", "kvm_intel", NULL }, *const unload[] = { "rmmod", "kvm_intel", NULL };
	const char *const unload_kvm[] = { "rmmod", "kvm", NULL };

	restore();
	test_timeout(16);
	if (run_program(load))
		skip("kvm_intel cannot be loaded");
	for_each_event("kvm", remember);
	CHECK(!run_program(unload), "rmmod kvm_intel");
	run_program(unload_kvm);
	EXPECT(references > 25, "%u events of KVM's", references);
	load_as("kvm");
	for_each_event("vtx", compare);
	EXPECT_EQ(compared, references, "events compared");
	restore();
}

/* ---------------- beside kvm.ko */

static unsigned int events_of_kvm;

static void count_event(const char *event)
{
	(void)event;
	events_of_kvm++;
}

/* kvm.ko without kvm_intel has its events, but no device: vtx takes the device and leaves the events alone. */
static void beside_kvm(void)
{
	const char *const load[] = { "modprobe", "kvm", NULL }, *const unload_kvm[] = { "rmmod", "kvm", NULL };
	const char *const load_intel[] = { "modprobe", "kvm_intel", NULL };
	unsigned int before;

	restore();
	test_timeout(16);
	unload();
	if (run_program(load))
		skip("kvm.ko cannot be loaded");
	for_each_event("kvm", count_event);
	before = events_of_kvm;
	CHECK_OK(module_load(module_file(), "devname=kvm"));
	setenv("VTX_DEV", "/dev/kvm", 1);
	EXPECT(strstr(kernel_log(), "trace events are under the system vtx only"), "the log says nothing");
	trace_on("kvm", NULL);
	run_and_leave(&counted);
	trace_off();
	EXPECT_EQ(lines_with("kvm_exit:", NULL), 0, "KVM's events for vtx's exits");
	unload();
	events_of_kvm = 0;
	for_each_event("kvm", count_event);
	EXPECT_EQ(events_of_kvm, before, "KVM's events after vtx");
	CHECK(!run_program(unload_kvm), "rmmod kvm");

	/* The other way round kvm.ko is not let in, and vtx goes on. */
	load_as("kvm");
	EXPECT(run_program(load_intel), "kvm_intel beside vtx as /dev/kvm");
	EXPECT(!module_loaded("kvm"), "kvm.ko beside vtx as /dev/kvm");
	EXPECT(strstr(kernel_log(), "not letting the kvm module in"), "the log says nothing");
	trace_on("kvm", "kvm_exit");
	run_and_leave(&counted);
	trace_off();
	EXPECT_EQ(lines_with("kvm_exit:", "reason CPUID "), 50, "exits for CPUID");
	restore();
	EXPECT(!run_program(load_intel), "kvm_intel beside vtx as /dev/vtx");
	{
		const char *const unload_intel[] = { "rmmod", "kvm_intel", NULL };

		run_program(unload_intel);
		run_program(unload_kvm);
	}
}

/* ---------------- bad input, unloading */

static void bad_filters(void)
{
	const char *filter;

	restore();
	filter = event_path("vtx", "kvm_exit", "filter");
	EXPECT_ERRNO(write_anew(filter, "no_such_field == 1"), EINVAL);
	EXPECT_ERRNO(write_anew(filter, "exit_reason == "), EINVAL);
	EXPECT_ERRNO(write_anew(filter, "exit_reason == banana"), EINVAL);
	EXPECT(write_anew(filter, "((exit_reason == 1)") == -1, "a filter without its end"); /* the kernel's errno is odd here */
	EXPECT_ERRNO(write_anew(event_path("vtx", "kvm_exit", "enable"), "7"), EINVAL);
	EXPECT_ERRNO(write_anew(event_path("vtx", "kvm_no_such", "enable"), "1"), ENOENT);
	/* One that makes sense does what it says: only CPUID (10). */
	CHECK_OK(write_anew(event_path("vtx", "kvm_exit", "filter"), "exit_reason == 10 && vcpu_id == 0"));
	trace_on("vtx", "kvm_exit");
	run_and_leave(&counted);
	trace_off();
	EXPECT_EQ(lines_with("kvm_exit:", "reason CPUID "), 50, "filtered exits for CPUID");
	EXPECT_EQ(lines_with("kvm_exit:", NULL), 50, "filtered exits");
	CHECK_OK(write_anew(event_path("vtx", "kvm_exit", "filter"), "0"));
}

static int open_perf(const char *system, const char *event)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr) };

	attr.config = strtoull(read_whole(event_path(system, event, "id")), NULL, 0);
	return (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, 0);
}

static void perf_counts(const char *system)
{
	int fd = open_perf(system, "kvm_cpuid");
	u64 count = 0;

	CHECK(fd >= 0, "perf_event_open: %s", strerror(errno));
	on_cpu(0);
	run_and_leave(&counted);
	CHECK_EQ(read(fd, &count, sizeof(count)), sizeof(count), "perf's read");
	EXPECT(count >= 50, "perf counted %llu", (unsigned long long)count); /* all of processor 0 */
	close(fd);
}

/* Who has an event open keeps the module; who traces through tracefs does not, and loses the events with it. */
static void unload_while_tracing(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		const char *system = devnames[i];
		int fd;

		load_as(system);
		perf_counts(system);
		fd = open_perf(system, "kvm_exit");
		CHECK(fd >= 0, "perf_event_open: %s", strerror(errno));
		for (int n = 0; n < 3; n++)
			EXPECT_ERRNO(module_unload("vtx"), EWOULDBLOCK);
		close(fd);
		unload();
		load_as(system);
		trace_on(system, NULL);
		run_and_leave(&counted);
		unload();
		EXPECT(access(event_path(system, NULL, NULL), F_OK), "the system %s outlived the module", system);
		read_whole(TRACING "trace");
	}
	restore();
	/* The next one is as good as new. */
	counts();
}

/* ---------------- /sys/kernel/debug/kvm */

static u64 statistic(const char *folder, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%s/%s", folder, name);
	return strtoull(read_whole(path), NULL, 10);
}

static void kvm_debugfs(void)
{
	char folder[64], path[128];
	struct vcpu *a, *b;

	load_as("kvm");
	EXPECT_EQ(statistic("", "exits"), 0, "exits without a VM");
	a = run_guest(&counted);
	snprintf(folder, sizeof(folder), "%d-%d", getpid(), a->vm->fd);
	EXPECT_EQ(statistic(folder, "io_exits"), 41, "io_exits of the VM");
	EXPECT_EQ(statistic(folder, "halt_exits"), 20, "halt_exits of the VM");
	EXPECT(statistic(folder, "exits") >= 50 + 41 + 30 + 20 + 10, "exits of the VM");
	EXPECT(statistic(folder, "pf_taken") >= 10, "pf_taken of the VM");
	EXPECT(statistic(folder, "pages_4k") + statistic(folder, "pages_2m") > 0, "pages of the VM");
	EXPECT_EQ(statistic(folder, "hypercalls"), 0, "hypercalls of the VM");
	b = run_guest(&counted);
	EXPECT_EQ(statistic("", "io_exits"), 82, "io_exits of both");
	EXPECT_EQ(statistic("", "halt_exits"), 40, "halt_exits of both");
	/* There is nothing to write. */
	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%s/exits", folder);
	EXPECT(write_anew(path, "0") == -1, "exits was written");
	EXPECT_EQ(statistic(folder, "io_exits"), 41, "io_exits of the VM");
	vm_free(a->vm);
	vcpu_free(a);
	for (int i = 0; i < 100 && !access(path, F_OK); i++)
		usleep(1000);
	EXPECT(access(path, F_OK), "%s outlived its VM", path);
	EXPECT_EQ(statistic("", "io_exits"), 41, "io_exits of the one left");
	vm_free(b->vm);
	vcpu_free(b);
	close(dev_open());
	restore();
	EXPECT(access("/sys/kernel/debug/kvm", F_OK), "/sys/kernel/debug/kvm outlived the module");
}

static int guest_for_tools(unsigned long times)
{
	struct vcpu *v = run_guest(&tools_program);

	while (--times) {
		vcpu_mode_long(v, run_program_guest, 0);
		run_to_end(v);
	}
	return 0;
}

static const struct test tests[] = {
	TEST(counts), TEST(vcpu_number), TEST(as_kvm), TEST(more_events), TEST(same_format), TEST(beside_kvm), TEST(bad_filters),
	TEST(unload_while_tracing), TEST(kvm_debugfs),
};

int main(int argc, char **argv)
{
	if (argc >= 2 && !strcmp(argv[1], "guest"))
		return guest_for_tools(argc >= 3 ? strtoul(argv[2], NULL, 0) : 1);
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

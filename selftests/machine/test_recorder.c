// SPDX-License-Identifier: GPL-2.0-only
/*
 * The flight recorder: what is in it as text, as bytes and mapped, that nobody can write it, and how it ends (docs/tracing.md).
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/trace.h"

struct image {
	struct vtx_ring ring;
	u8 pad[4096 - sizeof(struct vtx_ring)];
	struct vtx_record records[VTX_RING_RECORDS];
};

static void *map_at(struct vcpu *v, size_t size, int prot, int flags, u64 offset)
{
	return mmap(NULL, size, prot, flags, v->fd, (off_t)offset);
}

static const struct image *map_ring(struct vcpu *v)
{
	void *ring = map_at(v, VTX_RING_SIZE, PROT_READ, MAP_SHARED, VTX_RING_MMAP_OFFSET);

	CHECK(ring != MAP_FAILED, "mmap of the recorder: %s", strerror(errno));
	return ring;
}

static struct image *read_raw(struct vm *vm)
{
	static struct image image;
	int fd = (int)CHECK_OK(trace_open(vm, "vcpu0/recorder_raw", O_RDONLY));
	size_t n = 0;
	ssize_t got;

	while ((got = read(fd, (u8 *)&image + n, sizeof(image) - n)) > 0)
		n += (size_t)got;
	close(fd);
	CHECK_EQ(n, VTX_RING_SIZE, "the size of recorder_raw");
	return &image;
}

static const struct vtx_record *record_at(const struct image *image, u64 number)
{
	return &image->records[number % VTX_RING_RECORDS];
}

/* ------------------------------------------------------------------ contents */

static void header(void)
{
	struct vcpu *v = known_guest(0, 1), *second = vcpu_new(v->vm, 5);
	const struct image *image = map_ring(v), *other = map_ring(second);

	EXPECT_EQ(dev_has(VTX_CAP_RECORDER), VTX_RING_RECORDS, "VTX_CAP_RECORDER");
	EXPECT_EQ(image->ring.magic, VTX_RING_MAGIC, "magic");
	EXPECT_EQ(image->ring.version, VTX_RING_VERSION, "version");
	EXPECT_EQ(image->ring.records, VTX_RING_RECORDS, "records");
	EXPECT_EQ(image->ring.record_size, sizeof(struct vtx_record), "record_size");
	EXPECT_EQ(image->ring.data_offset, offsetof(struct image, records), "data_offset");
	EXPECT_EQ(image->ring.head, 0, "head");
	EXPECT_EQ(image->ring.frozen, 0, "frozen");
	EXPECT_EQ(image->ring.vcpu_id, 0, "vcpu_id");
	EXPECT_EQ(other->ring.vcpu_id, 5, "vcpu_id of vCPU 5");
	EXPECT(image->ring.tsc_khz > 1000, "tsc_khz %u", image->ring.tsc_khz);
	known_finish(v);
	EXPECT(image->ring.head >= 5, "head %llu", image->ring.head);
	EXPECT_EQ(other->ring.head, 0, "head of vCPU 5");
}

/* The newest records are the end of the guest's program, more than once around the ring. */
static void the_program(void)
{
	struct vcpu *v = known_guest(0, 1000);
	const struct image *image = map_ring(v);
	u64 number, head, at = 4 * 1000;
	u32 checked = 0;

	known_finish(v);
	head = image->ring.head;
	CHECK(head > 4000, "head %llu", (unsigned long long)head);
	for (number = head; number-- > head - VTX_RING_RECORDS;) {
		const struct vtx_record *record = record_at(image, number);

		CHECK_EQ(record->seq, number, "seq");
		if (!known_reason(record->reason) || record->info >> 16 == PORT_DONE)
			continue;
		at--;
		CHECK_EQ(record->reason, known_step[at % 4].reason, "the reason");
		CHECK_EQ(record->rip, (uintptr_t)known_step[at % 4].rip, "RIP");
		CHECK_EQ(record->info, known_step[at % 4].info, "info");
		CHECK_EQ(record->by, known_step[at % 4].by, "by");
		checked++;
	}
	/* The rest is the host's interrupts. */
	EXPECT(checked > VTX_RING_RECORDS / 2, "only %u records are the program's", checked);
}

/* What is mapped, the binary file and the text agree. */
static void three_forms(void)
{
	struct vcpu *v = known_guest(0, 500);
	const struct image *mapped = map_ring(v), *raw;
	char *text, *line;
	u32 lines = 0;

	known_finish(v);
	raw = read_raw(v->vm);
	text = trace_read(v->vm, "vcpu0/recorder");
	CHECK(text, "recorder");
	EXPECT(!memcmp(&raw->ring, &mapped->ring, sizeof(raw->ring)), "the headers differ");
	line = strchr(text, '\n');
	CHECK(line && text[0] == '#', "no header line");
	/* The ring's oldest place may be in use by the next exit, so the copies have one record less. */
	for (u64 number = raw->ring.head - (VTX_RING_RECORDS - 1); number < raw->ring.head; number++) {
		const struct vtx_record *record = record_at(raw, number);
		unsigned long long n, tsc, rip, info;
		unsigned int vcpu, cs;
		char name[64];

		CHECK(!memcmp(record, record_at(mapped, number), sizeof(*record)), "record %llu differs", (unsigned long long)number);
		CHECK(sscanf(++line, "%u %llu %llu %63s %llx %x %llx", &vcpu, &n, &tsc, name, &rip, &cs, &info) == 7, "'%.80s'", line);
		CHECK(vcpu == 0 && n == number && tsc == record->tsc && rip == record->rip && cs == record->cs && info == record->info,
		      "line '%.80s' is not record %llu", line, (unsigned long long)number);
		line = strchr(line, '\n');
		CHECK(line, "no end of line");
		lines++;
	}
	EXPECT(!line[1], "more lines: '%.80s'", line + 1);
	EXPECT_EQ(lines, VTX_RING_RECORDS - 1, "lines");
	free(text);
}

GUEST static void device_guest(u64 times)
{
	for (u64 i = 0; i < times; i++)
		g_write32(GUEST_ABSENT + 0x10 * i, 7);
	g_done(0);
}

/* Addresses of device accesses, and what is injected: #UD. */
static void fields(void)
{
	struct vcpu *v = guest_new(0, device_guest, 2);
	const struct image *image = map_ring(v);
	u32 seen = 0;

	for (int i = 0; i < 2; i++)
		vcpu_expect(v, KVM_EXIT_MMIO);
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	for (u64 n = 0; n < image->ring.head; n++) {
		const struct vtx_record *record = record_at(image, n);

		if (!(record->flags & VTX_RECORD_GPA) || record->gpa >> 12 != GUEST_ABSENT >> 12)
			continue;
		EXPECT_EQ(record->gpa, GUEST_ABSENT + 0x10 * seen, "gpa");
		if (record->flags & VTX_RECORD_GLA)
			EXPECT_EQ(record->gla, record->gpa, "gla");
		EXPECT_EQ(record->by, VTX_BY_USER, "by");
		seen++;
	}
	EXPECT_EQ(seen, 2, "device accesses");
}

GUEST static void fault_guest(u64 arg)
{
	u32 eax = 0x12345;

	/* An MSR that does not exist: #GP comes from the exit's handler, so the next exit has it as injected. */
	g_cpuid(0, 0, (u32[4]){ 0 });
	G_CHECK_EQ(G_TRY("rdmsr", : "+a"(eax) : "c"(0x7fffffff), "d"(arg) : "memory"), 13);
	g_done(0);
}

static void injected(void)
{
	struct vcpu *v = guest_new(0, fault_guest, 0);
	const struct image *image = map_ring(v);
	const u32 gp = 0x80000b0d; /* valid, error code, hardware exception, 13 */
	u32 seen = 0;
	char *text;

	CHECK_EQ(vcpu_finish(v), 0, "the result");
	for (u64 n = 1; n < image->ring.head; n++) {
		const struct vtx_record *before = record_at(image, n - 1);

		if (record_at(image, n)->injected != gp)
			continue;
		/* Once more only where the delivery was cut short: the guest's stack is touched for the first time, say. */
		if (seen++)
			EXPECT_EQ(before->vectoring, gp, "vectoring of the record before");
		else
			EXPECT(before->reason == REASON_RDMSR && before->info == 0x7fffffff, "the record before: reason %u", before->reason);
	}
	EXPECT(seen >= 1 && seen < 10, "%u records with #GP injected", seen);
	text = trace_read(v->vm, "vcpu0/recorder");
	EXPECT(text && strstr(text, " 0x80000b0d "), "the text has no 0x80000b0d");
	free(text);
}

/* ------------------------------------------------------------------ nobody writes it */

/* The signal that ends a child which does this, or 0. */
static int signal_of(void (*fn)(volatile u8 *at), volatile u8 *at)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		fn(at);
		_exit(0);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid, "fork");
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void write_byte(volatile u8 *at)
{
	*at = 0xff;
}

static void read_byte(volatile u8 *at)
{
	(void)*at;
}

static void refused_mappings(void)
{
	struct vcpu *v = known_guest(0, 1);
	static const int flags[] = { MAP_SHARED, MAP_PRIVATE };

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		u8 *ring;

		EXPECT_ERRNO((long)map_at(v, VTX_RING_SIZE, PROT_READ | PROT_WRITE, flags[i], VTX_RING_MMAP_OFFSET), EPERM);
		EXPECT_ERRNO((long)map_at(v, 4096, PROT_WRITE, flags[i], VTX_RING_MMAP_OFFSET + 4096), EPERM);
		ring = map_at(v, VTX_RING_SIZE, PROT_READ, flags[i], VTX_RING_MMAP_OFFSET);
		CHECK(ring != MAP_FAILED, "mmap: %s", strerror(errno));
		EXPECT_EQ(*(u32 *)ring, VTX_RING_MAGIC, "magic");
		EXPECT_ERRNO(mprotect(ring, VTX_RING_SIZE, PROT_READ | PROT_WRITE), EACCES);
		EXPECT_ERRNO(mprotect(ring + 4096, 4096, PROT_WRITE), EACCES);
		EXPECT_EQ(signal_of(write_byte, ring), SIGSEGV, "the signal of a write to the header");
		EXPECT_EQ(signal_of(write_byte, ring + VTX_RING_SIZE - 1), SIGSEGV, "the signal of a write to a record");
		EXPECT_EQ(signal_of(read_byte, ring + VTX_RING_SIZE - 1), 0, "the signal of a read");
		munmap(ring, VTX_RING_SIZE);
	}
	known_finish(v);
}

/* A mapping that begins below the ring may be writable; it then does not reach it. Behind the ring there is nothing. */
static void borders(void)
{
	struct vcpu *v = known_guest(0, 1);
	u64 below = VTX_RING_MMAP_OFFSET - 4096;
	u8 *map;

	for (int writable = 0; writable < 2; writable++) {
		map = map_at(v, 4096 + VTX_RING_SIZE, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, below);
		CHECK(map != MAP_FAILED, "mmap: %s", strerror(errno));
		EXPECT_EQ(signal_of(read_byte, map + 4096), SIGBUS, "a read of the ring from below");
		if (writable)
			EXPECT_EQ(signal_of(write_byte, map + 2 * 4096), SIGBUS, "a write to the ring from below");
		munmap(map, 4096 + VTX_RING_SIZE);
	}
	map = map_at(v, 4096 + VTX_RING_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, below);
	CHECK(map != MAP_FAILED, "mmap: %s", strerror(errno));
	EXPECT_EQ(signal_of(write_byte, map + 4096), SIGBUS, "a private write from below");
	munmap(map, 4096 + VTX_RING_SIZE);

	map = map_at(v, VTX_RING_SIZE + 2 * 4096, PROT_READ, MAP_SHARED, VTX_RING_MMAP_OFFSET);
	CHECK(map != MAP_FAILED, "mmap: %s", strerror(errno));
	EXPECT_EQ(signal_of(read_byte, map + VTX_RING_SIZE - 1), 0, "the ring's last byte");
	EXPECT_EQ(signal_of(read_byte, map + VTX_RING_SIZE), SIGBUS, "the byte behind the ring");
	/* A mapping that ends in the ring, one of its middle, and growing one. */
	munmap(map, VTX_RING_SIZE + 2 * 4096);
	map = map_at(v, 4096, PROT_READ, MAP_SHARED, VTX_RING_MMAP_OFFSET + 4096);
	CHECK(map != MAP_FAILED, "mmap: %s", strerror(errno));
	known_finish(v);
	EXPECT_EQ(((struct vtx_record *)map)[1].seq, 1, "seq in a page of records");
	map = mremap(map, 4096, VTX_RING_SIZE + 4096, MREMAP_MAYMOVE);
	if (map != MAP_FAILED)
		EXPECT_EQ(signal_of(read_byte, map + VTX_RING_SIZE - 4096), SIGBUS, "the byte behind the ring");
}

/* The kernel's own ways into a process do not get past it either. */
static void written_by_the_kernel(void)
{
	struct vcpu *v = known_guest(0, 1);
	u8 *ring = (u8 *)(uintptr_t)map_ring(v);
	u64 junk = 0x4141414141414141ULL;
	int mem = (int)CHECK_OK(open("/proc/self/mem", O_RDWR)), zero = (int)CHECK_OK(open("/dev/zero", O_RDONLY)), status;
	struct iovec local = { &junk, 8 }, remote = { ring + 4096, 8 };
	pid_t pid;

	known_finish(v);
	EXPECT_ERRNO(pwrite(mem, &junk, 8, (off_t)(uintptr_t)ring), EIO);
	EXPECT_ERRNO(read(zero, ring, 4096), EFAULT);
	/* A watching kernel may lack this call. */
	CHECK(process_vm_writev(getpid(), &local, 1, &remote, 1, 0) == -1 && (errno == EFAULT || errno == ENOSYS), "process_vm_writev: errno %d",
	      errno);
	pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status), "the child did not stop");
	EXPECT_ERRNO(ptrace(PTRACE_POKEDATA, pid, ring, junk), EIO);
	ptrace(PTRACE_CONT, pid, 0, 0);
	waitpid(pid, &status, 0);
	EXPECT_EQ(*(u32 *)ring, VTX_RING_MAGIC, "magic");
	EXPECT(memcmp(ring + 4096, &junk, 8), "a record was written");
	close(mem);
	close(zero);
}

/* ------------------------------------------------------------------ the end */

static void outlives_the_vm(void)
{
	struct vcpu *v = known_guest(0, 300);
	const struct image *image = map_ring(v);
	static struct image before;
	char path[128];

	known_finish(v);
	memcpy(&before, image, sizeof(before));
	trace_path(v->vm, "vcpu0", path, sizeof(path));
	close(v->fd);
	munmap(v->run, run_size());
	vm_free(v->vm);
	/* The mapping holds the vCPU's file, and that the VM. */
	EXPECT(!memcmp(&before, image, sizeof(before)), "the mapping changed");
	EXPECT(!access(path, F_OK), "%s is gone", path);
	guest_passes(0, device_guest, 0);
	EXPECT(!memcmp(&before, image, sizeof(before)), "the mapping changed");
	munmap((void *)(uintptr_t)image, VTX_RING_SIZE);
	EXPECT(access(path, F_OK), "%s is still there", path);
}

/* A page that the kernel holds on to (a pipe, by vmsplice) outlives mapping, vCPU and VM. */
static void pages_outlive_the_vcpu(void)
{
	struct vcpu *v = known_guest(0, 1);
	u8 *ring = (u8 *)(uintptr_t)map_ring(v);
	struct iovec page = { ring, 4096 };
	u32 magic = 0;
	int fds[2];

	known_finish(v);
	CHECK_OK(pipe(fds));
	CHECK_EQ(vmsplice(fds[1], &page, 1, 0), 4096, "vmsplice");
	munmap(ring, VTX_RING_SIZE);
	vm_free(v->vm);
	vcpu_free(v);
	guest_passes(0, device_guest, 0);
	EXPECT_EQ(read(fds[0], &magic, 4), 4, "read from the pipe");
	EXPECT_EQ(magic, VTX_RING_MAGIC, "the page's beginning");
	close(fds[0]);
	close(fds[1]);
}

/* A failed entry freezes the recorder, with its own record as the newest; the next entry that works thaws it. */
static void freeze_and_thaw(void)
{
	struct vcpu *v = known_guest(0, 2);
	const struct image *image = map_ring(v);
	struct kvm_sregs good = vcpu_sregs(v), bad = good;
	u64 head;
	char *text;

	vcpu_expect(v, KVM_EXIT_IO);
	EXPECT_EQ(image->ring.frozen, 0, "frozen");
	bad.tr.unusable = 1;
	bad.cs.db = 1;
	if (ioctl(v->fd, KVM_SET_SREGS, &bad))
		skip("KVM_SET_SREGS refuses the state");
	for (int i = 0; i < 2; i++) {
		vcpu_expect(v, KVM_EXIT_FAIL_ENTRY);
		head = image->ring.head;
		EXPECT_EQ(image->ring.frozen, 1, "frozen");
		EXPECT_EQ(record_at(image, head - 1)->reason, 0x80000000u | REASON_INVALID_STATE, "the newest record");
		EXPECT_EQ(record_at(image, head - 1)->by, VTX_BY_USER, "by");
	}
	EXPECT_EQ(read_raw(v->vm)->ring.frozen, 1, "frozen in recorder_raw");
	text = trace_read(v->vm, "vcpu0/recorder");
	EXPECT(text && strstr(text, " FAILED:INVALID_STATE "), "the text has no failed entry");
	free(text);
	CHECK_OK(ioctl(v->fd, KVM_SET_SREGS, &good));
	EXPECT_EQ(image->ring.head, head, "head while frozen");
	known_finish(v);
	EXPECT_EQ(image->ring.frozen, 0, "frozen");
	EXPECT(image->ring.head > head + 4, "head %llu", image->ring.head);
}

GUEST static void lost_guest(u64 arg)
{
	g_cpuid(1, 0, (u32[4]){ 0 });
	asm volatile("jmp *%0" : : "r"(GUEST_ABSENT + arg));
}

/* KVM_EXIT_INTERNAL_ERROR: the same. */
static void freeze_on_error(void)
{
	struct vcpu *v = guest_new(0, lost_guest, 0);
	const struct image *image = map_ring(v);

	vcpu_expect(v, KVM_EXIT_INTERNAL_ERROR);
	EXPECT_EQ(image->ring.frozen, 1, "frozen");
	EXPECT_EQ(record_at(image, image->ring.head - 1)->rip, GUEST_ABSENT, "RIP of the newest record");
	known_again(v, 1);
	known_finish(v);
	EXPECT_EQ(image->ring.frozen, 0, "frozen");
}

static const struct test tests[] = {
	TEST(header), TEST(the_program), TEST(three_forms), TEST(fields), TEST(injected), TEST(refused_mappings), TEST(borders),
	TEST(written_by_the_kernel), TEST(outlives_the_vm), TEST(pages_outlive_the_vcpu), TEST(freeze_and_thaw), TEST(freeze_on_error),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

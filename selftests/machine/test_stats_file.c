// SPDX-License-Identifier: GPL-2.0-only
/*
 * The statistics file as a file: its blocks and descriptors, reading it at any place, what it refuses, and that it keeps its VM.
 * What the numbers are is the subject of test_stats_fd.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/module.h"
#include "lib/stats.h"
#include "lib/vm.h"

GUEST static void guest(u64 n)
{
	u32 out[4];

	for (u64 i = 0; i < n; i++)
		g_cpuid(0, 0, out);
	g_done(0);
}

static u64 file_size(const struct stats *s)
{
	return s->header.data_offset + 8 * s->nr_values;
}

/* ------------------------------------------------------------------ blocks, descriptors */

/* As the kernel's api.rst has it, and as programs check it: QEMU, KVM's kvm_binary_stats_test. */
static void check_desc(const struct stats *s, const struct kvm_stats_desc *d)
{
	u32 type = d->flags & KVM_STATS_TYPE_MASK, unit = d->flags & KVM_STATS_UNIT_MASK;
	bool histogram = type == KVM_STATS_TYPE_LINEAR_HIST || type == KVM_STATS_TYPE_LOG_HIST;

	CHECK(memchr(d->name, 0, s->header.name_size), "a name does not end");
	EXPECT(strlen(d->name), "a name is empty");
	EXPECT(type <= KVM_STATS_TYPE_MAX, "%s: type", d->name);
	EXPECT(unit <= KVM_STATS_UNIT_MAX, "%s: unit", d->name);
	EXPECT((d->flags & KVM_STATS_BASE_MASK) <= KVM_STATS_BASE_MAX, "%s: base", d->name);
	EXPECT(!(d->flags & ~(KVM_STATS_TYPE_MASK | KVM_STATS_UNIT_MASK | KVM_STATS_BASE_MASK)), "%s: flags %#x", d->name, d->flags);
	EXPECT(unit == KVM_STATS_UNIT_SECONDS ? d->exponent <= 0 : d->exponent >= 0, "%s: exponent %d", d->name, d->exponent);
	EXPECT(histogram ? d->size > 1 : d->size == 1, "%s: %u numbers", d->name, d->size);
	EXPECT(!d->bucket_size == (type != KVM_STATS_TYPE_LINEAR_HIST), "%s: bucket_size %u", d->name, d->bucket_size);
}

static void check_file(struct stats *s, const char *id)
{
	struct kvm_stats_header *h = &s->header;
	u8 *used = calloc(s->nr_values, 1);
	u64 word, size;

	EXPECT_EQ(h->flags, 0, "flags");
	EXPECT(!strcmp(s->id, id), "the id is %s, expected %s", s->id, id);
	CHECK(h->num_desc, "no statistics");
	EXPECT(!(h->id_offset % 8) && !(h->desc_offset % 8) && !(h->data_offset % 8), "blocks are aligned");
	EXPECT(h->id_offset >= sizeof(*h) && h->desc_offset >= h->id_offset + h->name_size &&
	       h->data_offset >= h->desc_offset + h->num_desc * s->desc_size, "blocks overlap: %u %u %u", h->id_offset, h->desc_offset,
	       h->data_offset);
	for (u32 i = 0; i < h->num_desc; i++) {
		const struct kvm_stats_desc *d = stats_desc(s, i);

		check_desc(s, d);
		/* Their numbers fill the block, in whatever order, and none is in two. */
		CHECK(!(d->offset % 8) && d->offset / 8 + d->size <= s->nr_values, "%s: offset %u", d->name, d->offset);
		for (u32 k = 0; k < d->size; k++)
			EXPECT(!used[d->offset / 8 + k]++, "%s: offset %u is another's", d->name, d->offset);
		for (u32 k = 0; k < i; k++)
			EXPECT(strcmp(stats_desc(s, k)->name, d->name), "%s is there twice", d->name);
	}
	free(used);
	free(stats_read(s));
	size = file_size(s);
	EXPECT_EQ(pread(s->fd, &word, 8, size), 0, "read at the end");
	EXPECT_EQ(pread(s->fd, &word, 8, size - 8), 8, "read of the last number");
	EXPECT_EQ(pread(s->fd, &word, 8, size - 3), 3, "read over the end");
	EXPECT_EQ(pread(s->fd, &word, 8, 1ULL << 40), 0, "read far behind the end");
}

static void layout(void)
{
	struct vm *vm = vm_new(0);
	struct vcpu *a = vcpu_new(vm, 0), *b = vcpu_new(vm, 3);
	struct stats *s;
	char id[64];

	if (dev_has(KVM_CAP_BINARY_STATS_FD) != 1 || ioctl(vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_BINARY_STATS_FD) != 1)
		FAIL("KVM_CAP_BINARY_STATS_FD");
	snprintf(id, sizeof(id), "kvm-%d", getpid());
	s = stats_open(vm->fd);
	check_file(s, id);
	stats_close(s);
	snprintf(id, sizeof(id), "kvm-%d/vcpu-0", getpid());
	s = stats_open(a->fd);
	check_file(s, id);
	stats_close(s);
	snprintf(id, sizeof(id), "kvm-%d/vcpu-3", getpid());
	s = stats_open(b->fd);
	check_file(s, id);
	stats_close(s);
}

/* ------------------------------------------------------------------ reading */

/* All of it in pieces of every odd size: the same bytes as in one. The vCPU does not run, so the numbers stand still. */
static void pieces(void)
{
	static const size_t sizes[] = { 1, 7, 24, 71, 4096, 10000 };
	struct vcpu *v = guest_new(0, guest, 5);
	struct stats *s = stats_open(v->fd);
	u64 size = file_size(s);
	u8 *whole = malloc(size + 100), *part = malloc(size + 10000);

	CHECK_EQ(vcpu_finish(v), 0, "the result");
	CHECK_EQ(pread(s->fd, whole, size + 100, 0), size, "one read of more than there is");
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		/* By the byte only around the blocks' borders: each read is a system call of its own. */
		u64 from = sizes[i] < 24 ? s->header.data_offset - 200 : 0, to = sizes[i] < 24 ? s->header.data_offset + 200 : size, at;

		memset(part, 0xee, size);
		for (at = from; at < to; at += sizes[i]) {
			u64 want = size - at < sizes[i] ? size - at : sizes[i];

			CHECK_EQ(pread(s->fd, part + at, sizes[i], at), want, "a piece");
		}
		EXPECT(!memcmp(part + from, whole + from, to - from), "pieces of %zu bytes", sizes[i]);
	}
}

/* read() goes on where it stopped; lseek() moves that place. */
static void position(void)
{
	struct vcpu *v = guest_new(0, guest, 5);
	struct stats *s = stats_open(v->fd);
	u64 size = file_size(s), a, b;
	struct iovec vec[2] = { { &a, 8 }, { &b, 8 } };
	struct kvm_stats_header again;

	EXPECT_EQ(lseek(s->fd, 0, SEEK_CUR), sizeof(s->header), "the place after the header");
	EXPECT_EQ(lseek(s->fd, 0, SEEK_SET), 0, "SEEK_SET");
	CHECK_EQ(read(s->fd, &again, sizeof(again)), sizeof(again), "read");
	EXPECT(!memcmp(&again, &s->header, sizeof(again)), "the header read twice");
	EXPECT_EQ(lseek(s->fd, -8, SEEK_END), size - 8, "SEEK_END");
	EXPECT_EQ(readv(s->fd, vec, 2), 8, "readv over the end");
	EXPECT_EQ(read(s->fd, &a, 8), 0, "read at the end");
	EXPECT_EQ(lseek(s->fd, -16, SEEK_CUR), size - 16, "SEEK_CUR");
	EXPECT_EQ(readv(s->fd, vec, 2), 16, "readv");
	EXPECT_ERRNO(lseek(s->fd, -1, SEEK_SET), EINVAL);
	EXPECT_ERRNO(lseek(s->fd, (off_t)size + 1, SEEK_SET), EINVAL);
	EXPECT_ERRNO(lseek(s->fd, -(off_t)size - 1, SEEK_END), EINVAL);
	EXPECT_ERRNO(lseek(s->fd, 0, 77), EINVAL);
	EXPECT_EQ(lseek(s->fd, 0, SEEK_CUR), size, "the place after seeks that were refused");
	EXPECT_ERRNO(pread(s->fd, &a, 8, -1), EINVAL);
}

/* ------------------------------------------------------------------ refusals */

static void refused(void)
{
	struct vcpu *v = guest_new(0, guest, 5);
	struct stats *vm = stats_open(v->vm->fd), *vcpu = stats_open(v->fd);
	u8 *page = host_pages(2 * PAGE_SIZE), *volatile nothing = NULL;
	char byte = 0;

	CHECK_OK(munmap(page + PAGE_SIZE, PAGE_SIZE));
	for (int i = 0; i < 2; i++) {
		int fd = i ? vcpu->fd : vm->fd;

		EXPECT_ERRNO(write(fd, &byte, 1), EBADF);
		EXPECT_ERRNO(pwrite(fd, &byte, 1, 0), ESPIPE);	/* as on KVM: there is no place for writing at all */
		EXPECT_ERRNO(pread(fd, nothing, 64, 0), EFAULT);
		EXPECT_ERRNO(pread(fd, page + PAGE_SIZE, 64, 0), EFAULT);
		EXPECT_ERRNO(pread(fd, (void *)0xffff888000000000, 64, 0), EFAULT);
		EXPECT_EQ(pread(fd, nothing, 0, 0), 0, "read of nothing");
		EXPECT_ERRNO(ioctl(fd, KVM_RUN, 0), ENOTTY);
		EXPECT_ERRNO(ioctl(fd, KVM_GET_STATS_FD, 0), ENOTTY);
		EXPECT(mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == ENODEV, "mmap: %d", errno);
		EXPECT_ERRNO(ftruncate(fd, 0), EINVAL);
		EXPECT_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY, "the access mode");
		EXPECT_EQ(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC, "FD_CLOEXEC");
	}
	EXPECT_ERRNO(ioctl(dev_open(), KVM_GET_STATS_FD, 0), EINVAL);
	EXPECT_ERRNO(ioctl(v->fd, _IOR(KVMIO, _IOC_NR(KVM_GET_STATS_FD), u32), &byte), EINVAL);
	EXPECT_ERRNO(ioctl(v->vm->fd, _IOR(KVMIO, _IOC_NR(KVM_GET_STATS_FD), u32), &byte), ENOTTY);
}

/* No descriptor is left: the call says so, and leaves nothing of the VM behind that could keep it. */
static void no_descriptor(void)
{
	struct vcpu *v = guest_new(0, guest, 5);
	struct rlimit limit, none;
	int fd;

	CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
	fd = dup(0);
	close(fd);
	none = limit;
	none.rlim_cur = (rlim_t)fd;
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &none));
	for (int i = 0; i < 10; i++) {
		EXPECT_ERRNO(ioctl(v->vm->fd, KVM_GET_STATS_FD, 0), EMFILE);
		EXPECT_ERRNO(ioctl(v->fd, KVM_GET_STATS_FD, 0), EMFILE);
	}
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(ioctl(v->fd, KVM_GET_STATS_FD, 0x12345), fd, "the lowest free descriptor; the argument does not matter");
}

/* ------------------------------------------------------------------ names, other processes */

static void names(void)
{
	struct vcpu *v = vcpu_new(vm_new(0), 7);
	struct stats *vm = stats_open(v->vm->fd), *vcpu = stats_open(v->fd);
	char path[64], link[64] = {};

	snprintf(path, sizeof(path), "/proc/self/fd/%d", vm->fd);
	CHECK_OK(readlink(path, link, sizeof(link) - 1));
	EXPECT(!strcmp(link, "anon_inode:vtx-vm-stats"), "%s", link);
	memset(link, 0, sizeof(link));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", vcpu->fd);
	CHECK_OK(readlink(path, link, sizeof(link) - 1));
	EXPECT(!strcmp(link, "anon_inode:vtx-vcpu-stats:7"), "%s", link);
}

/* Another process may read what it was given, but not ask for it. */
static void other_process(void)
{
	struct vcpu *v = guest_new(0, guest, 5);
	struct stats *s = stats_open(v->fd);
	int status;
	pid_t pid;

	CHECK_EQ(vcpu_finish(v), 0, "the result");
	pid = fork();
	if (!pid) {
		bool good = stats_value(s, "exit_cpuid") == 5 && ioctl(v->fd, KVM_GET_STATS_FD, 0) == -1 && errno == EIO &&
			    ioctl(v->vm->fd, KVM_GET_STATS_FD, 0) == -1 && errno == EIO;

		_exit(good ? 0 : 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && !status, "the child: %#x", status);
}

/* ------------------------------------------------------------------ lifetime */

static bool vm_folder(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/kernel/debug/vtx/%d-%d", getpid(), fd);
	return !access(path, F_OK);
}

/* The file outlives all other descriptors of the VM, and the VM and the module live as long; also through dup(). */
static void keeps_vm(void)
{
	struct vcpu *v;
	struct stats *vm, *vcpu;
	int vm_fd, copy;
	u64 pages;

	small_pages(true);
	v = guest_new(0, guest, 5);
	vm_fd = v->vm->fd;
	vm = stats_open(vm_fd);
	vcpu = stats_open(v->fd);
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	pages = stats_value(vm, "pages_4k");
	EXPECT(pages > 0, "no pages");
	vm_free(v->vm);
	vcpu_free(v);
	EXPECT_EQ(stats_value(vcpu, "exit_cpuid"), 5, "exit_cpuid after the vCPU's descriptor is closed");
	EXPECT(stats_value(vm, "pages_4k") < pages, "pages_4k: the memory has been unmapped");
	EXPECT(vm_folder(vm_fd), "the VM's folder while its statistics are open");
	EXPECT_ERRNO(module_unload("vtx"), EAGAIN);
	stats_close(vm);
	EXPECT_EQ(stats_value(vcpu, "exit_cpuid"), 5, "exit_cpuid after the VM's file is closed");
	copy = dup(vcpu->fd);
	close(vcpu->fd);
	vcpu->fd = copy;
	EXPECT_EQ(stats_value(vcpu, "exit_cpuid"), 5, "exit_cpuid through dup()");
	EXPECT(vm_folder(vm_fd), "the VM's folder while one file is open");
	EXPECT_ERRNO(module_unload("vtx"), EAGAIN);
	stats_close(vcpu);
	EXPECT(!vm_folder(vm_fd), "the VM's folder is still there");
}

/* Many files of one VM, closed in any order. */
static void many_files(void)
{
	struct vcpu *v = guest_new(0, guest, 5);
	int fds[200];
	u64 word;

	CHECK_EQ(vcpu_finish(v), 0, "the result");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = (int)CHECK_OK(ioctl(i & 1 ? v->fd : v->vm->fd, KVM_GET_STATS_FD, 0));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		EXPECT_EQ(read(fds[i], &word, 8), 8, "read");
		close(fds[i]);
	}
}

/* ------------------------------------------------------------------ beside debugfs */

/* /sys/kernel/debug/vtx/statistics has the same names, in the same order, each with a unit and a sentence. */
static void with_sentences(void)
{
	struct vcpu *v = guest_new(0, guest, 5);
	struct stats *s[2] = { stats_open(v->vm->fd), stats_open(v->fd) };
	char line[512], scope[16], name[64], type[16], unit[32], what[256];
	FILE *f = fopen("/sys/kernel/debug/vtx/statistics", "r");
	u32 n[2] = {}, size;

	CHECK(f && fgets(line, sizeof(line), f), "the file");
	EXPECT(!strcmp(line, "scope name numbers type unit what\n"), "the header: %s", line);
	while (fgets(line, sizeof(line), f)) {
		int of_vcpu;

		CHECK(sscanf(line, "%15s %63s %u %15s %31s %255[^\n]", scope, name, &size, type, unit, what) == 6, "'%s'", line);
		of_vcpu = !strcmp(scope, "vcpu");
		EXPECT(of_vcpu || !strcmp(scope, "vm"), "'%s'", line);
		CHECK(n[of_vcpu] < s[of_vcpu]->header.num_desc, "too many");
		EXPECT(!strcmp(stats_desc(s[of_vcpu], n[of_vcpu])->name, name), "%s", name);
		EXPECT_EQ(stats_desc(s[of_vcpu], n[of_vcpu])->size, size, name);
		EXPECT(strlen(what) > 5, "%s: '%s'", name, what);
		n[of_vcpu]++;
	}
	fclose(f);
	EXPECT_EQ(n[0], s[0]->header.num_desc, "statistics of the VM");
	EXPECT_EQ(n[1], s[1]->header.num_desc, "statistics of the vCPU");
}

static const struct test tests[] = {
	TEST(layout), TEST(pieces), TEST(position), TEST(refused), TEST(no_descriptor), TEST(names), TEST(other_process),
	TEST(keeps_vm), TEST(many_files), TEST(with_sentences),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading vtx's files about a guest, and the guest whose exits are known (lib/trace.h).
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/trace.h"

void trace_path(struct vm *vm, const char *name, char *path, size_t size)
{
	snprintf(path, size, "/sys/kernel/debug/vtx/%d-%d/%s", getpid(), vm->fd, name);
}

int trace_open(struct vm *vm, const char *name, int flags)
{
	char path[128];

	trace_path(vm, name, path, sizeof(path));
	return open(path, flags | O_CLOEXEC);
}

char *trace_read(struct vm *vm, const char *name)
{
	int fd = trace_open(vm, name, O_RDONLY | O_NONBLOCK);
	size_t size = 1 << 20, n = 0;
	char *text = malloc(size);
	ssize_t got;

	if (fd < 0) {
		free(text);
		return NULL;
	}
	while ((got = read(fd, text + n, size - n - 1)) > 0)
		n += (size_t)got;
	close(fd);
	text[n] = 0;
	return text;
}

ssize_t filter_write(struct vm *vm, const char *text, size_t len)
{
	int fd = trace_open(vm, "filter", O_WRONLY), error;
	ssize_t r;

	CHECK(fd >= 0, "filter: %s", strerror(errno));
	r = write(fd, text, len);
	error = errno;
	close(fd);
	errno = error;
	return r;
}

void filter_set(struct vm *vm, const char *text)
{
	CHECK(filter_write(vm, text, strlen(text)) == (ssize_t)strlen(text), "filter '%s': %s", text, strerror(errno));
}

void filter_is(struct vm *vm, const char *text)
{
	char *now = trace_read(vm, "filter");

	CHECK(now, "filter cannot be read");
	EXPECT(!strcmp(now, text), "filter is '%s', expected '%s'", now, text);
	free(now);
}

size_t trace_entries(int fd, struct vtx_trace_entry *out, size_t max)
{
	size_t n = 0;
	ssize_t got;

	while (n < max && (got = read(fd, out + n, (max - n) * sizeof(*out))) > 0) {
		CHECK_EQ(got % (ssize_t)sizeof(*out), 0, "the rest of a part of an entry");
		n += (size_t)got / sizeof(*out);
	}
	CHECK(n == max || got == 0 || errno == EAGAIN, "read: %s", strerror(errno));
	return n;
}

size_t trace_drain(int fd)
{
	static char buffer[65536];
	size_t n = 0;
	ssize_t got;

	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		n += (size_t)got;
	return n;
}

/* ------------------------------------------------------------------ the known guest */

/* RDI: the number of rounds. */
asm(".pushsection .text\n"
    ".globl known_guest_code\n"
    "known_guest_code:\n"
    "	mov $7, %eax\n"
    "	xor %ecx, %ecx\n"
    "known_cpuid:\n"
    "	cpuid\n"
    "	mov $0x1a0, %ecx\n"
    "known_rdmsr:\n"
    "	rdmsr\n"
    "	mov $0x80, %edx\n"
    "	mov %edi, %eax\n"
    "known_out:\n"
    "	out %al, (%dx)\n"
    "	mov $0x1234, %eax\n"
    "known_vmcall:\n"
    "	vmcall\n"
    "	dec %rdi\n"
    "	jnz known_guest_code\n"
    "	mov $0x3e0, %edx\n"		/* PORT_DONE */
    "	xor %eax, %eax\n"
    "1:	out %eax, (%dx)\n"
    "	jmp 1b\n"
    ".popsection\n");

extern const u8 known_cpuid[], known_rdmsr[], known_out[], known_vmcall[];

const struct known_step known_step[4] = {
	{ REASON_CPUID, known_cpuid, 7, VTX_BY_FAST, 2 },
	{ REASON_RDMSR, known_rdmsr, 0x1a0, VTX_BY_FAST, 2 },
	{ REASON_IO, known_out, 0x80 << 16, VTX_BY_USER, 1 },
	{ REASON_VMCALL, known_vmcall, 0x1234, VTX_BY_FAST, 3 },
};

void known_again(struct vcpu *v, u64 rounds)
{
	vcpu_mode_long(v, (void (*)(u64))(uintptr_t)known_guest_code, rounds);
}

struct vcpu *known_guest(unsigned int vm_flags, u64 rounds)
{
	struct vcpu *v = vcpu_new(vm_new(vm_flags), 0);

	known_again(v, rounds);
	return v;
}

void known_finish(struct vcpu *v)
{
	do {
		vcpu_expect(v, KVM_EXIT_IO);
	} while (v->run->io.port == 0x80);
	CHECK_EQ(v->run->io.port, PORT_DONE, "the port");
}

bool known_reason(u32 reason)
{
	return reason == REASON_CPUID || reason == REASON_RDMSR || reason == REASON_IO || reason == REASON_VMCALL;
}

size_t known_only(struct vtx_trace_entry *entries, size_t n)
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++) {
		const struct vtx_record *record = &entries[i].record;

		if (known_reason(record->reason) && !(record->reason == REASON_IO && (record->info >> 16 & 0xffff) == PORT_DONE))
			entries[left++] = entries[i];
	}
	return left;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * See the header.
 */
#include "lib/servant.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <unistd.h>

#include "lib/stats.h"

/* The guest reads a command from this mailbox at each turn. */
struct command {
	u64 op, addr, value;
};

static volatile struct command command;

GUEST static void servant(u64 arg)
{
	(void)arg;
	g_sti();
	for (;;) {
		u64 sum = 0;

		g_say((u32)command.value);
		switch (command.op) {
		case READ:
			command.value = *(volatile u64 *)command.addr;
			break;
		case WRITE:
			*(volatile u64 *)command.addr = command.value;
			break;
		case SUM:
			for (u64 i = 0; i < command.value; i++)
				sum += *(volatile u64 *)(command.addr + i * 4096);
			command.value = sum;
			break;
		case FILL:
			for (u64 i = 0; i < command.value; i++)
				*(volatile u64 *)(command.addr + i * 4096) = i + 1;
			break;
		}
	}
}

struct vcpu *servant_new(u64 at, u64 size, void *data, u32 flags)
{
	struct vcpu *v = guest_new(0, servant, 0);

	CHECK_OK(vm_slot(v->vm, 1, at, size, data, flags));
	vcpu_expect_port(v, PORT_SAY);
	return v;
}

void give(struct vcpu *v, u64 op, u64 addr, u64 value)
{
	G(v->vm, command.op) = op;
	G(v->vm, command.addr) = addr;
	G(v->vm, command.value) = value;
}

u64 answer(struct vcpu *v)
{
	vcpu_expect_port(v, PORT_SAY);
	return G(v->vm, command.value);
}

u64 ask(struct vcpu *v, u64 op, u64 addr, u64 value)
{
	give(v, op, addr, value);
	return answer(v);
}

u64 *word(void *data, u64 offset)
{
	return (u64 *)((u8 *)data + offset);
}

void *aligned_pages(u64 size, u64 align)
{
	u8 *raw = host_pages(size + align), *at = (u8 *)(((uintptr_t)raw + align - 1) & ~(align - 1));

	if (at > raw)
		munmap(raw, (size_t)(at - raw));
	munmap(at + size, (size_t)(raw + align - at));
	return at;
}

u64 huge_kilobytes(void *at)
{
	char line[256];
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long from, to, kb = 0;
	bool inside = false;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (unsigned long)at >= from && (unsigned long)at < to;
		else if (inside && sscanf(line, "AnonHugePages: %lu", &kb) == 1)
			break;
	}
	if (f)
		fclose(f);
	return kb;
}

u64 file_number(const char *path, u64 absent)
{
	unsigned long long n = absent;
	FILE *f = fopen(path, "r");

	if (f && fscanf(f, "%llu", &n) != 1)
		n = absent;
	if (f)
		fclose(f);
	return n;
}

u64 file_named(const char *path, const char *name)
{
	unsigned long long n = 0;
	char line[256];
	size_t len = strlen(name);
	FILE *f = fopen(path, "r");

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, len) && sscanf(line + len, "%*[: ]%llu", &n) == 1)
			break;
	if (f)
		fclose(f);
	return n;
}

/* Bit 62 of /proc/self/pagemap. */
bool is_swapped(const void *at)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	u64 entry = 0;

	if (fd >= 0 && pread(fd, &entry, 8, (off_t)((uintptr_t)at / PAGE_SIZE * 8)) != 8)
		entry = 0;
	if (fd >= 0)
		close(fd);
	return entry >> 62 & 1;
}

bool file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

u64 vm_stat(struct vm *vm, const char *name)
{
	struct stats *s = stats_open(vm->fd);
	u64 value = stats_value(s, name);

	stats_close(s);
	return value;
}

/* The header of a swap area of version 1, as mkswap writes it. */
struct swap_header {
	u8 boot[1024];
	u32 version, last_page, nr_bad;
	u8 padding[3050];
	char magic[10];
} __attribute__((packed));

bool swap_on(void)
{
	static struct swap_header header = { .version = 1, .last_page = 8191, .magic = "SWAPSPACE2" };
	char line[128];
	FILE *f = fopen("/proc/swaps", "r");
	int fd, lines = 0;

	while (f && fgets(line, sizeof(line), f))
		lines++;
	if (f)
		fclose(f);
	if (lines > 1)
		return true;
	_Static_assert(sizeof(header) == 4096, "layout");
	if (system("modprobe brd rd_nr=1 rd_size=32768 2>/dev/null"))
		return false;
	fd = open("/dev/ram0", O_RDWR);
	if (fd < 0)
		return false;
	CHECK(write(fd, &header, 4096) == 4096, "the swap header");
	fsync(fd);
	close(fd);
	return !swapon("/dev/ram0", 0);
}

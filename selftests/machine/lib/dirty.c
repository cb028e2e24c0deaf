// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log for test programs: see the header.
 */
#include "lib/dirty.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "lib/guest.h"

static volatile struct {
	u64 op, addr, value;
} command;

GUEST static void writer_guest(u64 arg)
{
	(void)arg;
	g_sti();
	for (;;) {
		u64 addr, n;

		g_say(0);
		addr = command.addr;
		n = command.value;
		switch (command.op) {
		case OP_WRITE:
			*(volatile u64 *)addr = n;
			break;
		case OP_READ:
			command.value = *(volatile u64 *)addr;
			break;
		case OP_FILL:
			for (u64 i = 0; i < n; i++)
				*(volatile u64 *)(addr + i * 4096) = i + 1;
			break;
		case OP_INSB:
			asm volatile("cld\n\trep insb" : "+D"(addr), "+c"(n) : "d"(INS_PORT) : "memory");
			break;
		case OP_MOVS:
			n = GUEST_ABSENT;
			asm volatile("cld\n\tmovsl" : "+D"(addr), "+S"(n) : : "memory");
			break;
		case OP_CLOCK:
			g_wrmsr(0x4b564d01, addr | 1);
			break;
		case OP_WALL_CLOCK:
			g_wrmsr(0x4b564d00, addr);
			break;
		case OP_SPIN:
			while (!*(volatile u64 *)addr)
				g_pause();
			break;
		}
	}
}

struct vcpu *writer_in(struct vm *vm, int id)
{
	struct vcpu *v = vcpu_new(vm, id);

	vcpu_mode_long(v, writer_guest, 0);
	vcpu_expect_port(v, PORT_SAY);
	return v;
}

struct vcpu *writer_new(unsigned int vm_flags)
{
	return writer_in(vm_new(vm_flags), 0);
}

/* Is the exit a question, and no word of the guest? Answers it. */
static bool answer(struct kvm_run *run)
{
	if (run->exit_reason == KVM_EXIT_MMIO && !run->mmio.is_write) {
		memset(run->mmio.data, 0x5a, sizeof(run->mmio.data));
		return true;
	}
	if (run->exit_reason == KVM_EXIT_IO && run->io.direction == KVM_EXIT_IO_IN && run->io.port == INS_PORT) {
		memset((u8 *)run + run->io.data_offset, 0x5a, run->io.size * run->io.count);
		return true;
	}
	return false;
}

void writer_give(struct vcpu *v, u64 op, u64 addr, u64 value)
{
	G(v->vm, command.op) = op;
	G(v->vm, command.addr) = addr;
	G(v->vm, command.value) = value;
}

u64 writer(struct vcpu *v, u64 op, u64 addr, u64 value)
{
	writer_give(v, op, addr, value);
	do
		vcpu_run(v);
	while (answer(v->run));
	if (v->run->exit_reason != KVM_EXIT_IO || v->run->io.port != PORT_SAY)
		vcpu_fail(v, "the writer did not come back");
	return G(v->vm, command.value);
}

/* ------------------------------------------------------------------ the log */

int data_slot(struct vm *vm, u64 npages, void *mem, u32 flags)
{
	return vm_slot(vm, DATA_SLOT, DATA, npages * PAGE_SIZE, mem, flags);
}

int get_log(struct vm *vm, u32 slot, void *bitmap)
{
	struct kvm_dirty_log log = { .slot = slot, .dirty_bitmap = bitmap };

	return ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log);
}

int clear_log(struct vm *vm, u32 slot, u64 first, u32 n, const void *bitmap)
{
	struct kvm_clear_dirty_log log = { .slot = slot, .first_page = first, .num_pages = n, .dirty_bitmap = (void *)bitmap };

	return ioctl(vm->fd, KVM_CLEAR_DIRTY_LOG, &log);
}

#define MOST_PAGES 0x40000

u64 *log_of(struct vm *vm, u64 npages)
{
	static u64 bitmap[MOST_PAGES / 64];

	CHECK(npages <= MOST_PAGES, "%llu pages", (unsigned long long)npages);
	memset(bitmap, 0xee, (npages + 63) / 64 * 8);
	CHECK_OK(get_log(vm, DATA_SLOT, bitmap));
	return bitmap;
}

bool log_bit(const u64 *bitmap, u64 page)
{
	return bitmap[page / 64] >> (page % 64) & 1;
}

u64 log_count(const u64 *bitmap, u64 npages)
{
	u64 n = 0;

	for (u64 i = 0; i < (npages + 63) / 64; i++)
		n += (u64)__builtin_popcountll(bitmap[i]);
	return n;
}

void expect_pages(const u64 *bitmap, u64 npages, const u64 *pages, const char *what)
{
	u64 n = 0;

	for (; pages[n] != ~0ULL; n++)
		EXPECT(log_bit(bitmap, pages[n]), "%s: page %llu is not in the log", what, (unsigned long long)pages[n]);
	EXPECT(log_count(bitmap, npages) == n, "%s: %llu pages in the log, expected %llu", what,
	       (unsigned long long)log_count(bitmap, npages), (unsigned long long)n);
}

/* ------------------------------------------------------------------ rings */

struct ring ring_map(struct vcpu *v, u64 bytes)
{
	struct ring r = { .size = (u32)(bytes / sizeof(struct kvm_dirty_gfn)) };

	r.gfns = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, (off_t)(KVM_DIRTY_LOG_PAGE_OFFSET * PAGE_SIZE));
	if (r.gfns == MAP_FAILED)
		FAIL("mmap of the dirty ring");
	return r;
}

bool ring_collect(struct ring *r, u32 *slot, u64 *offset)
{
	struct kvm_dirty_gfn *e = &r->gfns[r->next % r->size];

	if (__atomic_load_n(&e->flags, __ATOMIC_ACQUIRE) != KVM_DIRTY_GFN_F_DIRTY)
		return false;
	*slot = e->slot;
	*offset = e->offset;
	__atomic_store_n(&e->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
	r->next++;
	return true;
}

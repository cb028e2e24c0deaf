/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The dirty log as test programs see it: a slot of memory at DATA that logs, a guest that does one thing at a time to it, the
 * bitmap, and a vCPU's ring.
 */
#ifndef VTX_SELFTEST_DIRTY_H
#define VTX_SELFTEST_DIRTY_H

#include "lib/vm.h"

#define DATA 0x40000000UL
#define DATA_SLOT 1
#define LOG KVM_MEM_LOG_DIRTY_PAGES

/* ------------------------------------------------------------------ the guest */

enum writer_op { OP_NONE, OP_WRITE, OP_READ, OP_FILL, OP_INSB, OP_MOVS, OP_CLOCK, OP_WALL_CLOCK, OP_SPIN };

/*
 * WRITE: @value to @addr; READ: from there to the answer; FILL: a word in each of @value pages; INSB: @value bytes from port
 * INS_PORT to @addr; MOVS: four bytes from GUEST_ABSENT to @addr; CLOCK, WALL_CLOCK: the paravirtual clock's pages at @addr.
 */
#define INS_PORT 0x5b0

struct vcpu *writer_new(unsigned int vm_flags);	/* ready for its first command */
struct vcpu *writer_in(struct vm *vm, int id);		/* the same in a VM that is there; one at a time has a command */
/* Gives a command and runs it to its end; ports and MMIO are answered with bytes 0x5a. */
u64 writer(struct vcpu *v, u64 op, u64 addr, u64 value);
void writer_give(struct vcpu *v, u64 op, u64 addr, u64 value);	/* the first half of it */

/* ------------------------------------------------------------------ the log */

int data_slot(struct vm *vm, u64 npages, void *mem, u32 flags);
/* The ioctls' own answers. */
int get_log(struct vm *vm, u32 slot, void *bitmap);
int clear_log(struct vm *vm, u32 slot, u64 first, u32 n, const void *bitmap);

/* A bitmap of the slot, one copy for the process; wanted: 0 or an error ends the case. */
u64 *log_of(struct vm *vm, u64 npages);
u64 log_count(const u64 *bitmap, u64 npages);
bool log_bit(const u64 *bitmap, u64 page);
/* Expects exactly these pages, ended by ~0; @what goes into the message. */
void expect_pages(const u64 *bitmap, u64 npages, const u64 *pages, const char *what);

/* ------------------------------------------------------------------ rings */

struct ring {
	struct kvm_dirty_gfn *gfns;
	u32 size;	/* entries */
	u32 next;
};

struct ring ring_map(struct vcpu *v, u64 bytes);
/* The next entry that is dirty, marked as collected; false: there is none. */
bool ring_collect(struct ring *r, u32 *slot, u64 *offset);

#endif /* VTX_SELFTEST_DIRTY_H */

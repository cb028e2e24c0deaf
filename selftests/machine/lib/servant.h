/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that reads and writes memory on command, and what the host does to the memory under it.
 */
#ifndef VTX_SELFTEST_SERVANT_H
#define VTX_SELFTEST_SERVANT_H

#include "lib/guest.h"
#include "lib/vm.h"

#define HUGE 0x200000UL

/* READ: the word at addr; WRITE: value to it; of `value` pages from addr on, SUM adds up the first words, FILL writes 1, 2, 3... */
enum servant_op { READ, WRITE, SUM, FILL };

/* A VM with one vCPU, and memory as slot 1 at guest address @at. */
struct vcpu *servant_new(u64 at, u64 size, void *data, u32 flags);
/* What it shall do when it runs next; and that, and what it answers. */
void give(struct vcpu *v, u64 op, u64 addr, u64 value);
u64 ask(struct vcpu *v, u64 op, u64 addr, u64 value);
u64 answer(struct vcpu *v);

/* The word at @offset of @data. */
u64 *word(void *data, u64 offset);

/* @size bytes of fresh memory that begin where a page of @align does. */
void *aligned_pages(u64 size, u64 align);
/* Kilobytes of anonymous huge pages in the mapping of @at. */
u64 huge_kilobytes(void *at);
/* The first number in a file, or @absent when it has none; and writing a word. */
u64 file_number(const char *path, u64 absent);
/* The number behind the name that begins a line, 0 without. */
u64 file_named(const char *path, const char *name);
bool file_write(const char *path, const char *text);
/* A number of the VM's statistics. */
u64 vm_stat(struct vm *vm, const char *name);
/* Is the page of this process swapped out? */
bool is_swapped(const void *at);
/* Has the machine swap space? Makes some, 32 MiB, where the kernel has the driver. */
bool swap_on(void);

#endif /* VTX_SELFTEST_SERVANT_H */

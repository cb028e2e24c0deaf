/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every ioctl of the device, a VM and a vCPU with an argument that works, for tests that go through all of them: what happens when
 * the kernel runs out of memory in the middle (test_fail_nth.c), and what random calls do (fuzz_ioctl.c).
 * selftests/machine/calls-complete looks for rows of uapi that are missing here.
 */
#ifndef VTX_SELFTEST_CALLS_H
#define VTX_SELFTEST_CALLS_H

#include "lib/vm.h"

/* What a call finds. */
enum {
	WITH_CHIP = 1,		/* interrupt controllers in the kernel */
	WITH_PIT = 2,
	WITH_VCPU = 4,
	WITH_GUEST = 8,		/* memory, and the vCPU at the start of call_guest() */
	WITH_ALL = WITH_CHIP | WITH_PIT | WITH_VCPU | WITH_GUEST,
};

struct call_world {
	struct vm *vm;
	struct vcpu *v;
	int event, resample;	/* eventfds */
	u8 *spare;		/* host memory for another slot, CALL_SPARE_SIZE bytes */
};

#define CALL_SPARE_SIZE 0x10000UL
#define CALL_ARG_SIZE 0x4000		/* the largest argument with its array */

enum call_fd { CALL_DEV, CALL_VM, CALL_VCPU };

enum {
	CALL_SCALAR = 1,	/* the argument is a number, not an address */
	CALL_ONCE = 2,		/* works once in the life of a VM */
	CALL_FD = 4,		/* returns a descriptor */
};

struct call {
	const char *name;
	unsigned long cmd;
	unsigned long get;	/* its answer is this call's argument; 0: none */
	void (*fill)(struct call_world *w, void *arg);	/* the argument, zeros before; may be NULL */
	void (*undo)(struct call_world *w, void *arg);	/* so that the call works again; may be NULL */
	unsigned long value;	/* of CALL_SCALAR */
	u8 on;			/* enum call_fd */
	u8 flags;
	u8 with;		/* what it needs, WITH_ bits */
	u8 never;		/* what must not be there: else an error is all one gets */
};

extern const struct call all_calls[];
extern const size_t nr_calls;

void call_world_new(struct call_world *w, unsigned int with);
void call_world_free(struct call_world *w);
int call_on(const struct call_world *w, const struct call *c);	/* the descriptor */
/* Writes the argument that works to @arg, CALL_ARG_SIZE bytes; what the ioctl takes as its third argument. */
unsigned long call_prepare(struct call_world *w, const struct call *c, void *arg);

/* Guest code with all that makes the kernel work: first touches, MMIO, ports, string I/O, MSRs, the local APIC, HLT. */
void call_guest(u64 arg);
/* Runs it to its end. 0, or errno of the KVM_RUN that failed; ends the case when the guest or an exit is not as it should be. */
int call_guest_finish(struct vcpu *v);
void call_guest_restart(struct vcpu *v);

#endif /* VTX_SELFTEST_CALLS_H */

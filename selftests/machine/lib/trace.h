/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What vtx says about a guest's exits, as a program reads it (docs/tracing.md), and a guest whose exits are known one by one.
 */
#ifndef VTX_SELFTEST_TRACE_H
#define VTX_SELFTEST_TRACE_H

#include "../../../uapi/vtx.h"
#include "lib/guest.h"
#include "lib/vm.h"

#define REASON_CPUID 10
#define REASON_HLT 12
#define REASON_VMCALL 18
#define REASON_IO 30
#define REASON_RDMSR 31
#define REASON_INVALID_STATE 33
#define REASON_EPT_VIOLATION 48
#define REASON_EPT_MISCONFIG 49

/* The VM's folder; `name` is a file in it, or one of a vCPU: "vcpu0/recorder". */
void trace_path(struct vm *vm, const char *name, char *path, size_t size);
int trace_open(struct vm *vm, const char *name, int flags);	/* the descriptor, or -1 */
/* The whole file as a string, to be freed; NULL when it cannot be opened. */
char *trace_read(struct vm *vm, const char *name);
ssize_t filter_write(struct vm *vm, const char *text, size_t len);	/* write()'s own answer */
void filter_set(struct vm *vm, const char *text);
/* The filter file reads so. */
void filter_is(struct vm *vm, const char *text);

/* What a reader of trace_raw, opened with O_NONBLOCK, gets until there is no more. At most @max. */
size_t trace_entries(int fd, struct vtx_trace_entry *out, size_t max);
/* Reads and forgets what there is; the number of bytes. */
size_t trace_drain(int fd);

/*
 * The known guest: `rounds` times CPUID (leaf 7), RDMSR (1a0h), OUT (port 80h, a byte), VMCALL (1234h), then its end.
 * known_step[] are those four in order, with their addresses.
 */
extern const u8 known_guest_code[];
struct known_step {
	u32 reason;
	const u8 *rip;
	u64 info;
	u8 by;
	u8 len;
};
extern const struct known_step known_step[4];

struct vcpu *known_guest(unsigned int vm_flags, u64 rounds);
void known_again(struct vcpu *v, u64 rounds);	/* from its start, to be run */
void known_finish(struct vcpu *v);		/* answers OUT until the end */
bool known_reason(u32 reason);
/* Takes out what is none of the four kinds, and the guest's last OUT; how many are left. */
size_t known_only(struct vtx_trace_entry *entries, size_t n);

#endif /* VTX_SELFTEST_TRACE_H */

/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * What vtx adds to KVM's interface.  Everything else is <linux/kvm.h>: open /dev/vtx instead of /dev/kvm.
 *
 *	int version = ioctl(fd, KVM_CHECK_EXTENSION, VTX_CAP_VTX);
 *
 * on the device or a VM answers VTX_INTERFACE_VERSION or a later, larger number; KVM answers 0.  Names here begin with VTX_;
 * the ioctls have the type VTX_IOC_TYPE, which is not KVM's 0xAE.  All structures are the same for 32-bit programs.
 */
#ifndef VTX_UAPI_VTX_H
#define VTX_UAPI_VTX_H

#include <linux/ioctl.h>
#include <linux/kvm.h>
#include <linux/types.h>

#include "vtx_errors.h"

/* "vtx" and a number; KVM counts its capabilities up from 0. */
#define VTX_CAP_VTX 0x76747801		/* VTX_INTERFACE_VERSION */
#define VTX_CAP_RECORDER 0x76747802	/* number of records in a vCPU's flight recorder; 0 when compiled out */
#define VTX_CAP_FAILURE 0x76747803	/* VTX_GET_FAILURE */
#define VTX_CAP_EXT_ERROR 0x76747804	/* VTX_SET_EXT_ERROR */
#define VTX_CAP_FAULT_CHAIN 0x76747805	/* VTX_SET_FAULT_CHAIN */

/* Grows when something is added to this file. */
#define VTX_INTERFACE_VERSION 2

#define VTX_IOC_TYPE 0xBD

/* ------------------------------------------------------------------ flight recorder */

/* What handled an exit. */
enum vtx_handler {
	VTX_BY_NONE = 0,	/* not handled yet: the vCPU is in the kernel, or died there */
	VTX_BY_FAST = 1,	/* the inner loop, interrupts off */
	VTX_BY_SLOW = 2,	/* the kernel, where it may sleep */
	VTX_BY_USER = 3,	/* KVM_RUN returned for it */
};

#define VTX_RECORD_GPA 1	/* gpa is valid */
#define VTX_RECORD_GLA 2	/* gla is valid */

/*
 * One VM exit, a cache line.
 *
 * info: the exit qualification; but for RDMSR and WRMSR the MSR's index, for CPUID the leaf (EAX) and in bits 63:32 the subleaf (ECX),
 * for VMCALL the number (RAX), for EXCEPTION_NMI the VM-exit interruption information and in bits 63:32 the error code, for
 * EXTERNAL_INTERRUPT 0.
 */
struct vtx_record {
	__u64 tsc;		/* TSC when the guest left */
	__u64 rip;
	__u64 info;
	__u64 gpa;		/* guest-physical address of an EPT violation or misconfiguration */
	__u64 gla;		/* guest linear address, likewise */
	__u32 ticks;		/* until the next entry, or until KVM_RUN returned; ~0: longer */
	__u32 reason;		/* VMCS exit reason, all 32 bits; ~0: VMLAUNCH or VMRESUME failed, info has the VM-instruction error */
	__u32 injected;		/* VM-entry interruption information of the entry that this exit ended; bit 31 clear: none */
	__u32 vectoring;	/* IDT-vectoring information; bit 31 clear: none */
	__u32 seq;		/* low half of the record's number, counted from 0 */
	__u16 cs;		/* selector */
	__u8 by;		/* enum vtx_handler */
	__u8 flags;		/* VTX_RECORD_* */
};

#define VTX_RING_MAGIC 0x72787476	/* "vtxr" */
#define VTX_RING_VERSION 1
#define VTX_RING_RECORDS 1024

/*
 * The ring: a page with this header, then the records, number n at n % records.  A reader looks at head, copies records, looks
 * at head again: what is older than head - records may have been overwritten meanwhile, as seq shows.  The newest record may still
 * be open (by == VTX_BY_NONE).
 */
struct vtx_ring {
	__u32 magic, version;
	__u32 records;		/* VTX_RING_RECORDS */
	__u32 record_size;	/* sizeof(struct vtx_record) */
	__u64 head;		/* records ever begun */
	__u32 frozen;		/* 1: the vCPU died, nothing is added until it enters a guest again */
	__u32 vcpu_id;
	__u32 tsc_khz;
	__u32 data_offset;	/* of the records, in bytes */
};

/* mmap(NULL, VTX_RING_SIZE, PROT_READ, MAP_SHARED, vcpu_fd, VTX_RING_MMAP_OFFSET). Never writable: EPERM. */
#define VTX_RING_MMAP_OFFSET (4096 * 4096UL)
#define VTX_RING_SIZE (4096 + VTX_RING_RECORDS * sizeof(struct vtx_record))

/*
 * An element of the stream, debugfs `trace_raw`. record.by == VTX_BY_NONE: there is no record, all of it is 0; the element only says
 * that the vCPU lost records after its last one.
 */
struct vtx_trace_entry {
	__u32 vcpu_id;
	__u32 lost;		/* records of this vCPU lost right before this one */
	struct vtx_record record;
};

/* run->debug.arch.exception of a KVM_EXIT_DEBUG that comes from a `stop` rule of debugfs `filter`; pc is where the guest goes on. */
#define VTX_DEBUG_TRACE_STOP 0xffffffffU

/* ------------------------------------------------------------------ why a guest died */

enum vtx_failure_kind {
	VTX_FAILURE_NONE = 0,
	VTX_FAILURE_ENTRY = 1,		/* VM entry failed: rules[] */
	VTX_FAILURE_TRIPLE_FAULT = 2,	/* faults[] */
	VTX_FAILURE_EMULATION = 3,	/* insn[], text says what is not supported */
	VTX_FAILURE_INTERNAL = 4,	/* another KVM_EXIT_INTERNAL_ERROR */
	VTX_FAILURE_VM_DEAD = 5,	/* the VM is dead, every call gives EIO */
};

/* A rule of the manual that does not hold. */
struct vtx_rule_report {
	char id[40];		/* stable, as "guest.rflags.if-injection" */
	char section[24];	/* of Intel's manual, as "vol. 3, 27.3.1.4" */
	char field[40];		/* VMCS field, as "GUEST_RFLAGS" */
	__u64 found;
	__u64 allowed;		/* the value or mask that text explains */
	char text[96];
};

#define VTX_FAULT_HAS_ERROR 1	/* error is valid */
#define VTX_FAULT_HAS_CR2 2	/* cr2 is valid */
#define VTX_FAULT_INFERRED 4	/* not seen but concluded: registers are those at the end of the chain */

/* A link of the chain of faults, in the order of time. */
struct vtx_fault {
	__u64 rip, rsp, rflags, cr2;
	__u64 tsc;
	__u32 error;
	__u16 cs;
	__u8 vector;
	__u8 flags;		/* VTX_FAULT_* */
	__u8 insn_len;		/* how many bytes of insn could be read at RIP */
	__u8 insn[15];
};

#define VTX_MAX_RULES 8
#define VTX_MAX_FAULTS 8

/* VTX_GET_FAILURE, on a vCPU: the last thing that stopped it. kind is VTX_FAILURE_NONE when nothing did since its creation. */
struct vtx_failure_report {
	__u32 kind;		/* enum vtx_failure_kind */
	__u32 vcpu_id;
	__u32 exit_reason;	/* as in struct vtx_record */
	__u32 nr_rules;		/* that do not hold; rules[] has the first VTX_MAX_RULES of them. 0: no rule matched */
	__u32 nr_faults;	/* in faults[] */
	__u32 insn_len;		/* in insn[] */
	__u64 qualification;
	__u64 tsc;
	__u64 rip, rsp, rflags;
	__u64 cr0, cr2, cr3, cr4, efer;
	__u64 regs[16];		/* RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15 */
	__u16 cs, pad[3];
	__u8 insn[16];		/* at RIP */
	char text[256];		/* one sentence or more */
	struct vtx_rule_report rules[VTX_MAX_RULES];
	struct vtx_fault faults[VTX_MAX_FAULTS];
};

#define VTX_GET_FAILURE _IOR(VTX_IOC_TYPE, 0x01, struct vtx_failure_report)

/* On a vCPU: argument 1 intercepts every exception from the next entry on, so that the chain of faults is complete; 0 ends that. EINVAL: else. */
#define VTX_SET_FAULT_CHAIN _IO(VTX_IOC_TYPE, 0x02)

/* ------------------------------------------------------------------ why a call was refused */

/*
 * What vtx writes into the registered buffer when an ioctl on the file descriptor fails with a refusal that it can explain.
 * After a call that was refused without an explanation, code is 0. A call that succeeds leaves the buffer alone, and so does a call of
 * another process than the one that registered it, and one that began before.
 */
struct vtx_ext_error {
	__u32 code;		/* enum vtx_error_code, stable */
	__u32 error;		/* errno, positive */
	__u32 cmd;		/* the ioctl */
	__u32 offset;		/* of the field in the ioctl's argument (KVM_RUN: in struct kvm_run), in bytes; ~0: the argument itself, or the call's moment */
	__u64 found;
	__u64 allowed;		/* mask or limit, as text says */
	char name[32];		/* of the code, as "SREGS_CR4_RESERVED" */
	char text[192];		/* a sentence; may change between versions */
};

/* On the device, a VM or a vCPU: argument points to this; address 0 ends it. EFAULT, EINVAL (size, flags). */
struct vtx_ext_error_buffer {
	__u64 address;		/* of a struct vtx_ext_error */
	__u32 size;		/* sizeof(struct vtx_ext_error) */
	__u32 flags;		/* 0 */
};

#define VTX_SET_EXT_ERROR _IOW(VTX_IOC_TYPE, 0x03, struct vtx_ext_error_buffer)

#endif /* VTX_UAPI_VTX_H */

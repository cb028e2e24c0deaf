/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtual machine as the test programs see it: the device, a VM with one slot of memory, its vCPUs, the CPU
 * modes a guest starts in, and running one until it says something.  All calls end the case when they fail.
 */
#ifndef VTX_SELFTEST_VM_H
#define VTX_SELFTEST_VM_H

#include <linux/kvm.h>
#include <pthread.h>
#include <sys/ioctl.h>

#include "lib/harness.h"

#define PAGE_SIZE 4096UL

/* Where things are in guest-physical memory; the guest maps 4 GiB one to one. */
#define GUEST_GDT 0x2000
#define GUEST_IDT 0x3000
#define GUEST_TSS 0x4000		/* the 64-bit TSS; a 32-bit one behind it */
#define GUEST_TSS32_A 0x4100
#define GUEST_TSS32_B 0x4200
#define GUEST_IDT32 0x5000
#define GUEST_REAL_CODE 0x8000		/* 16-bit code, and 32-bit code as well */
#define GUEST_PML4 0x10000
#define GUEST_PDPT 0x11000
#define GUEST_PD 0x12000		/* four of them */
#define GUEST_PT 0x16000		/* handed out one after the other by vm_map_4k() */
#define GUEST_PT_END 0x20000
#define GUEST_KERNEL_STACK 0x1f0000	/* TSS.RSP0 */
#define GUEST_STACKS 0x200000		/* 64K for each vCPU */
#define GUEST_SCRATCH 0x300000		/* up to the program's image at 0x400000 */
#define GUEST_FREE 0x1000000		/* nothing of the library's is above 16 MiB */
#define GUEST_MEMORY 0x2000000		/* 32 MiB by default */
#define GUEST_ABSENT 0xd0000000		/* no slot here: MMIO */

/* Selectors of the GDT that the library builds. */
#define SEL_CODE64 0x08
#define SEL_DATA 0x10
#define SEL_CODE32 0x18
#define SEL_CODE16 0x20
#define SEL_DATA16 0x28
#define SEL_USER_CODE64 0x33
#define SEL_USER_DATA 0x3b
#define SEL_TSS64 0x40
#define SEL_TSS32_A 0x50
#define SEL_TSS32_B 0x58
#define SEL_USER_CODE32 0x63

#define VM_IRQCHIP 1	/* KVM_CREATE_IRQCHIP */
#define VM_PIT 2	/* KVM_CREATE_PIT2 */
#define VM_NO_MEMORY 4
#define VM_SPLIT 16	/* KVM_CAP_SPLIT_IRQCHIP with 24 pins */
#define VM_SHARED 8	/* memory is a shared file: vm_zap() takes pages away and their contents stay */

struct vm {
	int fd;
	unsigned int flags;
	u8 *mem;	/* the memory at guest-physical 0 */
	u64 size;
	u64 next_pt;
};

struct vcpu {
	struct vm *vm;
	int fd;
	int id;
	struct kvm_run *run;
};

int dev_open(void);
int dev_has(int cap);			/* KVM_CHECK_EXTENSION on the device */
size_t run_size(void);

struct vm *vm_new(unsigned int flags);
struct vm *vm_new_sized(unsigned int flags, u64 size);
void vm_free(struct vm *vm);
struct vcpu *vcpu_new(struct vm *vm, int id);	/* with all the CPUID the device supports */
struct vcpu *vcpu_new_bare(struct vm *vm, int id);
void vcpu_free(struct vcpu *v);
struct kvm_cpuid2 *cpuid_supported(void);	/* one copy for the process */
struct kvm_cpuid_entry2 *cpuid_find(struct kvm_cpuid2 *cpuid, u32 leaf, u32 index);
bool guest_has_avx(void);
bool apicv_on(void);			/* the module's parameter enable_apicv */

int enable_cap(struct vm *vm, u32 cap, u64 arg);	/* the ioctl's own answer */
int enable_vcpu_cap(struct vcpu *v, u32 cap, u64 arg);
void vcpu_hide_kvm_feature(struct vcpu *v, unsigned int feature);	/* CPUID as supported, without that KVM_FEATURE_* */
int vm_slot(struct vm *vm, u32 slot, u64 gpa, u64 size, void *mem, u32 flags);	/* the ioctl's own answer */
/* Unmaps a range of a VM_SHARED guest's memory from the process, and so from the EPT; the next touch brings it back. */
void vm_zap(struct vm *vm, u64 gpa, u64 size);
void *host_pages(u64 size);			/* anonymous, zero-filled, page-aligned */

/* Guest modes.  Each leaves RIP at `entry`, RSP valid, interrupts off. */
void vcpu_mode_long(struct vcpu *v, void (*entry)(u64), u64 arg);
void vcpu_mode_prot32(struct vcpu *v, u32 entry);
void vcpu_mode_real(struct vcpu *v, u16 cs, u16 ip);
void vm_load_code(struct vm *vm, u64 gpa, const u8 *start, const u8 *end);
void vm_map_4k(struct vm *vm, u64 gva, u64 gpa, u64 flags);

/* A guest of one function, in 64-bit mode, with one vCPU. */
struct vcpu *guest_new(unsigned int vm_flags, void (*entry)(u64), u64 arg);

struct kvm_regs vcpu_regs(struct vcpu *v);
void vcpu_set_regs(struct vcpu *v, const struct kvm_regs *regs);
struct kvm_sregs vcpu_sregs(struct vcpu *v);
u64 vcpu_msr(struct vcpu *v, u32 index);
int vcpu_set_msr(struct vcpu *v, u32 index, u64 value);	/* KVM_SET_MSRS' own answer: 1, 0 or -1 */

/* A global of the program as this guest sees it. */
#define G(vm, var) (*(volatile __typeof__(var) *)((vm)->mem + (uintptr_t)&(var)))

/* KVM_RUN until the guest says something, restarted after signals; the exit is in v->run. */
void vcpu_run(struct vcpu *v);
/* Runs on and wants this exit next; a failed assertion or an unexpected trap of the guest ends the case. */
void vcpu_expect(struct vcpu *v, u32 exit_reason);
/* Runs on and wants the guest's next word on this port; returns it. */
u32 vcpu_expect_port(struct vcpu *v, u16 port);
/* Runs on to the guest's end; returns what it said. */
u32 vcpu_finish(struct vcpu *v);
/* Starts guest function in a new vCPU's VM and runs it to its end, wants 0. */
void guest_passes(unsigned int vm_flags, void (*entry)(u64), u64 arg);
/* The same in a thread of its own, which runs the guest to its end; SIGUSR1 interrupts KVM_RUN there. */
pthread_t vcpu_start(struct vcpu *v);
u32 vcpu_join(pthread_t thread);
/* Makes SIGUSR1 a signal that does nothing but interrupt. */
void quiet_signal(void);
void set_mp_state(struct vcpu *v, u32 state);
/* Ends the case with the exit described. */
void vcpu_fail(struct vcpu *v, const char *what) __attribute__((noreturn));
const char *exit_name(u32 reason);

#endif /* VTX_SELFTEST_VM_H */

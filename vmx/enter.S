/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VM entry and VM exit: the general registers, the speculation controls, VMLAUNCH or VMRESUME.
 */
#include <linux/linkage.h>
#include <asm/alternative.h>
#include <asm/asm.h>
#include <asm/cpufeatures.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/segment.h>
#include <asm/unwind_hints.h>
#include "compat/nmi.h"

/* Offsets into struct vtx_vcpu, asserted in vmx/vcpu.c. */
#define REG(n)		(8 * (n))
#define HOST_RSP_SLOT	(8 * 16)
#define GUEST_SPEC_CTRL	(8 * 17)
#define HOST_SPEC_CTRL	(8 * 18)

#define VMCS_HOST_RSP	0x6c14

.macro DELIVER_HOST_NMI target
	/* A frame as the processor would have pushed it, 16-byte aligned; the handler ends in IRET. */
	push %rbp
	mov %rsp, %rbp
	and $-16, %rsp
	push $__KERNEL_DS
	push %rbp
	pushf
	push $__KERNEL_CS
	call \target
	/* IRET has unwound the frame; this tells objtool so. */
	mov %rbp, %rsp
	pop %rbp
	RET
.endm

.section .noinstr.text, "ax"

/*
 * int vtx_enter(struct vtx_vcpu *vcpu, bool launched)
 *
 * Runs the guest until the next VM exit. Interrupts off, VMCS current.
 * Return: 0 after a VM exit (a failed guest-state check included), 1 when VMLAUNCH/VMRESUME itself failed (VM_INSTRUCTION_ERROR).
 */
SYM_FUNC_START(vtx_enter)
	push %rbp
	mov %rsp, %rbp
	push %r15
	push %r14
	push %r13
	push %r12
	push %rbx
	push %rdi				/* vcpu, at (%rsp) after the exit */

	/* The stack is nearly always where it was: then the VMCS knows. */
	cmp %rsp, HOST_RSP_SLOT(%rdi)
	je .Lrsp_known
	mov $VMCS_HOST_RSP, %eax
.Lwrite_rsp:
	vmwrite %rsp, %rax
	jbe .Lfailed
	mov %rsp, HOST_RSP_SLOT(%rdi)
.Lrsp_known:

	/* No RET and no indirect branch from here to the entry: the guest's SPEC_CTRL may be weaker than ours. */
	ALTERNATIVE "jmp .Lspec_in_done", "", X86_FEATURE_MSR_SPEC_CTRL
	mov GUEST_SPEC_CTRL(%rdi), %rax
	cmp HOST_SPEC_CTRL(%rdi), %rax
	je .Lspec_in_done
	mov $MSR_IA32_SPEC_CTRL, %ecx
	xor %edx, %edx
	wrmsr
.Lspec_in_done:

	bt $0, %esi				/* CF: VMRESUME. MOV and VERW leave it alone */
	mov REG(1)(%rdi), %rcx
	mov REG(2)(%rdi), %rdx
	mov REG(3)(%rdi), %rbx
	mov REG(5)(%rdi), %rbp
	mov REG(6)(%rdi), %rsi
	mov REG(8)(%rdi), %r8
	mov REG(9)(%rdi), %r9
	mov REG(10)(%rdi), %r10
	mov REG(11)(%rdi), %r11
	mov REG(12)(%rdi), %r12
	mov REG(13)(%rdi), %r13
	mov REG(14)(%rdi), %r14
	mov REG(15)(%rdi), %r15
	mov REG(0)(%rdi), %rax
	mov REG(7)(%rdi), %rdi

	CLEAR_CPU_BUFFERS			/* MDS and its relatives: late, after the last secret register */
	jnc .Llaunch

	UNWIND_HINT_SAVE
.Lresume:
	vmresume
	jmp .Lfailed_with_guest_regs
.Llaunch:
	vmlaunch
	jmp .Lfailed_with_guest_regs

	_ASM_EXTABLE(.Lresume, .Lfailed_with_guest_regs)
	_ASM_EXTABLE(.Llaunch, .Lfailed_with_guest_regs)
	_ASM_EXTABLE(.Lwrite_rsp, .Lfailed)

/* HOST_RIP. RSP is as before the entry; everything else is the guest's. */
SYM_INNER_LABEL_ALIGN(vtx_vmexit, SYM_L_GLOBAL)
	UNWIND_HINT_RESTORE
	ENDBR
	push %rdi
	mov 8(%rsp), %rdi
	mov %rax, REG(0)(%rdi)
	pop REG(7)(%rdi)
	mov %rcx, REG(1)(%rdi)
	mov %rdx, REG(2)(%rdi)
	mov %rbx, REG(3)(%rdi)
	mov %rbp, REG(5)(%rdi)
	mov %rsi, REG(6)(%rdi)
	mov %r8, REG(8)(%rdi)
	mov %r9, REG(9)(%rdi)
	mov %r10, REG(10)(%rdi)
	mov %r11, REG(11)(%rdi)
	mov %r12, REG(12)(%rdi)
	mov %r13, REG(13)(%rdi)
	mov %r14, REG(14)(%rdi)
	mov %r15, REG(15)(%rdi)
	xor %ebx, %ebx

	/* The guest's values must not steer speculation in the host; RDI is ours, RBX the return value. */
.Lclear:
	xor %eax, %eax
	xor %ecx, %ecx
	xor %edx, %edx
	xor %esi, %esi
	xor %ebp, %ebp
	xor %r8d, %r8d
	xor %r9d, %r9d
	xor %r10d, %r10d
	xor %r11d, %r11d
	xor %r12d, %r12d
	xor %r13d, %r13d
	xor %r14d, %r14d
	xor %r15d, %r15d

	/* Before the first unbalanced RET: the guest's return predictions go, the host's SPEC_CTRL comes back. */
	FILL_RETURN_BUFFER %rcx, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT, X86_FEATURE_RSB_VMEXIT_LITE

	ALTERNATIVE "jmp .Lspec_out_done", "", X86_FEATURE_MSR_SPEC_CTRL
	mov HOST_SPEC_CTRL(%rdi), %rax
	/* With legacy IBRS the write itself is the barrier, whatever the value. */
	ALTERNATIVE "", "jmp .Lspec_write", X86_FEATURE_KERNEL_IBRS
	cmp GUEST_SPEC_CTRL(%rdi), %rax
	je .Lspec_fence
.Lspec_write:
	mov $MSR_IA32_SPEC_CTRL, %ecx
	xor %edx, %edx
	wrmsr
.Lspec_fence:
	lfence
.Lspec_out_done:
	CLEAR_BRANCH_HISTORY_VMEXIT

	mov %ebx, %eax
	add $8, %rsp
	pop %rbx
	pop %r12
	pop %r13
	pop %r14
	pop %r15
	pop %rbp
	RET

.Lfailed_with_guest_regs:
	mov (%rsp), %rdi
.Lfailed:
	mov $1, %ebx
	jmp .Lclear
SYM_FUNC_END(vtx_enter)

/*
 * void vtx_deliver_host_nmi(void)
 *
 * An NMI caused the exit and NMIs are now blocked: run the host's handler, whose IRET unblocks them. Not by INT 2, which would
 * run on the NMI's own stack.
 */
SYM_FUNC_START(vtx_deliver_host_nmi)
	DELIVER_HOST_NMI VTX_NMI_ENTRY
SYM_FUNC_END(vtx_deliver_host_nmi)

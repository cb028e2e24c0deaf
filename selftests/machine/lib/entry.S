/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's interrupt entry points: 256 stubs of 16 bytes for 64-bit mode, which build a struct g_frame and
 * call g_trap_entry(); and 256 for 32-bit mode, which only say their vector on PORT_TRAP + 0x100 (4e8h) and go
 * on after the interrupted instruction's return.
 */
	.text
	.balign 16
	.globl g_idt_stubs
g_idt_stubs:
	.set vector, 0
	.rept 256
	.balign 16
	.if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21
	.else
	pushq $0
	.endif
	pushq $vector
	jmp trap_common
	.set vector, vector + 1
	.endr
	.balign 16

trap_common:
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rbx
	pushq %rbp
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, %rdi
	cld
	movq %rsp, %rbx
	andq $-16, %rsp
	call g_trap_entry
	movq %rbx, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rbp
	popq %rbx
	popq %rdx
	popq %rcx
	popq %rax
	addq $16, %rsp
	iretq

/* g_call_user(fn, flags): to CPL 3 by IRETQ, back by INT 80h; the user stack ends at 2f1000h. */
	.globl g_call_user, g_user_back
g_call_user:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, g_user_rsp
	movq $0x2f0ff8, %rax
	movq $user_exit, (%rax)
	pushq $0x3b
	pushq %rax
	orq $2, %rsi
	pushq %rsi
	pushq $0x33
	pushq %rdi
	iretq
g_user_back:
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret
user_exit:
	int $0x80

	.code32
	.balign 16
	.globl g_idt32_stubs
g_idt32_stubs:
	.set vector, 0
	.rept 256
	.balign 16
	.if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21
	addl $4, %esp
	.endif
	pushl %eax
	pushl %edx
	movl $vector, %eax
	.byte 0xe9			/* a near jump with a 32-bit displacement: the stub has room for it */
	.long trap32_common - . - 4
	.set vector, vector + 1
	.endr
	.balign 16

trap32_common:
	movw $0x4e8, %dx
	outl %eax, %dx
	popl %edx
	popl %eax
	iretl
	.code64
	.section .note.GNU-stack, "", @progbits

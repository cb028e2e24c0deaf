/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside emulate/: what the files that execute instructions share.  Functions that return int return enum
 * vtx_emu_result; vtx_exec_*() execute the decoded instruction on e->regs and e->rflags, which vtx_emu_execute() puts
 * back when they fail, and leave RIP to it (they change e->next_rip to branch).
 */
#ifndef VTX_EMULATE_EXEC_H
#define VTX_EMULATE_EXEC_H

#include <asm/processor-flags.h>
#include "emulate/decode.h"

#define VTX_EXC_DE 0
#define VTX_EXC_UD 6
#define VTX_EXC_NM 7
#define VTX_EXC_SS 12
#define VTX_EXC_GP 13
#define VTX_EXC_PF 14
#define VTX_EXC_AC 17

#define VTX_EFER_LMA BIT_ULL(10)

#define VTX_FLAGS_ARITH \
	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF | X86_EFLAGS_SF | X86_EFLAGS_OF)

/* Leave the function with any result but VTX_EMU_DONE. */
#define TRY(call)                            \
	do {                                 \
		int try_ret = (call);        \
		if (try_ret != VTX_EMU_DONE) \
			return try_ret;      \
	} while (0)

/* All ones in the low 1, 2, 4 or 8 bytes */
static inline u64 vtx_mask(unsigned int bytes)
{
	return ~0ULL >> (64 - 8 * bytes);
}

static inline u64 vtx_sign_bit(unsigned int bytes)
{
	return 1ULL << (8 * bytes - 1);
}

/* Sign-extend a number of 0 to 8 bytes. */
static inline u64 vtx_sign_extend(u64 val, unsigned int bytes)
{
	unsigned int shift = 64 - 8 * bytes;

	return bytes ? (u64)((s64)(val << shift) >> shift) : 0;
}

/* operand.c: modes, registers, memory */

/* An operand that is written after it was read */
struct vtx_operand {
	bool mem;
	u8 size;
	u8 reg; /* when !mem */
	u64 lin;
	u64 val; /* as read */
};

bool vtx_emu_protected(const struct vtx_emu *e); /* neither real nor virtual-8086 mode */
unsigned int vtx_emu_code_mode(const struct vtx_emu *e); /* 2, 4, 8 */
unsigned int vtx_emu_stack_mode(const struct vtx_emu *e);
u64 vtx_emu_reg(const struct vtx_emu *e, unsigned int reg, unsigned int size);
void vtx_emu_set_reg(struct vtx_emu *e, unsigned int reg, unsigned int size, u64 val);
int vtx_emu_address(struct vtx_emu *e, unsigned int seg, u64 ea, unsigned int len, unsigned int access, u64 *lin);
int vtx_emu_mem_read(struct vtx_emu *e, unsigned int seg, u64 ea, unsigned int size, u64 *val);
int vtx_emu_mem_write(struct vtx_emu *e, unsigned int seg, u64 ea, unsigned int size, u64 val);
int vtx_emu_rm_read(struct vtx_emu *e, unsigned int size, u64 *val);
int vtx_emu_rm_write(struct vtx_emu *e, unsigned int size, u64 val);
int vtx_emu_rmw_load(struct vtx_emu *e, unsigned int size, u64 ea, struct vtx_operand *dst);
int vtx_emu_rmw_store(struct vtx_emu *e, const struct vtx_operand *dst, u64 val, bool locked);
bool vtx_emu_condition(u64 rflags, unsigned int cc);

/* alu.c, muldiv.c: arithmetic on numbers, without guest state but for the flags */
u64 vtx_alu(enum vtx_op op, unsigned int size, u64 a, u64 b, u64 *flags);
u64 vtx_alu_shift(enum vtx_op op, unsigned int size, u64 a, unsigned int count, u64 *flags);
u64 vtx_alu_shift_double(enum vtx_op op, unsigned int size, u64 a, u64 b, unsigned int count, u64 *flags);
void vtx_alu_mul(bool is_signed, unsigned int size, u64 a, u64 b, u64 *low, u64 *high, u64 *flags);
bool vtx_alu_div(bool is_signed, unsigned int size, u64 high, u64 low, u64 divisor, u64 *quot, u64 *rem);

/* The families */
int vtx_exec_alu(struct vtx_emu *e);
int vtx_exec_shift(struct vtx_emu *e);
int vtx_exec_muldiv(struct vtx_emu *e);
int vtx_exec_bit_test(struct vtx_emu *e);
int vtx_exec_bit_scan(struct vtx_emu *e);
int vtx_exec_move(struct vtx_emu *e);
int vtx_exec_exchange(struct vtx_emu *e);
int vtx_exec_control(struct vtx_emu *e);
int vtx_exec_io(struct vtx_emu *e);
int vtx_exec_simd(struct vtx_emu *e);

/* string.c: one iteration; *last: there is none after it */
int vtx_exec_string(struct vtx_emu *e, bool *last);

#endif /* VTX_EMULATE_EXEC_H */

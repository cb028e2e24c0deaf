/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside emulate/: the opcode tables' vocabulary (SDM vol. 2, appendix A), shared by the decoder, the tables
 * and the files that execute.
 */
#ifndef VTX_EMULATE_DECODE_H
#define VTX_EMULATE_DECODE_H

#include "emulate/emulate.h"

enum vtx_opcode_map {
	VTX_MAP_1, VTX_MAP_0F, VTX_MAP_0F38, VTX_MAP_0F3A, VTX_MAP_OTHER /* EVEX maps 5 and 6 */
};

/* What an instruction does.  The order of the first eight, and of the shifts, is that of ModRM.reg in their groups. */
enum vtx_op {
	OP_NONE = 0, /* an instruction that we do not execute */
	OP_UD,       /* no instruction: #UD */
	OP_ADD, OP_OR, OP_ADC, OP_SBB, OP_AND, OP_SUB, OP_XOR, OP_CMP,
	OP_ROL, OP_ROR, OP_RCL, OP_RCR, OP_SHL, OP_SHR, OP_SAL, OP_SAR,
	OP_TEST, OP_INC, OP_DEC, OP_NOT, OP_NEG,
	OP_MUL, OP_IMUL, OP_DIV, OP_IDIV, OP_IMUL2,
	OP_SHLD, OP_SHRD,
	OP_BT, OP_BTS, OP_BTR, OP_BTC,
	OP_BSF, OP_BSR, OP_TZCNT, OP_LZCNT, OP_POPCNT,
	OP_MOV, OP_MOVZX, OP_MOVSX, OP_MOVSXD, OP_MOVBE, OP_MOVNTI, OP_MOV_FROM_SEG, OP_LEA, OP_XLAT,
	OP_XCHG, OP_XADD, OP_CMPXCHG, OP_CMPXCHG8B,
	OP_SETCC, OP_CMOVCC,
	OP_PUSH, OP_POP, OP_CALL, OP_JMP,
	OP_NOP, OP_CLFLUSH,
	OP_MOVS, OP_CMPS, OP_STOS, OP_LODS, OP_SCAS, OP_INS, OP_OUTS, OP_IN, OP_OUT,
	OP_SIMD,
	OP_GROUP,    /* OP_GROUP + n: look up group n by ModRM.reg */
};

enum vtx_group {
	GRP_1, GRP_1A, GRP_2, GRP_3B, GRP_3V, GRP_4, GRP_5, GRP_8, GRP_9, GRP_11, GRP_15, GRP_16, NR_GRP
};

/* Where the operands are: destination first. */
enum vtx_form {
	FORM_NONE,
	FORM_MR,  /* r/m, reg */
	FORM_RM,  /* reg, r/m */
	FORM_MI,  /* r/m, immediate */
	FORM_AI,  /* accumulator, immediate */
	FORM_M,   /* r/m alone */
	FORM_MC,  /* r/m, CL */
	FORM_M1,  /* r/m, 1 */
	FORM_MRI, /* r/m, reg, immediate */
	FORM_MRC, /* r/m, reg, CL */
	FORM_RMI, /* reg, r/m, immediate */
	FORM_OI,  /* register in the opcode's low three bits, immediate */
	FORM_AO,  /* accumulator, register in the opcode's low three bits */
	FORM_AF,  /* accumulator, memory at the offset in the instruction */
	FORM_FA,  /* the reverse */
	FORM_I,   /* immediate alone: port of IN and OUT */
};

/* Flags of a table row: low four bits say which immediate follows. */
#define OF_IMM     0x000f
#define OF_IB      0x0001 /* 8 bits, sign-extended */
#define OF_IUB     0x0002 /* 8 bits, zero-extended */
#define OF_IW      0x0003 /* 16 bits, zero-extended */
#define OF_IZ      0x0004 /* 16 or 32 bits by operand size, sign-extended */
#define OF_IV      0x0005 /* 16, 32 or 64 bits by operand size */
#define OF_IO      0x0006 /* offset, by address size */
#define OF_IFAR    0x0007 /* offset of 16 or 32 bits and selector */
#define OF_IENTER  0x0008 /* 16 bits and 8 bits */
#define OF_MODRM   0x0010
#define OF_BYTE    0x0020 /* 8-bit operands */
#define OF_D64     0x0040 /* 64-bit operands by default in 64-bit mode */
#define OF_F64     0x0080 /* 64-bit operands always in 64-bit mode */
#define OF_NO64    0x0100 /* #UD in 64-bit mode */
#define OF_LOCK    0x0200 /* takes a LOCK prefix when the destination is memory */
#define OF_MODREG  0x0400 /* r/m is a register whatever mod says (MOV to and from CR and DR) */
#define OF_UNKNOWN 0x0800 /* no instruction that we know of: no length */
#define OF_MEMONLY 0x1000 /* #UD when r/m is a register */

struct vtx_opcode {
	u8 op;
	u8 form;
	u16 flags;
};

extern const struct vtx_opcode vtx_opcodes_1[256];
extern const struct vtx_opcode vtx_opcodes_0f[256];
extern const struct vtx_opcode vtx_opcode_groups[NR_GRP][8];

#endif /* VTX_EMULATE_DECODE_H */

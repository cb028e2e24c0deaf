// SPDX-License-Identifier: GPL-2.0-only
/*
 * The opcode tables: SDM vol. 2, appendix A, as data.  A row with OP_NONE is an instruction whose length we know and
 * which we do not execute.  Maps 0F38 and 0F3A need no table, see opcode_lookup() in decode.c.
 */
#include "compat/pure.h"
#include "emulate/decode.h"

#define MODRM OF_MODRM
#define MB (OF_MODRM | OF_BYTE)

#define R(op_, form_, flags_) { .op = (op_), .form = (form_), .flags = (flags_) }
#define G(group_, form_, flags_) { .op = OP_GROUP + (group_), .form = (form_), .flags = (flags_) | OF_MODRM }
#define NONE(flags_) { .op = OP_NONE, .form = FORM_NONE, .flags = (flags_) }
#define UNKNOWN NONE(OF_UNKNOWN)
#define UD R(OP_UD, FORM_NONE, 0)

#define ALU(first, op_, lock)                               \
	[(first) + 0] = R(op_, FORM_MR, MB | (lock)),       \
	[(first) + 1] = R(op_, FORM_MR, MODRM | (lock)),    \
	[(first) + 2] = R(op_, FORM_RM, MB),                \
	[(first) + 3] = R(op_, FORM_RM, MODRM),             \
	[(first) + 4] = R(op_, FORM_AI, OF_BYTE | OF_IB),   \
	[(first) + 5] = R(op_, FORM_AI, OF_IZ)

/* An instruction in a byte form and, at the next opcode, a word form */
#define PAIR(first, op_, form_, flags_)                     \
	[(first) + 0] = R(op_, form_, (flags_) | OF_BYTE),  \
	[(first) + 1] = R(op_, form_, flags_)

const struct vtx_opcode vtx_opcodes_1[256] = {
	ALU(0x00, OP_ADD, OF_LOCK), [0x06 ... 0x07] = NONE(OF_NO64),
	ALU(0x08, OP_OR, OF_LOCK),  [0x0e] = NONE(OF_NO64), /* 0f: escape */
	ALU(0x10, OP_ADC, OF_LOCK), [0x16 ... 0x17] = NONE(OF_NO64),
	ALU(0x18, OP_SBB, OF_LOCK), [0x1e ... 0x1f] = NONE(OF_NO64),
	ALU(0x20, OP_AND, OF_LOCK), [0x27] = NONE(OF_NO64), /* 26: prefix */
	ALU(0x28, OP_SUB, OF_LOCK), [0x2f] = NONE(OF_NO64),
	ALU(0x30, OP_XOR, OF_LOCK), [0x37] = NONE(OF_NO64),
	ALU(0x38, OP_CMP, 0),       [0x3f] = NONE(OF_NO64),

	[0x40 ... 0x4f] = NONE(OF_NO64),       /* INC, DEC; REX in 64-bit mode */
	[0x50 ... 0x5f] = NONE(OF_D64),        /* PUSH, POP */
	[0x60 ... 0x61] = NONE(OF_NO64),       /* PUSHA, POPA */
	[0x62] = NONE(MODRM | OF_MEMONLY | OF_NO64), /* BOUND */
	[0x63] = R(OP_MOVSXD, FORM_RM, MODRM), /* outside 64-bit mode ARPL */
	[0x68] = NONE(OF_D64 | OF_IZ),
	[0x69] = R(OP_IMUL2, FORM_RMI, MODRM | OF_IZ),
	[0x6a] = NONE(OF_D64 | OF_IB),
	[0x6b] = R(OP_IMUL2, FORM_RMI, MODRM | OF_IB),
	PAIR(0x6c, OP_INS, FORM_NONE, 0),
	PAIR(0x6e, OP_OUTS, FORM_NONE, 0),
	[0x70 ... 0x7f] = NONE(OF_F64 | OF_IB),

	[0x80] = G(GRP_1, FORM_MI, OF_BYTE | OF_IB),
	[0x81] = G(GRP_1, FORM_MI, OF_IZ),
	[0x82] = G(GRP_1, FORM_MI, OF_BYTE | OF_IB | OF_NO64),
	[0x83] = G(GRP_1, FORM_MI, OF_IB),
	PAIR(0x84, OP_TEST, FORM_MR, MODRM),
	PAIR(0x86, OP_XCHG, FORM_MR, MODRM | OF_LOCK),
	PAIR(0x88, OP_MOV, FORM_MR, MODRM),
	PAIR(0x8a, OP_MOV, FORM_RM, MODRM),
	[0x8c] = R(OP_MOV_FROM_SEG, FORM_MR, MODRM),
	[0x8d] = R(OP_LEA, FORM_RM, MODRM | OF_MEMONLY),
	[0x8e] = NONE(MODRM), /* MOV to segment register: needs descriptor loads */
	[0x8f] = G(GRP_1A, FORM_M, OF_D64),

	[0x90 ... 0x97] = R(OP_XCHG, FORM_AO, 0),
	[0x98 ... 0x99] = NONE(0),
	[0x9a] = NONE(OF_NO64 | OF_IFAR),
	[0x9b] = NONE(0),
	[0x9c ... 0x9d] = NONE(OF_D64),
	[0x9e ... 0x9f] = NONE(0),

	PAIR(0xa0, OP_MOV, FORM_AF, OF_IO),
	PAIR(0xa2, OP_MOV, FORM_FA, OF_IO),
	PAIR(0xa4, OP_MOVS, FORM_NONE, 0),
	PAIR(0xa6, OP_CMPS, FORM_NONE, 0),
	[0xa8] = R(OP_TEST, FORM_AI, OF_BYTE | OF_IB),
	[0xa9] = R(OP_TEST, FORM_AI, OF_IZ),
	PAIR(0xaa, OP_STOS, FORM_NONE, 0),
	PAIR(0xac, OP_LODS, FORM_NONE, 0),
	PAIR(0xae, OP_SCAS, FORM_NONE, 0),
	[0xb0 ... 0xb7] = R(OP_MOV, FORM_OI, OF_BYTE | OF_IB),
	[0xb8 ... 0xbf] = R(OP_MOV, FORM_OI, OF_IV),

	[0xc0] = G(GRP_2, FORM_MI, OF_BYTE | OF_IUB),
	[0xc1] = G(GRP_2, FORM_MI, OF_IUB),
	[0xc2] = NONE(OF_F64 | OF_IW),
	[0xc3] = NONE(OF_F64),
	[0xc4 ... 0xc5] = NONE(MODRM | OF_MEMONLY | OF_NO64), /* LES, LDS; VEX otherwise */
	[0xc6] = G(GRP_11, FORM_MI, OF_BYTE | OF_IB),
	[0xc7] = G(GRP_11, FORM_MI, OF_IZ),
	[0xc8] = NONE(OF_D64 | OF_IENTER),
	[0xc9] = NONE(OF_D64),
	[0xca] = NONE(OF_IW),
	[0xcb ... 0xcc] = NONE(0),
	[0xcd] = NONE(OF_IUB),
	[0xce] = NONE(OF_NO64),
	[0xcf] = NONE(0),

	[0xd0] = G(GRP_2, FORM_M1, OF_BYTE),
	[0xd1] = G(GRP_2, FORM_M1, 0),
	[0xd2] = G(GRP_2, FORM_MC, OF_BYTE),
	[0xd3] = G(GRP_2, FORM_MC, 0),
	[0xd4 ... 0xd5] = NONE(OF_NO64 | OF_IUB),
	[0xd6] = NONE(OF_NO64),
	[0xd7] = R(OP_XLAT, FORM_NONE, OF_BYTE),
	[0xd8 ... 0xdf] = NONE(MODRM), /* x87 */

	[0xe0 ... 0xe3] = NONE(OF_F64 | OF_IB),
	PAIR(0xe4, OP_IN, FORM_I, OF_IUB),
	PAIR(0xe6, OP_OUT, FORM_I, OF_IUB),
	[0xe8 ... 0xe9] = NONE(OF_F64 | OF_IZ),
	[0xea] = NONE(OF_NO64 | OF_IFAR),
	[0xeb] = NONE(OF_F64 | OF_IB),
	PAIR(0xec, OP_IN, FORM_NONE, 0),
	PAIR(0xee, OP_OUT, FORM_NONE, 0),

	[0xf1] = NONE(0),
	[0xf4 ... 0xf5] = NONE(0),
	[0xf6] = G(GRP_3B, FORM_M, OF_BYTE),
	[0xf7] = G(GRP_3V, FORM_M, 0),
	[0xf8 ... 0xfd] = NONE(0),
	[0xfe] = G(GRP_4, FORM_M, OF_BYTE),
	[0xff] = G(GRP_5, FORM_M, 0),
};

const struct vtx_opcode vtx_opcodes_0f[256] = {
	[0x00 ... 0x03] = NONE(MODRM),
	[0x04] = UNKNOWN,
	[0x05 ... 0x09] = NONE(0),
	[0x0a] = UNKNOWN,
	[0x0b] = UD, /* UD2 */
	[0x0c] = UNKNOWN,
	[0x0d] = R(OP_NOP, FORM_M, MODRM), /* PREFETCHW */
	[0x0e] = NONE(0),
	[0x0f] = NONE(MODRM | OF_IUB), /* 3DNow! */

	[0x10 ... 0x13] = R(OP_SIMD, FORM_NONE, MODRM),
	[0x14 ... 0x15] = NONE(MODRM),
	[0x16 ... 0x17] = R(OP_SIMD, FORM_NONE, MODRM),
	[0x18] = G(GRP_16, FORM_M, 0),
	[0x19] = R(OP_NOP, FORM_M, MODRM),
	[0x1a ... 0x1b] = NONE(MODRM), /* MPX, or NOP */
	[0x1c ... 0x1f] = R(OP_NOP, FORM_M, MODRM),

	[0x20 ... 0x23] = NONE(MODRM | OF_MODREG),
	[0x24 ... 0x27] = UNKNOWN,
	[0x28 ... 0x29] = R(OP_SIMD, FORM_NONE, MODRM),
	[0x2a] = NONE(MODRM),
	[0x2b] = R(OP_SIMD, FORM_NONE, MODRM),
	[0x2c ... 0x2f] = NONE(MODRM),

	[0x30 ... 0x35] = NONE(0),
	[0x36] = UNKNOWN,
	[0x37] = NONE(0),
	[0x38 ... 0x3f] = UNKNOWN, /* 38, 3a: escapes */

	[0x40 ... 0x4f] = R(OP_CMOVCC, FORM_RM, MODRM),
	[0x50 ... 0x6d] = NONE(MODRM),
	[0x6e ... 0x6f] = R(OP_SIMD, FORM_NONE, MODRM),
	[0x70 ... 0x73] = NONE(MODRM | OF_IUB),
	[0x74 ... 0x76] = NONE(MODRM),
	[0x77] = NONE(0),
	[0x78 ... 0x79] = NONE(MODRM),
	[0x7a ... 0x7b] = UNKNOWN,
	[0x7c ... 0x7d] = NONE(MODRM),
	[0x7e ... 0x7f] = R(OP_SIMD, FORM_NONE, MODRM),

	[0x80 ... 0x8f] = NONE(OF_F64 | OF_IZ),
	[0x90 ... 0x9f] = R(OP_SETCC, FORM_M, MB),
	[0xa0 ... 0xa1] = NONE(OF_D64),
	[0xa2] = NONE(0),
	[0xa3] = R(OP_BT, FORM_MR, MODRM),
	[0xa4] = R(OP_SHLD, FORM_MRI, MODRM | OF_IUB),
	[0xa5] = R(OP_SHLD, FORM_MRC, MODRM),
	[0xa6 ... 0xa7] = UNKNOWN,
	[0xa8 ... 0xa9] = NONE(OF_D64),
	[0xaa] = NONE(0),
	[0xab] = R(OP_BTS, FORM_MR, MODRM | OF_LOCK),
	[0xac] = R(OP_SHRD, FORM_MRI, MODRM | OF_IUB),
	[0xad] = R(OP_SHRD, FORM_MRC, MODRM),
	[0xae] = G(GRP_15, FORM_M, 0),
	[0xaf] = R(OP_IMUL2, FORM_RM, MODRM),

	PAIR(0xb0, OP_CMPXCHG, FORM_MR, MODRM | OF_LOCK),
	[0xb2] = NONE(MODRM | OF_MEMONLY),
	[0xb3] = R(OP_BTR, FORM_MR, MODRM | OF_LOCK),
	[0xb4 ... 0xb5] = NONE(MODRM | OF_MEMONLY),
	[0xb6 ... 0xb7] = R(OP_MOVZX, FORM_RM, MODRM), /* source of 8 and of 16 bits */
	[0xb8] = R(OP_POPCNT, FORM_RM, MODRM),
	[0xb9] = R(OP_UD, FORM_NONE, MODRM), /* UD1 */
	[0xba] = G(GRP_8, FORM_MI, OF_IUB),
	[0xbb] = R(OP_BTC, FORM_MR, MODRM | OF_LOCK),
	[0xbc] = R(OP_BSF, FORM_RM, MODRM),
	[0xbd] = R(OP_BSR, FORM_RM, MODRM),
	[0xbe ... 0xbf] = R(OP_MOVSX, FORM_RM, MODRM),

	PAIR(0xc0, OP_XADD, FORM_MR, MODRM | OF_LOCK),
	[0xc2] = NONE(MODRM | OF_IUB),
	[0xc3] = R(OP_MOVNTI, FORM_MR, MODRM | OF_MEMONLY),
	[0xc4 ... 0xc6] = NONE(MODRM | OF_IUB),
	[0xc7] = G(GRP_9, FORM_M, 0),
	[0xc8 ... 0xcf] = NONE(0), /* BSWAP */

	[0xd0 ... 0xd5] = NONE(MODRM),
	[0xd6] = R(OP_SIMD, FORM_NONE, MODRM),
	[0xd7 ... 0xe6] = NONE(MODRM),
	[0xe7] = R(OP_SIMD, FORM_NONE, MODRM),
	[0xe8 ... 0xef] = NONE(MODRM),
	[0xf0] = R(OP_SIMD, FORM_NONE, MODRM),
	[0xf1 ... 0xfe] = NONE(MODRM),
	[0xff] = R(OP_UD, FORM_NONE, MODRM), /* UD0 */
};

/*
 * By ModRM.reg; added to the row that named the group: its flags, and its form unless the one here is not FORM_NONE.
 */
const struct vtx_opcode vtx_opcode_groups[NR_GRP][8] = {
	[GRP_1] = {
		R(OP_ADD, 0, OF_LOCK), R(OP_OR, 0, OF_LOCK), R(OP_ADC, 0, OF_LOCK), R(OP_SBB, 0, OF_LOCK),
		R(OP_AND, 0, OF_LOCK), R(OP_SUB, 0, OF_LOCK), R(OP_XOR, 0, OF_LOCK), R(OP_CMP, 0, 0),
	},
	[GRP_1A] = { R(OP_POP, 0, 0), [1 ... 7] = UNKNOWN /* AMD's XOP */ },
	[GRP_2] = {
		R(OP_ROL, 0, 0), R(OP_ROR, 0, 0), R(OP_RCL, 0, 0), R(OP_RCR, 0, 0),
		R(OP_SHL, 0, 0), R(OP_SHR, 0, 0), R(OP_SHL, 0, 0), R(OP_SAR, 0, 0),
	},
	[GRP_3B] = {
		R(OP_TEST, FORM_MI, OF_IB), R(OP_TEST, FORM_MI, OF_IB),
		R(OP_NOT, 0, OF_LOCK), R(OP_NEG, 0, OF_LOCK),
		R(OP_MUL, 0, 0), R(OP_IMUL, 0, 0), R(OP_DIV, 0, 0), R(OP_IDIV, 0, 0),
	},
	[GRP_3V] = {
		R(OP_TEST, FORM_MI, OF_IZ), R(OP_TEST, FORM_MI, OF_IZ),
		R(OP_NOT, 0, OF_LOCK), R(OP_NEG, 0, OF_LOCK),
		R(OP_MUL, 0, 0), R(OP_IMUL, 0, 0), R(OP_DIV, 0, 0), R(OP_IDIV, 0, 0),
	},
	[GRP_4] = { R(OP_INC, 0, OF_LOCK), R(OP_DEC, 0, OF_LOCK), [2 ... 7] = UD },
	[GRP_5] = {
		R(OP_INC, 0, OF_LOCK), R(OP_DEC, 0, OF_LOCK),
		R(OP_CALL, 0, OF_F64), NONE(OF_MEMONLY), R(OP_JMP, 0, OF_F64), NONE(OF_MEMONLY),
		R(OP_PUSH, 0, OF_D64), UD,
	},
	[GRP_8] = {
		[0 ... 3] = UD,
		R(OP_BT, 0, 0), R(OP_BTS, 0, OF_LOCK), R(OP_BTR, 0, OF_LOCK), R(OP_BTC, 0, OF_LOCK),
	},
	/* Apart from /1, instructions of XSAVE, VMX, RDRAND; which one depends on prefixes and mod */
	[GRP_9] = { NONE(0), R(OP_CMPXCHG8B, 0, OF_LOCK), [2 ... 7] = NONE(0) },
	/* /7 is XABORT and XBEGIN when mod = 3 and rm = 0; see opcode_group() */
	[GRP_11] = { R(OP_MOV, 0, 0), [1 ... 7] = UD },
	[GRP_15] = { [0 ... 5] = NONE(0), R(OP_CLFLUSH, 0, 0), R(OP_CLFLUSH, 0, 0) },
	[GRP_16] = { [0 ... 7] = R(OP_NOP, 0, 0) },
};

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The plain moves of drivers, pure: MOV, MOVZX and MOVSX between a register or immediate and memory in 64-bit code, with at
 * most an operand-size and a REX prefix.  Nearly all MMIO is these; everything else is the emulator's.
 */
#ifndef VTX_EXITS_MOV_DECODE_H
#define VTX_EXITS_MOV_DECODE_H

#include "compat/pure.h"

#define VTX_MOV_NONE 0xff	/* no base or index register */

struct vtx_mov {
	u8 len;		/* of the instruction */
	u8 size;	/* bytes of memory */
	bool store;
	bool immediate;	/* of a store: imm instead of reg */
	bool sign;	/* of a load: extends with the sign */
	bool high;	/* reg is AH, CH, DH or BH of register 0 to 3 */
	u8 reg;
	u8 reg_size;	/* of a load: bytes of the register */
	u8 base, index, scale;
	bool rip_relative;
	s32 disp;
	s32 imm;
};

/* Decodes @n bytes. False: not one of these, or longer than @n. */
bool vtx_mov_decode(const u8 *bytes, unsigned int n, struct vtx_mov *m);
/* The operand's linear address; @rip is the instruction's. */
u64 vtx_mov_address(const struct vtx_mov *m, const u64 *regs, u64 rip);
/* What a store writes: the low m->size bytes. */
u64 vtx_mov_store_value(const struct vtx_mov *m, const u64 *regs);
/* The register after a load of @data, @old before. */
u64 vtx_mov_load_value(const struct vtx_mov *m, u64 old, u64 data);

#endif /* VTX_EXITS_MOV_DECODE_H */

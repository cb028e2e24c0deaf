/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why an instruction is not emulated: a code that the place which gives up sets, and its sentence.
 */
#ifndef VTX_EMULATE_WHY_H
#define VTX_EMULATE_WHY_H

#include "compat/pure.h"

enum vtx_emu_why {
	VTX_EMU_WHY_NONE,
	VTX_EMU_WHY_OPCODE,		/* an instruction whose operands are known, but not what it does */
	VTX_EMU_WHY_UNKNOWN,		/* no row in the tables: not even the length */
	VTX_EMU_WHY_VEX_MAP,		/* VEX or EVEX prefix with a map or reserved bits that mean nothing */
	VTX_EMU_WHY_CODE_NOT_RAM,	/* the bytes do not lie in memory */
	VTX_EMU_WHY_VECTOR,		/* a vector instruction, or a form of one, that is no plain move */
	VTX_EMU_WHY_FORM,		/* a form of a known instruction */
	VTX_EMU_WHY_WRAP,		/* operand across the end of the 4 GiB space */
	VTX_EMU_WHY_DEVICE_ACCESSES,	/* more accesses to devices than are kept */
	VTX_EMU_WHY_WIDE_EXCHANGE,	/* compare and exchange of more than 16 bytes */
	VTX_EMU_WHY_PORT_RIGHTS,	/* a port that only the I/O bitmap could allow */
	VTX_NR_EMU_WHY,
};

/* A sentence without its full stop. */
const char *vtx_emu_why_text(enum vtx_emu_why why);

#endif /* VTX_EMULATE_WHY_H */

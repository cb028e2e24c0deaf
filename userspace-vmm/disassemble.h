/* SPDX-License-Identifier: GPL-2.0-only */
/* An instruction in Intel's notation, by Zydis where the tool was built with it. */
#ifndef VTX_VMM_DISASSEMBLE_H
#define VTX_VMM_DISASSEMBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Was it built with Zydis?  If not, vtx_disassemble() always says 0. */
bool vtx_can_disassemble(void);

/*
 * The instruction at the start of BYTES, in code of BITS (16, 32, 64), as TEXT.  Returns its length, or 0 (and text "") where
 * the bytes are none.
 */
unsigned int vtx_disassemble(const uint8_t *bytes, size_t len, unsigned int bits, uint64_t address, char *text, size_t size);

#endif

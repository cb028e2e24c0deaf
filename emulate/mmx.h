/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * MMX registers inside an FXSAVE image, the first 512 bytes of an XSAVE area (SDM vol. 1, table 10-2).
 *
 * MMi is the low 64 bits of the x87 register Ri, but the image has the registers in stack order: at place j is
 * ST(j) = R((TOP + j) mod 8).  @image: at least 160 bytes, any alignment; @reg: 0 to 7.  What the functions do is
 * SDM vol. 3, table 12-3; none of them touches other x87 state (control word, condition codes, last pointers).
 */
#ifndef VTX_EMULATE_MMX_H
#define VTX_EMULATE_MMX_H

#include "compat/pure.h"

/* The register's value; changes nothing.  An instruction that reads is complete only with vtx_mmx_used(). */
u64 vtx_mmx_read(const void *image, unsigned int reg);

/* An MMX instruction other than EMMS has ended: TOP is 0, all tags are valid; the registers keep their values. */
void vtx_mmx_used(void *image);

/* vtx_mmx_used(), then the value into the register, and ones into what is the exponent and sign of an x87 number. */
void vtx_mmx_write(void *image, unsigned int reg, u64 val);

#endif /* VTX_EMULATE_MMX_H */

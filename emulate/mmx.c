// SPDX-License-Identifier: GPL-2.0-only
/*
 * MMX registers inside an FXSAVE image: see the header.
 */
#include "compat/pure.h"
#include "emulate/mmx.h"

/* Byte offsets, SDM vol. 1, table 10-2 */
#define FX_FSW   2
#define FX_FTW   4 /* abridged: a bit for each Ri, not for each ST(i); 1: not empty */
#define FX_ST    32
#define FX_PLACE 16

#define TOP_SHIFT 3 /* TOP is bits 11 to 13 of FSW, so 3 to 5 of its second byte */
#define TOP_MASK  (7 << TOP_SHIFT)

static unsigned int top_of(const u8 *image)
{
	return (image[FX_FSW + 1] & TOP_MASK) >> TOP_SHIFT;
}

static unsigned int offset_of(const u8 *image, unsigned int reg)
{
	return FX_ST + FX_PLACE * ((reg - top_of(image)) & 7);
}

u64 vtx_mmx_read(const void *image, unsigned int reg)
{
	u64 val;

	memcpy(&val, (const u8 *)image + offset_of(image, reg), sizeof(val));
	return val;
}

void vtx_mmx_used(void *image)
{
	u8 *fx = image, old[8 * FX_PLACE];
	unsigned int top = top_of(fx), i;

	memcpy(old, fx + FX_ST, sizeof(old));
	for (i = 0; i < 8; i++)
		memcpy(fx + FX_ST + FX_PLACE * ((top + i) & 7), old + FX_PLACE * i, FX_PLACE);
	fx[FX_FSW + 1] &= ~TOP_MASK;
	fx[FX_FTW] = 0xff;
}

void vtx_mmx_write(void *image, unsigned int reg, u64 val)
{
	u8 *place;

	vtx_mmx_used(image);
	place = (u8 *)image + offset_of(image, reg);
	memcpy(place, &val, sizeof(val));
	memset(place + sizeof(val), 0xff, 2);
}

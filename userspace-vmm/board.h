/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What devices ask of the machine they sit in: interrupt lines, and the end of the run.  A test gives its own
 * functions.
 */
#ifndef VTX_VMM_BOARD_H
#define VTX_VMM_BOARD_H

struct vtx_board {
	void *machine;
	void (*set_irq)(void *machine, unsigned int irq, int level);
	/* Ends the run with STATUS (enum vtx_status, or the guest's own for debug exit).  WHY is static text. */
	void (*end)(void *machine, int status, const char *why);
};

#endif

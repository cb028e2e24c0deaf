/* SPDX-License-Identifier: GPL-2.0-only */
/* A board that writes down what devices ask of it. */
#ifndef VTX_UNIT_VMM_BOARD_STUB_H
#define VTX_UNIT_VMM_BOARD_STUB_H

#include "userspace-vmm/board.h"

struct board_stub {
	struct vtx_board board;
	unsigned int irq;
	int level;
	unsigned int edges; /* rising */
	int ended;
	int status;
};

static inline void stub_set_irq(void *machine, unsigned int irq, int level)
{
	struct board_stub *s = machine;

	s->irq = irq;
	s->edges += level && !s->level;
	s->level = level;
}

static inline void stub_end(void *machine, int status, const char *why)
{
	struct board_stub *s = machine;

	(void)why;
	s->ended++;
	s->status = status;
}

static inline void stub_init(struct board_stub *s)
{
	*s = (struct board_stub){ .board = { .machine = s, .set_irq = stub_set_irq, .end = stub_end }, .status = -1 };
}

#endif

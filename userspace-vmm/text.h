/* SPDX-License-Identifier: GPL-2.0-only */
/* A screen full of text in memory: what a view draws on, and what tests look at.  Everything is clipped at the edges. */
#ifndef VTX_VMM_TEXT_H
#define VTX_VMM_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum vtx_look {
	VTX_LOOK_PLAIN,
	VTX_LOOK_BOLD,
	VTX_LOOK_REVERSE,
	VTX_LOOK_DIM,
};

struct vtx_text {
	int rows, cols;
	char *cells;	/* rows * cols characters, blank where nothing was written */
	uint8_t *looks;	/* enum vtx_look of each */
};

/* Blank, of this size (at least 1 by 1); false without memory.  TEXT must be zero or of an earlier call. */
bool vtx_text_reset(struct vtx_text *text, int rows, int cols);
void vtx_text_free(struct vtx_text *text);
/* Returns the column behind what was written. */
int vtx_text_put(struct vtx_text *text, int row, int col, enum vtx_look look, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* The whole row in LOOK. */
void vtx_text_look(struct vtx_text *text, int row, enum vtx_look look);
/* Rows as lines, without the blanks at their ends. */
void vtx_text_write(const struct vtx_text *text, FILE *out);

#endif

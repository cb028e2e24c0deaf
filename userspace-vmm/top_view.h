/* SPDX-License-Identifier: GPL-2.0-only */
/* `vtx top`: a table as a screen, and as CSV.  Pure. */
#ifndef VTX_VMM_TOP_VIEW_H
#define VTX_VMM_TOP_VIEW_H

#include <stdio.h>

#include "userspace-vmm/text.h"
#include "userspace-vmm/top_model.h"

struct vtx_top_view {
	enum vtx_top_group group;
	enum vtx_top_sort sort;
	bool paused, hot, help;
	char clock[16];		/* "22:14:03" */
};

/* Draws on TEXT, which has been reset to the size of the screen. */
void vtx_top_draw(struct vtx_text *text, const struct vtx_top_table *table, const struct vtx_top_view *view);

void vtx_top_csv_header(FILE *out);
/* A row for each line; WHEN is its first column. */
void vtx_top_csv(const struct vtx_top_table *table, const char *when, FILE *out);

#endif

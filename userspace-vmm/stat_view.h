/* SPDX-License-Identifier: GPL-2.0-only */
/* `vtx stat`: kvm_stat's screen, its batch lines, its two kinds of log.  Pure. */
#ifndef VTX_VMM_STAT_VIEW_H
#define VTX_VMM_STAT_VIEW_H

#include <stdio.h>

#include "userspace-vmm/stat_model.h"
#include "userspace-vmm/text.h"

struct vtx_stat_view {
	bool by_total;		/* order: by total, else by the current rate */
	bool help;
	double seconds;		/* the interval; 0: none yet */
	char guest[64];		/* of the PID the fields are limited to */
	const char *(*guest_name)(const char *vm);	/* what to call a VM in the view by guest; NULL: as it is */
};

void vtx_stat_draw(struct vtx_text *text, const struct vtx_stat *stat, const struct vtx_stat_view *view);

/* -1: name, value, delta of each field. */
void vtx_stat_batch(const struct vtx_stat *stat, FILE *out);
/* -l: the names, and then the deltas; CSV or blanks between. */
void vtx_stat_banner(const struct vtx_stat *stat, bool csv, FILE *out);
void vtx_stat_line(const struct vtx_stat *stat, const char *when, bool csv, FILE *out);
bool vtx_stat_all_zero(const struct vtx_stat *stat);

#endif

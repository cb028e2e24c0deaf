/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `vtx stat`: vtx's counters under the names kvm_stat gives to KVM's.  Pure.
 *
 * Tracepoint names: kvm_exit, and a child kvm_exit(REASON) for each reason.  Debugfs names: those of KVM's statistics
 * that vtx's counters answer exactly.
 */
#ifndef VTX_VMM_STAT_MODEL_H
#define VTX_VMM_STAT_MODEL_H

#include <regex.h>

#include "userspace-vmm/top_model.h"

struct vtx_stat_field {
	char name[48];
	int64_t value;	/* since the start, or since the guest's with `past` */
	int64_t delta;	/* in the last interval */
};

struct vtx_stat {
	bool tracepoints, debugfs;	/* which names; at least one */
	bool past;	/* count what was before the start as well */
	bool by_guest;	/* fields are VMs */
	bool no_children;	/* no kvm_exit(REASON) */
	bool fixed;	/* no new fields after the first update: a log's columns stay */
	int pid;	/* 0: all */
	bool filtered;
	regex_t filter;
	char filter_text[128];
	bool started;
	size_t fields;
	struct vtx_stat_field *field;	/* sorted by name */
};

/* TEXT as kvm_stat's -f: a regular expression (POSIX extended) that fits from the field's first character on. "": all. */
int vtx_stat_set_filter(struct vtx_stat *stat, const char *text, struct vtx_error *error);
/* Forgets all values, and what BY_GUEST and others have changed; the next update starts afresh. */
void vtx_stat_reset(struct vtx_stat *stat);
void vtx_stat_free(struct vtx_stat *stat);

/* Takes in the interval between two samples; BEFORE NULL: the first.  All reasons of the manual have a field from then on. */
int vtx_stat_update(struct vtx_stat *stat, const struct vtx_sample *before, const struct vtx_sample *after, struct vtx_error *error);

/* kvm_exit(HLT) is a child. */
bool vtx_stat_is_child(const char *name);

#endif

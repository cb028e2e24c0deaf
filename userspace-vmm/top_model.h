/* SPDX-License-Identifier: GPL-2.0-only */
/* `vtx top`: what happened between two samples, grouped and sorted.  Pure. */
#ifndef VTX_VMM_TOP_MODEL_H
#define VTX_VMM_TOP_MODEL_H

#include "userspace-vmm/counters.h"

enum vtx_top_group {
	VTX_TOP_BY_REASON,
	VTX_TOP_BY_VM,
	VTX_TOP_BY_VCPU,
	VTX_TOP_BY_ALL,		/* a line for each reason of each vCPU */
	VTX_TOP_GROUPS
};

enum vtx_top_sort {
	VTX_TOP_SORT_EXITS,
	VTX_TOP_SORT_TICKS,
	VTX_TOP_SORT_TOTAL,
	VTX_TOP_SORT_NAME,
	VTX_TOP_SORTS
};

struct vtx_top_line {
	char vm[40];		/* empty where it is not part of the group's key */
	int vcpu;		/* -1: likewise */
	char reason[VTX_REASON_LEN];	/* likewise */
	bool failed;		/* the VM is dead */
	uint64_t exits, ticks, user_ticks;	/* in the interval */
	uint64_t total;		/* exits since the guest began, or since the counters were cleared */
	uint64_t min, max;	/* ticks of one exit, since then; 0: not known */
};

struct vtx_top_hot {
	char table[12], key[20];
	uint64_t count;		/* in the interval */
	uint64_t total;
};

struct vtx_top_table {
	double seconds;		/* the interval; 0: there is no earlier sample */
	uint64_t tsc;		/* ticks of it */
	unsigned int vms, vcpus, failed;
	struct vtx_top_line sum;
	size_t lines, hots;
	struct vtx_top_line *line;
	struct vtx_top_hot *hot;	/* sorted by table, then by count */
};

/* BEFORE may be NULL: then the interval has no exits, and all that is known is the total. */
int vtx_top_compute(struct vtx_top_table *table, const struct vtx_sample *before, const struct vtx_sample *after,
		    enum vtx_top_group group, enum vtx_top_sort sort, struct vtx_error *error);
void vtx_top_free(struct vtx_top_table *table);

/* In 0 to 100; 0 where WHOLE is 0. */
double vtx_percent(uint64_t part, uint64_t whole);

const char *vtx_top_group_name(enum vtx_top_group group);
const char *vtx_top_sort_name(enum vtx_top_sort sort);
/* By name; -1: there is none. */
int vtx_top_group_find(const char *name);
int vtx_top_sort_find(const char *name);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All statistics of a VM and of a vCPU: one definition for each gives its name, unit, sentence and place.
 *
 * Whoever shows statistics goes through these two lists: the statistics file (uapi/stats_fd.c), debugfs.
 */
#ifndef VTX_TRACE_STAT_DEFS_H
#define VTX_TRACE_STAT_DEFS_H

#include <linux/types.h>

#define VTX_STAT_NAME_SIZE 48	/* with its 0, as KVM's */
#define VTX_LATENCY_SIZE   33	/* numbers of a latency histogram: those of struct vtx_exit_stat, and KVM's bucket for 0 */

struct seq_file;
struct vtx_vm;
struct vtx_vcpu;

struct vtx_stat_def {
	const char *name;	/* KVM's where KVM has the statistic */
	const char *sentence;	/* what it counts */
	u32 flags;		/* KVM_STATS_TYPE_* | KVM_STATS_UNIT_* | KVM_STATS_BASE_* */
	s16 exponent;		/* of the unit, base 10 */
	u16 size;		/* how many numbers: 1, a histogram more */
	bool in_kvm;		/* KVM has it under this name */
	u32 arg, field;		/* the place, for @read */
	/* Adds to the zeroed @out[size]. @vcpu is NULL for a statistic of the VM. Any thread, the vCPU may run. */
	void (*read)(const struct vtx_stat_def *def, struct vtx_vm *vm, struct vtx_vcpu *vcpu, u64 *out);
};

struct vtx_stat_list {
	const struct vtx_stat_def *defs;
	unsigned int nr;
	unsigned int nr_values;		/* the sum of their sizes */
};

/* Constant between vtx_stat_defs_init() and vtx_stat_defs_exit(). */
extern struct vtx_stat_list vtx_vm_stat_list, vtx_vcpu_stat_list;

int vtx_stat_defs_init(void);	/* module load: 0, -ENOMEM */
void vtx_stat_defs_exit(void);

/* @out has room for def->size numbers. */
void vtx_stat_read(const struct vtx_stat_def *def, struct vtx_vm *vm, struct vtx_vcpu *vcpu, u64 *out);
/* One number; of a histogram the sum of its buckets. */
u64 vtx_stat_value(const struct vtx_stat_def *def, struct vtx_vm *vm, struct vtx_vcpu *vcpu);

/* All definitions as text (docs/tracing.md, "statistics"). */
void vtx_stat_defs_show(struct seq_file *file);

#endif /* VTX_TRACE_STAT_DEFS_H */

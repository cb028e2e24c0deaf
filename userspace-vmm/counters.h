/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What /sys/kernel/debug/vtx says at one moment: the exit counters of each vCPU of each VM (formats: docs/tracing.md).
 * Files may vanish while they are read, since guests end at any time: what is gone is left out.
 */
#ifndef VTX_VMM_COUNTERS_H
#define VTX_VMM_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace-vmm/message.h"

#define VTX_DEBUGFS "/sys/kernel/debug"
#define VTX_REASON_LEN 32

struct vtx_exit_count {
	char reason[VTX_REASON_LEN];
	uint64_t count, ticks, user_ticks, min, max; /* those the file does not have are 0 */
};

/* A line of `top`: the busiest MSRs, ports, CPUID leaves, MMIO pages, hypercalls. */
struct vtx_hot_count {
	char table[12];
	char key[20];	/* "0x1a0", or "overflow" */
	uint64_t count;
};

struct vtx_vcpu_sample {
	unsigned int id;
	size_t exits, hots;
	struct vtx_exit_count *exit;
	struct vtx_hot_count *hot;
};

struct vtx_vm_sample {
	char name[40];	/* the folder: <pid>-<fd> */
	int pid;
	uint64_t pages_4k, pages_2m, pages_1g;
	bool failed;	/* `failure` has a sentence */
	size_t vcpus;
	struct vtx_vcpu_sample *vcpu;	/* sorted by id */
};

struct vtx_sample {
	double seconds;	/* CLOCK_MONOTONIC */
	uint64_t tsc;
	size_t vms;
	struct vtx_vm_sample *vm;	/* sorted by pid, then name */
};

/* Reads ROOT/vtx.  Returns 0, or -1 with ERROR filled.  *SAMPLE must be zero or of an earlier call. */
int vtx_sample_take(struct vtx_sample *sample, const char *root, struct vtx_error *error);
void vtx_sample_free(struct vtx_sample *sample);

/* The texts of the files `exits`, `top` and `memory`.  Columns are found by the names in the header line. */
int vtx_parse_exits(struct vtx_vcpu_sample *vcpu, const char *text, struct vtx_error *error);
int vtx_parse_hots(struct vtx_vcpu_sample *vcpu, const char *text, struct vtx_error *error);
void vtx_parse_memory(struct vtx_vm_sample *vm, const char *text);

/* The same VM, vCPU, line in another sample, or NULL; OTHER may be NULL. */
const struct vtx_vm_sample *vtx_sample_vm(const struct vtx_sample *other, const char *name);
const struct vtx_vcpu_sample *vtx_sample_vcpu(const struct vtx_vm_sample *other, unsigned int id);
const struct vtx_exit_count *vtx_sample_exit(const struct vtx_vcpu_sample *other, const char *reason);

/* How far a counter went on.  One that went back was cleared in between, and counted from 0. */
static inline uint64_t vtx_counter_delta(uint64_t now, uint64_t then)
{
	return now < then ? now : now - then;
}

#endif

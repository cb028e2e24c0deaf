/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a program does to the machine it runs on: CPUs off and on, sleeping, control groups, and guests that are busy meanwhile.
 */
#ifndef VTX_SELFTEST_HOST_H
#define VTX_SELFTEST_HOST_H

#include "lib/guest.h"
#include "lib/vm.h"

/* Writes a string to a file of /proc or /sys: 0, or -1 and errno. */
int write_file(const char *path, const char *text);
/* The whole file as a string, in a static buffer; "" when it cannot be read. */
const char *read_text(const char *path);
/* The number after a word at the start of a line ("oom_kill 1", "NMI: 3 4"), or -1. */
long read_number(const char *path, const char *word);

int cpus_online(void);
int cpu_set_online(int cpu, bool online);	/* 0, or -1 and errno */
void on_cpu(int cpu);				/* this thread, from now on */
bool thread_on_cpu(pthread_t thread, int cpu);

/* A group below the root of cgroup v2 (mounted when it is not), or NULL when the kernel has none; to be freed. */
char *cgroup_new(const char *name, const char *controllers);
int cgroup_write(const char *group, const char *file, const char *text);
const char *cgroup_read(const char *group, const char *file);
void cgroup_free(char *group);

/*
 * Busy guests: vCPUs of one VM, each in a thread that runs it until busy_stop(). Even ones compute, with registers and memory checked
 * by the guest; odd ones sleep in HLT between ticks of their LAPIC timer. Both count their turns.
 */
#define BUSY_MAX 8	/* as many stacks as guests have */

struct busy {
	int nr;
	struct vcpu *v[BUSY_MAX];
	pthread_t thread[BUSY_MAX];
	u64 seen[BUSY_MAX];
};

void busy_start(struct busy *b, int nr);
/* Waits until each has made this many turns since the last call; ends the case when one does not. */
void busy_progress(struct busy *b, u64 turns);
void busy_stop(struct busy *b);			/* checks that all ended well, frees the VM */
/* One vCPU's guest, for programs that run it themselves: never ends before @stop is set. */
struct vcpu *busy_vcpu(struct vm *vm, int id);

#endif /* VTX_SELFTEST_HOST_H */

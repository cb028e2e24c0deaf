/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Making one allocation, or one copy from or to user memory, of a system call fail: the kernel's fault injection by /proc/thread-self/fail-nth
 * (Documentation/fault-injection/fault-injection.rst), and what the kernel's log said about it.
 */
#ifndef VTX_SELFTEST_FAULTS_H
#define VTX_SELFTEST_FAULTS_H

#include "lib/harness.h"

/* Ends the case as skipped where the kernel has no fault injection. Silences the console: each fault logs a call trace. */
void faults_begin(void);
/*
 * The n-th chance to fail of this thread's system calls from now on fails; with @all, all allocations after it as well, as those that
 * have a second way to memory (kvmalloc) survive a single fault.
 */
void faults_arm(unsigned int n, bool all);
/* True: it came to that. */
bool faults_disarm(void);
/*
 * Reads the kernel's log since the last call: remembers the module's functions at which faults happened, and complains about what
 * else the kernel did not like. False: the last fault was none of the module's, nor below it.
 */
bool faults_read_log(const char *what);
/* How many functions are remembered. */
size_t faults_sites(void);
/* Prints the functions as notes "site CALLER+OFFSET/SIZE CALLEE", empties the log, gives the console back. */
void faults_end(void);
/* A line of the kernel's log that should not be there. */
bool kernel_complains(const char *line);
/* An errno that a program can understand as "no memory, or bad memory, try again". */
bool fault_errno(int error);

#endif /* VTX_SELFTEST_FAULTS_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module under test as a program sees it: loading, unloading, what the kernel said, and the memory it holds.
 */
#ifndef VTX_SELFTEST_MODULE_H
#define VTX_SELFTEST_MODULE_H

#include "lib/harness.h"

/* File of the module: $VTX_MODULE (up to a comma), else /vtx/vtx.ko; NULL when there is none. */
const char *module_file(void);
/* Its parameters: what follows the comma in $VTX_MODULE, as module_load() wants them. */
const char *module_params(void);
bool module_loaded(const char *name);

/* The system calls' own answers: 0, or -1 and errno. */
int module_load(const char *file, const char *params);
int module_unload(const char *name);

/* Runs a program of the machine (modprobe, rmmod); its exit status. */
int run_program(const char *const argv[]);

/* The kernel's log so far, in a static buffer. */
const char *kernel_log(void);

struct memory_in_use {
	long slab_kb;		/* objects that cannot be reclaimed */
	long vmalloc_kb;
	long percpu_kb;
	long anonymous_kb;
	long pinned;		/* nr_foll_pin_acquired - nr_foll_pin_released */
};

/* After caches have been dropped and RCU has had its say. */
struct memory_in_use memory_in_use(void);

#endif /* VTX_SELFTEST_MODULE_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Watching a guest of our own while it boots: a snapshot of its counters at each mark between phases.  The console's text comes
 * through vtx_boot_live_console(), exits through the boot processor's mapped flight recorder, counters from debugfs.
 */
#ifndef VTX_VMM_BOOT_LIVE_H
#define VTX_VMM_BOOT_LIVE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "userspace-vmm/boot_report.h"
#include "userspace-vmm/boot_watch.h"

struct vtx_machine;

struct vtx_boot_live {
	/* set by the caller */
	const char *until;   /* text on the console that ends the boot; "": none */
	bool keep_running;   /* after that */
	uint64_t begun;	     /* TSC when the program started */
	/* private */
	struct vtx_machine *machine;
	char folder[64];
	const void *ring;
	pthread_t thread;
	bool thread_started;
	atomic_bool stop;
	pthread_mutex_t lock; /* all below */
	bool finished;
	uint64_t number; /* of the next record to look at */
	struct vtx_boot_watch watch;
	bool has_exits;
	struct vtx_boot_counters before; /* at the start of the phase that runs */
	struct vtx_boot_report report;
};

/* After the vCPUs were created, before they run. */
void vtx_boot_live_start(struct vtx_boot_live *live, struct vtx_machine *machine);
/* From the console, on a vCPU's thread. */
void vtx_boot_live_console(void *live, uint8_t byte);
/* After all vCPUs have stopped, while the VM still exists: live->report is complete. */
void vtx_boot_live_finish(struct vtx_boot_live *live);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Recognizing the phases of a boot from what can be seen from outside: where exits happen, at which privilege, and what the guest
 * prints.  Pure: a state machine that only goes forward.
 */
#ifndef VTX_VMM_BOOT_WATCH_H
#define VTX_VMM_BOOT_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "uapi/vtx.h"
#include "userspace-vmm/boot_report.h"

#define VTX_BOOT_LINE 256

struct vtx_boot_watch {
	bool begun;
	enum vtx_boot_phase phase;
	const char *until; /* the text that says that the guest is up; "": never */
	/* called at each change, with the TSC at which the phase began */
	void (*changed)(void *opaque, enum vtx_boot_phase phase, uint64_t tsc);
	void *opaque;
	/* the console's line so far */
	char line[VTX_BOOT_LINE];
	unsigned int length;
	bool talkative; /* the kernel prints what it does: it will also say that it starts a program */
	/* of a trace: writes to the serial port in a row, and when they began */
	unsigned int serial_run;
	uint64_t serial_tsc;
};

/* An exit. */
void vtx_boot_watch_record(struct vtx_boot_watch *watch, const struct vtx_record *record);
/* The same, for a source without the console's text: a stretch of output on the serial port stands for it. */
void vtx_boot_watch_trace(struct vtx_boot_watch *watch, const struct vtx_record *record);
/* A byte on the console. */
void vtx_boot_watch_console(struct vtx_boot_watch *watch, uint8_t byte, uint64_t tsc);

#endif

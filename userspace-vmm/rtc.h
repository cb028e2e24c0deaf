/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * MC146818 real-time clock and its CMOS memory at ports 0x70 and 0x71: time of day in UTC (BCD or binary, 12 or
 * 24 hours, as register B says), memory size, shutdown byte.  It keeps time but raises no interrupt.
 */
#ifndef VTX_VMM_RTC_H
#define VTX_VMM_RTC_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

#include "userspace-vmm/bus.h"

struct vtx_rtc {
	struct timespec (*now)(void); /* UTC; a test sets its own */
	pthread_mutex_t lock;	      /* all below */
	uint8_t index;
	uint8_t cmos[128];
	int64_t offset; /* seconds the guest moved its clock by */
};

/* LOW and HIGH: bytes of guest memory below and above 4 GiB. */
void vtx_rtc_init(struct vtx_rtc *rtc, uint64_t low, uint64_t high);
int vtx_rtc_attach(struct vtx_rtc *rtc, struct vtx_bus *bus);

#endif

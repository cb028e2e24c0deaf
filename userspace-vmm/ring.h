/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading a flight recorder: the mapped pages of a live vCPU, debugfs `recorder_raw`, or a copy in a file.  Trusts nothing in it. */
#ifndef VTX_VMM_RING_H
#define VTX_VMM_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uapi/vtx.h"
#include "userspace-vmm/message.h"

#define VTX_RING_MAX_RECORDS (1U << 20)

bool vtx_is_ring(const void *data, size_t size);

/* Is all that the header promises within SIZE bytes?  Returns 0, or -1 with ERROR filled; NAME is for the message. */
int vtx_ring_check(const void *data, size_t size, const char *name, struct vtx_error *error);

/*
 * The newest MAX records of a ring that passed vtx_ring_check(), the oldest of them first.  Returns how many; *LOST is how many
 * between the first and the last of them had been overwritten.
 */
size_t vtx_ring_newest(const void *data, struct vtx_record *records, size_t max, uint32_t *lost);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where trace entries come from: debugfs `trace_raw`, a copy of that, a file that `vtx trace -w` wrote (the same behind a header),
 * or a flight recorder (`recorder_raw`).  What it is shows in the first bytes.
 */
#ifndef VTX_VMM_TRACE_SOURCE_H
#define VTX_VMM_TRACE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uapi/vtx.h"
#include "userspace-vmm/message.h"

#define VTX_TRACE_FILE_MAGIC 0x74787476 /* "vtxt" */
#define VTX_TRACE_FILE_VERSION 1

/* The header of a file written by `vtx trace -w`; little-endian, as everything. */
struct vtx_trace_file {
	uint32_t magic, version;
	uint32_t entry_size; /* sizeof(struct vtx_trace_entry) */
	uint32_t tsc_khz;    /* 0: not known */
};

struct vtx_trace_source {
	int fd;
	const char *name;
	uint32_t tsc_khz; /* 0: not known */
	bool started;
	uint64_t offset; /* bytes handed out or skipped, for messages */
	/* what was read and not yet handed out */
	size_t have, used;
	uint8_t buffer[256 * sizeof(struct vtx_trace_entry)];
	/* a flight recorder, all of it */
	struct vtx_record *ring;
	size_t ring_count, ring_next;
	uint32_t ring_lost, ring_vcpu;
};

enum vtx_trace_result {
	VTX_TRACE_ERROR = -1,
	VTX_TRACE_END = 0,
	VTX_TRACE_ENTRY = 1,
	VTX_TRACE_WAIT = 2, /* nothing there yet: poll the file descriptor */
};

/* Takes over FD.  NAME must live as long as SOURCE. */
void vtx_trace_source_init(struct vtx_trace_source *source, int fd, const char *name);
void vtx_trace_source_close(struct vtx_trace_source *source);

/* The next entry.  An entry that cannot be one, or half of one at the end, is an error. */
enum vtx_trace_result vtx_trace_next(struct vtx_trace_source *source, struct vtx_trace_entry *entry, struct vtx_error *error);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The stream of a VM's exits: readers with a buffer each, and the filter that says what they get (docs/tracing.md).
 *
 * vCPU threads put records into the readers' buffers, from the inner loop with interrupts off, too. A buffer that is full loses
 * what comes, counted by vCPU. The stream outlives its VM as long as somebody reads.
 */
#ifndef VTX_TRACE_STREAM_H
#define VTX_TRACE_STREAM_H

#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include "trace/filter.h"
#include "vmx/vm.h"

#define VTX_STREAM_RECORDS 4096	/* a reader's buffer: 320 KiB, charged to it */
#define VTX_STREAM_READERS 16	/* of a VM: each costs every exit that is shown */

struct vtx_stream_filter {
	struct rcu_head rcu;
	struct vtx_filter filter;
};

struct vtx_stream {
	refcount_t users;			/* the VM, and each reader */
	bool wanted;				/* somebody reads, or a rule stops: exits are looked at */
	bool ended;				/* the VM is gone: nothing more will come */
	struct mutex lock;			/* all that follows */
	struct list_head readers;		/* read under RCU */
	unsigned int nr_readers;
	struct vtx_stream_filter __rcu *filter;	/* NULL: no rules */
	struct vtx_filter_error refused;	/* why the last filter was; empty: it was not */
};

/* vcpu_id and lost are those of struct vtx_trace_entry. by == VTX_BY_NONE: no record, nothing but the count of lost ones. */
struct vtx_stream_entry {
	u64 number;
	struct vtx_trace_entry entry;
};

struct vtx_reader {
	struct list_head list;
	struct vtx_stream *stream;
	wait_queue_head_t wait;
	struct irq_work wake;			/* the inner loop has interrupts off: waking is put off until they are on */
	raw_spinlock_t lock;			/* all that follows; taken with interrupts off */
	u32 head, tail;				/* entries ever put and taken */
	unsigned int nr_lossy;			/* vCPUs with something in lost[] */
	u32 lost[VTX_MAX_VCPU_ID];		/* by vCPU number: since its last record */
	struct vtx_stream_entry *entries;
};

/* NULL: no memory, or a module without a recorder. */
struct vtx_stream *vtx_stream_create(void);
/* The VM goes: readers wake up, read what is left and find the end. */
void vtx_stream_end(struct vtx_stream *stream);
void vtx_stream_put(struct vtx_stream *stream);

/* Gets all records from now on. ERR_PTR: -EBUSY (too many readers), -ENODEV (the VM is gone), -ENOMEM. May sleep. */
struct vtx_reader *vtx_reader_open(struct vtx_stream *stream);
void vtx_reader_close(struct vtx_reader *reader);
/* Takes the oldest entry; when there is none any more, a count of lost ones. False: nothing to read. */
bool vtx_reader_take(struct vtx_reader *reader, struct vtx_stream_entry *out);
/* Is there something to take? */
bool vtx_reader_ready(struct vtx_reader *reader);

/*
 * Replaces the filter, or keeps the old one and remembers why. @text is not read when @len is more than VTX_FILTER_TEXT.
 * Return: 0, -EINVAL, -E2BIG, -ENODEV (the VM is gone), -ENOMEM. May sleep.
 */
int vtx_stream_set_filter(struct vtx_stream *stream, const char *text, size_t len);
/* For filters: vtx_reason_name. */
const char *vtx_stream_reason_name(unsigned int reason);

#endif /* VTX_TRACE_STREAM_H */

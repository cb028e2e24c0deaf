// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stream of a VM's exits, and its filter (trace/stream.h).
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include "exits/exits.h"
#include "trace/recorder.h"
#include "trace/stream.h"
#include "vmx/vcpu.h"

static_assert(VTX_FILTER_REASONS == VTX_NR_EXIT_STATS && VTX_FILTER_OTHER == VTX_STAT_OTHER);

const char *vtx_stream_reason_name(unsigned int reason)
{
	return reason < VTX_NR_EXIT_REASONS ? vtx_exit_table[reason].name : NULL;
}

/* ------------------------------------------------------------------ an exit: the vCPU's thread, interrupts off or on */

static void count_lost(struct vtx_reader *reader, u32 vcpu_id)
{
	if (!reader->lost[vcpu_id])
		reader->nr_lossy++;
	if (reader->lost[vcpu_id] != U32_MAX)
		reader->lost[vcpu_id]++;
}

/* @reader->lock held. */
static u32 take_lost(struct vtx_reader *reader, u32 vcpu_id)
{
	u32 lost = reader->lost[vcpu_id];

	if (lost)
		reader->nr_lossy--;
	reader->lost[vcpu_id] = 0;
	return lost;
}

static void put_entry(struct vtx_reader *reader, u32 vcpu_id, u64 number, const struct vtx_record *record)
{
	struct vtx_stream_entry *entry;
	unsigned long flags;
	bool first = false;

	raw_spin_lock_irqsave(&reader->lock, flags);
	if (reader->head - reader->tail == VTX_STREAM_RECORDS) {
		count_lost(reader, vcpu_id);
	} else {
		entry = &reader->entries[reader->head % VTX_STREAM_RECORDS];
		entry->number = number;
		entry->entry.vcpu_id = vcpu_id;
		entry->entry.lost = take_lost(reader, vcpu_id);
		entry->entry.record = *record;
		first = reader->head++ == reader->tail;
	}
	raw_spin_unlock_irqrestore(&reader->lock, flags);
	/* Who sleeps has seen the buffer empty, under the same lock. */
	if (first)
		irq_work_queue(&reader->wake);
}

void vtx_stream_exit(struct vtx_vcpu *vcpu, const struct vtx_record *record)
{
	struct vtx_stream *stream = vcpu->vm->stream;
	unsigned int what = VTX_FILTER_SHOW;
	struct vtx_stream_filter *filter;
	struct vtx_reader *reader;
	u64 head, number;

	if (!stream || !READ_ONCE(stream->wanted))
		return;
	/* The record knows the low half of its number. */
	head = vcpu->ring->head;
	number = head - (u32)((u32)head - record->seq);
	rcu_read_lock();
	filter = rcu_dereference(stream->filter);
	if (filter)
		what = vtx_filter_match(&filter->filter, vcpu->id, record);
	if (what & VTX_FILTER_SHOW)
		list_for_each_entry_rcu(reader, &stream->readers, list)
			put_entry(reader, vcpu->id, number, record);
	rcu_read_unlock();
	if (what & VTX_FILTER_STOP)
		vtx_vcpu_request(vcpu, VTX_REQ_TRACE_STOP);
}

/* ------------------------------------------------------------------ readers */

static void wake_reader(struct irq_work *work)
{
	wake_up_interruptible_poll(&container_of(work, struct vtx_reader, wake)->wait, EPOLLIN | EPOLLRDNORM);
}

/* @stream->lock held. */
static void update_wanted(struct vtx_stream *stream)
{
	struct vtx_stream_filter *filter = rcu_dereference_protected(stream->filter, lockdep_is_held(&stream->lock));

	WRITE_ONCE(stream->wanted, stream->nr_readers || (filter && (filter->filter.actions & VTX_FILTER_STOP)));
}

static int add_reader(struct vtx_stream *stream, struct vtx_reader *reader)
{
	int r = 0;

	mutex_lock(&stream->lock);
	if (stream->ended) {
		r = -ENODEV;
	} else if (stream->nr_readers == VTX_STREAM_READERS) {
		r = -EBUSY;
	} else {
		refcount_inc(&stream->users);
		stream->nr_readers++;
		list_add_tail_rcu(&reader->list, &stream->readers);
		update_wanted(stream);
	}
	mutex_unlock(&stream->lock);
	return r;
}

static void free_reader(struct vtx_reader *reader)
{
	kvfree(reader->entries);
	kfree(reader);
}

struct vtx_reader *vtx_reader_open(struct vtx_stream *stream)
{
	struct vtx_reader *reader = kzalloc(sizeof(*reader), GFP_KERNEL_ACCOUNT);
	int r;

	if (!reader)
		return ERR_PTR(-ENOMEM);
	reader->entries = kvmalloc_array(VTX_STREAM_RECORDS, sizeof(*reader->entries), GFP_KERNEL_ACCOUNT);
	if (!reader->entries) {
		kfree(reader);
		return ERR_PTR(-ENOMEM);
	}
	reader->stream = stream;
	raw_spin_lock_init(&reader->lock);
	init_waitqueue_head(&reader->wait);
	init_irq_work(&reader->wake, wake_reader);
	static_branch_inc(&vtx_streaming);
	r = add_reader(stream, reader);
	if (!r)
		return reader;
	static_branch_dec(&vtx_streaming);
	free_reader(reader);
	return ERR_PTR(r);
}

void vtx_reader_close(struct vtx_reader *reader)
{
	struct vtx_stream *stream = reader->stream;

	mutex_lock(&stream->lock);
	list_del_rcu(&reader->list);
	stream->nr_readers--;
	update_wanted(stream);
	mutex_unlock(&stream->lock);
	static_branch_dec(&vtx_streaming);
	/* The vCPUs that still have seen the reader first, then the waking they may have asked for. */
	synchronize_rcu();
	irq_work_sync(&reader->wake);
	free_reader(reader);
	vtx_stream_put(stream);
}

/* What was lost by the next vCPU that lost something and has not said so. @reader->lock held. */
static bool take_loss(struct vtx_reader *reader, struct vtx_stream_entry *out)
{
	u32 vcpu_id = 0;

	if (!reader->nr_lossy)
		return false;
	while (vcpu_id < VTX_MAX_VCPU_ID - 1 && !reader->lost[vcpu_id])
		vcpu_id++;
	memset(out, 0, sizeof(*out));
	out->entry.vcpu_id = vcpu_id;
	out->entry.lost = take_lost(reader, vcpu_id);
	return true;
}

bool vtx_reader_take(struct vtx_reader *reader, struct vtx_stream_entry *out)
{
	bool taken = true;

	raw_spin_lock_irq(&reader->lock);
	if (reader->head != reader->tail)
		*out = reader->entries[reader->tail++ % VTX_STREAM_RECORDS];
	else
		taken = take_loss(reader, out);
	raw_spin_unlock_irq(&reader->lock);
	return taken;
}

bool vtx_reader_ready(struct vtx_reader *reader)
{
	bool ready;

	raw_spin_lock_irq(&reader->lock);
	ready = reader->head != reader->tail || reader->nr_lossy;
	raw_spin_unlock_irq(&reader->lock);
	return ready;
}

/* ------------------------------------------------------------------ the filter */

/* @filter may be NULL: none. The one that was there goes. @stream->lock held. */
static void replace_filter(struct vtx_stream *stream, struct vtx_stream_filter *filter)
{
	struct vtx_stream_filter *old = rcu_dereference_protected(stream->filter, lockdep_is_held(&stream->lock));

	if (filter && (filter->filter.actions & VTX_FILTER_STOP))
		static_branch_inc(&vtx_streaming);
	rcu_assign_pointer(stream->filter, filter);
	update_wanted(stream);
	if (!old)
		return;
	if (old->filter.actions & VTX_FILTER_STOP)
		static_branch_dec(&vtx_streaming);
	kvfree_rcu(old, rcu);
}

int vtx_stream_set_filter(struct vtx_stream *stream, const char *text, size_t len)
{
	struct vtx_stream_filter *new = kvzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	struct vtx_filter_error error = {};
	int r;

	if (!new)
		return -ENOMEM;
	if (len > VTX_FILTER_TEXT)
		r = vtx_filter_too_long(len, &error);
	else
		r = vtx_filter_parse(&new->filter, text, len, vtx_stream_reason_name, &error);
	mutex_lock(&stream->lock);
	if (stream->ended)
		r = -ENODEV;
	stream->refused = error;
	if (!r)
		replace_filter(stream, new);
	mutex_unlock(&stream->lock);
	if (r)
		kvfree(new);
	return r;
}

/* ------------------------------------------------------------------ life */

struct vtx_stream *vtx_stream_create(void)
{
	struct vtx_stream *stream = NULL;

#ifndef VTX_NO_RECORDER
	stream = kzalloc(sizeof(*stream), GFP_KERNEL_ACCOUNT);
	if (!stream)
		return NULL;
	refcount_set(&stream->users, 1);
	mutex_init(&stream->lock);
	INIT_LIST_HEAD(&stream->readers);
#endif
	return stream;
}

void vtx_stream_end(struct vtx_stream *stream)
{
	struct vtx_reader *reader;

	mutex_lock(&stream->lock);
	replace_filter(stream, NULL);
	/* No vCPU runs any more: who sees this and then an empty buffer has read everything. */
	smp_store_release(&stream->ended, true);
	list_for_each_entry(reader, &stream->readers, list)
		wake_up_interruptible_poll(&reader->wait, EPOLLIN | EPOLLHUP);
	mutex_unlock(&stream->lock);
}

void vtx_stream_put(struct vtx_stream *stream)
{
	if (refcount_dec_and_test(&stream->users))
		kfree(stream);
}
